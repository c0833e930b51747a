"""Servers that nobody described: a short campaign of draws, in the model of a run."""

from __future__ import annotations

from statistics import mean

import pytest

from k3push.core.pacing.samples import Setting
from tests.benchmarks.draws import draw, quantile
from tests.benchmarks.makespan import compare_drawn
from tests.benchmarks.model import modelled_s
from tests.benchmarks.shapes import makespan_s
from tests.benchmarks.time_left import FORETELLERS, honesty
from tests.shares import shared_out

# Not those that settings were compared on.
SEEDS = range(10_000, 10_040)


@pytest.mark.parametrize(
    ("numbers", "first", "third"),
    shared_out([(60, 1.25, 1.05), (300, 1.35, 1.2), (1200, 1.35, 1.2)], 3),
)
def test_auto_is_near_the_best_fixed_setting_of_servers_that_are_drawn(
    numbers: int, first: float, third: float
) -> None:
    """The medians that the documentation tells, with some room."""
    drawn = [compare_drawn(seed, numbers, modelled=True) for seed in SEEDS]
    assert quantile([each.first for each in drawn], 0.5) <= first
    assert quantile([each.third for each in drawn], 0.5) <= third


@pytest.mark.parametrize(("seed", "numbers"), [(40_000, 20_000), (97_000, 12_000)])
@pytest.mark.more
def test_a_pace_that_was_held_is_left_by_small_steps(seed: int, numbers: int) -> None:
    """A jump to many calls cost such lists four times their time, and more on later nights."""
    drawn = compare_drawn(seed, numbers, modelled=True)
    assert max(drawn.first, drawn.third) <= 1.6


@pytest.mark.parametrize("seed", [1, 3, 5])
@pytest.mark.parametrize("fixed", [None, Setting(16, 20)])
@pytest.mark.more
def test_the_model_takes_as_long_as_the_real_thing(seed: int, fixed: Setting | None) -> None:
    """What is measured in the model is to hold for k3push's own code."""
    shape = draw(seed, 300)
    assert modelled_s(shape, fixed) == pytest.approx(makespan_s(shape, fixed), rel=0.15)


@pytest.mark.parametrize(("numbers", "width"), [(60, 11), (300, 7), (1200, 5)])
@pytest.mark.more
def test_a_run_ends_within_the_time_that_was_told(numbers: int, width: float) -> None:
    """A range that is honest, and no wider than it need be."""
    command, _ = FORETELLERS
    each = [run[command] for run in (honesty(seed, numbers) for seed in SEEDS) if command in run]
    assert mean(run.within for run in each) >= 0.8
    assert quantile([run.width for run in each], 0.5) <= width
