"""`fleet`: how the tenants stand, and a person's word to all their runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
from rich.markup import escape

from k3push.adapters.clock import SystemClock
from k3push.cli.actions.control_run import PATIENCE_S
from k3push.cli.console.person import person_here
from k3push.cli.console.screen import put_json, screen
from k3push.config.setting_errors import SettingsError
from k3push.config.tenants import Tenant, Tenants
from k3push.core.control_words import Command, Verb
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.fleet import (
    Queue,
    left_of_others,
    names_and_queue,
    one_queue_of,
    open_queue,
    queue_of,
    read_folder,
    samples,
    standing,
)
from k3push.ports import LedgerLostError
from k3push.reporting.prometheus_text import write_textfile
from k3push.runs.control import command
from k3push.runs.kept_in_ledger.request_stages import Act, note_act
from k3push.runs.outcome import Exit, numbers_in_doubt
from k3push.runs.problem import Problem
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.protected_files import check_output
from k3push.words.language import Say, harmless, speaker
from k3push.words.width import columns, cut, filled

_COLOURS = {0: "green", 3: "yellow", 4: "magenta", 5: "yellow", 6: "red"}


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[tuple[Queue, Tenants]]:
    tenants = read_folder(folder)
    async with open_queue(queue_of(one_queue_of(tenants)), create=False) as queue:
        yield queue, tenants


def _meant(tenants: Tenants, names: Sequence[str], *, everybody: bool) -> list[Tenant]:
    """Return the named tenants, or all; raises `Problem` where none is named, or one unknown."""
    for name in names:
        if name not in tenants.by_name:
            known = ", ".join(tenants.by_name)
            raise Problem(remark("fleet.unknown", tenant=name, known=known))
    if not names and not everybody:
        raise Problem(remark("fleet.which"))
    return [tenants.by_name[name] for name in names or tenants.by_name]


# -- a person's word -------------------------------------------------------------------------------


async def pause(folder: Path, names: Sequence[str], *, everybody: bool, say: Say) -> Exit:
    """Let nothing of tenants begin, and pause what is under way."""
    async with _opened(folder) as (queue, tenants):
        for tenant in _meant(tenants, names, everybody=everybody):
            await queue.pause(tenant.name)
            _tell(say("fleet.paused", tenant=tenant.name))
            await _command(queue, tenant, Verb.PAUSE, say)
    return Exit.DONE


async def go_on(folder: Path, names: Sequence[str], *, everybody: bool, say: Say) -> Exit:
    """End a pause."""
    async with _opened(folder) as (queue, tenants):
        for tenant in _meant(tenants, names, everybody=everybody):
            if await queue.go_on(tenant.name):
                _tell(say("fleet.continues", tenant=tenant.name))
            await _command(queue, tenant, Verb.CONTINUE, say)
        await queue.make_jobs()
    return Exit.DONE


async def cancel(folder: Path, names: Sequence[str], *, everybody: bool, say: Say) -> Exit:
    """Cancel what is queued, and stop what is under way."""
    async with _opened(folder) as (queue, tenants):
        for tenant in _meant(tenants, names, everybody=everybody):
            doing = await queue.doing(tenant.name)
            cancelled = await queue.cancel(tenant.name)
            for run in cancelled:
                _tell(say("fleet.cancelled", tenant=tenant.name, run=run))
            await _note(tenant, cancelled, "cancelled")
            await _command(queue, tenant, Verb.STOP, say, doing)
    return Exit.DONE


async def retry(folder: Path, names: Sequence[str], *, everybody: bool, say: Say) -> Exit:
    """Queue again what waits for a person or was cancelled; end a pause for a refused login."""
    async with _opened(folder) as (queue, tenants):
        for tenant in _meant(tenants, names, everybody=everybody):
            if (await queue.pauses()).get(tenant.name):
                await queue.go_on(tenant.name)
                _tell(say("fleet.continues", tenant=tenant.name))
            files = await queue.try_asides(tenant.name)
            for file in files:
                _tell(say("fleet.file_tried", tenant=tenant.name, file=file))
            again = await queue.retry(tenant.name)
            for run in again:
                _tell(say("enqueue.queued", tenant=tenant.name, run=run))
            await _note(tenant, again, "requeued")
            if not again and not files:
                _tell(say("fleet.nothing", tenant=tenant.name))
        await queue.make_jobs()
    return Exit.DONE


WORDS = {"pause": pause, "continue": go_on, "cancel": cancel, "retry": retry}
"""What each of these commands does."""


async def _command(
    queue: Queue, tenant: Tenant, verb: Verb, say: Say, runs: Sequence[RunId] | None = None
) -> None:
    """Give a command to the runs of a tenant that are under way."""
    if not (runs := await queue.doing(tenant.name) if runs is None else runs):
        return
    async with ledger_of(tenant.settings) as ledger:
        for run in runs:
            what = Command(verb)
            await note_act(
                ledger, Act(SystemClock().now(), run, person_here(), "control", str(what))
            )
            obeyed = await command(ledger, SystemClock(), run, what, patience_s=PATIENCE_S)
            if obeyed is None and await ledger.is_alive(run):
                _tell(say("control.silent", run=run, seconds=PATIENCE_S))
            elif obeyed is not None:
                _tell("  " + say(f"control.obeyed.{verb}", run=run))


async def _note(tenant: Tenant, runs: Sequence[str], what: str) -> None:
    """Write down in the tenant's ledger who has done something with runs.

    It is done, whatever becomes of that: one tenant's ledger that is away holds up no other.
    """
    if runs:
        now = SystemClock().now()
        with suppress(LedgerLostError):
            async with ledger_of(tenant.settings) as ledger:
                for run in runs:
                    await note_act(ledger, Act(now, run, person_here(), what))


def _tell(line: str) -> None:
    screen(soft_wrap=True).print(line, highlight=False, markup=False)


# -- how it stands ---------------------------------------------------------------------------------


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
