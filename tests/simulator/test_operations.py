"""What may be done with a document, what the ERP says, and what becomes of the quantities."""

from __future__ import annotations

from typing import Any

import pytest

from k3push.simulator import BulkHabits, OnRefusal, Operation, OperationOrder, Refusal, World
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.documents import Habits, Successor
from k3push.simulator.books.forms import IN_STOCK, PAYABLE, PURCHASE_ORDER
from k3push.simulator.books.history import By, Maker
from k3push.simulator.books.operations import Operated
from k3push.simulator.books.write_back import WriteBack
from tests.simulator.test_world import NO_PRICE, order, world_of

BY = By(Maker.CLIENT, "sandbox", 1)
NO_STOCK = Refusal(11, "单据编号为“{number}”的{form}，更新库存出现异常情况，更新库存不成功！")


def made(*numbers: str, drafts: bool = False, **options: Any) -> tuple[World, list[Bill]]:
    """Give a world in which these orders have been pushed, and their documents."""
    world = world_of(*numbers, **options)
    if drafts:
        for number in numbers:
            world.refuse(number, NO_PRICE)
    pushed = world.push(order(*numbers, drafts=drafts))
    return world, [each.target for each in pushed.made]


def do(world: World, operation: Operation, *bills: Bill, **more: Any) -> Operated:
    """Do something with documents, and keep it."""
    ids = tuple(bill.id for bill in bills)
    operated = world.operations.judge(OperationOrder(operation, IN_STOCK.id, ids, **more))
    world.carry_out(operated, BY)
    return operated


def said(operated: Operated) -> list[str]:
    """Give what the ERP says."""
    return [problem.text for problem in operated.problems]


def test_a_document_is_submitted_then_approved_then_done() -> None:
    """Each step needs the one before it, and none works twice (P 11.2 to 11.4)."""
    world, (bill,) = made("A1")
    named = f"单据编号为“{bill.number}”的采购入库单，"
    assert said(do(world, Operation.AUDIT, bill)) == ["请先提交审核!"]
    assert said(do(world, Operation.SUBMIT, bill)) == []
    assert bill.status == "B"
    refused = [f"{named}只有暂存、创建和重新审核的数据才允许提交！"]
    assert said(do(world, Operation.SUBMIT, bill)) == refused
    assert said(do(world, Operation.AUDIT, bill)) == []
    assert bill.status == "C"
    assert said(do(world, Operation.AUDIT, bill)) == [f"{named}单据已经审核！"]
    assert said(do(world, Operation.SUBMIT, bill)) == refused
    deeds = world.documents.history.deeds_of(bill)
    assert [(deed.operation, deed.before, deed.after) for deed in deeds] == [
        (Operation.SUBMIT, "A", "B"),
        (Operation.AUDIT, "B", "C"),
    ]


@pytest.mark.parametrize("to", ["D", "B"])
def test_steps_can_be_taken_back(to: str) -> None:
    """A submit that is taken back leaves D (P 11.5); of UnAudit two things are reported."""
    world, (bill,) = made("A1", habits=Habits(unaudit_to=to))
    do(world, Operation.SUBMIT, bill)
    do(world, Operation.CANCEL_ASSIGN, bill)
    assert bill.status == "D"
    assert said(do(world, Operation.CANCEL_ASSIGN, bill))
    do(world, Operation.SUBMIT, bill)
    do(world, Operation.AUDIT, bill)
    assert bill.status == "C"
    do(world, Operation.UNAUDIT, bill)
    assert (bill.status, bill.approved) == (to, None)
    assert said(do(world, Operation.UNAUDIT, bill))


def test_a_deleted_document_is_gone_and_its_quantity_is_free() -> None:
    """What is submitted or approved cannot be deleted (P 7.6)."""
    world, (bill,) = made("A1")
    do(world, Operation.SUBMIT, bill)
    assert said(do(world, Operation.DELETE, bill))
    do(world, Operation.CANCEL_ASSIGN, bill)
    do(world, Operation.DELETE, bill)
    assert world.store.by_id(IN_STOCK, bill.id) is None
    assert world.store.by_source_number(IN_STOCK, "A1") == []
    assert world.documents_of("A1") == (bill,)
    assert len(world.push(order("A1")).made) == 1


def test_a_draft_gets_its_number_when_it_is_submitted() -> None:
    """Submitting saves it, and only then does it take quantity."""
    world, (bill,) = made("A1", drafts=True)
    assert said(do(world, Operation.SUBMIT, bill)) == [NO_PRICE.text]
    assert bill.status == "Z"
    world.allow("A1")
    do(world, Operation.SUBMIT, bill)
    assert (bill.status, bill.number) == ("B", "CGRK0000001")
    assert world.store.by_number(IN_STOCK, bill.number) == [bill]
    assert world.store.by_number(PURCHASE_ORDER, "A1")[0].closed


def test_a_person_may_fill_a_draft_in_or_change_quantities() -> None:
    """Both leave a trace in the date of the last change."""
    world, (bill,) = made("A1", drafts=True)
    world.save(bill)
    assert (bill.status, bill.number) == ("A", "CGRK0000001")
    world.save(bill, [4, 1])
    assert bill.changed is not None
    (source,) = world.store.by_number(PURCHASE_ORDER, "A1")
    assert [entry.left for entry in source.entries] == [6, 4]


