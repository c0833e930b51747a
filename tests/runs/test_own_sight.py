"""A user of the ERP may be shown less than he has made; then absence proves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from k3push.core.model import BillNumber, RunId, State
from k3push.core.pacing.halting import HaltRule
from k3push.runs.context import PushLimits
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.stop import Cause
from tests.runs.office import FIRST, Office, Pushed, VirtualClock, orders, sandbox, steered, steps
from tests.runs.rough_answers import NO_HALT, OPEN, doubled

pytestmark = pytest.mark.anyio

HOW: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=1), "check": False}
LEAVES_DOUBT = PushLimits(canary=False, halt=HaltRule(unknown_count=1))


async def go_on(office: Office, run: RunId = FIRST) -> Pushed:
    """Execute a run some minutes later, until nothing more can be settled."""
    await anyio.sleep(900)
    await office.execute(run, limits=NO_HALT, **HOW)
    await anyio.sleep(900)
    return await office.execute(run, limits=NO_HALT, **HOW)


async def until_lost(office: Office, numbers: Sequence[str]) -> str:
    """Push a list until an answer is lost, and return the number that is in doubt."""
    await office.open_run(numbers)
    pushed = await office.execute(limits=LEAVES_DOUBT, **HOW)
    (lost,) = pushed.of(State.UNKNOWN)
    return lost


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("anew", [True, False])
async def test_who_is_not_shown_what_he_has_made_before_proves_no_absence(
    *, anew: bool, links: bool
) -> None:
    """The ERP's user was made anew under the same login, and sees his own documents alone."""
    plan = steps(*["ok"] * 12, "make-then-reset")
    office = Office(sandbox(plan, link_fields=links, sees={"sandbox": "own"}, **OPEN))
    numbers = orders(27)
    lost = await until_lost(office, numbers)
    if anew:
        for number in numbers:
            for document in office.site.world.documents_of(number):
                document.creator = "sandbox (old)"
    row = (await go_on(office)).rows[lost]
    assert doubled(office, numbers) == []
    assert row.state is (State.UNKNOWN if anew else State.PUSHED)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("deleted", [0, 5])
async def test_a_few_deleted_documents_hinder_no_proof(*, deleted: int, links: bool) -> None:
    """Nothing was made of a lost call, and a person has deleted what he had tried out."""
    plan = steps(*["ok"] * 12, "reset")
    office = Office(sandbox(plan, link_fields=links, **OPEN))
    numbers = orders(27)
    lost = await until_lost(office, numbers)
    for number in numbers[:deleted]:
        (document,) = office.site.world.documents_of(number)
        office.site.world.delete(document)
    row = (await go_on(office)).rows[lost]
    assert row.state is State.PUSHED


def _is_seen(id_: int) -> bool:
    """Say whether the user is shown a document, as the stand-in ERP decides."""
    digest = hashlib.blake2b(f"sandbox/{id_}".encode(), digest_size=1).digest()
    return digest[0] % 2 == 0


@pytest.mark.parametrize("links", [True, False])
async def test_what_one_execution_has_missed_the_next_one_knows(*, links: bool) -> None:
    """A person settles the bill whose document no look has shown; another is in doubt still."""
    plan = steps(*["ok"] * 4, "make-then-reset")
    options: dict[str, Any] = {"sees": {"sandbox": "half"}, "link_fields": links, **OPEN}
    office, numbers = Office(sandbox(plan, **options), documents=False), orders(6)
    ids = office.site.world._ids
    wanted = [True] * 4 + [False] * 2
    while [_is_seen(ids.bill + nth) for nth in range(1, 7)] != wanted:
        ids.bill += 1
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert set(pushed.stop.causes) == {Cause.CONTRADICTION}
    ledger, named = office.store.another_process(), BillNumber(numbers[5])
    await settle_by_word(ledger, VirtualClock(), FIRST, named, State.PUSHED, because="I see it")
    rows = (await go_on(office)).rows
    assert rows[numbers[4]].state is State.UNKNOWN
    assert doubled(office, numbers) == []
