"""`worker`: serve the fleet's tenants until told to stop."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from k3push.adapters.postgres import PostgresLedger, open_postgres
from k3push.adapters.postgres.server import Server
from k3push.cli.enqueuing import Asker, queue_of
from k3push.cli.executing import RunOptions
from k3push.cli.jobs import JobOptions
from k3push.cli.problem import Problem, innermost
from k3push.cli.running import Runner
from k3push.cli.signals import on_interrupt
from k3push.cli.sites import sites_of
from k3push.cli.wiring import SystemClock, ledger_password
from k3push.cli.words import Lang, Say
from k3push.core.model import RunId
from k3push.fleet.queue import end_sessions
from k3push.fleet.worker import CannotBeginError, NotHereError, Order, Worker
from k3push.job import Stop
from k3push.ports import LedgerLostError, RunIsAliveError
from k3push.reporting.ending import Ending, Exit
from k3push.settings import SettingsError
from k3push.tenants import Tenant, Tenants, read_tenants

if TYPE_CHECKING:
    from k3push.fleet.queue import Queue

# A secret may come without a change of any file.
SECRETS_LOOK_S = 60.0

LONGEST_ID = 63
"""What PostgreSQL keeps of the name of a session."""


class _Resumer(Runner):
    """A `Runner` that the worker stops, and no signal."""

    def __init__(self, options: RunOptions, say: Say, lang: Lang, stop: Stop) -> None:
        super().__init__(options, say, lang)
        self._stop = stop

    @contextmanager
    def stoppable(self) -> Iterator[Stop]:
        """Let the worker stop an execution."""
        yield self._stop


@dataclass(slots=True)
class FleetWork:
    """What a worker does for its tenants: the same as the commands do.

    Attributes:
        folder: Of the tenants' files.
        database: URL of the queue that the worker looks into.
        id: Of the worker; its sessions carry it.
    """

    folder: Path
    database: str
    id: str
    say: Say
    lang: Lang
    stack: AsyncExitStack
    _seen: Tenants | None = None
    _seen_at_s: float = 0.0
    _served: Mapping[str, Tenant] = field(default_factory=dict)
    _told: frozenset[str] = frozenset()
    _ledgers: dict[str, PostgresLedger] = field(default_factory=dict)
    _opening: anyio.Lock = field(default_factory=anyio.Lock)

    async def tenants(self) -> Mapping[str, Tenant]:
        """Return the tenants whose secrets are here; tell what has changed."""
        try:
            found = await anyio.to_thread.run_sync(read_tenants, self.folder, os.environ)
        except OSError as error:
            # It was there at the beginning; a network disk comes back.
            self._tell_new([self.say("fleet.no_folder", folder=self.folder, why=error.strerror)])
            return self._served
        new = self._seen is None or found.digest != self._seen.digest
        if new or anyio.current_time() - self._seen_at_s > SECRETS_LOOK_S:
            self._seen, self._seen_at_s = found, anyio.current_time()
            await self._look_at(found, frozenset() if new else frozenset(self._served))
        return self._served

    async def _look_at(self, found: Tenants, known: Collection[str]) -> None:
        """See which tenants can be served; those that are *known* can, by their files as read."""
        served = {}
        left = [self.say("worker.faulty", why=why) for why in found.faulty.values()]
        left += [self.say("fleet.doubles", names=", ".join(names)) for names in found.doubles]
        for name, tenant in found.by_name.items():
            clashes = ", ".join(found.clashes.get(name, ()))
            if clashes:
                left.append(self.say("fleet.clash", tenant=name, others=clashes))
            elif name not in known and (
                why := await anyio.to_thread.run_sync(self._why_left, tenant)
            ):
                left.append(self.say("worker.left", tenant=name, why=why))
            else:
                served[name] = tenant
        self._tell_new([*left, self.say("worker.serves", names=", ".join(served))])
        self._served = served

    def _tell_new(self, lines: Sequence[str]) -> None:
        """Write the lines that were not among the last ones."""
        for line in lines:
            if line not in self._told:
                self._write(line)
        self._told = frozenset(lines)

    def _why_left(self, tenant: Tenant) -> str:
        if not tenant.settings.ledger.in_postgres:
            return self.say("fleet.sqlite", file=tenant.settings.file)
        if tenant.database != self.database:
            return self.say("fleet.other_queue", file=tenant.settings.file)
        try:
            sites_of(tenant.settings)
            ledger_password(tenant.settings)
        except SettingsError as error:
            return str(error)
        return ""

    async def execute(self, tenant: Tenant, run: RunId, order: Order, stop: Stop) -> Ending:
        """Resume a run as `k3push resume` does."""
        options = RunOptions(
            config=tenant.settings.file,
            window=order.window,
            zone=order.zone,
            closes_in_s=order.seconds,
            json=True,
            quiet=True,
        )
        make = partial(_Resumer, options, self.say, self.lang, stop)
        try:
            runner = await anyio.to_thread.run_sync(make)  # a secret may come from a command
            ledger = await self._ledger(tenant)
            return await runner.go_on(ledger, run, only_settle=order.only_settle)
        except Exception as error:  # whatever is left is sorted by kind
            cause = innermost(error)
            if isinstance(cause, LedgerLostError | RunIsAliveError):
                raise cause from error
            if isinstance(cause, SettingsError):
                self._seen = None  # so that it is looked at anew
                raise NotHereError(str(cause)) from error
            if not isinstance(cause, Problem):
                sys.stderr.write("".join(traceback.format_exception(error)))
            raise CannotBeginError(str(cause) or type(cause).__name__) from error

    async def look(self, tenant: Tenant, schedule: str, queue: Queue) -> str:
        """Ask for runs of what is new in a schedule's folder."""
        from k3push.adapters.job_files import JobFileError  # noqa: PLC0415

        settings = tenant.settings.schedules[schedule]
        asker = Asker(
            tenant, self.say, self.lang, self.tell, window=settings.window, zone=settings.time_zone
        )
        names = [str(tenant.settings.folder / job) for job in settings.jobs]
        try:
            ledger = await self._ledger(tenant)
            runs = await asker.ask(ledger, queue, names, JobOptions(route=settings.route))
        except JobFileError as error:
            why = error.text(self.lang)
        except (SettingsError, Problem) as error:
            why = str(error)
        else:
            for run in runs:
                self.tell("enqueue.queued", tenant=tenant.name, run=run)
            return ""
        self.tell("worker.schedule", tenant=tenant.name, schedule=schedule, why=why)
        return why

    async def is_whole(self, tenant: Tenant, run: RunId) -> bool | None:
        """Say whether a run has all its numbers; None while somebody writes them down."""
        ledger = await self._ledger(tenant)
        found = await ledger.run(run)
        if found is not None and not found.whole and await ledger.is_alive(run):
            return None
        return found is not None and found.whole

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

    async def _ledger(self, tenant: Tenant) -> PostgresLedger:
        """Return the tenant's ledger, which all tenants of one database share."""
        url = tenant.settings.ledger.url
        async with self._opening:
            if url not in self._ledgers:
                named = f"{url}{'&' if '?' in url else '?'}application_name={self.id}"
                password = await anyio.to_thread.run_sync(ledger_password, tenant.settings)
                opening = open_postgres(named, password=password)
                self._ledgers[url] = await self.stack.enter_async_context(opening)
            return self._ledgers[url]


