from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from k3push.core.model import Attempt, BillNumber, Exchange, Intent, Outcome, State
from k3push.core.pacing.halting import HaltRule
from k3push.core.pacing.phases import FIRST_CONCURRENCY
from k3push.core.protocol.logins import password_login
from k3push.core.safety.conclusion import CONTRADICTION
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.core.safety.verdict import Verdict
from k3push.runs.doubts.word_of_person import settle_by_word
from k3push.runs.push_limits import PushLimits
from k3push.runs.sending.attempt import LONG_S, MOST_SESSIONS_A_CHUNK
from k3push.runs.stop import Cause, Stop
from k3push.simulator import Accounts, FaultPlan, Refusal, WriteBack
from k3push.simulator.books.bills import Origin
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.fault_plans.script import Channel
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.office import (
    FIRST,
    LIMITS,
    ROUTE,
    SECOND,
    WINDOW_S,
    Notebook,
    Office,
    VirtualClock,
    orders,
    push,
    sandbox,
    steered,
    steps,
)
from tests.said import english

pytestmark = pytest.mark.anyio

# A field that is there, and holds one blank where nobody filled it.
WRONG_FIELD = replace(ROUTE, source_number_field="FNote")


@dataclass(slots=True)
class Impatient(Notebook):
    """A watch that asks for a stop after some attempts, as a person at the keyboard would."""

    stop: Stop | None = None
    patience: int = 0

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Note a sending, and ask for a stop when patience is at its end."""
        Notebook.recorded(self, attempt, outcomes, verdict, seconds)
        if self.stop is not None and len(self.sendings) >= self.patience:
            self.stop.ask(Cause.INTERRUPTED, "Ctrl-C")


class FailingLedger(MemoryLedger):
    """A ledger that is gone from some call of a verb on."""

    verb = ""
    good = 0
    """Calls of the verb that still go well."""

    def _spend(self, verb: str) -> None:
        if verb != self.verb:
            return
        if not self.good:
            self.die()
        self.good -= 1

    async def begin(self, intent: Intent) -> Attempt:
        """Begin, or fail."""
        self._spend("begin")
        return await super().begin(intent)

    async def record(
        self,
        attempt: Attempt,
        exchange: Exchange,
        verdict: str,
        outcomes: Sequence[Outcome],
        *,
        at: datetime,
        keep_claims: bool = False,
    ) -> None:
        """Record, or fail."""
        self._spend("record")
        await super().record(attempt, exchange, verdict, outcomes, at=at, keep_claims=keep_claims)


# -- the login ------------------------------------------------------------------------------------


async def test_a_wrong_password_is_tried_once() -> None:
    """Five wrong ones lock the account for all who use it."""
    office = Office()
    await office.open_run(orders(60))
    wrong = password_login("sandbox", "sandbox", "wrong", 2052)
    pushed = await office.execute(throttle=steered(concurrency=8, chunk_size=20), login=wrong)
    assert set(pushed.stop.causes) == {Cause.LOGIN_REFUSED}
    assert (office.site.logins.failures, office.site.calls[Channel.PUSH]) == (1, 0)
    assert pushed.of(State.PLANNED) == set(orders(60))


async def test_a_new_session_that_is_refused_as_well_ends_the_run() -> None:
    """The words for a lost session also stand for a missing right, and then logins never end."""
    plan = steps(*["lose-session"] * 40, on=Channel.QUERY)
    pushed = await push(orders(60), sandbox(plan))
    assert set(pushed.stop.causes) == {Cause.LOGIN_REFUSED}
    assert pushed.logins == 2
    assert pushed.of(State.PLANNED) == set(orders(60))


async def test_a_session_that_never_lasts_to_a_push_ends_the_run() -> None:
    """Each push loses it, though each look was answered, so no chunk may go on for ever."""
    pushed = await push(orders(60), sandbox(steps(*["lose-session"] * 40)))
    assert set(pushed.stop.causes) == {Cause.LOGIN_REFUSED}
    assert not pushed.of(State.PUSHED)
    assert len(pushed.watch.sendings) == MOST_SESSIONS_A_CHUNK
    told = sum(seconds for _, seconds in pushed.watch.waits)
    assert told > 0.9 * (anyio.current_time() - 60)  # or it stands still without a word
    words = {english(why) for why, seconds in pushed.watch.waits if seconds > LONG_S}
    assert all("while other calls passed" in each for each in words), words


async def test_a_site_that_forgets_sessions_at_once_ends_the_run() -> None:
    """A session of a single call carries a look and never a push."""
    options = sandbox(accounts=Accounts(session_calls=1))
    pushed = await push(orders(5), options)
    assert pushed.of(State.PUSHED) | pushed.of(State.PLANNED) == set(orders(5))
    assert pushed.of(State.PUSHED) == set(orders(5)) or pushed.stop.causes


# -- doing it again -------------------------------------------------------------------------------


async def test_a_second_run_over_the_same_numbers_sends_nothing() -> None:
    """Whoever runs a job twice must not make it twice."""
    office = Office()
    await office.open_run(orders(60))
    await office.execute()
    pushes = office.site.calls[Channel.PUSH]
    await office.open_run(orders(60), SECOND)
    again = await office.execute(SECOND)
    assert again.of(State.ALREADY) == set(orders(60))
    assert office.site.calls[Channel.PUSH] == pushes


async def test_what_someone_else_pushed_is_already_there() -> None:
    """The ERP knows what was made by hand or from another ledger, and ours does not."""
    office = Office()
    await office.open_run(orders(60))
    await office.execute()
    stranger = Office(site=office.site)
    await stranger.open_run(orders(60))
    again = await stranger.execute()
    assert again.of(State.ALREADY) == set(orders(60))
    assert not again.watch.sendings


# -- the canary -----------------------------------------------------------------------------------


async def test_a_wrong_source_number_field_costs_one_document() -> None:
    """With a field that never holds our numbers, every look would say: nothing was made."""
    pushed = await push(orders(60), sandbox(link_fields=False), route=WRONG_FIELD)
    assert set(pushed.stop.causes) == {Cause.CONTRADICTION}
    assert pushed.world.truth()["documents"] == 1
    assert len(pushed.of(State.UNKNOWN)) == 1


async def test_a_contradiction_is_not_settled_by_the_look_that_it_denies() -> None:
    """The ERP said that it made a document; a field that does not show it proves nothing."""
    office = Office(sandbox(link_fields=False), WRONG_FIELD)
    await office.open_run(orders(1))
    await office.execute()
    again = await office.execute()
    assert again.of(State.UNKNOWN) == set(orders(1))
    assert not again.watch.sendings


async def test_after_a_contradiction_nothing_is_sent_until_it_is_settled() -> None:
    """A resume each night would turn the whole list into work for a person."""
    office = Office(sandbox(link_fields=False), WRONG_FIELD)
    limits, five = PushLimits(canary=False), steered(concurrency=1, chunk_size=5)
    await office.open_run(orders(12))
    stopped = await office.execute(limits=limits, throttle=five)
    doubted = stopped.of(State.UNKNOWN)
    assert len(doubted) == 5
    again = await office.execute(limits=limits, throttle=five)
    assert again.watch.sendings == []
    assert again.of(State.UNKNOWN) == doubted
    assert again.stop.causes[Cause.CONTRADICTION] == stopped.stop.causes[Cause.CONTRADICTION]
    # The field is mended.
    rest = await office.execute(limits=limits, throttle=five, route=ROUTE)
    assert not rest.stop.causes
    assert rest.of(State.PUSHED) == set(orders(12))


async def test_what_a_look_tells_of_a_contradiction_since_does_not_end_it() -> None:
    """Somebody has written the number into its document, and cancelled that."""
    numbers = orders(4)
    office = Office(sandbox(untied=(numbers[1],), write_back=WriteBack.NEVER, closes=False))
    limits, one = PushLimits(canary=False), steered(concurrency=1, chunk_size=1)
    await office.open_run(numbers)
    stopped = await office.execute(limits=limits, throttle=one, check=False)
    (doubted,) = stopped.of(State.UNKNOWN)
    (document,) = office.site.world.documents_of(doubted)
    store = office.site.world.store
    store.remove(document)
    for entry in document.entries:
        entry.origin = Origin(PURCHASE_ORDER.id, doubted)
    document.cancelled = True
    store.add(document)
    for nth in range(2):
        again = await office.execute(limits=limits, throttle=one, check=False)
        assert again.watch.sendings == []
        assert Cause.CONTRADICTION in again.stop.causes
        assert again.watch.waits or nth  # it says why, while it waits for its window
        assert again.rows[doubted].code == CONTRADICTION


async def test_after_a_contradiction_a_persons_word_lets_the_rest_go_on() -> None:
    """He has looked in the ERP, and knows what he does."""
    office = Office(sandbox(link_fields=False), WRONG_FIELD)
    limits, five = PushLimits(canary=False), steered(concurrency=1, chunk_size=5)
    await office.open_run(orders(12))
    stopped = await office.execute(limits=limits, throttle=five)
    for number in sorted(stopped.of(State.UNKNOWN)):
        ledger, bill = office.store.another_process(), BillNumber(number)
        clock = VirtualClock()
        await settle_by_word(ledger, clock, FIRST, bill, State.PUSHED, because="seen")
    again = await office.execute(limits=limits, throttle=five, check=False)
    assert len(again.of(State.UNKNOWN)) == 5


@pytest.mark.parametrize("links", [True, False])
async def test_a_contradiction_waits_for_no_answers_that_it_keeps_from_coming(
    *, links: bool
) -> None:
    """A success has made nothing; since then, a clerk's document proves what looks show."""
    numbers, one = orders(3), steered(concurrency=1, chunk_size=1)
    office = Office(sandbox(steps("drop-one"), link_fields=links), documents=False)
    await office.open_run(numbers)
    stopped = await office.execute(throttle=one)
    assert Cause.CONTRADICTION in stopped.stop.causes
    office.site.world.add_target(IN_STOCK, *orders(1, first=20))
    with anyio.fail_after(10 * WINDOW_S):
        rest = await office.execute(throttle=one)
    assert rest.of(State.PUSHED) == {*numbers}


