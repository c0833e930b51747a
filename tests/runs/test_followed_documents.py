"""Which documents take steps: a word of a person, a number alone, and what a site does not tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.form_rows import FormRows
from k3push.core.model import (
    TWIN,
    Answered,
    BillNumber,
    Document,
    Follow,
    Route,
    Sighting,
    State,
    Step,
    StepAttempt,
    StepIntent,
    number_in,
)
from k3push.core.pacing.halting import HaltRule
from k3push.core.protocol import wire
from k3push.ports import Doubt, LookFailedError, LookRefusedError
from k3push.runs.context import Context
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.engine import push_run
from k3push.runs.lookup.document_lookup import look_at_standings
from k3push.runs.other_calls.calls_of_others import Heard, hear
from k3push.runs.outcome import Exit, anything_open, exit_of, followed_of
from k3push.runs.proof.doubt_ages import SettleTimes
from k3push.runs.push_limits import PushLimits
from k3push.runs.sending import look_after, read_back
from k3push.runs.stop import Cause
from k3push.runs.submit_and_audit import step_doubts
from k3push.runs.submit_and_audit.follower import follow_run
from k3push.simulator import Policy
from k3push.simulator.books.bills import Bill
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.fault_plans.script import Channel
from tests.runs.mortals import Act, Fate, MortalLedger, carried_by
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    WINDOW_S,
    Office,
    VirtualClock,
    one_by_one,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import OPEN
from tests.runs.test_calls_that_meet import killed_after
from tests.runs.test_follow import AT_ONCE, FOLLOW, NO_HALT, push_by_hand, reasons

pytestmark = pytest.mark.anyio


async def test_a_document_that_a_person_vouches_for_takes_its_steps() -> None:
    """The word settles the doubt, and the next execution finds the document."""
    office = Office(sandbox(steps("ok", "make-then-reset"), **OPEN), FOLLOW)
    numbers, throttle = orders(2), steered(concurrency=1, chunk_size=1)
    await office.open_run(numbers)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    await office.execute(limits=halts, throttle=throttle, check=False)
    await anyio.sleep(60)
    number, clock = BillNumber(numbers[1]), VirtualClock()
    await settle_by_word(
        office.store, clock, FIRST, number, State.PUSHED, because="it is CGRK0000002"
    )
    run = await office.store.run(FIRST)
    assert run is not None
    assert await anything_open(office.store, run)
    assert (await followed_of(office.store, run)).for_person == 1
    await office.execute(throttle=throttle, check=False)
    (made,) = office.site.world.documents_of(number)
    assert made.status == "C"
    assert not await anything_open(office.store, run)


async def test_a_step_in_doubt_is_told_though_the_settings_ask_for_none_any_more() -> None:
    """`follow` was taken out of the route while the answer to a submit was lost."""
    office = Office(sandbox(steps("make-then-reset", on=Channel.SUBMIT), **OPEN), FOLLOW)
    await office.open_run(orders(1))
    await office.execute(limits=PushLimits(halt=HaltRule(unknown_count=1)), check=False)
    run = await office.store.run(FIRST)
    assert run is not None
    now = replace(run, route=ROUTE)
    followed = await followed_of(office.store, now)
    assert exit_of(await office.store.counts(FIRST), (), followed=followed) is Exit.SOME_UNKNOWN
    assert await anything_open(office.store, now)


async def test_a_document_that_its_number_alone_ties_to_a_bill_takes_no_step() -> None:
    """Somebody has typed an order's number into a document of his own; links can be read."""
    office = Office(sandbox(**OPEN), replace(FOLLOW, follow_already=True))
    numbers = orders(3)
    typed = office.site.world.add_target(IN_STOCK, numbers[2], typed=True, creator="clerk")
    await office.open_run(numbers)
    await office.execute(check=False)
    assert typed.status == "A"


@pytest.mark.parametrize("policy", [Policy.ONE_TO_ONE, Policy.MERGE])
async def test_of_a_bill_that_a_clerk_has_pushed_as_well_since_no_document_is_followed(
    policy: Policy,
) -> None:
    """The steps are asked for days after the push; in between a clerk has pushed a bill by hand."""
    office, numbers = Office(sandbox(policy=policy, **OPEN), ROUTE), orders(3)
    await office.open_run(numbers)
    await office.execute()
    (ours,) = office.site.world.documents_of(numbers[1])
    theirs = office.site.world.add_target(IN_STOCK, numbers[1], creator="clerk")
    await office.execute(work=follow_run, route=FOLLOW, check=False)
    assert (ours.status, theirs.status) == ("A", "A")
    others = [d for n in numbers for d in office.site.world.documents_of(n) if d.id != ours.id]
    assert {each.status for each in others if each is not theirs} <= {"C"}
    document = (await office.documents())[str(ours.id)]
    assert document.follow is Follow.REFUSED
    assert "note.document.twin" in document.reason


