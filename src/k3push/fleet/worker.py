"""A worker: one process that serves the tenants whose secrets it has, until it is told to end."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import anyio
from procrastinate.worker import Worker as Engine

from k3push.adapters.ledger.postgres.database import Server
from k3push.config.tenants import Tenant
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.fleet.due_schedules import Schedules
from k3push.fleet.execution_terms import Terms, terms_of
from k3push.fleet.followup import (
    LEDGER_WAIT_S,
    Done,
    ForPerson,
    Later,
    next_of,
    next_try_in_s,
    remark_on_causes,
)
from k3push.fleet.heartbeat import Beat, Rhythm
from k3push.fleet.left_behind import LeftBehind
from k3push.fleet.queue import PUSH, Queue, Slot
from k3push.fleet.queue_database import lost
from k3push.fleet.queue_opening import open_queue
from k3push.fleet.turns import PLACES_FOR_SHORT
from k3push.fleet.work_port import CannotBeginError, NotHereError, NotNowError, Work
from k3push.ports import LedgerLostError, RunIsAliveError
from k3push.runs.outcome import numbers_in_doubt
from k3push.runs.stop import Cause, Stop

LOOK = "k3push.look"
"""A look after a schedule, as a job, which only older workers make: up to version 2 of the tables.

Since then looks are claimed (`due_schedules`), and never while there is such a job (`claim_looks`).
It stays for a fleet whose hosts are upgraded one after another: the engine fails a job whose name
it does not know, and the older worker would make the next one, which would fail as well.
"""

TICK_PATIENCE_S = 60.0
BEAT_PATIENCE_S = 8.0

# A look at 5,000 files takes some 50 ms.
FILES_A_SECOND = 500
DATABASE_WAIT_S = 2.0
# A database that is away for hours fills no log.
TOLD_AGAIN_S = 60.0
STARTING_PATIENCE_S = 60.0


@dataclass(slots=True)
class Worker:
    """One process that serves.

    Attributes:
        database: Where the queue is.
        id: Names this process among all; its sessions carry it.
        name: What people call it.
        host: Where it runs.
        concurrency: Runs at once, beside the short ones that have places of their own.
        rhythm: How often it does what.
        draining: It was told to end; nothing begins any more.
    """

    work: Work
    database: Server
    id: str
    name: str
    host: str
    concurrency: int
    rhythm: Rhythm = field(default_factory=Rhythm)
    draining: bool = False
    _served: Mapping[str, Tenant] = field(default_factory=dict)
    _running: dict[tuple[str, RunId], Stop] = field(default_factory=dict)
    # What was told last of the folder of the tenants' files.
    _unread: str = ""
    # What was told last of the database, and when.
    _told_s: dict[str, float] = field(default_factory=dict)
    _engine: Engine | None = None

    def drain(self) -> None:
        """End: no new chunk is sent, and what is on its way is recorded; again, at once."""
        if self.draining:
            for stop in self._running.values():
                stop.scope.cancel()
        self.draining = True
        self._stop_all(self.name)
        if self._engine is not None:
            self._engine.stop()  # type: ignore[no-untyped-call]  # it has no annotations

    async def serve(self) -> None:
        """Serve until told to end.

        Raises:
            LedgerLostError: The database cannot be reached at the beginning.
        """
        self._served = await self.work.tenants()
        async with AsyncExitStack() as stack:
            queue = await self._opened(stack)
            queue.app.task(name=PUSH)(self._job(queue, self._push))
            queue.app.task(name=LOOK)(self._job(queue, self._look))
            async with anyio.create_task_group() as others:
                schedules = Schedules(queue, self.id, self.rhythm)
                queue.manager.holds_back = schedules.are_many
                left = LeftBehind(
                    self.work, queue, self.id, self.rhythm, lambda: self._served, self._running
                )
                others.start_soon(self._beat_on)
                others.start_soon(self._go_on, partial(self._tick, queue, schedules))
                # What waits for the ledgers of tenants is in nobody's way.
                others.start_soon(self._go_on, left.take_up)
                others.start_soon(self._watch_tenants)
                others.start_soon(
                    schedules.look_on, self._looks_for, partial(self._look_wanted, queue)
                )
                while not self.draining:
                    await self._run_engine(queue)
                others.cancel_scope.cancel()
            with anyio.move_on_after(TICK_PATIENCE_S):
                await schedules.resign()
                await queue.gone(self.id)

    async def _opened(self, stack: AsyncExitStack) -> Queue:
        """Open the database, which may still be starting, as our own machine may be."""
        until_s = anyio.current_time() + STARTING_PATIENCE_S
        while True:
            try:
                return await stack.enter_async_context(
                    open_queue(
                        self.database,
                        create=True,
                        most=4,
                        name=self.id,
                        most_long=self.concurrency,
                    )
                )
            except LedgerLostError as error:
                if self.draining or anyio.current_time() > until_s:
                    raise
                self._tell_lost(error)
                await anyio.sleep(DATABASE_WAIT_S)

    def _tell_lost(self, error: Exception) -> None:
        """Say that the database is away; the same only now and then."""
        why, now_s = str(error) or remark("fleet.timeout"), anyio.current_time()
        recent = {each: at for each, at in self._told_s.items() if now_s - at < TOLD_AGAIN_S}
        if why not in recent:
            self.work.tell("worker.lost", why=why)
        self._told_s = {why: now_s} | recent

    async def _run_engine(self, queue: Queue) -> None:
        """Let the engine work until it is told to stop, or loses its database."""
        with anyio.CancelScope(shield=True):
            self._engine = Engine(
                app=queue.app,
                queues=list(self._served),
                name=self.name,
                concurrency=self.concurrency + PLACES_FOR_SHORT,
                # Its channels are those of its first queues; ours come and go.
                listen_notify=False,
                fetch_job_polling_interval=self.rhythm.poll,
                install_signal_handlers=False,
                update_heartbeat_interval=self.rhythm.silence / 4,
                stalled_worker_timeout=self.rhythm.silence,
                delete_jobs="always",
            )
            try:
                with lost(self.database):
                    await self._engine.run()  # type: ignore[no-untyped-call]  # likewise
            except Exception as error:  # noqa: BLE001  # of the engine, whose errors are many
                self._tell_lost(error)
            if not self.draining:
                await anyio.sleep(DATABASE_WAIT_S)

    # -- what the engine's jobs do ------------------------------------------------------------

    def _job(
        self, queue: Queue, act: Callable[[Queue, Tenant, str], Awaitable[None]]
    ) -> Callable[..., Awaitable[None]]:
        async def job(tenant: str, run: str = "", schedule: str = "") -> None:
            # What is lost with the database is taken up again, since the tables say it is open.
            try:
                if tenant in self._served and not self.draining:
                    await act(queue, self._served[tenant], run or schedule)
            except LedgerLostError as error:
                self._tell_lost(error)
            except Exception:  # a defect, of which the engine would say nothing
                self.work.tell("worker.lost", why=traceback.format_exc())
                raise

        return job

    async def _push(self, queue: Queue, tenant: Tenant, name: str) -> None:
        run = RunId(name)
        if (tenant.name, run) in self._running:
            return  # others have freed it while we were silent, and we go on with it
        stop = self._running[tenant.name, run] = Stop()
        try:
            slot = await queue.begin(tenant.name, run, self.id)
            if slot is None:
                return
            terms = await terms_of(tenant, slot, queue)
            if isinstance(terms, Later):
                await queue.put_off(slot, terms, None, remark("fleet.outside_window"))
                return
            self.work.tell("worker.begins", tenant=tenant.name, run=run)
            await self._execute(queue, tenant, slot, terms, stop)
        finally:
            del self._running[tenant.name, run]

    async def _execute(
        self, queue: Queue, tenant: Tenant, slot: Slot, terms: Terms, stop: Stop
    ) -> None:
        told = {"tenant": slot.tenant, "run": slot.run}
        if self.draining:
            stop.ask(Cause.INTERRUPTED, self.name)
        try:
            ending = await self.work.execute(tenant, slot.run, terms, stop)
        except CannotBeginError as error:
            if await queue.end(slot, "person", None, str(error)):
                self.work.tell("worker.cannot", **told, why=error)
            else:
                self.work.tell("worker.elsewhere", **told, why=error)
            return
        except (LedgerLostError, RunIsAliveError, NotHereError) as error:
            later = Later(
                next_try_in_s(slot.waits, LEDGER_WAIT_S), vain=True, only_settle=slot.only_settle
            )
            await self._put_off(queue, slot, later, None, str(error))
            return
        why = remark_on_causes(ending.causes)
        code, doubts = int(ending.exit), numbers_in_doubt(ending.counts)
        self.work.tell("worker.ended", **told, code=code, seconds=ending.seconds)
        match next_of(ending, slot.waits, only_settle=slot.only_settle):
            case Done():
                await queue.end(slot, "done", code, why, ending.unarchived, in_doubt=doubts)
            case ForPerson(holds_tenant):
                if holds_tenant:
                    self.work.tell("worker.held", tenant=slot.tenant, why=why)
                    await queue.pause(slot.tenant, why)
                await queue.end(slot, "person", code, why, ending.unarchived, in_doubt=doubts)
            case Later() as later:
                await self._put_off(queue, slot, later, code, why, in_doubt=doubts)
                # At once, for others who are not at their end.
                await queue.make_jobs(slot.tenant, [slot.run])

    async def _put_off(
        self,
        queue: Queue,
        slot: Slot,
        later: Later,
        code: int | None,
        why: str,
        *,
        in_doubt: int | None = None,
    ) -> None:
        """Give a run back; what was in vain is told, unless others have ended or begun it."""
        told = {"tenant": slot.tenant, "run": slot.run, "why": why}
        if not await queue.put_off(slot, later, code, why, in_doubt=in_doubt):
            self.work.tell("worker.elsewhere", **told)
        elif later.vain:
            self.work.tell("worker.later", **told, seconds=later.seconds)

    async def _look(self, queue: Queue, tenant: Tenant, schedule: str) -> None:
        why = ""
        if schedule in tenant.settings.schedules:
            try:
                why = await self.work.look(tenant, schedule, queue, None)
            except NotNowError as error:
                why = str(error)
        await queue.looked_after(tenant.name, schedule, why)

    def _looks_for(self) -> Mapping[str, Tenant]:
        return {} if self.draining else self._served

    async def _look_wanted(self, queue: Queue, tenant: Tenant, schedule: str, due: datetime) -> str:
        try:
            return await self.work.look(tenant, schedule, queue, due)
        except LedgerLostError as error:
            self._tell_lost(error)
            raise
        except RunIsAliveError:
            raise  # somebody else asks for the same
        except NotNowError as error:
            why = str(error)
            self.work.tell("worker.schedule", tenant=tenant.name, schedule=schedule, why=why)
            raise
        except Exception as error:  # noqa: BLE001  # a defect must not hold up other tenants
            self.work.tell("worker.lost", why=traceback.format_exc())
            return str(error) or type(error).__name__

    # -- now and then -------------------------------------------------------------------------

    async def _beat_on(self) -> None:
        """Be heard of, whatever else is under way; by a connection that nothing else uses."""
        heard_s = anyio.current_time()
        async with Beat(self.database, self.id) as beat:
            while True:
                try:
                    with anyio.fail_after(BEAT_PATIENCE_S):
                        await self._be_heard(beat)
                    heard_s = anyio.current_time()
                except (LedgerLostError, TimeoutError) as error:
                    self._tell_lost(error)
                    if anyio.current_time() - heard_s > self.rhythm.silence / 2:
                        # Others will count us as dead, and take up what we execute.
                        self._stop_all(remark("fleet.away"))
                await anyio.sleep(self.rhythm.tick)

    async def _go_on(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something again and again, whatever becomes of the database meanwhile."""
        try:
            while True:
                try:
                    with anyio.fail_after(TICK_PATIENCE_S):
                        await act()
                except (LedgerLostError, TimeoutError) as error:
                    self._tell_lost(error)
                await anyio.sleep(self.rhythm.tick)
        finally:
            if not self.draining:
                self.drain()

    async def _watch_tenants(self) -> None:
        """Keep up with the tenants' files; a command that has a secret may take its time."""
        while True:
            # Of thousands, the files are looked at more rarely.
            await anyio.sleep(self.rhythm.tick + len(self._served) / FILES_A_SECOND)
            try:
                self._served = await self.work.tenants()
            except Exception:  # noqa: BLE001  # a defect that some file brings up
                told, self._unread = self._unread, traceback.format_exc()
                if told != self._unread:
                    self.work.tell("worker.unread", why=self._unread)
            else:
                self._unread = ""

    async def _tick(self, queue: Queue, schedules: Schedules) -> None:
        """See what is due, and what people have said."""
        paused = await queue.pauses()
        if self._engine is not None:
            self._engine.queues = [name for name in self._served if name not in paused]
        for run in await queue.cancelled_of(self.id):
            if (stop := self._running.get(run)) is not None:
                stop.ask(Cause.CONTROL, "k3push fleet cancel")
        if not self.draining:
            await schedules.plan(self._served)
            told = dict(schedules.unread)
            await schedules.lead()
            for (name, schedule), why in schedules.unread.items() - told.items():
                self.work.tell("worker.schedule", tenant=name, schedule=schedule, why=why)

    async def _be_heard(self, beat: Beat) -> None:
        engine = self._engine
        registered = None if engine is None else engine.worker_id
        # The engine itself falls silent while it waits for its last jobs.
        known = await beat.here(self.name, self.host, serves=len(self._served), engine=registered)
        if engine is not None and not known:
            # We were silent for so long that others have forgotten us; begin anew.
            self._stop_all(remark("fleet.forgotten"))
            engine.stop()  # type: ignore[no-untyped-call]  # it has no annotations

    def _stop_all(self, why: str) -> None:
        for stop in self._running.values():
            stop.ask(Cause.INTERRUPTED, why)
