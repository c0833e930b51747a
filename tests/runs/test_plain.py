from __future__ import annotations

from dataclasses import replace

import pytest

from k3push.core.model import State
from k3push.simulator import FaultPlan, OnRefusal, Refusal
from k3push.simulator.books.forms import PURCHASE_ORDER
from tests.runs.office import FIRST, ROUTE, SECOND, Office, orders, push, sandbox, steered, steps

pytestmark = pytest.mark.anyio

REFUSED = dict.fromkeys(orders(5, 30), Refusal(8, "仓库 {number} 必录"))


@pytest.mark.parametrize("policy", ["one-to-one", "merge", "merge-lines", "split"])
async def test_every_number_is_pushed_and_names_what_was_made(policy: str) -> None:
    """Rules group sources as they please, and only the links tell what came of each."""
    pushed = await push(orders(500), sandbox(orders=500, policy=policy))
    assert pushed.of(State.PUSHED) == set(orders(500))
    for number, row in pushed.rows.items():
        made = {str(bill.id): bill.number for bill in pushed.world.documents_of(number)}
        assert {target.id: target.number for target in row.targets} == made


async def test_lost_sessions_lose_no_number_and_push_none_twice() -> None:
    """A lost session executes nothing, and all who lost it share one login."""
    options = sandbox(FaultPlan(session_calls=7), orders=500, latency_s=0.2)
    pushed = await push(orders(500), options, throttle=steered(concurrency=8, chunk_size=20))
    assert pushed.of(State.PUSHED) == set(orders(500))
    assert pushed.logins <= pushed.site.logins.sessions_lost + 1
    assert pushed.site.logins.successes == pushed.logins


@pytest.mark.parametrize("on_refusal", OnRefusal)
async def test_a_refused_bill_spoils_no_other(on_refusal: OnRefusal) -> None:
    """What one bad bill does to its call differs between rules; its neighbours travel on."""
    options = sandbox(FaultPlan(refusals=REFUSED), on_refusal=on_refusal)
    pushed = await push(orders(60), options)
    assert pushed.of(State.REJECTED) == set(REFUSED)
    assert pushed.of(State.PUSHED) == set(orders(60)) - set(REFUSED)
    for number in REFUSED:
        assert pushed.rows[number].reason == f"仓库 {number} 必录"
        assert pushed.rows[number].code == "8"


async def test_words_that_name_no_bill_are_traced_by_halving() -> None:
    """Some rules refuse a whole call without a word about which bill they mean."""
    refusal = Refusal(4, "数据有误", whole_call=True)
    options = sandbox(FaultPlan(refusals={orders(60)[37]: refusal}))
    pushed = await push(orders(60), options)
    assert pushed.of(State.REJECTED) == {orders(60)[37]}
    assert pushed.rows[orders(60)[37]].reason == "数据有误"
    assert len(pushed.of(State.PUSHED)) == 59


async def test_a_number_that_the_source_form_does_not_hold_is_never_sent() -> None:
    """One unknown number could fail the call of the good ones."""
    pushed = await push(["CGDD9999999", *orders(3)])
    row = pushed.rows["CGDD9999999"]
    assert (row.state, row.code, row.attempts) == (State.REJECTED, "precheck", 0)
    assert pushed.of(State.PUSHED) == set(orders(3))


async def test_a_number_that_two_organisations_have_is_never_sent() -> None:
    """The call names numbers alone, so the ERP would choose for us."""
    pushed = await push(orders(2), sandbox(twins=(orders(1)[0],)))
    row = pushed.rows[orders(1)[0]]
    assert (row.state, row.code, row.attempts) == (State.REJECTED, "ambiguous", 0)


BLOCKED = ["CGDDU000000", "CGDDC000000", "CGDDX000000"]


@pytest.mark.parametrize("allowed", [False, True])
async def test_a_blocked_bill_is_rejected_unsent(*, allowed: bool) -> None:
    """Most rules refuse these, and a call that is not made costs nothing."""
    pushed = await push([*BLOCKED, *orders(3)], sandbox(allow_blocked=allowed))
    assert pushed.of(State.REJECTED) == set(BLOCKED)
    assert {pushed.rows[number].code for number in BLOCKED} == {"precheck"}
    assert not set(BLOCKED) & set(pushed.watch.carried)


