"""The verbs of the SQLite ledger that only read, each as a step over a connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.sqlite.connections import Connection
from k3push.adapters.ledger.sqlite.writes import run_key
from k3push.core.model import (
    BillNumber,
    FolderFile,
    Repeat,
    Row,
    Run,
    RunId,
    State,
    id_in,
    number_in,
)
from k3push.core.pacing.server_model import Learnt
from k3push.ports import AttemptRecord, Commanded, Doubt, Glance, InHand, LatelySent, Made, Note

# What nearly all rows are in: these have no index, and are found by walking on from a place.
WIDESPREAD = {State.PLANNED, State.SENT, State.PUSHED}


def run(connection: Connection, run: RunId) -> Run | None:
    """Return the run of that id."""
    found = connection.one("select_run", run=run)
    return records.to_run(found) if found else None


def runs(
    connection: Connection,
    *,
    last: int | None = None,
    undone: bool = False,
    before: RunId | None = None,
) -> Sequence[Run]:
    """Return runs in the order in which they were opened: all, or the last so many."""
    limit = -1 if last is None else last
    end = rules.BEHIND_ALL if before is None else run_key(connection, before).key
    query = "undone_runs" if undone else "newest_runs"
    found = connection.all(query, before=end, limit=limit)
    return [records.to_run(each) for each in reversed(found)]


def runs_named(connection: Connection, beginning: str) -> Sequence[Run]:
    """Return the runs whose id begins so."""
    found = connection.all("runs_named", beginning=beginning)
    return [records.to_run(each) for each in found]


def runs_called(
    connection: Connection,
    words: str,
    *,
    ids: Collection[RunId] = (),
    last: int,
    before: RunId | None = None,
) -> Sequence[Run]:
    """Return the last so many runs whose jobs hold a text, or that are named."""
    end = rules.BEHIND_ALL if before is None else run_key(connection, before).key
    named = text.from_json(list(ids))
    found = connection.all(
        "runs_called", like=text.like_in_json(words), ids=named, before=end, last=last
    )
    return [records.to_run(each) for each in reversed(found)]


def runs_begun_with(connection: Connection, group: str) -> Sequence[Run]:
    """Return the runs that one command has begun."""
    found = connection.all("runs_begun_with", group=group)
    return [records.to_run(each) for each in found]


def glances(
    connection: Connection, accounts: Collection[str], *, among: int
) -> Mapping[str, Sequence[Glance]]:
    """Return the last run of each route of several accounts, and those that are not settled."""
    return {account: _glances(connection.of_account(account), among) for account in set(accounts)}


def _glances(connection: Connection, among: int) -> Sequence[Glance]:
    newest = rules.worth_a_glance([Glance(each) for each in runs(connection, last=among)])
    return [Glance(each.run, counts(connection, each.run.id)) for each in newest]


def taker_of(connection: Connection, file: FolderFile) -> RunId | None:
    """Return the run that has the numbers of a file."""
    found = connection.one("taker_of", folder=file.folder, file=file.name, digest=file.digest)
    return RunId(found[0]) if found else None


def pace(connection: Connection, scope: str) -> tuple[Learnt, datetime] | None:
    """Return what was kept last, and when."""
    if not rules.is_of_account(scope, connection.account):
        return None
    found = connection.one("pace", scope=scope)
    return text.to_pace(*found) if found else None


def is_there(connection: Connection, run: RunId) -> bool:
    """Say whether there is a run of that id."""
    return connection.one("run_key", run=run) is not None


def home(connection: Connection) -> tuple[str, datetime | None] | None:
    """Return in which file the ledger was written, and when it was seen to have moved there."""
    row = connection.one("home")
    return (text.to_words(row[0]), text.to_time_or_none(row[1])) if row is not None else None


def last_begun(connection: Connection, run: RunId) -> datetime | None:
    """Return when the last call of a run was written down, whosever run it is."""
    row = connection.one("last_begun", run=run)
    return text.to_time_or_none(row[0]) if row is not None else None


def repeats(connection: Connection, run: RunId) -> Sequence[Repeat]:
    """Return all repeats of a run, in the order of the job files."""
    key = run_key(connection, run).key
    return records.to_repeats(connection.all("select_repeats", run=key))


def rows(
    connection: Connection,
    run: RunId,
    *,
    states: Collection[State] = (),
    after: int = 0,
    limit: int = 1000,
) -> Sequence[Row]:
    """Return a page of rows, in the order of the job files."""
    key = run_key(connection, run).key
    if not states:
        return records.to_rows(connection.listed("page", run=run, after=after, limit=limit))
    there = {state for state, _ in connection.all("select_tallies", run=key)}
    pages = (
        connection.listed(
            "page_in_state" if state in WIDESPREAD else "page_in_rare_state",
            run=run,
            state=state,
            after=after,
            limit=limit,
        )
        for state in set(states) & there
    )
    return records.to_rows(islice(merge(*pages), limit))


def counts(connection: Connection, run: RunId) -> Mapping[State, int]:
    """Count the rows of each state."""
    key = run_key(connection, run).key
    return records.to_counts(connection.all("select_tallies", run=key))


def target_count(connection: Connection, run: RunId) -> int:
    """Count the documents that the rows of a run name, each once."""
    ((count,),) = connection.all("count_targets", run=run_key(connection, run).key)
    return int(count)


def rows_of(connection: Connection, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
    """Return the rows of one number in all runs, by either spelling."""
    if id_ := id_in(number):
        found = connection.all("rows_of_bill", number=number_in(number), id=id_, bill=number)
    else:
        found = connection.all("rows_of_number", number=number)
    rows = records.to_rows(row for _, *row in found)
    return [(RunId(run), row) for (run, *_), row in zip(found, rows, strict=True)]


def accounts_with(
    connection: Connection, number: BillNumber, accounts: Collection[str]
) -> Collection[str]:
    """Return which of several accounts have rows of a number, by either spelling."""
    named = {"number": number_in(number), "id": id_in(number), "bill": number}
    return {account for (account,) in connection.all("accounts_with", **named)}.intersection(
        accounts
    )


def find_rows(
    connection: Connection, words: str, *, remarks: Collection[str] = (), limit: int = 100
) -> Sequence[tuple[RunId, Row]]:
    """Return rows that hold a text, the newest run first."""
    found = connection.all(
        "find_rows",
        words=text.from_text(words),
        like=text.like(words),
        remarks=text.from_json(list(remarks)),
        limit=limit,
    )
    rows = records.to_rows(row for _, *row in found)
    return [(RunId(run), row) for (run, *_), row in zip(found, rows, strict=True)]


def runs_holding(
    connection: Connection, words: str, *, remarks: Collection[str] = ()
) -> set[RunId]:
    """Return the runs of all rows that hold a text."""
    found = connection.all(
        "runs_holding",
        words=text.from_text(words),
        like=text.like(words),
        remarks=text.from_json(list(remarks)),
    )
    return {RunId(run) for (run,) in found}


def in_hand(
    connection: Connection, run: RunId, ids: Collection[str]
) -> Mapping[str, Sequence[InHand]]:
    """Return which bills runs have on their way or in doubt."""
    scope = run_key(connection, run).scope
    found = connection.all("in_hand", scope=scope, ids=text.from_json(list(ids)))
    return records.to_in_hand(found)


def made_of(
    connection: Connection, run: RunId, bills: Mapping[BillNumber, str]
) -> Mapping[BillNumber, Made]:
    """Return what others than a run's rows of bills have made of them, the latest of each."""
    mine = run_key(connection, run)
    return _made_in(connection, mine.scope, bills, but=mine.key)


