"""Runs that are archived: what stays, what goes, and what may not be archived at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from k3push.core.model import Archive, Document, Follow, Identified, RunId, State
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.ports import Ledger, RunIsArchivedError
from tests.adapters.ledger.samples import (
    ANSWER,
    NOON,
    a_run,
    id_of,
    identified,
    later,
    lines,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)

pytestmark = pytest.mark.anyio

ARCHIVE = Archive("s.r1.jsonl.gz", "00ff", later(5))
LONG_AFTER = NOON + timedelta(days=1)


async def ended(ledger: Ledger, run: RunId, code: int = 3) -> RunId:
    """End a run whose list is whole."""
    await ledger.close_list(run)
    await ledger.end_run(run, code, later(2))
    return run


async def told(ledger: Ledger) -> list[RunId]:
    """Return which runs are due, however old they must be."""
    return [run.id for run in await ledger.due_for_archive(LONG_AFTER)]


async def archived(ledger: Ledger, run: RunId) -> None:
    """Archive a run and prune it, two things at a time."""
    await ledger.archive(run, ARCHIVE)
    after: tuple[int, int] | None = (0, 0)
    while after is not None:
        after = await ledger.prune(run, after=after, limit=2)


async def test_what_documents_rest_on_outlives_its_run(ledger: Ledger) -> None:
    """No number may be pushed again for want of a row, and audits know what is ours."""
    run = await planned(ledger, "A B C D E F")
    await pushed(ledger, run, "A B", sender="one")
    await pushed(ledger, run, "C", State.REJECTED)
    await pushed(ledger, run, "D", State.DRAFT)
    await ledger.conclude(run, outcomes("E", State.ALREADY), at=later(1), note="it is there")
    await ledger.conclude(run, outcomes("F", State.REJECTED), at=later(1), note="no")
    await ended(ledger, run)
    other = await planned(ledger, "A B C D E F", "r2")
    before = await ledger.made_of(other, dict.fromkeys(numbers("A B C D E F"), ""))
    known = await ledger.made_by(other)
    found = await ledger.made_in("s|po|in", dict.fromkeys(numbers("A E F"), ""), or_found=True)
    by_one = await ledger.made_by(other, "one")
    assert await told(ledger) == [run]

    await archived(ledger, run)

    assert await told(ledger) == []
    assert await states(ledger, run) == {
        "A": State.PUSHED,
        "B": State.PUSHED,
        "D": State.DRAFT,
        "E": State.ALREADY,
    }
    assert await ledger.counts(run) == {State.PUSHED: 2, State.DRAFT: 1, State.ALREADY: 1}
    assert await ledger.made_of(other, dict.fromkeys(numbers("A B C D E F"), "")) == before
    assert await ledger.made_by(other) == known
    assert await ledger.made_by(other, "one") == by_one
    assert (
        await ledger.made_in("s|po|in", dict.fromkeys(numbers("A E F"), ""), or_found=True) == found
    )
    (of, row), _ = await ledger.rows_of(numbers("A")[0])
    assert (of, row.chunk) == (run, 1)
    assert await ledger.attempts_of(numbers("A")[0]) == []
    assert await ledger.notes_of(numbers("E")[0]) == []
    kept = await ledger.run(run)
    assert kept is not None
    assert kept.archive == ARCHIVE


async def test_already_stays_once_for_each_bill(ledger: Ledger) -> None:
    """Lists that name the same bills each night would fill the ledger with it."""
    for name, text in (("r1", "A B"), ("r2", "A B"), ("r3", "B")):
        run = await planned(ledger, text, name)
        await ledger.conclude(run, outcomes(text, State.ALREADY), at=later(1))
        await ended(ledger, run, 0)
    for name in ("r3", "r1", "r2"):
        await archived(ledger, RunId(name))
    assert await states(ledger, RunId("r1")) == {}
    assert await states(ledger, RunId("r2")) == {"A": State.ALREADY}
    assert await states(ledger, RunId("r3")) == {"B": State.ALREADY}


async def test_already_goes_where_a_row_names_the_documents(ledger: Ledger) -> None:
    """What made them tells the same."""
    await pushed(ledger, await planned(ledger, "A"), "A")
    run = await planned(ledger, "A", "r2")
    await ledger.conclude(run, outcomes("A", State.ALREADY), at=later(1))
    await archived(ledger, await ended(ledger, run, 0))
    assert await states(ledger, run) == {}


async def test_already_stays_where_another_bill_has_the_number_by_now(ledger: Ledger) -> None:
    """Its own number is another, and the id in the row is what it is known by."""
    (a,) = numbers("A")
    run = await planned(ledger, "A")
    await ledger.conclude(run, outcomes("A", State.ALREADY), at=later(1))
    await ended(ledger, run, 0)
    other = a_run("r2")
    await ledger.open_run(other)
    await ledger.add(other.id, lines("A"))
    await ledger.identify(other.id, {a: Identified(a, "200")})
    await pushed(ledger, other.id, "A")
    await archived(ledger, run)
    (c,) = numbers("C")
    assert await ledger.made_in("s|po|in", {c: id_of("A")}, or_found=True)


@pytest.mark.parametrize("state", [State.PLANNED, State.SENT, State.UNKNOWN])
async def test_a_number_that_is_open_keeps_its_run_whole(ledger: Ledger, state: State) -> None:
    """Nobody may lose what a doubt is settled by."""
    run = await planned(ledger, "A B")
    await pushed(ledger, run, "A")
    if state is State.UNKNOWN:
        await pushed(ledger, run, "B", State.UNKNOWN)
    elif state is State.SENT:
        await sent(ledger, run, "B")
    await ended(ledger, run)
    assert await told(ledger) == []
    with pytest.raises(IllegalMoveError):
        await ledger.archive(run, ARCHIVE)
    with pytest.raises(IllegalMoveError):
        await ledger.prune(run)
    assert len(await ledger.rows(run)) == 2


@pytest.mark.parametrize("code", [None, 4, 5, 6])
async def test_only_a_run_that_is_done_is_archived(ledger: Ledger, code: int | None) -> None:
    """Another exit code says that somebody has something to do."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A")
    await ledger.close_list(run)
    if code is not None:
        await ledger.end_run(run, code, later(2))
    assert await told(ledger) == []


