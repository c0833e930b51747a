"""Bills by their internal id: a column or key beside the number, or in its place."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it has no types of its own
from hypothesis import given
from hypothesis import strategies as st

from k3push.adapters.job_files import Code, JobFileError, read_job
from k3push.core.model import Listed
from k3push.words.language import Say

Cell = str | int | None
Rows = list[list[Cell]]
Bill = tuple[str, str]


def table(rows: Sequence[Sequence[Cell]]) -> bytes:
    """Write CSV."""
    return "\n".join(",".join("" if c is None else str(c) for c in row) for row in rows).encode()


def objects(rows: Sequence[Sequence[Cell]]) -> list[dict[str, Cell]]:
    """Return an object for each row below the heading."""
    heading, *rest = rows
    return [dict(zip(map(str, heading), row, strict=True)) for row in rest]


def document(rows: Sequence[Sequence[Cell]]) -> bytes:
    """Write a JSON list of objects."""
    return json.dumps(objects(rows)).encode()


def records(rows: Sequence[Sequence[Cell]]) -> bytes:
    """Write JSONL."""
    return "\n".join(json.dumps(each) for each in objects(rows)).encode()


def workbook(rows: Sequence[Sequence[Cell]]) -> bytes:
    """Write XLSX."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        sheet = book.add_worksheet("bills")
        for at, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, int):
                    sheet.write_number(at, column, cell)
                elif cell is not None:
                    sheet.write_string(at, column, cell)
    return file.getvalue()


Form = Callable[[Sequence[Sequence[Cell]]], bytes]
FORMS = pytest.mark.parametrize("form", [table, document, records, workbook])


def read(content: bytes, **options: str) -> list[Listed]:
    """Return everything that is listed."""
    return list(read_job(io.BytesIO(content), **options))  # type: ignore[arg-type]  # by name


def bills(content: bytes) -> list[Bill]:
    """Return number and id of everything that is listed."""
    return [(it.number, it.id) for it in read(content)]


def codes(content: bytes, **options: str) -> list[Code]:
    """Return what is wrong with a job file."""
    with pytest.raises(JobFileError) as caught:
        read(content, **options)
    return [trouble.code for trouble in caught.value.troubles]


@FORMS
def test_an_id_stands_beside_the_number(form: Form) -> None:
    """A list of the ERP's own query has both."""
    rows: Rows = [
        ["number", "id", "route"],
        ["A1", 100017, "po"],
        ["A2", "100018", ""],
        ["A3", None, ""],
    ]
    assert read(form(rows)) == [
        Listed(it.line, it.number, it.route, id_)
        for it, id_ in zip(read(form(rows)), ("100017", "100018", ""), strict=True)
    ]
    assert bills(form(rows)) == [("A1", "100017"), ("A2", "100018"), ("A3", "")]


@FORMS
@pytest.mark.parametrize("heading", ["id", "ID", "FID", "源单内码"])
def test_ids_stand_in_the_place_of_numbers(form: Form, heading: str) -> None:
    """Some systems keep nothing else of a bill."""
    assert bills(form([[heading], [100017], ["100018"]])) == [("", "100017"), ("", "100018")]


@FORMS
def test_a_row_has_one_of_both_at_least(form: Form) -> None:
    """Neither names a bill by itself, and a row that names none is no blank line."""
    rows: Rows = [["number", "id", "x"], ["", 100017, "a"], ["A2", None, "b"], ["", "", "c"]]
    assert codes(form(rows)) == [Code.EMPTY]
    assert bills(form(rows[:-1])) == [("", "100017"), ("A2", "")]


@FORMS
@pytest.mark.parametrize("cell", ["CGDD01", "17.5", "-17", "0", "1e5", "１７", "9" * 20])
def test_what_is_no_id_is_a_bad_line(form: Form, cell: str) -> None:
    """It would travel in a list that commas part, and in a filter without quotes."""
    assert codes(form([["number", "id"], ["A1", cell], ["A2", "17"]])) == [Code.BAD_ID]


def test_an_id_that_a_program_wrote_as_a_fraction_is_that_id() -> None:
    """Data frames turn a column with blanks into fractions."""
    assert bills(table([["number", "id"], ["A1", "100017.0"], ["A2", ""]])) == [
        ("A1", "100017"),
        ("A2", ""),
    ]


def test_an_id_has_one_spelling() -> None:
    """Two would pass for two bills."""
    assert bills(table([["id"], ["0017"], [" 17 "]])) == [("", "17"), ("", "17")]


@FORMS
def test_ids_that_may_count_the_lines_stand_for_no_bill(form: Form) -> None:
    """A list whose numbers have an unknown heading must not be pushed by its line numbers."""
    rows: Rows = [["id", "order", "date"], [1, "A1", "x"], [2, "A2", "x"]]
    assert set(codes(form(rows))) <= {Code.UNKNOWN_HEADINGS, Code.NO_KEY}
    known = [["FID", *rows[0][1:]], *rows[1:]]
    assert bills(form(known)) == [("", "1"), ("", "2")]


def test_a_named_column_holds_the_numbers() -> None:
    """Then ids stand beside it, and never in its place."""
    rows: Rows = [["order", "id"], ["A1", 17]]
    assert [(it.number, it.id) for it in read(table(rows), column="order")] == [("A1", "17")]
    assert codes(table(rows), column="bill") == [Code.NO_SUCH_COLUMN]


@FORMS
def test_two_columns_of_ids_are_refused(form: Form) -> None:
    """Nobody can say which one is meant."""
    found = codes(form([["number", "id", "FID"], ["A1", 17, 18]]))
    assert found in ([Code.TWO_COLUMNS], [Code.TWO_KEYS])


NUMBERS = st.text("AB7-单", max_size=5)
IDS = st.one_of(st.just(""), st.integers(1, 10**15 - 1).map(str))


@given(st.lists(st.tuples(NUMBERS, IDS).filter(any), min_size=1, max_size=20))
def test_every_format_says_the_same(rows: list[Bill]) -> None:
    """A list is saved as something else, and means the same bills."""
    cells: Rows = [["number", "id"]]
    cells += [[number, id_] for number, id_ in rows]
    for form in (table, document, records, workbook):
        assert bills(form(cells)) == rows


def test_the_message_names_the_cell(tmp_path: Path) -> None:
    """An operator finds it in the file."""
    path = tmp_path / "a.csv"
    path.write_text("number,id\nA1,x\n", encoding="utf-8")
    with pytest.raises(JobFileError) as caught:
        list(read_job(path))
    (trouble,) = caught.value.troubles
    assert (trouble.code, trouble.line) == (Code.BAD_ID, 2)
    assert "x" in Say("en").said(str(trouble))
    assert "x" in Say("zh").said(str(trouble))