async def test_what_a_clerk_adds_to_a_bill_that_a_rule_has_split_is_no_part_of_it() -> None:
    """That a bill may have several documents makes none of them ours that another has made."""
    office, numbers = Office(sandbox(policy=Policy.SPLIT, **OPEN), ROUTE), orders(4)
    await office.open_run(numbers)
    await office.execute()
    theirs = office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")
    await office.execute(work=follow_run, route=FOLLOW, check=False)
    stand = {n: {each.status for each in office.site.world.documents_of(n)} for n in numbers}
    assert stand == {n: {"A"} if n == numbers[0] else {"C"} for n in numbers}
    follows = Counter(each.follow for each in (await office.documents()).values())
    assert (follows[Follow.REFUSED], theirs.status) == (2, "A")


async def test_a_bill_whose_number_a_clerk_has_typed_into_a_document_is_not_followed() -> None:
    """Links find ours, and no link tells of his, which is one of the whole bill all the same."""
    office, numbers = Office(sandbox(**OPEN), ROUTE), orders(4)
    await office.open_run(numbers)
    await office.execute()
    (ours,) = office.site.world.documents_of(numbers[0])
    office.site.world.add_target(IN_STOCK, numbers[0], typed=True, creator="clerk")
    await office.execute(work=follow_run, route=FOLLOW, check=False)
    follows = Counter(each.follow for each in (await office.documents()).values())
    assert follows == {Follow.APPROVED: 3, Follow.REFUSED: 1}
    assert ours.status == "A"


async def test_a_bill_that_two_runs_have_pushed_on_purpose_is_followed_in_both() -> None:
    """Somebody has asked for a second document of it (`--again`)."""
    office, numbers = Office(sandbox(**OPEN), ROUTE), orders(2)
    await office.open_run(numbers)
    await office.execute()
    await office.open_run(numbers[:1], SECOND, again_because="wanted")
    await office.execute(SECOND, again_because="wanted", check=False)
    await office.execute(work=follow_run, route=FOLLOW, check=False)
    follows = {each.follow for each in (await office.documents()).values()}
    assert follows == {Follow.APPROVED}


async def test_what_was_left_alone_for_its_maker_goes_on_in_a_later_execution_too() -> None:
    """The answer to the first push is lost; that to the second one tells as whom we make ours."""
    office = Office(sandbox(steps("make-then-reset"), **OPEN), FOLLOW)
    await office.open_run(orders(2))
    await office.execute(limits=replace(AT_ONCE, limit=1), check=False)
    assert {each.follow for each in (await office.documents()).values()} == {Follow.REFUSED}
    await office.execute()
    follows = [each.follow for each in (await office.documents()).values()]
    assert follows == [Follow.APPROVED] * 2


