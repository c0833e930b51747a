"""The one door to the ERP: look, write down, send once, judge, record.

Every sending of k3push is a call of `send_once`, and there is no second way (rule 10).
`push_chunk` repeats it only where it returns `SendAgain`, the proof that nothing was done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import anyio
from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from k3push.core import wire
from k3push.core.evidence import (
    CALL_LIMIT,
    Conclusion,
    are_merged,
    conclude,
    conclude_unread,
    new_targets,
)
from k3push.core.model import (
    Attempt,
    BillNumber,
    Chunk,
    Intent,
    NeverSent,
    Outcome,
    State,
    Targets,
)
from k3push.core.pace import Ended, Sample
from k3push.core.verdict import Cure, InDoubt, ReadBack, SendAgain, judge
from k3push.job import Cause, Job
from k3push.looking import already, look_at_targets, wait_for_erp
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError

# Many who share a session that lasts for a few calls lose it often, each by no fault of its
# own. A user who may read and not push loses it always (P 3.4).
MOST_SESSIONS_A_CHUNK = 30

# Those who lose each other's sessions in step never get further, so each falls back by a time
# of its own, which doubles until it is longer than a call.
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
        found_links: They were found on the way of this chunk.
        nth: Sendings so far.
        lost: How many of them met a lost session.
        in_doubt: Whether the last sending left numbers `unknown`.
        overload: What the last answer said of an overloaded ERP, or "".
        held_back: Nothing left, since a hold began meanwhile; the numbers wait for its end.
        conclusion: What the last sending came to, once the ERP has finished one.
        began_s: When the last look before a sending began.
        at_once: Chunks on their way as it left, itself counted.
        merged: The last read-back found a target of several sources.
        sample: What the last sending tells of the ERP's pace.
    """

    chunk: Chunk
    numbers: tuple[BillNumber, ...]
    links_proved: bool
    found_links: bool = False
    nth: int = 0
    lost: int = 0
    in_doubt: bool = False
    overload: str = ""
    held_back: bool = False
    conclusion: Conclusion | None = None
    began_s: float = 0.0
    at_once: int = 1
    merged: bool = False
    sample: Sample | None = None


