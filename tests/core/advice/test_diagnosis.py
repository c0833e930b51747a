from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import k3push
from k3push.core.advice.catalogue import ENTRIES
from k3push.core.advice.diagnosis import advise, code_of, code_of_step, shape_of
from k3push.core.model import BillNumber, Follow, Row, State
from k3push.core.remark import remark
from k3push.words import explained, sentence
from k3push.words.width import columns
from tests.said import english

PACKAGE = Path(k3push.__file__).parent

# Where the code of an outcome stands among the arguments of a call without names.
CODE_ARGUMENTS = {"Outcome": 3, "InDoubt": 0, "_rejected": 1, "still_planned": 1, "unknown": 0}

# Codes that have a name, since they are written in several places.
CODE_NAMES = {
    "ABSENT",
    "AMBIGUOUS",
    "BY_LEDGER",
    "CANCELLED_SINCE",
    "KILLED",
    "PRECHECK",
    "SHARED",
    "TWIN",
    "UNSHOWN",
}

# Messages of P 4.4, P 2.4, the protocol samples, the simulator, `runs/lookup/` and the demo.
SEEN = [
    ("precheck", "源单未审核 (the source bill is not approved)", "not-approved"),
    ("precheck", "源单已关闭 (the source bill is closed)", "closed"),
    ("precheck", "源单已作废 (the source bill is cancelled)", "cancelled"),
    ("precheck", "源单不存在 (the source form holds no such bill)", "number-unknown"),
    ("precheck", "note.blocked.unapproved{}", "not-approved"),
    ("precheck", "note.blocked.closed{}", "closed"),
    ("precheck", "note.blocked.cancelled{}", "cancelled"),
    ("precheck", "note.no_source{}", "number-unknown"),
    ("", 'note.also{"first":["note.draft_before",{}],"more":["note.thin",{}]}', "earlier-draft"),
    ("", 'note.wait{"why":["note.no_answer",{"name":"ConnectTimeout"}]}', "not-connected"),
    ("precheck", 'note.two_bills{"id":"100017","number":"A"}', "two-bills"),
    ("precheck", 'note.replaced{"id":"100017"}', "replaced"),
    ("precheck", "another reason", "precheck"),
    ("waiting", 'note.document.in_flow{"task":"主管审批: 张三"}', "waiting"),
    ("refused", "note.document.taken_back{}", "taken-back"),
    ("refused", "note.document.submitted_before{}", "taken-back"),
    ("refused", 'note.document.not_ours{"creator":"x"}', "not-ours"),
    ("refused", "note.document.no_maker{}", "not-ours"),
    ("refused", "note.document.submitted_by_others{}", "not-ours"),
    ("refused", 'note.document.of_another{"number":"A"}', "not-ours"),
    ("refused", "note.document.thin{}", "not-ours"),
    ("refused", "note.document.part{}", "partly"),
    ("refused", "note.document.twin{}", "twin"),
    ("refused", "note.document.draft{}", "draft"),
    ("refused", "note.document.gone{}", "document-gone"),
    ("refused", 'note.document.another{"number":"A"}', "document-gone"),
    ("refused", "note.document.cancelled{}", "document-gone"),
    ("refused", 'note.document.strange{"status":"X"}', "step-unclear"),
    ("refused", "note.document.dropped{}", "step-unclear"),
    ("", "已有暂存单 (a draft was there before)", "earlier-draft"),
    ("", "ConnectError: [Errno 111] Connection refused", "not-connected"),
    ("", "no session: https://erp/K3Cloud/: no answer in time (ConnectTimeout)", "not-connected"),
    ("1", "会话信息已丢失，请重新登录", "session-lost"),
    ("", "Context Is Null", "session-lost"),
    ("4", "标识为“STK_X”的业务对象不存在，或者被删除", "form-unknown"),
    ("4", "GetRealExpress error: FNo", "bad-filter"),
    ("8", "data 数据包中的参数 FieldKeys 的值不能为空", "bad-parameter"),
    ("8", "编码值或内码值必须传其一", "bad-parameter"),
    ("8", "未启用默认转换规则，转换规则内码（RuleId）必填", "no-default-rule"),
    ("9", "元数据中标识为FIssueType的字段不存在", "field-unknown"),
    ("9", '编码值["FYBX20240718000001"]不存在', "number-unknown"),
    ("9", '内码值["100001"]不存在', "number-unknown"),
    ("11", "违反字段唯一性要求：编码唯一。[test5]在当前系统中已经被使用。", "not-unique"),
    ("11", "单据编号为“TK202504030001”的销售出库单，单据已经审核！", "wrong-status"),
    (
        "13",
        '"demo"使用业务单据："采购订单"业务操作-"[采购订单-修改]"冲突，请稍候再使用。',
        "edit-lock",
    ),
    ("14", "调用过于频繁，请稍后再试", "call-limit"),
    ("2", "当前用户没有此业务对象的权限", "no-right"),
    ("", "第1行分录，数量大于入库上限！", "quantity-exceeded"),
    ("11", "单据编号为“CGDD0000007”的采购订单，数量超出可入库数量！", "quantity-exceeded"),
    ("11", "第2行分录，数量必须大于0", "quantity-zero"),
    ("11", "单据编号为“CGDD0000007”的采购订单没有可下推的数量！", "fully-pushed"),
    ("11", "已经下推过采购订单,不允许再次下推", "fully-pushed"),
    ("11", "累计关联数量已达订单数量", "fully-pushed"),
    ("11", "单据编号为“CGDD0000003”的采购订单未审核，不能下推！", "not-approved"),
    ("11", "单据编号为“CGDD0000003”的采购订单已关闭，不能下推！", "closed"),
    ("11", "单据编号为“CGDD0000003”的采购订单已作废，不能下推！", "cancelled"),
    ("11", "第3行分录已业务关闭", "closed"),
    ("11", "第3行分录已冻结", "frozen"),
    ("11", "没有可用的单据转换规则：PUR_PurchaseOrder-X", "no-rule"),
    ("response_error", "转换规则 PUR_X 不存在", "no-rule"),
    ("11", "单据编号为“CGDD0000003”的采购订单不满足转换规则的条件！", "rule-conditions"),
    ("11", "第1行分录，仓库是必填项", "warehouse-needed"),
    (
        "",
        (
            "单据体“明细信息”第1行字段“仓库”是必填项"
            " AbstractInteractionResult.InteractionContext is null"
        ),
        "warehouse-needed",
    ),
    ("11", "单据体“明细信息”第1行字段“批号”是必填项", "lot-needed"),
    ("11", "单据体“明细信息”第1行字段“序列号”是必填项", "serial-needed"),
    ("11", "单据体“明细信息”第1行字段“车间”是必填项", "field-needed"),
    ("11", "第1行分录，非赠品单价不能为0", "price-zero"),
    ("", "AbstractInteractionResult.InteractionContext is null", "question"),
    ("11", "单据日期所在期间已关账", "period-closed"),
    ("11", "物料“M6”未审核", "base-data"),
    ("11", "即时库存不足，将出现负库存", "stock-short"),
    ("11", "源单的收料组织与单据组织不一致", "organisation"),
    ("response_error", "事务与另一个进程被死锁在锁资源上", "database-busy"),
    ("", "用户名或密码错误 (LoginResultType 0)", "password-wrong"),
    ("", "密码已过期，请修改密码 (LoginResultType -3)", "password-expired"),
    ("", "登录次数超限 (LoginResultType -1)", "account-locked"),
    ("", "用户未指定允许调用WebAPI接口", "not-listed"),
    ("", "第三方应用：X 不允许用户Y 登录，请联系系统管理员添加！", "app-not-granted"),
    ("", "数据中心无法获取到", "account-set"),
    ("", "Fail to verify thirty passport", "account-set"),
    ("", "还剩26天，当前您的软件处于未授权或版本使用期满", "licence"),
]


