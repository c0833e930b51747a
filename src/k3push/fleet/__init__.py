"""Runs of many tenants on many machines: the same use cases as jobs of Procrastinate.

What is to be done stands in tables of our own (`queue`, `sql/`). A job of Procrastinate only
carries it: a run that is open and due and has no job gets one. So a host that dies between any two
steps loses nothing. A job does what `k3push resume` does; `followup` says what follows from how it
ended; `worker` serves.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from k3push.fleet.enqueue import Enqueuer as Enqueuer
    from k3push.fleet.hand_over import FleetHandOver as FleetHandOver
    from k3push.fleet.isolation import isolation_sql as isolation_sql
    from k3push.fleet.queue import Queue as Queue
    from k3push.fleet.queue_opening import open_queue as open_queue
    from k3push.fleet.queue_place import needs_fleet as needs_fleet
    from k3push.fleet.queue_place import needs_shared_ledger as needs_shared_ledger
    from k3push.fleet.queue_place import queue_of as queue_of
    from k3push.fleet.status import left_of_others as left_of_others
    from k3push.fleet.status import samples as samples
    from k3push.fleet.status import standing as standing
    from k3push.fleet.tenant_folder import names_and_queue as names_and_queue
    from k3push.fleet.tenant_folder import one_queue_of as one_queue_of
    from k3push.fleet.tenant_folder import read_files as read_files
    from k3push.fleet.tenant_folder import read_folder as read_folder
    from k3push.fleet.work import FleetWork as FleetWork
    from k3push.fleet.worker import Worker as Worker

# What the command line begins and asks, each with its module.
_MODULES = {
    "Enqueuer": "enqueue",
    "FleetHandOver": "hand_over",
    "FleetWork": "work",
    "Queue": "queue",
    "Worker": "worker",
    "isolation_sql": "isolation",
    "left_of_others": "status",
    "names_and_queue": "tenant_folder",
    "needs_fleet": "queue_place",
    "needs_shared_ledger": "queue_place",
    "one_queue_of": "tenant_folder",
    "open_queue": "queue_opening",
    "queue_of": "queue_place",
    "read_files": "tenant_folder",
    "read_folder": "tenant_folder",
    "samples": "status",
    "standing": "status",
}


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: a command that asks little loads little.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
