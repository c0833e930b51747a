"""What is written by hand is held against the code: names, columns, codes and figures."""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import get_args

import anyio
import pytest

import k3push
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.model import State
from k3push.reporting.metrics import HELP
from k3push.reporting.table_files import COLUMNS
from k3push.runs.outcome import Exit
from k3push.runs.push_requests.program_events import TYPES
from k3push.simulator.fault_plans.presets import PRESETS
from k3push.web.api.problems import KINDS
from k3push.web.api.shapes import PushState
from k3push.words.language import Lang
from tests.documents.generated import commands, global_options
from tests.documents.pages import LANGUAGES, README, ROOT, SOURCE, Page, page, pages
from tests.web.test_program_roles import MAY


def _cells(shown: Page, pattern: str) -> list[str]:
    return re.findall(pattern, shown.text, re.MULTILINE)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", ["README", "states"])
def test_each_state_and_each_exit_code_has_its_row(lang: Lang, name: str) -> None:
    """Scripts and people read these words, so each is explained."""
    shown = Page(README[lang]) if name == "README" else page("reference/states.md", lang)
    assert [state for state in State if f"\n| `{state}` |" not in shown.text] == []
    assert _cells(shown, r"^\| (\d) \|") == [str(int(code)) for code in Exit]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_column_of_the_export_has_its_row_in_order(lang: Lang) -> None:
    """Columns are a promise to whoever reads the files with a program."""
    rows = _cells(page("reference/results.md", lang), r"^\| `(\w+)` \|")
    first = rows.index(COLUMNS[0])
    assert tuple(rows[first : first + len(COLUMNS)]) == COLUMNS


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_preset_of_the_sandbox_has_its_row(lang: Lang) -> None:
    """Training starts from this table."""
    text = page("guides/practising.md", lang).text
    assert [name for name in PRESETS if f"\n| `{name}` |" not in text] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_metric_has_its_row(lang: Lang) -> None:
    """Whoever writes an alert needs the names, and what their absence means."""
    shown = page("reference/metrics.md", lang)
    assert _cells(shown, r"^\| `(k3push_\w+)` \|") == list(HELP)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_address_problem_and_event_of_programs_has_its_row(lang: Lang) -> None:
    """Whoever writes a program has nothing else to go by."""
    shown = page("reference/api.md", lang)
    told = {method + " " + path for (method, path) in MAY}
    assert set(_cells(shown, r"^\| `((?:GET|POST) [^`]+)` \|")) == told
    assert _cells(shown, r"^\| `([a-z-]+)` \| \d{3} \|") == list(KINDS)
    assert set(TYPES) <= set(_cells(shown, r"^\| `([a-z_.]+)` \|"))
    assert set(get_args(PushState)) <= set(_cells(shown, r"^\| `([a-z]+)` \|"))
    names = set(re.findall(r"\w+", shown.text.partition("## Python")[2]))
    assert set(k3push.__all__) <= names | {f"{name}s" for name in names} | {
        name.removesuffix("s") for name in names
    }


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_table_and_column_of_the_ledger_is_named(lang: Lang, tmp_path: Path) -> None:
    """Programs read the ledger, and find a column by its name."""

    async def make() -> None:
        async with open_sqlite(tmp_path / "ledger.db", account="sandbox"):
            pass

    anyio.run(make)
    words = set(re.findall(r"`(\w+)`", page("reference/ledger.md", lang).text))
    database = sqlite3.connect(tmp_path / "ledger.db")
    found = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
    for (table,) in found.fetchall():
        if not table.startswith("sqlite_"):
            columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
            assert {table, *columns} <= words, table
    database.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_global_option_is_named(lang: Lang) -> None:
    """They stand in no command's section."""
    text = page("reference/commands.md", lang).text.partition("<!-- generated")[0]
    names = [option for each in global_options(lang) for option in each.opts]
    assert [name for name in names if f"`{name}" not in text] == []


@pytest.mark.parametrize("shown", pages(), ids=lambda page: page.name)
def test_a_command_or_option_that_a_page_names_is_there(shown: Page) -> None:
    """A word that was renamed in the code is found where it is still told of."""
    known = commands("en")
    families = {name.split()[0] for name in known}
    options = {
        o for each in known.values() for p in each.params for o in (*p.opts, *p.secondary_opts)
    }
    options |= {option for each in global_options("en") for option in each.opts} | {"-h", "--help"}
    for line in _lines_of_commands(shown):
        words = line.replace("…", "").split()
        command = next((w for w in words if not w.startswith("-") and w not in {"zh", "en"}), "")
        if command and re.fullmatch(r"[a-z]+", command):
            assert command in families, line
        for word in words:
            option = word.partition("=")[0]
            assert not re.match(r"--?[a-z]", option) or _is_option(option, options), line


