"""The steps of the PostgreSQL ledger that write runs and their rows, before anything is sent.

A step is a function over a connection, inside a transaction: it locks the rows it is about, asks
`rules`, and then writes, a whole page at once. What it asks first travels together, and
so does what it writes: two trips to the server for each step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncCursor

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.postgres.database import Connection, to_each
from k3push.adapters.ledger.spelling import Spelled, spell
from k3push.core.control_words import Command
from k3push.core.model import (
    BillNumber,
    FolderFile,
    Identified,
    Listed,
    Repeat,
    Run,
    RunId,
    State,
    key_of,
    number_in,
)
from k3push.core.pacing.server_model import Learnt
from k3push.ports import Identification, OtherSpellingError, RunIdTakenError


@dataclass(frozen=True, slots=True)
class RunKey:
    """What a step needs to know of its run."""

    key: int
    scope: str
    listed: int


async def moved_for(connection: Connection) -> timedelta | None:
    """Take down where the ledger is, and say for how long, if it was elsewhere before."""
    ((known_for,),) = await connection.all("moved_for")
    return known_for if isinstance(known_for, timedelta) else None


async def checked(connection: Connection, asked: AsyncCursor[Any], run: RunId) -> RunKey:
    """Read what was asked of a run that must be there, and not be another process's by now."""
    found = await asked.fetchone()
    if found is None:
        raise LookupError(f"the ledger has no run {run}")
    *of_run, epoch = found
    connection.check_owner(run, epoch)
    return RunKey(*of_run)


async def run_alone(connection: Connection, run: RunId) -> RunKey:
    """Find a run, with nobody else writing for it."""
    return await checked(connection, await connection.ask("run_alone", run=run), run)


async def run_shared(connection: Connection, run: RunId) -> RunKey:
    """Find a run, which nobody can take over meanwhile."""
    return await checked(connection, await connection.ask("run_shared", run=run), run)


async def open_run(connection: Connection, run: Run) -> None:
    """Write down a new run."""
    rules.check_scope(run.scope, connection.account)
    if known := await connection.one("other_spelling"):
        raise OtherSpellingError(run.account, *known)
    made = await connection.one("insert_run", **records.from_run(run))
    if made is None:
        raise RunIdTakenError(run.id)


async def end_run(connection: Connection, run: RunId, exit_code: int, at: datetime) -> None:
    """Write down how an execution ended."""
    key = (await run_alone(connection, run)).key
    await connection.do("set_ending", run=key, ended_at=text.from_time(at), exit=exit_code)


async def take(connection: Connection, file: FolderFile, run: RunId) -> None:
    """Write down that a run has the numbers of a file."""
    await _take(connection, file, (await run_shared(connection, run)).key)


async def _take(connection: Connection, file: FolderFile, run: int) -> None:
    await connection.do(
        "take_file", folder=file.folder, file=file.name, digest=file.digest, run=run
    )


async def keep_pace(connection: Connection, scope: str, learnt: Learnt, *, at: datetime) -> None:
    """Keep what an execution has found of the server."""
    rules.check_scope(scope, connection.account)
    await connection.do(
        "set_pace",
        scope=scope,
        calls=learnt.tried,
        server=text.from_server(learnt.server),
        at=text.from_time(at),
    )


async def command(connection: Connection, run: RunId, command: Command, *, at: datetime) -> int:
    """Leave a command for the executor of a run."""
    key = (await run_shared(connection, run)).key
    ((number,),) = await connection.all(
        "insert_command", run=key, given_at=text.from_time(at), words=str(command)
    )
    return int(number)


async def obeyed(connection: Connection, command: int, *, at: datetime, on_their_way: int) -> None:
    """Write down that a command was obeyed, once."""
    found = await connection.one("run_of_command", id=command)
    if found is None:
        return
    await run_shared(connection, RunId(found[0]))
    await connection.do(
        "set_obeyed", id=command, obeyed_at=text.from_time(at), on_their_way=on_their_way
    )


