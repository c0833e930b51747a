"""What a step needs of a connection, whichever database it leads to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from k3push.adapters.ledger import codec
from k3push.core.model import BillNumber, RunId

Value = str | float | bytes | Sequence[str] | Sequence[int] | None
"""Sequences must be lists: psycopg makes arrays of them, and SQLite is given them as JSON."""

Columns = dict[str, Value]
"""Parameters that are made of the columns of a table."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """What a step that writes needs to know of its run."""

    key: int
    scope: str
    listed: int


class StepConnection(Protocol):
    """A connection that runs statements of `sql/verbs.sql` by their names.

    Steps await it since PostgreSQL is far away. Over SQLite nothing ever waits, so that a step is
    done at one go in whichever thread it is begun.
    """

    @property
    def account(self) -> str:
        """Whose runs the statements see."""
        ...

    async def do(self, name: str, **values: Value) -> None:
        """Run a statement whose answer nobody needs."""
        ...

    async def do_each(
        self, name: str, each: Iterable[Mapping[str, object]], **values: Value
    ) -> None:
        """Run one statement for all of *each*, if any, with *values* in common.

        It is given them as one JSON array, so that many rows cost little more than one.
        """
        ...

    async def inserted(self, name: str, **values: Value) -> int:
        """Run a statement that inserts a row; return the row's key."""
        ...

    async def changed(self, name: str, **values: Value) -> int:
        """Run a statement; return how many rows it inserted, changed or deleted."""
        ...

    async def all(self, name: str, **values: Value) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        ...

    async def all_at_once(self, name: str, **values: Value) -> Sequence[Any]:
        """Return all rows of a query, which SQLite puts into one JSON array.

        That is one step of its statement, instead of one for each row.
        """
        ...

    async def one(self, name: str, **values: Value) -> tuple[Any, ...] | None:
        """Return the first row of a query."""
        ...

    async def key_and_scope(self, run: RunId) -> tuple[int, str]:
        """Return key and scope of an existing run, without a lock.

        Raises:
            NoRunError: There is none.
        """
        ...

    async def lock_run_shared(self, run: RunId) -> RunKey:
        """Lock the row of an existing run in share mode: nobody can take it over meanwhile.

        Raises:
            NoRunError: There is none.
        """
        ...

    async def lock_run(self, run: RunId) -> RunKey:
        """Lock the row of an existing run: nobody else writes for it meanwhile.

        Raises:
            NoRunError: There is none.
        """
        ...

    def columns(self, table: str, names: tuple[str, ...], rows: Sequence[Sequence[str]]) -> Columns:
        """Return *rows* as the parameters of a statement.

        SQLite takes one JSON array called *table*, PostgreSQL one array for each of *names*.
        """
        ...


async def run_key(connection: StepConnection, run: RunId) -> int:
    """Return the key of an existing run, without a lock."""
    key, _ = await connection.key_and_scope(run)
    return key


def as_called(connection: StepConnection, bills: Iterable[BillNumber]) -> Columns:
    """Return the parameters that bills go into."""
    return connection.columns("called", ("numbers", "bills"), codec.called(bills))


def as_listed(connection: StepConnection, lines: Iterable[BillNumber]) -> Columns:
    """Return the parameters that lines of the job file go into."""
    return connection.columns("listed", ("numbers", "ids"), codec.listed(lines))
