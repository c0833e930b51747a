from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from k3push.core.model import (
    Answered,
    Attempt,
    BillNumber,
    Exchange,
    NeverSent,
    NoAnswer,
    Outcome,
    RunId,
    State,
    Target,
)
from k3push.core.remark import also, remark
from k3push.core.safety.legal_moves import FINAL, MOVES, OPEN, SENT_BEFORE, IllegalMoveError
from k3push.ports import Doubt, Holder, InHand, Ledger, LedgerLostError
from tests.adapters.ledger.samples import (
    ANSWER,
    NOON,
    OTHER_ACCOUNT,
    UPTIME,
    a_run,
    id_of,
    identified,
    intent,
    later,
    lines,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)
from tests.shares import shared_out

pytestmark = pytest.mark.anyio

A, B, C = numbers("A B C")


# -- put off ------------------------------------------------------------------------------------


async def test_why_a_planned_row_is_not_sent_is_written_down(ledger: Ledger, other: Ledger) -> None:
    """And gone once it is; of rows in other states, and of other runs, nothing is said."""
    run, second = await planned(ledger, "A B"), await planned(ledger, "A B", "r2")
    await pushed(ledger, run, "B")
    why = [Outcome(name, State.PLANNED, code="held", reason="r9") for name in (A, B, C)]
    await ledger.put_off(run, why)
    told = {row.bill: (row.code, row.reason) for row in await other.rows(run)}
    assert told == {A: ("held", "r9"), B: ("", "")}
    assert {row.code for row in await other.rows(second)} == {""}
    assert await other.counts(run) == {State.PLANNED: 1, State.PUSHED: 1}
    await pushed(ledger, run, "A")
    assert {(row.code, row.reason) for row in await other.rows(run)} == {("", "")}


async def test_what_a_run_leaves_to_another_it_holds_no_more(ledger: Ledger, other: Ledger) -> None:
    """Two runs that leave bills to one another would wait for ever; what is in doubt is held."""
    run, second = await planned(ledger, "A B C"), await planned(other, "A B C", "r2")
    async with ledger.own(run), other.own(second):
        assert await ledger.claim(run, [A]) == {}
        await sent(ledger, run, "B")
        why = [Outcome(name, State.PLANNED, code="held", reason="r2") for name in (A, B)]
        await ledger.put_off(run, why)
        assert list(await other.claim(second, [A, B])) == [B]


async def test_why_nobody_can_say_what_became_of_a_row_is_written_down(
    ledger: Ledger, other: Ledger
) -> None:
    """It stays in doubt, and is told until it is settled."""
    run = await planned(ledger, "A B")
    await pushed(ledger, run, "A", State.UNKNOWN)
    why = [Outcome(name, State.UNKNOWN, code="cancelled_since", reason="X") for name in (A, B, C)]
    await ledger.put_off(run, why)
    told = {row.bill: (row.state, row.code, row.reason) for row in await other.rows(run)}
    assert told == {A: (State.UNKNOWN, "cancelled_since", "X"), B: (State.PLANNED, "", "")}
    assert [doubt.number for doubt in await other.doubts(run)] == [A]
    await ledger.put_off(run, [Outcome(B, State.PUSHED, code="x"), Outcome(A, State.PUSHED)])
    assert {row.bill: row.code for row in await other.rows(run)} == {A: "cancelled_since", B: ""}


# -- claim ------------------------------------------------------------------------------------


async def test_a_number_that_is_named_twice_is_claimed_once(ledger: Ledger) -> None:
    """Whoever has it: nobody, the run itself, or another."""
    run, other = await planned(ledger, "A"), await planned(ledger, "A", "r2")
    for _ in range(2):
        assert await ledger.claim(run, numbers("A A")) == {}
    await ledger.begin(intent(run, "A"))
    assert set(await ledger.claim(other, numbers("A A"))) == set(numbers("A"))


async def test_a_number_is_claimed_by_one_run(ledger: Ledger, other: Ledger) -> None:
    """Over all runs of one scope, and the loser learns who has it."""
    first = await planned(ledger, "A B")
    second = await planned(other, "A B C", "r2")
    async with ledger.own(first), other.own(second):
        assert await ledger.claim(first, [A, B]) == {}
        held = {A: Holder(first, alive=True), B: Holder(first, alive=True)}
        assert await other.claim(second, [A, B, C]) == held


async def test_a_claim_of_ones_own_changes_nothing(ledger: Ledger) -> None:
    """A chunk that travels again is claimed again."""
    run = await planned(ledger, "A")
    async with ledger.own(run):
        assert await ledger.claim(run, [A, A]) == {}
        assert await ledger.claim(run, [A]) == {}
        await ledger.begin(intent(run, "A"))


