"""What is kept of documents that answers have named, and no look has shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.model import BillNumber, Target, key_of
from k3push.runs.create import scope_of
from k3push.runs.proof.named_documents import NamedDocument, named_for_others, named_of, note_named
from tests.runs.office import FIRST, ROUTE, Office, VirtualClock, orders

pytestmark = pytest.mark.anyio

SCOPE = scope_of("sandbox", ROUTE)
NUMBER, OTHER = map(BillNumber, orders(2))
OTHER_ROUTE = replace(ROUTE, source="PUR_ReceiveBill")


async def noted(office: Office, documents: list[str], bills: dict[BillNumber, str]) -> None:
    """Write down that an answer has named documents."""
    now = VirtualClock().now()
    await note_named(office.store, ROUTE, documents, bills, at=now, run=FIRST, sender="sandbox")


async def test_what_an_answer_has_named_is_known_however_many_came_after_it() -> None:
    """A night in which the target form could not be read leaves thousands."""
    office = Office()
    await noted(office, ["1"], {NUMBER: "7"})
    for nth in range(1001):
        await noted(office, [str(nth + 2)], {BillNumber(f"CGDDX{nth}"): ""})
    assert await named_of(office.store, ROUTE, SCOPE, {NUMBER: "7"}) == {
        NUMBER: {"1": NamedDocument(alone=True, bills={key_of(NUMBER, "7"): "7"}, sender="sandbox")}
    }


async def test_an_id_of_another_form_tells_nothing_of_what_an_answer_has_named() -> None:
    """Each form counts its ids from one."""
    office, found = Office(), {OTHER: (Target("1", "CGRK1"),)}
    await noted(office, ["1"], {NUMBER: "7"})
    assert await named_of(office.store, OTHER_ROUTE, SCOPE, {OTHER: "7"}) == {}
    others = await named_for_others(office.store, OTHER_ROUTE, found, {OTHER: "7"})
    assert others == {OTHER: {"1"}}


async def test_a_document_is_not_told_of_another_bill_of_the_number() -> None:
    """Two organisations have it; a call by number may have carried either."""
    office, found = Office(), {NUMBER: (Target("1", "CGRK1"),)}
    await noted(office, ["1"], {NUMBER: "7"})
    named = await named_of(office.store, ROUTE, SCOPE, {NUMBER: "8"})
    assert not named[NUMBER]["1"].alone
    assert await named_for_others(office.store, ROUTE, found, {NUMBER: "8"}) == {NUMBER: {"1"}}
    assert await named_for_others(office.store, ROUTE, found, {NUMBER: "7"}) == {}
