"""What a site lists of itself: its rules, its account sets."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from k3push.core.protocol import wire
from k3push.core.protocol.conversion_rules import Rule
from k3push.core.protocol.logins import AccountSet
from k3push.ports import LookFailedError, LookRefusedError
from k3push.simulator import FaultPlan, fault
from k3push.simulator.fault_plans.script import Channel, Step
from tests.adapters.erp.sites import erp_of, sandbox

pytestmark = pytest.mark.anyio

IN_STOCK = "PUR_PurchaseOrder-STK_InStock"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Run on virtual time, since what a site refuses is asked again after pauses."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


async def test_rules_are_listed_with_all_that_the_site_shows() -> None:
    """By their numbers."""
    async with erp_of(sandbox()) as erp:
        rules = await erp.rules()
    assert [rule.number for rule in rules] == sorted(rule.number for rule in rules)
    (found,) = [rule for rule in rules if rule.number == IN_STOCK]
    assert found[:4] == (IN_STOCK, "采购订单至采购入库单", "PUR_PurchaseOrder", "STK_InStock")
    assert (found.enabled, found.default) == (True, True)


async def test_a_site_that_shows_number_and_name_alone_is_asked_for_these() -> None:
    """The other fields were guessed."""
    async with erp_of(sandbox(rules="names")) as erp:
        rules = await erp.rules()
    (found,) = [rule for rule in rules if rule.number == IN_STOCK]
    assert found == Rule(IN_STOCK, "采购订单至采购入库单")


async def test_a_site_without_rules_is_no_error() -> None:
    """It may hide them."""
    async with erp_of(sandbox(rules="none")) as erp:
        assert await erp.rules() == []


async def test_a_user_without_the_right_is_told() -> None:
    """No list is not an empty one."""
    async with erp_of(sandbox(unreadable={"sandbox": [wire.RULES.lower()]})) as erp:
        with pytest.raises(LookRefusedError):
            await erp.rules()


async def test_account_sets_are_told_before_a_login() -> None:
    """So that `init` can offer them."""
    site = sandbox()
    async with erp_of(site) as erp:
        assert await erp.account_sets() == [AccountSet("sandbox", "sandbox")]
        assert erp.logins == 0


@pytest.mark.parametrize("name", ["reset", "html-200", "garbage", "empty"])
async def test_a_site_that_does_not_tell_its_account_sets_is_a_failed_look(name: str) -> None:
    """Then they are asked for."""
    plan = FaultPlan(steps=(Step(fault(name), Channel.OTHER),))
    async with erp_of(sandbox(faults=plan)) as erp:
        with pytest.raises(LookFailedError):
            await erp.account_sets()
