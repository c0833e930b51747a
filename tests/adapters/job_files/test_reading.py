"""What every job file has in common: tables, numbers, bad lines, and the words for trouble."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from k3push.adapters.job_files import Code, JobFileError, Trouble, read_job
from k3push.words.job_troubles import WORDS
from tests.said import chinese, english, refused

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a job file of some name."""

    def written(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


def numbers(path: Path, column: str | None = None) -> list[str]:
    """Return the numbers of a job file."""
    return [listed.number for listed in read_job(path, column=column)]


def lines(path: Path) -> list[tuple[int, str]]:
    """Return line and number of everything that is listed."""
    return [(listed.line, listed.number) for listed in read_job(path)]


def troubles(path: Path, column: str | None = None) -> list[tuple[Code, int | None]]:
    """Return code and line of everything that is wrong with a job file."""
    with pytest.raises(JobFileError) as caught:
        list(read_job(path, column=column))
    return [(trouble.code, trouble.line) for trouble in caught.value.troubles]


KNOWN = ("number", "bill_no", "billno", "FBillNo", "单据编号", "单据编码", "单号", "编号")


@pytest.mark.parametrize("heading", [*KNOWN, "NUMBER", "fbillno", "Bill_No", " 单号\u3000"])
def test_the_column_is_found_by_its_heading(write: Write, heading: str) -> None:
    """Letter case and spaces of a heading are the export's business."""
    path = write("a.csv", f"备注,{heading},数量\n急,CGDD1,3\n,CGDD2,4\n")
    assert lines(path) == [(2, "CGDD1"), (3, "CGDD2")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，", "；"])
@pytest.mark.parametrize("extension", ["csv", "tsv", "txt", "lst"])
def test_the_delimiter_is_found_out(write: Write, delimiter: str, extension: str) -> None:
    """Excel writes semicolons or commas by the settings of Windows."""
    rows = (("x", "number", "route"), ("a", "A1", "po-instock"), ("b", "A2", ""))
    path = write(f"a.{extension}", "\n".join(delimiter.join(row) for row in rows))
    assert [(it.number, it.route) for it in read_job(path)] == [("A1", "po-instock"), ("A2", "")]


def test_the_delimiter_that_shows_the_number_wins(write: Write) -> None:
    """A remark may hold more commas than the table has columns."""
    assert numbers(write("a.csv", "number;remark, or note, or both\nA1;x,y\n")) == ["A1"]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_excels_own_first_line_names_the_delimiter(write: Write, first: str) -> None:
    """It is counted as a line and is no number."""
    assert lines(write("a.csv", f"{first}\r\nnumber;x\r\nA1;1,2\r\n")) == [(3, "A1")]


def test_one_column_needs_no_heading(write: Write) -> None:
    """A first line that is no known heading is data."""
    assert lines(write("a.txt", "A1\nA2\n\n   \nA3")) == [(1, "A1"), (2, "A2"), (5, "A3")]


def test_one_column_may_have_a_heading(write: Write) -> None:
    """It is not sent as a number."""
    assert lines(write("a.txt", "\n单据编号\nA1\n")) == [(3, "A1")]


def test_empty_columns_that_a_spreadsheet_leaves_behind_do_not_count(write: Write) -> None:
    """A cell that was once filled makes every row longer."""
    assert numbers(write("a.csv", "A1,,\nA2,,\n")) == ["A1", "A2"]


def test_a_named_column_is_the_only_one_that_counts(write: Write) -> None:
    """`--column` decides even where a known heading is present."""
    path = write("a.csv", "number,源单\nA1,B1\n")
    assert numbers(path, column=" 源单 ") == ["B1"]
    assert numbers(path) == ["A1"]
    assert troubles(path, column="Order") == [(Code.NO_SUCH_COLUMN, 1)]
    assert troubles(write("b.csv", "A1\nA2\n"), column="Order") == [(Code.NO_SUCH_COLUMN, 1)]


def test_unknown_headings_are_named_with_the_cure(write: Write) -> None:
    """The operator sees what the file has and which option helps."""
    with refused(JobFileError, r"line 1: .*\(客户, 订单\).*--column"):
        numbers(write("a.csv", "客户,订单\nK,A1\n"))


@pytest.mark.parametrize("heading", ["单据编号", " FBillNo ", "内码"])
def test_a_title_above_the_heading_of_one_column_is_no_bill(write: Write, heading: str) -> None:
    """It would be a row that the ERP does not know, and so would the heading."""
    content = f"采购订单清单\n\n{heading}\nA1\n"
    assert troubles(write("a.csv", content))[-1] == (Code.LATE_HEADING, 3)
    with refused(JobFileError, r"line 3: the heading .* stands below other lines"):
        numbers(write("b.txt", content))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "，", "；"])
