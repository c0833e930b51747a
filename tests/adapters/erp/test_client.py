from __future__ import annotations

import gzip
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
import httpx
import orjson
import pytest
from trio.testing import MockClock

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint
from k3push.adapters.erp.inspection import Inspector
from k3push.adapters.erp.rate_limit import RateLimit
from k3push.core.advice.diagnosis import shape_of
from k3push.core.model import Answered, BillNumber, NeverSent, NoAnswer, Source, Target
from k3push.core.protocol import wire
from k3push.core.protocol.logins import HeaderSignature
from k3push.core.remark import remark
from k3push.core.safety.verdict import ReadBack, judge
from k3push.ports import (
    BELIEVED_AFTER_S,
    LAST_BELIEVED_AFTER_S,
    ErpUnreachableError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
)
from k3push.reporting.phrases import cause_words
from k3push.runs.stop import Cause
from k3push.simulator import Accounts, Channel, FaultPlan, Policy, QueryLimits, Step, fault
from k3push.simulator.books.forms import IN_STOCK, RECEIVE_BILL
from k3push.words.language import Say
from tests.adapters.erp.sites import (
    APP,
    LOGINS,
    ORDERS,
    ROUTE,
    Recorder,
    Scripted,
    by_password,
    erp_of,
    is_success,
    push,
    sandbox,
    short_lived,
    targets,
)
from tests.said import refused
from tests.shares import shared_out
from tests.simulator.transport import SandboxTransport

LINK = "FInStockEntry_Link_FSBillId"
NULL_REFERENCE = 'response_error:{"Message":"未将对象引用设置到对象的实例。"}'

pytestmark = pytest.mark.anyio

A, B, C = ORDERS[:3]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run on virtual time, so that an hour passes at once and always the same way."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def plan_of(*names: str, on: Channel = Channel.PUSH) -> FaultPlan:
    """Plan faults for the next requests of a kind."""
    return FaultPlan(steps=tuple(Step(fault(name), on) for name in names))


# -- logins and sessions -----------------------------------------------------------------------


@pytest.mark.parametrize("form_encoded", [False, True])
@pytest.mark.parametrize("login", LOGINS)
async def test_every_login_can_look_and_push(login: str, *, form_encoded: bool) -> None:
    """In both encodings that servers take (P 1.5, 2.1)."""
    site = sandbox()
    async with erp_of(site, LOGINS[login], form_encoded=form_encoded) as erp:
        sources = await erp.sources_of(ROUTE, [A, BillNumber("NOWHERE")])
        assert [source.number for source in sources[A]] == [A]
        assert sources[BillNumber("NOWHERE")] == ()
        assert await targets(erp, A, B) == {}
        assert is_success(await push(erp, A))
        found = await targets(erp, A, B)
    assert [target.number for target in found[A]] == ["CGRK0000001"]
    assert list(found) == [A]
    assert (site.logins.successes, site.logins.failures) == (1, 0)


@pytest.mark.parametrize("login", LOGINS)
async def test_a_session_travels_in_its_header_and_in_the_cookies(login: str) -> None:
    """Sites differ in which of them they read (P 2.5)."""
    site = sandbox()
    seen = Recorder(site)
    async with erp_of(seen, LOGINS[login]) as erp:
        await push(erp, A)
        await push(erp, B)
    headers = seen.named("Push")[1].headers
    session = headers["kdservice-sessionid"]
    cookies = dict(part.strip().split("=") for part in headers["cookie"].split(";"))
    assert cookies == {
        "kdservice-sessionid": session,
        "ASP.NET_SessionId": session.replace("-", "")[:24],
    }


@pytest.mark.parametrize("carrier", ["kdservice-sessionid", "cookie"])
async def test_either_carrier_is_enough(carrier: str) -> None:
    """A proxy may strip the other."""
    site = sandbox()

    class Stripping(Recorder):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            for name in {"kdservice-sessionid", "cookie"} - {carrier}:
                request.headers.pop(name, None)
            return await super().handle_async_request(request)

    async with erp_of(Stripping(site)) as erp:
        assert is_success(await push(erp, A))


async def test_all_who_lose_one_session_share_one_login() -> None:
    """Contexts pile up in the server's memory (P 2.10)."""
    site = sandbox(latency_s=1.0)
    async with erp_of(site) as erp:
        await erp.open_session()
        site.logins.lose_all()
        async with anyio.create_task_group() as tasks:
            for number in ORDERS[:8]:
                tasks.start_soon(erp.targets_of, ROUTE, [number])
        assert (erp.logins, site.logins.successes) == (2, 2)


async def test_a_push_without_a_session_is_not_repeated_by_the_adapter() -> None:
    """Whether to send again is for the verdict alone."""
    site = sandbox()
    async with erp_of(site) as erp:
        await erp.open_session()
        site.logins.lose_all()
        exchange = await push(erp, A)
        assert isinstance(exchange, Answered)
        assert exchange.session == 1
        assert site.calls[Channel.PUSH] == 1
        erp.lose_session(exchange.session)
        assert is_success(await push(erp, A))
        erp.lose_session(exchange.session)
        assert is_success(await push(erp, B))
        assert erp.logins == 2


async def test_a_refused_login_is_tried_once() -> None:
    """Five wrong ones lock the account (P 2.4)."""
    site = sandbox()
    async with erp_of(site, by_password("wrong")) as erp:
        with refused(LoginRefusedError, "用户名或密码错误"):
            await erp.open_session()
        for _ in range(3):
            with refused(LoginRefusedError, "用户名或密码错误"):
                await push(erp, A)
            with refused(LoginRefusedError, "用户名或密码错误"):
                await targets(erp, A)
    assert site.calls == {Channel.LOGIN: 1}


@pytest.mark.parametrize("times", [1, 2])
async def test_a_login_that_met_an_exception_is_tried_once_more(times: int) -> None:
    """A deadlock is no wrong password; should it hide one, two do not lock the account (P 2.4)."""
    site = sandbox(faults=plan_of(*["response-error-deadlock"] * times, on=Channel.LOGIN))
    async with erp_of(site) as erp:
        if times > 1:
            with refused(LoginRefusedError, "死锁") as raised:
                await push(erp, A)
            told = cause_words(Cause.LOGIN_REFUSED, str(raised.value), Say("en"))
            assert "It was tried twice" in told
            assert "an exception in the ERP: " in told
            assert "erp.username" not in told
            with refused(LoginRefusedError, "死锁"):
                await push(erp, A)
        else:
            assert is_success(await push(erp, A))
    assert site.calls[Channel.LOGIN] == 2


