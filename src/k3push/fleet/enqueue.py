"""Runs into a tenant's ledger, for whichever worker of the fleet is free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from zlib import crc32

from k3push.adapters.clock import SystemClock
from k3push.config.tenants import Tenant
from k3push.core.model import FolderFile, Listed, Route, Run, RunId
from k3push.core.safety.matching import fold
from k3push.ports import Ledger, RunIsAliveError
from k3push.runs.create import list_numbers, merged, new_run, open_new
from k3push.runs.kept_in_ledger.request_stages import Act, note_act
from k3push.runs.other_calls.pushed_since import keep_seen
from k3push.runs.outcome import Exit
from k3push.wiring.inbox import OpenBatch, new_of_ledger, opened
from k3push.wiring.job_lists import JobOptions, routes_of
from k3push.wiring.selected_bills import keep_list

if TYPE_CHECKING:
    from k3push.fleet.queue import Queue

LISTING_PATIENCE_S = 30.0
"""A list of millions takes a while to be written down."""


@dataclass(frozen=True, slots=True)
class Enqueuer:
    """Writes runs of one tenant down, and asks the fleet to execute them.

    Attributes:
        window: When they may send; "" is as the tenant's settings say.
        zone: Whose clock the window goes by; "" is the worker's.
        slices: Into how many runs each list is parted, which may be executed side by side.
        by: Who asks, for the ledger; "" where a schedule does.
        turn: The turn of a schedule, as `turn_of` names it. Each list of a turn gets one run,
            however often it is asked for.
    """

    tenant: Tenant
    warn: Callable[..., None]
    window: str = ""
    zone: str = ""
    slices: int = 1
    by: str = ""
    turn: str = ""

    async def ask(
        self, ledger: Ledger, queue: Queue, names: Sequence[str], how: JobOptions
    ) -> list[RunId]:
        """Ask for runs of job files, and of each new file of a folder; no job is made of them.

        Raises:
            JobFileError: A list cannot be read; nothing was asked.
            RunIsAliveError: Somebody else asks for the same file, or turn, at this moment.
            SettingsError: A route is not known, or must be named.
        """

        async def new_of(files: Sequence[FolderFile]) -> list[FolderFile]:
            new = await new_of_ledger(files, ledger)
            return [file for file in new if file.digest not in how.aside]

        runs: list[RunId] = []
        seen_at = how.selected_at or (SystemClock().now() if self.turn else None)
        async with opened(names, how, new_of, self.warn) as parts:
            lines = merged([part.asked for part in parts])
            routes = routes_of(self.tenant.settings, how, lines)
            for part in parts:
                if part.asked:
                    runs += await self._part(ledger, queue, part, routes, seen_at)
        return runs

    async def _part(
        self,
        ledger: Ledger,
        queue: Queue,
        part: OpenBatch,
        routes: Mapping[str, Route],
        seen_at: datetime | None,
    ) -> list[RunId]:
        file = part.batch.file
        slices = min(self.slices, sum(asked.count for asked in part.asked.values()))
        seen_at = _since(file, slices, seen_at)
        chosen = part.routes_among(routes)
        pieces = [_Piece(route, nth, slices) for route in chosen for nth in range(slices)]
        runs: dict[RunId, int] = {}
        for piece in pieces:
            name = self._name_of(file, piece)
            if known := await self._known(ledger, queue, name):
                runs[known] = sum((await ledger.counts(known)).values())
                if file is not None and piece is pieces[-1]:
                    await ledger.take(file, known)  # the routes may stand in another order now
                continue
            run = await self._asked(ledger, queue, part, piece, name)
            if seen_at is not None:
                await keep_seen(ledger, run.id, seen_at)

            def takes(listed: Listed, piece: _Piece = piece) -> bool:
                return piece.has(listed) and routes[listed.route].name == piece.route.name

            with_file = file if piece is pieces[-1] else None
            async with ledger.own(run.id, executes=False):
                runs[run.id] = await list_numbers(ledger, run, part.jobs, takes, file=with_file)
            if self.by:
                await note_act(ledger, Act(run.started_at, run.id, self.by, "queued"))
        for each, numbers in list(runs.items()):
            if not await queue.listed(self.tenant.name, each, numbers):
                del runs[each]  # another has taken us for dead, and lists the same
                await ledger.end_run(each, Exit.STOPPED, SystemClock().now())
        return list(runs)

    async def _asked(
        self, ledger: Ledger, queue: Queue, part: OpenBatch, piece: _Piece, name: str
    ) -> Run:
        """Ask for a run, and write it down without its numbers.

        Raises:
            RunIsAliveError: Another was faster by a moment.
        """
        tenant, names = self.tenant.name, part.batch.names
        lock = tenant if piece.of == 1 else f"{tenant}/{piece.nth + 1}"
        asked: list[RunId] = []

        async def make() -> Run:
            if asked:  # its id was another tenant's
                await queue.unask(tenant, asked.pop())
            run = await self._new_run(ledger, piece.route, names)
            # First of all, so that a death at any later moment leaves a trace.
            window = (self.window, self.zone)
            if not await queue.ask(tenant, run.id, lock, *window, part=name):
                raise RunIsAliveError(names[0])
            asked.append(run.id)
            return run

        run = await open_new(ledger, make)
        await keep_list(run, part.jobs, self.warn)
        return run

    def _name_of(self, file: FolderFile | None, piece: _Piece) -> str:
        """Name the part of a folder's file, or of a turn's lists, that only one run may push.

        The name is "" where nothing forbids a second run.
        """
        told = (piece.route.name, str(piece.nth), str(piece.of))
        if file is not None:
            return _digest_of(file.digest, file.folder, file.name, *told)
        return self.turn and f"{self.turn}{_digest_of(*told)}"

    async def _known(self, ledger: Ledger, queue: Queue, name: str) -> RunId | None:
        """Return the run that somebody has asked for and listed of what has that name.

        Raises:
            RunIsAliveError: Somebody lists it.
        """
        while name and (found := await queue.run_of_part(self.tenant.name, name)):
            run, listed, age_s = found
            there = await ledger.run(run)
            if there is not None and there.whole:
                return run
            is_new = not listed and age_s < LISTING_PATIENCE_S
            if is_new or (there is not None and await ledger.is_alive(run)):
                raise RunIsAliveError(run)
            await queue.free_part(self.tenant.name, run, name, listed=listed)
        return None

    async def selected_before(self, ledger: Ledger, queue: Queue, route: Route) -> RunId | None:
        """Return the run of what a route has selected in this turn, and see that it is begun.

        Raises:
            RunIsAliveError: Somebody lists it.
        """
        run = await self._known(ledger, queue, self._name_of(None, _Piece(route)))
        if run is not None:
            numbers = sum((await ledger.counts(run)).values())
            await queue.listed(self.tenant.name, run, numbers)
        return run

    async def _new_run(self, ledger: Ledger, route: Route, names: Sequence[str]) -> Run:
        acct_id = self.tenant.settings.erp.acct_id
        return await new_run(ledger, SystemClock(), acct_id, route, names)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What becomes one run: the lines of a route, or one of so many slices of them."""

    route: Route
    nth: int = 0
    of: int = 1

    def has(self, listed: Listed) -> bool:
        return _slice_of(listed.number or listed.id, self.of) == self.nth


def _since(file: FolderFile | None, slices: int, seen_at: datetime | None) -> datetime | None:
    """Say since when what other runs push is not pushed once more; None is never."""
    if slices > 1:  # a bill may be in two of them, once by its number and once by its id
        return seen_at or SystemClock().now()
    return seen_at if file is None else None


def turn_of(schedule: str, due: datetime) -> str:
    """Name a turn of a schedule; no name of another one begins so.

    Each worker's session tells times by a zone of its own.

    >>> shanghai = datetime.fromisoformat("2026-01-03T04:00+08:00")
    >>> turn_of("a", shanghai) == turn_of("a", datetime.fromisoformat("2026-01-02T20:00+00:00"))
    True
    """
    return f"{due.astimezone(UTC).isoformat()} {_digest_of(schedule)[:16]} "


def _digest_of(*told: str) -> str:
    return sha256("\0".join(told).encode("utf-8", "surrogateescape")).hexdigest()


def _slice_of(name: str, slices: int) -> int:
    """Return the slice of a number, or of an id; spellings of one number are in one."""
    return crc32(fold(name).encode()) % slices
