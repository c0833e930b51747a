"""The sandbox's own proof of what was submitted and approved."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from k3push.simulator import Channel, FaultPlan, Flow, FlowNode, Site, check_ledger
from k3push.simulator.books.forms import IN_STOCK
from tests.simulator.clients import Client, logged_in, site_of

pytestmark = pytest.mark.anyio

A, B = "CGDD0000001", "CGDD0000002"
WAITS = FaultPlan(flows=(Flow("STK_InStock", (FlowNode("一审", "甲"),)),))


async def pushed(**options: Any) -> tuple[Site, Client, int]:
    """Give a site where an order was pushed, a client, and its document's id."""
    site = site_of(**options)
    client = await logged_in(site)
    (entity,) = (await client.push(A))["SuccessEntitys"]
    return site, client, entity["Id"]


async def look(client: Client) -> None:
    """Read the status of every stock bill."""
    await client.query()


def told(site: Site, follow: str, number: str = A) -> list[str]:
    """Audit one row."""
    bills = site.world.documents_of(number)
    row = {
        "number": number,
        "state": "pushed",
        "targets": [bill.number for bill in bills],
        "target_ids": [bill.id for bill in bills],
        "follow": follow,
    }
    return check_ledger([row], site.world)


async def test_a_true_row_is_found_clean() -> None:
    """Whatever a step is called, it was done, once, after a look."""
    site, client, bill = await pushed()
    assert told(site, "") == []
    await client.operate("Submit", bill)
    assert told(site, "submitted") == []
    await look(client)
    await client.operate("Audit", bill)
    assert told(site, "approved") == told(site, "unknown") == []


@pytest.mark.parametrize("follow", ["submitted", "approved", "waiting", "done"])
async def test_a_row_must_not_claim_a_step_that_was_not_done(follow: str) -> None:
    """Nobody would look again."""
    site, _, _ = await pushed()
    assert len(told(site, follow)) == 1


@pytest.mark.parametrize("follow", ["", "submitted", "refused"])
async def test_a_row_must_not_deny_an_approval(follow: str) -> None:
    """Somebody would do it again by hand."""
    site, client, bill = await pushed()
    await client.operate("Submit", bill)
    await look(client)
    await client.operate("Audit", bill)
    assert len(told(site, follow)) == 1


async def test_a_person_may_have_gone_on_since() -> None:
    """A status need only have been reached."""
    site, client, bill = await pushed()
    await client.operate("Submit", bill)
    await look(client)
    await client.operate("Audit", bill)
    site.world.unapprove(site.world.documents_of(A)[0])
    assert told(site, "approved") == []


async def test_a_repeated_call_needs_a_look_that_arrived() -> None:
    """A call is repeated only after a read that shows that it did nothing."""
    for name, findings in (("ok", 0), ("html-502", 1), ("null-values", 1)):
        site, client, bill = await pushed()
        site.faults.add("make-then-reset", on=Channel.SUBMIT)
        site.faults.add(name, on=Channel.QUERY)
        with pytest.raises(httpx.ReadError):
            await client.operate_raw("Submit", bill)
        await client.call("DynamicFormService.ExecuteBillQuery", {"data": QUERY})
        await client.operate("Submit", bill)
        assert len(told(site, "submitted")) == findings


QUERY = {"FormId": "STK_InStock", "FieldKeys": "FID,FDocumentStatus"}


async def test_a_call_that_was_denied_may_be_repeated_at_once() -> None:
    """An edit lock or a lost session says that nothing was done."""
    site, client, bill = await pushed()
    site.faults.add("edit-lock", "lose-session", "ok", on=Channel.SUBMIT)
    await client.operate("Submit", bill)
    await client.operate("Submit", bill)
    await client.log_in()
    await client.operate("Submit", bill)
    assert told(site, "submitted") == []


async def test_a_document_is_approved_once() -> None:
    """Who approves again what a person took back overwrites his hand."""
    site, client, bill = await pushed()
    (target,) = site.world.documents_of(A)
    for service in ("Submit", "Audit", "Submit", "Audit"):
        await look(client)
        await client.operate(service, bill)
        if target.status == "C":
            site.world.unapprove(target)
    assert len(told(site, "approved")) == 2


async def test_nothing_is_approved_past_its_flow() -> None:
    """Unless somebody set the switch for it, which the check does not excuse."""
    site, client, bill = await pushed(faults=WAITS)
    await client.operate("Submit", bill)
    assert told(site, "waiting") == []
    await look(client)
    await client.operate("Audit", bill, IsVerifyProcInst="false")
    assert len(told(site, "approved")) == 1


async def test_nobody_elses_document_is_followed() -> None:
    """A call that names one is found, though it may have been refused."""
    site, client, _ = await pushed()
    foreign = site.world.add_target(IN_STOCK, B)
    site.world.submit(foreign)
    await client.operate("Submit", foreign.id)
    assert told(site, "") == [f"document {foreign.id}: named in a call, and it is not the client's"]
    assert check_ledger([], site.world, follows_already=True) != told(site, "")


async def test_rows_without_the_column_are_held_against_nothing() -> None:
    """Older exports have none; what must never be is found all the same."""
    site, client, bill = await pushed()
    await client.operate("Submit", bill)
    await client.operate("Submit", bill)
    (finding,) = check_ledger(
        [{"number": A, "state": "pushed", "targets": "CGRK0000001", "target_ids": str(bill)}],
        site.world,
    )
    assert "without a look" in finding