@pytest.mark.parametrize("title", ["采购订单列表", "采购订单列表{0}{0}"])
def test_a_title_above_a_table_is_named_and_no_comma_of_its_rows(
    write: Write, title: str, delimiter: str
) -> None:
    """Each row would be told as a pasted comma, and the cure would be another one."""
    rows = [title, "供应商{0}单据编号 {0}备注", "甲{0}A1{0}", "合计{0}2{0}"]
    content = "\n".join(rows).format(delimiter)
    assert troubles(write("a.csv", content)) == [(Code.LATE_HEADING, 2)]
    with refused(JobFileError, r"line 2: the heading 单据编号 stands below other lines"):
        numbers(write("b.txt", content))


def test_two_columns_that_could_be_meant_are_an_error(write: Write) -> None:
    """A guess could push the wrong bills."""
    assert troubles(write("a.csv", "编号,单据编号\n1,A1\n")) == [(Code.TWO_COLUMNS, 1)]
    assert troubles(write("b.csv", "number,route,Route\nA,x,y\n")) == [(Code.TWO_COLUMNS, 1)]


@pytest.mark.parametrize("line", ["A1,A2,A3", "A1;A2", "A1\tA2\tA3"])
def test_a_pasted_list_is_told_from_headings(write: Write, line: str) -> None:
    """Its cure is another one: a line for each number."""
    assert troubles(write("a.txt", line + "\n")) == [(Code.PASTED_LIST, 1)]


def test_quoted_cells_may_hold_anything(write: Write) -> None:
    """Lines are those of the file, also where a cell spans several."""
    path = write("a.csv", 'remark,number\n"a, ""b""\nc","A1"\nx,A2\n')
    assert lines(path) == [(2, "A1"), (4, "A2")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_counts_one(write: Write, end: str) -> None:
    """Macs, Windows and Unix give the same lines."""
    assert lines(write("a.csv", end.join(("number", "A1", "", "A2")))) == [(2, "A1"), (4, "A2")]


def test_leading_zeros_and_spelling_are_kept(write: Write) -> None:
    """The ERP decides what is one bill, not the reader."""
    spellings = ["0017", "cgdd17", "CGDD17", "ＣＧＤＤ１７", "CG DD-17", "1e5", "=A1"]
    assert numbers(write("a.csv", "\n".join(["number", *spellings]))) == spellings


@pytest.mark.parametrize("space", [" ", "\u3000", "\u00a0", "\t", "\ufeff", "\u200b"])
def test_spaces_around_a_number_are_trimmed(write: Write, space: str) -> None:
    """They come along when cells are pasted."""
    assert numbers(write("a.csv", f'number;x\n"{space}A1{space}";\n')) == ["A1"]


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ('""', Code.EMPTY),
        ("\u3000", Code.EMPTY),
        ('"A1,A2"', Code.COMMA),
        ("A1，A2", Code.COMMA),
        ("A\x1b1", Code.CONTROL),
        ('"A\t1"', Code.TAB),
        ("A\u200b1", Code.CONTROL),
        ("A\u20281", Code.CONTROL),
        ("A" * 81, Code.TOO_LONG),
        ('"A1\nA2"', Code.LINE_BREAK),
        ('"A1"x', Code.STRAY_QUOTE),
        ("A1;y;z;z", Code.TOO_MANY_CELLS),
    ],
)
def test_a_number_that_cannot_be_one_is_a_bad_line(write: Write, cell: str, code: Code) -> None:
    """Every rule names its own line and lets the others pass."""
    path = write("a.csv", f"number;remark\nA1;x\n{cell};\nA9;x\n")
    assert troubles(path) == [(code, 3)]
    told: list[Trouble] = []
    listed = read_job(path, skip_bad_lines=True, on_bad_line=told.append)
    assert [it.number for it in listed] == ["A1", "A9"]
    assert [(it.code, it.line) for it in told] == [(code, 3)]


