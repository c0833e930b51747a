"""Files of strangers in the folders of tenants: what a worker does with them."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from k3push.adapters.job_files.reader_pool import ReadersApart
from k3push.adapters.ledger.postgres.database import Server
from k3push.config.tenants import TenantFiles
from k3push.core.model import RunId
from k3push.fleet.queue import Queue
from k3push.fleet.queue_opening import VERSION, open_queue
from k3push.fleet.status import standing
from k3push.fleet.work import FleetWork
from k3push.fleet.work_port import NotNowError
from k3push.ports import LedgerLostError, RunIsAliveError
from k3push.runs.other_calls.pushed_since import SEEN
from k3push.runs.outcome import Exit
from k3push.runs.push_requests.schedule_pushes import SameBills
from k3push.runs.stop import Cause
from k3push.wiring.same_bills import same_bills
from k3push.wiring.selected_bills import SelectionError, Selector
from k3push.words.language import speaker
from tests.adapters.job_files.test_untrusted_files import LITTLE, huge
from tests.fleet.crew import LOST, tenant
from tests.fleet.test_worker import do

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

SCHEDULE = '[schedules.nightly]\ncron = "0 20 * * *"\njobs = "inbox"\nroute = "in"\n'
OLD_S = 60.0
DUE = datetime(2026, 1, 2, 20, tzinfo=UTC)
NEXT = DUE + timedelta(days=1)


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
        assert await work.look(acme, "nightly", queue, DUE) == ""
        told = capsys.readouterr().err
        assert "link.csv: skipped; it is a link" in told
        assert "huge.xlsx is put aside" in told
        (row,) = (await standing(queue, ["acme"]))["tenants"]
        assert (row["queued"], row["files_aside"]) == (1, [str(inbox / "huge.xlsx")])
        assert await work.look(acme, "nightly", queue, DUE) == ""
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
            assert await work.look(config, "nightly", queue, DUE) == ""
        found = (await standing(queue, ["acme", "other"]))["tenants"]
        assert [(row["queued"], row["last_run"]) for row in found] == [
            (1, f"{second}-aaa"),
            (1, f"{second}-bbb"),
        ]
        assert len(await queue.all("unlisted", tenants=["acme", "other"])) == 0
        assert do(postgres_url, "SELECT numbers FROM fleet_runs") == [(1,), (1,)]


@pytest.mark.parametrize(
    ("window", "zone"), [("", ""), ('window = "20:00-06:00"\n', "Asia/Shanghai")]
)
async def test_the_clock_of_a_schedule_is_that_of_its_own_window_alone(
    postgres_url: str, tmp_path: Path, window: str, zone: str
) -> None:
    """The window of `[run]` goes by the host's clock, in the fleet as anywhere."""
    acme = tenant(tmp_path, postgres_url, more=SCHEDULE + window)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "list.csv").write_text("number\nA1\n")
    age(tmp_path / "inbox")
    async with looking(tmp_path, postgres_url) as (work, queue):
        assert await work.look(acme, "nightly", queue, DUE) == ""
    assert do(postgres_url, "SELECT time_zone FROM fleet_runs") == [(zone,)]


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
        why = await work.look(acme, "nightly", queue, DUE)
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
            told.append(speaker("en").said(await work.look(config, "nightly", queue, DUE)))
    assert (told[0], "64f0" in told[1]) == ("", True)


ROUTES = """
[routes.out]
source = "PUR_PurchaseOrder"
target = "STK_MRB"
rule = "PUR_PurchaseOrder-STK_MRB"
"""
TWO_ROUTES = SCHEDULE.replace('route = "in"\n', "") + ROUTES
OF_BOTH = "number,route\nA1,in\nA2,out\n"
RUNS = "SELECT run, listed FROM fleet_runs WHERE outcome IS NULL ORDER BY run"


def put(folder: Path, text: str, name: str = "list.csv") -> None:
    """Put a list into the folder of the schedule, as old as it has to be."""
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "inbox" / name).write_text(text)
    age(folder / "inbox")


