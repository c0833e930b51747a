"""What machines ask: whether it works, and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import anyio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from k3push.ports import Glance, LedgerLostError
from k3push.reporting.metrics import LEDGER_UP, RUNS_LOOKED_AT, Sample, are_settled, samples_of
from k3push.reporting.prometheus_text import CONTENT_TYPE, Lines, lines_of, page_of
from k3push.web.admission.access import Visitor
from k3push.web.pages.page_context import PageContext
from k3push.web.tenant_ledgers import ServedTenant

FRESH_S = 1.0
"""For how long metrics count as those of now, however many ask."""

STALE_S = 300.0
"""Until then old ones are given at once, and new ones made for the next who asks."""

# Metrics of few tenants are made at once; of thousands they take longer than a collector waits.
PATIENCE_S = 2.0


@dataclass(slots=True)
class _Made:
    """Metrics, and when they were made."""

    text: bytes = b""
    at_s: float = -STALE_S
    makes: bool = False
    made: anyio.Event = field(default_factory=anyio.Event)


class Machines:
    """Answers what is asked by programs."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk
        self._last = _Made()
        # What was told of a tenant, and of which runs: most have not moved since the last time.
        self._told: dict[str, tuple[Sequence[Glance], Lines]] = {}

    async def healthz(self, _: Request) -> Response:
        """Say whether the ledgers that are open can be read, and nothing else."""
        well = await self._desk.books.answer()
        return PlainTextResponse("ok\n" if well else "not: ledger\n", 200 if well else 503)

    async def metrics(self, request: Request) -> Response:
        """Return the metrics of all tenants, in the format of Prometheus; made once for all."""
        visitor: Visitor = request.state.visitor
        # A collector with its token has not come in as anybody.
        if visitor.admitted and not self._desk.roles.sees_all(visitor.user):
            return self._desk.refuse(request, 403, "web.no_right")
        last = self._last
        age_s = anyio.current_time() - last.at_s
        if age_s > FRESH_S:
            if not last.makes:
                last.makes, last.made = True, anyio.Event()
                self._desk.tasks.start_soon(self._make)
            made = last.made
            if age_s > STALE_S:
                await made.wait()
            else:
                with anyio.move_on_after(PATIENCE_S):
                    await made.wait()
        if not last.text:
            return PlainTextResponse("not: metrics\n", 500)
        return Response(last.text, media_type=CONTENT_TYPE)

    async def _make(self) -> None:
        last = self._last
        try:
            last.text = page_of(await self._lines())
            last.at_s = anyio.current_time()
        except Exception as error:  # noqa: BLE001  # a defect must not end the server
            self._desk.log("metrics.failed", why=repr(error))
            last.text = b""
        finally:
            last.makes = False
            last.made.set()

    async def _lines(self) -> list[Lines]:
        """Return the lines of each tenant; they are made while its server is asked for others."""
        tenants = self._desk.books.tenants
        lines: dict[str, Lines] = {}
        told: dict[str, tuple[Sequence[Glance], Lines]] = {}

        async def take(some: Mapping[str, Sequence[Glance] | LedgerLostError]) -> None:
            for name, runs in some.items():
                known = self._told.get(name)
                if known and known[0] == runs:
                    lines[name], told[name] = known[1], known
                    continue
                lines[name] = lines_of(await self._samples(tenants[name], runs))
                if not isinstance(runs, LedgerLostError) and are_settled(runs):
                    told[name] = runs, lines[name]

        await self._desk.books.each_glance(tenants.values(), RUNS_LOOKED_AT, take)
        self._told = told
        return [lines[name] for name in tenants]

    async def _samples(
        self, tenant: ServedTenant, runs: Sequence[Glance] | LedgerLostError
    ) -> list[Sample]:
        labels = {"tenant": tenant.name}
        try:
            if isinstance(runs, LedgerLostError):
                raise runs
            ledger = await self._desk.books.of(tenant)
            now = self._desk.clock.now()
            samples = await samples_of(ledger, runs, now, labels=labels)
        except LedgerLostError:
            return [Sample(LEDGER_UP, labels, 0)]
        return [*samples, Sample(LEDGER_UP, labels, 1)]
