"""What a site's list says of the rule that a route relies on."""

from __future__ import annotations

import pytest

from k3push.core.model import Route
from k3push.core.protocol.conversion_rules import (
    OPTIONAL_FIELDS,
    Rule,
    RuleFinding,
    read_rules,
    rule_fields,
    rule_of,
)
from k3push.core.protocol.json_values import UnreadableError

BY_RULE = Route("r", "PUR_PurchaseOrder", "STK_InStock", rule="PUR_PurchaseOrder-STK_InStock")
BY_DEFAULT = Route("r", "PUR_PurchaseOrder", "STK_InStock")


def rule(
    number: str = BY_RULE.rule,
    source: str = "PUR_PurchaseOrder",
    target: str = "STK_InStock",
    *,
    enabled: bool | None = True,
    default: bool | None = True,
) -> Rule:
    """Return a rule as a site lists it."""
    return Rule(number, "", source, target, enabled, default)


@pytest.mark.parametrize(
    ("rules", "finding"),
    [
        ([rule()], RuleFinding.ENABLED),
        ([rule(source="", target="", enabled=None, default=None)], RuleFinding.THERE),
        ([rule(source="pur_purchaseorder", target="STK_INSTOCK")], RuleFinding.ENABLED),
        ([rule(enabled=False)], RuleFinding.DISABLED),
        ([rule(target="PUR_ReceiveBill")], RuleFinding.OF_OTHERS),
        ([rule("another")], RuleFinding.ABSENT),
        ([], RuleFinding.UNKNOWN),
    ],
)
def test_a_rule_that_is_named(rules: list[Rule], finding: RuleFinding) -> None:
    """What the site does not show is unknown, and nothing is taken for wrong by it."""
    assert rule_of(BY_RULE, rules)[0] is finding


@pytest.mark.parametrize(
    ("rules", "finding"),
    [
        ([rule("other", default=False), rule()], RuleFinding.DEFAULT),
        ([rule(enabled=None)], RuleFinding.DEFAULT),
        ([rule(default=False)], RuleFinding.NO_DEFAULT),
        ([rule(enabled=False)], RuleFinding.NO_DEFAULT),
        ([rule(default=None)], RuleFinding.UNKNOWN),
        ([rule(source="", target="")], RuleFinding.UNKNOWN),
        ([rule(target="PUR_ReceiveBill")], RuleFinding.UNKNOWN),
        ([], RuleFinding.UNKNOWN),
    ],
)
def test_a_default_rule_that_is_relied_on(rules: list[Rule], finding: RuleFinding) -> None:
    """A pair of which no rule is listed may have one that the user must not see."""
    assert rule_of(BY_DEFAULT, rules)[0] is finding


def test_a_field_that_the_site_lacks_leaves_it_unknown() -> None:
    """Number and name are all that was seen on a real site (P 12.1)."""
    fields = rule_fields(OPTIONAL_FIELDS)
    assert read_rules([["A-B", "甲至乙"]], fields) == [Rule("A-B", "甲至乙")]


def test_a_flag_of_another_kind_is_unknown() -> None:
    """How a site writes it was guessed from the columns of a table."""
    (found,) = read_rules([["A-B", "", "A", "B", "C", True]], rule_fields())
    assert (found.enabled, found.default) == (None, True)


def test_a_rule_without_its_number_is_no_rule() -> None:
    """Nobody could name it."""
    with pytest.raises(UnreadableError):
        read_rules([["", "甲至乙"]], rule_fields(OPTIONAL_FIELDS))
