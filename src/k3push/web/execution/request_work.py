"""Sees that what people and programs ask of one tenant is done: when, and in which order.

A request is in the ledger before anything is done about it
(`runs.kept_in_ledger.request_stages`), so a server that starts takes up what the last one has left.
What is done about one is for `web.execution.request_fulfilment`.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Awaitable, Callable, Container, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import anyio
from anyio.abc import TaskGroup

from k3push.config.settings import Settings
from k3push.core.model import RunId
from k3push.ports import Clock, Ledger, LedgerLostError, RunIsAliveError
from k3push.runs.create import AskedRoute, survey
from k3push.runs.kept_in_ledger.askers import is_program
from k3push.runs.kept_in_ledger.request_stages import (
    Request,
    Stage,
    find_request,
    move,
    requests,
    tenant_of,
)
from k3push.runs.push_requests.schedule_pushes import is_approved_ahead, schedule_of
from k3push.runs.stop import Cause
from k3push.runs.wakeup import Wakeup
from k3push.web.admission.access import Log
from k3push.web.execution.lanes import Crowd, Lane, Lanes
from k3push.web.execution.request_fulfilment import Fulfilment, HandOver, MakeExecutor, Work
from k3push.web.execution.request_plan import ReadingSoFar
from k3push.web.execution.served_schedules import Timetable
from k3push.web.execution.webhook_delivery import Messenger
from k3push.wiring.config_file import load_settings
from k3push.wiring.executor import Executor
from k3push.wiring.inbox import strange_of
from k3push.wiring.job_lists import JobOptions, Reader, opened_jobs, routes_of
from k3push.wiring.webhook_receivers import Receivers
from k3push.words.language import Say

WAIT_S = 30.0
"""Between tries where the ledger is away, or another process executes a run."""

LEFT_S = 60.0
"""After so long another server of the ledger may have died with what it has accepted."""

ELSEWHERE_S = 900.0
"""For so long what one host alone lacks, such as a file, ends no request of another server."""

READS_AT_ONCE = 2
"""Lists of a tenant that are read side by side: who waits longer has no thread, and no reader that
another tenant waits for."""

MOST_AHEAD = 8
"""Requests of programs that wait for a lane and are no longer in the ledger alone."""


class Workshop:
    """Does what is asked of one tenant.

    Attributes:
        settings: The tenant's, as its file last said; an execution reads them anew.
        timetable: Its schedules.
        crowd: Counts what only waits.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        say: Say,
        log: Log,
        *,
        reader: Reader,
        make: MakeExecutor = Executor,
        load: Callable[[Path], Settings] = load_settings,
        hand_over: HandOver | None = None,
        messenger: Messenger | None = None,
        beside: Callable[[], Container[str]] = tuple,
        crowd: Crowd | None = None,
    ) -> None:
        """Make it ready; `serve` lets it begin.

        Args:
            reader: Reads the lists that are sent, and those in folders: they are of strangers.
            hand_over: Where pushes are executed elsewhere; settling and following are not, since
                they ask and answer what somebody waits for.
            beside: The tenants that the server has.
            crowd: Is shared with other tenants; None where none counts with it.
        """
        self.settings = settings
        self.timetable = Timetable(settings, self.lists, clock, self.begin, log, self._let_in)
        self._clock = clock
        self._say = say
        self._log = log
        self._reader = reader
        self._reads = anyio.CapacityLimiter(READS_AT_ONCE)
        self._messenger = messenger
        self._beside = beside
        self._drains = anyio.Event()
        self._fulfilment = Fulfilment(
            clock,
            say,
            log,
            reader=reader,
            reads=self._reads,
            make=make,
            load=load,
            hand_over=hand_over,
            messenger=messenger,
            drains=self._drains,
        )
        self.crowd = crowd or Crowd()
        self._lanes = Lanes(self.crowd)
        self._lanes_of_schedules: dict[str, Lanes] = {}
        self._works: dict[str, Work] = {}
        # What programs have asked for stands in the ledger until a lane is near.
        self._queue: dict[str, None] = {}
        self._ahead: set[str] = set()
        # What another server, or an earlier one, has accepted.
        self._left: set[str] = set()
        self._sends_from_s = -math.inf
        self._has_another_ledger = False
        self._idle = Wakeup()
        self._tasks: TaskGroup | None = None
        self._ledger: Callable[[], Awaitable[Ledger]] | None = None

    @property
    def draining(self) -> bool:
        """Whether the server ends: nothing is begun any more."""
        return self._drains.is_set()

    @property
    def tenant(self) -> str:
        """The tenant's name."""
        return self.settings.file.stem

    @property
    def lists(self) -> Path:
        """The folder of lists that were uploaded."""
        return self.settings.folder / self.settings.serve.lists

    async def _let_in(self) -> None:
        await self._fulfilment.see_let_in(self.settings)

    async def ledger(self) -> Ledger:
        """Return the tenant's ledger, made if need be; raises `LedgerLostError`."""
        if self._ledger is None:
            raise RuntimeError("the workshop is not open yet")
        return await self._ledger()

    async def tell_again(self, ledger: Ledger, runs: Sequence[RunId]) -> None:
        """Tell anew of runs whose rows a person has moved: in their results, and to programs."""
        await self._fulfilment.tell_again(ledger, runs, self.settings)

    def take(self, settings: Settings, receivers: Receivers) -> None:
        """Go by other settings of the same ledger and account from now on, and tell these."""
        self.settings = settings
        self.timetable.take(settings)
        if self._messenger is not None:
            self._messenger.take(receivers)
        self._take_up_another()

    def take_another_ledger(self) -> None:
        """Take up what stands in a ledger that was put in the place of the one there was.

        It knows nothing of calls that are on their way. Nothing is sent until these have ended.
        Whose file is gone, or has a fault, would fail all of it, which another may go on with.
        """
        self._sends_from_s = anyio.current_time() + self.settings.settle.window_s
        self._has_another_ledger = True
        self._take_up_another()

    def _take_up_another(self) -> None:
        if self._has_another_ledger and not self.timetable.rests and self._tasks is not None:
            self._has_another_ledger = False
            self._tasks.start_soon(self._keep_on, self._take_up)

    def rest(self) -> None:
        """Begin nothing that is due, since there are no settings any more by which it could go."""
        self.timetable.rest()

    def serve(self, tasks: TaskGroup, ledger: Callable[[], Awaitable[Ledger]]) -> None:
        """Work in *tasks* from now on, and take up what is left."""
        self._tasks, self._ledger = tasks, ledger
        self._fulfilment.serve(tasks)
        tasks.start_soon(self._keep_on, self._take_up)
        tasks.start_soon(self._keep_on, partial(self.timetable.serve, ledger))
        if self._messenger is not None:
            tasks.start_soon(self._keep_on, partial(self._messenger.serve, ledger))

    async def _keep_on(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something for this tenant; a defect in it is told and tried again, and ends nothing.

        All tenants of a server are served by one process.
        """
        while True:
            try:
                return await act()
            except Exception:  # noqa: BLE001  # whatever it is
                self._log("workshop.failed", why=traceback.format_exc())
                await anyio.sleep(WAIT_S)

    def begin(self, request: Request, *, left: bool = False) -> None:
        """Do what is left to be done about a request, unless that is being done.

        Args:
            left: Another server, or an earlier one, has accepted it, and may be at it.
        """
        (self._left.add if left else self._left.discard)(request.id)
        work = self._works.get(request.id)
        if work is not None:
            work.again = True
        elif self._shares_lanes(request):
            self._queue[request.id] = None
            self._begin_queued()
        else:
            self._start(request.id)

    def take_up_left(self, request: Request) -> None:
        """Begin what another server of the ledger has accepted and not begun, as if it had died.

        Of two that work at one request only one is heard (`OvertakenError`, `RunIsAliveError`).
        """
        is_near = request.id in self._works or request.id in self._queue
        if request.stage not in {Stage.PLANNING, Stage.APPROVED} or is_near:
            return
        if not self.is_mine(request):
            return
        if self._age_s(request) > LEFT_S:
            self._log("request.taken_up", request=request.id)
            self.begin(request, left=True)

    def is_mine(self, request: Request) -> bool:
        """Say whether no other tenant of this server was asked, whose settings may be others.

        Nor may those who have a role in this tenant alone approve it.

        Of one that is not served any more, such as a file with a new name, any takes it up.
        """
        asked = tenant_of(request)
        return asked == self.tenant or asked not in self._beside()

    def _age_s(self, request: Request) -> float:
        """Return for how many seconds a server has had something to do about a request."""
        since = datetime.fromisoformat(request.approved_at) if request.approved_at else request.at
        return (self._clock.now() - since).total_seconds()

    def _begin_queued(self) -> None:
        """Let those come near who have waited longest; each of these takes some memory."""
        while self._queue and len(self._ahead) < MOST_AHEAD:
            id_ = next(iter(self._queue))
            del self._queue[id_]
            self._ahead.add(id_)
            self._start(id_)

    def _start(self, id_: str) -> None:
        if self._tasks is not None and not self.draining:
            self._works[id_] = Work()
            self._tasks.start_soon(self._see_to, id_)

    def _comes_on(self, id_: str) -> None:
        """A request has its lane, or needs none: the next may come near."""
        self._ahead.discard(id_)
        self._begin_queued()

    def reading(self, request: Request) -> ReadingSoFar | None:
        """Say how far the look ahead of a request is; None where nobody looks."""
        work = self._works.get(request.id)
        return work.ahead.reading if work and request.stage is Stage.PLANNING else None

    def give_up(self, request: Request) -> None:
        """End the look ahead of a request that was withdrawn."""
        if work := self._works.get(request.id):
            work.ahead.end(Cause.CONTROL, request.by)

    def drain(self) -> None:
        """Begin nothing any more; what is on its way is waited for. Again: end at once."""
        for work in self._works.values():
            work.ahead.end(Cause.INTERRUPTED, "serve")
            if self.draining:
                work.fate.cut_short()
            else:
                work.fate.ask(Cause.INTERRUPTED, "serve")
        self._drains.set()

    async def drained(self) -> None:
        """Wait until nothing is being done."""
        while self._works:
            await self._idle.wait()
        await self._fulfilment.close()

    # -- lists --------------------------------------------------------------------------------

    async def read(self, jobs: Sequence[Path], how: JobOptions) -> dict[str, AskedRoute]:
        """Read lists to their ends, and return how many lines ask for each route.

        Raises:
            JobFileError: Lines are to be mended first.
            SettingsError: A route is not known, or must be named.
            Problem: A line names a route that there is not.
        """
        names = [str(job) for job in jobs]
        how = replace(how, reader=self._reader)
        strange = strange_of(names, self.lists)
        with opened_jobs(names, how, lambda *_, **__: None, strange) as opened:
            lines = await survey(opened, self._reads)
        if lines:
            routes_of(self.settings, how, lines)
        return lines

    # -- one request --------------------------------------------------------------------------

    async def _take_up(self) -> None:
        """Take up what an earlier server has left."""
        while True:
            try:
                left = await requests(await self.ledger(), only_open=True)
            except LedgerLostError as error:
                self._log("workshop.waits", why=str(error))
                await anyio.sleep(WAIT_S)
                continue
            for request in reversed(left):
                is_due = request.stage is not Stage.PLANNED or is_approved_ahead(request)
                if is_due and self.is_mine(request):
                    self._log("request.taken_up", request=request.id)
                    self.begin(request, left=True)
            return

    async def _see_to(self, id_: str) -> None:
        work = self._works[id_]
        try:
            while True:
                work.again = False
                try:
                    await self._do(id_, work)
                except (LedgerLostError, RunIsAliveError) as error:
                    self._log("workshop.waits", request=id_, why=str(error))
                    with anyio.move_on_after(WAIT_S * 2 ** max(0, work.losses - 1)):
                        await self._drains.wait()
                    work.again = True
                if self.draining or not work.again:
                    return
                work.begin_anew()
        finally:
            del self._works[id_]
            self._comes_on(id_)
            self._idle.notify()

    async def _do(self, id_: str, work: Work) -> None:
        """Do the next thing about a request.

        Raises:
            LedgerLostError: It is to be done later.
            RunIsAliveError: Likewise: another executes a run of it, or one that was cut off has
                not been given up yet.
        """
        ledger = await self.ledger()
        request = await find_request(ledger, id_)
        if request is None:
            return
        try:
            lanes = self._lanes_for(request)
            async with lanes.lane() if lanes else nullcontext() as lane:
                self._comes_on(id_)
                await self._step(ledger, request, work, lane)
        except Exception as error:  # noqa: BLE001  # sorted by kind there
            if id_ in self._left and self._age_s(request) < ELSEWHERE_S:
                # Its list, its plan or a secret may be on the other server's host alone.
                self._fulfilment.leave_alone(error)
            await self._fulfilment.fail(ledger, request, error)

    async def _step(self, ledger: Ledger, request: Request, work: Work, lane: Lane | None) -> None:
        if self.draining:
            return  # it has waited for others, and the next server goes on
        if request.stage is Stage.PLANNING:
            await self._fulfilment.plan(ledger, request, work, self.settings, lists=self.lists)
        elif request.stage is Stage.PLANNED and is_approved_ahead(request):
            now = self._clock.now().isoformat()
            named = {"approved_by": request.by, "approved_at": now}
            await move(ledger, request, Stage.APPROVED, **named)
            work.again = True
        elif request.stage is Stage.APPROVED and await self._calls_are_over(request):
            await self._fulfilment.execute(ledger, request, work, self.settings, lane)

    async def _calls_are_over(self, request: Request) -> bool:
        """Wait until calls of which the ledger knows nothing have ended; False where we end."""
        while not self.draining and (left_s := self._sends_from_s - anyio.current_time()) > 0:
            why = self._say("desk.other_ledger", seconds=left_s)
            self._log("workshop.waits", request=request.id, why=why)
            with anyio.move_on_after(left_s):
                await self._drains.wait()
        return not self.draining

    def _lanes_for(self, request: Request) -> Lanes | None:
        """Return the lanes that a request is done in; None for one that a person waits for."""
        if self._shares_lanes(request):
            return self._lanes
        # As a folder's many files are pushed at a terminal, and by a fleet: not all at once.
        if not is_approved_ahead(request) or self.hands_over(request):
            return None
        name = schedule_of(request)
        return self._lanes_of_schedules.setdefault(name, Lanes(self.crowd, of_schedule=True))

    def _shares_lanes(self, request: Request) -> bool:
        return is_program(request.by) and not self.hands_over(request)

    def hands_over(self, request: Request) -> bool:
        """Say whether a request is executed elsewhere."""
        return self._fulfilment.hands_over(request)
