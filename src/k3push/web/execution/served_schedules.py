"""The schedules of a tenant: when each is due, and the pushes that it begins then.

Where the ledger is shared in PostgreSQL, the workers of a fleet begin them. Else nobody else would,
so the server does. A push that a schedule has begun has an id by the schedule and the time that was
due: of two servers, or of two looks at one time, the second finds the first one's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio

from k3push.adapters.job_files import JobFileError, Trouble
from k3push.adapters.job_files.troubles import Code
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import ScheduleSettings, Settings
from k3push.core.model import FolderFile
from k3push.core.remark import remark
from k3push.ports import Clock, Ledger, LedgerLostError
from k3push.runs.control import left_to_another
from k3push.runs.kept_in_ledger.askers import by_schedule
from k3push.runs.kept_in_ledger.request_stages import (
    Request,
    RequestKind,
    Stage,
    find_request,
    put_request,
    requests,
    tenant_of,
)
from k3push.runs.push_requests.schedule_entries import (
    ScheduleEntry,
    entries,
    entry_now,
    note,
    revise_entry,
)
from k3push.runs.push_requests.schedule_pushes import is_approved_ahead
from k3push.runs.wakeup import Wakeup
from k3push.web.admission.access import Log
from k3push.web.execution.request_origin import origin_of_file, origin_of_selection
from k3push.web.execution.resume_and_retry import HinderedError
from k3push.wiring.inbox import batches_of, new_of_ledger
from k3push.wiring.job_lists import JobOptions
from k3push.wiring.same_bills import same_bills
from k3push.wiring.selected_bills import LIST

LOOK_EVERY_S = 20.0
BY_HAND = "-run"
"""Suffix of the turn of pushes that a person has begun."""

SAME_PRESS = timedelta(minutes=1)
"""Two who begin a schedule by hand within this time have one turn, until a push of it is known."""

CATCH_UP = timedelta(hours=1)
"""What was due up to this long ago is still begun: the server was down, or the tenant at rest.

