from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType

import anyio
import pytest
from anyio.lowlevel import checkpoint

from k3push.__main__ import main
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.cli.console.signals import on_interrupt
from k3push.cli.console.streams import _Unminded
from tests.adapters.ledger.samples import planned
from tests.cli.conftest import Start
from tests.cli.terminal import (
    PATIENT,
    Desk,
    Ran,
    Sandbox,
    assert_all_once,
    assert_true,
    end,
    orders,
    until,
)
from tests.forked import path_of_ours

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals"),
    pytest.mark.halved,
]

NUMBERS = orders(200)

FORTY = orders(40)

# Longer than it takes a loop to hear of a signal.
LONG_S = 10.0

HANGS = '[[step]]\nfault = "ok"\n[[step]]\nfault = "make-then-delay:60"\n'


@pytest.fixture
def slow(start: Start) -> Sandbox:
    """A sandbox whose calls take a while, so that a run can be met in its middle."""
    return start("--latency", "0.2")


@pytest.fixture
def running(desk: Desk, slow: Sandbox) -> subprocess.Popen[str]:
    """A run in its middle: something is pushed, and much is not."""
    desk.configure(slow.url)
    job = desk.job(NUMBERS)
    process = desk.begin("run", job, "--json", "--chunk-size", "5", "--concurrency", "3")
    until(lambda: slow.made() >= 15)
    assert process.poll() is None
    return process


