"""What targets take from their sources, and when a source is closed for it."""

from __future__ import annotations

import pytest

from k3push.simulator import Policy, PushOrder, Refusal, World, WriteBack
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.documents import Habits
from k3push.simulator.books.forms import PURCHASE_ORDER
from tests.simulator.clients import logged_in, site_of
from tests.simulator.test_world import NO_PRICE, order, said, world_of


def source(world: World, number: str = "A1") -> Bill:
    """Give a source bill."""
    return world.store.by_number(PURCHASE_ORDER, number)[0]


def entries(world: World, *places: int) -> PushOrder:
    """Ask for some lines of A1."""
    ids = tuple(source(world).entries[place].id for place in places)
    return PushOrder(PURCHASE_ORDER.id, entry_ids=ids, rule_id="PUR_PurchaseOrder-STK_InStock")


@pytest.mark.parametrize("policy", Policy)
def test_a_source_that_is_used_up_is_closed(policy: Policy) -> None:
    """So the second push of a list is told that its sources are closed (P 13.3)."""
    world = world_of("A1", "A2", policy=policy)
    world.push(order("A1"))
    assert [source(world, number).closed for number in ("A1", "A2")] == [True, False]
    assert said(world.push(order("A1"))) == [
        (11, "单据编号为“A1”的采购订单已关闭，不能下推！"),
    ]


def test_lines_close_one_by_one_and_the_bill_with_the_last() -> None:
    """A partial push leaves the bill open for the rest."""
    world = world_of("A1")
    world.push(entries(world, 0))
    assert [line.closed for line in source(world).entries] == [True, False]
    assert not source(world).closed
    world.push(entries(world, 1))
    assert source(world).closed


def test_what_is_not_saved_closes_nothing() -> None:
    """A draft takes no quantity, so its source stays open for a second one."""
    world = world_of("A1", "A2")
    world.refuse("A1", NO_PRICE)
    world.push(order("A1", "A2", drafts=True))
    assert [source(world, number).closed for number in ("A1", "A2")] == [False, True]


def test_a_site_may_leave_used_up_sources_open() -> None:
    """Then the ERP speaks of the quantity, and not of closing."""
    world = world_of("A1", habits=Habits(closes=False))
    world.push(order("A1"))
    assert not source(world).closed
    assert said(world.push(order("A1"))) == [(11, "单据编号为“A1”的采购订单没有可下推的数量！")]


@pytest.mark.parametrize("write_back", [WriteBack.AUDIT, WriteBack.NEVER])
def test_without_write_back_at_saving_a_second_push_makes_a_second_document(
    write_back: WriteBack,
) -> None:
    """Nothing but the client stands between such a site and its duplicates (P 13.1)."""
    world = world_of("A1", habits=Habits(write_back))
    world.push(order("A1"))
    world.push(order("A1"))
    assert [making.push for making in world.makings_of("A1")] == [1, 2]
    assert not source(world).closed


def test_write_back_at_audit_waits_for_the_approval() -> None:
    """Receivables and payables take their quantity only then."""
    world = world_of("A1", habits=Habits(WriteBack.AUDIT))
    (made,) = world.push(order("A1")).made
    world.approve(made.target)
    assert (made.target.status, source(world).closed) == ("C", True)


@pytest.mark.parametrize("write_back", WriteBack)
def test_a_cancelled_target_gives_back_what_it_took(write_back: WriteBack) -> None:
    """Its source is open again, and the quantities decide whether it may travel."""
    world = world_of("A1", habits=Habits(write_back))
    (made,) = world.push(order("A1")).made
    world.cancel(made.target)
    assert made.target.cancelled
    assert [line.left for line in source(world).entries] == [10, 5]
    assert not source(world).closed
    assert len(world.push(order("A1")).made) == 1


def test_a_target_that_took_nothing_gives_nothing_back() -> None:
    """A draft is cancelled without a trace."""
    world = world_of("A1")
    world.refuse("A1", Refusal(11, "单价不能为0", saving=True))
    (made,) = world.push(order("A1", drafts=True)).made
    world.cancel(made.target)
    assert [line.left for line in source(world).entries] == [10, 5]


def test_one_of_two_documents_of_the_same_quantity_leaves_none_free() -> None:
    """After a duplicate, cancelling the one still leaves the other."""
    world = world_of("A1")
    slow = world.convert(order("A1"), "sandbox")
    world.push(order("A1"))
    world.commit(slow)
    world.cancel(slow.made[0].target)
    assert [line.left for line in source(world).entries] == [0, 0]
    assert source(world).closed


@pytest.mark.anyio
async def test_queries_show_what_is_left_and_what_is_closed() -> None:
    """Both are fields of the source form (P 13.4)."""
    client = await logged_in(site_of())
    await client.push("CGDD0000001")
    keys = "FBillNo,FCloseStatus,FMRPCloseStatus,FRemainStockInQty"
    asked = {"FormId": "PUR_PurchaseOrder", "FieldKeys": keys}
    rows = await client.query("FBillNo = 'CGDD0000001'", **asked)
    assert {tuple(row) for row in rows} == {("CGDD0000001", "B", "B", 0)}
    rows = await client.query("FBillNo = 'CGDD0000002' and FRemainStockInQty > 0", **asked)
    assert {tuple(row[:3]) for row in rows} == {("CGDD0000002", "A", "A")}


def test_the_options_of_a_site_choose_its_write_back() -> None:
    """A trial chooses among sites; the usual one writes back at saving and closes."""
    usual, lax = site_of().world, site_of(write_back="never", closes=False).world
    for world in (usual, lax):
        world.push(order("CGDD0000001"))
    assert [source(world, "CGDD0000001").closed for world in (usual, lax)] == [True, False]
    assert len(lax.push(order("CGDD0000001")).made) == 1
