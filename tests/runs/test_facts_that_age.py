"""What was learnt of a rule, a user or a question holds no longer once these have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import TWIN, Route, RunId, State
from k3push.runs.context import Context
from k3push.runs.stop import Cause
from k3push.simulator import FaultPlan, Policy, Refusal
from k3push.simulator.answers import AnswerStyle
from k3push.simulator.books.conversion import Converter
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.books.history import Maker
from k3push.simulator.books.orders import PushOrder
from k3push.simulator.books.visibility import Rights
from tests.runs.office import FIRST, ROUTE, SECOND, Office, orders, sandbox, steered, steps
from tests.runs.rough_answers import (
    AT_A_DOUBT,
    NO_HALT,
    OPEN,
    doubled,
    keep_a_part,
    make_as,
    name_no_document,
    plan_again,
    until_pushed,
)
from tests.runs.test_proof import accounts, login
from tests.runs.test_stray_documents import tell_days
from tests.simulator.second_rule import with_second_rule

pytestmark = pytest.mark.anyio

EARLIER = RunId("r0")
A_DAY_S = 86400.0
HOW: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=1), "check": False}
ONE_RULE, *_, OTHER_RULE = with_second_rule()
BY_OTHER_RULE = replace(ROUTE, name="other", rule=OTHER_RULE.rule_id)


async def learn(office: Office, bills: Sequence[str]) -> None:
    """Let the ledger know documents of an earlier run."""
    await office.open_run(bills, EARLIER)
    await office.execute(EARLIER, limits=NO_HALT, **HOW)


@pytest.mark.parametrize("field", ["", "FNote"])
@pytest.mark.parametrize("done", [True, False])
async def test_what_was_there_before_a_field_was_mended_is_not_ours(
    field: str, *, done: bool
) -> None:
    """A wrong field shows as little as none: a person's document of last week was not seen."""
    plan = steps("make-then-reset" if done else "reset")
    office = Office(
        sandbox(plan, link_fields=False, **OPEN), replace(ROUTE, source_number_field=field)
    )
    (bill,) = orders(1)
    theirs = office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await anyio.sleep(7 * A_DAY_S)
    await office.open_run([bill])
    await office.execute(check=False, limits=AT_A_DOUBT)
    await anyio.sleep(3600)
    row = (await office.execute(route=ROUTE, check=False)).rows[bill]
    if done:
        assert (row.state, row.code) == (State.PUSHED, TWIN)
    else:
        assert row.state is State.ALREADY
        assert [target.id for target in row.targets] == [str(theirs.id)]


@pytest.mark.parametrize("field", ["", "FNote"])
async def test_another_run_settles_no_doubt_of_one_that_asked_by_another_field(field: str) -> None:
    """It cannot tell what that run has made from what was there before."""
    office = Office(
        sandbox(steps("reset"), link_fields=False, **OPEN),
        replace(ROUTE, source_number_field=field),
    )
    (bill,) = orders(1)
    office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await anyio.sleep(7 * A_DAY_S)
    await office.open_run([bill])
    await office.execute(check=False, limits=AT_A_DOUBT)
    await anyio.sleep(3600)
    office.route = ROUTE
    await office.open_run([bill], SECOND)
    await office.execute(SECOND, check=False)
    assert (await office.rows())[bill].state is State.UNKNOWN


async def test_what_was_there_before_a_user_got_the_right_to_see_it_is_not_ours() -> None:
    """Answers have told the server's time, so that of the document tells that it is older."""
    plan = steps("ok", "ok", "reset")
    office = Office(sandbox(plan, sees={"sandbox": "own"}, **OPEN))
    *known, bill = orders(3)  # two documents tell the time, and not yet who makes them
    office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await anyio.sleep(7 * A_DAY_S)
    await learn(office, known)
    await office.open_run([bill])
    await office.execute(check=False, limits=AT_A_DOUBT)
    office.site.desk.rights = Rights({}, {}, frozenset())
    await anyio.sleep(3600)
    assert (await office.execute(check=False)).rows[bill].state is State.ALREADY


