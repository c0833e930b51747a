"""Commands to a run that is under way: left in the ledger by one process, obeyed by another.

The ledger carries them, since it is what all processes share on every system. A command is
obeyed once, in the order in which commands were given, and that is written down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio

from k3push.core.control_words import Command, Key, Verb
from k3push.core.model import Run, RunId
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.core.remark import remark
from k3push.ports import Clock, Commanded, Ledger
from k3push.runs.context import Context
from k3push.runs.find import is_unfinished
from k3push.runs.kept_in_ledger.request_stages import (
    Request,
    RequestKind,
    Stage,
    acts_about,
    is_asked_for,
    open_request_of,
)
from k3push.runs.outcome import Exit
from k3push.runs.stop import Cause, stopping

# A person waits for the answer, and a read of the ledger costs next to nothing.
LOOK_EVERY_S = 1.0
ANSWER_LOOK_S = 0.1


async def obey(context: Context) -> None:
    """Obey the commands for the context's run as they come, until cancelled."""
    with stopping(context.stop):
        while True:
            for given in await context.ledger.commands(context.run.id):
                if given.obeyed_at is None:
                    await _obey(context, given)
            await anyio.sleep(LOOK_EVERY_S)


async def _obey(context: Context, given: Commanded) -> None:
    command, throttle = given.command, context.throttle
    match command.verb:
        case Verb.PAUSE:
            throttle.pause()
        case Verb.CONTINUE:
            throttle.go_on()
        case Verb.STOP:
            context.stop.ask(Cause.CONTROL, f"k3push control {context.run.id} stop")
        case Verb.SET if command.key is not None:
            throttle.fix(command.key, command.value)
    # A stop may end this task, and the one who gave it waits for the answer.
    with anyio.CancelScope(shield=True):
        await context.ledger.obeyed(
            given.id, at=context.clock.now(), on_their_way=context.on_their_way
        )


async def command(
    ledger: Ledger, clock: Clock, run: RunId, what: Command, *, patience_s: float
) -> Commanded | None:
    """Give a command to the executor of *run*, and wait until it is obeyed.

    Returns:
        What the executor wrote down; None where it did not within *patience_s*, and then the
        command stays, or where it ended before.
    """
    given = await ledger.command(run, what, at=clock.now())
    with anyio.move_on_after(patience_s):
        while True:
            alive = await ledger.is_alive(run)
            for kept in await ledger.commands(run):
                if kept.id == given and kept.obeyed_at is not None:
                    return kept
            if not alive:
                return None
            await anyio.sleep(ANSWER_LOOK_S)
    return None


async def command_in_time(
    ledger: Ledger, clock: Clock, run: RunId, what: Command, *, patience_s: float
) -> str:
    """Give a command to the executor of *run*, or to the one that is about to begin.

    A server owns a run while it writes the list down, and anew to execute it. In between nobody
    obeys, and what was said before is void to the second owner: so it is said again. A stop is also
    taken where a server is about to go on by itself (`leave_stop`).

    Returns:
        Why it cannot be given, as a remark; "" where it was.
    """
    why, is_given = "", False
    with anyio.move_on_after(patience_s):
        while True:
            why = await hindrance(ledger, run)
            if not why:
                is_given = True
                if await command(ledger, clock, run, what, patience_s=patience_s):
                    break
            is_left = what.verb is Verb.STOP and await leave_stop(ledger, clock, run)
            is_given = is_given or is_left
            if not is_left and not await _is_begun_soon(ledger, run):
                break
            await anyio.sleep(ANSWER_LOOK_S)
    return "" if is_given else why


async def _is_begun_soon(ledger: Ledger, name: RunId) -> bool:
    """Say whether somebody has asked a server for a run that was not executed yet."""
    run = await ledger.run(name)
    return run is not None and run.exit is None and await is_asked_for(ledger, run)


