"""Errors of the disk at chosen calls to the system, injected by strace."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.processes.victims import DONE, STOPPED, Victim

# What SQLite writes with. Of the shared memory only the file's making and growing are calls.
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "openat")
ERRORS = ("ENOSPC", "EIO")
SAID_BY_STRACE = re.compile(r"^(\d+) +(\w+)\(")


@dataclass(frozen=True)
class DiskError:
    """One way in which the disk fails.

    Attributes:
        call: The call that fails.
        error: With which error.
        nth: From which call of a thread on, from 1.
        once: Whether the disk is well again afterwards.
    """

    call: str
    error: str
    nth: int
    once: bool

    def __str__(self) -> str:
        return f"{self.call}-{self.error}-{self.nth}{'' if self.once else '+'}"


def strace(victim: Victim, *options: str) -> list[str]:
    """Return a wrapper that watches, or changes, what a command does to the ledger's files."""
    ledger = victim.desk.folder.resolve() / "ledger.db"
    files = [part for end in ("", "-wal", "-shm") for part in ("-P", f"{ledger}{end}")]
    log = str(victim.desk.folder / "strace.log")
    return ["strace", "-f", "-qq", "--seccomp-bpf", "-o", log, *files, *options]


def count_calls(victim: Victim) -> Counter[str]:
    """Bring a run to its end, and count the calls of the thread that makes most of each kind."""
    ran = victim.ending(victim.begin(strace(victim, "-e", f"trace={','.join(CALLS)}")))
    assert ran.exit in DONE, ran
    victim.check_ledger(ran)
    lines = (victim.desk.folder / "strace.log").read_text().splitlines()
    calls = Counter(match.groups() for line in lines if (match := SAID_BY_STRACE.match(line)))
    most: Counter[str] = Counter()
    for (_, call), count in calls.items():
        most[call] = max(most[call], count)
    return most


def all_errors(calls: Counter[str]) -> Iterator[DiskError]:
    """Name every error at every call: from then on, and at that call alone."""
    for call, count in calls.items():
        for error in ERRORS:
            for nth in range(1, count + 1):
                yield DiskError(call, error, nth, once=False)
                yield DiskError(call, error, nth, once=True)


def break_the_disk(victim: Victim, met: DiskError) -> bool:
    """Run with an error of the disk, then without; nothing is sent that the ledger does not know.

    Returns:
        Whether the error was met at all.
    """
    pushes_before = victim.pushes()
    when = f"when={met.nth}{'' if met.once else '+'}"
    injection = f"inject={met.call}:error={met.error}:{when}"
    options = ("-e", f"trace={met.call}", "-e", injection)
    ran = victim.ending(victim.begin(strace(victim, *options)))
    hit = "INJECTED" in (victim.desk.folder / "strace.log").read_text()
    assert ran.exit in STOPPED | DONE | {2}, (met, ran)
    assert "Traceback" not in ran.text, (met, ran)
    if ran.exit == 2:
        assert victim.pushes() == pushes_before, (met, ran)
    if ran.exit not in DONE:
        assert hit, (met, ran)
        assert "ledger.db" in ran.err, (met, ran)
        assert re.search(r"resume|writable|disk", ran.err), (met, ran)
    ran = victim.finish()
    # Every push that the ERP saw is an attempt that was written down before (rules 1 and 11).
    assert victim.pushes() - pushes_before <= ran.said["pushes"], (met, ran)
    return hit
