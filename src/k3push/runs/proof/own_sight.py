"""Whether a user of the ERP is shown what he has made himself.

Users have rights to data: some see their own documents alone, or those of some organisations. A
user may be made anew under the same login, or his rights may change. Then he may not be shown what
was made before, and its absence proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import anyio

from k3push.core.model import BillNumber, Row, Run, RunId, number_in
from k3push.core.remark import remark
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.ports import Doubt, Ledger, Made
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under
from k3push.runs.lookup.document_lookup import look_at_standings, look_at_standings_if_allowed
from k3push.runs.lookup.looker import Looker
from k3push.runs.proof.document_makers import LEAST_SAMPLE, MOST_KNOWN
from k3push.runs.proof.named_documents import NamedCall, named_and_untied
from k3push.runs.proof.person_words import says_absent

UNSEEN = "unseen"
"""`Outcome.code` of a number in doubt whose sender may not be shown what he has made."""

# For how long a document that an answer has named and no look shows counts as hidden from its user.
# Later it was probably deleted.
UNSHOWN_KEEPS = timedelta(days=31)

# The documents of how many bills about the time of a call are looked for.
NEAREST = 5

# After so long what answers have named is read again, and what a user is shown asked again: he may
# lose a right between two doubts.
READ_AGAIN_S = 5.0


class _Made(NamedTuple):
    """What a run has made of a bill.

    Attributes:
        at: When its call began, or the run.
        number: The bill.
        ids: The documents.
        run: The run.
        call: Equal for bills that have certainly travelled together.
    """

    at: datetime
    number: BillNumber
    ids: frozenset[str]
    run: RunId
    call: object


@dataclass(slots=True)
class OwnSight:
    """What one execution has found out about what senders are shown, by sender."""

    _made: dict[tuple[str, str], Sequence[_Made]] = field(default_factory=dict)
    _senders: dict[tuple[RunId, BillNumber], set[str]] = field(default_factory=dict)
    _shown: dict[str, bool] = field(default_factory=dict)
    _asked_s: float = -math.inf
    _missed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    _read_s: float = -math.inf

    async def sees_earlier(
        self, looker: Looker, ledger: Ledger, run: Run, doubt: Doubt, before: datetime
    ) -> bool:
        """Say whether what a sender has made about the time of a call is shown still.

        Some of those documents may be deleted, so that one document of a call stands for all of its
        bills. If the ledger knows documents of fewer than `LEAST_SAMPLE` bills, the answer is yes.

        Args:
            looker: What to look with.
            ledger: What was made.
            run: Whose scope counts.
            doubt: A bill of the call, which an earlier execution has sent.
            before: When this execution began; only earlier documents count.
        """
        made: list[_Made] = []
        for of in dict.fromkeys((doubt.run, run.id, "")):
            if (of, doubt.sender) not in self._made:
                read = await _made_before(ledger, run, of, doubt.sender, before)
                self._made[of, doubt.sender] = read
            made += self._made[of, doubt.sender]
        made.sort(key=lambda each: abs(each.at - doubt.began_at))
        by_call: dict[object, frozenset[str]] = {}
        for each in made:
            by_call[each.call] = by_call.get(each.call, frozenset()) | each.ids
        nearest = dict[BillNumber, frozenset[str]]()
        for each in made:
            if each.number in nearest:
                continue
            if await self._senders_of(ledger, each) != {doubt.sender}:
                continue
            nearest[each.number] = by_call[each.call]
            if len(nearest) == NEAREST:
                break
        every = frozenset().union(*nearest.values())
        if (now_s := anyio.current_time()) - self._asked_s >= READ_AGAIN_S:
            self._shown, self._asked_s = {}, now_s
        if unasked := every - self._shown.keys():
            shown = await look_at_standings(looker, unasked)
            self._shown.update({id_: id_ in shown for id_ in unasked})
        hidden = sum(not any(self._shown[id_] for id_ in ids) for ids in nearest.values())
        return len(nearest) < LEAST_SAMPLE or 2 * hidden <= len(nearest)

    async def _senders_of(self, ledger: Ledger, made: _Made) -> set[str]:
        """Return as whom a run has sent a bill: one user may be shown what another is not."""
        key = (made.run, made.number)
        if key not in self._senders:
            kept = await attempts_under(ledger, made.run, made.number)
            self._senders[key] = {each.attempt.intent.sender for each in kept}
        return self._senders[key]

    async def missed(
        self, looker: Looker, ledger: Ledger, run: Run, sender: str, until: datetime
    ) -> Sequence[str]:
        """Return documents that answers to a sender have named, and that no look shows.

        The hidden documents of a call count as deleted if a person has said since that nothing was
        made of as many bills of the call.

        Args:
            looker: What to look with.
            ledger: Keeps what answers have named.
            run: Whose scope counts.
            sender: The user.
            until: What was named later may not be shown yet.
        """
        if anyio.current_time() - self._read_s >= READ_AGAIN_S:
            since = until - UNSHOWN_KEEPS
            calls = await named_and_untied(ledger, looker.route, run.scope, since=since)
            calls = [call for call in calls if call.at <= until]
            ids = {id_ for call in calls for id_ in call.documents}
            shown = await look_at_standings_if_allowed(looker, ids) if ids else {}
            gone = ids - (shown.keys() if shown is not None else ids)
            missed: dict[str, list[str]] = {}
            for call in calls:
                hidden = [id_ for id_ in call.documents if id_ in gone]
                absent = await _said_absent(ledger, call)
                # Of one bill there may be several.
                if absent < len(call.bills) and len(hidden) > absent:
                    missed.setdefault(call.sender, []).extend(hidden)
            self._missed, self._read_s = missed, anyio.current_time()
        return self._missed.get(sender, ())


def out_of_sight(documents: Sequence[str]) -> str:
    """Say why nothing proves that a bill has no document, as a remark.

    Args:
        documents: Those that answers have named and no look shows; none where what was made
            earlier is not shown.
    """
    if documents:
        return remark("note.missed", documents=", ".join(f"id {id_}" for id_ in documents[:3]))
    return remark("note.earlier_unshown")


async def _said_absent(ledger: Ledger, call: NamedCall) -> int:
    """Count the bills of a call of which a person has said since that nothing was made."""
    found = 0
    for bill in call.bills:
        # A row may call it by its number, or by its id as well.
        notes = [note for name in {bill, number_in(bill)} for note in await ledger.notes_of(name)]
        since = [note for note in notes if note.run == call.run and note.at >= call.at]
        found += any(says_absent(note.text) for note in since)
    return found


async def _made_before(
    ledger: Ledger, run: Run, of: str, sender: str, before: datetime
) -> list[_Made]:
    """Return the documents that a sender has made before a time, as the ledger knows.

    Args:
        ledger: What was made.
        run: Whose scope counts.
        of: The run whose documents are meant, through any user; "" for those of other runs than
            this one, of which the newest are known, and when their runs began.
        sender: The user.
        before: When this execution began.
    """
    if of:
        rows = await ledger.rows(RunId(of), states=list(SENT_BEFORE), limit=MOST_KNOWN)
        return [
            _Made(row.sent_at, row.bill, _ids_of(row), RunId(of), (of, row.chunk, row.sent_at))
            for row in rows
            if row.targets and row.sent_at and row.sent_at < before
        ]
    made = await ledger.made_by(run.id, sender or None, limit=MOST_KNOWN)
    runs = {each: await ledger.run(each) for each in {each.run for each in made}}
    return [
        _Made(begun.started_at, each.number, _ids_of(each), each.run, (each.run, each.number))
        for each in made
        if (begun := runs[each.run]) and begun.started_at < before and each.run != run.id
    ]


def _ids_of(made: Row | Made) -> frozenset[str]:
    """Return the ids of the documents that a row, or what is known of it, names."""
    return frozenset(target.id for target in made.targets)