async def test_what_an_answer_names_is_ours_though_a_later_look_has_found_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ERP cannot be read right after the push, and the number is settled a while later."""
    look, looks = look_after.look_after, []

    async def fail_once(*given: Any, **more: Any) -> Any:
        looks.append(given)
        if len(looks) == 1:
            raise LookFailedError("")
        return await look(*given, **more)

    monkeypatch.setattr(read_back, "look_after", fail_once)
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(orders(1))
    await office.execute()
    assert {each.follow for each in (await office.documents()).values()} == {Follow.APPROVED}


@pytest.mark.parametrize(
    ("code", "words"),
    [("7", "未购买工作流许可"), ("4", "未将对象引用设置到对象的实例"), ("11", "没有权限")],
)
async def test_a_site_whose_flows_cannot_be_read_is_followed_all_the_same(
    monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    """What is asked beside the way ends nothing, though it is refused as what may pass is."""
    page = FormRows.page

    async def refuse(self: FormRows, form: str, fields: Sequence[str], *w: Any, **m: Any) -> Any:
        if form == wire.FLOW_TASKS:
            raise LookRefusedError(words, code=code, definite=False)
        return await page(self, form, fields, *w, **m)

    monkeypatch.setattr(FormRows, "page", refuse)
    office = Office(sandbox(**OPEN), FOLLOW)
    numbers = orders(6)
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=2), check=False)
    assert not pushed.stop.causes
    assert {each.follow for each in (await office.documents()).values()} == {Follow.APPROVED}


async def test_a_limit_on_calls_that_lasts_refuses_no_document() -> None:
    """A person would have nothing to mend."""
    plan = steps(*["call-limit"] * 12, on=Channel.AUDIT)
    office = Office(sandbox(plan, **OPEN), FOLLOW)
    await office.open_run(orders(3))
    await office.execute(limits=NO_HALT, check=False)
    follows = {each.follow for each in (await office.documents()).values()}
    assert Follow.REFUSED not in follows


@pytest.mark.parametrize("at", range(30, 62, 3))
async def test_what_was_there_before_is_not_done_for_a_kill_before_anybody_looked(at: int) -> None:
    """The row was written down, and nothing of its document; a resume has something to do."""
    store = MortalLedger(Fate())
    route = replace(FOLLOW, follow_already=True)
    office = Office(sandbox(orders=6, latency_s=0.05), route, ledger=store)
    push_by_hand(office, orders(1)[0])
    await office.open_run(orders(1))
    fate = Fate({at: Act.KILL})
    with fate.scope:
        ledger, transport = store.process(fate), carried_by(fate)
        await office.execute(ledger=ledger, transport=transport, check=False)
    async with office.store.another_process().own(FIRST):
        pass
    run = await office.store.run(FIRST)
    assert run is not None
    assert await anything_open(office.store, run)
    followed = await followed_of(office.store, run)
    assert exit_of(await office.store.counts(FIRST), (), followed=followed) is not Exit.DONE
    await office.execute()
    (made,) = office.site.world.documents_of(orders(1)[0])
    assert made.status == "C"
    assert not await anything_open(office.store, run)


async def until_submitted(office: Office) -> Bill:
    """Return the document of the first bill, as soon as it stands at B."""
    while not (made := office.site.world.documents_of(orders(1)[0])):  # noqa: ASYNC110
        await anyio.sleep(0.05)
    while made[0].status != "B":  # noqa: ASYNC110
        await anyio.sleep(0.05)
    return made[0]


async def test_what_was_submitted_before_a_lock_and_a_person_has_taken_back_is_left_alone() -> None:
    """The first submit broke, and is carried out while the second one meets an edit lock."""
    met = steps("commit-late-then-response-error:26", "edit-lock", on=Channel.SUBMIT)
    office = Office(sandbox(met, latency_s=1.0, look_s=0.1, **OPEN), FOLLOW)
    await office.open_run(orders(1))

    async def person(_: Context) -> None:
        made = await until_submitted(office)
        made.status = "D"
        taken_back.append(office.site.calls[Channel.SUBMIT])

    taken_back: list[int] = []
    await office.execute(throttle=one_by_one(), beside=person, check=False)
    assert taken_back == [2]
    assert office.site.calls[Channel.SUBMIT] == 2


@pytest.mark.parametrize("stopped", [False, True])
async def test_what_a_lost_session_hides_and_a_person_has_taken_back_is_left_alone(
    *, stopped: bool
) -> None:
    """The answer says that nothing was done, and the document has another status than before."""
    met = steps("make-then-lose-session", on=Channel.SUBMIT)
    office = Office(sandbox(met, latency_s=1.0, look_s=0.1, **OPEN), FOLLOW)
    await office.open_run(orders(1))

    async def person(context: Context) -> None:
        made = await until_submitted(office)
        if stopped:
            context.stop.ask(Cause.PERSON, "")
        made.status = "D"

    await office.execute(throttle=one_by_one(), beside=person, check=False)
    if stopped:
        await office.execute(throttle=one_by_one(), check=False)
    assert office.site.calls[Channel.SUBMIT] == 1
    assert {each.follow for each in (await office.documents()).values()} == {Follow.REFUSED}


@pytest.mark.parametrize("late_s", [580, 596])
async def test_a_step_that_is_made_within_the_window_is_not_repeated_before_looks_show_it(
    late_s: int,
) -> None:
    """The copy that answers looks lags behind, and a person takes the document back at once."""
    met = steps(f"late-commit:{late_s}", on=Channel.SUBMIT)
    office = Office(sandbox(met, query_lag_s=8.0, latency_s=0.2, **OPEN), FOLLOW)
    await office.open_run(orders(1))

    async def person(_: Context) -> None:
        site, made = office.site, list[Bill]()
        while not made:
            await anyio.sleep(0.25)
            site._agenda.run_until(anyio.current_time())
            made = [each for each in site.world.documents_of(orders(1)[0]) if each.status == "B"]
        await anyio.sleep(1)
        site.world.take_back(made[0])

    await office.execute(throttle=one_by_one(), limits=NO_HALT, beside=person, check=False)
    assert office.site.calls[Channel.SUBMIT] == 1
    assert {each.follow for each in (await office.documents()).values()} == {Follow.REFUSED}


@pytest.mark.parametrize("late_s", [700, 715, 730])
async def test_what_is_heard_of_calls_in_front_of_a_step_is_older_than_the_look(
    monkeypatch: pytest.MonkeyPatch, late_s: int
) -> None:
    """The step is carried out meanwhile, of a document that somebody has taken back before it."""
    met = steps(f"late-commit:{late_s}", on=Channel.SUBMIT)
    route = replace(FOLLOW, follow=(Step.SUBMIT,), follow_wait_s=60)
    office, (number,) = Office(sandbox(met, **OPEN), route), orders(1)
    await office.open_run([number])

    async def take_back(_: Context) -> None:
        while not (made := office.site.world.documents_of(number)):  # noqa: ASYNC110  # virtual
            await anyio.sleep(0.25)
        made[0].status = "D"

    async def hear_slowly(context: Context) -> Heard:
        heard = await hear(context)
        await anyio.sleep(30)
        return heard

    async def in_front(_: Context, doubts: Sequence[Doubt], __: Heard) -> Mapping[int, float]:
        office.site._agenda.run_until(anyio.current_time())
        is_over = office.site.world.documents_of(number)[0].status == "B"
        return {doubt.attempt: 0.0 if is_over else WINDOW_S for doubt in doubts}

    monkeypatch.setattr(step_doubts, "hear", hear_slowly)
    monkeypatch.setattr(step_doubts, "step_waits_s", in_front)
    how: dict[str, Any] = {"settle": SettleTimes(), "limits": NO_HALT, "throttle": one_by_one()}
    await office.execute(beside=take_back, check=False, **how)
    assert {each.follow for each in (await office.documents()).values()} == {Follow.SUBMITTED}


async def test_a_document_that_a_later_bill_shares_is_not_taken_up_anew() -> None:
    """A rule merges bills; that the document is the second one's is known an hour later."""
    merged: dict[str, Any] = {"policy": "merge-lines", "unaudit_to": "B", "latency_s": 0.3}
    office, numbers = Office(sandbox(**merged, **OPEN), FOLLOW), orders(10)
    await office.open_run(numbers)
    desk, world = office.site.desk, office.site.world
    fields = ("FSBillId", "FSId", "FSTableName", "FRuleId")
    desk.unloaded = frozenset(f"FInStockEntry_Link_{name}".lower() for name in fields)
    together = steered(concurrency=1, chunk_size=10)
    at_once = PushLimits(canary=False, halt=HaltRule())
    await office.execute(throttle=together, limits=at_once, check=False)
    assert State.UNKNOWN in {row.state for row in (await office.rows()).values()}
    made = {m.target.id: m.target for number in numbers for m in world.makings_of(number)}
    for document in made.values():
        world.unapprove(document)
    desk.unloaded = frozenset()
    await anyio.sleep(3600)
    await office.execute(throttle=together, limits=at_once, check=False)
    assert {row.state for row in (await office.rows()).values()} == {State.PUSHED}
    assert {document.status for document in made.values()} == {"B"}


