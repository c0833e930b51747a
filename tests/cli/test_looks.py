from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.cli.actions.check import seconds_ahead
from k3push.cli.console.person import person_here
from k3push.core.model import BillNumber, Listed, Outcome, State
from k3push.reporting.results_folder import MOST_READ
from tests.adapters.ledger.samples import NOON, a_run
from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, assert_true, orders, read_csv
from tests.forked import path_of_ours
from tests.shares import shared_out

pytestmark = pytest.mark.halved

COMMANDS = (
    "run",
    "resume",
    "retry",
    "settle",
    "control",
    "status",
    "runs",
    "explain",
    "export",
    "check",
    "init",
    "sandbox",
    "demo",
)

# What became of numbers of the demo, in words that `explain` alone uses.
IN_CHINESE = {
    "CGDD0000033": ("请求  ", "应答  ", "结果未知（broken：", "经查询目标单核实"),
    "CGDD0000108": ("已处理（被拒绝，response_error）；已回查两次", "已处理（成功）；已回查"),
    "CGDD0000007": ("已处理（被拒绝，MsgCode 11）；已回查", "由 retry 重新列入待下推", "→ 请核对"),
}

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, str]]:
    """A desk with one run: forty numbers pushed, two rejected; and the run's id."""
    desk = Desk(tmp_path_factory.mktemp("done"))
    with Sandbox(desk.folder) as sandbox:
        job = desk.configure(sandbox.url).job([*orders(40), "CGDDU000000", "CGDDC000000"])
        ran = desk.k3push("run", job, "--json", "-v")
        assert ran.exit == 3, ran
        assert_true(desk.rows(), sandbox.truth())
        yield desk, ran.said["run"]


Done = tuple[Desk, str]


def test_status_shows_how_a_run_stands(done: Done) -> None:
    """`status` takes a run's id, the beginning of it, or nothing for the last one."""
    desk, run = done
    for names in ((), (run[:-1],)):
        ran = desk.k3push("status", *names)
        assert ran.exit == 0, ran
        words = ran.out.split()
        assert words[:2] == [run, "po-instock"]
        assert words[words.index("pushed") + 1] == "40"
        assert words[words.index("rejected") + 1] == "2"
        assert "exit 3" in ran.out
    unknown = desk.k3push("status", "19990101")
    assert (unknown.exit, "19990101" in unknown.err) == (2, True)


def test_status_tells_programs_how_a_run_stands(done: Done) -> None:
    """One object, with what `runs --json` has of a run and what is open now."""
    desk, run = done
    told = json.loads(desk.k3push("status", "--json").out)
    (listed,) = json.loads(desk.k3push("runs", "--json").out)
    assert told == listed | {
        "under_way": False,
        "paused": False,
        "follow": {},
        "twins": 0,
        "partly": 0,
    }
    assert (told["run"], told["exit"], told["counts"]["rejected"]) == (run, 3, 2)


def test_runs_lists_them_all(done: Done) -> None:
    """`runs` has a line for each run, with its exit code and counts."""
    desk, run = done
    ran = desk.k3push("runs")
    assert ran.exit == 0
    (line,) = [line for line in ran.out.splitlines() if run in line]
    assert line.split(maxsplit=3)[:3] == [run, "po-instock", "3"]
    assert "pushed 40 · rejected 2" in line


