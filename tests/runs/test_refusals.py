"""What a call has saved that the ERP refuses, and names nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.form_rows import FormRows
from k3push.core.model import State
from k3push.core.pacing.halting import HaltRule
from k3push.runs.context import Context
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import AnswerStyle, Policy, site
from k3push.simulator.answers import failure
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.refusals import Problem
from k3push.simulator.exchange import json_reply
from tests.runs.office import Office, orders, sandbox, steered, steps
from tests.runs.rough_answers import NO_CANARY, OPEN, REFUSED, answer_in_part, doubled, name_nothing

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("first", ["already", "no canary"])
async def test_what_a_refusal_leaves_waits_before_any_lag_was_measured(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """What a refusal of several leaves waits, though no success has shown how far looks lag."""
    name_nothing(monkeypatch)
    office = Office(sandbox(query_lag_s=2.0, **OPEN))
    numbers = orders(7)
    if first == "already":
        office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")
    office.site.world.refuse(numbers[3], REFUSED)
    await office.open_run(numbers)
    await office.execute(
        limits=PushLimits() if first == "already" else NO_CANARY,
        throttle=steered(concurrency=1, chunk_size=6),
        check=False,
    )
    assert doubled(office, numbers) == []


async def test_what_a_refusal_leaves_waits_where_the_lag_has_grown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lag that was measured may lengthen a wait, and never spare one."""
    name_nothing(monkeypatch)
    office = Office(sandbox(query_lag_s=0.2, **OPEN))
    numbers = orders(13)
    office.site.world.refuse(numbers[-1], REFUSED)
    await office.open_run(numbers)

    async def grow(_: Context) -> None:
        while not office.site.world.documents_of(numbers[1]):  # noqa: ASYNC110
            await anyio.sleep(0.1)
        office.site._manners = replace(office.site._manners, query_lag_s=5.0)

    await office.execute(throttle=steered(concurrency=1, chunk_size=6), beside=grow, check=False)
    assert doubled(office, numbers) == []


async def test_a_copy_that_is_up_to_date_tells_nothing_of_one_that_is_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a refusal leaves waits, though one of two copies of the database is up to date."""
    name_nothing(monkeypatch)
    made_at: dict[str, float] = {}
    commit, whole = site.Site._commit, FormRows.whole
    turns = [0]

    def committed(self: Any, conversion: Any, *what: Any, **more: Any) -> Any:
        made_at.update({str(m.target.id): anyio.current_time() for m in conversion.made})
        return commit(self, conversion, *what, **more)

    async def answered(self: FormRows, form: str, fields: Sequence[str], wanted: str) -> Any:
        rows = await whole(self, form, fields, wanted)
        if form != IN_STOCK.id or not refused():
            return rows
        turns[0] += 1
        is_behind = turns[0] in {1, 2} or asks_again(wanted)
        now_s = anyio.current_time()
        return [r for r in rows if not is_behind or now_s - made_at.get(str(r[0]), -99.0) > 8.0]

    def refused() -> bool:
        return bool(office.site.world.documents_of(numbers[1]))

    def asks_again(wanted: str) -> bool:
        return any(number in wanted or ids[number] in wanted for number in numbers[1:6])

    monkeypatch.setattr(site.Site, "_commit", committed)
    monkeypatch.setattr(FormRows, "whole", answered)
    office = Office(sandbox(latency_s=0.2, **OPEN))
    numbers = orders(21)
    world = office.site.world
    ids = {n: str(world.store.by_number(PURCHASE_ORDER, n)[0].id) for n in numbers}
    world.refuse(numbers[5], REFUSED)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=5), check=False)
    assert doubled(office, numbers) == []


async def test_what_a_refusal_leaves_waits_after_a_resume(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a refusal of several leaves waits in the next execution as well."""
    name_nothing(monkeypatch)
    office = Office(sandbox(query_lag_s=5.0, **OPEN))
    numbers = orders(4)
    office.site.world.refuse(numbers[-1], REFUSED)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=4)

    async def stop_at_once(context: Context) -> None:
        while (await office.rows())[numbers[0]].attempts == 0:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        await anyio.sleep(1)
        context.stop.ask(Cause.INTERRUPTED, "")
        context.stop.scope.cancel()

    await office.execute(limits=NO_CANARY, throttle=throttle, beside=stop_at_once, check=False)
    await office.execute(throttle=throttle, check=False)
    assert doubled(office, numbers) == []


