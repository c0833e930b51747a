"""A role for each tenant: the database itself keeps one from another's rows."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from k3push.adapters.ledger.postgres import open_postgres
from k3push.adapters.ledger.postgres.database import Server
from k3push.cli.actions.init_tenant import print_sql
from k3push.core.model import BillNumber, Intent, Listed, Outcome, State
from k3push.fleet.isolation import SHARED, WHOSE, isolation_sql
from k3push.fleet.queue_database import end_sessions
from k3push.ports import LedgerLostError, NoLedgerError
from k3push.words.language import speaker
from tests.adapters.ledger.samples import ANSWER, NOON, UPTIME, a_run, identified
from tests.fleet.crew import tenant

pytestmark = pytest.mark.anyio


def session(url: str, role: str = "") -> psycopg.Connection[tuple[object, ...]]:
    """Connect, as a role where one is named."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if role:
        url = urlunsplit(parts._replace(netloc=f"{role}@{host}"))
    return psycopg.connect(url, autocommit=True, options="-c search_path=k3push")


def as_role(url: str, role: str) -> str:
    """Return the URL of a database for a role."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture
async def roles(postgres_url: str) -> tuple[str, str]:
    """Make roles for the accounts `a` and `b`, and return their names."""
    async with open_postgres(postgres_url, account=""):
        pass
    names = f"a_{uuid4().hex[:8]}", f"b_{uuid4().hex[:8]}"
    database = urlsplit(postgres_url).path[1:]
    with session(postgres_url) as owner:
        for role, account in zip(names, "ab", strict=True):
            for _ in range(2):  # it may be run again
                owner.execute(isolation_sql(role, account, database).encode())
    return names


async def test_every_table_of_a_ledger_is_bound(postgres_url: str) -> None:
    """A table that is added later must say whose its rows are."""
    async with open_postgres(postgres_url, account=""):
        pass
    with session(postgres_url) as owner:
        found = owner.execute(
            "SELECT relname FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'k3push'::regnamespace"
        ).fetchall()
    assert {str(row[0]) for row in found} == {*WHOSE, *SHARED}


async def test_a_role_pushes_for_its_account_and_sees_no_other(
    postgres_url: str, roles: tuple[str, str]
) -> None:
    """All that a run needs is granted, and what another's SQL asks for is not there."""
    for role, account in zip(roles, "ab", strict=True):
        async with open_postgres(as_role(postgres_url, role), account=account) as ledger:
            run = a_run(f"run-{account}", f"{account}|po|in")
            await ledger.open_run(run)
            await ledger.add(run.id, [Listed(2, BillNumber("A1"))])
            async with ledger.own(run.id):
                await ledger.close_list(run.id)
                bill = BillNumber("A1")
                await ledger.identify(run.id, identified({bill: bill}))
                await ledger.claim(run.id, [BillNumber("A1")])
                intent = Intent(run.id, 1, 1, (BillNumber("A1"),), {}, b"{}", NOON, UPTIME)
                attempt = await ledger.begin(intent)
                done = Outcome(BillNumber("A1"), State.REJECTED, code="x", reason="y")
                await ledger.record(attempt, ANSWER, "z", [done], at=NOON)
                await ledger.end_run(run.id, 3, NOON)
            assert [each.id for each in await ledger.runs()] == [run.id]
            assert await ledger.counts(run.id) == {State.REJECTED: 1}
    with session(postgres_url, roles[0]) as hostile:
        for table in WHOSE:
            mine = hostile.execute(f"TABLE {table}".encode()).fetchall()
            with session(postgres_url) as owner:
                every = owner.execute(f"TABLE {table}".encode()).fetchall()
            assert len(mine) * 2 == len(every), table
        assert hostile.execute("SELECT account FROM runs").fetchall() == [("a",)]
        assert hostile.execute("UPDATE rows SET state = 'pushed'").rowcount == 1
        with pytest.raises(errors.InsufficientPrivilege):
            hostile.execute("UPDATE runs SET account = 'b'")
        with session(postgres_url) as owner:
            ((others,),) = owner.execute("SELECT max(id) FROM attempts").fetchall()
        with pytest.raises(errors.InsufficientPrivilege):
            hostile.execute("INSERT INTO carried VALUES ('B1', %s)", (others,))
        with pytest.raises(errors.InsufficientPrivilege):
            hostile.execute("INSERT INTO role_accounts VALUES (current_user, 'b')")
        # Nor is it told which account another's role is bound to.
        told = hostile.execute("SELECT accounts_of(%s), accounts_of(current_user)", (roles[1],))
        assert told.fetchall() == [([], ["a"])]
    with session(postgres_url) as owner:
        assert owner.execute("SELECT state FROM rows ORDER BY run").fetchall() == [
            ("pushed",),
            ("rejected",),
        ]


