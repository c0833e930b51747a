"""Looks of several chunks in one query: what asks for the same form at one time asks together.

A query costs the ERP about as much for two chunks as for one, and takes a place among the
calls at once. So no more are made at a time than chunks need on average, and what comes
beyond that waits and is asked together. A look never shares a query that began before it: what
it is to see may have been made since. Where a shared query is refused, each look is made by itself,
so that none is refused for the numbers of another.
"""

from __future__ import annotations

import math
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from k3push.core.model import BillNumber, Exchange, Route, Sighting, Source
from k3push.core.protocol.wire import PUSH
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.ports import (
    Erp,
    ErpUnreachableError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
    Turn,
)

P = ParamSpec("P")
T = TypeVar("T")

# A chunk looks at the field before its push and after it, and at the links before it.
FIELD_LOOKS_A_CHUNK = 2
LINK_LOOKS_A_CHUNK = 1
# How often other tasks run before a query is made: one commit lets several chunks go on at once.
BREATH = 2
# How much the last call weighs in the average duration of a call.
WEIGHT = 0.2


@dataclass(slots=True, eq=False)
class _Look:
    """What one caller wants to know, and the answer or the error that the query met.

    Attributes:
        asked: Numbers, each with its internal id where links are asked.
        answered: Whether *found* is the answer, which may be None.
        alone: A query that it shared was refused, maybe for another's numbers.
    """

    route: Route
    asked: Mapping[BillNumber, str]
    found: Sighting | None = None
    answered: bool = False
    error: Exception | None = None
    alone: bool = False