async def test_callers_at_once_share_a_refused_login() -> None:
    """Eight callers must not be eight wrong passwords."""
    site = sandbox(latency_s=1.0)
    refused: list[BillNumber] = []
    async with erp_of(site, by_password("wrong")) as erp, anyio.create_task_group() as tasks:

        async def one(number: BillNumber) -> None:
            with pytest.raises(LoginRefusedError):
                await push(erp, number)
            refused.append(number)

        for number in ORDERS[:8]:
            tasks.start_soon(one, number)
    assert (len(refused), site.logins.failures) == (8, 1)


async def test_a_licence_warning_is_a_refusal() -> None:
    """It says IsSuccessByAPI and carries no session (P 2.2)."""
    site = sandbox(accounts=Accounts(licence_warning=True))
    async with erp_of(site) as erp:
        with refused(LoginRefusedError, "还剩26天"):
            await erp.open_session()


async def test_a_reopened_session_that_is_refused_as_well_ends_the_logins() -> None:
    """The words also stand for a missing right, which no login gives (P 3.4)."""
    site = sandbox(faults=plan_of(*["lose-session"] * 9, on=Channel.QUERY))
    async with erp_of(site) as erp:
        for _ in range(2):
            with refused(LoginRefusedError, "just opened"):
                await targets(erp, A)
        assert erp.logins == 2


async def test_sessions_that_were_of_use_may_be_lost_again_and_again() -> None:
    """A server that recycles every hour must not end a long run."""
    site = sandbox(accounts=short_lived(1))
    async with erp_of(site) as erp:
        for number in ORDERS[:6]:
            await targets(erp, number)
        assert erp.logins == 6


@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(401, content=b"Unauthorized"),
        httpx.Response(403),
        httpx.Response(302, headers={"location": "/K3Cloud/html5/index.aspx"}),
        httpx.Response(200, content=b"\r\n<html><body>\xe7\x99\xbb\xe5\xbd\x95</body></html>"),
        httpx.Response(200, content=b"\xef\xbb\xbf\r\n<!DOCTYPE html><html></html>"),
        httpx.Response(200, content=b"401 Forbidden ByRspRetStatusCode -- N001: Unexpectable."),
    ],
    ids=["401", "403", "login", "page", "marked", "text"],
)
async def test_a_page_for_a_session_that_was_of_use_costs_one_login(page: httpx.Response) -> None:
    """It may tell of a lost session (P 3.6), or of an outage, in which no login helps."""
    async with erp_of(site := Scripted([], page, page, page, [])) as erp:
        for number, logins in zip(ORDERS[:5], [1, 1, 2, 2, 2], strict=True):
            with suppress(LookFailedError):
                await targets(erp, number)
            assert erp.logins == logins
    assert len(site.queries) == 5


@pytest.mark.parametrize("page", [httpx.Response(502, content=b"<html>"), httpx.Response(200)])
async def test_a_page_of_a_proxy_costs_no_login(page: httpx.Response) -> None:
    """It says nothing of the session."""
    async with erp_of(Scripted([], page, [])) as erp:
        for number in ORDERS[:3]:
            with suppress(LookFailedError):
                await targets(erp, number)
        assert erp.logins == 1


async def test_a_form_that_always_loses_its_session_is_given_up() -> None:
    """Where other calls fare well under each new session, nothing else would end the logins."""
    lost = {"ErrorCode": 500, "IsSuccess": False, "Errors": [], "MsgCode": 1}

    class Denying(Scripted):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if b"STK_InStock" not in await request.aread():
                return await super().handle_async_request(request)
            await erp.sources_of(ROUTE, [A])
            body = orjson.dumps([[{"Result": {"ResponseStatus": lost}}]])
            return httpx.Response(200, content=body)

    async with erp_of(Denying(*[[]] * 99)) as erp:
        with refused(LookFailedError, "10 sessions were lost"):
            await targets(erp, A)


async def test_a_call_on_its_way_may_still_prove_a_reopened_session() -> None:
    """The others wait for it before they give up."""
    site = sandbox(
        faults=FaultPlan(
            steps=(
                Step(fault("lose-session"), Channel.QUERY),
                Step(fault("make-then-delay:5"), Channel.QUERY),
                Step(fault("lose-session"), Channel.QUERY),
            )
        )
    )
    found: list[Mapping[BillNumber, tuple[Target, ...]]] = []
    async with erp_of(site) as erp:
        await erp.open_session()

        async def look() -> None:
            found.append(await targets(erp, A))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look)
            await anyio.sleep(1)
            tasks.start_soon(look)
        assert (found, erp.logins) == ([{}, {}], 3)


@pytest.mark.parametrize(
    "name", ["refuse-connection", "connect-timeout", "reset", "silence", "html-503", "empty"]
)
async def test_a_login_that_meets_a_fault_of_the_network_may_be_tried_again(name: str) -> None:
    """Nothing was said of the password."""
    site = sandbox(faults=plan_of(name, name, on=Channel.LOGIN))
    async with erp_of(site) as erp:
        with refused(ErpUnreachableError, "sandbox"):
            await erp.open_session()
        with refused(ErpUnreachableError, "sandbox"):
            await push(erp, A)
        assert is_success(await push(erp, A))


async def test_a_signing_client_takes_up_the_session_that_replaces_a_lost_one() -> None:
    """Else the server would open another for every call (P 2.7)."""
    site = sandbox(accounts=Accounts(session_idle_s=600))
    async with erp_of(site, LOGINS["signature"]) as erp:
        await push(erp, A)
        await anyio.sleep(700)
        for number in ORDERS[1:5]:
            assert is_success(await push(erp, number))
    assert site.logins.successes == 2


async def test_a_signature_that_is_refused_ends_the_logins() -> None:
    """The hollow session that comes with it opens nothing (P 2.7)."""
    site = sandbox()
    signer = HeaderSignature("sandbox", "sandbox", APP[0], "wrong", 2052)
    async with erp_of(site, signer) as erp:
        with pytest.raises(LoginRefusedError):
            await targets(erp, A)
    assert site.calls[Channel.QUERY] == 2


async def test_an_application_id_that_cannot_sign_is_a_refused_login() -> None:
    """Whatever needs a session says so, a turn for a push as well."""
    site = sandbox()
    async with erp_of(site, HeaderSignature("sandbox", "sandbox", "x", "y", 2052)) as erp:
        with refused(LoginRefusedError, "app_id"):
            await push(erp, A)
        with refused(LoginRefusedError, "app_id"):
            await erp.open_session()
        with refused(LoginRefusedError, "app_id"):
            await targets(erp, A)
    assert not site.calls


