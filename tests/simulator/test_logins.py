from __future__ import annotations

import hashlib
from typing import Any

import anyio
import pytest

from k3push.simulator import Accounts, SandboxOptions, Site, build
from k3push.simulator.signatures import client_secret
from tests.simulator.clients import LOGIN, Client, client_of, logged_in, site_of

pytestmark = pytest.mark.anyio

APP_ID = "sandbox_" + "A" * 32
LOST = "会话信息已丢失，请重新登录"


async def refusal_of(client: Client, **changes: Any) -> tuple[int, str]:
    """Log in with something changed and give the answer's type and text."""
    answer = await client.log_in(**changes)
    assert answer["KDSVCSessionId"] is None
    return answer["LoginResultType"], answer["Message"]


async def is_lost(client: Client, **headers: str) -> bool:
    """Tell whether a call finds its session lost."""
    client.http.headers.update(headers)
    answer = (await client.push_raw("CGDD0000001")).json()
    errors = answer["Result"]["ResponseStatus"]["Errors"]
    return [error["Message"] for error in errors] == [LOST]


def by_sign(secret: str) -> list[Any]:
    """Give the arguments of LoginBySign in their places, signed with *secret*."""
    stamp = "1767326400"
    parts = sorted(["sandbox", "sandbox", APP_ID, secret, stamp])
    sign = hashlib.sha256("".join(parts).encode()).hexdigest()
    return ["sandbox", "sandbox", APP_ID, stamp, sign, 2052]


@pytest.mark.parametrize(
    ("service", "content"),
    [
        ("ValidateUser", LOGIN),
        ("ValidateUser", {"ACCTID": "sandbox", "UserName": "sandbox2", "Password": "sandbox"}),
        ("ValidateUser", {"parameters": ["sandbox", "sandbox", "sandbox", 2052]}),
        ("ValidateUser2", {"parameters": '["sandbox", "sandbox", "sandbox", false, 2052]'}),
        (
            "LoginByAppSecret",
            {"parameters": ["sandbox", "sandbox", APP_ID, "sandbox-secret", 2052]},
        ),
        ("LoginBySign", {"parameters": by_sign("sandbox-secret")}),
    ],
)
async def test_every_login_opens_a_session(service: str, content: dict[str, Any]) -> None:
    """A login counts when its type is 1 and there is a session id (P 2.1, 2.2)."""
    client = client_of(site_of())
    answer = (await client.call(f"AuthService.{service}", content)).json()
    assert (answer["LoginResultType"], answer["IsSuccessByAPI"]) == (1, True)
    assert client.http.cookies["kdservice-sessionid"] == answer["KDSVCSessionId"]
    assert not await is_lost(client)


async def test_a_form_encoded_login_opens_a_session() -> None:
    """The oldest tutorials log in with a form (P 0)."""
    client = client_of(site_of())
    url = "http://sandbox/k3cloud/Kingdee.BOS.WebApi.ServicesStub.AuthService.ValidateUser"
    answer = await client.http.post(f"{url}.common.kdsvc", data=LOGIN)
    assert answer.json()["LoginResultType"] == 1


async def test_a_header_carries_a_session_as_well_as_a_cookie() -> None:
    """Clients use either (P 2.5)."""
    client = client_of(site_of())
    session_id = (await client.log_in())["KDSVCSessionId"]
    client.http.cookies.clear()
    assert await is_lost(client)
    assert not await is_lost(client, **{"kdservice-sessionid": session_id})


async def test_refused_logins_say_why() -> None:
    """The texts are those that were seen; the types are the official ones (P 2.3, 2.4)."""
    client = client_of(site_of(accounts=Accounts(barred=frozenset({"sandbox2"}))))
    assert await refusal_of(client, password="no") == (0, "用户名或密码错误")
    assert "数据中心无法获取到" in (await refusal_of(client, acctID="no"))[1]
    assert "允许调用WebAPI接口" in (await refusal_of(client, username="sandbox2"))[1]


