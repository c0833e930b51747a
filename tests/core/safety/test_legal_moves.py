from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import State
from k3push.core.safety.legal_moves import FINAL, MOVES, OPEN, IllegalMoveError, check

PAIRS = list(itertools.product(State, State))


def may(old: State, new: State) -> bool:
    """Say whether `check` lets a number move."""
    try:
        check("A", old, new)
    except IllegalMoveError:
        return False
    return True


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_table_alone_decides(old: State, new: State) -> None:
    """The documents' diagram is drawn from it."""
    assert may(old, new) == (new in MOVES[old])


def test_only_a_planned_number_is_sent() -> None:
    """A number in doubt that is sent again could become two documents (rule 2)."""
    assert [state for state in State if may(state, State.SENT)] == [State.PLANNED]


def test_what_was_made_never_moves_again() -> None:
    """The document exists, whatever happens later."""
    made = {State.PUSHED, State.DRAFT, State.ALREADY}
    assert {old for old, new in PAIRS if may(old, new)}.isdisjoint(made)


def test_doubt_ends_with_a_find_or_with_proof_of_absence() -> None:
    """A refusal is never guessed afterwards."""
    assert MOVES[State.UNKNOWN] == {State.PLANNED, State.PUSHED, State.DRAFT}


def test_open_and_final_states_share_none() -> None:
    """And a planned number is neither."""
    assert not OPEN & FINAL
    assert set(State) - OPEN - FINAL == {State.PLANNED}


def test_an_illegal_move_names_the_number_and_both_states() -> None:
    """The ledger's keeper has to find the row."""
    with pytest.raises(IllegalMoveError, match="A: pushed -> planned"):
        check("A", State.PUSHED, State.PLANNED)


@given(st.lists(st.sampled_from(State), max_size=20))
def test_between_two_sendings_a_number_was_planned(wishes: list[State]) -> None:
    """Whatever is tried, there is one way to `sent`."""
    lived = [State.PLANNED]
    for wish in wishes:
        if may(lived[-1], wish):
            lived.append(wish)
    for before, after in itertools.pairwise(lived):
        assert after is not State.SENT or before is State.PLANNED
