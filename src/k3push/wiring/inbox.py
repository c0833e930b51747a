"""Folders as jobs: each new file of a folder is a run of its own, the oldest first, once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from anyio import to_thread

from k3push.adapters.clock import SystemClock
from k3push.adapters.job_files import JobFileError
from k3push.adapters.job_files.folders import digest_of, look_into
from k3push.adapters.job_files.troubles import Code, Trouble
from k3push.adapters.job_files.untrusted_files import UntrustedFile
from k3push.adapters.untrusted_paths import Below, IsLinkError
from k3push.config.settings import Settings
from k3push.core.model import FolderFile, Route, RunId
from k3push.ports import Ledger
from k3push.runs.create import AskedRoute, JobSource, survey
from k3push.runs.find import cut_off_runs
from k3push.runs.kept_in_ledger.request_stages import SELECTED
from k3push.wiring.job_lists import STDIN, JobOptions, opened_jobs, told_names
from k3push.wiring.open_ledger import is_there, ledger_of


@dataclass(frozen=True, slots=True)
class Batch:
    """What becomes a run, or one for each of its routes.

    Attributes:
        names: Job files, as messages call them.
        file: The file of a folder that it is, or None: then it may be pushed any number of times.
        strange: Which of the names strangers may have put where they are.
    """

    names: tuple[str, ...]
    file: FolderFile | None = None
    strange: Mapping[str, UntrustedFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch whose job files are open, and how often their lines ask for each route."""

    batch: Batch
    jobs: Sequence[JobSource]
    asked: Mapping[str, AskedRoute]

    def routes_among(self, routes: Mapping[str, Route]) -> list[Route]:
        """Return the routes that its lines ask for, each once; each becomes a run."""
        return list({routes[name].name: routes[name] for name in self.asked}.values())


NewOf = Callable[[Sequence[FolderFile]], Awaitable[list[FolderFile]]]
"""Leaves out the files that a ledger knows."""


async def batches_of(
    names: Sequence[str], how: JobOptions, new_of: NewOf, warn: Callable[..., None]
) -> list[Batch]:
    """Return what job files and folders come to: the files are one batch, as they are named.

    Args:
        names: Job files, "-", and folders.
        new_of: Leaves out the files of a folder that were taken.
        warn: Prints one: what is passed over, and what has nothing new.

    Raises:
        JobFileError: A folder cannot be read, or is reached through a link of a stranger.
    """
    places = {name: _place_of(name, how.home) for name in names if name not in {STDIN, SELECTED}}
    folders = [name for name in places if await to_thread.run_sync(_is_folder, places[name])]
    files = tuple(name for name in names if name not in folders)
    strange = strange_of(files, how.home) if how.home else {}
    batches = [Batch(files, strange=strange)] if files else []
    for folder in folders:
        now_s = SystemClock().now().timestamp()
        found = await to_thread.run_sync(look_into, places[folder], now_s)
        for name, why in found.left:
            warn(f"inbox.left.{why}", file=Path(folder, name))
        new = await new_of(found.files)
        if not new:
            warn("inbox.nothing", folder=folder, known=len(found.files))
        for file in new:
            name = str(Path(folder, file.name))
            place = UntrustedFile(places[folder].within(file.name), file.digest)
            batches.append(Batch((name,), file, {name: place}))
    return batches


def strange_of(names: Sequence[str], home: Path, digest: str = "") -> dict[str, UntrustedFile]:
    """Return where job files are that strangers may have put there.

    Args:
        names: What they are called.
        home: The folder of the tenant's configuration.
        digest: Of the one file, where somebody has looked at it.
    """
    return {
        name: UntrustedFile(_place_of(name, home), digest) for name in names if name != SELECTED
    }


def digest_now(name: str, home: Path) -> str:
    """Return the digest of a tenant's job file as it is now; "" where it cannot be read."""
    try:
        return digest_of(_place_of(name, home))
    except (OSError, JobFileError):
        return ""


def _place_of(name: str, home: Path | None) -> Below:
    """Return where a job is; a person at a terminal may name it through a link."""
    if home is None:
        return Below(Path(name), ())
    path = Path(name)
    return Below.of(home, str(path.relative_to(home) if path.is_relative_to(home) else path))


def _is_folder(place: Below) -> bool:
    try:
        return place.is_folder()
    except IsLinkError as error:
        raise JobFileError(Trouble(Code.LINK, str(error.filename))) from error


@asynccontextmanager
async def opened(
    names: Sequence[str], how: JobOptions, new_of: NewOf, warn: Callable[..., None]
) -> AsyncIterator[Sequence[OpenBatch]]:
    """Open what job files and folders come to; all of it is read before any is pushed.

    Args:
        names: Job files, "-", and folders.
        new_of: Leaves out the files of a folder that were taken.
        warn: Prints what is passed over.

    Raises:
        JobFileError: Some cannot be read; what is wrong with any is told at once.
    """
    batches = await batches_of(names, how, new_of, warn)
    every = [name for batch in batches for name in batch.names]
    strange = {name: place for batch in batches for name, place in batch.strange.items()}
    with opened_jobs(every, how, warn, strange) as jobs:
        rest = iter(jobs)
        parts, errors = [], []
        for batch in batches:
            its_jobs = list(islice(rest, len(batch.names)))
            try:
                parts.append(OpenBatch(batch, its_jobs, await survey(its_jobs)))
            except JobFileError as error:
                errors.append(error)
            else:
                if not parts[-1].asked:
                    warn("notice.empty_job", job=told_names(batch.names))
        if errors:
            troubles = [trouble for error in errors for trouble in error.troubles]
            raise JobFileError(
                *troubles,
                more=sum(error.more for error in errors),
                skippable=all(error.skippable for error in errors),
            )
        yield parts


async def new_of_settings(
    files: Sequence[FolderFile], settings: Settings, cut_off: dict[FolderFile, RunId]
) -> list[FolderFile]:
    """Leave out the files that the ledger of *settings* knows; none is made.

    Args:
        files: Found in a folder.
        cut_off: Filled with files whose runs had no end, and that nobody executes.
    """
    if not await is_there(settings):
        return list(files)
    async with ledger_of(settings) as ledger:
        takers = await _takers(files, ledger)
        now = SystemClock().now()
        left = {run.id for run in await cut_off_runs(ledger, now)} if takers else set()
        cut_off.update({file: run for file, run in takers.items() if run in left})
    return [file for file in files if file not in takers]


async def new_of_ledger(files: Sequence[FolderFile], ledger: Ledger) -> list[FolderFile]:
    """Leave out the files that *ledger* knows."""
    takers = await _takers(files, ledger)
    return [file for file in files if file not in takers]


async def _takers(files: Sequence[FolderFile], ledger: Ledger) -> dict[FolderFile, RunId]:
    return {file: run for file in files if (run := await ledger.taker_of(file)) is not None}
