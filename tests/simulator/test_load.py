from __future__ import annotations

import pytest

from k3push.simulator.load import Load
from k3push.simulator.sandbox_options import Queue, SandboxOptions, SlowSpell


def test_the_network_keeps_no_request_waiting() -> None:
    """A far server is slow for each client and has time for all of them."""
    load = Load(SandboxOptions(latency_s=1.0, queue=Queue.SITE, round_trip_s=0.5))
    assert [load.book(0.0, "a"), load.book(0.0, "b")] == [1.5, 2.5]


@pytest.mark.parametrize(
    ("begin_s", "end_s"),
    [(0.0, 2.0), (9.0, 15.0), (10.0, 20.0), (29.0, 31.8), (30.0, 32.0)],
)
def test_a_slow_spell_slows_the_part_of_the_work_that_falls_into_it(
    begin_s: float, end_s: float
) -> None:
    """What begins in a slow hour is not slow for ever."""
    load = Load(SandboxOptions(latency_s=2.0, slow_spell=SlowSpell(from_s=10, to_s=30, slower=5)))
    load.book(0.0, "first")
    assert load.book(begin_s, "a") == pytest.approx(end_s)


def test_in_a_slow_spell_fewer_requests_go_side_by_side() -> None:
    """The site is busy with something else."""
    load = Load(
        SandboxOptions(
            latency_s=1.0, capacity=8, slow_spell=SlowSpell(0, 100, slower=2, capacity=1)
        )
    )
    assert [load.book(0.0, "a") for _ in range(3)] == [2.0, 4.0, 6.0]


def test_requests_of_the_last_minute_are_counted() -> None:
    """It is a rate that a call limit is about."""
    load = Load(SandboxOptions())
    for now_s in (0.0, 30.0, 59.0):
        load.book(now_s, "a")
    assert [load.within_a_minute(now_s) for now_s in (59.5, 60.0, 91.0, 200.0)] == [3, 2, 1, 0]


@pytest.mark.parametrize(("degrades", "last_s"), [(0.0, 1.0), (1.0, 2.0), (1.5, 2.0**1.5)])
def test_beyond_its_capacity_a_site_slows_down_as_it_is_told(
    degrades: float, last_s: float
) -> None:
    """Some only queue, and some do less the more they are asked."""
    load = Load(SandboxOptions(latency_s=1.0, capacity=2, degrades=degrades))
    assert [load.book(0.0, "a") for _ in range(4)][-1] == pytest.approx(last_s)


def test_a_look_may_cost_less_than_a_push() -> None:
    """It makes nothing."""
    load = Load(SandboxOptions(latency_s=1.0, per_number_s=0.5, look_s=0.25))
    assert [load.book(0.0, "a"), load.book(0.0, "a", numbers=2)] == [0.25, 2.0]


def test_chance_is_the_seeds() -> None:
    """A trial can be played again."""

    def ends(seed: int) -> list[float]:
        load = Load(SandboxOptions(latency_s=1.0, jitter=0.3, seed=seed))
        return [load.book(0.0, "a") for _ in range(5)]

    assert ends(1) == ends(1)
    assert ends(1) != ends(2)
    assert len(set(ends(1))) == len(ends(1))
