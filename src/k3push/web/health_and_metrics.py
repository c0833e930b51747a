"""What machines ask: whether it works, and metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from k3push.ports import LedgerLostError
from k3push.reporting.metrics import LEDGER_UP, RUNS_LOOKED_AT, Sample, samples_of
from k3push.reporting.prometheus_text import CONTENT_TYPE, prometheus_text
from k3push.web.access import Visitor
from k3push.web.page_context import PageContext

FRESH_S = 1.0
"""For how long metrics count as those of now, however many ask."""

STALE_S = 300.0
"""Until then old ones are given at once, and new ones made for the next who asks."""

# Metrics of few tenants are made at once; of thousands they take longer than a collector waits.
PATIENCE_S = 2.0


MANY = 2000
"""Samples that are not put into words while others wait for the loop."""


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
            samples = await self._samples()
            if len(samples) > MANY:
                last.text = await anyio.to_thread.run_sync(prometheus_text, samples)
            else:
                last.text = prometheus_text(samples)
            last.at_s = anyio.current_time()
        except Exception as error:  # noqa: BLE001  # a defect must not end the server
            self._desk.log("metrics.failed", why=repr(error))
            last.text = b""
        finally:
            last.makes = False
            last.made.set()

    async def _samples(self) -> list[Sample]:
        books = self._desk.books
        samples: list[Sample] = []
        tenants = list(books.tenants.values())
        glances = await books.glances(tenants, RUNS_LOOKED_AT)
        for tenant in tenants:
            labels, runs = {"tenant": tenant.name}, glances[tenant.name]
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
        return samples