@pytest.mark.parametrize("fails_at", ["ask", "listed", "make_jobs"])
async def test_a_file_of_which_a_look_has_failed_half_way_is_queued_once(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    """Its first run was queued again: bills that may be pushed in parts were pushed twice."""
    acme = tenant(tmp_path, postgres_url, more=TWO_ROUTES)
    put(tmp_path, OF_BOTH)
    calls = iter([False, True])
    there = getattr(Queue, fails_at)

    async def lost(*facts: object, **more: object) -> object:
        if fails_at == "make_jobs" or next(calls, False):
            raise LOST
        return await there(*facts, **more)

    async with looking(tmp_path, postgres_url) as (work, queue):
        with monkeypatch.context() as once:
            once.setattr(Queue, fails_at, lost)
            with pytest.raises(LedgerLostError):
                await work.look(acme, "nightly", queue, DUE)
        before = {run for run, _ in do(postgres_url, RUNS)}
        assert len(before) == (1 if fails_at == "ask" else 2)
        for due in (DUE, DUE, NEXT):
            assert await work.look(acme, "nightly", queue, due) == ""
        after = {run for run, _ in do(postgres_url, RUNS)}
        assert before <= after
        assert len(after) == 2


async def test_a_list_that_is_looked_at_again_for_one_turn_is_queued_once(
    postgres_url: str, tmp_path: Path
) -> None:
    """The worker, or its database, fails between the queueing and the note that it is done."""
    acme = tenant(tmp_path, postgres_url, more=SCHEDULE.replace('"inbox"', '"inbox/list.csv"'))
    put(tmp_path, "number\nA1\n")
    async with looking(tmp_path, postgres_url) as (work, queue):
        for due, runs in ((DUE, 1), (DUE, 1), (NEXT, 2), (NEXT, 2)):
            assert await work.look(acme, "nightly", queue, due) == ""
            assert len(do(postgres_url, RUNS)) == runs


@pytest.mark.parametrize("cancelled", [False, True])
async def test_what_a_dead_worker_has_begun_to_list_is_listed_anew_and_never_executed(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, cancelled: bool
) -> None:
    """Whoever still lists it is waited for; one that wakes later finds that its run is nobody's."""
    acme = tenant(tmp_path, postgres_url, more=SCHEDULE)
    put(tmp_path, "number\nA1\n")
    async with looking(tmp_path, postgres_url) as (work, queue):
        with monkeypatch.context() as once:
            once.setattr("k3push.fleet.enqueue.list_numbers", nothing_listed)
            with pytest.raises(LedgerLostError):
                await work.look(acme, "nightly", queue, DUE)
        ((half, listed),) = do(postgres_url, RUNS)
        assert not listed
        with pytest.raises(RunIsAliveError):
            await work.look(acme, "nightly", queue, DUE)
        if cancelled:
            await queue.cancel("acme")
        monkeypatch.setattr("k3push.fleet.enqueue.LISTING_PATIENCE_S", 0.0)
        assert await work.look(acme, "nightly", queue, DUE) == ""
        await queue.retry("acme")
        ((run, listed),) = do(postgres_url, RUNS)
        assert listed
        assert run != half
        assert not await queue.listed("acme", RunId(str(half)), 1)


@pytest.mark.parametrize(
    ("cause", "passes", "pauses"),
    [
        (Cause.LOOK_FAILED, True, False),
        (Cause.LOGIN_REFUSED, True, True),
        (Cause.LOOK_REFUSED, False, False),
    ],
)
async def test_a_selection_that_failed_is_tried_again_and_a_refused_login_is_not(
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cause: Cause,
    *,
    passes: bool,
    pauses: bool,
) -> None:
    """One page that was lost cost the night; five wrong logins lock the account (P 2.4)."""
    selects = SCHEDULE.replace('"inbox"', '"select"') + "[routes.in.select]\n"
    acme = tenant(tmp_path, postgres_url, more=selects)

    @asynccontextmanager
    async def failed(*_: object, **__: object) -> AsyncIterator[tuple[Path, int]]:
        if cause:
            raise SelectionError("why", Exit.UNREACHABLE, cause, "words")
        yield tmp_path, 0

    monkeypatch.setattr(Selector, "spooled", failed)
    monkeypatch.setattr("k3push.fleet.work.endpoints_of", lambda _: {})
    async with looking(tmp_path, postgres_url) as (work, queue):
        if passes:
            with pytest.raises(NotNowError):
                await work.look(acme, "nightly", queue, DUE)
        else:
            assert await work.look(acme, "nightly", queue, DUE) == "why"
        assert bool(await queue.pauses()) is pauses


async def no_password() -> str:
    """The test's database asks for none."""
    return ""


async def nothing_listed(*_: object, **__: object) -> int:
    """Die as the first number is to be written down."""
    raise LOST


@pytest.mark.parametrize(
    ("more", "since"),
    [("", []), ("allow_partial = true\n", [DUE, NEXT])],
    ids=["whole", "in parts"],
)
async def test_what_a_turn_has_selected_is_not_selected_again_for_it(
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: str,
    since: list[datetime],
) -> None:
    """Where bills may be pushed in parts, what was under way since it was due counts as well."""
    selects = SCHEDULE.replace('"inbox"', '"select"') + "[routes.in.select]\n"
    acme = tenant(tmp_path, postgres_url, more=more + selects)
    counted: list[datetime | None] = []

    @asynccontextmanager
    async def spooled(*_: object, **__: object) -> AsyncIterator[tuple[Path, int]]:
        (tmp_path / "selected.csv").write_text("number\nA1\n")
        yield tmp_path / "selected.csv", 1

    def same(*facts: Any, **more: Any) -> SameBills:
        counted.append(more["since"])
        return same_bills(*facts, **more)

    monkeypatch.setattr(Selector, "spooled", spooled)
    monkeypatch.setattr("k3push.fleet.work.same_bills", same)
    monkeypatch.setattr("k3push.fleet.work.endpoints_of", lambda _: {})
    async with looking(tmp_path, postgres_url) as (work, queue):
        for due, runs in ((DUE, 1), (DUE, 1), (NEXT, 1 if since else 2)):
            assert await work.look(acme, "nightly", queue, due) == ""
            assert len(do(postgres_url, RUNS)) == runs
        async with work.ledgers.of(postgres_url, "64f0", no_password) as ledger:
            assert {memo.id for memo in await ledger.memos(SEEN)} == {
                run for run, _ in do(postgres_url, RUNS)
            }
    assert counted == since


async def test_lists_may_name_the_routes_of_their_lines(postgres_url: str, tmp_path: Path) -> None:
    """A schedule without a route was told to name one, and began nothing."""
    acme = tenant(tmp_path, postgres_url, more=TWO_ROUTES)
    put(tmp_path, OF_BOTH)
    async with looking(tmp_path, postgres_url) as (work, queue):
        assert await work.look(acme, "nightly", queue, DUE) == ""
        assert len(do(postgres_url, RUNS)) == 2
