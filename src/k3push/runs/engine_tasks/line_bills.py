"""Which bill each planned row means now, against what earlier executions knew of it.

A row names a bill by number, by id or by both. A bill may have got another number since the row was
written, or its number may be another bill's by now. A row that was sent keeps the name by which it
was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import anyio

from k3push.core.model import (
    BillNumber,
    Identified,
    Outcome,
    Row,
    State,
    id_in,
)
from k3push.core.pacing.chunking import split
from k3push.core.remark import remark
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.runs.context import Context
from k3push.runs.kept_in_ledger.moved_rows import attempts_at_another, note_moved
from k3push.runs.kept_in_ledger.planned_runs import is_of_plan
from k3push.runs.lookup.source_check import (
    PRECHECK,
    SourceLook,
    look_at_listed,
    renamed,
    unsendable,
)
from k3push.runs.stop import guarded


@dataclass(frozen=True, slots=True)
class NamedRows:
    """Planned rows, after a look at their sources.

    Attributes:
        sendable: Those that may be sent, each with its bill.
        unsent: What becomes of the others.
        rows: Those that have a name, by what they are called.
        crossed: Whose number and id are not one bill's.
    """

    sendable: Sequence[tuple[Row, BillNumber]] = ()
    unsent: Sequence[Outcome] = ()
    rows: Mapping[BillNumber, Row] = field(default_factory=dict)
    crossed: Collection[BillNumber] = ()


async def name_rows(context: Context, rows: Sequence[Row], moved: set[BillNumber]) -> NamedRows:
    """Look at the sources of planned rows, and say which may be sent.

    Args:
        context: The execution.
        rows: Planned ones.
        moved: Takes the bills whose numbers were another bill's when this run sent them.
    """
    by_line = {row.listed: row for row in rows}
    looked_s = context.awake_s
    looked = await look_at_sources(context, list(by_line))
    if context.stop.asked:
        return NamedRows()
    known, outcomes = unsendable(context.route, by_line, looked)
    replaced = await _replaced(context, by_line, known)
    outcomes |= replaced
    known = {line: known[line] for line in known if line not in replaced}
    known |= await _known_otherwise(context, rows, known)
    earlier = await _note_moved(context, by_line, known, moved)
    identified = await context.ledger.identify(context.run.id, known)
    await _note_led_away(context, [by_line[line] for line in identified.led_away], earlier, moved)
    context.watch.repeated(identified.repeats)
    for repeat in identified.repeats:
        outcomes.pop(repeat.number, None)
    for line, bill in identified.apart.items():
        known[line] = Identified(bill, known[line].id)
    known = {line: known[line] for line in known if line in outcomes}
    bills = {line: _called(by_line[line], known[line].bill) for line in known}
    for line, each in known.items():
        context.source_ids[bills[line]] = each.id
        context.looked_s[bills[line]] = looked_s
        if line in identified.led_away:
            context.source_ids[bills[line]] = by_line[line].source_id
            outcomes[line] = renamed(bills[line])
        elif id_in(each.bill) and not id_in(bills[line]):
            outcomes[line] = renamed(bills[line])
        elif by_line[line].listed_id:
            context.ids[bills[line]] = by_line[line].source_id or each.id
    # A bill keeps the name that an earlier execution gave it, even if no look finds it now.
    called = {line: bills.get(line, by_line[line].bill) or line for line in outcomes}
    with_bill = [line for line in outcomes if line in bills or by_line[line].bill]
    by_bill = {called[line]: by_line[line] for line in with_bill}
    unsent = [
        outcome._replace(number=called[line])
        for line, outcome in outcomes.items()
        if outcome is not None
    ]
    for bill in by_bill.keys() - bills.values():
        # No look shows it any more: its number may be another bill's by now.
        context.recall(by_bill[bill])
    crossed = {called.get(line, line) for line in looked.contradictory | replaced.keys()}
    sendable = [(by_line[n], bills[n]) for n, outcome in outcomes.items() if outcome is None]
    return NamedRows(sendable, unsent, by_bill, crossed)


async def look_at_sources(context: Context, lines: Sequence[BillNumber]) -> SourceLook:
    """Look at the source form, a page's questions side by side; not all where a stop comes."""
    looked = SourceLook()

    async def look(part: Sequence[BillNumber]) -> None:
        looked.add(await look_at_listed(context, part))

    async with anyio.create_task_group() as looks:
        for part in split(lines, MOST_NUMBERS):
            looks.start_soon(guarded, context.stop, partial(look, part))
    return looked


async def _replaced(
    context: Context, rows: Mapping[BillNumber, Row], known: Mapping[BillNumber, Identified]
) -> dict[BillNumber, Outcome]:
    """Reject lines of a plan whose number another bill has by now: nobody has agreed to that.

    Args:
        context: The execution.
        rows: By line.
        known: The bill that each line means now.
    """
    others = {
        line: rows[line].source_id
        for line, named in known.items()
        if rows[line].source_id not in {"", named.id}
    }
    if not others or not await is_of_plan(context.ledger, context.run.id):
        return {}
    return {
        line: Outcome(line, State.REJECTED, code=PRECHECK, reason=remark("note.replaced", id=id_))
        for line, id_ in others.items()
    }


async def _note_moved(
    context: Context,
    rows: Mapping[BillNumber, Row],
    known: Mapping[BillNumber, Identified],
    moved: set[BillNumber],
) -> Mapping[BillNumber, int]:
    """Write down, before they get its id, which rows are of another bill than was sent.

    Nothing that is there of that one is ours.

    Returns:
        What was written down of them until now.
    """
    earlier = {}
    for line, named in known.items():
        row = rows[line]
        if row.attempts and row.source_id not in {"", named.id}:
            moved.add(row.bill)
            context.sent_before.pop(row.bill, None)
            run, now = context.run.id, context.clock.now()
            earlier[row.bill] = await attempts_at_another(context.ledger, run, row.bill)
            await note_moved(context.ledger, run, row.bill, row.attempts, at=now)
    return earlier


async def _note_led_away(
    context: Context,
    rows: Sequence[Row],
    earlier: Mapping[BillNumber, int],
    moved: set[BillNumber],
) -> None:
    """Undo `_note_moved` for rows that turn out to be of the bill that was sent.

    Their numbers have gone to bills of other rows.
    """
    for row in rows:
        moved.discard(row.bill)
        run, now = context.run.id, context.clock.now()
        attempts = earlier.get(row.bill, 0)
        await note_moved(context.ledger, run, row.bill, attempts, at=now)


async def _known_otherwise(
    context: Context, rows: Sequence[Row], known: Mapping[BillNumber, Identified]
) -> dict[BillNumber, Identified]:
    """Return lines for which the look finds no bill, though another line's bill has their number.

    A bill may have got another number between two questions. The refusal of the one line would be
    written to the other's row.
    """
    of_others = {each.bill: each for each in known.values()}
    lost: dict[BillNumber, Identified] = {}
    for row in rows:
        if row.bill or row.listed in known:
            continue
        if row.listed in of_others:
            lost[row.listed] = of_others[row.listed]
            continue
        kept = await context.ledger.rows_of(row.listed)
        for run, other in kept:
            if run == context.run.id and other.bill == row.listed:
                lost[row.listed] = Identified(other.bill, other.source_id)
    return lost


def _called(row: Row, bill: BillNumber) -> BillNumber:
    """Return what a bill is called in this run: one that was sent keeps its name."""
    return row.bill if row.attempts else bill