async def test_scopes_do_not_meet(ledger: Ledger) -> None:
    """The same number under another rule, or in another account, makes another document."""
    first = await planned(ledger, "A", scope="s|po|s1")
    second = await planned(ledger, "A", "r2", scope="s|po|s2")
    async with ledger.own(first):
        await ledger.claim(first, [A])
        assert await ledger.claim(second, [A]) == {}


async def test_claims_compare_the_erps_spelling_as_it_is(ledger: Ledger) -> None:
    """The ERP's own spelling tells bills apart, and nothing else does."""
    first = await planned(ledger, "A")
    second = await planned(ledger, "a", "r2")
    async with ledger.own(first):
        await ledger.claim(first, [A])
        assert await ledger.claim(second, [BillNumber("a")]) == {}


async def test_what_the_dead_had_planned_is_taken_over(ledger: Ledger, other: Ledger) -> None:
    """It was never sent, and waiting for a resume that may never come serves nobody."""
    first = await planned(ledger, "A")
    second = await planned(other, "A", "r2")
    async with ledger.own(first):
        await ledger.claim(first, [A])
    async with other.own(second):
        assert await other.claim(second, [A]) == {}
        await other.begin(intent(second, "A"))
        assert await states(other, first) == {"A": State.PLANNED}
        async with ledger.own(first):
            assert await ledger.claim(first, [A]) == {A: Holder(second, alive=True)}


async def test_what_the_dead_had_sent_is_held_and_unknown(ledger: Ledger, other: Ledger) -> None:
    """Somebody must settle it first, and until then nobody may send it."""
    first = await planned(ledger, "A B")
    second = await planned(other, "A B", "r2")
    async with ledger.own(first):
        await sent(ledger, first, "A B")
    async with other.own(second):
        for _ in range(2):
            assert await other.claim(second, [A]) == {A: Holder(first, alive=False)}
        assert await states(other, first) == {"A": State.UNKNOWN, "B": State.SENT}
        assert await other.counts(first) == {State.UNKNOWN: 1, State.SENT: 1}
        (doubt,) = await other.doubts(first)
        assert doubt.number == A


async def test_what_the_living_have_sent_stays_sent(ledger: Ledger, other: Ledger) -> None:
    """Its answer may still come."""
    first = await planned(ledger, "A")
    second = await planned(other, "A", "r2")
    async with ledger.own(first):
        await sent(ledger, first, "A")
        assert await other.claim(second, [A]) == {A: Holder(first, alive=True)}
        assert await states(other, first) == {"A": State.SENT}


async def test_a_bill_in_hand_is_known_by_its_id_whatever_its_number(
    ledger: Ledger, other: Ledger
) -> None:
    """It may get another number while a call for it is on its way or in doubt."""
    first = await planned(ledger, "A C")
    second = await planned(other, "B", "r2")
    elsewhere = await planned(other, "B", "r3", "s|po|other")
    ids = [id_of(A), id_of(C), "no bill's"]
    async with ledger.own(first):
        assert await ledger.claim(first, [A, C]) == {}
        assert await other.in_hand(second, ids) == {}
        attempt = await ledger.begin(intent(first, "A"))
        assert await other.in_hand(second, ids) == {id_of(A): [InHand(first, A)]}
        assert await ledger.in_hand(first, ids) == {id_of(A): [InHand(first, A)]}
        assert await other.in_hand(elsewhere, ids) == {}
        await ledger.record(attempt, ANSWER, "?", outcomes("A", State.UNKNOWN), at=later(1))
        assert await other.in_hand(second, ids) == {id_of(A): [InHand(first, A)]}
        await ledger.conclude(first, outcomes("A", State.PUSHED), at=later(2))
        assert await other.in_hand(second, ids) == {}


# -- begin ------------------------------------------------------------------------------------


async def test_begin_writes_the_intent_down_before_anything_leaves(
    ledger: Ledger, other: Ledger
) -> None:
    """Whoever looks after a power loss finds what may have been sent, whole."""
    run = await planned(ledger, "A B")
    attempt = await sent(ledger, run, "A B", chunk=3)
    assert attempt.intent == intent(run, "A B", chunk=3)
    for number in (A, B):
        (kept,) = await other.attempts_of(number)
        assert (kept.attempt, kept.exchange, kept.verdict) == (attempt, None, "")
        assert kept.ended_at is None
    row = (await other.rows(run))[0]
    assert (row.state, row.attempts, row.chunk) == (State.SENT, 1, 3)
    assert (row.sent_at, row.settled_at) == (NOON, None)
    assert await other.counts(run) == {State.SENT: 2}


