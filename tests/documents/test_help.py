"""`--help` shows every command, and an example of each."""

from __future__ import annotations

import re

import pytest

from k3push.cli.app import run
from k3push.words.language import Lang
from k3push.words.width import columns
from tests.documents.generated import commands
from tests.documents.pages import LANGUAGES

COLUMNS = 80


@pytest.mark.parametrize("lang", LANGUAGES)
def test_help_lists_each_command(lang: Lang, capsys: pytest.CaptureFixture[str]) -> None:
    """Help is where everybody begins."""
    assert run(["--lang", lang, "--help"], lang) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if columns(line) > COLUMNS] == []
    listed = {line.split()[0] for line in lines if line.startswith(" ")}
    assert listed >= {name.split()[0] for name in commands(lang)}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", commands("en"))
def test_help_of_a_command_shows_its_example(
    name: str, lang: Lang, capsys: pytest.CaptureFixture[str]
) -> None:
    """An example is read before any list of options."""
    assert run(["--lang", lang, *name.split(), "--help"], lang) == 0
    said = capsys.readouterr().out
    epilog = commands(lang)[name].epilog
    assert f"k3push {name}" in epilog
    # Each can be copied as it stands.
    lines = [line.strip() for line in said.splitlines() if len(line) < COLUMNS]
    assert set(epilog.split(" · ")) <= set(lines)
    # Types and ranges in the library's own writing say nothing to a person.
    assert re.findall(r"<(?:str|path|int|float|list)|x[<>]=|\[\[", said) == []
    # Nobody types how often an option is not given.
    assert not re.search(r"-v\b.*(?:\n +.*)?\[(?:default: |默认：)\d", said)
