"""How commands and their options are written, before they are in a language.

A module of `cli.commands` has a family of commands. The help of each, and the line of it in the
list of commands, are the sentences of its key; a key of three parts is that of a command in a
group. It is given the language, and takes groups of `cli.options` as one parameter each:

    family = Family()

    @family.command("command.run", "k3push run orders.csv")
    def run(say: Say, jobs: Jobs, lists: ListOptions, json: Json = False) -> int: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from typing import Annotated, Any, get_args, get_type_hints

import typer

from k3push.words.language import Say

Command = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Typed:
    """An argument or an option, whose help is the sentence of a key."""

    make: Callable[..., Any]
    flags: tuple[str, ...]
    words: str
    more: Mapping[str, Any]

    def said(self, say: Say) -> Any:
        """Return it as typer wants it."""
        return self.make(*self.flags, help=say(self.words), **self.more)


def typed(*flags: str, words: str, **more: Any) -> Typed:
    """Return an option, with what else `typer.Option` takes."""
    return Typed(typer.Option, flags, words, more)


def argument(metavar: str, *, words: str, **more: Any) -> Typed:
    """Return an argument, with what else `typer.Argument` takes."""
    return Typed(typer.Argument, (), words, {"metavar": metavar, **more})


def option(*flags: str, default: Any = None, words: str, **more: Any) -> Any:
    """Return an option as a field of a group, with what is meant where it is left out."""
    return field(default=default, metadata={"typed": typed(*flags, words=words, **more)})


class Family:
    """Commands that stand in one module.

    Args:
        group: Key of the group that those with a key of three parts are in.
    """

    def __init__(self, group: str = "") -> None:
        self._group = group
        self._commands: list[tuple[str, str, Command]] = []

    def command(self, key: str, examples: str) -> Callable[[Command], Command]:
        """Add a command under the last part of *key*, whatever its function is called.

        Args:
            key: Of its help.
            examples: Parted by ` · `; `{because}` is a person's reason, in the language.
        """

        def added(function: Command) -> Command:
            self._commands.append((key, examples, function))
            return function

        return added

    def add_to(self, app: typer.Typer, say: Say) -> None:
        """Add the commands to the command line of a language."""
        group = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
        because = say("app.because")
        for key, examples, function in self._commands:
            is_within = bool(self._group) and key.startswith(f"{self._group}.")
            epilog = examples.format(because=because)
            made = (group if is_within else app).command(**_said(key, say), epilog=epilog)
            made(_spread(function, say))
        if self._group:
            app.add_typer(group, **_said(self._group, say))


def command_group(key: str) -> Family:
    """Return a family whose commands with a key below *key* are in a group."""
    return Family(key)


def _said(key: str, say: Say) -> dict[str, Any]:
    name, short = key.rpartition(".")[2].replace("_", "-"), f"{key}.short"
    return {"name": name, "help": say(key), "short_help": say(short)}


def _spread(command: Command, say: Say) -> Command:
    """Show typer each group that a command takes as the options of the group, in their order."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, type[Any]] = {}
    parameters = []
    _, *taken = inspect.signature(command).parameters.values()
    for each in taken:
        hint = hints[each.name]
        if is_dataclass(hint) and isinstance(hint, type):
            groups[each.name] = hint
            kinds = get_type_hints(hint)
            parameters += [
                _parameter(one, kinds[one.name], one.metadata["typed"], say) for one in fields(hint)
            ]
        else:
            kind, typed_so = get_args(hint)
            parameters.append(_parameter(each, kind, typed_so, say))

    def made_of(**values: Any) -> int:
        made = {
            name: group(**{each.name: values.pop(each.name) for each in fields(group)})
            for name, group in groups.items()
        }
        return command(say, **values, **made)

    made_of.__name__, made_of.__doc__ = command.__name__, command.__doc__
    made_of.__annotations__ = {each.name: each.annotation for each in parameters}
    made_of.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return made_of


def _parameter(
    taken: inspect.Parameter | Field[Any], kind: Any, typed_so: Typed, say: Say
) -> inspect.Parameter:
    return inspect.Parameter(
        taken.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=taken.default,
        annotation=Annotated[kind, typed_so.said(say)],
    )
