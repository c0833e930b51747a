"""The one door to the ERP: look, write down, send once, judge, record.

Every sending of k3push is a call of `send_once`, and there is no second way (rule 10).
`push_chunk` repeats it only where it returns `SendAgain`, the proof that nothing was done.

The module is long and stays one: what is looked at, written down, sent, judged and read back
decides together whether a number may travel again, and is read here from top to bottom.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from k3push.core.model import (
    TWIN,
    Attempt,
    BillNumber,
    Chunk,
    Document,
    Exchange,
    Intent,
    NeverSent,
    Outcome,
    Sighting,
    State,
    Step,
    StepAttempt,
    StepIntent,
    StepsSoFar,
    Target,
    Targets,
)
from k3push.core.pacing.pace import Ended, Sample
from k3push.core.protocol import wire
from k3push.core.remark import remark
from k3push.core.safety.evidence import (
    CALL_LIMIT,
    LICENCE,
    NOTHING_RAN,
    Conclusion,
    Look,
    are_merged,
    beside_stray,
    but_strangers,
    conclude,
    conclude_unread,
    goes_elsewhere,
    may_hide_draft,
    may_hide_part,
    needs_patience,
    new_targets,
    strangers,
)
from k3push.core.safety.legal_moves import SENT_BEFORE, IllegalMoveError
from k3push.core.safety.verdict import Cure, InDoubt, ReadBack, Said, SendAgain, judge
from k3push.ports import (
    ErpUnreachableError,
    LedgerLostError,
    LoginRefusedError,
    LookFailedError,
    Made,
    Turn,
)
from k3push.runs.context import Context
from k3push.runs.earlier_calls import waits_for_others
from k3push.runs.last_looks import note_look, note_refused
from k3push.runs.lookup import can_ask, found_by, look_at_targets
from k3push.runs.own_documents import (
    but_others_cancelled,
    ours_of,
    strangers_among,
    told_of_another,
)
from k3push.runs.retried_reads import open_turn, wait_for_erp
from k3push.runs.source_check import (
    already,
    by_ledger,
    ours_of_shared,
    query_refused,
    unclear,
)
from k3push.runs.stop import Cause

Untold = tuple[str, str]
"""Code and reason of a number that stays in doubt, since no look tells what became of it."""

# For how long a look counts. A number that is sent again and had to wait longer than this for its
# turn is looked at once more: the earlier call may have been carried out meanwhile, or a person
# may have pushed the bill.
LOOK_KEEPS_S = 5.0
FIRST_LOOK_KEEPS_S = 60.0
"""The same for a number that was never sent: there is only the person."""
LONG_LOOK_S = 2 * FIRST_LOOK_KEEPS_S
MOST_LOOKS = 2
"""How often a look is made anew that has taken longer than that."""

# Pauses between looks for what a success has made: a copy of the database that lags behind may
# answer the queries.
FIRST_LAG_S = 0.5
LAG_GROWTH = 2.0

# How often one chunk may meet a lost session. Where a session lasts for a few calls, the tasks
# that share it lose it often, through no fault of theirs. A user who may read but not push is
# answered with a lost session every time (P 3.4).
MOST_SESSIONS_A_CHUNK = 30

# Tasks that end each other's sessions in one rhythm never get further. So each waits for a time of
# its own, which doubles with each loss until it is longer than a call.
STEP_S = 0.05
STEPS = 16
LONGEST_STEP_S = 60.0


@dataclass(slots=True)
class Sending:
    """A claimed chunk on its way.

    Attributes:
        chunk: As the backlog gave it.
        numbers: What is left to send: claimed, and without a target.
        links_proved: Targets were found by their link on this route before.
        changed_among: Looks again at the sources of bills that were looked at long ago; returns
            those that may not leave as they are, and are taken care of.
        one_only: All numbers are looked at and only the first is sent: its document must be found,
            and pass all steps of the route, before others follow.
        found_own: A look has found what this chunk has made.
        found_links: Targets were found by their link while this chunk was sent.
        nth: Sendings so far.
        lost: How many of them met a lost session.
        in_doubt: Whether the last sending left numbers `unknown`.
        overload: What the last answer said of an overloaded ERP, or "".
        held_back: Nothing was sent, since a hold had begun; the numbers wait for its end.
        conclusion: What the last sending that the ERP has finished came to.
        began_s: When the looks before a sending began.
        looked_s: When the last of them began, by `Context.awake_s`.
        at_once: Chunks on their way when it left, itself included.
        merged: The last read-back found a target of several sources.
        sample: What the last sending tells of the ERP's pace.
        before_s: How long the looks before the last push took.
        push_s: How long the last push took.
        cancelled: Cancelled documents of the numbers, which count as none.
        twins: Remarks on documents that the last answer does not name beside those that it does.
        ground: The evidence by which the last read-back found documents, as a remark, or "".
        outcomes: Outcomes of its numbers: from the looks before it, and from the last sending.
        named: Which user sent the call that made a document, by the document's id; of those that
            an answer names.
        postponed: Numbers that wait until another's document has passed all steps of the route.
        put_off: Numbers that wait for what another run has sent of them, and for how many seconds.
    """

    chunk: Chunk
    numbers: tuple[BillNumber, ...]
    links_proved: bool
    changed_among: Callable[[Sequence[BillNumber]], Awaitable[set[BillNumber]]]
    one_only: bool = False
    found_links: bool = False
    found_own: bool = False
    nth: int = 0
    lost: int = 0
    in_doubt: bool = False
    overload: str = ""
    held_back: bool = False
    conclusion: Conclusion | None = None
    began_s: float = 0.0
    looked_s: float = 0.0
    at_once: int = 1
    merged: bool = False
    sample: Sample | None = None
    before_s: float = 0.0
    push_s: float = 0.0
    cancelled: dict[BillNumber, tuple[Target, ...]] = field(default_factory=dict)
    twins: dict[BillNumber, str] = field(default_factory=dict)
    ground: str = ""
    outcomes: tuple[Outcome, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    postponed: tuple[BillNumber, ...] = ()
    put_off: dict[BillNumber, float] = field(default_factory=dict)

    def annotated(self, outcome: Outcome) -> Outcome:
        """Add to an outcome what else a person has to know of its number."""
        if outcome.number in self.twins:
            why = self.twins[outcome.number]
            return outcome._replace(code=TWIN, reason=_also(outcome.reason, why))
        ids = {target.id for target in outcome.targets}
        gone = [t for t in self.cancelled.get(outcome.number, ()) if t.id not in ids]
        if not gone or outcome.state in {State.PLANNED, State.UNKNOWN}:
            return outcome
        why = remark("note.cancelled_before", documents=", ".join(t.label for t in gone))
        return outcome._replace(reason=_also(outcome.reason, why))


def _also(reason: str, more: str) -> str:
    return remark("note.also", first=reason, more=more) if reason else more


def lag_pauses(most_s: float) -> Iterator[float]:
    """Yield the pauses between looks at what a copy of the database may show late, in seconds.

    >>> list(lag_pauses(5.0)), list(lag_pauses(0.0))
    ([0.5, 1.0, 2.0, 1.5], [])
    """
    waited_s, pause_s = 0.0, FIRST_LAG_S
    while waited_s < most_s:
        pause_s = min(pause_s, most_s - waited_s)
        yield pause_s
        waited_s, pause_s = waited_s + pause_s, pause_s * LAG_GROWTH


async def push_chunk(context: Context, sending: Sending) -> None:
    """Send a claimed chunk until the ERP has acted, or may have."""
    retrying = AsyncRetrying(
        retry=retry_if_result(lambda verdict: isinstance(verdict, SendAgain)),
        stop=lambda _: (
            sending.nth - sending.lost >= context.limits.max_attempts
            or sending.lost >= MOST_SESSIONS_A_CHUNK
        ),
        wait=lambda state: _wait_for_cure(state, sending),
        sleep=context.stop.sleep,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    verdict: SendAgain | None = await retrying(send_once, context, sending)
    match verdict:
        case SendAgain(Cure.LOG_IN, because):
            why = remark("why.sessions", why=because, times=sending.lost)
            context.stop.ask(Cause.LOGIN_REFUSED, why)
        case SendAgain(_, because):
            context.stop.ask(Cause.UNREACHABLE, because)


async def send_once(context: Context, sending: Sending) -> SendAgain | None:
    """Look, write the attempt down, send it, and record what came of it.

    All that can wait comes before the attempt begins: the look, the session, the turn. What is
    written down leaves at once or not at all.

    Returns:
        `SendAgain` where the ERP is proved to have done nothing; None where the numbers have
        come to something else, or where a stop or a hold came before they left.
    """
    sending.began_s = anyio.current_time()
    await _leave_out_changed(sending)
    before = await _look_first(context, sending)
    await _put_off(context, sending)
    if not sending.numbers or context.stop.asked:
        return None
    if len(sending.numbers) > 1 and not context.tells_of_several:
        # The look has shown that links cannot be asked: each goes alone from here on.
        sending.held_back = True
        return None
    async with AsyncExitStack() as stack:
        looked_s = context.awake_s
        turn = await open_turn(context, lambda: stack.enter_async_context(context.erp.turn()))
        before = await _renewed(context, sending, before, looked_s)
        if not sending.numbers or context.stop.asked:
            return None
        if sending.one_only:
            sending.postponed += sending.numbers[1:]
            sending.numbers = sending.numbers[:1]
        if context.throttle.hold is not None:
            sending.held_back = True
            return None
        sending.nth += 1
        intent = Intent(
            run=context.run.id,
            chunk=sending.chunk.index,
            nth=sending.nth,
            numbers=sending.numbers,
            before=before,
            request=_request(context, sending.numbers),
            began_at=context.clock.now(),
            uptime=context.clock.uptime(),
            sender=turn.user,
        )
        attempt = await _written_down(context, intent)
        first = [number for number in sending.numbers if number not in context.sent_before]
        context.sent_before |= {n: frozenset(before.get(n, ())) for n in first}
        context.on_their_way += 1
        try:
            began_s = anyio.current_time()
            sending.before_s = began_s - sending.began_s
            exchange = await _leave(context, turn, attempt.intent, wire.PUSH, context.route.source)
            sending.push_s = anyio.current_time() - began_s
            context.ages.ended(attempt.id, began_s)
            if isinstance(exchange, NeverSent):
                for number in first:
                    del context.sent_before[number]
            await stack.aclose()
            return await _record(context, sending, attempt, exchange, began_s)
        finally:
            context.on_their_way -= 1


async def _written_down(context: Context, intent: Intent) -> Attempt:
    """Write an attempt down; a ledger that has given its numbers to another run is lost to us."""
    try:
        return await context.ledger.begin(intent)
    except IllegalMoveError as error:
        raise LedgerLostError(str(error)) from error


async def _renewed(
    context: Context, sending: Sending, before: Mapping[BillNumber, tuple[str, ...]], done_s: float
) -> Mapping[BillNumber, tuple[str, ...]]:
    """Look once more where the last look is too old by now.

    Args:
        context: The execution.
        sending: What is about to leave.
        before: What the last look has shown.
        done_s: When that look was done, by `Context.awake_s`.
    """
    # The machine may have slept, or the turn have come late.
    await _leave_out_changed(sending)
    again = any(number in context.sent_before for number in sending.numbers)
    if context.awake_s - done_s > (LOOK_KEEPS_S if again else FIRST_LOOK_KEEPS_S):
        before = await _look_first(context, sending)
    for _ in range(MOST_LOOKS):
        # Half of a look may have been answered long before the other half.
        if context.awake_s - sending.looked_s > LONG_LOOK_S:
            before = await _look_first(context, sending)
    return before


async def _put_off(context: Context, sending: Sending) -> None:
    """Leave numbers out that wait for what another run has sent of them."""
    if not sending.numbers:
        return
    if late := await waits_for_others(context, sending.numbers):
        why = remark("note.lately_sent", count=len(late))
        context.watch.waiting(why, max(late.values()))
    sending.put_off |= late
    sending.numbers = tuple(n for n in sending.numbers if n not in sending.put_off)


async def _leave_out_changed(sending: Sending) -> None:
    """Leave bills out that are not as they were when their sources were looked at."""
    changed = await sending.changed_among(sending.numbers)
    sending.numbers = tuple(number for number in sending.numbers if number not in changed)


def _request(context: Context, bills: Sequence[BillNumber]) -> bytes:
    """Write the request that names bills, all by number or all by id."""
    ids = [id_ for id_ in map(context.id_of, bills) if id_]
    if not ids:
        return wire.push_data(context.route, bills)
    if len(ids) != len(bills):
        raise ValueError(f"chunk of {len(bills)} bills and {len(ids)} ids")
    return wire.push_data(context.route, (), ids)


@dataclass(frozen=True, slots=True)
class StatusLook:
    """What documents were read to have before a step.

    Attributes:
        status: FDocumentStatus of each.
        at_s: When that was read, by `Context.awake_s`.
        still_so: Reads it again; asked where the call comes long after.
        after: Which attempts at steps had begun before that: another run may have begun one of the
            same documents since. None where none is minded.
    """

    status: str
    at_s: float
    still_so: Callable[[], Awaitable[bool]]
    after: StepsSoFar | None = None


async def send_step(
    context: Context, step: Step, documents: Sequence[Document], look: StatusLook
) -> tuple[StepAttempt, Exchange] | None:
    """Write an attempt at a step of documents down, and send it once.

    Args:
        context: The execution.
        step: The step.
        documents: Of one sender.
        look: What they were read to have.

    Returns:
        The attempt and what came back; None where a stop, a hold or a person came before it left.

    Raises:
        OtherRunStepsError: Another run came before it left.
    """
    ids = tuple(document.id for document in documents)
    async with AsyncExitStack() as stack:
        sender = documents[0].sender
        turn = await open_turn(context, lambda: stack.enter_async_context(context.erp.turn(sender)))
        is_old = context.awake_s - look.at_s > LOOK_KEEPS_S
        if is_old and not await look.still_so():
            return None
        if context.stop.asked or context.throttle.hold is not None:
            return None
        intent = StepIntent(
            run=context.run.id,
            step=step,
            ids=ids,
            status=look.status,
            request=wire.step_data(context.route, step, ids),
            began_at=context.clock.now(),
            uptime=context.clock.uptime(),
            sender=turn.user,
        )
        attempt = await context.ledger.begin_step(intent, after=look.after)
        context.on_their_way += 1
        try:
            operation = wire.OPERATIONS[step]
            return attempt, await _leave(context, turn, intent, operation, context.route.target)
        finally:
            context.on_their_way -= 1


async def _leave(
    context: Context, turn: Turn, intent: Intent | StepIntent, operation: str, form: str
) -> Exchange:
    """Send an attempt that is written down, unless something has come in between."""

    def held_back() -> str:
        held_s = context.clock.uptime().seconds - intent.uptime.seconds
        if held_s > context.settle.held_up_s:
            # Another process may have taken the run over.
            return remark("note.stood_still", seconds=held_s)
        return remark("note.stop_came") if context.stop.asked else ""

    if why := held_back():
        return NeverSent(why)
    return await turn.perform(operation, form, intent.request, held_back=held_back)


async def _record(
    context: Context, sending: Sending, attempt: Attempt, exchange: Exchange, began_s: float
) -> SendAgain | None:
    """Judge what came back, read back where the ERP has finished, and write it down."""
    numbers = attempt.intent.numbers
    verdict = judge(exchange)
    if isinstance(verdict, ReadBack):
        verdict = replace(verdict, said=context.said_of_targets(verdict.said, numbers))
    outcomes: tuple[Outcome, ...]
    sending.ground = ""
    match verdict:
        case SendAgain(cure, because, session):
            if cure is Cure.LOG_IN:
                sending.lost += 1
                context.erp.lose_session(session)
            outcomes = tuple(Outcome(n, State.PLANNED, reason=because) for n in numbers)
        case InDoubt(code, because):
            sending.overload = because if verdict.overloaded else ""
            outcomes = tuple(Outcome(n, State.UNKNOWN, (), code, because) for n in numbers)
        case ReadBack(said):
            sending.named |= {target.id: attempt.intent.sender for target in said.named}
            sending.conclusion = await _read_back(context, attempt, sending, verdict)
            outcomes = tuple(map(sending.annotated, sending.conclusion.outcomes))
            if not said.success:
                named = {target.id for target in said.named}
                outcomes = tuple([await told_of_another(context, o, named) for o in outcomes])
            await _note_refused(context, sending, said, outcomes)
    await context.ledger.record(
        attempt,
        exchange,
        _also(remark_on(verdict), sending.ground) if sending.ground else remark_on(verdict),
        outcomes,
        at=context.clock.now(),
        # What goes on in this run keeps its claims, or two runs would take it in turns for ever.
        keep_claims=not isinstance(verdict, InDoubt),
    )
    context.forget(outcomes)
    sending.outcomes += outcomes
    sending.in_doubt = any(outcome.state is State.UNKNOWN for outcome in outcomes)
    context.count(outcomes)
    sending.sample = _sample(sending, verdict, outcomes)
    context.watch.recorded(attempt, outcomes, verdict, anyio.current_time() - began_s)
    return verdict if isinstance(verdict, SendAgain) else None


async def _note_refused(
    context: Context, sending: Sending, said: Said, outcomes: Sequence[Outcome]
) -> None:
    """Note what is given up by the ERP's word: a part may be saved that no look shows yet."""
    refused = [each.number for each in outcomes if each.state is State.REJECTED]
    if not refused:
        return
    is_open = not said.success and said.code not in NOTHING_RAN
    # What a session was denied for may have been done all the same.
    late = is_open and (bool(sending.lost) or await context.may_have_several())
    await note_refused(context, refused, late=late)


