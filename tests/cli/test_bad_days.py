from __future__ import annotations

import re
import socket
import time
from dataclasses import replace

import anyio
import orjson
import pytest

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.model import BillNumber, Intent, Listed, RunId, Uptime
from k3push.core.remark import remark
from k3push.runs.kept_in_ledger.request_stages import SELECTED
from k3push.runs.outcome import Exit
from tests.adapters.ledger.samples import identified
from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, assert_all_once, assert_true, orders
from tests.reporting.pages import NOON, RUN, in_doubt

pytestmark = pytest.mark.halved

REFUSALS = """
[[refusal]]
number = "CGDD0000004"
code = 11
text = "单据编号为“{number}”的采购订单，数量超出可入库数量！"

[[refusal]]
number = "CGDD0000021"
code = 11
text = "第1行分录，仓库是必填项"
whole_call = true

[[refusal]]
number = "CGDD0000033"
code = 4
text = "=cmd|' /C calc'!A0"
"""

WORDS = {
    "CGDD0000004": "单据编号为“CGDD0000004”的采购订单，数量超出可入库数量！",
    "CGDD0000021": "第1行分录，仓库是必填项",
    "CGDD0000033": "=cmd|' /C calc'!A0",
}

# The one chunk of a job is made and its answer lost; so is the call that makes nothing.
LOST = '[[step]]\nfault = "make-then-reset"\n'
BROKEN = '[[step]]\nfault = "reset"\n'


@pytest.mark.more
def test_lost_sessions_are_renewed_once_each(desk: Desk, start: Start) -> None:
    """Eight workers log in once for each session that was lost, and nothing is made twice."""
    sandbox, numbers = start("--faults", "lost-session"), orders(200)
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(numbers), "--concurrency", "8", "--json")
    truth = sandbox.truth()
    assert ran.exit == 0, ran
    assert_all_once(desk.rows(), truth, numbers)
    assert truth["sessions_lost"] > 0
    assert truth["logins"] <= truth["sessions_lost"] + 1
    assert ran.said["logins"] == truth["logins"]


def test_refused_bills_are_rejected_alone(desk: Desk, start: Start) -> None:
    """Just the refused bills are rejected, in the ERP's words; their list is a job file."""
    sandbox, numbers = start("--faults", desk.write("script.toml", REFUSALS)), orders(60)
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(numbers), "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"pushed": 57, "rejected": 3}), ran
    rows, rejected = desk.rows(), desk.rows(name="rejected.csv")
    assert_true(rows, sandbox.truth())
    assert rejected == [row for row in rows if row["state"] == "rejected"]
    assert {row["number"]: row["reason"].lstrip("'") for row in rejected} == WORDS
    assert [row["code"] for row in rejected] == ["11", "11", "4"]
    for path in desk.results().glob("*.csv"):
        assert_no_formula(path.read_text("utf-8-sig"))

    again = desk.k3push("run", str(desk.results() / "rejected.csv"), "--json")
    assert (again.exit, again.said["counts"]) == (3, {"rejected": 3}), again


def test_a_number_is_no_formula(desk: Desk, untouched: Sandbox) -> None:
    """No cell of the results can start a formula, whatever a job file holds."""
    numbers = ["=1+1", "@SUM(A1)", "+CGDD", "-CGDD", "＝1"]
    ran = desk.configure(untouched.url).k3push("run", desk.job(numbers))
    assert ran.exit == 3, ran
    assert [row["number"] for row in desk.rows()] == [f"'{number}" for number in numbers]
    assert_no_formula((desk.results() / "ledger.csv").read_text("utf-8-sig"))


def assert_no_formula(table: str) -> None:
    """See that no cell begins like a formula; no cell of these tables holds a comma."""
    for line in table.splitlines():
        for cell in line.split(","):
            assert not cell.lstrip('"').startswith(("=", "+", "-", "@")), line


