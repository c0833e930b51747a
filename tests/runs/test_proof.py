"""What is believed must be proved: absence, identity, and what failures say.

Each test is a way in which a number once got two documents, or a row was untrue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.model import TWIN, BillNumber, RunId, State
from k3push.core.pacing.halting import HaltRule
from k3push.core.protocol.logins import LoginCall, password_login
from k3push.core.remark import read_remark
from k3push.runs.context import Context
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.engine import push_run
from k3push.runs.proof.doubt_ages import DoubtAges, SettleTimes
from k3push.runs.proof.unclear_documents import SHARED
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause
from k3push.simulator import Accounts, Channel, FaultPlan, Policy, Step, fault
from k3push.simulator.books.bills import Bill, Origin
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER, RECEIVE_BILL
from k3push.simulator.books.write_back import WriteBack
from k3push.simulator.fault_plans.script import Aimed, Rival, Seeded
from k3push.simulator.sandbox_options import QueryLimits
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    Office,
    Pushed,
    VirtualClock,
    only_settle,
    orders,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import interrupt
from tests.said import english
from tests.simulator.second_rule import with_second_rule

pytestmark = pytest.mark.anyio

NO_CANARY = PushLimits(canary=False)
# Supplier and remarks: the field is there, and no source's number is in it.
WRONG_FIELDS = ("FSupplierId.FNumber", "FNote")


def login(user: str) -> LoginCall:
    """Return the login of a user of the sandbox."""
    return password_login("sandbox", user, "sandbox", 2052)


def accounts(*users: str) -> Accounts:
    """Return an account set with these users."""
    return Accounts(users=dict.fromkeys(users, "sandbox"))


def most_documents(office: Office, numbers: Sequence[str]) -> int:
    """Return how many documents the most pushed of some numbers has."""
    return max(len(office.site.world.documents_of(number)) for number in numbers)


def untrue(office: Office, pushed: Pushed) -> list[str]:
    """Return numbers that are told to have no document, and have one."""
    none = pushed.of(State.PLANNED) | pushed.of(State.REJECTED)
    return [number for number in sorted(none) if office.site.world.documents_of(number)]


# -- absence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("canary", [True, False])
@pytest.mark.parametrize("count", [1, 2, 30, 100])
@pytest.mark.parametrize("write_back", [WriteBack.SAVE, WriteBack.NEVER])
@pytest.mark.parametrize("field", WRONG_FIELDS)
async def test_silence_of_a_field_that_was_never_proved_is_no_absence(
    field: str, write_back: WriteBack, count: int, *, canary: bool
) -> None:
    """A wrong field, lost answers, and a rule that leaves the source open: never a second one."""
    lost = fault("make-then-reset")
    plan = FaultPlan(seeded=Seeded(0.5, (lost, fault("make-then-response-error")), seed=count))
    options = sandbox(plan, orders=100, write_back=write_back, closes=False)
    office = Office(options, replace(ROUTE, source_number_field=field))
    numbers = orders(count)
    await office.open_run(numbers)
    limits = PushLimits(canary=canary)
    for _ in range(3):
        pushed = await office.execute(limits=limits, check=False)
        assert most_documents(office, numbers) <= 1
        assert untrue(office, pushed) == []


async def test_the_run_says_which_proof_is_missing() -> None:
    """A person has to know that it is the field, and which."""
    options = sandbox(steps(*["reset"] * 3))
    office = Office(options, replace(ROUTE, source_number_field="FNote"), documents=False)
    await office.open_run(orders(1))
    pushed = await office.execute(check=False)
    assert pushed.states == {orders(1)[0]: State.UNKNOWN}
    assert "STK_InStock.FNote" in pushed.stop.causes[Cause.UNPROVED]


@pytest.mark.parametrize("field", [ROUTE.source_number_field, ""])
async def test_whoever_settles_is_told_what_only_a_person_can(field: str) -> None:
    """Else "`k3push settle`" is advised for ever, and settles nothing."""
    options = sandbox(steps("mislink" if field else "reset"), link_fields=bool(field))
    office = Office(options, replace(ROUTE, source_number_field=field))
    await office.open_run(orders(1))
    pushed = await office.execute(check=False)
    for again in (push_run, only_settle):
        pushed = await office.execute(work=again, check=False)
        assert pushed.states == {orders(1)[0]: State.UNKNOWN}
        assert read_remark(pushed.stop.causes[Cause.PERSON]) == ("why.person", {"count": 1})


async def test_another_number_may_bring_the_proof_for_the_first() -> None:
    """Nothing is there in the beginning; the second canary's document proves the field."""
    office = Office(sandbox(steps("reset")), documents=False)
    await office.open_run(orders(20))
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(20))
    assert not pushed.stop.causes


async def test_canaries_in_doubt_are_few() -> None:
    """Where every answer is lost and nothing proves the field, the list is not sent on and on."""
    office = Office(sandbox(FaultPlan(seeded=Seeded(1, (fault("reset"),)))), documents=False)
    await office.open_run(orders(20))
    pushed = await office.execute()
    assert len(pushed.of(State.UNKNOWN)) == 3
    assert Cause.UNPROVED in pushed.stop.causes


@pytest.mark.parametrize("read", ["response-error", "msgcode-4", "msgcode-6", "empty", "html-502"])
@pytest.mark.parametrize("user", ["sandbox", "sandbox2"])
async def test_a_failed_look_of_one_user_is_no_look(user: str, read: str) -> None:
    """Only a user who lacks the right to read is passed over, and then proves nothing."""
    users = ("sandbox", "sandbox2")
    plan = FaultPlan(
        seeded=Seeded(0.4, (fault("make-then-reset"), fault("make-then-response-error"))),
        seeded_reads=Seeded(0.3, (fault(read),)),
    )
    own = dict.fromkeys(users, "own")
    options = sandbox(
        plan, accounts=accounts(*users), sees=own, write_back=WriteBack.NEVER, closes=False
    )
    office = Office(options)
    await office.open_run(orders(60))
    first, second = (user, *(name for name in users if name != user))
    for _ in range(3):
        pushed = await office.execute(
            login=login(first), more_users={second: login(second)}, check=False
        )
        assert most_documents(office, orders(60)) <= 1
        assert untrue(office, pushed) == []


