"""`run`, `resume`, `retry`, `settle` and `follow`: everything that moves numbers.

They are one thing by their order, which is the same for all: a ledger is opened, runs are found or
begun, signals and deadlines may stop them, they are executed, and one object and one exit code
tell how all of them have ended. `plan_and_apply` and `audit_dups` go by the same settings and
words, and borrow them.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio

from k3push.adapters.clock import SystemClock
from k3push.cli.console.agreement import Agreement, digests_of, see_unchanged
from k3push.cli.console.logs import LogOptions
from k3push.cli.console.person import person_here
from k3push.cli.console.screen import put_json
from k3push.cli.console.signals import ask_as_signal, cut_short_by_signal, on_interrupt
from k3push.cli.console.terminal import Terminal
from k3push.core.model import FolderFile, Run, RunId
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.runs.create import merged, scope_of
from k3push.runs.find import find_run, runs_beside
from k3push.runs.kept_in_ledger.request_stages import SELECTED
from k3push.runs.outcome import Ending, Exit, joined, worst_of
from k3push.runs.problem import Problem
from k3push.runs.select import Selecting
from k3push.runs.stop import Cause
from k3push.scripting import AsyncSession
from k3push.wiring.config_file import load_settings
from k3push.wiring.executor import Executor, RunOptions, half_listed
from k3push.wiring.inbox import new_of_settings, opened
from k3push.wiring.job_lists import JobOptions, routes_of
from k3push.wiring.open_ledger import ledger_if_there, ledger_of
from k3push.wiring.overlap import Overlap, make_way
from k3push.wiring.protected_files import check_output, jobs_of
from k3push.wiring.selected_bills import Selector
from k3push.words.language import Say


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions(RunOptions):
    """What the options of a command say.

    Attributes:
        overlap: What to do while another run of the scope is under way.
        yes: Nobody is asked.
        json: One object for programs on standard output.
    """

    overlap: Overlap = "share"
    yes: bool = False
    json: bool = False
    quiet: bool = False
    log: LogOptions = field(default_factory=LogOptions)


class Runner:
    """The commands that move numbers: which runs, in which order, and what is asked before.

    How one of them is executed is for the `Executor`; what is printed, for the `Terminal`; what is
    shown before, for the `Agreement`.
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
        self.agreement = Agreement(
            self.settings.erp, self.terminal, say, yes=options.yes, limit=options.limit
        )
        self.clock = self.executor.clock
        self.keep(())
        try:
            options.log.check()
        except OSError as error:
            raise Problem(
                remark("error.bad_log_file", path=options.log.file, why=error.strerror)
            ) from error
        for key in self.settings.unsafe_secrets:
            self.warn("warning.plain_secret", key=key, file=self.settings.file.name)
        if self.settings.erp.verify is False:
            self.warn("warning.unverified")

    def keep(self, jobs: Iterable[str]) -> None:
        """See that neither log nor metrics are written over something of ours, nor over a job.

        Raises:
            Problem: They would be.
        """
        names = tuple(jobs)
        settings = [self.settings]
        if self.options.log.file is not None:
            check_output(self.options.log.file, settings=settings, jobs=names, option="--log-file")
        if self.settings.metrics.textfile:
            path, option = self.settings.textfile_path, "metrics.textfile"
            check_output(path, settings=settings, jobs=names, is_kept=True, option=option)

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
            ask_as_signal(self.fate)

    async def make_way(self, ledger: Ledger, scopes: Collection[str]) -> None:
        """Return once a run of these scopes may begin.

        Raises:
            Problem: It gives way to another run, or a signal or `--until` has ended its waiting.
        """
        until = self.options.until
        most_s = (until - SystemClock().now()).total_seconds() if until else math.inf
        # A signal that comes as the waiting is over stops what is begun then.
        with anyio.CancelScope() as waiting, cut_short_by_signal(self.fate, waiting):
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
            routes = routes_of(self.settings, how, lines)
            if not lines:
                return self.report_all([], stopped=cut)
            self.see_used(how, lines)
            if self.agreement.asks(names):
                count = sum(asked.count for asked in lines.values())
                jobs = [job for part in parts for job in part.jobs]
                shown = await digests_of(jobs)
                with self.agreement.interruptible() as stop:
                    async with self.agreement.reading(count) as reading:
                        preview = await self.looking.look_ahead(jobs, routes, reading, stop=stop)
                self.agreement.show(preview, self.terminal.errors)
                to_send = {name: totals.to_send for name, totals in preview.totals.items()}
                if preview.stop.asked or not self.agreement.agreed(preview.routes, to_send):
                    self.agreement.tell_causes(preview.stop)
                    self.warn("notice.not_run")
                    return preview.exit if preview.stop.asked else Exit.STOPPED
                await see_unchanged(jobs, shown)
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
                            ended = await session.run_part(part, routes, how.selected_at)
                            waiting = waiting or not ended  # its list was cut short
                            endings += ended
        return self.report_all(endings, stopped=waiting)

    def see_used(self, how: JobOptions, lines: Collection[str]) -> None:
        """Warn where `--route` says nothing, since each line names a route of its own."""
        if how.route and not {"", how.route}.intersection(lines):
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
        at = self.clock.now()
        selection = self.settings.selection(route)
        async with AsyncExitStack() as listed:
            async with ledger_if_there(self.settings) as ledger:
                known = None if self.options.because else ledger
                selecting = selector.spooled(route, selection, today=at.date(), ledger=known)
                path, found = await listed.enter_async_context(selecting)
            yield [SELECTED], replace(how, selected=path, selected_at=at), found

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
        value says whether there is one. One that is archived has come to its end.

        Raises:
            Problem: None is whole, or not the one that was named.
        """
        run = await find_run(ledger, name)
        every = [each for each in await runs_beside(ledger, run) if each.archive is None]
        for each in every:
            self.keep(jobs_of(each))
        whole = [each for each in every if each.whole]
        if name is not None or not whole:
            self.executor.see_whole(run)
        for each in every:
            if not each.whole:
                self.warn("warning.left_to_another", why=half_listed(each))
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
        worst = worst_of([ending.exit for ending in endings] + [Exit.STOPPED] * stopped)
        if endings and all(ending.exit is not worst for ending in endings):
            # Each run has told how it ended, and none of them has ended so.
            self.warn("notice.not_all_begun", code=int(worst))
        self.put_object(endings, worst)
        return worst

    def put_object(self, endings: Sequence[Ending], code: Exit) -> None:
        """Print the object of these runs, if it is wanted, with the command's exit code."""
        if self.options.json:
            said = endings[0].as_json() if len(endings) == 1 else joined(endings)
            put_json(said | {"exit": int(code)})
