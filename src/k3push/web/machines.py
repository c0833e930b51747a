"""What machines ask: whether it works, and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from k3push.ports import LedgerLostError
from k3push.reporting.metrics import HELP, Sample, samples_of
from k3push.web.desk import Desk

LEDGER_UP = "k3push_ledger_up"


class Machines:
    """Answers what is asked by programs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def healthz(self, _: Request) -> Response:
        """Say whether the ledgers that are open can be read, and nothing else."""
        well = await self._desk.books.answer()
        return PlainTextResponse("ok\n" if well else "not: ledger\n", 200 if well else 503)

    async def metrics(self, _: Request) -> Response:
        """Return the metrics of all tenants, in the format of Prometheus."""
        now = self._desk.clock.now()
        books = self._desk.books
        samples = []
        for name, runs in (await books.runs_of_all()).items():
            labels = {"tenant": name}
            try:
                if isinstance(runs, LedgerLostError):
                    raise runs
                ledger = await books.of(books.tenants[name])
                samples += await samples_of(ledger, runs, now, labels=labels)
                samples.append(Sample(LEDGER_UP, labels, 1))
            except LedgerLostError:
                samples.append(Sample(LEDGER_UP, labels, 0))
        registry = CollectorRegistry()
        registry.register(_Collector(samples))
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Collector:
    """Gives samples to the client library, whose registry lives as long as one answer."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the samples, those of one name together."""
        helps = {**HELP, LEDGER_UP: "Whether the ledger of a tenant can be read: 1 or 0."}
        for name, told in helps.items():
            own = [sample for sample in self._samples if sample.name == name]
            if own:
                names = list(own[0].labels)
                family = GaugeMetricFamily(name, told, labels=names)
                for sample in own:
                    family.add_metric([sample.labels[each] for each in names], sample.value)
                yield family
