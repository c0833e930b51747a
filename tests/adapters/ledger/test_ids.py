"""Bills by their ids: two of one number are two bills, and one bill is one however it is named."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from k3push.adapters.ledger.spelling import Spelled, spell
from k3push.core.model import (
    BillNumber,
    Identified,
    Listed,
    NoAnswer,
    Outcome,
    Repeat,
    Row,
    RunId,
    State,
    Target,
    key_of,
)
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.ports import Holder, Identification, Ledger, Made
from tests.adapters.ledger.samples import ANSWER, a_run, intent, later, numbers

pytestmark = pytest.mark.anyio

NUMBER = BillNumber("A")
ONE, TWO = key_of("A", "101"), key_of("A", "102")
BY_NUMBER, BY_ONE, BY_TWO = (
    Listed(1, NUMBER),
    Listed(2, NUMBER, id="101"),
    Listed(3, NUMBER, id="102"),
)
ONLY_ONE = Listed(4, BillNumber(""), id="101")
SCOPE = a_run().scope


def is_(bill: BillNumber, id_: str) -> Identified:
    """Say which bill a line means."""
    return Identified(bill, id_)


async def opened(ledger: Ledger, listed: Sequence[Listed], name: str = "r1") -> RunId:
    """Open a run with lines."""
    run = a_run(name)
    await ledger.open_run(run)
    await ledger.add(run.id, listed)
    return run.id


async def with_two(ledger: Ledger, name: str = "r1") -> RunId:
    """Open a run with two bills of one number."""
    run = await opened(ledger, [BY_ONE, BY_TWO], name)
    assert (await ledger.identify(run, {ONE: is_(ONE, "101"), TWO: is_(TWO, "102")})).repeats == []
    return run


async def with_one(ledger: Ledger, name: str = "r1", id_: str = "101") -> RunId:
    """Open a run with a bill whose number is its own, as far as anybody knows."""
    run = await opened(ledger, [BY_NUMBER], name)
    await ledger.identify(run, {NUMBER: is_(NUMBER, id_)})
    return run


async def push(
    ledger: Ledger, run: RunId, bill: BillNumber, state: State = State.PUSHED, target: str = "7"
) -> None:
    """Send a bill and record what became of it."""
    assert await ledger.claim(run, [bill]) == {}
    attempt = await ledger.begin(intent(run, bill))
    targets = (Target(target, f"RK{target}"),) if state is State.PUSHED else ()
    exchange = ANSWER if state is State.PUSHED else NoAnswer("reset")
    told = [Outcome(bill, state, targets)]
    await ledger.record(attempt, exchange, "so", told, at=later(1))


# -- rows -------------------------------------------------------------------------------------


async def test_lines_of_one_number_and_two_ids_are_two_rows(ledger: Ledger) -> None:
    """One number in two organisations."""
    lines = [BY_NUMBER, BY_ONE, BY_TWO, ONLY_ONE]
    run = await opened(ledger, lines)
    assert [(r.number, r.listed_id, r.listed) for r in await ledger.rows(run)] == [
        (line.number, line.id, line.key) for line in lines
    ]
    assert await ledger.add(run, [Listed(9, BillNumber(""), id="101"), Listed(10, NUMBER)]) == [
        Repeat(9, key_of("", "101"), 4),
        Repeat(10, NUMBER, 1),
    ]
    assert len(await ledger.repeats(run)) == 2


async def test_a_row_knows_its_bill_by_number_and_id(ledger: Ledger) -> None:
    """Whichever the job file had, exports show both."""
    run = await with_two(ledger)
    rows = await ledger.rows(run, states={State.PLANNED})
    assert [(row.bill, row.source_id, row.shown_number, row.shown_id) for row in rows] == [
        (ONE, "101", "A", "101"),
        (TWO, "102", "A", "102"),
    ]
    alone = await opened(ledger, [ONLY_ONE], "r2")
    await ledger.identify(alone, {ONLY_ONE.key: is_(NUMBER, "101")})
    (row,) = await ledger.rows(alone)
    assert (row.number, row.bill, row.key, row.shown_number) == ("", NUMBER, NUMBER, NUMBER)


async def test_a_bill_that_is_listed_by_number_and_by_id_has_one_row(ledger: Ledger) -> None:
    """The earlier line keeps it."""
    run = await opened(ledger, [BY_NUMBER, ONLY_ONE])
    named = dict.fromkeys([NUMBER, ONLY_ONE.key], is_(NUMBER, "101"))
    assert (await ledger.identify(run, named)).repeats == [Repeat(4, ONLY_ONE.key, 1)]
    assert await ledger.repeats(run) == [Repeat(4, ONLY_ONE.key, 1)]


async def test_an_id_shows_one_bill_under_two_names(ledger: Ledger) -> None:
    """Its number was its own when the first line was read, and another bill has it by now."""
    run = await opened(ledger, [BY_NUMBER, ONLY_ONE, BY_TWO])
    await ledger.identify(run, {NUMBER: is_(NUMBER, "101")})
    later_on = {ONLY_ONE.key: is_(ONE, "101"), TWO: is_(TWO, "102")}
    assert (await ledger.identify(run, later_on)).repeats == [Repeat(4, ONLY_ONE.key, 1)]
    assert [row.bill for row in await ledger.rows(run)] == [NUMBER, TWO]


async def test_a_bill_that_was_sent_keeps_its_name(ledger: Ledger) -> None:
    """Its attempts and its claim are found by it."""
    run = await with_one(ledger)
    await push(ledger, run, NUMBER, State.UNKNOWN)
    await ledger.add(run, [BY_TWO])
    assert (
        await ledger.identify(run, {NUMBER: is_(ONE, "101"), TWO: is_(TWO, "102")})
    ).repeats == []
    assert [(row.bill, row.source_id) for row in await ledger.rows(run)] == [
        (NUMBER, "101"),
        (TWO, "102"),
    ]


async def test_a_bill_that_stays_what_it_was_keeps_its_id_from_others(ledger: Ledger) -> None:
    """Numbers go round: each of two is the next one's by now, which travels by its id as well."""
    lines = [Listed(1, BillNumber("B")), Listed(2, NUMBER), BY_TWO]
    run = await opened(ledger, lines)
    before = {BillNumber("B"): "100", NUMBER: "101", TWO: "102"}
    await ledger.identify(run, {bill: is_(bill, id_) for bill, id_ in before.items()})
    for bill in before:
        await push(ledger, run, bill, State.PLANNED)
    now = {BillNumber("B"): "101", NUMBER: "102", TWO: "102"}
    assert (
        await ledger.identify(run, {bill: is_(bill, id_) for bill, id_ in now.items()})
    ).repeats == []
    assert {row.bill: row.source_id for row in await ledger.rows(run)} == before


