"""A ledger in memory: the plainest reading of the port's words.

It shows what every other ledger must do, and serves whole-system simulations on a virtual
clock: inside a verb nothing waits, so a verb either has not begun or is done.

One `MemoryLedger` is what one process sees. Another process on the same ledger, and a death,
are made like this:

    first = MemoryLedger()
    second = first.another_process()
    first.die()     # what it owned is free, and nothing that it still does reaches the store
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from itertools import islice

from anyio.lowlevel import checkpoint

from k3push.adapters import ledger_rules as rules
from k3push.adapters.memory.rows import (
    RunRows,
    Store,
    bury_executor,
    identify,
    intents,
    killed,
    known,
    move,
    oldest_first,
    place_of,
)
from k3push.core import life
from k3push.core.commands import Command
from k3push.core.model import (
    Attempt,
    BillNumber,
    Exchange,
    FolderFile,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Row,
    Run,
    RunId,
    State,
)
from k3push.ports import (
    AttemptRecord,
    Commanded,
    Doubt,
    Holder,
    Ledger,
    LedgerLostError,
    Note,
    RunIsAliveError,
)


class MemoryLedger(Ledger):
    """What one process sees of a ledger that is kept in memory."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store or Store()
        self._dead = False

    def another_process(self) -> MemoryLedger:
        """Return what another process sees of the same ledger."""
        return MemoryLedger(self._store)

    def die(self) -> None:
        """Act as if this process were killed: its runs are free, its later verbs are lost."""
        self._dead = True
        for run in [run for run, owner in self._store.owners.items() if owner is self]:
            del self._store.owners[run]

    async def _turn(self) -> Store:
        """Let others run, then return the store for one step that nothing interrupts."""
        await checkpoint()
        if self._dead:
            raise LedgerLostError("memory: this process is dead")
        return self._store

    async def _rows_of_run(self, run: RunId) -> RunRows:
        return known(await self._turn(), run)

    # -- runs ---------------------------------------------------------------------------------

    async def open_run(self, run: Run) -> None:
        """Keep a new run; an id that is taken is refused."""
        store = await self._turn()
        if run.id in store.runs:
            raise ValueError(f"run {run.id} is there already")
        store.runs[run.id] = RunRows(run)

    async def end_run(self, run: RunId, exit_code: int, at: datetime) -> None:
        """Keep how an execution ended."""
        rows = await self._rows_of_run(run)
        rows.run = replace(rows.run, exit=exit_code, ended_at=at)

    async def run(self, run: RunId) -> Run | None:
        """Return the run of that id."""
        rows = (await self._turn()).runs.get(run)
        return rows.run if rows else None

    async def runs(self) -> Sequence[Run]:
        """Return all runs, the oldest first."""
        return [rows.run for rows in oldest_first(await self._turn())]

    @asynccontextmanager
    async def own(self, run: RunId) -> AsyncIterator[None]:
        """Hold *run* until the block ends, however it ends, or until `die`."""
        store = await self._turn()
        rows = known(store, run)
        if run in store.owners:
            raise RunIsAliveError(run)
        store.owners[run] = self
        try:
            bury_executor(store, rows)
            rows.run = replace(rows.run, exit=None, ended_at=None)
            yield
        finally:
            if store.owners.get(run) is self:
                del store.owners[run]

    async def is_alive(self, run: RunId) -> bool:
        """Say whether some process owns *run* now."""
        return run in (await self._turn()).owners

    async def take(self, file: FolderFile, run: RunId) -> None:
        """Keep that a run has the numbers of a file."""
        await self._rows_of_run(run)
        self._store.taken.add(file)

    async def has_taken(self, file: FolderFile) -> bool:
        """Say whether some run has the numbers of a file."""
        return file in (await self._turn()).taken

    async def keep_calls_at_once(self, scope: str, calls: int) -> None:
        """Keep how many calls at once an execution came to."""
        (await self._turn()).paces[scope] = calls

    async def calls_at_once(self, scope: str) -> int | None:
        """Return what was kept last."""
        return (await self._turn()).paces.get(scope)

    # -- commands -----------------------------------------------------------------------------

    async def command(self, run: RunId, command: Command, *, at: datetime) -> int:
        """Keep a command for the executor of *run*."""
        store = await self._turn()
        known(store, run)
        store.commanded += 1
        store.commands[store.commanded] = (run, Commanded(store.commanded, command, at))
        return store.commanded

    async def commands(self, run: RunId) -> Sequence[Commanded]:
        """Return the commands for the present execution."""
        store = await self._turn()
        known(store, run)
        return [kept for of, kept in store.commands.values() if of == run]

    async def obeyed(self, command: int, *, at: datetime, on_their_way: int) -> None:
        """Keep that the executor has obeyed, once."""
        store = await self._turn()
        run, kept = store.commands.get(command, (None, None))
        if run is not None and kept is not None and kept.obeyed_at is None:
            obeyed = replace(kept, obeyed_at=at, on_their_way=on_their_way)
            store.commands[command] = (run, obeyed)

    # -- numbers ------------------------------------------------------------------------------

    async def add(self, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
        """Append rows and repeats, in one order of places."""
        rows = await self._rows_of_run(run)
        repeats = []
        for one in listed:
            rows.listed += 1
            place = rows.places.setdefault(one.number, rows.listed)
            if place == rows.listed:
                rows.rows[place] = Row(place, one.line, one.number, BillNumber(""), State.PLANNED)
            else:
                rows.repeats[rows.listed] = (one, place)
                repeats.append(rows.repeat_at(rows.listed))
        return repeats

    async def close_list(self, run: RunId) -> None:
        """Keep that all lines of the run are there."""
        rows = await self._rows_of_run(run)
        rows.run = replace(rows.run, whole=True)

    async def identify(
        self, run: RunId, bills: Mapping[BillNumber, BillNumber]
    ) -> Sequence[Repeat]:
        """Keep the ERP's spellings, and make repeats of rows that turn out to be one bill."""
        rows = await self._rows_of_run(run)
        return [rows.repeat_at(place) for place in identify(rows, bills)]

    async def repeats(self, run: RunId) -> Sequence[Repeat]:
        """Return all repeats of a run in the order of their lines."""
        rows = await self._rows_of_run(run)
        return [rows.repeat_at(place) for place in sorted(rows.repeats)]

    async def rows(
        self,
        run: RunId,
        *,
        states: Collection[State] = (),
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[Row]:
        """Return a page of rows in the order of the job files."""
        rows = await self._rows_of_run(run)
        page: list[Row] = []
        for place in range(after + 1, rows.listed + 1):
            if len(page) == limit:
                break
            row = rows.rows.get(place)
            if row and (not states or row.state in states):
                page.append(row)
        return page

    async def counts(self, run: RunId) -> Mapping[State, int]:
        """Count the rows of each state."""
        rows = await self._rows_of_run(run)
        return dict(Counter(row.state for row in rows.rows.values()))

    async def target_count(self, run: RunId) -> int:
        """Count the documents that the rows of a run name."""
        rows = known(await self._turn(), run).rows.values()
        return len({target.id for row in rows for target in row.targets})

    async def rows_of(self, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
        """Return the rows of one number in all runs, by either spelling."""
        return [
            (rows.run.id, rows.rows[place])
            for rows in oldest_first(await self._turn())
            for place in sorted({rows.places.get(number, 0), rows.bills.get(number, 0)} - {0})
        ]

    # -- sending ------------------------------------------------------------------------------

    async def claim(self, run: RunId, numbers: Sequence[BillNumber]) -> Mapping[BillNumber, Holder]:
        """Claim what is free or was held by the dead for numbers that nobody sent."""
        store = await self._turn()
        scope = known(store, run).run.scope
        held = {}
        for number in numbers:
            holder = store.claims.setdefault((scope, number), run)
            if holder == run:
                continue
            rows, alive = store.runs[holder], holder in store.owners
            place = rows.bills.get(number)
            if alive or (place and rows.rows[place].state in life.OPEN):
                held[number] = Holder(holder, alive=alive)
            else:
                store.claims[scope, number] = run
            if not alive and place and rows.rows[place].state is State.SENT:
                rows.rows[place] = killed(rows.rows[place])
        return held

    async def begin(self, intent: Intent) -> Attempt:
        """Keep the intent, move its rows to `sent`."""
        store = await self._turn()
        rows = known(store, intent.run)
        rules.check_once(intent.numbers)
        for number in intent.numbers:
            rules.check_begin(
                number,
                rows.standing(rows.bills.get(number)),
                claimed=store.claims.get((rows.run.scope, number)) == intent.run,
            )
        attempt = Attempt(len(store.attempts) + 1, intent)
        store.attempts.append(AttemptRecord(attempt, None, "", None))
        for place in (rows.bills[number] for number in intent.numbers):
            rows.attempts[place] = attempt.id
            rows.rows[place] = rows.rows[place]._replace(
                state=State.SENT,
                targets=(),
                code="",
                reason="",
                attempts=rows.rows[place].attempts + 1,
                chunk=intent.chunk,
                sent_at=intent.began_at,
            )
        return attempt

    async def record(
        self,
        attempt: Attempt,
        exchange: Exchange,
        verdict: str,
        outcomes: Sequence[Outcome],
        *,
        at: datetime,
        keep_claims: bool = False,
    ) -> None:
        """Keep what came of *attempt*, once."""
        store = await self._turn()
        kept = store.attempts[attempt.id - 1]
        if kept.ended_at:
            return
        intent = kept.attempt.intent
        rules.check_recording(attempt.id, intent.numbers, outcomes, killed=bool(kept.verdict))
        rows = known(store, intent.run)
        standings = [rows.standing(rows.bills.get(outcome.number)) for outcome in outcomes]
        move(store, rows, outcomes, standings, at=at, attempt=attempt.id, keep_planned=keep_claims)
        store.attempts[attempt.id - 1] = AttemptRecord(kept.attempt, exchange, verdict, at)

    async def conclude(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str = ""
    ) -> None:
        """Move rows apart from an attempt, and keep the note beside each."""
        store = await self._turn()
        rows = known(store, run)
        standings = [rows.standing(place_of(rows, outcome.number)) for outcome in outcomes]
        move(store, rows, outcomes, standings, at=at)
        if note:
            for outcome in outcomes:
                made = Note(len(store.notes) + 1, outcome.number, at, run, note)
                store.notes.append(made)

    async def doubts(self, run: RunId) -> Sequence[Doubt]:
        """Return the numbers of *run* that are `unknown`."""
        store = await self._turn()
        rows = known(store, run)
        doubts = []
        for place, row in sorted(rows.rows.items()):
            if row.state is State.UNKNOWN:
                attempt = store.attempts[rows.attempts[place] - 1].attempt
                intent = attempt.intent
                before = intent.before.get(row.bill, ())
                doubts.append(
                    Doubt(run, row.bill, attempt.id, intent.began_at, intent.uptime, before)
                )
        return doubts

    async def next_chunk(self, run: RunId) -> int:
        """Return an index above that of every chunk the run has sent."""
        sent = intents(await self._turn(), run)
        return 1 + max((intent.chunk for intent in sent), default=0)

    # -- looking back -------------------------------------------------------------------------

    async def attempts_of(self, number: BillNumber) -> Sequence[AttemptRecord]:
        """Return every attempt that carried a number."""
        attempts = (await self._turn()).attempts
        return [kept for kept in attempts if number in kept.attempt.intent.numbers]

    async def notes_of(self, number: BillNumber) -> Sequence[Note]:
        """Return the notes on a number, the oldest first."""
        return [note for note in (await self._turn()).notes if note.number == number]

    async def attempts_in(
        self, run: RunId, *, after: int = 0, limit: int = 100
    ) -> Sequence[AttemptRecord]:
        """Return a page of the attempts of a run."""
        store = await self._turn()
        known(store, run)
        found = (kept for kept in store.attempts[after:] if kept.attempt.intent.run == run)
        return list(islice(found, limit))

    async def notes_in(self, run: RunId, *, after: int = 0, limit: int = 1000) -> Sequence[Note]:
        """Return a page of the notes that a run has made."""
        store = await self._turn()
        known(store, run)
        return list(islice((note for note in store.notes[after:] if note.run == run), limit))

    async def attempt_count(self, run: RunId) -> int:
        """Count the attempts of a run."""
        return len(intents(await self._turn(), run))

    async def spans(self, run: RunId) -> Sequence[tuple[datetime, datetime]]:
        """Return when each recorded attempt of a run began and ended."""
        store = await self._turn()
        known(store, run)
        return [
            (kept.attempt.intent.began_at, kept.ended_at)
            for kept in store.attempts
            if kept.ended_at and kept.attempt.intent.run == run
        ]
