"""The results folder of a run: the ledger, its parts as job files, and a summary."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread
import orjson

from k3push.core.advice import code_of
from k3push.core.clusters import TOLD, Clusters
from k3push.core.model import Run, State
from k3push.job import Cause
from k3push.ports import Ledger
from k3push.reporting.ending import Ending
from k3push.reporting.report import write_report
from k3push.reporting.tables import opened_for_owner, pages_of, write_csv
from k3push.reporting.timeline import Say

# What a person acts on; each is a job file of its own.
PARTS = (State.REJECTED, State.DRAFT, State.UNKNOWN, State.PLANNED)


async def clusters_of(ledger: Ledger, run: Run) -> Clusters:
    """Return the rows that came to nothing certain, by what they say."""
    clusters = Clusters()
    async for rows in pages_of(ledger, run, TOLD):
        for row in rows:
            clusters.add(code_of(row), row.reason, row.bill or row.number)
    return clusters


async def count_targets(ledger: Ledger, run: Run) -> int:
    """Count the documents that the rows name; merged sources share one."""
    ids: set[str] = set()
    async for rows in pages_of(ledger, run, {State.PUSHED, State.DRAFT, State.ALREADY}):
        ids.update(target.id for row in rows for target in row.targets)
    return len(ids)


async def write_results(
    ledger: Ledger, ending: Ending, say: Say, *, lang: str, now: datetime
) -> Path:
    """Write the results of a run into its folder, over those of an earlier execution."""
    run = ending.run
    folder = Path(run.folder)
    await anyio.Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    await write_csv(ledger, run, folder / "ledger.csv")
    for state in PARTS:
        part = folder / f"{state}.csv"
        if ending.counts.get(state):
            await write_csv(ledger, run, part, {state})
        else:
            await anyio.Path(part).unlink(missing_ok=True)
    summary = ending.as_json() | {
        "started_at": run.started_at.astimezone().isoformat(timespec="seconds"),
        "jobs": list(run.jobs),
        "repeats": [
            {"line": repeat.line, "number": repeat.number, "first_line": repeat.first_line}
            for repeat in ending.repeats
        ],
        "pace": [
            {
                "seconds": round(step.at_s, 2),
                "concurrency": step.setting.concurrency,
                "chunk_size": step.setting.chunk_size,
                "why": step.why,
            }
            for step in ending.pace
        ],
        "stopped_by": {cause.value: why for cause, why in ending.causes.items()},
        "certificate_checked": not ending.unverified,
    }
    await anyio.to_thread.run_sync(_write_summary, folder / "summary.json", summary)
    await write_report(ledger, ending, folder / "report.html", say, lang=lang, now=now)
    return folder


def read_causes(run: Run) -> dict[Cause, str]:
    """Return why the last execution of a run stopped, as its summary has it.

    A summary that is gone, or is another run's, says nothing.
    """
    try:
        told = orjson.loads((Path(run.folder) / "summary.json").read_bytes())
        if told["run"] == run.id:
            return {Cause(cause): str(why) for cause, why in told["stopped_by"].items()}
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return {}


def _write_summary(path: Path, summary: dict[str, object]) -> None:
    with opened_for_owner(path) as file:
        file.write(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode() + "\n")
