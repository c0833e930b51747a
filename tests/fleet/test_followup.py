from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from k3push.core.model import Follow, Route, Run, RunId, State
from k3push.core.remark import remark
from k3push.fleet.followup import (
    MOST_LOOKS_AT_FLOWS,
    MOST_WAITS_FOR_RUNS,
    Done,
    ForPerson,
    Later,
    Next,
    next_of,
)
from k3push.runs.outcome import Ending, Exit, Followed
from k3push.runs.stop import Cause

RUN = Run(
    id=RunId("20261125-200000-abc"),
    scope="64f0|PUR_PurchaseOrder|rule",
    route=Route("in", "PUR_PurchaseOrder", "STK_InStock", rule="rule"),
    jobs=("orders.csv",),
    folder="results",
    started_at=datetime(2026, 11, 25, 20, tzinfo=UTC),
)


def ended(exit_code: Exit, *causes: Cause) -> Ending:
    """Return an ending."""
    return Ending(RUN, exit_code, 1.0, {}, 0, 0, 0, dict.fromkeys(causes, "why"))


def doubting(*causes: Cause) -> Ending:
    """Return an ending that leaves numbers in doubt."""
    return replace(ended(Exit.UNREACHABLE, *causes), counts={State.UNKNOWN: 8})


@pytest.mark.parametrize(
    ("ending", "what"),
    [
        (ended(Exit.DONE), Done()),
        (ended(Exit.SOME_REJECTED), Done()),
        # The last numbers were on their way already.
        (ended(Exit.DONE, Cause.INTERRUPTED), Done()),
        (ended(Exit.DONE, Cause.CONTROL), Done()),
        (ended(Exit.STOPPED, Cause.INTERRUPTED), Later()),
        (ended(Exit.SOME_UNKNOWN, Cause.INTERRUPTED), Later()),
        # The window is over; the next look finds out when it begins.
        (ended(Exit.STOPPED, Cause.DEADLINE), Later()),
        (ended(Exit.UNREACHABLE, Cause.UNREACHABLE), Later(60.0, vain=True)),
        (ended(Exit.STOPPED, Cause.LEDGER_LOST), Later(5.0, vain=True)),
        (ended(Exit.STOPPED, Cause.CONTROL), ForPerson()),
        (ended(Exit.STOPPED, Cause.HALTED), ForPerson()),
        (ended(Exit.STOPPED, Cause.CONTRADICTION), ForPerson()),
        (ended(Exit.STOPPED, Cause.LOOK_REFUSED), ForPerson()),
        (ended(Exit.STOPPED, Cause.BARRED, Cause.PERSON), ForPerson()),
        (ended(Exit.STOPPED, Cause.FOLLOW), ForPerson()),
        # What is in doubt is settled, though nothing more is sent.
        (ended(Exit.SOME_UNKNOWN, Cause.HALTED), Later(only_settle=True)),
        (ended(Exit.SOME_UNKNOWN, Cause.CONTROL, Cause.INTERRUPTED), Later(only_settle=True)),
        # The ERP was away beside: what is in doubt is asked for once it is back.
        (doubting(Cause.CONTROL, Cause.LOOK_FAILED), Later(60.0, vain=True, only_settle=True)),
        (doubting(Cause.HALTED, Cause.UNREACHABLE), Later(60.0, vain=True, only_settle=True)),
        (ended(Exit.UNREACHABLE, Cause.CONTROL, Cause.UNREACHABLE), ForPerson()),
        # No look can settle these.
        (ended(Exit.SOME_UNKNOWN), ForPerson()),
        (ended(Exit.UNREACHABLE, Cause.LOGIN_REFUSED), ForPerson(holds_tenant=True)),
        (
            ended(Exit.UNREACHABLE, Cause.UNREACHABLE, Cause.LOGIN_REFUSED),
            ForPerson(holds_tenant=True),
        ),
    ],
)
def test_what_follows_from_an_ending(ending: Ending, what: Next) -> None:
    """Nobody watches a fleet at night, and five wrong logins lock an account (P 2.4)."""
    assert next_of(ending, 0) == what


def test_documents_in_flows_are_looked_at_again_until_nobody_can_mean_it_any_more() -> None:
    """Somebody processes them tomorrow, and nobody watches; after four days somebody forgot."""
    waits = replace(ended(Exit.SOME_REJECTED), followed=Followed({Follow.WAITING: 1}))
    assert next_of(waits, 0) == Later(60.0, vain=True)
    assert next_of(waits, MOST_LOOKS_AT_FLOWS) == Done()
    assert next_of(waits, 0, only_settle=True) == Done()


def test_a_run_that_another_one_bars_is_taken_up_again_until_it_is_a_persons() -> None:
    """The other's worker has died, and another worker settles it after its window."""
    barred = ended(Exit.STOPPED, Cause.BARRED)
    assert next_of(barred, 1) == Later(120.0, vain=True)
    assert next_of(barred, MOST_WAITS_FOR_RUNS) == ForPerson()
    assert next_of(barred, 0, only_settle=True) == ForPerson()


def test_an_erp_that_stays_away_is_asked_ever_more_seldom() -> None:
    """It is down for the night, perhaps, and a hundred tenants ask."""
    ending = ended(Exit.UNREACHABLE, Cause.UNREACHABLE)
    waits = [next_of(ending, vain) for vain in (0, 1, 2, 30)]
    assert waits == [Later(seconds, vain=True) for seconds in (60.0, 120.0, 240.0, 1800.0)]


def test_settling_alone_never_turns_into_sending() -> None:
    """A person has stopped the run."""
    lost = ended(Exit.UNREACHABLE, Cause.UNREACHABLE)
    assert next_of(lost, 0, only_settle=True) == Later(60.0, vain=True, only_settle=True)
    drained = ended(Exit.SOME_UNKNOWN, Cause.INTERRUPTED)
    assert next_of(drained, 0, only_settle=True) == Later(only_settle=True)
    assert next_of(ended(Exit.STOPPED), 0, only_settle=True) == ForPerson()
    assert next_of(ended(Exit.SOME_REJECTED), 0, only_settle=True) == Done()


@pytest.mark.parametrize("cause", [Cause.CONTROL, Cause.CONTRADICTION, Cause.TWINS, Cause.HALTED])
def test_what_is_stopped_stays_so_where_a_session_was_lost_beside_it(cause: Cause) -> None:
    """Whoever takes sessions is just why a person stops a run."""
    lost = {cause: "why", Cause.LOGIN_REFUSED: remark("answer.session_useless")}
    assert isinstance(next_of(replace(ended(Exit.UNREACHABLE), causes=lost), waits=0), ForPerson)
    for away in (Cause.UNREACHABLE, Cause.LEDGER_LOST):
        assert isinstance(next_of(ended(Exit.UNREACHABLE, cause, away), waits=0), ForPerson)


def test_runs_that_end_each_others_sessions_are_tried_again_apart() -> None:
    """They are of one user, and ended at one moment: together again, they end as before."""
    lost = {Cause.LOGIN_REFUSED: remark("answer.session_useless")}
    ending = replace(ended(Exit.UNREACHABLE), causes=lost)
    runs = [replace(RUN, id=RunId(f"20261125-200000-ab{letter}")) for letter in "cdefghjk"]
    tried = [next_of(replace(ending, run=run), waits=0) for run in runs]
    seconds = sorted(each.seconds for each in tried if isinstance(each, Later))
    assert len(seconds) == len(runs)
    assert all(60.0 <= each < 120.0 for each in seconds)
    assert min(after - before for before, after in pairwise(seconds)) > 1