@pytest.mark.parametrize("canary", [True, False])
@pytest.mark.parametrize("sees", ["own", "none"])
@pytest.mark.parametrize(
    "name", ["make-then-reset", "make-then-response-error", "reset", "response-error", "drop-one"]
)
async def test_users_who_see_only_their_own_come_to_no_harm(
    name: str, sees: str, *, canary: bool
) -> None:
    """Lost and refused answers: nothing twice, nothing untrue, whoever looks."""
    users = ("sandbox", "sandbox2")
    plan = FaultPlan(seeded=Seeded(0.3, (fault(name),), seed=3))
    options = sandbox(
        plan,
        accounts=accounts(*users),
        sees=dict.fromkeys(users, sees),
        write_back=WriteBack.NEVER,
        closes=False,
    )
    office = Office(options)
    await office.open_run(orders(40))
    for _ in range(3):
        pushed = await office.execute(
            limits=PushLimits(canary=canary),
            login=login("sandbox"),
            more_users={"sandbox2": login("sandbox2")},
            check=False,
        )
        assert most_documents(office, orders(40)) <= 1
        assert untrue(office, pushed) == []


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["make-then-reset", "make-then-response-error"])
async def test_a_user_who_sees_half_of_his_own_documents_is_found_out(name: str, seed: int) -> None:
    """Until enough of them were shown, silence is not believed; one that is missed ends it."""
    plan = FaultPlan(seeded=Seeded(0.2, (fault(name),), seed=seed))
    options = sandbox(
        plan, orders=200, sees={"sandbox": "half"}, write_back=WriteBack.NEVER, closes=False
    )
    office = Office(options)
    await office.open_run(orders(200))
    for _ in range(3):
        pushed = await office.execute(check=False)
        assert most_documents(office, orders(200)) <= 1
        assert untrue(office, pushed) == []


@pytest.mark.parametrize("rows", [1, 2, 7, 50, 100])
async def test_a_page_that_a_site_cuts_is_not_the_whole(rows: int) -> None:
    """At any limit: neither are sound bills "not there", nor documents."""
    plan = FaultPlan(seeded=Seeded(0.3, (fault("make-then-reset"),)))
    options = sandbox(
        plan, orders=120, limits=QueryLimits(rows=rows), write_back=WriteBack.NEVER, closes=False
    )
    office = Office(options)
    await office.open_run(orders(120))
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(120))
    assert most_documents(office, orders(120)) == 1


@pytest.mark.parametrize("field", [ROUTE.source_number_field, ""])
async def test_the_second_night_of_a_list_is_already_there(field: str) -> None:
    """The ERP has closed what was pushed; that is no reason to call it closed."""
    options = sandbox(link_fields=bool(field))
    office = Office(options, replace(ROUTE, source_number_field=field))
    for run in (FIRST, SECOND):
        await office.open_run(orders(40), run)
        pushed = await office.execute(run)
        assert not pushed.stop.causes
        state = State.PUSHED if run == FIRST else State.ALREADY
        assert {row.state for row in (await office.rows(run)).values()} == {state}


async def test_a_route_that_cannot_ask_pushes_nothing_that_the_ledger_knows() -> None:
    """The same list doubled in silence where the rule leaves the source open."""
    options = sandbox(write_back=WriteBack.NEVER, closes=False, link_fields=False)
    office = Office(options, replace(ROUTE, source_number_field=""))
    await office.open_run(orders(10))
    await office.execute()
    await office.open_run(orders(10), SECOND)
    await office.execute(SECOND)
    rows = await office.rows(SECOND)
    assert {row.state for row in rows.values()} == {State.ALREADY}
    assert most_documents(office, orders(10)) == 1
    assert all(FIRST in row.reason for row in rows.values())


async def test_a_person_may_push_again_what_the_ledger_knows() -> None:
    """With a reason, which is kept."""
    options = sandbox(write_back=WriteBack.NEVER, closes=False, link_fields=False)
    office = Office(options, replace(ROUTE, source_number_field=""))
    await office.open_run(orders(2))
    await office.execute()
    await office.open_run(orders(2), SECOND, again_because="the first ones were deleted")
    await office.execute(SECOND, check=False)
    assert {row.state for row in (await office.rows(SECOND)).values()} == {State.PUSHED}


async def test_a_bill_that_is_to_be_pushed_again_and_is_closed_is_rejected() -> None:
    """`already` would say that what was asked for is done."""
    office = Office(sandbox())
    for run, because in ((FIRST, ""), (SECOND, "the first ones were deleted")):
        await office.open_run(orders(2), run, again_because=because)
        await office.execute(run, check=False)
    assert {row.state for row in (await office.rows(SECOND)).values()} == {State.REJECTED}


async def test_a_bill_that_another_runs_lost_call_has_closed_is_not_rejected() -> None:
    """It waits for that run: nobody can ask for documents here, and its own closed it."""
    route = replace(ROUTE, source_number_field="")
    office = Office(sandbox(steps("make-then-reset"), link_fields=False), route)
    for run in (FIRST, SECOND):
        await office.open_run(orders(1), run)
        await office.execute(run, check=False)
    (row,) = (await office.rows(SECOND)).values()
    assert (row.state, row.code) == (State.PLANNED, "held")


