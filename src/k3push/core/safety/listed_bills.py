"""Which bill of the source form a line of a job file means.

A line names a bill by its number, its id or both. A number may belong to bills of several
organisations, an id to one bill. Whether two spellings are one number is for the ERP to say: a
look by the number that shows the id is its word for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from k3push.core.model import BillNumber, Identified, Source, id_in, key_of, number_in
from k3push.core.safety.matching import fold


class Unclear(StrEnum):
    """Why a line means no bill."""

    ABSENT = "absent"
    """The form shows no such bill."""

    AMBIGUOUS = "ambiguous"
    """Several bills have the number, and no id says which."""

    TWO_BILLS = "two bills"
    """Its number and its id are of different bills."""

    UNNUMBERED = "unnumbered"
    """It has no number, or one with blanks about it, by which no document could be found."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What a line means.

    Attributes:
        sources: The bill; those to choose from, where it is not one; those of its number, where
            its id is of none that is shown.
        bill: What the bill is called; None where it is not one.
        unclear: Why not; None where it is one.
    """

    sources: tuple[Source, ...] = ()
    bill: Identified | None = None
    unclear: Unclear | None = None

    @property
    def parts_company(self) -> bool:
        """Whether its number is a bill's, or bills', and its id is none of theirs."""
        absent = self.unclear is Unclear.ABSENT and bool(self.sources)
        return absent or self.unclear is Unclear.TWO_BILLS


def meant(listed: BillNumber, by_number: Sequence[Source], by_id: Source | None = None) -> Meant:
    """Say which bill a line means.

    Args:
        listed: What the line says (`Listed.key`).
        by_number: Bills that have the number that it names or, where it names none, the number of
            the bill that has its id.
        by_id: The bill that has the id that it names, unless *by_number* holds it.

    >>> one, other = Source(BillNumber("A"), "1"), Source(BillNumber("A"), "2")
    >>> meant(key_of("a"), [one]).bill, meant(key_of("a"), [one, other]).unclear.name
    (Identified(bill='A', id='1'), 'AMBIGUOUS')
    >>> meant(key_of("a", "2"), [one, other]).bill
    Identified(bill='A,2', id='2')
    """
    id_ = id_in(listed)
    if not id_:
        return _by_number(by_number)
    found = next((each for each in by_number if each.id == id_), by_id)
    if found is None:
        return Meant(tuple(by_number), unclear=Unclear.ABSENT)
    if not found.number:
        return Meant((found,), unclear=Unclear.UNNUMBERED)
    number = number_in(listed)
    if number and found not in by_number and fold(number) != fold(found.number):
        return Meant((found,), unclear=Unclear.TWO_BILLS)
    return Meant((found,), _named(found, by_number))


def _by_number(sources: Sequence[Source]) -> Meant:
    if not sources:
        return Meant(unclear=Unclear.ABSENT)
    if len(sources) > 1:
        return Meant(tuple(sources), unclear=Unclear.AMBIGUOUS)
    return Meant(tuple(sources), _named(sources[0], sources))


def _named(source: Source, namesakes: Iterable[Source]) -> Identified:
    """Name a bill by its number, and by its id where the number alone would not tell it."""
    alone = all(each.id == source.id for each in namesakes)
    plain = key_of(source.number)
    tells = alone and not id_in(plain)
    return Identified(plain if tells else key_of(source.number, source.id), source.id)
