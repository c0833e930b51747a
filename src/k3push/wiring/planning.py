"""Plans of the settings' jobs: written with what a run would do, and taken into the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import anyio.to_thread

from k3push.adapters.plan_file import Plan, lines_of, plan_written, see_same, sha256_of
from k3push.config.real_paths import real
from k3push.config.settings import Settings
from k3push.core.model import Route, Run
from k3push.core.plan import Foreseen, PlanHead, PlannedJob, PlannedRun, differences
from k3push.core.remark import remark
from k3push.ports import Clock, Ledger
from k3push.runs.create import JobSource, folder_of_results, new_run_id, scope_of, take_up_plan
from k3push.runs.problem import Problem
from k3push.runs.stop import Stop
from k3push.wiring.preview import Preview, Previewer, Reading


async def write_plan(
    previewer: Previewer,
    jobs: Sequence[JobSource],
    routes: Mapping[str, Route],
    path: Path,
    reading: Reading,
    *,
    at: datetime,
    stop: Stop,
) -> tuple[Preview, PlanHead, str]:
    """Look ahead for jobs, and write down what is seen.

    Returns:
        What was seen, what the plan is made for, and its digest; "" where the look was stopped,
        and then no plan is there.

    Raises:
        OSError: It cannot be written there.
        Problem: A job file has changed meanwhile.
    """
    head = await anyio.to_thread.run_sync(_head, previewer.settings, jobs, routes, at)
    with plan_written(path) as writer:
        writer.begin(head)

        async def take(page: list[Foreseen]) -> None:
            await anyio.to_thread.run_sync(writer.add, page)

        preview = await previewer.look(jobs, routes, reading, take, stop)
        if not preview.stop.asked:
            await see_jobs_unchanged(head, path)
            writer.end()
    return preview, head, writer.sha256


async def check_plan(settings: Settings, head: PlanHead, path: Path) -> None:
    """See that a plan was made for what is there now.

    Raises:
        Problem: The settings or a job file are not what they were.
    """
    changed = list(
        differences(
            head,
            settings.erp.url,
            settings.erp.acct_id,
            settings.ledger_place,
            {name: settings.route(name) for name in settings.routes},
        )
    )
    if changed:
        raise Problem(remark("plan.changed", path=path, what="; ".join(changed)))
    await see_jobs_unchanged(head, path)


async def see_jobs_unchanged(head: PlanHead, path: Path) -> None:
    """Raise `Problem` if a job file is not what was planned."""
    changed = await anyio.to_thread.run_sync(list, _changed_jobs(head))
    if changed:
        raise Problem(remark("plan.job_changed", path=path, what=", ".join(changed)))


async def take_up(
    ledger: Ledger,
    plan: Plan,
    path: Path,
    clock: Clock,
    *,
    because: str = "",
    seen_at: datetime | None = None,
) -> list[Run]:
    """Write the runs of a plan into the ledger; what is there already stays as it is.

    Args:
        plan: The plan, which was checked.
        because: Why numbers are pushed that have a target; "" if they are not.
        seen_at: When its bills were selected, where they were before it was made.

    Raises:
        RunIsAliveError: Another process does so, or executes one of them.
        PlanFileError: The file has been edited since it was read.
    """
    # Before any run of it is there: a person may have agreed to it a while ago.
    await anyio.to_thread.run_sync(see_same, path, plan.sha256)
    # Each at its own moment: by these a ledger keeps the order of the plan.
    return [
        await take_up_plan(
            ledger,
            _run_of(plan, planned, at := clock.now(), because),
            lines_of(path, planned.route.name, sha256=plan.sha256),
            at=at,
            seen_at=seen_at or plan.head.created_at,
            clock=clock,
        )
        for planned in plan.head.runs
    ]


def _head(
    settings: Settings, jobs: Sequence[JobSource], routes: Mapping[str, Route], at: datetime
) -> PlanHead:
    acct_id = settings.erp.acct_id
    by_name = {route.name: route for route in routes.values()}
    return PlanHead(
        created_at=at,
        url=settings.erp.url,
        acct_id=acct_id,
        ledger=settings.ledger_place,
        jobs=tuple(
            PlannedJob(
                job.name,
                str(real(job.original)) if job.original else "",
                sha256_of(job.path),
            )
            for job in jobs
        ),
        runs=tuple(
            PlannedRun(new_run_id(at), scope_of(acct_id, route), route)
            for route in by_name.values()
        ),
    )


def _run_of(plan: Plan, planned: PlannedRun, at: datetime, because: str) -> Run:
    """Return the run that a plan names, as it is before it is in the ledger."""
    first = plan.head.jobs[0]
    return Run(
        id=planned.id,
        scope=planned.scope,
        route=planned.route,
        jobs=tuple(job.name for job in plan.head.jobs),
        folder=str(folder_of_results(first.path or first.name, planned.id)),
        started_at=at,
        again_because=because,
        group=plan.head.runs[0].id,
    )


def _changed_jobs(head: PlanHead) -> Iterator[str]:
    for job in head.jobs:
        if job.path:
            try:
                same = sha256_of(Path(job.path)) == job.sha256
            except OSError:
                same = False
            if not same:
                yield job.path