def test_ctrl_c_ends_a_command_in_silence_while_it_is_being_loaded(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Within the first tenths of a second as later."""

    class Loading(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "k3push.cli.app", Loading("k3push.cli.app"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("export", "--output", "all.csv"), 2),
        (("ledger", "check"), 2),
        (("ledger", "copy", "config", "sqlite:///copy.db"), 2),
        (("resume",), 5),
    ],
)
def test_a_ledger_of_which_pages_are_damaged_ends_what_only_reads_as_a_fault_of_its_place(
    desk: Desk, untouched: Sandbox, words: tuple[str, ...], code: int
) -> None:
    """There is nothing to resume; what may have sent something is another matter."""
    desk.configure(untouched.url)
    anyio.run(_listed_in, desk.folder / "ledger.db")
    pages = bytearray((desk.folder / "ledger.db").read_bytes())
    pages[len(pages) // 2 :] = b"A" * len(pages[len(pages) // 2 :])
    (desk.folder / "ledger.db").write_bytes(pages)
    ran = desk.k3push(*words)
    assert (ran.exit, "is malformed" in ran.err) == (code, True), ran
    assert ("Nothing was begun" in ran.err) == (code == 2), ran


async def _listed_in(path: Path) -> None:
    async with open_sqlite(path, account="sandbox") as ledger:
        run = await planned(
            ledger, " ".join(orders(2000)), scope="sandbox|pur_purchaseorder|stk_instock"
        )
        async with ledger.own(run):
            await ledger.close_list(run)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
@pytest.mark.parametrize(
    ("words", "code"), [("runs", 2), ("completion bash", 2), ("run orders.csv --yes --json", 0)]
)
def test_a_command_that_shows_nothing_of_what_was_asked_does_not_end_well(
    desk: Desk, sandbox: Sandbox, words: str, code: int
) -> None:
    """A script would take no words for the answer; of bills the exit code tells all the same."""
    desk.configure(sandbox.url).job(orders(1))
    assert desk.k3push("run", "orders.csv", "--yes").exit == 0
    command = f'exec "{sys.executable}" -m k3push {words} > /dev/full'
    ran = subprocess.run(  # noqa: S603  # our own interpreter
        ["/bin/sh", "-c", command],
        cwd=desk.folder,
        env=path_of_ours() | {"PATH": "", "HOME": str(desk.folder), "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ran.returncode, "No space left" in ran.stderr) == (code, True), ran


@pytest.mark.parametrize(
    "words", [("status",), ("runs",), ("resume",), ("ledger", "check"), ("ledger", "migrate")]
)
def test_a_command_that_needs_a_ledger_ends_alike_without_one(
    desk: Desk, untouched: Sandbox, words: tuple[str, ...]
) -> None:
    """Nothing is wrong with a disk, so there is nothing to resume."""
    desk.configure(untouched.url)
    ran = desk.k3push(*words)
    assert (ran.exit, "there is no ledger yet" in ran.err) == (2, True), ran


@pytest.mark.parametrize(
    "words", [("run", "orders.csv"), ("ledger", "check"), ("ledger", "migrate")]
)
@pytest.mark.parametrize(("is_folder", "why"), [(False, "another program"), (True, "directory")])
def test_a_ledger_that_is_none_is_refused_alike_by_every_command(
    desk: Desk, untouched: Sandbox, words: tuple[str, ...], why: str, *, is_folder: bool
) -> None:
    """What cannot be a ledger is no place where `run` could begin one, and no fault of the disk."""
    desk.configure(untouched.url).job(orders(1))
    path = desk.folder / "ledger.db"
    if is_folder:
        path.mkdir()
    else:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE theirs(a)")
    ran = desk.k3push(*words)
    assert (ran.exit, why in ran.err) == (2, True), ran


def test_runs_of_a_route_that_there_is_not_are_refused_with_the_routes_that_there_are(
    desk: Desk, sandbox: Sandbox
) -> None:
    """That no run is like that would be taken for the answer."""
    desk.configure(sandbox.url)
    desk.k3push("run", desk.job(orders(1)), "--yes")
    ran = desk.k3push("runs", "--route", "po-in")
    assert (ran.exit, "po-instock" in ran.err, ran.out) == (2, True, ""), ran
    ran = desk.k3push("runs", "--route", "po-instock", "--exit", "6")
    assert (ran.exit, "No run is like that." in ran.err) == (0, True), ran
    # A route that the settings have no more is still that of its runs.
    text = desk.folder.joinpath("config.toml").read_text("utf-8")
    desk.write("config.toml", text.replace("routes.po-instock", "routes.renamed"))
    assert desk.k3push("runs", "--route", "po-instock", "--exit", "6").exit == 0


@pytest.mark.parametrize(
    "url", ["sqlite:///nowhere/ledger.db", "sqlite:///.", "sqlite:///text.txt"]
)
def test_a_ledger_that_cannot_be_one_is_a_fault_of_the_settings(
    desk: Desk, untouched: Sandbox, url: str
) -> None:
    """Nothing was begun, so there is nothing to resume."""
    desk.write("text.txt", "no ledger, but a text that is as long as the head of one is" * 9)
    desk.configure(untouched.url, more=f'\n[ledger]\nurl = "{url}"\n')
    ran = desk.k3push("run", desk.job(orders(1)), "--yes")
    assert ran.exit == 2, ran


def test_what_stands_in_the_place_of_a_file_beside_the_ledger_is_named(
    desk: Desk, untouched: Sandbox
) -> None:
    """The path of the ledger itself is right."""
    desk.write("ledger.db-locks", "no folder")
    desk.configure(untouched.url)
    ran = desk.k3push("run", desk.job(orders(1)), "--yes")
    assert (ran.exit, "ledger.db-locks: " in ran.err) == (2, True), ran


def resume(desk: Desk, *options: str) -> Ran:
    """Resume fast."""
    return desk.k3push("resume", "--json", "--chunk-size", "50", "--no-canary", *options)


def test_a_killed_run_is_resumed(desk: Desk, slow: Sandbox, running: subprocess.Popen[str]) -> None:
    """After SIGKILL `resume` settles what was open and does the rest: no number twice."""
    running.kill()
    assert end(running).exit == -signal.SIGKILL
    assert slow.made() < len(NUMBERS)
    told = desk.k3push("status")
    assert (told.exit, "killed" in told.out, "`k3push resume`" in told.out) == (0, True, True)
    resumed = resume(desk)
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 200}), resumed
    assert_all_once(desk.rows(), slow.truth(), NUMBERS)


def test_a_killed_run_is_not_forgotten_for_one_that_came_after_it(
    desk: Desk, running: subprocess.Popen[str]
) -> None:
    """`resume` and `status` are about the last run, and name what stopped before it."""
    running.kill()
    end(running)
    told = desk.k3push("status").out
    killed = told.split()[0]
    assert "stopped before" not in told
    after = desk.k3push("run", desk.job(orders(3, 500), "more.csv"), "--json", "--no-canary")
    assert after.exit == 0, after
    hint = f"stopped before the end: {killed}; `k3push resume {killed}` goes on"
    nothing = desk.k3push("resume")
    assert (nothing.exit, hint in nothing.err) == (0, True), nothing
    assert hint in desk.k3push("status").out
    assert "stopped before" not in desk.k3push("status", after.said["run"]).out
    resumed = resume(desk, killed)
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 200}), resumed
    assert "stopped before" not in desk.k3push("status").out + desk.k3push("resume").err


def test_a_folders_list_whose_run_was_killed_is_told_until_it_has_come_to_its_end(
    desk: Desk, slow: Sandbox
) -> None:
    """It was taken, so that no later night pushes it; a night goes by the exit code alone."""
    desk.configure(slow.url)
    (desk.folder / "inbox").mkdir()

    def drop(name: str, numbers: list[str], *, at_s: float = 1e9) -> None:
        path = desk.folder / desk.job(numbers, f"inbox/{name}")
        os.utime(path, (at_s, at_s))

    drop("whole.csv", orders(1, 600), at_s=9e8)
    drop("a.csv", NUMBERS)
    night = ("run", "inbox", "--yes", "--chunk-size", "50", "--no-canary")
    process = desk.begin(*night)
    until(lambda: slow.made() > 1)
    process.kill()
    end(process)
    killed = desk.k3push("status").out.split()[0]
    told = f"run {killed} has taken it and was cut off; `k3push resume {killed}` goes on"
    again = desk.k3push(*night)
    assert (again.exit, told in again.err, "a.csv" in again.err) == (5, True, True), again
    assert "whole.csv" not in again.err  # its run came to its end
    drop("b.csv", orders(3, 500))
    beside = desk.k3push(*night)
    assert (beside.exit, told in beside.err) == (5, True), beside
    resumed = resume(desk, killed)
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 201}), resumed
    assert slow.made() == 204
    quiet = desk.k3push(*night)
    assert (quiet.exit, "nothing new" in quiet.err) == (0, True), quiet


def test_a_new_run_over_a_killed_one(
    desk: Desk, slow: Sandbox, running: subprocess.Popen[str]
) -> None:
    """Who forgets to resume and runs the list again gets no second document either."""
    running.kill()
    end(running)
    again = desk.k3push("run", "orders.csv", "--json", "--chunk-size", "50", "--no-canary")
    assert again.exit == 0, again
    assert_all_once(desk.rows(again.said["run"]), slow.truth(), NUMBERS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_interrupt_waits_for_open_calls(
    desk: Desk, slow: Sandbox, running: subprocess.Popen[str], number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM record what is open, send nothing new, and end with 5."""
    running.send_signal(number)
    ran = end(running)
    assert ran.exit == 5, ran
    assert ran.said["exit"] == 5
    assert set(ran.said["counts"]) == {"planned", "pushed"}
    assert "Ctrl-C again" in ran.err
    truth, rows = slow.truth(), desk.rows()
    assert_true(rows, truth)
    assert len(truth["sources"]) < len(NUMBERS)
    assert len(desk.rows(name="planned.csv")) == ran.said["counts"]["planned"]
    resumed = resume(desk)
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 200}), resumed
    assert_all_once(desk.rows(), slow.truth(), NUMBERS)


