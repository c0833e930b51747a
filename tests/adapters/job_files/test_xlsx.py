"""XLSX job files: every digit of a cell, the sheet that is meant, and files that are none."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]  # it has no types of its own

from k3push.adapters.job_files import Code, JobFileError, Trouble, read_job
from tests.adapters.job_files.test_reading import PEAK
from tests.said import english

SHEET = "xl/worksheets/sheet1.xml"

Cells = Mapping[str, Any]


def workbook(cells: Cells, *, style: Mapping[str, Any] | None = None, **options: Any) -> bytes:
    """Return a workbook of one sheet; *style* is that of all its numbers."""
    return sheets({"Sheet1": cells}, style=style, **options)


def sheets(
    content: Mapping[str, Cells],
    *,
    style: Mapping[str, Any] | None = None,
    hidden: Sequence[str] = (),
    **options: Any,
) -> bytes:
    """Return a workbook with cells by place, in sheets by name."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, **options}) as book:
        number = book.add_format(dict(style or {}))
        for name, cells in content.items():
            sheet = book.add_worksheet(name)
            if name in hidden:
                sheet.hide()
            for place, value in cells.items():
                if isinstance(value, str) and value.startswith("="):
                    formula, _, result = value.partition(" -> ")
                    sheet.write_formula(place, formula, value=result)
                elif isinstance(value, str):
                    sheet.write_string(place, value)
                elif isinstance(value, bool):
                    sheet.write_boolean(place, value)
                elif isinstance(value, datetime):
                    sheet.write_datetime(place, value, book.add_format({"num_format": "yyyy/m/d"}))
                else:
                    sheet.write_number(place, value, number)
    return file.getvalue()


def edited(content: bytes, part: str, change: Callable[[bytes], bytes | None]) -> bytes:
    """Return a workbook with one part changed, or left out."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            data = change(old.read(name)) if name == part else old.read(name)
            if data is not None:
                new.writestr(name, data)
    return file.getvalue()


def listed(content: bytes, **options: Any) -> list[tuple[int, str]]:
    """Return line and number of everything that is listed."""
    return [(it.line, it.number) for it in read_job(io.BytesIO(content), **options)]


def troubles(content: bytes, **options: Any) -> list[Trouble]:
    """Return everything that is wrong with a workbook."""
    with pytest.raises(JobFileError) as caught:
        list(read_job(io.BytesIO(content), name="a.xlsx", **options))
    return list(caught.value.troubles)


def codes(content: bytes, **options: Any) -> list[tuple[Code, int | None]]:
    """Return code and line of everything that is wrong with a workbook."""
    return [(trouble.code, trouble.line) for trouble in troubles(content, **options)]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (20180321174312, "20180321174312"),
        (999999999999999, "999999999999999"),
        (17.0, "17"),
        (-5, "-5"),
        (0, "0"),
        ("0017", "0017"),
        ("20180321174312001", "20180321174312001"),
        ("1e5", "1e5"),
        ("  CGDD 17\u3000", "CGDD 17"),
        ('=A9&"" -> CGDD17', "CGDD17"),
        ("=8+9 -> 17", "17"),
        ("a_x000D_b is escaped", "a_x000D_b is escaped"),
    ],
)
def test_a_cell_gives_its_number_with_every_digit(value: object, number: str) -> None:
    """Excel's own short form, 2.01803E+13, would be another bill or none."""
    assert listed(workbook({"A1": "单据编号", "A2": value})) == [(2, number)]


def test_a_number_in_exponents_is_the_same_number() -> None:
    """Some programs write large numbers so."""
    content = workbook({"A1": "number", "A2": 7})
    long = edited(content, SHEET, lambda xml: xml.replace(b"<v>7<", b"<v>2.0180321174312E+13<"))
    assert listed(long) == [(2, "20180321174312")]


@pytest.mark.parametrize("value", [1234567890123456, 1e20, 17.5, 0.1])
def test_a_number_that_excel_may_have_rounded_is_a_bad_line(value: float) -> None:
    """A bill of sixteen digits has lost its last one; 2024.10 has become 2024.1."""
    (trouble,) = troubles(workbook({"B3": "number", "B4": value}))
    assert (trouble.code, trouble.line, trouble.sheet) == (Code.NUMBER_CELL, 4, "Sheet1")
    for words in ("a.xlsx, sheet Sheet1, line 4: cell B4", "Format the column as text"):
        assert words in english(trouble)


@pytest.mark.parametrize("shape", ["000000", '"CGDD"0000000', "\\C0", "0,000"])
def test_a_number_whose_format_shows_more_is_a_bad_line(shape: str) -> None:
    """The operator sees 000017, and 17 may be another bill."""
    content = workbook({"A1": "number", "A2": 17}, style={"num_format": shape})
    assert codes(content) == [(Code.SHAPED_CELL, 2)]


