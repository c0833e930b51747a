"""Archives of runs on disk: JSONL in gzip, bound by the digest in the last line.

The first line has the run, each line after it one thing that the ledger knew of it (`row`,
`repeat`, `attempt`, `note`, `command`), and the last the SHA-256 of all bytes before it, as they
are without gzip. Requests and answers are texts where they can be, or else in base64.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import re
import time
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import orjson

from k3push.adapters.private_files import fresh_part
from k3push.core.model import (
    Answered,
    Archive,
    Attempt,
    BillNumber,
    Exchange,
    Intent,
    NeverSent,
    NoAnswer,
    Repeat,
    Row,
    Run,
    RunId,
    State,
    Target,
    Uptime,
    id_in,
    number_in,
)
from k3push.ports import AttemptRecord, Commanded, Note
from k3push.ports.archives import Archives, Part

FORMAT = 1
SUFFIX = ".jsonl.gz"
_MARK = "k3push_archive"

LEFT_BEHIND_S = 24 * 3600.0

# No line of an archive is longer: an answer may have megabytes.
LONGEST_LINE_BYTES = 1 << 28

_KINDS = {
    Row: "row",
    Repeat: "repeat",
    AttemptRecord: "attempt",
    Note: "note",
    Commanded: "command",
}

# What a damaged or edited file makes its readers raise.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class ArchiveFileError(Exception):
    """A file is no archive that can be read.

    Attributes:
        why: `missing`, `unreadable`, `none`, `newer` or `edited`.
    """

    def __init__(self, path: Path, why: str, said: str = "") -> None:
        super().__init__(said)
        self.path = path
        self.why = why


class ArchiveFolder(Archives):
    """A folder of archives, which only its owner may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def write(self, run: Run, parts: AsyncIterator[Sequence[Part]]) -> Archive:
        """Write the archive of a run under a name that no other has."""
        writing = await anyio.to_thread.run_sync(_Writing.begun, self._folder, run)
        try:
            async for page in parts:
                await anyio.to_thread.run_sync(writing.add, page)
            # From here on to the end: a file without its folder's flush may be gone after a crash.
            with anyio.CancelScope(shield=True):
                archive = await anyio.to_thread.run_sync(writing.end)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(writing.close)
        return archive


class _Writing:
    """An archive that is being written; all of it blocks."""

    def __init__(self, folder: Path, run: Run) -> None:
        account = re.sub(r"[^0-9A-Za-z_-]", "_", run.account)
        self._path = folder / f"{account}.{run.id}{SUFFIX}"
        self._open = ExitStack()
        self._part = self._open.enter_context(fresh_part(self._path))
        self._raw = self._open.enter_context(self._part.open("wb"))
        # Without a time of its own, so that the same run makes the same file again.
        self._file = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0)
        self._digest = hashlib.sha256()
        self._put({_MARK: FORMAT, "run": run})

    @classmethod
    def begun(cls, folder: Path, run: Run) -> _Writing:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _clear_away(folder)
        return cls(folder, run)

    def add(self, page: Sequence[Part]) -> None:
        for part in page:
            self._put({_KINDS[type(part)]: part})

    def end(self) -> Archive:
        sha256 = self._digest.hexdigest()
        self._put({"sha256": sha256})
        self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        path = _free(self._path, sha256)
        self._part.replace(path)
        _flush_folder(path.parent)
        return Archive(path.name, sha256, datetime.now().astimezone())

    def close(self) -> None:
        self._file.close()
        self._open.close()

    def _put(self, value: object) -> None:
        line = orjson.dumps(value, default=_plain) + b"\n"
        self._digest.update(line)
        self._file.write(line)


