"""Executes runs with what the settings name: ERP, ledger, metrics, results and messages.

Every front (the command line, a worker, the dashboard) has one `Executor` for a command, and an
`Observer` that tells people what happens. The executor itself writes to no console.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Protocol

import anyio

from k3push.adapters.clock import SystemClock
from k3push.adapters.erp.query_batching import BatchedQueries
from k3push.config.settings import Settings
from k3push.core.advice.clusters import Clusters
from k3push.core.control_words import Key
from k3push.core.model import Route, Run, RunId, State, Step
from k3push.core.pacing.halting import HaltRule
from k3push.core.pacing.window import Window
from k3push.core.remark import remark
from k3push.ports import Ledger, LedgerLostError, RunIsAliveError, Watch
from k3push.reporting.results_folder import clusters_of, read_causes, write_results
from k3push.runs.control import left_to_another, was_stopped
from k3push.runs.create import scope_of
from k3push.runs.execute import Execution, Only, execute
from k3push.runs.find import commands_again
from k3push.runs.kept_in_ledger.pace_steps import keep_steps, kept_steps
from k3push.runs.kept_in_ledger.request_stages import steps_asked_for
from k3push.runs.outcome import Ending, Exit, ending_of, followed_of, numbers_in_doubt
from k3push.runs.problem import Problem
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.push_limits import PushLimits
from k3push.runs.shared_stop import SharedStop
from k3push.runs.stop import Cause, Stop
from k3push.runs.throttle import Throttle
from k3push.runs.watches import Watches
from k3push.wiring.archive_old_runs import PATIENCE_S, archive_old
from k3push.wiring.ending_messages import recipients, tell_people
from k3push.wiring.erp import ErpAccess, endpoints_of
from k3push.wiring.measuring import check_measuring, measured, traced
from k3push.wiring.preview import Previewer
from k3push.wiring.protected_files import check_output, warn_of_lost_results
from k3push.words.language import Say


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a command's executions differ from the settings; None leaves it to them.

    Attributes:
        because: Why targets that are there do not stop a push; "" if they do.
        window: In place of the settings' own, from a schedule.
        zone: Whose clock the window goes by; None is the computer's.
        closes_in_s: In how many seconds its window ends the execution; None where none does.
        by: Who asks, for the ledger; "" where nobody is known by name.
    """

    config: Path | None = None
    chunk_size: int | None = None
    concurrency: int | None = None
    canary: bool | None = None
    halt: str | None = None
    until: datetime | None = None
    max_duration: timedelta | None = None
    limit: int | None = None
    because: str = ""
    window: Window | None = None
    zone: tzinfo | None = None
    closes_in_s: float | None = None
    by: str = ""


def left_to_do(counts: Mapping[State, int]) -> int:
    """Count the bills of a run that are planned, or may be once more: those in doubt."""
    return counts.get(State.PLANNED, 0) + numbers_in_doubt(counts)


def half_listed(run: Run) -> str:
    """Say that a death has cut the list of a run short.

    What a program has asked for is in no file that `k3push run` could read.
    """
    if not run.folder:
        return remark("error.half_asked", run=run.id)
    return remark("error.half_listed", run=run.id, commands=commands_again(run))


def again_planned(run: Run, counts: Mapping[State, int]) -> str:
    """Say that bills would be pushed once more that nobody has named."""
    return remark("error.again_planned", run=run.id, count=left_to_do(counts))


class Witness(Watch, Protocol):
    """Is told what happens in one execution."""

    def settling(self, unknown: int, window_s: float) -> None:
        """Numbers stay in doubt after a look, and are asked for until *window_s* have passed."""
        ...

    def set_aside(self, user: str, why: str) -> None:
        """The others go on without a user, whose login was refused."""
        ...

    def ended(self, ending: Ending) -> None:
        """The execution is over; its results are not yet written."""
        ...


