"""Conversion rules (单据转换规则) as a site lists them, and what that tells of a route (P 12.1).

Number and name were seen on a real site. The other fields are those of the table behind the form,
and a site that lacks one leaves it unknown; nothing is taken for wrong by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from k3push.core.model import Route
from k3push.core.protocol.json_values import UnreadableError, text_in
from k3push.core.remark import remark

NUMBER, NAME = "FNumber", "FName"
SOURCE, TARGET = "FSourceFormId", "FTargetFormId"
ENABLED, DEFAULT = "FStatus", "FIsDefault"

OPTIONAL_FIELDS = (SOURCE, TARGET, ENABLED, DEFAULT)
"""Fields that a site may lack."""

_YES_OR_NO = {"1": True, "true": True, "0": False, "false": False}


class Rule(NamedTuple):
    """One rule; what the site does not show is "" or None.

    Attributes:
        number: What a route's `rule` names.
        name: For people.
        source: Form id of its sources.
        target: Form id of its targets.
        enabled: Whether it may be used.
        default: Whether the pair's default rule is this one (P 5.2).
    """

    number: str
    name: str
    source: str = ""
    target: str = ""
    enabled: bool | None = None
    default: bool | None = None

    def is_of(self, source: str, target: str) -> bool:
        """Say whether it leads from one form to another; false where the site does not show it.

        >>> Rule("r", "", "PUR_PurchaseOrder", "STK_InStock").is_of("PUR_PURCHASEORDER", "")
        True
        """
        pairs = ((source, self.source), (target, self.target))
        return all(not asked or asked.lower() == form.lower() for asked, form in pairs)


def rule_fields(lacking: Iterable[str] = ()) -> list[str]:
    """Return the fields to ask for, but those that the site lacks."""
    return [NUMBER, NAME, *(field for field in OPTIONAL_FIELDS if field not in lacking)]


def read_rules(rows: Iterable[Sequence[Any]], fields: Sequence[str]) -> list[Rule]:
    """Read rows that were asked for by `rule_fields`.

    >>> read_rules([["A-B", "甲至乙", "1"]], ["FNumber", "FName", "FStatus"])
    [Rule(number='A-B', name='甲至乙', source='', target='', enabled=True, default=None)]

    Raises:
        UnreadableError: A rule comes without its number.
    """
    rules = []
    for row in rows:
        told = {field: text_in(value) for field, value in zip(fields, row, strict=True)}
        if not told[NUMBER]:
            raise UnreadableError(remark("answer.rule_number"))
        rules.append(
            Rule(
                told[NUMBER],
                told[NAME],
                told.get(SOURCE, ""),
                told.get(TARGET, ""),
                _YES_OR_NO.get(told.get(ENABLED, "").lower()),
                _YES_OR_NO.get(told.get(DEFAULT, "").lower()),
            )
        )
    return rules


class RuleFinding(StrEnum):
    """What a site's list says of the rule that a route relies on."""

    ENABLED = "enabled"
    """It is there, and may be used."""

    THERE = "there"
    """It is there; whether it is enabled is not shown."""

    DISABLED = "disabled"
    """It is there, and may not be used."""

    OF_OTHERS = "of others"
    """It leads between other forms."""

    ABSENT = "absent"
    """It is not among the rules that are listed."""

    DEFAULT = "default"
    """The pair's default rule is there, and may be used."""

    NO_DEFAULT = "no default"
    """None of the pair's rules is its default, or that one may not be used."""

    UNKNOWN = "unknown"
    """Nothing is listed that tells."""


def rule_of(route: Route, rules: Sequence[Rule]) -> tuple[RuleFinding, Rule | None]:
    """Say what a site's list tells of the rule that a route relies on, and which that is.

    >>> listed = [Rule("A-B", "", "A", "B", enabled=True, default=False)]
    >>> rule_of(Route("r", "A", "B", rule="a-b"), listed)[0].value
    'enabled'
    >>> rule_of(Route("r", "A", "B"), listed)[0].value, rule_of(Route("r", "A", "B"), [])[0].value
    ('no default', 'unknown')
    """
    if not rules:
        return RuleFinding.UNKNOWN, None
    if not route.rule:
        return _default_of(route, rules)
    found = next((each for each in rules if each.number.lower() == route.rule.lower()), None)
    if found is None:
        return RuleFinding.ABSENT, None
    if found.enabled is False:
        return RuleFinding.DISABLED, found
    if found.source and found.target and not found.is_of(route.source, route.target):
        return RuleFinding.OF_OTHERS, found
    return (RuleFinding.ENABLED if found.enabled else RuleFinding.THERE), found


def _default_of(route: Route, rules: Sequence[Rule]) -> tuple[RuleFinding, Rule | None]:
    mine = [each for each in rules if each.is_of(route.source, route.target)]
    usable = next((each for each in mine if each.default and each.enabled is not False), None)
    if usable is not None:
        return RuleFinding.DEFAULT, usable
    told = mine and all(each.default is not None for each in mine)
    return (RuleFinding.NO_DEFAULT if told else RuleFinding.UNKNOWN), None