async def _look_first(context: Context, sending: Sending) -> Mapping[BillNumber, tuple[str, ...]]:
    """Take out of *sending* what has a target already (rule 3).

    A document that was not there before our own first sending is what that one made, whatever
    its answer said.

    Returns:
        The documents that name numbers which are sent in spite of them, by id.
    """
    sending.looked_s = context.awake_s
    known = await context.ledger.made_of(context.run.id, sending.numbers)
    seen = Sighting()
    if can_ask(context):
        # What a user sees of his colleagues' documents tells nothing of a stranger's.
        several = len(context.erp.users) > 1
        seen = await look_at_targets(context, sending.numbers, by_all=several, before_sending=True)
        sending.cancelled.update(seen.cancelled)
        _note_found(context, sending, seen)
    before = {n: context.sent_before[n] for n in sending.numbers if n in context.sent_before}
    seen = await but_others_cancelled(context, seen, before)
    shown = {number: seen.targets.get(number, ()) for number in before}
    ours = await ours_of(context, new_targets(shown, before))
    outcomes = []
    for number in sending.numbers:
        outcome = _unsent(context, number, seen, known.get(number), ours.get(number))
        if outcome is not None:
            outcomes.append(outcome)
    if context.suspects:
        await note_look(context)
    if outcomes:
        sent = any(outcome.state in SENT_BEFORE for outcome in outcomes)
        note = remark("note.found_again") if sent else ""
        await context.ledger.conclude(context.run.id, outcomes, at=context.clock.now(), note=note)
        context.watch.concluded(outcomes)
        context.forget(outcomes)
        context.note_made(outcomes)
        context.note_twins(outcomes)
        sending.outcomes += tuple(outcomes)
        gone = {outcome.number for outcome in outcomes}
        sending.numbers = tuple(number for number in sending.numbers if number not in gone)
    kinds = (seen.targets, seen.shared, seen.denied, seen.namesakes, seen.cancelled)
    there = {n: tuple(t.id for kind in kinds for t in kind.get(n, ())) for n in sending.numbers}
    return {number: ids for number, ids in there.items() if ids}


