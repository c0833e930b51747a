"""Bills that a route selects: as a list, in a plan, and in a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Start
from tests.cli.terminal import SALES_ROUTE, Desk, Sandbox, assert_true, end, orders, read_csv, until

ALL_DIGITS = 40
NOTE = "FBillNo like 'CGDD%'"


def selecting(**keys: object) -> str:
    """Return the table of settings that says what the route selects."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return f"\n[routes.po-instock.select]\n{lines}"


@pytest.fixture
def few(start: Start) -> Sandbox:
    """A sandbox with twelve orders that a filter of ours lets through."""
    return start("--orders", "12")


def test_a_list_is_an_ordinary_job_file(desk: Desk, few: Sandbox) -> None:
    """Number, id, date and organisation; what the ERP would refuse is left out."""
    desk.configure(few.url, more=selecting(where=NOTE))
    ran = desk.k3push("select", "--output", "tonight.csv")
    assert ran.exit == 0, ran
    assert "12 bills of PUR_PurchaseOrder" in ran.out
    assert "run tonight.csv" in ran.out
    rows = read_csv(desk.folder / "tonight.csv")
    assert [row["number"] for row in rows] == orders(12)
    assert list(rows[0]) == ["number", "id", "date", "organisation"]
    assert rows[0]["id"].isdigit()
    pushed = desk.k3push("run", "tonight.csv", "--json")
    assert (pushed.exit, pushed.said["counts"]) == (0, {"pushed": 12}), pushed
    assert_true(desk.rows(pushed.said["run"]), few.truth())


def test_an_address_at_which_nobody_answers_is_said_at_once(desk: Desk) -> None:
    """It is as likely wrong as it is away for a moment."""
    desk.configure("http://127.0.0.1:9", more=selecting(where=NOTE))
    ran = desk.k3push("select", "--output", "tonight.csv")
    assert ran.exit == 6, ran
    assert "waiting" not in ran.err


def test_json_lines_and_options_beside_the_settings(desk: Desk, few: Sandbox) -> None:
    """A filter narrows the route's own; the object for programs has what the contract says."""
    where = "FBillNo<>'CGDD0000003' OR FBillNo='CGDD0000003'"
    desk.configure(few.url, more=selecting(where=where, max_count=3))
    ran = desk.k3push(
        "select", "-o", "a.jsonl", "--where", NOTE, "--max-count", "20", "--json", "--route",
        "po-instock",
    )  # fmt: skip
    assert ran.exit == 0, ran
    assert list(ran.said) == ["output", "route", "count", "seconds"]
    assert (ran.said["output"], ran.said["route"], ran.said["count"]) == (
        "a.jsonl",
        "po-instock",
        12,
    )
    lines = (desk.folder / "a.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["number"] for line in lines] == orders(12)
    one = "FBillNo='CGDD0000002' OR FBillNo like '2018%'"
    desk.configure(few.url, more=selecting(where=NOTE))
    narrowed = desk.k3push("select", "-o", "b.csv", "--where", one, "--json")
    assert (narrowed.exit, narrowed.said["count"]) == (0, 1), narrowed
    assert desk.k3push("run", "a.jsonl", "--json").said["counts"] == {"pushed": 12}


def test_more_than_max_count_is_said_and_ends_with_5(desk: Desk, few: Sandbox) -> None:
    """What was found is written, and pushed; the next run takes what is left."""
    desk.configure(few.url, more=selecting(where=NOTE, max_count=5))
    ran = desk.k3push("select", "-o", "a.csv")
    assert (ran.exit, "max_count of route po-instock" in ran.err) == (5, True), ran
    assert [row["number"] for row in read_csv(desk.folder / "a.csv")] == orders(5)
    told = desk.k3push("run", "--select")
    assert told.exit == 5
    assert "exit 0: every number is pushed" in told.text
    assert told.err.rstrip().splitlines()[-1].startswith("exit 5: ")
    for count, code in ((5, 5), (2, 0)):
        pushed = desk.k3push("run", "--select", "--json")
        assert (pushed.exit, pushed.said["counts"]) == (code, {"pushed": count}), pushed
    nothing = desk.k3push("run", "--select", "--json")
    assert (nothing.exit, "0 bills" in nothing.err) == (0, True), nothing
    assert few.made() == 12


def test_bills_that_wait_for_approval_hold_up_no_others(desk: Desk, start: Start) -> None:
    """Where a pair writes back at the audit, a bill is selected until its document is approved."""
    sandbox = start("--orders", "12", "--write-back", "audit")
    desk.configure(sandbox.url, more=selecting(where=NOTE, max_count=5))
    for _ in range(2):
        pushed = desk.k3push("run", "--select", "--json")
        assert (pushed.exit, pushed.said["counts"]) == (5, {"pushed": 5}), pushed
    last = desk.k3push("run", "--select", "--json")
    assert (last.exit, last.said["counts"]) == (0, {"pushed": 2, "already": 3}), last
    assert "7 bills of PUR_PurchaseOrder were left out" in last.err
    listed = desk.k3push("select", "-o", "a.csv")
    assert (listed.exit, len(read_csv(desk.folder / "a.csv"))) == (0, 5), listed
    assert sandbox.made() == 12
    again = desk.k3push("run", "--select", "--again", "--because", "a second delivery", "--json")
    assert (again.exit, again.said["counts"]) == (5, {"pushed": 5}), again


def test_what_was_selected_once_more_meanwhile_is_pushed_once(desk: Desk, start: Start) -> None:
    """A run that goes on pushes nothing that another has pushed since it selected its bills."""
    sandbox = start("--orders", "4", "--write-back", "never")
    in_parts = "allow_partial = true\n" + selecting(where=NOTE)
    desk.configure(sandbox.url, more=in_parts)
    stopped = desk.k3push("run", "--select", "--limit", "1", "--json")
    assert (stopped.exit, stopped.said["counts"]) == (5, {"pushed": 1, "planned": 3}), stopped
    pushed = desk.k3push("run", "--select", "--json")
    assert (pushed.exit, pushed.said["counts"]) == (0, {"pushed": 4}), pushed
    resumed = desk.k3push("resume", str(stopped.said["run"]), "--json")
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 1, "already": 3}), resumed


