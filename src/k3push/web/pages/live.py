"""How runs stand, as it changes: one look a second at what is watched, however many watch.

Nobody looks at what nobody watches. A look counts nothing: the ledger keeps tallies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import anyio
import orjson
from anyio.abc import TaskGroup
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from k3push.core.model import Run, RunId, State
from k3push.core.pacing.time_left import TimeLeft
from k3push.core.progress_rate import ProgressRate, done_of
from k3push.ports import Clock, Commanded, Ledger
from k3push.runs.control import Orders, orders_of
from k3push.runs.find import is_under_way, living_beside
from k3push.runs.kept_in_ledger.request_stages import Request, open_request_of
from k3push.runs.noted_waits import with_wait
from k3push.runs.outcome import NOT_FOLLOWED, Followed, followed_of
from k3push.web.admission.access import Log

LOOK_EVERY_S = 1.0
# A line that says nothing, so that a proxy does not take the silence for a dead connection.
SILENCE_S = 15.0

# How often it is asked whether the session of who watches goes on.
SESSION_LOOK_S = 2.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunView:
    """How a run stands at a moment.

    Attributes:
        alive: Whether a process executes it.
        followed: How far its documents have come after their push.
        waits: Whether it has no ending because another run of its command is under way.
        asked: What a server has been asked for, which is to execute it; None if nothing.
        rate: Numbers a second of late; 0 where that is not known.
        time_left: How long the rest takes at that rate, or None where that is not known.
        orders: What a person has made of it.
        commands: Their commands to this execution, the oldest first.
    """

    run: Run
    counts: Mapping[State, int]
    alive: bool
    followed: Followed = NOT_FOLLOWED
    rate: float = 0.0
    time_left: TimeLeft | None = None
    orders: Orders = field(default_factory=Orders)
    commands: Sequence[Commanded] = ()
    waits: bool = False
    asked: Request | None = None

    @property
    def total(self) -> int:
        """How many numbers it has."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """How many of them have a final state."""
        return done_of(self.counts)

    @property
    def left_s(self) -> TimeLeft | None:
        """How long it will take, or None where that is not known."""
        is_idle = not self.alive or self.orders.hold or self.done == self.total
        return None if is_idle else self.time_left


class Eye:
    """Looks at runs of one ledger again and again, and so sees how quickly they go."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._courses: dict[RunId, ProgressRate] = {}

    async def look(self, run: Run) -> RunView:
        """Return how a run stands now."""
        counts = await self._ledger.counts(run.id)
        followed = await followed_of(self._ledger, run, at_a_glance=True)
        alive = await is_under_way(self._ledger, run)
        if not alive:
            self._courses.pop(run.id, None)
            waits = run.exit is None and await living_beside(self._ledger, run) is not None
            asked = None if waits else await open_request_of(self._ledger, run)
            return RunView(run, counts, alive=False, followed=followed, waits=waits, asked=asked)
        commands = await self._ledger.commands(run.id)
        now_s, done = anyio.current_time(), done_of(counts)
        course = self._course_of(run.id, now_s, done)
        now = self._clock.now()
        orders = await with_wait(orders_of(commands), self._ledger, run.id, now)
        return RunView(
            run,
            counts,
            alive=True,
            followed=followed,
            rate=course.rate(now_s),
            time_left=course.time_left(now_s, sum(counts.values()) - done),
            orders=orders,
            commands=commands,
        )

    def _course_of(self, run: RunId, now_s: float, done: int) -> ProgressRate:
        """Note how far a run is; of those that are looked at no more nothing is kept."""
        old = [each for each, course in self._courses.items() if course.is_old(now_s)]
        for each in old:
            del self._courses[each]
        course = self._courses.setdefault(run, ProgressRate(now_s, done))
        course.step(now_s, done)
        return course


