"""What programs are told about their pushes: kept in the ledger until each receiver took it.

An event is written before what it tells of is said to be over, and under an id that follows from
that. So a server that dies in between writes it once, and a receiver that gets it twice sees so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from k3push.core.model import Run
from k3push.ports import Clock, Ledger, Memo
from k3push.runs.kept_in_ledger.request_stages import Request
from k3push.runs.outcome import Exit, followed_of

EVENT = "webhook"

ENDED = "push.ended"
NEEDS_PERSON = "push.needs_person"
DOUBTS = "push.doubts"
FAILED = "push.failed"
PLANNED = "plan.ready"

TYPES = (ENDED, NEEDS_PERSON, DOUBTS, FAILED, PLANNED)

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 3600.0
MOST_WAITING = 1000
# Another server of the ledger may have receivers where this one has none; that is theirs.
KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to one receiver.

    Attributes:
        event: Names the event, for all receivers.
        receiver: Names where it goes (`receiver_id`).
        type: One of `TYPES`.
        data: What it tells, as JSON.
        tenant: Who tells it. Others of the account share the ledger, and not the receivers.
        tries: How often it was sent.
        due_at: When it is sent next, at the earliest.
    """

    event: str
    receiver: str
    at: datetime
    type: str
    data: Mapping[str, Any]
    tries: int
    due_at: datetime
    tenant: str = ""
    version: int = 1


def receiver_id(address: str) -> str:
    """Name an address, which is a secret, so that the ledger tells one from another."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]


def pause_s(tries: int) -> float:
    """Return how long to wait after so many tries.

    >>> [pause_s(tries) for tries in (1, 2, 3, 20)]
    [5.0, 10.0, 20.0, 3600.0]
    """
    return float(min(FIRST_PAUSE_S * 2 ** min(tries - 1, 30), LONGEST_PAUSE_S))


def types_of(run: Run) -> Sequence[str]:
    """Name what the ending of a run is."""
    match run.exit:
        case Exit.DONE:
            return (ENDED,)
        case Exit.SOME_UNKNOWN:
            return (ENDED, DOUBTS)
        case _:
            return (ENDED, NEEDS_PERSON)


async def told_of(ledger: Ledger, push: Request, run: Run | None, why: str = "") -> dict[str, Any]:
    """Return what an event tells: the push, and how it stands."""
    told: dict[str, Any] = {
        "push": push.id,
        "key": push.key,
        "program": push.by.partition("/")[2],
        "route": push.route,
        "run": None,
        "exit": None,
        "counts": {},
        "follow": {},
        "why": why,
    }
    if run is not None:
        followed = await followed_of(ledger, run)
        told |= {
            "run": run.id,
            "exit": run.exit,
            "counts": {state.value: n for state, n in (await ledger.counts(run.id)).items()},
            "follow": {f.value: n for f, n in followed.counts.items() if f.value},
        }
    return told


async def announce(
    ledger: Ledger,
    clock: Clock,
    receivers: Iterable[str],
    types: Sequence[str],
    data: Mapping[str, Any],
    *,
    of: str,
    tenant: str = "",
) -> None:
    """Write events down for each receiver; doing it again for the same thing changes nothing.

    Args:
        ledger: Where to.
        clock: The time of day.
        receivers: Their names.
        types: What happened.
        data: What is told.
        of: What has caused them, by which they are known again.
        tenant: Who tells it.
    """
    now = clock.now()
    for nth, type_ in enumerate(types):
        at = now + timedelta(milliseconds=nth)  # by which they keep their order in any ledger
        event = "evt_" + hashlib.sha256(f"{of}\0{type_}".encode()).hexdigest()[:32]
        for receiver in receivers:
            told = Delivery(event, receiver, at, type_, data, 0, now, tenant)
            await ledger.remember(_memo(told))


async def waiting(ledger: Ledger, receiver: str) -> Sequence[Delivery]:
    """Return what a receiver has not taken yet, the oldest first; of very many, the newest."""
    memos = await ledger.memos(EVENT, about=receiver, only_open=True, limit=MOST_WAITING)
    return [_delivery(memo) for memo in reversed(memos)]


async def taken(ledger: Ledger, delivery: Delivery) -> None:
    """Write down that a receiver has an event."""
    await ledger.revise(_memo(replace(delivery, tries=delivery.tries + 1), is_open=False))


async def not_taken(ledger: Ledger, delivery: Delivery, now: datetime) -> None:
    """Write down that a receiver did not take an event, and when it is sent again."""
    tries = delivery.tries + 1
    due_at = now + timedelta(seconds=pause_s(tries))
    await ledger.revise(_memo(replace(delivery, tries=tries, due_at=due_at)))


async def drop_for_others(
    ledger: Ledger, receivers: Iterable[str], tenant: str, now: datetime
) -> tuple[int, int]:
    """Close what a tenant has for receivers that it names no longer; without any, what is old.

    Returns:
        How many events were dropped, and how many will be once they are old.
    """
    known = set(receivers)
    most = MOST_WAITING
    while len(memos := await ledger.memos(EVENT, only_open=True, limit=most)) == most:
        most *= 2  # the oldest come last, perhaps after those of another tenant
    dropped = left = 0
    for memo in memos:
        if memo.about not in known and memo.value.get("tenant", "") in {"", tenant}:
            if known or memo.at <= now - KEPT_FOR:
                dropped += await ledger.revise(replace(memo, open=False))
            else:
                left += 1
    return dropped, left


def _memo(delivery: Delivery, *, is_open: bool = True) -> Memo:
    value = asdict(delivery) | {"due_at": delivery.due_at.isoformat()}
    del value["receiver"], value["at"], value["version"]
    return Memo(
        EVENT,
        f"{delivery.event}.{delivery.receiver}",
        delivery.at,
        value,
        about=delivery.receiver,
        open=is_open,
        version=delivery.version,
    )


def _delivery(memo: Memo) -> Delivery:
    value = dict(memo.value)
    due_at = datetime.fromisoformat(value.pop("due_at"))
    return Delivery(receiver=memo.about, at=memo.at, due_at=due_at, version=memo.version, **value)
