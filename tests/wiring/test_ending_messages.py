from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from k3push.core.model import Follow, Route, Run, RunId, State
from k3push.runs.outcome import Ending, Exit, Followed
from k3push.runs.stop import Cause
from k3push.wiring.ending_messages import events_of, message
from k3push.words.language import speaker

RUN = Run(
    id=RunId("20261125-200000-abc"),
    scope="64f0|PUR_PurchaseOrder|rule",
    route=Route("in", "PUR_PurchaseOrder", "STK_InStock", rule="rule"),
    jobs=("orders.csv",),
    folder="results",
    started_at=datetime(2026, 11, 25, 20, tzinfo=UTC),
)
IN_FLOW = Followed({Follow.UNKNOWN: 1})


@pytest.mark.parametrize(
    ("exit_code", "cause", "counts", "followed", "events"),
    [
        (Exit.DONE, None, {State.PUSHED: 9}, Followed(), {"finish"}),
        (Exit.SOME_UNKNOWN, None, {State.UNKNOWN: 1}, Followed(), {"finish", "unknown"}),
        (Exit.SOME_UNKNOWN, None, {State.PUSHED: 1}, IN_FLOW, {"finish", "unknown"}),
        # A second Ctrl-C leaves numbers `sent`, of which the ERP may have made documents.
        (Exit.SOME_UNKNOWN, Cause.INTERRUPTED, {State.SENT: 1}, Followed(), {"unknown"}),
        (Exit.STOPPED, Cause.INTERRUPTED, {State.PLANNED: 1}, Followed(), set()),
        (Exit.STOPPED, Cause.HALTED, {State.PLANNED: 1}, Followed(), {"halt"}),
        (Exit.UNREACHABLE, Cause.LOGIN_REFUSED, {State.PLANNED: 1}, Followed(), {"login"}),
    ],
)
def test_people_are_told_of_what_an_ending_is(
    exit_code: Exit,
    cause: Cause | None,
    counts: dict[State, int],
    followed: Followed,
    events: set[str],
) -> None:
    """`notify.on` names the kinds of endings that somebody wants to hear of."""
    causes = {cause: "why"} if cause else {}
    ending = Ending(RUN, exit_code, 1.0, counts, 0, 0, 0, causes, followed=followed)
    assert events_of(ending) == events


def test_people_are_told_of_bills_with_a_document_too_many_or_a_part_too_few() -> None:
    """Whoever reads the message alone would not look for them."""
    counts = {State.PUSHED: 9}
    ending = Ending(RUN, Exit.SOME_REJECTED, 1.0, counts, 0, 0, 0, {}, twins=2, partly=1)
    _, lines = message(ending, speaker("en"))
    assert "a document too many, perhaps: 2 numbers" in lines
    assert "made in part: 1 number" in lines
    _, lines = message(replace(ending, twins=0, partly=0), speaker("en"))
    assert len(lines.splitlines()) == 3
