"""Where a path leads."""

from __future__ import annotations

import os
from pathlib import Path


def real(path: Path) -> Path:
    """Return the whole path without links.

    A circle of links leads nowhere, and its own path is returned: who opens it is told so by the
    system. `Path.resolve` raises what is no `OSError` there, on Python before 3.13.
    """
    return Path(os.path.realpath(path))
