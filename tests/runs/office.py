"""An office where bills are pushed: one ERP, one ledger, and processes that work on both.

Nothing of k3push is replaced but the network, the disk and the time: every byte goes through
the HTTP adapter to the simulator, and each run ends with a check of the ledger against its books.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import anyio

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint as Address
from k3push.adapters.erp.identities import Identities
from k3push.adapters.erp.query_batching import BatchedQueries
from k3push.adapters.erp.rate_limit import RateLimit
from k3push.core.control_words import Key
from k3push.core.model import (
    Attempt,
    BillNumber,
    Document,
    Listed,
    Outcome,
    Repeat,
    Route,
    Row,
    Run,
    RunId,
    State,
    StepAttempt,
    Uptime,
    id_in,
    number_in,
)
from k3push.core.pacing.holds import Hold
from k3push.core.protocol.logins import LoginCall, password_login
from k3push.core.safety.document_steps import of_row
from k3push.core.safety.verdict import InDoubt, Verdict, judge
from k3push.ports import Clock, Ledger
from k3push.runs.context import Context
from k3push.runs.create import scope_of
from k3push.runs.engine import push_run
from k3push.runs.execute import settle_run
from k3push.runs.proof.doubt_ages import DoubtAges, SettleTimes
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Stop, stopping
from k3push.runs.throttle import Throttle
from k3push.simulator import FaultPlan, SandboxOptions, Site, World, build, check_ledger
from k3push.simulator.books.bills import APPROVED, Bill, Entry, Link, Origin
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.fault_plans.faults import fault
from k3push.simulator.fault_plans.script import Channel, Step
from tests.memory_ledger.ledger import MemoryLedger
from tests.simulator.transport import SandboxTransport

ROUTE = Route(
    "po-instock",
    "PUR_PurchaseOrder",
    "STK_InStock",
    rule="PUR_PurchaseOrder-STK_InStock",
    source_number_field="FSRCBillNo",
)
RECEIPTS = replace(ROUTE, target="PUR_ReceiveBill", rule="PUR_PurchaseOrder-PUR_ReceiveBill")
"""The same bills into another form."""
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LOGIN = password_login("sandbox", "sandbox", "sandbox", 2052)
FIRST = RunId("r1")
SECOND = RunId("r2")

# It was pushed long before any test, and the books do not count it.
OLD_ORDER = "CGDD2019001"
OLD_ID = 90_000

LIMITS = PushLimits()
# The rules' own times, but for fewer looks: virtual time is free, a look is not.
SETTLE = SettleTimes(poll_s=145)
WINDOW_S = SETTLE.window_s
ANSWER_TIMEOUT_S = 300.0
# How long an answer over sockets is waited for, where time is not quite free.
ANSWER_S = 30.0


class VirtualClock:
    """The time of day, as virtual time has it."""

    def now(self) -> datetime:
        """Return noon and what has passed since the test began."""
        return NOON + timedelta(seconds=anyio.current_time())

    def uptime(self) -> Uptime:
        """Return what has passed since the test began, by a machine that names its boot."""
        return Uptime("virtual", anyio.current_time())


def server_time() -> datetime:
    """Return the local time of the server, which is in London."""
    try:
        return VirtualClock().now()
    except RuntimeError:  # no loop runs yet
        return NOON


@dataclass(slots=True)
class Notebook:
    """A watch that writes down what it is told.

    Attributes:
        sendings: Attempt, what became of it, and what was made of its answer.
        moves: Numbers that moved apart from a sending.
        waits: Why, and how long, some work was put off.
        repeats: Lines whose bill another row has.
        holds: What kept chunks from leaving, and None where they left again.
        aside: Users who were set aside, with the ERP's words.
    """

    sendings: list[tuple[Attempt, Sequence[Outcome], Verdict]] = field(default_factory=list)
    moves: list[Outcome] = field(default_factory=list)
    waits: list[tuple[str, float]] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    holds: list[Hold | None] = field(default_factory=list)
    aside: list[tuple[str, str]] = field(default_factory=list)

    def concluded(
        self,
        outcomes: Sequence[Outcome],
        *,
        left: State,  # noqa: ARG002  # a bar tells of it
    ) -> None:
        """Note moves."""
        self.moves += outcomes

    def repeated(self, repeats: Sequence[Repeat]) -> None:
        """Note lines that list the bill of another row."""
        self.repeats += repeats

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Note a sending, which tells of each of its numbers once."""
        assert [outcome.number for outcome in outcomes] == list(attempt.intent.numbers)
        assert seconds >= 0
        self.sendings.append((attempt, outcomes, verdict))

    def stepped(
        self,
        attempt: StepAttempt,
        documents: Sequence[Document],
        verdict: Verdict,
        seconds: float,
    ) -> None:
        """Note nothing of a call for a step, which tells of each of its documents once."""
        del verdict
        assert [document.id for document in documents] == list(attempt.intent.ids)
        assert seconds >= 0

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


