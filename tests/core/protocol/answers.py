"""Answers of the ERP as literals, and a short way to write more of them."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from k3push.core.model import BillNumber, Target

LOST_WORDS = "会话信息已丢失，请重新登录"
LOST = (
    '{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":null,'
    '"Message":"会话信息已丢失，请重新登录","DIndex":0}],"SuccessEntitys":[],"SuccessMessages":[],'
    '"MsgCode":1}}}'
).encode()
MADE = (
    b'{"Result":{"ResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{"Id":100501,'
    b'"Number":"XSCKD000501","DIndex":0,"EntryIds":{"FEntity":[200901,200902]}}],'
    b'"SuccessMessages":[],"MsgCode":0},"ConvertResponseStatus":{"IsSuccess":true,"Errors":[],'
    b'"SuccessEntitys":[],"SuccessMessages":[],"MsgCode":0}}}'
)
MADE_BY_AN_OLD_SERVER = (
    b'{"Result":{"ResponseStatus":{"IsSuccess":true},"Id":100040,"Number":"CGRK00016"}}'
)
DRAFT_IN_CONVERT = (
    '{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":"",'
    '"Message":"第1行分录，非赠品单价不能为0"}],"SuccessEntitys":[],"MsgCode":11},'
    '"ConvertResponseStatus":{"IsSuccess":true,"Errors":[],"SuccessEntitys":[{"Id":"115404",'
    '"Number":null,"DIndex":0}],"MsgCode":0}}}'
).encode()
INTERACTION = (
    '{"Result":{"ResponseStatus":{"ErrorCode":500,"IsSuccess":false,"Errors":[{"FieldName":'
    '"FStockId","Message":"单据体“明细信息”第1行字段“仓库”是必填项"},{"FieldName":'
    '"AbstractInteractionResult","Message":"AbstractInteractionResult.InteractionContext is null"'
    '}]},"Id":""}}'
).encode()


def status(
    *messages: str,
    success: Any = False,
    code: Any = None,
    entities: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Write a ResponseStatus; a code of None is absent."""
    errors = [{"FieldName": None, "Message": message, "DIndex": 0} for message in messages]
    written = {"IsSuccess": success, "Errors": errors, "SuccessEntitys": list(entities)}
    return written if code is None else {**written, "MsgCode": code}


def answer(saved: Any, converted: Any = None, **beside: Any) -> bytes:
    """Write the answer of a Push."""
    result = {"ResponseStatus": saved, **beside}
    if converted is not None:
        result["ConvertResponseStatus"] = converted
    return orjson.dumps({"Result": result})


def base64_of_gzip(body: bytes) -> bytes:
    """Write a body as some sites do (P 1.8)."""
    return base64.b64encode(gzip.compress(body, mtime=0))


def numbers(text: str) -> tuple[BillNumber, ...]:
    """Read numbers parted by blanks."""
    return tuple(map(BillNumber, text.split()))


def target(target_id: int | str, number: str = "", *, draft: bool = False) -> Target:
    """Write a target, named after its id unless it is a draft."""
    return Target(str(target_id), number or ("" if draft else f"T{target_id}"), draft)
