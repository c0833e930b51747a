from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint as Address
from k3push.core.model import BillNumber, Intent, Listed, Route, Run, RunId, State, Uptime
from k3push.core.pacing.expected_time import Driven, expect
from k3push.core.pacing.halting import HaltRule
from k3push.core.plan import Forecast, Foreseen
from k3push.core.protocol.logins import LoginCall, password_login
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.runs.context import Context
from k3push.runs.create import JobSource, scope_of, take_up_plan
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.forecast import (
    ForecastContext,
    HeldByOthers,
    forecast,
    held_numbers,
    learn_links,
    measured,
)
from k3push.runs.lookup.source_check import PRECHECK
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause, Stop
from k3push.simulator import FaultPlan, SandboxOptions, fault
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.write_back import WriteBack
from k3push.simulator.fault_plans.script import Aimed, Channel
from tests.adapters.ledger.samples import identified
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    LIMITS,
    LOGIN,
    NOON,
    ROUTE,
    Notebook,
    Office,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.said import english
from tests.simulator.transport import SandboxTransport

pytestmark = pytest.mark.anyio


class Counting(MemoryLedger):
    """Knows of which runs the numbers were counted."""

    def __init__(self) -> None:
        super().__init__(account="sandbox")
        self.counted: list[str] = []

    async def counts(self, run: RunId) -> Mapping[State, int]:
        """Count, and remember it."""
        self.counted.append(run)
        return await super().counts(run)


def job(numbers: Iterable[str], name: str = "a.csv") -> JobSource:
    """Return a job file, whose first number stands in line 2."""
    listed = [Listed(line, BillNumber(n)) for line, n in enumerate(numbers, start=2)]
    return JobSource(name, Path(name), lambda: iter(listed))


async def look(
    office: Office,
    jobs: Sequence[JobSource],
    *,
    route: Route = ROUTE,
    stop: Stop | None = None,
    at_once: int = 4,
    again: bool = False,
    login: LoginCall = LOGIN,
) -> list[Foreseen]:
    """Look ahead as `plan` does."""
    stop = stop or Stop()
    address = Address("http://sandbox/K3Cloud/", lambda _: login)
    async with ErpClient(address, transport=lambda: SandboxTransport(office.site)) as erp:
        scope = scope_of("sandbox", route)
        outlook = ForecastContext(
            route,
            erp,
            LIMITS,
            stop,
            Notebook(),
            HeldByOthers(partial(held_numbers, office.store, scope)),
            office.store,
            scope,
            again=again,
        )
        outlook = await learn_links(outlook)
        pages = forecast(jobs, {"": outlook}, stop, at_once=at_once)
        return [one async for page in pages for one in page]


@pytest.mark.parametrize("alone", [True, False])
async def test_a_plan_knows_what_answers_alone_have_named(*, alone: bool) -> None:
    """A person has called a bill absent whose document no look shows; no run sends it again."""
    canary, named, other, *rest = orders(6)
    office = Office(sandbox(untied=(named,), write_back=WriteBack.NEVER, closes=False))
    throttle = steered(concurrency=1, chunk_size=1 if alone else 2)
    await office.open_run([canary, *rest, named, other])
    await office.execute(throttle=throttle)
    for row in (await office.rows()).values():
        if row.state is State.UNKNOWN:
            told = (office.store, VirtualClock(), FIRST, row.bill, State.PLANNED)
            await settle_by_word(*told, because="none listed")
    (foreseen,) = await look(office, [job([named])])
    await office.open_run([named], RunId("r2"))
    pushed = (await office.execute(RunId("r2"), throttle=throttle, check=False)).rows[named]
    outcome = foreseen.outcome()
    assert outcome is not None
    assert (pushed.state, pushed.targets) == (outcome.state, outcome.targets)
    assert (pushed.code, pushed.reason) == (outcome.code, outcome.reason)