@pytest.mark.parametrize("sees", ["own", "none"])
async def test_another_users_silence_settles_nothing(sees: str) -> None:
    """Who resumes as a user that does not see what the first one made sends nothing again."""
    users = ("sandbox", "sandbox2")
    plan = FaultPlan(seeded=Seeded(0.9, (fault("make-then-reset"),)))
    options = sandbox(
        plan,
        accounts=accounts(*users),
        sees={"sandbox2": sees},
        write_back=WriteBack.NEVER,
        closes=False,
    )
    office = Office(options)
    await office.open_run(orders(40))
    await office.execute(
        limits=NO_CANARY, settle=SettleTimes(), login=login("sandbox"), check=False
    )
    await office.open_run(orders(40), SECOND)

    for run in (FIRST, SECOND):
        await office.execute(run, login=login("sandbox2"), check=False)
        assert most_documents(office, orders(40)) <= 1


async def test_another_user_who_is_proved_to_see_settles_for_the_first() -> None:
    """Documents that the ledger knows of the first user are shown to the second."""
    plan = FaultPlan(steps=tuple(Step(fault(n), Channel.PUSH) for n in ["ok"] * 5 + ["reset"] * 4))
    office = Office(sandbox(plan, accounts=accounts("sandbox", "sandbox2")))
    await office.open_run(orders(9))
    how: dict[str, Any] = {"limits": NO_CANARY, "throttle": steered(concurrency=1, chunk_size=1)}

    async def stop_after_nine(job: Any) -> None:
        await anyio.sleep(5)  # all nine have left by then, and none is settled
        job.stop.ask(Cause.INTERRUPTED, "")

    first = await office.execute(login=login("sandbox"), beside=stop_after_nine, **how)
    assert len(first.of(State.UNKNOWN)) == 4
    second = await office.execute(login=login("sandbox2"), **how)
    assert second.of(State.PUSHED) == set(orders(9))


async def test_what_a_user_finds_proves_nothing_of_what_he_does_not_see() -> None:
    """No answer to the first user names a document, so that nobody knows what he has made."""
    plan = FaultPlan(steps=tuple(Step(fault(name)) for name in ("make-then-reset", "reset")))
    office = Office(sandbox(plan, accounts=accounts("sandbox", "sandbox2")))
    await office.open_run(orders(8))
    how: dict[str, Any] = {"limits": NO_CANARY, "throttle": steered(concurrency=2, chunk_size=4)}

    async def stop_after_both(job: Any) -> None:
        await anyio.sleep(5)
        job.stop.ask(Cause.INTERRUPTED, "")

    first = await office.execute(login=login("sandbox"), beside=stop_after_both, **how)
    assert first.of(State.UNKNOWN) == set(orders(8))
    await anyio.sleep(SettleTimes().window_s)
    await office.execute(login=login("sandbox2"), check=False, **how)
    rows = (await office.rows()).values()
    assert Counter(row.state for row in rows) == {State.PUSHED: 4, State.UNKNOWN: 4}


# -- who a bill is, and whose a document is -----------------------------------------------------


OTHER_ROUTES = {
    "another rule": replace(ROUTE, name="other", rule=f"ZMER_{ROUTE.rule}"),
    "the default rule": replace(ROUTE, name="other", rule=""),
    "other letter case": replace(
        ROUTE, name="other", source=ROUTE.source.upper(), target=ROUTE.target.lower()
    ),
}


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("other", OTHER_ROUTES)
async def test_two_routes_of_the_same_forms_make_one_document(other: str, *, lost: bool) -> None:
    """A claim is of a bill and a target form, whatever the rule is called."""
    plan = FaultPlan(seeded=Seeded(0.4, (fault("make-then-reset"),))) if lost else FaultPlan()
    office = Office(
        sandbox(
            plan,
            latency_s=2.0,
            routes=with_second_rule(),
            write_back=WriteBack.NEVER,
            closes=False,
        )
    )
    second = Office(site=office.site, route=OTHER_ROUTES[other], ledger=office.store)
    await office.open_run(orders(60))
    await second.open_run(orders(60), SECOND)

    async def run(of: Office, name: RunId) -> None:
        await of.execute(name, check=False)

    async with anyio.create_task_group() as both:
        both.start_soon(run, office, FIRST)
        both.start_soon(run, second, SECOND)
    assert most_documents(office, orders(60)) == 1


async def test_what_a_success_passed_over_and_saved_later_is_not_sent_again() -> None:
    """An answer of success may come before all that it saves; a look tells in time."""
    office = Office(sandbox(steps("ok", "drop-one")))
    numbers = orders(6)
    passed_over: list[str] = []

    async def save_later(context: Context) -> None:
        while not passed_over:
            await anyio.sleep(1)
            rows = await context.ledger.rows(FIRST)
            passed_over.extend(row.number for row in rows if row.code == "dropped")
        await anyio.sleep(context.settle.first_wait_s / 2)
        office.site.world.add_target(IN_STOCK, passed_over[0])
        await anyio.sleep_forever()

    await office.open_run(numbers)
    pushed = await office.execute(
        limits=NO_CANARY,
        throttle=steered(concurrency=1, chunk_size=3),
        beside=save_later,
        check=False,
    )
    assert len(passed_over) == 1
    assert most_documents(office, numbers) == 1
    assert not pushed.of(State.PLANNED)


async def test_a_document_of_another_source_form_is_not_ours() -> None:
    """It bears the same source number, and the bill was never pushed."""
    office = Office()
    number = orders(1)[0]
    office.site.world.add_source(RECEIVE_BILL, number)
    office.site.world.add_target(IN_STOCK, number, source_form=RECEIVE_BILL)
    await office.open_run([number])
    pushed = await office.execute(check=False)
    assert pushed.states == {number: State.PUSHED}
    assert [bill.creator for bill in office.site.world.documents_of(number)].count("sandbox") == 1


