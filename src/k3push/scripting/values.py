"""What a program gives and gets, and how that is made of what k3push has within.

All words are English here, whoever reads them: programs compare them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from k3push.adapters.job_files.number_columns import flaw, internal_id, tidy
from k3push.core.model import BillNumber, Listed, State, Target
from k3push.core.plan import Forecast, Foreseen
from k3push.core.remark import remark
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, advice_of
from k3push.runs.outcome import Ending, Exit
from k3push.runs.problem import Problem
from k3push.words.language import speaker

SAY = speaker("en")


class K3pushError(Exception):
    """Nothing was sent: settings, bills or the run that was named cannot be used.

    What becomes of bills is no exception; see `Result`.
    """


@dataclass(frozen=True, slots=True)
class Bill:
    """A source bill, by its number, its internal id or both; an id may be a whole number."""

    number: str = ""
    id: str | int = ""


Bills = Iterable[str | Bill] | Path
"""Bill numbers, bills, or a job file of any kind that the command line reads."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one bill.

    Attributes:
        line: Its place in the list, from 1.
        targets: Documents that the ERP made of it, or that were there.
        code: The ERP's MsgCode, or a word of k3push.
        reason: Why, in English or in the ERP's own words.
        cure: What helps, where that is known.
        follow: How far its documents have come after the push; "" where nothing was asked for.
    """

    line: int
    number: str
    id: str
    state: State
    targets: tuple[Target, ...]
    code: str
    reason: str
    cure: str
    attempts: int
    sent_at: datetime | None
    settled_at: datetime | None
    follow: str
    follow_reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """How an execution ended.

    Attributes:
        run: The run's id, by which `rows`, `settle`, `resume` and `retry` find it; "" where the
            list had no bills.
        exit: As the command's exit code.
        counts: Bills by state; states without bills are absent.
        follow: Documents by how far they have come after the push.
        pushes: Sendings of the run so far.
        seconds: How long this execution took.
        causes: Why it stopped before its end, in English; empty where it did not.
    """

    run: str
    route: str
    exit: Exit
    counts: Mapping[State, int]
    follow: Mapping[str, int]
    pushes: int
    seconds: float
    causes: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether every bill is `pushed` or `already`, and every step is done."""
        return self.exit is Exit.DONE


@dataclass(frozen=True, slots=True)
class PlannedBill:
    """What would become of one bill.

    Attributes:
        fate: `ready`, `partly`, `already` or `blocked`.
        repeats: The line that has named this bill before, or 0.
    """

    line: int
    number: str
    id: str
    fate: Forecast
    targets: tuple[Target, ...]
    code: str
    reason: str
    repeats: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Attributes:
        bills: Each line of the list, in its order.
        counts: How many bills have which fate; repeats are counted once.
        calls: About how many calls would be made.
        seconds: About how long they would take; None where no run of the route was measured.
        seconds_least: The least that is expected.
        seconds_most: The most that is expected.
    """

    route: str
    bills: tuple[PlannedBill, ...]
    counts: Mapping[Forecast, int]
    calls: int
    seconds: float | None
    seconds_least: float | None = None
    seconds_most: float | None = None


def listed_of(bill: str | Bill, line: int) -> Listed:
    """Return a bill as it stands in a list.

    Raises:
        Problem: It is none, with its place.
    """
    wanted = bill if isinstance(bill, Bill) else Bill(bill)
    bill_id = str(wanted.id) if type(wanted.id) is int else wanted.id
    texts: tuple[object, ...] = (wanted.number, bill_id)
    for text in texts:
        if not isinstance(text, str):  # of a program that no type checker reads
            why = remark("job.not_a_number", value=repr(text))
            raise Problem(remark("api.bill", nth=line, why=why))
    number, id_ = tidy(wanted.number), internal_id(tidy(str(bill_id)))
    if id_ is None:
        why = remark("job.bad_id", value=bill_id)
        raise Problem(remark("api.bill", nth=line, why=why))
    if (number or not id_) and (wrong := flaw(number)):
        why = remark(f"job.{wrong.code}", **wrong.facts)
        raise Problem(remark("api.bill", nth=line, why=why))
    return Listed(line, BillNumber(number), id=id_)


def states_in(states: Collection[State | str]) -> list[State]:
    """Return states by their names.

    Raises:
        Problem: One has another name.
    """
    named = [states] if isinstance(states, str) else states  # else of its letters
    known = {state.value: state for state in State}
    if wrong := [each for each in named if each not in known]:
        raise Problem(remark("api.no_state", text=str(wrong[0]), known=", ".join(known)))
    return [known[each] for each in named]


def planned_of(seen: Foreseen) -> PlannedBill:
    """Return what was foreseen of a bill."""
    return PlannedBill(
        line=seen.line,
        number=seen.number or seen.bill,
        id=seen.source_id or seen.listed_id,
        fate=seen.fate,
        targets=seen.targets,
        code=seen.code,
        reason=SAY.said(seen.reason),
        repeats=seen.first_line,
    )


def row_of(found: FollowedRow) -> Row:
    """Return what the ledger knows of a bill."""
    row = found.row
    advice = advice_of(found)
    return Row(
        line=row.line,
        number=row.shown_number,
        id=row.shown_id,
        state=row.state,
        targets=row.targets,
        code=row.code,
        reason=SAY.said(row.reason),
        cure=SAY(advice.cure) if advice else "",
        attempts=row.attempts,
        sent_at=row.sent_at,
        settled_at=row.settled_at,
        follow=found.follow.value,
        follow_reason=SAY.said(found.why),
    )


def of_nothing(route: str) -> Result:
    """Say how the push of an empty list ended: well, and without a run."""
    return Result("", route, Exit.DONE, counts={}, follow={}, pushes=0, seconds=0.0)


def result_of(ending: Ending) -> Result:
    """Return how an execution ended."""
    return Result(
        run=ending.run.id,
        route=ending.run.route.name,
        exit=ending.exit,
        counts=dict(ending.counts),
        follow={each.value: n for each, n in ending.followed.counts.items() if each.value},
        pushes=ending.pushes,
        seconds=ending.seconds,
        causes={cause.value: SAY.said(why) for cause, why in ending.causes.items()},
    )
