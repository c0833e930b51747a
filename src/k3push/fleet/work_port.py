"""What a worker needs done for its tenants: a port, which `work.FleetWork` fulfils, or a test."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from k3push.config.tenants import Tenant
from k3push.core.model import RunId
from k3push.fleet.execution_terms import Terms
from k3push.fleet.queue import Queue
from k3push.runs.outcome import Ending
from k3push.runs.stop import Stop


class NotHereError(Exception):
    """The tenant cannot be served here any more, and perhaps elsewhere."""


class NotNowError(Exception):
    """What a schedule names could not be read, as the ERP is now; it is tried again later."""


class CannotBeginError(Exception):
    """A run cannot be executed as things are, and a person has to mend them."""


class Work(Protocol):
    """What a worker does for its tenants; the command line gives it."""

    async def tenants(self) -> Mapping[str, Tenant]:
        """Return the tenants to serve, as their files are now."""
        ...

    async def execute(self, tenant: Tenant, run: RunId, terms: Terms, stop: Stop) -> Ending:
        """Resume a run.

        Raises:
            CannotBeginError: A person has to mend something first.
            NotHereError: A secret is gone, or the file is being changed.
            RunIsAliveError: Another executes it.
            LedgerLostError: The ledger cannot be reached.
        """
        ...

    async def look(self, tenant: Tenant, schedule: str, queue: Queue, due: datetime | None) -> str:
        """Ask for runs of what is new for a schedule; return what is wrong, or "".

        Args:
            tenant: Whose.
            schedule: Its name.
            queue: Where to.
            due: When it was due: asked again for that, nothing is begun twice. None where an
                older worker has found it.

        Raises:
            NotNowError: The ERP is away.
            RunIsAliveError: Somebody else asks for the same.
            LedgerLostError: The ledger cannot be reached.
        """
        ...

    async def is_whole(self, tenant: Tenant, run: RunId) -> bool | None:
        """Say whether a run has all its numbers; None while somebody writes them down.

        Raises:
            SettingsError: A secret is gone.
            LedgerLostError: The ledger cannot be reached.
        """
        ...

    async def size_of(self, tenant: Tenant, run: RunId) -> int:
        """Return how many numbers a run has."""
        ...

    async def end_sessions(self, tenant: Tenant, worker: str) -> None:
        """End what a dead worker holds in a tenant's ledger; raises what `is_whole` does."""
        ...

    def tell(self, sentence: str, /, **facts: object) -> None:
        """Say what happens."""
        ...
