"""`fleet status`: how tenants, workers and schedules stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
from rich.markup import escape

from k3push.cli.console.screen import put_json, screen
from k3push.config.setting_errors import SettingsError
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.fleet import (
    Queue,
    left_of_others,
    names_and_queue,
    open_queue,
    queue_of,
    samples,
    standing,
)
from k3push.ports import LedgerLostError
from k3push.reporting.prometheus_text import write_textfile
from k3push.runs.outcome import Exit, numbers_in_doubt
from k3push.runs.problem import Problem
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.protected_files import check_output
from k3push.words.language import Say, harmless, speaker
from k3push.words.width import columns, cut, filled

_COLOURS = {0: "green", 3: "yellow", 4: "magenta", 5: "yellow", 6: "red"}


async def status(
    folder: Path, names: Sequence[str], *, json: bool, textfile: Path | None, say: Say
) -> Exit:
    """Print how tenants, workers and schedules stand, or write it for a collector of metrics."""
    known, one = names_and_queue(folder)
    for name in names:
        if name not in known:
            raise Problem(remark("fleet.unknown", tenant=name, known=", ".join(known)))
    async with open_queue(queue_of(one), create=False) as queue:
        if textfile is not None:
            await _write_metrics(queue, textfile)
            return Exit.DONE
        said = await standing(queue, names or known)
        left = {} if names else await left_of_others(queue, known)
    for row in said["tenants"]:
        if row["in_doubt"]:
            row["in_doubt"] = await _doubts_now(folder / f"{row['tenant']}.toml", row["in_doubt"])
    if json:
        put_json(_in_english(said | {"others": left}))
        return Exit.DONE
    console = screen(soft_wrap=True, highlight=False)
    for line in [*_tenant_lines(said["tenants"], say), "", *_worker_lines(said["workers"], say)]:
        console.print(line)
    if left:
        told = ", ".join(f"{harmless(tenant)} ({runs})" for tenant, runs in left.items())
        console.print(f"[yellow]{escape(say('fleet.others', folder=folder, tenants=told))}[/]")
    return Exit.DONE


async def _doubts_now(file: Path, noted: dict[str, int]) -> dict[str, int]:
    """Count numbers in doubt of runs anew: somebody may have settled them without a worker.

    Where the tenant's ledger cannot be read, what the workers have noted is said.
    """
    found: dict[str, int] = {}
    try:
        async with ledger_of(load_settings(file)) as ledger:
            for run in noted:
                found[run] = numbers_in_doubt(await ledger.counts(RunId(run)))
    except (LedgerLostError, LookupError, SettingsError):
        return noted
    return {run: count for run, count in found.items() if count}


async def _write_metrics(queue: Queue, path: Path) -> None:
    check_output(path, is_kept=True, option="--textfile")
    try:
        await anyio.to_thread.run_sync(write_textfile, path, await samples(queue))
    except OSError as error:
        raise Problem(remark("error.file", path=path, why=error.strerror or error)) from error


def _in_english(value: Any) -> Any:
    """Put the remarks of an object for programs into words."""
    match value:
        case str():
            return speaker("en").said(value)
        case list():
            return [_in_english(each) for each in value]
        case dict():
            return {key: _in_english(each) for key, each in value.items()}
        case _:
            return value


def _tenant_lines(tenants: Sequence[dict[str, Any]], say: Say) -> list[str]:
    wide = max([columns(say("fleet.tenant")), *(columns(row["tenant"]) for row in tenants)]) + 1
    wide = min(wide, 24)
    heads = [say(f"fleet.head.{key}") for key in ("queued", "doing", "failed")]
    lines = [
        _cell(say("fleet.tenant"), wide)
        + "".join(_cell(head, 8) for head in heads)
        + _cell(say("fleet.last"), 27)
        + say("fleet.next")
    ]
    for row in tenants:
        exit_code = row["last_exit"]
        last = "-" if row["last_run"] is None else str(row["last_run"])
        if exit_code is not None:
            last += f" {exit_code}"
        colour = _COLOURS.get(exit_code, "white") if exit_code is not None else "white"
        due = _moment(row["next_due_at"])
        numbers = "".join(_cell(str(row[key]), 8) for key in ("queued", "doing", "failed"))
        name = escape(_cell(harmless(row["tenant"]), wide))
        lines.append(f"{name}{numbers}[{colour}]{_cell(last, 27)}[/]{due}")
        if row["paused"]:
            why = row["paused_because"]
            paused = say("fleet.is_paused_since", why=why) if why else say("fleet.is_paused")
            lines.append(f"  [yellow]{escape(paused)}[/]")
        elif row["failed"] and row["last_why"]:
            lines.append(f"  [red]{escape(say.said(row['last_why']))}[/]")
        lines += [
            f"  [red]{escape(say('fleet.file_aside', file=file))}[/]" for file in row["files_aside"]
        ]
        if doubts := row["in_doubt"]:
            facts = {"count": sum(doubts.values()), "runs": ", ".join(doubts)}
            lines.append(f"  [magenta]{escape(say('fleet.in_doubt', **facts))}[/]")
        if row["archive_failed"]:
            failed = say("fleet.unarchived", why=row["archive_failed"])
            lines.append(f"  [red]{escape(failed)}[/]")
        for schedule, why in row["schedules_failed"].items():
            failed = say("fleet.schedule", schedule=schedule, why=why)
            lines.append(f"  [red]{escape(failed)}[/]")
    return lines


def _worker_lines(workers: Sequence[dict[str, Any]], say: Say) -> list[str]:
    if not workers:
        return [f"[yellow]{escape(say('fleet.no_workers'))}[/]"]
    lines = []
    for row in workers:
        colour = "green" if row["alive"] else "red"
        facts = {"name": row["name"], "host": row["host"], "seconds": row["age_s"]}
        line = (
            say("fleet.alive", **facts, serves=row["serves"], busy=row["busy"])
            if row["alive"]
            else say("fleet.silent", **facts)
        )
        lines.append(f"[{colour}]{escape(line)}[/]")
    return lines


def _cell(text: str, wide: int) -> str:
    """Fill a text up to so many columns of a terminal, or cut it off before the last of them."""
    return filled(cut(text, wide - 1), wide)


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone():%m-%d %H:%M}" if at else "-"
