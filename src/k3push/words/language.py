"""In which language a person reads, and how a sentence is said in it."""

from __future__ import annotations

import locale
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Literal

from k3push.core.remark import own_words, read_remark
from k3push.words import sentence
from k3push.words.system_errors import IN_CHINESE

Lang = Literal["en", "zh"]

LANGUAGES: tuple[Lang, ...] = ("en", "zh")
# What a terminal obeys, and what turns the order of letters round.
_OBEYED = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
# What begins a new line somewhere, and could forge one of ours.
_BREAKS = re.compile(r"[ \t]*[\n\r\x0b\x0c\x85\u2028\u2029]\s*")
# In a sentence: a fact, one between two forms of a word, one that is typed as a path, and one that
# the sentence ends with a stop, whether it brings one or not.
_FACT = re.compile(r"\{[^}]*\}")
_COUNTED = re.compile(r"\{(\w+):\?([^|}]*)\|([^}]*)\}")
_ASK = ("?", "？")
_TYPED = re.compile(r"\{(\w+):\$\}")
_STOPPED = re.compile(r"\{(\w+):\.\}([.。]?)")
# Commands that go on with what a configuration says.
_OF_CONFIG = re.compile(
    r"\bk3push (?:resume|retry|settle|follow|run|plan|apply|check|status|runs|control|explain"
    r"|export|report|audit-dups|rules)\b"
)
# Commands that go on with the last run, where they name none.
_OF_RUN = re.compile(r"`k3push (resume|retry|settle|follow)`")
_RUN = re.compile(r"[0-9A-Za-z-]+")


def harmless(text: str) -> str:
    r"""Return a text of a stranger as one line that no terminal obeys.

    The ERP's words, numbers, names of files: whatever goes to a terminal, into a log or a message
    and was not written by us passes here, most of it as a fact of `Say`.

    >>> harmless("\x1b[31m单据\r\n未审核\n")
    '[U+001B][31m单据 / 未审核'
    """
    if text.isprintable():
        return text
    line = _BREAKS.sub(" / ", text.strip("\r\n")).replace("\t", " ")
    return _OBEYED.sub(lambda found: f"[U+{ord(found[0]):04X}]", line)


def harmless_lines(text: str) -> str:
    r"""Return a text of ours that may hold words of strangers, such as a trace, line by line.

    >>> harmless_lines("Error\n  \x1b]0;a\x07")
    'Error\n  [U+001B]]0;a[U+0007]'
    """
    return "\n".join(map(harmless, text.split("\n")))


def harmless_json(text: str) -> str:
    r"""Return JSON that says the same, and of which no terminal obeys anything.

    >>> harmless_json('{"a":"\x9b"}')
    '{"a":"\\u009b"}'
    """
    if text.isprintable():
        return text
    return _OBEYED.sub(lambda found: found[0] if found[0] == "\n" else _escaped(found[0]), text)


def _escaped(letter: str) -> str:
    return f"\\u{ord(letter):04x}"


def _filled(words: str, facts: Mapping[str, object]) -> str:
    """Put facts into a sentence, and choose between two forms of a word by a number.

    >>> _filled("{n} {n:?number is|numbers are} left", {"n": 1})
    '1 number is left'
    >>> _filled("{n} {n:?number is|numbers are} left", {"n": 2})
    '2 numbers are left'

    A path in a command stands there as a word of it:

    >>> _filled("{file}: k3push apply {file:$}", {"file": "-my list.csv"})
    "-my list.csv: k3push apply './-my list.csv'"

    A reason may be a sentence of its own:

    >>> [_filled("{why:.}. Try again.", {"why": why}) for why in ("HTTP 503", "It broke.", "Up?")]
    ['HTTP 503. Try again.', 'It broke. Try again.', 'Up? Try again.']
    """
    chosen = _COUNTED.sub(lambda found: found[2 if facts[found[1]] in (1, "1") else 3], words)
    typed = {f"{name}_typed": _typed(str(facts[name])) for name in _TYPED.findall(chosen)}
    stopped = {name: str(facts[name]).rstrip(" .。") for name, _ in _STOPPED.findall(chosen)}
    typed |= {f"{name}_stopped": text for name, text in stopped.items()}
    chosen = _STOPPED.sub(
        lambda found: f"{{{found[1]}_stopped}}" + found[2] * (stopped[found[1]][-1:] not in _ASK),
        chosen,
    )
    return _TYPED.sub(r"{\1_typed}", chosen).format(**facts, **typed)


