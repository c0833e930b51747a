"""The tenants that a dashboard shows: read when it begins, and again as their files change.

A file that was named for itself has to be usable. One of a folder that has a fault, or lacks
something, holds up no other: it is told of, and comes once that is mended.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread
from rich.console import Console

from k3push.adapters.clock import SystemClock
from k3push.adapters.ledger.connection_places import ConnectionPlaces
from k3push.cli.actions.dashboard_access import roles_of, says_roles_alone
from k3push.config.real_paths import real
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.config.tenants import Tenant, clashes_of, files_of, tenant_of
from k3push.core.control_words import Key
from k3push.core.remark import kind_and_words, remark
from k3push.fleet import needs_fleet, needs_shared_ledger, queue_of
from k3push.ports import Ledger, LedgerLostError
from k3push.runs.problem import Problem
from k3push.web import Crowd, Dashboard, HandOver, Log, Messenger, ServedTenant, Workshop
from k3push.wiring.config_file import find_config, load_settings
from k3push.wiring.job_lists import Reader
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.webhook_receivers import receivers_of
from k3push.words.language import Say

if TYPE_CHECKING:
    from k3push.fleet import Queue

# How often the folder of tenants is looked at.
FOLDER_LOOK_S = 5.0
# What a tenant lacks may come without a change of any file, and thousands of files are read then.
LACKING_LOOK_S = 60.0


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Where the configurations of tenants are.

    Attributes:
        named: Files that were named for themselves.
        folder: A folder of them, or None; without either it is the usual file.
    """

    named: Sequence[Path]
    folder: Path | None

    def must_serve(self, path: Path) -> bool:
        """Say whether a file is one without which nothing is served."""
        return path in self.named or self.folder is None

    def usable(self, say: Say, *, begins: bool = True) -> tuple[list[Settings], list[str]]:
        """Return the settings of the tenants, and lines about those that are passed over.

        Args:
            begins: The server begins; later, what is wrong with any file holds up no other.

        Raises:
            Problem: There is none, or two have one name.
            SettingsError: None is usable, or one that was named is not.
        """
        found: dict[str, Tenant] = {}
        names: set[str] = set()
        left: list[str] = []
        faults: list[SettingsError] = []
        for path in self._all():
            if path.stem in names:
                double = Problem(remark("serve.same_name", name=path.stem, path=path))
                if begins:
                    raise double
                left.append(say("worker.faulty", why=double))
                continue
            names.add(path.stem)
            try:
                found[path.stem] = Tenant(path.stem, load_settings(path))
            except SettingsError as error:
                if begins and self.must_serve(path):
                    raise
                faults.append(error)
                left.append(say("worker.faulty", why=error))
        if not found and faults:
            raise faults[0]
        clashes = clashes_of(found)
        left += [
            say("fleet.clash", tenant=name, others=", ".join(others))
            for name, others in clashes.items()
        ]
        if found and len(clashes) == len(found):
            raise Problem(remark("serve.all_clash", names=", ".join(found)))
        return [each.settings for name, each in found.items() if name not in clashes], left

    def state(self) -> Mapping[Path, tuple[int, int, int]]:
        """Return what tells whether a file of the folder has changed."""
        found = {}
        for path in self._of_folder():
            with suppress(OSError):
                stat = path.stat()
                found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return found

    def _all(self) -> list[Path]:
        found = [*self.named, *self._of_folder()]
        if self.folder is not None and not found:
            raise Problem(remark("serve.no_tenants", folder=self.folder))
        return found or [find_config(None)]

    def _of_folder(self) -> list[Path]:
        try:
            return [] if self.folder is None else files_of(self.folder)
        except OSError:
            return []


