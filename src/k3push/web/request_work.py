"""Plans and executes what people and programs ask of one tenant, in the server's own process.

A request is in the ledger before anything is done about it
(`runs.push_requests.request_stages`), so a server that starts takes up what the last one has left.
Executing is `wiring.executor`'s business, as for the command line: each request has an executor of
its own, whose stop is that of its runs.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from k3push.adapters.job_files import JobFileError
from k3push.adapters.plan_file import PlanFileError
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.model import Run, RunId
from k3push.core.pacing.window import Window
from k3push.core.remark import kind_and_words, remark
from k3push.ports import Clock, Ledger, LedgerLostError, OtherSpellingError, RunIsAliveError
from k3push.runs.create import AskedRoute, survey
from k3push.runs.execute import Only
from k3push.runs.find import is_unfinished
from k3push.runs.problem import Problem, innermost
from k3push.runs.push_requests.program_events import (
    FAILED,
    NEEDS_PERSON,
    PLANNED,
    announce,
    told_of,
    types_of,
)
from k3push.runs.push_requests.program_tokens import is_program
from k3push.runs.push_requests.request_stages import (
    OvertakenError,
    Request,
    RequestKind,
    Stage,
    find_request,
    move,
    push_of,
    requests,
)
from k3push.runs.push_requests.schedule_pushes import is_approved_ahead, schedule_of
from k3push.runs.shared_stop import SharedStop
from k3push.runs.stop import Cause
from k3push.runs.wakeup import Wakeup
from k3push.web.access import Log
from k3push.web.places import Lane, Lanes
from k3push.web.request_plan import LookAhead, ReadingSoFar, plan_of
from k3push.web.request_runs import runs_of
from k3push.web.timetable import Timetable
from k3push.web.webhook_delivery import Messenger
from k3push.wiring.config_file import load_settings
from k3push.wiring.executor import Executor, RunOptions
from k3push.wiring.inbox import strange_of
from k3push.wiring.job_lists import JobOptions, Reader, opened_jobs, routes_of
from k3push.wiring.line_observer import LineObserver
from k3push.wiring.shared_login import KeptAccess
from k3push.wiring.webhook_receivers import Receivers
from k3push.words.language import Say

WAIT_S = 30.0
"""Between tries where the ledger is away, or another process executes a run."""

LEFT_S = 60.0
"""After so long another server of the ledger may have died with what it has accepted."""

FLEET_LOOK_S = 1.0
"""Between looks whether a worker still executes what is no longer the fleet's."""

READS_AT_ONCE = 2
"""Lists of a tenant that are read side by side: who waits longer has no thread, and no reader that
another tenant waits for."""

MOST_AHEAD = 8
"""Requests of programs that wait for a lane and are no longer in the ledger alone."""


_ONLY = {RequestKind.SETTLE: Only.SETTLE, RequestKind.FOLLOW: Only.FOLLOW}

# Nothing is executed, and a person has to mend something first.
_UNUSABLE = (JobFileError, OSError, PlanFileError, Problem, SettingsError)


class HandOver(Protocol):
    """Gives runs that are in the ledger to those who execute them elsewhere."""

    async def __call__(self, request: Request, runs: Mapping[RunId, int]) -> None:
        """Have the runs of a request executed, and return when that is over.

        Doing it again for the same request, as after a restart, has them executed once.

        Args:
            request: Who asks for what.
            runs: How many numbers each of them has.

        Raises:
            LedgerLostError: That cannot be asked for now.
        """
        ...


MakeExecutor = Callable[[Settings, RunOptions, LineObserver, Say, SharedStop], Executor]


@dataclass(slots=True)
class _Work:
    """What is being done about one request.

    Attributes:
        ahead: How its plan comes on.
        again: It has moved on meanwhile, and is to be looked at once more.
    """

    fate: SharedStop = field(default_factory=SharedStop)
    ahead: LookAhead = field(default_factory=LookAhead)
    again: bool = False

    def begin_anew(self) -> None:
        """Forget what has ended the last try: nothing that it was stopped by stops the next."""
        self.fate, self.ahead = SharedStop(), LookAhead()