@pytest.mark.parametrize("in_parts", [True, False])
async def test_a_form_that_keeps_days_makes_nothing_older_than_its_call(
    monkeypatch: pytest.MonkeyPatch, *, in_parts: bool
) -> None:
    """A call of the evening has made its document at 00:00 of that day, as far as is told."""
    tell_days(monkeypatch)
    plan = steps(*["ok"] * 6, "make-then-reset")
    office = Office(sandbox(plan, **OPEN), replace(ROUTE, allow_partial=in_parts))
    *known, bill = orders(7)
    await learn(office, known)
    await anyio.sleep(11.5 * 3600)
    await office.open_run([bill])
    await office.execute(**HOW)
    assert (await office.rows())[bill].state is State.PUSHED
    assert doubled(office, [bill]) == []


@pytest.mark.parametrize("field", ["", "FNote"])
@pytest.mark.parametrize("again", ["", "a second delivery"])
async def test_an_older_part_hinders_no_push_of_the_rest(field: str, again: str) -> None:
    """Bills may be pushed in parts, and nothing was made of the call that was lost."""
    route = replace(ROUTE, allow_partial=not again)
    office = Office(
        sandbox(steps("reset"), link_fields=False, **OPEN),
        replace(route, source_number_field=field),
    )
    (bill,) = orders(1)
    part = office.site.world.add_target(IN_STOCK, bill, creator="clerk", quantities=(1,))
    await anyio.sleep(21 * A_DAY_S)
    await office.open_run([bill], again_because=again)
    await office.execute(check=False)
    await anyio.sleep(3600)
    row = (await office.execute(route=route, check=False)).rows[bill]
    assert row.state is State.PUSHED
    assert str(part.id) not in {target.id for target in row.targets}
    assert len(office.site.world.documents_of(bill)) == 2


@pytest.mark.parametrize("then", [FIRST, SECOND])
async def test_a_document_that_a_look_alone_has_found_sets_no_clock(
    monkeypatch: pytest.MonkeyPatch, then: RunId
) -> None:
    """A colleague has pushed a bill right before a call for it that did nothing.

    The copy that answers looks lags behind, so that his document passes for ours. It is older than
    our call; but no answer has named it.
    """
    bills, (bill,) = orders(4), orders(1, first=50)
    plan = steps(*["ok"] * 4, "reset")
    options = {"untied": tuple(bills), "query_lag_s": 12.0, "look_s": 0.05, "latency_s": 0.5}
    office = Office(sandbox(plan, link_fields=False, **options, **OPEN))
    await learn(office, orders(4, first=10))
    await office.open_run([bill], RunId("r3"))
    order = PushOrder(ROUTE.source, (bill,), rule_id=ROUTE.rule, target_form=ROUTE.target)
    theirs = office.site.world.convert(order, "sandbox")
    office.site._commit(theirs, anyio.current_time(), Maker.PERSON)
    await anyio.sleep(4)
    await office.execute(RunId("r3"), limits=AT_A_DOUBT, **HOW)
    await anyio.sleep(1800)
    await office.execute(RunId("r3"), **HOW)
    assert (await office.rows(RunId("r3")))[bill].state is State.PUSHED
    keep_a_part(monkeypatch, bills, kept=1, why=Refusal(11, "仓库必录"))
    await office.open_run(bills)
    await _stopped_after_first(office)
    await anyio.sleep(700)
    if then == SECOND:
        await office.open_run(bills, SECOND)
    together: dict[str, Any] = {**HOW, "throttle": steered(concurrency=1, chunk_size=4)}
    await office.execute(then, limits=NO_HALT, **together)
    assert doubled(office, bills) == []


async def _stopped_after_first(office: Office) -> None:
    """Execute the first run until its first call is over."""

    async def stop(job: Context) -> None:
        while not any(row.attempts for row in (await office.rows()).values()):  # noqa: ASYNC110
            await anyio.sleep(0.1)
        job.stop.ask(Cause.CONTROL, "")

    together: dict[str, Any] = {**HOW, "throttle": steered(concurrency=1, chunk_size=4)}
    await office.execute(limits=NO_HALT, beside=stop, **together)


