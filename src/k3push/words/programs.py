"""Programs that ask for pushes over HTTP: their tokens, and what they are told."""

from __future__ import annotations

WORDS = {
    # -- tokens ----------------------------------------------------------------------------------
    "token.bad_name": (
        "{name}: a program's name has up to 40 letters, digits, dots, hyphens and underscores, and begins with a letter or a digit",
        "{name}：程序名称最多 40 个字符，限字母、数字、点、连字符和下划线，以字母或数字开头",
    ),
    "token.there": (
        "{name} has a token already. Revoke it first: k3push token revoke {name}",
        "{name} 已有令牌。请先作废：k3push token revoke {name}",
    ),
    "token.none": (
        "there is no program {name}; k3push token list shows those that there are",
        "没有名为 {name} 的程序；用 k3push token list 查看已有的程序",
    ),
    "token.nobody": (
        "No program has a token yet: k3push token add NAME --role ROLE",
        "还没有程序有令牌；请用 k3push token add 程序名 --role 角色 生成",
    ),
    "token.made": (
        "Token of {name} for route {route}, role {role}, {rate} {rate:?request|requests} a minute. It is shown this once.",
        "{name} 的令牌：路线 {route}，角色 {role}，每分钟 {rate} 次请求。令牌只显示这一次。",
    ),
    "token.revoked": ("The token of {name} is refused from now on.", "{name} 的令牌已作废。"),
    "token.no_four_eyes": (
        "[serve] four_eyes is on: this program can plan, and somebody else has to approve.",
        "已启用 [serve] four_eyes：该程序只能计划，须由他人批准。",
    ),
    "token.head.name": ("program", "程序"),
    "token.head.route": ("route", "路线"),
    "token.head.role": ("role", "角色"),
    "token.head.rate": ("a minute", "每分钟"),
    "token.head.made": ("made", "生成时间"),
    "token.head.revoked": ("revoked", "作废时间"),
    # -- what a program is told ------------------------------------------------------------------
    "api.title": ("For programs", "程序接口"),
    "api.about": (
        "What programs can ask of this server over HTTP. Each needs a token: `k3push token add`.",
        "其他程序可通过 HTTP 调用的接口；每个程序须有令牌：`k3push token add`。以下说明取自 OpenAPI 文档，为英文；中文说明见文档中的“程序接口”。",
    ),
    "api.field": ("name", "名称"),
    "api.kind": ("type", "类型"),
    "api.meaning": ("meaning", "说明"),
    "api.needed": ("needed", "必填"),
    "api.problems": ("Problems", "错误应答"),
    "api.body": ("What is sent:", "请求内容："),
    "api.no_token": (
        "Send Authorization: Bearer with a token of k3push token add that was not revoked.",
        "请在 Authorization: Bearer 中给出 k3push token add 生成且未作废的令牌。",
    ),
    "api.no_right": (
        "The token has the role {role}; this needs {needed}.",
        "令牌的角色为 {role}，此操作需要 {needed}。",
    ),
    "api.too_many": (
        "The token allows {rate} {rate:?request|requests} a minute. Ask again after Retry-After seconds.",
        "令牌限每分钟 {rate} 次请求；请在 Retry-After 秒后重试。",
    ),
    "api.only_watches": (
        "This server only watches: start it with k3push serve --work.",
        "该服务只供查看；请用 k3push serve --work 启动。",
    ),
    "api.plan_instead": (
        "[serve] four_eyes is on: ask for a plan (POST /plans), which somebody else approves.",
        "已启用 [serve] four_eyes：请改用计划（POST /plans），由他人批准。",
    ),
    "api.key_reused": (
        "The key {key} was used for something else: other bills, another route or other steps. Use a new key for each push.",
        "key {key} 已用于其他内容（单据、路线或后续步骤不同）。每次下推请用新的 key。",
    ),
    "api.bill": ("bill {nth}: {why}", "第 {nth} 张单据：{why}"),
    "api.bad_key": (
        "a key has no control characters",
        "key 不能含控制字符",
    ),
    "api.either": (
        "give either numbers or ids",
        "numbers 和 ids 须二选一",
    ),
    "api.key_twice": (
        "the key {key} is there twice",
        "键 {key} 出现了两次",
    ),
    "api.other_route": (
        "the token is for route {route}",
        "该令牌只用于路线 {route}",
    ),
    "api.route_gone": (
        "the settings have no route {route} any more; make a token for one that there is",
        "配置中已没有路线 {route}；请为现有路线生成令牌",
    ),
    "api.other_steps": (
        "must be the first of the route's own steps: {steps}",
        "须为路线自身步骤的开头部分：{steps}",
    ),
    "api.no_state": (
        "there is no state {text!r}; there are: {known}",
        "没有状态 {text!r}；现有：{known}",
    ),
    "api.one_bill": (
        "one text or bill is no list of them; write [bill], or Path(file) for a job file",
        "单个文本或单据不是列表；请写成 [bill]，清单文件请写成 Path(file)",
    ),
    "api.empty_run": (
        "an empty list has no run; name the run that is meant",
        "空清单没有任务，请指明任务号",
    ),
    "api.limit": (
        "limit {limit} is not from 1 on; leave it out for all bills",
        "limit {limit} 应从 1 起；省略则下推全部单据",
    ),
    "api.one_route": (
        "the list asks for several routes ({routes}); push those of one at a time",
        "清单涉及多条路线（{routes}）；请每次只下推一条路线的单据",
    ),
    "api.not_found": (
        "This program has asked for nothing of that id.",
        "该程序没有此 id 的请求。",
    ),
    "api.no_object": (
        "send a JSON object, with the header Content-Type: application/json",
        "请发送 JSON 对象，并带上请求头 Content-Type: application/json",
    ),
    "api.no_run_yet": (
        "There is no run yet. Ask how the push stands, and again once it has one.",
        "任务尚未建立；请先查询下推状态，建立后再试。",
    ),
    "api.no_plan_yet": (
        "The plan is not made yet. Ask how it stands, and again once it is planned.",
        "计划尚未生成；请先查询计划状态，生成后再试。",
    ),
    "api.no_plan": (
        "It has no plan and gets none. The rows of a push are at /pushes/{{id}}/rows.",
        "它没有计划，也不会再有；下推的明细在 /pushes/{{id}}/rows。",
    ),
    "api.plan_lost": (
        "The plan's file is gone or was changed. Ask for it anew, with a new key.",
        "计划文件已丢失或被改动；请换用新的 key 重新请求。",
    ),
    "api.no_run": (
        "It has no run and gets none. Ask for it anew, with a new key.",
        "它没有任务，也不会再有；请换用新的 key 重新请求。",
    ),
    "api.no_bill": (
        "The push has no such bill; name it by number or bill_id as the rows do.",
        "该下推中没有此单据；请按结果行中的 number 或 bill_id 指定。",
    ),
    # -- kinds of problems, where nothing more can be said ------------------------------------------
    "api.problem.bad-request": (
        "The request cannot be read.",
        "无法识别该请求。",
    ),
    "api.problem.no-token": (
        "No token was given, or one that is nobody's or was revoked.",
        "没有令牌，或令牌无效、已作废。",
    ),
    "api.problem.no-right": (
        "The token's role is not enough for this.",
        "令牌的角色无权执行此操作。",
    ),
    "api.problem.four-eyes": (
        "Whoever has planned a push may not approve it.",
        "计划人不能批准自己的计划。",
    ),
    "api.problem.not-found": (
        "There is nothing here that this program may see.",
        "没有此程序可以查看的内容。",
    ),
    "api.problem.no-method": (
        "The address takes another method.",
        "该地址不支持此请求方式。",
    ),
    "api.problem.key-reused": (
        "The program has asked for something else with that key.",
        "该程序已将此 key 用于其他内容。",
    ),
    "api.problem.not-now": (
        "It is in a state from which this cannot be done.",
        "当前状态下不能执行此操作。",
    ),
    "api.problem.archived": (
        "It is in an archive, and the ledger has it no more.",
        "已归档，台账中不再保留。",
    ),
    "api.problem.too-large": (
        "The body has more bytes than are taken.",
        "请求正文过大。",
    ),
    "api.problem.wrong-host": (
        "The server does not know this host name.",
        "服务不认识此主机名。",
    ),
    "api.problem.invalid": (
        "The request does not say what it should; `errors` has the places.",
        "请求内容有误；位置见 `errors`。",
    ),
    "api.problem.too-many": (
        "The program asks more often than its token allows.",
        "请求次数超过令牌的限制。",
    ),
    "api.problem.defect": (
        "A defect of k3push.",
        "k3push 自身的缺陷。",
    ),
    "api.problem.only-watches": (
        "The server was started without `--work`.",
        "服务启动时没有 `--work`。",
    ),
    "api.problem.no-disk": (
        "The server's disk takes no list now.",
        "服务的磁盘目前无法保存清单。",
    ),
    "api.problem.no-ledger": (
        "The ledger cannot be read or written now.",
        "目前无法读写台账。",
    ),
}
