"""`audit-dups`: what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from k3push.cli.app import run
from tests.cli.conftest import Start
from tests.cli.terminal import PATIENT, Desk, Sandbox, end, orders, read_csv, until

pytestmark = pytest.mark.halved

NOWHERE = "http://127.0.0.1:9/K3Cloud/"


@pytest.fixture
def used(desk: Desk, cleared: pytest.MonkeyPatch) -> Desk:
    """A desk in whose folder commands are typed, and nothing is served."""
    cleared.chdir(desk.folder)
    return desk.configure(NOWHERE)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk whose six bills are pushed, and two of them once more."""
    folder = tmp_path_factory.mktemp("pushed")
    desk = Desk(folder)
    with Sandbox(folder, "--write-back", "never") as sandbox:
        desk.configure(sandbox.url, lines=PATIENT)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert run(("run", desk.job(orders(6)), "--quiet"), "en") == 0
            again = desk.job(orders(2), "again.csv")
            assert run(("run", again, "--again", "--because", "a test", "--quiet"), "en") == 0
        yield desk


@pytest.fixture
def doubled(pushed: Desk, cleared: pytest.MonkeyPatch) -> Desk:
    """The same desk, in whose folder commands are typed."""
    cleared.chdir(pushed.folder)
    return pushed


Capture = pytest.CaptureFixture[str]


def test_doubles_of_our_own_are_found(doubled: Desk, capsys: Capture) -> None:
    """Somebody asked for the bills to be pushed again, and both documents are told."""
    assert run(("audit-dups", "--json", "--output", "all.csv"), "en") == 3
    told = json.loads(capsys.readouterr().out)
    assert (told["sources"], told["whole"], told["exit"]) == (6, True, 3)
    assert sorted(double["number"] for double in told["doubles"]) == orders(2)
    rows = read_csv(doubled.folder / "all.csv")
    assert {row["ours"] for row in rows} == {"yes"}
    assert len({row["run"] for row in rows}) == 2


def test_a_list_without_doubles_is_clean(doubled: Desk, capsys: Capture) -> None:
    """Only its own bills are looked at."""
    job = doubled.job(orders(3, first=2), "well.csv")
    assert run(("audit-dups", job), "en") == 0
    said = capsys.readouterr().out
    assert said.endswith("Of 3 bills, none has more documents than it should have.\n")


@pytest.mark.usefixtures("doubled")
def test_a_routes_own_filter_names_the_bills(cleared: pytest.MonkeyPatch, capsys: Capture) -> None:
    """It is the filter of the settings, and not only of what could be pushed."""
    where = "FBillNo IN ('CGDD0000000','CGDD0000005','CGDDC000000')"
    cleared.setenv("K3PUSH_ROUTES__PO-INSTOCK__SELECT__WHERE", where)
    assert run(("audit-dups", "--select", "--json"), "en") == 3
    told = json.loads(capsys.readouterr().out)
    assert told["sources"] == 3
    assert [double["number"] for double in told["doubles"]] == ["CGDD0000000"]


@pytest.mark.usefixtures("doubled")
def test_the_ledgers_bills_are_told_in_chinese(capsys: Capture) -> None:
    """So is everything else."""
    assert run(("audit-dups", "--from-ledger"), "zh") == 3
    said = capsys.readouterr().out
    assert "CGDD0000001：下游单据 2 张，应有 1 张（按数量判断）" in said
    assert "已核对 6 张源单：2 张的下游单据过多，0 张下游单据已不存在" in said


def test_what_was_made_since_a_day_is_looked_at(doubled: Desk, capsys: Capture) -> None:
    """The page holds it, and the table fits a terminal."""
    assert run(("audit-dups", "--since", "2026-01-01", "--output", "page.html"), "en") == 3
    said = capsys.readouterr().out
    assert "Of 6 bills, 2 with too many documents" in said
    assert max(map(len, said.splitlines())) <= 80
    assert "CGDD0000001" in (doubled.folder / "page.html").read_text("utf-8")


