"""`fleet pause`, `continue`, `cancel` and `retry`: a person's word to all runs of tenants.

Each may be said again: what is done already stays so. One tenant's ledger that is away keeps a
word from no other tenant. Nor does a fault in a file keep it from that tenant: its runs go on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from k3push.adapters.clock import SystemClock
from k3push.cli.actions.control_run import PATIENCE_S
from k3push.cli.console.person import person_here
from k3push.cli.console.screen import screen
from k3push.config.setting_errors import SettingsError
from k3push.config.tenants import Tenant, Tenants
from k3push.core.control_words import Command, Verb
from k3push.core.foreign_text import flaw_of
from k3push.core.model import RunId
from k3push.core.remark import few, remark
from k3push.fleet import Queue, one_queue_of, open_queue, queue_of, read_folder
from k3push.ports import LedgerLostError
from k3push.runs.control import command
from k3push.runs.kept_in_ledger.request_stages import Act, note_act
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.open_ledger import ledger_of
from k3push.words.language import Say


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[tuple[Queue, Tenants]]:
    tenants = read_folder(folder)
    async with open_queue(queue_of(one_queue_of(tenants)), create=False) as queue:
        try:
            yield queue, tenants
        except LedgerLostError as error:
            raise Problem(remark("fleet.say_again", why=str(error)), Exit.STOPPED) from error


def _meant(
    tenants: Tenants, names: Sequence[str], *, everybody: bool
) -> list[tuple[str, Tenant | SettingsError]]:
    """Return the named tenants, or all; raises `Problem` where none is named, or one unknown."""
    faulty = {path.stem: fault for path, fault in tenants.faulty.items() if not flaw_of(path.stem)}
    known: dict[str, Tenant | SettingsError] = {**faulty, **tenants.by_name}
    for name in names:
        if name not in known:
            raise Problem(remark("fleet.unknown", tenant=name, known=", ".join(known)))
    if not names and not everybody:
        raise Problem(remark("fleet.which"))
    return [(name, known[name]) for name in names or known]


async def pause(folder: Path, names: Sequence[str], *, everybody: bool, say: Say) -> Exit:
    """Let nothing of tenants begin, and pause what is under way."""
    untold: dict[str, str] = {}
    async with _opened(folder) as (queue, tenants):
        for name, tenant in _meant(tenants, names, everybody=everybody):
            await queue.pause(name)
            _tell(say("fleet.paused", tenant=name))
            runs = await queue.doing(name)
            await _command(name, tenant, Verb.PAUSE, say, runs, untold=untold)
    return _done(untold)


async def go_on(folder: Path, names: Sequence[str], *, everybody: bool, say: Say) -> Exit:
    """End a pause."""
    untold: dict[str, str] = {}
    async with _opened(folder) as (queue, tenants):
        for name, tenant in _meant(tenants, names, everybody=everybody):
            if await queue.go_on(name):
                _tell(say("fleet.continues", tenant=name))
            runs = await queue.doing(name)
            await _command(name, tenant, Verb.CONTINUE, say, runs, untold=untold)
        await queue.make_jobs()
    return _done(untold)


async def cancel(folder: Path, names: Sequence[str], *, everybody: bool, say: Say) -> Exit:
    """Cancel what is queued, and stop what is under way."""
    untold: dict[str, str] = {}
    async with _opened(folder) as (queue, tenants):
        for name, tenant in _meant(tenants, names, everybody=everybody):
            doing = await queue.doing(name)
            cancelled = await queue.cancel(name)
            for run in cancelled:
                _tell(say("fleet.cancelled", tenant=name, run=run))
            await _note(tenant, cancelled, "cancelled")
            await _command(name, tenant, Verb.STOP, say, doing, untold=untold)
    return _done(untold)


async def retry(folder: Path, names: Sequence[str], *, everybody: bool, say: Say) -> Exit:
    """Queue again what waits for a person or was cancelled; end a pause for a refused login."""
    async with _opened(folder) as (queue, tenants):
        for name, tenant in _meant(tenants, names, everybody=everybody):
            if (await queue.pauses()).get(name):
                await queue.go_on(name)
                _tell(say("fleet.continues", tenant=name))
            files = await queue.try_asides(name)
            for file in files:
                _tell(say("fleet.file_tried", tenant=name, file=file))
            again = await queue.retry(name)
            for run in again:
                _tell(say("enqueue.queued", tenant=name, run=run))
            await _note(tenant, again, "requeued")
            if not again and not files:
                _tell(say("fleet.nothing", tenant=name))
        await queue.make_jobs()
    return Exit.DONE


WORDS = {"pause": pause, "continue": go_on, "cancel": cancel, "retry": retry}
"""What each of these commands does."""


def _done(untold: Mapping[str, str]) -> Exit:
    if untold:
        names, why = few(list(untold)), next(iter(untold.values()))
        raise Problem(remark("fleet.untold", tenants=names, why=why), Exit.STOPPED)
    return Exit.DONE


async def _command(
    name: str,
    tenant: Tenant | SettingsError,
    verb: Verb,
    say: Say,
    runs: Sequence[RunId],
    *,
    untold: dict[str, str],
) -> None:
    """Give a command to runs of a tenant; *untold* takes why its ledger did not have it."""
    if not runs:
        return
    try:
        if isinstance(tenant, SettingsError):
            raise tenant
        await _command_each(tenant, verb, say, runs)
    except (LedgerLostError, SettingsError) as error:
        untold[name] = str(error)


async def _command_each(tenant: Tenant, verb: Verb, say: Say, runs: Sequence[RunId]) -> None:
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


async def _note(tenant: Tenant | SettingsError, runs: Sequence[str], what: str) -> None:
    """Write down in the tenant's ledger who has done something with runs.

    It is done, whatever becomes of that: one tenant's ledger that is away holds up no other.
    """
    if runs and isinstance(tenant, Tenant):
        now = SystemClock().now()
        with suppress(LedgerLostError, SettingsError):
            async with ledger_of(tenant.settings) as ledger:
                for run in runs:
                    await note_act(ledger, Act(now, run, person_here(), what))


def _tell(line: str) -> None:
    screen(soft_wrap=True).print(line, highlight=False, markup=False)
