"""A sentence that has not been put into words yet: its key and its facts, as one text.

The rules, the ledger and the settings know no language. What they have to say to a person is a
*remark*, a text of the form `key{facts}`, and `words` says it in the language of whoever reads
it. Any other text (the ERP's own words, what an older version wrote) stays as it is; words of
others that look like a remark bear a mark from where they come in. A remark is
a plain `str` of one line, so it fits wherever a text does: into an exception, a column, a file,
another remark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_FORM = re.compile(r"([a-z_]+(?:\.[a-z0-9_ -]+)+)(\{.*\})", re.DOTALL)

# A row is read at a glance; a list without an end is not.
MOST_NAMED = 10

# An invisible separator, which no remark begins with and no screen shows.
_FOREIGN = "\u2063"


def remark(key: str, /, **facts: object) -> str:
    """Name a sentence of `words`, and the facts in it, remarks among them.

    >>> remark("note.absent", seconds=600)
    'note.absent{"seconds":600}'
    >>> remark("note.wait", why=remark("note.session_gone"))
    'note.wait{"why":["note.session_gone",{}]}'
    """
    return key + _written({name: _inner(fact) for name, fact in facts.items()})


def also(reason: str, more: str) -> str:
    """Add to a remark, if there is one, a second remark, unless it tells that already.

    >>> also("", "closed"), also("closed", "twice")
    ('closed', 'note.also{"first":"closed","more":"twice"}')
    >>> also(also("closed", "twice"), "closed") == also("closed", "twice")
    True
    """
    if not reason or _tells(reason, more):
        return reason or more
    return remark("note.also", first=reason, more=more)


def few(names: Sequence[str]) -> str:
    """Name the first of several things, and say that there are more.

    >>> few(["a", "b"]), few("abcdefghijkl")
    ('a, b', 'a, b, c, d, e, f, g, h, i, j, …')
    """
    return ", ".join([*names[:MOST_NAMED], *(["…"] if len(names) > MOST_NAMED else [])])


def _tells(reason: str, what: str) -> bool:
    """Say whether a remark tells something, by itself or beside others."""
    if reason == what:
        return True
    told = read_remark(reason)
    if told is None or told[0] != "note.also":
        return False
    return _tells(str(told[1]["first"]), what) or _tells(str(told[1]["more"]), what)


def kind_and_words(error: BaseException) -> str:
    """Name the kind of an exception, and what it says, which may be a remark.

    >>> kind_and_words(ValueError("bad")), kind_and_words(ValueError(remark("answer.cut_off")))
    ('ValueError: bad', 'note.place{"place":"ValueError","why":["answer.cut_off",{}]}')
    """
    kind, words = type(error).__name__, str(error)
    if _parts(words) is None:
        return f"{kind}: {words}"
    # Behind other words nobody would find a remark any more.
    return remark("note.place", place=kind, why=words)


def read_remark(text: str) -> tuple[str, dict[str, Any]] | None:
    """Return key and facts of a remark, or None for any other text.

    >>> read_remark('note.wait{"why":["note.session_gone",{}]}')
    ('note.wait', {'why': 'note.session_gone{}'})
    >>> read_remark("单据未审核")
    """
    match = _parts(text)
    if match is None:
        return None
    key, facts = match
    return key, {name: _outer(fact) for name, fact in facts.items()}


def foreign(text: str) -> str:
    """Return words of others such that nobody takes them for a remark, whatever they look like.

    Nearly all stay as they are; `own_words` gives back what was said.

    >>> own_words(foreign("单据未审核")), read_remark(foreign('note.absent{"seconds":600}'))
    ('单据未审核', None)
    """
    if "}" not in text:
        return text
    lines = text.split("\n")
    return "\n".join(
        f"{_FOREIGN}{line}" if _FORM.fullmatch(line.strip()) else line for line in lines
    )


def own_words(text: str) -> str:
    """Return what somebody said, of what `foreign` made of it.

    >>> own_words(foreign('note.absent{"seconds":600}'))
    'note.absent{"seconds":600}'
    """
    return text.replace(_FOREIGN, "") if _FOREIGN in text else text


def _parts(text: str) -> tuple[str, dict[str, Any]] | None:
    # Nearly every text is another one, and its end says so at once.
    match = _FORM.fullmatch(text) if text.endswith("}") else None
    if match is None:
        return None
    import json  # noqa: PLC0415  # a start that says nothing of the kind does without

    try:
        facts = json.loads(match[2])
    except ValueError:
        return None
    return (match[1], facts) if isinstance(facts, dict) else None


def _inner(fact: object) -> object:
    if isinstance(fact, BaseException):
        fact = str(fact)
    # A text within a text would escape its quotation marks again at each level.
    found = _parts(fact) if isinstance(fact, str) else None
    return fact if found is None else [*found]


def _outer(fact: Any) -> Any:
    match fact:
        case [str(key), dict(facts)]:
            return key + _written(facts)
        case _:
            return fact


def _written(facts: dict[str, Any]) -> str:
    import json  # noqa: PLC0415  # as above

    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"), default=str)
