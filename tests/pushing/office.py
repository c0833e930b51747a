"""An office where bills are pushed: one ERP, one ledger, and processes that work on both.

Nothing of k3push is replaced but the network, the disk and the time: every byte goes through
the HTTP adapter to the simulator, and each run ends with an audit against its books.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import anyio

from k3push.adapters.erp_http import ErpHttp
from k3push.adapters.erp_http import Site as Address
from k3push.adapters.erp_pool import ErpPool
from k3push.adapters.erp_turns import Turns
from k3push.adapters.memory import MemoryLedger
from k3push.core.commands import Key
from k3push.core.holds import Hold
from k3push.core.logins import LoginCall, password_login
from k3push.core.model import (
    Attempt,
    BillNumber,
    Listed,
    Outcome,
    Route,
    Row,
    Run,
    RunId,
    State,
    Uptime,
)
from k3push.core.verdict import InDoubt, Verdict, judge
from k3push.job import DoubtAges, Job, PushPace, SettlePace, Stop, stopping
from k3push.ports import Clock, Ledger
from k3push.pushing import push_run
from k3push.simulator import FaultPlan, SandboxOptions, Site, World, audit, build
from k3push.simulator.faults import fault
from k3push.simulator.script import Channel, Step
from k3push.simulator.transport import SandboxTransport
from k3push.steering import Steering

ROUTE = Route(
    "po-instock",
    "PUR_PurchaseOrder",
    "STK_InStock",
    rule="PUR_PurchaseOrder-STK_InStock",
    source_number_field="FSRCBillNo",
)
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LOGIN = password_login("sandbox", "sandbox", "sandbox", 2052)
FIRST = RunId("r1")
SECOND = RunId("r2")

PACE = PushPace()
# The rules' own times, but for fewer looks: virtual time is free, a look is not.
SETTLE = SettlePace(poll_s=145)
WINDOW_S = SETTLE.window_s


class VirtualClock:
    """The time of day, as virtual time has it."""

    def now(self) -> datetime:
        """Return noon and what has passed since the test began."""
        return NOON + timedelta(seconds=anyio.current_time())

    def uptime(self) -> Uptime:
        """Return what has passed since the test began, by a machine that names its boot."""
        return Uptime("virtual", anyio.current_time())


@dataclass(slots=True)
class Notebook:
    """A watch that writes down what it is told.

    Attributes:
        sendings: Attempt, what became of it, and what was made of its answer.
        moves: Numbers that moved apart from a sending.
        waits: Why, and how long, some work was put off.
        holds: What kept chunks from leaving, and None where they left again.
        aside: Users who were set aside, with the ERP's words.
    """

    sendings: list[tuple[Attempt, Sequence[Outcome], Verdict]] = field(default_factory=list)
    moves: list[Outcome] = field(default_factory=list)
    waits: list[tuple[str, float]] = field(default_factory=list)
    holds: list[Hold | None] = field(default_factory=list)
    aside: list[tuple[str, str]] = field(default_factory=list)

    def concluded(self, outcomes: Sequence[Outcome]) -> None:
        """Note moves."""
        self.moves += outcomes

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Note a sending, which tells of each of its numbers once."""
        assert [outcome.number for outcome in outcomes] == list(attempt.intent.numbers)
        assert seconds >= 0
        self.sendings.append((attempt, outcomes, verdict))

    def waiting(self, why: str, seconds: float) -> None:
        """Note a wait."""
        self.waits.append((why, seconds))

    def held(self, hold: Hold | None) -> None:
        """Note what holds."""
        self.holds.append(hold)

    @property
    def carried(self) -> list[BillNumber]:
        """All numbers that travelled, once for each time they did."""
        return [number for attempt, _, _ in self.sendings for number in attempt.intent.numbers]


@dataclass(slots=True)
class Pushed:
    """What one execution of a run came to."""

    site: Site
    rows: dict[str, Row]
    watch: Notebook
    stop: Stop
    logins: int

    @property
    def world(self) -> World:
        """The ERP's books."""
        return self.site.world

    @property
    def states(self) -> dict[str, State]:
        """Where every number of the run stands."""
        return {number: row.state for number, row in self.rows.items()}

    def of(self, state: State) -> set[str]:
        """Return the numbers in one state."""
        return {number for number, row in self.rows.items() if row.state is state}


def orders(count: int, first: int = 0) -> list[str]:
    """Return numbers of orders that can be pushed."""
    return [f"CGDD{index:07d}" for index in range(first, first + count)]


def steps(*names: str, on: Channel = Channel.PUSH) -> FaultPlan:
    """Return a plan: the first requests of a kind meet these faults."""
    return FaultPlan(steps=tuple(Step(fault(name), on) for name in names))


def steered(*, concurrency: int | None = None, chunk_size: int | None = None) -> Steering:
    """Return what an execution is driven with; None is auto."""
    return Steering(VirtualClock(), concurrency=concurrency, chunk_size=chunk_size)


def sandbox(faults: FaultPlan | None = None, **options: object) -> SandboxOptions:
    """Return the options of a small sandbox."""
    base = SandboxOptions(orders=60, faults=faults or FaultPlan())
    return replace(base, **options)  # type: ignore[arg-type]  # names of its own fields


def several(
    logins: Mapping[str, LoginCall], user: Callable[[LoginCall], ErpHttp], watch: Notebook
) -> ErpHttp | ErpPool:
    """Make one user or several of an ERP."""
    users = {name: user(login) for name, login in logins.items()}
    if len(users) == 1:
        return next(iter(users.values()))
    return ErpPool(users, refused={}, set_aside=lambda *told: watch.aside.append(told))