def _lines_of_commands(shown: Page) -> list[str]:
    """Return what is typed behind `k3push`: in blocks, and in the text."""
    lines = [
        line.removeprefix("$ ")
        for block in shown.blocks
        for line in block.text.replace("\\\n", " ").splitlines()
        if line.startswith("$ ") or block.lang not in {"console", "text", "toml"}
    ]
    lines += re.findall(r"`([^`\n]+)`", shown.prose)
    typed = (
        re.search(r"(?:^|uv run |bin/|Scripts\\|=\S+ )k3push (.*)", line.split(" · ")[0])
        for line in lines
    )
    return [found[1].partition(">>")[0] for found in typed if found]


def _is_option(option: str, options: set[str]) -> bool:
    # Short flags are joined: -vv.
    return option in options or (not option.startswith("--") and option[:2] in options)


@pytest.mark.parametrize("shown", pages(), ids=lambda page: page.name)
def test_a_place_in_the_repository_that_a_page_names_is_there(shown: Page) -> None:
    """A file that has moved is looked for in vain."""
    places = re.findall(r"`((?:tests|src|docs|batches)/[\w./-]+)(?:::\w+)?`", shown.text)
    assert [place for place in places if not (ROOT / place).exists()] == []
    ours = re.findall(
        r"`((?:core|runs|adapters|config|wiring|reporting|web|fleet|simulator|words|cli)/[\w./-]+)`",
        shown.prose,
    )
    assert [place for place in ours if not (SOURCE / place).exists()] == []
    modules = re.findall(r"python -m (tests\.\w+)", shown.text)
    assert [each for each in modules if not _is_module(ROOT.joinpath(*each.split(".")))] == []


def test_each_module_that_a_docstring_names_stands_where_it_says() -> None:
    """It leads whoever reads one module to the next."""
    rooms = "|".join(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())
    names = re.compile(rf"`((?:{rooms})(?:\.\w+)+)`")
    lost = {
        (path.relative_to(ROOT), name)
        for path in SOURCE.rglob("*.py")
        for name in names.findall(path.read_text("utf-8"))
        if not _leads_somewhere(name.split("."))
    }
    assert not lost


def _leads_somewhere(parts: list[str]) -> bool:
    """Say whether the first parts are a module, and the next one, if any, is named in it."""
    for n in range(len(parts), 0, -1):
        path = SOURCE.joinpath(*parts[:n])
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return "".join(parts[n : n + 1]) in file.read_text("utf-8")
    return False


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_room_of_the_house_stands_in_the_tree(lang: Lang) -> None:
    """The tree is the map with which a newcomer finds the rules."""
    rooms = {
        path.parent.name
        for place in ("*", "core/*", "runs/*", "web/*", "simulator/*", "adapters/*")
        for path in SOURCE.glob(f"{place}/*.py")
    }
    blocks = page("explanation/architecture.md", lang).blocks
    tree = next(block.text for block in blocks if block.text.startswith("src/k3push/\n"))
    assert set(re.findall(r"── (\w+)/\s", tree)) == rooms | {"deployment"}


def test_no_two_modules_have_one_name() -> None:
    """A name leads to one room; only sibling adapters that fulfil one port share theirs."""
    rooms: defaultdict[str, list[Path]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        if path.name != "__init__.py":
            rooms[path.name].append(path.relative_to(SOURCE))
    siblings = Path("adapters/ledger")
    shared = [paths for paths in rooms.values() if len(paths) > 1]
    assert [
        paths for paths in shared if any(path.parent.parent != siblings for path in paths)
    ] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_figures_of_the_sabotages_are_those_of_their_list(lang: Lang) -> None:
    """A figure that is copied by hand is that of last year."""
    changes = tomllib.loads((ROOT / "tests" / "sabotage.toml").read_text("utf-8"))["change"]
    named = sum("caught_by" in change for change in changes)
    lines = page("explanation/proof.md", lang).text.splitlines()
    (row,) = (line for line in lines if line.endswith("| `tests/sabotage.toml` |"))
    assert [int(n) for n in re.findall(r"\d+", row)] == [len(changes), len(changes) - named, named]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_readme_compares_as_the_whole_comparison_does(lang: Lang) -> None:
    """Its four rows are those of the page, in an ERP that keeps drafts."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in _rows(lang)]
    whole = {name: cells[2:] for name, *cells in rows}
    readme = Page(README[lang])
    shown = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in readme.text.splitlines()
        if " · " in line and line.startswith("|") and re.search(r"\d+ · \d+ · \d+", line)
    ]
    assert len(shown) > 1
    for name, *cells in shown:
        assert cells == [cell.rpartition(" / ")[2] for cell in whole[name]], name


def _rows(lang: Lang) -> list[str]:
    lines = page("explanation/compared.md", lang).text.splitlines()
    return [line for line in lines if re.match(r"\|.*\d+ · \d+ · \d+", line)]
