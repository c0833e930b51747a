"""Who has given a command at a terminal stands in the ledger, and is told with the number."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from k3push.cli.console.person import person_here
from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, orders, until

pytestmark = pytest.mark.halved

REFUSED = "CGDDU000000"

LOST = '[[step]]\nfault = "make-then-reset"\n'


def acts_of(desk: Desk, number: str) -> list[str]:
    """Return what `explain` says people have done, the oldest first."""
    told = desk.k3push("explain", number).out
    return re.findall(rf"{re.escape(person_here())}: (.+) \(run \S+\)$", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("commands", "acts"),
    [
        ([("run", "orders.csv")], ["began it"]),
        (
            [("plan", "orders.csv", "-o", "it.plan.jsonl"), ("apply", "it.plan.jsonl")],
            ["applied the plan it.plan.jsonl"],
        ),
        ([("run", "orders.csv"), ("retry",)], ["began it", "retried all rejected numbers"]),
        (
            [("run", "orders.csv"), ("retry", "--reason", "approved")],
            ["began it", "retried rejected numbers: approved"],
        ),
        ([("run", "orders.csv", "--limit", "1"), ("resume",)], ["began it", "resumed it"]),
        # What has nothing to do is nothing that was done.
        ([("run", "orders.csv"), ("settle",), ("resume",)], ["began it"]),
    ],
)
def test_who_has_given_a_command_is_told_with_the_number(
    desk: Desk, sandbox: Sandbox, commands: Sequence[Sequence[str]], acts: Sequence[str]
) -> None:
    """By the user and the machine, in the order of time."""
    desk.configure(sandbox.url).job([*orders(2), REFUSED])
    for words in commands:
        assert desk.k3push(*words).exit in {0, 3, 5}, words
    assert acts_of(desk, orders(2)[1]) == list(acts)


def test_of_a_call_with_many_bills_the_part_of_one_is_told(desk: Desk, sandbox: Sandbox) -> None:
    """Who asks for one bill has to find it among all others of its call otherwise."""
    desk.configure(sandbox.url)
    numbers = orders(30)
    assert desk.k3push("run", desk.job(numbers), "--chunk-size", "30", "--no-canary").exit == 0
    told, whole = (desk.k3push("explain", numbers[7], *how).out for how in ((), ("--whole",)))
    assert told.count(numbers[7]) == whole.count(numbers[7]) == 1
    assert not [number for number in numbers if number in told and number != numbers[7]]
    assert told.count("… and 29 more (--whole)") == 2
    assert [number for number in numbers if number not in whole] == []


def test_rows_that_are_left_out_of_a_search_are_told_of(desk: Desk, sandbox: Sandbox) -> None:
    """Else the bill that is looked for seems to be in no run."""
    desk.configure(sandbox.url)
    desk.k3push("run", desk.job(orders(105)), "--limit", "1")
    many, few = desk.k3push("explain", "CGDD0"), desk.k3push("explain", "0104")
    assert (len(many.out.splitlines()), "no more than 100 rows" in many.err) == (100, True)
    assert (orders(105)[104] in few.out, few.err) == (True, "")


def test_who_has_steered_a_run_is_told(desk: Desk, start: Start) -> None:
    """Each word to a run that is under way, whether it was obeyed or not."""
    sandbox, numbers = start("--latency", "0.1"), orders(60)
    desk.configure(sandbox.url)
    with desk.begin("run", desk.job(numbers), "--chunk-size", "2", "--concurrency", "1") as process:
        until(lambda: sandbox.made() >= 2)
        assert desk.k3push("control", "set", "chunk-size=5").exit == 0
        assert desk.k3push("control", "stop").exit == 0
        process.communicate()
    assert acts_of(desk, numbers[0]) == ["began it", "said `set chunk-size=5`", "said `stop`"]


def test_a_word_about_a_doubt_has_a_name(desk: Desk, start: Start) -> None:
    """Beside the reason that was given."""
    sandbox, (number,) = start("--faults", desk.write("script.toml", LOST)), orders(1)
    desk.configure(sandbox.url)
    assert desk.k3push("run", desk.job([number]), "--no-canary", "--halt", "unknown=1").exit == 4
    settled = desk.k3push("settle", "--as", "pushed", number, "--because", "seen by Wang")
    assert settled.exit == 0, settled
    told = desk.k3push("explain", number).out
    assert f"settled by hand as pushed by {person_here()}: seen by Wang" in told
