from __future__ import annotations

import pytest

from tests.shares import shared_out


@pytest.mark.parametrize("shares", [1, 2, 8])
def test_the_normal_run_plays_one_share_and_more_plays_the_others(shares: int) -> None:
    """Between the two nothing is left out."""
    cases = shared_out([(number, str(number)) for number in range(16)], shares)
    assert [case.values for case in cases] == [(number, str(number)) for number in range(16)]
    played = [nth for nth, case in enumerate(cases) if not case.marks]
    assert len(played) == 16 // shares
    assert {nth % shares for nth in played} == {played[0]}
    left = [case for case in cases if [mark.name for mark in case.marks] == ["more"]]
    assert len(played) + len(left) == len(cases)


def test_the_rest_is_neither_in_the_normal_run_nor_in_more() -> None:
    """Each case is played by one of the three."""
    marks = [[mark.name for mark in case.marks] for case in shared_out(range(16), 8, of_more=2)]
    assert [marks.count(names) for names in ([], ["more"], ["rest"])] == [2, 4, 10]


def test_what_takes_long_may_be_left_out_of_the_normal_run() -> None:
    """A browser that goes through every page does so once in CI, in one language."""
    cases = shared_out(["en", "zh"], 2, normal=0, of_more=1)
    assert sorted(mark.name for case in cases for mark in case.marks) == ["more", "rest"]
