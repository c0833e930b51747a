"""What the fleet has to do, in PostgreSQL: tables of our own, and the engine's jobs for them."""

from __future__ import annotations

import logging
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

import anyio
import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg import AsyncConnection, errors

from k3push.adapters.ledger.postgres.database import Server, as_psycopg
from k3push.adapters.ledger.sql_files import sql_file, statements_in
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.fleet.followup import Later
from k3push.fleet.session_pool import session_pool
from k3push.fleet.turns import SHORT, priority
from k3push.ports import LedgerLostError, NoLedgerError
from k3push.wiring.open_ledger import beginning

PUSH = "k3push.push"
LOOK = "k3push.look"

BATCH = 1000
"""Jobs that are written at once."""

POOL_PATIENCE_S = 5.0
PAUSE_S = 1.0
FINISHING_PATIENCE_S = 60.0

PACKAGE = "k3push.fleet"
SCHEMA = "k3push_fleet"
VERSION = 5

# Thousands of jobs come within a minute, before anybody has counted them: a plan that was made for
# a few must not go on, and what is wanted first is found by an index, not by sorting all.
_OPTIONS = {
    "search_path": SCHEMA,
    "lock_timeout": "30s",
    "statement_timeout": "30s",
    "plan_cache_mode": "force_custom_plan",
    "enable_sort": "off",
}

