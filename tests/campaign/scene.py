"""The world of a story before anything happens in it: an ERP with bills, a ledger, two lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from k3push.core.model import BillNumber, Route, Row, RunId, State, key_of, number_in
from k3push.core.safety.conclusion import CONTRADICTION
from k3push.ports import AttemptRecord
from k3push.runs.context import SOURCE_KEEPS_S
from k3push.runs.outcome import followed_of
from k3push.runs.stop import Cause
from k3push.simulator import (
    Aimed,
    Channel,
    FaultPlan,
    Maker,
    PushOrder,
    SandboxOptions,
    Site,
    Step,
    World,
    build,
    fault,
)
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER, SALE_ORDER
from k3push.simulator.books.history import Making
from k3push.simulator.fault_plans.faults import NO_FAULT
from tests.campaign.conditions import AlsoPushes, Condition, CopiesMakers, CutsPages
from tests.campaign.drawing import DENSE, QUEUED
from tests.campaign.events import (
    LONGER,
    TWIN,
    AsksField,
    Bears,
    Drops,
    Exchanges,
    IsNew,
    IsRenumbered,
    Joins,
    Lacks,
    ListsIds,
    Meets,
    Names,
    Refuses,
    Stands,
    WasMade,
    Way,
)
from tests.campaign.queueing import PushQueue, Queues
from tests.campaign.settings import Sets, Times
from tests.campaign.steps_after import AfterPush, Follows
from tests.campaign.story import Story
from tests.campaign.witness import MOST_OF_DENSE, Witness
from tests.runs.mortals import Fate, MortalLedger
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    Office,
    Pushed,
    VirtualClock,
    add_old_document,
    orders,
)
from tests.simulator.second_rule import with_second_rule

# A person speaks of a bill so often; what throws each time is in doubt each time.
MOST_WORDS = 3

# Who has made the bills, where that matters.
CLERKS = ("li", "wang", "zhao")


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a run that lived to tell.

    Attributes:
        began_s: When it began, in virtual time.
        ended_s: When it ended.
        taken_over: Another process executes the run by then, and may have a call open.
    """

    run: RunId
    began_s: float
    ended_s: float
    pushed: Pushed
    taken_over: bool = False

    @property
    def causes(self) -> Collection[Cause]:
        """Why it stopped before its end."""
        return self.pushed.stop.causes.keys()