@pytest.mark.parametrize(
    ("tied", "in_parts", "state"),
    [
        (True, True, State.PUSHED),
        (True, False, State.ALREADY),
        (False, True, State.UNKNOWN),
        (False, False, State.UNKNOWN),
    ],
)
async def test_a_user_who_was_made_anew_makes_ours_nobody_elses(
    monkeypatch: pytest.MonkeyPatch, *, tied: bool, in_parts: bool, state: State
) -> None:
    """The documents of the last night bear another name than those of today."""
    *known, bill = orders(13)
    plan = steps(*["ok"] * 12, "make-then-reset")
    options: dict[str, Any] = {} if tied else {"untied": (bill,)}
    office = Office(sandbox(plan, **options, **OPEN), replace(ROUTE, allow_partial=in_parts))
    await learn(office, known)
    await anyio.sleep(A_DAY_S)
    make_as(monkeypatch, "anew")
    await office.open_run([bill])
    for _ in range(3):
        await office.execute(limits=NO_HALT, **HOW)
        await anyio.sleep(700)
    assert doubled(office, [bill]) == []
    assert (await office.rows())[bill].state is state


async def test_a_user_who_was_made_anew_makes_no_twins_of_split_bills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An old answer names one document of two, and both bear a name that is not known yet."""
    *known, bill = orders(6)
    style = AnswerStyle(old=True, short=True)
    office = Office(sandbox(policy=Policy.SPLIT, style=style, **OPEN))
    await office.open_run([*known, bill])

    async def make_anew(_: Context) -> None:
        await until_pushed(office, len(known))
        make_as(monkeypatch, "anew")

    await office.execute(limits=NO_HALT, beside=make_anew, **HOW)
    row = (await office.rows())[bill]
    assert (row.state, row.code, len(row.targets)) == (State.PUSHED, "", 2), row


@pytest.mark.parametrize("changed", [True, False])
async def test_what_is_known_of_a_new_rule_tells_nothing_of_what_the_old_one_has_made(
    *, changed: bool
) -> None:
    """The route's rule is changed while a call by the old one is in doubt."""
    *known, bill = orders(13)
    routes = [ONE_RULE, replace(OTHER_RULE, copies_creators=True)]
    plan = steps(*["ok"] * 12, "make-then-reset")
    office = Office(sandbox(plan, routes=routes, **OPEN), BY_OTHER_RULE)
    await learn(office, known)
    office.route = ROUTE
    await anyio.sleep(3600)
    await office.open_run([bill])
    await office.execute(limits=AT_A_DOUBT, **HOW)
    await anyio.sleep(900)
    for _ in range(2):
        route = replace(BY_OTHER_RULE, name=ROUTE.name) if changed else None
        await office.execute(limits=NO_HALT, route=route, **HOW)
        await anyio.sleep(900)
    row = (await office.rows())[bill]
    assert doubled(office, [bill]) == []
    assert row.state in {State.PUSHED, State.UNKNOWN}, row


@pytest.mark.parametrize("lost", [True, False])
async def test_a_run_by_another_rule_minds_a_call_as_one_by_its_rule_does(
    monkeypatch: pytest.MonkeyPatch, *, lost: bool
) -> None:
    """Two routes between one pair of forms, each with a rule of its own."""
    bills = orders(1 if lost else 2)
    routes = [ONE_RULE, replace(OTHER_RULE, copies_creators=True)]
    plan = steps(*["ok"] * 12, "make-then-reset") if lost else FaultPlan()
    options: dict[str, Any] = {"latency_s": 0.5, "look_s": 0.05} if lost else {"query_lag_s": 8.0}
    office = Office(
        sandbox(plan, routes=routes, untied=tuple(bills), **options, **OPEN), BY_OTHER_RULE
    )
    await learn(office, orders(12, first=10))
    office.route = ROUTE
    await anyio.sleep(600)
    await office.open_run(bills)
    if lost:
        await office.execute(limits=AT_A_DOUBT, **HOW)
    else:
        keep_a_part(monkeypatch, bills, kept=1, why=Refusal(11, "仓库必录"))
        await _stopped_after_first(office)
    await anyio.sleep(900)
    office.route = BY_OTHER_RULE
    await office.open_run(bills, SECOND)
    await office.execute(SECOND, limits=NO_HALT, **HOW)
    assert doubled(office, bills) == []
    assert {row.state for row in (await office.rows(SECOND)).values()} == {State.PLANNED}


