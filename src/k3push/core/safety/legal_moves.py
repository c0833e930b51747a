"""The life of one number: the legal moves, as a table.

The documents' diagram is drawn from `MOVES`, and every ledger asks `check` before it writes.
"""

from __future__ import annotations

from k3push.core.model import State

MOVES: dict[State, frozenset[State]] = {
    # A document may come that an earlier call, which was refused, has saved all the same (P 5.7).
    State.PLANNED: frozenset(
        {State.SENT, State.ALREADY, State.REJECTED, State.PUSHED, State.DRAFT, State.UNKNOWN}
    ),
    State.SENT: frozenset(
        {State.PLANNED, State.PUSHED, State.DRAFT, State.REJECTED, State.UNKNOWN}
    ),
    State.UNKNOWN: frozenset({State.PLANNED, State.PUSHED, State.DRAFT}),
    # A part of what was refused, or what came later, may turn up (P 5.7).
    State.REJECTED: frozenset({State.PLANNED, State.PUSHED, State.DRAFT, State.ALREADY}),
    State.PUSHED: frozenset(),
    State.DRAFT: frozenset(),
    State.ALREADY: frozenset(),
}

SENT_BEFORE = frozenset({State.PUSHED, State.DRAFT})
"""States that a planned number takes only if it was sent before: the look before its next sending
has found what the first sending made."""

AMENDABLE = SENT_BEFORE | {State.ALREADY}
"""States of rows that name documents: a later look may add what a call of ours has made late."""

FINAL = frozenset({State.PUSHED, State.DRAFT, State.ALREADY, State.REJECTED})
"""States that are final for a run.

Only a rejected number can leave its state: `retry` plans it again, or a later look finds that it
was made all the same.
"""

WAITING = frozenset({State.PLANNED, State.UNKNOWN})
"""States of rows that wait to be sent, or for whoever can say what became of them."""

OPEN = frozenset({State.SENT, State.UNKNOWN})
"""States in which the ERP may have acted and nobody knows yet: the claim is kept."""


class IllegalMoveError(Exception):
    """A move that would make the ledger lie, such as sending a number whose answer is in doubt."""


def check(number: str, old: State, new: State) -> None:
    """Raise unless a number may move from *old* to *new*.

    >>> check("CGDD0000017", State.UNKNOWN, State.PLANNED)
    >>> check("CGDD0000017", State.UNKNOWN, State.SENT)
    Traceback (most recent call last):
    ...
    k3push.core.safety.legal_moves.IllegalMoveError: CGDD0000017: unknown -> sent
    """
    if new not in MOVES[old]:
        raise IllegalMoveError(f"{number}: {old} -> {new}")
