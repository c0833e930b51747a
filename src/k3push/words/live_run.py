"""A run that is under way: progress, holds, commands to it, and how it stands."""

from __future__ import annotations

WORDS = {
    # -- progress --------------------------------------------------------------------------
    "progress.done": ("{done}/{total}", "{done}/{total}"),
    "progress.waiting": ("waiting {seconds:.0f} s: {why}", "等待 {seconds:.0f} 秒：{why}"),
    "progress.eta": ("ETA {left}", "剩余 {left}"),
    "progress.eta_range": ("ETA {least} to {most}", "剩余 {least} 到 {most}"),
    "progress.rate": ("{rate}/s", "{rate} 张/秒"),
    "progress.slow": ("{rate}/min", "{rate} 张/分"),
    "progress.drive": ("{calls} {calls:?call|calls} × {size}", "并发 {calls} × 每批 {size}"),
    "progress.limit": ("at most {calls}/min", "限 {calls} 次/分"),
    "progress.settling": (
        "{unknown} in doubt; not found counts as absent {window:.0f} s after the sending",
        "{unknown} 张结果未知；发送 {window:.0f} 秒后仍查不到才算未下推",
    ),
    "hold.control": ("paused by control since {since}", "{since} 起由 control 暂停"),
    "hold.window": ("outside the window until {until}", "不在发送时段，{until} 开始"),
    "hold.erp": ("sparing the ERP: {why}", "暂缓发送：{why}"),
    "hold.wait": ("waiting, and trying again: {why}", "等待重试：{why}"),
    "hold.over": ("sending again", "恢复发送"),
    # -- commands --------------------------------------------------------------------------
    "control.not_alive": (
        "run {run} is not under way, so it cannot be controlled; `k3push resume {run}` continues it",
        "任务 {run} 未在进行，无法控制；可用 `k3push resume {run}` 继续",
    ),
    "control.finished": (
        "run {run} has finished, so it takes no commands; `k3push status {run}` says how it ended",
        "任务 {run} 已结束，不再接受指令；可用 `k3push status {run}` 查看结果",
    ),
    "control.several": (
        "several runs are under way; name one of {runs}",
        "有多个任务正在进行；请指定其一：{runs}",
    ),
    "control.left": (
        "run {run} waits until a server goes on with it; it is stopped then, and sends nothing",
        "任务 {run} 正在等待服务自动继续；届时立即停止，不发送任何单据",
    ),
    "control.silent": (
        "run {run} has not answered within {seconds:.0f} s; it obeys as soon as it can, see `k3push status {run}`",
        "任务 {run} 在 {seconds:.0f} 秒内没有回应；它会尽快执行，见 `k3push status {run}`",
    ),
    "control.what": (
        "{what!r}: say pause, continue, stop, or set with concurrency=N (1 to {concurrency}), chunk-size=N (1 to {chunk_size}) or calls-per-minute=N (0: no limit, at most {calls_per_minute}), or =auto",
        "{what!r}：请用 pause、continue、stop，或 set 加 concurrency=N（1 到 {concurrency}）、chunk-size=N（1 到 {chunk_size}）、calls-per-minute=N（0 为不限，最大 {calls_per_minute}），或 =auto",
    ),
    "control.obeyed.pause": ("run {run}: paused", "任务 {run}：已暂停"),
    "control.obeyed.stop": ("run {run}: stopped", "任务 {run}：已停止"),
    "control.obeyed.continue": ("run {run}: continues", "任务 {run}：继续发送"),
    "control.set": (
        "run {run}: {key} is {value} from the next chunk on",
        "任务 {run}：下一批起 {key} 为 {value}",
    ),
    "control.open.one": (
        "; one chunk is on its way and will be recorded",
        "；1 批已发出，会照常记录",
    ),
    "control.open": (
        "; {count} {count:?chunk is on its|chunks are on their} way and will be recorded",
        "；{count} 批已发出，会照常记录",
    ),
    # -- how it stands ---------------------------------------------------------------------
    "status.archived": ("archived", "已归档"),
    "status.alive": ("under way", "进行中"),
    "status.exit": ("exit {code}", "退出码 {code}"),
    "status.killed": (
        "killed, or lost its ledger; run `k3push resume`",
        "被终止或失去台账；请执行 `k3push resume`",
    ),
    "status.queued": (
        "queued for the fleet, whose workers execute it; `k3push fleet status` says how it stands",
        "已交给集群排队，由工作进程执行；进展见 `k3push fleet status`",
    ),
    "status.cancelled": (
        "cancelled in the fleet's queue; `k3push fleet retry` queues it again",
        "已在集群队列中取消；可用 `k3push fleet retry` 重新排队",
    ),
    "status.half_listed": (
        "its list is being written down, or was not to its end; nothing was sent, so unless it goes on, give the command again that began it: {commands}, or `k3push apply` with its plan",
        "清单正在登记，或没有登记完整；尚未发送任何单据，若没有继续登记，请重新执行当初的命令：{commands}，或 `k3push apply` 其计划",
    ),
    "status.half_asked": (
        "its list is being written down, or was not to its end; nothing was sent, and `k3push serve --work` goes on with it, or the program that has asked for it asks again",
        "清单正在登记，或没有登记完整；尚未发送任何单据，可由 `k3push serve --work` 继续，或由程序重新请求",
    ),
    "status.waits": ("waits for another run of the same command", "等待同一命令的另一个任务"),
    "status.set": (
        "{key} {value}, by control since {since}",
        "{key} {value}，{since} 由 control 设定",
    ),
    "status.asked": ("{command}: asked at {at}, not obeyed yet", "{command}：{at} 下达，尚未执行"),
    "status.unread": (
        "and {rows:,} more {rows:?number that is|numbers that are} not read here; `k3push report` has all",
        "另有 {rows:,} 张单据此处未读取；`k3push report` 列出全部",
    ),
    "status.beside": (
        "one of {count} runs that one command began; the others: {others}",
        "同一条命令启动的 {count} 个任务之一；其余：{others}",
    ),
    "status.paused": (
        "`k3push control {run} continue` lets it go on",
        "可用 `k3push control {run} continue` 让其继续",
    ),
    "status.asks": (
        "the run asks the ERP about unknown numbers itself; there is nothing to do until it ends",
        "结果未知的单据由任务自行核实；在其结束前无需操作",
    ),
}
