"""What an audit has found, kept in a file: there may be more of it than the memory holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import orjson

from k3push.core.remark import remark
from k3push.runs.audit.audit_doubles import Audited, Double, Missing

Finding = dict[str, Any]
"""A double or a missing document, as `audit-dups --json` prints it."""


@dataclass(slots=True)
class AuditTotals:
    """What the bills of one route add up to.

    Attributes:
        sources: Bills that were looked at.
        doubles: Those with too many documents.
        missing: Documents that the ledger names and the ERP does not have.
        unread: Numbers that the ERP refuses to be asked for.
        strange: Numbers that are no bill of the source form.
    """

    sources: int = 0
    doubles: int = 0
    missing: int = 0
    unread: int = 0
    strange: int = 0


@dataclass(slots=True)
class Findings:
    """What audits of some routes have found.

    Attributes:
        file: Holds all of it, a line each.
        totals: By the name of the route.
        unread: A few of the numbers that could not be asked for, with the ERP's words.
        why: Why not all was looked at, as remarks; none where it was.
    """

    file: IO[bytes]
    totals: dict[str, AuditTotals] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    why: list[str] = field(default_factory=list)

    # So many numbers that could not be asked for are named.
    MOST_NAMED = 10

    def begin(self, route: str) -> None:
        """Say that a route is looked at, so that it is told though nothing is found."""
        self.totals.setdefault(route, AuditTotals())

    def add(self, route: str, audited: Audited) -> None:
        """Take in what some bills came to. It writes a file."""
        totals = self.totals[route]
        totals.sources += audited.sources
        totals.doubles += len(audited.doubles)
        totals.missing += len(audited.missing)
        totals.unread += len(audited.unread)
        totals.strange += audited.strange
        for number, words in audited.unread.items():
            if len(self.unread) < self.MOST_NAMED:
                self.unread[number] = words
        self._write("double", map(_double, audited.doubles))
        self._write("missing", map(_missing, audited.missing))

    @property
    def sources(self) -> int:
        """Bills that were looked at."""
        return sum(totals.sources for totals in self.totals.values())

    @property
    def count(self) -> int:
        """Doubles and missing documents."""
        return sum(totals.doubles + totals.missing for totals in self.totals.values())

    @property
    def reasons(self) -> list[str]:
        """Why the audit is not whole, as remarks; none where it is."""
        refused = [
            remark("audit.unread", number=number, why=words)
            for number, words in self.unread.items()
        ]
        more = sum(totals.unread for totals in self.totals.values()) - len(self.unread)
        return [*self.why, *refused, *([remark("audit.more_unread", count=more)] if more else [])]

    def doubles(self) -> Iterator[Finding]:
        """Read the doubles, in the order in which they were found."""
        return self._read("double")

    def missing(self) -> Iterator[Finding]:
        """Read the missing documents."""
        return self._read("missing")

    def _write(self, kind: str, findings: Iterator[Finding]) -> None:
        for finding in findings:
            self.file.write(orjson.dumps([kind, finding], option=orjson.OPT_APPEND_NEWLINE))

    def _read(self, wanted: str) -> Iterator[Finding]:
        self.file.seek(0)
        for line in self.file:
            kind, finding = orjson.loads(line)
            if kind == wanted:
                yield finding


@contextmanager
def new_findings() -> Iterator[Findings]:
    """Begin without findings; the file is gone when the block ends."""
    with tempfile.TemporaryFile(prefix="k3push-") as file:
        yield Findings(file)


def _double(double: Double) -> Finding:
    return {
        "number": _whole(double.number),
        "id": double.id,
        "expected": double.expected,
        "targets": [
            {
                "id": held.document.id,
                "number": _whole(held.document.number),
                "status": held.document.status,
                "creator": _whole(held.document.creator),
                "created": held.document.created,
                "ours": bool(held.run),
                "run": held.run,
            }
            for held in double.held
        ],
        "by": double.by.value,
        "route": double.route,
    }


def _missing(missing: Missing) -> Finding:
    return {
        "number": _whole(missing.number),
        "target_id": missing.target_id,
        "run": missing.run,
        "route": missing.route,
    }


def _whole(text: str) -> str:
    # The database may hold half a surrogate pair, which UTF-8 has no bytes for.
    return text.encode("utf-8", "replace").decode()