def _typed(path: str) -> str:
    """Return a path as a person can type it behind a command, in most shells."""
    path = f".{os.sep}{path}" if path.startswith("-") else path
    if os.name != "nt":
        return shlex.quote(path)
    from subprocess import list2cmdline  # noqa: PLC0415  # few commands say such a sentence

    return list2cmdline([path])


def _says_something(words: str) -> bool:
    """Say whether a sentence has words of its own, beside the facts that it joins.

    >>> _says_something("{first}; {more}"), _says_something("the line is away: {why}")
    (False, True)
    """
    return any(map(str.isalnum, _FACT.sub("", words)))


@dataclass(frozen=True, slots=True)
class Say:
    """Says sentences in one language: the one interface to all words for people.

    >>> say = Say("zh")
    >>> say("progress.limit", calls=60)
    '限 60 次/分'
    >>> say.said('note.absent{"seconds":600}'), say.said("单据未审核")
    ('发送 600 秒后仍无下游单据', '单据未审核')
    >>> Say("en", config="night.toml")("exit.5")
    'stopped before the end; run `k3push resume --config night.toml`'
    >>> Say("en").about("20261125-200005-abc")("exit.5")
    'stopped before the end; run `k3push resume 20261125-200005-abc`'

    Attributes:
        lang: The language, or `both` for files, which are read in either.
        config: The file of settings that was typed, quoted as commands to be typed next name it;
            "" where they find it by themselves.
        for_file: Words of strangers stay as they are, since no terminal shows them.
        run: The run that was typed, which commands to be typed next name as well: without it they
            would go on with the last one.
    """

    lang: Lang | Literal["both"]
    for_file: bool = False
    config: str = ""
    run: str = ""

    def about(self, run: str | None) -> Say:
        """Return what says the same of a run that was typed; None is the last one."""
        return replace(self, run=run) if run and _RUN.fullmatch(run) else self

    def __call__(self, key: str, /, **facts: object) -> str:
        """Say a sentence by its key; a fact that is a remark is said as well."""
        found = sentence(key)
        if found is None:
            raise KeyError(key)
        if self.lang == "both" and any(map(_says_something, found)):
            english, chinese = (Say(lang, for_file=True)(key, **facts) for lang in LANGUAGES)
            return english if english == chinese else f"{chinese} ({english})"
        known = {name: self._fact(value) for name, value in facts.items()}
        words = found[0 if self.lang == "en" else 1]
        if self.run:
            words = _OF_RUN.sub(rf"`k3push \1 {self.run}`", words)
        if self.config:
            config = self.config.replace("{", "{{").replace("}", "}}")
            words = _OF_CONFIG.sub(lambda named: f"{named[0]} --config {config}", words)
        return _filled(words, known)

    def said(self, text: str) -> str:
        """Put a remark into words, or several in lines; any other text stays as it is."""
        if text.endswith("}"):
            lines = list(map(self._line, text.split("\n")))
            if None not in lines:
                return "\n".join(filter(None, lines))
        return self._other(text)

    def _other(self, text: str) -> str:
        return own_words(text) if self._is_for_file else harmless(own_words(text))

    @property
    def _is_for_file(self) -> bool:
        return self.for_file or self.lang == "both"

    def _line(self, text: str) -> str | None:
        """Return a remark in words, None for any other text."""
        found = read_remark(text)
        if found is None or sentence(found[0]) is None:
            return None
        try:
            return self(found[0], **found[1])
        except (LookupError, ValueError, TypeError, AttributeError):  # facts of another version
            return text if self._is_for_file else harmless(text)

    def _fact(self, value: object) -> object:
        if isinstance(value, BaseException | PurePath):
            value = str(value)
        if self.lang == "zh" and isinstance(value, str):
            value = IN_CHINESE.get(value, value)
        return self.said(value) if isinstance(value, str) else value


def speaker(lang: Lang, *, config: str = "") -> Say:
    """Return what says sentences in *lang*, and names a file of settings in commands."""
    return Say(lang, config=config)


def in_files(text: str) -> str:
    """Put a remark into words for a file, which has no language: Chinese, then English.

    >>> in_files("note.blocked.unapproved{}")
    '源单未审核 (the source bill is not approved)'
    """
    return _FILES.said(text)


_FILES = Say("both")


def choose_language(arguments: Sequence[str]) -> Lang:
    """Choose by `--lang`, the last one as with any option, else by the locale.

    >>> choose_language(["run", "--lang", "en", "orders.csv", "--lang", "zh"])
    'zh'
    """
    for at, argument in reversed([*enumerate(arguments)]):
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
