from __future__ import annotations

import anyio
import pytest

from k3push.ports import Ledger
from k3push.runs.problem import Problem
from k3push.runs.push_requests.program_tokens import (
    add_program,
    program_of,
    programs,
    revoke_program,
)
from tests.runs.office import VirtualClock

pytestmark = pytest.mark.anyio

CLOCK = VirtualClock()


async def test_a_token_opens_for_its_program_until_it_is_revoked(
    ledger: Ledger, other: Ledger
) -> None:
    """A server that runs already refuses what another terminal has revoked."""
    made, token = await add_program(
        ledger, CLOCK, "wms", route="po-instock", role="approve", rate=60
    )
    assert await program_of(other, token) == made
    assert await program_of(other, f"{token}x") is None
    assert await program_of(other, "") is None
    revoked = await revoke_program(ledger, CLOCK, "wms")
    assert (revoked.name, bool(revoked.revoked_at)) == ("wms", True)
    assert await program_of(other, token) is None
    assert (await revoke_program(other, CLOCK, "wms")).revoked_at == revoked.revoked_at


async def test_the_ledger_has_no_token(ledger: Ledger) -> None:
    """Whoever reads a copy of the ledger cannot push with it."""
    _, token = await add_program(ledger, CLOCK, "wms", route="po-instock", role="view", rate=60)
    kept = str(await ledger.memos("token"))
    assert token not in kept
    assert token.removeprefix("k3push_") not in kept


async def test_of_two_who_add_one_program_one_has_a_token(ledger: Ledger, other: Ledger) -> None:
    """Otherwise one of them would hold a token that nobody takes."""
    made: list[str] = []
    refused: list[str] = []

    async def add(process: Ledger) -> None:
        try:
            made.append(
                (await add_program(process, CLOCK, "wms", route="r", role="view", rate=1))[1]
            )
        except Problem as problem:
            refused.append(str(problem))

    async with anyio.create_task_group() as tasks:
        for process in (ledger, other):
            tasks.start_soon(add, process)
    assert (len(made), len(refused)) == (1, 1)
    assert await program_of(ledger, made[0]) is not None


async def test_a_revoked_program_gets_a_new_token_and_the_old_one_stays_refused(
    ledger: Ledger,
) -> None:
    """A token that was seen by others is replaced, and the program goes on under its name."""
    _, old = await add_program(ledger, CLOCK, "wms", route="r", role="view", rate=1)
    await revoke_program(ledger, CLOCK, "wms")
    renewed, new = await add_program(ledger, CLOCK, "wms", route="other", role="operate", rate=2)
    assert await program_of(ledger, old) is None
    found = await program_of(ledger, new)
    assert found is not None
    assert (found.route, found.role, found.rate) == ("other", "operate", 2)
    assert [each.name for each in await programs(ledger)] == [renewed.name]


async def test_another_account_takes_no_token_of_ours(ledger: Ledger, theirs: Ledger) -> None:
    """Tenants of one database let in their own programs alone."""
    _, token = await add_program(ledger, CLOCK, "wms", route="r", role="view", rate=1)
    assert await program_of(theirs, token) is None
    assert await programs(theirs) == []


@pytest.mark.parametrize("name", ["", " wms", "a/b", "-a", "x" * 41, "采购"])
async def test_a_name_that_could_be_misread_is_refused(ledger: Ledger, name: str) -> None:
    """It stands in addresses, logs and the ledger."""
    with pytest.raises(Problem):
        await add_program(ledger, CLOCK, name, route="r", role="view", rate=1)
