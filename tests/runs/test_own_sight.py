"""A user of the ERP may be shown less than he has made; then absence proves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import BillNumber, RunId, State
from k3push.core.pacing.halting import HaltRule
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.proof import own_sight
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.proof.own_sight import UNSEEN
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import FaultPlan, Policy, Refusal, site
from k3push.simulator.answers import failure
from k3push.simulator.books.forms import PURCHASE_ORDER
from k3push.simulator.exchange import json_reply
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    Office,
    Pushed,
    VirtualClock,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import (
    AT_A_DOUBT,
    NO_HALT,
    OPEN,
    doubled,
    keep_a_part,
    plan_again,
)
from tests.runs.test_proof import accounts, login

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

KNOWN = RunId("r0")
HOW: dict[str, Any] = {"throttle": steered(concurrency=1, chunk_size=1), "check": False}


async def go_on(office: Office, run: RunId = FIRST) -> Pushed:
    """Execute a run some minutes later, until nothing more can be settled."""
    await anyio.sleep(900)
    await office.execute(run, limits=NO_HALT, **HOW)
    await anyio.sleep(900)
    return await office.execute(run, limits=NO_HALT, **HOW)


async def until_lost(office: Office, numbers: Sequence[str]) -> str:
    """Push a list until an answer is lost, and return the number that is in doubt."""
    await office.open_run(numbers)
    pushed = await office.execute(limits=AT_A_DOUBT, **HOW)
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
    office = Office(sandbox(plan, link_fields=links, latency_s=1.0, **OPEN))
    numbers = orders(27)
    lost = await until_lost(office, numbers)
    for number in numbers[:deleted]:
        (document,) = office.site.world.documents_of(number)
        office.site.world.delete(document)
    row = (await go_on(office)).rows[lost]
    assert row.state is State.PUSHED


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("lost", [(0, 13), (2, 15)])
async def test_each_doubt_is_judged_by_what_was_made_about_its_time(
    lost: tuple[int, int], *, links: bool
) -> None:
    """The first call of a ledger has no documents before it, and several after it."""
    names = ["make-then-reset" if nth in lost else "ok" for nth in range(max(lost) + 1)]
    options: dict[str, Any] = {"link_fields": links, "sees": {"sandbox": "own"}, **OPEN}
    office, numbers = Office(sandbox(steps(*names), **options)), orders(30)
    await office.open_run(numbers)
    two = PushLimits(canary=False, halt=HaltRule(unknown_count=2))
    await office.execute(limits=two, **HOW)
    for number in numbers:
        for document in office.site.world.documents_of(number):
            document.creator = "sandbox (old)"
    rows = (await go_on(office)).rows
    assert doubled(office, numbers) == []
    assert {rows[numbers[nth]].state for nth in lost} == {State.UNKNOWN}


@pytest.mark.parametrize("links", [True, False])
async def test_who_is_made_anew_between_two_doubts_proves_no_absence_of_the_second(
    *, links: bool
) -> None:
    """He was shown all as the first one was judged; the document of the second comes later."""
    plan = steps(*["ok"] * 12, "reset", *["ok"] * 2, "commit-late-then-reset:450")
    options: dict[str, Any] = {"link_fields": links, "sees": {"sandbox": "own"}, **OPEN}
    office, numbers = Office(sandbox(plan, latency_s=30.0, **options)), orders(16)
    how = HOW | {"settle": SettleTimes()}
    await office.open_run(numbers)
    two = PushLimits(canary=False, halt=HaltRule(unknown_count=2))
    first, second = sorted((await office.execute(limits=two, **how)).of(State.UNKNOWN))

    async def make_anew(_: Context) -> None:
        while (await office.rows())[first].state is State.UNKNOWN:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(1)
        while True:
            for number in {*numbers} - {first}:
                for document in office.site.world.documents_of(number):
                    document.creator = "sandbox (old)"
            await anyio.sleep(1)

    pushed = await office.execute(limits=NO_HALT, beside=make_anew, **how)
    assert doubled(office, numbers) == []
    assert (pushed.rows[second].state, pushed.rows[second].code) == (State.UNKNOWN, UNSEEN)


@pytest.mark.parametrize("policy", [Policy.ONE_TO_ONE, Policy.SPLIT])
async def test_a_document_that_a_person_has_deleted_is_no_sign_of_less_sight(
    policy: Policy,
) -> None:
    """A first trial with a wrong field ends in a contradiction, and its document is deleted."""
    plan = steps(*["ok"] * 13, "reset")
    office = Office(
        sandbox(plan, link_fields=False, policy=policy, **OPEN),
        replace(ROUTE, source_number_field="FNote"),
    )
    (trial,), numbers, run = orders(1, first=40), orders(13), RunId("r0")
    await office.open_run([trial], run)
    pushed = await office.execute(run, **HOW)
    assert set(pushed.stop.causes) == {Cause.CONTRADICTION}
    documents = list(office.site.world.documents_of(trial))
    assert len(documents) == (1 if policy is Policy.ONE_TO_ONE else 2)
    for document in documents:
        office.site.world.delete(document)
    ledger, bill = office.store.another_process(), BillNumber(trial)
    await settle_by_word(ledger, VirtualClock(), run, bill, State.PLANNED, because="deleted")
    office.route = ROUTE
    await anyio.sleep(86400)
    lost = await until_lost(office, numbers)
    assert (await go_on(office)).rows[lost].state is State.PUSHED


async def test_what_a_colleague_is_shown_tells_nothing_of_what_a_sender_is() -> None:
    """Two users send, each sees his own documents alone, and one of them was made anew."""
    plan = steps(*["ok"] * 14, "make-then-reset")
    both = ("sandbox", "clara")
    office = Office(
        sandbox(
            plan,
            accounts=accounts(*both),
            sees=dict.fromkeys(both, "own"),
            latency_s=0.5,
            look_s=0.05,
            **OPEN,
        )
    )
    how: dict[str, Any] = {
        "throttle": steered(concurrency=2, chunk_size=1),
        "login": login("sandbox"),
        "more_users": {"clara": login("clara")},
        "check": False,
    }
    numbers = orders(20)
    await office.open_run(numbers)
    (lost,) = (await office.execute(limits=AT_A_DOUBT, **how)).of(State.UNKNOWN)
    (kept,) = await office.store.attempts_of(BillNumber(lost))
    for number in numbers:
        for document in office.site.world.documents_of(number):
            if document.creator == kept.attempt.intent.sender:
                document.creator += " (old)"
    await anyio.sleep(1800)
    row = (await office.execute(limits=NO_HALT, **how)).rows[lost]
    assert doubled(office, numbers) == []
    assert row.state is State.UNKNOWN


@pytest.mark.parametrize("deleted", [2, 3])
async def test_a_run_that_settles_anothers_doubt_knows_its_own_documents_too(deleted: int) -> None:
    """Documents of the other run are deleted, and those of this one are shown."""
    office = Office(sandbox(steps(*["ok"] * 9, "reset"), look_s=0.05, **OPEN))
    mine, theirs = orders(6, first=10), orders(4)
    await office.open_run(theirs)
    await office.execute(limits=replace(NO_HALT, limit=3), **HOW)
    await office.open_run([*mine, theirs[3]], SECOND)
    await office.execute(SECOND, limits=replace(NO_HALT, limit=6), **HOW)
    await office.execute(limits=AT_A_DOUBT, **HOW)
    for number in theirs[:deleted]:
        for document in office.site.world.documents_of(number):
            office.site.world.delete(document)
    row = (await go_on(office, SECOND)).rows[theirs[3]]
    assert row.state is State.PUSHED


async def test_three_deleted_documents_of_one_call_hinder_no_proof() -> None:
    """A person has seen a mistake in them; the other documents of that call are shown."""
    numbers = orders(24)
    office = Office(sandbox(steps(*["ok"] * 3, "reset"), latency_s=0.5, look_s=0.05, **OPEN))
    together: dict[str, Any] = {**HOW, "throttle": steered(concurrency=1, chunk_size=6)}
    await office.open_run(numbers)
    pushed = await office.execute(limits=AT_A_DOUBT, **together)
    assert len(pushed.of(State.UNKNOWN)) == 6
    for number in numbers[12:15]:
        (document,) = office.site.world.documents_of(number)
        office.site.world.delete(document)
    assert (await go_on(office)).of(State.PUSHED) == set(numbers)


async def test_a_thousand_newer_documents_hide_no_change_of_sight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The run of the doubt has few documents, and another run has made many since."""
    monkeypatch.setattr(own_sight, "MOST_KNOWN", 20)
    plan = steps(*["ok"] * 12, "make-then-reset")
    office, later = Office(sandbox(plan, sees={"sandbox": "own"}, **OPEN)), RunId("r2")
    numbers = orders(27)
    lost = await until_lost(office, numbers)
    for number in numbers:
        for document in office.site.world.documents_of(number):
            document.creator = "sandbox (old)"
    await office.open_run(orders(40, first=40), later)
    await office.execute(later, limits=NO_HALT, **HOW)
    row = (await go_on(office)).rows[lost]
    assert doubled(office, numbers) == []
    assert row.state is State.UNKNOWN


