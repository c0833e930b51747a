"""Where the server is: connections that know the statements by name, and errors with a cure."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson
import psycopg
from anyio import to_thread
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from k3push.adapters.ledger.sql_files import sql_file, verbs_of
from k3push.adapters.ledger.sql_steps.step_connection import Columns, RunKey, StepConnection, Value
from k3push.core.model import RunId
from k3push.core.remark import remark
from k3push.ports import LedgerLostError, NoLedgerError, NoRunError

SCHEMA = "k3push"
PACKAGE = "k3push.adapters.ledger.postgres"
CONNECT_TIMEOUT_S = 10
HAS_TRANSACTION_TIMEOUT = 170_000

# A host that is gone, or cut off, answers no probe: within half a minute its locks are free.
KEEPALIVE = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

# How values are written, whatever the database's or the role's default: as they are read here.
WRITTEN = {
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
}

# What every session is told. Nobody can stop while holding locks for longer than half a minute.
# Each statement begins with a few rows and finds others by an index: a plan that was made while
# a table was small must not walk through it when it has a million rows (see `verbs.sql`).
SESSION = {
    **KEEPALIVE,
    **WRITTEN,
    "search_path": SCHEMA,
    "timezone": "UTC",
    # Who has waited for a lock sees what its holder has done, whatever the database's default.
    "default_transaction_isolation": r"read\ committed",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "30s",
    "idle_session_timeout": "0",
    "statement_timeout": "0",
    "plan_cache_mode": "force_custom_plan",
    "random_page_cost": "1.1",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_material": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

CURES = {
    "28000": remark("ledger.password"),
    "28P01": remark("ledger.password"),
    "3D000": remark("ledger.no_database"),
    "42501": remark("ledger.no_right"),
    "53100": remark("ledger.server_full"),
    "53300": remark("ledger.connections"),
    "55P03": remark("ledger.rows_locked"),
    "25006": remark("ledger.no_writes"),
    "3F000": remark("ledger.parts_missing"),
    "42P01": remark("ledger.parts_missing"),
    "42703": remark("ledger.parts_missing"),
    "42883": remark("ledger.parts_missing"),
}
"""What to do about an error, by its SQLSTATE."""

# What a server says of a user, a password or a database that it does not know, and of too many
# connections.
_TURNED_AWAY = re.compile(
    r"(role|database) \".*\" does not exist|authentication failed|not permitted to log in"
    r"|no pg_hba\.conf entry|pg_hba\.conf rejects|permission denied|CONNECT privilege"
    r"|不存在|认证失败|没有用于|不允许登录|拒绝来自|权限不够"
)
_POOLER = re.compile(r"unsupported startup parameter|pooling mode")
_FULL = re.compile(r"too many (clients|connections)|connection slots|太多(客户|连接)")


def parts_of_url(url: str) -> dict[str, Any]:
    """Return what a URL of PostgreSQL names, as libpq calls it; raises `NoLedgerError`."""
    try:
        return conninfo_to_dict(url)
    except psycopg.Error:
        # The error's words may hold the password.
        raise NoLedgerError(remark("ledger.bad_url")) from None


@dataclass(frozen=True, slots=True)
class Server:
    """A database on a server, as a URL names it.

    Attributes:
        place: The URL without its password, for people.
        address: Its host and port, the same for all databases of a server.
        options: What the URL tells each session besides, such as a role.
    """

    place: str
    address: str
    options: str
    _conninfo: str = field(repr=False)

    @classmethod
    def of(cls, url: str, password: str = "") -> Server:
        """Read a URL; *password* is used where it has none. Raises `NoLedgerError`."""
        given = parts_of_url(url)
        if password:
            given.setdefault("password", password)
        told = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
        client: dict[str, Any] = {
            "application_name": "k3push",
            "connect_timeout": CONNECT_TIMEOUT_S,
            "client_encoding": "UTF8",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
        }
        asked = given.pop("options", "") or ""
        options = f"{asked} {told}".strip()
        address = f"{given.get('host') or given.get('hostaddr') or ''}:{given.get('port') or ''}"
        conninfo = make_conninfo("", **(client | given), options=options)
        return cls(_place(given), address, asked, conninfo)

    @property
    def conninfo(self) -> str:
        """All that libpq needs, the password included."""
        return self._conninfo

    async def connect(self, account: str = "") -> Connection:
        """Open a connection for the runs of an account, outside a transaction."""
        await to_thread.run_sync(statements)  # read from the disk once
        raw = await AsyncConnection.connect(self._conninfo, autocommit=True)
        try:
            await let_last(raw)
        except BaseException:
            await raw.close()
            raise
        return Connection(raw, account)

    @contextmanager
    def lost_as_ledger(self) -> Iterator[None]:
        """Turn whatever psycopg says into `LedgerLostError`; its error stays the cause."""
        try:
            yield
        except psycopg.Error as said:
            raise self.lost(said) from said

    def lost(self, said: psycopg.Error) -> LedgerLostError:
        """Put an error of psycopg into our words: the place, what it said, the cure."""
        words = _on_one_line(said.diag.message_primary or str(said) or type(said).__name__)
        why = remark("ledger.postgres", why=words, cure=_cure(said))
        return LedgerLostError(remark("ledger.lost", place=self.place, why=why))


async def let_last(raw: AsyncConnection[Any]) -> None:
    """Let the transactions of a new session last, whatever is set for its role.

    Not one of `SESSION`: a server of before 17 refuses a session that names what it does not know.
    """
    if raw.info.server_version >= HAS_TRANSACTION_TIMEOUT:
        await raw.execute("SET transaction_timeout = 0")


def _place(given: Mapping[str, Any]) -> str:
    user = f"{given['user']}@" if given.get("user") else ""
    port = f":{given['port']}" if given.get("port") else ""
    host = given.get("host") or given.get("hostaddr") or ""
    return f"postgresql://{user}{host}{port}/{given.get('dbname') or ''}"


def _on_one_line(said: str) -> str:
    r"""Put what libpq says line by line into one, which a sentence may follow.

    What it asks people to look at is for the cure to say.

    >>> _on_one_line("it failed: Connection refused\n\tIs the server running there?\n")
    'it failed: Connection refused'
    """
    said = re.sub(r"\n\s+[^\n]*[?？](?=\s*(\n|$))", "", said)
    words = "\n".join(" ".join(line.split()) for line in said.strip().splitlines())
    words = re.sub(r"(?<![.,:;?!。，：；？！])\n(?![a-z])", ". ", words)
    return words.replace("\n", " ").rstrip(".?？")


def _cure(said: psycopg.Error) -> str:
    if said.sqlstate in CURES:
        return CURES[said.sqlstate]
    # The server's word on a connection comes without its code.
    words = str(said)
    if _FULL.search(words):
        return remark("ledger.connections")
    if _POOLER.search(words):
        return remark("ledger.before_server")
    return remark("ledger.turned_away" if _TURNED_AWAY.search(words) else "ledger.unreachable")


@cache
def account_hash(account: str) -> int:
    """Return what rows of an account are found by among those of others, in 32 bits.

    It is of no version of PostgreSQL, as its own hashes are, so that a dump may go into another.

    >>> account_hash("66e1c2")
    -1510798856
    """
    digest = hashlib.sha256(account.encode()).digest()
    return int.from_bytes(digest[:4], "big", signed=True)


def _owns_no_run(run: RunId, epoch: str) -> None:
    """Find nothing wrong."""


class Connection(StepConnection):
    """A connection that runs statements of `sql/verbs.sql` by their names.

    Attributes:
        keys: Key and scope of runs of the account that were committed when they were read;
            neither ever changes.
        check_owner: Raises if this process owned a run that another has taken over by now; it is
            given the run and its epoch, which nobody can change meanwhile (`run_locks`).
    """

    def __init__(
        self,
        connection: AsyncConnection[Any],
        account: str = "",
        check_owner: Callable[[RunId, str], None] = _owns_no_run,
        keys: dict[RunId, tuple[int, str]] | None = None,
    ) -> None:
        self._connection = connection
        self._account = account
        self.check_owner = check_owner
        self.keys = {} if keys is None else keys

    @property
    def account(self) -> str:
        """Whose runs the statements see."""
        return self._account

    def bound(
        self,
        account: str,
        check_owner: Callable[[RunId, str], None],
        keys: dict[RunId, tuple[int, str]] | None = None,
    ) -> Connection:
        """Return the same connection for the runs of an account, and of the process's owner."""
        return Connection(self._connection, account, check_owner, keys)

    async def ask(self, name: str, **values: Value) -> AsyncCursor[tuple[Any, ...]]:
        """Send a statement; in a pipeline its answer comes with the next that is waited for."""
        return await self._send(statements()[name], values)

    async def _send(self, statement: bytes, values: dict[str, Value]) -> AsyncCursor[Any]:
        values["account"] = self.account
        values["account_hash"] = account_hash(self.account)
        return await self._connection.execute(statement, values)

    async def do(self, name: str, **values: Value) -> None:
        """Send a statement whose answer nobody needs."""
        await self.ask(name, **values)

    async def do_each(
        self, name: str, each: Iterable[Mapping[str, object]], **values: Value
    ) -> None:
        """Send one statement for all of *each*, if any, with *values* in common."""
        if rows := list(each):
            await self.ask(name, each=write_each(rows), **values)

    async def inserted(self, name: str, **values: Value) -> int:
        """Run a statement that inserts a row and returns its key."""
        ((key,),) = await self.all(name, **values)
        return int(key)

    async def changed(self, name: str, **values: Value) -> int:
        """Run a statement; return how many rows it inserted, changed or deleted."""
        # In a pipeline only rows that are returned can be waited for.
        told = await self._send(statements()[name] + b" RETURNING 1", values)
        return len(await told.fetchall())

    async def all(self, name: str, **values: Value) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return await (await self.ask(name, **values)).fetchall()

    async def all_at_once(self, name: str, **values: Value) -> list[tuple[Any, ...]]:
        """Return all rows of a query; its statement returns them one by one, as `all` has them."""
        return await self.all(name, **values)

    async def one(self, name: str, **values: Value) -> tuple[Any, ...] | None:
        """Return the first row of a query."""
        return next(iter(await self.all(name, **values)), None)

    async def key_and_scope(self, run: RunId) -> tuple[int, str]:
        """Return key and scope of an existing run, without a lock; it is asked for once."""
        if (known := self.keys.get(run)) is not None:
            return known
        found = await self.one("run_key", run=run)
        if found is None:
            raise NoRunError(run)
        known = int(found[0]), str(found[1])
        self.keys[run] = known
        return known

    async def lock_run_shared(self, run: RunId) -> RunKey:
        """Lock the row of an existing run in share mode: nobody can take it over meanwhile."""
        return await self.checked(await self.ask("lock_run_shared", run=run), run)

    async def lock_run(self, run: RunId) -> RunKey:
        """Lock the row of an existing run: nobody else writes for it meanwhile."""
        return await self.checked(await self.ask("lock_run", run=run), run)

    async def checked(self, asked: AsyncCursor[Any], run: RunId) -> RunKey:
        """Read what was asked of a run that must be there, and not be another process's by now."""
        found = await asked.fetchone()
        if found is None:
            self.check_owner(run, "")
            raise NoRunError(run)
        *of_run, epoch = found
        self.check_owner(run, epoch)
        return RunKey(*of_run)

    def columns(
        self,
        table: str,  # noqa: ARG002  # each column goes by its own name
        names: tuple[str, ...],
        rows: Sequence[Sequence[str]],
    ) -> Columns:
        """Return each column of the table as a parameter of its name."""
        return {name: [row[nth] for row in rows] for nth, name in enumerate(names)}

    async def script(self, file: str) -> None:
        """Run a file of `sql/`."""
        script = await to_thread.run_sync(sql_file, PACKAGE, file)
        await self._connection.execute(script.encode())

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Do all of the block's statements or none; they travel together (a pipeline)."""
        try:
            async with self._connection.pipeline():
                await self._connection.execute("BEGIN")
                yield
                commit = await self._connection.execute("COMMIT")
            _check_commit(commit)
        except BaseException:
            if not self._connection.closed:
                with suppress(psycopg.Error):
                    await self._connection.rollback()
            raise

    @property
    def raw(self) -> AsyncConnection[Any]:
        """The connection itself."""
        return self._connection

    async def close(self) -> None:
        """Close it."""
        await self._connection.close()


