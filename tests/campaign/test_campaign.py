from __future__ import annotations

import pytest

from tests.campaign.drawing import CROWDED, DENSE, QUEUED, UNEVEN, story_of
from tests.campaign.trial import play
from tests.shares import shared_out

SEEDS = 200
DENSE_SEEDS = 200
BLOCK = 25
SHARES, OF_MORE = 12, 2
QUEUED_SEEDS = 50
CROWDED_SEEDS = 25
UNEVEN_SEEDS = 50
RANGES = (
    (0, SEEDS),
    (DENSE, DENSE_SEEDS),
    (QUEUED, QUEUED_SEEDS),
    (CROWDED, CROWDED_SEEDS),
    (UNEVEN, UNEVEN_SEEDS),
)
FIRST = tuple(first for begin, seeds in RANGES for first in range(begin, begin + seeds, BLOCK))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", shared_out(FIRST, SHARES, of_more=OF_MORE))
def test_whatever_goes_wrong_the_promise_is_kept(first: int) -> None:
    """Faults, kills and people meet in ways that nobody thinks of, so seeds mix them."""
    found = {seed: play(story_of(seed)).findings for seed in range(first, first + BLOCK)}
    assert {seed: findings for seed, findings in found.items() if findings} == {}
