"""What `explain` says of an answer."""

from __future__ import annotations

from typing import Any

import pytest

from k3push.core.model import Target
from k3push.core.protocol.response_status import code_in
from k3push.core.remark import remark
from k3push.core.safety.verdict import ReadBack, Said
from k3push.runs.sending.attempt import remark_on
from k3push.words.language import Say


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize(
    ("code", "told"), [(11, "MsgCode 11"), (None, "MsgCode -"), ("absent", "MsgCode absent")]
)
def test_the_code_of_a_refusal_is_named_once(code: Any, told: str, *, twice: bool) -> None:
    """Where the ERP sends a word in its place as well, and where it is looked at twice."""
    said = Said(success=False, code=code_in(code), messages=(), named=())
    words = Say("en").said(remark_on(ReadBack(said, twice=twice)))
    assert f"(refused, {told})" in words


@pytest.mark.parametrize("named", [(), (Target("1", "RK1"),)])
def test_a_success_is_silent_that_names_nothing(named: tuple[Target, ...]) -> None:
    """The ledger goes by that: a silent success may not have made anything."""
    said = Said(success=True, code="0", messages=(), named=named)
    word = "note.success" if named else "note.silent_success"
    assert remark_on(ReadBack(said)) == remark(word)
