"""Job files of strangers: what they may not have read, written or used up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import orjson
import psutil  # type: ignore[import-untyped]  # it has no types
import pytest

from k3push.adapters.job_files import Code, JobFileError, read_job
from k3push.adapters.job_files.folders import Left, look_into
from k3push.adapters.job_files.reader_pool import ReadersApart
from k3push.adapters.job_files.untrusted_files import MOST_BYTES, UntrustedFile, taken
from k3push.adapters.untrusted_paths import Below
from k3push.core.model import Listed
from tests.adapters.job_files.test_folders import NOW_S, drop
from tests.adapters.job_files.test_xlsx import SHEET, codes, edited, sheets, workbook

LITTLE = 160 << 20


@pytest.fixture
def readers() -> Iterator[ReadersApart]:
    """Give readers apart."""
    readers = ReadersApart()
    yield readers
    readers.close()


def code_of(place: Below, digest: str = "", aside: frozenset[str] = frozenset()) -> Code:
    """Return why a file is not taken."""
    with (
        pytest.raises(JobFileError) as caught,
        taken(UntrustedFile(place, digest), "a.csv", aside=aside),
    ):
        pass
    return caught.value.troubles[0].code


def test_a_link_in_a_folder_is_no_list(tmp_path: Path) -> None:
    """A link to another's file would send its lines to the tenant's ERP."""
    (tmp_path / "secret.csv").write_text("root:x:0\n")
    box = tmp_path / "box"
    box.mkdir()
    (box / "a.csv").symlink_to(tmp_path / "secret.csv")
    drop(box, "b.csv")
    found = look_into(Below(box, ()), NOW_S)
    assert [file.name for file in found.files] == ["b.csv"]
    assert found.left == (("a.csv", Left.LINK),)
    assert code_of(Below(box, ("a.csv",))) is Code.LINK


def test_no_part_below_the_folder_may_be_a_link(tmp_path: Path) -> None:
    """A folder on the way leads elsewhere as well as the file itself."""
    other = tmp_path / "other"
    other.mkdir()
    drop(other, "a.csv")
    (tmp_path / "box").symlink_to(other)
    assert code_of(Below(tmp_path, ("box", "a.csv"))) is Code.LINK
    with pytest.raises(JobFileError) as caught:
        look_into(Below(tmp_path, ("box",)), NOW_S)
    assert caught.value.troubles[0].code is Code.LINK
    assert code_of(Below(other, ("..", "other", "a.csv"))) is Code.LINK


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    """A pipe would be waited for, and a device has no end."""
    os.mkfifo(tmp_path / "a.csv")
    assert code_of(Below(tmp_path, ("a.csv",))) is Code.DEVICE
    assert look_into(Below(tmp_path, ()), NOW_S).files == ()


def test_a_file_that_was_changed_since_it_was_found_is_left(tmp_path: Path) -> None:
    """What was looked at, read and written down is one content."""
    drop(tmp_path, "a.csv")
    (file,) = look_into(Below(tmp_path, ()), NOW_S).files
    place = Below(tmp_path, ("a.csv",))
    with taken(UntrustedFile(place, file.digest), "a.csv", aside=frozenset()) as copy:
        drop(tmp_path, "a.csv", "B2\n")
        assert [each.number for each in read_job(copy)] == ["A1"]
    assert code_of(place, file.digest) is Code.CHANGED
    (other,) = look_into(Below(tmp_path, ()), NOW_S).files
    assert code_of(place, aside=frozenset((other.digest,))) is Code.ASIDE


def test_a_file_that_is_no_list_by_its_size_is_not_read(tmp_path: Path) -> None:
    """One that holds nothing but a hole of terabytes costs nobody anything but who looks at it."""
    drop(tmp_path, "a.csv")
    os.truncate(tmp_path / "a.csv", MOST_BYTES + 1)
    os.utime(tmp_path / "a.csv", (0, 0))
    with pytest.raises(JobFileError) as caught:
        look_into(Below(tmp_path, ()), NOW_S)
    (trouble,) = caught.value.troubles
    assert (trouble.code, trouble.file) == (Code.TOO_BIG, str(tmp_path / "a.csv"))


def test_a_folder_of_more_than_lists_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of such files would hold up the looks into the folders of other tenants."""
    for name in ("a.csv", "b.csv"):
        drop(tmp_path, name)
    for most in ("MOST_FOLDER_BYTES", "MOST_FILES"):
        with monkeypatch.context() as little:
            little.setattr(f"k3push.adapters.job_files.folders.{most}", 1)
            with pytest.raises(JobFileError) as caught:
                look_into(Below(tmp_path, ()), NOW_S)
        assert caught.value.troubles[0].code is Code.FULL_FOLDER


