"""Documents that come hours after a lost answer was found, while the run goes on."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from k3push.core.model import TWIN, RunId, Sighting, Standing, State, Step
from k3push.core.remark import read_remark
from k3push.ports import LookFailedError
from k3push.runs.context import Context
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.documents.there_already import is_thin
from k3push.runs.engine import push_run
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.stop import Cause
from k3push.runs.throttle import Throttle
from k3push.simulator import FaultPlan, Refusal, World, WriteBack, fault, site
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.orders import PushOrder
from k3push.simulator.fault_plans.script import Aimed
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    SETTLE,
    Office,
    VirtualClock,
    one_by_one,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import AT_A_DOUBT, NO_CANARY, NO_HALT, OPEN, plan_again, until_lost
from tests.runs.test_follow import FOLLOW
from tests.runs.test_renamed_bills import rename
from tests.shares import shared_out

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

HOURS_S = 4 * 3600


def hours_after_a_doubt(
    office: Office, throttle: Throttle, number: str, act: Callable[[], object]
) -> Callable[[Context], Coroutine[None, None, None]]:
    """Return what goes on beside a run: it pauses once a doubt is settled, and somebody acts."""

    async def beside(_: Context) -> None:
        while (await office.rows())[number].state is not State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        throttle.pause()
        while (await office.rows())[number].state is not State.PUSHED:  # noqa: ASYNC110
            await anyio.sleep(1)
        await anyio.sleep(HOURS_S)
        act()
        throttle.go_on()

    return beside


def with_a_lost_answer(*before: str, **options: Any) -> tuple[Office, list[str], Throttle]:
    """Return a site where the answer to the second of three numbers is lost."""
    plan = steps(*before, "ok", "make-then-reset")
    office = Office(sandbox(plan, latency_s=1.0, **OPEN), **options)
    return office, orders(3), steered(concurrency=1, chunk_size=1)


async def test_what_a_person_adds_hours_later_is_a_twin() -> None:
    """It passes for no document of ours without a word."""
    office, numbers, throttle = with_a_lost_answer()
    await office.open_run(numbers)

    def add() -> None:
        # Through our own user, so that makers tell nothing.
        office.site.world.add_target(IN_STOCK, numbers[1], creator="sandbox")

    later = hours_after_a_doubt(office, throttle, numbers[1], add)
    pushed = await office.execute(throttle=throttle, beside=later, check=False)
    assert pushed.rows[numbers[1]].code == TWIN


async def test_what_a_lost_call_makes_late_is_told_beside_what_a_clerk_has_pushed() -> None:
    """The row was `already` by then: somebody had pushed the bill while it was in doubt."""
    _, lost, *_, last = numbers = orders(20)
    meets = {lost: "commit-late-then-reset:900", last: "reset"}
    plan = FaultPlan(aimed={bill: Aimed(fault(name)) for bill, name in meets.items()})
    office = Office(sandbox(plan, latency_s=30.0, look_s=0.1, **OPEN))
    states = set[State]()

    async def push_by_hand(_: Context) -> None:
        await until_lost(office)
        await anyio.sleep(100)
        office.site.world.add_target(IN_STOCK, lost, creator="clerk")
        while True:
            states.add((await office.rows())[lost].state)
            await anyio.sleep(10)

    await office.open_run(numbers)
    pushed = await office.execute(
        limits=NO_HALT, throttle=one_by_one(), beside=push_by_hand, check=False
    )
    row = pushed.rows[lost]
    assert State.ALREADY in states
    assert (row.state, row.code, len(row.targets)) == (State.PUSHED, TWIN, 2), row


async def test_what_comes_while_documents_are_followed_at_the_end_is_told() -> None:
    """Those that were there before are taken up last, and may take long."""
    route = replace(ROUTE, follow=(Step.SUBMIT,), follow_already=True, follow_wait_s=300)
    office, (there, *numbers), throttle = with_a_lost_answer(route=route)
    office.site.world.add_target(IN_STOCK, there)
    await office.open_run([there, *numbers])

    async def add(job: Context) -> None:
        (old,) = (target.id for target in office.site.world.documents_of(there))
        while str(old) not in await office.documents():  # noqa: ASYNC110
            await anyio.sleep(1)
        await anyio.sleep(100)
        office.site.world.add_target(IN_STOCK, numbers[1], creator="sandbox")
        assert not job.stop.asked

    pushed = await office.execute(throttle=throttle, beside=add, check=False)
    assert pushed.rows[numbers[1]].code == TWIN


async def test_an_old_twin_is_no_bill_that_was_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that has a twin of an earlier night still tells of what a person adds."""
    work = site.Site._push
    office, numbers, throttle = with_a_lost_answer("ok")
    (old,) = orders(1, 3)

    def push(self: Any, visit: Any, now_s: float) -> Any:
        if old in self._order(visit).numbers:
            self.world.add_target(IN_STOCK, old, creator="clerk")
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_push", push)
    earlier = RunId("r0")
    await office.open_run([old], earlier)
    pushed = await office.execute(earlier, throttle=throttle, check=False)
    assert pushed.rows[old].code == TWIN
    await office.open_run(numbers)

    def add() -> None:
        # Through our own user, so that makers tell nothing.
        office.site.world.add_target(IN_STOCK, numbers[1], creator="sandbox")

    later = hours_after_a_doubt(office, throttle, numbers[1], add)
    pushed = await office.execute(throttle=throttle, beside=later, check=False)
    assert pushed.rows[numbers[1]].code == TWIN


