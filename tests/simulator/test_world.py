from __future__ import annotations

from typing import Any

import pytest

from k3push.simulator import OnRefusal, Policy, PushOrder, Refusal, World
from k3push.simulator.books.collation import exact
from k3push.simulator.books.conversion import Conversion
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from tests.simulator.clients import noon, site_of


def world_of(*numbers: str, **options: Any) -> World:
    """Give a world that holds these purchase orders, each with the supplier of its first letter."""
    world = World(noon, **options)
    for number in numbers:
        world.add_source(PURCHASE_ORDER, number, quantities=(10, 5), party=number[0])
    return world


def order(*numbers: str, drafts: bool = False) -> PushOrder:
    """Ask for these purchase orders to be pushed into stock."""
    return PushOrder(
        PURCHASE_ORDER.id,
        numbers,
        rule_id="PUR_PurchaseOrder-STK_InStock",
        draft_when_save_fails=drafts,
    )


def said(conversion: Conversion) -> list[tuple[int, str]]:
    """Give what a conversion complains of."""
    return [(problem.code, problem.text) for problem in conversion.problems]


NO_PRICE = Refusal(11, "第1行分录，非赠品单价不能为0", saving=True)


def test_a_saved_target_takes_the_quantity_of_its_source() -> None:
    """Write-back runs on saving, so a second push of the same order finds nothing left."""
    world = world_of("A1")
    world.push(order("A1"))
    again = world.push(order("A1"))
    assert [code for code, _ in said(again)] == [11]
    assert len(world.documents_of("A1")) == 1


def test_a_draft_takes_no_quantity() -> None:
    """This is how a resend doubles documents, and the reason why k3push exists."""
    world = world_of("A1")
    world.refuse("A1", NO_PRICE)
    world.push(order("A1", drafts=True))
    world.push(order("A1", drafts=True))
    assert [bill.status for bill in world.documents_of("A1")] == ["Z", "Z"]
    assert [making.push for making in world.makings_of("A1")] == [1, 2]


def test_a_target_that_cannot_be_saved_is_no_draft_unless_drafts_are_asked_for() -> None:
    """IsDraftWhenSaveFail is off by default."""
    world = world_of("A1")
    world.refuse("A1", NO_PRICE)
    assert said(world.push(order("A1"))) == [(11, NO_PRICE.text)]
    assert world.documents_of("A1") == ()


def test_merge_makes_one_target_for_each_supplier_of_a_call() -> None:
    """The rule groups, so the client cannot count on one target for one source."""
    world = world_of("A1", "B1", "A2", policy=Policy.MERGE)
    world.push(order("A1", "B1", "A2"))
    assert world.documents_of("A1") == world.documents_of("A2")
    assert world.documents_of("A1") != world.documents_of("B1")
    assert world.truth()["documents"] == 2


def test_split_makes_two_targets_that_share_the_quantity() -> None:
    """One source may have several documents from a single push, which is no duplicate."""
    world = world_of("A1", policy=Policy.SPLIT)
    world.push(order("A1"))
    quantities = [[e.quantity for e in bill.entries] for bill in world.documents_of("A1")]
    assert quantities == [[5, 3], [5, 2]]
    assert {making.push for making in world.makings_of("A1")} == {1}


def test_targets_come_in_the_order_of_the_database() -> None:
    """The order of the request says nothing about the order of the answer."""
    world = world_of("A1", "A2", "A3")
    conversion = world.push(order("A3", "A1", "A2"))
    assert [made.sources[0].number for made in conversion.made] == ["A1", "A2", "A3"]


def test_unknown_numbers_are_dropped_without_a_word() -> None:
    """The operation succeeds as long as one number resolves."""
    world = world_of("A1")
    conversion = world.push(order("A1", "NOPE"))
    assert (len(conversion.made), conversion.problems) == (1, ())


def test_only_unknown_numbers_are_an_error() -> None:
    """MsgCode 9 comes only when none resolves; a comma makes one number of two."""
    conversion = world_of("A1").push(order("A1,A1"))
    assert said(conversion) == [(9, '编码值["A1,A1"]不存在')]


@pytest.mark.parametrize("spelling", ["cgdd01", "ＣＧＤＤ０１", "CGDD01  "])
def test_case_width_and_trailing_blanks_tell_no_numbers_apart(spelling: str) -> None:
    """SQL Server's usual collation passes over them; an Oracle site does not."""
    assert len(world_of("CGDD01").push(order(spelling)).made) == 1
    assert world_of("CGDD01", collation=exact).push(order(spelling)).made == ()


def test_a_number_in_two_organisations_is_pushed_in_both() -> None:
    """Push knows no organisation, so a number alone may mean two bills."""
    site = site_of(twins=("CGDD0000001",))
    site.world.push(order("CGDD0000001"))
    assert {bill.org for bill in site.world.documents_of("CGDD0000001")} == {"100", "200"}


@pytest.mark.parametrize("number", ["CGDDU000000", "CGDDC000000", "CGDDX000000"])
def test_blocked_sources_are_refused_unless_the_rule_was_customised(number: str) -> None:
    """Approval, closing and cancelling are policies of the rule, not of the protocol."""
    strict, lenient = site_of().world, site_of(allow_blocked=True).world
    assert [code for code, _ in said(strict.push(order(number)))] == [11]
    assert len(lenient.push(order(number)).made) == 1