async def test_a_plan_foretells_what_the_run_does() -> None:
    """Both look with the same functions, so a plan that says otherwise has a defect."""
    office = Office(sandbox(orders=60))
    await office.open_run(orders(10))
    await office.execute()
    numbers = [*orders(30), "CGDDU000000", "CGDDC000000", "NOBODY", "cgdd0000003", "CGDD0000029"]
    foreseen = await look(office, [job(numbers)])
    assert Counter(one.fate for one in foreseen if not one.first_line) == {
        Forecast.READY: 20,
        Forecast.ALREADY: 10,
        Forecast.BLOCKED: 3,
    }
    second = RunId("r2")
    await office.open_run(numbers, second)
    pushed = await office.execute(second, throttle=steered())
    expected = {
        Forecast.READY: State.PUSHED,
        Forecast.ALREADY: State.ALREADY,
        Forecast.BLOCKED: State.REJECTED,
    }
    assert list(pushed.rows) == [one.number for one in foreseen if not one.first_line]
    for one in foreseen:
        if one.first_line:
            continue
        row = pushed.rows[one.number]
        assert row.state is expected[one.fate]
        outcome = one.outcome()
        if outcome is not None:
            assert (row.targets, row.code, row.reason) == (
                outcome.targets,
                outcome.code,
                outcome.reason,
            )


async def test_nothing_is_sent_or_written() -> None:
    """To plan is to read."""
    office = Office()
    await look(office, [job(orders(20))])
    assert office.site.calls[Channel.PUSH] == 0
    assert await office.store.runs() == []


async def test_repeats_name_the_line_that_came_first() -> None:
    """Other spellings of one bill are repeats too, in another file and in the same line of it."""
    office = Office()
    jobs = [job(["CGDD0000001", "CGDD0000001", "NOBODY"]), job(["cgdd0000001", "NOBODY"], "b.csv")]
    foreseen = await look(office, jobs)
    assert [(one.line, one.first_line) for one in foreseen] == [
        (2, 0),
        (3, 2),
        (4, 0),
        (2, 2),
        (3, 4),
    ]


async def test_an_earlier_target_makes_a_number_partly_where_the_route_allows_it() -> None:
    """The rest of its quantity is pushed, and the person should know that something is there."""
    office = Office(sandbox(closes=False))
    await office.open_run(orders(1))
    await office.execute()
    (one,) = await look(office, [job(orders(1))], route=replace(ROUTE, allow_partial=True))
    assert (one.fate, len(one.targets)) == (Forecast.PARTLY, 1)
    (again,) = await look(office, [job(orders(1))], again=True)
    assert again == one


async def test_a_number_in_doubt_elsewhere_is_blocked() -> None:
    """Pushing it might make a second document, so the run that holds it is named."""
    office = Office()
    await office.open_run(orders(3))
    number = BillNumber(orders(1)[0])
    await office.store.identify(FIRST, identified({number: number}))
    await office.store.claim(FIRST, [number])
    await office.store.begin(Intent(FIRST, 1, 1, (number,), {}, b"", NOON, Uptime("", 0)))
    foreseen = await look(office, [job(orders(3))])
    assert [(one.fate, one.code) for one in foreseen] == [
        (Forecast.BLOCKED, "held"),
        (Forecast.READY, ""),
        (Forecast.READY, ""),
    ]
    assert FIRST in foreseen[0].reason


async def test_what_was_in_doubt_elsewhere_as_a_plan_was_made_is_asked_about_again() -> None:
    """That run has ended since, and a document is there: nothing was refused."""
    lost, *rest = orders(3)
    faults = FaultPlan(aimed={lost: Aimed(fault("make-then-reset"))})
    office = Office(sandbox(faults, write_back=WriteBack.NEVER, closes=False))
    await office.open_run([lost])
    at_a_doubt = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.execute(limits=at_a_doubt, check=False)
    foreseen = await look(office, [job([lost, *rest])])
    assert [one.code for one in foreseen] == ["held", "", ""]
    await office.execute()
    second = office.run(RunId("r2"))
    await take_up_plan(office.store, second, iter(foreseen), at=NOON)
    pushed = await office.execute(second.id, check=False)
    assert [pushed.rows[n].state for n in (lost, *rest)] == [
        State.ALREADY,
        State.PUSHED,
        State.PUSHED,
    ]


async def test_a_plan_pushes_no_bill_of_a_number_that_it_has_sent_in_vain() -> None:
    """The call never left, and the number is another bill's by the next execution."""
    (moved,) = orders(1)
    faults = FaultPlan(aimed={moved: Aimed(fault("refuse-connection"))})
    office = Office(sandbox(faults, write_back=WriteBack.NEVER, closes=False))
    foreseen = await look(office, [job([moved])])
    run = await take_up_plan(office.store, office.run(FIRST), iter(foreseen), at=NOON)

    async def end(job: Context) -> None:
        while not (await office.rows())[moved].attempts:
            await job.stop.sleep(0.1)
        job.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(run.id, beside=end, check=False)
    assert (await office.rows())[moved].state is State.PLANNED
    office.site.world.renumber(PURCHASE_ORDER, moved, "Z0")
    office.site.world.add_source(PURCHASE_ORDER, moved)
    pushed = await office.execute(run.id, check=False)
    assert (pushed.rows[moved].state, pushed.rows[moved].code) == (State.REJECTED, PRECHECK)


