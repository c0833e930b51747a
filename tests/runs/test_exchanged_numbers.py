"""Runs at work on bills that exchange their numbers all the time, by seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import anyio
import pytest

from k3push.core.model import RunId, State, key_of
from k3push.runs.context import SOURCE_KEEPS_S
from k3push.runs.push_limits import PushLimits
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.forms import PURCHASE_ORDER
from tests.runs.office import NOON, Office, Pushed, one_by_one, orders, sandbox, steered, steps
from tests.runs.rough_answers import OPEN
from tests.runs.test_renamed_bills import bill_of, made_of, rename
from tests.shares import shared_out

pytestmark = pytest.mark.anyio

ANSWERS = ("ok", "ok", "make-then-reset", "reset", "commit-late-then-reset:100", "ok")
SPARE = [f"NEW{nth}" for nth in range(3)]
RUNS = [RunId(f"r{nth}") for nth in range(1, 4)]
CALL_S = 1.0


@dataclass
class Exchange:
    """Three runs over six bills, and somebody who gives these other numbers meanwhile."""

    seed: int
    draw: Random = field(init=False)
    links: bool = field(init=False)
    office: Office = field(init=False)
    bills: list[Bill] = field(init=False)
    numbers: list[str] = field(init=False)
    pushed: dict[RunId, Pushed] = field(default_factory=dict)
    renamed: list[tuple[float, int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw what the ERP is like."""
        self.draw = Random(self.seed)  # noqa: S311  # a story, no secret
        faults = steps(*(self.draw.choice(ANSWERS) for _ in range(12)))
        self.links = self.draw.random() < 0.7
        site = sandbox(faults, latency_s=CALL_S, look_s=0.1, link_fields=self.links, **OPEN)
        self.office = Office(site)
        self.numbers = orders(6)
        self.bills = [bill_of(self.office, number) for number in self.numbers]

    def listed(self) -> list[str]:
        """Draw a list, by numbers and ids."""
        drawn = []
        for _ in range(self.draw.randint(2, 6)):
            bill = self.draw.choice(self.bills)
            ways = (bill.number, key_of("", str(bill.id)), self.draw.choice(self.numbers + SPARE))
            drawn.append(str(self.draw.choice(ways)))
        return list(dict.fromkeys(drawn))

    def exchange(self) -> None:
        """Give one bill a number that is free, or two bills each other's."""
        store = self.office.site.world.store
        names = [*self.numbers, *SPARE]
        free = [name for name in names if not store.by_number(PURCHASE_ORDER, name)]
        one, other = self.draw.sample(self.bills, 2)
        if free and self.draw.random() < 0.6:
            self.rename(one, self.draw.choice(free))
            return
        first, second = one.number, other.number
        rename(self.office, one, "TMP")
        self.rename(other, first)
        self.rename(one, second)

    def rename(self, bill: Bill, number: str) -> None:
        """Give a bill a number, and keep when."""
        rename(self.office, bill, number)
        self.renamed.append((anyio.current_time(), bill.id, number))

    async def exchanges(self) -> None:
        """Exchange numbers now and then."""
        for _ in range(self.draw.randint(1, 6)):
            await anyio.sleep(self.draw.uniform(0.5, self.draw.choice([5, 60, 400])))
            self.exchange()

    async def run(self, name: RunId, delay_s: float) -> None:
        """Push a drawn list."""
        await anyio.sleep(delay_s)
        await self.office.open_run(self.listed(), name)
        alone = self.draw.random() < 0.5
        size = self.draw.choice([1, 2, 3])
        self.pushed[name] = await self.office.execute(
            name,
            limits=PushLimits(canary=self.draw.random() < 0.5),
            throttle=one_by_one() if alone else steered(concurrency=2, chunk_size=size),
            check=False,
        )

    async def play(self) -> None:
        """Play all of it."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.exchanges)
            for name in RUNS:
                tasks.start_soon(self.run, name, self.draw.choice([0, 0, 5, 30]))
        self.office.site.finish()

    def changed_hands_on_its_way(self, bill: Bill) -> bool:
        """Say whether a call left for a number that became this bill's since it was looked at.

        A call names numbers, and what they mean as it arrives nobody can know who sends it.
        """
        sent = [
            ((attempt.intent.began_at - NOON).total_seconds(), attempt.intent.numbers)
            for pushed in self.pushed.values()
            for attempt, _, _ in pushed.watch.sendings
        ]
        return any(
            number in numbers and -SOURCE_KEEPS_S < at_s - began_s < CALL_S
            for at_s, id_, number in self.renamed
            if id_ == bill.id
            for began_s, numbers in sent
        )


@pytest.mark.parametrize("seed", shared_out(range(160), 16, of_more=3))
async def test_no_two_rows_name_one_document_and_no_bill_has_two(seed: int) -> None:
    """Whatever is exchanged while calls are in doubt, or while runs wait for one another."""
    exchange = Exchange(seed)
    with anyio.fail_after(5 * 3600):
        await exchange.play()
    if not exchange.links:
        return  # a document tells only the number that its bill had as it was made
    for bill in exchange.bills:
        made = made_of(exchange.office, bill)
        assert len(made) < 2 or exchange.changed_hands_on_its_way(bill), (bill.id, made)
    rows = [row for pushed in exchange.pushed.values() for row in pushed.rows.values()]
    named = [t.id for row in rows if row.state is State.PUSHED for t in row.targets]
    assert len(named) == len(set(named)), rows
    there = {id_ for bill in exchange.bills for id_ in made_of(exchange.office, bill)}
    is_open = any(row.state in {State.SENT, State.UNKNOWN, State.PLANNED} for row in rows)
    assert is_open or there <= {t.id for row in rows for t in row.targets}
