"""One execution of a run: what it works with, how it is stopped, and what it tells at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from rich.console import Console
from rich.markup import escape

from k3push.adapters.erp_http import ErpHttp
from k3push.adapters.erp_joining import JoinedLooks
from k3push.adapters.erp_pool import ErpPool
from k3push.cli.logs import LogOptions, RunLog, Watches, open_log, warning_as_json
from k3push.cli.measuring import check_measuring, measured, traced
from k3push.cli.notifying import recipients, tell_people
from k3push.cli.overlap import Overlap
from k3push.cli.problem import Problem
from k3push.cli.progress import RunProgress
from k3push.cli.signals import on_interrupt
from k3push.cli.sites import Entrance, sites_of
from k3push.cli.telling import cause_lines, next_step, reason_lines, state_table
from k3push.cli.wiring import SystemClock, load_settings
from k3push.cli.words import Lang, Say
from k3push.controlling import obey
from k3push.core.clusters import Clusters
from k3push.core.commands import Key
from k3push.core.halting import HaltRule
from k3push.core.model import Route, Run, State
from k3push.core.pace import Pace
from k3push.core.window import Window
from k3push.job import Cause, DoubtAges, Job, PushPace, SettlePace, Stop, stopping
from k3push.planning import (
    scope_of,
)
from k3push.ports import Ledger, LedgerLostError
from k3push.pushing import push_run
from k3push.reporting.ending import Ending, ending_of
from k3push.reporting.results import clusters_of, write_results
from k3push.settings import Settings
from k3push.settling import settle_once
from k3push.steering import Steering

if TYPE_CHECKING:
    from k3push.reporting.traces import Trace

REPEATS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the commands' options say; None leaves it to the settings.

    Attributes:
        window: In its place, from a schedule.
        zone: Whose clock the window goes by; None is the computer's.
        closes_in_s: When the execution ends since its window does; None where it waits.
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
    overlap: Overlap = "share"
    yes: bool = False
    json: bool = False
    quiet: bool = False
    log: LogOptions = field(default_factory=LogOptions)


class Executor:
    """Executes runs as one command says; it has the settings, the words, and where to print."""

    def __init__(self, options: RunOptions, say: Say, lang: Lang) -> None:
        """Read the settings.

        Raises:
            Problem: There are none.
            settings.SettingsError: They cannot be used.
        """
        self.options = options
        self.say = say
        self.lang = lang
        self.errors = Console(stderr=True, soft_wrap=True)
        self.output = Console(soft_wrap=True)
        self.clock = SystemClock(options.zone)
        self._began_s: float | None = None
        self.settings: Settings = load_settings(options.config, say)
        # Before any ledger is made, so that a secret that is not there leaves nothing behind.
        self.entrance = Entrance(sites_of(self.settings))
        self.recipients = recipients(self.settings)
        check_measuring(self.settings)
        try:
            options.log.check()
        except OSError as error:
            raise Problem(say("bad_log_file", path=options.log.file, why=error.strerror)) from error
        for key in self.settings.plain_secrets:
            # The sandbox's own password is no secret.
            if self.settings.erp.acct_id != "sandbox":
                self.warn("plain_secret", key=key)
        if self.settings.erp.verify is False:
            self.warn("unverified")

    def warn(self, sentence: str, /, **facts: object) -> None:
        """Print a sentence to standard error, which may be a log."""
        text = self.say(sentence, **facts)
        line = warning_as_json(text) if self.options.log.json else text
        self.errors.print(line, highlight=False, markup=False)

    def _set_aside(self, log: RunLog | None, user: str, why: str) -> None:
        """Tell of a user who is set aside; a log of JSON has an event of its own."""
        if log is not None:
            log.set_aside(user, why)
        if log is None or not self.options.log.json:
            self.warn("identity_aside", user=user, why=why)

    # -- executing ----------------------------------------------------------------------------

    async def execute(self, ledger: Ledger, run: Run, *, only_settle: bool = False) -> Ending:
        """Execute a run once, write its results, and return how it ended."""
        run = replace(run, route=self._route_now(run))
        # Until the results are written, so that no third signal takes them away.
        with self.stoppable() as stop:
            async with (
                measured(self.settings, ledger, self.warn),
                ledger.own(run.id),
                traced(self.settings, run, self.warn) as trace,
            ):
                ending = await self._execute_owned(
                    ledger, run, stop, trace, only_settle=only_settle
                )
                reasons = await self._write_results(ledger, ending)
        if self.options.json:
            # The object has no room for words, and the folder may be on the disk that is full.
            self.tell_why(self.errors, ending)
        else:
            self._summarize(ending, reasons)
        await tell_people(self.settings, self.recipients, ending, self.say, self.warn)
        return ending

    async def _execute_owned(
        self,
        ledger: Ledger,
        run: Run,
        stop: Stop,
        trace: Trace | None,
        *,
        only_settle: bool,
    ) -> Ending:
        began_s = anyio.current_time()
        self._began_s = began_s if self._began_s is None else self._began_s
        steering = self._steering()
        counts = await ledger.counts(run.id)
        quiet = self.options.quiet or self.options.log.json
        with (
            open_log(self.options.log, self.errors) as log,
            RunProgress(self.errors, self.say, counts, steering, quiet=quiet) as progress,
        ):
            log.began(run, sum(counts.values()))
            erp = self.entrance.opened(
                lambda: steering[Key.CALLS_PER_MINUTE], partial(self._set_aside, log)
            )
            job = Job(
                run=run,
                erp=JoinedLooks(erp, lambda: steering[Key.CONCURRENCY]),
                ledger=ledger,
                clock=self.clock,
                watch=Watches(progress, log, *([trace] if trace else [])),
                stop=stop,
                pace=self.pace(),
                steering=steering,
                settle=SettlePace(
                    self.settings.settle.first_wait_s,
                    self.settings.settle.poll_s,
                    self.settings.settle.window_s,
                ),
                ages=DoubtAges(self.clock),
                auto=Pace(answer_timeout_s=self.settings.erp.answer_timeout_s),
            )
            async with erp:
                with stop.scope:
                    await self._work(job, erp, progress, only_settle=only_settle)
            ending = replace(
                await self.ending_now(ledger, run, stop),
                seconds=anyio.current_time() - began_s,
                logins=erp.logins,
                breach=job.breach,
                doubted=job.tally.unknown,
                pace=[replace(step, at_s=step.at_s - began_s) for step in job.auto.steps],
            )
            log.ended(ending)
            if trace is not None:
                trace.ended(ending)
        return ending

    async def _write_results(self, ledger: Ledger, ending: Ending) -> Clusters:
        """Write down that the execution has ended, and its results; return why rows failed."""
        run, now = ending.run, self.clock.now()
        try:
            await ledger.end_run(run.id, ending.exit, now)
            ending = replace(ending, run=replace(run, ended_at=now))
            return await write_results(ledger, ending, self.say, lang=self.lang, now=now)
        except (LedgerLostError, OSError) as error:
            # The rows are in the ledger; only what tells of them could not be written.
            self.warn("results_lost", folder=run.folder, why=error)
            return await clusters_of(ledger, run)

    async def ending_now(self, ledger: Ledger, run: Run, stop: Stop) -> Ending:
        """Say how a run stands, after an execution or without one."""
        unverified = self.settings.erp.verify is False
        return await ending_of(ledger, run, stop.causes, unverified=unverified)

    def _route_now(self, run: Run) -> Route:
        """Return the run's route as the settings have it now, so that mending it helps `resume`.

        Raises:
            Problem: The settings name another account or rule, where the run's numbers would
                be other bills.
        """
        if run.route.name not in self.settings.routes:
            known = ", ".join(self.settings.routes)
            raise Problem(self.say("route_gone", run=run.id, route=run.route.name, known=known))
        route = self.settings.route(run.route.name)
        scope = scope_of(self.settings.erp.acct_id, route)
        if scope != run.scope:
            raise Problem(self.say("other_scope", run=run.id, scope=run.scope, now=scope))
        return route

    async def _work(
        self, job: Job, erp: ErpHttp | ErpPool, progress: RunProgress, *, only_settle: bool
    ) -> None:
        async with anyio.create_task_group() as others:
            others.start_soon(progress.tell_now_and_then)
            others.start_soon(obey, job)
            for option, seconds in self._deadlines():
                others.start_soon(self._stop_after, job.stop, option, seconds)
            if only_settle:
                await self._settle_all(job)
            elif progress.total > progress.done:
                await self._push(job, erp)
            others.cancel_scope.cancel()

    async def _push(self, job: Job, erp: ErpHttp | ErpPool) -> None:
        with stopping(job.stop):
            # Before anything else, so that a wrong address or password is said at once.
            await erp.open_session()
            await push_run(job)

    async def _settle_all(self, job: Job) -> None:
        told = False
        with stopping(job.stop):
            while not job.stop.asked:
                settled = await settle_once(job, job.run.id)
                if not settled.left or not job.reads_back:
                    return
                if not told:
                    told = True
                    self.warn("settling", unknown=settled.left, window=job.settle.window_s)
                await job.stop.sleep(settled.next_due_s)

    @contextmanager
    def stoppable(self) -> Iterator[Stop]:
        """Let signals stop an execution."""
        stop = Stop()
        with on_interrupt(partial(self._interrupt, stop)):
            yield stop

    def _interrupt(self, stop: Stop) -> None:
        if Cause.INTERRUPTED in stop.causes:
            stop.scope.cancel()
        else:
            self.warn("stopping")
            stop.ask(Cause.INTERRUPTED, self.say("interrupted"))

    def _deadlines(self) -> list[tuple[str, float]]:
        deadlines = []
        if self.options.until is not None:
            left = self.options.until - self.clock.now()
            deadlines.append(("--until", left.total_seconds()))
        if self.options.max_duration is not None and self._began_s is not None:
            # Of the command as a whole, however many runs it comes to.
            ends_s = self._began_s + self.options.max_duration.total_seconds()
            deadlines.append(("--max-duration", ends_s - anyio.current_time()))
        if self.options.closes_in_s is not None:
            deadlines.append(("window", self.options.closes_in_s))
        return deadlines

    async def _stop_after(self, stop: Stop, option: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        stop.ask(Cause.DEADLINE, self.say("deadline", option=option))

    def pace(self) -> PushPace:
        """Return how fast to go: as the options say, else the settings."""
        options, run = self.options, self.settings.run
        return PushPace(
            max_attempts=run.max_attempts,
            canary=run.canary if options.canary is None else options.canary,
            halt=HaltRule.parse(run.halt if options.halt is None else options.halt),
            limit=options.limit,
        )

    def _steering(self) -> Steering:
        options, run = self.options, self.settings.run
        chunk_size = options.chunk_size or run.chunk_size
        concurrency = options.concurrency or run.concurrency
        return Steering(
            self.clock,
            chunk_size=None if chunk_size == "auto" else chunk_size,
            concurrency=None if concurrency == "auto" else concurrency,
            calls_per_minute=run.max_calls_per_minute,
            window=options.window or (Window.parse(run.window) if run.window else None),
        )

    # -- telling ------------------------------------------------------------------------------

    def _summarize(self, ending: Ending, reasons: Clusters) -> None:
        say, out = self.say, partial(self.output.print, highlight=False)
        run = ending.run
        out(escape(say("summary.run", run=run.id, route=run.route.name, seconds=ending.seconds)))
        out(state_table(ending.counts))
        out(
            "  "
            + say(
                "summary.calls",
                pushes=ending.pushes,
                logins=ending.logins,
                targets=ending.targets,
            )
        )
        if ending.pace:
            last = ending.pace[-1].setting
            words = say("summary.pace", calls=last.concurrency, numbers=last.chunk_size)
            out("  " + words)
        if ending.doubted:
            left = ending.counts.get(State.UNKNOWN, 0)
            out("  " + say("summary.doubted", doubted=ending.doubted, left=left))
        if ending.repeats:
            out("  " + say("summary.repeats", count=len(ending.repeats)))
        for repeat in ending.repeats[:REPEATS_SHOWN]:
            words = say("repeated", line=repeat.line, number=repeat.number, first=repeat.first_line)
            out("    " + escape(words))
        for line in reason_lines(reasons, say):
            out(escape(line))
        self.tell_why(self.output, ending)
        if ending.unverified:
            out("[yellow]" + escape(say("unverified")) + "[/]")
        out(escape(say("summary.folder", folder=run.folder)))
        what = next_step(ending.counts, ending.exit, say)
        out(say("summary.exit", code=int(ending.exit), what=what))

    def tell_why(self, console: Console, ending: Ending) -> None:
        """Say what stopped an execution, if anything did."""
        for line in cause_lines(ending.causes, self.say, ending.breach):
            console.print("[yellow]" + escape(line) + "[/]", highlight=False)
