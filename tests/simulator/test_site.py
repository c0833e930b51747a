from __future__ import annotations

from datetime import timedelta
from typing import Any

import anyio
import httpx
import pytest

from k3push.simulator import FAULT_NAMES, Accounts, Aimed, Channel, FaultPlan, Refusal, Texts, fault
from k3push.simulator.sandbox import beijing_time
from tests.simulator.clients import Client, client_of, logged_in, site_of

pytestmark = pytest.mark.anyio

NUMBER = "CGDD0000001"

NOTHING_DONE = [
    "refuse-connection",
    "connect-timeout",
    "reset",
    "close",
    "cut-off",
    "silence",
    "empty",
    "garbage",
    "result-null",
    "html-200",
    "html-502",
    "html-503",
    "response-error",
    "response-error-text",
    "response-error-timeout",
    "response-error-deadlock",
    "forbidden-text",
    "gateway-519",
    "too-many-429",
    "lose-session",
    "edit-lock",
    "call-limit",
    "no-licence",
    "no-permission",
    "msgcode-4",
    "msgcode-6",
    "interrupted",
]


async def exchange(client: Client, *numbers: str) -> httpx.Response | type[Exception]:
    """Push, and give the answer or the kind of break."""
    try:
        return await client.push_raw(*numbers)
    except httpx.TransportError as error:
        return type(error)


@pytest.mark.parametrize("name", FAULT_NAMES)
async def test_a_fault_does_the_work_that_its_name_says(name: str) -> None:
    """What is made before an answer is lost decides whether a resend doubles a document."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add(name)
    await exchange(client, NUMBER)
    assert site.faults.unused() == ()
    site.finish()
    made = 0 if name in NOTHING_DONE or name.startswith("drop-one") else 1
    assert len(site.world.documents_of(NUMBER)) == made


@pytest.mark.parametrize(
    ("name", "status", "begin"),
    [
        ("make-then-empty", 200, ""),
        ("make-then-html-200", 200, "<!DOCTYPE html>"),
        ("make-then-html-502", 502, "<!DOCTYPE html>"),
        ("html-503", 503, "<!DOCTYPE html>"),
        ("make-then-response-error", 200, 'response_error:{"Message":'),
        ("response-error-text", 200, "response_error:发生时间"),
        ("forbidden-text", 200, "401 Forbidden ByRspRetStatusCode"),
        ("gateway-519", 519, '{"errcode":5001'),
        ("too-many-429", 429, "<!DOCTYPE html>"),
        ("make-then-result-null", 200, '{"Result":null}'),
        ("base64-gzip", 200, "H4sI"),
        ("gzip", 200, '{"Result":{"ResponseStatus":{"IsSuccess":true'),
        ("edit-lock", 200, '{"Result":{"ResponseStatus":{"ErrorCode":500'),
    ],
)
async def test_answers_that_are_no_answers(name: str, status: int, begin: str) -> None:
    """Each was seen in front of real servers (P 1.8 to 1.13)."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add(name)
    answer = await client.push_raw(NUMBER)
    assert answer.status_code == status
    assert answer.text.startswith(begin)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("edit-lock", 13),
        ("call-limit", 14),
        ("no-licence", 7),
        ("no-permission", 2),
        ("msgcode-4", 4),
        ("msgcode-6", 6),
    ],
)
async def test_refusals_that_did_nothing_have_their_code(name: str, code: int) -> None:
    """The code is official, the text is not known (P 4.3); a query nests it."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add(name)
    site.faults.add(name, on=Channel.QUERY)
    assert (await client.push(NUMBER))["MsgCode"] == code
    assert (await client.query())[0][0]["Result"]["ResponseStatus"]["MsgCode"] == code


async def test_late_work_is_seen_only_when_it_is_committed() -> None:
    """A query that finds nothing just after a lost answer proves nothing (P 5.15)."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add("late-commit:30")
    assert await exchange(client, NUMBER) is httpx.ReadError
    await anyio.sleep(29)
    assert await client.query(f"FSRCBillNo='{NUMBER}'") == []
    assert site.truth()["work_to_come"] == 1
    await anyio.sleep(2)
    assert await client.query(f"FSRCBillNo='{NUMBER}'") != []


