"""A ledger is its file, by whichever name it is reached, for as long as that file is there."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import anyio
import pytest
from anyio import Path as APath
from anyio import run_process, to_thread

from k3push.adapters.ledger.maintenance.copy import copy
from k3push.adapters.ledger.maintenance.sqlite_tables import books_in_sqlite
from k3push.adapters.ledger.sqlite import migrate, open_sqlite, opening
from k3push.adapters.ledger.sqlite.ledger import LOOKS_AT_ONCE
from k3push.adapters.ledger.sqlite.same_files import SameFiles
from k3push.core.model import State
from k3push.ports import Ledger, LedgerLostError, RunIsAliveError
from tests.adapters.ledger.samples import (
    ACCOUNT,
    ANSWER,
    a_run,
    intent,
    later,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
)
from tests.said import refused

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the ledger is."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there" / "ledger.db"


def linked_file(path: Path) -> Path:
    """Return a link to the file, in another folder."""
    link = path.parent.parent / "link.db"
    link.symlink_to(path)
    return link


def linked_folder(path: Path) -> Path:
    """Return the file by a link to its folder."""
    link = path.parent.parent / "link"
    link.symlink_to(path.parent, target_is_directory=True)
    return link / path.name


def relative(path: Path) -> Path:
    """Return the file by a path from here."""
    return Path(os.path.relpath(path))


@pytest.mark.parametrize("named", [linked_file, linked_folder, relative])
async def test_a_run_is_alive_by_whichever_name_its_ledger_is_reached(
    path: Path, named: Callable[[Path], Path]
) -> None:
    """A `resume` by another name would take over a living run, and send what it has sent."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        async with (
            ledger.own(run),
            open_sqlite(await to_thread.run_sync(named, path), account=ACCOUNT) as other,
        ):
            assert await other.is_alive(run)
            with pytest.raises(RunIsAliveError):
                async with other.own(run):
                    pass
    left = await to_thread.run_sync(lambda: [each.name for each in path.parent.parent.iterdir()])
    assert not [name for name in left if name.endswith(("-locks", "-wal"))]


async def test_a_file_with_two_names_is_refused(path: Path) -> None:
    """SQLite keeps what is new beside the name, so the two would not see each other's claims."""
    async with open_sqlite(path, account=ACCOUNT):
        pass
    second = path.with_name("second.db")
    await to_thread.run_sync(second.hardlink_to, path)
    for each in (path, second):
        with refused(LedgerLostError, "hard link"):
            async with open_sqlite(each, account=ACCOUNT):
                pass
    await to_thread.run_sync(second.unlink)
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        assert await ledger.runs() == []


async def test_a_file_that_is_mounted_by_itself_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SQLite keeps beside it is elsewhere for whoever has it by its first name."""
    async with open_sqlite(path, account=ACCOUNT):
        pass
    mounts = APath(path.parent / "mounts")
    monkeypatch.setattr(opening, "MOUNTS", Path(mounts))
    line = "745 31 0:26 {from_} {at} rw,relatime - ext4 /dev/vda rw\n"
    await mounts.write_text(line.format(from_=path, at="/elsewhere"))
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        assert await ledger.runs() == []
    await mounts.write_text(line.format(from_="/somewhere", at=path))
    with refused(LedgerLostError, "Mount the folder"):
        async with open_sqlite(path, account=ACCOUNT):
            pass


@pytest.mark.skipif(sys.platform == "win32", reason="no such names")
async def test_a_mounted_file_is_known_whatever_its_name_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    r"""The system writes blanks, tabs, line breaks and backslashes of a name in octal."""
    path = tmp_path / "a b\tc\nd\\040e\rf" / "采购.db"
    await to_thread.run_sync(path.parent.mkdir)
    async with open_sqlite(path, account=ACCOUNT):
        pass
    mounts = APath(tmp_path / "mounts")
    monkeypatch.setattr(opening, "MOUNTS", Path(mounts))
    place = os.fsencode(tmp_path / "a\\040b\\011c\\012d\\134040e\rf" / path.name)
    await mounts.write_bytes(b"745 31 0:26 / %s rw,relatime - ext4 /dev/vda rw\n" % place)
    with refused(LedgerLostError, "Mount the folder"):
        async with open_sqlite(path, account=ACCOUNT):
            pass


def removed(path: Path) -> None:
    """Remove the file."""
    path.unlink()


def replaced(path: Path) -> None:
    """Put a copy in its place, as a restored backup is."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def restored(path: Path) -> None:
    """Put a backup in its place, beside which stands nothing of the one before."""
    replaced(path)
    without_new(path)


