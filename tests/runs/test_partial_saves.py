"""Calls of which some documents are saved, and answers that say it for some."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import PARTLY, BillNumber, Follow, RunId, Sighting, State, Step
from k3push.runs.context import Context
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.stop import Cause
from k3push.simulator import Policy, Refusal, site
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.refusals import Problem
from k3push.simulator.books.replica import Replica
from k3push.simulator.endings import thrown
from tests.runs.office import ROUTE, Office, orders, sandbox, steered, steps
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    answer_in_part,
    answer_of,
    doubled,
    keep_a_part,
)

pytestmark = pytest.mark.anyio


def name_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the conversion's own status name the sources of a call, by their ids."""
    told = answer_of()

    def names_sources(style: Any, conversion: Any, on_refusal: Any) -> Any:
        answer = told(style, conversion, on_refusal)
        answer["Result"]["ConvertResponseStatus"]["SuccessEntitys"] = [
            {"Id": str(source.id), "Number": None, "DIndex": 0}
            for made in conversion.made
            for source in made.sources
        ]
        return answer

    monkeypatch.setattr(site, "push_answer", names_sources)


@pytest.mark.parametrize("code", [4, 6, 11, 0])
async def test_a_time_out_beside_documents_is_doubt(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Words of an interruption leave in doubt what no look shows, though documents are named."""
    words = Problem(code, "Execution Timeout Expired. 执行超时已过期。")
    answer_in_part(monkeypatch, words, kept=slice(0, 4), later_s=60.0)
    office = Office(sandbox(**OPEN))
    numbers = orders(6)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=5), check=False)
    assert doubled(office, numbers) == []


async def test_words_of_an_interruption_of_the_conversion_are_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So do such words of the conversion beside a success of the saving."""
    answer_in_part(monkeypatch, None, kept=slice(0, 4), later_s=90.0)
    told = answer_of()

    def timed_out(style: Any, conversion: Any, on_refusal: Any) -> Any:
        answer = told(style, conversion, on_refusal)
        if len(conversion.made) == 4:
            status = answer["Result"]["ConvertResponseStatus"]
            status["IsSuccess"], status["Errors"] = False, [{"Message": "执行超时已过期。"}]
        return answer

    monkeypatch.setattr(site, "push_answer", timed_out)
    office = Office(sandbox(**OPEN))
    numbers = orders(6)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=5), check=False)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("code", [13, 14])