async def follow_in_two_runs(
    office: Office,
    wait_s: float,
    beside: Callable[[Context], Coroutine[None, None, None]] | None = None,
) -> None:
    """Push a bill, and follow its document after a wait; a second run follows it at 30 s."""

    async def again() -> None:
        await anyio.sleep(30)
        await office.open_run(orders(1), SECOND)
        route = replace(FOLLOW, follow_already=True)
        await office.execute(SECOND, route=route, check=False)

    await office.open_run(orders(1))
    async with anyio.create_task_group() as both:
        both.start_soon(again)
        route = replace(FOLLOW, follow_wait_s=wait_s)
        await office.execute(route=route, beside=beside, check=False)


async def test_what_another_run_submits_meanwhile_and_a_person_takes_back_is_left_alone() -> None:
    """Both runs have found it at A; the second comes to it when the first one is done."""
    office = Office(sandbox(latency_s=1.0, look_s=0.1, **OPEN), FOLLOW)

    async def person(_: Context) -> None:
        made = await until_submitted(office)
        made.status = "D"

    await follow_in_two_runs(office, 40.0, person)
    (made,) = office.site.world.documents_of(orders(1)[0])
    assert (made.status, office.site.calls[Channel.SUBMIT]) == ("D", 1)


async def test_a_step_of_another_forms_document_says_nothing_of_ours() -> None:
    """A run has submitted an out-stock that has the id of our in-stock, which stands at D."""
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(orders(1))
    await office.execute(route=ROUTE)
    (made,) = office.site.world.documents_of(orders(1)[0])
    made.status = "D"  # a person has submitted it, and taken it back
    sales = replace(FOLLOW, source="SAL_SaleOrder", target="SAL_OUTSTOCK")
    other, theirs = Office(site=office.site, ledger=office.store, route=sales), str(made.id)
    await other.open_run(["XSDD1"], SECOND)
    at, up = VirtualClock().now(), VirtualClock().uptime()
    await other.store.enrol(SECOND, [Document(theirs, "XSCK1")], at=at)
    begun = await other.store.begin_step(
        StepIntent(SECOND, Step.SUBMIT, (theirs,), "A", b"{}", at, up, "sandbox")
    )
    done = [Document(theirs, "XSCK1", follow=Follow.SUBMITTED)]
    await other.store.record_step(begun, Answered(200, b"{}"), "", done, at=at)
    await office.execute(limits=NO_HALT, check=False)
    assert {each.follow for each in (await office.documents()).values()} == {Follow.APPROVED}


