"""Texts of typer, on which the command line is built: help, and what is wrong with arguments."""

from __future__ import annotations

WORDS = {
    # -- help --------------------------------------------------------------------------------
    "framework.usage": ("Usage: ", "用法："),
    "framework.heading.arguments": ("Arguments", "参数"),
    "framework.heading.options": ("Options", "选项"),
    "framework.heading.commands": ("Commands", "命令"),
    "framework.heading.examples": ("Examples", "示例"),
    "framework.default": ("default: {value}", "默认：{value}"),
    "framework.required": ("required", "必填"),
    "framework.group.begin": ("Begin", "入门"),
    "framework.group.push": ("Push", "下推"),
    "framework.group.look": ("Look", "查看"),
    "framework.group.steer": ("Steer", "控制"),
    "framework.group.operate": ("Operate", "运维"),
    "framework.group.tenants": ("Many tenants", "多租户"),
    # -- wrong arguments ---------------------------------------------------------------------
    "framework.no_command_near": (
        "No such command {name}. Did you mean {near}?",
        "没有命令 {name}。是否应为 {near}？",
    ),
    "framework.no_command_but": (
        "No such command {name}. Use: {instead}",
        "没有命令 {name}。请用：{instead}",
    ),
    "framework.no_undoing": (
        "No such command {name}. What was pushed is deleted in the ERP, by a person; k3push export --output made.csv --state pushed lists it",
        "没有命令 {name}。已下推的单据只能由人在 ERP 中删除；k3push export --output made.csv --state pushed 可将其列出",
    ),
    "framework.no_option_but": (
        "No such option: {name}. Use: {instead}",
        "没有选项 {name}。请用：{instead}",
    ),
    "framework.no_option": ("No such option: {name}", "没有选项 {name}"),
    "framework.no_option_near": (
        "No such option: {name} (Possible options: {near})",
        "没有选项 {name}（相近的有：{near}）",
    ),
    "framework.needs_value": ("Option {name} requires an argument.", "选项 {name} 须给出值。"),
    "framework.takes_no_value": ("Option {name} does not take a value.", "选项 {name} 不带值。"),
    "framework.too_many": (
        "Got unexpected extra argument(s) ({names})",
        "多余的参数（{names}）",
    ),
    "framework.missing_argument": ("Missing argument {name}.", "缺少参数 {name}。"),
    "framework.missing_option": ("Missing option {name}.", "缺少选项 {name}。"),
    "framework.missing_choice": (
        "Missing option {name}. Choose from: {known}",
        "缺少选项 {name}。可选：{known}",
    ),
    "framework.invalid_for": ("Invalid value for {name}: {why}", "{name} 的值有误：{why}"),
    "framework.between": (", ", "、"),
    "framework.not_among": ("{text} is not one of {known}.", "{text} 不在可选值之中：{known}。"),
}
