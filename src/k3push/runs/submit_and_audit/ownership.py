"""Whose the documents are: nothing is submitted or audited that this ledger has not made.

A document that an answer to a push names is ours. One that a look alone has found, since the
answer was lost, may be another program's; it is followed where its creator is one of those who
have made documents that our answers name. Of a number that has more documents than its push made,
nobody but a person can say which is to stay. And what an earlier execution has found may be
another bill's by now, since a restored database gives ids and numbers out again.

`document_makers` and `own_documents` ask a like question, whether what has come since a push was
made by it, and a mistake costs the opposite there. To take our own document for another's would
push its bill a second time; so one passes for ours whose maker nobody knows, or who may be the
maker of its bill. Here to take another's for ours would audit it, while one that is left alone
waits for a person; so its creator must be the only one of the documents that answers to this run
have named. That is learnt from documents that are read for their steps anyway; where they do not
tell, from the sample of all runs that `document_makers` reads.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from itertools import chain

import anyio

from k3push.core.model import (
    PARTLY,
    TWIN,
    BillNumber,
    Document,
    Follow,
    Outcome,
    Row,
    Sighting,
    Standing,
    Target,
    number_in,
)
from k3push.core.pacing.growing_pauses import lag_pauses
from k3push.core.remark import read_remark, remark
from k3push.core.safety.document_steps import IN_APPROVAL, TAKEN_BACK, is_done
from k3push.core.safety.target_sets import new_targets
from k3push.runs.context import Context
from k3push.runs.documents.own_documents import strangers_among, with_loose_of_others
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.documents.there_already import is_thin
from k3push.runs.kept_in_ledger.kept_attempts import sent_by
from k3push.runs.lookup.document_lookup import look_at_standings
from k3push.runs.lookup.looker import can_ask
from k3push.runs.proof.document_makers import created_at
from k3push.runs.submit_and_audit.earlier_steps import was_submitted
from k3push.runs.submit_and_audit.under_way import FollowedDocument, UnderWay

LOCAL_TIMES_DIFFER = timedelta(hours=26)
"""The server's local time and the ledger's are nearer to each other than this."""

BESIDE_KEEPS_S = 30.0
"""For how long a look counts that has shown no second document of a bill."""

# Documents of each user that are read to learn as whom the run's pushes make them.
MOST_LEARNT_FROM = 50


@dataclass(slots=True)
class Ownership:
    """Whose documents are, as far as one execution has found out.

    Attributes:
        _makers: Who has made documents that answers to a sender name, by sender.
        _senders: Names under which our pushes travel, by the user who makes their documents.
        _strange: Who has made documents that were left alone for that, by their id.
        _has_learnt: Documents of the run were read for their makers.
        _expected: Of which rows documents are that an earlier execution has found, by id.
        _twins: Documents of bills that have too many.
        _parts: Documents of bills of which the ERP has refused a part.
        _untied: Documents that a number alone ties to their bill.
        _already: Documents that were there before.
        _bills: Of which bills documents are, and which those have beside them.
        _looked_s: When the bills of a document were last looked at, by `Context.awake_s`.
    """

    context: Context
    under_way: UnderWay
    _makers: dict[str, set[str]] = field(default_factory=dict)
    _senders: dict[str, str] = field(default_factory=dict)
    _strange: dict[str, str] = field(default_factory=dict)
    _has_learnt: bool = False
    _expected: dict[str, list[Row]] = field(default_factory=dict)
    _twins: set[str] = field(default_factory=set)
    _parts: set[str] = field(default_factory=set)
    _untied: set[str] = field(default_factory=set)
    _already: set[str] = field(default_factory=set)
    _bills: dict[str, dict[BillNumber, Sequence[Target]]] = field(default_factory=dict)
    _looked_s: dict[str, float] = field(default_factory=dict)

    # -- what rows tell -----------------------------------------------------------------------

    def note_codes(self, of: Iterable[Row | Outcome]) -> None:
        """Note documents of bills that have too many, and of bills that were refused in part.

        One may be another bill's as well.
        """
        for each in of:
            if each.code == TWIN:
                self._twins.update(target.id for target in each.targets)
            elif each.code == PARTLY:
                self._parts.update(target.id for target in each.targets)

    def note_made(self, outcomes: Iterable[Outcome]) -> None:
        """Note of which bills documents are that a look has found a moment ago."""
        for each in outcomes:
            for target in each.targets:
                self._bills.setdefault(target.id, {})[each.number] = each.targets
                self._looked_s[target.id] = self.context.awake_s

    async def note_already(self, rows: Iterable[Row]) -> None:
        """Note documents that were there before.

        One that a number alone ties to its bill is left to a person, and so are several of one
        bill; where the rule splits bills, those beside what another run has pushed.
        """
        for row in rows:
            ids = {target.id for target in row.targets}
            self._already |= ids
            if is_thin(row.reason):
                self._untied |= ids
            elif len(ids) > 1 and not (
                await self.context.may_split() and await self._may_be_parts(row.bill, ids)
            ):
                self._twins |= ids

    async def _may_be_parts(self, bill: BillNumber, ids: Collection[str]) -> bool:
        """Say whether documents may be what one push of a bill has made, whoever pushed it."""
        made = (await self.context.ids_of_others([bill])).get(bill, frozenset())
        told = await self._told_of_twins(bill)
        return told.isdisjoint(ids) and (not made or made.issuperset(ids))

    def expect(self, rows: Iterable[Row], known: Mapping[str, Document]) -> None:
        """Note of which bills documents are that an earlier execution has found."""
        steps = self.context.route.follow
        for row in rows:
            for target in row.targets:
                document = known.get(target.id)
                if document is None or not is_done(document, steps):
                    self._expected.setdefault(target.id, []).append(row)
                    self._bills.setdefault(target.id, {})[row.bill] = row.targets

    # -- before a step ------------------------------------------------------------------------

    async def lost_among(self, ids: Mapping[str, Standing]) -> Mapping[str, BillNumber]:
        """Look whether documents that an earlier execution has found are still of their bills.

        A database that was restored gives ids and numbers out again, to documents of other bills.
        And somebody may have made a second document of such a bill since.

        Args:
            ids: The documents, as they stand.

        Returns:
            Those that no look shows as their bill's any more, for a while; where nobody can be
            asked for that, or the ERP refuses the question, those that were made at another time
            than their row says.
        """
        context = self.context
        every = [row for id_ in ids for row in self._expected.get(id_, ())]
        rows = {id_: self._expected[id_][0] for id_ in ids if id_ in self._expected}
        asked = {id_: row.bill for id_, row in rows.items()}
        strange = {id_: row.bill for id_, row in rows.items() if _is_of_another_time(row, ids[id_])}
        if not asked or not can_ask(context):
            return strange
        # Another bill may have got the number of one since.
        for row in every:
            context.recall(row)
        lost, pauses = asked, lag_pauses(context.settle.first_wait_s)
        unread: set[str] = set()
        while True:
            bills = list(dict.fromkeys(r.bill for id_ in lost for r in self._expected[id_]))
            seen = await look_at_sent(context, bills, by_all=True, stop_or_not=True)
            self._looked_s.update(dict.fromkeys(asked, context.awake_s))
            await self._note_beside([(row.bill, row.targets) for row in every], seen)
            if not (context.route.source_number_field or seen.linked.issuperset(bills)):
                return strange  # nobody could be asked
            unread.update(id_ for id_, bill in lost.items() if bill in seen.refused)
            # What an answer has named is ours, whatever a field says of its source.
            kinds = (seen.targets, seen.shared, seen.cancelled, seen.denied, seen.loose)
            shown = {bill: {t.id for kind in kinds for t in kind.get(bill, ())} for bill in bills}
            read = {id_: bill for id_, bill in lost.items() if id_ not in unread}
            # Where no link tells, a merged document may bear the number of another of its bills.
            of = {
                id_: [bill] if bill in seen.linked else [row.bill for row in self._expected[id_]]
                for id_, bill in read.items()
            }
            lost = {
                id_: bill
                for id_, bill in read.items()
                if not any(id_ in shown[each] for each in of[id_])
            }
            if not lost or (pause_s := next(pauses, None)) is None:
                break
            # A copy of the database that lags behind may have answered.
            await anyio.sleep(pause_s)
        lost |= {id_: bill for id_, bill in strange.items() if id_ in unread}
        for id_ in asked.keys() - lost.keys():
            del self._expected[id_]
        return lost

    async def look_beside(self, ids: Iterable[str]) -> None:
        """Look for second documents of bills that were looked at some time ago.

        A step may wait: for its pause, for a person, or for the end of a call that was lost.
        """
        context = self.context
        since_s = context.awake_s - BESIDE_KEEPS_S
        old = [id_ for id_ in ids if self._looked_s.get(id_, since_s) < since_s]
        if not old or not can_ask(context):
            return
        made = {bill: targets for id_ in old for bill, targets in self._bills[id_].items()}
        seen = await look_at_sent(context, list(made), by_all=True, stop_or_not=True)
        self._looked_s.update(dict.fromkeys(old, context.awake_s))
        await self._note_beside(made.items(), seen)

    async def _note_beside(
        self, made: Iterable[tuple[BillNumber, Sequence[Target]]], seen: Sighting
    ) -> None:
        """Note documents of bills of which somebody has made a further one since.

        Where the rule splits bills, it may have saved one of its own late: makers and times tell.
        """
        context = self.context
        if context.repeats_pushes:
            return
        of_bills = {bill: {target.id for target in targets} for bill, targets in made}
        before: dict[BillNumber, Collection[str]] = {}
        for bill in of_bills:
            kept = await sent_by(context.ledger, context.run.id, bill)
            before[bill] = kept[0].attempt.intent.before.get(bill, ()) if kept else ()
        # A number that somebody has typed in ties his document to the bill where none of our calls
        # can have made it.
        seen = await with_loose_of_others(context, seen, before)
        known = {}
        for bill, ids in of_bills.items():
            # What other runs have pushed of it, they have pushed on purpose.
            ours = (await context.ids_of_others([bill])).get(bill, frozenset())
            ours -= await self._told_of_twins(bill)
            known[bill] = ids | ours | set(before[bill])
        more = new_targets({n: seen.targets.get(n, ()) for n in of_bills}, known)
        if more and await context.may_split():
            strangers = await strangers_among(context, more, may_send=False)
            more = {n: ts for n, ts in more.items() if not strangers.isdisjoint(t.id for t in ts)}
        for bill in more:
            self._twins |= of_bills[bill]

    async def _told_of_twins(self, bill: BillNumber) -> set[str]:
        """Return the documents of which nothing but a row says that a bill has several."""
        rows = [row for _, row in await self.context.ledger.rows_of(bill)]
        told = {target.id for row in rows if row.code == TWIN for target in row.targets}
        return told - {target.id for row in rows if row.code != TWIN for target in row.targets}

    async def hindrance(
        self, entry: FollowedDocument, standing: Standing, lost: Mapping[str, BillNumber]
    ) -> str:
        """Say why a document may not be ours, or "".

        Args:
            entry: The document; one that is found to be ours gets its sender.
            standing: How it stands.
            lost: See `lost_among`.
        """
        id_ = entry.document.id
        if id_ in lost:
            return remark("note.document.of_another", number=number_in(lost[id_]))
        noted = {
            remark("note.document.twin"): self._twins,
            remark("note.document.thin"): self._untied,
            # To approve it would be to say that the bill is done.
            remark("note.document.part"): self._parts,
        }
        if why := next((why for why, ids in noted.items() if id_ in ids), ""):
            return why
        ledger, form = self.context.ledger, self.context.route.target
        if standing.status == TAKEN_BACK and await was_submitted(ledger, id_, form):
            return remark("note.document.taken_back")  # after another run's call, a moment ago
        is_already = id_ in self._already and not entry.document.sender
        if is_already and standing.status == IN_APPROVAL:
            was_ours = await was_submitted(ledger, id_, form)
            return "" if was_ours else remark("note.document.submitted_by_others")
        is_ours = await self._is_ours(entry, standing)
        return "" if is_ours else self._set_apart(id_, standing.creator)

    def recall(self, document: Document) -> None:
        """Take in that an earlier execution has left a document alone for its maker."""
        told = read_remark(document.reason)
        if document.follow is Follow.REFUSED and told and told[0] == "note.document.not_ours":
            self._strange[document.id] = str(told[1]["creator"])
            self.under_way.ended[document.id] = document

    def is_strange(self, id_: str) -> bool:
        """Say whether a document was left alone since nothing tells that we have made it."""
        return id_ in self._strange

    def _set_apart(self, id_: str, creator: str) -> str:
        """Say that a document may be another's, by its maker."""
        if creator not in self._senders:
            self._strange[id_] = creator  # it may turn out to be one of ours
        if not creator:
            return remark("note.document.no_maker")
        return remark("note.document.not_ours", creator=creator)

    async def _is_ours(self, entry: FollowedDocument, standing: Standing) -> bool:
        """Say whether this ledger has made a document, as far as that can be known."""
        document = entry.document
        if document.sender or document.id in self._already:
            return True
        if standing.creator not in self._senders:
            return False
        context, sender = self.context, self._senders[standing.creator]
        makers = await context.proofs.makers.of(context, context.ledger, context.run.id, sender)
        if makers.looks_copied and standing.creator.casefold() != sender.casefold():
            return False  # a rule copies who has made the bill, who may have pushed it as well
        entry.document = replace(document, sender=self._senders[standing.creator])
        return True

    # -- who makes ours -----------------------------------------------------------------------

    async def learn(self, due: Sequence[Document], standings: Mapping[str, Standing]) -> None:
        """Learn as whom our pushes make documents, from those that their answers name.

        What was left alone for its maker goes on where that is one of ours after all.

        Args:
            due: Documents that are about to take a step.
            standings: How they stand.
        """
        self._take_in(due, standings)
        nameless = [
            each
            for each in due
            if not each.sender and each.id in standings and each.id not in self._already
        ]

        def is_unknown() -> bool:
            return any(standings[each.id].creator not in self._senders for each in nameless)

        if not self._has_learnt and is_unknown():
            self._has_learnt = True
            if named := await self._named():
                ids = [each.id for each in named]
                self._take_in(named, await look_at_standings(self.context, ids))
            if is_unknown():
                await self._learn_of_other_runs()
        ours = [id_ for id_, creator in self._strange.items() if creator in self._senders]
        await self.under_way.reopen(ours)
        for id_ in ours:
            del self._strange[id_]

    async def _named(self) -> list[Document]:
        """Return documents of the run that answers name, some of each user's.

        The first of a run may be none of these: the answers to its first calls may have been lost.
        """
        context, after = self.context, ""
        found: dict[str, list[Document]] = {user: [] for user in context.erp.users}
        while page := await context.ledger.documents(context.run.id, after=after):
            after = page[-1].id
            for document in page:
                of_sender = found.setdefault(document.sender, [])
                if document.sender and len(of_sender) < MOST_LEARNT_FROM:
                    of_sender.append(document)
            if all(len(found[user]) == MOST_LEARNT_FROM for user in context.erp.users):
                break
        return list(chain.from_iterable(found.values()))

    async def _learn_of_other_runs(self) -> None:
        """Learn of the documents that answers to other runs name: a run may have one bill alone."""
        context = self.context
        for user in context.erp.users:
            makers = await context.proofs.makers.of(context, context.ledger, context.run.id, user)
            if makers.constant:
                self._makers.setdefault(user, set()).add(makers.constant)
        self._find_senders()

    def _take_in(self, documents: Iterable[Document], standings: Mapping[str, Standing]) -> None:
        for document in documents:
            standing, sender = standings.get(document.id), document.sender
            if sender and standing and standing.creator:
                self._makers.setdefault(sender, set()).add(standing.creator)
        self._find_senders()

    def _find_senders(self) -> None:
        # Where a sender's documents bear several makers, their maker is not who sent.
        self._senders = {
            next(iter(makers)): sender
            for sender, makers in self._makers.items()
            if len(makers) == 1
        }


def _is_of_another_time(row: Row, standing: Standing) -> bool:
    """Say whether a document was made before its row was sent, or after it was settled.

    The form tells the server's local time, which is within a day of the ledger's.
    `document_makers` has a nearer bound for what came too late, since it compares with a call; a
    row is settled later.
    """
    if (local := created_at(standing)) is None:
        return False
    created = local.replace(tzinfo=UTC)
    is_early = row.sent_at is not None and created < row.sent_at - LOCAL_TIMES_DIFFER
    is_late = row.settled_at is not None and created > row.settled_at + LOCAL_TIMES_DIFFER
    return is_early or is_late