async def test_a_run_by_another_rule_takes_no_third_persons_document_for_a_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As whom each rule makes documents is known, or two runs leave a bill to each other."""
    bills = orders(2)
    routes = [ONE_RULE, replace(OTHER_RULE, copies_creators=True)]
    office = Office(sandbox(routes=routes, latency_s=0.5, look_s=0.05, **OPEN), BY_OTHER_RULE)
    await learn(office, orders(12, first=10))
    office.route = ROUTE
    await office.open_run(orders(12, first=30), RunId("r00"))
    await office.execute(RunId("r00"), limits=NO_HALT, **HOW)
    await anyio.sleep(600)
    for bill in bills:
        office.site.world.store.by_number(PURCHASE_ORDER, bill)[0].creator = "clerk"
    await office.open_run(bills)
    keep_a_part(monkeypatch, bills, kept=0, why=Refusal(11, "仓库必录"))
    await _stopped_after_first(office)
    office.site.world.add_target(IN_STOCK, "WMS", creator="clerk", typed=True)
    await anyio.sleep(900)
    office.route = BY_OTHER_RULE
    await office.open_run(bills, SECOND)
    rows = (await office.execute(SECOND, limits=NO_HALT, **HOW)).rows
    assert {row.state for row in rows.values()} == {State.PUSHED}


@pytest.mark.parametrize("then", [FIRST, SECOND])
async def test_that_a_rule_splits_no_bill_is_believed_for_two_months(
    monkeypatch: pytest.MonkeyPatch, then: RunId
) -> None:
    """It splits bills now, and the first part of one was saved by a call that was refused."""
    (bill,) = orders(1)
    office = Office(sandbox(untied=(bill,), query_lag_s=8.0, look_s=0.05, latency_s=0.5, **OPEN))
    await learn(office, orders(24, first=10))
    await anyio.sleep(100 * A_DAY_S)
    world = office.site.world
    world._converter = replace(world._converter, policy=Policy.SPLIT)
    keep_a_part(monkeypatch, [bill], kept=1, why=Refusal(11, "仓库必录"))
    await office.open_run([bill])
    await office.execute(limits=NO_HALT, **HOW)
    await anyio.sleep(1800)
    if then == FIRST:
        await plan_again(office)
    else:
        await office.open_run([bill], SECOND)
    await office.execute(then, limits=NO_HALT, **HOW)
    office.site.finish()
    assert len({making.push for making in world.makings_of(bill)}) == 1


async def test_that_a_rule_made_one_document_of_each_bill_is_no_proof_after_two_months() -> None:
    """It splits bills now, and answers are lost: nobody else has pushed them."""
    bills = orders(6)
    office = Office(sandbox(steps(*["ok"] * 24, *["make-then-reset"] * 6), **OPEN))
    await learn(office, orders(24, first=10))
    await anyio.sleep(100 * A_DAY_S)
    world = office.site.world
    world._converter = replace(world._converter, policy=Policy.SPLIT)
    await office.open_run(bills)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert Cause.TWINS not in pushed.stop.causes
    assert {len(row.targets) for row in pushed.rows.values()} == {2}


MISTYPED = replace(ROUTE, rule=f"{ROUTE.rule}2")


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("began", [ROUTE, MISTYPED], ids=["right", "mistyped"])
async def test_a_call_has_a_rule_and_not_its_run(began: Route, *, done: bool) -> None:
    """The rule was mistyped as the run began: the ERP has refused it, and it was mended since."""
    refused = ["ok"] if began is MISTYPED else []
    plan = steps(*["ok"] * 24, *refused, "make-then-reset" if done else "reset")
    office = Office(sandbox(plan, look_s=0.05, latency_s=0.5, **OPEN))
    await learn(office, orders(24, first=20))
    (bill,) = orders(1)
    office.route = began
    await office.open_run([bill])
    if began is MISTYPED:
        await office.execute(limits=NO_HALT, **HOW)
        await plan_again(office)

    async def clerk(_: Context) -> None:
        while (await office.rows())[bill].state is not State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        await anyio.sleep(60)
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")

    row = (await office.execute(limits=NO_HALT, route=ROUTE, beside=clerk, **HOW)).rows[bill]
    assert (row.state, row.code) == ((State.PUSHED, TWIN) if done else (State.ALREADY, ""))


@pytest.mark.parametrize("early", [True, False])
async def test_makers_are_asked_for_anew_before_a_bill_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, *, early: bool
) -> None:
    """They change in the midst of an execution, which has asked for them before."""
    numbers = orders(40)
    made = Converter._target

    def target(self: Converter, route: Any, shares: Any, *what: Any, **how: Any) -> Any:
        document = made(self, route, shares, *what, **how)
        late = shares[0].bill.number >= numbers[14]
        document.creator = "anew" if late else "sandbox"
        return document

    monkeypatch.setattr(Converter, "_target", target)
    names = ["ok"] * 40
    names[20] = "make-then-reset"
    if early:
        names[6] = "make-then-reset"
    office = Office(sandbox(steps(*names), untied=(numbers[20],), latency_s=20.0, **OPEN))
    await office.open_run(numbers)
    row = (await office.execute(limits=NO_HALT, **HOW)).rows[numbers[20]]
    assert doubled(office, numbers) == []
    assert row.state is State.UNKNOWN


@pytest.mark.parametrize("known", [0, 12])
async def test_what_later_answers_tell_is_not_believed_of_an_earlier_call(
    monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    """The ERP's user is made anew a day after a lost call, and pushes another list."""
    *before, bill = orders(known + 1)
    plan = steps(*["ok"] * known, "make-then-reset")
    office = Office(sandbox(plan, untied=(bill,), **OPEN))
    if before:
        await learn(office, before)
    await office.open_run([bill])
    await office.execute(limits=AT_A_DOUBT, **HOW)
    await anyio.sleep(A_DAY_S)
    make_as(monkeypatch, "anew")
    await office.open_run(orders(25, first=20), SECOND)
    await office.execute(SECOND, limits=NO_HALT, **HOW)
    await office.execute(limits=NO_HALT, **HOW)
    await anyio.sleep(900)
    row = (await office.execute(limits=NO_HALT, **HOW)).rows[bill]
    assert doubled(office, [bill]) == []
    assert row.state is State.UNKNOWN


