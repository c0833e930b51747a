"""Which doubts a person's word about a number is meant for.

One number may be in doubt more than once: two routes push it to two kinds of documents, and
organisations share numbers. Who has looked for one document has not looked for the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.model import BillNumber, RunId
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.runs.problem import Problem
from k3push.runs.settle_doubts import in_doubt

Doubts = Sequence[tuple[RunId, BillNumber]]
"""Runs in which a number is in doubt, each with the bill."""


async def kinds_of(ledger: Ledger, doubts: Doubts) -> dict[tuple[str, BillNumber], RunId]:
    """Return what doubts are about: the scope and the bill, each with the run that has it first."""
    kinds: dict[tuple[str, BillNumber], RunId] = {}
    for name, bill in doubts:
        run = await ledger.run(name)
        kinds.setdefault((run.scope if run else name, bill), name)
    return kinds


async def doubts_meant(ledger: Ledger, number: BillNumber, run: RunId | None = None) -> Doubts:
    """Return the doubts that a word about a number is meant for; none where it is in no doubt.

    Args:
        ledger: Where they are.
        number: As the list or the ERP has it; with an id it is one bill.
        run: The run that was named beside it, or None.

    Raises:
        Problem: It is in doubt for several bills, or several kinds of documents.
    """
    found = [each for each in await in_doubt(ledger, number) if run in {None, each[0]}]
    kinds = await kinds_of(ledger, found)
    if len(kinds) > 1:
        named = "; ".join(f"{name} {bill}" for (_, bill), name in kinds.items())
        raise Problem(remark("error.word_of_several", number=number, which=named))
    return found
