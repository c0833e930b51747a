"""The page of all tenants: the last run of each, and how it stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from k3push.ports import LedgerLostError
from k3push.reporting.page import with_code
from k3push.web import standing as show
from k3push.web.desk import Desk, Visit
from k3push.web.live import Eye
from k3push.web.pages import link, table
from k3push.web.runs import run_url
from k3push.web.tenants import Tenant


class Overview:
    """Answers what is asked of all tenants."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def tenants(self, request: Request) -> Response:
        """List the tenants, in the order of their names."""
        frame = self._desk.frame(request)
        say = frame.say
        rows = [await self._row(request, each) for each in self._desk.books.tenants.values()]
        names = ("tenant", "last_run", "how", "numbers")
        main = table([say(f"web.{name}") for name in names], rows, "runs")
        return self._desk.page(request, frame, say("web.tenants"), main)

    async def _row(self, request: Request, tenant: Tenant) -> list[str]:
        """Return a tenant's line; a ledger that cannot be read is one tenant's trouble."""
        desk = self._desk
        base = desk.base(tenant)
        frame = desk.frame(request)
        name = link(f"{base}/", tenant.name)
        try:
            ledger = await desk.books.of(tenant)
            visit = Visit(tenant, ledger, base, frame, request.state.visitor)
            runs = await desk.runs(visit)
            if not runs:
                return [name, "", "", ""]
            seen = await Eye(ledger, tenant.window, desk.clock).look(runs[0])
        except LedgerLostError as error:
            return [name, "", "", f'<span class="soft">{with_code(str(error))}</span>']
        return [
            name,
            link(run_url(base, seen.run), seen.run.id),
            show.badge(seen, frame.say),
            show.brief(seen, frame.say),
        ]
