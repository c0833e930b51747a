"""The one door to the ERP: look, write down, send once, judge, record.

Every push is a call of `send_once`, every step of a document one of `send_step`, and there is no
second way (rule 10). `push_chunk` repeats a push only where it returns `SendAgain`, the proof that
nothing was done.

Whether a number may travel again is decided in this order:

1. `before_sending` looks, and leaves the numbers out that have a target, have changed or wait.
2. This module waits for its turn, writes the attempt down and sends it.
3. `core.safety.verdict` says what the exchange proves: `SendAgain`, `InDoubt` or `ReadBack`.
4. `read_back` looks for what a finished call has made, and lets `core.safety.evidence` conclude.
5. This module records what became of each number.

`sending_state` holds what a chunk carries from one step to the next.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from k3push.core.model import (
    ABSENT,
    Attempt,
    BillNumber,
    Document,
    Exchange,
    Intent,
    NeverSent,
    Outcome,
    State,
    Step,
    StepAttempt,
    StepIntent,
    StepsSoFar,
    Target,
)
from k3push.core.protocol import wire
from k3push.core.protocol.msg_codes import EDIT_LOCK
from k3push.core.protocol.response_status import code_words
from k3push.core.remark import also, remark
from k3push.core.safety.evidence import nothing_ran
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.core.safety.verdict import Cure, InDoubt, ReadBack, Said, SendAgain, judge
from k3push.ports import LedgerLostError, Turn
from k3push.runs.context import Context
from k3push.runs.documents.last_looks import note_refused
from k3push.runs.documents.twins import note_unnamed, told_of_another
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under
from k3push.runs.lookup.retried_reads import open_turn, wait_for_erp
from k3push.runs.other_calls.earlier_calls import sent_by_others, sent_since
from k3push.runs.other_calls.held_numbers import under_other_numbers
from k3push.runs.proof.named_documents import (
    MOST_SOUGHT,
    MOST_TOLD,
    note_named,
    rows_of_others,
    taken_by,
)
from k3push.runs.proof.seen_since import note_shown
from k3push.runs.sending.before_sending import LOOK_KEEPS_S, leave_out_changed, look_first, renewed
from k3push.runs.sending.read_back import UNREAD, read_back
from k3push.runs.sending.sending_state import Sending
from k3push.runs.stop import Cause

# How often one chunk may meet a lost session. Where a session lasts for a few calls, the tasks
# that share it lose it often, through no fault of theirs. A user who may read but not push is
# answered with a lost session every time (P 3.4).
MOST_SESSIONS_A_CHUNK = 30

# Tasks that end each other's sessions in one rhythm never get further. So each waits before it logs
# in again, from the second loss on: for a time of its own, by the index of its chunk, that doubles
# with each loss until it is longer than a call.
STEP_S = 0.05
STEPS = 16
LONGEST_STEP_S = 60.0

# A chunk that lost its session waits for seconds while other calls pass; longer is told.
LONG_S = 20.0

# For how long a bill waits that another run has sent meanwhile; whoever began first goes first.
CROSSED_S, GIVES_WAY_S = 2.0, 12.0


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
        before_sleep=partial(_tell_of_wait, context, sending),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    verdict: SendAgain | None = await retrying(send_once, context, sending)
    match verdict:
        case SendAgain(Cure.LOG_IN):
            context.stop.ask(Cause.LOGIN_REFUSED, _why_again(verdict, sending))
        case SendAgain(_, because):
            context.stop.ask_unsent(because)


async def send_once(context: Context, sending: Sending) -> SendAgain | None:
    """Look, write the attempt down, send it, and record what came of it.

    All that can wait comes before the attempt begins: the look, the session, the turn. What is
    written down leaves at once or not at all.

    Returns:
        `SendAgain` where the ERP is proved to have done nothing; None where the numbers have
        come to something else, or where a stop or a hold came before they left.
    """
    sending.began_s = anyio.current_time()
    await leave_out_changed(sending)
    before = await look_first(context, sending)
    looked_s = context.awake_s
    await context.marked.wait()
    if not sending.numbers or context.stop.asked:
        return None
    async with AsyncExitStack() as stack:
        turn = await open_turn(context, lambda: stack.enter_async_context(context.erp.turn()))
        before = await renewed(context, sending, before, looked_s)
        if not sending.numbers or context.stop.asked:
            return None
        if sending.one_only:
            sending.postponed += sending.numbers[1:]
            sending.numbers = sending.numbers[:1]
        # Once links cannot be asked any more, each goes alone.
        several_blind = len(sending.numbers) > 1 and not context.tells_of_several
        if context.throttle.hold is not None or several_blind:
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
        context.has_begun = True
        attempt = await _written_down(context, intent)
        first = [number for number in sending.numbers if number not in context.sent_before]
        context.sent_before |= {n: frozenset(before.get(n, ())) for n in first}
        context.on_their_way += 1
        try:
            began_s = anyio.current_time()
            sending.before_s = began_s - sending.began_s
            context.at_work.left_s[attempt.id] = began_s
            exchange = await _leave_uncrossed(context, sending, turn, attempt.intent)
            del context.at_work.left_s[attempt.id]
            sending.push_s = anyio.current_time() - began_s
            context.ages.ended(attempt.id, sending.left_s)
            if isinstance(exchange, NeverSent):
                for number in first:
                    del context.sent_before[number]
            await stack.aclose()
            again = await _record(context, sending, attempt, exchange, began_s)
            return None if sending.put_off.keys() & set(sending.numbers) else again
        finally:
            context.on_their_way -= 1


async def _leave_uncrossed(
    context: Context, sending: Sending, turn: Turn, intent: Intent
) -> Exchange:
    """Send an attempt, unless another run has written one down under another number of a bill.

    A claim holds a number, and one bill may have had two. Each of two runs looks here after its own
    attempt is written down, so at least one of them sees the other's attempt: open now, or begun or
    ended since its own look. The run that sees this does not send; if both do, the run that began
    first waits less. That is not counted as a sending: the numbers are claimed anew, wait for the
    other run's calls, and are looked at after that.
    """
    crossed = await under_other_numbers(context, intent.numbers)
    runs = {each.run for each in crossed.values()}
    # With equal waits, two runs that have seen each other would meet again.
    wait_s = GIVES_WAY_S if any(run < intent.run for run in runs) else CROSSED_S
    runs |= sent_since(await sent_by_others(context, intent.numbers), sending.sent)
    sending.left_s = context.awake_s
    if runs:
        sending.put_off |= dict.fromkeys(sending.numbers, wait_s)
        return NeverSent(remark("note.crossed", runs=", ".join(sorted(runs))))
    return await _leave(context, turn, intent, wire.PUSH, context.route.source)


@contextmanager
def _lost_where_taken_over() -> Iterator[None]:
    """Count it as a lost ledger where another run has had its numbers meanwhile.

    It took this one for dead, and may have settled what it has on its way.
    """
    try:
        yield
    except IllegalMoveError as error:
        raise LedgerLostError(str(error)) from error


async def _written_down(context: Context, intent: Intent) -> Attempt:
    """Write an attempt down."""
    with _lost_where_taken_over():
        return await context.ledger.begin(intent)


def _request(context: Context, bills: Sequence[BillNumber]) -> bytes:
    """Write the request that names bills, all by number or all by id."""
    ids = [id_ for id_ in map(context.id_of, bills) if id_]
    if not ids:
        return wire.push_data(context.route, bills)
    if len(ids) != len(bills):
        raise ValueError(f"chunk of {len(bills)} bills and {len(ids)} ids")
    return wire.push_data(context.route, (), ids)


async def _record(
    context: Context, sending: Sending, attempt: Attempt, exchange: Exchange, began_s: float
) -> SendAgain | None:
    """Judge what came back, read back where the ERP has finished, and write it down."""
    numbers = attempt.intent.numbers
    verdict = judge(exchange)
    if not isinstance(verdict, SendAgain) and verdict.said is not None:
        verdict = replace(verdict, said=context.said_of_targets(verdict.said, numbers))
    outcomes: tuple[Outcome, ...]
    sending.ground, sending.shown = "", {}
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
            _note_how_long(context, sending, attempt, said)
            sending.named |= {target.id: attempt.intent.sender for target in said.named}
            bills = context.with_ids(numbers)
            context.named |= {target.id: bills for target in said.targets(numbers)}
            sending.conclusion = await read_back(context, attempt, sending, verdict)
            outcomes = tuple(map(sending.annotated, sending.conclusion.outcomes))
            if not said.names_all:
                named = {target.id for target in said.named}
                # A success that names no document may have made several of a bill: the rule may
                # split bills.
                surely = said.success
                outcomes = tuple(
                    [await told_of_another(context, o, named, surely=surely) for o in outcomes]
                )
            await _note_refused(context, sending, said, outcomes)
    await _note_shown(context, sending, attempt, outcomes)
    if not isinstance(verdict, SendAgain) and verdict.said is not None:
        outcomes = await _note_named(context, attempt.intent, verdict.said, outcomes)
    with _lost_where_taken_over():
        await context.ledger.record(
            attempt,
            exchange,
            also(remark_on(verdict), sending.ground) if sending.ground else remark_on(verdict),
            _still_absent(context, verdict, outcomes),
            at=context.clock.now(),
            keep_claims=_keeps_claims(verdict),
        )
    if isinstance(verdict, InDoubt) and context.reads_back:
        # Not sooner: a look that finds it in no doubt yet would take it for settled.
        now_s = anyio.current_time()
        context.at_work.note(attempt.id, verdict, after_s=sending.push_s, now_s=now_s)
    if isinstance(verdict, ReadBack) and verdict.said.success and not verdict.said.names_all:
        note_unnamed(context, outcomes)
        await _note_silent_work(context, sending, attempt.intent.sender, outcomes)
    context.forget(outcomes)
    sending.outcomes += outcomes
    in_doubt = any(outcome.state is State.UNKNOWN for outcome in outcomes)
    sending.in_doubt = sending.in_doubt or in_doubt
    context.count(outcomes)
    sending.sample = sending.sample_of(verdict, outcomes)
    context.watch.recorded(attempt, outcomes, verdict, anyio.current_time() - began_s)
    return verdict if isinstance(verdict, SendAgain) else None


def _note_how_long(context: Context, sending: Sending, attempt: Attempt, said: Said) -> None:
    """Note how long a call has kept the ERP."""
    if not nothing_ran(said, attempt.intent.numbers):
        context.ages.note_taken(sending.push_s, attempt.intent.sender)
        if said.named:
            context.ages.note_answer(sending.push_s, attempt.intent.sender)


async def _note_silent_work(
    context: Context, sending: Sending, sender: str, outcomes: Sequence[Outcome]
) -> None:
    """Note how long a call has kept the ERP whose answer does not name all, if nothing has told it.

    A document of a bill that was never sent before is its own.
    """
    ledger, run = context.ledger, context.run.id
    for outcome in outcomes:
        if context.ages.has_heard:
            return
        made = outcome.state is State.PUSHED
        if made and len(await attempts_under(ledger, run, outcome.number)) == 1:
            context.ages.note_answer(sending.push_s, sender)


def _keeps_claims(verdict: SendAgain | InDoubt | ReadBack) -> bool:
    """Say whether a run keeps the claims of numbers that it sends again.

    Without that, two runs would take them from each other for ever. A bill that somebody edits
    waits behind the others, and another run may take it meanwhile.
    """
    match verdict:
        case ReadBack(said):
            return said.code != EDIT_LOCK
        case _:
            return isinstance(verdict, SendAgain)


def _still_absent(
    context: Context, verdict: SendAgain | InDoubt | ReadBack, outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """Keep what looks have settled of bills whose call has done nothing: it holds as before."""
    ran = not isinstance(verdict, SendAgain)
    if isinstance(verdict, ReadBack):
        bills = [outcome.number for outcome in outcomes]
        ran = not nothing_ran(verdict.said, bills)
    ended = {o.number for o in outcomes if ran or o.state is not State.PLANNED}
    context.absent -= ended
    return [o._replace(code=ABSENT) if o.number in context.absent else o for o in outcomes]


async def _note_shown(
    context: Context, sending: Sending, attempt: Attempt, outcomes: Sequence[Outcome]
) -> None:
    """Note which documents a look has shown of numbers that stay in doubt all the same."""
    doubted = {outcome.number for outcome in outcomes if outcome.state is State.UNKNOWN}
    if shown := {number: sending.shown[number] for number in doubted & sending.shown.keys()}:
        now = context.clock.now()
        await note_shown(context.ledger, context.run.id, {attempt.id: shown}, at=now)


async def _note_named(
    context: Context, intent: Intent, said: Said, outcomes: tuple[Outcome, ...]
) -> tuple[Outcome, ...]:
    """Note which documents an answer names that no look has shown of the bills of its call.

    Returns:
        The outcomes. They tell of rows that had taken such a document before the answer came.
    """
    numbers = intent.numbers
    shown = {target.id for outcome in outcomes for target in outcome.targets}
    named = {target.id: target for target in said.targets(numbers)}
    if unshown := named.keys() - shown:
        bills = context.with_ids(numbers)
        await note_named(
            context.ledger,
            context.route,
            unshown,
            bills,
            at=context.clock.now(),
            run=intent.run,
            sender=intent.sender,
        )
        # Not for `unread`: when nothing can be read, there are too many of those.
        if any(each.state is State.UNKNOWN and each.code != UNREAD for each in outcomes):
            documents = [named[id_] for id_ in sorted(unshown)]
            for why in await _taken_by(context, documents[:MOST_SOUGHT], bills):
                outcomes = tuple(
                    each._replace(reason=also(each.reason, why))
                    if each.state is State.UNKNOWN
                    else each
                    for each in outcomes
                )
    for id_ in named:
        context.named.pop(id_, None)
    return outcomes


async def _taken_by(
    context: Context, documents: Sequence[Target], carried: Mapping[BillNumber, str]
) -> list[str]:
    """Return remarks on rows of other bills that name a document of this answer."""
    ledger, scope = context.ledger, context.run.scope
    told = [
        taken_by(document, of, row)
        for document in documents
        for of, row in await rows_of_others(ledger, scope, document, carried)
    ]
    return told[:MOST_TOLD]


async def _note_refused(
    context: Context, sending: Sending, said: Said, outcomes: Sequence[Outcome]
) -> None:
    """Note the numbers that the ERP refused: a part may be saved that no look shows yet."""
    refused = [each.number for each in outcomes if each.state is State.REJECTED]
    if not refused:
        return
    bills = [outcome.number for outcome in outcomes]
    is_open = not said.success and not nothing_ran(said, bills)
    # A call that was answered with a lost session may have been carried out all the same.
    late = is_open and (bool(sending.lost) or await context.may_have_several())
    await note_refused(context, refused, late=late)


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
            return remark("note.refused_twice", code=code_words(said.code))
        case ReadBack(said) if said.success and not said.named:
            return remark("note.silent_success")
        case ReadBack(said):
            refused = remark("note.refused", code=code_words(said.code))
            return remark("note.success") if said.success else refused


def _wait_for_cure(state: RetryCallState, sending: Sending) -> float:
    verdict = state.outcome.result() if state.outcome else None
    if isinstance(verdict, SendAgain) and verdict.cure is Cure.LOG_IN:
        step_s = STEP_S * (2.0 ** (sending.lost - 1) - 1)
        return min(step_s * (sending.chunk.index % STEPS), LONGEST_STEP_S)
    return float(wait_for_erp(state))


def _tell_of_wait(context: Context, sending: Sending, state: RetryCallState) -> None:
    """Say why a chunk waits before it is sent once more, though other calls may pass."""
    verdict = state.outcome.result() if state.outcome else None
    if isinstance(verdict, SendAgain) and state.upcoming_sleep >= LONG_S:
        context.watch.waiting(_why_again(verdict, sending), state.upcoming_sleep)


def _why_again(verdict: SendAgain, sending: Sending) -> str:
    """Say why a chunk is sent again, and how often its sessions were lost: a right may lack."""
    if verdict.cure is not Cure.LOG_IN:
        return verdict.because
    return remark("why.sessions", why=verdict.because, times=sending.lost)


@dataclass(frozen=True, slots=True)
class StatusLook:
    """What documents were read to have before a step.

    Attributes:
        status: FDocumentStatus of each.
        at_s: When that was read, by `Context.awake_s`.
        still_so: Reads the status again; asked where the turn comes late.
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
        context.steps_at_work.left(attempt)
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
