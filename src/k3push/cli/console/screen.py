"""The terminal as commands write to it: nothing of a stranger's text is obeyed by it.

Most texts of strangers are made harmless where a sentence is said. What is put into tables and
lines beside that passes here once more, and so does what goes out as JSON.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderResult
from rich.console import RenderHook as Hook
from rich.segment import Segment

from k3push.words.language import harmless_json, harmless_lines


def screen(**how: Any) -> Console:
    """Return a console on standard output, or on standard error as rich has it.

    Args:
        how: As for `rich.console.Console`.
    """
    console = Console(_environ=_with_a_size(os.environ), **how)
    console.push_render_hook(_Harmless())
    return console


def can_draw(console: Console) -> bool:
    """Say whether a console shows what changes in its place; one called `dumb` has lines alone."""
    return console.is_terminal and not console.is_dumb_terminal


def tick(*, good: bool) -> str:
    """Return the mark of what is well, or of what is wrong, as standard output can write it.

    GBK, in which a Chinese Windows writes into files and pipes, has other ones than UTF-8; with a
    question mark for both nobody could tell one from the other.
    """
    for marks in ("✗✓", "×√"):
        try:
            marks.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            continue
        return marks[good]
    return "x+"[good]


def _with_a_size(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the environment without a size of nothing (COLUMNS=0), in which nothing is shown."""
    return {
        name: value
        for name, value in environ.items()
        if name not in {"COLUMNS", "LINES"} or (value.isdecimal() and int(value) > 0)
    }


def put_json(told: Mapping[str, object] | Sequence[object]) -> None:
    """Write an object for programs to standard output, which may be a terminal."""
    sys.stdout.write(harmless_json(orjson.dumps(told).decode()) + "\n")


class _Harmless(Hook):
    """Lets nothing through that a terminal obeys, but for what rich itself sends."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap what is to be shown."""
        return [_Shown(each) for each in renderables]


@dataclass(slots=True)
class _Shown:
    what: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for part in console.render(self.what, options):
            text, style, control = part
            yield part if control or text.isprintable() else Segment(harmless_lines(text), style)
