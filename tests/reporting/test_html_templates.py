"""Templates escape whatever they show, and none goes around that."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from pathlib import Path

import anyio
import pytest
from jinja2 import Environment, UndefinedError, nodes

import k3push
from k3push.reporting.html_templates import environment
from k3push.reporting.report import write_report
from k3push.words.language import speaker
from tests.reporting.evil import EVIL, HARMLESS, Page, evil_ending, evil_ledger
from tests.reporting.pages import NOON

HOME = Path(k3push.__file__).parent
TEMPLATES = sorted(HOME.glob("*/templates/*"))
# Filters that give markup, or take a text for it, and where they may stand.
MARKUP = {"safe", "tojson", "xmlattr", "urlize"}
REASONED = {
    # The style and the script of the page are files of ours, and a page that stands alone
    # holds them.
    ("report.html", "safe"): 2,
    ("audit.html", "safe"): 1,
    # Our own sentences, which the script reads.
    ("report.html", "tojson"): 1,
}

in_trio = partial(anyio.run, backend="trio")


def report(folder: Path, text: str) -> Page:
    """Write a page on which every text of others ends with *text*."""

    async def written() -> None:
        ledger = await evil_ledger(text)
        ending = await evil_ending(ledger, text)
        path = folder / "report.html"
        await write_report(ledger, ending, path, speaker("en"), now=NOON)

    in_trio(written)
    return Page((folder / "report.html").read_text("utf-8"))


@pytest.mark.parametrize("text", EVIL)
def test_no_text_makes_markup_in_the_report(tmp_path: Path, text: str) -> None:
    """Whatever a bill, a message, a name or a reason holds, the page has the same elements."""
    shown = report(tmp_path, text)
    assert shown.elements == report(tmp_path, HARMLESS).elements
    assert shown.obeyed == []
    names = ("id", "route", "source", "target", "job", "account", "again", "code", "reason")
    assert shown.lacks([*names, "why", "step", "repeat"], text) == []


def test_a_list_without_a_file_is_named_in_words() -> None:
    """Who reads a page has typed no option, and a dash tells nobody anything."""
    page = environment("k3push.reporting").from_string("{{ jobs | list_names }}")
    jobs = ["lists/orders.csv", "-", "lists/7/--select"]
    told = page.render(jobs=jobs, say=speaker("en"))
    assert told == "orders.csv, standard input, what the route selects"


def test_only_reasoned_places_go_around_the_escaping() -> None:
    """A filter that takes a text for markup is where an attack comes in."""
    found: Counter[tuple[str, str]] = Counter()
    for path in TEMPLATES:
        tree = Environment(autoescape=True).parse(path.read_text("utf-8"))
        assert not list(tree.find_all((nodes.EvalContextModifier, nodes.MarkSafe))), path
        filters = [each.name for each in tree.find_all(nodes.Filter)]
        found.update((path.name, name) for name in filters if name in MARKUP)
    assert found == REASONED


def test_no_module_makes_markup() -> None:
    """Markup stands in templates, which escape."""
    forbidden = re.compile(r"markupsafe|Markup\(|\bhtml\.escape|from html import|f?\"<[a-z/!]")
    places = [
        f"{path.relative_to(HOME)}: {line.strip()}"
        for path in [*HOME.glob("reporting/**/*.py"), *HOME.glob("web/**/*.py")]
        for line in path.read_text("utf-8").splitlines()
        if forbidden.search(line)
    ]
    assert places == []


def test_each_value_within_a_tag_stands_in_quotes() -> None:
    """Escaping keeps a value from leaving its quotes, and nothing else."""
    for path in TEMPLATES:
        assert re.findall(r"=\s*\{[{%].*", path.read_text("utf-8").replace("{% set", "")) == []


def test_a_name_that_a_template_does_not_know_is_an_error() -> None:
    """It would be an empty place on the page, which nobody sees."""
    template = environment("k3push.reporting").from_string("{{ nothing }}")
    with pytest.raises(UndefinedError, match="nothing"):
        template.render()
