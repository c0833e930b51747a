from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import BillNumber, Route, RunId, Sighting, State
from k3push.ports import BELIEVED_AFTER_S, LookFailedError, LookRefusedError
from k3push.runs.context import Context
from k3push.runs.lookup.retried_reads import LEAST_TRIES_OF_A_READ
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import FAULT_NAMES, Accounts, FaultPlan, fault
from k3push.simulator.books.forms import IN_STOCK
from k3push.simulator.fault_plans.faults import Ending
from k3push.simulator.fault_plans.script import Aimed, Channel
from tests.runs.office import FIRST, ROUTE, SECOND, Office, orders, push, sandbox, steered, steps
from tests.runs.rough_answers import OPEN
from tests.shares import shared_out

pytestmark = pytest.mark.anyio

BEFORE = RunId("r0")
NUMBERS = orders(24)
# What becomes of the work is a matter of pushes; a read and a login do none.
NAMES = [name for name in FAULT_NAMES if name in set(Ending)]
READS = 8
"""The source form and the newest document once; before the canary and a chunk the target form by
field and by links; after them by field, and after the canary by links, which it proves."""

READS_BY_FIELD = 10
"""Of them without links, which the first question finds out."""


@pytest.mark.parametrize("nth", range(READS))
@pytest.mark.parametrize("name", shared_out(NAMES, 4, of_more=1))
async def test_a_read_that_fails_proves_nothing(name: str, nth: int) -> None:
    """Whoever takes a failed read for "nothing is there" rejects or repeats what is there."""
    office = Office(sandbox(steps(*["ok"] * nth, name, on=Channel.QUERY)))
    await office.open_run(NUMBERS)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=20))
    assert office.site.faults.unused() == ()
    assert not pushed.of(State.REJECTED)
    if pushed.stop.causes:
        assert set(pushed.stop.causes) == {Cause.LOOK_REFUSED}
        pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(NUMBERS)
    assert {row.attempts for row in pushed.rows.values()} == {1}


@pytest.mark.parametrize("nth", [0, 1, *range(4, READS_BY_FIELD)])
async def test_an_erp_that_is_gone_for_reads_stops_the_run(nth: int) -> None:
    """What was sent is in doubt, what was not is planned, and a later run ends it."""
    # A question of one number is asked between the tries of one of several.
    plan = steps(*["ok"] * nth, *["html-502"] * 2 * LEAST_TRIES_OF_A_READ, on=Channel.QUERY)
    office = Office(sandbox(plan, link_fields=False))
    await office.open_run(NUMBERS)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=20))
    # The first look for links is refused, takes several questions, and is made anew.
    before_a_sending = nth in {0, 1, 4, 5, 7, 9}
    assert set(pushed.stop.causes) == ({Cause.LOOK_FAILED} if before_a_sending else set())
    office.site.faults.end()
    again = await office.execute()
    assert again.of(State.PUSHED) == set(NUMBERS)
    assert {row.attempts for row in again.rows.values()} == {1}


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("name", [name for name in NAMES if fault(name).connects])
async def test_a_login_that_fails_sends_nothing(name: str, *, lost: bool) -> None:
    """At the start or in mid run, a call without a session must not leave."""
    logins = steps(*["ok"] * lost, name, on=Channel.LOGIN).steps
    pushes = steps("ok", "lose-session").steps if lost else ()
    office = Office(sandbox(FaultPlan(steps=(*logins, *pushes))))
    await office.open_run(NUMBERS)
    pushed = await office.execute()
    if pushed.stop.causes:
        assert set(pushed.stop.causes) <= {Cause.LOGIN_REFUSED, Cause.UNREACHABLE}
        assert pushed.of(State.PUSHED) == set(NUMBERS[:lost])
        pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(NUMBERS)


@pytest.mark.parametrize("name", ["make-then-reset", "edit-lock"])
async def test_an_account_that_is_locked_in_mid_run_stops_it(name: str) -> None:
    """A login that meets exceptions is tried twice, whoever needs it: a look, a push, settling."""
    office = Office(sandbox(steps("ok", name, "lose-session"), latency_s=1.0))
    await office.open_run(orders(60))
    site = office.site
    site.faults.add("ok", on=Channel.LOGIN)
    site.faults.add(*["response-error"] * 9, on=Channel.LOGIN)
    pushed = await office.execute()
    assert set(pushed.stop.causes) == {Cause.LOGIN_REFUSED}
    assert site.calls[Channel.LOGIN] == 3
    site.faults.end()
    assert (await office.execute()).of(State.PUSHED) == set(orders(60))


