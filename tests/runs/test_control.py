from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import partial

import anyio
import httpx
import pytest

from k3push.core.control_words import Command, Key, Verb
from k3push.core.model import State
from k3push.core.pacing.halting import HaltRule
from k3push.core.pacing.holds import HoldCause
from k3push.core.pacing.window import Window
from k3push.core.remark import remark
from k3push.ports import Commanded
from k3push.runs.context import Context
from k3push.runs.control import (
    LOOK_EVERY_S,
    command,
    command_in_time,
    hindrance,
    left_to_another,
    obey,
)
from k3push.runs.kept_in_ledger.request_stages import Request, RequestKind, Stage, put_request
from k3push.runs.outcome import Exit
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.runs.throttle import Throttle
from k3push.simulator import Refusal, Site
from k3push.words.language import Say
from tests.runs.office import (
    FIRST,
    NOON,
    Notebook,
    Office,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.shares import shared_out
from tests.simulator.transport import SandboxTransport

pytestmark = pytest.mark.anyio

PATIENCE_S = 60.0


def words(text: str) -> Command:
    """Read a command as a person types it."""
    return Command.parse(text.split(" "))


@dataclass(slots=True)
class Person:
    """Somebody at another terminal, who says things at certain seconds of the run."""

    office: Office
    says: dict[float, str]
    answers: list[Commanded | None] = field(default_factory=list)

    async def beside(self, job: Context) -> None:
        """Be there while the run obeys."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(obey, job)
            ledger, clock = self.office.store.another_process(), VirtualClock()
            for at_s, text in self.says.items():
                await anyio.sleep(max(0.0, at_s - anyio.current_time()))
                what = words(text)
                self.answers.append(
                    await command(ledger, clock, FIRST, what, patience_s=PATIENCE_S)
                )


async def talk(
    office: Office, says: dict[float, str], throttle: Throttle
) -> tuple[Notebook, Person]:
    """Push sixty orders while a person says things, to the end."""
    await office.open_run(orders(60))
    person = Person(office, says)
    pushed = await office.execute(throttle=throttle, beside=person.beside)
    assert pushed.of(State.PUSHED) == set(orders(60))
    return pushed.watch, person


def began_s(watch: Notebook) -> list[float]:
    """Return when each attempt began."""
    begun = (attempt.intent.began_at - NOON for attempt, _, _ in watch.sendings)
    return sorted(each.total_seconds() for each in begun)


# -- commands -------------------------------------------------------------------------------------


async def test_a_paused_run_sends_nothing_until_it_continues() -> None:
    """And the person hears how many chunks are still on their way, each of which is recorded."""
    office = Office(sandbox(orders=60, latency_s=2.0, link_fields=False))
    watch, person = await talk(
        office, {35: "pause", 500: "continue"}, steered(concurrency=3, chunk_size=2)
    )
    assert not [at for at in began_s(watch) if 35 + LOOK_EVERY_S < at < 500]
    paused, goes_on = person.answers
    assert paused is not None
    assert paused.on_their_way == 3
    assert paused.obeyed_at is not None
    assert paused.obeyed_at - paused.given_at <= timedelta(seconds=LOOK_EVERY_S)
    assert goes_on is not None
    assert goes_on.on_their_way == 0
    assert [hold and hold.cause for hold in watch.holds] == [HoldCause.CONTROL, None]


async def test_what_is_set_counts_from_the_next_chunk_on() -> None:
    """Sizes, calls at once and calls a minute, each given back with `auto`."""
    office = Office(sandbox(orders=60, latency_s=1.0, link_fields=False))
    throttle = steered(concurrency=1, chunk_size=1)
    says: dict[float, str] = {
        29: "set chunk-size=7",
        49: "set concurrency=3",
        50: "set calls-per-minute=120",
        51: "set chunk-size=auto",
    }
    watch, person = await talk(office, says, throttle)
    assert None not in person.answers
    sizes = {len(attempt.intent.numbers) for attempt, _, _ in watch.sendings}
    assert {1, 7} < sizes
    assert throttle[Key.CONCURRENCY] == 3
    assert throttle.fixed(Key.CHUNK_SIZE) is None
    assert throttle[Key.CALLS_PER_MINUTE] == 120


async def test_a_stop_records_what_is_open_and_leaves_the_rest_planned() -> None:
    """It is Ctrl-C from another terminal."""
    office = Office(sandbox(orders=60, latency_s=2.3, link_fields=False))
    await office.open_run(orders(60))
    person = Person(office, {31: "stop"})
    pushed = await office.execute(
        throttle=steered(concurrency=3, chunk_size=2), beside=person.beside
    )
    assert set(pushed.stop.causes) == {Cause.CONTROL}
    assert set(pushed.states.values()) == {State.PUSHED, State.PLANNED}
    (answer,) = person.answers
    assert answer is not None
    at = answer.obeyed_at
    assert at is not None
    spans = await office.store.spans(FIRST)
    assert answer.on_their_way == sum(began <= at < ended for began, ended in spans) > 0
    assert (await office.execute()).of(State.PUSHED) == set(orders(60))


async def test_a_stop_is_answered_where_nothing_is_left_to_wait_for() -> None:
    """The run ends at once, and the person still hears that it was their word."""
    office = Office()
    await office.open_run(orders(60))
    throttle = steered()
    throttle.pause()
    person = Person(office, {5: "stop"})
    pushed = await office.execute(throttle=throttle, beside=person.beside)
    assert set(pushed.stop.causes) == {Cause.CONTROL}
    ledger = office.store.another_process()
    (kept,) = await ledger.commands(FIRST)
    assert (kept.command, kept.on_their_way) == (Command(Verb.STOP), 0)
    assert kept.obeyed_at is not None


async def test_a_command_to_a_run_that_has_ended_is_not_waited_for() -> None:
    """Nobody is there to answer."""
    office = Office()
    await office.open_run(orders(3))
    await office.execute()
    asked_s = anyio.current_time()
    what = words("pause")
    answer = await command(office.store, VirtualClock(), FIRST, what, patience_s=PATIENCE_S)
    assert answer is None
    assert anyio.current_time() == asked_s


@pytest.mark.parametrize("opens_s", [0.0, 2.0])
async def test_a_stop_before_a_push_is_executed_stops_it(opens_s: float) -> None:
    """It was forgotten as the execution began, or refused between the writing and that."""
    office = Office(sandbox(latency_s=5.0))
    await office.open_run(orders(40))
    asked = Request("r", RequestKind.PUSH, "li", NOON, Stage.APPROVED, runs=(FIRST,))
    await put_request(office.store, asked)
    ledger, clock, said = office.store.another_process(), VirtualClock(), list[str]()

    async def stop() -> None:
        say = partial(command_in_time, office.store, clock, FIRST, words("stop"))
        said.append(await say(patience_s=PATIENCE_S))

    async with anyio.create_task_group() as tasks:
        if opens_s:
            async with ledger.own(FIRST, executes=False):
                tasks.start_soon(stop)
                await anyio.sleep(opens_s)
        else:
            tasks.start_soon(stop)
        await anyio.sleep(1)
        pushed = await office.execute(beside=obey, throttle=steered(concurrency=1, chunk_size=1))
    assert said == [""]
    assert Cause.CONTROL in pushed.stop.causes
    assert sum(row.state is State.PUSHED for row in pushed.rows.values()) < 3


async def test_a_run_that_nobody_is_about_to_begin_takes_no_command() -> None:
    """Its server may have died; who has it gone on with says so."""
    office = Office()
    await office.open_run(orders(3))
    given = partial(command_in_time, office.store, VirtualClock(), FIRST, words("stop"))
    assert await given(patience_s=PATIENCE_S) == remark("control.not_alive", run=FIRST)
    assert anyio.current_time() == 0


async def test_a_run_that_does_not_look_is_waited_for_no_longer_than_a_person_would() -> None:
    """The command stays, and `control` says so."""
    office = Office()
    await office.open_run(orders(3))
    async with office.store.another_process().own(FIRST):
        what = words("pause")
        assert await command(office.store, VirtualClock(), FIRST, what, patience_s=10) is None
        assert len(await office.store.commands(FIRST)) == 1
    assert anyio.current_time() == pytest.approx(10)


async def test_who_meets_a_paused_run_hears_what_lets_it_go_on() -> None:
    """It never ends by itself, so to wait for its end would be for ever."""
    office = Office()
    await office.open_run(orders(3))
    executor = office.store.another_process()
    async with executor.own(FIRST):
        told = []
        for text in ("set concurrency=2", "pause", "continue", "pause", "stop"):
            given = await office.store.command(FIRST, words(text), at=NOON)
            await executor.obeyed(given, at=NOON, on_their_way=0)
            told.append(await left_to_another(office.store, FIRST))
    under_way, paused = remark("error.run_alive", run=FIRST), remark("error.run_paused", run=FIRST)
    assert told == [under_way, paused, under_way, paused, under_way]
    assert f"`k3push control {FIRST} continue`" in Say("en").said(paused)
    assert f"`k3push control {FIRST} continue`" in Say("zh").said(paused)


async def test_a_finished_run_takes_no_command_and_is_not_said_to_go_on() -> None:
    """`resume` of it would find nothing left to do; of one that was stopped, it goes on."""
    office = Office()
    await office.store.open_run(replace(office.run(FIRST), folder=""))
    await office.store.close_list(FIRST)
    assert await hindrance(office.store, FIRST) == remark("control.not_alive", run=FIRST)
    await office.store.end_run(FIRST, Exit.SOME_REJECTED, NOON)
    assert await hindrance(office.store, FIRST) == remark("control.finished", run=FIRST)
    assert "resume" not in Say("en")("control.finished", run=FIRST)


# -- the window -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WallClock(VirtualClock):
    """A clock on the wall, which somebody may set while it goes.

    Attributes:
        starts: Its time when virtual time begins.
        change_at_s: When its offset changes, as daylight saving does.
        change: By how much.
    """

    starts: datetime
    change_at_s: float = float("inf")
    change: timedelta = timedelta()

    def now(self) -> datetime:
        """Return its time, with the offset that counts now."""
        now_s = anyio.current_time()
        moment = self.starts + timedelta(seconds=now_s)
        offset = self.starts.utcoffset() or timedelta()
        if now_s >= self.change_at_s:
            offset += self.change
        return moment.astimezone(timezone(offset))


async def windowed(
    window: str, clock: WallClock, *, latency_s: float = 60.0, count: int = 60
) -> tuple[list[str], list[str], Notebook]:
    """Push in a window.

    Returns:
        The times of day at which attempts began, the holds with their ends, and the watch.
    """
    office = Office(sandbox(orders=60, latency_s=latency_s, link_fields=False))
    await office.open_run(orders(count))
    throttle = Throttle(clock, concurrency=1, chunk_size=5, window=Window.parse(window))
    pushed = await office.execute(throttle=throttle, clock=clock)
    assert pushed.of(State.PUSHED) == set(orders(count))
    begun = [attempt.intent.began_at for attempt, _, _ in pushed.watch.sendings]
    holds = [
        f"until {hold.until:%H:%M}" if hold and hold.until else "over"
        for hold in pushed.watch.holds
    ]
    return [f"{at:%H:%M:%S}" for at in begun], holds, pushed.watch


EVENING = datetime(2026, 10, 24, 19, 30, tzinfo=timezone(timedelta(hours=2)))


async def test_outside_its_window_nothing_is_sent() -> None:
    """By day the ERP belongs to those who work in it."""
    begun, holds, _ = await windowed("20:00-20:20", WallClock(EVENING))
    assert begun[0].startswith("20:0")
    assert all("20:00" <= at < "20:20" for at in begun), begun
    assert holds == ["until 20:00", "over"] * 4
    assert len(begun) == 13


async def test_a_chunk_that_is_on_its_way_at_the_end_of_the_window_is_recorded() -> None:
    """Half a chunk cannot be called back."""
    evening = WallClock(EVENING)
    begun, holds, _ = await windowed("19:00-19:40", evening, latency_s=250.0, count=11)
    assert all("19:00" <= at < "19:40" for at in begun), begun
    assert "until 19:00" in holds


@pytest.mark.parametrize("hours", shared_out([1, -1], 2))
async def test_a_window_follows_the_clock_on_the_wall_through_a_change_of_its_offset(
    hours: int,
) -> None:
    """When daylight saving ends, six o'clock is when the wall says six."""
    clock = WallClock(EVENING, change_at_s=600, change=timedelta(hours=hours))
    begun, _, _ = await windowed("20:00-21:00", clock, latency_s=100.0)
    assert all("20:00" <= at < "21:00" for at in begun), begun


async def test_doubts_are_settled_outside_the_window() -> None:
    """A look changes nothing, and the morning wants to know."""
    plan = steps("ok", "make-then-reset")
    office = Office(sandbox(plan, latency_s=60.0, link_fields=False))
    await office.open_run(orders(41))
    clock = WallClock(EVENING)
    throttle = Throttle(clock, concurrency=1, chunk_size=20, window=Window.parse("19:30-19:43"))
    seen: dict[State, int] = {}

    async def look_at_nine(_: Context) -> None:
        await anyio.sleep(90 * 60)
        seen.update(await office.store.counts(FIRST))

    await office.execute(throttle=throttle, clock=clock, beside=look_at_nine)
    assert seen == {State.PUSHED: 21, State.PLANNED: 20}


# -- calls a minute -------------------------------------------------------------------------------


class Counting(SandboxTransport):
    """Writes down when each request reaches the ERP."""

    def __init__(self, site: Site, at_s: list[float]) -> None:
        super().__init__(site)
        self._at_s = at_s

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Note a request and pass it on; the logout comes when all is over."""
        if not request.url.path.endswith("Logout.common.kdsvc"):
            self._at_s.append(anyio.current_time())
        return await super().handle_async_request(request)


async def test_no_minute_has_more_calls_than_the_limit() -> None:
    """Looks, pushes, read-backs and logins: the ERP counts them all."""
    plan = steps("ok", "lose-session", "reset")
    office = Office(sandbox(plan, orders=60, latency_s=3.0, link_fields=False))
    await office.open_run(orders(60))
    throttle = Throttle(VirtualClock(), concurrency=4, chunk_size=5, calls_per_minute=12)
    at_s: list[float] = []
    pushed = await office.execute(throttle=throttle, transport=lambda site: Counting(site, at_s))
    assert pushed.of(State.PUSHED) == set(orders(60))
    assert len(at_s) > 40
    for began in at_s:
        assert len([at for at in at_s if began <= at < began + 60 - 1e-6]) <= 13


async def test_an_attempt_does_not_begin_before_its_turn() -> None:
    """It is aged from its beginning, and a wait must not cut its window short (rule 6)."""
    office = Office(sandbox(orders=60, latency_s=0.5, link_fields=False))
    await office.open_run(orders(60))
    throttle = Throttle(VirtualClock(), concurrency=4, chunk_size=5, calls_per_minute=6)
    pushed = await office.execute(throttle=throttle)
    assert pushed.of(State.PUSHED) == set(orders(60))
    gaps = [b - a for a, b in zip(began_s(pushed.watch), began_s(pushed.watch)[1:], strict=False)]
    assert min(gaps) >= 10 - 1e-6


# -- halting at once ------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["soon", "now"])
async def test_a_halt_waits_for_open_chunks_or_does_not(when: str) -> None:
    """`now` is for whoever sees their books go wrong; `resume` settles what it left."""
    refusals = dict.fromkeys(orders(15, 11), Refusal(8, "仓库 {number} 必录"))
    plan = replace(steps("ok", "ok", "make-then-delay:60"), refusals=refusals)
    office = Office(sandbox(plan, orders=60, latency_s=1.0, link_fields=False))
    await office.open_run(orders(60))
    limits = PushLimits(halt=HaltRule.parse(f"{when},fail=1"))
    pushed = await office.execute(
        limits=limits, throttle=steered(concurrency=4, chunk_size=5), check=when == "soon"
    )
    assert set(pushed.stop.causes) == {Cause.HALTED}
    assert bool(pushed.of(State.SENT)) == (when == "now")
    again = await office.execute()
    assert again.of(State.REJECTED) == set(orders(15, 11))
    assert len(again.of(State.PUSHED)) == 45
