"""The verbs of the PostgreSQL ledger that only read, each as a step over a connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.postgres.database import Connection, account_hash
from k3push.adapters.ledger.postgres.writes import called_columns
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


async def run(connection: Connection, run: RunId) -> Run | None:
    """Return the run of that id."""
    found = await connection.one("select_run", run=run)
    return records.to_run(found) if found else None


async def runs(
    connection: Connection,
    *,
    last: int | None = None,
    undone: bool = False,
    before: RunId | None = None,
) -> Sequence[Run]:
    """Return runs in the order in which they were opened: all, or the last so many."""
    end = rules.BEHIND_ALL if before is None else await run_key(connection, before)
    query = "undone_runs" if undone else "newest_runs"
    found = await connection.all(query, before=end, last=last)
    return [records.to_run(each) for each in reversed(found)]


async def runs_named(connection: Connection, beginning: str) -> Sequence[Run]:
    """Return the runs whose id begins so."""
    found = await connection.all("runs_named", beginning=beginning)
    return [records.to_run(each) for each in found]


async def runs_called(
    connection: Connection,
    words: str,
    *,
    ids: Collection[RunId] = (),
    last: int,
    before: RunId | None = None,
) -> Sequence[Run]:
    """Return the last so many runs whose jobs hold a text, or that are named."""
    end = rules.BEHIND_ALL if before is None else await run_key(connection, before)
    found = await connection.all(
        "runs_called", like=text.like_in_json(words), ids=list(ids), before=end, last=last
    )
    return [records.to_run(each) for each in reversed(found)]


async def runs_begun_with(connection: Connection, group: str) -> Sequence[Run]:
    """Return the runs that one command has begun."""
    found = await connection.all("runs_begun_with", group=group)
    return [records.to_run(each) for each in found]


async def glances(
    connection: Connection, accounts: Collection[str], *, among: int
) -> Mapping[str, Sequence[Glance]]:
    """Return the last run of each route of several accounts, and those that are not settled."""
    seen: dict[str, list[Glance]] = {account: [] for account in accounts}
    for account, counts, *run in await connection.all("glances", accounts=list(seen), among=among):
        seen[account].append(records.to_glance(run, counts))
    return {account: rules.worth_a_glance(those) for account, those in seen.items()}


async def run_key(connection: Connection, run: RunId) -> int:
    """Find a run that must be there."""
    return (await _key_and_scope(connection, run))[0]


async def _key_and_scope(connection: Connection, run: RunId) -> tuple[int, str]:
    if (known := connection.keys.get(run)) is not None:
        return known
    found = await connection.one("run_key", run=run)
    if found is None:
        raise LookupError(f"the ledger has no run {run}")
    known = int(found[0]), str(found[1])
    connection.keys[run] = known
    return known


async def is_alive(connection: Connection, run: RunId) -> bool:
    """Say whether some process holds the lock of a run."""
    try:
        key = await run_key(connection, run)
    except LookupError:
        return False
    return await connection.one("is_alive", run=key) == (True,)


async def taker_of(connection: Connection, file: FolderFile) -> RunId | None:
    """Return the run that has the numbers of a file."""
    found = await connection.one("taker_of", folder=file.folder, file=file.name, digest=file.digest)
    return RunId(found[0]) if found else None


async def pace(connection: Connection, scope: str) -> tuple[Learnt, datetime] | None:
    """Return what was kept last, and when."""
    if not rules.is_of_account(scope, connection.account):
        return None
    found = await connection.one("pace", scope=scope)
    return text.to_pace(*found) if found else None


async def repeats(connection: Connection, run: RunId) -> Sequence[Repeat]:
    """Return all repeats of a run, in the order of the job files."""
    key = await run_key(connection, run)
    return [
        Repeat(line, number, first, place, first_place)
        for place, line, number, first, first_place in await connection.all(
            "select_repeats", run=key
        )
    ]


async def rows(
    connection: Connection,
    run: RunId,
    *,
    states: Collection[State] = (),
    after: int = 0,
    limit: int = 1000,
) -> Sequence[Row]:
    """Return a page of rows, in the order of the job files."""
    key = await run_key(connection, run)
    if not states:
        return records.to_rows(await connection.all("page", run=key, after=after, limit=limit))
    common: list[str] = sorted(rules.COMMON.intersection(states))
    rare: list[str] = sorted(set(states) - rules.COMMON)
    page = {"run": key, "after": after, "limit": limit}
    found = await connection.all("page_in_states", **page, common=common, rare=rare)
    return records.to_rows(found)


async def counts(connection: Connection, run: RunId) -> Mapping[State, int]:
    """Count the rows of each state."""
    key = await run_key(connection, run)
    return {State(state): n for state, n in await connection.all("select_tallies", run=key)}


async def target_count(connection: Connection, run: RunId) -> int:
    """Count the documents that the rows of a run name, each once."""
    ((count,),) = await connection.all("count_targets", run=await run_key(connection, run))
    return int(count)


async def rows_of(connection: Connection, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
    """Return the rows of one number in all runs, by either spelling."""
    if id_ := id_in(number):
        found = await connection.all("rows_of_bill", number=number_in(number), id=id_, bill=number)
    else:
        found = await connection.all("rows_of_number", number=number)
    rows = records.to_rows(row for _, *row in found)
    return [(RunId(run), row) for (run, *_), row in zip(found, rows, strict=True)]


async def accounts_with(
    connection: Connection, number: BillNumber, accounts: Collection[str]
) -> Collection[str]:
    """Return which of several accounts have rows of a number, by either spelling."""
    found = await connection.all(
        "accounts_with",
        accounts=list(accounts),
        hashes=[account_hash(account) for account in accounts],
        number=number_in(number),
        id=id_in(number),
        bill=number,
    )
    return {account for (account,) in found}


async def find_rows(
    connection: Connection, words: str, *, remarks: Collection[str] = (), limit: int = 100
) -> Sequence[tuple[RunId, Row]]:
    """Return rows that hold a text, the newest run first."""
    found = await connection.all(
        "find_rows",
        words=text.from_text(words),
        like=text.like(words),
        remarks=list(remarks),
        limit=limit,
    )
    rows = records.to_rows(row for _, *row in found)
    return [(RunId(run), row) for (run, *_), row in zip(found, rows, strict=True)]


async def runs_holding(
    connection: Connection, words: str, *, remarks: Collection[str] = ()
) -> set[RunId]:
    """Return the runs of all rows that hold a text."""
    found = await connection.all(
        "runs_holding",
        words=text.from_text(words),
        like=text.like(words),
        remarks=list(remarks),
    )
    return {RunId(run) for (run,) in found}


async def in_hand(
    connection: Connection, run: RunId, ids: Collection[str]
) -> Mapping[str, Sequence[InHand]]:
    """Return which bills runs have on their way or in doubt."""
    _, scope = await _key_and_scope(connection, run)
    found = await connection.all("in_hand", scope=scope, ids=list(ids))
    return records.to_in_hand(found)


async def made_of(
    connection: Connection, run: RunId, bills: Mapping[BillNumber, str]
) -> Mapping[BillNumber, Made]:
    """Return what others than a run's rows of bills have made of them, the latest of each."""
    key, scope = await _key_and_scope(connection, run)
    return await _made_in(connection, scope, bills, but=key)


