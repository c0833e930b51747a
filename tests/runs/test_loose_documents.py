"""Documents that bear a bill's number and that no link ties to it, where links find others.

A plug-in of the site writes another order's number into what a call has made, and drops its link:
the document is the lost bill's, and bears the other's number. So it is loose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import BillNumber, Listed, Outcome, Route, RunId, State, Step, Target
from k3push.ports import LookFailedError, LookRefusedError
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.proof import absence_proof
from k3push.runs.stop import Cause
from k3push.simulator import FaultPlan, Policy, fault
from k3push.simulator.answers import AnswerStyle
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.fault_plans.script import Aimed
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    NOON,
    ROUTE,
    SECOND,
    Office,
    Pushed,
    VirtualClock,
    one_by_one,
    orders,
    sandbox,
    steered,
)
from tests.runs.rough_answers import (
    AT_A_DOUBT,
    AT_TWO_DOUBTS,
    NO_CANARY,
    NO_HALT,
    OPEN,
    REFUSED,
    drop_each_second_link,
    interrupt,
)
from tests.runs.test_proof import accounts, login
from tests.said import english
from tests.simulator.second_rule import with_second_rule

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

LOST, OTHER, *REST = orders(24)
BOTH_LOST = {LOST: "make-then-reset", OTHER: "reset"}


def office_of(
    meets: Mapping[str, str] | None = None, route: Route = ROUTE, **options: object
) -> Office:
    """Return an office whose calls of some bills meet faults; the lost bill's document is loose."""
    aimed = {bill: Aimed(fault(name)) for bill, name in (meets or {}).items()}
    base = {"misnamed": {LOST: OTHER}, "latency_s": 1.0, **OPEN}
    return Office(sandbox(FaultPlan(aimed=aimed), **(base | options)), route)


async def go_on(office: Office, run: RunId = FIRST, *, times: int = 1, **how: Any) -> Pushed:
    """Execute a run, one bill at a time unless told otherwise, and once."""
    how = {"limits": NO_HALT, "throttle": one_by_one(), "check": False, **how}
    for _ in range(times - 1):
        await office.execute(run, **how)
    return await office.execute(run, **how)


async def stopped_at_two_doubts(rest: Iterable[str] = REST, route: Route = ROUTE) -> Office:
    """Lose the answers to both bills at the end of a run: the other's call has not arrived."""
    office = office_of(BOTH_LOST, route)
    await office.open_run([*rest, OTHER, LOST])
    await go_on(office, limits=AT_TWO_DOUBTS)
    return office


async def say(office: Office, bill: str, state: State, run: RunId = FIRST) -> None:
    """Settle a bill by a person's word."""
    told = (office.store, VirtualClock(), run, BillNumber(bill), state)
    await settle_by_word(*told, because="looked up by hand")


def stop_as_it_waits_for(office: Office, bill: str) -> Callable[[Context], Any]:
    """Stop a run while a bill waits to be sent again."""

    async def stop(job: Context) -> None:
        while not (await office.rows())[bill].attempts:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.2)
        await anyio.sleep(2.5)
        job.stop.ask(Cause.CONTROL, "")

    return stop


def ids(office: Office, bill: str) -> set[str]:
    """Return the documents that were made of a bill."""
    return {str(document.id) for document in office.site.world.documents_of(bill)}


def named_in(pushed: Pushed, bill: str) -> set[str]:
    """Return the documents that the row of a bill names."""
    return {target.id for target in pushed.rows[bill].targets}


def expect_loose(office: Office, pushed: Pushed) -> None:
    """Expect that the lost bill's document is the only one of it, and not the other bill's."""
    assert len(ids(office, LOST)) == 1
    assert not ids(office, LOST) & named_in(pushed, OTHER), pushed.rows[OTHER]


