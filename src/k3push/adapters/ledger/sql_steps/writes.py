"""The steps of every SQL ledger that write runs and their rows, before anything is sent.

A step is a function over a connection, inside a transaction: it finds the run it is about, which
locks it where others may write at the same time, asks `rules`, and then writes, a whole page at
once. Over PostgreSQL what it asks first travels together, and so does what it writes: two trips
to the server for each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from k3push.adapters.ledger import codec, records, rules
from k3push.adapters.ledger.spelling import Spelled, spell
from k3push.adapters.ledger.sql_steps.step_connection import (
    RunKey,
    StepConnection,
    as_called,
    as_listed,
)
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


async def open_run(connection: StepConnection, run: Run) -> None:
    """Write down a new run."""
    rules.check_scope(run.scope, connection.account)
    if known := await connection.one("other_spelling"):
        raise OtherSpellingError(run.account, *known)
    if not await connection.changed("insert_run", **records.write_run(run)):
        raise RunIdTakenError(run.id)


async def end_run(connection: StepConnection, run: RunId, exit_code: int, at: datetime) -> None:
    """Write down how an execution ended."""
    key = (await connection.lock_run(run)).key
    await connection.do("set_ending", run=key, ended_at=codec.write_time(at), exit=exit_code)


async def take(connection: StepConnection, file: FolderFile, run: RunId) -> None:
    """Write down that a run has the numbers of a file."""
    await _take(connection, file, (await connection.lock_run_shared(run)).key)


async def _take(connection: StepConnection, file: FolderFile, run: int) -> None:
    await connection.do(
        "take_file", folder=file.folder, file=file.name, digest=file.digest, run=run
    )


async def keep_pace(
    connection: StepConnection, scope: str, learnt: Learnt, *, at: datetime
) -> None:
    """Keep what an execution has found of the server."""
    rules.check_scope(scope, connection.account)
    await connection.do(
        "set_pace",
        scope=scope,
        calls=learnt.tried,
        server=codec.write_server(learnt.server),
        at=codec.write_time(at),
    )


async def command(connection: StepConnection, run: RunId, command: Command, *, at: datetime) -> int:
    """Leave a command for the executor of a run."""
    key = (await connection.lock_run_shared(run)).key
    return await connection.inserted(
        "insert_command", run=key, given_at=codec.write_time(at), words=str(command)
    )


async def obeyed(
    connection: StepConnection, command: int, *, at: datetime, on_their_way: int
) -> None:
    """Write down that a command was obeyed, once."""
    found = await connection.one("run_of_command", id=command)
    if found is None:
        return
    await connection.lock_run_shared(RunId(found[0]))
    await connection.do(
        "set_obeyed", id=command, obeyed_at=codec.write_time(at), on_their_way=on_their_way
    )


async def add(connection: StepConnection, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
    """Append rows and repeats, in one order of places."""
    return await _append(connection, await connection.lock_run(run), listed)


async def _append(
    connection: StepConnection, run: RunKey, lines: Sequence[Listed]
) -> Sequence[Repeat]:
    there = await connection.all(
        "places_of_listed", run=run.key, **as_listed(connection, (one.key for one in lines))
    )
    firsts: dict[str, tuple[int, int]] = {
        key_of(number, id_): (place, line) for number, id_, place, line in there
    }
    rows: list[dict[str, object]] = []
    repeats: list[dict[str, object]] = []
    again: list[Repeat] = []
    for place, one in enumerate(lines, start=run.listed + 1):
        first_place, first = firsts.setdefault(one.key, (place, one.line))
        written = {"place": place, "line": one.line}
        if first_place == place:
            rows.append({**written, "number": one.number, "listed_id": one.id})
        else:
            repeats.append({**written, "number": one.key, "first_place": first_place})
            again.append(Repeat(one.line, one.key, first))
    await connection.do_each("insert_row", rows, run=run.key)
    await connection.do_each("insert_repeat", repeats, run=run.key)
    await connection.do("set_listed", run=run.key, listed=run.listed + len(lines))
    await tally(connection, run.key, {State.PLANNED: len(rows)})
    return again


async def close_list(
    connection: StepConnection,
    run: RunId,
    *,
    rest: Sequence[Listed] = (),
    file: FolderFile | None = None,
) -> None:
    """Append what is left; write down that all lines are there, and whose file they are."""
    found = await connection.lock_run(run)
    if rest:
        await _append(connection, found, rest)
    await connection.do("set_whole", run=found.key)
    if file is not None:
        await _take(connection, file, found.key)


async def identify(
    connection: StepConnection, run: RunId, bills: Mapping[BillNumber, Identified]
) -> Identification:
    """Write down which bills lines mean, and make repeats of rows that turn out to be one bill."""
    mine = await connection.lock_run(run)
    key = mine.key
    of: list[str] = list({number_in(named.bill) for named in bills.values()})
    rows = await connection.all_at_once(
        "rows_of_lines", run=run, bills=[], of=of, **as_listed(connection, bills)
    )
    lines = {place: key_of(number, id_) for place, _, _, number, id_, *_ in rows}
    before = {
        place: Spelled(place, records.STATES[state], attempt, bill, source_id)
        for place, state, attempt, _, _, bill, source_id in rows
    }
    sent = [
        bills[line].id for place, line in lines.items() if before[place].attempt and line in bills
    ]
    others = await connection.all("rows_of_sources", run=key, ids=sent) if sent else ()
    kept_ids = {source_id for place, source_id in others if place not in before}
    spelling = spell(before.values(), lines, bills, kept_ids)
    repeats: list[Repeat] = []
    if taken := spelling.taken:
        moves = [{"place": lost, "kept": kept} for lost, kept in taken.items()]
        await connection.do_each("repoint_repeats", moves, run=key)
        await connection.do_each("row_to_repeat", moves, run=key)
        await connection.do_each("delete_row", moves, run=key)
        found = await connection.all("repeats_at", run=key, places=list(taken))
        repeats = [Repeat(*repeat) for repeat in found]
    if spelling.given_up:
        given_up = as_called(connection, spelling.given_up)
        await connection.do("delete_claims", scope=mine.scope, run=key, **given_up)
    # Old spellings go first: two rows may have changed theirs for each other's.
    old = {str(place): (None, None) for place in spelling.written if before[place].bill}
    new = {str(place): tuple(named) for place, named in spelling.written.items()}
    for named in filter(None, (old, new)):
        await connection.do("set_bills", run=key, named=codec.write_json(named))
    await tally(connection, key, {State.PLANNED: -len(taken)})
    return Identification(repeats, spelling.apart, spelling.led_away)


async def tally(connection: StepConnection, run: int, change: Mapping[State, int]) -> None:
    """Keep count of the rows of each state."""
    await connection.do_each(
        "tally", ({"state": state, "n": n} for state, n in change.items() if n), run=run
    )
