"""What several processes do to one PostgreSQL ledger at the same moment, statement by statement."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from k3push.adapters.ledger.postgres import open_postgres
from k3push.core.model import Follow, State, StepsSoFar
from k3push.ports import OtherRunStepsError
from tests.adapters.ledger.samples import ACCOUNT, ANSWER, NOON, intent, numbers, planned, states
from tests.adapters.ledger.test_postgres_server import told
from tests.adapters.ledger.test_steps import ONE, TWO, an_intent, come_to, followed

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Psycopg works on asyncio."""
    return "asyncio"


OF_FIRST = """SELECT FROM k3push.documents
WHERE run = (SELECT key FROM k3push.runs WHERE id = 'r1') FOR UPDATE"""
"""Holds up who writes down a step of a document that the first run follows."""


@asynccontextmanager
async def in_a_transaction(url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Give a session in the midst of a transaction, which is committed at the end."""
    async with await psycopg.AsyncConnection.connect(url) as session:
        yield session


async def until_some_wait(url: str, count: int = 1) -> None:
    """Wait until so many sessions wait for the lock of another."""
    asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    while len(await told(url, f"{asked} AND wait_event_type = 'Lock'")) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_number_whose_holder_gives_it_up_at_that_moment_is_claimed(
    postgres_url: str,
) -> None:
    """It was held as it was asked for, and is free as the claim is looked at."""
    async with (
        open_postgres(postgres_url, account=ACCOUNT) as ledger,
        open_postgres(postgres_url, account=ACCOUNT) as other,
    ):
        first, second = await planned(ledger, "A B"), await planned(other, "A B", "r2")
        async with ledger.own(first), other.own(second):
            await ledger.claim(first, numbers("A B"))
            async with in_a_transaction(postgres_url) as record:
                await record.execute("SELECT FROM k3push.claims WHERE number = 'A' FOR UPDATE")
                claiming = asyncio.create_task(other.claim(second, numbers("A B")))
                await until_some_wait(postgres_url)
                await record.execute("DELETE FROM k3push.claims WHERE number = 'A'")
            assert set(await claiming) == set(numbers("B"))
            await other.begin(intent(second, "A"))
            assert (await states(other, second))["A"] is State.SENT


async def test_a_step_that_is_written_down_late_is_minded(postgres_url: str) -> None:
    """Ids are given out before they are committed, and a later one may come first."""
    async with (
        open_postgres(postgres_url, account=ACCOUNT) as ledger,
        open_postgres(postgres_url, account=ACCOUNT) as other,
    ):
        first, second = await followed(ledger), await followed(other, "r2")
        third = await followed(other, "r3")
        async with in_a_transaction(postgres_url) as slow:
            await slow.execute(OF_FIRST)
            beginning = asyncio.create_task(
                ledger.begin_step(an_intent(first, ONE), after=StepsSoFar())
            )
            await until_some_wait(postgres_url)
            await other.begin_step(an_intent(third, TWO), after=StepsSoFar())
            looking = asyncio.create_task(other.steps_so_far())
            await asyncio.wait([looking], timeout=0.5)
        begun, before = await beginning, await looking
        # The second run reads the document here, as it stands before the first run's call.
        await ledger.record_step(begun, ANSWER, "x", [come_to(ONE, Follow.SUBMITTED)], at=NOON)
        with pytest.raises(OtherRunStepsError):
            await other.begin_step(an_intent(second, ONE), after=before)


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
async def test_of_two_steps_that_begin_at_one_moment_one_is_begun(
    postgres_url: str, isolation: str
) -> None:
    """Whatever isolation the administrator has set for the database."""
    database = await told(postgres_url, "SELECT quote_ident(current_database())")
    word = f"ALTER DATABASE {database[0][0]} SET default_transaction_isolation TO '{isolation}'"
    await told(postgres_url, word)
    async with (
        open_postgres(postgres_url, account=ACCOUNT) as ledger,
        open_postgres(postgres_url, account=ACCOUNT) as other,
    ):
        first, second = await followed(ledger), await followed(other, "r2")
        async with in_a_transaction(postgres_url) as slow:
            await slow.execute(OF_FIRST)
            beginning = asyncio.create_task(
                ledger.begin_step(an_intent(first, ONE), after=StepsSoFar())
            )
            await until_some_wait(postgres_url)
            late = asyncio.create_task(other.begin_step(an_intent(second, ONE), after=StepsSoFar()))
            await until_some_wait(postgres_url, count=2)
        await beginning
        with pytest.raises(OtherRunStepsError):
            await late
