from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import Answered, Exchange, NeverSent, NoAnswer, Target
from k3push.core.protocol import wire
from k3push.core.remark import remark
from k3push.core.safety.verdict import Cure, InDoubt, ReadBack, Said, SendAgain, judge, was_given_up
from k3push.words.language import in_files
from tests.core.protocol.answers import (
    DRAFT_IN_CONVERT,
    INTERACTION,
    LOST,
    LOST_WORDS,
    MADE,
    MADE_BY_AN_OLD_SERVER,
    answer,
    base64_of_gzip,
    status,
)

ENTITY = {"Id": 7, "Number": "CGRK7"}
BOM = b"\xef\xbb\xbf"


def read_back(body: bytes, status_code: int = 200) -> ReadBack:
    """Judge a body that must be taken for an answer."""
    verdict = judge(Answered(status_code, body))
    assert isinstance(verdict, ReadBack)
    return verdict


LOST_SESSIONS = {
    "code as a number": LOST,
    "code as text": LOST.replace(b'"MsgCode":1', b'"MsgCode":"1"'),
    "code as text with a blank": LOST.replace(b'"MsgCode":1', b'"MsgCode":" 1"'),
    "code with unknown words": answer(status("You must log in", code=1)),
    "code without words": answer(status(code=1)),
    "success as text": answer(status(LOST_WORDS, success="False", code=1)),
    "without the key of the entities": answer({"IsSuccess": False, "MsgCode": 1}),
    "entities null": answer({"IsSuccess": False, "MsgCode": 1, "SuccessEntitys": None}),
    "no code, 2019": answer(status("Context Is Null")),
    "no code, blanks around": answer(status("  context is null ")),
    "no code, Chinese": answer(status(LOST_WORDS)),
    "no code, half-width comma": answer(status("会话已失效,请重新登录")),
    "no code, said twice": answer(status("会话已过期", "Context Is Null")),
    "code null": answer({**status("Session 已失效"), "MsgCode": None}),
    "code empty": answer(status("Context Is Null", code="")),
    "both statuses": answer(status(LOST_WORDS, code=1), status(LOST_WORDS, code=1)),
    "with a byte order mark": BOM + LOST,
    "base64 of gzip": base64_of_gzip(LOST),
}


@pytest.mark.parametrize("body", LOST_SESSIONS.values(), ids=LOST_SESSIONS)
def test_a_lost_session_is_sent_again_after_a_login(body: bytes) -> None:
    """The ERP checks the session first, so nothing was done (P 3.6)."""
    verdict = judge(Answered(200, body, session=3))
    assert isinstance(verdict, SendAgain)
    assert (verdict.cure, verdict.session) == (Cure.LOG_IN, 3)


NOT_LOST = {
    "InteractionContext is null": INTERACTION,
    "the words inside a longer message": answer(status(f"单据A：{LOST_WORDS}")),
    "the words in a bill number": answer(status("单据“Context Is Null”未审核", code=11)),
    "the words beside another message": answer(status("Context Is Null", "仓库是必填项")),
    "the words with MsgCode 11": answer(status(LOST_WORDS, code=11)),
    "the words with MsgCode 0": answer(status("Context Is Null", code=0)),
    "MsgCode 11": answer(status("数量大于入库上限", code=11)),
    "MsgCode 10": answer(status(code="10")),
    "success": answer(status("Context Is Null", success=True, code=1)),
    "success as text": answer(status(success="true", code=1)),
    "a target is named": answer(status(LOST_WORDS, code=1, entities=[ENTITY])),
    "a draft is named": answer(status(code=1), status(success=True, entities=[{"Id": "7"}])),
    "the converting names a target": answer(status(code=1), status(entities=[ENTITY])),
    "the converting does not say whether it worked": answer(
        status(code=1), {"SuccessEntitys": [ENTITY]}
    ),
    "an entity without an id": answer(status(code=1, entities=[{"Number": "CGRK7"}])),
    "an entity that is no object": answer({**status(code=1), "SuccessEntitys": ["CGRK7"]}),
    "entities that are no list": answer({**status(code=1), "SuccessEntitys": ENTITY}),
    "a target beside the status": answer(status(code=1), Id=7, Number="CGRK7"),
    "a number beside the status": answer(status(code=1), Id=0, Number="CGRK7"),
}