class Office:
    """One ERP and one ledger.

    Args:
        options: What the ERP is like.
        route: How bills are pushed.
        site: An ERP that is there already, instead of one with *options*.
        ledger: A ledger that is there already.
    """

    def __init__(
        self,
        options: SandboxOptions | None = None,
        route: Route = ROUTE,
        *,
        site: Site | None = None,
        ledger: MemoryLedger | None = None,
    ) -> None:
        self.site = site or build(options or sandbox(), clock=lambda: NOON)
        self.pushes_before = self.site.calls[Channel.PUSH]
        self.store = (ledger or MemoryLedger()).another_process()
        self.route = route

    async def open_run(
        self, numbers: Iterable[str], run: RunId = FIRST, *, again_because: str = ""
    ) -> None:
        """Write down a run."""
        scope = f"sandbox|{self.route.source}|{self.route.rule}"
        at = VirtualClock().now()
        opened = Run(run, scope, self.route, ("a.csv",), "results", at, again_because=again_because)
        await self.store.open_run(opened)
        listed = [Listed(line, BillNumber(n)) for line, n in enumerate(numbers, start=1)]
        await self.store.add(run, listed)

    async def execute(
        self,
        run: RunId = FIRST,
        *,
        pace: PushPace = PACE,
        steering: Steering | None = None,
        settle: SettlePace = SETTLE,
        stop: Stop | None = None,
        watch: Notebook | None = None,
        ledger: Ledger | None = None,
        login: LoginCall = LOGIN,
        more_users: Mapping[str, LoginCall] | None = None,
        transport: Callable[[Site], SandboxTransport] = SandboxTransport,
        clock: Clock | None = None,
        route: Route | None = None,
        beside: Callable[[Job], Coroutine[None, None, None]] | None = None,
        check: bool = True,
    ) -> Pushed:
        """Execute a run as a process of its own would, and compare the ledger with the books.

        Without a *steering* 4 chunks of 20 numbers are sent at once. *route* is what the
        settings have made of the run's own meanwhile. *beside* goes on until its end. The
        comparison is left out where *check* says so: where a process dies, or another is still
        at work.
        """
        ledger = ledger or self.store.another_process()
        watch, stop, clock = watch or Notebook(), stop or Stop(), clock or VirtualClock()
        driven, site = steering or steered(concurrency=4, chunk_size=20), self.site
        turns = Turns(lambda: driven[Key.CALLS_PER_MINUTE])

        def user(login: LoginCall) -> ErpHttp:
            address = Address("http://sandbox/K3Cloud/", lambda _: login)
            return ErpHttp(address, turns=turns, transport=lambda: transport(site))

        async with several({"sandbox": login, **(more_users or {})}, user, watch) as erp:
            opened = await self.store.run(run)
            assert opened is not None
            opened = replace(opened, route=route or opened.route)
            ages = DoubtAges(clock)
            job = Job(opened, erp, ledger, clock, watch, stop, pace, driven, settle, ages)
            with stopping(stop):
                async with ledger.own(run):
                    with stop.scope:
                        async with anyio.create_task_group() as others:
                            if beside is not None:
                                others.start_soon(beside, job)
                            await push_run(job)
                            others.cancel_scope.cancel()
        pushed = Pushed(self.site, await self.rows(run), watch, stop, erp.logins)
        if check:
            await self.check(settle)
        return pushed

    async def rows(self, run: RunId = FIRST) -> dict[str, Row]:
        """Return all rows of a run by the job file's spelling."""
        return {row.number: row for row in await self.store.rows(run, limit=100_000)}

    async def check(self, settle: SettlePace = SETTLE) -> None:
        """Check that the ledger tells the truth, and that nothing travelled again too early.

        Every push that the ERP saw must be an attempt that was written down before it (rule 1).
        """
        assert await self.findings() == []
        assert await self.hasty(settle.window_s) == []
        attempts = [await self.store.attempt_count(run.id) for run in await self.store.runs()]
        assert self.site.calls[Channel.PUSH] - self.pushes_before <= sum(attempts)

    async def hasty(self, window_s: float) -> list[str]:
        """List numbers that travelled again within the window of an attempt in doubt (rule 6)."""
        found = []
        for run in await self.store.runs():
            for row in await self.store.rows(run.id, limit=100_000):
                kept = await self.store.attempts_of(row.bill) if row.attempts > 1 else ()
                for one, next_one in pairwise(kept):
                    doubtful = one.exchange is None or isinstance(judge(one.exchange), InDoubt)
                    gap = next_one.attempt.intent.began_at - one.attempt.intent.began_at
                    if doubtful and gap < timedelta(seconds=window_s):
                        found.append(f"{row.bill}: sent again after {gap}")
        return found

    async def findings(self) -> list[str]:
        """Compare all rows of the ledger with the ERP's books."""
        self.site.finish()
        told = [
            {
                "number": row.bill or row.number,
                "state": str(row.state),
                "targets": [target.number for target in row.targets if target.number],
                "target_ids": [target.id for target in row.targets],
            }
            for run in await self.store.runs()
            for row in await self.store.rows(run.id, limit=100_000)
        ]
        return audit(told, self.site.world)


async def push(
    numbers: Iterable[str],
    options: SandboxOptions | None = None,
    *,
    route: Route = ROUTE,
    pace: PushPace = PACE,
    steering: Steering | None = None,
    settle: SettlePace = SETTLE,
) -> Pushed:
    """Push numbers in an office of their own."""
    office = Office(options, route)
    await office.open_run(numbers)
    return await office.execute(pace=pace, steering=steering, settle=settle)
