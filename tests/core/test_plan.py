from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from k3push.core.model import BillNumber, Outcome, Route, RunId, State, Step, Target
from k3push.core.plan import Forecast, Foreseen, PlanHead, PlannedRun, Totals, differences

ROUTE = Route("in", "PO", "IN", rule="R", custom_params={"k": 1})
HEAD = PlanHead(
    created_at=datetime(2026, 11, 25, tzinfo=UTC),
    url="https://erp/",
    acct_id="64f0",
    ledger="ledger.db",
    jobs=(),
    runs=(PlannedRun(RunId("r1"), "s", ROUTE),),
)
THERE = (Target("7", "T7"),)
A = BillNumber("A")


def seen(fate: Forecast, **more: str) -> Foreseen:
    """Return what was foreseen of A."""
    line = Foreseen(2, BillNumber("a"), "in", A, fate, targets=THERE)
    return replace(line, code=more.get("code", ""), reason=more.get("reason", ""))


@pytest.mark.parametrize(
    ("foreseen", "outcome"),
    [
        (seen(Forecast.READY), None),
        (seen(Forecast.PARTLY), None),
        (seen(Forecast.ALREADY), Outcome(A, State.ALREADY, THERE)),
        (
            seen(Forecast.BLOCKED, code="precheck", reason="why"),
            Outcome(A, State.REJECTED, code="precheck", reason="why"),
        ),
        (replace(seen(Forecast.ALREADY), first_line=1), None),
    ],
)
def test_what_is_not_sent_has_its_row_at_once(foreseen: Foreseen, outcome: Outcome | None) -> None:
    """Every number of a job ends with a row, planned or not; a repeat has its first line's."""
    assert foreseen.outcome() == outcome


def test_again_sends_what_is_there_and_not_what_is_blocked() -> None:
    """A person gives a reason for more documents, and none for bills that may not be pushed."""
    assert seen(Forecast.ALREADY).outcome(again=True) is None
    assert seen(Forecast.BLOCKED).outcome(again=True) is not None


def test_only_blocked_numbers_have_reasons_in_the_totals() -> None:
    """A draft that is there has one as well, and it stops nothing."""
    totals = Totals()
    totals.add(seen(Forecast.BLOCKED, reason="closed"))
    totals.add(seen(Forecast.ALREADY, reason="a draft"))
    totals.add(seen(Forecast.PARTLY))
    assert (totals.reasons, totals.to_send) == ({"closed": 1}, 1)


def test_nothing_has_changed() -> None:
    """Other routes may come and go."""
    routes = {"in": ROUTE, "more": replace(ROUTE, name="more")}
    assert list(differences(HEAD, "https://erp/", "64f0", "ledger.db", routes)) == []


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"rule": "S"}, "routes.in.rule: 'R' → 'S'"),
        ({"target": "OUT"}, "routes.in.target: 'IN' → 'OUT'"),
        ({"source_number_field": "F"}, "routes.in.source_number_field: '' → 'F'"),
        ({"allow_partial": True}, "routes.in.allow_partial: False → True"),
        ({"send_blocked": True}, "routes.in.blocked: 'skip' → 'send'"),
        ({"follow": (Step.SUBMIT,)}, "routes.in.follow: [] → ['submit']"),
        ({"custom_params": {"k": 2}}, "routes.in.custom_params: {'k': 1} → {'k': 2}"),
    ],
)
def test_a_change_of_a_route_is_named(changed: dict[str, object], named: str) -> None:
    """Whoever has planned sees what somebody else has changed, and can put it back."""
    route = replace(ROUTE, **changed)  # type: ignore[arg-type]  # names of its own fields
    assert list(differences(HEAD, "https://erp/", "64f0", "ledger.db", {"in": route})) == [named]


def test_a_change_of_place_is_named() -> None:
    """Another account has other bills under the same numbers."""
    assert list(differences(HEAD, "https://test/", "test", "b.db", {})) == [
        "erp.url: 'https://erp/' → 'https://test/'",
        "erp.acct_id: '64f0' → 'test'",
        "ledger.url: 'ledger.db' → 'b.db'",
        "routes.in: 'IN' → None",
    ]
