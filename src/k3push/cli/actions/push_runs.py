"""`run`, `resume`, `retry` and `settle`: everything that moves numbers."""

from __future__ import annotations

import math
import shlex
import sys
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
from rich.console import Console
from rich.markup import escape

from k3push.adapters.clock import SystemClock
from k3push.adapters.plan_file import sha256_of
from k3push.cli.console.logs import LogOptions
from k3push.cli.console.looking import Looking
from k3push.cli.console.person import person_here
from k3push.cli.console.preview_lines import preview_lines, shown_reading
from k3push.cli.console.screen import put_json
from k3push.cli.console.signals import ctrl_c_ends, on_interrupt
from k3push.cli.console.terminal import Terminal
from k3push.core.model import BillNumber, FolderFile, Route, Run, RunId, State
from k3push.core.remark import remark
from k3push.ports import Ledger, RunIsAliveError
from k3push.reporting.phrases import cause_words
from k3push.runs.control import left_to_another
from k3push.runs.create import SELECTED, JobSource, merged, scope_of
from k3push.runs.doubts.word_of_person import doubts_meant, settle_by_word
from k3push.runs.find import find_run, runs_beside
from k3push.runs.outcome import Ending, Exit
from k3push.runs.problem import Problem
from k3push.runs.select import Selecting
from k3push.runs.stop import Cause, Stop
from k3push.scripting import AsyncSession
from k3push.wiring.config_file import load_settings
from k3push.wiring.executor import Executor, RunOptions
from k3push.wiring.inbox import new_of_settings, opened
from k3push.wiring.job_lists import STDIN, JobOptions, routes_of
from k3push.wiring.measuring import measured
from k3push.wiring.open_ledger import ledger_if_there, ledger_of
from k3push.wiring.outputs import check_output, jobs_of
from k3push.wiring.overlap import Overlap, make_way
from k3push.wiring.preview import Preview
from k3push.wiring.selected_bills import Selector
from k3push.words.language import Say


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions(RunOptions):
    """What the options of a command say.

    Attributes:
        overlap: What to do while another run of the scope is under way.
        yes: Nobody is asked.
        json: One object for programs on standard output.
        quiet: No progress.
    """

    overlap: Overlap = "share"
    yes: bool = False
    json: bool = False
    quiet: bool = False
    log: LogOptions = field(default_factory=LogOptions)


