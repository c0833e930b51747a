"""Whatever a server says is read, or is an error of ours; nothing else leaves the readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from k3push.core.model import Answered, Route, Target
from k3push.core.protocol import bill_rows, wire
from k3push.core.protocol.json_values import UnreadableError
from k3push.core.protocol.logins import LoginFailedError, read_login
from k3push.core.protocol.lost_sessions import is_lost_session
from k3push.core.safety.verdict import judge
from tests.core.protocol.answers import LOST, MADE, answer, base64_of_gzip, status

ROUTE = Route("po", "PUR_PurchaseOrder", "STK_InStock", "PUR-STK", "FSRCBillNo")
OURS = (
    UnreadableError,
    wire.QueryRefusedError,
    wire.SessionLostError,
    LoginFailedError,
)
KEYS = st.sampled_from(
    [
        *("Result", "ResponseStatus", "ConvertResponseStatus", "IsSuccess", "MsgCode", "Errors"),
        *("SuccessEntitys", "SuccessMessages", "Id", "Number", "DIndex", "EntryIds", "FieldName"),
        *("Message", "MessageCode", "ErrorCode", "LoginResultType", "KDSVCSessionId"),
        *("IsSuccessByAPI", "InnerExWrapper", "ClassName"),
    ]
)
# As text, since no writer of JSON would write all of these.
LEAVES = st.one_of(
    st.sampled_from(
        [
            *(
                "null",
                "true",
                "false",
                '"true"',
                "0",
                "1",
                '"1"',
                "100001.0",
                "1.5",
                "-0.0",
                "1e23",
            ),
            *(
                "123456789012345678901234567890",
                "18446744073709551615",
                "NaN",
                "1e999",
                '""',
                '" "',
            ),
            *(r'"\ud800"', '"Context Is Null"', '"response_error:"', '"{\\"IsSuccess\\":true}"'),
        ]
    ),
    st.text(max_size=5).map(lambda text: orjson.dumps(text).decode()),
    st.integers(-(2**70), 2**70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}"


def _list(items: list[str]) -> str:
    return "[" + ",".join(items) + "]"


# Keys may come twice.
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(st.tuples(KEYS, inner), max_size=6).map(_object),
        st.lists(inner, max_size=4).map(_list),
    ),
    max_leaves=25,
)
ANSWERS = st.one_of(
    TREES.map(str.encode),
    TREES.map(lambda tree: f'{{"Result":{{"ResponseStatus":{tree}}}}}'.encode()),
    TREES.map(
        lambda tree: (
            f'{{"Result":{{"ResponseStatus":{{"IsSuccess":true,"SuccessEntitys":{tree},"Errors":{tree}}}}}}}'.encode()
        )
    ),
    TREES.map(lambda tree: f"response_error:{tree}".encode()),
    TREES.map(lambda tree: f"[[{tree}]]".encode()),
    TREES.map(lambda tree: f'{{"LoginResultType":1,"KDSVCSessionId":{tree}}}'.encode()),
    TREES.map(lambda tree: base64_of_gzip(tree.encode())),
    st.binary(max_size=80),
    st.binary(max_size=80).map(lambda rest: b"H4sI" + rest),
    st.binary(max_size=80).map(lambda rest: b"response_error:" + rest),
)


def sources(body: bytes) -> object:
    """Read rows of a source form."""
    fields = bill_rows.source_fields()[:2]
    return bill_rows.read_sources(wire.read_rows(body, len(fields)), fields)


def targets(body: bytes) -> object:
    """Read rows of a target form."""
    fields = bill_rows.target_fields(ROUTE)
    return bill_rows.read_targets(wire.read_rows(body, len(fields)), fields, ROUTE)


READERS: list[Callable[[bytes], object]] = [
    wire.read_push,
    wire.read_response_error,
    lambda body: wire.read_rows(body, 1),
    sources,
    targets,
    read_login,
    lambda body: judge(Answered(200, body)),
]


@given(ANSWERS)
@example(LOST)
@example(MADE)
def test_nothing_but_errors_of_ours_leaves_a_reader(body: bytes) -> None:
    """What the server says is never a defect of ours."""
    for read in READERS:
        try:
            read(body)
        except OURS as error:
            str(error).encode()  # it can be shown, and kept


@given(st.lists(st.lists(LEAVES, min_size=4, max_size=4).map(_list), max_size=3).map(_list))
def test_rows_of_odd_cells_are_bills_with_ids_and_numbers_or_an_error(body: str) -> None:
    """No bill and no target is without what tells it from others."""
    try:
        fields = bill_rows.target_fields(ROUTE)[:4]
        found = bill_rows.read_targets(wire.read_rows(body.encode(), 4), fields, ROUTE)
    except OURS:
        return
    assert all(number and linked.target.id for number, linked in found)


@pytest.mark.parametrize("value", [{"a": 1}, [1], True, 1.5, 1e23, None, "", " ", 0, "0", "1\0"])
def test_a_target_that_names_no_id_is_still_work_that_was_done(value: Any) -> None:
    """So the answer is none of a lost session, and the read-back tells what was made."""
    said = wire.read_push(answer(status(code=1, entities=[{"Id": value, "Number": "T"}]))).saved
    assert (said.entities, said.worked) == ((), True)
    assert not is_lost_session(said)


def test_what_should_be_a_list_may_be_its_only_item() -> None:
    """A target or a message that is passed over would be a document or a reason lost."""
    alone = {
        "IsSuccess": False,
        "SuccessEntitys": {"Id": 7, "Number": "T"},
        "Errors": {"Message": "no"},
    }
    said = wire.read_push(answer(alone)).saved
    assert (said.entities, said.errors, said.worked) == ((Target("7", "T"),), ("no",), True)


def test_errors_that_are_null_say_nothing() -> None:
    """Those beside them do."""
    errors = [None, {"Message": None}, {}, "text", {"Message": "no"}]
    said = wire.read_push(answer({"IsSuccess": False, "Errors": errors})).saved
    assert said.errors == ("no",)


@pytest.mark.parametrize(
    "body",
    [
        b'{"Result":"{\\"ResponseStatus\\":{\\"IsSuccess\\":true}}"}',
        b'{"Result":{"ResponseStatus":{"IsSuccess":NaN}}}',
        rb'{"Result":{"ResponseStatus":{"IsSuccess":true,"MsgCode":"\ud800}}}',
        b'{"Result":{"ResponseStatus":{"IsSuccess":[true]}}}',
        b'{"Result":{"ResponseStatus":{"IsSuccess":true}},"Result":null}',
    ],
)
def test_an_answer_that_is_not_of_the_known_form_is_unreadable(body: bytes) -> None:
    """It is doubt, and no success."""
    with pytest.raises(UnreadableError):
        wire.read_push(body)