@pytest.mark.parametrize(
    ("on_refusal", "made"), [(OnRefusal.PARTIAL, 1), (OnRefusal.SILENT, 1), (OnRefusal.WHOLE, 0)]
)
def test_what_a_bad_source_does_to_the_others_is_an_option(
    on_refusal: OnRefusal, made: int
) -> None:
    """Whether one bad source aborts its call is not known, so all three must be survived."""
    world = world_of("A1", "A2", on_refusal=on_refusal)
    world.refuse("A2", Refusal(11, "单据编号为“{number}”的{form}不行"))
    assert len(world.push(order("A1", "A2")).made) == made


def test_a_target_that_cannot_be_saved_may_take_the_whole_call() -> None:
    """Without drafts, a failed save is a refusal like any other."""
    world = world_of("A1", "A2", on_refusal=OnRefusal.WHOLE)
    world.refuse("A2", NO_PRICE)
    assert said(world.push(order("A1", "A2"))) == [(11, NO_PRICE.text)]
    assert world.documents_of("A1") == ()


def test_a_refusal_can_take_the_whole_call_or_be_thrown() -> None:
    """A refused conversion shows as an error or as an exception of the server."""
    world = world_of("A1", "A2")
    world.refuse("A2", Refusal(4, "{number}：不行", whole_call=True))
    assert said(world.push(order("A1", "A2"))) == [(4, "A2：不行")]
    world.refuse("A2", Refusal(4, "抛出", thrown=True))
    assert world.push(order("A1", "A2")).thrown == "抛出"
    world.allow("A2")
    assert len(world.push(order("A1", "A2")).made) == 2


def test_what_is_not_committed_is_neither_seen_nor_in_the_way() -> None:
    """A slow transaction hides nothing from a second push: both then commit, a duplicate."""
    world = world_of("A1")
    slow = world.convert(order("A1"), "sandbox")
    assert world.documents_of("A1") == ()
    world.push(order("A1"))
    world.commit(slow)
    assert len(world.documents_of("A1")) == 2


def test_a_wrong_link_hides_no_document() -> None:
    """Makings are counted apart from what queries show."""
    world = world_of("A1")
    world.commit(world.convert(order("A1"), "sandbox", mislink=True))
    assert len(world.documents_of("A1")) == 1
    assert world.store.by_source_number(IN_STOCK, "A1") == []


def test_sources_can_be_named_by_id_and_by_entry() -> None:
    """By entries, the other lines of the bill keep their quantity."""
    world = world_of("A1", "A2")
    first = world.store.by_number(PURCHASE_ORDER, "A1")[0]
    rule = "PUR_PurchaseOrder-STK_InStock"
    by_id = PushOrder(PURCHASE_ORDER.id, ids=(first.id,), rule_id=rule)
    second = world.store.by_number(PURCHASE_ORDER, "A2")[0]
    by_entry = PushOrder(PURCHASE_ORDER.id, entry_ids=(second.entries[0].id,), rule_id=rule)
    assert len(world.push(by_id).made) == 1
    assert len(world.push(by_entry).made[0].target.entries) == 1
    assert [entry.left for entry in second.entries] == [0, 5]
    (rest,) = world.push(order("A2")).made
    assert [entry.quantity for entry in rest.target.entries] == [5]


def test_ids_that_do_not_exist_are_an_error() -> None:
    """An internal id is looked up like a number."""
    conversion = world_of("A1").push(
        PushOrder(PURCHASE_ORDER.id, ids=(7,), rule_id="PUR_PurchaseOrder-STK_InStock")
    )
    assert said(conversion) == [(9, '内码值["7"]不存在')]


def test_a_push_needs_sources_and_a_rule() -> None:
    """The rule is named, or the pair's default is asked for."""
    world = world_of("A1")
    assert [code for code, _ in said(world.push(order()))] == [8]
    no_rule = PushOrder(PURCHASE_ORDER.id, ("A1",), target_form=IN_STOCK.id)
    assert said(world.push(no_rule)) == [(4, "未启用默认转换规则，转换规则内码（RuleId）必填")]
    default = PushOrder(PURCHASE_ORDER.id, ("A1",), target_form="stk_instock", default_rule=True)
    assert len(world.push(default).made) == 1


def test_the_truth_names_each_document_of_a_source_and_its_push() -> None:
    """Tests and the sandbox's page compare ledgers with it."""
    world = world_of("A1", "A2")
    world.push(order("a1"))
    (bill,) = world.documents_of("A1")
    assert world.truth() == {
        "pushes": 1,
        "documents": 1,
        "sources": {
            "A1": [
                {
                    "form": "STK_InStock",
                    "id": bill.id,
                    "number": "CGRK0000001",
                    "status": "A",
                    "creator": bill.creator,
                    "push": 1,
                    "by": "client",
                    "cancelled": False,
                    "deleted": False,
                    "in_flow": False,
                    "deeds": [],
                }
            ]
        },
    }


def test_the_same_seed_gives_the_same_orders() -> None:
    """A failing seed must replay exactly."""
    shapes = [
        [
            (bill.party, [entry.quantity for entry in bill.entries])
            for bill in site_of(seed=seed).world.store.of_form(PURCHASE_ORDER)
        ]
        for seed in (1, 1, 2)
    ]
    assert shapes[0] == shapes[1] != shapes[2]
