"""Which bills the lines of a list mean, and which are not sent: `already`, or refused (rule 3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from k3push.core.model import (
    BY_LEDGER,
    UNSHOWN,
    BillNumber,
    Identified,
    Outcome,
    Route,
    Row,
    RunId,
    Sighting,
    Source,
    Standing,
    State,
    Target,
    Targets,
    id_in,
    number_in,
)
from k3push.core.protocol.bill_rows import DRAFT
from k3push.core.remark import also, remark
from k3push.core.safety.evidence import made_outcome
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.core.safety.listed_bills import Meant, Unclear, meant
from k3push.ports import Ledger, Made
from k3push.runs.lookup.document_lookup import look_at_standings_if_allowed
from k3push.runs.lookup.looker import Looker, can_ask
from k3push.runs.lookup.newest_lookup import look_at_newest
from k3push.runs.lookup.source_lookup import look_at_ids, look_at_sources
from k3push.runs.lookup.target_lookup import look_at_targets
from k3push.runs.proof.document_makers import SAMPLE, UNSURE
from k3push.runs.proof.named_documents import (
    MOST_SOUGHT,
    MOST_TOLD,
    NamedDocument,
    named_by_answers,
    named_of,
    rows_of_others,
    taken_by,
)

PRECHECK = "precheck"
"""`Outcome.code` of a number that is rejected unsent."""

AMBIGUOUS = "ambiguous"
"""`Outcome.code` of a number that several bills have, where nothing tells which is meant."""

SHARED = "shared"
"""`Outcome.code` of a bill whose number others have, where nothing tells whose a document is."""

CANCELLED_SINCE = "cancelled_since"
"""`Outcome.code` of a bill whose document somebody has cancelled since the bill was sent."""

# Bills that a reason names.
MOST_NAMED = 10


@dataclass(slots=True)
class SourceLook:
    """What a look at the source form has shown of lines.

    Attributes:
        meant: Which bills they mean.
        refused: The ERP's words for those whose query it refuses.
    """

    meant: dict[BillNumber, Meant] = field(default_factory=dict)
    refused: dict[BillNumber, str] = field(default_factory=dict)

    @property
    def contradictory(self) -> set[BillNumber]:
        """Lines whose number and id are not of one bill, so that no document tells of them."""
        return {line for line, meant in self.meant.items() if meant.parts_company}

    def add(self, other: SourceLook) -> None:
        """Take in what another look has shown, of other lines."""
        self.meant.update(other.meant)
        self.refused.update(other.refused)


async def look_at_listed(context: Looker, lines: Sequence[BillNumber]) -> SourceLook:
    """Ask the source form which bills lines mean, by their numbers and by their ids.

    A number that is listed with an id is asked for as any other, and most often the id is among
    what it shows. Only the ids that are left take a question of their own, and the numbers of
    those bills another, which shows whether a number tells its bill.
    """
    by_number, refused = await _look_at_numbers(context, map(number_in, lines))

    def shows(line: BillNumber) -> bool:
        sources = by_number.get(number_in(line), ())
        return any(source.id == id_in(line) for source in sources)

    ids = dict.fromkeys(id_in(line) for line in lines if id_in(line) and not shows(line))
    by_id: Mapping[str, Source] = {}
    refused_ids: Mapping[str, str] = {}
    if ids:
        shown, refused_ids = await look_at_ids(context, list(ids))
        by_id = {id_: _by_what_is_found(source) for id_, source in shown.items()}
    found, refused_then = await _look_at_numbers(
        context, (source.number for source in by_id.values() if source.number not in by_number)
    )
    by_number |= found
    refused |= refused_then
    listed = SourceLook()
    for line in lines:
        source = by_id.get(id_in(line))
        number = number_in(line) or (source.number if source else "")
        words = refused.get(BillNumber(number)) or refused_ids.get(id_in(line))
        if words:
            listed.refused[line] = words
        listed.meant[line] = meant(line, by_number.get(BillNumber(number), ()), source)
    return listed


def _by_what_is_found(source: Source) -> Source:
    """Take a number with blanks about it for none: a look may not find its documents by it.

    Some databases pass over blanks at the end, and none over others.
    """
    is_bare = source.number == source.number.strip()
    return source if is_bare else source._replace(number=BillNumber(""))


async def _look_at_numbers(
    context: Looker, numbers: Iterable[BillNumber]
) -> tuple[dict[BillNumber, tuple[Source, ...]], dict[BillNumber, str]]:
    asked = [number for number in dict.fromkeys(numbers) if number]
    found, refused = await look_at_sources(context, asked) if asked else ({}, {})
    return dict(found), dict(refused)


def unsendable(
    route: Route, lines: Collection[BillNumber], listed: SourceLook
) -> tuple[dict[BillNumber, Identified], dict[BillNumber, Outcome | None]]:
    """Judge lines by what a look at the source form has shown of them.

    Args:
        route: Whose source form it is.
        lines: As the job file has them (`model.Listed.key`).
        listed: What the look has shown.

    Returns:
        The bill that each means which means one, and why each may not be sent, or None.
    """
    bills: dict[BillNumber, Identified] = {}
    outcomes: dict[BillNumber, Outcome | None] = {}
    for line in lines:
        bill = listed.meant[line].bill
        if line in listed.refused:
            outcomes[line] = query_refused(line, listed.refused[line])
            continue
        if bill is not None:
            bills[line] = bill
        outcomes[line] = refusal(line, listed.meant[line], route)
    return bills, outcomes


def refusal(line: BillNumber, found: Meant, route: Route) -> Outcome | None:
    """Say why a line is rejected unsent, or None if its bill may be sent."""
    if found.bill is None:
        code = AMBIGUOUS if found.unclear is Unclear.AMBIGUOUS else PRECHECK
        return Outcome(line, State.REJECTED, code=code, reason=_unclear(line, found))
    blocked = found.sources[0].blocked
    if not blocked or route.send_blocked:
        return None
    why = remark(f"note.blocked.{blocked}")
    return Outcome(found.bill.bill, State.REJECTED, code=PRECHECK, reason=why)


def _unclear(line: BillNumber, found: Meant) -> str:
    match found.unclear:
        case Unclear.AMBIGUOUS:
            return _ambiguous(found.sources)
        case Unclear.TWO_BILLS:
            other = found.sources[0].number
            return remark("note.two_bills", id=id_in(line), number=other)
        case Unclear.UNNUMBERED:
            return remark("note.unnumbered")
        case _:
            return remark("note.no_source")


def _ambiguous(sources: Sequence[Source]) -> str:
    """List the bills that have one number, for a person to choose from."""
    ids = _few([f"{s.id} ({s.organisation})" if s.organisation else s.id for s in sources])
    if any(each.organisation for each in sources):
        return remark("note.ambiguous_there", ids=ids)
    return remark("note.ambiguous", ids=ids)


def _few(names: Sequence[str]) -> str:
    return ", ".join([*names[:MOST_NAMED], *(["…"] if len(names) > MOST_NAMED else [])])


def query_refused(number: BillNumber, words: str) -> Outcome:
    """Say that a number is rejected unsent since the ERP refuses to be asked for it."""
    why = remark("note.query_refused", why=words)
    return Outcome(number, State.REJECTED, code=PRECHECK, reason=why)


def renamed(bill: BillNumber) -> Outcome:
    """Say that a bill is not sent again, since its number does not tell it any more.

    It was sent under its number, and what it may have made is looked for by that.
    """
    return Outcome(bill, State.REJECTED, code=AMBIGUOUS, reason=remark("note.renamed"))


def whose(bill: BillNumber, documents: Sequence[Target]) -> Outcome:
    """Say that a bill is not sent, since documents are there that may be its own.

    They name its number, which other bills have too, and no link and no ledger tells whose they
    are: to push it might make a second one.
    """
    why = remark("note.whose", documents=_few([each.label for each in documents]))
    return Outcome(bill, State.REJECTED, code=SHARED, reason=why)


def of_namesakes(bill: BillNumber, documents: Sequence[Target]) -> Outcome:
    """Say that a bill is not sent by its number, since documents were made from others of it.

    The ERP may take the number for one of those, and the bill may be pushed by its id.
    """
    why = remark("note.of_namesakes", documents=_few([each.label for each in documents]))
    return Outcome(bill, State.REJECTED, code=AMBIGUOUS, reason=why)


def unclear(
    context: Looker,
    bill: BillNumber,
    seen: Sighting,
    before: Collection[str] | None = None,
    *,
    by_id: bool,
) -> Outcome | None:
    """Say that a look shows documents of a bill's number and not whether they are its own.

    Where links tell, and were asked for the bill, what they do not name is not its own, whatever
    a field says.

    Args:
        context: What was looked with.
        bill: The ERP's spelling.
        seen: The look.
        before: Ids of the documents that were there before the bill was sent; None if it was not.
        by_id: It travels by its id, which the ERP takes for no other bill.
    """

    def new(found: Targets) -> list[Target]:
        return [target for target in found.get(bill, ()) if target.id not in (before or ())]

    # Of a bill that was sent, what bears its number alone may be another call's.
    loose = new(seen.loose) if before is not None else []
    if documents := [*new(seen.shared), *loose]:
        return whose(bill, documents)
    if (documents := new(seen.namesakes)) and not by_id:
        return of_namesakes(bill, documents)
    told = context.links.tell and bill in seen.linked
    documents = [] if told else new(seen.denied)
    if before is not None and documents:
        why = remark("note.denied", documents=_few([each.label for each in documents]))
        return Outcome(bill, State.REJECTED, code=SHARED, reason=why)
    if odd := [each for each in documents if each.id in seen.thin]:
        why = remark("note.odd_form", documents=_few([each.label for each in odd]))
        return Outcome(bill, State.REJECTED, code=SHARED, reason=why)
    if before is not None and (documents := new(seen.cancelled)):
        # It may be what the sending made; somebody has cancelled it, and may not want another.
        why = remark("note.cancelled_since", documents=_few([each.label for each in documents]))
        return Outcome(bill, State.REJECTED, code=CANCELLED_SINCE, reason=why)
    return None


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

    The ERP closes a source whose quantity its targets have used up (P 13.3), so that a list that
    is pushed twice is `already` there and not closed. Where a number has several bills, nothing
    tells which of them was pushed.

    Args:
        context: What to look with.
        refused: Outcomes of unsent numbers, in the ERP's spelling where it has one.
        known: What other runs of this ledger have made of them.
        contradictory: Lines that are refused for what they say (`SourceLook.contradictory`).
        named: Tells which have a document by an answer alone (`by_answers`).
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
            outcomes.append(
                already(number, seen.targets[number], thin=seen.knows_by_number_alone(number))
            )
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


def already(number: BillNumber, targets: tuple[Target, ...], *, thin: bool = False) -> Outcome:
    """Say what becomes of a number that has targets and is not sent for that.

    Args:
        number: The ERP's spelling.
        targets: The documents that are there.
        thin: They are known by the source number alone.
    """
    there = made_outcome(number, targets)
    draft = remark("note.draft_before") if there.state is State.DRAFT else ""
    alone = remark("note.thin") if thin else ""
    both = remark("note.also", first=draft, more=alone) if draft and alone else draft or alone
    return Outcome(number, State.ALREADY, there.targets, reason=both)


def is_thin(reason: str) -> bool:
    """Say whether a row's reason tells that its documents are known by the number alone."""
    return "note.thin" in reason


