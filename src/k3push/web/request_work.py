"""Plans and executes what people and programs ask of one tenant, in the server's own process.

A request is in the ledger before anything is done about it (`runs.request_stages`), so a server
that starts takes up what the last one has left. Executing is `wiring.executor`'s business, as for
the command line: each request has an executor of its own, whose stop is that of its runs.
"""

from __future__ import annotations

import secrets
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from k3push.adapters.job_files import JobFileError
from k3push.adapters.job_files.untrusted_files import Strange
from k3push.adapters.plan_file import PlanFileError, read_plan, sha256_of
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.advice.diagnosis import shape_of
from k3push.core.model import Run, RunId
from k3push.core.pacing.window import Window
from k3push.core.plan import Totals
from k3push.core.remark import kind_and_words, remark
from k3push.ports import Clock, Ledger, LedgerLostError, OtherSpellingError, RunIsAliveError
from k3push.runs.create import Asked, survey, take_up_list
from k3push.runs.execute import Only
from k3push.runs.find import is_unfinished
from k3push.runs.problem import Problem, innermost
from k3push.runs.program_events import (
    FAILED,
    NEEDS_PERSON,
    PLANNED,
    announce,
    told_of,
    types_of,
)
from k3push.runs.program_requests import listed_in, note_accepted, run_of
from k3push.runs.program_tokens import is_program
from k3push.runs.request_stages import (
    Act,
    Kind,
    OvertakenError,
    Request,
    Stage,
    find_request,
    move,
    note_act,
    push_of,
    requests,
)
from k3push.runs.shared_stop import SharedStop
from k3push.runs.stop import Cause, Stop
from k3push.runs.wakeup import Wakeup
from k3push.web.access import Log
from k3push.web.places import Lane, Lanes
from k3push.web.request_origin import (
    file_of,
    is_approved_ahead,
    is_selected,
    reading_of,
    schedule_of,
)
from k3push.web.timetable import Timetable
from k3push.web.webhook_delivery import Messenger
from k3push.wiring.config_file import load_settings
from k3push.wiring.executor import Executor, RunOptions
from k3push.wiring.inbox import strange_of
from k3push.wiring.job_lists import JobOptions, opened_jobs, routes_of
from k3push.wiring.line_observer import LineObserver
from k3push.wiring.planning import check_plan, take_up, write_plan
from k3push.wiring.preview import Preview
from k3push.wiring.selected_bills import LIST, Selector
from k3push.wiring.shared_login import KeptAccess
from k3push.words.language import Say

WAIT_S = 30.0
"""Between tries where the ledger is away, or another process executes a run."""

MOST_AHEAD = 8
"""Requests of programs that wait for a lane and are no longer in the ledger alone."""

MOST_REASONS = 50
MOST_SKIPPED = 20


_ONLY = {Kind.SETTLE: Only.SETTLE, Kind.FOLLOW: Only.FOLLOW}

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
class Reading:
    """How far a look ahead is. Fulfils `wiring.preview.Reading`."""

    total: int = 0
    done: int = 0
    waits: str = ""

    def add(self, count: int) -> None:
        """So many lines more were seen."""
        self.done += count
        self.waits = ""

    def waiting(self, why: str, seconds: float) -> None:  # noqa: ARG002  # the page shows why
        """Some look is put off."""
        self.waits = why


