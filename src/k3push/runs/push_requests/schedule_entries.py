"""What the ledger knows of schedules: who has paused one, and what it has begun last.

A server writes it, and one that is started anew goes by it. Two servers may do so at one time: each
change is made to what was read, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from k3push.ports import Ledger, Memo

SCHEDULE = "schedule"
"""Kind of the memo of a schedule; its id is the schedule's name."""


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """What the ledger knows of a schedule.

    Attributes:
        paused: Nothing is begun by it.
        by: Who has paused it, or let it go on.
        since: When they did, or a server has seen it first; what was due before is not made up
            for.
        last: The time that was due when it began pushes last, or could not; None if never.
        begun: The requests of that time.
        why: What kept it from that, as a remark.
        idle: The last time that was due when there was nothing new; None if there was none.
        turn: Prefix of the ids of the pushes that were begun last.
        turn_at: When that turn was taken.
    """

    name: str
    paused: bool = False
    by: str = ""
    since: datetime | None = None
    last: datetime | None = None
    begun: Sequence[str] = ()
    why: str = ""
    idle: datetime | None = None
    turn: str = ""
    turn_at: datetime | None = None
    version: int = 0


async def entries(ledger: Ledger) -> dict[str, ScheduleEntry]:
    """Return what the ledger knows of schedules, by name."""
    return {memo.id: entry_of(memo) for memo in await ledger.memos(SCHEDULE)}


def entry_of(memo: Memo) -> ScheduleEntry:
    """Read a memo of the kind `SCHEDULE`."""

    def moment(key: str) -> datetime | None:
        text = memo.value.get(key)
        return datetime.fromisoformat(text) if text else None

    return ScheduleEntry(
        memo.id,
        paused=bool(memo.value.get("paused")),
        by=str(memo.value.get("by", "")),
        since=moment("since"),
        last=moment("last"),
        begun=tuple(memo.value.get("begun", ())),
        why=str(memo.value.get("why", "")),
        idle=moment("idle"),
        turn=str(memo.value.get("turn", "")),
        turn_at=moment("turn_at"),
        version=memo.version,
    )


async def note(ledger: Ledger, name: str, at: datetime, **changes: Any) -> ScheduleEntry:
    """Change what the ledger knows of a schedule, and return it as it is then."""
    while True:
        memo = await ledger.memo(SCHEDULE, name)
        if changed := await revise_entry(ledger, name, memo, at, **changes):
            return changed


async def revise_entry(
    ledger: Ledger, name: str, memo: Memo | None, at: datetime, **changes: Any
) -> ScheduleEntry | None:
    """Change what the ledger knows of a schedule; None where somebody else has, meanwhile."""
    entry = replace(entry_of(memo) if memo else ScheduleEntry(name), **changes)
    value = {
        "paused": entry.paused,
        "by": entry.by,
        "since": entry.since.isoformat() if entry.since else "",
        "last": entry.last.isoformat() if entry.last else "",
        "begun": list(entry.begun),
        "why": entry.why,
        "idle": entry.idle.isoformat() if entry.idle else "",
        "turn": entry.turn,
        "turn_at": entry.turn_at.isoformat() if entry.turn_at else "",
    }
    if memo is None:
        kept = await ledger.remember(Memo(SCHEDULE, name, at, value))
        return replace(entry, version=1) if kept.value == value else None
    revised = await ledger.revise(replace(memo, value=value))
    return replace(entry, version=memo.version + 1) if revised else None