async def test_a_row_of_an_earlier_version_learns_its_id(ledger: Ledger) -> None:
    """The bill was sent before ids were kept."""
    run = await opened(ledger, [BY_NUMBER, ONLY_ONE])
    await ledger.identify(run, {NUMBER: is_(NUMBER, "")})
    await push(ledger, run, NUMBER, State.UNKNOWN)
    await ledger.identify(run, {NUMBER: is_(NUMBER, "101")})
    assert [row.source_id for row in await ledger.rows(run)] == ["101", ""]
    assert (await ledger.identify(run, {ONLY_ONE.key: is_(ONE, "101")})).repeats == [
        Repeat(4, ONLY_ONE.key, 1)
    ]


async def test_a_number_finds_all_bills_that_have_it(ledger: Ledger) -> None:
    """A person types what stands on the paper."""
    run = await with_two(ledger)
    alone = await opened(ledger, [ONLY_ONE, Listed(5, BillNumber("A-1"))], "r2")
    await ledger.identify(alone, {ONLY_ONE.key: is_(NUMBER, "101")})

    async def found(number: BillNumber) -> list[tuple[RunId, BillNumber]]:
        rows = await ledger.rows_of(number)
        assert bool(await ledger.accounts_with(number, ["s"])) == bool(rows)
        return [(of, row.bill) for of, row in rows]

    assert await found(NUMBER) == [(run, ONE), (run, TWO), (alone, NUMBER)]
    assert await found(TWO) == [(run, TWO)]
    assert await found(ONLY_ONE.key) == [(alone, NUMBER)]
    assert await found(key_of(NUMBER, "999")) == []


