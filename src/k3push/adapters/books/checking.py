"""Looking through a ledger for what cannot be."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
from anyio import to_thread

from k3push.adapters import ledger_text as text
from k3push.adapters.books.copying import ATTEMPTS_PAGE
from k3push.adapters.books.tables import ATTEMPTS, Books, Cells, questions


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found.

    Attributes:
        check: Which one: `file`, a query of `checks.sql`, or `answers`.
        wrong: How many faults there are.
        example: The first: a run, a number, an attempt, or the database's words.
    """

    check: str
    wrong: int = 0
    example: str = ""


async def check(books: Books) -> AsyncIterator[Finding]:
    """Make all checks, each over the whole ledger."""
    broken = await books.broken()
    yield Finding("file", int(bool(broken)), broken)
    for name, question in (await to_thread.run_sync(questions)).items():
        wrong, example = await books.ask(question)
        yield Finding(name, wrong, str(example or ""))
    yield await _answers(books)


async def _answers(books: Books) -> Finding:
    wrong, example = 0, ""
    after: Cells = ()
    while page := await books.page(ATTEMPTS, after, ATTEMPTS_PAGE):
        for row in page:
            if not _is_readable(dict(zip(ATTEMPTS.columns, row, strict=True))):
                wrong += 1
                example = example or str(row[0])
        after = page[-1][:1]
    return Finding("answers", wrong, example)


def _is_readable(attempt: dict[str, object]) -> bool:
    request, body = attempt["request"], attempt["body"]
    if not isinstance(request, bytes) or not isinstance(body, bytes | None):
        return False
    try:
        text.to_bytes(request)
        if body is not None:
            text.to_bytes(body)
        text.to_numbers(str(attempt["numbers"]))
    except (zlib.error, orjson.JSONDecodeError):
        return False
    return True