def _unsent(
    context: Context,
    number: BillNumber,
    seen: Sighting,
    known: Made | None,
    ours: Outcome | None = None,
) -> Outcome | None:
    """Say what becomes of a number that is not sent, from a look at its documents; None sends it.

    Args:
        context: The execution.
        number: The ERP's spelling.
        seen: The look.
        known: What another run of this ledger has made of it.
        ours: What it became by documents that our own sending has made.
    """
    found = seen.targets.get(number, ())
    before = context.sent_before.get(number)
    if before is not None:
        # What an earlier call of ours makes may come yet, so that it is looked at at the end.
        context.suspects.setdefault(number, before)
    if number in seen.refused:
        return query_refused(number, seen.refused[number])
    if ours is not None:
        return ours
    if found and not context.repeats_pushes:
        return already(number, found, thin=seen.knows_by_number_alone(number))
    if before is not None or not context.repeats_pushes:
        if outcome := ours_of_shared(number, seen, known, before or ()):
            return outcome
        if outcome := _unclear(context, number, seen, before):
            return outcome
    return None if context.repeats_pushes else by_ledger(number, seen, known)


def _unclear(
    context: Context, number: BillNumber, seen: Sighting, before: Collection[str] | None
) -> Outcome | None:
    return unclear(context, number, seen, before, by_id=bool(context.id_of(number)))


