"""What is recognised of the ERP's refusals and of our own codes; `words.remedies` has the texts.

To add one, put an `Advice` into its part of `ENTRIES`, its cause and cure into `words.remedies`,
and a message that it is for into `tests/core/advice/test_diagnosis.py`. The texts of a refused Push
are not documented (P 5.13) and every site can have its own, so a pattern holds as few words as can
be. MsgCodes: P 4.3; logins: P 2.4; sources: P 5.11.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Why a number stands where it does, and what a person can do about it.

    Patterns are regular expressions; "" fits nothing.

    Attributes:
        key: Names the advice.
        own: A code or a state of ours that says all, whatever the message is.
        words: Found in the message, in any letter case. Numbers and quoted parts are "…"
            there (`diagnosis.shape_of`), and what is ours is a remark, such as `note.blocked.closed{}`.
            Of several that fit, the first counts.
        code: A code that says something where no entry knows the words.
        cured_as: Key of the advice whose cure holds; "" for its own.
    """

    key: str = field(kw_only=False)
    own: str = ""
    words: str = ""
    code: str = ""
    cured_as: str = ""

    @property
    def cause(self) -> str:
        """The sentence that says what it means."""
        return f"advice.{self.key}.cause"

    @property
    def cure(self) -> str:
        """The sentence that says what to do."""
        return f"advice.{self.cured_as or self.key}.cure"


STEP = Advice("step")
"""What the ERP has against a step of a document is mended on the document, and not by pushing."""

