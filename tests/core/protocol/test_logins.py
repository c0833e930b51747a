from __future__ import annotations

import base64
import hashlib
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from k3push.core.protocol.json_values import UnreadableError
from k3push.core.protocol.logins import (
    HeaderSignature,
    LoginFailedError,
    app_secret_login,
    password_login,
    read_login,
    sign_login,
)
from tests.core.protocol.answers import base64_of_gzip
from tests.said import english, refused

SECRET = "do-not-show-me"
PUSH = "/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Push.common.kdsvc"
APP_ID = "208001_" + base64.b64encode(bytes(range(1, 25))).decode()


def sdk_headers(monkeypatch: pytest.MonkeyPatch, signer: HeaderSignature, now_s: int) -> Any:
    """Have the official client sign a Push."""
    # It warns when it is imported. It has no types.
    from k3cloud_webapi_sdk.core import (  # type: ignore[import-untyped] # noqa: PLC0415
        webapi_client,
    )
    from k3cloud_webapi_sdk.main import (  # type: ignore[import-untyped] # noqa: PLC0415
        K3CloudApiSdk,
    )

    monkeypatch.setattr(webapi_client, "time", SimpleNamespace(time=lambda: now_s + 0.9))
    sdk = K3CloudApiSdk("https://erp.example.com/K3Cloud/")
    sdk.InitConfig(
        signer.acct_id,
        signer.username,
        signer.app_id,
        signer.app_secret,
        "https://erp.example.com/K3Cloud/",
        signer.lcid,
        int(signer.org_num or 0),
    )
    return sdk.BuildHeader("https://erp.example.com" + PUSH)


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("app_id", [APP_ID, "sandbox_" + "A" * 32])
@pytest.mark.parametrize("username", ["api", "集成用户"])
@pytest.mark.parametrize("org_num", ["", "100"])
def test_requests_are_signed_as_the_official_client_signs_them(
    monkeypatch: pytest.MonkeyPatch, app_id: str, username: str, org_num: str
) -> None:
    """The server knows no other way."""
    signer = HeaderSignature("64f0", username, app_id, SECRET, 2052, org_num)
    ours = signer.headers(PUSH, timestamp_s=1_767_326_400)
    theirs = sdk_headers(monkeypatch, signer, 1_767_326_400)
    lower = {str(name).lower(): value for name, value in theirs.items()}
    assert {name: lower[name.lower()] for name in ours} == ours
    signed = {name for name in lower if name.startswith(("x-api", "x-kd"))}
    assert {name.lower() for name in ours} == signed


@pytest.mark.parametrize(
    "app_id",
    ["", "208001", "208001_", "208001_???", "208001_QQ", "应用_QUJD", "208001_" + "QUJD" * 20],
)
def test_an_application_id_that_cannot_sign_is_named(app_id: str) -> None:
    """It was copied in part, and no server is needed to say so."""
    signer = HeaderSignature("64f0", "api", app_id, SECRET, 2052)
    with refused(LoginFailedError, "app_id") as raised:
        signer.headers(PUSH, timestamp_s=1)
    assert SECRET not in english(raised.value)


def test_login_arguments_stand_in_the_servers_order() -> None:
    """They are read by position (P 2.1)."""
    assert orjson.loads(password_login("64f0", "api", SECRET, 2052).as_json()) == {
        "parameters": ["64f0", "api", SECRET, 2052]
    }
    assert orjson.loads(app_secret_login("64f0", "api", "208001_x", SECRET, 1033).as_json()) == {
        "parameters": ["64f0", "api", "208001_x", SECRET, 1033]
    }


def test_a_sign_is_the_hash_of_the_sorted_parts() -> None:
    """The secret itself does not travel."""
    call = sign_login("64f0", "api", "208001_x", SECRET, 2052, timestamp_s=1_767_326_400)
    parts = "".join(sorted(["64f0", "api", "208001_x", SECRET, "1767326400"]))
    sign = hashlib.sha256(parts.encode()).hexdigest()
    assert orjson.loads(call.as_json()) == {
        "parameters": ["64f0", "api", "208001_x", 1_767_326_400, sign, 2052]
    }
    assert SECRET.encode() not in call.as_json()


def test_no_login_shows_its_secret() -> None:
    """Logs and tracebacks are read by many."""
    shown = [
        password_login("64f0", "api", SECRET, 2052),
        app_secret_login("64f0", "api", "208001_x", SECRET, 2052),
        HeaderSignature("64f0", "api", "208001_x", SECRET, 2052),
    ]
    for each in shown:
        assert SECRET not in f"{each} {each!r} {[each]}"


WELCOME = {"LoginResultType": 1, "KDSVCSessionId": "6a1b", "IsSuccessByAPI": True}


@pytest.mark.parametrize("kind", [1, "1"])
def test_a_login_that_succeeded_gives_its_session(kind: Any) -> None:
    """The result type may come as text, like other numbers."""
    body = orjson.dumps({**WELCOME, "LoginResultType": kind})
    assert read_login(body) == "6a1b"
    assert read_login(b"\xef\xbb\xbf" + body) == "6a1b"
    assert read_login(base64_of_gzip(body)) == "6a1b"


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "licence warning": (
        {
            "Message": "还剩26天，当前您的软件处于未授权",
            "KDSVCSessionId": None,
            "FormId": "BOS_CloudInspection",
            "IsSuccessByAPI": True,
        },
        "还剩26天",
    ),
    "wrong password": (
        {"Message": "用户名或密码错误", "MessageCode": "", "LoginResultType": 0},
        "用户名或密码错误",
    ),
    "wrong signature": (
        {"Message": "签名不匹配", "MessageCode": "016", "LoginResultType": -1},
        "016",
    ),
    "needs a form": ({**WELCOME, "LoginResultType": -5}, "-5"),
    "no session": ({**WELCOME, "KDSVCSessionId": ""}, "gave no reason"),
    "session null": ({**WELCOME, "KDSVCSessionId": None}, "gave no reason"),
    "a page without end": ({"Message": "密" * 100_000, "LoginResultType": 0}, "密… "),
}


@pytest.mark.parametrize(("answer", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_login_without_both_the_result_and_a_session_is_refused(
    answer: dict[str, Any], words: str
) -> None:
    """IsSuccessByAPI alone proves nothing (P 2.2), and the words are the ERP's own."""
    with refused(LoginFailedError, words):
        read_login(orjson.dumps(answer))


@pytest.mark.parametrize("session", ["会话", "a\r\nX: y", "a;b", "\x00", " ", "a "])
def test_a_session_that_no_header_can_carry_is_said_to_be_of_no_use(session: str) -> None:
    """Each call under it would break off before it left."""
    with refused(LoginFailedError, "cannot be sent back"):
        read_login(orjson.dumps({**WELCOME, "KDSVCSessionId": session}))


def test_a_login_that_breaks_on_the_server_is_refused() -> None:
    """It must not be tried again: five wrong ones lock the account (P 2.4)."""
    with refused(LoginFailedError, "数据中心"):
        read_login("response_error:数据中心无法获取到".encode())


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b"[]", b"null", b'{"Result":1}', b"true"])
def test_what_is_no_answer_to_a_login_is_no_refusal(body: bytes) -> None:
    """A proxy's page says nothing of the password."""
    with pytest.raises(UnreadableError):
        read_login(body)
