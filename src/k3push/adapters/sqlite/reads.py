"""The verbs of the SQLite ledger that only read, each as a step over a connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from k3push.adapters import ledger_records as records
from k3push.adapters import ledger_text as text
from k3push.adapters.sqlite.file import Connection
from k3push.adapters.sqlite.runs import run_key
from k3push.core.model import (
    BillNumber,
    FolderFile,
    Repeat,
    Row,
    Run,
    RunId,
    State,
)
from k3push.ports import AttemptRecord, Commanded, Doubt, Note

# What nearly all rows are in: these have no index, and are found by walking on from a place.
WIDESPREAD = {State.PLANNED, State.SENT, State.PUSHED}


def run(connection: Connection, id_: RunId) -> Run | None:
    """Return the run of that id."""
    found = connection.one("select_run", run=id_)
    return records.to_run(found) if found else None


def runs(connection: Connection) -> Sequence[Run]:
    """Return all runs, the oldest first."""
    return [records.to_run(found) for found in connection.all("select_runs")]


def has_taken(connection: Connection, file: FolderFile) -> bool:
    """Say whether some run has the numbers of a file."""
    found = connection.one("taken_file", folder=file.folder, file=file.name, digest=file.digest)
    return found is not None


def calls_at_once(connection: Connection, scope: str) -> int | None:
    """Return what was kept last."""
    found = connection.one("pace", scope=scope)
    return found[0] if found else None


def repeats(connection: Connection, id_: RunId) -> Sequence[Repeat]:
    """Return all repeats of a run, in the order of the job files."""
    key = run_key(connection, id_).key
    return [Repeat(*found[1:]) for found in connection.all("select_repeats", run=key)]


def rows(
    connection: Connection, id_: RunId, states: Collection[State], after: int, limit: int
) -> Sequence[Row]:
    """Return a page of rows, in the order of the job files."""
    key = run_key(connection, id_).key
    if not states:
        return records.to_rows(connection.listed("page", run=id_, after=after, limit=limit))
    there = {state for state, _ in connection.all("select_tallies", run=key)}
    pages = (
        connection.listed(
            "page_in_state" if state in WIDESPREAD else "page_in_rare_state",
            run=id_,
            state=state,
            after=after,
            limit=limit,
        )
        for state in set(states) & there
    )
    return records.to_rows(islice(merge(*pages), limit))


def counts(connection: Connection, id_: RunId) -> Mapping[State, int]:
    """Count the rows of each state."""
    key = run_key(connection, id_).key
    return {State(state): n for state, n in connection.all("select_tallies", run=key)}


def target_count(connection: Connection, id_: RunId) -> int:
    """Count the documents that the rows of a run name, each once."""
    ((count,),) = connection.all("count_targets", run=run_key(connection, id_).key)
    return int(count)


def rows_of(connection: Connection, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
    """Return the rows of one number in all runs, by either spelling."""
    found = connection.all("rows_of", number=number)
    rows = records.to_rows(row for _, *row in found)
    return [(RunId(run), row) for (run, *_), row in zip(found, rows, strict=True)]


def doubts(connection: Connection, id_: RunId) -> Sequence[Doubt]:
    """Return the numbers of a run that are `unknown`."""
    key = run_key(connection, id_).key
    return records.to_doubts(id_, connection.all("doubts", run=key, unknown=State.UNKNOWN))


def next_chunk(connection: Connection, id_: RunId) -> int:
    """Return an index above that of every chunk the run has sent."""
    ((last,),) = connection.all("last_chunk", run=run_key(connection, id_).key)
    return int(last) + 1


def attempts_of(connection: Connection, number: BillNumber) -> Sequence[AttemptRecord]:
    """Return every attempt that carried a number."""
    return [records.to_attempt(found) for found in connection.all("attempts_of", number=number)]


def notes_of(connection: Connection, number: BillNumber) -> Sequence[Note]:
    """Return the notes on a number, the oldest first."""
    return [records.to_note(found) for found in connection.all("notes_of", number=number)]


def attempts_in(
    connection: Connection, id_: RunId, after: int, limit: int
) -> Sequence[AttemptRecord]:
    """Return a page of the attempts of a run, the oldest first."""
    key = run_key(connection, id_).key
    page = connection.all("attempts_in", run=key, after=after, limit=limit)
    return [records.to_attempt(found) for found in page]


def notes_in(connection: Connection, id_: RunId, after: int, limit: int) -> Sequence[Note]:
    """Return a page of the notes that a run has made, the oldest first."""
    key = run_key(connection, id_).key
    return [
        records.to_note(found)
        for found in connection.all("notes_in", run=key, after=after, limit=limit)
    ]


def attempt_count(connection: Connection, id_: RunId) -> int:
    """Count the attempts of a run."""
    return run_key(connection, id_).attempts


def commands(connection: Connection, id_: RunId) -> Sequence[Commanded]:
    """Return the commands for the present execution of a run, the oldest first."""
    key = run_key(connection, id_).key
    return [records.to_commanded(found) for found in connection.all("select_commands", run=key)]


def spans(connection: Connection, id_: RunId) -> Sequence[tuple[datetime, datetime]]:
    """Return when each recorded attempt of a run began and ended."""
    key = run_key(connection, id_).key
    return [
        (text.to_time(began_at), text.to_time(ended_at))
        for began_at, ended_at in connection.all("spans", run=key)
    ]
