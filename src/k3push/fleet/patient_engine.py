"""What the engine, Procrastinate, asks of its database; one that is away is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import anyio
from procrastinate.connector import BaseConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg import errors

from k3push.fleet.queue_database import array_of, verbs
from k3push.fleet.turns import SHORT

PAUSE_S = 1.0
FINISHING_PATIENCE_S = 60.0


class PatientManager(JobManager):
    """What the engine asks of its database; one that is away is waited for.

    The engine itself ends at the first error, and lets all its jobs end before. Nor does it know
    of places that are kept for some jobs, or of a time for others.

    Attributes:
        holds_back: Says whether only what somebody waits for is to begin now.
    """

    def __init__(self, connector: BaseConnector, most_long: int) -> None:
        """Begin with all places free, of which long runs take *most_long*."""
        super().__init__(connector)
        self.holds_back: Callable[[], bool] = lambda: False
        self._most_long = most_long
        self._long: set[int | None] = set()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Return a job for which there is a place; none where the database cannot be asked."""
        # The statement casts what it is given.
        named: Any = array_of(tuple(queues or ()))
        try:
            held = self.holds_back()
            if held or len(self._long) >= self._most_long:
                return await self._short_job(named, worker_id, asked=held)
            job = await super().fetch_job(named, worker_id)
        except ConnectorException:
            return None
        if job is not None and not await self._is_short(job):
            self._long.add(job.id)
        return job

    async def _short_job(self, tenants: str, engine: int, *, asked: bool) -> Job | None:
        """Return a job of a short run; only of such as a server was *asked* for, if so told."""
        facts = {"tenants": tenants, "engine": engine, "short": SHORT, "asked": asked}
        rows = await self.connector.execute_query_all_async(verbs()["fetch_short"], **facts)
        return Job.from_row(rows[0]) if rows else None

    async def _is_short(self, job: Job) -> bool:
        """Say whether a job is of a short run; one whose database is lost meanwhile is of none."""
        run = job.task_kwargs.get("run")
        with suppress(ConnectorException):
            rows = await self.connector.execute_query_all_async(
                verbs()["is_short"], tenant=job.queue, run=run, short=SHORT
            )
            return bool(rows[0]["found"])
        return False

    async def update_heartbeat(self, worker_id: int) -> None:
        """Be heard of, if that can be."""
        with suppress(ConnectorException):
            await super().update_heartbeat(worker_id)

    async def finish_job(
        self,
        job: Job,
        status: Status,
        delete_job: bool,  # noqa: FBT001  # as the engine has it
    ) -> None:
        """Take a job out of the engine, unless whoever took us for dead has done so."""
        try:
            with anyio.move_on_after(FINISHING_PATIENCE_S):
                await self._finish_job(job, status, delete=delete_job)
        finally:
            self._long.discard(job.id)

    async def _finish_job(self, job: Job, status: Status, *, delete: bool) -> None:
        while True:
            try:
                await super().finish_job(job, status, delete)
            except ConnectorException as error:
                if isinstance(error.__cause__, errors.RaiseException):
                    return
                await anyio.sleep(PAUSE_S)
            else:
                return
