from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import BillNumber
from k3push.core.protocol import wire
from k3push.core.safety.matching import MOST_CHARACTERS, MOST_NUMBERS, assign, fold, questions
from tests.core.protocol.answers import numbers

SPELLINGS = st.text("aAbB１1'-采ｱß ", min_size=1, max_size=4).map(BillNumber)
LONG = st.text("aA'采", min_size=1, max_size=200).map(BillNumber)


def test_spellings_that_a_database_may_take_for_one_fold_to_one() -> None:
    """SQL Server passes over letter case, width and trailing blanks (P 4.7)."""
    assert len({fold(text) for text in ("CGDD01", "cgdd01", "ＣＧＤＤ０１", "CgDd01  ")}) == 1
    assert fold("CGDD01") != fold("CGDD-01")


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    """Both sides of a comparison may have been folded before."""
    assert fold(fold(text)) == fold(text)


@given(st.lists(SPELLINGS))
def test_every_number_is_asked_for_once(wanted: list[BillNumber]) -> None:
    """A number that is not asked for would pass for absent."""
    asked = Counter(number for question in questions(wanted) for number in question)
    assert asked == Counter(set(wanted))


@given(st.lists(SPELLINGS))
def test_no_two_spellings_of_one_bill_share_a_question(wanted: list[BillNumber]) -> None:
    """Whose row would the answer be?"""
    for question in questions(wanted):
        assert len({fold(number) for number in question}) == len(question)


@given(st.lists(LONG, max_size=300))
def test_a_filter_stays_within_its_bounds(wanted: list[BillNumber]) -> None:
    """Servers throw at long filters, and quotes are written twice."""
    for question in questions(wanted):
        assert 1 <= len(question) <= MOST_NUMBERS
        listed = ",".join(wire.quoted(number) for number in question)
        assert len(listed) <= MOST_CHARACTERS or len(question) == 1


def test_quotes_count_twice_in_a_filter() -> None:
    """They are written twice."""
    wanted = [BillNumber("'" * 100 + str(i)) for i in range(40)]
    for question in questions(wanted):
        assert len(wire.one_of("", question)) <= MOST_CHARACTERS


def test_many_numbers_take_full_questions() -> None:
    """Each look costs a call."""
    wanted = [BillNumber(f"CGDD{i:07d}") for i in range(250)]
    assert [len(question) for question in questions(wanted)] == [100, 100, 50]


def test_an_exact_spelling_wins_over_a_folded_one() -> None:
    """A site that tells letter case apart has two bills."""
    upper, lower = numbers("A1 a1")
    found, left = assign([upper, lower], [(lower, "low"), (upper, "up")])
    assert (found, left) == ({upper: ["up"], lower: ["low"]}, False)


def test_rows_that_fit_no_number_are_left() -> None:
    """The database compares in a way that is not known here: each must be asked for alone."""
    a, b, x = numbers("A B X")
    assert assign([a, b], [(a, 1), (x, 2)]) == ({a: [1]}, True)


def test_all_rows_of_a_question_for_one_number_are_its_own() -> None:
    """The database itself has said that they match."""
    a, x = numbers("A X")
    assert assign([a], [(x, 1), (a, 2)]) == ({a: [1, 2]}, False)


def test_a_number_without_rows_is_absent() -> None:
    """Its absence is what the look was for."""
    assert assign(numbers("A B"), []) == ({}, False)
