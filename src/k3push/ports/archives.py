"""What the use cases need of archives: one file for each run that is over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from k3push.core.model import Archive, Repeat, Row, Run
from k3push.ports.ledger_records import AttemptRecord, Commanded, Note

Part = Row | Repeat | AttemptRecord | Note | Commanded
"""What an archive holds of a run: rows come before all that is about them."""


class Archives(Protocol):
    """Where archives are kept."""

    async def write(self, run: Run, parts: AsyncIterator[Sequence[Part]]) -> Archive:
        """Write the archive of a run; it is on disk, power loss included, when it returns.

        An archive that holds the same already is left as it is, and none takes another's place.

        Raises:
            OSError: It cannot be written.
        """
        ...
