"""What is made from the code is made anew, and stands in the pages as it was made."""

from __future__ import annotations

import pytest

from k3push.words.language import Lang
from tests.documents.generated import PARTS, commands, generated, meanings, own_fields, sections
from tests.documents.pages import LANGUAGES, Page, page, pages

MADE = [each for each in pages() if "<!-- generated: " in each.text]


@pytest.mark.parametrize("shown", MADE, ids=lambda page: page.name)
def test_a_generated_part_is_what_the_code_makes_now(shown: Page) -> None:
    """Otherwise: `python -m tests.documents generate`."""
    assert shown.text == generated(shown)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_part_stands_somewhere(lang: Lang) -> None:
    """A part that no page shows is made for nobody."""
    shown = "".join(each.text for each in MADE if each.lang == lang)
    developers = {"map", "sabotages"}
    wanted = set(PARTS) - (developers if lang == "zh" else set())
    assert {name for name in PARTS if f"<!-- generated: {name} -->" in shown} == wanted


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_command_has_its_section_and_each_option_its_row(lang: Lang) -> None:
    """A command that no page shows is found by nobody."""
    shown = page("reference/commands.md", lang)
    assert {f"k3push {name}" for name in commands(lang)} <= set(shown.headings)
    for name, command in commands(lang).items():
        section = shown.text.partition(f"\n## k3push {name}\n")[2].partition("\n## ")[0]
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert not option.startswith("-") or f"`{option}" in section, (name, option)


def test_each_setting_has_a_meaning_and_no_meaning_is_left_over() -> None:
    """A setting without a word about it is not used."""
    known = meanings()
    assert list(known.pop("about")) == [section for section, _ in sections()]
    keys = {section: list(own_fields(model)) for section, model in sections()}
    assert {section: list(meant) for section, meant in known.items()} == keys
    for section, meant in known.items():
        assert all(set(each) >= set(LANGUAGES) for each in meant.values()), section
