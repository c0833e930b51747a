"""What a client gets to see of an answer, for each ending of a fault."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import orjson

from k3push.simulator.answers import AnswerStyle, failure, query_failure
from k3push.simulator.books.refusals import MsgCode, Texts
from k3push.simulator.exchange import Break, CutOff, Fate, Reply, html_reply, json_reply, text_reply
from k3push.simulator.fault_plans.faults import Ending

_GATEWAY = {
    "errcode": 5001,
    "description": "API not found[GW]",
    "description_cn": "请求的API不存在[网关]",
}


def thrown(text: str, *, as_json: bool) -> Reply:
    """Give the text by which the server reports an exception of its own (P 1.10)."""
    if as_json:
        exception = {
            "Message": text,
            "InnerExWrapper": None,
            "ClassName": "System.Exception",
            "ExceptionMethod": "",
            "StackTraceString": "",
        }
        return text_reply("response_error:" + orjson.dumps(exception).decode())
    return text_reply(f"response_error:发生时间：2026-01-01 08:00:00 错误编号：1 错误信息：{text}")


def refuse(
    ending: Ending, style: AnswerStyle, texts: Texts, *, rows: bool, objects: bool
) -> Reply | None:
    """Give the ERP's own refusal for *ending*, or None where it is none.

    Args:
        rows: Whether the request is a query, which wraps refusals.
        objects: Whether the query's rows are objects.
    """
    codes = {
        Ending.EDIT_LOCK: (MsgCode.EDIT_LOCK, texts.edit_lock),
        Ending.CALL_LIMIT: (MsgCode.CALL_LIMIT, texts.call_limit),
        Ending.NO_LICENCE: (MsgCode.LICENCE, texts.no_licence),
        Ending.NO_PERMISSION: (MsgCode.NO_PERMISSION, texts.no_permission),
        Ending.MSGCODE_4: (MsgCode.EXCEPTION, texts.exception),
        Ending.MSGCODE_6: (MsgCode.DATABASE, texts.database),
        Ending.INTERRUPTED: (MsgCode.EXCEPTION, texts.interrupted),
    }
    if ending not in codes:
        return None
    code, text = codes[ending]
    if rows:
        return json_reply(query_failure(style, code, text, objects=objects))
    return json_reply(failure(style, code, text))


def _gzipped(answer: Reply) -> Reply:
    packed = gzip.compress(answer.body, mtime=0)
    reply = Reply(answer.status, packed, answer.headers)
    return reply.with_headers(("content-encoding", "gzip"))


def _base64_gzipped(answer: Reply) -> Reply:
    packed = base64.b64encode(gzip.compress(answer.body, mtime=0))
    return Reply(answer.status, packed, answer.headers)


def _with_nulls(answer: Reply) -> Reply:
    """Put a null into each row, the first time where a number usually stands."""
    content = orjson.loads(answer.body)
    if isinstance(content, list):
        for nth, row in enumerate(_plain_rows(content), start=1):
            row[list(_places(row))[nth % len(row)]] = None
    elif "ResponseStatus" in (content.get("Result") or {}):
        for entity in content["Result"]["ResponseStatus"]["SuccessEntitys"]:
            entity["Number"] = None
    return Reply(answer.status, orjson.dumps(content), answer.headers)


def _with_short_rows(answer: Reply) -> Reply:
    """Take the last value of each row away."""
    content = orjson.loads(answer.body)
    if isinstance(content, list):
        for row in _plain_rows(content):
            del row[list(_places(row))[-1]]
    return Reply(answer.status, orjson.dumps(content), answer.headers)


def _plain_rows(rows: list[Any]) -> Iterator[Any]:
    """Give the rows that tell of bills: a failed query is told in a row as well (P 6.3)."""
    for row in rows:
        values = row.values() if isinstance(row, dict) else row
        if not any(isinstance(value, dict | list) for value in values):
            yield row


def _places(row: Any) -> Iterable[Any]:
    return row if isinstance(row, dict) else range(len(row))


# Endings that look the same whatever the true answer is.
_FIXED: Mapping[Ending, Fate] = {
    Ending.REFUSE_CONNECTION: Break.REFUSED,
    Ending.CONNECT_TIMEOUT: Break.UNREACHABLE,
    Ending.RESET: Break.RESET,
    Ending.CLOSE: Break.CLOSED,
    Ending.SILENCE: Break.SILENT,
    Ending.EMPTY: Reply(200, b""),
    Ending.GARBAGE: Reply(200, b"\x00\xff\xfe\x1f{\x80\x81Result"),
    Ending.RESULT_NULL: json_reply({"Result": None}),
    Ending.HTML_502: html_reply(502, "502 Bad Gateway"),
    Ending.HTML_503: html_reply(503, "503 Service Unavailable"),
    Ending.FORBIDDEN_TEXT: text_reply(
        "401 Forbidden ByRspRetStatusCode -- N001: Unexpectable request."
    ),
    Ending.GATEWAY_519: Reply(519, orjson.dumps(_GATEWAY)).with_headers(
        ("x-api-requestid", "sandbox")
    ),
    Ending.TOO_MANY_429: html_reply(429, "429 Too Many Requests").with_headers(
        ("retry-after", "1")
    ),
}

# Endings that are the true answer in another form.
_CHANGED: Mapping[Ending, Callable[[Reply], Fate]] = {
    Ending.CUT_OFF: CutOff,
    Ending.GZIP: _gzipped,
    Ending.BASE64_GZIP: _base64_gzipped,
    Ending.NULL_VALUES: _with_nulls,
    Ending.SHORT_ROWS: _with_short_rows,
}


# Endings in which the server speaks for itself.
_SAID: Mapping[Ending, Callable[[Texts], Fate]] = {
    Ending.HTML_200: lambda texts: html_reply(200, texts.page),
    Ending.RESPONSE_ERROR: lambda texts: thrown(texts.exception, as_json=True),
    Ending.RESPONSE_ERROR_TIMEOUT: lambda texts: thrown(texts.timed_out, as_json=True),
    Ending.RESPONSE_ERROR_DEADLOCK: lambda texts: thrown(texts.deadlock, as_json=True),
    Ending.RESPONSE_ERROR_TEXT: lambda texts: thrown(texts.exception, as_json=False),
}


def shown(ending: Ending, answer: Reply, texts: Texts) -> Fate:
    """Give what arrives at the client where the true answer is *answer*."""
    if ending in _FIXED:
        return _FIXED[ending]
    if ending in _SAID:
        return _SAID[ending](texts)
    return _CHANGED[ending](answer) if ending in _CHANGED else answer