def test_operations_can_be_refused_by_order_of_the_trial() -> None:
    """Negative stock refuses an audit, and a missing warehouse a submit."""
    world, bills = made("A1", "A2")
    world.refuse("A1", NO_STOCK, Operation.AUDIT)
    do(world, Operation.SUBMIT, *bills)
    refused = NO_STOCK.text.replace("{number}", bills[0].number).replace("{form}", "采购入库单")
    assert said(do(world, Operation.AUDIT, *bills)) == [refused]
    assert [bill.status for bill in bills] == ["B", "C"]
    world.allow("A1")
    assert said(do(world, Operation.AUDIT, bills[0])) == []


def test_write_back_at_audit_follows_the_approval() -> None:
    """An approval takes the quantity, and its end gives it back."""
    world, (bill,) = made("A1", habits=Habits(WriteBack.AUDIT))
    (source,) = world.store.by_number(PURCHASE_ORDER, "A1")
    lefts = []
    for operation in (Operation.SUBMIT, Operation.AUDIT, Operation.UNAUDIT):
        do(world, operation, bill)
        lefts.append(source.entries[0].left)
    assert lefts == [10, 0, 10]


@pytest.mark.parametrize(
    ("on_refusal", "statuses", "problems"),
    [(OnRefusal.PARTIAL, "BC", 1), (OnRefusal.SILENT, "BC", 0), (OnRefusal.WHOLE, "BB", 1)],
)
def test_one_bad_document_of_a_call_may_do_this_or_that_to_the_others(
    on_refusal: OnRefusal, statuses: str, problems: int
) -> None:
    """No real answer is known (P 11.11), so a client must not count on one."""
    world, bills = made("A1", "A2", bulk=BulkHabits(on_refusal))
    world.refuse("A1", NO_STOCK, Operation.AUDIT)
    do(world, Operation.SUBMIT, *bills)
    answer = do(world, Operation.AUDIT, *bills)
    assert "".join(bill.status for bill in bills) == statuses
    assert len(answer.problems) == problems
    assert [problem.index for problem in answer.problems] == [0] * problems


@pytest.mark.parametrize("names_all", [False, True])
def test_a_call_may_pass_over_documents_in_silence(*, names_all: bool) -> None:
    """As UnAudit of eleven did, which made one effective (P 11.11)."""
    world, bills = made("A1", "A2", "A3", bulk=BulkHabits(most=1, names_all=names_all))
    answer = do(world, Operation.SUBMIT, *bills)
    assert [bill.status for bill in bills] == ["B", "A", "A"]
    assert said(answer) == []
    assert list(answer.named) == (bills if names_all else bills[:1])


def test_documents_are_named_by_id_or_number_and_ids_win() -> None:
    """Unknown ones vanish beside others (P 4.6), and alone they are an error."""
    world, (first, second) = made("A1", "A2")
    ask = OperationOrder(Operation.SUBMIT, "stk_instock", numbers=(second.number, "NOPE"))
    assert world.operations.find(ask) == (second,)
    both = OperationOrder(Operation.SUBMIT, IN_STOCK.id, (first.id, 7), (second.number,))
    assert world.operations.find(both) == (first,)
    for changes, text in (
        ({"ids": (7,)}, '内码值["7"]不存在'),
        ({"numbers": ("NOPE",)}, '编码值["NOPE"]不存在'),
        ({}, "编码值或内码值必须传其一"),
        ({"form": "XX"}, "标识为“XX”的业务对象不存在，或者被删除"),
    ):
        asked: dict[str, Any] = {"form": IN_STOCK.id, **changes}
        assert said(world.operations.judge(OperationOrder(Operation.SUBMIT, **asked))) == [text]


def test_what_is_kept_late_passes_over_what_somebody_else_did_meanwhile() -> None:
    """Nobody approves twice, though both were told that they did."""
    world, (bill,) = made("A1")
    do(world, Operation.SUBMIT, bill)
    ask = OperationOrder(Operation.AUDIT, IN_STOCK.id, (bill.id,))
    slow = world.operations.judge(ask)
    world.approve(bill)
    assert world.carry_out(slow, BY) == ()
    assert [deed.by.maker for deed in world.documents.history.deeds_of(bill)] == [
        Maker.CLIENT,
        Maker.PERSON,
    ]


@pytest.mark.parametrize("approved", [False, True])
def test_an_approval_may_make_another_bill(*, approved: bool) -> None:
    """The answer names it among the SuccessMessages (P 11.9), and it is the ERP's own."""
    world, (bill,) = made(
        "A1", habits=Habits(successors={IN_STOCK.id: Successor(PAYABLE, approved)})
    )
    do(world, Operation.SUBMIT, bill)
    do(world, Operation.AUDIT, bill)
    (making,) = world.makings_of(bill.number)
    assert (making.maker, making.target.form) == (Maker.ERP, PAYABLE)
    assert making.target.status == ("C" if approved else "A")
    assert world.store.by_source_id(PAYABLE, bill.id) == [making.target]