@dataclass(slots=True)
class ServedTenants:
    """The tenants while the dashboard is served.

    Attributes:
        files: Where they are configured.
        works: What is asked for is executed.
        queues: Who has workers execute it; None executes it here.
        reader: Reads lists, of which one tenant's must cost the others nothing.
        told: What was said of files that are passed over.
        seen: The state of the files before they were read.
        known: The tenants that are shown, by their files.
        lacking: Tenants that cannot be shown as their files say, since something else is missing.
        _owing: Those of them that were there as the server began.
    """

    files: ConfigFiles
    say: Say
    log: Log
    works: bool
    queues: Queues | None
    reader: Reader
    told: frozenset[str]
    seen: Mapping[Path, tuple[int, int, int]] = field(default_factory=dict)
    known: dict[Path, ServedTenant] = field(default_factory=dict)
    lacking: set[Path] = field(default_factory=set)
    _resting: set[Path] = field(default_factory=set)
    _owing: set[Path] = field(default_factory=set)
    _places: ConnectionPlaces = field(default_factory=ConnectionPlaces)
    _connected: Crowd = field(default_factory=Crowd.connected)

    async def begin(self, settings: Sequence[Settings], errors: Console) -> list[ServedTenant]:
        """Show tenants for the first time; one of a folder that lacks something comes later.

        Raises:
            LedgerLostError: The queue of all of them, or of one that must be served, is away.
            Problem: Likewise, no worker can share the ledger.
            SettingsError: Likewise, who is told of pushes cannot be had.
        """
        begun: list[ServedTenant] = []
        faults: list[Problem | SettingsError | LedgerLostError] = []
        for each in settings:
            try:
                begun.append(await self._tenant(each, (), owes=True))
            except (Problem, SettingsError, LedgerLostError) as error:
                if self.files.must_serve(each.file):
                    raise
                faults.append(error)
                self.lacking.add(each.file)
                self._owing.add(each.file)
        self._tell([*self.told, *(self.say("worker.faulty", why=why) for why in faults)], errors)
        if not begun and faults:
            raise faults[0]
        return begun

    async def keep_reading(self, ready: Dashboard, errors: Console) -> None:
        """Show tenants as their files come, change and go, until cancelled."""
        read_s = anyio.current_time()
        while True:
            await anyio.sleep(FOLDER_LOOK_S)
            seen = await to_thread.run_sync(self.files.state)
            self.lacking &= seen.keys()
            self._owing &= seen.keys()
            # Who rests though its file is there may not have been readable for a moment.
            waits = self.lacking | self._resting & seen.keys()
            is_due = waits and anyio.current_time() - read_s > LACKING_LOOK_S
            if seen == self.seen and not is_due:
                continue
            read_s = anyio.current_time()
            changed = {path for path in seen if seen[path] != self.seen.get(path)}
            changed |= self.lacking | self._resting
            self.seen = seen
            tenants: list[ServedTenant] = []
            try:
                usable = partial(self.files.usable, self.say, begins=False)
                settings, left = await to_thread.run_sync(usable)
            except (Problem, SettingsError) as error:
                settings, left = [], [self.say("worker.faulty", why=error)]
            for each in settings:
                try:
                    owes = each.file in self._owing
                    tenants.append(await self._tenant(each, changed, owes=owes))
                    self.lacking.discard(each.file)
                    self._owing.discard(each.file)
                except (Problem, SettingsError, LedgerLostError) as error:
                    self.lacking.add(each.file)
                    left.append(self.say("worker.faulty", why=error))
                except Exception as error:  # noqa: BLE001  # a defect must not end it for others
                    self.lacking.add(each.file)
                    what = kind_and_words(error)
                    left.append(self.say("serve.defect", file=each.file, what=what))
                    self.log("tenant.failed", tenant=each.file.stem, why=traceback.format_exc())
            self._tell(left, errors)
            self._let_rest({each.file for each in settings} - self.lacking)
            if tenants:
                ready.take(tenants)

    def _tell(self, left: Sequence[str], errors: Console) -> None:
        for line in left:
            if line not in self.told:
                errors.print(line, highlight=False, markup=False)
        self.told = frozenset(left)

    def _let_rest(self, served: Collection[Path]) -> None:
        """Begin nothing for tenants that are not shown as their files say, until they are."""
        self._resting = self.known.keys() - served
        for path in self._resting:
            if (workshop := self.known[path].workshop) is not None:
                workshop.rest()

    async def _tenant(
        self, settings: Settings, changed: Collection[Path], *, owes: bool
    ) -> ServedTenant:
        """Return a tenant as its file says; what was due before it was there is not begun.

        Args:
            changed: Files that are not as they were.
            owes: It was there as the server began, and what was due before that is begun yet.
        """
        before = self.known.get(settings.file)
        if before is None or settings.file in changed:
            workshop = None if before is None else before.workshop
            made = self._made(settings, workshop)
            same = before is not None and before.ledger == made.ledger
            if self.works and not (same and before and before.acct_id == made.acct_id):
                new = await self._workshop(settings)
                if not owes:
                    new.timetable.owe_nothing()
                made = self._made(settings, new)
                if workshop is not None:
                    workshop.rest()
            elif workshop is not None:
                workshop.take(settings, await to_thread.run_sync(receivers_of, settings))
            self.known[settings.file] = made
        return self.known[settings.file]

    def _made(self, settings: Settings, workshop: Workshop | None) -> ServedTenant:
        path = settings.ledger_path
        return ServedTenant(
            name=settings.file.stem,
            acct_id=settings.erp.acct_id,
            ledger=settings.ledger.url if path is None else str(real(path)),
            pace={
                Key.CONCURRENCY: settings.run.concurrency,
                Key.CHUNK_SIZE: settings.run.chunk_size,
                Key.CALLS_PER_MINUTE: settings.run.max_calls_per_minute,
            },
            opened=partial(_opened, settings, self._places, create=workshop is not None),
            workshop=workshop,
            roles=roles_of(settings.serve) if says_roles_alone(settings.serve) else {},
            unverified=settings.erp.verify is False,
        )

    async def _workshop(self, settings: Settings) -> Workshop:
        receivers = await to_thread.run_sync(receivers_of, settings)
        hand_over = await self.queues.hand_over(settings) if self.queues else None
        clock = SystemClock()

        def beside() -> set[str]:
            return {file.stem for file in (*self.known, *self.seen)}

        messenger = Messenger(receivers, clock, self.log, tenant=settings.file.stem, beside=beside)
        return Workshop(
            settings,
            clock,
            self.say,
            self.log,
            reader=self.reader,
            hand_over=hand_over,
            messenger=messenger,
            beside=beside,
            crowd=self._connected if settings.ledger.in_postgres else None,
        )


