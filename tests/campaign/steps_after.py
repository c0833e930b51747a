"""What stories hold of the steps after a push, and what must be true of them.

Faults of Submit and Audit are `Meets` of their channels. Here is what else may happen to documents:
refusals, flows, people who come in between, sites that work on several in an odd way. The
checks ask the books and the calls as they came, and no rule of k3push.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from k3push.core.model import TWIN, Document, Follow, NoAnswer, Route, Row, RunId, State, Step
from k3push.core.safety.document_steps import of_row
from k3push.ports import Ledger, StepRecord
from k3push.simulator import Channel, Fault, OnRefusal, Refusal, SandboxOptions, World, fault
from k3push.simulator.books.flows import Flow, FlowNode
from k3push.simulator.books.forms import IN_STOCK
from k3push.simulator.books.operations import BulkHabits
from k3push.simulator.books.orders import Approval, Operation
from k3push.simulator.fault_plans.script import Does, Hand
from k3push.simulator.ledger_check.step_check import check_follow

CHANNELS = (Channel.SUBMIT, Channel.AUDIT)


@dataclass(frozen=True, slots=True)
class Follows:
    """The routes ask that what was made is submitted, and approved or not.

    Attributes:
        steps: What they ask for.
        already: Also of documents that were there before.
        wait_s: Seconds before each step.
        again: How often a person asks at the end to look again.
    """

    steps: tuple[Step, ...]
    already: bool = False
    wait_s: float = 0.0
    again: int = 0

    def of(self, route: Route) -> Route:
        """Return a route that asks for it."""
        return replace(
            route, follow=self.steps, follow_already=self.already, follow_wait_s=self.wait_s
        )

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Change nothing of the site."""
        return options

    def __str__(self) -> str:
        """Say so."""
        what = " and ".join(self.steps) + (", also what was there" if self.already else "")
        return f"the routes follow: {what}; {self.wait_s:g} s before each; {self.again} times again"


@dataclass(frozen=True, slots=True)
class RefusesStep:
    """The ERP refuses to submit or to approve the documents of a bill."""

    number: str
    operation: Operation
    refusal: Refusal

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Add the refusal."""
        key = (self.operation, self.number)
        return _with(options, "refused_follow", {key: self.refusal})

    def __str__(self) -> str:
        """Say so."""
        return f"the ERP refuses to {self.operation} what {self.number} made: {self.refusal.text}"


@dataclass(frozen=True, slots=True)
class EntersFlow:
    """Documents of a bill enter an approval flow when they are submitted."""

    number: str
    after_s: float
    decides: Approval

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Add the flow."""
        node = FlowNode("主管审批", "张三", self.after_s, self.decides)
        flow = Flow(IN_STOCK.id, [node], [self.number])
        plan = options.faults
        return replace(options, faults=replace(plan, flows=(*plan.flows, flow)))  # type: ignore[union-attr,type-var]

    def __str__(self) -> str:
        """Say so."""
        then = f"{self.decides.name} after {self.after_s:g} s" if self.after_s else "nobody acts"
        return f"what {self.number} made enters a flow when it is submitted: {then}"


@dataclass(frozen=True, slots=True)
class HasHand:
    """A person does something with the documents of a bill, beside a call that names them."""

    number: str
    hand: Hand

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Add the hand."""
        return _with(options, "hands", {self.number: (self.hand,)})

    def __str__(self) -> str:
        """Say so."""
        hand = self.hand
        when = "after" if hand.after else "before"
        return f"somebody does {hand.does} with what {self.number} made {when} {hand.on} {hand.nth}"


@dataclass(frozen=True, slots=True)
class WorksInBulk:
    """The site works in an odd way on calls that name several documents."""

    habits: BulkHabits

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Let it."""
        return replace(options, bulk=self.habits)

    def __str__(self) -> str:
        """Say so."""
        return f"calls for several documents: {self.habits}"


AfterPush = Follows | RefusesStep | EntersFlow | HasHand | WorksInBulk

REFUSED = (
    Refusal(11, "第1行分录，仓库是必填项"),
    Refusal(11, "单据编号为“{number}”的{form}，更新库存不成功！"),
    # Words that say that all is done, of a document that stands where it stood.
    Refusal(11, "单据已经审核！"),
    Refusal(4, "会话信息已丢失，请重新登录后再提交 {number}"),
)
BULK = (
    BulkHabits(on_refusal=OnRefusal.WHOLE),
    BulkHabits(on_refusal=OnRefusal.SILENT),
    BulkHabits(most=2),
    BulkHabits(most=1, names_all=True),
    BulkHabits(verifies_flows=False),
)
HANDS = tuple(
    Hand(does, on, nth, after)
    for does in Does
    if does is not Does.SAVE
    for on in CHANNELS
    for nth in (1, 2)
    for after in (False, True)
)