@pytest.mark.parametrize("count", [1, 22])
@pytest.mark.parametrize("how", ["delete", "renumber"])
async def test_a_document_that_is_gone_or_another_bills_by_now_is_none_that_links_have_missed(
    how: str, count: int
) -> None:
    """A person has changed one of those that were pushed, before the resume; clerks push too."""
    office = await stopped_at_two_doubts(REST[:count])
    world = office.site.world
    for number in orders(5, 30):
        world.add_target(IN_STOCK, number, creator="clerk")
    bill = REST[count // 2]
    if how == "delete":
        (document,) = world.documents_of(bill)
        world.store.remove(document)
    else:
        world.renumber(PURCHASE_ORDER, bill, "CGDDX")
        world.add_source(PURCHASE_ORDER, bill)
    pushed = await go_on(office)
    assert pushed.rows[OTHER].state is State.UNKNOWN
    expect_loose(office, pushed)


async def test_what_another_rule_of_the_forms_has_made_tells_nothing_of_this_rules_links() -> None:
    """That one keeps none, and this run has pushed nothing yet."""
    first, *others, second = with_second_rule()
    office = office_of(BOTH_LOST, routes=(first, *others, replace(second, keeps_links=False)))
    another = replace(ROUTE, rule=second.rule_id)
    await office.store.open_run(replace(office.run(SECOND), route=another))
    listed = [Listed(line, BillNumber(bill)) for line, bill in enumerate(REST[:6], start=1)]
    await office.store.add(SECOND, listed)
    await office.store.close_list(SECOND)
    await go_on(office, SECOND, route=another)
    for bill in REST[6:11]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await office.open_run([OTHER, LOST])
    pushed = await go_on(office)
    assert pushed.rows[OTHER].state is State.UNKNOWN
    expect_loose(office, pushed)


async def test_one_document_of_its_own_number_does_not_say_that_a_rule_keeps_no_links() -> None:
    """It has no link itself. Links have found the others, and the run was killed and goes on."""
    plain, *rest = REST
    office = office_of(BOTH_LOST, misnamed={LOST: OTHER, plain: plain})
    await office.open_run([*rest, plain, OTHER, LOST])
    await go_on(office, limits=AT_TWO_DOUBTS)
    pushed = await go_on(office)
    expect_loose(office, pushed)


@pytest.mark.parametrize(
    "how", ["refused", "response-error", "msgcode-4", "no-licence", "edit-lock", "call-limit"]
)
@pytest.mark.parametrize("lost", ["make-then-reset", "make-then-delay:60"])
async def test_a_read_back_does_not_take_what_a_call_beside_it_has_made(
    how: str, lost: str
) -> None:
    """Nothing was made of the other bill, whose answer comes after the lost call's document."""
    meets = {LOST: lost} if how == "refused" else {LOST: lost, OTHER: how}
    office = office_of(meets, latency_s=5.0, look_s=0.1)
    if how == "refused":
        office.site.world.refuse(OTHER, REFUSED)
    await office.open_run([*REST, OTHER, LOST])
    pushed = await go_on(office, throttle=steered(concurrency=2, chunk_size=1))
    expect_loose(office, pushed)


@pytest.mark.parametrize("known", [0, 6])
async def test_a_bill_does_not_take_what_its_own_call_has_made_of_another(known: int) -> None:
    """Nothing goes wrong: the answer names both documents, and both bear one number."""
    office = office_of()
    if known:
        await office.open_run(REST[6 : 6 + known], SECOND)
        await go_on(office, SECOND)
    await office.open_run([*REST[:6], OTHER, LOST])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=20), times=2)
    expect_loose(office, pushed)
    assert len(ids(office, OTHER)) == 1


async def test_a_bill_does_not_take_what_its_own_call_has_made_of_another_before_it_broke() -> None:
    """The call of both was answered by an exception, which names nothing."""
    office = office_of({LOST: "make-then-response-error"})
    await office.open_run(REST[:12], SECOND)
    await go_on(office, SECOND)
    await office.open_run([*REST[12:18], OTHER, LOST])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=20), times=3)
    expect_loose(office, pushed)
    assert len(ids(office, OTHER)) == 1


