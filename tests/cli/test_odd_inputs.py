"""Whatever people, disks and hands put in: never exit 1, and never a hang.

Inputs are drawn by a fixed seed, and run through the command line in this process. What is
asserted is the same for all: the command ends soon, with an exit code that is a promise, and
without a trace. What each odd input means is told by the tests of its own part.
"""

from __future__ import annotations

import hashlib
import io
import json
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from k3push.adapters.ledger.maintenance.sql_tables import TABLES
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.cli.app import _without_globals, run
from tests.adapters.ledger.samples import lived_in
from tests.cli.terminal import Desk, Sandbox

PATIENCE_S = 20

NOWHERE = "http://127.0.0.1:9/K3Cloud/"

JOB = "单据编号\nCGDD0000001\nCGDD0000002\n"


class HangError(BaseException):
    """A command did not end; no handler of exceptions may take it for something else."""


@contextmanager
def watched(arguments: Sequence[str]) -> Iterator[None]:
    """End what hangs."""

    def hang(*_: object) -> None:
        raise HangError(arguments)

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(PATIENCE_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def ends_well(*arguments: str) -> int:
    """Run a command, and see that it ends as it should; return its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with watched(arguments), redirect_stdout(out), redirect_stderr(err):
        code = run(_without_globals(arguments), "en")
    said = err.getvalue()
    assert code in {0, 2, 3, 4, 5, 6}, (arguments, code, said)
    assert "Traceback" not in said, (arguments, said)
    assert code == 0 or said or out.getvalue(), (arguments, code, "without a word")
    return code


def drawn(count: int, check: Callable[..., None], *strategies: st.SearchStrategy[Any]) -> None:
    """Check so many examples, the same every time."""
    # Examples are small as they are, and to shrink one that hangs would take hours.
    phases = (Phase.explicit, Phase.generate)
    settings(max_examples=count, phases=phases)(given(*strategies)(check))()


pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGALRM"), reason="a hang is ended by a signal that Windows lacks"
)


@pytest.fixture(autouse=True)
def _nobody_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))


@pytest.fixture
def here(desk: Desk, cleared: pytest.MonkeyPatch) -> Desk:
    """A desk with a list and a configuration whose ERP is nowhere."""
    cleared.chdir(desk.folder)
    desk.configure(NOWHERE).write("orders.csv", JOB)
    return desk


# -- settings --------------------------------------------------------------------------------------

ODD_VALUES = st.sampled_from(
    [
        "0",
        "-1",
        "0.0",
        "1e-300",
        "1e308",
        "nan",
        "-inf",
        "true",
        "''",
        "' '",
        "'x'",
        "'auto'",
        "'..'",
        "'/'",
        "'/dev/null'",
        '"a\\u0000b"',
        '"a\\nb"',
        '"a\\u001b[31m"',
        '"\\U0010ffff"',
        "'采购\u200b'",
        f"'{'x' * 300}'",
        f"'{'9' * 100_000}'",
        "9223372036854775807",
        "9223372036854775808",
        "0x" + "f" * 5000,
        "9" * 5000,
        "[]",
        "['a', 1]",
        "[" * 40 + "]" * 40,
        "[" * 3000 + "]" * 3000,
        "{}",
        "{ a = { b = 1 } }",
        "{ env = 'NOT_SET' }",
        '{ file = "a\\u0000b" }',
        "{ file = '.' }",
        "{ file = '/dev/null' }",
        "{ command = ['k3push-none'] }",
        '{ command = ["a\\u0000b"] }',
        "{ command = ['false'] }",
        "{ keyring = 'x' }",
        "2026-01-01",
        "07:32:00",
        "'http://x..y'",
        f"'http://{'a' * 300}.com/'",
        "'http://256.1.1.1/'",
        "'http://[::1'",
        "'http://[fe80::1%25]/'",
        "'http://\u2603.com/'",
        "'http://xn--a/'",
        "'http://-a.com/'",
        "'http://a:0/'",
        "'http://a:99999/'",
        "'http://127.0.0.1:9/%zz%00/'",
        "'https://127.0.0.1:9/'",
        "'sqlite:///'",
        "'sqlite:///.'",
        "'sqlite:////'",
        "'sqlite:///orders.csv'",
        "'sqlite:///config.toml/x'",
        f"'sqlite:///{'x' * 300}'",
        "'sqlite:///a?b#c%00'",
        "'postgresql://127.0.0.1:9/x?connect_timeout=1'",
        "'postgresql://h/d?nonsense=1'",
        "'postgresql://[/d'",
        "'20:00-06:00'",
        "'24:00-00:00'",
        "'fail=999999999999%'",
        f"'fail={'9' * 5000}'",
        "'unknown=1,now,soon'",
    ]
)
KEYS = st.sampled_from(
    [
        *("url", "acct_id", "username", "password", "connect_timeout_s", "answer_timeout_s"),
        *("halt", "first_wait_s", "poll_s", "window_s", "source", "target", "rule"),
        *("erp:auth", "erp:app_id", "erp:app_secret", "erp:org_num", "erp:encoding"),
        *("erp:verify", "erp:lcid", "erp:identities", "ledger:url", "ledger:password"),
        *("run:chunk_size", "run:concurrency", "run:max_attempts", "run:canary", "run:window"),
        *("run:max_calls_per_minute", "notify:urls", "notify:on", "metrics:textfile"),
        *("metrics:otlp", "serve:password", "serve:hosts", "serve:trusted_proxies"),
        *("routes.po-instock:custom_params", "routes.po-instock:target_org_id"),
        *("routes.po-instock:source_number_field", "routes.po-instock:follow", "fleet:database"),
        *("schedules.x:cron", "schedules.x:time_zone", "schedules.x:jobs", "x:y", "routes:x"),
    ]
)
AUTHS = st.sampled_from(["password", "app_secret", "sign", "signature"])


def with_key(text: str, key: str, value: str) -> str:
    """Return a configuration with another value for a key, `SECTION:KEY` where it lacks it."""
    if ":" not in key:
        lines = [f"{key} = {value}" if x.startswith(f"{key} =") else x for x in text.splitlines()]
        return "\n".join(lines)
    section, _, key = key.partition(":")
    header = f"[{section}]"
    if header in text:
        return text.replace(header, f"{header}\n{key} = {value}")
    return f"{text}\n{header}\n{key} = {value}\n"


def test_odd_settings(here: Desk) -> None:
    """Each is a fault of its key, or means something."""
    good = (here.folder / "config.toml").read_text("utf-8")

    def check(changes: Sequence[tuple[str, str]], auth: str, command: tuple[str, ...]) -> None:
        text = good
        for key, value in changes:
            text = with_key(text, key, value)
        if auth != "password" and "auth = " not in text:
            secrets = f"auth = '{auth}'\napp_id = 'a_QUJD'\napp_secret = 's'"
            text = text.replace("[erp]", f"[erp]\n{secrets}")
        here.write("config.toml", text.encode("utf-8", "surrogatepass"))
        ends_well(*command)

    commands = st.sampled_from([("resume",), ("check",), ("status",), ("ledger", "check")])
    changes = st.lists(st.tuples(KEYS, ODD_VALUES), min_size=1, max_size=2)
    drawn(EXAMPLES["settings"], check, changes, AUTHS, commands)


@pytest.mark.usefixtures("here")
def test_odd_variables(cleared: pytest.MonkeyPatch) -> None:
    """The environment overrides the file, and holds whatever a unit or a shell puts there."""

    def check(name: str, value: str) -> None:
        with cleared.context() as patched:
            patched.setenv(name, value)
            ends_well("run", "orders.csv", "--yes")

    names = st.sampled_from(
        [
            *("K3PUSH_ERP__URL", "K3PUSH_ERP", "K3PUSH___", "K3PUSH_ERP__URL__X", "K3PUSH_X__Y"),
            *("K3PUSH_RUN__CHUNK_SIZE", "K3PUSH_SETTLE__WINDOW_S", "K3PUSH_ROUTES__PO_INSTOCK"),
            *("K3PUSH_ERP__IDENTITIES", "K3PUSH_LEDGER__URL", "K3PUSH_NOTIFY__URLS"),
            "K3PUSH_ROUTES__PO_INSTOCK__TARGET_ORG_ID",
            *("http_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "LANG", "HOME"),
        ]
    )
    values = st.sampled_from(
        [
            *("", " ", "x", "0", "-1", "[", "{", "[]", "{}", "[1]", '{"a": 1}', "[" * 5000),
            *("a\udcff", "9" * 5000, "http://x..y", "socks5://127.0.0.1:1", "://", "http://[::1"),
            *("x:y:z", "http://u:p@h:1", "postgres://", "sqlite:///\udcff", "*", ",,", "\u200b"),
        ]
    )
    drawn(EXAMPLES["variables"], check, names, values)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"\0", b"\xef\xbb\xbf", b"[erp", b"a=" * 1000, b"[" * 9000, b"a." * 9000],
)
def test_odd_configurations(here: Desk, content: bytes) -> None:
    """A file of another kind, or half of one."""
    here.write("config.toml", content)
    assert ends_well("status") == 2


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "name", [".", "", "/dev/zero", "x" * 300, "no/such", "orders.csv/x", "a\0"]
)
def test_odd_names_of_the_configuration(name: str) -> None:
    """A folder, a device without end, a name that no disk takes."""
    for command in ("status", "check", "resume"):
        assert ends_well(command, "--config", name) == 2


# -- arguments -------------------------------------------------------------------------------------

COMMANDS = (
    ("plan", "orders.csv"),
    ("run", "orders.csv"),
    ("run", "-"),
    ("run", "--yes"),
    ("apply", "a.plan.jsonl"),
    ("resume",),
    ("retry",),
    ("settle",),
    ("settle", "--as", "absent", "--because", "x"),
    ("control", "pause"),
    ("control",),
    ("status",),
    ("runs",),
    ("explain",),
    ("report",),
    ("export",),
    ("check",),
    ("init",),
    ("login", "set"),
    ("schedule", "orders.csv", "--for", "cron"),
    ("schedule", "orders.csv", "--for", "systemd", "--at", "20:00"),
    ("ledger", "check"),
    ("ledger", "migrate"),
    ("ledger", "copy", "config"),
    ("enqueue", "orders.csv"),
    ("fleet", "status"),
    (),
)
OPTIONS = (
    *("--config", "--route", "--column", "--sheet", "--chunk-size", "--concurrency", "--halt"),
    *("--until", "--max-duration", "--limit", "--log-file", "--output", "-o", "--format"),
    *("--state", "--reason", "--because", "--overlap", "--at", "--for", "--lang", "--port"),
    *("--tenants", "--tenant", "--slices", "--name", "--seed", "--nonsense", ""),
)
ODD_WORDS = (
    *("", " ", ".", "..", "/", "-", "--", "~", "*", "0", "-1", "1", "auto", "99999999999999999999"),
    *("0s", "1s", "99999999999h", "9h9m9s", "²s", "24:00", "23:59", "١٢:٠٠", "fail=1", "now,soon"),
    *("a\0b", "a\udcffb", "x" * 300, "x" * 5000, "采购\u200b", "a\nb", "\x1b[31m", "'\"", "{}"),
    *("orders.csv", "config.toml", "ledger.db", "/dev/null", "/dev/full", "/dev/zero"),
    *("no/such/file", "orders.csv/x", "sqlite:///x.db", "sqlite:///", "sqlite:///orders.csv"),
    *("postgresql://127.0.0.1:9/x", "set", "set concurrency=999", "pause", "pushed", "csv", "fr"),
    *("١٢", "1e3", "1_0", "0x10", "+5", "nan", "[red]x[/]", "%s{0}", "C:\\x", "a" + "/" * 300),
)


def test_odd_arguments(here: Desk) -> None:
    """Each command with options that are its own or not, and values that are none."""
    words = st.sampled_from(ODD_WORDS)

    def check(
        command: tuple[str, ...], options: Sequence[tuple[str, str]], rest: Sequence[str]
    ) -> None:
        given_options = [part for option in options for part in option if part or option[0]]
        here.write("config.toml", config)
        with suppress(OSError):
            (here.folder / "ledger.db").unlink()
        ends_well(*command, *given_options, *rest)

    config = (here.folder / "config.toml").read_bytes()
    drawn(
        EXAMPLES["arguments"],
        check,
        st.sampled_from(COMMANDS),
        st.lists(st.tuples(st.sampled_from(OPTIONS), words), max_size=2),
        st.lists(words, max_size=2),
    )


# -- lists -----------------------------------------------------------------------------------------


def test_odd_lists(here: Desk) -> None:
    """Bytes of any kind under any name."""

    def check(name: str, content: bytes) -> None:
        here.write(name, content)
        ends_well("run", name, "--limit", "1")
        (here.folder / name).unlink()

    names = st.sampled_from(["a.csv", "a.json", "a.jsonl", "a.xlsx", "a.tsv", "a", "采购.csv"])
    pieces = st.sampled_from(
        [
            *(
                b"number",
                b"\xef\xbb\xbf",
                b"\xff\xfe",
                b"\n",
                b"\r",
                b'"',
                b",",
                b";",
                b"\0",
                b"A1",
            ),
            *(b"[", b"]", b"{", b"}", b":", b'"number"', b'"\\ud800"', b"null", b"1e999999", b"-0"),
            *(b"9" * 5000, b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x80", "单号".encode("gb18030")),
            *(b"sep=;", b"route", b"po-instock", b"x" * 200_000, b"[" * 500, b"\x1b[31m"),
        ]
    )
    contents = st.lists(pieces, max_size=8).map(b"".join) | st.binary(max_size=60)
    drawn(EXAMPLES["lists"], check, names, contents)


# -- plans -----------------------------------------------------------------------------------------

ODD_JSON: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, 0, -1, 1.5, 1e300, 2**63 - 1, 10**30, "", "x", "\0", "\u200b", "../../x"),
        *("2026-13-45", "2026-01-01", "9" * 100, [], {}, [[]], ["x"], [None], {"a": {"b": []}}),
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where every value of some JSON is."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            found += places(value[key], (*path, key))
    return found


def resealed(lines: Sequence[Any]) -> bytes:
    """Return a plan of these lines with the digest that binds it."""
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    return body + json.dumps({"sha256": hashlib.sha256(body).hexdigest()}).encode() + b"\n"


def test_odd_plans(here: Desk, own_sandbox: Sandbox) -> None:
    """Resealed by hand, with something else in any of its places, or a line more or less."""
    here.configure(own_sandbox.url)
    assert ends_well("plan", "orders.csv", "-o", "good.plan.jsonl") == 0
    good = (here.folder / "good.plan.jsonl").read_text("utf-8").splitlines()[:-1]

    def check(data: st.DataObject) -> None:
        lines = [json.loads(line) for line in good]
        for _ in range(data.draw(st.integers(1, 2))):
            path = data.draw(st.sampled_from(places(lines)))
            value: Any = lines
            for key in path[:-1]:
                value = value[key]
            match data.draw(st.sampled_from(["change", "remove", "add"])):
                case "remove":
                    del value[path[-1]]
                case "add" if isinstance(value, list):
                    value.insert(path[-1], value[path[-1]])
                case _:
                    value[path[-1]] = data.draw(ODD_JSON)
            if not places(lines):
                break
        here.write("a.plan.jsonl", resealed(lines))
        ends_well("apply", "a.plan.jsonl", "--limit", "1")

    drawn(EXAMPLES["plans"], check, st.data())


# -- ledgers ---------------------------------------------------------------------------------------

LOOKS = (
    ("status",),
    ("status", "r1"),
    ("runs",),
    ("explain", "A"),
    ("explain", "C"),
    ("export", "--output", "all.csv"),
    ("export", "--output", "all.xlsx", "--state", "pushed"),
    ("report", "--output", "night.html"),
    ("ledger", "check"),
    ("ledger", "migrate"),
)
MOVES = (
    ("resume", "--max-duration", "1s"),
    ("retry", "--max-duration", "1s"),
    ("settle", "--as", "pushed", "C", "--because", "x"),
    ("control", "r1", "pause"),
    ("run", "orders.csv", "--limit", "1"),
    ("plan", "orders.csv"),
    ("ledger", "copy", "config", "sqlite:///copy.db"),
)
ODD_CELLS = st.sampled_from(
    [
        *(None, "", "x", -1, 0, 2**62, 1.5, b"", b"\x00\xff", "[]", "{}", "null", "[1]", "[[1]]"),
        *('{"name": "po-instock"}', "9" * 30, "2024-13-45", "2024-01-01", "pushed", "sent", "\0"),
        *("[" * 2000, b"x\x9c\x03\x00\x00\x00\x00\x01", "A", "r1", "po\x1b[31m"),
    ]
)
SCOPE = "sandbox|PUR_PurchaseOrder|PUR_PurchaseOrder-STK_InStock"
ROUTE = {
    "name": "po-instock",
    "source": "PUR_PurchaseOrder",
    "target": "STK_InStock",
    "rule": "PUR_PurchaseOrder-STK_InStock",
    "source_number_field": "FSRCBillNo",
}


def lived_in_file(path: Path) -> bytes:
    """Return a ledger with something in each of its tables, whose runs the settings know."""

    async def live() -> None:
        async with open_sqlite(path, account="s") as ledger:
            await lived_in(ledger)

    anyio.run(live)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE runs SET account = ?, scope = ?, route = ?",
            (SCOPE.partition("|")[0], SCOPE, json.dumps(ROUTE)),
        )
        connection.execute("UPDATE claims SET scope = ? WHERE run = 2", (SCOPE,))
        connection.execute("UPDATE paces SET scope = ?", (SCOPE,))
        connection.commit()
    return path.read_bytes()


def spoil(path: Path, table: str, column: str, row: int, value: object) -> None:
    """Change a cell behind the ledger's back, as far as SQLite itself allows it."""
    with closing(sqlite3.connect(path)) as connection, suppress(sqlite3.Error):
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        (key,) = connection.execute(
            f"SELECT {column} FROM {table} LIMIT 1 OFFSET ?",  # noqa: S608  # names of ours
            (row,),
        ).fetchone() or (None,)
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE {column} IS ?",  # noqa: S608  # as above
            (value, key),
        )
        connection.commit()


