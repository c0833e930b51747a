"""What is listed of a site: bills that a route selects, conversion rules."""

from __future__ import annotations

WORDS = {
    # -- bills -----------------------------------------------------------------------------------
    "select.found": (
        "{count} {count:?bill|bills} of {form} {count:?was|were} selected for route {route}.",
        "已为路线 {route} 选出 {form} 单据 {count} 张。",
    ),
    "select.written": (
        "{count} {count:?bill|bills} of {form} {count:?is|are} in {path}.",
        "{form} 单据 {count} 张，已写入 {path}。",
    ),
    "select.streamed": (
        "{count} {count:?bill|bills} of {form} written to standard output.",
        "{form} 单据 {count} 张，已写入标准输出。",
    ),
    "select.next": ("Next: {command}", "下一步：{command}"),
    "select.more": (
        "There are more bills of {form} than the {count} that {count:?was|were} taken: max_count of route {route} ends the list. Select again once these are pushed, narrow the filter, or raise max_count.",
        "{form} 的单据多于已取的 {count} 张，超出部分按路线 {route} 的 max_count 未取。推完这些后再次选单，或收窄过滤条件，或调大 max_count。",
    ),
    "select.passed": (
        "{count} {count:?bill|bills} of {form} {count:?was|were} left out: the ledger has documents of {count:?it|them}, and max_count of route {route} keeps its places for bills without.",
        "{form} 有 {count} 张单据未列入：台账中已有其下游单据，路线 {route} 的 max_count 名额优先留给尚未下推的单据。",
    ),
    "select.lacking": (
        "{form} lacks {fields}, so that bills are not chosen by it.",
        "{form} 没有字段 {fields}，因此未按其过滤。",
    ),
    "select.failed": (
        "{form} could not be read to the end, so there is no list: {why}",
        "{form} 未能读全，因此没有清单：{why}",
    ),
    "select.refused.where": (
        "the ERP refuses the query, so there is no list: {why:.}. Check the filter (--where, and `where` in [routes.{route}.select]): the keys of its fields, texts in single quotes, numbers without; then the user's rights",
        "ERP 拒绝查询，因此没有清单：{why:.}。请检查过滤条件（--where，以及 [routes.{route}.select] 的 where）：字段标识、文本加单引号、数值不加引号；再检查用户权限",
    ),
    "select.refused.form": (
        "the ERP refuses the query, so there is no list: {why:.}. Check `source` of [routes.{route}] and the user's rights",
        "ERP 拒绝查询，因此没有清单：{why:.}。请检查 [routes.{route}] 的 source 和用户权限",
    ),
    "select.ending": (
        "{path}: the list is CSV or JSONL, by the ending of its name: {known}",
        "{path}：清单按文件扩展名写成 CSV 或 JSONL：{known}",
    ),
    "select.wide_marks": (
        "full-width marks ({marks}) are no part of a filter; type ' = < > , ( ) in their place",
        "全角或中文标点（{marks}）不是过滤条件的写法；请改用英文的 ' = < > , ( )",
    ),
    "select.open_quote": (
        "a text begins with ' and does not end; a quote within a text is written twice",
        "单引号 ' 未成对；文本中的单引号须写两次",
    ),
    "select.open_bracket": ("brackets do not match", "括号不成对"),
    "select.quoted_number": (
        "{field} is a number: write it without quotes, or the ERP may give wrong results without an error",
        "{field} 是数值：请不加引号，否则 ERP 可能不报错却给出错误结果",
    ),
    "select.no_organisation_field": (
        "the field of the organisation is not known for {form}; name it in where, such as where = \"FOrgId.FNumber='100'\"",
        "未知 {form} 的组织字段；请写在 where 中，例如 where = \"FOrgId.FNumber='100'\"",
    ),
    # -- rules -----------------------------------------------------------------------------------
    "rules.column.number": ("rule", "规则"),
    "rules.column.name": ("name", "名称"),
    "rules.column.source": ("source", "源单"),
    "rules.column.target": ("target", "目标单"),
    "rules.column.enabled": ("enabled", "启用"),
    "rules.column.default": ("default", "默认"),
    "rules.is.yes": ("yes", "是"),
    "rules.is.no": ("no", "否"),
    "rules.is.unknown": ("unknown", "未知"),
    "rules.none": (
        "None of the {count} {count:?rule|rules} that the site lists is of these forms.",
        "站点列出的 {count} 条规则中，没有符合条件的。",
    ),
    "rules.no_forms": (
        "The site does not show the forms of its rules, so all are listed.",
        "站点不提供规则的源单和目标单，因此全部列出。",
    ),
    "rules.unread": (
        "the site does not let its conversion rules be read: {why:.}. Look them up in the ERP (BOS designer, 单据转换)",
        "无法读取站点的单据转换规则：{why:.}。请在 ERP（BOS 设计器的单据转换）中查看",
    ),
}
