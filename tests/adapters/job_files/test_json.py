"""JSON and JSONL: shapes, lines, routes, and what is not JSON at all."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from k3push.adapters.job_files import Code, JobFileError, Trouble, read_job
from k3push.core.model import BillNumber, Listed
from tests.said import refused

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a job file of some name."""

    def written(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_text(content, encoding="utf-8", newline="")
        return path

    return written


def read(path: Path, column: str | None = None) -> list[tuple[int, str, str]]:
    """Return line, number and route of everything that is listed."""
    return [(it.line, it.number, it.route) for it in read_job(path, column=column)]


def troubles(path: Path) -> list[tuple[Code, int | None]]:
    """Return code and line of everything that is wrong with a job file."""
    with pytest.raises(JobFileError) as caught:
        list(read_job(path))
    return [(trouble.code, trouble.line) for trouble in caught.value.troubles]


def test_a_list_may_hold_strings_and_objects(write: Write) -> None:
    """Keys are known in any case, as headings are."""
    path = write("a.json", '["A1", {"FBILLNO": " A2 ", "Route": "x", "y": [{"number": "no"}]}]')
    assert read(path) == [(1, "A1", ""), (1, "A2", "x")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_element_has_the_line_where_it_begins(write: Write, end: str) -> None:
    """The line leads an operator to the element in an editor."""
    path = write(
        "a.json",
        end.join(("[", '"A1",', "", '{"x": 1,', ' "number": "A2"', "},", '"A3", 4', "]")),
    )
    assert read(path) == [(2, "A1", ""), (4, "A2", ""), (7, "A3", ""), (7, "4", "")]


def test_lines_are_right_wherever_the_reading_is_cut(write: Write) -> None:
    """A line end of two characters may fall on the seam between two pieces."""
    rows = [f'"{"A" * (1 + index % 7)}{index}"' for index in range(30_000)]
    for pad in range(3):
        path = write("a.json", "[" + " " * pad + ",\r\n".join(rows) + "]")
        listed = list(read_job(path))
        assert [it.line for it in listed] == list(range(1, len(rows) + 1))
        assert listed[-1].number == rows[-1].strip('"')


@pytest.mark.parametrize(
    "content",
    [
        '{"route": "po", "numbers": ["A1", {"number": "A2", "route": "x"}]}',
        '{"numbers": ["A1", {"number": "A2", "route": "x"}], "more": {"a": []}, "route": "po"}',
        '{"more": [{"route": 1}], "Numbers": ["A1", {"编号": "A2", "route": "x"}], "ROUTE": "po"}',
    ],
)
def test_the_route_of_a_list_counts_before_and_behind_it(write: Write, content: str) -> None:
    """An element that names its own keeps it."""
    assert read(write("a.json", content)) == [(1, "A1", "po"), (1, "A2", "x")]


def test_a_late_route_is_found_behind_a_long_list(write: Write) -> None:
    """The look ahead must not disturb the reading that waits for it."""
    items = ",\n".join(f'"A{index}"' for index in range(20_000))
    listed = list(read_job(write("a.json", f'{{"numbers": [\n{items}], "route": "po"}}')))
    assert len(listed) == 20_000
    assert listed[-1] == Listed(20_001, BillNumber("A19999"), "po")


def test_whole_numbers_keep_every_digit(write: Write) -> None:
    """Scripts write numbers without quotation marks; other numbers have no one spelling."""
    big = "123456789012345678901234567890"
    assert read(write("a.json", f'[17, {{"number": {big}}}]')) == [(1, "17", ""), (1, big, "")]
    assert read(write("a.jsonl", f'"A"\n{{"number": {big}, "x": 1.5}}\n')) == [
        (1, "A", ""),
        (2, big, ""),
    ]


@pytest.mark.parametrize(
    ("element", "code"),
    [
        ("1.0", Code.NOT_A_NUMBER),
        ("1e5", Code.NOT_A_NUMBER),
        ("null", Code.NOT_A_NUMBER),
        ("true", Code.NOT_A_NUMBER),
        ('["A1"]', Code.NOT_A_NUMBER),
        ('{"number": {"number": "A1"}}', Code.NOT_A_NUMBER),
        ('{"number": 1.5}', Code.NOT_A_NUMBER),
        ('{"no": "A1", "x": 1}', Code.NO_KEY),
        ("{}", Code.NO_KEY),
        ('{"number": "A1", "编号": "A2"}', Code.TWO_KEYS),
        ('{"number": "A1", "Numbers": ["A2"]}', Code.TWO_KEYS),
        ('{"number": "A1", "route": 7}', Code.BAD_ROUTE),
        ('{"number": "A1", "route": [1]}', Code.BAD_ROUTE),
        ('" "', Code.EMPTY),
        ('"A1,A2"', Code.COMMA),
        (r'"A\u0000"', Code.CONTROL),
        (r'"A\nB"', Code.CONTROL),
        ('"' + "A" * 81 + '"', Code.TOO_LONG),
    ],
)
@pytest.mark.parametrize("extension", ["json", "jsonl"])
def test_a_bad_element_is_a_bad_line(
    write: Write, element: str, code: Code, extension: str
) -> None:
    """JSON and JSONL judge an element alike and go on behind it."""
    rows = ('{"number": "A1"}', element, '{"number": "A3"}')
    content = "[" + ",\n".join(rows) + "]" if extension == "json" else "\n".join(rows)
    path = write(f"a.{extension}", content)
    assert troubles(path) == [(code, 2)]
    told: list[Trouble] = []
    listed = read_job(path, skip_bad_lines=True, on_bad_line=told.append)
    assert [it.number for it in listed] == ["A1", "A3"]
    assert [it.code for it in told] == [code]


def test_a_list_on_one_line_counts_its_elements(write: Write) -> None:
    """Line 1 alone would lead nowhere."""
    with refused(JobFileError, r"a\.json, line 1, element 3: the bill number is empty"):
        read(write("a.json", '["A1", "A2", ""]'))


def test_a_named_key_is_the_only_one_that_counts(write: Write) -> None:
    """`--column` names keys as it names headings; strings have none."""
    path = write("a.json", '[{"number": "A1", "Order": "B1"}, "C1"]')
    assert [number for _, number, _ in read(path, column="order")] == ["B1", "C1"]


def test_a_key_of_the_number_is_found_behind_many_others(write: Write) -> None:
    """Exports carry whole bills."""
    fields = ", ".join(f'"f{index}": {index}' for index in range(50))
    assert read(write("a.json", f'[{{{fields}, "number": "A1"}}]')) == [(1, "A1", "")]


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        ('{"route": "x"}', Code.NO_LIST, 1),
        ('{"numbers": "A1"}', Code.NO_LIST, 1),
        ('{"numbers": {"a": 1}}', Code.NO_LIST, 1),
        ('{"data": ["A1"]\n}', Code.NO_LIST, 2),
        ('{"numbers": ["A1"],\n"numbers": ["A2"]}', Code.KEY_TWICE, 2),
        ('{"number": "A1",\n"numbers": ["A2"]}', Code.TWO_KEYS, 1),
        ('{"numbers": ["A2"],\n"单号": "A1"}', Code.TWO_KEYS, 2),
        ('{"route": 7, "numbers": ["A1"]}', Code.ROUTE_NOT_TEXT, 1),
        ('{"numbers": ["A1"], "route": []}', Code.ROUTE_NOT_TEXT, 1),
        ('["A1",\n"A2"', Code.CUT_OFF, 2),
        ('["A1",\n"A2', Code.CUT_OFF, 2),
        ('{"numbers": ["A1"]', Code.CUT_OFF, 1),
        ('["A1"\n"A2"]', Code.JSON_SYNTAX, 2),
        ('["A1"]\n["A2"]', Code.JSON_SYNTAX, 2),
        ("['A1']", Code.JSON_SYNTAX, 1),
        ('["A1",]', Code.JSON_SYNTAX, 1),
        ('["A1",\n"B\\ud800A"]', Code.JSON_SYNTAX, 2),
        ('[{"number": "A1"},\n {"number": "\\udc00A"}]', Code.JSON_SYNTAX, 2),
        ("[" * 100_000, Code.TOO_DEEP, 1),
        ('["A1",\n{"a":' + '{"a":' * 70, Code.TOO_DEEP, 2),
        ("[" + "9" * 5_000 + "]", Code.HUGE_VALUE, 1),
        ("[1e99999999999999999999]", Code.HUGE_VALUE, 1),
        ('["A1",\n"' + "A" * 2_000_000, Code.HUGE_VALUE, 2),
        ('{"number": "A1"}', Code.LINES_NOT_JSON, 1),
        ('"A1"\n"A2"', Code.LINES_NOT_JSON, 1),
        ("number\nA1\n", Code.NOT_JSON, 1),
    ],
)
def test_a_document_that_is_no_list_of_numbers_is_an_error(
    write: Write, content: str, code: Code, line: int | None
) -> None:
    """Half files, endless nesting and other kinds end with the place, skipped or not."""
    path = write("a.json", content)
    for skip in (False, True):
        with pytest.raises(JobFileError) as caught:
            list(read_job(path, skip_bad_lines=skip))
        assert [(it.code, it.line) for it in caught.value.troubles] == [(code, line)]


