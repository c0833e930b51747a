"""What a person finds a row by."""

from __future__ import annotations

import pytest

from k3push.core.model import BillNumber, Outcome, RunId, State
from k3push.runs.find import RunFilter
from k3push.runs.kept_in_ledger import row_search
from k3push.runs.kept_in_ledger.row_search import rows_holding, runs_holding
from tests.adapters.ledger.samples import NOON, planned
from tests.memory_ledger.ledger import MemoryLedger

pytestmark = pytest.mark.anyio

WORDS = {
    "CGDD0001": "单据“CGDD0001”第3行的单价必须大于0",
    "CGDD0002": "库存不足，即时库存为0",
    "CGDD0003": "单据“CGDD0003”第1行的单价必须大于0",
}


async def refused(ledger: MemoryLedger, name: str, *numbers: str) -> RunId:
    """Write down a run whose bills the ERP has refused."""
    run = await planned(ledger, " ".join(numbers), name)
    outcomes = [
        Outcome(BillNumber(each), State.REJECTED, code="4", reason=WORDS[each]) for each in numbers
    ]
    await ledger.conclude(run, outcomes, at=NOON)
    await ledger.end_run(run, 3, NOON)
    return run


@pytest.fixture
async def ledger() -> MemoryLedger:
    """Two runs of refused bills."""
    ledger = MemoryLedger(account="s")
    await refused(ledger, "r1", "CGDD0001", "CGDD0002")
    await refused(ledger, "r2", "CGDD0003")
    return ledger


async def found(ledger: MemoryLedger, words: str) -> list[str]:
    """Return the numbers of rows that are found."""
    return [row.number for _, row in await rows_holding(ledger, words)]


@pytest.mark.parametrize("words", ["no gift (赠品)", "has no PRICE", "非赠品分录的单价为 0"])
async def test_a_row_is_found_by_the_words_of_its_cause(ledger: MemoryLedger, words: str) -> None:
    """They stand in no row, and in the page beside it: whoever types them has read them there."""
    assert await found(ledger, words) == ["CGDD0003", "CGDD0001"]
    assert await runs_holding(ledger, words) == {"r1", "r2"}
    assert [run.id for run in await RunFilter(words=words, in_rows=True).of(ledger)] == ["r2", "r1"]


async def test_a_number_is_found_in_either_width(ledger: MemoryLedger) -> None:
    """The ERP takes both for one (P 4.7)."""
    assert await found(ledger, "ＣＧＤＤ０００２") == ["CGDD0002"]
    assert await found(ledger, "存不足，即") == ["CGDD0002"]


async def test_what_is_too_short_finds_nothing(ledger: MemoryLedger) -> None:
    """Each number has a 0; two characters of Chinese are a word."""
    assert await found(ledger, "000") == []
    assert await runs_holding(ledger, "000") == set()
    assert await found(ledger, "库存") == ["CGDD0002"]


async def test_no_more_rows_are_read_for_a_cause_than_answer_at_once(
    ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ledger of years has millions; the newest run is read first."""
    monkeypatch.setattr(row_search, "MOST_READ", 1)
    assert await found(ledger, "no gift") == ["CGDD0003"]
    monkeypatch.setattr(row_search, "MOST_FOUND", 1)
    assert await found(ledger, "CGDD000") == ["CGDD0003"]
