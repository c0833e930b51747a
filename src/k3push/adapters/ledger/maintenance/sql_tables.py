"""The tables that every SQL ledger has, and what copying and checking need of a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Protocol

from k3push.adapters.ledger.sql_files import statements_in

Cells = tuple[Any, ...]
"""The cells of a row: str, int, float, bytes or None, in the order of `Table.columns`."""


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """A table of the ledger.

    Attributes:
        columns: Those that both databases have; the first ones are its key.
        keys: How many of them are.
    """

    name: str
    columns: tuple[str, ...]
    keys: int = 1

    @property
    def key(self) -> tuple[str, ...]:
        """The columns by which its rows are ordered and told apart."""
        return self.columns[: self.keys]


def _table(name: str, columns: str, keys: int = 1) -> LedgerTable:
    return LedgerTable(name, tuple(columns.split()), keys)


# In an order in which each refers to those before it. Tallies are counted anew.
TABLES = (
    _table(
        "runs",
        "key id account scope route jobs folder started_at ended_at exit again_because whole listed"
        " begun_with archive pruned",
    ),
    _table(
        "attempts",
        "id run chunk nth began_at boot uptime_s numbers before request sender ended_at verdict"
        " answer status because body",
    ),
    _table(
        "rows",
        "run place line number bill state targets code reason attempts attempt settled_at"
        " listed_id source_id",
        keys=2,
    ),
    _table("repeats", "run place line number first_place", keys=2),
    _table("claims", "scope number bill run", keys=2),
    _table("carried", "number attempt", keys=2),
    _table("notes", "id number run at text"),
    _table("commands", "id run given_at words obeyed_at on_their_way"),
    _table("taken_files", "folder name digest run", keys=4),
    _table("paces", "scope calls server at"),
    _table(
        "steps",
        "id run kind ids stood began_at boot uptime_s request sender ended_at verdict answer status"
        " because body",
    ),
    _table("documents", "run id number sender follow reason step at", keys=2),
    _table("memos", "account kind id at value about open version", keys=3),
)

ATTEMPTS = TABLES[1]


class SqlTables(Protocol):
    """The tables of one ledger, of all its accounts, within one transaction."""

    async def page(self, table: LedgerTable, after: Cells, limit: int) -> Sequence[Cells]:
        """Return rows in the order of their keys, beginning *after* a key; () is before all."""
        ...

    async def add(self, table: LedgerTable, rows: Sequence[Cells]) -> None:
        """Write rows."""
        ...

    async def count_anew(self) -> None:
        """Write the tallies, and let ids that come grow from those that are there."""
        ...

    async def ask(self, question: str) -> Cells:
        """Return the first row of a query of `checks.sql`, or of another."""
        ...

    async def alive(self) -> str:
        """Return the id of a run that some process executes, or ""."""
        ...

    async def distrust(self) -> None:
        """Have whoever pushes with it first wait as after a move.

        Its source may go on, or has not known all that left: a copy may be a backup, or of one.
        """
        ...

    async def broken(self) -> str:
        """Say what the database itself finds wrong with its files, or ""."""
        ...

    async def commit(self) -> None:
        """Keep what was written; without it nothing is."""
        ...


def page_query(table: LedgerTable, mark: str, *, first: bool) -> str:
    """Return the query of a page.

    >>> page_query(LedgerTable("carried", ("number", "attempt")), "?", first=False)
    'SELECT number, attempt FROM carried WHERE (number) > (?) ORDER BY number LIMIT ?'
    """
    key = ", ".join(table.key)
    after = "" if first else f" WHERE ({key}) > ({', '.join([mark] * table.keys)})"
    columns = ", ".join(table.columns)
    # Names are those above, and values go as parameters.
    return f"SELECT {columns} FROM {table.name}{after} ORDER BY {key} LIMIT {mark}"  # noqa: S608


def insertion(table: LedgerTable, mark: str) -> str:
    """Return the statement that writes a row."""
    marks = ", ".join([mark] * len(table.columns))
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})"  # noqa: S608  # names of ours


def questions() -> dict[str, str]:
    """Return the queries of `checks.sql`, by name; both databases understand them."""
    checks = files("k3push.adapters.ledger.maintenance") / "checks.sql"
    return statements_in(checks.read_text(encoding="utf-8"))
