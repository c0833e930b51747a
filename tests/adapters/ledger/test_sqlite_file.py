from __future__ import annotations

import re
import sqlite3
import stat
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from k3push.adapters.ledger.sql_files import verbs_of
from k3push.adapters.ledger.sql_steps import writes
from k3push.adapters.ledger.sqlite import SqliteLedger, open_sqlite, sending
from k3push.adapters.ledger.sqlite.account_connection import AccountConnection, run_to_end
from k3push.adapters.ledger.sqlite.connections import PACKAGE, Connection, lost_as_ledger
from k3push.adapters.ledger.sqlite.files_beside import locks_folder
from k3push.adapters.ledger.sqlite.group_commit import GroupCommit, Reader
from k3push.adapters.ledger.sqlite.opening import connect
from k3push.adapters.ledger.sqlite.run_locks import RunLocks
from k3push.adapters.ledger.sqlite.same_files import SameFiles
from k3push.core.model import BillNumber, Listed, NoAnswer, Outcome, State
from k3push.ports import Ledger, LedgerLostError
from tests.adapters.ledger.samples import (
    ACCOUNT,
    a_run,
    identified,
    intent,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)
from tests.adapters.ledger.statements import unused_statements
from tests.memory_ledger.ledger import MemoryLedger
from tests.said import english, refused

pytestmark = pytest.mark.anyio


