"""A copy of the books that queries read, some time behind the books themselves."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from k3push.simulator.books.bills import Bill


class Replica:
    """Keeps what bills were like until their latest state arrives.

    It holds nothing of a bill whose states have all arrived, which is then shown as it is.

    Args:
        in_turn: Whether the books answer every second query themselves.
    """

    def __init__(self, *, in_turn: bool = False) -> None:
        self._in_turn = in_turn
        self._is_fresh = False
        self._past: defaultdict[int, deque[Bill | None]] = defaultdict(deque)

    def keep(self, old: Iterable[Bill], new: Iterable[Bill]) -> Callable[[], None]:
        """Keep bills as they are before a change; give what is to be done when it arrives.

        Args:
            old: Bills that will change.
            new: Bills that will only then be there.
        """
        past: dict[int, Bill | None] = dict.fromkeys(bill.id for bill in new)
        for bill in old:
            past[bill.id] = replace(bill, entries=[replace(entry) for entry in bill.entries])
        for key, state in past.items():
            self._past[key].append(state)

        def arrive() -> None:
            for key in past:
                self._past[key].popleft()
                if not self._past[key]:
                    del self._past[key]

        return arrive

    def shown(self, bill: Bill) -> Bill | None:
        """Give *bill* as queries see it; None where it is not there yet."""
        return self._past[bill.id][0] if bill.id in self._past and not self._is_fresh else bill

    def turn(self) -> None:
        """Let the other copy answer, before a query."""
        self._is_fresh = self._in_turn and not self._is_fresh
