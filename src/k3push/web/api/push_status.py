"""How a push of a program stands, in the shapes that programs are told of."""

from __future__ import annotations

import re
from typing import get_args

from k3push.core.advice.diagnosis import advise
from k3push.core.model import Run, State, Target, number_in
from k3push.core.pacing.time_left import TimeLeft
from k3push.core.plan import Foreseen
from k3push.runs.find import is_under_way, is_unfinished, needs_person
from k3push.runs.kept_in_ledger.request_stages import Request, Stage, is_asked_for
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, advice_of
from k3push.runs.outcome import Exit, followed_of
from k3push.web.api import shapes
from k3push.web.api.callers import Caller
from k3push.words.language import Say

_STATES: dict[Stage, shapes.PushState] = {
    Stage.PLANNING: "planning",
    Stage.PLANNED: "planned",
    Stage.APPROVED: "accepted",
    Stage.ENDED: "ended",
    Stage.WITHDRAWN: "withdrawn",
    Stage.FAILED: "failed",
}


_COMMANDS = re.compile(rf"`k3push ({'|'.join(get_args(shapes.CommandWord))})`")


async def run_in(caller: Caller, request: Request) -> Run | None:
    """Return the run of a request; None before it is in the ledger."""
    return await caller.ledger.run(request.runs[0]) if request.runs else None


async def push_as(caller: Caller, request: Request) -> shapes.Push:
    """Return how a push stands now."""
    ledger, say = caller.ledger, caller.say
    run = await run_in(caller, request)
    state = _STATES[request.stage]
    counts: dict[str, int] = {}
    follow: dict[str, int] = {}
    if run is not None:
        counts = {each.value: n for each, n in (await ledger.counts(run.id)).items()}
        followed = await followed_of(ledger, run, at_a_glance=True)
        follow = {each.value: n for each, n in followed.counts.items() if each.value}
        state = await _state_of(caller, request, run, state)
    over = state == "failed" or (state == "ended" and run is not None)
    return shapes.Push(
        id=request.id,
        key=request.key,
        route=request.route,
        state=state,
        asked_by=request.by,
        asked_at=request.at,
        approved_by=request.approved_by or None,
        run=run.id if run else None,
        exit=run.exit if run else None,
        counts=counts,
        follow=follow,
        needs_person=request.waits_for_approval
        or (over and (run is None or needs_person(run, alive=False))),
        why=_for_program(say.said(request.why)) or None,
        plan=_plan(request, say),
        archived=archive_of(run) if run else None,
    )


def archive_of(run: Run) -> shapes.Archived | None:
    """Return where the whole of a run is, once it is archived."""
    kept = run.archive
    return shapes.Archived(file=kept.file, at=kept.at) if kept is not None else None


async def _state_of(
    caller: Caller, request: Request, run: Run, state: shapes.PushState
) -> shapes.PushState:
    if await is_under_way(caller.ledger, run):
        return "running"
    if state == "accepted" and run.exit not in {None, Exit.STOPPED}:
        workshop = caller.tenant.workshop
        if workshop and workshop.hands_over(request) and await is_unfinished(caller.ledger, run):
            return state  # the fleet comes back to it
        return "running"  # people are told of its end at this moment
    if state == "ended" and await is_asked_for(caller.ledger, run):
        return "accepted"  # to be resumed, retried or settled
    return state


def _plan(request: Request, say: Say) -> shapes.Plan | None:
    for route in request.seen.get("routes", ()):
        told = route.get("time")
        time = TimeLeft(*told) if told else None
        return shapes.Plan(
            bills=dict(route["fates"]),
            calls=int(route["chunks"]),
            seconds=None if time is None else time.about_s,
            seconds_least=None if time is None else time.least_s,
            seconds_most=None if time is None else time.most_s,
            reasons=[
                shapes.Reason(reason=say.said(str(each["reason"])), count=int(each["count"]))
                for each in route["reasons"]
            ],
        )
    return None


def _for_program(told: str) -> str:
    """Name the commands that a program can give as it gives them.

    >>> _for_program("correct it, then `k3push retry`; or `k3push settle --as`")
    'correct it, then `retry`; or `k3push settle --as`'
    """
    return _COMMANDS.sub(r"`\1`", told)


def planned_as(one: Foreseen, say: Say) -> shapes.PlannedRow:
    """Return what would become of a bill."""
    advice = advise(one.code, one.reason) if one.code or one.reason else None
    return shapes.PlannedRow(
        line=one.line,
        number=one.number or number_in(one.bill),
        id=one.source_id or one.listed_id,
        fate=one.fate.value,
        repeats=one.first_line or None,
        targets=[_target(each) for each in one.targets],
        code=one.code,
        reason=say.said(one.reason),
        cure=_for_program(say(advice.cure)) if advice else "",
    )


def _target(target: Target) -> shapes.Target:
    return shapes.Target(id=target.id, number=target.number, draft=target.draft)


def row_as(found: FollowedRow, say: Say, *, left: bool) -> shapes.Row:
    """Return what became of a bill.

    Args:
        found: Its row.
        say: Sentences.
        left: The run has ended with doubts that no look can settle.
    """
    row = found.row
    advice = advice_of(found, hopeless=left and row.state is State.UNKNOWN)
    return shapes.Row(
        line=row.line,
        number=row.shown_number,
        id=row.shown_id,
        state=row.state.value,
        targets=[_target(each) for each in row.targets],
        code=row.code,
        reason=say.said(row.reason),
        cure=_for_program(say(advice.cure)) if advice else "",
        attempts=row.attempts,
        sent_at=row.sent_at,
        settled_at=row.settled_at,
        follow=found.follow.value,
        follow_reason=say.said(found.why),
    )
