"""What one process sees of the store: the runs of its account, until it dies."""

from __future__ import annotations

from collections.abc import Sequence

from anyio.lowlevel import checkpoint

from k3push.core.model import RunId
from k3push.ports import LedgerLostError, NoRunError
from tests.memory_ledger.rows import RunRows, Store, known, oldest_first


class Process:
    """What owns runs: one process, whichever accounts it works for."""

    is_dead = False


class StoreView:
    """What one process sees of a store, as an account."""

    def __init__(self, store: Store | None = None, *, account: str) -> None:
        self._store = store or Store()
        self._account = account
        self._process = Process()

    def die(self) -> None:
        """Act as if this process were killed: its runs are free, its later verbs are lost."""
        self._process.is_dead = True
        for run in [run for run, of in self._store.owners.items() if of is self._process]:
            del self._store.owners[run]

    async def _turn(self) -> Store:
        """Let others run, then return the store for one step that nothing interrupts."""
        await checkpoint()
        if self._process.is_dead:
            raise LedgerLostError("memory: this process is dead")
        return self._store

    def _known(self, store: Store, run: RunId) -> RunRows:
        """Return a run that must be there, and the account's."""
        rows = known(store, run)
        if not self._is_mine(store, run):
            raise NoRunError(run)
        return rows

    def _is_mine(self, store: Store, run: RunId) -> bool:
        return run in store.runs and store.runs[run].run.account == self._account

    async def _in_order(self) -> Sequence[RunRows]:
        """Return the account's runs in the order in which they were opened."""
        store = await self._turn()
        return [rows for rows in store.runs.values() if self._is_mine(store, rows.run.id)]

    async def _oldest_first(self) -> Sequence[RunRows]:
        store = await self._turn()
        return [rows for rows in oldest_first(store) if self._is_mine(store, rows.run.id)]

    async def _rows_of_run(self, run: RunId) -> RunRows:
        return self._known(await self._turn(), run)