def as_of_a_requisition(target: Bill) -> None:
    """Let a document name the order's own source form, as a rule that copies it does."""
    for entry in target.entries:
        entry.origin = Origin("PUR_Requisition", entry.origin.number if entry.origin else "")


@pytest.mark.parametrize(
    "name", ["make-then-reset", "make-then-response-error", "make-then-msgcode-4"]
)
async def test_a_document_that_a_field_alone_calls_foreign_is_no_absence(name: str) -> None:
    """Where links cannot be asked, a rule that copies the order's own source made a second one."""
    options = sandbox(
        steps("ok", name), link_fields=False, write_back=WriteBack.NEVER, closes=False, look_s=0.1
    )
    office = Office(options)
    number, lost = orders(2)

    async def copy_the_form(_: Context) -> None:
        made: Sequence[Bill] = ()
        while not made:
            await anyio.sleep(0.01)
            made = office.site.world.documents_of(lost)
        as_of_a_requisition(made[0])
        await anyio.sleep_forever()

    await office.open_run([number, lost])
    for _ in range(2):
        pushed = await office.execute(
            limits=NO_CANARY,
            throttle=steered(concurrency=1, chunk_size=1),
            beside=copy_the_form,
            check=False,
        )
        assert pushed.states == {number: State.PUSHED, lost: State.UNKNOWN}
        assert most_documents(office, [lost]) == 1
        assert office.site.world.documents_of(lost)[0].number in pushed.rows[lost].reason


async def test_a_document_without_a_link_among_those_with_one_is_no_absence() -> None:
    """A rule keeps links for some documents only: the order travelled again, though it had one."""
    options = sandbox(
        steps("ok", "make-then-reset"), write_back=WriteBack.NEVER, closes=False, look_s=0.1
    )
    office = Office(options)
    number, lost = orders(2)

    async def keep_no_link(_: Context) -> None:
        made: Sequence[Bill] = ()
        while not made:
            await anyio.sleep(0.01)
            made = office.site.world.documents_of(lost)
        as_of_a_requisition(made[0])
        for entry in made[0].entries:
            entry.links = ()
        await anyio.sleep_forever()

    await office.open_run([number, lost])
    pushed = await office.execute(
        limits=NO_CANARY,
        throttle=steered(concurrency=1, chunk_size=1),
        beside=keep_no_link,
        check=False,
    )
    assert pushed.states == {number: State.PUSHED, lost: State.UNKNOWN}
    assert most_documents(office, [lost]) == 1


async def test_a_document_that_a_field_calls_foreign_stops_no_push() -> None:
    """It was there before, and links that tell say that the bill has none."""
    for links in (True, False):
        office = Office(sandbox(steps("reset"), link_fields=links))
        number = orders(1)[0]
        as_of_a_requisition(office.site.world.add_target(IN_STOCK, number, typed=True))
        await office.open_run([number])
        pushed = await office.execute(check=False)
        assert pushed.states == {number: State.PUSHED}
        assert [len(row.targets) for row in pushed.rows.values()] == [1]


async def test_where_nothing_tells_the_form_the_row_says_so() -> None:
    """The ground is thin, and a person should know."""
    office = Office(sandbox(source_form_fields=False, link_fields=False))
    number = orders(1)[0]
    office.site.world.add_target(IN_STOCK, number)
    await office.open_run([number])
    pushed = await office.execute(check=False)
    assert pushed.states == {number: State.ALREADY}
    assert "known by the source number alone" in english(pushed.rows[number].reason)


async def test_all_documents_of_a_split_are_named_after_a_lost_answer() -> None:
    """The second is saved a while after the first; the row is not final before."""
    office = Office(sandbox(steps("ok", "make-then-reset"), policy=Policy.SPLIT, save_gap_s=30.0))
    await office.open_run(orders(2))
    pushed = await office.execute(
        limits=NO_CANARY,
        throttle=steered(concurrency=1, chunk_size=1),
        settle=SettleTimes(poll_s=40),
    )
    assert {len(row.targets) for row in pushed.rows.values()} == {2}


async def test_the_first_look_at_a_split_that_is_half_saved_settles_nothing() -> None:
    """Nothing has shown yet that the rule splits, and the run would end with that bill."""
    office = Office(sandbox(steps("make-then-reset"), policy=Policy.SPLIT, save_gap_s=30.0))
    await office.open_run(orders(1))
    pushed = await office.execute(limits=NO_CANARY, settle=SettleTimes(poll_s=40))
    assert {len(row.targets) for row in pushed.rows.values()} == {2}


async def test_all_documents_of_a_split_are_named_after_an_exception() -> None:
    """The exception is that of the caller; the saving goes on behind it."""
    office = Office(
        sandbox(steps("ok", "make-then-response-error"), policy=Policy.SPLIT, save_gap_s=15.0)
    )
    await office.open_run(orders(2))
    pushed = await office.execute(
        limits=NO_CANARY,
        throttle=steered(concurrency=1, chunk_size=1),
        settle=SettleTimes(poll_s=40),
    )
    assert {len(row.targets) for row in pushed.rows.values()} == {2}


