"""The API's endpoints: ask for a push or a plan, see what became of it, have more done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal

import orjson
from anyio import to_thread
from fastapi import APIRouter, Query, Response

from k3push.adapters.plan_file import PlanFileError
from k3push.core.control_words import Command
from k3push.core.model import Row, Run, State, Step
from k3push.core.plan import Forecast
from k3push.runs.control import command, hindrance
from k3push.runs.find import living_beside
from k3push.runs.push_requests.program_requests import (
    KeyReusedError,
    Wish,
    accept,
    asked_before,
    request_id,
)
from k3push.runs.push_requests.program_roles import reaches
from k3push.runs.push_requests.request_stages import (
    Act,
    OvertakenError,
    Request,
    Stage,
    find_request,
    move,
    note_act,
)
from k3push.runs.row_pages import with_follow
from k3push.web.api import shapes
from k3push.web.api.callers import Approver, Caller, Operator, Viewer
from k3push.web.api.problems import ProblemError, documented
from k3push.web.api.push_status import archive_of, planned_as, push_as, row_as, run_in
from k3push.web.bill_history import events_of
from k3push.web.request_plan import planned_lines
from k3push.web.resume_and_retry import Asker, HinderedError
from k3push.web.roles import is_one_person
from k3push.web.uploads import keep_bytes

router = APIRouter()

MOST_ROWS = 1000
MOST_PLACE = 2**53
COMMAND_PATIENCE_S = 5.0

_ID = re.compile(r"[0-9a-f]{32}")

Place = Annotated[int, Query(ge=0, le=MOST_PLACE, description="Only rows behind this one.")]
Many = Annotated[int, Query(ge=1, le=MOST_ROWS, description="So many at most.")]


# -- ask ------------------------------------------------------------------------------------------


@router.post(
    "/pushes",
    status_code=202,
    response_model=shapes.Push,
    responses={
        200: {"model": shapes.Push, "description": "It was asked for with this key before."},
        **documented("four-eyes", "key-reused", "too-large", "only-watches"),
    },
    summary="Push bills",
)
async def push(wanted: shapes.Wanted, caller: Approver, response: Response) -> shapes.Push:
    """Accept bills to be pushed at once; the answer comes before they are.

    Role `approve`. Where the settings ask for four eyes, a plan is needed instead.
    """
    if caller.desk.rules.four_eyes:
        raise ProblemError("four-eyes", caller.say("api.plan_instead"))
    return await _asked(wanted, caller, response, plan=False)


@router.post(
    "/plans",
    status_code=202,
    response_model=shapes.Push,
    responses={
        200: {"model": shapes.Push, "description": "It was asked for with this key before."},
        **documented("key-reused", "too-large", "only-watches", "no-disk"),
    },
    summary="Plan a push",
)
async def plan(wanted: shapes.Wanted, caller: Operator, response: Response) -> shapes.Push:
    """Look ahead and send nothing: what would be done, until somebody approves it.

    Role `operate`.
    """
    return await _asked(wanted, caller, response, plan=True)


async def _asked(
    wanted: shapes.Wanted, caller: Caller, response: Response, *, plan: bool
) -> shapes.Push:
    workshop, program = caller.workshop, caller.program
    wish = _wish(wanted, caller, plan=plan)
    try:
        found = await asked_before(caller.ledger, program, wish)
        if found is None:
            job = await _list_of(wish, caller) if plan else ""
            found = await accept(caller.ledger, caller.desk.clock, program, wish, job=job)
            caller.log("request.made", request=found.id, key=wish.key)
        else:
            response.status_code = 200
    except KeyReusedError:
        raise ProblemError("key-reused", caller.say("api.key_reused", key=wish.key)) from None
    if found.stage in {Stage.PLANNING, Stage.APPROVED}:
        workshop.begin(found)
    return await push_as(caller, found)


def _wish(wanted: shapes.Wanted, caller: Caller, *, plan: bool) -> Wish:
    """Read what a program asks for.

    Raises:
        ProblemError: It asks for what there cannot be.
    """
    if errors := list(unfit(wanted.model_dump(), caller)):
        raise ProblemError("invalid", errors=errors)
    bills = [(number, "") for number in wanted.numbers] or [("", id_) for id_ in wanted.ids]
    steps = None if wanted.follow is None else [Step(step) for step in wanted.follow]
    return Wish(key=wanted.key, route=caller.program.route, bills=bills, steps=steps, plan=plan)


def unfit(wanted: Mapping[str, Any], caller: Caller) -> Iterator[tuple[str, str]]:
    """Yield place and words of what is wrong with a `Wanted` whose every field may be sound.

    Args:
        wanted: As it was sent; fields may be missing, or be no sound ones.
        caller: Who has sent it.
    """
    say, route = caller.say, caller.program.route
    if bool(wanted.get("numbers")) == bool(wanted.get("ids")):
        yield "body", say("api.either")
    if wanted.get("route") not in (None, route):
        yield "body.route", say("api.other_route", route=route)
    if (workshop := caller.tenant.workshop) is None:
        return  # nothing is executed here
    if route not in workshop.settings.routes:
        yield "body.route", say("api.route_gone", route=route)
        return
    known, steps = workshop.settings.route(route).follow, wanted.get("follow")
    if isinstance(steps, list) and tuple(steps) != known[: len(steps)]:
        yield "body.follow", say("api.other_steps", steps=", ".join(known) or "-")


async def _list_of(wish: Wish, caller: Caller) -> str:
    """Keep the bills of a plan as a job file, and return where it is.

    Raises:
        ProblemError: The disk refused.
    """
    rows = [{"id": id_} if id_ else {"number": number} for number, id_ in wish.bills]
    folder = caller.workshop.lists / request_id(caller.program.name, wish.key)
    # Another wish with the same key has another file: of both, one is accepted.
    path = folder / f"{wish.digest[:16]}.jsonl"
    # One a line: a bill's line is its place in the request.
    content = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    try:
        await to_thread.run_sync(keep_bytes, path, content)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ProblemError("no-disk", caller.say("desk.disk", why=why)) from error
    return str(path)


# -- see ------------------------------------------------------------------------------------------


async def _found(caller: Caller, id_: str) -> Request:
    """Return what a program has asked for.

    A plan is seen by whoever may approve it, too, and all of a route by who may only look at it:
    such a program asks for nothing itself.

    Raises:
        ProblemError: There is no such request, or it is none of this program's business.
    """
    found = await find_request(caller.ledger, id_) if _ID.fullmatch(id_) else None
    if found is not None and found.key and found.route == caller.program.route:
        theirs = found.by == caller.program.by or not reaches(caller.program.role, "operate")
        planned = found.seen or found.jobs
        if theirs or (planned and reaches(caller.program.role, "approve")):
            return found
    raise ProblemError("not-found", caller.say("api.not_found"))


async def _run(caller: Caller, id_: str) -> tuple[Request, Run]:
    request = await _found(caller, id_)
    run = await run_in(caller, request)
    if run is None:
        key = "api.no_run_yet" if request.is_open else "api.no_run"
        raise ProblemError("not-now", caller.say(key))
    return request, run


@router.get(
    "/pushes/{id}",
    response_model=shapes.Push,
    responses=documented("not-found"),
    summary="How a push stands",
)
async def standing(id: str, caller: Viewer) -> shapes.Push:  # noqa: A002  # the address's own word
    """Tell how a push stands. Role `view`."""
    found = await _found(caller, id)
    caller.workshop.take_up_left(found)
    return await push_as(caller, found)


@router.get(
    "/plans/{id}",
    response_model=shapes.Push,
    responses=documented("not-found"),
    summary="How a plan stands",
)
async def plan_standing(id: str, caller: Viewer) -> shapes.Push:  # noqa: A002
    """Tell how a plan stands; once approved, it is a push of the same id. Role `view`."""
    return await standing(id, caller)


@router.get(
    "/plans/{id}/rows",
    response_model=shapes.PlannedRows,
    responses=documented("not-found", "not-now"),
    summary="What would become of each bill",
)
async def planned_rows(
    id: str,  # noqa: A002
    caller: Viewer,
    fate: Annotated[
        list[Literal["ready", "partly", "already", "blocked"]] | None,
        Query(description="Only bills of one of these fates, each once.", max_length=4),
    ] = None,
    after: Place = 0,
    limit: Many = 100,
) -> shapes.PlannedRows:
    """Tell what was to become of each bill when it was planned, in the order of the request.

    Role `view`.
    """
    request = await _found(caller, id)
    if not request.plan:
        key = "api.no_plan_yet" if request.stage is Stage.PLANNING else "api.no_plan"
        raise ProblemError("not-now", caller.say(key))
    fates = [Forecast(each) for each in fate or ()]
    look = partial(planned_lines, request, fates, after=after, limit=limit)
    try:
        found = await to_thread.run_sync(look)
    except PlanFileError:
        raise ProblemError("not-now", caller.say("api.plan_lost")) from None
    return shapes.PlannedRows(
        rows=[planned_as(one, caller.say) for _, one in found],
        next=found[-1][0] if len(found) == limit else None,
    )


@router.get(
    "/pushes/{id}/rows",
    response_model=shapes.Rows,
    responses=documented("not-found", "not-now"),
    summary="What became of each bill",
)
async def rows(
    id: str,  # noqa: A002
    caller: Viewer,
    state: Annotated[
        list[Literal["planned", "sent", "pushed", "draft", "already", "rejected", "unknown"]]
        | None,
        Query(description="Only rows in one of these states.", max_length=7),
    ] = None,
    after: Place = 0,
    limit: Many = 100,
) -> shapes.Rows:
    """Tell what became of each bill, in the order of the request. Role `view`."""
    _, run = await _run(caller, id)
    states = [State(each) for each in state or ()]
    found = await caller.ledger.rows(run.id, states=states, after=after, limit=limit)
    followed = await with_follow(caller.ledger, run.id, found)
    more = len(found) == limit
    return shapes.Rows(
        rows=[row_as(each, caller.say) for each in followed],
        next=found[-1].place if more else None,
        archived=archive_of(run),
    )


@router.get(
    "/pushes/{id}/evidence",
    response_model=shapes.Evidence,
    responses=documented("not-found", "not-now", "archived"),
    summary="What happened to one bill",
)
async def evidence(
    id: str,  # noqa: A002
    caller: Viewer,
    number: Annotated[str, Query(max_length=80, description="By its number, or")] = "",
    bill_id: Annotated[str, Query(max_length=20, description="by its internal id.")] = "",
) -> shapes.Evidence:
    """Tell every request, answer and note of one bill of a push. Role `view`."""
    _, run = await _run(caller, id)
    listed = await caller.ledger.rows(run.id, limit=shapes.MOST_BILLS)
    row = next((each for each in listed if _is(each, number, bill_id)), None)
    if row is None and run.archive is not None:
        said = caller.say("error.archived", run=run.id, file=run.archive.file)
        raise ProblemError("archived", said)
    if row is None:
        raise ProblemError("not-found", caller.say("api.no_bill"))
    (followed,) = await with_follow(caller.ledger, run.id, [row])
    events = await events_of(caller.ledger, [(run.id, row)], caller.say)
    return shapes.Evidence(
        row=row_as(followed, caller.say),
        events=[
            shapes.Happened(
                at=each.at,
                what=each.heading,
                text=each.text,
                request=dict(each.bodies).get("report.request"),
                answer=dict(each.bodies).get("report.answer"),
            )
            for each in events
        ],
        archived=archive_of(run),
    )


def _is(row: Row, number: str, id_: str) -> bool:
    if id_:
        return row.shown_id == id_
    return bool(number) and number in {row.number, row.shown_number, row.label_in_erp}


# -- have more done -------------------------------------------------------------------------------


@router.post(
    "/pushes/{id}/commands",
    status_code=202,
    response_model=shapes.Push,
    responses=documented("not-found", "not-now", "too-large", "only-watches"),
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
    request = await _found(caller, id)
    if request.stage is Stage.FAILED and wanted.command == "resume" and request.bills:
        request = await _moved(caller, request, Stage.APPROVED)
        workshop.begin(request)
        return await push_as(caller, request)
    request, run = await _run(caller, id)
    if wanted.command in {"pause", "continue", "stop"}:
        await _control(caller, run, wanted.command)
    else:
        asker = Asker(caller.ledger, caller.desk.clock, caller.program.by, workshop.begin)
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
    if why := await hindrance(ledger, meant.id):
        raise ProblemError("not-now", caller.say.said(why))
    caller.log("command.given", run=meant.id, command=str(what))
    await note_act(ledger, Act(clock.now(), meant.id, caller.program.by, "control", str(what)))
    await command(ledger, clock, meant.id, what, patience_s=COMMAND_PATIENCE_S)


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
    request = await _found(caller, id)
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
    request = await _moved(caller, await _found(caller, id), Stage.WITHDRAWN)
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
            now = overtaken.request.stage
    stage_now = caller.say(f"desk.stage.{now}")
    raise ProblemError("not-now", caller.say("desk.overtaken", stage=stage_now))