def test_a_reader_apart_reads_as_one_here_does(tmp_path: Path, readers: ReadersApart) -> None:
    """Numbers, skipped lines and troubles come over, and a second reading parses nothing."""
    path = tmp_path / "list.csv"
    path.write_text("number,route\nA1,in\n,in\nB2,\n", "utf-8")
    told: list[object] = []
    options = {"name": "a.csv", "skip_bad_lines": True, "on_bad_line": told.append}
    there = list(readers.read_job(path, **options))  # type: ignore[arg-type]
    assert there == list(read_job(path, **options))  # type: ignore[arg-type]
    assert told[0] == told[1]
    path.write_text("changed")
    assert list(readers.read_job(path, name="a.csv")) == there
    bad = tmp_path / "bad.csv"
    bad.write_text("number\n\x01\n", "utf-8")
    with pytest.raises(JobFileError) as caught:
        list(readers.read_job(bad, name="bad.csv"))
    with pytest.raises(JobFileError) as here:
        list(read_job(bad, name="bad.csv"))
    assert caught.value.troubles == here.value.troubles
    book = tmp_path / "book.xlsx"
    lists = {name: {"A1": "number"} for name in ("A", "采购 B", "C", "D")}
    # Nobody can choose from names that fill a page.

    def widen(part: bytes) -> bytes:
        return part.replace(b'name="D"', b'name="%s"' % (b"D" * 5000))

    book.write_bytes(edited(sheets(lists, hidden=["C"]), "xl/workbook.xml", widen))
    with pytest.raises(JobFileError) as caught:
        list(readers.read_job(book, name="book.xlsx", sheet=""))
    assert caught.value.sheets == ["A", "采购 B"]


def test_a_reader_of_another_version_is_answered_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update changes the files under a service that goes on: a reader begun after it is new."""
    told = {"code": "of_tomorrow", "file": "a.csv", "line": 2, "item": None, "facts": {}}

    def parse(_: ReadersApart, source: Path, *__: object) -> None:
        troubles = {"troubles": [{**told, "sheet": ""}], "more": 0}
        source.with_name("a.csv.listed").write_bytes(orjson.dumps(troubles))

    monkeypatch.setattr(ReadersApart, "_parse", parse)
    (tmp_path / "a.csv").write_text("A")
    with pytest.raises(JobFileError) as caught:
        list(ReadersApart().read_job(tmp_path / "a.csv", name="a.csv"))
    assert [each.code for each in caught.value.troubles] == [Code.UNREADABLE]
    assert "of_tomorrow" in str(caught.value)


def test_a_file_that_ends_its_reader_twice_is_named(tmp_path: Path) -> None:
    """The worker lives, and reads the next list."""
    path = tmp_path / "list.xlsx"
    path.write_bytes(huge())
    with ExitStack() as stack:
        readers = ReadersApart(memory=LITTLE)
        stack.callback(readers.close)
        with pytest.raises(JobFileError) as caught:
            list(readers.read_job(path, name="a.xlsx"))
        (trouble,) = caught.value.troubles
        assert (trouble.code, trouble.file) == (Code.KILLS_READER, "a.xlsx")
        assert len(str(trouble.facts["digest"])) == 64
        good = tmp_path / "good.csv"
        good.write_text("A1\n")
        assert [each.number for each in readers.read_job(good, name="good.csv")] == ["A1"]


def test_readers_that_ended_as_they_waited_are_no_fault_of_a_list(
    tmp_path: Path, readers: ReadersApart
) -> None:
    """Where the memory of a machine ends, they are the first to go, and no list was being read."""
    both_there = Barrier(2)

    def read(nth: int) -> list[Listed]:
        path = tmp_path / f"list{nth}.csv"
        path.write_text(f"A{nth}\n")
        both_there.wait()
        return list(readers.read_job(path, name=path.name))

    with ThreadPoolExecutor(2) as threads:
        assert len(list(threads.map(read, range(2)))) == 2
    waiting = those_that_wait()
    assert len(waiting) == 2
    for process in waiting:
        process.kill()
        until_over(process)
    path = tmp_path / "good.csv"
    path.write_text("A1\n")
    assert [each.number for each in readers.read_job(path, name="good.csv")] == ["A1"]


def test_a_reader_reads_on_however_much_its_parent_has_had(
    tmp_path: Path, readers: ReadersApart
) -> None:
    """The system counts what the parent had as the reader's own, and it ended after each list."""
    assert len(b"a" * (300 << 20)) > 0
    waiting = []
    for nth in range(2):
        path = tmp_path / f"list{nth}.csv"
        path.write_text(f"A{nth}\n")
        assert len(list(readers.read_job(path, name=path.name))) == 1
        waiting += those_that_wait()
    assert len(waiting) == 2
    assert waiting[0] == waiting[1]


