"""The steps of the SQLite ledger that let go of what is archived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.sqlite.connections import Connection
from k3push.adapters.ledger.sqlite.writes import run_key, tally
from k3push.core.model import Archive, Run, RunId


def due_for_archive(connection: Connection, before: datetime, *, limit: int = 100) -> Sequence[Run]:
    """Return runs that are over and done with."""
    found = connection.all("due_for_archive", before=text.from_time(before), limit=limit)
    return [records.to_run(each) for each in found]


def archive(connection: Connection, run: RunId, archive: Archive) -> None:
    """Write down that an archive holds all of a run."""
    run_key(connection, run)
    if not connection.changed("set_archive", run=run, archive=text.from_archive(archive)):
        rules.refuse_archive(run)


def check_is_there(connection: Connection, key: int, run: RunId) -> None:
    """Raise if a run is archived: nobody executes it."""
    rules.check_executable(run, connection.one("archive_of", run=key))


def prune(
    connection: Connection, run: RunId, *, after: tuple[int, int] = (0, 0), limit: int = 500
) -> tuple[int, int] | None:
    """Remove a part of an archived run: rows first, then what attempts hold, then notes."""
    mine = run_key(connection, run)
    if rules.is_pruned(run, connection.one("archive_of", run=mine.key)):
        return None
    place, attempt = after
    if place < mine.listed:
        return _prune_rows(connection, mine.key, mine.scope, place, place + limit), 0
    if last := _prune_attempts(connection, mine.key, attempt, limit):
        return place, last
    if connection.changed("prune_notes", run=mine.key, limit=limit) == limit:
        return after
    connection.do("delete_commands", run=mine.key)
    connection.do("set_pruned", run=mine.key)
    return None


def _prune_rows(connection: Connection, run: int, scope: str, after: int, until: int) -> int:
    page = {"run": run, "after": after, "until": until}
    found = connection.all("prunable", **page, scope=scope)
    places = text.from_json([place for place, _ in found])
    connection.do("prune_repeats", **page, places=places)
    connection.do("prune_rows", run=run, places=places)
    gone = Counter(records.STATES[state] for _, state in found)
    tally(connection, run, {state: -n for state, n in gone.items()})
    return until


def _prune_attempts(connection: Connection, run: int, after: int, numbers: int) -> int:
    """Prune attempts that carried about so many numbers; return the last one, or 0."""
    last = 0
    for attempt, carried in connection.all(
        "attempts_to_prune", run=run, after=after, limit=numbers
    ):
        connection.do("prune_carried", attempt=attempt, numbers=carried)
        connection.do("prune_attempt", attempt=attempt, nothing=text.NOTHING)
        last = int(attempt)
        numbers -= max(1, len(text.to_numbers(carried)))
        if numbers <= 0:
            break
    return last
