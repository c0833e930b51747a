"""What the commands do, for `--help`; one line of each in the list of commands (`.short`)."""

from __future__ import annotations

WORDS = {
    "app.help": (
        "Push bills down (单据下推) in bulk in K/3 Cloud (金蝶云星空), never twice.",
        "在金蝶云星空中批量下推单据，绝不重复下推。",
    ),
    "app.because": ("looked it up", "已在 ERP 中查过"),
    "app.epilog": (
        "Begin with: k3push demo  ·  then: k3push init, check, plan LIST, run LIST",
        "入门：k3push demo  ·  然后：k3push init、check、plan 清单.csv、run 清单.csv",
    ),
    # -- moving numbers --------------------------------------------------------------------
    "command.run": (
        "Push the bills of job files. Every bill number ends with its true outcome.",
        "下推清单中的单据；每张单据都有最终处理结果。",
    ),
    "command.run.short": ("Push the bills of job files", "下推清单中的单据"),
    "command.select": (
        "Ask the ERP which bills the route would push, and write them to a job file: number, id, date and organisation. Approved, open and not cancelled, with a quantity left where the field is known, and as [routes.NAME.select] says. Nothing is sent.",
        "向 ERP 查询路线要下推的单据，写入清单文件：编号、内码、日期、组织。条件为已审核、未关闭、未作废、尚有剩余数量（字段已知时），以及 [routes.NAME.select] 中的设置。不下推。",
    ),
    "command.select.short": (
        "Write a job file of the bills that a route selects",
        "由路线选单，写入清单文件",
    ),
    "command.rules": (
        "List the conversion rules of the site: number, name, forms, enabled, default. What the site does not show is unknown. Nothing is sent.",
        "列出账套的单据转换规则：编码、名称、源单和目标单、是否启用、是否默认。站点不提供的显示为未知。不下推。",
    ),
    "command.rules.short": ("List the conversion rules of the site", "列出单据转换规则"),
    "command.plan": (
        "Look ahead and send nothing: which bills of the job files are ready, already pushed, partly pushed or blocked. Writes a plan for `apply`.",
        "只查询，不下推：清单中哪些单据可下推、此前已下推、部分下推或不可下推，并生成供 `apply` 执行的计划文件。",
    ),
    "command.plan.short": (
        "Show what a run would do, and send nothing",
        "预览将下推哪些单据，不下推",
    ),
    "command.apply": (
        "Push exactly what a plan says. Refused if the job file, route, address or account has changed since, or if the plan was edited or applied before.",
        "严格按计划文件下推。清单、路线、地址或账套有变化，或计划文件被修改过、执行过的，一律拒绝。",
    ),
    "command.apply.short": ("Push exactly what a plan says", "严格按计划文件下推"),
    "command.resume": (
        "Continue a run where it stopped (default: the last one), with all other runs of its command. What is open is settled first.",
        "继续中断的任务（默认最近一次），包括同一条命令启动的其他任务；先核实结果未知的单据。",
    ),
    "command.resume.short": ("Continue a run where it stopped", "继续中断的任务"),
    "command.retry": (
        "Push the rejected numbers of a run again. Without RUN: those of all runs that the last command began.",
        "重新下推任务中被拒绝的单据；不写任务号则为最近一条命令启动的全部任务。",
    ),
    "command.retry.short": ("Push the rejected numbers of a run again", "重新下推被拒绝的单据"),
    "command.settle": (
        "Ask the ERP what became of the unknown numbers of a run (without RUN: of all runs that the last command began), or record with --as what you have found out.",
        "向 ERP 核实任务中结果未知的单据（不写任务号则为最近一条命令启动的全部任务），或用 --as 登记人工核实的结论。",
    ),
    "command.settle.short": (
        "Ask the ERP what became of unknown numbers",
        "核实结果未知的单据",
    ),
    "command.follow": (
        "Submit and approve (提交, 审核) what a run has made, as its route's `follow` asks, and look again at documents that were refused or wait in a flow. Without RUN: of all runs that the last command began.",
        "按路线的 follow 提交、审核任务生成的下游单据，并重新查看被拒绝或在审批流中等待的单据；不写任务号则为最近一条命令启动的全部任务。",
    ),
    "command.follow.short": (
        "Submit and approve what was made",
        "提交并审核下游单据",
    ),
    "command.control": (
        "Pause, continue, stop or re-pace a run that is under way in another terminal. KEY: concurrency, chunk-size, calls-per-minute; VALUE: a number, or auto for automatic.",
        "控制另一终端中正在进行的任务：暂停、继续、停止或调整节奏。KEY：concurrency（并发调用数）、chunk-size（每批单据数）、calls-per-minute（每分钟调用数）；VALUE：数字，或用 auto 恢复自动。",
    ),
    "command.control.short": (
        "Pause, continue, stop or re-pace a run",
        "暂停、继续、停止任务，调整节奏",
    ),
    # -- looking at the ledger -------------------------------------------------------------
    "command.status": (
        "Show the state of a run (default: the last one).",
        "查看任务的状态（默认最近一次）。",
    ),
    "command.status.short": ("Show the state of a run", "查看任务的状态"),
    "command.runs": ("List all runs.", "列出所有任务。"),
    "command.runs.short": ("List all runs", "列出所有任务"),
    "command.explain": (
        "Show what happened to one bill: every request and every answer. A part of a number, a document or a cause lists the bills that have it, and the name of a list or a user its runs.",
        "查看一张单据的处理经过：每次请求与应答。给出编号、下游单据或原因的一部分时列出相关单据，给出清单名或用户名时列出其任务。",
    ),
    "command.explain.short": (
        "Show every request and answer of one bill",
        "查看一张单据的处理经过",
    ),
    "command.export": (
        "Write the rows of a run to a file: CSV, JSONL, XLSX or Parquet.",
        "把任务的处理结果导出为 CSV、JSONL、XLSX 或 Parquet 文件。",
    ),
    "command.export.short": ("Write the rows of a run to a file", "导出处理结果"),
    "command.audit_dups": (
        "Read only: find bills that have more documents than they should have, whoever made them, and documents that the ledger names and the ERP no longer has. Looks at all bills that have documents, at those of job files, or at those of the ledger. Exit code 0: nothing found; 3: found; 6: not all could be looked at.",
        "只读取：查找下游单据过多的源单（不论由谁生成），以及台账有记录而 ERP 中已不存在的下游单据。可核对所有有下游单据的源单、清单中的源单或台账中的源单。退出码 0：没有发现；3：有发现；6：未能全部核对。",
    ),
    "command.audit_dups.short": (
        "Find bills with too many documents",
        "查找下游单据过多的源单",
    ),
    "command.report": (
        "Write one self-contained page about a run: outcomes, causes and cures, pace, evidence.",
        "生成任务的网页报告：结果、原因与处理办法、过程、依据；单个文件，可离线查看。",
    ),
    "command.report.short": ("Write a page about a run", "生成任务的网页报告"),
    "command.serve": (
        "Show runs, bills and their evidence in a browser, live. Pause, continue, stop and re-pace runs there, and settle bills by hand.",
        "在浏览器中实时查看任务、单据及其处理依据；可暂停、继续、停止任务，调整节奏，并登记人工核实的结论。",
    ),
    "command.serve.short": ("Show runs in a browser, live", "在浏览器中实时查看任务"),
    "command.token": (
        "Let programs ask `k3push serve --work` for pushes over HTTP: each by a token of its own, for one route.",
        "允许其他程序通过 HTTP 接口由 `k3push serve --work` 下推：每个程序一个令牌，限定一条路线。",
    ),
    "command.token.short": ("Let programs ask for pushes", "管理接口调用程序的令牌"),
    "command.token.add": (
        "Make the token of a program and print it, once: the ledger keeps its digest alone.",
        "为程序生成令牌并显示一次；台账中只保存摘要，之后无法再查看。",
    ),
    "command.token.add.short": ("Make the token of a program", "为程序生成令牌"),
    "command.token.list": (
        "List the programs: route, role, rate, and since when a token is there or refused.",
        "列出各程序：路线、角色、频率，以及令牌的生成或作废时间。",
    ),
    "command.token.list.short": ("List the programs", "列出各程序"),
    "command.token.revoke": (
        "Refuse the token of a program from now on. What it has asked for stays, and so do its keys: `token add` gives it a new one.",
        "作废程序的令牌，立即生效。已提交的下推和 key 均保留；可再用 `token add` 生成新令牌。",
    ),
    "command.token.revoke.short": ("Refuse the token of a program", "作废程序的令牌"),
    "command.completion": (
        "Print what a shell needs to complete commands and options. Bash: add it to ~/.bashrc; zsh: to ~/.zshrc; fish: to ~/.config/fish/completions/k3push.fish; PowerShell: to $PROFILE.",
        "输出命令和选项自动补全所需的脚本。bash：加到 ~/.bashrc；zsh：加到 ~/.zshrc；fish：保存为 ~/.config/fish/completions/k3push.fish；PowerShell：加到 $PROFILE。",
    ),
    "command.completion.short": (
        "Complete commands and options in a shell",
        "在终端中自动补全命令和选项",
    ),
    # -- before the first run --------------------------------------------------------------
    "command.check": (
        "Check configuration, ledger, login, clock, forms and fields. Reads only; one line for each check, with the cure.",
        "检查配置、台账、登录、时钟、单据与字段。只查询，不下推；每项一行，并给出处理办法。",
    ),
    "command.check.short": (
        "Check configuration, login, forms and fields",
        "检查配置、登录、单据与字段",
    ),
    "command.init": (
        "Ask a few questions and write config.toml.",
        "回答几个问题，生成 config.toml。",
    ),
    "command.init.short": (
        "Ask a few questions and write config.toml",
        "回答几个问题，生成 config.toml",
    ),
    "command.sandbox": (
        "Run a stand-in K/3 Cloud server for trials, tests and training.",
        "启动模拟的金蝶云星空服务，供试用、测试和培训。",
    ),
    "command.sandbox.short": ("Run a stand-in K/3 Cloud server", "启动模拟的金蝶云星空服务"),
    "command.demo": (
        "See it at work: a sandbox and the sample jobs, with refusals and a lost answer.",
        "运行演示：用模拟服务下推示例清单，含被拒绝的单据和丢失的应答。",
    ),
    "command.demo.short": ("Push the sample jobs to a sandbox", "用模拟服务运行演示"),
    "command.schedule": (
        "Print what to install so that job files are pushed every day. Nothing is installed.",
        "输出每日定时下推所需的系统配置；不做任何安装。",
    ),
    "command.schedule.short": ("Print a timer for a nightly run", "输出定时下推的系统配置"),
    "command.login": ("Keep secrets in the system's keyring.", "在系统凭据库中保存密码。"),
    "command.login.short": ("Keep secrets in the system's keyring", "在系统凭据库中保存密码"),
    "command.login.set.short": ("Store a secret in the keyring", "把密码存入凭据库"),
    "command.login.set": (
        "Ask for a secret and store it in the system's keyring.",
        "输入密码并存入系统凭据库。",
    ),
    # -- the ledger ------------------------------------------------------------------------
    "command.ledger": ("Maintain the ledger.", "台账维护。"),
    "command.ledger.short": ("Maintain the ledger", "台账维护"),
    "command.ledger.migrate.short": ("Upgrade the ledger to this version", "把台账升级到本版本"),
    "command.ledger.check.short": ("Search the ledger for contradictions", "检查台账数据是否一致"),
    "command.ledger.archive.short": ("Archive old runs now", "立即归档旧任务"),
    "command.ledger.copy.short": ("Copy a ledger into an empty one", "把台账复制到空台账"),
    "command.ledger.migrate": (
        "Upgrade the ledger to the schema of this version. Every command that opens it does so too.",
        "把台账升级到本版本的结构；任何打开台账的命令也会自动升级。",
    ),
    "command.ledger.check": (
        "Search the ledger for contradictions: one line for each check, with the cure. Exit code 2 if anything is wrong.",
        "检查台账数据是否一致：每项一行，附处理办法。有问题时退出码为 2。",
    ),
    "command.ledger.archive": (
        "Archive the runs that are older than [ledger] keep, and remove from the ledger what nothing rests on. Every execution that ends does a part of it too.",
        "归档早于 [ledger] keep 的任务，并从台账中移除不再需要的内容；每次执行结束时也会做一部分。",
    ),
    "command.ledger.copy": (
        "Copy a ledger into an empty one, from SQLite to PostgreSQL or back, and compare both row by row.",
        "把台账复制到空台账（可在 SQLite 与 PostgreSQL 之间），并逐行比对。",
    ),
    # -- the fleet -------------------------------------------------------------------------
    "command.enqueue": (
        "Write runs into a tenant's ledger and queue them for the next free worker. A tenant has the name of its configuration file.",
        "在租户的台账中建立任务并排队，由空闲的工作进程执行。租户以其配置文件命名。",
    ),
    "command.enqueue.short": ("Queue job files for the fleet", "清单排队，交由集群执行"),
    "command.worker": (
        "Execute the queued runs of all tenants whose secrets are here, until told to stop. The first Ctrl-C or SIGTERM hands open runs to other workers, a second one stops at once.",
        "执行排队的任务，范围为本机持有密码的所有租户，直到收到停止指令。第一次 Ctrl-C 或 SIGTERM 把未完成的任务交给其他工作进程，第二次立即停止。",
    ),
    "command.worker.short": ("Execute queued runs", "执行排队的任务"),
    "command.fleet": ("Show the tenants, and control their runs.", "查看各租户，控制其任务。"),
    "command.fleet.short": ("Watch and control the fleet", "查看和控制集群"),
    "command.fleet.status.short": ("Show tenants, runs and workers", "查看租户、任务和工作进程"),
    "command.fleet.pause.short": ("Pause a tenant", "暂停租户"),
    "command.fleet.cancel.short": ("Cancel a tenant's runs", "取消租户的任务"),
    "command.fleet.retry.short": ("Queue failed runs again", "失败的任务重新排队"),
    "command.fleet.init_tenant": (
        "Print the SQL that gives a tenant a role of PostgreSQL, which sees the rows of its own account alone.",
        "输出 SQL：为租户建立 PostgreSQL 角色，该角色只能看到本账套的数据。",
    ),
    "command.fleet.init_tenant.short": (
        "Print the SQL of a tenant's role",
        "输出建立租户数据库角色的 SQL",
    ),
    "command.fleet.status": (
        "Show tenants with their queued, running and failed runs, schedules and workers.",
        "查看租户的任务（排队、进行中、失败）、定时计划和工作进程。",
    ),
    "command.fleet.pause": (
        "Begin no run of a tenant, and pause those under way.",
        "暂停租户：不再开始新任务，进行中的任务暂停。",
    ),
    "command.fleet.continue": ("End a pause.", "结束暂停。"),
    "command.fleet.continue.short": ("End a pause", "结束暂停"),
    "command.fleet.cancel": (
        "Cancel a tenant's queued runs, and stop those under way.",
        "取消租户排队的任务，并停止进行中的任务。",
    ),
    "command.fleet.retry": (
        "Queue a tenant's failed and cancelled runs again, and try at once what waits for its next try.",
        "把租户失败或已取消的任务重新排队；等待重试的立即重试。",
    ),
}
