from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import replace
from datetime import datetime, timedelta

import anyio
import httpx
import pytest

from k3push.core.model import Attempt, Intent, State
from k3push.core.pacing.halting import HaltRule
from k3push.core.safety.verdict import ReadBack, SendAgain
from k3push.ports import LedgerLostError
from k3push.runs.context import Context
from k3push.runs.outcome import Exit, ending_of, exit_of
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause, Stop, told_as
from k3push.simulator import Channel, FaultPlan, Refusal
from tests.memory_ledger.ledger import MemoryLedger
from tests.memory_ledger.rows import Store
from tests.runs.office import (
    FIRST,
    LIMITS,
    NOON,
    ROUTE,
    WINDOW_S,
    Office,
    VirtualClock,
    orders,
    push,
    sandbox,
    steered,
    steps,
)
from tests.said import english
from tests.simulator.transport import SandboxTransport

pytestmark = pytest.mark.anyio

NUMBERS = orders(24)
CANARY = NUMBERS[0]


@pytest.mark.parametrize(
    "name",
    [
        "reset",
        "make-then-reset",
        "late-commit",
        "drop-one-then-html-502",
        "edit-lock",
        "lose-session",
        "refuse-connection",
        "make-then-response-error",
    ],
)
async def test_no_chunk_leaves_before_a_canary_has_come_through(name: str) -> None:
    """Whatever the canary meets, the route is proved by single numbers and not by twenty."""
    pushed = await push(
        NUMBERS, sandbox(steps(name)), throttle=steered(concurrency=1, chunk_size=20)
    )
    assert pushed.site.faults.unused() == ()
    assert pushed.of(State.PUSHED) == set(NUMBERS)
    sizes = [len(attempt.intent.numbers) for attempt, _, _ in pushed.watch.sendings]
    proved = next(
        nth
        for nth, (_, outcomes, _) in enumerate(pushed.watch.sendings)
        if outcomes[0].state is State.PUSHED
    )
    assert set(sizes[: proved + 1]) == {1}
    assert max(sizes) == 20


async def test_what_is_committed_late_is_found_and_never_sent_again() -> None:
    """The ERP may finish a call long after the connection broke."""
    plan = steps("ok", "late-commit:30", "late-commit:580")
    pushed = await push(orders(60), sandbox(plan))
    assert pushed.of(State.PUSHED) == set(orders(60))
    assert len(pushed.watch.carried) == 60


class LeapingClock(VirtualClock):
    """A clock that somebody sets a day forward, or back, soon after the run began."""

    def __init__(self, days: int) -> None:
        self._days = days

    def now(self) -> datetime:
        """Return the time, wrong from the tenth second on."""
        leap = timedelta(days=self._days) if anyio.current_time() > 10 else timedelta()
        return super().now() + leap


@pytest.mark.parametrize("days", [1, -1])
async def test_a_change_of_the_time_of_day_does_not_cut_a_window_short(days: int) -> None:
    """Ten minutes of a clock that leaps are no ten minutes of the ERP's work."""
    office = Office(sandbox(steps("ok", "late-commit:500"), latency_s=1.0))
    await office.open_run(NUMBERS)
    pushed = await office.execute(clock=LeapingClock(days))
    assert pushed.of(State.PUSHED) == set(NUMBERS)
    assert len(pushed.watch.carried) == len(NUMBERS)


@pytest.mark.parametrize("days", [1, -1])
async def test_a_time_of_day_that_leaps_over_a_restart_does_not_cut_a_window_short(
    days: int,
) -> None:
    """The next process knows of the attempt from the ledger alone, and not by the time of day."""
    office = Office(sandbox(steps("ok", "late-commit:500"), latency_s=1.0))
    await office.open_run(NUMBERS)
    with anyio.move_on_after(15):
        await office.execute(check=False)
    pushed = await office.execute(clock=LeapingClock(days))
    assert pushed.of(State.PUSHED) == set(NUMBERS)
    assert await office.store.attempt_count(FIRST) == 3


