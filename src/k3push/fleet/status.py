"""How a fleet stands: its tenants, their runs and schedules, its workers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from k3push.fleet.heartbeat import Rhythm
from k3push.fleet.queue import Queue
from k3push.fleet.turns import SHORT
from k3push.reporting.metrics import (
    FLEET_ASIDE,
    FLEET_FOR_PERSON,
    FLEET_OLDEST_DUE,
    FLEET_OLDEST_SHORT,
    FLEET_OVERDUE,
    FLEET_PAUSED,
    FLEET_UNARCHIVED,
    FLEET_WORKERS,
    Sample,
)


async def samples(queue: Queue) -> list[Sample]:
    """Return what a collector of metrics wants to know of a fleet as a whole."""
    (found,) = await queue.all("figures", silence_s=Rhythm().silence, short=SHORT)
    figures = {
        FLEET_WORKERS: found["workers"],
        FLEET_OLDEST_DUE: found["oldest_due"],
        FLEET_OLDEST_SHORT: found["oldest_short"],
        FLEET_OVERDUE: found["overdue"],
        FLEET_PAUSED: found["paused"],
        FLEET_FOR_PERSON: found["failed"],
        FLEET_ASIDE: found["aside"],
        FLEET_UNARCHIVED: len(await queue.all("unarchived")),
    }
    return [Sample(name, {}, float(v)) for name, v in figures.items() if v is not None]


async def standing(queue: Queue, names: Collection[str]) -> dict[str, Any]:
    """Say how tenants and workers stand, in what `fleet status --json` prints.

    Args:
        queue: Where that is written down.
        names: The tenants; those of whom the queue knows nothing are there as well.
    """
    pauses = await queue.pauses()
    counts = {row["tenant"]: row for row in await queue.all("tenants", names=list(names))}
    schedules: dict[str, list[dict[str, Any]]] = {}
    for row in await queue.all("schedules"):
        schedules.setdefault(row["tenant"], []).append(row)
    asides: dict[str, list[str]] = {}
    for row in await queue.all("asides"):
        asides.setdefault(row["tenant"], []).append(row["file"])
    doubts: dict[str, dict[str, int]] = {}
    for row in await queue.all("in_doubt", names=list(names)):
        doubts.setdefault(row["tenant"], {})[row["run"]] = row["in_doubt"]
    unarchived = {row["tenant"]: row["why"] for row in await queue.all("unarchived")}
    tenants = []
    for name in sorted(names):
        count = counts.get(name, {})
        last = count.get("last_run")
        dues = schedules.get(name, [])
        tenants.append(
            {
                "tenant": name,
                "paused": name in pauses,
                "paused_because": pauses.get(name, ""),
                **{key: count.get(key, 0) for key in ("queued", "doing", "failed")},
                "last_run": last,
                "last_exit": count.get("exit"),
                "last_why": count.get("why", ""),
                "last_ended_at": count.get("ended_at"),
                "next_due_at": min((row["due_at"] for row in dues), default=None),
                "in_doubt": doubts.get(name, {}),
                "files_aside": asides.get(name, []),
                "archive_failed": unarchived.get(name, ""),
                "schedules_failed": {row["schedule"]: row["why"] for row in dues if row["why"]},
            }
        )
    workers = [
        {**row, "alive": row["age_s"] < Rhythm().silence, "age_s": round(row["age_s"], 1)}
        for row in await queue.all("workers")
    ]
    return {"tenants": tenants, "workers": workers}


async def left_of_others(queue: Queue, known: Collection[str]) -> dict[str, int]:
    """Count what is left to be done of tenants that have no file here, by tenant."""
    return {row["tenant"]: row["runs"] for row in await queue.all("others", names=list(known))}