async def test_a_document_of_a_later_namesake_joins_no_row() -> None:
    """Another organisation enters a bill of the number, and pushes it."""
    office, numbers, throttle = with_a_lost_answer()
    world = office.site.world
    await office.open_run(numbers)

    def add() -> None:
        bill = world.add_source(PURCHASE_ORDER, numbers[1], org="200")
        world.push(PushOrder("PUR_PurchaseOrder", ids=(bill.id,), rule_id=ROUTE.rule), "clerk")

    later = hours_after_a_doubt(office, throttle, numbers[1], add)
    pushed = await office.execute(throttle=throttle, beside=later, check=False)
    assert len(pushed.rows[numbers[1]].targets) == 1


async def test_what_another_program_of_our_user_adds_takes_no_step() -> None:
    """Its maker is ours, and it is a second document of its bill all the same."""
    office, numbers, throttle = with_a_lost_answer(route=FOLLOW)
    await office.open_run(numbers)
    added: list[Any] = []

    def add() -> None:
        added.append(office.site.world.add_target(IN_STOCK, numbers[1], creator="sandbox"))

    later = hours_after_a_doubt(office, throttle, numbers[1], add)
    await office.execute(throttle=throttle, beside=later, check=False)
    assert [document.status for document in added] == ["A"]


@pytest.mark.parametrize("command", shared_out(["resume", "settle"], 2))
async def test_a_late_second_document_is_told_though_the_run_was_killed(command: str) -> None:
    """A lost bill was sent again after its window; its first call is carried out after a kill."""
    plan = steps(*["ok"] * 12, "commit-late-then-reset:900", *["ok"] * 30, "reset")
    office, numbers = Office(sandbox(plan, latency_s=20.0, look_s=0.1, **OPEN)), orders(50)
    await office.open_run(numbers)
    lost = []

    async def kill(job: Context) -> None:
        lost.append(await until_lost(office))
        while (await office.rows())[lost[0]].state is not State.PUSHED:  # noqa: ASYNC110
            await anyio.sleep(1)
        job.stop.scope.cancel()

    often, throttle = SettleTimes(), one_by_one()
    await office.execute(
        limits=NO_CANARY, throttle=throttle, settle=often, beside=kill, check=False
    )
    assert len(office.site.world.documents_of(lost[0])) == 1
    await anyio.sleep(600)
    work = only_settle if command == "settle" else push_run
    pushed = await office.execute(
        limits=NO_CANARY, throttle=throttle, settle=often, work=work, check=False
    )
    assert len(office.site.world.documents_of(lost[0])) == 2
    assert pushed.rows[lost[0]].code == TWIN, pushed.rows[lost[0]]


class TickingClock(VirtualClock):
    """A clock that no two statements read alike."""

    def __init__(self) -> None:
        """Begin."""
        self.ticks = 0

    def now(self) -> datetime:
        """Return the time of day."""
        self.ticks += 1
        return super().now() + timedelta(microseconds=self.ticks)


