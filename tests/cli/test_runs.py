from __future__ import annotations

import re
from pathlib import Path

import platformdirs
import pytest

from k3push.runs.problem import Problem
from k3push.wiring.config_file import find_config
from tests.cli.conftest import Start
from tests.cli.terminal import SALES_ROUTE, Desk, Sandbox, assert_all_once, assert_true, orders

KEYS = {"run", "route", "exit", "seconds", "counts", "pushes", "logins", "targets", "follow"}

COLUMNS = [
    "line",
    "number",
    "state",
    "targets",
    "target_ids",
    "code",
    "reason",
    "attempts",
    "chunk",
    "run",
    "route",
    "sent_at",
    "settled_at",
    "id",
    "follow",
    "follow_reason",
]


@pytest.mark.parametrize("policy", ["one-to-one", "merge", "merge-lines", "split"])
def test_a_run_pushes_every_number_once(desk: Desk, start: Start, policy: str) -> None:
    """Whatever documents the rule makes, each row names them and the figures are right."""
    sandbox = start("--policy", policy)
    numbers = orders(500)
    ran = desk.configure(sandbox.url).k3push("run", desk.job(numbers), "--json")
    assert ran.exit == 0, ran
    truth, rows = sandbox.truth(), desk.rows()
    assert_all_once(rows, truth, numbers)
    assert {row["state"] for row in rows} == {"pushed"}
    assert list(rows[0]) == COLUMNS
    assert [row["line"] for row in rows] == [str(line) for line in range(2, 502)]
    said = ran.said
    assert set(said) == KEYS
    assert said["counts"] == {"pushed": 500}
    assert (said["exit"], said["route"]) == (0, "po-instock")
    assert desk.results().name == f"orders.{said['run']}"
    assert (said["targets"], said["pushes"], said["logins"]) == (
        truth["documents"],
        truth["calls"]["push"],
        truth["logins"],
    )


@pytest.mark.parametrize("options", [(), ("--keep-open",)])
def test_a_second_run_sends_nothing(desk: Desk, start: Start, options: tuple[str, ...]) -> None:
    """What has a target already is reported as such, whether its source was closed or not."""
    sandbox = start(*options)
    job = desk.configure(sandbox.url).job(orders(100))
    assert desk.k3push("run", job, "--json").exit == 0
    before = sandbox.truth()
    again = desk.k3push("run", job, "--json")
    assert (again.exit, again.said["counts"], again.said["pushes"]) == (0, {"already": 100}, 0)
    after = sandbox.truth()
    assert after["sources"] == before["sources"]
    assert after["calls"]["push"] == before["calls"]["push"]
    assert_true(desk.rows(again.said["run"]), after)


def test_a_fresh_ledger_sends_nothing_either(desk: Desk, sandbox: Sandbox) -> None:
    """The ERP's own books stop a second push, also when the ledger is gone."""
    job = desk.configure(sandbox.url).job(orders(30))
    assert desk.k3push("run", job).exit == 0
    for path in desk.folder.glob("ledger.db*"):
        if path.is_file():
            path.unlink()
    again = desk.k3push("run", job, "--json")
    assert (again.exit, again.said["counts"], again.said["pushes"]) == (0, {"already": 30}, 0)
    assert_true(desk.rows(again.said["run"]), sandbox.truth())


def test_again_with_a_reason_pushes_what_is_there(desk: Desk, start: Start) -> None:
    """Only a person who gives a reason makes k3push ask for more of a bill that has a target."""
    sandbox = start("--keep-open")
    job = desk.configure(sandbox.url).job(orders(2))
    assert desk.k3push("run", job).exit == 0
    again = desk.k3push("run", job, "--json", "--again", "--because", "rest quantities")
    assert again.exit == 3, again
    assert again.said["counts"] == {"rejected": 2}
    assert sandbox.truth()["calls"]["push"] > 1
    assert all("没有可下推的数量" in row["reason"] for row in desk.rows(again.said["run"]))


