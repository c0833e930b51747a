"""What ends a command before its end: what is wrong, and what to do."""

from __future__ import annotations

WORDS = {
    "error.line": ("error: {what}", "错误：{what}"),
    "error.defect": (
        "This is a defect of k3push; please report it. `k3push resume` settles what is open.",
        "这是 k3push 的缺陷，请报告。`k3push resume` 会先核实结果未知的单据。",
    ),
    "error.stream_lost": (
        "standard output could not be written ({why}); what was printed there is lost",
        "无法写入标准输出（{why}），其中的内容已丢失",
    ),
    # -- arguments -------------------------------------------------------------------------
    "error.bad_argument": (
        "argument {argument} {why:.}; rename the file or type it again",
        "参数 {argument} {why:.}；请重命名文件或重新输入",
    ),
    "error.empty_argument": (
        "the argument behind {before} is empty, as a variable of a script is that was never set; name what you mean",
        "{before} 之后的参数为空，例如脚本里未赋值的变量；请写明所指",
    ),
    "error.because_of_nothing": (
        "--because is the reason for {option}, which is missing; add it, or leave --because out",
        "--because 是 {option} 的理由，但没有给出 {option}；请补上，或去掉 --because",
    ),
    "error.settle_one": (
        "name one run; to record your word about bills, add --as pushed or --as absent",
        "请只写一个任务；要记录人工结论，请加上 --as pushed 或 --as absent",
    ),
    "error.no_lists": (
        "{option} says how job files are read, and there are none; leave it out",
        "{option} 说明如何读取清单文件，但没有清单；请去掉",
    ),
    "error.again_needs_because": (
        "--again needs --because TEXT",
        "--again 须同时给出 --because 说明",
    ),
    "error.as_needs": (
        "--as needs bill numbers and --because TEXT",
        "--as 须给出单据编号和 --because 说明",
    ),
    "error.jobs_and_select": (
        "give job files or --select, not both",
        "清单文件与 --select 只能给出其一",
    ),
    "error.no_jobs": (
        "name job files (JOB...), or let the route select its bills with --select",
        "请给出清单文件（JOB...），或用 --select 由路线自行选单",
    ),
    "error.bad_halt": ("--halt: {why}", "--halt：{why}"),
    "error.bad_size": ("--{key} {text!r}: {why}", "--{key} {text!r}：{why}"),
    "error.bad_duration": (
        "--max-duration {text!r}: use 90s, 30m, 2h or 1h30m",
        "--max-duration {text!r}：请用 90s、30m、2h 或 1h30m",
    ),
    "error.long_duration": (
        "--max-duration {text!r}: use a time from 1s to {most}h",
        "--max-duration {text!r}：请用 1s 到 {most}h 之间的时长",
    ),
    "error.bad_time": (
        "{option} {text!r}: use HH:MM, such as 06:00",
        "{option} {text!r}：请用 HH:MM，如 06:00",
    ),
    "error.bad_state": (
        "--state: there is no state {text!r}; there are: {known}",
        "--state：没有状态 {text!r}；现有：{known}",
    ),
    "error.bad_log_file": (
        "--log-file {path} cannot be written: {why}",
        "无法写入 --log-file {path}：{why}",
    ),
    "error.file_taken": (
        "run {run} has taken {file} since this was planned: each file of a folder is pushed once",
        "计划之后，任务 {run} 已取走 {file}：文件夹中的每个文件只下推一次",
    ),
    "error.port_taken": (
        "port {port} cannot be listened on ({why}); choose another one with --port",
        "无法监听端口 {port}（{why}）；请用 --port 另选",
    ),
    # -- files -----------------------------------------------------------------------------
    "error.disk": (
        "{why:.}. Check the disk and the permissions; `k3push status` then shows the state of the run.",
        "{why:.}。请检查磁盘和权限；之后可用 `k3push status` 查看任务状态。",
    ),
    "error.ledger_away": (
        "{why:.}. Nothing was begun: run the command again after that.",
        "{why:.}。尚未开始任何操作，处理后请重新执行该命令。",
    ),
    "error.ledger_lost": (
        "{why:.}. After that, `k3push status` shows how far runs have come.",
        "{why:.}。处理后可用 `k3push status` 查看各任务进行到哪里。",
    ),
    "error.file": ("{path}: {why}", "{path}：{why}"),
    "error.no_config": (
        "there is no config.toml here or in {folder}; make one with `k3push init`, or name one with --config",
        "当前文件夹和 {folder} 都没有 config.toml；请用 `k3push init` 生成，或用 --config 指定",
    ),
    "error.config_above": (
        "there is no config.toml here, and one in a folder above; name it with --config {file}, or make another one here with `k3push init`",
        "当前文件夹没有 config.toml，上级文件夹中有一个；请用 --config {file} 指定，或在此处用 `k3push init` 另行生成",
    ),
    "error.no_parquet": (
        "--format parquet needs pyarrow ({why}); install it with: pip install 'k3push[parquet]' (in a clone '.[parquet]')",
        "--format parquet 需要 pyarrow（{why}）；请安装：pip install 'k3push[parquet]'（在克隆的目录中用 '.[parquet]'）",
    ),
    "error.no_web": (
        'serve needs more packages ({why}); install them with: pip install "k3push[web]" (in a clone ".[web]")',
        'serve 需要更多组件（{why}）；请安装：pip install "k3push[web]"（在克隆的目录中用 ".[web]"）',
    ),
    "output.ours": (
        "{path}: this is {what:.}, and would be overwritten; name another file",
        "{path}：这是{what:.}，写入会将其覆盖；请指定其他文件",
    ),
    "output.taken.ledger": ("a ledger, or a file that belongs to it", "台账或台账的附属文件"),
    "output.taken.config": ("the configuration in use", "正在使用的配置文件"),
    "output.taken.job": ("a job file or a plan in use", "正在使用的清单或计划文件"),
    "output.taken.plan": ("a plan, which `k3push apply` reads", "供 `k3push apply` 使用的计划文件"),
    "output.unusable": ("{path} cannot be written: {why}", "无法写入 {path}：{why}"),
    "output.is_stream": (
        "{path}: a device, pipe or socket, which keeps no file; name a file",
        "{path}：这是设备、管道或套接字，不能保存文件；请指定文件",
    ),
    "output.is_terminal": (
        "{path} is a terminal, and no such file can be read on one; name a file",
        "{path}：这是终端，无法显示此格式；请指定文件",
    ),
    "output.no_stdout": (
        "{path}: this does not go to standard output; name a file",
        "{path}：此项不能写到标准输出；请指定文件",
    ),
    "output.ending": (
        "{path}: no format has this ending; name one with --format: {known}",
        "{path}：没有这种扩展名的格式；请用 --format 指定：{known}",
    ),
    "output.page_ending": (
        "{path}: the report is a page, so its name ends in .html or .htm, or in nothing",
        "{path}：报告是网页，文件名应以 .html 或 .htm 结尾，或没有扩展名",
    ),
    "output.json_too": (
        "{path} and --json both write to standard output; name a file, or leave --json out",
        "{path} 与 --json 都写到标准输出；请指定文件，或去掉 --json",
    ),
    "output.stdout": ("standard output", "标准输出"),
    "output.is_folder": ("{path}: this is a folder; name a file", "{path}：这是文件夹；请指定文件"),
    # -- runs ------------------------------------------------------------------------------
    "error.no_run": (
        "there is no run {run}; `k3push runs` lists them",
        "没有任务 {run}；可用 `k3push runs` 查看",
    ),
    "error.no_follow": (
        "the route of {run} asks for no steps after the push; set `follow` in its [routes] section",
        "任务 {run} 的路线没有要求下推之后的步骤；请在其 [routes] 一节设置 `follow`",
    ),
    "error.many_runs": (
        "{count} runs begin with {run}: {runs}; type more of the id",
        "有 {count} 个任务号以 {run} 开头：{runs}；请多输入几位",
    ),
    "error.no_runs": (
        "nothing has been run yet for this acct_id. Begin with `k3push run LIST.csv`; where acct_id was changed, earlier runs are under the former one",
        "该 acct_id 下还没有任务。请从 `k3push run 清单.csv` 开始；如果改过 acct_id，以前的任务在原来的 acct_id 下",
    ),
    "error.no_ledger": (
        "{path}: there is no ledger yet; nothing has been run. Begin with `k3push run LIST.csv`",
        "{path}：还没有台账，也没有任务。请从 `k3push run 清单.csv` 开始",
    ),
    "error.other_spelling": (
        'the ledger writes this account set {known}: spell `acct_id = "{known}"` in the settings',
        '台账中此账套写作 {known}：请在配置中写 `acct_id = "{known}"`',
    ),
    "error.no_postgres": (
        'a ledger in PostgreSQL needs more packages ({why}): pip install "k3push[postgres]" (in a clone ".[postgres]")',
        'PostgreSQL 台账需要更多组件（{why}）：pip install "k3push[postgres]"（在克隆的目录中用 ".[postgres]"）',
    ),
    "error.half_listed": (
        "the list of run {run} is not written down to its end, and nothing of it was sent; unless a command is at it still, give the command again that began it: {commands}, or `k3push apply` with its plan",
        "任务 {run} 的清单没有登记完整，也没有发送任何单据；若没有命令仍在登记，请重新执行当初的命令：{commands}，或 `k3push apply` 其计划",
    ),
    "error.half_asked": (
        "the list of run {run}, for which a program has asked, is not written down to its end, and nothing of it was sent; `k3push serve --work` goes on with it, or the program asks for it again",
        "程序请求的任务 {run} 的清单没有登记完整，也没有发送任何单据；可由 `k3push serve --work` 继续，或由程序重新请求",
    ),
    "error.archived": (
        "run {run} is in the archive {file}: nothing is left to be done with it, and `k3push explain NUMBER --archive {file:$}` shows what it knew of a number",
        "任务 {run} 已归档到 {file}：它已无事可做；`k3push explain 单据编号 --archive {file:$}` 可查看其中某张单据的经过",
    ),
    "error.no_keep": (
        '[ledger] keep names no age, such as keep = "400d", so nothing is archived',
        '[ledger] keep 没有指定时长（例如 keep = "400d"），因此不归档',
    ),
    "error.archive.missing": (
        "{path}: there is no such file or folder. Check the name",
        "{path}：没有这样的文件或文件夹。请检查名称",
    ),
    "error.archive.unreadable": ("{path}: {said}", "{path}：{said}"),
    "error.archive.none": (
        "{path} is no archive of k3push",
        "{path} 不是 k3push 的归档",
    ),
    "error.archive.newer": (
        "{path} was written by a newer k3push; upgrade this one",
        "{path} 由更新版本的 k3push 写成；请升级",
    ),
    "error.archive.edited": (
        "{path} is not what was written: its digest does not match; take it from a backup",
        "{path} 与写入时不同：摘要不符；请从备份恢复",
    ),
    "error.archive.other": (
        "{path} is of another account",
        "{path} 属于其他账套",
    ),
    "error.not_archived": (
        "{number} is in none of the archives in {path}",
        "{path} 的归档中没有 {number}",
    ),
    "error.run_alive": (
        "run {run} is under way already, and pushes what is planned and asks the ERP about unknown numbers itself; there is nothing to do until it ends",
        "任务 {run} 已在执行，会自行下推待下推的单据并核实结果未知的单据；在其结束前无需操作",
    ),
    "error.run_paused": (
        "run {run} is under way already, and paused by control; `k3push control {run} continue` lets it go on",
        "任务 {run} 已在执行，并由 control 暂停；可用 `k3push control {run} continue` 让其继续",
    ),
    "error.other_scope": (
        "run {run} was made for {scope}, and the settings now say {now}; restore them, or start a new run",
        "任务 {run} 针对 {scope}，而当前配置为 {now}；请恢复配置，或新建任务",
    ),
    "error.route_gone": (
        "run {run} used route {route}, which the settings no longer have (there are: {known}); restore it",
        "任务 {run} 使用路线 {route}，而配置中已没有该路线（现有：{known}）；请恢复",
    ),
    "error.not_unknown": (
        "{number} is not unknown in any run; nothing was changed",
        "{number} 在任何任务中都不是结果未知；未作更改",
    ),
    "error.sent_and_killed": (
        "the call for {number} was on its way as run {run} was killed; nothing was changed. `k3push settle {run}` asks the ERP what became of it; say it yourself where that cannot tell",
        "任务 {run} 被强行终止时 {number} 的调用正在进行；未作更改。请先执行 `k3push settle {run}` 向 ERP 核实；若仍无法确定，再人工指定结果",
    ),
    "error.list_changed": (
        "{jobs} has changed since it was shown; nothing was sent. Run it again to see what it holds now",
        "{jobs} 在显示之后有变化；没有下推任何单据。请重新执行，以查看现在的内容",
    ),
    "error.word_of_several": (
        "{number} is unknown more than once, and one word cannot be about all of them; name the run and the bill: {which}",
        "{number} 有多处结果未知，一次登记不能兼指；请写明任务和单据：{which}",
    ),
    "error.again_planned": (
        "run {run} still has {count} {count:?bill|bills} planned or in doubt, which --again would push as well, even where documents are there; push them first (`k3push resume {run}`), or all of them again (`k3push resume {run} --again --because TEXT`)",
        "任务 {run} 还有 {count} 张待下推或结果未知的单据，--again 会连同它们一起下推，即使已有下游单据；请先执行 `k3push resume {run}`，或者用 `k3push resume {run} --again --because 说明` 全部再次下推",
    ),
    "error.contradiction": (
        "the ledger contradicts itself ({why}); check it with `k3push ledger check`. If that finds nothing, this is a defect of k3push; please report it.",
        "台账数据自相矛盾（{why}）；可用 `k3push ledger check` 检查。如检查无异常，则是 k3push 的缺陷，请报告。",
    ),
    "overlap.waiting": (
        "run {run} of this route is under way; waiting for its end",
        "同一路线的任务 {run} 正在进行；等待其结束",
    ),
    "overlap.paused": (
        "run {run} of this route is paused by control, and this one waits for its end; `k3push control {run} continue` lets it go on",
        "同一路线的任务 {run} 已由 control 暂停，本任务等待其结束；可用 `k3push control {run} continue` 让其继续",
    ),
    "overlap.stopped": (
        "told to stop while it waited for another run of this route; nothing was sent",
        "等待同一路线的其他任务时收到停止指令；没有下推任何单据",
    ),
    "overlap.until": (
        "another run of this route is still under way at the time of --until; nothing was sent",
        "到了 --until 的时间，同一路线的其他任务仍在进行；没有下推任何单据",
    ),
    "overlap.quit": (
        "run {run} of this route is under way; nothing was sent (--overlap quit)",
        "同一路线的任务 {run} 正在进行；没有下推任何单据（--overlap quit）",
    ),
    "error.no_number": ("{number} is in no run", "{number} 不在任何任务中"),
    "error.short_part": (
        "{words} is too short to be looked for; type four characters at least",
        "{words} 太短，无法查找；请输入至少四个字符",
    ),
    "error.no_number_left": (
        "the ledger has {number} in no run; `k3push explain {number} --archive {folder:$}` looks into the archives",
        "台账的任务中没有 {number}；`k3push explain {number} --archive {folder:$}` 可在归档中查找",
    ),
}
