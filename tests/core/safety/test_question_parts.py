from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import BillNumber
from k3push.core.protocol import wire
from k3push.core.safety.matching import fold
from k3push.core.safety.question_parts import MOST_CHARACTERS, MOST_NUMBERS, questions

SPELLINGS = st.text("aAbB１1'-采ｱß ", min_size=1, max_size=4).map(BillNumber)
LONG = st.text("aA'采", min_size=1, max_size=200).map(BillNumber)


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
