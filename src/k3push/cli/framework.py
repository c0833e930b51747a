"""typer's own texts in the language of the command line.

typer has them in English alone. Its exceptions tell most by their kind and attributes; the rest is
recognised by the form of its sentences, and what is not recognised stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from k3push.words.language import Say

if TYPE_CHECKING:
    from typer.core import TyperGroup

_HEADINGS = frozenset({"Arguments", "Options", "Commands"})

# What stands behind the help of an option, such as `[default: 8100; required]`.
_EXTRAS = re.compile(r"(?:  |^)\[([^\[\]]+)\]$")

WIDEST_NAME = 30
"""Columns of an option beside which its help still stands on one line."""


def speak(group: TyperGroup, say: Say) -> None:
    """Let a command and those below it write their help in the language of *say*.

    Chinese is broken into lines by the columns that it takes, which typer does not count. English
    needs nothing of this.
    """
    made = _context_class(type(group).context_class, say)
    commands: list[Any] = [group]
    while commands:
        command = commands.pop()
        command.context_class = made
        commands += getattr(command, "commands", {}).values()


def what_is_wrong(error: Any, say: Say) -> str:
    """Say what is wrong with the arguments, from an exception of typer."""
    match type(error).__name__:
        case "NoArgsIsHelpError":
            return str(error.message)
        case "NoSuchOption" if error.possibilities:
            near = ", ".join(sorted(error.possibilities))
            return say("framework.no_option_near", name=error.option_name, near=near)
        case "NoSuchOption":
            return say("framework.no_option", name=error.option_name)
        case "MissingParameter":
            return _missing(error, say)
        case "BadParameter":
            return _invalid(error, say)
        case _:
            return _recognised(error.format_message(), say)


def _missing(error: Any, say: Say) -> str:
    name = error.param.get_error_hint()
    if error.param.param_type_name == "argument":
        return say("framework.missing_argument", name=name)
    _, chooses, choices = error.format_message().partition("Choose from:")
    if chooses:
        return say("framework.missing_choice", name=name, known=" ".join(choices.split()))
    return say("framework.missing_option", name=name)


def _invalid(error: Any, say: Say) -> str:
    from pydantic import ValidationError  # noqa: PLC0415

    from k3push.config.invalid_values import remark_on  # noqa: PLC0415

    why = error.message
    if isinstance(error.__cause__, ValidationError):
        why = remark_on(error.__cause__.errors()[0])
    if found := re.fullmatch(r"(.+) is not one of (.+)\.", why):
        why = say("framework.not_among", text=found[1], known=found[2])
    if error.param is None:
        return say("framework.invalid", why=why)
    return say("framework.invalid_for", name=error.param.get_error_hint(), why=why)


_FORMS = (
    (r"No such command (?P<name>.+)\. Did you mean (?P<near>.+)\?", "framework.no_command_near"),
    (r"No such command (?P<name>.+)\.", "framework.no_command"),
    (r"Option (?P<name>'.+') requires an argument\.", "framework.needs_value"),
    (r"Option (?P<name>'.+') does not take a value\.", "framework.takes_no_value"),
    (r"Got unexpected extra argument\(s\) \((?P<names>.*)\)", "framework.too_many"),
)


def _recognised(text: str, say: Say) -> str:
    for form, key in _FORMS:
        if found := re.fullmatch(form, text, re.DOTALL):
            return say(key, **found.groupdict())
    return text


def _context_class(base: type[Any], say: Say) -> type[Any]:
    formatter = _formatter_class(base.formatter_class, say)

    class SpeakingContext(base):  # type: ignore[misc]  # typer's own class has no public name
        formatter_class = formatter

    return SpeakingContext


def _formatter_class(base: type[Any], say: Say) -> type[Any]:
    from k3push.words.width import columns, wrapped  # noqa: PLC0415

    class SpeakingFormatter(base):  # type: ignore[misc]  # as above
        """Writes the parts of a help."""

        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            super().write_usage(prog, args, say("framework.usage") if prefix is None else prefix)

        def write_heading(self, heading: str) -> None:
            name = say(f"framework.heading.{heading.lower()}") if heading in _HEADINGS else heading
            self.write(f"{' ' * self.current_indent}{name}：\n")

        def write_text(self, text: str) -> None:
            indent = " " * self.current_indent
            for line in wrapped(text, self.width - self.current_indent):
                self.write(f"{indent}{line}\n")

        def write_dl(
            self, rows: Sequence[tuple[str, str]], col_max: int = WIDEST_NAME, col_spacing: int = 2
        ) -> None:
            indent = self.current_indent
            first = min(max(columns(name) for name, _ in rows), col_max) + col_spacing
            for name, text in rows:
                lines = wrapped(_help_of(name, text, say), self.width - first - indent)
                beside = columns(name) + col_spacing <= first
                gap = " " * (first - columns(name)) if beside else f"\n{' ' * (first + indent)}"
                self.write(f"{' ' * indent}{name}{gap if lines else ''}")
                self.write(f"\n{' ' * (first + indent)}".join(lines) + "\n")

    return SpeakingFormatter


def _help_of(name: str, text: str, say: Say) -> str:
    if name.endswith("--help"):
        return say("option.help")
    return _EXTRAS.sub(lambda found: f" [{_extras(found[1], say)}]", text)


def _extras(text: str, say: Say) -> str:
    said = []
    for part in text.split("; "):
        kind, _, value = part.partition(": ")
        if part == "required":
            said.append(say("framework.required"))
        elif kind == "default":
            said.append(say("framework.default", value=value))
        else:
            said.append(part)
    return "；".join(said)
