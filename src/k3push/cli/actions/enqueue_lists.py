"""`enqueue`: runs for whichever worker of the fleet is free."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from k3push.cli.console.person import person_here
from k3push.cli.console.screen import put_json
from k3push.config.tenants import tenant_of
from k3push.fleet import Enqueuer, needs_fleet, needs_shared_ledger, queue_of
from k3push.runs.outcome import Exit
from k3push.wiring.config_file import find_config
from k3push.wiring.job_lists import JobOptions
from k3push.wiring.open_ledger import ledger_of
from k3push.words.language import Say


async def enqueue(
    names: Sequence[str],
    config: Path | None,
    how: JobOptions,
    say: Say,
    *,
    slices: int,
    json: bool,
) -> Exit:
    """Ask the fleet for runs of job files."""
    needs_fleet()
    from k3push.fleet import open_queue  # noqa: PLC0415

    tenant = tenant_of(find_config(config), os.environ)
    needs_shared_ledger(tenant.settings)

    def warn(sentence: str, /, **facts: object) -> None:
        sys.stderr.write(say(sentence, **facts) + "\n")

    asker = Enqueuer(tenant, warn, slices=slices, by=person_here())
    async with (
        ledger_of(tenant.settings, create=True) as ledger,
        open_queue(queue_of(tenant), create=True) as queue,
    ):
        runs = await asker.ask(ledger, queue, names, how)
        await queue.make_jobs(tenant.name, runs)
    if json:
        put_json({"tenant": tenant.name, "runs": runs})
    else:
        for run in runs:
            sys.stdout.write(say("enqueue.queued", tenant=tenant.name, run=run) + "\n")
    return Exit.DONE
