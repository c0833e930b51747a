from __future__ import annotations

import json
import os
import re
import shlex
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Start
from tests.cli.terminal import PATIENT, Desk, Sandbox, assert_all_once, end, orders, until
from tests.forked import path_of_ours
from tests.shares import shared_out

pytestmark = pytest.mark.halved

TOKEN = "t0k3n-of-a-chat-group"


class Inbox:
    """A chat service on loopback, which keeps the messages that it is sent."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.messages: list[dict[str, Any]] = []
        messages = self.messages

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                messages.append(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Take)
        self.url = f"json://127.0.0.1:{self._server.server_port}/{TOKEN}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A chat service."""
    service = Inbox()
    yield service
    service.close()


def notify(urls: str, on: str = '["finish", "halt", "unknown", "login"]') -> str:
    """Return the table of settings that names whom to tell."""
    return f"\n[notify]\nurls = {urls}\non = {on}\n"


# -- notifications --------------------------------------------------------------------------------


def test_the_end_of_a_run_is_told(desk: Desk, sandbox: Sandbox, inbox: Inbox) -> None:
    """Who sleeps at the end of a run reads at eight what came of it, and where the report is."""
    desk.configure(sandbox.url, more=notify('[{ env = "CHAT" }]'))
    desk.environment["CHAT"] = inbox.url
    ran = desk.k3push("run", desk.job([*orders(3), "NOWHERE"]), "--json")
    assert ran.exit == 3, ran
    (message,) = inbox.messages
    assert message["title"].startswith("k3push po-instock: exit 3")
    assert "pushed 3 · rejected 1" in message["message"]
    assert ran.said["run"] in message["message"]
    assert "report.html" in message["message"]


def test_the_end_of_a_retry_is_told_though_its_exit_code_is_the_same(
    desk: Desk, sandbox: Sandbox, inbox: Inbox
) -> None:
    """Of sixty refused bills fifty may be pushed now; who has nothing to do tells nobody."""
    desk.configure(sandbox.url, more=notify(f'["{inbox.url}"]'))
    assert desk.k3push("run", desk.job([*orders(1), "NOWHERE"])).exit == 3
    assert desk.k3push("retry").exit == 3
    assert len(inbox.messages) == 2
    assert desk.k3push("resume").exit == 3
    assert len(inbox.messages) == 2


