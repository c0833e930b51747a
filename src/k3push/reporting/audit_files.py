"""What an audit has found, as a table for people and as files: CSV, XLSX, JSON and a page."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread
import orjson

from k3push.adapters.output_files import named, whole_file
from k3push.core.cells import marked
from k3push.reporting.audit_findings import Finding, Findings
from k3push.reporting.html_templates import environment
from k3push.reporting.xlsx_table import workbook
from k3push.words.language import Say, harmless
from k3push.words.width import cut, filled

# Of each kind, so many are shown where people look; files have all.
MOST_SHOWN = 20
MOST_ON_PAGE = 2000


@dataclass(frozen=True, slots=True)
class Audit:
    """An audit that is over.

    Attributes:
        scope: Which bills were looked at, in words.
    """

    findings: Findings
    exit: int
    account: str
    scope: str
    made_at: datetime


class AuditRecord(NamedTuple):
    """A row of a table: a document of a double, or one that is missing."""

    finding: str
    route: str
    number: str
    id: str
    expected: int | None
    found: int | None
    by: str
    target: str
    target_id: str
    status: str
    creator: str
    created: str
    ours: str
    run: str


async def write_audit(audit: Audit, path: Path, say: Say) -> None:
    """Write a file for its owner only, in the form that its extension names.

    Raises:
        OSError: The disk refused; an earlier file of that name is as it was.
    """
    write = WRITERS[path.suffix.lower()]
    async with whole_file(named(path), nullcontext) as part:
        await anyio.to_thread.run_sync(write, audit, part, say)


# -- for programs -----------------------------------------------------------------------------


def json_parts(audit: Audit) -> Iterator[bytes]:
    """Yield the one object that `--json` prints, bit by bit."""
    findings = audit.findings
    yield b'{"sources":%d,"doubles":[' % findings.sources
    yield from _listed(findings.doubles())
    yield b'],"missing":['
    yield from _listed(findings.missing())
    yield b'],"whole":%s,"exit":%d}\n' % (orjson.dumps(not findings.reasons), audit.exit)


def _listed(findings: Iterable[Finding]) -> Iterator[bytes]:
    for nth, finding in enumerate(findings):
        yield (b"," if nth else b"") + orjson.dumps(finding)


def _write_json(audit: Audit, path: Path, _: Say) -> None:
    with path.open("wb") as file:
        file.writelines(json_parts(audit))


def records_of(findings: Findings) -> Iterator[AuditRecord]:
    """Yield the rows of a table: the documents of doubles, then those that are missing."""
    for double in findings.doubles():
        targets = double["targets"]
        for target in targets:
            yield AuditRecord(
                "double",
                double["route"],
                double["number"],
                double["id"],
                double["expected"],
                len(targets),
                double["by"],
                target["number"],
                target["id"],
                target["status"],
                target["creator"],
                target["created"],
                "yes" if target["ours"] else "no",
                target["run"],
            )
    for gone in findings.missing():
        yield AuditRecord(
            "missing",
            gone["route"],
            gone["number"],
            "",
            None,
            None,
            "",
            "",
            gone["target_id"],
            "",
            "",
            "",
            "yes",
            gone["run"],
        )


def _write_csv(audit: Audit, path: Path, _: Say) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(AuditRecord._fields)
        for record in records_of(audit.findings):
            table.writerow(marked(cell) if isinstance(cell, str) else cell for cell in record)


def _write_xlsx(audit: Audit, path: Path, _: Say) -> None:
    with workbook(path, AuditRecord._fields) as table:
        findings = table("audit")
        for record in records_of(audit.findings):
            findings.add(record)


# -- for people -------------------------------------------------------------------------------


def _write_page(audit: Audit, path: Path, say: Say) -> None:
    findings = audit.findings
    shown = {
        kind: list(islice(found, MOST_ON_PAGE))
        for kind, found in (("doubles", findings.doubles()), ("missing", findings.missing()))
    }
    with path.open("w", encoding="utf-8") as file:
        file.writelines(
            environment("k3push.reporting")
            .get_template("audit.html")
            .generate(
                audit=audit,
                totals=findings.totals,
                left_out=findings.count - sum(map(len, shown.values())),
                say=say,
                said=[verdict(audit, say), *(say.said(each) for each in findings.reasons)],
                status_of=status_words,
                clock_of=moment,
                version=version("k3push"),
                **shown,
            )
        )


WRITERS: dict[str, Callable[[Audit, Path, Say], None]] = {
    ".csv": _write_csv,
    ".xlsx": _write_xlsx,
    ".json": _write_json,
    ".html": _write_page,
}


def verdict(audit: Audit, say: Say) -> str:
    """Say in a sentence what the audit came to."""
    totals = audit.findings.totals.values()
    if audit.findings.reasons:
        return say("audit.not_whole")
    if not audit.findings.count:
        return say("audit.clean", sources=audit.findings.sources)
    return say(
        "audit.found",
        sources=audit.findings.sources,
        doubles=sum(each.doubles for each in totals),
        missing=sum(each.missing for each in totals),
    )


def audit_lines(audit: Audit, say: Say) -> Iterator[str]:
    """Yield what the terminal shows, in lines of at most 80 columns as far as it is ours."""
    findings = audit.findings
    for route, totals in findings.totals.items():
        yield say(
            "audit.route",
            route=route,
            sources=totals.sources,
            doubles=totals.doubles,
            missing=totals.missing,
        )
    for double in islice(findings.doubles(), MOST_SHOWN):
        yield ""
        yield say(
            "audit.double",
            number=_name(double, say),
            found=len(double["targets"]),
            expected=double["expected"],
            by=say(f"audit.by.{double['by']}"),
        )
        for target in double["targets"]:
            yield _line(target, say)
    gone = list(islice(findings.missing(), MOST_SHOWN))
    if gone:
        yield ""
    for each in gone:
        yield say("audit.gone", number=each["number"], id=each["target_id"], run=each["run"])
    shown = min(MOST_SHOWN, sum(each.doubles for each in findings.totals.values())) + len(gone)
    if findings.count > shown:
        yield ""
        yield say("audit.more", count=findings.count - shown)
    yield ""
    yield verdict(audit, say)
    for why in findings.reasons:
        yield "  " + say.said(why)


def status_words(status: str, say: Say) -> str:
    """Return the name of a document's status (P 6.7), or the status where it has none."""
    known = status.lower()
    return say(f"audit.status.{known}") if known in {"z", "a", "b", "c", "d"} else status


def moment(created: str) -> str:
    """Return a time of the ERP to the minute.

    >>> moment("2026-01-02T12:00:00.13")
    '2026-01-02 12:00'
    """
    return created.replace("T", " ")[:16]


# Columns of a document's line; with the spaces between them they fill 80.
_WIDTHS = (18, 10, 10, 16, 19)


def _line(target: Finding, say: Say) -> str:
    cells = (
        harmless(target["number"]) or say("audit.unnumbered", id=target["id"]),
        harmless(status_words(target["status"], say)),
        harmless(target["creator"]),
        moment(target["created"]),
        target["run"] or say("audit.other"),
    )
    shown = (filled(cut(cell, wide), wide) for cell, wide in zip(cells, _WIDTHS, strict=True))
    return " " + "".join(f" {cell}" for cell in shown)


def _name(double: Finding, say: Say) -> str:
    """Return the number of a double; a bill that is not shown may be known by its id alone."""
    return double["number"] or say("audit.unnumbered", id=double["id"])


def names_of(findings: Findings, most: int, say: Say) -> Sequence[str]:
    """Return the numbers of some doubles."""
    return [_name(double, say) for double in islice(findings.doubles(), most)]
