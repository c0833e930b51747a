"""What no server should do and some do: late replicas, rivals, odd answers and odd cookies."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from k3push.simulator import (
    Accounts,
    Aimed,
    AnswerStyle,
    Channel,
    FaultPlan,
    Maker,
    Rival,
    Texts,
    fault,
    serve,
)
from k3push.simulator.answers import DraftForm
from tests.simulator.clients import LOGIN, MEMORY, Client, client_of, logged_in, site_of

pytestmark = pytest.mark.anyio

NUMBER, OTHER = "CGDD0000001", "CGDD0000002"
BY_SOURCE = f"FSRCBillNo = '{NUMBER}'"


def closed(source: str = NUMBER) -> dict[str, str]:
    """Ask whether a source is closed."""
    return {
        "FormId": "PUR_PurchaseOrder",
        "FieldKeys": "FCloseStatus",
        "filter_string": f"FBillNo = '{source}'",
    }


async def test_queries_may_lag_behind_what_was_committed() -> None:
    """Neither the target nor its source's closing is seen until the replica has caught up."""
    site = site_of(query_lag_s=1.5)
    client = await logged_in(site)
    assert (await client.push(NUMBER))["IsSuccess"]
    assert await client.query(BY_SOURCE) == []
    assert await client.query(**closed()) == [["A"]]
    assert not (await client.push(NUMBER))["IsSuccess"], "the books themselves do not lag"
    await anyio.sleep(1.5)
    assert len(await client.query(BY_SOURCE)) > 0
    assert await client.query(**closed()) == [["B"]]


async def test_each_change_reaches_the_replica_in_its_turn() -> None:
    """A source that changes twice within the lag is shown in each state."""
    site = site_of(query_lag_s=10.0)
    client = await logged_in(site)
    (source,) = site.world.store.by_number(site.world.forms["pur_purchaseorder"], NUMBER)
    asked = {**closed(), "FieldKeys": "FPOOrderEntry_FSeq,FMRPCloseStatus"}
    shown = []
    for entry in source.entries[:2]:
        await client.push(EntryIds=str(entry.id))
        await anyio.sleep(4)
    for _ in range(3):
        shown.append("".join(row[1] for row in (await client.query(**asked))[:2]))
        await anyio.sleep(4)
    assert shown == ["AA", "BA", "BB"]


async def test_a_late_commit_is_seen_after_both_delays() -> None:
    """The lag begins when the work is in the books."""
    site = site_of(query_lag_s=5.0)
    client = await logged_in(site)
    site.faults.add("commit-late-then-ok:10")
    await client.push(NUMBER)
    for seconds, found in ((11, False), (5, True)):
        await anyio.sleep(seconds)
        assert bool(await client.query(BY_SOURCE)) is found
    site.finish()


async def test_the_targets_of_a_push_may_be_saved_one_after_the_other() -> None:
    """After a lost answer a look may meet the first half of a split, and not the second."""
    site = site_of(policy="split", save_gap_s=3.0)
    client = await logged_in(site)
    site.faults.add("make-then-reset")
    with pytest.raises(httpx.ReadError):
        await client.push_raw(NUMBER)
    assert len({row[0] for row in await client.query(BY_SOURCE)}) == 1
    await anyio.sleep(3)
    assert len({row[0] for row in await client.query(BY_SOURCE)}) == 2
    assert {making.push for making in site.world.makings_of(NUMBER)} == {1}
    begin_s = anyio.current_time()
    status = await client.push(OTHER)
    assert (len(status["SuccessEntitys"]), anyio.current_time() - begin_s) == (2, 3.0)
    assert len({row[0] for row in await client.query(f"FSRCBillNo = '{OTHER}'")}) == 2
    assert (await client.push(NUMBER))["IsSuccess"] is False


async def test_another_program_may_push_between_a_look_and_a_push() -> None:
    """The quantity is gone then, and the client's push is refused."""
    site = site_of(faults=FaultPlan(rivals={NUMBER: Rival()}))
    client = await logged_in(site)
    assert await client.query(BY_SOURCE) == []
    status = await client.push(NUMBER, OTHER)
    assert (status["IsSuccess"], len(status["SuccessEntitys"])) == (False, 1)
    assert [making.maker for making in site.world.makings_of(NUMBER)] == ["other"]
    assert {row[0] for row in await client.query(BY_SOURCE, FieldKeys="FCreatorId.FName")} == {
        "rival"
    }