WITHOUT_A_REASON = {
    "a plain exception": b"response_error:",
    "no code": answer(status()),
    "code 0": answer(status(code=0)),
    "code 0 as text": answer(status(code="0")),
    "an exception": answer(status(code=4)),
    "an exception with an empty line": answer(status("", code=4)),
    "a failed database with a blank": answer(status(" ", code="6")),
}


@pytest.mark.parametrize("body", WITHOUT_A_REASON.values(), ids=WITHOUT_A_REASON)
def test_an_answer_that_neither_succeeds_nor_says_why_not_is_doubt(body: bytes) -> None:
    """It refuses nothing, and something may have been made."""
    verdict = judge(Answered(200, body))
    assert isinstance(verdict, InDoubt)
    assert verdict.code == "wordless"


@pytest.mark.parametrize("body", NOT_LOST.values(), ids=NOT_LOST)
def test_what_only_resembles_a_lost_session_is_never_sent_again(body: bytes) -> None:
    """Words also stand in validation errors and data, and a target proves work (P 3.5)."""
    assert isinstance(judge(Answered(200, body)), ReadBack)


@pytest.mark.parametrize("code", [201, 206, 302, 401, 403, 500, 502, 503])
def test_a_lost_session_counts_with_http_200_alone(code: int) -> None:
    """Nobody has seen one with another status (P 3.6)."""
    assert not isinstance(judge(Answered(code, LOST)), SendAgain)


def test_a_connection_that_was_never_made_is_tried_later() -> None:
    """No byte has left."""
    assert judge(NeverSent("refused")) == SendAgain(Cure.WAIT, "refused")


@pytest.mark.parametrize(("timed_out", "code"), [(False, "broken"), (True, "timeout")])
def test_no_answer_is_doubt(timed_out: bool, code: str) -> None:  # noqa: FBT001
    """The request may have arrived, and the ERP may be working on it."""
    assert judge(NoAnswer("silence", timed_out=timed_out)) == InDoubt(code, "silence")


@pytest.mark.parametrize("code", [100, 204, 301, 302, 400, 401, 404, 408, 429, 500, 502, 503, 519])
@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", MADE, b'{"errcode":4002}'])
def test_other_statuses_are_doubt_whatever_the_body_says(code: int, body: bytes) -> None:
    """A proxy may speak for a server that works on (P 1.12)."""
    verdict = judge(Answered(code, body))
    assert isinstance(verdict, InDoubt)
    assert verdict.code == f"http_{code}"


UNREADABLE = {
    "empty": b"",
    "blank": b" \r\n",
    "a page": b"<!DOCTYPE html><html>503</html>",
    "cut off": MADE[: len(MADE) // 2],
    "cut off at the end": MADE[:-1],
    "garbage": b"\x00\xff\xfe\x80",
    "no UTF-8": '{"Result":"采购"}'.encode("gb18030"),
    "text of P 1.11": b"401 Forbidden ByRspRetStatusCode -- N001: Unexpectable request.",
    "an empty object": b"{}",
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "a query's lost session": b"[[" + LOST + b"]]",
    "Result null": b'{"Result":null}',
    "Result as text": b'{"Result":"ok"}',
    "status null": answer(None),
    "status without IsSuccess": answer({"MsgCode": 1, "Errors": []}),
    "IsSuccess null": answer(status(success=None, code=1)),
    "IsSuccess as a number": answer(status(success=0, code=1)),
    "IsSuccess as another text": answer(status(success="no", code=1)),
    "a task": b'{"TaskId":"7","Status":1,"Result":null}',
    "a gateway's error": b'{"errcode":5001,"description":"API not found[GW]"}',
    "base64 of no gzip": b"H4sInothing",
    "base64 of gzip, cut off": base64_of_gzip(MADE)[:80],
    "base64 of gzip of a page": base64_of_gzip(b"<html>"),
    "deep": b"[" * 100_000,
    "two answers": MADE + MADE,
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_doubt(body: bytes) -> None:
    """It says nothing of what the ERP did (rule 6)."""
    verdict = judge(Answered(200, body))
    assert isinstance(verdict, InDoubt)
    assert verdict.code == "unreadable"
    assert verdict.because


@pytest.mark.parametrize(
    "words",
    [
        'note.absent{"seconds":600}',
        'one\nnote.absent{"seconds":600}',
        'note.wait{"why":["note.session_gone",{}]}',
    ],
)
@pytest.mark.parametrize("kind", ["refusal", "exception", "page"])
def test_words_of_the_erp_are_never_taken_for_a_sentence_of_ours(words: str, kind: str) -> None:
    """Whatever they look like: they bear a mark from where they come in."""
    refused: dict[str, Any] = {"IsSuccess": False, "MsgCode": 11, "Errors": [{"Message": words}]}
    bodies = {
        "refusal": json.dumps({"Result": {"ResponseStatus": refused}}),
        "exception": "response_error:" + words,
        "page": words,
    }
    verdict = judge(Answered(200, bodies[kind].encode()))
    if isinstance(verdict, ReadBack):
        (message,) = verdict.said.messages
        assert in_files(message) == words
        assert in_files(remark("note.also", first=message, more=message)).count(words) > 1
    else:
        assert isinstance(verdict, InDoubt)
        assert words in in_files(verdict.because)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb"lone \ud800 end", "lone \ufffd end"),
        (rb"pair \ud83d\ude00 \uDE00 \\ud800", "pair \U0001f600 \ufffd \\ud800"),
        (rb"\ud800\ud83d\ude00", "\ufffd\U0001f600"),
    ],
)
def test_half_a_surrogate_pair_makes_no_answer_unreadable(sent: bytes, read: str) -> None:
    """A text that was cut in the middle of a character is a text."""
    refused = rb'{"IsSuccess":false,"MsgCode":11,"Errors":[{"Message":"%s"}]}' % sent
    verdict = judge(Answered(200, rb'{"Result":{"ResponseStatus":%s}}' % refused))
    assert isinstance(verdict, ReadBack)
    assert verdict.said.messages == (read,)


