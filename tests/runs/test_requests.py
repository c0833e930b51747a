from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from k3push.core.model import RunId
from k3push.ports import Memo
from k3push.runs.kept_in_ledger.request_stages import (
    Request,
    RequestKind,
    Stage,
    is_asked_for,
    put_request,
)
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import FIRST, SECOND, Office, VirtualClock

pytestmark = pytest.mark.anyio


class Counted(MemoryLedger):
    """A ledger that counts the memos that it has read out."""

    read = 0

    async def memos(
        self, kind: str, *, about: str = "", only_open: bool = False, limit: int = 1000
    ) -> Sequence[Memo]:
        """Count them."""
        found = await MemoryLedger.memos(self, kind, about=about, only_open=only_open, limit=limit)
        self.read += len(found)
        return found


def asking(*runs: str, nth: int = 0) -> Request:
    """Return a request to resume runs."""
    at = VirtualClock().now()
    named = [RunId(run) for run in runs]
    return Request(
        f"resume-{runs[0]}-{nth}", RequestKind.RESUME, "wang", at, Stage.APPROVED, runs=named
    )


async def test_a_request_is_about_each_of_its_runs_and_no_other() -> None:
    """A command has begun three runs, and somebody resumes the last two."""
    office = Office()
    first, second = (replace(office.run(run), group=FIRST) for run in (FIRST, SECOND))
    third = replace(office.run(RunId("third")), group=FIRST)
    for run in (first, second, third):
        await office.store.open_run(run)
    await put_request(office.store, asking(SECOND, "third"))
    asked = [await is_asked_for(office.store, run) for run in (first, second, third)]
    assert asked == [False, True, True]


async def test_a_look_at_a_run_reads_the_requests_about_it_alone() -> None:
    """Thousands of others may be open, and each page of each browser looks once a second."""
    ledger = Counted(account="a1")
    run = Office().run(FIRST)
    for nth in range(1000):
        await put_request(ledger, asking("another", nth=nth))
    await put_request(ledger, asking(FIRST))
    assert await is_asked_for(ledger, run)
    assert ledger.read == 1