async def push_chunk(job: Job, sending: Sending) -> None:
    """Send a claimed chunk until the ERP has acted, or may have."""
    retrying = AsyncRetrying(
        retry=retry_if_result(lambda verdict: isinstance(verdict, SendAgain)),
        stop=lambda _: (
            sending.nth - sending.lost >= job.pace.max_attempts
            or sending.lost >= MOST_SESSIONS_A_CHUNK
        ),
        wait=lambda state: _wait_for_cure(state, sending),
        sleep=job.stop.sleep,
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    verdict: SendAgain | None = await retrying(send_once, job, sending)
    match verdict:
        case SendAgain(Cure.LOG_IN, because):
            why = f"{because} (at {sending.lost} pushes of one chunk, while other calls passed)"
            job.stop.ask(Cause.LOGIN_REFUSED, why)
        case SendAgain(_, because):
            job.stop.ask(Cause.UNREACHABLE, because)


async def send_once(job: Job, sending: Sending) -> SendAgain | None:
    """Look, write the attempt down, send it, and record what came of it.

    Returns:
        `SendAgain` where the ERP is proved to have done nothing; None where the numbers have
        come to something else, or where a stop or a hold came before they left.
    """
    sending.began_s = anyio.current_time()
    before = await _look_first(job, sending)
    if sending.numbers and not job.stop.asked:
        await job.erp.turn()
    if not sending.numbers or job.stop.asked:
        return None
    if job.steering.hold is not None:
        sending.held_back = True
        return None
    sending.nth += 1
    attempt = await job.ledger.begin(
        Intent(
            run=job.run.id,
            chunk=sending.chunk.index,
            nth=sending.nth,
            numbers=sending.numbers,
            before=before,
            request=wire.push_data(job.route, sending.numbers),
            began_at=job.clock.now(),
            uptime=job.clock.uptime(),
        )
    )
    job.on_their_way += 1
    try:
        return await _send(job, sending, attempt)
    finally:
        job.on_their_way -= 1


async def _send(job: Job, sending: Sending, attempt: Attempt) -> SendAgain | None:
    """Send an attempt that is written down, and record what came of it."""
    numbers = attempt.intent.numbers
    began_s = anyio.current_time()
    exchange = _held_up(job, attempt) or await job.erp.push(job.route, attempt.intent.request)
    push_s = anyio.current_time() - began_s
    job.ages.ended(attempt.id)
    verdict = judge(exchange)
    outcomes: tuple[Outcome, ...]
    match verdict:
        case SendAgain(cure, because, session):
            if cure is Cure.LOG_IN:
                sending.lost += 1
                job.erp.lose_session(session)
            outcomes = tuple(Outcome(n, State.PLANNED, reason=because) for n in numbers)
        case InDoubt(code, because):
            sending.overload = because if verdict.overloaded else ""
            outcomes = tuple(Outcome(n, State.UNKNOWN, (), code, because) for n in numbers)
        case ReadBack():
            sending.conclusion = await _read_back(job, attempt, sending, verdict)
            outcomes = sending.conclusion.outcomes
    await job.ledger.record(
        attempt,
        exchange,
        _in_words(verdict),
        outcomes,
        at=job.clock.now(),
        keep_claims=isinstance(verdict, SendAgain),
    )
    sending.in_doubt = any(outcome.state is State.UNKNOWN for outcome in outcomes)
    job.count(outcomes)
    sending.sample = _sample(sending, verdict, outcomes, push_s)
    job.watch.recorded(attempt, outcomes, verdict, anyio.current_time() - began_s)
    return verdict if isinstance(verdict, SendAgain) else None


def _held_up(job: Job, attempt: Attempt) -> NeverSent | None:
    """Say why an attempt may not leave any more: this process stood still after its beginning."""
    held_s = job.clock.uptime().seconds - attempt.intent.uptime.seconds
    if held_s <= job.settle.held_up_s:
        return None
    return NeverSent(f"k3push stood still for {held_s:.0f} s before it was to leave")


async def _look_first(job: Job, sending: Sending) -> Mapping[BillNumber, tuple[str, ...]]:
    """Take out of *sending* what has a target already (rule 3).

    Returns:
        The targets of numbers that are sent in spite of them.
    """
    if not job.reads_back:
        return {}
    found = await look_at_targets(job, sending.numbers)
    sending.found_links = sending.found_links or bool(found)
    if job.repeats_pushes:
        return {number: tuple(target.id for target in found[number]) for number in found}
    if found:
        outcomes = [already(n, found[n]) for n in sending.numbers if n in found]
        await job.ledger.conclude(job.run.id, outcomes, at=job.clock.now())
        job.watch.concluded(outcomes)
        sending.numbers = tuple(number for number in sending.numbers if number not in found)
    return {}


async def _read_back(job: Job, attempt: Attempt, sending: Sending, verdict: ReadBack) -> Conclusion:
    """Conclude a call that the ERP has finished (rules 5, 6, 8 and 9)."""
    numbers, said = attempt.intent.numbers, verdict.said
    last_try = sending.chunk.tries + 1 >= job.pace.max_attempts
    if not job.reads_back:
        drafts = job.route.draft_when_save_fails
        return conclude_unread(said, numbers[0], last_try=last_try, drafts=drafts)
    try:
        made = await _look_for_new(job, attempt)
        if verdict.twice and len(made) < len(numbers):
            await anyio.sleep(job.settle.first_wait_s)
            made = await _look_for_new(job, attempt)
    except (LookFailedError, ErpUnreachableError, LoginRefusedError) as error:
        return _unread(numbers, str(error))
    sending.merged = are_merged(made)
    conclusion = conclude(
        said,
        numbers,
        made,
        alone=sending.chunk.alone,
        last_try=last_try,
        links_proved=sending.links_proved or sending.found_links,
    )
    sending.found_links = sending.found_links or bool(made)
    return conclusion


async def _look_for_new(job: Job, attempt: Attempt) -> Targets:
    found = await look_at_targets(job, attempt.intent.numbers, stop_or_not=True)
    return new_targets(found, attempt.intent.before)


def _sample(
    sending: Sending,
    verdict: SendAgain | InDoubt | ReadBack,
    outcomes: Sequence[Outcome],
    push_s: float,
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
        push_s=push_s,
        numbers=came_to,
        at_once=sending.at_once,
        ended=ended,
        merged=sending.merged,
    )


def _unread(numbers: tuple[BillNumber, ...], why: str) -> Conclusion:
    return Conclusion(tuple(Outcome(n, State.UNKNOWN, (), "unread", why) for n in numbers))


def _in_words(verdict: SendAgain | InDoubt | ReadBack) -> str:
    """Say for `explain` what the exchange meant."""
    match verdict:
        case SendAgain(cure, because):
            return f"nothing was done ({because}); {cure}, then send again"
        case InDoubt(code, because):
            return f"in doubt ({code}: {because})"
        case ReadBack(said, twice):
            code = (
                f"MsgCode {said.code or 'absent'}" if said.code != "response_error" else said.code
            )
            success = "success" if said.success else f"refused, {code}"
            return f"finished ({success}); read back{' twice' if twice else ''}"


def _wait_for_cure(state: RetryCallState, sending: Sending) -> float:
    verdict = state.outcome.result() if state.outcome else None
    if isinstance(verdict, SendAgain) and verdict.cure is Cure.LOG_IN:
        step_s = STEP_S * (2.0 ** (sending.lost - 1) - 1)
        return min(step_s * (sending.chunk.index % STEPS), LONGEST_STEP_S)
    return float(wait_for_erp(state))
