"""A plan on disk: JSONL, written and read as a stream, bound by the digest in its last line.

The first line says what the plan was made for, each line after it tells of one line of the
job, the last but one sums up, and the last holds the SHA-256 of all bytes before it. No
secret is in it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import TypeAdapter

from k3push.adapters.job_files.jsonl import PLAN_MARK
from k3push.adapters.job_files.number_columns import flaw, internal_id
from k3push.adapters.output_files import named
from k3push.adapters.private_files import fresh_part, opened_for_owner, put_in_place
from k3push.core.foreign_text import flaw_of
from k3push.core.model import Target, id_in
from k3push.core.plan import SENT_FATES, Forecast, Foreseen, PlanHead

FORMAT = 1

# No line of a plan is longer; a file of another kind may be one line of gigabytes.
LONGEST_LINE_BYTES = 1 << 24


# No list has more lines, and every ledger can count them.
MOST_LINES = (1 << 53) - 1

# The plan gives a run its name, which is part of its folder's.
_RUN_ID = re.compile(r"[0-9A-Za-z-]{1,40}")

_HEAD = TypeAdapter(PlanHead)
_LINE = TypeAdapter(Foreseen)
_COUNTS = TypeAdapter(dict[str, int])


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
        sha256: What binds it, and tells it from another plan that takes its name.
    """

    head: PlanHead
    lines: Mapping[str, int]
    to_send: Mapping[str, int]
    already: Mapping[str, int]
    sha256: str


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
        self._put({PLAN_MARK: FORMAT, "made_for": head})

    def add(self, lines: Iterable[Foreseen]) -> None:
        """Write lines of the job."""
        for one in lines:
            self._put(one)
            self._lines[one.route] += 1
            if one.first_line:
                continue
            if one.fate is Forecast.ALREADY:
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
    place = named(path).path
    with fresh_part(place) as part:
        with opened_for_owner(part) as file:
            writer = PlanWriter(file)
            yield writer
        if writer.sha256:
            put_in_place(part, place)


def is_plan(path: Path) -> bool:
    """Say whether a file begins as a plan, of whatever format; raises `OSError`."""
    with path.open("rb") as file:
        try:
            return PLAN_MARK in _parsed(file.readline(LONGEST_LINE_BYTES))
        except PlanFileError:
            return False


def read_plan(path: Path) -> Plan:
    """Read a plan to its end; raises `PlanFileError` unless it is whole and was not edited."""
    reading = _Reading(path)
    values = reading.values()
    first = next(values)
    last: dict[str, Any] = {}
    count = -1
    for last in values:  # noqa: B007  # the last is wanted, and all must be read
        count += 1
    with _as_edited():
        head = _head(first["made_for"])
        lines, to_send, already = (
            _COUNTS.validate_python(last[key]) for key in ("lines", "to_send", "already")
        )
        # A line of a route that has no run would go unseen.
        if not set(lines) <= {run.route.name for run in head.runs} or sum(lines.values()) != count:
            raise ValueError("the sums are not those of the lines")
        return Plan(head, lines, to_send, already, reading.sha256)


def lines_of(path: Path, route: str = "", *, sha256: str = "") -> Iterator[Foreseen]:
    """Yield the lines of one route of a plan, or of all, in the order of the job.

    Args:
        sha256: `Plan.sha256`, where it must be the plan that was read before.

    Raises:
        PlanFileError: At the end, if the file is not what it was when it was made, or read.
    """
    reading = _Reading(path, sha256)
    values = reading.values()
    next(values)
    for value in values:
        if "route" in value and value["route"] == (route or value["route"]):
            yield _foreseen(value)


def names_bill(path: Path, words: str) -> bool:
    """Say whether a bill of a plan is called so in part, or has that id; not whether it is whole.

    Raises:
        OSError: It cannot be read.
        PlanFileError: A line is none of a plan.
    """
    wanted = words.casefold()
    written = orjson.dumps(words).decode()[1:-1].casefold()
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE_BYTES):
            # Few lines are worth parsing.
            if written in line.decode("utf-8", "replace").casefold():
                value = _parsed(line)
                names = (str(value.get(key, "")) for key in ("number", "bill"))
                ids = (value.get(key) for key in ("listed_id", "source_id"))
                if words in ids or any(wanted in name.casefold() for name in names):
                    return True
    return False


def see_same(path: Path, sha256: str) -> None:
    """Raise `PlanFileError` unless a file still is the plan that was read before."""
    for _ in _Reading(path, sha256).values():
        pass


def sha256_of(path: Path) -> str:
    """Return the digest of a file's bytes, in hexadecimal; raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(slots=True)
class _Reading:
    """One reading of a plan, to its end.

    Attributes:
        bound: What its digest must be; "" for whatever its last line says.
        sha256: Its digest, once it is read.
    """

    path: Path
    bound: str = ""
    sha256: str = ""

    def values(self) -> Iterator[dict[str, Any]]:
        """Yield what all lines but the last hold, and then see that the digest is theirs."""
        digest = hashlib.sha256()
        held: bytes | None = None
        try:
            with self.path.open("rb") as file:
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
        self.sha256 = digest.hexdigest()
        if _parsed(held) != {"sha256": self.sha256} or (self.bound or self.sha256) != self.sha256:
            raise PlanFileError("edited")


def _check_first(line: bytes) -> None:
    try:
        value = _parsed(line)
    except PlanFileError:
        value = {}
    if PLAN_MARK not in value:
        raise PlanFileError("no plan")
    if value[PLAN_MARK] != FORMAT:
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
    head = _HEAD.validate_python(value)
    ids = [run.id for run in head.runs]
    names = [run.route.name for run in head.runs]
    texts = [text for job in head.jobs for text in (job.name, job.path)]
    if not head.jobs or any(map(flaw_of, texts)) or not all(map(_RUN_ID.fullmatch, ids)):
        raise ValueError("no plan is written so")
    if len(set(ids)) < len(ids) or len(set(names)) < len(names):
        raise ValueError("two runs of one name")
    return head


def _foreseen(value: dict[str, Any]) -> Foreseen:
    with _as_edited():
        foreseen = _LINE.validate_python(value)
        by_id = not foreseen.number and foreseen.listed_id
        bill, id_ = foreseen.bill, foreseen.source_id
        # The ERP's spelling may be one that no list can hold, where a list has the id.
        is_told = id_in(bill) == id_ != "" or (foreseen.listed_id and not id_in(bill))
        if (flaw(foreseen.number) and not by_id) or (bill and flaw(bill) and not is_told):
            raise ValueError("a number that no list can hold")
        if any(internal_id(id_) != id_ for id_ in (foreseen.listed_id, foreseen.source_id)):
            raise ValueError("an id that no bill has")
        if (
            max(foreseen.line, foreseen.first_line) > MOST_LINES
            or min(foreseen.line, foreseen.first_line) < 0
        ):
            raise ValueError("a line that no list has")
        return foreseen
