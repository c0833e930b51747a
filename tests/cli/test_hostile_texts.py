"""Texts of strangers on a terminal: none is obeyed, and none begins a line."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from typer.main import get_command

from k3push.adapters.clock import SystemClock
from k3push.cli.actions import explain_number, show_runs
from k3push.cli.actions.fleet_status import _tenant_lines, _worker_lines
from k3push.cli.app import build_app, run
from k3push.cli.console.logs import LogOptions, open_log
from k3push.cli.console.progress import RunProgress
from k3push.cli.console.screen import screen
from k3push.core.model import BillNumber, Outcome, State
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.core.protocol.json_values import text_in
from k3push.ports import Ledger
from k3push.runs.find import RunFilter
from k3push.runs.throttle import Throttle
from k3push.wiring.ending_messages import message
from k3push.words.language import LANGUAGES, harmless, speaker
from tests.cli.terminal import Desk, Ran, Sandbox, orders
from tests.reporting.evil import HARMLESS, evil_ending, evil_ledger, evil_number

pytestmark = pytest.mark.halved

# C0, DEL, C1, what turns letters round, and ends of lines; sequences that set a title, make a
# link, fill the clipboard, go up and erase; and lines as we write them.
EVIL = (
    "".join(map(chr, [*range(1, 32), *range(0x7F, 0xA0)]))
    + "\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069"
    + "\x1b]0;title\x07\x1b]8;;http://evil\x1b\\link\x1b]52;c;AAAA\x07\x9d52;c;AAAA\x9c\x1b[2A\x1b[2K"
    + "\r\nworker on prod\nexit 0\n."
)
FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\x1b"
)
FORGED = re.compile(r"^\s*(worker on prod|exit 0)", re.MULTILINE)


def assert_harmless(text: str) -> None:
    """See that a terminal would obey nothing in it, and that no line of it is forged."""
    assert FORBIDDEN.findall(text.replace("\t", " ")) == []
    assert not FORGED.search(text)


@pytest.fixture
def anyio_backend() -> str:
    """Return the loop of commands."""
    return "asyncio"


@pytest.mark.parametrize("letter", [*map(chr, range(0xA0)), *"\u061c\u200f\u2028\u202e\u2066"])
def test_each_control_character_is_shown_and_not_obeyed(letter: str) -> None:
    """A letter that is no control character stays as it is."""
    told = harmless(f"a{letter}b")
    assert_harmless(told)
    assert "\n" not in told
    if letter.isprintable():
        assert told == f"a{letter}b"


@pytest.mark.parametrize(
    "forged", ["worker.gone{}", "bad\nworker.gone{}", "worker.gone{}\nworker.gone{}"]
)
def test_no_words_of_the_erp_pass_for_a_sentence_of_ours(forged: str) -> None:
    """Who knows our texts could write the lines of a worker."""
    told = speaker("en")("worker.lost", why=text_in(forged))
    assert "stopped" not in told
    assert "\n" not in told


@pytest.mark.anyio
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("what", ["status", "runs", "runs --json", "explain", "search"])
async def test_a_ledger_of_hostile_texts_is_shown(
    lang: Any,
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As many lines are printed as where the texts are harmless."""
    lines = []
    for text in (HARMLESS, EVIL):
        ledger = await evil_ledger(text, str(tmp_path))

        @asynccontextmanager
        async def opened(_: object, ledger: Ledger = ledger) -> AsyncIterator[Ledger]:
            yield ledger

        for module in (show_runs, explain_number):
            monkeypatch.setattr(module, "ledger_of", opened)
            monkeypatch.setattr(module, "load_settings", lambda _: Settings())
        say = speaker(lang)
        match what:
            case "status":
                await show_runs.status(None, None, say, json=False)
            case "explain":
                await explain_number.explain(None, evil_number(State.REJECTED, text), say)
            case "search":
                await explain_number.explain(None, "rejected", say)
            case _:
                wanted = RunFilter()
                await show_runs.runs(None, wanted, say, limit=None, json=what != "runs")
        out = capsys.readouterr()
        assert_harmless(out.out + out.err)
        lines.append((out.out + out.err).count("\n"))
    assert lines[0] == lines[1]


class Settings:
    """What `status` asks of the settings."""

    class run:  # noqa: N801
        """As the section is called."""

        window = ""

    def steps_of(self, _: object) -> tuple[str, ...]:
        """Return no steps."""
        return ()


@pytest.mark.anyio
async def test_a_message_to_people_has_one_line_for_its_title() -> None:
    """A line end in it would be a header of a mail."""
    ending = await evil_ending(await evil_ledger(EVIL), EVIL)
    title, body = message(ending, speaker("en"))
    assert_harmless(title + body)
    assert "\n" not in title


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_log_is_not_obeyed(capsys: pytest.CaptureFixture[str], json_lines: bool) -> None:  # noqa: FBT001 - a parameter
    """In JSON a program reads the texts as they were."""
    console = screen(stderr=True, soft_wrap=True)
    options = LogOptions(verbosity=2, json=json_lines)
    with open_log(options, console, lambda _: None) as log:
        log.waiting(f"why{EVIL}", 1.0)
        log.set_aside(f"user{EVIL}", f"why{EVIL}")
        number = BillNumber(f"n{EVIL}")
        rejected = Outcome(number, State.REJECTED, code=f"c{EVIL}", reason=f"r{EVIL}")
        log.concluded([rejected], left=State.PLANNED)
    told = capsys.readouterr().err
    assert_harmless(told)
    assert told.count("\n") == 4
    if json_lines:
        assert json.loads(told.splitlines()[-1])["number"] == f"n{EVIL}"


