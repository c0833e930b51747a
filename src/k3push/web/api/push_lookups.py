"""The API's endpoints that look: how a push or a plan stands, its rows, what happened to a bill."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query

from k3push.adapters.plan_file import PlanFileError
from k3push.core.model import Row, Run, State
from k3push.core.plan import Forecast
from k3push.ports import Ledger
from k3push.runs.kept_in_ledger.request_stages import Stage
from k3push.runs.kept_in_ledger.row_pages import with_follow
from k3push.web.api import shapes
from k3push.web.api.callers import Viewer
from k3push.web.api.named_requests import request_named, run_named
from k3push.web.api.problems import ProblemError, documented
from k3push.web.api.push_status import archive_of, planned_as, push_as, row_as
from k3push.web.execution.request_plan import planned_lines
from k3push.web.pages.bill_history import events_of
from k3push.web.pages.run_sections import is_left_to_person

router = APIRouter()

MOST_ROWS = 1000
MOST_PLACE = 2**53

Place = Annotated[int, Query(ge=0, le=MOST_PLACE, description="Only rows behind this one.")]
Many = Annotated[int, Query(ge=1, le=MOST_ROWS, description="So many at most.")]


@router.get(
    "/pushes/{id}",
    response_model=shapes.Push,
    responses=documented("not-found"),
    summary="How a push stands",
)
async def standing(id: str, caller: Viewer) -> shapes.Push:  # noqa: A002  # the address's own word
    """Tell how a push stands. Role `view`."""
    found = await request_named(caller, id)
    if caller.tenant.workshop is not None:  # else the server only watches
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
    request = await request_named(caller, id)
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
    _, run = await run_named(caller, id)
    states = [State(each) for each in state or ()]
    found = await caller.ledger.rows(run.id, states=states, after=after, limit=limit)
    followed = await with_follow(caller.ledger, run.id, found)
    left = await _left(caller.ledger, run, found)
    more = len(found) == limit
    return shapes.Rows(
        rows=[row_as(each, caller.say, left=left) for each in followed],
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
    _, run = await run_named(caller, id)
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
        row=row_as(followed, caller.say, left=await _left(caller.ledger, run, [row])),
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


async def _left(ledger: Ledger, run: Run, rows: Sequence[Row]) -> bool:
    """Say whether rows of a run are in doubt, and no look can settle them."""
    in_doubt = any(row.state is State.UNKNOWN for row in rows)
    return in_doubt and await is_left_to_person(ledger, run)
