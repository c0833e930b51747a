"""`plan` and `apply`: what a run would do, on paper, and then exactly that."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import orjson

from k3push.adapters.plan_file import (
    Plan,
    PlanFileError,
    lines_of,
    plan_written,
    read_plan,
    sha256_of,
)
from k3push.cli.jobs import STDIN, JobOptions, opened_jobs, routes_of
from k3push.cli.overlap import make_way
from k3push.cli.preview import Preview
from k3push.cli.problem import Problem
from k3push.cli.running import Runner
from k3push.cli.wiring import ledger_of
from k3push.core.model import Route, Run
from k3push.core.plan import Foreseen, PlanHead, PlannedJob, PlannedRun, differences
from k3push.planning import (
    JobSource,
    fill_planned_run,
    new_run_id,
    results_folder,
    scope_of,
    survey,
)
from k3push.ports import Ledger
from k3push.reporting.ending import Exit


class Planner(Runner):
    """A Runner that also knows plans."""

    async def plan(self, names: Sequence[str], how: JobOptions, output: Path | None) -> Exit:
        """Say what a run would do with job files, and write it down for `apply`."""
        began_s = anyio.current_time()
        path = output or plan_path(names[0])
        with opened_jobs(names, how, self.lang, self.warn) as jobs:
            lines = await survey(jobs)
            if not lines:
                self.warn("empty_job", job=", ".join(names))
                return self._report(Preview({}), path, "", began_s)
            routes = routes_of(self.settings, how, lines)
            count = sum(asked.count for asked in lines.values())
            try:
                head = await anyio.to_thread.run_sync(self._head, jobs, routes)
                with plan_written(path) as writer:
                    writer.begin(head)

                    async def take(page: list[Foreseen]) -> None:
                        await anyio.to_thread.run_sync(writer.add, page)

                    preview = await self.lookout().look(jobs, routes, count, take)
                    if not preview.stop.asked:
                        await self._see_unchanged(head, path)
                        writer.end()
            except OSError as error:
                what = self.say("plan.unwritable", path=path, why=error.strerror)
                raise Problem(what) from error
        return self._report(preview, path, writer.sha256, began_s)

    async def apply(self, path: Path) -> Exit:
        """Push what a plan would have pushed, if it was made for what is there now."""
        try:
            plan = await anyio.to_thread.run_sync(read_plan, path)
            changed = list(
                differences(
                    plan.head,
                    self.settings.erp.url,
                    self.settings.erp.acct_id,
                    self.settings.ledger_place,
                    {name: self.settings.route(name) for name in self.settings.routes},
                )
            )
            if changed:
                raise Problem(self.say("plan.changed", path=path, what="; ".join(changed)))
            await self._see_unchanged(plan.head, path)
            return await self._apply(plan, path)
        except PlanFileError as error:
            raise Problem(self.say(f"plan.{error.why}", path=path, why=error)) from error

    async def _apply(self, plan: Plan, path: Path) -> Exit:
        routes = {run.route.name: run.route for run in plan.head.runs}
        to_send = Counter(plan.to_send)
        if self.options.because:
            to_send.update(plan.already)
        async with ledger_of(self.settings, self.say, create=True) as ledger:
            listed = {run.id: await _lines_listed(ledger, run) for run in plan.head.runs}
            there = [await ledger.run(run.id) for run in plan.head.runs]
            if all(run is not None and run.whole for run in there):
                first = plan.head.runs[0].id
                raise Problem(self.say("plan.applied", path=path, run=first))
            if self.asks(()) and not self.agreed(routes, to_send):
                self.warn("not_run")
                return Exit.STOPPED
            scopes = {run.scope for run in plan.head.runs}
            await make_way(ledger, scopes, self.options.overlap, self.say, self.warn)
            runs = [
                await self._fill(ledger, plan, planned, path, listed[planned.id] or 0)
                for planned in plan.head.runs
            ]
            endings = [await self.execute(ledger, run) for run in runs]
        return self._report_all(endings)

    async def _fill(
        self, ledger: Ledger, plan: Plan, planned: PlannedRun, path: Path, lines_listed: int
    ) -> Run:
        """Write a planned run into the ledger, or what a death in the midst of that left out."""
        run = await ledger.run(planned.id)
        if run is None:
            run = Run(
                id=planned.id,
                scope=planned.scope,
                route=planned.route,
                jobs=tuple(job.name for job in plan.head.jobs),
                folder=str(results_folder(plan.head.jobs[0].path or STDIN, planned.id)),
                started_at=self.clock.now(),
                again_because=self.options.because,
            )
            await ledger.open_run(run)
        async with ledger.own(run.id):
            await fill_planned_run(
                ledger,
                run,
                lines_of(path, planned.route.name),
                lines_listed=lines_listed,
                at=self.clock.now(),
            )
            await ledger.close_list(run.id)
        return run

    def _head(self, jobs: Sequence[JobSource], routes: Mapping[str, Route]) -> PlanHead:
        now = self.clock.now()
        acct_id = self.settings.erp.acct_id
        by_name = {route.name: route for route in routes.values()}
        return PlanHead(
            created_at=now,
            url=self.settings.erp.url,
            acct_id=acct_id,
            ledger=self.settings.ledger_place,
            jobs=tuple(
                PlannedJob(
                    job.name,
                    "" if job.name == STDIN else str(job.path.resolve()),
                    sha256_of(job.path),
                )
                for job in jobs
            ),
            runs=tuple(
                PlannedRun(new_run_id(now), scope_of(acct_id, route), route)
                for route in by_name.values()
            ),
        )

    async def _see_unchanged(self, head: PlanHead, path: Path) -> None:
        """Raise if a job file is not what was planned."""
        changed = await anyio.to_thread.run_sync(list, _changed_jobs(head))
        if changed:
            raise Problem(self.say("plan.job_changed", path=path, what=", ".join(changed)))

    def _report(self, preview: Preview, path: Path, sha256: str, began_s: float) -> Exit:
        """Print what was foreseen, and what comes next."""
        said: dict[str, object] = {"plan": None, **preview.as_json()}
        if preview.stop.asked:
            self.tell_causes(preview.stop)
            self.warn("not_run")
        elif preview.routes:
            said |= {"plan": str(path), "sha256": sha256}
        if self.options.json:
            said["seconds"] = round(anyio.current_time() - began_s, 2)
            sys.stdout.write(orjson.dumps(said).decode() + "\n")
        elif said["plan"]:
            self.show(preview, self.output)
            sentence = "plan.next" if preview.to_send else "plan.nothing"
            self.output.print(self.say(sentence, path=path), highlight=False, markup=False)
        return preview.exit


def plan_path(first_job: str) -> Path:
    """Return where a plan goes: beside its first job file.

    >>> plan_path("lists/orders.csv").as_posix()
    'lists/orders.plan.jsonl'
    """
    job = Path(first_job if first_job != STDIN else "stdin")
    return job.with_name(f"{job.stem}.plan.jsonl")


def _changed_jobs(head: PlanHead) -> Iterator[str]:
    for job in head.jobs:
        if job.path:
            try:
                same = sha256_of(Path(job.path)) == job.sha256
            except OSError:
                same = False
            if not same:
                yield job.path


async def _lines_listed(ledger: Ledger, planned: PlannedRun) -> int | None:
    """Count the lines that a run has in the ledger, or None if it is not there."""
    if await ledger.run(planned.id) is None:
        return None
    return sum((await ledger.counts(planned.id)).values()) + len(await ledger.repeats(planned.id))