class HeldTransport(SandboxTransport):
    """Carries requests for a machine that sleeps right before the second push leaves."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request, some minutes later where it is that push."""
        if ".Push." in request.url.path and NUMBERS[1].encode() in request.content:
            await anyio.sleep(250)
        return await super().handle_async_request(request)


async def test_a_window_begins_no_earlier_than_the_request_left() -> None:
    """A machine that is suspended between writing down and sending wakes up with an old attempt."""
    office = Office(sandbox(steps("ok", "late-commit:500"), latency_s=1.0))
    await office.open_run(NUMBERS[:21])
    pushed = await office.execute(transport=HeldTransport)
    assert pushed.of(State.PUSHED) == set(NUMBERS[:21])
    assert len(pushed.watch.carried) == 21


class StandingStillLedger(MemoryLedger):
    """The ledger of a process that stands still after attempts are written down."""

    still: Container[int] = (2,)

    async def begin(self, intent: Intent) -> Attempt:
        """Begin an attempt, and come back minutes later where it is that one."""
        attempt = await super().begin(intent)
        if attempt.id in self.still:
            await anyio.sleep(WINDOW_S / 2)
        return attempt


async def test_what_stood_still_too_long_before_it_was_to_leave_does_not_leave() -> None:
    """Another process may have taken the run over, and counts the window from the beginning."""
    store = Store()
    office = Office(ledger=MemoryLedger(store, account="sandbox"))
    await office.open_run(NUMBERS[:21])
    pushed = await office.execute(ledger=StandingStillLedger(store, account="sandbox"))
    assert pushed.of(State.PUSHED) == set(NUMBERS[:21])
    held, again = (verdict for attempt, _, verdict in pushed.watch.sendings if attempt.id > 1)
    assert isinstance(held, SendAgain)
    assert "stood still for 300 s" in english(held.because)
    assert isinstance(again, ReadBack)
    assert pushed.site.calls[Channel.PUSH] == 2


class BusyLedger(StandingStillLedger):
    """The same, of a process that gets no time for any."""

    still = range(1, 100)


async def test_a_machine_without_time_is_no_erp_that_cannot_be_reached() -> None:
    """Whoever is sent to check the network finds nothing wrong there."""
    store = Store()
    office = Office(ledger=MemoryLedger(store, account="sandbox"))
    await office.open_run(NUMBERS[:3])
    pushed = await office.execute(ledger=BusyLedger(store, account="sandbox"))
    assert set(pushed.stop.causes) == {Cause.STOOD_STILL}
    counts = Counter(pushed.states.values())
    assert exit_of(counts, pushed.stop.causes) is Exit.STOPPED
    assert pushed.site.calls[Channel.PUSH] == 0


class StoppedMeanwhileLedger(MemoryLedger):
    """Ctrl-C comes as an attempt is written down."""

    stop: Stop

    async def begin(self, intent: Intent) -> Attempt:
        """Begin an attempt."""
        attempt = await super().begin(intent)
        self.stop.ask(Cause.INTERRUPTED, "Ctrl-C")
        return attempt


@pytest.mark.parametrize("cause", [Cause.INTERRUPTED, Cause.CONTROL, Cause.DEADLINE, Cause.LIMIT])
async def test_a_stop_that_comes_after_the_last_number_has_stopped_nothing(cause: Cause) -> None:
    """No word of it stands beside exit 0, nor does a message tell of a halt."""
    office = Office()
    run = office.run(FIRST)
    await office.open_run(NUMBERS[:3])
    await office.execute(limits=PushLimits(limit=1))
    part = await ending_of(office.store, run, {cause: "why"}, unverified=False)
    assert (part.exit, set(part.causes)) == (Exit.STOPPED, {cause})
    await office.execute()
    whole = await ending_of(office.store, run, {cause: "why"}, unverified=False)
    assert (whole.exit, whole.causes) == (Exit.DONE, {})


