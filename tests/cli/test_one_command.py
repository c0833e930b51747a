"""A list of several routes, a plan or a folder is one command with one fate."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.model import Run
from tests.cli.conftest import Start
from tests.cli.terminal import SALES_ROUTE, Desk, Ran, Sandbox, assert_true, end, orders, until

pytestmark = pytest.mark.halved

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")

SLOWLY = ("--json", "--chunk-size", "2", "--concurrency", "1", "--no-canary")
FAST = ("--json", "--chunk-size", "50", "--no-canary")


def sales(count: int) -> list[str]:
    """Name sales orders that the sandbox holds."""
    return [f"XSDD{index:07d}" for index in range(count)]


def both(desk: Desk, count: int) -> str:
    """Write a list of two routes, with so many numbers of each."""
    lines = [f"{number},po-instock" for number in orders(count)]
    lines += [f"{number},so-outstock" for number in sales(count)]
    return desk.write("mixed.csv", "\n".join(["单号,route", *lines]))


def runs_of(desk: Desk) -> Sequence[Run]:
    """Read the runs of the ledger, the oldest first."""

    async def read() -> Sequence[Run]:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            return await ledger.runs()

    return anyio.run(read)


def see_all_pushed_once(desk: Desk, sandbox: Sandbox, ran: Ran, count: int) -> None:
    """See that both routes' numbers were pushed, once each, by the two runs of the command."""
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 2 * count}), ran
    one, two = ran.said["run"].split(";")
    truth = sandbox.truth()
    assert set(truth["sources"]) == {*orders(count), *sales(count)}
    for run, numbers in ((one, orders(count)), (two, sales(count))):
        rows = desk.rows(run)
        assert_true(rows, truth)
        assert [row["number"] for row in rows] == numbers


@pytest.fixture
def two_routes(desk: Desk, start: Start) -> tuple[Sandbox, subprocess.Popen[str]]:
    """A list of two routes in the middle of its first."""
    sandbox = start("--latency", "0.1")
    desk.configure(sandbox.url, more=SALES_ROUTE)
    process = desk.begin("run", both(desk, 40), *SLOWLY)
    until(lambda: sandbox.made() >= 4)
    assert process.poll() is None
    return sandbox, process


TwoRoutes = tuple[Sandbox, subprocess.Popen[str]]


def see_stopped(desk: Desk, sandbox: Sandbox, ran: Ran, cause: str) -> None:
    """See that the second run was not begun, and that one `resume` goes on with both."""
    assert (ran.exit, set(ran.said["counts"])) == (5, {"pushed", "planned"}), ran
    one, two = ran.said["run"].split(";")
    assert sum(ran.said["counts"].values()) == 80
    assert sandbox.made() == ran.said["counts"]["pushed"] < 40
    assert desk.summary(two)["counts"] == {"planned": 40}
    assert cause in desk.summary(one)["stopped_by"]
    assert cause in desk.summary(two)["stopped_by"]
    assert f"run {two}, route so-outstock: not begun" in ran.err
    assert "exit 5" in desk.k3push("status", two).out
    assert [run.group for run in runs_of(desk)] == [one, one]
    resumed = desk.k3push("resume", *FAST)
    assert one in resumed.err
    assert two in resumed.err
    see_all_pushed_once(desk, sandbox, resumed, 40)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_interrupt_stops_all_routes(
    desk: Desk, two_routes: TwoRoutes, number: signal.Signals
) -> None:
    """Whoever presses Ctrl-C means the command that was typed."""
    sandbox, process = two_routes
    process.send_signal(number)
    see_stopped(desk, sandbox, end(process), "interrupted")


@pytest.mark.parametrize("place", [0, 1], ids=["the one under way", "the one that waits"])
def test_a_stop_by_control_of_any_run_stops_all_routes(
    desk: Desk, two_routes: TwoRoutes, place: int
) -> None:
    """Either run's name stands for the command; while one goes, the other is not killed."""
    sandbox, process = two_routes
    runs = runs_of(desk)
    assert "under way" in desk.k3push("status").out
    waits = desk.k3push("status", runs[1].id).out
    assert "waits for another run of the same command" in waits
    assert "resume" not in waits
    stopped = desk.k3push("control", runs[place].id, "stop")
    assert stopped.exit == 0, stopped
    see_stopped(desk, sandbox, end(process), "control")


def test_one_deadline_ends_all_routes(desk: Desk, start: Start) -> None:
    """What is left when the time is over waits for `resume`, in whatever run it stands."""
    sandbox = start("--latency", "0.1")
    desk.configure(sandbox.url, more=SALES_ROUTE)
    ran = desk.k3push("run", both(desk, 40), *SLOWLY, "--max-duration", "1s")
    see_stopped(desk, sandbox, ran, "deadline")


