"""What a later look, question or second refusal tells, where the first was too early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.form_rows import FormRows
from k3push.core.model import PARTLY, TWIN, Follow, RunId, State, Step
from k3push.core.protocol.logins import password_login
from k3push.core.protocol.selection import Selection
from k3push.ports import LookFailedError, LookRefusedError
from k3push.runs.context import Context
from k3push.runs.lookup.retried_reads import read_unless_refused
from k3push.runs.push_limits import PushLimits
from k3push.runs.select import SelectContext
from k3push.runs.stop import Cause, Stop
from k3push.simulator import Accounts, AnswerStyle, Policy, PushOrder, Refusal, World, site
from k3push.simulator.answers import failure
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.exchange import json_reply
from tests.runs.office import (
    LOGIN,
    ROUTE,
    Notebook,
    Office,
    one_by_one,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    NO_CANARY,
    OPEN,
    doubled,
    keep_a_part,
    make_as,
    name_nothing,
    until_lost,
    until_pushed,
)
from tests.runs.test_clerks_documents import with_policy
from tests.runs.test_follow import FOLLOW, NO_HALT
from tests.runs.test_limits_by_bill import turned_away
from tests.runs.test_passing_refusals import pushed_by_persons, refuse_where
from tests.shares import shared_out
from tests.simulator.second_rule import with_second_rule

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

USERS = ("sandbox", "two", "three")
STATUS = "FDocumentStatus"


@pytest.mark.parametrize("code", [7, 2])
async def test_what_a_lone_bill_left_as_it_met_a_limit_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """A rule splits a bill that travels alone; a document is saved, then licences are out."""
    options = sandbox(policy=Policy.SPLIT, query_lag_s=8.0, look_s=0.1, latency_s=1.0, **OPEN)
    options = replace(options, accounts=Accounts(users=dict.fromkeys(USERS, "sandbox")))
    office, numbers = Office(options), orders(2)
    keep_a_part(monkeypatch, numbers[1:], kept=1, why=Refusal(code, "许可并发数已满"))
    await office.open_run(numbers)
    logins = {name: password_login("sandbox", name, "sandbox", 2052) for name in USERS[1:3]}
    users = logins if code == 2 else None
    await office.execute(limits=NO_CANARY, throttle=one_by_one(), more_users=users, check=False)
    assert len(office.site.world.documents_of(numbers[1])) <= 2


async def test_what_a_missing_right_left_is_waited_for_though_no_bill_was_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Many bills have shown one document each; the copy of the database lags behind."""
    *known, number = orders(25)
    options = sandbox(query_lag_s=8.0, look_s=0.1, latency_s=1.0, **OPEN)
    options = replace(options, accounts=Accounts(users=dict.fromkeys(USERS, "sandbox")))
    office = Office(options)
    keep_a_part(monkeypatch, [number], kept=1, why=Refusal(2, "没有下推权限"))
    await office.open_run(known, RunId("r0"))
    await office.execute(RunId("r0"), check=False)
    await office.open_run([number])
    users = {name: password_login("sandbox", name, "sandbox", 2052) for name in USERS[1:3]}
    await office.execute(limits=NO_CANARY, more_users=users, check=False)
    assert doubled(office, [number]) == []


