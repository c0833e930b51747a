"""What a run would do, shown before it does it: for `plan`, and for `run` on a terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import anyio
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from k3push.cli.progress import LINE_EVERY_S
from k3push.cli.signals import on_interrupt
from k3push.cli.sites import Entrance
from k3push.cli.wiring import is_there, ledger_of
from k3push.cli.words import Say
from k3push.core.chunking import count_chunks
from k3push.core.commands import Key
from k3push.core.model import BillNumber, Route, RunId
from k3push.core.plan import Fate, Foreseen, Totals
from k3push.foreseeing import Outlook, foresee, held_numbers, measured_pace
from k3push.job import Cause, PushPace, Stop, stopping
from k3push.planning import JobSource, scope_of
from k3push.reporting.ending import Exit
from k3push.settings import Settings
from k3push.steering import Steering

REASONS_SHOWN = 5

_COLOURS = {Fate.READY: "green", Fate.PARTLY: "yellow", Fate.ALREADY: "cyan", Fate.BLOCKED: "red"}

# Nothing was begun that could be resumed; a form or field that is refused is a wrong setting.
_EXITS = {
    Cause.UNREACHABLE: Exit.UNREACHABLE,
    Cause.LOGIN_REFUSED: Exit.UNREACHABLE,
    Cause.LOOK_REFUSED: Exit.USAGE,
}


@dataclass(slots=True)
class Preview:
    """What was seen of a job.

    Attributes:
        routes: Those that its lines ask for, by their own names.
        chunk_size: Numbers in a chunk, to begin with.
        canary: Whether one number travels first.
        totals: What the lines of each add up to.
        numbers_a_second: How fast the last run of each was; a route without one is absent.
        stop: Why not all was seen, if so.
    """

    routes: Mapping[str, Route]
    chunk_size: int = 1
    canary: bool = False
    totals: dict[str, Totals] = field(default_factory=dict)
    numbers_a_second: dict[str, float] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)

    @property
    def to_send(self) -> int:
        """How many numbers would be sent."""
        return sum(totals.to_send for totals in self.totals.values())

    @property
    def exit(self) -> Exit:
        """The exit code of `plan`: 3 where a run would reject numbers unsent."""
        if self.stop.asked:
            return max(_EXITS.get(cause, Exit.STOPPED) for cause in self.stop.causes)
        blocked = any(totals.fates[Fate.BLOCKED] for totals in self.totals.values())
        return Exit.SOME_REJECTED if blocked else Exit.DONE

    def chunks(self, name: str) -> int:
        """Say in how many calls the numbers of a route would travel, if none is refused."""
        reads_back = bool(self.routes[name].source_number_field)
        return count_chunks(
            self.totals[name].to_send,
            self.chunk_size if reads_back else 1,
            canary=self.canary and reads_back,
        )

    def seconds(self, name: str) -> float | None:
        """Say how long the sending would take, where a run of the route was measured."""
        pace = self.numbers_a_second.get(name)
        return self.totals[name].to_send / pace if pace else None

    def lines(self, say: Say, url: str, acct_id: str) -> Iterator[str]:
        """Yield the summary, with rich's colours."""
        for name, route in self.routes.items():
            totals, seconds = self.totals[name], self.seconds(name)
            forms = {"source": route.source, "target": route.target}
            yield escape(say("plan.route", route=name, **forms))
            yield escape(say("plan.site", url=url, acct=acct_id))
            for fate in Fate:
                count = totals.fates[fate]
                if count or fate is Fate.READY:
                    yield f"  [{_COLOURS[fate]}]{fate.value:<9}[/] {count:>9,}"
            if totals.repeats:
                yield "  " + say("summary.repeats", count=totals.repeats)
            if totals.reasons:
                yield "  " + say("plan.reasons")
            for reason, count in totals.reasons.most_common(REASONS_SHOWN):
                yield f"    {count} × {escape(reason)}"
            if not route.source_number_field:
                yield "  " + say("plan.unread")
            if totals.to_send:
                time = say("plan.time_unknown") if seconds is None else duration(seconds, say)
                yield "  " + say("plan.chunks", chunks=self.chunks(name), time=time)

    def as_json(self) -> dict[str, object]:
        """Return what `plan --json` prints of it."""
        counts = {
            fate.value: count
            for fate in Fate
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookout:
    """Looks ahead for a job.

    Attributes:
        steering: How many pages are asked for at once, and how many calls in a minute.
        set_aside: Is told of a user who is set aside while others are left.
        errors: Where progress goes.
        quiet: Whether it is left out.
        again: A person wants numbers pushed that have a target.
    """

    settings: Settings
    entrance: Entrance
    set_aside: Callable[[str, str], None]
    pace: PushPace
    steering: Steering
    say: Say
    errors: Console
    quiet: bool
    again: bool = False

    async def look(
        self,
        jobs: Sequence[JobSource],
        routes: Mapping[str, Route],
        count: int,
        take: Callable[[list[Foreseen]], Awaitable[None]] | None = None,
    ) -> Preview:
        """Ask both forms of every route for the numbers of a job.

        Args:
            jobs: Job files that have been read to their ends before.
            routes: By the name that lines give.
            count: How many lines they have, for the progress.
            take: Takes what is seen, some pages at a time.
        """
        by_name = {route.name: route for route in routes.values()}
        preview = Preview(
            by_name,
            self.steering[Key.CHUNK_SIZE],
            self.pace.canary,
            {name: Totals() for name in by_name},
        )
        stop = preview.stop
        reading = _Reading(self.errors, self.say, count, quiet=self.quiet)
        with anyio.CancelScope() as scope, on_interrupt(scope.cancel):
            async with AsyncExitStack() as stack, anyio.create_task_group() as others:
                stack.enter_context(reading)
                others.start_soon(reading.tell_now_and_then)
                with stopping(stop):
                    erp = self.entrance.opened(
                        lambda: self.steering[Key.CALLS_PER_MINUTE], self.set_aside
                    )
                    await stack.enter_async_context(erp)
                    held = await self._ask_ledger(preview)
                    await erp.open_session()
                    outlooks = {
                        asked: Outlook(
                            route,
                            erp,
                            self.pace,
                            stop,
                            reading,
                            held.get(route.name, {}),
                            self.again,
                        )
                        for asked, route in routes.items()
                    }
                    pages = foresee(jobs, outlooks, stop, at_once=self.steering[Key.CONCURRENCY])
                    async for page in pages:
                        for foreseen in page:
                            preview.totals[foreseen.route].add(foreseen)
                        if take is not None:
                            await take(page)
                        reading.add(len(page))
                others.cancel_scope.cancel()
        if scope.cancelled_caught:
            stop.ask(Cause.INTERRUPTED, self.say("interrupted"))
        return preview

    async def _ask_ledger(self, preview: Preview) -> dict[str, dict[BillNumber, RunId]]:
        """Ask what other runs hold, and how fast the last one was; where there is a ledger."""
        held: dict[str, dict[BillNumber, RunId]] = {}
        if not await is_there(self.settings, self.say):
            return held
        async with ledger_of(self.settings, self.say) as ledger:
            for name, route in preview.routes.items():
                scope = scope_of(self.settings.erp.acct_id, route)
                held[name] = await held_numbers(ledger, scope)
                pace = await measured_pace(ledger, scope)
                if pace is not None:
                    preview.numbers_a_second[name] = pace
        return held


class _Reading:
    """How far the looking is: a spinner on a terminal, a line now and then elsewhere.

    Fulfils `looking.Waiter`.
    """

    def __init__(self, console: Console, say: Say, total: int, *, quiet: bool) -> None:
        self._console = console
        self._say = say
        self._total = total
        self._done = 0
        self._quiet = quiet
        self._status: Status | None = None

    def __enter__(self) -> None:
        if self._console.is_terminal and not self._quiet:
            self._status = self._console.status(self._line())
            self._status.start()

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def add(self, count: int) -> None:
        """Say that so many lines more were seen."""
        self._done += count
        if self._status is not None:
            self._status.update(self._line())

    async def tell_now_and_then(self) -> None:
        """Without a terminal, write a line every 30 s until cancelled."""
        while self._status is None and not self._quiet:
            await anyio.sleep(LINE_EVERY_S)
            self._console.print(self._line(), highlight=False, markup=False)

    def waiting(self, why: str, seconds: float) -> None:
        """Say what is waited for."""
        if not self._quiet:
            words = self._say("waiting", why=why, seconds=seconds)
            self._console.print(words, highlight=False, markup=False)

    def _line(self) -> str:
        return self._say("plan.reading", done=self._done, total=self._total)


def duration(seconds: float, say: Say) -> str:
    """Say how long something takes, no finer than it can be known."""
    if seconds < 100:  # noqa: PLR2004  # about a minute and a half
        return say("about.seconds", n=max(1, round(seconds)))
    minutes = round(seconds / 60)
    if minutes < 100:  # noqa: PLR2004
        return say("about.minutes", n=minutes)
    return say("about.hours", hours=minutes // 60, minutes=minutes % 60)