def test_an_interrupt_in_the_midst_of_an_import_comes_after_it(tmp_path: Path) -> None:
    """There Python loses it, or keeps a lock that each later import waits for."""
    (tmp_path / "slow_import.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    code = (
        "import signal, time\n"
        "from k3push.__main__ import interrupt\n"
        "signal.signal(signal.SIGINT, interrupt)\n"
        "import slow_import\n"
        "try:\n"
        "    time.sleep(20)\n"
        "except KeyboardInterrupt:\n"
        "    import json\n"
        "    print('ended', json.__name__)\n"
    )
    said = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, **path_of_ours(tmp_path)},
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert said.stdout == "ended json\n", said.stderr


@contextmanager
def taken_up(number: signal.Signals) -> Iterator[None]:
    """Begin processes for which a signal is not ignored, though it may be for the tests."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_a_terminal_that_closes_is_an_interrupt(desk: Desk, slow: Sandbox) -> None:
    """A lost line left a number `sent`, and `resume` had to wait for its whole window.

    Shell and system both say so, and what is written to it then is nobody's concern.
    """
    desk.configure(slow.url)
    options = (desk.job(NUMBERS), "--yes", "--chunk-size", "5", "--concurrency", "3")
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb"), taken_up(signal.SIGHUP):
        process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-m", "k3push", "run", *options],
            cwd=desk.folder,
            env={**path_of_ours(), **desk.environment, "HOME": str(desk.folder), "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        until(lambda: slow.made() >= 15)
    for _ in range(2):
        process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 5
    rows = desk.rows()
    assert {row["state"] for row in rows} == {"planned", "pushed"}
    assert_true(rows, slow.truth())
    resumed = resume(desk)
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 200}), resumed
    assert_all_once(desk.rows(), slow.truth(), NUMBERS)


@pytest.mark.parametrize(
    ("numbers", "wishes"),
    [
        ((signal.SIGTERM, signal.SIGHUP), 1),
        ((signal.SIGHUP, signal.SIGTERM, signal.SIGHUP), 1),
        ((signal.SIGHUP, signal.SIGINT, signal.SIGINT), 2),
    ],
)
def test_a_hang_up_is_nobodys_second_wish(numbers: tuple[signal.Signals, ...], wishes: int) -> None:
    """Who ends a session sends SIGTERM and a hang-up at once, and Ctrl-C may come before one."""
    told: list[None] = []

    async def hear() -> None:
        with on_interrupt(lambda: told.append(None)):
            for number in numbers:
                signal.raise_signal(number)
            await checkpoint()

    anyio.run(hear)
    assert len(told) == wishes


@pytest.mark.parametrize(("patience_s", "code"), [(0.0, -signal.SIGINT), (60.0, 0)])
def test_a_third_wish_waits_for_nothing(patience_s: float, code: int) -> None:
    """A database whose disk hangs answers nobody, nor lets go; who holds the keys down is safe."""
    script = f"""
