"""Lists as they come: nine formats, workbooks there and back, folders of lists."""

from __future__ import annotations

import json

from tests.adapters.test_job_files_xlsx import workbook
from tests.cli.terminal import Desk, Sandbox, assert_true, orders

# Orders of the sandbox whose numbers are digits only.
DIGITS = [f"{20180321170000 + index}" for index in range(40)]


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