async def test_what_is_not_claimed_may_not_begin(ledger: Ledger) -> None:
    """Two runs would send one number, and one refused number keeps the whole chunk back."""
    run = await planned(ledger, "A B")
    second = await planned(ledger, "B", "r2")
    async with ledger.own(second):
        await ledger.claim(second, [B])
        await ledger.claim(run, [A])
        with pytest.raises(IllegalMoveError, match="B"):
            await ledger.begin(intent(run, "A B"))
    assert await states(ledger, run) == {"A": State.PLANNED, "B": State.PLANNED}
    assert await ledger.attempts_of(A) == []
    assert await ledger.attempt_count(run) == 0


@pytest.mark.parametrize("state", sorted((FINAL | OPEN) - {State.ALREADY}))
async def test_only_planned_numbers_may_begin(ledger: Ledger, state: State) -> None:
    """A number that may have made a document is not sent, claimed or not."""
    run = await planned(ledger, "A B")
    if state is State.SENT:
        await sent(ledger, run, "A")
    else:
        await pushed(ledger, run, "A", state)
    await ledger.claim(run, [A, B])
    with pytest.raises(IllegalMoveError, match="A"):
        await ledger.begin(intent(run, "A B"))
    assert await states(ledger, run) == {"A": state, "B": State.PLANNED}


async def test_a_number_that_the_run_does_not_have_may_not_begin(ledger: Ledger) -> None:
    """Its outcome would have no row to be written to; nor has an unidentified number."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("A"))
    for name in ("A", "B"):
        await ledger.claim(run.id, numbers(name))
        with pytest.raises(IllegalMoveError, match=name):
            await ledger.begin(intent(run.id, name))


async def test_a_number_does_not_travel_twice_in_one_chunk(ledger: Ledger) -> None:
    """The ERP would make two documents of it."""
    run = await planned(ledger, "A")
    await ledger.claim(run, [A])
    with pytest.raises(IllegalMoveError, match="A"):
        await ledger.begin(intent(run, "A A"))


# -- record -----------------------------------------------------------------------------------


async def test_an_outcome_is_kept_whole(ledger: Ledger, other: Ledger) -> None:
    """Targets in their order, the ERP's words to the last character."""
    run = await planned(ledger, "A B C")
    attempt = await sent(ledger, run, "A B C")
    told = [
        Outcome(A, State.PUSHED, (Target("2", "CGRK02"), Target("1", "CGRK01"))),
        Outcome(B, State.DRAFT, (Target("3", "", draft=True),), "", "保存失败"),
        Outcome(C, State.REJECTED, (), "4", "第1行\n\t'\"; 数量 <0> \U0001f600" * 50),
    ]
    await ledger.record(attempt, ANSWER, "read back", told, at=later(2))
    for row, outcome in zip(await other.rows(run), told, strict=True):
        assert (row.state, row.targets) == (outcome.state, outcome.targets)
        assert (row.code, row.reason) == (outcome.code, outcome.reason)
        assert (row.attempts, row.sent_at, row.settled_at) == (1, NOON, later(2))


@pytest.mark.parametrize(
    "exchange",
    [
        Answered(200, b""),
        Answered(502, b"<html>" + bytes(range(256)) * 300),
        NeverSent("connection refused"),
        NoAnswer("read: connection reset"),
        NoAnswer("", timed_out=True),
    ],
    ids=["empty", "garbage", "never-sent", "reset", "timed-out"],
)
async def test_every_exchange_is_kept_whole(
    ledger: Ledger, other: Ledger, exchange: Exchange
) -> None:
    """`explain` shows what the server said, not what we made of it."""
    run = await planned(ledger, "A")
    attempt = await sent(ledger, run, "A")
    await ledger.record(attempt, exchange, "in doubt", outcomes("A", State.UNKNOWN), at=later(1))
    (kept,) = await other.attempts_of(A)
    assert kept.attempt == attempt
    assert (kept.exchange, kept.verdict, kept.ended_at) == (exchange, "in doubt", later(1))


async def test_half_a_surrogate_pair_does_not_lose_an_outcome(ledger: Ledger) -> None:
    """JSON can hold one, and a database may refuse it as text."""
    run = await planned(ledger, "A")
    attempt = await sent(ledger, run, "A")
    told = [Outcome(A, State.PUSHED, (Target("1", "N\ud800"),), "\ud800", "bad \ud800")]
    await ledger.record(attempt, NoAnswer("\ud800"), "\ud800", told, at=later(1))
    assert await states(ledger, run) == {"A": State.PUSHED}


async def test_recording_twice_changes_nothing(ledger: Ledger) -> None:
    """Whoever is not sure that it was written writes it again."""
    run = await planned(ledger, "A")
    attempt = await pushed(ledger, run, "A")
    before = (await ledger.rows(run), await ledger.attempts_of(A), await ledger.counts(run))
    again = outcomes("A", State.REJECTED)
    await ledger.record(attempt, NoAnswer("x"), "other", again, at=later(9))
    after = (await ledger.rows(run), await ledger.attempts_of(A), await ledger.counts(run))
    assert after == before