@dataclass(slots=True)
class Queues:
    """The queues of tenants, each opened when the first of its tenants is shown.

    Attributes:
        stack: Closes them.
    """

    stack: AsyncExitStack
    _queues: dict[str, Queue] = field(default_factory=dict)

    async def hand_over(self, settings: Settings) -> HandOver:
        """Return what gives a tenant's runs to its workers.

        Raises:
            LedgerLostError: The queue cannot be reached.
            Problem: The ledger cannot be shared with workers, or a package is missing.
        """
        needs_fleet()
        from k3push.fleet import FleetHandOver, open_queue  # noqa: PLC0415

        tenant = tenant_of(settings.file, os.environ)
        needs_shared_ledger(tenant.settings)
        if tenant.database not in self._queues:
            opening = open_queue(await to_thread.run_sync(queue_of, tenant), create=True)
            self._queues[tenant.database] = await self.stack.enter_async_context(opening)
        return FleetHandOver(tenant.name, self._queues[tenant.database])


@asynccontextmanager
async def _opened(
    settings: Settings, places: ConnectionPlaces, *, create: bool
) -> AsyncIterator[Ledger]:
    """Open a tenant's ledger; what it lacks, such as a secret, is that tenant's trouble alone."""
    try:
        # A secret may come from a command, which takes its time.
        opening = await to_thread.run_sync(
            partial(ledger_of, settings, create=create, places=places)
        )
    except (Problem, SettingsError) as lacking:
        raise LedgerLostError(str(lacking)) from None
    async with opening as ledger:
        yield ledger
