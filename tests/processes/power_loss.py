"""What a disk may hold after a power loss, rebuilt from what strace saw of a run.

A write is on disk for certain once its file was flushed after it. Of the writes since then a
disk may hold any, in any order, and any sectors of one.
"""

from __future__ import annotations

import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.cli.terminal import until
from tests.processes.victims import PATIENCE_S, Victim

SECTOR = 512
TRACED = "trace=pwrite64,ftruncate,fsync,fdatasync,sendto,unlink"
BEGUN = re.compile(r"^(\d+) +(\w+)\((?:\d+<([^>]*)>|\"([^\"]*)\")(.*)")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>")
LAST_FIGURE = re.compile(r".*, (\d+)(?:\)| <unfinished)")
DATA = re.compile(r', "([^"]*)"')

Write = tuple[int, bytes]
"""Where, and what; with nothing to write, the file's new length."""


@dataclass
class Disk:
    """Files as they are on disk for certain, and the writes that are not, by end of their name."""

    flushed: dict[str, bytes] = field(default_factory=dict)
    waiting: dict[str, list[Write]] = field(default_factory=dict)

    def write(self, file: str, write: Write) -> None:
        """Take a write that may be lost."""
        self.waiting.setdefault(file, []).append(write)

    def flush(self, file: str) -> None:
        """Make certain what was written to a file."""
        self.flushed[file] = _written(self.flushed.get(file, b""), self.waiting.pop(file, []))

    def unlink(self, file: str) -> None:
        """Take a file away."""
        self.flushed.pop(file, None)
        self.waiting.pop(file, None)

    def copy(self) -> Disk:
        """Return the disk as it is now."""
        waiting = {file: list(writes) for file, writes in self.waiting.items()}
        return Disk(dict(self.flushed), waiting)

    def lay_out(self, folder: Path, chance: random.Random) -> None:
        """Write what the ledger's files may be: all that was flushed, and some torn rest."""
        for path in folder.glob("ledger.db*"):
            if path.is_file():
                path.unlink()
        for file in self.flushed.keys() | self.waiting.keys():
            rest = [part for write in self.waiting.get(file, ()) for part in _sectors(write)]
            kept = [part for part in rest if chance.random() < 0.5]
            chance.shuffle(kept)
            content = _written(self.flushed.get(file, b""), kept)
            # Its index of the log is rebuilt by whoever comes first, whatever it holds.
            if file == "-shm":
                content = chance.randbytes(len(content))
            (folder / f"ledger.db{file}").write_bytes(content)


@dataclass(frozen=True)
class Push:
    """A push request, and the disk before its first byte left."""

    numbers: tuple[str, ...]
    disk: Disk


@dataclass
class Seen:
    """What strace saw: the pushes that left, and the disk at the end."""

    pushes: list[Push] = field(default_factory=list)
    disk: Disk = field(default_factory=Disk)


def lose_power(victim: Victim, seed: int) -> int:
    """Kill a run, and go on with what a disk may have kept of its ledger.

    Before the first byte of every push left, its attempt was on disk (rule 1).

    Returns:
        How many pushes had left.
    """
    chance = random.Random(seed)  # noqa: S311  # no secret
    log = victim.desk.folder / "strace.log"
    before = victim.pushes()
    options = ("-D", "-f", "-q", "-y", "-xx", "-s", "1000000", "--seccomp-bpf")
    process = victim.begin(["strace", *options, "-o", str(log), "-e", TRACED])
    until(lambda: victim.pushes() > before or process.poll() is not None, PATIENCE_S)
    time.sleep(chance.uniform(0, 0.8))
    process.kill()
    ended = victim.ending(process)
    until(lambda: log.read_text().rstrip().endswith("+++"), PATIENCE_S)
    seen = read_log(log, victim.desk.folder.resolve() / "ledger.db")
    apart = victim.desk.folder / "apart"
    apart.mkdir()
    for count, push in enumerate(seen.pushes, start=1):
        push.disk.lay_out(apart, chance)
        sent = Counter(each.numbers for each in seen.pushes[:count])
        assert sent <= attempts_in(apart / "ledger.db"), push.numbers
    if ended.exit < 0:
        seen.disk.lay_out(victim.desk.folder, chance)
    ran = victim.finish()
    assert ran.said["pushes"] >= len(seen.pushes)
    return len(seen.pushes)


def attempts_in(path: Path) -> Counter[tuple[str, ...]]:
    """Open a ledger after a power loss, see that it is sound, and return what it tried to send."""
    with closing(sqlite3.connect(path)) as ledger:
        assert ledger.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        told = ledger.execute("SELECT numbers FROM attempts").fetchall()
    return Counter(tuple(orjson.loads(numbers)) for (numbers,) in told)


def read_log(log: Path, ledger: Path) -> Seen:
    """Read what a run did, whose ledger is written by one thread at a time."""
    seen = Seen()
    leaving: dict[str, Disk] = {}
    named = False
    for call, name, rest, ended in _calls(log.read_text("ascii")):
        file = name.removeprefix(str(ledger))
        found = DATA.match(rest)
        data = _bytes(found[1]) if found else b""
        if call == "sendto" and not ended:
            if b"DynamicFormService.Push." in data:
                assert named, "the names of the new files were not flushed"
                leaving[name] = seen.disk.copy()
            if name in leaving and b'"Numbers":' in data:
                seen.pushes.append(Push(_numbers(data), leaving.pop(name)))
        elif call in {"fsync", "fdatasync"} and ended:
            named = named or name == str(ledger.parent)
            if file != name:
                seen.disk.flush(file)
        elif file != name and not ended and call == "unlink":
            seen.disk.unlink(file)
        elif file != name and not ended and (figure := LAST_FIGURE.match(rest)):
            seen.disk.write(file, (int(figure[1]), data))
    return seen


def _calls(log: str) -> Iterator[tuple[str, str, str, bool]]:
    """Give the beginnings and the ends of calls: name, file, other arguments, whether it ends."""
    open_calls: dict[str, tuple[str, str]] = {}
    for line in log.splitlines():
        if begun := BEGUN.match(line):
            thread, call, file, path, rest = begun.groups()
            name = _bytes(file or path).decode()
            yield call, name, rest, False
            open_calls[thread] = call, name
            if not rest.endswith("<unfinished ...>"):
                yield call, name, "", True
        elif resumed := RESUMED.match(line):
            call, name = open_calls.pop(resumed[1])
            yield call, name, "", True


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _numbers(body: bytes) -> tuple[str, ...]:
    """Read the numbers of a push: its data is JSON in a string of JSON."""
    found = re.search(rb'"Numbers":(\[[^]]*\])', body.replace(b"\\", b""))
    assert found, body
    return tuple(orjson.loads(found[1]))


def _sectors(write: Write) -> Iterator[Write]:
    at, data = write
    if not data:
        yield write
    while data:
        size = SECTOR - at % SECTOR
        yield at, data[:size]
        at, data = at + size, data[size:]


def _written(content: bytes, writes: Sequence[Write]) -> bytes:
    file = bytearray(content)
    for at, data in writes:
        if not data:
            del file[at:]
        file.extend(bytes(max(0, at + len(data) - len(file))))
        file[at : at + len(data)] = data
    return bytes(file)
