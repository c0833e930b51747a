"""The API's endpoints that ask: for a push at once, or for a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from anyio import to_thread
from fastapi import APIRouter, Response

from k3push.core.model import Step
from k3push.runs.kept_in_ledger.request_stages import Stage
from k3push.runs.push_requests.program_requests import (
    KeyReusedError,
    Wish,
    accept,
    asked_before,
    request_id,
)
from k3push.web.admission.uploads import keep_bytes
from k3push.web.api import shapes
from k3push.web.api.callers import Approver, Caller, Operator
from k3push.web.api.problems import ProblemError, documented
from k3push.web.api.push_status import push_as

router = APIRouter()


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
            found = await accept(
                caller.ledger,
                caller.desk.clock,
                program,
                wish,
                tenant=caller.workshop.tenant,
                job=job,
            )
            caller.log("request.made", request=found.id, key=wish.key)
        else:
            response.status_code = 200
    except KeyReusedError:
        found = None
    if found is None or not workshop.is_mine(found):  # or of another tenant of the account
        raise ProblemError("key-reused", caller.say("api.key_reused", key=wish.key))
    if found.stage in {Stage.PLANNING, Stage.APPROVED}:
        workshop.begin(found)
    return await push_as(caller, found)


def _wish(wanted: shapes.Wanted, caller: Caller, *, plan: bool) -> Wish:
    """Read what a program asks for; raises `ProblemError` where there cannot be such."""
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
    """Keep the bills of a plan as a job file; raises `ProblemError` where the disk refuses."""
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