async def test_a_resend_before_a_late_commit_makes_a_duplicate() -> None:
    """The stand-in is as unforgiving as it can be, so that a hasty client is caught."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add("late-commit:30")
    await exchange(client, NUMBER)
    await client.push(NUMBER)
    site.finish()
    assert len(site.world.documents_of(NUMBER)) == 2


async def test_a_server_goes_on_without_its_client() -> None:
    """The work of a request whose client has timed out is done when it is due."""
    site = site_of()
    client = await logged_in(site, timeout_s=5)
    site.faults.add("delay:20", "make-then-delay:20")
    assert await exchange(client, NUMBER) is httpx.ReadTimeout
    assert site.world.documents_of(NUMBER) == ()
    assert await exchange(client, "CGDD0000002") is httpx.ReadTimeout
    assert len(site.world.documents_of("CGDD0000002")) == 1
    await anyio.sleep(11)
    await client.query()
    assert len(site.world.documents_of(NUMBER)) == 1


async def test_drop_one_leaves_the_last_source_out_of_a_success() -> None:
    """The answer names neither the source nor the lack of it (P 4.6)."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add("drop-one", "drop-one")
    status = await client.push("CGDD0000002", NUMBER)
    assert (status["IsSuccess"], len(status["SuccessEntitys"])) == (True, 1)
    assert site.world.documents_of("CGDD0000002") == ()
    alone = await client.push("CGDD0000002")
    assert (alone["IsSuccess"], alone["SuccessEntitys"]) == (True, [])


async def test_mislink_contradicts_its_own_success() -> None:
    """The answer names a target, and no link leads from it to the source."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add("mislink")
    status = await client.push(NUMBER)
    assert len(status["SuccessEntitys"]) == 1
    assert await client.query(f"FSRCBillNo='{NUMBER}'") == []
    assert len(site.world.documents_of(NUMBER)) == 1


async def test_a_lost_session_uses_up_no_step() -> None:
    """Nothing is executed, so what was to go wrong with the work goes wrong later."""
    site = site_of(accounts=Accounts(session_calls=1))
    client = await logged_in(site)
    await client.query()
    site.faults.add("make-then-reset")
    assert (await client.push(NUMBER))["MsgCode"] == 1
    assert site.faults.unused() == ("push: make-then-reset",)


async def test_a_plan_can_end_sessions_after_so_many_calls() -> None:
    """The preset `lost-session` does nothing else."""
    site = site_of(faults="lost-session")
    client = await logged_in(site)
    codes = [(await client.push(NUMBER))["MsgCode"] for _ in range(8)]
    assert codes == [0, 11, 11, 11, 11, 11, 11, 1]


async def test_logins_and_queries_meet_faults_of_their_own() -> None:
    """Reading back and logging in fail as well, and must fail safely."""
    site = site_of()
    site.faults.add("html-503", "lose-session", on=Channel.LOGIN)
    site.faults.add("empty", on=Channel.QUERY)
    client = client_of(site)
    service = "AuthService.ValidateUser"
    assert (await client.call(service, {})).status_code == 503
    assert (await client.call(service, {})).json()["Result"]["ResponseStatus"]["MsgCode"] == 1
    await client.log_in()
    empty = await client.call("DynamicFormService.ExecuteBillQuery", {"data": {}})
    assert empty.content == b""
    assert site.logins.successes == 1


async def test_a_login_without_the_right_is_refused_as_the_door_refuses() -> None:
    """No login ever answers with a ResponseStatus (P 2.2)."""
    site = site_of()
    site.faults.add("no-permission", on=Channel.LOGIN)
    answer = await client_of(site).log_in()
    assert (answer["LoginResultType"], answer["KDSVCSessionId"]) == (-1, None)
    assert site.logins.failures == 1


@pytest.mark.parametrize("name", ["html-200", "response-error", "response-error-text"])
async def test_a_server_says_what_the_trial_wants_to_hear(name: str) -> None:
    """A page or an exception with the words of a lost session catches who searches for them."""
    site = site_of(texts=Texts(page="会话已过期", exception="会话已过期"))
    client = await logged_in(site)
    site.faults.add(name)
    assert "会话已过期" in (await client.push_raw(NUMBER)).text


async def test_a_fault_and_a_refusal_can_be_aimed_at_a_number() -> None:
    """This is how a demo shows both, whatever the chunks."""
    plan = FaultPlan(
        aimed={"CGDD0000005": Aimed(fault("make-then-reset"))},
        refusals={"CGDD0000006": Refusal(13, "网控冲突")},
    )
    site = site_of(faults=plan)
    client = await logged_in(site)
    assert await exchange(client, "CGDD0000004", "CGDD0000005") is httpx.ReadError
    status = await client.push("CGDD0000003", "CGDD0000006")
    assert (status["MsgCode"], len(status["SuccessEntitys"])) == (13, 1)


async def test_a_thrown_refusal_is_text() -> None:
    """Refused conversions can surface as exceptions of the server (P 5.7)."""
    site = site_of()
    site.world.refuse(NUMBER, Refusal(4, "不行", thrown=True))
    answer = await (await logged_in(site)).push_raw(NUMBER)
    assert answer.text.startswith("response_error:")
    assert "不行" in answer.text


async def timed(client: Client, count: int, users: tuple[str, ...] = ("sandbox",)) -> float:
    """Push that many orders at once, shared out to users, and give the seconds it took."""
    clients = []
    for user in users:
        each = Client(client.http)
        answer = await each.log_in(username=user)
        clients.append({"kdservice-sessionid": answer["KDSVCSessionId"]})
    client.http.cookies.clear()
    begin_s = anyio.current_time()

    async def push(index: int) -> None:
        url = "http://sandbox/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Push"
        data = {"Numbers": [f"CGDD{index:07d}"], "RuleId": "PUR_PurchaseOrder-STK_InStock"}
        await client.http.post(
            f"{url}.common.kdsvc",
            json={"formid": "PUR_PurchaseOrder", "data": data},
            headers=clients[index % len(clients)],
        )

    async with anyio.create_task_group() as tasks:
        for index in range(count):
            tasks.start_soon(push, index)
    return anyio.current_time() - begin_s


@pytest.mark.parametrize(
    ("options", "users", "seconds"),
    [
        ({}, ("sandbox",), 1),
        ({"per_number_s": 0.5}, ("sandbox",), 1.5),
        ({"queue": "site"}, ("sandbox", "sandbox2"), 8),
        ({"queue": "user"}, ("sandbox",), 8),
        ({"queue": "user"}, ("sandbox", "sandbox2"), 4),
        ({"queue": "user", "capacity": 1}, ("sandbox", "sandbox2"), 8),
        ({"capacity": 2}, ("sandbox",), 4),
    ],
)
async def test_time_goes_by_as_the_site_is_built(
    options: dict[str, Any], users: tuple[str, ...], seconds: float
) -> None:
    """Eight calls at once show the queue and the capacity that pacing has to find out."""
    site = site_of(latency_s=1.0, **options)
    assert await timed(client_of(site), 8, users) == pytest.approx(seconds)


async def test_more_calls_at_once_than_allowed_are_refused() -> None:
    """MsgCode 14 is the ERP's only word on pace, and nothing was done (P 8.1)."""
    site = site_of(latency_s=1.0, most_at_once=3)
    await timed(client_of(site), 8)
    assert site.truth()["documents"] == 3