async def test_one_whole_bill_shows_not_that_none_is_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bill of one document came first; of the last, which is split, a part is saved, late."""
    name_nothing(monkeypatch)
    options = sandbox(policy=Policy.SPLIT, query_lag_s=5.0, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers = Office(options), orders(2)
    (first,) = office.site.world.store.by_number(PURCHASE_ORDER, numbers[0])
    first.entries[1:] = []
    first.entries[0].quantity = first.entries[0].left = 1
    keep_a_part(monkeypatch, numbers[1:], kept=1)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    assert len(pushed.rows[numbers[0]].targets) == 1
    row = pushed.rows[numbers[1]]
    assert row.state is State.PUSHED, row
    assert row.code == PARTLY, row


@pytest.mark.parametrize("lasts_s", [100.0, 240.0])
async def test_a_limit_of_all_calls_refuses_no_document(
    monkeypatch: pytest.MonkeyPatch, lasts_s: float
) -> None:
    """For some minutes the site turns all pushes and submits away; then all goes on."""
    work = site.Site._answer

    def answer(self: Any, visit: Any, now_s: float) -> Any:
        is_push = visit.call.service == "push"
        writes = is_push or visit.operation is not None
        if writes and 40 < now_s < 40 + lasts_s:
            return json_reply(failure(self._manners.style, 14, "调用次数超过限制"))
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_answer", answer)
    options = sandbox(orders=200, latency_s=2.0, look_s=0.1, **OPEN)
    office, numbers = Office(options, FOLLOW), orders(120)
    await office.open_run(numbers)
    throttle = steered(concurrency=2, chunk_size=2)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    follows = [each.follow for each in (await office.documents()).values()]
    assert turned_away(pushed) == []
    assert follows.count(Follow.REFUSED) == 0
    assert not pushed.stop.causes


async def test_a_split_bill_of_another_rule_is_no_twin_for_bills_of_ours() -> None:
    """A run of a rule that splits was killed; ours waits for its doubt, and settles that."""
    plan = steps("make-then-reset")
    office = Office(
        sandbox(plan, latency_s=1.0, policy=Policy.SPLIT, routes=with_second_rule(), **OPEN),
        replace(ROUTE, name="other", rule=with_second_rule()[-1].rule_id),
    )
    numbers = orders(60)
    await office.open_run(numbers[:1], RunId("r0"))

    async def kill(job: Context) -> None:
        await until_lost(office, RunId("r0"))
        job.stop.scope.cancel()

    await office.execute(RunId("r0"), throttle=one_by_one(), beside=kill, check=False)
    with_policy(office, Policy.ONE_TO_ONE)
    mine = Office(site=office.site, ledger=office.store)
    await mine.open_run(numbers)
    await mine.execute(throttle=one_by_one(), limits=NO_CANARY, check=False)
    assert len(mine.site.world.documents_of(numbers[0])) == 2
    row = (await office.rows(RunId("r0")))[numbers[0]]
    assert row.code == "", row


@pytest.mark.parametrize("until_s", [8.0, 30.0])
@pytest.mark.parametrize("how", ["refused", "not whole"])
async def test_a_route_of_links_alone_is_not_blind_for_metadata_that_are_being_loaded(
    monkeypatch: pytest.MonkeyPatch, until_s: float, how: str
) -> None:
    """Persons have pushed all bills; which entry carries the links is told by metadata alone."""
    office, numbers = pushed_by_persons()
    work = ErpClient.entries_of

    async def entries(self: ErpClient, form: str) -> Any:
        if anyio.current_time() >= until_s:
            return await work(self, form)
        await anyio.sleep(0.1)
        if how == "refused":
            raise LookRefusedError(f"元数据中标识为{form}的表单不存在", code="9", definite=True)
        return ()

    monkeypatch.setattr(ErpClient, "entries_of", entries)
    await office.open_run(numbers)
    await office.execute(throttle=one_by_one(), check=False)
    assert doubled(office, numbers) == []


async def test_a_makers_field_that_is_refused_for_a_moment_hours_later_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The target form lacks FCancelStatus, and metadata are not told; makers are asked later."""

    def refuses(form: str, fields: Sequence[str], _what: str) -> str | None:
        if form != IN_STOCK.id:
            return None
        if "FCreatorId.FName" in fields and not until:
            until.append(anyio.current_time() + 1)
        if "FCreatorId.FName" in fields and anyio.current_time() < until[0]:
            return "FCreatorId.FName"
        return "FCancelStatus" if "FCancelStatus" in fields else None

    async def keys(_self: FormRows, _form: str) -> frozenset[str]:
        return frozenset()

    until: list[float] = []
    refuse_where(monkeypatch, refuses)
    monkeypatch.setattr(FormRows, "_field_keys", keys)
    office = Office(sandbox(steps(*["ok"] * 4, "reset"), latency_s=1.0, **OPEN))
    numbers = orders(6)
    await office.open_run(numbers)
    lost = []

    async def clerk(_: Context) -> None:
        lost.append(await until_lost(office))
        await anyio.sleep(1)
        office.site.world.add_target(IN_STOCK, lost[0], creator="li")

    pushed = await office.execute(throttle=one_by_one(), beside=clerk, check=False)
    assert until
    assert pushed.rows[lost[0]].state is State.ALREADY, pushed.rows[lost[0]]


async def test_what_a_clerk_makes_beside_a_silent_success_is_not_ours() -> None:
    """A success passes over a lone bill; a clerk pushes it before the looks after that end."""
    plan = steps(*["ok"] * 4, "drop-one-then-ok")
    office, numbers = Office(sandbox(plan, latency_s=1.0, query_lag_s=2.0, **OPEN)), orders(6)
    await office.open_run(numbers)

    async def clerk(_: Context) -> None:
        await until_pushed(office, 5)
        await anyio.sleep(3)
        office.site.world.add_target(IN_STOCK, numbers[4], creator="li")

    pushed = await office.execute(throttle=one_by_one(), beside=clerk, check=False)
    assert pushed.rows[numbers[4]].state is State.ALREADY, pushed.rows[numbers[4]]


