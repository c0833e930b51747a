"""Folders as jobs: each new file of a folder is a run of its own, the oldest first, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from k3push.adapters.job_files.folders import look_into
from k3push.cli.wiring import SystemClock, is_there, ledger_of
from k3push.cli.words import Say
from k3push.core.model import FolderFile
from k3push.settings import Settings


@dataclass(frozen=True, slots=True)
class Batch:
    """What becomes a run, or one for each of its routes.

    Attributes:
        names: Job files, as messages call them.
        file: The file of a folder that it is, or None: then it may be pushed any number of times.
    """

    names: tuple[str, ...]
    file: FolderFile | None = None


async def batches_of(
    names: Sequence[str], settings: Settings, say: Say, warn: Callable[..., None]
) -> list[Batch]:
    """Return what job files and folders come to: the files are one batch, as they are named.

    Args:
        names: Job files, "-", and folders.
        settings: Where the ledger is that knows which files were taken.
        say: Sentences.
        warn: Prints one: what is passed over, and what has nothing new.

    Raises:
        JobFileError: A folder cannot be read.
    """
    folders = [name for name in names if name != "-" and await anyio.Path(name).is_dir()]
    files = tuple(name for name in names if name not in folders)
    batches = [Batch(files)] if files else []
    for folder in folders:
        now_s = SystemClock().now().timestamp()
        found = await anyio.to_thread.run_sync(look_into, Path(folder), now_s)
        for name, why in found.left:
            warn(f"inbox.{why}", file=Path(folder, name))
        new = await _new(found.files, settings, say)
        if not new:
            warn("inbox.nothing", folder=folder, known=len(found.files))
        batches += [Batch((str(Path(folder, file.name)),), file) for file in new]
    return batches


async def _new(files: Sequence[FolderFile], settings: Settings, say: Say) -> list[FolderFile]:
    if not await is_there(settings, say):
        return list(files)
    async with ledger_of(settings, say) as ledger:
        return [file for file in files if not await ledger.has_taken(file)]
