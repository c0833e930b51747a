"""What the fleet does with a run after an execution of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from zlib import crc32

from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.runs.outcome import Ending, Exit, numbers_in_doubt
from k3push.runs.stop import Cause, is_session_lost, told_as

FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 30 * 60.0

# Flows end within days, or somebody has forgotten them; half an hour apart, these are four days.
MOST_LOOKS_AT_FLOWS = 200

# Another run, whose worker has died, is taken over within a minute and settled after its window;
# waited for so often, in growing steps, that is half an hour. After that it is a person's.
MOST_WAITS_FOR_RUNS = 5

# Another program that logs in as the same user may be done soon; or the user lacks a right.
MOST_WAITS_FOR_SESSIONS = 5

# The database comes back within seconds or is not there for hours.
LEDGER_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Done:
    """The run has come to its end."""


@dataclass(frozen=True, slots=True)
class ForPerson:
    """Nothing goes on until a person says so.

    Attributes:
        holds_tenant: No other run of the tenant begins either.
    """

    holds_tenant: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """It is taken up again.

    Attributes:
        seconds: Not before they have passed.
        vain: Nothing came of the execution, or documents wait in flows, so the next wait is longer.
        only_settle: What is in doubt is settled, and nothing is sent.
    """

    seconds: float = 0.0
    vain: bool = False
    only_settle: bool = False


Next = Done | ForPerson | Later

_OF_PEOPLE = frozenset(
    {
        Cause.CONTROL,
        Cause.HALTED,
        Cause.BARRED,
        Cause.CONTRADICTION,
        Cause.TWINS,
        Cause.UNPROVED,
        Cause.PERSON,
        Cause.FOLLOW,
        Cause.LOOK_REFUSED,
    }
)
_OF_STOPS = frozenset({Cause.CONTROL, Cause.HALTED, Cause.CONTRADICTION, Cause.TWINS})
_VAIN = frozenset({Cause.UNREACHABLE, Cause.STOOD_STILL, Cause.LOOK_FAILED, Cause.LEDGER_LOST})


def next_try_in_s(waits: int, first_s: float = FIRST_WAIT_S) -> float:
    """Return how long to wait after so many vain executions before this one.

    >>> [next_try_in_s(waits) for waits in (0, 1, 4, 5, 99)]
    [60.0, 120.0, 960.0, 1800.0, 1800.0]
    """
    return min(first_s * 2.0 ** min(waits, 10), LONGEST_WAIT_S)


def next_of(ending: Ending, waits: int, *, only_settle: bool = False) -> Next:
    """Say what follows an ending.

    Args:
        ending: How the execution ended.
        waits: Vain executions in a row before it.
        only_settle: It was not to send anything.
    """
    causes = ending.causes
    is_lost = is_session_lost(causes.get(Cause.LOGIN_REFUSED, ""))
    stopped = _OF_PEOPLE.intersection(causes)
    # What a person, or a rule, has stopped is not begun anew for that.
    halts = bool(_OF_STOPS.intersection(causes))
    may_pass = is_lost and waits < MOST_WAITS_FOR_SESSIONS and not halts
    if Cause.LOGIN_REFUSED in causes and not may_pass and not (is_lost and halts):
        # Each run of the tenant would try once, and five wrong logins lock the account (P 2.4).
        return ForPerson(holds_tenant=True)
    barred = causes.keys() == {Cause.BARRED} and not only_settle and waits < MOST_WAITS_FOR_RUNS
    is_vain = not causes.keys().isdisjoint(_VAIN)
    # A stop holds, and what is in doubt is asked for once the ERP is back.
    settles = halts and numbers_in_doubt(ending.counts) > 0 and not only_settle
    if may_pass or barred or (is_vain and (settles or not halts)):
        first_s = LEDGER_WAIT_S if causes.keys() & _VAIN == {Cause.LEDGER_LOST} else FIRST_WAIT_S
        if may_pass:
            first_s *= 1 + _share_of(ending.run.id)
        return Later(next_try_in_s(waits, first_s), vain=True, only_settle=only_settle or settles)
    if ending.exit in {Exit.DONE, Exit.SOME_REJECTED}:
        looks = ending.followed.waiting and waits < MOST_LOOKS_AT_FLOWS and not only_settle
        return Later(next_try_in_s(waits), vain=True) if looks else Done()
    if stopped and ending.exit is Exit.SOME_UNKNOWN and not only_settle:
        return Later(only_settle=True)
    if causes and not stopped:
        return Later(only_settle=only_settle)
    return ForPerson()


def _share_of(run: RunId) -> float:
    """Return a part of 1 that is a run's own.

    Runs of one user that end each other's sessions would do so again, tried again at one moment.
    """
    return crc32(run.encode()) / 2**32


def remark_on_causes(causes: Mapping[Cause, str]) -> str:
    """Put causes into a remark that is kept; "" if there is none."""
    said = [remark(f"cause.{told_as(cause, why)}", why=why) for cause, why in causes.items()]
    return reduce(lambda first, more: remark("note.also", first=first, more=more), said or [""])
