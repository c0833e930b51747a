"""Submit and Audit over the wire: their answers, their faults, plug-ins and people in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest

from k3push.simulator import (
    FAULT_NAMES,
    PRESETS,
    Aimed,
    AnswerStyle,
    Channel,
    Does,
    FaultPlan,
    Hand,
    QueryLimits,
    Seeded,
    Site,
    Step,
    Successor,
    fault,
)
from k3push.simulator.books.forms import PAYABLE
from k3push.simulator.fault_plans.faults import Work
from tests.simulator.clients import Client, logged_in, site_of

pytestmark = pytest.mark.anyio

A, B, C = "CGDD0000001", "CGDD0000002", "CGDD0000003"


async def pushed(*numbers: str, **options: Any) -> tuple[Site, Client, list[int]]:
    """Give a site where these orders were pushed, a client, and the ids of their documents."""
    site = site_of(**options)
    client = await logged_in(site)
    status = await client.push(*numbers)
    return site, client, [entity["Id"] for entity in status["SuccessEntitys"]]


def statuses(site: Site, *numbers: str) -> str:
    """Give the status of each document of some orders."""
    return "".join(bill.status for number in numbers for bill in site.world.documents_of(number))


async def test_an_answer_names_the_documents_in_the_order_of_the_database() -> None:
    """As Audit's was seen (P 7.2), with the places of those that failed (P 4.5)."""
    _, client, (first, second) = await pushed(A, B)
    await client.operate("Submit", first)
    assert await client.operate("Submit", second, first) == {
        "ErrorCode": 500,
        "IsSuccess": False,
        "Errors": [
            {
                "FieldName": "",
                "Message": "单据编号为“CGRK0000001”的采购入库单，"
                "只有暂存、创建和重新审核的数据才允许提交！",
                "DIndex": 0,
            }
        ],
        "SuccessEntitys": [{"Id": second, "Number": "CGRK0000002", "DIndex": 1}],
        "SuccessMessages": [],
        "MsgCode": 11,
    }


async def test_documents_can_be_named_by_number() -> None:
    """An array beside an empty text of ids (P 11.1)."""
    site, client, _ = await pushed(A, B)
    answer = await client.operate("Submit", Numbers=["CGRK0000001", "CGRK0000002"])
    assert answer["IsSuccess"]
    assert statuses(site, A, B) == "BB"


async def test_old_and_templates_styles_hold_for_these_answers_too() -> None:
    """A client must read ids that are text, and errors without DIndex (P 4.1)."""
    _, client, (bill,) = await pushed(A, style=AnswerStyle(old=True, text_values=True))
    answer = await client.operate("Submit", bill)
    assert answer == {
        "IsSuccess": "true",
        "Errors": [],
        "SuccessEntitys": [{"Id": str(bill), "Number": "CGRK0000001"}],
        "SuccessMessages": [],
    }


@pytest.mark.parametrize("name", [name for name in FAULT_NAMES if fault(name).connects])
async def test_every_fault_of_a_push_can_meet_a_submit(name: str) -> None:
    """The documents tell what was done, whatever the answer says."""
    site, client, ids = await pushed(A, B)
    site.faults.add(name, on=Channel.SUBMIT)
    met = fault(name)
    try:
        answer = await client.operate_raw("Submit", *ids)
    except httpx.HTTPError:
        pass
    else:
        assert answer.status_code in {200, 429, 502, 503, 519}
    if met.commit_delay_s and not met.delay_after_work_s:
        assert statuses(site, A, B) == "AA"
    site.finish()
    assert statuses(site, A, B) == ("BA" if met.work is Work.DROP_ONE else "BB" * met.works or "AA")
    assert site.truth()["faults_left"] == []


async def test_submits_and_audits_are_addressed_apart_from_pushes() -> None:
    """A script says which step meets a fault, by order or by the number of a source."""
    plan = FaultPlan(
        steps=(Step(fault("edit-lock"), Channel.AUDIT),),
        aimed_follow={(Channel.SUBMIT, B): Aimed(fault("call-limit"))},
    )
    _, client, ids = await pushed(A, B, C, faults=plan)
    codes = []
    for service, named in (("Submit", ids[:1]), ("Submit", ids[1:]), ("Audit", ids[:1])):
        codes.append((await client.operate(service, *named))["MsgCode"])
    assert codes == [0, 14, 13]


async def test_a_seed_chooses_the_faults_of_submits_and_audits() -> None:
    """It moves no fault of a push."""
    seeded = Seeded(1.0, (fault("edit-lock"),), most=1)
    _, client, ids = await pushed(A, faults=FaultPlan(seeded_follow=seeded))
    codes = [(await client.operate(each, *ids))["MsgCode"] for each in ("Submit", "Audit")]
    assert codes == [13, 13]