def steered(*, concurrency: int | None = None, chunk_size: int | None = None) -> Throttle:
    """Return what an execution is driven with; None is auto."""
    return Throttle(VirtualClock(), concurrency=concurrency, chunk_size=chunk_size)


def one_by_one() -> Throttle:
    """Return what sends one bill in each call, and one call at a time."""
    return steered(concurrency=1, chunk_size=1)


def sandbox(faults: FaultPlan | None = None, **options: object) -> SandboxOptions:
    """Return the options of a small sandbox."""
    base = SandboxOptions(orders=60, faults=faults or FaultPlan())
    return replace(base, **options)  # type: ignore[arg-type]  # names of its own fields


def name_of(login: LoginCall) -> str:
    """Return the user of a login."""
    return str(dict(login.arguments)["username"])


def several(
    logins: Mapping[str, LoginCall], user: Callable[[LoginCall], ErpClient], watch: Notebook
) -> ErpClient | Identities:
    """Make one user or several of an ERP."""
    users = {name: user(login) for name, login in logins.items()}
    if len(users) == 1:
        return next(iter(users.values()))
    return Identities(users, refused={}, set_aside=lambda *told: watch.aside.append(told))


class Office:
    """One ERP and one ledger.

    Args:
        options: What the ERP is like.
        route: How bills are pushed.
        site: An ERP that is there already, instead of one with *options*.
        ledger: A ledger that is there already.
        documents: Whether the ERP holds a document of the target form from the beginning, as any
            site in use does: it proves that the source-number field finds what is there.
        served_at: Where the ERP is served on a socket; else requests go to it in memory.
        answer_timeout_s: How long an answer is waited for in memory.
        account: Whose runs they are in the ledger.
    """

    def __init__(
        self,
        options: SandboxOptions | None = None,
        route: Route = ROUTE,
        *,
        site: Site | None = None,
        ledger: MemoryLedger | None = None,
        documents: bool = True,
        served_at: str = "",
        answer_timeout_s: float = ANSWER_TIMEOUT_S,
        account: str = "sandbox",
    ) -> None:
        self.site = site or build(options or sandbox(), clock=server_time)
        if site is None and documents:
            add_old_document(self.site.world)
        self.pushes_before = self.site.calls[Channel.PUSH]
        self.store = (ledger or MemoryLedger(account="sandbox")).another_process()
        self.route = route
        self._served_at = served_at
        self._answer_timeout_s = answer_timeout_s
        self._account = account

    def run(self, run: RunId, *, again_because: str = "") -> Run:
        """Return a run that is not in the ledger yet."""
        scope = scope_of(self._account, self.route)
        at = VirtualClock().now()
        return Run(run, scope, self.route, ("a.csv",), "results", at, again_because=again_because)

    async def open_run(
        self, numbers: Iterable[str], run: RunId = FIRST, *, again_because: str = ""
    ) -> None:
        """Write down a run."""
        await self.store.open_run(self.run(run, again_because=again_because))
        listed = [
            Listed(line, number_in(BillNumber(n)), id=id_in(BillNumber(n)))
            for line, n in enumerate(numbers, start=1)
        ]
        await self.store.add(run, listed)
        await self.store.close_list(run)

    def erp(
        self,
        logins: Mapping[str, LoginCall],
        *,
        watch: Notebook | None = None,
        turns: RateLimit | None = None,
        transport: Callable[[Site], SandboxTransport] = SandboxTransport,
    ) -> ErpClient | Identities:
        """Return the ERP as its users reach it, not entered yet."""

        def user(login: LoginCall) -> ErpClient:
            name = name_of(login)
            if self._served_at:
                address = Address(
                    self._served_at, lambda _: login, answer_timeout_s=ANSWER_S, user=name
                )
                return ErpClient(address, turns=turns)
            address = Address(
                "http://sandbox/K3Cloud/",
                lambda _: login,
                user=name,
                answer_timeout_s=self._answer_timeout_s,
            )
            return ErpClient(address, turns=turns, transport=lambda: transport(self.site))

        return several(logins, user, watch or Notebook())

    async def execute(
        self,
        run: RunId = FIRST,
        *,
        limits: PushLimits = LIMITS,
        throttle: Throttle | None = None,
        settle: SettleTimes = SETTLE,
        stop: Stop | None = None,
        watch: Notebook | None = None,
        ledger: Ledger | None = None,
        login: LoginCall = LOGIN,
        more_users: Mapping[str, LoginCall] | None = None,
        transport: Callable[[Site], SandboxTransport] = SandboxTransport,
        clock: Clock | None = None,
        route: Route | None = None,
        again_because: str = "",
        beside: Callable[[Context], Coroutine[None, None, None]] | None = None,
        work: Callable[[Context], Coroutine[None, None, None]] = push_run,
        check: bool = True,
    ) -> Pushed:
        """Execute a run as a process of its own would, and compare the ledger with the books.

        Without a *throttle* 4 chunks of 20 numbers are sent at once. *route* is what the
        settings have made of the run's own meanwhile, and *again_because* what the command says
        beside `--again`. *work* is what is executed.
        *beside* goes on until its end. The
        comparison is left out where *check* says so: where a process dies, or another is still
        at work.
        """
        ledger = ledger or self.store.another_process()
        watch, stop, clock = watch or Notebook(), stop or Stop(), clock or VirtualClock()
        driven = throttle or steered(concurrency=4, chunk_size=20)
        turns = RateLimit(lambda: driven[Key.CALLS_PER_MINUTE])
        logins = {name_of(login): login, **(more_users or {})}
        async with self.erp(logins, watch=watch, turns=turns, transport=transport) as erp:
            opened = await self.store.run(run)
            assert opened is not None
            because = again_because or opened.again_because
            opened = replace(opened, route=route or opened.route, again_because=because)
            ages = DoubtAges(clock)
            looks = BatchedQueries(erp, lambda: driven.questions_at_once)
            job = Context(opened, looks, ledger, clock, watch, stop, limits, driven, settle, ages)
            with stopping(stop):
                async with ledger.own(run):
                    with stop.scope:
                        async with anyio.create_task_group() as others:
                            if beside is not None:
                                others.start_soon(beside, job)
                            await work(job)
                            others.cancel_scope.cancel()
        pushed = Pushed(self.site, await self.rows(run), watch, stop, erp.logins)
        if check:
            await self.check(settle)
        return pushed

    async def rows(self, run: RunId = FIRST) -> dict[str, Row]:
        """Return all rows of a run by what the job file calls them."""
        return {row.listed: row for row in await self.store.rows(run, limit=100_000)}

    async def check(self, settle: SettleTimes = SETTLE) -> None:
        """Check that the ledger tells the truth, and that nothing travelled again too early.

        Every push that the ERP saw must be an attempt that was written down before it (rule 1).
        """
        found = await self.findings()
        assert found == [], found
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
        runs = await self.store.runs()
        told = [each for run in runs for each in await self._told_by(run)]
        follows_already = any(run.route.follow_already for run in runs)
        return check_ledger(told, self.site.world, follows_already=follows_already)

    async def _told_by(self, run: Run) -> list[dict[str, object]]:
        """Return what the rows of a run tell, of following too where its route asks for it."""
        rows = await self.store.rows(run.id, limit=100_000)
        documents = await self.documents(run.id)
        told: list[dict[str, object]] = []
        for row in rows:
            told.append(
                {
                    "number": number_in(row.key),
                    "id": row.shown_id,
                    "state": str(row.state),
                    "code": row.code,
                    "targets": [target.number for target in row.targets if target.number],
                    "target_ids": [target.id for target in row.targets],
                }
            )
            if run.route.follow:
                told[-1]["follow"] = str(of_row(row.targets, documents)[0])
        return told

    async def documents(self, run: RunId = FIRST) -> dict[str, Document]:
        """Return the documents that a run follows, by id."""
        found = await self.store.documents(run, limit=100_000)
        return {document.id: document for document in found}