def moved(path: Path) -> None:
    """Move the folder away."""
    path.parent.rename(path.parent.with_name("away"))


def without_new(path: Path) -> None:
    """Remove what is not in the file yet."""
    path.with_name("ledger.db-wal").unlink()


@pytest.mark.parametrize(
    ("lose", "has_successor"),
    [(removed, False), (replaced, False), (restored, True), (moved, False), (without_new, True)],
)
async def test_a_file_that_is_gone_is_a_lost_ledger(
    path: Path,
    lose: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    *,
    has_successor: bool,
) -> None:
    """What is written to it goes with the process, and another would begin at the beginning."""
    monkeypatch.setattr("k3push.adapters.ledger.sqlite.ledger.REPLACED_LOOK_S", 0.01)
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B")
        await sent(ledger, run, "A")
        await ledger.claim(run, numbers("B"))
        assert not await is_replaced(ledger, 0.1)
        await to_thread.run_sync(lose, path)
        for _ in range(2):
            with refused(LedgerLostError, "removed or replaced"):
                await ledger.rows(run)
            with refused(LedgerLostError, "removed or replaced"):
                await ledger.begin(intent(run, "B", chunk=2))
        assert await is_replaced(ledger, 10 if has_successor else 0.1) == has_successor


async def test_what_was_new_in_a_ledger_is_not_mixed_into_the_one_that_was_copied_over_it(
    path: Path,
) -> None:
    """A backup that is copied over the file is, for SQLite, the file that it has open."""
    backup = path.with_name("backup.db")
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
    await to_thread.run_sync(shutil.copyfile, path, backup)
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        await sent(ledger, run, "A")
        await to_thread.run_sync(without_new, path)
        await run_process(["cp", str(backup), str(path)])
        with refused(LedgerLostError, "removed or replaced"):
            await ledger.run(run)
    assert await APath(path).read_bytes() == await APath(backup).read_bytes()
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        assert not await ledger.attempt_count(run)


async def is_replaced(ledger: Ledger, within_s: float) -> bool:
    """Say whether a ledger is found to be replaced within a time."""
    with anyio.move_on_after(within_s) as waiting:
        await ledger.until_replaced()
    return not waiting.cancelled_caught


