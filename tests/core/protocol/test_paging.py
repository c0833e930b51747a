from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.protocol.paging import (
    MOST_PAGES,
    PAGE_ROWS,
    PROBE,
    Ask,
    PagesError,
    Proof,
    Row,
    whole,
)
from tests.said import english, refused

CUTS = st.sampled_from([1, 2, 3, 7, 50, PAGE_ROWS, 10_000]) | st.integers(1, 60)
# The ids of rows that looks are for: entries of one bill look alike.
LOOKS = st.lists(st.lists(st.integers(0, 20), max_size=70), max_size=12)


@dataclass
class Site:
    """A form of which each look asks for some rows.

    Attributes:
        cut: The most rows that a page has.
        form: All rows of the form, which a probe gets.
        starts: It begins pages where it is told to.
        probed: It answers probes.
        meanwhile: What happens to the rows asked for, after each page.
        asked: All that it was asked for.
    """

    cut: int
    form: list[Row] = field(default_factory=list)
    starts: bool = True
    probed: bool = True
    meanwhile: Callable[[list[Row]], None] = lambda _: None
    asked: list[Ask] = field(default_factory=list)

    def page(self, rows: list[Row], ask: Ask) -> list[Row] | None:
        """Give one page."""
        self.asked.append(ask)
        if ask.probes:
            return self.form[: min(self.cut, ask.limit)] if self.probed else None
        start = ask.start if self.starts else 0
        page = rows[start : start + min(self.cut, ask.limit)]
        self.meanwhile(rows)
        return page


def look(site: Site, proof: Proof, rows: list[Row]) -> list[Row]:
    """Read all pages of one look."""
    reading = whole(proof)
    ask = next(reading)
    try:
        while True:
            ask = reading.send(site.page(rows, ask))
    except StopIteration as end:
        found: list[Row] = end.value
        return found


def rows_of(ids: list[int]) -> list[Row]:
    """Give rows in the order of the database."""
    return [[each, "C"] for each in sorted(ids)]


@given(cut=CUTS, looks=LOOKS, others=st.integers(0, 3000), probed=st.booleans())
def test_a_look_is_the_whole_wherever_a_site_cuts(
    cut: int, looks: list[list[int]], others: int, *, probed: bool
) -> None:
    """A number whose row was cut off would seem absent, and be sent again (rule 7)."""
    form = rows_of([*range(others), *(each for ids in looks for each in ids)])
    site, proof = Site(cut, form, probed=probed), Proof()
    for ids in looks:
        assert look(site, proof, rows_of(ids)) == rows_of(ids)
        assert proof.largest <= cut


@given(
    CUTS,
    st.lists(st.integers(0, 1000), min_size=1, max_size=70, unique=True),
    st.lists(st.integers(1, 3), max_size=20),
)
def test_what_is_made_between_two_pages_hides_no_row(
    cut: int, ids: list[int], made: list[int]
) -> None:
    """New bills have higher ids than all others, so they come behind what is read."""
    new = iter(made)

    def make(rows: list[Row]) -> None:
        rows += [[rows[-1][0] + 1 + each, "C"] for each in range(next(new, 0))]

    found = look(Site(cut, meanwhile=make), Proof(), rows_of(ids))
    assert found[: len(ids)] == rows_of(ids)


@given(
    st.just(1) | st.integers(1, 60),
    st.lists(st.integers(0, 12), min_size=1, max_size=70),
    st.lists(st.integers(0, 70), max_size=20),
)
def test_what_is_deleted_between_two_pages_hides_no_other_row(
    cut: int, ids: list[int], deleted: list[int]
) -> None:
    """The rows behind it move up; the look fails where one may have been passed over."""
    places = iter(deleted)

    def delete(rows: list[Row]) -> None:
        place = next(places, len(rows))
        del rows[place : place + 1]

    rows, proof = rows_of(ids), Proof()
    look(Site(cut), proof, rows_of([20, 21]))
    try:
        found = look(Site(cut, meanwhile=delete), proof, rows)
    except PagesError:
        return
    assert {tuple(row) for row in rows} <= {tuple(row) for row in found}


@given(CUTS, LOOKS)
def test_a_server_that_ignores_where_a_page_begins_is_found_out_at_once(
    cut: int, looks: list[list[int]]
) -> None:
    """Its first page again and again would be no end, and no proof."""
    site, proof = Site(cut, starts=False), Proof()
    for ids in looks:
        before = len(site.asked)
        try:
            assert look(site, proof, rows_of(ids)) == rows_of(ids)
        except PagesError as error:
            assert "StartRow" in english(error)  # noqa: PT017  # only some looks are asked on
        assert len(site.asked) - before <= 4


@pytest.mark.parametrize("ids", [[7], [7, 7, 7], [7, 8, 9]])
def test_a_page_that_comes_again_is_not_an_end(ids: list[int]) -> None:
    """Where the server ignores StartRow, nobody knows what was cut off."""
    with refused(PagesError, "StartRow"):
        look(Site(PAGE_ROWS, starts=False), Proof(), rows_of(ids))


def test_entries_that_look_alike_are_no_page_that_comes_again() -> None:
    """A bill of many entries, cut in the midst of them; one look behind all rows tells."""
    site, proof = Site(2), Proof()
    assert look(site, proof, rows_of([7] * 9)) == rows_of([7] * 9)
    assert [ask for ask in site.asked if ask.limit == 1] == [Ask(2 + PAGE_ROWS * MOST_PAGES, 1)]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_an_id_that_comes_as_text_now_and_then_is_the_same(cut: int) -> None:
    """A look failed for good where one server of a farm gave out ids as text."""
    texts = iter([False, True] * 100)

    class Farm(Site):
        def page(self, rows: list[Row], ask: Ask) -> list[Row] | None:
            page = super().page(rows, ask)
            as_text = next(texts)
            return page and [[str(row[0]) if as_text else row[0], *row[1:]] for row in page]

    found = look(Farm(cut), Proof(), rows_of(list(range(7))))
    assert [int(row[0]) for row in found] == list(range(7))


def test_pages_without_an_end_are_given_up() -> None:
    """A server that makes rows up must not hold a run for ever."""

    def make(rows: list[Row]) -> None:
        rows += [[rows[-1][0] + 1, "C"]]

    site = Site(2, meanwhile=make)
    with refused(PagesError, "no end"):
        look(site, Proof(), rows_of([1, 2]))
    assert len([ask for ask in site.asked if not ask.probes]) == MOST_PAGES


def test_looks_of_one_size_cost_a_handful_of_queries_more() -> None:
    """Chunks of one size yield as many rows each time."""
    site, proof = Site(10_000, rows_of(list(range(2500)))), Proof()
    for first in range(40):
        look(site, proof, rows_of(list(range(first * 50, first * 50 + 50))))
    assert len(site.asked) == 40 + 3 + 1
    assert proof.largest == PAGE_ROWS


@pytest.mark.parametrize("probed", [False, True])
def test_a_probe_that_proves_nothing_is_made_ever_more_seldom(*, probed: bool) -> None:
    """It failed, or the form has no more rows than the looks."""
    form = rows_of(list(range(50)))
    site, proof = Site(10_000, form, probed=probed), Proof()
    for _ in range(400):
        look(site, proof, form)
    assert site.asked.count(PROBE) == 7
