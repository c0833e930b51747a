"""typer's own texts in the language of the command line, and its help without its noise.

typer has them in English alone. Its exceptions tell most by their kind and attributes; the rest is
recognised by the form of its sentences, and what is not recognised stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from k3push.words.language import Say

if TYPE_CHECKING:
    from typer.core import TyperGroup

_HEADINGS = frozenset({"Arguments", "Options", "Commands", "Examples"})

# What stands behind the help of an option, such as `[default: 8100; required]`.
_EXTRAS = re.compile(r"(?:  |^)\[([^\[\]]+)\]$")

# What typer tells of the types of values, and what a person would write for it.
_TYPES = {"<str>": "TEXT", "<path>": "FILE", "<int>": "N", "<float>": "N"}
# What a usage says of an argument that is needed, and such of them as are a choice.
_BRACED = re.compile(r"\{(.+?)\}(?:\.\.\.)?(?= |$)")
_CHOICE = re.compile(r"\w+(?:\|\w+)+")
# Such as `x>=1` and `0<=x<=9`.
_RANGE = re.compile(r"[-.\d]*[<=]*x[<>=]*[-.\d]*")

# What other tools call it, and the command line that does it here.
_INSTEAD = {
    "help": "k3push --help",
    "version": "k3push --version",
    "push": "k3push run",
    "start": "k3push run",
    "list": "k3push runs",
    "ls": "k3push runs",
    "history": "k3push runs",
    "log": "k3push explain",
    "logs": "k3push explain",
    "show": "k3push explain",
    "pause": "k3push control pause",
    "continue": "k3push control continue",
    "stop": "k3push control stop",
    "cancel": "k3push control stop",
    "validate": "k3push check",
    "dashboard": "k3push serve",
    "--dry-run": "k3push plan",
}
# What nothing does here.
_UNDONE = {"undo", "rollback", "revert", "delete"}

WIDEST_NAME = 30
"""Columns of an option beside which its help still stands on one line."""


def speak(group: TyperGroup, say: Say) -> None:
    """Let a command and those below it write their help in the language of *say*.

    Chinese is broken into lines by the columns that it takes, which typer does not count.
    """
    base = type(group).context_class
    formatter = _plain_class(base.formatter_class)
    made = _context_class(base, formatter if say.lang == "en" else _formatter_class(formatter, say))
    commands: list[Any] = [group]
    while commands:
        command = commands.pop()
        command.context_class = made
        if command is not group and command.epilog:
            command.format_epilog = partial(_write_examples, command.epilog)
        commands += getattr(command, "commands", {}).values()


def _write_examples(epilog: str, _: Any, formatter: Any) -> None:
    """Write the examples of a command as they can be pasted, a line each."""
    with formatter.section("Examples"):
        for each in epilog.split(" · "):
            formatter.write(f"{' ' * formatter.current_indent}{each}\n")


def what_is_wrong(error: Any, say: Say) -> str:
    """Say what is wrong with the arguments, from an exception of typer."""
    match type(error).__name__:
        case "NoArgsIsHelpError":
            return str(error.message)
        case "NoSuchOption":
            return _unknown_option(error, say)
        case "MissingParameter":
            return _missing(error, say)
        case "BadParameter":
            return _invalid(error, say)
        case _:
            return _unknown_command(error, say) or _recognised(error.format_message(), say)


def _unknown_option(error: Any, say: Say) -> str:
    name = error.option_name
    if instead := _INSTEAD.get(name):
        return say("framework.no_option_but", name=name, instead=instead)
    if error.possibilities:
        near = say("framework.between").join(sorted(error.possibilities))
        return say("framework.no_option_near", name=name, near=near)
    return say("framework.no_option", name=name)


def _unknown_command(error: Any, say: Say) -> str:
    """Say what to type instead of a command that is not there; "" where one is near it."""
    found = re.match(r"No such command '(\S+)'\.( Did you mean)?", error.format_message())
    if found is None or error.ctx is None:
        return ""
    name, near, is_first = found[1], found[2], error.ctx.parent is None
    if is_first and name in _UNDONE:
        return say("framework.no_undoing", name=repr(name))
    instead = _INSTEAD.get(name, "") if is_first else ""
    if near and not instead:
        return ""
    instead = instead or f"{error.ctx.command_path} --help"
    return say("framework.no_command_but", name=repr(name), instead=instead)


def _missing(error: Any, say: Say) -> str:
    name = error.param.get_error_hint()
    if error.param.param_type_name == "argument":
        return say("framework.missing_argument", name=name)
    _, chooses, choices = error.format_message().partition("Choose from:")
    if chooses:
        known = say("framework.between").join(choices.replace(",", " ").split())
        return say("framework.missing_choice", name=name, known=known)
    return say("framework.missing_option", name=name)


def _invalid(error: Any, say: Say) -> str:
    from pydantic import ValidationError  # noqa: PLC0415

    from k3push.config.invalid_values import remark_on_value  # noqa: PLC0415

    why = error.message
    if isinstance(error.__cause__, ValidationError):
        why = remark_on_value(error.__cause__.errors()[0])
    if found := re.fullmatch(r"(.+) is not one of (.+)\.", why):
        known = found[2].replace(", ", say("framework.between"))
        why = say("framework.not_among", text=found[1], known=known)
    if error.param is None:
        return str(why)
    return say("framework.invalid_for", name=error.param.get_error_hint(), why=why)


_FORMS = (
    (r"No such command (?P<name>.+)\. Did you mean (?P<near>.+)\?", "framework.no_command_near"),
    (r"Option (?P<name>'.+') requires an argument\.", "framework.needs_value"),
    (r"Option (?P<name>'.+') does not take a value\.", "framework.takes_no_value"),
    (r"Got unexpected extra argument\(s\) \((?P<names>.*)\)", "framework.too_many"),
)


def _recognised(text: str, say: Say) -> str:
    for form, key in _FORMS:
        if found := re.fullmatch(form, text, re.DOTALL):
            facts = found.groupdict()
            if near := facts.get("near"):
                facts["near"] = near.replace(", ", say("framework.between"))
            return say(key, **facts)
    return text


def _context_class(base: type[Any], formatter: type[Any]) -> type[Any]:
    class SpeakingContext(base):  # type: ignore[misc]  # typer's own class has no public name
        formatter_class = formatter

    return SpeakingContext


def _plain_class(base: type[Any]) -> type[Any]:
    class PlainFormatter(base):  # type: ignore[misc]  # as above
        """Writes the parts of a help without what only typer understands."""

        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            super().write_usage(prog, _plain_usage(args), prefix)

        def write_dl(self, rows: Sequence[tuple[str, str]], *more: int, **named: int) -> None:
            plain = [(_plain_name(name), _plain_help(text)) for name, text in rows]
            super().write_dl(plain, *more, **named)

    return PlainFormatter


def _plain_usage(args: str) -> str:
    """Return what may follow a command, without brackets about what has its own.

    >>> _plain_usage("[OPTIONS] {PLAN} [[RUN]] {[RUN] stop|set KEY...}... {bash|zsh}")
    '[OPTIONS] PLAN [RUN] [RUN] stop|set KEY... {bash|zsh}'
    """
    plain = args.replace("[[", "[").replace("]]", "]").replace("...]...", "...]")
    return _BRACED.sub(lambda found: found[0] if _CHOICE.fullmatch(found[1]) else found[1], plain)


def _plain_name(name: str) -> str:
    """Return the name of an option or an argument with its type as a person would write it.

    >>> _plain_name("--route <str>"), _plain_name("[RUN] <str>"), _plain_name("--as <a|b>")
    ('--route TEXT', '[RUN]', '--as <a|b>')
    >>> _plain_name("bash|zsh <bash|zsh>")
    'bash|zsh'
    """
    head, _, kind = name.rpartition(" ")
    if kind == f"<{head}>":
        return head
    if kind not in _TYPES and not kind.startswith("<list["):
        return name
    return f"{head} {_TYPES[kind]}" if name.startswith("-") and kind in _TYPES else head


def _plain_help(text: str) -> str:
    """Return what a help says, without limits that the text does not tell anyhow.

    >>> _plain_help("At most so many.  [x>=1]"), _plain_help("Port.  [default: 1; 0<=x<=9]")
    ('At most so many.', 'Port.  [default: 1]')
    """
    found = _EXTRAS.search(text)
    if found is None:
        return text
    parts = found[1].split("; ")
    left = [each for each in parts if not _RANGE.fullmatch(each)]
    if left == parts:
        return text
    return text[: found.start()] + (f"  [{'; '.join(left)}]" if left else "")


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
            rows = [(_plain_name(name), _plain_help(text)) for name, text in rows]
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
