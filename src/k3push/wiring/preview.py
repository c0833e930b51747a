"""What a run would do, seen before it does it: for a plan, and for `run` on a terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from k3push.config.settings import Settings
from k3push.core.control_words import Key
from k3push.core.model import Route
from k3push.core.pacing.expected_time import Driven, Expected, expect
from k3push.core.plan import Forecast, Foreseen, Totals
from k3push.ports import Ledger
from k3push.runs.create import JobSource, scope_of
from k3push.runs.forecast import (
    ForecastContext,
    HeldByOthers,
    forecast,
    held_numbers,
    learn_links,
    measured,
)
from k3push.runs.lookup.link_discovery import see_target_form
from k3push.runs.lookup.looker import can_ask
from k3push.runs.lookup.retried_reads import Waiter
from k3push.runs.outcome import Exit, exit_of_looks
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Stop, stopping
from k3push.runs.throttle import Throttle
from k3push.wiring.erp import ErpAccess
from k3push.wiring.open_ledger import ledger_if_there


@dataclass(slots=True)
class Preview:
    """What was seen of a job.

    Attributes:
        routes: Those that its lines ask for, by their own names.
        totals: What the lines of each add up to.
        expected: What the sending of each comes to.
        one_by_one: Routes of which nobody can ask what was made: a number travels in each call.
        stop: Why not all was seen, if so.
    """

    routes: Mapping[str, Route]
    totals: dict[str, Totals] = field(default_factory=dict)
    expected: dict[str, Expected] = field(default_factory=dict)
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

    def as_json(self) -> dict[str, object]:
        """Return what `plan --json` prints of it."""
        counts = {
            fate.value: count
            for fate in Forecast
            if (count := sum(totals.fates[fate] for totals in self.totals.values()))
        }
        times = [each.time for each in self.expected.values() if each.calls]
        known = [each for each in times if each is not None]
        least_s = most_s = about_s = None
        if len(known) == len(times):  # routes follow one another
            least_s = round(sum(each.least_s for each in known), 1)
            most_s = round(sum(each.most_s for each in known), 1)
            about_s = round(sum(each.about_s for each in known), 1)
        return {
            "route": ";".join(self.routes),
            "exit": int(self.exit),
            "counts": counts,
            "repeats": sum(totals.repeats for totals in self.totals.values()),
            "chunks": sum(each.calls for each in self.expected.values()),
            "estimated_seconds": about_s,
            "estimated_seconds_least": least_s,
            "estimated_seconds_most": most_s,
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
            take: Takes what is seen, some pages at a time.
            stop: Ends it early, where somebody else holds it as well.
        """
        by_name = {route.name: route for route in routes.values()}
        preview = Preview(by_name, {name: Totals() for name in by_name}, stop=stop or Stop())
        stop = preview.stop
        with stop.scope:
            async with AsyncExitStack() as stack:
                with stopping(stop):
                    erp = self.entrance.opened(
                        lambda: self.throttle[Key.CALLS_PER_MINUTE], self.set_aside
                    )
                    await stack.enter_async_context(erp)
                    given = self.ledger
                    ledger = await stack.enter_async_context(
                        nullcontext(given) if given else ledger_if_there(self.settings)
                    )
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
                            await see_target_form(outlook)
                            preview.one_by_one.add(route.name)
                    pages = forecast(jobs, outlooks, stop, at_once=self.throttle[Key.CONCURRENCY])
                    async for page in pages:
                        for foreseen in page:
                            preview.totals[foreseen.route].add(foreseen)
                        if take is not None:
                            await take(page)
                        reading.add(len(page))
                    for name in by_name:
                        preview.expected[name] = await self._expected(ledger, preview, name)
        return preview

    async def _expected(self, ledger: Ledger | None, preview: Preview, name: str) -> Expected:
        """Say what the sending of a route comes to, judging by the last run of it."""
        kept = took = None
        if ledger is not None:
            scope = scope_of(self.settings.erp.acct_id, preview.routes[name])
            kept = await ledger.pace(scope)
            took = await measured(ledger, scope) if kept is None else None
        throttle = self.throttle
        driven = Driven(
            throttle.fixed(Key.CONCURRENCY),
            throttle.fixed(Key.CHUNK_SIZE),
            canary=self.limits.canary,
            calls_per_minute=throttle[Key.CALLS_PER_MINUTE],
            answer_timeout_s=self.settings.erp.answer_timeout_s,
        )
        if name in preview.one_by_one:
            driven = replace(driven, chunk_size=1, canary=False)
        return expect(preview.totals[name].to_send, driven, kept[0] if kept else None, took)
