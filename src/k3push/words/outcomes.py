"""What a run has come to: states, exit codes and what to do then, causes of a stop, the summary."""

from __future__ import annotations

WORDS = {
    # -- names of states; files, JSON and the ledger keep the English ones -------------------
    "state.planned": ("planned", "待下推"),
    "state.sent": ("sent", "已发出"),
    "state.pushed": ("pushed", "已下推"),
    "state.draft": ("draft", "暂存"),
    "state.already": ("already", "此前已下推"),
    "state.rejected": ("rejected", "被拒绝"),
    "state.unknown": ("unknown", "结果未知"),
    "meaning.planned": ("not sent yet", "尚未发送"),
    "meaning.sent": ("on its way", "等待应答"),
    "meaning.pushed": ("pushed now", "本次下推"),
    "meaning.draft": ("draft, needs a person", "需人工补全"),
    "meaning.already": ("had a document", "无需再推"),
    "meaning.rejected": ("nothing was made", "未生成单据"),
    "meaning.unknown": ("in doubt", "待核实"),
    "step.submit": ("submission", "提交"),
    "step.audit": ("approval", "审核"),
    "follow.submitted": ("submitted", "已提交"),
    "follow.approved": ("approved", "已审核"),
    "follow.waiting": ("waiting in a flow", "审批流中"),
    "follow.refused": ("refused", "提交或审核被拒绝"),
    "follow.unknown": ("in doubt", "提交或审核结果未知"),
    # -- exit codes ------------------------------------------------------------------------
    "exit.0": ("every number is pushed or already", "所有单据均已下推或此前已下推"),
    "exit.3": (
        "some numbers are rejected or draft; read the results",
        "有单据被拒绝或为暂存；请查看结果",
    ),
    "exit.3.follow": (
        "documents were refused a step, wait in a flow or are unknown; read the results, then `k3push follow`",
        "有下游单据提交或审核被拒绝、在审批流中等待，或状态未知；请查看结果，处理后执行 `k3push follow`",
    ),
    "exit.3.odd": (
        "some numbers have a document too many, perhaps, or only some of theirs; read the results",
        "有单据可能多出下游单据，或只生成了一部分；请查看结果",
    ),
    "exit.4": (
        "some numbers are unknown; run `k3push settle`, or `settle --as`",
        "有单据结果未知；请执行 `k3push settle`，查不清的用 `settle --as` 登记",
    ),
    "exit.4.planned": (
        "some numbers are unknown, and some not sent; run `k3push resume`, or `settle --as`",
        "有单据结果未知，且有单据尚未下推；请执行 `k3push resume`，查不清的用 `settle --as` 登记",
    ),
    "exit.4.follow": (
        "a submission or approval is in doubt; run `k3push settle`",
        "有提交或审核的结果未知；请执行 `k3push settle`",
    ),
    "exit.5": (
        "stopped before the end; run `k3push resume`",
        "任务未完成；请执行 `k3push resume`",
    ),
    "exit.6": (
        "the ERP could not be reached or refused the login; fix that, then `k3push resume`",
        "无法连接 ERP 或登录被拒绝；处理后执行 `k3push resume`",
    ),
    "exit.sent": (
        "stopped at once; run `k3push resume`, which first asks about what was on its way",
        "已立即停止；请执行 `k3push resume`，它会先核实已发出的单据",
    ),
    # -- the summary -----------------------------------------------------------------------
    "summary.run": (
        "run {run}, route {route}, {seconds:.1f} s",
        "任务 {run}，路线 {route}，{seconds:.1f} 秒",
    ),
    "summary.calls": (
        "pushes {pushes} · logins {logins} · documents {targets}",
        "{pushes} 次下推，{logins} 次登录，{targets} 张下游单据",
    ),
    "summary.pace": (
        "pace: {calls} at once × {numbers} {numbers:?number|numbers}",
        "节奏：并发 {calls} 次调用 × 每批 {numbers} 张",
    ),
    "summary.doubted": (
        "answers lost: {doubted} {doubted:?number|numbers} in doubt, {left} of them still",
        "应答丢失：涉及 {doubted} 张单据，其中 {left} 张仍未核实",
    ),
    "summary.twins": (
        "a document too many, perhaps: {count} {count:?number has|numbers have} several, and not all are surely this run's; each row says which (code twin)",
        "可能多出下游单据：{count} 张单据有多张下游单据，且不能确定均由本次生成，详见各行的原因（代码 twin）",
    ),
    "summary.partly": (
        "made in part: {count} {count:?number has|numbers have} documents, and the ERP refused the rest (code partly)",
        "部分生成：{count} 张单据已有下游单据，其余部分被 ERP 拒绝（代码 partly）",
    ),
    "summary.follow": ("after the push: {counts}", "下推之后：{counts}"),
    "summary.follow_left": ("{left} not yet", "{left} 张尚未处理"),
    "summary.follow_unnamed": (
        "documents of {count} {count:?bill|bills} not known",
        "{count} 张源单的下游单据未知",
    ),
    "summary.repeats": (
        "repeated lines: {count}, each bill pushed once",
        "{count} 行重复，每张单据只下推一次",
    ),
    "summary.stopped": ("stopped: {why}", "已停止：{why}"),
    "summary.ledger_alone": ("in the ledger alone", "仅在台账中"),
    "summary.folder": ("results: {folder}", "结果：{folder}"),
    "summary.exit": ("exit {code}: {what}", "退出码 {code}：{what}"),
    "reason.heading": ("why, and what to do:", "原因与处理："),
    "reason.more": (
        "and {reasons} more {reasons:?reason|reasons}, {rows} {rows:?number|numbers}",
        "另有 {reasons} 种原因，{rows} 张单据",
    ),
    # -- why a run stopped before its end --------------------------------------------------
    "cause.interrupted": ("it was told to stop", "收到停止指令"),
    "cause.given up": (
        "its worker leaves it to others: {why}",
        "执行它的工作进程将其交给其他工作进程：{why}",
    ),
    "cause.limit": ("--limit is reached", "已达到 --limit 的上限"),
    "cause.control": ("stopped by control", "由 control 停止"),
    "cause.deadline": ("{why}", "{why}"),
    "cause.halted": ("halted: {why}", "触发停止规则：{why}"),
    "cause.stood still": (
        "this machine was too busy: {why:.}, again and again. Let less run beside it, or raise settle.window_s (a tenth of it may pass so), then `k3push resume`.",
        "本机过于繁忙：{why:.}，且多次如此。请减少同时运行的程序，或调大 settle.window_s（停顿不得超过其十分之一），再执行 `k3push resume`。",
    ),
    "cause.unreachable": (
        "the ERP cannot be reached: {why:.}. Check erp.url and the network.",
        "无法连接 ERP：{why:.}。请检查 erp.url 和网络。",
    ),
    "cause.certificate": (
        "the ERP's certificate cannot be verified: {why:.}. If it is self-signed or of a CA of your own, name the file of that certificate in erp.verify; else check the host in erp.url.",
        "无法验证 ERP 的证书：{why:.}。如为自签名证书或企业自建 CA，请在 erp.verify 中指定该证书文件；否则请检查 erp.url 中的主机名。",
    ),
    "cause.no tls": (
        "what answers there does not speak https: {why:.}. Check the port in erp.url, and whether it begins with http:// instead.",
        "该地址应答的不是 https：{why:.}。请检查 erp.url 的端口，以及是否应以 http:// 开头。",
    ),
    "cause.limited": (
        "the ERP limits calls: {why:.}. Nothing was refused for good. Try again later; `run.max_calls_per_minute` sends fewer at a time.",
        "ERP 限制了调用：{why:.}。没有单据因此被最终拒绝。请稍后重试；可用 `run.max_calls_per_minute` 降低调用频率。",
    ),
    "cause.login refused": (
        "the ERP refused the login: {why:.}. Check erp.username, its password and acct_id; it was tried once, since five wrong logins lock the account.",
        "ERP 拒绝登录：{why:.}。请检查 erp.username、密码和 acct_id；只尝试了一次，因为连续五次错误会锁定账号。",
    ),
    "cause.login threw": (
        "nobody could log in: {why:.}. It was tried twice; user name and password may well be right. Try again when the ERP is well.",
        "无法登录：{why:.}。已尝试两次；用户名和密码可能并没有错。请待 ERP 恢复正常后重试。",
    ),
    "cause.session lost": (
        "no session lasts: {why:.}. No login was refused. Let each program log in as a user of its own, and see whether the user has the right to push; then try again.",
        "会话无法保持：{why:.}。登录并未被拒绝。请让每个程序使用各自的用户登录，并检查该用户是否有下推权限，然后重试。",
    ),
    "cause.look refused": (
        "the ERP refused a query: {why:.}. Check the route's forms, source_number_field and the user's rights.",
        "ERP 拒绝查询：{why:.}。请检查路线的单据标识、source_number_field 和用户权限。",
    ),
    "cause.look failed": (
        "queries of the ERP failed again and again: {why:.}. Nothing is lost; try `k3push resume` later.",
        "对 ERP 的查询多次失败：{why:.}。数据没有丢失，请稍后执行 `k3push resume`。",
    ),
    "cause.contradiction": (
        "answer and read-back contradict each other: {why:.}. Check the route's source_number_field; with erp.identities, also that the user of [erp] sees what the others make. Where a copy of the database answers queries late, raise settle.first_wait_s.",
        "应答与回查矛盾：{why:.}。请检查路线的 source_number_field；如有 erp.identities，还请确认 [erp] 的用户能看到其他用户生成的单据。如果查询由延迟的数据库副本应答，请调大 settle.first_wait_s。",
    ),
    "cause.twins": (
        "another program or person pushes the same bills: {why:.}. Stop that, then `k3push resume`; rows with the code twin name both documents.",
        "有其他程序或人员在下推同一批单据：{why:.}。请先停止对方，再执行 `k3push resume`；代码为 twin 的行列出了两张下游单据。",
    ),
    "cause.unproved": (
        "numbers stay unknown, since nothing proves that the source-number field finds documents ({why}). Check source_number_field with `k3push check`. `k3push resume` proves it by the next bill that it sends; where it sends none (none is planned, or an answer contradicts its read-back), push one bill by hand before it; else look them up in the ERP and use `k3push settle --as`.",
        "部分单据结果未知：尚无单据证明源单编号字段能查到下游单据（{why}）。请用 `k3push check` 检查 source_number_field。`k3push resume` 会用下一张下推的单据来证明；如果没有单据可推（没有待下推的单据，或有应答与回查矛盾），请先手工下推一张再执行；也可在 ERP 中查明后用 `k3push settle --as` 登记。",
    ),
    "cause.person": (
        "{why:.}. Look them up in the ERP (list of targets; what an answer names), then `k3push settle --as`.",
        "{why:.}。请在 ERP 中下查，并打开应答所列单据，再用 `k3push settle --as` 登记。",
    ),
    "cause.follow": (
        "{why:.}; nothing more is pushed. Mend what the ERP says, then `k3push resume`.",
        "{why:.}，不再下推。请按 ERP 的提示处理后执行 `k3push resume`。",
    ),
    "cause.barred": (
        "{why}: what became of them there is not certain. Go on with that run (`k3push resume RUN`, or `k3push retry RUN`); what it leaves unknown, look up in the ERP, then `k3push settle --as`.",
        "{why}：在那里的结果尚不确定。请先继续该任务（`k3push resume RUN` 或 `k3push retry RUN`）；仍为 unknown 的，在 ERP 中查明后用 `k3push settle --as` 登记。",
    ),
    "cause.ledger lost": (
        "the ledger cannot be written, so nothing more is sent: {why}",
        "台账无法写入，因此不再发送：{why}",
    ),
    "why.deadline": ("the time set by {option} is over", "{option} 设定的时间已到"),
    "why.limit": (
        "the limit of {limit} {limit:?number|numbers} is reached",
        "已达到 {limit} 张单据的上限",
    ),
    "why.follow": (
        "{count} documents in a row were refused when they were submitted or approved",
        "连续 {count} 张下游单据提交或审核被拒绝",
    ),
    "why.person": (
        "{count} {count:?number stays|numbers stay} unknown, and no look can tell what became of {count:?it|them}",
        "{count} 张单据结果未知，且无法通过查询核实",
    ),
    "why.barred": (
        "{count} {count:?number waits|numbers wait} for a person in run {runs}",
        "{count} 张单据须在任务 {runs} 中人工核实",
    ),
    "why.limited": (
        "{why} (still so at try {times})",
        "{why}（第 {times} 次尝试仍如此）",
    ),
    "why.sessions": (
        "{why} (at {times} pushes of one chunk, while other calls passed)",
        "{why}（同一批单据 {times} 次下推均如此，而其他调用正常）",
    ),
    "breach.percent": (
        "{value:.1f} % of {sent} {sent:?number was|numbers were} refused (limit {limit})",
        "{sent} 张单据中有 {value:.1f} % 被拒绝（上限 {limit}）",
    ),
    "breach.fail": (
        "{value:.0f} of {sent} {sent:?number|numbers} {value:?was|were} refused (limit {limit})",
        "{sent} 张单据中有 {value:.0f} 张被拒绝（上限 {limit}）",
    ),
    "breach.unknown": (
        "{value:.0f} of {sent} {sent:?number|numbers} {value:?is|are} in doubt (limit {limit})",
        "{sent} 张单据中有 {value:.0f} 张结果未知（上限 {limit}）",
    ),
}
