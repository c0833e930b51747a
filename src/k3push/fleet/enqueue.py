"""Runs into a tenant's ledger, for whichever worker of the fleet is free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import anyio.to_thread

from k3push.adapters.clock import SystemClock
from k3push.config.tenants import Tenant
from k3push.core.model import FolderFile, Listed, Route, Run, RunId
from k3push.ports import Ledger
from k3push.runs.create import list_numbers, merged, new_run, open_new
from k3push.runs.push_requests.request_stages import Act, note_act
from k3push.wiring.inbox import OpenBatch, new_of_ledger, opened
from k3push.wiring.job_lists import JobOptions, routes_of
from k3push.wiring.outputs import cure_of_results
from k3push.wiring.selected_bills import keep_list

if TYPE_CHECKING:
    from k3push.fleet.queue import Queue


@dataclass(frozen=True, slots=True)
class Enqueuer:
    """Writes runs of one tenant down, and asks the fleet to execute them.

    Attributes:
        window: When they may send; "" is as the tenant's settings say.
        zone: Whose clock the window goes by; "" is the worker's.
        slices: Into how many runs each list is parted, which may be executed side by side.
        by: Who asks, for the ledger; "" where a schedule does.
    """

    tenant: Tenant
    warn: Callable[..., None]
    window: str = ""
    zone: str = ""
    slices: int = 1
    by: str = ""

    async def ask(
        self, ledger: Ledger, queue: Queue, names: Sequence[str], how: JobOptions
    ) -> list[RunId]:
        """Ask for runs of job files, and of each new file of a folder; no job is made of them.

        Raises:
            JobFileError: A list cannot be read; nothing was asked.
            SettingsError: A route is not known, or must be named.
        """

        async def new_of(files: Sequence[FolderFile]) -> list[FolderFile]:
            new = await new_of_ledger(files, ledger)
            return [file for file in new if file.digest not in how.aside]

        runs: list[RunId] = []
        async with opened(names, how, new_of, self.warn) as parts:
            lines = merged([part.asked for part in parts])
            routes = routes_of(self.tenant.settings, how, lines)
            for part in parts:
                if part.asked:
                    runs += await self._part(ledger, queue, part, routes)
        return runs

    async def _part(
        self, ledger: Ledger, queue: Queue, part: OpenBatch, routes: Mapping[str, Route]
    ) -> list[RunId]:
        batch = part.batch
        slices = min(self.slices, sum(asked.count for asked in part.asked.values()))
        runs: dict[RunId, int] = {}
        chosen = part.routes_among(routes)
        for route in chosen:
            for nth in range(slices):

                def takes(listed: Listed, route: Route = route, nth: int = nth) -> bool:
                    mine = _slice_of(listed.number or listed.id, slices) == nth
                    return mine and routes[listed.route].name == route.name

                lock = self.tenant.name if slices == 1 else f"{self.tenant.name}/{nth + 1}"
                asked: list[RunId] = []

                async def make(
                    route: Route = route, lock: str = lock, asked: list[RunId] = asked
                ) -> Run:
                    if asked:  # its id was another tenant's
                        await queue.unask(self.tenant.name, asked.pop())
                    run = await self._new_run(ledger, route, batch.names)
                    # First of all, so that a death at any later moment leaves a trace.
                    await queue.ask(self.tenant.name, run.id, lock, self.window, self.zone)
                    asked.append(run.id)
                    return run

                run = await open_new(ledger, make)
                await self._keep(run, part)
                is_last = len(runs) + 1 == len(chosen) * slices
                file = batch.file if is_last else None
                async with ledger.own(run.id, executes=False):
                    runs[run.id] = await list_numbers(ledger, run, part.jobs, takes, file=file)
                if self.by:
                    await note_act(ledger, Act(run.started_at, run.id, self.by, "queued"))
        for each, numbers in runs.items():
            await queue.listed(self.tenant.name, each, numbers)
        return list(runs)

    async def _keep(self, run: Run, part: OpenBatch) -> None:
        try:
            await anyio.to_thread.run_sync(keep_list, run, part.jobs)
        except OSError as error:
            why, cure = error.strerror or error, cure_of_results(error)
            self.warn("warning.results_lost", folder=run.folder, why=why, cure=cure)

    async def _new_run(self, ledger: Ledger, route: Route, names: Sequence[str]) -> Run:
        acct_id = self.tenant.settings.erp.acct_id
        return await new_run(ledger, SystemClock(), acct_id, route, names)


def _slice_of(name: str, slices: int) -> int:
    """Return the slice of a number, or of an id; spellings that differ by case are in one."""
    return crc32(name.casefold().encode()) % slices
