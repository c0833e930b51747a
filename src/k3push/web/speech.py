"""In which language a page is, and its sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from k3push.core.catalogue import Bilingual
from k3push.reporting.timeline import Say
from k3push.web.words import WORDS

LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Speech:
    """One language.

    Attributes:
        lang: `en` or `zh`.
        rest: Says the sentences that the dashboard shares with the command line.
        kept: Says a note or a verdict of the ledger, which keeps them in English.
    """

    lang: str
    rest: Say
    kept: Callable[[str], str]

    def say(self, sentence: str | Bilingual, /, **facts: object) -> str:
        """Return a sentence by its key, or advice."""
        own = WORDS.get(sentence, sentence) if isinstance(sentence, str) else sentence
        return self.rest(own, **facts)


def language(chosen: Iterable[str | None], accepted: str, otherwise: str) -> str:
    """Choose a language.

    Args:
        chosen: What the person has chosen, the strongest first.
        accepted: What their browser says (Accept-Language).
        otherwise: Where neither says one that there is.

    >>> language([None, "zh"], "en", "en"), language([], "fr, zh-CN;q=0.8, en;q=0.4", "en")
    ('zh', 'zh')
    """
    weighed = []
    for place, part in enumerate(accepted.split(",")[:20]):
        match = re.fullmatch(r"\s*([A-Za-z]{2})[A-Za-z-]*\s*(?:;\s*q=([01](?:\.\d+)?))?\s*", part)
        if match:
            weighed.append((-float(match[2] or 1), place, match[1].lower()))
    wanted = [*chosen, *(lang for _, _, lang in sorted(weighed))]
    return next((lang for lang in wanted if lang in LANGUAGES), otherwise)
