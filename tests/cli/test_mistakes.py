from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import pytest

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.cli.app import run
from tests.adapters.ledger.samples import planned
from tests.cli.terminal import Desk, Sandbox
from tests.reporting.pages import RUN as A_RUN

GOOD = "单据编号\nCGDD0000001\n"

RUN = ("run", "orders.csv")

SECRET = "do-not-show-me"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """Something that cannot work, and what must be named.

    Attributes:
        named: Words of the place and of the cure.
        types: What the user types.
        job: What is in the job file; None for no such file.
        name: The job file's name.
        lines: Lines of config.toml, by the key whose line they replace.
        more: What stands at the end of config.toml.
        configured: Whether there is a config.toml.
        environment: Variables that are set.
        files: More files.
    """

    named: tuple[str, ...]
    types: tuple[str, ...] = RUN
    job: str | bytes | None = GOOD
    name: str = "orders.csv"
    lines: Mapping[str, str] = field(default_factory=dict)
    more: str = ""
    configured: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)


def bad_job(job: str | bytes, *named: str, name: str = "orders.csv") -> Mistake:
    """Return a job file that must be mended; it is always named."""
    return Mistake(types=("run", name), name=name, job=job, named=(name, *named))


def bad_key(key: str, line: str, *named: str) -> Mistake:
    """Return a config.toml with another line for a key."""
    return Mistake(lines={key: line}, named=("error: config.toml", *named))


def bad_end(more: str, *named: str) -> Mistake:
    """Return a config.toml with more at its end."""
    return Mistake(more=more, named=("error: config.toml", *named))


def bad_words(*types: str, named: tuple[str, ...]) -> Mistake:
    """Return arguments that cannot be taken."""
    return Mistake(types=types, named=named)


JOB_FILES = {
    "missing": Mistake(job=None, named=("orders.csv", "no such file", "Check the name")),
    "folder": Mistake(
        types=("plan", "lists"),
        files={"lists/a.csv": GOOD},
        named=("lists: this is a folder", "`k3push run` takes"),
    ),
    "no-byte": bad_job(b"", "empty", "Export it again"),
    "only-blanks": bad_job(" \n \n", "nothing in the file but blanks", name="orders.json"),
    "comma": bad_job('单据编号\nCGDD0000001\n"A,B"\n', "line 3", "comma", "a line of its own"),
    "shortened": bad_job("单据编号,备注\n2.01803E+13,x\n", "line 2", "2.01803E+13", "as text"),
    "tab": bad_job('单据编号\n"A\tB"\n', "line 2", "a tab", "a line of its own"),
    "pasted-list": bad_job("单据编号\nCGDD0000001,CGDD0000002\n", "line 2"),
    "empty-number": bad_job("单据编号,备注\nCGDD0000001,\n,x\n", "line 3", "empty"),
    "too-long": bad_job(f"单据编号\n{'9' * 81}\n", "line 2", "80"),
    "control-character": bad_job("单据编号\nA\x07B\n", "line 2", "U+0007", "again"),
    "line-break-in-a-number": bad_job('单据编号\n"A\nB"\n', "line 2"),
    "open-quote": bad_job('单据编号\n"A\nB\nC\n', "line 2", "quot"),
    "unknown-headings": bad_job("foo,bar\nCGDD0000001,x\n", "foo", "--column"),
    "two-columns-of-numbers": bad_job("number,单号\nA,B\n", "number", "单号", "--column"),
    "no-such-column": Mistake(
        types=(*RUN, "--column", "采购单"), named=("orders.csv", "采购单", "单据编号")
    ),
    "no-text": bad_job(b"\xff\xfe\x00\xd8\x00\xd8", "orders.csv"),
    "undecodable": bad_job("单据编号\n".encode() + b"\xc3\x28\x81\n", "line"),
    "nul": bad_job(b"number\nA\x00B\x00\n\x00\x00", "orders.csv"),
    "a-picture": bad_job(b"\x89PNG\r\n\x1a\n" + bytes(40), "not a list", "Export"),
    "json-in-csv": bad_job('["CGDD0000001"]', "JSON", "line 1"),
    "settings-for-a-list": Mistake(
        types=("run", "config.toml"), named=("config.toml", "file of settings", "--config")
    ),
    "csv-in-json": bad_job(GOOD, "line 1", name="orders.json"),
    "csv-in-jsonl": bad_job(GOOD, "line 1", name="orders.jsonl"),
    "half-json": bad_job('[\n"CGDD0000001",\n"CGDD', "line 3", name="orders.json"),
    "json-syntax": bad_job('["A" "B"]', "line 1", name="orders.json"),
    "deep-json": bad_job("[" * 500, "nested", name="orders.json"),
    "json-without-a-list": bad_job('{"count": 3}', "numbers", name="orders.json"),
    "json-numbers-twice": bad_job(
        '{"numbers": ["A"], "numbers": ["B"]}', "twice", name="orders.json"
    ),
    "json-route-no-text": bad_job('{"route": 7, "numbers": ["A"]}', "route", name="orders.json"),
    "json-record-without-a-number": bad_job('[{"bill": "A"}]', "line 1", name="orders.json"),
    "json-null": bad_job('["A", null]', "line 1", name="orders.json"),
    "jsonl-half": bad_job('"A"\n{"number": "B"\n', "line 2", name="orders.jsonl"),
    "route-of-a-line": bad_job(
        "单号,route\nCGDD0000001,\nCGDD0000002,po-instok\n", "line 3", "mean 'po-instock'"
    ),
    "second-file": Mistake(
        types=(*RUN, "more.txt"), files={"more.txt": ""}, named=("more.txt", "empty")
    ),
}

