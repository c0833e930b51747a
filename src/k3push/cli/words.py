"""Every sentence of the command line, in English and Chinese."""

from __future__ import annotations

import locale
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from k3push.core.catalogue import Bilingual

Lang = Literal["en", "zh"]
Say = Callable[..., str]


class _Said(NamedTuple):
    en: str
    zh: str


_WORDS: Mapping[str, _Said] = {
    "app": _Said(
        "Push bills down (单据下推) in Kingdee K/3 Cloud (金蝶云星空) in bulk, never twice.",
        "在金蝶云星空中批量下推单据，绝不重复下推。",
    ),
    "app.epilog": _Said(
        "Begin with:  k3push demo  ·  then: k3push init, check, plan LIST.csv, run LIST.csv",
        "入门：k3push demo  ·  然后：k3push init、check、plan 清单.csv、run 清单.csv",
    ),
    "run": _Said(
        "Push the numbers of job files; every number ends with a truthful row.",
        "下推清单中的单据编号；每个编号都有如实的结果。",
    ),
    "plan": _Said(
        "Look ahead, and send nothing: which numbers of job files are ready, already there, partly there or blocked. Writes a plan for `apply`.",
        "只查询、不发送：清单中哪些编号可下推、已下推、部分下推或被阻止，并写出供 `apply` 执行的计划文件。",
    ),
    "apply": _Said(
        "Push exactly what a plan says. Refused if job file, route, address or account have changed since, or the plan was edited or applied before.",
        "严格按计划文件下推。若清单、路线、地址或账套已变，或计划被改动、已执行过，则拒绝。",
    ),
    "resume": _Said(
        "Go on where a run stopped (default: the last one); settles what is open first.",
        "从中断处继续执行（默认最近一次）；先核实未决的编号。",
    ),
    "retry": _Said(
        "Plan the rejected numbers of a run again and push them.",
        "把被拒绝的编号重新列入计划并下推。",
    ),
    "settle": _Said(
        "Ask the ERP what became of unknown numbers; or record a person's word with --as.",
        "向 ERP 核实未知的编号；或用 --as 记录人工结论。",
    ),
    "status": _Said(
        "Show how a run stands (default: the last one).", "查看一次执行的状态（默认最近一次）。"
    ),
    "control": _Said(
        "Pause, continue, stop or re-pace a run that another terminal executes. KEY: concurrency, "
        "chunk-size, calls-per-minute; VALUE: a number, or auto to give it back.",
        "让另一终端中的执行暂停、继续、停止或改变节奏。KEY：concurrency、chunk-size、calls-per-minute；VALUE：数字，或 auto 交还自动。",
    ),
    "runs": _Said("List all runs.", "列出所有执行记录。"),
    "explain": _Said(
        "Show what happened to one number: every request and answer.",
        "查看一个编号的经过：每次请求与应答。",
    ),
    "export": _Said(
        "Write the rows of a run as CSV, JSONL, XLSX or Parquet.",
        "把一次执行的结果导出为 CSV、JSONL、XLSX 或 Parquet。",
    ),
    "check": _Said(
        "Check configuration, ledger, login, clock, forms and fields by reading only; "
        "a line for each, with the cure.",
        "只读检查：配置、台账、登录、时钟、单据与字段；每项一行，并给出处理办法。",
    ),
    "init": _Said("Ask a few questions and write config.toml.", "回答几个问题，生成 config.toml。"),
    "sandbox": _Said(
        "Run a stand-in K/3 Cloud server for trials, tests and training.",
        "启动模拟的金蝶云星空服务，供试用、测试和培训。",
    ),
    "demo": _Said(
        "See it work: a sandbox and the sample jobs, with refusals and a lost answer.",
        "看一遍演示：模拟服务加示例清单，含被拒绝的单据和丢失的应答。",
    ),
    "run.short": _Said("Push the numbers of job files", "下推清单中的单据编号"),
    "plan.short": _Said("Say what a run would do, and send nothing", "查看将会下推什么，不发送"),
    "apply.short": _Said("Push exactly what a plan says", "严格按计划文件下推"),
    "resume.short": _Said("Go on where a run stopped", "从中断处继续执行"),
    "retry.short": _Said("Push the rejected numbers of a run again", "重新下推被拒绝的编号"),
    "settle.short": _Said("Ask the ERP what became of unknown numbers", "向 ERP 核实未知的编号"),
    "status.short": _Said("Show how a run stands", "查看一次执行的状态"),
    "control.short": _Said("Pause, continue, stop or re-pace a run", "暂停、继续、停止或调整执行"),
    "runs.short": _Said("List all runs", "列出所有执行记录"),
    "explain.short": _Said(
        "Show every request and answer of one number", "查看一个编号的每次请求与应答"
    ),
    "export.short": _Said("Write the rows of a run to a file", "把结果导出到文件"),
    "check.short": _Said(
        "Check configuration, login, forms and fields", "检查配置、登录、单据与字段"
    ),
    "init.short": _Said(
        "Ask a few questions and write config.toml", "回答几个问题，生成 config.toml"
    ),
    "sandbox.short": _Said("Run a stand-in K/3 Cloud server", "启动模拟的金蝶云星空服务"),
    "demo.short": _Said("Push the sample jobs to a sandbox", "用模拟服务演示示例清单"),
    "opt.seed": _Said("Where seeded faults and bills come from.", "随机故障与单据的种子。"),
    "opt.latency": _Said("How long a call takes.", "每次调用的耗时（秒）。"),
    "opt.capacity": _Said(
        "Calls at once before it slows down; 0: any.", "同时处理多少调用后开始变慢；0 为不限。"
    ),
    "opt.queue": _Said("Whose calls wait for one another.", "哪些调用互相排队。"),
    "opt.policy": _Said("How the rule groups sources.", "转换规则的分组方式。"),
    "opt.orders": _Said("Approved purchase orders.", "已审核采购订单的数量。"),
    "opt.config": _Said(
        "Configuration file; default ./config.toml, then the user's folder.",
        "配置文件；默认 ./config.toml，其次是用户配置目录。",
    ),
    "opt.route": _Said("Route of numbers that name none.", "未注明路线的编号使用的路线。"),
    "opt.column": _Said("Heading of the column of bill numbers.", "单据编号所在列的标题。"),
    "opt.sheet": _Said(
        "Sheet of a workbook; default: the first that is not hidden.",
        "工作簿中的工作表；默认第一个未隐藏的。",
    ),
    "opt.skip": _Said("Go on without bad lines, and list them.", "跳过有错误的行并列出。"),
    "opt.chunk": _Said("Numbers in one call, or auto.", "每次调用的编号数，或 auto。"),
    "opt.concurrency": _Said("Calls at once, or auto.", "同时进行的调用数，或 auto。"),
    "opt.canary": _Said("First one number, verified; then all.", "先推一个编号并核实，再推其余。"),
    "opt.halt": _Said(
        "When to stop: fail=20%,min=50 or fail=N or unknown=N; with now, at once.",
        "何时停止：fail=20%,min=50、fail=N 或 unknown=N；加 now 则立即停止。",
    ),
    "opt.until": _Said(
        "Send nothing new after this time of day (HH:MM).", "到此时刻（HH:MM）后不再发送。"
    ),
    "opt.max_duration": _Said(
        "Send nothing new after this long (90s, 30m, 2h).", "超过此时长（90s、30m、2h）后不再发送。"
    ),
    "opt.limit": _Said("Take up at most N numbers.", "最多处理 N 个编号。"),
    "opt.again": _Said(
        "Push numbers that have a target already; needs --because.",
        "已有下游单据的也再次下推；须同时用 --because。",
    ),
    "opt.because": _Said("Why; kept in the ledger.", "原因；记入台账。"),
    "opt.yes": _Said("Do not ask.", "不再询问。"),
    "opt.json": _Said("Print one JSON object at the end.", "结束时输出一个 JSON 对象。"),
    "opt.quiet": _Said(
        "No progress; errors and the summary only.", "不显示进度，只显示错误和小结。"
    ),
    "opt.verbose": _Said(
        "Log each attempt; -vv also each number.", "逐次记录每个调用；-vv 也记录每个编号。"
    ),
    "opt.log_json": _Said(
        "Standard error is a log of JSON lines, without progress.",
        "标准错误输出 JSON 日志，不显示进度。",
    ),
    "opt.log_file": _Said(
        "Log to this file too, as JSON lines; turned over at 10 MB.",
        "同时以 JSON 行记入此文件；满 10 MB 轮换。",
    ),
    "bad_log_file": _Said(
        "--log-file {path} cannot be written: {why}", "无法写入 --log-file {path}：{why}"
    ),
    "opt.no_color": _Said(
        "No colours, as with the variable NO_COLOR.", "不用颜色，同环境变量 NO_COLOR。"
    ),
    "opt.lang": _Said("Language: en or zh.", "语言：en 或 zh。"),
    "opt.version": _Said("Show the version.", "显示版本。"),
    "opt.reason": _Said("Only those whose reason holds this text.", "只重试原因中含此文字的编号。"),
    "opt.as": _Said(
        "A person's word: pushed or absent.", "人工结论：pushed（已下推）或 absent（未下推）。"
    ),
    "opt.format": _Said(
        "Format of the file; default: what its extension says, else csv.",
        "文件格式；默认按扩展名，否则为 csv。",
    ),
    "opt.page": _Said("File to write (.html).", "输出文件（.html）。"),
    "opt.output": _Said("File to write.", "输出文件。"),
    "opt.state": _Said(
        "Only rows of this state; may be given several times.", "只导出此状态的行；可重复给出。"
    ),
    "opt.port": _Said(
        "Port on 127.0.0.1; 0 takes any free one.", "127.0.0.1 上的端口；0 为任意空闲端口。"
    ),
    "opt.faults": _Said(
        "What goes wrong: none, lost-session, lost-answer, late-commit, refusals, flaky, night, or a script file.",
        "出什么错：none、lost-session、lost-answer、late-commit、refusals、flaky、night，或脚本文件。",
    ),
    "opt.keep": _Said("Folder for the results.", "结果目录。"),
    "opt.plan_output": _Said(
        "Plan file to write; default: beside the first job file.",
        "要写的计划文件；默认在第一个清单旁边。",
    ),
    "arg.plan": _Said("Plan file that `k3push plan` wrote.", "`k3push plan` 写出的计划文件。"),
    "arg.jobs": _Said(
        "Job files, folders of them, or - for standard input.",
        "清单文件、存放清单的文件夹，或用 - 表示标准输入。",
    ),
    "arg.entry": _Said(
        "Keyring entry; default: those that the configuration names.",
        "凭据库条目；默认为配置中所写的。",
    ),
    "arg.run": _Said("Id of the run; default: the last one.", "执行编号；默认最近一次。"),
    "arg.control": _Said(
        "Id of the run (default: the one under way), then what to do.",
        "执行编号（默认正在进行的那次），然后是要做的事。",
    ),
    "arg.number": _Said("Bill number.", "单据编号。"),
    "arg.settle": _Said(
        "Id of the run; with --as, bill numbers.", "执行编号；与 --as 同用时为单据编号。"
    ),
    "error": _Said("error: {what}", "错误：{what}"),
    "defect": _Said(
        "This is a defect of k3push; please report it. `k3push resume` settles what is open.",
        "这是 k3push 的缺陷，请报告。`k3push resume` 会核实未决的编号。",
    ),
    "no_config": _Said(
        "there is no config.toml here or in {folder}; make one with `k3push init`",
        "当前目录和 {folder} 都没有 config.toml；请用 `k3push init` 生成",
    ),
    "no_ledger": _Said(
        "{path}: there is no ledger yet; nothing has been run. Begin with `k3push run LIST.csv`",
        "{path}：还没有台账；尚未执行过。请从 `k3push run 清单.csv` 开始",
    ),
    "no_postgres": _Said(
        'a ledger in PostgreSQL needs an extra ({why}): pip install "k3push[postgres]"',
        'PostgreSQL 台账需要附加组件（{why}）：pip install "k3push[postgres]"',
    ),
    "no_run": _Said(
        "there is no run {run}; `k3push runs` lists them", "没有执行 {run}；可用 `k3push runs` 查看"
    ),
    "many_runs": _Said(
        "{count} runs begin with {run}: {runs}; type more of the id",
        "有 {count} 次执行以 {run} 开头：{runs}；请多输入几位",
    ),
    "no_runs": _Said(
        "nothing has been run yet. Begin with `k3push run LIST.csv`",
        "尚未执行过。请从 `k3push run 清单.csv` 开始",
    ),
    "half_listed": _Said(
        "the list of run {run} was not written down to its end, and nothing of it was sent;"
        " `k3push run {jobs}` again, or `k3push apply` its plan again",
        "执行 {run} 的清单没有写完，一条也没有发送；请重新 `k3push run {jobs}`，"
        "或再次 `k3push apply` 其计划",
    ),
    "run_alive": _Said(
        "run {run} is being executed by another process; wait for it, or stop it there",
        "执行 {run} 正由另一进程进行；请等待，或在该处停止",
    ),
    "control.not_alive": _Said(
        "run {run} is not under way, so there is nothing to control; `k3push resume {run}` goes on",
        "执行 {run} 未在进行，无可控制；可用 `k3push resume {run}` 继续",
    ),
    "control.several": _Said(
        "several runs are under way; name one of {runs}", "有多个执行正在进行；请指定其一：{runs}"
    ),
    "control.silent": _Said(
        "run {run} has not answered within {seconds:.0f} s; it obeys as soon as it can, see `k3push status {run}`",
        "执行 {run} 在 {seconds:.0f} 秒内没有回应；它会尽快照办，见 `k3push status {run}`",
    ),
    "control.one_by_one": _Said(
        "run {run}: route {route} has no source_number_field, so each call carries one number",
        "执行 {run}：路线 {route} 没有 source_number_field，每次调用只能推一个编号",
    ),
    "control.what": _Said(
        "{what!r}: say pause, continue, stop, or set with concurrency=N (1 to {concurrency}), "
        "chunk-size=N (1 to {chunk_size}) or calls-per-minute=N (0: no limit), or =auto",
        "{what!r}：请用 pause、continue、stop，或 set 加 concurrency=N（1 到 {concurrency}）、"
        "chunk-size=N（1 到 {chunk_size}）、calls-per-minute=N（0 为不限），或 =auto",
    ),
    "control.paused": _Said("run {run}: paused", "执行 {run}：已暂停"),
    "control.stopped": _Said("run {run}: stopped", "执行 {run}：已停止"),
    "control.continues": _Said("run {run}: continues", "执行 {run}：继续发送"),
    "control.set": _Said(
        "run {run}: {key} is {value} from the next chunk on",
        "执行 {run}：下一批起 {key} 为 {value}",
    ),
    "control.open.one": _Said(
        "; one chunk is on its way and will be recorded", "；1 批已发出，会照常记录"
    ),
    "control.open": _Said(
        "; {count} chunks are on their way and will be recorded", "；{count} 批已发出，会照常记录"
    ),
    "status.set": _Said(
        "{key} {value}, by control since {since}", "{key} {value}，由 control 于 {since} 设定"
    ),
    "status.asked": _Said(
        "{command}: asked at {at}, not obeyed yet", "{command}：{at} 下达，尚未执行"
    ),
    "status.unread": _Said(
        "and {rows:,} numbers more, not read here; `k3push report` tells of all",
        "另有 {rows:,} 个编号此处未读取；`k3push report` 列出全部",
    ),
    "other_scope": _Said(
        "run {run} was made for {scope}, and the settings now say {now}; put them back, or start a new run",
        "执行 {run} 针对 {scope}，而当前配置为 {now}；请恢复配置，或开始新的执行",
    ),
    "route_gone": _Said(
        "run {run} went by route {route}, which the settings no longer have (there are: {known}); put it back",
        "执行 {run} 使用路线 {route}，而配置中已没有（现有：{known}）；请恢复",
    ),
    "results_lost": _Said(
        "warning: {folder} could not be written ({why}); make room, then `k3push export`",
        "警告：无法写入 {folder}（{why}）；请腾出空间后用 `k3push export` 导出",
    ),
    "empty_job": _Said(
        "{job}: the list is empty; there is nothing to push", "{job}：清单为空，没有可下推的编号"
    ),
    "inbox.nothing": _Said(
        "{folder}: nothing new; {known} files were taken before",
        "{folder}：没有新文件；已处理过 {known} 个",
    ),
    "inbox.unfinished": _Said(
        "{file}: left for next time; it is still being written",
        "{file}：留待下次；文件仍在写入",
    ),
    "inbox.open": _Said(
        "{file}: left for next time; it is open in another program",
        "{file}：留待下次；文件正由其他程序打开",
    ),
    "inbox.unknown kind": _Said(
        "{file}: passed over; it is no kind of list that is known",
        "{file}：已略过；不是可识别的清单格式",
    ),
    "inbox.waiting": _Said(
        "{file}: not begun, since the run before it was stopped; it is taken next time",
        "{file}：未开始，因为前一次执行已停止；留待下次处理",
    ),
    "skipped": _Said("skipped: {what}", "已跳过：{what}"),
    "repeated": _Said(
        "line {line}: {number} repeats line {first}",
        "第 {line} 行：{number} 与第 {first} 行重复",
    ),
    "ask_run": _Said(
        "Push {count} numbers by route {route} ({source} → {target})\non {url}, account {acct}?",
        "要在 {url}（账套 {acct}）上\n按路线 {route}（{source} → {target}）下推 {count} 个编号吗？",
    ),
    "not_run": _Said("Nothing was sent.", "没有发送任何内容。"),
    "plan.route": _Said(
        "plan for route {route} ({source} → {target})",
        "计划：路线 {route}（{source} → {target}）",
    ),
    "plan.site": _Said("on {url}, account {acct}", "目标 {url}，账套 {acct}"),
    "plan.reasons": _Said("why blocked:", "被阻止的原因："),
    "plan.unread": _Said(
        "targets cannot be asked for (no source_number_field): what is there is not known",
        "无法查询下游单据（没有 source_number_field）：不知道哪些已下推",
    ),
    "plan.chunks": _Said("calls {chunks} · time {time}", "{chunks} 次调用 · 用时：{time}"),
    "plan.time_unknown": _Said("unknown until the first run", "首次执行后才能估计"),
    "about.seconds": _Said("about {n} s, as the last run went", "约 {n} 秒（按上次执行）"),
    "about.minutes": _Said("about {n} min, as the last run went", "约 {n} 分钟（按上次执行）"),
    "about.hours": _Said(
        "about {hours} h {minutes} min, as the last run went",
        "约 {hours} 小时 {minutes} 分钟（按上次执行）",
    ),
    "plan.reading": _Said("looked at {done}/{total}", "已查询 {done}/{total}"),
    "plan.next": _Said(
        "plan: {path}\nto run it: k3push apply {path}", "计划：{path}\n执行：k3push apply {path}"
    ),
    "plan.nothing": _Said(
        "plan: {path}\nthere is nothing to push", "计划：{path}\n没有可下推的编号"
    ),
    "plan.unwritable": _Said(
        "{path} cannot be written ({why}); name another file with -o",
        "无法写入 {path}（{why}）；请用 -o 指定另一个文件",
    ),
    "plan.unreadable": _Said(
        "{path} cannot be read ({why}); make it with `k3push plan`",
        "无法读取 {path}（{why}）；请用 `k3push plan` 生成",
    ),
    "plan.no plan": _Said(
        "{path} is no plan; `k3push plan` makes one, and `k3push run` takes job files",
        "{path} 不是计划文件；请用 `k3push plan` 生成，清单则用 `k3push run`",
    ),
    "plan.newer": _Said(
        "{path} was made by another version of k3push; make it anew with `k3push plan`",
        "{path} 由其他版本的 k3push 生成；请用 `k3push plan` 重新生成",
    ),
    "plan.edited": _Said(
        "{path} was edited or cut off since it was made; make it anew with `k3push plan`",
        "{path} 生成后被改动或不完整；请用 `k3push plan` 重新生成",
    ),
    "plan.changed": _Said(
        "{path} was made for other settings ({what}); put them back, or make it anew with `k3push plan`",
        "{path} 针对的配置已变（{what}）；请恢复配置，或用 `k3push plan` 重新生成",
    ),
    "plan.job_changed": _Said(
        "{path}: the job file has changed since it was planned: {what}; make the plan anew with `k3push plan`",
        "{path}：清单在生成计划后有变化：{what}；请用 `k3push plan` 重新生成",
    ),
    "plan.applied": _Said(
        "{path} was applied already, as run {run}; to go on with it: k3push resume {run}",
        "{path} 已执行过，即执行 {run}；如需继续：k3push resume {run}",
    ),
    "plain_secret": _Said(
        'warning: {key} stands in config.toml as plain text; use {{ env = "NAME" }}',
        '警告：{key} 以明文写在 config.toml 中；请改用 {{ env = "NAME" }}',
    ),
    "identity_aside": _Said(
        "warning: {user} is set aside, and the others go on: {why}",
        "警告：已停用 {user}，其他用户继续：{why}",
    ),
    "unverified": _Said(
        "warning: erp.verify = false: the ERP's certificate is not checked",
        "警告：erp.verify = false：不验证 ERP 的证书",
    ),
    "again_needs_because": _Said(
        "--again needs --because TEXT", "--again 须同时给出 --because 说明"
    ),
    "as_needs": _Said(
        "--as needs bill numbers and --because TEXT", "--as 须给出单据编号和 --because 说明"
    ),
    "not_unknown": _Said(
        "{number} is not unknown in any run; nothing was changed",
        "{number} 在任何执行中都不是未知状态；未作更改",
    ),
    "settled_by_person": _Said(
        "{number}: {state}, by a person's word", "{number}：{state}，依人工结论"
    ),
    "nothing_rejected": _Said(
        "run {run} has no such rejected numbers", "执行 {run} 没有符合条件的被拒绝编号"
    ),
    "nothing_unknown": _Said("run {run} has no unknown numbers", "执行 {run} 没有未知的编号"),
    "stopping": _Said(
        "Stopping: open calls are waited for. Ctrl-C again stops at once.",
        "正在停止：等待进行中的调用。再按一次 Ctrl-C 立即停止。",
    ),
    "interrupted": _Said("Ctrl-C", "Ctrl-C"),
    "deadline": _Said("the time given by {option} is over", "{option} 给定的时间已到"),
    "progress": _Said("{done}/{total}", "{done}/{total}"),
    "waiting": _Said("waiting {seconds:.0f} s: {why}", "等待 {seconds:.0f} 秒：{why}"),
    "progress.eta": _Said("ETA {left}", "剩余 {left}"),
    "progress.rate": _Said("{rate}/s", "{rate} 个/秒"),
    "progress.slow": _Said("{rate}/min", "{rate} 个/分"),
    "progress.drive": _Said("{calls} calls × {size}", "并发 {calls} × 每批 {size}"),
    "progress.limit": _Said("at most {calls}/min", "限 {calls} 次/分"),
    "hold.control": _Said("paused by control since {since}", "已于 {since} 由 control 暂停"),
    "hold.window": _Said("outside window until {until}", "不在发送时段，{until} 开始"),
    "hold.erp": _Said("sparing the ERP: {why}", "暂缓发送：{why}"),
    "hold.over": _Said("sending again", "继续发送"),
    "breach.percent": _Said(
        "{value} % of {sent} numbers were refused (limit {limit})",
        "{sent} 个编号中有 {value} % 被拒绝（上限 {limit}）",
    ),
    "breach.fail": _Said(
        "{value} of {sent} numbers were refused (limit {limit})",
        "{sent} 个编号中有 {value} 个被拒绝（上限 {limit}）",
    ),
    "breach.unknown": _Said(
        "{value} of {sent} numbers are in doubt (limit {limit})",
        "{sent} 个编号中有 {value} 个未决（上限 {limit}）",
    ),
    "settling": _Said(
        "{unknown} in doubt; absence counts {window:.0f} s after the sending",
        "{unknown} 个未决；发送 {window:.0f} 秒后仍查不到才算未下推",
    ),
    "summary.run": _Said(
        "run {run}, route {route}, {seconds:.1f} s", "执行 {run}，路线 {route}，{seconds:.1f} 秒"
    ),
    "summary.calls": _Said(
        "pushes {pushes} · logins {logins} · documents {targets}",
        "{pushes} 次下推，{logins} 次登录，{targets} 张下游单据",
    ),
    "summary.pace": _Said(
        "pace: {calls} at once × {numbers} numbers", "节奏：同时 {calls} 次 × 每次 {numbers} 个编号"
    ),
    "summary.doubted": _Said(
        "answers lost: {doubted} numbers in doubt, {left} of them still",
        "应答丢失：{doubted} 个编号曾未决，仍未决 {left} 个",
    ),
    "summary.repeats": _Said(
        "repeated lines: {count}, each bill pushed once", "{count} 行重复，每张单据只下推一次"
    ),
    "summary.stopped": _Said("stopped: {why}", "已停止：{why}"),
    "summary.folder": _Said("results: {folder}", "结果：{folder}"),
    "summary.exit": _Said("exit {code}: {what}", "退出码 {code}：{what}"),
    "exit.0": _Said("every number is pushed or already", "所有编号均已下推或原已下推"),
    "exit.3": _Said(
        "some numbers are rejected or draft; read the results", "有编号被拒绝或为暂存；请查看结果"
    ),
    "exit.4": _Said(
        "some numbers are unknown; run `k3push settle`, or `settle --as`",
        "有编号状态未知；请执行 `k3push settle`，查不清的用 `settle --as` 人工确认",
    ),
    "exit.sent": _Said(
        "stopped at once; run `k3push resume`, which first asks for what was on its way",
        "已立即停止；请执行 `k3push resume`，它会先核实已发出的编号",
    ),
    "killed": _Said(
        "killed, or lost its ledger; run `k3push resume`",
        "被终止或失去台账；请执行 `k3push resume`",
    ),
    "alive": _Said("under way", "执行中"),
    "exit.5": _Said(
        "stopped before the end; run `k3push resume`", "未执行完；请执行 `k3push resume`"
    ),
    "exit.6": _Said(
        "the ERP could not be reached or refused the login; mend it, then `k3push resume`",
        "无法连接 ERP 或登录被拒绝；处理后执行 `k3push resume`",
    ),
    "reason.heading": _Said("why, and what to do:", "原因与处理："),
    "reason.more": _Said(
        "and {reasons} more reasons, {rows} numbers", "另有 {reasons} 种原因，{rows} 个编号"
    ),
    "cause.interrupted": _Said("it was told to stop", "收到停止指令"),
    "cause.control": _Said("stopped by control", "由 control 停止"),
    "cause.halted": _Said("halted: {why}", "触发停止规则：{why}"),
    "cause.unreachable": _Said(
        "the ERP cannot be reached: {why}. Check erp.url and the network.",
        "无法连接 ERP：{why}。请检查 erp.url 和网络。",
    ),
    "cause.login refused": _Said(
        "the ERP refused the login: {why}. Check erp.username, its password and acct_id; it was "
        "tried once, since five wrong logins lock the account.",
        "ERP 拒绝登录：{why}。请检查 erp.username、密码和 acct_id；只尝试了一次，因为连续五次错误会锁定账号。",
    ),
    "cause.look refused": _Said(
        "the ERP refused a query: {why}. Check the route's forms, source_number_field and the user's rights.",
        "ERP 拒绝查询：{why}。请检查路线的单据标识、source_number_field 和用户权限。",
    ),
    "cause.contradiction": _Said(
        "answer and read-back contradict each other: {why} Check the route's source_number_field; "
        "with erp.identities, also that the user of [erp] sees what the others make.",
        "应答与回查矛盾：{why} 请检查路线的 source_number_field；如有 erp.identities，"
        "还请确认 [erp] 的用户能看到其他用户生成的单据。",
    ),
    "cause.barred": _Said(
        "{why}: their answers were lost there. Look them up in the ERP, then `k3push settle --as`.",
        "{why}：应答在该次执行中丢失。请在 ERP 中查明后用 `k3push settle --as` 记录。",
    ),
    "cause.ledger lost": _Said(
        "the ledger cannot be written, so nothing more is sent: {why}",
        "台账无法写入，因此不再发送：{why}",
    ),
    "check.config": _Said("configuration {path}", "配置文件 {path}"),
    "check.login": _Said("login at {url} as {user}", "以 {user} 登录 {url}"),
    "check.ledger": _Said("ledger {path}", "台账 {path}"),
    "check.ledger_folder": _Said(
        "ledger: {folder} is missing or cannot be written; make it writable, or change ledger.url",
        "台账：{folder} 不存在或不可写；请调整权限，或修改 ledger.url",
    ),
    "check.ledger_lost": _Said("ledger: {why}", "台账：{why}"),
    "check.results": _Said("results: this folder can be written", "结果：当前文件夹可写"),
    "check.results_unwritable": _Said(
        "results: {folder} cannot be written; results go beside the job file, so keep it elsewhere",
        "结果：{folder} 不可写；结果写在清单旁边，请把清单放到别处",
    ),
    "check.textfile_unwritable": _Said(
        "metrics: {folder} is not there or cannot be written; no run fails by that",
        "指标：{folder} 不存在或不可写；不影响执行",
    ),
    "check.lacking": _Said(
        "{what} has no {fields}: such bills are not held back before they are sent",
        "{what} 没有 {fields}：相应状态的单据在发送前无法拦下",
    ),
    "check.linked": _Said(
        "{field} of {rows} rows of {form} names {found} bills of {source}",
        "{form} 最近 {rows} 行的 {field} 中有 {found} 张 {source}",
    ),
    "check.not_linked": _Said(
        "{field} of the newest {rows} rows of {form} names no bill of {source}: if some were "
        "pushed, it is the wrong field; mend source_number_field. Else run with --limit 1 first",
        "{form} 最近 {rows} 行的 {field} 中没有 {source} 的单号：如曾下推过，则字段有误，"
        "请修改 source_number_field；否则请先用 --limit 1 试推",
    ),
    "check.source": _Said("source form {form}", "源单 {form}"),
    "check.target": _Said("target form {form}, field {field}", "目标单 {form}，字段 {field}"),
    "check.same_rights": _Said(
        "{user} sees what {first} sees of {form} ({shared} of the newest {rows} rows)",
        "{user} 所见的 {form} 与 {first} 相同（最新 {rows} 行中 {shared} 行）",
    ),
    "check.other_rights": _Said(
        "{user} and {first} see different rows of {form} ({shared} of the newest {rows} are the "
        "same): give all users the same rights to data",
        "{user} 与 {first} 所见的 {form} 不同（最新 {rows} 行中只有 {shared} 行相同）：请给所有用户相同的数据权限",
    ),
    "check.nofield": _Said(
        "route {route}: no source_number_field; one number a call, and a lost answer waits for a person",
        "路线 {route}：没有 source_number_field；每次只推一个编号，应答丢失时需人工核实",
    ),
    "check.clock": _Said(
        "clock: {seconds:+.0f} s against the server", "时钟：与服务器相差 {seconds:+.0f} 秒"
    ),
    "check.clock_off": _Said(
        "clock: {seconds:+.0f} s against the server; set this machine's clock (signed logins need it)",
        "时钟：与服务器相差 {seconds:+.0f} 秒；请校准本机时间（签名登录需要）",
    ),
    "init.exists": _Said(
        "{path} is there already; remove it first or name another with --config",
        "{path} 已存在；请先删除，或用 --config 指定另一个",
    ),
    "init.url": _Said("Address of K/3 Cloud", "云星空地址"),
    "init.acct": _Said("Id of the account set (数据中心 / 账套 id)", "数据中心（账套）id"),
    "init.user": _Said("User name", "用户名"),
    "init.env": _Said("Environment variable that will hold the password", "存放密码的环境变量名"),
    "init.source": _Said("Source form id", "源单标识"),
    "init.target": _Said("Target form id", "目标单标识"),
    "init.rule": _Said("Conversion rule id", "转换规则标识"),
    "init.done": _Said(
        "{path} is written. Set {env}, then run: k3push check",
        "已写入 {path}。请设置 {env}，然后执行：k3push check",
    ),
    "sandbox.ready": _Said(
        "account sandbox · user sandbox · password sandbox · stop with Ctrl-C",
        "账套 sandbox · 用户 sandbox · 密码 sandbox · 按 Ctrl-C 停止",
    ),
    "sandbox.config": _Said("a config.toml for it:", "对应的 config.toml："),
    "port_taken": _Said(
        "port {port} cannot be listened on ({why}); choose another with --port",
        "无法监听端口 {port}（{why}）；请用 --port 另选",
    ),
    "demo.begin": _Said(
        "A sandbox at {url}. It loses sessions, refuses some bills, and loses one answer after the work was done.",
        "模拟服务位于 {url}。它会丢失会话、拒绝部分单据，并在完成后丢失一次应答。",
    ),
    "demo.audit": _Said(
        "The sandbox's own books agree: {documents} documents, none twice, and each row of the ledger is true.",
        "与模拟服务的账目一致：{documents} 张单据，无一重复，台账逐行属实。",
    ),
    "demo.untrue": _Said(
        "The ledger and the sandbox's books disagree: {what}", "台账与模拟服务的账目不符：{what}"
    ),
    "demo.next": _Said(
        "Look at one of them: k3push explain CGDD0000033 --config {config}",
        "查看其中一个：k3push explain CGDD0000033 --config {config}",
    ),
    "explain.none": _Said("{number} is in no run", "{number} 不在任何执行中"),
    "state.planned": _Said("not sent yet", "待下推"),
    "state.sent": _Said("on its way", "已发出"),
    "state.pushed": _Said("pushed now", "本次已下推"),
    "state.draft": _Said("draft, for a person", "暂存，待人工处理"),
    "state.already": _Said("had a document", "原已下推"),
    "state.rejected": _Said("nothing was made", "未生成单据"),
    "state.unknown": _Said("in doubt", "存疑"),
    "report.title": _Said("Push-down run {run}", "下推执行 {run}"),
    "report.route": _Said("route", "路线"),
    "report.jobs": _Said("job files", "清单文件"),
    "report.began": _Said("began", "开始"),
    "report.ended": _Said("ended", "结束"),
    "report.made": _Said("documents named", "下游单据"),
    "report.pushes": _Said("calls that pushed", "下推调用"),
    "report.account": _Said("account set", "账套"),
    "report.again": _Said("pushed again because", "再次下推的原因"),
    "report.clusters": _Said("What needs a look", "需要处理的"),
    "report.count": _Said("numbers", "编号数"),
    "report.reason": _Said("reason", "原因"),
    "report.cause": _Said("cause", "起因"),
    "report.cure": _Said("cure", "处理办法"),
    "report.no_words": _Said("(no words)", "（无说明）"),
    "report.show": _Said("show", "查看"),
    "report.job_file": _Said("job file", "生成清单"),
    "report.more": _Said("and {n} more", "另有 {n} 条"),
    "report.unprinted": _Said("and {n} numbers that are not printed", "另有 {n} 个编号未打印"),
    "report.course": _Said("How it went", "执行过程"),
    "report.steps": _Said("Steps of the pace", "节奏的调整"),
    "report.step": _Said(
        "{seconds:.1f} s: {calls} calls at once × {numbers} numbers ({why})",
        "{seconds:.1f} 秒：并发 {calls} × 每批 {numbers} 个（{why}）",
    ),
    "report.idle": _Said(
        "A dashed line is an idle time that was cut short.", "虚线处略去了空闲时间。"
    ),
    "report.numbers_over_time": _Said("Numbers done", "已完成的编号"),
    "report.calls_over_time": _Said("Calls that pushed", "下推调用次数"),
    "report.answer_times": _Said(
        "Seconds a call took, read-back included", "每次调用耗时（秒，含回查）"
    ),
    "report.median": _Said("median", "中位数"),
    "report.slow": _Said("slowest twentieth", "最慢的 5%"),
    "report.at_once": _Said("Calls at once", "同时进行的调用"),
    "report.chunk": _Said("Numbers in a call", "每次调用的编号数"),
    "report.lines": _Said("lines", "行"),
    "report.table": _Said("All numbers", "全部编号"),
    "report.left_out": _Said(
        "{n} numbers that are pushed or already are left out here; ledger.csv has them.",
        "此处略去 {n} 个已下推的编号；见 ledger.csv。",
    ),
    "report.search": _Said("Search numbers, documents, reasons", "搜索编号、下游单据、原因"),
    "report.every": _Said("all", "全部"),
    "report.every_reason": _Said("all reasons", "全部原因"),
    "report.line": _Said("line", "行"),
    "report.number": _Said("number", "编号"),
    "report.state": _Said("state", "状态"),
    "report.targets": _Said("documents", "下游单据"),
    "report.ids": _Said("ids", "内码"),
    "report.code": _Said("code", "代码"),
    "report.bill": _Said("in the ERP", "ERP 中"),
    "report.sent": _Said("sent", "发送于"),
    "report.settled": _Said("settled", "确定于"),
    "report.request": _Said("request", "请求"),
    "report.answer": _Said("answer", "应答"),
    "report.verdict": _Said("verdict", "判定"),
    "report.attempt": _Said(
        "{at}: attempt {id}, chunk {chunk}, sending {nth}, {n} numbers",
        "{at}：第 {id} 次尝试，第 {chunk} 批，第 {nth} 次发送，{n} 个编号",
    ),
    "report.unsent": _Said("It was never sent.", "从未发送。"),
    "report.close": _Said("close", "关闭"),
    "report.found": _Said("{n} numbers", "{n} 个编号"),
    "report.broken": _Said(
        "This browser cannot unpack the rows ({why}); use a newer one, or ledger.csv.",
        "此浏览器无法展开明细（{why}）；请换用较新的浏览器，或查看 ledger.csv。",
    ),
    "report.noscript": _Said(
        "The table needs JavaScript; ledger.csv has the same rows.",
        "明细表需要 JavaScript；ledger.csv 中有同样的内容。",
    ),
    "report.footer": _Said("k3push {version} · made {at}", "k3push {version} · 生成于 {at}"),
    "report": _Said(
        "Write one self-contained page about a run: outcomes, causes and cures, pace, evidence.",
        "生成一次执行的网页报告：结果、原因与处理办法、过程、依据；单个文件，可离线查看。",
    ),
    "report.written": _Said("written: {path}", "已写入：{path}"),
    "report.short": _Said("Write a page about a run", "生成一次执行的网页报告"),
    "output_is_folder": _Said(
        "{path}: this is a folder; name a file", "{path}：这是文件夹；请指定文件"
    ),
    "no_parquet": _Said(
        "--format parquet needs pyarrow ({why}); install it with: pip install 'k3push[parquet]'",
        "--format parquet 需要 pyarrow（{why}）；请安装：pip install 'k3push[parquet]'",
    ),
    "notify.title": _Said(
        "k3push {route}: exit {code}, {what}", "k3push {route}：退出码 {code}，{what}"
    ),
    "notify.report": _Said("report: {path}", "报告：{path}"),
    "notify_failed": _Said(
        "warning: {service} took no message; the run is not touched by that",
        "警告：{service} 未能送达通知；不影响本次执行",
    ),
    "textfile_lost": _Said(
        "warning: no metrics in {path} ({why}); the run is not touched by that",
        "警告：无法写入指标文件 {path}（{why}）；不影响本次执行",
    ),
    "spans_lost": _Said(
        "warning: {lost} of {made} spans did not reach {url}; the run is not touched by that",
        "警告：{made} 个跟踪片段（span）中有 {lost} 个未能送达 {url}；不影响本次执行",
    ),
    "schedule": _Said(
        "Print what to install so that a job runs every day; nothing is installed.",
        "输出每日定时执行所需的配置；不做任何安装。",
    ),
    "schedule.short": _Said("Print a timer for a nightly run", "输出每晚定时执行的配置"),
    "opt.at": _Said("Time of day (HH:MM).", "每天的时刻（HH:MM）。"),
    "opt.for": _Said("systemd, cron or schtasks.", "systemd、cron 或 schtasks。"),
    "schedule.systemd": _Said(
        "Save both parts in ~/.config/systemd/user under the names above them, write\n"
        "K3PUSH_PASSWORD=... into {secrets} (mode 600), then:\n"
        "systemctl --user daemon-reload && systemctl --user enable --now k3push.timer\n"
        "loginctl enable-linger lets it run while you are logged out.",
        "请把两部分按其上方的名称存入 ~/.config/systemd/user，\n"
        "在 {secrets} 中写入 K3PUSH_PASSWORD=…（权限 600），然后执行：\n"
        "systemctl --user daemon-reload && systemctl --user enable --now k3push.timer\n"
        "loginctl enable-linger 可使其在您注销后继续运行。",
    ),
    "schedule.stdin": _Said(
        "standard input cannot be scheduled; name a file or a folder",
        "标准输入不能定时执行；请指定文件或文件夹",
    ),
    "schedule.cron": _Said(
        "Add the line with `crontab -e`; cron has no K3PUSH_PASSWORD, so keep the secret in a file "
        "or a keyring.",
        "请用 `crontab -e` 加入此行；cron 中没有 K3PUSH_PASSWORD，密码请存放在文件或凭据库中。",
    ),
    "schedule.schtasks": _Said(
        "Run the line in a command prompt of the user who is to push; keep the secret in the "
        "keyring: k3push login set",
        "请以执行下推的用户在命令提示符中运行此行；密码请存入系统凭据库：k3push login set",
    ),
    "ledger.help": _Said("The ledger as a whole.", "整个台账。"),
    "ledger.migrate": _Said(
        "Bring the ledger's schema up to date; every command that opens it does so as well.",
        "把台账升级到本版本的结构；任何打开台账的命令也会这样做。",
    ),
    "ledger.check": _Said(
        "Look through the ledger for what cannot be: one line each, with the cure. Exit code 2 if anything is wrong.",
        "检查台账是否自相矛盾：每项一行，附处理办法。有问题时退出码为 2。",
    ),
    "ledger.copy": _Said(
        "Copy a ledger into an empty one, from SQLite to PostgreSQL or back, and compare both row by row.",
        "把台账复制到一个空台账（SQLite 与 PostgreSQL 之间均可），并逐行比对。",
    ),
    "arg.ledger": _Said(
        "sqlite:///FILE, postgresql://USER@HOST:PORT/DATABASE, or config for that of [ledger].",
        "sqlite:///文件、postgresql://用户@主机:端口/数据库，或用 config 表示配置中的台账。",
    ),
    "ledger.url": _Said("ledger: {what}", "台账：{what}"),
    "ledger.migrated": _Said(
        "ledger {place}: version {before} → {after}", "台账 {place}：版本 {before} → {after}"
    ),
    "ledger.up_to_date": _Said(
        "ledger {place}: version {after}, up to date", "台账 {place}：版本 {after}，已是最新"
    ),
    "ledger.bad": _Said(
        "{what}: {n} wrong, the first: {example}. {cure}",
        "{what}：{n} 处有误，第一处：{example}。{cure}",
    ),
    "ledger.check.file": _Said("the database's own checks", "数据库自检"),
    "ledger.check.tallies": _Said("counts are those of the rows", "计数与各行一致"),
    "ledger.check.attempts": _Said(
        "each sent or unknown number has its attempt", "每个已发送或未知的编号都有其发送记录"
    ),
    "ledger.check.claims": _Said("each claim has its number", "每个占用都有其编号"),
    "ledger.check.unclaimed": _Said(
        "each sent or unknown number is claimed", "每个已发送或未知的编号都被占用"
    ),
    "ledger.check.answers": _Said("every request and answer can be read", "所有请求与应答均可读取"),
    "ledger.cure.file": _Said(
        "Restore the file from a backup, on a sound disk.", "请在完好的磁盘上从备份恢复该文件。"
    ),
    "ledger.cure.tallies": _Said(
        "Figures of status are wrong, no row is: `k3push ledger copy` counts anew.",
        "仅 status 的数字有误，各行无误：`k3push ledger copy` 会重新计数。",
    ),
    "ledger.cure.attempts": _Said(
        "Look in the ERP, then `k3push settle --as`.",
        "请在 ERP 中查明，再用 `k3push settle --as`。",
    ),
    "ledger.cure.claims": _Said(
        "`k3push resume` of its run gives it up.", "对其执行 `k3push resume` 即可放弃占用。"
    ),
    "ledger.cure.unclaimed": _Said(
        "`k3push settle` before any other run of these numbers.",
        "在其他执行处理这些编号之前，请先 `k3push settle`。",
    ),
    "ledger.cure.answers": _Said(
        "Evidence is lost, no outcome is; restore it from a backup.",
        "丢失的是证据而非结果；请从备份恢复。",
    ),
    "ledger.alive": _Said(
        "run {run} is under way; copy the ledger when it has ended",
        "执行 {run} 正在进行；请在其结束后再复制台账",
    ),
    "ledger.not_empty": _Said(
        "{place}: this ledger has runs already; name an empty one",
        "{place}：该台账已有执行记录；请指定一个空台账",
    ),
    "ledger.differs": _Said(
        "the copy differs from its source in {what}; nothing was kept",
        "副本与来源在 {what} 处不同；未保留任何内容",
    ),
    "ledger.copied": _Said(
        "{source} → {target}, compared row by row: {told}",
        "{source} → {target}，已逐行比对：{told}",
    ),
    "login.help": _Said("Secrets in the system's keyring.", "系统凭据库中的密码。"),
    "login.set": _Said(
        "Ask for a secret and store it in the system's keyring.", "询问密码并存入系统凭据库。"
    ),
    "login.ask": _Said("Secret for keyring entry {name}", "凭据库条目 {name} 的密码"),
    "login.empty": _Said("an empty secret is not stored", "空密码不予保存"),
    "login.done": _Said("stored as {name}", "已保存为 {name}"),
    "login.none": _Said(
        'config.toml names no keyring entry; write password = {{ keyring = "NAME" }} there, or '
        "give the name: k3push login set NAME",
        '配置中没有凭据库条目；请写 password = {{ keyring = "NAME" }}，或指定名称：k3push login set NAME',
    ),
    "login.no_keyring": _Said(
        "no keyring can be used ({why}): pip install 'k3push[keyring]', or keep the secret in the "
        "environment or a file",
        "没有可用的凭据库（{why}）：请 pip install 'k3push[keyring]'，或把密码放在环境变量或文件中",
    ),
    "serve": _Said(
        "Show runs, numbers and their evidence in a browser, live; pause, continue, stop and re-pace runs; settle numbers by your word.",
        "在浏览器中实时查看执行、编号及其依据；可暂停、继续、停止执行和调整节奏，也可人工核实编号。",
    ),
    "serve.short": _Said("Show runs in a browser, live", "在浏览器中实时查看执行"),
    "opt.host": _Said(
        "Address to listen on; other than loopback only with a password or a proxy's header.",
        "监听地址；非本机地址须设置密码或反向代理的用户头。",
    ),
    "opt.serve_port": _Said("Port; 0 takes any free one.", "端口；0 为任意空闲端口。"),
    "opt.configs": _Said(
        "Configuration file; may be repeated, one for each tenant.",
        "配置文件；可重复给出，每个租户一个。",
    ),
    "opt.tenants": _Said(
        "Folder of configuration files; each *.toml is a tenant.",
        "存放配置文件的文件夹；每个 *.toml 为一个租户。",
    ),
    "opt.open": _Said("Open a browser.", "打开浏览器。"),
    "opt.verbose_serve": _Said("Log each request.", "记录每个请求。"),
    "serve.token": _Said(
        "The address lets one browser in, once. Stop with Ctrl-C.",
        "此地址只允许一个浏览器进入一次。按 Ctrl-C 停止。",
    ),
    "serve.password": _Said(
        "Sign in with the password of [serve]. Stop with Ctrl-C.",
        "请用 [serve] 中的密码登录。按 Ctrl-C 停止。",
    ),
    "serve.proxy": _Said(
        "Requests are taken from the reverse proxy only. Stop with Ctrl-C.",
        "只接受来自反向代理的请求。按 Ctrl-C 停止。",
    ),
    "serve.plain": _Said(
        "warning: the password travels unencrypted; put a reverse proxy with TLS before it",
        "警告：密码以明文传输；请在前面设置启用 TLS 的反向代理",
    ),
    "serve.open_door": _Said(
        "--host {host}: other machines could come in; set password or user_header in [serve]",
        "--host {host}：其他机器也能访问；请在 [serve] 中设置 password 或 user_header",
    ),
    "serve.short_password": _Said(
        "serve.password: it has fewer than {least} characters",
        "serve.password：密码少于 {least} 个字符",
    ),
    "serve.no_tenants": _Said(
        "{folder}: there is no *.toml in it", "{folder}：其中没有 *.toml 文件"
    ),
    "serve.same_name": _Said(
        "{path}: two tenants are named {name}; a tenant is named by its file, so rename one",
        "{path}：有两个租户名为 {name}；租户以文件名命名，请改名",
    ),
    "serve.two_doors": _Said(
        "{one} and {other} differ in [serve]; keep it in one of them",
        "{one} 与 {other} 的 [serve] 不同；请只保留一处",
    ),
    "no_web": _Said(
        'serve needs more packages ({why}); install them with: pip install "k3push[web]"',
        'serve 需要额外的包（{why}）；请安装：pip install "k3push[web]"',
    ),
    "opt.overlap": _Said(
        "While another run of this route is under way: share (its numbers are waited for), wait, or quit.",
        "同一路线已有执行在进行时：share（等待其占用的编号）、wait（等其结束）或 quit（退出）。",
    ),
    "overlap.waiting": _Said(
        "run {run} of this route is under way; waiting for its end",
        "同一路线的执行 {run} 正在进行；等待其结束",
    ),
    "overlap.quit": _Said(
        "run {run} of this route is under way; nothing was sent (--overlap quit)",
        "同一路线的执行 {run} 正在进行；没有发送任何内容（--overlap quit）",
    ),
    "explain.run": _Said("run {run}", "执行 {run}"),
    "explain.line": _Said("line {line}", "第 {line} 行"),
    "explain.draft": _Said("id {id} (draft)", "id {id}（暂存）"),
    "explain.attempt": _Said(
        "attempt {id}: run {run}, chunk {chunk}, sending {nth}, {count} numbers",
        "调用 {id}：执行 {run}，第 {chunk} 批，第 {nth} 次发送，{count} 个编号",
    ),
    "explain.request": _Said("request  {what}", "请求  {what}"),
    "explain.answer": _Said("answer   {what}", "应答  {what}"),
    "explain.verdict": _Said("verdict  {what}", "判断  {what}"),
    "explain.no_answer": _Said(
        "nothing was recorded: k3push was killed, or lost its ledger",
        "没有记录：k3push 被终止，或失去了台账",
    ),
    "explain.cut": _Said("… ({bytes} bytes)", "…（共 {bytes} 字节）"),
    "kept.wait": _Said(
        "nothing was done ({why}); wait, then send again", "没有执行（{why}）；等待后重新发送"
    ),
    "kept.log in": _Said(
        "nothing was done ({why}); log in, then send again", "没有执行（{why}）；登录后重新发送"
    ),
    "kept.doubt": _Said("in doubt ({code}: {why})", "存疑（{code}：{why}）"),
    "kept.success": _Said("finished (success); read back", "已完成（成功）；已回查"),
    "kept.refused": _Said(
        "finished (refused, {code}); read back", "已完成（被拒绝，{code}）；已回查"
    ),
    "kept.refused twice": _Said(
        "finished (refused, {code}); read back twice", "已完成（被拒绝，{code}）；已回查两次"
    ),
    "kept.killed": _Said(
        "the process that sent it ended before an answer was written down",
        "发送它的进程在记下应答之前结束",
    ),
    "kept.settled": _Said("settled by a look at the target form", "经查询目标单核实"),
    "kept.retry": _Said("planned again by retry", "由 retry 重新列入计划"),
    "kept.user": _Said(
        "a person's word: {state} ({why}), by {user}", "人工结论：{state}（{why}），{user}"
    ),
    "kept.person": _Said("a person's word: {state} ({why})", "人工结论：{state}（{why}）"),
    "exported": _Said("{count} rows written to {path}", "已写入 {count} 行：{path}"),
    "enqueue": _Said(
        "Write runs into a tenant's ledger and queue them, for whichever worker is free. The tenant is named as its configuration file.",
        "把执行写入租户的台账并排队，由空闲的工作进程执行。租户名即其配置文件名。",
    ),
    "enqueue.short": _Said("Queue job files for the fleet", "把清单交给集群排队执行"),
    "worker": _Said(
        "Execute the queued runs of all tenants whose secrets are here, until told to stop; a first Ctrl-C or SIGTERM hands open runs to other workers, a second stops at once.",
        "执行本机拥有密钥的所有租户的排队任务，直到收到停止指令；第一次 Ctrl-C 或 SIGTERM 把未完成的执行交给其他工作进程，第二次立即停止。",
    ),
    "worker.short": _Said("Execute queued runs", "执行排队的任务"),
    "fleet.help": _Said(
        "How the tenants stand, and a person's word.", "各租户的状态，以及人工指令。"
    ),
    "fleet.short": _Said("Look at the fleet and steer it", "查看和控制集群"),
    "fleet.status": _Said(
        "Show tenants, their queued, running and failed runs, schedules and workers.",
        "查看租户及其排队、执行中、失败的执行，以及日程和工作进程。",
    ),
    "fleet.pause": _Said(
        "Let nothing of a tenant begin, and pause what is under way.",
        "不再开始租户的执行，并暂停正在进行的。",
    ),
    "fleet.continue": _Said("End a pause.", "结束暂停。"),
    "fleet.cancel": _Said(
        "Cancel a tenant's queued runs, and stop those under way.",
        "取消租户排队的执行，并停止正在进行的。",
    ),
    "fleet.retry": _Said(
        "Queue a tenant's failed and cancelled runs again, and what waits to be tried again now.",
        "把租户失败或取消的执行重新排队，等待重试的立即重试。",
    ),
    "opt.tenant": _Said("Name of a tenant; may be given several times.", "租户名；可重复给出。"),
    "opt.all": _Said("All tenants.", "所有租户。"),
    "opt.slices": _Said(
        "Part the list into N runs (4 at most), which workers may execute side by side.",
        "把清单分成 N 个执行（最多 4 个），可由多个工作进程同时进行。",
    ),
    "opt.runs": _Said("Runs at once.", "同时进行的执行数。"),
    "opt.worker": _Said("Name of the worker; default: the host's.", "工作进程名；默认为主机名。"),
    "fleet.missing": _Said(
        "the fleet needs PostgreSQL and Procrastinate ({why}); install them with: pip install 'k3push[fleet]'",
        "集群需要 PostgreSQL 和 Procrastinate（{why}）；请安装：pip install 'k3push[fleet]'",
    ),
    "fleet.sqlite": _Said(
        "{file}: machines cannot share an SQLite ledger; name a database under [ledger] url: postgresql://…",
        "{file}：多台机器不能共用 SQLite 台账；请在 [ledger] url 中写 postgresql://…",
    ),
    "fleet.databases": _Said(
        "the tenants {names} name different databases for the queue; give all the same [fleet] database, or set K3PUSH_FLEET__DATABASE",
        "租户 {names} 的排队数据库不同；请统一 [fleet] database，或设置 K3PUSH_FLEET__DATABASE",
    ),
    "fleet.other_queue": _Said(
        "{file}: its queue is in another database than ours ([fleet] database); start a worker for it apart",
        "{file}：其队列在另一个数据库（[fleet] database）；请另启工作进程",
    ),
    "fleet.no_folder": _Said(
        "{folder}: this folder of tenants cannot be read ({why}); name it with --tenants",
        "{folder}：无法读取租户文件夹（{why}）；请用 --tenants 指定",
    ),
    "fleet.no_tenants": _Said(
        "{folder}: there is no tenant whose file can be used ({why})",
        "{folder}：没有可用的租户配置（{why}）",
    ),
    "fleet.doubles": _Said(
        "warning: {names} are one account of one ERP; their runs will wait for each other's numbers",
        "警告：{names} 是同一 ERP 的同一账套；它们会互相等待对方占用的编号",
    ),
    "fleet.clash": _Said(
        "leaves {tenant} alone: its acct_id and its ledger are those of {others}, but its ERP is another, so their numbers could not be told apart; give it a database of its own under [ledger] url",
        "不执行 {tenant}：其 acct_id 和台账与 {others} 相同，而 ERP 不同，编号无法区分；请在 [ledger] url 中为它单独指定数据库",
    ),
    "fleet.unknown": _Said(
        "there is no tenant {tenant!r}; there are: {known}", "没有租户 {tenant!r}；现有：{known}"
    ),
    "fleet.which": _Said(
        "say which tenant: --tenant NAME, or --all", "请指明租户：--tenant 名称，或 --all"
    ),
    "fleet.paused": _Said("{tenant}: nothing begins any more", "{tenant}：不再开始新的执行"),
    "fleet.continues": _Said("{tenant}: runs begin again", "{tenant}：恢复执行"),
    "fleet.cancelled": _Said("{tenant}: run {run} is cancelled", "{tenant}：执行 {run} 已取消"),
    "fleet.nothing": _Said("{tenant}: nothing to try again", "{tenant}：没有可重试的"),
    "fleet.tenant": _Said("tenant", "租户"),
    "fleet.queued": _Said("queued", "排队"),
    "fleet.doing": _Said("doing", "执行中"),
    "fleet.failed": _Said("failed", "失败"),
    "fleet.last": _Said("last run, exit", "最近执行、退出码"),
    "fleet.next": _Said("next", "下次"),
    "fleet.is_paused": _Said("paused: {why}", "已暂停：{why}"),
    "fleet.no_workers": _Said(
        "no worker has been here; start one: k3push worker --tenants DIR",
        "没有工作进程；请启动：k3push worker --tenants 文件夹",
    ),
    "fleet.alive": _Said(
        "worker {name} on {host}: runs {busy}, tenants {serves}, heard {seconds:.0f} s ago",
        "工作进程 {name}（{host}）：{busy} 个执行，服务 {serves} 个租户，{seconds:.0f} 秒前有消息",
    ),
    "fleet.silent": _Said(
        "worker {name} on {host}: dead or cut off, not heard for {seconds:.0f} s",
        "工作进程 {name}（{host}）：已停止或失联，{seconds:.0f} 秒没有消息",
    ),
    "enqueue.queued": _Said("{tenant}: run {run} is queued", "{tenant}：执行 {run} 已排队"),
    "worker.serves": _Said("serves {names}", "服务租户：{names}"),
    "worker.left": _Said("leaves {tenant} to others: {why}", "{tenant} 留给其他工作进程：{why}"),
    "worker.faulty": _Said("passed over: {why}", "已略过：{why}"),
    "worker.begins": _Said("{tenant}: run {run} begins", "{tenant}：执行 {run} 开始"),
    "worker.ended": _Said(
        "{tenant}: run {run} ended after {seconds:.1f} s, exit {code}",
        "{tenant}：执行 {run} 用时 {seconds:.1f} 秒，退出码 {code}",
    ),
    "worker.later": _Said(
        "{tenant}: run {run} is tried again in {seconds:.0f} s: {why}",
        "{tenant}：执行 {run} 将在 {seconds:.0f} 秒后重试：{why}",
    ),
    "worker.cannot": _Said(
        "{tenant}: run {run} waits for a person: {why}; then k3push fleet retry --tenant {tenant}",
        "{tenant}：执行 {run} 待人工处理：{why}；然后 k3push fleet retry --tenant {tenant}",
    ),
    "worker.held": _Said(
        "{tenant} is paused, since the ERP refused the login: {why}; mend it, then k3push fleet retry --tenant {tenant}",
        "{tenant} 已暂停，因为 ERP 拒绝登录：{why}；处理后 k3push fleet retry --tenant {tenant}",
    ),
    "worker.dropped": _Said(
        "{tenant}: the list of run {run} was not written down to its end, and nothing of it is sent; enqueue it again",
        "{tenant}：执行 {run} 的清单没有写完，不会发送；请重新排队",
    ),
    "worker.takes_up": _Said(
        "{tenant}: run {run} is taken from {worker}, which is silent",
        "{tenant}：从失联的 {worker} 接手执行 {run}",
    ),
    "worker.schedule": _Said(
        "{tenant}: schedule {schedule}: {why}", "{tenant}：日程 {schedule}：{why}"
    ),
    "worker.lost": _Said("{why}", "{why}"),
    "worker.stopping": _Said(
        "stopping: open calls are recorded, and runs handed to others; again stops at once",
        "正在停止：记录进行中的调用，并把执行交给其他工作进程；再次则立即停止",
    ),
    "worker.gone": _Said("stopped", "已停止"),
}


def speaker(lang: Lang) -> Say:
    """Return the function that says a sentence in *lang*: one of ours by its key, or advice."""

    def say(sentence: str | Bilingual, /, **facts: object) -> str:
        english, chinese = _WORDS[sentence] if isinstance(sentence, str) else sentence
        text = chinese if lang == "zh" else english
        return text.format(**facts) if facts else text

    return say


def choose_language(arguments: Sequence[str]) -> Lang:
    """Choose by `--lang`, else by the locale.

    >>> choose_language(["run", "--lang", "zh", "orders.csv"])
    'zh'
    """
    for at, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return "zh" if argument.endswith("zh") else "en"
        if argument == "--lang" and at + 1 < len(arguments):
            return "zh" if arguments[at + 1] == "zh" else "en"
    named = next(
        (os.environ[v] for v in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(v)), ""
    )
    if not named and os.name == "nt":
        named = locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith(("zh", "chinese")) else "en"