RESPONSE_ERRORS = {
    "text": ("response_error:发生时间 09:00 错误编号 7 规则", "发生时间 09:00 错误编号 7 规则"),
    "blanks": ("\r\n response_error: no rule \n", "no rule"),
    "JSON": ('response_error:{"Message":"no rule"}', "no rule"),
    "nested": (
        'response_error:{"Message":"outer","InnerExWrapper":{"Message":"no rule"}}',
        "no rule",
    ),
    "inner without words": (
        'response_error:{"Message":"outer","InnerExWrapper":{"Message":""}}',
        "outer",
    ),
    "JSON without words": ('response_error:{"ClassName":"X"}', '{"ClassName":"X"}'),
    "byte order mark": ("\ufeffresponse_error:no rule", "no rule"),
    "the words for a lost session": (f"response_error:{LOST_WORDS}", LOST_WORDS),
}


@pytest.mark.parametrize(("body", "words"), RESPONSE_ERRORS.values(), ids=RESPONSE_ERRORS)
@pytest.mark.parametrize("packed", [False, True])
def test_a_response_error_is_read_back_twice(
    body: str,
    words: str,
    packed: bool,  # noqa: FBT001
) -> None:
    """The call has ended on the server, in the middle of its work or before (rule 6)."""
    encoded = base64_of_gzip(body.encode()) if packed else body.encode()
    verdict = read_back(encoded)
    assert verdict.twice
    assert (verdict.said.success, verdict.said.code) == (False, "response_error")
    assert verdict.said.messages == (words,)


