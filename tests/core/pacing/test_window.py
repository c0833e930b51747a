from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.pacing.window import Window, WindowError
from tests.said import english, refused

NIGHT = Window.parse("20:00-06:00")
DAY = Window.parse("09:30-17:00")


def at(text: str) -> datetime:
    """Return a time of some day."""
    return datetime.combine(datetime(2026, 11, 25, tzinfo=UTC), time.fromisoformat(text), UTC)


@pytest.mark.parametrize(
    ("window", "inside", "outside"),
    [
        (NIGHT, ["20:00", "23:59:59", "00:00", "05:59:59"], ["06:00", "12:00", "19:59:59"]),
        (DAY, ["09:30", "16:59:59"], ["09:29:59", "17:00", "00:00"]),
        (Window.parse("20:00-24:00"), ["20:00", "23:59"], ["00:00", "19:59"]),
        (Window.parse(" 8:00 - 9:00 "), ["08:00"], ["09:00"]),
    ],
)
def test_a_window_begins_at_its_first_minute_and_ends_before_its_last(
    window: Window, inside: list[str], outside: list[str]
) -> None:
    """Whoever works in the ERP from six on must not meet a call of ours at six."""
    assert [window.holds(at(text)) for text in inside] == [True] * len(inside)
    assert [window.holds(at(text)) for text in outside] == [False] * len(outside)


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        *((text, "use two times") for text in ("20:00", "20-6", "20:00-", "20:00–06:00", "night")),
        *((text, "use times from") for text in ("20:00-24:01", "25:00-06:00", "24:00-06:00")),
        ("06:00-06:00", 'use ""'),
        ("00:00-24:00", 'use ""'),
    ],
)
def test_what_is_no_window_is_said_with_the_cure(text: str, cure: str) -> None:
    """A window that is passed over lets a run into the working day."""
    with refused(WindowError, cure) as raised:
        Window.parse(text)
    assert repr(text) in english(raised.value)


@given(st.times(), st.times(), st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)))  # noqa: DTZ001
def test_the_next_edge_is_where_inside_and_outside_change(
    begins: time, ends: time, now: datetime
) -> None:
    """A run that waits for it must not wake too late."""
    if begins == ends:
        return
    window = Window(begins, ends)
    edge = window.next_edge(now)
    assert now < edge <= now + timedelta(days=1)
    assert window.holds(edge) != window.holds(now)
    assert window.holds(edge - timedelta(microseconds=1)) == window.holds(now)