SESSION: dict[str, Any] = {
    "options": " ".join(f"-c {name}={value}" for name, value in _OPTIONS.items()),
    "connect_timeout": 5,
    # A server that is cut off says nothing, so the system is told to give up by itself.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class PatientManager(JobManager):
    """What the engine asks of its database; one that is away is waited for.

    The engine itself ends at the first error, and lets all its jobs end before. Nor does it know
    of places that are kept for some jobs, or of a time for others.

    Attributes:
        holds_back: Says whether only what somebody waits for is to begin now.
    """

    def __init__(self, connector: BaseConnector, most_long: int) -> None:
        """Begin with all places free, of which long runs take *most_long*."""
        super().__init__(connector)
        self.holds_back: Callable[[], bool] = lambda: False
        self._most_long = most_long
        self._long: set[int | None] = set()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Return a job for which there is a place; none where the database cannot be asked."""
        # The statement casts what it is given.
        named: Any = array_of(tuple(queues or ()))
        try:
            held = self.holds_back()
            if held or len(self._long) >= self._most_long:
                return await self._short_job(named, worker_id, asked=held)
            job = await super().fetch_job(named, worker_id)
        except ConnectorException:
            return None
        if job is not None and not await self._is_short(job):
            self._long.add(job.id)
        return job

    async def _short_job(self, tenants: str, engine: int, *, asked: bool) -> Job | None:
        """Return a job of a short run; only of such as a server was *asked* for, if so told."""
        facts = {"tenants": tenants, "engine": engine, "short": SHORT, "asked": asked}
        rows = await self.connector.execute_query_all_async(verbs()["fetch_short"], **facts)
        return Job.from_row(rows[0]) if rows else None

    async def _is_short(self, job: Job) -> bool:
        """Say whether a job is of a short run; one whose database is lost meanwhile is of none."""
        run = job.task_kwargs.get("run")
        with suppress(ConnectorException):
            rows = await self.connector.execute_query_all_async(
                verbs()["is_short"], tenant=job.queue, run=run, short=SHORT
            )
            return bool(rows[0]["found"])
        return False

    async def update_heartbeat(self, worker_id: int) -> None:
        """Be heard of, if that can be."""
        with suppress(ConnectorException):
            await super().update_heartbeat(worker_id)

    async def finish_job(
        self,
        job: Job,
        status: Status,
        delete_job: bool,  # noqa: FBT001  # as the engine has it
    ) -> None:
        """Take a job out of the engine, unless whoever took us for dead has done so."""
        try:
            with anyio.move_on_after(FINISHING_PATIENCE_S):
                await self._finish_job(job, status, delete=delete_job)
        finally:
            self._long.discard(job.id)

    async def _finish_job(self, job: Job, status: Status, *, delete: bool) -> None:
        while True:
            try:
                await super().finish_job(job, status, delete)
            except ConnectorException as error:
                if isinstance(error.__cause__, errors.RaiseException):
                    return
                await anyio.sleep(PAUSE_S)
            else:
                return


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a worker does what, in seconds; all workers of a fleet keep to the same.

    Attributes:
        poll: Between looks for a job.
        tick: Between signs of life, and looks for what is due or left behind.
        gone: A worker that has no session counts as dead after so long without a sign of life;
            a restart of the server ends all sessions.
        silence: Any other does so after so long.
    """

    poll: float = 1.0
    tick: float = 2.0
    gone: float = 6.0
    silence: float = 20.0


@dataclass(frozen=True, slots=True)
class Slot:
    """A run that a worker has begun.

    Attributes:
        worker: Who.
        window: Of the run's schedule; "" is the tenant's own.
        zone: Whose clock the window goes by; "" is the host's.
        waits: Vain executions in a row before this one.
        only_settle: Nothing is sent.
    """

    tenant: str
    run: RunId
    worker: str
    window: str
    zone: str
    waits: int
    only_settle: bool

    @property
    def key(self) -> dict[str, str]:
        """What names it in the database."""
        return {"tenant": self.tenant, "run": self.run, "worker": self.worker}


class Queue:
    """The fleet's database. Every verb raises `LedgerLostError` where it cannot be reached."""

    def __init__(self, app: App, server: Server, manager: PatientManager) -> None:
        self.app = app
        self.manager = manager
        self._server = server
        self._statements = verbs()

    # -- runs ---------------------------------------------------------------------------------

    async def ask(self, tenant: str, run: RunId, lock: str, window: str, zone: str) -> None:
        """Write down that a run is to be executed; nothing begins before it is `listed`."""
        await self.do("ask", tenant=tenant, run=run, lock=lock, window=window, zone=zone)

    async def listed(self, tenant: str, run: RunId, numbers: int) -> None:
        """Write down that all *numbers* of a run are in the tenant's ledger."""
        await self.do("listed", tenant=tenant, run=run, numbers=numbers)

    async def hand_over(
        self, tenant: str, run: RunId, lock: str, request: str, numbers: int
    ) -> None:
        """Write down that a run, which is whole, is to be executed for a request of a server.

        Doing it again for the same request changes nothing, also where somebody has cancelled
        the run meanwhile. For another request, one that is over is executed once more.
        """
        facts = {"lock": lock, "request": request, "numbers": numbers}
        await self.do("hand_over", tenant=tenant, run=run, **facts)

    async def is_open(self, tenant: str, run: RunId) -> bool:
        """Say whether the fleet has something left to do about a run."""
        rows = await self.all("run", tenant=tenant, run=run)
        return bool(rows) and rows[0]["outcome"] is None

    async def make_jobs(self, tenant: str = "", runs: Collection[RunId] = ()) -> None:
        """Give a job to each run that is due and has none, or only to some *runs* of a tenant.

        Several may do so side by side: the engine takes one job of a name at a time.
        """
        while True:
            rows = (
                await self.all("due_of", tenant=tenant, runs=list(runs), most=BATCH)
                if tenant
                else await self.all("due", most=BATCH)
            )
            jobs = [self._job_of(row) for row in rows]
            with self._lost():
                try:
                    if jobs:
                        await self.app.job_manager.batch_defer_jobs_async(jobs)
                except AlreadyEnqueued:  # another was faster with one of them
                    for job in jobs:
                        with suppress(AlreadyEnqueued):
                            await self.app.job_manager.defer_job_async(job)
            if len(rows) < BATCH:
                return

    def _job_of(self, row: Mapping[str, Any]) -> Job:
        name = f"{row['tenant']}/{row['run']}"
        task = self.app.configure_task(
            PUSH,
            queue=row["tenant"],
            lock=row["lock"],
            queueing_lock=name,
            priority=priority(row["since_s"], row["numbers"]),
        )
        return task.job.evolve(task_kwargs={"tenant": row["tenant"], "run": row["run"]})

    async def begin(self, tenant: str, run: RunId, worker: str) -> Slot | None:
        """Become the one who executes a run; None where it is not to be executed now."""
        rows = await self.all("begin", tenant=tenant, run=run, worker=worker)
        return Slot(tenant, run, worker, *rows[0].values()) if rows else None

    async def end(
        self,
        slot: Slot,
        outcome: str,
        exit_code: int | None,
        why: str,
        unarchived: str | None = None,
    ) -> bool:
        """Write down that a run is `done`, or waits for a `person`, unless another has it now.

        Args:
            slot: The run.
            outcome: One of the two.
            exit_code: Of its last execution.
            why: A remark.
            unarchived: As in `Ending`.

        Returns:
            Whether it was the worker's still.
        """
        facts = {"outcome": outcome, "exit": exit_code, "why": why, "unarchived": unarchived}
        return bool(await self.all("end", **slot.key, **facts))

    async def put_off(self, slot: Slot, later: Later, exit_code: int | None, why: str) -> bool:
        """Give a run back, to be taken up later; return whether it was the worker's still."""
        rows = await self.all(
            "put_off",
            **slot.key,
            seconds=later.seconds,
            waits=slot.waits + 1 if later.vain else 0,
            only_settle=later.only_settle,
            exit=exit_code,
            why=why,
        )
        return bool(rows)

    async def stalled(self, rhythm: Rhythm) -> Sequence[Job]:
        """Return the jobs of engines that have been silent for too long."""
        with self._lost():
            return list(
                await self.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=rhythm.silence)
            )

    async def left_behind(self, rhythm: Rhythm) -> Sequence[tuple[str, RunId, str]]:
        """Return runs of workers that are dead: tenant, run, worker.

        A process that dies takes its sessions with it, which is seen at once. One that is paused
        or cut off is only silent.
        """
        rows = await self.all("left_behind", gone_s=rhythm.gone, silence_s=rhythm.silence)
        return [(row["tenant"], RunId(row["run"]), row["worker"]) for row in rows]

    async def let_go(self, tenant: str, run: RunId, worker: str) -> bool:
        """Take a run away from a dead worker, and its job out of the engine.

        Returns:
            Whether that was done here, and not by another before.
        """
        jobs = await self.all("jobs_of", name=f"{tenant}/{run}")
        if not await self.all("let_go", tenant=tenant, run=run, worker=worker):
            return False
        for job in jobs:
            await self.finish(job["id"])
        return True

    async def finish(self, job: int) -> None:
        """Take a job that nobody works at out of the engine; if it has ended, that is well too.

        So it is where the database cannot be reached: the job is found again.
        """
        with suppress(ConnectorException):
            await self.app.job_manager.finish_job_by_id_async(job, Status.FAILED, delete_job=False)

    async def cancel(self, tenant: str) -> Sequence[RunId]:
        """Cancel all open runs of a tenant, those that are being executed as well."""
        cancelled = await self.all("cancel", tenant=tenant)
        for job in await self.all("waiting_jobs", tenant=tenant):
            with self._lost():
                await self.app.job_manager.cancel_job_by_id_async(job["id"], delete_job=True)
        return [RunId(row["run"]) for row in cancelled]

    # -- plumbing -----------------------------------------------------------------------------

    async def now(self) -> datetime:
        """Return the database's time."""
        now: datetime = (await self.all("now"))[0]["now"]
        return now

    async def all(self, name: str, /, **values: object) -> Sequence[dict[str, Any]]:
        """Return all rows of a statement of `sql/verbs.sql`."""
        with self._lost():
            return await self.app.connector.execute_query_all_async(
                self._statements[name], **values
            )

    async def do(self, name: str, /, **values: object) -> None:
        """Run a statement of `sql/verbs.sql`."""
        with self._lost():
            await self.app.connector.execute_query_async(self._statements[name], **values)

    def _lost(self) -> AbstractContextManager[None]:
        return lost(self._server)


