from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import anyio
import pytest

from k3push.core.control_words import Key
from k3push.core.model import Attempt, Outcome, State
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.core.pacing.phases import FIRST_CHUNK_SIZE, FIRST_CONCURRENCY
from k3push.core.safety.verdict import Verdict
from k3push.runs.context import Context
from k3push.runs.stop import Cause, Stop
from k3push.runs.throttle import Throttle
from k3push.simulator import FaultPlan, Seeded, fault
from k3push.simulator.fault_plans.script import Channel
from tests.runs.office import (
    FIRST,
    NOON,
    ROUTE,
    Notebook,
    Office,
    Pushed,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)

pytestmark = pytest.mark.anyio


@dataclass(slots=True)
class Driver(Notebook):
    """A watch that steers after some attempts, as the automatic pace or a person would.

    Attributes:
        acts: What it does after the nth attempt.
        job: What is executed.
        open: Attempts that were on their way when each was recorded, itself included.
    """

    acts: dict[int, Callable[[], None]] = field(default_factory=dict)
    job: Context | None = None
    open: list[int] = field(default_factory=list)

    async def beside(self, job: Context) -> None:
        """Know the job."""
        self.job = job

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Note a sending, then act."""
        Notebook.recorded(self, attempt, outcomes, verdict, seconds)
        self.open += [self.job.on_their_way] if self.job else []
        self.acts.get(len(self.sendings), lambda: None)()

    @property
    def sizes(self) -> list[int]:
        """Numbers in each attempt, in the order of their beginning."""
        attempts = sorted((attempt for attempt, _, _ in self.sendings), key=lambda one: one.id)
        return [len(attempt.intent.numbers) for attempt in attempts]

    @property
    def began_s(self) -> list[float]:
        """When each attempt began, in seconds of virtual time."""
        begun = (attempt.intent.began_at - NOON for attempt, _, _ in self.sendings)
        return sorted(each.total_seconds() for each in begun)


async def drive(
    count: int,
    throttle: Throttle,
    acts: dict[int, Callable[[], None]],
    *,
    latency_s: float = 1.0,
) -> tuple[Pushed, Driver]:
    """Push orders in an office of their own, and steer on the way."""
    office = Office(sandbox(orders=count, latency_s=latency_s))
    await office.open_run(orders(count))
    driver = Driver(acts=acts)
    return await office.execute(throttle=throttle, watch=driver, beside=driver.beside), driver


async def test_what_a_person_fixed_stands_until_they_give_it_back() -> None:
    """Whoever set a value at night must not find it moved by a program."""
    throttle = steered(concurrency=3)
    throttle.advise(Key.CONCURRENCY, 9)
    throttle.advise(Key.CHUNK_SIZE, 50)
    assert (throttle[Key.CONCURRENCY], throttle[Key.CHUNK_SIZE]) == (3, 50)
    assert throttle.fixed(Key.CONCURRENCY) is not None
    throttle.fix(Key.CONCURRENCY, None)
    assert (throttle[Key.CONCURRENCY], throttle.fixed(Key.CONCURRENCY)) == (9, None)


async def test_auto_begins_carefully() -> None:
    """Nothing is known of an ERP before it has answered."""
    throttle = steered()
    assert throttle[Key.CONCURRENCY] == FIRST_CONCURRENCY
    assert throttle[Key.CHUNK_SIZE] == FIRST_CHUNK_SIZE


async def test_a_chunk_of_more_numbers_than_a_question_holds_makes_several() -> None:
    """Its looks must not wait for one another."""
    assert steered(concurrency=3, chunk_size=100).questions_at_once == 3
    assert steered(concurrency=3, chunk_size=101).questions_at_once == 6


async def test_a_longer_wait_is_not_cut_by_a_shorter_one() -> None:
    """The ERP that asked for a minute is not helped by ten seconds."""
    throttle = steered()
    throttle.back_off(60, "调用限制")
    throttle.back_off(10, "busy")
    assert throttle.hold is not None
    assert (throttle.hold.cause, throttle.hold.why) == (HoldCause.ERP, "调用限制")
    await anyio.sleep(59)
    assert throttle.hold is not None
    await throttle.changed()
    assert anyio.current_time() == 60
    assert throttle.hold is None


async def test_a_pause_outlives_a_wait() -> None:
    """A person's pause ends by a person's word alone, and keeps the time of its beginning."""
    throttle = steered()
    throttle.pause()
    since = VirtualClock().now()
    throttle.back_off(5, "busy")
    await anyio.sleep(10)
    throttle.pause()
    assert throttle.hold == Hold(HoldCause.CONTROL, since=since)
    throttle.go_on()
    assert throttle.hold is None


async def test_the_next_chunk_is_cut_at_the_present_size() -> None:
    """A size that is set while a run goes must not wait for the next run."""
    throttle = steered(concurrency=1, chunk_size=10)
    acts = {3: lambda: throttle.fix(Key.CHUNK_SIZE, 4), 5: lambda: throttle.fix(Key.CHUNK_SIZE, 7)}
    pushed, driver = await drive(60, throttle, acts)
    assert driver.sizes == [1, 10, 10, 4, 4, 7, 7, 7, 7, 3]
    assert pushed.of(State.PUSHED) == set(orders(60))


async def test_calls_at_once_grow_and_shrink_between_chunks() -> None:
    """More are sent at once; fewer means that open ones end and none takes their place."""
    throttle = steered(concurrency=1, chunk_size=1)
    acts = {
        5: lambda: throttle.fix(Key.CONCURRENCY, 6),
        23: lambda: throttle.fix(Key.CONCURRENCY, 2),
    }
    pushed, driver = await drive(41, throttle, acts)
    assert pushed.of(State.PUSHED) == set(orders(41))
    assert [max(driver.open[:5]), max(driver.open[5:23]), max(driver.open[28:])] == [1, 6, 2]


async def test_a_route_that_cannot_be_read_back_takes_one_number_whatever_is_set() -> None:
    """With two in a call nobody could say whose document an answer names."""
    throttle = steered(chunk_size=50)
    office = Office(sandbox(link_fields=False), replace(ROUTE, source_number_field=""))
    await office.open_run(orders(9))
    driver = Driver(acts={2: lambda: throttle.fix(Key.CHUNK_SIZE, 20)})
    await office.execute(throttle=throttle, watch=driver)
    assert driver.sizes == [1] * 9


async def test_nothing_leaves_while_paused_and_open_chunks_are_recorded() -> None:
    """A person who pauses wants to look into the ERP, with nothing on its way."""
    throttle = steered(concurrency=3, chunk_size=2)
    office = Office(sandbox(orders=40, latency_s=1.0))
    await office.open_run(orders(40))
    driver = Driver(acts={6: throttle.pause})
    seen: dict[State, int] = {}

    async def wait_and_go_on() -> None:
        await anyio.sleep(500)
        seen.update(await office.store.counts(FIRST))
        throttle.go_on()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait_and_go_on)
        pushed = await office.execute(throttle=throttle, watch=driver)
    assert pushed.of(State.PUSHED) == set(orders(40))
    assert set(seen) == {State.PUSHED, State.PLANNED}
    assert not [second for second in driver.began_s if 20 < second < 500]


async def test_a_chunk_that_has_not_left_is_held_back_by_a_pause() -> None:
    """Between its look and its sending there is time for a person's word."""
    throttle = steered(concurrency=1, chunk_size=5)
    office = Office(sandbox(orders=20, latency_s=10.0, link_fields=False))
    await office.open_run(orders(20))

    async def pause_in_the_look() -> None:
        # After a login, looks at the sources and at the newest document at the same time, and the
        # canary's look (made anew, since links cannot be asked), push and read-back, where the
        # first page with rows of each form was asked on.
        await anyio.sleep(80)
        assert (office.site.calls[Channel.QUERY], office.site.calls[Channel.PUSH]) == (7, 1)
        throttle.pause()
        await anyio.sleep(300)
        assert (office.site.calls[Channel.QUERY], office.site.calls[Channel.PUSH]) == (7, 1)
        throttle.go_on()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pause_in_the_look)
        pushed = await office.execute(throttle=throttle)
    assert pushed.of(State.PUSHED) == set(orders(20))
    assert [len(one.intent.numbers) for one, _, _ in pushed.watch.sendings] == [1, 5, 5, 5, 4]