def test_a_selection_that_waits_for_another_run_pushes_none_of_its_bills_once_more(
    desk: Desk, start: Start
) -> None:
    """It is of the time at which it was read, and not of that at which its run begins."""
    sandbox = start("--orders", "12", "--write-back", "never", "--latency", "0.2")
    desk.configure(sandbox.url, more="allow_partial = true\n" + selecting(where=NOTE))
    first = desk.begin("run", "--select", "--chunk-size", "1", "--json")
    until(lambda: sandbox.made() > 0)
    second = desk.begin("run", "--select", "--overlap", "wait", "--json")
    assert second.stderr is not None
    assert "were selected" in second.stderr.readline()
    assert "under way" in second.stderr.readline()
    assert end(first).exit == 0
    told = end(second)
    assert (told.exit, sandbox.truth()["documents"]) == (0, 12), told
    assert told.said["counts"]["already"] > 0


def test_what_was_selected_is_kept_with_the_run(desk: Desk, few: Sandbox) -> None:
    """As it was found, beside the results, and in every export by number and id."""
    desk.configure(few.url, more=selecting(where=NOTE))
    ran = desk.k3push("run", "--select", "--json")
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 12}), ran
    folder = desk.results(ran.said["run"])
    assert folder.name.startswith("selected.")
    kept = read_csv(folder / "selected.csv")
    assert desk.k3push("export", "--output", "all.csv").exit == 0
    exported = read_csv(desk.folder / "all.csv")
    assert [(row["number"], row["id"]) for row in exported] == [
        (row["number"], row["id"]) for row in kept
    ]
    assert {row["organisation"] for row in kept} == {"100"}
    assert desk.summary(ran.said["run"])["jobs"] == ["--select"]
    assert desk.k3push("resume").exit == 0


def test_a_plan_of_what_the_route_selects_pushes_that_and_no_more(desk: Desk, few: Sandbox) -> None:
    """What is made after the plan waits for the next one."""
    desk.configure(few.url, more=selecting(where=NOTE + " AND FBillNo<'CGDD0000008'"))
    ran = desk.k3push("plan", "--select")
    assert ran.exit == 0, ran
    assert few.truth()["calls"].get("push", 0) == 0
    desk.configure(few.url)
    applied = desk.k3push("apply", "selected.plan.jsonl", "--json")
    assert (applied.exit, applied.said["counts"]) == (0, {"pushed": 8}), applied
    assert desk.results(applied.said["run"]).name.startswith("selected.")
    assert desk.k3push("apply", "selected.plan.jsonl").exit == 2


def test_a_plan_of_what_a_route_selects_is_of_the_time_of_its_selection(
    desk: Desk, start: Start
) -> None:
    """What others push from then on, bills in parts among it, was pushed since the plan."""
    sandbox = start("--orders", "4", "--latency", "0.5")
    desk.configure(sandbox.url, more=selecting(where=NOTE))
    planning = desk.begin("plan", "--select", "--json")
    until(lambda: sandbox.truth()["calls"].get("query", 0) > 0)
    while_selected = datetime.now(UTC)
    assert end(planning).exit == 0
    head, *_ = (desk.folder / "selected.plan.jsonl").read_text("utf-8").splitlines()
    assert datetime.fromisoformat(json.loads(head)["made_for"]["created_at"]) < while_selected


def test_a_selection_that_fails_writes_nothing_and_sends_nothing(desk: Desk, start: Start) -> None:
    """An ERP that is away is no empty list."""
    desk.configure(start("--orders", "5").url, more=selecting(where="FNoSuchField=1"))
    desk.write("a.csv", "as it was")
    for command in (("select", "-o", "a.csv"), ("run", "--select"), ("plan", "--select")):
        ran = desk.k3push(*command)
        assert (ran.exit, "FNoSuchField" in ran.err) == (2, True), ran
        assert "[routes.po-instock.select]" in ran.err, ran
    desk.configure("http://127.0.0.1:1/", lines={"halt": 'halt = ""\nmax_attempts = 1'})
    for command in (("select", "-o", "a.csv"), ("run", "--select"), ("plan", "--select")):
        ran = desk.k3push(*command)
        assert (ran.exit, "there is no list" in ran.err) == (6, True), ran
    assert (desk.folder / "a.csv").read_text("utf-8") == "as it was"
    assert sorted(path.name for path in desk.folder.iterdir()) == ["a.csv", "config.toml"]


