"""What can be done with runs of one configuration, several at once.

`scripting.AsyncSession` puts these actions into the words of one run, for programs; the command
line uses them as they are. So whatever moves bills is written once, whoever asks for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import anyio

from k3push.adapters.plan_file import Plan
from k3push.config.settings import Settings
from k3push.core.model import FolderFile, Route, Run, RunId, State
from k3push.core.plan import Foreseen
from k3push.core.remark import remark
from k3push.ports import Ledger, RunIsAliveError
from k3push.runs.control import left_to_another
from k3push.runs.create import JobSource
from k3push.runs.execute import Only
from k3push.runs.find import ids_of, is_unfinished, left_behind, others_where
from k3push.runs.kept_in_ledger.request_stages import Act, note_act
from k3push.runs.outcome import Ending, anything_to_settle
from k3push.runs.problem import Problem
from k3push.runs.retry import plan_rejected, saying
from k3push.runs.stop import Stop
from k3push.wiring.executor import Executor, RunOptions, again_planned, left_to_do
from k3push.wiring.inbox import OpenBatch
from k3push.wiring.open_runs import open_listed
from k3push.wiring.planning import take_up, write_plan
from k3push.wiring.preview import Preview, Reading

# Whoever plans rejected numbers holds their run for less than this.
A_MOMENT_S = 5.0
BETWEEN_LOOKS_S = 0.1


class RunActions:
    """Looks ahead, pushes, resumes, retries, settles and follows."""

    def __init__(
        self, settings: Settings, ledger: Ledger | None, make: Callable[[RunOptions], Executor]
    ) -> None:
        """Use an open ledger.

        Args:
            ledger: Its ledger; None where nothing is done but looking ahead.
            make: Makes what executes one action, by how it differs from the settings.
        """
        self._settings = settings
        self._open_ledger = ledger
        self._make = make

    async def look_ahead(
        self,
        jobs: Sequence[JobSource],
        routes: Mapping[str, Route],
        reading: Reading,
        take: Callable[[list[Foreseen]], Awaitable[None]] | None = None,
        stop: Stop | None = None,
    ) -> Preview:
        """Say what a run of job files would do; see `wiring.preview.Previewer.look`."""
        previewer = self._make(RunOptions()).previewer(self._open_ledger)
        return await previewer.look(jobs, routes, reading, take, stop)

    async def write_plan(
        self,
        jobs: Sequence[JobSource],
        routes: Mapping[str, Route],
        path: Path,
        reading: Reading,
        *,
        stop: Stop,
        selected_at: datetime | None = None,
    ) -> tuple[Preview, str]:
        """Look ahead, and write down what is seen; return it with the digest that binds it.

        Raises:
            OSError: It cannot be written there.
        """
        executor = self._make(RunOptions())
        # What others push after the selection has been pushed since the plan was made.
        previewer, at = executor.previewer(self._open_ledger), selected_at or executor.clock.now()
        preview, _, sha256 = await write_plan(
            previewer, jobs, routes, path, reading, at=at, stop=stop
        )
        return preview, sha256

    async def run_part(
        self, part: OpenBatch, routes: Mapping[str, Route], selected_at: datetime | None = None
    ) -> list[Ending]:
        """Push job files that are read to their ends: a run for each route, one after another.

        Args:
            part: They.
            routes: By the name that lines give.
            selected_at: When their bills were selected; None where somebody has named them.

        Returns:
            The endings; none where the list was cut short: whoever resumes is told to run it again.
        """
        executor = self._make(RunOptions())
        with executor.fate.between() as listing:
            chosen = part.routes_among(routes)
            names, file = part.batch.names, part.batch.file
            runs = await self._open_each(
                executor, names, part.jobs, routes, chosen, file=file, selected_at=selected_at
            )
            await self._note(executor, runs, "began")
        if listing.cancelled_caught:
            return []
        return await executor.execute_each(self._ledger, runs)

    async def run_planned(self, plan: Plan, path: Path) -> list[Ending]:
        """Push what a plan says, which was checked."""
        executor = self._make(RunOptions())
        because = executor.options.because
        runs = await take_up(self._ledger, plan, path, executor.clock, because=because)
        await self._note(executor, runs, "applied", path.name)
        return await executor.execute_each(self._ledger, runs)

    async def resume_runs(self, runs: Sequence[Run]) -> list[Ending]:
        """Go on where runs stopped; those that are finished stay as they are."""
        executor = self._make(RunOptions())
        await self._see_whole(executor, runs)
        left = [run for run in runs if await is_unfinished(self._ledger, run)]
        for run in left:
            executor.route_now(run)  # before any of them sends
        if not left:
            executor.observer.warn("notice.nothing_left", count=len(runs), run=ids_of(runs))
            if others := await left_behind(self._ledger, {run.id for run in runs}):
                executor.observer.warn("notice.left_behind", run=others[0].id, runs=ids_of(others))
        elif len(runs) > 1:
            told = {"count": len(runs), "left": len(left), "runs": ids_of(left)}
            executor.observer.warn("notice.resume_all", **told)
        await self._note(executor, left, "resume", executor.options.because)
        return await self._among(executor, runs, left)

    async def retry_runs(self, runs: Sequence[Run], reason: str) -> list[Ending]:
        """Push rejected bills of runs again: all, or those whose reason holds a text."""
        executor, ledger = self._make(RunOptions()), self._ledger
        for run in runs:
            executor.route_now(run)  # before any number moves
        await self._see_whole(executor, runs)
        if executor.options.because:
            await self._see_nothing_planned(runs)
        chosen = {}
        for run in runs:
            # Nothing is executed yet, so how the last execution ended stays.
            async with _left_alone(ledger, run), ledger.own(run.id, executes=False):
                chosen[run.id] = await plan_rejected(ledger, executor.clock, run, saying(reason))
        planned = [run for run in runs if chosen[run.id]]
        if not planned:
            executor.observer.warn(
                "notice.nothing_rejected" if reason else "notice.none_rejected",
                count=len(runs),
                run=ids_of(runs),
            )
            if others := await self._what_is_left(executor, runs, _has_rejected):
                executor.observer.warn("notice.rejected_elsewhere", **others)
        why = ", ".join(filter(None, (reason, executor.options.because)))
        await self._note(executor, planned, "retry", why)
        await self._until_free(planned)
        # Another `retry` may plan bills meanwhile that nobody has named to be pushed again.
        counts = {run: len(places) for run, places in chosen.items()}
        most = counts if executor.options.because else None
        endings = await self._among(executor, runs, planned, most=most, chosen=chosen)
        # What was planned before is not what the command has named.
        left = [each.run for each in endings if each.counts.get(State.PLANNED) and not each.causes]
        if planned and left:
            executor.observer.warn("notice.planned_left", count=len(left), run=ids_of(left))
        return endings

    async def settle_runs(self, runs: Sequence[Run]) -> list[Ending]:
        """Ask the ERP about unknown bills of runs, until none is left; nothing is sent."""
        executor, ledger = self._make(RunOptions()), self._ledger
        await self._see_whole(executor, runs)
        doubtful = []
        for run in runs:
            async with _left_alone(ledger, run), ledger.own(run.id, executes=False):
                if await anything_to_settle(ledger, run.id):
                    doubtful.append(run)
        if not doubtful:
            executor.observer.warn("notice.nothing_unknown", count=len(runs), run=ids_of(runs))
            if others := await self._what_is_left(executor, runs, _has_unknown):
                executor.observer.warn("notice.unknown_elsewhere", **others)
        for run in doubtful:
            executor.route_now(run)  # before it is noted that the ERP was asked
        await self._note(executor, doubtful, "settle")
        return await self._among(executor, runs, doubtful, only=Only.SETTLE)

    async def follow_runs(self, runs: Sequence[Run]) -> list[Ending]:
        """Submit and approve what runs have made, and look again at what waits or was refused."""
        executor = self._make(RunOptions())
        await self._see_whole(executor, runs)
        asked = [run for run in runs if executor.route_now(run).follow]
        if not asked:
            raise Problem(remark("error.no_follow", run=ids_of(runs)))
        await self._note(executor, asked, "follow")
        return await self._among(executor, runs, asked, only=Only.FOLLOW)

    # -- parts --------------------------------------------------------------------------------

    @property
    def _ledger(self) -> Ledger:
        if self._open_ledger is None:
            raise RuntimeError("this session only looks ahead")
        return self._open_ledger

    async def _note(
        self, executor: Executor, runs: Sequence[Run], what: str, detail: str = ""
    ) -> None:
        """Write down who has what done with runs, where they are known by name."""
        if by := executor.options.by:
            now = executor.clock.now()
            for run in runs:
                await note_act(self._ledger, Act(now, run.id, by, what, detail))

    async def _what_is_left(
        self,
        executor: Executor,
        runs: Sequence[Run],
        has_some: Callable[[Ledger, Run], Awaitable[bool]],
    ) -> dict[str, str]:
        """Say what pushes what is planned of *runs*, and name other runs for which there is more.

        Args:
            has_some: What the command looks for, asked of the other runs.
        """
        counts = {run.id: await self._ledger.counts(run.id) for run in runs}
        if planned := [run for run in runs if counts[run.id].get(State.PLANNED)]:
            executor.observer.warn("notice.planned_left", count=len(planned), run=ids_of(planned))
        others = await others_where(has_some, self._ledger, {run.id for run in runs})
        return {"run": others[0].id, "runs": ids_of(others)} if others else {}

    async def _see_whole(self, executor: Executor, runs: Sequence[Run]) -> None:
        """See that runs can be executed.

        Raises:
            Problem: Half of the list of one is missing, or another process executes it, where
                the others wait for it.
        """
        for run in runs:
            executor.see_whole(run)
            if await self._ledger.is_alive(run.id):
                raise Problem(await left_to_another(self._ledger, run.id))

    async def _see_nothing_planned(self, runs: Sequence[Run]) -> None:
        """See that nothing is planned or in doubt yet, so that what is planned now alone is pushed.

        Raises:
            Problem: A run has bills that nobody has named, planned or in doubt.
        """
        for run in runs:
            counts = await self._ledger.counts(run.id)
            if left_to_do(counts):
                raise Problem(again_planned(run, counts))

    async def _until_free(self, runs: Sequence[Run]) -> None:
        """Wait for others that look at these runs for a moment, as a second `retry` does."""
        with anyio.move_on_after(A_MOMENT_S):
            for run in runs:
                while await self._ledger.is_alive(run.id):  # noqa: ASYNC110  # another process
                    await anyio.sleep(BETWEEN_LOOKS_S)

    async def _among(
        self,
        executor: Executor,
        runs: Sequence[Run],
        some: Sequence[Run],
        *,
        only: Only | None = None,
        most: Mapping[RunId, int] | None = None,
        chosen: Mapping[RunId, Collection[int]] | None = None,
    ) -> list[Ending]:
        """Execute some of *runs*; return how all stand, the others as they are."""
        ended = await executor.execute_each(self._ledger, some, only=only, most=most, chosen=chosen)
        by_id = {ending.run.id: ending for ending in ended}
        return [
            by_id.get(run.id) or await executor.ending_now(self._ledger, run, Stop())
            for run in runs
        ]

    async def _open_each(
        self,
        executor: Executor,
        names: Sequence[str],
        jobs: Sequence[JobSource],
        routes: Mapping[str, Route],
        chosen: Sequence[Route],
        *,
        file: FolderFile | None = None,
        selected_at: datetime | None = None,
    ) -> list[Run]:
        """Open a run of job files for each route that is chosen.

        A folder's *file* is taken once its numbers are in the ledger, those of all routes.
        """
        runs = []
        for route in chosen:
            taken = file if route is chosen[-1] else None
            run = await open_listed(
                executor,
                self._ledger,
                names,
                jobs,
                routes=routes,
                route=route,
                file=taken,
                selected_at=selected_at,
            )
            runs.append(run)
        return runs


async def _has_rejected(ledger: Ledger, run: Run) -> bool:
    return bool((await ledger.counts(run.id)).get(State.REJECTED))


async def _has_unknown(ledger: Ledger, run: Run) -> bool:
    return await anything_to_settle(ledger, run.id)


@asynccontextmanager
async def _left_alone(ledger: Ledger, run: Run) -> AsyncIterator[None]:
    """Say what there is to do where another process executes a run."""
    try:
        yield
    except RunIsAliveError as error:
        raise Problem(await left_to_another(ledger, run.id)) from error