def with_sqlite(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Run a statement as another program would."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement).fetchall()


def ledgers() -> tuple[type[Ledger], ...]:
    """Let mypy say that every ledger fulfils the port."""
    return (MemoryLedger, SqliteLedger)


async def test_a_ledger_is_there_after_it_was_closed(tmp_path: Path) -> None:
    """All of it: rows, attempts, counts, claims."""
    path = tmp_path / "账本 #1?.db"
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B")
        await pushed(ledger, run, "A")
        await sent(ledger, run, "B")
    async with open_sqlite(path, account=ACCOUNT, create=False) as ledger:
        assert await states(ledger, run) == {"A": State.PUSHED, "B": State.SENT}
        assert await ledger.attempt_count(run) == 2
        async with ledger.own(run):
            assert await ledger.counts(run) == {State.PUSHED: 1, State.UNKNOWN: 1}
    left = {entry.name for entry in await to_thread.run_sync(lambda: list(tmp_path.iterdir()))}
    assert left == {path.name, f"{path.name}-locks"}


async def test_looking_does_not_make_a_ledger(tmp_path: Path) -> None:
    """A mistyped path must not leave an empty ledger behind."""
    path = tmp_path / "ledger.db"
    with refused(LedgerLostError, "no ledger yet"):
        async with open_sqlite(path, account=ACCOUNT, create=False):
            pass
    assert not await to_thread.run_sync(lambda: list(tmp_path.iterdir()))


async def test_a_newer_ledger_is_left_alone(tmp_path: Path) -> None:
    """An older version would write rows that the newer one misreads."""
    path = tmp_path / "ledger.db"
    async with open_sqlite(path, account=ACCOUNT):
        pass
    await to_thread.run_sync(with_sqlite, path, "PRAGMA user_version = 99")
    with refused(LedgerLostError, "Install the newer"):
        async with open_sqlite(path, account=ACCOUNT):
            pass


async def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """It would get our tables among its own."""
    path = tmp_path / "other.db"
    await to_thread.run_sync(with_sqlite, path, "CREATE TABLE theirs (x)")
    with refused(LedgerLostError, "another program"):
        async with open_sqlite(path, account=ACCOUNT):
            pass
    tables = await to_thread.run_sync(with_sqlite, path, "SELECT name FROM sqlite_master")
    assert tables == [("theirs",)]


def write_garbage(path: Path) -> None:
    """Write a file that is no database."""
    path.write_bytes(b"number,state\n" * 500)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [(write_garbage, "no ledger"), (Path.mkdir, "directory"), (lambda _: None, "No such file")],
    ids=["garbage", "folder", "no-folder"],
)
async def test_what_is_no_ledger_is_said_with_its_path(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    """The one who runs it can mend it without a traceback."""
    path = tmp_path / "ledger.db" if said != "No such file" else tmp_path / "gone" / "ledger.db"
    await to_thread.run_sync(spoil, path)
    with refused(LedgerLostError, said) as raised:
        async with open_sqlite(path, account=ACCOUNT):
            pass
    assert str(path) in english(raised.value)


async def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    """Answers are kept whole, and hold what a company buys and from whom."""
    path = tmp_path / "ledger.db"
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        async with ledger.own(run):
            await sent(ledger, run, "A")
            modes = await to_thread.run_sync(
                lambda: {
                    entry.relative_to(tmp_path).as_posix(): stat.S_IMODE(entry.stat().st_mode)
                    for entry in tmp_path.rglob("*")
                }
            )
    assert {"ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-locks/r1.lock"} <= set(modes)
    assert {mode & 0o077 for mode in modes.values()} == {0}


async def test_no_lock_of_an_ended_run_is_left(tmp_path: Path) -> None:
    """A ledger of years would have thousands."""
    path = tmp_path / "ledger.db"
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        async with ledger.own(run):
            pass
    left = await to_thread.run_sync(lambda: list(path.with_name("ledger.db-locks").glob("*.lock")))
    assert left == []


async def test_a_commit_is_flushed_before_it_returns(tmp_path: Path) -> None:
    """Rule 1 holds through a power loss only with these two."""
    writer, reader = await to_thread.run_sync(lambda: connect(tmp_path / "ledger.db", create=True))
    # Both are settings of a connection, so the writing one itself is asked.
    assert await to_thread.run_sync(writer.all, "durability") == [("wal", 2)]
    await to_thread.run_sync(reader.close)
    await to_thread.run_sync(writer.close)


async def test_every_statement_is_used() -> None:
    """A statement without a caller is a rule that nobody tests."""
    assert await to_thread.run_sync(unused_statements, PACKAGE) == []


class Pause:
    """Waits for nobody knows what."""

    def __await__(self) -> Generator[None]:
        """Wait once."""
        yield


async def wait() -> None:
    """Do what no step over SQLite may do."""
    await Pause()


def test_a_step_that_waits_is_refused() -> None:
    """It would hold the transaction, and with it whoever else wants to write."""
    with pytest.raises(RuntimeError, match="waited"):
        run_to_end(wait())


def planned_steps(path: Path, name: str) -> list[str]:
    """Return the steps in which SQLite would go through a statement of `verbs.sql`."""
    statement = verbs_of(PACKAGE)[name]
    values = dict.fromkeys(re.findall(r":(\w+)", statement), "[]")
    with closing(sqlite3.connect(path)) as connection:
        return [step[-1] for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("page", "rows USING PRIMARY KEY (run=? AND place>?)"),
        ("page_in_state", "rows USING PRIMARY KEY (run=? AND place>?)"),
        ("page_in_rare_state", "rows USING INDEX rows_by_state (run=? AND state=? AND place>?)"),
        ("doubts", "rows USING INDEX rows_by_state (run=? AND state=?)"),
        ("rows_of_number", "rows USING INDEX rows_by_bill"),
        ("rows_of_bill", "rows USING INDEX rows_by_bill"),
        ("accounts_with", "rows USING INDEX rows_by_bill"),
        ("rows_of_lines", "r USING INDEX rows_by_number (number=? AND listed_id=? AND run=?)"),
        ("rows_of_lines", "r USING INDEX rows_by_bill (bill>? AND bill<?)"),
        ("standings", "r USING INDEX rows_by_bill (bill=? AND run=?)"),
        ("recording_of", "r USING INDEX rows_by_bill (bill=? AND run=?)"),
        ("holders", "claims USING PRIMARY KEY (scope=? AND number=?)"),
        ("set_bills", "rows USING PRIMARY KEY (run=? AND place=?)"),
        ("newest_runs", "runs USING INDEX runs_newest (account=? AND rowid<?)"),
        ("undone_runs", "runs USING INDEX runs_undone (account=? AND rowid<?)"),
        ("runs_named", "runs USING INDEX sqlite_autoindex_runs_1 (id>? AND id<?)"),
        ("runs_begun_with", "runs USING INDEX runs_begun_with (begun_with=?)"),
        ("other_spelling", "runs USING COVERING INDEX runs_by_spelling (<expr>=? AND account<?)"),
        ("newest_with_documents", "runs USING COVERING INDEX runs_by_scope (scope=?)"),
        ("made_by_any", "a USING INDEX attempts_in_order (run=?)"),
        ("made_by_one", "a USING INDEX attempts_by_sender (run=? AND sender=?)"),
        ("count_twins", "rows USING COVERING INDEX rows_of_twins (run=?)"),
        ("documents", "r USING INDEX rows_by_bill (bill=? AND run=?)"),
        ("put_off", "rows USING INDEX rows_by_bill (bill=? AND run=?)"),
        ("made_in", "r USING INDEX rows_by_bill (bill>? AND bill<?)"),
        ("made_in", "r USING INDEX rows_by_source (source_id=?)"),
        ("in_hand", "rows USING INDEX rows_by_source (source_id=?)"),
        ("made_of_namesakes", "r USING INDEX rows_by_bill (bill>? AND bill<?)"),
        ("pass_claims_on", "r USING INDEX rows_by_bill (bill=?)"),
        ("attempts_in", "attempts USING INDEX attempts_in_order (run=? AND rowid>?)"),
        ("lost_calls", "SEARCH attempts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("lost_calls", "attempts USING INTEGER PRIMARY KEY (rowid=?)"),
        ("lost_calls", "rows USING INDEX rows_by_bill (bill=? AND run=?)"),
        ("last_successes", "attempts USING INTEGER PRIMARY KEY (rowid>?)"),
        ("last_successes", "rows USING INDEX rows_by_bill (bill=? AND run=?)"),
        ("last_answered", "attempts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        ("lately_sent", "carried USING PRIMARY KEY (number=?)"),
        ("lately_sent", "rows USING INDEX rows_by_source (source_id=?)"),
        ("steps_so_far", "SCAN steps USING INDEX steps_open"),  # it holds what is open alone
        ("long_steps", "steps USING INTEGER PRIMARY KEY (rowid=?)"),
        ("step_elsewhere", "runs USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            "repoint_repeats",
            "repeats USING COVERING INDEX repeats_by_first (run=? AND first_place=?)",
        ),
    ],
)
async def test_a_million_rows_are_not_walked_through(tmp_path: Path, name: str, index: str) -> None:
    """A page, a rare state and a number are each found by an index, already in order."""
    path = tmp_path / "ledger.db"
    async with open_sqlite(path, account=ACCOUNT):
        pass
    steps = await to_thread.run_sync(planned_steps, path, name)
    assert any(index in step for step in steps), steps
    assert not [step for step in steps if "SCAN rows" in step or "SCAN r " in step]
    # Rows and attempts of one number or of a chunk are few, and so are runs of one beginning.
    sorted_ = {
        "runs_named", "rows_of_number", "rows_of_bill", "accounts_with", "made_in", "in_hand",
        "lately_sent", "lost_calls", "long_steps", "last_successes", "last_answered",
    }  # fmt: skip
    assert not [step for step in steps if "TEMP B-TREE" in step and name not in sorted_]


def steps_of_a_chunk(path: Path, count: int) -> int:
    """Return what a chunk costs SQLite in a run of so many numbers, in tens of its steps."""
    writer, reader = connect(path, create=True)
    listed = [Listed(line, BillNumber(f"N{line:05d}")) for line in range(1, count + 1)]
    chunk = [one.number for one in listed[count // 2 :][:20]]
    steps: list[int] = []
    with closing(writer), closing(reader):
        connection, run = AccountConnection(writer, ACCOUNT), a_run().id
        run_to_end(writes.open_run(connection, a_run()))
        run_to_end(writes.add(connection, run, listed))
        run_to_end(
            writes.identify(connection, run, identified({number: number for number in chunk}))
        )
        writer._connection.set_progress_handler(lambda: steps.append(1), 10)
        run_to_end(sending.claim(connection, run, chunk, is_alive=lambda _: True))
        attempt = run_to_end(sending.begin(connection, intent(run, " ".join(chunk))))
        unknown = [Outcome(number, State.UNKNOWN) for number in chunk]
        broken, at = NoAnswer("broken"), a_run().started_at
        run_to_end(sending.record(connection, attempt, broken, "in doubt", unknown, at=at))
        back = [Outcome(number, State.PLANNED) for number in chunk]
        run_to_end(sending.conclude(connection, run, back, at=at))
        writer._connection.set_progress_handler(None, 0)
    return len(steps)


async def test_a_chunk_costs_no_more_in_a_long_list(tmp_path: Path) -> None:
    """SQLite chooses the order of each join, and a wrong one costs each chunk the whole run.

    What it says of its plan tells nothing of how often it goes round, so its steps are counted.
    """
    costs = [
        await to_thread.run_sync(steps_of_a_chunk, tmp_path / f"{count}.db", count)
        for count in (100, 5000)
    ]
    assert costs[1] <= costs[0] * 1.1


async def test_a_view_shows_the_ledger_to_any_program(tmp_path: Path) -> None:
    """A person with a database browser needs no k3push to see what became of a number."""
    path = tmp_path / "ledger.db"
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        await pushed(ledger, run, "A")
    shown = await to_thread.run_sync(
        with_sqlite, path, "SELECT run, number, state, targets, chunk, sent_at FROM ledger"
    )
    assert shown == [("r1", "A", "pushed", '[["id-A","CGRK-A"]]', 1, "2024-05-17T12:00:00.250Z")]


async def test_a_file_locked_for_too_long_is_said(tmp_path: Path) -> None:
    """In words that name the path and the cure, with SQLite's own as the cause."""
    path = tmp_path / "ledger.db"

    def write_while_locked() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as one:
            one.execute("BEGIN IMMEDIATE")
            with closing(sqlite3.connect(path, timeout=0)) as two, lost_as_ledger(path):
                two.execute("BEGIN IMMEDIATE")

    with refused(LedgerLostError, r"ledger\.db: database is locked .* end it"):
        await to_thread.run_sync(write_while_locked)


async def test_after_an_error_of_the_disk_nothing_more_is_written(tmp_path: Path) -> None:
    """A flush that failed once may be reported as good the next time, and be none."""

    def fail(_: Connection) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error

    path = tmp_path / "ledger.db"
    writer, reader = await to_thread.run_sync(lambda: connect(path, create=True))
    files = await to_thread.run_sync(SameFiles, path)
    commits, looks = GroupCommit(path, writer), Reader(path, reader, files.check)
    locks = RunLocks(await to_thread.run_sync(locks_folder, path))
    ledger = SqliteLedger(path, commits, looks, locks, files, account=ACCOUNT)
    await ledger.open_run(a_run())
    for _ in range(2):
        with refused(LedgerLostError, "disk I/O error"):
            await commits.write(fail)
        with refused(LedgerLostError, "disk I/O error"):
            await ledger.open_run(a_run("r2"))
    assert await ledger.runs() == [a_run()]
    await to_thread.run_sync(looks.close)
    await to_thread.run_sync(commits.close)


async def test_a_cancelled_verb_is_done_or_not_begun(tmp_path: Path) -> None:
    """Between the two, its caller would not know whether a number is claimed or sent."""
    async with open_sqlite(tmp_path / "ledger.db", account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B")
        with anyio.CancelScope() as scope:
            scope.cancel()
            await ledger.conclude(run, outcomes("A", State.REJECTED), at=a_run().started_at)
        assert await ledger.counts(run) == {State.PLANNED: 2}
        done = []

        async def conclude(number: str) -> None:
            await ledger.conclude(run, outcomes(number, State.REJECTED), at=a_run().started_at)
            done.append(number)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(conclude, "A")
            tasks.start_soon(conclude, "B")
            # Both have handed their work in, or neither has, when this task runs again.
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert sorted(await _rejected(ledger)) == sorted(done) == ["A", "B"]


async def _rejected(ledger: Ledger) -> list[str]:
    run = a_run().id
    return [row.number for row in await ledger.rows(run, states=[State.REJECTED])]


async def test_a_refused_verb_does_not_harm_those_it_shares_a_commit_with(tmp_path: Path) -> None:
    """They come from other tasks, which have done nothing wrong."""
    async with open_sqlite(tmp_path / "ledger.db", account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B C D E F G H")
        at = a_run().started_at
        refused = []

        async def conclude(number: str, state: State) -> None:
            try:
                await ledger.conclude(run, outcomes(number, state), at=at)
            except Exception as error:  # noqa: BLE001 - the test wants to see any
                refused.append((number, type(error).__name__))

        async with anyio.create_task_group() as tasks:
            for number in numbers("A B C D E F G H"):
                state = State.PUSHED if number in "CF" else State.REJECTED
                tasks.start_soon(conclude, number, state)
        assert sorted(refused) == [("C", "IllegalMoveError"), ("F", "IllegalMoveError")]
        assert await ledger.counts(run) == {State.REJECTED: 6, State.PLANNED: 2}
