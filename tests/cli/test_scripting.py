"""Pushing from Python, against a sandbox of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import k3push
from k3push import scripting
from k3push.adapters.clock import SystemClock
from k3push.core.model import RunId
from k3push.runs.retry import plan_rejected
from k3push.scripting.values import Bills
from k3push.wiring import run_actions
from k3push.wiring.executor import RunOptions
from tests.cli.conftest import Start
from tests.cli.terminal import SALES_ROUTE, Desk, Sandbox, orders


def test_a_list_is_pushed_seen_and_retried(desk: Desk, sandbox: Sandbox) -> None:
    """As the commands do it, in the same ledger; a second time nothing is sent."""
    desk.configure(sandbox.url)
    with k3push.open(desk.folder / "config.toml") as session:
        assert session.routes == ("po-instock",)
        bills: list[str | k3push.Bill] = [*orders(3), k3push.Bill(number="CGDD9999999")]
        plan = session.plan(bills)
        assert {each.value: n for each, n in plan.counts.items()} == {"ready": 3, "blocked": 1}
        assert [(each.line, each.fate) for each in plan.bills][3] == (4, k3push.Forecast.BLOCKED)
        result = session.run(bills)
        assert (result.ok, result.exit, dict(result.counts)) == (
            False,
            k3push.Exit.SOME_REJECTED,
            {k3push.State.PUSHED: 3, k3push.State.REJECTED: 1},
        )
        rows = session.rows(result.run)
        assert [row.number for row in rows] == [*orders(3), "CGDD9999999"]
        assert all(row.targets[0].number for row in rows[:3])
        (refused,) = session.rows(result.run, ["rejected"])
        assert session.rows(result.run, "rejected") == [refused]
        assert session.rows(result.run, k3push.State.REJECTED) == [refused]
        assert bool(refused.cure)
        assert session.retry(result.run).counts == result.counts
        assert session.settle(result.run).exit == result.exit
        assert session.resume(result.run).exit == result.exit
        again = session.run(bills)
        assert again.counts[k3push.State.ALREADY] == 3
        by_id = session.run([k3push.Bill(id=int(plan.bills[0].id))])  # as the ERP has it
        assert dict(by_id.counts) == {k3push.State.ALREADY: 1}
    told = json.loads(desk.k3push("runs", "--json").out)
    assert [each["jobs"] for each in told] == [["python"]] * 3
    assert not list(desk.folder.glob("**/results"))
    made = sandbox.truth()["sources"]
    assert [len(made[number]) for number in orders(3)] == [1, 1, 1]


def test_a_job_file_is_pushed_with_its_results_beside_it(desk: Desk, sandbox: Sandbox) -> None:
    """A script may leave files for people as the command does."""
    desk.configure(sandbox.url)
    job = desk.folder / desk.job(orders(2))
    result = k3push.push(job, config=desk.folder / "config.toml")
    assert result.ok
    assert (desk.folder / "results" / f"orders.{result.run}" / "report.html").is_file()


def test_documents_are_followed_by_what_the_route_asks_now(desk: Desk, sandbox: Sandbox) -> None:
    """A route that asked for no step, and then for one, as `k3push follow` does it."""
    desk.configure(sandbox.url)
    config = desk.folder / "config.toml"
    with k3push.open(config) as session:
        run = session.run(orders(2)).run
        with pytest.raises(k3push.K3pushError, match="asks for no steps"):
            session.follow(run)
    desk.configure(sandbox.url, more='follow = ["submit"]\n')
    with k3push.open(config) as session:
        assert dict(session.follow(run).follow) == {"submitted": 2}


def test_a_row_whose_document_was_refused_a_step_tells_the_cure(desk: Desk, start: Start) -> None:
    """Its bill was pushed, so that only the step says what a person has to mend."""
    sandbox = start("--faults", "follow", "--seed", "3")
    desk.configure(
        sandbox.url, more='follow = ["submit", "audit"]\n', lines={"halt": 'halt = "fail=100%"'}
    )
    with k3push.open(desk.folder / "config.toml") as session:
        rows = session.rows(session.run(orders(40)).run)
    refused = [row for row in rows if row.follow == "refused"]
    assert {row.state for row in refused} == {k3push.State.PUSHED}
    assert all(row.cure for row in refused)
    assert not any(row.cure for row in rows if row.follow == "approved")


def test_it_works_on_an_event_loop(desk: Desk, sandbox: Sandbox) -> None:
    """Several at once, of one ledger."""
    desk.configure(sandbox.url)

    async def act() -> list[k3push.Result]:
        async with k3push.open_async(desk.folder / "config.toml") as session:
            return await asyncio.gather(*(session.run([number]) for number in orders(3)))

    assert all(result.ok for result in asyncio.run(act()))


def test_a_session_is_of_no_use_in_a_forked_process(desk: Desk, sandbox: Sandbox) -> None:
    """As workers of `multiprocessing` are on Linux; it would wait for ever there."""
    desk.configure(sandbox.url)
    script = (
        "import k3push, multiprocessing, signal\n"
        "def push(session):\n"
        "    signal.alarm(20)\n"
        f"    session.run({orders(1)!r})\n"
        "with k3push.open() as session:\n"
        "    child = multiprocessing.get_context('fork').Process(target=push, args=(session,))\n"
        "    child.start()\n"
        "    child.join()\n"
        f"    print(child.exitcode, session.run({orders(1)!r}).exit.name)\n"
    )
    ran = subprocess.run(  # noqa: S603
        [sys.executable, desk.write("forks.py", script)],
        check=False,
        cwd=desk.folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (0, "1 DONE\n"), ran
    assert "open one in each process" in ran.stderr


def test_what_cannot_be_begun_is_one_kind_of_error(desk: Desk, tmp_path: Path) -> None:
    """It says in words what is wrong, and nothing was sent."""
    with pytest.raises(k3push.K3pushError, match=r"none\.toml"):
        k3push.push(["A"], config=tmp_path / "none.toml")
    desk.configure("http://127.0.0.1:9/K3Cloud/", more=SALES_ROUTE)
    config = desk.folder / "config.toml"
    # What a program passes that no type checker reads.
    slips: Any = (k3push.Bill("A"), b"17", [17], [None])
    with k3push.open(config) as session:
        wrong: list[tuple[Bills, str | None, str]] = [
            (["A"], None, "po-instock"),
            (["A"], "none", "none"),
            (["A", "A,B"], "po-instock", "bill 2: there is a comma"),
            ([k3push.Bill(id="x")], "po-instock", "whole number"),
            ([k3push.Bill(id=True)], "po-instock", "not text"),
            ([""], "po-instock", "empty"),
            ([], "none", "none"),
            (Path("none.csv"), "po-instock", "none.csv"),
            ("17", "po-instock", "no list"),
            *((slip, "po-instock", "no list|not text") for slip in slips),
        ]
        for bills, route, what in wrong:
            with pytest.raises(k3push.K3pushError, match=what):
                session.run(bills, route=route)
            with pytest.raises(k3push.K3pushError, match=what):
                session.plan(bills, route=route)
        for limit in (0, -1):
            with pytest.raises(k3push.K3pushError, match="limit"):
                session.run(["A"], route="po-instock", limit=limit)
        with pytest.raises(k3push.K3pushError, match="run"):
            session.rows("none")
        for states in ("done", ["done"], [""]):
            with pytest.raises(k3push.K3pushError, match="no state"):
                session.rows("none", states)
        result = session.run(["A"], route="po-instock")
        assert (result.exit, bool(result.causes)) == (k3push.Exit.UNREACHABLE, True)
    with pytest.raises(RuntimeError):
        session.run(["A"], route="po-instock")


def test_a_list_without_bills_is_done(desk: Desk) -> None:
    """A scheduler would try a day without orders again and again."""
    desk.configure("http://127.0.0.1:9/K3Cloud/")
    (desk.folder / "none.csv").write_text("number\n", "utf-8")
    with k3push.open(desk.folder / "config.toml") as session:
        lists: tuple[Bills, ...] = ([], desk.folder / "none.csv")
        for bills in lists:
            result, plan = session.run(bills), session.plan(bills)
            assert (result.ok, result.run, result.route) == (True, "", "po-instock")
            assert (plan.route, plan.bills, plan.calls) == ("po-instock", (), 0)
            assert session.rows(result.run) == []
            for act in (session.retry, session.resume, session.settle):
                with pytest.raises(k3push.K3pushError, match="no run"):
                    act(result.run)


def test_the_package_offers_what_the_module_does() -> None:
    """Two lists of names would differ some day."""
    assert k3push.__all__ == scripting.__all__
    assert all(getattr(k3push, name) is getattr(scripting, name) for name in k3push.__all__)
    assert dir(k3push) == sorted(k3push.__all__)
    with pytest.raises(AttributeError):
        _ = k3push.nothing


def test_a_retry_waits_for_another_that_looks_at_the_run_for_a_moment(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people press it at once: one of them has planned the bills, and pushes them."""
    desk.configure(sandbox.url)
    config = desk.folder / "config.toml"
    bills = ["CGDD9999999"]
    others: list[asyncio.Task[None]] = []

    async def act() -> k3push.Result:
        async with k3push.open_async(config) as mine, k3push.open_async(config) as theirs:
            run = (await mine.run(bills)).run
            ledger = theirs._ledger  # another process, which finds nothing that is rejected

            async def look(held: asyncio.Event) -> None:
                async with ledger.own(RunId(run), executes=False):
                    held.set()
                    await asyncio.sleep(0.3)

            async def note(*_: object) -> None:
                held = asyncio.Event()
                others.append(asyncio.create_task(look(held)))
                await held.wait()

            monkeypatch.setattr(run_actions.RunActions, "_note", note)
            return await mine.retry(run)

    result = asyncio.run(act())
    assert result.counts == {k3push.State.REJECTED: 1}
    assert len(others) == 1