def ours_of_shared(
    number: BillNumber, seen: Sighting, made: Made | None, before: Collection[str] = ()
) -> Outcome | None:
    """Say that a bill has documents which its fields leave open, but which the ledger knows.

    It knows them by an answer that has named them.

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


async def by_answers(
    context: Looker,
    ledger: Ledger,
    scope: str,
    bills: Mapping[BillNumber, str],
    *,
    run: RunId | None = None,
    of_run_alone: bool = False,
) -> dict[BillNumber, Outcome]:
    """Say which bills have a document by an answer alone, and are not sent for that.

    No look shows of which bill it is, and a person who went by that may have said that nothing was
    made. Where the call carried others as well, nobody knows of which of them it is; nor does
    anybody where the document may be there and out of sight. The call may be one of any run.

    Args:
        context: What to look with.
        ledger: Keeps what answers have named.
        scope: Whose runs count.
        bills: Each with its id, or "" where that is not known.
        run: Which is about to send; None where nothing is sent, and what is not seen is gone.
        of_run_alone: Only calls of that run count.
    """
    named = await named_of(ledger, context.route, scope, bills, run if of_run_alone else None)
    if not named:
        return {}
    sight = await _sight_of(context, ledger, run, named)
    rows = await _rows_naming(ledger, scope, sight, named)
    judged = {bill: _by_answer(bill, documents, sight, rows) for bill, documents in named.items()}
    return {bill: outcome for bill, outcome in judged.items() if outcome is not None}


_Rows = Mapping[str, Sequence[tuple[RunId, Row]] | None]
"""Rows of bills that a call did not carry, by the document of its answer that they name too; None
where an answer has named it for one of them as well."""


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
        why = reduce(also, taken[:MOST_TOLD], remark("note.named"))
        return made_outcome(bill, mine)._replace(reason=why)
    return whose(bill, there) if there else None


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

    An ERP that was restored gives ids out again. For each all rows are looked through, and a night
    in which none could be read leaves many: those are sought that would be a bill's own.
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