def refuse_a_part(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    """Let the first push save all documents of a split bill but one, and refuse it by name."""
    name_nothing(monkeypatch)
    answer_in_part(monkeypatch, Problem(11, f"单据“{number}”的仓库必录"), kept=slice(0, -1))


async def test_a_named_bill_of_which_a_part_was_saved_is_not_rejected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bill that a rule splits is not rejected where one of its documents was saved."""
    (number,) = orders(1)
    refuse_a_part(monkeypatch, number)
    office = Office(sandbox(query_lag_s=2.0, policy=Policy.SPLIT, **OPEN))
    await office.open_run([number])
    pushed = await office.execute(check=False)
    assert pushed.rows[number].state is not State.REJECTED


async def test_a_stop_at_a_refusal_leaves_no_part_untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals are just what halts a run, and what they have saved is looked for all the same."""
    numbers = orders(2)
    refuse_a_part(monkeypatch, numbers[0])
    office = Office(sandbox(query_lag_s=2.0, policy=Policy.SPLIT, **OPEN))
    await office.open_run(numbers)
    halts, throttle = HaltRule(fail_count=1), steered(concurrency=1, chunk_size=1)
    pushed = await office.execute(
        limits=PushLimits(canary=False, halt=halts), throttle=throttle, check=False
    )
    assert office.site.world.documents_of(numbers[0])
    assert pushed.rows[numbers[0]].state is not State.REJECTED


@pytest.mark.parametrize("seconds", [2, 8])
async def test_the_end_cuts_no_look_at_what_was_refused(
    monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """The last push ends while the look at an earlier refusal is under way."""
    numbers = orders(2)
    refuse_a_part(monkeypatch, numbers[0])
    plan = steps("ok", f"delay:{seconds}")
    office = Office(sandbox(plan, query_lag_s=16.0, look_s=4.0, policy=Policy.SPLIT, **OPEN))
    await office.open_run(numbers)
    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=1), check=False
    )
    assert office.site.world.documents_of(numbers[0])
    assert pushed.rows[numbers[0]].state is not State.REJECTED


async def test_a_kill_right_after_a_refusal_leaves_no_part_untold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next execution looks once more at what a killed one was refused."""
    numbers = orders(30)
    refuse_a_part(monkeypatch, numbers[0])
    office = Office(sandbox(query_lag_s=10.0, policy=Policy.SPLIT, latency_s=1.0, **OPEN))
    await office.open_run(numbers)

    async def kill(job: Context) -> None:
        await anyio.sleep(15)
        job.stop.scope.cancel()

    throttle = steered(concurrency=1, chunk_size=1)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, beside=kill, check=False)
    assert pushed.rows[numbers[0]].state is State.REJECTED
    await anyio.sleep(60)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert pushed.rows[numbers[0]].state is State.PUSHED


async def test_what_was_saved_behind_a_refusal_is_ours_after_a_resume(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that is resumed takes for its own what a refusal of its last call has saved."""
    name_nothing(monkeypatch)
    office = Office(sandbox(query_lag_s=2.0, **OPEN))
    numbers = orders(4)
    office.site.world.refuse(numbers[-1], REFUSED)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=4)
    limits = PushLimits(canary=False, halt=HaltRule(fail_count=1))
    await office.execute(limits=limits, throttle=throttle, check=False)
    assert doubled(office, numbers) == []
    await anyio.sleep(60)
    pushed = await office.execute(throttle=throttle, check=False)
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers[:-1])


@pytest.mark.parametrize("name", ["make-then-msgcode-4", "make-then-msgcode-6"])
async def test_an_exception_without_a_code_is_looked_at_once_more(name: str) -> None:
    """An exception of an old server, which gives it no code, is looked at again a while later."""
    options = sandbox(steps(name), style=AnswerStyle(old=True), query_lag_s=2.0, **OPEN)
    office = Office(options)
    numbers = orders(7)
    office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=6), check=False)
    assert doubled(office, numbers) == []


async def test_a_session_denied_after_the_work_leaves_an_outcome() -> None:
    """A session that is denied after the work rejects nothing that was made, while looks lag."""
    options = sandbox(steps("ok", "make-then-lose-session"), query_lag_s=2.0)
    office = Office(options)
    numbers = orders(4)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=3), check=False)
    assert doubled(office, numbers) == []
    assert pushed.of(State.REJECTED) == set()


async def test_a_refusal_of_the_whole_call_leaves_no_doubt() -> None:
    """A refusal that keeps nothing of its call leaves no number in doubt, makers told or not."""
    office = Office(sandbox(on_refusal="whole", creators=False, **OPEN))
    numbers = orders(13)
    office.site.world.refuse(numbers[3], REFUSED)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=6), check=False)
    assert pushed.of(State.UNKNOWN) == set()


async def test_bills_that_may_not_travel_together_travel_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message that names two bills of a call parts them, and rejects neither."""
    work = site.Site._push
    numbers = orders(7)

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if {numbers[2], numbers[4]} <= set(order.numbers):
            why = f"单据“{numbers[2]}”与单据“{numbers[4]}”的供应商不同，不能同时下推！"
            return json_reply(failure(self._manners.style, 11, why))
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_push", push)
    office = Office(sandbox(**OPEN))
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=6), check=False)
    assert pushed.of(State.PUSHED) == set(numbers)
