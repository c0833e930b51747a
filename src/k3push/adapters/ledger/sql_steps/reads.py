"""The verbs of every SQL ledger that only read, each as a step over a connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from k3push.adapters.ledger import codec, records, rules
from k3push.adapters.ledger.sql_steps.step_connection import StepConnection, as_called, run_key
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
from k3push.ports import (
    EVER_AFTER,
    EVERY_CALL,
    NEWEST_CALLS,
    AttemptRecord,
    Commanded,
    Doubt,
    InHand,
    LatelySent,
    LostCall,
    Made,
    Note,
)


async def run(connection: StepConnection, run: RunId) -> Run | None:
    """Return the run of that id."""
    found = await connection.one("select_run", run=run)
    return records.read_run(found) if found else None


async def runs(
    connection: StepConnection,
    *,
    last: int | None = None,
    undone: bool = False,
    before: RunId | None = None,
) -> Sequence[Run]:
    """Return runs in the order in which they were opened: all, or the last so many."""
    end = rules.BEHIND_ALL if before is None else await run_key(connection, before)
    query = "undone_runs" if undone else "newest_runs"
    most = rules.BEHIND_ALL if last is None else last
    found = await connection.all(query, before=end, last=most)
    return [records.read_run(each) for each in reversed(found)]


async def runs_named(connection: StepConnection, beginning: str) -> Sequence[Run]:
    """Return the runs whose id begins so."""
    found = await connection.all("runs_named", beginning=beginning)
    return [records.read_run(each) for each in found]


async def runs_called(
    connection: StepConnection,
    words: str,
    *,
    ids: Collection[RunId] = (),
    last: int,
    before: RunId | None = None,
) -> Sequence[Run]:
    """Return the last so many runs whose jobs hold a text, or that are named."""
    end = rules.BEHIND_ALL if before is None else await run_key(connection, before)
    found = await connection.all(
        "runs_called", like=codec.like_in_json(words), ids=list(ids), before=end, last=last
    )
    return [records.read_run(each) for each in reversed(found)]


async def runs_begun_with(connection: StepConnection, group: str) -> Sequence[Run]:
    """Return the runs that one command has begun."""
    found = await connection.all("runs_begun_with", group=group)
    return [records.read_run(each) for each in found]


async def taker_of(connection: StepConnection, file: FolderFile) -> RunId | None:
    """Return the run that has the numbers of a file."""
    found = await connection.one("taker_of", folder=file.folder, file=file.name, digest=file.digest)
    return RunId(found[0]) if found else None


async def pace(connection: StepConnection, scope: str) -> tuple[Learnt, datetime] | None:
    """Return what was kept last, and when."""
    if not rules.is_of_account(scope, connection.account):
        return None
    found = await connection.one("pace", scope=scope)
    return codec.read_pace(*found) if found else None


async def repeats(connection: StepConnection, run: RunId) -> Sequence[Repeat]:
    """Return all repeats of a run, in the order of the job files."""
    key = await run_key(connection, run)
    return records.read_repeats(await connection.all("select_repeats", run=key))


async def counts(connection: StepConnection, run: RunId) -> Mapping[State, int]:
    """Count the rows of each state."""
    key = await run_key(connection, run)
    return records.read_counts(await connection.all("select_tallies", run=key))


async def target_count(connection: StepConnection, run: RunId) -> int:
    """Count the documents that the rows of a run name, each once."""
    ((count,),) = await connection.all("count_targets", run=await run_key(connection, run))
    return int(count)


async def rows_of(connection: StepConnection, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
    """Return the rows of one number in all runs, by either spelling."""
    if id_ := id_in(number):
        found = await connection.all("rows_of_bill", number=number_in(number), id=id_, bill=number)
    else:
        found = await connection.all("rows_of_number", number=number)
    return records.read_rows_of_runs(found)


async def find_rows(
    connection: StepConnection, words: str, *, remarks: Collection[str] = (), limit: int = 100
) -> Sequence[tuple[RunId, Row]]:
    """Return rows that hold a text, the newest run first."""
    found = await connection.all(
        "find_rows",
        words=codec.write_text(words),
        like=codec.like(words),
        in_json=codec.like_in_json(words),
        remarks=list(remarks),
        limit=limit,
    )
    return records.read_rows_of_runs(found)


async def runs_holding(
    connection: StepConnection, words: str, *, remarks: Collection[str] = ()
) -> set[RunId]:
    """Return the runs of all rows that hold a text."""
    found = await connection.all(
        "runs_holding",
        words=codec.write_text(words),
        like=codec.like(words),
        in_json=codec.like_in_json(words),
        remarks=list(remarks),
    )
    return {RunId(run) for (run,) in found}


async def in_hand(
    connection: StepConnection, run: RunId, ids: Collection[str]
) -> Mapping[str, Sequence[InHand]]:
    """Return which bills runs have on their way or in doubt."""
    _, scope = await connection.key_and_scope(run)
    found = await connection.all("in_hand", scope=scope, ids=list(ids))
    return records.read_in_hand(found)


async def made_of(
    connection: StepConnection, run: RunId, bills: Mapping[BillNumber, str]
) -> Mapping[BillNumber, Made]:
    """Return what others than a run's rows of bills have made of them, the latest of each."""
    key, scope = await connection.key_and_scope(run)
    return await _made_in(connection, scope, bills, but=key)