async def test_a_lost_document_of_bills_that_tell_no_maker_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name of our user is not its login."""
    make_as(monkeypatch, "接口用户")
    office = Office(sandbox(steps(*["ok"] * 5, "make-then-reset"), latency_s=1.0, **OPEN), FOLLOW)
    numbers = orders(7)
    for number in numbers:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.creator = ""
    await office.open_run(numbers)
    await office.execute(throttle=one_by_one(), check=False)
    documents = (await office.documents()).values()
    assert {each.follow for each in documents} == {Follow.APPROVED}, [*documents]


async def test_a_stop_is_not_held_up_by_looks_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """All calls are answered; the looks after the last fail, and a person stops the run."""
    page = FormRows.page
    since: list[float] = []

    async def failing(self: FormRows, form: str, *what: Any, **more: Any) -> Any:
        if form == IN_STOCK.id and since:
            raise LookFailedError("HTTP 502")
        return await page(self, form, *what, **more)

    monkeypatch.setattr(FormRows, "page", failing)
    office, numbers = Office(sandbox(latency_s=1.0, **OPEN)), orders(6)
    await office.open_run(numbers)
    stopped = []

    async def stop(job: Context) -> None:
        await until_pushed(office, 3)
        since.append(anyio.current_time())
        await anyio.sleep(3)
        stopped.append(anyio.current_time())
        job.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(throttle=one_by_one(), beside=stop, check=False)
    assert anyio.current_time() - stopped[0] < 90


@pytest.mark.parametrize("until_s", [0.0, 1.0])
async def test_links_that_are_refused_for_a_moment_beside_a_number_are_asked_again(
    monkeypatch: pytest.MonkeyPatch, until_s: float
) -> None:
    """A document bears a bill's number, and its link names another; links tell of that."""

    def refuses(form: str, fields: Sequence[str], what: str) -> str | None:
        asks = form == IN_STOCK.id and "FSRCBillNo" in fields and "FSRCBillNo" in what
        link = next((field for field in fields if field.endswith("_Link_FSBillId")), None)
        return link if asks and link and anyio.current_time() < until_s else None

    refused = refuse_where(monkeypatch, refuses)
    office, numbers = Office(sandbox(**OPEN)), orders(3)
    document = office.site.world.add_target(IN_STOCK, numbers[2], creator="li")
    for line in document.entries:
        assert line.origin is not None
        line.origin = line.origin._replace(number=numbers[0])
    await office.open_run(numbers[:2])
    pushed = await office.execute(throttle=one_by_one(), check=False)
    assert bool(refused) is (until_s > 0)
    assert pushed.of(State.PUSHED) == {*numbers[:2]}, pushed.stop.causes


async def test_a_status_that_is_refused_for_a_moment_is_left_out_of_no_selection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Metadata are loaded anew for a second as bills are selected."""

    def refuses(form: str, _fields: Sequence[str], what: str) -> str | None:
        asks = form == PURCHASE_ORDER.id and STATUS in what
        return STATUS if asks and anyio.current_time() < 1 else None

    refuse_where(monkeypatch, refuses)
    office = Office(sandbox(**OPEN))
    found: list[str] = []
    async with office.erp({"sandbox": LOGIN}) as erp:

        async def select() -> Any:
            return await erp.selected(ROUTE, Selection(), today=date(2026, 1, 2), after="0")

        page = await read_unless_refused(
            SelectContext(ROUTE, erp, PushLimits(), Stop(), Notebook()), "x", select
        )
        assert page is not None
        found = [bill.number for bill in page.bills]
    assert "CGDDU000000" not in found


@pytest.mark.parametrize("place", shared_out([2, 5, 7, 10], 4))
@pytest.mark.parametrize("at_once", [1, 4, None])
async def test_a_limit_of_calls_at_once_refuses_no_document_beside_a_bill_without_licence(
    monkeypatch: pytest.MonkeyPatch, place: int, at_once: int | None
) -> None:
    """The site takes one push or submit at a time; one bill meets a limit of its own each time."""
    work = site.Site._answer
    busy = [0.0]

    def answer(self: Any, visit: Any, now_s: float) -> Any:
        if visit.call.service != "push" and visit.operation is None:
            return work(self, visit, now_s)
        if now_s < busy[0]:
            return json_reply(failure(self._manners.style, 14, "调用次数超过限制"))
        busy[0] = now_s + 2.0
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_answer", answer)
    office, numbers = Office(sandbox(latency_s=2.0, look_s=0.1, **OPEN), FOLLOW), orders(12)
    office.site.world.refuse(numbers[place], Refusal(7, "没有许可", whole_call=True))
    await office.open_run(numbers)
    throttle = steered(concurrency=at_once, chunk_size=1)
    await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    left = [d.reason for d in (await office.documents()).values() if d.follow is Follow.REFUSED]
    assert left == []


async def test_a_limit_that_one_document_meets_again_and_again_refuses_it_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others are submitted in between, so that nothing ends the execution."""
    work, met = site.Site._answer, [0]

    def answer(self: Any, visit: Any, now_s: float) -> Any:
        ids = visit.operation.ids if visit.operation is not None else ()
        if "100341" in map(str, ids) and met[0] < 7:
            met[0] += 1
            return json_reply(failure(self._manners.style, 14, "调用次数超过限制"))
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_answer", answer)
    office, numbers = Office(sandbox(latency_s=2.0, look_s=0.1, **OPEN), FOLLOW), orders(40)
    await office.open_run(numbers)
    await office.execute(limits=NO_HALT, throttle=steered(concurrency=1, chunk_size=1), check=False)
    found = Counter(document.follow for document in (await office.documents()).values())
    assert (met[0], found) == (7, {Follow.APPROVED: 40})


