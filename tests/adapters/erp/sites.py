"""Sandboxes, and the adapter that talks to them, for its tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint
from k3push.core.model import Answered, BillNumber, Exchange, Route, Targets
from k3push.core.protocol import wire
from k3push.core.protocol.logins import (
    HeaderSignature,
    LoginCall,
    app_secret_login,
    password_login,
    sign_login,
)
from k3push.ports import Erp
from k3push.simulator import Accounts, SandboxOptions, build
from k3push.simulator import Site as Sandbox
from tests.simulator.transport import SandboxTransport

URL = "http://sandbox/K3Cloud/"
APP = ("sandbox_" + "A" * 32, "sandbox-secret")
ROUTE = Route(
    "in", "PUR_PurchaseOrder", "STK_InStock", "PUR_PurchaseOrder-STK_InStock", "FSRCBillNo"
)
ORDERS = [BillNumber(f"CGDD{i:07d}") for i in range(20)]

Login = Callable[[int], LoginCall] | HeaderSignature


def by_password(password: str) -> Login:
    """Log in with a password; the sandbox's is its name."""
    return lambda _: password_login("sandbox", "sandbox", password, 2052)


LOGINS: dict[str, Login] = {
    "password": by_password("sandbox"),
    "app_secret": lambda _: app_secret_login("sandbox", "sandbox", *APP, 2052),
    "sign": lambda now_s: sign_login("sandbox", "sandbox", *APP, 2052, timestamp_s=now_s),
    "signature": HeaderSignature("sandbox", "sandbox", *APP, 2052),
}


def noon() -> datetime:
    """Give the one time that bills of tests are made at."""
    return datetime(2026, 1, 2, 12, tzinfo=UTC)


def sandbox(**options: Any) -> Sandbox:
    """Build a sandbox with few orders, the same every time."""
    return build(SandboxOptions(**{"orders": 20, **options}), clock=noon)


def short_lived(calls: int) -> Accounts:
    """Give accounts whose sessions end after some calls."""
    return Accounts(session_calls=calls)


def erp_of(
    site: Sandbox | httpx.AsyncBaseTransport,
    login: Login | None = None,
    *,
    form_encoded: bool = False,
    url: str = URL,
    user: str = "sandbox",
) -> ErpClient:
    """Make the adapter of a site in memory."""
    transport = SandboxTransport(site) if isinstance(site, Sandbox) else site
    return ErpClient(
        Endpoint(url, login or by_password("sandbox"), form_encoded=form_encoded, user=user),
        now_s=lambda: 1_767_326_400.5,
        transport=lambda: transport,
    )


async def push(
    erp: Erp, *numbers: BillNumber, held_back: Callable[[], str] = lambda: ""
) -> Exchange:
    """Push purchase orders to stock, in a turn of their own."""
    async with erp.turn() as turn:
        return await turn.perform(
            wire.PUSH, ROUTE.source, wire.push_data(ROUTE, numbers), held_back=held_back
        )


async def targets(erp: Erp, *numbers: BillNumber, by_all: bool = False) -> Targets:
    """Look for the documents of purchase orders, and return those that count."""
    return (await erp.targets_of(ROUTE, numbers, by_all=by_all)).targets


def is_success(exchange: Exchange) -> bool:
    """Say whether a push was answered with success."""
    return isinstance(exchange, Answered) and wire.read_push(exchange.body).saved.success


class Recorder(httpx.AsyncBaseTransport):
    """Notes every request on its way to a sandbox.

    Args:
        site: The sandbox.
    """

    def __init__(self, site: Sandbox) -> None:
        self._inner = SandboxTransport(site)
        self.requests: list[httpx.Request] = []
        self.at_once = 0
        self.most_at_once = 0

    def named(self, service: str) -> list[httpx.Request]:
        """Return the requests to a service."""
        return [each for each in self.requests if f".{service}.common" in str(each.url)]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note it and pass it on."""
        self.requests.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._inner.handle_async_request(request)
        finally:
            self.at_once -= 1


class Scripted(httpx.AsyncBaseTransport):
    """Answers logins with success, and everything else from a list.

    Rows are all that there are: whoever asks for more behind them gets none, and this is
    neither taken from the list nor noted.

    Args:
        answers: Bodies, responses, or what makes one from a query.
        told: Fields that the metadata of each form tell; none are told without them.
    """

    def __init__(self, *answers: Any, told: Sequence[str] = ()) -> None:
        self._answers = list(answers)
        self._told = told
        self.queries: list[dict[str, Any]] = []
        self.logins = 0
        self._rows: list[Any] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if "AuthService" in str(request.url):
            self.logins += 1
            session = {"LoginResultType": 1, "KDSVCSessionId": f"s{self.logins}"}
            return httpx.Response(200, content=orjson.dumps(session))
        if "QueryBusinessInfo" in str(request.url):
            head = {"Key": "FBillHead", "Fields": [{"Key": key} for key in self._told]}
            result = {"ResponseStatus": "", "NeedReturnData": {"Entrys": [head]}}
            return httpx.Response(200, content=orjson.dumps({"Result": result}))
        data = orjson.loads(await request.aread()).get("data", {})
        if data.get("StartRow"):
            rows = self._rows[data["StartRow"] :]
            return httpx.Response(200, content=orjson.dumps(rows))
        self.queries.append(data)
        answer = self._answers.pop(0)
        if callable(answer):
            answer = answer(data)
        self._rows = answer if isinstance(answer, list) else []
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
        return httpx.Response(200, content=body)
