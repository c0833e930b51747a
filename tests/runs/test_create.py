from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import anyio
import pytest

from k3push.core.model import BillNumber, Identified, Outcome, Run, RunId, State, Target
from k3push.core.plan import Forecast, Foreseen
from k3push.ports import Identification, LedgerLostError
from k3push.runs.create import folder_of_results, free_run_id, new_run_id, take_up_plan
from k3push.runs.problem import Problem
from tests.adapters.ledger.samples import NOON, a_run
from tests.memory_ledger.ledger import MemoryLedger

LINES = [
    Foreseen(2, BillNumber("A"), "r", BillNumber("A"), Forecast.READY),
    Foreseen(3, BillNumber("B"), "r", BillNumber(""), Forecast.BLOCKED, code="precheck"),
    Foreseen(4, BillNumber("a"), "r", BillNumber("A"), Forecast.READY, first_line=2),
]

MADE = Target("7", "CGRK7")


class Crowded(MemoryLedger):
    """A ledger in which the first ids that are asked for are taken."""

    asked: list[RunId]

    async def run(self, run: RunId) -> Run | None:
        """Say that two runs are there."""
        self.asked = [*getattr(self, "asked", []), run]
        return a_run(run) if len(self.asked) < 3 else None


def test_two_runs_of_one_second_have_two_ids() -> None:
    """Three letters tell them apart, and once in a while they are the same."""
    ledger = Crowded(account="acct")
    found = anyio.run(free_run_id, ledger, NOON)
    assert ledger.asked[-1] == found
    assert len(ledger.asked) == 3


async def _rows_after_two(first: MemoryLedger, second: MemoryLedger) -> tuple[object, ...]:
    run = a_run("planned")
    await take_up_plan(first, run, iter(LINES), at=NOON)
    await first.end_run(run.id, 3, NOON)
    await take_up_plan(second, run, iter(LINES), at=NOON)
    repeats = await second.repeats(run.id)
    opened = await second.run(run.id)
    assert opened is not None
    return await second.counts(run.id), len(repeats), opened.exit


def test_a_plan_that_two_apply_is_written_down_once() -> None:
    """Both may have seen a ledger without it; the second one changes nothing."""
    ledger = MemoryLedger(account="s")
    rows = anyio.run(_rows_after_two, ledger, ledger.another_process())
    assert rows == ({State.PLANNED: 1, State.REJECTED: 1}, 1, 3)


class FullOnce(MemoryLedger):
    """A ledger whose disk is full when it is told what will not be sent, or which bill is meant."""

    verb = ""

    async def identify(self, run: RunId, bills: Mapping[BillNumber, Identified]) -> Identification:
        """Write nothing where the disk is full."""
        if self.verb == "identify":
            raise LedgerLostError("full")
        return await super().identify(run, bills)

    async def conclude(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str = ""
    ) -> None:
        """Write nothing where the disk is full."""
        if self.verb == "conclude":
            raise LedgerLostError("full")
        await super().conclude(run, outcomes, at=at, note=note)


@pytest.mark.parametrize("verb", ["identify", "conclude", ""])
def test_what_a_plan_does_not_send_stays_so_wherever_its_writing_was_cut_short(
    monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The lines were there, and what the plan says of them was not."""
    monkeypatch.setattr("k3push.runs.create.BATCH", 2)
    lines = [
        *LINES,
        Foreseen(5, BillNumber("C"), "r", BillNumber("C"), Forecast.ALREADY, targets=(MADE,)),
        Foreseen(6, BillNumber("D"), "r", BillNumber("D1"), Forecast.BLOCKED, code="precheck"),
    ]

    async def applied() -> tuple[object, ...]:
        ledger = FullOnce(account="s")
        ledger.verb = verb
        run = a_run("planned")
        with suppress(LedgerLostError):
            await take_up_plan(ledger, run, iter(lines), at=NOON)
        ledger.verb = ""
        taken = await take_up_plan(ledger, run, iter(lines), at=NOON)
        rows = await ledger.rows(run.id)
        return taken.whole, {row.number: (row.state, row.bill) for row in rows}

    assert anyio.run(applied) == (
        True,
        {
            "A": (State.PLANNED, "A"),
            "B": (State.REJECTED, ""),
            "C": (State.ALREADY, "C"),
            "D": (State.REJECTED, "D1"),
        },
    )


def test_a_plan_whose_bill_changed_its_number_between_two_looks_is_taken_up() -> None:
    """The look at the second line saw the bill of the first one, and the plan never began."""
    closed = Foreseen(
        3, BillNumber("B"), "r", BillNumber("B"), Forecast.BLOCKED, code="precheck", source_id="1"
    )
    lines = [
        Foreseen(2, BillNumber("A"), "r", BillNumber("A"), Forecast.READY, source_id="1"),
        closed,
    ]

    async def applied() -> tuple[object, ...]:
        ledger, run = MemoryLedger(account="s"), a_run("planned")
        await take_up_plan(ledger, run, iter(lines), at=NOON)
        rows = await ledger.rows(run.id)
        repeats = await ledger.repeats(run.id)
        return [(row.number, row.state) for row in rows], [repeat.line for repeat in repeats]

    assert anyio.run(applied) == ([("A", State.PLANNED)], [3])


@pytest.mark.parametrize(("began", "goes_on"), [("rest", ""), ("", "rest")])
def test_a_plan_goes_on_as_it_was_begun(began: str, goes_on: str) -> None:
    """With second documents, or without."""

    async def applied() -> None:
        ledger, run = MemoryLedger(account="s"), a_run("planned")
        await ledger.open_run(replace(run, again_because=began))
        with pytest.raises(Problem, match="again"):
            await take_up_plan(ledger, replace(run, again_because=goes_on), iter(LINES), at=NOON)
        taken = await take_up_plan(ledger, replace(run, again_because=began), iter(LINES), at=NOON)
        assert taken.whole

    anyio.run(applied)


@pytest.mark.parametrize("stem", ["采" * 80, "a" * 251, "é" * 125])
def test_the_folder_of_results_has_a_name_that_a_folder_can_have(tmp_path: Path, stem: str) -> None:
    """The name of a list may fill what file systems allow, and the id comes to it."""
    run = new_run_id(NOON)
    folder = folder_of_results(str(tmp_path / f"{stem}.csv"), run)
    folder.mkdir(parents=True)
    assert folder.name.endswith(f".{run}")
    assert stem.startswith(folder.name.removesuffix(f".{run}"))
    assert folder_of_results("采购.csv", run).name == f"采购.{run}"
