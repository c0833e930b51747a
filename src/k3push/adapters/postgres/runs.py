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

from k3push.adapters import ledger_records as records
from k3push.adapters import ledger_rules as rules
from k3push.adapters import ledger_text as text
from k3push.adapters.postgres.holds import Holds
from k3push.adapters.postgres.server import Connection, to_each
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
    made = await connection.one("insert_run", **records.from_run(run))
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


async def keep_calls_at_once(connection: Connection, scope: str, calls: int) -> None:
    """Keep how many calls at once an execution came to."""
    await connection.do("set_pace", scope=scope, calls=calls)


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
    lines: dict[str, int] = {number: line for number, _, line in there}
    new: list[dict[str, object]] = []
    again: list[tuple[int, Repeat]] = []
    for place, one in enumerate(listed, start=found.listed + 1):
        if one.number in lines:
            again.append((place, Repeat(one.line, one.number, lines[one.number])))
        else:
            lines[one.number] = one.line
            new.append({"place": place, "line": one.line, "number": one.number})
    ids: dict[str, int] = {number: row for number, row, _ in there}
    if new:
        ids |= dict(await connection.all("insert_row", run=found.key, each=to_each(new)))
    await connection.do_each(
        "insert_repeat",
        (
            {
                "place": place,
                "line": repeat.line,
                "number": repeat.number,
                "first_row": ids[repeat.number],
            }
            for place, repeat in again
        ),
        run=found.key,
    )
    await connection.do("set_listed", run=found.key, listed=found.listed + len(listed))
    await tally(connection, found.key, {State.PLANNED: len(new)})
    return [repeat for _, repeat in again]


async def close_list(connection: Connection, holds: Holds, run: RunId) -> None:
    """Write down that all lines of the run are there."""
    await connection.do("set_whole", run=(await run_alone(connection, holds, run)).key)


async def identify(
    connection: Connection, holds: Holds, run: RunId, bills: Mapping[BillNumber, BillNumber]
) -> Sequence[Repeat]:
    """Write down the ERP's spellings, and make repeats of rows that turn out to be one bill."""
    key = (await run_alone(connection, holds, run)).key
    rows = await connection.all(
        "lock_rows_by_either", run=run, numbers=list(bills), bills=list(set(bills.values()))
    )
    wanted = {row: bills[number] for row, _, _, number, _ in rows if number in bills}
    # Ids are in the order of places, and tell a row from others as those do.
    before = {
        row: rules.Spelled(row, State(state), attempt, BillNumber(bill))
        for row, state, attempt, _, bill in rows
    }
    spelled, taken = rules.spell(before.values(), wanted)
    repeats: list[Repeat] = []
    if taken:
        moves = to_each({"id": lost, "kept": kept} for lost, kept in taken.items())
        await connection.do("repoint_repeats", each=moves)
        places = [place for (place,) in await connection.all("row_to_repeat", each=moves)]
        await connection.do("delete_row", each=moves)
        found = await connection.all("repeats_at", run=key, places=places)
        repeats = [Repeat(*repeat) for repeat in found]
    # Old spellings go first: two rows may have changed theirs for each other's.
    respelled = [row for row in spelled if before[row].bill]
    await connection.do_each("set_bill", ({"id": row, "bill": None} for row in respelled))
    await connection.do_each(
        "set_bill", ({"id": row, "bill": bill} for row, bill in spelled.items())
    )
    await tally(connection, key, {State.PLANNED: -len(taken)})
    return repeats


async def tally(connection: Connection, run: int, change: Mapping[State, int]) -> None:
    """Keep count of the rows of each state."""
    await connection.do_each(
        "tally", ({"state": state, "n": n} for state, n in change.items() if n), run=run
    )
