"""Judge the documents of the bills of one number, as `audit-dups` finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from k3push.core.model import Source
from k3push.core.protocol.audit_queries import Inspected, sums
from k3push.core.safety.doubles import (
    Basis,
    Judgement,
    Rows,
    Taker,
    judge_documents,
    judge_namesakes,
)


def judge_bills(
    bills: Sequence[Source],
    documents: Sequence[Inspected],
    ordered: Mapping[str, Rows],
    excess: Decimal,
) -> list[tuple[str, Judgement, Sequence[Inspected]]]:
    """Judge the documents of the bills of one number.

    A document whose links name other bills is theirs, whatever its number says: the field may be
    too short for a number. One with a line that has no link names its number alone. Where there
    are several bills, nobody can say of which of them such a document is.

    Returns:
        Of each bill that has too many: its id, what it should have, and what it has.
    """
    of_bills = {bill.id: [Taker(d.id, sums(d.taken, bill.id)) for d in documents] for bill in bills}
    linked = {
        bill.id: {d.id for d in documents if any(t.source == bill.id for t in d.taken)}
        for bill in bills
    }
    bare = {d.id for d in documents if d.bare or not d.taken}
    unlinked = bare.difference(*linked.values())
    judged = {
        bill: judge_documents(
            ordered.get(bill, {}),
            [t for t in takers if t.id in linked[bill] or (len(bills) == 1 and t.id in unlinked)],
            excess,
        )
        for bill, takers in of_bills.items()
    }
    if len(bills) > 1 and unlinked:
        counted = [(judged[bill], len(linked[bill])) for bill in judged]
        expected = judge_namesakes(counted, len(unlinked))
        ours = [d for d in documents if d.id in unlinked.union(*linked.values())]
        if len(ours) <= expected:
            return []
        return [(";".join(judged), Judgement(expected, Basis.COUNT), ours)]
    found: list[tuple[str, Judgement, Sequence[Inspected]]] = []
    for bill, judgement in judged.items():
        held = [d for d in documents if d.id in linked[bill] or d.id in unlinked]
        if len(held) > judgement.expected:
            found.append((bill, judgement, held))
    return found
