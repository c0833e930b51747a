"""What the options and arguments of the commands mean, for `--help`."""

from __future__ import annotations

WORDS = {
    # -- arguments -------------------------------------------------------------------------
    "argument.plan": ("Plan file written by `k3push plan`.", "`k3push plan` 生成的计划文件。"),
    "argument.tenant": ("Name of a tenant.", "租户名。"),
    "argument.jobs": (
        "Job files, folders of them, or - for standard input.",
        "清单文件、存放清单的文件夹，或用 - 表示标准输入。",
    ),
    "argument.lists": ("Job files, or - for standard input.", "清单文件，或用 - 表示标准输入。"),
    "argument.scheduled": ("Job files, or folders of them.", "清单文件，或存放清单的文件夹。"),
    "argument.audit": (
        "Job files, or - for standard input; default: all bills that have documents.",
        "清单文件，或用 - 表示标准输入；默认核对所有有下游单据的源单。",
    ),
    "argument.source": (
        "Only rules that begin at this form.",
        "只列出以此表单为源单的规则。",
    ),
    "argument.target": (
        "Only rules that lead to this form.",
        "只列出以此表单为目标单的规则。",
    ),
    "argument.entry": (
        "Keyring entry; default: those that the configuration names.",
        "凭据库条目；默认为配置中所写的。",
    ),
    "argument.run": ("Id of the run; default: the last one.", "任务号；默认最近一次。"),
    "argument.control": (
        "Id of the run (default: the one under way), then what to do.",
        "任务号（默认正在进行的任务），然后是要做的操作。",
    ),
    "argument.program": (
        "Name of the program, such as wms.",
        "程序的名称，例如 wms。",
    ),
    "argument.shell": ("The shell.", "终端的 shell。"),
    "argument.number": ("Bill number.", "单据编号。"),
    "argument.settle": (
        "Id of the run; with --as, bill numbers, behind the id of their run where one number is unknown in several.",
        "任务号；与 --as 同用时为单据编号，同一编号在多个任务中结果未知时，前面写任务号。",
    ),
    "argument.ledger": (
        "sqlite:///FILE, postgresql://USER@HOST:PORT/DATABASE, or config for the one of [ledger].",
        "sqlite:///文件、postgresql://用户@主机:端口/数据库，或用 config 表示配置中的台账。",
    ),
    # -- what is pushed, and how -----------------------------------------------------------
    "option.config": (
        "Configuration file; default: ./config.toml, then the one in the user's folder.",
        "配置文件；默认 ./config.toml，其次是用户配置文件夹中的文件。",
    ),
    "option.route": ("Route of bills that name none.", "未注明路线的单据使用的路线。"),
    "option.route_checked": ("Check this route only.", "只检查此路线。"),
    "option.select": (
        "Take the bills that the route selects, instead of job files.",
        "不用清单文件，由路线自行选单。",
    ),
    "option.route_of": (
        "Route; may be left out where there is one.",
        "路线；只有一条时可省略。",
    ),
    "option.where": (
        "Filter in the ERP's own syntax, beside the route's where; today and today-1 stand for dates.",
        "ERP 语法的过滤条件，与路线的 where 同时生效；today、today-1 表示日期。",
    ),
    "option.max_count": (
        "Take so many bills at most; default: max_count of the route.",
        "最多选取的单据数；默认取路线的 max_count。",
    ),
    "option.list": (
        "Job file to write: .csv or .jsonl; - is CSV on standard output.",
        "要写入的清单文件：.csv 或 .jsonl；- 为标准输出（CSV）。",
    ),
    "option.column": ("Heading of the column of bill numbers.", "单据编号所在列的标题。"),
    "option.sheet": (
        "Sheet of a workbook; default: the first one that is not hidden.",
        "工作簿中的工作表；默认第一个未隐藏的。",
    ),
    "option.skip": ("Skip bad lines, and list them.", "跳过有错误的行并列出。"),
    "option.chunk": ("Bills in one call, or auto.", "每批单据数，或 auto（自动）。"),
    "option.concurrency": ("Calls at the same time, or auto.", "并发调用数，或 auto（自动）。"),
    "option.canary": (
        "Push one bill and verify it before all others.",
        "先推一张单据并核实，再推其余单据。",
    ),
    "option.halt": (
        "When to stop: fail=20%,min=50 or fail=N or unknown=N; with now: at once.",
        "停止规则：fail=20%,min=50、fail=N 或 unknown=N；加 now 则立即停止。",
    ),
    "option.until": (
        "Send nothing new after this time of day (HH:MM).",
        "到此时刻（HH:MM）后不再发送。",
    ),
    "option.max_duration": (
        "Send nothing new after this long (90s, 30m, 2h).",
        "超过此时长（90s、30m、2h）后不再发送。",
    ),
    "option.limit": ("Process at most N bills.", "最多处理 N 张单据。"),
    "option.again": (
        "Push bills that already have a target; needs --because.",
        "已有下游单据的也再次下推；须同时用 --because。",
    ),
    "option.because": ("The reason, recorded in the ledger.", "原因；记入台账。"),
    "option.overlap": (
        "If another run of this route is under way: share (wait for the bills it holds), wait (until it ends), or quit.",
        "同一路线已有任务在进行时：share（等待其占用的单据）、wait（等其结束）或 quit（退出）。",
    ),
    "option.yes": ("Do not ask for confirmation.", "不再询问。"),
    "option.reason": (
        "Only bills whose reason contains this text.",
        "只重试原因中含此文字的单据。",
    ),
    "option.as": (
        "What you have found out in the ERP: pushed, or absent.",
        "人工核实的结论：pushed（已下推）或 absent（未下推）。",
    ),
    "option.role": (
        "view: see what programs have asked for on its route; operate: see its own, plan, pause, stop, retry and settle; approve: also push.",
        "view：查看各程序在其路线上提交的内容；operate：查看自己提交的，并可计划、暂停、停止、重试和核实；approve：还可下推。",
    ),
    "option.rate": ("Requests a minute.", "每分钟请求数。"),
    # -- what is shown and written ---------------------------------------------------------
    "option.json": ("Print one JSON object at the end.", "结束时输出一个 JSON 对象。"),
    "option.quiet": (
        "No progress; errors and the summary only.",
        "不显示进度，只显示错误和汇总。",
    ),
    "option.verbose": (
        "Log each call; -vv also each bill.",
        "记录每次调用；-vv 也记录每张单据。",
    ),
    "option.log_json": (
        "Write JSON log lines to standard error, and no progress.",
        "标准错误输出 JSON 日志，不显示进度。",
    ),
    "option.log_file": (
        "Log to this file too, as JSON lines; rotated at 10 MB.",
        "同时以 JSON 行写入此日志文件；满 10 MB 轮换。",
    ),
    "option.no_color": (
        "No colours, like the variable NO_COLOR.",
        "关闭彩色输出，同环境变量 NO_COLOR。",
    ),
    "option.lang": ("Language: en or zh.", "语言：en 或 zh。"),
    "option.version": ("Show the version.", "显示版本。"),
    "option.help": ("Show this message and exit.", "显示此帮助并退出。"),
    "option.format": (
        "Format of the file; default: by its extension, else csv.",
        "文件格式；默认按扩展名，否则为 csv。",
    ),
    "option.page": (
        "File to write (.html); - is standard output.",
        "输出文件（.html）；- 为标准输出。",
    ),
    "option.output": ("File to write; - is standard output.", "输出文件；- 为标准输出。"),
    "option.audit_select": (
        "Only bills that the route selects, whether they can still be pushed or not.",
        "只核对路线自行选出的源单，不论是否仍可下推。",
    ),
    "option.from_ledger": (
        "Only bills of this ledger.",
        "只核对本台账中的源单。",
    ),
    "option.archive": (
        "Archive to look in, or a folder of archives, instead of the ledger.",
        "在该归档（或归档文件夹）中查看，而不是在台账中。",
    ),
    "option.whole": (
        "Show requests and answers whole, with the parts of other bills.",
        "完整显示请求与应答，包括其他单据的部分。",
    ),
    "option.since": (
        "Only bills with a document made since this day, or worked on by the ledger since: 2026-11-25, today, today-1.",
        "只核对自该日起生成过下游单据（或台账处理过）的源单：2026-11-25、today、today-1。",
    ),
    "option.excess": (
        "What your site allows beyond an ordered quantity, in percent.",
        "允许超出订单数量的百分比（超收、超发）。",
    ),
    "option.audit_output": (
        "File to write: .html, .csv, .xlsx or .json.",
        "输出文件：.html、.csv、.xlsx 或 .json。",
    ),
    "option.state": (
        "Only rows in this state, may be given several times: planned, sent, pushed, draft, already, rejected, unknown.",
        "只导出此状态的单据，可重复给出：planned（待下推）、sent（已发出）、pushed（已下推）、draft（暂存）、already（此前已下推）、rejected（被拒绝）、unknown（结果未知）。",
    ),
    "option.plan_output": (
        "Plan file to write; default: beside the first job file.",
        "要生成的计划文件；默认在第一个清单旁边。",
    ),
    # -- the sandbox and the demo ----------------------------------------------------------
    "option.port": (
        "Port on 127.0.0.1; 0 takes any free one.",
        "127.0.0.1 上的端口；0 为任意空闲端口。",
    ),
    "option.faults": (
        "Faults to simulate: none, lost-session, lost-answer, late-commit, refusals, flaky, night, follow, flows, or a script file.",
        "模拟哪些故障：none、lost-session、lost-answer、late-commit、refusals、flaky、night、follow、flows，或脚本文件。",
    ),
    "option.seed": ("Seed of random faults and bills.", "随机故障与单据的种子。"),
    "option.latency": ("Duration of a call, in seconds.", "每次调用的耗时（秒）。"),
    "option.look": (
        "Duration of a query, in seconds, where it is not that of --latency.",
        "每次查询的耗时（秒）；默认与 --latency 相同。",
    ),
    "option.capacity": (
        "Number of simultaneous calls above which it slows down; 0: no limit.",
        "同时处理多少调用后开始变慢；0 为不限。",
    ),
    "option.queue": (
        "Whose calls run one after another: those of one user, or all of the site.",
        "哪些调用须排队执行：同一用户的（user）或全部（site）。",
    ),
    "option.policy": (
        "How the rule groups sources into targets: one-to-one, merge, merge-lines (also lines of one material) or split.",
        "转换规则的分单方式：one-to-one（一对一）、merge（合并）、merge-lines（同一物料的分录也合并）或 split（拆分）。",
    ),
    "option.keep_open": (
        "Leave orders open that are used up, as few sites do.",
        "数量用完的源单保持未关闭（少数系统如此）。",
    ),
    "option.write_back": (
        "When a document takes quantity from its source: at save, at audit or never.",
        "下游单据何时反写源单数量：save（保存时）、audit（审核时）或 never（从不）。",
    ),
    "option.plugin_pause": (
        "Time that plug-ins need after a push and a submit; sooner is refused.",
        "下推和提交之后插件所需的时间（秒），提前操作会被拒绝。",
    ),
    "option.no_links": (
        "Link rows cannot be queried, as on few sites.",
        "关联关系表不可查询（少数系统如此）。",
    ),
    "option.twins": (
        "Number of orders whose numbers a second organisation has as well.",
        "编号与第二个组织相同的采购订单的数量。",
    ),
    "option.payables": (
        "An approved in-stock makes a payable, which the answer names.",
        "采购入库单审核后生成应付单，应答中会提及。",
    ),
    "option.orders": ("Number of approved purchase orders.", "已审核采购订单的数量。"),
    "option.keep": ("Folder for the results.", "结果文件夹。"),
    # -- the dashboard ---------------------------------------------------------------------
    "option.host": (
        "Address to listen on; other than loopback only with a password, a proxy's header or a provider of sign-ins.",
        "监听地址；非本机地址须设置密码、反向代理的用户请求头，或登录服务。",
    ),
    "option.serve_port": ("Port; 0 takes any free one.", "端口；0 为任意空闲端口。"),
    "option.configs": (
        "Configuration file; may be repeated, one for each tenant.",
        "配置文件；可重复给出，每个租户一个。",
    ),
    "option.runs_route": ("Only runs of this route.", "只列出此路线的任务。"),
    "option.runs_exit": (
        "Only runs with this exit code; -1 is none.",
        "只列出此退出码的任务；-1 表示没有退出码。",
    ),
    "option.runs_find": (
        "Only runs with this in a bill, document or cause, or in a list's or user's name.",
        "只列出单据编号、下游单据、原因、清单名或用户名包含此文字的任务。",
    ),
    "option.runs_needs": ("Only runs that need a person.", "只列出需要处理的任务。"),
    "option.runs_limit": ("At most so many, the newest.", "最多列出最近的 N 个。"),
    "option.runs_json": ("Print one JSON list.", "输出一个 JSON 列表。"),
    "option.work": (
        "Execute what is started in the dashboard.",
        "执行在看板中发起的任务。",
    ),
    "option.enqueue_served": (
        "Have the fleet's workers execute what is started in the dashboard.",
        "在看板中发起的任务交由集群的工作进程执行。",
    ),
    "option.open": ("Open a browser.", "打开浏览器。"),
    "option.verbose_serve": ("Log each request.", "记录每个请求。"),
    # -- schedules and the fleet -----------------------------------------------------------
    "option.at": ("Time of day (HH:MM).", "每天的时刻（HH:MM）。"),
    "option.for": ("systemd, cron or schtasks.", "systemd、cron 或 schtasks。"),
    "option.tenants": (
        "Folder of configuration files; each *.toml is a tenant.",
        "存放配置文件的文件夹；每个 *.toml 为一个租户。",
    ),
    "option.tenant": ("Name of a tenant; may be given several times.", "租户名；可重复给出。"),
    "option.fleet_metrics": (
        "Write the fleet's metrics into this file, for node_exporter, and print nothing.",
        "把集群的指标写入该文件，供 node_exporter 读取，不显示内容。",
    ),
    "option.pg_role": (
        "Name of the role; otherwise k3push_ and the tenant's name.",
        "角色名；默认为 k3push_ 加租户名。",
    ),
    "option.all": ("All tenants.", "所有租户。"),
    "option.slices": (
        "Split the list into N runs (4 at most), which workers may execute side by side.",
        "把清单分成 N 个任务（最多 4 个），可由多个工作进程同时执行。",
    ),
    "option.runs": (
        "Runs at the same time, beside one of up to 100 numbers.",
        "同时执行的任务数；另有一个名额留给不超过 100 张的任务。",
    ),
    "option.worker": ("Name of the worker; default: the host's.", "工作进程名；默认为主机名。"),
}