async def test_a_word_sends_nothing_again_whose_call_has_made_a_loose_document() -> None:
    """A person finds nothing under the number of the bill, which was sent with the other."""
    office = office_of()
    await office.open_run([*REST, OTHER, LOST])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=20))
    for bill in pushed.of(State.UNKNOWN):
        await say(office, bill, State.PLANNED)
    pushed = await go_on(office)
    assert [bill for bill in pushed.rows if len(ids(office, bill)) > 1] == []


@pytest.mark.parametrize("arrives", [False, True])
async def test_a_bill_that_a_person_vouches_for_does_not_take_a_loose_document(
    *, arrives: bool
) -> None:
    """It is followed: what it takes is submitted for it."""
    meets = BOTH_LOST | ({OTHER: "make-then-reset"} if arrives else {})
    office = office_of(meets, replace(ROUTE, follow=(Step.SUBMIT,)))
    await office.open_run([*REST, OTHER, LOST])
    await go_on(office, limits=AT_TWO_DOUBTS)
    await say(office, OTHER, State.PUSHED)
    pushed = await go_on(office, times=2)
    expect_loose(office, pushed)


async def test_a_short_answer_does_not_take_what_a_call_beside_it_has_made() -> None:
    """An old server names one document of a call; nor do links miss one of ours by that."""
    third, fourth, *rest = REST
    office = office_of(
        {LOST: "make-then-reset", third: "make-then-reset"},
        style=AnswerStyle(old=True, short=True),
        misnamed={LOST: OTHER, third: fourth},
        latency_s=5.0,
        look_s=0.1,
    )
    for bill in rest[:5]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await office.open_run([rest[0], OTHER, LOST, *rest[1:], fourth])
    pushed = await go_on(office, throttle=steered(concurrency=2, chunk_size=1))
    await office.open_run([third], SECOND)
    await go_on(office, SECOND)
    expect_loose(office, pushed)
    assert len(ids(office, third)) == 1


async def test_a_later_row_of_a_bill_does_not_make_its_earlier_twin_its_own() -> None:
    """An earlier version has written the lost bill's document into the other's row."""
    office = office_of({LOST: "make-then-reset"})
    await office.open_run([*REST, OTHER, LOST])
    pushed = await go_on(office, limits=AT_TWO_DOUBTS)
    (document,) = office.site.world.documents_of(LOST)
    both = (*pushed.rows[OTHER].targets, Target(str(document.id), document.number))
    twin = Outcome(BillNumber(OTHER), State.PUSHED, both, "twin", "late twin")
    store = office.store.another_process()
    async with store.own(FIRST):
        await store.amend(FIRST, [twin], at=NOON, note="")
    await office.open_run([OTHER], SECOND, again_because="wanted")
    await go_on(office, SECOND, again_because="wanted")
    await go_on(office)
    assert len(ids(office, LOST)) == 1


async def test_whoever_sees_half_of_what_a_sender_makes_does_not_say_that_the_rest_is_gone() -> (
    None
):
    """A person has said that nothing was made of bills whose answers name their documents."""
    named, rest = REST[:6], REST[6:]
    office = office_of(
        misnamed={},
        untied=tuple(named),
        accounts=accounts("sandbox", "sandbox2"),
        sees={"sandbox2": "half"},
    )
    await office.open_run(rest)
    await go_on(office)
    runs = {bill: RunId(f"of {bill}") for bill in named}
    for bill, run in runs.items():
        await office.open_run([bill], run)
        pushed = await go_on(office, run)
        if pushed.rows[bill].state is State.UNKNOWN:
            await say(office, bill, State.PLANNED, run)
    for run in runs.values():
        await go_on(office, run, login=login("sandbox2"))
    assert [bill for bill in named if len(ids(office, bill)) > 1] == []


