"""Looks of several chunks in one query: what asks for the same form at one time asks together.

A query costs the ERP about as much for two chunks as for one, and takes a place among the
calls at once. So no more are made at a time than chunks need on average, and what comes
beyond that waits and is asked together. A look never shares a query that began before it: what
it is to see may have been made since.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import anyio
from anyio.lowlevel import checkpoint

from k3push.core.matching import MOST_NUMBERS
from k3push.core.model import BillNumber, Exchange, Route, Source, Targets
from k3push.ports import Erp, ErpUnreachableError, LoginRefusedError, LookFailedError

# A chunk looks before its push and after it.
LOOKS_A_CHUNK = 2
# How often others get their turn before a look is made: a commit lets several chunks go at once.
BREATH = 2
# How much the last call weighs in what a call takes.
WEIGHT = 0.2


@dataclass(slots=True, eq=False)
class _Look:
    """What one caller wants to know, and the answer or the error that the query met."""

    route: Route
    numbers: Collection[BillNumber]
    found: Targets | None = None
    error: Exception | None = None


class JoinedLooks:
    """An ERP whose looks at the target form are joined. Fulfils `ports.Erp`."""

    def __init__(self, erp: Erp, at_once: Callable[[], int]) -> None:
        """Begin without a look.

        Args:
            erp: Who is asked.
            at_once: How many chunks may be on their way now.
        """
        self._erp = erp
        self._at_once = at_once
        self._waiting: list[_Look] = []
        self._under_way = 0
        self._look_s = self._push_s = 0.0
        self._moved = anyio.Event()

    async def turn(self) -> None:
        """Wait until a push may leave at once."""
        await self._erp.turn()

    async def push(self, route: Route, data: bytes) -> Exchange:
        """Send one Push request, once."""
        began_s = anyio.current_time()
        exchange = await self._erp.push(route, data)
        self._push_s = _smoothed(self._push_s, anyio.current_time() - began_s)
        return exchange

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost."""
        self._erp.lose_session(session)

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills; whole questions come here already."""
        return await self._erp.sources_of(route, numbers)

    async def targets_of(
        self, route: Route, numbers: Collection[BillNumber], *, by_all: bool = False
    ) -> Targets:
        """Ask the target form for the documents of *numbers*, together with who asks now."""
        if by_all:
            return await self._erp.targets_of(route, numbers, by_all=True)
        look = _Look(route, numbers)
        self._waiting.append(look)
        try:
            for _ in range(BREATH):
                await checkpoint()
            while look.found is None and look.error is None:
                if look in self._waiting and self._under_way < self._most:
                    await self._ask_together()
                else:
                    await self._moved.wait()
        finally:
            if look in self._waiting:
                self._waiting.remove(look)
        if look.error is not None:
            raise look.error
        return look.found or {}

    @property
    def _most(self) -> int:
        """How many queries may be under way now: so many as chunks would make on average.

        Those beyond it come in a crowd, and what they wait for the others they save the ERP.
        """
        looks_s = LOOKS_A_CHUNK * self._look_s
        part = looks_s / (looks_s + self._push_s) if self._push_s else 1.0
        return max(1, math.ceil(part * self._at_once()))

    async def _ask_together(self) -> None:
        """Make one query for those who have waited longest."""
        looks = self._take()
        numbers = list(dict.fromkeys(number for look in looks for number in look.numbers))
        self._under_way += 1
        began_s = anyio.current_time()
        try:
            found = await self._erp.targets_of(looks[0].route, numbers)
        except (LookFailedError, ErpUnreachableError, LoginRefusedError) as error:
            for look in looks:
                look.error = error
        else:
            self._look_s = _smoothed(self._look_s, anyio.current_time() - began_s)
            for look in looks:
                look.found = {number: found[number] for number in look.numbers if number in found}
        finally:
            self._under_way -= 1
            # Where the one who asked is cancelled, the others still want to know.
            self._waiting[:0] = [look for look in looks if look.found is None and not look.error]
            self._moved.set()
            self._moved = anyio.Event()

    def _take(self) -> list[_Look]:
        """Take the oldest look, and others of its route as long as they fit into one question."""
        route, room = self._waiting[0].route, MOST_NUMBERS
        taken: list[_Look] = []
        for look in self._waiting:
            if not taken or (look.route == route and len(look.numbers) <= room):
                taken.append(look)
                room -= len(look.numbers)
        self._waiting = [look for look in self._waiting if look not in taken]
        return taken


def _smoothed(before_s: float, now_s: float) -> float:
    return now_s if not before_s else before_s + WEIGHT * (now_s - before_s)
