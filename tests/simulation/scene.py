"""The world of a story before anything happens in it: an ERP with bills, a ledger, two lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from k3push.core.model import Row, RunId, State
from k3push.simulator import (
    Aimed,
    Channel,
    FaultPlan,
    PushOrder,
    SandboxOptions,
    Site,
    Step,
    World,
    fault,
)
from k3push.simulator.faults import NO_FAULT
from k3push.simulator.forms import PURCHASE_ORDER
from tests.pushing.mortals import Fate, MortalLedger
from tests.pushing.office import FIRST, ROUTE, SECOND, Office, orders
from tests.simulation.story import (
    LONGER,
    TWIN,
    Drops,
    Joins,
    Meets,
    Names,
    Refuses,
    Story,
    WasMade,
)
from tests.simulation.witness import Witness

# A person speaks of a bill so often; what throws each time is in doubt each time.
MOST_WORDS = 3


@dataclass(slots=True)
class Scene:
    """Where a story is played.

    Attributes:
        lists: The numbers of each run, as its job file spells them.
        by_hand: Pushes that somebody made before the story begins.
        spoken_of: How often a person spoke of a bill that was in doubt.
    """

    story: Story
    lists: Mapping[RunId, list[str]]
    ledger: MortalLedger
    office: Office
    witness: Witness
    by_hand: int = 0
    spoken_of: Counter[str] = field(default_factory=Counter)

    @property
    def site(self) -> Site:
        """The ERP."""
        return self.office.site

    @property
    def world(self) -> World:
        """The ERP's books."""
        return self.site.world

    def made_from(self, number: str) -> bool:
        """Say whether k3push has made something from a number."""
        return any(making.push > self.by_hand for making in self.world.makings_of(number))

    def made_before(self, number: str) -> bool:
        """Say whether somebody had made something from a number by hand."""
        return any(making.push <= self.by_hand for making in self.world.makings_of(number))

    def is_worth_a_word(self, number: str) -> bool:
        """Say whether a person still hopes to settle a number."""
        return self.spoken_of[number] < MOST_WORDS

    async def rows_left(self, run: RunId, final: Collection[State]) -> dict[str, Row]:
        """Return the rows of a run that are neither final nor given up.

        A bill that no look can settle, nor a person by many words, stays `unknown`, and in
        the other run `planned`.
        """
        given_up = {
            row.bill
            for each in self.lists
            for row in (await self.office.rows(each)).values()
            if row.state is State.UNKNOWN and not self.is_worth_a_word(row.bill)
        }
        return {
            number: row
            for number, row in (await self.office.rows(run)).items()
            if row.state not in final
            and not (row.bill in given_up and row.state in {State.UNKNOWN, State.PLANNED})
        }


def set_up(story: Story) -> Scene:
    """Build the world of a story."""
    lists = _lists(story)
    frame = story.frame
    route = replace(
        ROUTE,
        source_number_field=ROUTE.source_number_field if frame.linked else "",
        draft_when_save_fails=frame.drafts,
        allow_partial=frame.partial,
        send_blocked=frame.sends_blocked,
    )
    plan = _plan(story)
    ledger = MortalLedger(Fate())
    office = Office(_options(story, lists, plan), route, ledger=ledger)
    world = office.site.world
    witness = Witness(plan, world.collation, lambda: ledger.attempts)
    office.site.faults = witness
    _stock(world, story, {number for numbers in lists.values() for number in numbers})
    return Scene(story, lists, ledger, office, witness, by_hand=world.pushes)


def _lists(story: Story) -> dict[RunId, list[str]]:
    first = orders(story.frame.bills)
    lists = {FIRST: first}
    for event in story.happenings:
        if isinstance(event, Names):
            first.insert(event.place, event.number)
        if isinstance(event, Joins):
            lists[SECOND] = orders(event.count, event.first_bill)
    return lists


def _options(story: Story, lists: Mapping[RunId, list[str]], plan: FaultPlan) -> SandboxOptions:
    frame = story.frame
    last = max(lists.get(SECOND, [""])[-1], orders(frame.bills)[-1])
    return SandboxOptions(
        orders=orders(100).index(last) + 1,
        blocked=2,
        seed=frame.seed,
        latency_s=frame.latency_s,
        policy=frame.policy,
        faults=plan,
        on_refusal=frame.on_refusal,
        exact_numbers=frame.exact,
        allow_blocked=frame.takes_blocked,
        style=frame.style,
    )


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
        if isinstance(event, WasMade) and event.number in named:
            _push_by_hand(world, event)


def _push_by_hand(world: World, event: WasMade) -> None:
    (bill,) = world.store.by_number(PURCHASE_ORDER, event.number)
    world.push(
        PushOrder(
            PURCHASE_ORDER.id,
            () if event.one_entry else (event.number,),
            entry_ids=(bill.entries[0].id,) if event.one_entry else (),
            rule_id=ROUTE.rule,
            draft_when_save_fails=True,
        )
    )
