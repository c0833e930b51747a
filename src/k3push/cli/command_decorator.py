"""How a command is added to the command line.

Its help, and the line of it in the list of commands, are the sentences of its key. It takes groups
of `cli.options` as one parameter each:

    command = commands(app, say)

    @command("command.run", "k3push run orders.csv")
    def run(jobs: Jobs, lists: ListOptions, pace: PaceOptions) -> int: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from k3push.words.language import Say

Command = Callable[..., int]


def commands(app: typer.Typer, say: Say) -> Callable[..., Callable[[Command], Command]]:
    """Return the decorator that adds commands to *app*, or to a group of it."""

    def command(key: str, examples: str | None = None) -> Callable[[Command], Command]:
        """Add a command under the last part of *key*, whatever its function is called."""

        def added(function: Command) -> Command:
            made = app.command(**_said(key, say), epilog=examples)
            return made(_spread(function, say))

        return added

    return command


def command_group(key: str, app: typer.Typer, say: Say) -> typer.Typer:
    """Add a group of commands under the last part of *key*."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, **_said(key, say))
    return group


def _said(key: str, say: Say) -> dict[str, Any]:
    name, short = key.rpartition(".")[2].replace("_", "-"), f"{key}.short"
    return {"name": name, "help": say(key), "short_help": say(short)}


def _spread(command: Command, say: Say) -> Command:
    """Show typer each group that a command takes as the options of the group, in their order."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if is_dataclass(hints[name]):
            groups[name] = hints[name]
            parameters += _parameters(hints[name], say)
        else:
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(parameter.replace(kind=kind, annotation=hints[name]))

    def typed(**values: Any) -> int:
        made = {
            name: group(**{each.name: values.pop(each.name) for each in fields(group)})
            for name, group in groups.items()
        }
        return command(**values, **made)

    typed.__name__, typed.__doc__ = command.__name__, command.__doc__
    typed.__annotations__ = {each.name: each.annotation for each in parameters}
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return typed


def _parameters(group: type[Any], say: Say) -> list[inspect.Parameter]:
    hints = get_type_hints(group)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=Annotated[
                hints[each.name],
                typer.Option(
                    *each.metadata["flags"],
                    help=say(each.metadata["words"]),
                    **each.metadata["more"],
                ),
            ],
        )
        for each in fields(group)
    ]
