from __future__ import annotations

import itertools
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.safety.user_sight import ENOUGH_TO_SEE, MOST_MAKERS, Views


def seen_by(count: int, **missed: Collection[str]) -> Views:
    """Let "b" make documents, and everybody look who is named, but for what they have missed."""
    views = Views()
    made = [f"b{nth}" for nth in range(count)]
    views.made("b", made)
    views.compare({user: set(made) - set(gone) for user, gone in missed.items()})
    return views


@pytest.mark.parametrize(("count", "sees"), [(ENOUGH_TO_SEE - 1, False), (ENOUGH_TO_SEE, True)])
def test_a_user_who_saw_enough_of_another_sees_what_that_one_makes(
    count: int, *, sees: bool
) -> None:
    """Rights may hide a part, and few documents do not tell."""
    assert seen_by(count, a=[]).sees("a", "b") is sees


def test_to_see_is_no_mutual_thing_and_nobody_is_known_unseen() -> None:
    """One user's rights say nothing of another's."""
    views = seen_by(ENOUGH_TO_SEE, a=[], b=[])
    assert [views.sees(*pair) for pair in (("a", "b"), ("b", "a"), ("c", "b"))] == [
        True,
        False,
        False,
    ]


def test_one_document_is_enough_to_be_blind_for_good() -> None:
    """The one that is missed would be made a second time."""
    views = seen_by(ENOUGH_TO_SEE, a=["b0"], b=[])
    assert not views.sees("a", "b")
    views.compare({"a": [f"b{nth}" for nth in range(ENOUGH_TO_SEE)]})
    assert not views.sees("a", "b")


def test_what_nobody_is_known_to_have_made_proves_no_sight() -> None:
    """An old document may be the viewer's own."""
    views = Views()
    views.compare({"a": [str(nth) for nth in range(ENOUGH_TO_SEE)]})
    assert not views.sees("a", "a")
    assert not views.sees("a", "")


def test_a_long_run_forgets_who_made_its_oldest_documents() -> None:
    """A list of millions must not fill the memory; what was seen of them counts still."""
    views = seen_by(ENOUGH_TO_SEE, a=[])
    views.made("c", map(str, range(MOST_MAKERS)))
    assert views.sees("a", "b")
    views.compare({"d": [f"b{nth}" for nth in range(ENOUGH_TO_SEE)]})
    assert not views.sees("d", "b")


USERS = st.sampled_from("abc")
DOCUMENTS = st.sets(st.integers(0, 60).map(str), max_size=61)


@given(
    st.lists(st.tuples(USERS, DOCUMENTS), max_size=4),
    st.lists(st.dictionaries(USERS, DOCUMENTS, min_size=1), max_size=6),
)
def test_nobody_sees_another_of_whose_documents_he_missed_one(
    made: list[tuple[str, set[str]]], looks: list[dict[str, set[str]]]
) -> None:
    """However the looks come."""
    views = Views()
    maker: dict[str, str] = {}
    for user, documents in made:
        views.made(user, documents)
        maker |= dict.fromkeys(documents, user)
    for look in looks:
        views.compare(look)
    for viewer, other in itertools.permutations("abc", 2):
        if views.sees(viewer, other):
            shown = {each for look in looks for each in look.get(viewer, ())}
            assert sum(maker.get(each) == other for each in shown) >= ENOUGH_TO_SEE
            assert all(
                look[other] <= look[viewer] for look in looks if {viewer, other} <= set(look)
            )