def test_a_retry_that_is_over_before_the_second_route_leaves_it_planned_and_told(
    desk: Desk, sandbox: Sandbox
) -> None:
    """It stood there as finished with rejected numbers, and its results named these."""
    desk.configure(sandbox.url, more=SALES_ROUTE)
    lines = ["CGDDU000000,po-instock", "CGDDU000001,po-instock", "NOBODY,so-outstock"]
    job = desk.write("mixed.csv", "\n".join(["单号,route", *lines]))
    ran = desk.k3push("run", job, "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"rejected": 3}), ran
    ran = desk.k3push("retry", "--limit", "1", "--json")
    assert (ran.exit, ran.said["counts"]) == (5, {"rejected": 1, "planned": 2}), ran
    first, second = runs_of(desk)
    assert [first.exit, second.exit] == [5, 5]
    assert (desk.summary(second.id)["exit"], desk.summary(second.id)["counts"]) == (
        5,
        {"planned": 1},
    )
    assert [row["state"] for row in desk.rows(second.id)] == ["planned"]
    assert desk.k3push("resume").exit == 3


@pytest.mark.parametrize(("limit", "first"), [(5, 5), (8, 8), (11, 8)])
def test_one_limit_counts_over_all_routes(
    desk: Desk, sandbox: Sandbox, limit: int, first: int
) -> None:
    """`--limit 5` makes five documents, not five of each route."""
    desk.configure(sandbox.url, more=SALES_ROUTE)
    ran = desk.k3push("run", both(desk, 8), "--json", "--limit", str(limit))
    counts = {"pushed": limit, "planned": 16 - limit}
    assert (ran.exit, ran.said["counts"]) == (5, counts), ran
    assert len(set(sandbox.truth()["sources"]) & set(orders(8))) == first
    assert sandbox.made() == limit
    assert "the limit of" not in desk.k3push("status").out
    assert "--limit is reached" in desk.k3push("status").out
    more = desk.k3push("resume", "--json", "--limit", "1")
    assert (more.exit, sandbox.made()) == (5, limit + 1), more
    see_all_pushed_once(desk, sandbox, desk.k3push("resume", *FAST), 8)


def test_a_refused_login_is_tried_once_for_all_routes(desk: Desk, sandbox: Sandbox) -> None:
    """Five lock the account, and a list may have more routes than that."""
    routes = [f"r{nth}" for nth in range(6)]
    more = "".join(SALES_ROUTE.replace("so-outstock", name) for name in routes)
    lines = [f"{number},{name}" for number, name in zip(sales(6), routes, strict=True)]
    job = desk.write("six.csv", "\n".join(["单号,route", *lines]))
    desk.configure(sandbox.url, password="wrong", more=more)
    ran = desk.k3push("run", job, "--json")
    assert (ran.exit, ran.said["counts"]) == (6, {"planned": 6}), ran
    assert sandbox.truth()["failed_logins"] == 1
    again = desk.k3push("resume", "--json")
    assert (again.exit, sandbox.truth()["failed_logins"]) == (6, 2), again
    assert desk.k3push("settle", "--json").exit == 5
    assert sandbox.truth()["failed_logins"] == 2
    done = desk.configure(sandbox.url, more=more).k3push("resume", "--json")
    assert (done.exit, done.said["counts"], sandbox.made()) == (0, {"pushed": 6}, 6), done


@posix
def test_resume_goes_on_with_all_that_a_killed_command_began(
    desk: Desk, two_routes: TwoRoutes
) -> None:
    """The last run was never begun; the one before it holds what was in doubt."""
    sandbox, process = two_routes
    process.kill()
    end(process)
    assert sandbox.made() < 40
    see_all_pushed_once(desk, sandbox, desk.k3push("resume", *FAST), 40)


@posix
def test_a_run_that_is_named_is_gone_on_with_and_all_beside_it(
    desk: Desk, two_routes: TwoRoutes
) -> None:
    """It says so; and a later command is left alone."""
    sandbox, process = two_routes
    process.send_signal(signal.SIGINT)
    first = end(process).said["run"].split(";")[0]
    later = desk.k3push(
        "run", desk.job(orders(3, 100)), "--route", "po-instock", "--json", "--limit", "1"
    )
    assert later.exit == 5, later
    resumed = desk.k3push("resume", first, *FAST)
    assert "one command began 2 runs" in resumed.err
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 80}), resumed
    assert sandbox.made() == 81
    resumed = desk.k3push("resume", *FAST)
    assert (resumed.exit, resumed.said["run"]) == (0, later.said["run"]), resumed


def test_no_run_is_resumed_while_another_of_its_command_is_under_way(
    desk: Desk, two_routes: TwoRoutes
) -> None:
    """The command comes to it by itself."""
    sandbox, process = two_routes
    waiting = runs_of(desk)[1].id
    for words in (("resume",), ("resume", waiting), ("settle",), ("retry",)):
        refused = desk.k3push(*words)
        assert (refused.exit, "under way already" in refused.err) == (2, True), words
    assert desk.k3push("control", "stop").exit == 0
    assert end(process).exit == 5
    assert sandbox.made() < 40