@pytest.mark.parametrize("calls", shared_out([3, 5, 7, 8, 13, 30], 3, of_more=1))
@pytest.mark.parametrize("latency_s", shared_out([0.0, 0.3, 5.0], 3))
async def test_sessions_that_are_lost_all_the_time_only_cost_logins(
    calls: int, latency_s: float
) -> None:
    """Many who share a short session lose it often, each by no fault of its own."""
    options = sandbox(accounts=Accounts(session_calls=calls), orders=300, latency_s=latency_s)
    pushed = await push(orders(300), options, throttle=steered(concurrency=8, chunk_size=20))
    assert not pushed.stop.causes
    assert pushed.of(State.PUSHED) == set(orders(300))


async def test_a_job_longer_than_the_look_ahead_is_read_to_its_end() -> None:
    """Numbers are asked for in pages, ahead of the sending."""
    office = Office(sandbox(orders=1700))
    await office.open_run(orders(1700), FIRST)
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(1700))


@pytest.mark.parametrize("earlier", [True, False])
async def test_a_site_that_loads_its_metadata_ends_no_night_that_has_read_the_form_before(
    *, earlier: bool
) -> None:
    """What an earlier run has read is no slip in the settings; the first run says so at once."""
    office = Office(sandbox(latency_s=0.1))
    if earlier:
        await office.open_run(NUMBERS[:2])
        await office.execute()
    await office.open_run(NUMBERS[2:], SECOND)
    office.site.desk.unloaded = frozenset({"fsrcbillno"})

    async def load() -> None:
        await anyio.sleep(25)
        office.site.desk.unloaded = frozenset()

    async with anyio.create_task_group() as site:
        site.start_soon(load)
        pushed = await office.execute(SECOND)
    told = set() if earlier else {Cause.LOOK_REFUSED}
    assert set(pushed.stop.causes) == told
    assert pushed.of(State.PUSHED) == (set(NUMBERS[2:]) if earlier else set())


async def test_a_site_that_lacks_several_fields_is_waited_for_once_a_form() -> None:
    """A refusal names one of them, and each has to be refused for some seconds."""
    office = Office(sandbox(latency_s=0.1))
    office.site.desk.unloaded = frozenset({"fcancelstatus", "fclosestatus", "fsrcbilltypeid"})
    await office.open_run(NUMBERS)
    began_s = anyio.current_time()
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(NUMBERS)
    assert anyio.current_time() - began_s < 3 * BELIEVED_AFTER_S


@pytest.mark.parametrize("there", [True, False])
async def test_a_site_that_loads_its_metadata_ends_no_resume_of_what_has_read_the_form(
    *, there: bool
) -> None:
    """The ledger names nothing that was made: all was there already, or the answer was lost."""
    office, numbers = Office(sandbox(steps("reset"), latency_s=0.1)), NUMBERS[:2]
    if there:
        office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")

    async def kill(job: Context) -> None:
        ends = State.ALREADY if there else State.UNKNOWN
        while ends not in {row.state for row in (await office.rows()).values()}:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        job.stop.scope.cancel()

    await office.open_run(numbers)
    await office.execute(beside=kill, check=False)
    office.site.desk.unloaded = frozenset({"fsrcbillno"})

    async def load() -> None:
        await anyio.sleep(25)
        office.site.desk.unloaded = frozenset()

    async with anyio.create_task_group() as site:
        site.start_soon(load)
        pushed = await office.execute()
    assert not pushed.stop.causes
    assert set(pushed.states.values()) <= {State.PUSHED, State.ALREADY}


