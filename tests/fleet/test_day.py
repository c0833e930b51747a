"""The simulated day of a service: no number is lost, nobody starves, a seed gives the same day."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from k3push.core.pacing.samples import Setting
from k3push.fleet.due_schedules import spread
from k3push.fleet.turns import PLACES_FOR_SHORT
from tests.benchmarks.model import modelled_s
from tests.benchmarks.shapes import Shape
from tests.fleet.costs import MEASURED, Cost, fit
from tests.fleet.day import HEAD, Told, cost_of, draw_lists, main, tell
from tests.fleet.day_model import WINDOW_S, Day, Fleet, TenantList, added

SEED = 7
SMALLEST = Fleet(1, workers=1, concurrency=2)


@cache
def drawn() -> list[TenantList]:
    """Return the lists of a small day."""
    return draw_lists(SEED, tenants=60, numbers=1000, small=20, servers=3)


def played(fleet: Fleet, lists: list[TenantList] | None = None) -> Day:
    """Return a day that has passed."""
    day = Day(drawn() if lists is None else lists, fleet, MEASURED, SEED)
    day.play()
    return day


def told(fleet: Fleet) -> Told:
    """Return what it came to."""
    return tell(played(fleet))


@pytest.mark.parametrize("fleet", [SMALLEST, Fleet(2), Fleet(4, concurrency=16)])
def test_each_number_is_done_once_and_no_tenant_starves(fleet: Fleet) -> None:
    """Lists whose answers get lost, and whose ERPs are away for a while, among them."""
    harder = [
        replace(each, lost=0.02) if nth % 3 == 0 else each for nth, each in enumerate(drawn())
    ]
    day = played(fleet, harder)
    assert [run.done for run in day.runs] == [each.numbers for each in drawn()]
    assert sum(day.minutes.values()) == sum(each.numbers for each in drawn())
    for run in day.runs:
        assert run.ended_s is not None
        assert (run.todo, run.made, run.settling, run.on_their_way) == (0, 0, 0, 0)
    assert day.open == 0
    for worker in day.workers:
        places = (worker.looks, worker.runs, worker.long)
        assert places == (4, fleet.concurrency + PLACES_FOR_SHORT, fleet.concurrency)
    assert not any(day.waiting.values())


def test_what_the_resources_were_busy_with_is_what_the_lists_cost() -> None:
    """Nothing works for nothing, and no work is for free."""
    lists = [replace(each, lost=0.0, away=(0.0, 0.0)) for each in drawn()]
    day, whole = played(Fleet(2), lists), cost_of(lists, MEASURED)
    workers_s = sum(worker.core.busy_s for worker in day.workers)
    assert workers_s == pytest.approx(whole.worker_s + whole.reader_s)
    assert day.database.busy_s == pytest.approx(whole.database_s)
    written_s = (whole.wal + whole.size) / (Fleet(2).disk_mb_s * 1e6)
    assert day.disk.busy_s == pytest.approx(written_s)


def test_more_hosts_are_never_slower() -> None:
    """Nor do they let anybody wait for longer; a poll more or less aside."""
    days = [told(replace(SMALLEST, hosts=hosts)) for hosts in (1, 2, 4, 8)]
    for fewer, more in pairwise(days):
        assert more.done_s <= fewer.done_s + 2
        assert all(
            after <= before + 2 for after, before in zip(more.small_s, fewer.small_s, strict=True)
        )
        assert more.in_time >= fewer.in_time


def test_a_tenant_of_three_numbers_waits_for_none_of_the_long_lists() -> None:
    """Not even where these wait for a place; first come, first served let it wait for them."""
    fair, unfair = told(SMALLEST), told(replace(SMALLEST, fair=False))
    assert fair.small_s[-1] < 30
    assert unfair.small_s[-1] > 600
    assert fair.done_s <= unfair.done_s * 1.01


def test_a_day_is_the_same_by_its_seed() -> None:
    """So that a table can be made again."""
    assert told(SMALLEST) == told(SMALLEST)
    assert draw_lists(SEED, 5, 1000, 5, 2) == draw_lists(SEED, 5, 1000, 5, 2)
    assert draw_lists(SEED, 5, 1000, 5, 2) != draw_lists(SEED + 1, 5, 1000, 5, 2)


@pytest.mark.parametrize(("workers", "measured_s"), [(1, 150.6), (3, 51.3)])
def test_a_night_takes_about_what_real_workers_have_taken(workers: int, measured_s: float) -> None:
    """`python -m tests.fleet --speedup`: the documentation of the fleet has these figures."""
    shape = Shape("half a second for each call", 300, {"latency_s": 0.5, "blocked": 0})
    erp_s = modelled_s(shape, Setting(concurrency=2, chunk_size=20)) or 0
    lists = [TenantList(f"t{nth}", 0.0, 300, erp_s, 20, 2.0) for nth in range(9)]
    day = played(Fleet(1, workers=workers, concurrency=1), lists)
    assert max(run.ended_s or 0 for run in day.runs) == pytest.approx(measured_s, rel=0.15)


def test_a_list_alone_takes_what_its_erp_and_its_work_take() -> None:
    """A lost answer is settled by the document that is there, or after the window."""
    alone = TenantList("t", 0.0, 1000, erp_s=500.0, chunk=50, calls=1.0)
    day = played(Fleet(1), [alone])
    work = added((1, MEASURED.run), (20, MEASURED.chunk), (1000, MEASURED.pushed))
    took_s = (day.runs[0].ended_s or 0) - (day.runs[0].waited_s or 0)
    assert took_s == pytest.approx(500 + work.worker_s + work.database_s, rel=0.02)
    lost = played(Fleet(1), [replace(alone, lost=1.0)])
    assert lost.runs[0].done == 1000
    assert (lost.runs[0].ended_s or 0) > WINDOW_S


def test_an_erp_that_is_away_gives_its_place_to_others() -> None:
    """It is tried again after one minute, then two, as the fleet does."""
    away = TenantList("a", 0.0, 3, 1.0, 3, 1.0, away=(0.0, 150.0))
    other = TenantList("b", 1.0, 3, 1.0, 3, 1.0)
    day = played(replace(SMALLEST, concurrency=1), [away, other])
    assert day.runs[0].vain == 2
    assert 180 <= (day.runs[0].ended_s or 0) < 260
    assert (day.runs[1].ended_s or 0) < 30


def test_schedules_are_spread_as_the_fleet_spreads_them() -> None:
    """Minutes are full but for what `spread` adds, which is the same every night."""
    for each in drawn():
        seconds = {each.begins_s - spread(each.tenant, "nightly", most) for most in (0, 600, 3600)}
        assert any(second % 60 == 0 for second in seconds)


def test_costs_are_told_apart_by_lists_chunks_and_numbers() -> None:
    """What is measured is a sum of what each of them costs."""
    rows = [[60, 60, 180], [3, 30, 6000], [3, 120, 6000], [3, 600, 6000]]
    true = Cost(worker_s=0.05), Cost(worker_s=0.004), Cost(worker_s=0.0001)
    values = [added(*zip(row, true, strict=True)).worker_s for row in rows]
    assert fit(rows, values) == pytest.approx([each.worker_s for each in true], rel=1e-3)


def test_the_command_prints_a_line_for_each_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    """The documentation has its table."""
    words = "--tenants 20 --numbers 500 --small 5 --servers 2 --hosts 1 2 --concurrency 4 --seed 3"
    assert main(words.split()) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 2
    assert {line.count("|") for line in lines} == {len(HEAD) + 1}