async def test_a_line_that_means_no_bill_has_an_outcome_under_its_own_name(ledger: Ledger) -> None:
    """Number and id may be of two bills."""
    run = await opened(ledger, [BY_NUMBER, BY_ONE, ONLY_ONE])
    told = [Outcome(line.key, State.REJECTED, code="precheck") for line in (BY_ONE, ONLY_ONE)]
    await ledger.conclude(run, told, at=later(1), note="looked")
    assert [row.state for row in await ledger.rows(run)] == [
        State.PLANNED,
        State.REJECTED,
        State.REJECTED,
    ]
    assert [note.text for note in await ledger.notes_of(ONE)] == ["looked"]


# -- claims -----------------------------------------------------------------------------------


async def test_a_bill_is_claimed_once_by_number_and_by_id(ledger: Ledger, other: Ledger) -> None:
    """Two runs that named it in different ways would make two documents."""
    first, second = await with_one(ledger), await with_two(other, "r2")
    async with ledger.own(first), other.own(second):
        assert await ledger.claim(first, [NUMBER]) == {}
        assert await other.claim(second, [ONE]) == {ONE: Holder(first, alive=True)}
        await ledger.conclude(first, [Outcome(NUMBER, State.REJECTED)], at=later(1))
        assert await other.claim(second, [ONE]) == {}
        assert await ledger.claim(first, [NUMBER]) == {NUMBER: Holder(second, alive=True)}


async def test_bills_of_one_number_go_one_after_another(ledger: Ledger) -> None:
    """A document may name nothing but the number, and two might each pass for the other's."""
    run = await with_two(ledger)
    async with ledger.own(run):
        assert await ledger.claim(run, [ONE]) == {}
        assert await ledger.claim(run, [TWO]) == {}
        assert await ledger.claim(run, [ONE]) == {}
        attempt = await ledger.begin(intent(run, ONE))
        assert await ledger.claim(run, [TWO]) == {TWO: Holder(run, alive=True)}
        with pytest.raises(IllegalMoveError):
            await ledger.begin(intent(run, TWO))
        doubt = [Outcome(ONE, State.UNKNOWN)]
        await ledger.record(attempt, NoAnswer("reset"), "doubt", doubt, at=later(1))
        assert await ledger.claim(run, [TWO]) == {TWO: Holder(run, alive=True)}
        await ledger.conclude(run, [Outcome(ONE, State.PUSHED)], at=later(2))
        await push(ledger, run, TWO)
    assert [row.state for row in await ledger.rows(run)] == [State.PUSHED, State.PUSHED]


async def test_a_claim_for_another_bill_is_none_to_send_with(ledger: Ledger) -> None:
    """Only the last of them was claimed."""
    run = await with_two(ledger)
    await ledger.claim(run, [ONE])
    await ledger.claim(run, [TWO])
    with pytest.raises(IllegalMoveError, match="claim"):
        await ledger.begin(intent(run, ONE))


async def test_two_bills_of_one_number_never_travel_together(ledger: Ledger) -> None:
    """A message that names the number would name both."""
    run = await with_two(ledger)
    with pytest.raises(IllegalMoveError):
        await ledger.claim(run, [ONE, TWO])
    await ledger.claim(run, [ONE])
    with pytest.raises(IllegalMoveError):
        await ledger.begin(intent(run, f"{ONE} {TWO}"))


async def test_a_doubt_of_the_dead_holds_the_number(ledger: Ledger, other: Ledger) -> None:
    """Whichever bill of it is wanted: what appears may be the dead one's."""
    run = await with_two(ledger)
    await push(ledger, run, ONE, State.UNKNOWN)
    second = await with_one(other, "r2", "102")
    assert await other.claim(second, [NUMBER]) == {NUMBER: Holder(run, alive=False)}
    async with other.own(run, executes=False):
        await other.conclude(run, [Outcome(ONE, State.PLANNED)], at=later(9))
    assert await other.claim(second, [NUMBER]) == {}