async def test_a_row_names_every_document_that_the_answer_names() -> None:
    """The answer tells of two documents, and for a minute one of them alone can be seen."""
    office = Office(sandbox(policy=Policy.SPLIT, save_gap_s=60.0, query_lag_s=70.0))
    await office.open_run(orders(2))
    throttle = steered(concurrency=1, chunk_size=1)
    pushed = await office.execute(
        limits=NO_CANARY, throttle=throttle, settle=SettleTimes(poll_s=5), check=False
    )
    assert Cause.CONTRADICTION in pushed.stop.causes
    assert State.UNKNOWN in pushed.states.values()
    for _ in orders(2):
        pushed = await office.execute(
            limits=NO_CANARY, throttle=throttle, settle=SettleTimes(poll_s=5), check=False
        )
    assert {len(row.targets) for row in pushed.rows.values()} == {2}


async def test_nothing_is_absent_while_other_documents_of_its_call_still_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The call is at work though the window has passed: what it has not saved yet, it may save."""
    # That documents of the run come late holds absence back as well.
    monkeypatch.setattr(DoubtAges, "shown_by_s", lambda _, times, *_more: times.shown_by_s)
    late = replace(fault("commit-late-then-empty"), seconds=400)
    plan = FaultPlan(steps=(Step(fault("ok")), Step(late)))
    office = Office(sandbox(plan, policy=Policy.SPLIT, save_gap_s=20.0))
    await office.open_run(orders(22))
    pushed = await office.execute(
        limits=NO_CANARY,
        throttle=steered(concurrency=1, chunk_size=11),
        settle=SettleTimes(poll_s=30),
    )
    assert {len(row.targets) for row in pushed.rows.values()} == {2}


async def test_documents_that_queries_show_late_are_no_contradiction() -> None:
    """The read-back may be answered by a copy of the database."""
    office = Office(sandbox(query_lag_s=1.5, orders=60))
    await office.open_run(orders(60))
    pushed = await office.execute()
    assert not pushed.stop.causes
    assert pushed.of(State.PUSHED) == set(orders(60))


async def test_what_somebody_else_pushes_meanwhile_is_seen_and_said() -> None:
    """Two programs over one list: it cannot be prevented, and must not be hidden."""
    plan = FaultPlan(rivals={number: Rival(at_once=True) for number in orders(30)})
    office = Office(sandbox(plan))
    await office.open_run(orders(30))
    pushed = await office.execute(check=False)
    twins = [row for row in pushed.rows.values() if row.code == TWIN]
    assert twins
    assert all(len(row.targets) == 2 for row in twins)
    assert Cause.TWINS in pushed.stop.causes
    assert pushed.of(State.PLANNED)


async def test_a_cancelled_document_does_not_stop_a_push_and_is_named() -> None:
    """The ERP's quantities decide."""
    office = Office()
    number = orders(1)[0]
    cancelled = office.site.world.add_target(IN_STOCK, number, cancelled=True)
    await office.open_run([number])
    pushed = await office.execute(check=False)
    row = pushed.rows[number]
    assert row.state is State.PUSHED
    assert cancelled.number in row.reason
    assert str(cancelled.id) not in [target.id for target in row.targets]


# -- failures that are not answers --------------------------------------------------------------


READS = ("response-error", "msgcode-4", "msgcode-6", "empty", "html-502", "reset", "cut-off")


@pytest.mark.parametrize("read", READS)
async def test_one_failed_query_ends_no_night(read: str) -> None:
    """One read in eight fails and one push in ten is lost: all is pushed without a hand."""
    plan = FaultPlan(
        seeded=Seeded(0.1, (fault("make-then-reset"), fault("reset")), seed=5),
        seeded_reads=Seeded(1 / 8, (fault(read),), seed=7),
    )
    office = Office(sandbox(plan, orders=300))
    await office.open_run(orders(300))
    pushed = await office.execute(throttle=steered())
    assert not pushed.stop.causes
    assert pushed.of(State.PUSHED) == set(orders(300))
    assert most_documents(office, orders(300)) == 1


@pytest.mark.parametrize("guard", ["response-error", "msgcode-4"])
async def test_a_number_whose_query_is_refused_does_not_block_its_list(guard: str) -> None:
    """It is named and rejected; the others go on."""
    bad = orders(60)[33]
    plan = FaultPlan(guards={bad: Aimed(fault(guard), once=False)})
    office = Office(sandbox(plan, orders=60))
    await office.open_run(orders(60))
    pushed = await office.execute()
    assert pushed.of(State.REJECTED) == {bad}
    assert pushed.rows[bad].code == "precheck"
    assert pushed.of(State.PUSHED) == set(orders(60)) - {bad}


async def test_a_lone_number_survives_an_exception_that_did_nothing() -> None:
    """The canary always travels alone, and one exception is no verdict on it."""
    office = Office(sandbox(steps("response-error", "response-error")))
    await office.open_run(orders(5))
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(5))


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("reset", "ReadError"),
        ("html-502", "note.page"),
        ("silence", "Timeout"),
        ("response-error-timeout", "超时"),
        ("garbage", "note.text"),
    ],
)
@pytest.mark.parametrize("place", [0, 31, 59])
async def test_a_bill_that_breaks_its_call_every_time_is_parted_from_its_neighbours(
    place: int, name: str, last: str
) -> None:
    """The sound ones are pushed, the other ends as a row that says why, after a bounded number."""
    bad = orders(60)[place]
    plan = FaultPlan(aimed={bad: Aimed(fault(name), once=False)})
    office = Office(sandbox(plan, orders=60))
    await office.open_run(orders(60))
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(60)) - {bad}
    assert pushed.of(State.REJECTED) == {bad}
    assert pushed.rows[bad].code == "unanswered"
    assert last in pushed.rows[bad].reason
    assert pushed.rows[bad].attempts <= 12
    assert max(row.attempts for row in pushed.rows.values()) <= 12


