"""`control`: a person's word to a run that another process executes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from k3push.adapters.clock import SystemClock
from k3push.cli.console.person import person_here
from k3push.cli.console.screen import screen
from k3push.core.control_words import LIMITS, Command, CommandError, Key, Verb
from k3push.core.model import Run
from k3push.core.remark import remark
from k3push.ports import Commanded, Ledger
from k3push.runs.control import command, hindrance, leave_stop
from k3push.runs.find import find_run, is_under_way, living_beside
from k3push.runs.kept_in_ledger.request_stages import Act, note_act
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.words.language import Say

# The run looks once a second; a disk or a machine that is busy may take longer.
PATIENCE_S = 10.0


async def control(config: Path | None, words: Sequence[str], say: Say) -> Exit:
    """Tell a run to pause, continue, stop or change its pace, and say what came of it."""
    wanted, name = _commands(words)
    console = screen(soft_wrap=True)
    async with ledger_of(load_settings(config)) as ledger:
        run = await _run_meant(ledger, name)
        if why := await hindrance(ledger, run.id):
            is_stop = [what.verb for what in wanted] == [Verb.STOP]
            if not is_stop or not await leave_stop(ledger, SystemClock(), run.id):
                raise Problem(why)
            act = Act(SystemClock().now(), run.id, person_here(), "control", str(wanted[0]))
            await note_act(ledger, act)
            console.print(say("control.left", run=run.id), highlight=False, markup=False)
            return Exit.DONE
        for what in wanted:
            obeyed = await _give(ledger, run, what)
            console.print(_told(run, obeyed, say), highlight=False, markup=False)
    return Exit.DONE


async def _give(ledger: Ledger, run: Run, what: Command) -> Commanded:
    """Give a command, and return what came of it; raises `Problem` where the run does not obey."""
    clock = SystemClock()
    await note_act(ledger, Act(clock.now(), run.id, person_here(), "control", str(what)))
    obeyed = await command(ledger, clock, run.id, what, patience_s=PATIENCE_S)
    if obeyed is None:
        silent = remark("control.silent", run=run.id, seconds=PATIENCE_S)
        raise Problem(await hindrance(ledger, run.id) or silent)
    return obeyed


async def _run_meant(ledger: Ledger, name: str | None) -> Run:
    """Return the run of that name or, without one, the run that is under way.

    A job of two routes is two runs with one fate, so that either name means the one of them that
    is under way.

    Raises:
        Problem: There is none, or several are under way.
    """
    if name is None:
        alive = [run for run in await ledger.runs(undone=True) if await is_under_way(ledger, run)]
        if len(alive) > 1:
            raise Problem(remark("control.several", runs=", ".join(run.id for run in alive)))
        if alive:
            return alive[0]
    run = await find_run(ledger, name)
    return await living_beside(ledger, run) or run


def _commands(words: Sequence[str]) -> tuple[list[Command], str | None]:
    """Read `[RUN] VERB [KEY=VALUE...]`; return a command for each setting, and the run's name.

    Raises:
        Problem: It is none.
    """
    name, rest = (None, words) if words[0] in set(Verb) else (words[0], words[1:])
    verb, *settings = rest or [""]
    each = [[verb, setting] for setting in settings] if verb == Verb.SET and settings else [rest]
    try:
        return [Command.parse(one) for one in each], name
    except CommandError as error:
        limits = {key.name.lower(): LIMITS[key][-1] for key in Key}
        raise Problem(remark("control.what", what=str(error) or words[-1], **limits)) from error


def _told(run: Run, obeyed: Commanded, say: Say) -> str:
    what, open_chunks = obeyed.command, obeyed.on_their_way
    on_their_way = say("control.open", count=open_chunks) if open_chunks else ""
    if open_chunks == 1:
        on_their_way = say("control.open.one")
    match what.verb:
        case Verb.PAUSE:
            return say("control.obeyed.pause", run=run.id) + on_their_way
        case Verb.STOP:
            return say("control.obeyed.stop", run=run.id) + on_their_way
        case Verb.CONTINUE:
            return say("control.obeyed.continue", run=run.id)
        case Verb.SET:
            value = "auto" if what.value is None else what.value
            return say("control.set", run=run.id, key=what.key, value=value)
