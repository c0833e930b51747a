"""Old runs go into archives: whole, once, whatever cuts it off, and told of as by the ledger."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from k3push.adapters.archive_files import ArchiveFileError, ArchiveFolder, archives_in, told_of
from k3push.core.model import (
    Answered,
    Archive,
    BillNumber,
    NeverSent,
    NoAnswer,
    Run,
    RunId,
    State,
    key_of,
)
from k3push.ports import Ledger, LedgerLostError
from k3push.ports.archives import Part
from k3push.runs.archive import archive_due
from tests.adapters.ledger.samples import (
    ACCOUNT,
    NOON,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)
from tests.memory_ledger.ledger import MemoryLedger
from tests.runs.mortals import Act, Fate, MortalLedger

pytestmark = pytest.mark.anyio

LONG_AFTER = NOON + timedelta(days=400)
A, B, C = numbers("A B C")


async def a_night(ledger: Ledger, name: str = "r1", text: str = "A B C") -> RunId:
    """Fill a run with something of each kind, and end it."""
    first, second, third = text.split()
    run = await planned(ledger, text, name)
    lost = await sent(ledger, run, first)
    back = outcomes(first, State.PLANNED)
    await ledger.record(lost, NeverSent("no route"), "send again", back, at=NOON, keep_claims=True)
    doubtful = await sent(ledger, run, first)
    unknown = outcomes(first, State.UNKNOWN)
    await ledger.record(doubtful, NoAnswer("reset", timed_out=True), "doubt", unknown, at=NOON)
    await ledger.conclude(run, outcomes(first, State.PUSHED), at=NOON, note="it is there")
    await pushed(ledger, run, second)
    attempt = await sent(ledger, run, third)
    raw = Answered(200, b"\xff\x00 no text")
    await ledger.record(attempt, raw, "refused", outcomes(third, State.REJECTED), at=NOON)
    await ledger.close_list(run)
    await ledger.end_run(run, 3, NOON)
    return run


async def test_an_archive_tells_what_the_ledger_told(tmp_path: Path) -> None:
    """Every request, answer and note of each number, to the byte."""
    ledger = MemoryLedger(account=ACCOUNT)
    run = await a_night(ledger)
    known = {
        number: (
            [row for _, row in await ledger.rows_of(number)],
            list(await ledger.attempts_of(number)),
            list(await ledger.notes_of(number)),
        )
        for number in (A, B, C)
    }
    folder = tmp_path / "archive"
    done = await archive_due(ledger, ArchiveFolder(folder), before=LONG_AFTER)
    assert (done.runs, done.left) == (1, False)
    (file,) = archives_in(folder)
    for number, (rows, attempts, notes) in known.items():
        told = told_of(file, ACCOUNT, number)
        assert told is not None
        assert (told.run, told.rows) == (run, rows)
        assert (told.attempts, told.notes) == (attempts, notes)
    assert await states(ledger, run) == {"A": State.PUSHED, "B": State.PUSHED}
    kept = await ledger.run(run)
    assert kept is not None
    assert kept.archive is not None
    assert kept.archive.file == file.name
    assert gzip.decompress(file.read_bytes()).endswith(
        b'{"sha256":"%s"}\n' % kept.archive.sha256.encode()
    )


async def test_an_archive_is_its_owners_alone(tmp_path: Path) -> None:
    """Answers hold what a company buys and from whom."""
    ledger = MemoryLedger(account=ACCOUNT)
    await a_night(ledger)
    await archive_due(ledger, ArchiveFolder(tmp_path / "archive"), before=LONG_AFTER)
    (file,) = archives_in(tmp_path / "archive")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_whatever_step_is_the_last_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path,
) -> None:
    """A death between the archive and the removal is followed by the same, and by no second one."""
    nth, happened = 0, True
    while happened:
        nth += 1
        folder = tmp_path / str(nth)
        fate = Fate({nth: Act.KILL})
        ledger = MortalLedger(Fate(), account=ACCOUNT)
        run = await a_night(ledger)
        with fate.scope, suppress(LedgerLostError):
            await archive_due(ledger.process(fate), ArchiveFolder(folder), before=LONG_AFTER)
        happened = fate.dead
        other = ledger.process(Fate())
        after = await other.run(run)
        assert after is not None
        if after.archive is None:
            assert len(await other.rows(run)) == 3, nth
        await archive_due(other, ArchiveFolder(folder), before=LONG_AFTER)
        (file,) = archives_in(folder)
        for number in (A, B, C):
            told = told_of(file, ACCOUNT, number)
            assert told is not None
            assert len(told.rows) == 1, nth
        assert await states(other, run) == {"A": State.PUSHED, "B": State.PUSHED}
        assert not half_files(folder)
    assert nth > 5


async def test_what_a_kill_has_left_half_written_goes_with_time(tmp_path: Path) -> None:
    """It holds answers, and nobody would ever look for it; another process may be at its own.

    What another program keeps in the folder is none of it.
    """
    old, fresh = tmp_path / ".t.r0.jsonl.gz.x.part", tmp_path / ".t.r9.jsonl.gz.y.part"
    other = tmp_path / ".other.iso.part"
    for part in (old, fresh, other):
        part.write_bytes(b"half")
    for part in (old, other):
        os.utime(part, (0, 0))
    ledger = MemoryLedger(account=ACCOUNT)
    await a_night(ledger)
    await archive_due(ledger, ArchiveFolder(tmp_path), before=LONG_AFTER)
    assert set(half_files(tmp_path)) == {fresh, other}


def half_files(folder: Path) -> list[Path]:
    """Return what is being written, or was, in a folder."""
    return list(folder.glob(".*"))


class Broken(ArchiveFolder):
    """A folder whose disk fills up in the midst of an archive."""

    async def write(self, run: Run, parts: AsyncIterator[Sequence[Part]]) -> Archive:
        """Fail after the first page."""

        async def cut() -> AsyncGenerator[Sequence[Part], None]:
            async for page in parts:
                yield page
                raise OSError(28, "No space left on device")

        async with aclosing(cut()) as page:
            return await super().write(run, page)


async def test_nothing_is_removed_where_an_archive_cannot_be_written(tmp_path: Path) -> None:
    """The disk of archives is another than that of the ledger."""
    ledger = MemoryLedger(account=ACCOUNT)
    run = await a_night(ledger)
    with pytest.raises(OSError, match="No space"):
        await archive_due(ledger, Broken(tmp_path), before=LONG_AFTER)
    assert len(await ledger.rows(run)) == 3
    assert not archives_in(tmp_path)
    assert not await ledger.is_alive(run)


async def test_a_run_that_is_under_way_waits(tmp_path: Path) -> None:
    """Somebody looks at it again, or has its numbers planned anew."""
    ledger = MemoryLedger(account=ACCOUNT)
    first, second = await a_night(ledger), await a_night(ledger, "r2", "D E F")
    async with ledger.another_process().own(first, executes=False):
        await archive_due(ledger, ArchiveFolder(tmp_path), before=LONG_AFTER)
    assert [run.id for run in await ledger.runs() if run.archive] == [second]


async def test_time_that_is_up_leaves_the_rest(tmp_path: Path) -> None:
    """An execution that has ended archives a part of what is due."""
    ledger = MemoryLedger(account=ACCOUNT)
    await a_night(ledger)
    done = await archive_due(ledger, ArchiveFolder(tmp_path), before=LONG_AFTER, seconds=-1)
    assert (done.runs, done.left) == (0, True)


async def test_another_archive_of_that_name_stays(tmp_path: Path) -> None:
    """Two ledgers may share a folder, and each may have a run of that name."""
    for text in ("A B C", "D E F"):
        ledger = MemoryLedger(account=ACCOUNT)
        await a_night(ledger, "r1", text)
        await archive_due(ledger, ArchiveFolder(tmp_path), before=LONG_AFTER)
    assert len(archives_in(tmp_path)) == 2
    for number in numbers("A D"):
        found = [told_of(file, ACCOUNT, number) for file in archives_in(tmp_path)]
        assert sum(len(told.rows) for told in found if told) == 1


async def test_an_archive_is_found_by_each_name_of_a_bill(tmp_path: Path) -> None:
    """As the ledger finds it."""
    ledger = MemoryLedger(account=ACCOUNT)
    await a_night(ledger, "r1", "A,1 A,2 C")
    await archive_due(ledger, ArchiveFolder(tmp_path), before=LONG_AFTER)
    (file,) = archives_in(tmp_path)
    for name, count in ((A, 2), (key_of("A", "1"), 1), (BillNumber("1"), 0)):
        told = told_of(file, ACCOUNT, name)
        assert told is not None
        assert len(told.rows) == count, name


async def test_what_was_edited_is_not_told(tmp_path: Path) -> None:
    """Nor what was cut off, nor what is no archive; another account's is passed over."""
    ledger = MemoryLedger(account=ACCOUNT)
    await a_night(ledger)
    await archive_due(ledger, ArchiveFolder(tmp_path), before=LONG_AFTER)
    (file,) = archives_in(tmp_path)
    whole = file.read_bytes()
    assert told_of(file, "t", A) is None
    lines = gzip.decompress(whole)
    for spoilt, why in (
        (gzip.compress(lines.replace(b'"CGRK-A"', b'"CGRK-B"')), "edited"),
        (gzip.compress(lines[:-10]), "edited"),
        (whole[:-20], "edited"),
        (gzip.compress(lines.replace(b'"k3push_archive":1', b'"k3push_archive":2')), "newer"),
        (b"number\nA\n", "none"),
        (gzip.compress(b'{"a":1}\n'), "edited"),
    ):
        file.write_bytes(spoilt)
        with pytest.raises(ArchiveFileError) as refused:
            told_of(file, ACCOUNT, A)
        assert refused.value.why == why, spoilt[:20]
    file.unlink()
    with pytest.raises(ArchiveFileError) as refused:
        told_of(file, ACCOUNT, A)
    assert refused.value.why == "missing"