async def test_a_twin_keeps_its_run_whole(ledger: Ledger) -> None:
    """Which of its documents is ours is what the answers say."""
    run = await planned(ledger, "A")
    attempt = await sent(ledger, run, "A")
    twin = [outcomes("A", State.PUSHED)[0]._replace(code="twin")]
    await ledger.record(attempt, ANSWER, "read back", twin, at=later(1))
    await ended(ledger, run)
    assert await told(ledger) == []


@pytest.mark.parametrize(
    ("follow", "is_due"),
    [
        (Follow.OPEN, False),
        (Follow.UNKNOWN, False),
        (Follow.WAITING, False),
        (Follow.SUBMITTED, True),
        (Follow.REFUSED, True),
    ],
)
async def test_a_document_on_its_way_keeps_its_run_whole(
    ledger: Ledger, follow: Follow, *, is_due: bool
) -> None:
    """`follow` looks at it again."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A")
    document = Document("id-A", "CGRK-A", follow)
    await ledger.enrol(run, [document], at=later(1))
    await ledger.follow(run, [document], at=later(1))
    await ended(ledger, run)
    assert (await told(ledger) == [run]) is is_due
    if is_due:
        await archived(ledger, run)
        assert await ledger.documents_of(run, ["id-A"]) == {"id-A": document}


async def test_an_archived_run_is_executed_by_nobody(ledger: Ledger) -> None:
    """Half of its rows are gone, so `retry` would find nothing and say so."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A")
    await ended(ledger, run)
    await ledger.archive(run, ARCHIVE)
    with pytest.raises(RunIsArchivedError):
        async with ledger.own(run, executes=False):
            pass
    with pytest.raises(IllegalMoveError):
        await ledger.archive(run, replace(ARCHIVE, file="another"))
    assert await told(ledger) == [run], "it is not pruned yet"
    await archived_after_a_death(ledger, run)
    assert await told(ledger) == []
    assert not await ledger.is_alive(run)


async def archived_after_a_death(ledger: Ledger, run: RunId) -> None:
    """Prune in parts of which each is done again."""
    after: tuple[int, int] | None = (0, 0)
    while after is not None:
        again = await ledger.prune(run, after=after, limit=1)
        after = await ledger.prune(run, after=after, limit=1)
        assert again == after


async def test_only_what_ended_before_is_due_and_the_oldest_comes_first(ledger: Ledger) -> None:
    """A year of nights goes in the order in which it came."""
    for name, at in (("r1", 30), ("r2", 10), ("r3", 20)):
        run = await planned(ledger, f"A{name}", name)
        await pushed(ledger, run, f"A{name}")
        await ledger.close_list(run)
        await ledger.end_run(run, 0, later(at))
    due = await ledger.due_for_archive(later(30))
    assert [run.id for run in due] == ["r2", "r3"]
    assert [run.id for run in await ledger.due_for_archive(later(99), limit=1)] == ["r2"]


async def test_repeats_go_with_their_rows(ledger: Ledger) -> None:
    """A repeat stands behind the page of its row, and refers to it."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("A B C D A B"))
    await ledger.identify(run.id, identified({n: n for n in numbers("A B C D")}))
    await pushed(ledger, run.id, "A B", State.REJECTED)
    await pushed(ledger, run.id, "C D")
    await archived(ledger, await ended(ledger, run.id))
    assert await ledger.repeats(run.id) == []
    assert await states(ledger, run.id) == {"C": State.PUSHED, "D": State.PUSHED}


async def test_another_account_archives_nothing_of_this_one(ledger: Ledger) -> None:
    """A ledger is opened for an account."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A")
    await ended(ledger, run)
    other = ledger.of_account("t")
    assert await other.due_for_archive(LONG_AFTER) == []
    with pytest.raises(LookupError):
        await other.archive(run, ARCHIVE)
    with pytest.raises(LookupError):
        await other.prune(run)