def test_retry_plans_the_rejected_again(desk: Desk, start: Start) -> None:
    """`retry` sends them again, with more attempts; what is refused again stays rejected."""
    sandbox = start("--faults", desk.write("script.toml", REFUSALS))
    desk.configure(sandbox.url).k3push("run", desk.job(orders(40)))
    first = {row["number"]: int(row["attempts"]) for row in desk.rows(name="rejected.csv")}
    assert set(first) == set(WORDS)
    one = desk.k3push("retry", "--reason", "必填", "--json")
    assert (one.exit, one.said["counts"]) == (3, {"pushed": 37, "rejected": 3}), one
    then = {row["number"]: int(row["attempts"]) for row in desk.rows(name="rejected.csv")}
    assert {number for number in WORDS if then[number] > first[number]} == {"CGDD0000021"}
    assert desk.k3push("retry").exit == 3
    now = {row["number"]: int(row["attempts"]) for row in desk.rows(name="rejected.csv")}
    assert all(now[number] > then[number] for number in WORDS)
    assert_true(desk.rows(), sandbox.truth())


@pytest.mark.parametrize(
    "script",
    ["lost-answer", '[[step]]\nfault = "late-commit:1"\n[[step]]\nfault = "late-commit:1"\n'],
    ids=["lost-answer", "late-commit"],
)
def test_lost_answers_make_no_second_document(desk: Desk, start: Start, script: str) -> None:
    """What became of a lost answer is looked up, also where the work shows up late."""
    faults = script if script == "lost-answer" else desk.write("script.toml", script)
    sandbox, numbers = start("--faults", faults), orders(120)
    ran = desk.configure(sandbox.url).k3push("run", desk.job(numbers), "--json")
    truth = sandbox.truth()
    assert ran.exit == 0, ran
    assert truth["faults_left"] == []
    assert_all_once(desk.rows(), truth, numbers)
    assert truth["documents"] == len(numbers)


def test_what_no_look_can_settle_is_said_wherever_a_person_asks(desk: Desk, start: Start) -> None:
    """The answer to the first push ever is lost, and there is no document that proves a look."""
    sandbox = start("--faults", desk.write("script.toml", BROKEN))
    desk.configure(sandbox.url)
    numbers = orders(1)
    for command in (("run", desk.job(numbers)), ("settle",), ("status",), ("explain", *numbers)):
        told = desk.k3push(*command)
        assert "numbers stay unknown" in told.text, told
        assert "`k3push settle --as`" in told.text
        assert "`k3push settle` asks the ERP" not in told.text
    assert sandbox.made() == 0


def test_unapproved_and_closed_bills_are_not_sent(desk: Desk, untouched: Sandbox) -> None:
    """Bills that cannot be pushed are rejected by the pre-check, unsent."""
    numbers = ["CGDDU000000", "CGDDC000001", "CGDDX000002", "CGDD9999999"]
    ran = desk.configure(untouched.url).k3push("run", desk.job(numbers), "--json")
    assert (ran.exit, ran.said["counts"], ran.said["pushes"]) == (3, {"rejected": 4}, 0), ran
    for row in desk.rows():
        assert row["code"] == "precheck", row
        assert row["reason"], row
        assert (row["attempts"], row["sent_at"]) == ("0", ""), row
    assert untouched.truth()["calls"].get("push", 0) == 0


