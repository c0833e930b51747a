"""How an execution is to go now: its window by the clock of its schedule, or when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
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
    # Across a change of the clock an edge is computed by the wall, and found anew at the next look.
    left = max(window.next_edge(local) - local, timedelta(seconds=1)).total_seconds()
    if not window.holds(local):
        return Later(left, only_settle=slot.only_settle)
    return Terms(window, zone, left, slot.only_settle, slot.asked_by)
