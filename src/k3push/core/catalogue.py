"""What is known of the ERP's refusals and of our own codes: cause and cure, in two languages.

To add one, put an `Entry` into its part of `ENTRIES`, and a message that it is for into
`tests/core/test_advice.py`. The texts of a refused Push are not documented (P 5.13) and every
site can have its own, so a pattern holds as few words as can be, and "likely" (多半) stands
where they leave room for another cause. MsgCodes: P 4.3; logins: P 2.4; sources: P 5.11.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Bilingual = tuple[str, str]
"""A sentence in English, and the same in Chinese; a line of 72 columns has room for it."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Why a number stands where it does, and what a person can do about it.

    Attributes:
        key: Names the advice, for programs.
        cause: What it means.
        cure: What to do.
    """

    key: str
    cause: Bilingual
    cure: Bilingual


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One advice, and what it is for; patterns are regular expressions, "" fits nothing.

    Attributes:
        key: Names the advice.
        own: A code or a state of ours that says all, whatever the message is.
        words: Found in the message, in any letter case. Numbers and quoted parts are "…"
            there (`advice.shape_of`). Of several entries that fit, the first counts.
        code: A code that says something where no entry knows the words.
        cause: What it means, in English.
        cure: What to do, in English.
        cause_zh: What it means, in Chinese.
        cure_zh: What to do, in Chinese.
    """

    key: str = field(kw_only=False)
    own: str = ""
    words: str = ""
    code: str = ""
    cause: str
    cure: str
    cause_zh: str
    cure_zh: str

    @property
    def advice(self) -> Advice:
        """What it says."""
        return Advice(self.key, (self.cause, self.cause_zh), (self.cure, self.cure_zh))