@pytest.mark.parametrize("login", LOGINS)
async def test_it_logs_out_at_the_end(login: str) -> None:
    """Contexts that are left behind pile up (P 2.10)."""
    site = sandbox()
    seen = Recorder(site)
    async with erp_of(seen, LOGINS[login]) as erp:
        await push(erp, A)
        session = seen.named("Push")[0].headers.get("kdservice-sessionid")
    (logout,) = seen.named("Logout")
    assert session in {None, logout.headers["kdservice-sessionid"]}


async def test_without_a_session_there_is_no_logout() -> None:
    """Nor a login to make one."""
    site = sandbox()
    async with erp_of(site):
        pass
    assert not site.calls


async def test_a_logout_that_is_not_answered_holds_nobody() -> None:
    """The run is over."""
    site = sandbox(faults=plan_of("silence", on=Channel.OTHER))
    async with erp_of(site) as erp:
        await erp.open_session()
        began_s = anyio.current_time()
    assert anyio.current_time() - began_s <= 5


async def test_a_push_opens_no_session() -> None:
    """A login takes minutes where a server hangs, and the attempt would be old (rule 1)."""
    site = sandbox()
    async with erp_of(site) as erp:
        async with erp.turn() as turn:
            erp.lose_session(1)
            exchange = await turn.perform(
                wire.PUSH, ROUTE.source, wire.push_data(ROUTE, [A]), held_back=lambda: ""
            )
        assert exchange == NeverSent(remark("note.session_gone", operation="Push"))
        assert (erp.logins, site.calls[Channel.PUSH]) == (1, 0)
        assert is_success(await push(erp, A))
        assert erp.logins == 2


async def test_a_turn_whose_session_is_lost_while_it_waits_opens_another() -> None:
    """All that can wait comes before the attempt begins."""
    site = sandbox()
    limit = RateLimit(lambda: 1)
    erp = ErpClient(
        Endpoint("http://sandbox/K3Cloud/", by_password("sandbox")),
        turns=limit,
        now_s=lambda: 1_767_326_400,
        transport=lambda: SandboxTransport(site),
    )
    async with erp, anyio.create_task_group() as tasks:
        await push(erp, A)

        async def another() -> None:
            assert is_success(await push(erp, B))

        tasks.start_soon(another)
        await anyio.sleep(1)
        erp.lose_session(1)
        site.logins.lose_all()
    assert (erp.logins, site.calls[Channel.PUSH]) == (2, 2)


async def test_a_push_that_is_held_back_is_never_sent() -> None:
    """A stop may come, or the process may have stood still, while it waited for its turn."""
    site = sandbox()
    async with erp_of(site) as erp:
        assert await push(erp, A, held_back=lambda: "a stop") == NeverSent("a stop")
        assert site.calls[Channel.PUSH] == 0
        assert is_success(await push(erp, A))


# -- what a push came to -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["refuse-connection", "connect-timeout"])
async def test_a_connection_that_is_never_made_sends_nothing(name: str) -> None:
    """So the chunk may travel again."""
    site = sandbox(faults=plan_of(name))
    async with erp_of(site) as erp:
        assert isinstance(await push(erp, A), NeverSent)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
async def test_three_errors_prove_that_nothing_was_sent(error: type[httpx.HTTPError]) -> None:
    """And no others do."""
    async with erp_of(Scripted(error("no"))) as erp:
        assert await push(erp, A) == NeverSent(f"{error.__name__}: no")


@pytest.mark.parametrize(
    ("error", "timed_out"),
    [
        (httpx.ReadTimeout, True),
        (httpx.WriteTimeout, True),
        (httpx.ReadError, False),
        (httpx.WriteError, False),
        (httpx.CloseError, False),
        (httpx.RemoteProtocolError, False),
        (httpx.LocalProtocolError, False),
        (httpx.ProxyError, False),
        (httpx.DecodingError, False),
    ],
)
async def test_all_other_errors_are_doubt(error: type[httpx.HTTPError], *, timed_out: bool) -> None:
    """A write that broke may have arrived whole."""
    async with erp_of(Scripted(error("no"))) as erp:
        assert await push(erp, A) == NoAnswer(f"{error.__name__}: no", timed_out=timed_out)


@pytest.mark.parametrize("work", ["", "make-then-"])
@pytest.mark.parametrize(
    ("ending", "timed_out"),
    [("reset", False), ("close", False), ("cut-off", False), ("silence", True)],
)
async def test_an_answer_that_does_not_come_whole_is_none(
    work: str, ending: str, *, timed_out: bool
) -> None:
    """Whether the ERP acted cannot be seen from here."""
    site = sandbox(faults=plan_of(work + ending))
    async with erp_of(site) as erp:
        exchange = await push(erp, A)
        assert isinstance(exchange, NoAnswer)
        assert exchange.timed_out == timed_out
        assert bool(await targets(erp, A)) == bool(work)


