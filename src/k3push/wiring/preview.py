"""What a run would do, seen before it does it: for a plan, and for `run` on a terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from k3push.config.settings import Settings
from k3push.core.control_words import Key
from k3push.core.model import Route
from k3push.core.pacing.chunking import count_chunks
from k3push.core.plan import Forecast, Foreseen, Totals
from k3push.ports import Ledger
from k3push.runs.context import PushLimits
from k3push.runs.create import JobSource, scope_of
from k3push.runs.forecast import (
    ForecastContext,
    HeldByOthers,
    forecast,
    held_numbers,
    learn_links,
    measured_pace,
)
from k3push.runs.lookup import can_ask
from k3push.runs.outcome import Exit, exit_of_looks
from k3push.runs.retried_reads import Waiter
from k3push.runs.stop import Stop, stopping
from k3push.runs.throttle import Throttle
from k3push.wiring.erp import ErpAccess
from k3push.wiring.open_ledger import is_there, ledger_of


@dataclass(slots=True)
class Preview:
    """What was seen of a job.

    Attributes:
        routes: Those that its lines ask for, by their own names.
        chunk_size: Numbers in a chunk, to begin with.
        canary: Whether one number travels first.
        totals: What the lines of each add up to.
        numbers_a_second: How fast the last run of each was; a route without one is absent.
        one_by_one: Routes of which nobody can ask what was made: a number travels in each call.
        stop: Why not all was seen, if so.
    """

    routes: Mapping[str, Route]
    chunk_size: int = 1
    canary: bool = False
    totals: dict[str, Totals] = field(default_factory=dict)
    numbers_a_second: dict[str, float] = field(default_factory=dict)
    one_by_one: set[str] = field(default_factory=set)
    stop: Stop = field(default_factory=Stop)

    @property
    def to_send(self) -> int:
        """How many numbers would be sent."""
        return sum(totals.to_send for totals in self.totals.values())

    @property
    def exit(self) -> Exit:
        """The exit code of `plan`: 3 where a run would reject numbers unsent."""
        if self.stop.asked:
            return exit_of_looks(self.stop)
        blocked = any(totals.fates[Forecast.BLOCKED] for totals in self.totals.values())
        return Exit.SOME_REJECTED if blocked else Exit.DONE

    def chunks(self, name: str) -> int:
        """Say in how many calls the numbers of a route would travel, if none is refused."""
        reads_back = name not in self.one_by_one
        return count_chunks(
            self.totals[name].to_send,
            self.chunk_size if reads_back else 1,
            canary=self.canary and reads_back,
        )

    def seconds(self, name: str) -> float | None:
        """Say how long the sending would take, where a run of the route was measured."""
        pace = self.numbers_a_second.get(name)
        return self.totals[name].to_send / pace if pace else None

    def as_json(self) -> dict[str, object]:
        """Return what `plan --json` prints of it."""
        counts = {
            fate.value: count
            for fate in Forecast
            if (count := sum(totals.fates[fate] for totals in self.totals.values()))
        }
        known = [self.seconds(name) for name, totals in self.totals.items() if totals.to_send]
        seconds = [each for each in known if each is not None]
        return {
            "route": ";".join(self.routes),
            "exit": int(self.exit),
            "counts": counts,
            "repeats": sum(totals.repeats for totals in self.totals.values()),
            "chunks": sum(map(self.chunks, self.totals)),
            "estimated_seconds": round(sum(seconds), 1) if len(seconds) == len(known) else None,
        }


class Reading(Waiter, Protocol):
    """Is told how far a look ahead is."""

    def add(self, count: int) -> None:
        """So many lines more were seen."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewer:
    """Looks ahead for a job.

    Attributes:
        ledger: None where that of the settings is to be opened, if there is one.
        throttle: How many pages are asked for at once, and how many calls in a minute.
        set_aside: Is told of a user who is set aside while others are left.
        again: A person wants numbers pushed that have a target.
    """

    settings: Settings
    entrance: ErpAccess
    set_aside: Callable[[str, str], None]
    limits: PushLimits
    throttle: Throttle
    ledger: Ledger | None = None
    again: bool = False

    async def look(
        self,
        jobs: Sequence[JobSource],
        routes: Mapping[str, Route],
        reading: Reading,
        take: Callable[[list[Foreseen]], Awaitable[None]] | None = None,
        stop: Stop | None = None,
    ) -> Preview:
        """Ask both forms of every route for the numbers of a job.

        Args:
            jobs: Job files that have been read to their ends before.
            routes: By the name that lines give.
            reading: Is told how far it is.
            take: Takes what is seen, some pages at a time.
            stop: Ends it early, where somebody else holds it as well.
        """
        by_name = {route.name: route for route in routes.values()}
        preview = Preview(
            by_name,
            self.throttle[Key.CHUNK_SIZE],
            self.limits.canary,
            {name: Totals() for name in by_name},
            stop=stop or Stop(),
        )
        stop = preview.stop
        with stop.scope:
            async with AsyncExitStack() as stack:
                with stopping(stop):
                    erp = self.entrance.opened(
                        lambda: self.throttle[Key.CALLS_PER_MINUTE], self.set_aside
                    )
                    await stack.enter_async_context(erp)
                    ledger = await stack.enter_async_context(self._opened())
                    await self._ask_pace(ledger, preview)
                    await erp.open_session()
                    outlooks = {}
                    for asked, route in routes.items():
                        outlook = ForecastContext(route, erp, self.limits, stop, reading)
                        if ledger is not None:
                            scope = scope_of(self.settings.erp.acct_id, route)
                            outlook = replace(
                                outlook,
                                held=HeldByOthers(partial(held_numbers, ledger, scope)),
                                ledger=ledger,
                                scope=scope,
                            )
                        outlook = await learn_links(replace(outlook, again=self.again))
                        outlooks[asked] = outlook
                        if not can_ask(outlook):
                            preview.one_by_one.add(route.name)
                    pages = forecast(jobs, outlooks, stop, at_once=self.throttle[Key.CONCURRENCY])
                    async for page in pages:
                        for foreseen in page:
                            preview.totals[foreseen.route].add(foreseen)
                        if take is not None:
                            await take(page)
                        reading.add(len(page))
        return preview

    async def _ask_pace(self, ledger: Ledger | None, preview: Preview) -> None:
        """Ask how fast the last run of each route was."""
        if ledger is None:
            return
        for name, route in preview.routes.items():
            pace = await measured_pace(ledger, scope_of(self.settings.erp.acct_id, route))
            if pace is not None:
                preview.numbers_a_second[name] = pace

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Ledger | None]:
        if self.ledger is not None:
            yield self.ledger
        elif await is_there(self.settings):
            async with ledger_of(self.settings) as ledger:
                yield ledger
        else:
            yield None
