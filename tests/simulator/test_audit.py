from __future__ import annotations

from typing import Any

import httpx
import pytest

from k3push.simulator import Policy, PushOrder, Refusal, World, audit
from tests.pushing.office import orders, steps
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
    assert audit(ledger, world, expected=[A, B, "CGDD0000003"]) == []


def test_merged_and_split_targets_are_no_duplicates() -> None:
    """A policy may give a number several documents, as long as one push made them."""
    for policy in (Policy.MERGE, Policy.SPLIT):
        world = site_of(policy=policy).world
        push(world, A, B)
        ledger = [row(world, A, "pushed"), row(world, B, "already")]
        assert audit(ledger, world) == []


def test_a_number_made_by_two_pushes_is_a_duplicate() -> None:
    """This is the finding that must never be made of k3push."""
    world = unpriced()
    push(world, A, drafts=True)
    push(world, A, drafts=True)
    (finding,) = audit([row(world, A, "draft")], world)
    assert "2 pushes" in finding


def test_rows_that_deny_documents_are_found() -> None:
    """A `planned` or `rejected` number with a document will be pushed again."""
    world = site_of().world
    push(world, A, B)
    findings = audit([row(world, A, "planned"), row(world, B, "rejected")], world)
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
        findings = audit([*ledger, row(world, number, state, **changes)], world)
        assert len(findings) == 1, (state, number, findings)


def test_missing_rows_are_found() -> None:
    """A document that no row tells of is a lost outcome; so is an expected number."""
    world = site_of().world
    push(world, A)
    findings = audit([], world, expected=[B])
    assert [finding.split(":")[0] for finding in findings] == [A, B]


@pytest.mark.anyio
async def test_the_audit_sees_what_a_naive_client_does() -> None:
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
    findings = audit(rows, site.world, orders(3))
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
    assert audit(told, world, since=before) == []
    assert len(audit(told, world)) == 2
    (wrong,) = audit([row(world, A, "draft", target_ids=str(old.id))], world, since=before)
    assert str(new.id) in wrong
