"""The map of the development page names a thing where it is defined, and not where it is used."""

from __future__ import annotations

import re

import pytest

from tests.documents.pages import DOCS, SOURCE

PLACED = re.compile(r"`([A-Za-z_.]+)` in `([a-z0-9_/]+\.(?:py|sql))`")
DEFINED = r"^\s*(?:async )?(?:def|class) {0}\b|^\s*{0}(?:: .*)? = |^-- name: {0}$"
NAMED = PLACED.findall((DOCS / "development/index.md").read_text("utf-8"))


@pytest.mark.parametrize(("name", "file"), NAMED)
def test_a_name_of_the_map_is_defined_where_it_says(name: str, file: str) -> None:
    """A class that has moved is imported where it was, and a newcomer opens the wrong file."""
    text = (SOURCE / file).read_text("utf-8")
    assert re.search(DEFINED.format(re.escape(name.rpartition(".")[2])), text, re.MULTILINE)


def test_the_map_names_things_at_all() -> None:
    """The test above is tested."""
    assert ("SettleTimes", "runs/proof/doubt_ages.py") in NAMED