def test_what_was_pushed_and_is_gone_is_told(desk: Desk, start: Start) -> None:
    """Somebody has deleted the documents: "already" alone would hide that nothing is there."""
    job = desk.configure(start().url).job(orders(2))
    assert desk.k3push("run", job).exit == 0
    ran = desk.configure(start().url).k3push("run", job, "--json")
    assert (ran.exit, ran.said["counts"]) == (0, {"already": 2})
    assert {row["code"] for row in desk.rows(ran.said["run"])} == {"unshown"}
    ran = desk.k3push("run", job)
    for told in (ran.text, desk.k3push("status").text):
        assert "the ERP shows no document of it now" in told
        assert "`--again`" in told


def test_a_limit_leaves_the_rest_to_resume(desk: Desk, sandbox: Sandbox) -> None:
    """With `--limit` so many numbers are taken up, exit 5, and `resume` does the others."""
    numbers = orders(40)
    ran = desk.configure(sandbox.url).k3push("run", desk.job(numbers), "--limit", "10", "--json")
    assert (ran.exit, ran.said["counts"]) == (5, {"planned": 30, "pushed": 10})
    assert sandbox.made() == 10
    assert [row["number"] for row in desk.rows(name="planned.csv")] == numbers[10:]
    resumed = desk.k3push("resume", "--json")
    assert (resumed.exit, resumed.said["counts"]) == (0, {"pushed": 40})
    assert resumed.said["run"] == ran.said["run"]
    assert not (desk.results() / "planned.csv").exists()
    assert_all_once(desk.rows(), sandbox.truth(), numbers)


def test_an_empty_job_is_done_at_once(desk: Desk, untouched: Sandbox) -> None:
    """A list with a heading and no numbers is said in one line, and is no error."""
    ran = desk.configure(untouched.url).k3push("run", desk.job([]))
    assert ran.exit == 0
    assert len(ran.text.splitlines()) == 1
    assert "orders.csv" in ran.text
    assert not (desk.folder / "ledger.db").exists()


def test_numbers_come_from_standard_input(desk: Desk, sandbox: Sandbox) -> None:
    """`-` reads a list from a pipe."""
    numbers = orders(5)
    ran = desk.configure(sandbox.url).k3push("run", "-", "--json", given="\n".join(numbers))
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 5})
    assert desk.results().name == f"stdin.{ran.said['run']}"
    assert_all_once(desk.rows(), sandbox.truth(), numbers)


@pytest.mark.parametrize("command", ["run", "plan"])
def test_numbers_come_from_a_command_that_the_shell_gives_as_a_file(
    desk: Desk, sandbox: Sandbox, command: str
) -> None:
    """`/dev/stdin` and `<(command)` are pipes by a name, which can be read only once."""
    desk.configure(sandbox.url)
    ran = desk.k3push(command, "/dev/stdin", "--json", given="\n".join(orders(5)))
    assert ran.exit == 0, ran
    if command == "plan":
        assert desk.k3push("apply", "stdin.plan.jsonl").exit == 0
    else:
        assert desk.results().name == f"stdin.{ran.said['run']}"
    assert_all_once(desk.rows(), sandbox.truth(), orders(5))


def test_several_job_files_are_one_run(desk: Desk, sandbox: Sandbox) -> None:
    """Files of several kinds go into one run, in their order, and repeats are pushed once."""
    jobs = [
        desk.job(orders(5)),
        desk.write("more.json", '["CGDD0000004", "CGDD0000005"]'),
        desk.write("last.txt", "CGDD0000006\n"),
    ]
    ran = desk.configure(sandbox.url).k3push("run", *jobs, "--json")
    assert (ran.exit, ran.said["counts"]) == (0, {"pushed": 7})
    assert_all_once(desk.rows(), sandbox.truth(), orders(7))
    (repeat,) = desk.summary()["repeats"]
    assert (repeat["number"], repeat["file"], repeat["first_file"]) == (
        "CGDD0000004",
        jobs[1],
        jobs[0],
    )


