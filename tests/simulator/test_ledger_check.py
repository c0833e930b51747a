from __future__ import annotations

from typing import Any

import httpx
import pytest

from k3push.simulator import Maker, Policy, PushOrder, Refusal, World, check_ledger
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER, RECEIVE_BILL
from tests.runs.office import orders, steps
from tests.simulator.clients import logged_in, site_of

A, B = "CGDD0000001", "CGDD0000002"


def push(world: World, *numbers: str, drafts: bool = False) -> None:
    """Push these orders into stock."""
    rule = "PUR_PurchaseOrder-STK_InStock"
    order = PushOrder("PUR_PurchaseOrder", numbers, rule_id=rule, draft_when_save_fails=drafts)
    world.push(order)


def row(world: World, number: str, state: str, **changes: Any) -> dict[str, Any]:
    """Give the row that a truthful ledger would have, with changes."""
    bills = world.documents_of(number)
    return {
        "number": number,
        "state": state,
        "targets": ";".join(bill.number for bill in bills),
        "target_ids": ";".join(str(bill.id) for bill in bills),
        **changes,
    }


def unpriced() -> World:
    """Give a world in which A can only become a draft."""
    world = site_of().world
    world.refuse(A, Refusal(11, "单价不能为0", saving=True))
    return world


def test_a_truthful_ledger_is_found_clean() -> None:
    """No row is contradicted, `unknown` says nothing, and another spelling is the same bill."""
    world = unpriced()
    push(world, A, B, drafts=True)
    ledger = [
        row(world, A, "draft"),
        row(world, B.lower(), "pushed"),
        row(world, "CGDD0000003", "rejected"),
        row(world, "CGDD0000004", "planned"),
        row(world, "CGDD0000005", "unknown"),
    ]
    assert check_ledger(ledger, world, expected=[A, B, "CGDD0000003"]) == []


def test_merged_and_split_targets_are_no_duplicates() -> None:
    """A policy may give a number several documents, as long as one push made them."""
    for policy in (Policy.MERGE, Policy.SPLIT):
        world = site_of(policy=policy).world
        push(world, A, B)
        ledger = [row(world, A, "pushed"), row(world, B, "already")]
        assert check_ledger(ledger, world) == []


def test_a_number_made_by_two_pushes_is_a_duplicate() -> None:
    """This is the finding that must never be made of k3push."""
    world = unpriced()
    push(world, A, drafts=True)
    push(world, A, drafts=True)
    (finding,) = check_ledger([row(world, A, "draft")], world)
    assert "2 pushes" in finding


def test_rows_that_deny_documents_are_found() -> None:
    """A `planned` or `rejected` number with a document will be pushed again."""
    world = site_of().world
    push(world, A, B)
    findings = check_ledger([row(world, A, "planned"), row(world, B, "rejected")], world)
    assert [finding.split(":")[0] for finding in findings] == [A, B]


def test_rows_that_claim_too_much_are_found() -> None:
    """Targets that the world did not make, or did not make from this number."""
    world = unpriced()
    push(world, A, B, drafts=True)
    (draft,) = world.documents_of(A)
    claims: list[tuple[str, str, dict[str, Any]]] = [
        ("pushed", "CGDD0000009", {}),
        ("already", "CGDD0000009", {}),
        ("pushed", B, {"target_ids": str(draft.id)}),
        ("pushed", B, {"target_ids": None}),
        ("pushed", B, {"targets": ["CGRK9999999"]}),
        ("pushed", A, {}),
        ("draft", B, {}),
        ("sent", B, {}),
    ]
    for state, number, changes in claims:
        truthful = [row(world, A, "draft"), row(world, B, "pushed")]
        ledger = [each for each in truthful if each["number"] != number]
        findings = check_ledger([*ledger, row(world, number, state, **changes)], world)
        assert len(findings) == 1, (state, number, findings)


def test_missing_rows_are_found() -> None:
    """A document that no row tells of is a lost outcome; so is an expected number."""
    world = site_of().world
    push(world, A)
    findings = check_ledger([], world, expected=[B])
    assert [finding.split(":")[0] for finding in findings] == [A, B]


@pytest.mark.anyio
async def test_the_check_sees_what_a_naive_client_does() -> None:
    """A checker that never finds anything would find nothing here either."""
    site = site_of(faults=steps("late-commit:30", "make-then-html-502"))
    client = await logged_in(site)
    rows = []
    for number in orders(3):
        row: dict[str, object] = {"number": number, "state": "rejected"}
        while True:
            try:
                status = await client.push(number)
            except (httpx.HTTPError, ValueError):
                continue
            break
        if status["IsSuccess"]:
            made = status["SuccessEntitys"]
            row |= {"state": "pushed", "targets": [one["Number"] for one in made]}
            row["target_ids"] = [one["Id"] for one in made]
        rows.append(row)
    site.finish()
    findings = check_ledger(rows, site.world, orders(3))
    assert any("made by 2 pushes" in finding for finding in findings)
    assert any("`rejected`, yet" in finding for finding in findings)


def test_what_was_there_before_may_be_passed_over() -> None:
    """A number that is pushed again on purpose has two pushes, and only the later one is told."""
    world = unpriced()
    push(world, A, drafts=True)
    before = world.pushes
    push(world, A, drafts=True)
    old, new = world.documents_of(A)
    told = [row(world, A, "draft", target_ids=str(new.id))]
    assert check_ledger(told, world, since=before) == []
    assert len(check_ledger(told, world)) == 2
    (wrong,) = check_ledger([row(world, A, "draft", target_ids=str(old.id))], world, since=before)
    assert str(new.id) in wrong