def some_of(numbers: Sequence[str], most: int, chance: random.Random) -> list[str]:
    """Draw so many of some numbers, or all."""
    return chance.sample(numbers, min(most, len(numbers)))


def draw(chance: random.Random, numbers: Sequence[str], *, joined: bool) -> list[AfterPush]:
    """Draw that the routes follow, and what is the matter with some documents.

    Args:
        chance: Where it comes from.
        numbers: The bills of the first list.
        joined: Whether another run may meet what the first one follows.
    """
    steps = (Step.SUBMIT, Step.AUDIT) if chance.random() < 0.85 else (Step.SUBMIT,)
    already = chance.random() < 0.15 and not joined
    events: list[AfterPush] = [
        Follows(steps, already, chance.choice([0.0, 0.0, 3.0]), chance.choice([0, 0, 1, 2]))
    ]
    for number in some_of(numbers, chance.choice([0, 0, 1, 2]), chance):
        operation = chance.choice([Operation.SUBMIT, Operation.AUDIT])
        events.append(RefusesStep(number, operation, chance.choice(REFUSED)))
    for number in some_of(numbers, chance.choice([0, 0, 0, 1, 3]), chance):
        after_s = chance.choice([0.0, 30.0, 3000.0])
        decides = chance.choice([Approval.PASS, Approval.PASS, Approval.REJECT])
        events.append(EntersFlow(number, after_s, decides))
    events += [
        HasHand(number, chance.choice(HANDS))
        for number in some_of(numbers, chance.choice([0, 0, 1, 2, 4]), chance)
    ]
    if chance.random() < 0.3:
        events.append(WorksInBulk(chance.choice(BULK)))
    return events


def draw_faults(
    chance: random.Random, names: Sequence[str], slow_s: Sequence[float]
) -> Iterator[tuple[Channel, int, Fault]]:
    """Draw which calls for steps meet which faults: kind, which of them, fault."""
    for channel in CHANNELS:
        for nth in sorted(chance.sample(range(1, 13), chance.choice([0, 0, 1, 3, 5]))):
            met = replace(fault(chance.choice(names)), seconds=chance.choice(slow_s))
            yield channel, nth, met


# -- what must be true ------------------------------------------------------------------------


async def check_steps(
    ledger: Ledger, world: World, rows: Mapping[RunId, Mapping[str, Row]], window_s: float
) -> list[str]:
    """Find rows that tell of documents what did not happen, and calls that came too early."""
    findings: list[str] = []
    for run, each in rows.items():
        documents = {d.id: d for d in await ledger.documents(run, limit=100_000)}
        findings += [
            finding for row in each.values() for finding in _check_row(row, documents, world)
        ]
        for id_ in documents:
            findings += _check_pace(id_, await ledger.steps_of(id_), window_s)
    return findings


def _check_row(row: Row, documents: Mapping[str, Document], world: World) -> Iterator[str]:
    follow, _ = of_row(row.targets, documents)
    ids = {target.id for target in row.targets}
    bills = [m.target for m in world.makings_of(row.bill) if str(m.target.id) in ids]
    yield from check_follow(follow.value, row.number, bills, world.documents)


def _check_pace(id_: str, kept: Sequence[StepRecord], window_s: float) -> Iterator[str]:
    for one, after in pairwise(kept):
        lost = one.exchange is None or isinstance(one.exchange, NoAnswer)
        alike = one.attempt.intent.step is after.attempt.intent.step
        gap_s = after.attempt.intent.uptime.seconds - one.attempt.intent.uptime.seconds
        if lost and alike and gap_s < window_s:
            step = after.attempt.intent.step
            yield f"document {id_}: {step} again {gap_s:g} s after a lost answer"


def owed_of(
    rows: Sequence[Row], documents: Mapping[str, Document], steps: Sequence[Step]
) -> tuple[bool, bool, bool]:
    """Say what documents make of an exit code: some in doubt, some not done, some for a person."""
    told = {document.follow for document in documents.values()}
    if not steps:
        return Follow.UNKNOWN in told, False, False
    done = {Follow.APPROVED} if Step.AUDIT in steps else {Follow.APPROVED, Follow.SUBMITTED}
    person = {Follow.REFUSED, Follow.WAITING}
    unnamed = any(row.state is State.PUSHED and not row.targets for row in rows)
    made = {
        target.id
        for row in rows
        if row.state is State.PUSHED and row.code != TWIN
        for target in row.targets
        if not target.draft
    }
    left = bool(told - done - person - {Follow.UNKNOWN}) or not made <= documents.keys()
    return Follow.UNKNOWN in told, left, unnamed or bool(told & person)


def _with(options: SandboxOptions, what: str, more: Mapping[object, object]) -> SandboxOptions:
    """Add to one of the plan's tables; what stands there stays."""
    table = {**more, **getattr(options.faults, what)}
    return replace(options, faults=replace(options.faults, **{what: table}))  # type: ignore[type-var]
