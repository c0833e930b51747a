"""The documents are held against the code, so that neither can run away from the other."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import typer.main
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from k3push.cli.main import build_app, run
from k3push.cli.words import Lang, speaker
from k3push.core.life import MOVES
from k3push.core.model import State
from k3push.reporting.ending import Exit
from k3push.reporting.metrics import HELP
from k3push.reporting.tables import COLUMNS
from k3push.settings import Settings
from k3push.simulator.presets import PRESETS

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
DOCUMENTS = (*READMES, "CHANGELOG.md")
LANGUAGES: tuple[Lang, ...] = ("en", "zh")
CHANGELOG_ORDER = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
SET_UP = "pip install uv && uv run k3push demo\nuv run pytest\n"
CONSOLE_COLUMNS = 80

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MACHINE_PATH = re.compile(r"(?<![\w.…])/(?:work|tmp|home|root|Users|opt|mnt)/|\\Users\\|file://")
_REGISTRY = re.compile(r"pypi\.org|/simple\b|--index-url|--extra-index-url", re.IGNORECASE)


def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _blocks(name: str) -> list[tuple[str, str]]:
    """Return the code blocks of a document: language and content."""
    return _BLOCK.findall(_text(name))


def _commands(lang: Lang = "en") -> dict[str, Any]:
    group: Any = typer.main.get_command(build_app(speaker(lang), lang))
    return dict(group.commands)


def _options() -> Iterator[tuple[str, str]]:
    """Yield command and option, for every spelling of every option."""
    group: Any = typer.main.get_command(build_app(speaker("en"), "en"))
    for name, command in {"": group, **group.commands}.items():
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("-"):
                    yield name, option


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        kind: Any = field.annotation
        yield (f"{name}.NAME", get_args(kind)[1]) if get_origin(kind) is dict else (name, kind)


def _settings() -> Iterator[tuple[str, str, FieldInfo]]:
    """Yield section, key and field of every setting."""
    for section, model in _sections():
        for key, field in model.model_fields.items():
            yield section, key, field


def _default(field: FieldInfo) -> str:
    return json.dumps(field.get_default(call_default_factory=True), ensure_ascii=False)


def _rows_of_settings(readme: str) -> dict[tuple[str, str], str]:
    """Return the default that the table of settings gives, by section and key."""
    rows = {}
    section = ""
    for line in _text(readme).splitlines():
        if heading := re.match(r"\| \*\*`\[([\w.]+)\]`\*\* \|", line):
            section = heading[1]
        elif section and (row := re.match(r"\| `(\w+)` \|\s*([^|]*?)\s*\|", line)):
            rows[section, row[1]] = row[2]
        elif not line.startswith("|"):
            section = ""
    return rows


def _diagram() -> str:
    """Draw the life of a number."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.PLANNED}"]
    for old in State:
        lines += [f"    {old} --> {new}" for new in State if new in MOVES[old]]
        if not MOVES[old]:
            lines.append(f"    {old} --> [*]")
    return "\n".join(lines) + "\n"


def _columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def test_the_readme_begins_with_three_sentences_and_two_commands() -> None:
    """A reader with Python and pip copies two lines, and needs no third."""
    opening = _text("README.md").split("```")[0].strip().splitlines()
    sentences = [line for line in opening[1:] if line]
    assert len(sentences) == 3
    assert all(sentence.endswith(".") for sentence in sentences)
    assert _blocks("README.md")[0] == ("", SET_UP)


@pytest.mark.parametrize("readme", READMES)
def test_each_command_has_its_row_and_an_example(readme: str) -> None:
    """A command that no table shows is found by nobody."""
    text = _text(readme)
    for command in _commands():
        cells = rf"^\| `{command}` \|[^|]+\| `k3push {command}\b[^|]*` \|$"
        assert re.search(cells, text, re.MULTILINE), command


@pytest.mark.parametrize("readme", READMES)
def test_each_option_is_named(readme: str) -> None:
    """An option that the documents lack is one that an operator at night does not have."""
    text = _text(readme)
    missing = [
        (command, option)
        for command, option in _options()
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text)
    ]
    assert missing == []


@pytest.mark.parametrize("readme", READMES)
def test_each_state_and_each_exit_code_has_its_row(readme: str) -> None:
    """Scripts and people read these words, so each is explained."""
    text = _text(readme)
    assert [state for state in State if f"\n| `{state}` |" not in text] == []
    assert re.findall(r"^\| (\d) \|", text, re.MULTILINE) == [str(int(code)) for code in Exit]


