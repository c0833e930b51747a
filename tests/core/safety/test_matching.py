from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from k3push.core.safety.matching import assign, fold
from tests.core.protocol.answers import numbers


def test_spellings_that_a_database_may_take_for_one_fold_to_one() -> None:
    """SQL Server passes over letter case, width and trailing blanks (P 4.7)."""
    assert len({fold(text) for text in ("CGDD01", "cgdd01", "ＣＧＤＤ０１", "CgDd01  ")}) == 1
    assert fold("CGDD01") != fold("CGDD-01")


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    """Both sides of a comparison may have been folded before."""
    assert fold(fold(text)) == fold(text)


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
    a, x = numbers("\u00c6 X")
    assert assign([a], [(x, 1), (a, 2)]) == ({a: [1, 2]}, False)


def test_a_row_of_another_number_is_no_answer_to_a_question_for_one() -> None:
    """All databases tell English letters and digits apart: the filter was passed over."""
    a, x = numbers("A X")
    assert assign([a], [(x, 1), (a, 2)]) == ({a: [2]}, True)


def test_a_number_without_rows_is_absent() -> None:
    """Its absence is what the look was for."""
    assert assign(numbers("A B"), []) == ({}, False)
