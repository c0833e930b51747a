"""What the notes of a ledger tell of a person's words about bills (`settle --as`)."""

from __future__ import annotations

import math

from k3push.core.remark import read_remark, remark

_BY_HAND = frozenset({"note.by_hand", "note.by_hand_of"})
# Earlier versions have not written down after how many calls.
_BY_HAND_EARLIER = frozenset({"note.person", "note.person_named"})


def calls_before(note: str) -> float:
    """Return after how many calls a person has said what became of a bill, or 0.

    Returns:
        `math.inf` where an earlier version has written the note: the times tell.

    >>> calls_before(remark("note.by_hand", state="planned", why="seen", attempts=2))
    2
    """
    told = read_remark(note)
    if told is None or told[0] not in _BY_HAND | _BY_HAND_EARLIER:
        return 0
    return int(told[1]["attempts"]) if told[0] in _BY_HAND else math.inf


def says_absent(note: str) -> bool:
    """Say whether a person has said that the ERP has made nothing of a bill.

    >>> said = remark("state.planned")
    >>> says_absent(remark("note.by_hand", state=said, why="deleted", attempts=1))
    True
    """
    told = read_remark(note)
    if told is None or told[0] not in _BY_HAND | _BY_HAND_EARLIER:
        return False
    return bool(told[1]["state"] == remark("state.planned"))
