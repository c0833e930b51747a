"""What an audit of documents finds: bills with too many, and documents that are gone."""

from __future__ import annotations

WORDS = {
    "audit.looking": ("looked at {done:,} {done:?bill|bills}", "已核对 {done:,} 张单据"),
    "audit.route": (
        "{route}: {sources:,} looked at, {doubles:,} with too many documents, {missing:,} gone",
        "{route}：核对 {sources:,} 张源单，其中 {doubles:,} 张的下游单据过多；{missing:,} 张下游单据已不存在",
    ),
    "audit.double": (
        "{number}: {found} documents, {expected} expected, judged by {by}",
        "{number}：下游单据 {found} 张，应有 {expected} 张（按{by}判断）",
    ),
    "audit.by.quantities": ("quantities", "数量"),
    "audit.by.rows": ("rows", "分录"),
    "audit.by.count": ("their number", "张数"),
    "audit.status.z": ("draft", "暂存"),
    "audit.status.a": ("created", "创建"),
    "audit.status.b": ("submitted", "审核中"),
    "audit.status.c": ("approved", "已审核"),
    "audit.status.d": ("re-edited", "重新审核"),
    "audit.unnumbered": ("id {id}", "内码 {id}"),
    "audit.other": ("in no row", "未记入台账"),
    "audit.gone": (
        "{number}: document {id} of run {run} is gone",
        "{number}：任务 {run} 生成的单据（内码 {id}）已不存在",
    ),
    "audit.more": (
        "… and {count:,} more; --output F writes all of them",
        "……另有 {count:,} 项；用 --output F 写出全部",
    ),
    "audit.clean": (
        "Of {sources:,} {sources:?bill|bills}, none has more documents than it should have.",
        "已核对 {sources:,} 张源单：下游单据均无重复",
    ),
    "audit.found": (
        "Of {sources:,} {sources:?bill|bills}, {doubles:,} with too many documents; documents that are gone: {missing:,}.",
        "已核对 {sources:,} 张源单：{doubles:,} 张的下游单据过多，{missing:,} 张下游单据已不存在",
    ),
    "audit.not_whole": (
        "The audit is not whole; run it again. What is told here was found before it ended.",
        "核对未完成，请重新执行。以上为中断前的发现。",
    ),
    "audit.unread": (
        "{number}: the ERP refuses to be asked for it: {why}",
        "{number}：ERP 拒绝查询：{why}",
    ),
    "audit.more_unread": (
        "… and {count:,} more that it refuses",
        "……另有 {count:,} 张被拒绝查询",
    ),
    "audit.strange": (
        "{route}: {count:,} {count:?number is no bill|numbers are no bills} of {form}, and {count:?was|were} passed over",
        "{route}：{count:,} 个编号不是 {form} 的单据，已跳过",
    ),
    "audit.unseen": (
        "{route}: {count:,} {count:?number that stands in a document is no bill|numbers that stand in documents are no bills} of {form} that your users see, and no link tells more; {count:?it was|they were} passed over",
        "{route}：下游单据上有 {count:,} 个编号，不是当前用户可见的 {form} 单据，也没有关联关系可查，已跳过",
    ),
    "audit.no_ledger": (
        "{path}: there is no ledger, so that every document is somebody else's, and none can be missed",
        "{path}：没有台账，因此所有下游单据都视为他人生成，也无从核对缺失",
    ),
    "audit.blind": (
        "route {route} has no source_number_field, and links cannot be asked for, so that its documents cannot be found",
        "路线 {route} 没有 source_number_field，也无法查询关联关系，查不到下游单据",
    ),
    "audit.bad_form": (
        "--output {path}: the name must end with {known}",
        "--output {path}：文件名须以 {known} 结尾",
    ),
    "audit.one_source": (
        "name job files, --from-ledger or --select, and only one of them",
        "清单文件、--from-ledger 与 --select 只能选一个",
    ),
    "audit.since_of_list": (
        "--since is not for job files, nor for --select: they name their bills themselves",
        "--since 不能与清单文件或 --select 同用：它们已经指明了单据",
    ),
    "audit.bad_since": (
        "--since {text!r} is no day: write 2026-11-25, today or today-1",
        "--since {text!r} 不是日期：请写 2026-11-25、today 或 today-1",
    ),
    # -- which bills were looked at --------------------------------------------------------
    "audit.scope.all": ("all bills that have documents", "所有有下游单据的源单"),
    "audit.scope.since": (
        "bills with a document made since {since}",
        "{since} 以来生成过下游单据的源单",
    ),
    "audit.scope.ledger": ("bills of the ledger", "台账中的源单"),
    "audit.scope.ledger_since": (
        "bills that the ledger worked on since {since}",
        "{since} 以来台账处理过的源单",
    ),
    "audit.scope.select": ("bills that the route selects", "路线自行选出的源单"),
    "audit.scope.jobs": ("bills of {jobs}", "清单 {jobs} 中的源单"),
    # -- the page and the message ----------------------------------------------------------
    "audit.title": ("Audit of documents", "下游单据核对"),
    "audit.heading.account": ("account set", "账套"),
    "audit.heading.scope": ("looked at", "核对范围"),
    "audit.heading.routes": ("routes", "路线"),
    "audit.heading.doubles": ("Bills with too many documents", "下游单据过多的源单"),
    "audit.heading.missing": ("Documents that are gone", "已不存在的下游单据"),
    "audit.heading.number": ("bill", "源单"),
    "audit.heading.expected": ("expected", "应有"),
    "audit.heading.by": ("judged by", "判断依据"),
    "audit.heading.target": ("document", "下游单据"),
    "audit.heading.status": ("status", "状态"),
    "audit.heading.creator": ("made by", "创建人"),
    "audit.heading.created": ("made at", "创建时间"),
    "audit.heading.run": ("run", "任务"),
    "audit.left_out": (
        "{count:,} {count:?finding is|findings are} not on this page; a CSV or XLSX file has all of them.",
        "本页未列出 {count:,} 项；CSV 或 XLSX 文件中有全部。",
    ),
    "audit.notify": (
        "k3push audit-dups: exit {code}",
        "k3push audit-dups：退出码 {code}",
    ),
}
