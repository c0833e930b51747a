"""A site that loads its metadata anew refuses for some seconds what it tells at other times."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import pairwise
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.form_rows import FormRows
from k3push.core.model import BillNumber, State
from k3push.ports import LookFailedError, LookRefusedError
from k3push.runs.context import Context
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.simulator.books.forms import IN_STOCK, ORDER_TO_SHIPMENT, PURCHASE_ORDER, ROUTES
from k3push.simulator.books.history import Maker
from k3push.simulator.books.orders import PushOrder
from tests.runs.office import LOGIN, Office, one_by_one, orders, sandbox, steered, steps
from tests.runs.rough_answers import OPEN, doubled, until_lost
from tests.runs.test_hidden_documents import SHIPMENT

pytestmark = pytest.mark.anyio

A_QUERY_S = 0.1
STATUS = "FDocumentStatus"
CANCEL = "FCancelStatus"


def refuse_where(
    monkeypatch: pytest.MonkeyPatch, refuses: Callable[[str, Sequence[str], str], str | None]
) -> list[float]:
    """Let the site say that a field does not exist.

    Args:
        monkeypatch: Of the test.
        refuses: Returns which, by the form, the fields and the filter of a query; None answers it.

    Returns:
        When queries were refused, as it happens.
    """
    page, refused = FormRows.page, []

    async def answer(self: FormRows, form: str, fields: Sequence[str], what: str, **m: Any) -> Any:
        named = refuses(form, fields, what)
        if named is None:
            return await page(self, form, fields, what, **m)
        await anyio.sleep(A_QUERY_S)
        refused.append(anyio.current_time())
        raise LookRefusedError(f"元数据中标识为{named}的字段不存在", code="9", definite=True)

    monkeypatch.setattr(FormRows, "page", answer)
    return refused


def until(
    until_s: float, field: str, of: str = PURCHASE_ORDER.id
) -> Callable[[str, Sequence[str], str], str | None]:
    """Return what refuses a field of a form for so long."""

    def refuses(form: str, fields: Sequence[str], _what: str) -> str | None:
        return field if form == of and field in fields and anyio.current_time() < until_s else None

    return refuses


async def unapproved_is_pushed() -> bool:
    """Push a bill that is not approved, and say whether it has a document; the rule allows it."""
    office = Office(sandbox(allow_blocked=True, **OPEN))
    unapproved, *_ = numbers = ["CGDDU000000", *orders(1)]
    await office.open_run(numbers)
    await office.execute(check=False)
    return bool(office.site.world.documents_of(unapproved))


def a_link_of(fields: Sequence[str]) -> str | None:
    """Return the first field of a link."""
    return next((field for field in fields if "_Link_" in field), None)


def pushed_by_persons() -> tuple[Office, list[str]]:
    """Return a site where persons have pushed all bills, which links alone can show."""
    options = sandbox(routes=(*ROUTES, ORDER_TO_SHIPMENT), **OPEN)
    office = Office(options, replace(SHIPMENT, source_number_field=""), documents=False)
    numbers = [f"XSDD{nth:07d}" for nth in range(3)]
    for number in numbers:
        order = PushOrder("SAL_SaleOrder", (number,), rule_id=SHIPMENT.rule)
        office.site.world.push(order, "clerk", Maker.PERSON)
    return office, numbers


@pytest.mark.parametrize("until_s", [0.5, 5.0])
async def test_links_that_are_refused_as_they_are_learnt_are_asked_once_more(
    monkeypatch: pytest.MonkeyPatch, until_s: float
) -> None:
    """A route of links alone would send each number without any look."""
    office, numbers = pushed_by_persons()

    def refuses(_form: str, fields: Sequence[str], _what: str) -> str | None:
        return a_link_of(fields) if anyio.current_time() < until_s else None

    refused = refuse_where(monkeypatch, refuses)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert refused
    assert doubled(office, numbers) == []


async def test_links_that_were_answered_once_are_taken_by_no_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were answered as they were learnt; the first questions for bills are refused."""
    office, numbers = pushed_by_persons()
    left = iter(range(2))

    def refuses(_form: str, fields: Sequence[str], what: str) -> str | None:
        asks_for_bills = "_Link_FSBillId in" in what
        return a_link_of(fields) if asks_for_bills and next(left, None) is not None else None

    refused = refuse_where(monkeypatch, refuses)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert refused
    assert doubled(office, numbers) == []


async def test_refusals_within_a_second_take_no_status_from_the_source_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without its status a bill that is not approved would be pushed."""
    refused = refuse_where(monkeypatch, until(1.0, STATUS))
    pushed = await unapproved_is_pushed()
    assert refused
    assert not pushed


async def test_refusals_side_by_side_take_no_status_from_the_source_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A long list is looked at in several questions at once, all refused in one second."""
    refused = refuse_where(monkeypatch, until(1.0, STATUS))
    office = Office(sandbox(orders=400, allow_blocked=True, **OPEN))
    unapproved, *_ = numbers = ["CGDDU000000", *orders(300)]
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=16, chunk_size=20), check=False)
    assert refused
    assert not office.site.world.documents_of(unapproved)


