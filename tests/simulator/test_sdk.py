"""The official SDK as an independent witness: it knows the real server, and not us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from k3push.simulator import Site, serve
from tests.simulator.clients import site_of

# The SDK switches certificate checks off and says nothing of it; its dependencies warn.
pytestmark = pytest.mark.filterwarnings("ignore::Warning")

APP_ID = "sandbox_" + "A" * 32


@pytest.fixture
def site() -> Site:
    """Give a site with the accounts that the sandbox has."""
    return site_of()


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    """Serve the site from another thread, since the SDK blocks."""
    url: Future[str] = Future()
    with start_blocking_portal() as portal:
        serving = portal.start_task_soon(lambda: serve(site, started=url.set_result))
        yield url.result(timeout=10)
        serving.cancel()


def sdk_of(address: str, secret: str) -> Any:
    """Give the SDK, set up as its manual says."""
    # It warns when it is imported, so the filter above must be in force. It has no types.
    from k3cloud_webapi_sdk.main import (  # type: ignore[import-untyped] # noqa: PLC0415
        K3CloudApiSdk,
    )

    sdk = K3CloudApiSdk(address)
    sdk.InitConfig("sandbox", "sandbox", APP_ID, secret, address)
    return sdk


def status_of(answer: str) -> Any:
    """Read the ResponseStatus of an answer."""
    return json.loads(answer)["Result"]["ResponseStatus"]


def test_the_official_sdk_signs_pushes_and_queries(address: str, site: Site) -> None:
    """It signs each request, keeps the session, and finds what it pushed."""
    sdk = sdk_of(address, "sandbox-secret")
    data = {"Numbers": ["CGDD0000001", "CGDD0000002"], "RuleId": "PUR_PurchaseOrder-STK_InStock"}
    pushed = status_of(sdk.Push("PUR_PurchaseOrder", data))
    assert [entity["Number"] for entity in pushed["SuccessEntitys"]] == [
        "CGRK0000001",
        "CGRK0000002",
    ]
    query = {
        "FormId": "STK_InStock",
        "FieldKeys": "FBillNo",
        "FilterString": "FBillNo like 'CGRK%'",
        "OrderString": "FBillNo",
    }
    assert json.loads(sdk.ExecuteBillQuery(query)) == [["CGRK0000001"], ["CGRK0000002"]]
    assert json.loads(sdk.BillQuery(query))[0] == {"FBillNo": "CGRK0000001"}
    assert status_of(sdk.QueryBusinessInfo({"FormId": "STK_InStock"}))["IsSuccess"] is True
    assert [centre["Id"] for centre in json.loads(sdk.GetDataCenters())] == ["sandbox"]
    assert (site.logins.successes, site.truth()["documents"]) == (1, 2)


def test_the_official_sdk_outlives_a_lost_session(address: str, site: Site) -> None:
    """A signed request with a dead session is given a new one (P 2.7)."""
    sdk = sdk_of(address, "sandbox-secret")
    data = {"Numbers": ["CGDD0000001"], "RuleId": "PUR_PurchaseOrder-STK_InStock"}
    sdk.Push("PUR_PurchaseOrder", data)
    site.logins.lose_all()
    assert status_of(sdk.Push("PUR_PurchaseOrder", data))["MsgCode"] == 11
    assert site.logins.successes == 2


def test_the_official_sdk_with_a_wrong_secret_gets_nowhere(address: str, site: Site) -> None:
    """Its signature is computed anew here, and differs."""
    sdk = sdk_of(address, "wrong")
    answer = status_of(sdk.Push("PUR_PurchaseOrder", {"Numbers": ["CGDD0000001"]}))
    assert answer["MsgCode"] == 1
    assert site.world.pushes == 0


def test_the_official_sdk_raises_what_the_server_throws(address: str, site: Site) -> None:
    """The prefix is what it tests for (P 1.10); an HTTP status is an error of its own."""
    sdk = sdk_of(address, "sandbox-secret")
    site.faults.add("response-error", "html-503")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            sdk.Push("PUR_PurchaseOrder", {"Numbers": ["CGDD0000001"]})
    assert site.faults.unused() == ()