@pytest.mark.usefixtures("used")
def test_an_erp_that_is_away_is_no_clean_audit(capsys: Capture) -> None:
    """Nothing was looked at, and nobody says otherwise."""
    assert run(("audit-dups", "--json"), "en") == 6
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["whole"], told["doubles"], told["exit"]) == (False, [], 6)
    assert "the ERP cannot be reached" in said.err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_audit_that_is_interrupted_is_not_whole(
    desk: Desk, start: Start, number: signal.Signals
) -> None:
    """What it has found by then is told and written, and nobody takes it for a clean audit."""
    slow = start("--latency", "0.4", "--orders", "1000")
    desk.configure(slow.url)
    process = desk.begin("audit-dups", desk.job(orders(1000)), "--json", "--output", "found.csv")
    until(lambda: slow.truth()["calls"].get("query", 0) >= 3)
    process.send_signal(number)
    ended = end(process)
    assert (ended.exit, ended.said["whole"], ended.said["exit"]) == (5, False, 5), ended
    assert ended.said["sources"] < 1000
    assert "Traceback" not in ended.err
    assert read_csv(desk.folder / "found.csv") == []


def test_an_erp_that_refuses_to_be_asked_is_no_clean_audit(
    used: Desk, start: Start, capsys: Capture
) -> None:
    """The user has no right to read; the exit code is that of an ERP that was not to be had."""
    script = '[[step]]\nfault = "no-permission"\non = "query"\ntimes = 99\n'
    used.configure(start("--faults", used.write("script.toml", script)).url)
    assert run(("audit-dups",), "en") == 6
    assert "The audit is not whole" in capsys.readouterr().out


def test_a_refused_login_is_exit_6(used: Desk, untouched: Sandbox, capsys: Capture) -> None:
    """Five of them lock the account, so that it is tried once."""
    used.configure(untouched.url, password="wrong")
    assert run(("audit-dups",), "en") == 6
    assert "The audit is not whole" in capsys.readouterr().out


def test_an_audit_whose_ledger_cannot_be_read_was_stopped_by_nobody(
    used: Desk, untouched: Sandbox, capsys: Capture
) -> None:
    """5 says that somebody has stopped it, and that all else is well."""
    used.configure(untouched.url)
    used.write("ledger.db", "x" * 9000)
    assert run(("audit-dups",), "en") == 6
    assert "This is no ledger" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "tomorrow"], "--since 'tomorrow' is no day"),
        (["a.csv", "--from-ledger"], "only one of them"),
        (["--select", "--from-ledger"], "only one of them"),
        (["--select", "--since", "today"], "they name their bills themselves"),
        (["a.csv", "--since", "today"], "they name their bills themselves"),
        (["--output", "a.docx"], "must end with"),
        (["--output", "no/a.csv"], "no/a.csv"),
        (["--excess", "101"], "--excess"),
        (["--route", "nowhere"], "nowhere"),
        (["--from-ledger"], "ledger.db"),
    ],
)
def test_a_mistake_is_named(used: Desk, capsys: Capture, arguments: list[str], words: str) -> None:
    """Nothing is asked before."""
    used.write("a.csv", "CGDD0000001\n")
    assert run(("audit-dups", *arguments), "en") == 2
    assert words in capsys.readouterr().err


@pytest.mark.usefixtures("used")
@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder that takes no file")
def test_a_folder_that_takes_no_file_is_named_before_any_look(capsys: Capture) -> None:
    """After an hour of looks it ended with 2, and whether there were doubles was not told."""
    assert run(("audit-dups", "--output", "/proc/doubles.csv"), "en") == 2
    said = capsys.readouterr()
    assert (said.out, "/proc/doubles.csv" in said.err) == ("", True), said


def test_a_route_whose_documents_cannot_be_asked_for_is_named(
    used: Desk, untouched: Sandbox, capsys: Capture
) -> None:
    """To look in vain would be to find nothing."""
    route = '\n[routes.own]\nsource = "A_B"\ntarget = "C_D"\nrule = "x"\n'
    used.configure(untouched.url, more=route)
    assert run(("audit-dups",), "en") == 2
    assert "route own has no source_number_field" in capsys.readouterr().err