def _is_seen(id_: int) -> bool:
    """Say whether the user is shown a document, as the stand-in ERP decides."""
    digest = hashlib.blake2b(f"sandbox/{id_}".encode(), digest_size=1).digest()
    return digest[0] % 2 == 0


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize(("slow", "later_s"), [("ok", 900), ("delay:120", 60)])
async def test_what_one_execution_has_missed_the_next_one_knows(
    slow: str, later_s: int, *, links: bool
) -> None:
    """A person settles the bill whose document no look has shown; another is in doubt still."""
    plan = steps(*["ok"] * 4, "make-then-reset", slow)
    office = _half_seen([True] * 4 + [False] * 2, faults=plan, link_fields=links)
    numbers = orders(6)
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert set(pushed.stop.causes) == {Cause.CONTRADICTION}
    ledger, named = office.store.another_process(), BillNumber(numbers[5])
    await settle_by_word(ledger, VirtualClock(), FIRST, named, State.PUSHED, because="I see it")
    await anyio.sleep(later_s)
    rows = (await office.execute(limits=NO_HALT, **HOW)).rows
    assert (rows[numbers[4]].state, rows[numbers[4]].code) == (State.UNKNOWN, UNSEEN)
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("code", [2, 11, 13])
async def test_a_refusal_of_several_frees_none_where_nobody_sees_what_its_sender_has_made(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It has saved one of them, and names none; the other user sees his own documents alone."""
    users, unreadable = accounts("sandbox", "clara"), {"clara": [ROUTE.target]}
    office = Office(
        sandbox(
            accounts=users, sees={"sandbox": "own"}, unreadable=unreadable, latency_s=0.5, **OPEN
        )
    )
    work = site.Site._push

    def push(self: Any, visit: Any, now_s: float) -> Any:
        order = self._order(visit)
        if visit.user != "clara" or len(order.numbers) == 1:
            return work(self, visit, now_s)
        conversion = self.world.convert(order, visit.user)
        self._save(replace(conversion, made=conversion.made[-1:]), now_s)
        words = f"单据“{order.numbers[0]}”的仓库必录"
        return json_reply(failure(self._manners.style, code, words))

    monkeypatch.setattr(site.Site, "_push", push)
    numbers = orders(12)
    await office.open_run(numbers)
    for _ in range(2):
        await office.execute(
            limits=replace(NO_HALT, canary=False),
            throttle=steered(concurrency=2, chunk_size=3),
            login=login("sandbox"),
            more_users={"clara": login("clara")},
            check=False,
        )
        await anyio.sleep(900)
    assert any(
        making.target.creator == "clara"
        for n in numbers
        for making in office.site.world.makings_of(n)
    )
    assert doubled(office, numbers) == []


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("shown", [4, 12])
async def test_a_refusal_of_several_frees_none_where_its_sender_is_not_shown_all_that_he_makes(
    monkeypatch: pytest.MonkeyPatch, shown: int, *, links: bool
) -> None:
    """An answer has named a document that no look shows, and a person has settled that bill."""
    office = _half_seen([True] * shown + [False] * 2, link_fields=links)
    numbers = orders(shown + 5)
    keep_a_part(monkeypatch, numbers[-4:], kept=1, why=Refusal(11, "仓库必录"))
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pushed.of(State.UNKNOWN) == {numbers[shown]}
    await _say_pushed(office, numbers[shown])
    how = {**HOW, "throttle": steered(concurrency=1, chunk_size=4)}
    pushed = await office.execute(limits=NO_HALT, **how)
    assert doubled(office, numbers) == []
    assert pushed.of(State.UNKNOWN) == {*numbers[-4:]}


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize(("again", "status"), [(FIRST, "C"), (FIRST, "D"), (SECOND, "C")])
async def test_what_a_refused_call_may_hide_waits_once_its_sender_is_not_shown_all(
    monkeypatch: pytest.MonkeyPatch, again: RunId, status: str, *, links: bool
) -> None:
    """It has saved its last bill; of the part that goes on first, a document is not shown."""
    office, numbers = _half_seen([True] * 2 + [False] * 5, link_fields=links), orders(4)
    await office.open_run(orders(2, first=20), KNOWN)
    await office.execute(KNOWN, limits=NO_HALT, **HOW)
    work, met = site.Site._push, iter([True])

    def push(self: Any, visit: Any, now_s: float) -> Any:
        if not next(met, False):
            return work(self, visit, now_s)
        conversion = self.world.convert(self._order(visit), visit.user)
        self._save(replace(conversion, made=conversion.made[-1:]), now_s)
        return json_reply(failure(self._manners.style, 11, "仓库必录"))

    monkeypatch.setattr(site.Site, "_push", push)
    how = {**HOW, "throttle": steered(concurrency=1, chunk_size=4)}
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_HALT, **how)
    assert pushed.of(State.PLANNED) == {*numbers[1:]}
    await _say_pushed(office, numbers[0])
    for number in numbers[1:]:
        (bill,) = office.site.world.store.by_number(PURCHASE_ORDER, number)
        bill.status = status  # D: somebody takes its approval back
    if again == SECOND:
        await office.open_run(numbers[1:], SECOND)
    pushed = await office.execute(again, limits=NO_HALT, **how)
    assert doubled(office, numbers) == []
    left = State.UNKNOWN if again == FIRST else State.PLANNED
    assert pushed.of(left) == {*numbers[1:]}


async def test_a_lone_bill_that_was_refused_is_retried_though_its_sender_is_not_shown_all() -> None:
    """The ERP makes nothing of a bill that it refuses, unless the rule splits bills."""
    office, numbers = _half_seen([True, False, True]), orders(3)
    office.site.world.refuse(numbers[0], Refusal(11, "仓库必录"))
    await office.open_run(orders(1, first=20), KNOWN)
    await office.execute(KNOWN, limits=NO_HALT, **HOW)
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pushed.of(State.UNKNOWN) == {numbers[1]}
    await _say_pushed(office, numbers[1])
    office.site.world.allow(numbers[0])
    await plan_again(office)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pushed.rows[numbers[0]].state is State.PUSHED


@pytest.mark.parametrize(("code", "left"), [(2, State.REJECTED), (7, State.PLANNED)])
async def test_a_bill_that_lacked_a_right_waits_once_its_sender_is_not_shown_all(
    monkeypatch: pytest.MonkeyPatch, code: int, left: State
) -> None:
    """It was refused for a later document, as a first one was saved, which nobody is shown."""
    office, numbers = _half_seen([True, False, False, False]), orders(2)
    keep_a_part(monkeypatch, numbers[:1], kept=1, why=Refusal(code, "没有权限"))
    await office.open_run(orders(1, first=20), KNOWN)
    await office.execute(KNOWN, limits=NO_HALT, **HOW)
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert pushed.rows[numbers[0]].state is left
    assert pushed.of(State.UNKNOWN) == {numbers[1]}
    await _say_pushed(office, numbers[1])
    if left is State.REJECTED:
        await plan_again(office)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, numbers) == []
    assert pushed.rows[numbers[0]].state is State.UNKNOWN


def _half_seen(wanted: Sequence[bool], faults: FaultPlan | None = None, **options: Any) -> Office:
    """Return an office whose user is shown the next documents or not, as is wanted."""
    office = Office(sandbox(faults, sees={"sandbox": "half"}, **OPEN, **options), documents=False)
    ids = office.site.world._ids
    while [_is_seen(ids.bill + nth) for nth, _ in enumerate(wanted, start=1)] != wanted:
        ids.bill += 1
    return office


async def _say_pushed(office: Office, number: str) -> None:
    """Let a person settle a bill, and some time pass."""
    ledger, bill = office.store.another_process(), BillNumber(number)
    await settle_by_word(ledger, VirtualClock(), FIRST, bill, State.PUSHED, because="I see it")
    await anyio.sleep(900)


async def test_a_found_part_says_that_another_may_be_out_of_sight() -> None:
    """The rule splits bills, and answers have named documents that no look shows."""
    plan = steps(*["ok"] * 3, *["make-then-reset"] * 9)
    office = Office(sandbox(plan, policy=Policy.SPLIT, sees={"sandbox": "half"}, **OPEN))
    numbers = orders(12)
    await office.open_run(numbers)
    how: dict[str, Any] = {"throttle": steered(concurrency=12, chunk_size=1), "check": False}
    await office.execute(limits=replace(NO_HALT, canary=False), **how)
    await anyio.sleep(900)
    rows = (await office.execute(limits=NO_HALT, **how)).rows
    parts = [row for row in rows.values() if row.state is State.PUSHED and len(row.targets) == 1]
    assert parts
    assert [row for row in parts if "note.missed" not in row.reason] == []


@pytest.mark.parametrize("links", [True, False])
async def test_an_exception_frees_no_bill_while_its_sender_may_not_be_shown_all_that_he_makes(
    *, links: bool
) -> None:
    """It has saved what he is not shown, and so far he was shown all that answers have named."""
    plan = steps(*["ok"] * 2, "make-then-response-error")
    office = _half_seen([True] * 2 + [False] * 2 + [True], plan, link_fields=links)
    numbers = orders(5)
    await office.open_run(numbers)
    pushed = await office.execute(limits=NO_HALT, **HOW)
    assert doubled(office, numbers) == []
    assert pushed.of(State.UNKNOWN) == {*numbers[2:4]}


async def test_an_exception_frees_no_bill_seconds_after_a_look_has_missed_a_named_document() -> (
    None
):
    """The ledger counts such a document later, as looks may lag; the execution knows at once."""
    plan = steps(*["ok"] * 3, "make-then-response-error")
    office, numbers = (
        _half_seen([True, False, True, False], plan, latency_s=5.0, look_s=0.1),
        orders(4),
    )
    await office.open_run(numbers)
    pushed = await office.execute(
        limits=replace(NO_HALT, canary=False),
        throttle=steered(concurrency=2, chunk_size=1),
        check=False,
    )
    assert len(office.site.world.documents_of(numbers[3])) == 1
    assert pushed.rows[numbers[3]].state is State.UNKNOWN


async def test_an_exception_rejects_no_bill_whose_sender_was_not_shown_all_before() -> None:
    """It has made a document; what answers of the execution before have named is not shown."""
    plan = steps("ok", "ok", "make-then-response-error")
    office, numbers = _half_seen([True, False, False], plan), orders(3)
    await office.open_run(numbers[:2])
    await office.execute(limits=NO_HALT, **HOW)
    await _say_pushed(office, numbers[1])
    await office.open_run(numbers[2:], KNOWN)
    pushed = await office.execute(KNOWN, limits=replace(NO_HALT, max_attempts=1), **HOW)
    assert pushed.of(State.UNKNOWN) == {numbers[2]}
