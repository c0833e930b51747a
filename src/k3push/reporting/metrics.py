"""What a collector of metrics wants to know of a ledger, as samples that any format can hold.

They tell of the last run of each route, and of numbers in doubt wherever they are. Times are
told, not ages: an age stands still in a file that is written once a night.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from k3push.core.model import State
from k3push.core.pacing.holds import HoldCause
from k3push.ports import Glance, Ledger
from k3push.runs.find import is_under_way, living_beside
from k3push.runs.noted_waits import hold_of

NUMBERS = "k3push_numbers"
ALIVE = "k3push_run_alive"
HELD = "k3push_run_held"
STARTED = "k3push_run_start_timestamp_seconds"
EXIT = "k3push_run_exit_code"
ANSWERED = "k3push_run_last_answer_timestamp_seconds"
UNKNOWN = "k3push_unknown_numbers"
OLDEST = "k3push_oldest_unknown_timestamp_seconds"
LEDGER_UP = "k3push_ledger_up"
FLEET_WORKERS = "k3push_fleet_workers_alive"
FLEET_OLDEST_DUE = "k3push_fleet_oldest_due_timestamp_seconds"
FLEET_OLDEST_SHORT = "k3push_fleet_oldest_short_timestamp_seconds"
FLEET_OVERDUE = "k3push_fleet_schedules_overdue"
FLEET_PAUSED = "k3push_fleet_tenants_paused"
FLEET_FOR_PERSON = "k3push_fleet_runs_for_person"
FLEET_ASIDE = "k3push_fleet_files_aside"
FLEET_UNARCHIVED = "k3push_fleet_tenants_unarchived"

HELP: Mapping[str, str] = {
    NUMBERS: "Numbers of the last run of a route, by state.",
    ALIVE: "Whether a process executes the last run of a route, or comes to it after another run "
    "of the same command: 1 or 0.",
    HELD: "Whether a person has paused a run under way, or it waits for its window or for another "
    "run of its command: 1 or 0; absent when no process executes the run.",
    STARTED: "When the last run of a route began, in seconds since 1970.",
    EXIT: "Exit code of the last run of a route; absent until an execution of it has ended.",
    ANSWERED: "When the last call of a run under way was answered or given up, in seconds since "
    "1970; absent before the first, and when no process executes the run.",
    UNKNOWN: "Numbers in doubt, in all runs of a route that are looked at.",
    OLDEST: "When the oldest call in doubt of a route began, in seconds since 1970; absent "
    "without one.",
    LEDGER_UP: "Whether the ledger can be read: 1 or 0.",
    FLEET_WORKERS: "Workers of the fleet that have been heard of of late.",
    FLEET_OLDEST_DUE: "When the run or schedule was due that has waited longest for a worker, in "
    "seconds since 1970; absent where none waits.",
    FLEET_OLDEST_SHORT: "When the run of at most a hundred numbers was due that has waited longest "
    "for a worker, in seconds since 1970; absent where none waits, or all wait for their tenants.",
    FLEET_OVERDUE: "Schedules that nobody has looked after a minute after they should have begun.",
    FLEET_PAUSED: "Tenants of whom nothing begins.",
    FLEET_FOR_PERSON: "Runs of the fleet that wait for a person.",
    FLEET_ASIDE: "Job files that were put aside, since they ended their readers.",
    FLEET_UNARCHIVED: "Tenants whose old runs could not be archived the last time.",
}

# What nobody is to be woken for; an ERP that does not answer is none of it.
_MEANT = frozenset({HoldCause.CONTROL, HoldCause.WINDOW})

STATES = [(state, state.value) for state in State]

# In older runs nobody settles any more; the number of runs must not slow a collector down.
RUNS_LOOKED_AT = 200


class Sample(NamedTuple):
    """One value; a tuple, since of thousands of tenants there are tens of thousands.

    Attributes:
        name: One of `HELP`; all of them are gauges.
        labels: What it is of.
    """

    name: str
    labels: Mapping[str, str]
    value: float


async def samples_of(
    ledger: Ledger,
    runs: Sequence[Glance],
    now: datetime,
    *,
    labels: Mapping[str, str] | None = None,
) -> list[Sample]:
    """Return the samples of a ledger, with a label `route` beside the given ones.

    Args:
        runs: How its runs stand that count (`Ledger.glances`), the oldest first.
        now: The time of day.
        labels: What the runs are of, such as a tenant.
    """
    by_route: dict[str, list[Glance]] = {}
    for each in runs:
        by_route.setdefault(each.run.route.name, []).append(each)
    samples = []
    for route, of_route in sorted(by_route.items()):
        known = {**(labels or {}), "route": route}
        samples += await _of_last(ledger, of_route[-1], now, known)
        samples += await _in_doubt(ledger, of_route, known)
    return samples


def are_settled(runs: Sequence[Glance]) -> bool:
    """Say whether the samples of runs follow from how they stand, whatever their ledger has.

    None is under way or left behind, whose process may end or begin, and none has a number in
    doubt: so they are the same as long as the runs stand so.
    """
    return all(each.run.exit is not None and not each.counts.get(State.UNKNOWN) for each in runs)


async def _of_last(
    ledger: Ledger, last: Glance, now: datetime, labels: Mapping[str, str]
) -> list[Sample]:
    run, counts = last.run, last.counts
    alive = await is_under_way(ledger, run)
    samples = [
        Sample(NUMBERS, {**labels, "state": name}, counts.get(state, 0)) for state, name in STATES
    ]
    # One that waits for another run of its command is neither dead nor without answers.
    waits = not alive and run.exit is None and await living_beside(ledger, run) is not None
    samples.append(Sample(ALIVE, labels, float(alive or waits)))
    samples.append(Sample(STARTED, labels, run.started_at.timestamp()))
    if run.exit is not None:
        samples.append(Sample(EXIT, labels, run.exit))
    if waits:
        samples.append(Sample(HELD, labels, 1))
    if not alive:
        return samples
    hold = await hold_of(ledger, run.id, now)
    held = hold is not None and hold.cause in _MEANT
    samples.append(Sample(HELD, labels, float(held)))
    if spans := await ledger.spans(run.id):
        answered = max(ended for _, ended in spans)
        samples.append(Sample(ANSWERED, labels, answered.timestamp()))
    return samples


async def _in_doubt(
    ledger: Ledger, runs: Sequence[Glance], labels: Mapping[str, str]
) -> list[Sample]:
    counts = [
        (each.run.id, each.counts.get(State.UNKNOWN, 0)) for each in runs if not each.run.is_settled
    ]
    samples = [Sample(UNKNOWN, labels, sum(count for _, count in counts))]
    oldest = [
        doubt.began_at for run, count in counts if count for doubt in await ledger.doubts(run)
    ]
    if oldest:
        samples.append(Sample(OLDEST, labels, min(oldest).timestamp()))
    return samples
