"""`ledger migrate`, `check`, `archive` and `copy`: the ledger as a whole."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from k3push.adapters.clock import SystemClock
from k3push.adapters.ledger.maintenance.copy import CopyDiffersError, is_empty
from k3push.adapters.ledger.maintenance.copy import copy as copy_books
from k3push.adapters.ledger.maintenance.integrity import check as check_books
from k3push.adapters.ledger.maintenance.sql_tables import SqlTables
from k3push.adapters.ledger.maintenance.sqlite_tables import books_in_sqlite
from k3push.adapters.ledger.sqlite import migrate as migrate_in_sqlite
from k3push.adapters.ledger.sqlite import version_of as version_in_sqlite
from k3push.cli.console.screen import tick
from k3push.config.conflicts import faults_of_ledger
from k3push.config.settings import LedgerSettings, Settings
from k3push.core.remark import remark
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.wiring.archive_old_runs import archive_old
from k3push.wiring.config_file import load_settings
from k3push.wiring.open_ledger import ledger_of, ledger_password, needs_postgres
from k3push.words.language import Say

CONFIGURED = "config"
"""Stands for the ledger of the configuration, where a URL is asked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ledger is.

    Attributes:
        path: The file of SQLite; None where it is in PostgreSQL.
        shown: The place as it may be shown.
    """

    settings: LedgerSettings
    path: Path | None
    shown: str
    password: str
    say: Say

    async def migrate(self, *, create: bool = False) -> None:
        """Bring its schema up to date."""
        if self.path:
            await migrate_in_sqlite(self.path, create=create)
            return
        with needs_postgres():
            from k3push.adapters.ledger.postgres import migrate  # noqa: PLC0415
        await migrate(self.settings.url, password=self.password, create=create)

    def books(self, *, write: bool = False) -> AbstractAsyncContextManager[SqlTables]:
        """Open its tables."""
        if self.path:
            return books_in_sqlite(self.path, write=write)
        with needs_postgres():
            from k3push.adapters.ledger.maintenance.postgres_tables import books_in_postgres  # noqa: PLC0415
        return books_in_postgres(self.settings.url, self.password)

    async def version(self) -> int:
        """Return the version of its schema; 0 if there is no ledger."""
        if self.path:
            return await version_in_sqlite(self.path)
        with needs_postgres():
            from k3push.adapters.ledger.postgres import version_of  # noqa: PLC0415
        return await version_of(self.settings.url, self.password)

    async def version_there(self) -> int:
        """Return the version of its schema; raises `Problem` where there is no ledger."""
        version = await self.version()
        if not version:
            raise Problem(remark("error.no_ledger", path=self.shown))
        return version


def _place_of(settings: Settings, say: Say) -> Place:
    password = ledger_password(settings)
    return Place(settings.ledger, settings.ledger_path, settings.ledger_place, password, say)


def _typed(url: str, config: Path | None, say: Say) -> Place:
    """Read what was typed: a URL, whose relative path starts here, or `config`."""
    if url == CONFIGURED:
        return _place_of(load_settings(config), say)
    settings = LedgerSettings(url=url)
    for _, what in faults_of_ledger(settings):
        raise Problem(remark("ledger.url", what=what))
    path = None if settings.in_postgres else Path(url.removeprefix("sqlite:///"))
    return Place(settings, path, str(path) if path else settings.shown, "", say)


async def migrate(config: Path | None, say: Say) -> Exit:
    """Bring the schema of the configured ledger up to date, and say from where to where."""
    place = _place_of(load_settings(config), say)
    before = await place.version_there()
    await place.migrate()
    after = await place.version()
    if before != after:
        _tell(say("ledger.migrated", place=place.shown, before=before, after=after))
    else:
        _tell(say("ledger.up_to_date", place=place.shown, after=after))
    return Exit.DONE


async def check(config: Path | None, say: Say) -> Exit:
    """Look through the configured ledger, with a line for each check."""
    place = _place_of(load_settings(config), say)
    sound = True
    await place.version_there()
    await place.migrate()
    async with place.books() as books:
        async for found in check_books(books):
            line = say(f"ledger.check.{found.check}")
            if found.wrong:
                sound = False
                cure = say(f"ledger.cure.{found.check}")
                line = say("ledger.bad", what=line, n=found.wrong, example=found.example, cure=cure)
            _tell(f"{tick(good=not found.wrong)} {line}")
    return Exit.DONE if sound else Exit.USAGE


async def archive(config: Path | None, say: Say) -> Exit:
    """Archive all runs of the configured ledger that are old enough, and say how many."""
    settings = load_settings(config)
    folder = settings.archive_folder
    if settings.ledger.kept_for is None:
        raise Problem(remark("error.no_keep"))
    async with ledger_of(settings) as ledger:
        try:
            done = await archive_old(settings, ledger, SystemClock().now())
        except OSError as error:
            why = error.strerror or error
            raise Problem(remark("error.file", path=folder, why=why)) from error
    _tell(say("ledger.archived_runs", count=done.runs, folder=folder))
    return Exit.DONE


async def copy(source: str, target: str, config: Path | None, say: Say) -> Exit:
    """Copy a ledger into an empty one, and compare both row by row."""
    here, there = _typed(source, config, say), _typed(target, config, say)
    await here.version_there()
    await here.migrate()
    async with here.books() as mine:
        if run := await mine.alive():
            raise Problem(remark("ledger.alive", run=run))
        await there.migrate(create=True)
        copied = await _copy(mine, there)
    rows = [say("ledger.copied_table", table=table, count=n) for table, n in copied.items()]
    told = say("framework.between").join(rows)
    _tell(say("ledger.copied", source=here.shown, target=there.shown, told=told))
    return Exit.DONE


async def _copy(mine: SqlTables, there: Place) -> Mapping[str, int]:
    async with there.books(write=True) as other:
        if not await is_empty(other):
            raise Problem(remark("ledger.not_empty", place=there.shown))
        try:
            return await copy_books(mine, other)
        except CopyDiffersError as differs:
            raise Problem(remark("ledger.differs", what=differs)) from None


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