async def made_in(
    connection: StepConnection,
    scope: str,
    bills: Mapping[BillNumber, str],
    *,
    or_found: bool = False,
) -> Mapping[BillNumber, Made]:
    """Return what the runs of a scope have made of bills, the latest of each."""
    if not rules.is_of_account(scope, connection.account):
        return {}
    return await _made_in(connection, scope, bills, or_found=or_found)


async def _made_in(
    connection: StepConnection,
    scope: str,
    bills: Mapping[BillNumber, str],
    *,
    but: int | None = None,
    or_found: bool = False,
) -> Mapping[BillNumber, Made]:
    known = [(number_in(bill), bill, id_ or id_in(bill)) for bill, id_ in bills.items()]
    called_and_known = connection.columns("called", ("numbers", "bills", "ids"), known)
    found = await connection.all(
        "made_in", scope=scope, but=but, or_found=or_found, **called_and_known
    )
    return records.read_made_of(found)


async def made_of_namesakes(
    connection: StepConnection, scope: str, bills: Collection[BillNumber]
) -> Mapping[BillNumber, frozenset[str]]:
    """Return ids of documents that runs of a scope have made of other bills of a number."""
    if not rules.is_of_account(scope, connection.account):
        return {}
    found = await connection.all("made_of_namesakes", scope=scope, **as_called(connection, bills))
    return records.read_made_of_namesakes(found)


async def made_by(
    connection: StepConnection, run: RunId, sender: str | None = None, *, limit: int = 20
) -> Sequence[Made]:
    """Return the newest rows of the scope that name documents."""
    _, scope = await connection.key_and_scope(run)
    made: list[Made] = []
    for key, of in await connection.all("newest_with_documents", scope=scope):
        left = limit - len(made)
        if not left:
            break
        if sender is None:
            found = await connection.all("made_by_any", run=key, id=of, limit=left)
        else:
            sender = codec.write_text(sender) or ""
            found = await connection.all("made_by_one", run=key, id=of, sender=sender, limit=left)
        made += map(records.read_made, found)
    return made


async def fruitful(
    connection: StepConnection, run: RunId, attempts: Collection[int]
) -> frozenset[int]:
    """Return which attempts have made a document of some number."""
    key = await run_key(connection, run)
    found = await connection.all("fruitful", run=key, attempts=sorted(attempts))
    return frozenset(attempt for (attempt,) in found)


async def lately_sent(
    connection: StepConnection, run: RunId, bills: Mapping[BillNumber, str], since: datetime
) -> Sequence[LatelySent]:
    """Return attempts of other runs of a scope that carried bills, the oldest first."""
    key, scope = await connection.key_and_scope(run)
    found = await connection.all(
        "lately_sent",
        scope=scope,
        run=key,
        since=codec.write_time(since),
        **connection.columns("called", ("bills", "ids"), list(bills.items())),
    )
    return [records.read_lately_sent(each) for each in found]