ENTRIES = (
    # -- our own codes ---------------------------------------------------------------------
    Entry(
        "timeout",
        own="timeout",
        cause="the ERP did not answer in time and may still be at work",
        cure="`k3push settle`; if it comes back, use smaller chunks",
        cause_zh="ERP 未在时限内应答，可能仍在处理",
        cure_zh="`k3push settle`；若再次出现，请减小 --chunk-size",
    ),
    Entry(
        "broken",
        own="broken",
        cause="the connection broke after the call may have arrived",
        cure="`k3push settle` asks the ERP; push nothing by hand before that",
        cause_zh="请求可能已到达，但连接中断",
        cure_zh="先执行 `k3push settle` 核实，在此之前不要手工下推",
    ),
    Entry(
        "busy",
        own="http_(429|502|503|504)",
        cause="the ERP or a proxy before it was too busy or restarting",
        cure="`k3push settle`; run with a lower --concurrency if it comes back",
        cause_zh="ERP 或其前面的代理繁忙，或正在重启",
        cure_zh="`k3push settle`；若再次出现，请减小 --concurrency",
    ),
    Entry(
        "gateway",
        own="http_519",
        cause="Kingdee's public gateway refused the call, likely a wrong address",
        cure="`k3push settle`, then mend erp.url: the site's own address",
        cause_zh="金蝶公有网关拒绝了调用，多半是地址不对",
        cure_zh="`k3push settle`，然后把 erp.url 改为站点自己的地址",
    ),
    Entry(
        "web-page",
        own=r"http_\d+",
        cause="a web server or proxy answered in place of the ERP",
        cure="`k3push settle`, then check erp.url, the proxy and the server",
        cause_zh="应答来自网页服务器或代理，而不是 ERP",
        cure_zh="`k3push settle`，然后检查 erp.url、代理和服务器",
    ),
    Entry(
        "unreadable",
        own="unreadable",
        cause="the answer could not be read: cut off, empty or no JSON",
        cure="`k3push settle` asks the ERP; check the proxy if it comes back",
        cause_zh="应答无法读取：被截断、为空或不是 JSON",
        cure_zh="执行 `k3push settle` 核实；若再次出现，请检查代理",
    ),
    Entry(
        "killed",
        own="killed",
        cause="k3push was killed while the call was on its way",
        cure="`k3push resume`: it asks the ERP first, then goes on",
        cause_zh="调用途中 k3push 被终止",
        cure_zh="`k3push resume`：先向 ERP 核实，再继续",
    ),
    Entry(
        "unread",
        own="unread",
        cause="the ERP answered, and the look at the target form failed",
        cure="`k3push settle`, once the ERP can be asked again",
        cause_zh="ERP 已应答，但回查目标单失败",
        cure_zh="待 ERP 可查询后执行 `k3push settle`",
    ),
    Entry(
        "contradiction",
        own="contradiction",
        cause="the ERP says it acted, and no target names this number",
        cure="look it up in the ERP; check the route's source_number_field",
        cause_zh="ERP 称已处理，却查不到关联本编号的目标单",
        cure_zh="请在 ERP 中查明；检查路线的 source_number_field",
    ),
    Entry(
        "unnamed",
        own="unnamed",
        cause="the ERP reports success and names no document",
        cure="look it up in the ERP, then `k3push settle --as`",
        cause_zh="ERP 报告成功，但没有给出单据",
        cure_zh="请在 ERP 中查明，然后 `k3push settle --as`",
    ),
    Entry(
        "dropped",
        own="dropped",
        cause="the ERP passed over this number twice and gave no reason",
        cure="push it by hand in the ERP to see what it says",
        cause_zh="ERP 两次忽略此编号，且未说明原因",
        cure_zh="请在 ERP 中手工下推，查看提示",
    ),
    Entry(
        "ambiguous",
        own="ambiguous",
        cause="more than one bill has this number, likely in two organisations",
        cure="push these bills by hand in the ERP",
        cause_zh="多张单据使用此编号，多半分属不同组织",
        cure_zh="请在 ERP 中手工下推这些单据",
    ),
    Entry(
        "held",
        own="held",
        cause="another run has sent it and its answer was lost there",
        cure="`k3push settle` that run; the number can be pushed once it is certain",
        cause_zh="另一次执行已发送此编号，应答在那里丢失",
        cure_zh="请对该次执行 `k3push settle`；查明后才能再推",
    ),
    Entry(
        "absent",
        own="absent",
        cause="its answer was lost, and the ERP made nothing of it",
        cure="`k3push resume` sends it again",
        cause_zh="应答曾丢失，经核实 ERP 没有生成单据",
        cure_zh="`k3push resume` 会重新发送",
    ),
    Entry(
        "person",
        own="person",
        cause="a person looked it up and said so",
        cure="nothing, if it is pushed; else `k3push resume` sends it again",
        cause_zh="由人工查明并确认",
        cure_zh="已下推的无需处理；否则 `k3push resume` 会重新发送",
    ),
    Entry(
        "draft",
        own="draft",
        cause="the ERP could not save the target and kept a draft",
        cure="complete and save the draft in the ERP; pushing again adds another",
        cause_zh="ERP 无法保存目标单，已暂存为草稿",
        cure_zh="请在 ERP 中补全并保存暂存单；再次下推会多出一张",
    ),
    Entry(
        "in-doubt",
        own="unknown",
        cause="the ERP may have made a document, and no look can tell",
        cure="look it up in the ERP, then `k3push settle --as`",
        cause_zh="ERP 可能已生成单据，且无法回查",
        cure_zh="请在 ERP 中查明，然后 `k3push settle --as`",
    ),
    # -- what the rows themselves say ------------------------------------------------------
    Entry(
        "earlier-draft",
        words="已有暂存单",
        cause="an earlier push left a draft (暂存) of this bill",
        cure="complete the draft in the ERP, or delete it and push again",
        cause_zh="此前的下推留有暂存单",
        cure_zh="请在 ERP 中补全暂存单，或删除后重新下推",
    ),
    Entry(
        "not-connected",
        words=r"^no session:|\b(ConnectError|ConnectTimeout|PoolTimeout)\b",
        cause="the ERP could not be reached; nothing was sent",
        cure="check erp.url and the network, then `k3push resume`",
        cause_zh="无法连接 ERP，没有发送",
        cure_zh="请检查 erp.url 和网络，然后 `k3push resume`",
    ),
    # -- logins and rights -----------------------------------------------------------------
    Entry(
        "password-wrong",
        words="用户名或密码|密码错误|(wrong|incorrect|invalid) (user name or )?password",
        cause="the user name or the password is wrong",
        cure="mend erp.username or its secret, then `k3push resume`",
        cause_zh="用户名或密码错误",
        cure_zh="请更正 erp.username 或其密码，然后 `k3push resume`",
    ),
    Entry(
        "password-expired",
        words="密码.{0,12}(过期|到期|有效期|修改|策略)|password.{0,20}(expired|policy)",
        cause="the password has expired or must be changed",
        cure="log in to the ERP as this user, set a new password, mend the secret",
        cause_zh="密码已过期或必须修改",
        cure_zh="请用该用户登录 ERP 修改密码，并更新配置中的密码",
    ),
    Entry(
        "account-locked",
        words="次数超限|账号.{0,6}锁定|用户.{0,6}锁定|account.{0,12}locked",
        cause="the account is locked after too many wrong logins",
        cure="wait half an hour or have it unlocked; do not try again before",
        cause_zh="登录错误次数过多，账号已锁定",
        cure_zh="请等待半小时或由管理员解锁，其间不要再试",
    ),
    Entry(
        "not-listed",
        words="允许调用WebAPI",
        cause="this user may not call the Web API",
        cure="administrator: 参数设置, BOS平台, WebAPI: add the user there",
        cause_zh="该用户不在 WebAPI 允许名单中",
        cure_zh="请管理员在“参数设置→BOS平台→WebAPI”中添加该用户",
    ),
    Entry(
        "app-not-granted",
        words="第三方.*(不允许|未授权)|登录授权",
        cause="the application may not log in as this user",
        cure="administrator: third-party login authorisation: add the user",
        cause_zh="第三方应用未授权此用户登录",
        cure_zh="请管理员在第三方系统登录授权中添加该用户",
    ),
    Entry(
        "account-set",
        words="数据中心.{0,6}(无法|不存在|找不到)|thirty passport",
        cause="the ERP does not know this data centre",
        cure="check erp.acct_id",
        cause_zh="找不到该数据中心（账套）",
        cure_zh="请检查 erp.acct_id",
    ),
    Entry(
        "session-lost",
        words="^(会话信息已丢失|会话已(失效|过期)|Session 已失效|context is null$)",
        code="1",
        cause="the ERP had lost the session; nothing was done",
        cure="k3push logs in again; if that ends the run, check the user's rights",
        cause_zh="ERP 会话已丢失，没有执行",
        cure_zh="k3push 会自动重新登录；若因此中止，请检查用户授权",
    ),
    Entry(
        "licence",
        words="许可|未授权或版本|使用期满|licen[cs]e",
        code="7",
        cause="the ERP's licence is missing, over, or all in use",
        cure="tell the administrator; free a licence, then `k3push retry`",
        cause_zh="许可缺失、到期，或许可数已用完",
        cure_zh="请联系管理员；释放或续期许可后 `k3push retry`",
    ),
    Entry(
        "no-right",
        words="(没有|无|缺少|不具有).{0,30}权限|权限不足|no permission|access denied",
        code="2",
        cause="the user lacks a right to one of the forms",
        cure="have the right granted to erp.username, then `k3push retry`",
        cause_zh="用户缺少相关单据的权限",
        cure_zh="请为 erp.username 授权，然后 `k3push retry`",
    ),
    # -- the call --------------------------------------------------------------------------
    Entry(
        "bad-parameter",
        words="数据包中的参数|编码值或内码值必须传其一",
        cause="the ERP misses a parameter of the call",
        cure="check the route's settings; if they are right, report it",
        cause_zh="调用缺少参数",
        cure_zh="请检查路线配置；若无误，请报告缺陷",
    ),
    Entry(
        "no-rule",
        words="转换规则.{0,8}(不存在|找不到|未找到|未启用|未生效|被?禁用)|(没有|未找到|找不到|不存在).{0,12}(转换规则|转换路径)|no .{0,20}conversion rule",
        cause="there is no such conversion rule, or it is not enabled",
        cure="check the route's rule; have it enabled in the ERP",
        cause_zh="转换规则不存在或未启用",
        cure_zh="请检查路线的 rule，并在 ERP 中启用该规则",
    ),
    Entry(
        "number-unknown",
        words="(编码值|内码值).*不存在|源单不存在",
        cause="the ERP finds no bill of this number",
        cure="check the number in the job file, and the route's source form",
        cause_zh="ERP 中没有此编号的单据",
        cure_zh="请核对清单中的编号和路线的源单标识",
    ),
    Entry(
        "form-unknown",
        words="业务对象不存在",
        cause="the ERP knows no form of this id",
        cure="check source and target of the route; `k3push check` tries them",
        cause_zh="ERP 中没有此单据标识",
        cure_zh="请检查路线的 source 和 target；可用 `k3push check` 验证",
    ),
    Entry(
        "field-unknown",
        words="字段不存在|unknown field",
        cause="a form does not have this field",
        cure="check source_number_field; `k3push check` tries it",
        cause_zh="单据上没有该字段",
        cure_zh="请检查 source_number_field；可用 `k3push check` 验证",
    ),
    Entry(
        "bad-filter",
        words="GetRealExpress",
        cause="the ERP could not read the filter of a query",
        cure="check source_number_field: its name and its entity",
        cause_zh="ERP 无法解析查询条件",
        cure_zh="请检查 source_number_field 的名称与所属单据体",
    ),
    Entry(
        "edit-lock",
        words="业务操作.*冲突|网控|已被.{0,4}其他用户|is being edited",
        code="13",
        cause="somebody has the bill open (网控), after several tries",
        cure="`k3push retry`, when nobody has the bill open",
        cause_zh="单据正被他人操作（网控），多次重试未果",
        cure_zh="待无人操作该单据后 `k3push retry`",
    ),
    Entry(
        "call-limit",
        words="调用.{0,6}(频繁|限制|超限)|too many (calls|requests)",
        code="14",
        cause="the ERP limits calls and refused this one, after several tries",
        cure="`k3push retry` later, with a lower --concurrency",
        cause_zh="ERP 限制调用频率，多次重试未果",
        cure_zh="稍后 `k3push retry`，并减小 --concurrency",
    ),
    # -- base data and periods: before the source bill, whose words they share -------------
    Entry(
        "base-data",
        words="(物料|客户|供应商|仓库|部门|员工|币别|科目|基础资料)[^单，。；]{0,12}(未审核|禁用|不存在|未分配)",
        cause="likely a master record is missing, disabled or not approved",
        cure="enable or approve the record in the ERP, then `k3push retry`",
        cause_zh="多半是引用的基础资料不存在、已禁用或未审核",
        cure_zh="请在 ERP 中启用或审核该资料，然后 `k3push retry`",
    ),
    Entry(
        "period-closed",
        words="关账|结账|closed period|period.{0,12}closed",
        cause="the date lies in a closed period, of stock or of accounts",
        cure="change the date, or have the period opened, then `k3push retry`",
        cause_zh="单据日期所在期间已关账或结账",
        cure_zh="请修改日期或反关账，然后 `k3push retry`",
    ),
    Entry(
        "organisation",
        words="组织.{0,16}(不一致|不匹配|不相同|不符|未启用|业务关系)",
        cause="likely an organisation that does not fit, or lacks a relation",
        cure="compare the organisations of bill, rule and target_org_id",
        cause_zh="多半是组织不一致，或缺少组织业务关系",
        cure_zh="请核对单据、规则与 target_org_id 的组织",
    ),
    # -- the source bill -------------------------------------------------------------------
    Entry(
        "not-approved",
        words="未审核|not (yet )?approved",
        cause="the source bill is not approved",
        cure="approve it in the ERP, then `k3push retry`",
        cause_zh="源单未审核",
        cure_zh="请在 ERP 中审核，然后 `k3push retry`",
    ),
    Entry(
        "cancelled",
        words="已作废|is cancelled",
        cause="the source bill is cancelled",
        cure="take it off the list, or undo the cancelling (反作废) and retry",
        cause_zh="源单已作废",
        cure_zh="请从清单中去掉，或反作废后 `k3push retry`",
    ),
    Entry(
        "frozen",
        words="冻结|终止|is (frozen|terminated)",
        cause="the bill or a line of it is frozen or terminated",
        cure="take it off the list, or undo that in the ERP, then `k3push retry`",
        cause_zh="单据或其分录已冻结或终止",
        cure_zh="请从清单中去掉，或在 ERP 中解除后 `k3push retry`",
    ),
    Entry(
        "closed",
        words="(?<!未)关闭|is closed",
        cause="the source bill, or a line of it, is closed (整单或业务关闭)",
        cure="take it off the list, or undo the closing (反关闭), then retry",
        cause_zh="源单或其分录已关闭（整单关闭或业务关闭）",
        cure_zh="请从清单中去掉，或反关闭后 `k3push retry`",
    ),
    Entry(
        "fully-pushed",
        words="没有可.{0,4}下推|(已经?|全部|完全)下推|不允许再次下推|关联数量.{0,6}已|fully pushed",
        cause="the whole quantity was pushed before; none is left",
        cure="nothing, if the earlier targets are right; look them up",
        cause_zh="数量已全部下推，没有剩余",
        cure_zh="请核对已有的下游单据；无误则无需处理",
    ),
    Entry(
        "rule-conditions",
        words="(不满足|不符合|没有符合|没有满足).{0,20}(条件|规则)",
        cause="the bill does not meet the conditions of the conversion rule",
        cure="compare it with the rule's filter (数据范围) in the ERP",
        cause_zh="单据不满足转换规则的条件",
        cure_zh="请与转换规则中的数据范围（条件）核对",
    ),
    # -- the target document ---------------------------------------------------------------
    Entry(
        "stock-short",
        words="负库存|库存.{0,10}不足|可用量.{0,6}不足|InvCheckResult|(negative|insufficient) stock",
        cause="there is not enough stock, or it would become negative",
        cure="check the stock on hand, then `k3push retry`",
        cause_zh="库存不足，或将出现负库存",
        cure_zh="请检查即时库存，然后 `k3push retry`",
    ),
    Entry(
        "quantity-zero",
        words="数量.{0,6}(必须大于|不能为|不能小于|不允许为)",
        cause="a line has no quantity, likely because all of it was pushed before",
        cure="look up the earlier targets; nothing, if they are right",
        cause_zh="分录数量为 0，多半是已全部下推",
        cure_zh="请核对已有的下游单据；无误则无需处理",
    ),
    Entry(
        "quantity-exceeded",
        words="数量.{0,12}(超出|超过|大于)|(大于|超出|超过).{0,10}(上限|数量)|超收|超发|quantity.{0,20}exceed",
        cause="the quantity is above what may still be pushed or received",
        cure="compare it with earlier targets and the over-receipt limit (超收)",
        cause_zh="数量超出可下推或可收的上限",
        cure_zh="请核对已下推数量和超收（超发）上限",
    ),
    Entry(
        "warehouse-needed",
        words="仓库.{0,10}(必填|必录|必须|不能为空|不允许为空)|warehouse is (required|mandatory)",
        cause="the target needs a warehouse (仓库)",
        cure="fill it in on the source bill, or have the rule set it; then retry",
        cause_zh="目标单必须录入仓库",
        cure_zh="请在源单填写，或由转换规则带出，然后 `k3push retry`",
    ),
    Entry(
        "lot-needed",
        words="批号.{0,12}(必填|必录|必须|不能为空|不允许为空)|启用.{0,4}批号",
        cause="the material is kept by lots, and the target has no lot (批号)",
        cure="lots come from the source or a person: push it by hand or as draft",
        cause_zh="物料启用批号管理，目标单缺少批号",
        cure_zh="请在源单带出批号，或手工下推、以暂存方式下推后补录",
    ),
    Entry(
        "serial-needed",
        words="序列号.{0,16}(必填|必录|必须|不能为空|不允许为空|不一致|不足|不等)",
        cause="the material has serial numbers, and they are missing or differ",
        cure="serial numbers need a person: push it by hand or as draft",
        cause_zh="物料启用序列号管理，序列号缺失或数量不符",
        cure_zh="序列号需人工录入：请手工下推，或以暂存方式下推后补录",
    ),
    Entry(
        "price-zero",
        words="单价.{0,4}(不能为|不允许为|必须大于)|price.{0,16}(zero|greater than)",
        cause="a line that is no gift (赠品) has no price",
        cure="fill in the price on the source bill, or mark it as a gift; retry",
        cause_zh="非赠品分录的单价为 0",
        cure_zh="请在源单补上单价或标为赠品，然后 `k3push retry`",
    ),
    Entry(
        "credit",
        words="信用|credit limit",
        cause="a credit limit stops it",
        cure="have the credit released in the ERP, then `k3push retry`",
        cause_zh="超出信用额度",
        cure_zh="请在 ERP 中处理信用，然后 `k3push retry`",
    ),
    Entry(
        "field-needed",
        words="必填|必录|不能为空|不允许为空|is (required|mandatory)",
        cause="a field that the target needs is empty",
        cure="fill it in on the source bill, or have the rule set it; then retry",
        cause_zh="目标单的必录字段为空",
        cure_zh="请在源单填写，或由转换规则带出，然后 `k3push retry`",
    ),
    Entry(
        "not-unique",
        words="唯一性|编码唯一|已经被使用",
        cause="the ERP has a record of this number already",
        cure="check the numbering rule (编码规则) of the target",
        cause_zh="编码重复，系统中已存在",
        cure_zh="请检查目标单的编码规则",
    ),
    Entry(
        "wrong-status",
        words="单据已经(审核|提交)|状态.{0,8}不(允许|能|正确)",
        cause="the document's status does not allow this",
        cure="look it up in the ERP; what was asked may be done already",
        cause_zh="单据状态不允许此操作",
        cure_zh="请在 ERP 中查看；所需操作可能已完成",
    ),
    Entry(
        "question",
        words="InteractionContext is null",
        cause="likely a warning that a person would confirm in the ERP",
        cure="push it by hand in the ERP to see the question",
        cause_zh="多半是需要人工确认的提示",
        cure_zh="请在 ERP 中手工下推，查看提示内容",
    ),
    Entry(
        "database-busy",
        words="死锁|deadlock|(执行|操作|查询).{0,4}超时|timeout expired",
        cause="the ERP's database was busy: a deadlock or a time-out",
        cure="`k3push retry`, with a lower --concurrency",
        cause_zh="ERP 数据库繁忙：死锁或超时",
        cure_zh="`k3push retry`，并减小 --concurrency",
    ),
    # -- nothing but a code ----------------------------------------------------------------
    Entry(
        "precheck",
        code="precheck",
        cause="the check before sending rejected it; nothing was sent",
        cure="mend the bill in the ERP, then `k3push retry`",
        cause_zh="发送前检查未通过，没有发送",
        cure_zh="请在 ERP 中处理，然后 `k3push retry`",
    ),
    Entry(
        "server-error",
        code="response_error|4",
        cause="the ERP's server broke off with an error of its own",
        cure="push one by hand; show the message to the ERP's administrator",
        cause_zh="ERP 服务端出现异常",
        cure_zh="请手工下推一张试试，并把提示交给 ERP 管理员",
    ),
    Entry(
        "code-3",
        code="3",
        cause="MsgCode 3: the call names no operation",
        cure="report it: k3push always names one",
        cause_zh="MsgCode 3：操作标识为空",
        cure_zh="请报告缺陷：k3push 总会给出操作标识",
    ),
    Entry(
        "code-5",
        code="5",
        cause="MsgCode 5: the call names no form",
        cure="check source and target of the route",
        cause_zh="MsgCode 5：单据标识为空",
        cure_zh="请检查路线的 source 和 target",
    ),
    Entry(
        "code-6",
        code="6",
        cause="MsgCode 6: the ERP's database failed",
        cure="`k3push retry` later; if it comes back, tell the administrator",
        cause_zh="MsgCode 6：数据库操作失败",
        cure_zh="稍后 `k3push retry`；若再次出现，请联系管理员",
    ),
    Entry(
        "code-8",
        code="8",
        cause="MsgCode 8: a parameter of the call is wrong",
        cure="check the route: rule, target, target_org_id, target_bill_type_id",
        cause_zh="MsgCode 8：参数错误",
        cure_zh="请检查路线：rule、target、target_org_id、target_bill_type_id",
    ),
    Entry(
        "code-9",
        code="9",
        cause="MsgCode 9: a field or a value does not exist",
        cure="check the number and the names of fields in the route",
        cause_zh="MsgCode 9：字段或值不存在",
        cure_zh="请核对单据编号和路线中的字段名",
    ),
    Entry(
        "code-10",
        code="10",
        cause="MsgCode 10: the ERP did not find the data",
        cure="check the number; somebody may have deleted the bill",
        cause_zh="MsgCode 10：数据不存在",
        cure_zh="请核对单据编号；单据可能已被删除",
    ),
    Entry(
        "code-11",
        code="11",
        cause="MsgCode 11: a check of the ERP refused it",
        cure="mend what the message says, then `k3push retry`",
        cause_zh="MsgCode 11：数据校验未通过",
        cure_zh="请按提示处理，然后 `k3push retry`",
    ),
    Entry(
        "code-12",
        code="12",
        cause="MsgCode 12: the bill cannot be operated on now",
        cure="look at the bill's status in the ERP, then `k3push retry`",
        cause_zh="MsgCode 12：单据当前不可操作",
        cure_zh="请在 ERP 中查看单据状态，然后 `k3push retry`",
    ),
    Entry(
        "code-15",
        code="15",
        cause="MsgCode 15: administrators may not use the Web API",
        cure="use another user as erp.username",
        cause_zh="MsgCode 15：禁止管理员登录",
        cure_zh="请改用其他用户作为 erp.username",
    ),
    Entry(
        "code-0",
        code="0",
        cause="MsgCode 0: the ERP refused it without a code",
        cure="mend what the message says, then `k3push retry`",
        cause_zh="MsgCode 0：ERP 拒绝但未给出错误码",
        cure_zh="请按提示处理，然后 `k3push retry`",
    ),
)