@pytest.mark.parametrize("allowed", [False, True])
async def test_a_blocked_bill_is_sent_where_the_route_lets_the_rule_decide(
    *, allowed: bool
) -> None:
    """Rules can be customised to take bills that are not approved."""
    route = replace(ROUTE, send_blocked=True)
    pushed = await push([*orders(3), *BLOCKED], sandbox(allow_blocked=allowed), route=route)
    assert set(BLOCKED) <= set(pushed.watch.carried)
    assert pushed.of(State.PUSHED if allowed else State.REJECTED) >= set(BLOCKED)
    assert pushed.of(State.PUSHED) >= set(orders(3))


async def test_spellings_that_the_erp_takes_for_one_bill_travel_once() -> None:
    """A database that passes over case and width would make a document for each spelling."""
    office = Office()
    await office.open_run(["CGDD0000007", "cgdd0000007", "ＣＧＤＤ0000007", "CGDD0000008"])
    pushed = await office.execute()
    assert pushed.states == {"CGDD0000007": State.PUSHED, "CGDD0000008": State.PUSHED}
    repeats = await office.store.repeats((await office.store.runs())[0].id)
    assert [(repeat.line, repeat.first_line) for repeat in repeats] == [(2, 1), (3, 1)]
    assert pushed.watch.repeats == list(repeats)


@pytest.mark.parametrize("listed", [["AE3", "æ3"], ["æ3", "AE3"], ["AE3", "NO", "æ3", "Æ3"]])
async def test_a_spelling_that_only_the_database_takes_for_another_is_a_repeat(
    listed: list[str],
) -> None:
    """Both are asked for in one question, whose one row is spelled like one of them."""
    office = Office(sandbox(spells_out=True))
    office.site.world.add_source(PURCHASE_ORDER, "æ3")
    await office.open_run(listed)
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == {listed[0]}
    assert pushed.of(State.REJECTED) == set(listed) & {"NO"}
    assert len(await office.store.repeats(FIRST)) == len(set(listed) - {"NO"}) - 1


async def test_a_spelling_that_the_erp_does_not_know_is_rejected() -> None:
    """Where case tells numbers apart, a wrong one is another number."""
    pushed = await push(["cgdd0000007", "CGDD0000008"], sandbox(exact_numbers=True))
    assert pushed.states == {"cgdd0000007": State.REJECTED, "CGDD0000008": State.PUSHED}
    assert pushed.rows["cgdd0000007"].code == "precheck"


async def test_another_spelling_of_a_bill_far_down_the_list_is_a_repeat() -> None:
    """By then the bill was pushed, and its row is history."""
    office = Office(sandbox(orders=700))
    await office.open_run([orders(1)[0].lower(), *orders(650, 1), *orders(1), "ＣＧＤＤ0000001"])
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == {orders(1)[0].lower(), *orders(650, 1)}
    assert len(pushed.watch.carried) == 651
    assert len(await office.store.repeats(FIRST)) == 2


async def test_another_run_may_spell_a_bill_as_it_likes() -> None:
    """Claims and looks go by the ERP's spelling."""
    office = Office()
    await office.open_run(["cgdd0000007"])
    await office.execute()
    await office.open_run(["CGDD0000007"], SECOND)
    again = await office.execute(SECOND)
    assert again.of(State.ALREADY) == {"CGDD0000007"}


async def test_a_number_that_is_dropped_in_silence_is_sent_alone_once() -> None:
    """An answer that succeeds may pass over a number without a word."""
    pushed = await push(orders(21), sandbox(steps("ok", "drop-one", "drop-one")))
    row = pushed.rows[orders(21)[-1]]
    assert (row.state, row.code, row.attempts) == (State.REJECTED, "dropped", 2)
    assert pushed.of(State.PUSHED) == set(orders(20))


async def test_an_earlier_target_does_not_stop_a_route_that_pushes_in_parts() -> None:
    """What was received last week is no reason not to receive the rest."""
    office = Office(sandbox(closes=False), route=replace(ROUTE, allow_partial=True))
    await office.open_run(orders(30))
    await office.execute()
    await office.open_run(orders(30), SECOND)
    again = await office.execute(SECOND, check=False)
    # Nothing is left to push, and it is the ERP that says so.
    assert again.of(State.REJECTED) == set(orders(30))
    assert all("没有可下推的数量" in row.reason for row in again.rows.values())