def test_a_retry_with_again_pushes_nothing_that_another_retry_has_planned_meanwhile(
    desk: Desk, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there of those bills is no reason to push them once more: nobody has named them."""
    desk.configure(sandbox.url)

    async def act() -> tuple[int | None, Mapping[k3push.State, int]]:
        config = desk.folder / "config.toml"
        async with k3push.open_async(config) as mine, k3push.open_async(config) as theirs:
            first, second = (await mine.plan(orders(2))).bills
            wrong_id = k3push.Bill(number=first.number, id=second.id)
            run = (await mine.run(["CGDD9999999", wrong_id])).run
            ledger, make = theirs._ledger, mine._make
            monkeypatch.setattr(mine, "_make", lambda _: make(RunOptions(because="rest")))

            async def plan_the_other(*_: object) -> None:
                async with ledger.own(RunId(run), executes=False):
                    opened = await ledger.run(RunId(run))
                    assert opened is not None
                    await plan_rejected(ledger, SystemClock(), opened, lambda _: True)

            monkeypatch.setattr(run_actions.RunActions, "_note", plan_the_other)
            with pytest.raises(k3push.K3pushError, match="2 bills planned or in doubt"):
                await mine.retry(run, reason="holds no such bill")
            stands = await ledger.run(RunId(run))
            assert stands is not None
            return stands.exit, await ledger.counts(RunId(run))

    assert asyncio.run(act()) == (k3push.Exit.SOME_REJECTED, {k3push.State.PLANNED: 2})
