from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.cli.app import run
from k3push.core.model import BillNumber, Listed, Route, Run, RunId
from tests.cli.conftest import Start
from tests.cli.terminal import (
    SALES_ROUTE,
    Desk,
    Sandbox,
    assert_all_once,
    assert_true,
    orders,
    typed,
)

pytestmark = pytest.mark.halved

PLAN = "orders.plan.jsonl"

BLOCKED = ["CGDDU000000", "CGDDC000000", "NOBODY"]


def planned(desk: Desk, sandbox: Sandbox, *numbers: str) -> Desk:
    """Configure a desk and plan a list."""
    desk.configure(sandbox.url).job(numbers)
    ran = desk.k3push("plan", "orders.csv")
    assert ran.exit in {0, 3}, ran
    return desk


def test_a_plan_says_what_a_run_would_do_and_sends_nothing(desk: Desk, sandbox: Sandbox) -> None:
    """Ready, already and blocked are counted, with reasons and repeats, in 80 columns."""
    desk.configure(sandbox.url).job(orders(12))
    assert desk.k3push("run", "orders.csv").exit == 0
    before = sandbox.truth()
    desk.job([*orders(45), *BLOCKED, "cgdd0000007"])
    ran = desk.k3push("plan", "orders.csv", "--chunk-size", "20")
    assert ran.exit == 3, ran
    words = ran.out.split()
    for fate, count in (("ready", "33"), ("already", "12"), ("blocked", "3")):
        assert words[words.index(fate) + 1] == count
    for reason in ("is not approved", "is closed", "holds no such bill"):
        assert reason in ran.out, ran.out
    for words_of in ("repeated lines: 1", "3 calls · time: ", PLAN):
        assert words_of in ran.out, ran.out
    assert "judging by the last run" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    after = sandbox.truth()
    assert (after["sources"], after["calls"]["push"]) == (
        before["sources"],
        before["calls"]["push"],
    )


def test_the_time_is_unknown_before_the_first_run(desk: Desk, untouched: Sandbox) -> None:
    """A figure that nobody has measured is none; nor is a ledger made to keep it in."""
    desk.configure(untouched.url).job(orders(5))
    ran = desk.k3push("plan", "orders.csv", "--json", "-o", "p")
    assert ran.exit == 0
    said = ran.said
    assert (said["counts"], said["estimated_seconds"]) == ({"ready": 5}, None)
    assert (said["plan"], said["route"], said["chunks"]) == ("p", "po-instock", 2)
    assert len(said["sha256"]) == 64
    assert not (desk.folder / "ledger.db").exists()
    assert "known after a run of ten numbers or more" in desk.k3push("plan", "orders.csv").out


def test_a_plan_is_applied_as_it_is(desk: Desk, sandbox: Sandbox) -> None:
    """Each number has its row, in the order of the job file; only the ready ones travel."""
    numbers = [*orders(45), *BLOCKED]
    desk.configure(sandbox.url).job(orders(5))
    assert desk.k3push("run", "orders.csv").exit == 0
    planned(desk, sandbox, *numbers)
    ran = desk.k3push("apply", PLAN, "--json")
    assert ran.exit == 3, ran
    assert ran.said["counts"] == {"pushed": 40, "already": 5, "rejected": 3}
    rows = desk.rows(ran.said["run"])
    assert [row["number"] for row in rows] == numbers
    assert_true(rows, sandbox.truth())
    assert {row["code"] for row in rows if row["state"] == "rejected"} == {"precheck"}
    assert "taken over from the plan" in desk.k3push("explain", BLOCKED[0]).out


def test_a_bill_that_the_plan_left_out_is_not_pushed(desk: Desk, sandbox: Sandbox) -> None:
    """What nobody has agreed to is left to the next plan, though it could be pushed by now."""
    desk.configure(sandbox.url).job(orders(3))
    assert desk.k3push("plan", "orders.csv").exit == 0
    text = (desk.folder / PLAN).read_text("utf-8")
    assert '"fate":"ready"' in text
    # The ERP's books change between plan and apply: somebody else pushes one of them.
    assert desk.k3push("run", desk.job(orders(1), "one.csv")).exit == 0
    ran = desk.k3push("apply", PLAN, "--json")
    assert (ran.exit, ran.said["counts"]) == (0, {"already": 1, "pushed": 2}), ran
    assert_all_once(desk.rows(ran.said["run"]), sandbox.truth(), orders(3))