async def test_documents_of_ids_that_were_given_out_again_are_nobody_elses_however_many() -> None:
    """The ERP was restored after a dozen answers; only ten are sought in the rows at a time."""
    canary, *numbers = orders(25)
    named, others = numbers[:12], numbers[12:]
    office = office_of(misnamed={}, untied=tuple(named))
    world = office.site.world
    for bill in [canary, *named]:
        await office.open_run([bill], RunId(f"of {bill}"))
        await go_on(office, RunId(f"of {bill}"))
    documents = [document for bill in named for document in world.documents_of(bill)]
    for document in documents:
        world.store.remove(document)
    world._makings.clear()
    for bill in named:
        await say(office, bill, State.PLANNED, RunId(f"of {bill}"))
    world._ids.bill = min(document.id for document in documents) - 1
    await office.open_run(others, SECOND)
    second = await go_on(office, SECOND)
    theirs = {id_ for bill in others for id_ in named_in(second, bill)}
    await office.open_run(named)
    many = steered(concurrency=1, chunk_size=20)
    pushed = await go_on(office, throttle=many)
    assert [bill for bill in named if theirs & named_in(pushed, bill)] == []
    later = [bill for bill, row in pushed.rows.items() if row.state is State.REJECTED]
    assert len(later) == len(named) - 10
    await office.open_run(later, RunId("r3"))
    pushed = await go_on(office, RunId("r3"), throttle=many)
    assert [bill for bill in later if theirs & named_in(pushed, bill)] == []
    assert [bill for bill in named if len(ids(office, bill)) != 1] == []