@dataclass(slots=True)
class Scene:
    """Where a story is played.

    Attributes:
        lists: The numbers of each run, as its job file spells them.
        routes: By which route each pushes.
        times: How long things are waited for.
        by_hand: Pushes that somebody made before the story begins.
        spoken_of: How often a person spoke of a bill that was in doubt.
        executions: Those that have lived to tell, in the order of their ends.
    """

    story: Story
    lists: Mapping[RunId, list[str]]
    ledger: MortalLedger
    office: Office
    witness: Witness
    routes: Mapping[RunId, Route]
    times: Times
    by_hand: int = 0
    spoken_of: Counter[str] = field(default_factory=Counter)
    _lines: dict[RunId, list[BillNumber]] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)

    @property
    def site(self) -> Site:
        """The ERP."""
        return self.office.site

    @property
    def world(self) -> World:
        """The ERP's books."""
        return self.site.world

    @property
    def attempts(self) -> list[AttemptRecord]:
        """The attempts of its runs, the oldest first."""
        return [each for each in self.ledger.attempts if each.attempt.intent.run in self.lists]

    def mend_field(self) -> None:
        """Let the routes that ask for a source's number ask the field that holds it."""

        def mended(route: Route) -> Route:
            asks = bool(route.source_number_field)
            field = ROUTE.source_number_field if asks else ""
            return replace(route, source_number_field=field)

        self.routes = {run: mended(route) for run, route in self.routes.items()}
        self.office.route = mended(self.office.route)

    @property
    def repeats(self) -> bool:
        """Whether each of several runs may push a bill."""
        return len(self.lists) > 1 and (self.story.frame.partial or self.story.frame.again)

    def run_of(self, making: Making) -> RunId | None:
        """Return whose call has made something; None where no run's has."""
        seen = self.witness.push_of(making)
        runs = {kept.attempt.id: kept.attempt.intent.run for kept in self.attempts}
        return runs.get(seen.attempt) if seen else None

    def made_from(self, number: str) -> bool:
        """Say whether k3push has made something from a number."""
        return any(making.push > self.by_hand for making in self._ours(number))

    def made_by_others(self, number: str) -> bool:
        """Say whether somebody else has made something from a number, at any time."""
        return bool(self._others(number))

    def savers(self, number: str) -> set[Maker]:
        """Return who has made the living documents of a number; nobody if one is a draft."""
        living = [
            m
            for m in self.world.makings_of(number_in(BillNumber(number)))
            if not m.target.cancelled
        ]
        drafts = any(not making.target.number for making in living)
        return set() if drafts else {making.maker for making in living}

    def pushes_of(self, number: str) -> frozenset[int]:
        """Return the pushes of k3push that have made something of a number."""
        return frozenset(making.push for making in self._ours(number) if making.push > self.by_hand)

    def hidden(self, number: str) -> list[Bill]:
        """Return what others have made from a number and may stay hidden from all who look."""
        away = self.witness.turned_away if len(self.story.users) > 1 else ()
        others = [making.target for making in self._others(number)]
        return [target for target in others if self.story.hides(target.creator, away)]

    def documents_of(self, number: str) -> list[Bill]:
        """Give the living documents of a number: what k3push has made, else what was there."""
        ours = [making for making in self._ours(number) if making.push > self.by_hand]
        makings = ours or self.world.makings_of(number_in(BillNumber(number)))
        return [making.target for making in makings if not making.target.cancelled]

    def _ours(self, number: str) -> list[Making]:
        makings = self.world.makings_of(number_in(BillNumber(number)))
        return [making for making in makings if making.maker is Maker.CLIENT]

    def _others(self, number: str) -> list[Making]:
        return [
            making
            for making in self.world.makings_of(number_in(BillNumber(number)))
            if making.maker is not Maker.CLIENT or making.push <= self.by_hand
        ]

    def changed_hands(self, event: Exchanges) -> bool:
        """Say whether a call left for a number whose bill was looked at before it was another's.

        A call names numbers, and what they mean as it arrives nobody can know who sends it.
        """
        numbers = {event.one, event.other}
        usual_s = self.story.usual_call_s
        return any(
            -SOURCE_KEEPS_S <= event.at_s - seen.at_s <= seen.takes_s + usual_s
            for seen in self.witness.pushes
            if numbers.intersection(seen.numbers)
        )

    def is_worth_a_word(self, number: str) -> bool:
        """Say whether a person still hopes to settle a number."""
        return self.spoken_of[number] < MOST_WORDS

    def lines(self, run: RunId) -> list[BillNumber]:
        """Return what the lines of a list call their bills, some by number and id."""
        if run not in self._lines:
            self._lines[run] = self._read_lines(run)
        return self._lines[run]

    def _read_lines(self, run: RunId) -> list[BillNumber]:
        place = list(self.lists).index(run) + 1
        every = next((e.every for e in self.story.all_of(ListsIds) if e.run == place), 0)
        lines = []
        for nth, number in enumerate(self.lists[run], start=1):
            bills = self.world.store.by_number(PURCHASE_ORDER, number)
            by_id = every and nth % every == 0 and len(bills) == 1
            lines.append(key_of(number, str(bills[0].id) if by_id else ""))
        return lines

    @property
    def first(self) -> RunId:
        """The run of the first list."""
        return next(iter(self.lists))

    async def is_written(self, run: RunId) -> bool:
        """Say whether a run is in the ledger with its whole list."""
        opened = await self.office.store.run(run)
        return opened is not None and opened.whole

    async def is_left_to_follow(self, run: RunId) -> bool:
        """Say whether documents of a run have not come to an end, as far as that is ours."""
        opened = await self.office.store.run(run)
        assert opened is not None
        followed = await followed_of(self.office.store, opened)
        return bool(followed.left or followed.unknown)

    async def rows_left(self, run: RunId, final: Collection[State]) -> dict[str, Row]:
        """Return the rows of a run that are neither final nor given up.

        A bill that no look can settle, nor a person by many words, stays `unknown`, and in
        the other run `planned`, which may call it by another number.
        """
        first = {event.to: event.number for event in self.story.all_of(IsRenumbered)}

        def one(row: Row) -> str:
            number = number_in(row.bill)
            return first.get(number, number)

        given_up = {
            one(row)
            for each in self.lists
            if await self.is_written(each)
            for row in (await self.office.rows(each)).values()
            if row.state is State.UNKNOWN and not self.is_worth_a_word(row.bill)
        }
        rows = await self.office.rows(run)
        # Nothing leaves before a contradiction is settled that a person has given up.
        stands = any(
            row.code == CONTRADICTION and one(row) in given_up
            for row in rows.values()
            if row.state is State.UNKNOWN
        )
        return {
            number: row
            for number, row in rows.items()
            if row.state not in final
            and not (one(row) in given_up and row.state in {State.UNKNOWN, State.PLANNED})
            and not (stands and row.state is State.PLANNED)
            # A bill that another one has changed numbers with waits for it.
            and not (given_up and row.reason.startswith("note.held_by_namesake"))
        }


