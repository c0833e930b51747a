"""What a person reads of an exception or a text of the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from k3push.words.language import speaker

E = TypeVar("E", bound=BaseException)


def english(told: object) -> str:
    """Return it in English; remarks are put into words."""
    return speaker("en").said(str(told))


def chinese(told: object) -> str:
    """Return it in Chinese; remarks are put into words."""
    return speaker("zh").said(str(told))


@contextmanager
def refused(kind: type[E], words: str) -> Iterator[pytest.ExceptionInfo[E]]:
    """Expect an exception that says in English what the regular expression *words* finds."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(words, english(caught.value)), english(caught.value)