@pytest.mark.parametrize("lag_s", [0.0, 5.0])
@pytest.mark.parametrize("more", [0, 3])
async def test_what_a_program_pushed_right_before_a_plain_refusal_is_not_approved(
    monkeypatch: pytest.MonkeyPatch, lag_s: float, more: int
) -> None:
    """Bills are whole; as a call queues, the WMS pushes its bill, which is refused for that."""
    work = site.Site._push
    made: list[Any] = []
    numbers = orders(12)
    bad = numbers[6]

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if bad in order.numbers and not made:
            made.append(self.world.add_target(IN_STOCK, bad, creator="sandbox"))
            words = f"单据编号为“{bad}”的单据没有可下推的数量！"
            return json_reply(failure(self._manners.style, 11, words))
        return work(self, visit, now_s)

    monkeypatch.setattr(site.Site, "_push", push)
    options = sandbox(latency_s=1.0, look_s=0.1, query_lag_s=lag_s, **OPEN)
    office = Office(options, FOLLOW)
    await office.open_run([*numbers[:7], *numbers[8 : 8 + more]])
    await office.execute(throttle=one_by_one(), check=False)
    assert made[0].status == "A"


async def test_a_bill_that_two_clerks_have_pushed_is_never_told_to_be_pushed() -> None:
    """A call was lost and has made nothing; two clerks push its bill, one after the other."""
    plan = steps(*["ok"] * 4, "reset")
    office, numbers = Office(sandbox(plan, latency_s=1.0, **OPEN), FOLLOW), orders(8)
    throttle = one_by_one()
    await office.open_run(numbers)
    lost = []

    async def clerks(_: Context) -> None:
        lost.append(await until_lost(office))
        await anyio.sleep(30)
        office.site.world.add_target(IN_STOCK, lost[0], creator="li")
        while (await office.rows())[lost[0]].state is not State.ALREADY:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        office.site.world.add_target(IN_STOCK, lost[0], creator="wang")

    pushed = await office.execute(throttle=throttle, beside=clerks, check=False)
    assert pushed.rows[lost[0]].state is State.ALREADY, pushed.rows[lost[0]]


async def test_split_bills_of_a_lost_call_stop_nothing_where_few_bills_are_known() -> None:
    """Six bills had one line each; the next four are split, and their answer is lost.

    Nobody can tell them from bills that were pushed twice, so each is told, and the run goes on.
    """
    plan = steps(*["ok"] * 6, "make-then-reset")
    options = sandbox(plan, policy=Policy.SPLIT, look_s=0.1, latency_s=1.0, **OPEN)
    office, numbers = Office(options), orders(14)
    for number in (*numbers[:6], *numbers[10:]):
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.entries[1:] = []
        bill.entries[0].quantity = bill.entries[0].left = 1
    await office.open_run(numbers[:6], RunId("r0"))
    await office.execute(RunId("r0"), throttle=one_by_one(), check=False)
    await office.open_run(numbers[6:])
    throttle = steered(concurrency=1, chunk_size=4)
    pushed = await office.execute(limits=NO_CANARY, throttle=throttle, check=False)
    rows = [pushed.rows[number] for number in numbers[6:10]]
    assert [len(row.targets) for row in rows] == [2] * 4
    assert ([row.code for row in rows], [*pushed.stop.causes]) == ([TWIN] * 4, [])