KILLED_AT_RESULTS = """
import os, signal
from k3push.wiring import executor
executor.write_results = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_is_killed_as_its_results_are_written_is_resumed_and_told(
    desk: Desk, sandbox: Sandbox, inbox: Inbox
) -> None:
    """Else its folder would lack them for good, and nobody would hear of it."""
    desk.configure(sandbox.url, more=notify(f'["{inbox.url}"]'))
    desk.write("sitecustomize.py", KILLED_AT_RESULTS)
    killed = Desk(desk.folder, desk.environment | path_of_ours(desk.folder))
    assert killed.k3push("run", desk.job([*orders(2), "NOWHERE"])).exit == -signal.SIGKILL
    assert (sandbox.made(), inbox.messages) == (2, [])
    assert desk.k3push("resume").exit == 3
    assert desk.summary()["counts"] == {"pushed": 2, "rejected": 1}
    assert (desk.results() / "report.html").is_file()
    assert (sandbox.made(), len(inbox.messages)) == (2, 1)


@pytest.mark.parametrize(
    ("on", "options", "told"),
    [
        ('["finish"]', [], True),
        ('["halt", "unknown", "login"]', [], False),
        ('["halt"]', ["--halt", "fail=1"], True),
        ('["finish"]', ["--halt", "fail=1"], False),
    ],
)
def test_only_what_was_asked_for_is_told(
    desk: Desk, start: Start, inbox: Inbox, on: str, options: list[str], *, told: bool
) -> None:
    """A group that hears of everything stops listening."""
    refusals = "".join(
        f'[[refusal]]\nnumber = "{number}"\ncode = 11\ntext = "no"\n' for number in orders(4)
    )
    sandbox = start("--faults", desk.write("script.toml", refusals))
    desk.configure(sandbox.url, more=notify(f'["{inbox.url}"]', on))
    desk.k3push("run", desk.job(orders(8)), "--chunk-size", "2", *options)
    assert len(inbox.messages) == told


def test_a_login_that_fails_is_told(desk: Desk, untouched: Sandbox, inbox: Inbox) -> None:
    """A password that ran out at night is mended sooner when somebody hears of it."""
    desk.configure(untouched.url, password="wrong", more=notify(f'["{inbox.url}"]', '["login"]'))
    assert desk.k3push("run", desk.job(orders(2))).exit == 6
    assert "exit 6" in inbox.messages[0]["title"]


def test_a_failing_notification_fails_no_run(desk: Desk, sandbox: Sandbox) -> None:
    """The bills are pushed, whatever a chat service does; its token is shown to nobody."""
    desk.configure(sandbox.url, more=notify(f'["json://127.0.0.1:9/{TOKEN}"]'))
    ran = desk.k3push("run", desk.job(orders(3)), "-v")
    assert ran.exit == 0, ran
    assert "json did not accept the message" in ran.err
    written = [path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()]
    assert TOKEN not in ran.text
    assert sum(TOKEN.encode() in content for content in written) == 1, "config.toml alone"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"dingtak://{TOKEN}", "dingtak://"),
        (f"mailto://me:{TOKEN}[@example.com", "mailto://"),
        (f"mailt://me:{TOKEN}@a\u2100b/x", "mailt://"),
        (TOKEN, "?"),
    ],
)
def test_an_address_that_no_service_knows_is_said_before_anything_is_sent(
    desk: Desk, untouched: Sandbox, address: str, shown: str
) -> None:
    """A mistake in the settings must not show itself at the end of the night, nor the token."""
    desk.configure(untouched.url, more=notify(f'["{address}"]'))
    ran = desk.k3push("run", desk.job(orders(3)))
    assert ran.exit == 2, ran
    assert "notify.urls" in ran.err
    assert shown in ran.err
    assert TOKEN not in ran.text
    # `check` before the first night finds it as well.
    checked = desk.k3push("check")
    assert (checked.exit, checked.err) == (2, ran.err), checked


# -- schedules ------------------------------------------------------------------------------------


def scheduled(desk: Desk, scheduler: str, *jobs: str) -> str:
    """Ask for a schedule."""
    desk.configure("http://127.0.0.1:9/", lines=PATIENT)
    ran = desk.k3push("schedule", "--at", "20:05", "--for", scheduler, *jobs)
    assert ran.exit == 0, ran
    return ran.out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such links for everybody")
def test_a_link_to_the_list_of_each_day_is_followed_each_night(desk: Desk) -> None:
    """It leads to another list by then, and the one of today would be pushed for ever."""
    (desk.folder / "today.csv").symlink_to(desk.job(orders(3), "20261128.csv"))
    printed = scheduled(desk, "cron", "today.csv")
    assert "/today.csv " in printed
    assert "20261128.csv" not in printed


def test_a_line_of_cron_is_a_command_that_works(desk: Desk, sandbox: Sandbox) -> None:
    """It is pasted as it stands, and names with blanks and percent signs are in it."""
    job = desk.job(orders(3), "两个 50%.csv")
    line, *_ = scheduled(desk, "cron", job).splitlines()
    minute, hour, *every, command = line.split(" ", 5)
    assert (minute, hour, every) == ("5", "20", ["*", "*", "*"])
    # What cron itself does with a percent sign.
    words = shlex.split(command.replace("\\%", "%"))
    assert words[:3] == ["cd", str(desk.folder), "&&"]
    assert words[-3:] == [">>", "k3push.log", "2>&1"]
    desk.configure(sandbox.url)
    ran = desk.k3push(*words[words.index("k3push") + 1 : -3])
    assert ran.exit == 0, ran
    assert sandbox.made() == 3


def test_a_unit_of_systemd_lets_open_calls_end(desk: Desk) -> None:
    """A stop that cuts calls off leaves numbers in doubt for no reason."""
    text = scheduled(desk, "systemd", "50% of them.csv")
    assert f'"{desk.folder}/50%% of them.csv"' in text
    assert "OnCalendar=*-*-* 20:05:00" in text
    (stop,) = re.findall(r"TimeoutStopSec=(\d+)", text)
    assert int(stop) > 60 + 1, "the answer's and the connection's time-outs"


@pytest.mark.parametrize("name", ["it's.csv", "'q'.csv", ";", "清单 1.csv"])
def test_a_unit_of_systemd_names_the_list_as_it_is_called(desk: Desk, name: str) -> None:
    """Of a quote within a name systemd makes another name, or no unit at all."""
    assert f' run "{desk.folder}/{name}" ' in scheduled(desk, "systemd", name)


def test_a_line_for_schtasks_holds_whole_paths(desk: Desk) -> None:
    """The task begins in a folder of Windows, so that a relative path leads nowhere."""
    line = scheduled(desk, "schtasks", "a b.csv").splitlines()[0]
    assert " /SC DAILY /ST 20:05 /TR " in line
    assert f'\\"{desk.folder / "a b.csv"}\\"' in line


def test_a_line_for_schtasks_without_a_list_goes_to_the_folder_of_the_settings(desk: Desk) -> None:
    """Else the results of the night would go to a folder of Windows, which refuses them."""
    line = scheduled(desk, "schtasks", "--select").splitlines()[0]
    assert f' /TR "cmd /c cd /d {desk.folder} && ' in line
    # The folder is named once: a task has room for 261 characters.
    assert " -m k3push run --select --config config.toml " in line
    assert line.count(str(desk.folder)) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--at", "25:00", "--for", "cron", "a.csv"), "25:00"),
        (("--at", "20:00", "--for", "launchd", "a.csv"), "launchd"),
        (("--at", "20:00", "--for", "cron", "-"), "standard input"),
        (("--at", "20:00", "--for", "cron", "a.csv", "--route", "nope"), "nope"),
        (("--at", "20:00", "--for", "schtasks", *("a-long-name.csv",) * 20), "261"),
    ],
)
def test_a_schedule_that_would_not_work_is_refused(
    desk: Desk, arguments: tuple[str, ...], said: str
) -> None:
    """What fails at 20:00 is better refused at six."""
    desk.configure("http://127.0.0.1:9/")
    ran = desk.k3push("schedule", *arguments)
    assert (ran.exit, ran.out) == (2, "")
    assert said in ran.err


@pytest.mark.parametrize("scheduler", ["cron", "systemd"])
def test_a_schedule_names_what_it_will_lack_of_the_environment(desk: Desk, scheduler: str) -> None:
    """Under another name than its own a secret is not found, and the night ends with 2."""
    told = {"password": 'password = { env = "MYPASS" }', **PATIENT}
    desk.configure("http://127.0.0.1:9/", lines=told).job(orders(1), "a.csv")
    desk.environment |= {"MYPASS": "x", "K3PUSH_RUN__CANARY": "false"}
    ran = desk.k3push("schedule", "--at", "20:05", "--for", scheduler, "a.csv")
    assert "does not have MYPASS, K3PUSH_RUN__CANARY: " in ran.out, ran
    desk.environment.clear()
    assert "does not have" not in scheduled(desk, scheduler, "a.csv")


def test_a_schedule_of_what_is_not_there_says_so(desk: Desk) -> None:
    """The list may come by then, and a name may be misspelt; the log of the night is read late."""
    (desk.folder / "inbox").mkdir()
    desk.configure("http://127.0.0.1:9/")
    ran = desk.k3push("schedule", "--at", "20:00", "--for", "cron", "inbox", "inbx")
    assert (ran.exit, ran.out.count("\n")) == (0, 2), ran
    assert ran.err.startswith("note: inbx: there is no such file or folder now"), ran


# -- two nights that overlap ----------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_run_waits_for_the_one_that_is_under_way(desk: Desk, start: Start) -> None:
    """Last night's list was long; tonight's begins when it has ended."""
    sandbox = start("--latency", "0.2")
    desk.configure(sandbox.url)
    first = desk.begin("run", desk.job(orders(200), "a.csv"), "--chunk-size", "1", "--json")
    until(lambda: sandbox.made() > 0)
    quits = desk.k3push("run", desk.job(orders(3, 197), "b.csv"), "--overlap", "quit")
    assert quits.exit == 5, quits
    assert "under way" in quits.err
    second = desk.begin("run", "b.csv", "--overlap", "wait", "--json")
    assert second.stderr is not None
    assert "under way" in second.stderr.readline()
    first.terminate()
    assert end(first).exit == 5
    waited = end(second)
    assert (waited.exit, waited.said["counts"]) == (0, {"pushed": 3}), waited
    assert_all_once(
        desk.rows(waited.said["run"]), truth_of(sandbox, orders(3, 197)), orders(3, 197)
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", shared_out(["run", "apply"], 2))
def test_a_signal_ends_the_waiting_for_another_run(
    desk: Desk, start: Start, command: str, told: signal.Signals
) -> None:
    """A script that knows the exit codes took it for a crash."""
    sandbox = start("--latency", "0.2")
    desk.configure(sandbox.url)
    names = [desk.job(orders(3, 197), "b.csv")]
    if command == "apply":
        assert desk.k3push("plan", *names, "-o", "b.plan.jsonl").exit == 0
        names = ["b.plan.jsonl"]
    first = desk.begin("run", desk.job(orders(200), "a.csv"), "--chunk-size", "1", "--json")
    until(lambda: sandbox.made() > 0)
    second = desk.begin(command, *names, "--overlap", "wait", "--yes")
    assert second.stderr is not None
    assert "under way" in second.stderr.readline()
    second.send_signal(told)
    waited = end(second)
    first.terminate()
    assert end(first).exit == 5
    assert (waited.exit, waited.out) == (5, ""), waited
    assert waited.err == (
        "error: told to stop while it waited for another run of this route; nothing was sent\n"
    )


def truth_of(sandbox: Sandbox, numbers: list[str]) -> dict[str, Any]:
    """Return what became of some numbers alone."""
    truth = sandbox.truth()
    return truth | {"sources": {number: truth["sources"][number] for number in numbers}}


# -- secrets --------------------------------------------------------------------------------------


def test_a_secret_goes_into_the_keyring_and_out_of_it(desk: Desk, sandbox: Sandbox) -> None:
    """The password is typed once, and stands in no file of k3push."""
    keyring = '{ keyring = "erp-test" }'
    desk.configure(sandbox.url, lines={"password": f"password = {keyring}"})
    desk.environment["PYTHON_KEYRING_BACKEND"] = "keyrings.alt.file.PlaintextKeyring"
    job = desk.job(orders(2))
    before = desk.k3push("run", job)
    assert before.exit == 2, before
    assert "erp.password" in before.err
    stored = desk.k3push("login", "set", given="sandbox\n")
    assert (stored.exit, stored.out) == (0, ""), stored
    assert "erp-test" in stored.err
    assert desk.k3push("run", job).exit == 0


@pytest.mark.parametrize(
    ("backend", "password", "given", "said"),
    [
        ("keyring.backends.fail.Keyring", '{ keyring = "a" }', "x\n", "keyring"),
        ("keyrings.alt.file.PlaintextKeyring", '{ keyring = "a" }', "\n", "empty"),
        ("keyrings.alt.file.PlaintextKeyring", '{ env = "A" }', "x\n", "keyring ="),
    ],
)
def test_a_secret_that_cannot_be_stored_is_said(
    desk: Desk, backend: str, password: str, given: str, said: str
) -> None:
    """A server has no keyring, and there another way is needed."""
    desk.configure("http://127.0.0.1:9/", lines={"password": f"password = {password}"})
    desk.environment["PYTHON_KEYRING_BACKEND"] = backend
    ran = desk.k3push("login", "set", given=given)
    assert ran.exit == 2, ran
    assert said in ran.err


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_files_are_readable_by_their_owner_only(desk: Desk, sandbox: Sandbox) -> None:
    """Numbers and refusals are the company's business."""
    desk.configure(sandbox.url)
    os.umask(0o022)
    desk.k3push("run", desk.job([*orders(2), "NOWHERE"]))
    made = [*desk.results().iterdir(), *desk.folder.glob("ledger.db*")]
    assert len(made) >= 4
    assert [str(path) for path in made if path.stat().st_mode & 0o077] == []
    assert not Path(desk.results()).stat().st_mode & 0o077


# -- audits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on", "told"), [('["doubles"]', True), ('["unknown", "login"]', False)])
def test_what_an_audit_has_found_is_told(
    desk: Desk, start: Start, inbox: Inbox, on: str, *, told: bool
) -> None:
    """An audit runs at night, and a double costs less in the morning than at the end of a month."""
    desk.configure(start("--write-back", "never").url, lines=PATIENT)
    (number,) = orders(1)
    job = desk.job([number])
    for more in ((), ("--again", "--because", "a test")):
        assert desk.k3push("run", job, "--quiet", *more).exit == 0
    config = (desk.folder / "config.toml").read_text("utf-8")
    desk.write("config.toml", config + notify(f'["{inbox.url}"]', on))
    assert desk.k3push("audit-dups", "--quiet", "--output", "found.html").exit == 3
    assert len(inbox.messages) == told
    for message in inbox.messages:
        assert message["title"] == "k3push audit-dups: exit 3"
        assert number in message["message"]
        assert "found.html" in message["message"]