async def _read_back(
    context: Context, attempt: Attempt, sending: Sending, verdict: ReadBack
) -> Conclusion:
    """Conclude a call that the ERP has finished (rules 5, 6, 8 and 9)."""
    numbers, said = attempt.intent.numbers, verdict.said
    if not context.reads_back and len(numbers) == 1:
        return await _by_word(context, sending, attempt, said)
    try:
        made, seen = await _look_after(context, attempt, said)
        made = await _but_others(context, attempt, sending, said, made)
        if not context.tells_of_several:
            context.links.compare(_named(attempt, said), seen)
            if not context.links.tell and len(numbers) == 1 and numbers[0] not in made:
                # The links have not been proved by any document, nor by this one.
                return await _by_word(context, sending, attempt, said, is_asked=True)
        conclusion = await _conclude(context, attempt, sending, said, made=made, seen=seen)
        if verdict.twice or await _may_save_more(context, attempt, said, made):
            # Nobody travels again, or is given up, after one look; and of what a rule splits, more
            # may be saved still.
            await anyio.sleep(context.settle.first_wait_s)
            later, seen = await _look_after(context, attempt, said, by_all=True)
            later = await _but_others(context, attempt, sending, said, later)
            made = _together(made, later)
            conclusion = await _conclude(context, attempt, sending, said, made=made, seen=seen)
    except (LookFailedError, ErpUnreachableError, LoginRefusedError) as error:
        if not context.route.source_number_field and len(numbers) == 1:
            return await _by_word(context, sending, attempt, said)
        return _unread(numbers, str(error))
    for number, others in strangers(said, numbers, _new_in(attempt, said, seen)).items():
        if number in made:
            documents = ", ".join(other.label for other in others)
            sending.twins[number] = remark("note.twin", documents=documents)
        else:
            # Should it travel again, what it meets is not what was sent before.
            met = context.sent_before.get(number, frozenset())
            context.sent_before[number] = met.union(other.id for other in others)
    conclusion = _without(conclusion, _untold(context, attempt, made, seen))
    return _sent_on(conclusion, _new_in(attempt, said, seen).keys() - made.keys())


