"""Looks at what has come to its end: a document may be shown, or made, after its row was written.

What was in doubt is looked at once more at the end of an execution, what the ERP has refused a
while after it was refused, and what a person vouched for at the beginning of the next execution.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing

import anyio

from k3push.core.model import PARTLY, TWIN, BillNumber, Outcome, Row, Sighting, State, Target
from k3push.core.remark import also, read_remark, remark
from k3push.core.safety.conclusion import made_beside
from k3push.core.safety.legal_moves import AMENDABLE, FINAL, SENT_BEFORE
from k3push.core.safety.target_sets import labels, new_targets
from k3push.ports import SHORTEST_WAIT_S
from k3push.runs.context import Context
from k3push.runs.documents.own_documents import ours_of, strangers_among
from k3push.runs.documents.renumbered_bills import look_at_sent
from k3push.runs.documents.there_already import already
from k3push.runs.documents.twins import note_twins, told_of_twins
from k3push.runs.kept_in_ledger.kept_attempts import sent_by, was_sent
from k3push.runs.kept_in_ledger.row_pages import pages_of
from k3push.runs.lookup.source_check import AMBIGUOUS, PRECHECK
from k3push.runs.other_calls.earlier_calls import doubted_by_others, was_in_doubt
from k3push.runs.other_calls.open_elsewhere import but_open_elsewhere
from k3push.runs.proof.missed_looks import DueLook, due_look, note_due, note_made
from k3push.runs.proof.unclear_documents import SHARED

# A wait at the end that is worth a word.
TELL_OF_S = 5.0


async def look_once_more(context: Context) -> None:
    """Look again at all that was refused or in doubt, and note that this is done.

    Where the ERP refuses to be asked for some of it, that alone stays due for the next execution.
    """
    await look_at_all_refused(context)
    await _look_at_suspects(context)
    if context.look_due_since is not None:
        now = context.clock.now()
        await note_made(context.ledger, context.run.id, left=context.unlooked, at=now)


async def _look_at_suspects(context: Context) -> None:
    """Look again at what was in doubt in this execution and has documents by now.

    A document that a rule saved later is added to its row. The row becomes a twin in two cases: no
    bill is known to have several documents, so a person may have made this one; or the number was
    sent again, so its earlier call was carried out after the window.
    """
    elsewhere = {} if context.repeats_pushes else context.doubted_elsewhere
    suspects = dict.fromkeys(elsewhere, frozenset[str]()) | context.suspects
    if not suspects or not context.reads_back:
        return
    await context.recall_sources(suspects)
    seen = await look_at_sent(
        context, list(suspects), before=suspects, by_all=True, stop_or_not=True
    )
    context.unlooked |= {number: suspects[number] for number in _not_told(context, seen, suspects)}
    shown = {number: seen.targets.get(number, ()) for number in suspects}
    shown = await but_open_elsewhere(context, shown)
    others = await context.ids_of_others(suspects)
    amended = []
    for number, before in suspects.items():
        theirs = before | others.get(number, frozenset())
        found = [t for t in shown.get(number, ()) if t.id not in theirs]
        for run, row in await context.ledger.rows_of(number) if found else ():
            ids = {target.id for target in row.targets}
            more = tuple(target for target in found if target.id not in ids)
            if run != context.run.id or row.bill != number or not more:
                continue
            if row.state is State.REJECTED:
                await _take_back_given_up(context, row, more, thin=seen.thin)
            elif outcome := await _with_more(context, row, more, elsewhere=number in elsewhere):
                amended.append(outcome)
    if amended:
        await context.ledger.amend(
            context.run.id,
            amended,
            at=context.clock.now(),
            note=remark("note.more_documents"),
        )
        note_twins(context, amended)


async def _take_back_given_up(
    context: Context, row: Row, found: tuple[Target, ...], *, thin: Collection[str]
) -> None:
    """Say of a rejected row that it has documents by now.

    Such a row is one of two kinds. Either it was rejected while its last call was in doubt: that
    call may have made the documents. Or it waited for another run and was rejected unsent: its
    documents were there already.
    """
    if await was_sent(context.ledger, context.run.id, row):
        outcomes = list((await ours_of(context, {row.bill: found}, may_send=False)).values())
    else:
        outcomes = [already(row.bill, found, thin=thin)] if row.code == PRECHECK else []
    for outcome in outcomes:
        await _take_back(context, outcome, refused=False)


async def _with_more(
    context: Context, row: Row, more: tuple[Target, ...], *, elsewhere: bool
) -> Outcome | None:
    """Add documents to a row; None where it names none, or none of these is ours.

    Args:
        context: The execution.
        row: Of this run.
        more: What it does not name.
        elsewhere: It has waited for another run, whose call may be carried out as well.
    """
    if row.state not in AMENDABLE:
        return None
    strangers = await strangers_among(context, {row.bill: more}, may_send=False)
    sent = await sent_by(context.ledger, context.run.id, row.bill) if row.attempts else ()
    ours = {target.id for target in more} - strangers if sent else set()
    if row.state is State.ALREADY and not ours:
        return None
    outcome = made_beside(row.bill, [*row.targets, *more], strangers)
    twice = len(sent) > 1 or row.state is State.ALREADY or elsewhere
    if not outcome.code and (twice or row.code == TWIN or not await context.may_split()):
        outcome = told_of_twins(outcome)
    code = outcome.code or (PARTLY if row.code == PARTLY else "")
    return outcome._replace(code=code, reason=outcome.reason or row.reason)


async def name_vouched(context: Context, rows: Sequence[Row]) -> list[Row]:
    """Find the documents of rows that a person has settled, whose word named none.

    Returns:
        The rows, with what was found.
    """
    silent = {row.bill: row for row in rows if row.state is State.PUSHED and not row.targets}
    if not silent or not context.reads_back:
        return list(rows)
    await context.recall_sources(silent)
    seen = await look_at_sent(context, list(silent), by_all=True)
    amended = []
    for bill in silent.keys() & {*seen.targets, *seen.loose}:
        before = {bill: await _before_first(context, bill)}
        made = new_targets({bill: seen.targets.get(bill, ())}, before)
        ours = await ours_of(context, made, may_send=False)
        if outcome := ours.get(bill):
            if not await context.may_split():
                outcome = told_of_twins(outcome)
            amended.append(outcome._replace(reason=outcome.reason or silent[bill].reason))
        elif loose := new_targets({bill: seen.loose.get(bill, ())}, before).get(bill):
            # One of them is what the person has seen, and nothing tells which bill made it.
            why = remark("note.whose", documents=labels(loose))
            row = silent[bill]
            if (reason := also(row.reason, why)) != row.reason:
                amended.append(Outcome(bill, row.state, (), row.code, reason))
    if amended:
        note = remark("note.more_documents")
        await context.ledger.amend(context.run.id, amended, at=context.clock.now(), note=note)
        note_twins(context, amended)
    named = {each.number: each for each in amended}
    return [
        row._replace(
            state=named[row.bill].state,
            targets=named[row.bill].targets,
            code=named[row.bill].code,
        )
        if row.bill in named
        else row
        for row in rows
    ]


async def note_refused(context: Context, numbers: Collection[BillNumber], *, late: bool) -> None:
    """Note numbers that are about to be given up by the ERP's word.

    Args:
        context: The execution.
        numbers: The ERP's spellings.
        late: Looks may show later what was saved all the same.
    """
    await note_look(context)
    none, now_s = frozenset[str](), anyio.current_time()
    context.refused |= {n: (context.sent_before.get(n, none), now_s) for n in numbers}
    if late:
        context.refused_s = now_s


async def note_look(context: Context) -> None:
    """Write down that a last look is due, before what it is for is settled or sent again."""
    # If several tasks note it at the same moment, all wait until it is written down.
    async with context.noting_look:
        due_since, now = context.look_due_since, context.clock.now()
        # After a kill, the next execution tells by the times of the rows which of them the look is
        # for.
        if due_since is None or now < due_since:
            await note_due(context.ledger, context.run.id, now)
            context.look_due_since = now


async def look_at_all_refused(context: Context) -> None:
    """Look at all that was refused, once looks surely show what was saved (P 5.7)."""
    left_s = context.refused_s + context.settle.first_wait_s - anyio.current_time()
    if left_s > TELL_OF_S:
        context.watch.waiting(remark("note.refused_once_more"), left_s)
    if left_s > 0:
        # A stop waits for this look as well: what was sent has to be told.
        await anyio.sleep(left_s)
    await look_at_refused(context, all_of_them=True)


async def look_at_refused(context: Context, *, all_of_them: bool = False) -> float:
    """Look once at what the ERP has refused, when looks surely show what was saved (P 5.7).

    Args:
        context: The execution.
        all_of_them: Also those that were refused a moment ago, as the execution ends.

    Returns:
        Seconds until the next look is due; infinite if none is.
    """
    early: set[BillNumber] = set()
    patience_s, now_s = context.settle.first_wait_s, anyio.current_time()
    waits = {n: at_s + patience_s - now_s for n, (_, at_s) in context.refused.items()}
    due = [n for n, wait_s in waits.items() if all_of_them or wait_s <= SHORTEST_WAIT_S]
    before = {number: context.refused[number][0] for number in due}
    if all_of_them:
        before |= context.unlooked
    if before and context.reads_back:
        await context.recall_sources(before)
        seen = await look_at_sent(
            context, list(before), before=before, by_all=True, stop_or_not=True
        )
        others = {n: ids for n, ids in context.unlooked.items() if n not in before}
        context.unlooked = others | {n: before[n] for n in _not_told(context, seen, before)}
        ours = await ours_of(context, new_targets(seen.targets, before), may_send=False)
        for outcome in ours.values():
            # What was seen is written down, whatever ends the execution now.
            with anyio.CancelScope(shield=True):
                if not await _take_back(context, outcome):
                    early.add(outcome.number)
    # The end of an execution may cut a look off, and makes another.
    for number in due:
        context.refused.pop(number, None)
    if not all_of_them:
        context.refused |= {n: (before[n], anyio.current_time()) for n in early}
    left = [wait_s for n, wait_s in waits.items() if n not in before]
    return min([*left, *([patience_s] if early else [])], default=math.inf)


def _not_told(
    context: Context, seen: Sighting, before: Mapping[BillNumber, Collection[str]]
) -> set[BillNumber]:
    """Return the bills of which a look has not told whether something was made.

    The ERP has refused to be asked for them, or a new document bears the number alone, and whether
    the site keeps links could not be learnt: that read has failed (rule 7).
    """
    learnt = context.links.find or context.links.are_kept
    loose = {} if learnt else new_targets(seen.loose, before)
    return {*seen.refused, *(number for number, found in loose.items() if found)}


async def _take_back(context: Context, outcome: Outcome, *, refused: bool = True) -> bool:
    """Say of a number that was given up that it was made all the same, or a part of it.

    Args:
        context: The execution.
        outcome: What a look has shown.
        refused: It was given up by the ERP's word.

    Returns:
        False where that is not written down yet: the ledger may be away for a while.
    """
    now, note, run = context.clock.now(), remark("note.more_documents"), context.run.id
    rows = [row for of, row in await context.ledger.rows_of(outcome.number) if of == run]
    for row in rows:
        if row.bill == outcome.number and row.state is State.REJECTED:
            told = outcome
            by_us = row.code in {PRECHECK, AMBIGUOUS, SHARED}
            if refused and not by_us and told.code == TWIN:
                told = told._replace(reason=also(row.reason, told.reason))
            elif refused and not by_us:
                # An earlier call may have made all of it, and this one a part: nobody can tell.
                told = told._replace(code=PARTLY, reason=row.reason)
            await context.ledger.conclude(run, [told], at=now, note=note)
            note_twins(context, [told])
    return all(row.bill != outcome.number or row.state in FINAL for row in rows)


async def recall_due_look(context: Context) -> None:
    """Take in what an execution that was cut off before its last look was refused, or had in doubt.

    An earlier call of what was sent twice may have been carried out after its window, and so may
    one of another run that was waited for; and a rule may save documents one after another.
    """
    run = context.run
    due = await due_look(context.ledger, run.id)
    context.not_looked_at, context.look_due_since = due, due.since if due else None
    if due is None:
        return
    found = await _found_by_looks(context, due)
    async with aclosing(pages_of(context.ledger, run, AMENDABLE | {State.REJECTED})) as pages:
        async for rows in pages:
            sent = [row for row in rows if row.attempts and row.settled_at]
            ended = [r for r in sent if r.settled_at and r.settled_at >= due.since_of(r.bill)]
            await _recall_rows(context, ended, due, found)


async def _found_by_looks(context: Context, due: DueLook) -> set[BillNumber]:
    """Return the bills whose documents a look alone has told since: more may have come."""
    found, after = set[BillNumber](), 0
    while notes := await context.ledger.notes_in(context.run.id, after=after):
        after = notes[-1].id
        told = [note for note in notes if _tells_of_look(note.text)]
        found.update(n.number for n in told if n.at >= due.since_of(n.number))
    return found


def _tells_of_look(note: str) -> bool:
    """Say whether a note on a row is of a look that has told what a call made.

    >>> settled = remark("note.settled")
    >>> [_tells_of_look(note) for note in (settled, remark("note.also", first=settled, more="x"))]
    [True, True]
    >>> _tells_of_look("settled")
    False
    """
    told = read_remark(note)
    if told and told[0] == "note.also":
        told = read_remark(str(told[1]["first"]))
    by_look = {"note.settled", "note.settled_absent", "note.found_again"}
    return told is not None and told[0] in by_look


async def _recall_rows(
    context: Context, rows: Sequence[Row], due: DueLook, found: Collection[BillNumber]
) -> None:
    """Take in what was refused, in doubt, or waited for another run's call.

    Args:
        context: The execution.
        rows: Rows that have come to their end since the look became due.
        due: What it is due for.
        found: Bills whose documents a look alone has told.
    """
    made = [row.bill for row in rows if row.state in SENT_BEFORE]
    elsewhere = await doubted_by_others(context, made, due.first)
    context.doubted_elsewhere |= dict.fromkeys(elsewhere)
    lately = {*found, *due.left}
    for row in rows:
        if row.state is State.REJECTED:
            if not await was_sent(context.ledger, context.run.id, row):
                continue
            age_s = (context.clock.now() - row.settled_at).total_seconds() if row.settled_at else 0
            # Whatever the clocks say, nobody waits for longer than that.
            ago_s = min(max(age_s, 0.0), context.settle.first_wait_s)
            at_s = anyio.current_time() - ago_s
            context.refused[row.bill] = (await _before_first(context, row.bill), at_s)
            context.refused_s = max(context.refused_s, at_s)
        elif row.bill in lately or (row.attempts > 1 and await _was_in_doubt(context, row.bill)):
            context.suspects[row.bill] = await _before_last(context, row.bill)


async def _was_in_doubt(context: Context, bill: BillNumber) -> bool:
    """Say whether some call of this run for a bill may have been carried out late."""
    return any(map(was_in_doubt, await sent_by(context.ledger, context.run.id, bill)))


async def _before_first(context: Context, bill: BillNumber) -> frozenset[str]:
    """Return which documents of a bill were there before this run first sent it."""
    kept = await sent_by(context.ledger, context.run.id, bill)
    return frozenset(kept[0].attempt.intent.before.get(bill, ()) if kept else ())


async def _before_last(context: Context, bill: BillNumber) -> frozenset[str]:
    """Return which documents of a bill were known before this run last sent it."""
    kept = await sent_by(context.ledger, context.run.id, bill)
    return frozenset(id_ for each in kept for id_ in each.attempt.intent.before.get(bill, ()))