def test_eighty_characters_are_not_too_long(write: Write) -> None:
    """The limit itself is allowed, and counts characters, not bytes."""
    assert numbers(write("a.csv", "单" * 80)) == ["单" * 80]


def test_a_row_without_a_number_is_not_blank(write: Write) -> None:
    """Blank lines are passed over; a row that lost its number must be seen."""
    path = write("a.csv", 'x;number;y\n;A1;\n\n   \n;;\n"";"";x\nx\n')
    assert troubles(path) == [(Code.EMPTY, 5), (Code.EMPTY, 6), (Code.EMPTY, 7)]


def test_commas_in_one_column_are_a_bad_line(write: Write) -> None:
    """Several numbers pasted into one line must not become the first of them."""
    path = write("a.txt", 'A1\nA2,A3\n"A4,A5"\n,\nA6,\n')
    assert troubles(path) == [(Code.COMMA, 2), (Code.COMMA, 3), (Code.EMPTY, 4)]


def test_a_route_that_is_no_name_is_a_bad_line(write: Write) -> None:
    """Its number must not go to the default route instead."""
    path = write("a.csv", f"number,route\nA1,x\x07\nA2,{'x' * 81}\nA3,采购 入库\n")
    assert troubles(path) == [(Code.BAD_ROUTE, 2), (Code.BAD_ROUTE, 3)]


def test_bad_lines_are_raised_together_at_the_end(write: Write) -> None:
    """An operator mends twenty in one go; the good ones come first."""
    path = write("a.csv", "number,x\n" + ",\n" * 32 + "A1,\n")
    reading = read_job(path)
    assert next(reading).number == "A1"
    with pytest.raises(JobFileError) as caught:
        next(reading)
    assert len(caught.value.troubles) == 20
    assert caught.value.more == 12
    assert english(caught.value).splitlines()[-1] == "and 12 more"
    assert chinese(caught.value).splitlines()[-1] == "另有 12 行有错。"


def test_a_structural_error_is_raised_at_once_with_the_lines_before(write: Write) -> None:
    """What was found so far is not lost to it."""
    path = write("a.csv", 'number\n""\n"A1\nA2\n')
    assert troubles(path) == [(Code.EMPTY, 2), (Code.OPEN_QUOTE, 3)]


@pytest.mark.parametrize(
    "tail", ['"A2', '"A2\nA3\nA4\n', '"A2\nA3\n"A4"\n', '"A2\n' + "A3456789\n" * 20_000]
)
def test_an_open_quotation_mark_cannot_be_skipped(write: Write, tail: str) -> None:
    """It has swallowed numbers, which would be left out unseen."""
    with pytest.raises(JobFileError) as caught:
        list(read_job(write("a.csv", "number\nA1\n" + tail), skip_bad_lines=True))
    assert [(it.code, it.line) for it in caught.value.troubles] == [(Code.OPEN_QUOTE, 3)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "number\n"),
        ("a.csv", "单据编号;备注"),
        ("a.txt", "\n\nFBillNo\n\n \n"),
        ("a.json", "[]"),
        ("a.json", ' {"route": "x", "numbers": [ ]}\n'),
    ],
)
def test_a_heading_and_no_numbers_is_an_empty_job(write: Write, name: str, content: str) -> None:
    """An export that found nothing is no failure."""
    assert numbers(write(name, content)) == []


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.xlsx", "a"])
def test_a_file_without_a_byte_is_a_failed_export(write: Write, name: str) -> None:
    """It has not even a heading."""
    assert troubles(write(name, b"")) == [(Code.NO_BYTE, None)]


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.json", "a.jsonl", "a"])
@pytest.mark.parametrize("content", [b"\n", b" \r\n\t\r\n", b"\xef\xbb\xbf", b"\xff\xfe\n\0"])
def test_nothing_but_blanks_is_a_failed_export(write: Write, name: str, content: bytes) -> None:
    """Without a heading, nobody can tell it from a list that was lost."""
    assert troubles(write(name, content)) == [(Code.BLANK, None)]


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """The most common slips have sentences of their own."""
    assert troubles(tmp_path / "none.csv") == [(Code.MISSING, None)]
    assert troubles(tmp_path) == [(Code.FOLDER, None)]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="Windows has no such file")