@pytest.mark.parametrize("until_s", [8.0, 30.0])
async def test_links_that_are_refused_for_half_a_minute_are_asked_once_more(
    monkeypatch: pytest.MonkeyPatch, until_s: float
) -> None:
    """After a recycle the first use of a form may take half a minute; a route of links alone."""
    office, numbers = pushed_by_persons()

    def refuses(_form: str, fields: Sequence[str], _what: str) -> str | None:
        return a_link_of(fields) if anyio.current_time() < until_s else None

    refused = refuse_where(monkeypatch, refuses)
    await office.open_run(numbers)
    await office.execute(throttle=one_by_one(), check=False)
    assert refused
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("until_s", [8.0, 30.0])
async def test_refusals_of_half_a_minute_take_no_status_from_the_source_form(
    monkeypatch: pytest.MonkeyPatch, until_s: float
) -> None:
    """The same of the status of bills: one that is not approved is not pushed."""
    refused = refuse_where(monkeypatch, until(until_s, STATUS))
    pushed = await unapproved_is_pushed()
    assert refused
    assert not pushed


async def test_refusals_within_a_second_make_no_cancelled_document_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bill's document was cancelled; the target form's metadata are loaded anew for a second."""
    refused = refuse_where(monkeypatch, until(1.0, "FCancelStatus", IN_STOCK.id))
    office, numbers = Office(sandbox(**OPEN)), orders(2)
    for number in numbers:
        office.site.world.add_target(IN_STOCK, number, creator="li", cancelled=True)
    await office.open_run(numbers)
    pushed = await office.execute(check=False)
    assert refused
    assert pushed.of(State.PUSHED) == set(numbers), pushed.rows


async def test_a_field_that_was_lacking_is_asked_for_again_after_two_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run of hours begins as its site loads its metadata; a cancelled document is no target."""
    refused = refuse_where(monkeypatch, until(40.0, CANCEL, IN_STOCK.id))
    office, numbers = Office(sandbox(**OPEN)), orders(2)
    office.site.world.add_target(IN_STOCK, numbers[1], creator="li", cancelled=True)
    async with office.erp({"sandbox": LOGIN}) as erp:
        assert isinstance(erp, ErpClient)
        assert (await erp.targets_of(office.route, [BillNumber(numbers[1])])).targets
        assert CANCEL in erp.lacking(IN_STOCK.id)
        before = len(refused)
        assert (await erp.targets_of(office.route, [BillNumber(numbers[1])])).targets
        assert len(refused) == before
        await anyio.sleep(120)
        assert not (await erp.targets_of(office.route, [BillNumber(numbers[1])])).targets
        assert CANCEL not in erp.lacking(IN_STOCK.id)