def test_explain_tells_all_of_one_number(done: Done) -> None:
    """`explain` shows the row, the request and the answer; of an unknown number nothing."""
    desk, run = done
    ran = desk.k3push("explain", "CGDD0000017")
    assert ran.exit == 0
    row = next(row for row in desk.rows() if row["number"] == "CGDD0000017")
    for words in (run, "pushed", row["targets"], "request", '"Numbers"', "answer", "HTTP 200"):
        assert words in ran.out, ran.out
    rejected = desk.k3push("explain", "CGDDU000000")
    assert (rejected.exit, "precheck" in rejected.out) == (0, True)
    nobody = desk.k3push("explain", "NOBODY")
    assert (nobody.exit, "NOBODY" in nobody.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "bills"),
    [
        ("D0000017", 1),
        ("ＣＧＤＤ０００００17", 1),
        ("cgrk00000", 40),
        ("not approved", 1),
        ("precheck", 2),
        ("orders", 0),
        (person_here(), 0),
    ],
)
def test_a_run_is_found_by_whatever_a_person_has_in_hand(
    done: Done, words: str, bills: int
) -> None:
    """A part of a number, of a document or of a cause names bills too; a list or a user runs."""
    desk, run = done
    listed, told = desk.k3push("runs", "--find", words), desk.k3push("explain", words)
    assert (listed.exit, run in listed.out) == (0, True), listed
    assert (told.exit, run in told.out, told.out.count(" · line ")) == (0, True, bills), told
    none = desk.k3push("runs", "--find", "nobody's")
    assert (none.exit, none.out, none.err) == (0, "", "No run is like that.\n")


def test_a_part_that_is_too_short_is_said_to_be(done: Done) -> None:
    """That nothing is like it would be untrue: nothing has been looked for."""
    desk, _ = done
    for command, code in ((("runs", "--find", "017"), 0), (("explain", "017"), 2)):
        ran = desk.k3push(*command)
        assert (ran.exit, "too short" in ran.err) == (code, True), ran


def test_explain_and_status_say_what_to_do(done: Done) -> None:
    """Under the ERP's words stands what a person does about them, in the chosen language."""
    desk, _ = done
    for command in (("explain", "CGDDU000000"), ("status",)):
        assert "→ approve it in the ERP, then `k3push retry`" in desk.k3push(*command).out
        told = desk.k3push("--lang", "zh", *command).out
        assert "→ 请在 ERP 中审核，然后 `k3push retry`" in told
    assert "→" not in desk.k3push("explain", "CGDD0000017").out
    assert {row["reason"] for row in desk.rows(name="rejected.csv")} == {
        "源单未审核 (the source bill is not approved)",
        "源单已关闭 (the source bill is closed)",
    }


def test_explain_names_the_run_where_it_is_not_the_last(desk: Desk, sandbox: Sandbox) -> None:
    """What is to be typed then would go on with the last one, which has nothing of the number."""
    desk.configure(sandbox.url)
    first = desk.k3push("run", desk.job(["CGDDU000000"]), "--json").said["run"]
    assert "`k3push retry`" in desk.k3push("explain", "CGDDU000000").out
    assert desk.k3push("run", desk.job(orders(1), "more.csv")).exit == 0
    for typed in ("CGDDU000000", "GDDU00"):
        told = desk.k3push("explain", typed)
        assert f"`k3push retry {first}`" in told.out, told


def test_explain_tells_of_all_runs_whatever_spelling_is_typed(desk: Desk, sandbox: Sandbox) -> None:
    """Each list has its own, and the bill has one document."""
    desk.configure(sandbox.url)
    lists = desk.job(["cgdd0000000"]), desk.job(["CGDD0000000"], "more.csv")
    runs = [desk.k3push("run", each, "--json").said["run"] for each in lists]
    for typed in ("cgdd0000000", "CGDD0000000"):
        told = desk.k3push("explain", typed)
        assert [told.out.count(f"run {run} · line") for run in runs] == [1, 1], told


def test_status_reads_no_more_reasons_than_it_can_at_once(desk: Desk) -> None:
    """A million refusals take seconds to read; how many there are it says at once."""
    desk.configure("http://127.0.0.1:9/K3Cloud/")

    async def refuse(count: int) -> None:
        async with open_sqlite(desk.folder / "ledger.db", account="sandbox") as ledger:
            run = a_run(scope="sandbox|po|in")
            await ledger.open_run(run)
            bills = [BillNumber(f"CGDD{index:07d}") for index in range(count)]
            await ledger.add(run.id, [Listed(line, bill) for line, bill in enumerate(bills, 1)])
            refused = [Outcome(bill, State.REJECTED, (), "11", "未审核") for bill in bills]
            await ledger.conclude(run.id, refused, at=NOON)

    anyio.run(refuse, MOST_READ + 3)
    told = desk.k3push("status").out
    assert f"{MOST_READ + 3:,}" in told
    assert f"{MOST_READ:,} × 未审核" in told
    assert "3 more numbers" in told


