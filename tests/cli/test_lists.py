"""Lists as they come: nine formats, workbooks there and back, folders of lists."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from k3push.wiring.job_lists import JobOptions, opened_jobs
from tests.adapters.job_files.test_xlsx import workbook
from tests.cli.terminal import Desk, Sandbox, assert_true, orders, read_csv, typed

pytestmark = pytest.mark.halved

# Orders of the sandbox whose numbers are digits only.
DIGITS = [f"{20180321170000 + index}" for index in range(40)]


@pytest.fixture
def inbox(desk: Desk) -> Path:
    """A folder in which lists are dropped."""
    folder = desk.folder / "inbox"
    folder.mkdir()
    return folder


def drop(inbox: Path, name: str, numbers: list[str], *, minutes_ago: float = 1) -> None:
    """Put a list into the folder, written some time ago."""
    path = inbox / name
    path.write_text("number\n" + "".join(f"{number}\n" for number in numbers), "utf-8")
    written_s = time.time() - 60 * minutes_ago
    os.utime(path, (written_s, written_s))


def nine_formats(numbers: list[str]) -> dict[str, bytes]:
    """Return a list of numbers in all formats."""
    column = "".join(f"{number}\n" for number in numbers)
    return {
        "gb18030.csv": "".join(
            f"{each}\n" for each in ["单据编号,备注", *(f"{n},急" for n in numbers)]
        ).encode("gb18030"),
        "utf16.tsv": ("日期\t单号\n" + "".join(f"今天\t{n}\n" for n in numbers)).encode("utf-16"),
        "bom.txt": column.encode("utf-8-sig"),
        "semicolons.csv": ("FBillNo;x\r\n" + "".join(f"{n};1,5\r\n" for n in numbers)).encode(),
        "list.json": json.dumps(numbers).encode(),
        "objects.json": json.dumps([{"number": n} for n in numbers]).encode(),
        "route.json": json.dumps({"route": "po-instock", "numbers": numbers}).encode(),
        "lines.jsonl": "".join(json.dumps({"bill_no": n}) + "\n" for n in numbers).encode(),
        "cells.xlsx": workbook(
            {"A1": "编号", **{f"A{row}": int(n) for row, n in enumerate(numbers, 2)}}
        ),
    }


@pytest.mark.parametrize("gone", [False, True])
def test_a_list_is_read_as_it_was_when_the_command_began(tmp_path: Path, *, gone: bool) -> None:
    """It is read to its end before a run waits for another, and then once more to be pushed."""
    path = tmp_path / "orders.jsonl"
    path.write_text('{"number": "CGDD01"}\n', "utf-8")
    with opened_jobs([str(path)], JobOptions(), warn=lambda *_, **__: None) as (job,):
        shown = list(job.read())
        if gone:
            path.unlink()
        else:
            path.write_text('{"number": "CGDD02", "route": "another"}\n', "utf-8")
        assert [listed.number for listed in job.read()] == ["CGDD01"]
        assert list(job.read()) == shown
        assert job.original == path


def test_nine_formats_give_the_same_forty_numbers(desk: Desk, sandbox: Sandbox) -> None:
    """The first of them is pushed; what the others name is there already, digit for digit."""
    desk.configure(sandbox.url)
    states = iter(["pushed", *["already"] * 8])
    for name, content in nine_formats(DIGITS).items():
        ran = desk.k3push("run", desk.write(name, content), "--json")
        assert (ran.exit, ran.said["counts"]) == (0, {next(states): 40}), (name, ran)
        rows = desk.rows(ran.said["run"])
        assert [row["number"] for row in rows] == DIGITS, name
        assert_true(rows, sandbox.truth())
    assert set(sandbox.truth()["sources"]) == set(DIGITS)
    assert sandbox.truth()["documents"] == 40


def test_a_workbook_of_refused_numbers_is_a_job_file_again(desk: Desk, sandbox: Sandbox) -> None:
    """A rejected part goes from the ledger through Excel's format back into a run."""
    desk.configure(sandbox.url).job([*orders(3), "CGDDU000000", "CGDDC000000"])
    assert desk.k3push("run", "orders.csv").exit == 3
    ran = desk.k3push("export", "--output", "rejected.xlsx", "--state", "rejected")
    assert ran.exit == 0, ran
    again = desk.k3push("run", "rejected.xlsx", "--json")
    assert (again.exit, again.said["counts"]) == (3, {"rejected": 2}), again
    rows = desk.rows(again.said["run"])
    assert [(row["line"], row["number"]) for row in rows] == [
        ("2", "CGDDU000000"),
        ("3", "CGDDC000000"),
    ]


def test_another_sheet_is_read_when_it_is_named(desk: Desk, untouched: Sandbox) -> None:
    """A sheet that is not there is an error that lists those that are."""
    desk.configure(untouched.url).write("orders.xlsx", workbook({"A1": "number", "A2": "X"}))
    ran = desk.k3push("run", "orders.xlsx", "--sheet", "sheet1", "--json")
    assert ran.said["counts"] == {"rejected": 1}, ran
    ran = desk.k3push("run", "orders.xlsx", "--sheet", "Orders")
    assert (ran.exit, "there are: Sheet1" in ran.err) == (2, True), ran


