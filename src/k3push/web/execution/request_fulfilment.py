"""Does what one request asks for: its plan, its execution, and the telling of how it has ended.

When that is, and which requests go before, is for `web.execution.request_work`. Executing is
`wiring.executor`'s business, as for the command line: each request has an executor of its own,
whose stop is that of its runs. Where there is a fleet, the runs are given to it, and waited for.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from k3push.adapters.job_files import JobFileError
from k3push.adapters.plan_file import PlanFileError
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import ErpSettings, Settings
from k3push.core.model import Run, RunId
from k3push.core.pacing.window import Window
from k3push.core.remark import kind_and_words, read_remark, remark
from k3push.ports import Clock, Ledger, LedgerLostError, OtherSpellingError, RunIsAliveError
from k3push.runs.control import has_ended_for
from k3push.runs.execute import Only
from k3push.runs.find import is_unfinished
from k3push.runs.kept_in_ledger.askers import is_program, is_schedule
from k3push.runs.kept_in_ledger.request_stages import (
    OvertakenError,
    Request,
    RequestKind,
    Stage,
    find_request,
    move,
    push_of,
    tenant_of,
)
from k3push.runs.outcome import Ending
from k3push.runs.problem import Problem, innermost
from k3push.runs.push_requests.program_events import (
    FAILED,
    NEEDS_PERSON,
    PLANNED,
    announce,
    told_of,
    types_of,
)
from k3push.runs.push_requests.schedule_pushes import is_approved_ahead, schedule_of
from k3push.runs.shared_stop import SharedStop
from k3push.runs.stop import Cause, is_session_lost
from k3push.web.admission.access import Log
from k3push.web.execution.lanes import Lane
from k3push.web.execution.request_plan import LookAhead, plan_of
from k3push.web.execution.request_runs import runs_of
from k3push.web.execution.resume_and_retry import HinderedError
from k3push.web.execution.webhook_delivery import Messenger
from k3push.wiring.ending_messages import KnownTrouble
from k3push.wiring.erp import RefusedUsers
from k3push.wiring.executor import Executor, RunOptions
from k3push.wiring.job_lists import Reader
from k3push.wiring.line_observer import LineObserver
from k3push.wiring.selected_bills import SelectionError
from k3push.wiring.shared_login import KeptAccess
from k3push.words.language import Say

FLEET_LOOK_S = 1.0
"""Between looks whether a worker still executes what is no longer the fleet's."""

MOST_LOSSES = 5
"""So often is a request taken up again whose executions lost the ledger, in growing steps: that is
a quarter of an hour. A ledger that takes ends and nothing else is a person's to mend."""

# What a person, or a rule, has stopped stays so, though the server ends meanwhile.
_STAYS = frozenset({Cause.CONTROL, Cause.HALTED, Cause.CONTRADICTION, Cause.TWINS})

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
class Work:
    """What is being done about one request.

    Attributes:
        fate: What stops its runs.
        ahead: How its plan comes on.
        again: It has moved on meanwhile, and is to be looked at once more.
        losses: How many executions have lost the ledger, and written their ends all the same.
    """

    fate: SharedStop = field(default_factory=SharedStop)
    ahead: LookAhead = field(default_factory=LookAhead)
    again: bool = False
    losses: int = 0

    def goes_on(self, causes: Collection[Cause]) -> bool:
        """Say whether it is taken up again after executions that these have ended."""
        # A login that was refused is tried once (P 2.4).
        is_over = not {*_STAYS, Cause.LOGIN_REFUSED}.isdisjoint(causes)
        return Cause.LEDGER_LOST in causes and not is_over and self.losses < MOST_LOSSES

    def see_kept(self, causes: Mapping[Cause, str]) -> None:
        """Raise `LedgerLostError` where causes say that it is to be taken up again."""
        if self.goes_on(causes):
            self.losses += 1
            raise LedgerLostError(causes[Cause.LEDGER_LOST])

    def begin_anew(self) -> None:
        """Forget what has ended the last try: nothing that it was stopped by stops the next."""
        self.fate, self.ahead = SharedStop(), LookAhead()