@pytest.mark.parametrize(("code", "reason", "key"), SEEN, ids=[reason for _, reason, _ in SEEN])
def test_a_message_that_was_seen_gets_its_own_advice(code: str, reason: str, key: str) -> None:
    """What an operator reads at night is about this message, not about its neighbour."""
    found = advise(code, reason)
    assert found is not None
    assert found.key == key


@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("单据编号为“CGRK0000002”的采购入库单，库存不足！", "stock-short"),
        ("无法识别的提示", "step"),
    ],
)
def test_what_the_erp_has_against_a_step_is_mended_on_the_document(reason: str, key: str) -> None:
    """`retry` pushes rejected numbers again; a document that is there needs `k3push follow`."""
    found = advise("refused", reason)
    assert found is not None
    assert (found.key, found.cure) == (key, "advice.step.cure")


@pytest.mark.parametrize("code", [str(code) for code in range(16)])
def test_each_msgcode_says_something_without_words(code: str) -> None:
    """A site can have texts that nobody has seen, and the official table still holds (P 4.3)."""
    assert advise(code, "") is not None


def test_each_code_that_is_written_has_advice_of_its_own() -> None:
    """A code that stands in a ledger and that nothing explains is a riddle at night."""
    written = set(_codes_in_the_source())
    assert written >= {
        "precheck",
        "ambiguous",
        "shared",
        "cancelled_since",
        "timeout",
        "http_503",
        "killed",
        "person",
        "unread",
    }
    assert written >= {"twin", "ledger", "unanswered", "unproved", "unseen", "server_timeout"}
    assert [code for code in sorted(written) if advise(code, "") is None] == []
    assert advise(State.DRAFT, "") is not None