async def test_an_answer_that_could_not_be_read_back_is_not_settled_by_absence() -> None:
    """The look that failed cannot speak against the field, and the answer still can."""
    # Sources and the newest document, targets before by field and twice by link, then five looks
    # back that fail.
    plan = steps(
        "ok", "ok", "ok", "ok", "ok", *["html-502"] * LIMITS.max_attempts, on=Channel.QUERY
    )
    pushed = await push(orders(1), sandbox(plan, link_fields=False), route=WRONG_FIELD)
    assert pushed.of(State.UNKNOWN) == set(orders(1))
    assert len(pushed.watch.sendings) == 1


async def test_a_field_that_the_form_does_not_have_stops_before_anything_is_sent() -> None:
    """A read that the ERP refuses is no read that found nothing."""
    route = replace(ROUTE, source_number_field="FNoSuchField")
    pushed = await push(orders(60), sandbox(), route=route)
    assert set(pushed.stop.causes) == {Cause.LOOK_REFUSED}
    assert pushed.of(State.PLANNED) == set(orders(60))
    assert not pushed.watch.sendings


async def test_a_chunk_of_which_nothing_is_sent_is_no_first_chunk() -> None:
    """After the canary one chunk travels alone, and what is there already has not travelled."""
    office = Office(sandbox(latency_s=1.0, write_back=WriteBack.NEVER, closes=False))
    numbers = orders(60)
    for number in numbers[1:11]:
        office.site.world.add_target(IN_STOCK, number, creator="clerk")
    await office.open_run(numbers)
    pushed = await office.execute(throttle=steered(concurrency=4, chunk_size=10))
    began = [attempt.intent.began_at for attempt, _, _ in pushed.watch.sendings]
    assert began[2] - began[1] > timedelta(seconds=0.9)


