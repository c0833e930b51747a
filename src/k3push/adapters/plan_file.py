"""A plan on disk: JSONL, written and read as a stream, bound by the digest in its last line.

The first line says what the plan was made for, each line after it tells of one line of the
job, the last but one sums up, and the last holds the SHA-256 of all bytes before it. No
secret is in it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import orjson

from k3push.core.model import Route, RunId, Target
from k3push.core.plan import SENT_FATES, Fate, Foreseen, PlanHead, PlannedJob, PlannedRun
from k3push.reporting.tables import opened_for_owner

FORMAT = 1
_MARK = "k3push_plan"

# No line of a plan is longer; a file of another kind may be one line of gigabytes.
LONGEST_LINE_BYTES = 1 << 24


class PlanFileError(Exception):
    """A file cannot be applied.

    Attributes:
        why: `unreadable`, `no plan`, `newer` or `edited`.
    """

    def __init__(self, why: str, said: str = "") -> None:
        super().__init__(said)
        self.why = why


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that was read, and is whole.

    Attributes:
        head: What it was made for.
        lines: How many lines of the job each route has, by the route's name.
        to_send: How many numbers of each would be sent.
        already: How many of each have a target.
    """

    head: PlanHead
    lines: Mapping[str, int]
    to_send: Mapping[str, int]
    already: Mapping[str, int]


@dataclass(slots=True)
class PlanWriter:
    """Takes the lines of a plan; made by `plan_written`.

    Attributes:
        sha256: What binds the plan, once it is ended.
    """

    _file: IO[str]
    sha256: str = ""
    _digest: Any = field(default_factory=hashlib.sha256)
    _numbers: Any = field(default_factory=hashlib.sha256)
    _lines: Counter[str] = field(default_factory=Counter)
    _to_send: Counter[str] = field(default_factory=Counter)
    _already: Counter[str] = field(default_factory=Counter)

    def begin(self, head: PlanHead) -> None:
        """Write what the plan is made for."""
        self._put({_MARK: FORMAT, "made_for": head})

    def add(self, lines: Iterable[Foreseen]) -> None:
        """Write lines of the job."""
        for one in lines:
            self._put(one)
            self._lines[one.route] += 1
            if one.first_line:
                continue
            if one.fate is Fate.ALREADY:
                self._already[one.route] += 1
            if one.fate in SENT_FATES:
                self._to_send[one.route] += 1
                self._numbers.update(f"{one.route} {one.bill}\n".encode())

    def end(self) -> None:
        """Write what it adds up to, and the digest that binds it."""
        self._put(
            {
                "lines": self._lines,
                "to_send": self._to_send,
                "already": self._already,
                "numbers_sha256": self._numbers.hexdigest(),
            }
        )
        self.sha256 = self._digest.hexdigest()
        self._put({"sha256": self.sha256})

    def _put(self, value: object) -> None:
        line = orjson.dumps(value, default=Target._asdict) + b"\n"
        self._digest.update(line)
        self._file.write(line.decode())


@contextmanager
def plan_written(path: Path) -> Iterator[PlanWriter]:
    """Write a plan that only its owner may read; it takes its name if it was ended.

    Otherwise an earlier plan of that name stays.

    Raises:
        OSError: It cannot be written there.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with opened_for_owner(part) as file:
            writer = PlanWriter(file)
            yield writer
        if writer.sha256:
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_plan(path: Path) -> Plan:
    """Read a plan to its end, and see that it is whole and was not edited.

    Raises:
        PlanFileError: It is not.
    """
    values = _values(path)
    first = next(values)
    last: dict[str, Any] = {}
    for last in values:  # noqa: B007  # the last is wanted, and all must be read
        pass
    with _as_edited():
        return Plan(_head(first["made_for"]), last["lines"], last["to_send"], last["already"])


def lines_of(path: Path, route: str) -> Iterator[Foreseen]:
    """Yield the lines of one route of a plan, in the order of the job.

    Raises:
        PlanFileError: At the end, if the file is not what it was when it was made.
    """
    values = _values(path)
    next(values)
    for value in values:
        if value.get("route") == route:
            yield _foreseen(value)


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes, in hexadecimal.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _values(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what all lines but the last hold, and then see that the digest is theirs."""
    digest = hashlib.sha256()
    held: bytes | None = None
    try:
        with path.open("rb") as file:
            while line := file.readline(LONGEST_LINE_BYTES):
                if held is None:
                    _check_first(line)
                else:
                    digest.update(held)
                    yield _parsed(held)
                held = line
    except OSError as error:
        raise PlanFileError("unreadable", error.strerror or "") from error
    if held is None:
        raise PlanFileError("no plan")
    if _parsed(held) != {"sha256": digest.hexdigest()}:
        raise PlanFileError("edited")


def _check_first(line: bytes) -> None:
    try:
        value = _parsed(line)
    except PlanFileError:
        value = {}
    if _MARK not in value:
        raise PlanFileError("no plan")
    if value[_MARK] != FORMAT:
        raise PlanFileError("newer")


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise PlanFileError("edited") from error
    if not isinstance(value, dict):
        raise PlanFileError("edited")
    return value


@contextmanager
def _as_edited() -> Iterator[None]:
    """Say of values that this version does not write that they were edited."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise PlanFileError("edited") from error


def _head(value: dict[str, Any]) -> PlanHead:
    return PlanHead(
        created_at=datetime.fromisoformat(value["created_at"]),
        url=value["url"],
        acct_id=value["acct_id"],
        ledger=value["ledger"],
        jobs=tuple(PlannedJob(**job) for job in value["jobs"]),
        runs=tuple(
            PlannedRun(RunId(run["id"]), run["scope"], Route(**run["route"]))
            for run in value["runs"]
        ),
    )


def _foreseen(value: dict[str, Any]) -> Foreseen:
    with _as_edited():
        kept = value | {
            "fate": Fate(value["fate"]),
            "targets": tuple(Target(**target) for target in value["targets"]),
        }
        return Foreseen(**kept)
