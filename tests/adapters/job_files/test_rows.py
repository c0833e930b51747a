"""No row of a list vanishes: each is listed, or told as a bad line, or blank."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k3push.adapters.job_files import Code, JobFileError, Trouble, read_job
from k3push.adapters.job_files.writing import new_list
from k3push.core.cells import marked
from k3push.core.model import BillNumber
from k3push.core.protocol.selection import Selected
from k3push.reporting.table_files import COLUMNS
from tests.said import english, refused

SHEET_XML = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<sheetData>{rows}</sheetData></worksheet>"
)
PARTS = {
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="x/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
        '<sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>"
    ),
}
HEADING = '<row r="1"><c r="A1" t="inlineStr"><is><t>number</t></is></c></row>'


def workbook(rows: str) -> bytes:
    """Return a workbook whose sheet has the given rows, as XML."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in PARTS.items():
            archive.writestr(name, text)
        archive.writestr("xl/worksheets/sheet1.xml", SHEET_XML.format(rows=rows))
    return file.getvalue()


@dataclass(frozen=True)
class Shape:
    """A way to write a row, and what must come of it.

    Attributes:
        text: The row; `{n}` stands for a number that is different in each row, `{r}` for the
            row's own place.
        fate: `listed`, `bad` or `blank`.
        lines: Lines of the file that it takes.
    """

    text: str
    fate: str
    lines: int = 1


TABLE = (
    Shape("A{n},x", "listed"),
    Shape("A{n}", "listed"),
    Shape("A{n},", "listed"),
    Shape('" A{n} ","a, b"', "listed"),
    Shape('A{n},"two\nlines"', "listed", 2),
    Shape("", "blank"),
    Shape(" \u3000", "blank"),
    Shape(",急", "bad"),
    Shape('""', "bad"),
    Shape(",", "bad"),
    Shape('"A{n},B",', "bad"),
    Shape("A{n},x,y", "bad"),
    Shape('"A{n}"x,', "bad"),
    Shape('"A\n{n}",', "bad", 2),
    Shape("A\x07{n}", "bad"),
    Shape("9" * 81, "bad"),
)

RECORDS = (
    Shape('"A{n}"', "listed"),
    Shape("{n}", "listed"),
    Shape('{{"number": "A{n}", "remark": "a: b"}}', "listed"),
    Shape("", "blank"),
    Shape("  ", "blank"),
    Shape('""', "bad"),
    Shape("null", "bad"),
    Shape("{n}.5", "bad"),
    Shape("{{}}", "bad"),
    Shape('["A{n}"]', "bad"),
    Shape('{{"remark": "A{n}"}}', "bad"),
    Shape('{{"number": "A{n}", "number": "B{n}"}}', "bad"),
    Shape('{{"number": "A{n}", "单号": "B{n}"}}', "bad"),
    Shape('{{"number": null}}', "bad"),
    Shape('"A{n}" "B{n}"', "bad"),
)

CELL = '<row r="{r}"><c r="A{r}"'
SHEET = (
    Shape(CELL + ' t="inlineStr"><is><t>A{n}</t></is></c></row>', "listed"),
    Shape('<row><c t="str"><f>X1</f><v>A{n}</v></c></row>', "listed"),
    Shape(CELL + "><v>{n}</v></c></row>", "listed"),
    Shape('<row hidden="1"><c><v>{n}</v></c><c t="str"><v>x</v></c></row>', "listed"),
    Shape("<row/>", "blank"),
    Shape(CELL + ' s="1"/></row>', "blank"),
    Shape(CELL + ' t="str"><f>X1</f><v></v></c></row>', "blank"),
    Shape(CELL + ' t="inlineStr"><is><t> </t></is></c></row>', "blank"),
    Shape(CELL + "><f>X1</f></c></row>", "bad"),
    Shape(CELL + "><f>X1</f><v/></c></row>", "bad"),
    Shape(CELL + "><f>X1</f><v></v></c></row>", "bad"),
    Shape("<row><c><f/><v/></c></row>", "bad"),
    Shape(CELL + ' t="inlineStr"><f>X1</f><is><t></t></is></c></row>', "bad"),
    Shape(CELL + ' t="inlineStr"><f>X1</f><v/></c></row>', "bad"),
    Shape(CELL + ' t="str"><f>X1</f></c></row>', "bad"),
    Shape(CELL + ' t="s"><f>X1</f><v/></c></row>', "bad"),
    Shape(CELL + ' t="b"><f>X1</f><v/></c></row>', "bad"),
    Shape(CELL + ' t="e"><f>X1</f><v/></c></row>', "bad"),
    Shape(CELL + ' t="e"><v>#N/A</v></c></row>', "bad"),
    Shape('<row r="{r}"><c r="B{r}" t="str"><v>急</v></c></row>', "bad"),
    Shape('<row r="{r}"><c r="B{r}"><f>X1</f><v/></c></row>', "bad"),
    Shape(CELL + ' t="b"><v>1</v></c></row>', "bad"),
)