@pytest.mark.parametrize("shape", ["@", "0", "#,##0", "0.00", "[Red]0"])
def test_a_format_that_shows_the_same_digits_changes_nothing(shape: str) -> None:
    """A column that was coloured is not refused."""
    content = workbook({"A1": "number", "A2": 17}, style={"num_format": shape})
    assert listed(content) == [(2, "17")]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (datetime(2018, 3, 21), Code.DATE_CELL),  # noqa: DTZ001 - Excel knows no zones
        (True, Code.TRUTH_CELL),
        ("=1/0 -> #DIV/0!", Code.ERROR_CELL),
        ("A1,A2", Code.COMMA),
        ("A\u200b1", Code.CONTROL),
        ("A" * 81, Code.TOO_LONG),
    ],
)
def test_a_cell_that_holds_no_number_is_a_bad_line(value: object, code: Code) -> None:
    """Each names its row and lets the others pass."""
    content = workbook({"A1": "number", "A2": "A1", "A3": value, "A4": "A9"})
    assert codes(content) == [(code, 3)]
    told: list[Trouble] = []
    assert listed(content, skip_bad_lines=True, on_bad_line=told.append) == [(2, "A1"), (4, "A9")]
    assert [trouble.code for trouble in told] == [code]


@pytest.mark.parametrize("cell", [b"<v>45000</v>", b"<v>2018-03-21</v>"])
def test_a_date_is_told_by_a_built_in_format_too(cell: bytes) -> None:
    """Format 14 is in no list of formats, and type d has none at all."""
    kind = b' t="d"' if b"-" in cell else b""
    content = workbook({"A1": "number", "A2": 7}, style={"num_format": 14})
    dated = edited(
        content,
        SHEET,
        lambda xml: xml.replace(b"><v>7</v>", kind + b">" + cell),
    )
    assert codes(dated) == [(Code.DATE_CELL, 2)]


def test_a_formula_without_a_result_is_no_blank_row() -> None:
    """Programs that write formulas leave them to be worked out; the number is not there yet."""
    content = workbook({"A1": "number", "A2": "=A9 -> 7", "A3": "A3"})
    bare = edited(content, SHEET, lambda xml: xml.replace(b"<v>7</v>", b""))
    assert codes(bare) == [(Code.NO_RESULT, 2)]
    left = workbook({"A1": "number", "A2": "=A9 -> ", "A3": "A3"})
    assert codes(left) == [(Code.NO_RESULT, 2)]
    as_excel_writes_it = (b'<c r="A2"><f>', b'<c r="A2" t="str"><f>')
    worked_out = edited(left, SHEET, lambda xml: xml.replace(*as_excel_writes_it))
    assert listed(worked_out) == [(3, "A3")]


def test_lines_are_rows_of_the_sheet() -> None:
    """A list may begin anywhere, and have gaps; a merged cell counts where it begins."""
    cells = {"C3": "备注", "D3": "FBillNo", "E3": "route", "D4": "A1", "E4": "po", "D7": "A2"}
    found = read_job(io.BytesIO(workbook(cells)))
    assert [(it.line, it.number, it.route) for it in found] == [(4, "A1", "po"), (7, "A2", "")]


def test_a_row_that_lost_its_number_is_not_blank() -> None:
    """Something stands beside it."""
    cells = {"A1": "number", "B1": "x", "A2": "A1", "B3": "急", "B4": "  ", "A5": "A2"}
    assert codes(workbook(cells)) == [(Code.EMPTY, 3)]


def test_a_route_that_is_no_name_is_a_bad_line() -> None:
    """Its number must not go to the default route instead."""
    cells = {"A1": "number", "B1": "route", "A2": "A1", "B2": 7}
    assert codes(workbook(cells)) == [(Code.BAD_ROUTE, 2)]


def test_one_column_needs_no_heading() -> None:
    """Then nothing may stand beside it, since nobody can say which is the number."""
    assert listed(workbook({"B2": 17, "B3": "A2"})) == [(2, "17"), (3, "A2")]
    (trouble,) = troubles(workbook({"B2": "A1", "B3": "A2", "D3": "A3"}))
    assert (trouble.code, trouble.line) == (Code.MORE_CELLS, 3)
    assert "cell D3" in english(trouble)


