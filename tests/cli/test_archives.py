"""`[ledger] keep`, `ledger archive` and `explain --archive`, as they are typed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import psycopg
import pytest

from tests.cli.terminal import SALES_ROUTE, Desk, Sandbox, orders

pytestmark = pytest.mark.halved

REFUSED = "CGDDU000000"
KEEP = '\n[ledger]\nurl = "{url}"\nkeep = "400d"\n'
LONG_AGO = "2019-01-01T00:00:00.000Z"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the ledger is."""
    if request.param == "sqlite":
        return "sqlite:///ledger.db"
    return str(request.getfixturevalue("postgres_url"))


def age(desk: Desk, url: str, run: str) -> None:
    """Let a run have ended long ago."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(desk.folder / "ledger.db")) as ledger, ledger:
            ledger.execute("UPDATE runs SET ended_at = ? WHERE id = ?", (LONG_AGO, run))
        return
    with psycopg.connect(url) as server:
        server.execute("UPDATE k3push.runs SET ended_at = %s WHERE id = %s", (LONG_AGO, run))


def calls_in(told: str) -> list[str]:
    """Return the lines of `explain` that show what was sent and answered."""
    return [line for line in told.splitlines() if line.startswith(("  request", "  answer"))]


def test_an_old_run_is_archived_and_still_told_of(desk: Desk, sandbox: Sandbox, url: str) -> None:
    """By the next execution that ends; what it has made is pushed by nobody again."""
    numbers = orders(3)
    desk.configure(sandbox.url, more=KEEP.format(url=url))
    job = desk.job([*numbers, REFUSED])
    old = desk.k3push("run", job, "--json").said["run"]
    told = desk.k3push("explain", numbers[0]).out
    age(desk, url, old)

    assert desk.k3push("run", desk.job(orders(4)[3:])).exit == 0

    (archive,) = (desk.folder / "archive").iterdir()
    assert archive.name == f"sandbox.{old}.jsonl.gz"
    again = desk.k3push("explain", numbers[0], "--archive", "archive").out
    calls = calls_in(told)
    assert calls
    assert calls_in(again) == calls
    assert "rejected" in desk.k3push("explain", REFUSED, "--archive", str(archive)).out
    now = desk.k3push("explain", numbers[0])
    assert f"--archive {archive}" in now.out
    assert not calls_in(now.out)
    status = desk.k3push("status", old).out
    assert status.count(f"archived in {archive}") == 1
    assert "every number" not in status  # the one that was rejected is in the archive alone
    gone = desk.k3push("explain", REFUSED)
    assert gone.exit == 2
    assert f"k3push explain {REFUSED} --archive {archive.parent}" in gone.err
    for command in ("resume", "retry", "settle", "export", "report"):
        more = ("--output", "x.html") if command == "report" else ()
        more = ("--output", "x.csv") if command == "export" else more
        refused = desk.k3push(command, old, *more)
        assert refused.exit == 2, command
        assert str(archive) in refused.err
    # The whole list once more: not one document is made.
    made = sandbox.made()
    assert desk.k3push("run", desk.job([*numbers, REFUSED])).exit == 3
    assert sandbox.made() == made
    assert desk.k3push("ledger", "check").exit == 0
    assert desk.k3push("audit-dups", "--from-ledger").exit == 0


def test_a_run_goes_on_whose_neighbour_of_the_same_command_is_archived(
    desk: Desk, sandbox: Sandbox
) -> None:
    """A list of two routes, of which one was stopped: its bills were in nobody's reach."""
    desk.configure(sandbox.url, more=SALES_ROUTE + KEEP.format(url="sqlite:///ledger.db"))
    sales = "\n".join(f"XSDD000000{nth},so-outstock" for nth in (1, 2))
    job = desk.write("mixed.csv", f"单号,route\nCGDD0000001,po-instock\n{sales}")
    stopped = desk.k3push("run", job, "--limit", "2", "--json").said
    assert (stopped["exit"], stopped["counts"]) == (5, {"pushed": 2, "planned": 1})
    done, left = stopped["run"].split(";")
    age(desk, "sqlite:///ledger.db", done)
    assert "1 run archived" in desk.k3push("ledger", "archive").out
    assert desk.k3push("settle").exit == 5  # the planned one is left
    resumed = desk.k3push("resume", "--json").said
    assert (resumed["exit"], resumed["run"], resumed["counts"]) == (0, left, {"pushed": 2})
    assert desk.k3push("resume", left).exit == 0
    assert desk.k3push("resume", done).exit == 2