@pytest.mark.parametrize("there", [False, True])
async def test_a_plan_pushes_no_bill_that_has_got_a_number_of_it_since(*, there: bool) -> None:
    """Nobody has agreed to that one; and what somebody has made of it is not of the plan's bill."""
    moved, *rest = orders(3)
    office = Office(sandbox(write_back=WriteBack.NEVER, closes=False))
    foreseen = await look(office, [job([moved, *rest])])
    office.site.world.renumber(PURCHASE_ORDER, moved, "Z0")
    office.site.world.add_source(PURCHASE_ORDER, moved)
    if there:
        office.site.world.add_target(IN_STOCK, moved, creator="clerk")
    run = await take_up_plan(office.store, office.run(FIRST), iter(foreseen), at=NOON)
    pushed = await office.execute(run.id, check=False)
    row = pushed.rows[moved]
    assert (row.state, row.code) == (State.REJECTED, PRECHECK)
    assert "it is another's now" in english(row.reason)
    assert pushed.of(State.PUSHED) == set(rest)


async def test_pages_that_are_looked_at_side_by_side_ask_once_what_others_hold() -> None:
    """Other runs may hold a hundred thousand numbers, and each answer is kept in memory."""
    asked: list[float] = []

    async def ask() -> Mapping[BillNumber, RunId]:
        asked.append(anyio.current_time())
        await anyio.sleep(1)
        return {BillNumber("A"): FIRST}

    held, told = HeldByOthers(ask), list[Mapping[BillNumber, RunId]]()

    async def look_at_page() -> None:
        told.append(await held.now())

    async with anyio.create_task_group() as pages:
        for _ in range(8):
            pages.start_soon(look_at_page)
    assert (len(asked), told) == (1, [{BillNumber("A"): FIRST}] * 8)


async def test_what_another_run_comes_to_doubt_while_a_plan_is_made_is_held() -> None:
    """The bill may be closed for what that run has made of it, and nobody knows yet."""
    office = Office(sandbox(latency_s=10.0, look_s=10.0))
    await office.open_run(orders(1))
    number = BillNumber(orders(1)[0])

    async def send() -> None:
        await anyio.sleep(15.0)
        await office.store.identify(FIRST, identified({number: number}))
        await office.store.claim(FIRST, [number])
        await office.store.begin(Intent(FIRST, 1, 1, (number,), {}, b"", NOON, Uptime("", 0)))
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.closed = True

    async with anyio.create_task_group() as beside:
        beside.start_soon(send)
        (foreseen,) = await look(office, [job(orders(1))])
    assert (foreseen.fate, foreseen.code) == (Forecast.BLOCKED, "held")


async def test_a_bill_in_doubt_under_an_earlier_number_is_held_back() -> None:
    """A run holds it back as well: it knows the bill by its id."""
    (number,) = orders(1)
    office = Office(sandbox(steps("reset"), write_back=WriteBack.NEVER, closes=False))
    await office.open_run([number])
    lost = PushLimits(canary=False, halt=HaltRule(unknown_count=1))
    await office.execute(check=False, limits=lost)
    office.site.world.renumber(PURCHASE_ORDER, number, f"R{number}")
    (foreseen,) = await look(office, [job([f"R{number}"])])
    assert (foreseen.fate, foreseen.code) == (Forecast.BLOCKED, "held")


async def test_runs_that_left_nothing_in_doubt_are_not_asked_for_numbers() -> None:
    """A plan is as quick beside thousands of them."""
    ledger, scope = Counting(), f"sandbox|{ROUTE.source}|{ROUTE.rule}"
    for nth, ended in enumerate((0, 3, 4, None, 0)):
        run = Run(RunId(f"20260101-{nth:06}-old"), scope, ROUTE, (), "", NOON)
        await ledger.open_run(run)
        if ended is not None:
            await ledger.end_run(run.id, ended, NOON)
    await held_numbers(ledger, scope)
    assert ledger.counted == ["20260101-000002-old", "20260101-000003-old"]