async def test_a_step_that_a_dead_run_has_left_open_holds_a_document_up_for_a_window() -> None:
    """Nobody resumes that run; the clock of the loop may begin at nought."""
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(orders(1))
    await office.execute(route=ROUTE)
    (made,) = office.site.world.documents_of(orders(1)[0])
    at, up = VirtualClock().now(), VirtualClock().uptime()
    await office.open_run(orders(1), SECOND)
    await office.store.enrol(SECOND, [Document(str(made.id), made.number)], at=at)
    intent = StepIntent(SECOND, Step.SUBMIT, (str(made.id),), "A", b"{}", at, up, "sandbox")
    await office.store.begin_step(intent)
    assert anyio.current_time() == 0
    with anyio.fail_after(3600):
        await office.execute(limits=NO_HALT, check=False)
    assert made.status == "C"
    assert anyio.current_time() > WINDOW_S


async def begin_elsewhere(office: Office, step: Step, made: Bill) -> StepAttempt:
    """Let the second run begin a step of a document."""
    at, up = VirtualClock().now(), VirtualClock().uptime()
    intent = StepIntent(SECOND, step, (str(made.id),), made.status, b"{}", at, up, "sandbox")
    return await office.store.begin_step(intent)


async def test_a_step_that_is_open_elsewhere_holds_no_other_document_up() -> None:
    """Its call would have carried others as well, which go on with fewer beside them."""
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(orders(9))
    await office.execute(route=ROUTE)
    made = [office.site.world.documents_of(number)[0] for number in orders(9)]
    await office.open_run(orders(9), SECOND)
    await office.store.enrol(
        SECOND, [Document(str(made[5].id), made[5].number)], at=VirtualClock().now()
    )
    await begin_elsewhere(office, Step.SUBMIT, made[5])
    half_way: list[str] = []

    async def look(_: Context) -> None:
        await anyio.sleep(WINDOW_S / 2)
        half_way.extend(each.status for each in made)

    await office.execute(limits=NO_HALT, beside=look, check=False)
    assert "".join(half_way) == "CCCCCACCC"
    assert {each.status for each in made} == {"C"}


async def test_a_step_that_another_run_is_at_is_minded_though_an_earlier_one_was_long_ago() -> None:
    """It has submitted a document, and approves it an hour later, as our pause ends."""
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(orders(1))
    await office.execute(route=ROUTE)
    (made,) = office.site.world.documents_of(orders(1)[0])
    document = Document(str(made.id), made.number)
    await office.open_run(orders(1), SECOND)
    await office.store.enrol(SECOND, [document], at=VirtualClock().now())
    begun = await begin_elsewhere(office, Step.SUBMIT, made)

    async def other(job: Context) -> None:
        await anyio.sleep(30)
        job.throttle.back_off(3600, "so")
        made.status = "B"
        at, done = VirtualClock().now(), replace(document, follow=Follow.SUBMITTED)
        await office.store.record_step(begun, Answered(200, b"{}"), "", [done], at=at)
        await anyio.sleep(3590)
        await begin_elsewhere(office, Step.AUDIT, made)
        await anyio.sleep(60)
        assert office.site.calls[Channel.AUDIT] == 0
        job.stop.ask(Cause.INTERRUPTED, "so")

    await office.execute(limits=NO_HALT, beside=other, check=False)
    assert office.site.calls[Channel.AUDIT] == 0


