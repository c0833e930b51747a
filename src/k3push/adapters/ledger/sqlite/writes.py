"""The steps of the SQLite ledger that write runs and their rows, before anything is sent.

A step is a function over a connection, inside a transaction that is the only one writing: it
reads the rows it is about, asks `rules`, and then writes, a whole page at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.spelling import Spelled, spell
from k3push.adapters.ledger.sqlite.connections import Connection
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
    attempts: int


def run_key(connection: Connection, run: RunId) -> RunKey:
    """Find a run that must be there."""
    found = connection.one("run_key", run=run)
    if found is None:
        raise LookupError(f"the ledger has no run {run}")
    return RunKey(*found)


def open_run(connection: Connection, run: Run) -> None:
    """Write down a new run."""
    rules.check_scope(run.scope, connection.account)
    if known := connection.one("other_spelling"):
        raise OtherSpellingError(run.account, *known)
    if connection.one("is_taken", run=run.id):
        raise RunIdTakenError(run.id)
    connection.do("insert_run", **records.from_run(run))


def end_run(connection: Connection, run: RunId, exit_code: int, at: datetime) -> None:
    """Write down how an execution ended."""
    key = run_key(connection, run).key
    connection.do("set_ending", run=key, ended_at=text.from_time(at), exit=exit_code)


def take(connection: Connection, file: FolderFile, run: RunId) -> None:
    """Write down that a run has the numbers of a file."""
    _take(connection, file, run_key(connection, run).key)


def _take(connection: Connection, file: FolderFile, key: int) -> None:
    connection.do("take_file", folder=file.folder, file=file.name, digest=file.digest, run=key)


def keep_pace(connection: Connection, scope: str, learnt: Learnt, *, at: datetime) -> None:
    """Keep what an execution has found of the server."""
    rules.check_scope(scope, connection.account)
    connection.do(
        "set_pace",
        scope=scope,
        calls=learnt.tried,
        server=text.from_server(learnt.server),
        at=text.from_time(at),
    )


def settle_in(connection: Connection, file: str, moved_at: datetime | None) -> None:
    """Take down in which file the ledger is, and when it was seen to have moved there."""
    connection.do("leave_home")
    connection.do("settle_in", file=file, moved_at=text.from_time_or_none(moved_at))


def command(connection: Connection, run: RunId, command: Command, *, at: datetime) -> int:
    """Leave a command for the executor of a run."""
    key = run_key(connection, run).key
    return connection.do("insert_command", run=key, given_at=text.from_time(at), words=str(command))


def obeyed(connection: Connection, command: int, *, at: datetime, on_their_way: int) -> None:
    """Write down that a command was obeyed, once."""
    connection.do("set_obeyed", id=command, obeyed_at=text.from_time(at), on_their_way=on_their_way)


def add(connection: Connection, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
    """Append rows and repeats, in one order of places."""
    return _append(connection, run_key(connection, run), listed)


def _append(connection: Connection, found: RunKey, listed: Sequence[Listed]) -> Sequence[Repeat]:
    there = connection.all(
        "places_of_listed",
        run=found.key,
        listed=text.from_json(text.listed(one.key for one in listed)),
    )
    places = {key_of(number, id_): place for number, id_, place in there}
    new: list[tuple[int, Listed, int]] = []
    again: list[tuple[int, Listed, int]] = []
    for place, one in enumerate(listed, start=found.listed + 1):
        first = places.setdefault(one.key, place)
        (new if first == place else again).append((place, one, first))
    connection.do_each(
        "insert_row",
        (
            {"place": place, "line": one.line, "number": one.number, "id": one.id}
            for place, one, _ in new
        ),
        run=found.key,
    )
    connection.do_each(
        "insert_repeat",
        (
            {"place": place, "line": one.line, "number": one.key, "first_place": first}
            for place, one, first in again
        ),
        run=found.key,
    )
    connection.do("set_listed", run=found.key, listed=found.listed + len(listed))
    tally(connection, found.key, {State.PLANNED: len(new)})
    return _repeats_at(connection, found.key, [place for place, _, _ in again])


def close_list(
    connection: Connection,
    run: RunId,
    *,
    rest: Sequence[Listed] = (),
    file: FolderFile | None = None,
) -> None:
    """Append what is left; write down that all lines are there, and whose file they are."""
    found = run_key(connection, run)
    if rest:
        _append(connection, found, rest)
    connection.do("set_whole", run=found.key)
    if file is not None:
        _take(connection, file, found.key)


def identify(
    connection: Connection, run: RunId, bills: Mapping[BillNumber, Identified]
) -> Identification:
    """Write down which bills lines mean, and make repeats of rows that turn out to be one bill."""
    mine = run_key(connection, run)
    key = mine.key
    rows = connection.listed("rows_by_listed", run=key, listed=text.from_json(text.listed(bills)))
    numbers = {number_in(named.bill) for named in bills.values()}
    rows += connection.listed("rows_by_number", run=key, numbers=text.from_json(list(numbers)))
    lines = {place: key_of(number, id_) for place, _, _, number, id_, *_ in rows}
    before = {
        place: Spelled(place, records.STATES[state], attempt, bill, source_id)
        for place, state, attempt, _, _, bill, source_id in rows
    }
    sent = [
        bills[line].id for place, line in lines.items() if before[place].attempt and line in bills
    ]
    others = connection.all("rows_of_sources", run=key, ids=text.from_json(sent))
    kept_ids = {source_id for place, source_id in others if place not in before}
    spelling = spell(before.values(), lines, bills, kept_ids)
    if taken := spelling.taken:
        moves = [{"run": key, "place": lost, "kept": kept} for lost, kept in taken.items()]
        connection.do_each("repoint_repeats", moves)
        connection.do_each("row_to_repeat", moves, run=key)
        connection.do_each("delete_row", moves, run=key)
    if spelling.given_up:
        called = text.from_json(text.called(spelling.given_up))
        connection.do("delete_claims", scope=mine.scope, run=key, called=called)
    # Old spellings go first: two rows may have changed theirs for each other's.
    respelled = {str(place): (None, None) for place in spelling.written if before[place].bill}
    if respelled:
        connection.do("set_bills", run=key, bills=text.from_json(respelled))
    bills_by_place = {str(place): tuple(named) for place, named in spelling.written.items()}
    connection.do("set_bills", run=key, bills=text.from_json(bills_by_place))
    tally(connection, key, {State.PLANNED: -len(taken)})
    repeats = _repeats_at(connection, key, sorted(taken))
    return Identification(repeats, spelling.apart, spelling.led_away)


def tally(connection: Connection, run: int, change: Mapping[State, int]) -> None:
    """Keep count of the rows of each state."""
    connection.do_each(
        "tally", ({"state": state, "n": n} for state, n in change.items() if n), run=run
    )


def _repeats_at(connection: Connection, run: int, places: Iterable[int]) -> Sequence[Repeat]:
    found = (connection.one("repeat_at", run=run, place=place) for place in places)
    return [Repeat(*repeat) for repeat in found if repeat]
