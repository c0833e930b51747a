"""Causes and cures of what `core.advice` recognises, and of our own codes.

A line of 72 columns has room for each. "Likely" (多半) stands where a pattern leaves room for
another cause. It is one list: two texts in each language for each kind of message.
"""

from __future__ import annotations

WORDS = {
    "advice.timeout.cause": (
        "the ERP did not answer in time and may still be at work",
        "ERP 未在时限内应答，可能仍在处理",
    ),
    "advice.timeout.cure": (
        "`k3push settle`; if it comes back, use smaller chunks",
        "`k3push settle`；若再次出现，请减小 --chunk-size",
    ),
    "advice.waiting.cause": (
        "an approval flow runs, and somebody has to act in the ERP",
        "审批流运行中，需有人在 ERP 中处理",
    ),
    "advice.waiting.cure": (
        "process it in the ERP; later `k3push follow` looks again",
        "请在 ERP 中处理，之后用 `k3push follow` 再次查看",
    ),
    "advice.step.cause": (
        "the ERP refused to submit or approve the document",
        "ERP 拒绝提交或审核此下游单据",
    ),
    "advice.step.cure": (
        "mend the document in the ERP as it says; then `k3push follow`",
        "请按提示在 ERP 中处理下游单据，再执行 `k3push follow`",
    ),
    "advice.taken-back.cause": (
        "somebody has withdrawn, rejected or unapproved the document",
        "有人撤销、驳回或反审核了此单据",
    ),
    "advice.taken-back.cure": (
        "submit it in the ERP if it is to go on; then `k3push follow`",
        "如需继续，请在 ERP 中提交，再执行 `k3push follow`",
    ),
    "advice.not-ours.cause": (
        "nothing proves that this ledger has made the document",
        "无法证明此单据由本台账生成",
    ),
    "advice.not-ours.cure": (
        "look who made it; submit it in the ERP if it is yours",
        "请核实创建人；如确属本次下推，请在 ERP 中提交",
    ),
    "advice.document-gone.cause": (
        "it was deleted, cancelled or renumbered, or hidden from this user",
        "此单据被删除、作废或改了编号，或此用户无权查看",
    ),
    "advice.document-gone.cure": (
        "look the bill up; if it has no document, list it alone for `--again`",
        "请在 ERP 中下查源单；确无下游单据则单独列表，用 `--again`",
    ),
    "advice.step-unclear.cause": (
        "the ERP does not say what the step has come to",
        "ERP 没有说明此步骤的结果",
    ),
    "advice.step-unclear.cure": (
        "look at the document in the ERP, then `k3push follow`",
        "请在 ERP 中查看此下游单据，再执行 `k3push follow`",
    ),
    "advice.broken.cause": (
        "the connection broke after the call may have arrived",
        "请求可能已到达，但连接中断",
    ),
    "advice.broken.cure": (
        "`k3push settle` asks the ERP; push nothing by hand before that",
        "先执行 `k3push settle` 核实，在此之前不要手工下推",
    ),
    "advice.busy.cause": (
        "the ERP or a proxy before it was too busy or restarting",
        "ERP 或其前面的代理繁忙，或正在重启",
    ),
    "advice.busy.cure": (
        "`k3push settle`; run with a lower --concurrency if it comes back",
        "`k3push settle`；若再次出现，请减小 --concurrency",
    ),
    "advice.gateway.cause": (
        "Kingdee's public gateway refused the call, likely a wrong address",
        "金蝶公有网关拒绝了调用，多半是地址不对",
    ),
    "advice.gateway.cure": (
        "`k3push settle`, then correct erp.url: the site's own address",
        "`k3push settle`，然后把 erp.url 改为站点自己的地址",
    ),
    "advice.web-page.cause": (
        "a web server or proxy answered in place of the ERP",
        "应答来自网页服务器或代理，而不是 ERP",
    ),
    "advice.web-page.cure": (
        "`k3push settle`, then check erp.url, the proxy and the server",
        "`k3push settle`，然后检查 erp.url、代理和服务器",
    ),
    "advice.unreadable.cause": (
        "the answer could not be read: cut off, empty or no JSON",
        "应答无法读取：被截断、为空或不是 JSON",
    ),
    "advice.unreadable.cure": (
        "`k3push settle` asks the ERP; check the proxy if it comes back",
        "执行 `k3push settle` 核实；若再次出现，请检查代理",
    ),
    "advice.killed.cause": (
        "k3push was killed while the call was on its way",
        "调用途中 k3push 被终止",
    ),
    "advice.killed.cure": (
        "`k3push resume`: it asks the ERP first, then goes on",
        "`k3push resume`：先向 ERP 核实，再继续",
    ),
    "advice.unread.cause": (
        "the ERP answered, and the look at the target form failed",
        "ERP 已应答，但回查下游单据失败",
    ),
    "advice.unread.cure": (
        "`k3push settle`, once the ERP can be asked again",
        "待 ERP 可查询后执行 `k3push settle`",
    ),
    "advice.server-timeout.cause": (
        "the ERP's work was interrupted, and the database may still commit",
        "ERP 处理中断（超时、死锁或连接断开），数据库之后仍可能提交",
    ),
    "advice.server-timeout.cure": (
        "`k3push settle` asks the ERP; use smaller chunks if it comes back",
        "`k3push settle` 会核实；若再次出现，请减小 --chunk-size",
    ),
    "advice.unseen.cause": (
        "nobody looked who is known to see what its sender makes",
        "回查的用户未必能看到发送者生成的单据",
    ),
    "advice.unseen.cure": (
        "`k3push settle` as the user who sent it, or one with wider rights",
        "用发送它的用户或数据权限更宽的用户执行 `k3push settle`",
    ),
    "advice.unproved.cause": (
        "nothing shows that source_number_field finds any document",
        "尚无单据证明 source_number_field 能查到下游单据",
    ),
    "advice.unproved.cure": (
        "`k3push check`, or push one bill and look it up; then `k3push settle`",
        "`k3push check`，或先推一张并查看，再 `k3push settle`",
    ),
    "advice.stray.cause": (
        "a document that has come since may have been made by that call",
        "发送后新增的下游单据可能由该次调用生成",
    ),
    "advice.stray.cure": (
        "look at the newest documents, then `k3push settle --as`",
        "查看最新的下游单据，再 `k3push settle --as`",
    ),
    "advice.unanswered.cause": (
        "each call that carried this bill alone ended without an answer",
        "每次单独发送此单据，调用都没有得到应答",
    ),
    "advice.unanswered.cure": (
        "push it by hand in the ERP to see what it does to the server",
        "请在 ERP 中手工下推，查明它对服务器的影响",
    ),
    "advice.twin.cause": (
        "somebody pushed it too, a document came late, or one is another bill's",
        "有多张下游单据：他人也已下推、延迟提交，或其中有他单的下游单据",
    ),
    "advice.twin.cure": (
        "see in the ERP whose each document is; delete what is one too many",
        "请在 ERP 中核实各下游单据属哪张源单，并删除多余的单据",
    ),
    "advice.ledger.cause": (
        "this ledger pushed it; documents of this route cannot be asked for",
        "本台账已下推过；此路线无法查询下游单据",
    ),
    "advice.ledger.cure": (
        "look it up; if its document is gone, list it alone for `--again`",
        "请在 ERP 中下查；下游单据确已删除则单独列表，用 `--again`",
    ),
    "advice.unshown.cause": (
        "this ledger pushed it, and the ERP shows no document of it now",
        "本台账已下推过，但 ERP 现在查不到下游单据",
    ),
    "advice.unshown.cure": (
        "see if it is gone, or hidden; if gone, list it alone for `--again`",
        "查明是已删除还是无权查看；确已删除则单独列表，用 `--again`",
    ),
    "advice.contradiction.cause": (
        "the ERP says it acted, and no target names this number",
        "ERP 称已处理，却查不到关联此单据的下游单据",
    ),
    "advice.contradiction.cure": (
        "open what the answer names in the ERP; check source_number_field",
        "请在 ERP 中打开应答所列单据核实；检查 source_number_field",
    ),
    "advice.unnamed.cause": (
        "the ERP reports success and names no document",
        "ERP 报告成功，但没有给出单据",
    ),
    "advice.unnamed.cure": (
        "look it up in the ERP, then `k3push settle --as`",
        "请在 ERP 中查明，然后 `k3push settle --as`",
    ),
    "advice.wordless.cause": (
        "the ERP reports neither success nor a reason",
        "ERP 既未报告成功，也未说明原因",
    ),
    "advice.wordless.cure": (
        "it settles by itself where targets can be asked for; else look it up",
        "可查询下游单据时会自动核实；否则请在 ERP 中查明",
    ),
    "advice.partly.cause": (
        "a document was made, and the ERP refused a part of the bill",
        "已生成下游单据，但 ERP 拒绝了其中一部分",
    ),
    "advice.partly.cure": (
        "read the reason, and complete or undo the document in the ERP",
        "请查看原因，并在 ERP 中补全或撤销该单据",
    ),
    "advice.dropped.cause": (
        "the ERP passed over this number twice and gave no reason",
        "ERP 两次跳过此单据，且未说明原因",
    ),
    "advice.dropped.cure": (
        "push it by hand in the ERP to see what it says",
        "请在 ERP 中手工下推，查看提示",
    ),
    "advice.ambiguous.cause": (
        "more than one bill has this number, likely in two organisations",
        "多张单据使用此编号，多半分属不同组织",
    ),
    "advice.ambiguous.cure": (
        "list the one that is meant by its `id`; the row names them all",
        "请在清单中用 `id` 列指定源单内码，可选的内码见此行",
    ),
    "advice.shared.cause": (
        "documents name its number, and may be another bill's",
        "下游单据只写有此编号，可能属于另一张源单",
    ),
    "advice.shared.cure": (
        "see whose they are; `settle --as`, or list it alone for `--again`",
        "请在 ERP 中查明归属，再 `settle --as`，或单独列表用 `--again`",
    ),
    "advice.cancelled-since.cause": (
        "somebody has cancelled what its call may have made",
        "此次调用可能生成的下游单据已被人作废",
    ),
    "advice.cancelled-since.cure": (
        "push anew: `settle --as absent`, `resume`, `retry`; else `--as pushed`",
        "再次下推：`settle --as absent`、`resume`、`retry`；否则 `--as pushed`",
    ),
    "advice.held.cause": (
        "another run has sent it, and what became of it there is not certain yet",
        "另一任务已发送此单据，在那里的结果尚不确定",
    ),
    "advice.held.cure": (
        "`k3push resume RUN` or `retry RUN`, that run; then it can be pushed",
        "请对该任务执行 `k3push resume RUN` 或 `retry RUN`；查明后才能再推",
    ),
    "advice.absent.cause": (
        "its answer was lost, and the ERP made nothing of it",
        "应答曾丢失，经核实 ERP 没有生成单据",
    ),
    "advice.absent.cure": ("`k3push resume` sends it again", "`k3push resume` 会重新发送"),
    "advice.person.cause": ("a person looked it up and said so", "由人工查明并确认"),
    "advice.person.cure": (
        "nothing, if it is pushed; else `k3push resume` sends it again",
        "已下推的无需处理；否则 `k3push resume` 会重新发送",
    ),
    "advice.draft.cause": (
        "the ERP could not save the target and kept a draft",
        "ERP 无法保存下游单据，已暂存",
    ),
    "advice.draft.cure": (
        "complete and save it in the ERP; if deleted, list it alone for `--again`",
        "请在 ERP 中补全并保存暂存单；已删除则单独列表，用 `--again`",
    ),
    "advice.step-in-doubt.cause": (
        "the answer was lost, and the document's status has not told yet",
        "应答丢失，单据状态尚不能说明结果",
    ),
    "advice.step-in-doubt.cure": (
        "`k3push settle` looks again; leave the document alone until then",
        "`k3push settle` 会再次查询；在此之前请勿改动该单据",
    ),
    "advice.in-doubt.cause": (
        "the ERP may have made a document, and no look can tell",
        "ERP 可能已生成单据，且无法回查",
    ),
    "advice.in-doubt.cure": (
        "look it up in the ERP, then `k3push settle --as`",
        "请在 ERP 中查明，然后 `k3push settle --as`",
    ),
    "advice.earlier-draft.cause": (
        "an earlier push left a draft (暂存) of this bill",
        "此前的下推留有暂存单",
    ),
    "advice.not-connected.cause": (
        "the ERP could not be reached; nothing was sent",
        "无法连接 ERP，没有发送",
    ),
    "advice.not-connected.cure": (
        "check erp.url and the network, then `k3push resume`",
        "请检查 erp.url 和网络，然后 `k3push resume`",
    ),
    "advice.password-wrong.cause": ("the user name or the password is wrong", "用户名或密码错误"),
    "advice.password-wrong.cure": (
        "correct erp.username or its secret, then `k3push resume`",
        "请更正 erp.username 或其密码，然后 `k3push resume`",
    ),
    "advice.password-expired.cause": (
        "the password has expired or must be changed",
        "密码已过期或必须修改",
    ),
    "advice.password-expired.cure": (
        "log in to the ERP as this user, set a new password, update the secret",
        "请用该用户登录 ERP 修改密码，并更新配置中的密码",
    ),
    "advice.account-locked.cause": (
        "the account is locked after too many wrong logins",
        "登录错误次数过多，账号已锁定",
    ),
    "advice.account-locked.cure": (
        "wait half an hour or have it unlocked; do not try again before",
        "请等待半小时或由管理员解锁，其间不要再试",
    ),
    "advice.not-listed.cause": (
        "this user may not call the Web API",
        "该用户不在 WebAPI 允许名单中",
    ),
    "advice.not-listed.cure": (
        "administrator: 参数设置, BOS平台, WebAPI: add the user there",
        "请管理员在“参数设置→BOS平台→WebAPI”中添加该用户",
    ),
    "advice.app-not-granted.cause": (
        "the application may not log in as this user",
        "第三方应用未授权此用户登录",
    ),
    "advice.app-not-granted.cure": (
        "administrator: third-party login authorisation: add the user",
        "请管理员在第三方系统登录授权中添加该用户",
    ),
    "advice.account-set.cause": (
        "the ERP does not know this data centre",
        "找不到该数据中心（账套）",
    ),
    "advice.account-set.cure": ("check erp.acct_id", "请检查 erp.acct_id"),
    "advice.session-shared.cause": (
        "each session was lost as soon as it was opened",
        "会话一打开即失效",
    ),
    "advice.session-shared.cure": (
        "give each program and each k3push at work a user of its own",
        "请让每个程序、每个同时运行的 k3push 各用一个用户",
    ),
    "advice.session-lost.cause": (
        "the ERP had lost the session; nothing was done",
        "ERP 会话已丢失，没有执行",
    ),
    "advice.session-lost.cure": (
        "k3push logs in again; if that ends the run, check the user's rights",
        "k3push 会自动重新登录；若因此中止，请检查用户授权",
    ),
    "advice.licence.cause": (
        "the ERP's licence is missing, over, or all in use",
        "许可缺失、到期，或许可数已用完",
    ),
    "advice.licence.cure": (
        "tell the administrator; free a licence, then `k3push retry`",
        "请联系管理员；释放或续期许可后 `k3push retry`",
    ),
    "advice.no-right.cause": (
        "the user lacks a right to one of the forms",
        "用户缺少相关单据的权限",
    ),
    "advice.no-right.cure": (
        "have the right granted to erp.username, then `k3push retry`",
        "请为 erp.username 授权，然后 `k3push retry`",
    ),
    "advice.bad-parameter.cause": ("the ERP misses a parameter of the call", "调用缺少参数"),
    "advice.bad-parameter.cure": (
        "check the route's settings; if they are right, report it",
        "请检查路线配置；若无误，请报告缺陷",
    ),
    "advice.no-default-rule.cause": (
        "no default conversion rule is enabled for these two forms",
        "这两个表单之间未启用默认转换规则",
    ),
    "advice.no-default-rule.cure": (
        "name one in the route's `rule` (see `k3push rules`), then `k3push retry`",
        "请在路线的 `rule` 中写明规则（见 `k3push rules`），然后 `k3push retry`",
    ),
    "advice.no-rule.cause": (
        "there is no such conversion rule, or it is not enabled",
        "转换规则不存在或未启用",
    ),
    "advice.no-rule.cure": (
        "check the route's rule; have it enabled in the ERP",
        "请检查路线的 rule，并在 ERP 中启用该规则",
    ),
    "advice.number-unknown.cause": (
        "the ERP finds no bill of this number",
        "ERP 中没有此编号的单据",
    ),
    "advice.number-unknown.cure": (
        "check the number in the job file, and the route's source form",
        "请核对清单中的编号和路线的源单标识",
    ),
    "advice.two-bills.cause": (
        "the line of the list names one bill by its number, and another by its id",
        "清单该行的编号和内码分属两张单据",
    ),
    "advice.two-bills.cure": (
        "correct that line, then run the list again",
        "请改正该行，再运行一次清单",
    ),
    "advice.replaced.cause": (
        "the number was given to another bill after the plan was made",
        "制定计划之后，此编号改给了另一张单据",
    ),
    "advice.replaced.cure": (
        "make a new plan of the list, and apply that",
        "请为清单重新制定计划并执行",
    ),
    "advice.form-unknown.cause": ("the ERP knows no form of this id", "ERP 中没有此单据标识"),
    "advice.form-unknown.cure": (
        "check source and target of the route; `k3push check` tries them",
        "请检查路线的 source 和 target；可用 `k3push check` 验证",
    ),
    "advice.field-unknown.cause": ("a form does not have this field", "单据上没有该字段"),
    "advice.field-unknown.cure": (
        "check source_number_field; `k3push check` tries it",
        "请检查 source_number_field；可用 `k3push check` 验证",
    ),
    "advice.bad-filter.cause": (
        "the ERP could not read the filter of a query",
        "ERP 无法解析查询条件",
    ),
    "advice.bad-filter.cure": (
        "check source_number_field: its name and its entity",
        "请检查 source_number_field 的名称与所属单据体",
    ),
    "advice.edit-lock.cause": (
        "somebody has the bill open (网控), after several tries",
        "单据正被他人操作（网控），多次重试未果",
    ),
    "advice.edit-lock.cure": (
        "`k3push retry`, when nobody has the bill open",
        "待无人操作该单据后 `k3push retry`",
    ),
    "advice.call-limit.cause": (
        "the ERP limits calls and refused this one, after several tries",
        "ERP 限制调用频率，多次重试未果",
    ),
    "advice.call-limit.cure": (
        "`k3push retry` later, with a lower --concurrency",
        "稍后 `k3push retry`，并减小 --concurrency",
    ),
    "advice.base-data.cause": (
        "likely a master record is missing, disabled or not approved",
        "多半是引用的基础资料不存在、已禁用或未审核",
    ),
    "advice.base-data.cure": (
        "enable or approve the record in the ERP, then `k3push retry`",
        "请在 ERP 中启用或审核该资料，然后 `k3push retry`",
    ),
    "advice.period-closed.cause": (
        "the date lies in a closed period, of stock or of accounts",
        "单据日期所在期间已关账或结账",
    ),
    "advice.period-closed.cure": (
        "change the date, or have the period opened, then `k3push retry`",
        "请修改日期或反关账，然后 `k3push retry`",
    ),
    "advice.organisation.cause": (
        "likely an organisation that does not fit, or lacks a relation",
        "多半是组织不一致，或缺少组织业务关系",
    ),
    "advice.organisation.cure": (
        "compare the organisations of bill, rule and target_org_id",
        "请核对单据、规则与 target_org_id 的组织",
    ),
    "advice.not-approved.cause": ("the source bill is not approved", "源单未审核"),
    "advice.not-approved.cure": (
        "approve it in the ERP, then `k3push retry`",
        "请在 ERP 中审核，然后 `k3push retry`",
    ),
    "advice.cancelled.cause": ("the source bill is cancelled", "源单已作废"),
    "advice.cancelled.cure": (
        "take it off the list, or restore it (反作废), then `k3push retry`",
        "请从清单中去掉，或反作废后 `k3push retry`",
    ),
    "advice.frozen.cause": (
        "the bill or a line of it is frozen or terminated",
        "单据或其分录已冻结或终止",
    ),
    "advice.frozen.cure": (
        "take it off the list, or undo that in the ERP, then `k3push retry`",
        "请从清单中去掉，或在 ERP 中解除后 `k3push retry`",
    ),
    "advice.closed.cause": (
        "the source bill, or a line of it, is closed (整单或业务关闭)",
        "源单或其分录已关闭（整单关闭或业务关闭）",
    ),
    "advice.closed.cure": (
        "take it off the list, or reopen it (反关闭), then `k3push retry`",
        "请从清单中去掉，或反关闭后 `k3push retry`",
    ),
    "advice.fully-pushed.cause": (
        "the whole quantity was pushed before; none is left",
        "数量已全部下推，没有剩余",
    ),
    "advice.fully-pushed.cure": (
        "nothing, if the earlier targets are right; look them up",
        "请核对已有的下游单据；无误则无需处理",
    ),
    "advice.rule-conditions.cause": (
        "the bill does not meet the conditions of the conversion rule",
        "单据不满足转换规则的条件",
    ),
    "advice.rule-conditions.cure": (
        "compare it with the rule's filter (数据范围) in the ERP",
        "请与转换规则中的数据范围（条件）核对",
    ),
    "advice.stock-short.cause": (
        "there is not enough stock, or it would become negative",
        "库存不足，或将出现负库存",
    ),
    "advice.stock-short.cure": (
        "check the stock on hand, then `k3push retry`",
        "请检查即时库存，然后 `k3push retry`",
    ),
    "advice.quantity-zero.cause": (
        "a line has no quantity, likely because all of it was pushed before",
        "分录数量为 0，多半是已全部下推",
    ),
    "advice.quantity-zero.cure": (
        "look up the earlier targets; nothing, if they are right",
        "请核对已有的下游单据；无误则无需处理",
    ),
    "advice.quantity-exceeded.cause": (
        "the quantity is above what may still be pushed or received",
        "数量超出可下推或可收的上限",
    ),
    "advice.quantity-exceeded.cure": (
        "compare it with earlier targets and the over-receipt limit (超收)",
        "请核对已下推数量和超收（超发）上限",
    ),
    "advice.warehouse-needed.cause": (
        "the target needs a warehouse (仓库)",
        "下游单据必须录入仓库",
    ),
    "advice.warehouse-needed.cure": (
        "fill it in on the source bill or by the rule, then `k3push retry`",
        "请在源单填写，或由转换规则带出，然后 `k3push retry`",
    ),
    "advice.lot-needed.cause": (
        "the material is kept by lots, and the target has no lot (批号)",
        "物料启用批号管理，下游单据缺少批号",
    ),
    "advice.lot-needed.cure": (
        "lots come from the source or a person: push it by hand or as draft",
        "请在源单带出批号，或手工下推、以暂存方式下推后补录",
    ),
    "advice.serial-needed.cause": (
        "the material has serial numbers, and they are missing or differ",
        "物料启用序列号管理，序列号缺失或数量不符",
    ),
    "advice.serial-needed.cure": (
        "serial numbers need a person: push it by hand or as draft",
        "序列号需人工录入：请手工下推，或以暂存方式下推后补录",
    ),
    "advice.price-zero.cause": (
        "a line that is no gift (赠品) has no price",
        "非赠品分录的单价为 0",
    ),
    "advice.price-zero.cure": (
        "fill in the price, or mark the line as a gift, then `k3push retry`",
        "请在源单补上单价或标为赠品，然后 `k3push retry`",
    ),
    "advice.credit.cause": ("a credit limit stops it", "超出信用额度"),
    "advice.credit.cure": (
        "have the credit released in the ERP, then `k3push retry`",
        "请在 ERP 中处理信用，然后 `k3push retry`",
    ),
    "advice.field-needed.cause": (
        "a field that the target needs is empty",
        "下游单据的必录字段为空",
    ),
    "advice.field-needed.cure": (
        "fill it in on the source bill or by the rule, then `k3push retry`",
        "请在源单填写，或由转换规则带出，然后 `k3push retry`",
    ),
    "advice.not-unique.cause": (
        "the ERP has a record of this number already",
        "编码重复，系统中已存在",
    ),
    "advice.not-unique.cure": (
        "check the numbering rule (编码规则) of the target",
        "请检查下游单据的编码规则",
    ),
    "advice.wrong-status.cause": (
        "the document's status does not allow this",
        "单据状态不允许此操作",
    ),
    "advice.wrong-status.cure": (
        "look it up in the ERP; what was asked may be done already",
        "请在 ERP 中查看；所需操作可能已完成",
    ),
    "advice.question.cause": (
        "likely a warning that a person would confirm in the ERP",
        "多半是需要人工确认的提示",
    ),
    "advice.question.cure": (
        "push it by hand in the ERP to see the question",
        "请在 ERP 中手工下推，查看提示内容",
    ),
    "advice.database-busy.cause": (
        "the ERP's database was busy: a deadlock or a time-out",
        "ERP 数据库繁忙：死锁或超时",
    ),
    "advice.database-busy.cure": (
        "`k3push retry`, with a lower --concurrency",
        "`k3push retry`，并减小 --concurrency",
    ),
    "advice.precheck.cause": (
        "the check before sending rejected it; nothing was sent",
        "发送前检查未通过，没有发送",
    ),
    "advice.precheck.cure": (
        "correct the bill in the ERP, then `k3push retry`",
        "请在 ERP 中处理，然后 `k3push retry`",
    ),
    "advice.server-error.cause": (
        "the ERP's server broke off with an error of its own",
        "ERP 服务端出现异常",
    ),
    "advice.server-error.cure": (
        "push one by hand; show the message to the ERP's administrator",
        "请手工下推一张试试，并把提示交给 ERP 管理员",
    ),
    "advice.code-3.cause": ("MsgCode 3: the call names no operation", "MsgCode 3：操作标识为空"),
    "advice.code-3.cure": (
        "report it: k3push always names one",
        "请报告缺陷：k3push 总会给出操作标识",
    ),
    "advice.code-5.cause": ("MsgCode 5: the call names no form", "MsgCode 5：单据标识为空"),
    "advice.code-5.cure": ("check source and target of the route", "请检查路线的 source 和 target"),
    "advice.code-6.cause": ("MsgCode 6: the ERP's database failed", "MsgCode 6：数据库操作失败"),
    "advice.code-6.cure": (
        "`k3push retry` later; if it comes back, tell the administrator",
        "稍后 `k3push retry`；若再次出现，请联系管理员",
    ),
    "advice.code-8.cause": ("MsgCode 8: a parameter of the call is wrong", "MsgCode 8：参数错误"),
    "advice.code-8.cure": (
        "check the route: rule, target, target_org_id, target_bill_type_id",
        "请检查路线：rule、target、target_org_id、target_bill_type_id",
    ),
    "advice.code-9.cause": (
        "MsgCode 9: a field or a value does not exist",
        "MsgCode 9：字段或值不存在",
    ),
    "advice.code-9.cure": (
        "check the number and the names of fields in the route",
        "请核对单据编号和路线中的字段名",
    ),
    "advice.code-10.cause": ("MsgCode 10: the ERP did not find the data", "MsgCode 10：数据不存在"),
    "advice.code-10.cure": (
        "check the number; somebody may have deleted the bill",
        "请核对单据编号；单据可能已被删除",
    ),
    "advice.code-11.cause": (
        "MsgCode 11: a check of the ERP refused it",
        "MsgCode 11：数据校验未通过",
    ),
    "advice.code-11.cure": (
        "correct what the message says, then `k3push retry`",
        "请按提示处理，然后 `k3push retry`",
    ),
    "advice.code-12.cause": (
        "MsgCode 12: the bill cannot be operated on now",
        "MsgCode 12：单据当前不可操作",
    ),
    "advice.code-12.cure": (
        "look at the bill's status in the ERP, then `k3push retry`",
        "请在 ERP 中查看单据状态，然后 `k3push retry`",
    ),
    "advice.code-15.cause": (
        "MsgCode 15: administrators may not use the Web API",
        "MsgCode 15：禁止管理员登录",
    ),
    "advice.code-15.cure": ("use another user as erp.username", "请改用其他用户作为 erp.username"),
    "advice.code-0.cause": (
        "MsgCode 0: the ERP refused it without a code",
        "MsgCode 0：ERP 拒绝但未给出错误码",
    ),
    "advice.code-0.cure": (
        "correct what the message says, then `k3push retry`",
        "请按提示处理，然后 `k3push retry`",
    ),
}
