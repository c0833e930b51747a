"""Which bills have a document already, and are therefore not sent (rule 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from k3push.core.model import (
    BY_LEDGER,
    UNSHOWN,
    BillNumber,
    Outcome,
    Sighting,
    State,
    Target,
    number_in,
)
from k3push.core.remark import remark
from k3push.core.safety.conclusion import made_outcome
from k3push.core.safety.target_sets import labels
from k3push.ports import Made
from k3push.runs.lookup.looker import Looker, can_ask
from k3push.runs.lookup.source_check import AMBIGUOUS, PRECHECK, query_refused
from k3push.runs.lookup.target_lookup import look_at_targets
from k3push.runs.proof.document_makers import UNSURE


async def there_already(
    context: Looker,
    refused: Sequence[Outcome],
    known: Mapping[BillNumber, Made],
    *,
    contradictory: Collection[BillNumber],
    named: Callable[[Sequence[BillNumber]], Awaitable[Mapping[BillNumber, Outcome]]] | None = None,
) -> list[Outcome]:
    """Look at the targets of what is about to be refused unsent: a bill that has some is done.

    Other outcomes are left as they are.

    The ERP closes a bill once its targets have used up its quantity (P 13.3). If a list is pushed
    twice, such bills are told as `already`, not as closed. Where a number has several bills,
    nothing tells which of them was pushed.

    Args:
        context: What to look with.
        refused: Outcomes of unsent numbers, in the ERP's spelling where it has one.
        known: What other runs of this ledger have made of them.
        contradictory: Lines that are refused for what they say (`SourceLook.contradictory`).
        named: Returns which bills have a document of which only an answer tells (`by_answers`).
    """
    asked = [
        each.number
        for each in refused
        if each.code == PRECHECK and number_in(each.number) and each.number not in contradictory
    ]
    seen = Sighting()
    if asked and can_ask(context):
        seen = await look_at_targets(
            context, asked, by_all=True, before_sending=True, vouched=lambda seen: seen.targets
        )
    outcomes = []
    for outcome in refused:
        number = outcome.number
        if outcome.state is not State.REJECTED or number in contradictory:
            outcomes.append(outcome)
        elif number in seen.targets:
            outcomes.append(already(number, seen.targets[number], thin=seen.thin))
        elif number in seen.refused:
            made = by_ledger(number, Sighting(), known.get(number))
            outcomes.append(made or query_refused(number, seen.refused[number]))
        elif outcome.code != AMBIGUOUS:
            shown = seen if number in asked else Sighting()
            outcomes.append(by_ledger(number, shown, known.get(number)) or outcome)
        else:
            outcomes.append(outcome)
    if named is None:
        return outcomes
    left = [each.number for each in outcomes if each.code == PRECHECK and each.number in asked]
    told = await named(left)
    return [told.get(each.number, each) for each in outcomes]


def already(
    number: BillNumber, targets: tuple[Target, ...], *, thin: Collection[str] = ()
) -> Outcome:
    """Say what becomes of a number that has targets and is therefore not sent.

    Args:
        number: The ERP's spelling.
        targets: The documents that are there.
        thin: Ids of documents that are known by the source number alone. Beside one that is surer,
            such a document may be another bill's.
    """
    there = made_outcome(number, targets)
    bare = [target for target in targets if target.id in thin]
    draft = remark("note.draft_before") if there.state is State.DRAFT else ""
    alone = remark("note.thin") if bare else ""
    if bare and len(bare) < len(targets):
        alone = remark("note.whose", documents=labels(bare))
    both = remark("note.also", first=draft, more=alone) if draft and alone else draft or alone
    return Outcome(number, State.ALREADY, there.targets, reason=both)


def is_thin(reason: str) -> bool:
    """Say whether a row's reason tells that its documents are known by the number alone."""
    return "note.thin" in reason


def ours_of_shared(
    number: BillNumber, seen: Sighting, made: Made | None, before: Collection[str] = ()
) -> Outcome | None:
    """Say that a bill has documents which no field surely ties to it, but which the ledger knows.

    The ledger knows them as this bill's, by an answer that has named them.

    Args:
        number: The ERP's spelling.
        seen: A look at its documents.
        made: What this ledger has made of it; None where it knows of nothing.
        before: Ids of documents that were there before the bill was first sent.
    """
    ours = {target.id for target in made.targets}.difference(before) if made else set()
    unclear = [*seen.shared.get(number, ()), *seen.denied.get(number, ())]
    if made and made.code not in UNSURE:
        unclear += seen.loose.get(number, ())
    mine = tuple(target for target in unclear if target.id in ours)
    return already(number, mine) if mine else None


def by_ledger(number: BillNumber, seen: Sighting, made: Made | None) -> Outcome | None:
    """Say that a bill is not sent since this ledger knows its documents, unless they are gone.

    Args:
        number: The ERP's spelling.
        seen: A look at its documents, which shows none that counts.
        made: What this ledger has made of it; None where it knows of nothing.
    """
    if made is None:
        return None
    gone = {target.id for target in seen.cancelled.get(number, ())}
    is_gone = made.targets and {target.id for target in made.targets} <= gone
    return None if is_gone else known_to_ledger(number, made, was_asked=bool(seen.users))


def known_to_ledger(number: BillNumber, made: Made, *, was_asked: bool) -> Outcome:
    """Say what becomes of a number of which this ledger has made something.

    The ERP shows nothing, since it cannot be asked or the document is hidden or gone: only a
    person knows whether it may be pushed again (`--again`).

    Args:
        number: The ERP's spelling.
        made: What this ledger has made of it.
        was_asked: The ERP was asked for its documents.
    """
    if was_asked:
        why = remark("note.unshown", run=made.run)
        return Outcome(number, State.ALREADY, made.targets, code=UNSHOWN, reason=why)
    why = remark("note.made_by_run", run=made.run)
    return Outcome(number, State.ALREADY, made.targets, code=BY_LEDGER, reason=why)
