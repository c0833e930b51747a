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
"""Kind of the memo of a schedule; its id is the name of the tenant and that of the schedule.

Tenants of one account may share a ledger. Earlier the id was the schedule's name alone.
"""


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


async def entries(ledger: Ledger, tenant: str) -> dict[str, ScheduleEntry]:
    """Return what the ledger knows of a tenant's schedules, by name."""
    memos = {memo.id: memo for memo in await ledger.memos(SCHEDULE)}
    own, early = _id(tenant, ""), {id_ for id_ in memos if "/" not in id_}
    names = early | {id_.removeprefix(own) for id_ in memos if id_.startswith(own)}
    return {name: _entry(name, memos.get(_id(tenant, name)), memos.get(name)) for name in names}


async def entry_now(ledger: Ledger, tenant: str, name: str) -> ScheduleEntry:
    """Return what the ledger knows of a schedule."""
    memo = await ledger.memo(SCHEDULE, _id(tenant, name))
    return _entry(name, memo, None if memo else await ledger.memo(SCHEDULE, name))


def _id(tenant: str, name: str) -> str:
    return f"{tenant}/{name}"


def _entry(name: str, memo: Memo | None, early: Memo | None) -> ScheduleEntry:
    """Read what is known of a schedule; *early* tells it under its name alone."""
    known = memo or early
    if known is None:
        return ScheduleEntry(name)

    def moment(key: str) -> datetime | None:
        text = known.value.get(key)
        return datetime.fromisoformat(text) if text else None

    return ScheduleEntry(
        name,
        paused=bool(known.value.get("paused")),
        by=str(known.value.get("by", "")),
        since=moment("since"),
        last=moment("last"),
        begun=tuple(known.value.get("begun", ())),
        why=str(known.value.get("why", "")),
        idle=moment("idle"),
        turn=str(known.value.get("turn", "")),
        turn_at=moment("turn_at"),
        version=memo.version if memo else 0,
    )


async def note(
    ledger: Ledger, tenant: str, name: str, at: datetime, **changes: Any
) -> ScheduleEntry:
    """Change what the ledger knows of a schedule, and return it as it is then."""
    while True:
        entry = await entry_now(ledger, tenant, name)
        if changed := await revise_entry(ledger, tenant, entry, at, **changes):
            return changed


async def revise_entry(
    ledger: Ledger, tenant: str, entry: ScheduleEntry, at: datetime, **changes: Any
) -> ScheduleEntry | None:
    """Change what the ledger knows of a schedule; None where somebody else has, meanwhile."""
    entry = replace(entry, **changes)
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
    memo = Memo(SCHEDULE, _id(tenant, entry.name), at, value)
    if entry.version:
        is_done = await ledger.revise(replace(memo, version=entry.version))
        return replace(entry, version=entry.version + 1) if is_done else None
    kept = await ledger.remember(memo)
    return replace(entry, version=1) if kept.value == value else None
