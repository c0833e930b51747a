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
    "token.made": (
        "Token of {name} for route {route}, role {role}, {rate} requests a minute. It is shown this once.",
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
}
