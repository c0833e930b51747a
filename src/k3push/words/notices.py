"""What a command tells beside its result: warnings, and what was left out."""

from __future__ import annotations

WORDS = {
    # -- warnings --------------------------------------------------------------------------
    "warning.log_lost": (
        "--log-file {path} can no longer be written ({why}); the run goes on without it",
        "--log-file {path} 已无法写入（{why}）；任务继续，但不再记录日志",
    ),
    "warning.archive": (
        "old runs could not be archived in {folder}: {why:.}; they stay in the ledger",
        "旧任务无法归档到 {folder}：{why:.}；仍保留在台账中",
    ),
    "warning.results_lost": (
        "warning: {folder} could not be written ({why}); {cure}, then `k3push export {run} --output FILE.csv`",
        "警告：无法写入 {folder}（{why}）；请{cure}，再用 `k3push export {run} --output FILE.csv` 导出",
    ),
    "warning.results_lost.full": ("make room", "腾出空间"),
    "warning.results_lost.in_way": (
        "a part of that path is a file and no folder, so rename that file",
        "将该路径中的同名文件改名（此处须为文件夹）",
    ),
    "warning.results_lost.other": ("mend that", "先排除该问题"),
    "warning.ending_lost": (
        "warning: how run {run} ended could not be written down: {why}",
        "警告：无法记录任务 {run} 的结束情况：{why}",
    ),
    "warning.plain_secret": (
        'warning: {key} is written in {file} as plain text; use {{ env = "NAME" }}',
        '警告：{key} 以明文写在 {file} 中；请改用 {{ env = "NAME" }}',
    ),
    "warning.identity_aside": (
        "warning: user {user} is no longer used, and the others go on: {why}",
        "警告：不再使用用户 {user}，其他用户继续：{why}",
    ),
    "warning.unverified": (
        "warning: erp.verify = false: the ERP's certificate is not checked",
        "警告：erp.verify = false：不验证 ERP 的证书",
    ),
    "warning.left_to_another": ("{why}", "{why}"),
    "warning.past_flows": (
        "warning: route {route}: verify_flow = false: documents are approved past running approval flows, which then never end",
        "警告：路线 {route}：verify_flow = false：将越过运行中的审批流直接审核，这些审批流将无法正常结束",
    ),
    "warning.notify_failed": (
        "warning: {service} did not accept the message; the run is not affected",
        "警告：{service} 未能送达通知；不影响本次任务",
    ),
    "warning.textfile_lost": (
        "warning: no metrics in {path} ({why}); the run is not affected",
        "警告：无法写入指标文件 {path}（{why}）；不影响本次任务",
    ),
    "warning.spans_lost": (
        "warning: {lost} of {made} spans did not reach {url}; the run is not affected",
        "警告：链路追踪的 {made} 个 span 中有 {lost} 个未能送达 {url}；不影响本次任务",
    ),
    # -- what was done, and what was not ---------------------------------------------------
    "notice.ask_run": (
        "Push {count} {count:?bill|bills} by route {route} ({source} → {target})\non {url}, account {acct}?",
        "要在 {url}（账套 {acct}）上\n按路线 {route}（{source} → {target}）下推 {count} 张单据吗？",
    ),
    "notice.ask_again": (
        "{word!r} is neither yes nor no. Type y to push, n to leave it.",
        "“{word}”既不是“是”也不是“否”。下推请输入 y，不下推请输入 n。",
    ),
    "notice.not_run": ("Nothing was sent.", "没有下推任何单据。"),
    "notice.not_all_begun": (
        "exit {code}: what was begun has ended as told above; there is more to be done",
        "退出码 {code}：已开始的部分结果见上；还有单据待处理",
    ),
    "notice.route_unused": (
        "warning: --route {route} is not used: each line names its own route ({named})",
        "警告：--route {route} 未使用：每行都写明了路线（{named}）",
    ),
    "notice.empty_job": (
        "{job}: the list is empty; there is nothing to push",
        "{job}：清单为空，没有可下推的单据",
    ),
    "notice.skipped": ("skipped: {what}", "已跳过：{what}"),
    "notice.typed": (
        "type bill numbers, each on a line of its own; Ctrl-D ends the list (Windows: Ctrl-Z, then Enter)",
        "请输入单据编号，每行一个；按 Ctrl-D 结束（Windows：Ctrl-Z，再按回车）",
    ),
    "notice.not_read": ("note: {what}", "提示：{what}"),
    "notice.repeated": (
        "line {line}: {number} repeats line {first}",
        "第 {line} 行：{number} 与第 {first} 行重复",
    ),
    "notice.repeated_in": (
        "{file}, line {line}: {number} repeats {first_file}, line {first}",
        "{file} 第 {line} 行：{number} 与 {first_file} 第 {first} 行重复",
    ),
    "notice.repeated_there": (
        "{file}, line {line}: {number} repeats line {first}",
        "{file} 第 {line} 行：{number} 与第 {first} 行重复",
    ),
    "notice.repeated_more": (
        "and {count} more {count:?line that repeats|lines that repeat} a number; summary.json has all",
        "另有 {count} 行重复；全部见 summary.json",
    ),
    "notice.stopping": (
        "Stopping: open calls are waited for. Ctrl-C again stops at once.",
        "正在停止：等待进行中的调用。再按一次 Ctrl-C 立即停止。",
    ),
    "notice.not_begun": (
        "run {run}, route {route}: not begun, since the command was stopped; {planned} {planned:?number stays|numbers stay} planned, `k3push resume` continues with {planned:?it|them}",
        "任务 {run}，路线 {route}：命令已停止，因此未开始；{planned} 张单据仍待下推，可用 `k3push resume` 继续",
    ),
    "notice.resume_all": (
        "one command began {count} runs; {left} {left:?is not finished and continues|are not finished and continue} now: {runs}",
        "同一条命令启动了 {count} 个任务；其中 {left} 个未完成，现在继续：{runs}",
    ),
    "notice.none_rejected": (
        "{count:?run|runs} {run} {count:?has|have} no rejected numbers",
        "{count:?任务|各任务} {run} 没有被拒绝的单据",
    ),
    "notice.nothing_rejected": (
        "{count:?run|runs} {run} {count:?has|have} no such rejected numbers",
        "{count:?任务|各任务} {run} 没有符合条件的被拒绝单据",
    ),
    "notice.planned_left": (
        "{count:?run|runs} {run} {count:?has|have} planned numbers; `k3push resume` pushes them",
        "{count:?任务|各任务} {run} 还有待下推的单据；可用 `k3push resume` 下推",
    ),
    "notice.nothing_left": (
        "{count:?run|runs} {run} {count:?is|are} finished; there is nothing left to do",
        "{count:?任务|各任务} {run} 已完成；没有待处理的单据",
    ),
    "notice.left_behind": (
        "stopped before the end: {runs}; `k3push resume {run}` goes on",
        "中途停止的任务：{runs}；可用 `k3push resume {run}` 继续",
    ),
    "notice.nothing_unknown": (
        "{count:?run|runs} {run} {count:?has|have} no unknown numbers",
        "{count:?任务|各任务} {run} 没有结果未知的单据",
    ),
    "notice.unknown_elsewhere": (
        "there is something unknown in {runs}; `k3push settle {run}` asks the ERP about it",
        "{runs} 中还有未知的结果；可用 `k3push settle {run}` 向 ERP 核实",
    ),
    "notice.rejected_elsewhere": (
        "there are rejected numbers in {runs}; `k3push retry {run}` pushes them again",
        "{runs} 中有被拒绝的单据；可用 `k3push retry {run}` 重新下推",
    ),
    "notice.settled_by_person": (
        "{number}: {state}, as you have found out",
        "{number}：{state}，按人工核实登记",
    ),
    "notice.exported": ("{count} {count:?row|rows} written to {path}", "已导出 {count} 行：{path}"),
    "notice.report": ("written: {path}", "已生成：{path}"),
    # -- folders of job files --------------------------------------------------------------
    "inbox.cut_off": (
        "{file}: run {run} has taken it and was cut off; `k3push resume {run}` goes on",
        "{file}：任务 {run} 已读入该清单，但执行中断；可用 `k3push resume {run}` 继续",
    ),
    "inbox.nothing": (
        "{folder}: nothing new; {known} {known:?file was|files were} taken before",
        "{folder}：没有新文件；已处理过 {known} 个",
    ),
    "inbox.left.unfinished": (
        "{file}: left for next time; it is still being written",
        "{file}：留待下次；文件仍在写入",
    ),
    "inbox.left.open": (
        "{file}: left for next time; it is open in another program",
        "{file}：留待下次；文件正由其他程序打开",
    ),
    "inbox.left.link": (
        "{file}: skipped; it is a link, which is not followed",
        "{file}：已跳过；这是链接，不予读取",
    ),
    "inbox.left.name": (
        "{file}: skipped; its name is not UTF-8 text; rename the file",
        "{file}：已跳过；文件名不是 UTF-8 文本，请改名",
    ),
    "inbox.left.plan": (
        "{file}: skipped; it is a plan, which `k3push apply` takes",
        "{file}：已跳过；这是计划文件，供 `k3push apply` 使用",
    ),
    "inbox.left.unknown kind": (
        "{file}: skipped; it is no known kind of list",
        "{file}：已跳过；不是可识别的清单格式",
    ),
    "inbox.waiting": (
        "{file}: not begun, since the run before it was stopped; it is taken next time",
        "{file}：未开始，因为前一个任务已停止；留待下次处理",
    ),
    # -- messages to people ----------------------------------------------------------------
    "notify.title": (
        "k3push {route}: exit {code}, {what}",
        "k3push {route}：退出码 {code}，{what}",
    ),
    "notify.report": ("report: {path}", "报告：{path}"),
}