@pytest.mark.skipif(os.name == "nt", reason="its shells quote in other ways")
@pytest.mark.parametrize("name", ["my list.csv", "-list.csv", "采购'单.csv"])
def test_what_a_plan_says_is_to_be_typed_can_be_typed(
    desk: Desk, sandbox: Sandbox, name: str
) -> None:
    """A blank made two words of it, and a hyphen an option."""
    desk.configure(sandbox.url)
    desk.job(orders(2), name)
    planned = desk.k3push("plan", f"./{name}")
    assert planned.exit == 0, planned
    program, *words = shlex.split(planned.out.splitlines()[-1].partition(": ")[2])
    assert program == "k3push"
    applied = desk.k3push(*words)
    assert applied.exit == 0, applied


def test_a_plan_is_applied_once(desk: Desk, sandbox: Sandbox) -> None:
    """The second time the run is named that went on from it; a limit left numbers to resume."""
    planned(desk, sandbox, *orders(30))
    first = desk.k3push("apply", PLAN, "--limit", "10", "--json")
    assert (first.exit, first.said["counts"]) == (5, {"pushed": 10, "planned": 20}), first
    again = desk.k3push("apply", PLAN)
    assert again.exit == 2
    assert f"k3push resume {first.said['run']}" in again.err
    assert sandbox.made() == 10
    assert desk.k3push("resume", first.said["run"]).exit == 0
    assert_all_once(desk.rows(), sandbox.truth(), orders(30))


CHANGES = {
    "rule": 'default_rule = true\n# rule = ""',
    "target": 'target = "PUR_ReceiveBill"',
    "source": 'source = "SAL_SaleOrder"',
    "acct_id": 'acct_id = "other"',
    "url": 'url = "http://127.0.0.1:1/K3Cloud/"',
}