async def test_two_runs_take_no_step_of_one_document_at_once() -> None:
    """Each finds it at A; a submit takes twenty seconds."""
    office = Office(sandbox(latency_s=20.0, look_s=0.01, **OPEN), FOLLOW)
    await follow_in_two_runs(office, 20.0)
    (made,) = office.site.world.documents_of(orders(1)[0])
    calls = office.site.calls
    assert (made.status, calls[Channel.SUBMIT], calls[Channel.AUDIT]) == ("C", 1, 1)


@pytest.mark.parametrize("work", [push_run, only_settle])
async def test_what_a_person_has_sent_back_while_an_answer_was_lost_is_told_as_that(
    work: Callable[[Context], Coroutine[None, None, None]],
) -> None:
    """It is still there; a first look shows it where it was before, as a late copy would."""
    office = Office(sandbox(steps("make-then-reset", on=Channel.AUDIT), **OPEN), FOLLOW)
    await office.open_run(orders(1))
    await office.execute(limits=PushLimits(halt=HaltRule(unknown_count=1)), check=False)
    (made,) = office.site.world.documents_of(orders(1)[0])
    made.status = "D"
    await anyio.sleep(86_400)
    await office.execute(work=work, check=False)
    (why,) = await reasons(office)
    assert "taken back" in why


