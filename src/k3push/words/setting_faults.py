"""What can be wrong with the settings, and the cure; a fault stands behind its key."""

from __future__ import annotations

WORDS = {
    "setting.place": ("{file}, line {line}", "{file}，第 {line} 行"),
    "setting.fault": ("{place}: {what}", "{place}：{what}"),
    "setting.of_key": ("{key}: {what}", "{key}：{what}"),
    "setting.from_variable": ("{what} (from {variable})", "{what}（来自 {variable}）"),
    "setting.with_variables": ("{what} (with {variables})", "{what}（另有 {variables}）"),
    "setting.environment": ("environment", "环境变量"),
    # -- the file ----------------------------------------------------------------------------
    "setting.no_toml": ("no valid TOML: {why}", "不是有效的 TOML：{why}"),
    "setting.bare_name": (
        'a name with other letters than A-Z, a-z, 0-9, - and _ must stand in quotation marks in TOML: "{name}"',
        '名称含有英文字母、数字、- 和 _ 以外的字符时，在 TOML 中须加英文引号："{name}"',
    ),
    "setting.wide_marks": (
        "full-width marks ({marks}) are no part of TOML; type \" ' = , [ ] {{ }} in their place",
        "全角或中文标点（{marks}）不是 TOML 的写法；请改用英文的 \" ' = , [ ] {{ }}",
    ),
    "setting.section_twice": (
        "the section [{name}] is there twice; keep one",
        "[{name}] 一节写了两次；请合并为一处",
    ),
    "setting.is_folder": ("this is a folder; name a file in it", "这是文件夹；请指定其中的文件"),
    "setting.no_file": (
        "there is no such file. Check the name and the folder",
        "文件不存在。请检查文件名和所在文件夹",
    ),
    "setting.not_utf8": ("it is not UTF-8; save it as UTF-8", "不是 UTF-8 编码；请另存为 UTF-8"),
    "setting.file_name": (
        "its name is not UTF-8 text; rename the file",
        "文件名不是 UTF-8 文本，请改名",
    ),
    "setting.too_large": (
        "it has more than {most} bytes, so it is no configuration",
        "超过 {most} 字节，不是配置文件",
    ),
    "setting.too_deep": ("is nested more than {most} deep", "嵌套超过 {most} 层"),
    "setting.bad_key": ("the key {key!r} {why}", "键 {key!r} {why}"),
    # -- texts and values of any setting -----------------------------------------------------
    "text.nul": ("holds a NUL character", "含有 NUL 字符"),
    "text.not_utf8": ("is not UTF-8 text", "不是 UTF-8 文本"),
    "setting.missing": ("is missing", "缺少此项"),
    "setting.unknown_key": ("unknown key", "没有此配置项"),
    "setting.unknown_key_near": (
        "unknown key; did you mean {near!r}?",
        "没有此配置项；是否应为 {near!r}？",
    ),
    "setting.no_table": (
        "begins as a secret that stands elsewhere, and can be read neither as TOML nor as JSON; a shell takes quotation marks away that are not quoted themselves: '{{ env = \"NAME\" }}'",
        "以引用密钥的写法开头，但既不是有效的 TOML，也不是 JSON；外层不加引号时，shell 会去掉其中的引号，请写作 '{{ env = \"NAME\" }}'",
    ),
    "setting.no_setting": ("names no setting", "不对应任何配置项"),
    "setting.whole_number": ("must be a whole number", "须为整数"),
    "setting.number": ("must be a number", "须为数字"),
    "setting.finite": ("must be a finite number", "须为有限的数字"),
    "setting.bits": ("is a whole number of more than 64 bits", "整数超过 64 位"),
    "setting.date": (
        "is a date or a time; write it in quotation marks",
        "是日期或时间；请加引号",
    ),
    "setting.text": ("must be text, in quotation marks", "须为文本，请加引号"),
    "setting.yes_or_no": ("must be true or false", "须为 true 或 false"),
    "setting.list": ("must be a list, in [ ]", "须为列表，写在 [ ] 内"),
    "setting.table": ("must be a table of keys and values", "须为由键和值组成的表"),
    "setting.one_of": ("use one of: {known}", "请用其中之一：{known}"),
    "setting.above": ("must be above {gt:g}", "须大于 {gt:g}"),
    "setting.at_least": ("must be at least {ge:g}", "不能小于 {ge:g}"),
    "setting.at_most": ("must be at most {le:g}", "不能大于 {le:g}"),
    "setting.empty": ("must not be empty", "不能为空"),
    "setting.unseen": (
        "holds a character that cannot be seen; type it again",
        "含有不可见字符；请重新输入",
    ),
    "setting.size": (
        'use a number from {least} to {most}, or "auto"',
        '请用 {least} 到 {most} 的数字，或 "auto"',
    ),
    "setting.package": (
        "needs a package: pip install 'k3push[{extra}]' (in a clone '.[{extra}]')",
        "需要组件：pip install 'k3push[{extra}]'（在克隆的目录中用 '.[{extra}]'）",
    ),
    # -- secrets -----------------------------------------------------------------------------
    "secret.form": (
        'use {{ env = "NAME" }}, {{ keyring = "…" }}, {{ command = ["…"] }} or {{ file = "…" }}',
        '请用 {{ env = "NAME" }}、{{ keyring = "…" }}、{{ command = ["…"] }} 或 {{ file = "…" }}',
    ),
    "secret.slow": (
        "the command gave no secret within {seconds:g} s; it must ask nobody",
        "命令在 {seconds:g} 秒内没有给出密码；它不能询问任何人",
    ),
    "secret.none": ("{kind} gave no secret ({why})", "{kind} 没有给出密码（{why}）"),
    "secret.exit": ("exit {code}", "退出码 {code}"),
    "secret.not_set": ("{where} is not set, or is empty", "{where} 未设置或为空"),
    "secret.no_keyring": (
        "keyring needs a package: pip install 'k3push[keyring]' (in a clone '.[keyring]')",
        "keyring（凭据库）需要组件：pip install 'k3push[keyring]'（在克隆的目录中用 '.[keyring]'）",
    ),
    "secret.no_entry": (
        "keyring has no such entry, or an empty one; store it with `k3push login set`",
        "keyring（凭据库）中没有此项，或为空；请用 `k3push login set` 保存",
    ),
    "secret.no_variable": (
        "env takes the name of an environment variable (letters of English, digits and _, no digit first), and not the secret itself; what stands there is neither a name nor set",
        "env 应填环境变量名（英文字母、数字和 _，不以数字开头），而不是密码本身；现在填的不是变量名，也没有这样的变量",
    ),
    "secret.flaw": ("the secret {why}", "密码{why}"),
    # -- erp -----------------------------------------------------------------------------------
    "url.scheme": ("it must begin with http:// or https://", "须以 http:// 或 https:// 开头"),
    "url.no_address": ("it is no address of a server", "不是服务器地址"),
    "url.no_host": ("it names no host", "没有主机名"),
    "url.bad_host": ("no host can be named {host!r}", "{host!r} 不能作为主机名"),
    "url.user": (
        "put the user and the password under their own keys, not here",
        "用户名和密码请写在各自的配置项中，不要写在这里",
    ),
    "url.end": (
        "it must end with the host, or with /K3Cloud/",
        "须以主机名或 /K3Cloud/ 结尾",
    ),
    "erp.needed": ('is needed for auth = "{auth}"', 'auth = "{auth}" 时必须填写'),
    "erp.user_twice": ("{user} is there already", "{user} 已经有了"),
    "erp.certificates": (
        "{path}: {why:.}; name a file of PEM certificates",
        "{path}：{why:.}；请指定 PEM 证书文件",
    ),
    "erp.proxy": (
        "names no proxy of http:// or https://, the only kinds that are supported",
        "不是 http:// 或 https:// 代理；只支持这两种",
    ),
    # -- ledger ----------------------------------------------------------------------------------
    "setting.postgres_url": (
        "this is no URL of PostgreSQL; write special characters of the password in %-codes (/ is %2F), or name it under password instead",
        "不是有效的 PostgreSQL URL；密码中的特殊字符请用 % 编码（/ 写作 %2F），或改用 password 指定",
    ),
    "setting.ledger_url": (
        "use sqlite:///FILE or postgresql://USER@HOST:PORT/DATABASE",
        "请用 sqlite:///文件 或 postgresql://用户@主机:端口/数据库",
    ),
    "setting.select_alone": (
        '"select" stands alone; make another schedule for the lists, or call a folder of that name ./select',
        '"select" 须单独使用；清单请另设一个 schedule，同名文件夹请写 ./select',
    ),
    "setting.ledger_file": (
        "a ledger is a file, and takes no options behind a ?; use sqlite:///FILE",
        "台账是一个文件，? 之后不能带选项；请用 sqlite:///文件",
    ),
    "setting.no_database": (
        "name the database: postgresql://USER@HOST:PORT/DATABASE",
        "请写明数据库：postgresql://用户@主机:端口/数据库",
    ),
    "setting.two_passwords": (
        "the password is in ledger.url as well; keep one of them",
        "ledger.url 中也有密码；请只保留一处",
    ),
    "setting.days": (
        'is days, such as "400d", and at least "{fewest}d"; "" keeps all',
        '为天数，例如 "400d"，至少 "{fewest}d"；"" 表示全部保留',
    ),
    "setting.sqlite_password": ("is for a ledger in PostgreSQL", "仅用于 PostgreSQL 台账"),
    # -- run and settle --------------------------------------------------------------------------
    "halt.form": (
        "{text!r} is not a halt rule; use fail=20%,min=50 or fail=N or unknown=N, and before it soon or now",
        "{text!r} 不是停止规则；请用 fail=20%,min=50、fail=N 或 unknown=N，前面可加 soon 或 now",
    ),
    "halt.never": (
        "{text!r} is never reached; use at most fail=100%",
        "{text!r} 永远不会达到；最大为 fail=100%",
    ),
    "halt.min_alone": (
        "{text!r}: min=N counts for fail=N% alone, which is missing; use fail=20%,min=50",
        "{text!r}：min=N 只对 fail=N% 起作用，而规则中没有；请用 fail=20%,min=50",
    ),
    "halt.twice": (
        "{text!r}: {part} is there twice; keep one of them",
        "{text!r}：{part} 写了两次，请只保留一个",
    ),
    "halt.both": ("a halt rule is either soon or now", "停止规则只能用 soon 或 now 之一"),
    "window.form": (
        '{text!r} is no window; use two times such as "20:00-06:00"',
        '{text!r} 不是时段；请写两个时刻，如 "20:00-06:00"',
    ),
    "window.no_time": (
        '{text!r} names no time of day; use times from "00:00" to "24:00"',
        '{text!r} 中没有有效时刻；请用 "00:00" 到 "24:00"',
    ),
    "window.empty": (
        '{text!r} ends where it begins; use "" to send at any time',
        '{text!r} 起止相同；如不限时段请写 ""',
    ),
    "settle.short_window": (
        'must be above {least:g}, which is {connect} + {answer}: while a call may still be at work, "not there" proves nothing; raise settle.window_s, or lower {answer}',
        "须大于 {least:g}，即 {connect} + {answer}：调用可能仍在处理时，查不到不能说明未下推；请增大 settle.window_s，或减小 {answer}",
    ),
    "settle.late": (
        "must not be above {window} ({most:g}), which would be over before the first question",
        "不能大于 {window}（{most:g}），否则时限已过还没有查询过",
    ),
    # -- routes ------------------------------------------------------------------------------------
    "route.which": ("name one of: {known}", "请指明其一：{known}"),
    "route.of_line": (
        "names no route, though other lines do; fill it in, or name one of these with --route: {known}",
        "未指明路线，而其他行已指明；请填写，或用 --route 指明其一：{known}",
    ),
    "route.none": ("no route {name!r}; there are: {known}", "没有路线 {name!r}；现有：{known}"),
    "route.none_near": (
        "no route {name!r}; did you mean {near!r}? There are: {known}",
        "没有路线 {name!r}；是否应为 {near!r}？现有：{known}",
    ),
    "route.rule": (
        "give either rule or default_rule = true",
        "请写 rule，或写 default_rule = true",
    ),
    "route.follow": (
        'must be [], ["submit"] or ["submit", "audit"], in this order',
        '应为 []、["submit"] 或 ["submit", "audit"]，顺序不可变',
    ),
    "route.own_field": (
        "{name} names the target document itself and no source; name the field that holds the source's number",
        "{name} 是下游单据自身的字段，不是源单；请填写保存源单编号的字段",
    ),
    # -- notify, metrics, serve --------------------------------------------------------------------
    "setting.no_service": (
        "no service knows the address that begins with {scheme}://",
        "没有识别 {scheme}:// 地址的通知服务",
    ),
    "metrics.address": (
        'use an address such as "http://127.0.0.1:4318"',
        '请用 "http://127.0.0.1:4318" 这样的地址',
    ),
    "metrics.secret": (
        "it holds no secret; OTEL_EXPORTER_OTLP_HEADERS takes one",
        "这里不能写密码；请用 OTEL_EXPORTER_OTLP_HEADERS",
    ),
    "setting.header": (
        'name a header, such as "X-Remote-User"',
        '请填写请求头名称，如 "X-Remote-User"',
    ),
    "setting.no_route_name": (
        "the name of a route must not be empty: [routes.po-instock], say",
        "路线名称不能为空，例如 [routes.po-instock]",
    ),
    "setting.served_name": (
        "{text!r} is no host name as a browser sends it; write one such as erp.example.com, without a port",
        "{text!r} 不是浏览器所发送的主机名；请写成 erp.example.com 这样，不带端口",
    ),
    "setting.network": (
        "{text!r} is no address; use addresses such as 10.0.0.5 or 10.0.0.0/24",
        "{text!r} 不是地址；请用 10.0.0.5 或 10.0.0.0/24 这样的地址",
    ),
    "setting.password_or_header": (
        "give either a password or the header of a reverse proxy",
        "密码与反向代理的请求头只能用其一",
    ),
    "setting.webhook_secret": (
        "receivers need it to know who has told them: set it beside webhooks",
        "接收方据此确认消息来源；设置 webhooks 时必填",
    ),
    "setting.webhook_short": (
        "has {least} characters at least",
        "至少 {least} 个字符",
    ),
    "setting.webhook_address": (
        "is no address; http or https, with a host",
        "不是地址；应为 http 或 https，并含主机名",
    ),
    "setting.issuer": (
        "is the provider's https address, as its discovery document has it (http on this machine alone)",
        "为登录服务的 https 地址，与其发现文档一致（仅本机可用 http）",
    ),
    "setting.openid_alone": (
        "stands alone: without password, passwords and user_header",
        "不能与 password、passwords 或 user_header 同时使用",
    ),
    "setting.openid_needs": ("[serve.openid] needs {key}", "[serve.openid] 需要 {key}"),
    "setting.openid_scope": ('must hold "openid"', '必须包含 "openid"'),
    "setting.openid_roles": (
        "roles and roles_claim go together",
        "roles 与 roles_claim 必须同时填写",
    ),
    "setting.openid_everybody": (
        "is needed with [serve.openid], or its roles_claim: else whoever the provider knows could approve pushes",
        "使用 [serve.openid] 时必须填写，或填写其 roles_claim：否则登录服务的任何用户都能批准下推",
    ),
    "setting.passwords_alone": (
        "give passwords by name, or one for all, or the header of a reverse proxy",
        "按用户的密码、共用密码、反向代理的请求头只能用其一",
    ),
    "setting.nobody_named": (
        "needs to know who somebody is: set passwords by name, user_header or [serve.openid]",
        "需要知道用户是谁：请设置按用户的密码（passwords）、user_header 或 [serve.openid]",
    ),
    "setting.no_password_of": (
        "{name!r} has no password in serve.passwords, so nobody can be that",
        "serve.passwords 中没有 {name!r} 的密码，无人能以此身份登录",
    ),
    "setting.whose_header": (
        "is needed for user_header: the proxies whose word is taken for it",
        "使用 user_header 时必须填写：信任哪些代理",
    ),
    # -- fleet and schedules -----------------------------------------------------------------------
    "setting.fleet_database": (
        "use postgresql://USER@HOST:PORT/DATABASE",
        "请用 postgresql://用户@主机:端口/数据库",
    ),
    "setting.tenant_name": (
        "the name is too long; {most} bytes are the most",
        "名称过长；最多 {most} 字节",
    ),
    "cron.form": (
        '{text!r}: use five fields: minute hour day month weekday, such as "0 20 * * 1-5"',
        '{text!r}：请写五项：分 时 日 月 星期，如 "0 20 * * 1-5"',
    ),
    "cron.bad": (
        '{text!r}: {why:.}; use five fields: minute hour day month weekday, such as "0 20 * * 1-5"',
        '{text!r}：{why:.}；请写五项：分 时 日 月 星期，如 "0 20 * * 1-5"',
    ),
    "cron.field.minute": ("bad minute", "“分”有误"),
    "cron.field.hour": ("bad hour", "“时”有误"),
    "cron.field.day-of-month": ("bad day of the month", "“日”有误"),
    "cron.field.month": ("bad month", "“月”有误"),
    "cron.field.day-of-week": ("bad weekday", "“星期”有误"),
    "cron.never": ("{text!r} names no day that ever comes", "{text!r} 指定的日期永远不会到来"),
    "cron.zone": (
        'there is no time zone {name!r}; use an IANA name such as "Asia/Shanghai"',
        '没有时区 {name!r}；请用 IANA 名称，如 "Asia/Shanghai"',
    ),
    "cron.no_zones": (
        "this machine has no list of time zones, so {name!r} cannot be found; pip install tzdata",
        "本机没有时区数据，找不到 {name!r}；请执行 pip install tzdata",
    ),
}
