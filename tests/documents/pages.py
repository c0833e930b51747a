"""The documents as text: which there are, and the code blocks, headings and links in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from k3push.words.language import Lang

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "k3push"
DOCS = ROOT / "docs"
CHINESE = DOCS / "zh"
LANGUAGES: tuple[Lang, ...] = ("en", "zh")
README: dict[Lang, Path] = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}

# A fenced block, and the comment before it that says how it is played.
_BLOCK = re.compile(
    r"^(?:<!-- play: (?P<play>.*?) -->\n+)?^```(?P<lang>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block.

    Attributes:
        lang: What stands behind the fence.
        text: What stands between the fences.
        start: Where the text begins in its page.
        play: How it is played, by the comment before it: `{"first": "12"}`.
    """

    lang: str
    text: str
    start: int
    play: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """One document."""

    path: Path

    @property
    def name(self) -> str:
        """Its path from the top of the repository, with slashes on every system."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def lang(self) -> Lang:
        """The language that it is written in."""
        chinese = self.path.is_relative_to(CHINESE) or self.path == README["zh"]
        return "zh" if chinese else "en"

    @property
    def text(self) -> str:
        """All of it."""
        return self.path.read_text("utf-8")

    @property
    def prose(self) -> str:
        """All of it but the code blocks."""
        return _BLOCK.sub("", self.text)

    @property
    def blocks(self) -> list[Block]:
        """Its code blocks, in their order."""
        return [
            Block(found["lang"], found["text"], found.start("text"), _play(found["play"]))
            for found in _BLOCK.finditer(self.text)
        ]

    @property
    def headings(self) -> list[str]:
        """Its headings, in their order, without their marks."""
        return re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)

    @property
    def anchors(self) -> set[str]:
        """What a link to a place in it may name, as code hosts and the site build it."""
        words = (re.sub(r"[^\w -]", "", heading.lower()) for heading in self.headings)
        return {each.replace(" ", "-") for each in words}

    @property
    def links(self) -> Iterator[tuple[str, str]]:
        """Yield path and anchor of each link; the path is "" within the page."""
        for link in _LINK.findall(re.sub(r"`[^`]*`", "", self.prose)):
            path, _, anchor = link.partition("#")
            yield path, anchor


def _play(words: str | None) -> dict[str, str]:
    """Read what a comment says.

    >>> _play("kill; when: 21 documents")
    {'kill': '', 'when': '21 documents'}
    """
    pairs = [part.partition(":") for part in (words or "").split(";")]
    return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}


def pages() -> list[Page]:
    """Return all documents, the READMEs first."""
    top = [*README.values(), ROOT / "CONTRIBUTING.md"]
    return [Page(path) for path in (*top, *sorted(DOCS.rglob("*.md")))]


def page(name: str, lang: Lang = "en") -> Page:
    """Return a page of `docs/` by its path there, in one language."""
    return Page((DOCS if lang == "en" else CHINESE) / name)


def twins() -> list[tuple[Page, Page]]:
    """Return each English page with its Chinese one; pages for developers have none."""
    english = [each for each in sorted(DOCS.rglob("*.md")) if not each.is_relative_to(CHINESE)]
    names = [path.relative_to(DOCS) for path in english]
    both = [(Page(README["en"]), Page(README["zh"]))]
    return both + [
        (Page(DOCS / name), Page(CHINESE / name))
        for name in names
        if name.parts[0] != "development"
    ]