def test_an_archived_run_is_finished_also_where_its_results_are_gone(
    desk: Desk, sandbox: Sandbox
) -> None:
    """Nothing is left to be done with it, and the dashboard went on with nothing of its list."""
    desk.configure(sandbox.url, more=KEEP.format(url="sqlite:///ledger.db"))
    run = desk.k3push("run", desk.job(orders(1)), "--json").said["run"]
    age(desk, "sqlite:///ledger.db", run)
    assert "1 run archived" in desk.k3push("ledger", "archive").out
    shutil.rmtree(desk.folder / "results")
    assert "has finished" in desk.k3push("control", run, "stop").err


def test_archiving_can_be_asked_for(desk: Desk, sandbox: Sandbox) -> None:
    """All that is due, at once; and nothing where no age is named."""
    desk.configure(sandbox.url)
    run = desk.k3push("run", desk.job(orders(2)), "--json").said["run"]
    assert "keep" in desk.k3push("ledger", "archive").err
    age(desk, "sqlite:///ledger.db", run)
    desk.configure(sandbox.url, more=KEEP.format(url="sqlite:///ledger.db"))
    done = desk.k3push("ledger", "archive")
    assert (done.exit, "1 run archived" in done.out) == (0, True)
    assert "0 runs archived" in desk.k3push("ledger", "archive").out


def test_a_folder_that_cannot_be_written_fails_no_run(desk: Desk, sandbox: Sandbox) -> None:
    """The push is done; that the old run stays is said."""
    desk.configure(sandbox.url, more=KEEP.format(url="sqlite:///ledger.db"))
    run = desk.k3push("run", desk.job(orders(2)), "--json").said["run"]
    age(desk, "sqlite:///ledger.db", run)
    desk.write("archive", "a file in its place")
    ran = desk.k3push("run", desk.job(orders(1)))
    assert ran.exit == 0
    assert "old runs could not be archived" in ran.err
    assert desk.k3push("ledger", "archive").exit == 2


@pytest.mark.parametrize("keep", ["400", "29d", "a year", "-1d", "400 d"])
def test_an_age_that_is_none_is_refused(desk: Desk, untouched: Sandbox, keep: str) -> None:
    """Named by its key."""
    desk.configure(untouched.url, more=f'\n[ledger]\nkeep = "{keep}"\n')
    refused = desk.k3push("status")
    assert refused.exit == 2
    assert "ledger.keep" in refused.err


def test_what_is_in_no_archive_is_said(desk: Desk, sandbox: Sandbox) -> None:
    """So is a file that is none."""
    desk.configure(sandbox.url)
    (desk.folder / "archive").mkdir()
    desk.write("archive/list.csv", "number\n")  # somebody's own folder of that name
    assert "--archive" not in desk.k3push("explain", "X1").err
    none = desk.k3push("explain", "X1", "--archive", "archive")
    assert (none.exit, "X1" in none.err) == (2, True)
    other = desk.k3push("explain", "X1", "--archive", desk.write("list.csv", "number\nX1\n"))
    assert (other.exit, "no archive" in other.err) == (2, True)
    gone = desk.k3push("--lang", "zh", "explain", "X1", "--archive", "gone")
    assert (gone.exit, "没有这样的文件" in gone.err) == (2, True)


def test_a_folder_that_cannot_be_looked_at_hides_no_answer(desk: Desk, sandbox: Sandbox) -> None:
    """No run has the number, whatever is wrong with the place of archives."""
    more = f'\n[ledger]\nurl = "sqlite:///ledger.db"\narchive = "{"x" * 300}"\n'
    desk.configure(sandbox.url, more=more)
    assert desk.k3push("run", desk.job(orders(1)), "--yes").exit == 0
    ran = desk.k3push("explain", "CGDD1")
    assert (ran.exit, "CGDD1 is in no run" in ran.err) == (2, True), ran


def test_one_broken_archive_of_a_folder_keeps_no_other_from_telling(
    desk: Desk, sandbox: Sandbox
) -> None:
    """A disk has lost a block; the number is in another file, and the broken one is named."""
    desk.configure(sandbox.url, more=KEEP.format(url="sqlite:///ledger.db"))
    run = desk.k3push("run", desk.job(orders(1)), "--json").said["run"]
    age(desk, "sqlite:///ledger.db", run)
    assert desk.k3push("ledger", "archive").exit == 0
    desk.write("archive/sandbox.20180101-000000-aaa.jsonl.gz", b"")
    told = desk.k3push("explain", orders(1)[0], "--archive", "archive")
    assert told.exit == 2
    assert "20180101-000000-aaa" in told.err
    assert len(calls_in(told.out)) == 2
    nothing = desk.k3push("explain", "X1", "--archive", "archive")
    assert (nothing.exit, "20180101-000000-aaa" in nothing.err) == (2, True)
