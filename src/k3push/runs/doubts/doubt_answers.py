"""What a readable answer tells of the documents of a call in doubt."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.model import BillNumber, Sighting, State, Target, Targets
from k3push.core.safety.documents_beside import but_strangers
from k3push.core.safety.verdict import ReadBack, Said
from k3push.ports import AttemptRecord, Doubt
from k3push.runs.context import Context
from k3push.runs.documents.twins import doubtful_among
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under, rows_under, verdict_of
from k3push.runs.other_calls.earlier_calls import was_in_doubt


async def of_short_looks(context: Context, doubts: Sequence[Doubt], seen: Sighting) -> set[int]:
    """Return the attempts whose answers name documents that no look has shown."""
    one_of_each = {doubt.attempt: doubt for doubt in doubts}.values()
    return {doubt.attempt for doubt in one_of_each if await names_documents(context, doubt, seen)}


async def crowded_among(
    context: Context, doubts: Sequence[Doubt], made: Targets, seen: Sighting, *, splits: bool
) -> dict[BillNumber, tuple[Target, ...]]:
    """Return the documents of numbers that have several, if another of their call has none.

    If the rule splits bills, several documents are normal, and nothing is returned.
    """
    found: dict[BillNumber, tuple[Target, ...]] = {}
    several = {doubt.attempt: doubt for doubt in doubts if len(made[doubt.number]) > 1}
    for doubt in several.values():
        numbers, said = await answer_to(context, doubt)
        if not splits:
            mine = {number: made[number] for number in numbers if number in made}
            settled = {n for n in numbers if n not in mine and await _is_settled(context, doubt, n)}
            left = [number for number in numbers if number not in settled]
            messages = said.messages if said else ()
            found |= await doubtful_among(context, messages, left, mine, seen.by_link)
    return found


async def _is_settled(context: Context, doubt: Doubt, number: BillNumber) -> bool:
    """Say whether a bill of the same call is in doubt no longer."""
    rows = await rows_under(context.ledger, doubt.run, number)
    return any(row.targets or row.state is State.REJECTED for row in rows)


async def names_documents(context: Context, doubt: Doubt, seen: Sighting | None = None) -> bool:
    """Say whether an answer names a document that is not known of any bill of its call.

    What the present look shows counts as known, even before a second look confirms it. A document
    that is not known may be this number's; then the number has one.
    """
    numbers, said = await answer_to(context, doubt)
    if said is None or not said.named:
        return False
    known: set[str] = set()
    for number in numbers:
        rows = await rows_under(context.ledger, doubt.run, number)
        known |= {t.id for row in rows for t in row.targets}
        known |= {t.id for t in seen.targets.get(number, ())} if seen else set()
    return not {target.id for target in said.targets(numbers)} <= known


async def without_strangers(
    context: Context, due: Sequence[tuple[Doubt, float]], made: Targets
) -> Targets:
    """Leave out what somebody else has made, if the answer names all that its call has made."""
    left = dict(made)
    for doubt in (doubt for doubt, _ in due if doubt.number in made):
        numbers, said = await answer_to(context, doubt)
        mine = {doubt.number: made[doubt.number]}
        if said is not None and not but_strangers(said, numbers, mine):
            del left[doubt.number]
    return left


async def was_in_doubt_before(context: Context, doubt: Doubt) -> bool:
    """Say whether an earlier call for a number may have been carried out as well."""
    kept = await attempts_under(context.ledger, doubt.run, doubt.number)
    return any(was_in_doubt(each) for each in kept if each.attempt.id < doubt.attempt)


async def answer_to(context: Context, doubt: Doubt) -> tuple[tuple[BillNumber, ...], Said | None]:
    """Return the numbers of an attempt that is in doubt, and the answer that could be read."""
    kept = await attempt_of(context, doubt)
    if kept is None:
        return (), None
    verdict = verdict_of(kept)
    numbers = kept.attempt.intent.numbers
    if not isinstance(verdict, ReadBack):
        return numbers, None
    return numbers, context.said_of_targets(verdict.said, numbers)


async def attempt_of(context: Context, doubt: Doubt) -> AttemptRecord | None:
    """Return the attempt that is in doubt, as the ledger keeps it."""
    kept = await context.ledger.attempts_of(doubt.number)
    return next((each for each in kept if each.attempt.id == doubt.attempt), None)
