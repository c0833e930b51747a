"""What follows a push, against the simulator: each fault, refusal, flow and person's hand.

Every execution ends with a check against the simulator's books: each document was submitted and
approved once at most, nobody else's was named, and none was named again without a look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import cycle, pairwise

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import (
    TWIN,
    Document,
    Exchange,
    Follow,
    Outcome,
    Route,
    Standing,
    State,
    StepAttempt,
    Target,
    key_of,
)
from k3push.core.model import Step as Take
from k3push.core.pacing.halting import HaltRule
from k3push.core.protocol.selection import Selection
from k3push.core.safety.verdict import InDoubt, judge
from k3push.ports import LookRefusedError, RunIsAliveError, StepRecord
from k3push.runs.context import Context
from k3push.runs.outcome import Exit, exit_of, followed_of
from k3push.runs.push_limits import PushLimits
from k3push.runs.sending.attempt import MOST_SESSIONS_A_CHUNK, StatusLook, send_step
from k3push.runs.stop import Cause
from k3push.runs.submit_and_audit import enrolment
from k3push.runs.submit_and_audit.follower import follow_run
from k3push.simulator import (
    FAULT_NAMES,
    FaultPlan,
    OnRefusal,
    PushOrder,
    Refusal,
    SandboxOptions,
    Seeded,
    fault,
)
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.conversion import Ids
from k3push.simulator.books.documents import Successor
from k3push.simulator.books.flows import Flow, FlowNode
from k3push.simulator.books.forms import IN_STOCK, PAYABLE, PURCHASE_ORDER
from k3push.simulator.books.history import Maker
from k3push.simulator.books.operations import BulkHabits
from k3push.simulator.books.orders import Approval, Operation
from k3push.simulator.books.replica import Replica
from k3push.simulator.fault_plans.script import Aimed, Channel, Does, Hand, Rival, Step
from tests.runs.mortals import Act, Fate, Lived, MortalLedger, carried_by, left_by_death, played
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    SETTLE,
    WINDOW_S,
    Office,
    Pushed,
    VirtualClock,
    give_to_another,
    one_by_one,
    orders,
    sandbox,
    steered,
)
from tests.runs.rough_answers import OPEN, name_no_document
from tests.runs.test_select import select
from tests.said import english
from tests.shares import shared_out

pytestmark = pytest.mark.anyio

FOLLOW = replace(ROUTE, follow=(Take.SUBMIT, Take.AUDIT))
SUBMIT_ONLY = replace(ROUTE, follow=(Take.SUBMIT,))

NO_HALT = PushLimits(halt=HaltRule())
AT_ONCE = PushLimits(canary=False, halt=HaltRule())

STEPS = {Take.SUBMIT: Channel.SUBMIT, Take.AUDIT: Channel.AUDIT}
WAREHOUSE = Refusal(11, "第1行分录，仓库是必填项")
STOCK = Refusal(11, "单据编号为“{number}”的{form}，更新库存不成功！")
KEEPER = FlowNode("仓库主管审批", "王经理")


async def followed(
    count: int = 6,
    options: SandboxOptions | None = None,
    route: Route = FOLLOW,
    *,
    limits: PushLimits = NO_HALT,
) -> Office:
    """Push bills and follow their documents, in an office of their own."""
    office = Office(options, route)
    await office.open_run(orders(count))
    await office.execute(limits=limits)
    return office


async def again(office: Office) -> Pushed:
    """Follow the run again, as a person asks for."""
    return await office.execute(work=follow_run, limits=NO_HALT)


async def counts(office: Office) -> Mapping[Follow, int]:
    """Count documents by how far they have come."""
    return Counter(document.follow for document in (await office.documents()).values())


async def reasons(office: Office) -> list[str]:
    """Return why documents stand where they do, in words."""
    return [english(each.reason) for each in (await office.documents()).values() if each.reason]


async def exit_code(office: Office, *causes: Cause) -> Exit:
    """Return the exit code of the first run as it stands."""
    run = await office.store.run(FIRST)
    assert run is not None
    rows = await office.store.counts(FIRST)
    return exit_of(rows, causes, followed=await followed_of(office.store, run))


async def steps_of(office: Office) -> list[StepRecord]:
    """Return all calls for steps."""
    found: dict[int, StepRecord] = {}
    for id_ in await office.documents():
        found |= {kept.attempt.id: kept for kept in await office.store.steps_of(id_)}
    return [found[id_] for id_ in sorted(found)]


async def hasty(office: Office) -> list[str]:
    """List documents that were named again within the window of a call in doubt."""
    found = []
    for id_ in await office.documents():
        for one, after in pairwise(await office.store.steps_of(id_)):
            doubtful = one.exchange is None or isinstance(judge(one.exchange), InDoubt)
            gap = after.attempt.intent.began_at - one.attempt.intent.began_at
            alike = one.attempt.intent.step is after.attempt.intent.step
            if doubtful and alike and gap < timedelta(seconds=WINDOW_S):
                found.append(f"{id_}: {after.attempt.intent.step} again after {gap}")
    return found


# -- the usual night ------------------------------------------------------------------------------


async def test_what_was_made_is_submitted_and_approved() -> None:
    """A few calls do for all of it, and the first of each kind carries one document."""
    office = await followed(30)
    assert await counts(office) == {Follow.APPROVED: 30}
    assert await exit_code(office) is Exit.DONE
    kept = await steps_of(office)
    sizes = [len(each.attempt.intent.ids) for each in kept]
    assert sizes[:2] == [1, 1]
    assert len(sizes) < 14


async def test_documents_that_a_site_tells_only_of_a_few_at_once_are_approved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A question that is refused for several is asked in halves (rule 7)."""
    ask = ErpClient.standings_of

    async def of_few(erp: ErpClient, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        if len(ids) > 2:
            raise LookRefusedError("the filter is too long", code="4", definite=False)
        return await ask(erp, route, ids)

    monkeypatch.setattr(ErpClient, "standings_of", of_few)
    office = await followed(10)
    assert await counts(office) == {Follow.APPROVED: 10}


async def test_where_only_submitting_is_asked_for_nothing_is_approved() -> None:
    """Approving is somebody else's business there."""
    office = await followed(route=SUBMIT_ONLY)
    assert await counts(office) == {Follow.SUBMITTED: 6}
    assert office.site.calls[Channel.AUDIT] == 0
    assert await exit_code(office) is Exit.DONE


async def test_a_route_that_asks_for_nothing_follows_nothing() -> None:
    """As it was before."""
    office = await followed(route=ROUTE)
    assert await counts(office) == {}
    assert office.site.calls[Channel.SUBMIT] == 0


@pytest.mark.parametrize("policy", ["merge", "split"])
async def test_each_document_is_followed_once_whatever_its_sources(policy: str) -> None:
    """One of several sources stands in several rows."""
    office = await followed(20, sandbox(policy=policy))
    made = await office.documents()
    assert {document.follow for document in made.values()} == {Follow.APPROVED}
    rows = (await office.rows()).values()
    assert set(made) == {target.id for row in rows for target in row.targets}


async def test_steps_wait_where_plug_ins_need_a_pause() -> None:
    """On some sites batch quantities are worked out for seconds after a push (P 11.8)."""
    office = await followed(4, sandbox(pause_s=5), replace(FOLLOW, follow_wait_s=5))
    assert await counts(office) == {Follow.APPROVED: 4}
    assert [len(await office.store.steps_of(id_)) for id_ in await office.documents()] == [2] * 4


async def test_queries_that_lag_behind_take_no_step_twice() -> None:
    """They may be answered by a copy of the database."""
    office = await followed(6, sandbox(query_lag_s=6))
    assert await counts(office) == {Follow.APPROVED: 6}
    assert [len(await office.store.steps_of(id_)) for id_ in await office.documents()] == [2] * 6


@pytest.mark.parametrize("fresh", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("late", [1, 2, 3, 4])
async def test_a_look_that_goes_back_in_time_is_no_hand_of_a_person(
    monkeypatch: pytest.MonkeyPatch, fresh: int, late: int
) -> None:
    """Copies of the database answer in turn, and one of them lags behind."""
    behind, shown = cycle([False] * fresh + [True] * late), Replica.shown

    def in_turn(replica: Replica, bill: Bill) -> Bill | None:
        return shown(replica, bill) if next(behind) else bill

    monkeypatch.setattr(Replica, "shown", in_turn)
    office = await followed(1, sandbox(query_lag_s=6))
    assert await counts(office) == {Follow.APPROVED: 1}


async def test_what_is_refused_is_not_asked_for_again_and_again_while_a_copy_lags(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look after each refusal shows the document as it was before it was submitted."""
    office, audits = Office(sandbox(latency_s=0.05), FOLLOW), 0
    (number,) = orders(1)

    def after_audits(_: Replica, bill: Bill) -> Bill:
        nonlocal audits
        before, audits = audits, office.site.calls[Channel.AUDIT]
        is_old = before < audits < 20 and bill.status == "B"
        return replace(bill, status="A") if is_old else bill

    monkeypatch.setattr(Replica, "shown", after_audits)
    office.site.world.refuse(number, Refusal(8, "仓库必录"), Operation.AUDIT)
    await office.open_run([number])
    await office.execute(limits=NO_HALT)
    assert await counts(office) == {Follow.REFUSED: 1}
    assert office.site.calls[Channel.AUDIT] <= 2


async def test_what_an_approval_makes_besides_is_named() -> None:
    """A payable, say, which nobody has asked for by hand (P 11.9)."""
    office = await followed(1, sandbox(successors={IN_STOCK.id: Successor(PAYABLE)}))
    (payable,) = office.site.world.store.of_form(PAYABLE)
    (reason,) = await reasons(office)
    assert payable.number in reason


# -- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", [Channel.SUBMIT, Channel.AUDIT])
@pytest.mark.parametrize("name", shared_out(FAULT_NAMES, 4, of_more=1))
async def test_whatever_a_call_meets_each_document_is_approved_once(
    name: str, channel: Channel
) -> None:
    """Lost before the work or after it, cut, garbled, refused for now, thrown: the status tells."""
    met = replace(fault(name), seconds=30)
    plan = FaultPlan(steps=(Step(met, channel), Step(fault("ok"), channel), Step(met, channel)))
    office = Office(sandbox(plan), FOLLOW)
    await office.open_run(orders(6))
    stops = set()
    for _ in range(4):
        pushed = await office.execute(limits=AT_ONCE)
        stops |= set(pushed.stop.causes)
        if not pushed.stop.causes:
            break
    assert await hasty(office) == []
    if name == "no-permission":
        # Alone, as the first of a kind is; a person mends it and asks to look again.
        assert await counts(office) == {Follow.APPROVED: 5, Follow.REFUSED: 1}
        await again(office)
    assert await counts(office) == {Follow.APPROVED: 6}, stops
    assert await exit_code(office) is Exit.DONE


async def test_an_approval_that_a_lost_answer_hides_is_found_by_its_status() -> None:
    """And its document is named in no second call."""
    lost = FaultPlan(steps=(Step(fault("make-then-reset"), Channel.AUDIT),))
    office = await followed(1, sandbox(lost))
    assert await counts(office) == {Follow.APPROVED: 1}
    assert office.site.calls[Channel.AUDIT] == 1


async def test_a_call_that_did_nothing_goes_again_only_after_the_window() -> None:
    """The ERP may finish it long after the connection broke."""
    late = replace(fault("late-commit"), seconds=WINDOW_S - 60)
    office = await followed(1, sandbox(FaultPlan(steps=(Step(late, Channel.SUBMIT),))))
    assert await counts(office) == {Follow.APPROVED: 1}
    assert office.site.calls[Channel.SUBMIT] == 1


async def test_a_step_in_doubt_at_a_stop_is_said_and_settled_by_the_next() -> None:
    """Exit code 4, whatever the rows say."""
    office = Office(
        sandbox(FaultPlan(steps=(Step(fault("make-then-reset"), Channel.AUDIT),))), FOLLOW
    )
    await office.open_run(orders(1))

    async def stop_soon(job: Context) -> None:
        # In doubt for the seconds until the first look.
        await anyio.sleep(10)
        job.stop.ask(Cause.INTERRUPTED, "Ctrl-C")

    await office.execute(beside=stop_soon, limits=NO_HALT)
    assert await exit_code(office, Cause.INTERRUPTED) is Exit.SOME_UNKNOWN
    await office.execute()
    assert await counts(office) == {Follow.APPROVED: 1}


# -- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_refusal", OnRefusal)
@pytest.mark.parametrize(
    ("operation", "refusal"), [(Operation.SUBMIT, WAREHOUSE), (Operation.AUDIT, STOCK)]
)
async def test_a_refused_document_spoils_no_other(
    operation: Operation, refusal: Refusal, on_refusal: OnRefusal
) -> None:
    """A draft without its warehouse, or stock that would be negative; some texts name no bill."""
    bad = {orders(12)[n] for n in (3, 8)}
    plan = FaultPlan(refused_follow={(operation, number): refusal for number in bad})
    office = await followed(12, sandbox(plan, bulk=BulkHabits(on_refusal=on_refusal)))
    assert await counts(office) == {Follow.APPROVED: 10, Follow.REFUSED: 2}
    assert await exit_code(office) is Exit.SOME_REJECTED
    if on_refusal is not OnRefusal.SILENT:
        words = refusal.text.partition("，")[2]
        assert all(words in reason for reason in await reasons(office))


@pytest.mark.parametrize("operation", [Operation.SUBMIT, Operation.AUDIT])
async def test_a_refused_document_spoils_none_whose_number_its_own_holds(
    monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    """Neither takes the words for its own that are about the other: it goes once more alone."""
    made = iter(["CGRK1", "CGRK3", "CGRK2", "CGRK20"])
    monkeypatch.setattr(Ids, "next_number", lambda _ids, _prefix: next(made))
    plan = FaultPlan(refused_follow={(operation, orders(4)[3]): STOCK})
    options = sandbox(plan, bulk=BulkHabits(on_refusal=OnRefusal.WHOLE))
    office = Office(options, FOLLOW)
    await office.open_run(orders(4))
    one_by_one = steered(concurrency=1, chunk_size=1)
    await office.execute(throttle=one_by_one, route=replace(FOLLOW, follow=()))
    await office.execute(work=follow_run, limits=AT_ONCE)
    refused = {d.number for d in (await office.documents()).values() if d.follow is Follow.REFUSED}
    assert refused == {"CGRK20"}


async def test_what_a_lost_session_hides_from_looks_that_lag_is_not_refused() -> None:
    """The first call was carried out, and the second is refused for that a moment later."""
    plan = FaultPlan(steps=(Step(fault("make-then-lose-session"), Channel.SUBMIT),))
    office = await followed(1, sandbox(plan, query_lag_s=8.0, latency_s=0.2))
    assert office.site.calls[Channel.SUBMIT] == 2
    assert await counts(office) == {Follow.APPROVED: 1}


@pytest.mark.parametrize("on_refusal", OnRefusal)
async def test_refused_documents_wait_together_for_what_looks_show_late(
    on_refusal: OnRefusal,
) -> None:
    """The words name none of them, so that each comes to go alone; no other waits for that."""
    refused = {(Operation.SUBMIT, number): WAREHOUSE for number in orders(60)[10::6]}
    bulk = BulkHabits(on_refusal=on_refusal)
    options = sandbox(FaultPlan(refused_follow=refused), orders=70, latency_s=0.2, bulk=bulk)
    began_s = anyio.current_time()
    office = await followed(60, options)
    assert await counts(office) == {Follow.APPROVED: 51, Follow.REFUSED: 9}
    assert anyio.current_time() - began_s < 8 * SETTLE.first_wait_s


@pytest.mark.parametrize(
    ("met", "cause", "calls"),
    [
        ("lose-session", Cause.LOGIN_REFUSED, MOST_SESSIONS_A_CHUNK),
        ("refuse-connection", Cause.UNREACHABLE, NO_HALT.max_attempts),
    ],
)
async def test_a_step_that_never_runs_ends_the_execution(
    met: str, cause: Cause, calls: int
) -> None:
    """Each call has done nothing, though reads pass: no document may wait for that for ever."""
    plan = FaultPlan(steps=(Step(fault(met), Channel.SUBMIT),) * 60)
    office = Office(sandbox(plan), FOLLOW)
    await office.open_run(orders(3))
    pushed = await office.execute(limits=NO_HALT, check=False)
    assert set(pushed.stop.causes) == {cause}
    assert office.site.calls[Channel.SUBMIT] == calls
    assert set(await counts(office)) == {Follow.OPEN}


async def test_a_draft_is_left_to_a_person() -> None:
    """It lacks what its form requires; nobody submits it before somebody has filled it in."""
    number = orders(1)[0]
    plan = FaultPlan(refusals={number: Refusal(11, "仓库必录", saving=True)})
    office = await followed(3, sandbox(plan), replace(FOLLOW, draft_when_save_fails=True))
    assert await counts(office) == {Follow.APPROVED: 2}
    assert (await office.rows())[number].state is State.DRAFT
    (draft,) = office.site.world.documents_of(number)
    assert draft.status == "Z"
    assert draft.id not in office.site.world.documents.history.named
    assert await exit_code(office) is Exit.SOME_REJECTED


async def test_words_that_say_that_all_is_done_decide_nothing() -> None:
    """`单据已经审核` is said of what stands where it stood, too; the status is asked."""
    plan = FaultPlan(
        refused_follow={(Operation.AUDIT, orders(1)[0]): Refusal(11, "单据已经审核！")}
    )
    office = await followed(2, sandbox(plan))
    assert await counts(office) == {Follow.APPROVED: 1, Follow.REFUSED: 1}


async def test_what_was_refused_is_looked_at_again_when_a_person_asks() -> None:
    """The warehouse was filled in, and `resume` alone leaves it to the person."""
    number = orders(1)[0]
    plan = FaultPlan(refused_follow={(Operation.SUBMIT, number): WAREHOUSE})
    office = await followed(3, sandbox(plan))
    assert (await counts(office))[Follow.REFUSED] == 1
    office.site.world.operations.refusals.clear()
    await office.execute()
    assert (await counts(office))[Follow.REFUSED] == 1
    await again(office)
    assert await counts(office) == {Follow.APPROVED: 3}


@pytest.mark.parametrize(
    "name",
    ["lose-session", "refuse-connection", "edit-lock", "call-limit", "response-error", "drop-one"],
)
async def test_what_was_refused_once_is_not_refused_for_a_call_that_is_put_off(name: str) -> None:
    """A person has filled in the warehouse, and the first call of `follow` does nothing."""
    number = orders(1)[0]
    refused = {(Operation.SUBMIT, number): WAREHOUSE}
    met = tuple(Step(fault(each), Channel.SUBMIT) for each in ("ok", name))
    office = await followed(1, sandbox(FaultPlan(steps=met, refused_follow=refused)))
    assert await counts(office) == {Follow.REFUSED: 1}
    office.site.world.operations.refusals.clear()
    await again(office)
    assert await counts(office) == {Follow.APPROVED: 1}


@pytest.mark.parametrize("names_all", [False, True])
async def test_documents_that_an_answer_passes_over_go_once_more(*, names_all: bool) -> None:
    """UnAudit of eleven bills did one, and dropped ten in silence (P 11.11)."""
    habits = BulkHabits(most=1, names_all=names_all)
    office = await followed(9, sandbox(bulk=habits), limits=AT_ONCE)
    assert await counts(office) == {Follow.APPROVED: 9}


async def test_what_is_passed_over_alone_is_refused_with_a_reason() -> None:
    """No run may wait for ever on an answer that says yes and does nothing."""
    drops = FaultPlan(
        aimed_follow={(Channel.SUBMIT, orders(3)[2]): Aimed(fault("drop-one"), once=False)}
    )
    office = await followed(3, sandbox(drops))
    assert await counts(office) == {Follow.APPROVED: 2, Follow.REFUSED: 1}
    assert "passes over it" in " ".join(await reasons(office))


async def test_a_wrong_flow_costs_a_few_documents_and_no_night() -> None:
    """The first documents are followed to their end before the rest travels."""
    refused = {(Operation.SUBMIT, number): WAREHOUSE for number in orders(40)}
    office = Office(sandbox(FaultPlan(refused_follow=refused)), FOLLOW)
    await office.open_run(orders(40))
    pushed = await office.execute()
    assert set(pushed.stop.causes) == {Cause.FOLLOW}
    assert len(pushed.of(State.PUSHED)) == 3
    assert await exit_code(office, Cause.FOLLOW) is Exit.STOPPED


async def test_a_server_that_names_no_documents_costs_no_night(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing tells that its documents are ours: a person submits them, and all bills travel."""
    name_no_document(monkeypatch)
    office = Office(sandbox(), FOLLOW)
    await office.open_run(orders(40))
    pushed = await office.execute()
    assert not pushed.stop.causes
    assert len(pushed.of(State.PUSHED)) == 40
    assert await counts(office) == {Follow.REFUSED: 40}


async def test_the_halt_rule_counts_the_refusals_of_each_step() -> None:
    """What begins in mid-run stops it as refused pushes do."""
    refused = {(Operation.AUDIT, number): STOCK for number in orders(40, 10)}
    office = Office(sandbox(FaultPlan(refused_follow=refused)), FOLLOW)
    await office.open_run(orders(60))
    pushed = await office.execute(limits=PushLimits(halt=HaltRule(fail_count=5)))
    assert Cause.HALTED in pushed.stop.causes
    assert (await counts(office))[Follow.REFUSED] < 40


async def test_a_list_that_is_there_already_is_not_looked_at_bill_by_bill() -> None:
    """Until one document is followed, chunks are looked at whole and one number of them is sent."""
    office = await followed(60)
    await office.open_run(orders(60), SECOND)
    before = office.site.calls[Channel.QUERY]
    again = await office.execute(SECOND, throttle=steered(concurrency=1, chunk_size=20))
    assert again.of(State.ALREADY) == set(orders(60))
    assert office.site.calls[Channel.QUERY] - before < 40


# -- flows ----------------------------------------------------------------------------------------


def flows(*nodes: FlowNode, numbers: int = 1) -> FaultPlan:
    """Return a plan: documents of the first bills enter a flow."""
    return FaultPlan(flows=(Flow("STK_InStock", nodes, orders(numbers)),))


async def test_a_document_in_a_flow_waits_and_names_the_node_and_the_person() -> None:
    """It is not approved past its flow, which would never end (P 10.1)."""
    office = await followed(3, sandbox(flows(KEEPER)))
    assert await counts(office) == {Follow.APPROVED: 2, Follow.WAITING: 1}
    assert "仓库主管审批: 王经理" in " ".join(await reasons(office))
    assert await exit_code(office) is Exit.SOME_REJECTED


async def test_where_tasks_cannot_be_read_the_erp_refuses_the_approval() -> None:
    """The words are the ERP's own then, and the document needs a person all the same."""
    options = sandbox(flows(KEEPER), unreadable={"sandbox": ["WF_AssignmentBill_ProcManage"]})
    office = await followed(3, options)
    assert await counts(office) == {Follow.APPROVED: 2, Follow.REFUSED: 1}


async def test_documents_that_wait_are_looked_at_together() -> None:
    """Each execution asks anew for what waits in a flow, and thousands may."""
    office = await followed(40, sandbox(flows(KEEPER, numbers=40)))
    before = office.site.calls[Channel.QUERY]
    await again(office)
    assert await counts(office) == {Follow.WAITING: 40}
    assert office.site.calls[Channel.QUERY] - before < 10


@pytest.mark.parametrize(
    ("decides", "follow"), [(Approval.PASS, Follow.APPROVED), (Approval.REJECT, Follow.REFUSED)]
)
async def test_a_flow_that_has_ended_is_seen_later(decides: Approval, follow: Follow) -> None:
    """Passed is approved; what is rejected stands at D and is nobody's but a person's."""
    node = replace(KEEPER, after_s=3600, decides=decides)
    office = await followed(1, sandbox(flows(node)))
    assert await counts(office) == {Follow.WAITING: 1}
    await anyio.sleep(4000)
    await again(office)
    assert await counts(office) == {follow: 1}
    assert office.site.calls[Channel.AUDIT] == 0
    await again(office)
    assert office.site.calls[Channel.SUBMIT] == 1


async def test_a_flow_may_be_passed_over_where_the_settings_say_so() -> None:
    """`verify_flow = false` is a stop-gap that some sites use (P 10.3)."""
    office = Office(sandbox(flows(KEEPER)), replace(FOLLOW, verify_flow=False))
    await office.open_run(orders(1))
    await office.execute(check=False)
    assert await counts(office) == {Follow.APPROVED: 1}


# -- a person's hand in between -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hand", "follow"),
    [
        (Hand(Does.DELETE), Follow.REFUSED),
        (Hand(Does.CANCEL), Follow.REFUSED),
        (Hand(Does.CHANGE), Follow.APPROVED),
        (Hand(Does.SUBMIT), Follow.APPROVED),
        (Hand(Does.TAKE_BACK, after=True), Follow.REFUSED),
        (Hand(Does.APPROVE, after=True), Follow.APPROVED),
        (Hand(Does.TAKE_BACK, Channel.AUDIT), Follow.REFUSED),
        (Hand(Does.APPROVE, Channel.AUDIT), Follow.APPROVED),
        (Hand(Does.UNAPPROVE, Channel.AUDIT, after=True), Follow.REFUSED),
    ],
    ids=str,
)
@pytest.mark.parametrize("lost", [False, True])
async def test_what_a_person_does_in_between_is_seen_and_never_overwritten(
    hand: Hand, follow: Follow, *, lost: bool
) -> None:
    """Deleted, cancelled, taken back, unapproved: said, and left as it is, for ever."""
    number = orders(1)[0]
    faults = (Step(fault("make-then-reset"), hand.on),) if lost else ()
    office = await followed(1, sandbox(FaultPlan(steps=faults, hands={number: [hand]})))
    assert await counts(office) == {follow: 1}
    await again(office)
    await again(office)
    assert await counts(office) == {follow: 1}
    (row,) = (await office.rows()).values()
    assert row.state is State.PUSHED


async def test_a_document_that_a_person_has_sent_back_is_submitted_once_and_no_more() -> None:
    """Whatever the answers were: it stands at D, and that is a person's wish."""
    hands = {orders(1)[0]: [Hand(Does.TAKE_BACK, nth=2, after=True)]}
    met = tuple(Step(fault(n), Channel.SUBMIT) for n in ("reset", "make-then-response-error"))
    office = await followed(1, sandbox(FaultPlan(steps=met, hands=hands)))
    for _ in range(3):
        await again(office)
    assert await counts(office) == {Follow.REFUSED: 1}
    (document,) = (await office.documents()).values()
    deeds = office.site.world.documents.history.deeds_of(
        next(b for b in office.site.world.store.of_form(IN_STOCK) if str(b.id) == document.id)
    )
    assert [deed.operation for deed in deeds].count(Operation.SUBMIT) == 1


async def test_what_was_submitted_once_is_no_less_so_for_a_call_that_was_put_off_later() -> None:
    """The last call did nothing; the one before it has submitted the document."""
    met = tuple(Step(fault("edit-lock"), Channel.AUDIT) for _ in range(3))
    office = await followed(
        1, sandbox(FaultPlan(steps=met)), limits=replace(NO_HALT, max_attempts=3)
    )
    assert await counts(office) == {Follow.REFUSED: 1}
    (bill,) = office.site.world.documents_of(orders(1)[0])
    office.site.world.take_back(bill)
    for _ in range(2):
        await again(office)
        assert bill.status == "D"
    assert await counts(office) == {Follow.REFUSED: 1}


async def test_what_is_cancelled_right_before_a_late_call_is_not_named_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its neighbours stand as they stood, and it is none of them any more."""
    office = Office(sandbox(), SUBMIT_ONLY)
    await office.open_run(orders(3))
    cancelled: list[int] = []

    async def late(
        context: Context, step: Take, documents: Sequence[Document], look: StatusLook
    ) -> tuple[StepAttempt, Exchange] | None:
        if len(documents) > 1 and not cancelled:
            made = {str(bill.id): bill for bill in office.site.world.store.of_form(IN_STOCK)}
            office.site.world.cancel(made[documents[0].id])
            cancelled.append(int(documents[0].id))
        return await send_step(context, step, documents, replace(look, at_s=-100.0))

    monkeypatch.setattr("k3push.runs.submit_and_audit.step_calls.send_step", late)
    await office.execute(limits=AT_ONCE)
    assert cancelled
    assert set(cancelled).isdisjoint(office.site.world.documents.history.named)
    assert await counts(office) == {Follow.SUBMITTED: 2, Follow.REFUSED: 1}


# -- nobody else's --------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize("name", ["ok", "reset", "make-then-reset"])
async def test_what_another_program_has_made_is_not_submitted(
    name: str, place: int, *, at_once: bool
) -> None:
    """It pushes the same bill at the same time, and our answer is lost."""
    number = orders(5)[place]
    plan = FaultPlan(
        rivals={number: Rival(1, at_once)}, aimed={number: Aimed(fault(name))}, session_calls=0
    )
    office = Office(sandbox(plan), FOLLOW)
    await office.open_run(orders(5))
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), limits=NO_HALT)
    others = {
        making.target.id
        for making in office.site.world.makings_of(number)
        if making.maker is Maker.OTHER
    }
    assert others
    assert others.isdisjoint(office.site.world.documents.history.named)


@pytest.mark.parametrize("ours", [True, False])
async def test_a_run_of_one_bill_knows_its_lost_document_by_what_answers_to_others_name(
    *, ours: bool
) -> None:
    """A program asks for each bill by itself, and the maker is one of ours in every run."""
    number = orders(6)[5]
    rivals = {} if ours else {number: Rival(1)}
    lost = "make-then-reset" if ours else "reset"
    plan = FaultPlan(rivals=rivals, aimed={number: Aimed(fault(lost))}, session_calls=0)
    office = Office(sandbox(plan), FOLLOW)
    await office.open_run(orders(5))
    await office.execute(limits=NO_HALT)
    await office.open_run([number], SECOND)
    await office.execute(SECOND, limits=NO_HALT)
    (document,) = office.site.world.documents_of(number)
    assert document.status == ("C" if ours else "A")


@pytest.mark.parametrize("links", [True, False])
async def test_an_id_and_a_number_that_are_another_bills_by_now_are_left_alone(
    *, links: bool
) -> None:
    """A database that was restored has given both out again, to the same user."""
    office = Office(sandbox(link_fields=links), FOLLOW)
    await office.open_run(orders(2))
    await office.execute(route=replace(FOLLOW, follow=()))
    document = give_to_another(office.site.world, orders(1)[0], orders(3)[2])
    for _ in range(2):
        await again(office)
        assert await counts(office) == {Follow.REFUSED: 1, Follow.APPROVED: 1}
    assert document.status == "A"
    assert any("document of CGDD" in why for why in await reasons(office))


@pytest.mark.parametrize("fault_name", ["make-then-reset", "make-then-response-error"])
async def test_what_no_answer_names_is_left_alone_where_its_maker_is_not_told(
    fault_name: str,
) -> None:
    """It may be anybody's."""
    plan = FaultPlan(aimed={orders(2)[1]: Aimed(fault(fault_name))})
    office = Office(sandbox(plan, creators=False), FOLLOW)
    await office.open_run(orders(3))
    await office.execute(throttle=steered(concurrency=1, chunk_size=1), limits=NO_HALT)
    assert await counts(office) == {Follow.REFUSED: 1, Follow.APPROVED: 2}
    assert any("does not tell who made it" in why for why in await reasons(office))


async def test_what_has_a_twin_by_now_is_left_to_a_person_though_it_was_taken_up_before() -> None:
    """Which of the two is to stay, nobody but a person can say."""
    office = Office(sandbox(), FOLLOW)
    await office.open_run(orders(2))
    await office.execute(route=SUBMIT_ONLY)
    row = (await office.rows())[orders(1)[0]]
    late = Target("990001", "CGRK990001")
    twin = Outcome(row.bill, State.PUSHED, (*row.targets, late), TWIN, "late")
    await office.store.amend(FIRST, [twin], at=VirtualClock().now(), note="late")
    (made,) = office.site.world.documents_of(row.bill)
    for _ in range(2):
        await office.execute(work=follow_run, check=False)
        assert made.status == "B"
        assert await counts(office) == {Follow.APPROVED: 1, Follow.REFUSED: 1}
    assert any("more documents than its push made" in why for why in await reasons(office))


async def test_a_document_of_several_bills_is_left_alone_where_one_of_them_has_another() -> None:
    """Another program pushes one of them at the same moment, and ours is merged."""
    numbers = orders(8)
    plan = FaultPlan(rivals={numbers[4]: Rival(1, at_once=True)})
    office = Office(sandbox(plan, policy="merge"), FOLLOW)
    await office.open_run(numbers)
    await office.execute(limits=AT_ONCE)
    twins = [row for row in (await office.rows()).values() if row.code == TWIN]
    assert twins
    ids = {int(target.id) for row in twins for target in row.targets}
    assert ids.isdisjoint(office.site.world.documents.history.named)
    assert await counts(office) == {Follow.APPROVED: 6, Follow.REFUSED: 1}
    assert await exit_code(office) is Exit.SOME_REJECTED


async def test_what_was_there_before_is_left_alone() -> None:
    """Somebody else's document may wait for something that we know nothing of."""
    office = Office(sandbox(), FOLLOW)
    push_by_hand(office, orders(1)[0])
    await office.open_run(orders(3))
    await office.execute()
    assert await counts(office) == {Follow.APPROVED: 2}


@pytest.mark.parametrize("status", ["A", "B", "C", "D"])
async def test_what_was_there_before_may_be_followed_while_it_is_new(status: str) -> None:
    """Only what stands at A or D; what somebody has submitted is theirs."""
    office = Office(sandbox(), replace(FOLLOW, follow_already=True))
    push_by_hand(office, orders(1)[0])
    (bill,) = office.site.world.documents_of(orders(1)[0])
    world = office.site.world
    if status in "BCD":
        world.submit(bill)
    if status == "C":
        world.approve(bill)
    if status == "D":
        world.take_back(bill)
    await office.open_run(orders(2))
    await office.execute()
    assert await counts(office) == {Follow.APPROVED: 2 if status in "AD" else 1}


@pytest.mark.parametrize("stops", [False, True])
async def test_what_was_there_before_and_a_first_look_misses_is_followed(
    monkeypatch: pytest.MonkeyPatch, *, stops: bool
) -> None:
    """A copy of the database that lags behind tells nothing of its status for a moment."""
    office = Office(sandbox(), replace(FOLLOW, follow_already=True))
    push_by_hand(office, orders(1)[0])
    (made,) = office.site.world.documents_of(orders(1)[0])
    look = ErpClient.standings_of

    async def miss(erp: ErpClient, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        found = dict(await look(erp, route, ids))
        if route.target == IN_STOCK.id and anyio.current_time() < 0.5 * SETTLE.first_wait_s:
            found.pop(str(made.id), None)
        return found

    async def stop(job: Context) -> None:
        await anyio.sleep(1)
        if stops:
            job.stop.ask(Cause.INTERRUPTED, "")

    monkeypatch.setattr(ErpClient, "standings_of", miss)
    await office.open_run(orders(1))
    await office.execute(beside=stop, check=False)
    assert (made.status, await exit_code(office)) == (
        ("A", Exit.STOPPED) if stops else ("C", Exit.DONE)
    )
    await anyio.sleep(SETTLE.first_wait_s)
    await office.execute()
    assert made.status == "C"


async def test_documents_that_are_gone_are_waited_for_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each page of a long list may hold one, and what is new is not to wait for hours."""
    monkeypatch.setattr(enrolment, "PAGE_ROWS", 1)
    office, numbers = Office(sandbox(), replace(FOLLOW, follow_already=True)), orders(5)
    for number in numbers:
        push_by_hand(office, number)
    await office.open_run(numbers)
    await office.execute(route=ROUTE, check=False)
    for number in numbers[:4]:
        (made,) = office.site.world.documents_of(number)
        office.site.world.store.remove(made)
    began_s = anyio.current_time()
    await office.execute(check=False, work=partial(follow_run, again=True))
    assert anyio.current_time() - began_s < 2 * SETTLE.first_wait_s
    assert await counts(office) == {Follow.APPROVED: 1}
    assert await exit_code(office) is Exit.DONE


async def test_what_was_there_before_and_is_taken_back_later_is_left_alone() -> None:
    """A run that goes on knows what it has done to it, and what a person did after."""
    office = Office(sandbox(), replace(SUBMIT_ONLY, follow_already=True))
    push_by_hand(office, orders(1)[0])
    (bill,) = office.site.world.documents_of(orders(1)[0])
    await office.open_run(orders(1))
    await office.execute()
    assert bill.status == "B"
    office.site.world.take_back(bill)
    await office.execute(check=False)
    assert bill.status == "D"


async def test_what_an_earlier_run_has_submitted_and_a_person_has_taken_back_is_left_alone() -> (
    None
):
    """Another run finds it there at D, and the ledger tells who has submitted it."""
    office = Office(sandbox(), replace(SUBMIT_ONLY, follow_already=True))
    await office.open_run(orders(1))
    await office.execute()
    (bill,) = office.site.world.documents_of(orders(1)[0])
    assert bill.status == "B"
    office.site.world.take_back(bill)
    await office.open_run(orders(1), SECOND)
    await office.execute(SECOND)
    assert bill.status == "D"


@pytest.mark.parametrize("by_us", [True, False])
async def test_what_somebody_else_has_submitted_is_not_approved(*, by_us: bool) -> None:
    """It was there before, and was taken up while it was new; its run is stopped for a while."""
    office = Office(sandbox(latency_s=0.5, **OPEN), replace(FOLLOW, follow_already=True))
    push_by_hand(office, orders(1)[0])
    (bill,) = office.site.world.documents_of(orders(1)[0])
    await office.open_run(orders(1))

    async def stop(context: Context) -> None:
        while not await office.documents() or (by_us and bill.status == "A"):  # noqa: ASYNC110
            await anyio.sleep(0.02)
        context.stop.ask(Cause.INTERRUPTED, "")

    await office.execute(beside=stop, check=False)
    assert bill.status == ("B" if by_us else "A")
    if not by_us:
        office.site.world.submit(bill)
    await anyio.sleep(3600)
    await office.execute(check=False)
    assert bill.status == ("C" if by_us else "B")


@pytest.mark.parametrize("already", [True, False])
async def test_a_document_that_a_look_alone_has_found_is_asked_for_its_maker(
    *, already: bool
) -> None:
    """A lost call made nothing, and a clerk has pushed the bill and submitted that himself."""
    (number,) = orders(1)
    plan = FaultPlan(aimed={number: Aimed(fault("reset"))})
    office = Office(sandbox(plan, **OPEN), replace(FOLLOW, follow_already=already))
    await office.open_run([number])

    async def clerk(_: Context) -> None:
        while (await office.rows())[number].state is not State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.05)
        office.site.world.submit(office.site.world.add_target(IN_STOCK, number, creator="clerk"))

    await office.execute(beside=clerk, check=False)
    (document,) = office.site.world.documents_of(number)
    assert document.status == "B"


def push_by_hand(office: Office, number: str) -> None:
    """Push a bill at the screen."""
    order = PushOrder(PURCHASE_ORDER.id, (number,), rule_id=ROUTE.rule)
    office.site.world.push(order, "clerk", Maker.PERSON)


# -- deaths ---------------------------------------------------------------------------------------

LOST_ANSWERS = FaultPlan(
    steps=(
        Step(fault("make-then-reset"), Channel.AUDIT),
        Step(fault("reset"), Channel.SUBMIT),
        Step(fault("make-then-close"), Channel.SUBMIT),
    )
)


async def _end_and_go_on(plan: FaultPlan, fate: Fate) -> None:
    """Execute a run until something happens to its process, and then again."""
    store = MortalLedger(Fate())
    office = Office(sandbox(plan, orders=6, latency_s=0.5), FOLLOW, ledger=store)
    await office.open_run(orders(2))
    if isinstance(fate, Lived):
        fate.left = left_by_death(store, office.site)
    with fate.scope:
        await office.execute(
            ledger=store.process(fate),
            transport=carried_by(fate),
            stop=fate.stop,
            throttle=steered(chunk_size=3),
            check=False,
        )
    await office.execute()
    assert await counts(office) == {Follow.APPROVED: 2}
    assert await exit_code(office) is Exit.DONE
    assert await hasty(office) == []


@pytest.mark.parametrize("plan", [FaultPlan(), LOST_ANSWERS], ids=["calm", "stormy"])
@pytest.mark.parametrize("schedule", shared_out([1, 2], 2))
def test_a_process_may_be_killed_at_any_step(plan: FaultPlan, schedule: int) -> None:
    """Between the attempt and its record too: what was begun is in doubt, and read."""
    play = partial(_end_and_go_on, plan)
    lived = played(play, Lived, schedule=schedule)
    assert len(lived.moments) > 20
    for moment in lived.moments:
        assert played(play, partial(Fate, {moment: Act.KILL}), schedule=schedule).dead


@pytest.mark.parametrize("plan", shared_out([FaultPlan(), LOST_ANSWERS], 2), ids=["calm", "stormy"])
@pytest.mark.parametrize("act", [Act.STOP, Act.STOP_AT_ONCE])
async def test_a_process_may_be_told_to_stop_at_any_step(plan: FaultPlan, act: Act) -> None:
    """Whatever it is about, a later one takes it up."""
    at, took = 0, 0
    while at <= took:
        at += 7
        fate = Fate({at: act})
        await _end_and_go_on(plan, fate)
        took = fate.steps
    assert at > 40


@pytest.mark.parametrize("at", range(36, 90, 4))
async def test_steps_wait_after_a_death_where_plug_ins_need_a_pause(at: int) -> None:
    """They may be at work still on what the dead process has pushed or submitted."""
    store = MortalLedger(Fate())
    options = sandbox(orders=6, latency_s=0.05, pause_s=5)
    office = Office(options, replace(FOLLOW, follow_wait_s=5), ledger=store)
    await office.open_run(orders(2))
    fate = Fate({at: Act.KILL})
    with fate.scope:
        await office.execute(
            ledger=store.process(fate),
            transport=carried_by(fate),
            throttle=one_by_one(),
            check=False,
        )
    assert fate.dead
    await office.execute(check=False)
    assert await counts(office) == {Follow.APPROVED: 2}


async def test_steps_wait_after_a_push_that_was_not_to_be_followed() -> None:
    """The steps were put into the settings a moment later."""
    office = Office(sandbox(pause_s=5), replace(FOLLOW, follow_wait_s=5))
    await office.open_run(orders(2))
    await office.execute(route=ROUTE)
    await office.execute(limits=NO_HALT)
    assert await counts(office) == {Follow.APPROVED: 2}


async def test_documents_that_a_death_has_kept_from_the_ledger_are_found() -> None:
    """The push was recorded, and the next line of the program was never reached."""
    office = Office(sandbox(), ROUTE)
    await office.open_run(orders(3))
    await office.execute()
    await office.execute(route=FOLLOW, work=follow_run)
    assert await counts(office) == {Follow.APPROVED: 3}


async def test_what_has_stood_still_takes_no_step_any_more() -> None:
    """Another process may have taken the run over, and a person have come in between."""
    store = MortalLedger(Fate())
    office = Office(sandbox(orders=6, latency_s=0.5), FOLLOW, ledger=store)
    await office.open_run(orders(2))
    for at in range(1, 60):
        fate = Fate({at: Act.STAND_STILL}, still_s=3 * WINDOW_S)

        async def execute(fate: Fate = fate) -> None:
            with fate.scope:
                await office.execute(
                    ledger=store.process(fate), transport=carried_by(fate), check=False
                )

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(execute)
            with anyio.move_on_after(60):
                await fate.stands_still.wait()
            if fate.stands_still.is_set():
                await office.execute(check=False)
    await office.execute()
    assert await counts(office) == {Follow.APPROVED: 2}


async def test_a_run_is_followed_by_one_process_at_a_time() -> None:
    """`k3push follow` beside a run that goes on is told so."""
    office = Office(sandbox(latency_s=5.0), FOLLOW)
    await office.open_run(orders(3))

    async def follow_too(_: Context) -> None:
        await anyio.sleep(20)
        with pytest.raises(RunIsAliveError):
            await office.execute(work=follow_run)

    await office.execute(beside=follow_too)
    assert await counts(office) == {Follow.APPROVED: 3}


async def test_a_pause_keeps_steps_from_leaving() -> None:
    """As it does pushes."""
    office = Office(sandbox(latency_s=1.0), FOLLOW)
    await office.open_run(orders(20))
    calls = []

    async def pause(job: Context) -> None:
        await anyio.sleep(15)
        job.throttle.pause()
        await anyio.sleep(30)
        calls.append(office.site.calls[Channel.SUBMIT] + office.site.calls[Channel.AUDIT])
        await anyio.sleep(3600)
        calls.append(office.site.calls[Channel.SUBMIT] + office.site.calls[Channel.AUDIT])
        job.throttle.go_on()

    await office.execute(beside=pause)
    assert calls[0] == calls[1]
    assert await counts(office) == {Follow.APPROVED: 20}


# -- the whole night ------------------------------------------------------------------------------

NIGHT = (
    "reset", "make-then-reset", "make-then-close", "make-then-html-502", "html-503",
    "make-then-garbage", "response-error", "make-then-response-error-text", "late-commit",
    "edit-lock", "call-limit", "lose-session", "drop-one", "make-then-empty",
    "make-then-cut-off", "refuse-connection",
)  # fmt: skip


@pytest.mark.more
async def test_two_thousand_bills_are_selected_and_approved_through_a_night_of_faults() -> None:
    """One call in ten fails in every way, and the process is killed in the middle."""
    met = tuple(map(fault, NIGHT))
    plan = FaultPlan(
        seeded=Seeded(0.1, met, 1),
        seeded_follow=Seeded(0.1, met, 2),
        seeded_reads=Seeded(0.1, tuple(map(fault, ("reset", "html-502", "empty"))), 3),
    )
    store = MortalLedger(Fate())
    office = Office(sandbox(plan, orders=2000, latency_s=1.0), FOLLOW, ledger=store)
    tonight = Selection(where="FBillNo like 'CGDD%'")
    found = await select(office, tonight)
    assert found.numbers == orders(2000)
    await office.open_run([key_of(bill.number, bill.id) for bill in found.bills])
    fate = Fate({700: Act.KILL})
    with fate.scope:
        await office.execute(
            ledger=store.process(fate),
            transport=carried_by(fate),
            limits=NO_HALT,
            throttle=steered(concurrency=4, chunk_size=50),
            check=False,
        )
    assert fate.dead
    driven = steered(concurrency=4, chunk_size=50)
    pushed = await office.execute(limits=NO_HALT, throttle=driven, check=False)
    for _ in range(9):
        if pushed.stop.causes:
            pushed = await office.execute(limits=NO_HALT, throttle=driven, check=False)
    assert await office.findings() == []
    assert [row.shown_number for row in pushed.rows.values()] == orders(2000)
    assert {row.state for row in pushed.rows.values()} == {State.PUSHED}
    assert (await select(office, tonight)).bills == []
    assert await counts(office) == {Follow.APPROVED: 2000}
    made = [office.site.world.documents_of(number) for number in orders(2000)]
    assert {tuple(bill.status for bill in bills) for bills in made} == {("C",)}
    assert await hasty(office) == []
    assert await exit_code(office) is Exit.DONE
