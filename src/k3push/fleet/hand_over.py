"""What a server is asked for, given to the fleet, whose workers execute it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import anyio

from k3push.core.model import RunId
from k3push.fleet.queue import Queue
from k3push.runs.kept_in_ledger.askers import is_program
from k3push.runs.kept_in_ledger.request_stages import Request

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
_SLOWER = 1.3

PROGRAMS_AT_ONCE = 8
"""Pushes of programs that may be executed side by side for one tenant."""


@dataclass(frozen=True, slots=True)
class FleetHandOver:
    """Has the fleet execute the runs of one tenant's requests.

    Fulfils `web.execution.request_fulfilment.HandOver`.

    Attributes:
        tenant: As the workers know it.
    """

    tenant: str
    queue: Queue

    async def __call__(self, request: Request, runs: Mapping[RunId, int]) -> None:
        """Queue the runs of a request, once, and return when the fleet has done with them.

        Raises:
            LedgerLostError: The queue cannot be reached.
        """
        for run, numbers in runs.items():
            lock = self._lock(request, run)
            await self.queue.hand_over(self.tenant, run, lock, request.id, numbers)
        await self.queue.make_jobs(self.tenant, list(runs))
        left, pause_s = list(runs), FIRST_PAUSE_S
        while left := [run for run in left if await self.queue.is_open(self.tenant, run)]:
            await anyio.sleep(pause_s)
            pause_s = min(pause_s * _SLOWER, LONGEST_PAUSE_S)

    def _lock(self, request: Request, run: RunId) -> str:
        """Return what lets the runs of people go one after another, and those of programs beside.

        A push of one bill does not wait for the end of a list of thousands.
        """
        if not is_program(request.by):
            return self.tenant
        return f"{self.tenant}/programs/{crc32(run.encode()) % PROGRAMS_AT_ONCE + 1}"
