"""The steps of every SQL ledger that let go of what is archived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from k3push.adapters.ledger import codec, records, rules
from k3push.adapters.ledger.sql_steps.step_connection import StepConnection
from k3push.adapters.ledger.sql_steps.writes import tally
from k3push.core.model import Archive, Run, RunId


async def due_for_archive(
    connection: StepConnection, before: datetime, *, limit: int = 100
) -> Sequence[Run]:
    """Return runs that are over and done with."""
    found = await connection.all("due_for_archive", before=codec.write_time(before), limit=limit)
    return [records.read_run(each) for each in found]


async def archive(connection: StepConnection, run: RunId, archive: Archive) -> None:
    """Write down that an archive holds all of a run."""
    await connection.lock_run(run)
    if not await connection.changed("set_archive", run=run, archive=codec.write_archive(archive)):
        rules.refuse_archive(run)


async def check_is_there(connection: StepConnection, key: int, run: RunId) -> None:
    """Raise if a run is archived: nobody executes it."""
    rules.check_executable(run, await connection.one("archive_of", run=key))


async def prune(
    connection: StepConnection, run: RunId, *, after: tuple[int, int] = (0, 0), limit: int = 500
) -> tuple[int, int] | None:
    """Remove a part of an archived run: rows first, then what attempts hold, then notes."""
    mine = await connection.lock_run(run)
    if rules.is_pruned(run, await connection.one("archive_of", run=mine.key)):
        return None
    place, attempt = after
    if place < mine.listed:
        return await _prune_rows(connection, mine.key, mine.scope, place, place + limit), 0
    if last := await _prune_attempts(connection, mine.key, attempt, limit):
        return place, last
    if await connection.changed("prune_notes", run=mine.key, limit=limit) == limit:
        return after
    await connection.do("delete_commands", run=mine.key)
    await connection.do("set_pruned", run=mine.key)
    return None


async def _prune_rows(
    connection: StepConnection, run: int, scope: str, after: int, until: int
) -> int:
    found = await connection.all("prunable", run=run, after=after, until=until, scope=scope)
    places = [place for place, _ in found]
    await connection.do("prune_repeats", run=run, after=after, until=until, places=places)
    await connection.do("prune_rows", run=run, places=places)
    gone = Counter(records.STATES[state] for _, state in found)
    await tally(connection, run, {state: -n for state, n in gone.items()})
    return until


async def _prune_attempts(connection: StepConnection, run: int, after: int, numbers: int) -> int:
    """Prune attempts that carried about so many numbers; return the last one, or 0."""
    last = 0
    page = await connection.all("attempts_to_prune", run=run, after=after, limit=numbers)
    for attempt, carried in page:
        listed: list[str] = list(codec.read_numbers(carried))
        await connection.do("prune_carried", attempt=attempt, numbers=listed)
        await connection.do("prune_attempt", run=run, attempt=attempt, nothing=codec.NOTHING)
        last = int(attempt)
        numbers -= max(1, len(listed))
        if numbers <= 0:
            break
    return last