async def test_a_route_that_cannot_be_read_back_is_not_asked_for_targets() -> None:
    """Its numbers are ready as far as anybody can tell."""
    office = Office(sandbox(link_fields=False))
    route = replace(ROUTE, source_number_field="")
    (one,) = await look(office, [job(orders(1))], route=route)
    assert (one.fate, one.targets) == (Forecast.READY, ())


@pytest.mark.parametrize("closes", [True, False])
async def test_what_a_run_of_this_ledger_has_pushed_is_already_there(*, closes: bool) -> None:
    """A user who sees no documents finds their bills closed, or open, and the ledger knows why."""
    office = Office(sandbox(closes=closes, sees={"sandbox2": "none"}))
    await office.open_run(orders(3))
    await office.execute()
    blind = password_login("sandbox", "sandbox2", "sandbox", 2052)
    foreseen = await look(office, [job(orders(4))], login=blind)
    assert [one.fate for one in foreseen] == [*[Forecast.ALREADY] * 3, Forecast.READY]
    assert all(FIRST in one.reason for one in foreseen[:3])
    second = RunId("r2")
    await office.open_run(orders(4), second)
    pushed = await office.execute(second, login=blind, check=False)
    assert [row.state for row in pushed.rows.values()][:3] == [State.ALREADY] * 3
    assert {row.reason for row in list(pushed.rows.values())[:3]} == {foreseen[0].reason}
    planned = [one.outcome() for one in foreseen[:3]]
    assert [(one.code, one.reason) for one in planned if one] == [
        (row.code, row.reason) for row in list(pushed.rows.values())[:3]
    ]


async def test_many_pages_come_in_the_order_of_the_job() -> None:
    """They are looked at side by side, and a plan is compared with its list line by line."""
    count = 2 * MOST_NUMBERS + 7
    office = Office(sandbox(orders=count))
    numbers = list(reversed(orders(count)))
    foreseen = await look(office, [job(numbers)], at_once=2)
    assert [one.number for one in foreseen] == numbers
    assert [one.line for one in foreseen] == list(range(2, count + 2))
    assert {one.fate for one in foreseen} == {Forecast.READY}


async def test_a_look_that_fails_for_good_ends_the_plan_and_says_why() -> None:
    """An error of a query is never "nothing is there" (rule 7)."""
    office = Office(sandbox(steps(*["reset"] * 50, on=Channel.QUERY)))
    stop = Stop()
    assert await look(office, [job(orders(5))], stop=stop) == []
    assert Cause.LOOK_FAILED in stop.causes


async def test_the_pace_is_that_of_the_last_run() -> None:
    """Nothing is made up where no run was."""
    scope = scope_of("sandbox", ROUTE)
    office = Office(sandbox(latency_s=1.0))
    assert await measured(office.store, scope) is None
    await office.open_run(orders(40))
    await office.execute()
    took = await measured(office.store, scope)
    assert took is not None
    assert (took.numbers, took.calls > 1, took.seconds >= 1) == (40, True, True)
    assert await measured(office.store, "another") is None


async def test_a_run_of_few_numbers_tells_no_time() -> None:
    """Ten calls were foretold as three hundred after a run of two numbers."""
    scope = scope_of("sandbox", ROUTE)
    office = Office(sandbox(latency_s=1.0))
    await office.open_run(orders(9))
    await office.execute()
    assert await measured(office.store, scope) is None


@pytest.mark.parametrize("first", [20, 60])
@pytest.mark.parametrize(
    "server",
    [
        sandbox(orders=400, latency_s=0.3),
        sandbox(orders=400, latency_s=1.0, capacity=2),
        sandbox(orders=400, latency_s=0.2, per_number_s=0.2, queue="user"),
    ],
)
async def test_the_next_list_takes_what_is_expected_of_it(
    server: SandboxOptions, first: int
) -> None:
    """Calls and time were ten times what came after a small first run."""
    office = Office(server)
    ids = orders(380)
    await office.open_run(ids[:first])
    await office.execute(throttle=steered())
    kept = await office.store.pace(scope_of("sandbox", ROUTE))
    assert kept is not None
    told = expect(300, Driven(), kept[0])
    assert told.time is not None
    second = RunId("20261125-200100-2nd")
    await office.open_run(ids[80:], second)
    began_s = anyio.current_time()
    await office.execute(second, throttle=steered())
    took_s = anyio.current_time() - began_s
    assert told.time.least_s <= took_s <= told.time.most_s
    calls = sum(1 for each in await office.store.spans(second))
    assert calls / 2.5 <= told.calls <= calls * 2.5
