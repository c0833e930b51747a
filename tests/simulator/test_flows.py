"""Approval flows: who is refused, who decides, and what queries tell of it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from k3push.simulator import Approval, BulkHabits, FaultPlan, Flow, FlowNode, Site
from tests.simulator.clients import Client, logged_in, site_of

pytestmark = pytest.mark.anyio

TASKS = {
    "FormId": "WF_AssignmentBill_ProcManage",
    "FieldKeys": "FBILLNUMBER,FASSIGNNAME,FReceiverId,FReceiverId.FName,FObjectTypeId",
    "FilterString": "FStatus='0' and FActivityStatus='0' and FInstStatus='2'",
}
NUMBER = "CGDD0000001"


def flow(*nodes: FlowNode, **more: Any) -> FaultPlan:
    """Let stock bills enter a flow."""
    return FaultPlan(flows=(Flow("STK_InStock", nodes, **more),))


async def submitted(plan: FaultPlan, **options: Any) -> tuple[Site, Client, int]:
    """Give a site where a document was submitted, a client, and the document's id."""
    site = site_of(faults=plan, **options)
    client = await logged_in(site)
    (entity,) = (await client.push(NUMBER))["SuccessEntitys"]
    assert (await client.operate("Submit", entity["Id"]))["IsSuccess"]
    return site, client, entity["Id"]


async def status_of(client: Client, bill: int) -> str:
    """Read the status of a document."""
    ((status,),) = await client.query(f"FID = {bill}", FieldKeys="FDocumentStatus")
    return str(status)


WAITS = FlowNode("仓库主管审批", "王经理")


async def test_a_document_in_a_running_flow_refuses_audit() -> None:
    """Since November 2023 Audit looks for one, unless it is told not to (P 10.1 to 10.3)."""
    site, client, bill = await submitted(flow(WAITS))
    for verify in ({}, {"IsVerifyProcInst": "true"}, {"IsVerifyProcInst": ""}):
        refused = await client.operate("Audit", bill, **verify)
        assert (refused["IsSuccess"], refused["MsgCode"]) == (False, 11)
    assert await status_of(client, bill) == "B"
    assert site.truth()["sources"][NUMBER][0]["in_flow"]
    assert (await client.operate("Audit", bill, IsVerifyProcInst="false"))["IsSuccess"]
    assert await status_of(client, bill) == "C"


async def test_an_old_site_approves_past_its_flow() -> None:
    """The flow then never ends, which is why newer ones refuse (P 10.1)."""
    _, client, bill = await submitted(flow(WAITS), bulk=BulkHabits(verifies_flows=False))
    assert (await client.operate("Audit", bill))["IsSuccess"]
    assert len(await client.query(**TASKS)) == 1


async def test_tasks_and_instances_can_be_queried() -> None:
    """They say at which node a document waits, and for whom (P 10.5)."""
    _, client, _ = await submitted(flow(WAITS))
    ((number, node, person, name, form),) = await client.query(**TASKS)
    assert (number, node, name, form) == ("CGRK0000001", "仓库主管审批", "王经理", "STK_INSTOCK")
    assert isinstance(person, int)
    instances = await client.query(
        "FNumber LIKE 'CGRK0000001%' and FStatus = '2'",
        FormId="WF_ProcInstBill",
        FieldKeys="FNumber,FRECEIVERNAMES,FACTIVITYNAME,FProcDefName",
    )
    assert instances == [["CGRK0000001_20260102120000", "王经理", "仓库主管审批", "审批流程"]]


async def test_who_may_not_read_tasks_gets_an_error_and_no_empty_list() -> None:
    """So a client can tell that it does not know (P 10.5)."""
    forms = (TASKS["FormId"], "WF_ProcInstBill")
    _, client, _ = await submitted(flow(WAITS), unreadable={"sandbox": forms})
    for form in forms:
        answer = await client.query(FormId=form, FieldKeys="FStatus")
        assert answer[0][0]["Result"]["ResponseStatus"]["MsgCode"] == 2


async def test_people_process_the_nodes_one_after_the_other() -> None:
    """A processed node is not yet an approval (P 10.6)."""
    nodes = (FlowNode("一审", "甲", after_s=60), FlowNode("二审", "乙", after_s=60))
    _, client, bill = await submitted(flow(*nodes))
    seen = []
    for _ in range(3):
        tasks = await client.query(**TASKS)
        seen.append((await status_of(client, bill), [task[1] for task in tasks]))
        await anyio.sleep(61)
    assert seen == [("B", ["一审"]), ("B", ["二审"]), ("C", [])]
    history = await client.query(
        FormId="WF_AssignmentHisBill_ProcManage", FieldKeys="FASSIGNNAME,FStatus,FResultName"
    )
    assert history == [["一审", "1", "审批通过"], ["二审", "1", "审批通过"]]


async def test_a_rejected_document_is_reopened() -> None:
    """A submit can succeed and the document later turn D (P 7.5)."""
    _, client, bill = await submitted(flow(FlowNode("一审", "甲", 60, Approval.REJECT)))
    await anyio.sleep(61)
    assert await status_of(client, bill) == "D"
    assert (await client.operate("Submit", bill))["IsSuccess"]


async def test_a_flow_has_a_start_condition() -> None:
    """Documents of the integration's user can be kept out of it (P 10.1)."""
    for more, waits in (
        ({"numbers": [NUMBER.lower()]}, True),
        ({"numbers": ["CGDD0000002"]}, False),
        ({"spares": ["sandbox"]}, False),
    ):
        _, client, bill = await submitted(flow(WAITS, **more))
        assert (await client.operate("Audit", bill))["IsSuccess"] is not waits


async def test_a_node_can_be_processed_by_the_one_whose_task_it_is() -> None:
    """WorkflowAudit names its form in the data, and needs the id of the person (P 10.4)."""
    _, client, bill = await submitted(flow(WAITS))
    ((_, _, person, _, _),) = await client.query(**TASKS)
    data = {"FormId": "STK_InStock", "Ids": [bill], "ApprovalType": 1, "Disposition": "同意"}
    for user, success in ((1, False), (person, True), (person, False)):
        asked = {"data": {**data, "UserId": user}}
        answer = await client.call("DynamicFormService.WorkflowAudit", asked)
        assert answer.json()["Result"]["ResponseStatus"]["IsSuccess"] is success
    assert await status_of(client, bill) == "C"


async def test_a_taken_back_submit_ends_the_flow() -> None:
    """And the next one begins anew."""
    _, client, bill = await submitted(flow(WAITS))
    await client.operate("CancelAssign", bill)
    assert await client.query(**TASKS) == []
    await client.operate("Submit", bill)
    assert len(await client.query(**TASKS)) == 1


async def test_the_clients_own_task_is_known_by_the_id_of_its_login() -> None:
    """As WorkflowAudit wants to have it (P 10.7)."""
    site = site_of(faults=flow(FlowNode("复核", "sandbox")))
    client = await logged_in(site)
    await client.push(NUMBER)
    await client.operate("Submit", Numbers=["CGRK0000001"])
    ((person,),) = await client.query(**{**TASKS, "FieldKeys": "FReceiverId"})
    assert (await client.log_in())["Context"]["UserId"] == person