def made_in(
    connection: Connection, scope: str, bills: Mapping[BillNumber, str], *, or_found: bool = False
) -> Mapping[BillNumber, Made]:
    """Return what the runs of a scope have made of bills, the latest of each."""
    if not rules.is_of_account(scope, connection.account):
        return {}
    return _made_in(connection, scope, bills, or_found=or_found)


def _made_in(
    connection: Connection,
    scope: str,
    bills: Mapping[BillNumber, str],
    *,
    but: int | None = None,
    or_found: bool = False,
) -> Mapping[BillNumber, Made]:
    called = [(number_in(bill), bill, id_ or id_in(bill)) for bill, id_ in bills.items()]
    found = connection.all(
        "made_in", scope=scope, called=text.from_json(called), but=but, or_found=or_found
    )
    return records.to_made_of(found)


def made_of_namesakes(
    connection: Connection, scope: str, bills: Collection[BillNumber]
) -> Mapping[BillNumber, frozenset[str]]:
    """Return ids of documents that runs of a scope have made of other bills of a number."""
    if not rules.is_of_account(scope, connection.account):
        return {}
    called = text.from_json(text.called(bills))
    return records.to_made_of_namesakes(
        connection.all("made_of_namesakes", scope=scope, called=called)
    )


def made_by(
    connection: Connection, run: RunId, sender: str | None = None, *, limit: int = 20
) -> Sequence[Made]:
    """Return the newest rows of the scope that name documents."""
    scope = run_key(connection, run).scope
    made: list[Made] = []
    for key, of in connection.all("newest_with_documents", scope=scope):
        left = limit - len(made)
        if not left:
            break
        if sender is None:
            found = connection.all("made_by_any", run=key, id=of, limit=left)
        else:
            sender = text.from_text(sender) or ""
            found = connection.all("made_by_one", run=key, id=of, sender=sender, limit=left)
        made += map(records.to_made, found)
    return made


