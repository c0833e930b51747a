"""Which bills the lines of a list mean, and which are refused unsent (rule 3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from k3push.core.model import (
    BillNumber,
    Identified,
    Outcome,
    Route,
    Source,
    State,
    id_in,
    number_in,
)
from k3push.core.remark import few, remark
from k3push.core.safety.listed_bills import Meant, Unclear, meant
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.source_lookup import look_at_ids, look_at_sources

PRECHECK = "precheck"
"""`Outcome.code` of a number that is rejected unsent."""


AMBIGUOUS = "ambiguous"
"""`Outcome.code` of a number that several bills have, where nothing tells which is meant."""


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
        """Lines with the number of one bill and the id of another: no document settles them."""
        return {line for line, meant in self.meant.items() if meant.parts_company}

    def add(self, other: SourceLook) -> None:
        """Take in what another look has shown, of other lines."""
        self.meant.update(other.meant)
        self.refused.update(other.refused)


async def look_at_listed(context: Looker, lines: Sequence[BillNumber]) -> SourceLook:
    """Ask the source form which bills lines mean, by their numbers and by their ids.

    A number that is listed with an id is asked for as any other, and the answer mostly shows the
    id too. Ids that it does not show are asked for in a second question. A third one asks for the
    numbers that the bills of these ids have, to learn whether other bills bear them as well.
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
    ids = few([f"{s.id} ({s.organisation})" if s.organisation else s.id for s in sources])
    if any(each.organisation for each in sources):
        return remark("note.ambiguous_there", ids=ids)
    return remark("note.ambiguous", ids=ids)


def query_refused(number: BillNumber, words: str) -> Outcome:
    """Say that a number is rejected unsent since the ERP refuses to be asked for it."""
    why = remark("note.query_refused", why=words)
    return Outcome(number, State.REJECTED, code=PRECHECK, reason=why)


def renamed(bill: BillNumber) -> Outcome:
    """Say that a bill is not sent again, since its number does not tell it any more.

    It was sent under its number, and what it may have made is looked for by that.
    """
    return Outcome(bill, State.REJECTED, code=AMBIGUOUS, reason=remark("note.renamed"))