async def test_a_login_that_takes_minutes_comes_before_the_attempt_begins() -> None:
    """What is written down leaves at once: its age is counted from there."""
    logins = [Step(fault("ok"), Channel.LOGIN), Step(fault("make-then-delay:200"), Channel.LOGIN)]
    plan = FaultPlan(steps=(*logins, *steps("ok", "lose-session").steps))
    office = Office(sandbox(plan))
    await office.open_run(orders(10))
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(10))
    for attempt, _, _ in pushed.watch.sendings:
        kept = await office.store.attempts_of(attempt.intent.numbers[0])
        assert all(
            one.ended_at is not None
            and (one.ended_at - one.attempt.intent.began_at).total_seconds() < 60
            for one in kept
        )


@pytest.mark.parametrize("name", ["response-error-timeout", "response-error-deadlock"])
async def test_an_exception_that_speaks_of_time_is_doubt(name: str) -> None:
    """The database goes on: it commits after the first look and inside the window."""
    plan = steps("ok", *[f"commit-late-then-{name}:200"] * 3)
    office = Office(sandbox(plan, write_back=WriteBack.NEVER, closes=False))
    await office.open_run(orders(30))
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(30))
    assert most_documents(office, orders(30)) == 1


async def test_a_commit_after_the_window_is_at_least_noticed() -> None:
    """Nobody can prevent it; the row, the summary and the exit code tell of the twin."""
    plan = steps("ok", "commit-late-then-reset:1200")
    options = sandbox(
        plan, write_back=WriteBack.NEVER, closes=False, latency_s=60.0, link_fields=False
    )
    office = Office(options)
    await office.open_run(orders(2))
    settle = SettleTimes(first_wait_s=20, poll_s=20, window_s=600)
    pushed = await office.execute(
        settle=settle, throttle=steered(concurrency=1, chunk_size=1), check=False
    )
    second = pushed.rows[orders(2)[1]]
    assert len(office.site.world.documents_of(second.number)) == 2
    assert (second.state, second.code, len(second.targets)) == (State.PUSHED, TWIN, 2)


async def test_a_commit_after_the_window_is_noticed_by_the_execution_that_sends_again() -> None:
    """The doubt may have been settled by an earlier one, such as `settle`."""
    plan = steps("ok", "commit-late-then-reset:2100")
    office = Office(sandbox(plan, write_back=WriteBack.NEVER, closes=False, latency_s=60.0))
    await office.open_run(orders(2))
    settle = SettleTimes(first_wait_s=20, poll_s=20, window_s=600)
    one_by_one = steered(concurrency=1, chunk_size=1)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    await office.execute(settle=settle, throttle=one_by_one, limits=halts, check=False)
    await office.execute(settle=settle, work=only_settle, check=False)
    assert (await office.rows())[orders(2)[1]].state is State.PLANNED
    pushed = await office.execute(settle=settle, throttle=one_by_one, check=False)
    second = pushed.rows[orders(2)[1]]
    assert (second.state, second.code, len(second.targets)) == (State.PUSHED, TWIN, 2)


async def test_a_commit_after_the_window_of_another_run_is_noticed_by_the_run_that_sends() -> None:
    """The run that had it in doubt is over; the one that sends looks once more at its end."""
    plan = steps("ok", "commit-late-then-reset:1850")
    office = Office(sandbox(plan, write_back=WriteBack.NEVER, closes=False, latency_s=60.0))
    await office.open_run(orders(2))
    settle = SettleTimes(first_wait_s=20, poll_s=20, window_s=600)
    one_by_one = steered(concurrency=1, chunk_size=1)
    halts = PushLimits(halt=HaltRule(unknown_count=1))
    await office.execute(settle=settle, throttle=one_by_one, limits=halts, check=False)
    await office.open_run(orders(1, 1), SECOND)
    pushed = await office.execute(SECOND, settle=settle, throttle=one_by_one, check=False)
    second = pushed.rows[orders(2)[1]]
    assert (second.state, second.code, len(second.targets)) == (State.PUSHED, TWIN, 2)


async def test_what_a_look_finds_after_our_own_attempt_is_pushed() -> None:
    """A server that denies the session after the work has made it all the same."""
    plan = FaultPlan(seeded=Seeded(0.3, (fault("make-then-lose-session"),)))
    office = Office(sandbox(plan, orders=60))
    await office.open_run(orders(60))
    pushed = await office.execute()
    assert pushed.of(State.PUSHED) == set(orders(60))
    assert most_documents(office, orders(60)) == 1


async def test_the_attempt_keeps_who_sent_it() -> None:
    """Absence is asked of the one who sent."""
    office = Office()
    await office.open_run(orders(3))
    await office.execute()
    kept = await office.store.attempts_in(FIRST)
    assert Counter(each.attempt.intent.sender for each in kept).keys() == {"sandbox"}
    assert PURCHASE_ORDER.id == ROUTE.source


# -- lines that a rule merges ----------------------------------------------------------------------


@pytest.mark.parametrize("write_back", ["save", "audit"])
@pytest.mark.parametrize("fault_name", ["ok", "make-then-reset", "make-then-response-error"])
async def test_what_a_rule_merged_into_a_neighbours_line_is_not_sent_again(
    fault_name: str, write_back: str
) -> None:
    """The line bears one number, no link tells, and the document holds the others too."""
    options = sandbox(
        steps("ok", fault_name), policy="merge-lines", link_fields=False, write_back=write_back
    )
    office = Office(options)
    numbers = orders(15)
    await office.open_run(numbers)
    await office.execute(throttle=steered(concurrency=1, chunk_size=14), check=False)
    pushed = await office.execute(work=only_settle, check=False)
    world = office.site.world
    assert {len(world.documents_of(number)) for number in numbers} == {1}
    assert set(pushed.states.values()) == {State.PUSHED, State.UNKNOWN}
    assert Cause.PERSON in pushed.stop.causes