async def test_looks_at_the_files_of_all_ledgers_take_turns(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a machine was asleep, thousands are due at once, each of which made a thread."""
    looking, most = list[int](), list[int]()

    def look(_: SameFiles) -> bool:
        looking.append(1)
        most.append(len(looking))
        time.sleep(0.02)
        looking.pop()
        return True

    monkeypatch.setattr("k3push.adapters.ledger.sqlite.ledger.REPLACED_LOOK_S", 0.01)
    monkeypatch.setattr(SameFiles, "have_successor", look)
    async with open_sqlite(path, account=ACCOUNT) as ledger, anyio.create_task_group() as tasks:
        for nth in range(3 * LOOKS_AT_ONCE):
            tasks.start_soon(ledger.of_account(f"a{nth}").until_replaced)
    assert len(most) == 3 * LOOKS_AT_ONCE
    assert max(most) <= LOOKS_AT_ONCE


async def test_a_ledger_that_is_being_put_back_is_in_its_place_once_it_is_whole(path: Path) -> None:
    """Half of a copy that is opened would be brought up to date while it is written."""
    async with open_sqlite(path, account=ACCOUNT):
        files = await to_thread.run_sync(SameFiles, path)
        await APath(path).unlink()
        await to_thread.run_sync(without_new, path)
        for _ in range(3):
            assert not await to_thread.run_sync(files.have_successor)
            async with await anyio.open_file(path, "ab") as copy:
                await copy.write(b"a page")
        assert not await to_thread.run_sync(files.have_successor)
        assert await to_thread.run_sync(files.have_successor)


async def test_a_link_that_leads_elsewhere_is_a_lost_ledger(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes by it next finds another ledger."""
    monkeypatch.setattr("k3push.adapters.ledger.sqlite.ledger.REPLACED_LOOK_S", 0.01)
    link = await to_thread.run_sync(linked_file, path)
    async with open_sqlite(link, account=ACCOUNT) as ledger:
        await ledger.open_run(a_run())
        other = path.with_name("other.db")
        async with open_sqlite(other, account=ACCOUNT):
            pass
        await to_thread.run_sync(link.unlink)
        await to_thread.run_sync(link.symlink_to, other)
        with refused(LedgerLostError, "replaced"):
            await ledger.open_run(a_run("r2"))
        assert await is_replaced(ledger, 10)


def locks_of(path: Path) -> Path:
    """Return the folder of locks."""
    return path.with_name("ledger.db-locks")


def folder_removed(path: Path) -> None:
    """Remove the folder of locks."""
    shutil.rmtree(locks_of(path))


def lock_removed(path: Path) -> None:
    """Remove the lock of the run."""
    (locks_of(path) / "r1.lock").unlink()


@pytest.mark.parametrize("lose", [folder_removed, lock_removed])
async def test_a_run_whose_lock_is_gone_writes_nothing_more(
    path: Path, lose: Callable[[Path], None]
) -> None:
    """Another process may have taken it over by then."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        async with ledger.own(run):
            await ledger.claim(run, numbers("A"))
            await to_thread.run_sync(lose, path)
            with refused(LedgerLostError, r"r1\.lock.*taken it over"):
                await ledger.begin(intent(run, "A"))


async def test_who_has_lost_his_lock_does_not_take_the_next_ones(path: Path) -> None:
    """The lock that stands there when he ends is the other's."""
    async with (
        open_sqlite(path, account=ACCOUNT) as ledger,
        open_sqlite(path, account=ACCOUNT) as other,
    ):
        run = await planned(ledger, "A")
        first, second = ledger.own(run), other.own(run)
        await first.__aenter__()
        await to_thread.run_sync(folder_removed, path)
        await second.__aenter__()
        await first.__aexit__(None, None, None)
        assert await ledger.is_alive(run)
        await other.conclude(run, outcomes("A", State.REJECTED), at=later(1))
        await second.__aexit__(None, None, None)
        assert not await _alive(ledger)


async def _alive(ledger: Ledger) -> bool:
    return await ledger.is_alive(a_run().id)


async def test_without_a_folder_of_locks_nobody_is_alive(path: Path) -> None:
    """A look must not fail for it; it is made anew."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        await to_thread.run_sync(folder_removed, path)
        assert not await ledger.is_alive(run)
        async with ledger.own(run):
            assert await ledger.is_alive(run)


# What any other program does that looks at the ledger: the last to close a database clears its
# WAL away, and whether it is the last, the locks of the others tell.
LOOK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT * FROM runs")
connection.close()
"""


@pytest.mark.parametrize("named", [lambda path: path, linked_file])
async def test_a_ledger_opened_again_and_closed_keeps_the_locks_of_the_first(
    path: Path, named: Callable[[Path], Path]
) -> None:
    """Locks are a process's: one descriptor closed, and another process removes the WAL."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A")
        async with open_sqlite(await to_thread.run_sync(named, path), account=ACCOUNT):
            pass
        await run_process([sys.executable, "-c", LOOK, str(path)])
        assert await APath(path.with_name("ledger.db-wal")).exists()
        await ledger.claim(run, numbers("A"))
        await ledger.begin(intent(run, "A"))


async def told_by_backup(path: Path, backup: bytes) -> datetime | None:
    """Put a backup in the place of a ledger, and return when it was not told of a call."""
    await APath(path).write_bytes(backup)
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        return await ledger.unknown_sending()


@pytest.mark.parametrize("then", ["killed", "in doubt", "ended"])
async def test_a_backup_tells_of_a_call_that_it_does_not_know(path: Path, then: str) -> None:
    """An executor that was killed, or has given up, may have left one that is carried out yet."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B C")
    backup = await APath(path).read_bytes()
    async with open_sqlite(path, account=ACCOUNT) as ledger, ledger.own(run):
        call = await sent(ledger, run, "A B")
        assert await ledger.unknown_sending() is None
        if then != "killed":  # what is killed writes nothing down
            state = State.UNKNOWN if then == "in doubt" else State.PUSHED
            await ledger.record(call, ANSWER, "", outcomes("A B", state), at=later(1))
    async with open_sqlite(path, account="other") as ledger:
        assert await ledger.unknown_sending() is None
    told = None if then == "ended" else call.intent.began_at
    assert await told_by_backup(path, backup) == told