@asynccontextmanager
async def open_queue(
    server: Server, *, create: bool, most: int = 2, name: str = "k3push", most_long: int = 1
) -> AsyncIterator[Queue]:
    """Open the fleet's database.

    Args:
        server: Where it is.
        create: Make it, where there is none.
        most: Sessions at once.
        name: What they are called.
        most_long: Long runs that its engine executes at once.

    Raises:
        NoLedgerError: It has no fleet, and none is to be made.
        LedgerLostError: It cannot be reached.
    """
    for name_of_logger in ("psycopg", "procrastinate"):
        # What they would say of lost connections, our errors say.
        logging.getLogger(name_of_logger).addHandler(logging.NullHandler())
    connector = PsycopgConnector(
        pool_factory=session_pool,
        conninfo=server.conninfo,
        # Each statement stands alone: with BEGIN and COMMIT it would travel three times.
        kwargs=SESSION | {"application_name": name, "autocommit": True},
        min_size=1,
        max_size=most,
        timeout=POOL_PATIENCE_S,
    )
    app = App(connector=connector)
    app.job_manager = manager = PatientManager(connector, most_long)
    with beginning(), lost(server):
        await _prepare(server, app, create=create)
        await app.open_async()
    try:
        yield Queue(app, server, manager)
    finally:
        with suppress(ConnectorException):
            await app.close_async()