async def test_a_stopped_site_refuses_connections() -> None:
    """The one break that proves that nothing was sent."""
    site = site_of()
    client = await logged_in(site)
    site.accepting = False
    assert await exchange(client, NUMBER) is httpx.ConnectError
    site.accepting = True
    assert (await client.push(NUMBER))["IsSuccess"] is True


@pytest.mark.parametrize(
    ("path", "status"), [("/sandbox/", 200), ("/sandbox/nope", 404), ("/K3Cloud/nope", 404)]
)
async def test_pages_that_are_there_and_pages_that_are_not(path: str, status: int) -> None:
    """A mistyped address gets a page, as from a web server."""
    answer = await client_of(site_of()).http.get(f"http://sandbox{path}")
    assert answer.status_code == status


async def test_unknown_services_and_unreadable_bodies_are_thrown() -> None:
    """A null reference in the server's log is all that a caller of these learns."""
    client = await logged_in(site_of())
    unknown = await client.call("DynamicFormService.Nope", {})
    assert unknown.text.startswith("response_error:")
    unreadable = await client.call("DynamicFormService.Push", {"formid": "x", "data": "{"})
    assert unreadable.text.startswith("response_error:")
    no_object = await client.call("DynamicFormService.ExecuteBillQuery", {"data": [1]})
    assert no_object.text.startswith("response_error:")


async def test_the_truth_counts_logins_calls_and_what_is_to_come() -> None:
    """It is also what a user of the sandbox sees at /sandbox/truth."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add("reset")
    await client.query()
    truth = (await client.http.get("http://sandbox/sandbox/truth")).json()
    assert truth["calls"] == {"login": 1, "query": 1}
    assert truth["faults_left"] == ["push: reset"]
    assert (truth["logins"], truth["failed_logins"], truth["work_to_come"]) == (1, 0, 0)


async def test_bills_are_dated_by_the_clock_that_is_given() -> None:
    """The default is the time that servers of K/3 Cloud keep, which is not the tests' time."""
    client = await logged_in(site_of())
    await client.push(NUMBER)
    assert await client.query(FieldKeys="FCreateDate") == [["2026-01-02T12:00:00"]]
    assert beijing_time().utcoffset() == timedelta(hours=8)
