"""What looks have shown of bills since they were sent, for whoever goes on with the run.

A document that was shown once is not absent because no look shows it any more; nor is one that
names a number which the bill has had in between.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from k3push.core.model import BillNumber, RunId, Target, Targets
from k3push.ports import Ledger, Memo

SHOWN = "shown_documents"
"""Kind of the memo about a run that names what an attempt of it in doubt may have made."""

MOVED = "moved_documents"
"""Kind of the memo about a run that says since when looks have shown what a lost step has done."""

RENUMBERED = "renumbered_bill"
"""Kind of the memo about a run that names the numbers which a bill has had since."""

ALL = 1_000_000


async def note_shown(
    ledger: Ledger, run: RunId, shown: Mapping[int, Targets], *, at: datetime
) -> None:
    """Write down which documents a look has shown that attempts in doubt may have made."""
    for attempt, found in shown.items():
        value: dict[str, Any] = {
            number: {target.id: [target.number, target.draft] for target in targets}
            for number, targets in found.items()
        }
        await _add(ledger, Memo(SHOWN, f"{run} {attempt}", at, value, about=run))


async def shown_since(ledger: Ledger, run: RunId, attempt: int) -> Targets:
    """Return the documents that looks have shown so far, by source number."""
    kept = await ledger.memo(SHOWN, f"{run} {attempt}")
    return {
        BillNumber(number): tuple(Target(id_, *told) for id_, told in documents.items())
        for number, documents in (kept.value if kept else {}).items()
    }


async def first_shown_at(ledger: Ledger, run: RunId, attempt: int) -> datetime | None:
    """Return when a look has first shown a document that an attempt may have made."""
    kept = await ledger.memo(SHOWN, f"{run} {attempt}")
    return kept.at if kept else None


async def note_moved_documents(ledger: Ledger, run: RunId, step: int, *, at: datetime) -> None:
    """Write down that a look has shown what a step has done whose answer was lost."""
    await ledger.remember(Memo(MOVED, f"{run} {step}", at, {}, about=run))


async def first_moved_at(ledger: Ledger, run: RunId, step: int) -> datetime | None:
    """Return when a look has first shown what a step has done whose answer was lost."""
    kept = await ledger.memo(MOVED, f"{run} {step}")
    return kept.at if kept else None


async def note_numbers(
    ledger: Ledger, run: RunId, id_: str, numbers: Collection[BillNumber], *, at: datetime
) -> None:
    """Write down that looks have seen a bill to have numbers since it was sent."""
    value = {id_: dict.fromkeys(numbers, True)}
    await _add(ledger, Memo(RENUMBERED, f"{run} {id_}", at, value, about=run))


async def numbers_since(ledger: Ledger, run: RunId) -> dict[str, set[BillNumber]]:
    """Return the numbers that looks have seen bills of a run to have, by their ids."""
    return _numbers_in(await ledger.memos(RENUMBERED, about=run, limit=ALL))


async def numbers_since_of_form(ledger: Ledger, form: str) -> dict[str, set[BillNumber]]:
    """Return the same of all runs that push bills of a form: each form has ids of its own."""
    memos = await ledger.memos(RENUMBERED, limit=ALL)
    runs = {run: await ledger.run(RunId(run)) for run in {memo.about for memo in memos}}
    forms = {run: of.route.source.lower() for run, of in runs.items() if of is not None}
    return _numbers_in(memo for memo in memos if forms.get(memo.about) == form.lower())


def _numbers_in(memos: Iterable[Memo]) -> dict[str, set[BillNumber]]:
    since: dict[str, set[BillNumber]] = {}
    for memo in memos:
        for id_, numbers in memo.value.items():
            since.setdefault(id_, set()).update(map(BillNumber, numbers))
    return since


async def _add(ledger: Ledger, memo: Memo) -> None:
    """Write a memo down, or add what it tells to the one that is there."""
    while True:
        kept = await ledger.remember(memo)
        value = {key: {**kept.value.get(key, {}), **told} for key, told in memo.value.items()}
        more: Mapping[str, Any] = {**kept.value, **value}
        # Another look may add to it at the same moment.
        if more == kept.value or await ledger.revise(replace(kept, value=more)):
            return
