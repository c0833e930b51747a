"""A lack of rights or licences that is met halfway: what it left is waited for, and looked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.protocol.logins import LoginCall, password_login
from k3push.simulator import Accounts, Policy, Refusal, SandboxOptions
from tests.runs.office import ROUTE, Office, one_by_one, orders, sandbox, steered
from tests.runs.rough_answers import NO_CANARY, OPEN, keep_a_part

pytestmark = pytest.mark.anyio

USERS = ("sandbox", "two", "three")
WORDS = "许可并发数已满"


def of_users(options: SandboxOptions) -> SandboxOptions:
    """Return the same sandbox with several users."""
    return replace(options, accounts=Accounts(users=dict.fromkeys(USERS, "sandbox")))


def others(code: int) -> dict[str, LoginCall] | None:
    """Return the users who push as well, where a right is what is missing."""
    logins = {name: password_login("sandbox", name, "sandbox", 2052) for name in USERS[1:]}
    return logins if code == 2 else None


@pytest.mark.parametrize("code", [7, 2])
async def test_what_is_left_before_links_are_proved_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Links are all that can be asked, the first bill is split, and looks lag."""
    options = sandbox(policy=Policy.SPLIT, query_lag_s=8.0, look_s=0.1, latency_s=1.0, **OPEN)
    route = replace(ROUTE, source_number_field="")
    office, numbers = Office(of_users(options), route, documents=False), orders(2)
    keep_a_part(monkeypatch, numbers[:1], kept=1, why=Refusal(code, WORDS))
    await office.open_run(numbers)
    await office.execute(
        limits=NO_CANARY, throttle=one_by_one(), more_users=others(code), check=False
    )
    assert len(office.site.world.documents_of(numbers[0])) <= 2


@pytest.mark.parametrize("code", [7, 2])
@pytest.mark.parametrize("size", [4, 1])
@pytest.mark.parametrize("field", ["FSRCBillNo", ""])
async def test_an_untied_document_behind_a_right_or_a_licence_that_is_missing_is_found(
    monkeypatch: pytest.MonkeyPatch, code: int, size: int, field: str
) -> None:
    """It names no source: one of the bills of its call, or a part of the one that is split."""
    numbers = orders(9)
    policy = Policy.SPLIT if size == 1 else Policy.ONE_TO_ONE
    options = sandbox(untied=(numbers[1],), look_s=0.1, latency_s=1.0, policy=policy, **OPEN)
    office = Office(of_users(options), replace(ROUTE, source_number_field=field))
    keep_a_part(monkeypatch, numbers[1 : 1 + size], kept=1, why=Refusal(code, WORDS))
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=size)
    await office.execute(throttle=throttle, more_users=others(code), check=False)
    assert len(office.site.world.documents_of(numbers[1])) == 1


@pytest.mark.parametrize("code", [7, 2])
async def test_an_untied_part_of_the_first_bill_is_found_before_links_are_proved(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Links are all that can be asked, and this document keeps none."""
    numbers = orders(2)
    options = sandbox(untied=(numbers[0],), look_s=0.1, latency_s=1.0, policy=Policy.SPLIT, **OPEN)
    route = replace(ROUTE, source_number_field="")
    office = Office(of_users(options), route, documents=False)
    keep_a_part(monkeypatch, numbers[:1], kept=1, why=Refusal(code, WORDS))
    await office.open_run(numbers)
    await office.execute(
        limits=NO_CANARY, throttle=one_by_one(), more_users=others(code), check=False
    )
    assert len(office.site.world.documents_of(numbers[0])) == 1