def _passed_on(
    verb: Callable[Concatenate[Erp, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[BatchedQueries, P], Coroutine[Any, Any, T]]:
    """Make a verb that the ERP behind the looks fulfils by itself."""

    async def passed_on(self: BatchedQueries, /, *args: P.args, **kwargs: P.kwargs) -> T:
        found: T = await getattr(self._erp, verb.__name__)(*args, **kwargs)
        return found

    return update_wrapper(passed_on, verb)


class BatchedQueries:
    """An ERP whose looks at the target form are joined. Fulfils `ports.Erp`."""

    def __init__(
        self, erp: Erp, at_once: Callable[[], int], room: Callable[[], int] = lambda: MOST_NUMBERS
    ) -> None:
        """Begin without a look.

        Args:
            at_once: How many questions all chunks that may be on their way now make of one look
                each; one of more numbers than fit into a question makes several.
            room: How many numbers a question of several looks may name.
        """
        self._erp = erp
        self._at_once = at_once
        self._push_s = 0.0
        self._by_field = _Joined(self._ask_field, lambda: self._most(FIELD_LOOKS_A_CHUNK), room)
        self._of_unsent = _Joined(self._ask_unsent, lambda: self._most(FIELD_LOOKS_A_CHUNK), room)
        self._by_links = _Joined(
            erp.linked_targets_of, lambda: self._most(LINK_LOOKS_A_CHUNK), room
        )

    @property
    def users(self) -> Collection[str]:
        """Return all users."""
        return self._erp.users

    @asynccontextmanager
    async def turn(self, user: str = "") -> AsyncIterator[Turn]:
        """Wait until a call may leave at once."""
        async with self._erp.turn(user) as turn:
            yield _TimedTurn(turn, self._time)

    def _time(self, push_s: float) -> None:
        self._push_s = _smoothed(self._push_s, push_s)

    def spares(self, user: str) -> bool:
        """Say whether pushes go through others than *user*, who may not push."""
        return self._erp.spares(user)

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost."""
        self._erp.lose_session(session)

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills; whole questions come here already."""
        return await self._erp.sources_of(route, numbers)

    # Whole questions come here already, or what nobody else asks for at the same time.
    newest_of = _passed_on(Erp.newest_of)
    newest_id = _passed_on(Erp.newest_id)
    made_since = _passed_on(Erp.made_since)
    links_of = _passed_on(Erp.links_of)
    partly_linked = _passed_on(Erp.partly_linked)
    entries_of = _passed_on(Erp.entries_of)
    newest_links = _passed_on(Erp.newest_links)
    linked_sources = _passed_on(Erp.linked_sources)
    standings_of = _passed_on(Erp.standings_of)
    flow_tasks_of = _passed_on(Erp.flow_tasks_of)
    sources_by_id = _passed_on(Erp.sources_by_id)
    selected = _passed_on(Erp.selected)

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        """Ask the target form for the documents of *numbers*, together with who asks now."""
        if by_all:
            return await self._erp.targets_of(route, numbers, by_all=True, unsent=unsent)
        joined = self._of_unsent if unsent else self._by_field
        return await joined.look(route, dict.fromkeys(numbers, "")) or Sighting()

    async def linked_targets_of(
        self, route: Route, ids: Mapping[BillNumber, str], *, by_all: bool = False
    ) -> Sighting | None:
        """Ask the links of the target form, together with who asks now."""
        if by_all:
            return await self._erp.linked_targets_of(route, ids, by_all=True)
        return await self._by_links.look(route, ids)

    async def _ask_field(self, route: Route, asked: Mapping[BillNumber, str]) -> Sighting | None:
        return await self._erp.targets_of(route, list(asked))

    async def _ask_unsent(self, route: Route, asked: Mapping[BillNumber, str]) -> Sighting | None:
        return await self._erp.targets_of(route, list(asked), unsent=True)

    def _most(self, looks_a_chunk: int) -> int:
        """Say how many queries may be under way: as many as the chunks would make on average.

        Queries beyond that number come in a crowd: each waits for the others, and sharing saves the
        ERP work.
        """
        look_s = max(self._by_field.look_s, self._of_unsent.look_s, self._by_links.look_s)
        # The two looks before a push are made at the same time.
        chunk_s = FIELD_LOOKS_A_CHUNK * look_s + self._push_s
        part = looks_a_chunk * look_s / chunk_s if self._push_s else 1.0
        return max(1, math.ceil(part * self._at_once()))


class _Joined:
    """Looks of one kind that wait, and the queries that answer several of them."""

    def __init__(
        self,
        ask: Callable[[Route, Mapping[BillNumber, str]], Awaitable[Sighting | None]],
        most: Callable[[], int],
        room: Callable[[], int],
    ) -> None:
        self._ask = ask
        self._most = most
        self._room = room
        self._waiting: list[_Look] = []
        self._under_way = 0
        self.look_s = 0.0
        self._moved = anyio.Event()

    async def look(self, route: Route, asked: Mapping[BillNumber, str]) -> Sighting | None:
        """Return the part of a query that is about *asked*."""
        look = _Look(route, asked)
        self._waiting.append(look)
        try:
            for _ in range(BREATH):
                await checkpoint()
            while not look.answered and look.error is None:
                if look in self._waiting and self._under_way < self._most():
                    await self._ask_together()
                else:
                    await self._moved.wait()
        finally:
            if look in self._waiting:
                self._waiting.remove(look)
        if look.error is not None:
            raise look.error
        return look.found

    async def _ask_together(self) -> None:
        """Make one query for those who have waited longest."""
        looks = self._take()
        asked = {number: id_ for look in looks for number, id_ in look.asked.items()}
        self._under_way += 1
        began_s = anyio.current_time()
        try:
            found = await self._ask(looks[0].route, asked)
        except (LookFailedError, ErpUnreachableError, LoginRefusedError) as error:
            for look in looks:
                if isinstance(error, LookRefusedError) and len(looks) > 1:
                    look.alone = True  # each is asked again, by itself
                else:
                    look.error = error
        else:
            self.look_s = _smoothed(self.look_s, anyio.current_time() - began_s)
            for look in looks:
                look.found = None if found is None else _of(found, look.asked)
                look.answered = True
        finally:
            self._under_way -= 1
            # Where the one who asked is cancelled or refused, the others still want to know.
            self._waiting[:0] = [look for look in looks if not look.answered and not look.error]
            self._moved.set()
            self._moved = anyio.Event()

    def _take(self) -> list[_Look]:
        """Take the oldest look, and others of its route as long as they fit into one question.

        A number has one id in a question: bills may have exchanged their numbers between two looks.
        """
        route, room = self._waiting[0].route, self._room()
        taken: list[_Look] = []
        asked: dict[BillNumber, str] = {}
        for look in self._waiting[:1] if self._waiting[0].alone else self._waiting:
            fits = look.route == route and len(look.asked) <= room and not look.alone
            agrees = all(asked.get(number, id_) == id_ for number, id_ in look.asked.items())
            if not taken or (fits and agrees):
                taken.append(look)
                asked.update(look.asked)
                room -= len(look.asked)
        self._waiting = [look for look in self._waiting if look not in taken]
        return taken


@dataclass(frozen=True, slots=True)
class _TimedTurn:
    """A turn whose push is timed. Fulfils `ports.Turn`."""

    turn: Turn
    timed: Callable[[float], None]

    @property
    def user(self) -> str:
        """The user that the push travels as."""
        return self.turn.user

    async def perform(
        self, operation: str, form: str, data: bytes, *, held_back: Callable[[], str]
    ) -> Exchange:
        """Make one call that writes, at most once."""
        began_s = anyio.current_time()
        exchange = await self.turn.perform(operation, form, data, held_back=held_back)
        if operation == PUSH:
            self.timed(anyio.current_time() - began_s)
        return exchange


def _of(seen: Sighting, numbers: Collection[BillNumber]) -> Sighting:
    """Return what was seen of some of the numbers."""
    return Sighting(
        {number: seen.targets[number] for number in numbers if number in seen.targets},
        seen.users,
        {number: seen.cancelled[number] for number in numbers if number in seen.cancelled},
        thin=seen.thin,
        linked=seen.linked.intersection(numbers) if seen.linked else seen.linked,
        by_link=seen.by_link,
        shared={number: seen.shared[number] for number in numbers if number in seen.shared},
        denied={number: seen.denied[number] for number in numbers if number in seen.denied},
        sources=seen.sources,
    )


def _smoothed(before_s: float, now_s: float) -> float:
    return now_s if not before_s else before_s + WEIGHT * (now_s - before_s)
