"""The results folder: what is in it, and what it costs to write."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from k3push.adapters.job_files import read_job
from k3push.adapters.ledger.memory import MemoryLedger
from k3push.core.model import Row, RunId, State
from k3push.reporting.results import write_results
from k3push.runs.outcome import Ending
from k3push.words.language import speaker
from tests.reporting.pages import NOON, RUN, ending, filled, lost, number

pytestmark = pytest.mark.anyio

REFUSED = {3: ("11", "未审核"), 5: ("11", "未审核")}


@pytest.fixture
def anyio_backend() -> str:
    """Return the loop that files are written on."""
    return "asyncio"


class Counted(MemoryLedger):
    """A ledger that notes which pages of rows are asked for; its disk may fail at the second."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__(account=RUN.account)
        self.asked: list[int] = []
        self._fails = fails

    async def rows(
        self,
        run: RunId,
        *,
        states: Collection[State] = (),
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[Row]:
        """Return a page of rows."""
        self.asked.append(after)
        if after and self._fails:
            raise OSError(28, "No space left on device")
        return await super().rows(run, states=states, after=after, limit=limit)


async def in_folder(ledger: MemoryLedger, folder: Path) -> Ending:
    """Return how the run stands whose results go to *folder*."""
    stands = await ending(ledger)
    return replace(stands, run=replace(stands.run, folder=str(folder)))


def files_in(folder: Path) -> set[str]:
    """Return the names of the files of a folder."""
    return {path.name for path in folder.iterdir()}


async def test_all_results_come_of_one_reading_of_the_rows(tmp_path: Path) -> None:
    """A million rows take seconds to read, and five files and a page are made of them."""
    ledger = Counted()
    await filled(8, REFUSED, ledger=ledger)
    await lost(ledger, "CGDD-LOST")
    stands = await in_folder(ledger, tmp_path / "results")
    clusters = await write_results(ledger, stands, speaker("en"), now=NOON)
    assert ledger.asked == [0, 9]
    assert files_in(tmp_path / "results") == {
        "ledger.csv",
        "rejected.csv",
        "report.html",
        "summary.json",
    }
    rejected = [listed.number for listed in read_job(tmp_path / "results" / "rejected.csv")]
    assert rejected == [number(3), number(5)]
    whole = [listed.number for listed in read_job(tmp_path / "results" / "ledger.csv")]
    assert whole == [*map(number, range(8)), "CGDD-LOST"]
    assert [(each.count, each.shape) for each in clusters.largest()] == [(2, "未审核")]


async def test_results_that_fail_leave_those_of_the_earlier_execution(tmp_path: Path) -> None:
    """A table of half the rows would be taken for the whole."""
    ledger = Counted(fails=True)
    await filled(3, REFUSED, ledger=ledger)
    (tmp_path / "ledger.csv").write_text("earlier")
    stands = await in_folder(ledger, tmp_path)
    with pytest.raises(OSError, match="No space"):
        await write_results(ledger, stands, speaker("en"), now=NOON)
    assert (tmp_path / "ledger.csv").read_text() == "earlier"
    assert files_in(tmp_path) == {"ledger.csv", "summary.json"}