def give_to_another(world: World, number: str, other: str) -> Bill:
    """Let the document of a bill be another's, as after a restore that gave its id out again."""
    (bill,) = world.store.by_number(PURCHASE_ORDER, other)
    (document,) = world.documents_of(number)
    world.store.remove(document)
    for line in document.entries:
        assert line.origin is not None
        line.origin = line.origin._replace(number=bill.number)
        line.links = tuple(each._replace(bill_id=bill.id) for each in line.links)
    world.store.add(document)
    return document


def add_old_document(world: World) -> None:
    """Put a document into the books that was made before anybody counted."""
    link = Link(ROUTE.rule, PURCHASE_ORDER.entry_table, OLD_ID, OLD_ID, 1)
    origin = Origin(PURCHASE_ORDER.id, OLD_ORDER)
    old = Entry(OLD_ID, 1, "M0001", 1, 0)
    made = Entry(OLD_ID + 1, 1, "M0001", 1, 1, links=(link,), origin=origin)
    for form, number, entry in (
        (PURCHASE_ORDER, OLD_ORDER, old),
        (IN_STOCK, "CGRK2019001", made),
    ):
        world.store.add(
            Bill(
                form=form,
                id=entry.id,
                number=number,
                org="100",
                party="P001",
                status=APPROVED,
                created="2019-05-17T08:00:00",
                creator="somebody",
                entries=[entry],
            )
        )


async def only_settle(job: Context) -> None:
    """Settle as the command of that name does."""
    await settle_run(job, lambda _left, _window_s: None)


async def push(
    numbers: Iterable[str],
    options: SandboxOptions | None = None,
    *,
    route: Route = ROUTE,
    limits: PushLimits = LIMITS,
    throttle: Throttle | None = None,
    settle: SettleTimes = SETTLE,
) -> Pushed:
    """Push numbers in an office of their own."""
    office = Office(options, route)
    await office.open_run(numbers)
    return await office.execute(limits=limits, throttle=throttle, settle=settle)