@pytest.mark.parametrize(
    ("options", "rival"),
    [({}, Rival(at_once=True)), ({"write_back": "never"}, Rival())],
)
async def test_two_programs_make_twins_where_nothing_stops_the_second(
    options: dict[str, Any], rival: Rival
) -> None:
    """At the same moment neither sees what the other takes."""
    site = site_of(faults=FaultPlan(rivals={NUMBER: rival}), **options)
    client = await logged_in(site)
    assert (await client.push(NUMBER))["IsSuccess"]
    await client.push(NUMBER)
    makers = [making.maker for making in site.world.makings_of(NUMBER)]
    assert makers.count(Maker.OTHER) == 1
    assert Maker.CLIENT in makers


async def test_a_rival_comes_even_where_the_clients_push_does_nothing() -> None:
    """What breaks the client's call is no matter of his."""
    plan = FaultPlan(aimed={NUMBER: Aimed(fault("reset"))}, rivals={NUMBER: Rival(at_once=True)})
    site = site_of(faults=plan)
    client = await logged_in(site)
    with pytest.raises(httpx.ReadError):
        await client.push_raw(NUMBER)
    assert [making.maker for making in site.world.makings_of(NUMBER)] == ["other"]


@pytest.mark.parametrize("name", ["msgcode-4", "msgcode-6", "response-error", "reset"])
async def test_a_query_may_fail_whenever_its_filter_holds_a_number(name: str) -> None:
    """Neither another query nor a push of that number meets the guard."""
    site = site_of(faults=FaultPlan(guards={NUMBER.lower(): Aimed(fault(name), once=False)}))
    client = await logged_in(site)
    assert (await client.push(NUMBER, OTHER))["IsSuccess"]
    for _ in "ab":
        try:
            answer = await client.query(f"FSRCBillNo in ('{OTHER}', '{NUMBER}')")
        except (httpx.TransportError, ValueError):
            continue
        assert answer[0][0]["Result"]["ResponseStatus"]["IsSuccess"] is False
    assert len(await client.query(f"FSRCBillNo = '{OTHER}'")) > 0