def test_a_list_that_is_given_twice_is_told_so(desk: Desk, sandbox: Sandbox) -> None:
    """Line 2 repeats line 2 of which file, is what a person asks; the first ten are shown."""
    job = desk.job(orders(12))
    ran = desk.configure(sandbox.url).k3push("run", job, job)
    assert ran.exit == 0, ran
    assert f"{job} (2), line 2: {orders(1)[0]} repeats {job} (1), line 2" in ran.out
    assert ran.out.count(" repeats ") == 10
    assert "and 2 more lines that repeat a number" in ran.out


def test_two_routes_are_two_runs_and_one_object(desk: Desk, sandbox: Sandbox) -> None:
    """A `route` column parts a list into a run for each route; one JSON object tells of both."""
    desk.configure(sandbox.url, more=SALES_ROUTE)
    lines = [f"{number},po-instock" for number in orders(6)]
    lines += [f"XSDD{index:07d},so-outstock" for index in range(4)]
    ran = desk.k3push("run", desk.write("mixed.csv", "\n".join(["单号,route", *lines])), "--json")
    assert ran.exit == 0, ran
    assert set(ran.said) == KEYS
    assert (ran.said["counts"], ran.said["targets"]) == ({"pushed": 10}, 10)
    runs, routes = ran.said["run"].split(";"), ran.said["route"].split(";")
    assert routes == ["po-instock", "so-outstock"]
    truth = sandbox.truth()
    for run, route, count in zip(runs, routes, (6, 4), strict=True):
        rows = desk.rows(run)
        assert_true(rows, truth)
        assert ({row["route"] for row in rows}, len(rows)) == ({route}, count)


def test_a_line_without_a_route_beside_others_is_named(desk: Desk, untouched: Sandbox) -> None:
    """With several routes nobody knows which is meant; a list that names none lacks `--route`."""
    desk.configure(untouched.url, more=SALES_ROUTE)
    lines = [f"{number},po-instock" for number in orders(3)]
    mixed = desk.write("mixed.csv", "\n".join(["单号,route", *lines, "XSDD0000001,"]))
    ran = desk.k3push("run", mixed)
    assert ran.exit == 2, ran
    assert "mixed.csv, line 5: names no route" in " ".join(ran.err.split())
    ran = desk.k3push("run", desk.job(orders(3)))
    assert ran.exit == 2, ran
    assert "--route: name one of" in ran.err


def test_a_bill_that_is_listed_by_its_id_twice_is_told_by_it(desk: Desk, sandbox: Sandbox) -> None:
    """Beside a number the id tells which bill of that number is meant."""
    ids = desk.write("ids.csv", "number,id\n,100002\n,100002\nCGDD0000002,100003\n,100003\n")
    both = desk.write("both.csv", "number,id\nCGDD0000003,100004\nCGDD0000003,100004\n")
    ran = desk.configure(sandbox.url).k3push("run", ids)
    assert "line 3: id 100002 repeats line 2" in ran.out
    assert "line 5: id 100003 repeats line 4" in ran.out
    assert "line 3: CGDD0000003 (id 100004) repeats line 2" in desk.k3push("run", both).out


def test_spellings_of_one_bill_are_one_document(desk: Desk, sandbox: Sandbox) -> None:
    """Letter case and width make no second document, and each repeat is reported."""
    job = desk.job(["cgdd0000017", "CGDD0000017", "ＣＧＤＤ０００００１７", "CGDD0000018"])
    ran = desk.configure(sandbox.url).k3push("run", job)
    assert ran.exit == 0, ran
    truth, rows = sandbox.truth(), desk.rows()
    assert truth["documents"] == 2
    assert_true(rows, truth)
    assert [row["number"] for row in rows] == ["cgdd0000017", "CGDD0000018"]
    assert [(each["line"], each["first_line"]) for each in desk.summary()["repeats"]] == [
        (3, 2),
        (4, 2),
    ]
    for line in ("line 3", "line 4"):
        assert line in ran.out


