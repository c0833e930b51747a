"""The steps of the PostgreSQL ledger that write runs and their rows, before anything is sent.

A step is a function over a connection, inside a transaction: it locks the rows it is about, asks
`ledger_rules`, and then writes, a whole page at once. What it asks first travels together, and
so does what it writes: two trips to the server for each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncCursor

from k3push.adapters import ledger_rules as rules
from k3push.adapters import ledger_text as text
from k3push.adapters.postgres.holds import Holds
from k3push.adapters.postgres.server import Connection
from k3push.core.commands import Command
from k3push.core.model import BillNumber, FolderFile, Listed, Repeat, Run, RunId, State


@dataclass(frozen=True, slots=True)
class RunKey:
    """What a step needs to know of its run."""

    key: int
    scope: str
    listed: int


async def checked(asked: AsyncCursor[Any], run: RunId, holds: Holds) -> RunKey:
    """Read what was asked of a run that must be there, and not be another process's by now."""
    found = await asked.fetchone()
    if found is None:
        raise LookupError(f"the ledger has no run {run}")
    *of_run, epoch = found
    holds.check(run, epoch)
    return RunKey(*of_run)


async def run_alone(connection: Connection, holds: Holds, run: RunId) -> RunKey:
    """Find a run, with nobody else writing for it."""
    return await checked(await connection.ask("run_alone", run=run), run, holds)


async def run_shared(connection: Connection, holds: Holds, run: RunId) -> RunKey:
    """Find a run, which nobody can take over meanwhile."""
    return await checked(await connection.ask("run_shared", run=run), run, holds)


async def open_run(connection: Connection, run: Run) -> None:
    """Write down a new run."""
    made = await connection.one(
        "insert_run",
        id=run.id,
        scope=run.scope,
        route=text.from_route(run.route),
        jobs=text.from_json(run.jobs),
        folder=run.folder,
        started_at=text.from_time(run.started_at),
        ended_at=text.from_time(run.ended_at),
        exit=run.exit,
        again_because=text.from_text(run.again_because),
        whole=run.whole,
    )
    if made is None:
        raise ValueError(f"run {run.id} is there already")


async def end_run(
    connection: Connection, holds: Holds, run: RunId, exit_code: int, at: datetime
) -> None:
    """Write down how an execution ended."""
    key = (await run_alone(connection, holds, run)).key
    await connection.do("set_ending", run=key, ended_at=text.from_time(at), exit=exit_code)


async def take(connection: Connection, holds: Holds, file: FolderFile, run: RunId) -> None:
    """Write down that a run has the numbers of a file."""
    key = (await run_shared(connection, holds, run)).key
    await connection.do(
        "take_file", folder=file.folder, file=file.name, digest=file.digest, run=key
    )


async def command(
    connection: Connection, holds: Holds, run: RunId, command: Command, at: datetime
) -> int:
    """Leave a command for the executor of a run."""
    key = (await run_shared(connection, holds, run)).key
    ((number,),) = await connection.all(
        "insert_command", run=key, given_at=text.from_time(at), words=str(command)
    )
    return int(number)


async def obeyed(
    connection: Connection, holds: Holds, command: int, at: datetime, on_their_way: int
) -> None:
    """Write down that a command was obeyed, once."""
    found = await connection.one("run_of_command", id=command)
    if found is None:
        return
    await run_shared(connection, holds, RunId(found[0]))
    await connection.do(
        "set_obeyed", id=command, obeyed_at=text.from_time(at), on_their_way=on_their_way
    )


async def add(
    connection: Connection, holds: Holds, run: RunId, listed: Sequence[Listed]
) -> Sequence[Repeat]:
    """Append rows and repeats, in one order of places."""
    found = await run_alone(connection, holds, run)
    there = await connection.all(
        "places_of_numbers", run=found.key, numbers=list({one.number for one in listed})
    )
    firsts: dict[str, tuple[int, int]] = {number: (place, line) for number, place, line in there}
    new: list[dict[str, object]] = []
    again: list[dict[str, object]] = []
    repeats = []
    for place, one in enumerate(listed, start=found.listed + 1):
        first_place, first_line = firsts.setdefault(one.number, (place, one.line))
        values = {"place": place, "line": one.line, "number": one.number}
        if first_place == place:
            new.append(values)
        else:
            again.append(values | {"first_place": first_place})
            repeats.append(Repeat(one.line, one.number, first_line))
    await connection.do_each("insert_row", new, run=found.key)
    await connection.do_each("insert_repeat", again, run=found.key)
    await connection.do("set_listed", run=found.key, listed=found.listed + len(listed))
    await tally(connection, found.key, {State.PLANNED: len(new)})
    return repeats


async def close_list(connection: Connection, holds: Holds, run: RunId) -> None:
    """Write down that all lines of the run are there."""
    await connection.do("set_whole", run=(await run_alone(connection, holds, run)).key)


async def identify(
    connection: Connection, holds: Holds, run: RunId, bills: Mapping[BillNumber, BillNumber]
) -> Sequence[Repeat]:
    """Write down the ERP's spellings, and make repeats of rows that turn out to be one bill."""
    key = (await run_alone(connection, holds, run)).key
    rows = await connection.all(
        "lock_rows", run=run, numbers=list(bills), bills=list(set(bills.values()))
    )
    wanted = {place: bills[number] for place, _, _, number, _ in rows if number in bills}
    before = {
        place: rules.Spelled(place, State(state), attempt, BillNumber(bill))
        for place, state, attempt, _, bill in rows
    }
    spelled, taken = rules.spell(before.values(), wanted)
    moves = [{"place": lost, "kept": kept} for lost, kept in taken.items()]
    await connection.do_each("repoint_repeats", moves, run=key)
    await connection.do_each("row_to_repeat", moves, run=key)
    await connection.do_each("delete_row", moves, run=key)
    # Old spellings go first: two rows may have changed theirs for each other's.
    respelled = [place for place in spelled if before[place].bill]
    await connection.do_each(
        "set_bill", ({"place": place, "bill": None} for place in respelled), run=key
    )
    await connection.do_each(
        "set_bill", ({"place": place, "bill": bill} for place, bill in spelled.items()), run=key
    )
    await tally(connection, key, {State.PLANNED: -len(taken)})
    if not taken:
        return []
    return [
        Repeat(*found)
        for found in await connection.all("repeats_at", run=key, places=sorted(taken))
    ]


async def tally(connection: Connection, run: int, change: Mapping[State, int]) -> None:
    """Keep count of the rows of each state."""
    await connection.do_each(
        "tally", ({"state": state, "n": n} for state, n in change.items() if n), run=run
    )
