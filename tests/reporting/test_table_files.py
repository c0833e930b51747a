"""The exported table: what a spreadsheet, and k3push itself, make of it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from k3push.adapters.job_files import read_job
from k3push.core.model import BillNumber, Listed, Outcome, Route, Run, RunId, State
from k3push.reporting.table_files import COLUMNS, Record, csv_table, write_table
from tests.memory_ledger.ledger import MemoryLedger

NOW = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)
RUN = Run(RunId("r1"), "s", Route("po", "A", "B", "A-B"), ("job.csv",), "", NOW)


@pytest.fixture
def anyio_backend() -> str:
    """Return the loop that files are written on."""
    return "asyncio"


@pytest.mark.parametrize("first", "=+-@\t\r\n＝＋－＠")
def test_no_cell_starts_a_formula(tmp_path: Path, first: str) -> None:
    """Whatever the ERP, a list or the settings call a thing."""
    texts = [f"{first}{name}" for name in COLUMNS]
    with csv_table(tmp_path / "all.csv") as put:
        put([Record(*texts)])  # type: ignore[arg-type]  # each of them a text
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file))[1] == [f"'{text}" for text in texts]


@pytest.mark.anyio
@pytest.mark.parametrize("number", ["=1+1", "-5", "+86", "@x", "＝1", "'CGDD01", 'CG"DD;01'])
async def test_an_exported_part_is_a_job_file_of_the_same_numbers(
    tmp_path: Path, number: str
) -> None:
    """The mark against formulas must not become part of a number that is pushed again."""
    ledger = MemoryLedger(account=RUN.account)
    await ledger.open_run(RUN)
    await ledger.add(RUN.id, [Listed(2, BillNumber(number))])
    refused = Outcome(BillNumber(number), State.REJECTED, code="11", reason="=cmd|'/c calc'!A1")
    await ledger.conclude(RUN.id, [refused], at=NOW)
    path = tmp_path / "rejected.csv"
    assert await write_table(ledger, RUN, path, csv_table, {State.REJECTED}) == 1
    assert [listed.number for listed in read_job(path)] == [number]
    cells = path.read_text("utf-8-sig").splitlines()[1].split(",")
    assert not any(cell.strip('"').startswith(("=", "+", "-", "@", "＝")) for cell in cells)
