"""What a user types and reads where a route follows what it makes."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest

from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, orders

FOLLOW = 'follow = ["submit", "audit"]\n'

# CGDD0000002 is the first of the preset `flows` that enters one where nobody acts.
IN_FLOW = "CGDD0000002"


def statuses(sandbox: Sandbox) -> set[str]:
    """Return the statuses of all that was made."""
    made = sandbox.truth()["sources"].values()
    return {target["status"] for targets in made for target in targets}


def rows_in(page: Path) -> str:
    """Return the rows of a report as they are before a browser shows them."""
    _, _, after = page.read_text("utf-8").partition('<script type="text/plain" id="data">')
    return gzip.decompress(base64.b64decode(after.partition("</script>")[0])).decode()


def test_from_a_list_to_approved_documents(desk: Desk, sandbox: Sandbox) -> None:
    """One command does the whole night; file, object and books agree."""
    desk.configure(sandbox.url, more=FOLLOW)
    ran = desk.k3push("run", desk.job(orders(30)), "--json")
    assert ran.exit == 0, ran
    assert ran.said["follow"] == {"approved": 30}
    assert {row["follow"] for row in desk.rows()} == {"approved"}
    assert statuses(sandbox) == {"C"}
    assert "approved 30" in desk.k3push("status").out
    told = desk.k3push("explain", orders(1)[0]).out
    assert "submission of 1 document that stood at A" in told
    assert "approval of 1 document that stood at B" in told


def test_what_an_approval_makes_besides_is_told(desk: Desk, start: Start) -> None:
    """In `explain`, in the export and in the report, with the document that was approved."""
    desk.configure(start("--payables", "--orders", "2").url, more=FOLLOW)
    ran = desk.k3push("run", desk.job(orders(2)), "--json")
    assert (ran.exit, ran.said["follow"]) == (0, {"approved": 2}), ran
    (first, _) = desk.rows()
    assert "AP0000001" in first["follow_reason"]
    assert "AP0000001" in desk.k3push("explain", first["number"]).out
    (page,) = desk.folder.glob("results/*/report.html")
    assert "AP0000001" in rows_in(page)


def test_what_waits_in_a_flow_is_told_and_looked_at_again(desk: Desk, start: Start) -> None:
    """Exit code 3, the node and the person; what was approved is not touched again."""
    sandbox = start("--faults", "flows")
    desk.configure(sandbox.url, more=FOLLOW)
    ran = desk.k3push("run", desk.job(orders(4)))
    assert ran.exit == 3, ran
    assert "approved 3 · waiting in a flow 1" in ran.out
    assert "k3push follow" in ran.out
    told = desk.k3push("explain", IN_FLOW).out
    assert "仓库主管审批: 王经理" in told
    assert "process it in the ERP" in told
    before = sandbox.truth()["calls"]
    again = desk.k3push("follow", "--json")
    assert (again.exit, again.said["follow"]) == (3, {"approved": 3, "waiting": 1})
    after = sandbox.truth()["calls"]
    assert (before["submit"], before["audit"]) == (after["submit"], after["audit"])


def test_a_run_that_was_pushed_before_is_followed_when_a_person_asks(
    desk: Desk, sandbox: Sandbox
) -> None:
    """The settings had no `follow` yet; `resume` leaves such a run as it is."""
    desk.configure(sandbox.url).k3push("run", desk.job(orders(3)))
    refused = desk.k3push("follow")
    assert refused.exit == 2
    assert "`follow`" in refused.err
    desk.configure(sandbox.url, more=FOLLOW)
    assert "nothing" in desk.k3push("resume").err
    assert statuses(sandbox) == {"A"}
    ran = desk.k3push("follow", "--json")
    assert (ran.exit, ran.said["follow"]) == (0, {"approved": 3})
    assert statuses(sandbox) == {"C"}
    assert {row["follow"] for row in desk.rows()} == {"approved"}
    assert "exit 0" in desk.k3push("status").out


@pytest.mark.more
def test_a_limit_counts_documents_that_were_pushed_before(desk: Desk, sandbox: Sandbox) -> None:
    """Who has one document approved for a trial has not asked for all of them."""
    desk.configure(sandbox.url)
    job = desk.job(orders(6))
    assert desk.k3push("run", job, "--limit", "4").exit == 5
    desk.configure(sandbox.url, more=FOLLOW)
    ran = desk.k3push("follow", "--limit", "1", "--json")
    assert (ran.exit, ran.said["follow"]) == (5, {"approved": 1}), ran
    assert "--limit" in ran.err
    ran = desk.k3push("follow", "--limit", "2", "--json")
    assert (ran.exit, ran.said["follow"]) == (5, {"approved": 3}), ran
    ran = desk.k3push("resume", "--limit", "2", "--json")
    assert ran.exit == 5, ran
    taken = ran.said["counts"]["pushed"] + ran.said["follow"]["approved"]
    assert 4 + 3 < taken <= 4 + 3 + 2 * 2, ran
    ran = desk.k3push("resume", "--limit", "9", "--json")
    assert (ran.exit, ran.said["follow"]) == (0, {"approved": 6}), ran
    made = sandbox.truth()
    assert (made["documents"], statuses(sandbox)) == (6, {"C"})


def test_a_night_of_faults_is_told_as_it_was(desk: Desk, start: Start) -> None:
    """Lost answers, refusals, people who delete and take back: each has its row and its reason."""
    sandbox = start("--faults", "follow", "--seed", "3")
    desk.configure(sandbox.url, more=FOLLOW, lines={"halt": 'halt = "fail=100%"'})
    ran = desk.k3push("run", desk.job(orders(40)), "--json")
    assert ran.exit == 3, ran
    rows = desk.rows()
    assert {row["state"] for row in rows} == {"pushed"}
    assert {row["follow"] for row in rows} == {"approved", "refused"}
    assert all(row["follow_reason"] for row in rows if row["follow"] == "refused")
    made = sandbox.truth()["sources"]
    for row in rows:
        standing = {target["status"] for target in made[row["number"]]}
        assert (standing == {"C"}) == (row["follow"] == "approved"), row


def test_approving_past_flows_is_warned_about_at_every_run(desk: Desk, start: Start) -> None:
    """It is a stop-gap, and the flow never ends (P 10.1)."""
    sandbox = start("--faults", "flows")
    desk.configure(sandbox.url, more=f"{FOLLOW}verify_flow = false\n")
    ran = desk.k3push("run", desk.job(orders(3)))
    assert ran.exit == 0, ran
    assert "verify_flow = false" in ran.err
