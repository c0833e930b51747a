from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaign.sabotage import (
    ROOT,
    Change,
    changed,
    changes,
    find,
    python,
    sabotaged,
    try_test,
)
from tests.shares import shared_out

CHANGES = changes()
SHARES, OF_MORE = 144, 4
RULES = 11
WAYS = 23
"""In which the promise was broken once, and is not any more."""
PARTED = {1, 11, 21}
"""What other rules hide from stories.

A first document that the field does not find stops its run, whatever its silence counts for (1).
A message that names several bills parts them (11). What stands still once its call is written down
asks its ledger once more before that leaves (21).
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "change",
    shared_out(CHANGES, SHARES, of_more=OF_MORE),
    ids=lambda change: f"{change['rule']}: {change['why']}",
)
def test_a_broken_rule_is_found(change: Change, tmp_path: Path) -> None:
    """A campaign that finds nothing proves something only if it finds what is there."""
    copy = sabotaged(change, tmp_path)
    caught_by = change.get("caught_by")
    if caught_by:
        found = try_test(copy, caught_by)
        assert " failed" in found.stdout, found
    else:
        found = find(change, copy, change["seed"])
        assert found.stdout.startswith("seed "), found.stdout
    assert f"k3push in {copy}\n" in found.stdout + found.stderr
    assert found.returncode == 1


@pytest.mark.timeout(300)
def test_a_failure_is_cut_down_and_can_be_played_again(tmp_path: Path) -> None:
    """A story of twenty events tells nobody which of them matter."""
    (change,) = [each for each in CHANGES if each["why"].startswith("Absence counts before")]
    copy = sabotaged(change, tmp_path)
    found = python(copy, "tests.simulate", "--jobs", "1", "--first", "5", "--seeds", "1")
    whole, short = found.stdout.split("The shortest part of it that fails:\n")
    command = short.partition("python -m ")[2].splitlines()[0]
    again = python(copy, *command.split())
    events = command.partition("--only ")[2].split(",")
    assert (found.returncode, again.returncode) == (1, 1)
    assert short.startswith(again.stdout.splitlines()[0])
    assert 1 <= len(events) < whole.count("\n") - 4


def test_every_change_fits_the_source_as_it_stands() -> None:
    """All of them: the normal run plays only a share, and code is moved every day."""
    for change in CHANGES:
        changed(change)
        file, _, test = change.get("caught_by", "").partition("::")
        assert not test or f"def {test.split('[')[0]}(" in (ROOT / file).read_text("utf-8"), change


def test_every_rule_is_broken_by_some_change() -> None:
    """A rule that nobody dares to break is one that nobody checks."""
    assert {change["rule"] for change in CHANGES} == {*range(1, RULES + 1), "programs", "service"}


def test_each_way_in_which_the_promise_was_broken_is_found_by_stories() -> None:
    """A named test finds the defect that it was written for; its neighbours take a campaign."""
    found = {each["way"] for each in CHANGES if "caught_by" not in each and "way" in each}
    assert found == set(range(1, WAYS + 1)) - PARTED
