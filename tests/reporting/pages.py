"""Runs for the report: a ledger in memory, filled without an ERP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from k3push.core.model import (
    Answered,
    BillNumber,
    Intent,
    Listed,
    NoAnswer,
    Outcome,
    Route,
    Run,
    RunId,
    State,
    Target,
    Uptime,
)
from k3push.core.remark import remark
from k3push.ports import Ledger
from k3push.runs.outcome import Ending, ending_of
from tests.adapters.ledger.samples import identified
from tests.memory_ledger.ledger import MemoryLedger

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
ROUTE = Route("po-instock", "PUR_PurchaseOrder", "STK_InStock", rule="r")
RUN = Run(RunId("20260102-120000-abc"), "acct|PO|r", ROUTE, ("批次 a.csv",), "results", NOON)
UP = Uptime("boot", 500)
CHUNK = 100

Refused = Mapping[int, tuple[str, str]]


def number(index: int) -> BillNumber:
    """Name a bill."""
    return BillNumber(f"CGDD{index:07d}")


async def filled(
    count: int,
    refused: Refused | None = None,
    names: Mapping[int, str] | None = None,
    ledger: MemoryLedger | None = None,
) -> MemoryLedger:
    """Return a ledger with one run of *count* numbers, pushed in chunks.

    Args:
        count: Numbers.
        refused: Code and reason by index, for those that are rejected.
        names: Bill numbers by index, instead of our own.
        ledger: An empty one to fill, instead of a new one.
    """
    refused, names = refused or {}, names or {}
    ledger = ledger or MemoryLedger(account=RUN.account)
    await ledger.open_run(RUN)
    bills = [BillNumber(names.get(index, number(index))) for index in range(count)]
    await ledger.add(RUN.id, [Listed(line, bill) for line, bill in enumerate(bills, start=2)])
    await ledger.identify(RUN.id, identified({bill: bill for bill in bills}))
    for nth, first in enumerate(range(0, count, CHUNK), start=1):
        chunk = tuple(bills[first : first + CHUNK])
        began = NOON + timedelta(seconds=2 * nth)
        await ledger.claim(RUN.id, chunk)
        attempt = await ledger.begin(
            Intent(RUN.id, nth, 1, chunk, {}, b'{"Numbers":[]}', began, UP)
        )
        outcomes = []
        for index, bill in enumerate(chunk, start=first):
            if index in refused:
                code, reason = refused[index]
                outcomes.append(Outcome(bill, State.REJECTED, (), code, reason))
            else:
                made = (Target(str(index), f"CGRK{index:07d}"),)
                outcomes.append(Outcome(bill, State.PUSHED, made))
        answer = Answered(200, '{"Result":"完成 </script><b>"}'.encode())
        ended = began + timedelta(seconds=1.5)
        await ledger.record(attempt, answer, "finished; read back", outcomes, at=ended)
    return ledger


async def in_doubt(ledger: Ledger, name: str, run: RunId = RUN.id) -> BillNumber:
    """Add a number whose answer was lost."""
    bill = BillNumber(name)
    await ledger.add(run, [Listed(9999, bill)])
    await ledger.identify(run, identified({bill: bill}))
    await lose_answer(ledger, bill, run)
    return bill


async def lose_answer(ledger: Ledger, bill: BillNumber, run: RunId = RUN.id, nth: int = 1) -> None:
    """Send a number whose answer is lost."""
    at = NOON + timedelta(hours=9)
    await ledger.claim(run, [bill])
    attempt = await ledger.begin(Intent(run, 9999, nth, (bill,), {}, b"{}", at, UP))
    unknown = [Outcome(bill, State.UNKNOWN, (), "broken", "the connection broke")]
    await ledger.record(attempt, NoAnswer("the connection broke"), "in doubt", unknown, at=at)


async def lost(ledger: MemoryLedger, name: str) -> None:
    """Add a number whose answer was lost and found again."""
    bill = await in_doubt(ledger, name)
    made = [Outcome(bill, State.PUSHED, (Target("77", "CGRK-LATE"),))]
    later = NOON + timedelta(hours=9, seconds=30)
    await ledger.conclude(RUN.id, made, at=later, note=remark("note.settled"))


async def ending(ledger: MemoryLedger) -> Ending:
    """Return how the run stands."""
    return replace(await ending_of(ledger, RUN, {}, unverified=False), seconds=1.0, logins=1)
