"""Samples as Prometheus reads them. Needs the extra `metrics` or `web`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

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


def write_textfile(path: Path, samples: Sequence[Sample]) -> None:
    """Write samples into a file that another user's collector reads, now or at any time.

    Raises:
        OSError: The file cannot be written; an old one is left as it was.
    """
    # No collector takes it for one of its own: they look for names that end in .prom.
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(prometheus_text(samples))
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except OSError:
        with suppress(OSError):
            Path(part).unlink()
        raise


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