Of several such times, only the first is made up for.
"""


async def _nobody_hinders() -> None:
    pass


@dataclass(slots=True)
class Timetable:
    """The schedules of one tenant.

    Attributes:
        lists: The folder of lists that are kept.
        begin: Has a request seen to.
        see_let_in: Raises `HinderedError` where what is due would come to nothing.
        rests: Nothing is begun: the tenant is gone, or its file has a fault.
    """

    settings: Settings
    lists: Path
    clock: Clock
    begin: Callable[[Request], None]
    log: Log
    see_let_in: Callable[[], Awaitable[None]] = _nobody_hinders
    _looked: datetime | None = field(default=None)
    # When schedules came that were not there from the beginning.
    _since: dict[str, datetime] = field(default_factory=dict)
    _met: Settings | None = field(default=None)
    # What was due while something stood in its way, and is begun after that.
    _put_off: dict[str, datetime] = field(default_factory=dict)
    rests: bool = field(default=False, init=False)
    _changes: Wakeup = field(default_factory=Wakeup)

    @property
    def schedules(self) -> Mapping[str, ScheduleSettings]:
        """All of them, by name."""
        return self.settings.schedules

    @property
    def tenant(self) -> str:
        """Whose they are."""
        return self.settings.file.stem

    @property
    def is_kept_here(self) -> bool:
        """Whether the server begins what is due; else a fleet does."""
        return not self.settings.ledger.in_postgres

    def take(self, settings: Settings) -> None:
        """Go by other settings from now on; what is new in them makes up for nothing."""
        now, known = self.clock.now(), self.schedules
        for name, schedule in settings.schedules.items():
            if name not in known or known[name].due != schedule.due:
                self._since[name] = now
                self._put_off.pop(name, None)
        self.settings, self.rests = settings, False
        self._changes.notify()

    def rest(self) -> None:
        """Begin nothing that is due: the tenant is gone, or its file has a fault."""
        self.rests = True

    def owe_nothing(self) -> None:
        """Begin nothing that was due until now: the schedules were not there."""
        self._looked = self.clock.now()

    async def serve(self, ledger: Callable[[], Any]) -> None:
        """Begin what is due, until cancelled."""
        while self.is_kept_here:
            if self.rests or not self.schedules:
                await self._changes.wait()
                continue
            try:
                kept = await ledger()
                await self._meet(kept)
                await self.look(kept)
            except LedgerLostError as error:
                self.log("workshop.waits", why=str(error))
            await anyio.sleep(LOOK_EVERY_S)

    async def _meet(self, ledger: Ledger) -> None:
        """Write down the schedules that the ledger does not know: they count from now on."""
        if self._met is self.settings:
            return
        meets, now = self.settings, self.clock.now()
        for name in self.schedules.keys() - await entries(ledger, self.tenant):
            await note(ledger, self.tenant, name, now, since=now)
        self._met = meets

    async def look(self, ledger: Ledger) -> None:
        """Begin what is due."""
        now = self.clock.now()
        earliest, known = now - CATCH_UP, await entries(ledger, self.tenant)
        since = max(self._looked or earliest, earliest)
        for name, schedule in self.schedules.items():
            if schedule.due is None:
                continue
            entry = known.get(name, ScheduleEntry(name))
            # A clock that was ahead once, perhaps by years, holds up nothing.
            known_times = (entry.last, entry.since, self._since.get(name))
            over = [each for each in known_times if each is not None and each <= now]
            due = schedule.due.next_after(max([since, *over]))
            waits = self._put_off.get(name)
            stale = entry.paused or (entry.since is not None and waits and entry.since > waits)
            if waits is not None and (stale or now - waits >= CATCH_UP):
                del self._put_off[name]
            elif waits is not None and due > now:
                due = waits
            if due <= now and not entry.paused:
                await self._begin_due(ledger, name, due)
        self._looked = now

    async def _begin_due(self, ledger: Ledger, name: str, due: datetime) -> None:
        why, begun, hidden = "", list[str](), list[Request]()
        # Where daylight saving ends, a time comes twice.
        when = f"{due:%Y%m%d-%H%M%S}" + "-2" * due.fold
        try:
            await self.see_let_in()
            before, asked = await self._ask(
                ledger, name, when, by=by_schedule(name), approved=True, hidden=hidden, due=due
            )
            begun = [each.id for each in (*before, *asked)]
            why = remark("note.still_under_way") if before else ""
        except HinderedError as error:
            why = str(error)
            if self.clock.now() - due < CATCH_UP:
                self._put_off[name] = due
                await note(ledger, self.tenant, name, self.clock.now(), why=why)
                return
        except JobFileError as error:
            why = str(error)
        self._put_off.pop(name, None)
        if not (begun or why):
            waits = [each.id for each in hidden if _waits(each)]
            found: dict[str, Any] = {"idle": due, "why": ""}
            if waits:
                why = remark("note.plans_wait")
                found = {"last": due, "begun": waits, "why": why}
            await note(ledger, self.tenant, name, self.clock.now(), **found)
            return
        await note(ledger, self.tenant, name, self.clock.now(), last=due, begun=begun, why=why)
        self.log("schedule.due", schedule=name, requests=", ".join(begun), why=why)

    async def ask(
        self, ledger: Ledger, name: str, when: str, *, by: str, approved: bool
    ) -> list[Request]:
        """Ask for pushes of what a schedule names: what its route selects, or what is new.

        What needs no approval is begun by one at a time (`schedule_pushes`).

        Args:
            when: Prefix of the ids of the requests, for this time or press and no other.
            by: Who asks; `schedule/NAME` for the schedule itself, as no user is called.
            approved: They need nobody's approval.

        Returns:
            Also those that are under way, in the place of such as would push the same; and where
            there is nothing else, those that wait for somebody's approval.

        Raises:
            HinderedError: Another run pushes the same.
            JobFileError: A list or a folder is not there, or cannot be read.
        """
        hidden: list[Request] = []
        before, asked = await self._ask(ledger, name, when, by=by, approved=approved, hidden=hidden)
        # Or else those of new files that a first press, or somebody else, has asked for.
        return [*before, *asked] or hidden

    async def _ask(
        self,
        ledger: Ledger,
        name: str,
        when: str,
        *,
        by: str,
        approved: bool,
        hidden: list[Request],
        due: datetime | None = None,
    ) -> tuple[list[Request], list[Request]]:
        """Ask as `ask` does; return what was under way before, and what is begun now.

        A push that was under way when the schedule was due counts as before, though it may have
        ended since. *hidden* takes the open requests that hold files of the folder already.
        """
        schedule, at = self.schedules[name], self.clock.now()
        mark = _mark_of_name(self.tenant, name)
        before, turn = await self._turn(ledger, name, when, due) if approved else ([], when)
        how: dict[str, Any] = {"route": schedule.route, "schedule": name, "approved": approved}
        found = await self._lists_of(ledger, schedule, self.lists / f"{turn}-{mark}", hidden)
        asked: list[Request] = []
        for names, origin in found:
            of_file = _mark_of(origin)
            if before and not of_file:
                continue
            id_ = f"{turn}-{mark}{of_file}"
            if of_file and not await _is_free(ledger, id_, by_hand=BY_HAND in when):
                # Another time, or another press after the first one's push has come to its end.
                id_ = f"{when}-{mark}{of_file}"
            request = Request(
                id=id_,
                kind=RequestKind.PUSH,
                by=by,
                at=at,
                stage=Stage.PLANNING,
                jobs=names,
                how=how | origin,
            )
            put = await put_request(ledger, request, self.tenant)
            asked.append(put)
            self.begin(put)
        return before, asked

    async def _lists_of(
        self, ledger: Ledger, schedule: ScheduleSettings, folder: Path, hidden: list[Request]
    ) -> list[tuple[list[str], dict[str, Any]]]:
        """Return the lists of each push that a schedule names now, and where they are from.

        Args:
            schedule: What it names.
            folder: Where what the route selects will be listed.
            hidden: As in `_ask`.

        Raises:
            JobFileError: A list or a folder is not there, or cannot be read.
        """
        if schedule.selects:
            return [([str(folder / LIST)], origin_of_selection())]
        jobs = self.settings.lists_of(schedule)
        for job in jobs:
            await _check_there(job)
        strangers = JobOptions(home=self.settings.folder)
        new_of = partial(self._new_of, ledger, hidden)
        batches = await batches_of(jobs, strangers, new_of, self._warn)
        return [(list(batch.names), origin_of_file(batch.file)) for batch in batches]

    async def _turn(
        self, ledger: Ledger, name: str, when: str, due: datetime | None
    ) -> tuple[list[Request], str]:
        """Return what is under way, and the turn: the prefix of the ids of what is begun now.

        Of two who begin at one moment, the second has the same as the first.

        Raises:
            HinderedError: Another run pushes the same.
        """
        mark = _mark_of_name(self.tenant, name)
        while True:
            entry = await entry_now(ledger, self.tenant, name)
            now = self.clock.now()
            is_fresh = entry.turn_at is not None and abs(now - entry.turn_at) < SAME_PRESS
            # Of two times that were due, each is its own.
            is_fresh = is_fresh and BY_HAND in entry.turn + when
            shared = is_fresh and await find_request(ledger, f"{entry.turn}-{mark}") is None
            # After that look: a first press may have put its push there in between.
            begun = await self._under_way(ledger, name, now, due, by_hand=BY_HAND in when)
            if shared:
                return begun, entry.turn
            if await revise_entry(ledger, self.tenant, entry, now, turn=when, turn_at=now):
                return begun, when

    async def _under_way(
        self, ledger: Ledger, name: str, now: datetime, due: datetime | None, *, by_hand: bool
    ) -> list[Request]:
        """Return pushes that would push what a schedule pushes.

        They matter where a bill may be pushed in parts. Whoever presses is led to those of the
        tenant anyway.

        Raises:
            HinderedError: Another run does, which no request tells of.
        """
        try:
            route = self.settings.route(self.schedules[name].route)
        except SettingsError:
            return []  # the plan will say so
        if not (route.allow_partial or by_hand):
            return []
        alike = same_bills(
            self.settings, name, route, now, has_queue=not self.is_kept_here, since=due
        )
        begun = await alike.requests(ledger)
        if not route.allow_partial:
            return [each for each in begun if tenant_of(each) in {"", self.tenant}]
        if begun:
            return begun
        if (run := await alike.run(ledger)) is not None:
            raise HinderedError(await left_to_another(ledger, run.id))
        return begun

    async def _new_of(
        self, ledger: Ledger, hidden: list[Request], files: Sequence[FolderFile]
    ) -> list[FolderFile]:
        """Leave out the files that runs have taken, and those that somebody has asked for."""
        asked = await requests(ledger, only_open=True)
        new = []
        for file in await new_of_ledger(files, ledger):
            of_file = origin_of_file(file).items()
            found = [each for each in asked if of_file <= each.how.items()]
            hidden += found
            if not found:
                new.append(file)
        return new

    def _warn(self, sentence: str, /, **facts: object) -> None:
        self.log("schedule.passes_over", what=remark(sentence, **facts))


def _waits(request: Request) -> bool:
    """Say whether a plan waits for somebody who approves or withdraws it."""
    return request.stage is Stage.PLANNED and not is_approved_ahead(request)


async def _is_free(ledger: Ledger, id_: str, *, by_hand: bool) -> bool:
    """Say whether a press may have the id of a request for a new file: it is open, or not there."""
    found = await find_request(ledger, id_) if by_hand else None
    return by_hand and (found is None or found.is_open)


def _mark_of_name(tenant: str, name: str) -> str:
    """Tell a schedule from others of its ledger, which tenants of one account may share."""
    return sha256(f"{tenant}/{name}".encode()).hexdigest()[:8]


def _mark_of(origin: Mapping[str, Any]) -> str:
    """Tell a file of a folder from the others of one time, whichever of them are new now."""
    if not (file := origin.get("file")):
        return ""
    told = "\0".join(map(str, file.values()))
    return f"-{sha256(told.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


async def _check_there(job: str) -> None:
    """Raise where a list or a folder is not there, or the system cannot say so."""
    try:
        there = await anyio.Path(job).exists()
    except OSError as error:
        # A share that does not answer, or a folder above it that others may not enter.
        facts = {"reason": error.strerror or str(error)}
        raise JobFileError(Trouble(Code.UNREADABLE, job, facts=facts)) from error
    if not there:
        raise JobFileError(Trouble(Code.MISSING, job))
