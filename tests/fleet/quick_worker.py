"""`k3push worker`, quicker: what it waits for passes in a second, and readers have little memory.

A story of workers that die need not last as long as a night in which somebody is to notice it.
"""

from __future__ import annotations

from functools import partial

from k3push.__main__ import main
from k3push.adapters.job_files.reader_pool import ReadersApart
from k3push.cli.actions import run_worker
from k3push.fleet import due_schedules, enqueue, left_behind, worker
from k3push.fleet.heartbeat import Rhythm
from k3push.fleet.work import FleetWork

LITTLE = 160 << 20
QUICK = Rhythm(poll=0.1, tick=0.2, gone=1.5, silence=8.0)
WAITS_S = {"DATABASE_WAIT_S": 0.5, "LEDGER_WAIT_S": 0.5}


def hurry() -> None:
    """Shorten what workers of this process wait for."""
    vars(run_worker).update(
        Worker=partial(worker.Worker, rhythm=QUICK),
        FleetWork=partial(FleetWork, readers=ReadersApart(memory=LITTLE)),
    )
    vars(worker).update(WAITS_S)
    vars(enqueue).update(LISTING_PATIENCE_S=1.0)
    vars(left_behind).update(LISTING_PATIENCE_S=1.0, HALF_LISTED_S=3.0)
    vars(due_schedules).update(_AGAIN_S=0.5)


if __name__ == "__main__":
    hurry()
    main()
