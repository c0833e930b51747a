"""Encodings and arbitrary bytes: one list is one list, and anything else is a JobFileError."""

from __future__ import annotations

import codecs
import contextlib
import json
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from k3push.adapters.job_files import Code, JobFileError, Trouble, read_job
from k3push.core.model import Listed
from tests.said import chinese, english

EXTENSIONS = ("csv", "tsv", "txt", "json", "jsonl", "ndjson", "xlsx", "")


def read(content: bytes, extension: str = "csv") -> list[tuple[int, str]]:
    """Return line and number of everything that is listed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"job.{extension}")
        path.write_bytes(content)
        return [(it.line, it.number) for it in read_job(path)]


def trouble(content: bytes, extension: str = "csv") -> tuple[Code, int | None]:
    """Return code and line of what is wrong with a job file."""
    with pytest.raises(JobFileError) as caught:
        read(content, extension)
    return caught.value.troubles[0].code, caught.value.troubles[0].line


def spellings(numbers: list[str]) -> dict[str, tuple[str, bytes]]:
    """Return one list in each spelling that a job file may have, with its extension."""
    bare = "\r\n".join(["单据编号", *numbers])
    rows = [f"{number};备注 {index}" for index, number in enumerate(numbers)]
    objects = [{"单号": number, "备注": "急"} for number in numbers]
    return {
        "GB18030 CSV": ("csv", bare.encode("gb18030")),
        "UTF-16 TSV": (
            "tsv",
            "\n".join(["x\tFBillNo", *(f"\t{n}" for n in numbers)]).encode("utf-16"),
        ),
        "UTF-16 BE without mark": ("csv", bare.encode("utf-16-be")),
        "UTF-16 LE without mark": ("csv", bare.encode("utf-16-le")),
        "BOM TXT": ("txt", codecs.BOM_UTF8 + "\n".join(numbers).encode()),
        "semicolons": ("csv", "\n".join(["bill_no;备注", *rows]).encode()),
        "JSON strings": ("json", json.dumps(numbers).encode()),
        "JSON objects": (
            "json",
            json.dumps(objects, ensure_ascii=False, indent=1).encode("gb18030"),
        ),
        "JSON with route": ("json", json.dumps({"numbers": numbers, "route": "x"}).encode()),
        "JSONL": ("jsonl", "\n".join(map(json.dumps, numbers)).encode("utf-16")),
    }


bill_numbers = st.text(
    st.sampled_from("ABCGDXYZcgd0123456789-_/.#（）采购订单ＣＧ１　"), min_size=1, max_size=20
).map(lambda text: "N" + text.strip("\u3000") + "7")


@settings(max_examples=30, deadline=None)
@given(st.lists(bill_numbers, min_size=40, max_size=40))
def test_every_spelling_of_a_list_gives_the_same_numbers(numbers: list[str]) -> None:
    """Whichever way a list was exported, the same bills are pushed."""
    for name, (extension, content) in spellings(numbers).items():
        assert [number for _, number in read(content, extension)] == numbers, name


starts = st.sampled_from(
    [
        b"",
        b"number\n",
        b"number;x\n",
        b'["A",',
        b'{"numbers":[',
        b"[{",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ]
)
pieces = st.one_of(
    st.binary(max_size=8),
    st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text(max_size=8).map(lambda text: text.encode("utf-16-le", "surrogatepass")),
    st.text(st.sampled_from("单据编号"), max_size=8).map(lambda text: text.encode("gb18030")),
    st.sampled_from(
        b'\n _ \r _ " _ , _ ; _ \t _ [ _ ] _ { _ } _ : _ \\ _ \\ud800 _ A1 _ "A1" _ 1.5 _ null'
        b' _ "number": _ "route": _ "numbers": _ sep=;'.split(b" _ ")
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(EXTENSIONS), starts, st.lists(pieces, max_size=24))
@example("", b'{"number":"A"}', [b"\n7"])
@example("json", b"[", [b"9" * 5_000, b"]"])
def test_any_bytes_give_valid_numbers_or_a_job_file_error(
    extension: str, start: bytes, rest: list[bytes]
) -> None:
    """No file, however broken, ends in another error or in a number that cannot be one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"job.{extension}")
        path.write_bytes(start + b"".join(rest))
        for skip in (False, True):
            listed: list[Listed] = []
            with contextlib.suppress(JobFileError):
                listed.extend(read_job(path, skip_bad_lines=skip))
            for it in listed:
                assert 1 <= len(it.number) <= 80
                assert it.number == it.number.strip()
                assert "," not in it.number
                assert not {"Cc", "Cs"} & set(map(unicodedata.category, it.number))
            assert [it.line for it in listed] == sorted(it.line for it in listed)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(EXTENSIONS), starts, st.lists(pieces, max_size=24))
