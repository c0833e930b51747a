"""Bills that an earlier execution has known, and that are gone, or have a namesake, by now."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from k3push.core.model import BillNumber, State, key_of
from k3push.ports import InHand
from k3push.runs.context import Context
from k3push.runs.other_calls.held_numbers import claim
from k3push.runs.proof.own_sight import UNSEEN
from k3push.runs.stop import Cause
from k3push.simulator import Refusal
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.forms import PURCHASE_ORDER
from tests.runs.office import FIRST, SECOND, Office, one_by_one, orders, sandbox, steered, steps
from tests.runs.rough_answers import AT_A_DOUBT, NO_CANARY, NO_HALT, OPEN, keep_a_part, until_pushed

pytestmark = pytest.mark.anyio


def as_listed(office: Office, number: str, spelling: str) -> str:
    """Return how a job file spells a bill."""
    (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
    spellings = {
        "lower": number.lower(),
        "same": number,
        "id": key_of("", str(bill.id)),
        "both": key_of(number, str(bill.id)),
    }
    return spellings[spelling]


@pytest.mark.parametrize("what", ["deleted", "namesake"])
@pytest.mark.parametrize("spelling", ["lower", "same", "id", "both"])
async def test_a_bill_that_is_gone_at_a_resume_ends_no_run(what: str, spelling: str) -> None:
    """A listed bill is deleted, or gets a namesake, between two executions."""
    office, numbers = Office(sandbox(latency_s=1.0, **OPEN)), orders(3)
    listed = [as_listed(office, n, spelling) for n in numbers]
    await office.open_run(listed)

    async def stop(job: Context) -> None:
        await until_pushed(office)
        job.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(throttle=one_by_one(), beside=stop, check=False)
    (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, numbers[2])
    if what == "deleted":
        office.site.world.store.remove(bill)
    else:
        office.site.world.store.add(replace(bill, id=999_999, org="200"))
    pushed = await office.execute(throttle=one_by_one(), check=False)
    (row,) = (row for row in pushed.rows.values() if row.place == 3)
    assert row.state is State.REJECTED or (spelling in {"id", "both"} and what == "namesake")


async def test_a_line_that_spells_a_bill_which_is_gone_by_now_is_a_repeat_of_its_other_line() -> (
    None
):
    """Its other spelling was pushed before the bill was deleted, and its row stays as it is."""
    office = Office(sandbox(orders=1300, latency_s=1.0, **OPEN))
    first, *others = orders(1300)
    await office.open_run([first.lower(), *others, first])

    async def delete(_: Context) -> None:
        while (await office.rows(FIRST))[first.lower()].state is not State.PUSHED:  # noqa: ASYNC110
            await anyio.sleep(0.5)
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, first)
        office.site.world.store.remove(bill)

    pushed = await office.execute(beside=delete, check=False)
    assert pushed.of(State.PUSHED) == {first.lower(), *others}
    assert [each.number for each in await office.store.repeats(FIRST)] == [first]


async def test_a_bill_in_doubt_waits_under_another_number_in_its_own_run_as_well() -> None:
    """A list may name it by its id, and by the number that it got between two looks."""
    office, (number,) = Office(sandbox(steps("silence"), latency_s=1.0, **OPEN)), orders(1)
    await office.open_run([number, f"R{number}"])

    async def renumber(job: Context) -> None:
        await until_pushed(office)
        office.site.world.renumber(PURCHASE_ORDER, number, f"R{number}")
        other = key_of(f"R{number}")
        (row,) = (row for row in (await office.rows()).values() if row.number == number)
        job.source_ids[other] = row.source_id
        held.update(await claim(job, [other]))
        job.stop.scope.cancel()

    held: dict[BillNumber, InHand] = {}
    await office.execute(beside=renumber, check=False)
    assert held == {f"R{number}": InHand(FIRST, BillNumber(number))}


@pytest.mark.parametrize("spelling", ["lower", "same", "id", "both"])
async def test_a_bill_that_is_gone_after_a_pause_ends_no_run(spelling: str) -> None:
    """A listed bill is deleted while the run is paused for an hour."""
    office, numbers, throttle = Office(sandbox(latency_s=1.0, **OPEN)), orders(4), one_by_one()
    await office.open_run([as_listed(office, n, spelling) for n in numbers])

    async def pause(_: Context) -> None:
        await until_pushed(office)
        throttle.pause()
        await anyio.sleep(3600)
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, numbers[2])
        office.site.world.store.remove(bill)
        throttle.go_on()

    pushed = await office.execute(throttle=throttle, beside=pause, check=False)
    assert len(pushed.of(State.PUSHED)) == 3


@pytest.mark.parametrize("spelling", ["lower", "same"])
async def test_what_was_made_of_a_bill_is_told_though_it_has_a_namesake_by_now(
    monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    """A refused call has saved a bill; the run is stopped; another bill gets its number."""
    office, numbers = Office(sandbox(query_lag_s=8.0, look_s=0.1, latency_s=1.0, **OPEN)), orders(4)
    listed = [n.lower() if spelling == "lower" else n for n in numbers]
    keep_a_part(monkeypatch, numbers, kept=2, why=Refusal(11, "仓库必录"))
    await office.open_run(listed)

    async def stop(job: Context) -> None:
        await until_pushed(office)
        job.stop.ask(Cause.INTERRUPTED, "")

    throttle = steered(concurrency=1, chunk_size=4)
    await office.execute(limits=NO_CANARY, throttle=throttle, beside=stop, check=False)
    await anyio.sleep(3600)
    made = [n for n in numbers if office.site.world.documents_of(n)]
    assert len(made) == 2
    (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, made[0])
    office.site.world.store.add(replace(bill, id=999_999, org="200"))
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    row = next(r for n, r in pushed.rows.items() if n.upper() == made[0])
    assert row.state is State.PUSHED, row


@pytest.mark.parametrize("links", [True, False])
async def test_a_bill_by_its_id_that_is_gone_is_not_done_by_the_next_of_its_number(
    *, links: bool
) -> None:
    """What another run has made of the new bill is none of the old one's."""
    doubted, bill = orders(2)
    office = Office(sandbox(steps("reset"), link_fields=links, latency_s=1.0, look_s=0.05, **OPEN))
    store = office.site.world.store
    (source,) = store.by_number(PURCHASE_ORDER, bill)
    line = key_of("", str(source.id))
    await office.open_run([doubted, line])
    await office.execute(limits=AT_A_DOUBT, throttle=one_by_one(), check=False)
    await anyio.sleep(900)
    store.remove(source)
    office.site.world.add_source(PURCHASE_ORDER, bill)
    await office.open_run([bill], SECOND)
    await office.execute(SECOND, throttle=one_by_one(), check=False)
    await anyio.sleep(900)
    row = (await office.execute(limits=NO_HALT, throttle=one_by_one(), check=False)).rows[line]
    assert (row.state, row.code, row.targets) == (State.REJECTED, "precheck", ())


@pytest.mark.parametrize("made", [True, False])
async def test_a_bill_that_is_shown_no_more_is_not_said_to_have_no_document(*, made: bool) -> None:
    """Its user loses the right to its organisation right after a lost answer.

    Neither the bill nor what was made of it is shown then. Who has deleted it cannot be told apart.
    """
    numbers, lost = orders(3), "make-then-reset" if made else "reset"
    office = Office(sandbox(steps("ok", lost), latency_s=0.5, **OPEN))
    store, unshown = office.site.world.store, list[Bill]()
    await office.open_run(numbers)

    async def lose(_: Context) -> None:
        while State.UNKNOWN not in {row.state for row in (await office.rows()).values()}:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        documents = office.site.world.documents_of(numbers[1])
        unshown.extend([*store.by_number(PURCHASE_ORDER, numbers[1]), *documents])
        for each in unshown:
            store.remove(each)

    pushed = await office.execute(throttle=one_by_one(), beside=lose, check=False)
    assert {n: row.code for n, row in pushed.rows.items() if row.state is State.UNKNOWN} == {
        numbers[1]: UNSEEN
    }
    for each in unshown:
        store.add(each)
    assert (await office.execute()).of(State.PUSHED) == set(numbers)