def test_columns_are_found_as_in_a_table() -> None:
    """By a known heading, or by the one that is named."""
    cells = {"A1": "number", "B1": "源单", "A2": "A1", "B2": "B1"}
    assert listed(workbook(cells)) == [(2, "A1")]
    assert listed(workbook(cells), column="源单") == [(2, "B1")]
    assert codes(workbook(cells), column="x") == [(Code.NO_SUCH_COLUMN, 1)]
    assert codes(workbook({"A1": "客户", "B1": "订单"})) == [(Code.UNKNOWN_HEADINGS, 1)]
    assert codes(workbook({"A1": "编号", "B1": "单号"})) == [(Code.TWO_COLUMNS, 1)]
    assert codes(workbook({"A1": "清单", "A3": "单号", "A4": "A1"})) == [(Code.LATE_HEADING, 3)]
    beside = {"A1": "清单", "A2": "行号", "B2": "单号", "A3": 1, "B3": "A1"}
    assert codes(workbook(beside)) == [(Code.LATE_HEADING, 2)]


def test_a_heading_and_no_numbers_is_an_empty_job() -> None:
    """An empty sheet has not even a heading."""
    assert listed(workbook({"A1": "number"})) == []
    assert codes(workbook({})) == [(Code.BLANK_ONLY_SHEET, None)]
    (trouble,) = troubles(sheets({"A": {}, "B": {"A1": "number"}}))
    assert "Name another with --sheet (B)." in english(trouble)


def test_the_first_sheet_that_can_be_seen_is_read_or_the_one_that_is_named() -> None:
    """A name in any letter case; an unknown one lists those that there are."""
    lists = {name: {"A1": "number", "A2": name} for name in ("Setup", "销售", "Buy")}
    content = sheets(lists, hidden=["Setup"])
    # XlsxWriter shows the first sheet whatever is asked.
    content = edited(
        content,
        "xl/workbook.xml",
        lambda xml: xml.replace(b'name="Setup"', b'name="Setup" state="hidden"'),
    )
    assert listed(content) == [(2, "销售")]
    assert listed(content, sheet="buy ") == [(2, "Buy")]
    assert listed(content, sheet="Setup") == [(2, "Setup")]
    (trouble,) = troubles(content, sheet="Sell")
    assert trouble.code is Code.NO_SUCH_SHEET
    assert "Setup, 销售, Buy" in english(trouble)


def test_of_several_sheets_one_is_to_be_named_where_nobody_has_said_which() -> None:
    """A form in a browser has no first sheet; what is hidden or empty is none."""
    lists = {
        "说明": {"A1": "how to read this"},
        "bills": {"A1": "number", "A2": "A1"},
        "empty": {},
    }
    (trouble,) = troubles(sheets(lists), sheet="")
    assert trouble.code is Code.WHICH_SHEET
    assert "说明, bills" in english(trouble)
    assert listed(sheets(lists), sheet="bills") == [(2, "A1")]
    one = {"empty": {}, "bills": lists["bills"], "Setup": lists["说明"]}
    assert listed(sheets(one, hidden=["Setup"]), sheet="") == [(2, "A1")]


def test_sheets_that_are_not_read_are_told() -> None:
    """Where nobody has said which sheet is the list, another one may be a list as well."""
    lists = {name: {"A1": "number", "A2": name} for name in ("Sell", "Buy", "Setup")}
    content = sheets({**lists, "empty": {}}, hidden=["Setup"])
    told: list[Trouble] = []
    assert [each.number for each in read_job(io.BytesIO(content), on_bad_line=told.append)] == [
        "Sell"
    ]
    (trouble,) = told
    assert trouble.code is Code.OTHER_SHEETS
    assert "Buy" in english(trouble)
    assert not {"Setup", "empty"} & set(english(trouble).split())
    list(read_job(io.BytesIO(content), sheet="Sell", on_bad_line=told.append))
    assert told == [trouble]


def test_hidden_rows_count() -> None:
    """What a filter hides is in the list all the same."""
    content = workbook({"A1": "number", "A2": "A1", "A3": "A2"})
    hidden = edited(
        content, SHEET, lambda xml: xml.replace(b'<row r="2"', b'<row r="2" hidden="1"')
    )
    assert listed(hidden) == [(2, "A1"), (3, "A2")]


@pytest.mark.parametrize("constant_memory", [False, True])
def test_texts_are_the_same_wherever_a_file_keeps_them(constant_memory: bool) -> None:  # noqa: FBT001 - a parameter
    """Some write texts into the cells, some beside the sheet."""
    content = workbook({"A1": "number", "A2": " <A&1>"}, constant_memory=constant_memory)
    assert listed(content) == [(2, "<A&1>")]


