from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import anyio
import pytest

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.control_words import Verb
from k3push.core.model import RunId
from k3push.runs.kept_in_ledger.request_stages import Request, RequestKind, Stage, put_request
from k3push.runs.outcome import Exit
from tests.cli.conftest import Start
from tests.cli.terminal import (
    PATIENT,
    Desk,
    Sandbox,
    assert_all_once,
    assert_true,
    end,
    orders,
    until,
)

pytestmark = pytest.mark.halved

NUMBERS = orders(200)
SLOWLY = ("--json", "--chunk-size", "2", "--concurrency", "2")


@pytest.fixture
def slow(start: Start) -> Sandbox:
    """A sandbox whose calls take a while, so that a run can be met in its middle."""
    return start("--latency", "0.1")


@contextmanager
def running(desk: Desk, sandbox: Sandbox, **lines: str) -> Iterator[subprocess.Popen[str]]:
    """Run two hundred numbers, and be there in the middle."""
    desk.configure(sandbox.url, lines={key: f"{key} = {line}" for key, line in lines.items()})
    process = desk.begin("run", desk.job(NUMBERS), *SLOWLY)
    with process:
        try:
            until(lambda: sandbox.made() >= 5)
            assert process.poll() is None
            yield process
        finally:
            process.kill()


def test_a_paused_run_sends_nothing_and_continues(desk: Desk, slow: Sandbox) -> None:
    """Another terminal pauses it, sees that it is paused and since when, and lets it go on."""
    with running(desk, slow) as process:
        paused = desk.k3push("control", "pause")
        assert paused.exit == 0, paused
        assert re.fullmatch(
            r"run \S+: paused(; (2 chunks are on their|one chunk is on its) way and will be"
            r" recorded)?\n",
            paused.out,
        )
        until(lambda: "sent" not in desk.k3push("status").out)
        made = slow.made()
        # It answers after it has looked for commands, which takes a second on the average.
        for setting in ("concurrency=2", "chunk-size=50"):
            assert desk.k3push("control", "set", setting).exit == 0
        assert slow.made() == made < len(NUMBERS)
        status = desk.k3push("status").out
        assert re.search(r"paused by control since \d\d:\d\d", status), status
        goes_on = f"`k3push control {status.split()[0]} continue`"
        assert goes_on in status
        for verb in ("resume", "retry", "settle"):
            refused = desk.k3push(verb)
            assert (refused.exit, goes_on in refused.err) == (2, True), refused
        assert desk.k3push("control", "continue").out.endswith(": continues\n")
        assert "paused by" not in desk.k3push("status").out
        ran = end(process)
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 200}), ran
    assert "paused by control since" in ran.err
    assert "sending again" in ran.err
    assert_all_once(desk.rows(), slow.truth(), NUMBERS)


def test_what_is_set_while_a_run_goes_is_seen_in_its_attempts(desk: Desk, slow: Sandbox) -> None:
    """More numbers in each call and fewer calls at once, from the next chunk on."""
    with running(desk, slow) as process:
        assert desk.k3push("control", "pause").exit == 0
        for setting in ("chunk-size=25", "concurrency=1"):
            done = desk.k3push("control", "set", setting)
            assert (done.exit, done.err) == (0, ""), done
            assert setting.replace("=", " is ") in done.out
        status = desk.k3push("status").out
        assert re.search(r"chunk-size 25, by control since \d\d:\d\d", status), status
        assert re.search(r"concurrency 1, by control since \d\d:\d\d", status), status
        assert desk.k3push("control", "continue").exit == 0
        ran = end(process)
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 200}), ran
    rows = desk.rows()
    assert_all_once(rows, slow.truth(), NUMBERS)
    chunks = [row["chunk"] for row in rows]
    sizes = [chunks.count(chunk) for chunk in dict.fromkeys(chunks)]
    assert sizes[:2] == [1, 2]
    assert set(sizes[:-1]) == {1, 2, 25}
    assert sizes.count(25) >= 5


def test_a_run_that_is_told_to_stop_ends_with_5_and_resumes(desk: Desk, slow: Sandbox) -> None:
    """It is Ctrl-C from another terminal: open calls are recorded, and the cause is named."""
    with running(desk, slow) as process:
        run = desk.k3push("status").out.split()[0]
        stopped = desk.k3push("control", run[:11], "stop")
        assert stopped.exit == 0, stopped
        assert stopped.out.startswith(f"run {run}: stopped")
        ran = end(process)
    assert (ran.exit, set(ran.said["counts"])) == (5, {"planned", "pushed"}), ran
    assert set(desk.summary()["stopped_by"]) == {"control"}
    assert_true(desk.rows(), slow.truth())
    resumed = desk.k3push("resume", "--chunk-size", "50", "--no-canary")
    assert resumed.exit == 0, resumed
    assert_all_once(desk.rows(), slow.truth(), NUMBERS)


def test_a_run_that_a_server_goes_on_with_later_takes_a_stop(desk: Desk, sandbox: Sandbox) -> None:
    """Its server waits, as for a ledger that was away: nothing is under way meanwhile."""
    desk.configure(sandbox.url)
    assert desk.k3push("run", desk.job(orders(2))).exit == 0
    run = RunId(desk.k3push("status").out.split()[0])

    async def act() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            now = datetime.now(UTC)
            await ledger.end_run(run, Exit.STOPPED, now)
            asked = Request("r", RequestKind.PUSH, "li", now, Stage.APPROVED, runs=(run,))
            await put_request(ledger, asked)

    async def left() -> list[Verb]:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            return [each.command.verb for each in await ledger.commands(run)]

    refused = desk.k3push("control", run, "stop")
    assert refused.exit == 2
    anyio.run(act)
    assert desk.k3push("control", run, "pause").exit == 2
    stopped = desk.k3push("control", run, "stop")
    assert (stopped.exit, "it is stopped then" in stopped.out) == (0, True), stopped
    assert anyio.run(left) == [Verb.STOP]


