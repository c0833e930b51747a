"""What a schedule has begun holds up its next push only as long as it may send something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from k3push.config.settings import Settings
from k3push.core.model import BillNumber, Listed, Outcome, Run, State
from k3push.runs.create import scope_of
from k3push.runs.kept_in_ledger.request_stages import (
    SELECTED,
    Request,
    RequestKind,
    Stage,
    move,
    put_request,
)
from k3push.runs.push_requests.schedule_pushes import BEGINS_WITHIN, LASTS, SameBills
from k3push.wiring.same_bills import same_bills
from tests.runs.office import FIRST, NOON, Office, orders

pytestmark = pytest.mark.anyio

NIGHTLY = {"schedule": "nightly", "approved": True}
SELECTION = {"selects": True, "route": "po", "approved": False}


def same(run: Run, **changes: Any) -> SameBills:
    """Say what a schedule of a selecting route pushes, a moment after noon."""
    given = {"tenant": "acme", "schedule": "nightly", "scope": run.scope, "routes": {"po"}}
    return SameBills(**{**given, "selects": True, "now": NOON, **changes})


async def begun(
    *, state: State = State.PLANNED, whole: bool = True, job: str = SELECTED
) -> tuple[Office, Run]:
    """Return a run with one row."""
    office = Office()
    run = replace(office.run(FIRST, again_because=""), jobs=(f"lists/{job}",), started_at=NOON)
    await office.store.open_run(run)
    if whole:
        await office.store.add(FIRST, [Listed(1, BillNumber(orders(1)[0]))])
        await office.store.close_list(FIRST)
    for row in await office.store.rows(FIRST, limit=10) if state is not State.PLANNED else ():
        await office.store.conclude(FIRST, [Outcome(row.listed, state)], at=NOON)
    return office, run


def push(**changes: Any) -> Request:
    """Return what a server was asked for."""
    given = {"id": "one", "kind": RequestKind.PUSH, "by": "li", "at": NOON, "how": NIGHTLY}
    return Request(
        **{**given, "stage": Stage.APPROVED, "jobs": ["a.csv"], "runs": [FIRST], **changes}
    )


@pytest.mark.parametrize("state", [State.PLANNED, State.REJECTED])
@pytest.mark.parametrize("whole", [True, False])
async def test_a_run_that_has_nothing_left_to_send_holds_up_no_schedule(
    state: State, *, whole: bool
) -> None:
    """Its documents may wait in a workflow for days; a list that is being written has no rows."""
    office, run = await begun(state=state, whole=whole)
    await put_request(office.store, push())
    sends = state is State.PLANNED or not whole
    found = [each.id for each in await same(run).requests(office.store)]
    assert found == (["one"] if sends else [])
    waits = await same(run, waiting={FIRST}).run(office.store)
    assert (waits is not None) is sends
    assert await same(run).run(office.store) is None  # nobody executes it
    queued = await same(run, has_queue=True).run(office.store)
    assert (queued is not None) is (sends and whole)


@pytest.mark.parametrize(
    ("how", "holds"),
    [
        (NIGHTLY, True),
        (SELECTION, True),  # of another schedule, or of a person
        ({**SELECTION, "route": "other"}, False),
        ({"schedule": "weekly"}, False),
        ({**NIGHTLY, "file": {"name": "a.csv"}}, False),  # each file is new once
    ],
)
async def test_what_would_push_the_same_bills_holds_up_a_schedule(
    how: Mapping[str, Any], *, holds: bool
) -> None:
    """Whoever has begun it, and also where a person goes on with it."""
    office, run = await begun(job="a.csv")
    first = await put_request(office.store, push(how=how))
    assert bool(await same(run).requests(office.store)) is holds
    async with office.store.another_process().own(FIRST):
        assert (await same(run).run(office.store) is not None) is holds
    await move(office.store, first, Stage.ENDED)
    assert await same(run).requests(office.store) == []
    goes_on = push(id="two", kind=RequestKind.RESUME, how={}, jobs=())
    await put_request(office.store, goes_on)
    found = await same(run).requests(office.store)
    assert [each.id for each in found] == (["one"] if holds else [])


async def test_nothing_holds_up_a_schedule_for_ever() -> None:
    """A server was killed and is not there any more; a run is tried again and again."""
    office, run = await begun()
    await put_request(office.store, push(stage=Stage.PLANNING, runs=()))
    assert await same(run, now=NOON + BEGINS_WITHIN / 2).requests(office.store)
    assert not await same(run, now=NOON + BEGINS_WITHIN).requests(office.store)
    await put_request(office.store, push(id="two"))
    for later, holds in ((LASTS - timedelta(hours=1), True), (LASTS, False)):
        alike = same(run, now=NOON + later, waiting={FIRST})
        assert bool(await alike.requests(office.store)) is holds
        assert (await alike.run(office.store) is not None) is holds


async def test_a_plan_that_waits_for_approval_holds_up_nothing() -> None:
    """Nobody may ever approve it."""
    office, run = await begun()
    waits = push(how={"schedule": "nightly"}, stage=Stage.PLANNED)
    await put_request(office.store, waits)
    assert await same(run).requests(office.store) == []


SETTINGS = {
    "erp": {"url": "https://erp.example.com/k3cloud/", "acct_id": "a1", "username": "li"},
    "routes": {
        "po": {"source": "PUR_PurchaseOrder", "target": "STK_InStock"},
        "urgent": {"source": "pur_purchaseorder", "target": "STK_InStock", "rule": "other"},
        "sales": {"source": "SAL_SaleOrder", "target": "SAL_OUTSTOCK"},
    },
    "schedules": {
        "nightly": {"cron": "0 2 * * *", "jobs": "select", "route": "po"},
        "lists": {"cron": "0 2 * * *", "jobs": ["inbox", "a.csv"], "route": "po"},
    },
}


def test_a_route_to_the_same_forms_pushes_the_same_bills_under_any_name() -> None:
    """Neither a fleet nor a server may push them in parts once more."""
    settings = Settings.model_validate(SETTINGS)
    alike = same_bills(settings, "nightly", settings.route("po"), NOON)
    assert (alike.routes, alike.selects, alike.jobs) == ({"po", "urgent"}, True, [])
    assert alike.scope == scope_of("a1", settings.route("urgent"))
    lists = [settings.folder / name for name in ("inbox", "a.csv")]
    alike = same_bills(settings, "lists", settings.route("po"), NOON)
    assert (alike.selects, alike.jobs) == (False, [*map(str, lists)])
    del settings.routes["urgent"], settings.routes["sales"]
    # A request needs no name for the only one.
    assert same_bills(settings, "nightly", settings.route(None), NOON).routes == {"po", None}
