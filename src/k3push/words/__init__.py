"""All sentences for people, each in English and in Chinese, by key.

A key is `family.name`, and a module of this folder has all sentences of a family; it is imported
when the first of them is said. `language.Say` puts a sentence and its facts together. Tests hold
that the code uses every key, that every key the code uses is here, and that each call gives just
the facts that both languages mention.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

FAMILIES = {
    "audits": ("audit",),
    "bad_answers": ("answer",),
    "checks": ("check",),
    "command_help": ("app", "command"),
    "errors": ("error", "output", "overlap"),
    "explained": ("explain", "note"),
    "first_steps": ("demo", "init", "login", "sandbox", "schedule"),
    "fleets": ("enqueue", "fleet", "worker"),
    "framework_texts": ("framework",),
    "job_troubles": ("job",),
    "ledgers": ("ledger",),
    "live_run": ("control", "hold", "progress", "status"),
    "notices": ("inbox", "notice", "notify", "warning"),
    "option_help": ("argument", "option"),
    "outcomes": (
        "breach", "cause", "exit", "follow", "meaning", "reason", "state", "step",
        "summary", "why",
    ),
    "previews": ("forecast", "plan"),
    "programs": ("api", "token"),
    "remedies": ("advice",),
    "report_page": ("pace", "report"),
    "setting_faults": (
        "cron", "erp", "halt", "metrics", "route", "secret", "setting", "settle", "text", "url",
        "window",
    ),
    "site_lists": ("rules", "select"),
    "web_desk": ("desk",),
    "web_pages": ("serve", "web"),
}  # fmt: skip
"""The modules, with the families of which they have all sentences."""

_OF_NUMBERS = ("bad_answers", "explained")
"""The modules with what a ledger keeps of numbers."""

_HOMES = {family: module for module, families in FAMILIES.items() for family in families}


def sentence(key: str) -> tuple[str, str] | None:
    """Return a sentence in English and in Chinese; None where there is none of that key."""
    home = _HOMES.get(key.partition(".")[0])
    if home is None:
        return None
    found: tuple[str, str] | None = import_module(f"k3push.words.{home}").WORDS.get(key)
    return found


def remarks_saying(words: str) -> list[str]:
    """Return the keys of remarks about numbers that hold *words* in some language.

    >>> remarks_saying("源单未审核")
    ['note.blocked.unapproved']
    """
    return _saying(words, _OF_NUMBERS)


def causes_saying(words: str) -> list[str]:
    """Return the keys of causes (`core.advice`) that hold *words* in some language.

    >>> causes_saying("is no gift")
    ['advice.price-zero.cause']
    """
    return [key for key in _saying(words, ("remedies",)) if key.endswith(".cause")]


def _saying(words: str, modules: Iterable[str]) -> list[str]:
    wanted = words.casefold()
    return [
        key
        for module in modules
        for key, said in import_module(f"k3push.words.{module}").WORDS.items()
        if any(wanted in sentence.casefold() for sentence in said)
    ]