def test_two_runs_at_once_push_each_number_once(desk: Desk, start: Start) -> None:
    """Runs over overlapping lists on one ledger share the numbers out between them."""
    sandbox = start("--latency", "0.02")
    desk.configure(sandbox.url)
    one, two = desk.job(orders(120), "one.csv"), desk.job(orders(120, first=60), "two.csv")
    options = ("--json", "--chunk-size", "5")
    both = [desk.begin("run", one, *options), desk.begin("run", two, *options)]
    endings = [process.communicate(timeout=40) for process in both]
    assert [process.returncode for process in both] == [0, 0], endings
    truth = sandbox.truth()
    assert set(truth["sources"]) == set(orders(180))
    for folder in sorted(desk.folder.glob("results/*")):
        assert_true(desk.rows(folder.suffix.removeprefix(".")), truth)


def test_a_password_in_the_file_is_warned_about(desk: Desk) -> None:
    """It works, and each run says so; the sandbox's own is known to all."""
    nobody, numbers = "http://127.0.0.1:9/", orders(1)
    other = {"acct_id": 'acct_id = "20180321174312"'}
    ran = desk.configure(nobody, lines=other).k3push("run", desk.job(numbers))
    assert "warning: erp.password is written in config.toml as plain text" in ran.err
    config = desk.folder / "config.toml"
    config.rename(config.with_name("night.toml"))
    ran = desk.k3push("run", desk.job(numbers), "--config", "night.toml")
    assert "warning: erp.password is written in night.toml as plain text" in ran.err
    config.with_name("night.toml").rename(config)
    checked = desk.k3push("check")
    assert "erp.password is written in the settings as plain text" in " ".join(checked.text.split())
    ran = desk.configure(nobody).k3push("run", desk.job(numbers))
    assert "warning" not in ran.err
    from_elsewhere = {**other, "password": 'password = { env = "ERP_PASSWORD" }'}
    desk.environment["ERP_PASSWORD"] = "sandbox"
    ran = desk.configure(nobody, lines=from_elsewhere).k3push("run", desk.job(numbers))
    assert "warning" not in ran.err


def test_the_nearest_configuration_is_used(desk: Desk, cleared: pytest.MonkeyPatch) -> None:
    """The one that is named, or else this folder's, or else the one in the user's folder."""
    cleared.chdir(desk.folder)
    with pytest.raises(Problem):
        find_config(None)
    users = platformdirs.user_config_path("k3push") / "config.toml"
    users.parent.mkdir(parents=True)
    users.touch()
    assert find_config(None) == users
    desk.write("config.toml", "")
    assert find_config(None) == Path("config.toml")
    assert find_config(Path("other.toml")) == Path("other.toml")


def test_a_certificate_that_nobody_checks_is_said_in_the_summary(
    desk: Desk, sandbox: Sandbox
) -> None:
    """What was switched off for a trial is forgotten, unless each run says it."""
    desk.configure(sandbox.url, lines={"password": 'password = "sandbox"\nverify = false'})
    ran = desk.k3push("run", desk.job(orders(2)))
    assert ran.exit == 0, ran
    assert "erp.verify = false" in ran.out
    assert desk.summary()["certificate_checked"] is False
    assert "erp.verify = false" in (desk.results() / "report.html").read_text("utf-8")


def test_results_that_have_no_place_are_said_with_the_cause(desk: Desk, sandbox: Sandbox) -> None:
    """A file in the way is no full disk, and a folder that is not there is not named."""
    desk.configure(sandbox.url).write("results", "mine")
    ran = desk.k3push("run", desk.job(orders(1)))
    assert ran.exit == 0, ran
    assert "rename that file, then `k3push export" in ran.err
    (cure,) = re.findall(r"`k3push export ([^`]+)`", ran.err)
    assert desk.k3push("export", *cure.split()).exit == 0  # the cure, as it is printed
    assert "make room" not in ran.text
    for told in (ran.out, desk.k3push("status").out):
        assert "results:" not in told