def table(shapes: Sequence[Shape]) -> bytes:
    """Write a table with a heading."""
    rows = [shape.text.format(n=n, r=n) for n, shape in enumerate(shapes, 2)]
    return "\n".join(["number,备注", *rows, ""]).encode()


def records(shapes: Sequence[Shape]) -> bytes:
    """Write one JSON value a line, the first of which is good."""
    rows = [shape.text.format(n=n, r=n) for n, shape in enumerate(shapes, 2)]
    return "\n".join(['"A1"', *rows, ""]).encode()


def document(shapes: Sequence[Shape]) -> bytes:
    """Write a JSON list, one element a line; it has no blank ones and none that is half."""
    rows = [shape.text.format(n=n, r=n) for n, shape in enumerate(shapes, 2)]
    return ("[" + ",\n".join(['"A1"', *rows]) + "]").encode()


def sheet(shapes: Sequence[Shape]) -> bytes:
    """Write a sheet with a heading."""
    rows = (shape.text.format(n=n, r=n) for n, shape in enumerate(shapes, 2))
    return workbook(HEADING + "".join(rows))


ELEMENTS = tuple(s for s in RECORDS if s.fate != "blank" and '" "' not in s.text)

FORMATS = {
    "a.csv": (table, TABLE, 0),
    "a.jsonl": (records, RECORDS, 1),
    "a.json": (document, ELEMENTS, 1),
    "a.xlsx": (sheet, SHEET, 0),
}


def lines_of(shapes: Sequence[Shape], fate: str) -> Iterator[int]:
    """Yield the lines, from 2, on which rows of a fate begin."""
    line = 2
    for shape in shapes:
        if shape.fate == fate:
            yield line
        line += shape.lines