SETTINGS = {
    "none": Mistake(configured=False, named=("config.toml", "k3push init")),
    "named-and-missing": Mistake(
        types=(*RUN, "--config", "other.toml"), named=("other.toml", "no such file", "Check")
    ),
    "no-toml": bad_end("\n[run\n", "[run] is there twice", "line 22"),
    "no-utf-8": Mistake(
        types=(*RUN, "--config", "gbk.toml"),
        files={"gbk.toml": "# 采购".encode("gb18030")},
        named=("gbk.toml", "save it as UTF-8"),
    ),
    "unknown-key": bad_key("halt", "halts = 'fail=5'", "line 10", "run.halts", "mean 'halt'"),
    "unknown-section": bad_end("\n[notfy]\non = []\n", "line", "notfy", "mean 'notify'"),
    "url-missing": bad_key("url", "", "line 1", "erp.url", "is missing"),
    "url-without-scheme": bad_key("url", "url = 'erp.com'", "line 2", "erp.url", "https://"),
    "url-without-host": bad_key("url", "url = 'https://'", "line 2", "erp.url", "no host"),
    "url-with-a-password": bad_key("url", f"url = 'http://a:{SECRET}@b'", "erp.url", "own keys"),
    "account-empty": bad_key("acct_id", "acct_id = ''", "line 3", "erp.acct_id"),
    "user-no-text": bad_key("username", "username = 7", "line 4", "erp.username", "must be text"),
    "auth": bad_key("username", "username='a'\nauth='oauth'", "line 5", "erp.auth", "signature"),
    "auth-without-an-app": bad_key(
        "username", "username='a'\nauth='sign'", "erp.app_id", "erp.app_secret", "is needed"
    ),
    "encoding": bad_key("username", "username='a'\nencoding='xml'", "erp.encoding", "'form'"),
    "time-out-of-nothing": bad_key(
        "answer_timeout_s", "answer_timeout_s=0", "line 7: erp.answer_timeout_s", "above 0"
    ),
    "window-shorter-than-a-call": bad_key(
        "window_s", "window_s = 4.4", "settle.window_s", "above 4.4", "erp.answer_timeout_s"
    ),
    "window-of-nothing": bad_key("window_s", "window_s = 0", "settle.window_s", "above 0"),
    "poll-after-the-window": bad_key("poll_s", "poll_s = 9", "settle.poll_s", "settle.window_s"),
    "window-shorter-by-a-variable": Mistake(
        environment={"K3PUSH_ERP__ANSWER_TIMEOUT_S": "9"},
        named=("line 15: settle.window_s", "above 10.4", "with K3PUSH_ERP__ANSWER_TIMEOUT_S"),
    ),
    "source-number-of-the-document-itself": bad_end(
        "source_number_field = 'fBillNo'\n", "source_number_field", "names the target document"
    ),
    "lcid": bad_key("username", "username='a'\nlcid='zh'", "erp.lcid", "whole number"),
    "password-missing": bad_key("password", "", "erp.password", "is needed"),
    "password-of-no-kind": bad_key(
        "password", f"password = {{ envv = '{SECRET}' }}", "line 5", "erp.password", "env"
    ),
    "password-not-set": bad_key(
        "password", "password = { env = 'NOT_SET' }", "erp.password", "NOT_SET is not set"
    ),
    "password-file-missing": bad_key(
        "password",
        "password = { file = 'nowhere' }",
        "erp.password",
        "file gave no secret (No such file",
    ),
    "password-command-fails": bad_key(
        "password", "password = { command = ['k3push-none'] }", "erp.password", "command gave"
    ),
    "halt": bad_key("halt", "halt = 'fail=lots'", "line 10", "run.halt", "fail=20%"),
    "chunk-size": bad_key("halt", "chunk_size = 0", "line 10", "run.chunk_size", "auto"),
    "concurrency": bad_key("halt", "concurrency = 257", "line 10", "run.concurrency", "256"),
    "attempts": bad_key("halt", "max_attempts = 0", "line 10", "run.max_attempts"),
    "calls-below-nothing": bad_key(
        "halt", "max_calls_per_minute = -1", "line 10", "run.max_calls_per_minute"
    ),
    "window": bad_key("halt", "window = '20:00-25:00'", "line 10", "run.window"),
    "settle-window": bad_key("window_s", "window_s = -1", "line 15", "settle.window_s"),
    "settle-poll": bad_key("poll_s", "poll_s = 0", "line 14", "settle.poll_s"),
    "ledger-url": bad_end("\n[ledger]\nurl = 'ledger.db'\n", "ledger.url", "sqlite:///"),
    "ledger-of-mysql": bad_end("\n[ledger]\nurl = 'mysql://h/db'\n", "ledger.url", "sqlite:///"),
    "notify-on": bad_end("\n[notify]\non = ['end']\n", "notify.on", "'finish'"),
    "otlp-of-no-kind": bad_end("\n[metrics]\notlp = '127.0.0.1:4318'\n", "metrics.otlp", "http://"),
    "otlp-port": bad_end(
        "\n[metrics]\notlp = 'http://a:b'\n", "metrics.otlp", "http://127.0.0.1:4318"
    ),
    "otlp-with-a-password": bad_end(
        f"\n[metrics]\notlp = 'http://a:{SECRET}@b'\n", "metrics.otlp", "OTEL_EXPORTER_OTLP_HEADERS"
    ),
    "route-without-source": bad_key("source", "", "routes.po-instock.source", "is missing"),
    "route-without-rule": bad_key("rule", "", "routes.po-instock.rule", "default_rule"),
    "rule-twice": bad_end("default_rule = true\n", "routes.po-instock.rule", "either"),
    "follow": bad_end("follow = ['audit']\n", "line 21", "routes.po-instock.follow", "submit"),
    "blocked": bad_end("blocked = 'ask'\n", "routes.po-instock.blocked", "'skip'"),
    "partial-no-bool": bad_end("allow_partial = 'some'\n", "routes.po-instock.allow_partial"),
    "two-routes": bad_end(
        '\n[routes.b]\nsource="A"\ntarget="B"\nrule="C"\n', "--route", "po-instock, b"
    ),
    "variable-of-no-setting": Mistake(
        environment={"K3PUSH_RUN__CHUNKSIZE": "5"},
        named=("config.toml", "mean 'chunk_size'", "K3PUSH_RUN__CHUNKSIZE"),
    ),
    "variable-with-a-bad-value": Mistake(
        environment={"K3PUSH_RUN__CANARY": "perhaps"},
        named=("run.canary", "true or false", "from K3PUSH_RUN__CANARY"),
    ),
    "check-of-a-bad-file": Mistake(
        types=("check",), lines={"url": "url = 'x'"}, named=("config.toml, line 2: erp.url",)
    ),
}