def test_a_run_that_is_not_under_way_takes_no_command(desk: Desk, sandbox: Sandbox) -> None:
    """The person hears what to do instead."""
    desk.configure(sandbox.url).k3push("run", desk.job(orders(3)))
    refused = desk.k3push("control", "pause")
    assert refused.exit == 2
    assert "has finished" in refused.err
    assert "k3push resume" not in refused.err
    assert desk.k3push("control", "20990101", "pause").exit == 2


@pytest.mark.parametrize(
    "words",
    [
        ["halt"],
        ["pause", "now"],
        ["last", "set"],
        ["set", "concurrency=0"],
        ["set", "chunk-size=ten"],
        ["set", "speed=9"],
    ],
)
def test_what_is_no_command_is_said_with_the_cure(
    desk: Desk, untouched: Sandbox, words: list[str]
) -> None:
    """A slip of the finger at night must not change anything, and says what may be typed."""
    desk.configure(untouched.url)
    refused = desk.k3push("control", *words)
    assert refused.exit == 2, refused
    assert "concurrency=N (1 to 256)" in refused.err
    assert words[-1] in refused.err


def test_outside_its_window_a_run_waits_and_obeys(desk: Desk, sandbox: Sandbox) -> None:
    """It says until when it waits, and can be stopped meanwhile."""
    # Half a day from now, so that no test run is so slow that it opens.
    hour = (time.localtime().tm_hour + 12) % 24
    desk.configure(sandbox.url, lines={"halt": f'window = "{hour:02}:00-{hour:02}:30"'})
    process = desk.begin("run", desk.job(orders(3)))
    assert process.stderr is not None
    assert f"outside the window until {hour:02}:00" in process.stderr.readline()
    assert f"outside the window until {hour:02}:00" in desk.k3push("status").out
    assert desk.k3push("control", "stop").exit == 0
    ran = end(process)
    assert ran.exit == 5, ran
    assert "stopped by control" in ran.out
    assert sandbox.made() == 0


def test_calls_per_minute_can_be_lifted_while_a_run_waits(desk: Desk, sandbox: Sandbox) -> None:
    """A limit that turns out too low need not be waited for until the morning."""
    desk.configure(sandbox.url, lines={"halt": "max_calls_per_minute = 2"})
    process = desk.begin("run", desk.job(orders(40)), "--json", "--chunk-size", "20")
    until(lambda: "under way" in desk.k3push("status").out)
    assert desk.k3push("control", "set", "calls-per-minute=0").exit == 0
    ran = end(process)
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 40}), ran
    # At two calls a minute it would have taken five minutes, longer than `end` waits.
    assert ran.said["pushes"] == 3


def test_a_thousand_refusals_stop_early_and_the_limit_is_named(desk: Desk, start: Start) -> None:
    """A wrong setting in the ERP costs what was on its way, and not nine hundred refusals.

    That is at most three numbers for each that has come through.
    """
    refusal = '[[refusal]]\nnumber = "CGDD{:07d}"\ncode = 11\ntext = "仓库 {{number}} 必录"\n'
    script = "".join(refusal.format(index) for index in range(100, 1000))
    sandbox = start("--faults", desk.write("script.toml", script))
    ran = desk.configure(sandbox.url).k3push("run", desk.job(orders(1000)))
    assert ran.exit == 5, ran
    said = re.search(
        r"halted: (\d+\.\d) % of (\d+) numbers were refused \(limit fail=20%,min=50\)", ran.out
    )
    assert said, ran.out
    assert 20 <= float(said[1]) < 100
    states = [row["state"] for row in desk.rows()]
    assert states.count("pushed") == 100
    assert 25 <= states.count("rejected") <= 325
    assert_true(desk.rows(), sandbox.truth())
    again = desk.k3push("resume", "--halt", "now,fail=30", "--lang", "zh")
    assert again.exit in {4, 5}, again
    assert re.search(r"触发停止规则：\d+ 张单据中有 \d+ 张被拒绝（上限 fail=30）", again.out), again


def test_no_color_means_no_escape_codes(desk: Desk, sandbox: Sandbox) -> None:
    """A log that is read in an editor shows each of them."""
    desk.environment = {"FORCE_COLOR": "1"}
    desk.configure(sandbox.url)
    job = desk.job(orders(1))
    assert "\x1b[3" in desk.k3push("run", job).out
    assert "\x1b[3" not in desk.k3push("status", "--no-color").out
    desk.environment["NO_COLOR"] = "1"
    assert "\x1b[3" not in desk.k3push("status").out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_the_first_ctrl_c_after_a_stop_still_waits_for_open_calls(desk: Desk, start: Start) -> None:
    """Whoever presses it once has not asked to leave calls behind, whatever else had stopped it."""
    script = '[[step]]\nfault = "make-then-delay:6"\n'
    sandbox, numbers = start("--faults", desk.write("script.toml", script)), orders(8)
    desk.configure(sandbox.url, lines=PATIENT)
    process = desk.begin("run", desk.job(numbers), "--no-canary", "--json")
    until(lambda: sandbox.made() == len(numbers))
    assert "one chunk is on its way" in desk.k3push("control", "stop").out
    process.send_signal(signal.SIGINT)
    ran = end(process)
    assert ran.said["counts"] == {"pushed": 8}, ran
    assert_all_once(desk.rows(), sandbox.truth(), numbers)