def test_status_names_what_stopped_a_run(desk: Desk, start: Start) -> None:
    """In the morning the cause of the night's stop is still there, and what to do."""
    desk.configure(start().url, password="wrong")
    assert desk.k3push("run", desk.job(orders(3))).exit == 6
    told = desk.k3push("status").out
    for words in ("exit 6", "the ERP refused the login", "→ correct", "`k3push resume`"):
        assert words in told, told
    shutil.rmtree(desk.folder / "results")
    assert "`k3push resume`" in desk.k3push("status").out


def test_status_goes_by_the_rows_as_they_are(desk: Desk, start: Start) -> None:
    """A person's word after the run may leave nothing to settle, and status then says so."""
    sandbox = start("--faults", desk.write("script.toml", '[[step]]\nfault = "make-then-reset"\n'))
    desk.configure(sandbox.url)
    ran = desk.k3push("run", desk.job(orders(1)), "--halt", "unknown=1")
    assert ran.exit == 4, ran
    assert "`k3push settle`" in desk.k3push("status").out
    assert desk.k3push("settle", "--as", "absent", *orders(1), "--because", "seen").exit == 0
    told = desk.k3push("status").out
    assert "`k3push resume`" in told
    assert "settle" not in told


def test_without_a_run_a_look_says_how_to_begin(desk: Desk, untouched: Sandbox) -> None:
    """No ledger, an empty file and a ledger without runs are beginnings, not defects."""
    desk.configure(untouched.url)
    for command in ("status", "runs"):
        ran = desk.k3push(command)
        assert (ran.exit, "`k3push run LIST.csv`" in ran.err) == (2, True), ran
    assert not (desk.folder / "ledger.db").exists()
    desk.write("ledger.db", "")
    for _ in ("an empty file", "a ledger without runs"):
        ran = desk.k3push("status")
        assert (ran.exit, "`k3push run LIST.csv`" in ran.err) == (2, True), ran
    desk.write("ledger.db", "no database " * 100)
    ran = desk.k3push("status")
    assert "[ledger] url" in ran.err
    assert "Traceback" not in ran.err


