"""Samples as Prometheus reads them.

The format is written here, since of thousands of tenants there are tens of thousands of samples,
each of which a library would look through for what ours cannot hold.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from k3push.adapters.output_files import named
from k3push.adapters.private_files import put_in_place
from k3push.reporting.metrics import HELP, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Lines = Mapping[str, str]
"""The lines of some samples, by the name of the metric."""


def prometheus_text(samples: Iterable[Sample]) -> bytes:
    r"""Return samples in Prometheus' text format, those of one name together.

    >>> from k3push.reporting.metrics import LEDGER_UP
    >>> print(prometheus_text([Sample(LEDGER_UP, {"tenant": 'a"b'}, 1.0)]).decode(), end="")
    # HELP k3push_ledger_up Whether the ledger can be read: 1 or 0.
    # TYPE k3push_ledger_up gauge
    k3push_ledger_up{tenant="a\"b"} 1.0
    """
    return page_of([lines_of(samples)])


def lines_of(samples: Iterable[Sample]) -> Lines:
    """Put samples into words; `page_of` makes a whole of those of many tenants."""
    lines: dict[str, str] = {}
    last: Mapping[str, str] = {}
    told = ""
    for name, labels, value in samples:
        # What is of one run follows one another, and shares its labels.
        if labels is not last:
            last, told = labels, _labels(labels)
        lines[name] = f"{lines.get(name, '')}{name}{told} {float(value)!r}\n"
    return lines


def page_of(parts: Sequence[Lines]) -> bytes:
    """Return lines of several tenants in Prometheus' text format."""
    by_name = {name: "".join([part[name] for part in parts if name in part]) for name in HELP}
    return "".join(
        f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n{lines}"
        for name, lines in by_name.items()
        if lines
    ).encode()


def _labels(labels: Mapping[str, str]) -> str:
    told = ",".join([_label(name, labels[name]) for name in sorted(labels)])
    return f"{{{told}}}" if told else ""


@lru_cache(maxsize=10_000)
def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'{name}="{escaped}"'


def write_textfile(path: Path, samples: Sequence[Sample]) -> None:
    """Write samples into a file that another user's collector reads, now or at any time.

    Raises:
        OSError: The file cannot be written; an old one is left as it was.
    """
    path = named(path).path
    # No collector takes it for one of its own: they look for names that end in .prom.
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(prometheus_text(samples))
        Path(part).chmod(0o644)
        put_in_place(Path(part), path)
    except OSError:
        with suppress(OSError):
            Path(part).unlink()
        raise