OF_TIME = [
    # SQL Server
    (
        "Timeout expired.  The timeout period elapsed prior to completion of the operation or the"
        " server is not responding."
    ),
    "Execution Timeout Expired.",
    "超时时间已到。在操作完成之前超时时间已过或服务器未响应。",
    "执行超时已过期。完成操作之前已超时或服务器未响应。",
    "Lock request time out period exceeded.",
    "已超过了锁请求超时时段。",
    (
        "Transaction (Process ID 57) was deadlocked on lock resources with another process and has"
        " been chosen as the deadlock victim. Rerun the transaction."
    ),
    "事务(进程 ID 57)与另一个进程被死锁在 锁 资源上，并且已被选作死锁牺牲品。请重新运行该事务。",
    "Operation cancelled by user.",
    "操作已被用户取消。",
    # Windows
    "The wait operation timed out",
    "等待的操作过时。",
    "The semaphore timeout period has expired",
    "信号灯超时时间已到",
    # Oracle
    "ORA-00060: deadlock detected while waiting for resource",
    "ORA-00060: 等待资源时检测到死锁",
    "ORA-01013: user requested cancel of current operation",
    "ORA-01013: 用户请求取消当前的操作",
    "ORA-02049: timeout: distributed transaction waiting for lock",
    "ORA-02049: 超时: 分布式事务处理等待锁",
    "ORA-30006: resource busy; acquire with WAIT timeout expired",
    # .NET
    "Thread was being aborted.",
    "正在中止线程。",
    "事务有问题。",
    "The transaction is in doubt.",
    "The operation has timed out.",
    "操作超时",
    "A task was canceled.",
    "已取消一个任务。",
    "The transaction has aborted.",
    "事务已中止。",
    "The request channel timed out while waiting for a reply after 00:01:00.",
    "Request time-out",
    "操作已被用户取消。",
    "Operation cancelled by user.",
    # A line that broke behind the server
    "基础连接已经关闭: 接收时发生错误。",
    "The underlying connection was closed: An unexpected error occurred on a receive.",
    "远程主机强迫关闭了一个现有的连接。",
    "An existing connection was forcibly closed by the remote host.",
    "在从服务器接收结果时发生传输级错误。",
    "A transport-level error has occurred when receiving results from the server.",
    "与数据库的连接已断开",
    # In Taiwan and Hong Kong
    "執行逾時到期。在作業完成之前超過逾時等待的時間或伺服器未回應。",
    "交易 (處理序識別碼 52) 在鎖定資源上被另一個處理序死結並已被選作死結的犧牲者。",
    "執行緒已經中止。",
    "工作已取消。",
    # Nobody knows what
    "发生未知错误",
    "调用服务失败",
    "保存失败：服务器内部错误",
]


@pytest.mark.parametrize("words", OF_TIME)
@pytest.mark.parametrize("wrapped", [False, True])
def test_an_exception_that_speaks_of_time_is_doubt(words: str, *, wrapped: bool) -> None:
    """It ended a wait, and what was waited for may go on and commit long afterwards (rule 6)."""
    outer = {"Message": "发生异常", "InnerExWrapper": {"Message": words}}
    body = orjson.dumps(outer) if wrapped else words.encode()
    verdict = judge(Answered(200, b"response_error:" + body))
    assert verdict == InDoubt("server_timeout", words)
    assert not verdict.overloaded


@pytest.mark.parametrize(
    "thrown",
    [
        {"ClassName": "System.TimeoutException"},
        {"InnerExWrapper": {"Message": "", "ClassName": "System.Threading.ThreadAbortException"}},
        {"InnerExWrapper": {"InnerExWrapper": {"ClassName": "System.TimeoutException"}}},
        {"StackTraceString": "System.Net.Sockets.SocketException (10054)\r\n   at X.Receive()"},
        {"InnerExWrapper": {"Message": "执行超时已过期", "InnerExWrapper": {"Message": "x"}}},
    ],
)
def test_the_kind_of_an_exception_tells_of_a_time_out_as_its_words_do(
    thrown: dict[str, Any],
) -> None:
    """Its message may be that of a wrapper: 服务处理失败."""
    body = orjson.dumps({"Message": "服务处理失败", **thrown})
    verdict = judge(Answered(200, b"response_error:" + body))
    assert isinstance(verdict, InDoubt)
    assert verdict.code == "server_timeout"


def test_the_stack_of_an_exception_tells_of_no_time_out_by_the_names_of_its_arguments() -> None:
    """Those of SQL Server's driver are called timeout, asyncClose and cancellationToken."""
    stack = (
        "   at System.Data.SqlClient.SqlConnection.OnError(SqlException exception, Boolean"
        " breakConnection, Action`1 wrapCloseInAction)\r\n   at System.Data.SqlClient.TdsParser."
        "ThrowExceptionAndWarning(TdsParserStateObject stateObj, Boolean callerHasConnectionLock,"
        " Boolean asyncClose)\r\n   at System.Data.SqlClient.SqlCommand.RunExecuteReaderTds("
        "CommandBehavior cmdBehavior, Boolean returnStream, Boolean async, Int32 timeout, Task&"
        " task, CancellationToken cancellationToken)"
    )
    told = {
        "Message": "将截断字符串或二进制数据。",
        "ClassName": "System.Data.SqlClient.SqlException",
        "StackTraceString": stack,
    }
    assert read_back(b"response_error:" + orjson.dumps(told)).twice


