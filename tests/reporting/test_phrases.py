"""What all outputs say alike."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from k3push.core.pacing.holds import outside
from k3push.core.pacing.window import Window
from k3push.reporting.phrases import hold_words
from k3push.words.language import Say


def test_a_window_is_told_by_the_clock_on_the_wall_though_it_changes_before() -> None:
    """An hour is won or lost in the night, and the window opens when its settings say."""
    summer = timezone(timedelta(hours=5))
    hold = outside(Window.parse("11:00-12:00"), datetime(2026, 10, 24, 12, 0, tzinfo=summer))
    assert hold is not None
    assert hold_words(hold, Say("en")) == "outside the window until 11:00"