async def made_in(
    connection: Connection, scope: str, bills: Mapping[BillNumber, str], *, or_found: bool = False
) -> Mapping[BillNumber, Made]:
    """Return what the runs of a scope have made of bills, the latest of each."""
    if not rules.is_of_account(scope, connection.account):
        return {}
    return await _made_in(connection, scope, bills, or_found=or_found)


async def _made_in(
    connection: Connection,
    scope: str,
    bills: Mapping[BillNumber, str],
    *,
    but: int | None = None,
    or_found: bool = False,
) -> Mapping[BillNumber, Made]:
    found = await connection.all(
        "made_in",
        scope=scope,
        ids=[id_ or id_in(bill) for bill, id_ in bills.items()],
        but=but,
        or_found=or_found,
        **called_columns(bills),
    )
    return records.to_made_of(found)


async def made_of_namesakes(
    connection: Connection, scope: str, bills: Collection[BillNumber]
) -> Mapping[BillNumber, frozenset[str]]:
    """Return ids of documents that runs of a scope have made of other bills of a number."""
    if not rules.is_of_account(scope, connection.account):
        return {}
    found = await connection.all("made_of_namesakes", scope=scope, **called_columns(bills))
    return records.to_made_of_namesakes(found)


async def made_by(
    connection: Connection, run: RunId, sender: str | None = None, *, limit: int = 20
) -> Sequence[Made]:
    """Return the newest rows of the scope that name documents."""
    _, scope = await _key_and_scope(connection, run)
    made: list[Made] = []
    for key, of in await connection.all("newest_with_documents", scope=scope):
        left = limit - len(made)
        if not left:
            break
        if sender is None:
            found = await connection.all("made_by_any", run=key, id=of, limit=left)
        else:
            sender = text.from_text(sender) or ""
            found = await connection.all("made_by_one", run=key, id=of, sender=sender, limit=left)
        made += map(records.to_made, found)
    return made


