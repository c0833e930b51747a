"""How an execution ended: its exit code, and the object that scripts read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from k3push.core.halting import Breach
from k3push.core.model import Repeat, Run, State
from k3push.core.pace import Step
from k3push.job import Cause
from k3push.ports import Ledger


class Exit(IntEnum):
    """Exit codes, a promise to scripts (README, "Exit codes")."""

    DONE = 0
    """Every number is `pushed` or `already`."""

    DEFECT = 1
    """A defect of k3push."""

    USAGE = 2
    """Bad arguments, settings or job file; nothing was sent."""

    SOME_REJECTED = 3
    """Finished; some numbers are `rejected` or `draft`."""

    SOME_UNKNOWN = 4
    """Some numbers are `unknown`."""

    STOPPED = 5
    """Stopped before the end; some numbers are `planned`."""

    UNREACHABLE = 6
    """The ERP could not be reached, or refused the login."""


_OF_CAUSE = {Cause.UNREACHABLE: Exit.UNREACHABLE, Cause.LOGIN_REFUSED: Exit.UNREACHABLE}

# A person has to know of these, whatever the rows say.
_GRAVE = frozenset({Cause.LEDGER_LOST, Cause.CONTRADICTION})


def exit_of(counts: Mapping[State, int], causes: Collection[Cause]) -> Exit:
    """Return the highest of 6, 4, 5 and 3 that applies, in that order, else 0.

    A stop that came while the last numbers were on their way has stopped nothing.

    >>> exit_of({State.PUSHED: 9}, (Cause.INTERRUPTED,)).name
    'DONE'
    >>> exit_of({State.PUSHED: 9, State.REJECTED: 1}, ()).name
    'SOME_REJECTED'
    >>> exit_of({State.PLANNED: 9, State.UNKNOWN: 1}, (Cause.INTERRUPTED,)).name
    'SOME_UNKNOWN'
    """
    if any(cause in _OF_CAUSE for cause in causes):
        return Exit.UNREACHABLE
    # A number that is still `sent` was left by a second Ctrl-C: the ERP may have acted.
    if counts.get(State.UNKNOWN) or counts.get(State.SENT):
        return Exit.SOME_UNKNOWN
    if counts.get(State.PLANNED) or _GRAVE.intersection(causes):
        return Exit.STOPPED
    if counts.get(State.REJECTED) or counts.get(State.DRAFT):
        return Exit.SOME_REJECTED
    return Exit.DONE


@dataclass(frozen=True, slots=True)
class Ending:
    """How one execution of a run ended.

    Attributes:
        run: The run.
        exit: Its exit code.
        seconds: How long this execution took.
        counts: Rows of the run by state.
        pushes: Sendings of the run so far.
        logins: Logins of this execution.
        targets: Documents that the rows name, each once.
        causes: Why it stopped before its end, in words.
        breach: The limit of the halt rule that stopped it, or None.
        doubted: Numbers whose answer was lost in this execution, settled since or not.
        pace: Steps of the automatic pace, in seconds from the beginning.
        repeats: Lines that named a number again.
        unverified: The ERP's certificate was not checked.
    """

    run: Run
    exit: Exit
    seconds: float
    counts: Mapping[State, int]
    pushes: int
    logins: int
    targets: int
    causes: Mapping[Cause, str]
    breach: Breach | None = None
    doubted: int = 0
    pace: Sequence[Step] = ()
    repeats: Sequence[Repeat] = ()
    unverified: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "run": self.run.id,
            "route": self.run.route.name,
            "exit": int(self.exit),
            "seconds": round(self.seconds, 2),
            "counts": {state.value: self.counts[state] for state in State if state in self.counts},
            "pushes": self.pushes,
            "logins": self.logins,
            "targets": self.targets,
        }


async def ending_of(
    ledger: Ledger, run: Run, causes: Mapping[Cause, str], *, unverified: bool
) -> Ending:
    """Say how a run stands, after an execution or without one.

    Args:
        ledger: Holds the run.
        run: The run.
        causes: Why its last execution stopped before its end.
        unverified: The ERP's certificate is not checked.
    """
    counts = await ledger.counts(run.id)
    return Ending(
        run=run,
        exit=exit_of(counts, causes),
        seconds=0.0,
        counts=counts,
        pushes=await ledger.attempt_count(run.id),
        logins=0,
        targets=await ledger.target_count(run.id),
        causes=causes,
        repeats=await ledger.repeats(run.id),
        unverified=unverified,
    )