@pytest.mark.parametrize("size", [1, 3])
async def test_no_bill_is_rejected_for_the_query_of_a_bill_of_another_chunk(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Looks of chunks that go side by side share queries, and the ERP refuses one of the bills.

    They go so once the first call was answered.
    """
    numbers, look = orders(3 * size), ErpClient.targets_of
    bad = numbers[size]

    async def refuse(
        erp: ErpClient,
        route: Route,
        asked: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        if bad in asked:
            raise LookRefusedError("GetRealExpress error", code="4")
        return await look(erp, route, asked, by_all=by_all, unsent=unsent)

    monkeypatch.setattr(ErpClient, "targets_of", refuse)
    office = Office(sandbox())
    await office.open_run(numbers)
    limits, throttle = PushLimits(canary=False), steered(concurrency=2, chunk_size=size)
    pushed = await office.execute(limits=limits, throttle=throttle)
    assert pushed.of(State.REJECTED) == {bad}
    assert pushed.of(State.PUSHED) == set(numbers) - {bad}


async def test_what_was_sent_is_looked_at_again_though_its_query_was_refused_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The call broke and is carried out later; before the next one the ERP refuses the look."""
    numbers, look = orders(2), ErpClient.targets_of

    async def refuse(
        erp: ErpClient,
        route: Route,
        asked: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        if numbers[0] in asked and 21 < anyio.current_time() < 45:
            raise LookRefusedError("GetRealExpress error", code="4")
        return await look(erp, route, asked, by_all=by_all, unsent=unsent)

    monkeypatch.setattr(ErpClient, "targets_of", refuse)
    late, slow = fault("commit-late-then-response-error:49"), fault("make-then-delay:120")
    aimed = {numbers[0]: Aimed(late), numbers[1]: Aimed(slow)}
    office = Office(sandbox(FaultPlan(aimed=aimed)))
    await office.open_run(numbers)
    limits, throttle = PushLimits(canary=False), steered(concurrency=2, chunk_size=1)
    pushed = await office.execute(limits=limits, throttle=throttle)
    assert pushed.of(State.PUSHED) == set(numbers)


async def test_a_look_of_which_a_half_was_tried_again_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A clerk pushes the bill between the two halves, and only the first one would show it."""
    office, numbers = Office(sandbox(**OPEN)), orders(3)
    await office.open_run(orders(1, first=9), BEFORE)
    await office.execute(BEFORE, check=False)
    look, fails = ErpClient.linked_targets_of, iter([False, True, False])

    async def late(*args: Any, **options: Any) -> Any:
        if (fail := next(fails, None)) is None:
            return await look(*args, **options)
        if fail:
            made = office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")
            for line in made.entries:
                line.links = ()
        raise LookFailedError("502")

    monkeypatch.setattr(ErpClient, "linked_targets_of", late)
    await office.open_run(numbers)
    await office.execute(limits=PushLimits(canary=False), check=False)
    assert len(office.site.world.documents_of(numbers[0])) == 1


async def test_a_look_is_made_anew_after_links_that_cannot_be_asked_were_waited_for() -> None:
    """A refusal is believed after five seconds, and a clerk pushes the bill meanwhile."""
    office, numbers = Office(sandbox(link_fields=False, **OPEN)), orders(3)

    async def clerk(_: Context) -> None:
        await anyio.sleep(3)
        office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")

    await office.open_run(numbers)
    await office.execute(limits=PushLimits(canary=False), beside=clerk, check=False)
    assert len(office.site.world.documents_of(numbers[0])) == 1


def answer_no_more_than(monkeypatch: pytest.MonkeyPatch, verb: str, most: int) -> list[int]:
    """Let a proxy give up questions that name more bills; return how many those named."""
    look, unanswered = getattr(ErpClient, verb), list[int]()

    async def ask(erp: ErpClient, route: Route, asked: Any, **how: Any) -> Any:
        if len(asked) > most:
            unanswered.append(len(asked))
            await anyio.sleep(60)
            raise LookFailedError("HTTP 504")
        return await look(erp, route, asked, **how)

    monkeypatch.setattr(ErpClient, verb, ask)
    return unanswered


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_a_question_too_long_for_the_site_is_asked_in_shorter_ones(
    monkeypatch: pytest.MonkeyPatch, concurrency: int
) -> None:
    """A proxy gives up what names more than thirty bills; no patience helps, and each resume ends.

    A shorter question does, also where chunks that go side by side share theirs.
    """
    verbs = ("sources_of", "targets_of", "linked_targets_of")
    unanswered = [answer_no_more_than(monkeypatch, verb, 30) for verb in verbs]
    office, numbers = Office(sandbox(orders=300, latency_s=0.1)), orders(300)
    await office.open_run(numbers)
    throttle = steered(concurrency=concurrency, chunk_size=100)
    pushed = await office.execute(throttle=throttle)
    assert not pushed.stop.causes
    assert pushed.of(State.PUSHED) == set(numbers)
    # What is too long is found out once for each kind of question, and not for each chunk.
    assert sum(map(len, unanswered)) < 30


@pytest.mark.parametrize("field", [ROUTE.source_number_field, ""])
async def test_each_part_of_a_question_that_was_too_long_counts(
    monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """A clerk has pushed a bill of which only a later part tells: by its number, or by its link."""
    for verb in ("targets_of", "linked_targets_of"):
        answer_no_more_than(monkeypatch, verb, 10)
    office = Office(
        sandbox(link_fields=not field, **OPEN), replace(ROUTE, source_number_field=field)
    )
    numbers = orders(30)
    office.site.world.add_target(IN_STOCK, numbers[28], creator="clerk")
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=29))
    assert pushed.of(State.ALREADY) == {numbers[28]}


async def test_an_outage_makes_no_question_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may end between a question that fails and a short one that is answered."""
    look, sizes = ErpClient.targets_of, list[int]()

    async def ask(erp: ErpClient, route: Route, asked: Any, **how: Any) -> Sighting:
        if 1 < anyio.current_time() < 5 and len(asked) > 1:
            raise LookFailedError("HTTP 502")
        sizes.append(len(asked))
        return await look(erp, route, asked, **how)

    monkeypatch.setattr(ErpClient, "targets_of", ask)
    office, numbers = Office(sandbox(orders=600, latency_s=0.1)), orders(600)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=100))
    assert pushed.of(State.PUSHED) == set(numbers)
    assert set(sizes) == {1, 99, 100}
