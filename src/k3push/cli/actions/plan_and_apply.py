"""`plan` and `apply`: what a run would do, on paper, and then exactly that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from k3push.adapters.job_files.folders import PLAN_ENDING
from k3push.adapters.plan_file import Plan, PlanFileError, read_plan
from k3push.cli.actions.push_runs import Runner
from k3push.cli.console.screen import put_json
from k3push.core.model import Run
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.runs.control import left_to_another
from k3push.runs.create import stands_beside, survey
from k3push.runs.find import is_unfinished, living_beside
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem, innermost
from k3push.wiring.job_lists import JobOptions, opened_jobs, routes_of, told_names
from k3push.wiring.planning import check_plan
from k3push.wiring.preview import Preview
from k3push.wiring.protected_files import check_output


class Planner:
    """`plan` and `apply`, with the settings and the words of a `Runner`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.options, self.settings = runner.options, runner.settings
        self.say, self.warn = runner.say, runner.warn
        self._terminal, self._agreement = runner.terminal, runner.agreement

    async def plan(self, names: Sequence[str], how: JobOptions, output: Path | None) -> Exit:
        """Say what a run would do with job files, and write it down for `apply`."""
        began_s = anyio.current_time()
        path = plan_path(names[0]) if output is None else output
        check_output(path, settings=[self.settings], jobs=names, may_be_plan=True, is_kept=True)
        with opened_jobs(names, how, self.warn) as jobs:
            lines = await survey(jobs)
            routes = routes_of(self.settings, how, lines)
            if not lines:
                self.warn("notice.empty_job", job=told_names(names))
                return self._report(Preview({}), path, "", began_s)
            self._runner.see_used(how, lines)
            count = sum(asked.count for asked in lines.values())
            try:
                with self._agreement.interruptible() as stop:
                    async with self._agreement.reading(count) as reading:
                        looking = self._runner.looking
                        preview, sha256 = await looking.write_plan(
                            jobs,
                            routes,
                            path,
                            reading,
                            stop=stop,
                            selected_at=how.selected_at,
                        )
            except OSError as error:
                why = error.strerror
                raise Problem(remark("plan.unwritable", path=path, why=why)) from error
        return self._report(preview, path, sha256, began_s)

    async def plan_selected(self, how: JobOptions, output: Path | None) -> Exit:
        """Say what a run would do with what a route selects, and write it down."""
        async with self._runner.selected(how) as (names, listed, found):
            planned = await self.plan(names, listed, output)
        is_whole = planned in {Exit.DONE, Exit.SOME_REJECTED}
        return Exit.STOPPED if found.more and is_whole else planned

    async def apply(self, path: Path) -> Exit:
        """Push what a plan would have pushed, if it was made for what is there now."""
        self._runner.keep([str(path)])
        try:
            plan = await anyio.to_thread.run_sync(read_plan, path)
            self._runner.keep(job.path for job in plan.head.jobs if job.path)
            await check_plan(self.settings, plan.head, path)
            return await self._apply(plan, path)
        except Exception as error:
            refused = innermost(error)
            if isinstance(refused, PlanFileError):
                why = remark(f"plan.refused.{refused.why}", path=path, why=refused)
                raise Problem(why) from error
            raise

    async def _apply(self, plan: Plan, path: Path) -> Exit:
        routes = {run.route.name: run.route for run in plan.head.runs}
        to_send = Counter(plan.to_send)
        if self.options.because:
            to_send.update(plan.already)
        async with self._runner.session(create=True) as (session, ledger):
            there = [await ledger.run(run.id) for run in plan.head.runs]
            if all(run is not None and run.whole for run in there):
                runs = [run for run in there if run is not None]
                raise Problem(await _why_not_again(ledger, runs, path))
            if self._agreement.asks(()) and not self._agreement.agreed(routes, to_send):
                self.warn("notice.not_run")
                return Exit.STOPPED
            scopes = {run.scope for run in plan.head.runs}
            await self._runner.make_way(ledger, scopes)
            async with self._runner.fated():
                endings = await session.run_planned(plan, path)
        return self._runner.report_all(endings)

    def _report(self, preview: Preview, path: Path, sha256: str, began_s: float) -> Exit:
        """Print what was foreseen, and what comes next."""
        said: dict[str, object] = {"plan": None, **preview.as_json()}
        if preview.stop.asked:
            self._agreement.tell_causes(preview.stop)
            self.warn("notice.not_run")
        elif preview.routes:
            said |= {"plan": str(path), "sha256": sha256}
        if self.options.json:
            said["seconds"] = round(anyio.current_time() - began_s, 2)
            put_json(said)
        elif said["plan"]:
            self._agreement.show(preview, self._terminal.output)
            text = self.say("plan.next" if preview.to_send else "plan.nothing", path=path)
            self._terminal.output.print(text, highlight=False, markup=False)
        return preview.exit


async def _why_not_again(ledger: Ledger, runs: Sequence[Run], path: Path) -> str:
    """Say of the runs of a plan, all of which are there, what there is to do about them."""
    if living := await living_beside(ledger, runs[0]):
        return await left_to_another(ledger, living.id)
    if any([await is_unfinished(ledger, run) for run in runs]):
        return remark("plan.applied", path=path, run=runs[0].id)
    return remark("plan.applied_whole", path=path, run=runs[0].id)


def plan_path(first_job: str) -> Path:
    """Return where a plan goes: beside its first job file.

    >>> plan_path("lists/orders.csv").as_posix()
    'lists/orders.plan.jsonl'
    >>> plan_path("--select").as_posix()
    'selected.plan.jsonl'
    """
    job = stands_beside(first_job)
    return job.parent / f"{job.stem or 'jobs'}{PLAN_ENDING}"