def test_blocked_bills_are_sent_when_the_route_says_so(desk: Desk, sandbox: Sandbox) -> None:
    """With `blocked = "send"` the ERP's own rule decides, and its words are kept."""
    numbers = ["CGDDU000000", "CGDDC000001", "CGDD0000001"]
    desk.configure(sandbox.url, more='blocked = "send"\n')
    ran = desk.k3push("run", desk.job(numbers), "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"pushed": 1, "rejected": 2}), ran
    unapproved, closed, _ = rows = desk.rows()
    assert_true(rows, sandbox.truth())
    assert "未审核" in unapproved["reason"]
    assert "已关闭" in closed["reason"]


def test_a_wrong_password_is_tried_once(desk: Desk, sandbox: Sandbox) -> None:
    """One refused login ends the run with the cure; the password is written nowhere."""
    desk.configure(sandbox.url, password="Wr0ng-and-secret")
    ran = desk.k3push("run", desk.job(orders(50)), "-v")
    assert ran.exit == 6, ran
    truth = sandbox.truth()
    assert (truth["failed_logins"], truth["logins"], truth["pushes"]) == (1, 0, 0)
    assert "erp.username" in ran.text
    assert "Wr0ng-and-secret" not in ran.text
    assert {row["state"] for row in desk.rows()} == {"planned"}
    files = [path for path in desk.folder.rglob("*") if path.is_file()]
    assert len(files) > 4
    for path in files:
        if path.name != "config.toml":
            assert b"Wr0ng-and-secret" not in path.read_bytes(), path

    desk.configure(sandbox.url)
    assert desk.k3push("resume").exit == 0
    assert_all_once(desk.rows(), sandbox.truth(), orders(50))


def test_an_address_where_nobody_listens_is_said_at_once(desk: Desk) -> None:
    """A closed port ends the run with exit 6 within seconds, and names the address."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    desk.configure(f"http://127.0.0.1:{port}/K3Cloud/")
    began_s = time.monotonic()
    ran = desk.k3push("run", desk.job(orders(3)), "--json")
    assert (ran.exit, ran.said["exit"], ran.said["counts"]) == (6, 6, {"planned": 3}), ran
    assert f"127.0.0.1:{port}" in ran.err
    assert time.monotonic() - began_s < 5


def test_settle_says_at_once_that_nobody_listens(desk: Desk, start: Start) -> None:
    """It asks before it looks, as all others do that reach the ERP."""
    sandbox, numbers = start("--faults", desk.write("script.toml", LOST)), orders(8)
    desk.configure(sandbox.url)
    desk.k3push("run", desk.job(numbers), "--no-canary", "--chunk-size", "8", "--halt", "unknown=1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    config = (desk.folder / "config.toml").read_text("utf-8")
    address = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", config)
    desk.write("config.toml", address)
    began_s = time.monotonic()
    settled = desk.k3push("settle", "--json")
    assert (settled.exit, settled.said["counts"]) == (6, {"unknown": 8}), settled
    assert time.monotonic() - began_s < 20


def test_settle_finds_what_a_lost_answer_made(desk: Desk, start: Start) -> None:
    """A run that stops with numbers in doubt ends with 4; `settle` looks them up."""
    sandbox, numbers = start("--faults", desk.write("script.toml", LOST)), orders(8)
    desk.configure(sandbox.url)
    ran = desk.k3push(
        "run",
        desk.job(numbers),
        "--no-canary",
        "--chunk-size",
        "8",
        "--halt",
        "unknown=1",
        "--json",
    )
    assert (ran.exit, ran.said["counts"]) == (4, {"unknown": 8}), ran
    assert "k3push settle" in desk.k3push("status").out
    assert len(desk.rows(name="unknown.csv")) == 8
    settled = desk.k3push("settle", "--json")
    assert (settled.exit, settled.said["counts"]) == (0, {"pushed": 8}), settled
    assert_all_once(desk.rows(), sandbox.truth(), numbers)


def test_another_run_that_settles_a_doubt_writes_the_results_of_its_run_anew(
    desk: Desk, start: Start
) -> None:
    """They said `unknown` for good: nothing was left that `resume` or `settle` had written."""
    sandbox, numbers = start("--faults", desk.write("script.toml", LOST)), orders(8)
    desk.configure(sandbox.url)
    job = desk.job(numbers)
    halt = ("--no-canary", "--chunk-size", "8", "--halt", "unknown=1")
    lost = desk.k3push("run", job, *halt, "--json").said
    assert (lost["exit"], lost["counts"]) == (4, {"unknown": 8})
    assert desk.k3push("run", job).exit == 0
    assert desk.summary(lost["run"])["counts"] == {"pushed": 8}
    assert desk.summary(lost["run"])["exit"] == 0
    assert_all_once(desk.rows(lost["run"]), sandbox.truth(), numbers)
    assert not list(desk.folder.glob("results/*/unknown.csv"))


def test_a_settle_that_is_refused_is_not_told_as_one_that_asked(desk: Desk, start: Start) -> None:
    """The route of the run is not in the settings any more."""
    sandbox, numbers = start("--faults", desk.write("script.toml", LOST)), orders(8)
    desk.configure(sandbox.url)
    job = desk.job(numbers)
    desk.k3push("run", job, "--no-canary", "--chunk-size", "8", "--halt", "unknown=1")
    config = (desk.folder / "config.toml").read_text("utf-8")
    for route, exit_, times in (("other", 2, 0), ("po-instock", 0, 1)):
        desk.write("config.toml", config.replace("[routes.po-instock]", f"[routes.{route}]"))
        assert desk.k3push("settle").exit == exit_
        history = desk.k3push("explain", numbers[0], "--lang", "en").out
        assert history.count("asked the ERP about unknown numbers") == times, history


def test_settle_waits_until_absence_counts(desk: Desk, start: Start) -> None:
    """What a lost call did not make is planned again after the window, for `resume`."""
    script = '[[step]]\nfault = "ok"\n' + BROKEN
    sandbox, numbers = start("--faults", desk.write("script.toml", script)), orders(8)
    desk.configure(sandbox.url)
    # A document of another bill proves that the field finds what is there.
    assert desk.k3push("run", desk.job(orders(1, first=50), "proof.csv")).exit == 0
    ran = desk.k3push(
        "run", desk.job(numbers), "--no-canary", "--chunk-size", "8", "--halt", "unknown=1"
    )
    assert ran.exit == 4, ran
    settled = desk.k3push("settle", "--json")
    assert (settled.exit, settled.said["counts"]) == (5, {"planned": 8}), settled
    assert sandbox.made() == 1
    assert desk.k3push("resume").exit == 0
    truth = sandbox.truth()
    del truth["sources"][orders(1, first=50)[0]]
    assert_all_once(desk.rows(settled.said["run"]), truth, numbers)


def test_a_retry_pushes_what_was_rejected_and_nothing_that_was_planned(
    desk: Desk, sandbox: Sandbox
) -> None:
    """Who has tried two bills of a list, and mended one, has not asked for the rest."""
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(["CGDDU000000", *orders(4)]), "--limit", "2", "--json")
    assert ran.said["counts"] == {"pushed": 1, "rejected": 1, "planned": 3}, ran
    for reason in ((), ("--reason", "未审核")):
        ran = desk.k3push("retry", *reason, "--json")
        assert (ran.exit, ran.said["counts"]) == (5, {"pushed": 1, "rejected": 1, "planned": 3})
        assert "`k3push resume` pushes them" in ran.err
    assert sandbox.made() == 1
    ran = desk.k3push("resume", "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"pushed": 4, "rejected": 1}), ran


def test_a_limit_counts_what_was_in_doubt_as_well(desk: Desk, start: Start) -> None:
    """Who sends one bill for a trial has not asked for all that the ERP has lost."""
    script = '[[step]]\nfault = "ok"\n' + BROKEN
    sandbox, numbers = start("--faults", desk.write("script.toml", script)), orders(8)
    desk.configure(sandbox.url)
    assert desk.k3push("run", desk.job(orders(1, first=50), "proof.csv")).exit == 0
    halt = ("--no-canary", "--chunk-size", "8", "--halt", "unknown=1")
    assert desk.k3push("run", desk.job(numbers), *halt).exit == 4
    resumed = desk.k3push("resume", "--limit", "1", "--json")
    assert (resumed.exit, resumed.said["counts"]) == (5, {"pushed": 1, "planned": 7}), resumed
    assert sandbox.made() == 2
    assert "--limit" in resumed.err
    resumed = desk.k3push("resume", "--limit", "8", "--json")
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 8}), resumed
    assert (sandbox.made(), sandbox.truth()["documents"]) == (9, 9)


@pytest.mark.parametrize(
    "words", [("settle",), ("retry",), ("retry", "--reason", "nothing says so"), ("resume",)]
)
def test_a_command_that_has_nothing_to_do_changes_nothing(
    desk: Desk, sandbox: Sandbox, words: tuple[str, ...]
) -> None:
    """The run has ended as it did; it was not killed."""
    numbers = [*orders(2), *(["CGDDU000000"] if "--reason" in words else [])]
    before = desk.configure(sandbox.url).k3push("run", desk.job(numbers), "--json")
    status, results = desk.k3push("status").out, desk.summary()
    ran = desk.k3push(*words, "--json")
    assert (ran.exit, ran.said["counts"]) == (before.exit, before.said["counts"]), ran
    # Without a text there is nothing that "such" could mean.
    assert ("no such rejected" in ran.err) == ("--reason" in words), ran
    assert desk.k3push("status").out == status
    assert f"  exit {before.exit}" in status
    assert desk.summary() == results


@pytest.mark.parametrize(("word", "fault"), [("pushed", LOST), ("absent", BROKEN)])
def test_a_person_settles_by_a_word(desk: Desk, start: Start, word: str, fault: str) -> None:
    """`settle --as` takes a person's word for one number, and `explain` says whose it was."""
    sandbox, numbers = start("--faults", desk.write("script.toml", fault)), orders(3)
    desk.configure(sandbox.url)
    ran = desk.k3push(
        "run", desk.job(numbers), "--no-canary", "--chunk-size", "8", "--halt", "unknown=1"
    )
    assert ran.exit == 4, ran
    settled = desk.k3push("settle", "--as", word, numbers[0], "--because", "seen by Wang")
    assert settled.exit == 0, settled
    # A word is no execution: the last one ended as it did, and was not killed.
    assert desk.k3push("status").out.splitlines()[0].endswith("  exit 4")
    rows = {row["number"]: row["state"] for row in desk.rows()}
    assert rows[numbers[0]] == {"pushed": "pushed", "absent": "planned"}[word]
    assert desk.summary()["exit"] == 4
    told = desk.k3push("explain", numbers[0]).out
    assert "settled by hand as" in told
    assert "seen by Wang" in told
    told_zh = desk.k3push("--lang", "zh", "explain", numbers[0]).out
    assert "人工核实为" in told_zh
    assert "：seen by Wang" in told_zh
    assert desk.k3push("resume").exit == 0
    assert {row["state"] for row in desk.rows()} == {"pushed"}
    assert (sandbox.made(), sandbox.truth()["documents"]) == (3, 3)


def test_a_word_is_about_one_route(desk: Desk, untouched: Sandbox) -> None:
    """Two routes push one number to two kinds of documents, and a person has looked for one."""
    desk.configure(untouched.url)

    async def prepared() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            for run in ("r1", "r2"):
                scope = f"sandbox|pur_purchaseorder|{run}"
                await ledger.open_run(replace(RUN, id=RunId(run), scope=scope))
                await in_doubt(ledger, "CGDD1", RunId(run))

    anyio.run(prepared)
    why = ("--because", "seen")
    both = desk.k3push("settle", "--as", "pushed", "CGDD1", *why)
    assert (both.exit, "r1 CGDD1; r2 CGDD1" in both.err) == (2, True), both
    assert desk.k3push("settle", "--as", "pushed", "r2", *why).exit == 2
    assert desk.k3push("settle", "--as", "pushed", "r2", "CGDD1", *why).exit == 0
    last = desk.k3push("settle", "--as", "absent", "CGDD1", *why)
    assert (last.exit, "planned" in last.err) == (0, True), last


def test_a_word_about_a_call_that_a_kill_has_cut_off_is_answered_with_the_way(
    desk: Desk, untouched: Sandbox
) -> None:
    """The bill is in no doubt yet: nobody has asked the ERP since."""
    desk.configure(untouched.url)
    bill = BillNumber("CGDD1")

    async def killed() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            scope = "sandbox|pur_purchaseorder|r"
            await ledger.open_run(replace(RUN, id=RunId("r1"), scope=scope))
            await ledger.add(RunId("r1"), [Listed(2, bill)])
            await ledger.identify(RunId("r1"), identified({bill: bill}))
            await ledger.claim(RunId("r1"), [bill])
            await ledger.begin(Intent(RunId("r1"), 1, 1, (bill,), {}, b"{}", NOON, Uptime("b", 1)))

    anyio.run(killed)
    why = ("--because", "seen")
    said = desk.k3push("settle", "--as", "pushed", bill, *why)
    assert (said.exit, "k3push settle r1" in said.err) == (2, True), said
    said = desk.k3push("settle", "--as", "pushed", "CGDD2", *why)
    assert (said.exit, "not unknown in any run" in said.err) == (2, True), said


def stuck(desk: Desk, *numbers: str) -> None:
    """Leave a run that has ended with numbers in doubt, of which no look can tell."""
    folder = desk.folder / "results"
    folder.mkdir()
    causes = {"person": remark("why.person", count=len(numbers))}
    told = {
        "run": RUN.id,
        "counts": {"unknown": len(numbers)},
        "stopped_by": {},
        "remarks": causes,
    }
    (folder / "summary.json").write_bytes(orjson.dumps(told))

    async def prepared() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            scope = "sandbox|pur_purchaseorder|stk_instock"
            await ledger.open_run(replace(RUN, scope=scope, folder=str(folder)))
            await ledger.close_list(RUN.id)
            for number in numbers:
                await in_doubt(ledger, number)
            await ledger.end_run(RUN.id, Exit.SOME_UNKNOWN, NOON)

    anyio.run(prepared)


def test_a_run_without_its_whole_list_is_not_told_as_killed(desk: Desk, untouched: Sandbox) -> None:
    """It may be writing it down at this moment; `resume` can do nothing for it in any case."""
    desk.configure(untouched.url)

    async def write() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            scope = "sandbox|pur_purchaseorder|stk_instock"
            await ledger.open_run(replace(RUN, scope=scope, folder="results/a"))

    anyio.run(write)
    shown, resumed = desk.k3push("status"), desk.k3push("resume")
    assert "its list is being written down, or was not to its end" in shown.out
    assert "k3push resume" not in shown.out
    assert (resumed.exit, "unless a command is at it still" in resumed.err) == (2, True), resumed


def test_a_list_that_stands_beside_half_a_list_is_told_as_it_is_typed(
    desk: Desk, untouched: Sandbox
) -> None:
    """One command has begun both, and the name of the list that is to be run again has a blank."""
    desk.configure(untouched.url)

    async def write() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            one = replace(RUN, scope="sandbox|pur_purchaseorder|stk_instock", folder="results/a")
            await ledger.open_run(replace(one, group=RUN.id))
            await ledger.close_list(RUN.id)
            other = replace(one, id=RunId("20260102-120001-b"), jobs=("my list.csv",))
            await ledger.open_run(replace(other, group=RUN.id))

    anyio.run(write)
    resumed = desk.k3push("resume")
    assert "k3push run 'my list.csv'" in resumed.err, resumed


@pytest.mark.parametrize(
    ("job", "commands"),
    [
        ("in box/a.csv", ("k3push run 'in box/a.csv'`", "k3push run 'in box'`")),
        (SELECTED, ("k3push run --select`", "")),
        ("-", ("k3push run -`", "")),
    ],
)
def test_half_a_list_is_begun_again_by_the_folder_that_was_the_job(
    desk: Desk, untouched: Sandbox, job: str, commands: tuple[str, str]
) -> None:
    """A file that is named stays new in its folder: its bills would be pushed in two parts."""
    desk.configure(untouched.url)

    async def write() -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            scope = "sandbox|pur_purchaseorder|stk_instock"
            await ledger.open_run(replace(RUN, scope=scope, folder="results/a", jobs=(job,)))

    anyio.run(write)
    shown, resumed = desk.k3push("status"), desk.k3push("resume")
    for said in (shown.out, resumed.err):
        assert all(command in said for command in commands), said
        assert ("that folder was the job" in said) == bool(commands[1]), said


def test_a_number_that_is_named_twice_is_settled_once(desk: Desk, untouched: Sandbox) -> None:
    """A list that was pasted repeats numbers; those behind them count too."""
    stuck(desk.configure(untouched.url), "CGDD1", "CGDD2")
    twice = ("CGDD1", " CGDD1", "CGDD2")
    settled = desk.k3push("settle", "--as", "pushed", *twice, "--because", "seen", "--json")
    assert settled.exit == 0, settled
    assert (settled.said["counts"], settled.said["exit"]) == ({"pushed": 2}, 0)
    assert settled.err.count("as you have found out") == 2, settled
    assert "pushed             2" in desk.k3push("status").out


def test_what_a_person_has_settled_is_not_said_to_stay_in_doubt(
    desk: Desk, untouched: Sandbox
) -> None:
    """What ended the execution is told as far as it is so still."""
    stuck(desk.configure(untouched.url), "CGDD1", "CGDD2")
    for word, number, left in (
        ("pushed", "CGDD1", "1 number stays unknown"),
        ("absent", "CGDD2", ""),
    ):
        assert desk.k3push("settle", "--as", word, number, "--because", "seen").exit == 0
        status = desk.k3push("status").out
        assert left in status
        assert ("unknown" in status) == bool(left), status
        assert ("run `k3push resume`" in status) == (not left)


@pytest.mark.parametrize("verb", ["retry", "settle"])
def test_who_finds_nothing_to_do_hears_what_pushes_planned_numbers(
    desk: Desk, untouched: Sandbox, verb: str
) -> None:
    """Exit 5 never stands there without what goes on."""
    stuck(desk.configure(untouched.url), "CGDD1")
    assert desk.k3push("settle", "--as", "absent", "CGDD1", "--because", "seen").exit == 0
    ran = desk.k3push(verb)
    assert (ran.exit, "`k3push resume` pushes them" in ran.err) == (5, True), ran


@pytest.mark.parametrize("verb", ["status", "retry", "settle"])
def test_what_is_said_of_a_run_that_was_named_goes_on_with_that_run(
    desk: Desk, untouched: Sandbox, verb: str
) -> None:
    """Without its name, the next command goes on with the last one."""
    desk.configure(untouched.url)
    stuck(desk, "CGDD1")
    assert desk.k3push("settle", "--as", "absent", "CGDD1", "--because", "seen").exit == 0
    (run,) = orjson.loads(desk.k3push("runs", "--json").out)
    ran = desk.k3push(verb, run["run"])
    assert f"`k3push resume {run['run']}`" in ran.text, ran
    assert "`k3push resume`" not in ran.text, ran


def test_a_word_needs_a_reason_and_a_doubt(desk: Desk, sandbox: Sandbox) -> None:
    """`settle --as` refuses a word without a reason, and about a number that is not unknown."""
    desk.configure(sandbox.url).k3push("run", desk.job(orders(1)))
    reasonless = desk.k3push("settle", "--as", "absent", "CGDD0000000")
    assert (reasonless.exit, "--because" in reasonless.err) == (2, True)
    wrong = desk.k3push("settle", "--as", "absent", "CGDD0000000", "--because", "x")
    assert (wrong.exit, "CGDD0000000" in wrong.err) == (2, True)
    assert_true(desk.rows(), sandbox.truth())


@pytest.mark.parametrize("command", [("rules",), ("select", "-o", "list.csv")])
def test_a_wrong_password_is_said_so_where_something_is_listed(
    desk: Desk, sandbox: Sandbox, command: tuple[str, ...]
) -> None:
    """Neither the form nor the right to its rules is what is to be mended."""
    desk.configure(sandbox.url, password="wrong")
    ran = desk.k3push(*command)
    assert (ran.exit, "Check erp.username" in ran.err) == (6, True), ran
    assert "BOS" not in ran.text
    assert ran.out == ""


def test_a_list_that_fails_is_one_object_for_programs_too(desk: Desk, sandbox: Sandbox) -> None:
    """Who reads standard output finds the exit code there, as after a run."""
    desk.configure(sandbox.url, password="wrong")
    ran = desk.k3push("select", "-o", "list.csv", "--json")
    assert (ran.exit, ran.said["exit"], ran.said["count"]) == (6, 6, 0), ran
    ran = desk.k3push("rules", "--json")
    assert (ran.exit, ran.said) == (6, {"rules": [], "exit": 6}), ran


@pytest.mark.parametrize("command", [("rules",), ("select", "-o", "list.csv"), ("check",)])
def test_a_login_that_meets_an_exception_passes_for_no_wrong_password(
    desk: Desk, start: Start, command: tuple[str, ...]
) -> None:
    """Nobody is sent to look for a mistake in the settings where there is none."""
    step = 'step = [{fault = "response-error-deadlock", on = "login", times = 2}]\n'
    desk.configure(start("--faults", desk.write("script.toml", step)).url)
    ran = desk.k3push(*command)
    assert (ran.exit, "Check erp.username" in ran.text) == (6, False), ran
    assert "Try again when the ERP is well" in ran.text