@contextmanager
def cut_after(seconds: float, raw: AsyncConnection[Any]) -> Iterator[None]:
    """Cut a line once the block has taken so long: who waits for an answer learns that it is lost.

    Nothing else would tell: the system of a server whose disk hangs takes what is sent to it.
    """

    def cut() -> None:
        with suppress(OSError, psycopg.Error):
            line = socket.fromfd(raw.fileno(), socket.AF_INET, socket.SOCK_STREAM)
            with line:
                line.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(seconds, cut)
    try:
        yield
    finally:
        timer.cancel()


def _check_commit(commit: AsyncCursor[Any]) -> None:
    # COMMIT of a transaction that has failed is no error to the server, which answers ROLLBACK.
    if commit.statusmessage != "COMMIT":
        raise errors.InFailedSqlTransaction("the transaction was undone")


def is_of_the_line(said: psycopg.Error) -> bool:
    """Say whether the connection or the server went away, so that another may be tried."""
    gone = (
        errors.AdminShutdown,
        errors.CrashShutdown,
        errors.CannotConnectNow,
        errors.IdleInTransactionSessionTimeout,
    )
    if said.sqlstate is None:
        return isinstance(said, psycopg.OperationalError) and not isinstance(
            said, errors.PipelineAborted
        )
    return isinstance(said, gone) or said.sqlstate.startswith("08")


def is_of_the_moment(said: psycopg.Error) -> bool:
    """Say whether the server undid the transaction for another one's sake."""
    return isinstance(said, errors.SerializationFailure | errors.DeadlockDetected)


def write_each(rows: Iterable[Mapping[str, object]]) -> str:
    """Write many sets of values as the parameter `:each`."""
    return orjson.dumps(list(rows)).decode()


@cache
def statements() -> Mapping[str, bytes]:
    """Return the statements of the ledger, by name, as psycopg wants them."""
    return {name: as_psycopg(text).encode() for name, text in verbs_of(PACKAGE).items()}


def as_psycopg(statement: str) -> str:
    """Name the parameters of a statement as psycopg does.

    >>> as_psycopg("SELECT :run::int % 2")
    'SELECT %(run)s::int %% 2'
    """
    return re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", statement.replace("%", "%%"))