def test_a_run_that_somebody_else_has_taken_up_is_left_to_him(
    desk: Desk, two_routes: TwoRoutes
) -> None:
    """Between two runs of a command nobody owns the second; the first is told all the same."""
    sandbox, process = two_routes
    first, second = (run.id for run in runs_of(desk))

    async def hold_second() -> Ran:
        async with (
            open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger,
            ledger.own(second),
        ):
            return await anyio.to_thread.run_sync(end, process)

    ran = anyio.run(hold_second)
    assert (ran.exit, ran.said["counts"]) == (5, {"pushed": 40, "planned": 40}), ran
    assert f"run {second} is under way already" in ran.err
    assert (desk.summary(first)["exit"], sandbox.made()) == (0, 40)


def test_no_route_sends_while_another_of_the_command_is_gone(desk: Desk, sandbox: Sandbox) -> None:
    """`resume` refuses before it has begun with the first."""
    desk.configure(sandbox.url, more=SALES_ROUTE)
    assert desk.k3push("run", both(desk, 3), "--limit", "1").exit == 5
    refused = desk.configure(sandbox.url).k3push("resume")
    assert (refused.exit, "so-outstock" in refused.err, sandbox.made()) == (2, True, 1), refused


@posix
def test_an_interrupt_while_the_lists_are_written_down_begins_nothing(
    desk: Desk, sandbox: Sandbox
) -> None:
    """The lists are finished, so that `resume` has them whole."""
    count = 40_000
    desk.configure(sandbox.url, more=SALES_ROUTE)
    process = desk.begin("run", both(desk, count), "--json")
    until(lambda: (desk.folder / "ledger.db").exists() and len(runs_of(desk)) > 0)
    process.send_signal(signal.SIGINT)
    ran = end(process)
    assert (ran.exit, ran.said["counts"]) == (5, {"planned": 2 * count}), ran
    assert all(run.whole and run.exit == 5 for run in runs_of(desk))
    assert sandbox.truth()["logins"] == 0


def test_a_plan_of_two_routes_has_one_fate(desk: Desk, sandbox: Sandbox) -> None:
    """`apply` counts its limit once, and `resume` goes on with the whole plan."""
    desk.configure(sandbox.url, more=SALES_ROUTE)
    assert desk.k3push("plan", both(desk, 8), "-o", "p.jsonl").exit == 0
    ran = desk.k3push("apply", "p.jsonl", "--json", "--limit", "5")
    assert (ran.exit, ran.said["counts"]) == (5, {"pushed": 5, "planned": 11}), ran
    assert sandbox.made() == 5
    assert {run.group for run in runs_of(desk)} == {runs_of(desk)[0].id}
    see_all_pushed_once(desk, sandbox, desk.k3push("resume", *FAST), 8)


def test_a_folder_has_one_fate(desk: Desk, sandbox: Sandbox) -> None:
    """One limit for all its files; those that were not begun are new the next time."""
    desk.configure(sandbox.url)
    inbox = desk.folder / "inbox"
    inbox.mkdir()
    for nth in range(3):
        path = Path(desk.write(f"inbox/{nth}.csv", "\n".join(["单号", *orders(4, 4 * nth)])))
        long_ago = (desk.folder / path).stat().st_mtime - 600 + nth
        os.utime(desk.folder / path, (long_ago, long_ago))
    ran = desk.k3push("run", "inbox", "--json", "--limit", "8")
    # Both files that were begun are done, and a third was left.
    assert (ran.exit, ran.said["counts"], sandbox.made()) == (5, {"pushed": 8}, 8), ran
    assert ran.err.count("not begun, since") == 1
    assert len({run.group for run in runs_of(desk)}) == 1
    again = desk.k3push("run", "inbox", "--json", "--limit", "2")
    assert (again.exit, again.said["counts"]) == (5, {"pushed": 2, "planned": 2}), again
    resumed = desk.k3push("resume", "--json")
    assert (resumed.exit, resumed.said["counts"], sandbox.made()) == (0, {"pushed": 4}, 12)


def test_retry_and_settle_mean_the_whole_last_command(desk: Desk, start: Start) -> None:
    """Without a run they take all that it began; with one, that one alone."""
    refusal = '[[refusal]]\nnumber = "{}"\ncode = 11\ntext = "不行"\n'
    script = refusal.format(orders(1)[0]) + refusal.format(sales(1)[0])
    sandbox = start("--faults", desk.write("script.toml", script))
    desk.configure(sandbox.url, more=SALES_ROUTE)
    ran = desk.k3push("run", both(desk, 3), "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"pushed": 4, "rejected": 2}), ran
    runs = ran.said["run"].split(";")

    def sendings() -> list[int]:
        return [int(desk.rows(run, "rejected.csv")[0]["attempts"]) for run in runs]

    first = sendings()
    one = desk.k3push("retry", runs[0], "--json")
    assert (one.exit, one.said["run"]) == (3, runs[0]), one
    assert [then > before for before, then in zip(first, sendings(), strict=True)] == [True, False]
    second = sendings()
    all_of_it = desk.k3push("retry", "--json")
    assert (all_of_it.exit, all_of_it.said["counts"]) == (ran.exit, ran.said["counts"]), all_of_it
    assert [then > before for before, then in zip(second, sendings(), strict=True)] == [True, True]
    nothing = desk.k3push("settle", "--json")
    assert (nothing.exit, nothing.said["run"]) == (3, ran.said["run"]), nothing
    assert all(run in nothing.err for run in runs)