async def fruitful(connection: Connection, run: RunId, attempts: Collection[int]) -> frozenset[int]:
    """Return which attempts have made a document of some number."""
    key = await run_key(connection, run)
    found = await connection.all("fruitful", run=key, attempts=list(attempts))
    return frozenset(attempt for (attempt,) in found)


async def lately_sent(
    connection: Connection, run: RunId, bills: Mapping[BillNumber, str], since: datetime
) -> Sequence[LatelySent]:
    """Return attempts of other runs of a scope that carried bills, the oldest first."""
    key, scope = await _key_and_scope(connection, run)
    found = await connection.all(
        "lately_sent",
        scope=scope,
        run=key,
        bills=list(bills),
        ids=list(bills.values()),
        since=text.from_time(since),
    )
    return [records.to_lately_sent(each) for each in found]


async def twins(connection: Connection, run: RunId) -> int:
    """Count the rows of a run that have documents of another's."""
    ((count,),) = await connection.all("count_twins", run=await run_key(connection, run))
    return int(count)


async def partly(connection: Connection, run: RunId) -> int:
    """Count the rows of a run that have documents of another's."""
    ((count,),) = await connection.all("count_partly", run=await run_key(connection, run))
    return int(count)


async def doubts(connection: Connection, run: RunId) -> Sequence[Doubt]:
    """Return the numbers of a run that are `unknown`."""
    key = await run_key(connection, run)
    return records.to_doubts(run, await connection.all("doubts", run=key))


async def next_chunk(connection: Connection, run: RunId) -> int:
    """Return an index above that of every chunk the run has sent."""
    ((last,),) = await connection.all("last_chunk", run=await run_key(connection, run))
    return int(last) + 1


async def attempts_of(connection: Connection, number: BillNumber) -> Sequence[AttemptRecord]:
    """Return every attempt that carried a number."""
    found = await connection.all("attempts_of", number=number)
    return [records.to_attempt(each) for each in found]


async def notes_of(connection: Connection, number: BillNumber) -> Sequence[Note]:
    """Return the notes on a number, the oldest first."""
    return [records.to_note(found) for found in await connection.all("notes_of", number=number)]


async def attempts_in(
    connection: Connection, run: RunId, *, after: int = 0, limit: int = 100
) -> Sequence[AttemptRecord]:
    """Return a page of the attempts of a run, the oldest first."""
    key = await run_key(connection, run)
    page = await connection.all("attempts_in", run=key, after=after, limit=limit)
    return [records.to_attempt(found) for found in page]


async def notes_in(
    connection: Connection, run: RunId, *, after: int = 0, limit: int = 1000
) -> Sequence[Note]:
    """Return a page of the notes that a run has made, the oldest first."""
    key = await run_key(connection, run)
    page = await connection.all("notes_in", run=key, after=after, limit=limit)
    return [records.to_note(found) for found in page]


async def attempt_count(connection: Connection, run: RunId) -> int:
    """Count the attempts of a run."""
    ((count,),) = await connection.all("count_attempts", run=await run_key(connection, run))
    return int(count)


async def commands(connection: Connection, run: RunId) -> Sequence[Commanded]:
    """Return the commands for the present execution of a run, the oldest first."""
    found = await connection.all("select_commands", run=await run_key(connection, run))
    return [records.to_commanded(each) for each in found]


async def spans(connection: Connection, run: RunId) -> Sequence[tuple[datetime, datetime]]:
    """Return when each recorded attempt of a run began and ended."""
    found = await connection.all("spans", run=await run_key(connection, run))
    return [(text.to_time(began_at), text.to_time(ended_at)) for began_at, ended_at in found]