def fresh(folder: Path, content: bytes) -> Path:
    """Lay a ledger out anew, without what the last one left beside it."""
    for old in folder.glob("ledger.db*"):
        if old.is_file():
            old.unlink()
    for old in folder.glob("copy.db*"):
        if old.is_file():
            old.unlink()
    path = folder / "ledger.db"
    path.write_bytes(content)
    return path


COLUMNS = [(table.name, column) for table in TABLES for column in table.columns]
COLUMNS += [("tallies", "state"), ("tallies", "n"), ("runs", "attempts")]


def test_ledgers_that_a_hand_has_changed(here: Desk, own_sandbox: Sandbox) -> None:
    """Any cell may hold anything; `ledger check` says so, and no command falls over it."""
    here.configure(own_sandbox.url)
    content = lived_in_file(here.folder / "ledger.db")

    def check(
        place: tuple[str, str], row: int, value: object, looks: list[Any], move: tuple[str, ...]
    ) -> None:
        path = fresh(here.folder, content)
        spoil(path, *place, row, value)
        for command in (*looks, move, ("ledger", "check")):
            ends_well(*command)

    looks = st.lists(st.sampled_from(LOOKS), max_size=2)
    drawn(
        EXAMPLES["cells"],
        check,
        st.sampled_from(COLUMNS),
        st.integers(0, 7),
        ODD_CELLS,
        looks,
        st.sampled_from(MOVES),
    )