def test_export_writes_the_rows(done: Done) -> None:
    """CSV and JSONL hold the ledger's rows, all of them or those of some states."""
    desk, _ = done
    assert desk.k3push("export", "--output", "all.csv").exit == 0
    assert read_csv(desk.folder / "all.csv") == desk.rows()
    states = ("--state", "rejected", "--state", "draft")
    ran = desk.k3push("export", "--format", "jsonl", "--output", "some.jsonl", *states)
    assert ran.exit == 0, ran
    lines = (desk.folder / "some.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["number"] for record in records] == ["CGDDU000000", "CGDDC000000"]
    assert list(records[0]) == list(desk.rows()[0])
    nowhere = desk.k3push("export", "--output", "missing/all.csv")
    assert nowhere.exit == 2, nowhere
    assert str(Path("missing/all.csv")) in nowhere.err


def test_the_name_of_an_export_says_its_format(done: Done) -> None:
    """`--format` says it where the name does not."""
    desk, _ = done
    for name, begin, options in (
        ("all.xlsx", b"PK", ()),
        ("all.parquet", b"PAR1", ()),
        ("all.jsonl", b'{"line":', ()),
        ("all.bin", b"PAR1", ("--format", "parquet")),
    ):
        ran = desk.k3push("export", "--output", name, *options)
        assert ran.exit == 0, ran
        assert (desk.folder / name).read_bytes().startswith(begin)
        assert (desk.folder / name).stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_parquet_without_its_library_names_the_cure(done: Done) -> None:
    """The library is large, so it is an extra."""
    desk, _ = done
    (desk.folder / "without").mkdir()
    desk.write("without/pyarrow.py", "raise ImportError('No module named pyarrow')")
    without = Desk(desk.folder, path_of_ours(desk.folder / "without"))
    ran = without.k3push("export", "--output", "none.parquet")
    assert (ran.exit, "pip install 'k3push[parquet]'" in ran.err) == (2, True), ran
    assert not (desk.folder / "none.parquet").exists()


def test_an_export_onto_a_folder_is_refused(done: Done) -> None:
    """Also where the folder has no name of its own."""
    desk, _ = done
    for name in ("results", "."):
        ran = desk.k3push("export", "--output", name)
        assert (ran.exit, "folder" in ran.err) == (2, True), ran


def test_the_summary_says_what_the_run_was(done: Done) -> None:
    """summary.json has the figures of `--json`, and the job files."""
    desk, run = done
    told = desk.summary()
    assert (told["run"], told["exit"], told["jobs"]) == (run, 3, ["orders.csv"])
    assert told["counts"] == {"pushed": 40, "rejected": 2}
    assert told["targets"] == 40


def test_a_report_that_is_made_later_has_the_steps_of_the_pace(done: Done) -> None:
    """Its folder may be gone, or on another machine."""
    desk, _ = done
    assert desk.k3push("report", "--output", "later.html").exit == 0
    page = (desk.folder / "later.html").read_text("utf-8")
    steps = desk.summary()["pace"]
    assert steps
    for step in steps:
        calls, numbers = step["concurrency"], step["chunk_size"]
        # On a busy machine a call may travel alone, and a number.
        said = f"{calls} {'call' if calls == 1 else 'calls'} at once × {numbers} "
        assert said + ("number (" if numbers == 1 else "numbers (") in page


@pytest.mark.parametrize(
    ("arguments", "code"), [(("runs",), 0), (("--help",), 0), (("explain", "NOBODY"), 2)]
)
def test_a_reader_who_leaves_changes_no_exit_code(
    done: Done, arguments: tuple[str, ...], code: int
) -> None:
    """`k3push runs | head -1` is no defect, and a run must end with its own exit code."""
    desk, _ = done
    process = desk.begin(*arguments)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == code
    assert "Traceback" not in said
    assert bool(said) == bool(code)


@posix
def test_files_are_the_owners_alone(done: Done) -> None:
    """The ledger and the results cannot be read by others."""
    desk, _ = done
    paths = [*desk.folder.glob("ledger.db*"), *desk.folder.glob("results/*/*")]
    assert len(paths) > 3
    for path in paths:
        assert path.stat().st_mode & 0o077 == 0, path


def test_check_finds_all_well(desk: Desk, untouched: Sandbox) -> None:
    """`check` reads only, has a line for each thing, and finds a good configuration good.

    What only documents can show is said to be unverified while there are none.
    """
    ran = desk.configure(untouched.url).k3push("check")
    assert ran.exit == 0, ran
    lines = ran.out.splitlines()
    assert len(lines) >= 4
    (unverified,) = [line for line in lines if not line.startswith("✓")]
    assert unverified.startswith("! could not be verified: STK_InStock has no documents yet")
    assert "✓ rule PUR_PurchaseOrder-STK_InStock is there, and enabled" in ran.out
    assert "✓ clock: +" in ran.out
    assert not (desk.folder / "ledger.db").exists()


def test_check_warns_of_a_secret_in_plain_text(desk: Desk, untouched: Sandbox) -> None:
    """That of the sandbox is none."""
    desk.configure(untouched.url)
    sandboxs = desk.k3push("check")
    desk.environment["K3PUSH_ERP__ACCT_ID"] = "20180321174312"
    another = desk.k3push("check")
    assert "plain text" not in sandboxs.out, sandboxs
    assert "! erp.password is written in the settings as plain text" in another.out, another


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_check_says_that_others_may_read_the_ledger(desk: Desk, sandbox: Sandbox) -> None:
    """A copy that was put back has the rights that `cp` gives it."""
    desk.configure(sandbox.url)
    assert desk.k3push("run", desk.job(orders(1))).exit == 0
    ours = desk.k3push("check")
    (desk.folder / "ledger.db").chmod(0o644)
    others = desk.k3push("check")
    assert ("others may read" in ours.out, "others may read" in others.out) == (False, True)


def test_check_names_a_schedule_that_no_time_begins(desk: Desk, untouched: Sandbox) -> None:
    """Whoever forgot the time waits for a night that never comes."""
    desk.configure(untouched.url, more='\n[schedules.nightly]\njobs = "select"\n')
    checked = desk.k3push("check")
    assert "! schedules.nightly has no cron" in checked.out, checked


@pytest.mark.parametrize(
    ("told", "ahead_s"),
    [
        ("Fri, 27 Nov 2026 12:00:00 GMT", 60.0),
        ("Fri, 27 Nov 2026 12:00:00 -0000", 60.0),
        ("Fri, 27 Nov 2026 12:00:00", 60.0),
        ("Fri, 27 Nov 2026 20:00:00 +0800", 60.0),
        ("Fri, 27 Nov 99999 12:00:00 GMT", None),
        ("Fri, 27 Nov 2026 25:61:00 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_servers_time_is_compared_where_it_can_be_read(told: str, ahead_s: float | None) -> None:
    """A proxy that writes nonsense is no defect of ours."""
    now = datetime(2026, 11, 27, 12, 1, tzinfo=UTC)
    assert seconds_ahead(now, told) == ahead_s


@pytest.mark.more
def test_check_asks_both_forms_whatever_the_route_names(
    desk: Desk, untouched: Sandbox, start: Start
) -> None:
    """A route without a number field is one whose target form nobody else asks for."""
    keys = {"target": 'target = "STK_Nowhere"', "rule": 'rule = "X"'}
    wrong = desk.configure(untouched.url, lines=keys).k3push("check")
    assert wrong.exit == 2, wrong
    assert "✗ target form STK_Nowhere: " in wrong.out
    assert "the links of STK_Nowhere" not in wrong.out  # of a form that is not there
    keys["target"] = 'target = "PUR_ReceiveBill"'
    right = desk.configure(untouched.url, lines=keys).k3push("check")
    assert right.exit == 0, right
    assert "✓ target form PUR_ReceiveBill\n" in right.out
    assert "! the links of PUR_ReceiveBill.FDetailEntity can be asked for, and none" in right.out
    without = desk.configure(start("--no-links").url, lines=keys).k3push("check")
    assert without.exit == 0, without
    assert "! route po-instock: no source_number_field, and the links" in without.out


def test_check_proves_links_by_documents_that_are_there(desk: Desk, start: Start) -> None:
    """One of the route's own rule shows where the links are, and that they name its source."""
    keys = {
        "target": 'target = "PUR_ReceiveBill"',
        "rule": 'rule = "PUR_PurchaseOrder-PUR_ReceiveBill"',
    }
    desk.configure(start("--orders", "3").url, lines=keys)
    ran = desk.k3push("run", desk.job(orders(3)), "--json")
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 3}), ran
    ran = desk.k3push("check")
    assert ran.exit == 0, ran
    assert "✓ the links of PUR_ReceiveBill.FDetailEntity name bills of PUR_Purch" in ran.out
    told = desk.k3push("explain", orders(3)[2]).out
    assert "found by the ERP's link" in told


@pytest.mark.more
def test_check_says_of_a_known_pair_that_its_links_cannot_be_asked_for(
    desk: Desk, start: Start
) -> None:
    """And not that none shows the rule yet: another push would show no more."""
    desk.configure(start("--no-links", "--orders", "3").url)
    assert desk.k3push("run", desk.job(orders(3)), "--json").exit == 0
    ran = desk.k3push("check")
    assert (ran.exit, "! the links of STK_InStock cannot be asked for" in ran.out) == (0, True), ran
    assert "found by FSRCBillNo" in desk.k3push("explain", orders(3)[2]).out


def test_check_never_ticks_a_rule_that_is_not_there(desk: Desk, untouched: Sandbox) -> None:
    """A slip in it costs a night of refusals; those that are near it are named."""
    lines = {"rule": 'rule = "PUR_PurchaseOrder-STK_Instok"'}
    ran = desk.configure(untouched.url, lines=lines).k3push("check")
    (line,) = [line for line in ran.out.splitlines() if "STK_Instok" in line]
    assert line.startswith("! rule PUR_PurchaseOrder-STK_Instok ")
    assert "near it: PUR_PurchaseOrder-STK_InStock" in line
    lines = {"rule": "default_rule = true"}
    ran = desk.configure(untouched.url, lines=lines).k3push("check")
    (line,) = [line for line in ran.out.splitlines() if "default rule" in line]
    assert line.startswith("✓ route po-instock: PUR_PurchaseOrder-STK_InStock is the default rule")


@pytest.mark.parametrize("fault", ["no-permission", "lose-session", "response-error", "empty"])
def test_check_says_that_it_could_not_verify_a_rule(desk: Desk, start: Start, fault: str) -> None:
    """A site that does not list its rules may have them all the same."""
    script = '[[step]]\nfault = "make-then-gzip"\non = "query"\ntimes = 5\n'
    script += f'[[step]]\nfault = "{fault}"\non = "query"\ntimes = 9\n'
    sandbox = start("--faults", desk.write("script.toml", script))
    ran = desk.configure(sandbox.url).k3push("check")
    (line,) = [line for line in ran.out.splitlines() if "PUR_PurchaseOrder-STK_InStock" in line]
    assert line.startswith("! rule PUR_PurchaseOrder-STK_InStock could not be verified"), ran
    assert "✗" not in ran.out
    assert ran.exit == 0, ran


@pytest.mark.parametrize("rule", ["default_rule = true", 'rule = "PUR_PurchaseOrder-STK_InStock"'])
def test_check_asks_for_no_trial_run_of_a_rule_that_a_run_has_pushed_by(
    desk: Desk, start: Start, rule: str
) -> None:
    """Where the site does not tell of its rules, it would ask for one for ever."""
    lines = {"rule": rule}
    desk.configure(start("--orders", "5").url, lines=lines)
    run = desk.k3push("run", desk.job(orders(1)), "--json").said["run"]
    script = '[[step]]\nfault = "make-then-gzip"\non = "query"\ntimes = 5\n'
    script += '[[step]]\nfault = "no-permission"\non = "query"\ntimes = 9\n'
    sandbox = start("--orders", "5", "--faults", desk.write("script.toml", script))
    ran = desk.configure(sandbox.url, lines=lines).k3push("check")
    told = [line for line in ran.out.splitlines() if line[2:].startswith(("rule", "route"))]
    assert [line[0] for line in told] == ["✓"], ran
    assert f"run {run} has pushed by it" in told[0]


def test_check_finds_nothing_good_about_documents_of_a_form_that_is_not_there(
    desk: Desk, start: Start
) -> None:
    """Documents that are there were pushed from others, so no field and no link can name it."""
    sandbox = start("--orders", "5")
    assert desk.configure(sandbox.url).k3push("run", desk.job(["CGDD0000001"])).exit == 0
    ran = desk.configure(sandbox.url, lines={"source": 'source = "PUR_NoSuch"'}).k3push("check")
    assert ran.exit == 2, ran
    about = [line for line in ran.out.splitlines() if "PUR_NoSuch" in line]
    assert [line[0] for line in about] == ["✗", "!"], ran  # the form, and the rule of another
    assert "✓ target form STK_InStock" in ran.out


def test_check_finds_a_wrong_field(desk: Desk, untouched: Sandbox) -> None:
    """A field that the target form does not have is found before anything is sent."""
    desk.configure(untouched.url, more='source_number_field = "FNoSuchField"\n')
    ran = desk.k3push("check")
    assert ran.exit == 2, ran
    assert [line for line in ran.out.splitlines() if line.startswith("✗")]
    assert "FNoSuchField" in ran.out


@posix
def test_init_writes_a_configuration_without_a_secret(desk: Desk, untouched: Sandbox) -> None:
    """The answers become a configuration that works; the password stays in the environment."""
    answers = [untouched.url, "sandbox", "sandbox", "MY_PASSWORD", "", "", "", ""]
    ran = desk.k3push("init", given="".join(f"{answer}\n" for answer in answers))
    assert ran.exit == 0, ran
    path = desk.folder / "config.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text("utf-8")
    assert 'password = { env = "MY_PASSWORD" }' in text
    desk.environment["MY_PASSWORD"] = "sandbox"
    assert desk.k3push("check").exit == 0
    again = desk.k3push("init", given="x\n" * 9)
    assert (again.exit, "config.toml" in again.err) == (2, True)
    assert path.read_text("utf-8") == text


def test_the_environment_overrides_a_setting(desk: Desk, untouched: Sandbox) -> None:
    """`K3PUSH_<SECTION>__<KEY>` wins over the file."""
    desk.configure("http://127.0.0.1:1/")
    desk.environment["K3PUSH_ERP__URL"] = untouched.url
    assert desk.k3push("check").exit == 0


def test_the_sandbox_prints_a_configuration_that_works(desk: Desk) -> None:
    """What `sandbox` prints under its address is a config.toml for that address.

    It is short, so that a terminal still shows the address.
    """
    with Sandbox(desk.folder) as sandbox:
        assert sandbox.config.count("\n") < 20
        desk.write("config.toml", sandbox.config)
        ran = desk.k3push("check")
    assert ran.exit == 0, ran
    assert sandbox.url in ran.out


def test_a_demo_audits_itself(desk: Desk) -> None:
    """`demo` needs no configuration, and ends with 0 where its ledger agrees with the books.

    That some bills are refused is a part of it.
    """
    ran = desk.k3push("demo", "--json")
    assert ran.exit == 0, ran
    assert ran.said["exit"] == 3
    assert "books agree" in ran.err
    folder = desk.folder / "k3push-demo"
    (ledger,) = folder.glob("results/*/ledger.csv")
    assert {row["state"] for row in read_csv(ledger)} == {"pushed", "rejected"}
    config = ("--config", str(folder / "config.toml"))
    # The answer that is lost is of a call that has made documents, so a look finds them.
    lost = desk.k3push("explain", "CGDD0000033", *config).out.partition("in doubt")[2]
    assert "found by" in lost
    assert "attempt " not in lost
    desk.k3push("retry", *config)  # nobody listens any more, so the numbers stay planned
    for number, words in IN_CHINESE.items():
        told_zh = desk.k3push("--lang", "zh", "explain", number, *config).out
        for word in words:
            assert word in told_zh, told_zh
        for english in ("attempt ", "request", "answer ", "verdict", "read back", "planned again"):
            assert english not in told_zh, told_zh


@posix
@pytest.mark.parametrize("how", shared_out(["module", "script", "on the PATH", "uv run"], 4))
def test_the_next_command_of_a_demo_works_as_it_is_printed(tmp_path: Path, how: str) -> None:
    """Whoever copies it may have started k3push in any of these ways, with blanks in the paths."""
    script = Path(sysconfig.get_path("scripts"), "k3push")
    environment = {"HOME": str(tmp_path), "LANG": "C.UTF-8", "PATH": os.defpath}
    folder, begin = tmp_path, shlex.quote(str(script))
    output = tmp_path / "a demo's folder"
    if how == "module":
        begin = f"{shlex.quote(sys.executable)} -m k3push"
    elif how == "on the PATH":
        environment["PATH"], begin = f"{script.parent}:{os.defpath}", "k3push"
    elif how == "uv run":
        uv = os.environ.get("UV")
        if uv is None or Path(sys.prefix).name != ".venv":
            pytest.skip("not started by uv run")
        environment["PATH"], begin = f"{Path(uv).parent}:{os.defpath}", "uv run k3push"
        environment["UV_OFFLINE"] = environment["UV_NO_SYNC"] = "1"
        folder = Path(sys.prefix).parent

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S602  # what a person types
            line,
            shell=True,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    ran = shell(f"{begin} demo --quiet --output {shlex.quote(str(output))}")
    assert ran.returncode == 0, ran
    (line,) = [line for line in ran.stderr.splitlines() if "Look at one" in line]
    command = line.split(": ", 1)[1]
    assert command.startswith(f"{begin} explain CGDD0000033"), command
    told = shell(command)
    assert (told.returncode, "CGDD0000033" in told.stdout) == (0, True), told


def test_chinese_is_spoken_when_asked(done: Done, desk: Desk) -> None:
    """`--lang zh` and a Chinese locale give Chinese words, in help, results and errors."""
    with_run, _ = done
    assert "批量下推" in desk.k3push("--lang", "zh", "--help").out
    assert "结果：" in with_run.k3push("--lang", "zh", "status").out
    desk.environment["LANG"] = "zh_CN.UTF-8"
    assert "错误：" in desk.k3push("run", "x.csv").err


def test_the_version_is_told(desk: Desk) -> None:
    """`--version` prints name and version."""
    ran = desk.k3push("--version")
    assert ran.exit == 0
    assert ran.out.startswith("k3push 0.")


def test_the_beginning_of_an_id_must_fit_one_run(desk: Desk, sandbox: Sandbox) -> None:
    """Whoever types two letters too few is told which runs there are."""
    desk.configure(sandbox.url)
    ids = [desk.k3push("run", desk.job(orders(1)), "--json").said["run"] for _ in range(2)]
    ran = desk.k3push("status", "20")
    assert ran.exit == 2, ran
    assert all(run in ran.err for run in ids)
    assert desk.k3push("status", ids[0]).exit == 0
    assert "there is no run 19" in desk.k3push("status", "19").err


def test_help_is_quick(desk: Desk) -> None:
    """Help takes less than 0.3 s of a processor, and names every command.

    What the clock on the wall says is a matter of what else the machine does.
    """
    before = os.times()
    ran = desk.k3push("--help")
    after = os.times()
    spent_s = sum(after[2:4]) - sum(before[2:4])  # the children's, user and system
    assert ran.exit == 0
    for command in COMMANDS:
        assert command in ran.out
    assert spent_s <= 0.3
    assert desk.k3push("run", "--help").exit == 0


def test_importing_k3push_loads_little() -> None:
    """`import k3push` loads neither extras nor what only a command needs."""
    heavy = ["keyring", "pyarrow", "xlsxwriter", "psycopg", "starlette", "httpx", "rich", "jinja2"]
    program = f"import k3push, sys; print(*(set({heavy}) & set(sys.modules)))"
    ran = subprocess.run(  # noqa: S603  # our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == ""


def test_a_command_to_be_typed_next_names_the_settings_that_were_named(
    desk: Desk, sandbox: Sandbox
) -> None:
    """Without them it would go on with another ledger, or find none."""
    desk.configure(sandbox.url)
    (desk.folder / "config.toml").rename(desk.folder / "my night.toml")
    ran = desk.k3push("run", desk.job(orders(3)), "--limit", "1", "--config", "my night.toml")
    assert ran.exit == 5, ran
    (line,) = [line for line in ran.out.splitlines() if line.startswith("exit 5")]
    command = line.partition("`k3push ")[2].partition("`")[0]
    assert command == "resume --config 'my night.toml'", line
    assert desk.k3push(*shlex.split(command)).exit == 0
