from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from k3push.core.model import State
from k3push.ports import Ledger, Memo
from k3push.runs.proof.missed_looks import due_look, note_due
from tests.adapters.ledger.samples import ANSWER, NOON, later, outcomes, planned, sent

pytestmark = pytest.mark.anyio

MEMO = Memo("request", "r1", NOON, {"by": "王芳", "runs": ["r1"], "odd": "\x00😀"}, "r1")


async def test_a_memo_is_there_for_every_process(ledger: Ledger, other: Ledger) -> None:
    """What one server has accepted, the next one has to know."""
    assert await ledger.remember(MEMO) == MEMO
    assert await other.memo("request", "r1") == MEMO
    assert await other.memo("act", "r1") is None


async def test_of_many_who_remember_at_once_one_is_the_first(ledger: Ledger, other: Ledger) -> None:
    """Two that come with one key at one moment are told of one push."""
    told: list[Memo] = []

    async def remember(process: Ledger, name: str) -> None:
        told.append(await process.remember(replace(MEMO, value={"by": name})))

    async with anyio.create_task_group() as tasks:
        for nth in range(6):
            tasks.start_soon(remember, (ledger, other)[nth % 2], f"p{nth}")
    assert len({str(memo.value) for memo in told}) == 1
    assert await ledger.memos("request") == [told[0]]


async def test_a_change_is_made_by_whoever_saw_the_latest_version(
    ledger: Ledger, other: Ledger
) -> None:
    """Of two who approve a plan at once, one has approved it."""
    first = await ledger.remember(replace(MEMO, open=True))
    done: list[bool] = []

    async def revise(process: Ledger, name: str) -> None:
        done.append(await process.revise(replace(first, value={"by": name}, open=False)))

    async with anyio.create_task_group() as tasks:
        for nth in range(4):
            tasks.start_soon(revise, (ledger, other)[nth % 2], f"p{nth}")
    assert sorted(done) == [False, False, False, True]
    kept = await other.memo("request", "r1")
    assert kept is not None
    assert (kept.version, kept.open, kept.at) == (2, False, NOON)
    assert await ledger.revise(replace(kept, value={"by": "again"}))
    assert not await ledger.revise(replace(MEMO, id="r9"))


async def test_memos_come_the_newest_first_by_what_they_are_about(ledger: Ledger) -> None:
    """A page shows the latest, and a server takes up what is open."""
    for nth in range(4):
        about = "r1" if nth % 2 else ""
        await ledger.remember(
            Memo("act", f"a{nth}", later(nth), {}, about=about, open=nth in {1, 2})
        )
    await ledger.remember(Memo("token", "a9", later(9), {}, about="r1", open=True))

    async def found(about: str = "", *, only_open: bool = False, limit: int = 9) -> list[str]:
        memos = await ledger.memos("act", about=about, only_open=only_open, limit=limit)
        return [memo.id for memo in memos]

    assert await found() == ["a3", "a2", "a1", "a0"]
    assert await found(limit=2) == ["a3", "a2"]
    assert await found(about="r1") == ["a3", "a1"]
    assert await found(only_open=True) == ["a2", "a1"]
    assert await found(about="r1", only_open=True) == ["a1"]


async def test_another_account_has_memos_of_its_own(ledger: Ledger, theirs: Ledger) -> None:
    """Two tenants of one database know nothing of each other's keys."""
    await ledger.remember(MEMO)
    assert await theirs.memo("request", "r1") is None
    assert await theirs.memos("request") == []
    assert await theirs.remember(replace(MEMO, value={"by": "they"})) != MEMO
    assert await ledger.memo("request", "r1") == MEMO


async def test_what_moves_right_after_a_last_look_became_due_is_not_older(ledger: Ledger) -> None:
    """A ledger keeps times to a millisecond, and a fast disk writes a memo in less."""
    run, since = await planned(ledger, "A"), NOON.replace(microsecond=123_456)
    await note_due(ledger, run, since)
    attempt, at = await sent(ledger, run, "A"), since + timedelta(microseconds=300)
    await ledger.record(attempt, ANSWER, "", outcomes("A", State.REJECTED), at=at)
    (row,), due = await ledger.rows(run), await due_look(ledger, run)
    assert row.settled_at is not None
    assert due is not None
    assert row.settled_at >= due.since
