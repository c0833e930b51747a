"""The runs of a request: taken up from its plan, or from the numbers that a program has sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from anyio import to_thread

from k3push.adapters.plan_file import read_plan, sha256_of
from k3push.config.settings import Settings
from k3push.core.model import Outcome, Run, State
from k3push.core.remark import remark
from k3push.ports import Clock, Ledger
from k3push.runs.create import BATCH, take_up_list
from k3push.runs.kept_in_ledger.request_stages import Act, Request, RequestKind, note_act
from k3push.runs.lookup.source_check import PRECHECK
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.runs.push_requests.program_requests import listed_in, note_accepted, run_of
from k3push.runs.push_requests.schedule_pushes import is_approved_ahead
from k3push.web.execution.request_origin import file_of, is_selected
from k3push.wiring.planning import check_plan, take_up


async def runs_of(ledger: Ledger, request: Request, settings: Settings, clock: Clock) -> list[Run]:
    """Return the runs of a request, those of a plan written down if they are not yet."""
    there = [await ledger.run(run) for run in request.runs]
    found = [run for run in there if run is not None]
    if len(found) == len(there) and all(run.whole for run in found):
        await _take(ledger, request, found, clock)
        return found
    if request.kind is not RequestKind.PUSH:
        raise Problem(remark("error.no_run", run=", ".join(request.runs)))
    if not request.plan:
        await note_accepted(ledger, request)
        wanted = run_of(request, settings.erp.acct_id, settings.route(request.route))
        return [await take_up_list(ledger, wanted, listed_in(request))]
    path = Path(request.plan)
    if await to_thread.run_sync(sha256_of, path) != request.sha256:
        raise Problem(remark("plan.refused.edited", path=path))
    plan = await to_thread.run_sync(read_plan, path)
    await check_plan(settings, plan.head, path)
    await _see_untaken(ledger, request)
    # Nobody has looked at what was pushed after a press, or as bills were selected.
    seen_at = request.at if is_selected(request) or is_approved_ahead(request) else None
    runs = await take_up(ledger, plan, path, clock, seen_at=seen_at)
    await _take(ledger, request, runs, clock)
    approved_at = datetime.fromisoformat(request.approved_at)
    for run in runs:
        acts = (
            Act(request.at, run.id, request.by, "planned", request.id),
            Act(approved_at, run.id, request.approved_by, "approved", request.id),
        )
        for nth, act in enumerate(acts):
            await note_act(ledger, act, f"{run.id} {nth}")
    return runs


async def _see_untaken(ledger: Ledger, request: Request) -> None:
    """Raise where another run has taken the numbers of a folder's file since it was planned."""
    if (file := file_of(request)) is None:
        return
    taker = await ledger.taker_of(file)
    if taker not in {None, *request.runs}:
        raise Problem(remark("error.file_taken", file=file.name, run=taker))


async def _take(ledger: Ledger, request: Request, runs: Sequence[Run], clock: Clock) -> None:
    """Write down that runs have the numbers of a folder's file, which is pushed once.

    Of two that do so at one moment, one has taken it, and the other is brought to its end: nobody
    may go on with it by mistake.

    Raises:
        Problem: Another run has them.
        RunIsAliveError: Another process executes one of these.
    """
    if (file := file_of(request)) is not None:
        await ledger.take(file, request.runs[0])
    try:
        await _see_untaken(ledger, request)
    except Problem as taken:
        for run in runs:
            await _reject(ledger, run, str(taken), clock)
        raise


async def _reject(ledger: Ledger, run: Run, why: str, clock: Clock) -> None:
    """Reject, unsent, what is planned in a run, and end it."""
    async with ledger.own(run.id, executes=False):
        while rows := await ledger.rows(run.id, states=[State.PLANNED], limit=BATCH):
            unsent = [Outcome(row.key, State.REJECTED, code=PRECHECK, reason=why) for row in rows]
            await ledger.conclude(run.id, unsent, at=clock.now())
        await ledger.end_run(run.id, Exit.SOME_REJECTED, clock.now())
