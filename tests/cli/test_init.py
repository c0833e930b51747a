"""`init` offers what the site has, and writes no secret."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, assert_true, orders

ROOT = Path(__file__).parents[2]

APP_ID = "sandbox_" + "A" * 32


def answered(*answers: str) -> str:
    """Return answers as they are typed."""
    return "".join(f"{answer}\n" for answer in answers)


def written(desk: Desk) -> dict[str, Any]:
    """Return the configuration that was written."""
    return tomllib.loads((desk.folder / "config.toml").read_text("utf-8"))


def test_account_sets_forms_and_rules_are_offered(desk: Desk, untouched: Sandbox) -> None:
    """A place in the list is answer enough, and so is the return key."""
    desk.environment["MINE"] = "sandbox"
    ran = desk.k3push(
        "init", given=answered(untouched.url, "1", "sandbox", "MINE", "2", "", "", "3")
    )
    assert ran.exit == 0, ran
    for line in ("  1  sandbox  sandbox", "  1  PUR_PurchaseOrder", "  1  SAL_OUTSTOCK"):
        assert line in ran.err, ran
    assert "logged in by password" in ran.err
    told = written(desk)
    assert told["erp"]["acct_id"] == "sandbox"
    assert told["routes"]["default"] == {
        "source": "SAL_SaleOrder",
        "target": "SAL_OUTSTOCK",
        "rule": "SaleOrder-OutStock",
        "follow": ["submit", "audit"],
    }
    assert "sandbox" not in str(told["erp"]["password"])
    checked = desk.k3push("check")
    assert (checked.exit, "✗" in checked.out) == (0, False), checked


def test_a_place_that_is_not_in_the_list_is_asked_for_again(desk: Desk, untouched: Sandbox) -> None:
    """It was written as the name of a form."""
    desk.environment["MINE"] = "sandbox"
    answers = answered(untouched.url, "1", "sandbox", "MINE", "9", "2", "", "", "")
    assert desk.k3push("init", given=answers).exit == 0
    assert written(desk)["routes"]["default"]["source"] == "SAL_SaleOrder"


def test_logins_of_an_application_are_tried_one_after_the_other(
    desk: Desk, untouched: Sandbox
) -> None:
    """Which of them a site lets in, few people know."""
    desk.environment["MINE"] = "sandbox-secret"
    answers = answered(untouched.url, "", "sandbox", "MINE", APP_ID, "", "", "", "")
    ran = desk.k3push("init", given=answers)
    assert ran.exit == 0, ran
    assert "login by password: refused" in ran.err
    assert "logged in by app_secret" in ran.err
    told = written(desk)
    assert told["erp"]["auth"] == "app_secret"
    assert told["erp"]["app_secret"] == {"env": "MINE"}
    assert "sandbox-secret" not in (desk.folder / "config.toml").read_text("utf-8")
    assert desk.k3push("check").exit == 0


def test_where_every_login_is_refused_the_usual_one_is_written(
    desk: Desk, untouched: Sandbox
) -> None:
    """The secret was misspelt. The last way that was tried is the least likely one."""
    desk.environment["MINE"] = "misspelt"
    answers = answered(untouched.url, "", "sandbox", "MINE", APP_ID, "", "", "", "")
    ran = desk.k3push("init", given=answers)
    assert ran.err.count("refused") == 4, ran
    assert written(desk)["erp"]["auth"] == "app_secret"


def test_a_site_that_is_not_there_is_asked_for_blindly(desk: Desk) -> None:
    """Somebody may write the configuration before the network stands."""
    desk.environment["MINE"] = "sandbox"
    answers = answered(
        "http://127.0.0.1:1/", "20180321174312", "webapi", "MINE", "", "", "", "approve", "submit"
    )
    ran = desk.k3push("init", given=answers)
    assert ran.exit == 0, ran
    assert "does not answer" in ran.err
    told = written(desk)
    assert told["erp"]["acct_id"] == "20180321174312"
    assert told["routes"]["default"]["rule"] == "PUR_PurchaseOrder-STK_InStock"
    assert told["routes"]["default"]["follow"] == ["submit"]


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("example.com/K3Cloud/", "must begin with http:// or https://"),
        ("ftp://example.com/", "must begin with http:// or https://"),
        ("http://", "names no host"),
        ("http://webapi:s3cret@127.0.0.1:1/", "put the user and the password"),
    ],
)
def test_an_address_that_no_settings_hold_is_asked_for_again(
    desk: Desk, typed: str, why: str
) -> None:
    """What is written can be read, and holds no secret that stood in an address."""
    desk.environment["MINE"] = "sandbox"
    ran = desk.k3push(
        "init", given=answered(typed, "http://127.0.0.1:1/", "1", "webapi", "MINE", "", "", "", "")
    )
    assert ran.exit == 0, ran
    assert why in ran.err
    assert written(desk)["erp"]["url"] == "http://127.0.0.1:1/"
    assert "s3cret" not in (desk.folder / "config.toml").read_text("utf-8")


@pytest.mark.parametrize("typed", ["S3cr3t-pw-xyz", "Geheim!", "2brave"])
def test_a_password_is_not_taken_for_the_name_of_a_variable(desk: Desk, typed: str) -> None:
    """What can be no variable's name is refused by its form, and neither written nor shown."""
    given = answered("http://127.0.0.1:1/", "1", "webapi", typed, "MINE", "", "", "", "")
    ran = desk.k3push("init", given=given)
    assert ran.exit == 0, ran
    assert "the password itself is asked for later" in ran.err
    assert typed not in ran.err + ran.out
    assert written(desk)["erp"]["password"] == {"env": "MINE"}


