"""Exports in all formats: the same rows, whole or not there at all."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from pyarrow import parquet  # type: ignore[import-untyped]  # it has no types of its own

from k3push.adapters.job_files import read_job
from k3push.adapters.job_files.xlsx_package import opened_workbook
from k3push.adapters.job_files.xlsx_xml import CellKind
from k3push.core.model import BillNumber, Listed, Outcome, Route, Run, RunId, State, Target
from k3push.reporting.parquet_table import parquet_table
from k3push.reporting.table_files import (
    COLUMNS,
    Form,
    Put,
    csv_table,
    jsonl_table,
    records_of,
    write_table,
)
from k3push.reporting.xlsx_table import xlsx_table
from k3push.runs.kept_in_ledger.row_pages import FollowedRow
from tests.memory_ledger.ledger import MemoryLedger

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)
RUN = Run(RunId("r1"), "s", Route("po", "A", "B", "A-B"), ("job.csv",), "", NOW)
NUMBERS = ("=1+1", "0017", "20180321174312001", "CGDD,4", "+86", "采购 6")

FORMS: dict[str, Form] = {
    "csv": csv_table,
    "jsonl": jsonl_table,
    "xlsx": xlsx_table,
    "parquet": parquet_table,
}


@pytest.fixture
def anyio_backend() -> str:
    """Return the loop that files are written on."""
    return "asyncio"


@pytest.fixture
async def ledger() -> MemoryLedger:
    """A run of six numbers: two pushed, three rejected, one planned."""
    ledger = MemoryLedger(account=RUN.account)
    await ledger.open_run(RUN)
    await ledger.add(RUN.id, [Listed(line, BillNumber(n)) for line, n in enumerate(NUMBERS, 2)])
    pushed = [
        Outcome(BillNumber(n), State.ALREADY, (Target("7", "CGRK7"), Target("8", "CGRK8")))
        for n in NUMBERS[:2]
    ]
    reason = '=cmd|"/c calc"!A1\nhttp://example.com'
    refused = [Outcome(BillNumber(n), State.REJECTED, (), "11", reason) for n in NUMBERS[2:5]]
    await ledger.conclude(RUN.id, [*pushed, *refused], at=NOW)
    return ledger


def sheets_of(path: Path) -> dict[str, list[list[Any]]]:
    """Return the texts and numbers of each sheet of a workbook; it must hold nothing else."""
    found = {}
    with path.open("rb") as file, opened_workbook(file) as book:
        for sheet in book.sheets:
            rows = []
            for _, cells in book.rows(sheet):
                assert {cell.kind for cell in cells.values()} <= {CellKind.TEXT, CellKind.NUMBER}
                row = [cells.get(column) for column in range(1, len(COLUMNS) + 1)]
                rows.append(
                    [
                        None
                        if cell is None
                        else int(cell.text)
                        if cell.kind is CellKind.NUMBER
                        else cell.text
                        for cell in row
                    ]
                )
            found[sheet.name] = rows
    return found


def exported(form: str, path: Path) -> list[dict[str, Any]]:
    """Return the rows of an exported file, empty cells as None."""
    if form == "jsonl":
        records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    elif form == "parquet":
        records = parquet.read_table(path).to_pylist()
    elif form == "xlsx":
        heading, *rows = sheets_of(path)["ledger"]
        records = [dict(zip(heading, row, strict=True)) for row in rows]
    else:
        records = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    return [
        {
            key: None if value in {"", None} else str(value).removeprefix("'")
            for key, value in record.items()
        }
        for record in records
    ]


def files_in(folder: Path) -> list[str]:
    """Return the names of the files of a folder."""
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("form", FORMS)
async def test_every_format_has_the_same_rows_in_the_same_order(
    ledger: MemoryLedger, tmp_path: Path, form: str
) -> None:
    """Columns in their order, whole reasons, no digit lost; Parquet has times as times."""
    path = tmp_path / "all"
    assert await write_table(ledger, RUN, path, FORMS[form]) == len(NUMBERS)
    wanted = [
        {
            key: None if value in {"", None} else str(value)
            for key, value in record._asdict().items()
        }
        for record in records_of(map(FollowedRow, await ledger.rows(RUN.id)), RUN)
    ]
    records = exported(form, path)
    if form == "parquet":
        for record in (*wanted, *records):
            settled = record["settled_at"]
            assert settled is None or datetime.fromisoformat(settled) == NOW
            record["settled_at"] = None
    assert records == wanted
    assert list(records[0]) == list(COLUMNS)


@pytest.mark.parametrize("form", ["csv", "jsonl", "xlsx"])
async def test_an_export_is_a_job_file_again(
    ledger: MemoryLedger, tmp_path: Path, form: str
) -> None:
    """Rejected numbers are mended in the spreadsheet and pushed from it."""
    path = tmp_path / f"rejected.{form}"
    assert await write_table(ledger, RUN, path, FORMS[form], {State.REJECTED}) == 3
    listed = read_job(path, skip_bad_lines=True)
    assert [it.number for it in listed] == ["20180321174312001", "+86"]  # one has a comma in it


async def test_a_workbook_has_a_sheet_for_each_state(ledger: MemoryLedger, tmp_path: Path) -> None:
    """The first has all rows in the order of the job file, so that it is the whole export."""
    path = tmp_path / "all.xlsx"
    await write_table(ledger, RUN, path, xlsx_table)
    numbers = {name: [row[1] for row in rows[1:]] for name, rows in sheets_of(path).items()}
    assert numbers == {
        "ledger": list(NUMBERS),
        "planned": ["采购 6"],
        "already": ["=1+1", "0017"],
        "rejected": ["20180321174312001", "CGDD,4", "+86"],
    }
    await write_table(ledger, RUN, path, xlsx_table, {State.REJECTED})
    assert list(sheets_of(path)) == ["ledger"]


async def test_a_workbook_holds_no_formula_and_its_heading_stays_in_sight(
    ledger: MemoryLedger, tmp_path: Path
) -> None:
    """Text that looks like a formula or a link is text; rows can be filtered."""
    path = tmp_path / "all.xlsx"
    await write_table(ledger, RUN, path, xlsx_table)
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in xml
    assert "hyperlink" not in xml
    assert '<autoFilter ref="A1:P7"/>' in xml
    assert 'ySplit="1"' in xml
    assert 'state="frozen"' in xml


async def test_rows_that_do_not_fit_go_on_in_a_further_sheet(
    ledger: MemoryLedger, tmp_path: Path
) -> None:
    """Excel has 1,048,576 rows in a sheet; here it has four."""
    path = tmp_path / "all.xlsx"
    await write_table(ledger, RUN, path, partial(xlsx_table, sheet_rows=2))
    lines = {name: [row[0] for row in rows] for name, rows in sheets_of(path).items()}
    assert lines["ledger"] == ["line", 2, 3]
    assert lines["ledger 2"] == ["line", 4, 5]
    assert lines["ledger 3"] == ["line", 6, 7]
    assert lines["rejected 2"] == ["line", 6]


async def test_a_parquet_file_has_types_and_row_groups(
    ledger: MemoryLedger, tmp_path: Path
) -> None:
    """Whoever counts over many runs casts nothing."""
    path = tmp_path / "all.parquet"
    await write_table(ledger, RUN, path, parquet_table)
    types = {field.name: str(field.type) for field in parquet.read_schema(path)}
    whole = {name for name, kind in types.items() if kind == "int64"}
    times = {name for name, kind in types.items() if kind.startswith("timestamp")}
    assert (whole, times) == ({"line", "attempts", "chunk"}, {"sent_at", "settled_at"})
    assert {types[name] for name in COLUMNS if name not in whole | times} == {"string"}
    assert all("tz=UTC" in types[name] for name in times)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("end", [OSError(28, "No space left on device"), KeyboardInterrupt()])
async def test_an_interrupted_export_leaves_the_earlier_file_and_nothing_else(
    ledger: MemoryLedger, tmp_path: Path, form: str, end: BaseException
) -> None:
    """A half file looks like a whole one to whoever opens it."""

    @contextmanager
    def failing(path: Path, states: Sequence[State]) -> Iterator[Put]:
        with FORMS[form](path, states) as put:

            def put_and_fail(records: Sequence[Any]) -> None:
                put(records)
                raise end

            yield put_and_fail

    path = tmp_path / "all"
    path.write_text("earlier")
    with pytest.raises(type(end)):
        await write_table(ledger, RUN, path, failing)
    assert files_in(tmp_path) == ["all"]
    assert path.read_text() == "earlier"


async def test_a_cancelled_export_leaves_nothing(ledger: MemoryLedger, tmp_path: Path) -> None:
    """Ctrl-C comes as a cancellation."""
    with anyio.CancelScope() as scope:

        @contextmanager
        def cancelled(path: Path, states: Sequence[State]) -> Iterator[Put]:
            with csv_table(path, states) as put:

                def put_and_cancel(records: Sequence[Any]) -> None:
                    put(records)
                    anyio.from_thread.run_sync(scope.cancel)

                yield put_and_cancel

        await write_table(ledger, RUN, tmp_path / "all", cancelled)
    assert files_in(tmp_path) == []


async def test_a_disk_that_fills_up_at_the_end_of_a_workbook_is_an_error_of_the_disk(
    ledger: MemoryLedger, tmp_path: Path
) -> None:
    """The library has an error of its own for it, which would look like a defect."""

    @contextmanager
    def full(path: Path, states: Sequence[State]) -> Iterator[Put]:
        with xlsx_table(path, states) as put:
            yield put
            path.unlink()
            path.mkdir()

    with pytest.raises(OSError, match=r"all\..*\.part"):
        await write_table(ledger, RUN, tmp_path / "all", full)
