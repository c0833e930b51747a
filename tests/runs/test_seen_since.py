"""What looks have shown of bills since they were sent is known to whoever goes on with the run."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from k3push.core.model import BillNumber
from k3push.ports import Memo
from k3push.runs.context import Context
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.proof.seen_since import note_numbers, numbers_since
from k3push.simulator.books.forms import IN_STOCK
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import FIRST, SECOND, Office, VirtualClock, one_by_one, orders, sandbox
from tests.runs.test_renamed_bills import bill_of, rename

pytestmark = pytest.mark.anyio

NEW, NEWER = BillNumber("CGDD-NEW"), BillNumber("CGDD-NEWER")


async def note(office: Office, id_: str, number: BillNumber) -> None:
    """Write down that a look of the first run has seen a bill to have a number."""
    await note_numbers(office.store, FIRST, id_, [number], at=VirtualClock().now())


async def test_of_two_looks_at_one_moment_neither_forgets_what_the_other_has_seen() -> None:
    """Both add to what is there of the bill."""
    office = Office()
    await office.open_run(orders(1))
    await note(office, "1", BillNumber("CGDD-OLD"))
    async with anyio.create_task_group() as both:
        for number in (NEW, NEWER):
            both.start_soon(partial(note, office, "1", number))
    assert await numbers_since(office.store, FIRST) == {"1": {"CGDD-OLD", NEW, NEWER}}


async def test_what_a_look_has_seen_that_was_cut_off_is_written_down_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end of an execution cuts one off, and makes another."""
    (number,) = map(BillNumber, orders(1))
    office = Office(sandbox(link_fields=False))
    bill, remember = bill_of(office, number), MemoryLedger.remember
    await office.open_run([number])
    rename(office, bill, NEW)

    async def hang(_: MemoryLedger, memo: Memo) -> Memo:
        await anyio.sleep_forever()
        return memo

    async def look_twice(job: Context) -> None:
        job.ids[number], job.links.absent = str(bill.id), True
        monkeypatch.setattr(MemoryLedger, "remember", hang)
        with anyio.move_on_after(60):
            await look_at_sent(job, [number], by_all=True)
        monkeypatch.setattr(MemoryLedger, "remember", remember)
        await look_at_sent(job, [number], by_all=True)

    await office.execute(throttle=one_by_one(), work=look_twice, check=False)
    assert await numbers_since(office.store, FIRST) == {str(bill.id): {NEW}}


async def test_what_an_execution_of_another_run_has_seen_meanwhile_is_known() -> None:
    """This run has looked for its doubts before, and nobody executes it any more."""
    number, third = map(BillNumber, orders(2))
    office = Office(sandbox(link_fields=False))
    bill, heir = bill_of(office, number), bill_of(office, third)
    for run in (FIRST, SECOND):
        await office.open_run([number], run)
    rename(office, bill, NEWER)
    rename(office, heir, NEW)
    office.site.world.add_target(IN_STOCK, NEW)
    shown: list[bool] = []

    async def look_twice(job: Context) -> None:
        job.ids[number], job.links.absent = str(bill.id), True
        for _ in range(2):
            seen = await look_at_sent(job, [number], run=FIRST, by_all=True)
            shown.append(number in seen.shared)
            await note(office, str(bill.id), NEW)

    await office.execute(SECOND, throttle=one_by_one(), work=look_twice, check=False)
    assert shown == [False, True]
