from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.pacing.halting import HaltRule, HaltRuleError, Tally
from tests.said import english, refused


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", HaltRule()),
        (" , ", HaltRule()),
        ("fail=20%,min=50", HaltRule(fail_percent=20, fail_min=50)),
        (" fail=20% , min=50 ", HaltRule(fail_percent=20, fail_min=50)),
        ("fail=3", HaltRule(fail_count=3)),
        ("unknown=1", HaltRule(unknown_count=1)),
        ("fail=3,fail=10%,unknown=2", HaltRule(10, 0, 3, 2)),
        ("now,fail=1", HaltRule(fail_count=1, now=True)),
        ("fail=20%,min=50,now", HaltRule(fail_percent=20, fail_min=50, now=True)),
        ("soon,fail=1", HaltRule(fail_count=1)),
    ],
)
def test_a_rule_is_read(text: str, rule: HaltRule) -> None:
    """Its parts may stand in any order, with blanks around them."""
    assert HaltRule.parse(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        *("fail", "fail=", "fail=x", "fail=-1", "fail=1.5%", "fail = 3", "fails=3", "fail=3%%"),
        *("min=5%", "unknown=5%", "20%", "fail=20%;min=50", "later", "fail=0", "fail=0%"),
    ],
)
def test_a_rule_that_cannot_be_read_says_what_can(text: str) -> None:
    """A rule that is passed over would never stop anything."""
    with refused(HaltRuleError, "use fail=20%,min=50"):
        HaltRule.parse(text)


@pytest.mark.parametrize(
    "text",
    ["fail=20%,fail=30%", "fail=3,fail=3", "unknown=1,fail=2,unknown=9", "fail=20%,min=5,min=50"],
)
def test_a_rule_with_one_part_twice_is_refused(text: str) -> None:
    """Nobody can say which of the two was meant, and the laxer one may let a night go wrong."""
    with refused(HaltRuleError, "is there twice"):
        HaltRule.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("min=50", "fail=N%"),
        ("fail=5,min=50", "fail=N%"),
        ("now", "use fail=20%,min=50"),
        (",", "use fail=20%,min=50"),
    ],
)
def test_a_rule_that_is_typed_and_would_not_halt_as_it_says_is_refused(
    text: str, words: str
) -> None:
    """Who has written one sleeps, and the night goes on whatever is refused."""
    with refused(HaltRuleError, words):
        HaltRule.typed(text)


@pytest.mark.parametrize(
    "text", ["", " ", "fail=20%,min=50", "fail=3,fail=10%,min=5", "now,fail=1"]
)
def test_a_rule_that_is_typed_is_read(text: str) -> None:
    """Without a word it never halts, which is what was asked for."""
    assert HaltRule.typed(text) == HaltRule.parse(text)


@pytest.mark.parametrize(
    ("text", "tally", "words"),
    [
        ("fail=20%,min=50", Tally(50, 9), ""),
        (
            "fail=20%,min=50",
            Tally(98, 20),
            "20.4 % of 98 numbers were refused (limit fail=20%,min=50)",
        ),
        ("fail=20%", Tally(1, 1), "100.0 % of 1 number was refused (limit fail=20%)"),
        ("fail=20%,min=50", Tally(49, 49), ""),
        ("fail=3", Tally(1000, 2, 99), ""),
        ("fail=3", Tally(1000, 3), "3 of 1000 numbers were refused (limit fail=3)"),
        ("unknown=2", Tally(1000, 999, 1), ""),
        ("unknown=2", Tally(1000, 0, 2), "2 of 1000 numbers are in doubt (limit unknown=2)"),
        ("fail=1%", Tally(), ""),
        ("min=1", Tally(9, 9, 9), ""),
        ("", Tally(9, 9, 9), ""),
    ],
)
def test_a_rule_stops_at_its_limit_and_says_why(text: str, tally: Tally, words: str) -> None:
    """The reader of the summary needs the figure and the limit."""
    breach = HaltRule.parse(text).check(tally)
    assert (english(breach.why) if breach else "") == words


def test_a_rule_is_not_both_soon_and_now() -> None:
    """Whoever wrote both has not said what they want."""
    with refused(HaltRuleError, "either soon or now"):
        HaltRule.parse("soon,fail=1,now")


@given(st.integers(1, 100), st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_worse_tally_never_goes_on_where_a_better_one_stops(
    percent: int, least: int, sent: int, failed: int
) -> None:
    """More refusals among as many numbers are no reason to go on."""
    rule = HaltRule(fail_percent=percent, fail_min=least)
    failed = min(failed, sent)
    if rule.check(Tally(sent, failed)):
        assert sent >= least
        assert failed * 100 >= percent * sent
        assert all(rule.check(Tally(sent, worse)) for worse in range(failed, sent + 1))