@pytest.mark.more
async def test_a_row_that_is_settled_right_before_a_kill_is_looked_at_once_more() -> None:
    """A bill was lost twice; a resume finds the second document, and is killed at once."""
    plan = steps(*["ok"] * 11, "commit-late-then-reset:2500", "make-then-reset")
    office, numbers = Office(sandbox(plan, latency_s=1.0, look_s=0.1, **OPEN)), orders(12)
    last, clock = numbers[-1], TickingClock()
    await office.open_run(numbers)

    async def until(state: State, attempts: int) -> None:
        while True:
            row = (await office.rows())[last]
            if (row.state, row.attempts) == (state, attempts):
                return
            await anyio.sleep(0.05)

    async def stop(job: Context) -> None:
        await until(State.UNKNOWN, 2)
        job.stop.ask(Cause.INTERRUPTED, "")

    async def kill(job: Context) -> None:
        await until(State.PUSHED, 2)
        job.stop.scope.cancel()

    for beside in (stop, kill):
        await office.execute(
            limits=NO_CANARY, throttle=one_by_one(), clock=clock, beside=beside, check=False
        )
    await anyio.sleep(2500)
    pushed = await office.execute(throttle=one_by_one(), clock=clock, check=False)
    assert len(office.site.world.documents_of(last)) == 2
    assert pushed.rows[last].code == TWIN, pushed.rows[last]


@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("answer", ["reset", "response-error"])
async def test_a_later_run_tells_of_what_a_call_has_made_after_its_window(
    answer: str, *, closes: bool
) -> None:
    """The first night has sent the bill again; on the second both documents are there."""
    plan = steps("ok", f"commit-late-then-{answer}:9000")
    used = WriteBack.SAVE if closes else WriteBack.NEVER
    office = Office(sandbox(plan, latency_s=1.0, write_back=used, closes=closes))
    numbers, throttle = orders(3), steered(concurrency=1, chunk_size=1)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=throttle, check=False)
    assert set(pushed.states.values()) == {State.PUSHED}
    office.site.finish()
    assert len(office.site.world.documents_of(numbers[1])) == 2
    await office.open_run(numbers, SECOND)
    again = await office.execute(SECOND, throttle=throttle, check=False)
    codes = {number: row.code for number, row in again.rows.items()}
    assert set(again.states.values()) == {State.ALREADY}
    assert codes == {numbers[0]: "", numbers[1]: TWIN, numbers[2]: ""}


async def test_what_old_twins_are_known_by_is_told_beside() -> None:
    """Nothing but the number says whose they are, and a person is to see that before deleting."""
    plan = steps("ok", "commit-late-then-reset:9000")
    thin = {"source_form_fields": False, "link_fields": False}
    office = Office(sandbox(plan, latency_s=1.0, **thin, **OPEN))
    numbers, throttle = orders(3), steered(concurrency=1, chunk_size=1)
    for run in (FIRST, SECOND):
        await office.open_run(numbers, run)
        await office.execute(run, throttle=throttle, check=False)
        office.site.finish()
    row = (await office.rows(SECOND))[numbers[1]]
    assert (row.state, row.code) == (State.ALREADY, TWIN)
    assert is_thin(row.reason), row.reason
    assert "note.late_twin" in row.reason


async def test_twins_of_an_earlier_night_do_not_end_a_run() -> None:
    """Whoever made them is not at work now, and a list that has them is pushed like any other."""
    late = "commit-late-then-reset:9000"
    plan = steps("ok", late, late, late, "ok")
    office = Office(sandbox(plan, latency_s=1.0, **OPEN))
    old, throttle = orders(4), steered(concurrency=1, chunk_size=1)
    await office.open_run(old)
    await office.execute(throttle=throttle, check=False)
    office.site.finish()
    assert [len(office.site.world.documents_of(n)) for n in old] == [1, 2, 2, 2]
    numbers = [*old, *orders(3, 4)]
    await office.open_run(numbers, SECOND)
    again = await office.execute(SECOND, throttle=throttle, check=False)
    assert again.stop.causes == {}
    assert [again.states[n] for n in numbers] == [State.ALREADY] * 4 + [State.PUSHED] * 3
    assert [again.rows[n].code for n in old] == ["", TWIN, TWIN, TWIN]