def test_a_plan_for_other_settings_is_refused(
    desk: Desk,
    untouched: Sandbox,
    cleared: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was looked at is not what would be pushed; the key and the cure are named."""
    planned(desk, untouched, *orders(3))
    for key, line in CHANGES.items():
        desk.configure(untouched.url, lines={key: line})
        assert run(["apply", PLAN], "en") == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert f".{key}: " in said.err
        assert "k3push plan" in said.err
    cleared.setenv("K3PUSH_LEDGER__URL", "sqlite:///other.db")
    desk.configure(untouched.url)
    assert run(["apply", PLAN], "zh") == 2
    assert "ledger.url" in capsys.readouterr().err
    assert untouched.made() == 0
    assert not list(desk.folder.glob("*.db"))


def test_settings_that_change_nothing_of_a_plan_may_change(desk: Desk, sandbox: Sandbox) -> None:
    """How fast it goes and when it halts is decided when it is applied."""
    planned(desk, sandbox, *orders(3))
    desk.configure(sandbox.url, lines={"halt": 'halt = "fail=1"'}, more=SALES_ROUTE)
    assert desk.k3push("apply", PLAN, "--chunk-size", "2").exit == 0


def test_a_changed_job_file_is_refused(desk: Desk, untouched: Sandbox) -> None:
    """The list is what somebody has signed; so is one that is gone, or changed by a blank."""
    planned(desk, untouched, *orders(3))
    for change in ("more", "gone"):
        job = desk.folder / "orders.csv"
        job.write_bytes(job.read_bytes() + b" ") if change == "more" else job.unlink()
        ran = desk.k3push("apply", PLAN)
        assert (ran.exit, ran.out) == (2, "")
        assert "orders.csv" in ran.err
        assert "k3push plan" in ran.err
    assert not (desk.folder / "ledger.db").exists()


def test_an_edited_plan_is_refused(desk: Desk, untouched: Sandbox) -> None:
    """Who wants other numbers changes the list."""
    planned(desk, untouched, *orders(2), *BLOCKED)
    path = desk.folder / PLAN
    path.write_text(path.read_text("utf-8").replace('"blocked"', '"ready"'), "utf-8")
    ran = desk.k3push("apply", PLAN)
    assert (ran.exit, "was edited" in ran.err) == (2, True)
    assert untouched.made() == 0


def test_a_plan_holds_no_secret(desk: Desk, untouched: Sandbox) -> None:
    """It is sent around to be signed."""
    desk.environment["PW"] = "sandbox"
    desk.configure(untouched.url, lines={"password": 'password = { env = "PW" }'}).job(orders(2))
    assert desk.k3push("plan", "orders.csv").exit == 0
    text = (desk.folder / PLAN).read_text("utf-8")
    assert "password" not in text
    assert '"PW"' not in text


def test_standard_input_is_kept_in_the_plan(desk: Desk, sandbox: Sandbox) -> None:
    """Its bytes are gone by the time it is applied, so the plan is the list."""
    desk.configure(sandbox.url)
    ran = desk.k3push("plan", "-", "--json", given="\n".join(orders(3)))
    assert (ran.exit, ran.said["plan"]) == (0, "stdin.plan.jsonl")
    assert desk.k3push("apply", "stdin.plan.jsonl").exit == 0
    assert_all_once(desk.rows(), sandbox.truth(), orders(3))


def test_two_routes_are_one_plan_and_two_runs(desk: Desk, sandbox: Sandbox) -> None:
    """A `route` column parts the plan as it parts a run."""
    desk.configure(sandbox.url, more=SALES_ROUTE)
    desk.write("mixed.csv", "单号,route\nCGDD0000001,po-instock\nXSDD0000001,so-outstock\n")
    ran = desk.k3push("plan", "mixed.csv", "--json")
    assert (ran.exit, ran.said["counts"]) == (0, {"ready": 2}), ran
    applied = desk.k3push("apply", "mixed.plan.jsonl", "--json")
    assert (applied.exit, applied.said["counts"]) == (0, {"pushed": 2}), applied
    assert applied.said["route"] == "po-instock;so-outstock"


def test_a_plan_that_cannot_be_made_leaves_none(desk: Desk) -> None:
    """Nobody answers: exit 6, the cause, and no file that looks like a plan."""
    desk.configure("http://127.0.0.1:1/").job(orders(3))
    ran = desk.k3push("plan", "orders.csv", "--json")
    assert (ran.exit, ran.said["plan"]) == (6, None), ran
    assert "erp.url" in ran.err
    assert not (desk.folder / PLAN).exists()
    assert not list(desk.folder.glob("*.part"))


def test_a_form_that_is_refused_is_a_wrong_setting(desk: Desk, untouched: Sandbox) -> None:
    """There is no run to resume, so the exit code is that of bad settings."""
    desk.configure(untouched.url, lines={"source": 'source = "NO_SUCH_FORM"'}).job(orders(3))
    ran = desk.k3push("plan", "orders.csv")
    assert (ran.exit, "NO_SUCH_FORM" in ran.err) == (2, True), ran


def test_an_empty_job_needs_no_plan(desk: Desk, untouched: Sandbox) -> None:
    """One line says so; a script still gets its object."""
    desk.configure(untouched.url).job([])
    ran = desk.k3push("plan", "orders.csv", "--json")
    assert (ran.exit, ran.said["plan"], ran.said["counts"]) == (0, None, {})
    assert len(ran.err.splitlines()) == 1


def test_again_pushes_what_the_plan_found_there(desk: Desk, start: Start) -> None:
    """A person says so and why; the ERP has the last word."""
    sandbox = start("--keep-open")
    desk.configure(sandbox.url).job(orders(2))
    assert desk.k3push("run", "orders.csv").exit == 0
    planned(desk, sandbox, *orders(2))
    ran = desk.k3push("apply", PLAN, "--again", "--because", "rest", "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"rejected": 2}), ran
    assert all("没有可下推的数量" in row["reason"] for row in desk.rows(ran.said["run"]))


@pytest.mark.parametrize("written", [1, 9])
def test_what_a_death_left_out_of_the_ledger_is_filled_in(
    desk: Desk, sandbox: Sandbox, written: int
) -> None:
    """A kill while the rows were written, or after the last, must not lose the rest of the list."""
    planned(desk, sandbox, *orders(6), *BLOCKED)
    head: dict[str, Any] = json.loads((desk.folder / PLAN).read_bytes().splitlines()[0])["made_for"]
    numbers = [*orders(6), *BLOCKED][:written]
    anyio.run(_begin_filling, desk.folder / "ledger.db", head, numbers)
    ran = desk.k3push("apply", PLAN, "--json")
    assert (ran.exit, ran.said["counts"]) == (3, {"pushed": 6, "rejected": 3}), ran
    assert [row["number"] for row in desk.rows()] == [*orders(6), *BLOCKED]
    assert desk.k3push("apply", PLAN).exit == 2


@pytest.mark.parametrize(("began", "goes_on"), [("rest", ()), ("", ("--again", "--because", "x"))])
def test_what_was_begun_with_again_goes_on_with_it_alone(
    desk: Desk, start: Start, began: str, goes_on: Sequence[str]
) -> None:
    """Who types the command anew may have thought better of second documents."""
    sandbox = start("--write-back", "never")
    desk.configure(sandbox.url).k3push("run", desk.job(orders(2), "first.csv"))
    planned(desk, sandbox, *orders(2))
    head: dict[str, Any] = json.loads((desk.folder / PLAN).read_bytes().splitlines()[0])["made_for"]
    anyio.run(_begin_filling, desk.folder / "ledger.db", head, orders(1), began)
    refused = desk.k3push("apply", PLAN, *goes_on)
    assert (refused.exit, "--again" in refused.err) == (2, True), refused
    assert sandbox.truth()["documents"] == 2


def test_a_plan_of_two_routes_goes_on_without_again_as_the_first_was_begun_with_it(
    desk: Desk, start: Start
) -> None:
    """A kill between the two had left the first run whole, and it made second documents."""
    sandbox = start("--write-back", "never")
    desk.configure(sandbox.url, more=SALES_ROUTE)
    desk.write("mixed.csv", "单号,route\nCGDD0000000,po-instock\nXSDD0000000,so-outstock")
    assert desk.k3push("run", "mixed.csv").exit == 0
    assert desk.k3push("plan", "mixed.csv", "-o", PLAN).exit == 0
    head: dict[str, Any] = json.loads((desk.folder / PLAN).read_bytes().splitlines()[0])["made_for"]
    begun = partial(_begin_filling, again_because="rest", whole=True)
    anyio.run(begun, desk.folder / "ledger.db", head, orders(1))
    refused = desk.k3push("apply", PLAN)
    assert (refused.exit, "--again" in refused.err) == (2, True), refused
    assert sandbox.truth()["documents"] == 2


async def _begin_filling(
    path: Path,
    head: dict[str, Any],
    numbers: Sequence[str],
    again_because: str = "",
    *,
    whole: bool = False,
) -> None:
    """Write what `apply` has written when it is killed after some of nine lines."""
    planned_run = head["runs"][0]
    opened = Run(
        RunId(planned_run["id"]),
        planned_run["scope"],
        Route(**planned_run["route"]),
        ("orders.csv",),
        str(path.parent / "results" / f"orders.{planned_run['id']}"),
        datetime.fromisoformat(head["created_at"]),
        again_because=again_because,
    )
    async with open_sqlite(path, account="sandbox") as ledger:
        await ledger.open_run(opened)
        lines = enumerate(map(BillNumber, numbers), start=2)
        await ledger.add(opened.id, [Listed(line, number) for line, number in lines])
        if whole:
            await ledger.close_list(opened.id)


@pytest.mark.parametrize(
    ("field", "checked", "exit_code", "causes", "documents"),
    [("FNoSuchField", 2, 5, ["look refused"], 0), ("FNote", 0, 0, [], 40)],
)
def test_a_wrong_field_makes_no_second_document(
    desk: Desk,
    sandbox: Sandbox,
    *,
    field: str,
    checked: int,
    exit_code: int,
    causes: list[str],
    documents: int,
) -> None:
    """`check` tells of it, with the cure; whoever skips `check` is stopped, or led by the links."""
    desk.configure(sandbox.url).job(orders(5))
    assert desk.k3push("run", "orders.csv").exit == 0
    before = sandbox.truth()["documents"]
    desk.configure(sandbox.url, more=f'source_number_field = "{field}"\n')
    ran = desk.k3push("check")
    assert ran.exit == checked
    doubtful = [each for each in ran.out.splitlines() if not each.startswith("✓")]
    (line,) = [each for each in doubtful if "source_number_field" in each]
    assert field in line
    assert "source_number_field" in line
    ran = desk.k3push("run", desk.job(orders(40, first=100)), "--json")
    assert ran.exit == exit_code, ran
    assert list(desk.summary(ran.said["run"])["stopped_by"]) == causes
    assert sandbox.truth()["documents"] - before == documents


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_run_on_a_terminal_shows_its_plan_and_asks(
    desk: Desk, sandbox: Sandbox, answer: str
) -> None:
    """What would be pushed, and where, is read before it is agreed to."""
    desk.configure(sandbox.url).job([*orders(7), *BLOCKED])
    code, text = typed(desk, answer, "run", "orders.csv")
    for words in ("ready", "blocked", "7", sandbox.url, "account", "po-instock"):
        assert words in text, text
    assert (code, sandbox.made()) == ((3, 7) if answer == "y" else (5, 0))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(("answer", "made"), [("yse\nｙｅｓ", 2), ("sure\n否", 0)])
def test_an_answer_that_is_neither_yes_nor_no_is_asked_for_again(
    desk: Desk, sandbox: Sandbox, answer: str, made: int
) -> None:
    """A slip is no refusal; an input method may have made wide letters of it."""
    desk.configure(sandbox.url).job(orders(2))
    _, text = typed(desk, answer, "run", "orders.csv")
    assert "is neither yes nor no" in text, text
    assert sandbox.made() == made


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_who_breaks_the_question_off_has_not_agreed(desk: Desk, sandbox: Sandbox, key: str) -> None:
    """It ends at once, without another key."""
    desk.configure(sandbox.url).job(orders(2))
    code, text = typed(desk, key, "run", "orders.csv", enter="")
    assert (code, "Nothing was sent" in text) == (5, True), text
    assert sandbox.made() == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("gone", [False, True])
def test_what_is_agreed_to_is_what_was_shown(desk: Desk, sandbox: Sandbox, *, gone: bool) -> None:
    """An export may come anew while the question stands there."""
    desk.configure(sandbox.url).job(orders(2))

    def meanwhile() -> None:
        if gone:
            (desk.folder / "orders.csv").unlink()
        else:
            desk.job(orders(9))

    code, text = typed(desk, "y", "run", "orders.csv", meanwhile=meanwhile)
    assert (code, "has changed since it was shown" in text) == (2, True), text
    assert sandbox.made() == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_another_plan_of_the_same_name_is_not_the_one_that_was_agreed_to(
    desk: Desk, sandbox: Sandbox
) -> None:
    """It is whole, and nobody has seen it."""
    planned(desk, sandbox, *orders(2))

    def meanwhile() -> None:
        planned(desk, sandbox, *orders(9))

    code, text = typed(desk, "y", "apply", PLAN, meanwhile=meanwhile)
    assert (code, sandbox.made()) == (2, 0), text
    ran = desk.k3push("apply", PLAN, "--json")
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 9})


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_more_documents_on_purpose_are_asked_for_too(desk: Desk, start: Start) -> None:
    """With `--again` what is there is pushed, so a person must be able to say no to it."""
    sandbox = start("--keep-open")
    planned(desk, sandbox, *orders(3))
    assert desk.k3push("apply", PLAN).exit == 0
    pushes = sandbox.truth()["calls"]["push"]
    assert desk.k3push("plan", "orders.csv").exit == 0
    for command in (("run", "orders.csv"), ("apply", PLAN)):
        code, text = typed(desk, "n", *command, "--again", "--because", "rest")
        assert (code, "Push 3 bills" in text) == (5, True), text
    assert sandbox.truth()["calls"]["push"] == pushes


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_the_question_names_no_more_bills_than_the_limit(desk: Desk, sandbox: Sandbox) -> None:
    """Who agrees to three agrees to three."""
    desk.configure(sandbox.url).job(orders(7))
    code, text = typed(desk, "n", "run", "orders.csv", "--limit", "3")
    assert (code, "Push 3 bills" in text, sandbox.made()) == (5, True, 0), text


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_yes_asks_nothing_and_looks_once(desk: Desk, sandbox: Sandbox) -> None:
    """A big job is not held up by a look that nobody waits for."""
    desk.configure(sandbox.url).job(orders(7))
    code, text = typed(desk, "", "run", "orders.csv", "--yes")
    assert (code, sandbox.made(), "plan for" in text) == (0, 7, False)


def test_a_run_may_go_on_with_again(desk: Desk, start: Start) -> None:
    """The reason is kept with the run; without one nothing is sent."""
    sandbox = start("--write-back", "never")
    desk.configure(sandbox.url).k3push("run", desk.job(orders(2), "first.csv"))
    second = desk.k3push("run", desk.job(orders(4), "second.csv"), "--limit", "1", "--json")
    assert second.said["counts"] == {"already": 1, "planned": 3}, second
    run = second.said["run"]
    for command in ("resume", "retry"):
        refused = desk.k3push(command, run, "--again")
        assert (refused.exit, "--because" in refused.err) == (2, True), refused
    also = desk.k3push("retry", run, "--again", "--because", "rest")
    assert (also.exit, "3 bills planned" in also.err) == (2, True), also
    went_on = desk.k3push("resume", run, "--again", "--because", "rest", "--json")
    assert went_on.said["counts"] == {"already": 1, "pushed": 3}, went_on
    assert sandbox.truth()["documents"] == 2 + 3


def test_retry_with_again_pushes_nothing_that_is_in_doubt(desk: Desk, start: Start) -> None:
    """Nobody has named it; once it is settled as not there, it would be pushed again as well."""
    script = '[[step]]\nfault = "no-permission"\n[[step]]\nfault = "reset"\n'
    sandbox = start("--faults", desk.write("script.toml", script))
    desk.configure(sandbox.url, lines={"halt": 'halt = "unknown=1"'})
    ran = desk.k3push("run", desk.job(orders(2)), "--no-canary", "--chunk-size", "1", "--json")
    assert ran.said["counts"] == {"rejected": 1, "unknown": 1}, ran
    refused = desk.k3push("retry", "--again", "--because", "rest")
    assert (refused.exit, "1 bill planned or in doubt" in refused.err) == (2, True), refused
    assert sandbox.truth()["documents"] == 0


def test_a_route_that_no_line_asks_for_is_said_to_be_unused(desk: Desk, sandbox: Sandbox) -> None:
    """Each line names its own, as in a list of results; one that is none is an error."""
    desk.configure(sandbox.url, more=SALES_ROUTE)
    desk.write("own.csv", "number,route\nCGDD0000001,po-instock\n")
    for command in ("plan", "run"):
        ran = desk.k3push(command, "own.csv", "--route", "so-outstock")
        assert (ran.exit, "--route so-outstock is not used" in ran.err) == (0, True), ran
        quiet = desk.k3push(command, "own.csv", "--route", "po-instock")
        assert "is not used" not in quiet.err, quiet
        wrong = desk.k3push(command, "own.csv", "--route", "so-outstok")
        assert (wrong.exit, "so-outstock" in wrong.err) == (2, True), wrong
