"""The fleet: tenants, queued runs, workers."""

from __future__ import annotations

WORDS = {
    "fleet.missing": (
        "the fleet needs PostgreSQL and Procrastinate ({why}); install them with: pip install 'k3push[fleet]' (in a clone '.[fleet]')",
        "集群需要 PostgreSQL 和 Procrastinate（{why}）；请安装：pip install 'k3push[fleet]'（在克隆的目录中用 '.[fleet]'）",
    ),
    "fleet.sqlite": (
        "{file}: machines cannot share an SQLite ledger; name a database under [ledger] url: postgresql://…",
        "{file}：多台机器不能共用 SQLite 台账；请在 [ledger] url 中写 postgresql://…",
    ),
    "fleet.databases": (
        "the tenants {names} name different databases for the queue; give all the same [fleet] database, or set K3PUSH_FLEET__DATABASE",
        "租户 {names} 的排队数据库不同；请统一 [fleet] database，或设置 K3PUSH_FLEET__DATABASE",
    ),
    "fleet.other_queue": (
        "{file}: its queue is in another database than ours ([fleet] database); start another worker for it",
        "{file}：其队列在另一个数据库（[fleet] database）；请另启工作进程",
    ),
    "fleet.no_folder": (
        "{folder}: this folder of tenants cannot be read ({why}); name it with --tenants",
        "{folder}：无法读取租户文件夹（{why}）；请用 --tenants 指定",
    ),
    "fleet.no_tenants": (
        "{folder}: there is no tenant whose file can be used ({why})",
        "{folder}：没有可用的租户配置（{why}）",
    ),
    "fleet.doubles": (
        "warning: {names} are one account of one ERP; their runs will wait for each other's numbers",
        "警告：{names} 是同一 ERP 的同一账套；它们的任务会互相等待对方占用的单据",
    ),
    "fleet.clash": (
        "leaves {tenant} alone: its acct_id and its ledger are those of {others}, but its ERP is another, so their numbers could not be told apart; give it a database of its own under [ledger] url",
        "不执行 {tenant}：其 acct_id 和台账与 {others} 相同，而 ERP 不同，单据无法区分；请在 [ledger] url 中为它单独指定数据库",
    ),
    "fleet.unknown": (
        "there is no tenant {tenant!r}; there are: {known}",
        "没有租户 {tenant!r}；现有：{known}",
    ),
    "fleet.which": (
        "say which tenant: --tenant NAME, or --all",
        "请指明租户：--tenant 名称，或 --all",
    ),
    "fleet.paused": ("{tenant}: no run begins any more", "{tenant}：不再开始新任务"),
    "fleet.continues": ("{tenant}: runs begin again", "{tenant}：恢复执行任务"),
    "fleet.cancelled": ("{tenant}: run {run} is cancelled", "{tenant}：任务 {run} 已取消"),
    "fleet.say_again": (
        "{why:.}. After that, run the command again: what is done already stays so.",
        "{why:.}。处理后请重新执行该命令：已完成的部分保持不变。",
    ),
    "fleet.untold": (
        "what is under way of {tenants} was not told: {why:.}. Run the command again after that.",
        "未能通知 {tenants} 正在执行的任务：{why:.}。处理后请重新执行该命令。",
    ),
    "fleet.nothing": ("{tenant}: nothing to try again", "{tenant}：没有可重试的任务"),
    "fleet.away": ("the fleet's database is away", "集群的数据库连接中断"),
    "fleet.timeout": ("no answer in time", "未在时限内应答"),
    "fleet.forgotten": ("others have counted it as dead", "已被其他进程视为停止"),
    "fleet.half_listed": (
        "its list was not written down to its end",
        "清单没有登记完整",
    ),
    "fleet.outside_window": ("outside the window", "不在发送时段"),
    # -- how it stands -------------------------------------------------------------------------
    "fleet.tenant": ("tenant", "租户"),
    "fleet.head.queued": ("queued", "排队"),
    "fleet.head.doing": ("doing", "进行中"),
    "fleet.head.failed": ("failed", "失败"),
    "fleet.last": ("last run, exit", "最近任务、退出码"),
    "fleet.next": ("next", "下次"),
    "fleet.is_paused": ("paused", "已暂停"),
    "fleet.is_paused_since": ("paused: {why}", "已暂停：{why}"),
    "fleet.schedule": ("{schedule}: {why}", "{schedule}：{why}"),
    "fleet.bad_role": (
        "{role!r} is no name of a role: it has at most {most} bytes, and no control characters; name one with --role",
        "{role!r} 不能作为角色名：最多 {most} 字节，且不含控制字符；请用 --role 指定",
    ),
    "fleet.role_printed": (
        "run this as the owner of the ledger's schema, give {role} a password, and name it under [ledger] url in {file}",
        "请以台账模式的所有者身份执行以上 SQL，为 {role} 设置密码，并写入 {file} 的 [ledger] url",
    ),
    "fleet.file_aside": (
        "{file} was put aside: reading it twice went beyond the limits of memory or time",
        "{file} 已搁置：两次读取均超出内存或时间限制",
    ),
    "fleet.in_doubt": (
        "in doubt: {count}, in run {runs}; `k3push settle` asks the ERP about them",
        "结果未知：{count} 张，任务 {runs}；`k3push settle` 向 ERP 查询",
    ),
    "fleet.others": (
        "runs are left of tenants that have no file in {folder}; their files may be on other hosts: {tenants}",
        "以下租户尚有未完成的任务，但其文件不在 {folder} 中（可能在其他主机上）：{tenants}",
    ),
    "fleet.unarchived": (
        "old runs could not be archived, and stay in the ledger: {why}",
        "旧任务无法归档，仍保留在台账中：{why}",
    ),
    "fleet.file_tried": ("{tenant}: {file} is read again", "{tenant}：将重新读取 {file}"),
    "fleet.no_workers": (
        "no worker is here now; start one: k3push worker --tenants DIR",
        "当前没有工作进程；请启动：k3push worker --tenants 文件夹",
    ),
    "fleet.alive": (
        "worker {name} on {host}: runs {busy}, tenants {serves}, heard {seconds:.0f} s ago",
        "工作进程 {name}（{host}）：{busy} 个任务，服务 {serves} 个租户，{seconds:.0f} 秒前有消息",
    ),
    "fleet.silent": (
        "worker {name} on {host}: dead or cut off, not heard for {seconds:.0f} s",
        "工作进程 {name}（{host}）：已停止或失联，{seconds:.0f} 秒没有消息",
    ),
    # -- asking for runs, and executing them -----------------------------------------------
    "enqueue.queued": ("{tenant}: run {run} is queued", "{tenant}：任务 {run} 已排队"),
    "worker.serves": ("serves {names}", "服务租户：{names}"),
    "worker.serves_many": ("serves {count} tenants: {names}, …", "服务 {count} 个租户：{names}…"),
    "worker.left": ("leaves {tenant} to others: {why}", "{tenant} 留给其他工作进程：{why}"),
    "worker.faulty": ("skipped: {why}", "已跳过：{why}"),
    "worker.unread": (
        "the files of tenants cannot be read now, and all are served as before: {why}",
        "暂时无法读取租户文件，仍按原有配置服务：{why}",
    ),
    "worker.begins": ("{tenant}: run {run} begins", "{tenant}：任务 {run} 开始"),
    "worker.ended": (
        "{tenant}: run {run} ended after {seconds:.1f} s, exit {code}",
        "{tenant}：任务 {run} 用时 {seconds:.1f} 秒，退出码 {code}",
    ),
    "worker.later": (
        "{tenant}: run {run} is tried again in {seconds:.0f} s: {why}",
        "{tenant}：任务 {run} 将在 {seconds:.0f} 秒后重试：{why}",
    ),
    "worker.cannot": (
        "{tenant}: run {run} waits for a person: {why:.}; then k3push fleet retry --tenant {tenant}",
        "{tenant}：任务 {run} 待人工处理：{why:.}；然后 k3push fleet retry --tenant {tenant}",
    ),
    "worker.elsewhere": (
        "{tenant}: run {run} goes on elsewhere, or has ended, since others took it over or cancelled it: {why}",
        "{tenant}：任务 {run} 已被接手或取消，在别处继续或已结束：{why}",
    ),
    "worker.held": (
        "{tenant} is paused: {why:.}; fix it, then k3push fleet retry --tenant {tenant}",
        "{tenant} 已暂停：{why:.}；处理后 k3push fleet retry --tenant {tenant}",
    ),
    "worker.dropped": (
        "{tenant}: the list of run {run} was not written down to its end, and nothing of it is sent; enqueue it again",
        "{tenant}：任务 {run} 的清单没有登记完整，不会下推；请重新排队",
    ),
    "worker.takes_up": (
        "{tenant}: run {run} is taken over from {worker}, which is silent",
        "{tenant}：从失联的 {worker} 接手任务 {run}",
    ),
    "worker.schedule": (
        "{tenant}: schedule {schedule}: {why}",
        "{tenant}：定时计划 {schedule}：{why}",
    ),
    "worker.aside": (
        "{tenant}: {file} is put aside, since reading it twice went beyond the limits of memory or time; look at it, then k3push fleet retry --tenant {tenant}",
        "{tenant}：{file} 已搁置，两次读取均超出内存或时间限制；请检查该文件，然后 k3push fleet retry --tenant {tenant}",
    ),
    "worker.aside_title": ("k3push: a list was put aside", "k3push：清单已搁置"),
    "worker.lost": ("{why}", "{why}"),
    "worker.stopping": (
        "stopping: open calls are recorded, and runs handed to others; again stops at once",
        "正在停止：记录进行中的调用，并把任务交给其他工作进程；再次则立即停止",
    ),
    "worker.gone": ("stopped", "已停止"),
}