def _clear_away(folder: Path) -> None:
    """Remove what was begun long ago, by who was killed: nobody writes for so long."""
    for part in folder.glob(f".*{SUFFIX}.*.part"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > LEFT_BEHIND_S:
                part.unlink()


def _free(path: Path, sha256: str) -> Path:
    """Return a name that is free, or that of an archive which holds the same."""
    stem, nth = path.name.removesuffix(SUFFIX), 1
    while path.exists():
        with suppress(ArchiveFileError):
            if _Reading(path).digest() == sha256:
                break
        nth += 1
        path = path.with_name(f"{stem}.{nth}{SUFFIX}")
    return path


def _flush_folder(folder: Path) -> None:
    """Let the names of a folder outlive a power loss; Windows does so by itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    return str(value)  # a command, in the words of `k3push control`


@dataclass(slots=True)
class Told:
    """What an archive tells of a number.

    Attributes:
        rows: Its rows of that number; none where it has none.
    """

    run: RunId
    rows: list[Row] = field(default_factory=list)
    attempts: list[AttemptRecord] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def archives_in(path: Path) -> list[Path]:
    """Return the archives of a folder, the oldest run first; of a file itself."""
    if not path.is_dir():
        return [path]
    return sorted(each for each in path.glob(f"*{SUFFIX}") if each.is_file())


def told_of(path: Path, account: str, number: BillNumber) -> Told | None:
    """Return what an archive tells of a number; None where it is another account's.

    It is read to its end, so that nothing is told of what was edited.

    Raises:
        ArchiveFileError: It is no archive, or not what was written.
    """
    reading = _Reading(path)
    values = reading.values()
    try:
        run = next(values)["run"]
        if run["scope"].partition("|")[0] != account:
            return None
        told, bills = Told(RunId(run["id"])), set[BillNumber]()
        for value in values:
            if row := value.get("row"):
                if _is_of(row, number):
                    told.rows.append(_row(row))
                    bills.add(told.rows[-1].key)
            elif attempt := value.get("attempt"):
                if bills.intersection(attempt["attempt"]["intent"]["numbers"]):
                    told.attempts.append(_attempt(attempt))
            elif (note := value.get("note")) and note["number"] in bills:
                told.notes.append(_note(note))
    except _UNREADABLE as error:
        raise ArchiveFileError(path, "edited") from error
    return told


class _Reading:
    """One reading of an archive, to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def digest(self) -> str:
        """Return the digest that binds it."""
        digest = hashlib.sha256()
        for line in self._lines():
            digest.update(line)
        return digest.hexdigest()

    def values(self) -> Iterator[Mapping[str, Any]]:
        """Yield what its lines hold; the last of them must be true."""
        for nth, line in enumerate(self._lines()):
            value = self._parsed(line)
            if nth == 0 and value.get(_MARK) != FORMAT:
                raise ArchiveFileError(self._path, "newer" if _MARK in value else "none")
            yield value

    def _lines(self) -> Iterator[bytes]:
        """Yield all lines but the last, which must be the digest of these."""
        digest, held = hashlib.sha256(), None
        try:
            with gzip.open(self._path, "rb") as file:
                while line := file.readline(LONGEST_LINE_BYTES):
                    if held is not None:
                        digest.update(held)
                        yield held
                    held = line
        except gzip.BadGzipFile as error:
            raise ArchiveFileError(self._path, "none") from error
        except (EOFError, zlib.error) as error:
            raise ArchiveFileError(self._path, "edited") from error
        except FileNotFoundError as error:
            raise ArchiveFileError(self._path, "missing") from error
        except OSError as error:
            raise ArchiveFileError(self._path, "unreadable", error.strerror or "") from error
        if held is None or self._parsed(held) != {"sha256": digest.hexdigest()}:
            raise ArchiveFileError(self._path, "edited")

    def _parsed(self, line: bytes) -> Mapping[str, Any]:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ArchiveFileError(self._path, "edited") from error
        if not isinstance(value, dict):
            raise ArchiveFileError(self._path, "edited")
        return value


def _is_of(row: Mapping[str, Any], number: BillNumber) -> bool:
    """Say whether a row is of a number, as `Ledger.rows_of` does."""
    bill = BillNumber(row["bill"])
    if id_ := id_in(number):
        return bill == number or (row["number"], row["listed_id"]) == (number_in(number), id_)
    return number in {row["number"], bill, number_in(bill)}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _bytes(value: str | Mapping[str, str]) -> bytes:
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def _row(said: Mapping[str, Any]) -> Row:
    return Row(
        **{
            **said,
            "state": State(said["state"]),
            "targets": tuple(Target(**target) for target in said["targets"]),
            "sent_at": _time(said["sent_at"]),
            "settled_at": _time(said["settled_at"]),
        }
    )


def _attempt(said: Mapping[str, Any]) -> AttemptRecord:
    intent = said["attempt"]["intent"]
    return AttemptRecord(
        Attempt(
            said["attempt"]["id"],
            Intent(
                **{
                    **intent,
                    "numbers": tuple(intent["numbers"]),
                    "before": {n: tuple(ids) for n, ids in intent["before"].items()},
                    "request": _bytes(intent["request"]),
                    "began_at": datetime.fromisoformat(intent["began_at"]),
                    "uptime": Uptime(**intent["uptime"]),
                }
            ),
        ),
        _exchange(said["exchange"]),
        said["verdict"],
        _time(said["ended_at"]),
    )


def _exchange(said: Mapping[str, Any] | None) -> Exchange | None:
    """Read an exchange: what was answered has a status, what may have arrived may be timed out."""
    if said is None:
        return None
    if "status" in said:
        return Answered(said["status"], _bytes(said["body"]))
    if "timed_out" in said:
        return NoAnswer(**said)
    return NeverSent(**said)


def _note(said: Mapping[str, Any]) -> Note:
    return Note(**{**said, "at": datetime.fromisoformat(said["at"])})