async def test_a_lost_session_executes_nothing() -> None:
    """The session is checked first (P 3.6)."""
    site, client, ids = await pushed(A)
    site.logins.lose_all()
    assert (await client.operate("Submit", *ids))["MsgCode"] == 1
    assert statuses(site, A) == "A"


async def test_plug_ins_need_a_pause() -> None:
    """After a push and after a submit (P 11.8)."""
    _, client, ids = await pushed(A, pause_s=5.0)
    told = []
    for service in ("Submit", "Audit"):
        told.append((await client.operate(service, *ids))["IsSuccess"])
        await anyio.sleep(5)
        told.append((await client.operate(service, *ids))["IsSuccess"])
    assert told == [False, True, False, True]


async def test_an_approval_may_tell_of_another_bill() -> None:
    """It is in the SuccessMessages alone (P 7.2)."""
    site, client, ids = await pushed(A, successors={"STK_InStock": Successor(PAYABLE)})
    await client.operate("Submit", *ids)
    answer = await client.operate("Audit", *ids)
    text = "单据编号为“AP0000001”的应付单，审核成功！"
    assert answer["SuccessMessages"] == [{"FieldName": None, "Message": text, "DIndex": 0}]
    assert len(await client.query(FormId="AP_Payable", FieldKeys="FID")) == 1
    assert site.truth()["documents"] == 1


@pytest.mark.parametrize(
    ("hands", "after"),
    [
        ([Hand(Does.DELETE)], ""),
        ([Hand(Does.CHANGE), Hand(Does.SUBMIT)], "C"),
        ([Hand(Does.CANCEL, Channel.SUBMIT, after=True)], "C"),
        ([Hand(Does.TAKE_BACK, Channel.AUDIT)], "D"),
        ([Hand(Does.UNAPPROVE, Channel.AUDIT, after=True)], "D"),
        ([Hand(Does.APPROVE, Channel.AUDIT)], "C"),
        ([Hand(Does.SAVE)], "C"),
        ([Hand(Does.UNAPPROVE, Channel.AUDIT, nth=2)], "C"),
    ],
)
async def test_a_persons_hand_comes_in_between(hands: Sequence[Hand], after: str) -> None:
    """Before or after one of the calls, and only where the status allows it."""
    site, client, ids = await pushed(A, faults=FaultPlan(hands={A: hands}))
    for service in ("Submit", "Audit"):
        await client.operate(service, *ids)
    rows = await client.query(f"FID = {ids[0]}", FieldKeys="FDocumentStatus")
    assert "".join(row[0] for row in rows) == after
    assert site.world.documents_of(A)


async def test_queries_lag_behind_a_submit_as_behind_a_push() -> None:
    """A look too early shows the status of before."""
    _, client, ids = await pushed(A, query_lag_s=30.0)
    await anyio.sleep(31)
    await client.operate("Submit", *ids)
    seen = []
    for _ in range(2):
        ((status,),) = await client.query(f"FID = {ids[0]}", FieldKeys="FDocumentStatus")
        seen.append(status)
        await anyio.sleep(31)
    assert seen == ["A", "B"]


async def test_a_quoted_number_gives_false_counts_in_silence() -> None:
    """Unless the site reads it as one, or refuses it (P 13.4)."""
    for quoted, found in (("false", 0), ("fine", 1)):
        _, client, ids = await pushed(A, limits=QueryLimits(quoted=quoted))
        for quote, count in (("'", found), ("", 1)):
            rows = await client.query(f"FID = {quote}{ids[0]}{quote}", FieldKeys="FID")
            assert len(rows) == count
    _, client, ids = await pushed(A, limits=QueryLimits(quoted="refused"))
    answer = await client.query(f"FID = '{ids[0]}'", FieldKeys="FID")
    assert answer[0][0]["Result"]["ResponseStatus"]["MsgCode"] == 4


async def test_the_preset_follow_refuses_some_and_lets_people_act() -> None:
    """A training in which every step can fail."""
    numbers = [f"CGDD{index:07d}" for index in (4, 5, 17, 21, 27)]
    plan = replace(PRESETS["follow"](0), seeded_follow=None)
    site, client, ids = await pushed(*numbers, faults=plan, orders=40)
    for service in ("Submit", "Audit"):
        await client.operate(service, *ids)
    assert statuses(site, *numbers) == "CABAD"
    assert site.world.documents_of(numbers[3])[0].deleted


async def test_the_preset_flows_lets_some_documents_wait() -> None:
    """Others are approved or rejected by people later, the rest by the client."""
    numbers = [f"CGDD{index:07d}" for index in (1, 2, 9, 14)]
    site, client, ids = await pushed(*numbers, faults="flows")
    for service in ("Submit", "Audit"):
        await client.operate(service, *ids)
    assert statuses(site, *numbers) == "CBBB"
    site.finish()
    assert statuses(site, *numbers) == "CBCD"
