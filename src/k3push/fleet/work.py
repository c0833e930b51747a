"""What a worker does for its tenants: runs, schedules, and the ledgers behind them."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread

from k3push.adapters.clock import SystemClock
from k3push.adapters.job_files import Code, JobFileError
from k3push.adapters.job_files.reader_pool import ReadersApart
from k3push.adapters.ledger.postgres import PostgresLedger
from k3push.adapters.ledger.postgres.database import Server
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import ScheduleSettings
from k3push.config.tenants import Tenant, TenantFiles, Tenants
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.fleet.enqueue import Enqueuer, turn_of
from k3push.fleet.execution_terms import Terms
from k3push.fleet.queue_database import end_sessions
from k3push.fleet.work_port import CannotBeginError, NotHereError, NotNowError
from k3push.fleet.worker_ledgers import Ledgers
from k3push.ports import Ledger, LedgerLostError, OtherSpellingError, RunIsAliveError
from k3push.runs.execute import Only
from k3push.runs.kept_in_ledger.request_stages import SELECTED, places_asked_for
from k3push.runs.outcome import Ending
from k3push.runs.problem import Problem, innermost
from k3push.runs.shared_stop import SharedStop
from k3push.runs.stop import Cause, Stop, is_session_lost
from k3push.wiring.config_file import load_settings
from k3push.wiring.ending_messages import KnownTrouble, recipients, send_word
from k3push.wiring.erp import ErpAccess, RefusedUsers, endpoints_of
from k3push.wiring.executor import Executor, RunOptions
from k3push.wiring.job_lists import JobOptions
from k3push.wiring.line_observer import LineObserver
from k3push.wiring.open_ledger import ledger_password
from k3push.wiring.same_bills import same_bills
from k3push.wiring.selected_bills import SelectionError, Selector
from k3push.words.language import Say, harmless_lines

if TYPE_CHECKING:
    from k3push.fleet.queue import Queue

# A secret may come without a change of any file.
SECRETS_LOOK_S = 60.0

# After so long a look at thousands of secrets may be ended.
MOMENT_S = 0.05

MOST_NAMED = 50
"""Tenants that a line names; of thousands it says how many."""

_PASSING = frozenset({Cause.UNREACHABLE, Cause.LOOK_FAILED, Cause.LOGIN_REFUSED})
"""What ends a selection, and may be over the next time."""

LONGEST_ID = 63
"""What PostgreSQL keeps of the name of a session."""


@dataclass(slots=True)
class FleetWork:
    """What a worker does for its tenants: the same as the commands do.

    Attributes:
        files: The tenants' files.
        database: URL of the queue that the worker looks into.
        id: Of the worker; its sessions carry it.
        readers: What reads lists of strangers.
    """

    files: TenantFiles
    database: str
    id: str
    say: Say
    stack: AsyncExitStack
    readers: ReadersApart = field(default_factory=ReadersApart)
    ledgers: Ledgers = field(init=False)
    _seen: Tenants | None = None
    _seen_at_s: float = 0.0
    _served: Mapping[str, Tenant] = field(default_factory=dict)
    _told: frozenset[str] = frozenset()
    _doubted: set[str] = field(default_factory=set)
    _users: dict[str, RefusedUsers] = field(default_factory=dict)
    _troubles: dict[str, KnownTrouble] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let readers and ledgers end with the worker."""
        self.ledgers = Ledgers(self.id)
        self.stack.push_async_callback(self.ledgers.close)
        self.stack.callback(self._close_readers)

    def _close_readers(self) -> None:
        self.readers.close()

    async def tenants(self) -> Mapping[str, Tenant]:
        """Return the tenants whose secrets are here; tell what has changed."""
        await self.ledgers.close_idle()
        try:
            found = await anyio.to_thread.run_sync(self.files.read)
        except OSError as error:
            # It was there at the beginning; a network disk comes back.
            self._tell_new(
                [self.say("fleet.no_folder", folder=self.files.folder, why=error.strerror)]
            )
            return self._served
        if found is not self._seen:
            # Secrets are looked for where a file has changed, and where one was missing.
            kept = {
                name
                for name, tenant in self._served.items()
                if found.by_name.get(name) is tenant and name not in self._doubted
            }
            self._seen, self._seen_at_s = found, anyio.current_time()
            self._doubted.clear()
            await self._look_at(found, kept)
        elif self._doubted or anyio.current_time() - self._seen_at_s > SECRETS_LOOK_S:
            self._seen_at_s = anyio.current_time()
            kept = self._served.keys() - self._doubted
            self._doubted.clear()
            await self._look_at(found, kept)
        return self._served

    async def _look_at(self, found: Tenants, known: Collection[str]) -> None:
        """See which tenants can be served; those that are *known* can, by their files as read."""
        served = {}
        left = [self.say("worker.faulty", why=why) for why in found.faulty.values()]
        left += [self.say("fleet.doubles", names=", ".join(names)) for names in found.doubles]
        reasons: dict[str, str] = {}
        passed_over = {*known, *found.clashes}
        unknown = (each for name, each in found.by_name.items() if name not in passed_over)
        while some := await anyio.to_thread.run_sync(self._whys_left, unknown):
            reasons |= some
        for name, tenant in found.by_name.items():
            if clashes := ", ".join(found.clashes.get(name, ())):
                left.append(self.say("fleet.clash", tenant=name, others=clashes))
            elif why := reasons.get(name):
                left.append(self.say("worker.left", tenant=name, why=why))
            else:
                served[name] = tenant
        self._tell_new([*left, self._serves(served)])
        same = list(served) == list(self._served) and all(
            served[name] is self._served[name] for name in served
        )
        self._served = self._served if same else served

    def _serves(self, served: Collection[str]) -> str:
        names = ", ".join(islice(served, MOST_NAMED))
        if len(served) > MOST_NAMED:
            return self.say("worker.serves_many", count=len(served), names=names)
        return self.say("worker.serves", names=names)

    def _tell_new(self, lines: Sequence[str]) -> None:
        """Write the lines that were not among the last ones."""
        for line in lines:
            if line not in self._told:
                self._write(line)
        self._told = frozenset(lines)

    def _whys_left(self, tenants: Iterator[Tenant]) -> dict[str, str]:
        """Say why each of the next tenants is left, or ""; a thread for each would cost more."""
        whys: dict[str, str] = {}
        until_s = time.monotonic() + MOMENT_S
        for tenant in tenants:
            whys[tenant.name] = self._why_left(tenant)
            if time.monotonic() > until_s:
                break
        return whys

    def _why_left(self, tenant: Tenant) -> str:
        if not tenant.settings.ledger.in_postgres:
            return self.say("fleet.sqlite", file=tenant.settings.file)
        if tenant.database != self.database:
            return self.say("fleet.other_queue", file=tenant.settings.file)
        try:
            endpoints_of(tenant.settings)
            ledger_password(tenant.settings)
        except SettingsError as error:
            return str(error)
        return ""

    async def execute(self, tenant: Tenant, run: RunId, terms: Terms, stop: Stop) -> Ending:
        """Resume a run as `k3push resume` does, or what a retry has planned of it."""
        options = RunOptions(
            config=tenant.settings.file,
            window=terms.window,
            zone=terms.zone,
            closes_in_s=terms.seconds,
        )

        def made() -> Executor:
            settings = load_settings(options.config)
            lines = LineObserver(self.say, self.tell, self._write)
            return Executor(settings, options, lines, self.say, SharedStop(stop=stop))

        try:
            executor = await anyio.to_thread.run_sync(made)  # a secret may come from a command
            executor.is_news = self._troubles.setdefault(tenant.name, KnownTrouble()).is_news
            only = Only.SETTLE if terms.only_settle else None
            spared = self._spared(tenant, executor.entrance)
            async with spared as executor.entrance, self._ledger(tenant) as ledger:
                chosen = await places_asked_for(ledger, terms.asked_by, run)
                return await executor.go_on(ledger, run, only=only, chosen=chosen)
        except Exception as error:  # whatever is left is sorted by kind
            cause = innermost(error)
            if isinstance(cause, LedgerLostError | RunIsAliveError):
                raise cause from error
            if isinstance(cause, SettingsError):
                self._doubted.add(tenant.name)
                raise NotHereError(str(cause)) from error
            if not isinstance(cause, Problem):
                sys.stderr.write(harmless_lines("".join(traceback.format_exception(error))))
            raise CannotBeginError(str(cause) or type(cause).__name__) from error

    async def look(self, tenant: Tenant, schedule: str, queue: Queue, due: datetime | None) -> str:
        """Ask for runs of what is new in a schedule's folder, or of what its route selects."""
        try:
            runs = await self._asked(tenant, schedule, queue, due)
        except JobFileError as error:
            why = str(error)
        except SelectionError as error:
            why = str(error)
            if error.cause not in _PASSING:
                self.tell("worker.schedule", tenant=tenant.name, schedule=schedule, why=why)
                return why
            if error.cause is Cause.LOGIN_REFUSED and not is_session_lost(error.words):
                # The next look would try it once more, and five wrong logins lock the account.
                self.tell("worker.held", tenant=tenant.name, why=why)
                await queue.pause(tenant.name, why)
            raise NotNowError(why) from error
        except (SettingsError, Problem) as error:
            why = str(error)
        except OtherSpellingError as error:
            why = remark("error.other_spelling", known=error.known)  # it is not lost
        else:
            if not queue.manager.holds_back():  # the leader makes the jobs of many at once
                await queue.make_jobs(tenant.name, runs)
            for run in runs:
                self.tell("enqueue.queued", tenant=tenant.name, run=run)
            return ""
        self.tell("worker.schedule", tenant=tenant.name, schedule=schedule, why=why)
        return why

    async def _asked(
        self, tenant: Tenant, schedule: str, queue: Queue, due: datetime | None
    ) -> Sequence[RunId]:
        settings = tenant.settings.schedules[schedule]
        turn = turn_of(schedule, due) if due else ""
        # The window of `[run]` goes by the clock of the host, whatever that of the schedule is.
        zone = settings.time_zone if settings.window else ""
        asker = Enqueuer(tenant, self.tell, window=settings.window, zone=zone, turn=turn)
        aside = await queue.asides_of(tenant.name)
        async with self._ledger(tenant) as ledger:
            if turn and settings.selects:
                route = tenant.settings.route(settings.route)
                if run := await asker.selected_before(ledger, queue, route):
                    return [run]
            begun = bool(turn) and bool(await queue.runs_of_turn(tenant.name, turn))
            if not begun and await _goes_on(tenant, schedule, ledger, queue, due):
                # No fault, and due again at its next time.
                why = remark("note.still_under_way")
                self.tell("worker.schedule", tenant=tenant.name, schedule=schedule, why=why)
                return ()
            async with self._jobs_of(tenant, settings, ledger) as (names, reading):
                while True:
                    how = replace(reading, aside=frozenset(aside))
                    try:
                        return await asker.ask(ledger, queue, names, how)
                    except JobFileError as error:
                        new = await self._put_aside(tenant, error, queue)
                        if not new:
                            raise
                        aside |= new  # the others of the folder go on

    async def _put_aside(self, tenant: Tenant, error: JobFileError, queue: Queue) -> set[str]:
        """Put files aside that have ended their readers, and tell a person; return which."""
        files = {
            str(trouble.facts["digest"]): trouble.file
            for trouble in error.troubles
            if trouble.code is Code.KILLS_READER
        }
        for digest, file in files.items():
            await queue.put_aside(tenant.name, digest, file)
            self.tell("worker.aside", tenant=tenant.name, file=file)
            line = self.say("worker.aside", tenant=tenant.name, file=file)
            try:
                urls = await anyio.to_thread.run_sync(recipients, tenant.settings)
            except SettingsError as wrong:
                self._write(self.say.said(str(wrong)))
            else:
                words = (self.say("worker.aside_title"), line)
                await send_word(tenant.settings, urls, {"halt"}, words, self.tell)
        return set(files)

    @asynccontextmanager
    async def _jobs_of(
        self, tenant: Tenant, schedule: ScheduleSettings, ledger: Ledger
    ) -> AsyncIterator[tuple[Sequence[str], JobOptions]]:
        """Give the jobs of a schedule, and how they are read."""
        settings = tenant.settings
        how = JobOptions(route=schedule.route, home=settings.folder, reader=self.readers.read_job)
        if not schedule.selects:
            yield settings.lists_of(schedule), how
            return
        endpoints = await anyio.to_thread.run_sync(endpoints_of, settings)
        today = SystemClock(ZoneInfo(schedule.time_zone)).now().date()
        route = settings.route(schedule.route)
        selection = settings.selection(route)
        at = SystemClock().now()
        async with self._spared(tenant, ErpAccess(endpoints)) as entrance:
            selector = Selector(settings, entrance, self.tell)
            selecting = selector.spooled(route, selection, today=today, ledger=ledger)
            async with selecting as (path, _):
                yield [str(settings.folder / SELECTED)], replace(how, selected=path, selected_at=at)

    @asynccontextmanager
    async def _spared(self, tenant: Tenant, entrance: ErpAccess) -> AsyncIterator[ErpAccess]:
        """Give the way to a tenant's ERP without users who were refused there of late."""
        users = self._users.setdefault(tenant.name, RefusedUsers())
        erp = tenant.settings.erp
        spared = users.spare(entrance, erp)
        try:
            yield spared
        finally:
            users.learn(spared, erp)

    async def is_whole(self, tenant: Tenant, run: RunId) -> bool | None:
        """Say whether a run has all its numbers; None while somebody writes them down."""
        async with self._ledger(tenant) as ledger:
            found = await ledger.run(run)
            if found is not None and not found.whole and await ledger.is_alive(run):
                return None
            return found is not None and found.whole

    async def size_of(self, tenant: Tenant, run: RunId) -> int:
        """Return how many numbers a run has."""
        async with self._ledger(tenant) as ledger:
            return sum((await ledger.counts(run)).values())

    async def end_sessions(self, tenant: Tenant, worker: str) -> None:
        """End what a dead worker holds in a tenant's ledger."""
        password = await anyio.to_thread.run_sync(ledger_password, tenant.settings)
        await end_sessions(Server.of(tenant.settings.ledger.url, password), worker)

    def tell(self, sentence: str, /, **facts: object) -> None:
        """Write a line, which may go into a log."""
        self._write(self.say(sentence, **facts))

    def _write(self, line: str) -> None:
        sys.stderr.write(f"{SystemClock().now():%Y-%m-%d %H:%M:%S} {line}\n")
        sys.stderr.flush()

    def _ledger(self, tenant: Tenant) -> AbstractAsyncContextManager[PostgresLedger]:
        """Give the tenant's ledger; all tenants of one database share its connections."""

        async def password() -> str:
            return await anyio.to_thread.run_sync(ledger_password, tenant.settings)

        settings = tenant.settings
        return self.ledgers.of(settings.ledger.url, settings.erp.acct_id, password)


async def _goes_on(
    tenant: Tenant, schedule: str, ledger: Ledger, queue: Queue, due: datetime | None
) -> bool:
    """Say whether a push of what a schedule's route selects is under way, or in the queue.

    What was under way as it was due counts, though it may have ended since.
    """
    settings, given = tenant.settings, tenant.settings.schedules[schedule]
    if given.route is None and len(settings.routes) > 1:
        return False  # its lists name the routes of their lines
    route = settings.route(given.route)
    if not route.allow_partial:
        return False
    waiting = await queue.open_runs(tenant.name)
    now = SystemClock().now()
    alike = same_bills(settings, schedule, route, now, waiting=waiting, since=due)
    return bool(await alike.requests(ledger)) or await alike.run(ledger) is not None