@pytest.mark.parametrize("work", [only_settle, push_run])
async def test_one_of_the_documents_that_an_answer_names_is_not_all_of_them(
    work: Callable[[Context], Coroutine[None, None, None]],
) -> None:
    """The other may be the bill's second one; only a person can say whose it is."""
    office = Office(sandbox(steps("mislink"), policy="split", link_fields=False))
    (number,) = orders(1)
    await office.open_run([number])
    await office.execute(check=False)
    world = office.site.world
    document = world.documents_of(number)[0]
    world.store.remove(document)
    for entry in document.entries:
        assert entry.origin is not None
        entry.origin = entry.origin._replace(number=number)
    world.store.add(document)
    for _ in range(2):
        pushed = await office.execute(work=work, check=False)
        assert pushed.states == {number: State.UNKNOWN}
        assert Cause.PERSON in pushed.stop.causes
    assert len(world.documents_of(number)) == 2


@pytest.mark.parametrize("links", [True, False])
async def test_a_document_whose_lines_spell_the_number_in_two_ways_is_named_once(
    *, links: bool
) -> None:
    """The ERP's database passes over letter case, so that a look finds both lines."""
    office = Office(sandbox(link_fields=links))
    world = office.site.world
    bill = world.add_source(PURCHASE_ORDER, "CGdd1", quantities=[1, 1])
    document = world.add_target(IN_STOCK, bill.number, quantities=[1, 1])
    line = document.entries[1]
    assert line.origin is not None
    line.origin = line.origin._replace(number=bill.number.upper())
    await office.open_run([bill.number])
    pushed = await office.execute(check=False)
    (row,) = pushed.rows.values()
    assert (row.state, len(row.targets)) == (State.ALREADY, 1)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("lost", ["make-then-reset", "make-then-response-error"])
async def test_a_document_that_names_no_source_may_be_the_lost_one(
    lost: str, *, links: bool
) -> None:
    """However many documents have come since, and though others keep their links and numbers."""
    numbers = orders(150)
    odd = numbers[30]
    plan = FaultPlan(aimed={odd: Aimed(fault(lost))})
    office = Office(sandbox(plan, orders=150, untied=(odd,), link_fields=links, write_back="never"))
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=2, chunk_size=1), check=False)
    assert pushed.rows[odd].state is State.UNKNOWN
    assert pushed.of(State.PUSHED) == set(numbers) - {odd}
    assert len(office.site.world.documents_of(odd)) == 1


async def test_what_others_make_by_hand_is_no_lost_document() -> None:
    """People make documents without a source all day; they are not made by our user."""
    office = Office(sandbox(steps(*["ok"] * 3, "reset"), write_back="never"))
    await office.open_run(orders(5))
    office.site.world.add_target(IN_STOCK, "", typed=True, creator="somebody")
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1))
    assert pushed.of(State.PUSHED) == set(orders(5))


async def test_a_field_that_is_too_short_names_another_bill() -> None:
    """What is made of `A-1` stands as `A`, which is a bill of its own; no link tells."""
    office = Office(sandbox(steps("ok", "ok", "reset"), link_fields=False, write_back="never"))
    world = office.site.world
    for number in ("A", "A-1"):
        world.add_source(PURCHASE_ORDER, number, quantities=[1])
    one_by_one = steered(concurrency=1, chunk_size=1)
    await office.open_run([*orders(1), "A"])
    await office.execute(throttle=one_by_one)
    await office.open_run(["A-1"], SECOND)

    async def type_one(_: Context) -> None:
        while not (await office.rows(SECOND))["A-1"].attempts:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.1)
        world.add_target(IN_STOCK, "A", typed=True, creator="sandbox")

    pushed = await office.execute(SECOND, throttle=one_by_one, beside=type_one, check=False)
    assert pushed.states == {"A-1": State.UNKNOWN}


@pytest.mark.parametrize("work", [only_settle, push_run])
async def test_what_an_answer_names_is_not_absent_since_somebody_has_deleted_it(
    work: Callable[[Context], Coroutine[None, None, None]],
) -> None:
    """A person has, and knows what is to become of the bill."""
    office = Office(sandbox(steps("mislink"), write_back="never"))
    (number,) = orders(1)
    await office.open_run([number])
    await office.execute(check=False)
    (document,) = office.site.world.documents_of(number)
    office.site.world.delete(document)
    pushed = await office.execute(work=work, check=False)
    assert pushed.states == {number: State.UNKNOWN}
    assert office.site.calls[Channel.PUSH] == 1


def says_another(office: Office, made_of: str, number: str) -> None:
    """Have the one document of a bill bear another's number, as a plug-in of a site may write."""
    store = office.site.world.store
    (document,) = office.site.world.documents_of(made_of)
    store.remove(document)
    document.entries = [
        replace(entry, links=(), origin=Origin(PURCHASE_ORDER.id, number))
        for entry in document.entries
        if entry.origin is not None
    ]
    store.add(document)


@pytest.mark.parametrize("links", [False, True])
async def test_a_document_that_an_answer_gives_to_another_call_is_none_of_a_bill(
    *, links: bool
) -> None:
    """Its number alone made a bill `already` that never had a document, and the run ended well."""
    first, second, *rest = orders(6)
    office = Office(sandbox(link_fields=links, untied=(first,)))
    await office.open_run([first])
    stopped = await office.execute()
    assert stopped.of(State.UNKNOWN) == {first}
    says_another(office, first, second)
    await office.open_run([second, *rest], SECOND)
    pushed = await office.execute(SECOND)
    assert (pushed.rows[second].state, pushed.rows[second].code) == (State.REJECTED, SHARED)
    assert not pushed.rows[second].targets
    assert pushed.of(State.PUSHED) == set(rest)


