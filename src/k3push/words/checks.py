"""`check`: what was found, and the cure where something is wrong or not certain."""

from __future__ import annotations

WORDS = {
    "check.config": ("configuration {path}", "配置文件 {path}"),
    "check.login": ("login at {url} as {user}", "以 {user} 登录 {url}"),
    "check.ledger": ("ledger {path}", "台账 {path}"),
    "check.ledger_folder": (
        "ledger: {folder} is missing or cannot be written; make it writable, or change ledger.url",
        "台账：{folder} 不存在或不可写；请调整权限，或修改 ledger.url",
    ),
    "check.ledger_lost": ("ledger: {why}", "台账：{why}"),
    "check.results": ("results: this folder can be written", "结果：当前文件夹可写"),
    "check.results_unwritable": (
        "results: {folder} cannot be written; results go beside the job file, so keep it elsewhere",
        "结果：{folder} 不可写；结果写在清单旁边，请把清单放到别处",
    ),
    "check.textfile_unwritable": (
        "metrics: {folder} is not there or cannot be written; no run fails because of that",
        "指标：{folder} 不存在或不可写；不影响任务",
    ),
    "check.lacking": (
        "{what} has no {fields}: such bills are not held back before they are sent",
        "{what} 没有 {fields}：相应状态的单据在发送前无法拦下",
    ),
    "check.failed": ("{what}: {why}", "{what}：{why}"),
    "check.ground": (
        "{form}.{field} tells which documents come from {source}",
        "{form}.{field} 可区分下游单据是否来自 {source}",
    ),
    "check.ground_odd": (
        "{form}.{field} holds {value} and never {source}: where links cannot be asked, documents of a bill's number leave it to a person",
        "{form}.{field} 的值为 {value}，从不是 {source}：无法查询关联关系时，有同号下游单据的源单须人工判断",
    ),
    "check.ground_thin": (
        "{form}: nothing tells documents of {source} from those of another form with the same number; `already` rests on the number alone",
        "{form}：无法区分来自 {source} 与来自其他单据类型的同号单据；此前已下推（already）仅凭编号判定",
    ),
    "check.linked": (
        "{field} of {rows} {rows:?row|rows} of {form} names {found} {found:?bill|bills} of {source}",
        "{form} 最近 {rows} 行的 {field} 中有 {found} 张 {source}",
    ),
    "check.not_linked": (
        "{field} of the newest {rows} {rows:?row|rows} of {form} names no bill of {source}: if some were pushed, it is the wrong field; correct source_number_field. Else run with --limit 1 first",
        "{form} 最近 {rows} 行的 {field} 中没有 {source} 的编号：如曾下推过，则字段有误，请修改 source_number_field；否则请先用 --limit 1 试推",
    ),
    "check.source": ("source form {form}", "源单 {form}"),
    "check.target": ("target form {form}, field {field}", "目标单 {form}，字段 {field}"),
    "check.target_form": ("target form {form}", "目标单 {form}"),
    "check.no_documents": (
        "could not be verified: {form} has no documents yet, so nothing shows that {field} names bills of {source}; run with --limit 1 first, then check again",
        "无法核实：{form} 还没有单据，无从得知 {field} 是否为 {source} 的编号；请先用 --limit 1 试推，再检查一次",
    ),
    "check.rule": ("rule {rule} is one that the ERP lists", "转换规则 {rule} 在 ERP 所列规则之中"),
    "check.rule_enabled": (
        "rule {rule} is there, and enabled",
        "转换规则 {rule} 存在且已启用",
    ),
    "check.rule_pushed": (
        "rule {rule}: the ERP does not tell of it, but run {run} has pushed by it",
        "转换规则 {rule}：ERP 中无法查到，但任务 {run} 已按它下推",
    ),
    "check.the_default_rule": ("(the default)", "（默认规则）"),
    "check.rule_disabled": (
        "rule {rule} ({source} → {target}) is there and not enabled; enable it in the ERP, or name another",
        "转换规则 {rule}（{source} → {target}）存在，但未启用；请在 ERP 中启用，或改用其他规则",
    ),
    "check.rule_of_others": (
        "rule {rule} is one of {forms}, and the route leads from {source} to {target}",
        "转换规则 {rule} 属于 {forms}，而路线是从 {source} 到 {target}",
    ),
    "check.rule_absent": (
        "rule {rule} ({source} → {target}) is not among the {count} that the ERP lists",
        "ERP 列出的 {count} 条转换规则中没有 {rule}（{source} → {target}）",
    ),
    "check.rules_near": ("; near it: {near}", "；相近的有：{near}"),
    "check.rule_unverified": (
        "rule {rule} could not be verified ({why}); look it up in the ERP, or run with --limit 1 first",
        "无法核实转换规则 {rule}（{why}）；请在 ERP 中查看，或先用 --limit 1 试推",
    ),
    "check.rules_seen": (
        "the ERP listed {count} {count:?rule|rules}",
        "ERP 列出 {count} 条规则",
    ),
    "check.default_rule": (
        "route {route}: whether the ERP has a default rule from {source} to {target} is unknown ({why}); run with --limit 1 first, or name the rule",
        "路线 {route}：ERP 是否有从 {source} 到 {target} 的默认转换规则未知（{why}）；请先用 --limit 1 试推，或写明 rule",
    ),
    "check.default_rule_there": (
        "route {route}: {default} is the default rule from {source} to {target}",
        "路线 {route}：从 {source} 到 {target} 的默认转换规则是 {default}",
    ),
    "check.no_default_rule": (
        "route {route}: no default rule from {source} to {target} is enabled; enable one in the ERP, or name one in the route's rule: {known}",
        "路线 {route}：从 {source} 到 {target} 未启用默认转换规则；请在 ERP 中启用，或在路线的 rule 中写明：{known}",
    ),
    "check.same_rights": (
        "{user} sees what {first} sees of {form} ({shared} of the newest {rows} {rows:?row|rows})",
        "{user} 所见的 {form} 与 {first} 相同（最新 {rows} 行中 {shared} 行）",
    ),
    "check.other_rights": (
        "{user} and {first} see different rows of {form} ({shared} of the newest {rows} are the same): give all users the same rights to data",
        "{user} 与 {first} 所见的 {form} 不同（最新 {rows} 行中只有 {shared} 行相同）：请给所有用户相同的数据权限",
    ),
    "check.links": (
        "the links of {entry} name bills of {source}: documents are found by the id of their source",
        "{entry} 的关联关系指向 {source}：可按源单内码查到下游单据",
    ),
    "check.links_unproved": (
        "the links of {entry} can be asked for, and none shows yet that the route's rule keeps them; run with --limit 1 first, then check again",
        "{entry} 的关联关系可以查询，但尚无单据证明这条路线的规则保留关联；请先用 --limit 1 试推，再检查一次",
    ),
    "check.links_failed": (
        "the links of {form} could not be asked for: {why}",
        "无法查询 {form} 的关联关系：{why}",
    ),
    "check.no_links": (
        "the links of {form} cannot be asked for, so that documents are found by {field} alone; name their entry in target_entry if it has another key",
        "无法查询 {form} 的关联关系，只能按 {field} 查找下游单据；如单据体标识不同，请在 target_entry 中写明",
    ),
    "check.nofield": (
        "route {route}: no source_number_field, and the links of {form} cannot be asked for; one bill a call, and a lost answer waits for a person. Name the field, or the entry in target_entry",
        "路线 {route}：没有 source_number_field，也无法查询 {form} 的关联关系；每次只下推一张单据，应答丢失时需人工核实。请写明该字段，或在 target_entry 中写明单据体",
    ),
    "check.plain_secret": (
        '{key} is written in the settings as plain text; use {{ env = "NAME" }}',
        '{key} 以明文写在配置中；请改用 {{ env = "NAME" }}',
    ),
    "check.ledger_shared": (
        "others may read {path}, which holds every request and answer; `chmod 600` keeps it for its owner",
        "其他用户可读取 {path}，其中有全部请求和应答；可用 `chmod 600` 限定为仅所有者可读",
    ),
    "check.no_cron": (
        "schedules.{schedule} has no cron, so it begins only as somebody presses Run now on the page Schedules",
        "schedules.{schedule} 没有 cron，只能由人工在“定时计划”页面点击“立即执行”启动",
    ),
    "check.clock": (
        "clock: {seconds:+.0f} s against the server",
        "时钟：与服务器相差 {seconds:+.0f} 秒",
    ),
    "check.clock_untold": (
        "clock: the server tells no time that could be read, so it was not compared; see that this machine's clock is right (signed logins need it)",
        "时钟：服务器未返回可读的时间，无法比对；请自行确认本机时间准确（签名登录需要）",
    ),
    "check.clock_off": (
        "clock: {seconds:+.0f} s against the server; set this machine's clock (signed logins need it)",
        "时钟：与服务器相差 {seconds:+.0f} 秒；请校准本机时间（签名登录需要）",
    ),
}
