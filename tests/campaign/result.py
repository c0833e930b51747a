"""What comes of a trial."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Result:
    """What came of a trial.

    Attributes:
        findings: What is wrong; empty for a clean bill of health.
        counts: Processes, kills, full disks, pushes, documents and the like.
        faults: How often each fault was met.
        digest: Of all requests, attempts and rows.
    """

    findings: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    digest: str = ""