def test_a_reader_that_cannot_write_blames_no_list(tmp_path: Path, readers: ReadersApart) -> None:
    """A disk that is full for a while is none of its faults: a worker would put it aside."""
    path = tmp_path / "list.csv"
    path.write_text("A1\n")
    in_the_way = tmp_path / "list.csv.part"
    in_the_way.mkdir()
    with pytest.raises(JobFileError) as caught:
        list(readers.read_job(path, name="a.csv"))
    (trouble,) = caught.value.troubles
    assert (trouble.code, trouble.file) == (Code.UNREADABLE, "a.csv")
    assert "directory" in str(trouble.facts["reason"])
    in_the_way.rmdir()
    assert [each.number for each in readers.read_job(path, name="a.csv")] == ["A1"]


def those_that_wait() -> list[psutil.Process]:
    """Return the readers of this process."""
    return [
        each
        for each in psutil.Process().children()
        if "k3push.adapters.job_files.reader_process" in each.cmdline()
    ]


def until_over(process: psutil.Process) -> None:
    """Wait until a process has ended, and leave it to its parent to take note of that."""
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def test_a_file_that_takes_too_long_is_named(tmp_path: Path) -> None:
    """Others wait for the reader."""
    path = tmp_path / "list.csv"
    path.write_text("number\n" + "".join(f"A{nth}\n" for nth in range(200_000)))
    readers = ReadersApart(patience_s=0.01)
    with pytest.raises(JobFileError) as caught:
        list(readers.read_job(path, name="a.csv"))
    assert caught.value.troubles[0].code is Code.KILLS_READER


def huge() -> bytes:
    """Return a small workbook whose texts need more memory than a reader with little has."""
    texts = (b"<si><t>" + b"a" * 30_000 + b"</t></si>") * 8_000
    return edited(
        workbook({"A1": "number", "A2": "A1"}),
        "xl/sharedStrings.xml",
        lambda xml: xml.replace(b"</sst>", texts + b"</sst>"),
    )


def with_cells(cells: bytes) -> bytes:
    """Return a workbook whose sheet has other cells."""
    return edited(
        workbook({"A1": "number"}),
        SHEET,
        lambda xml: xml.replace(b"<sheetData>", b"<sheetData>" + cells),
    )


@pytest.mark.parametrize(
    "cells",
    [
        b'<row r="1">' + b'<c r="A1"/>' * 200_000 + b"</row>",
        b'<row r="1">' + b"<c/>" * 200_000 + b"</row>",
        b"<c/>" * 200_000,
        b"<x>" * 200_000,
        b'<row r="1" x="' + b"a" * 8_000_000 + b'"></row>',
        b"<" + b"x" * 8_000_000 + b"/>",
    ],
    ids=["one place", "a row", "no row", "deep", "attribute", "tag"],
)
def test_a_sheet_costs_no_more_than_a_sheet_may_hold(cells: bytes) -> None:
    """Twenty million cells in one row have killed one worker after another."""
    assert codes(with_cells(cells)) == [(Code.DAMAGED_WORKBOOK, None)]


def test_what_is_unpacked_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes can stand for gigabytes of blanks."""
    monkeypatch.setattr("k3push.adapters.job_files.xlsx_package.MOST_UNPACKED", 1 << 20)
    assert codes(with_cells(b" " * (2 << 20))) == [(Code.DAMAGED_WORKBOOK, None)]