async def test_a_paused_run_obeys_a_stop() -> None:
    """Whoever paused it may also decide to end it."""
    throttle = steered()
    stop = Stop()
    throttle.pause()
    office = Office()
    await office.open_run(orders(10))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ask_later, stop)
        pushed = await office.execute(throttle=throttle, stop=stop)
    assert pushed.of(State.PLANNED) == set(orders(10))
    assert not pushed.watch.sendings


async def test_doubts_are_settled_while_paused() -> None:
    """A look changes nothing in the ERP, and the morning wants to know."""
    throttle = steered(concurrency=1, chunk_size=20)
    office = Office(sandbox(steps("ok", "make-then-reset"), latency_s=1.0))
    await office.open_run(orders(41))
    driver = Driver(acts={2: throttle.pause})
    stop = Stop()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_ask_later, stop)
        pushed = await office.execute(throttle=throttle, watch=driver, stop=stop)
    assert pushed.of(State.PUSHED) == set(orders(21))
    assert pushed.of(State.PLANNED) == set(orders(41)) - set(orders(21))


async def _ask_later(stop: Stop) -> None:
    await anyio.sleep(400)
    stop.ask(Cause.INTERRUPTED, "Ctrl-C")


async def storm(
    fault: str, *more: str, chunk_size: int = 5, concurrency: int = 4
) -> tuple[Pushed, Driver, float]:
    """Push orders; the canary and the first chunk go well, and then one call meets a fault.

    Returns:
        What was pushed, its watch, and when that call had ended.
    """
    plan = steps("ok", "ok", fault, *more)
    office = Office(sandbox(plan, orders=60, latency_s=1.0))
    await office.open_run(orders(60))
    met: list[float] = []

    def note() -> None:
        (_, outcomes, _) = driver.sendings[-1]
        if any(outcome.state is not State.PUSHED for outcome in outcomes):
            met.append(anyio.current_time())

    driver = Driver(acts=dict.fromkeys(range(1, 61), note))
    pushed = await office.execute(
        watch=driver, throttle=steered(concurrency=concurrency, chunk_size=chunk_size)
    )
    assert pushed.of(State.PUSHED) == set(orders(60))
    return pushed, driver, met[0]


