"""The API's endpoints that have more done: commands to a push, a plan's approval or withdrawal."""

from __future__ import annotations

from fastapi import APIRouter

from k3push.core.control_words import Command
from k3push.core.model import Run
from k3push.runs.control import command_in_time
from k3push.runs.find import living_beside
from k3push.runs.kept_in_ledger.request_stages import (
    Act,
    OvertakenError,
    Request,
    Stage,
    move,
    note_act,
)
from k3push.web.admission.roles import is_one_person
from k3push.web.api import shapes
from k3push.web.api.callers import Approver, Caller, Operator, see_role
from k3push.web.api.named_requests import request_named, run_named
from k3push.web.api.problems import ProblemError, documented
from k3push.web.api.push_status import push_as
from k3push.web.execution.resume_and_retry import Asker, HinderedError

router = APIRouter()

COMMAND_PATIENCE_S = 5.0


@router.post(
    "/pushes/{id}/commands",
    status_code=202,
    response_model=shapes.Push,
    responses=documented("four-eyes", "not-found", "not-now", "too-large", "only-watches"),
    summary="Steer a push, or have more done about it",
)
async def give(
    id: str,  # noqa: A002
    wanted: shapes.Commanding,
    caller: Operator,
) -> shapes.Push:
    """Pause, continue or stop a push that is running; resume, retry or settle one that is not.

    Role `operate`.
    """
    workshop = caller.workshop
    request = await request_named(caller, id)
    if request.stage is Stage.FAILED and wanted.command == "resume" and request.bills:
        # It was never begun: this is a push, and no further execution of one. Its token may have
        # been made anew since, with a lower role.
        see_role(caller.program, "approve", caller.say)
        if caller.desk.rules.four_eyes:
            raise ProblemError("four-eyes", caller.say("api.plan_instead"))
        request = await _moved(caller, request, Stage.APPROVED)
        workshop.begin(request)
        return await push_as(caller, request)
    request, run = await run_named(caller, id)
    if wanted.command in {"pause", "continue", "stop"}:
        await _control(caller, run, wanted.command)
    else:
        asker = Asker(
            caller.ledger,
            caller.desk.clock,
            caller.program.by,
            workshop.begin,
            workshop.tenant,
        )
        try:
            if wanted.command == "resume":
                await asker.resume(run)
            elif wanted.command == "retry":
                await asker.retry(run, lambda _: True)
            else:
                await asker.settle(run)
        except HinderedError as hindered:
            raise ProblemError("not-now", caller.say.said(str(hindered))) from None
        caller.log("run.asked", run=run.id, what=wanted.command)
    return await push_as(caller, request)


async def _control(caller: Caller, run: Run, words: str) -> None:
    ledger, clock, what = caller.ledger, caller.desk.clock, Command.parse([words])
    meant = await living_beside(ledger, run) or run
    act = Act(clock.now(), meant.id, caller.program.by, "control", str(what))
    if why := await command_in_time(ledger, clock, meant.id, what, patience_s=COMMAND_PATIENCE_S):
        raise ProblemError("not-now", caller.say.said(why))
    caller.log("command.given", run=meant.id, command=str(what))
    await note_act(ledger, act)


@router.post(
    "/plans/{id}/approve",
    status_code=202,
    response_model=shapes.Push,
    responses=documented("four-eyes", "not-found", "not-now", "only-watches"),
    summary="Approve a plan",
)
async def approve(id: str, caller: Approver) -> shapes.Push:  # noqa: A002
    """Have done what a plan says; asked again, it is one push. Role `approve`."""
    workshop = caller.workshop
    request = await request_named(caller, id)
    if caller.desk.rules.four_eyes and is_one_person(request.by, caller.program.by):
        raise ProblemError("four-eyes", caller.say("desk.approve_other", by=request.by))
    by, now = caller.program.by, caller.desk.clock.now().isoformat()
    if request.approved_by != by or request.stage is Stage.FAILED:
        changes = {"approved_by": by, "approved_at": now}
        request = await _moved(caller, request, Stage.APPROVED, **changes)
        caller.log("request.approved", request=request.id)
    if request.stage is Stage.APPROVED:
        workshop.begin(request)
    return await push_as(caller, request)


@router.post(
    "/plans/{id}/withdraw",
    response_model=shapes.Push,
    responses=documented("not-found", "not-now", "only-watches"),
    summary="Withdraw a plan",
)
async def withdraw(id: str, caller: Operator) -> shapes.Push:  # noqa: A002
    """Give up a plan that nobody has approved. Role `operate`."""
    workshop = caller.workshop
    request = await _moved(caller, await request_named(caller, id), Stage.WITHDRAWN)
    caller.log("request.withdrawn", request=request.id)
    workshop.give_up(request)
    return await push_as(caller, request)


async def _moved(caller: Caller, request: Request, stage: Stage, **changes: str) -> Request:
    """Bring a request to another stage.

    Raises:
        ProblemError: It does not go there from where it is.
    """
    now = request.stage
    # Of a plan that failed there is nothing to approve.
    if not (now is Stage.FAILED and request.jobs):
        try:
            return await move(caller.ledger, request, stage, **changes)
        except OvertakenError as overtaken:
            if stage is Stage.APPROVED and overtaken.request.approved_by == caller.program.by:
                return overtaken.request  # it has asked twice at one moment
            now = overtaken.request.stage
    stage_now = caller.say(f"desk.stage.{now}")
    raise ProblemError("not-now", caller.say("desk.overtaken", stage=stage_now))
