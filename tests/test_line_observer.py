"""What a server tells of executions."""

from __future__ import annotations

from k3push.core.remark import remark
from k3push.wiring.line_observer import LineObserver
from k3push.words.language import speaker


def test_a_long_wait_is_told_once_with_what_it_is_for() -> None:
    """A ledger that was put back waits for minutes, and nothing else says why nothing goes on."""
    say, told = speaker("en"), list[str]()
    observer = LineObserver(say, lambda key, /, **facts: told.append(say(key, **facts)), print)
    moved = remark("ledger.moved")
    for why, seconds in ((moved, 600.0), (moved, 300.0), (remark("ledger.older"), 5.0)):
        observer.waiting(why, seconds)
    assert told == [f"waiting 600 s: {say.said(moved)}"]
