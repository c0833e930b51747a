"""The parts of the documents that are made from the code.

A page marks such a part with two comments, `<!-- generated: NAME -->` and `<!-- end -->`;
`python -m tests.documents generate` writes what stands between them.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from k3push.cli.app import build_app
from k3push.config.settings import Settings
from k3push.core.model import State
from k3push.core.safety.legal_moves import MOVES
from k3push.words.language import Lang, speaker
from tests.documents.pages import ROOT, SOURCE, Page

_PART = re.compile(r"(?<=<!-- generated: )(\w+) -->\n.*?(?=<!-- end -->)", re.DOTALL)
_MEANINGS = Path(__file__).with_name("settings.toml")

_HEADS: Mapping[str, Mapping[Lang, tuple[str, ...]]] = {
    "commands": {"en": ("command", "what it does"), "zh": ("命令", "用途")},
    "options": {"en": ("option", "meaning"), "zh": ("选项", "含义")},
    "settings": {"en": ("key", "default", "meaning"), "zh": ("键", "默认", "含义")},
}
_NEEDED: Mapping[Lang, str] = {"en": "needed", "zh": "必填"}
_DEFAULT: Mapping[Lang, str] = {"en": "default", "zh": "默认"}
_EXAMPLES: Mapping[Lang, str] = {"en": "Example: ", "zh": "例子："}


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    escaped = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in lines)
    return (
        "".join(f"| {line} |\n" for line in escaped)
        .replace("| --- ", "|---")
        .replace("|--- ", "|---")
    )


# -- commands ---------------------------------------------------------------------------------


@cache
def commands(lang: Lang) -> Mapping[str, Any]:
    """Return each command by its words, those of groups too: `run`, `fleet pause`."""
    group: Any = typer.main.get_command(build_app(speaker(lang)))
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        found |= {f"{name} {each}": inner[each] for each in inner} if inner else {name: command}
    return found


@cache
def global_options(lang: Lang) -> Sequence[Any]:
    """Return the options that stand before the command."""
    group: Any = typer.main.get_command(build_app(speaker(lang)))
    return list(group.params)


def _commands(lang: Lang) -> str:
    all_commands = commands(lang)
    summary = (
        (f"[`{name}`](#k3push-{name.replace(' ', '-')})", _short(command))
        for name, command in all_commands.items()
    )
    parts = [_table(_HEADS["commands"][lang], summary)]
    parts += [_command(name, command, lang) for name, command in all_commands.items()]
    return "\n".join(parts)


def _short(command: Any) -> str:
    return str(command.short_help or command.help).split("\n")[0].rstrip(".。")


def _command(name: str, command: Any, lang: Lang) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join(["k3push", name, *(_metavar(each) for each in arguments)])
    text = f"## k3push {name}\n\n{command.help}\n\n```text\n{usage}\n```\n"
    if arguments and any(each.help for each in arguments):
        text += "\n" + "".join(f"- `{_metavar(each)}`: {each.help}\n" for each in arguments)
    if options:
        rows = (_option(each, lang) for each in options)
        text += "\n" + _table(_HEADS["options"][lang], rows)
    if command.epilog:
        examples = " · ".join(f"`{each.strip()}`" for each in command.epilog.split(" · "))
        text += f"\n{_EXAMPLES[lang]}{examples}\n"
    return text


def _metavar(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    kind = parameter.type_descriptor.annotation
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    return "FILE" if kind is Path else str(parameter.name).upper()


def _option(option: Any, lang: Lang) -> tuple[str, ...]:
    takes = "" if option.is_flag or option.count else f" {_metavar(option)}"
    names = ", ".join(f"`{each}{takes}`" for each in (*option.opts, *option.secondary_opts))
    more = [_NEEDED[lang] if option.required else "", _default_of(option, lang)]
    noted = [each for each in more if each]
    if lang == "zh":
        return names, str(option.help).rstrip("。") + "".join(
            f"（{each}）" for each in noted
        ) + "。"
    return names, " ".join([str(option.help), *(f"({each})" for each in noted)])


def _default_of(option: Any, lang: Lang) -> str:
    default = option.default
    if default in {None, "", False} or option.count or option.multiple:
        return ""
    return f"{_DEFAULT[lang]} `{default}`"


# -- settings ---------------------------------------------------------------------------------


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the name of each section, and its model."""
    for name, field in Settings.model_fields.items():
        kind: Any = field.annotation
        many = get_origin(kind) is dict
        section, model = (f"{name}.NAME", get_args(kind)[1]) if many else (name, kind)
        yield section, model
        for key, inner in model.model_fields.items():
            if _is_section(inner):
                yield f"{section}.{key}", inner.annotation


