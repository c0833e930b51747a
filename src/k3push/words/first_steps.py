"""Before and around the first run: init, login, sandbox, demo, schedule."""

from __future__ import annotations

WORDS = {
    "init.ended": (
        "standard input ended before every question was answered; nothing was written",
        "标准输入在回答完所有问题之前已结束，未写入任何文件",
    ),
    "init.exists": (
        "{path} is there already; remove it first or name another with --config",
        "{path} 已存在；请先删除，或用 --config 指定另一个",
    ),
    "init.url": ("Address of K/3 Cloud", "云星空地址"),
    "init.acct": ("Id of the account set (数据中心 / 账套 id)", "数据中心（账套）id"),
    "init.user": ("User name", "用户名"),
    "init.env": (
        "For the password: name of an environment variable",
        "密码所在环境变量的名称",
    ),
    "init.no_variable": (
        "that can be no variable's name (letters of English, digits and _, no digit first). Give the name alone; the password itself is asked for later, unseen, and never written",
        "这不能作为变量名（英文字母、数字和 _，不以数字开头）。此处只填变量名；密码随后另行询问，不显示，也不写入文件",
    ),
    "init.source": ("Source form id", "源单标识"),
    "init.target": ("Target form id", "目标单标识"),
    "init.rule": ("Conversion rule id", "转换规则标识"),
    "init.follow": ("What becomes of documents after the push", "下推之后如何处理下游单据"),
    "init.follow_none": ("they stay as the push makes them (创建)", "保持创建状态"),
    "init.follow_submit": ("they are submitted (提交)", "提交"),
    "init.follow_audit": ("they are submitted and approved (提交, 审核)", "提交并审核"),
    "init.secret": (
        "Password, to look around with (not written; empty: do not look)",
        "密码，仅用于查询站点（不会写入；留空则不查询）",
    ),
    "init.app_id": (
        "App id of the third-party login, if that was its secret; -: none",
        "第三方登录的应用 ID（如上面填的是应用密钥）；- 表示没有",
    ),
    "init.entered": ("logged in by {auth}", "以 {auth} 方式登录成功"),
    "init.refused": ("login by {auth}: refused: {why}", "以 {auth} 方式登录被拒绝：{why}"),
    "init.unreachable": (
        "the site does not answer, so that nothing can be offered: {why}",
        "站点没有应答，无法列出可选项：{why}",
    ),
    "init.no_rules": (
        "the site does not show its conversion rules: {why}",
        "站点不提供转换规则：{why}",
    ),
    "init.more": ("  … and {count} more", "  …… 另有 {count} 项"),
    "init.note": (
        "Every other setting has a default: docs/reference/settings.md lists them.",
        "其余配置均有默认值，见 docs/zh/reference/settings.md。",
    ),
    "init.done": (
        "{path} is written. Set {env}, then run: {command}",
        "已生成 {path}。请设置 {env}，然后执行：{command}",
    ),
    "login.ask": ("Secret for keyring entry {name}", "凭据库条目 {name} 的密码"),
    "login.no_text": ("the secret {why:.}; nothing is stored", "密码{why:.}，未存储"),
    "login.empty": ("an empty secret is not stored", "空密码不予保存"),
    "login.done": ("stored as {name}", "已保存为 {name}"),
    "login.paste": (
        "In config.toml, in the place of the secret:",
        "在 config.toml 中代替密码写：",
    ),
    "login.none": (
        'config.toml names no keyring entry; write password = {{ keyring = "NAME" }} there, or give the name: k3push login set NAME',
        'config.toml 中没有凭据库条目；请写 password = {{ keyring = "NAME" }}，或指定名称：k3push login set NAME',
    ),
    "login.no_keyring": (
        "no keyring can be used ({why}): pip install 'k3push[keyring]' (in a clone '.[keyring]'), or keep the secret in the environment or a file",
        "没有可用的凭据库（{why}）：请 pip install 'k3push[keyring]'（在克隆的目录中用 '.[keyring]'），或把密码放在环境变量或文件中",
    ),
    "sandbox.ready": (
        "account sandbox · user sandbox · password sandbox · stop with Ctrl-C",
        "账套 sandbox · 用户 sandbox · 密码 sandbox · 按 Ctrl-C 停止",
    ),
    "sandbox.no_faults": (
        "--faults {faults}: there is no such preset ({known}), and no such script file",
        "--faults {faults}：没有这样的预设（{known}），也没有这样的脚本文件",
    ),
    "sandbox.config": ("a config.toml for it:", "对应的 config.toml："),
    "demo.not_ours": (
        "{path} is there and is not from a demo, which would replace it; name another folder with --output",
        "{path} 已存在且不是演示生成的文件，演示会将其覆盖；请用 --output 指定其他文件夹",
    ),
    "demo.no_folder": (
        "{path} cannot be the folder of a demo: {why:.}; name another with --output",
        "{path} 不能作为演示文件夹：{why:.}；请用 --output 指定其他文件夹",
    ),
    "demo.begin": (
        "A sandbox at {url}. It loses sessions, refuses some bills, loses one answer after the work was done, and has one document wait in an approval flow.",
        "模拟服务位于 {url}。它会丢失会话、拒绝部分单据，在完成后丢失一次应答，还有一张下游单据停在审批流中。",
    ),
    "demo.books": (
        "The sandbox's own books agree: {documents} {documents:?document|documents}, none twice, and each row of the ledger is true. So the demo ends with 0.",
        "与模拟服务的账目一致：{documents} 张下游单据，无一重复，台账逐行属实。因此演示的退出码为 0。",
    ),
    "demo.untrue": (
        "The ledger and the sandbox's books disagree: {what}",
        "台账与模拟服务的账目不符：{what}",
    ),
    "demo.next": ("Look at one of them: {command}", "查看其中一张：{command}"),
    "schedule.systemd": (
        (
            "Save both parts in ~/.config/systemd/user under the names above them, then:\n"
            "systemctl --user daemon-reload && systemctl --user enable --now k3push.timer\n"
            "loginctl enable-linger lets it run while you are logged out."
        ),
        (
            "请把两部分按其上方的名称存入 ~/.config/systemd/user，然后执行：\n"
            "systemctl --user daemon-reload && systemctl --user enable --now k3push.timer\n"
            "loginctl enable-linger 可使其在您注销后继续运行。"
        ),
    ),
    "schedule.systemd.needs": (
        "systemd does not have {names}: write {count:?it as NAME=VALUE|each as NAME=VALUE in a line of its own} into {secrets} (mode 600).",
        "systemd 中没有 {names}：请以 NAME=VALUE 的形式{count:?|逐行}写入 {secrets}（权限 600）。",
    ),
    "schedule.stdin": (
        "standard input cannot be scheduled; name a file or a folder",
        "标准输入不能定时执行；请指定文件或文件夹",
    ),
    "schedule.missing": (
        "note: {job}: there is no such file or folder now; until there is, the run sends nothing and ends with exit code 2",
        "提示：{job}：目前没有这个文件或文件夹；在它出现之前，任务不会发送任何单据，退出码为 2",
    ),
    "schedule.cron": (
        "Add the line with `crontab -e`.",
        "请用 `crontab -e` 加入此行。",
    ),
    "schedule.cron.needs": (
        "Add the line with `crontab -e`. Cron does not have {names}: keep a secret in a file or a keyring, and any other setting in config.toml.",
        "请用 `crontab -e` 加入此行。cron 中没有 {names}：密码请存放在文件或凭据库中，其他设置请写入 config.toml。",
    ),
    "schedule.schtasks": (
        "Run the line in a command prompt of the user who is to push; keep the secret in the keyring: k3push login set",
        "请以执行下推的用户在命令提示符中运行此行；密码请存入系统凭据库：k3push login set",
    ),
    "schedule.too_long": (
        "schtasks takes {most} characters and the command has {length}; put it into a .cmd file and schedule that, or give a folder of job files",
        "schtasks 最多接受 {most} 个字符，而命令有 {length} 个；请把命令写入 .cmd 文件再定时执行，或指定存放清单的文件夹",
    ),
}
