"""Documents that answers have named, and that no look has shown of the bills of their calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.adapters.ledger.memory import MemoryLedger
from k3push.core.model import BillNumber, Target
from k3push.runs.named_documents import named_for_others, named_of, note_named
from tests.runs.office import ROUTE, VirtualClock

pytestmark = pytest.mark.anyio

A, B = BillNumber("A"), BillNumber("B")
DOCUMENT = Target("100001", "RK1")
OTHER_FORM = replace(ROUTE, source="PUR_ReceiveBill")


async def test_a_document_is_of_the_bills_of_its_call_alone() -> None:
    """They are known by number and by id, whatever number they have by now."""
    ledger = MemoryLedger(account="sandbox")
    await note_named(ledger, ROUTE, [DOCUMENT.id], {A: "1"}, at=VirtualClock().now())
    found = {A: (DOCUMENT,), B: (DOCUMENT,)}
    assert await named_for_others(ledger, ROUTE, found, {}) == {B: {DOCUMENT.id}}
    assert await named_for_others(ledger, ROUTE, found, {B: "1"}) == {}
    assert await named_of(ledger, ROUTE, "s", {A: "", B: ""}) == {A: {DOCUMENT.id: True}}


async def test_a_bill_of_another_form_is_another_bill_whatever_its_number_and_id() -> None:
    """Each form counts its ids and numbers by itself."""
    ledger = MemoryLedger(account="sandbox")
    await note_named(ledger, ROUTE, [DOCUMENT.id], {A: "1"}, at=VirtualClock().now())
    others = await named_for_others(ledger, OTHER_FORM, {A: (DOCUMENT,)}, {A: "1"})
    assert others == {A: {DOCUMENT.id}}
    assert await named_of(ledger, OTHER_FORM, "s", {A: "1"}) == {}
