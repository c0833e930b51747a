"""Files that only their owner may read."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO


def opened_for_owner(path: Path) -> AbstractContextManager[IO[str]]:
    """Open a file for writing that only its owner may read."""

    def owner_only(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "w", encoding="utf-8", newline="", opener=owner_only)