async def test_who_only_looks_at_a_run_takes_no_note_of_its_calls_away(path: Path) -> None:
    """So do `settle` and `retry` before they send, and a `resume` that is stopped as it waits."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B")
    backup = await APath(path).read_bytes()
    async with open_sqlite(path, account=ACCOUNT) as ledger, ledger.own(run):
        call = await sent(ledger, run, "A B")
    await APath(path).write_bytes(backup)
    for executes in (False, True):
        async with open_sqlite(path, account=ACCOUNT) as ledger, ledger.own(run, executes=executes):
            pass
        assert await told_by_backup(path, backup) == call.intent.began_at
    async with open_sqlite(path, account=ACCOUNT) as ledger, ledger.own(run):
        await pushed(ledger, run, "A B")
    assert [file async for file in APath(f"{path}-locks").glob("*.sent")] == []


async def test_a_ledger_that_is_put_back_under_its_executor_waits_for_its_calls(path: Path) -> None:
    """The executor ends by itself, and its call may be at work yet."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        run = await planned(ledger, "A B")
    backup = await APath(path).read_bytes()
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        with refused(LedgerLostError, "replaced"):
            async with ledger.own(run):
                call = await sent(ledger, run, "A")
                await APath(path).unlink()
                await to_thread.run_sync(without_new, path)
                await APath(path).write_bytes(backup)
                await ledger.claim(run, numbers("B"))
    assert await told_by_backup(path, backup) == call.intent.began_at


def copied_over(path: Path) -> Path:
    """Put a backup in the place of the file, as a tool for backups does; locks and all."""
    shutil.copytree(path.parent, kept := path.parent.with_name("kept"))
    shutil.rmtree(path.parent)
    shutil.copytree(kept, path.parent)
    return path


def copied_elsewhere(path: Path) -> Path:
    """Copy the file alone."""
    shutil.copy(path, copy := path.with_name("copy.db"))
    return copy


def led_elsewhere(path: Path) -> Path:
    """Have a link lead to a copy that it did not lead to before."""
    link = linked_file(path)
    link.unlink()
    link.symlink_to(copied_elsewhere(path))
    return link


@pytest.mark.parametrize("move", [copied_over, copied_elsewhere, led_elsewhere])
async def test_a_ledger_in_another_file_waits_once_for_calls_that_it_may_not_know(
    path: Path, move: Callable[[Path], Path]
) -> None:
    """It knows of none that have left since, and no folder beside it may tell of them."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        await pushed(ledger, await planned(ledger, "A"), "A")
        assert await ledger.moved_at(later(1)) is None
        assert await ledger.moved_at(later(2)) is None
    place = await to_thread.run_sync(move, path)
    for at in (3, 4):
        async with open_sqlite(place, account=ACCOUNT) as ledger:
            assert await ledger.moved_at(later(at)) == later(3)


async def test_a_ledger_waits_once_though_the_clock_was_ahead_as_it_was_moved(path: Path) -> None:
    """Each run would wait until the clock has come to that time again."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        assert await ledger.moved_at(later(1)) is None
    copied = await to_thread.run_sync(copied_elsewhere, path)
    async with open_sqlite(copied, account=ACCOUNT) as ledger:
        assert await ledger.moved_at(later(9_000_000)) == later(9_000_000)
        for at in (2, 3):
            assert await ledger.moved_at(later(at)) == later(2)


async def test_a_ledger_that_is_renamed_is_the_same_file(path: Path) -> None:
    """Nothing has left that it does not know."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        assert await ledger.moved_at(later(1)) is None
    renamed = await APath(path).rename(path.with_name("renamed.db"))
    async with open_sqlite(Path(renamed), account=ACCOUNT) as ledger:
        assert await ledger.moved_at(later(2)) is None


async def test_what_ledger_copy_has_made_waits_as_any_other_copy_does(path: Path) -> None:
    """It is how a backup is made, beside which the ledger goes on."""
    async with open_sqlite(path, account=ACCOUNT) as ledger:
        await pushed(ledger, await planned(ledger, "A"), "A")
    backup = path.with_name("backup.db")
    await migrate(backup, create=True)
    async with books_in_sqlite(path) as source, books_in_sqlite(backup, write=True) as target:
        await copy(source, target)
    for at in (3, 4):
        async with open_sqlite(backup, account=ACCOUNT) as ledger:
            assert await ledger.moved_at(later(at)) == later(3)