def set_up(
    story: Story,
    runs: tuple[RunId, RunId] = (FIRST, SECOND),
    ledger: MortalLedger | None = None,
    account: str = "sandbox",
) -> Scene:
    """Build the world of a story.

    Args:
        story: What it is like.
        runs: Names of the first run and of a second one.
        ledger: One that is there, opened for the account.
        account: Whose runs they are.
    """
    lists = _lists(story, *runs)
    frame = story.frame
    route = replace(
        ROUTE,
        source_number_field=ROUTE.source_number_field if frame.linked else "",
        draft_when_save_fails=frame.drafts,
        allow_partial=frame.partial,
        send_blocked=frame.sends_blocked,
    )
    plan = _plan(story)
    for event in story.happenings:
        if isinstance(event, AsksField) and route.source_number_field:
            route = replace(route, source_number_field=event.name)
    for asked in story.all_of(Follows):
        route = asked.of(route)
    ledger = ledger or MortalLedger(Fate(), account=account)
    options = _options(story, plan)
    times = next((event.times for event in story.all_of(Sets)), Times())
    site = build(options, clock=lambda: VirtualClock().now() + story.away)
    site.desk.unloaded = frozenset(event.field.lower() for event in story.all_of(Lacks))
    world = site.world
    if not story.has(IsNew):
        add_old_document(world)
    office = Office(
        route=route,
        site=site,
        ledger=ledger,
        answer_timeout_s=times.answer_timeout_s,
        account=account,
    )
    assert isinstance(options.faults, FaultPlan)
    witness = Witness(
        options.faults,
        world.collation,
        lambda: [each for each in ledger.attempts if each.attempt.intent.run in lists],
        {event.to: event.number for event in story.all_of(IsRenumbered)}
        | {event.other: event.one for event in story.all_of(Exchanges)},
        story.deleted,
    )
    office.site.faults = witness
    named = {number for numbers in lists.values() for number in numbers}
    _stock(world, story, named)
    if story.has(CopiesMakers):
        _sign(world, sorted(named))
    for event in story.all_of(Queues):
        witness.queue = PushQueue(event, times.longest_call_s)
    if DENSE <= story.frame.seed < QUEUED:
        witness.most_sendings = MOST_OF_DENSE
    witness.most_requests *= _share_of_requests(story)
    routes = {run: route if run == runs[0] else _by_way(route, story) for run in lists}
    return Scene(story, lists, ledger, office, witness, routes, times, by_hand=world.pushes)


def _share_of_requests(story: Story) -> int:
    """Return how many times as many requests as others a story may take."""
    share = 1
    for event in story.all_of(Queues):
        share *= 1 if event.fits else 4
    if story.cuts_pages:
        share *= 12 if any(event.rows == 1 for event in story.all_of(CutsPages)) else 4
    if story.has(Follows):
        share *= 2
    if story.has(AlsoPushes):  # each user is asked
        share *= 2
    return share


def _by_way(route: Route, story: Story) -> Route:
    """Give the route of a second run."""
    match next((event.way for event in story.all_of(Joins)), Way.SAME):
        case Way.LOWER:
            return replace(route, source=route.source.lower(), target=route.target.lower())
        case Way.DEFAULT:
            return replace(route, rule="")
        case Way.OTHER:
            return replace(route, rule=f"ZMER_{route.rule}")
        case Way.UNASKED:
            return replace(route, source_number_field="")
    return route


