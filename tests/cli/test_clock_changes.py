"""Times of day that are typed before a change of the clock, and count after it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from k3push.cli.arguments import parse_since, parse_until
from k3push.words.language import Say

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows changes no zone by a variable")


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock goes back on 25 October 2026, and forward on 29 March."""
    with monkeypatch.context() as zone:
        zone.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def at(moment: str) -> datetime:
    """Return a moment as the commands read the clock: with the offset of now."""
    return datetime.fromisoformat(moment).astimezone()


@pytest.mark.parametrize(
    ("evening", "ends"),
    [
        ("2026-10-24T22:00+02:00", "2026-10-25T06:00:00+01:00"),
        ("2026-03-28T22:00+01:00", "2026-03-29T06:00:00+02:00"),
        ("2026-11-25T22:00+01:00", "2026-11-26T06:00:00+01:00"),
        ("2026-10-25T05:00+01:00", "2026-10-25T06:00:00+01:00"),
    ],
)
def test_a_deadline_is_what_the_clock_will_show(evening: str, ends: str) -> None:
    """`--until 06:00` ended at 05:00 by the clock, or at 07:00."""
    assert parse_until("06:00", at(evening), Say("en")).isoformat() == ends


@pytest.mark.parametrize(
    ("now", "text", "ends"),
    [
        ("2026-10-25T01:30+02:00", "02:45", "2026-10-25T02:45:00+02:00"),
        ("2026-10-25T02:50+02:00", "02:45", "2026-10-25T02:45:00+01:00"),
        ("2026-10-25T02:30+01:00", "02:45", "2026-10-25T02:45:00+01:00"),
        ("2026-10-25T02:30+01:00", "02:30", "2026-10-26T02:30:00+01:00"),
        ("2026-03-29T00:30+01:00", "02:30", "2026-03-29T03:30:00+02:00"),
        ("2026-03-29T01:45+01:00", "02:30", "2026-03-29T03:30:00+02:00"),
        ("2026-03-29T03:30+02:00", "02:30", "2026-03-30T02:30:00+02:00"),
    ],
)
def test_a_deadline_within_a_change_of_the_clock_is_of_that_night(
    now: str, text: str, ends: str
) -> None:
    """A time that comes twice, or never, was taken for the next day's, and the run sent on."""
    assert parse_until(text, at(now), Say("en")).isoformat() == ends


def test_a_day_begins_at_its_own_midnight() -> None:
    """What was made in the first hour of a summer's day was passed over in winter."""
    found = parse_since("2026-10-01", at("2026-11-25T22:00+01:00"), Say("en"))
    assert found.isoformat() == "2026-10-01T00:00:00+02:00"