async def test_a_limit_on_calls_makes_all_wait() -> None:
    """MsgCode 14 counts the calls of all, so one that waits alone helps nobody."""
    _, driver, met_s = await storm("call-limit")
    (_, seconds), *_ = driver.waits
    assert not [s for s in driver.began_s if met_s < s < met_s + seconds]


async def test_a_lock_on_a_bill_makes_only_its_chunk_wait() -> None:
    """MsgCode 13 is about a bill that somebody edits, and the others are not edited."""
    _, driver, met_s = await storm("edit-lock", chunk_size=2)
    (_, seconds), *_ = driver.waits
    assert len([s for s in driver.began_s if met_s < s < met_s + seconds]) > 2


@pytest.mark.parametrize("name", ["html-503", "too-many-429"])
async def test_an_overloaded_erp_is_spared_longer_each_time(name: str) -> None:
    """Its answers leave numbers in doubt, and more calls would only add to them."""
    _, driver, met_s = await storm(name, name, concurrency=1)
    assert [seconds for _, seconds in driver.waits] == [2.0, 6.0]
    assert not [s for s in driver.began_s if met_s < s < met_s + 2.0]


STORM = ["lose-session", "reset", "make-then-reset", "call-limit", "edit-lock", "html-503"]


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_steered_no_number_travels_twice_and_none_is_lost(seed: int) -> None:
    """Chunks are held back, cut anew and put off while answers break off, in every order."""
    chance = random.Random(seed)  # noqa: S311  # the same trials every time
    plan = FaultPlan(seeded=Seeded(0.3, tuple(map(fault, STORM)), seed, most=20))
    office = Office(sandbox(plan, orders=80, latency_s=1.0))
    await office.open_run(orders(80))
    throttle = steered(concurrency=3, chunk_size=5)
    acts: list[Callable[[], None]] = [
        throttle.pause,
        throttle.go_on,
        lambda: throttle.back_off(chance.uniform(0.1, 20), "busy"),
        lambda: throttle.fix(Key.CONCURRENCY, chance.choice([None, 1, 2, 9])),
        lambda: throttle.fix(Key.CHUNK_SIZE, chance.choice([None, 1, 7, 40])),
        lambda: throttle.fix(Key.CALLS_PER_MINUTE, chance.choice([0, 30, 600])),
        lambda: throttle.advise(Key.CONCURRENCY, chance.randint(1, 12)),
        lambda: throttle.advise(Key.CHUNK_SIZE, chance.randint(1, 30)),
    ]

    async def steer(_job: Context) -> None:
        for _ in range(60):
            await anyio.sleep(chance.uniform(0, 8))
            chance.choice(acts)()
        throttle.go_on()
        throttle.fix(Key.CALLS_PER_MINUTE, 0)

    pushed = await office.execute(throttle=throttle, beside=steer)
    assert pushed.of(State.PUSHED) == set(orders(80))
    assert not pushed.stop.causes