import anyio, signal
from k3push.cli.console import signals

signals.AT_ONCE_S = {patience_s}

async def hang():
    with anyio.CancelScope(shield=True), signals.on_interrupt(lambda: None):
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)

anyio.run(hang)
"""
    ended = subprocess.run([sys.executable, "-c", script], env=path_of_ours(), check=False)  # noqa: S603  # our own interpreter
    assert ended.returncode == code


def test_a_signal_that_does_not_wake_the_loop_is_heard_at_once() -> None:
    """As one that comes right before the loop goes to sleep: here another thread takes it."""
    heard_s: list[float] = []

    async def hear() -> None:
        ended = anyio.Event()

        def end_it() -> None:
            # By then the loop is asleep; if it is not, the signal is heard in any case.
            threading.Event().wait(0.2)
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

        with on_interrupt(ended.set), anyio.move_on_after(LONG_S):
            began_s = anyio.current_time()
            asyncio.get_running_loop().call_soon(threading.Thread(target=end_it).start)
            await ended.wait()
            heard_s.append(anyio.current_time() - began_s)

    anyio.run(hear)
    assert [each for each in heard_s if each < LONG_S]


def test_what_is_told_to_a_closed_terminal_is_not_missed() -> None:
    """No error says that standard output did not take all."""
    ours, theirs = os.openpty()
    told = _Unminded(theirs)
    os.close(ours)
    told.write(b"the end")
    os.close(theirs)
    assert told.lost == ""


def test_under_nohup_a_hang_up_means_nothing(desk: Desk, slow: Sandbox) -> None:
    """The run goes on to its end, as whoever typed it wished."""
    desk.configure(slow.url)
    ignoring = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    process = desk.begin("run", desk.job(NUMBERS), "--json", wrapper=ignoring)
    until(lambda: slow.made() > 0)
    process.send_signal(signal.SIGHUP)
    ran = end(process)
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 200}), ran


@pytest.fixture
def hanging(desk: Desk, start: Start) -> tuple[Sandbox, subprocess.Popen[str]]:
    """A run over forty numbers in two calls, of which the second is made and never answered."""
    sandbox = start("--faults", desk.write("script.toml", HANGS))
    desk.configure(sandbox.url, lines=PATIENT)
    options = ("--json", "--no-canary", "--chunk-size", "20")
    process = desk.begin("run", desk.job(FORTY), *options)
    until(lambda: sandbox.made() == len(FORTY))
    return sandbox, process


Hanging = tuple[Sandbox, subprocess.Popen[str]]


def test_a_second_interrupt_stops_at_once(desk: Desk, hanging: Hanging) -> None:
    """It does not wait for open calls, and leaves them to `resume`, which settles them."""
    sandbox, process = hanging
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert "Ctrl-C again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    ran = end(process)
    assert ran.exit == 4, ran
    resumed = resume(desk)
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 40}), resumed
    assert_all_once(desk.rows(), sandbox.truth(), FORTY)


def test_a_living_run_is_left_alone(desk: Desk, hanging: Hanging) -> None:
    """`resume`, `retry` and `settle` refuse a run that another process executes."""
    sandbox, process = hanging
    for command in ("resume", "retry", "settle"):
        refused = desk.k3push(command)
        assert refused.exit == 2, refused
        assert "under way already" in refused.err
        assert "已在执行" in desk.k3push(command, "--lang", "zh").err
    told = desk.k3push("status").out
    assert "pushed" in told
    assert "under way" in told
    assert "k3push resume" not in told
    process.kill()
    end(process)
    assert resume(desk).exit == 0
    assert_all_once(desk.rows(), sandbox.truth(), FORTY)


def test_a_living_run_settles_by_itself_and_says_so(desk: Desk, start: Start) -> None:
    """Neither `settle` nor `status` sends a person to do what the run does anyway."""
    script = '[[step]]\nfault = "make-then-reset"\n'
    sandbox = start("--faults", desk.write("script.toml", script))
    desk.configure(
        sandbox.url, lines={"first_wait_s": "first_wait_s = 60", "window_s": "window_s = 600"}
    )
    process = desk.begin("run", desk.job(orders(3)), "--no-canary", "--json")
    with process:
        until(lambda: "unknown" in desk.k3push("status").out)
        told = desk.k3push("status").out
        refused = desk.k3push("settle")
        word = desk.k3push("settle", "--as", "pushed", *orders(1), "--because", "seen")
        process.kill()
    assert "asks the ERP about unknown numbers itself" in told, told
    assert "k3push settle" not in told
    for each in (refused, word):
        assert each.exit == 2, each
        assert "asks the ERP about unknown numbers itself" in each.err
        assert "nothing to do" in each.err
    assert "k3push resume" in desk.k3push("status").out


def test_settle_makes_the_look_that_is_due_after_a_kill(desk: Desk, start: Start) -> None:
    """All bills have come to their end, and the run waits for its last look at a refusal."""
    script = '[[step]]\nfault = "no-permission"\n'
    sandbox = start("--faults", desk.write("script.toml", script))
    desk.configure(
        sandbox.url, lines={"first_wait_s": "first_wait_s = 60", "window_s": "window_s = 600"}
    )
    process = desk.begin("run", desk.job(orders(1)), "--json")
    with process:
        until(lambda: "rejected" in desk.k3push("status").out)
        process.kill()
    desk.configure(sandbox.url)
    settled, again = desk.k3push("settle"), desk.k3push("settle")
    assert "no unknown numbers" not in settled.err, settled
    assert "no unknown numbers" in again.err, again


def test_settle_and_retry_name_other_runs_that_have_something_for_them(
    desk: Desk, start: Start
) -> None:
    """The last run has nothing; what the one before it has left is not passed over in silence."""
    script = '[[step]]\nfault = "make-then-reset"\n'
    sandbox = start("--faults", desk.write("script.toml", script))
    desk.configure(
        sandbox.url, lines={"first_wait_s": "first_wait_s = 60", "window_s": "window_s = 600"}
    )
    job = desk.job([*orders(3), "CGDDU000001"])
    left = desk.k3push("run", job, "--no-canary", "--max-duration", "2s", "--json")
    assert (left.exit, left.said["counts"]) == (4, {"rejected": 1, "unknown": 3}), left
    assert desk.k3push("run", desk.job(orders(2, 10), "more.csv")).exit == 0
    settled, retried = desk.k3push("settle"), desk.k3push("retry")
    assert f"k3push settle {left.said['run']}" in settled.err, settled
    assert f"k3push retry {left.said['run']}" in retried.err, retried
    desk.configure(sandbox.url)
    assert desk.k3push("settle", left.said["run"]).exit == 3
    assert "k3push settle" not in desk.k3push("settle").err


def test_a_deadline_ends_a_run(desk: Desk, slow: Sandbox) -> None:
    """`--max-duration` ends a run with 5, and `resume` goes on."""
    desk.configure(slow.url)
    options = ("--chunk-size", "5", "--concurrency", "1", "--max-duration", "1s")
    ran = desk.k3push("run", desk.job(NUMBERS), *options)
    assert ran.exit == 5, ran
    assert "--max-duration" in ran.out
    assert slow.made() < len(NUMBERS)
    assert_true(desk.rows(), slow.truth())
    assert resume(desk).exit == 0
    assert_all_once(desk.rows(), slow.truth(), NUMBERS)


def test_a_halt_rule_ends_a_run(desk: Desk, start: Start) -> None:
    """Too many refusals stop the run with 5, and the rule is named."""
    refusal = '[[refusal]]\nnumber = "CGDD{:07d}"\ncode = 11\ntext = "不行"\n'
    script = "".join(refusal.format(index) for index in range(5, 25))
    sandbox = start("--faults", desk.write("script.toml", script))
    desk.configure(sandbox.url)
    options = ("--chunk-size", "10", "--concurrency", "1", "--halt", "fail=5")
    ran = desk.k3push("run", desk.job(orders(60)), *options)
    assert ran.exit == 5, ran
    assert "limit fail=5" in ran.out
    assert "limit fail=5" in desk.k3push("status").out
    assert_true(desk.rows(), sandbox.truth())
    assert desk.k3push("resume", "--halt", "").exit == 3
    states = [row["state"] for row in desk.rows()]
    assert (states.count("pushed"), states.count("rejected")) == (40, 20)
    assert_true(desk.rows(), sandbox.truth())


def test_a_ledger_that_was_put_back_waits_for_calls_of_which_it_knows_nothing(
    desk: Desk, start: Start
) -> None:
    """The executor was killed while the ERP was at a call, which no look can show yet."""
    late = '[[step]]\nfault = "ok"\n[[step]]\nfault = "late-commit:4"\n'
    sandbox = start("--faults", desk.write("script.toml", late))
    desk.configure(sandbox.url)
    ledger, twice = desk.folder / "ledger.db", orders(2, 100)
    assert desk.k3push("run", desk.job(orders(1), "before.csv"), "--yes").exit == 0
    backup = ledger.read_bytes()
    running = desk.begin("run", desk.job(twice), "--chunk-size", "2", "--no-canary", "--yes")
    until(lambda: [*desk.folder.glob("ledger.db-locks/*.sent")] != [])
    running.kill()
    end(running)
    for file in desk.folder.glob("ledger.db-*"):
        if file.is_file():
            file.unlink()
    ledger.write_bytes(backup)
    again = desk.k3push("run", "orders.csv", "--json", "--yes")
    assert again.exit == 0, again
    assert "the ledger is older than the last call" in again.err
    truth = sandbox.truth()["sources"]
    assert {number: len(truth[number]) for number in twice} == dict.fromkeys(twice, 1)
