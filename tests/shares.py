"""Cases of which the normal run plays a share, and `pytest -m more` the others.

They are many, take long together, and each tries in its own case what a quicker test of the normal
run tries as well. `.ci/run` plays all. Which share it is comes from the text of the source, so
that a commit plays the same one each time, and a change of the source another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

import k3push

SOURCE = Path(k3push.__file__).parent


def shared_out(cases: Iterable[object], shares: int) -> Sequence[ParameterSet]:
    """Return the cases for `parametrize`; those of all shares but one are marked `more`."""
    turn = _of_the_source() % shares
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=() if nth % shares == turn else pytest.mark.more,
        )
        for nth, case in enumerate(cases)
    ]


@cache
def _of_the_source() -> int:
    """Return a number that any change of the source draws anew."""
    told = hashlib.sha256()
    for file in sorted(SOURCE.rglob("*")):
        if file.is_file() and file.suffix != ".pyc":
            told.update(file.read_bytes())
    return int.from_bytes(told.digest()[:8], "big")