def test_where_no_good_address_comes_nothing_is_written(desk: Desk) -> None:
    """The next `init` is not in the way of itself."""
    ran = desk.k3push("init", given=answered("example.com"))
    assert ran.exit == 2, ran
    assert not (desk.folder / "config.toml").exists()


def test_without_a_password_nothing_is_tried(desk: Desk, start: Start) -> None:
    """Five wrong logins lock the account."""
    sandbox = start("--orders", "1")
    ran = desk.k3push("init", given=answered(sandbox.url, "", "sandbox", "MINE", "", "", "", ""))
    assert ran.exit == 0, ran
    assert sandbox.truth()["calls"].get("login", 0) == 0


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_six_commands_lead_from_nothing_to_approved_documents(
    desk: Desk, start: Start, name: str
) -> None:
    """Those of the front page, as they stand there; only `init` is answered."""
    sandbox = start("--orders", "12")
    commands = re.findall(r"^k3push (?!demo)(.+)$", six_commands(name), re.MULTILINE)
    assert len(commands) == 6
    desk.environment["MINE"] = "sandbox"
    desk.write("orders.csv", "number\n" + "".join(f"{number}\n" for number in orders(12)))
    given = answered(sandbox.url, "1", "sandbox", "MINE", "1", "", "", "3")
    ends = {
        command: desk.k3push(*command.split(), given=given if command == "init" else "").exit
        for command in commands
    }
    assert list(ends.values()) == [0, 0, 0, 5, 0, 0], ends
    rows = desk.rows()
    assert [(row["number"], row["state"], row["follow"]) for row in rows] == [
        (number, "pushed", "approved") for number in orders(12)
    ]
    assert_true(rows, sandbox.truth())
    assert sandbox.made() == 12


def six_commands(name: str) -> str:
    """Return the block of the front page that leads from `init` to `status`."""
    (block,) = re.findall(
        r"^```\n(k3push init\n.*?)^```", (ROOT / name).read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return str(block)


@pytest.mark.parametrize("place", ["nowhere/config.toml", "taken/config.toml"])
def test_a_place_that_takes_no_file_is_named_before_any_question(desk: Desk, place: str) -> None:
    """Ten questions and a password later, nothing was written."""
    desk.write("taken", "a file, where a folder should be")
    ran = desk.k3push("init", "--config", place, given="")
    assert (ran.exit, "cannot be written" in ran.err, "Address" in ran.err) == (2, True, False), ran
