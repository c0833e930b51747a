from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import BillNumber, Identified, Source, id_in, key_of, number_in
from k3push.core.safety.listed_bills import Unclear, meant

NUMBER = BillNumber("CGDD01")
ONE, TWO = Source(NUMBER, "101"), Source(NUMBER, "102")

NUMBERS = st.text("AB,7 ", max_size=4).map(BillNumber)
IDS = st.integers(1, 10**18).map(str)


@given(NUMBERS, IDS)
def test_a_key_tells_number_and_id(number: str, id_: str) -> None:
    """Two bills that differ in either have keys that differ."""
    key = key_of(number, id_)
    assert (number_in(key), id_in(key)) == (number, id_)


@given(st.text("AB7 -", max_size=4))
def test_a_number_is_its_own_key(number: str) -> None:
    """Ledgers of earlier versions hold numbers alone."""
    assert (key_of(number), number_in(key_of(number)), id_in(key_of(number))) == (
        number,
        number,
        "",
    )


def test_a_number_that_one_bill_has_means_it() -> None:
    """The ERP's own spelling is what counts."""
    assert meant(key_of("cgdd01"), [ONE]).bill == Identified(NUMBER, "101")


def test_a_number_that_no_bill_has_means_none() -> None:
    """Nothing is sent that is not there."""
    assert meant(NUMBER, []).unclear is Unclear.ABSENT


def test_a_number_in_two_organisations_means_neither() -> None:
    """Both are named, to choose from."""
    found = meant(NUMBER, [ONE, TWO])
    assert (found.bill, found.unclear, found.sources) == (None, Unclear.AMBIGUOUS, (ONE, TWO))


def test_an_id_says_which_of_two_is_meant() -> None:
    """Their keys differ, so that both may be in one list."""
    bills = [meant(key_of(NUMBER, each.id), [ONE, TWO]).bill for each in (ONE, TWO)]
    assert bills == [
        Identified(key_of(NUMBER, "101"), "101"),
        Identified(key_of(NUMBER, "102"), "102"),
    ]


def test_an_id_alone_means_its_bill() -> None:
    """Nobody has to know its number."""
    assert meant(key_of("", "101"), [ONE]).bill == Identified(NUMBER, "101")
    assert meant(key_of("", "101"), [], ONE).bill == Identified(NUMBER, "101")


def test_a_bill_by_its_id_and_by_its_number_is_one_bill() -> None:
    """Where its number is its own; a list that has it twice pushes it once."""
    assert meant(key_of("", "101"), [ONE]).bill == meant(NUMBER, [ONE]).bill


def test_number_and_id_of_two_bills_mean_neither() -> None:
    """One of them is a slip."""
    other = Source(BillNumber("CGDD02"), "101")
    found = meant(key_of(NUMBER, "101"), [TWO], other)
    assert (found.bill, found.unclear, found.sources) == (None, Unclear.TWO_BILLS, (other,))


def test_an_id_that_no_bill_has_means_none() -> None:
    """Though another bill has the number."""
    assert meant(key_of(NUMBER, "7"), [ONE]).unclear is Unclear.ABSENT


def test_the_erp_says_whether_a_spelling_is_the_number() -> None:
    """A look by the number that shows the id is its word, however the number is spelled."""
    odd = Source(BillNumber("Straße"), "101")
    assert meant(key_of("STRASZE", "101"), [odd]).bill == Identified(odd.number, "101")


def test_a_bill_that_only_another_user_sees_by_its_number_is_found_by_its_id() -> None:
    """The first user sees a namesake of it, so that nobody else was asked by the number."""
    assert meant(key_of("cgdd01", "102"), [ONE], TWO).bill == Identified(
        key_of(NUMBER, "102"), "102"
    )


def test_a_draft_without_a_number_is_not_sent() -> None:
    """What it made could not be found by any number."""
    assert meant(key_of("", "7"), [], Source(BillNumber(""), "7")).unclear is Unclear.UNNUMBERED


def test_a_number_with_a_comma_is_named_with_its_id() -> None:
    """Else it would be taken for a number and an id."""
    odd = Source(BillNumber("A,7"), "101")
    assert meant(key_of("", "101"), [odd]).bill == Identified(key_of("A,7", "101"), "101")


SOURCES = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from("123")).map(
        lambda it: Source(BillNumber(it[0]), it[1])
    ),
    max_size=4,
    unique_by=lambda each: each.id,
)


@given(SOURCES, st.sampled_from(["A", "B", ""]), st.sampled_from(["1", "2", "3", ""]))
def test_a_line_means_one_bill_that_is_there_or_none(
    form: list[Source], number: str, id_: str
) -> None:
    """What it means has the number and the id that it names."""
    by_id = next((each for each in form if each.id == id_), None)
    looked_for = number or (by_id.number if by_id else "")
    found = meant(key_of(number, id_), [each for each in form if each.number == looked_for], by_id)
    fits = [s for s in form if number in {"", s.number} and id_ in {"", s.id}]
    if not number and not id_:
        fits = []
    if found.bill is None:
        assert len(fits) != 1
    else:
        assert [found.bill.id] == [each.id for each in fits]
        assert number_in(found.bill.bill) == fits[0].number


@given(SOURCES)
def test_bills_of_one_form_have_keys_of_their_own(form: list[Source]) -> None:
    """Claims, rows and attempts are told apart by them."""
    keys = {
        meant(key_of("", each.id), [s for s in form if s.number == each.number], each).bill
        for each in form
    }
    assert len({bill.bill for bill in keys if bill}) == len(form)
