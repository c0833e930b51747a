"""Commands to a run that is under way: left in the ledger by one process, obeyed by another.

The ledger carries them, since it is what all processes share on every system. A command is
obeyed once, in the order in which commands were given, and that is written down.
"""

from __future__ import annotations

import anyio

from k3push.core.commands import Command, Verb
from k3push.core.model import RunId
from k3push.job import Cause, Job, stopping
from k3push.ports import Clock, Commanded, Ledger

# A person waits for the answer, and a read of the ledger costs next to nothing.
LOOK_EVERY_S = 1.0
ANSWER_LOOK_S = 0.1


async def obey(job: Job) -> None:
    """Obey the commands for the job's run as they come, until cancelled."""
    with stopping(job.stop):
        while True:
            for given in await job.ledger.commands(job.run.id):
                if given.obeyed_at is None:
                    await _obey(job, given)
            await anyio.sleep(LOOK_EVERY_S)


async def _obey(job: Job, given: Commanded) -> None:
    command, steering = given.command, job.steering
    match command.verb:
        case Verb.PAUSE:
            steering.pause()
        case Verb.CONTINUE:
            steering.go_on()
        case Verb.STOP:
            job.stop.ask(Cause.CONTROL, f"k3push control {job.run.id} stop")
        case Verb.SET if command.key is not None:
            steering.fix(command.key, command.value)
    # A stop may end this task, and the one who gave it waits for the answer.
    with anyio.CancelScope(shield=True):
        await job.ledger.obeyed(given.id, at=job.clock.now(), on_their_way=job.on_their_way)


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