def test_progress_is_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """What is waited for is told in the ERP's words."""
    console = screen(stderr=True, soft_wrap=True)
    progress = RunProgress(console, speaker("en"), {State.PLANNED: 3}, Throttle(SystemClock()))
    progress.waiting(f"why{EVIL}", 1.0)
    progress.held(Hold(HoldCause.CONTROL, f"why{EVIL}"))
    assert_harmless(capsys.readouterr().err)


def test_the_fleet_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Names of tenants are names of files, and hosts call themselves as they like."""
    tenant = {
        "tenant": f"acme{EVIL}",
        "paused": True,
        "paused_because": f"why{EVIL}",
        **dict.fromkeys(("queued", "doing", "failed"), 1),
        "last_run": "r1",
        "last_exit": 3,
        "last_why": f"why{EVIL}",
        "next_due_at": None,
        "files_aside": [f"a{EVIL}.csv"],
        "in_doubt": {f"r{EVIL}": 2},
        "archive_failed": f"why{EVIL}",
        "schedules_failed": {f"nightly{EVIL}": f"why{EVIL}"},
    }
    worker = {"name": f"w{EVIL}", "host": f"h{EVIL}", "age_s": 1.0, "alive": True}
    worker |= {"serves": 1, "busy": 1}
    say, console = speaker("en"), screen(soft_wrap=True)
    lines = [
        *_tenant_lines([tenant], say),
        *_tenant_lines([tenant | {"paused": False}], say),
        *_worker_lines([worker, worker | {"alive": False}], say),
    ]
    for line in lines:
        assert "\n" not in line
        console.print(line)
    assert_harmless(capsys.readouterr().out)


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all commands, each with what a person types to call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_command_repeats_what_is_typed_as_it_is(
    lang: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script hands names of strangers on: to whichever command, and in whichever place."""
    monkeypatch.chdir(tmp_path)
    every = list(commands(get_command(build_app(speaker("en")))))
    assert len(every) > 30
    for path, command in every:
        files = [each for each in ("--config", "--tenants") if _takes(command, each)]
        for typed in ((EVIL,), (f"--{EVIL}",), (EVIL, *sum(((each, EVIL) for each in files), ()))):
            assert run([*path, *typed], lang) != 0, (path, typed)
            out, err = capsys.readouterr()
            assert_harmless(out + err)
            assert err


def _takes(command: Any, option: str) -> bool:
    return any(option in each.opts for each in command.params)


# -- an ERP of hostile words ----------------------------------------------------------------------


def evil_json(value: Any, key: str = "") -> Any:
    """Put EVIL at the end of an ERP's messages and names."""
    match value:
        case dict():
            return {name: evil_json(each, name) for name, each in value.items()}
        case list():
            return [evil_json(each, key) for each in value]
        case str() if key == "Message" or not value.isascii():
            return value + EVIL
        case _:
            return value


@pytest.fixture
def hostile(start: Callable[..., Sandbox]) -> Iterator[tuple[str, Sandbox]]:
    """Give the address of an ERP of hostile words, and the sandbox behind it."""
    sandbox = start()

    class Forwarder(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            back = http.client.HTTPConnection(sandbox.address, timeout=30)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "accept-encoding"}
            back.request("POST", self.path, body, headers)
            answer = back.getresponse()
            data = answer.read()
            if "json" in answer.headers.get("Content-Type", ""):
                data = json.dumps(evil_json(json.loads(data))).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            back.close()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forwarder)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/K3Cloud/", sandbox
    server.shutdown()
    server.server_close()


@pytest.mark.timeout(300)
def test_no_command_lets_an_erp_speak_to_the_terminal(
    hostile: tuple[str, Sandbox], desk: Desk
) -> None:
    """Refusals, rules, names of users: whatever the ERP says is shown, and not obeyed."""
    url, _ = hostile
    desk.configure(url)
    # The third is not approved, and one is not there.
    numbers = [*orders(3), "NONE1", *orders(2, 900)]
    job = desk.job(numbers, "a\x1b[31m\x9b1m.csv")
    commands: list[tuple[str, ...]] = [
        ("check",),
        ("plan", job, "-o", "p.jsonl"),
        ("run", job, "--yes", "-v", "-v"),
        ("run", job, "--yes", "--again", "--because", f"x{EVIL}", "-v", "--log-json"),
        ("status",),
        ("runs",),
        ("explain", numbers[3]),
        ("explain", f"x{EVIL}"),
        ("retry",),
        ("settle",),
        ("rules",),
        ("rules", "--json"),
        ("select", "-o", "s.csv", "--where", f"FBillNo='x{EVIL}'"),
        ("audit-dups", "--from-ledger"),
        ("audit-dups", "--from-ledger", "--json"),
        ("export", "--output", "e.csv"),
        ("report", "--output", "r.html"),
        ("token", "list"),
        ("ledger", "check"),
        ("run", f"no{EVIL.replace(chr(0), '')}.csv"),
        ("control", f"r{EVIL}", "pause"),
    ]
    told: list[Ran] = []
    for command in commands:
        ran = desk.k3push(*command)
        told.append(ran)
        assert_harmless(ran.text)
        assert "Traceback" not in ran.err, ran
    assert any("[U+001B]" in ran.text for ran in told)


def test_a_login_is_refused_in_hostile_words(hostile: tuple[str, Sandbox], desk: Desk) -> None:
    """The ERP says why, and its words stay words."""
    url, _ = hostile
    desk.configure(url, password="wrong")
    for command in (("check",), ("run", desk.job(orders(1)), "--yes")):
        ran = desk.k3push(*command)
        assert "[U+001B]" in ran.text
        assert_harmless(ran.text)
