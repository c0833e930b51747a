"""What every ledger keeps of the documents that a run follows, and of the steps that they take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.model import (
    Answered,
    Document,
    Exchange,
    Follow,
    NeverSent,
    NoAnswer,
    RunId,
    Step,
    StepAttempt,
    StepIntent,
    StepsSoFar,
)
from k3push.core.remark import remark
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.ports import Ledger, LedgerLostError, OtherRunStepsError
from tests.adapters.ledger.samples import ANSWER, NOON, OTHER_ACCOUNT, UPTIME, later, planned

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = (Document(str(100 + n), f"RK{n}") for n in (1, 2, 3))


def an_intent(run: RunId, *documents: Document, step: Step = Step.SUBMIT) -> StepIntent:
    """Return an intent to take a step with documents."""
    ids = tuple(document.id for document in documents)
    return StepIntent(run, step, ids, "A", b'{"Ids":"..."}', NOON, UPTIME, "push")


def come_to(document: Document, follow: Follow, reason: str = "") -> Document:
    """Return a document that has come so far."""
    return replace(document, follow=follow, reason=reason)


async def followed(ledger: Ledger, name: str = "r1") -> RunId:
    """Open a run that follows three documents."""
    run = await planned(ledger, "A B C", name)
    await ledger.enrol(run, [ONE, TWO, THREE], at=NOON)
    return run


async def test_a_document_is_followed_once(ledger: Ledger) -> None:
    """It may be a target of several sources, and be found again by a run that is resumed."""
    run = await followed(ledger)
    await ledger.follow(run, [come_to(ONE, Follow.APPROVED)], at=later(1))
    await ledger.enrol(run, [ONE, TWO], at=later(2))
    assert await ledger.document_counts(run) == {Follow.APPROVED: 1, Follow.OPEN: 2}


async def test_documents_come_in_pages_and_by_how_far_they_are(ledger: Ledger) -> None:
    """A run of a million follows a million."""
    run = await followed(ledger)
    await ledger.follow(run, [come_to(TWO, Follow.WAITING, "主管审批")], at=later(1))
    assert await ledger.documents(run, limit=2) == [ONE, come_to(TWO, Follow.WAITING, "主管审批")]
    assert await ledger.documents(run, after=TWO.id) == [THREE]
    assert await ledger.documents(run, follows=[Follow.OPEN]) == [ONE, THREE]
    assert await ledger.documents_of(run, [THREE.id, "999"]) == {THREE.id: THREE}


async def test_an_attempt_at_a_step_is_written_down_before_it_leaves(ledger: Ledger) -> None:
    """And what came of it is kept whole."""
    run = await followed(ledger)
    attempt = await ledger.begin_step(an_intent(run, ONE, TWO))
    (begun,) = await ledger.steps_of(ONE.id)
    assert (begun.attempt, begun.exchange, begun.ended_at) == (attempt, None, None)
    ended = [come_to(ONE, Follow.SUBMITTED), come_to(TWO, Follow.REFUSED, "仓库必录")]
    await ledger.record_step(attempt, ANSWER, "finished", ended, at=later(3))
    (kept,) = await ledger.steps_of(TWO.id)
    assert (kept.exchange, kept.verdict, kept.ended_at) == (ANSWER, "finished", later(3))
    assert kept == await ledger.step(attempt.id)
    assert await ledger.steps_of(THREE.id) == []
    one, two, three = await ledger.documents(run)
    assert (one.follow, two.follow, two.reason) == (Follow.SUBMITTED, Follow.REFUSED, "仓库必录")
    assert (one.step, two.step, three.step) == (attempt.id, attempt.id, 0)


async def test_steps_that_a_push_may_wait_for_are_told(ledger: Ledger, other: Ledger) -> None:
    """Those that were lost or are open, and those that were answered late, of whichever run."""
    run, second = await followed(ledger), await followed(other, "r2")

    async def began(of: Ledger, of_run: RunId, at_s: float) -> StepAttempt:
        return await of.begin_step(replace(an_intent(of_run, ONE), began_at=later(at_s)))

    early, last, quick, lost, under_way, late = [
        await began(ledger, run, 0),
        await began(other, second, 1),
        await began(ledger, run, 2),
        await began(other, second, 3),
        await began(ledger, run, 4),
        await began(ledger, run, 5),
    ]
    for attempt, of, verdict, ended_s in (
        (early, ledger, "note.doubt", 60),
        (last, other, "note.refused", 50),
        (quick, ledger, "note.success", 9),
        (lost, other, "note.doubt", 4),
    ):
        await of.record_step(attempt, ANSWER, remark(verdict), [], at=later(ended_s))
    found = await ledger.long_steps(later(1), longer_s=25.0)
    assert [kept.attempt.id for kept in found] == [last.id, lost.id, under_way.id, late.id]
    assert found[0] == await other.step(last.id)
    ids = [kept.attempt.id for kept in await ledger.long_steps(later(2), longer_s=6.0)]
    assert ids == [quick.id, lost.id, under_way.id, late.id]


@pytest.mark.parametrize(
    "exchange",
    [
        Answered(502, b"<html>"),
        NeverSent("refused"),
        NoAnswer("reset"),
        NoAnswer("", timed_out=True),
    ],
)
async def test_every_exchange_of_a_step_is_kept(ledger: Ledger, exchange: Exchange) -> None:
    """`explain` shows it, and settling asks what it meant."""
    run = await followed(ledger)
    attempt = await ledger.begin_step(an_intent(run, ONE, step=Step.AUDIT))
    await ledger.record_step(attempt, exchange, "doubt", [], at=later(1))
    (kept,) = await ledger.steps_of(ONE.id)
    assert (kept.exchange, kept.attempt.intent.step) == (exchange, Step.AUDIT)


async def test_a_step_that_the_ledger_has_lost_is_a_lost_ledger(ledger: Ledger) -> None:
    """A backup was copied over it, and the run goes on with `resume`: it is no defect."""
    run = await followed(ledger)
    unwritten = StepAttempt(99, an_intent(run, ONE))
    with pytest.raises(LedgerLostError, match="no_attempt"):
        await ledger.record_step(unwritten, ANSWER, "", [], at=later(1))


async def test_what_the_dead_had_begun_is_in_doubt(ledger: Ledger, other: Ledger) -> None:
    """Whoever takes the run over reads the status before it does anything again."""
    run = await followed(ledger)
    async with ledger.own(run):
        done = await ledger.begin_step(an_intent(run, THREE))
        await ledger.record_step(done, ANSWER, "x", [come_to(THREE, Follow.SUBMITTED)], at=NOON)
        attempt = await ledger.begin_step(an_intent(run, ONE))
    async with other.own(run):
        assert await other.document_counts(run) == {
            Follow.UNKNOWN: 1,
            Follow.OPEN: 1,
            Follow.SUBMITTED: 1,
        }
        with pytest.raises(IllegalMoveError):
            await other.record_step(attempt, ANSWER, "late", [], at=later(9))
        with pytest.raises(IllegalMoveError):
            await other.begin_step(an_intent(run, ONE))


async def test_only_what_a_run_follows_takes_a_step(ledger: Ledger) -> None:
    """A document of somebody else is none of ours."""
    run = await followed(ledger)
    with pytest.raises(IllegalMoveError):
        await ledger.begin_step(an_intent(run, Document("999")))
    assert await ledger.document_counts(run) == {Follow.OPEN: 3}


async def test_recording_a_step_twice_changes_nothing(ledger: Ledger) -> None:
    """A commit whose answer was lost is tried again."""
    run = await followed(ledger)
    attempt = await ledger.begin_step(an_intent(run, ONE))
    await ledger.record_step(attempt, ANSWER, "x", [come_to(ONE, Follow.SUBMITTED)], at=NOON)
    await ledger.record_step(attempt, ANSWER, "y", [come_to(ONE, Follow.REFUSED)], at=later(1))
    (document,) = (await ledger.documents_of(run, [ONE.id])).values()
    assert document.follow is Follow.SUBMITTED


async def test_another_account_knows_nothing_of_it(ledger: Ledger) -> None:
    """Two tenants may share a database, and two ERPs an id."""
    run = await followed(ledger)
    attempt = await ledger.begin_step(an_intent(run, ONE))
    stranger = ledger.of_account(OTHER_ACCOUNT)
    assert await stranger.steps_of(ONE.id) == []
    assert await stranger.step(attempt.id) is None
    with pytest.raises(LookupError):
        await stranger.documents(run)


async def test_a_step_that_another_run_takes_meanwhile_is_not_begun(ledger: Ledger) -> None:
    """Two runs may follow one document: who comes second reads its status anew."""
    first, second = await followed(ledger), await followed(ledger, "r2")
    before = await ledger.steps_so_far()
    begun = await ledger.begin_step(an_intent(first, ONE, TWO), after=before)
    under_way = StepsSoFar(begun.id, frozenset({begun.id}))
    assert await ledger.steps_so_far() == under_way
    for after in (before, StepsSoFar(begun.id)):  # begun since, and under way still
        with pytest.raises(OtherRunStepsError):
            await ledger.begin_step(an_intent(second, TWO, THREE), after=after)
    await ledger.begin_step(an_intent(second, THREE), after=before)
    await ledger.record_step(begun, ANSWER, "x", [come_to(ONE, Follow.SUBMITTED)], at=NOON)
    with pytest.raises(OtherRunStepsError):
        await ledger.begin_step(an_intent(second, ONE), after=before)
    await ledger.begin_step(an_intent(second, ONE), after=StepsSoFar(begun.id))
    await ledger.begin_step(an_intent(second, TWO))


async def test_a_step_that_was_under_way_at_a_look_is_minded_once_it_is_over(
    ledger: Ledger,
) -> None:
    """The look may have shown the document as it stood before that step."""
    first, second = await followed(ledger), await followed(ledger, "r2")
    for document in (ONE, TWO):
        begun = await ledger.begin_step(an_intent(first, document), after=StepsSoFar())
        before = await ledger.steps_so_far()
        await ledger.record_step(begun, ANSWER, "x", [come_to(document, Follow.SUBMITTED)], at=NOON)
        with pytest.raises(OtherRunStepsError):
            await ledger.begin_step(an_intent(second, document), after=before)
        again = await ledger.begin_step(
            an_intent(second, document), after=await ledger.steps_so_far()
        )
        await ledger.record_step(again, ANSWER, "x", [document], at=NOON)


async def test_a_step_that_a_dead_run_has_left_open_is_in_the_way_of_its_documents_alone(
    ledger: Ledger,
) -> None:
    """It is open until somebody goes on with that run, which may be never."""
    first, second = await followed(ledger), await followed(ledger, "r2")
    await ledger.begin_step(an_intent(first, ONE), after=StepsSoFar())
    done = await ledger.begin_step(an_intent(first, TWO), after=StepsSoFar())
    await ledger.record_step(done, ANSWER, "x", [come_to(TWO, Follow.SUBMITTED)], at=NOON)
    so_far = await ledger.steps_so_far()
    await ledger.begin_step(an_intent(second, TWO), after=so_far)
    with pytest.raises(OtherRunStepsError):
        await ledger.begin_step(an_intent(second, ONE), after=so_far)


async def test_a_step_of_another_forms_document_is_in_nobodys_way(ledger: Ledger) -> None:
    """The ERP counts the ids of each form for itself."""
    first = await followed(ledger)
    other = await planned(ledger, "A", "r2", "s|po|out")
    await ledger.enrol(other, [ONE], at=NOON)
    before = await ledger.steps_so_far()
    await ledger.begin_step(an_intent(first, ONE, TWO), after=before)
    await ledger.begin_step(an_intent(other, ONE), after=before)
    third = await planned(ledger, "A", "r3", "s|so|in")  # from other bills
    await ledger.enrol(third, [TWO], at=NOON)
    with pytest.raises(OtherRunStepsError):
        await ledger.begin_step(an_intent(third, TWO), after=before)