class Workshop:
    """Does what is asked of one tenant.

    Attributes:
        settings: The tenant's, as its file last said; an execution reads them anew.
        draining: The server ends; nothing is begun any more.
        timetable: Its schedules.
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
    ) -> None:
        """Make it ready; `serve` lets it begin.

        Args:
            settings: The tenant's.
            clock: The time of day.
            say: The language of results.
            log: Told of what begins, ends and fails.
            reader: Reads the lists that are sent, and those in folders: they are of strangers.
            make: Makes the executor of one request.
            load: Reads the settings anew.
            hand_over: Where pushes are executed elsewhere; settling and following are not, since
                they ask and answer what somebody waits for.
            messenger: Tells programs what became of what they have asked for.
        """
        self.settings = settings
        self.draining = False
        self.timetable = Timetable(settings, self.lists, clock, self.begin, log)
        self._clock = clock
        self._say = say
        self._log = log
        self._reader = reader
        self._reads = anyio.CapacityLimiter(READS_AT_ONCE)
        self._make = make
        self._load = load
        self._hand_over = hand_over
        self._messenger = messenger
        self._lanes = Lanes()
        self._kept = KeptAccess()
        self._works: dict[str, _Work] = {}
        # What programs have asked for stands in the ledger until a lane is near.
        self._queue: dict[str, None] = {}
        self._ahead: set[str] = set()
        self._sends_from_s = -math.inf
        self._has_another_ledger = False
        self._idle = Wakeup()
        self._drains = anyio.Event()
        self._tasks: TaskGroup | None = None
        self._ledger: Callable[[], Awaitable[Ledger]] | None = None

    @property
    def lists(self) -> Path:
        """The folder of lists that were uploaded."""
        return self.settings.folder / self.settings.serve.lists

    async def ledger(self) -> Ledger:
        """Return the tenant's ledger, made if need be.

        Raises:
            LedgerLostError: It cannot be had.
        """
        if self._ledger is None:
            raise RuntimeError("the workshop is not open yet")
        return await self._ledger()

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

    def begin(self, request: Request) -> None:
        """Do what is left to be done about a request, unless that is being done."""
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
        if (self._clock.now() - request.at).total_seconds() > LEFT_S:
            self._log("request.taken_up", request=request.id)
            self.begin(request)

    def _begin_queued(self) -> None:
        """Let those come near who have waited longest; each of these takes some memory."""
        while self._queue and len(self._ahead) < MOST_AHEAD:
            id_ = next(iter(self._queue))
            del self._queue[id_]
            self._ahead.add(id_)
            self._start(id_)

    def _start(self, id_: str) -> None:
        if self._tasks is not None and not self.draining:
            self._works[id_] = _Work()
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
        self.draining = True
        self._drains.set()

    async def drained(self) -> None:
        """Wait until nothing is being done."""
        while self._works:
            await self._idle.wait()
        await self._kept.close()

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
                if request.stage is not Stage.PLANNED or is_approved_ahead(request):
                    self._log("request.taken_up", request=request.id)
                    self.begin(request)
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
                    with anyio.move_on_after(WAIT_S):
                        await self._drains.wait()
                    work.again = True
                if self.draining or not work.again:
                    return
                work.begin_anew()
        finally:
            del self._works[id_]
            self._comes_on(id_)
            self._idle.notify()

    async def _do(self, id_: str, work: _Work) -> None:
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
            shares = self._shares_lanes(request)
            async with self._lanes.lane() if shares else nullcontext() as lane:
                self._comes_on(id_)
                await self._step(ledger, request, work, lane)
        except Exception as error:  # sorted by kind below
            cause = innermost(error)
            if isinstance(cause, OtherSpellingError):
                cause = Problem(remark("error.other_spelling", known=cause.known))
            if isinstance(cause.__cause__, RunIsAliveError):
                cause = cause.__cause__
            if isinstance(cause, LedgerLostError | RunIsAliveError):
                raise cause from error
            if isinstance(cause, OvertakenError):
                return
            why = str(cause) or type(cause).__name__
            if isinstance(cause, _UNUSABLE):
                self._log("request.failed", request=id_, why=self._say.said(why))
            else:
                # A defect of ours ends this request, and no other.
                self._log(
                    "request.failed", request=id_, why="".join(traceback.format_exception(error))
                )
                why = remark("web.defect", what=kind_and_words(cause))
            # A person may withdraw it meanwhile, and another server go on with it.
            with suppress(OvertakenError):
                await self._give_up(ledger, request, why)

    async def _step(self, ledger: Ledger, request: Request, work: _Work, lane: Lane | None) -> None:
        if self.draining:
            return  # it has waited for others, and the next server goes on
        if request.stage is Stage.PLANNING:
            await self._plan(ledger, request, work)
        elif request.stage is Stage.PLANNED and is_approved_ahead(request):
            now = self._clock.now().isoformat()
            named = {"approved_by": request.by, "approved_at": now}
            await move(ledger, request, Stage.APPROVED, **named)
            work.again = True
        elif request.stage is Stage.APPROVED and await self._calls_are_over(request):
            await self._execute(ledger, request, work, lane)

    async def _calls_are_over(self, request: Request) -> bool:
        """Wait until calls of which the ledger knows nothing have ended; False where we end."""
        while not self.draining and (left_s := self._sends_from_s - anyio.current_time()) > 0:
            why = self._say("desk.other_ledger", seconds=left_s)
            self._log("workshop.waits", request=request.id, why=why)
            with anyio.move_on_after(left_s):
                await self._drains.wait()
        return not self.draining

    async def _give_up(self, ledger: Ledger, tried: Request, why: str) -> None:
        """End a request that cannot be done, unless it has left its stage meanwhile.

        Raises:
            OvertakenError: It has left it a moment ago.
        """
        request = await find_request(ledger, tried.id)
        if request is None or request.stage is not tried.stage:
            return
        mine = request.runs if request.kind is RequestKind.PUSH else ()
        runs = [run for name in mine if (run := await ledger.run(name)) is not None]
        if any([await ledger.attempt_count(run.id) for run in runs]):
            # What was begun before tells by its rows what it has come to.
            await self._announce(ledger, request, runs)
            stage = Stage.ENDED
        else:
            await self._announce(ledger, request, [], why)
            stage = Stage.FAILED
        await move(ledger, request, stage, {tried.stage}, why=why)

    async def _announce(
        self, ledger: Ledger, request: Request, runs: Sequence[Run], why: str = ""
    ) -> None:
        """Tell programs how a request has ended, or that it waits for somebody's approval."""
        if self._messenger is None or not self._messenger.names:
            return
        push = request if request.kind is RequestKind.PUSH else None
        if push is None and request.runs:
            push = await push_of(ledger, request.runs[0])
        if push is None or not push.key:
            return
        run = await ledger.run(runs[0].id) if runs else None
        types: Sequence[str]
        if why:
            types = (FAILED, NEEDS_PERSON)
        elif run:
            types = types_of(run)
        else:
            types = (PLANNED, NEEDS_PERSON) if push.waits_for_approval else (PLANNED,)
        data = await told_of(ledger, push, run, self._say.said(why))
        # What is begun once more after it failed is another thing to tell of, and so is the end of
        # a run that was told before, and that somebody has gone on with since.
        of = f"{request.id} {request.version} {run.ended_at if run else ''}"
        await announce(ledger, self._clock, self._messenger.names, types, data, of=of)
        self._messenger.ring()

    async def _executor(self, fate: SharedStop, request: Request) -> Executor:
        def made() -> Executor:
            settings = self._load(self.settings.file)
            was, now = self.settings.erp.acct_id, settings.erp.acct_id
            if was != now:
                raise Problem(remark("desk.other_account", was=was, now=now))
            options = RunOptions(config=settings.file)
            schedule = settings.schedules.get(schedule_of(request))
            if schedule is not None and schedule.window:
                window, zone = Window.parse(schedule.window), ZoneInfo(schedule.time_zone)
                options = replace(options, window=window, zone=zone)
            observer = LineObserver(self._say, self._warn, lambda line: self._log("run", line=line))
            return self._make(settings, options, observer, self._say, fate)

        executor = await to_thread.run_sync(made)  # a secret may come from a command
        if is_program(request.by) and self._tasks is not None:
            erp = executor.settings.erp
            executor.entrance = self._kept.of(executor.entrance, erp, self._tasks)
        return executor

    def _warn(self, sentence: str, /, **facts: object) -> None:
        self._log("warning", what=self._say(sentence, **facts))

    # -- planning -----------------------------------------------------------------------------

    async def _plan(self, ledger: Ledger, request: Request, work: _Work) -> None:
        executor = await self._executor(work.fate, request)
        plan = await plan_of(
            ledger,
            request,
            executor,
            work.ahead,
            lists=self.lists,
            reader=self._reader,
            reads=self._reads,
            clock=self._clock,
        )
        if self.draining:
            return  # the next server plans it
        if isinstance(plan, str):
            await self._give_up(ledger, request, plan)
            return
        made = replace(request, stage=Stage.PLANNED, runs=plan.runs, **plan.facts)
        await self._announce(ledger, made, [])
        await move(ledger, request, Stage.PLANNED, runs=plan.runs, **plan.facts)
        self._log("request.planned", request=request.id, runs=", ".join(plan.runs))
        work.again = is_approved_ahead(request)

    # -- executing ----------------------------------------------------------------------------

    async def _execute(
        self, ledger: Ledger, request: Request, work: _Work, lane: Lane | None
    ) -> None:
        executor = await self._executor(work.fate, request)
        only = _ONLY.get(request.kind)
        runs = await runs_of(ledger, request, executor.settings, self._clock)
        # A document that was refused a step leaves its run finished, and is looked at again.
        every = only is Only.FOLLOW
        left = [run for run in runs if every or await is_unfinished(ledger, run)]
        for run in left:
            executor.see_whole(run)
            executor.route_now(run)  # before any of them sends
        if left and self.hands_over(request):
            await self._have_executed(ledger, request, left)
            if self.draining:
                return  # the next server waits for the fleet
        elif left:
            self._log("request.begins", request=request.id, runs=", ".join(r.id for r in left))
            async with executor.deadlines(), anyio.create_task_group() as others:
                if lane is not None:
                    others.start_soon(lane.watch, ledger, left)
                endings = await executor.execute_each(ledger, left, only=only)
                others.cancel_scope.cancel()
            let_in = all(Cause.LOGIN_REFUSED not in ending.causes for ending in endings)
            if let_in and not is_program(request.by):
                self._kept.try_again()
            if Cause.INTERRUPTED in work.fate.causes:
                return  # the next server goes on
        await self._announce(ledger, request, runs)
        await move(ledger, request, Stage.ENDED, bills=())
        self._log("request.ended", request=request.id)

    def _shares_lanes(self, request: Request) -> bool:
        return is_program(request.by) and not self.hands_over(request)

    def hands_over(self, request: Request) -> bool:
        """Say whether a request is executed elsewhere."""
        return self._hand_over is not None and request.kind not in _ONLY

    async def _have_executed(self, ledger: Ledger, request: Request, runs: Sequence[Run]) -> None:
        """Have runs executed elsewhere, and wait for that or for the end of this server."""
        if self._hand_over is None:
            return
        self._log("request.handed_over", request=request.id, runs=", ".join(r.id for r in runs))
        sizes = {run.id: sum((await ledger.counts(run.id)).values()) for run in runs}
        async with anyio.create_task_group() as waiting:

            async def until_drained() -> None:
                await self._drains.wait()
                waiting.cancel_scope.cancel()

            waiting.start_soon(until_drained)
            await self._hand_over(request, sizes)
            # A run that somebody has cancelled is the fleet's no more, and calls may be open yet.
            while any([await ledger.is_alive(run.id) for run in runs]):  # noqa: ASYNC110  # no event
                await anyio.sleep(FLEET_LOOK_S)
            waiting.cancel_scope.cancel()
