"""Executions as traces of OpenTelemetry. Needs the extra `otel`.

A trace holds no bill number and none of the ERP's words: it goes to another system, whose
readers need not be those of the ERP.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from importlib.metadata import version

import anyio.to_thread
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, StatusCode, Tracer, set_span_in_context

from k3push.core.model import Attempt, Document, Outcome, Run, State, StepAttempt
from k3push.core.pacing.holds import Hold
from k3push.core.safety.verdict import InDoubt, ReadBack, SendAgain, Verdict
from k3push.ports import Watch
from k3push.runs.outcome import Ending, Exit

PATIENCE_S = 2.0
"""How long the end of an execution waits for a collector."""

QUEUE = 2048
BATCH = 512
"""Spans that wait for a collector, and that go to it at once: of more, the oldest are lost."""

# All went as it should, though some numbers may have been refused.
_WELL = frozenset({Exit.DONE, Exit.SOME_REJECTED})

Lost = Callable[[int, int], None]
"""Told how many spans were lost, and of how many."""


class Trace(Watch):
    """One execution as a span, and each attempt as a span below it.

    Calls alone are told of: the gap between two shows a wait, and the counts at the end hold all
    else that has moved.

    Attributes:
        made: Spans that have ended and are wanted.
    """

    def __init__(self, tracer: Tracer, run: Run, tenant: str) -> None:
        """Begin the span of an execution."""
        self.made = 0
        self._tracer = tracer
        self._execution = tracer.start_span(
            "k3push.execution",
            attributes={
                "k3push.tenant": tenant,
                "k3push.run": run.id,
                "k3push.route": run.route.name,
            },
        )

    def ended(self, ending: Ending) -> None:
        """Write down how the execution has ended."""
        self._execution.set_attributes(
            {
                "k3push.numbers": sum(ending.counts.values()),
                **_by_state(ending.counts),
                "k3push.pushes": ending.pushes,
                "k3push.logins": ending.logins,
                "k3push.targets": ending.targets,
                "k3push.causes": [cause.value for cause in ending.causes],
                "k3push.exit": int(ending.exit),
            }
        )
        if ending.exit not in _WELL:
            self._execution.set_status(StatusCode.ERROR, ending.exit.name)

    def failed(self, error: BaseException) -> None:
        """Write down that the execution has ended by an error, whose words stay here."""
        self._execution.set_status(StatusCode.ERROR, type(error).__name__)

    def close(self) -> None:
        """End the span of the execution."""
        self._end(self._execution)

    # -- ports.Watch --------------------------------------------------------------------------

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Tell of an attempt."""
        intent = attempt.intent
        attributes: dict[str, str | int] = {
            "k3push.attempt": attempt.id,
            "k3push.chunk": intent.chunk,
            "k3push.nth": intent.nth,
            "k3push.numbers": len(intent.numbers),
            **_by_state(Counter(outcome.state for outcome in outcomes)),
        }
        self._call("k3push.attempt", intent.began_at, seconds, attributes, verdict)

    def stepped(
        self,
        attempt: StepAttempt,
        documents: Sequence[Document],
        verdict: Verdict,
        seconds: float,
    ) -> None:
        """Tell of an attempt at a step."""
        intent = attempt.intent
        came_to = Counter(document.follow.value or "open" for document in documents)
        attributes: dict[str, str | int] = {
            "k3push.attempt": attempt.id,
            "k3push.step": intent.step.value,
            "k3push.documents": len(intent.ids),
            **{f"k3push.{follow}": count for follow, count in came_to.items()},
        }
        self._call("k3push.step", intent.began_at, seconds, attributes, verdict)

    def _call(
        self,
        name: str,
        began_at: datetime,
        seconds: float,
        attributes: Mapping[str, str | int],
        verdict: Verdict,
    ) -> None:
        span = self._tracer.start_span(
            name,
            set_span_in_context(self._execution),
            start_time=_nanoseconds(began_at),
            attributes={**attributes, "k3push.verdict": type(verdict).__name__},
        )
        match verdict:
            case ReadBack(said):
                span.set_attribute("k3push.code", said.code)
            case InDoubt(code):
                span.set_status(StatusCode.ERROR, code)
            case SendAgain(cure):
                span.set_status(StatusCode.ERROR, cure.value)
        self._end(span, _nanoseconds(began_at + timedelta(seconds=seconds)))

    def held(self, hold: Hold | None) -> None:
        """Mark when all chunks were kept from leaving, and when they left again."""
        if hold is None:
            self._execution.add_event("goes on")
        else:
            self._execution.add_event("held", {"k3push.cause": hold.cause.value})

    def _end(self, span: Span, at: int | None = None) -> None:
        self.made += span.is_recording()
        span.end(at)


@asynccontextmanager
async def traced(exporter: SpanExporter, run: Run, tenant: str, lost: Lost) -> AsyncIterator[Trace]:
    """Trace an execution; the end of the block waits `PATIENCE_S` for the collector at most.

    Spans are exported by a thread of their own. One that cannot be is lost, and fails nothing.
    """
    counted = _Counted(exporter)
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: "k3push", SERVICE_VERSION: version("k3push")}),
        # The interpreter's end would wait for the collector once more, and for longer.
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(counted, max_queue_size=QUEUE, max_export_batch_size=BATCH)
    )
    trace = Trace(provider.get_tracer("k3push"), run, tenant)
    try:
        yield trace
    except BaseException as error:
        trace.failed(error)
        raise
    finally:
        trace.close()
        # `shutdown` takes no limit; as a daemon, a thread that is still in it ends with us.
        last = threading.Thread(target=provider.shutdown, daemon=True)
        last.start()
        await anyio.to_thread.run_sync(last.join, PATIENCE_S)
        if counted.exported < trace.made:
            lost(trace.made - counted.exported, trace.made)


def otlp_exporter(url: str) -> SpanExporter:
    """Return what sends spans to a collector by HTTP; the usual variables of OTLP hold too.

    Args:
        url: Such as `http://127.0.0.1:4318`.
    """
    # The libraries write each failure into a log of their own, which nobody has asked for.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    return OTLPSpanExporter(f"{url}/v1/traces")


class _Counted(SpanExporter):
    """Counts what has arrived.

    Attributes:
        exported: Spans that the collector has taken.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self.exported = 0
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self.exported += len(spans)
        return result

    def shutdown(self) -> None:
        """End."""
        self._exporter.shutdown()


def _by_state(counts: Mapping[State, int]) -> dict[str, int]:
    return {f"k3push.{state.value}": count for state, count in counts.items() if count}


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1e9)
