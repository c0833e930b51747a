"""Runs of job files: written into the ledger with their numbers, before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from k3push.core.model import FolderFile, Listed, Route, Run
from k3push.ports import Ledger
from k3push.runs.create import JobSource, list_numbers, new_run, open_new
from k3push.runs.other_calls.pushed_since import keep_seen
from k3push.wiring.executor import Executor
from k3push.wiring.selected_bills import keep_list


async def open_listed(
    executor: Executor,
    ledger: Ledger,
    names: Sequence[str],
    jobs: Sequence[JobSource],
    *,
    routes: Mapping[str, Route],
    route: Route,
    file: FolderFile | None = None,
    selected_at: datetime | None = None,
) -> Run:
    """Open a run for the lines of job files that ask for a route.

    Args:
        names: What the job files are called.
        jobs: The job files, read to their ends before.
        routes: By the name that lines give.
        route: One of them.
        file: The folder's file that the lines come from, taken once all are in the ledger.
        selected_at: When the bills were selected; None where somebody has named them.
    """
    acct_id = executor.settings.erp.acct_id
    fate = executor.fate

    async def make() -> Run:
        run = await new_run(ledger, executor.clock, acct_id, route, names)
        group = fate.group or run.id
        return replace(run, again_because=executor.options.because, group=group)

    run = await open_new(ledger, make)
    fate.group = fate.group or run.id
    await keep_list(run, jobs, executor.observer.warn)
    if selected_at is not None:  # the run may have waited since for a person, or for another run
        await keep_seen(ledger, run.id, selected_at, clock=executor.clock)

    def takes(listed: Listed) -> bool:
        return routes[listed.route].name == route.name

    await list_numbers(ledger, run, jobs, takes, file=file)
    return run
