"""How an execution is to go now: its window by the clock of its schedule, or when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from k3push.config.tenants import Tenant
from k3push.core.pacing.window import Window
from k3push.fleet.followup import Later
from k3push.fleet.queue import Queue, Slot


@dataclass(frozen=True, slots=True)
class Terms:
    """How an execution is to go.

    Attributes:
        window: When chunks may leave; None is always.
        zone: Whose clock it goes by; None is the host's.
        seconds: How long the window stays open; None without one.
        only_settle: Nothing is sent.
        asked_by: The request of a server that has asked for it; "" for none.
    """

    window: Window | None
    zone: ZoneInfo | None
    seconds: float | None
    only_settle: bool
    asked_by: str = ""


async def terms_of(tenant: Tenant, slot: Slot, queue: Queue) -> Terms | Later:
    """Say how a run is to be executed now, or when to look again."""
    text = slot.window or tenant.settings.run.window
    zone = ZoneInfo(slot.zone) if slot.zone else None
    if not text:
        return Terms(None, zone, None, slot.only_settle, slot.asked_by)
    window = Window.parse(text)
    local = (await queue.now()).astimezone(zone)
    left = _seconds_until_edge(window, local, zone)
    if not window.holds(local):
        return Later(left, only_settle=slot.only_settle)
    return Terms(window, zone, left, slot.only_settle, slot.asked_by)


def _seconds_until_edge(window: Window, local: datetime, zone: ZoneInfo | None) -> float:
    """Return when a window begins or ends, by the wall's clock of its zone; None is the host's.

    That clock passes over an hour, or shows it twice, where daylight saving changes.
    """
    wall = window.next_edge(local).replace(tzinfo=zone)
    edges = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    edge = next((each for each in edges if each > local), local)
    return max(edge - local, timedelta(seconds=1)).total_seconds()
