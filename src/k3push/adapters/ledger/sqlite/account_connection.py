"""A connection to a SQLite file as the steps have it: for one account, and never waiting."""

from __future__ import annotations

import sqlite3
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from k3push.adapters.ledger.codec import write_json
from k3push.adapters.ledger.sql_steps.step_connection import Columns, RunKey, StepConnection, Value
from k3push.adapters.ledger.sqlite.connections import Connection
from k3push.core.model import RunId
from k3push.ports import NoRunError

T = TypeVar("T")


class AccountConnection(StepConnection):
    """Fulfils `StepConnection` for one account."""

    def __init__(self, connection: Connection, account: str) -> None:
        self._connection = connection
        self._account = account

    @property
    def account(self) -> str:
        """Whose runs the statements see."""
        return self._account

    def of_account(self, account: str) -> AccountConnection:
        """Return the same connection for the runs of another account."""
        return AccountConnection(self._connection, account)

    def _execute(self, name: str, values: dict[str, Value]) -> sqlite3.Cursor:
        for key, value in values.items():
            if isinstance(value, list):
                values[key] = write_json(value)
        values["account"] = self._account
        return self._connection.execute(name, values)

    async def do(self, name: str, **values: Value) -> None:
        """Run a statement whose answer nobody needs."""
        self._execute(name, values)

    async def do_each(
        self, name: str, each: Iterable[Mapping[str, object]], **values: Value
    ) -> None:
        """Run one statement for all of *each*, if any, with *values* in common."""
        if rows := list(each):
            self._execute(name, {"each": write_json(rows), **values})

    async def inserted(self, name: str, **values: Value) -> int:
        """Run a statement that inserts a row; return the row's key."""
        return self._execute(name, values).lastrowid or 0

    async def changed(self, name: str, **values: Value) -> int:
        """Run a statement; return how many rows it inserted, changed or deleted."""
        return self._execute(name, values).rowcount

    async def all(self, name: str, **values: Value) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._execute(name, values).fetchall()

    async def all_at_once(self, name: str, **values: Value) -> Sequence[Any]:
        """Return the rows of the JSON array that is the one value of a query."""
        ((text,),) = self._execute(name, values).fetchall()
        rows: list[Any] = orjson.loads(text)
        return rows

    async def one(self, name: str, **values: Value) -> tuple[Any, ...] | None:
        """Return the first row of a query."""
        return next(iter(self._execute(name, values).fetchall()), None)

    async def key_and_scope(self, run: RunId) -> tuple[int, str]:
        """Return key and scope of an existing run."""
        found = await self.lock_run(run)
        return found.key, found.scope

    async def lock_run(self, run: RunId) -> RunKey:
        """Return an existing run; a transaction that writes is the only one, and locks all."""
        found = await self.one("run_key", run=run)
        if found is None:
            raise NoRunError(run)
        return RunKey(*found)

    lock_run_shared = lock_run

    def columns(
        self,
        table: str,
        names: tuple[str, ...],  # noqa: ARG002  # each row is an array
        rows: Sequence[Sequence[str]],
    ) -> Columns:
        """Return the rows as the one parameter *table*."""
        return {table: write_json(rows)}


def run_to_end(step: Coroutine[Any, Any, T]) -> T:
    """Run a step to its end without an event loop: over SQLite it never waits.

    So it is done in whichever thread the transaction is.
    """
    try:
        step.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    step.close()
    raise RuntimeError("a step over SQLite waited")