async def test_a_field_that_a_form_lacks_for_good_is_asked_for_ever_more_seldom(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was refused for long enough by then, so that each time costs one refusal."""
    refused = refuse_where(monkeypatch, until(math.inf, CANCEL, IN_STOCK.id))
    office, (number,) = Office(sandbox(**OPEN)), orders(1)
    async with office.erp({"sandbox": LOGIN}) as erp:
        for _ in range(1000):
            await erp.targets_of(office.route, [BillNumber(number)])
            await anyio.sleep(10)
    gaps = [round(later - at) for at, later in pairwise(refused) if later - at > 60]
    assert gaps[0] >= 120
    assert all(later >= 2 * gap - 20 for gap, later in pairwise(gaps)), gaps
    assert 5 <= len(gaps) <= 6


@pytest.mark.parametrize("for_good", [False, True])
async def test_a_field_that_was_lacking_without_a_name_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, *, for_good: bool
) -> None:
    """The refusals of some sites name no field; who asks anew waits for no second refusal."""
    page, refused = FormRows.page, list[float]()
    until_s = math.inf if for_good else 40.0

    async def answer(self: FormRows, form: str, fields: Sequence[str], what: str, **m: Any) -> Any:
        if form != IN_STOCK.id or CANCEL not in fields or anyio.current_time() >= until_s:
            return await page(self, form, fields, what, **m)
        refused.append(anyio.current_time())
        raise LookRefusedError("列名无效", code="4")

    monkeypatch.setattr(FormRows, "page", answer)
    office, (number,) = Office(sandbox(**OPEN)), orders(1)
    office.site.world.add_target(IN_STOCK, number, creator="li", cancelled=True)
    async with office.erp({"sandbox": LOGIN}) as erp:
        with pytest.raises(LookRefusedError):
            await erp.targets_of(office.route, [BillNumber(number)])
        for _ in range(2):
            assert (await erp.targets_of(office.route, [BillNumber(number)])).targets
        before = len(refused)
        await anyio.sleep(121)
        for _ in range(2):
            seen = await erp.targets_of(office.route, [BillNumber(number)])
            assert bool(seen.targets) is for_good
        assert len(refused) == (before + 3 if for_good else before)


async def test_a_field_that_was_read_before_is_not_lacking_by_refusals_without_a_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The form has it: what refuses it for a moment passes, as where it is named."""
    page, refuses = FormRows.page, [False]

    async def answer(self: FormRows, form: str, fields: Sequence[str], what: str, **m: Any) -> Any:
        if form == IN_STOCK.id and CANCEL in fields and refuses[0]:
            raise LookRefusedError("列名无效", code="4")
        return await page(self, form, fields, what, **m)

    monkeypatch.setattr(FormRows, "page", answer)
    office, (number,) = Office(sandbox(**OPEN)), orders(1)
    office.site.world.add_target(IN_STOCK, number, creator="li", cancelled=True)
    async with office.erp({"sandbox": LOGIN}) as erp:
        for refuses[0], error in ((False, None), (True, LookRefusedError), (True, LookFailedError)):
            with pytest.raises(error) if error else nullcontext():
                assert not (await erp.targets_of(office.route, [BillNumber(number)])).targets
        refuses[0] = False
        assert not (await erp.targets_of(office.route, [BillNumber(number)])).targets


@pytest.mark.parametrize("until_s", [1.0, 20.0])
async def test_metadata_that_are_being_loaded_take_no_status_from_the_source_form(
    monkeypatch: pytest.MonkeyPatch, until_s: float
) -> None:
    """The site refuses a field since its metadata are not whole yet, and tells these so as well."""
    told = FormRows._field_keys

    async def keys(self: FormRows, form: str) -> frozenset[str]:
        known = await told(self, form)
        assert STATUS.lower() in known
        return known - {STATUS.lower()} if anyio.current_time() < until_s else known

    refuse_where(monkeypatch, until(until_s, STATUS))
    monkeypatch.setattr(FormRows, "_field_keys", keys)
    assert not await unapproved_is_pushed()


async def test_a_field_that_metadata_tell_is_not_believed_to_be_lacking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The site refuses it for forty seconds, though its metadata tell it."""
    refuse_where(monkeypatch, until(80.0, STATUS))
    assert not await unapproved_is_pushed()


async def test_refusals_of_one_field_say_nothing_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The form lacks FCloseStatus, metadata are not told; half a minute later a reload begins."""

    def refuses(form: str, fields: Sequence[str], _what: str) -> str | None:
        if form != PURCHASE_ORDER.id:
            return None
        if STATUS in fields and 30 < anyio.current_time() < 45:
            return STATUS
        return "FCloseStatus" if "FCloseStatus" in fields else None

    async def keys(_self: FormRows, _form: str) -> frozenset[str]:
        return frozenset()

    refuse_where(monkeypatch, refuses)
    monkeypatch.setattr(FormRows, "_field_keys", keys)
    assert not await unapproved_is_pushed()


@pytest.mark.parametrize("metadata", ["told", "refused"])
async def test_a_lost_answer_is_settled_while_pushes_go_on_though_no_maker_is_told(
    monkeypatch: pytest.MonkeyPatch, metadata: str
) -> None:
    """The target form lacks who made a document; its other fields are read in each second."""

    async def keys(_self: FormRows, _form: str) -> frozenset[str]:
        return frozenset()

    refused = refuse_where(monkeypatch, until(math.inf, "FCreatorId.FName", IN_STOCK.id))
    if metadata == "refused":
        monkeypatch.setattr(FormRows, "_field_keys", keys)
    plan = steps(*["ok"] * 5, "make-then-reset")
    options = sandbox(plan, orders=300, latency_s=2.0, look_s=0.1, **OPEN)
    office, numbers = Office(options), orders(200)
    await office.open_run(numbers)
    settled = []

    async def watch(_: Context) -> None:
        lost, began_s = await until_lost(office), anyio.current_time()
        while (await office.rows())[lost].state is State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        settled.append(anyio.current_time() - began_s)

    throttle = steered(concurrency=4, chunk_size=1)
    await office.execute(throttle=throttle, settle=SettleTimes(), beside=watch, check=False)
    assert refused
    assert settled
    assert settled[0] < 90


async def test_a_field_is_lacking_though_each_call_of_a_site_takes_four_minutes() -> None:
    """A question and one of the metadata lie between two refusals of a field."""
    numbers = orders(3)
    office = Office(sandbox(latency_s=240.0, creators=False, link_fields=False))
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), settle=SettleTimes())
    assert pushed.of(State.PUSHED) == set(numbers)
    assert anyio.current_time() < 4 * 3600
