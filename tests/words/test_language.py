from __future__ import annotations

import errno
import os

import pytest

from k3push.core.remark import remark
from k3push.words.language import Say, in_files
from tests.said import chinese, english


@pytest.mark.parametrize("code", ["\x1b", "\x07", "\x9b", "\u202e", "\ud800"])
def test_a_terminal_obeys_no_text_of_a_stranger(code: str) -> None:
    """The ERP's words, numbers of bills and names of files could erase a line, or forge one."""
    told = Say("en")("error.line", what=f"refused{code}[2J")
    assert code not in told
    assert f"[U+{ord(code):04X}]" in told
    assert code not in Say("zh").said(f"{code}]52;c;AAAA")


def test_a_file_repeats_no_words_of_the_erp() -> None:
    """A cell of `reason` is read in either language, and what the ERP said needs none."""
    ours = remark("note.cancelled_before", documents="id 100001")
    both = in_files(remark("note.also", first="第1行数量超出", more=ours))
    assert both.count("第1行数量超出") == 1
    assert both.count("cancelled documents were there") == 1
    assert both.count("原有下游单据已作废") == 1


def test_a_file_says_what_is_inside_a_sentence_in_the_language_of_the_sentence() -> None:
    """Else the other language would stand within each of the two."""
    told = remark("note.wait", why=remark("note.session_gone"))
    assert in_files(told) == f"{chinese(told)} ({english(told)})"


def test_what_the_system_says_of_a_file_is_said_in_chinese_too() -> None:
    """Half a sentence in English stood within each that tells why a file cannot be written."""
    why = os.strerror(errno.EACCES)
    assert Say("zh")("output.unusable", path="a.csv", why=why) == "无法写入 a.csv：没有权限"
    assert Say("en")("output.unusable", path="a.csv", why=why).endswith(why)


def test_facts_that_no_sentence_can_hold_are_shown_as_they_are() -> None:
    """Another version wrote them, or somebody whose words only look like ours."""
    for facts in ('{"count":[]}', '{"count":{}}', '{"count":null}', '{"count":"x"}', "{}"):
        told = f"desk.repeats{facts}"
        assert Say("en").said(told) == told