async def test_a_call_that_the_ledger_has_lost_is_a_lost_ledger(ledger: Ledger) -> None:
    """A backup was copied over it, and the run goes on with `resume`: it is no defect."""
    run = await planned(ledger, "A")
    unwritten = Attempt(99, intent(run, "A"))
    with pytest.raises(LedgerLostError, match="no_attempt"):
        await ledger.record(unwritten, ANSWER, "", outcomes("A", State.PUSHED), at=later(1))
    assert await states(ledger, run) == {"A": State.PLANNED}


@pytest.mark.parametrize("told", ["A", "A B C", "A A", ""])
async def test_outcomes_tell_of_each_number_once(ledger: Ledger, told: str) -> None:
    """A number that was left out would stay `sent` for ever."""
    run = await planned(ledger, "A B C")
    attempt = await sent(ledger, run, "A B")
    with pytest.raises(IllegalMoveError):
        await ledger.record(attempt, ANSWER, "", outcomes(told, State.PUSHED), at=later(1))
    assert await ledger.counts(run) == {State.SENT: 2, State.PLANNED: 1}


@pytest.mark.parametrize("state", sorted(set(State) - MOVES[State.SENT]))
async def test_a_recording_with_one_illegal_move_changes_nothing(
    ledger: Ledger, state: State
) -> None:
    """The attempt stays open, so a right recording is still possible."""
    run = await planned(ledger, "A B")
    attempt = await sent(ledger, run, "A B")
    told = outcomes("A", State.PUSHED) + outcomes("B", state)
    with pytest.raises(IllegalMoveError, match="B"):
        await ledger.record(attempt, ANSWER, "", told, at=later(1))
    assert await ledger.counts(run) == {State.SENT: 2}
    await ledger.record(attempt, ANSWER, "", outcomes("A B", State.PUSHED), at=later(1))
    assert await ledger.counts(run) == {State.PUSHED: 2}


@pytest.mark.parametrize("state", sorted(MOVES[State.SENT]))
@pytest.mark.parametrize("keep_claims", [False, True])
async def test_a_claim_ends_with_a_certain_outcome(
    ledger: Ledger, other: Ledger, state: State, *, keep_claims: bool
) -> None:
    """Doubt keeps it, and so does the run's wish to send a planned number again."""
    first = await planned(ledger, "A")
    second = await planned(other, "A", "r2")
    async with ledger.own(first), other.own(second):
        attempt = await sent(ledger, first, "A")
        told = outcomes("A", state)
        await ledger.record(attempt, ANSWER, "", told, at=later(1), keep_claims=keep_claims)
        kept = state is State.UNKNOWN or (state is State.PLANNED and keep_claims)
        held = {A: Holder(first, alive=True)} if kept else {}
        assert await other.claim(second, [A]) == held


async def test_a_number_may_travel_again_when_nothing_was_done(ledger: Ledger) -> None:
    """The row counts its sendings and shows the last; each attempt is kept."""
    run = await planned(ledger, "A")
    first = await sent(ledger, run, "A")
    told = outcomes("A", State.PLANNED)
    await ledger.record(first, NeverSent("refused"), "", told, at=later(1), keep_claims=True)
    row = (await ledger.rows(run))[0]
    assert (row.state, row.code, row.settled_at) == (State.PLANNED, "4", None)
    again = replace(intent(run, "A", chunk=7, nth=2), began_at=later(5))
    second = await ledger.begin(again)
    row = (await ledger.rows(run))[0]
    assert (row.code, row.reason, row.attempts) == ("", "", 2)
    assert (row.chunk, row.sent_at) == (7, later(5))
    assert [kept.attempt for kept in await ledger.attempts_of(A)] == [first, second]
    assert await ledger.attempt_count(run) == 2


async def test_an_attempt_speaks_only_for_numbers_it_was_the_last_to_carry(ledger: Ledger) -> None:
    """An answer to the first sending says nothing about the second."""
    run = await planned(ledger, "A")
    first = await sent(ledger, run, "A")
    await ledger.conclude(run, outcomes("A", State.PLANNED), at=later(1))
    await sent(ledger, run, "A")
    with pytest.raises(IllegalMoveError):
        await ledger.record(first, ANSWER, "", outcomes("A", State.PUSHED), at=later(2))
    assert await states(ledger, run) == {"A": State.SENT}


# -- conclude ---------------------------------------------------------------------------------


