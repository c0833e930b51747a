"""What a chunk and a start cost, counted and not timed, so that no slow machine can fail these."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from k3push.adapters.ledger.sql_steps.step_connection import Value
from k3push.adapters.ledger.sqlite import SqliteLedger, migrate
from k3push.adapters.ledger.sqlite.connections import Connection
from k3push.adapters.ledger.sqlite.files_beside import locks_folder
from k3push.adapters.ledger.sqlite.group_commit import GroupCommit, Reader
from k3push.adapters.ledger.sqlite.opening import connect
from k3push.adapters.ledger.sqlite.run_locks import RunLocks
from k3push.adapters.ledger.sqlite.same_files import SameFiles
from k3push.core.model import BillNumber, Listed, State
from k3push.runs.push_limits import PushLimits
from k3push.simulator.fault_plans.script import Channel
from tests.cli.terminal import Desk
from tests.runs.office import FIRST, Office, orders, sandbox, steered

NUMBERS = 1000
LISTED = [Listed(line, BillNumber(number)) for line, number in enumerate(orders(NUMBERS), start=2)]

MOST_STATEMENTS = 18
# What a form is asked besides, until pages of the size that chunks have are known to be whole.
MOST_TO_PROVE_PAGES = 4
MOST_BYTES = 330
# Three commits, and two looks at what answers have named, which programs and pages ask for too.
MOST_THREADS = 5

# What is imported before a command acts, Python's own modules included.
MOST_MODULES = {"--help": 180, "status": 657, "run orders.csv": 918}
NEVER = {"keyring", "apprise", "pyarrow", "k3push.simulator"}
NOT_FOR = {
    "--help": {"anyio", "httpx", "jinja2", "orjson", "pydantic", "rich", "sqlite3"},
    "status": {"jinja2"},
}


class Counted(Connection):
    """Counts the statements that it runs."""

    def __init__(self, path: Path, said: Counter[str]) -> None:
        super().__init__(path, "rw")
        self.script("write.sql")
        self._said = said

    def execute(self, name: str, values: Mapping[str, Value]) -> sqlite3.Cursor:
        """Count a statement."""
        self._said[name] += 1
        return super().execute(name, values)


@asynccontextmanager
async def counting(path: Path, said: Counter[str], account: str) -> AsyncIterator[SqliteLedger]:
    """Open a SQLite ledger that counts what it writes."""
    writer, reader = await to_thread.run_sync(lambda: connect(path, create=True))
    await to_thread.run_sync(writer.close)
    commits = GroupCommit(path, await to_thread.run_sync(Counted, path, said))
    try:
        locks = RunLocks(await to_thread.run_sync(locks_folder, path))
        await to_thread.run_sync(reader.all, "user_version")  # what is new has a file by now
        files = await to_thread.run_sync(SameFiles, path)
        looks = Reader(path, reader, files.check)
        yield SqliteLedger(path, commits, looks, locks, files, account=account)
    finally:
        await to_thread.run_sync(reader.close)
        await to_thread.run_sync(commits.close)


async def _pushed(path: Path, size: int) -> tuple[Office, Counter[str]]:
    """Push the list, one chunk after the other, and count the statements that write."""
    said: Counter[str] = Counter()
    office = Office(sandbox(orders=NUMBERS))
    await office.open_run(())
    run = await office.store.run(FIRST)
    assert run is not None
    async with counting(path, said, run.account) as ledger:
        await ledger.open_run(run)
        await ledger.add(FIRST, LISTED)
        said.clear()
        await office.execute(
            ledger=ledger,
            limits=PushLimits(canary=False),
            throttle=steered(concurrency=1, chunk_size=size),
            check=False,
        )
        assert await ledger.counts(FIRST) == {State.PUSHED: NUMBERS}
    return office, said


def pushed(path: Path, size: int) -> tuple[Office, Counter[str]]:
    """Push the list on real time, since SQLite's threads know no other."""
    return anyio.run(_pushed, path, size)


def test_a_chunk_takes_three_looks_and_one_push(tmp_path: Path) -> None:
    """By field and links before it, by field after it; a look at the sources serves a hundred."""
    office, _ = pushed(tmp_path / "ledger.db", 50)
    assert office.site.calls[Channel.PUSH] == 20
    looks = 3 * 20 + NUMBERS // 100
    asked = office.site.calls[Channel.QUERY] + office.site.calls[Channel.PAGE]
    assert looks <= asked <= looks + 3 * MOST_TO_PROVE_PAGES


def test_a_chunk_takes_three_commits(tmp_path: Path) -> None:
    """One for its claim, one before it leaves and one for what came of it, each on disk."""
    _, said = pushed(tmp_path / "ledger.db", 50)
    assert said["claim_free"] == said["insert_attempt"] == said["set_exchange"] == 20
    # Besides: one for the spelling of each 100 numbers, one to own the run, one for its mark and
    # one for what is noted beside it; of these last two one commit is made where they come at once.
    assert said["commit"] <= 3 * 20 + 3 + NUMBERS // 100


def test_a_chunk_takes_few_statements_whatever_its_size(tmp_path: Path) -> None:
    """Each step of one waits for the interpreter's lock, which the thread of the calls holds."""
    totals = {size: pushed(tmp_path / f"{size}.db", size)[1].total() for size in (50, 250)}
    assert (totals[50] - totals[250]) / (20 - 4) <= MOST_STATEMENTS


def test_a_chunk_takes_few_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What concerns its bills alone is looked up where its calls are made."""
    begun, real = Counter[str](), to_thread.run_sync

    async def counted(*args: Any, **options: Any) -> Any:
        begun["in all"] += 1
        return await real(*args, **options)

    monkeypatch.setattr(to_thread, "run_sync", counted)
    totals = {}
    for size in (50, 250):
        begun.clear()
        pushed(tmp_path / f"{size}.db", size)
        totals[size] = begun.total()
    assert (totals[50] - totals[250]) / (20 - 4) <= MOST_THREADS


def test_a_number_takes_little_room(tmp_path: Path) -> None:
    """A ledger of a million numbers is to fit on any disk, answers and all."""
    path, empty = tmp_path / "ledger.db", tmp_path / "empty.db"
    anyio.run(partial(migrate, empty, create=True))
    pushed(path, 50)
    assert (path.stat().st_size - empty.stat().st_size) / NUMBERS <= MOST_BYTES


@pytest.mark.parametrize("line", MOST_MODULES)
def test_a_start_imports_no_more_than_it_needs(tmp_path: Path, line: str) -> None:
    """Somebody waits for each module."""
    desk = Desk(tmp_path).configure("http://127.0.0.1:9/K3Cloud/")
    desk.job(orders(1))
    program = "import sys; from k3push.cli.app import run; run(sys.argv[1:], 'en')"
    ran = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", f"{program}; print(*sys.modules)", *line.split()],
        cwd=desk.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        text=True,
    )
    modules = ran.stdout.splitlines()[-1].split()
    assert len(modules) <= MOST_MODULES[line]
    assert NEVER.isdisjoint(modules)
    assert NOT_FOR.get(line, set()).isdisjoint(modules)