async def test_a_claim_of_the_dead_for_what_was_never_sent_is_taken_over(
    ledger: Ledger, other: Ledger
) -> None:
    """Nothing can appear of it."""
    run = await with_two(ledger)
    await ledger.claim(run, [ONE])
    second = await with_one(other, "r2")
    assert await other.claim(second, [NUMBER]) == {}
    with pytest.raises(IllegalMoveError, match="claim"):
        await ledger.begin(intent(run, ONE))


async def test_what_no_row_is_called_any_more_is_claimed_no_more(
    ledger: Ledger, other: Ledger
) -> None:
    """A claim was taken for a bill that has got another number before it left."""
    renamed = BillNumber("B")
    first, second = await with_one(ledger), await with_one(other, "r2", "102")
    async with ledger.own(first):
        assert await ledger.claim(first, [NUMBER]) == {}
        await ledger.identify(first, {NUMBER: is_(renamed, "101")})
        assert await other.claim(second, [NUMBER]) == {}
        assert await ledger.claim(first, [renamed]) == {}


# -- what was made ----------------------------------------------------------------------------


async def test_what_was_made_of_a_bill_is_known_by_its_id(ledger: Ledger) -> None:
    """However it was named then, and whatever has its number now."""
    first = await with_one(ledger)
    await push(ledger, first, NUMBER)
    second = await with_two(ledger, "r2")
    made = Made(first, ONE, State.PUSHED, (Target("7", "RK7"),))
    assert await ledger.made_of(second, dict.fromkeys([ONE, TWO], "")) == {ONE: made}
    third = await with_one(ledger, "r3", "102")
    assert await ledger.made_of(third, dict.fromkeys([NUMBER], "")) == {}


async def test_a_bill_that_got_another_number_is_known_by_its_id(
    ledger: Ledger, other: Ledger
) -> None:
    """Whoever asks for it by its new number learns what was made of it under the old one."""
    renamed = BillNumber("B")
    first = await with_one(ledger)
    await push(ledger, first, NUMBER)
    second = await opened(other, [Listed(1, renamed)], "r2")
    await other.identify(second, {renamed: is_(renamed, "101")})
    made = Made(first, renamed, State.PUSHED, (Target("7", "RK7"),))
    assert await other.made_of(second, dict.fromkeys([renamed], "")) == {renamed: made}
    assert await other.made_in(SCOPE, {renamed: "101"}) == {renamed: made}
    assert await other.made_in(SCOPE, {renamed: "102", NUMBER: "103"}) == {}
    assert await other.made_in("s|po|out", {renamed: "101"}) == {}


async def test_another_row_of_a_run_tells_what_it_has_made_of_the_same_bill(
    ledger: Ledger,
) -> None:
    """It was sent under its old number, and the list names the new one as well."""
    renamed = BillNumber("B")
    run = await opened(ledger, [Listed(1, NUMBER), Listed(2, renamed)])
    await ledger.identify(run, {NUMBER: is_(NUMBER, "101")})
    await push(ledger, run, NUMBER)
    await ledger.identify(run, {renamed: is_(renamed, "101")})
    made = Made(run, renamed, State.PUSHED, (Target("7", "RK7"),))
    assert await ledger.made_of(run, dict.fromkeys([NUMBER, renamed], "")) == {renamed: made}


async def test_a_row_takes_no_id_that_a_row_of_another_number_with_a_past_has(
    ledger: Ledger,
) -> None:
    """Two rows of a run would be one bill, and neither may be taken away."""
    old, new = NUMBER, BillNumber("B")
    run = await opened(ledger, [Listed(1, old), Listed(2, new)])
    await ledger.identify(run, {old: is_(old, "101"), new: is_(new, "102")})
    await push(ledger, run, old, State.PLANNED)
    await push(ledger, run, new, State.UNKNOWN)
    assert (await ledger.identify(run, {old: is_(old, "102")})).repeats == []
    assert {row.bill: row.source_id for row in await ledger.rows(run)} == {old: "101", new: "102"}