async def test_a_look_may_end_a_number_unsent(ledger: Ledger, other: Ledger) -> None:
    """By the job file's spelling where the ERP knows none, and its claim is given up."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("a b"))
    await ledger.identify(run.id, identified({BillNumber("a"): A}))
    second = await planned(other, "A", "r2", scope=run.scope)
    async with ledger.own(run.id):
        await ledger.claim(run.id, [A])
        told = outcomes("A", State.ALREADY) + outcomes("b", State.REJECTED)
        await ledger.conclude(run.id, told, at=later(3), note="looked")
        assert await states(ledger, run.id) == {"a": State.ALREADY, "b": State.REJECTED}
        row = (await ledger.rows(run.id))[0]
        assert (row.settled_at, row.attempts, row.sent_at) == (later(3), 0, None)
        assert await other.claim(second, [A]) == {}


async def test_settling_ends_a_doubt_and_its_claim(ledger: Ledger, other: Ledger) -> None:
    """Found: done. Certainly absent: planned, and any run may send it."""
    run = await planned(ledger, "A B")
    second = await planned(other, "A B", "r2")
    async with ledger.own(run):
        await pushed(ledger, run, "A B", State.UNKNOWN)
        told = outcomes("A", State.PUSHED) + outcomes("B", State.PLANNED)
        await ledger.conclude(run, told, at=later(700))
        assert await ledger.doubts(run) == []
        assert await ledger.counts(run) == {State.PUSHED: 1, State.PLANNED: 1}
        assert await other.claim(second, [A, B]) == {}


async def test_retry_clears_what_a_rejected_number_was_told(ledger: Ledger) -> None:
    """A planned number is not settled."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A", State.REJECTED)
    await ledger.conclude(run, [Outcome(A, State.PLANNED)], at=later(2))
    row = (await ledger.rows(run))[0]
    assert (row.code, row.reason, row.settled_at, row.attempts) == ("", "", None, 1)


@pytest.mark.parametrize("old", sorted(set(State) - {State.SENT}))
@pytest.mark.parametrize("new", shared_out(sorted(State), 3, of_more=1))
async def test_a_conclusion_with_one_illegal_move_changes_nothing(
    ledger: Ledger, old: State, new: State
) -> None:
    """The table is `legal_moves.MOVES`; and only an attempt makes a number `sent`."""
    run = await planned(ledger, "A B")
    if old is State.ALREADY:
        await ledger.conclude(run, outcomes("A", old), at=later(1))
    elif old is not State.PLANNED:
        await pushed(ledger, run, "A", old)
    told = outcomes("B", State.REJECTED) + outcomes("A", new)
    never_sent = old is State.PLANNED and new in {*SENT_BEFORE, State.UNKNOWN}
    if new in MOVES[old] and new is not State.SENT and not never_sent:
        await ledger.conclude(run, told, at=later(2), note="looked")
        assert await states(ledger, run) == {"A": new, "B": State.REJECTED}
    else:
        with pytest.raises(IllegalMoveError, match="A"):
            await ledger.conclude(run, told, at=later(2), note="looked")
        assert await states(ledger, run) == {"A": old, "B": State.PLANNED}
        assert await ledger.notes_of(B) == []


@pytest.mark.parametrize("told", ["C", "A A"])
async def test_a_conclusion_names_rows_of_the_run_once(ledger: Ledger, told: str) -> None:
    """Of two words about one number the second would win by chance."""
    run = await planned(ledger, "A B")
    with pytest.raises(IllegalMoveError):
        await ledger.conclude(run, outcomes(told, State.REJECTED), at=later(1))
    assert await ledger.counts(run) == {State.PLANNED: 2}


# -- looking back -----------------------------------------------------------------------------


async def test_doubts_come_with_what_settling_needs(ledger: Ledger) -> None:
    """In the order of the job file, whatever the order of the chunk."""
    run = await planned(ledger, "A B C")
    attempt = await sent(ledger, run, "C A")
    told = outcomes("C A", State.UNKNOWN)
    await ledger.record(attempt, NoAnswer("reset"), "", told, at=later(1))
    assert await ledger.doubts(run) == [
        Doubt(run, A, attempt.id, NOON, UPTIME, ("before-A",), "push", source_id=id_of(A)),
        Doubt(run, C, attempt.id, NOON, UPTIME, ("before-C",), "push", source_id=id_of(C)),
    ]


async def test_chunk_numbers_go_on_after_a_resume(ledger: Ledger) -> None:
    """Two chunks of one run never share an index."""
    run = await planned(ledger, "A B C")
    second = await planned(ledger, "D", "r2")
    assert await ledger.next_chunk(run) == 1
    await sent(ledger, run, "A", chunk=4)
    await sent(ledger, run, "B", chunk=2)
    await sent(ledger, second, "D", chunk=9)
    assert await ledger.next_chunk(run) == 5
    assert await ledger.attempt_count(run) == 2


