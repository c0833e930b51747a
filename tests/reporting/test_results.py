"""The results folder: what is in it, and what it costs to write."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from k3push.adapters.job_files import read_job
from k3push.core.model import Row, RunId, State
from k3push.reporting.results_folder import write_results
from k3push.runs.outcome import Ending
from k3push.words.language import speaker
from tests.memory_ledger.ledger import MemoryLedger
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
    assert ledger.asked == [0]
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


async def test_results_that_fail_leave_those_of_the_earlier_execution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of half the rows would be taken for the whole."""
    monkeypatch.setattr("k3push.runs.kept_in_ledger.row_pages.PAGE_ROWS", 2)
    ledger = Counted(fails=True)
    await filled(3, REFUSED, ledger=ledger)
    (tmp_path / "ledger.csv").write_text("earlier")
    stands = await in_folder(ledger, tmp_path)
    with pytest.raises(OSError, match="No space"):
        await write_results(ledger, stands, speaker("en"), now=NOON)
    assert (tmp_path / "ledger.csv").read_text() == "earlier"
    assert files_in(tmp_path) == {"ledger.csv", "summary.json"}


async def test_results_that_are_a_link_are_refused(tmp_path: Path) -> None:
    """Whoever may write beside the lists would have files of the company written elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "results").symlink_to(elsewhere)
    ledger = await filled(3)
    stands = await in_folder(ledger, tmp_path / "results" / "orders.r1")
    with pytest.raises(OSError, match="link"):
        await write_results(ledger, stands, speaker("en"), now=NOON)
    assert files_in(elsewhere) == set()


async def test_a_link_where_a_part_would_be_is_not_written_over(tmp_path: Path) -> None:
    """Files are begun under names that nobody can foresee."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("ledger.csv.part", "summary.json", "report.html.part"):
        (folder / name).symlink_to(precious)
    ledger = await filled(3)
    await write_results(ledger, await in_folder(ledger, folder), speaker("en"), now=NOON)
    assert precious.read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes of this kind")
@pytest.mark.parametrize("name", ["ledger.csv", "summary.json", "report.html"])
async def test_results_take_the_place_of_no_pipe(tmp_path: Path, name: str) -> None:
    """A run neither waits for its reader nor takes it away."""
    folder = tmp_path / "results"
    folder.mkdir()
    os.mkfifo(folder / name)
    ledger = await filled(3)
    with pytest.raises(FileExistsError):
        await write_results(ledger, await in_folder(ledger, folder), speaker("en"), now=NOON)
    assert stat.S_ISFIFO((folder / name).stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
@pytest.mark.parametrize(("folder", "file"), [(0o700, 0o600), (0o750, 0o640), (0o755, 0o600)])
async def test_a_file_has_the_rights_of_a_folder_that_is_closed_to_others(
    tmp_path: Path, folder: int, file: int
) -> None:
    """A group that an operator lets in reads the results."""
    place = tmp_path / "results"
    place.mkdir()
    place.chmod(folder)
    ledger = await filled(3)
    await write_results(ledger, await in_folder(ledger, place), speaker("en"), now=NOON)
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {file}