@pytest.mark.parametrize("name", ["/dev/zero", "/dev/full", "/dev/null"])
def test_a_device_is_no_list(name: str) -> None:
    """Its bytes may have no end, and no list would ever be found in them."""
    assert troubles(Path(name)) == [(Code.DEVICE, None)]


def test_a_file_that_may_not_be_read_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows says the same of a file that Excel holds open."""

    def refuse(*_: object) -> Iterator[str]:
        raise PermissionError(13, "Permission denied")

    path = write("a.csv", "A1")
    monkeypatch.setattr(Path, "open", refuse)
    assert troubles(path) == [(Code.NO_PERMISSION, None)]


def test_another_failure_of_the_system_is_told_in_its_words(tmp_path: Path) -> None:
    """A disk or share may fail in ways that nobody has listed."""
    with refused(JobFileError, "cannot be read"):
        numbers(tmp_path / ("x" * 300 + ".csv"))


def test_a_file_that_changes_while_it_is_read_is_an_error(write: Write) -> None:
    """Another program may still be writing it."""
    path = write("a.csv", "A1\n" * 100_000)
    reading = read_job(path)
    next(reading)
    with path.open("r+b") as file:
        file.seek(290_000)
        file.write(b"\xff")
    with refused(JobFileError, "changed while it was being read"):
        list(reading)


@pytest.mark.parametrize("content", ["A1\n", '"A1"\n', '["A1"]'])
def test_blank_lines_before_the_list_do_not_hide_its_kind(write: Write, content: str) -> None:
    """However many there are, the first character behind them decides."""
    extension = {"A": "csv", '"': "jsonl", "[": "json"}[content[0]]
    for name in (f"a.{extension}", "job.list"):
        assert lines(write(name, "\n" * 100_000 + content)) == [(100_001, "A1")]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", Code.OTHER_KIND),
        (b"%PDF-1.7\n", Code.OTHER_KIND),
        (b"\x1f\x8b\x08\0", Code.OTHER_KIND),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Code.WORKBOOK),
        (b"\n<!DOCTYPE html><table><tr><td>A1</td></tr></table>", Code.OTHER_KIND),
        (b"<?xml version='1.0'?><a/>", Code.OTHER_KIND),
        (b"<TABLE border=1>", Code.OTHER_KIND),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.dat"])
def test_a_file_of_another_kind_than_its_name_is_an_error(
    write: Write, name: str, content: bytes, code: Code
) -> None:
    """What renamed files hold is told at their door."""
    assert [its for its, _ in troubles(write(name, content))] == [code]


@pytest.mark.parametrize("name", ["config.toml", "Other.TOML"])
def test_settings_are_no_list_and_none_of_their_lines_is_told(write: Write, name: str) -> None:
    """Each line would be a bill number: asked of the ERP, and in every result, a password too."""
    path = write(name, '[erp]\npassword = "do-not-show-me"\n')
    with refused(JobFileError, r"file of settings.*--config") as caught:
        numbers(path)
    assert "do-not-show-me" not in str(caught.value)
    with pytest.raises(JobFileError):
        list(read_job(path, skip_bad_lines=True))


@pytest.mark.parametrize("name", ["a.XLS", "a.xlsb", "a.et", "a.ods"])
@pytest.mark.parametrize("content", ["PK\x03\x04", "number\nA1"])
def test_a_workbook_of_another_kind_is_an_error_that_names_the_cure(
    write: Write, name: str, content: str
) -> None:
    """Whatever is inside, the operator can save it as XLSX."""
    path = write(name, content)
    with refused(JobFileError, r"workbook.*save it as an Excel workbook \(\.xlsx\)"):
        numbers(path)
    assert troubles(path) == [(Code.WORKBOOK, None)]


def test_a_line_without_end_is_not_loaded(write: Write) -> None:
    """A file without line ends would need all memory."""
    path = write("a.csv", "number\n" + "A" * 300_000 + "\nA2\n")
    assert troubles(path) == [(Code.LONG_LINE, 2)]
    assert troubles(write("a.jsonl", '"A"\n"' + "A" * 300_000)) == [(Code.LONG_LINE, 2)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"number;x\nA1;1\nA2;2\n", ["A1", "A2"]),
        (b'["A1",\n"A2"]', ["A1", "A2"]),
        (b'{"numbers":["A1","A2"]}', ["A1", "A2"]),
        (b'{\n"numbers":["A1","A2"]}', ["A1", "A2"]),
        (b'{"number":"A1"}\n{"number":"A2"}\n', ["A1", "A2"]),
        (b'"number"\n"A1"\n"A2"\n', ["A1", "A2"]),
        (b"[A1]\n[A2]\n", ["[A1]", "[A2]"]),
        (b"{A1}\n{A2}\n", ["{A1}", "{A2}"]),
    ],
)
def test_what_has_no_extension_is_told_by_its_content(
    write: Write, content: bytes, expected: list[str]
) -> None:
    """Standard input has no name, and scripts name files as they like."""
    assert [it.number for it in read_job(io.BytesIO(content))] == expected
    assert numbers(write("job.list", content)) == expected


def test_a_stream_is_called_standard_input() -> None:
    """An operator never typed the name that Python has for it."""
    with refused(JobFileError, r"^standard input, line 1: ") as caught:
        list(read_job(io.BytesIO(b"A1,A2\n")))
    assert chinese(caught.value).startswith("标准输入，第 1 行：")


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of Unix")
def test_a_named_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """`<(command)` of the shell is one, and cannot be read twice."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=("单号\nA1\n".encode("gb18030"),))
    writer.start()
    assert numbers(pipe) == ["A1"]
    writer.join()