async def test_a_bill_that_gets_the_number_of_another_row_is_no_repeat_of_it(
    ledger: Ledger,
) -> None:
    """That row's bill has another number by now, and nobody has looked at it since."""
    run = await opened(ledger, [BY_ONE, BY_TWO, Listed(3, BillNumber("B"))])
    await ledger.identify(run, {ONE: is_(NUMBER, "101"), TWO: is_(BillNumber("C"), "102")})
    told = await ledger.identify(
        run, {TWO: is_(NUMBER, "102"), BillNumber("B"): is_(NUMBER, "103")}
    )
    third = key_of("A", "103")
    assert told == Identification([], {TWO: TWO, BillNumber("B"): third})
    again = await ledger.identify(run, {BillNumber("B"): is_(NUMBER, "103")})
    assert again == Identification([], {BillNumber("B"): third})
    rows = {row.bill: row.source_id for row in await ledger.rows(run)}
    assert rows == {NUMBER: "101", TWO: "102", third: "103"}
    assert await ledger.identify(run, {ONE: is_(BillNumber("D"), "101")}) == Identification([], {})
    rows = {row.bill: row.source_id for row in await ledger.rows(run)}
    assert rows == {"D": "101", TWO: "102", third: "103"}


async def test_what_a_bill_goes_by_is_told_whenever_its_line_is_named(ledger: Ledger) -> None:
    """A row is looked at anew as its run goes on, and is called by number and id already."""
    run = await opened(ledger, [Listed(1, NUMBER), Listed(2, BillNumber(""), id="102")])
    by_id = key_of("", "102")
    await ledger.identify(run, {NUMBER: is_(NUMBER, "101")})
    await push(ledger, run, NUMBER)
    for _ in range(2):
        told = await ledger.identify(run, {by_id: is_(NUMBER, "102")})
        assert told == Identification([], {by_id: TWO})


async def test_a_line_is_no_repeat_of_a_later_one_that_was_sent_under_its_number(
    ledger: Ledger,
) -> None:
    """The number of the later row has gone to the bill of the first, which is named by its id."""
    run = await opened(ledger, [Listed(1, BillNumber(""), id="102"), Listed(2, NUMBER)])
    by_id = key_of("", "102")
    await ledger.identify(run, {by_id: is_(BillNumber("B"), "102"), NUMBER: is_(NUMBER, "101")})
    await push(ledger, run, NUMBER, State.PLANNED)
    told = await ledger.identify(run, {by_id: is_(NUMBER, "102"), NUMBER: is_(NUMBER, "102")})
    assert told == Identification([], {by_id: TWO}, frozenset({NUMBER}))


async def test_what_was_made_is_asked_for_by_what_the_last_look_has_told(ledger: Ledger) -> None:
    """A row keeps its id where another row has the one that its number leads to by now."""
    old, new = NUMBER, BillNumber("B")
    run = await opened(ledger, [Listed(1, old), Listed(2, new)])
    await ledger.identify(run, {old: is_(old, "101"), new: is_(new, "102")})
    await push(ledger, run, new)
    made = Made(run, old, State.PUSHED, (Target("7", "RK7"),))
    assert await ledger.made_of(run, {old: ""}) == {}
    assert await ledger.made_of(run, {old: "102"}) == {old: made}


async def test_what_was_made_in_a_scope_is_known_by_the_id(ledger: Ledger) -> None:
    """The other bill of the number is another."""
    first = await with_one(ledger)
    await push(ledger, first, NUMBER)
    made = Made(first, NUMBER, State.PUSHED, (Target("7", "RK7"),))
    assert await ledger.made_in(SCOPE, {NUMBER: "101"}) == {NUMBER: made}
    assert await ledger.made_in(SCOPE, {NUMBER: "102", TWO: "102"}) == {}
    assert set(await ledger.made_in(SCOPE, {ONE: ""})) == {ONE}


async def test_a_row_without_an_id_may_be_any_bill_of_its_number(ledger: Ledger) -> None:
    """Earlier versions kept none, and a second document is the greater harm."""
    first = await opened(ledger, [BY_NUMBER])
    await ledger.identify(first, {NUMBER: is_(NUMBER, "")})
    await push(ledger, first, NUMBER)
    second = await with_two(ledger, "r2")
    assert set(await ledger.made_of(second, dict.fromkeys([ONE, TWO], ""))) == {ONE, TWO}
    assert await ledger.made_of_namesakes(SCOPE, [ONE, TWO]) == {}