async def test_a_call_that_a_stop_holds_back_is_no_erp_that_cannot_be_reached() -> None:
    """It was the last of its attempts, and the network has no part in that."""
    store = Store()
    office = Office(ledger=MemoryLedger(store, account="sandbox"))
    await office.open_run(NUMBERS[:3])
    ledger = StoppedMeanwhileLedger(store, account="sandbox")
    ledger.stop = Stop()
    pushed = await office.execute(
        ledger=ledger, stop=ledger.stop, limits=PushLimits(max_attempts=1)
    )
    assert set(pushed.stop.causes) == {Cause.INTERRUPTED}
    assert exit_of(Counter(pushed.states.values()), pushed.stop.causes) is Exit.STOPPED
    assert pushed.site.calls[Channel.PUSH] == 0


@pytest.mark.parametrize("latency_s", [0.1, 0.3, 0.7, 1.1])
async def test_settling_comes_to_an_end_at_any_fraction_of_a_second(latency_s: float) -> None:
    """Sums of fractions fall short of the window by less than a clock can tell."""
    plan = steps("ok", "reset", "late-commit:100", "close")
    pushed = await push(orders(60), sandbox(plan, latency_s=latency_s))
    assert pushed.of(State.PUSHED) == set(orders(60))


async def test_a_number_is_put_off_no_more_than_the_attempts_allowed() -> None:
    """A lock that nobody lifts must not keep a run for ever."""
    plan = steps(*["edit-lock"] * 5)
    pushed = await push(orders(1), sandbox(plan), limits=PushLimits(max_attempts=3))
    row = pushed.rows[CANARY]
    assert (row.state, row.code, row.attempts) == (State.REJECTED, "13", 3)
    assert len(pushed.watch.waits) == 2
    assert row.settled_at is not None
    assert row.settled_at - NOON >= timedelta(seconds=6 + 18)


async def test_a_limit_on_calls_that_lasts_ends_the_run_and_rejects_nothing() -> None:
    """It is about no bill; after some minutes whoever resumes may find it lifted."""
    office = Office(sandbox(steps("ok", *["call-limit"] * 40)))
    await office.open_run(orders(9))
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=8))
    assert set(pushed.stop.causes) == {Cause.UNREACHABLE}
    assert told_as(*pushed.stop.causes.popitem()) == "limited"
    assert pushed.of(State.PLANNED) == set(orders(8, 1))
    assert 300 < anyio.current_time() < 600


async def test_licences_that_are_used_up_for_a_while_reject_nothing() -> None:
    """Some minutes later somebody has logged out, and the bills are pushed."""
    office, numbers = Office(sandbox(latency_s=0.5)), orders(21)
    used_up = Refusal(7, "许可并发数已满，请稍候再试", whole_call=True)
    for number in numbers[1:]:
        office.site.world.refuse(number, used_up)
    await office.open_run(numbers)

    async def log_out(_: Context) -> None:
        await anyio.sleep(180)
        for number in numbers:
            office.site.world.allow(number)

    throttle = steered(concurrency=1, chunk_size=10)
    pushed = await office.execute(throttle=throttle, beside=log_out)
    assert pushed.of(State.PUSHED) == set(numbers)


async def test_a_put_off_chunk_travels_whole_after_the_pause() -> None:
    """Splitting would only make more calls of a site that asked for fewer."""
    pushed = await push(
        NUMBERS, sandbox(steps("ok", "call-limit")), throttle=steered(concurrency=1, chunk_size=20)
    )
    sizes = [len(attempt.intent.numbers) for attempt, _, _ in pushed.watch.sendings]
    assert sorted(sizes) == [1, 3, 20, 20]
    assert pushed.of(State.PUSHED) == set(NUMBERS)