async def add(connection: Connection, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
    """Append rows and repeats, in one order of places."""
    return await _append(connection, await run_alone(connection, run), listed)


async def _append(
    connection: Connection, found: RunKey, listed: Sequence[Listed]
) -> Sequence[Repeat]:
    there = await connection.all(
        "places_of_listed", run=found.key, **listed_columns(one.key for one in listed)
    )
    lines: dict[str, int] = {key_of(number, id_): line for number, id_, _, line in there}
    new: list[dict[str, object]] = []
    again: list[tuple[int, Repeat]] = []
    for place, one in enumerate(listed, start=found.listed + 1):
        if one.key in lines:
            again.append((place, Repeat(one.line, one.key, lines[one.key])))
        else:
            lines[one.key] = one.line
            row = {"place": place, "line": one.line, "number": one.number, "listed_id": one.id}
            new.append(row)
    places: dict[str, int] = {key_of(number, id_): place for number, id_, place, _ in there}
    if new:
        made = await connection.all("insert_row", run=found.key, each=to_each(new))
        places |= {key_of(number, id_): place for number, id_, place in made}
    await connection.do_each(
        "insert_repeat",
        (
            {
                "place": place,
                "line": repeat.line,
                "number": repeat.number,
                "first_place": places[repeat.number],
            }
            for place, repeat in again
        ),
        run=found.key,
    )
    await connection.do("set_listed", run=found.key, listed=found.listed + len(listed))
    await tally(connection, found.key, {State.PLANNED: len(new)})
    return [repeat for _, repeat in again]


async def close_list(
    connection: Connection,
    run: RunId,
    *,
    rest: Sequence[Listed] = (),
    file: FolderFile | None = None,
) -> None:
    """Append what is left; write down that all lines are there, and whose file they are."""
    found = await run_alone(connection, run)
    if rest:
        await _append(connection, found, rest)
    await connection.do("set_whole", run=found.key)
    if file is not None:
        await _take(connection, file, found.key)


async def identify(
    connection: Connection, run: RunId, bills: Mapping[BillNumber, Identified]
) -> Identification:
    """Write down which bills lines mean, and make repeats of rows that turn out to be one bill."""
    mine = await run_alone(connection, run)
    of: list[str] = list({number_in(named.bill) for named in bills.values()})
    rows = await connection.all("lock_rows_by_number", run=run, of=of, **listed_columns(bills))
    lines = {row: key_of(number, id_) for row, _, _, number, id_, *_ in rows}
    before = {
        row: Spelled(row, State(state), attempt, BillNumber(bill), id_)
        for row, state, attempt, _, _, bill, id_ in rows
    }
    sent = [bills[line].id for row, line in lines.items() if before[row].attempt and line in bills]
    others = await connection.all("rows_of_sources", run=mine.key, ids=sent) if sent else ()
    kept_ids = {source_id for row, source_id in others if row not in before}
    spelling = spell(before.values(), lines, bills, kept_ids)
    repeats: list[Repeat] = []
    if taken := spelling.taken:
        moves = to_each({"place": lost, "kept": kept} for lost, kept in taken.items())
        await connection.do("repoint_repeats", run=mine.key, each=moves)
        made = await connection.all("row_to_repeat", run=mine.key, each=moves)
        places = [place for (place,) in made]
        await connection.do("delete_row", run=mine.key, each=moves)
        found = await connection.all("repeats_at", run=mine.key, places=places)
        repeats = [Repeat(*repeat) for repeat in found]
    if spelling.given_up:
        called = called_columns(spelling.given_up)
        await connection.do("delete_claims", scope=mine.scope, run=mine.key, **called)
    # Old spellings go first: two rows may have changed theirs for each other's.
    respelled = [row for row in spelling.written if before[row].bill]
    await connection.do_each(
        "set_bill",
        ({"place": row, "bill": None, "source_id": None} for row in respelled),
        run=mine.key,
    )
    named = spelling.written.items()
    await connection.do_each(
        "set_bill",
        ({"place": row, "bill": bill, "source_id": id_} for row, (bill, id_) in named),
        run=mine.key,
    )
    await tally(connection, mine.key, {State.PLANNED: -len(taken)})
    return Identification(repeats, spelling.apart, spelling.led_away)


def listed_columns(lines: Iterable[BillNumber]) -> dict[str, list[str]]:
    """Return the parameters that lines of the job file go into."""
    pairs = text.listed(lines)
    return {"numbers": [number for number, _ in pairs], "ids": [id_ for _, id_ in pairs]}


def called_columns(bills: Iterable[BillNumber]) -> dict[str, list[str]]:
    """Return the parameters that bills go into."""
    named = text.called(bills)
    return {"numbers": [number for number, _ in named], "bills": [bill for _, bill in named]}


async def tally(connection: Connection, run: int, change: Mapping[State, int]) -> None:
    """Keep count of the rows of each state."""
    await connection.do_each(
        "tally", ({"state": state, "n": n} for state, n in change.items() if n), run=run
    )