async def test_a_document_that_was_asked_for_beside_another_is_no_twin() -> None:
    """The answer to the first push was lost and its document found; the second was `--again`."""
    office, numbers, throttle = with_a_lost_answer()
    await office.open_run(numbers)
    pushed = await office.execute(throttle=throttle, check=False)
    assert set(pushed.states.values()) == {State.PUSHED}
    later, last = RunId("r2"), RunId("r3")
    await office.open_run(numbers[1:2], later, again_because="the goods came twice")
    await office.execute(later, throttle=throttle, check=False)
    assert len(office.site.world.documents_of(numbers[1])) == 2
    await office.open_run(numbers, last)
    again = await office.execute(last, throttle=throttle, check=False)
    assert {row.code for row in again.rows.values()} == {""}


async def looks_have_shown(world: World, number: str) -> None:
    """Wait until a document is made, and some looks more."""
    while not world.documents_of(number):  # noqa: ASYNC110
        await anyio.sleep(1)
    await anyio.sleep(300)


async def test_what_looks_have_shown_is_not_absent_though_they_show_it_no_more() -> None:
    """Of two sendings it is one's, so that it is waited for; a copy that lags may answer last."""
    faults = steps("ok", "reset", "make-then-reset")
    office = Office(sandbox(faults, latency_s=1.0, **OPEN))
    numbers, world = orders(2), office.site.world
    await office.open_run(numbers)

    async def hide(_: Context) -> None:
        await looks_have_shown(world, numbers[1])
        (made,) = world.documents_of(numbers[1])
        world.delete(made)

    throttle = steered(concurrency=1, chunk_size=1)
    for work, beside in ((push_run, hide), (only_settle, None), (push_run, None)):
        pushed = await office.execute(throttle=throttle, work=work, beside=beside, check=False)
        row = pushed.rows[numbers[1]]
        assert (row.state, row.attempts) == (State.UNKNOWN, 2), row
        assert read_remark(row.reason) == ("note.out_of_sight", {"documents": "CGRK0000002"})


def interrupted(office: Office) -> Callable[[Context], Coroutine[None, None, None]]:
    """Return what stops an execution once its answer is lost."""

    async def interrupt(job: Context) -> None:
        await until_lost(office)
        job.stop.ask(Cause.INTERRUPTED, "Ctrl-C")

    return interrupt


async def is_told_though_gone(
    office: Office, number: str, *, attempts: int, after_s: float = 0.0
) -> None:
    """Delete what was made of a bill, go on later, and see that its document is not forgotten."""
    world = office.site.world
    (made,) = world.documents_of(number)
    world.delete(made)
    await anyio.sleep(after_s)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    row = pushed.rows[number]
    assert (row.state, row.attempts) == (State.UNKNOWN, attempts), row
    assert read_remark(row.reason) == ("note.out_of_sight", {"documents": "CGRK0000002"})


async def test_what_looks_have_shown_is_known_to_whoever_goes_on() -> None:
    """The execution that was shown it is interrupted, and the document is gone before the next."""
    faults = steps("ok", "reset", "make-then-reset")
    office = Office(sandbox(faults, latency_s=1.0, **OPEN))
    numbers, world = orders(2), office.site.world
    await office.open_run(numbers)

    async def interrupt(job: Context) -> None:
        await looks_have_shown(world, numbers[1])
        job.stop.ask(Cause.INTERRUPTED, "Ctrl-C")

    throttle = steered(concurrency=1, chunk_size=1)
    await office.execute(throttle=throttle, beside=interrupt, check=False)
    await is_told_though_gone(office, numbers[1], attempts=2)


async def test_what_a_look_after_an_answer_has_shown_is_not_absent_though_the_next_one_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of what has broken on the server two looks tell; the document is gone before a third one."""
    office = Office(sandbox(steps("ok", "make-then-response-error"), latency_s=1.0, **OPEN))
    numbers, world = orders(2), office.site.world
    await office.open_run(numbers)
    looks = 0

    async def fail(*what: Any, **how: Any) -> Sighting:
        nonlocal looks
        looks += bool(world.documents_of(numbers[1]))
        if looks > 1:
            raise LookFailedError("the database is away")
        return await look_at_sent(*what, **how)

    monkeypatch.setattr("k3push.runs.sending.look_after.look_at_sent", fail)
    await office.execute(throttle=one_by_one(), beside=interrupted(office), check=False)
    await is_told_though_gone(office, numbers[1], attempts=1, after_s=SETTLE.window_s)
    assert looks == 2


async def test_what_the_first_look_has_shown_is_not_absent_though_that_for_the_others_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A copy of the database shows one bill of a call, and is away as the other is asked for."""
    office = Office(sandbox(steps("ok", "make-then-response-error"), latency_s=1.0, **OPEN))
    numbers, world = orders(3), office.site.world
    await office.open_run(numbers)
    looks = 0

    async def show_one(*what: Any, **how: Any) -> Sighting:
        nonlocal looks
        looks += bool(world.documents_of(numbers[1]))
        if looks > 1:
            raise LookFailedError("the database is away")
        seen = await look_at_sent(*what, **how)
        return replace(
            seen, targets={n: found for n, found in seen.targets.items() if n != numbers[2]}
        )

    monkeypatch.setattr("k3push.runs.sending.look_after.look_at_sent", show_one)
    throttle = steered(concurrency=1, chunk_size=2)
    await office.execute(throttle=throttle, beside=interrupted(office), check=False)
    await is_told_though_gone(office, numbers[1], attempts=1, after_s=SETTLE.window_s)


