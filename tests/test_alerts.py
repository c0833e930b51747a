"""Each alert with data: what it rings for, what it does not, and how long that must have been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from k3push.reporting.metrics import (
    ALIVE,
    ANSWERED,
    EXIT,
    FLEET_ASIDE,
    FLEET_FOR_PERSON,
    FLEET_OLDEST_DUE,
    FLEET_OLDEST_SHORT,
    FLEET_OVERDUE,
    FLEET_PAUSED,
    FLEET_UNARCHIVED,
    FLEET_WORKERS,
    HELD,
    HELP,
    LEDGER_UP,
    NUMBERS,
    OLDEST,
    STARTED,
    UNKNOWN,
)
from tests.promql import Labels, Scrape, ringing, seconds
from tests.test_deployment import names_in, rules

MINUTE_S = 60.0
HOUR_S = 3600.0
NOW_S = 1_800_000_000.0
LONG_S = 3 * HOUR_S

Figures = Mapping[str, float]


@dataclass(frozen=True)
class Case:
    """When an alert rings.

    Attributes:
        rings: Figures that make it ring, each alone.
        rests: Figures at which it does not.
    """

    rings: tuple[Figures, ...]
    rests: tuple[Figures, ...]


CASES = {
    "K3pushNumbersInDoubt": Case(
        ({OLDEST: NOW_S - 31 * MINUTE_S},), ({OLDEST: NOW_S - 29 * MINUTE_S}, {UNKNOWN: 0})
    ),
    "K3pushStoppedBeforeTheEnd": Case(
        ({EXIT: 5, ALIVE: 0},), ({EXIT: 0, ALIVE: 0}, {EXIT: 5, ALIVE: 1}, {EXIT: 6, ALIVE: 0})
    ),
    "K3pushErpNotReached": Case(
        ({EXIT: 6, ALIVE: 0},), ({EXIT: 0, ALIVE: 0}, {EXIT: 6, ALIVE: 1}, {EXIT: 5, ALIVE: 0})
    ),
    "K3pushRunLeftBehind": Case(({ALIVE: 0},), ({ALIVE: 1}, {ALIVE: 0, EXIT: 0})),
    "K3pushRunStandsStill": Case(
        ({ALIVE: 1}, {ALIVE: 1, HELD: 0, ANSWERED: NOW_S - 21 * MINUTE_S}),
        (
            {ALIVE: 1, ANSWERED: NOW_S - 10 * MINUTE_S},
            {ALIVE: 1, HELD: 1, ANSWERED: NOW_S - HOUR_S},
            {ALIVE: 0},
        ),
    ),
    "K3pushNoRun": Case(({STARTED: NOW_S - 27 * HOUR_S},), ({STARTED: NOW_S - 25 * HOUR_S},)),
    "K3pushLedgerLost": Case(({LEDGER_UP: 0},), ({LEDGER_UP: 1},)),
    "K3pushNoWorker": Case(({FLEET_WORKERS: 0},), ({FLEET_WORKERS: 1},)),
    "K3pushFleetWaits": Case(
        ({FLEET_OLDEST_DUE: NOW_S - 36 * MINUTE_S},),
        ({FLEET_OLDEST_DUE: NOW_S - 29 * MINUTE_S}, {FLEET_WORKERS: 1}),
    ),
    "K3pushShortRunsWait": Case(
        ({FLEET_OLDEST_SHORT: NOW_S - 16 * MINUTE_S},),
        ({FLEET_OLDEST_SHORT: NOW_S - 9 * MINUTE_S}, {FLEET_WORKERS: 1}),
    ),
    "K3pushSchedulesOverdue": Case(({FLEET_OVERDUE: 1},), ({FLEET_OVERDUE: 0},)),
    "K3pushTenantsPaused": Case(({FLEET_PAUSED: 1},), ({FLEET_PAUSED: 0},)),
    "K3pushRunsForPerson": Case(({FLEET_FOR_PERSON: 1},), ({FLEET_FOR_PERSON: 0},)),
    "K3pushFilesAside": Case(({FLEET_ASIDE: 1},), ({FLEET_ASIDE: 0},)),
    "K3pushRunsNotArchived": Case(({FLEET_UNARCHIVED: 1},), ({FLEET_UNARCHIVED: 0},)),
}

WITHOUT_ALERT = {NUMBERS, UNKNOWN}
"""What other figures tell of as well: the age of doubts rings, not how many there are."""


def scraped(*spans: tuple[float, Mapping[str, Figures]]) -> list[Scrape]:
    """Return a scrape for each minute; each span begins so long ago and has figures by tenant."""
    found = []
    for (since_s, by_tenant), (until_s, _) in pairwise([*spans, (-MINUTE_S, {})]):
        values = {
            (name, _of(tenant)): value
            for tenant, figures in by_tenant.items()
            for name, value in figures.items()
        }
        ago_s = since_s
        while ago_s > until_s:
            found.append(Scrape(NOW_S - ago_s, values))
            ago_s -= MINUTE_S
    return found


def _of(tenant: str) -> Labels:
    return frozenset({("tenant", tenant), ("route", "in")})


def of_each(kind: str) -> Sequence[Any]:
    """Return each alert with each of its figures."""
    return [
        pytest.param(rule, figures, id=f"{rule['alert']}-{nth}")
        for rule in rules()
        for nth, figures in enumerate(getattr(CASES[rule["alert"]], kind))
    ]


def test_every_figure_that_asks_for_somebody_has_an_alert_and_every_alert_has_data() -> None:
    """A figure that nobody looks at at night is there for nothing."""
    assert [rule["alert"] for rule in rules()] == list(CASES)
    asked = set().union(*(names_in(rule["expr"]) for rule in rules()))
    assert asked == set(HELP) - WITHOUT_ALERT


@pytest.mark.parametrize(("rule", "figures"), of_each("rings"))
def test_an_alert_rings_for_the_tenant_that_it_is_about(
    rule: dict[str, Any], figures: Figures
) -> None:
    """It names the one, and is silent about the other."""
    (rest, *_) = CASES[rule["alert"]].rests
    assert ringing(rule, scraped((LONG_S, {"acme": figures, "bexo": rest}))) == {_of("acme")}


@pytest.mark.parametrize(("rule", "figures"), of_each("rests"))
def test_an_alert_is_silent_where_nothing_is_wrong(rule: dict[str, Any], figures: Figures) -> None:
    """Who is woken for nothing sleeps through the next one."""
    assert ringing(rule, scraped((LONG_S, {"acme": figures}))) == set()


@pytest.mark.parametrize(
    "rule", [rule for rule in rules() if "for" in rule], ids=lambda rule: rule["alert"]
)
def test_what_passes_by_itself_rings_no_alert(rule: dict[str, Any]) -> None:
    """A restart, or a run that ends late, is over before anybody could have come."""
    case = CASES[rule["alert"]]
    short_s = seconds(rule["for"]) - MINUTE_S
    history = scraped((LONG_S, {"acme": case.rests[0]}), (short_s, {"acme": case.rings[0]}))
    assert ringing(rule, history) == set()


def test_a_run_that_was_paused_has_its_time_from_then_on() -> None:
    """Who lets a run go on is not rung for at once, for the hours in which it was paused."""
    (rule,) = (each for each in rules() if each["alert"] == "K3pushRunStandsStill")
    old = {ALIVE: 1.0, ANSWERED: NOW_S - LONG_S}
    for ago_s, expected in ((10 * MINUTE_S, set()), (21 * MINUTE_S, {_of("acme")})):
        history = scraped((LONG_S, {"acme": {**old, HELD: 1}}), (ago_s, {"acme": {**old, HELD: 0}}))
        assert ringing(rule, history) == expected