async def serve(folder: Path, *, concurrency: int, name: str | None, say: Say, lang: Lang) -> Exit:
    """Serve until told to stop.

    Raises:
        Problem: There are no tenants, or they name several databases.
    """
    host = socket.gethostname()
    name = name or host
    shown = name.encode("ascii", "replace").decode()
    identity = f"k3push-{os.getpid()}-{secrets.token_hex(3)}-{shown}"[:LONGEST_ID]
    first = one_queue_of(read_folder(folder, say), say)
    async with AsyncExitStack() as stack:
        work = FleetWork(folder, first.database, identity, say, lang, stack)
        worker = Worker(work, queue_of(first), identity, name, host, concurrency)

        def stop() -> None:
            work.tell("worker.stopping")
            worker.drain()

        with on_interrupt(stop):
            await worker.serve()
        work.tell("worker.gone")
    return Exit.DONE


def read_folder(folder: Path, say: Say) -> Tenants:
    """Read the tenants.

    Raises:
        Problem: There are none.
    """
    try:
        found = read_tenants(folder, os.environ)
    except OSError as error:
        raise Problem(say("fleet.no_folder", folder=folder, why=error.strerror)) from error
    if not found.by_name:
        why = next(iter(found.faulty.values()), "*.toml")
        raise Problem(say("fleet.no_tenants", folder=folder, why=why))
    return found


def one_queue_of(tenants: Tenants, say: Say) -> Tenant:
    """Return a tenant who names the one database that queues the runs of all.

    Raises:
        Problem: They name several, or none that machines can share.
    """
    shared = {
        tenant.database: tenant
        for tenant in tenants.by_name.values()
        if tenant.settings.fleet.database or tenant.settings.ledger.in_postgres
    }
    if len(shared) > 1:
        raise Problem(say("fleet.databases", names=", ".join(t.name for t in shared.values())))
    if not shared:
        raise Problem(say("fleet.sqlite", file=next(iter(tenants.by_name.values())).settings.file))
    return next(iter(shared.values()))
