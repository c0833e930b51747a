"""The plan of a request: its lists, or what its route selects, looked ahead at and written down.

Another server may plan the same request at the same time: each writes files of its own, and the
ledger keeps the plan of one.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from k3push.adapters.job_files.folders import PLAN_ENDING
from k3push.adapters.job_files.untrusted_files import UntrustedFile
from k3push.adapters.plan_file import PlanFileError, lines_of, sha256_of
from k3push.config.settings import Settings
from k3push.core.advice.diagnosis import shape_of
from k3push.core.cron import zone_of
from k3push.core.model import RunId
from k3push.core.plan import Forecast, Foreseen, Totals
from k3push.core.remark import remark
from k3push.ports import Clock, Ledger
from k3push.runs.create import survey
from k3push.runs.kept_in_ledger.request_stages import Request
from k3push.runs.problem import Problem
from k3push.runs.push_requests.schedule_pushes import schedule_of
from k3push.runs.stop import Cause, Stop
from k3push.web.execution.request_origin import called, file_of, is_selected, reading_of
from k3push.wiring.executor import Executor
from k3push.wiring.inbox import strange_of
from k3push.wiring.job_lists import JobOptions, Reader, opened_jobs, routes_of
from k3push.wiring.planning import write_plan
from k3push.wiring.preview import Preview
from k3push.wiring.selected_bills import LIST, Selector

MOST_REASONS = 50
MOST_SKIPPED = 20


@dataclass(slots=True)
class ReadingSoFar:
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
class LookAhead:
    """How a look ahead comes on, and what ends it.

    Attributes:
        pick: Ends the selecting of bills.
        look: Ends the look at them.
    """

    pick: Stop = field(default_factory=Stop)
    look: Stop = field(default_factory=Stop)
    reading: ReadingSoFar = field(default_factory=ReadingSoFar)

    @property
    def is_over(self) -> bool:
        """Whether the server ends, so that the next one plans it."""
        return Cause.INTERRUPTED in self.look.causes

    def end(self, cause: Cause, why: str) -> None:
        """Look no further."""
        for stop in (self.pick, self.look):
            stop.ask(cause, why)
            stop.scope.cancel()


@dataclass(frozen=True, slots=True)
class WrittenPlan:
    """A plan that is written down.

    Attributes:
        runs: Those that it is for.
        facts: What the request keeps of it.
    """

    runs: Sequence[RunId]
    facts: Mapping[str, Any]


async def plan_of(
    ledger: Ledger,
    request: Request,
    executor: Executor,
    ahead: LookAhead,
    *,
    lists: Path,
    reader: Reader,
    reads: anyio.CapacityLimiter,
    clock: Clock,
) -> WrittenPlan | str:
    """Look ahead at what a request asks for, and write its plan down.

    Args:
        ahead: How it comes on.
        lists: The folder of lists that were uploaded, and of plans.
        reader: Reads the lists of strangers.
        reads: How many of them it reads at a time.

    Returns:
        The plan, or why there is none, as a remark; "" where the server ends.

    Raises:
        JobFileError: A list is to be mended first.
        Problem: No bill is named or selected, or the ERP could not be read to the end.
    """
    previewer = executor.previewer(ledger)
    how = replace(reading_of(request), reader=reader)
    path = Path(request.jobs[0])
    notes: list[str] = []
    if is_selected(request):
        # Another server may select as well, a moment later, and find other bills.
        path = path.with_name(f"{Path(LIST).stem}-{secrets.token_hex(4)}{path.suffix}")
        today = _today(executor.settings, request, clock)
        notes = await _select(ledger, executor, path, how, ahead, today=today)
        if ahead.is_over:
            return ""
    jobs = [str(path), *request.jobs[1:]]
    # Another server may plan it as well: of both plans, one is kept, and is not written over.
    own = path.parent if path.is_relative_to(lists) else lists / request.id
    folder = own / secrets.token_hex(4)
    await anyio.Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    skipped: list[str] = []

    def warn(_: str, /, **facts: object) -> None:
        skipped.append(str(facts["what"]))

    strange: Mapping[str, UntrustedFile] = {}
    if not is_selected(request):
        file = file_of(request)
        home = executor.settings.folder if schedule_of(request) else lists
        strange = strange_of(jobs, home, file.digest if file is not None else "")
    with opened_jobs(jobs, how, warn, strange) as files:
        opened = [replace(job, name=called(request) or job.name) for job in files]
        lines = await survey(opened, reads)
        if not lines:
            raise Problem(remark("notice.empty_job", job=", ".join(jobs)))
        routes = routes_of(executor.settings, how, lines)
        ahead.reading.total = sum(asked.count for asked in lines.values())
        path = folder / path.with_suffix(PLAN_ENDING).name
        preview, head, sha256 = await write_plan(
            previewer, opened, routes, path, ahead.reading, at=clock.now(), stop=ahead.look
        )
    if not sha256:
        causes = preview.stop.causes.items()
        return "" if ahead.is_over else "\n".join(remark(f"cause.{c}", why=w) for c, w in causes)
    seen = seen_of(preview) | {
        "lines": ahead.reading.total,
        "skipped": skipped[:MOST_SKIPPED],
        "skipped_more": max(0, len(skipped) - MOST_SKIPPED),
        "notes": notes,
    }
    facts = {
        "jobs": jobs,
        "plan": str(path),
        "sha256": await to_thread.run_sync(sha256_of, path),
        "seen": seen,
    }
    return WrittenPlan([run.id for run in head.runs], facts)


def _today(settings: Settings, request: Request, clock: Clock) -> date:
    """Return the day for which bills are selected: a schedule's is that of its own clock."""
    schedule = settings.schedules.get(schedule_of(request))
    zone = zone_of(schedule.time_zone) if schedule is not None else None
    return clock.now().astimezone(zone).date() if zone else clock.now().date()


async def _select(
    ledger: Ledger,
    executor: Executor,
    path: Path,
    how: JobOptions,
    ahead: LookAhead,
    *,
    today: date,
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
            today=today,
            ledger=ledger,
            stop=ahead.pick,
        )
    except Problem:
        if not ahead.is_over:
            raise
        return []
    if not found.count:
        raise Problem(remark("desk.none_selected", route=route.name))
    return notes


def planned_lines(
    request: Request, fates: Collection[Forecast], *, after: int, limit: int
) -> list[tuple[int, Foreseen]]:
    """Return lines of a request's plan, each with its place among all, from 1.

    Args:
        fates: Only lines of these, and none that repeats another; empty for all.
        after: Only lines behind this place: a list may have many bills on one line.
        limit: So many at most.

    Raises:
        PlanFileError: They are not those that were planned.
    """
    path = Path(request.plan)
    try:
        same = sha256_of(path) == request.sha256
    except OSError as error:
        raise PlanFileError("unreadable", error.strerror or "") from error
    if not same:
        raise PlanFileError("edited")
    fitting = (
        (place, one)
        for place, one in enumerate(lines_of(path), start=1)
        if place > after and (not fates or (one.fate in fates and not one.first_line))
    )
    return list(islice(fitting, limit))


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
                "chunks": preview.expected[name].calls,
                "counted": preview.expected[name].is_counted,
                # A list, as it is read back.
                "time": list(preview.expected[name].time or ()),
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