@pytest.mark.parametrize("words", OF_TIME)
@pytest.mark.parametrize("code", [4, "6", 0, None])
def test_it_is_doubt_in_whichever_form_it_is_answered(words: str, code: int | str | None) -> None:
    """An exception comes as text of its own or in a status (P 5.7)."""
    said = status(words, code=code) if code is not None else status(words)
    if "取消当前" not in words and "requested cancel" not in words:
        assert judge(Answered(200, answer(said))) == InDoubt("server_timeout", words)


@pytest.mark.parametrize(
    "words",
    [
        "执行超时已过期。",
        "Thread was being aborted.",
        "等待资源时检测到死锁",
        "基础连接已经关闭",
        "執行逾時到期。",
        "ORA-03113: end-of-file on communication channel",
        "ORA-12170: TNS:Connect timeout occurred",
        "Unable to read data from the transport connection: Connection reset by peer.",
        "连接被重置",
        "Thread was interrupted from a waiting state.",
        "线程被中断",
        "System.Threading.ThreadAbortException",
        "The application domain in which the thread was running has been unloaded.",
        "应用程序域正在卸载。",
        "Broken pipe",
        "Gateway Time-out",
        "网关超时",
        "等待资源超时",
        "请求超时，请稍后查看结果",
        "The request was aborted: The request was canceled.",
        "操作被取消",
        "网络连接已断开",
    ],
)
def test_what_no_business_says_is_doubt_with_any_code(words: str) -> None:
    """A plug-in may hand on an exception as what its check has found."""
    assert judge(Answered(200, answer(status(words, code=11)))) == InDoubt("server_timeout", words)


@pytest.mark.parametrize(
    "words",
    [
        "操作已超时。",
        "操作超时",
        "请求超时。",
        "调用已超时",
        "连接已断开。",
        "連線已中斷。",
    ],
)
@pytest.mark.parametrize("code", [11, 8, 4, None])
def test_words_that_are_nothing_but_an_interruption_are_doubt(words: str, code: int | None) -> None:
    """Business says them in a sentence about a bill, and .NET says them alone."""
    said = status(words, code=code) if code is not None else status(words)
    assert judge(Answered(200, answer(said))) == InDoubt("server_timeout", words)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("订单已取消", 4),
        ("物料批号已过期", "4"),
        ("订单已取消", None),
        ("单据审批已超时，不允许下推", 11),
        ("单据的订单执行已超时，不允许下推", 11),
        ("操作失败：取消状态的分录不允许下推", 11),
        ("该操作仅限未取消的单据", 11),
        ("该任务已关闭。", 11),
        ("该工作已取消", 11),
        ("任务已中止", 11),
        ("生产任务被中断，不允许下推", 11),
        ("采购请求超时未审核", 11),
        ("交易连接客户已断开合作", 11),
        ("The transaction date is in a closed period, document A cannot be pushed.", 11),
        ("Order A was canceled by user wang.", 11),
        ("Production task A is cancelled.", 11),
        ("源单已关闭", 4),
        ("数量大于入库上限", 11),
        ("系统繁忙，请稍后再试", 14),
    ],
)
def test_what_business_says_of_a_bill_is_a_refusal(words: str, code: int | str | None) -> None:
    """A doubt costs a window, and a person where no look can settle it."""
    said = status(words, code=code) if code is not None else status(words)
    assert isinstance(judge(Answered(200, answer(said))), ReadBack)


@pytest.mark.parametrize(
    "words",
    [
        "Object reference not set to an instance of an object.",
        "未将对象引用设置到对象的实例。",
        "转换规则 PUR_X 不存在",
        "Violation of PRIMARY KEY constraint 'PK_T_STK_INSTOCK'.",
        "违反了 PRIMARY KEY 约束。不能在对象中插入重复键。",
        "String or binary data would be truncated.",
        "将截断字符串或二进制数据。",
        "ORA-00001: unique constraint violated",
        "ORA-01654: unable to extend index by 128 in tablespace",
        "列名 'FX' 无效。",
        "第1行分录，数量大于入库上限",
        "单据日期 2024-01-02 09:00:00 所在期间已关账",
    ],
)
def test_any_other_exception_has_ended_its_work(words: str) -> None:
    """A number or an hour in it says nothing of a wait; what it did is read back, twice."""
    verdict = read_back(f"response_error:{words}".encode())
    assert verdict.twice
    assert verdict.said.messages == (words,)
    for code in (4, "6"):
        assert read_back(answer(status(words, code=code))).twice
    assert not read_back(answer(status(words, code=11))).twice


