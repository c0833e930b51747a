"""The page of all tenants: the last run of each, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from k3push.ports import Glance, LedgerLostError
from k3push.web.pages.live import Eye, RunView
from k3push.web.pages.page_context import PageContext
from k3push.web.pages.page_frame import whole
from k3push.web.tenant_ledgers import ServedTenant

TENANTS_A_PAGE = 50


class Overview:
    """Answers what is asked of all tenants."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk

    async def tenants(self, request: Request) -> Response:
        """List the tenants, a page of them in the order of their names."""
        first = whole(request.query_params.get("from", "0"))
        named = request.query_params.get("name", "").strip()
        seen = self._desk.tenants_of(request.state.visitor)
        every = [tenant for tenant in seen if named.casefold() in tenant.name.casefold()]
        shown = every[first : first + TENANTS_A_PAGE]
        runs = await self._desk.books.glances(shown, 1)
        tenants = [
            (each.name, self._desk.base(each), *await self._last(each, runs[each.name]))
            for each in shown
        ]
        after = first + TENANTS_A_PAGE
        frame = self._desk.frame(request)
        return self._desk.page(
            request,
            frame,
            "tenants.html",
            tenants=tenants,
            named=named,
            many=len(seen) > TENANTS_A_PAGE,
            next_page=after if after < len(every) else 0,
        )

    async def _last(
        self, tenant: ServedTenant, runs: Sequence[Glance] | LedgerLostError
    ) -> tuple[RunView | None, str]:
        """Look at a tenant's last run; a ledger that cannot be read is one tenant's trouble."""
        try:
            if isinstance(runs, LedgerLostError):
                raise runs
            if not runs:
                return None, ""
            eye = Eye(await self._desk.books.of(tenant), self._desk.clock)
            return await eye.look(runs[-1].run), ""
        except LedgerLostError as error:
            return None, str(error)
