"""Tell machines of an execution, where the settings name a file or a collector for that."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from k3push.adapters.clock import SystemClock
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import Settings
from k3push.core.model import Run
from k3push.core.remark import kind_and_words, remark
from k3push.ports import Ledger, LedgerLostError
from k3push.reporting.metrics import LEDGER_UP, RUNS_LOOKED_AT, Sample, samples_of
from k3push.reporting.prometheus_text import write_textfile

if TYPE_CHECKING:
    from k3push.reporting.traces import Trace

Warn = Callable[..., None]


def check_measuring(settings: Settings) -> None:
    """See that what is asked for can be had, before anything is sent.

    Raises:
        SettingsError: A package is not installed, or the environment asks it for what it lacks.
    """
    if settings.metrics.otlp:
        _needed(settings, "metrics.otlp", "opentelemetry.exporter.otlp.proto.http", "otel")
        from k3push.reporting import traces  # noqa: PLC0415

        try:
            traces.otlp_exporter(settings.metrics.otlp).shutdown()
        except Exception as error:  # noqa: BLE001  # of any kind, by what OTEL_… holds
            what = kind_and_words(error)
            raise SettingsError.of(settings.file, "metrics.otlp", what) from None


@asynccontextmanager
async def measured(settings: Settings, ledger: Ledger, warn: Warn) -> AsyncIterator[None]:
    """Tell machines how things stand when the block has ended, however it does.

    Nothing here fails an execution: what could not be told is a warning.
    """
    try:
        yield
    finally:
        if settings.metrics.textfile:
            await _write_textfile(settings, ledger, warn)


@asynccontextmanager
async def traced(settings: Settings, run: Run, warn: Warn) -> AsyncIterator[Trace | None]:
    """Trace an execution, if there is a collector for that."""
    url = settings.metrics.otlp
    if not url:
        yield None
        return
    from k3push.reporting import traces  # noqa: PLC0415

    def lost(spans: int, made: int) -> None:
        warn("warning.spans_lost", lost=spans, made=made, url=url)

    exporter = traces.otlp_exporter(url)
    async with traces.traced(exporter, run, settings.file.stem, lost) as trace:
        yield trace


async def _write_textfile(settings: Settings, ledger: Ledger, warn: Warn) -> None:
    # As the dashboard names its tenants, so that one rule serves both.
    labels = {"tenant": settings.file.stem}

    try:
        account = settings.erp.acct_id
        runs = (await ledger.glances([account], among=RUNS_LOOKED_AT))[account]
        samples = await samples_of(ledger, runs, SystemClock().now(), labels=labels)
        samples.append(Sample(LEDGER_UP, labels, 1))
    except LedgerLostError:
        samples = [Sample(LEDGER_UP, labels, 0)]
    path = settings.textfile_path
    try:
        await anyio.to_thread.run_sync(write_textfile, path, samples)
    except OSError as error:
        warn("warning.textfile_lost", path=path, why=error.strerror or error)


def _needed(settings: Settings, key: str, module: str, extra: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError:
        what = remark("setting.package", extra=extra)
        raise SettingsError.of(settings.file, key, what) from None