async def _may_save_more(context: Context, attempt: Attempt, said: Said, made: Targets) -> bool:
    """Say whether more may come of what a refusal has made without a word, as a rule splits it."""
    named = _named(attempt, said)
    untold = any(target.id not in named for targets in made.values() for target in targets)
    return untold and not said.success and await context.may_have_several()


def _sent_on(conclusion: Conclusion, numbers: Collection[BillNumber]) -> Conclusion:
    """Let what was refused, and others have pushed meanwhile, find that on its way once more."""
    on = [o for o in conclusion.outcomes if o.number in numbers and o.state is State.REJECTED]
    if not on:
        return conclusion
    again = {outcome.number: outcome._replace(state=State.PLANNED) for outcome in on}
    outcomes = tuple(again.get(outcome.number, outcome) for outcome in conclusion.outcomes)
    parts = (*conclusion.parts, *((number,) for number in again))
    return replace(conclusion, outcomes=outcomes, parts=parts)


async def _by_word(
    context: Context, sending: Sending, attempt: Attempt, said: Said, *, is_asked: bool = False
) -> Conclusion:
    """Conclude a call by its answer alone: of a lone number what that names is its own.

    Args:
        context: The execution.
        sending: The chunk.
        attempt: The call.
        said: Its answer.
        is_asked: The target form can be asked for documents that tie themselves to no bill.
    """
    sending.ground = remark("note.by_answer")
    several = not said.success and await context.may_have_several()
    conclusion = conclude_unread(
        said,
        attempt.intent.numbers[0],
        last_try=sending.chunk.tries + 1 >= context.limits.max_attempts,
        drafts=context.route.draft_when_save_fails,
        elsewhere=context.erp.spares(attempt.intent.sender),
    )
    if is_asked and conclusion.parts and await _has_stray(context, attempt, sending, said, {}):
        return beside_stray(said, attempt.intent.numbers)
    return replace(conclusion, hides=may_hide_part(said, several=several))