@pytest.mark.parametrize("code", [200, 206])
@pytest.mark.parametrize("body", [MADE, BOM + MADE, base64_of_gzip(MADE), b"\n" + MADE + b"\n"])
def test_an_answer_is_read_back_once(body: bytes, code: int) -> None:
    """The official client takes 200 and 206 for answers (P 1.9)."""
    verdict = read_back(body, code)
    assert not verdict.twice
    assert verdict.said.named == (Target("100501", "XSCKD000501"),)
    assert (verdict.said.success, verdict.said.code) == (True, "0")


def test_an_old_server_names_its_one_target_beside_the_status() -> None:
    """Servers of old send no MsgCode and no SuccessEntitys (P 4.1)."""
    said = read_back(MADE_BY_AN_OLD_SERVER).said
    assert (said.success, said.code, said.named) == (True, "", (Target("100040", "CGRK00016"),))
    assert said.partial


def test_a_target_that_is_named_beside_its_status_as_well_counts_once() -> None:
    """Newer servers name it in both places."""
    body = answer(status(success=True, entities=[ENTITY]), Id="7", Number="CGRK7")
    said = read_back(body).said
    assert (said.named, said.partial) == ((Target("7", "CGRK7"),), False)


def test_what_the_conversion_alone_names_need_not_be_all() -> None:
    """Some of it passes for the sources: a document may bear its bill's number, or an id of one."""
    body = answer(status(success=True), status(success=True, entities=[ENTITY]))
    said = read_back(body).said
    assert (said.named, said.names_all) == ((Target("7", "CGRK7"),), False)


def test_a_refusal_that_names_nothing_has_made_no_more_than_it_names() -> None:
    """Only a success leaves it to the conversion to name what was made."""
    verdict = read_back(answer(status("库存不足", code=11), status()))
    assert (verdict.said.named, verdict.said.partial) == ((), False)


@pytest.mark.parametrize("unread", [{"Id": None, "Number": "CGRK8"}, ["8"], "CGRK8", {"0": ENTITY}])
def test_beside_what_cannot_be_read_a_success_names_a_part(unread: object) -> None:
    """Another document of its bills need not be somebody else's."""
    body = answer({"IsSuccess": True, "SuccessEntitys": [ENTITY, unread], "MsgCode": 0})
    said = read_back(body).said
    assert (said.named, said.names_all) == ((Target("7", "CGRK7"),), False)


def test_what_the_saving_says_of_a_target_wins() -> None:
    """The conversion names it before it has its number, as a draft has none (P 5.3)."""
    unsaved = {"Id": 7, "Number": None}
    body = answer(
        status(success=True, entities=[ENTITY]),
        status(success=True, entities=[unsaved, {"Id": 8, "Number": None}]),
    )
    said = read_back(body).said
    assert said.named == (Target("7", "CGRK7"), Target("8", "", draft=True))


@pytest.mark.parametrize("target_id", [7, "7", " 7 "])
@pytest.mark.parametrize("success", [True, "true", "True", " TRUE "])
def test_ids_and_booleans_come_as_text_too(target_id: Any, success: Any) -> None:
    """The templates show both as text (P 4.1, 4.2)."""
    entity = {"Id": target_id, "Number": "CGRK7"}
    said = read_back(answer(status(success=success, code="0", entities=[entity]))).said
    assert (said.success, said.named) == (True, (Target("7", "CGRK7"),))


@pytest.mark.parametrize("number", [None, "", " ", "7"])
def test_a_target_without_a_number_of_its_own_is_a_draft(number: str | None) -> None:
    """Its number comes as nothing or as its id (P 5.9)."""
    body = answer(status(success=True, entities=[{"Id": 7, "Number": number}]))
    assert read_back(body).said.named == (Target("7", "", draft=True),)


def test_a_draft_is_seen_that_only_the_converting_names() -> None:
    """Saving failed and a draft exists all the same (P 5.8, form A)."""
    said = read_back(DRAFT_IN_CONVERT).said
    assert (said.success, said.code) == (False, "11")
    assert said.messages == ("第1行分录，非赠品单价不能为0",)
    assert said.named == (Target("115404", "", draft=True),)


def test_errors_of_both_statuses_are_kept_in_order_each_once() -> None:
    """A refused conversion shows in either (P 5.3)."""
    body = answer(status("a", "b", code=11), status("b", "c", code=4))
    said = read_back(body).said
    assert (said.code, said.messages) == ("11", ("a", "b", "c"))