async def leave_stop(ledger: Ledger, clock: Clock, name: RunId) -> bool:
    """Leave a stop for the next execution of a run that a server goes on with by itself.

    The execution before has lost the ledger, say. The next finds the stop, and sends nothing.

    Returns:
        Whether there is one to come; else nothing is left.
    """
    run = await ledger.run(name)
    if run is None or run.exit not in _LEFT or await ledger.is_alive(name):
        return False
    asked = await open_request_of(ledger, run)
    if asked is None or asked.stage is not Stage.APPROVED or not has_ended_for(asked, run):
        return False
    if not any(each.command.verb is Verb.STOP for each in await ledger.commands(name)):
        await ledger.command(name, Command(Verb.STOP), at=clock.now())
    return True


async def hindrance(ledger: Ledger, name: RunId) -> str:
    """Return why a command cannot be given to a run, as a remark; "" if it can."""
    if await ledger.is_alive(name):
        return ""
    run = await ledger.run(name)
    is_finished = run is not None and not await is_unfinished(ledger, run)
    return remark("control.finished" if is_finished else "control.not_alive", run=name)


def is_paused(commands: Sequence[Commanded]) -> bool:
    """Say whether commands to the present execution keep it from sending until told to go on."""
    obeyed = [given.command.verb for given in commands if given.obeyed_at is not None]
    said = [verb for verb in obeyed if verb is not Verb.SET]
    return said[-1:] == [Verb.PAUSE]  # after a stop it ends, paused or not


_GO_ON = frozenset({"queued", "requeued", "resume", "retry"})
"""Acts by which somebody has a run go on."""

_LEFT = frozenset({Exit.STOPPED, Exit.SOME_UNKNOWN, Exit.UNREACHABLE})
"""With these an execution has left something to be done."""


async def was_stopped(ledger: Ledger, run: Run, *, though_ended: bool = False) -> bool:
    """Say whether a person has stopped the last execution of a run, which died before its end.

    Nothing goes on with it by itself then: no server that starts, and no worker that takes over.
    A person who has gone on with it since says otherwise.

    Args:
        ledger: Holds the run.
        run: The run.
        though_ended: Its end may be written down: nobody has asked for it anew since then.
    """
    if run.exit is not None and not (though_ended and run.exit in _LEFT):
        return False
    given = [each for each in await ledger.commands(run.id) if each.command.verb is Verb.STOP]
    if not given:
        return False
    acts = await acts_about(ledger, run.id)
    return not any(act.what in _GO_ON and act.at > given[-1].given_at for act in acts)


def has_ended_for(request: Request, run: Run) -> bool:
    """Say whether the last end of a run is that of an execution for a request that may send.

    The stops that a ledger keeps are of that execution: another begins without them.
    """
    if request.kind is RequestKind.PUSH:
        return True  # until it is `ended` nobody resumes it
    is_later = run.ended_at is not None and run.ended_at > request.at
    return request.kind is RequestKind.RESUME and is_later


async def left_to_another(ledger: Ledger, run: RunId) -> str:
    """Say, as a remark, what there is to do about a run that another process executes."""
    paused = is_paused(await ledger.commands(run))
    return remark("error.run_paused" if paused else "error.run_alive", run=run)


@dataclass(frozen=True, slots=True)
class Orders:
    """What a person has made of a run that is under way.

    Attributes:
        hold: What keeps chunks from leaving: a pause, or what the execution has written down
            (`noted_waits`); None without one.
        fixed: The command that set each quantity that is no longer automatic.
        asked: Commands that were not obeyed yet, the oldest first.
    """

    hold: Hold | None = None
    fixed: Mapping[Key, Commanded] = field(default_factory=dict)
    asked: Sequence[Commanded] = ()


def orders_of(commands: Sequence[Commanded]) -> Orders:
    """Say what commands to the present execution come to."""
    paused: Hold | None = None
    fixed: dict[Key, Commanded] = {}
    asked = []
    for given in commands:
        what = given.command
        if given.obeyed_at is None:
            asked.append(given)
        elif what.key is not None:
            fixed.pop(what.key, None)
            if what.value is not None:
                fixed[what.key] = given
        elif what.verb is Verb.PAUSE:
            paused = paused or Hold(HoldCause.CONTROL, since=given.obeyed_at)
        elif what.verb is Verb.CONTINUE:
            paused = None
    return Orders(paused, fixed, asked)