@pytest.mark.parametrize(
    ("service", "places", "code"),
    [
        ("LoginBySign", by_sign("wrong"), "016"),
        ("LoginByAppSecret", ["sandbox", "sandbox", APP_ID, "wrong", 2052], "016"),
        ("LoginByAppSecret", ["sandbox", "sandbox", "other", "sandbox-secret", 2052], "016"),
        ("LoginByAppSecret", ["sandbox", "nobody", APP_ID, "sandbox-secret", 2052], ""),
    ],
)
async def test_an_application_must_prove_itself(service: str, places: list[Any], code: str) -> None:
    """A signature is computed anew, and a wrong one has a code of its own (P 2.4)."""
    client = client_of(site_of())
    answer = (await client.call(f"AuthService.{service}", {"parameters": places})).json()
    assert (answer["KDSVCSessionId"], answer["MessageCode"]) == (None, code)


async def test_five_wrong_passwords_lock_the_account_for_half_an_hour() -> None:
    """A client that retries a refused login locks its user out (P 2.4)."""
    client = client_of(site_of())
    for _ in range(5):
        assert (await refusal_of(client, password="no"))[0] == 0
    assert "次数超限" in (await refusal_of(client))[1]
    assert (await client.log_in(username="sandbox2"))["LoginResultType"] == 1
    await anyio.sleep(31 * 60)
    assert (await client.log_in())["LoginResultType"] == 1


async def test_the_licence_warning_looks_like_success_and_opens_nothing() -> None:
    """IsSuccessByAPI alone proves nothing (P 2.2)."""
    client = client_of(site_of(accounts=Accounts(licence_warning=True)))
    answer = await client.log_in()
    assert (answer["IsSuccessByAPI"], answer["KDSVCSessionId"]) == (True, None)
    assert "LoginResultType" not in answer
    assert await is_lost(client)


async def test_a_call_without_a_session_executes_nothing() -> None:
    """The check comes first, which is what makes sending again safe (P 3.6)."""
    site = site_of()
    assert await is_lost(client_of(site))
    assert site.truth()["pushes"] == 0


async def test_a_session_ends_after_so_many_calls() -> None:
    """The loss strikes in the middle of a run, at a known place."""
    site = site_of(accounts=Accounts(session_calls=2))
    client = await logged_in(site)
    assert [await is_lost(client) for _ in range(3)] == [False, False, True]
    await client.log_in()
    assert not await is_lost(client)
    assert (site.truth()["logins"], site.truth()["sessions_lost"]) == (2, 1)


async def test_a_session_ends_when_it_is_idle() -> None:
    """Twenty minutes is the default of the platform (P 2.8)."""
    client = await logged_in(site_of())
    await anyio.sleep(19 * 60)
    assert not await is_lost(client)
    await anyio.sleep(19 * 60)
    assert not await is_lost(client)
    await anyio.sleep(21 * 60)
    assert await is_lost(client)


async def test_sessions_end_on_command() -> None:
    """Recycling an application pool takes every session with it."""
    site = site_of()
    first, second = await logged_in(site), await logged_in(site)
    site.logins.lose_all()
    assert await is_lost(first)
    assert await is_lost(second)


@pytest.mark.parametrize("kick_off", [False, True])
async def test_a_second_login_may_end_the_first(kick_off: bool) -> None:  # noqa: FBT001
    """Some versions allow a user one session at a time (P 2.8)."""
    site = site_of(accounts=Accounts(kick_off=kick_off))
    first = await logged_in(site)
    await logged_in(site)
    assert await is_lost(first) is kick_off


async def test_a_logout_ends_the_session() -> None:
    """It answers with a bare truth value (P 2.1)."""
    client = await logged_in(site_of())
    assert (await client.call("AuthService.Logout", {})).json() is True
    assert await is_lost(client)
    assert (await client.call("AuthService.Logout", {})).json() is False