def fruitful(connection: Connection, run: RunId, attempts: Collection[int]) -> frozenset[int]:
    """Return which attempts have made a document of some number."""
    key = run_key(connection, run).key
    found = connection.all("fruitful", run=key, attempts=text.from_json(sorted(attempts)))
    return frozenset(attempt for (attempt,) in found)


def lately_sent(
    connection: Connection, run: RunId, bills: Mapping[BillNumber, str], since: datetime
) -> Sequence[LatelySent]:
    """Return attempts of other runs of a scope that carried bills, the oldest first."""
    known = run_key(connection, run)
    found = connection.all(
        "lately_sent",
        scope=known.scope,
        run=known.key,
        called=text.from_json(list(bills.items())),
        since=text.from_time(since),
    )
    return [records.to_lately_sent(each) for each in found]


def twins(connection: Connection, run: RunId) -> int:
    """Count the rows of a run that have documents of another's."""
    ((count,),) = connection.all("count_twins", run=run_key(connection, run).key)
    return int(count)


def partly(connection: Connection, run: RunId) -> int:
    """Count the rows of a run that have documents of another's."""
    ((count,),) = connection.all("count_partly", run=run_key(connection, run).key)
    return int(count)


def doubts(connection: Connection, run: RunId) -> Sequence[Doubt]:
    """Return the numbers of a run that are `unknown`."""
    key = run_key(connection, run).key
    return records.to_doubts(run, connection.all("doubts", run=key, unknown=State.UNKNOWN))


def next_chunk(connection: Connection, run: RunId) -> int:
    """Return an index above that of every chunk the run has sent."""
    ((last,),) = connection.all("last_chunk", run=run_key(connection, run).key)
    return int(last) + 1


def attempts_of(connection: Connection, number: BillNumber) -> Sequence[AttemptRecord]:
    """Return every attempt that carried a number."""
    return [records.to_attempt(found) for found in connection.all("attempts_of", number=number)]


def notes_of(connection: Connection, number: BillNumber) -> Sequence[Note]:
    """Return the notes on a number, the oldest first."""
    return [records.to_note(found) for found in connection.all("notes_of", number=number)]


def attempts_in(
    connection: Connection, run: RunId, *, after: int = 0, limit: int = 100
) -> Sequence[AttemptRecord]:
    """Return a page of the attempts of a run, the oldest first."""
    key = run_key(connection, run).key
    page = connection.all("attempts_in", run=key, after=after, limit=limit)
    return [records.to_attempt(found) for found in page]


def notes_in(
    connection: Connection, run: RunId, *, after: int = 0, limit: int = 1000
) -> Sequence[Note]:
    """Return a page of the notes that a run has made, the oldest first."""
    key = run_key(connection, run).key
    return [
        records.to_note(found)
        for found in connection.all("notes_in", run=key, after=after, limit=limit)
    ]


def attempt_count(connection: Connection, run: RunId) -> int:
    """Count the attempts of a run."""
    return run_key(connection, run).attempts


def commands(connection: Connection, run: RunId) -> Sequence[Commanded]:
    """Return the commands for the present execution of a run, the oldest first."""
    key = run_key(connection, run).key
    return [records.to_commanded(found) for found in connection.all("select_commands", run=key)]


def spans(connection: Connection, run: RunId) -> Sequence[tuple[datetime, datetime]]:
    """Return when each recorded attempt of a run began and ended."""
    key = run_key(connection, run).key
    return [
        (text.to_time(began_at), text.to_time(ended_at))
        for began_at, ended_at in connection.all("spans", run=key)
    ]
