"""How long a run waits for its window, in the nights in which the clocks change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from k3push.config.tenants import Tenant
from k3push.core.model import RunId
from k3push.fleet.execution_terms import Terms, terms_of
from k3push.fleet.followup import Later
from k3push.fleet.queue import Queue, Slot

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows sets no zone"),
]


@pytest.fixture(params=["Europe/Berlin", ""])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the zone of a schedule; the host's where it names none."""
    monkeypatch.setenv("TZ", "Asia/Shanghai" if request.param else "Europe/Berlin")
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


async def at(moment: str, window: str, zone: str) -> Terms | Later:
    """Say how a run goes that is looked at then."""

    async def now() -> datetime:
        return datetime.fromisoformat(moment).astimezone(UTC)

    run = RunId("20261125-200000-abc")
    slot = Slot("acme", run, "one", window, zone, waits=0, only_settle=False, asked_by="")
    tenant = SimpleNamespace(settings=None)
    return await terms_of(cast("Tenant", tenant), slot, cast("Queue", SimpleNamespace(now=now)))


@pytest.mark.parametrize(
    ("moment", "window", "hours"),
    [
        # It was looked at when its window was over, and waited for the next day.
        ("2026-03-28T07:00+01:00", "06:00-07:00", 22),
        ("2026-10-24T07:00+02:00", "06:00-07:00", 24),
        ("2026-03-28T12:00+01:00", "23:00-06:00", 11),
    ],
)
async def test_a_run_waits_until_its_window_begins_by_the_clock_on_the_wall(
    moment: str, window: str, hours: float, zone: str
) -> None:
    """An hour is passed over, or comes twice, while it waits."""
    assert await at(moment, window, zone) == Later(hours * 3600.0)


@pytest.mark.parametrize(
    ("moment", "window", "hours"),
    [
        ("2026-03-28T23:00+01:00", "22:00-06:00", 6),
        ("2026-10-24T23:00+02:00", "22:00-06:00", 8),
        # The second of two times that are called 02:10.
        ("2026-10-25T02:10+01:00", "22:00-02:40", 0.5),
    ],
)
async def test_an_execution_goes_on_until_its_window_ends_by_the_clock_on_the_wall(
    moment: str, window: str, hours: float, zone: str
) -> None:
    """It does not end an hour early, nor hold a worker's place for an hour."""
    terms = await at(moment, window, zone)
    assert isinstance(terms, Terms)
    assert terms.seconds == hours * 3600
