"""Links lead somewhere, twins are twins, and nothing is said that is true on one machine alone."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.documents.pages import CHINESE, DOCS, ROOT, Page, pages, twins

README_LINES = 200
CHANGELOG_ORDER = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
SET_UP = "pip install uv && uv run k3push demo\nuv run pytest\n"

_MACHINE_PATH = re.compile(r"(?<![\w.…])/(?:work|tmp|home|root|Users|opt|mnt)/|\\Users\\|file://")
_REGISTRY = re.compile(r"pypi\.org|/simple\b|--index-url|--extra-index-url", re.IGNORECASE)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_link_leads_somewhere(page: Page) -> None:
    """A page is trusted until its first dead link."""
    for path, anchor in page.links:
        if re.match(r"\w+:", path):
            continue
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.is_file(), (page.name, path)
        if anchor:
            assert anchor in Page(target).anchors, (page.name, path, anchor)


@pytest.mark.parametrize(("english", "chinese"), twins(), ids=lambda page: page.name)
def test_a_page_has_a_twin_of_the_same_shape(english: Page, chinese: Page) -> None:
    """Who reads Chinese reads no less: sections, tables, lists, commands."""
    assert chinese.path.is_file()
    assert _shape(english) == _shape(chinese)


def _shape(page: Page) -> dict[str, object]:
    lines = page.prose.splitlines()
    commands = [
        line
        for block in page.blocks
        for line in block.text.splitlines()
        if line.startswith("$ ") or block.lang in {"sh", "toml", "mermaid", "bat"}
    ]
    return {
        "headings": [len(each) - len(each.lstrip("#")) for each in lines if each.startswith("#")],
        "rows": sum(line.startswith("|") for line in lines),
        "items": sum(line.lstrip().startswith("- ") for line in lines),
        "commands": [re.sub(r"\s*#.*", "", line) for line in commands],
        # What an output is known by is in the language of the page.
        "played": [
            [each for each in block.play.items() if each[0] != "through"]
            for block in page.blocks
            if "when" not in block.play
        ],
    }


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_page_is_reached_from_the_first_one(page: Page) -> None:
    """A page that no other names is read by nobody."""
    if page.path.parent == ROOT:
        return
    home = Page((CHINESE if page.lang == "zh" else DOCS) / "index.md")
    linked = {(home.path.parent / path).resolve() for path, _ in home.links}
    assert page.path in linked | {home.path}


@pytest.mark.parametrize("folder", [DOCS, CHINESE], ids=["en", "zh"])
def test_every_page_stands_in_the_navigation_of_the_site(folder: object) -> None:
    """A site shows what its navigation names, once."""
    assert folder in {DOCS, CHINESE}
    at = DOCS if folder == DOCS else CHINESE
    config = tomllib.loads((at / "zensical.toml").read_text("utf-8"))
    named = list(_files(config["project"]["nav"]))
    here = [each.path for each in pages() if each.path.is_relative_to(at)]
    if at == DOCS:
        here = [path for path in here if not path.is_relative_to(CHINESE)]
    assert sorted(named) == sorted(path.relative_to(at).as_posix() for path in here)


def _files(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    if isinstance(nav, dict):
        nav = list(nav.values())
    assert isinstance(nav, list)
    return [file for each in nav for file in _files(each)]


def test_the_readme_begins_with_three_sentences_and_two_commands() -> None:
    """A reader with Python and pip copies two lines, and needs no third."""
    readme = Page(ROOT / "README.md")
    sentences = [line for line in readme.text.split("```")[0].strip().splitlines()[1:] if line]
    assert len(sentences) == 3
    assert all(sentence.endswith(".") for sentence in sentences)
    assert (readme.blocks[0].lang, readme.blocks[0].text) == ("", SET_UP)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_is_short(name: str) -> None:
    """What is longer is not read."""
    assert len(Page(ROOT / name).text.splitlines()) <= README_LINES


@pytest.mark.parametrize("page", [*pages(), Page(ROOT / "CHANGELOG.md")], ids=lambda p: p.name)
def test_no_document_holds_a_machine_path_or_a_registry(page: Page) -> None:
    """What is true on one machine alone is of no use on another."""
    text = page.text.replace("/opt/k3push", "")
    assert _MACHINE_PATH.findall(text) == []
    assert _REGISTRY.findall(text) == []


def test_the_changelog_keeps_the_usual_sections_in_their_order() -> None:
    """A reader looks for what was added, changed and removed, in this order."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    releases = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert releases[0].startswith("[Unreleased]\n")
    for release in releases:
        sections = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert sections == [name for name in CHANGELOG_ORDER if name in sections]
        assert len(sections) == len(re.findall(r"^#{3,} ", release, re.MULTILINE))