ARGUMENTS = {
    "command": bad_words("push", "orders.csv", named=("push",)),
    "command-like-none": bad_words("tenants", named=("'tenants'", "k3push --help")),
    "command-of-a-group": bad_words("ledger", "undo", named=("'undo'", "k3push ledger --help")),
    "faults": bad_words(
        "sandbox", "--faults", "no", named=("--faults no", "lost-answer", "script")
    ),
    "option": bad_words(*RUN, "--chunksize", "5", named=("--chunksize", "--chunk-size")),
    "no-job": bad_words("run", named=("JOB...",)),
    "route": bad_words(*RUN, "--route", "po-instok", named=("config.toml", "mean 'po-instock'")),
    "route-of-check": bad_words("check", "--route", "x", named=("config.toml", "po-instock")),
    "chunk-size": bad_words(*RUN, "--chunk-size", "0", named=("--chunk-size '0'", "1 to 10000")),
    "chunk-size-too-large": bad_words(*RUN, "--chunk-size", "10001", named=("1 to 10000", "auto")),
    "chunk-size-no-number": bad_words(*RUN, "--chunk-size", "ten", named=("'ten'", "auto")),
    "concurrency": bad_words(*RUN, "--concurrency", "-2", named=("'-2'", "auto")),
    "concurrency-too-large": bad_words(
        *RUN, "--concurrency", "999", named=("--concurrency '999'", "1 to 256")
    ),
    "limit": bad_words(*RUN, "--limit", "0", named=("--limit", "at least 1")),
    "limit-no-number": bad_words(*RUN, "--limit", "few", named=("--limit", "whole number")),
    "halt": bad_words(*RUN, "--halt", "fail=x", named=("--halt", "fail=x", "fail=20%")),
    "until": bad_words(*RUN, "--until", "25:00", named=("--until '25:00'", "HH:MM")),
    "at": bad_words(
        "schedule", "--at", "24:00", "--for", "cron", "orders.csv", named=("--at '24:00'", "HH:MM")
    ),
    "halt-that-never-halts": bad_words(*RUN, "--halt", "now", named=("--halt", "fail=20%")),
    "halt-of-more-than-all": bad_words(*RUN, "--halt", "fail=101%", named=("--halt", "100%")),
    "max-duration-of-nothing": bad_words(
        *RUN, "--max-duration", "0s", named=("--max-duration '0s'", "168h")
    ),
    "max-duration-of-ages": bad_words(
        *RUN, "--max-duration", "99999999999h", named=("99999999999h", "90s")
    ),
    "max-duration-of-weeks": bad_words(*RUN, "--max-duration", "999h", named=("999h", "168h")),
    "language": bad_words("--lang=fr", "status", named=("--lang", "en", "zh")),
    "max-duration": bad_words(
        *RUN, "--max-duration", "soon", named=("--max-duration 'soon'", "90s")
    ),
    "again": bad_words(*RUN, "--again", named=("--because",)),
    "again-of-apply": bad_words("apply", "x", "--again", named=("--because",)),
    "again-of-a-blank-reason": bad_words(*RUN, "--again", "--because", " ", named=("empty",)),
    "because-without-again": bad_words(*RUN, "--because", "x", named=("--again", "missing")),
    "because-without-as": bad_words("settle", "--because", "x", named=("--as", "missing")),
    "settle-two-runs": bad_words("settle", "A", "B", named=("one run", "--as")),
    "dry-run": bad_words(*RUN, "--dry-run", named=("--dry-run", "k3push plan")),
    "command-of-other-tools": bad_words("pause", named=("'pause'", "k3push control pause")),
    "list-of-other-tools": bad_words("list", named=("'list'", "k3push runs")),
    "undo": bad_words("undo", named=("'undo'", "k3push export", "--state pushed")),
    "number-for-a-list": Mistake(
        types=("run", "CGDD0000001"), named=("CGDD0000001", "no such file", "| k3push run -")
    ),
    "folder-for-a-config": Mistake(
        types=("status", "--config", "lists"),
        files={"lists/a.csv": GOOD},
        named=("lists: this is a folder", "name a file"),
    ),
    "no-list": bad_words("run", named=("error: name job files", "--select")),
    "select-and-column": bad_words("run", "--select", "--column", "x", named=("--column",)),
    "plan-select-and-sheet": bad_words("plan", "--select", "--sheet", "x", named=("--sheet",)),
    "audit-of-no-lists": bad_words("audit-dups", "--skip-bad-lines", named=("--skip-bad-lines",)),
    "empty-job": bad_words("run", "", "--yes", named=("empty", "variable")),
    "empty-job-of-several": bad_words("run", "orders.csv", "", named=("empty",)),
    "empty-job-of-a-plan": bad_words("plan", "", named=("empty",)),
    "empty-job-of-a-timer": bad_words(
        "schedule", "", "--at", "20:00", "--for", "cron", named=("empty",)
    ),
    "empty-run": bad_words("retry", "", named=("behind retry is empty",)),
    "empty-reason": bad_words("retry", "--reason", "", named=("behind --reason is empty",)),
    "empty-config": bad_words("status", "--config=", named=("behind --config is empty",)),
    "empty-tenants": bad_words("serve", "--tenants", "", named=("empty",)),
    "option-without-value": bad_words(*RUN, "--route", named=("--route", "requires an argument")),
    "resume-nothing": bad_words("resume", named=("ledger.db", "no ledger yet")),
    "retry-nothing": bad_words("retry", "20261125", named=("ledger.db", "no ledger yet")),
    "status-nothing": bad_words("status", named=("ledger.db", "no ledger yet")),
    "settle-as": bad_words("settle", "--as", "gone", "A", named=("--as", "absent")),
    "settle-no-number": bad_words("settle", "--as", "absent", named=("--because",)),
    "settle-no-reason": bad_words("settle", "--as", "absent", "A", named=("--because",)),
    "state": bad_words(
        "export", "--output", "a.csv", "--state", "done", named=("--state", "done", "pushed")
    ),
    "ending": bad_words("export", "--output", "a.pdf", named=("a.pdf", "--format", "xlsx")),
    "format": bad_words("export", "--output", "a", "--format", "pdf", named=("pdf", "jsonl")),
    "export-to-nowhere": bad_words("export", named=("--output",)),
    "explain-nothing": bad_words("explain", named=("NUMBER",)),
    "sandbox-port": bad_words("sandbox", "--port", "70000", named=("--port", "65535")),
    "sandbox-faults": bad_words(
        "sandbox", "--port", "0", "--faults", "no", named=("no", "night", "lost-answer")
    ),
    "plan-of-nothing": Mistake(types=("plan", "x.csv"), named=("x.csv", "no such file")),
    "plan-to-nowhere": bad_words(
        "plan", "orders.csv", "-o", "no/p.jsonl", named=(str(Path("no/p.jsonl")), "-o")
    ),
    "apply-of-nothing": bad_words("apply", "x.jsonl", named=("x.jsonl", "k3push plan")),
    "apply-of-a-job": bad_words("apply", "orders.csv", named=("orders.csv is no plan", "run")),
    "apply-of-a-later-format": Mistake(
        types=("apply", "p"), files={"p": '{"k3push_plan":2}\n'}, named=("p", "another version")
    ),
    "apply-of-half-a-plan": Mistake(
        types=("apply", "p"), files={"p": '{"k3push_plan":1}\n{"li'}, named=("p", "cut off")
    ),
}

