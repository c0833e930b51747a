"""A ledger in memory: the plainest reading of the port's words.

It shows what every other ledger must do, and serves whole-system simulations on a virtual
clock: inside a verb nothing waits, so a verb either has not begun or is done. In each module its
verbs stand in the order of the port, so that the two can be read side by side.

One `MemoryLedger` is what one process sees. Another process on the same ledger, and a death,
are made like this:

    first = MemoryLedger(account="66e1c2")
    second = first.another_process()
    first.die()     # what it owned is free, and nothing that it still does reaches the store
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import anyio
import orjson

from k3push.adapters.ledger import rules
from k3push.core.control_words import Command
from k3push.core.model import (
    Archive,
    BillNumber,
    FolderFile,
    Identified,
    Listed,
    Repeat,
    Row,
    Run,
    RunId,
    State,
)
from k3push.core.pacing.server_model import Learnt
from k3push.core.remark import remark
from k3push.ports import (
    Commanded,
    Glance,
    Identification,
    Ledger,
    Memo,
    OtherSpellingError,
    RunIdTakenError,
    RunIsAliveError,
)
from tests.memory_ledger.archiving import is_over, prune
from tests.memory_ledger.reads import ReadVerbs
from tests.memory_ledger.rows import RunRows, bury_executor, clear_commands, identify
from tests.memory_ledger.sending import SendingVerbs
from tests.memory_ledger.steps import StepVerbs


class MemoryLedger(ReadVerbs, SendingVerbs, StepVerbs, Ledger):
    """What one process sees of a ledger that is kept in memory."""

    def another_process(self) -> MemoryLedger:
        """Return what another process sees of the same ledger."""
        return MemoryLedger(self._store, account=self._account)

    def of_account(self, account: str) -> MemoryLedger:
        """Return the same ledger for another account."""
        if account == self._account:
            return self
        other = MemoryLedger(self._store, account=account)
        other._process = self._process
        return other

    async def until_replaced(self) -> None:
        """Wait for ever: nothing can be in its place."""
        await anyio.sleep_forever()

    async def unknown_sending(self) -> datetime | None:
        """Return None: it has no backup."""
        return None

    async def moved_at(self, now: datetime) -> datetime | None:
        """Return None: it is where it was."""
        del now
        return None

    # -- runs ---------------------------------------------------------------------------------

    async def open_run(self, run: Run) -> None:
        """Keep a new run; an id that is taken is refused."""
        store = await self._turn()
        rules.check_scope(run.scope, self._account)
        for account in {each.run.account for each in store.runs.values()} - {run.account}:
            if account.lower() == run.account.lower():
                raise OtherSpellingError(run.account, account)
        if run.id in store.runs:
            raise RunIdTakenError(run.id)
        store.runs[run.id] = RunRows(run)

    async def end_run(self, run: RunId, exit_code: int, at: datetime) -> None:
        """Keep how an execution ended."""
        rows = await self._rows_of_run(run)
        rows.run = replace(rows.run, exit=exit_code, ended_at=at)

    async def run(self, run: RunId) -> Run | None:
        """Return the run of that id."""
        store = await self._turn()
        return store.runs[run].run if self._is_mine(store, run) else None

    async def runs(
        self, *, last: int | None = None, undone: bool = False, before: RunId | None = None
    ) -> Sequence[Run]:
        """Return runs in the order in which they were opened: all, or the last so many."""
        found = [rows.run for rows in await self._in_order()]
        if before is not None:
            found = found[: found.index((await self._rows_of_run(before)).run)]
        wanted = [run for run in found if not undone or run.exit != 0]
        return wanted if last is None else wanted[max(0, len(wanted) - last) :]

    async def runs_named(self, beginning: str) -> Sequence[Run]:
        """Return the runs whose id begins so."""
        found = [rows.run for rows in await self._in_order()]
        return [run for run in found if run.id.startswith(beginning)]

    async def runs_called(
        self,
        words: str,
        *,
        ids: Collection[RunId] = (),
        last: int,
        before: RunId | None = None,
    ) -> Sequence[Run]:
        """Return the last so many runs whose jobs hold a text, or that are named."""
        wanted = [
            run
            for run in await self.runs(before=before)
            if run.id in ids or any(words.casefold() in job.casefold() for job in run.jobs)
        ]
        return wanted[max(0, len(wanted) - last) :]

    async def runs_begun_with(self, group: str) -> Sequence[Run]:
        """Return the runs that one command has begun."""
        found = [rows.run for rows in await self._in_order()]
        return [run for run in found if group and run.group == group]

    async def glances(
        self, accounts: Collection[str], *, among: int
    ) -> Mapping[str, Sequence[Glance]]:
        """Return the last run of each route of several accounts, and those that are not settled."""
        seen: dict[str, Sequence[Glance]] = {}
        for account in accounts:
            store = await self._turn()
            every = [rows for rows in store.runs.values() if rows.run.account == account]
            newest = every[max(0, len(every) - among) :]
            seen[account] = rules.worth_a_glance(
                [Glance(rows.run, rows.counts()) for rows in newest]
            )
        return seen

    @asynccontextmanager
    async def own(self, run: RunId, *, executes: bool = True) -> AsyncIterator[None]:
        """Hold *run* until the block ends, however it ends, or until `die`."""
        store = await self._turn()
        rows = self._known(store, run)
        if run in store.owners:
            raise RunIsAliveError(remark("ledger.run_alive", run=run))
        rules.check_executable(run, (rows.run.archive, run in store.pruned))
        store.owners[run] = self._process
        try:
            bury_executor(store, rows)
            if executes:
                rows.run = replace(rows.run, exit=None, ended_at=None)
                clear_commands(store, rows)
            yield
        finally:
            if store.owners.get(run) is self._process:
                del store.owners[run]

    async def is_alive(self, run: RunId) -> bool:
        """Say whether some process owns *run* now."""
        store = await self._turn()
        return self._is_mine(store, run) and run in store.owners

    async def take(self, file: FolderFile, run: RunId) -> None:
        """Keep that a run has the numbers of a file."""
        await self._rows_of_run(run)
        self._store.taken.setdefault((self._account, file), run)

    async def taker_of(self, file: FolderFile) -> RunId | None:
        """Return the run that has the numbers of a file."""
        return (await self._turn()).taken.get((self._account, file))

    async def keep_pace(self, scope: str, learnt: Learnt, *, at: datetime) -> None:
        """Keep what an execution has found of the server."""
        store = await self._turn()
        rules.check_scope(scope, self._account)
        store.paces[scope] = (learnt, at)

    async def pace(self, scope: str) -> tuple[Learnt, datetime] | None:
        """Return what was kept last, and when."""
        store = await self._turn()
        return store.paces.get(scope) if rules.is_of_account(scope, self._account) else None

    # -- archives -----------------------------------------------------------------------------

    async def due_for_archive(self, before: datetime, *, limit: int = 100) -> Sequence[Run]:
        """Return runs that are over and done with."""
        store = await self._turn()
        found = [
            rows.run
            for rows in await self._in_order()
            if rows.run.ended_at and rows.run.ended_at < before and rows.run.id not in store.pruned
            if rows.run.archive or is_over(store, rows)
        ]
        return sorted(found, key=lambda run: run.ended_at or before)[:limit]

    async def archive(self, run: RunId, archive: Archive) -> None:
        """Keep that an archive holds all of a run."""
        rows = await self._rows_of_run(run)
        if rows.run.archive or not is_over(self._store, rows):
            rules.refuse_archive(run)
        rows.run = replace(rows.run, archive=archive)

    async def prune(
        self,
        run: RunId,
        *,
        after: tuple[int, int] = (0, 0),  # noqa: ARG002  # one step takes all of it
        limit: int = 500,  # noqa: ARG002
    ) -> tuple[int, int] | None:
        """Remove what is archived, and nothing rests on."""
        rows = await self._rows_of_run(run)
        done = run in self._store.pruned
        if not rules.is_pruned(run, (rows.run.archive, done)):
            prune(self._store, rows)
        return None

    # -- commands -----------------------------------------------------------------------------

    async def command(self, run: RunId, command: Command, *, at: datetime) -> int:
        """Keep a command for the executor of *run*."""
        store = await self._turn()
        self._known(store, run)
        store.commanded += 1
        store.commands[store.commanded] = (run, Commanded(store.commanded, command, at))
        return store.commanded

    async def commands(self, run: RunId) -> Sequence[Commanded]:
        """Return the commands for the present execution."""
        store = await self._turn()
        self._known(store, run)
        return [kept for of, kept in store.commands.values() if of == run]

    async def obeyed(self, command: int, *, at: datetime, on_their_way: int) -> None:
        """Keep that the executor has obeyed, once."""
        store = await self._turn()
        run, kept = store.commands.get(command, (None, None))
        if run is None or kept is None or not self._is_mine(store, run):
            return
        if kept.obeyed_at is None:
            obeyed = replace(kept, obeyed_at=at, on_their_way=on_their_way)
            store.commands[command] = (run, obeyed)

    # -- memos --------------------------------------------------------------------------------

    async def remember(self, memo: Memo) -> Memo:
        """Keep a memo unless it is there; return the one that is."""
        store = await self._turn()
        new = replace(memo, value=_as_json(memo.value), version=1)
        return store.memos.setdefault((self._account, memo.kind, memo.id), new)

    async def revise(self, memo: Memo) -> bool:
        """Put a memo in the place of its own version."""
        store = await self._turn()
        key = (self._account, memo.kind, memo.id)
        kept = store.memos.get(key)
        if kept is None or kept.version != memo.version:
            return False
        value = _as_json(memo.value)
        store.memos[key] = replace(memo, at=kept.at, value=value, version=kept.version + 1)
        return True

    async def memo(self, kind: str, id_: str) -> Memo | None:
        """Return one memo."""
        return (await self._turn()).memos.get((self._account, kind, id_))

    async def memos(
        self, kind: str, *, about: str = "", only_open: bool = False, limit: int = 1000
    ) -> Sequence[Memo]:
        """Return memos of a kind, the newest first."""
        store = await self._turn()
        found = [
            memo
            for (account, its_kind, _), memo in store.memos.items()
            if (account, its_kind) == (self._account, kind)
            if memo.about == (about or memo.about) and memo.open >= only_open
        ]
        return sorted(found, key=lambda memo: (memo.at, memo.id), reverse=True)[:limit]

    # -- numbers ------------------------------------------------------------------------------

    async def add(self, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
        """Append rows and repeats, in one order of places."""
        return _append(await self._rows_of_run(run), listed)

    async def close_list(
        self, run: RunId, *, rest: Sequence[Listed] = (), file: FolderFile | None = None
    ) -> None:
        """Append what is left; keep that all lines are there, and whose file they are."""
        rows = await self._rows_of_run(run)
        _append(rows, rest)
        rows.run = replace(rows.run, whole=True)
        if file is not None:
            self._store.taken.setdefault((self._account, file), run)

    async def identify(self, run: RunId, bills: Mapping[BillNumber, Identified]) -> Identification:
        """Keep which bills lines mean, and make repeats of rows that turn out to be one bill."""
        store = await self._turn()
        return identify(store, self._known(store, run), bills)


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a database would give back."""
    return dict(orjson.loads(orjson.dumps(value)))


def _append(rows: RunRows, listed: Sequence[Listed]) -> list[Repeat]:
    repeats = []
    for one in listed:
        rows.listed += 1
        place = rows.places.setdefault(one.key, rows.listed)
        if place == rows.listed:
            row = Row(place, one.line, one.number, BillNumber(""), State.PLANNED)
            rows.place(row._replace(listed_id=one.id))
        else:
            rows.repeats[rows.listed] = (one, place)
            repeats.append(rows.repeat_at(rows.listed))
    return repeats