@pytest.mark.parametrize("gap_s", [1800, 7200])
async def test_who_was_there_before_is_not_our_user_under_a_new_name(gap_s: int) -> None:
    """Another program types documents all day, and our last success is long ago."""
    office = Office(sandbox(steps(*["ok"] * 24, "reset"), look_s=0.1, latency_s=1.0, **OPEN))
    world, (bill,) = office.site.world, orders(1)
    world.add_target(IN_STOCK, "WMS-0", creator="wms", typed=True)
    await anyio.sleep(60)
    await learn(office, orders(24, first=20))
    await anyio.sleep(gap_s)
    await office.open_run([bill])

    async def wms(_: Context) -> None:
        for nth in range(1, 100):
            await anyio.sleep(120)
            world.add_target(IN_STOCK, f"WMS-{nth}", creator="wms", typed=True)

    row = (await office.execute(beside=wms, check=False)).rows[bill]
    assert row.state is State.PUSHED


@pytest.mark.parametrize("gap_s", [1800, 7200])
@pytest.mark.parametrize("links", [True, False])
async def test_what_a_clerk_pushes_after_a_lost_answer_is_already_there(
    gap_s: int, *, links: bool
) -> None:
    """Nothing was made of the call, and our last success is long ago."""
    plan = steps(*["ok"] * 24, "reset")
    office = Office(sandbox(plan, link_fields=links, **OPEN))
    await learn(office, orders(24, first=20))
    await anyio.sleep(gap_s)
    (bill,) = orders(1)
    await office.open_run([bill])
    await office.execute(limits=AT_A_DOUBT, **HOW)
    await anyio.sleep(900)
    theirs = office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    row = (await office.execute(limits=NO_HALT, **HOW)).rows[bill]
    assert row.state is State.ALREADY
    assert [target.id for target in row.targets] == [str(theirs.id)]


async def test_on_an_old_server_a_colleague_is_proved_by_what_successes_have_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answers name nothing; the first user is set aside, and the second sees all."""
    name_no_document(monkeypatch)
    plan = steps(*["ok"] * 24, "reset")
    users = accounts("sandbox", "sandbox2")
    office = Office(sandbox(plan, accounts=users, style=AnswerStyle(old=True), **OPEN))
    numbers = orders(25)
    await office.open_run(numbers)
    await office.execute(limits=AT_A_DOUBT, login=login("sandbox"), **HOW)
    await anyio.sleep(900)
    for _ in range(2):
        await office.execute(limits=NO_HALT, login=login("sandbox2"), **HOW)
        await anyio.sleep(900)
    assert {row.state for row in (await office.rows()).values()} == {State.PUSHED}
