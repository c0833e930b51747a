"""`fleet pause`, `continue`, `cancel` and `retry`: a person's word to all runs of tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from k3push.adapters.clock import SystemClock
from k3push.cli.actions.control_run import PATIENCE_S
from k3push.cli.console.person import person_here
from k3push.cli.console.screen import screen
from k3push.config.tenants import Tenant, Tenants
from k3push.core.control_words import Command, Verb
from k3push.core.model import RunId
from k3push.core.remark import remark
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
