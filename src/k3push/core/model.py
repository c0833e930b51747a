"""The words of the domain, as frozen types.

A *number* is the bill number of a source bill. A *target* is a document that the
ERP made from it. Numbers travel in *chunks*; one sending of a chunk is an
*attempt*, and what came of it is an *outcome* for each number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

BillNumber = NewType("BillNumber", str)
RunId = NewType("RunId", str)


class State(StrEnum):
    """Where one number stands (README, "States")."""

    PLANNED = "planned"
    """Never sent, or certainly not acted upon."""

    SENT = "sent"
    """An attempt is open."""

    PUSHED = "pushed"
    """The ERP made targets from it; all of them are named."""

    DRAFT = "draft"
    """A target exists as a draft (暂存) and needs a person."""

    ALREADY = "already"
    """A target was there before; nothing was sent."""

    REJECTED = "rejected"
    """The ERP made nothing and said why, or the pre-check did."""

    UNKNOWN = "unknown"
    """The ERP may have acted; only settling may move it on."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One number of a job file.

    Attributes:
        line: Line in the file, from 1, the heading counted.
        number: As written, spaces around it trimmed.
        route: Name of the route that the line asks for, or "".
    """

    line: int
    number: BillNumber
    route: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A document that the ERP made.

    Attributes:
        id: Internal id, as text.
        number: Bill number; "" for a draft (P 5.9).
        draft: Whether it is a draft (暂存, FDocumentStatus Z).
    """

    id: str
    number: str
    draft: bool = False