MISTAKES = {
    "both": (("run", "orders.csv", "--select"), "--select"),
    "neither": (("plan",), "JOB..."),
    "route": (("run", "--select"), "po-instock, so-outstock"),
    "ending": (("select", "-o", "a.xlsx", "--route", "po-instock"), ".jsonl"),
    "config": (("select", "-o", "config.toml", "--route", "po-instock"), "config.toml"),
    "bracket": (("select", "-o", "a.csv", "--route", "po-instock", "--where", "(FID>1"), "brack"),
    "quotes": (("select", "-o", "a.csv", "--route", "po-instock", "--where", "FID='1'"), "FID"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_slip_of_the_hand_is_named(desk: Desk, untouched: Sandbox, kind: str) -> None:
    """Nothing is asked, written or sent."""
    words, named = MISTAKES[kind]
    desk.configure(untouched.url, more=SALES_ROUTE).job(orders(1))
    ran = desk.k3push(*words)
    assert (ran.exit, named in ran.err) == (2, True), ran


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (selecting(where="FNote='"), "routes.po-instock.select.where"),
        (selecting(days=-1), "routes.po-instock.select.days"),
        (selecting(max_count=0), "routes.po-instock.select.max_count"),
        (selecting(organization="100"), "mean 'organisation'"),
        (
            '\n[routes.x]\nsource = "A"\ntarget = "D"\nrule = "E"\nselect.organisation = "1"\n',
            "routes.x.select.organisation",
        ),
    ],
)
def test_a_filter_in_the_settings_is_read_with_them(
    desk: Desk, untouched: Sandbox, more: str, named: str
) -> None:
    """By day, and not when the night begins."""
    desk.configure(untouched.url, more=more)
    ran = desk.k3push("check")
    assert (ran.exit, named in ran.err) == (2, True), ran


def test_a_schedule_of_what_the_route_selects(desk: Desk, untouched: Sandbox) -> None:
    """Nothing is named but the route."""
    desk.configure(untouched.url)
    ran = desk.k3push("schedule", "--at", "20:05", "--for", "cron", "--select")
    assert ran.exit == 0, ran
    assert " run --select --config " in ran.out


def test_rules_of_the_site(desk: Desk, untouched: Sandbox) -> None:
    """By forms in any letter case; for programs as one object."""
    desk.configure(untouched.url)
    every = desk.k3push("rules")
    assert every.exit == 0, every
    assert {"PUR_PurchaseOrder-STK_InStock", "SaleOrder-OutStock"} <= set(every.out.split())
    some = desk.k3push("rules", "pur_purchaseorder", "STK_INSTOCK", "--json")
    assert [rule["number"] for rule in some.said["rules"]] == ["PUR_PurchaseOrder-STK_InStock"]
    assert list(some.said["rules"][0]) == [
        "number", "name", "source", "target", "enabled", "default",
    ]  # fmt: skip
    none = desk.k3push("rules", "ABC")
    assert (none.exit, "None of the 3 rules" in none.out) == (0, True), none


def test_a_select_list_is_for_its_owner_only(desk: Desk, few: Sandbox) -> None:
    """It tells of somebody's business."""
    desk.configure(few.url)
    assert desk.k3push("select", "-o", "a.csv").exit == 0
    assert Path(desk.folder / "a.csv").stat().st_mode & 0o077 == 0


def test_a_number_in_two_organisations_is_chosen_by_its_id(desk: Desk, start: Start) -> None:
    """By its number it is `ambiguous`, with the choice shown; by their ids both are pushed."""
    sandbox = start("--orders", "3", "--twins", "1")
    desk.configure(sandbox.url, more=selecting(where="FBillNo='CGDD0000000'"))
    named = desk.k3push("run", desk.job(orders(1)), "--json")
    assert (named.exit, named.said["counts"]) == (3, {"rejected": 1}), named
    assert desk.k3push("select", "-o", "both.csv").exit == 0
    both = read_csv(desk.folder / "both.csv")
    assert [bill["organisation"] for bill in both] == ["100", "200"]
    (row,) = desk.rows()
    choice = ", ".join(f"{bill['id']} ({bill['organisation']})" for bill in both)
    assert (row["code"], choice in row["reason"]) == ("ambiguous", True), row
    ids = desk.write("ids.csv", "id\n" + "".join(f"{bill['id']}\n" for bill in both))
    pushed = desk.k3push("run", ids, "--json")
    assert (pushed.exit, pushed.said["counts"]) == (0, {"pushed": 2}), pushed
    assert [row["id"] for row in desk.rows(pushed.said["run"])] == [bill["id"] for bill in both]
    assert len(sandbox.truth()["sources"][orders(1)[0]]) == 2