# -- limits and people ----------------------------------------------------------------------------


async def test_too_many_refusals_stop_the_run_early() -> None:
    """A thousand refusals are one mistake made a thousand times."""
    refusal = Refusal(8, "仓库 {number} 必录")
    plan = FaultPlan(refusals=dict.fromkeys(orders(900), refusal))
    limits = PushLimits(halt=HaltRule.parse("fail=20%,min=50"))
    pushed = await push(orders(1000), sandbox(plan, orders=1000), limits=limits)
    assert set(pushed.stop.causes) == {Cause.HALTED}
    assert 50 <= len(pushed.of(State.REJECTED)) <= 150
    assert len(pushed.of(State.PLANNED)) >= 850


@pytest.mark.parametrize("limit", [1, 7, 50, 60])
async def test_a_limit_takes_up_that_many_numbers(limit: int) -> None:
    """A careful person pushes ten, looks at them in the ERP, and then lets the rest go."""
    office = Office()
    await office.open_run(orders(60))
    pushed = await office.execute(limits=PushLimits(limit=limit))
    assert set(pushed.stop.causes) == ({Cause.LIMIT} if limit < 60 else set())
    assert pushed.of(State.PUSHED) == set(orders(limit))
    assert pushed.of(State.PLANNED) == set(orders(60)) - set(orders(limit))
    assert (await office.execute()).of(State.PUSHED) == set(orders(60))


async def test_a_limit_waits_until_what_it_took_up_is_settled() -> None:
    """Ten numbers were asked for, so ten are to be pushed even if an answer is lost."""
    pushed = await push(orders(60), sandbox(steps("reset")), limits=PushLimits(limit=10))
    assert pushed.of(State.PUSHED) == set(orders(10))