@pytest.mark.parametrize("days", [0, 2, -2])
async def test_a_refused_question_whose_a_document_is_leaves_it_to_the_time_of_its_row(
    monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """An earlier execution has found it; a guard against odd filters refuses its bill's number.

    A database that was restored may have given its id to a document of another day.
    """
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(orders(3))
    await office.execute(route=ROUTE)
    look = ErpClient.targets_of

    async def refuse(
        erp: ErpClient, route: Route, numbers: Sequence[BillNumber], **more: Any
    ) -> Sighting:
        if orders(3)[1] in set(map(number_in, numbers)):
            raise LookRefusedError("GetRealExpress error", code="4", definite=False)
        return await look(erp, route, numbers, **more)

    monkeypatch.setattr(ErpClient, "targets_of", refuse)
    made = [office.site.world.documents_of(number)[0] for number in orders(3)]
    for document in made if days else ():
        of_day = datetime.fromisoformat(document.created) + timedelta(days=days)
        document.created = f"{of_day:%Y-%m-%dT%H:%M:%S}"
    await office.execute()
    assert [document.status for document in made] == ["C", "A" if days else "C", "C"]
    follows = [each.follow for each in (await office.documents()).values()]
    assert days or follows == [Follow.APPROVED] * 3


@pytest.mark.parametrize("misses", [1, 2])
async def test_one_look_that_misses_a_document_makes_it_no_others(
    monkeypatch: pytest.MonkeyPatch, misses: int
) -> None:
    """The run goes on right after a kill, and a copy of the database lags behind."""
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(orders(2))
    await office.execute(route=ROUTE)
    looks: list[Any] = []

    async def miss(*given: Any, **more: Any) -> Sighting:
        looks.append(given)
        return Sighting() if len(looks) <= misses else await look_at_sent(*given, **more)

    monkeypatch.setattr("k3push.runs.submit_and_audit.ownership.look_at_sent", miss)
    await office.execute()
    follows = [each.follow for each in (await office.documents()).values()]
    assert follows == [Follow.APPROVED] * 2


async def test_an_answer_to_a_step_is_kept_where_no_look_tells_what_it_has_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ERP goes down right after it; the document is in doubt, and nobody was killed."""
    office = Office(sandbox(**OPEN), FOLLOW)
    await office.open_run(orders(2))

    async def fail(*given: Any) -> Any:
        if office.site.calls[Channel.SUBMIT]:
            raise LookFailedError("HTTP 502")
        return await look_at_standings(*given)

    read = "k3push.runs.submit_and_audit.step_reads.look_at_standings"
    with monkeypatch.context() as down:
        down.setattr(read, fail)
        pushed = await office.execute(check=False)
    assert Cause.LOOK_FAILED in pushed.stop.causes
    (doubt,) = [d for d in (await office.documents()).values() if d.follow is Follow.UNKNOWN]
    await office.execute()
    (submit, _) = await office.store.steps_of(doubt.id)
    assert isinstance(submit.exchange, Answered)
    assert {each.follow for each in (await office.documents()).values()} == {Follow.APPROVED}


async def test_a_document_stays_its_bills_though_another_has_got_the_number() -> None:
    """Links name the bill by its id, and the ledger knows that."""
    office, number = Office(sandbox(**OPEN), FOLLOW), orders(1)[0]
    await office.open_run(orders(2))
    await office.execute(route=ROUTE)
    store = office.site.world.store
    (pushed,), (other,) = (store.by_number(PURCHASE_ORDER, n) for n in (number, orders(3)[2]))
    for bill, called in ((pushed, f"{number}-1"), (other, number)):
        store.remove(bill)
        bill.number = called
        store.add(bill)
    await office.execute(check=False)
    follows = [each.follow for each in (await office.documents()).values()]
    assert follows == [Follow.APPROVED] * 2


async def test_ours_is_known_by_its_maker_though_no_answer_names_the_first_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answers to the first calls were lost, and are settled by the next execution."""
    monkeypatch.setattr("k3push.runs.submit_and_audit.ownership.MOST_LEARNT_FROM", 1)
    office = Office(sandbox(steps("make-then-reset"), **OPEN), FOLLOW)
    await office.open_run(orders(3))

    async def stop(job: Context) -> None:
        await anyio.sleep(15)
        job.stop.ask(Cause.INTERRUPTED, "Ctrl-C")

    await office.execute(limits=AT_ONCE, throttle=one_by_one(), beside=stop, check=False)
    assert len(await office.documents()) == 2
    await office.execute()
    follows = [each.follow for each in (await office.documents()).values()]
    assert follows == [Follow.APPROVED] * 3


async def test_nothing_is_approved_of_a_bill_that_has_two_by_accident() -> None:
    """Another run's row tells of both: its call was carried out long after a person's word."""
    met = steps("commit-late-then-reset:800")
    office = Office(sandbox(met, look_s=0.1, latency_s=1.0, **OPEN))
    numbers = orders(1)
    await office.open_run(numbers)

    async def kill(job: Context) -> None:
        while (await office.rows())[numbers[0]].state is not State.UNKNOWN:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        job.stop.scope.cancel()

    await office.execute(beside=kill, check=False)
    word = BillNumber(numbers[0]), State.PLANNED
    await settle_by_word(office.store, VirtualClock(), FIRST, *word, because="not there")
    await office.open_run(numbers, SECOND)
    await office.execute(SECOND, check=False)
    await anyio.sleep(1800.0)
    await office.execute(FIRST, check=False)
    assert (await office.rows(FIRST))[numbers[0]].code == TWIN
    await office.execute(SECOND, work=follow_run, route=FOLLOW, check=False)
    assert {each.status for each in office.site.world.documents_of(numbers[0])} == {"A"}


@pytest.mark.parametrize("step", [Channel.SUBMIT, Channel.AUDIT])
@pytest.mark.parametrize("waits", [False, True])
async def test_a_second_document_that_comes_while_a_step_waits_is_seen_before_it(
    step: Channel, *, waits: bool
) -> None:
    """A lost step is repeated once its window has passed; or the route asks for a pause."""
    route = replace(FOLLOW, follow_wait_s=60) if waits else FOLLOW
    met = steps("ok" if waits else "reset", on=step)
    office = Office(sandbox(met, latency_s=1.0, **OPEN), route)
    numbers = orders(4)
    await office.open_run(numbers[1:], SECOND)
    await office.execute(SECOND, check=False, route=ROUTE)
    await office.open_run(numbers[:1])

    async def push_too(_: Context) -> None:
        await anyio.sleep(105.0 if waits and step is Channel.AUDIT else 45.0)
        office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")

    await office.execute(beside=push_too, check=False)
    (ours,) = (d for d in office.site.world.documents_of(numbers[0]) if d.creator != "clerk")
    assert ours.status == ("A" if step is Channel.SUBMIT else "B")
    (document,) = (await office.documents(FIRST)).values()
    assert document.follow is Follow.REFUSED


async def test_each_bill_of_a_merged_document_is_looked_at_before_a_step_that_has_waited() -> None:
    """A clerk pushes the first of its bills meanwhile, and the others have one document each."""
    options = sandbox(policy=Policy.MERGE, **OPEN)
    office, made = Office(options, replace(FOLLOW, follow_wait_s=120)), list[Bill]()
    numbers = orders(30)
    await office.open_run(numbers)

    async def push_too(_: Context) -> None:
        await anyio.sleep(60)
        books = office.site.world
        of = {number: books.documents_of(number)[0] for number in numbers}
        merged = max(of.values(), key=lambda each: len(each.sources))
        first = next(number for number in numbers if of[number] is merged)
        made.append(merged)
        books.add_target(IN_STOCK, first, creator="clerk")

    together = steered(concurrency=1, chunk_size=30)
    at_once = PushLimits(canary=False, halt=HaltRule())
    await office.execute(limits=at_once, throttle=together, beside=push_too, check=False)
    (ours,) = made
    assert len(ours.sources) > 2
    follows = Counter(each.follow for each in (await office.documents()).values())
    assert (ours.status, follows[Follow.REFUSED]) == ("A", 1)


async def test_a_merged_document_is_known_by_each_of_its_bills_where_no_link_tells() -> None:
    """Its lines bear the number of one of them, and that is not the first of the list."""
    options = sandbox(policy=Policy.MERGE_LINES, **OPEN)
    office, numbers = Office(options, ROUTE), orders(20)[::-1]
    await office.open_run(numbers)
    together = steered(concurrency=1, chunk_size=20)
    at_once = PushLimits(canary=False, halt=HaltRule())
    await office.execute(throttle=together, limits=at_once, check=False)
    fields = ("FSBillId", "FSId", "FSTableName", "FRuleId")
    office.site.desk.unloaded = frozenset(f"FInStockEntry_Link_{name}".lower() for name in fields)
    await office.execute(work=follow_run, route=FOLLOW, check=False)
    follows = {each.follow for each in (await office.documents()).values()}
    assert follows == {Follow.APPROVED}


@pytest.mark.parametrize("by_clerk", [True, False])
async def test_what_a_clerk_adds_to_parts_that_another_run_has_pushed_is_not_followed(
    *, by_clerk: bool
) -> None:
    """The rule splits bills, and the parts themselves may be followed by a later run."""
    route = replace(FOLLOW, follow_already=True)
    office, numbers = Office(sandbox(policy=Policy.SPLIT, **OPEN), route), orders(4)
    await office.open_run(numbers)
    await office.execute(route=ROUTE)
    if by_clerk:
        office.site.world.add_target(IN_STOCK, numbers[0], creator="clerk")
    await office.open_run(numbers, SECOND)
    await office.execute(SECOND, check=False)
    stand = {n: {each.status for each in office.site.world.documents_of(n)} for n in numbers}
    assert stand == {n: {"A"} if by_clerk and n == numbers[0] else {"C"} for n in numbers}


async def test_a_limit_counts_a_bill_and_its_document_once() -> None:
    """Also where the document was there before, and enters by its row at the end."""
    numbers = orders(3)
    office = Office(sandbox(**OPEN), replace(FOLLOW, follow_already=True))
    for number in numbers[:2]:
        office.site.world.add_target(IN_STOCK, number)
    await office.open_run(numbers)
    pushed = await office.execute(
        limits=replace(NO_HALT, limit=3), throttle=one_by_one(), check=False
    )
    statuses = [d.status for n in numbers for d in office.site.world.documents_of(n)]
    assert statuses == ["C"] * 3
    assert pushed.stop.causes == {}


async def test_a_limit_counts_no_document_anew_that_goes_on_once_its_maker_is_known() -> None:
    """The answers to the first calls were lost, and that to the next one tells who makes ours."""
    office, numbers = Office(sandbox(steps("make-then-reset", "reset"), **OPEN), FOLLOW), orders(2)
    await office.open_run(numbers)
    limits = replace(NO_HALT, limit=2)
    pushed = await office.execute(limits=limits, throttle=one_by_one(), check=False)
    assert {each.follow for each in (await office.documents()).values()} == {Follow.APPROVED}
    assert pushed.stop.causes == {}


async def test_a_limit_counts_what_lost_answers_are_found_to_have_made() -> None:
    """A bill that is followed is no less work for having been pushed before."""
    office, numbers = Office(sandbox(steps("ok", "make-then-reset"), **OPEN), FOLLOW), orders(7)
    await office.open_run(numbers)
    throttle = steered(concurrency=1, chunk_size=6)
    await office.execute(limits=NO_HALT, throttle=throttle, check=False, beside=killed_after(8))
    before = sum(d.status == "C" for n in numbers for d in office.site.world.documents_of(n))
    again = steered(concurrency=1, chunk_size=6)
    pushed = await office.execute(limits=replace(NO_HALT, limit=1), throttle=again, check=False)
    after = sum(d.status == "C" for n in numbers for d in office.site.world.documents_of(n))
    assert after - before <= 1
    assert Cause.LIMIT in pushed.stop.causes