def test_every_error_has_one_line_for_each_trouble(
    extension: str, start: bytes, rest: list[bytes]
) -> None:
    """Whatever the file holds, its messages can be shown in both languages."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"job.{extension}")
        path.write_bytes(start + b"".join(rest))
        try:
            assert all(it.number for it in read_job(path))
        except JobFileError as error:
            texts = english(error), chinese(error)
            count = len(error.troubles) + (error.more > 0)
        else:
            return
    assert [len(text.splitlines()) for text in texts] == [count, count]
    assert count > 0


def test_the_first_chinese_byte_may_come_late() -> None:
    """Megabytes of ASCII are the same in UTF-8 and GB18030."""
    ascii_rows = b"".join(b"A%d;x\n" % index for index in range(200_000))
    for encoding in ("utf-8", "gb18030"):
        listed = read(b"number;x\n" + ascii_rows + "订单7;x\n".encode(encoding))
        assert listed[-1] == (200_002, "订单7")


def test_damaged_utf8_is_not_taken_for_gb18030() -> None:
    """Its characters would become others, unseen."""
    content = "单据编号\nA1\n采购1\n".encode()
    assert trouble(content + "采购".encode()[:-1]) == (Code.UNDECODABLE, 4)
    assert trouble(content * 9_000 + b"\xff") == (Code.UNDECODABLE, 27_001)
    assert trouble(content + b"\xff\n" + content) == (Code.UNDECODABLE, 4)


def test_bytes_of_no_known_encoding_are_named_with_their_line() -> None:
    """The operator opens the file there."""
    assert trouble("编号\nA1\n".encode("gb18030") + b"A\xff\n") == (Code.UNDECODABLE, 3)
    assert trouble("\ufeffA1\nA2\n".encode("utf-16-le") + b"A") == (Code.UNDECODABLE, 3)
    assert trouble("\ufeffA1\nA2\n".encode("utf-16-le") + b"\x00\xd8A\0") == (Code.UNDECODABLE, 3)


def test_a_replacement_character_is_not_the_place_of_damage() -> None:
    """It is a trace of damage long ago, and decodes."""
    assert trouble("\ufffd\ufffd\nA1\n".encode() + b"\xff") == (Code.UNDECODABLE, 3)


@pytest.mark.parametrize("extension", ["csv", "json", "jsonl", ""])
def test_a_nul_byte_is_named_with_its_line(extension: str) -> None:
    """Files that a crash left behind end in blocks of them."""
    assert trouble(b'["A1",\r\n"A2\0"]', extension) == (Code.NUL, 2)
    assert trouble(b"number\nA1\nA2" + b"\0" * 9, extension) == (Code.NUL, 3)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "gb18030", "utf-8-sig"])
@pytest.mark.parametrize("extension", ["csv", "json", "jsonl", ""])
def test_the_encoding_does_not_depend_on_the_kind(encoding: str, extension: str) -> None:
    """PowerShell writes any of them in UTF-16."""
    content = {"json": '["采购1",\n"A2"]', "jsonl": '"采购1"\n"A2"\n'}.get(extension, "采购1\nA2\n")
    assert read(content.encode(encoding), extension) == [(1, "采购1"), (2, "A2")]


def test_a_mark_before_a_quotation_mark_does_not_matter() -> None:
    """The mark is no part of the first cell."""
    for encoding in ("utf-8-sig", "utf-16"):
        assert read('"number","x"\n"A1","b"\n'.encode(encoding)) == [(2, "A1")]
    assert read('\ufeff"number"\n"A1"\n'.encode("gb18030")) == [(2, "A1")]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("number\n鲁CG1\n鲁CG2\n".encode("gb18030"), ["³CG1"]),
        ("number\n³CG1\n".encode("utf-8-sig"), []),
        ("number\n采CG1\n³CG1\n".encode(), ["³CG1"]),
        ("number,x\nCG1,鲁\n".encode("gb18030"), []),
        ("单号\n鲁CG1\n".encode("gb18030"), []),
    ],
)
def test_a_number_that_may_be_meant_in_gb18030_is_told_once(
    tmp_path: Path, content: bytes, told: list[str]
) -> None:
    """A list with one Chinese character and a heading in English may be UTF-8 as well."""
    path = tmp_path / "job.csv"
    path.write_bytes(content)
    found: list[Trouble] = []
    assert list(read_job(path, on_bad_line=found.append))
    assert [each.facts["value"] for each in found] == told
    assert {each.code for each in found} <= {Code.ENCODING_PERHAPS}
    for each in found:
        assert "按 GB18030 则为 鲁CG1。如应为后者" in chinese(str(each))
