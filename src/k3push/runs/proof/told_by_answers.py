"""Bills that have a document by an answer alone, as no look shows whose it is (rule 9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from k3push.core.model import BillNumber, Outcome, Row, RunId, Standing, Target
from k3push.core.protocol.bill_rows import DRAFT
from k3push.core.remark import also, remark
from k3push.core.safety.conclusion import made_outcome
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.ports import Ledger
from k3push.runs.lookup.document_lookup import look_at_standings_if_allowed
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.newest_lookup import look_at_newest
from k3push.runs.proof.document_makers import SAMPLE
from k3push.runs.proof.named_documents import (
    MOST_SOUGHT,
    MOST_TOLD,
    NamedDocument,
    named_by_answers,
    named_of,
    rows_of_others,
    taken_by,
)
from k3push.runs.proof.unclear_documents import whose

_Rows = Mapping[str, Sequence[tuple[RunId, Row]] | None]
"""Rows of bills that a call did not carry, by the document of its answer that they name too; None
where an answer has named it for one of them as well."""


async def by_answers(
    context: Looker,
    ledger: Ledger,
    scope: str,
    bills: Mapping[BillNumber, str],
    *,
    run: RunId | None = None,
    of_run_alone: bool = False,
) -> dict[BillNumber, Outcome]:
    """Say which bills have a document of which only an answer tells, and are therefore not sent.

    No look shows of which bill it is, and a person who went by that may have said that nothing was
    made. Where the call carried others as well, nobody knows of which of them it is; nor does
    anybody where the document may be there and out of sight. The call may be one of any run.

    Args:
        context: What to look with.
        ledger: Keeps what answers have named.
        scope: Whose runs count.
        bills: Each with its id, or "" where that is not known.
        run: The one that is about to send. None: nothing is sent, and what no look shows is gone.
        of_run_alone: Only calls of that run count.
    """
    if not bills:
        return {}
    named = await named_of(ledger, context.route, scope, bills, run if of_run_alone else None)
    if not named:
        return {}
    sight = await _sight_of(context, ledger, run, named)
    rows = await _rows_naming(ledger, scope, sight, named)
    judged = {bill: _by_answer(bill, documents, sight, rows) for bill, documents in named.items()}
    return {bill: outcome for bill, outcome in judged.items() if outcome is not None}


def _by_answer(
    bill: BillNumber, documents: Mapping[str, NamedDocument], sight: _Sight, rows: _Rows
) -> Outcome | None:
    """Say what becomes of a bill by the documents that answers name of its calls."""
    mine, there, taken = [], [], list[str]()
    for id_, document in documents.items():
        if (target := sight.shown(id_)) is None:
            if sight.may_miss(document.sender):
                there.append(Target(id_, ""))
        elif id_ not in rows:
            there.append(target)  # it was not sought, and may be another's
        elif (others := rows[id_]) is not None:
            there.append(target)
            mine += [target] if document.alone else []
            taken += [taken_by(target, of, row) for of, row in others]
    if mine:
        outcome = made_outcome(bill, mine)._replace(reason=remark("note.named"))
    elif there:
        outcome = whose(bill, there)
    else:
        return None
    return outcome._replace(reason=reduce(also, taken[:MOST_TOLD], outcome.reason))


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a look by their ids shows of documents that answers have named.

    Attributes:
        standings: How they stand; None where the target form may not be read.
        blind: Senders of whose documents the look may miss some.
    """

    standings: Mapping[str, Standing] | None
    blind: Collection[str]

    def shown(self, id_: str) -> Target | None:
        """Return a document that is there, and not cancelled."""
        standing = self.standings.get(id_) if self.standings else None
        if standing is None or standing.cancelled:
            return None
        return Target(id_, standing.number, draft=standing.status == DRAFT)

    def may_miss(self, sender: str) -> bool:
        """Say whether a document that is not shown may be there all the same."""
        return self.standings is None or sender in self.blind


async def _sight_of(
    context: Looker,
    ledger: Ledger,
    run: RunId | None,
    named: Mapping[BillNumber, Mapping[str, NamedDocument]],
) -> _Sight:
    """Look for documents by their ids, beside those that the ledger names of the same senders.

    If the sender is no user of the settings, those who look must have been shown all of a sample of
    that sender's documents, since they may see only a part. If a person has deleted all known
    documents of a sender, that sender must be the only user of the settings, and must see some
    documents of the form.
    """
    ids = {id_ for documents in named.values() for id_ in documents}
    senders = {each.sender for documents in named.values() for each in documents.values()}
    samples: dict[str, set[str]] = {}
    if run is not None:
        for sender in senders:
            known = await ledger.made_by(run, sender or None, limit=SAMPLE)
            samples[sender] = {target.id for each in known for target in each.targets}
    asked = ids.union(*samples.values())
    standings = await look_at_standings_if_allowed(context, asked)
    if standings is None:
        return _Sight(None, senders)
    users = {*context.erp.users}
    blind = {
        sender
        for sender, sample in samples.items()
        if not (sample and sample <= standings.keys())
        and not (sender in users and sample & standings.keys())
    }
    if len(users) == 1 and users <= blind and (standings or (await look_at_newest(context)).count):
        blind -= users
    return _Sight(standings, blind)


async def _rows_naming(
    ledger: Ledger,
    scope: str,
    sight: _Sight,
    named: Mapping[BillNumber, Mapping[str, NamedDocument]],
) -> _Rows:
    """Seek documents that answers have named, and that are there, in rows of other bills.

    An ERP that was restored gives ids out again. Each search reads all rows, so that no more than
    `MOST_SOUGHT` are sought, those of calls of one bill first.
    """
    calls = {id_: document for documents in named.values() for id_, document in documents.items()}
    found: dict[str, Sequence[tuple[RunId, Row]] | None] = {}
    there = [target for id_ in calls if (target := sight.shown(id_))]
    for target in sorted(there, key=lambda each: not calls[each.id].alone)[:MOST_SOUGHT]:
        rows = await rows_of_others(ledger, scope, target, calls[target.id].bills)
        # A look by the number may have given it to a row, which no answer has.
        is_anothers = [
            row.state in SENT_BEFORE and target.id in await named_by_answers(ledger, of, row.bill)
            for of, row in rows
        ]
        found[target.id] = None if any(is_anothers) else rows
    return found
