"""In which language a person reads, and how a sentence is said in it."""

from __future__ import annotations

import locale
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from k3push.core.remark import read_remark
from k3push.words import sentence

Lang = Literal["en", "zh"]

LANGUAGES: tuple[Lang, ...] = ("en", "zh")
# What a terminal obeys, and what turns the order of letters round; tabs and line ends stay.
_OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def harmless(text: str) -> str:
    r"""Show what a terminal would obey by its code: texts come from the ERP, lists and names.

    >>> harmless("\x1b[31m单据\r\n未审核")
    '[U+001B][31m单据\n未审核'
    """
    if text.isprintable():
        return text
    return _OBEYED.sub(lambda found: f"[U+{ord(found[0]):04X}]", text.replace("\r\n", "\n"))


_COUNTED = re.compile(r"\{(\w+):\?([^|}]*)\|([^}]*)\}")


def _filled(words: str, facts: Mapping[str, object]) -> str:
    """Put facts into a sentence, and choose between two forms of a word by a number.

    >>> _filled("{n} {n:?number is|numbers are} left", {"n": 1})
    '1 number is left'
    >>> _filled("{n} {n:?number is|numbers are} left", {"n": 2})
    '2 numbers are left'
    """
    chosen = _COUNTED.sub(lambda found: found[2 if facts[found[1]] in (1, "1") else 3], words)
    return chosen.format(**facts)


@dataclass(frozen=True, slots=True)
class Say:
    """Says sentences in one language: the one interface to all words for people.

    >>> say = Say("zh")
    >>> say("progress.limit", calls=60)
    '限 60 次/分'
    >>> say.said('note.absent{"seconds":600}'), say.said("单据未审核")
    ('发送 600 秒后仍无下游单据', '单据未审核')

    Attributes:
        lang: The language, or `both` for files, which are read in either.
    """

    lang: Lang | Literal["both"]

    def __call__(self, key: str, /, **facts: object) -> str:
        """Say a sentence by its key; a fact that is a remark is said as well."""
        known = {name: self._fact(value) for name, value in facts.items()}
        found = sentence(key)
        if found is None:
            raise KeyError(key)
        english, chinese = (_filled(words, known) for words in found)
        match self.lang:
            case "en":
                return english
            case "zh":
                return chinese
            case "both":
                return english if english == chinese else f"{chinese} ({english})"

    def said(self, text: str) -> str:
        """Put a remark into words, or several in lines; any other text stays as it is."""
        if text.endswith("}"):
            return "\n".join(map(self._line, text.split("\n")))
        return text if self.lang == "both" else harmless(text)

    def _line(self, text: str) -> str:
        found = read_remark(text)
        if found is None or sentence(found[0]) is None:
            return text if self.lang == "both" else harmless(text)
        try:
            return self(found[0], **found[1])
        except (LookupError, ValueError):  # the facts of another version
            return text

    def _fact(self, value: object) -> object:
        if isinstance(value, BaseException):
            value = str(value)
        return self.said(value) if isinstance(value, str) else value


def speaker(lang: Lang) -> Say:
    """Return what says sentences in *lang*."""
    return Say(lang)


def in_files(text: str) -> str:
    """Put a remark into words for a file, which has no language: Chinese, then English.

    >>> in_files("note.blocked.unapproved{}")
    '源单未审核 (the source bill is not approved)'
    """
    return _FILES.said(text)


_FILES = Say("both")


def choose_language(arguments: Sequence[str]) -> Lang:
    """Choose by `--lang`, else by the locale.

    >>> choose_language(["run", "--lang", "zh", "orders.csv"])
    'zh'
    """
    for at, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return "zh" if argument == "--lang=zh" else "en"
        if argument == "--lang" and at + 1 < len(arguments):
            return "zh" if arguments[at + 1] == "zh" else "en"
    named = next(
        (os.environ[v] for v in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(v)), ""
    )
    if not named and os.name == "nt":
        named = locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith(("zh", "chinese")) else "en"


def browser_language(chosen: Iterable[str | None], accepted: str, otherwise: str) -> str:
    """Choose a language.

    Args:
        chosen: What the person has chosen, the strongest first.
        accepted: What their browser says (Accept-Language).
        otherwise: Where neither says one that there is.

    >>> browser_language([None, "zh"], "en", "en")
    'zh'
    >>> browser_language([], "fr, zh-CN;q=0.8, en;q=0.4", "en")
    'zh'
    """
    weighed = []
    for place, part in enumerate(accepted.split(",")[:20]):
        match = re.fullmatch(r"\s*([A-Za-z]{2})[A-Za-z-]*\s*(?:;\s*q=([01](?:\.\d+)?))?\s*", part)
        if match:
            weighed.append((-float(match[2] or 1), place, match[1].lower()))
    wanted = [*chosen, *(lang for _, _, lang in sorted(weighed))]
    return next((lang for lang in wanted if lang in LANGUAGES), otherwise)
