from __future__ import annotations

import pytest

from k3push.words.language import Say


@pytest.mark.parametrize("code", ["\x1b", "\x07", "\x9b", "\u202e", "\ud800"])
def test_a_terminal_obeys_no_text_of_a_stranger(code: str) -> None:
    """The ERP's words, numbers of bills and names of files could erase a line, or forge one."""
    told = Say("en")("error.line", what=f"refused{code}[2J")
    assert code not in told
    assert f"[U+{ord(code):04X}]" in told
    assert code not in Say("zh").said(f"{code}]52;c;AAAA")