async def test_an_erp_that_cannot_be_reached_stops_the_run() -> None:
    """Nothing was sent, so all stays planned and a later run pushes it."""
    office = Office(sandbox(steps(*["refuse-connection"] * 2)))
    await office.open_run(NUMBERS)
    pushed = await office.execute(limits=replace(LIMITS, max_attempts=2))
    assert set(pushed.stop.causes) == {Cause.UNREACHABLE}
    assert pushed.of(State.PLANNED) == set(NUMBERS)
    assert (await office.execute()).of(State.PUSHED) == set(NUMBERS)


async def test_without_a_source_number_field_numbers_travel_alone() -> None:
    """What an answer names can only be this number's when no other travelled with it."""
    route = replace(ROUTE, source_number_field="")
    pushed = await push(NUMBERS, sandbox(link_fields=False), route=route)
    assert {len(attempt.intent.numbers) for attempt, _, _ in pushed.watch.sendings} == {1}
    assert pushed.of(State.PUSHED) == set(NUMBERS)


@pytest.mark.parametrize("name", ["make-then-reset", "reset", "make-then-response-error"])
async def test_without_a_source_number_field_a_lost_answer_stays_unknown(name: str) -> None:
    """Nobody can ask what became of it, so a person must, and it never travels again."""
    options = sandbox(steps(name), link_fields=False)
    office = Office(options, replace(ROUTE, source_number_field=""))
    await office.open_run(NUMBERS, FIRST)
    pushed = await office.execute()
    assert len(pushed.of(State.UNKNOWN)) == 1
    again = await office.execute()
    assert again.of(State.UNKNOWN) == pushed.of(State.UNKNOWN)
    assert not again.watch.sendings


async def test_bills_that_somebody_edits_keep_no_others_waiting() -> None:
    """They stand at the head of the list, where one bill after another is to prove the route."""
    plan = FaultPlan(refusals=dict.fromkeys(NUMBERS[:4], Refusal(13, "网控冲突")))
    pushed = await push(NUMBERS, sandbox(plan), limits=PushLimits(max_attempts=5))
    assert pushed.of(State.PUSHED) == set(NUMBERS[4:])
    settled = {row.settled_at for row in pushed.rows.values() if row.state is State.PUSHED}
    assert max(filter(None, settled)) - NOON < timedelta(seconds=60)
    assert {pushed.rows[number].attempts for number in NUMBERS[:4]} == {5}


async def test_a_chunk_is_put_off_no_more_than_the_attempts_allowed() -> None:
    """After them a lock is traced to its bill by quarters."""
    plan = steps("ok", *["edit-lock"] * 40)
    limits = PushLimits(max_attempts=3)
    pushed = await push(
        orders(9), sandbox(plan), limits=limits, throttle=steered(concurrency=1, chunk_size=8)
    )
    assert pushed.of(State.PUSHED) == {CANARY}
    assert pushed.of(State.REJECTED) == set(orders(8, 1))
    assert {pushed.rows[number].attempts for number in orders(8, 1)} == {3 + 2}


async def test_what_cannot_be_written_down_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk may be full, and what is on it be read all the same."""

    async def full(_: MemoryLedger, __: Intent) -> Attempt:
        raise LedgerLostError("the disk is full")

    monkeypatch.setattr(MemoryLedger, "begin", full)
    office = Office(sandbox())
    await office.open_run(orders(3))
    pushed = await office.execute(check=False)
    assert Cause.LEDGER_LOST in pushed.stop.causes
    assert office.site.calls[Channel.PUSH] == 0


async def test_a_limit_counts_bills_that_were_in_doubt_before() -> None:
    """Who has asked for two is not answered with three."""
    office = Office(sandbox(steps("ok", *["reset"] * 3), closes=False))
    await office.open_run(orders(4))
    side_by_side = steered(concurrency=3, chunk_size=1)
    lost = PushLimits(canary=False, halt=HaltRule(unknown_count=3))
    await office.execute(limits=lost, throttle=side_by_side)
    pushed = await office.execute(limits=PushLimits(canary=False, limit=2), throttle=side_by_side)
    assert set(pushed.stop.causes) == {Cause.LIMIT}
    assert len(pushed.of(State.PUSHED)) == 1 + 2