def test_pieces_of_a_text_are_joined_and_its_pronunciation_is_not() -> None:
    """Coloured letters split a text; Japanese Excel adds how it is spoken."""
    content = workbook({"A1": "number", "A2": "X"})
    rich = b"<si><r><t>CG</t></r><r><t>DD_x0031_</t></r><rPh><t>shi</t></rPh></si>"
    spoken = edited(
        content, "xl/sharedStrings.xml", lambda xml: xml.replace(b"<si><t>X</t></si>", rich)
    )
    assert listed(spoken) == [(2, "CGDD1")]


@pytest.mark.parametrize(
    "change",
    [
        (b' r="A2"', b""),
        (b'<row r="2"', b"<row"),
        (
            b"http://schemas.openxmlformats.org/spreadsheetml/2006/main",
            b"http://purl.oclc.org/ooxml/spreadsheetml/main",
        ),
    ],
    ids=["no-cell-place", "no-row-number", "strict"],
)
def test_other_ways_to_write_the_same_sheet_are_read(change: tuple[bytes, bytes]) -> None:
    """Not every program writes like Excel."""
    content = workbook({"A1": "number", "A2": "A1"})
    assert listed(edited(content, SHEET, lambda xml: xml.replace(*change))) == [(2, "A1")]


def test_a_stray_cell_in_the_last_corner_costs_nothing() -> None:
    """Libraries that lay a sheet out as a rectangle die of it."""
    cells = {"A1": "number", "A2": "A1", "XFD1048576": " "}
    assert listed(workbook(cells)) == [(2, "A1")]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.xlsx", b"number\nA1\n", Code.NOT_A_WORKBOOK),
        ("a.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Code.WORKBOOK),
        (
            "a.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            Code.ENCRYPTED,
        ),
        ("a.csv", workbook({"A1": "A1"}), Code.WORKBOOK_BY_ANOTHER_NAME),
        ("a.json", workbook({"A1": "A1"}), Code.WORKBOOK_BY_ANOTHER_NAME),
        ("a.xlsx", workbook({"A1": "A1"})[:-900], Code.DAMAGED_WORKBOOK),
        ("a.xlsx", edited(workbook({"A1": "A1"}), SHEET, lambda _: None), Code.DAMAGED_WORKBOOK),
        (
            "a.xlsx",
            edited(workbook({"A1": "A1"}), SHEET, lambda xml: xml[:-40]),
            Code.DAMAGED_WORKBOOK,
        ),
        (
            "a.xlsx",
            edited(workbook({"A1": "A1"}), "xl/sharedStrings.xml", lambda _: b"<!DOCTYPE x><x/>"),
            Code.DAMAGED_WORKBOOK,
        ),
        (
            "a.xlsx",
            edited(workbook({"A1": "A1"}), SHEET, lambda xml: xml.replace(b"<v>0<", b"<v>99<")),
            Code.DAMAGED_WORKBOOK,
        ),
    ],
    ids=[
        "text", "xls", "encrypted", "called-csv", "called-json", "half", "no-sheet", "half-xml",
        "doctype", "no-such-text",
    ],
)  # fmt: skip
def test_a_file_that_is_no_whole_workbook_is_an_error(
    tmp_path: Path, name: str, content: bytes, code: Code
) -> None:
    """The cure differs: rename it, unlock it, or copy it again."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(JobFileError) as caught:
        list(read_job(path))
    assert [trouble.code for trouble in caught.value.troubles] == [code]


def test_a_workbook_without_its_name_is_found_out(tmp_path: Path) -> None:
    """Standard input has no extension."""
    path = tmp_path / "list"
    path.write_bytes(workbook({"A1": "number", "A2": "A1"}))
    assert [it.number for it in read_job(path)] == ["A1"]


def test_a_damaged_byte_gives_an_error_or_valid_numbers() -> None:
    """Whatever is broken, it is a job file that must be mended, and no defect."""
    whole = workbook({"A1": "number", **{f"A{row}": f"CGDD{row}" for row in range(2, 30)}})
    refused = 0
    for at in range(0, len(whole), 5):
        damaged = bytearray(whole)
        damaged[at] ^= 0x55
        try:
            list(read_job(io.BytesIO(bytes(damaged))))
        except JobFileError:
            refused += 1
    assert refused > 100


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_memory_does_not_grow_with_the_sheet(tmp_path: Path) -> None:
    """Sixty thousand rows take what six hundred take."""
    paths = []
    for count in (600, 60_000):
        path = tmp_path / f"{count}.xlsx"
        cells = {"A1": "number", **{f"A{row}": row for row in range(2, count)}}
        path.write_bytes(workbook(cells))
        paths.append(str(path))
    done = subprocess.run(  # noqa: S603 - this interpreter, arguments of ours
        [sys.executable, "-c", PEAK, *paths],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    count, growth_kb = map(int, done.stdout.split())
    assert count > 59_000
    assert growth_kb < 4_096