@dataclass(slots=True)
class _Work:
    """What is being done about one request.

    Attributes:
        pick: Ends the selecting of bills.
        again: It has moved on meanwhile, and is to be looked at once more.
    """

    fate: SharedStop = field(default_factory=SharedStop)
    pick: Stop = field(default_factory=Stop)
    look: Stop = field(default_factory=Stop)
    reading: Reading = field(default_factory=Reading)
    again: bool = False

    def begin_anew(self) -> None:
        """Forget what has ended the last try: nothing that it was stopped by stops the next."""
        self.fate, self.pick, self.look = SharedStop(), Stop(), Stop()
        self.reading = Reading()

    def end_looking(self, cause: Cause, why: str) -> None:
        """Look no further."""
        for stop in (self.pick, self.look):
            stop.ask(cause, why)
            stop.scope.cancel()


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

    def take(self, settings: Settings) -> None:
        """Go by other settings of the same ledger and account from now on."""
        self.settings = settings
        self.timetable.take(settings)

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

    def reading(self, request: Request) -> Reading | None:
        """Say how far the look ahead of a request is; None where nobody looks."""
        work = self._works.get(request.id)
        return work.reading if work and request.stage is Stage.PLANNING else None

    def give_up(self, request: Request) -> None:
        """End the look ahead of a request that was withdrawn."""
        if work := self._works.get(request.id):
            work.end_looking(Cause.CONTROL, request.by)

    def drain(self) -> None:
        """Begin nothing any more; what is on its way is waited for. Again: end at once."""
        for work in self._works.values():
            work.end_looking(Cause.INTERRUPTED, "serve")
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

    async def read(self, jobs: Sequence[Path], how: JobOptions) -> dict[str, Asked]:
        """Read lists to their ends, and return how many lines ask for each route.

        Raises:
            JobFileError: Lines are to be mended first.
            SettingsError: A route is not known, or must be named.
            Problem: A line names a route that there is not.
        """
        with opened_jobs([str(job) for job in jobs], how, lambda *_, **__: None) as opened:
            lines = await survey(opened)
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
        elif request.stage is Stage.APPROVED:
            await self._execute(ledger, request, work, lane)

    async def _give_up(self, ledger: Ledger, tried: Request, why: str) -> None:
        """End a request that cannot be done, unless it has left its stage meanwhile.

        Raises:
            OvertakenError: It has left it a moment ago.
        """
        request = await find_request(ledger, tried.id)
        if request is None or request.stage is not tried.stage:
            return
        mine = request.runs if request.kind is Kind.PUSH else ()
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
        push = request if request.kind is Kind.PUSH else None
        if push is None and request.runs:
            push = await push_of(ledger, request.runs[0])
        if push is None or not push.key:
            return
        run = await ledger.run(runs[0].id) if runs else None
        if why:
            types: Sequence[str] = (FAILED, NEEDS_PERSON)
        else:
            types = types_of(run) if run else (PLANNED, NEEDS_PERSON)
        data = await told_of(ledger, push, run, self._say.said(why))
        # What is begun once more after it failed is another thing to tell of.
        of = f"{request.id} {request.version}"
        await announce(ledger, self._clock, self._messenger.names, types, data, of=of)
        self._messenger.ring()

    async def _executor(self, fate: SharedStop, request: Request) -> Executor:
        def made() -> Executor:
            settings = self._load(self.settings.file)
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
        previewer = executor.previewer(ledger)
        how = reading_of(request)
        path = Path(request.jobs[0])
        notes: list[str] = []
        if is_selected(request):
            # Another server may select as well, a moment later, and find other bills.
            path = path.with_name(f"{Path(LIST).stem}-{secrets.token_hex(4)}{path.suffix}")
            notes = await self._select(ledger, executor, path, how, work)
            if self.draining:
                return  # the next server plans it
        lists = [str(path), *request.jobs[1:]]
        # Another server may plan it as well: of both plans, one is kept, and is not written over.
        folder = self.lists / request.id / secrets.token_hex(4)
        await anyio.Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        skipped: list[str] = []

        def warn(_: str, /, **facts: object) -> None:
            skipped.append(str(facts["what"]))

        strange: Mapping[str, Strange] = {}
        if schedule_of(request) and not is_selected(request):
            file = file_of(request)
            strange = strange_of(
                lists, self.settings.folder, file.digest if file is not None else ""
            )
        with opened_jobs(lists, how, warn, strange) as jobs:
            lines = await survey(jobs)
            if not lines:
                raise Problem(remark("notice.empty_job", job=", ".join(lists)))
            routes = routes_of(executor.settings, how, lines)
            work.reading.total = sum(asked.count for asked in lines.values())
            path = folder / path.with_suffix(".plan.jsonl").name
            preview, head, sha256 = await write_plan(
                previewer, jobs, routes, path, work.reading, at=self._clock.now(), stop=work.look
            )
        if self.draining:
            return  # the next server plans it
        if not sha256:
            why = "\n".join(remark(f"cause.{c}", why=w) for c, w in preview.stop.causes.items())
            await self._give_up(ledger, request, why)
            return
        seen = seen_of(preview) | {
            "lines": work.reading.total,
            "skipped": skipped[:MOST_SKIPPED],
            "skipped_more": max(0, len(skipped) - MOST_SKIPPED),
            "notes": notes,
        }
        digest = await to_thread.run_sync(sha256_of, path)
        runs = [run.id for run in head.runs]
        await self._announce(ledger, request, [])
        made = {"jobs": lists, "plan": str(path), "sha256": digest, "seen": seen}
        await move(ledger, request, Stage.PLANNED, runs=runs, **made)
        self._log("request.planned", request=request.id, runs=", ".join(runs))
        work.again = is_approved_ahead(request)

    async def _select(
        self, ledger: Ledger, executor: Executor, path: Path, how: JobOptions, work: _Work
    ) -> list[str]:
        """Write the list of what a route selects; return what a person has to know, as remarks.

        Raises:
            Problem: The ERP could not be read to the end, or there is no such bill.
        """
        settings, notes = executor.settings, list[str]()
        selector = Selector(
            settings,
            executor.entrance,
            lambda sentence, /, **facts: notes.append(remark(sentence, **facts)),
        )
        route = settings.route(how.route)
        await anyio.Path(path.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            found = await selector.write(
                path,
                route,
                settings.selection(route),
                today=self._clock.now().date(),
                ledger=ledger,
                stop=work.pick,
            )
        except Problem:
            if not self.draining:
                raise
            return []
        if not found.count:
            raise Problem(remark("desk.none_selected", route=route.name))
        return notes

    # -- executing ----------------------------------------------------------------------------

    async def _execute(
        self, ledger: Ledger, request: Request, work: _Work, lane: Lane | None
    ) -> None:
        executor = await self._executor(work.fate, request)
        only = _ONLY.get(request.kind)
        runs = await self._runs(ledger, request, executor.settings)
        # A document that was refused a step leaves its run finished, and is looked at again.
        every = only is Only.FOLLOW
        left = [run for run in runs if every or await is_unfinished(ledger, run)]
        for run in left:
            executor.see_whole(run)
            executor.route_now(run)  # before any of them sends
        if left and self._hands_over(request):
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
        return is_program(request.by) and not self._hands_over(request)

    def _hands_over(self, request: Request) -> bool:
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
            waiting.cancel_scope.cancel()

    async def _runs(self, ledger: Ledger, request: Request, settings: Settings) -> list[Run]:
        """Return the runs of a request, those of a plan written down if they are not yet."""
        there = [await ledger.run(run) for run in request.runs]
        found = [run for run in there if run is not None]
        if len(found) == len(there) and all(run.whole for run in found):
            await self._note_taken(ledger, request)
            return found
        if request.kind is not Kind.PUSH:
            raise Problem(remark("error.no_run", run=", ".join(request.runs)))
        if not request.plan:
            await note_accepted(ledger, request)
            wanted = run_of(request, settings.erp.acct_id, settings.route(request.route))
            return [await take_up_list(ledger, wanted, listed_in(request))]
        path = Path(request.plan)
        if await to_thread.run_sync(sha256_of, path) != request.sha256:
            raise Problem(remark("plan.refused.edited", path=path))
        plan = await to_thread.run_sync(read_plan, path)
        await check_plan(settings, plan.head, path)
        runs = await take_up(ledger, plan, path, self._clock)
        await self._note_taken(ledger, request)
        approved_at = datetime.fromisoformat(request.approved_at)
        for run in runs:
            acts = (
                Act(request.at, run.id, request.by, "planned", request.id),
                Act(approved_at, run.id, request.approved_by, "approved", request.id),
            )
            for nth, act in enumerate(acts):
                await note_act(ledger, act, f"{run.id} {nth}")
        return runs

    async def _note_taken(self, ledger: Ledger, request: Request) -> None:
        """Write down that runs have the numbers of a folder's file, which is pushed once."""
        if (file := file_of(request)) is not None:
            await ledger.take(file, request.runs[0])


def seen_of(preview: Preview) -> dict[str, Any]:
    """Return what a plan comes to, for people, by route."""
    return {
        "routes": [
            {
                "name": name,
                "source": route.source,
                "target": route.target,
                "blind": name in preview.one_by_one,
                "fates": {fate.value: count for fate, count in preview.totals[name].fates.items()},
                "repeats": preview.totals[name].repeats,
                "to_send": preview.totals[name].to_send,
                "chunks": preview.chunks(name),
                "seconds": preview.seconds(name),
                "reasons": [
                    {"reason": reason, "count": count}
                    for reason, count in _shapes(preview.totals[name]).most_common(MOST_REASONS)
                ],
            }
            for name, route in preview.routes.items()
        ]
    }


def _shapes(totals: Totals) -> Counter[str]:
    """Count reasons without what differs from bill to bill."""
    shapes: Counter[str] = Counter()
    for reason, count in totals.reasons.items():
        shapes[shape_of(reason)] += count
    return shapes