async def test_notes_stand_beside_each_number_in_order(ledger: Ledger) -> None:
    """A person's word is shown by `explain` with its run and time."""
    run = await planned(ledger, "A B")
    await ledger.conclude(run, outcomes("A B", State.REJECTED), at=later(1), note="预检")
    await ledger.conclude(run, outcomes("A", State.PLANNED), at=later(2), note="retry: mended")
    await ledger.conclude(run, outcomes("A", State.REJECTED), at=later(3))
    assert [(note.at, note.run, note.text) for note in await ledger.notes_of(A)] == [
        (later(1), run, "预检"),
        (later(2), run, "retry: mended"),
    ]
    assert len(await ledger.notes_of(B)) == 1
    assert await ledger.notes_of(C) == []


async def test_attempts_of_a_number_come_from_all_runs(ledger: Ledger) -> None:
    """The oldest first, and only those that carried it."""
    first = await planned(ledger, "A B")
    second = await planned(ledger, "A B", "r2")
    told = [await pushed(ledger, first, "A", State.REJECTED), await pushed(ledger, second, "A B")]
    assert [kept.attempt for kept in await ledger.attempts_of(A)] == told
    assert [kept.attempt for kept in await ledger.attempts_of(B)] == told[1:]
    assert await ledger.attempts_of(C) == []


async def test_attempts_and_notes_of_a_run_come_in_pages(ledger: Ledger) -> None:
    """A report reads a whole run, and no other, without holding it in memory."""
    first = await planned(ledger, "A B C")
    second = await planned(ledger, "A B C", "r2")
    told = [await pushed(ledger, first, name, State.REJECTED) for name in "ABC"]
    other = await pushed(ledger, second, "B", State.REJECTED)
    for run in (first, second, first):
        await ledger.conclude(run, outcomes("B", State.PLANNED), at=later(2), note=f"of {run}")
        await ledger.conclude(run, outcomes("B", State.REJECTED), at=later(3))
    page = await ledger.attempts_in(first, limit=2)
    rest = await ledger.attempts_in(first, after=page[-1].attempt.id)
    assert [kept.attempt for kept in (*page, *rest)] == told
    assert [kept.attempt for kept in await ledger.attempts_in(second)] == [other]
    notes = await ledger.notes_in(first)
    assert [(note.number, note.text) for note in notes] == [(B, "of r1")] * 2
    assert await ledger.notes_in(first, after=notes[0].id, limit=1) == notes[1:]
    with pytest.raises(LookupError):
        await ledger.attempts_in(RunId("nobody"))


# -- what the account has in the ERP ----------------------------------------------------------


async def test_calls_of_which_nobody_has_heard_how_they_ended_are_told(
    ledger: Ledger, other: Ledger
) -> None:
    """What is on its way or was lost, of any run, whatever looks have shown since."""
    first, second = await planned(ledger, "A B C"), await planned(other, "D", "r2")
    lost = await sent(ledger, first, "A B")
    doubt = remark("note.doubt", code="timeout", why="no answer")
    unknown = outcomes("A B", State.UNKNOWN)
    await ledger.record(lost, NoAnswer("no answer"), doubt, unknown, at=later(1))
    await pushed(ledger, first, "C", State.PUSHED)
    under_way = await sent(other, second, "D")

    async def told(since: datetime = NOON, after: int = 0) -> list[tuple[int, bool]]:
        found = await other.lost_calls(since, after=after)
        return [(each.kept.attempt.id, each.is_open) for each in found]

    assert await told() == [(lost.id, True), (under_way.id, True)]
    assert await told(after=lost.id) == [(under_way.id, True)]
    in_front = await other.lost_calls(NOON, after=0, before=under_way.id)
    assert [each.kept.attempt.id for each in in_front] == [lost.id]
    assert await told(later(1)) == []
    assert (await other.lost_calls(NOON, after=0))[0].kept == (await ledger.attempts_of(A))[0]
    await ledger.conclude(first, outcomes("A", State.PUSHED), at=later(9), note="")
    assert (await told())[0] == (lost.id, True)
    await ledger.conclude(first, outcomes("B", State.PLANNED), at=later(9), note="")
    await ledger.end_run(first, 0, later(9))
    assert (await told())[0] == (lost.id, False)
    await ledger.end_run(first, 0, later(-9))
    assert await told() == [(under_way.id, True)]


async def answered_with_success(ledger: Ledger, after: int = 0) -> list[int]:
    """Return the ids of `last_successes`."""
    return [kept.attempt.id for kept in await ledger.last_successes(after=after)]


