"""The results folder of a run: table, lists by state, and a summary that says why it stopped."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import anyio
import anyio.to_thread
import orjson

from k3push.adapters.output_files import Goal, whole_file
from k3push.adapters.private_files import fresh_part, opened_for_owner, put_in_place
from k3push.adapters.untrusted_paths import own_folder
from k3push.core.advice.clusters import TOLD, Clusters, asks_for_person
from k3push.core.advice.diagnosis import code_of, code_of_step
from k3push.core.model import Repeat, Run, State
from k3push.core.remark import remark
from k3push.core.safety.document_steps import FOR_PERSON
from k3push.ports import Ledger
from k3push.reporting.report import new_report
from k3push.reporting.summary import NO_LOOK_SETTLES
from k3push.reporting.table_files import Put, csv_table, records_of
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, followed_pages_of
from k3push.runs.outcome import Ending
from k3push.runs.stop import Cause
from k3push.words.language import Say, speaker

# What a person acts on; each is a job file of its own.
PARTS = (State.REJECTED, State.DRAFT, State.UNKNOWN, State.PLANNED)

# What programs read of a run is English.
_ENGLISH = speaker("en")

# Rows whose reasons are read where the answer must come at once.
MOST_READ = 2000


async def clusters_of(ledger: Ledger, run: Run, states: Collection[State] = TOLD) -> Clusters:
    """Return the rows in *states* by what they say, and what else needs a person.

    Besides, these are numbers and documents whose state does not say so. Only `MOST_READ` of each
    are read.
    """
    clusters = Clusters()
    for those in (states, (State.ALREADY,)):
        for row in await ledger.rows(run.id, states=those, limit=MOST_READ) if those else ():
            if asks_for_person(row):
                clusters.add(code_of(row), row.reason, row.label_in_erp, row.state)
    for each in await ledger.documents(run.id, follows=FOR_PERSON, limit=MOST_READ):
        clusters.add(code_of_step(each.follow), each.reason, each.number or each.id)
    return clusters


async def write_results(ledger: Ledger, ending: Ending, say: Say, *, now: datetime) -> Clusters:
    """Write the results of a run into its folder, over those of an earlier execution.

    The rows are read once, whatever is made of them.

    Returns:
        All rows that came to nothing certain, by what they say.
    """
    run = ending.run
    async with AsyncExitStack() as stack:
        folder = await anyio.to_thread.run_sync(stack.enter_context, own_folder(Path(run.folder)))
        return await _write(ledger, ending, folder, say, now=now)


async def _write(
    ledger: Ledger, ending: Ending, folder: Path, say: Say, *, now: datetime
) -> Clusters:
    run = ending.run
    await anyio.to_thread.run_sync(_write_summary, folder / "summary.json", _summary(ending))
    page = new_report(ledger, ending, Goal(folder / "report.html"), say, now=now)
    async with page as gatherer, AsyncExitStack() as tables:
        whole = await tables.enter_async_context(whole_file(Goal(folder / "ledger.csv"), csv_table))
        parts: dict[State, Put] = {}
        old: list[Path] = []
        for state in PARTS:
            path = folder / f"{state}.csv"
            if ending.counts.get(state):
                parts[state] = await tables.enter_async_context(whole_file(Goal(path), csv_table))
            else:
                old.append(path)
        await anyio.to_thread.run_sync(_remove, old)

        def put(rows: Sequence[FollowedRow]) -> None:
            records = records_of(rows, run)
            whole(records)
            for state, part in parts.items():
                part([record for record in records if record.state == state])
            gatherer.rows(rows)

        async for rows in followed_pages_of(ledger, run):
            await anyio.to_thread.run_sync(put, rows)
    return gatherer.clusters


def _remove(files: Sequence[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _summary(ending: Ending) -> dict[str, object]:
    run = ending.run
    return ending.as_json() | {
        "started_at": run.started_at.astimezone().isoformat(timespec="seconds"),
        "jobs": list(run.jobs),
        "repeats": [_repeat(ending, repeat) for repeat in ending.repeats],
        "pace": [
            {
                "seconds": round(step.at_s, 2),
                "concurrency": step.setting.concurrency,
                "chunk_size": step.setting.chunk_size,
                "why": _ENGLISH.said(step.why),
            }
            for step in ending.pace
        ],
        "stopped_by": {cause.value: _ENGLISH.said(why) for cause, why in ending.causes.items()},
        "remarks": {cause.value: why for cause, why in ending.causes.items()},
        "certificate_checked": not ending.unverified,
    }


def _repeat(ending: Ending, repeat: Repeat) -> dict[str, object]:
    file, first_file = ending.places_of(repeat)
    told = {"line": repeat.line, "number": repeat.number, "first_line": repeat.first_line}
    return {**told, "file": file, "first_file": first_file} if file else told


def read_causes(run: Run, counts: Mapping[State, int]) -> dict[Cause, str]:
    """Return why the last execution of a run stopped, as its summary has it.

    A summary that is gone, or is another run's, says nothing. That numbers stay in doubt is so
    for those alone that nobody has settled since.

    Args:
        counts: Its rows by state, as they are now.
    """
    if not run.folder:
        return {}
    try:
        told = orjson.loads((Path(run.folder) / "summary.json").read_bytes())
        if told["run"] == run.id:
            # What an older version wrote has words alone.
            causes = told.get("remarks", told["stopped_by"])
            found = {Cause(cause): str(why) for cause, why in causes.items()}
            doubted = int(told.get("counts", {}).get(State.UNKNOWN, 0))
            return _without_settled(found, doubted, counts.get(State.UNKNOWN, 0))
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return {}


def _without_settled(causes: Mapping[Cause, str], before: int, now: int) -> dict[Cause, str]:
    """Leave out of causes what was settled since, of so many numbers that were in doubt."""
    if now >= before:
        return dict(causes)
    kept = {cause: why for cause, why in causes.items() if now or cause not in NO_LOOK_SETTLES}
    if Cause.PERSON in kept:
        kept[Cause.PERSON] = remark("why.person", count=now)
    if Cause.UNPROVED in kept:
        _, _, field = kept[Cause.UNPROVED].partition(": ")
        kept[Cause.UNPROVED] = f"{now}: {field}"
    return kept


def _write_summary(path: Path, summary: dict[str, object]) -> None:
    with fresh_part(path) as part:
        with opened_for_owner(part) as file:
            file.write(orjson.dumps(summary, option=orjson.OPT_INDENT_2).decode() + "\n")
        put_in_place(part, path)
