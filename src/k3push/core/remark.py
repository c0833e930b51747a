"""A sentence that has not been put into words yet: its key and its facts, as one text.

The rules, the ledger and the settings know no language. What they have to say to a person is a
*remark*, a text of the form `key{facts}`, and `words` says it in the language of whoever reads
it. Any other text (the ERP's own words, what an older version wrote) stays as it is. A remark is
a plain `str` of one line, so it fits wherever a text does: into an exception, a column, a file,
another remark.
"""

from __future__ import annotations

import re
from typing import Any

_FORM = re.compile(r"([a-z_]+(?:\.[a-z0-9_ -]+)+)(\{.*\})", re.DOTALL)


def remark(key: str, /, **facts: object) -> str:
    """Name a sentence of `words`, and the facts in it, remarks among them.

    >>> remark("note.absent", seconds=600)
    'note.absent{"seconds":600}'
    >>> remark("note.wait", why=remark("note.session_gone"))
    'note.wait{"why":["note.session_gone",{}]}'
    """
    return key + _written({name: _inner(fact) for name, fact in facts.items()})


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
    """Return a text of a stranger, who may have written it so that it passes for a remark.

    >>> foreign("单据未审核"), foreign('summary.exit{"code":0}')
    ('单据未审核', 'summary.exit{"code":0}.')
    """
    return f"{text}." if any(map(_parts, text.splitlines())) else text


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
