"""What machines ask: whether it works, and metrics."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from k3push.ports import LedgerLostError
from k3push.reporting.metrics import LEDGER_UP, Sample, samples_of
from k3push.reporting.prometheus_text import CONTENT_TYPE, prometheus_text
from k3push.web.page_context import PageContext


class Machines:
    """Answers what is asked by programs."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk

    async def healthz(self, _: Request) -> Response:
        """Say whether the ledgers that are open can be read, and nothing else."""
        well = await self._desk.books.answer()
        return PlainTextResponse("ok\n" if well else "not: ledger\n", 200 if well else 503)

    async def metrics(self, _: Request) -> Response:
        """Return the metrics of all tenants, in the format of Prometheus."""
        books = self._desk.books
        samples: list[Sample] = []
        for name, runs in (await books.runs_of_all()).items():
            tenant, labels = books.tenants[name], {"tenant": name}
            try:
                if isinstance(runs, LedgerLostError):
                    raise runs
                ledger = await books.of(tenant)
                samples += await samples_of(
                    ledger, runs, self._desk.clock.now(), window=tenant.window, labels=labels
                )
                samples.append(Sample(LEDGER_UP, labels, 1))
            except LedgerLostError:
                samples.append(Sample(LEDGER_UP, labels, 0))
        return Response(prometheus_text(samples), media_type=CONTENT_TYPE)
