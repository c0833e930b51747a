"""Cases of which the normal run plays a share, and `pytest -m more` the others.

They are many, take long together, and each tries in its own case what a quicker test of the normal
run tries as well. `.ci/run` plays both. Of those that take a quarter of an hour it plays a part,
and `pytest -m rest` plays what is left. Which share it is comes from the text of the source, so
that a commit plays the same one each time, and a change of the source another one.

A single test that takes longer than some seconds is marked `more` by itself, where quicker ones
try most of what it tries. Of files whose tests take long together, most as they start processes,
each run plays one half; they are marked `halved`.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

import k3push

SOURCE = Path(k3push.__file__).parent


def shared_out(
    cases: Iterable[object], shares: int, *, normal: int = 1, of_more: int | None = None
) -> Sequence[ParameterSet]:
    """Return the cases for `parametrize`; those of all shares but *normal* ones are marked.

    Args:
        cases: All of them.
        shares: Into how many the cases are divided.
        normal: How many shares the normal run plays.
        of_more: How many shares are marked `more`, the others `rest`; all where it is not given.
    """
    turn, most = _of_the_source() % shares, shares if of_more is None else normal + of_more
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=_marks((nth - turn) % shares, normal, most),
        )
        for nth, case in enumerate(cases)
    ]


def is_of_other_half(test: str) -> bool:
    """Say whether a test of a file that is `halved` is left to `pytest -m more`, by its id."""
    return (zlib.crc32(test.encode()) + _of_the_source()) % 2 == 1


def _marks(nth_share: int, normal: int, most: int) -> tuple[pytest.MarkDecorator, ...]:
    if nth_share < normal:
        return ()
    return (pytest.mark.more,) if nth_share < most else (pytest.mark.rest,)


@cache
def _of_the_source() -> int:
    """Return a number that any change of the source draws anew."""
    told = hashlib.sha256()
    for file in sorted(SOURCE.rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            told.update(file.read_bytes())
    return int.from_bytes(told.digest()[:8], "big")
