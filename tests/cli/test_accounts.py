"""One ledger, two accounts: no command of one shows or moves what is the other's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.model import BillNumber, NoAnswer, RunId, State
from tests.adapters.ledger.samples import later, outcomes, planned, sent
from tests.cli.terminal import Desk

pytestmark = pytest.mark.halved

OURS, THEIRS = RunId("20260101-200000-aaa"), RunId("20260102-200000-bbb")
BILL, REFUSED, MADE = map(BillNumber, ("CGDD1", "CGDD2", "CGDD-THEIRS"))


@dataclass
class Shared:
    """The folder of one account, whose ledger another one has filled as well."""

    desk: Desk
    ledger: Path

    def states(self) -> dict[str, State]:
        """Return where the other account's rows stand."""

        async def read() -> dict[str, State]:
            async with open_sqlite(self.ledger, account="other", create=False) as ledger:
                return {row.number: row.state for row in await ledger.rows(THEIRS)}

        return anyio.run(read)


@pytest.fixture
def shared(desk: Desk) -> Shared:
    """Leave in one ledger a run of each account, with one number in doubt and one refused."""
    path = desk.folder / "ledger.db"

    async def fill() -> None:
        for account, run, names in (
            ("sandbox", OURS, f"{BILL} {REFUSED}"),
            ("other", THEIRS, f"{BILL} {REFUSED} {MADE}"),
        ):
            async with open_sqlite(path, account=account) as ledger:
                await planned(ledger, names, run, f"{account}|pur|stk")
                await ledger.close_list(run)
                attempt = await sent(ledger, run, BILL)
                told = outcomes(BILL, State.UNKNOWN)
                await ledger.record(attempt, NoAnswer("it broke"), "doubt", told, at=later(1))
                rest = outcomes(names.removeprefix(f"{BILL} "), State.REJECTED)
                await ledger.conclude(run, rest, at=later(2), note=f"of {run}")
                await ledger.end_run(run, 4, later(3))

    anyio.run(fill)
    desk.configure("http://127.0.0.1:9/K3Cloud/")
    return Shared(desk, path)


@pytest.mark.parametrize("command", ["status", "runs", f"explain {BILL}", f"explain {REFUSED}"])
def test_a_look_shows_one_accounts_own(shared: Shared, command: str) -> None:
    """The other's run is the newer one, and has a number of the same name."""
    ran = shared.desk.k3push(*command.split())
    assert (ran.exit, OURS in ran.out, THEIRS in ran.out) == (0, True, False), ran


def test_an_export_is_of_ones_own_run(shared: Shared) -> None:
    """The last run is the last of this account."""
    ran = shared.desk.k3push("export", "--output", "out.csv")
    text = (shared.desk.folder / "out.csv").read_text("utf-8")
    assert (ran.exit, REFUSED in text, MADE in text) == (0, True, False)


@pytest.mark.parametrize(
    "command",
    [
        f"status {THEIRS}",
        f"export {THEIRS} --output out.csv",
        f"report {THEIRS} --output out.html",
        f"explain {MADE}",
        f"settle {THEIRS}",
        f"resume {THEIRS}",
        f"retry {THEIRS}",
        f"settle --as pushed {MADE} --because seen",
        f"control {THEIRS} stop",
    ],
)
def test_what_is_the_others_is_not_there(shared: Shared, command: str) -> None:
    """By its name or by its number: the other's rows stay as they are."""
    before = shared.states()
    ran = shared.desk.k3push(*command.split())
    assert (ran.exit, THEIRS in ran.err or MADE in ran.err) == (2, True), ran
    assert "Usage" not in ran.err
    assert shared.states() == before


def test_a_word_moves_one_accounts_row(shared: Shared) -> None:
    """The other's bill of that number was never pushed once its row said so."""
    ran = shared.desk.k3push("settle", "--as", "pushed", BILL, "--because", "seen in the ERP")
    assert ran.exit == 0, ran
    assert shared.states()[BILL] is State.UNKNOWN
    assert "pushed" in shared.desk.k3push("status").out


@pytest.mark.parametrize("command", ["resume", "status", f"explain {BILL}"])
def test_runs_of_a_former_acct_id_are_not_said_to_be_none(shared: Shared, command: str) -> None:
    """Its setting was changed, and the person looks for the run of yesterday."""
    shared.desk.environment["K3PUSH_ERP__ACCT_ID"] = "20280101"
    ran = shared.desk.k3push(*command.split())
    assert (ran.exit, "earlier runs are under the former one" in ran.err) == (2, True), ran


def test_an_account_in_other_letter_case_is_refused_with_its_cure(shared: Shared) -> None:
    """Nothing is sent, and the line says how the ledger spells it."""
    shared.desk.environment["K3PUSH_ERP__ACCT_ID"] = "SANDBOX"
    ran = shared.desk.k3push("run", shared.desk.job(["CGDD9"]), "--yes")
    assert ran.exit == 2
    assert 'acct_id = "sandbox"' in ran.err