def own_fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the settings of a section, but not the sections within."""
    return {key: each for key, each in model.model_fields.items() if not _is_section(each)}


def _is_section(field: FieldInfo) -> bool:
    """Say whether a field of a section is a section of its own."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def meanings() -> dict[str, dict[str, Any]]:
    """Return what each setting means, by section and key, and what each section is `about`."""
    return tomllib.loads(_MEANINGS.read_text("utf-8"))


def _settings(lang: Lang) -> str:
    known = meanings()
    parts = []
    for section, model in sections():
        rows = (
            (f"`{key}`", _default(field, known[section][key], lang), known[section][key][lang])
            for key, field in own_fields(model).items()
        )
        about = known["about"][section][lang == "zh"]
        table = _table(_HEADS["settings"][lang], rows)
        parts.append(f"### `[{section}]`\n\n{about}\n\n{table}")
    return "\n".join(parts)


def _default(field: FieldInfo, meaning: Mapping[str, Any], lang: Lang) -> str:
    if field.is_required():
        return _NEEDED[lang]
    if "default" in meaning:
        return str(meaning["default"][lang == "zh"])
    default = field.get_default(call_default_factory=True)
    return "" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


# -- the life of a number -----------------------------------------------------------------------


def _life(_: Lang) -> str:
    lines = ["stateDiagram-v2", f"    [*] --> {State.PLANNED}"]
    for old in State:
        lines += [f"    {old} --> {new}" for new in State if new in MOVES[old]]
        if not MOVES[old]:
            lines.append(f"    {old} --> [*]")
    return "\n```mermaid\n" + "\n".join(lines) + "\n```\n"


# -- the house, and what guards it --------------------------------------------------------------


def _map(_: Lang) -> str:
    """List every module with the first line of its docstring, packages as they are nested."""
    return "\n".join(_branch(SOURCE, 0))


def _branch(folder: Path, depth: int) -> Iterator[str]:
    indent = "    " * depth
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield f"{indent}- `{path.name}`: {_title(path)}"
    verbs = folder / "sql" / "verbs.sql"
    if verbs.is_file():
        said = " ".join(verbs.read_text("utf-8").split("\n\n")[0].replace("-- ", "").split())
        yield f"{indent}- `sql/verbs.sql`: {said.partition('. ')[0].rstrip('.')}."
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").is_file():
            yield f"{indent}- **`{path.name}/`**: {_title(path / '__init__.py')}"
            yield from _branch(path, depth + 1)


def _title(module: Path) -> str:
    written = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return " ".join(written.split("\n\n")[0].split())


def _sabotages(_: Lang) -> str:
    """Say of each rule how it is broken on purpose, and what finds that."""
    text = (ROOT / "tests" / "sabotage.toml").read_text("utf-8")
    rows = (
        (str(change["rule"]), change["why"], _finder(change.get("caught_by", "")))
        for change in tomllib.loads(text)["change"]
    )
    return _table(("rule", "broken on purpose", "found by"), rows)


def _finder(test: str) -> str:
    path, _, name = test.partition("::")
    return f"`{path}`, `{name}`" if test else "the campaign"


PARTS: Mapping[str, Callable[[Lang], str]] = {
    "commands": _commands,
    "settings": _settings,
    "life": _life,
    "map": _map,
    "sabotages": _sabotages,
}


def generated(page: Page) -> str:
    """Return a page's text with its generated parts as they are made now."""

    def part(found: re.Match[str]) -> str:
        return f"{found[1]} -->\n\n{PARTS[found[1]](page.lang).strip()}\n\n"

    return _PART.sub(part, page.text)
