"""The PostgreSQL ledger while its server restarts, cuts connections or cannot be trusted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import anyio
import psycopg
import pytest
from anyio import to_thread
from psycopg.conninfo import conninfo_to_dict

from k3push.adapters.ledger.postgres import database, is_there, open_postgres, version_of
from k3push.adapters.ledger.postgres.database import PACKAGE, Connection, Server, _cure
from k3push.adapters.ledger.postgres.run_locks import RunLock, RunLocks
from k3push.adapters.ledger.postgres.schema import VERSION, bring_up_to_date
from k3push.core.control_words import Command, Verb
from k3push.core.model import FolderFile, RunId, State
from k3push.core.remark import read_remark
from k3push.ports import LedgerLostError, NoLedgerError, RunIsAliveError
from tests.adapters.ledger.playing import Player
from tests.adapters.ledger.samples import (
    ACCOUNT,
    ANSWER,
    a_run,
    identified,
    intent,
    later,
    lines,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)
from tests.adapters.ledger.statements import unused_statements
from tests.fleet.test_isolation import as_role
from tests.postgres import PostgresServer
from tests.said import english, refused

pytestmark = [pytest.mark.anyio, pytest.mark.halved]


@pytest.fixture
def anyio_backend() -> str:
    """Psycopg works on asyncio."""
    return "asyncio"


IDLE = b"Z\x00\x00\x00\x05I"
"""How the answers to a transaction that was committed end."""


class Line:
    """The line to a server, which can be cut at the worst moment."""

    def __init__(self, url: str) -> None:
        given = conninfo_to_dict(url)
        self._host = str(given["host"])
        self._port = int(given.get("port") or 5432)
        self._user, self._database = given["user"], given["dbname"]
        self._tasks: list[asyncio.Task[None]] = []
        self._is_still = False
        self.at = b"COMMIT"
        self.cut = ""
        """`before` the next COMMIT reaches the server, or `after` it was answered; "": never.

        With `, still` the line is not cut there, but carries nothing any more.
        """

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[str]:
        """Listen, and give the URL of the line."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://{self._user}@127.0.0.1:{port}/{self._database}?sslmode=disable"
        server.close()
        await asyncio.gather(*self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._tasks.append(task)
        await task

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._host.startswith("/"):
            socket = f"{self._host}/.s.PGSQL.{self._port}"
            answers, server = await asyncio.open_unix_connection(socket)
        else:
            answers, server = await asyncio.open_connection(self._host, self._port)
        lost = asyncio.Event()
        back = asyncio.create_task(self._carry_back(answers, writer, lost))
        while data := await reader.read(65536):
            when, _, still = self.cut.partition(", ")
            if self.at in data and when:
                self.cut, self._is_still = "", bool(still)
                if when == "before":
                    if not still:
                        break
                    continue
                lost.set()
            server.write(data)
        server.close()
        await back

    async def _carry_back(
        self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event
    ) -> None:
        while data := await answers.read(65536):
            if not lost.is_set():
                writer.write(data)
            elif data.endswith(IDLE) and not self._is_still:
                break
        writer.close()


async def told(url: str, statement: str) -> list[tuple[object, ...]]:
    """Tell the server something, as an administrator would."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as administrator:
        cursor = await administrator.execute(statement.encode())
        return await cursor.fetchall() if cursor.description else []


async def cut_all(url: str) -> None:
    """End every session of the database but our own."""
    await told(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


async def test_a_restart_of_the_server_loses_and_doubles_nothing(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    """An upgrade at night: verbs wait until the server is back, and the run goes on."""
    names = numbers(" ".join(f"N{index}" for index in range(400)))
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        run = await planned(ledger, " ".join(names))
        restarted = asyncio.Event()

        async def push(chunk: str) -> None:
            await ledger.claim(run, numbers(chunk))
            attempt = await ledger.begin(intent(run, chunk))
            await ledger.record(attempt, ANSWER, "", outcomes(chunk, State.PUSHED), at=later(1))

        async def push_some(mine: list[str]) -> None:
            while mine and not (restarted.is_set() and len(mine) % 10):
                await push(mine.pop())

        async with ledger.own(run):
            work: list[list[str]] = [list(names[first::4]) for first in range(4)]
            async with asyncio.TaskGroup() as tasks:
                for mine in work:
                    tasks.create_task(push_some(mine))
                await to_thread.run_sync(postgres_server.restart, "immediate")
                await to_thread.run_sync(postgres_server.restart, "fast")
                restarted.set()
            for name in (name for mine in work for name in mine):
                await push(name)
            # Nobody took the run over, so its lock was taken again.
            while not await ledger.is_alive(run):  # noqa: ASYNC110  # the server tells nobody
                await asyncio.sleep(0.05)
        assert await ledger.counts(run) == {State.PUSHED: len(names)}
        assert await ledger.attempt_count(run) == len(names)
        for name in names[::40]:
            (attempt,) = await ledger.attempts_of(name)
            assert attempt.exchange == ANSWER


async def test_a_zombie_writes_nothing_more(postgres_url: str) -> None:
    """A process was paused and cut off, and another has taken its run over: it may not send."""
    run = RunId("r1")
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        await planned(ledger, "A B C")
        zombie = await to_thread.run_sync(Player, postgres_url, "sleepwalk", run)
        try:
            assert await to_thread.run_sync(zombie.line) == "ready"
            zombie.process.send_signal(signal.SIGSTOP)
            await cut_all(postgres_url)
            async with ledger.own(run):
                assert (await states(ledger, run))["A"] is State.UNKNOWN
                assert await ledger.claim(run, numbers("B")) == {}
                zombie.process.send_signal(signal.SIGCONT)
                await to_thread.run_sync(zombie.go)
                for _ in "BC":
                    assert "another process took over run r1" in await to_thread.run_sync(
                        zombie.line
                    )
                assert await ledger.attempt_count(run) == 1
                await ledger.begin(intent(run, "B"))
        finally:
            await to_thread.run_sync(zombie.process.kill)
            await to_thread.run_sync(zombie.rest)


async def test_no_verb_of_an_owner_that_was_replaced_writes(postgres_url: str) -> None:
    """It may not have noticed yet that its lock is gone: each verb sees for itself."""
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B C")
        async with ledger.own(run):
            attempt = await sent(ledger, run, "A")
            await ledger.claim(run, numbers("B"))
            command = await ledger.command(run, Command(Verb.PAUSE), at=later(1))
            # What the next owner does first.
            await told(postgres_url, "UPDATE k3push.runs SET epoch = epoch + 1")
            rows = "SELECT * FROM k3push.rows ORDER BY run, place"
            before = await told(postgres_url, rows)
            for verb in (
                ledger.claim(run, numbers("C")),
                ledger.begin(intent(run, "B")),
                ledger.record(attempt, ANSWER, "", outcomes("A", State.PUSHED), at=later(2)),
                ledger.conclude(run, outcomes("C", State.REJECTED), at=later(2)),
                ledger.identify(run, identified({number: number for number in numbers("A")})),
                ledger.add(run, lines("D")),
                ledger.close_list(run),
                ledger.take(FolderFile("/inbox", "a.csv", "00"), run),
                ledger.obeyed(command, at=later(2), on_their_way=1),
                ledger.end_run(run, 0, later(3)),
            ):
                with refused(LedgerLostError, "another process took over run r1"):
                    await verb
            assert await told(postgres_url, rows) == before
            assert await ledger.attempt_count(run) == 1


async def test_an_owner_that_was_cut_off_is_dead_to_nobody_for_long(postgres_url: str) -> None:
    """A network fails for a second: the owner takes its lock again and goes on."""
    async with (
        open_postgres(postgres_url, account=ACCOUNT) as ledger,
        open_postgres(postgres_url, account=ACCOUNT) as other,
    ):
        run = await planned(ledger, "A")
        async with ledger.own(run):
            await cut_all(postgres_url)
            await sent(ledger, run, "A")
            while not await other.is_alive(run):  # noqa: ASYNC110  # the server tells nobody
                await asyncio.sleep(0.05)
        assert not await other.is_alive(run)


SESSIONS = (
    "SELECT pid, (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = a.pid)"
    " FROM pg_stat_activity AS a WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def sessions(url: str) -> dict[object, object]:
    """Return how many runs each session of the database holds."""
    return {row[0]: row[1] for row in await told(url, SESSIONS)}


async def until_sessions_are(url: str, count: int) -> None:
    """Wait until so many are left: a server ends a session a moment after it was closed."""
    with anyio.fail_after(20):
        while len(await sessions(url)) > count:  # noqa: ASYNC110  # the server tells nobody
            await asyncio.sleep(0.05)


async def test_a_session_that_held_a_run_holds_the_next_one(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker executes thousands of short runs, and a new session costs more than one of them.

    Between two runs it holds no lock, and it does not wait for the second one for long.
    """
    async with (
        open_postgres(postgres_url, account=ACCOUNT) as ledger,
        open_postgres(postgres_url, account=ACCOUNT) as other,
    ):
        runs = [await planned(ledger, "A", name) for name in ("r1", "r2")]
        held = set()
        for run in (*runs, *runs):
            async with ledger.own(run):
                (mine,) = [pid for pid, n in (await sessions(postgres_url)).items() if n]
                held.add(mine)
                assert await other.is_alive(run)
            assert not await other.is_alive(run)
            assert (await sessions(postgres_url))[mine] == 0
            async with other.own(run):
                assert (await sessions(postgres_url))[mine] == 0
        assert len(held) == 1
    await until_sessions_are(postgres_url, 0)
    monkeypatch.setattr("k3push.adapters.ledger.postgres.run_locks.SPARE_S", 0.1)
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        async with ledger.own(runs[0]), ledger.own(runs[1]):
            assert list((await sessions(postgres_url)).values()).count(1) == 2
        await until_sessions_are(postgres_url, 1)


async def test_a_session_that_was_cut_between_two_runs_hurts_none(postgres_url: str) -> None:
    """The server was restarted in the night."""
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        for _ in range(2):
            async with ledger.own(run):
                assert await ledger.is_alive(run)
            await cut_all(postgres_url)


async def test_a_run_that_was_not_committed_is_not_remembered(postgres_url: str) -> None:
    """What a ledger remembers of runs is what its server has on disk."""
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        with pytest.raises(LookupError):
            await ledger.counts(RunId("r1"))
        assert not await ledger.is_alive(RunId("r1"))
        await planned(ledger, "A")
        assert await ledger.counts(RunId("r1")) == {State.PLANNED: 1}
        assert not await ledger.of_account("other").is_alive(RunId("r1"))
        with pytest.raises(LookupError):
            await ledger.of_account("other").counts(RunId("r1"))


@pytest.mark.parametrize("state", [State.REJECTED, State.UNKNOWN, State.PUSHED, State.PLANNED])
async def test_what_another_run_took_for_lost_meanwhile_is_recorded_as_it_ended(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, state: State
) -> None:
    """A restart of the server frees all locks, and for a moment each run looks dead to others."""
    gate, retake = asyncio.Event(), RunLocks._retake

    async def late(locks: RunLocks, lock: RunLock) -> str:
        await gate.wait()
        return await retake(locks, lock)

    monkeypatch.setattr(RunLocks, "_retake", late)
    async with (
        open_postgres(postgres_url, account=ACCOUNT) as ledger,
        open_postgres(postgres_url, account=ACCOUNT) as other,
    ):
        run = await planned(ledger, "A B")
        second = await planned(other, "A", "r2")
        async with ledger.own(run):
            attempt = await sent(ledger, run, "A B")
            await cut_all(postgres_url)
            assert set(await other.claim(second, numbers("A"))) == set(numbers("A"))
            assert (await states(ledger, run))["A"] is State.UNKNOWN
            gate.set()
            await ledger.record(attempt, ANSWER, "", outcomes("A B", state), at=later(1))
            assert await states(ledger, run) == {"A": state, "B": state}
            assert await ledger.counts(run) == {state: 2}
        held = set(await other.claim(second, numbers("A")))
        assert bool(held) is (state is State.UNKNOWN)


async def test_an_owner_that_was_cut_off_is_not_replaced_in_its_own_process(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gives the lock to whoever asks first, and it may be we that ask twice."""
    gate, retake = asyncio.Event(), RunLocks._retake

    async def late(locks: RunLocks, lock: RunLock) -> str:
        await gate.wait()
        return await retake(locks, lock)

    monkeypatch.setattr(RunLocks, "_retake", late)
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        async with ledger.own(run):
            attempt = await sent(ledger, run, "A")
            await cut_all(postgres_url)
            with pytest.raises(RunIsAliveError):
                async with ledger.own(run):
                    pass
            gate.set()
            await ledger.record(attempt, ANSWER, "", outcomes("A", State.PUSHED), at=later(1))
            while not await ledger.is_alive(run):  # noqa: ASYNC110  # the server tells nobody
                await asyncio.sleep(0.05)
        assert await ledger.counts(run) == {State.PUSHED: 1}


@pytest.mark.parametrize("when", ["before", "after", "before, still", "after, still"])
async def test_a_begin_whose_commit_was_cut_off_is_done_once(
    postgres_url: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the server knows whether it is there, so the server is asked; never is it guessed.

    A server whose disk hangs cuts no line, and answers no more.
    """
    monkeypatch.setattr("k3push.adapters.ledger.postgres.transactions.SILENCE_S", 1.0)
    line = Line(postgres_url)
    async with line() as url, open_postgres(url, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B")
        async with ledger.own(run):
            await ledger.claim(run, numbers("A B"))
            line.cut = when
            attempt = await ledger.begin(intent(run, "A"))
            assert line.cut == ""
            (kept,) = await ledger.attempts_of(numbers("A")[0])
            assert kept.attempt == attempt
            line.cut = when
            await ledger.record(attempt, ANSWER, "", outcomes("A", State.PUSHED), at=later(1))
            assert await ledger.counts(run) == {State.PUSHED: 1, State.PLANNED: 1}


async def test_a_server_that_hangs_holds_up_no_end_of_an_execution(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That its lock is free is said aloud; it is free with the connection as well."""
    monkeypatch.setattr("k3push.adapters.ledger.postgres.run_locks.GIVE_BACK_S", 0.5)
    line = Line(postgres_url)
    async with line() as url, open_postgres(url, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        with anyio.fail_after(20):
            async with ledger.own(run):
                line.at, line.cut = b"pg_advisory_unlock", "before, still"
            assert line.cut == ""
            while await ledger.is_alive(run):  # noqa: ASYNC110  # the server tells nobody
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("setting", "cure"),
    [("synchronous_commit = off", "set it to on"), ("synchronous_commit = local", "set it to on")],
)
async def test_a_server_that_may_forget_is_refused(
    postgres_url: str, setting: str, cure: str
) -> None:
    """An attempt that a power loss takes back would be sent again."""
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    await told(postgres_url, f"ALTER DATABASE {database} SET {setting}")
    with refused(LedgerLostError, cure):
        async with open_postgres(postgres_url, account=ACCOUNT):
            pass
    # `check` looks whether there is a ledger, and said that all was well as long as there was none.
    with refused(LedgerLostError, cure):
        await is_there(postgres_url)
    assert await told(postgres_url, "SELECT to_regnamespace('k3push')") == [(None,)]


STYLES = ("datestyle = 'SQL, DMY'", "intervalstyle = 'iso_8601'", "extra_float_digits = -10")


async def test_values_are_read_however_the_database_writes_them(postgres_url: str) -> None:
    """An administrator may have chosen how times are written for the eyes of people."""
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    for style in STYLES:
        await told(postgres_url, f"ALTER DATABASE {database} SET {style}")
    connection = await Server.of(postgres_url).connect()
    try:
        asked = "SELECT to_timestamp(0), interval '61 s', 1764580000.123::float8"
        found = await (await connection.raw.execute(asked.encode())).fetchall()
    finally:
        await connection.close()
    assert found == [(datetime.fromtimestamp(0, UTC), timedelta(seconds=61), 1764580000.123)]


async def test_a_transaction_lasts_whatever_is_set_for_the_role(postgres_url: str) -> None:
    """An administrator bounds what people ask, and long lists were stopped in mid-run by it.

    Servers of before version 17 have no such setting.
    """
    if (await told(postgres_url, "SELECT current_setting('transaction_timeout', true)")) == [
        (None,)
    ]:
        pytest.skip("the server has no transaction_timeout")
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    await told(postgres_url, f"ALTER DATABASE {database} SET transaction_timeout = '50ms'")
    connection = await Server.of(postgres_url).connect()
    try:
        await connection.raw.execute(b"SELECT pg_sleep(0.1)")
    finally:
        await connection.close()

    async def sleep(connection: Connection) -> int:
        await connection.raw.execute(b"SELECT pg_sleep(0.1)")
        return 7

    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        assert await ledger._transactions.read(sleep) == 7


async def test_a_session_that_cannot_be_set_up_is_closed(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executor that ended while it took its lock again left one behind."""
    opened: list[psycopg.AsyncConnection] = []

    async def cancelled(raw: psycopg.AsyncConnection) -> None:
        opened.append(raw)
        raise asyncio.CancelledError

    monkeypatch.setattr(database, "let_last", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await Server.of(postgres_url).connect()
    assert [raw.closed for raw in opened] == [True]


async def test_why_there_is_no_connection_any_more_is_told(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role was shut in the night, and people were asked whether the server is up."""
    monkeypatch.setattr("k3push.adapters.ledger.postgres.transactions.PATIENCE_S", 0.5)
    role = f"k3push_{uuid4().hex}"
    async with open_postgres(postgres_url, account=ACCOUNT):
        pass
    await told(postgres_url, f"CREATE ROLE {role} LOGIN SUPERUSER")
    try:
        async with open_postgres(as_role(postgres_url, role), account=ACCOUNT) as ledger:
            assert await ledger.runs() == []
            await told(postgres_url, f"ALTER ROLE {role} NOLOGIN")
            await cut_all(postgres_url)
            with refused(LedgerLostError, "is not permitted to log in. The server has turned"):
                await ledger.runs()
    finally:
        await told(postgres_url, f"DROP ROLE {role}")


async def test_a_ledger_is_read_while_its_server_takes_no_writes(postgres_url: str) -> None:
    """A server is shut for writes while its disk is mended, and people look how the night went."""
    async with open_postgres(postgres_url, account=ACCOUNT):
        pass
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    await told(postgres_url, f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    async with open_postgres(postgres_url, account=ACCOUNT, create=False) as ledger:
        assert await ledger.runs() == []


async def test_many_who_open_a_new_ledger_make_one(postgres_url: str) -> None:
    """Workers of all hosts start at the same second."""

    async def use(number: int) -> None:
        async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
            await ledger.open_run(a_run(f"r{number}"))

    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(use(number))
    assert await told(postgres_url, "SELECT version FROM k3push.schema_version") == [(VERSION,)]
    assert await told(postgres_url, "SELECT count(*) FROM k3push.runs") == [(6,)]


async def test_a_ledger_that_is_missing_is_not_made_by_a_look(postgres_url: str) -> None:
    """`status` on the wrong database must not look like a ledger without runs."""
    assert await version_of(postgres_url) == 0
    with refused(LedgerLostError, "there is no ledger yet"):
        async with open_postgres(postgres_url, account=ACCOUNT, create=False):
            pass
    async with open_postgres(postgres_url, account=ACCOUNT):
        assert await version_of(postgres_url) == VERSION


@pytest.mark.parametrize(
    ("statement", "because"),
    [
        ("CREATE SCHEMA k3push", "belongs to another program"),
        (
            "CREATE SCHEMA k3push CREATE VIEW schema_version AS SELECT 99 AS version",
            "written by a newer k3push",
        ),
        (
            "CREATE SCHEMA k3push CREATE TABLE schema_version (version integer)",
            "Parts of the ledger are missing",
        ),
    ],
    ids=["foreign", "newer", "put back by half"],
)
async def test_a_schema_that_is_not_ours_is_left_alone(
    postgres_url: str, statement: str, because: str
) -> None:
    """Another program's tables, or those of a version to come, are not written into."""
    await told(postgres_url, statement)
    with refused(LedgerLostError, because):
        async with open_postgres(postgres_url, account=ACCOUNT):
            pass


async def test_a_pooler_that_passes_on_no_settings_is_refused(postgres_url: str) -> None:
    """The lock of a run would be whose session its server happens to use."""
    raw = await psycopg.AsyncConnection.connect(postgres_url, autocommit=True)
    async with raw:
        with refused(NoLedgerError, "a pooler stands before the server"):
            server = Server.of(postgres_url)
            await bring_up_to_date(server, Connection(raw, ACCOUNT), create=True)


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE k3push.rows CASCADE", "ALTER TABLE k3push.rows DROP COLUMN number CASCADE"],
    ids=["table", "column"],
)
async def test_what_is_missing_in_a_ledger_is_told_as_that(
    postgres_url: str, statement: str
) -> None:
    """A backup is being put back, or a newer k3push has come: the ledger may be sound."""
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        await told(postgres_url, statement)
        with refused(LedgerLostError, "are not there for this k3push. Wait if"):
            await planned(ledger, "A")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:sesame@127.0.0.1:1/nights",
        "postgresql://me:sesame@127.0.0.1:1:2/nights",
        "postgresql://me@127.0.0.1:1/nights?password=sesame",
        "postgresql://me:sesame@[::1/nights",
    ],
)
async def test_no_error_shows_the_password(url: str) -> None:
    """Errors are logged, mailed and sent to chats."""
    with pytest.raises(LedgerLostError) as raised:
        async with open_postgres(url, account=ACCOUNT):
            pass
    assert "sesame" not in english(raised.value)
    assert "sesame" not in repr(Server.of("postgresql://me:sesame@h/d"))


async def test_every_statement_is_used() -> None:
    """A statement without a caller is a rule that nobody tests."""
    assert await to_thread.run_sync(unused_statements, PACKAGE) == []


async def test_a_view_shows_the_ledger_to_any_program(postgres_url: str) -> None:
    """A person with a database browser needs no k3push to see what became of a number."""
    async with open_postgres(postgres_url, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        await pushed(ledger, run, "A")
    shown = await told(
        postgres_url, "SELECT run, number, state, targets, chunk, sent_at FROM k3push.ledger"
    )
    assert shown == [("r1", "A", "pushed", [["id-A", "CGRK-A"]], 1, a_run().started_at)]


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ('FATAL:  role "nobody" does not exist', "ledger.turned_away"),
        ('FATAL:  password authentication failed for user "k3push"', "ledger.turned_away"),
        ("致命错误:  数据库 “d” 不存在", "ledger.turned_away"),
        ('FATAL:  pg_hba.conf rejects connection for host "127.0.0.1"', "ledger.turned_away"),
        ('FATAL:  permission denied for database "k3"', "ledger.turned_away"),
        ('致命错误:  对数据库 "k3" 权限不够', "ledger.turned_away"),
        ('root certificate file "/none/root.crt" does not exist', "ledger.unreachable"),
        ("FATAL:  sorry, too many clients already", "ledger.connections"),
        (
            "FATAL:  unsupported startup parameter in options: tcp_keepalives_idle",
            "ledger.before_server",
        ),
        ("FATAL:  the database system is shutting down", "ledger.unreachable"),
        ("connection refused. Is the server accepting TCP/IP connections?", "ledger.unreachable"),
    ],
)
async def test_a_connection_that_fails_gets_the_cure_of_its_words(said: str, cure: str) -> None:
    """The server gives no code there."""
    assert read_remark(_cure(psycopg.OperationalError(said))) == (cure, {})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            'to server at "db" failed: Connection refused\n\tIs the server running on that host?\n',
            'to server at "db" failed: Connection refused',
        ),
        (
            "a: refused\n\tIs it up?\nAll failures were:\n- a: refused\n- b: refused\n\tIs it up?",
            "a: refused. All failures were: - a: refused. - b: refused",
        ),
        (
            "server closed the line\n\tThis means that it ended\n\tbefore or while it worked.\n",
            "server closed the line. This means that it ended before or while it worked",
        ),
        ("one  line.", "one line"),
    ],
)
async def test_what_is_said_in_lines_is_told_in_sentences(said: str, told: str) -> None:
    """They were one sentence, with a capital letter in its midst."""
    lost = Server.of("postgresql://db/k3").lost(psycopg.OperationalError(said))
    assert english(lost) == f"postgresql://db/k3: {told}. Is the server up and reachable?"
