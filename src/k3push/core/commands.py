"""What a person may say to a run that is under way, from any terminal."""

from __future__ import annotations

from enum import StrEnum


class Key(StrEnum):
    """What may be set while a run goes."""

    CONCURRENCY = "concurrency"
    """Chunks on their way at once."""

    CHUNK_SIZE = "chunk-size"
    """Numbers in the next chunk."""
