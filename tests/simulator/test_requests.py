from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from k3push.simulator.books.orders import read_order
from k3push.simulator.exchange import Request
from k3push.simulator.requests import BadCallError, read_call, service_of

DATA = {"Numbers": ["CGDD0000001"], "RuleId": "R", "IsDraftWhenSaveFail": "true"}
TEXT = json.dumps(DATA)
FORM = "PUR_PurchaseOrder"

ENCODINGS = {
    "object": json.dumps({"formid": FORM, "data": DATA}),
    "object with data as text": json.dumps({"FormId": FORM, "Data": TEXT}),
    "places": json.dumps({"parameters": [FORM, TEXT]}),
    "places with an object": json.dumps({"parameters": [FORM, DATA]}),
    "bare places": json.dumps([FORM, TEXT]),
    "envelope with text": json.dumps(
        {"format": 1, "useragent": "ApiClient", "parameters": json.dumps([FORM, TEXT]), "v": "1.0"}
    ),
    "envelope with an array": json.dumps({"format": 1, "parameters": [FORM, TEXT], "rid": "1"}),
    "form": urlencode({"formid": FORM, "data": TEXT}),
    "form in capitals": urlencode({"FORMID": FORM, "DATA": TEXT}),
}


@pytest.mark.parametrize("body", ENCODINGS.values(), ids=ENCODINGS.keys())
def test_every_encoding_says_the_same(body: str) -> None:
    """Real servers take them all, whatever the content type claims (P 1.5, 1.6)."""
    call = read_call(
        "push", Request("POST", "/", {"content-type": "applicatin/json"}, body.encode())
    )
    order = read_order(call.text(0, "formid"), call.data(1))
    assert order.form == FORM
    assert order.numbers == ("CGDD0000001",)
    assert order.rule_id == "R"
    assert order.draft_when_save_fails


@pytest.mark.parametrize("numbers", ["", [""], [None], None])
def test_empty_numbers_are_no_numbers(numbers: object) -> None:
    """Clients in the wild send them beside Ids (P 5.1)."""
    assert read_order(FORM, {"numbers": numbers, "ids": "1, 2"}).numbers == ()


@pytest.mark.parametrize("ids", ["1,2", [1, 2], ["1", "2"]])
def test_ids_are_text_or_a_list(ids: object) -> None:
    """Both were seen (P 5.1)."""
    assert read_order(FORM, {"ids": ids}).ids == (1, 2)


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe=1", b'{"parameters": 3}', b"[3"])
def test_a_body_in_no_known_encoding_is_an_error(body: bytes) -> None:
    """The server then throws, which the client sees as response_error text."""
    with pytest.raises(BadCallError):
        read_call("push", Request("POST", "/", {}, body))


def test_a_body_may_be_empty() -> None:
    """Some services have no arguments, and an absent one is nobody's mistake yet."""
    call = read_call("logout", Request("POST", "/", {}, b" "))
    assert call.data(0) == {}
    assert call.text(0, "formid") == ""


def test_data_that_is_no_object_is_an_error() -> None:
    """A list where an object is expected is not guessed at."""
    with pytest.raises(BadCallError):
        read_call("push", Request("POST", "/", {}, b'{"data": [1]}')).data(1)


@pytest.mark.parametrize(
    "target",
    [
        "/K3Cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Push.common.kdsvc",
        "/k3cloud/kingdee.bos.webapi.servicesstub.dynamicformservice.push.common.kdsvc?v=1",
    ],
)
def test_paths_do_not_distinguish_case(target: str) -> None:
    """IIS does not, and both spellings of the folder are in use (P 1.1)."""
    assert service_of(target) == "push"


def test_a_path_outside_the_folder_is_no_service() -> None:
    """A missing /K3Cloud/ is a mistake that must show."""
    assert service_of("/Kingdee.BOS.WebApi.ServicesStub.AuthService.Logout.common.kdsvc") is None