ENTRIES = (
    # -- our own codes ---------------------------------------------------------------------
    Advice("timeout", own="timeout"),
    Advice("broken", own="broken"),
    Advice("busy", own="http_(429|502|503|504)"),
    Advice("gateway", own="http_519"),
    Advice("web-page", own=r"http_\d+"),
    Advice("unreadable", own="unreadable"),
    Advice("killed", own="killed"),
    Advice("unread", own="unread"),
    Advice("server-timeout", own="server_timeout"),
    Advice("unseen", own="unseen"),
    Advice("unproved", own="unproved"),
    Advice("stray", own="stray"),
    Advice("unanswered", own="unanswered"),
    Advice("twin", own="twin", words=r"note\.document\.twin"),
    Advice("ledger", own="ledger"),
    Advice("unshown", own="unshown"),
    Advice("waiting", own="waiting"),
    Advice("step-in-doubt", own="step_unknown"),
    Advice("taken-back", words=r"note\.document\.(taken_back|submitted_before)"),
    Advice(
        "not-ours", words=r"note\.document\.(not_ours|no_maker|of_another|thin|submitted_by_others)"
    ),
    Advice("document-gone", words=r"note\.document\.(gone|another|cancelled)"),
    Advice("step-unclear", words=r"note\.document\.(strange|dropped)"),
    Advice("contradiction", own="contradiction"),
    Advice("unnamed", own="unnamed"),
    Advice("wordless", own="wordless"),
    Advice("partly", own="partly", words=r"note\.document\.part\b"),
    Advice("dropped", own="dropped"),
    Advice("ambiguous", own="ambiguous"),
    Advice("shared", own="shared"),
    Advice("cancelled-since", own="cancelled_since"),
    Advice("held", own="held"),
    Advice("absent", own="absent"),
    Advice("person", own="person"),
    Advice("draft", own="draft", words=r"note\.document\.draft"),
    Advice("in-doubt", own="unknown"),
    # -- what the rows themselves say ------------------------------------------------------
    # A bill stays pushed in the ledger when its draft is deleted: only `--again` sends it anew.
    Advice("earlier-draft", words="已有暂存单|note.draft_before", cured_as="draft"),
    Advice("not-connected", words=r"^no session:|\b(ConnectError|ConnectTimeout|PoolTimeout)\b"),
    # -- logins and rights -----------------------------------------------------------------
    Advice(
        "password-wrong",
        # An account that is locked now says so beside it; one that will be is not locked yet.
        words="(用户名或密码|密码错误)(?!.*(次数超限|已被?锁定))"
        "|(wrong|incorrect|invalid) (user name or )?password",
    ),
    Advice(
        "password-expired",
        words="密码.{0,12}(过期|到期|有效期|修改|策略)|password.{0,20}(expired|policy)",
    ),
    Advice("account-locked", words="次数超限|账号.{0,6}锁定|用户.{0,6}锁定|account.{0,12}locked"),
    Advice("not-listed", words="允许调用WebAPI"),
    Advice("app-not-granted", words="第三方.*(不允许|未授权)|登录授权"),
    Advice("account-set", words="数据中心.{0,6}(无法|不存在|找不到)|thirty passport"),
    Advice("session-shared", words=r"answer\.session_useless"),
    Advice(
        "session-lost",
        words="^(会话信息已丢失|会话已(失效|过期)|Session 已失效|context is null$)",
        code="1",
    ),
    Advice("licence", words="许可|未授权或版本|使用期满|licen[cs]e", code="7"),
    Advice(
        "no-right",
        words="(没有|无|缺少|不具有).{0,30}权限|权限不足|no permission|access denied",
        code="2",
    ),
    # -- the call --------------------------------------------------------------------------
    Advice("bad-parameter", words="数据包中的参数|编码值或内码值必须传其一"),
    Advice("no-default-rule", words="未启用默认转换规则|转换规则内码.{0,12}必填"),
    Advice(
        "no-rule",
        words="转换规则.{0,8}(不存在|找不到|未找到|未启用|未生效|被?禁用)|(没有|未找到|找不到|不存在).{0,12}(转换规则|转换路径)|no .{0,20}conversion rule",
    ),
    Advice("number-unknown", words="(编码值|内码值).*不存在|源单不存在|note.no_source"),
    Advice("form-unknown", words="业务对象不存在"),
    Advice("field-unknown", words="字段不存在|unknown field"),
    Advice("bad-filter", words="GetRealExpress"),
    Advice("edit-lock", words="业务操作.*冲突|网控|已被.{0,4}其他用户|is being edited", code="13"),
    Advice("call-limit", words="调用.{0,6}(频繁|限制|超限)|too many (calls|requests)", code="14"),
    # -- base data and periods: before the source bill, whose words they share -------------
    Advice(
        "base-data",
        words="(物料|客户|供应商|仓库|部门|员工|币别|科目|基础资料)[^单，。；]{0,12}(未审核|禁用|不存在|未分配)",
    ),
    Advice("period-closed", words="关账|结账|closed period|period.{0,12}closed"),
    Advice("organisation", words="组织.{0,16}(不一致|不匹配|不相同|不符|未启用|业务关系)"),
    # -- the line of the list or plan ------------------------------------------------------
    Advice("two-bills", words="编号与内码不是同一张|note.two_bills"),
    Advice("replaced", words="制定计划时该编号属于|note.replaced"),
    # -- the source bill -------------------------------------------------------------------
    Advice("not-approved", words="note.blocked.unapproved|未审核|not (yet )?approved"),
    Advice("cancelled", words="note.blocked.cancelled|已作废|is cancelled"),
    Advice("frozen", words="冻结|终止|is (frozen|terminated)"),
    Advice("closed", words="note.blocked.closed|(?<!未)关闭|is closed"),
    Advice(
        "fully-pushed",
        words="没有可.{0,4}下推|(已经?|全部|完全)下推|不允许再次下推|关联数量.{0,6}已|fully pushed",
    ),
    Advice("rule-conditions", words="(不满足|不符合|没有符合|没有满足).{0,20}(条件|规则)"),
    # -- the target document ---------------------------------------------------------------
    Advice(
        "stock-short",
        words="负库存|库存.{0,10}不足|可用量.{0,6}不足|InvCheckResult|(negative|insufficient) stock",
    ),
    Advice("quantity-zero", words="数量.{0,6}(必须大于|不能为|不能小于|不允许为)"),
    Advice(
        "quantity-exceeded",
        words="数量.{0,12}(超出|超过|大于)|(大于|超出|超过).{0,10}(上限|数量)|超收|超发|quantity.{0,20}exceed",
    ),
    Advice(
        "warehouse-needed",
        words="仓库.{0,10}(必填|必录|必须|不能为空|不允许为空)|warehouse is (required|mandatory)",
    ),
    Advice("lot-needed", words="批号.{0,12}(必填|必录|必须|不能为空|不允许为空)|启用.{0,4}批号"),
    Advice(
        "serial-needed", words="序列号.{0,16}(必填|必录|必须|不能为空|不允许为空|不一致|不足|不等)"
    ),
    Advice(
        "price-zero", words="单价.{0,4}(不能为|不允许为|必须大于)|price.{0,16}(zero|greater than)"
    ),
    Advice("credit", words="信用|credit limit"),
    Advice("field-needed", words="必填|必录|不能为空|不允许为空|is (required|mandatory)"),
    Advice("not-unique", words="唯一性|编码唯一|已经被使用"),
    Advice("wrong-status", words="单据已经(审核|提交)|状态.{0,8}不(允许|能|正确)"),
    Advice("question", words="InteractionContext is null"),
    Advice("database-busy", words="死锁|deadlock|(执行|操作|查询).{0,4}超时|timeout expired"),
    # -- nothing but a code ----------------------------------------------------------------
    Advice("precheck", code="precheck"),
    Advice("server-error", code="response_error|4"),
    Advice("code-3", code="3"),
    Advice("code-5", code="5"),
    Advice("code-6", code="6"),
    Advice("code-8", code="8"),
    Advice("code-9", code="9"),
    Advice("code-10", code="10"),
    Advice("code-11", code="11"),
    Advice("code-12", code="12"),
    Advice("code-15", code="15"),
    Advice("code-0", code="0"),
)