class Observer(Protocol):
    """Is told what happens in all executions of one command."""

    def warn(self, sentence: str, /, **facts: object) -> None:
        """Something a person should know, as a sentence of `words` and its facts."""
        ...

    def watching(
        self, run: Run, counts: Mapping[State, int], throttle: Throttle, *, most: int | None
    ) -> AbstractAsyncContextManager[Witness]:
        """An execution begins, with rows by state as they are; the block is its length.

        Args:
            most: How many planned rows it takes up at most; None is any number.
        """
        ...

    def summarize(self, ending: Ending, reasons: Clusters) -> None:
        """An execution is over and its results are written; why rows failed."""
        ...


def see_told(settings: Settings) -> list[str]:
    """See that all can be told of executions who are to be; return where messages go.

    Raises:
        Problem: A file of metrics would take the place of one of ours.
        SettingsError: An address, a secret or a package is missing or wrong.
    """
    addresses = recipients(settings)
    check_measuring(settings)
    if settings.metrics.textfile:
        check_output(
            settings.textfile_path, settings=[settings], is_kept=True, option="metrics.textfile"
        )
    return addresses


class Executor:
    """Executes runs as one command says."""

    def __init__(
        self,
        settings: Settings,
        options: RunOptions,
        observer: Observer,
        say: Say,
        fate: SharedStop | None = None,
    ) -> None:
        """See that what the settings name can be had; nothing is opened yet.

        Raises:
            Problem: A file that is written would take the place of one of ours.
            SettingsError: A secret or a package is missing.
        """
        self.settings = settings
        self.options = options
        self.observer = observer
        self.say = say
        self.fate = fate or SharedStop(options.limit)
        self.clock = SystemClock(options.zone)
        # Before any ledger is made, so that a secret that is not there leaves nothing behind.
        self.entrance = ErpAccess(endpoints_of(settings))
        self.is_news: Callable[[Ending], bool] = lambda _: True
        self._recipients = see_told(settings)

    async def execute(
        self,
        ledger: Ledger,
        run: Run,
        *,
        only: Only | None = None,
        most: int | None = None,
        chosen: Collection[int] | None = None,
    ) -> Ending:
        """Execute a run once, write its results, and return how it ended.

        Args:
            ledger: Its ledger.
            run: The run.
            only: What is done, if not everything.
            most: How many bills may be planned or in doubt; None is any number.
            chosen: Places of the rows that may be pushed; None for all.

        Raises:
            Problem: The settings name another account or rule than the run has, or more is planned.
            RunIsAliveError: Another process executes it.
        """
        ending = await self._execute(ledger, run, only=only, most=most, chosen=chosen)
        return replace(ending, unarchived=await self._archive(ledger))

    async def _execute(
        self,
        ledger: Ledger,
        run: Run,
        *,
        only: Only | None,
        most: int | None,
        chosen: Collection[int] | None,
    ) -> Ending:
        route = self.route_now(run)
        steps = await steps_asked_for(ledger, run.id, route.follow)
        run = replace(run, route=replace(route, follow=steps))
        warn = self.observer.warn
        if Step.AUDIT in run.route.follow and not run.route.verify_flow:
            warn("warning.past_flows", route=run.route.name)
        looked_at = await followed_of(ledger, run) if run.is_settled else None
        with self.fate.execution() as stop:
            async with (
                measured(self.settings, ledger, warn),
                ledger.own(run.id),
                traced(self.settings, run, warn) as trace,
            ):
                counts = await ledger.counts(run.id)
                looked_at = None if left_to_do(counts) else looked_at
                if most is not None and left_to_do(counts) > most:
                    if run.exit is not None:
                        # It has begun nothing, and stands as before.
                        await ledger.end_run(run.id, run.exit, run.ended_at or self.clock.now())
                    raise Problem(again_planned(run, counts))
                throttle = self.throttle()
                taken = self.fate.limit if only is None else 0
                if chosen is not None:
                    taken = len(chosen) if taken is None else min(taken, len(chosen))
                watching = self.observer.watching(run, counts, throttle, most=taken)
                async with watching as witness:
                    watch = Watches(witness, *([trace] if trace else []))
                    what = self._execution(ledger, run, throttle, witness, only=only, chosen=chosen)
                    ending = await execute(what, watch, stop)
                    witness.ended(ending)
                    if trace is not None:
                        trace.ended(ending)
                reasons = await self._write_results(ledger, ending)
        with self.fate.between():
            await self.write_results_where_here(ledger, ending.settled_elsewhere)
        self.fate.took_up(ending.taken)
        self.observer.summarize(ending, reasons)
        if ending.exit == run.exit and ending.followed == looked_at and not ending.causes:
            return ending  # documents wait in flows as they did; people know
        if not run.folder and ending.exit is Exit.DONE:
            return ending  # a program has asked for it, and asks how it went
        if not self.is_news(ending):
            return ending  # people know
        with self.fate.between():
            await tell_people(self.settings, self._recipients, ending, self.say, warn)
        return ending

    async def execute_each(
        self,
        ledger: Ledger,
        runs: Sequence[Run],
        *,
        only: Only | None = None,
        most: Mapping[RunId, int] | None = None,
        chosen: Mapping[RunId, Collection[int]] | None = None,
    ) -> list[Ending]:
        """Execute runs one after another; once the command is stopped, the others are not begun.

        Args:
            ledger: Their ledger.
            runs: The runs.
            only: What is done, if not everything.
            most: How many bills each may have planned or in doubt; None is any number.
            chosen: Places of the rows of each that may be pushed; None for all.

        Raises:
            Problem: Another process executes the first one, or one has more to be pushed.
        """
        endings: list[Ending] = []
        for run in runs:
            try:
                if self.fate.over:
                    endings.append(await self._leave(ledger, run))
                else:
                    most_of = most[run.id] if most else None
                    places = chosen[run.id] if chosen else None
                    endings.append(
                        await self.execute(ledger, run, only=only, most=most_of, chosen=places)
                    )
            except RunIsAliveError as error:
                # Somebody has taken it up since the one before it ended.
                why = await left_to_another(ledger, run.id)
                if not endings:
                    raise Problem(why) from error
                self.observer.warn("warning.left_to_another", why=why)
                endings.append(await self.ending_now(ledger, run, Stop()))
        return endings

    async def go_on(
        self,
        ledger: Ledger,
        name: RunId,
        *,
        only: Only | None = None,
        chosen: Collection[int] | None = None,
    ) -> Ending:
        """Go on with one run of an open ledger, and no other; return how that ended.

        Nothing is sent where a person has stopped it, and its executor died of something else.

        Args:
            ledger: Its ledger.
            name: The run.
            only: What is done, if not everything.
            chosen: Places of the rows that may be pushed; None for all.

        Raises:
            Problem: There is no such run, or half of its list is missing.
        """
        run = await ledger.run(name)
        if run is None:
            raise Problem(remark("error.no_run", run=name))
        self.see_whole(run)
        if only is None:
            await self.keep_stopped(ledger, [run])
            if self.fate.over:
                return await self._leave(ledger, run)
        async with self.deadlines():
            return await self.execute(ledger, run, only=only, chosen=chosen)

    async def keep_stopped(
        self, ledger: Ledger, runs: Sequence[Run], *, though_ended: bool = False
    ) -> None:
        """Begin nothing where a person has stopped one of runs, which then died (`was_stopped`)."""
        for run in runs:
            if await was_stopped(ledger, run, though_ended=though_ended):
                self.fate.ask(Cause.CONTROL, f"k3push control {run.id} stop")

    def deadlines(self) -> AbstractAsyncContextManager[None]:
        """Let deadlines stop all that this command executes."""
        options = self.options
        return self.fate.deadlines(
            self.clock,
            until=options.until,
            max_duration=options.max_duration,
            closes_in_s=options.closes_in_s,
        )

    def see_whole(self, run: Run) -> None:
        """Raise `Problem` where a death has cut the list of a run short, or it is archived."""
        if not run.whole:
            raise Problem(half_listed(run))
        if run.archive is not None:
            raise Problem(
                remark("error.archived", run=run.id, file=self.settings.archive_path(run.archive))
            )

    def route_now(self, run: Run) -> Route:
        """Return the run's route as the settings have it now, so that mending it helps `resume`.

        Raises:
            Problem: The settings name another account or rule, where the run's numbers would
                be other bills.
        """
        if run.route.name not in self.settings.routes:
            known = ", ".join(self.settings.routes)
            raise Problem(remark("error.route_gone", run=run.id, route=run.route.name, known=known))
        route = self.settings.route(run.route.name)
        scope = scope_of(self.settings.erp.acct_id, route)
        if scope != run.scope:
            raise Problem(remark("error.other_scope", run=run.id, scope=run.scope, now=scope))
        return route

    async def ending_now(self, ledger: Ledger, run: Run, stop: Stop | SharedStop) -> Ending:
        """Say how a run stands, after an execution or without one."""
        unverified = self.settings.erp.verify is False
        steps = await steps_asked_for(ledger, run.id, self.settings.steps_of(run))
        return await ending_of(ledger, run, stop.causes, unverified=unverified, steps=steps)

    def limits(self) -> PushLimits:
        """Return what bounds an execution: as the options say, else the settings."""
        options, run = self.options, self.settings.run
        return PushLimits(
            max_attempts=run.max_attempts,
            canary=run.canary if options.canary is None else options.canary,
            halt=HaltRule.parse(run.halt if options.halt is None else options.halt),
            limit=self.fate.limit,
        )

    def throttle(self) -> Throttle:
        """Return how an execution is driven: as the options say, else the settings."""
        options, run = self.options, self.settings.run
        chunk_size = options.chunk_size or run.chunk_size
        concurrency = options.concurrency or run.concurrency
        return Throttle(
            self.clock,
            chunk_size=None if chunk_size == "auto" else chunk_size,
            concurrency=None if concurrency == "auto" else concurrency,
            calls_per_minute=run.max_calls_per_minute,
            window=options.window or (Window.parse(run.window) if run.window else None),
        )

    def previewer(self, ledger: Ledger | None = None) -> Previewer:
        """Return what looks ahead, with the same ERP and the same limits.

        Args:
            ledger: None where that of the settings is to be opened, if there is one.
        """

        def set_aside(user: str, why: str) -> None:
            self.observer.warn("warning.identity_aside", user=user, why=why)

        return Previewer(
            settings=self.settings,
            entrance=self.entrance,
            set_aside=set_aside,
            limits=self.limits(),
            throttle=self.throttle(),
            ledger=ledger,
            again=bool(self.options.because),
        )

    def _execution(
        self,
        ledger: Ledger,
        run: Run,
        throttle: Throttle,
        witness: Witness,
        *,
        only: Only | None,
        chosen: Collection[int] | None,
    ) -> Execution:
        settings = self.settings
        return Execution(
            run=run,
            ledger=ledger,
            erp=self.entrance.opened(lambda: throttle[Key.CALLS_PER_MINUTE], witness.set_aside),
            batched=BatchedQueries,
            clock=self.clock,
            limits=self.limits(),
            throttle=throttle,
            settle=SettleTimes(
                settings.settle.first_wait_s, settings.settle.poll_s, settings.settle.window_s
            ),
            answer_timeout_s=settings.erp.answer_timeout_s,
            only=only,
            chosen=chosen,
            unverified=settings.erp.verify is False,
            settling=witness.settling,
        )

    async def _leave(self, ledger: Ledger, run: Run) -> Ending:
        """Say how a run stands that is not begun, since the command was stopped before it.

        One that has no ending yet is given one: it was not killed. So is one that had come to its
        end, and of which bills are planned again.
        """
        ending = await self.ending_now(ledger, run, self.fate)
        if run.exit is None or (run.is_settled and left_to_do(ending.counts)):
            # A stop that a person has given stays: this process may die before all is done.
            owned = ledger.own(run.id, executes=False)
            async with measured(self.settings, ledger, self.observer.warn), owned:
                ending = await self.ending_now(ledger, run, self.fate)
                await self._write_results(ledger, ending)
        planned = ending.counts.get(State.PLANNED, 0)
        self.observer.warn("notice.not_begun", run=run.id, route=run.route.name, planned=planned)
        return ending

    async def _write_results(self, ledger: Ledger, ending: Ending) -> Clusters:
        """Write the results, and down that the execution has ended; return why rows failed.

        In this order: a run that is killed between the two has not ended, so that `resume` writes
        its results and tells of it.
        """
        run, now = ending.run, self.clock.now()
        reasons = await self._told(ledger, replace(ending, run=replace(run, ended_at=now)))
        try:
            await ledger.end_run(run.id, ending.exit, now)
            await keep_steps(ledger, run.id, ending.pace, at=now)
        except LedgerLostError as error:
            self.observer.warn("warning.ending_lost", run=run.id, why=error)
        return reasons

    async def write_results_again(self, ledger: Ledger, name: RunId) -> Ending | None:
        """Return how a run stands that nobody executes: a person has moved its rows since.

        If it has ended, its results are written anew.
        """
        run = await ledger.run(name)
        if run is None:
            return None
        causes = await anyio.to_thread.run_sync(read_causes, run, await ledger.counts(name))
        steps = await steps_asked_for(ledger, run.id, self.settings.steps_of(run))
        unverified = self.settings.erp.verify is False
        ending = await ending_of(ledger, run, causes, unverified=unverified, steps=steps)
        if run.exit is not None:
            await self._told(ledger, replace(ending, exit=Exit(run.exit)))
        return ending

    async def write_results_where_here(self, ledger: Ledger, names: Collection[RunId]) -> None:
        """Write the results anew of runs that others have settled, where they are on this machine.

        Nothing may be left to be done with such a run, so nobody else would.
        """
        with suppress(LedgerLostError):  # it is told of what was executed
            for name in names:
                run = await ledger.run(name)
                if run and run.folder and await anyio.Path(run.folder, "summary.json").is_file():
                    await self.write_results_again(ledger, name)

    async def _told(self, ledger: Ledger, ending: Ending) -> Clusters:
        """Write the results of a run, where it has a folder; return why rows failed."""
        run = ending.run
        try:
            if run.folder:
                pace = ending.pace or await kept_steps(ledger, run.id)
                told = replace(ending, pace=pace)
                return await write_results(ledger, told, self.say, now=self.clock.now())
        except LedgerLostError as error:
            self.observer.warn("warning.ending_lost", run=run.id, why=error)
        except OSError as error:
            # The rows are in the ledger; only what tells of them could not be written.
            warn_of_lost_results(self.observer.warn, run, error)
        return await clusters_of(ledger, run)

    async def _archive(self, ledger: Ledger) -> str | None:
        """Archive what the ledger has kept for long enough; one query, where nothing is due.

        Returns:
            Why that could not be done, or ""; None where it was not tried.
        """
        if self.fate.over:
            return None
        try:
            with self.fate.between():
                await archive_old(self.settings, ledger, self.clock.now(), seconds=PATIENCE_S)
        except LedgerLostError as error:
            why = str(error)
        except OSError as error:
            why = error.strerror or str(error)
        else:
            return ""
        self.observer.warn("warning.archive", folder=self.settings.archive_folder, why=why)
        return why
