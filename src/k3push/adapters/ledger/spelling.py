"""What the rows of a run are called, and which of them turn out to be one bill."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from k3push.adapters.ledger.rules import may_be_one
from k3push.core.model import BillNumber, Identified, State, id_in, key_of, number_in
from k3push.core.safety import legal_moves


class Spelled(NamedTuple):
    """How a row is spelled, and whether it has a past.

    Attributes:
        place: `Row.place`.
        attempt: The last attempt that carried it, or 0.
        bill: What the ERP calls it, or "".
        id: Its id, or "": rows of earlier versions have none.
    """

    place: int
    state: State
    attempt: int
    bill: BillNumber
    id: str = ""


class Spelling(NamedTuple):
    """What is to be written of the rows of a run.

    Attributes:
        written: What rows are called from now on, by place; others stay as they are.
        taken: Rows to take away, each with the row that stands for it.
        given_up: What no row is called any more; a claim for it ends.
        apart: `Identification.apart`.
        led_away: `Identification.led_away`.
    """

    written: Mapping[int, Identified]
    taken: Mapping[int, int]
    given_up: Sequence[BillNumber]
    apart: Mapping[BillNumber, BillNumber]
    led_away: frozenset[BillNumber]


def spell(
    rows: Iterable[Spelled],
    lines: Mapping[int, BillNumber],
    bills: Mapping[BillNumber, Identified],
    kept_ids: Collection[str] = (),
) -> Spelling:
    """Name rows as the ERP does, and find those that turn out to be one bill.

    A row that was sent keeps what it was called then, so that its attempts and its claim are
    found again. Its number may be another bill's by now: where it is to be sent once more, it gets
    that one's id, unless another row has it.

    Args:
        rows: The rows of a run that are to be named, and those of the same numbers.
        lines: What the job file calls them, by place.
        bills: What lines are to be called.
        kept_ids: Ids of the run's other rows.

    Raises:
        legal_moves.IllegalMoveError: Two rows are one bill, and neither may be taken away.
    """
    by_place = {row.place: row for row in sorted(rows)}
    wanted = {place: bills[line] for place, line in lines.items() if line in bills}
    names = _told_apart(by_place, _named(by_place, wanted, kept_ids))
    new = {
        place: named
        for place, named in names.items()
        if named != (by_place[place].bill, by_place[place].id)
    }
    holders = {
        key: row
        for row in by_place.values()
        if row.place not in new
        for key in _keys(row.bill, row.id)
    }
    taken: dict[int, int] = {}
    for place, named in sorted(new.items()):
        row = by_place[place]
        for key in _keys(*named):
            holder = holders.setdefault(key, row)
            if holder is row:
                continue
            lost = _loser(row, holder, named.bill, wanted)
            kept = row if lost is holder else holder
            taken = {p: kept.place if k == lost.place else k for p, k in taken.items()}
            taken[lost.place] = kept.place
            holders = {k: kept if held is lost else held for k, held in holders.items()}
            if lost is row:
                break
    written = {place: named for place, named in new.items() if place not in taken}
    now = {
        place: written.get(place, Identified(row.bill, row.id))
        for place, row in by_place.items()
        if place not in taken
    }
    before = {row.bill for row in by_place.values()}
    return Spelling(
        written,
        taken,
        given_up=sorted(before - {named.bill for named in now.values()} - {""}),
        apart={
            lines[place]: now[place].bill
            for place, named in wanted.items()
            if place in now and id_in(now[place].bill) and now[place].bill != named.bill
        },
        led_away=frozenset(
            lines[place]
            for place, named in wanted.items()
            if by_place[place].attempt and named.id and now[place].id not in {"", named.id}
        ),
    )


def _named(
    rows: Mapping[int, Spelled], wanted: Mapping[int, Identified], kept_ids: Collection[str]
) -> dict[int, Identified]:
    """Return what rows are called from now on, by place."""
    moving = {
        place: bill.id
        for place, bill in sorted(wanted.items())
        if rows[place].attempt and (rows[place].state is State.PLANNED or not rows[place].id)
        if bill.id and bill.id != rows[place].id
    }
    # Whoever stays where it is keeps its id from the others, which may stay for that.
    while True:
        unsent = {place for place in wanted if not rows[place].attempt}
        going = {*moving, *unsent}
        kept = {row.id for place, row in rows.items() if place not in going}
        # Two bills may have exchanged their numbers.
        kept.update(wanted[place].id for place in unsent)
        kept.update(kept_ids)
        first = {id_: place for place, id_ in reversed(moving.items())}
        staying = [p for p, id_ in moving.items() if id_ in kept or first[id_] != p]
        if not staying:
            break
        for place in staying:
            del moving[place]
    return {
        place: Identified(row.bill, moving.get(place) or row.id) if row.attempt else bill
        for place, bill in wanted.items()
        for row in [rows[place]]
    }


def _told_apart(
    rows: Mapping[int, Spelled], names: Mapping[int, Identified]
) -> dict[int, Identified]:
    """Call bills by number and id whose number another bill of the run goes by, or went by."""
    # Whoever was sent goes by its name as before, wherever it stands.
    staying = [p for p, row in rows.items() if row.bill and (row.attempt or p not in names)]
    ids = {rows[place].bill: names.get(place, rows[place]).id for place in staying}
    apart = {}
    for place, named in sorted(names.items()):
        other_id = ids.get(named.bill, "")
        if not rows[place].attempt and not may_be_one(named.id, other_id):
            named = Identified(key_of(number_in(named.bill), named.id), named.id)  # noqa: PLW2901
        ids.setdefault(named.bill, named.id)
        apart[place] = named
    return apart


def _has_past(row: Spelled) -> bool:
    """Say whether a row was sent or has an outcome: history is never taken away."""
    return row.state is not State.PLANNED or bool(row.attempt)


def _keys(bill: BillNumber, id_: str) -> list[tuple[str, str]]:
    """Return what tells a bill from others: its id above all."""
    return [*([("id", id_)] if id_ else []), *([("bill", bill)] if bill else [])]


def _loser(one: Spelled, other: Spelled, bill: BillNumber, wanted: Collection[int]) -> Spelled:
    """Choose which of two rows that are one bill is taken away: the later one, if it may be.

    A row that is not looked at now may wait to be sent, and is kept.
    """
    order = sorted((one, other), key=lambda each: (each.place in wanted, each.place), reverse=True)
    for row in order:
        if not _has_past(row):
            return row
    raise legal_moves.IllegalMoveError(
        f"{bill}: two rows of the run are this bill, and both have a past"
    )