def test_a_folder_is_taken_file_by_file_the_oldest_first_and_once(
    desk: Desk, sandbox: Sandbox, inbox: Path
) -> None:
    """Each is a run of its own, none is moved, and the next night only what is new is pushed."""
    desk.configure(sandbox.url)
    drop(inbox, "late.csv", orders(2), minutes_ago=1)
    drop(inbox, "early.csv", [*orders(2, 2), "CGDDU000000"], minutes_ago=9)
    first = desk.k3push("run", "inbox/", "--json")
    assert (first.exit, first.said["counts"]) == (3, {"pushed": 4, "rejected": 1}), first
    runs = first.said["run"].split(";")
    folders = [next(inbox.glob(f"results/*.{run}")).name.partition(".")[0] for run in runs]
    assert folders == ["early", "late"]
    assert sorted(path.name for path in inbox.iterdir()) == ["early.csv", "late.csv", "results"]

    again = desk.k3push("run", "inbox", "--json")
    assert (again.exit, again.said["counts"]) == (0, {}), again
    assert "nothing new; 2 files were taken before" in again.err

    drop(inbox, "early.csv", orders(5))
    (inbox / "late.csv").rename(inbox / "later.csv")
    changed = desk.k3push("run", "inbox", "--json")
    assert (changed.exit, changed.said["counts"]) == (0, {"already": 6, "pushed": 1}), changed
    assert sandbox.truth()["documents"] == 5