async def test_the_list_of_data_centres_needs_no_session() -> None:
    """It is the one thing that an outsider may ask (P 1.2)."""
    client = client_of(site_of())
    url = "http://sandbox/K3Cloud/Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService"
    answer = await client.http.post(f"{url}.GetDataCenterList.common.kdsvc", json={})
    assert [centre["Id"] for centre in answer.json()] == ["sandbox"]


def test_an_app_id_hides_a_secret() -> None:
    """Zeroes show the mask itself; a half that is no base64 hides nothing (P 2.6)."""
    assert client_secret(APP_ID) == "MDA1NGYzOTdjNjIzNDM3OGIwOWNhN2Qz"
    assert client_secret("sandbox_?") == ""


def test_sessions_have_the_same_ids_every_time() -> None:
    """A failing seed must replay exactly, logs included."""
    ids = [build(SandboxOptions(orders=1, seed=seed)).logins.hollow_id() for seed in (1, 1, 2)]
    assert ids[0] == ids[1] != ids[2]


@pytest.fixture
def signed_site() -> Site:
    """Give a site for requests that are signed with the values below."""
    return site_of()


def signed_headers() -> dict[str, str]:
    """Give the headers of a push, signed once by the official SDK for an address at /K3Cloud/."""
    return {
        "X-Api-ClientID": "sandbox",
        "X-Api-Auth-Version": "2.0",
        "x-api-timestamp": "1767326400",
        "x-api-nonce": "1767326400",
        "x-api-signheaders": "x-api-timestamp,x-api-nonce",
        "X-Api-Signature": (
            "MTA5MmUzZDgzY2RiYzFmN2Y1MzQyYzA1MGI5MDY4YzI0MTY1"
            "Y2UzMTBjNjdlNjU1MjAwMjc3Yjg5MDliMzI1MQ=="
        ),
        "X-Kd-Appkey": APP_ID,
        "X-Kd-Appdata": "c2FuZGJveCxzYW5kYm94LDIwNTIsMA==",
        "X-Kd-Signature": (
            "ODFiZGMwYWM0OThhYjdhZmFiMTJiN2Q2ODhhZGE2MGI3OGRh"
            "Y2ViODBmYWY4NDNhODE1ZGIwNjU4MTU4MTBiMw=="
        ),
    }


async def test_a_signed_request_needs_no_login(signed_site: Site) -> None:
    """It gets a session with its first answer, and a new one where the old is lost (P 2.7)."""
    client = client_of(signed_site)
    assert not await is_lost(client, **signed_headers())
    first = client.http.cookies["kdservice-sessionid"]
    signed_site.logins.lose_all()
    assert not await is_lost(client)
    assert client.http.cookies["kdservice-sessionid"] != first


async def test_a_wrong_signature_is_a_lost_session_with_a_hollow_id(signed_site: Site) -> None:
    """The text is the same as for a session that ended, so a client must not try for ever."""
    client = client_of(signed_site)
    assert await is_lost(client, **{**signed_headers(), "X-Kd-Signature": "wrong"})
    assert await is_lost(client, **{**signed_headers(), "X-Kd-Appkey": "other"})
    assert await is_lost(
        client, **{"kdservice-sessionid": client.http.cookies["kdservice-sessionid"]}
    )


async def test_a_signature_for_another_data_centre_is_no_answer_at_all(signed_site: Site) -> None:
    """This one mistake has a status of its own (P 2.7)."""
    client = client_of(signed_site)
    client.http.headers.update({**signed_headers(), "X-Kd-Appdata": "b3RoZXIs"})
    for _ in range(2):
        answer = await client.push_raw("CGDD0000001")
        assert (answer.status_code, answer.text) == (500, "Fail to verify thirty passport")
        client.http.headers["X-Kd-Appdata"] = "no base64"
