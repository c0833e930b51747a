"""Since when documents may be lost ones, by the clocks of server and machines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from k3push.runs.proof.server_clock import Began, ServerClock

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
EVENING = ServerClock(datetime(2026, 1, 2, 20), at_s=100.0)  # noqa: DTZ001  # its own zone


@pytest.mark.parametrize(
    ("began", "clock", "when"),
    [
        (Began(NOON, NOON), None, "01-01 00:00"),
        (Began(NOON, NOON + timedelta(days=1)), None, "01-01 00:00"),
        # Somebody has set the clock back since.
        (Began(NOON, NOON - timedelta(days=1)), None, "12-31 00:00"),
        # The server's own clock was read before the call left, or after; or another sent it.
        (Began(NOON, NOON, left_s=160.0), EVENING, "01-02 18:46"),
        (Began(NOON, NOON, left_s=99.0), EVENING, "01-02 18:44"),
        (Began(NOON, NOON), EVENING, "01-01 22:45"),
    ],
)
def test_documents_count_since_a_time_that_no_server_shows_before_the_call(
    began: Began, clock: ServerClock | None, when: str
) -> None:
    """A time that is too late would miss the lost document."""
    assert f"{began.no_later_than(clock):%m-%d %H:%M}" == when
