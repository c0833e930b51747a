"""The ledger: what can be wrong with it, its checks, its copies."""

from __future__ import annotations

WORDS = {
    # -- why it cannot be used ---------------------------------------------------------------
    "ledger.lost": ("{place}: {why}", "{place}：{why}"),
    "ledger.none": (
        "there is no ledger yet; `k3push run` makes one",
        "还没有台账；`k3push run` 会建立",
    ),
    "ledger.no_fleet": (
        "there is no fleet yet; `k3push enqueue` makes one",
        "还没有集群；`k3push enqueue` 会建立",
    ),
    "ledger.sqlite": ("{why} ({name}). {cure}", "{why}（{name}）。{cure}"),
    "ledger.full": ("Free some disk space.", "请清理磁盘空间。"),
    "ledger.busy": (
        "Another program keeps the file locked; end it.",
        "文件被其他程序占用；请结束该程序。",
    ),
    "ledger.no_ledger": (
        "This is no ledger; name another file under [ledger] url.",
        "这不是台账；请在 [ledger] url 中指定其他文件。",
    ),
    "ledger.corrupt": (
        "The file is damaged: restore a copy of it.",
        "文件已损坏：请从备份恢复。",
    ),
    "ledger.read_only": (
        "Make the file and its folder writable.",
        "请使文件及其文件夹可写。",
    ),
    "ledger.other": ("Check the disk.", "请检查磁盘。"),
    "ledger.postgres": ("{why:.}. {cure}", "{why:.}。{cure}"),
    "ledger.password": (
        "Check the user and the password of [ledger].",
        "请检查 [ledger] 的用户和密码。",
    ),
    "ledger.no_database": (
        "Make the database with `createdb`, or name another under [ledger] url.",
        "请用 `createdb` 建立数据库，或在 [ledger] url 中指定其他数据库。",
    ),
    "ledger.no_right": (
        "This user has no right to that. Who makes a ledger needs the right to create a schema in the database; a role that is bound to a tenant reaches the rows of its own account alone (`k3push fleet init-tenant`).",
        "该用户无权执行此操作。创建台账需要在数据库中创建模式的权限；绑定到租户的角色只能访问其自己账套的数据（`k3push fleet init-tenant`）。",
    ),
    "ledger.server_full": (
        "Free some disk space on the server.",
        "请清理服务器磁盘空间。",
    ),
    "ledger.connections": (
        "The server accepts no more connections; raise max_connections.",
        "服务器连接数已满；请增大 max_connections。",
    ),
    "ledger.rows_locked": (
        "Another program keeps rows locked; end it.",
        "数据被其他程序锁定；请结束该程序。",
    ),
    "ledger.no_writes": (
        "The server accepts no writes: let it (default_transaction_read_only), or name the primary under [ledger] url.",
        "服务器不接受写入：请允许写入（default_transaction_read_only），或在 [ledger] url 中指定主库。",
    ),
    "ledger.not_whole": (
        "Parts of the ledger are missing: let the backup that is being put back come to its end, or put it back whole.",
        "台账不完整：若正在恢复备份，请等其完成；否则请完整恢复备份。",
    ),
    "ledger.parts_missing": (
        "Parts of the ledger are not there for this k3push. Wait if a backup is being put back or a newer k3push brings the ledger up to date, and start this k3push again once that is done; see that no pooler stands before the server.",
        "当前 k3push 看不到台账的某些部分。若正在恢复备份，或较新的 k3push 正在升级台账，请等其完成，再重新启动当前 k3push；并请确认服务器前没有连接池。",
    ),
    "ledger.pooler": (
        "a pooler stands before the server: its sessions lack what k3push tells each of them, and lose the locks of runs. Connect to the server itself.",
        "服务器前有连接池：其会话缺少 k3push 的设置，并会丢失任务的锁。请直接连接服务器。",
    ),
    "ledger.before_server": (
        "A pooler stands before the server, and would lose the locks of runs: connect to the server itself.",
        "服务器前有连接池，会丢失任务的锁：请直接连接服务器。",
    ),
    "ledger.turned_away": (
        "The server has turned this user away: check the user, the password and the database under [ledger] url. `createuser` makes a user, and `createdb` a database.",
        "服务器拒绝了该用户：请检查 [ledger] url 中的用户、密码和数据库。可用 `createuser` 建立用户，用 `createdb` 建立数据库。",
    ),
    "ledger.unreachable": (
        "Is the server up and reachable?",
        "请确认服务器已启动且可连接。",
    ),
    "ledger.disk": ("{why:.}. Is the path right, and writable?", "{why:.}。请确认路径正确且可写。"),
    "ledger.damaged": (
        "the {what} cannot be read ({why}); the ledger is damaged or was changed by hand. `k3push ledger check` says where",
        "{what} 无法读取（{why}）；台账已损坏或被人为修改。可用 `k3push ledger check` 查明位置",
    ),
    "ledger.two_names": (
        "the file has another name (a hard link), and whoever uses that one is not seen here. Leave it one name; a symbolic link beside it does no harm.",
        "该文件另有硬链接，从那里打开的进程在此不可见。请只保留一个文件名；符号链接不受影响。",
    ),
    "ledger.mounted": (
        "the file is mounted by itself, and what SQLite keeps beside it stays outside of that. Mount the folder that it is in.",
        "该文件是单独挂载的，SQLite 写在其旁边的文件不在挂载范围内。请挂载其所在文件夹。",
    ),
    "ledger.replaced": (
        "the file was removed or replaced while the ledger was in use. Restore the one that was there.",
        "使用过程中台账文件被删除或替换。请放回原来的文件。",
    ),
    "ledger.moved": (
        "the ledger is elsewhere than before (moved, copied, or put back from a backup): nothing is sent until calls of which it may know nothing have surely ended",
        "台账所在位置与以前不同（已移动、复制或从备份恢复）：在它可能不知道的调用确定结束之前不发送",
    ),
    "ledger.older": (
        "the ledger is older than the last call (a backup was put back): nothing is sent until that call has surely ended",
        "台账早于最后一次调用（已从备份恢复）：在该调用确定结束之前不发送",
    ),
    "ledger.lock_gone": (
        "the lock of run {run} was removed while the run was under way, so another process may have taken it over. Leave the folder of locks alone.",
        "任务 {run} 进行中其锁被删除，可能已被另一进程接管。请勿改动锁文件夹。",
    ),
    "ledger.taken_over": (
        "another process took over run {run}; this one sends nothing more of it",
        "任务 {run} 已被另一进程接管；本进程不再为它发送任何单据",
    ),
    "ledger.moved_since": (
        "the ledger is elsewhere than when run {run} was begun (a standby has taken over, or a backup was put back), and may not know what is on its way; resume the run",
        "台账所在位置与任务 {run} 开始时不同（已由备用服务器接管，或已从备份恢复），可能不知道正在进行的调用；请执行 resume",
    ),
    "ledger.no_run": (
        "the ledger does not have run {run}: where a standby has taken over or a backup was put back, it may not know of it. Push its list again; what was pushed is found",
        "台账中没有任务 {run}：若已由备用服务器接管，或已从备份恢复，台账可能不知道该任务。请重新推送其清单；已下推的单据会被查到",
    ),
    "ledger.no_attempt": (
        "the ledger does not have a call of run {run} that it had written down: a backup was put back over it while the run was under way, or a standby has taken over. Wait for `settle.window_s` (ten minutes), since calls may be on their way that it knows nothing of; then resume the run, or push its list again: what was pushed is found",
        "台账中没有任务 {run} 已登记的一次调用：任务进行中台账被备份覆盖，或已由备用服务器接管。请先等待 `settle.window_s`（十分钟），因为可能还有它不知道的调用正在进行；然后执行 resume，或重新推送其清单：已下推的单据会被查到",
    ),
    "ledger.no_end": (
        "the ledger does not tell how run {run} has ended: it was away, a standby has taken over, or a backup was put back",
        "台账中没有任务 {run} 的结果：台账曾不可用，已由备用服务器接管，或已从备份恢复",
    ),
    "ledger.lock_lost": (
        "the lock of run {run} was lost and could not be had again; resume the run",
        "任务 {run} 的锁已丢失且无法重新取得；请执行 resume",
    ),
    "ledger.interrupted": (
        "the process was stopped while it was writing",
        "写入过程中进程被中止",
    ),
    "ledger.other_program": (
        "a database of another program; name another file under [ledger] url",
        "这是其他程序的数据库；请在 [ledger] url 中另行指定",
    ),
    "ledger.other_schema": (
        "its schema {schema} belongs to another program, or its backup is not put back yet; name another database under [ledger] url, or let that come to its end",
        "其中的模式 {schema} 属于其他程序，或其备份尚未恢复完；请在 [ledger] url 中指定其他数据库，或等恢复完成",
    ),
    "ledger.newer": (
        "written by a newer k3push (ledger version {version}, this one knows {known}). Install the newer k3push.",
        "由更新版本的 k3push 写入（台账版本 {version}，本程序支持到 {known}）。请安装新版 k3push。",
    ),
    "ledger.not_owner": (
        "its tables are of ledger version {version}, and this user may not bring them to {known}. Run `k3push ledger migrate` as their owner.",
        "其数据表为台账版本 {version}，该用户无权将其升级到 {known}。请以表的所有者运行 `k3push ledger migrate`。",
    ),
    "ledger.unsafe_disk": (
        "its disk cannot hold a ledger safely; use a local disk",
        "所在磁盘不能可靠保存台账；请使用本地磁盘",
    ),
    "ledger.old_server": (
        "PostgreSQL {oldest} or later is needed",
        "需要 PostgreSQL {oldest} 或更高版本",
    ),
    "ledger.standby": (
        "this is a standby; name the primary under [ledger] url",
        "这是备库；请在 [ledger] url 中指定主库",
    ),
    "ledger.unsure_commit": (
        "synchronous_commit is {value}, so a commit may be lost; set it to on (ALTER ROLE … SET synchronous_commit = on)",
        "synchronous_commit 为 {value}，提交可能丢失；请设为 on（ALTER ROLE … SET synchronous_commit = on）",
    ),
    "ledger.no_fsync": (
        "fsync is off, so a power loss may lose the ledger; set it to on",
        "fsync 已关闭，断电可能丢失台账；请设为 on",
    ),
    "ledger.encoding": (
        "the database's encoding is {encoding}; make one with ENCODING 'UTF8'",
        "数据库编码为 {encoding}；请建立 ENCODING 'UTF8' 的数据库",
    ),
    "ledger.bad_url": (
        "the ledger's URL cannot be read; it is postgresql://USER@HOST:PORT/DATABASE",
        "无法识别台账的 URL；格式为 postgresql://用户@主机:端口/数据库",
    ),
    "ledger.run_alive": (
        "run {run} is being executed by a living process",
        "任务 {run} 正由另一进程执行",
    ),
    "ledger.archived_in": (
        "archived in {file} on {day}; of its numbers, those that have documents are here",
        "已于 {day} 归档到 {file}；此处只保留有下游单据的单据",
    ),
    "ledger.archived": (
        "run {run} is archived",
        "任务 {run} 已归档",
    ),
    # -- upkeep --------------------------------------------------------------------------------
    "ledger.archived_runs": (
        "{count} {count:?run|runs} archived in {folder}",
        "已归档 {count} 个任务：{folder}",
    ),
    "ledger.url": ("ledger: {what}", "台账：{what}"),
    "ledger.migrated": (
        "ledger {place}: version {before} → {after}",
        "台账 {place}：版本 {before} → {after}",
    ),
    "ledger.up_to_date": (
        "ledger {place}: version {after}, up to date",
        "台账 {place}：版本 {after}，已是最新",
    ),
    "ledger.bad": (
        "{what}: {n} wrong, the first: {example}. {cure}",
        "{what}：{n} 处有误，第一处：{example}。{cure}",
    ),
    "ledger.check.file": ("the database's own checks", "数据库自检"),
    "ledger.check.tallies": ("counts are those of the rows", "统计数与明细一致"),
    "ledger.check.attempts": (
        "each sent or unknown number has its attempt",
        "每张已发出或结果未知的单据都有调用记录",
    ),
    "ledger.check.claims": ("each claim has its number", "每个占用都有对应的单据"),
    "ledger.check.unclaimed": (
        "each sent or unknown number is claimed",
        "每张已发出或结果未知的单据都被占用",
    ),
    "ledger.check.answers": ("every request and answer can be read", "所有请求与应答均可读取"),
    "ledger.check.cells": ("every cell can be read", "所有字段均可读取"),
    "ledger.cure.cells": (
        "Restore the ledger from a backup; nobody can tell by hand what was there.",
        "请从备份恢复台账；原来的内容无法人工推断。",
    ),
    "ledger.cure.file": (
        "Restore the file from a backup, on a sound disk.",
        "请在完好的磁盘上从备份恢复该文件。",
    ),
    "ledger.cure.tallies": (
        "Only the figures of status are wrong, the rows are right: `k3push ledger copy` counts again.",
        "仅 status 的统计数有误，明细无误：`k3push ledger copy` 会重新统计。",
    ),
    "ledger.cure.attempts": (
        "Look in the ERP, then `k3push settle --as`.",
        "请在 ERP 中查明，再用 `k3push settle --as` 登记。",
    ),
    "ledger.cure.claims": (
        "`k3push resume` of its run releases it.",
        "对该任务执行 `k3push resume` 即可释放占用。",
    ),
    "ledger.cure.unclaimed": (
        "`k3push settle` before any other run of these numbers.",
        "在其他任务处理这些单据之前，请先 `k3push settle`。",
    ),
    "ledger.cure.answers": (
        "Evidence is lost, no outcome is; restore it from a backup.",
        "丢失的是依据而非结果；请从备份恢复。",
    ),
    "ledger.alive": (
        "run {run} is under way; copy the ledger when it has ended",
        "任务 {run} 正在进行；请在其结束后再复制台账",
    ),
    "ledger.not_empty": (
        "{place}: this ledger is not empty; name another one",
        "{place}：该台账不为空；请指定另一个台账",
    ),
    "ledger.differs": (
        "the copy differs from its source in {what:.}; nothing was kept",
        "副本与来源在 {what} 处不同；未保留任何内容",
    ),
    "ledger.copied_table": ("{count} {table}", "{table} {count} 行"),
    "ledger.copied": (
        "{source} → {target}, compared row by row: {told}",
        "{source} → {target}，已逐行比对：{told}",
    ),
}
