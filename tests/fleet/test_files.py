"""Files of strangers in the folders of tenants: what a worker does with them."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from k3push.adapters.job_files.reader_pool import ReadersApart
from k3push.adapters.ledger.postgres.database import Server
from k3push.config.tenants import TenantFiles
from k3push.core.model import RunId
from k3push.fleet.queue import Queue
from k3push.fleet.queue_opening import VERSION, open_queue
from k3push.fleet.status import standing
from k3push.fleet.work import FleetWork
from k3push.words.language import speaker
from tests.adapters.job_files.test_untrusted_files import LITTLE, huge
from tests.fleet.crew import tenant
from tests.fleet.test_worker import do

pytestmark = pytest.mark.anyio

SCHEDULE = '[schedules.nightly]\ncron = "0 20 * * *"\njobs = "inbox"\nroute = "in"\n'
OLD_S = 60.0


@asynccontextmanager
async def looking(folder: Path, url: str) -> AsyncIterator[tuple[FleetWork, Queue]]:
    """Give what looks into folders, with readers that have little memory."""
    async with AsyncExitStack() as stack:
        queue = await stack.enter_async_context(open_queue(Server.of(url), create=True))
        work = FleetWork(TenantFiles(folder, os.environ), url, "k3push-w1", speaker("en"), stack)
        work.readers = ReadersApart(memory=LITTLE)
        yield work, queue


def age(folder: Path) -> None:
    """Let all files of a folder be old."""
    for path in folder.iterdir():
        old_s = time.time() - OLD_S
        os.utime(path, (old_s, old_s), follow_symlinks=False)


async def test_files_of_strangers_reach_neither_the_erp_nor_the_worker(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link sends nobody's lines, and a list that ends its reader twice is put aside and told."""
    acme = tenant(tmp_path, postgres_url, more=SCHEDULE)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (tmp_path / "secret.csv").write_text("root\n")
    (inbox / "link.csv").symlink_to(tmp_path / "secret.csv")
    (inbox / "good.csv").write_text("number\nA1\n")
    (inbox / "huge.xlsx").write_bytes(huge())
    age(inbox)
    async with looking(tmp_path, postgres_url) as (work, queue):
        assert await work.look(acme, "nightly", queue) == ""
        told = capsys.readouterr().err
        assert "link.csv: skipped; it is a link" in told
        assert "huge.xlsx is put aside" in told
        (row,) = (await standing(queue, ["acme"]))["tenants"]
        assert (row["queued"], row["files_aside"]) == (1, [str(inbox / "huge.xlsx")])
        assert await work.look(acme, "nightly", queue) == ""
        assert "huge.xlsx" not in capsys.readouterr().err


async def test_lists_of_two_tenants_in_one_second_are_both_queued(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids have three letters beside the second, and thousands of tenants share a ledger."""
    second = "20260102-200000"
    ids = iter([f"{second}-aaa", f"{second}-aaa", f"{second}-aaa", f"{second}-bbb"])
    monkeypatch.setattr("k3push.runs.create.new_run_id", lambda _: RunId(next(ids)))
    async with looking(tmp_path, postgres_url) as (work, queue):
        for name in ("acme", "other"):
            folder = tmp_path / name
            (folder / "inbox").mkdir(parents=True)
            (folder / "inbox" / "list.csv").write_text("number\nA1\n")
            age(folder / "inbox")
            config = tenant(folder, postgres_url, name=name, more=SCHEDULE, acct_id=name)
            assert await work.look(config, "nightly", queue) == ""
        found = (await standing(queue, ["acme", "other"]))["tenants"]
        assert [(row["queued"], row["last_run"]) for row in found] == [
            (1, f"{second}-aaa"),
            (1, f"{second}-bbb"),
        ]
        assert len(await queue.all("unlisted", tenants=["acme", "other"])) == 0
        assert do(postgres_url, "SELECT numbers FROM fleet_runs") == [(1,), (1,)]


async def test_the_folder_of_a_schedule_is_no_link(
    postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever owns the folder above may put a link to another tenant's lists in its place."""
    acme = tenant(tmp_path, postgres_url, more=SCHEDULE)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.csv").write_text("number\nA1\n")
    age(other)
    (tmp_path / "inbox").symlink_to(other)
    async with looking(tmp_path, postgres_url) as (work, queue):
        why = await work.look(acme, "nightly", queue)
        assert await queue.all("due", most=9) == []
    assert "this is a link" in speaker("en").said(why)
    assert "this is a link" in capsys.readouterr().err


async def test_a_fleet_of_an_older_version_is_brought_up_to_date(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers go on beside newer ones, since steps only add."""
    monkeypatch.setattr("k3push.fleet.queue_opening.VERSION", 1)
    async with open_queue(Server.of(postgres_url), create=True):
        assert do(postgres_url, "SELECT to_regclass('k3push_fleet.fleet_version')") == [(None,)]
    monkeypatch.undo()
    async with open_queue(Server.of(postgres_url), create=False) as queue:
        assert await queue.all("asides") == []
    assert do(postgres_url, "SELECT version FROM fleet_version") == [(VERSION,)]


async def test_an_account_in_another_letter_case_is_told_and_not_looked_after_for_ever(
    postgres_url: str, tmp_path: Path
) -> None:
    """It is mended by a person, and no ledger that comes back by itself."""
    told = []
    for name, acct_id in {"acme": "64f0", "beta": "64F0"}.items():
        (tmp_path / name / "inbox").mkdir(parents=True)
        (tmp_path / name / "inbox" / "list.csv").write_text("number\nA1\n")
        age(tmp_path / name / "inbox")
        config = tenant(tmp_path / name, postgres_url, name=name, more=SCHEDULE, acct_id=acct_id)
        async with looking(tmp_path / name, postgres_url) as (work, queue):
            told.append(speaker("en").said(await work.look(config, "nightly", queue)))
    assert (told[0], "64f0" in told[1]) == ("", True)