def _named(attempt: Attempt, said: Said) -> set[str]:
    """Return the ids of the documents that an answer names."""
    return {target.id for target in said.targets(attempt.intent.numbers)}


async def _conclude(
    context: Context,
    attempt: Attempt,
    sending: Sending,
    said: Said,
    *,
    made: Targets,
    seen: Sighting,
) -> Conclusion:
    """Say what came of each number, from an answer and what a look shows."""
    numbers, sender = attempt.intent.numbers, attempt.intent.sender
    sending.merged = are_merged(made)
    _note_found(context, sending, seen)
    sending.found_own = sending.found_own or bool(made)
    context.proofs.note_answer(said.targets(numbers))
    look = Look(made, proved=sending.links_proved or sending.found_links)
    if len(made) < len(numbers):
        asked = seen.linked.issuperset(number for number in numbers if number not in made)
        shown = {t.id for targets in made.values() for t in targets} <= seen.by_link
        proved = await context.absence_proved()
        look = replace(
            look,
            proved=proved and (asked or not context.links.tell),
            covered=await context.covers(seen.users, sender),
            trusted=not context.proofs.missed and context.knows_enough_of(sender),
            linked=asked and shown and context.links.tell,
            stray=await _has_stray(context, attempt, sending, said, made),
        )
    ids = {target.id for targets in made.values() for target in targets}
    context.proofs.compare(sender, _named(attempt, said), ids)
    sending.ground = found_by(context.route, seen, ids)
    return conclude(
        said,
        numbers,
        look,
        alone=sending.chunk.alone,
        last_try=sending.chunk.tries + 1 >= context.limits.max_attempts,
        drafts=context.route.draft_when_save_fails,
        elsewhere=context.erp.spares(sender),
        splits=bool(made) and not said.success and await context.may_be_parted(),
        several=not said.success and await context.may_have_several(),
    )