@pytest.mark.parametrize("how", ["absent", "absent once"])
async def test_links_that_cannot_be_asked_any_more_are_what_this_ledger_knows_of_them(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """They have found what the run has made; the right to read them was taken away since."""
    office = await stopped_at_two_doubts(REST)
    asked, met = ErpClient.linked_targets_of, iter([True])

    async def linked_targets_of(self: ErpClient, *what: Any, **more: Any) -> Any:
        if how == "absent" or next(met, False):
            return None
        return await asked(self, *what, **more)

    monkeypatch.setattr(ErpClient, "linked_targets_of", linked_targets_of)
    pushed = await go_on(office)
    expect_loose(office, pushed)


async def test_what_a_look_has_shown_is_kept_though_nothing_could_be_learnt_of_links() -> None:
    """A person deletes the document afterwards: it was there, and its bill is not sent again."""
    office = office_of({LOST: "make-then-reset"}, misnamed={LOST: LOST})
    await office.open_run([*REST, LOST])
    await go_on(office, limits=replace(AT_TWO_DOUBTS, halt=replace(NO_HALT.halt, unknown_count=1)))

    async def fail(*_: Any) -> Any:
        raise LookFailedError("the query timed out")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(absence_proof, "_look_for", fail)
        pushed = await go_on(office)
    assert pushed.rows[LOST].state is State.UNKNOWN, pushed.rows[LOST]
    (document,) = office.site.world.documents_of(LOST)
    office.site.world.store.remove(document)
    pushed = await go_on(office)
    assert pushed.rows[LOST].state is State.UNKNOWN, pushed.rows[LOST]


@pytest.mark.parametrize("links", [False, True])
async def test_a_document_that_a_row_has_taken_is_told_where_its_answer_was_interrupted(
    monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    """The other bill was found to have it before it was sent."""
    office = office_of({LOST: "make-then-delay:30"}, link_fields=links, latency_s=0.0)
    interrupt(monkeypatch, LOST)
    first, beside, *rest = REST[:6]
    await office.open_run([first, LOST, beside, OTHER, *rest])
    throttle = steered(concurrency=2, chunk_size=1)
    pushed = await go_on(office, limits=NO_CANARY, throttle=throttle)
    assert pushed.rows[OTHER].state is State.ALREADY
    assert f"also stands in the row of {OTHER}" in english(pushed.rows[LOST].reason)


@pytest.mark.parametrize("definite", [True, False])
async def test_a_bill_whose_links_are_refused_does_not_take_a_loose_document(
    monkeypatch: pytest.MonkeyPatch, *, definite: bool
) -> None:
    """Those of all others are told: that nobody could ask does not tie a document to it."""
    office = await stopped_at_two_doubts()
    asked = ErpClient.linked_targets_of

    async def linked_targets_of(self: ErpClient, route: Route, bills: Any, **more: Any) -> Any:
        if OTHER in bills:
            raise LookRefusedError("not of this one", definite=definite)
        return await asked(self, route, bills, **more)

    monkeypatch.setattr(ErpClient, "linked_targets_of", linked_targets_of)
    pushed = await go_on(office)
    expect_loose(office, pushed)


async def test_a_clerks_document_without_a_link_is_already_there_for_a_bill_that_was_put_off() -> (
    None
):
    """It was made after the call that did nothing, by somebody who is no maker of ours."""
    office = office_of({OTHER: "call-limit"})
    await office.open_run([*REST, OTHER])

    async def clerk(_job: Context) -> None:
        while not (await office.rows())[OTHER].attempts:  # noqa: ASYNC110
            await anyio.sleep(0.5)
        await anyio.sleep(1)
        office.site.world.add_target(IN_STOCK, OTHER, creator="clerk", typed=True)

    pushed = await go_on(office, beside=clerk)
    assert pushed.rows[OTHER].state is State.ALREADY, pushed.rows[OTHER]


async def test_documents_that_a_link_ties_are_not_sought_in_the_ledger_for_each_call_that_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clerks push all day beside a list of which every second bill is refused."""
    office = office_of(misnamed={}, orders=100)
    for bill in orders(60, 30):
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    for bill in REST[::2]:
        office.site.world.refuse(bill, REFUSED)
    asked, sought = MemoryLedger.rows_of, list[BillNumber]()

    async def rows_of(self: MemoryLedger, bill: BillNumber) -> Any:
        sought.append(bill)
        return await asked(self, bill)

    monkeypatch.setattr(MemoryLedger, "rows_of", rows_of)
    await office.open_run(REST)
    await go_on(office, throttle=steered(concurrency=1, chunk_size=2))
    assert len(sought) < 60, len(sought)


async def test_a_loose_document_that_another_run_has_made_is_already_there() -> None:
    """The answer to that run has named it, and a plug-in has dropped its link."""
    office = office_of({OTHER: "reset", LOST: "reset"}, misnamed={OTHER: OTHER})
    await office.open_run([*REST[:8], OTHER, LOST])
    await go_on(office, limits=AT_TWO_DOUBTS)
    await say(office, OTHER, State.PLANNED)
    await office.open_run([*REST[10:14], OTHER], SECOND)
    made = await go_on(office, SECOND)
    assert made.rows[OTHER].state is State.PUSHED
    pushed = await go_on(office)
    assert pushed.rows[OTHER].state is State.ALREADY
    assert named_in(pushed, OTHER) == named_in(made, OTHER)


async def test_what_is_told_of_a_loose_document_is_told_once() -> None:
    """Each execution that follows documents asks what a person's word was about."""
    office = office_of(BOTH_LOST, replace(ROUTE, follow=(Step.SUBMIT,)))
    await office.open_run([*REST[:20], OTHER, LOST])
    await go_on(office, limits=AT_TWO_DOUBTS)
    await say(office, OTHER, State.PUSHED)
    first = (await go_on(office)).rows[OTHER].reason
    assert "nothing tells of which bill" in english(first)
    assert (await go_on(office, times=2)).rows[OTHER].reason == first


@pytest.mark.parametrize("case", ["colleague", "new-colleague", "former-user", "later"])
async def test_a_loose_document_of_any_call_of_ours_is_nobody_elses(case: str) -> None:
    """Another user of ours has made it in a run beside, or the same one days later."""
    office = office_of(BOTH_LOST | {OTHER: "edit-lock"}, accounts=accounts("sandbox", "sandbox2"))
    for bill in REST[16:]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await office.open_run([*REST[:6], OTHER])
    two: dict[str, Any] = {"more_users": {"sandbox2": login("sandbox2")}}
    both = two if case == "colleague" else {}
    await go_on(office, beside=stop_as_it_waits_for(office, OTHER), **both)
    await anyio.sleep(2 * 86_400 if case == "later" else 60)
    known = [] if case == "new-colleague" else REST[6:12]
    await office.open_run([*known, LOST], SECOND)
    is_other = case in {"former-user", "new-colleague"}
    alone: dict[str, Any] = {"login": login("sandbox2")} if is_other else {}
    await go_on(office, SECOND, limits=AT_TWO_DOUBTS, **both, **alone)
    pushed = await go_on(office, **(two if case == "new-colleague" else both))
    assert not named_in(pushed, OTHER) & ids(office, LOST)


async def test_a_colleague_who_has_made_hardly_any_document_makes_no_clerk_one_of_ours() -> None:
    """Of a user who was added to the settings today nothing is known yet."""
    office = office_of({OTHER: "edit-lock"}, misnamed={}, accounts=accounts("sandbox", "sandbox2"))
    for bill in REST[16:]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await office.open_run([*REST[:12], OTHER])
    await go_on(office, beside=stop_as_it_waits_for(office, OTHER))
    office.site.world.add_target(IN_STOCK, OTHER, creator="clerk", typed=True)
    await anyio.sleep(3600)
    two: dict[str, Any] = {"more_users": {"sandbox2": login("sandbox2")}}
    pushed = await go_on(office, times=2, **two)
    assert pushed.rows[OTHER].state is State.ALREADY


@pytest.mark.parametrize("fault_of_other", ["reset", "response-error", "msgcode-4"])
@pytest.mark.parametrize("case", ["in-doubt", "on-its-way", "behind-runs-of-other-forms"])
async def test_a_loose_document_may_be_of_any_call_of_ours_that_nobody_has_settled(
    case: str, fault_of_other: str
) -> None:
    """A user who has made nothing yet makes it in a run beside, as a later one of ours looks."""
    lost = "make-then-delay:280" if case == "on-its-way" else "make-then-reset"
    meets = {LOST: lost, OTHER: fault_of_other}
    office = office_of(meets, accounts=accounts("sandbox", "sandbox2"))
    for bill in REST[16:]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    first = RunId("r0")
    await office.open_run(REST[:12], first)
    await go_on(office, first)
    await office.open_run([LOST])
    # A run to which nothing has told how long the ERP takes would wait for the other's call.
    await office.open_run([REST[12], OTHER], SECOND)
    if case == "behind-runs-of-other-forms":
        route = replace(ROUTE, name="other", target="PUR_ReceiveBill")
        for nth in range(21):
            await office.store.open_run(replace(office.run(RunId(f"z{nth:02}")), route=route))

    async def push_as_another() -> None:
        while not (await office.rows(SECOND))[OTHER].attempts:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.2)
        await anyio.sleep(3)
        await go_on(office, limits=AT_A_DOUBT, login=login("sandbox2"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(push_as_another)
        pushed = await go_on(office, SECOND, times=2)
    assert not named_in(pushed, OTHER) & ids(office, LOST)


@pytest.mark.parametrize("known", [0, 2])
async def test_what_a_split_makes_without_a_link_is_told_beside_what_has_one(
    monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    """Of two documents of each bill a plug-in leaves one without its link; an answer is lost."""
    drop_each_second_link(monkeypatch)
    lost, meets = REST[5], {REST[5]: "make-then-reset"}
    office = office_of(meets, policy=Policy.SPLIT, misnamed={})
    await office.open_run([*REST[:known], lost])
    await go_on(office, times=2)
    row = (await office.rows())[lost]
    documents = office.site.world.documents_of(lost)
    assert len(documents) == 2
    told = " ".join([row.reason, *(target.number for target in row.targets)])
    assert row.state is State.UNKNOWN or all(each.number in told for each in documents), row