def test_ledgers_with_flipped_bytes(here: Desk, own_sandbox: Sandbox) -> None:
    """A disk that rots; SQLite itself, or what reads its cells, finds it."""
    here.configure(own_sandbox.url)
    content = lived_in_file(here.folder / "ledger.db")

    def check(flips: Sequence[tuple[int, int]], cut: int, command: tuple[str, ...]) -> None:
        spoiled = bytearray(content)
        for place, byte in flips:
            spoiled[place % len(spoiled)] ^= byte
        fresh(here.folder, bytes(spoiled[: len(spoiled) - cut]))
        ends_well(*command)
        ends_well("ledger", "check")

    flips = st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=40)
    cuts = st.sampled_from([0, 0, 0, 1, 4096, len(content) - 100])
    drawn(EXAMPLES["flips"], check, flips, cuts, st.sampled_from((*LOOKS, *MOVES)))


@pytest.mark.parametrize("what", ["gone", "a file", "read-only"])
def test_a_folder_of_locks_that_is_not_as_it_was(here: Desk, what: str) -> None:
    """Somebody tidies up."""
    lived_in_file(here.folder / "ledger.db")
    locks = here.folder / "ledger.db-locks"
    for file in locks.iterdir():
        file.unlink()
    if what == "read-only":
        locks.chmod(0o500)
    else:
        locks.rmdir()
    if what == "a file":
        locks.write_text("")
    for command in (*LOOKS, *MOVES):
        ends_well(*command)
    locks.chmod(0o700)


# -- as processes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox for the tests of this module, in which it does not matter what is pushed."""
    with Sandbox(tmp_path_factory.mktemp("own")) as sandbox:
        yield sandbox


# Each part takes a few seconds.
EXAMPLES = {
    "settings": 180,
    "variables": 50,
    "arguments": 300,
    "lists": 60,
    "plans": 80,
    "cells": 60,
    "flips": 60,
}