@pytest.mark.parametrize("cut", range(-1, 8))
def test_half_a_character_is_found_wherever_the_reading_is_cut(write: Write, cut: int) -> None:
    """Both halves of one may be in two pieces, and are no error there."""
    before = '["A1",' + " " * ((1 << 16) - 8 - cut) + '"'
    assert troubles(write("a.json", before + '\\ud83dA"]')) == [(Code.JSON_SYNTAX, 1)]
    whole = read(write("a.json", before + 'A\\ud83d\\ude00", "\\\\ud83d"]'))
    assert [number for _, number, _ in whole] == ["A1", "A\U0001f600", "\\ud83d"]


def test_one_value_a_line_called_json_is_told_its_name(write: Write) -> None:
    """Its first line ends before the parser meets the second."""
    path = write("a.json", '{"number": "A1"}\n{"number": "A2"}\n')
    with refused(JobFileError, r"line 1: .* Name it \.jsonl"):
        read(path)


def test_numbers_before_an_error_are_yielded(write: Write) -> None:
    """The reading is a stream: it fails where the file does."""
    reading = read_job(write("a.json", '["A1", "A2" "A3"]'))
    assert [it.number for it in itertools.islice(reading, 2)] == ["A1", "A2"]
    with pytest.raises(JobFileError):
        next(reading)


