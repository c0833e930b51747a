"""What a run would do with each number of a job: the words of a plan, and what they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from k3push.core.model import HELD, BillNumber, Outcome, Route, RunId, State, Target, key_of


class Forecast(StrEnum):
    """What a run would do with one number, as the ERP and the ledger stand now."""

    READY = "ready"
    """It would be pushed."""

    PARTLY = "partly"
    """A target is there, and the route, or a person, wants the rest of the source pushed."""

    ALREADY = "already"
    """A target is there; nothing would be sent."""

    BLOCKED = "blocked"
    """It would be rejected unsent, or another run has lost its answer."""


SENT_FATES = frozenset({Forecast.READY, Forecast.PARTLY})
"""Fates of numbers that would be sent."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One line of a job, and what would become of it.

    Attributes:
        line: Line in the job file, from 1.
        number: As the job file spells it; "" where it has an id alone.
        route: Name of the route.
        bill: As the ERP spells it; "" where it knows none, or more than one.
        fate: What would be done with the bill.
        first_line: The line that has named this bill before, or 0; then this one is a repeat.
        targets: Documents that are there.
        code: As in the row that it would have: why it is blocked, or what says that it is there.
        reason: The same in words; or that what is there is a draft.
        listed_id: The id that the job file has, or "".
        source_id: The id as the ERP told it, or "".
    """

    line: int
    number: BillNumber
    route: str
    bill: BillNumber
    fate: Forecast
    first_line: int = 0
    targets: tuple[Target, ...] = ()
    code: str = ""
    reason: str = ""
    listed_id: str = ""
    source_id: str = ""

    @property
    def listed(self) -> BillNumber:
        """What the job file calls the bill."""
        return key_of(self.number, self.listed_id)

    @property
    def key(self) -> BillNumber:
        """What the ledger knows the bill by."""
        return self.bill or self.listed

    def outcome(self, *, again: bool = False) -> Outcome | None:
        """Return what `apply` writes down without sending it, or None for what it sends.

        Args:
            again: Push what has a target, too.
        """
        if self.first_line or self.fate in SENT_FATES or (again and self.fate is Forecast.ALREADY):
            return None
        if self.code == HELD:
            # The other run may have ended since: as in any run, it is asked about first.
            return None
        if self.fate is Forecast.ALREADY:
            return Outcome(self.key, State.ALREADY, self.targets, self.code, self.reason)
        return Outcome(self.key, State.REJECTED, code=self.code, reason=self.reason)


@dataclass(slots=True)
class Totals:
    """What the lines of one route add up to.

    Attributes:
        fates: Numbers by fate.
        repeats: Lines that name a bill again.
        reasons: Why numbers are blocked.
        examples: The first number that is blocked for each reason, or its id.
    """

    fates: Counter[Forecast] = field(default_factory=Counter)
    repeats: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def to_send(self) -> int:
        """How many numbers would be sent."""
        return sum(self.fates[fate] for fate in SENT_FATES)

    def add(self, foreseen: Foreseen) -> None:
        """Count one line.

        >>> totals = Totals()
        >>> totals.add(Foreseen(2, BillNumber("A"), "r", BillNumber("A"), Forecast.READY))
        >>> totals.add(Foreseen(3, BillNumber("a"), "r", BillNumber("A"), Forecast.READY, 2))
        >>> totals.to_send, totals.repeats
        (1, 1)
        """
        if foreseen.first_line:
            self.repeats += 1
            return
        self.fates[foreseen.fate] += 1
        if foreseen.fate is Forecast.BLOCKED:
            self.reasons[foreseen.reason] += 1
            self.examples.setdefault(foreseen.reason, foreseen.number or foreseen.listed_id)


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """The run that applying a plan will be, for one route.

    Attributes:
        id: The plan gives it, so that a ledger takes one plan once.
    """

    id: RunId
    scope: str
    route: Route


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job file as it was planned.

    Attributes:
        name: As it was typed.
        path: The whole path; "" for a stream or a selection, which cannot be compared.
        sha256: Of its bytes, in hexadecimal.
    """

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PlanHead:
    """What a plan was made for. `apply` refuses it for anything else.

    Attributes:
        url: The ERP's address.
        acct_id: The account set.
        ledger: Where the ledger is, which knows whether the plan was applied.
        jobs: The job files.
        runs: One for each route.
    """

    created_at: datetime
    url: str
    acct_id: str
    ledger: str
    jobs: tuple[PlannedJob, ...]
    runs: tuple[PlannedRun, ...]


def differences(
    head: PlanHead, url: str, acct_id: str, ledger: str, routes: Mapping[str, Route]
) -> Iterator[str]:
    """Name the settings that are not what they were when a plan was made, with both values."""
    pairs: dict[str, tuple[object, object]] = {
        "erp.url": (head.url, url),
        "erp.acct_id": (head.acct_id, acct_id),
        "ledger.url": (head.ledger, ledger),
    }
    for planned in head.runs:
        name = planned.route.name
        if name not in routes:
            pairs[f"routes.{name}"] = (planned.route.target, None)
            continue
        now = _settings_of(routes[name])
        for key, value in _settings_of(planned.route).items():
            pairs[f"routes.{name}.{key}"] = (value, now[key])
    for key, (then, now_there) in pairs.items():
        if then != now_there:
            yield f"{key}: {then!r} → {now_there!r}"


def _settings_of(route: Route) -> dict[str, object]:
    """Return a route by the keys and values that stand in `[routes.NAME]`."""
    values = asdict(route)
    blocked = "send" if values.pop("send_blocked") else "skip"
    return values | {"blocked": blocked, "follow": [step.value for step in route.follow]}


def busy_seconds(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Return for how long at least one of *spans* was under way.

    >>> at = datetime.fromisoformat
    >>> busy_seconds([
    ...     (at("2026-11-25T20:00:00"), at("2026-11-25T20:00:02")),
    ...     (at("2026-11-25T20:00:01"), at("2026-11-25T20:00:03")),
    ...     (at("2026-11-25T21:00:00"), at("2026-11-25T21:00:01")),
    ... ])
    4.0
    """
    seconds = 0.0
    until: datetime | None = None
    for began_at, ended_at in sorted(spans):
        begin = began_at if until is None else max(began_at, until)
        seconds += max(0.0, (ended_at - begin).total_seconds())
        until = ended_at if until is None else max(until, ended_at)
    return seconds