async def test_a_bill_that_is_carried_out_twice_is_told_though_an_old_answer_names_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The short answer of an old server names one target at most; after a few the run stops."""
    numbers = orders(40)
    options = sandbox(orders=40, style=AnswerStyle(old=True, short=True), **OPEN)
    office = Office(options, FOLLOW)
    commit, twice = World.commit, set(numbers[22:])

    def commit_again(world: World, conversion: Any, *rest: Any, **more: Any) -> int:
        push = commit(world, conversion, *rest, **more)
        if (number := conversion.made[0].sources[0].number) in twice:
            twice.remove(number)
            world.push(PushOrder(PURCHASE_ORDER.id, (number,), rule_id=ROUTE.rule), "sandbox")
        return push

    monkeypatch.setattr(World, "commit", commit_again)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    row = pushed.rows[numbers[22]]
    assert (row.code, len(row.targets)) == (TWIN, 2)
    assert {bill.status for bill in office.site.world.documents_of(numbers[22])} == {"A"}
    assert Cause.TWINS in pushed.stop.causes
    assert len(pushed.of(State.PUSHED)) == 25


async def test_a_bill_that_a_rule_splits_now_and_then_ends_no_run_of_an_old_server() -> None:
    """Each is told, since nobody can tell it from one that was pushed twice."""
    numbers = orders(36)
    style = AnswerStyle(old=True, short=True)
    office = Office(sandbox(orders=36, policy=Policy.SPLIT, style=style, **OPEN))
    split = numbers[22::3]
    for number in set(numbers) - set(split):
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.entries[1:] = []
        bill.entries[0].quantity = bill.entries[0].left = 1
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    assert pushed.of(State.PUSHED) == set(numbers)
    assert [pushed.rows[number].code for number in split] == [TWIN] * len(split)


@pytest.mark.parametrize("whole", [0, 6])
async def test_what_an_old_answer_does_not_name_is_named_though_it_is_shown_late(
    whole: int,
) -> None:
    """A rule splits, the short answer names one target at most, and queries lag behind it."""
    numbers = orders(12)
    style = AnswerStyle(old=True, short=True)
    options = sandbox(orders=12, policy=Policy.SPLIT, style=style, query_lag_s=8.0, **OPEN)
    office = Office(replace(options, save_gap_s=10.0))
    for number in numbers[:whole]:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.entries[1:] = []
        bill.entries[0].quantity = bill.entries[0].left = 1
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), check=False)
    made = {n: {d.number for d in office.site.world.documents_of(n)} for n in numbers}
    assert {n: {t.number for t in pushed.rows[n].targets} for n in numbers} == made
    assert {row.code for row in pushed.rows.values()} == {""}


@pytest.mark.parametrize("follow", [(), (Step.SUBMIT, Step.AUDIT)])
async def test_a_bill_that_is_carried_out_twice_behind_a_lost_answer_is_told(
    monkeypatch: pytest.MonkeyPatch, follow: tuple[Step, ...]
) -> None:
    """A proxy has sent the call on a second time; the rule has made one document of each so far."""
    office = Office(
        sandbox(steps("ok", "ok", "make-then-gateway-519"), **OPEN),
        route=replace(ROUTE, follow=follow),
    )
    numbers = orders(5)
    twice = numbers[3:]
    commit = World.commit

    def commit_again(world: World, conversion: Any, *rest: Any, **more: Any) -> int:
        push = commit(world, conversion, *rest, **more)
        if {made.sources[0].number for made in conversion.made} & set(twice):
            monkeypatch.setattr(World, "commit", commit)
            world.push(PushOrder(PURCHASE_ORDER.id, tuple(twice), rule_id=ROUTE.rule), "sandbox")
        return push

    monkeypatch.setattr(World, "commit", commit_again)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=2), check=False)
    rows = [pushed.rows[number] for number in twice]
    assert [(row.code, len(row.targets)) for row in rows] == [(TWIN, 2)] * 2
    there = [bill for number in twice for bill in office.site.world.documents_of(number)]
    assert {bill.status for bill in there} == {"A"}


async def test_what_a_lost_session_has_left_is_looked_for_once_it_surely_shows() -> None:
    """The call was carried out all the same, and is refused as it is sent again."""
    plan = steps(*["ok"] * 24, "make-then-lose-session", "no-permission")
    office, numbers = Office(sandbox(plan, query_lag_s=10.0, **OPEN)), orders(25)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=one_by_one(), limits=NO_HALT, check=False)
    assert pushed.rows[numbers[-1]].targets
