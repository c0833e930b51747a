from __future__ import annotations

import os
import subprocess
import sys
from itertools import count, islice
from pathlib import Path

import pytest

from tests import simulate
from tests.campaign.drawing import story_of
from tests.campaign.events import Happens, Joins
from tests.campaign.trial import play
from tests.shares import shared_out

ROOT = Path(__file__).parents[2]
# Stories with two runs and deaths, in which much goes on at the same time.
BUSY = [
    *islice(
        (
            seed
            for seed in count()
            if {Joins, Happens} <= {type(event) for _, event in story_of(seed).events}
        ),
        3,
    )
]


@pytest.mark.parametrize("seed", shared_out(BUSY, 3))
def test_a_seed_plays_in_the_same_way_whatever_ran_before(seed: int) -> None:
    """A failure that cannot be had again teaches nothing."""
    first = play(story_of(seed))
    play(story_of(seed + 1))
    again = play(story_of(seed))
    assert len(first.digest) == 32
    assert (again.digest, again.counts) == (first.digest, first.counts)
    assert play(story_of(seed + 1)).digest != first.digest


@pytest.mark.parametrize("seed", BUSY[:1])
@pytest.mark.more
def test_a_seed_plays_in_the_same_way_in_another_process(seed: int) -> None:
    """The order of sets and the addresses of tasks differ there."""
    told = subprocess.run(  # noqa: S603  # our own command
        [sys.executable, "-m", "tests.simulate", "--seed", str(seed)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(seed + 1)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"digest {play(story_of(seed)).digest}\n" in told.stdout


def test_a_part_of_a_story_leaves_the_rest_in_place() -> None:
    """Shrinking would prove nothing if an event that is dropped moved another."""
    story = story_of(BUSY[0])
    kept = story.without([2])
    assert dict(kept.events).items() < dict(story.events).items()
    assert story.only([nth for nth, _ in story.events]) == story


def test_the_command_tells_what_was_played(capsys: pytest.CaptureFixture[str]) -> None:
    """Figures without what they count make no promise readable."""
    assert simulate.main(["--seeds", "5", "--first", "3", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert "5 seeds" in said
    for word in ("processes", "kills", "pushes", "documents", "faults met"):
        assert word in said