def test_every_code_has_its_sentences_in_both_languages() -> None:
    """Each has a cure, and mentions only facts that its reader gives."""
    for code in Code:
        cure_en, cure_zh = WORDS[f"job.{code}.cure"]
        assert WORDS[f"job.{code}"]
        assert cure_en.endswith("."), code
        assert cure_zh.endswith("。"), code


def test_an_error_reads_as_a_place_a_reason_and_a_cure(write: Write) -> None:
    """The whole sentence, as an operator sees it."""
    path = write("orders.csv", "number;x\n;1\n")
    with pytest.raises(JobFileError) as caught:
        list(read_job(path))
    assert english(caught.value) == (
        f"{path}, line 2: the bill number is empty. Remove the line or fill it in."
    )
    assert chinese(caught.value) == f"{path}，第 2 行：单据编号为空。请删除该行或补上编号。"


def test_texts_from_the_file_cannot_steer_a_terminal(write: Write) -> None:
    """Escape sequences are spelled out, long values are cut."""
    with pytest.raises(JobFileError) as caught:
        list(read_job(write("a.csv", "A\x1b[2J" + "x" * 60)))
    assert "\x1b" not in english(caught.value)
    assert "A\\u001b[2J" in english(caught.value)
    assert "x" * 50 not in english(caught.value)


def test_an_error_travels_between_processes() -> None:
    """Workers hand their errors over pickled."""
    error = JobFileError(Trouble(Code.EMPTY, "a.csv", 2), more=3)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made one line above
    assert (str(again), again.more) == (str(error), 3)


# Run in a process of its own, whose peak belongs to nobody else. The first reading warms up.
PEAK = """
import resource, sys
from pathlib import Path
from k3push.adapters.job_files import read_job
peaks = []
for name in sys.argv[1:]:
    count = sum(1 for _ in read_job(Path(name)))
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print(count, peaks[-1] - peaks[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
@pytest.mark.parametrize(
    ("name", "before", "row", "after"),
    [
        ("a.csv", "number;备注\n", "CGDD{:08d};急\n", ""),
        ("a.json", '{"numbers":["X"', ',"CGDD{:08d}"', '],"route":"x"}'),
        ("a.jsonl", "", '{{"number":"CGDD{:08d}"}}\n', ""),
    ],
)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, name: str, before: str, row: str, after: str
) -> None:
    """Three hundred thousand lines take what three thousand take."""
    paths = []
    for count in (3_000, 300_000):
        path = tmp_path / f"{count}.{name}"
        path.write_text(before + "".join(map(row.format, range(count))) + after, encoding="utf-8")
        paths.append(str(path))
    done = subprocess.run(  # noqa: S603 - this interpreter, arguments of ours
        [sys.executable, "-c", PEAK, *paths],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    count, growth_kb = map(int, done.stdout.split())
    assert count >= 300_000
    assert growth_kb < 4_096