async def test_a_stop_lets_open_chunks_end_and_leaves_the_rest_planned() -> None:
    """Whoever presses Ctrl-C wants to know what became of each number."""
    office = Office(sandbox(orders=300, latency_s=1.0))
    await office.open_run(orders(300))
    stop = Stop()
    pushed = await office.execute(stop=stop, watch=Impatient(stop=stop, patience=4))
    assert set(pushed.stop.causes) == {Cause.INTERRUPTED}
    assert set(pushed.states.values()) == {State.PUSHED, State.PLANNED}
    assert len(pushed.of(State.PUSHED)) == len(set(pushed.watch.carried)) < 150
    assert (await office.execute()).of(State.PUSHED) == set(orders(300))


async def test_a_stop_does_not_wait_for_doubts() -> None:
    """A window of ten minutes is for the next execution."""
    office = Office(sandbox(steps("ok", "make-then-reset"), latency_s=1.0))
    await office.open_run(orders(60))
    stop = Stop()
    pushed = await office.execute(stop=stop, watch=Impatient(stop=stop, patience=2))
    assert len(pushed.of(State.UNKNOWN)) == 20
    assert (await office.execute()).of(State.PUSHED) == set(orders(60))


# -- the ledger -----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["begin", "record"])
@pytest.mark.parametrize("good", [0, 1, 3])
async def test_without_a_ledger_nothing_leaves(verb: str, good: int) -> None:
    """What is not written down before it leaves would be sent again by the next run."""
    ledger = FailingLedger(account="sandbox")
    ledger.verb, ledger.good = verb, good
    office = Office(sandbox(latency_s=1.0), ledger=ledger)
    await office.open_run(orders(60))
    pushed = await office.execute(ledger=ledger, check=False)
    assert set(pushed.stop.causes) == {Cause.LEDGER_LOST}
    calls = office.site.calls[Channel.PUSH]
    assert calls <= good + (0 if verb == "begin" else FIRST_CONCURRENCY)
    assert (await office.execute()).of(State.PUSHED) == set(orders(60))


async def test_a_run_that_was_taken_for_dead_for_a_moment_ends_as_without_a_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another run has claimed a bill of it, and what it left in doubt was settled meanwhile."""
    record, met = MemoryLedger.record, iter([True])

    async def overtaken(self: MemoryLedger, *what: Any, **more: Any) -> None:
        await record(self, *what, **more)
        if next(met, False):
            raise IllegalMoveError("CGDD0000000: pushed -> pushed")

    monkeypatch.setattr(MemoryLedger, "record", overtaken)
    office = Office()
    await office.open_run(orders(60))
    pushed = await office.execute(check=False)
    assert set(pushed.stop.causes) == {Cause.LEDGER_LOST}
    assert (await office.execute()).of(State.PUSHED) == set(orders(60))


async def test_links_that_an_earlier_execution_has_proved_stay_proved() -> None:
    """A bill that is passed over right after a resume is no sign of a wrong field."""
    office = Office(sandbox(steps("ok", "drop-one")))
    await office.open_run(orders(5))
    first = await office.execute(limits=PushLimits(limit=1))
    assert len(first.of(State.PUSHED)) == 1
    second = await office.execute()
    assert not second.stop.causes
    assert second.of(State.PUSHED) == set(orders(5))


async def test_links_of_another_field_prove_nothing() -> None:
    """Whoever mends the field between two executions is asked for the proof again."""
    office = Office(sandbox(steps("ok", "drop-one"), link_fields=False))
    await office.open_run(orders(5))
    await office.execute(limits=PushLimits(limit=1))
    second = await office.execute(route=replace(ROUTE, source_number_field="FNote"))
    assert set(second.stop.causes) == {Cause.CONTRADICTION}


async def test_a_claim_that_is_gone_right_before_a_sending_ends_the_run_and_loses_no_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A database that was away for a moment may have given it to another run."""
    office = Office(sandbox(latency_s=1.0))
    await office.open_run(orders(24))
    begin, begun = MemoryLedger.begin, list[Intent]()

    async def refuse_fifth(ledger: MemoryLedger, intent: Intent) -> Attempt:
        begun.append(intent)
        if len(begun) == 5:
            raise IllegalMoveError("its claim is another run's")
        return await begin(ledger, intent)

    monkeypatch.setattr(MemoryLedger, "begin", refuse_fifth)
    pushed = await office.execute(
        limits=PushLimits(canary=False), throttle=steered(concurrency=3, chunk_size=3), check=False
    )
    assert set(pushed.stop.causes) == {Cause.LEDGER_LOST}
    assert pushed.of(State.PUSHED) == set(office.site.world.numbers_with_documents())
    assert not pushed.of(State.UNKNOWN)
