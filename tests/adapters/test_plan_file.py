from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from k3push.adapters.plan_file import (
    PlanFileError,
    lines_of,
    plan_written,
    read_plan,
    see_same,
    sha256_of,
)
from k3push.core.model import BillNumber, Route, RunId, Target
from k3push.core.plan import Forecast, Foreseen, PlanHead, PlannedJob, PlannedRun

IN = Route("in", "PO", "IN", rule="R", source_number_field="F", custom_params={"k": [1, "二"]})
OUT = Route("out", "SO", "OUT")
HEAD = PlanHead(
    created_at=datetime(2026, 11, 25, 20, tzinfo=UTC),
    url="https://erp.example.com/K3Cloud/",
    acct_id="64f0",
    ledger="ledger.db",
    jobs=(PlannedJob("订单.csv", "lists/订单.csv", "ab" * 32),),
    runs=(PlannedRun(RunId("r1"), "64f0|PO|R", IN), PlannedRun(RunId("r2"), "64f0|SO|OUT", OUT)),
)


def line(
    number: str, fate: Forecast = Forecast.READY, route: str = "in", *, at: int = 2
) -> Foreseen:
    """Return a line of a job."""
    return Foreseen(at, BillNumber(number), route, BillNumber(number.upper()), fate)


LINES = [
    line("a"),
    line("b", Forecast.PARTLY, at=3),
    line("x", route="out", at=4),
    Foreseen(5, BillNumber("A"), "in", BillNumber("A"), Forecast.READY, first_line=2),
    Foreseen(
        6,
        BillNumber("c"),
        "in",
        BillNumber("C"),
        Forecast.ALREADY,
        targets=(Target("7", "T7"), Target("8", "", draft=True)),
        reason="已有暂存单",
    ),
    Foreseen(
        7, BillNumber("d"), "in", BillNumber(""), Forecast.BLOCKED, code="precheck", reason="无"
    ),
    Foreseen(
        8,
        BillNumber("e"),
        "in",
        BillNumber("E,9"),
        Forecast.READY,
        listed_id="9",
        source_id="9",
    ),
    Foreseen(
        9, BillNumber(""), "in", BillNumber("F"), Forecast.READY, listed_id="10", source_id="10"
    ),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A plan of two routes."""
    path = tmp_path / "orders.plan.jsonl"
    with plan_written(path) as writer:
        writer.begin(HEAD)
        writer.add(LINES[:2])
        writer.add(LINES[2:])
        writer.end()
    return path


def test_a_plan_is_read_as_it_was_written(path: Path) -> None:
    """What a person agreed to is what is applied, to the last reason."""
    plan = read_plan(path)
    assert plan.head == HEAD
    assert (plan.lines, plan.to_send) == ({"in": 7, "out": 1}, {"in": 4, "out": 1})
    assert plan.already == {"in": 1}
    assert list(lines_of(path, "in")) == [each for each in LINES if each.route == "in"]
    assert list(lines_of(path, "out")) == [LINES[2]]


def test_the_last_line_is_the_digest_of_all_before_it(path: Path, tmp_path: Path) -> None:
    """Anybody can check it with sha256sum."""
    *lines, last = path.read_bytes().splitlines(keepends=True)
    (tmp_path / "most").write_bytes(b"".join(lines))
    assert orjson.loads(last) == {"sha256": sha256_of(tmp_path / "most")}


def test_a_change_of_any_byte_is_seen(path: Path) -> None:
    """An edited plan would push what nobody has looked at."""
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(PlanFileError):
            read_plan(path)


def test_a_plan_that_was_cut_off_anywhere_is_seen(path: Path) -> None:
    """A copy over a bad line ends in the middle, or between two lines."""
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(PlanFileError):
            read_plan(path)


def test_another_plan_that_has_its_name_by_now_is_told_apart(path: Path) -> None:
    """It is whole, and nobody has agreed to it."""
    plan = read_plan(path)
    see_same(path, plan.sha256)
    assert len(list(lines_of(path, "in", sha256=plan.sha256))) == plan.lines["in"]
    with plan_written(path) as writer:
        writer.begin(HEAD)
        writer.add(LINES[:3])
        writer.end()
    with pytest.raises(PlanFileError):
        see_same(path, plan.sha256)
    with pytest.raises(PlanFileError):
        list(lines_of(path, "in", sha256=plan.sha256))


def test_a_change_between_two_readings_is_seen(path: Path) -> None:
    """The lines are read after the plan was found whole, and somebody may have been quick."""
    read_plan(path)
    path.write_bytes(path.read_bytes().replace(b'"fate":"blocked"', b'"fate":"ready"'))
    with pytest.raises(PlanFileError):
        list(lines_of(path, "in"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no plan"),
        ("单据编号\nA\n".encode(), "no plan"),
        (b'["A"]\n', "no plan"),
        (b'{"numbers":["A"]}\n', "no plan"),
        (b"\x00" * 100, "no plan"),
        (b'{"k3push_plan":2}\n{"sha256":""}\n', "newer"),
        (b'{"k3push_plan":1}\n', "edited"),
    ],
)
def test_what_is_no_plan_is_called_so(tmp_path: Path, content: bytes, why: str) -> None:
    """The cure differs: another command, another version, or to plan again."""
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(PlanFileError) as raised:
        read_plan(path)
    assert raised.value.why == why


def test_a_plan_of_this_format_with_other_keys_was_edited(tmp_path: Path) -> None:
    """A digest can be made anew by hand; a value that we never write is refused all the same."""
    path = tmp_path / "x"
    with plan_written(path) as writer:
        writer.end()
    with pytest.raises(PlanFileError):
        read_plan(path)


def test_a_plan_that_is_not_ended_leaves_the_earlier_one(path: Path) -> None:
    """The ERP may be gone in the middle, and half a plan is none."""
    before = path.read_bytes()
    with plan_written(path) as writer:
        writer.begin(HEAD)
    broken = plan_written(path)
    broken.__enter__().begin(HEAD)
    assert not broken.__exit__(OSError, OSError(), None)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_plan_is_its_owners_alone(path: Path) -> None:
    """It lists bills and documents."""
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "odd",
    [
        Foreseen(2, BillNumber("A,9"), "in", BillNumber(""), Forecast.BLOCKED),
        Foreseen(2, BillNumber(""), "in", BillNumber(""), Forecast.BLOCKED),
        Foreseen(2, BillNumber("A"), "in", BillNumber("A,9"), Forecast.READY, source_id="8"),
        Foreseen(2, BillNumber("A"), "in", BillNumber("A"), Forecast.READY, source_id="x"),
        Foreseen(2, BillNumber("A"), "in", BillNumber("A"), Forecast.READY, listed_id="1,2"),
    ],
)
def test_a_bill_that_no_list_can_name_is_refused(tmp_path: Path, odd: Foreseen) -> None:
    """What is written down with it would be another bill's."""
    path = tmp_path / "x"
    with plan_written(path) as writer:
        writer.begin(HEAD)
        writer.add([odd])
        writer.end()
    with pytest.raises(PlanFileError) as raised:
        list(lines_of(path, "in"))
    assert raised.value.why == "edited"
