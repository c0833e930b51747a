from __future__ import annotations

import pytest

from k3push.core.model import (
    BillNumber,
    Identified,
    Listed,
    Outcome,
    Repeat,
    Row,
    RunId,
    State,
    Target,
)
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.ports import Ledger
from tests.adapters.ledger.samples import (
    ANSWER,
    NOON,
    a_run,
    id_of,
    identified,
    in_words,
    later,
    lines,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

A, B, C, X, Y = numbers("A B C X Y")


async def test_listed_numbers_become_planned_rows(ledger: Ledger) -> None:
    """Nothing was asked of the ERP yet: its spelling is unknown."""
    run = a_run()
    await ledger.open_run(run)
    assert await ledger.add(run.id, lines("A B", first=2)) == []
    assert await ledger.rows(run.id) == [
        Row(1, 2, A, BillNumber(""), State.PLANNED),
        Row(2, 3, B, BillNumber(""), State.PLANNED),
    ]


async def test_a_number_listed_again_is_a_repeat(ledger: Ledger) -> None:
    """In one call or in two, it is one row."""
    run = a_run()
    await ledger.open_run(run)
    assert await ledger.add(run.id, lines("A B A")) == [Repeat(3, A, 1)]
    assert await ledger.add(run.id, lines("X B", first=4)) == [Repeat(5, B, 2)]
    repeats = await ledger.repeats(run.id)
    assert repeats == [Repeat(3, A, 1), Repeat(5, B, 2)]
    assert [(each.place, each.first_place) for each in repeats] == [(3, 1), (5, 2)]
    assert in_words(await ledger.rows(run.id)) == "A B X"


async def test_letter_case_is_not_the_ledgers_to_judge(ledger: Ledger) -> None:
    """Whether `a` is `A` only the ERP's database knows."""
    run = a_run()
    await ledger.open_run(run)
    assert await ledger.add(run.id, lines("a A Ａ")) == []


async def test_several_job_files_have_one_order(ledger: Ledger) -> None:
    """Line numbers begin again with each file; places do not."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, [Listed(7, A), Listed(8, A)])
    await ledger.add(run.id, [Listed(1, B), Listed(2, A)])
    rows = await ledger.rows(run.id)
    assert [(row.place, row.line, row.number) for row in rows] == [(1, 7, A), (3, 1, B)]
    assert [repeat.line for repeat in await ledger.repeats(run.id)] == [8, 2]


async def test_two_runs_may_list_one_number(ledger: Ledger) -> None:
    """What one run knows of it is no business of the other's."""
    first = await planned(ledger, "A")
    await pushed(ledger, first, "A")
    second = await planned(ledger, "A", "r2")
    assert await states(ledger, second) == {"A": State.PLANNED}


async def test_identify_writes_down_the_erps_spelling(ledger: Ledger) -> None:
    """The row keeps the job file's, and both find it."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("a b"))
    assert (await ledger.identify(run.id, identified({BillNumber("a"): A}))).repeats == []
    assert [(row.number, row.bill) for row in await ledger.rows(run.id)] == [("a", "A"), ("b", "")]


async def test_two_spellings_of_one_bill_become_one_row(ledger: Ledger) -> None:
    """Sent apart, they would make two documents of one bill."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("a Ａ A A"))
    spelled = dict.fromkeys(numbers("a Ａ A"), A)
    assert (await ledger.identify(run.id, identified(spelled))).repeats == [
        Repeat(2, BillNumber("Ａ"), 1),
        Repeat(3, A, 1),
    ]
    # The repeat of line 3 is a repeat of what line 3 repeats.
    assert await ledger.repeats(run.id) == [
        Repeat(2, BillNumber("Ａ"), 1),
        Repeat(3, A, 1),
        Repeat(4, A, 1),
    ]
    assert in_words(await ledger.rows(run.id)) == "a"
    assert await ledger.counts(run.id) == {State.PLANNED: 1}


async def test_spellings_may_meet_over_two_calls(ledger: Ledger) -> None:
    """What is not looked at now may wait to be sent, and keeps its row."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("a A"))
    await ledger.identify(run.id, identified({A: A}))
    assert (await ledger.identify(run.id, identified({BillNumber("a"): A}))).repeats == [
        Repeat(1, BillNumber("a"), 2)
    ]
    assert [(row.number, row.bill) for row in await ledger.rows(run.id)] == [("A", "A")]


async def test_identify_twice_changes_nothing(ledger: Ledger) -> None:
    """A resumed run asks again."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("a A"))
    spelled = {BillNumber("a"): A, A: A}
    await ledger.identify(run.id, identified(spelled))
    before = (await ledger.rows(run.id), await ledger.repeats(run.id))
    assert (await ledger.identify(run.id, identified(spelled))).repeats == []
    assert (await ledger.rows(run.id), await ledger.repeats(run.id)) == before


async def test_a_row_with_a_past_is_never_taken_away(ledger: Ledger) -> None:
    """Its attempts and outcome are the only memory of a document."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("a A"))
    await ledger.identify(run.id, identified({A: A}))
    await pushed(ledger, run.id, "A")
    assert (await ledger.identify(run.id, identified({BillNumber("a"): A}))).repeats == [
        Repeat(1, BillNumber("a"), 2)
    ]
    assert await states(ledger, run.id) == {"A": State.PUSHED}


async def test_two_rows_with_a_past_stay_two(ledger: Ledger) -> None:
    """To take either away would lose an outcome, so nothing is changed at all."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("a A b"))
    await ledger.identify(run.id, identified({A: A}))
    await pushed(ledger, run.id, "A")
    await ledger.conclude(run.id, outcomes("a", State.REJECTED), at=later(2))
    before = await ledger.rows(run.id)
    with pytest.raises(IllegalMoveError):
        await ledger.identify(run.id, identified({BillNumber("b"): B, BillNumber("a"): A}))
    assert await ledger.rows(run.id) == before


async def test_a_row_keeps_the_spelling_it_was_sent_under(ledger: Ledger) -> None:
    """Its attempts are found by that spelling."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A")
    assert (await ledger.identify(run, identified({A: X}))).repeats == []
    (row,) = await ledger.rows(run)
    assert (row.bill, row.source_id) == (A, id_of("A"))


async def test_a_row_that_is_planned_again_is_of_the_bill_that_has_its_number_now(
    ledger: Ledger,
) -> None:
    """The bill was deleted and entered anew; two others have changed their numbers."""
    run = await planned(ledger, "A B C")
    await pushed(ledger, run, "A B C", State.PLANNED)
    await pushed(ledger, run, "C")
    # What has an end keeps its id.
    now = {A: Identified(A, "7"), B: Identified(B, id_of("A")), C: Identified(C, id_of("B"))}
    assert (await ledger.identify(run, now)).repeats == []
    rows = await ledger.rows(run)
    assert [(row.bill, row.source_id) for row in rows] == [
        (A, "7"),
        (B, id_of("A")),
        (C, id_of("C")),
    ]


async def test_two_rows_may_change_spellings(ledger: Ledger) -> None:
    """Bills are renamed in the ERP, and each row follows its own."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.add(run.id, lines("A B"))
    await ledger.identify(run.id, identified({A: X, B: Y}))
    assert (await ledger.identify(run.id, identified({A: Y, B: X}))).repeats == []
    assert [row.bill for row in await ledger.rows(run.id)] == [Y, X]


async def test_rows_come_in_pages(ledger: Ledger) -> None:
    """A page begins behind the last row's place, so rows that move are neither lost nor doubled."""
    run = await planned(ledger, "A B C D E")
    page = await ledger.rows(run, limit=2)
    assert in_words(page) == "A B"
    await pushed(ledger, run, "A")
    page = await ledger.rows(run, after=page[-1].place, limit=2)
    assert in_words(page) == "C D"
    assert in_words(await ledger.rows(run, after=page[-1].place, limit=2)) == "E"
    assert await ledger.rows(run, after=5) == []


async def test_rows_of_some_states_keep_their_order(ledger: Ledger) -> None:
    """Whatever the order in which they came into those states."""
    run = await planned(ledger, "A B C D E")
    await pushed(ledger, run, "D B")
    await pushed(ledger, run, "C", State.REJECTED)
    both = {State.PUSHED, State.REJECTED}
    assert in_words(await ledger.rows(run, states=both)) == "B C D"
    assert in_words(await ledger.rows(run, states=both, limit=2)) == "B C"
    assert in_words(await ledger.rows(run, states=both, after=3, limit=2)) == "D"
    assert in_words(await ledger.rows(run, states=[State.PLANNED])) == "A E"
    assert await ledger.rows(run, states=[State.DRAFT]) == []


async def test_counts_follow_every_move(ledger: Ledger) -> None:
    """A state without rows is absent."""
    run = await planned(ledger, "A B C")
    assert await ledger.counts(run) == {State.PLANNED: 3}
    await pushed(ledger, run, "A B C", State.REJECTED)
    assert await ledger.counts(run) == {State.REJECTED: 3}
    await ledger.conclude(run, outcomes("B", State.PLANNED), at=later(2))
    assert await ledger.counts(run) == {State.REJECTED: 2, State.PLANNED: 1}


async def test_a_document_of_many_sources_counts_once(ledger: Ledger) -> None:
    """Merged sources share a document, also one of an earlier chunk, and a split one has two."""
    run = await planned(ledger, "A B C D E")
    assert await ledger.target_count(run) == 0
    merged = Target("7", "CGRK-7")
    first = await sent(ledger, run, "A")
    made = [Outcome(A, State.PUSHED, (merged,))]
    await ledger.record(first, ANSWER, "made", made, at=later(1))
    second = await sent(ledger, run, "B")
    made = [Outcome(B, State.DRAFT, (merged, Target("8", "", draft=True)))]
    await ledger.record(second, ANSWER, "made", made, at=later(1))
    split = (Target("9", "CGRK-9"), Target('1"0', "CGRK-10"))
    await ledger.conclude(run, [Outcome(C, State.ALREADY, split)], at=later(2))
    await pushed(ledger, run, "D", State.REJECTED)
    assert await ledger.target_count(run) == 4
    other = await planned(ledger, "A", name="r2")
    assert await ledger.target_count(other) == 0


async def test_a_number_is_found_in_all_runs_by_either_spelling(ledger: Ledger) -> None:
    """`explain` is asked with what a person has at hand."""
    for name, seconds in [("r2", 5), ("r1", 1), ("r3", 9)]:
        run = a_run(name, at=later(seconds))
        await ledger.open_run(run)
        await ledger.add(run.id, lines("a B"))
        await ledger.identify(run.id, identified({BillNumber("a"): A}))
    for spelling in ("a", "A"):
        found = await ledger.rows_of(BillNumber(spelling))
        assert [(run_id, row.number) for run_id, row in found] == [
            ("r1", "a"),
            ("r2", "a"),
            ("r3", "a"),
        ]
        assert set(await ledger.accounts_with(BillNumber(spelling), ["s"])) == {"s"}
    assert await ledger.rows_of(X) == []


async def test_thousands_of_numbers_fit_one_call(ledger: Ledger) -> None:
    """A job is read in pages, and no page is too large for a database's limits."""
    many = " ".join(f"CGDD{index:07}" for index in range(40_000))
    run = await planned(ledger, many)
    assert await ledger.counts(run) == {State.PLANNED: 40_000}
    assert await ledger.claim(run, numbers(many)) == {}


async def test_rows_are_found_by_a_part_of_what_they_hold(
    ledger: Ledger, other: Ledger, theirs: Ledger
) -> None:
    """A person has a document in hand, or a part of a number, and wants to know whence it came."""
    first = await planned(ledger, "CGDD01 CGDD_2 X%9")
    second = await planned(other, "cgdd01 CGDD03", "r2")
    await planned(theirs, "CGDD01", "t1", "t|po|in")
    made = Outcome(BillNumber("CGDD_2"), State.ALREADY, (Target("77", "CGRK0055"),))
    refused = Outcome(
        BillNumber("CGDD03"), State.REJECTED, code="precheck", reason="note.blocked.closed{}"
    )
    await ledger.conclude(first, [made], at=NOON)
    await ledger.conclude(second, [refused], at=NOON)

    async def found(words: str, *remarks: str, limit: int = 9) -> list[tuple[RunId, str]]:
        rows = await other.find_rows(words, remarks=remarks, limit=limit)
        return [(run, row.number) for run, row in rows]

    assert await found("GDD01") == [(second, "cgdd01"), (first, "CGDD01")]
    assert await found("GDD01", limit=1) == [(second, "cgdd01")]
    assert await found("rk0055") == [(first, "CGDD_2")]
    assert await found("DD_") == [(first, "CGDD_2")]
    assert await found("%9") == [(first, "X%9")]
    assert await found("blocked.cl") == [(second, "CGDD03")]
    assert await found("整单", "note.blocked.closed") == [(second, "CGDD03")]
    assert await found("precheck") == [(second, "CGDD03")]
    assert await found("nowhere") == []
    # An id is found as a whole: a part of one is in many others.
    id_ = id_of("X%9")
    assert (await found(id_), await found(id_[:-1])) == ([(first, "X%9")], [])
    assert await other.runs_holding(id_) == {first}
    # However many rows of a run hold it, each run is named.
    assert await other.runs_holding("gdd01") == {first, second}
    assert await other.runs_holding("整单", remarks=["note.blocked.closed"]) == {second}
    assert await other.runs_holding("nowhere") == set()


@pytest.mark.parametrize("number", [r"RK\2024", 'RK"7"'], ids=["backslash", "quotes"])
async def test_a_document_is_found_by_whatever_number_it_has(ledger: Ledger, number: str) -> None:
    """Databases keep documents as JSON, which writes some characters in another way."""
    run = await planned(ledger, "A B")
    made = Outcome(A, State.ALREADY, (Target("77", number),))
    await ledger.conclude(run, [made], at=NOON)
    assert [row.bill for _, row in await ledger.find_rows(number)] == [A]
    assert await ledger.runs_holding(number) == {run}
