"""Looking through a ledger for what cannot be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyio import to_thread

from k3push.adapters.ledger import codec
from k3push.adapters.ledger.maintenance.copy import ATTEMPTS_PAGE, PAGE
from k3push.adapters.ledger.maintenance.sql_tables import (
    ATTEMPTS,
    TABLES,
    Cells,
    LedgerTable,
    SqlTables,
    questions,
)
from k3push.adapters.ledger.records import STATES
from k3push.core.control_words import Command
from k3push.ports import LedgerDamagedError


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found.

    Attributes:
        check: Which one: `file`, a query of `checks.sql`, `cells` or `answers`.
        wrong: How many faults there are.
        example: The first: a run, a number, an attempt, or the database's words.
    """

    check: str
    wrong: int = 0
    example: str = ""


async def check(books: SqlTables) -> AsyncIterator[Finding]:
    """Make all checks, each over the whole ledger."""
    broken = await books.broken()
    yield Finding("file", int(bool(broken)), broken)
    for name, question in (await to_thread.run_sync(questions)).items():
        wrong, example = await books.ask(question)
        yield Finding(name, wrong, str(example or ""))
    for part in (CELLS, ANSWERS):
        yield await _readable(books, part)


@dataclass(frozen=True, slots=True)
class _Part:
    """Columns that can be wrong by themselves, and how they are read.

    Attributes:
        readers: By the column's name; each raises on what k3push never writes.
        only: The table that is looked through, or "" for all.
    """

    check: str
    readers: Mapping[str, Callable[[Any], object]]
    only: str = ""


def _may_be(read: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda cell: None if cell is None else read(cell)


def _words(cell: str) -> Command:
    return Command.parse(cell.split(" "))


CELLS = _Part(
    "cells",
    {
        "key": codec.read_whole_number,
        "line": codec.read_whole_number,
        "place": codec.read_whole_number,
        "first_place": codec.read_whole_number,
        "chunk": codec.read_whole_number,
        "nth": codec.read_whole_number,
        "calls": codec.read_whole_number,
        "exit": _may_be(codec.read_whole_number),
        "attempt": _may_be(codec.read_whole_number),
        "status": _may_be(codec.read_whole_number),
        "uptime_s": partial(codec.read_uptime, None),
        "scope": codec.read_words,
        "folder": codec.read_words,
        "name": codec.read_words,
        "number": codec.read_words,
        "route": codec.read_route,
        "jobs": codec.read_numbers,
        "archive": codec.read_archive,
        "started_at": codec.read_time,
        "began_at": codec.read_time,
        "given_at": codec.read_time,
        "at": codec.read_time,
        "ended_at": codec.read_time_or_none,
        "settled_at": codec.read_time_or_none,
        "obeyed_at": codec.read_time_or_none,
        "state": STATES.__getitem__,
        "targets": codec.read_targets,
        "before": codec.read_before,
        "words": _words,
    },
)

ANSWERS = _Part(
    "answers",
    {"numbers": codec.read_numbers, "request": codec.read_bytes, "body": _may_be(codec.read_bytes)},
    ATTEMPTS.name,
)


async def _readable(books: SqlTables, part: _Part) -> Finding:
    """Count the rows of which a column cannot be read."""
    wrong, example = 0, ""
    for table in TABLES:
        places = [
            (i, part.readers[name]) for i, name in enumerate(table.columns) if name in part.readers
        ]
        if not places or part.only not in {"", table.name}:
            continue
        limit = ATTEMPTS_PAGE if table is ATTEMPTS else PAGE
        after: Cells = ()
        while page := await books.page(table, after, limit):
            for row in page:
                if not _can_be_read(row, places):
                    wrong += 1
                    example = example or _named(table, row, part)
            after = page[-1][: table.keys]
    return Finding(part.check, wrong, example)


def _named(table: LedgerTable, row: Cells, part: _Part) -> str:
    key = ", ".join(map(str, row[: table.keys]))
    return key if part.only else f"{table.name} {key}"


def _can_be_read(row: Cells, places: Sequence[tuple[int, Callable[[Any], object]]]) -> bool:
    try:
        for index, read in places:
            read(row[index])
    except (LedgerDamagedError, *codec.UNREADABLE):
        return False
    return True
