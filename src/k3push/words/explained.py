"""What happened to a bill: the `reason` of its row, and the evidence of `explain` and the pages.

Sentences of `note` stand in ledgers as remarks (`core.remark`): as verdict of a call, as note of
a bill, as reason of a row. So a key, once released, is never given another meaning, and a
sentence that is written no longer stays for the ledgers that hold it.
"""

from __future__ import annotations

WORDS = {
    "explain.head.run": ("run", "任务"),
    "explain.head.route": ("route", "路线"),
    "explain.head.exit": ("exit", "退出码"),
    "explain.head.list": ("list", "清单"),
    "explain.head.numbers": ("numbers", "单据"),
    "explain.run": ("run {run}", "任务 {run}"),
    "explain.plan": (
        "in plan {id}, which waits for approval ({list})",
        "在待批准的计划 {id} 中（{list}）",
    ),
    "explain.line": ("line {line}", "第 {line} 行"),
    "explain.id": ("source id {id}", "源单内码 {id}"),
    "explain.draft": ("id {id} (draft)", "内码 {id}（暂存）"),
    "explain.archived": (
        "run {run} is archived: `k3push explain {number} --archive {file:$}` shows its requests and answers",
        "任务 {run} 已归档：`k3push explain {number} --archive {file:$}` 可查看其请求与应答",
    ),
    "explain.more_rows": (
        "no more than {count} {count:?row is|rows are} shown; type more of the number",
        "最多显示 {count} 行；请输入更完整的编号",
    ),
    "explain.act": ("{by}: {what} (run {run})", "{by}：{what}（任务 {run}）"),
    "explain.step": (
        "step {id}: run {run}, {step} of {count} {count:?document|documents} that stood at {status}",
        "步骤 {id}：任务 {run}，{step} {count} 张状态为 {status} 的单据",
    ),
    "explain.follow": ("after the push: {what}", "下推之后：{what}"),
    "explain.attempt": (
        "attempt {id}: run {run}, chunk {chunk}, sending {nth}, {count} {count:?number|numbers}",
        "调用 #{id}：任务 {run}，第 {chunk} 批，第 {nth} 次发送，{count} 张单据",
    ),
    "explain.request": ("request  {what}", "请求  {what}"),
    "explain.answer": ("answer   {what}", "应答  {what}"),
    "explain.verdict": ("verdict  {what}", "判定  {what}"),
    "explain.no_answer": (
        "nothing was recorded: k3push was killed, or lost its ledger",
        "没有记录：k3push 被终止，或失去了台账",
    ),
    "explain.others": ("… and {count} more (--whole)", "… 另有 {count} 项（--whole）"),
    "explain.cut": ("… ({bytes} bytes)", "…（共 {bytes} 字节）"),
    # -- what the exchange of a call meant ---------------------------------------------------
    "note.wait": (
        "nothing was done ({why}); wait, then send again",
        "ERP 未处理（{why}）；等待后重新发送",
    ),
    "note.log_in": (
        "nothing was done ({why}); log in, then send again",
        "ERP 未处理（{why}）；登录后重新发送",
    ),
    "note.doubt": ("in doubt ({code}: {why})", "结果未知（{code}：{why}）"),
    "note.success": ("finished (success); read back", "已处理（成功）；已回查"),
    "note.silent_success": (
        "finished (success, no document named); read back",
        "已处理（成功，未列出下游单据）；已回查",
    ),
    "note.by_link": ("found by the ERP's link", "由 ERP 的关联关系查得"),
    "note.by_field": ("found by {field}", "由 {field} 查得"),
    "note.by_both": (
        "found by the ERP's link and by {field}",
        "由 ERP 的关联关系和 {field} 查得",
    ),
    "note.named": (
        "an answer gave it to this bill alone, and it is there",
        "应答只为此单据给出该下游单据，且它仍在",
    ),
    "note.by_answer": (
        "told by the answer alone: the target form cannot be asked",
        "仅凭应答认定：无法查询目标单",
    ),
    "note.refused": ("finished (refused, {code}); read back", "已处理（被拒绝，{code}）；已回查"),
    "note.refused_twice": (
        "finished (refused, {code}); read back twice",
        "已处理（被拒绝，{code}）；已回查两次",
    ),
    "note.killed": (
        "the process that sent it ended before an answer was written down",
        "发送它的进程在记下应答之前结束",
    ),
    # -- why an exchange failed --------------------------------------------------------------
    "note.no_answer": ("no answer in time ({name})", "未在时限内应答（{name}）"),
    "note.broke": ("the connection broke ({name})", "连接中断（{name}）"),
    "note.session_gone": (
        "the session was lost before the {operation} left",
        "{operation} 发送前会话已丢失",
    ),
    "note.bad_proxy": (
        "the proxy that the environment names cannot be used: {why}",
        "环境变量指定的代理无法使用：{why}",
    ),
    "note.through_proxy": (
        "{why} (on the way through the proxy {proxy}, which HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names; NO_PROXY lists hosts to reach without it)",
        "{why}（经由代理 {proxy}，由 HTTP_PROXY、HTTPS_PROXY 或 ALL_PROXY 指定；不经代理的主机请列入 NO_PROXY）",
    ),
    "note.stood_still": (
        "k3push stood still for {seconds:.3g} s before it was to leave",
        "发送前 k3push 停顿了 {seconds:.3g} 秒",
    ),
    "note.crossed": (
        "the bill was sent under another number meanwhile: {runs}",
        "该单据在此期间已以另一编号发送：{runs}",
    ),
    "note.stop_came": ("a stop was asked for before it left", "发送前收到停止指令"),
    "note.session_lost": ("session lost", "会话已丢失"),
    "note.wordless": ("neither success nor a reason", "既未报告成功，也未说明原因"),
    "note.page": ("a page instead of JSON: {start}", "应答是网页而不是 JSON：{start}"),
    "note.text": ("a text instead of JSON: {start}", "应答是文本而不是 JSON：{start}"),
    "note.redirect": (
        "HTTP {status} leads to {place} instead",
        "HTTP {status}，转向 {place}",
    ),
    "note.empty_body": ("an empty body", "应答内容为空"),
    # -- what happened apart from calls ------------------------------------------------------
    "note.planned": ("taken over from the plan; nothing was sent", "照计划登记，没有发送"),
    "note.found_again": (
        "found by the look before it was to be sent again",
        "重新发送前的查询发现已有下游单据",
    ),
    "note.goes_on_later": (
        "what is left was refused, broken off or passed over before, and looks may show late what was made of it",
        "剩余单据此前被拒绝、中断或跳过，查询可能稍后才显示已生成的下游单据",
    ),
    "note.settled_first": (
        "nothing leaves before the numbers are settled whose answers contradict the looks",
        "应答与回查矛盾的单据核实之前，不发送任何单据",
    ),
    "note.settled": ("settled by a look at the target form", "经查询目标单核实"),
    "note.settled_absent": (
        "a look at the target form found nothing; planned again",
        "查询目标单未发现下游单据，重新列入待下推",
    ),
    "note.more_documents": (
        "a later look found more documents",
        "后来的查询又发现下游单据",
    ),
    "note.retry": ("planned again by retry", "由 retry 重新列入待下推"),
    "note.retried": (
        "planned again by retry, after {attempts} {attempts:?sending|sendings}",
        "由 retry 重新列入待下推（此前已发送 {attempts} 次）",
    ),
    "note.person": ("settled by hand as {state}: {why}", "人工核实为{state}：{why}"),
    "note.person_named": (
        "settled by hand as {state} by {user}: {why}",
        "{user} 人工核实为{state}：{why}",
    ),
    "note.by_hand": (
        "settled by hand as {state}: {why} (after {attempts} {attempts:?call|calls})",
        "人工核实为{state}：{why}（此前调用 {attempts} 次）",
    ),
    "note.by_hand_of": (
        "settled by hand as {state} by {user}: {why} (after {attempts} {attempts:?call|calls})",
        "{user} 人工核实为{state}：{why}（此前调用 {attempts} 次）",
    ),
    # -- why a row stands where it does ------------------------------------------------------
    "note.also": ("{first:.}; {more}", "{first:.}；{more}"),
    "note.no_source": ("the source form holds no such bill", "源单不存在"),
    "note.ambiguous": (
        "more than one bill has this number: ids {ids}",
        "单据编号不唯一：内码 {ids}",
    ),
    "note.ambiguous_there": (
        "more than one bill has this number: ids (organisations) {ids}",
        "单据编号不唯一：内码（组织） {ids}",
    ),
    "note.two_bills": (
        "number and id are of two bills: id {id} is {number}",
        "编号与内码不是同一张单据：内码 {id} 的编号是 {number}",
    ),
    "note.replaced": (
        "as the plan was made this number was that of bill {id}; it is another's now",
        "制定计划时该编号属于内码 {id} 的单据，现在属于另一张单据",
    ),
    "note.unnumbered": (
        "the source bill is a draft without a number, or its number has blanks at an end",
        "源单为暂存、尚无编号，或编号首尾带空格",
    ),
    "note.renamed": (
        "another bill has this number by now, so that it is not sent again",
        "单据编号已不唯一，不再重新发送",
    ),
    "note.whose": (
        "documents of this number are there, and nothing tells of which bill: {documents}",
        "已有下游单据，无法判断属于哪张源单：{documents}",
    ),
    "note.cancelled_since": (
        "a document of this bill was made and cancelled since it was sent: {documents}",
        "发送后此单据曾生成下游单据，又被作废：{documents}",
    ),
    "note.out_of_sight": (
        "looks have shown a document that may be its own, and show it no more: {documents}",
        "回查曾见到可能属于此单据的下游单据，现已查不到：{documents}",
    ),
    "note.calls_at_work": (
        "the ERP may still be at work on {count} {count:?call|calls} that nobody heard the end of",
        "有 {count} 次调用未收到结果，ERP 可能仍在执行",
    ),
    "note.missed": (
        "an answer has named documents that its user is not shown ({documents}): its own may be hidden as well",
        "应答给出过该用户看不到的下游单据（{documents}），此单据的下游单据可能同样看不到",
    ),
    "note.bill_unshown": (
        "the source form does not show the bill any more: it was deleted, or its user may no longer see it, and its documents may be hidden as well",
        "源单已查不到：可能已被删除，也可能该用户已无权查看，此单据的下游单据可能同样看不到",
    ),
    "note.earlier_unshown": (
        "most of what its user made before is not shown to that user any more: its own may be hidden as well",
        "该用户以前生成的下游单据现在大多看不到，此单据的下游单据可能同样看不到",
    ),
    "note.stray": (
        "a document has come since it was sent that nothing ties to another bill: it may be of this bill",
        "发送后出现了一张不能确定属于其他源单的下游单据，可能属于此单据",
    ),
    "note.stray_untold": (
        "the target form does not tell which documents have come since it was sent: one of them may be of this bill",
        "下游表单无法查出发送后新增了哪些单据，其中可能有由此源单生成的",
    ),
    "note.stray_of": (
        "run {run} has sent it in vain, and a document may have come since that is its own: `k3push resume {run}` first, or `k3push retry {run}` where that run has rejected it",
        "任务 {run} 发送过此单据但未见其下游单据，其后可能出现了属于它的下游单据；请先 `k3push resume {run}`，若在该任务中已被拒绝则 `k3push retry {run}`",
    ),
    "note.still_under_way": (
        "the push before is still under way; nothing more was begun",
        "上一次下推仍在进行，未另行开始",
    ),
    "note.plans_wait": (
        "the new files wait until their plans are approved or withdrawn",
        "新文件在等待：其计划尚未批准，也未撤回",
    ),
    "note.waits_for_runs": (
        "bills of this list are on their way in run {runs}",
        "清单中有单据正在任务 {runs} 中下推",
    ),
    "note.lately_sent": (
        "waiting for earlier calls for {count} of these bills, which may be at work yet",
        "等待此前对其中 {count} 张单据的调用，ERP 可能仍在处理",
    ),
    "note.refused_once_more": (
        "looking once more for what a refused call may have saved",
        "再次回查被拒绝的调用是否已保存部分下游单据",
    ),
    "note.of_namesakes": (
        "documents of this number are there that were made from another bill of it; list this one by its id: {documents}",
        "已有下游单据由另一张同编号的源单生成，请用内码指定源单：{documents}",
    ),
    "note.denied": (
        "documents of this number have come since it was sent, and a field alone says that they are of another form: {documents}",
        "发送后出现写有此编号的下游单据，仅凭源单类型字段无法断定不属于此单：{documents}",
    ),
    "note.odd_form": (
        "documents of this number are there, and their field of the source's form holds what is not known as a form: {documents}",
        "已有写有此编号的下游单据，其源单类型字段的值不是已知的单据类型：{documents}",
    ),
    "note.blocked.unapproved": ("the source bill is not approved", "源单未审核"),
    "note.blocked.closed": ("the source bill is closed", "源单已关闭"),
    "note.blocked.cancelled": ("the source bill is cancelled", "源单已作废"),
    "note.query_refused": (
        "the ERP refuses to be asked for this bill: {why}",
        "ERP 拒绝查询此单据：{why}",
    ),
    "note.draft_before": ("a draft was there before", "已有暂存单"),
    "note.thin": ("known by the source number alone", "仅凭源单编号认定"),
    "note.made_by_run": ("pushed by run {run}", "任务 {run} 已下推"),
    "note.pushed_since": (
        "pushed by run {run} since it was planned or selected here; plan it anew to push it once more",
        "作计划或选单之后，任务 {run} 已下推；如要再推一次，请重新制定计划",
    ),
    "note.unshown": (
        "pushed by run {run}, and the ERP shows no document",
        "任务 {run} 已下推，但 ERP 中未见下游单据",
    ),
    "note.held": (
        "run {run} has no answer for it yet; once that run is over, settle it",
        "任务 {run} 尚未得到此单据的结果；该任务结束后请先核实",
    ),
    "note.held_by_namesake": (
        "another bill of this number is in doubt in this run, and goes first",
        "本任务中编号相同的另一张单据结果未知，须先核实",
    ),
    "note.held_by": (
        "waits for run {run}, which has no answer for it yet; once that run is over, settle it",
        "等待任务 {run}：该任务尚未得到此单据的结果，结束后请先核实",
    ),
    "note.taken": (
        "{document} also stands in the row of {bill} (run {run}): look of which bill it is",
        "{document} 也记在 {bill}（任务 {run}）的行中：请核对它属于哪张单据",
    ),
    "note.twin": (
        "somebody else has pushed this bill too: {documents}",
        "他人也下推了此单据：{documents}",
    ),
    "note.late_twin": (
        "a document appeared after the window, from a call sent before: {documents}",
        "窗口期后又出现下游单据，来自更早的调用：{documents}",
    ),
    "note.more_than_one": (
        "the rule has made one document of each bill so far, and several of this one are there after a call without a usable answer: another program or a proxy may have pushed it as well: {documents}",
        "该规则此前对每张源单只生成一张下游单据，而此单在无有效应答的调用后出现多张，可能另有程序或代理也下推了：{documents}",
    ),
    "note.cancelled_before": (
        "cancelled documents were there: {documents}",
        "原有下游单据已作废：{documents}",
    ),
    "note.absent": (
        "no target {seconds:g} s after it was sent",
        "发送 {seconds:g} 秒后仍无下游单据",
    ),
    "note.unanswered": (
        "sent alone {times} {times:?time|times} without a usable answer, and nothing was made",
        "单独调用 {times} 次均无有效应答，且未生成下游单据",
    ),
    "note.unseen": (
        "The answer names documents, and nobody could look who sees what its user makes.",
        "应答给出了下游单据，但没有能看到该用户所生成单据的用户可供回查。",
    ),
    "note.unnamed": (
        "The answer reports success, names no document, and none is shown.",
        "应答报告成功，但没有给出下游单据，也没有查到。",
    ),
    "note.merged": (
        "The answer names fewer documents than there are bills: one may be made of several.",
        "应答给出的下游单据少于源单：可能由多张源单合并生成。",
    ),
    "note.unproved": (
        "No document is shown, and nothing proves so far that the field that was asked finds them.",
        "没有查到下游单据，而查询所用字段能否查到下游单据至今未得到证明。",
    ),
    "note.not_linked": (
        "The answer reports success, and no target is linked to any of these numbers.",
        "应答报告成功，但没有下游单据关联到这些单据。",
    ),
    "note.names_unlinked": (
        "The answer names {documents}, which no look links to any of these numbers.",
        "应答给出的 {documents} 没有关联到这些单据中的任何一张。",
    ),
    # -- what became of a document after the push --------------------------------------------
    "note.document.gone": (
        "the document is not there any more, or no user may see it",
        "下游单据已不存在，或所有用户均无权查看",
    ),
    "note.document.another": (
        "this id is {number} now: the ERP was restored or replaced, or the document renumbered",
        "此内码现在是 {number}：ERP 数据被还原或更换过，或有人改了下游单据的编号",
    ),
    "note.document.cancelled": ("the document is cancelled", "下游单据已作废"),
    "note.step_beside": (
        "another run of this ledger is at a step of {count} {count:?document|documents}",
        "本台账的另一个任务正在提交或审核其中 {count} 张下游单据",
    ),
    "note.document.taken_back": (
        "it was taken back, rejected or unapproved after its submission",
        "提交后被撤销、驳回或反审核",
    ),
    "note.document.strange": (
        "the document has a status that is not known: {status}",
        "单据状态未知：{status}",
    ),
    "note.document.dropped": (
        "the answer passes over it, and its status has not changed",
        "应答未提及此单据，状态未变",
    ),
    "note.document.submitted_before": (
        "it has status D as before it was submitted, which does not tell whether somebody has taken it back since; submit it in the ERP",
        "提交前后状态均为 D（重新审核），无法判断提交后是否被撤回；请在 ERP 中手工提交",
    ),
    "note.document.submitted_by_others": (
        "somebody else has submitted it, and decides about it",
        "已由他人提交，由其决定后续处理",
    ),
    "note.document.draft": (
        "it is a draft (status Z), which a person has to complete",
        "单据为暂存状态（Z），需人工补全",
    ),
    "note.document.not_ours": (
        "made by {creator}, and no answer names it: another program or person may have made it",
        "创建人为 {creator}，且无应答提及此单据：可能由其他程序或人员生成",
    ),
    "note.document.no_maker": (
        "the ERP does not tell who made it, and no answer names it: another program or person may have made it",
        "ERP 未给出创建人，且无应答提及此单据：可能由其他程序或人员生成",
    ),
    "note.document.of_another": (
        "the ERP does not show it as a document of {number}: it may be another's by now, since the database was restored",
        "ERP 中它已不是 {number} 的下游单据：数据库可能恢复过，现已属于别的单据",
    ),
    "note.document.thin": (
        "nothing but the source number says that it was made from the bill",
        "除源单编号外，没有依据表明它出自该单据",
    ),
    "note.document.part": (
        "the ERP refused a part of its bill: a person decides whether this document stays as it is",
        "ERP 拒绝了该源单的一部分：此单据是否保留，须由人工决定",
    ),
    "note.document.twin": (
        "its bill has more documents than its push made; a person decides which of them stays",
        "该源单的下游单据多于本次下推生成的数量；保留哪一张，由人工决定",
    ),
    "note.document.others": (
        "the answer also tells of further documents: {told}",
        "应答中还提及其他单据：{told}",
    ),
    "note.document.in_flow": ("in an approval flow: {task}", "待处理：{task}"),
    "note.twin_of": ("{number}: {why}", "{number}：{why}"),
    "note.run_again": ("`k3push run {jobs}`", "`k3push run {jobs}`"),
    "note.run_folder_again": (
        "`k3push run {jobs}` or, if that folder was the job, `k3push run {folder}`",
        "`k3push run {jobs}`，若当初处理的是整个文件夹则用 `k3push run {folder}`",
    ),
    "note.place": ("{place}: {why}", "{place}：{why}"),
}
