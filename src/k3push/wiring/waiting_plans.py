"""Plans that wait for approval, found by what their lists hold: no run has those bills yet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from anyio import to_thread

from k3push.adapters.plan_file import PlanFileError, names_bill
from k3push.ports import Ledger
from k3push.runs.find import list_names
from k3push.runs.kept_in_ledger.request_stages import Request, requests
from k3push.runs.kept_in_ledger.row_search import is_long_enough


def names_of(request: Request) -> str:
    """Return what people know the lists of a request by."""
    return str(request.how.get("called", "")) or ", ".join(list_names(request.jobs))


async def plans_naming(ledger: Ledger, words: str) -> Sequence[Request]:
    """Return plans that wait for approval and whose list or user, or a bill, is called so in part.

    Bills are looked for in plans that this computer has.
    """
    waiting = [r for r in await requests(ledger, only_open=True) if r.waits_for_approval]
    found = []
    for each in waiting:
        called = f"{names_of(each)}\n{each.by}".casefold()
        if words.casefold() in called or await to_thread.run_sync(_holds, each, words):
            found.append(each)
    return found


def _holds(request: Request, words: str) -> bool:
    with suppress(OSError, PlanFileError):
        return is_long_enough(words) and names_bill(Path(request.plan), words)
    return False