class Runner:
    """The commands that move numbers: which runs, in which order, and what is asked before.

    How one of them is executed is for the `Executor`; what is printed, for the `Terminal`.
    """

    def __init__(self, options: CommandOptions, say: Say) -> None:
        """Read the settings.

        Raises:
            Problem: There are none.
            SettingsError: They cannot be used.
        """
        options = replace(options, by=person_here())
        self.options = options
        self.say = say
        self.terminal = Terminal(say, options.log, quiet=options.quiet, json=options.json)
        self.warn = self.terminal.warn
        self.settings = load_settings(options.config)
        self.executor = Executor(self.settings, options, self.terminal, say)
        self.fate = self.executor.fate
        self.clock = self.executor.clock
        self.keep(())
        try:
            options.log.check()
        except OSError as error:
            raise Problem(
                remark("error.bad_log_file", path=options.log.file, why=error.strerror)
            ) from error
        for key in self.settings.unsafe_secrets:
            self.warn("warning.plain_secret", key=key)
        if self.settings.erp.verify is False:
            self.warn("warning.unverified")

    def keep(self, jobs: Iterable[str]) -> None:
        """See that the log is written over nothing of ours, nor over a job.

        Raises:
            Problem: It would be.
        """
        if self.options.log.file is not None:
            check_output(
                self.options.log.file,
                settings=[self.settings],
                jobs=jobs,
                option="--log-file",
            )

    @asynccontextmanager
    async def fated(self) -> AsyncIterator[None]:
        """Let signals and deadlines stop all that this command executes."""
        with on_interrupt(self._interrupt):
            async with self.executor.deadlines():
                yield

    def _interrupt(self) -> None:
        if Cause.INTERRUPTED in self.fate.causes:
            self.fate.cut_short()
        else:
            self.warn("notice.stopping")
            self.fate.ask(Cause.INTERRUPTED, "Ctrl-C")

    async def make_way(self, ledger: Ledger, scopes: Collection[str]) -> None:
        """Return once a run of these scopes may begin.

        Raises:
            Problem: It gives way to another run, or a signal or `--until` has ended its waiting.
        """

        def end() -> None:
            # One that comes as the waiting is over stops what is begun then.
            self.fate.ask(Cause.INTERRUPTED, "Ctrl-C")
            waiting.cancel()

        until = self.options.until
        most_s = (until - SystemClock().now()).total_seconds() if until else math.inf
        with anyio.CancelScope() as waiting, on_interrupt(end):
            await make_way(ledger, scopes, self.options.overlap, self.warn, most_s=most_s)
        if waiting.cancelled_caught:
            raise Problem(remark("overlap.stopped"), Exit.STOPPED)

    @property
    def looking(self) -> AsyncSession:
        """A session that only looks ahead; no ledger is made for it."""
        return AsyncSession(self.settings, None, self.executor)

    @asynccontextmanager
    async def session(self, *, create: bool = False) -> AsyncIterator[tuple[AsyncSession, Ledger]]:
        """Open the ledger, for what programs can do as well: here it is watched and signalled."""
        async with ledger_of(self.settings, create=create) as ledger:
            yield AsyncSession(self.settings, ledger, self.executor), ledger

    # -- commands -----------------------------------------------------------------------------

    async def run(self, names: Sequence[str], how: JobOptions, *, cut: bool = False) -> Exit:
        """Push the numbers of job files, and of each new file of a folder in a run of its own.

        Args:
            names: Files and folders, "-", or `SELECTED`.
            how: How they are read.
            cut: They leave something out, so that not all is pushed.
        """
        self.keep(names)
        cut_off: dict[FolderFile, RunId] = {}
        new_of = partial(new_of_settings, settings=self.settings, cut_off=cut_off)
        async with opened(names, how, new_of, self.warn) as parts:
            for left, run in cut_off.items():
                self.warn("inbox.cut_off", file=Path(left.folder, left.name), run=run)
            cut = cut or bool(cut_off)
            lines = merged([part.asked for part in parts])
            if not lines:
                return self.report_all([], stopped=cut)
            routes = routes_of(self.settings, how, lines)
            self.see_used(how, lines)
            if self.asks(names):
                count = sum(asked.count for asked in lines.values())
                jobs = [job for part in parts for job in part.jobs]
                shown = await anyio.to_thread.run_sync(_digests, jobs)
                with self.interruptible() as stop:
                    async with self.reading(count) as reading:
                        preview = await self.looking.look_ahead(jobs, routes, reading, stop=stop)
                self.show(preview, self.terminal.errors)
                to_send = {name: totals.to_send for name, totals in preview.totals.items()}
                if preview.stop.asked or not self.agreed(preview.routes, to_send):
                    self.tell_causes(preview.stop)
                    self.warn("notice.not_run")
                    return preview.exit if preview.stop.asked else Exit.STOPPED
                await _see_unchanged(jobs, shown)
            endings: list[Ending] = []
            waiting = cut
            async with self.session(create=True) as (session, ledger):
                acct_id = self.settings.erp.acct_id
                scopes = {scope_of(acct_id, route) for route in routes.values()}
                await self.make_way(ledger, scopes)
                async with self.fated():
                    for part in parts:
                        file = part.batch.file
                        if not part.asked or (file and await ledger.taker_of(file)):
                            continue  # empty, or taken by a run that this one has waited for
                        if self.fate.over:
                            waiting = True
                            self.warn("inbox.waiting", file=part.batch.names[0])
                        else:
                            ended = await session.run_part(part, routes)
                            waiting = waiting or not ended  # its list was cut short
                            endings += ended
        return self.report_all(endings, stopped=waiting)

    def see_used(self, how: JobOptions, lines: Collection[str]) -> None:
        """Warn where `--route` says nothing, since each line names a route of its own.

        Raises:
            SettingsError: There is no such route.
        """
        if how.route and not {"", how.route}.intersection(lines):
            self.settings.route(how.route)
            self.warn("notice.route_unused", route=how.route, named=", ".join(sorted(lines)))

    async def run_selected(self, how: JobOptions) -> Exit:
        """Push what a route selects."""
        async with self.selected(how) as (names, listed, found):
            return await self.run(names, listed, cut=found.more)

    @asynccontextmanager
    async def selected(
        self, how: JobOptions
    ) -> AsyncIterator[tuple[Sequence[str], JobOptions, Selecting]]:
        """Select what a route's settings say; give it as the job that it is."""
        route = self.settings.route(how.route)
        selector = Selector(self.settings, self.executor.entrance, self.warn)
        today = self.clock.now().date()
        selection = self.settings.selection(route)
        async with AsyncExitStack() as listed:
            async with ledger_if_there(self.settings) as ledger:
                known = None if self.options.because else ledger
                selecting = selector.spooled(route, selection, today=today, ledger=known)
                path, found = await listed.enter_async_context(selecting)
            yield [SELECTED], replace(how, selected=path), found

    async def resume(self, name: str | None) -> Exit:
        """Go on where a run stopped, and with all that the same command began."""
        async with self.session() as (session, ledger):
            runs, half = await self._whole_of_command(ledger, name)
            runs = self._pushed_again(runs)
            async with self.fated():
                endings = await session.resume_runs(runs)
        return self.report_all(endings, stopped=half)

    async def retry(self, name: str | None, reason: str) -> Exit:
        """Push rejected numbers again: of a run, or of all that the last command began."""
        async with self.session() as (session, ledger):
            runs = self._pushed_again(await self._named_or_last(ledger, name))
            async with self.fated():
                endings = await session.retry_runs(runs, reason)
        return self.report_all(endings)

    async def settle(self, name: str | None) -> Exit:
        """Ask the ERP about unknown numbers of a run or of the last command, until none is left."""
        async with self.session() as (session, ledger):
            runs = await self._named_or_last(ledger, name)
            async with self.fated():
                endings = await session.settle_runs(runs)
        return self.report_all(endings)

    async def follow(self, name: str | None) -> Exit:
        """Submit and approve what was made, and look again at what waits or was refused."""
        async with self.session() as (session, ledger):
            runs = await self._named_or_last(ledger, name)
            async with self.fated():
                endings = await session.follow_runs(runs)
        return self.report_all(endings)

    async def settle_as(self, state: State, numbers: Sequence[str]) -> Exit:
        """Record a person's word about unknown numbers; the id of their run may stand before."""
        async with (
            ledger_of(self.settings) as ledger,
            measured(self.settings, ledger, self.warn),
        ):
            doubtful: list[tuple[RunId, BillNumber]] = []
            named = await ledger.run(RunId(numbers[0]))
            if named and not numbers[1:]:
                raise Problem(remark("error.as_needs"))
            typed = (BillNumber(each.strip()) for each in (numbers[1:] if named else numbers))
            for number in dict.fromkeys(typed):
                found = await doubts_meant(ledger, number, named.id if named else None)
                if not found:
                    raise Problem(remark("error.not_unknown", number=number))
                doubtful += found
            for run in dict.fromkeys(run for run, _ in doubtful):
                if await ledger.is_alive(run):  # before anything is written down
                    raise Problem(await left_to_another(ledger, run))
            for run, bill in dict.fromkeys(doubtful):  # the list and the ERP may spell it apart
                try:
                    await settle_by_word(
                        ledger,
                        self.clock,
                        run,
                        bill,
                        state,
                        because=self.options.because,
                        user=self.options.by,
                    )
                except RunIsAliveError as error:
                    raise Problem(await left_to_another(ledger, run)) from error
                word = self.say(f"state.{state}")
                self.warn("notice.settled_by_person", number=bill, state=word)
            meant = dict.fromkeys(run for run, _ in doubtful)
            stand = [await self.executor.tell_again(ledger, run) for run in meant]
            self._put_object([each for each in stand if each], Exit.DONE)
        return Exit.DONE

    # -- asking -------------------------------------------------------------------------------

    def asks(self, names: Sequence[str]) -> bool:
        """Whether a person sits there who can be asked before anything is sent."""
        return (
            not self.options.yes
            and STDIN not in names
            and sys.stdin.isatty()
            and sys.stderr.isatty()
        )

    def agreed(self, routes: Mapping[str, Route], to_send: Mapping[str, int]) -> bool:
        """Ask for each route that has numbers to send; anything but yes is no."""
        left = math.inf if self.options.limit is None else self.options.limit
        for name, route in routes.items():
            count = int(min(to_send[name], left))
            left -= count
            question = self.say(
                "notice.ask_run",
                count=count,
                route=name,
                source=route.source,
                target=route.target,
                url=self.settings.erp.url,
                acct=self.settings.erp.acct_id,
            )
            answer = self._answer(f"{question} [y/N] ") if count else "y"
            if answer.strip().lower() not in {"y", "yes", "是"}:
                return False
        return True

    def _answer(self, question: str) -> str:
        """Ask a person; who ends the question has not agreed."""
        try:
            with ctrl_c_ends():
                return self.terminal.errors.input(escape(question))
        except (KeyboardInterrupt, EOFError):
            self.terminal.errors.print()
            return ""

    def reading(self, count: int) -> AbstractAsyncContextManager[Looking]:
        """Show how far a look ahead at so many lines is."""
        return shown_reading(self.terminal.errors, self.say, count, quiet=self.options.quiet)

    @contextmanager
    def interruptible(self) -> Iterator[Stop]:
        """Let a signal end a look ahead at once."""
        stop = Stop()

        def end() -> None:
            stop.ask(Cause.INTERRUPTED, "Ctrl-C")
            stop.scope.cancel()

        with on_interrupt(end):
            yield stop

    def show(self, preview: Preview, console: Console) -> None:
        """Print what a run would do."""
        erp = self.settings.erp
        for line in preview_lines(preview, self.say, erp.url, erp.acct_id):
            console.print(line, highlight=False)

    def tell_causes(self, stop: Stop) -> None:
        """Say why a look ahead ended before its end."""
        for cause, why in stop.causes.items():
            self.terminal.errors.print(
                cause_words(cause, why, self.say), highlight=False, markup=False
            )

    # -- finding ------------------------------------------------------------------------------

    def _pushed_again(self, runs: Sequence[Run]) -> Sequence[Run]:
        """Let this execution of runs push what has documents, where the command says so.

        A later command that does not ask for it does not make second documents.
        """
        because = self.options.because
        return [replace(run, again_because=because) for run in runs] if because else runs

    async def _whole_of_command(
        self, ledger: Ledger, name: str | None
    ) -> tuple[Sequence[Run], bool]:
        """Return a run and all that its command began, the oldest first.

        One with half a list would lose the other half, so it is left out and told; the second
        value says whether there is one.

        Raises:
            Problem: None is whole, or not the one that was named.
        """
        run = await find_run(ledger, name)
        every = await runs_beside(ledger, run)
        for each in every:
            self.keep(jobs_of(each))
        whole = [each for each in every if each.whole]
        if name is not None or not whole:
            self.executor.see_whole(run)
        for each in every:
            if not each.whole:
                self.warn("error.half_listed", run=each.id, jobs=shlex.join(each.jobs))
        return whole, len(whole) < len(every)

    async def _named_or_last(self, ledger: Ledger, name: str | None) -> Sequence[Run]:
        """Return the run of that name alone or, without one, all that the last command began."""
        if name is None:
            return (await self._whole_of_command(ledger, name))[0]
        run = await find_run(ledger, name)
        self.keep(jobs_of(run))
        return [run]

    def report_all(self, endings: Sequence[Ending], *, stopped: bool = False) -> Exit:
        """Print the object of all runs together; *stopped*: something was not even begun."""
        codes = [ending.exit for ending in endings] + [Exit.STOPPED] * stopped
        worst = max(codes, key=_RANK.index, default=Exit.DONE)
        if endings and all(ending.exit is not worst for ending in endings):
            # Each run has told how it ended, and none of them has ended so.
            self.warn("notice.not_all_begun", code=int(worst))
        self._put_object(endings, worst)
        return worst

    def _put_object(self, endings: Sequence[Ending], code: Exit) -> None:
        """Print the object of these runs, if it is wanted, with the command's exit code."""
        if self.options.json:
            said = endings[0].as_json() if len(endings) == 1 else _joined(endings)
            put_json(said | {"exit": int(code)})