async def test_an_answer_that_drips_is_given_up_in_the_end() -> None:
    """Each byte would begin the read's own time-out anew."""

    class Dripping(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            while True:
                await anyio.sleep(100)
                yield b" "

    async with erp_of(Scripted(httpx.Response(200, stream=Dripping()))) as erp:
        exchange = await push(erp, A)
        assert isinstance(exchange, NoAnswer)
        assert exchange.timed_out


@pytest.mark.parametrize("name", ["gzip", "base64-gzip"])
async def test_a_packed_answer_is_read(name: str) -> None:
    """By its header, or by its looks (P 1.8)."""
    site = sandbox(faults=plan_of(name))
    async with erp_of(site) as erp:
        assert is_success(await push(erp, A))


async def test_an_answer_is_unpacked_by_its_header() -> None:
    """Servers pack what is long."""
    whole = httpx.Response(
        200,
        headers={"content-encoding": "gzip"},
        stream=httpx.ByteStream(gzip.compress(b'{"Result":{"ResponseStatus":{"IsSuccess":true}}}')),
    )
    async with erp_of(Scripted(whole)) as erp:
        assert isinstance(judge(await push(erp, A)), ReadBack)


async def test_an_answer_that_does_not_unpack_is_said_to_be_one() -> None:
    """Why is a sentence of ours, which stays one behind the name of the network's error."""
    headers = {"Content-Encoding": "gzip"}
    packed = httpx.ByteStream(b"\x1f\x8b\x08garbage")
    async with erp_of(Scripted(httpx.Response(200, headers=headers, stream=packed))) as erp:
        exchange = await push(erp, A)
    assert isinstance(exchange, NoAnswer)
    told = Say("en").said(shape_of(exchange.because))
    assert told.startswith("DecodingError: it does not unpack: Error -…")
    assert Say("zh").said(exchange.because).startswith("DecodingError：无法解压：Error -")


async def test_redirects_are_not_followed() -> None:
    """A Push must not travel twice, nor to another host."""
    moved = httpx.Response(307, headers={"location": "http://other/"})
    async with erp_of(Scripted(moved)) as erp:
        assert await push(erp, A) == Answered(307, b"")


async def test_where_a_login_is_sent_instead_is_told() -> None:
    """A site that sends http on to https needs another address in the settings."""
    place = "https://erp.example.com/K3Cloud/Login"
    moved = httpx.Response(301, headers={"location": place})
    async with erp_of(httpx.MockTransport(lambda _: moved)) as erp:
        with pytest.raises(ErpUnreachableError) as caught:
            await erp.open_session()
    assert f"HTTP 301 leads to {place} instead" in Say("en").said(str(caught.value))


# -- looks -------------------------------------------------------------------------------------


async def test_sources_are_told_apart() -> None:
    """Unapproved, closed, cancelled, absent; by the job file's spelling."""
    site = sandbox()
    asked = [
        BillNumber(text)
        for text in ("cgdd0000000", "CGDDU000000", "CGDDC000000", "CGDDX000000", "NO")
    ]
    async with erp_of(site) as erp:
        found = await erp.sources_of(ROUTE, asked)
    assert [(each.number, each.blocked) for sources in found.values() for each in sources] == [
        ("CGDD0000000", ""),
        ("CGDDU000000", "unapproved"),
        ("CGDDC000000", "closed"),
        ("CGDDX000000", "cancelled"),
    ]
    assert list(found) == asked


async def test_a_number_in_two_organisations_has_two_sources() -> None:
    """Push has no organisation: which would it take? (P 9)."""
    site = sandbox(twins=(str(A),))
    async with erp_of(site) as erp:
        found = await erp.sources_of(ROUTE, [A, B])
    assert (len(found[A]), len(found[B])) == (2, 1)


@pytest.mark.parametrize("exact", [False, True])
async def test_two_spellings_are_asked_for_apart(*, exact: bool) -> None:
    """Whether they are one bill only the database knows (P 4.7)."""
    site = sandbox(exact_numbers=exact)
    lower = BillNumber(A.lower())
    async with erp_of(site) as erp:
        found = await erp.sources_of(ROUTE, [A, lower])
    assert [each.number for each in found[A]] == [A]
    assert found[lower] == (() if exact else found[A])


async def test_rows_of_an_unknown_spelling_are_asked_for_one_by_one() -> None:
    """The database compares in a way that is not known here."""
    answers = Scripted(
        [["Ø1", 1, "C", "A", "A"], ["B", 2, "C", "A", "A"]],
        [["Ø1", 1, "C", "A", "A"]],
        [["B", 2, "C", "A", "A"]],
    )
    o, b = BillNumber("O1"), BillNumber("B")
    async with erp_of(answers) as erp:
        found = await erp.sources_of(ROUTE, [o, b])
    assert found == {o: (Source(BillNumber("Ø1"), "1"),), b: (Source(b, "2"),)}
    assert [query["FilterString"] for query in answers.queries[1:3]] == [
        "FBillNo in ('O1')",
        "FBillNo in ('B')",
    ]


async def test_a_row_that_spells_one_number_may_answer_another() -> None:
    """Those without a row are asked for without the others, where letters may be ligatures."""
    row = [["æ1", 1, "C", "A", "A"]]
    ae, ligature, c = BillNumber("AE1"), BillNumber("æ1"), BillNumber("C")
    async with erp_of(Scripted(row, row, row, [])) as erp:
        found = await erp.sources_of(ROUTE, [ae, ligature, c])
    assert found == {ae: (Source(ligature, "1"),), ligature: (Source(ligature, "1"),), c: ()}


async def test_numbers_that_no_bill_has_cost_no_question_more() -> None:
    """Letters, digits and signs of English are told apart by each database."""
    answers = Scripted([[str(A), 1, "C", "A", "A"]])
    async with erp_of(answers) as erp:
        found = await erp.sources_of(ROUTE, [A, B])
    assert [len(bills) for bills in found.values()] == [1, 0]
    assert len(answers.queries) == 1


@pytest.mark.parametrize("policy", [Policy.ONE_TO_ONE, Policy.MERGE, Policy.SPLIT])
async def test_every_target_is_found_by_its_link(policy: Policy) -> None:
    """One for each, one for several, several for one (P 5.6)."""
    site = sandbox(policy=policy)
    async with erp_of(site) as erp:
        await push(erp, *ORDERS)
        found = await targets(erp, *ORDERS)
    assert sorted(found) == ORDERS
    each = {len(documents) for documents in found.values()}
    assert each == ({2} if policy is Policy.SPLIT else {1})
    ids = {target.id for each in found.values() for target in each}
    assert len(ids) == site.truth()["documents"]


CUTS = [1, 2, 7, 50, 100, 200, 300, 500, 2000, 10_000]


@pytest.mark.parametrize("rows", shared_out(CUTS, 5))
async def test_an_answer_is_the_whole_wherever_a_site_cuts_its_pages(rows: int) -> None:
    """A number whose row was cut off would seem absent, and be sent again (rule 7)."""
    site = sandbox(orders=2100, limits=QueryLimits(rows=rows))
    numbers = [BillNumber(f"CGDD{i:07d}") for i in range(2100 if rows > 50 else 250)]
    async with erp_of(site) as erp:
        for each in (numbers[:100], numbers[100:103], numbers[103:]):
            assert is_success(await push(erp, *each))
            assert list(await targets(erp, *each)) == each
        assert list(await targets(erp, *numbers)) == numbers
        assert all((await erp.sources_of(ROUTE, numbers)).values())


async def test_looks_of_one_size_cost_few_queries_more_on_a_site_that_does_not_cut() -> None:
    """Their pages are as large as the largest that came, and might have been cut there."""
    site = sandbox(orders=2000)
    numbers = [BillNumber(f"CGDD{i:07d}") for i in range(2000)]
    async with erp_of(site) as erp:
        for first in range(0, 2000, 50):
            assert all((await erp.sources_of(ROUTE, numbers[first : first + 50])).values())
    assert site.calls[Channel.QUERY] + site.calls[Channel.PAGE] <= 40 + 4


@pytest.mark.parametrize("name", ["response-error", "html-502", "reset", "call-limit"])
async def test_a_probe_that_fails_is_no_failure_of_the_look(name: str) -> None:
    """It would only have saved queries."""
    harmless = ["gzip"] * 4
    site = sandbox(faults=plan_of(*harmless, name, on=Channel.QUERY))
    async with erp_of(site) as erp:
        for first in range(0, 20, 4):
            assert all((await erp.sources_of(ROUTE, ORDERS[first : first + 4])).values())
    # One probe; and each page was asked on.
    assert (site.calls[Channel.QUERY], site.calls[Channel.PAGE]) == (5 + 1, 5)


async def test_a_server_that_ignores_where_a_page_begins_fails_the_look() -> None:
    """Its first page again and again would be no end, and no proof."""
    rows = [[number, i, "C", "A", "A"] for i, number in enumerate(ORDERS[:3])]

    class Ignoring(Scripted):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if b"StartRow" not in await request.aread():
                return await super().handle_async_request(request)
            return httpx.Response(200, content=orjson.dumps(rows))

    async with erp_of(Ignoring()) as erp:
        with refused(LookFailedError, r"PUR_PurchaseOrder: .*StartRow"):
            await erp.sources_of(ROUTE, ORDERS[:3])


def refuse_missing(*missing: str) -> Any:
    """Answer as a form does that lacks fields; else with a bill for the fields asked for."""

    def answer(query: dict[str, Any]) -> Any:
        fields = query["FieldKeys"].split(",")
        for name in fields:
            if name in missing:
                message = f"元数据中标识为{name}的字段不存在"
                status = {"IsSuccess": False, "Errors": [{"Message": message}], "MsgCode": 9}
                return [[{"Result": {"ResponseStatus": status}}]]
        values = {"FBillNo": "A", "FID": 1, "FDocumentStatus": "C"}
        return [[values.get(name, "A") for name in fields]]

    return answer


@pytest.mark.parametrize(
    "missing",
    [
        ["FCloseStatus"],
        ["FCancelStatus"],
        ["FCloseStatus", "FCancelStatus"],
        ["FDocumentStatus", "FCloseStatus", "FCancelStatus"],
    ],
)
async def test_status_fields_that_a_form_lacks_are_left_out(missing: list[str]) -> None:
    """Where no metadata tell so, half a minute of refusals does; they are asked for no more."""
    refusals = 5 * len(missing)
    answers = Scripted(*[refuse_missing(*missing)] * (refusals + 2))
    a = BillNumber("A")
    async with erp_of(answers) as erp:
        for _ in range(2):
            assert await erp.sources_of(ROUTE, [a]) == {a: (Source(a, "1"),)}
    assert anyio.current_time() >= LAST_BELIEVED_AFTER_S
    assert len(answers.queries) == refusals + 2


async def test_a_status_field_that_the_metadata_lack_is_left_out_after_some_seconds() -> None:
    """Refusals name it, and the form has no such field, now and then (P 15.1)."""
    told = ["FBillNo", "FDocumentStatus", "FCancelStatus"]
    answers = Scripted(*[refuse_missing("FCloseStatus")] * 3, told=told)
    a = BillNumber("A")
    async with erp_of(answers) as erp:
        assert await erp.sources_of(ROUTE, [a]) == {a: (Source(a, "1"),)}
        assert erp.lacking(ROUTE.source) == ["FCloseStatus"]
    assert anyio.current_time() < 2 * BELIEVED_AFTER_S


async def test_a_status_field_that_the_metadata_tell_is_waited_for() -> None:
    """The site loads its metadata anew, and knows no field for a while."""
    no_status = no_such_field("FDocumentStatus")
    answers = Scripted(*[no_status] * 4, [], told=["FBillNo", "FDocumentStatus"])
    async with erp_of(answers) as erp:
        await erp.sources_of(ROUTE, [A])
        assert erp.lacking(ROUTE.source) == []


async def test_a_form_that_lacks_its_numbers_refuses_the_look() -> None:
    """Nothing can be left out of that."""
    async with erp_of(Scripted(refuse_missing("FBillNo"))) as erp:
        with refused(LookRefusedError, "FBillNo"):
            await erp.sources_of(ROUTE, [A])


async def test_a_filter_that_the_erp_refuses_is_told_apart_from_a_failure() -> None:
    """Trying again would not help."""
    site = sandbox(limits=QueryLimits(filter_chars=10))
    async with erp_of(site) as erp:
        with refused(LookRefusedError, "STK_InStock"):
            await targets(erp, A)


@pytest.mark.parametrize(
    "name",
    [
        *("refuse-connection", "reset", "close", "cut-off", "silence", "empty", "garbage"),
        *("result-null", "html-200", "html-502", "response-error", "response-error-text"),
        *("forbidden-text", "gateway-519", "too-many-429", "edit-lock", "call-limit"),
        "no-permission",
    ],
)
async def test_no_fault_of_a_look_is_an_absence(name: str) -> None:
    """A number that seems absent would be sent again (rule 7)."""
    site = sandbox(faults=plan_of(name, name, on=Channel.QUERY))
    async with erp_of(site) as erp:
        await push(erp, A)
        with pytest.raises(LookFailedError):
            await targets(erp, A)
        with pytest.raises(LookFailedError):
            await erp.sources_of(ROUTE, [A])
        assert list(await targets(erp, A)) == [A]


@pytest.mark.parametrize("body", [b"[[null,null,null,null]]", b'[["A"]]', b"[[1,2,3]]", b"{}"])
async def test_rows_that_cannot_be_read_fail_the_look(body: bytes) -> None:
    """For targets and for sources."""
    async with erp_of(Scripted(body, body)) as erp:
        with pytest.raises(LookFailedError):
            await targets(erp, A)
        with pytest.raises(LookFailedError):
            await erp.sources_of(ROUTE, [A])


async def test_rows_of_numbers_that_were_not_asked_for_fail_the_look() -> None:
    """A filter was passed over, or another question answered: what is asked for may be there."""
    source, target = [str(B), 2, "C", "A", "A"], [7, "RK7", "A", str(B), *[""] * 4]
    rows = [[source], [source], [target], [target]]
    async with erp_of(Scripted(*rows)) as erp:
        with refused(LookFailedError, "not asked for"):
            await erp.sources_of(ROUTE, [A])
        with refused(LookFailedError, "not asked for"):
            await targets(erp, A)


async def test_rows_of_ids_that_were_not_asked_for_fail_the_look() -> None:
    """So of bills, of links, and of documents."""
    source, link = [str(B), 8, "C", "A", "A"], [7, "RK7", "A", "A", 8, "T_PUR_POOrderEntry"]
    standing, any_link = [7, "RK7", "A", "A", "maker", "2026-01-01"], [7, 8, "T", "RULE"]
    async with erp_of(Scripted([source], [link], [standing], [any_link])) as erp:
        with refused(LookFailedError, "not asked for"):
            await erp.sources_by_id(ROUTE, ["9"])
        with refused(LookFailedError, "not asked for"):
            await erp.linked_targets_of(ROUTE, {A: "9"})
        with refused(LookFailedError, "not asked for"):
            await erp.standings_of(ROUTE, ["9"])
        with refused(LookFailedError, "not asked for"):
            await erp.links_of(ROUTE, ["9"])


async def test_an_audit_believes_no_rows_that_were_not_asked_for() -> None:
    """It would call documents missing that are there."""
    document, ordered = [7, "RK7", "A", *[""] * 7], [7, 70, 1]
    async with erp_of(Scripted([document], [ordered], [[7, str(B)]])) as erp:
        inspector = Inspector(erp)
        for look in (inspector.documents, inspector.ordered, inspector.numbers):
            with refused(LookFailedError, "not asked for"):
                await look(ROUTE, ["9"])


async def test_an_id_is_asked_for_in_each_spelling_of_it() -> None:
    """A list may have zeros before it, and a document more lines than the filter names."""
    source, link = [str(B), 8, "C", "A", "A"], [7, "RK7", "A", "A", 8, "T_PUR_POOrderEntry"]
    async with erp_of(Scripted([source], [link, [*link[:4], 9, link[5]]])) as erp:
        assert list(await erp.sources_by_id(ROUTE, ["08"])) == ["8"]
        found = await erp.linked_targets_of(ROUTE, {A: "9"})
    assert found is not None
    assert [target.id for target in found.targets[A]] == ["7"]


async def test_tasks_of_flows_that_cannot_be_read_fail_the_look() -> None:
    """What waits for no approver would be submitted again."""
    async with erp_of(Scripted(b'[[1.5, "one", "two"]]')) as erp:
        with pytest.raises(LookFailedError):
            await erp.flow_tasks_of(ROUTE, [A])


async def test_a_source_without_an_id_fails_the_look() -> None:
    """Two bills of one number could not be told apart."""
    async with erp_of(Scripted([[str(A), " ", "C", "A", "A"]])) as erp:
        with refused(LookFailedError, "without an id"):
            await erp.sources_of(ROUTE, [A])


async def test_the_newest_values_of_a_field_come_the_last_first() -> None:
    """`check` looks there for numbers of sources; a blank is an empty text."""
    site = sandbox()
    async with erp_of(site) as erp:
        ids = [int(value) for value in await erp.newest_values("PUR_PurchaseOrder", "FID", 9999)]
        assert ids == sorted(ids, reverse=True)
        newest = await erp.newest_values("PUR_PurchaseOrder", "FID", 3)
        assert newest == [str(each) for each in ids[:3]]
        assert await erp.newest_values("PUR_PurchaseOrder", "FNote", 2) == ["", ""]
        with pytest.raises(LookRefusedError):
            await erp.newest_values("NO_SUCH_FORM", "FID", 1)
        with pytest.raises(LookRefusedError):
            await erp.newest_values("PUR_PurchaseOrder", "FNoSuchField", 1)


def no_such_field(named: str) -> Any:
    """Answer a query as a form that lacks a field."""
    status = {
        "IsSuccess": False,
        "MsgCode": 9,
        "Errors": [{"Message": f"元数据中标识为{named}的字段不存在"}],
    }
    return [[{"Result": {"ResponseStatus": status}}]]


async def test_a_status_field_that_a_form_lacks_is_known_after_a_look() -> None:
    """`check` says what the look before a sending cannot see there."""
    refused = no_such_field("FCloseStatus")
    async with erp_of(Scripted(refused, refused, [], told=["FBillNo"])) as erp:
        await erp.sources_of(ROUTE, [A])
        assert erp.lacking(ROUTE.source) == ["FCloseStatus"]
        assert erp.lacking(ROUTE.target) == []


async def test_a_field_of_a_source_form_is_believed_lacking_only_some_seconds_later() -> None:
    """Two refusals at once are one: the site loads its metadata anew."""
    answers = Scripted(no_such_field("FDocumentStatus"), [], [])
    async with erp_of(answers) as erp:
        began_s = anyio.current_time()
        await erp.sources_of(ROUTE, [A])
        assert anyio.current_time() - began_s >= BELIEVED_AFTER_S
        assert erp.lacking(ROUTE.source) == []
    assert all("FDocumentStatus" in query["FieldKeys"] for query in answers.queries)


async def test_a_field_that_was_read_before_is_taken_by_no_refusal() -> None:
    """However often, and however late."""
    refused = no_such_field("FDocumentStatus")
    answers = Scripted([], refused, refused, refused, [])
    async with erp_of(answers) as erp:
        await erp.sources_of(ROUTE, [A])
        for _ in range(3):
            with pytest.raises(LookFailedError):
                await erp.sources_of(ROUTE, [A])
            await anyio.sleep(2 * BELIEVED_AFTER_S)
        await erp.sources_of(ROUTE, [A])
        assert erp.lacking(ROUTE.source) == []


# -- clients -----------------------------------------------------------------------------------


async def test_there_are_never_more_clients_than_calls_at_once() -> None:
    """Each keeps one connection to the server."""
    site = sandbox(latency_s=1.0)
    seen = Recorder(site)
    made: list[Recorder] = []

    def transport() -> Recorder:
        made.append(seen)
        return seen

    address = Endpoint("http://erp/K3Cloud/", LOGINS["password"], user="sandbox")
    async with ErpClient(address, transport=transport) as erp:
        for _ in range(3):
            async with anyio.create_task_group() as tasks:
                for number in ORDERS[:5]:
                    tasks.start_soon(erp.targets_of, ROUTE, [number])
    assert (seen.most_at_once, len(made)) == (5, 5)


async def test_no_cookie_of_an_old_answer_comes_back() -> None:
    """It would bring a lost session to life, or mix two."""
    site = sandbox()

    class Baking(Recorder):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            if "Push" in str(request.url):
                response.headers["set-cookie"] = "kdservice-sessionid=old; path=/"
            return response

    seen = Baking(site)
    async with erp_of(seen) as erp:
        await push(erp, A)
        await push(erp, B)
        site.logins.lose_all()
        await targets(erp, A)
    assert not [each for each in seen.requests if "old" in each.headers.get("cookie", "")]
    assert "cookie" not in seen.named("ValidateUser")[1].headers


async def test_the_servers_time_is_kept() -> None:
    """`check` compares the clocks."""
    dated = httpx.Response(200, headers={"Date": "Fri, 02 Jan 2026 04:00:00 GMT"}, content=b"[]")
    async with erp_of(Scripted(dated)) as erp:
        assert erp.server_time == ""
        await targets(erp, A)
        assert erp.server_time == "Fri, 02 Jan 2026 04:00:00 GMT"


async def test_a_request_is_what_the_official_client_would_send() -> None:
    """Beside the form id, as an object; queries send the data alone (P 1.5)."""
    seen = Recorder(sandbox())
    async with erp_of(seen) as erp:
        await push(erp, A)
        await targets(erp, A)
    (pushed,), (asked, *_) = seen.named("Push"), seen.named("ExecuteBillQuery")
    assert pushed.headers["content-type"].startswith("application/json")
    assert orjson.loads(pushed.content) == {
        "formid": "PUR_PurchaseOrder",
        "data": orjson.loads(wire.push_data(ROUTE, [A])),
    }
    assert list(orjson.loads(asked.content)) == ["data"]


# -- what a document was made from ------------------------------------------------------------

HAS = ["FID", "FBillNo", "FDocumentStatus", "FSRCBillNo"]
LINK = "FInStockEntry_Link_FSTableName"


def refuse_without_a_name(code: int, *missing: str) -> Any:
    """Answer as a form does that lacks fields and does not say which; else with a document."""

    def answer(query: dict[str, Any]) -> Any:
        fields = query["FieldKeys"].split(",")
        if set(fields) & set(missing):
            status = {"IsSuccess": False, "Errors": [{"Message": "列名无效"}], "MsgCode": code}
            return [[{"Result": {"ResponseStatus": status}}]]
        values = {"FID": 7, "FBillNo": "CGRK7", "FDocumentStatus": "A", "FSRCBillNo": str(A)}
        return [[values.get(name, " ") for name in fields]]

    return answer


@pytest.mark.parametrize(
    "missing", [["FSRCBILLTYPEID"], ["FCancelStatus"], ["FCancelStatus", "FSRCBILLTYPEID", LINK]]
)
async def test_optional_fields_that_a_refusal_names_are_left_out_of_a_look_at_targets(
    missing: list[str],
) -> None:
    """A refusal is believed the second time, and they are not asked for again."""

    def answer(query: dict[str, Any]) -> Any:
        named = [name for name in query["FieldKeys"].split(",") if name in missing]
        if not named:
            return refuse_without_a_name(9)(query)
        return no_such_field(named[0])

    answers = Scripted(*[answer] * 9)
    async with erp_of(answers) as erp:
        for _ in range(2):
            assert list(await targets(erp, A)) == [A]
        assert erp.lacking(ROUTE.target) == sorted(missing)
    asked = [query["FieldKeys"].split(",") for query in answers.queries]
    assert len(asked) == 2 * len(missing) + 2
    assert not set(missing) & set(asked[-1])
    assert asked[-1][:4] == HAS


@pytest.mark.parametrize("code", [4, 6, 9])
@pytest.mark.parametrize("missing", [["FSRCBILLTYPEID"], ["FCancelStatus", "FSRCBILLTYPEID", LINK]])
async def test_optional_fields_that_no_refusal_names_are_found_out(
    missing: list[str], code: int
) -> None:
    """Else a form that lacks one could never be looked at.

    One refusal may have passed by itself; after the second each of them is asked for alone.
    """
    answers = Scripted(*[refuse_without_a_name(code, *missing)] * 20)
    async with erp_of(answers) as erp:
        with pytest.raises(LookRefusedError):
            await erp.targets_of(ROUTE, [A])
        assert list(await targets(erp, A)) == [A]
        assert set(erp.lacking(ROUTE.target)) <= set(missing)
        before = len(answers.queries)
        assert list(await targets(erp, A)) == [A]
    assert len([q for q in answers.queries[before:] if "FormId" in q]) == 1


async def test_a_missing_right_says_nothing_of_fields() -> None:
    """Or each look of a user who may not read the form would be five."""
    answers = Scripted(*[refuse_without_a_name(2, *HAS)] * 9)
    async with erp_of(answers) as erp:
        for _ in range(4):
            with pytest.raises(LookRefusedError):
                await erp.targets_of(ROUTE, [A])
    assert len(answers.queries) == 4


async def test_a_form_that_refuses_everything_lacks_no_field() -> None:
    """A right is missing, say, and what a document is made from must not be forgotten for it."""
    answers = Scripted(*[refuse_without_a_name(4, *HAS)] * 40)
    async with erp_of(answers) as erp:
        for _ in range(4):
            with pytest.raises(LookRefusedError):
                await erp.targets_of(ROUTE, [A])
        assert erp.lacking(ROUTE.target) == []


@pytest.mark.parametrize("source_form_fields", [True, False])
async def test_a_document_of_another_form_is_none_of_ours(*, source_form_fields: bool) -> None:
    """It bears the same number; its form says so, or else its link (P 6.5, 6.6)."""
    site = sandbox(source_form_fields=source_form_fields)
    site.world.add_target(IN_STOCK, str(A), source_form=RECEIVE_BILL)
    async with erp_of(site) as erp:
        seen = await erp.targets_of(ROUTE, [A])
        assert (seen.targets, seen.cancelled, seen.thin) == ({}, {}, frozenset())
        assert is_success(await push(erp, A))
        assert [len(found) for found in (await targets(erp, A)).values()] == [1]


async def test_where_nothing_tells_the_form_the_number_is_proof_and_the_look_says_so() -> None:
    """A bill that has a document must not be pushed again for a doubt about its form."""
    site = sandbox(source_form_fields=False, link_fields=False)
    site.world.add_target(IN_STOCK, str(A), source_form=RECEIVE_BILL)
    async with erp_of(site) as erp:
        await push(erp, B)
        seen = await erp.targets_of(ROUTE, [A, B, C])
    assert list(seen.targets) == [A, B]
    assert {target.id for number in (A, B) for target in seen.targets[number]} <= seen.thin


async def test_a_number_that_was_typed_in_is_a_thin_proof_beside_others_that_are_not() -> None:
    """Only the rows that rest on it say so."""
    site = sandbox()
    site.world.add_target(IN_STOCK, str(A), typed=True)
    async with erp_of(site) as erp:
        await push(erp, B)
        seen = await erp.targets_of(ROUTE, [A, B])
    assert sorted(seen.targets) == [A, B]
    assert {target.id for target in seen.targets[A]} <= seen.thin
    assert not {target.id for target in seen.targets[B]} <= seen.thin


async def test_a_cancelled_document_is_no_target() -> None:
    """It is told, since the row names it."""
    site = sandbox()
    gone = site.world.add_target(IN_STOCK, str(A), cancelled=True)
    async with erp_of(site) as erp:
        seen = await erp.targets_of(ROUTE, [A])
        assert seen.targets == {}
        assert [target.number for target in seen.cancelled[A]] == [gone.number]
        assert is_success(await push(erp, A))
        seen = await erp.targets_of(ROUTE, [A])
    assert [len(each[A]) for each in (seen.targets, seen.cancelled)] == [1, 1]


async def test_a_look_says_who_has_looked() -> None:
    """Absence is that user's alone."""
    async with erp_of(sandbox(), user="sandbox") as erp:
        assert (await erp.targets_of(ROUTE, [A])).users == erp.users
        assert set(erp.users) == {"sandbox"}
        async with erp.turn() as turn:
            assert turn.user == "sandbox"


async def test_the_newest_documents_come_the_last_first_each_with_what_it_names() -> None:
    """A blank names nothing, and says so."""
    site = sandbox()
    async with erp_of(site) as erp:
        assert await erp.newest_of(ROUTE) == []
        for number in (A, B, A):
            site.world.add_target(IN_STOCK, str(number), typed=True)
        newest = dict(await erp.newest_of(ROUTE))
        assert list(newest.values()) == [A, B, A]
        noted = await erp.newest_of(replace(ROUTE, source_number_field="FNote"))
        assert [number for _, number in noted] == ["", "", ""]
        assert len({id_ for id_, _ in noted}) == 3


# -- links ---------------------------------------------------------------------------------------


async def ids_of(erp: ErpClient, *numbers: BillNumber) -> dict[BillNumber, str]:
    """Ask the source form for ids."""
    found = await erp.sources_of(ROUTE, numbers)
    return {number: found[number][0].id for number in numbers}


async def test_a_document_is_found_by_the_id_of_its_source() -> None:
    """Whatever its number field holds (P 6.5)."""
    site = sandbox()
    async with erp_of(site) as erp:
        await push(erp, A)
        ids = await ids_of(erp, A, B)
        seen = await erp.linked_targets_of(replace(ROUTE, source_number_field="FNote"), ids)
        assert seen is not None
        assert (list(seen.targets), set(seen.linked)) == ([A], {A, B})
        assert seen.by_link == {target.id for target in seen.targets[A]}
        assert await erp.linked_sources(ROUTE) == [A]


async def test_links_are_read_though_another_query_was_refused_for_their_field() -> None:
    """Exceptions that pass may meet a query and the tries of its fields alike."""
    refusing = True

    class Refusing(SandboxTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            """Throw at queries of sources' ids, for as long as it is asked to."""
            if refusing and LINK.encode() in request.content:
                return httpx.Response(200, content=NULL_REFERENCE.encode())
            return await super().handle_async_request(request)

    async with erp_of(Refusing(sandbox())) as erp:
        await push(erp, A)
        ids = await ids_of(erp, A, B)
        for _ in range(2):
            with suppress(LookRefusedError):
                await erp.targets_of(ROUTE, [A])
        assert LINK in erp.lacking(ROUTE.target)
        refusing = False
        seen = await erp.linked_targets_of(ROUTE, ids)
        assert seen is not None
        assert (list(seen.targets), set(seen.linked)) == ([A], {A, B})


async def test_a_bill_that_is_asked_for_by_two_numbers_has_its_documents_by_both() -> None:
    """It got another number, and the ledger knows it by the old one as well."""
    async with erp_of(sandbox()) as erp:
        await push(erp, A)
        ids = await ids_of(erp, A)
        seen = await erp.linked_targets_of(ROUTE, ids | {B: ids[A]})
        assert seen is not None
        assert (seen.targets[A], seen.linked) == (seen.targets[B], frozenset({A, B}))


async def test_a_link_to_another_form_is_none_of_ours() -> None:
    """Ids of two forms may be equal: each counts from the same number."""
    site = sandbox()
    site.world.add_target(IN_STOCK, str(A), source_form=RECEIVE_BILL)
    async with erp_of(site) as erp:
        seen = await erp.linked_targets_of(ROUTE, await ids_of(erp, A))
        assert seen is not None
        assert seen.targets == {}
        assert await erp.linked_sources(ROUTE) == []


async def test_where_links_cannot_be_queried_nobody_is_told_that_nothing_is_there() -> None:
    """After two refusals, one of which may have been chance, or one that names the field."""
    async with erp_of(sandbox(link_fields=False)) as erp:
        assert await erp.linked_targets_of(ROUTE, {A: "100001"}) is None
        assert await erp.linked_sources(ROUTE) == []
        unknown = replace(ROUTE, source="CUST_Own")
        assert await erp.linked_targets_of(unknown, {A: "100001"}) is None


async def test_links_are_believed_lacking_only_some_seconds_later() -> None:
    """On a route of links alone nothing would be looked at any more."""
    async with erp_of(sandbox(link_fields=False)) as erp:
        began_s = anyio.current_time()
        assert await erp.linked_targets_of(ROUTE, {A: "100001"}) is None
        assert anyio.current_time() - began_s >= BELIEVED_AFTER_S


@pytest.mark.parametrize("by", ["an answer", "another user"])
async def test_links_that_are_known_are_taken_by_no_refusal(by: str) -> None:
    """Whoever has been answered, and whatever was asked of them."""
    refused = no_such_field(LINK)
    answers = [[], refused] if by == "an answer" else [refused]
    async with erp_of(Scripted(*answers)) as erp:
        if by == "an answer":
            assert await erp.newest_links(ROUTE) == []
        else:
            erp.believe_links(ROUTE)
        with pytest.raises(LookRefusedError):
            await erp.linked_targets_of(ROUTE, {A: "100001"})
