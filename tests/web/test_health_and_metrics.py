"""What programs are told: metrics and health."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import anyio

from k3push.core.control_words import Command, Verb
from k3push.core.model import BillNumber, Listed, Route, Run, RunId
from k3push.ports import LedgerLostError
from k3push.reporting.metrics import (
    ALIVE,
    ANSWERED,
    EXIT,
    HELD,
    HELP,
    OLDEST,
    RUNS_LOOKED_AT,
    samples_of,
)
from k3push.web.tenant_ledgers import ANSWER_S
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import NOON, RUN, filled, in_doubt
from tests.web.visits import ACCT, house, in_time, tenant

LATER = NOON + timedelta(hours=10)
AN_HOUR = timedelta(hours=1)


class Losable(MemoryLedger):
    """Can be lost, or answer nobody."""

    lost = False
    hangs_s = 0.0
    looks = 0

    async def run(self, run: RunId) -> Run | None:
        """Fail where it is lost; as in PostgreSQL, a read that hangs cannot be broken off."""
        self.looks += 1
        with anyio.CancelScope(shield=True):
            await anyio.sleep(self.hangs_s)
        if self.lost:
            raise LedgerLostError("a secret path")
        return await super().run(run)


async def values(ledger: MemoryLedger) -> dict[str, float]:
    """Return the samples of a ledger, by name and state."""
    glances = await ledger.glances([ACCT], among=RUNS_LOOKED_AT)
    samples = await samples_of(ledger, glances[ACCT], NOON)
    assert {sample.labels["route"] for sample in samples} == {RUN.route.name}
    assert {sample.name for sample in samples} <= set(HELP)
    return {
        f"{sample.name} {sample.labels.get('state', '')}".strip(): sample.value
        for sample in samples
    }


def test_the_samples_tell_how_the_last_run_stands() -> None:
    """An alert needs each of them."""

    async def look() -> None:
        ledger = await filled(9, {1: ("11", "未审核")})
        await in_doubt(ledger, "CGDD-LOST")
        async with ledger.another_process().own(RUN.id):
            assert await values(ledger) == {
                "k3push_numbers planned": 0,
                "k3push_numbers sent": 0,
                "k3push_numbers pushed": 8,
                "k3push_numbers draft": 0,
                "k3push_numbers already": 0,
                "k3push_numbers rejected": 1,
                "k3push_numbers unknown": 1,
                "k3push_run_alive": 1,
                "k3push_run_held": 0,
                "k3push_run_start_timestamp_seconds": NOON.timestamp(),
                "k3push_run_last_answer_timestamp_seconds": (LATER - AN_HOUR).timestamp(),
                "k3push_unknown_numbers": 1,
                "k3push_oldest_unknown_timestamp_seconds": (LATER - AN_HOUR).timestamp(),
            }
        await ledger.end_run(RUN.id, 4, LATER)
        ended = await values(ledger)
        assert (ended[EXIT], ended["k3push_run_alive"], ANSWERED in ended) == (4, 0, False)

    in_time(look)


def test_a_run_that_waits_for_another_of_its_command_was_not_killed() -> None:
    """No alert is due while the command executes its other route."""

    async def look() -> None:
        ledger = MemoryLedger(account=ACCT)
        first = replace(RUN, id=RunId("20260101-120000-one"), group=RunId("20260101-120000-one"))
        second = replace(first, id=RunId("20260101-120000-two"))
        for run in (first, second):
            await ledger.open_run(run)
        async with ledger.another_process().own(first.id):
            waits = await values(ledger)
        assert (waits[ALIVE], waits[HELD], EXIT in waits) == (1, 1, False)
        killed = await values(ledger)
        assert (killed[ALIVE], HELD in killed, EXIT in killed) == (0, False, False)

    in_time(look)


def test_a_run_that_is_held_is_told_from_one_that_hangs() -> None:
    """Nobody is to be woken for a run that a person has paused, or that waits for its window."""

    async def look() -> None:
        ledger = await filled(1)
        async with ledger.another_process().own(RUN.id):
            assert (await values(ledger))[HELD] == 0
            pause = await ledger.command(RUN.id, Command(Verb.PAUSE), at=NOON)
            assert (await values(ledger))[HELD] == 0, "it was not obeyed yet"
            await ledger.obeyed(pause, at=NOON, on_their_way=0)
            assert (await values(ledger))[HELD] == 1
        assert HELD not in await values(ledger)

    in_time(look)


def test_a_number_in_doubt_counts_though_a_later_run_went_well() -> None:
    """It is somebody's document, and nobody asks about last week's run."""

    async def look() -> None:
        ledger = await filled(1)
        await in_doubt(ledger, "CGDD-LOST")
        await ledger.end_run(RUN.id, 4, NOON)
        run = replace(RUN, id=RunId("20260103-120000-new"), started_at=LATER)
        await ledger.open_run(run)
        await ledger.end_run(run.id, 0, LATER)
        told = await values(ledger)
        assert (told[EXIT], told["k3push_unknown_numbers"], told[OLDEST]) == (
            0,
            1,
            (LATER - AN_HOUR).timestamp(),
        )

    in_time(look)


def test_a_ledger_of_years_is_not_read_whole() -> None:
    """A collector comes every quarter of a minute."""

    async def look() -> None:
        ledger = await filled(1)
        await in_doubt(ledger, "CGDD-LOST")
        for index in range(RUNS_LOOKED_AT):
            run = replace(RUN, id=RunId(f"20260103-{index:06}"), started_at=LATER)
            await ledger.open_run(run)
        assert (await values(ledger))["k3push_unknown_numbers"] == 0

    in_time(look)


def test_metrics_bear_tenant_and_route_and_say_which_ledger_is_lost() -> None:
    """One page serves the alerts of all tenants; a name may hold anything."""

    async def visit() -> None:
        ledger = await filled(2)
        route = Route('r"\\x', "A", "B")
        odd = replace(RUN, id=RunId("20260103-120000-b"), route=route)
        await ledger.open_run(odd)
        await ledger.add(odd.id, [Listed(2, BillNumber("A"))])
        async with house(tenant(ledger, "甲")) as home, home.signed_in() as browser:
            answer = await browser.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain; version=")
            lines = answer.text.splitlines()
            assert 'k3push_numbers{route="po-instock",state="pushed",tenant="甲"} 2.0' in lines
            assert 'k3push_numbers{route="r\\"\\\\x",state="planned",tenant="甲"} 1.0' in lines, (
                answer.text
            )
            assert 'k3push_ledger_up{tenant="甲"} 1.0' in lines
            assert lines.count("# TYPE k3push_numbers gauge") == 1

    in_time(visit)


def test_health_is_a_word_for_everybody() -> None:
    """Whoever may not look may know whether it works, and in time, and nothing more."""

    async def visit() -> None:
        ledger = Losable(account=ACCT)
        async with house(tenant(ledger)) as home, home.browser() as stranger:
            assert (await stranger.get("/healthz")).text == "ok\n"
            async with home.signed_in() as browser:
                await browser.get("/")
            ledger.lost = True
            answer = await stranger.get("/healthz")
            assert (answer.status_code, answer.text) == (503, "not: ledger\n")
            ledger.lost, ledger.hangs_s, ledger.looks = False, 100.0, 0
            for _ in range(3):
                with anyio.fail_after(ANSWER_S + 1):
                    answer = await stranger.get("/healthz")
                assert (answer.status_code, answer.text) == (503, "not: ledger\n")
            assert ledger.looks == 1
            ledger.hangs_s = 0
            await anyio.sleep(100)
            assert (await stranger.get("/healthz")).text == "ok\n"

    in_time(visit)
