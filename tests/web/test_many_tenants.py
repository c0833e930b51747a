"""A dashboard of thousands of tenants: pages of them, and metrics that are made once."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.adapters.ledger.sqlite.same_files import SameFiles
from k3push.core.model import BillNumber, Listed, Row, RunId
from k3push.ports import Glance, Ledger, LedgerLostError
from k3push.reporting.metrics import Sample, samples_of
from k3push.web.pages.overview import TENANTS_A_PAGE
from k3push.web.tenant_ledgers import ServedTenant, TenantLedgers
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import NOON, RUN, filled, in_doubt
from tests.web.visits import ACCT, house, in_time, tenant, without_ledger

MANY = 2 * TENANTS_A_PAGE + 7
LOOK_S = "k3push.adapters.ledger.sqlite.ledger.REPLACED_LOOK_S"


class Slow(MemoryLedger):
    """Takes its time, and counts how often it is asked for its runs."""

    def __init__(self) -> None:
        super().__init__(account=ACCT)
        self.asked = 0

    async def glances(
        self, accounts: Collection[str], *, among: int
    ) -> Mapping[str, Sequence[Glance]]:
        """Return how runs stand after a second."""
        self.asked += 1
        await anyio.sleep(1)
        return await super().glances(accounts, among=among)

    async def accounts_with(self, number: BillNumber, accounts: Collection[str]) -> Collection[str]:
        """Return whose number it is after a second."""
        await anyio.sleep(1)
        return await super().accounts_with(number, accounts)

    async def rows_of(self, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
        """Return rows after a second."""
        await anyio.sleep(1)
        return await super().rows_of(number)

    def of_account(self, account: str) -> MemoryLedger:  # noqa: ARG002  # one account
        """Return the same ledger."""
        return self


def test_tenants_are_shown_by_the_page_and_found_by_name() -> None:
    """The first page of thousands is as quick as that of ten."""

    async def visit() -> None:
        ledger = await filled(2)
        tenants = [tenant(ledger, f"t{nth:04}") for nth in range(MANY)]
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            seen: list[str] = []
            for first in range(0, MANY, TENANTS_A_PAGE):
                text = (await browser.get("/", params={"from": str(first)})).text
                shown = [each.name for each in tenants if f'href="/t/{each.name}/"' in text]
                assert len(shown) <= TENANTS_A_PAGE
                seen += shown
                assert ("More tenants" in text) == (first + TENANTS_A_PAGE < MANY)
            assert seen == [each.name for each in tenants]
            text = (await browser.get("/", params={"name": "T0099"})).text
            assert "/t/t0099/" in text
            assert "/t/t0098/" not in text

    in_time(visit)


def test_a_ledger_that_does_not_answer_holds_up_no_other_tenant() -> None:
    """Its server may be cut off, and its secret come from a command that hangs."""
    asked = anyio.Event()

    @asynccontextmanager
    async def never() -> AsyncIterator[Ledger]:
        asked.set()
        await anyio.sleep_forever()
        yield MemoryLedger(account=ACCT)

    async def visit() -> None:
        # The place is its own: that of `tenant` is told by a ledger that nobody keeps here.
        slow = tenant(MemoryLedger(account=ACCT), "slow")
        hanging = replace(slow, ledger="slow", opened=never)
        tenants = [hanging, tenant(await filled(2), "quick")]
        async with (
            house(*tenants, several=True) as home,
            home.signed_in() as browser,
            anyio.create_task_group() as tasks,
        ):
            with anyio.fail_after(30):
                tasks.start_soon(browser.get, "/t/slow/")
                await asked.wait()
                assert (await browser.get("/t/quick/")).status_code == 200
            tasks.cancel_scope.cancel()

    anyio.run(visit)  # on a clock that does not jump to the end of its patience


def test_a_ledger_whose_place_cannot_be_looked_at_ends_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share hangs, another user owns the folder by now, or a file stands where it was."""
    monkeypatch.setattr(LOOK_S, 0.01)
    share, folder, file = tmp_path / "share", tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.touch()

    def lead_to(there: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(there)
        link.replace(share)

    async def visit() -> None:
        opened = partial(open_sqlite, share / "ledger.db", account=ACCT)
        shared = ServedTenant("away", ACCT, str(share), opened)
        tenants = [shared, tenant(await filled(2), "there")]
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            for there, status in ((folder, 200), (file, 503), (folder, 200)):
                await to_thread.run_sync(lead_to, there)
                assert (await browser.get("/t/away/")).status_code == status
                await anyio.sleep(0.1)
                assert (await browser.get("/t/there/")).status_code == 200

    anyio.run(visit)


@dataclass(frozen=True)
class Told:
    """A workshop that is told of other ledgers."""

    take_another_ledger: Callable[[], None]


def test_a_share_that_hangs_keeps_no_thread_that_others_wait_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many such ledgers as there are threads, and nothing was read for any tenant any more."""
    asked, answers = threading.Event(), threading.Event()

    def hang(_: SameFiles) -> bool:
        asked.set()
        return answers.wait(60)

    async def visit() -> None:
        opened = partial(open_sqlite, tmp_path / "ledger.db", account=ACCT)
        hanging = ServedTenant("away", ACCT, "away", opened)
        to_thread.current_default_thread_limiter().total_tokens = 1
        try:
            async with house(hanging, several=True) as home, home.signed_in() as browser:
                assert (await browser.get("/t/away/")).status_code == 200
                with anyio.fail_after(10):
                    while not asked.is_set():  # noqa: ASYNC110
                        await anyio.sleep(0.01)
                    await to_thread.run_sync(int)
            # Nor is it waited for as the server ends.
            assert not answers.is_set()
        finally:
            answers.set()

    monkeypatch.setattr(LOOK_S, 0.01)
    monkeypatch.setattr(SameFiles, "have_successor", hang)
    anyio.run(visit)


def test_a_workshop_is_told_of_a_ledger_that_is_put_in_the_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose tenant is not shown any more; but not where a ledger was only moved away."""
    monkeypatch.setattr(LOOK_S, 0.01)
    path, told = tmp_path / "ledger.db", list[str]()
    workshop: Any = Told(lambda: told.append("another"))

    async def visit() -> None:
        shown = ServedTenant(
            "a", ACCT, str(path), partial(open_sqlite, path, account=ACCT), workshop
        )
        books = TenantLedgers([shown])
        async with books.kept():
            await books.of(shown)
            backup = await anyio.Path(path).read_bytes()
            books.take([])
            for part in ("", "-wal"):
                await anyio.Path(f"{path}{part}").rename(tmp_path / f"away.db{part}")
            await anyio.sleep(0.2)
            assert not told
            assert not await anyio.Path(path).exists()
            with pytest.raises(LedgerLostError):
                await (await books.of(shown)).run(RunId("r"))
            await anyio.Path(path).write_bytes(backup)
            with anyio.fail_after(20):
                while not told:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            assert await (await books.of(shown)).run(RunId("r")) is None

    anyio.run(visit)


def test_a_tenant_that_is_gone_with_its_ledger_makes_no_server_ill(tmp_path: Path) -> None:
    """Whoever asks for its health would start it again, which takes others their pushes."""
    path = tmp_path / "ledger.db"

    async def visit() -> None:
        shown = ServedTenant("a", ACCT, str(path), partial(open_sqlite, path, account=ACCT))
        books = TenantLedgers([shown])
        async with books.kept():
            await books.of(shown)
            for part in ("", "-wal"):
                await anyio.Path(f"{path}{part}").unlink()
            assert not await books.answer()
            books.take([])
            assert await books.answer()

    anyio.run(visit)


def test_a_search_of_many_tenants_goes_on_by_a_link() -> None:
    """It says how far it has come instead of letting somebody wait."""

    async def visit() -> None:
        tenants = [tenant(Slow(), f"t{nth}") for nth in range(3)]
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            query: str | None = "q=CGDD9"
            seen = []
            while query:
                answer = await browser.get(f"/numbers?{query}")
                searched = re.search(r"(\d) tenants were searched", answer.text)
                seen.append((answer.status_code, searched and searched[1]))
                query = next_page(answer.text)
            # First for the number itself, which nobody has, and then for parts of it.
            assert seen == [(200, "1"), (200, "2"), (200, "1"), (200, "2"), (404, None)]

    in_time(visit)


def next_page(text: str) -> str | None:
    """Return what the link asks for by which a search goes on."""
    found = re.search(r'<p class="pages">.*href="\?([^"]+)"', text)
    return unescape(found[1]) if found else None


class Read(MemoryLedger):
    """Notes whose rows are gone through, and takes a second for those of a number."""

    gone_through: list[str]

    async def find_rows(
        self, words: str, *, remarks: Collection[str] = (), limit: int = 100
    ) -> Sequence[tuple[RunId, Row]]:
        """Return rows that hold a text."""
        self.gone_through.append(self._account)
        return await super().find_rows(words, remarks=remarks, limit=limit)

    async def rows_of(self, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
        """Return rows after a second."""
        await anyio.sleep(1)
        return await super().rows_of(number)

    def of_account(self, account: str) -> Read:
        """Return the same ledger for another account."""
        other = Read(self._store, account=account)
        other.gone_through = self.gone_through
        return other


async def with_number(several: Sequence[str]) -> Read:
    """Return a ledger in which some tenants have a number, of which other numbers begin."""
    ledger = Read(account=ACCT)
    ledger.gone_through = []
    for nth, account in enumerate(several):
        scope = RUN.scope.replace(ACCT, account, 1)
        run = replace(RUN, id=RunId(f"20260103-12000{nth}-n"), scope=scope)
        of_account = ledger.of_account(account)
        await of_account.open_run(run)
        await of_account.add(run.id, [Listed(2, BillNumber("CGDD77"))])
    run = replace(RUN, id=RunId("20260103-120000-more"))
    await ledger.open_run(run)
    await ledger.add(run.id, [Listed(2, BillNumber("CGDD777"))])
    return ledger


def test_a_whole_number_is_found_behind_thousands_of_tenants() -> None:
    """Nobody clicks through them, or waits until all rows of all were gone through."""

    async def visit() -> None:
        ledger = await with_number([f"acct{MANY - 1}"])
        tenants = [tenant(ledger, "first")]
        tenants += [tenant(ledger, f"t{nth:04}", f"acct{nth}") for nth in range(MANY)]
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            text = (await browser.get("/numbers", params={"q": "CGDD77"})).text
            assert re.findall(r'href="/t/(\w+)/"', text) == [f"t{MANY - 1:04}"]
            assert f"{MANY + 1} tenants were searched." in text
            assert not ledger.gone_through
            # Others' numbers that hold it are there for whoever wants them.
            text = (await browser.get(f"/numbers?{next_page(text)}")).text
            assert "/t/first/numbers/CGDD777" in text
            assert ledger.gone_through == [ACCT]

    in_time(visit)


def test_a_number_that_all_tenants_have_is_shown_a_few_of_them_at_a_time() -> None:
    """Each of their ERPs counts from one. A ledger that is lost holds none of them up."""

    async def visit() -> None:
        names = ["a", "b", "c"]
        ledger = await with_number(names)
        away = without_ledger("bb", "it is away")
        tenants = sorted([*(tenant(ledger, each, each) for each in names), away], key=by_name)
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            query: str | None = "q=CGDD77"
            shown = []
            while query and "parts" not in query:
                text = (await browser.get(f"/numbers?{query}")).text
                shown.append(re.findall(r'href="/t/(\w+)/"', text))
                query = next_page(text)
            assert shown == [["a"], ["b"], ["c"]]

    in_time(visit)


class Falling(MemoryLedger):
    """Goes away as its rows are gone through."""

    async def find_rows(self, words: str, **_: object) -> Sequence[tuple[RunId, Row]]:
        """Be away."""
        raise LedgerLostError(words)

    def of_account(self, account: str) -> Falling:
        """Return the same ledger for another account."""
        return Falling(self._store, account=account)


def test_a_ledger_that_goes_away_in_a_search_for_a_part_holds_no_other_up() -> None:
    """What the others hold is shown; the overview says which one is away."""

    async def visit() -> None:
        tenants = [tenant(Falling(account=ACCT), "a"), tenant(await with_number([]), "b")]
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            text = (await browser.get("/numbers", params={"q": "GDD777"})).text
            assert "/t/b/numbers/CGDD777" in text

    in_time(visit)


def by_name(tenant: ServedTenant) -> str:
    """Return by what tenants are sorted."""
    return tenant.name


def test_metrics_are_made_anew_of_tenants_whose_runs_have_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of thousands nearly all stand as they did; who sends or doubts is looked at each time."""
    made: list[str] = []

    async def counted(*of: Any, labels: Mapping[str, str], **how: Any) -> list[Sample]:
        made.append(labels["tenant"])
        return await samples_of(*of, labels=labels, **how)

    monkeypatch.setattr("k3push.web.pages.health_and_metrics.samples_of", counted)

    async def visit() -> None:
        ended, doubts, sends = await filled(2), await filled(2), await filled(2)
        await in_doubt(doubts, "CGDD-LOST")
        for ledger in (ended, doubts):
            await ledger.end_run(RUN.id, 0 if ledger is ended else 4, NOON)
        tenants = [tenant(ended, "ended"), tenant(doubts, "doubts"), tenant(sends, "sends")]

        async def told(*tenants: ServedTenant) -> str:
            async with house(*tenants, several=True) as home, home.signed_in() as browser:
                return (await browser.get("/metrics")).text

        async with house(*tenants, several=True) as home, home.signed_in() as browser:

            async def told_again() -> str:
                await anyio.sleep(60)
                made.clear()
                return (await browser.get("/metrics")).text

            first = await told_again()
            assert made == ["ended", "doubts", "sends"]
            assert await told_again() == first
            assert made == ["doubts", "sends"]
            await sends.end_run(RUN.id, 3, NOON)
            changed = await told_again()
            assert made == ["doubts", "sends"]
            assert await told_again() == changed == await told(*tenants)
            await ended.open_run(replace(RUN, id=RunId("20260103-120000-new"), started_at=NOON))
            newest = await told_again()
            assert made == ["ended", "doubts"]
            # Who is gone is told no more, and is no other by its old name.
            home.ready.take([tenant(sends, "ended")])
            (gone, other) = await told_again(), await told(tenant(sends, "ended"))
            assert newest != gone == other

    in_time(visit)


def test_a_defect_of_metrics_ends_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made beside the answers, and whoever asks is told that there are none."""

    def fails(_: object) -> bytes:
        raise UnicodeError

    async def visit() -> None:
        tenants = [tenant(await filled(2), f"t{nth}") for nth in range(2)]
        async with house(*tenants, several=True) as home, home.signed_in() as browser:
            with monkeypatch.context() as patched:
                patched.setattr("k3push.web.pages.health_and_metrics.page_of", fails)
                assert (await browser.get("/metrics")).status_code == 500
            assert [event for event, _ in home.logged].count("metrics.failed") == 1
            assert (await browser.get("/metrics")).status_code == 200

    in_time(visit)


def test_metrics_are_made_once_for_all_who_ask() -> None:
    """Two collectors and a person cost what one does, and old ones are given meanwhile."""

    async def visit() -> None:
        ledger = Slow()
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(browser.get, "/metrics")
            assert ledger.asked == 1
            await anyio.sleep(60)
            assert "k3push_ledger_up" in (await browser.get("/metrics")).text
            assert ledger.asked == 2

    in_time(visit)
