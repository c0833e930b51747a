"""What others have left: runs of workers that died, and lists whose asker ended before their end.

Each is about the ledger of one tenant, which may be away, or take all the time that there is. So
each has a time of its own, and a tenant with whom there was trouble comes after all others.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import partial

import anyio

from k3push.config.setting_errors import SettingsError
from k3push.config.tenants import Tenant
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.fleet.enqueue import LISTING_PATIENCE_S
from k3push.fleet.heartbeat import Rhythm
from k3push.fleet.queue import Queue
from k3push.fleet.work_port import Work
from k3push.ports import LedgerLostError

TENANT_PATIENCE_S = 10.0

HALF_LISTED_S = 600.0


@dataclass(slots=True)
class LeftBehind:
    """What one worker takes up.

    Attributes:
        queue: Where it is written down who has what.
        worker: Who takes it up.
        rhythm: After how long another counts as dead.
        served: Returns the tenants that are served here.
        running: Runs that the worker executes: tenant, run.
    """

    work: Work
    queue: Queue
    worker: str
    rhythm: Rhythm
    served: Callable[[], Mapping[str, Tenant]]
    running: Container[tuple[str, RunId]]
    # What was told of tenants, by their names.
    _troubles: dict[str, str] = field(default_factory=dict)

    async def take_up(self) -> None:
        """Free the runs of dead workers, and finish lists whose lines are all in the ledger."""
        for name, run in await self.queue.executed_by(self.worker):
            if (name, run) not in self.running:
                # It ended while the database was away, which could not be written down.
                await self.queue.let_go(name, run, self.worker)
        for job in await self.queue.stalled(self.rhythm):
            if (job.queue, job.task_kwargs.get("run")) not in self.running:
                await self.queue.finish(job.id or 0)
        acts: list[tuple[Tenant, Callable[[], Awaitable[None]]]] = []
        for name, run, worker in await self.queue.left_behind(self.rhythm):
            tenant = self.served().get(name)
            if tenant is not None and (name, run) not in self.running:
                acts.append((tenant, partial(self._free, tenant, run, worker)))
        for name, run, age_s in await self.queue.unlisted(self.served()):
            if (tenant := self.served().get(name)) is not None:
                acts.append((tenant, partial(self._finish_list, tenant, run, age_s)))
        # Those whose ledger was away a moment ago come last: they may use up all the time.
        for tenant, act in sorted(acts, key=lambda each: each[0].name in self._troubles):
            await self._for_tenant(tenant, act)

    async def _for_tenant(self, tenant: Tenant, act: Callable[[], Awaitable[None]]) -> None:
        """Do something about a tenant's ledger; if it is away, that is no other tenant's trouble.

        So is a secret that has gone since the tenant's file was last looked at.
        """
        try:
            with anyio.fail_after(TENANT_PATIENCE_S):
                await act()
        except (LedgerLostError, SettingsError, TimeoutError) as error:
            self._tell_of(tenant.name, str(error) or remark("fleet.timeout"))
        except Exception:  # noqa: BLE001  # a defect must not end what is done for others
            self._tell_of(tenant.name, traceback.format_exc())
        else:
            self._troubles.pop(tenant.name, None)

    def _tell_of(self, tenant: str, why: str) -> None:
        """Tell of a tenant's trouble, once as long as it lasts."""
        known, self._troubles[tenant] = self._troubles.get(tenant), why
        if known != why:
            self.work.tell("worker.left", tenant=tenant, why=why)

    async def _free(self, tenant: Tenant, run: RunId, worker: str) -> None:
        """Take a run away from a dead worker."""
        if worker != self.worker:
            await self.work.end_sessions(tenant, worker)
        if await self.queue.let_go(tenant.name, run, worker):
            self.work.tell("worker.takes_up", tenant=tenant.name, run=run, worker=worker)

    async def _finish_list(self, tenant: Tenant, run: RunId, age_s: float) -> None:
        """Take up a run whose asker ended before it had said that the list is whole."""
        if age_s < LISTING_PATIENCE_S:
            return
        whole = await self.work.is_whole(tenant, run)
        if whole:
            await self.queue.listed(tenant.name, run, await self.work.size_of(tenant, run))
        elif whole is not None and age_s > HALF_LISTED_S:
            self.work.tell("worker.dropped", tenant=tenant.name, run=run)
            await self.queue.drop(tenant.name, run, remark("fleet.half_listed"))