def test_a_word_of_ours_wins_over_the_words_of_a_page() -> None:
    """A lost answer is in doubt, whatever the page that came instead of it says."""
    for code in ("unreadable", "timeout", "http_503", "killed"):
        found = advise(code, "源单未审核")
        assert found is not None
        assert "k3push " in english(f"{found.cure}{{}}")
        assert found.key != "not-approved"


def test_a_step_in_doubt_is_no_document_in_doubt() -> None:
    """The document is there; to look for another, or to settle it by a word, would be wrong."""
    found = advise(code_of_step(Follow.UNKNOWN), "ReadError: reset by peer")
    assert found is not None
    assert found.key == "step-in-doubt"
    assert "--as" not in english(f"{found.cure}{{}}")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("密码错误次数超限，用户已锁定，请30分钟后再试 (LoginResultType -1)", "account-locked"),
        ("用户名或密码错误，账号已被锁定", "account-locked"),
        ("用户名或密码错误，连续5次账号将被锁定", "password-wrong"),
    ],
)
def test_a_locked_account_is_no_wrong_password_alone(words: str, key: str) -> None:
    """The right password does not help as long as it is locked, and each try is one more."""
    found = advise("", words)
    assert found is not None
    assert found.key == key


def test_sessions_that_end_one_another_are_no_wrong_password() -> None:
    """Two programs with one user, where a login ends the session before it."""
    found = advise("", remark("answer.session_useless"))
    assert found is not None
    assert found.key == "session-shared"


@pytest.mark.parametrize("code", ["", "0", "11", "response_error"])
@pytest.mark.parametrize(
    ("state", "key"), [(State.UNKNOWN, "in-doubt"), (State.DRAFT, "draft"), (State.REJECTED, None)]
)
def test_a_number_that_may_have_a_document_is_never_to_be_pushed_by_hand(
    code: str, state: State, key: str | None
) -> None:
    """Whatever the ERP said beside it, a second push would make a second document."""
    number = BillNumber("A-1")
    row = Row(1, 1, number, number, state, code=code, reason="第1行分录，序列号是必填项")
    found = advise(code_of(row), row.reason)
    assert found is not None
    assert found.key == (key or "serial-needed")
    assert ("by hand" in english(f"{found.cure}{{}}")) == (key is None)


def test_what_the_erp_has_against_a_push_is_cured_by_no_step() -> None:
    """There is no document that `k3push follow` could submit; a refused step is cured apart."""
    of_steps = re.escape("note.document")
    of_pushes = [each for each in ENTRIES if not each.own and of_steps not in each.words]
    assert of_pushes
    cures = {each.cure for each in of_pushes}
    assert {key for key in cures if "k3push follow" in english(f"{key}{{}}")} == set()


