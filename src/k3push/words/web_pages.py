"""Keys `web.*`: the dashboard's frame, its tables, sign-in and the page of a run; and `serve`."""

from __future__ import annotations

WORDS = {
    "web.title": ("k3push", "k3push 下推"),
    "web.skip": ("Skip to the content", "跳到正文"),
    "web.here": ("where you are", "当前位置"),
    "web.tenants": ("Tenants", "租户"),
    "web.tenant": ("tenant", "租户"),
    "web.last_run": ("last run", "最近任务"),
    "web.runs": ("Runs", "任务"),
    "web.run": ("run", "任务号"),
    "web.route": ("route", "路线"),
    "web.how": ("state", "状态"),
    "web.numbers": ("numbers", "单据"),
    "web.no_runs": (
        "Nothing has been run yet. Begin with `k3push run LIST.csv`.",
        "还没有任务。请从 `k3push run 清单.csv` 开始。",
    ),
    "web.next": ("next page", "下一页"),
    "web.first": ("first page", "第一页"),
    "web.number": ("number, document, list, cause", "编号、单据、清单、原因"),
    "web.search": ("Find", "查找"),
    "web.language": ("中文", "English"),
    "web.leave": ("Sign out", "退出"),
    "web.signed_out": ("Signed out", "已退出登录"),
    "web.left_session": ("You are signed out.", "已退出。"),
    "web.user": ("Signed in as {user}", "当前用户：{user}"),
    "web.role.view": ("may look", "可查看"),
    "web.role.operate": ("may operate", "可操作"),
    "web.role.approve": ("may approve", "可批准"),
    "web.under_way": ("under way", "进行中"),
    "web.killed": ("killed", "被终止"),
    "web.waits": ("waits", "等待中"),
    "web.progress": (
        "{done:,} of {total:,} {total:?number|numbers} done",
        "已完成 {done:,} / {total:,} 张单据",
    ),
    "web.progress_label": ("progress", "进度"),
    "web.left": ("about {left} left", "约剩 {left}"),
    "web.left_range": ("{least} to {most} left", "约剩 {least} 到 {most}"),
    "web.heard": ("{done:,} of {total:,} done, {how}", "已完成 {done:,} / {total:,}，{how}"),
    "web.control": ("Control", "控制"),
    "web.pause": ("Pause", "暂停"),
    "web.continue": ("Continue", "继续"),
    "web.stop": ("Stop", "停止"),
    "web.stop_now": ("Stop the run", "停止任务"),
    "web.stop_sure": (
        "Nothing new is sent, what is on its way is recorded, and the run ends. `k3push resume` continues it later.",
        "不再发送新的批次，已发出的照常记录，然后任务结束；之后可用 `k3push resume` 继续。",
    ),
    "web.concurrency": ("calls at once", "并发调用数"),
    "web.chunk-size": ("numbers in a call", "每批单据数"),
    "web.calls-per-minute": ("calls a minute", "每分钟调用数"),
    "web.auto": ("auto, or 1 to {most}", "auto（自动）或 1 到 {most}"),
    "web.no_limit": (
        "auto, or 0 (no limit) to {most}",
        "auto（自动）或 0（不限）到 {most}",
    ),
    "web.set": ("Set", "设定"),
    "web.obeyed": ("{command}: obeyed at {at}", "{command}：已于 {at} 执行"),
    "web.obeyed_open": (
        "{command}: obeyed at {at}, with {count} {count:?chunk on its|chunks on their} way",
        "{command}：已于 {at} 执行，当时有 {count} 批已发出",
    ),
    "web.bad_command": (
        "{what!r} cannot be set; use auto, or a number within the limits",
        "{what!r} 无法设定；请用 auto 或范围内的数字",
    ),
    "web.pace": ("Pace over time", "节奏变化"),
    "web.pace_show": ("Show the pace over time", "查看节奏变化"),
    "web.no_pace": ("Fewer than three calls have been recorded.", "调用记录不足三次。"),
    "web.rows": ("Numbers", "单据明细"),
    "web.no_rows": ("No number is in this state.", "没有处于此状态的单据。"),
    "web.examples": ("such as", "例如"),
    "web.results": ("Results", "结果"),
    "web.found": ("Where {number} is", "{number} 的记录"),
    "web.not_found": (
        "{number} is in no run. Type a number of a bill or of a document, or four characters of it; a list, a user or a cause are found as well.",
        "没有找到 {number}。请输入源单或下游单据编号，或其中至少四个字符；也可按清单、用户或原因查找。",
    ),
    "web.search_title": ("Find a bill", "查找单据"),
    "web.evidence": ("What happened", "处理经过"),
    "web.settle": ("Settle by hand", "人工核实"),
    "web.settle_there": (
        "Settle by hand, on the number's page",
        "单据页面的“人工核实”",
    ),
    "web.settle_why": (
        "This number is unknown: the answer to its push was lost. Look it up in the ERP, then say what is there. `k3push settle` asks the ERP instead.",
        "此单据结果未知：下推的应答已丢失。请先在 ERP 中查明，再登记结论；也可用 `k3push settle` 核实。",
    ),
    "web.settle_pushed": (
        "pushed: the document is there",
        "已下推：下游单据已存在",
    ),
    "web.settle_absent": (
        "absent: there is no document, and the number may be sent again",
        "未下推：没有下游单据，可重新下推",
    ),
    "web.because": ("How do you know?", "依据"),
    "web.which": ("Which of them is it about?", "指的是哪一处"),
    "web.go_on": ("Continue", "下一步"),
    "web.sure": ("Is this right?", "请确认"),
    "web.sure_pushed": (
        "{number} is recorded as pushed, and is never sent again.",
        "{number} 将登记为已下推，以后不再下推。",
    ),
    "web.sure_absent": (
        "{number} is planned again. If a document does exist, the next `k3push resume` makes a second one.",
        "{number} 将重新列入待下推。若下游单据其实存在，下次 `k3push resume` 会重复下推。",
    ),
    "web.confirm": ("Record it", "确认登记"),
    "web.back": ("Back", "返回"),
    "web.settle_needs": (
        "Say what is there, and how you know.",
        "请选择结论并填写依据。",
    ),
    "web.sent_since": (
        "{number} was sent again after this page was shown. Look once more.",
        "页面打开后，{number} 又下推过一次。请重新核实。",
    ),
    "web.not_in_doubt": (
        "{number} is no longer unknown.",
        "{number} 的结果已经查明。",
    ),
    "web.user_name": ("User", "用户名"),
    "web.defect": (
        "a defect of k3push ended it: {what:.}; its log has the rest",
        "k3push 自身的缺陷使其终止：{what:.}；详情见日志",
    ),
    "web.no_right": (
        "Your role does not include this. Whoever keeps the settings grants it in `roles` of `[serve]`.",
        "您的角色无权执行此操作。可由管理员在 `[serve]` 的 `roles` 中授权。",
    ),
    "web.password": ("Password", "密码"),
    "web.openid.sign_out": ("Sign out of the provider as well", "同时退出登录服务"),
    "web.openid.away": (
        "The provider of sign-ins cannot be reached, or says nothing of use. Try again; the log of `k3push serve` has more.",
        "无法连接登录服务，或其返回内容不可用。请重试；详情见 `k3push serve` 的日志。",
    ),
    "web.openid.refused": (
        "The provider has signed nobody in. Sign in again; if it refuses you there, ask whoever keeps it.",
        "此次登录未获登录服务通过。请重新登录；若仍被拒绝，请联系登录服务的管理员。",
    ),
    "web.openid.untrue": (
        "What the provider said is not proved, so nobody was let in. The log of `k3push serve` has more.",
        "登录服务的应答未能证实，因此拒绝登录。详情见 `k3push serve` 的日志。",
    ),
    "web.openid.state": (
        "This sign-in was begun in another browser, too long ago, or used before. Sign in again.",
        "此次登录是在其他浏览器中开始的、已过期，或已使用过。请重新登录。",
    ),
    "web.openid.no_name": (
        "The provider gives no name for you; see `user_claim` in the settings.",
        "登录服务没有给出您的用户名；请检查配置中的 `user_claim`。",
    ),
    "web.openid.no_role": (
        "The provider gives you no role here. Whoever keeps the settings says which of its groups have one, in `roles` of `[serve.openid]`.",
        "登录服务没有给您分配此处的角色。哪些组有角色，由管理员在 `[serve.openid]` 的 `roles` 中设置。",
    ),
    "web.sign_in": ("Sign in", "登录"),
    "web.wrong_password": ("The password is wrong.", "密码错误。"),
    "web.wait": (
        "Too many wrong passwords. Try again in {seconds} s.",
        "密码错误次数过多，请在 {seconds} 秒后再试。",
    ),
    "web.welcome": ("You are signed in.", "已登录。"),
    "web.enter": ("Go to the runs", "进入"),
    "web.refused": ("Refused", "已拒绝"),
    "web.not_here": ("Not found", "未找到"),
    "web.find_tenant": ("Find", "查找"),
    "web.next_tenants": ("More tenants", "更多租户"),
    "web.searched": ("{count} tenants were searched.", "已查找 {count} 个租户。"),
    "web.search_on": ("Search on", "继续查找"),
    "web.search_parts": ("Search for a part of it, too", "也查找包含它的内容"),
    "web.bad_address": ("This address holds what no name can.", "地址中含有名称不允许的字符。"),
    "web.no_metrics_token": (
        "Metrics need the token: Authorization: Bearer, and metrics_token of [serve].",
        "获取指标需要令牌：Authorization: Bearer 加 [serve] 的 metrics_token。",
    ),
    "web.no_session": (
        "Open the address that `k3push serve` has printed. It works once; for another browser, start `k3push serve` again.",
        "请打开 `k3push serve` 输出的地址。该地址只能使用一次；如需在另一浏览器中查看，请重新启动 `k3push serve`。",
    ),
    "web.bad_host": (
        "This name is not one of the dashboard's. Add it to `hosts` in `[serve]`.",
        "此主机名不在允许之列。请加入 `[serve]` 的 `hosts`。",
    ),
    "web.bad_origin": (
        "The form was not sent by the dashboard's own page. A reverse proxy before it has to keep the Host, with its port.",
        "该请求不是由本页面发出的。如果前面有反向代理，代理必须保留 Host 及其端口。",
    ),
    "web.session_ended": (
        "Your session had ended, so nothing was done. Sign in, and do it once more.",
        "会话已结束，刚才的操作未执行。请登录后重试。",
    ),
    "web.bad_form": (
        "The form does not belong to this session. Load the page again.",
        "表单不属于当前会话，请重新加载页面。",
    ),
    "web.too_much": ("The form is too large.", "提交的内容过大。"),
    "web.no_user": (
        "The reverse proxy has named no user.",
        "反向代理没有给出用户名。",
    ),
    "web.not_proxy": (
        "Only requests of the reverse proxy are accepted.",
        "只接受来自反向代理的请求。",
    ),
    "web.no_method": ("There is no such request here.", "不支持此请求方式。"),
    "web.nothing_here": ("There is nothing here.", "没有此页面。"),
    "web.ledger_lost": ("The ledger cannot be read", "无法读取台账"),
    "web.offline": (
        "The live view is interrupted; it recovers by itself.",
        "实时更新已中断，会自动恢复。",
    ),
    "web.times": (
        "Times are those of the server (now {zone}).",
        "时间均为服务器时间（现为 {zone}）。",
    ),
    "web.changed": ("The run has changed; load the page again.", "任务状态已变，请重新加载页面。"),
    # -- the command -------------------------------------------------------------------------
    "serve.defect": (
        "skipped: {file}: a defect of k3push: {what:.}; the log has the rest",
        "已跳过：{file}：k3push 自身的缺陷：{what:.}；详情见日志",
    ),
    "serve.entry.token": (
        "The address lets one browser in, once. Stop with Ctrl-C.",
        "此地址只允许一个浏览器进入一次。按 Ctrl-C 停止。",
    ),
    "serve.entry.password": (
        "Sign in with the password of [serve]. Stop with Ctrl-C.",
        "请用 [serve] 中的密码登录。按 Ctrl-C 停止。",
    ),
    "serve.entry.proxy": (
        "Only requests of the reverse proxy are accepted. Stop with Ctrl-C.",
        "只接受来自反向代理的请求。按 Ctrl-C 停止。",
    ),
    "serve.entry.openid": (
        "Sign in through the provider of [serve.openid]. Stop with Ctrl-C.",
        "请通过 [serve.openid] 的登录服务登录。按 Ctrl-C 停止。",
    ),
    "serve.schedules": (
        "It begins what is due: {names}.",
        "到点时启动：{names}。",
    ),
    "serve.works": (
        "What is started in the browser is executed here, and goes on after a restart.",
        "在浏览器中发起的任务由本进程执行，重启后会继续。",
    ),
    "serve.enqueues": (
        "What is started in the browser is planned here, and pushed by the fleet's workers.",
        "在浏览器中发起的任务由本进程生成计划，由集群的工作进程下推。",
    ),
    "serve.plain": (
        "warning: the password travels unencrypted; put a reverse proxy with TLS before it",
        "警告：密码以明文传输；请在前面设置启用 TLS 的反向代理",
    ),
    "serve.open_door": (
        "--host {host}: other machines could come in; set password, passwords or user_header in [serve], or [serve.openid]",
        "--host {host}：其他机器也能访问；请在 [serve] 中设置 password、passwords 或 user_header，或设置 [serve.openid]",
    ),
    "serve.nobody_named": (
        "{file}: roles need to know who somebody is: set passwords or user_header in [serve], or [serve.openid]",
        "{file}：roles 需要知道用户是谁：请在 [serve] 中设置 passwords 或 user_header，或设置 [serve.openid]",
    ),
    "serve.short_password": (
        "has fewer than {least} characters; take a longer one",
        "少于 {least} 个字符；请换用更长的密码",
    ),
    "serve.all_clash": (
        "the tenants {names} share a ledger and an acct_id, but not an ERP, so their numbers could not be told apart; give each a ledger of its own",
        "租户 {names} 的台账和 acct_id 相同，而 ERP 不同，单据无法区分；请为每个租户单独指定台账",
    ),
    "serve.no_tenants": ("{folder}: there is no *.toml in it", "{folder}：其中没有 *.toml 文件"),
    "serve.same_name": (
        "{path}: two tenants are named {name}; a tenant is named by its file, so rename one",
        "{path}：有两个租户名为 {name}；租户以文件名命名，请改名",
    ),
    "serve.two_doors": (
        "{one} and {other} differ in [serve]; keep it in one of them",
        "{one} 与 {other} 的 [serve] 不同；请只保留一处",
    ),
}
