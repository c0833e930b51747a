"""Samples as Prometheus reads them. Needs the extra `metrics` or `web`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily

from k3push.reporting.metrics import HELP, Sample

CONTENT_TYPE = CONTENT_TYPE_LATEST


def prometheus_text(samples: Sequence[Sample]) -> bytes:
    """Return samples in Prometheus' text format; those of one name must have the same labels."""
    registry = CollectorRegistry()
    registry.register(_Collector(samples))
    return generate_latest(registry)


class _Collector:
    """Gives samples to the client library, whose registry lives as long as one answer."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the samples, those of one name together."""
        for name, told in HELP.items():
            own = [sample for sample in self._samples if sample.name == name]
            if own:
                names = list(own[0].labels)
                family = GaugeMetricFamily(name, told, labels=names)
                for sample in own:
                    family.add_metric([sample.labels[each] for each in names], sample.value)
                yield family