@pytest.mark.parametrize("name", FORMATS)
def test_rows_in_are_rows_listed_and_bad_lines_and_blank_ones(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A row that is none of these would be a bill that nobody pushes and nobody misses."""
    write, shapes, listed_above = FORMATS[name]
    path = tmp_path_factory.mktemp("rows") / name
    check = _checked(path, write, listed_above)
    check(shapes)
    drawn = given(st.lists(st.sampled_from(shapes), max_size=12))
    settings(max_examples=40)(drawn(check))()


def _checked(
    path: Path, write: Callable[[Sequence[Shape]], bytes], above: int
) -> Callable[[Sequence[Shape]], None]:
    def check(shapes: Sequence[Shape]) -> None:
        path.write_bytes(write(shapes))
        told: list[Trouble] = []
        found = list(read_job(path, skip_bad_lines=True, on_bad_line=told.append))
        assert [it.line for it in found[above:]] == list(lines_of(shapes, "listed"))
        assert [it.line for it in told] == list(lines_of(shapes, "bad"))
        assert len(found) - above + len(told) == sum(s.fate != "blank" for s in shapes)

    return check


def test_a_formula_that_was_never_worked_out_is_named_by_its_cell() -> None:
    """The cure is to open the workbook, and the row is not left out unseen."""
    rows = HEADING + '<row r="2"><c r="A2"><f>X1</f><v/></c></row>'
    with pytest.raises(JobFileError) as caught:
        list(read_job(io.BytesIO(workbook(rows)), name="a.xlsx"))
    (trouble,) = caught.value.troubles
    assert (trouble.code, trouble.line, trouble.sheet) == (Code.NO_RESULT, 2, "S")
    assert "sheet S, line 2: cell A2" in english(trouble)
    assert "Open the workbook in Excel" in english(trouble)


def test_a_formula_that_fills_several_rows_names_them_all() -> None:
    """The other rows of it are not in the file at all before it was worked out."""
    formula = '<row r="2"><c r="A2"><f t="array" ref="A2:A9">X1:X8</f><v/></c></row>'
    with refused(JobFileError, "cell A2:A9 holds a formula"):
        list(read_job(io.BytesIO(workbook(HEADING + formula))))


@pytest.mark.parametrize(
    "row",
    [
        '<row r="0"><c><v>1</v></c></row>',
        '<row r="-3"><c><v>1</v></c></row>',
        '<row r="1048577"><c><v>1</v></c></row>',
        '<row r="99999999999999999999999"><c><v>1</v></c></row>',
        '<row r="2_0"><c><v>1</v></c></row>',
        '<row r="2"><c r="XFE2"><v>1</v></c></row>',
        '<row r="2"><c r="$A$2"><v>1</v></c></row>',
        '<row r="2"><c r="2"><v>1</v></c></row>',
        '<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>',
        '<row r="2"><c r="A2" t="s"><v>-1</v></c></row>',
    ],
)
def test_a_place_that_no_sheet_has_is_damage(row: str) -> None:
    """A number in it would be read as another cell's, or hide one."""
    with pytest.raises(JobFileError) as caught:
        list(read_job(io.BytesIO(workbook(HEADING + row))))
    assert [it.code for it in caught.value.troubles] == [Code.DAMAGED_WORKBOOK]


def test_a_sheet_whose_part_is_not_there_is_damage() -> None:
    """The next sheet that can be seen is another list."""
    content = workbook(HEADING)
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            lost = '<sheet name="lost" sheetId="2" r:id="r2"/>'
            new.writestr(name, text.replace("<sheets>", f"<sheets>{lost}"))
    with pytest.raises(JobFileError) as caught:
        list(read_job(io.BytesIO(file.getvalue())))
    assert [it.code for it in caught.value.troubles] == [Code.DAMAGED_WORKBOOK]


@pytest.mark.parametrize("heading", ['number,"remark', '"number', 'remark,"number";x'])
def test_a_quotation_mark_that_opens_in_the_heading_swallows_no_rows(
    tmp_path: Path, heading: str
) -> None:
    """Everything under it would be one long heading, and the list empty."""
    path = tmp_path / "a.csv"
    path.write_text(f"{heading}\nA1,x\nA2,y\n", "utf-8")
    with pytest.raises(JobFileError) as caught:
        list(read_job(path, skip_bad_lines=True))
    assert [(it.code, it.line) for it in caught.value.troubles] == [(Code.OPEN_QUOTE, 1)]


def test_a_key_that_is_there_twice_is_a_bad_line(tmp_path: Path) -> None:
    """Readers of JSON keep the last one, and the first number would be gone."""
    text = json.dumps({"number": "A1"})[:-1] + ', "number": "B1"}'
    for name, content in (("a.json", f"[{text}]"), ("a.jsonl", f"{text}\n")):
        path = tmp_path / name
        path.write_text(content, "utf-8")
        with pytest.raises(JobFileError) as caught:
            list(read_job(path))
        assert [it.code for it in caught.value.troubles] == [Code.TWO_KEYS]


SIGNS = ["=1+1", "'=1+1", "''=z", "@x", "'@x", "-5", "'-5", "+1", "＝1", "'CG1", "''", "CG'=1"]


@pytest.mark.anyio
async def test_a_list_of_ours_is_read_as_it_was_before_it_was_written(tmp_path: Path) -> None:
    """The mark against formulas is taken off, and an apostrophe of the number's own stays."""
    path = tmp_path / "list.csv"
    async with new_list(path) as put:
        put([Selected(BillNumber(number), "1") for number in SIGNS])
    assert [listed.number for listed in read_job(path)] == SIGNS
    export = io.StringIO()
    table = csv.writer(export)
    table.writerow(COLUMNS)
    table.writerows([line, marked(number), "rejected"] for line, number in enumerate(SIGNS))
    path.write_text(export.getvalue(), "utf-8-sig")
    assert [listed.number for listed in read_job(path)] == SIGNS


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
async def test_a_number_that_no_list_can_hold_stands_there_by_its_id(
    tmp_path: Path, name: str
) -> None:
    """The ERP takes any text for a number; one such bill must not make a list unreadable."""
    odd = ["CG,1", "CG，1", "x" * 81, "CG\u200b1", "CG\n1", "CG1\u3000"]
    path = tmp_path / name
    async with new_list(path) as put:
        put([Selected(BillNumber(number), str(7 + nth)) for nth, number in enumerate(odd)])
        put([Selected(BillNumber("CG1"), "99")])
    read = [(listed.number, listed.id) for listed in read_job(path)]
    assert read == [*(("", str(7 + nth)) for nth in range(len(odd))), ("CG1", "99")]


@pytest.mark.parametrize("name", ["list.csv", "list.txt", "list.xlsx"])
@pytest.mark.parametrize("number", ["'=1+1", "'@x", "'-5", "''+1", "'＝1"])
def test_an_apostrophe_that_may_be_a_mark_is_refused_elsewhere(
    tmp_path: Path, name: str, number: str
) -> None:
    """Another bill might be pushed; JSON is read as it stands."""
    path = tmp_path / name
    row = f'<row r="2"><c r="A2" t="inlineStr"><is><t>{number}</t></is></c></row>'
    path.write_bytes(
        workbook(HEADING + row) if name.endswith("xlsx") else f"number\n{number}\n".encode()
    )
    with pytest.raises(JobFileError) as error:
        list(read_job(path))
    (trouble,) = error.value.troubles
    assert (trouble.code, trouble.line) == (Code.APOSTROPHE, 2)
    path = path.with_suffix(".json")
    path.write_text(json.dumps([number]), "utf-8")
    assert [listed.number for listed in read_job(path)] == [number]