async def _has_stray(
    context: Context, attempt: Attempt, sending: Sending, said: Said, made: Targets
) -> bool:
    """Say whether a document has come that ties itself to no bill, and that may be this call's.

    What broke, passes over a number or refuses some may have made one of a number that no look
    shows; so may what refuses a lone one that goes on its way all the same, and each refusal that
    may have left a draft.
    """
    numbers, sender = attempt.intent.numbers, attempt.intent.sender
    elsewhere = context.erp.spares(sender)
    goes_on = said.code == LICENCE or goes_elsewhere(said, elsewhere=elsewhere)
    several = len(numbers) > 1 or (goes_on and await context.may_have_several())
    hides = may_hide_draft(said, drafts=context.route.draft_when_save_fails)
    if not (said.thrown or said.acted or several or hides) or said.code in NOTHING_RAN:
        return False
    missing = {number: sender for number in numbers if number not in made}
    before = {id_ for n in missing for id_ in attempt.intent.before.get(n, ())}
    return bool(
        await context.senders_of_strays(
            attempt.intent.began_at, missing, before=before, on_loop_s=sending.began_s
        )
    )


def _together(earlier: Targets, later: Targets) -> Targets:
    """Return what two looks have shown: a person may have deleted a document since the first."""
    gone = new_targets(earlier, {n: {t.id for t in later[n]} for n in later})
    numbers = {**earlier, **later}
    return {number: (*gone.get(number, ()), *later.get(number, ())) for number in numbers}


async def _but_others(
    context: Context, attempt: Attempt, sending: Sending, said: Said, made: Targets
) -> Targets:
    """Leave out what somebody else has made meanwhile, and tell of it beside ours.

    What an answer names was made by its call, and where it names all, nothing else (`strangers`).
    """
    named = _named(attempt, said)
    unnamed = {n: tuple(t for t in made[n] if t.id not in named) for n in made}
    if said.names_all or not (unnamed := {n: left for n, left in unnamed.items() if left}):
        return made
    others = await strangers_among(context, unnamed)
    ours = new_targets(made, dict.fromkeys(made, others))
    for number in unnamed.keys() & ours.keys():
        if theirs := [t.label for t in unnamed[number] if t.id in others]:
            sending.twins[number] = remark("note.twin", documents=", ".join(theirs))
    return ours


async def _look_after(
    context: Context, attempt: Attempt, said: Said, *, by_all: bool = False
) -> tuple[Targets, Sighting]:
    """Look for what an attempt has made, through as many users and as often as it takes.

    What one complete look shows is enough where it shows all. Where a number is missing that may
    travel again or be rejected for it, everybody is asked, and after a success, or a refusal that
    may hide a draft, for as long as a document may take to be shown.

    Returns:
        New documents by source number, and the last look.
    """
    numbers = attempt.intent.numbers
    seen = await look_at_targets(context, numbers, by_all=by_all, stop_or_not=True)
    made = _made_in(attempt, said, seen)

    async def look_again() -> None:
        nonlocal seen, made
        seen = await look_at_targets(context, numbers, by_all=True, stop_or_not=True)
        made = _made_in(attempt, said, seen)

    def is_open() -> bool:
        return needs_patience(said, numbers, made, drafts=context.route.draft_when_save_fails)

    is_all = len(made) == len(numbers) and not is_open()
    # Links that miss a document which the field shows prove nothing of the others of its call.
    unasked = context.links.tell and not seen.linked.issuperset(numbers)
    if not is_all and (unasked or not set(context.erp.users) <= seen.users):
        await look_again()
    for pause_s in lag_pauses(context.settle.first_wait_s):
        if not is_open():
            break
        await anyio.sleep(pause_s)
        await look_again()
    return made, seen


def _note_found(context: Context, sending: Sending, seen: Sighting) -> None:
    """Note that documents were found, and by what."""
    if seen.targets:
        # Without a source number, a document of another rule shows nothing of this one's.
        sending.found_links = sending.found_links or context.tells_of_several
        field_ids = seen.by_the_field()
        shown = {target.id for targets in seen.targets.values() for target in targets}
        certain = shown & field_ids - seen.thin
        context.proofs.field_finds = context.proofs.field_finds or bool(certain)


