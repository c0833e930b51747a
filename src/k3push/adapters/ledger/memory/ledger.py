"""A ledger in memory: the plainest reading of the port's words.

It shows what every other ledger must do, and serves whole-system simulations on a virtual
clock: inside a verb nothing waits, so a verb either has not begun or is done. Its verbs stand in
the order of the port, so that the two can be read side by side.

One `MemoryLedger` is what one process sees. Another process on the same ledger, and a death,
are made like this:

    first = MemoryLedger(account="66e1c2")
    second = first.another_process()
    first.die()     # what it owned is free, and nothing that it still does reaches the store
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from itertools import chain, islice
from typing import Any

import orjson
from anyio.lowlevel import checkpoint

from k3push.adapters.ledger import rules
from k3push.adapters.ledger.memory.archiving import is_over, prune
from k3push.adapters.ledger.memory.rows import (
    RunRows,
    Store,
    bury_executor,
    clear_commands,
    documents_of,
    identify,
    intents,
    killed,
    known,
    move,
    of_scope,
    oldest_first,
    place_of,
    take_down,
)
from k3push.core.control_words import Command
from k3push.core.model import (
    PARTLY,
    TWIN,
    Archive,
    Attempt,
    BillNumber,
    Document,
    Exchange,
    FolderFile,
    Follow,
    Identified,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Row,
    Run,
    RunId,
    State,
    StepAttempt,
    StepIntent,
    StepsSoFar,
    id_in,
    number_in,
)
from k3push.core.pacing.server_model import Learnt
from k3push.core.remark import remark
from k3push.core.safety import legal_moves
from k3push.ports import (
    AttemptRecord,
    Commanded,
    Doubt,
    Glance,
    Holder,
    Identification,
    InHand,
    LatelySent,
    Ledger,
    LedgerLostError,
    Made,
    Memo,
    Note,
    OtherRunStepsError,
    OtherSpellingError,
    RunIdTakenError,
    RunIsAliveError,
    StepRecord,
)


class _Process:
    """What owns runs: one process, whichever accounts it works for."""

    is_dead = False


class MemoryLedger(Ledger):
    """What one process sees of a ledger that is kept in memory."""

    def __init__(self, store: Store | None = None, *, account: str) -> None:
        self._store = store or Store()
        self._account = account
        self._process = _Process()

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
            raise LookupError(f"the ledger has no run {run}")
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
        self._store.taken.add((self._account, file))

    async def has_taken(self, file: FolderFile) -> bool:
        """Say whether some run has the numbers of a file."""
        return (self._account, file) in (await self._turn()).taken

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
        rows = await self._rows_of_run(run)
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

    async def close_list(self, run: RunId) -> None:
        """Keep that all lines of the run are there."""
        rows = await self._rows_of_run(run)
        rows.run = replace(rows.run, whole=True)

    async def identify(self, run: RunId, bills: Mapping[BillNumber, Identified]) -> Identification:
        """Keep which bills lines mean, and make repeats of rows that turn out to be one bill."""
        store = await self._turn()
        return identify(store, self._known(store, run), bills)

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
        return (await self._rows_of_run(run)).counts()

    async def target_count(self, run: RunId) -> int:
        """Count the documents that the rows of a run name."""
        rows = self._known(await self._turn(), run).rows.values()
        return len({target.id for row in rows for target in row.targets})

    async def rows_of(self, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
        """Return the rows of one number in all runs, by either spelling."""
        return [
            (rows.run.id, row) for rows in await self._oldest_first() for row in rows.called(number)
        ]

    async def find_rows(
        self, words: str, *, remarks: Collection[str] = (), limit: int = 100
    ) -> Sequence[tuple[RunId, Row]]:
        """Return rows that hold a text, the newest run first."""
        runs = reversed(await self._oldest_first())
        found = (
            (rows.run.id, row)
            for rows in runs
            for _, row in sorted(rows.rows.items())
            if _holds(row, words, remarks)
        )
        return list(islice(found, limit))

    async def runs_holding(self, words: str, *, remarks: Collection[str] = ()) -> set[RunId]:
        """Return the runs of all rows that hold a text."""
        return {
            rows.run.id
            for rows in await self._oldest_first()
            if any(_holds(row, words, remarks) for row in rows.rows.values())
        }

    async def made_of(
        self, run: RunId, bills: Mapping[BillNumber, str]
    ) -> Mapping[BillNumber, Made]:
        """Return what others than a run's rows of bills have made of them, the latest of each."""
        store = await self._turn()
        mine = self._known(store, run)
        own = {bill: mine.rows.get(mine.bills.get(bill, 0)) for bill in bills}
        rows = {bill: row.source_id if row else "" for bill, row in own.items()}
        ids = {bill: id_ or id_in(bill) or rows[bill] for bill, id_ in bills.items()}
        runs = of_scope(store, mine.run.scope)
        return _made_in(runs, ids, legal_moves.SENT_BEFORE, but=mine)

    async def made_in(
        self, scope: str, bills: Mapping[BillNumber, str], *, or_found: bool = False
    ) -> Mapping[BillNumber, Made]:
        """Return what the runs of a scope have made of bills, the latest of each."""
        store = await self._turn()
        if not rules.is_of_account(scope, self._account):
            return {}
        found = {State.ALREADY} if or_found else frozenset[State]()
        return _made_in(of_scope(store, scope), bills, legal_moves.SENT_BEFORE | found)

    async def made_of_namesakes(
        self, scope: str, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return ids of documents that runs of a scope have made of other bills of a number."""
        store = await self._turn()
        if not rules.is_of_account(scope, self._account):
            return {}
        found = {
            bill: frozenset(
                target.id
                for rows in of_scope(store, scope)
                for row in rows.of_number(number_in(bill))
                if not rules.may_be_one(id_in(bill), row.source_id)
                and row.state in legal_moves.SENT_BEFORE
                for target in row.targets
            )
            for bill in bills
        }
        return {bill: ids for bill, ids in found.items() if ids}

    async def made_by(
        self, run: RunId, sender: str | None = None, *, limit: int = 20
    ) -> Sequence[Made]:
        """Return the newest rows of the scope that name documents."""
        store = await self._turn()
        runs = reversed(of_scope(store, self._known(store, run).run.scope))
        found = chain.from_iterable(documents_of(store, rows, sender) for rows in runs)
        return list(islice(found, limit))

    async def fruitful(self, run: RunId, attempts: Collection[int]) -> frozenset[int]:
        """Return which attempts have made a document of some number."""
        rows = await self._rows_of_run(run)
        made = {State.PUSHED, State.DRAFT}
        found = {rows.attempts[place] for place, row in rows.rows.items() if row.state in made}
        return frozenset(found.intersection(attempts))

    async def lately_sent(
        self, run: RunId, bills: Mapping[BillNumber, str], since: datetime
    ) -> Sequence[LatelySent]:
        """Return attempts of other runs of a scope that carried bills."""
        store = await self._turn()
        scope = self._known(store, run).run.scope
        others = {rows.run.id: rows for rows in of_scope(store, scope)}
        del others[run]
        found = []
        for kept in store.attempts:
            intent = kept.attempt.intent
            if intent.run not in others or intent.began_at < since:
                continue
            pairs = [(bill, bill) for bill in bills]
            for bill, id_ in bills.items():
                pairs += [(bill, row.bill) for row in others[intent.run].of_source(id_)]
            if called := rules.called_then(p for p in pairs if p[1] in intent.numbers):
                found.append(LatelySent(kept, called))
        return found

    async def twins(self, run: RunId) -> int:
        """Count the rows whose code is `model.TWIN`."""
        rows = await self._rows_of_run(run)
        return sum(row.code == TWIN for row in rows.rows.values())

    async def partly(self, run: RunId) -> int:
        """Count the rows whose code is `model.PARTLY`."""
        rows = await self._rows_of_run(run)
        return sum(row.code == PARTLY for row in rows.rows.values())

    # -- sending ------------------------------------------------------------------------------

    async def claim(self, run: RunId, numbers: Sequence[BillNumber]) -> Mapping[BillNumber, Holder]:
        """Claim what is free or was held by the dead for numbers that nobody sent."""
        store = await self._turn()
        scope = self._known(store, run).run.scope
        rules.check_claim(numbers)
        claimed: dict[BillNumber, rules.Claimed] = {}
        holders: dict[BillNumber, Holder] = {}
        for number in dict.fromkeys(map(number_in, numbers)):
            if (scope, number) not in store.claims:
                continue
            holder, bill = store.claims[scope, number]
            rows, alive = store.runs[holder], holder in store.owners
            row = rows.rows.get(rows.bills.get(bill, 0))
            claimed[number] = rules.Claimed(bill, holder == run, alive, row and row.state)
            holders[number] = Holder(holder, alive=alive)
            if holder != run and not alive and row and row.state is State.SENT:
                rows.rows[row.place] = killed(row)
        taken, held = rules.share_out(numbers, claimed)
        store.claims |= {(scope, number): (run, bill) for number, bill in taken.items()}
        return {bill: holders[number_in(bill)] for bill in held}

    async def in_hand(self, run: RunId, ids: Collection[str]) -> Mapping[str, InHand]:
        """Return which bills runs have on their way or in doubt."""
        store = await self._turn()
        mine = self._known(store, run).run.scope
        found: dict[str, InHand] = {}
        for rows in of_scope(store, mine):
            for row in chain.from_iterable(map(rows.of_source, ids)):
                if row.state in legal_moves.OPEN:
                    found[row.source_id] = InHand(rows.run.id, row.bill)
        return found

    async def begin(self, intent: Intent) -> Attempt:
        """Keep the intent, move its rows to `sent`."""
        store = await self._turn()
        rows = self._known(store, intent.run)
        rules.check_once(intent.numbers)
        for number in intent.numbers:
            rules.check_begin(
                number,
                rows.standing(rows.bills.get(number)),
                claimed=store.claims.get((rows.run.scope, number_in(number)))
                == (intent.run, number),
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
        intent = kept.attempt.intent
        rows = self._known(store, intent.run)
        if kept.ended_at:
            return
        rules.check_recording(attempt.id, intent.numbers, outcomes, killed=bool(kept.verdict))
        standings = [rows.standing(rows.bills.get(outcome.number)) for outcome in outcomes]
        move(store, rows, outcomes, standings, at=at, attempt=attempt.id, keep_planned=keep_claims)
        store.attempts[attempt.id - 1] = AttemptRecord(kept.attempt, exchange, verdict, at)

    async def conclude(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str = ""
    ) -> None:
        """Move rows apart from an attempt, and keep the note beside each."""
        store = await self._turn()
        rows = self._known(store, run)
        standings = [rows.standing(place_of(rows, outcome.number)) for outcome in outcomes]
        move(store, rows, outcomes, standings, at=at)
        if note:
            take_down(store, run, outcomes, at, note)

    async def amend(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str
    ) -> None:
        """Add documents to rows that name some already, and keep the note beside each."""
        store = await self._turn()
        rows = self._known(store, run)
        before = [rows.documents_at(place_of(rows, outcome.number)) for outcome in outcomes]
        for place, outcome in rules.check_amending(outcomes, before):
            rows.rows[place] = rows.rows[place]._replace(
                state=outcome.state,
                targets=outcome.targets,
                code=outcome.code,
                reason=outcome.reason,
            )
        take_down(store, run, outcomes, at, note)

    async def put_off(self, run: RunId, outcomes: Sequence[Outcome]) -> None:
        """Say of rows that wait what for."""
        store = await self._turn()
        rows = self._known(store, run)
        for outcome in outcomes:
            place = rows.bills.get(outcome.number)
            if (
                place
                and rows.rows[place].state is outcome.state
                and outcome.state in legal_moves.WAITING
            ):
                rows.rows[place] = rows.rows[place]._replace(
                    code=outcome.code, reason=outcome.reason
                )

    async def doubts(self, run: RunId) -> Sequence[Doubt]:
        """Return the numbers of *run* that are `unknown`."""
        store = await self._turn()
        rows = self._known(store, run)
        doubts = []
        for place, row in sorted(rows.rows.items()):
            if row.state is State.UNKNOWN:
                attempt = store.attempts[rows.attempts[place] - 1].attempt
                intent = attempt.intent
                before = intent.before.get(row.bill, ())
                doubts.append(
                    Doubt(
                        run,
                        row.bill,
                        attempt.id,
                        intent.began_at,
                        intent.uptime,
                        before,
                        sender=intent.sender,
                        alone=len(intent.numbers) == 1,
                        id=row.source_id if row.listed_id else "",
                        source_id=row.source_id,
                    )
                )
        return doubts

    async def next_chunk(self, run: RunId) -> int:
        """Return an index above that of every chunk the run has sent."""
        store = await self._turn()
        self._known(store, run)
        sent = intents(store, run)
        return 1 + max((intent.chunk for intent in sent), default=0)

    # -- what follows a push ------------------------------------------------------------------

    async def enrol(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:  # noqa: ARG002  # the order is all that memory keeps
        """Begin to follow documents."""
        mine = await self._documents(run)
        for document in documents:
            mine.setdefault(document.id, replace(document, step=0))

    async def documents(
        self,
        run: RunId,
        *,
        follows: Collection[Follow] = (),
        after: str = "",
        limit: int = 1000,
    ) -> Sequence[Document]:
        """Return a page of documents."""
        mine = sorted((await self._documents(run)).items())
        found = [d for id_, d in mine if id_ > after and (not follows or d.follow in follows)]
        return found[:limit]

    async def documents_of(self, run: RunId, ids: Collection[str]) -> Mapping[str, Document]:
        """Return documents by id."""
        mine = await self._documents(run)
        return {id_: mine[id_] for id_ in ids if id_ in mine}

    async def document_counts(self, run: RunId) -> Mapping[Follow, int]:
        """Count documents by how far they have come."""
        return Counter(document.follow for document in (await self._documents(run)).values())

    async def follow(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:  # noqa: ARG002
        """Write down how far documents have come."""
        self._move_documents(await self._documents(run), documents)

    async def steps_so_far(self) -> StepsSoFar:
        """Return which attempts at steps have begun."""
        store = await self._turn()
        under_way = (
            kept.attempt.id
            for kept in store.steps
            if not (kept.ended_at or kept.verdict)
            if self._is_mine(store, kept.attempt.intent.run)
        )
        return StepsSoFar(len(store.steps), frozenset(under_way))

    async def begin_step(
        self, intent: StepIntent, *, after: StepsSoFar | None = None
    ) -> StepAttempt:
        """Keep an attempt at a step."""
        mine = await self._documents(intent.run)
        rules.check_step(intent.ids, mine)
        steps, runs = self._store.steps, self._store.runs
        form = rules.target_of(runs[intent.run].run.scope)
        if after is not None and any(
            (
                kept.attempt.id > after.last
                or kept.attempt.id in after.under_way
                or not (kept.ended_at or kept.verdict)
            )
            and kept.attempt.intent.run != intent.run
            and not set(intent.ids).isdisjoint(kept.attempt.intent.ids)
            and self._is_mine(self._store, kept.attempt.intent.run)
            and rules.target_of(runs[kept.attempt.intent.run].run.scope) == form
            for kept in steps
        ):
            raise OtherRunStepsError(intent.run)
        attempt = StepAttempt(len(steps) + 1, intent)
        steps.append(StepRecord(attempt, None, "", None))
        for id_ in intent.ids:
            mine[id_] = replace(mine[id_], step=attempt.id)
        return attempt

    async def record_step(
        self,
        attempt: StepAttempt,
        exchange: Exchange,
        verdict: str,
        documents: Sequence[Document],
        *,
        at: datetime,
    ) -> None:
        """Keep what came of an attempt at a step, once."""
        mine = await self._documents(attempt.intent.run)
        kept = self._store.steps[attempt.id - 1]
        if kept.ended_at:
            return
        rules.check_step_recording(attempt.id, killed=bool(kept.verdict))
        self._move_documents(mine, documents)
        self._store.steps[attempt.id - 1] = StepRecord(attempt, exchange, verdict, at)

    async def step(self, attempt: int) -> StepRecord | None:
        """Return an attempt at a step."""
        store = await self._turn()
        found = store.steps[attempt - 1 : attempt] if attempt > 0 else []
        return next((s for s in found if self._is_mine(store, s.attempt.intent.run)), None)

    async def steps_of(self, document: str) -> Sequence[StepRecord]:
        """Return every attempt at a step of a document."""
        store = await self._turn()
        return [
            kept
            for kept in store.steps
            if document in kept.attempt.intent.ids and self._is_mine(store, kept.attempt.intent.run)
        ]

    async def _documents(self, run: RunId) -> dict[str, Document]:
        await self._rows_of_run(run)
        return self._store.documents.setdefault(run, {})

    def _move_documents(self, mine: dict[str, Document], documents: Sequence[Document]) -> None:
        for document in documents:
            if document.id in mine:
                mine[document.id] = replace(document, step=mine[document.id].step)

    # -- looking back -------------------------------------------------------------------------

    async def attempts_of(self, number: BillNumber) -> Sequence[AttemptRecord]:
        """Return every attempt that carried a number."""
        store = await self._turn()
        return [
            kept
            for kept in store.attempts
            if number in kept.attempt.intent.numbers
            and self._is_mine(store, kept.attempt.intent.run)
            and store.runs[kept.attempt.intent.run].run.archive is None
        ]

    async def notes_of(self, number: BillNumber) -> Sequence[Note]:
        """Return the notes on a number, the oldest first."""
        store = await self._turn()
        return [
            note for note in store.notes if note.number == number and self._is_mine(store, note.run)
        ]

    async def attempts_in(
        self, run: RunId, *, after: int = 0, limit: int = 100
    ) -> Sequence[AttemptRecord]:
        """Return a page of the attempts of a run."""
        store = await self._turn()
        self._known(store, run)
        found = (kept for kept in store.attempts[after:] if kept.attempt.intent.run == run)
        return list(islice(found, limit))

    async def notes_in(self, run: RunId, *, after: int = 0, limit: int = 1000) -> Sequence[Note]:
        """Return a page of the notes that a run has made."""
        store = await self._turn()
        self._known(store, run)
        return list(islice((note for note in store.notes[after:] if note.run == run), limit))

    async def attempt_count(self, run: RunId) -> int:
        """Count the attempts of a run."""
        store = await self._turn()
        self._known(store, run)
        return len(intents(store, run))

    async def spans(self, run: RunId) -> Sequence[tuple[datetime, datetime]]:
        """Return when each recorded attempt of a run began and ended."""
        store = await self._turn()
        self._known(store, run)
        return [
            (kept.attempt.intent.began_at, kept.ended_at)
            for kept in store.attempts
            if kept.ended_at and kept.attempt.intent.run == run
        ]


def _made_in(
    runs: Iterable[RunRows],
    bills: Mapping[BillNumber, str],
    states: Collection[State],
    *,
    but: RunRows | None = None,
) -> dict[BillNumber, Made]:
    """Return what runs, the oldest first, have made of bills, each with its id or ""."""
    made: dict[BillNumber, Made] = {}
    for bill, told in bills.items():
        id_ = told or id_in(bill)
        for rows in runs:
            named = () if rows is but else rows.of_number(number_in(bill))
            found = {row.place: row for row in (*named, *rows.of_source(id_))}
            for row in found.values():
                is_it = rules.may_be_bill(bill, id_, row.bill, row.source_id)
                if is_it and row.state in states and not (rows is but and row.bill == bill):
                    of = Made(rows.run.id, bill, row.state, row.targets)
                    made[bill] = rules.later_of(made.get(bill), of)
    return made


def _as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a database would give back."""
    return dict(orjson.loads(orjson.dumps(value)))


def _holds(row: Row, words: str, remarks: Collection[str]) -> bool:
    texts = [row.number, row.bill, row.reason]
    texts += [part for target in row.targets for part in (target.id, target.number)]
    key, brace, _ = row.reason.partition("{")
    return any(words.lower() in text.lower() for text in texts) or (bool(brace) and key in remarks)
