from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.safety.doubles import Basis, Rows, Taker, judge_documents, judge_namesakes

TEN = Decimal(10)


def taker(nth: int, **rows: str | None) -> Taker:
    """Return the nth document; None is a quantity that is not shown."""
    return Taker(
        str(100 + nth), {row: None if q is None else Decimal(q) for row, q in rows.items()}
    )


def expected(ordered: Rows, *documents: Taker, excess: str = "0") -> int:
    """Say how many of the documents the bill should have."""
    return judge_documents(ordered, documents, Decimal(excess)).expected


quantities = st.decimals("0.001", "1000", places=3)


@st.composite
def split_bills(draw: st.DrawFn) -> tuple[Rows, list[Taker]]:
    """Draw a bill, and documents that share its rows out among themselves."""
    rows = draw(st.dictionaries(st.sampled_from("abcd"), quantities, min_size=1))
    shares: list[dict[str, Decimal | None]] = [{} for _ in range(draw(st.integers(1, 4)))]
    for row, quantity in rows.items():
        left = quantity
        for share in draw(st.lists(st.sampled_from(shares), max_size=3)):
            part = draw(st.decimals("0", "1", places=2)) * left
            share[row] = (share.get(row) or Decimal()) + part
            left -= part
        last = draw(st.sampled_from(shares))
        last[row] = (last.get(row) or Decimal()) + left
    documents = [Taker(str(100 + nth), share) for nth, share in enumerate(shares) if share]
    return rows, draw(st.permutations(documents))


def without_quantities(rows: Rows) -> Rows:
    """Return the rows as a site shows them that hides quantities."""
    return dict.fromkeys(rows)


documents_of_any_kind = st.lists(
    st.builds(
        Taker,
        st.integers(1, 10**6).map(str),
        st.dictionaries(st.sampled_from("abc"), st.none() | quantities),
    ),
    max_size=5,
    unique_by=lambda each: each.id,
)


# -- what is no double ---------------------------------------------------------------------------


@given(split_bills())
def test_documents_that_share_a_bill_out_are_no_doubles(bill: tuple[Rows, list[Taker]]) -> None:
    """A part push, a split, a split of a part: whatever was ordered may be delivered."""
    rows, documents = bill
    judged = judge_documents(rows, documents)
    assert (judged.expected, judged.by) == (len(documents), Basis.QUANTITIES)


@given(documents_of_any_kind, st.dictionaries(st.sampled_from("abc"), st.none() | quantities))
def test_one_document_is_never_a_double(documents: list[Taker], ordered: Rows) -> None:
    """It may take more than was ordered, as an over-receipt does."""
    assert judge_documents(ordered, documents[:1]).expected == 1


@pytest.mark.parametrize("nth", [1, 2])
def test_documents_of_different_rows_are_no_doubles_without_quantities(nth: int) -> None:
    """Two halves of a bill each have rows of their own."""
    assert expected({"a": None, "b": None}, taker(nth, a=None), taker(3 - nth, b=None)) == 2


# -- what is one ---------------------------------------------------------------------------------


@given(split_bills(), st.data())
def test_a_document_that_is_there_twice_is_found(
    bill: tuple[Rows, list[Taker]], data: st.DataObject
) -> None:
    """What was ordered is delivered, so that the copy of any document is too much."""
    rows, documents = bill
    copied = data.draw(st.sampled_from([d for d in documents if any(d.rows.values())]))
    judged = judge_documents(rows, [*documents, Taker("1000", copied.rows)])
    assert judged.expected == len(documents)


@given(split_bills(), st.data())
def test_a_copy_is_found_by_rows_alone(bill: tuple[Rows, list[Taker]], data: st.DataObject) -> None:
    """A site that shows no quantities still shows which rows were taken."""
    _, documents = bill
    copied = data.draw(st.sampled_from(documents))
    taken = [Taker(d.id, without_quantities(d.rows)) for d in documents]
    judged = judge_documents({}, [*taken, Taker("1000", without_quantities(copied.rows))])
    assert judged.expected <= len(documents)
    assert judged.by is Basis.ROWS


@given(st.integers(1, 6))
def test_without_links_one_document_is_expected(count: int) -> None:
    """Nothing tells what they take."""
    judged = judge_documents({"a": TEN}, [Taker(str(nth), {}) for nth in range(count)])
    assert (judged.expected, judged.by) == (1, Basis.COUNT)


@pytest.mark.parametrize("typed_first", [True, False])
def test_a_document_without_a_link_leaves_no_room_for_another(*, typed_first: bool) -> None:
    """The ERP does not know that it delivers, so that the bill may be pushed beside it."""
    typed, pushed = taker(2 - typed_first), taker(1 + typed_first, a="4")
    assert expected({"a": TEN}, typed, pushed) == 1


def test_documents_of_a_part_that_exceed_the_order_are_found() -> None:
    """Both were corrected by hand to what came, and it came once."""
    assert expected({"a": TEN}, taker(1, a="6"), taker(2, a="6")) == 1


def test_the_later_document_is_the_one_too_many() -> None:
    """A third one that delivers the rest of the first is none."""
    documents = taker(9, a="6"), taker(10, a="6"), taker(11, a="4")
    assert expected({"a": TEN}, *documents) == 2


def test_what_a_site_allows_beyond_an_order_is_no_double() -> None:
    """Goods that are weighed come with a little more than was ordered."""
    parts = taker(1, a="6"), taker(2, a="4.5")
    assert expected({"a": TEN}, *parts) == 1
    assert expected({"a": TEN}, *parts, excess="0.05") == 2


def test_a_row_that_the_bill_does_not_show_is_taken_once() -> None:
    """It was deleted from the bill, or a right hides it."""
    assert expected({"a": TEN}, taker(1, b="1"), taker(2, b="1")) == 1


# -- and always ----------------------------------------------------------------------------------


@given(documents_of_any_kind, st.dictionaries(st.sampled_from("abc"), st.none() | quantities))
def test_the_order_in_which_documents_are_read_says_nothing(
    documents: list[Taker], ordered: Rows
) -> None:
    """They are judged by their age."""
    assert judge_documents(ordered, documents) == judge_documents(ordered, documents[::-1])


@given(documents_of_any_kind, st.dictionaries(st.sampled_from("abc"), st.none() | quantities))
def test_no_more_are_expected_than_there_are(documents: list[Taker], ordered: Rows) -> None:
    """None is missed here; what the ledger names and the ERP lacks is told apart."""
    assert 1 <= judge_documents(ordered, documents).expected <= max(1, len(documents))


@given(documents_of_any_kind, st.dictionaries(st.sampled_from("abc"), st.none() | quantities))
def test_a_later_document_changes_nothing_for_those_before_it(
    documents: list[Taker], ordered: Rows
) -> None:
    """So a double stays one, whatever comes after it."""
    before = judge_documents(ordered, documents).expected
    after = judge_documents(ordered, [*documents, Taker("9999999", {"a": TEN})]).expected
    assert before <= after <= before + 1


# -- bills of one number -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("linked", "unlinked", "together"),
    [
        ((1, 0), 1, 2),
        ((1, 0), 2, 2),
        ((0, 0), 2, 2),
        ((1, 1), 0, 2),
        ((1, 1), 1, 2),
        ((0, 0), 1, 1),
    ],
)
def test_bills_of_one_number_may_have_a_document_each(
    linked: Sequence[int], unlinked: int, together: int
) -> None:
    """Two organisations count for themselves."""
    judged = [
        (judge_documents({}, [Taker(str(nth), {"r": None}) for nth in range(count)]), count)
        for count in linked
    ]
    assert judge_namesakes(judged, unlinked) == together