class Fulfilment:
    """Plans and executes requests of one tenant, one after another or side by side."""

    def __init__(
        self,
        clock: Clock,
        say: Say,
        log: Log,
        *,
        reader: Reader,
        reads: anyio.CapacityLimiter,
        make: MakeExecutor,
        load: Callable[[Path], Settings],
        hand_over: HandOver | None,
        messenger: Messenger | None,
        drains: anyio.Event,
    ) -> None:
        """Make it ready; `serve` lets it begin.

        Args:
            reader: Reads the lists of strangers.
            reads: How many of them it reads at a time.
            hand_over: Where pushes are executed elsewhere.
            drains: Set when the server ends: what is under way is left to the next one.
        """
        self._clock = clock
        self._say = say
        self._log = log
        self._reader = reader
        self._reads = reads
        self._make = make
        self._load = load
        self._hand_over = hand_over
        self._messenger = messenger
        self._drains = drains
        self._users = RefusedUsers()
        # With which settings the ERP was met last, and with which it let nobody in.
        self._erp: ErpSettings | None = None
        self._shut: ErpSettings | None = None
        self._kept = KeptAccess(self._users)
        self._trouble = KnownTrouble()
        self._tasks: TaskGroup | None = None

    def serve(self, tasks: TaskGroup) -> None:
        """Keep the logins of programs in *tasks* from now on."""
        self._tasks = tasks

    async def close(self) -> None:
        """Log out, once nothing is being done."""
        await self._kept.close()

    def hands_over(self, request: Request) -> bool:
        """Say whether a request is executed elsewhere."""
        return self._hand_over is not None and request.kind not in _ONLY

    # -- planning -----------------------------------------------------------------------------

    async def plan(
        self, ledger: Ledger, request: Request, work: Work, settings: Settings, *, lists: Path
    ) -> None:
        """Look ahead at what is asked for, and write its plan down.

        Args:
            work: What is being done about it.
            settings: The tenant's, as they were read last.
            lists: The folder of lists that were uploaded, and of plans.

        Raises:
            LedgerLostError: The ledger was away meanwhile; it is to be planned later.
        """
        executor = await self._executor(request, work.fate, settings)
        plan = await plan_of(
            ledger,
            request,
            executor,
            work.ahead,
            lists=lists,
            reader=self._reader,
            reads=self._reads,
            clock=self._clock,
        )
        self._users.learn(executor.entrance, executor.settings.erp)
        if self._drains.is_set():
            return  # the next server plans it
        if isinstance(plan, str):
            found = dict(filter(None, map(read_remark, plan.splitlines())))
            causes = {c: str(found[key]["why"]) for c in Cause if (key := f"cause.{c}") in found}
            if Cause.LOGIN_REFUSED in causes:
                self._note_refusal(causes[Cause.LOGIN_REFUSED])
            work.see_kept(causes)
            await self._give_up(ledger, request, plan)
            return
        if not is_program(request.by):
            self._shut = None
        now = await find_request(ledger, request.id)
        if now is None or now.stage is not request.stage:
            return  # it was withdrawn, or another server has planned it
        made = replace(request, stage=Stage.PLANNED, runs=plan.runs, **plan.facts)
        await self._announce(ledger, made, [])
        await move(ledger, request, Stage.PLANNED, runs=plan.runs, **plan.facts)
        self._log("request.planned", request=request.id, runs=", ".join(plan.runs))
        work.again = is_approved_ahead(request)

    # -- executing ----------------------------------------------------------------------------

    async def execute(
        self, ledger: Ledger, request: Request, work: Work, settings: Settings, lane: Lane | None
    ) -> None:
        """Have the runs of a request executed to their ends.

        Args:
            work: What is being done about it.
            settings: The tenant's, as they were read last.
            lane: The one that it has taken; None where it needs none.

        Raises:
            LedgerLostError: The ledger was away meanwhile; it is to be gone on with later.
        """
        executor = await self._executor(request, work.fate, settings)
        is_news = executor.is_news
        executor.is_news = lambda e: not work.goes_on(e.causes) and is_news(e)
        only = _ONLY.get(request.kind)
        runs = await runs_of(ledger, request, executor.settings, self._clock)
        # A document that was refused a step leaves its run finished, and is looked at again.
        every = only is Only.FOLLOW
        left = [run for run in runs if every or await is_unfinished(ledger, run)]
        now = await find_request(ledger, request.id)
        if now is None or now.stage is not Stage.APPROVED:
            return  # another server has ended it while this one stood still
        for run in left:
            executor.see_whole(run)
            executor.route_now(run)  # before any of them sends
        if left and self.hands_over(request):
            await self._have_executed(ledger, request, left)
            if self._drains.is_set():
                return  # the next server waits for the fleet
        elif left:
            self._log("request.begins", request=request.id, runs=", ".join(r.id for r in left))
            if only is None:
                for run in left:
                    ended = has_ended_for(request, run)
                    await executor.keep_stopped(ledger, [run], though_ended=ended)
            async with executor.deadlines(), anyio.create_task_group() as others:
                if lane is not None:
                    others.start_soon(lane.watch, ledger, left, self._clock)
                chosen = request.chosen
                places = None if chosen is None else {run.id: chosen for run in left}
                endings = await executor.execute_each(ledger, left, only=only, chosen=places)
                others.cancel_scope.cancel()
            self._learn(request, executor, endings)
            await self._tell_of_settled(ledger, {r for e in endings for r in e.settled_elsewhere})
            stays = any(not _STAYS.isdisjoint(ending.causes) for ending in endings)
            if Cause.INTERRUPTED in work.fate.causes and not stays:
                return  # the next server goes on
            causes = {cause: why for ending in endings for cause, why in ending.causes.items()}
            # Its end could be written: nothing else tells that it is not over.
            work.see_kept(causes)
        await self._see_ended(ledger, request, left)
        await self._announce(ledger, request, runs)
        await move(ledger, request, Stage.ENDED, bills=(), places=None)
        self._log("request.ended", request=request.id)

    async def _see_ended(self, ledger: Ledger, request: Request, runs: Sequence[Run]) -> None:
        """Raise `LedgerLostError` where the ledger does not tell how runs have ended.

        A standby that has taken over may know of the request alone, or of half a list: what is
        ended then would be done by nobody. So it is done again.
        """
        for run in runs:
            now = await ledger.run(run.id)
            is_left = now is not None and (
                self.hands_over(request) or await ledger.is_alive(run.id)
            )
            if now is None or not now.whole or (now.exit is None and not is_left):
                raise LedgerLostError(remark("ledger.no_end", run=run.id))

    async def tell_again(self, ledger: Ledger, runs: Sequence[RunId], known: Settings) -> None:
        """Tell anew of runs whose rows a person has moved: in their results, and to programs.

        Where the settings have a fault, the next execution writes the results.
        """

        def made() -> Executor:
            settings = self._load(known.file)
            options = RunOptions(config=settings.file)
            return self._make(settings, options, self._observer(), self._say, SharedStop())

        with suppress(SettingsError, Problem, OSError):
            await (await to_thread.run_sync(made)).write_results_where_here(ledger, runs)
        await self._tell_of_settled(ledger, runs)

    async def _tell_of_settled(self, ledger: Ledger, runs: Collection[RunId]) -> None:
        """Tell whose pushes have ended otherwise than was told: others have settled their doubts.

        One that another tenant of the account was asked for has that tenant's receivers.
        """
        if self._messenger is None:
            return
        for name in runs:
            run, push = await ledger.run(name), await push_of(ledger, name)
            if run is None or run.exit is None or push is None or push.is_open:
                continue  # whoever executes it tells how that ends
            if tenant_of(push) == self._messenger.tenant:
                await self._announce(ledger, push, [run])

    def _learn(self, request: Request, executor: Executor, endings: Sequence[Ending]) -> None:
        """Note whom the ERP has let in, and whom not."""
        self._users.learn(executor.entrance, executor.settings.erp)
        refused = [ending for ending in endings if Cause.LOGIN_REFUSED in ending.causes]
        for ending in refused:
            self._note_refusal(ending.causes[Cause.LOGIN_REFUSED])
        # Where nothing is left to be sent or asked, nobody logs in.
        has_logged_in = not refused and any(ending.logins for ending in endings)
        if has_logged_in and not is_program(request.by):
            self._kept.try_again()
            self._shut = None

    async def see_let_in(self, known: Settings) -> None:
        """Raise `HinderedError` where no schedule may begin anything now."""
        if self._shut is None:
            return
        with suppress(SettingsError):  # of which its plan tells
            # As an execution reads them: somebody may have mended them.
            settings = await to_thread.run_sync(self._load, known.file)
            if settings.erp == self._shut:
                raise HinderedError(remark("desk.not_let_in"))

    def _note_refusal(self, words: str) -> None:
        """Let no schedule try a login that was refused; a session that was lost is none."""
        if not is_session_lost(words):
            self._shut = self._erp

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

    # -- the end ------------------------------------------------------------------------------

    def leave_alone(self, error: Exception) -> None:
        """Leave a request of another server for later where only this host lacks something.

        Raises:
            RunIsAliveError: It is to be done later.
        """
        cause = innermost(error)
        if isinstance(cause, (JobFileError, OSError, PlanFileError, SettingsError)):
            raise RunIsAliveError(str(cause)) from error

    async def fail(self, ledger: Ledger, request: Request, error: Exception) -> None:
        """End a request that has met an error, unless it is to be done later.

        Raises:
            LedgerLostError: It is to be done later.
            RunIsAliveError: Likewise.
        """
        cause = innermost(error)
        if isinstance(cause, SelectionError) and cause.cause is Cause.LOGIN_REFUSED:
            self._note_refusal(cause.words)
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
            self._log("request.failed", request=request.id, why=self._say.said(why))
        else:
            # A defect of ours ends this request, and no other.
            self._log(
                "request.failed", request=request.id, why="".join(traceback.format_exception(error))
            )
            why = remark("web.defect", what=kind_and_words(cause))
        # A person may withdraw it meanwhile, and another server go on with it.
        with suppress(OvertakenError):
            await self._give_up(ledger, request, why)

    async def _give_up(self, ledger: Ledger, tried: Request, why: str) -> None:
        """End a request that cannot be done, unless it has left its stage meanwhile.

        Raises:
            OvertakenError: It has left it a moment ago.
            RunIsAliveError: Another server executes it.
        """
        request = await find_request(ledger, tried.id)
        if request is None or request.stage is not tried.stage:
            return
        if any([await ledger.is_alive(run) for run in request.runs]):
            raise RunIsAliveError(", ".join(request.runs))
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
        names, tenant = self._messenger.names, self._messenger.tenant
        await announce(ledger, self._clock, names, types, data, of=of, tenant=tenant)
        self._messenger.ring()

    # -- parts --------------------------------------------------------------------------------

    async def _executor(self, request: Request, fate: SharedStop, known: Settings) -> Executor:
        def made() -> Executor:
            settings = self._load(known.file)
            was, now = known.erp.acct_id, settings.erp.acct_id
            if was != now:
                raise Problem(remark("desk.other_account", was=was, now=now))
            options = RunOptions(config=settings.file)
            schedule = settings.schedules.get(schedule_of(request))
            if schedule is not None and schedule.window:
                window, zone = Window.parse(schedule.window), ZoneInfo(schedule.time_zone)
                options = replace(options, window=window, zone=zone)
            return self._make(settings, options, self._observer(), self._say, fate)

        executor = await to_thread.run_sync(made)  # a secret may come from a command
        self._erp = erp = executor.settings.erp
        if is_schedule(request.by) and self._shut == erp:
            raise Problem(remark("desk.not_let_in"))
        executor.entrance = self._users.spare(executor.entrance, erp)
        if is_program(request.by):
            executor.is_news = self._trouble.is_news
        if is_program(request.by) and self._tasks is not None:
            executor.entrance = self._kept.of(executor.entrance, erp, self._tasks)
        return executor

    def _observer(self) -> LineObserver:
        return LineObserver(self._say, self._warn, lambda line: self._log("run", line=line))

    def _warn(self, sentence: str, /, **facts: object) -> None:
        self._log("warning", what=self._say(sentence, **facts))