async def test_the_newest_call_of_each_user_that_was_answered_with_success_is_told(
    ledger: Ledger, other: Ledger
) -> None:
    """Of whichever run of the account."""
    run, second = await planned(ledger, "A B C"), await planned(other, "D E", "r2")
    success = also(remark("note.success"), "ground")
    told = [remark("note.refused", code="4"), success, remark("note.success")]
    told.append(remark("note.silent_success"))
    tried = [await sent(ledger, run, name) for name in ("A", "B", "C")]
    tried.append(await sent(other, second, "D"))
    assert await answered_with_success(other) == []
    for attempt, verdict in zip(tried, told, strict=True):
        silent = attempt is tried[3]
        made = outcomes(attempt.intent.numbers[0], State.UNKNOWN if silent else State.PUSHED)
        await ledger.record(attempt, ANSWER, verdict, made, at=later(1))
    last, before = tried[2].id, tried[1].id
    assert [await answered_with_success(other, id_) for id_ in (0, before)] == [[last]] * 2
    assert await answered_with_success(other, last) == []
    by_another = await sent(other, second, "E", sender="second")
    await other.record(by_another, ANSWER, success, outcomes("E", State.PUSHED), at=later(2))
    assert await answered_with_success(ledger) == [last, by_another.id]
    by_then = [await ledger.last_successes(after=0, until=later(n)) for n in (0.5, 1, 2)]
    assert [[kept.attempt.id for kept in each] for each in by_then] == [
        [],
        [last],
        [last, by_another.id],
    ]


async def test_the_call_in_front_of_another_that_was_answered_last_is_told(
    ledger: Ledger, other: Ledger
) -> None:
    """A short one that came later may have been answered sooner."""
    run, second = await planned(ledger, "A B C"), await planned(other, "D", "r2")
    tried = [await sent(ledger, run, name, sender="one") for name in ("A", "B")]
    tried += [await sent(other, second, "D"), await sent(ledger, run, "C")]
    first, _, mine, behind = (attempt.id for attempt in tried)
    for attempt, ended_at in zip(tried, (later(9), later(1), later(2), later(10)), strict=True):
        verdict = remark("note.doubt" if attempt.id == mine else "note.success")
        made = outcomes(
            attempt.intent.numbers[0], State.UNKNOWN if attempt.id == mine else State.PUSHED
        )
        by = other if attempt.id == mine else ledger
        await by.record(attempt, ANSWER, verdict, made, at=ended_at)

    async def told(attempt: int, among: int = 9, until: datetime = NOON) -> int:
        kept = await other.last_answered(attempt, until=until, among=among)
        return kept.attempt.id if kept else 0

    assert await told(mine, until=later(-1)) == first
    assert [await told(mine, among) for among in (9, 1)] == [behind, 0]
    assert await told(behind) == first


@pytest.mark.parametrize(
    ("verdict", "is_told"),
    [
        (remark("note.refused", code="11"), True),
        (remark("note.refused_twice", code="4"), True),
        (remark("note.log_in", why="session"), True),
        (remark("note.doubt", code="server_timeout", why="time"), True),
        (remark("note.doubt", code="http_504", why='{"code":"server_timeout"'), False),
    ],
)
async def test_whatever_an_answer_says_the_erp_was_at_work_until_then(
    ledger: Ledger, verdict: str, *, is_told: bool
) -> None:
    """Of a call whose answer was lost nobody knows that."""
    run = await planned(ledger, "A B")
    front, mine = await sent(ledger, run, "A"), await sent(ledger, run, "B")
    assert await ledger.last_answered(mine.id, until=NOON, among=9) is None
    await ledger.record(front, ANSWER, verdict, outcomes("A", State.UNKNOWN), at=later(9))
    kept = await ledger.last_answered(mine.id, until=NOON, among=9)
    assert (kept is not None) is is_told


@pytest.mark.parametrize("words", ["note.success{}", "note.silent_success{}", "note.doubt"])
async def test_words_of_the_erp_in_a_remark_do_not_tell_how_a_call_ended(
    ledger: Ledger, words: str
) -> None:
    """An error page of a proxy may hold any text, and so may the refusal of a session."""
    run = await planned(ledger, "A B")
    lost, refused = await sent(ledger, run, "A"), await sent(ledger, run, "B")
    doubt = remark("note.doubt", code="http_504", why=words)
    await ledger.record(lost, ANSWER, doubt, outcomes("A", State.UNKNOWN), at=later(1))
    denied = also(remark("note.log_in", why=words), words)
    await ledger.record(refused, ANSWER, denied, outcomes("B", State.PUSHED), at=later(1))
    assert await answered_with_success(ledger) == []
    assert [each.kept.attempt.id for each in await ledger.lost_calls(later(0), after=0)] == [
        lost.id
    ]


