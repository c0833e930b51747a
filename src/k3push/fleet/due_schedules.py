"""The schedules of a fleet: one worker finds what is due, and all look after it.

The leader holds a lease in the database, which others take within seconds of its death. It finds
what is due with one statement for all tenants, and writes it down with one more. What is due at
one minute begins spread over some seconds, as the settings allow, so that the night's lists do
not reach ERPs and database at once. Looks into folders have places of their own, beside those of
pushes: a long push holds up no list, and a slow folder no push. Where many lists are due, runs wait
until these are read, for a minute at most: before that nobody knows whose turn it is. To read a
list of three numbers takes a fourth of the time that it takes to push them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zlib import crc32

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from k3push.config.tenants import Tenant
from k3push.core.cron import Cron, CronError, zone_of
from k3push.fleet.heartbeat import Rhythm
from k3push.fleet.queue import Queue
from k3push.fleet.queue_database import array_of
from k3push.fleet.work_port import NotNowError
from k3push.ports import LedgerLostError, RunIsAliveError

PLACES = 4
"""Looks of a worker at once: they read a disk, or ask an ERP for a page."""

CLAIMED = 2 * PLACES
"""Schedules that a worker claims at once, so that others find some as well."""

LISTS_FIRST_S = 60.0
"""For how long runs are held back while lists are read: whose turn it is, all of them tell."""

_AGAIN_S = 5.0

Look = Callable[[Tenant, str, datetime], Awaitable[str]]
"""Looks after a schedule of a tenant, which was due then; says what is wrong, or ""."""


@dataclass(slots=True)
class Schedules:
    """What one worker does for the schedules of all.

    Attributes:
        queue: Where they are written down.
        worker: Who looks after them.
        rhythm: How often.
        is_leader: Whether the worker finds what is due, for all.
        unread: Tenants' schedules whose time is not known here, each with why, as a remark.
    """

    queue: Queue
    worker: str
    rhythm: Rhythm
    is_leader: bool = False
    unread: dict[tuple[str, str], str] = field(default_factory=dict)
    # When it led last, by the database's clock; None since it leads no more.
    _led_at: datetime | None = None
    _many_since_s: float | None = None
    _planned: Mapping[str, Tenant] | None = None

    async def plan(self, served: Mapping[str, Tenant]) -> None:
        """Write down the schedules of the tenants that are served here, once they change."""
        if served is self._planned:
            return
        now = await self.queue.now()
        soonest = _Soonest(now)
        rows = [
            (name, schedule, cron, soonest.of(cron), tenant.settings.fleet.spread_s)
            for name, tenant in served.items()
            for schedule, each in tenant.settings.schedules.items()
            if each.cron
            for cron in (f"{each.cron} {each.time_zone}",)
        ]
        await self.queue.do(
            "plan_schedules",
            tenants=[row[0] for row in rows],
            schedules=[row[1] for row in rows],
            crons=[row[2] for row in rows],
            dues=[row[3] for row in rows],
            spreads=[row[4] for row in rows],
        )
        await self.queue.do(
            "forget_schedules",
            served=list(served),
            tenants=[row[0] for row in rows],
            schedules=[row[1] for row in rows],
        )
        self._planned = served

    async def lead(self) -> None:
        """Be the leader, if nobody else is, and do what only one need do."""
        lease_s = self.rhythm.gone
        rows = await self.queue.all("lead", worker=self.worker, lease_s=lease_s)
        self.is_leader = bool(rows)
        now: datetime | None = rows[0]["now"] if rows else None
        if now is not None and (self._led_at is None or now < self._led_at):
            await self._come_back(now)
        self._led_at = now
        if not self.is_leader:
            return
        await self._take_due()
        rhythm = {"gone_s": self.rhythm.gone, "silence_s": self.rhythm.silence}
        await self.queue.do("free_looks", **rhythm)
        await self.queue.make_jobs()
        await self.queue.do("forget_workers")
        await self.queue.do("forget_runs")

    async def _come_back(self, now: datetime) -> None:
        """Bring forward what the database has put off for years, while its clock was ahead."""
        await self.queue.do("come_back")
        soonest = _Soonest(now)
        late: list[tuple[str, str, datetime]] = []
        for row in await self.queue.all("schedules"):
            with suppress(CronError):  # its zone is not known here, which is told as it is due
                if row["due_at"] > (due := soonest.of(row["cron"])):
                    late.append((row["tenant"], row["schedule"], due))
        await self.queue.do(
            "bring_forward",
            tenants=[row[0] for row in late],
            schedules=[row[1] for row in late],
            nexts=[row[2] for row in late],
        )

    async def resign(self) -> None:
        """Leave the lead, and all looks that have not begun, to others."""
        await self.queue.do("resign", worker=self.worker)
        await self.queue.do("leave_looks", worker=self.worker)

    async def _take_due(self) -> None:
        """Note what is due as wanted, and when it is due again."""
        rows = await self.queue.all("due_schedules")
        self.unread.clear()
        if not rows:
            return
        soonest = _Soonest(await self.queue.now())
        rows = [row for row in rows if self._is_read(row, soonest)]
        await self.queue.do(
            "take_dues",
            tenants=[row["tenant"] for row in rows],
            schedules=[row["schedule"] for row in rows],
            dues=[row["due_at"] for row in rows],
            nexts=[soonest.of(row["cron"]) for row in rows],
            waits=[spread(row["tenant"], row["schedule"], row["spread_s"]) for row in rows],
        )

    def _is_read(self, row: Mapping[str, Any], soonest: _Soonest) -> bool:
        """Say whether this machine knows the time zone of a schedule, which another has checked."""
        try:
            soonest.of(row["cron"])
        except CronError as error:
            self.unread[row["tenant"], row["schedule"]] = str(error)
            return False
        return True

    # -- looks --------------------------------------------------------------------------------

    def are_many(self) -> bool:
        """Say whether more lists are due than can be looked at now, though not for long."""
        since_s = self._many_since_s
        return since_s is not None and anyio.current_time() - since_s < LISTS_FIRST_S

    async def look_on(self, served: Callable[[], Mapping[str, Tenant]], look: Look) -> None:
        """Look after what is wanted, until cancelled."""
        send, receive = anyio.create_memory_object_stream[tuple[str, str, datetime]](0)
        async with send, receive, anyio.create_task_group() as places:
            for _ in range(PLACES):
                places.start_soon(self._place, receive.clone(), served, look)
            await self._claim_on(send, served)

    async def _claim_on(
        self,
        send: MemoryObjectSendStream[tuple[str, str, datetime]],
        served: Callable[[], Mapping[str, Tenant]],
    ) -> None:
        while True:
            claimed = []
            try:
                tenants = array_of(tuple(served()))
                claimed = list(
                    await self.queue.all(
                        "claim_looks", worker=self.worker, most=CLAIMED, tenants=tenants
                    )
                )
            except LedgerLostError:
                await anyio.sleep(_AGAIN_S)
            if len(claimed) < CLAIMED:
                self._many_since_s = None
            elif self._many_since_s is None:
                self._many_since_s = anyio.current_time()
            for row in claimed:
                await send.send((row["tenant"], row["schedule"], row["turn"]))
            if not claimed:
                await anyio.sleep(self.rhythm.poll)

    async def _place(
        self,
        receive: MemoryObjectReceiveStream[tuple[str, str, datetime]],
        served: Callable[[], Mapping[str, Tenant]],
        look: Look,
    ) -> None:
        async with receive:
            async for name, schedule, due in receive:
                key = {"tenant": name, "schedule": schedule, "worker": self.worker}
                tenant = served().get(name)
                if tenant is None:  # the worker was told to end, or a secret has gone meanwhile
                    await self._leave(key)
                    continue
                try:
                    planned = schedule in tenant.settings.schedules
                    why = await look(tenant, schedule, due) if planned else ""
                    await self.queue.do("look_done", **key, why=why)
                except NotNowError as error:
                    await self._leave(key, "look_later", why=str(error))
                except (LedgerLostError, RunIsAliveError):
                    # What is lost with the database is looked after again, here or elsewhere, and
                    # so is what another has begun, who may be dead.
                    await self._leave(key)

    async def _leave(self, key: Mapping[str, str], how: str = "look_again", **facts: str) -> None:
        """Let others look after a schedule, once that can be written down.

        Nobody frees what a worker has claimed that lives; if it ends meanwhile, it resigns.
        """
        while True:
            try:
                await self.queue.do(how, **key, **facts)
            except LedgerLostError:
                await anyio.sleep(_AGAIN_S)
            else:
                return


@dataclass(slots=True)
class _Soonest:
    """When schedules are due after a moment: thousands of tenants have a few expressions."""

    after: datetime
    _known: dict[str, datetime] = field(default_factory=dict)

    def of(self, text: str) -> datetime:
        """Return when a cron expression, with its time zone behind it, is due next."""
        if text not in self._known:
            expression, _, zone = text.rpartition(" ")
            self._known[text] = Cron(expression, zone_of(zone)).next_after(self.after)
        return self._known[text]


def spread(tenant: str, schedule: str, most_s: int) -> int:
    """Return how many seconds after its minute a schedule begins: the same every night.

    >>> spread("acme", "nightly", 0), 0 <= spread("acme", "nightly", 60) <= 60
    (0, True)
    """
    return crc32(f"{tenant}/{schedule}".encode()) % (most_s + 1)
