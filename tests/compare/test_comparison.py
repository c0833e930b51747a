"""The table in the documents: its rows are those of the module, its figures can be had again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.compare.clients import CLIENTS
from tests.compare.faults import TRIALS, Books, Lang, Trial
from tests.compare.measuring import measure
from tests.compare.table import HEADINGS

ROOT = Path(__file__).parents[2]
PAGES: list[tuple[Lang, str]] = [
    ("en", "docs/explanation/compared.md"),
    ("zh", "docs/zh/explanation/compared.md"),
]
FIGURES = r"\d+ · \d+ · \d+"

# A comparison of all takes minutes, so a few trials stand for it: a lost answer, a silent loss, a
# race. Drafts are the harder books.
SAMPLE = [trial for trial in TRIALS if trial.key in {"reset-after", "dropped", "two-lists"}]


def _table(lang: Lang, page: str) -> dict[str, list[str]]:
    """Return the other cells of each row of the document's table by the fault's name."""
    lines = (ROOT / page).read_text("utf-8").splitlines()
    first = lines.index(f"| {' | '.join(HEADINGS[lang])} |") + 2
    rows = (line for line in lines[first : first + len(TRIALS)])
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert not lines[first + len(TRIALS)].startswith("|")
    return {name: rest for name, *rest in cells}


@pytest.mark.parametrize(("lang", "page"), PAGES)
def test_the_documents_show_every_trial_in_order(lang: Lang, page: str) -> None:
    """A trial that the table lacks, or has in other words, cannot be checked by its reader."""
    shown = [(name, *cells[:2]) for name, cells in _table(lang, page).items()]
    assert shown == [(t.name[lang], t.does[lang], str(t.possible)) for t in TRIALS]


@pytest.mark.parametrize(("lang", "page"), PAGES)
def test_the_documents_promise_what_was_wanted_of_k3push(lang: Lang, page: str) -> None:
    """All that can be made is made once and reported rightly, whatever goes wrong."""
    for trial in TRIALS:
        _, wanted, ours, *others = _table(lang, page)[trial.name[lang]]
        assert ours == f"{wanted} · 0 · 0"
        assert len(others) == len(CLIENTS) - 1
        assert all(re.fullmatch(f"{FIGURES}( / {FIGURES})?", other) for other in others)


def test_both_documents_show_the_same_figures() -> None:
    """They come from one measurement."""
    one, other = ([cells[2:] for cells in _table(lang, page).values()] for lang, page in PAGES)
    assert one == other


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("trial", SAMPLE, ids=lambda trial: trial.key)
def test_the_figures_of_the_documents_can_be_measured_again(trial: Trial, name: str) -> None:
    """A figure that nobody can have again is an advertisement."""
    shown = _table(*PAGES[0])[trial.name["en"]][2 + CLIENTS.index(name)]
    assert str(measure(trial, name, Books.DRAFTS)) == shown.rpartition(" / ")[2]
