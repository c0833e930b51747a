"""What the ERP makes after the window of its call, and what may be wrong for that.

Nobody can hold it back, as README's limits say: the number may have been sent again by then. A
row need not tell of it, save where it came before the end of the execution that sent it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from k3push.core.model import TWIN, Row, RunId
from k3push.runs.stop import Cause
from k3push.simulator import Policy
from k3push.simulator.books.bills import Bill
from tests.campaign.conditions import LacksLinks
from tests.campaign.scene import Execution, Scene
from tests.runs.office import NOON

# An execution that ends for one of these has not looked once more.
_BLIND_ENDS = frozenset(
    {
        Cause.LEDGER_LOST,
        Cause.LOGIN_REFUSED,
        Cause.LOOK_FAILED,
        Cause.LOOK_REFUSED,
        Cause.UNREACHABLE,
    }
)
# The looks at the end of an execution take so many calls, and a while.
LAST_CALLS, LAST_S = 20, 60.0


def late_targets(scene: Scene, numbers: Collection[str]) -> dict[str, dict[int, float]]:
    """Return, by number and id, the targets that came too late, and when each was kept.

    Args:
        scene: Where it was played.
        numbers: The bills.
    """
    late: dict[str, dict[int, float]] = {}
    for number in numbers:
        for making in scene.world.makings_of(number):
            seen = scene.witness.push_of(making)
            if seen is not None and seen.takes_s >= scene.times.longest_call_s:
                made_s = worked_out_s(making.target, scene.story.away)
                kept_s = made_s + seen.fault.commit_delay_s
                late.setdefault(number, {})[making.target.id] = kept_s
    return late


def check_noticed(
    scene: Scene, rows: Mapping[RunId, Mapping[str, Row]], late: Mapping[str, Mapping[int, float]]
) -> Iterator[str]:
    """Find second documents that came in time for the last look, and of which no row tells."""
    # A merged line bears one bill's number, and no link tells of the others.
    untold = scene.story.frame.policy is Policy.MERGE_LINES and scene.story.has(LacksLinks)
    if scene.story.is_dim or untold:
        return
    for run, each in rows.items():
        for row in each.values():
            makings = scene.world.makings_of(row.bill)
            unnamed = late.get(row.bill, {}).keys() - {int(target.id) for target in row.targets}
            if scene.repeats:
                unnamed -= {m.target.id for m in makings if scene.run_of(m) != run}
            if row.code == TWIN or not unnamed:
                continue
            pushes = {m.push for m in makings if m.target.living}
            execution = _last_sender(scene, run, row.bill)
            if len(pushes) < 2 or execution is None:  # one document is no twin
                continue
            last_s = LAST_S + LAST_CALLS * scene.story.frame.latency_s
            if min(late[row.bill][target] for target in unnamed) < execution.ended_s - last_s:
                yield f"{row.number}: a second document came in time, and its row is silent"


def _last_sender(scene: Scene, run: RunId, number: str) -> Execution | None:
    """Return the execution that sent a number again and last, if it has looked at its end."""
    began = [
        kept.attempt.intent.uptime.seconds
        for kept in scene.attempts
        if kept.attempt.intent.run == run and number in kept.attempt.intent.numbers
    ]
    if len(began) < 2:
        return None
    mine = [each for each in scene.executions if each.run == run]
    there = [each for each in mine if each.began_s <= began[-1] <= each.ended_s]
    looked = len(there) == 1 and not _BLIND_ENDS.intersection(there[0].causes)
    return there[0] if looked else None


def worked_out_s(bill: Bill, away: timedelta) -> float:
    """Return the second of the story when a target was worked out: its date has whole ones."""
    created = datetime.fromisoformat(bill.created).replace(tzinfo=NOON.tzinfo) - away
    return (created - NOON).total_seconds() + 1
