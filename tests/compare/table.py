"""The comparison as a Markdown table, as `docs/explanation/compared.md` and its twin hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.compare.clients import CLIENTS
from tests.compare.faults import Books, Lang, Trial
from tests.compare.measuring import Figures

HEADINGS: Mapping[Lang, Sequence[str]] = {
    "en": ("fault", "what k3push does", "wanted", *CLIENTS),
    "zh": ("故障", "k3push 的做法", "应生成", "k3push", "SDK 脚本", "重试循环"),
}


def rows(
    trials: Sequence[Trial], figures: Mapping[tuple[str, str, Books], Figures], lang: Lang
) -> list[list[str]]:
    """Give the cells of each trial."""
    return [
        [
            trial.name[lang],
            trial.does[lang],
            str(trial.possible),
            *(cell(*(figures[trial.key, name, books] for books in Books)) for name in CLIENTS),
        ]
        for trial in trials
    ]


def cell(saved: Figures, drafts: Figures) -> str:
    """Give the figures of both kinds of books, once where they are the same."""
    return str(saved) if saved == drafts else f"{saved} / {drafts}"


def markdown(
    trials: Sequence[Trial], figures: Mapping[tuple[str, str, Books], Figures], lang: Lang
) -> str:
    """Give the whole table."""
    headings = HEADINGS[lang]
    lines = [headings, *rows(trials, figures, lang)]
    head, *body = (f"| {' | '.join(cells)} |" for cells in lines)
    return "\n".join([head, "|---" * len(headings) + "|", *body])