async def test_no_role_can_say_that_anothers_transaction_was_committed(
    postgres_url: str, roles: tuple[str, str]
) -> None:
    """Who has lost its connection while it committed believes what stands in its slot."""
    async with open_postgres(as_role(postgres_url, roles[1]), account="b") as ledger:
        await ledger.open_run(a_run("run-b", "b|po|in"))
        with session(postgres_url, roles[0]) as hostile:
            assert hostile.execute("TABLE signatures").fetchall() == []
            assert hostile.execute("UPDATE signatures SET nth = nth + 1").rowcount == 0
            with session(postgres_url) as owner:
                ((slot, nth),) = owner.execute("SELECT slot, nth FROM signatures").fetchall()
            with pytest.raises(errors.InsufficientPrivilege):
                hostile.execute("INSERT INTO signatures VALUES (%s, 9)", (f"x {roles[1]}",))
        # A process of an older version, which says nothing of its role, goes on beside newer ones.
        with session(postgres_url, roles[1]) as older:
            older.execute("INSERT INTO signatures VALUES ('older', 1)")
        assert (str(slot).partition(" ")[2], nth) == (roles[1], 1)


async def test_a_role_ends_its_own_sessions_of_a_paused_worker(
    postgres_url: str, roles: tuple[str, str]
) -> None:
    """Those of other tenants stood in the way, so what a paused worker had was its for ever."""
    worker = f"k3push-{uuid4().hex}"
    with session(postgres_url, roles[0]) as own, session(postgres_url, roles[1]) as others:
        for each in (own, others):
            each.execute("SELECT set_config('application_name', %s, false)", (worker,))
        await end_sessions(Server.of(as_role(postgres_url, roles[0])), worker)
        with pytest.raises(psycopg.OperationalError):
            own.execute("SELECT 1")
        others.execute("SELECT 1")


async def test_a_wrong_account_in_a_tenants_file_reaches_nothing(
    postgres_url: str, roles: tuple[str, str]
) -> None:
    """A slip of the hand in the settings is stopped by the database."""
    async with open_postgres(as_role(postgres_url, roles[0]), account="b") as ledger:
        with pytest.raises(LedgerLostError):
            await ledger.open_run(a_run("run-x", "b|po|in"))
        assert await ledger.runs() == []


@pytest.mark.parametrize("account", ["64f0", "it's", 'x"; DROP TABLE runs; --', "a\\'b"])
async def test_names_are_quoted(postgres_url: str, account: str) -> None:
    """An account's id and a file's name are texts, whatever is in them."""
    async with open_postgres(postgres_url, account=""):
        pass
    role = f'k3push_"{uuid4().hex[:6]}; --'
    database = urlsplit(postgres_url).path[1:]
    with session(postgres_url) as owner:
        owner.execute(isolation_sql(role, account, database).encode())
        assert owner.execute("SELECT role, account FROM role_accounts").fetchall() == [
            (role, account)
        ]


def test_the_command_prints_the_sql(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is to be run stands on standard output alone."""
    tenant(tmp_path, postgres_url)
    assert print_sql(tmp_path, "acme", None, speaker("en")) == 0
    told = capsys.readouterr()
    assert told.out == isolation_sql("k3push_acme", "64f0", urlsplit(postgres_url).path[1:])
    assert "k3push_acme a password" in told.err


@pytest.mark.parametrize("password", ["S3CR%ET", "S3CR ET"])
def test_a_url_that_cannot_be_read_is_told_without_its_password(
    tmp_path: Path, password: str
) -> None:
    """The words of the library hold it."""
    tenant(tmp_path, f"postgresql://me:{password}@127.0.0.1:29999/db")
    with pytest.raises(NoLedgerError, match=r"ledger\.bad_url") as told:
        print_sql(tmp_path, "acme", None, speaker("en"))
    assert told.value.__cause__ is None
    assert "S3CR" not in str(told.value)


async def test_a_role_that_finds_an_older_schema_says_who_can_mend_it(
    postgres_url: str, roles: tuple[str, str]
) -> None:
    """To be given more rights would help nobody: the tables are another's."""
    with session(postgres_url) as owner:
        owner.execute("UPDATE schema_version SET version = version - 1")
    with pytest.raises(NoLedgerError, match=r"ledger\.not_owner"):
        async with open_postgres(as_role(postgres_url, roles[0]), account="a"):
            pass


async def test_a_role_learns_that_its_ledger_was_put_back_and_writes_down_no_place(
    postgres_url: str, roles: tuple[str, str]
) -> None:
    """Whoever could write down the place to come would take the wait after a move from others."""
    async with open_postgres(as_role(postgres_url, roles[0]), account="a") as ledger:
        assert await ledger.moved_at(NOON) is None
    with session(postgres_url) as owner:
        owner.execute("UPDATE places SET place = 'where it was before'")
    async with open_postgres(as_role(postgres_url, roles[1]), account="b") as ledger:
        assert await ledger.moved_at(NOON) is not None
    for statement in ("INSERT INTO places VALUES ('to come')", "DELETE FROM places"):
        with (
            session(postgres_url, roles[0]) as tenants,
            pytest.raises(errors.InsufficientPrivilege),
        ):
            tenants.execute(statement.encode())