async def test_a_document_that_an_answer_gives_to_another_call_settles_no_doubt() -> None:
    """The call of the one never arrived, and the other's document bears its number."""
    canary, lost, named, *rest = orders(6)
    plan = steps("ok", "reset", on=Channel.PUSH)
    office = Office(sandbox(plan, untied=(named,)))
    one_by_one = steered(concurrency=1, chunk_size=1)
    await office.open_run([canary, lost, named, *rest])
    stopped = await office.execute(throttle=one_by_one)
    assert set(stopped.stop.causes) == {Cause.CONTRADICTION}
    says_another(office, named, lost)
    settled = await office.execute(throttle=one_by_one)
    assert settled.rows[lost].state is not State.PUSHED, settled.rows[lost]
    assert not settled.rows[lost].targets


@pytest.mark.parametrize("links", [False, True])
async def test_a_document_that_an_answer_gives_to_another_call_is_no_twin(*, links: bool) -> None:
    """Whoever deletes what seems to be one too many deletes the other bill's only one."""
    canary, named, other, *rest = orders(8)
    options = sandbox(misnamed={named: other}, link_fields=links, latency_s=1.0, look_s=0.1)
    office = Office(options)
    await office.open_run([canary, *rest, named, other])
    pushed = await office.execute(throttle=steered(concurrency=4, chunk_size=1))
    assert pushed.rows[named].state is State.UNKNOWN
    assert (pushed.rows[other].state, pushed.rows[other].code) == (State.PUSHED, "")
    assert len(pushed.rows[other].targets) == 1


@pytest.mark.parametrize("alone", [True, False])
async def test_what_a_person_calls_absent_is_sent_by_no_other_run_either(*, alone: bool) -> None:
    """Whoever puts it on a new list made a second document."""
    canary, named, other, *rest = orders(6)
    office = Office(sandbox(untied=(named,), write_back=WriteBack.NEVER, closes=False))
    size = 1 if alone else 2
    await office.open_run([canary, *rest, named, other])
    await office.execute(throttle=steered(concurrency=1, chunk_size=size))
    for row in (await office.rows()).values():
        if row.state is State.UNKNOWN:
            await settle_by_word(
                office.store, VirtualClock(), FIRST, row.bill, State.PLANNED, because="none listed"
            )
    await office.open_run([named], SECOND)
    throttle = steered(concurrency=1, chunk_size=size)
    pushed = await office.execute(SECOND, throttle=throttle, check=False)
    assert len(office.site.world.documents_of(named)) == 1
    expected = (State.ALREADY, "") if alone else (State.REJECTED, SHARED)
    assert (pushed.rows[named].state, pushed.rows[named].code) == expected, pushed.rows[named]


@pytest.mark.parametrize("word", [True, False])
async def test_what_an_interrupted_answer_names_is_not_sent_again_either(
    monkeypatch: pytest.MonkeyPatch, *, word: bool
) -> None:
    """Its document bears another order's number, and no look shows it as this bill's."""
    canary, named, other, *rest = orders(6)
    open_: dict[str, Any] = {"write_back": WriteBack.NEVER, "closes": False, "link_fields": False}
    office = Office(sandbox(misnamed={named: other}, **open_))
    interrupt(monkeypatch, named)
    throttle = steered(concurrency=1, chunk_size=1)
    await office.open_run([canary, *rest, named])
    if word:
        doubts = replace(NO_CANARY, halt=HaltRule(unknown_count=1))
        await office.execute(limits=doubts, throttle=throttle, check=False)
        told = (office.store, VirtualClock(), FIRST, BillNumber(named), State.PLANNED)
        await settle_by_word(*told, because="none listed")
    pushed = await office.execute(throttle=throttle, check=False)
    assert len(office.site.world.documents_of(named)) == 1
    assert pushed.rows[named].state is State.PUSHED, pushed.rows[named]


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("alone", [True, False])
async def test_what_a_person_calls_absent_is_not_sent_while_a_named_document_is_there(
    *, alone: bool, closes: bool
) -> None:
    """The list of targets goes by links, and shows none to whoever looks there."""
    canary, named, other, *rest = orders(6)
    write_back = WriteBack.SAVE if closes else WriteBack.NEVER
    office = Office(sandbox(untied=(named,), write_back=write_back, closes=closes))
    size = 1 if alone else 2
    await office.open_run([canary, *rest, named, other])
    await office.execute(throttle=steered(concurrency=1, chunk_size=size))
    rows = await office.rows()
    assert rows[named].state is State.UNKNOWN
    for row in rows.values():
        if row.state is State.UNKNOWN:
            await settle_by_word(
                office.store, VirtualClock(), FIRST, row.bill, State.PLANNED, because="none listed"
            )
    again = await office.execute(throttle=steered(concurrency=1, chunk_size=size))
    assert len(office.site.world.documents_of(named)) == 1
    expected = (State.PUSHED, "") if alone else (State.REJECTED, SHARED)
    assert (again.rows[named].state, again.rows[named].code) == expected, again.rows[named]


async def test_the_first_call_travels_alone_where_nobody_can_ask_for_documents() -> None:
    """A server that loses answers leaves one bill to a person, and not one for each task."""
    plan = steps(*["make-then-silence"] * 4)
    route = replace(ROUTE, source_number_field="")
    office, numbers = Office(sandbox(plan, link_fields=False), route), orders(8)
    await office.open_run(numbers)
    limits = PushLimits(halt=HaltRule(unknown_count=1))
    pushed = await office.execute(
        limits=limits, throttle=steered(concurrency=4, chunk_size=4), check=False
    )
    assert Cause.HALTED in pushed.stop.causes
    assert len(pushed.of(State.UNKNOWN)) == 1