@pytest.mark.parametrize(
    "name",
    ["reset", "html-502", "silence", "response-error-timeout", "response-error-deadlock"],
)
@pytest.mark.parametrize("work", ["", "make-then-", "commit-late-then-"])
async def test_a_bill_may_break_each_call_that_it_is_in(work: str, name: str) -> None:
    """Before its work, after it, or with a commit that comes when the client has given up."""
    site = site_of(faults=FaultPlan(aimed={NUMBER: Aimed(fault(work + name), once=False)}))
    client = await logged_in(site, timeout_s=5)
    for _ in "ab":
        try:
            answer = await client.push_raw(NUMBER, OTHER)
        except httpx.TransportError:
            continue
        assert answer.status_code == 502 or answer.text.startswith("response_error:")
    site.finish()
    made = len(site.world.documents_of(NUMBER))
    assert made == {"": 0, "make-then-": 1, "commit-late-then-": 2}[work]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("response-error-timeout", ("执行超时已过期", "Execution Timeout Expired")),
        ("response-error-deadlock", ("死锁牺牲品",)),
    ],
)
async def test_an_exception_may_speak_of_time_or_of_a_deadlock(
    name: str, words: tuple[str, ...]
) -> None:
    """The one leaves open what became of the work, the other says that it was undone."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add(name)
    said = (await client.push_raw(NUMBER)).text
    assert all(word in said for word in words)
    english = site_of(texts=Texts(timed_out="Execution Timeout Expired.", deadlock="deadlock"))
    client = await logged_in(english)
    english.faults.add(name)
    assert "执行超时" not in (await client.push_raw(NUMBER)).text


@pytest.mark.parametrize("old", [False, True])
async def test_a_server_may_deny_the_session_after_the_work(old: bool) -> None:  # noqa: FBT001
    """Its words are those of a call without a session, and the session is gone."""
    site = site_of(style=AnswerStyle(old=old))
    client = await logged_in(site)
    site.faults.add("make-then-lose-session")
    status = await client.push(NUMBER)
    assert (status["IsSuccess"], status["Errors"][0]["Message"]) == (False, "Context Is Null")
    assert len(site.world.documents_of(NUMBER)) == 1
    assert site.logins.sessions_lost == 1


async def test_the_conversion_may_name_a_target_without_the_number_that_the_save_gives() -> None:
    """It is the same id, so whoever reads both must not take it for a draft."""
    for form in DraftForm:
        site = site_of(style=AnswerStyle(conversion_names_all=True, draft_form=form))
        data = {"Numbers": [NUMBER], "RuleId": "PUR_PurchaseOrder-STK_InStock"}
        content = {"formid": "PUR_PurchaseOrder", "data": data}
        client = await logged_in(site)
        result = (await client.call("DynamicFormService.Push", content)).json()["Result"]
        (saved,) = result["ResponseStatus"]["SuccessEntitys"]
        (converted,) = result["ConvertResponseStatus"]["SuccessEntitys"]
        assert saved["Number"] == "CGRK0000001"
        assert (converted["Id"], converted["Number"]) == (str(saved["Id"]), None)


async def test_values_may_be_missing_where_every_client_reads_them() -> None:
    """A row that cannot be read tells of no bill; its number least of all."""
    site = site_of()
    client = await logged_in(site)
    site.faults.add("null-values")
    (entity,) = (await client.push(NUMBER))["SuccessEntitys"]
    assert entity["Number"] is None
    whole = await client.query()
    site.faults.add("null-values", "short-rows", "null-values", on=Channel.QUERY)
    holed, short = await client.query(), await client.query()
    assert [row.index(None) for row in holed] == [n % 4 for n in range(1, len(whole) + 1)]
    assert short == [row[:-1] for row in whole]
    refused = await client.query(FieldKeys="FNope")
    assert refused[0][0]["Result"]["ResponseStatus"]["MsgCode"] == 9


async def test_rows_that_are_objects_may_lack_values_as_well() -> None:
    """BillQuery names its columns, and may leave one out."""
    site = site_of()
    client = await logged_in(site)
    await client.push(NUMBER)
    site.faults.add("null-values", "short-rows", on=Channel.QUERY)
    asked = {"data": {"FormId": "STK_InStock", "FieldKeys": "FID,FBillNo"}}
    holed, short = [(await client.call("DynamicFormService.BillQuery", asked)).json() for _ in "ab"]
    assert list(holed[0].values())[1:] == [None]
    assert list(short[0]) == ["FID"]


ODD = {
    "twice": Accounts(cookie_twice=True),
    "bare": Accounts(cookie_without_value=True),
    "not ascii": Accounts(ids_beyond_ascii=True),
}


async def session_works(http: httpx.AsyncClient, url: str) -> Any:
    """Log in, then query with the session's id in its header, as UTF-8."""
    client = Client(http, url)
    session_id = (await client.log_in())["KDSVCSessionId"]
    http.cookies.clear()
    http.headers.update({b"kdservice-sessionid": session_id.encode()})
    return await client.query()


@pytest.mark.parametrize("odd", ODD)
async def test_cookies_and_ids_may_be_odd(odd: str) -> None:
    """Two cookies of one name, one without "=", or an id that no header may hold (P 2.5)."""
    answer = await client_of(site_of(accounts=ODD[odd])).call("AuthService.ValidateUser", LOGIN)
    cookies = [
        value.decode() for name, value in answer.headers.raw if name.lower() == b"set-cookie"
    ]
    named = [cookie for cookie in cookies if cookie.startswith("kdservice-sessionid=")]
    assert len(named) == (2 if odd == "twice" else 1)
    assert ("ASP.NET_SessionId; path=/; HttpOnly" in cookies) == (odd == "bare")
    assert all(cookie.isascii() for cookie in cookies) == (odd != "not ascii")


@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_session_opens_the_door_in_memory(odd: str) -> None:
    """The site takes back what it gave."""
    client = client_of(site_of(accounts=ODD[odd]))
    assert await session_works(client.http, MEMORY) == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("odd", ODD)
async def test_an_odd_session_opens_the_door_on_a_socket(odd: str) -> None:
    """Headers are bytes there."""
    async with anyio.create_task_group() as tasks:
        started: list[str] = []
        ready = anyio.Event()

        def tell(address: str) -> None:
            started.append(address)
            ready.set()

        async def run() -> None:
            await serve(site_of(accounts=ODD[odd]), started=tell)

        tasks.start_soon(run)
        await ready.wait()
        async with httpx.AsyncClient(trust_env=False) as http:
            assert await session_works(http, started[0]) == []
        tasks.cancel_scope.cancel()
