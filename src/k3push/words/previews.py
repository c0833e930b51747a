"""What a run would do: the preview, the plan and its fates (ready, partly, already, blocked)."""

from __future__ import annotations

WORDS = {
    # -- names of what would become of a bill; plans and JSON keep the English ones ------------
    "forecast.ready": ("ready", "可下推"),
    "forecast.partly": ("partly", "部分下推"),
    "forecast.already": ("already", "此前已下推"),
    "forecast.blocked": ("blocked", "不可下推"),
    "plan.route": (
        "plan for route {route} ({source} → {target})",
        "计划：路线 {route}（{source} → {target}）",
    ),
    "plan.site": ("on {url}, account {acct}", "位于 {url}，账套 {acct}"),
    "plan.repeats_line": ("repeats line {line}", "与第 {line} 行重复"),
    "plan.reasons": ("why blocked:", "不可下推的原因："),
    "plan.blind": (
        "targets cannot be asked for (no source_number_field, and no links): what is there already is not known",
        "无法查询下游单据（没有 source_number_field，也无法查询关联关系）：不知道哪些此前已下推",
    ),
    "plan.calls": ("{count:,} {count:?call|calls}", "{count:,} 次调用"),
    "plan.calls_about": ("about {count:,} {count:?call|calls}", "约 {count:,} 次调用"),
    "plan.time": ("time: {time}", "用时：{time}"),
    "plan.time_unknown": (
        "known after a run of ten numbers or more",
        "下推过十张以上单据后才能估计",
    ),
    "plan.range": (
        "{least} to {most}, judging by the last run",
        "{least}至 {most}（按上次任务估计）",
    ),
    "plan.about": ("about {least}, judging by the last run", "约 {least}（按上次任务估计）"),
    "plan.seconds": ("{n} s", "{n} 秒"),
    "plan.minutes": ("{n} min", "{n} 分钟"),
    "plan.hours": ("{hours} h {minutes} min", "{hours} 小时 {minutes} 分钟"),
    "plan.reading": ("looked up {done}/{total}", "已查询 {done}/{total}"),
    "plan.next": (
        "plan: {path}\nto run it: k3push apply {path:$}",
        "计划：{path}\n执行：k3push apply {path:$}",
    ),
    "plan.nothing": ("plan: {path}\nthere is nothing to push", "计划：{path}\n没有可下推的单据"),
    "plan.unwritable": (
        "{path} cannot be written ({why}); name another file with -o",
        "无法写入 {path}（{why}）；请用 -o 指定另一个文件",
    ),
    "plan.refused.unreadable": (
        "{path} cannot be read ({why}); make it with `k3push plan`",
        "无法读取 {path}（{why}）；请用 `k3push plan` 生成",
    ),
    "plan.refused.no plan": (
        "{path} is no plan; `k3push plan` makes one, and `k3push run` takes job files",
        "{path} 不是计划文件；请用 `k3push plan` 生成，清单则用 `k3push run`",
    ),
    "plan.refused.newer": (
        "{path} was made by another version of k3push; make it again with `k3push plan`",
        "{path} 由其他版本的 k3push 生成；请用 `k3push plan` 重新生成",
    ),
    "plan.refused.edited": (
        "{path} was edited or cut off since it was made; make it again with `k3push plan`",
        "{path} 生成后被修改或不完整；请用 `k3push plan` 重新生成",
    ),
    "plan.changed": (
        "{path} was made for other settings ({what}); restore them, or make it again with `k3push plan`",
        "{path} 针对的配置已变（{what}）；请恢复配置，或用 `k3push plan` 重新生成",
    ),
    "plan.job_changed": (
        "{path}: the job file has changed since it was planned: {what:.}; make the plan again with `k3push plan`",
        "{path}：清单在生成计划后有变化：{what:.}；请用 `k3push plan` 重新生成",
    ),
    "plan.begun_with_again": (
        "run {run} of this plan was begun with --again, and its rows are not all written yet; nothing was sent. Go on with --again, or make a new plan",
        "该计划的任务 {run} 是用 --again 开始的，明细尚未全部写入；没有下推任何单据。请加上 --again 继续，或重新生成计划",
    ),
    "plan.begun_without_again": (
        "run {run} of this plan was begun without --again, and its rows are not all written yet; nothing was sent. Go on without --again, or make a new plan",
        "该计划的任务 {run} 开始时没有用 --again，明细尚未全部写入；没有下推任何单据。请去掉 --again 继续，或重新生成计划",
    ),
    "plan.applied_whole": (
        "{path} was applied already, as run {run}, which has finished; nothing was sent",
        "{path} 已执行过，即任务 {run}，且已结束；没有下推任何单据",
    ),
    "plan.applied": (
        "{path} was applied already, as run {run}; to continue it: k3push resume {run}",
        "{path} 已执行过，即任务 {run}；如需继续：k3push resume {run}",
    ),
}