@dataclass(slots=True)
class Feed(Generic[T]):
    """What is seen of one thing.

    Attributes:
        seen: The latest; None before the first look.
        viewers: How many wait for it.
        over: Whether a look has failed; the browsers come again, and begin anew.
    """

    seen: T | None = None
    viewers: int = 0
    over: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    changed: anyio.Event = field(default_factory=anyio.Event)

    def show(self, seen: T) -> None:
        """Tell all viewers, if it is something new."""
        if seen != self.seen:
            self.seen = seen
            self.changed.set()
            self.changed = anyio.Event()


class Watchers:
    """Who watches what; a look is shared by all who watch the same thing."""

    def __init__(self, tasks: TaskGroup, log: Log) -> None:
        """Look in tasks of this group, and log what fails."""
        self._tasks = tasks
        self._log = log
        self._feeds: dict[Hashable, Feed[Any]] = {}

    @asynccontextmanager
    async def watching(
        self, what: Hashable, look: Callable[[], Awaitable[T]]
    ) -> AsyncIterator[Feed[T]]:
        """Have *what* looked at until the block ends; *look* is the first viewer's."""
        feed: Feed[T] | None = self._feeds.get(what)
        if feed is None:
            feed = self._feeds[what] = Feed()
            self._tasks.start_soon(self._look, what, feed, look)
        feed.viewers += 1
        try:
            yield feed
        finally:
            feed.viewers -= 1
            if not feed.viewers:
                feed.scope.cancel()
                self._forget(what, feed)

    async def _look(self, what: Hashable, feed: Feed[T], look: Callable[[], Awaitable[T]]) -> None:
        with feed.scope:
            try:
                while True:
                    feed.show(await look())
                    await anyio.sleep(LOOK_EVERY_S)
            except Exception as error:  # noqa: BLE001  # one broken look must not end others
                self._log("look.failed", why=repr(error))
                self._forget(what, feed)
                feed.over = True
                feed.changed.set()

    def _forget(self, what: Hashable, feed: Feed[T]) -> None:
        if self._feeds.get(what) is feed:
            del self._feeds[what]


class EventStream(Response):
    """Server-sent events: a message for each change, until the browser or the dashboard goes."""

    media_type = "text/event-stream"

    def __init__(
        self,
        watching: AbstractAsyncContextManager[Feed[T]],
        message: Callable[[T], Mapping[str, object]],
        closing: anyio.Event,
        is_admitted: Callable[[], bool],
    ) -> None:
        """Prepare to tell of a feed.

        Args:
            watching: Gives the feed, and is left in any case.
            message: What a browser is told of one look, as JSON.
            closing: Set when the dashboard ends.
            is_admitted: Says whether who asked may still see pages.
        """
        super().__init__()
        del self.headers["content-length"]
        # A proxy hands on each message at once (nginx, and what follows it).
        self.headers["x-accel-buffering"] = "no"
        self._watching = watching
        self._message = message
        self._closing = closing
        self._is_admitted = is_admitted

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002  # ASGI
        receive: Receive,
        send: Send,
    ) -> None:
        """Tell until there is nobody to tell, or the dashboard closes."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with self._watching as feed, anyio.create_task_group() as tasks:

            async def until_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            async def until_closed() -> None:
                while self._is_admitted() and not self._closing.is_set():
                    with anyio.move_on_after(SESSION_LOOK_S):
                        await self._closing.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_gone)
            tasks.start_soon(until_closed)
            await self._tell(feed, send)
            tasks.cancel_scope.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, feed: Feed[Any], send: Send) -> None:
        told = None
        await _say(send, b"retry: 3000")
        while not feed.over:
            changed = feed.changed
            if feed.seen is not None and feed.seen is not told:
                told = feed.seen
                await _say(send, b"data: " + orjson.dumps(self._message(told)))
            with anyio.move_on_after(SILENCE_S) as waiting:
                await changed.wait()
            if waiting.cancelled_caught:
                await _say(send, b": ")


async def _say(send: Send, line: bytes) -> None:
    await send({"type": "http.response.body", "body": line + b"\n\n", "more_body": True})