async def _prepare(server: Server, app: App, *, create: bool) -> None:
    """Make the engine's tables and ours, once."""
    statements = verbs()
    async with (
        await AsyncConnection.connect(server.conninfo, autocommit=True, **SESSION) as session,
        session.transaction(),
    ):
        await session.execute(statements["one_at_a_time"])
        version = await _one(session, statements["version"])
        if version == 0:
            if not create:
                why = remark("ledger.no_fleet")
                raise NoLedgerError(remark("ledger.lost", place=server.place, why=why))
            await session.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            await session.execute(app.schema_manager.get_schema())
        elif version > 1:
            version = await _one(session, statements["version_noted"])
        # Each step only adds, so that workers of an older version go on beside this one.
        for step in range(version + 1, VERSION + 1):
            await session.execute(sql_file(PACKAGE, f"{step}.sql"))


async def _one(session: AsyncConnection, statement: str) -> int:
    row = await (await session.execute(statement)).fetchone()
    return int(row[0]) if row else 0


async def end_sessions(server: Server, worker: str) -> None:
    """End all sessions of a worker in a database, so that what it holds there is free.

    A worker that is only paused finds its sessions gone when it wakes, and sends nothing.
    """
    statement = verbs()["end_sessions"]
    with lost(server):
        async with await AsyncConnection.connect(
            server.conninfo, autocommit=True, **SESSION
        ) as session:
            await session.execute(statement, {"worker": worker})


@contextmanager
def lost(server: Server) -> Iterator[None]:
    """Turn what the engine and PostgreSQL say into `LedgerLostError`."""
    try:
        yield
    except ConnectorException as error:
        if isinstance(error.__cause__, psycopg.Error):
            raise server.lost(error.__cause__) from error
        raise LedgerLostError(remark("ledger.lost", place=server.place, why=str(error))) from error
    except psycopg.Error as error:
        raise server.lost(error) from error


@lru_cache(maxsize=4)
def array_of(names: tuple[str, ...]) -> str:
    r"""Return names as PostgreSQL writes an array.

    Every second a worker asks what there is for its tenants, who are thousands and the same ones
    as before. Made anew each time, their list costs more than all else that an idle worker does.

    >>> print(array_of(("acme", 'a"b', "c\\d", "")))
    {"acme","a\"b","c\\d",""}
    """
    quoted = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    return "{" + ",".join(f'"{name}"' for name in quoted) + "}"


@cache
def verbs() -> Mapping[str, str]:
    """Return the statements of `sql/verbs.sql`, by name, as psycopg wants them."""
    written = statements_in(sql_file(PACKAGE, "verbs.sql"))
    return {name: as_psycopg(text) for name, text in written.items()}