async def lost_calls(
    connection: StepConnection, since: datetime, *, after: int, before: int = EVERY_CALL
) -> Sequence[LostCall]:
    """Return attempts of the account of which nobody has heard how they ended."""
    found = await connection.all(
        "lost_calls",
        since=codec.write_time(since),
        after=after,
        before=before,
        limit=NEWEST_CALLS,
    )
    return [records.read_lost_call(each) for each in found]


async def last_successes(
    connection: StepConnection, *, after: int, until: datetime = EVER_AFTER
) -> Sequence[AttemptRecord]:
    """Return the newest attempt of each user, behind one, whose answer tells of documents."""
    found = await connection.all("last_successes", after=after, until=codec.write_time(until))
    return [records.read_attempt(each) for each in found]


async def last_answered(
    connection: StepConnection, attempt: int, *, until: datetime, among: int
) -> AttemptRecord | None:
    """Return the attempt that may have come before another and whose answer came last."""
    found = await connection.all(
        "last_answered",
        attempt=attempt,
        after=max(0, attempt - among),
        before=attempt + among,
        until=codec.write_time(until),
    )
    return records.read_attempt(found[0]) if found else None


async def twins(connection: StepConnection, run: RunId) -> int:
    """Count the rows of a run whose code is `model.TWIN`."""
    ((count,),) = await connection.all("count_twins", run=await run_key(connection, run))
    return int(count)


async def partly(connection: StepConnection, run: RunId) -> int:
    """Count the rows of a run whose code is `model.PARTLY`."""
    ((count,),) = await connection.all("count_partly", run=await run_key(connection, run))
    return int(count)


async def doubts(connection: StepConnection, run: RunId) -> Sequence[Doubt]:
    """Return the numbers of a run that are `unknown`."""
    key = await run_key(connection, run)
    return records.read_doubts(run, await connection.all("doubts", run=key))


async def next_chunk(connection: StepConnection, run: RunId) -> int:
    """Return an index above that of every chunk the run has sent."""
    ((last,),) = await connection.all("last_chunk", run=await run_key(connection, run))
    return int(last) + 1


async def attempts_of(connection: StepConnection, number: BillNumber) -> Sequence[AttemptRecord]:
    """Return every attempt that carried a number."""
    found = await connection.all("attempts_of", number=number)
    return [records.read_attempt(each) for each in found]


async def notes_of(connection: StepConnection, number: BillNumber) -> Sequence[Note]:
    """Return the notes on a number, the oldest first."""
    return [records.read_note(found) for found in await connection.all("notes_of", number=number)]


async def attempts_in(
    connection: StepConnection, run: RunId, *, after: int = 0, limit: int = 100
) -> Sequence[AttemptRecord]:
    """Return a page of the attempts of a run, the oldest first."""
    key = await run_key(connection, run)
    page = await connection.all("attempts_in", run=key, after=after, limit=limit)
    return [records.read_attempt(found) for found in page]


async def notes_in(
    connection: StepConnection, run: RunId, *, after: int = 0, limit: int = 1000
) -> Sequence[Note]:
    """Return a page of the notes that a run has made, the oldest first."""
    key = await run_key(connection, run)
    page = await connection.all("notes_in", run=key, after=after, limit=limit)
    return [records.read_note(found) for found in page]


async def attempt_count(connection: StepConnection, run: RunId) -> int:
    """Count the attempts of a run."""
    ((count,),) = await connection.all("count_attempts", run=await run_key(connection, run))
    return int(count)


async def commands(connection: StepConnection, run: RunId) -> Sequence[Commanded]:
    """Return the commands for the present execution of a run, the oldest first."""
    found = await connection.all("select_commands", run=await run_key(connection, run))
    return [records.read_commanded(each) for each in found]


async def spans(connection: StepConnection, run: RunId) -> Sequence[tuple[datetime, datetime]]:
    """Return when each recorded call of a run that has left began and ended."""
    found = await connection.all("spans", run=await run_key(connection, run))
    return [(codec.read_time(began_at), codec.read_time(ended_at)) for began_at, ended_at in found]