@pytest.mark.parametrize("again", [False, True])
async def test_a_success_that_names_nothing_counts_once_a_document_is_known(
    ledger: Ledger, *, again: bool
) -> None:
    """One of a bill that was sent before may be that call's."""
    run = await planned(ledger, "A")
    if again:
        await pushed(ledger, run, "A", State.PLANNED)
    attempt = await sent(ledger, run, "A")
    made = outcomes("A", State.PUSHED)
    await ledger.record(attempt, ANSWER, remark("note.silent_success"), made, at=later(1))
    assert await answered_with_success(ledger) == ([] if again else [attempt.id])


# -- what other runs have lately sent ---------------------------------------------------------


async def test_what_other_runs_have_sent_of_a_bill_is_told(ledger: Ledger, other: Ledger) -> None:
    """The oldest first and each call once, with its answer; of the run itself nothing."""
    first, second = await planned(ledger, "A B C"), await planned(other, "A B C", "r2")
    third = await planned(ledger, "A B C", "r3")
    refused = await pushed(ledger, first, "A B", State.REJECTED)
    await pushed(ledger, first, "C", State.REJECTED)
    await pushed(ledger, second, "A", State.REJECTED)
    told = await other.lately_sent(third, dict.fromkeys([B, A], ""), NOON)
    sent = [(k.attempt.intent.run, k.attempt.intent.numbers, bills) for k, bills in told]
    assert sent == [(first, (A, B), {A: A, B: B}), (second, (A,), {A: A})]
    kept = told[0].kept
    assert (kept.attempt, kept.exchange, kept.ended_at) == (refused, ANSWER, later(1))
    assert kept == (await ledger.attempts_of(B))[0]
    own = await other.lately_sent(second, dict.fromkeys([A], ""), NOON)
    assert [each.kept.attempt.intent.run for each in own] == [first]
    assert await other.lately_sent(third, dict.fromkeys([], ""), NOON) == []


async def test_the_first_and_the_last_call_for_a_bill_are_told(
    ledger: Ledger, other: Ledger
) -> None:
    """What came between is no later than the last, and made no more than these."""
    first = await planned(ledger, "A")
    await pushed(ledger, first, "A", State.PLANNED)
    last = await pushed(ledger, first, "A", State.REJECTED)
    second = await planned(other, "A", "r2")
    told = await other.lately_sent(second, dict.fromkeys([A], ""), NOON)
    found = [each.kept.attempt.id for each in told]
    assert (len(found), found[-1]) == (2, last.id)


async def test_what_other_runs_have_sent_of_a_bill_under_another_number_is_told(
    ledger: Ledger, other: Ledger
) -> None:
    """It has got another one since; of the first and of the last call of that run."""
    first, second = await planned(ledger, "A B"), await planned(other, "C", "r2")
    once = await pushed(ledger, first, "A B", State.PLANNED)
    twice = await pushed(ledger, first, "A", State.REJECTED)
    told = await other.lately_sent(second, {C: id_of(A)}, NOON)
    assert [(kept.attempt, bills) for kept, bills in told] == [(once, {C: A}), (twice, {C: A})]
    assert await other.lately_sent(second, {C: ""}, NOON) == []


async def test_what_other_runs_have_sent_long_ago_is_not_told(ledger: Ledger) -> None:
    """What was refused hours before has been seen since."""
    first, second = await planned(ledger, "A"), await planned(ledger, "A", "r2")
    await pushed(ledger, first, "A", State.REJECTED)
    assert len(await ledger.lately_sent(second, dict.fromkeys([A], ""), NOON)) == 1
    assert await ledger.lately_sent(second, dict.fromkeys([A], ""), later(0.001)) == []


async def test_a_call_that_was_killed_is_among_what_was_sent(ledger: Ledger) -> None:
    """It may be at work still, whatever a person has said of it."""
    first, second = await planned(ledger, "A"), await planned(ledger, "A", "r2")
    attempt = await sent(ledger, first, "A")
    async with ledger.own(first):
        pass
    await ledger.conclude(first, outcomes("A", State.PLANNED), at=later(1))
    ((kept, _),) = await ledger.lately_sent(second, dict.fromkeys([A], ""), NOON)
    assert (kept.attempt, kept.exchange, kept.ended_at) == (attempt, None, None)


async def test_what_was_sent_into_another_form_or_by_another_account_is_not_told(
    ledger: Ledger, theirs: Ledger
) -> None:
    """Their bills have the same numbers."""
    into_another = await planned(ledger, "A", scope="s|po|out")
    await pushed(ledger, into_another, "A", State.REJECTED)
    of_another = await planned(theirs, "A", "t1", f"{OTHER_ACCOUNT}|po|in")
    await pushed(theirs, of_another, "A", State.REJECTED)
    ours = await planned(ledger, "A", "r2")
    assert await ledger.lately_sent(ours, dict.fromkeys([A], ""), NOON) == []