MISTAKES = {
    f"{kind}-{name}": mistake
    for kind, mistakes in (("job", JOB_FILES), ("setting", SETTINGS), ("argument", ARGUMENTS))
    for name, mistake in mistakes.items()
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_and_nothing_is_sent(
    desk: Desk,
    untouched: Sandbox,
    cleared: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mistake: Mistake,
) -> None:
    """Exit 2, the place and the cure on standard error, no run in the ledger, no request."""
    if mistake.configured:
        desk.configure(untouched.url, more=mistake.more, lines=mistake.lines)
    if mistake.job is not None:
        desk.write(mistake.name, mistake.job)
    for name, content in mistake.files.items():
        (desk.folder / name).parent.mkdir(exist_ok=True)
        desk.write(name, content)
    for name, value in mistake.environment.items():
        cleared.setenv(name, value)
    before = untouched.truth()
    code = run(mistake.types, "en")
    said = capsys.readouterr()
    assert (code, said.out) == (2, ""), said
    for words in mistake.named:
        assert words in said.err, said.err
    assert "Traceback" not in said.err
    assert SECRET not in said.err
    assert not list(desk.folder.glob("**/results"))
    assert not (desk.folder / "ledger.db").exists()
    assert not list(desk.folder.glob("*.plan.jsonl*"))
    after = untouched.truth()
    assert after["documents"] == before["documents"] == 0
    assert after["calls"].get("push", 0) == before["calls"].get("push", 0)
    assert run(("--lang", "zh", *mistake.types), "zh") == 2


def test_settings_of_a_folder_above_are_named(desk: Desk) -> None:
    """Who has gone to the lists would make a second configuration, with a ledger of its own."""
    below = desk.folder / "lists" / "today"
    below.mkdir(parents=True)
    ran = Desk(below, desk.environment).k3push("status")
    assert (ran.exit, "name one with --config" in ran.err) == (2, True), ran
    desk.configure("http://127.0.0.1:9/")
    assert "--config ../../config.toml" in Desk(below, desk.environment).k3push("status").err


def test_an_empty_job_and_nothing_to_retry_still_print_their_object(
    desk: Desk, untouched: Sandbox
) -> None:
    """A script parses what `--json` prints, whatever there was to do."""
    desk.configure(untouched.url)
    ran = desk.k3push("run", desk.write("empty.csv", "number\n"), "--json", "--lang", "zh")
    assert (ran.exit, json.loads(ran.out)["counts"]) == (0, {}), ran
    assert "清单为空" in ran.err
    piped = desk.k3push("run", "-", given="number\n")
    assert piped.err == "standard input: the list is empty; there is nothing to push\n"


@pytest.mark.parametrize(
    ("typed", "said"),
    [(("runn",), "'run'、'runs'"), (("run", "--reut"), "--route、--sheet、--until")],
)
def test_in_chinese_what_is_near_is_listed_as_in_chinese(
    desk: Desk, typed: tuple[str, ...], said: str
) -> None:
    """Names of commands and options stay; what stands between them does not."""
    assert said in desk.k3push("--lang", "zh", *typed).err


def test_every_bad_line_is_told(desk: Desk, untouched: Sandbox) -> None:
    """All bad lines are named at once, so that a list is mended once."""
    desk.configure(untouched.url).write("orders.csv", f'{GOOD}"A,B"\nCGDD0000002\n"C,D"\n')
    ran = desk.k3push("run", "orders.csv")
    assert ran.exit == 2
    assert "3" in ran.err
    assert "5" in ran.err
    assert ran.err.endswith("\nTo go on without these lines, add --skip-bad-lines\n")


def test_bad_lines_are_skipped_when_asked(desk: Desk, untouched: Sandbox) -> None:
    """With `--skip-bad-lines` the others go on, and each bad line is told once."""
    desk.configure(untouched.url).write("orders.csv", '单号\n"A,B"\nCGDDU000000\n')
    ran = desk.k3push("run", "orders.csv", "--skip-bad-lines", "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"rejected": 1}), ran
    assert ran.err.count("skipped") == 1
    assert "A,B" in ran.err


@pytest.mark.parametrize("command", ["resume", "retry", "settle"])
def test_half_a_list_is_not_taken_for_the_whole(
    desk: Desk, untouched: Sandbox, command: str
) -> None:
    """A kill while the list was written down: exit 0 for its first half would lose the rest."""

    async def leave_half() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            await planned(ledger, "CGDD0000001", scope="sandbox|po|in")

    anyio.run(leave_half)
    refused = desk.configure(untouched.url).k3push(command)
    assert (refused.exit, "k3push run orders.csv" in refused.err) == (2, True), refused


def test_half_a_list_that_a_program_has_sent_is_no_file_to_be_run(
    desk: Desk, untouched: Sandbox
) -> None:
    """Its name is the program's own for the push: no `k3push run` could read that."""
    asked = replace(
        A_RUN, scope="sandbox|pur_purchaseorder|stk_instock", jobs=("api/wms: GR-1",), folder=""
    )

    async def leave_half() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            await ledger.open_run(asked)

    anyio.run(leave_half)
    resumed = desk.configure(untouched.url).k3push("resume")
    shown = desk.k3push("status")
    assert resumed.exit == 2
    for said in (resumed.text, shown.text):
        assert "k3push serve --work" in said
        assert "k3push run" not in said
