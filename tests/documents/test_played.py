"""The commands of the pages work in their order in a fresh clone, and print what is shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.documents.outputs import COLUMNS, masked, width, wrapped
from tests.documents.pages import Page, pages
from tests.documents.playing import Clone, needs_postgres
from tests.shares import shared_out

PLAYED = {"console", "sh"}

# Pages whose runs take long on purpose: K3PUSH_PLAY=all plays them too.
SLOW = {"backlog.md", "control.md", "practising.md", "users.md"}
ALL = os.environ.get("K3PUSH_PLAY") == "all"


def _played_pages() -> list[Page]:
    """Return them with each page beside its twin in the other language."""
    played = [
        page
        for page in pages()
        if any(b.lang in PLAYED and "skip" not in b.play for b in page.blocks)
        and (ALL or page.path.name not in SLOW)
    ]
    return sorted(played, key=lambda page: (page.path.stem.removesuffix(".zh-CN"), page.lang))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", shared_out(_played_pages(), 4), ids=lambda page: page.name)
def test_a_page_shows_what_its_commands_print(
    page: Page, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Otherwise: `python -m tests.documents play PAGE`."""
    environment = {}
    if needs_postgres(page):
        environment["K3PUSH_LEDGER__URL"] = str(request.getfixturevalue("postgres_url"))
    with Clone(tmp_path, page.lang, environment) as clone:
        for played in clone.play(page):
            assert played.is_true or played.text == played.block.text


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_block_fits_into_80_columns(page: Page) -> None:
    """A line that the page breaks is not the line that the terminal shows."""
    lines = [line for b in page.blocks if b.lang == "console" for line in b.text.splitlines()]
    assert [line for line in lines if width(line) > COLUMNS] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_command_that_is_not_played_says_why(page: Page) -> None:
    """What nobody runs is what stops being true."""
    skipped = [block.play["skip"] for block in page.blocks if "skip" in block.play]
    assert all(skipped)
    shown = [block.text for block in page.blocks if block.lang not in PLAYED]
    assert [text for text in shown if text.startswith("$ ")] == []


def test_what_differs_every_time_is_passed_over() -> None:
    """Ids, times and what the pace came to; no count, state or word."""
    one = "run 20261125-153020-bxe, 1.4 s\n  pushed 78\n  pace: 2 at once × 20 numbers\n"
    other = "run 20261127-024847-bud, 2.5 s\n  pushed 78\n"
    assert masked(one) == masked(other)
    assert masked(one) != masked(other.replace("78", "77"))


def test_a_long_line_is_broken_where_a_person_would() -> None:
    """Behind a word, or a comma of JSON; Chinese takes two columns a character."""
    assert list(wrapped(f"{'x' * 60} {'y' * 30}")) == ["x" * 60, "y" * 30]
    assert list(wrapped("中" * 41)) == ["中" * 40, "中"]
    assert list(wrapped(f"{'中' * 37} abcde、f")) == ["中" * 37, "abcde、f"]
