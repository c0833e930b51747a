"""What a run does while another run of its scope is under way."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Literal

import anyio

from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.runs.control import is_paused
from k3push.runs.find import is_under_way
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem

Overlap = Literal["share", "wait", "quit"]

LOOK_EVERY_S = 2.0


async def make_way(
    ledger: Ledger,
    scopes: Collection[str],
    overlap: Overlap,
    warn: Callable[..., None],
    *,
    most_s: float = math.inf,
) -> None:
    """Return once a run may begin.

    Two that begin at the same moment both go on, which is safe: each number is claimed by
    one of them.

    Args:
        scopes: Of the run that is to begin.
        overlap: `share` goes on at once, `wait` waits for their end, `quit` gives way.
        warn: Prints one.
        most_s: For how long it waits: until then it may send.

    Raises:
        Problem: It gives way.
    """
    with anyio.move_on_after(most_s) as waiting:
        await _give_way(ledger, scopes, overlap, warn)
    if waiting.cancelled_caught:
        raise Problem(remark("overlap.until"), Exit.STOPPED)


async def _give_way(
    ledger: Ledger, scopes: Collection[str], overlap: Overlap, warn: Callable[..., None]
) -> None:
    told: set[tuple[RunId, bool]] = set()
    while overlap != "share" and (other := await _under_way(ledger, scopes)) is not None:
        if overlap == "quit":
            raise Problem(remark("overlap.quit", run=other), Exit.STOPPED)
        paused = is_paused(await ledger.commands(other))
        if (other, paused) not in told:
            told.add((other, paused))
            warn("overlap.paused" if paused else "overlap.waiting", run=other)
        await anyio.sleep(LOOK_EVERY_S)


async def _under_way(ledger: Ledger, scopes: Collection[str]) -> RunId | None:
    for run in await ledger.runs(undone=True):
        if run.scope in scopes and await is_under_way(ledger, run):
            return run.id
    return None