def test_a_cancelled_document_is_none() -> None:
    """A number may travel again for it, and a row that finds it there already is untrue."""
    world = site_of().world
    cancelled = world.add_target(IN_STOCK, A, cancelled=True)
    ids, numbers = str(cancelled.id), cancelled.number
    assert check_ledger([row(world, A, "rejected"), row(world, B, "planned")], world) == []
    claims = row(world, A, "already", target_ids=ids, targets=numbers)
    assert check_ledger([claims], world) == [f"{A}: `already`, yet nothing was made"]
    push(world, A)
    (made,) = [bill for bill in world.documents_of(A) if not bill.cancelled]
    true = row(world, A, "pushed", target_ids=str(made.id), targets=made.number)
    assert check_ledger([true], world) == []
    assert len(check_ledger([row(world, A, "pushed")], world)) == 1


def test_a_push_after_a_cancelling_repeats_nothing_and_one_before_it_does() -> None:
    """Whoever cancels one of two twins does not undo that there were two."""
    again, twice = (site_of(write_back=way).world for way in ("save", "never"))
    push(again, A)
    again.cancel(again.documents_of(A)[0])
    push(again, A)
    push(twice, A)
    push(twice, A)
    twice.cancel(twice.documents_of(A)[0])
    rows = [
        row(world, A, "pushed", target_ids=str(bill.id), targets=bill.number)
        for world in (again, twice)
        for bill in world.documents_of(A)[1:]
    ]
    assert check_ledger(rows[:1], again) == []
    (finding,) = check_ledger(rows[1:], twice)
    assert "2 pushes" in finding


def test_a_row_may_name_the_twin_that_another_program_made() -> None:
    """The client cannot prevent it; what it made itself must be named in any case."""
    world = site_of(write_back="never").world
    push(world, A)
    world.push(
        PushOrder("PUR_PurchaseOrder", (A,), rule_id="PUR_PurchaseOrder-STK_InStock"),
        "rival",
        Maker.OTHER,
    )
    own, other = world.documents_of(A)
    assert check_ledger([row(world, A, "pushed")], world) == []
    for bill, findings in ((own, 0), (other, 1)):
        told = row(world, A, "pushed", target_ids=str(bill.id), targets=bill.number)
        assert len(check_ledger([told], world)) == findings


def test_what_only_others_made_must_not_be_denied_unless_it_was_typed_in() -> None:
    """A number in a text field proves nothing, a link does."""
    world = site_of().world
    world.add_target(IN_STOCK, A)
    world.add_target(IN_STOCK, B, typed=True)
    assert check_ledger([], world) == []
    assert check_ledger([row(world, A, "already"), row(world, B, "already")], world) == []
    findings = check_ledger([row(world, A, "rejected"), row(world, B, "rejected")], world)
    assert [finding.split(":")[0] for finding in findings] == [A]


def test_a_target_of_another_source_form_is_no_document_of_the_number() -> None:
    """Two modules may use the same number for two bills."""
    world = site_of().world
    foreign = world.add_target(IN_STOCK, A, source_form=RECEIVE_BILL)
    told = row(world, A, "already", target_ids=str(foreign.id), targets=foreign.number)
    assert check_ledger([told], world) == [f"{A}: `already`, yet nothing was made"]


def test_a_number_may_have_a_document_of_each_target_form() -> None:
    """Two routes of one list are two pushes, and no duplicate; a row tells of its own."""
    world = site_of(write_back="never").world
    push(world, A)
    rule = "PUR_PurchaseOrder-PUR_ReceiveBill"
    world.push(PushOrder("PUR_PurchaseOrder", (A,), rule_id=rule))
    rows = [
        row(world, A, "pushed", target_ids=str(b.id), targets=b.number, target_form=b.form.id)
        for b in world.documents_of(A)
    ]
    assert check_ledger(rows, world) == []
    push(world, A)
    assert any("2 pushes" in finding for finding in check_ledger(rows, world))


def test_a_row_with_an_id_tells_of_that_source_alone() -> None:
    """Two organisations may have one number, and each is pushed by its id."""
    world = site_of(twins=(A,), write_back="never").world
    rule = "PUR_PurchaseOrder-STK_InStock"
    sources = world.store.by_number(PURCHASE_ORDER, A)
    rows = []
    for source in sources:
        (made,) = world.push(PushOrder(PURCHASE_ORDER.id, ids=(source.id,), rule_id=rule)).made
        told = {"target_ids": str(made.target.id), "targets": made.target.number}
        rows.append({"number": A, "id": str(source.id), "state": "pushed", **told})
    assert check_ledger(rows, world, expected=[A]) == []
    assert check_ledger([rows[0], {**rows[1], "number": ""}], world) == []
    nobody = {"number": A, "id": "", "state": "rejected", "code": "ambiguous"}
    assert check_ledger([*rows, nobody], world) == []
    assert check_ledger([nobody], world) == [f"{A}: documents were made and no row tells of them"]
    assert check_ledger(rows[:1], world) == [f"{A}: documents were made and no row tells of them"]
    swapped = [
        {**row, "id": str(source.id)} for row, source in zip(rows, sources[::-1], strict=True)
    ]
    assert len(check_ledger(swapped, world)) == 2
    world.push(PushOrder(PURCHASE_ORDER.id, ids=(sources[0].id,), rule_id=rule))
    assert "2 pushes" in check_ledger(rows, world)[-1]