async def test_what_a_look_has_shown_is_not_absent_though_nobody_tells_who_has_made_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ERP is away as it is asked for the maker, and the document is gone by the next look."""
    office = Office(sandbox(steps("ok", "make-then-reset"), latency_s=1.0, **OPEN))
    numbers = orders(2)
    await office.open_run(numbers)

    async def fail(*_: Any, **__: Any) -> dict[str, Standing]:
        raise LookFailedError("the database is away")

    with monkeypatch.context() as for_now:
        for_now.setattr("k3push.runs.proof.document_makers.look_at_standings", fail)
        await office.execute(throttle=one_by_one(), check=False)
    await is_told_though_gone(office, numbers[1], attempts=1, after_s=SETTLE.window_s)


@pytest.mark.parametrize("told", ["unknown_sending", "moved_at"])
async def test_settling_waits_for_a_call_of_which_a_restored_ledger_knows_nothing(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    """What the ledger knows of is absent by now, and that call is carried out yet."""
    (number,) = orders(1)
    office = Office(sandbox(steps("reset"), **OPEN))
    await office.open_run([number])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await anyio.sleep(SETTLE.window_s)
    left_at = VirtualClock().now()

    async def then(*_: Any) -> datetime:
        return left_at

    async def carry_out(_: Context) -> None:
        await anyio.sleep(100)
        office.site.world.add_target(IN_STOCK, number, creator="sandbox")

    monkeypatch.setattr(MemoryLedger, told, then)
    pushed = await office.execute(work=only_settle, beside=carry_out, check=False)
    assert pushed.states == {number: State.PUSHED}


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("renumbered", [False, True])
async def test_what_a_clerk_adds_to_a_bill_that_was_refused_once_is_no_late_document(
    *, renumbered: bool, partial: bool
) -> None:
    """A period was closed, the bill was pushed the next day, and a clerk has pushed the rest."""
    office = Office(sandbox(latency_s=1.0), replace(ROUTE, allow_partial=partial))
    numbers, throttle, world = orders(4), one_by_one(), office.site.world
    number = numbers[1]
    world.refuse(number, Refusal(11, "期间已关闭"))
    await office.open_run(numbers)
    await office.execute(throttle=throttle, check=False, limits=NO_CANARY)
    world.allow(number)
    await plan_again(office)
    pushed = await office.execute(throttle=throttle, check=False, limits=NO_CANARY)
    assert pushed.states[number] is State.PUSHED
    await anyio.sleep(4 * 3600)
    world.add_target(IN_STOCK, number, creator="clerk")
    if renumbered:
        (bill,) = world.store.by_number(PURCHASE_ORDER, number)
        rename(office, bill, "NEW1")
    await office.open_run(["NEW1" if renumbered else number], SECOND)
    again = await office.execute(SECOND, throttle=throttle, check=False, limits=NO_CANARY)
    (row,) = again.rows.values()
    assert row.code != TWIN, row


@pytest.mark.parametrize("lag_s", [0.4, 3.0])
async def test_links_that_a_look_by_number_shows_are_asked_for_again(lag_s: float) -> None:
    """A copy of the database that lags behind answers every second look."""
    office = Office(sandbox(query_lag_s=lag_s, copies_in_turn=True, latency_s=0.05))
    await office.open_run(orders(6))
    contexts: list[Context] = []

    async def watch(context: Context) -> None:
        contexts.append(context)
        await anyio.sleep_forever()

    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=2), beside=watch)
    assert pushed.of(State.PUSHED) == set(orders(6))
    assert contexts[0].links.tell