def _lists(story: Story, first: RunId, second: RunId) -> dict[RunId, list[str]]:
    lists = {first: orders(story.frame.bills)}
    for event in story.happenings:
        if isinstance(event, Names):
            lists[first].insert(event.place, event.number)
        if isinstance(event, Joins):
            to = {each.number: each.to for each in story.all_of(IsRenumbered) if each.listed}
            numbers = orders(event.count, event.first_bill)
            lists[second] = [to.get(number, number) for number in numbers]
    return lists


def _options(story: Story, plan: FaultPlan) -> SandboxOptions:
    frame = story.frame
    joined = [event.first_bill + event.count for event in story.all_of(Joins)]
    options = SandboxOptions(
        orders=max(frame.bills, *joined, 0),
        blocked=2,
        seed=frame.seed,
        latency_s=frame.latency_s,
        policy=frame.policy,
        faults=plan,
        on_refusal=frame.on_refusal,
        exact_numbers=frame.exact,
        allow_blocked=frame.takes_blocked,
        # Where nobody can ask, a short answer is all that anybody knows of several documents.
        style=replace(frame.style, short=frame.style.short and not story.is_unasked),
    )
    for event in story.happenings:
        if isinstance(event, Joins) and event.way is Way.OTHER:
            options = replace(options, routes=with_second_rule())
        if isinstance(event, Condition | AfterPush):
            options = event.on(options)
    return options


def _plan(story: Story) -> FaultPlan:
    """Fill the gaps between faults with good requests, so that none moves another."""
    events = story.happenings
    met = {(e.channel, e.nth): e.fault for e in reversed(events) if isinstance(e, Meets)}
    steps = [
        Step(met.get((channel, nth), NO_FAULT), channel)
        for channel in Channel
        for nth in range(1, 1 + max((nth for kind, nth in met if kind is channel), default=0))
    ]
    drop = Aimed(fault("drop-one"), once=False)
    aimed = {event.number: drop for event in events if isinstance(event, Drops)}
    return FaultPlan(tuple(steps), aimed, session_calls=story.frame.session_calls)


def _stock(world: World, story: Story, named: Collection[str]) -> None:
    """Add the bills that the sandbox does not have, then what was done to bills before."""
    for number in sorted(named):
        if number == TWIN or any(number[: -len(tail)] in named for tail in LONGER):
            world.add_source(PURCHASE_ORDER, number)
        if number == TWIN:
            world.add_source(PURCHASE_ORDER, number, org="200")
    for event in story.happenings:
        if isinstance(event, Refuses) and event.number in named:
            world.refuse(event.number, event.refusal)
    for event in story.happenings:
        all_ask = not any(e.way is Way.UNASKED for e in story.happenings if isinstance(e, Joins))
        if isinstance(event, WasMade) and event.number in named:
            _push_by_hand(world, event, hidden=story.hides(event.user) or not all_ask)
        if isinstance(event, Bears) and event.number in named:
            world.add_target(
                IN_STOCK,
                event.number,
                source_form=SALE_ORDER if event.what is Stands.FOREIGN else None,
                typed=event.what is Stands.TYPED,
                cancelled=event.what is Stands.CANCELLED,
            )


def _sign(world: World, numbers: Sequence[str]) -> None:
    """Let several clerks have made the bills."""
    for nth, number in enumerate(numbers):
        for bill in world.store.by_number(PURCHASE_ORDER, number):
            bill.creator = CLERKS[nth % len(CLERKS)]


def _push_by_hand(world: World, event: WasMade, *, hidden: bool) -> None:
    """Push a bill; what nobody may see is not ours to find."""
    (bill,) = world.store.by_number(PURCHASE_ORDER, event.number)
    world.push(
        PushOrder(
            PURCHASE_ORDER.id,
            () if event.one_entry else (event.number,),
            entry_ids=(bill.entries[0].id,) if event.one_entry else (),
            rule_id=ROUTE.rule,
            draft_when_save_fails=True,
        ),
        user=event.user,
        maker=Maker.PERSON if hidden else Maker.CLIENT,
    )