def test_what_is_no_whole_list_is_left_and_named(
    desk: Desk, untouched: Sandbox, inbox: Path
) -> None:
    """A file that is still being copied, or open in Excel, is one for the next time."""
    desk.configure(untouched.url)
    for name in (".hidden.csv", "~$open.xlsx", "open.xlsx", "notes.docx", "copy.csv.part"):
        drop(inbox, name, ["X"])
    drop(inbox, "now.csv", ["X"], minutes_ago=0)
    drop(inbox, "tomorrow.csv", ["X"], minutes_ago=-600)
    (inbox / "results").mkdir()
    ran = desk.k3push("run", "inbox", "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"rejected": 1}), ran
    said = ran.err.splitlines()
    for name, words in {
        "open.xlsx": "open in another program",
        "notes.docx": "no known kind of list",
        "copy.csv.part": "still being written",
        "now.csv": "still being written",
    }.items():
        assert [line for line in said if str(Path("inbox", name)) in line and words in line], name
    assert "hidden" not in ran.err
    assert "~$" not in ran.err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such terminals")
def test_a_list_that_is_typed_is_asked_for_and_ends_with_one_key(
    desk: Desk, untouched: Sandbox
) -> None:
    """Who sees nothing happen, also after Ctrl-D, believes that the command hangs."""
    list_and_end = "CGDD0000001\n\x04"
    desk.configure(untouched.url)
    code, text = typed(desk, list_and_end, "plan", "-", enter="", question="Ctrl-D ends the list")
    assert (code, "ready              1" in text) == (0, True), text


def test_a_plan_beside_a_list_of_a_folder_holds_up_no_night(
    desk: Desk, untouched: Sandbox, inbox: Path
) -> None:
    """`k3push plan` puts it there, where somebody has looked ahead at one of the lists."""
    drop(inbox, "a.csv", ["X"])
    assert desk.configure(untouched.url).k3push("plan", "inbox/a.csv").exit == 3
    ran = desk.k3push("run", "inbox", "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"rejected": 1}), ran
    assert "a.plan.jsonl: skipped; it is a plan" in ran.err
    named = desk.k3push("run", "inbox/a.plan.jsonl")
    assert (named.exit, "k3push apply" in named.err) == (2, True), named


@pytest.mark.parametrize("command", ["run", "plan"])
def test_a_route_that_is_not_there_is_refused_though_nothing_asks_for_it(
    desk: Desk, untouched: Sandbox, inbox: Path, command: str
) -> None:
    """A nightly command with a slip in it would end with 0 until the first list comes."""
    desk.configure(untouched.url)
    (inbox / "empty.csv").write_text("number\n", "utf-8")
    job = "inbox" if command == "run" else "inbox/empty.csv"
    ran = desk.k3push(command, job, "--route", "po-instok")
    assert ran.exit == 2, ran
    assert "no route 'po-instok'" in ran.err
    assert desk.k3push(command, job, "--route", "po-instock").exit == 0


def test_one_bad_file_and_none_is_sent(desk: Desk, untouched: Sandbox, inbox: Path) -> None:
    """Exit 2 says that nothing was sent, so all are read first, and every bad one is named."""
    desk.configure(untouched.url)
    drop(inbox, "a.csv", ["X"])
    drop(inbox, "b.csv", ["X,Y"])
    drop(inbox, "c.csv", ["X", "Y,Z"])
    ran = desk.k3push("run", "inbox")
    assert ran.exit == 2, ran
    for place in ("b.csv, line 2", "c.csv, line 3"):
        assert place in ran.err
    assert ran.err.endswith("\nTo go on without these lines, add --skip-bad-lines\n")
    assert not (desk.folder / "ledger.db").exists()
    skipping = desk.k3push("run", "inbox", "--skip-bad-lines", "--json")
    assert (skipping.exit, skipping.said["counts"]) == (3, {"rejected": 2}), skipping
    assert "b.csv: the list is empty" in skipping.err


@pytest.mark.parametrize(("heading", "told"), [("采购订单号", 1), ("NO. 7", 0), ("单号", 0)])
def test_a_first_line_without_a_digit_may_be_a_heading(
    desk: Desk, untouched: Sandbox, heading: str, told: int
) -> None:
    """A list of one column needs none, and with one that nobody knows each night ends with 3."""
    desk.configure(untouched.url).write("orders.csv", f"{heading}\nCGDDU000000\n")
    ran = desk.k3push("plan", "orders.csv", "--quiet")
    assert ran.err.count(f"note: orders.csv, line 1: {heading} is read as a bill number") == told
    assert "skipped" not in ran.err


def test_a_first_row_without_any_text_is_no_heading(desk: Desk, untouched: Sandbox) -> None:
    """It is an empty line of a table, and is told as such."""
    desk.configure(untouched.url).write("orders.csv", ",,\nCGDDU000000,,\n")
    ran = desk.k3push("plan", "orders.csv", "--quiet", "--skip-bad-lines")
    assert "is read as a bill number" not in ran.err
    assert "skipped: orders.csv, line 1" in ran.err


def test_only_what_skipping_helps_against_names_it(
    desk: Desk, untouched: Sandbox, inbox: Path
) -> None:
    """A mistake that stays would be met a second time."""
    desk.configure(untouched.url)
    drop(inbox, "a.csv", ["X,Y"])
    (inbox / "b.csv").write_bytes(b"")
    os.utime(inbox / "b.csv", (0, 0))
    said = desk.k3push("run", "inbox").err
    told = ("a comma" in said, "the file is empty" in said, "--skip-bad-lines" in said)
    assert told == (True, True, False), said


def test_a_refused_login_is_tried_once_for_all_files(
    desk: Desk, untouched: Sandbox, inbox: Path
) -> None:
    """Five lock the account. What was not begun is taken the next time."""
    desk.configure(untouched.url, password="wrong")
    for at in range(6):
        drop(inbox, f"{at}.csv", ["X"], minutes_ago=9 - at)
    ran = desk.k3push("run", "inbox", "--json")
    assert (ran.exit, ran.said["counts"]) == (6, {"planned": 1}), ran
    assert ran.err.count("not begun") == 5
    again = desk.configure(untouched.url).k3push("run", "inbox", "--json")
    assert (again.exit, again.said["counts"]) == (3, {"rejected": 5}), again
    resumed = desk.k3push("resume", ran.said["run"], "--json")
    assert resumed.said["counts"] == {"rejected": 1}, resumed


def test_lines_that_are_passed_over_stand_in_the_results(desk: Desk, sandbox: Sandbox) -> None:
    """Whoever asks in the morning has no terminal of the night; a spreadsheet shows the words."""
    desk.configure(sandbox.url)
    name = desk.write("=1.csv", 'number,x\n,y\nCGDD0000001,y\n"A,B",y\n')
    more = desk.write("more.json", '["CGDD0000002", ""]')
    ran = desk.k3push("run", name, more, "--skip-bad-lines", "--json")
    left_out = desk.rows(ran.said["run"], "skipped.csv")
    assert [(row["file"], row["line"], row["item"]) for row in left_out] == [
        ("'=1.csv", "2", ""),
        ("'=1.csv", "4", ""),
        ("more.json", "1", "2"),
    ]
    assert "单据编号中有逗号（A,B） (there is a comma" in left_out[1]["reason"]
    assert ran.exit == 0, ran
    (desk.folder / "inbox").mkdir()
    for file in ("a.csv", "b.csv"):
        drop(desk.folder / "inbox", file, [*orders(1), "X,Y"])
    runs = desk.k3push("run", "inbox", "--skip-bad-lines", "--json").said["run"].split(";")
    for file, run in zip(("a.csv", "b.csv"), runs, strict=True):
        (folder,) = desk.folder.glob(f"inbox/results/*.{run}")
        assert [row["file"] for row in read_csv(folder / "skipped.csv")] == [f"inbox/{file}"]
    clean = desk.k3push("run", desk.job(orders(1)), "--skip-bad-lines", "--json")
    assert not (desk.results(clean.said["run"]) / "skipped.csv").exists()
