"""A small client of the simulator, written for its tests alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from k3push.simulator import SandboxOptions, Site, build
from tests.simulator.transport import SandboxTransport

STUB = "Kingdee.BOS.WebApi.ServicesStub"
MEMORY = "http://sandbox/K3Cloud/"

LOGIN = {"acctID": "sandbox", "username": "sandbox", "password": "sandbox", "lcid": 2052}
IN_STOCK = {"RuleId": "PUR_PurchaseOrder-STK_InStock"}
QUERY = {"FormId": "STK_InStock", "FieldKeys": "FID,FBillNo,FDocumentStatus,FSRCBillNo"}


def noon() -> datetime:
    """Give the one time that bills of tests are made at."""
    return datetime(2026, 1, 2, 12, tzinfo=UTC)


def site_of(**options: Any) -> Site:
    """Build a site with few orders, the same every time."""
    return build(SandboxOptions(**{"orders": 20, **options}), clock=noon)


class Client:
    """Calls a site.

    Args:
        http: What carries the calls.

        url: The site's address.
    """

    def __init__(self, http: httpx.AsyncClient, url: str = MEMORY) -> None:
        self.http = http
        self._url = url

    async def call(self, service: str, content: Mapping[str, Any]) -> httpx.Response:
        """Call *service* with JSON."""
        url = f"{self._url}{STUB}.{service}.common.kdsvc"
        return await self.http.post(url, json=dict(content))

    async def log_in(self, **more: Any) -> dict[str, Any]:
        """Log in with the password; the cookies carry the session from here on."""
        answer = await self.call("AuthService.ValidateUser", {**LOGIN, **more})
        return dict(answer.json())

    async def push_raw(self, *numbers: str, **more: Any) -> httpx.Response:
        """Push purchase orders to stock."""
        data = {"Numbers": list(numbers), **IN_STOCK, **more}
        content = {"formid": "PUR_PurchaseOrder", "data": data}
        return await self.call("DynamicFormService.Push", content)

    async def push(self, *numbers: str, **more: Any) -> dict[str, Any]:
        """Push purchase orders to stock and read the ResponseStatus."""
        answer = await self.push_raw(*numbers, **more)
        return dict(answer.json()["Result"]["ResponseStatus"])

    async def operate_raw(self, service: str, *ids: int, **more: Any) -> httpx.Response:
        """Do something with stock bills, by their ids."""
        data = {"Ids": ",".join(map(str, ids)), **more}
        return await self.call(
            f"DynamicFormService.{service}", {"formid": "STK_InStock", "data": data}
        )

    async def operate(self, service: str, *ids: int, **more: Any) -> dict[str, Any]:
        """Do something with stock bills and read the ResponseStatus."""
        answer = await self.operate_raw(service, *ids, **more)
        return dict(answer.json()["Result"]["ResponseStatus"])

    async def query(self, filter_string: Any = "", **more: Any) -> Any:
        """Query what is in stock."""
        data = {**QUERY, "FilterString": filter_string, **more}
        return (await self.call("DynamicFormService.ExecuteBillQuery", {"data": data})).json()


def client_of(site: Site, timeout_s: float = 60.0) -> Client:
    """Give a client of *site* in memory."""
    return Client(httpx.AsyncClient(transport=SandboxTransport(site), timeout=timeout_s))


async def logged_in(site: Site, timeout_s: float = 60.0) -> Client:
    """Give a client of *site* in memory that is logged in."""
    client = client_of(site, timeout_s)
    await client.log_in()
    return client
