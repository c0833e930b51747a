"""What earlier calls for a bill may have made, and for how long they may be at work yet.

The calls of an execution wait in its backlog. Those of other executions and other runs are found
in the ledger: a refusal of several may have saved a part that looks show late (P 5.7), and what a
person has settled may be at work still.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from k3push.core.model import ABSENT, BillNumber, NeverSent, RunId, State
from k3push.core.protocol.msg_codes import CALL_LIMIT
from k3push.core.safety.evidence import nothing_ran
from k3push.core.safety.named_bills import messages_naming, naming_one
from k3push.core.safety.verdict import Cure, InDoubt, ReadBack, Said, SendAgain
from k3push.ports import SHORTEST_WAIT_S, AttemptRecord, Doubt, LatelySent
from k3push.runs.context import Context
from k3push.runs.kept_in_ledger.kept_attempts import sent_under, verdict_of
from k3push.runs.other_calls.calls_of_others import hear, hear_of_others
from k3push.runs.proof.document_makers import MACHINES_DIFFER
from k3push.runs.proof.lost_calls import LONGEST_CALL


def was_in_doubt(kept: AttemptRecord) -> bool:
    """Say whether nobody could know at first what became of an attempt."""
    return kept.exchange is None or isinstance(verdict_of(kept), InDoubt)


def was_refused(kept: AttemptRecord) -> bool:
    """Say whether a call broke on the server (rule 5), or was refused."""
    return refusal_of(kept) is not None


def refusal_of(kept: AttemptRecord) -> Said | None:
    """Return what a call was refused with; None where it was not."""
    verdict = verdict_of(kept)
    if not isinstance(verdict, ReadBack) or verdict.said.success:
        return None
    return verdict.said


def may_have_worked(kept: AttemptRecord) -> bool:
    """Say whether a call that has left was neither refused nor put off."""
    verdict = verdict_of(kept)
    if isinstance(verdict, ReadBack):
        return verdict.said.success or verdict.said.thrown
    return was_in_doubt(kept)


def words_of_refusal(kept: AttemptRecord, number: BillNumber) -> str:
    """Return what the ERP has refused a call with that may be about a bill, or "".

    Words that name bills of the call are about these alone.
    """
    said = refusal_of(kept)
    if said is None:
        return ""
    messages = said.messages
    named = messages_naming(messages, kept.attempt.intent.numbers)
    return " ".join(named.get(number, ()) if named else messages)


def did_nothing(kept: AttemptRecord) -> bool:
    """Say whether an attempt has surely done nothing: it never left, or the ERP says so."""
    said = refusal_of(kept)
    never_ran = isinstance(kept.exchange, NeverSent) or isinstance(verdict_of(kept), SendAgain)
    return never_ran or (said is not None and nothing_ran(said, kept.attempt.intent.numbers))


def has_lost_session(kept: AttemptRecord) -> bool:
    """Say whether an attempt was answered with a lost session."""
    verdict = verdict_of(kept)
    return isinstance(verdict, SendAgain) and verdict.cure is Cure.LOG_IN


def may_have_saved(kept: AttemptRecord, number: BillNumber, *, parts: bool) -> bool:
    """Say whether an attempt that told of no document of a bill may have made one all the same.

    A refusal may have saved a part (P 5.7), and a success may name fewer documents than it made.
    Words that name several bills together have rejected none of them (`core.safety.evidence`).

    Args:
        kept: The attempt.
        number: The bill.
        parts: A part of a bill may be saved although the words reject it by name.
    """
    verdict = verdict_of(kept)
    if not isinstance(verdict, ReadBack) or did_nothing(kept):
        return False
    said = verdict.said
    if said.names_all:
        return False
    numbers = kept.attempt.intent.numbers
    return parts or not messages_naming(naming_one(said.messages, numbers), numbers).get(number)


def may_have_made(kept: AttemptRecord, *, splits: bool) -> bool:
    """Say whether an attempt that has left may have made something of a number that is planned.

    A refused call of several numbers may have saved some (P 5.7). One of a bill that may be split
    may have saved a part of it.
    """
    verdict = verdict_of(kept)
    if not isinstance(verdict, ReadBack):
        return True
    many = splits or len(kept.attempt.intent.numbers) > 1
    several = many and verdict.said.code != CALL_LIMIT
    return verdict.twice or verdict.said.acted or several


async def hear_in_front(context: Context, sent: Iterable[AttemptRecord]) -> None:
    """Take in which calls may wait in the ERP in front of those of *sent* that are in doubt."""
    doubts = [doubt_of(kept) for kept in sent if was_in_doubt(kept)]
    if doubts:
        await hear_of_others(context, doubts, await hear(context))


def doubt_of(kept: AttemptRecord) -> Doubt:
    """Return the doubt about an attempt as a whole, under the number of its first bill."""
    intent = kept.attempt.intent
    number, *_ = intent.numbers
    return Doubt(
        intent.run,
        number,
        kept.attempt.id,
        intent.began_at,
        intent.uptime,
        (),
        sender=intent.sender,
    )


def wait_for_call_s(context: Context, kept: AttemptRecord) -> float:
    """Return for how many seconds a bill waits for a call that has carried it.

    For one in doubt, which may be at work yet, or wait behind others (`hear_in_front`), and after a
    refusal until looks surely show what was saved all the same. No clock that is set makes it
    longer.
    """
    times, intent, doubt = context.settle, kept.attempt.intent, doubt_of(kept)
    if was_in_doubt(kept):
        length_s = times.shown_by_s + context.ages.behind_s(doubt)
    elif was_refused(kept) and kept.ended_at is not None:
        took_s = (kept.ended_at - intent.began_at).total_seconds()
        # A clock may have been set back while the call was at work.
        length_s = min(max(0.0, took_s), times.window_s) + times.first_wait_s
    else:
        return 0.0
    return max(0.0, length_s - context.ages.age_s(doubt))


async def sent_by_others(context: Context, numbers: Sequence[BillNumber]) -> list[LatelySent]:
    """Return what other runs have sent of numbers of late."""
    since = context.clock.now() - LONGEST_CALL - MACHINES_DIFFER
    sent = await context.ledger.lately_sent(context.run.id, context.with_ids(numbers), since)
    return [each for each in sent if not isinstance(each.kept.exchange, NeverSent)]


def sent_since(sent: Iterable[LatelySent], before: Iterable[LatelySent]) -> set[RunId]:
    """Return the runs whose calls have begun, or ended, since what was sent *before* was read."""
    known = {(each.kept.attempt.id, each.kept.ended_at) for each in before}
    calls = [each.kept for each in sent]
    return {c.attempt.intent.run for c in calls if (c.attempt.id, c.ended_at) not in known}


async def waits_for_others(context: Context, sent: Sequence[LatelySent]) -> dict[BillNumber, float]:
    """Return for how many seconds numbers have to wait for what other runs have sent of them.

    What is open or in doubt there is claimed. Not claimed are refused numbers, of which looks may
    show a part yet, and settled ones whose call may be at work.
    """
    waits: dict[BillNumber, float] = {}
    await hear_in_front(context, [kept for kept, _ in sent])
    for kept, called in sent:
        left_s = wait_for_call_s(context, kept)
        if left_s > 0:
            absent = await _absent_in(context, kept.attempt.intent.run, called.values())
            left_s = max(left_s, SHORTEST_WAIT_S)
            mine = [number for number, name in called.items() if name not in absent]
            waits |= {number: max(left_s, waits.get(number, 0.0)) for number in mine}
    return waits


async def waits_for_hasty_words(
    context: Context, numbers: Collection[BillNumber]
) -> dict[BillNumber, float]:
    """Return for how many seconds numbers have to wait for calls of earlier executions of the run.

    A person has planned them again while such a call may be at work. What it waits behind may have
    become known since the bill was taken in.
    """
    earlier = context.sent_earlier.intersection(numbers) - context.absent
    sent = {n: await sent_under(context.ledger, context.run.id, n) for n in earlier}
    calls = {n: kept[-1] for n, kept in sent.items() if kept and was_in_doubt(kept[-1])}
    await hear_in_front(context, calls.values())
    waits = {number: wait_for_call_s(context, kept) for number, kept in calls.items()}
    return {n: max(left_s, SHORTEST_WAIT_S) for n, left_s in waits.items() if left_s > 0}


async def doubted_by_others(
    context: Context, numbers: Collection[BillNumber], since: datetime
) -> list[BillNumber]:
    """Return the numbers of which nobody could know at first what other runs have made.

    Args:
        context: The execution.
        numbers: The ERP's spellings.
        since: Calls count that may have been at work then, or later.
    """
    earliest = since - LONGEST_CALL - MACHINES_DIFFER
    bills = context.with_ids(numbers)
    sent = await context.ledger.lately_sent(context.run.id, bills, earliest) if bills else ()
    doubted = {number for each in sent if was_in_doubt(each.kept) for number in each.bills}
    return [number for number in numbers if number in doubted]


async def _absent_in(
    context: Context, run: RunId, numbers: Collection[BillNumber]
) -> set[BillNumber]:
    """Return the numbers of which looks have settled that a run has made nothing."""
    return {
        number
        for number in numbers
        for of, row in await context.ledger.rows_of(number)
        if (of, row.bill, row.code) == (run, number, ABSENT) and row.state is State.PLANNED
    }
