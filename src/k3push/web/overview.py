"""The page of all tenants: the last run of each, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from k3push.core.model import Run
from k3push.ports import LedgerLostError
from k3push.web.live import Eye, RunView
from k3push.web.page_context import PageContext
from k3push.web.tenant_ledgers import Tenant


class Overview:
    """Answers what is asked of all tenants."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk

    async def tenants(self, request: Request) -> Response:
        """List the tenants, in the order of their names."""
        runs = await self._desk.books.runs_of_all()
        tenants = [
            (name, self._desk.base(tenant), *await self._last(tenant, runs[name]))
            for name, tenant in self._desk.books.tenants.items()
        ]
        frame = self._desk.frame(request)
        return self._desk.page(request, frame, "tenants.html", tenants=tenants)

    async def _last(
        self, tenant: Tenant, runs: Sequence[Run] | LedgerLostError
    ) -> tuple[RunView | None, str]:
        """Look at a tenant's last run; a ledger that cannot be read is one tenant's trouble."""
        try:
            if isinstance(runs, LedgerLostError):
                raise runs
            if not runs:
                return None, ""
            eye = Eye(await self._desk.books.of(tenant), tenant.window, self._desk.clock)
            return await eye.look(runs[-1]), ""
        except LedgerLostError as error:
            return None, str(error)
