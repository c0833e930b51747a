"""Plan rejected numbers of a run again, as `retry` does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from itertools import groupby

from k3push.core.model import Outcome, Row, Run, State
from k3push.core.remark import read_remark, remark
from k3push.ports import Clock, Ledger
from k3push.runs.kept_in_ledger.row_pages import pages_of
from k3push.words.language import in_files

RETRIED_EARLIER = "note.retry"
"""Key of what earlier versions noted of a number that `retry` has planned again."""


def saying(reason: str) -> Callable[[Row], bool]:
    """Return what takes rows whose reason holds *reason* in any language, or whose code it is."""
    return lambda row: reason in in_files(row.reason) or reason == row.code


async def plan_rejected(
    ledger: Ledger, clock: Clock, run: Run, takes: Callable[[Row], bool]
) -> set[int]:
    """Plan the rejected numbers of a run again that it *takes*.

    Returns:
        The places of their rows.
    """
    places = set[int]()
    async with aclosing(pages_of(ledger, run, {State.REJECTED})) as pages:
        async for rows in pages:
            again = sorted(filter(takes, rows), key=lambda row: row.attempts)
            places.update(row.place for row in again)
            for attempts, alike in groupby(again, lambda row: row.attempts):
                outcomes = [
                    Outcome(row.key, State.PLANNED, code=row.code, reason=row.reason)
                    for row in alike
                ]
                note = remark("note.retried", attempts=attempts)
                await ledger.conclude(run.id, outcomes, at=clock.now(), note=note)
    return places


def attempts_before(note: str) -> int:
    """Return how many attempts of a number had made nothing when it was planned again, or 0.

    >>> note = remark("note.retried", attempts=2)
    >>> attempts_before(note), attempts_before(remark(RETRIED_EARLIER))
    (2, 0)
    """
    told = read_remark(note)
    return int(told[1]["attempts"]) if told and told[0] == "note.retried" else 0