def test_jsonl_has_a_string_or_an_object_a_line(write: Write) -> None:
    """Blank lines are passed over and counted."""
    path = write("a.ndjson", '"A1"\r\n\r\n{"bill_no": "A2", "route": "x"}\r\n3')
    assert read(path) == [(1, "A1", ""), (3, "A2", "x"), (4, "3", "")]


def test_a_broken_line_of_jsonl_is_a_bad_line(write: Write) -> None:
    """The lines around it stand for themselves."""
    deep = "[" * 5_000 + "]" * 5_000
    path = write("a.jsonl", f'"A1"\n{{"number": \nA2\n{{"x": {deep}}}\n"A3"\n')
    assert troubles(path) == [(Code.BAD_RECORD, line) for line in (2, 3, 4)]


def test_a_line_that_one_parser_finds_too_deep_is_judged_all_the_same(write: Write) -> None:
    """Two parsers read numbers with a fraction, and their limits differ."""
    deep = "[" * 1_010 + "]" * 1_010
    path = write("a.jsonl", f'{{"number": 1.5, "x": {deep}}}\n')
    assert troubles(path) == [(Code.NOT_A_NUMBER, 1)]


@pytest.mark.parametrize("big", ["9" * 5_000, "1" + "0" * 400])
def test_a_line_with_thousands_of_digits_is_a_bad_line(write: Write, big: str) -> None:
    """It is longer than any bill number, whichever parser gives up on it."""
    path = write("a.jsonl", f'"A1"\n{big}\n"A3"\n')
    assert [line for _, line in troubles(path)] == [2]


def test_jsonl_that_breaks_off_cannot_be_skipped(write: Write) -> None:
    """Lines may be missing behind the last one."""
    with pytest.raises(JobFileError) as caught:
        list(read_job(write("a.jsonl", '"A1"\n{"number": "A'), skip_bad_lines=True))
    assert [(it.code, it.line) for it in caught.value.troubles] == [(Code.CUT_OFF, 2)]


@pytest.mark.parametrize("content", ['["A1"]', '[\n"A1"\n]', '{\n"numbers": []}', '{"numbers":[]}'])
def test_a_document_called_jsonl_is_told_its_name(write: Write, content: str) -> None:
    """It would be one bad line, or many."""
    assert troubles(write("a.jsonl", content)) == [(Code.JSON_NOT_LINES, 1)]


def test_a_table_called_jsonl_is_told_its_name(write: Write) -> None:
    """As is one called JSON."""
    assert troubles(write("a.jsonl", "number\nA1\n")) == [(Code.NOT_JSON, 1)]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
@pytest.mark.parametrize("content", ['["A1"]', "[]", '\n{"number": "A1"}\n', "[\n{", '{\n  "a": 1'])
def test_json_called_a_table_is_told_its_name(write: Write, name: str, content: str) -> None:
    """Its brackets would become part of the numbers."""
    assert troubles(write(name, content)) == [(Code.JSON_IN_TABLE, 1)]