def _digests(jobs: Sequence[JobSource]) -> list[str]:
    """Return what tells the lists that are shown from others of their names; "" of one is gone."""

    def digest(path: Path) -> str:
        try:
            return sha256_of(path)
        except OSError:
            return ""

    return [digest(job.path) for job in jobs]


async def _see_unchanged(jobs: Sequence[JobSource], shown: Sequence[str]) -> None:
    """See that what a person has agreed to is what will be read.

    Raises:
        Problem: A list has changed while the question stood there.
    """
    now = await anyio.to_thread.run_sync(_digests, jobs)
    if changed := [
        job.name for job, one, other in zip(jobs, shown, now, strict=True) if one != other
    ]:
        raise Problem(remark("error.list_changed", jobs=", ".join(changed)))


# From the best to the worst: the order in which exit codes win.
_RANK = (Exit.DONE, Exit.SOME_REJECTED, Exit.STOPPED, Exit.SOME_UNKNOWN, Exit.UNREACHABLE)


def _joined(endings: Sequence[Ending]) -> dict[str, Any]:
    """Join the objects of several runs."""
    parts = [ending.as_json() for ending in endings]
    counts: Counter[str] = Counter()
    follow: Counter[str] = Counter()
    for part in parts:
        counts.update(part["counts"])
        follow.update(part["follow"])
    return {
        "run": ";".join(part["run"] for part in parts),
        "route": ";".join(dict.fromkeys(part["route"] for part in parts)),
        "exit": 0,
        "seconds": round(sum(part["seconds"] for part in parts), 2),
        "counts": dict(counts),
        **{key: sum(part[key] for part in parts) for key in ("pushes", "logins", "targets")},
        "follow": dict(follow),
    }
