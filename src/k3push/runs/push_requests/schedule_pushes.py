"""What keeps a schedule from beginning a push: another one of the same bills may still send.

It is asked where a route has `allow_partial`: there a bill that two schedules select, or that two
lists name, would be pushed twice. Nothing holds a schedule for ever: a push that was left by its
server, or has gone on for days, does not count.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from k3push.core.model import Run, RunId, State
from k3push.ports import Ledger
from k3push.runs.find import RUNS_A_PAGE, is_under_way
from k3push.runs.kept_in_ledger.request_stages import (
    SELECTED,
    Request,
    RequestKind,
    Stage,
    push_of,
    requests,
    tenant_of,
)

BEGINS_WITHIN = timedelta(days=1)
"""What has no run after so long was left by the server that was asked for it.

A server that comes back takes up what it has left, so that this is longer than most are away.
"""

LATEST = 1000
"""Of requests that are over, this many of the newest: one may have been under way a moment ago."""

LASTS = timedelta(days=3)
"""What was begun before that holds nothing up any more: something is wrong with it."""


def schedule_of(request: Request) -> str:
    """Return the schedule that a request is of; "" for none."""
    return str(request.how.get("schedule", ""))


def is_approved_ahead(request: Request) -> bool:
    """Say whether a request needs nobody's approval: the settings have said it."""
    return bool(request.how.get("approved"))


@dataclass(frozen=True, slots=True)
class SameBills:
    """Which pushes would push what a schedule would push.

    Attributes:
        tenant: Whose schedule it is; another tenant of the account may call one of its own so.
        schedule: Its name.
        scope: Of the runs of its route, as in `model.Run`.
        routes: How requests name routes of that scope.
        selects: It pushes what the route selects.
        jobs: Lists that it names.
        now: The time.
        waiting: Runs that are in a queue, or that a worker executes.
        has_queue: Runs that nobody executes may be in a queue that is not known here.
        since: What was under way at this time counts as well, though it has ended since.
    """

    tenant: str
    schedule: str
    scope: str
    routes: Collection[str | None]
    selects: bool
    now: datetime
    jobs: Collection[str] = ()
    waiting: Collection[RunId] = ()
    has_queue: bool = False
    since: datetime | None = None

    async def requests(self, ledger: Ledger) -> list[Request]:
        """Return pushes that nobody has to approve any more and that may still send.

        Those of new files are left out, since each file of a folder is new once. A push that has
        sent all its bills and waits for a workflow, perhaps for days, holds up no other.
        """
        found: dict[str, Request] = {}
        for each in await requests(ledger, only_open=True):
            push: Request | None = each
            if each.kind is not RequestKind.PUSH:  # somebody goes on with what a push has begun
                push = await push_of(ledger, each.runs[0]) if each.runs else None
            if push is None or not self._means(push) or not _is_approved(each):
                continue
            if await self._may_send_for(ledger, each):
                found[push.id] = push
        over = await requests(ledger, limit=LATEST) if self.since is not None else ()
        for each in over:
            is_push = each.kind is RequestKind.PUSH and not each.is_open
            if is_push and self._means(each) and await self._ended_since(ledger, each):
                found[each.id] = each
        return [*found.values()]

    async def run(self, ledger: Ledger) -> Run | None:
        """Return a run that may still send, whoever has begun it."""
        for run in await ledger.runs(undone=True, last=RUNS_A_PAGE):
            if run.scope != self.scope or self.now - run.started_at >= LASTS:
                continue
            waits = self.has_queue and run.whole and run.exit is None
            goes_on = run.id in self.waiting or waits or await is_under_way(ledger, run)
            if goes_on and await self._is_alike(ledger, run) and await _may_send(ledger, run):
                return run
        return None

    def _means(self, push: Request) -> bool:
        if push.how.get("file"):
            return False
        selected = self.selects and push.how.get("selects")
        of_route = selected and (push.how.get("route") or None) in self.routes
        of_list = not set(self.jobs).isdisjoint(push.jobs)
        is_its_own = tenant_of(push) in {"", self.tenant} and schedule_of(push) == self.schedule
        return bool(of_route) or of_list or is_its_own

    async def _may_send_for(self, ledger: Ledger, request: Request) -> bool:
        at = datetime.fromisoformat(request.approved_at) if request.approved_at else request.at
        found = [await ledger.run(run) for run in request.runs]
        runs = [run for run in found if run is not None]
        if not runs or len(runs) < len(found):
            return self.now - at < BEGINS_WITHIN
        return self.now - at < LASTS and any([await _may_send(ledger, run) for run in runs])

    async def _ended_since(self, ledger: Ledger, request: Request) -> bool:
        """Say whether a push has sent, or was answered, since that time; a follow is none."""
        if (since := self.since) is None:
            return False
        found = [await ledger.run(run) for run in request.runs]
        # The calls of a run of years are many, and of one that has ended before none counts.
        late = [run for run in found if run and (run.ended_at is None or run.ended_at >= since)]
        calls = [span for run in late for span in await ledger.spans(run.id)]
        return any(since <= end <= self.now for _, end in calls)

    async def _is_alike(self, ledger: Ledger, run: Run) -> bool:
        selected = self.selects and any(job.endswith(SELECTED) for job in run.jobs)
        if selected or not set(self.jobs).isdisjoint(run.jobs):
            return True
        push = await push_of(ledger, RunId(run.group or run.id))
        return push is not None and self._means(push)


def _is_approved(request: Request) -> bool:
    return is_approved_ahead(request) or request.stage is Stage.APPROVED


async def _may_send(ledger: Ledger, run: Run) -> bool:
    counts = await ledger.counts(run.id)
    return not run.whole or bool(counts.get(State.PLANNED) or counts.get(State.SENT))
