"""Several users of the ERP, in real processes."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, assert_all_once, orders
from tests.cli.test_lists import drop

SECRET = "do-not-show-me"

MORE = """
[[erp.identities]]
username = "sandbox2"
password = {{ env = "{name}" }}
"""


def configured(desk: Desk, sandbox: Sandbox, *, second: str = "sandbox") -> Desk:
    """Write a configuration with two users, the second one's password in the environment."""
    desk.environment["PASSWORD_2"] = second
    return desk.configure(sandbox.url, more=MORE.format(name="PASSWORD_2"))


def test_two_users_share_a_run(desk: Desk, start: Start) -> None:
    """Each logs in once; a push is as long as a look here, so one looks and one pushes."""
    sandbox = start("--queue", "user", "--latency", "0.02")
    job = configured(desk, sandbox).job(orders(60))
    ran = desk.k3push("run", job, "--chunk-size", "4", "--json")
    assert ran.exit == 0, ran
    truth = sandbox.truth()
    assert (ran.said["logins"], truth["logins"], truth["failed_logins"]) == (2, 2, 0)
    assert_all_once(desk.rows(), truth, orders(60))
    makers = Counter(made["creator"] for each in truth["sources"].values() for made in each)
    assert makers["sandbox2"] > makers["sandbox"]


def test_two_users_share_the_pushes_where_a_look_is_short(desk: Desk, start: Start) -> None:
    """As the guide on several users has it: where both took as long, one would do all of them."""
    sandbox = start("--queue", "user", "--latency", "0.3", "--look", "0.01")
    job = configured(desk, sandbox).job(orders(60))
    ran = desk.k3push("run", job, "--chunk-size", "4", "--concurrency", "8", "--json")
    assert ran.exit == 0, ran
    truth = sandbox.truth()
    assert_all_once(desk.rows(), truth, orders(60))
    makers = Counter(made["creator"] for each in truth["sources"].values() for made in each)
    assert min(makers["sandbox"], makers["sandbox2"]) >= 12


def test_a_refused_user_is_set_aside_with_one_warning(desk: Desk, sandbox: Sandbox) -> None:
    """It is tried once in a command, however many runs that executes, and no secret is shown."""
    configured(desk, sandbox, second=SECRET)
    folder = desk.folder / "in"
    folder.mkdir()
    for nth in range(2):
        drop(folder, f"{nth}.csv", orders(12, 20 * nth))
    ran = desk.k3push("run", "in", "--chunk-size", "2", "--json", "--log-file", "log.jsonl")
    assert ran.exit == 0, ran
    assert ran.said["counts"] == {"pushed": 24}
    assert sandbox.truth()["failed_logins"] == 1
    warnings = [line for line in ran.err.splitlines() if "is no longer used" in line]
    assert len(warnings) == 1
    assert "sandbox2" in warnings[0]
    assert "用户名或密码错误" in warnings[0]
    log = [json.loads(line) for line in (desk.folder / "log.jsonl").read_text("utf-8").splitlines()]
    assert [e["user"] for e in log if e["event"] == "identity.set_aside"] == ["sandbox2"]
    for path in desk.folder.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in ran.text


def test_a_log_for_programs_tells_of_it_in_one_event(desk: Desk, sandbox: Sandbox) -> None:
    """Standard error is read line by line then, and each line is JSON."""
    configured(desk, sandbox, second=SECRET)
    ran = desk.k3push("run", desk.job(orders(12)), "--chunk-size", "2", "--log-json")
    assert ran.exit == 0, ran
    told = [json.loads(line) for line in ran.err.splitlines()]
    assert [e["user"] for e in told if "sandbox2" in str(e)] == ["sandbox2"]


def test_when_every_user_is_refused_the_run_ends_with_6(desk: Desk, sandbox: Sandbox) -> None:
    """Each was tried once."""
    configured(desk, sandbox, second=SECRET)
    desk.environment["K3PUSH_ERP__PASSWORD"] = "wrong"
    ran = desk.k3push("run", desk.job(orders(12)), "--chunk-size", "2")
    assert ran.exit == 6, ran
    assert "sandbox2: 用户名或密码错误" in ran.out
    assert sandbox.truth()["failed_logins"] == 2
    assert sandbox.made() == 0
    assert SECRET not in ran.text


def test_check_tries_every_user(desk: Desk, start: Start) -> None:
    """A line for each, and a word on whether they see the same documents."""
    sandbox = start()
    configured(desk, sandbox)
    assert desk.k3push("run", desk.job(orders(30))).exit == 0
    ran = desk.k3push("check")
    assert ran.exit == 0, ran
    for user in ("sandbox", "sandbox2"):
        assert any(line.endswith(f"as {user}") for line in ran.out.splitlines()), ran.out
    assert "sandbox2 sees what sandbox sees of STK_InStock" in ran.out
    desk.environment["PASSWORD_2"] = SECRET
    ran = desk.k3push("check")
    assert ran.exit == 6
    assert "sandbox2: 用户名或密码错误" in ran.out
    assert "target form STK_InStock" in ran.out
    assert sandbox.truth()["failed_logins"] == 1


@pytest.mark.parametrize("command", [("run", "orders.csv"), ("check",)])
def test_a_password_that_is_not_set_is_named(
    desk: Desk, untouched: Sandbox, command: tuple[str, ...]
) -> None:
    """Before anything is sent, and by its own key."""
    configured(desk, untouched)
    del desk.environment["PASSWORD_2"]
    desk.job(orders(1))
    ran = desk.k3push(*command)
    assert ran.exit == 2
    assert "erp.identities.0.password: env PASSWORD_2" in ran.err
