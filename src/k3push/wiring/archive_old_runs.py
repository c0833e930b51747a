"""Archives old runs, as `[ledger] keep` says: after each execution, and by `ledger archive`."""

from __future__ import annotations

import math
from datetime import datetime

from k3push.adapters.archive_files import ArchiveFolder
from k3push.config.settings import Settings
from k3push.ports import Ledger
from k3push.runs.archive import ArchivingResult, archive_due

PATIENCE_S = 20.0
"""For how long an execution that has ended begins to archive runs; what is left comes next time."""


async def archive_old(
    settings: Settings, ledger: Ledger, now: datetime, *, seconds: float = math.inf
) -> ArchivingResult:
    """Archive the runs that are older than the ledger keeps them; none without `keep`.

    Raises:
        OSError: An archive cannot be written; nothing of its run is removed.
        LedgerLostError: The ledger could not be read or written.
    """
    keep = settings.ledger.kept_for
    if keep is None:
        return ArchivingResult()
    folder = ArchiveFolder(settings.archive_folder)
    return await archive_due(ledger, folder, before=now - keep, seconds=seconds)
