"""The page of all tenants: the last run of each, and how it stands."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from k3push.core.model import Run
from k3push.ports import LedgerLostError
from k3push.reporting.page import with_code
from k3push.reporting.timeline import Say
from k3push.web import standing as show
from k3push.web.desk import Desk
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
        runs = await self._desk.books.runs_of_all()
        rows = [
            await self._row(tenant, runs[name], say)
            for name, tenant in self._desk.books.tenants.items()
        ]
        names = ("tenant", "last_run", "how", "numbers")
        main = table([say(f"web.{name}") for name in names], rows, "runs")
        return self._desk.page(request, frame, say("web.tenants"), main)

    async def _row(
        self, tenant: Tenant, runs: Sequence[Run] | LedgerLostError, say: Say
    ) -> list[str]:
        """Return a tenant's line; a ledger that cannot be read is one tenant's trouble."""
        desk = self._desk
        base = desk.base(tenant)
        name = link(f"{base}/", tenant.name)
        try:
            if isinstance(runs, LedgerLostError):
                raise runs
            if not runs:
                return [name, "", "", ""]
            eye = Eye(await desk.books.of(tenant), tenant.window, desk.clock)
            seen = await eye.look(runs[-1])
        except LedgerLostError as error:
            return [name, "", "", f'<span class="soft">{with_code(str(error))}</span>']
        return [
            name,
            link(run_url(base, seen.run), seen.run.id),
            show.badge(seen, say),
            show.brief(seen, say),
        ]