def test_whatever_keeps_a_document_from_its_steps_has_a_cure() -> None:
    """Who reads why it stands still is told what to do about it."""
    told = [key for key in explained.WORDS if key.startswith("note.document.")]
    joined = "note.document.others"  # stands behind a reason of the ERP's, never alone
    assert [key for key in told if advise("refused", f"{key}{{}}") is None] == [
        joined,
        "note.document.in_flow",  # its document waits, and is not refused
    ]


def test_who_is_to_push_again_is_told_to_list_the_bill_alone() -> None:
    """`--again` pushes each bill of its list, and the list at hand has the others as well."""
    told = [entry.cure for entry in ENTRIES if "`--again`" in english(f"{entry.cure}{{}}")]
    assert told
    for key in told:
        words = sentence(key)
        assert words is not None
        assert "list it alone for `--again`" in words[0]
        assert re.search("单独列表，?用 `--again`", words[1])


def test_what_nobody_knows_gets_no_advice() -> None:
    """Advice that is guessed sends a person the wrong way."""
    assert advise("", "") is None
    assert advise("99", "天气不好") is None


@pytest.mark.parametrize("number", ["未审核-1", "已关闭", "ERP“未审核”"])
def test_a_bill_number_cannot_mislead(number: str) -> None:
    """Numbers are free text, and some are words."""
    assert advise("11", shape_of(f"单据{number}单价不能为0", number)) == advise("11", "单价不能为0")


def test_each_entry_can_be_met_and_is_said_in_two_languages_on_one_line() -> None:
    """An entry that nothing reaches, or a line that a terminal breaks, is a mistake of ours."""
    assert len({entry.key for entry in ENTRIES}) == len(ENTRIES)
    for entry in ENTRIES:
        assert entry.own or entry.words or entry.code
        for key in (entry.cause, entry.cure):
            words = sentence(key)
            assert words is not None, key
            assert all(0 < columns(text) <= 72 for text in words), key
            assert any("\u4e00" <= char <= "\u9fff" for char in words[1]), key


@given(
    st.sampled_from(
        [reason for _, reason, _ in SEEN] + ["{n}", "单据{n}未审核", "No. {n} is closed"]
    ),
    st.from_regex(r"[A-Z]{1,6}[-_/]?[0-9]{1,9}(-[0-9]{1,3})?", fullmatch=True),
    st.from_regex(r"[一-龥“”\"' A-Z0-9-]{2,12}", fullmatch=True),
)
def test_a_shape_does_not_depend_on_the_number(template: str, number: str, odd: str) -> None:
    """One cause must be one cluster, however many bills it names."""
    shapes = {shape_of(template.replace("{n}", n), n) for n in (number, f"Q{number}", "CGDD1")}
    assert len(shapes) == 1
    if odd not in template.replace("{n}", ""):
        assert shape_of(f"〈{odd}〉未审核", odd) == "〈…〉未审核"


@given(st.text())
def test_a_shape_is_its_own_shape(text: str) -> None:
    """`advise` takes a message or its shape, and must say the same of both."""
    assert shape_of(shape_of(text)) == shape_of(text)


def _codes_in_the_source() -> Iterator[str]:
    """Yield each code that the package can write, with 503 for the status of http_NNN."""
    for path in PACKAGE.rglob("*.py"):
        if "simulator" in path.parts or path.name == "catalogue.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                place = CODE_ARGUMENTS.get(called, len(node.args))
                yield from (
                    text for value in node.args[place : place + 1] for text in _texts(value)
                )
                yield from (
                    text
                    for word in node.keywords
                    if word.arg == "code"
                    for text in _texts(word.value)
                )
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in CODE_NAMES:
                yield from _texts(node.value)


def _texts(value: ast.expr) -> Iterator[str]:
    """Yield the texts that an expression can have; what is no literal is the ERP's own code."""
    match value:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.IfExp():
            yield from (*_texts(value.body), *_texts(value.orelse))
        case ast.JoinedStr():
            parts = [
                part.value if isinstance(part, ast.Constant) else "503" for part in value.values
            ]
            yield "".join(map(str, parts))
