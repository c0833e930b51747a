"""A plan as a table: what people read of each line."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

from k3push.adapters.job_files import read_job
from k3push.adapters.plan_file import plan_written
from k3push.core.model import BillNumber, Route, RunId
from k3push.core.plan import Forecast, Foreseen, PlanHead, PlannedJob, PlannedRun
from k3push.core.remark import remark
from k3push.reporting.plan_table import write_plan_table

HEAD = PlanHead(
    created_at=datetime(2026, 11, 25, 20, tzinfo=UTC),
    url="https://erp.example.com/K3Cloud/",
    acct_id="64f0",
    ledger="ledger.db",
    jobs=(PlannedJob("orders.csv", "orders.csv", "ab" * 32),),
    runs=(PlannedRun(RunId("r1"), "64f0|PO|R", Route("in", "PO", "IN", rule="R")),),
)


def test_every_reason_is_told_in_both_languages(tmp_path: Path) -> None:
    """A table has no language: who reads one alone reads all of a column."""
    a, c = BillNumber("A"), BillNumber("C")
    blocked = remark("note.blocked.unapproved")
    path, table = tmp_path / "orders.plan.jsonl", tmp_path / "plan.csv"
    with plan_written(path) as writer:
        writer.begin(HEAD)
        writer.add(
            [
                Foreseen(2, a, "in", a, Forecast.READY),
                Foreseen(3, c, "in", c, Forecast.BLOCKED, code="precheck", reason=blocked),
                Foreseen(4, BillNumber("a"), "in", a, Forecast.READY, first_line=2),
            ]
        )
        writer.end()
    write_plan_table(path, table, set(Forecast))
    told = csv.DictReader(table.read_text("utf-8-sig").splitlines())
    assert [(row["line"], row["fate"], row["reason"]) for row in told] == [
        ("2", "ready", ""),
        ("3", "blocked", "源单未审核 (the source bill is not approved)"),
        ("4", "repeat", "与第 2 行重复 (repeats line 2)"),
    ]


def test_a_number_with_a_sign_is_read_from_the_table_as_it_was(tmp_path: Path) -> None:
    """What is blocked is a list again once its bills are mended."""
    number = BillNumber("=1+1")
    path, table = tmp_path / "orders.plan.jsonl", tmp_path / "blocked.csv"
    with plan_written(path) as writer:
        writer.begin(HEAD)
        writer.add([Foreseen(2, number, "in", number, Forecast.BLOCKED, code="precheck")])
        writer.end()
    write_plan_table(path, table, {Forecast.BLOCKED})
    with table.open("rb") as file:
        assert [listed.number for listed in read_job(file)] == [number]