async def test_of_two_bills_of_a_number_the_later_line_tells_last(ledger: Ledger) -> None:
    """Each database has an order of its own, in which it finds them."""
    run = await opened(ledger, [BY_TWO, BY_ONE])
    await ledger.identify(run, {ONE: is_(ONE, "101"), TWO: is_(TWO, "102")})
    await push(ledger, run, TWO, target="8")
    await push(ledger, run, ONE, target="7")
    made = (await ledger.made_in(SCOPE, {NUMBER: ""}))[NUMBER]
    assert (made.targets, set(made.ids)) == ((Target("7", "RK7"),), {"7", "8"})


async def test_what_was_made_of_other_bills_of_a_number_is_told(
    ledger: Ledger, other: Ledger
) -> None:
    """Documents that name the number alone are told apart by it."""
    first, second = await with_one(ledger), await with_two(ledger, "r2")
    await push(ledger, first, NUMBER, target="7")
    await push(ledger, second, TWO, target="8")
    found = await other.made_of_namesakes(SCOPE, [ONE, TWO, key_of("A", "103"), key_of("B", "101")])
    assert found == {ONE: {"8"}, TWO: {"7"}, key_of("A", "103"): {"7", "8"}}
    assert await other.made_of_namesakes("s|po|out", [ONE]) == {}
    assert await other.made_of_namesakes("t|po|in", [ONE]) == {}


async def test_a_number_that_begins_like_another_is_another(ledger: Ledger) -> None:
    """They stand side by side in an index."""
    names = "A A,B A+ A. A-"
    run = await opened(ledger, [Listed(n, name) for n, name in enumerate(numbers("A A+ A. A-"), 1)])
    named = {name: is_(name, str(n)) for n, name in enumerate(numbers("A A+ A. A-"), 1)}
    odd = Listed(9, BillNumber(""), id="9")
    await ledger.add(run, [odd])
    await ledger.identify(run, {**named, odd.key: is_(key_of("A,B", "9"), "9")})
    for place, bill in enumerate([*named, key_of("A,B", "9")], start=1):
        await push(ledger, run, bill, target=str(place))
    assert names.count("A") == len(await ledger.rows(run))
    second = await with_one(ledger, "r2", "1")
    assert (await ledger.made_of(second, dict.fromkeys([NUMBER], "")))[NUMBER].targets == (
        Target("1", "RK1"),
    )
    assert await ledger.made_of_namesakes(SCOPE, [key_of("A", "77")]) == {key_of("A", "77"): {"1"}}


# -- doubts -----------------------------------------------------------------------------------


async def test_a_doubt_says_by_which_id_its_bill_travels(ledger: Ledger) -> None:
    """It goes on as it was sent."""
    run = await opened(ledger, [BY_NUMBER, Listed(2, BillNumber(""), id="202")])
    by_id = key_of("", "202")
    await ledger.identify(run, {NUMBER: is_(NUMBER, "101"), by_id: is_(BillNumber("B"), "202")})
    await push(ledger, run, NUMBER, State.UNKNOWN)
    await push(ledger, run, BillNumber("B"), State.UNKNOWN)
    assert [(doubt.number, doubt.id) for doubt in await ledger.doubts(run)] == [
        ("A", ""),
        ("B", "202"),
    ]


def test_a_row_is_called_what_the_erp_calls_it_or_the_job_file() -> None:
    """In that order."""
    row = Row(1, 2, BillNumber(""), BillNumber(""), State.PLANNED, listed_id="7")
    assert (row.key, row.shown_number, row.shown_id) == (",7", "", "7")
    known = row._replace(bill=ONE, source_id="101")
    assert (known.key, known.shown_number, known.shown_id) == (ONE, "A", "101")


def test_rows_are_named_alike_in_whatever_order_they_are_found() -> None:
    """Each database has an order of its own, in which it finds them."""
    rows = [
        Spelled(1, State.SENT, 1, BillNumber("a"), "1"),
        Spelled(2, State.PLANNED, 0, BillNumber("B"), "7"),
        Spelled(3, State.PLANNED, 0, ONE, "1"),
    ]
    lines = {1: BillNumber("a"), 2: BillNumber("B"), 3: ONE}
    named = {BillNumber("B"): is_(BillNumber("D"), "1")}
    there, back = (spell(each, lines, named) for each in (rows, rows[::-1]))
    assert there == back
