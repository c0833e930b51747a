"""The faults of `tests/faults.toml`, each played against the simulator."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

from k3push.core.model import State
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import (
    FAULT_NAMES,
    AnswerStyle,
    Channel,
    FaultPlan,
    OnRefusal,
    QueryLimits,
    Refusal,
    SandboxOptions,
    Step,
    Texts,
    fault,
)
from k3push.simulator.books.forms import PURCHASE_ORDER
from tests.runs.office import ROUTE, Notebook, Office, orders, sandbox, steered
from tests.shares import shared_out

pytestmark = pytest.mark.anyio

TABLE = Path(__file__).parents[1] / "faults.toml"

# One call holds all numbers, so that a script says which call meets what.
NO_CANARY = PushLimits(canary=False)


class Row(BaseModel):
    """One row; the head of the table says what its keys mean."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    script: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    numbers: int | tuple[str, ...] = 1
    refusal: Refusal | None = None
    on_refusal: OnRefusal = OnRefusal.PARTIAL
    session_calls: int = 0
    style: AnswerStyle = AnswerStyle()
    texts: Texts = Texts()
    limits: QueryLimits = QueryLimits()
    entries: int = 1
    route: dict[str, str | bool] = {}  # pydantic copies it
    links: bool = True
    documents_before: bool = True
    stops: Cause | None = None
    outcome: State | dict[State, int] | None = None
    sendings: int
    after_settling: State
    documents: int

    @property
    def wanted(self) -> list[str]:
        """The numbers that are to be pushed."""
        return orders(self.numbers) if isinstance(self.numbers, int) else list(self.numbers)

    def scripts(self) -> Iterator[tuple[Step, ...]]:
        """Give the script, once for each of the faults that are alike."""
        for name in self.alike or ("",):
            texts = [text.replace("*", name) for text in self.script or (self.alike and ("*",))]
            yield tuple(map(_step, texts))

    def erp(self, script: tuple[Step, ...]) -> SandboxOptions:
        """Give the ERP in which the script is played."""
        refusals = {self.wanted[-1]: self.refusal} if self.refusal else {}
        return sandbox(
            FaultPlan(steps=script, refusals=refusals, session_calls=self.session_calls),
            on_refusal=self.on_refusal,
            style=self.style,
            texts=self.texts,
            limits=self.limits,
            link_fields=self.links,
        )


def _step(text: str) -> Step:
    kind, _, name = text.rpartition(": ")
    return Step(fault(name), Channel(kind or "push"))


ROWS = TypeAdapter(list[Row]).validate_python(tomllib.loads(TABLE.read_text("utf-8"))["fault"])
PLAYS = [(row, script) for row in ROWS for script in row.scripts()]


def named(value: Row | tuple[Step, ...]) -> str:
    """Name a play by its row and its faults."""
    return value.name if isinstance(value, Row) else " ".join(step.fault.name for step in value)


@pytest.mark.parametrize(("row", "script"), shared_out(PLAYS, 4, of_more=1), ids=named)
async def test_a_fault_comes_to_what_the_table_says(row: Row, script: tuple[Step, ...]) -> None:
    """Whatever goes wrong, no number gets two documents and each row of the ledger is true."""
    route = replace(ROUTE, **row.route)  # type: ignore[arg-type]  # its own fields
    office = Office(row.erp(script), route, documents=row.documents_before)
    world, numbers = office.site.world, row.wanted
    for number in numbers:
        if not number.startswith("CGDD"):
            world.add_source(PURCHASE_ORDER, number, quantities=[1] * row.entries)
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=20))
    assert set(pushed.stop.causes) == ({row.stops} if row.stops else set())
    assert _first_outcomes(pushed.watch) == _counted(row, numbers)
    if row.stops:
        pushed = await office.execute(
            limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=20)
        )
    assert office.site.faults.unused() == ()
    hit = numbers[-1]
    assert (pushed.rows[hit].attempts, pushed.rows[hit].state) == (row.sendings, row.after_settling)
    assert len(world.documents_of(hit)) == row.documents
    assert {pushed.rows[number].state for number in numbers[:-1]} <= {State.PUSHED}
    assert max(len(world.documents_of(number)) for number in numbers) <= 1


def _first_outcomes(watch: Notebook) -> Counter[State]:
    """Count what the first push came to."""
    return Counter(outcome.state for _, outcomes, _ in watch.sendings[:1] for outcome in outcomes)


def _counted(row: Row, numbers: list[str]) -> Counter[State]:
    """Count what the row expects of the first push; a number that never travels is not in it."""
    if isinstance(row.outcome, dict):
        return Counter(row.outcome)
    return (
        Counter([row.outcome] * (len(numbers) - (not row.sendings))) if row.outcome else Counter()
    )


def test_every_fault_of_the_simulator_has_its_row() -> None:
    """A fault that nobody plays is one of which nothing is known."""
    played = {step.fault.name for row in ROWS for script in row.scripts() for step in script}
    assert set(FAULT_NAMES) - played == set()


def test_no_row_allows_a_second_document() -> None:
    """A table can be wrong as well."""
    assert [row.name for row in ROWS if row.documents not in {0, 1}] == []


def test_each_row_has_a_name_of_its_own() -> None:
    """Names are what a failing row is found by."""
    assert [name for name, count in Counter(row.name for row in ROWS).items() if count > 1] == []