@pytest.mark.parametrize("readme", READMES)
def test_each_setting_has_its_row_and_its_default(readme: str) -> None:
    """A table of settings that is out of date is worse than none."""
    rows = _rows_of_settings(readme)
    assert list(rows) == [(section, key) for section, key, _ in _settings()]
    for section, key, field in _settings():
        said = rows[section, key].strip("`")
        if rows[section, key].startswith("`"):
            assert json.loads(said) == json.loads(_default(field)), (section, key)
        else:
            assert field.is_required() == (said in {"needed", "必填"}), (section, key)


@pytest.mark.parametrize("readme", READMES)
def test_each_column_of_the_export_has_its_row_in_order(readme: str) -> None:
    """Columns are a promise to whoever reads the files with a program."""
    rows = re.findall(r"^\| `(\w+)` \|", _text(readme), re.MULTILINE)
    first = rows.index(COLUMNS[0])
    assert tuple(rows[first : first + len(COLUMNS)]) == COLUMNS


@pytest.mark.parametrize("readme", READMES)
def test_each_preset_of_the_sandbox_has_its_row(readme: str) -> None:
    """Training starts from this table."""
    assert [name for name in PRESETS if f"\n| `{name}` |" not in _text(readme)] == []


@pytest.mark.parametrize("readme", READMES)
def test_each_metric_has_its_row(readme: str) -> None:
    """Whoever writes an alert needs the names, and what their absence means."""
    assert re.findall(r"^\| `(k3push_\w+)` \|", _text(readme), re.MULTILINE) == list(HELP)


@pytest.mark.parametrize("readme", READMES)
def test_the_diagram_is_drawn_from_the_legal_moves(readme: str) -> None:
    """A picture that is drawn by hand shows the moves of last year."""
    assert [block for lang, block in _blocks(readme) if lang == "mermaid"] == [_diagram()]


@pytest.mark.parametrize("readme", READMES)
def test_a_console_block_fits_into_80_columns(readme: str) -> None:
    """A line that the page breaks is not the line that the terminal shows."""
    lines = [
        line for lang, text in _blocks(readme) if lang == "console" for line in text.split("\n")
    ]
    assert lines
    assert [line for line in lines if _columns(line) > CONSOLE_COLUMNS] == []


@pytest.mark.parametrize("readme", READMES)
def test_a_link_within_a_document_leads_somewhere(readme: str) -> None:
    """A list of contents is trusted until its first dead link."""
    text = _text(readme)
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", text), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert links
    assert [link for link in links if link not in anchors] == []


@pytest.mark.parametrize("readme", READMES)
def test_each_module_of_the_front_and_the_core_stands_in_the_tree(readme: str) -> None:
    """The tree is the map with which a newcomer finds the rules."""
    package = ROOT / "src" / "k3push"
    modules = {path.name for path in (*package.glob("*.py"), *package.glob("core/*.py"))}
    tree = next(block for lang, block in _blocks(readme) if block.startswith("src/k3push/\n"))
    drawn = set(re.findall(r"── (\w+\.py) ", tree))
    assert drawn == {name for name in modules if not name.startswith("__")}


def test_the_changelog_keeps_the_usual_sections_in_their_order() -> None:
    """A reader looks for what was added, changed and removed, in this order."""
    releases = re.split(r"^## ", _text("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    assert releases[0].startswith("[Unreleased]\n")
    for release in releases:
        sections = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert sections == [name for name in CHANGELOG_ORDER if name in sections]
        assert len(sections) == len(re.findall(r"^#{3,} ", release, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_document_holds_a_machine_path_or_a_registry(document: str) -> None:
    """What is true on one machine alone is of no use on another."""
    assert _MACHINE_PATH.findall(_text(document)) == []
    assert _REGISTRY.findall(_text(document)) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_lists_each_command(lang: Lang, capsys: pytest.CaptureFixture[str]) -> None:
    """Help is where everybody begins."""
    assert run(["--lang", lang, "--help"], lang) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = {line.split()[0] for line in lines if line.startswith(" ")}
    assert listed >= set(_commands(lang))


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("command", list(_commands()))
def test_help_of_a_command_shows_its_example(
    command: str, lang: Lang, capsys: pytest.CaptureFixture[str]
) -> None:
    """An example is read before any list of options."""
    assert run(["--lang", lang, command, "--help"], lang) == 0
    said = capsys.readouterr().out
    epilog = _commands(lang)[command].epilog
    if epilog:
        assert f"k3push {command}" in epilog
        assert _squeezed(epilog) in _squeezed(said)
