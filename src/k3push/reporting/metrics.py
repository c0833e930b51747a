"""What a collector of metrics wants to know of a ledger, as samples that any format can hold.

They tell of the last run of each route, and of numbers in doubt wherever they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from k3push.core.model import Run, State
from k3push.ports import Ledger

NUMBERS = "k3push_numbers"
ALIVE = "k3push_run_alive"
STARTED = "k3push_run_start_timestamp_seconds"
EXIT = "k3push_run_exit_code"
QUIET = "k3push_run_seconds_since_last_answer"
UNKNOWN = "k3push_unknown_numbers"
OLDEST = "k3push_oldest_unknown_age_seconds"

HELP: Mapping[str, str] = {
    NUMBERS: "Numbers of the last run of a route, by state.",
    ALIVE: "Whether a process executes the last run of a route: 1 or 0.",
    STARTED: "When the last run of a route began, in seconds since 1970.",
    EXIT: "Exit code of the last run of a route; absent while it is under way or was killed.",
    QUIET: "Seconds since the last call of a run under way was answered or given up.",
    UNKNOWN: "Numbers in doubt, in all runs of a route that are looked at.",
    OLDEST: "Seconds since the oldest call in doubt of a route began; absent without one.",
}

# In older runs nobody settles any more; the number of runs must not slow a collector down.
RUNS_LOOKED_AT = 200

# A run that ended so has no number in doubt.
_SETTLED = frozenset({0, 3})


@dataclass(frozen=True, slots=True)
class Sample:
    """One value.

    Attributes:
        name: One of `HELP`; all of them are gauges.
        labels: What it is of.
    """

    name: str
    labels: Mapping[str, str]
    value: float


async def samples_of(
    ledger: Ledger,
    runs: Sequence[Run],
    now: datetime,
    *,
    labels: Mapping[str, str] | None = None,
) -> list[Sample]:
    """Return the samples of a ledger, with a label `route` beside the given ones.

    Args:
        ledger: Where they come from; it is only read.
        runs: Those of its runs that count, the oldest first.
        now: For ages.
        labels: What the runs are of, such as a tenant.
    """
    by_route: dict[str, list[Run]] = {}
    for run in runs[-RUNS_LOOKED_AT:]:
        by_route.setdefault(run.route.name, []).append(run)
    samples = []
    for route, of_route in sorted(by_route.items()):
        known = {**(labels or {}), "route": route}
        samples += await _of_last(ledger, of_route[-1], now, known)
        samples += await _in_doubt(ledger, of_route, now, known)
    return samples


async def _of_last(
    ledger: Ledger, run: Run, now: datetime, labels: Mapping[str, str]
) -> list[Sample]:
    counts = await ledger.counts(run.id)
    alive = await ledger.is_alive(run.id)
    samples = [
        Sample(NUMBERS, {**labels, "state": state.value}, counts.get(state, 0)) for state in State
    ]
    samples.append(Sample(ALIVE, labels, float(alive)))
    samples.append(Sample(STARTED, labels, run.started_at.timestamp()))
    if run.exit is not None:
        samples.append(Sample(EXIT, labels, run.exit))
    if alive and (spans := await ledger.spans(run.id)):
        last = max(ended for _, ended in spans)
        samples.append(Sample(QUIET, labels, _age_s(last, now)))
    return samples


async def _in_doubt(
    ledger: Ledger, runs: Sequence[Run], now: datetime, labels: Mapping[str, str]
) -> list[Sample]:
    open_runs = [run for run in runs if run.exit not in _SETTLED]
    counts = [(run, (await ledger.counts(run.id)).get(State.UNKNOWN, 0)) for run in open_runs]
    samples = [Sample(UNKNOWN, labels, sum(count for _, count in counts))]
    oldest = [
        doubt.began_at for run, count in counts if count for doubt in await ledger.doubts(run.id)
    ]
    if oldest:
        samples.append(Sample(OLDEST, labels, _age_s(min(oldest), now)))
    return samples


def _age_s(since: datetime, now: datetime) -> float:
    """Return seconds since then; none are below 0, whoever has set a clock back."""
    return max(0.0, (now - since).total_seconds())