async def test_a_part_of_a_bill_that_was_put_off_is_told(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A bill of which a part met a lock or a limit is `partly` there."""
    answer_in_part(monkeypatch, Problem(code, "冲突，请稍候再使用"), kept=slice(0, 1))
    office = Office(sandbox(policy=Policy.SPLIT, **OPEN))
    numbers = orders(1)
    await office.open_run(numbers)
    pushed = await office.execute(check=False)
    assert pushed.rows[numbers[0]].code == "partly"


async def test_a_part_of_a_bill_beside_which_others_were_not_begun_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bill is `partly` there where the first failure, which names nobody, ends the saving."""
    answer_in_part(monkeypatch, Problem(11, "第2行分录，库存不足"), kept=slice(0, 1))
    office = Office(sandbox(policy=Policy.SPLIT, **OPEN))
    numbers = orders(3)
    await office.open_run(numbers)
    pushed = await office.execute(
        limits=NO_CANARY, throttle=steered(concurrency=1, chunk_size=3), check=False
    )
    assert pushed.rows[numbers[0]].code == "partly", pushed.rows[numbers[0]]


async def test_a_part_of_a_bill_is_told_where_the_answer_is_all_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bill is `partly` there by the answer alone, where nothing can be asked."""
    answer_in_part(monkeypatch, Problem(11, "第2行分录，库存不足"), kept=slice(0, 1))
    options = sandbox(policy=Policy.SPLIT, link_fields=False, **OPEN)
    office = Office(options, replace(ROUTE, source_number_field=""))
    numbers = orders(1)
    await office.open_run(numbers)
    pushed = await office.execute(check=False)
    assert pushed.rows[numbers[0]].code == "partly", pushed.rows[numbers[0]]


@pytest.mark.parametrize("resumes", [False, True])
async def test_what_a_success_passed_over_and_saved_later_is_ours(
    monkeypatch: pytest.MonkeyPatch, *, resumes: bool
) -> None:
    """What a success passed over and saves later is ours, in this execution or the next."""
    answer_in_part(monkeypatch, None, kept=slice(0, 4), later_s=10.0)
    office = Office(sandbox(**OPEN))
    numbers = orders(6)
    await office.open_run(numbers)

    async def stop(job: Context) -> None:
        await anyio.sleep(5)
        if resumes:
            job.stop.ask(Cause.INTERRUPTED, "")

    throttle = steered(concurrency=1, chunk_size=5)
    await office.execute(throttle=throttle, beside=stop, check=False)
    await anyio.sleep(60)
    pushed = await office.execute(throttle=throttle, check=False)
    assert doubled(office, numbers) == []
    assert pushed.of(State.PUSHED) == set(numbers)


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_bill_in_the_midst_of_which_an_exception_came_is_told(
    monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    """A rule splits bills, as the ledger knows or nobody yet, and one document of two is saved."""
    work = site.Site._push
    numbers = orders(3)

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if numbers[-1] not in order.numbers:
            return work(self, visit, now_s)
        made = self.world.convert(order, visit.user)
        self._save(replace(made, made=made.made[:-1]), now_s)
        return thrown("未将对象引用设置到对象的实例。", as_json=True)

    monkeypatch.setattr(site.Site, "_push", push)
    office = Office(sandbox(policy=Policy.SPLIT, **OPEN))
    await office.open_run(numbers if is_known else numbers[-1:])
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert len(office.site.world.documents_of(numbers[-1])) == 1
    assert pushed.rows[numbers[-1]].code == PARTLY


async def test_what_was_made_of_a_bill_in_part_is_approved_by_nobody_but_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The refusal names the document; to approve it would be to say that the bill is done."""
    answer_in_part(monkeypatch, Problem(11, "保存失败：库存数量不足"), kept=slice(0, 1))
    route = replace(ROUTE, follow=(Step.SUBMIT, Step.AUDIT))
    office = Office(sandbox(policy=Policy.SPLIT, **OPEN), route)
    (number,) = orders(1)
    await office.open_run([number])
    pushed = await office.execute(limits=NO_CANARY, check=False)
    assert pushed.rows[number].code == PARTLY
    (document,) = office.site.world.documents_of(number)
    assert document.status == "A"
    (followed,) = (await office.documents()).values()
    assert (followed.follow, followed.reason) == (Follow.REFUSED, "note.document.part{}")


@pytest.mark.parametrize("between", [5, 30])
async def test_a_rule_that_splits_now_and_then_leaves_no_row_incomplete(between: int) -> None:
    """The ledger has a bill that was split, some documents ago; then an answer is lost."""
    plan = steps(*["ok"] * (between + 1), "make-then-reset")
    office = Office(sandbox(plan, save_gap_s=60.0, **OPEN))
    split, *whole, lost = orders(between + 2)
    pushed = None
    for nth, (numbers, policy) in enumerate(
        [([split], Policy.SPLIT), (whole, Policy.ONE_TO_ONE), ([lost], Policy.SPLIT)]
    ):
        run, world = RunId(f"run {nth}"), office.site.world
        world._converter = replace(world._converter, policy=policy)
        await office.open_run(numbers, run)
        throttle = steered(concurrency=1, chunk_size=1)
        pushed = await office.execute(run, throttle=throttle, settle=SettleTimes(), check=False)
    office.site.finish()
    made = {str(each.id) for each in office.site.world.documents_of(lost)}
    assert len(made) == 2
    assert pushed is not None
    assert {each.id for each in pushed.rows[lost].targets} == made


async def test_a_conversion_that_names_its_sources_by_id_contradicts_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sources that the conversion names by their ids contradict no success."""
    name_sources(monkeypatch)
    office = Office(sandbox())
    await office.open_run(orders(3))
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(3))


async def test_a_conversion_that_names_its_sources_by_id_makes_no_targets_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Such sources are no documents, where the answer is all there is."""
    name_sources(monkeypatch)
    office = Office(sandbox(link_fields=False), replace(ROUTE, source_number_field=""))
    await office.open_run(orders(1))
    pushed = await office.execute(check=False)
    (row,) = pushed.rows.values()
    made = {str(each.id) for each in office.site.world.documents_of(orders(1)[0])}
    assert {each.id for each in row.targets} == made


async def test_of_what_a_refusal_has_saved_without_a_word_all_parts_are_named() -> None:
    """A licence was missing halfway, and the documents of each bill are saved one after another."""
    plan = steps("ok", "drop-one-then-no-licence")
    office = Office(sandbox(plan, policy=Policy.SPLIT, save_gap_s=0.5, **OPEN))
    await office.open_run(orders(13))
    await office.execute(throttle=steered(concurrency=1, chunk_size=5), limits=NO_CANARY)
    for number, row in (await office.rows()).items():
        made = {str(making.target.id) for making in office.site.world.makings_of(number)}
        assert {target.id for target in row.targets} == made, row


@pytest.mark.parametrize("kept", [1, 2])
@pytest.mark.parametrize("links", [False, True])
async def test_what_one_look_after_a_call_has_shown_no_later_one_takes_back(
    monkeypatch: pytest.MonkeyPatch, *, links: bool, kept: int
) -> None:
    """A refusal has saved documents without a word; the first look alone shows one of them."""
    route = replace(ROUTE, draft_when_save_fails=True)
    office = Office(sandbox(query_lag_s=70.0, latency_s=1.0, link_fields=links, **OPEN), route)
    numbers, behind, fresh = orders(40), Replica.shown, True
    keep_a_part(monkeypatch, numbers[-2:], kept=kept, why=Refusal(11, "仓库必录"))
    await office.open_run(numbers)

    def in_turn(replica: Replica, bill: Bill) -> Bill | None:
        return bill if fresh else behind(replica, bill)

    async def look(*what: Any, **how: Any) -> Sighting:
        nonlocal fresh
        seen = await look_at_sent(*what, **how)
        if fresh and numbers[-2] in seen.targets:
            fresh = False
            shown = BillNumber(numbers[-2])
            return replace(seen, targets={shown: seen.targets[shown]})
        return seen

    monkeypatch.setattr(Replica, "shown", in_turn)
    monkeypatch.setattr("k3push.runs.sending.look_after.look_at_sent", look)
    throttle = steered(concurrency=1, chunk_size=2)
    await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    assert not fresh
    assert doubled(office, numbers) == []