def _untold(
    context: Context, attempt: Attempt, made: Targets, seen: Sighting
) -> Mapping[BillNumber, Untold]:
    """Return the numbers of which a look does not tell what an attempt has made, and why."""
    untold = {number: ("unread", words) for number, words in seen.refused.items()}
    for number in attempt.intent.numbers:
        before = attempt.intent.before.get(number, ())
        if number not in made and (outcome := _unclear(context, number, seen, before)):
            untold[number] = (outcome.code, outcome.reason)
    return untold


def _made_in(attempt: Attempt, said: Said, seen: Sighting) -> Targets:
    """Return what a look shows of the numbers of which an attempt has made something."""
    return but_strangers(said, attempt.intent.numbers, _new_in(attempt, said, seen))


def _new_in(attempt: Attempt, said: Said, seen: Sighting) -> Targets:
    """Return what a look shows that was not there before an attempt.

    What the answer names was made by it, even if somebody has cancelled it since, or no link shows
    of which bill of the number it is.
    """
    named = {target.id for target in said.named}
    found = {number: list(targets) for number, targets in seen.targets.items()}
    for number, targets in (*seen.cancelled.items(), *seen.shared.items()):
        ours = [target for target in targets if target.id in named]
        if ours:
            found.setdefault(number, []).extend(ours)
    all_found = {number: tuple(targets) for number, targets in found.items()}
    return new_targets(all_found, attempt.intent.before)


def _without(conclusion: Conclusion, untold: Mapping[BillNumber, Untold]) -> Conclusion:
    """Leave in doubt the numbers of which no look tells."""
    if not untold:
        return conclusion
    outcomes = [
        Outcome(each.number, State.UNKNOWN, (), *untold[each.number])
        if each.number in untold
        else each
        for each in conclusion.outcomes
    ]
    parts = [tuple(n for n in part if n not in untold) for part in conclusion.parts]
    return replace(
        conclusion,
        outcomes=tuple(outcomes),
        parts=tuple(part for part in parts if part),
        alone=tuple(number for number in conclusion.alone if number not in untold),
    )


def _sample(
    sending: Sending,
    verdict: SendAgain | InDoubt | ReadBack,
    outcomes: Sequence[Outcome],
) -> Sample | None:
    """Say what a sending tells of the ERP's pace, or None where it tells nothing."""
    came_to = sum(outcome.state is not State.PLANNED for outcome in outcomes)
    match verdict:
        case InDoubt() if verdict.overloaded:
            ended = Ended.OVERLOADED
        case InDoubt("timeout"):
            ended = Ended.TIMED_OUT
        case ReadBack(said):
            ended = Ended.OK if came_to else Ended.REFUSED
            if said.code == CALL_LIMIT:
                ended = Ended.OVERLOADED
        case _:
            return None
    return Sample(
        sending.began_s,
        anyio.current_time(),
        before_s=sending.before_s,
        push_s=sending.push_s,
        numbers=came_to,
        at_once=sending.at_once,
        ended=ended,
        merged=sending.merged,
    )


def _unread(numbers: tuple[BillNumber, ...], why: str) -> Conclusion:
    return Conclusion(tuple(Outcome(n, State.UNKNOWN, (), "unread", why) for n in numbers))


def remark_on(verdict: SendAgain | InDoubt | ReadBack) -> str:
    """Say for `explain` what the exchange meant."""
    match verdict:
        case SendAgain(Cure.LOG_IN, because):
            return remark("note.log_in", why=because)
        case SendAgain(_, because):
            return remark("note.wait", why=because)
        case InDoubt(code, because):
            return remark("note.doubt", code=code, why=because)
        case ReadBack(said, twice=True):
            return remark("note.refused_twice", code=said.code)
        case ReadBack(said):
            code = f"MsgCode {said.code or '-'}"
            return remark("note.success") if said.success else remark("note.refused", code=code)


def _wait_for_cure(state: RetryCallState, sending: Sending) -> float:
    verdict = state.outcome.result() if state.outcome else None
    if isinstance(verdict, SendAgain) and verdict.cure is Cure.LOG_IN:
        step_s = STEP_S * (2.0 ** (sending.lost - 1) - 1)
        return min(step_s * (sending.chunk.index % STEPS), LONGEST_STEP_S)
    return float(wait_for_erp(state))