@pytest.mark.parametrize("errors", [None, {}, "x", ["x", None, {}, {"Message": None}]])
def test_errors_of_an_unknown_form_are_no_words(errors: Any) -> None:
    """What became of the numbers is asked anyway."""
    body = answer({"IsSuccess": False, "Errors": errors, "MsgCode": 11})
    assert read_back(body).said.messages == ()


@pytest.mark.parametrize("code", [11, "12"])
def test_a_check_that_says_nothing_is_read_back_twice(code: int | str) -> None:
    """Nobody knows what has failed, and whether the work has ended."""
    assert read_back(answer(status(code=code))).twice
    assert not read_back(answer(status("仓库必录", code=code))).twice


def test_an_exception_that_is_nested_deep_is_read_like_any_other() -> None:
    """JSON is read deeper than it is written."""
    verdict = read_back(b"response_error:" + b"[" * 300 + b"]" * 300)
    assert verdict.twice


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "1", "true", "false"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Result", "ResponseStatus", "ConvertResponseStatus", "IsSuccess", "MsgCode"),
                    *("SuccessEntitys", "Errors", "Message", "Id", "Number", "InnerExWrapper"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
STATUSES = st.fixed_dictionaries(
    {"IsSuccess": st.sampled_from([False, True, "false", "true", None])},
    optional={
        "MsgCode": st.sampled_from([0, 1, 11, "1", "", None]),
        "Errors": st.lists(st.fixed_dictionaries({"Message": st.sampled_from(["Context Is Null"])}))
        | JSON,
        "SuccessEntitys": st.lists(st.sampled_from([ENTITY, {"Id": 0}]), max_size=2) | JSON,
    },
)
ANSWERS = st.builds(answer, STATUSES | JSON, st.none() | STATUSES | JSON)
BODIES = (
    st.binary(max_size=200)
    | JSON.map(orjson.dumps)
    | ANSWERS
    | ANSWERS.map(base64_of_gzip)
    | st.binary(max_size=40).map(lambda tail: b"response_error:" + tail)
    | st.binary(max_size=40).map(lambda tail: b"H4sI" + tail)
)
EXCHANGES = (
    st.builds(Answered, st.just(200) | st.integers(), BODIES)
    | st.builds(NeverSent, st.text())
    | st.builds(NoAnswer, st.text(), st.booleans())
)


@given(EXCHANGES)
def test_every_exchange_has_a_verdict_and_few_may_be_sent_again(exchange: Exchange) -> None:
    """Any other ground to send again could make a second document (rule 4)."""
    verdict = judge(exchange)
    assert isinstance(verdict, SendAgain | ReadBack | InDoubt)
    if not isinstance(verdict, SendAgain) or isinstance(exchange, NeverSent):
        return
    assert isinstance(exchange, Answered)
    assert exchange.status == 200
    result = orjson.loads(wire.plain(exchange.body))["Result"]
    saved = result["ResponseStatus"]
    converted = result.get("ConvertResponseStatus")
    assert str(saved["IsSuccess"]).lower() == "false"
    assert not saved.get("SuccessEntitys")
    assert not isinstance(converted, dict) or not converted.get("SuccessEntitys")
    if str(saved.get("MsgCode") or "") != "1":
        assert "MsgCode" not in saved or saved["MsgCode"] in {None, ""}
        assert {error["Message"] for error in saved["Errors"]} == {"Context Is Null"}


@given(st.binary(), st.integers())
def test_any_bytes_with_any_status_have_a_verdict(body: bytes, code: int) -> None:
    """Judging never fails, since a failure would leave an attempt open."""
    assert not isinstance(judge(Answered(code, body)), SendAgain)


@pytest.mark.parametrize(
    ("doubt", "after_s", "given_up"),
    [
        (InDoubt("timeout", ""), 10.0, True),
        (InDoubt("http_504", ""), 10.0, True),
        (InDoubt("broken", ""), 10.0, False),
        (InDoubt("broken", ""), 40.0, True),
        (
            InDoubt("server_timeout", "", Said(success=False, code="4", messages=(), named=())),
            40.0,
            False,
        ),
    ],
)
def test_a_call_was_given_up_that_was_waited_for_no_longer(
    doubt: InDoubt, after_s: float, *, given_up: bool
) -> None:
    """By its code at any time; what broke late without an answer may be at work as well."""
    assert was_given_up(doubt, after_s) is given_up
