"""What a collector of traces is told of an execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from k3push.core.model import Attempt, Intent, Outcome, State
from k3push.core.pacing.holds import Hold, HoldCause
from k3push.core.safety.verdict import Cure, InDoubt, ReadBack, Said, SendAgain, Verdict
from k3push.reporting.traces import Trace, traced
from k3push.runs.outcome import Ending, Exit
from k3push.runs.stop import Cause
from tests.reporting.pages import NOON, RUN, UP, number

pytestmark = pytest.mark.anyio

SECRET = "单据 CGDD0000001 的密价"
REFUSED = ReadBack(Said(success=False, code="11", messages=(SECRET,), named=()))
ENDING = Ending(
    run=RUN,
    exit=Exit.SOME_REJECTED,
    seconds=3.0,
    counts={State.PUSHED: 1, State.REJECTED: 1, State.UNKNOWN: 0},
    pushes=3,
    logins=1,
    targets=1,
    causes={},
)


@pytest.fixture
def anyio_backend() -> str:
    """Return a loop on which threads can end."""
    return "asyncio"


class Losing(SpanExporter):
    """Loses all batches, the first by an error."""

    def __init__(self) -> None:
        self.batches = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Fail."""
        assert spans
        self.batches += 1
        if self.batches == 1:
            raise ConnectionError(SECRET)
        return SpanExportResult.FAILURE


def no_loss(lost: int, made: int) -> None:
    """Fail: nothing is lost here."""
    raise AssertionError((lost, made))


def tell(trace: Trace, nth: int, verdict: Verdict, state: State, seconds: float = 1.5) -> None:
    """Tell of an attempt of two numbers, of which one has come to a *state*."""
    numbers = (number(1), number(2))
    began = NOON + timedelta(seconds=2 * nth)
    attempt = Attempt(40 + nth, Intent(RUN.id, 7, nth, numbers, {}, b"{}", began, UP))
    trace.recorded(attempt, [Outcome(numbers[0], state, (), "11", SECRET)], verdict, seconds)


async def spans_of(*told: tuple[Verdict, State], ending: Ending = ENDING) -> list[ReadableSpan]:
    """Trace an execution; return its span, then those of its attempts in order."""
    exporter = InMemorySpanExporter()
    async with traced(exporter, RUN, "acme", no_loss) as trace:
        for nth, (verdict, state) in enumerate(told, 1):
            tell(trace, nth, verdict, state)
        trace.ended(ending)
    return sorted(
        exporter.get_finished_spans(), key=lambda span: (bool(span.parent), span.end_time)
    )


async def test_an_execution_is_one_span_with_its_attempts_below() -> None:
    """A trace is read from the top, and each call is where its time went."""
    top, first, second = await spans_of(
        (REFUSED, State.REJECTED), (SendAgain(Cure.LOG_IN, SECRET), State.PLANNED)
    )
    assert (top.name, top.parent) == ("k3push.execution", None)
    assert dict(top.attributes or {}) == {
        "k3push.tenant": "acme",
        "k3push.run": RUN.id,
        "k3push.route": "po-instock",
        "k3push.numbers": 2,
        "k3push.pushed": 1,
        "k3push.rejected": 1,
        "k3push.pushes": 3,
        "k3push.logins": 1,
        "k3push.targets": 1,
        "k3push.causes": (),
        "k3push.exit": 3,
    }
    assert top.resource.attributes["service.name"] == "k3push"
    assert dict(first.attributes or {}) == {
        "k3push.attempt": 41,
        "k3push.chunk": 7,
        "k3push.nth": 1,
        "k3push.numbers": 2,
        "k3push.rejected": 1,
        "k3push.verdict": "ReadBack",
        "k3push.code": "11",
    }
    for span in (first, second):
        assert span.name == "k3push.attempt"
        assert span.parent == top.context
    began = int((NOON + timedelta(seconds=2)).timestamp()) * 10**9
    assert (first.start_time, first.end_time) == (began, began + 1_500_000_000)


async def test_no_bill_and_no_word_of_the_erp_is_in_a_trace() -> None:
    """Traces go to another system, whose readers need not be those of the ERP."""
    stopped = replace(ENDING, exit=Exit.UNREACHABLE, causes={Cause.UNREACHABLE: SECRET})
    exporter = InMemorySpanExporter()
    async with traced(exporter, RUN, "acme", no_loss) as trace:
        tell(trace, 1, REFUSED, State.REJECTED)
        tell(trace, 2, InDoubt("broken", SECRET), State.UNKNOWN)
        tell(trace, 3, SendAgain(Cure.WAIT, SECRET), State.PLANNED)
        trace.held(Hold(HoldCause.ERP, SECRET))
        trace.held(None)
        trace.waiting(SECRET, 3)
        trace.concluded([Outcome(number(1), State.REJECTED, (), "11", SECRET)], left=State.PLANNED)
        trace.ended(stopped)
    spans = exporter.get_finished_spans()
    assert [event.name for event in spans[-1].events] == ["held", "goes on"]
    text = "".join(span.to_json() for span in spans)
    assert "CGDD" not in text
    assert "密价" not in text
    assert "\\u5bc6" not in text


@pytest.mark.parametrize(
    ("verdict", "status", "why"),
    [
        (REFUSED, StatusCode.UNSET, None),
        (InDoubt("http_503", SECRET), StatusCode.ERROR, "http_503"),
        (SendAgain(Cure.WAIT, SECRET), StatusCode.ERROR, "wait"),
    ],
)
async def test_a_call_without_an_answer_is_an_error(
    verdict: Verdict, status: StatusCode, why: str | None
) -> None:
    """A refused bill is the ERP's answer; only a call that gave none is a fault on the way."""
    _, attempt = await spans_of((verdict, State.PLANNED))
    assert (attempt.status.status_code, attempt.status.description) == (status, why)


@pytest.mark.parametrize(
    ("exit_code", "status"),
    [(code, StatusCode.UNSET if code in {0, 3} else StatusCode.ERROR) for code in (0, 3, 4, 5, 6)],
)
async def test_an_execution_that_did_not_come_to_its_end_is_an_error(
    exit_code: int, status: StatusCode
) -> None:
    """Whoever looks for errors must find it, and not each night on which a bill was refused."""
    (top,) = await spans_of(ending=replace(ENDING, exit=Exit(exit_code)))
    assert top.status.status_code is status


async def test_an_execution_that_breaks_is_traced_to_its_end() -> None:
    """The one that nobody expected is the one that is looked for."""
    exporter = InMemorySpanExporter()
    with pytest.raises(RuntimeError):
        async with traced(exporter, RUN, "acme", no_loss):
            raise RuntimeError(SECRET)
    (top,) = exporter.get_finished_spans()
    assert (top.status.status_code, top.status.description) == (StatusCode.ERROR, "RuntimeError")
    assert not top.events, "its words stay here"


async def test_what_was_lost_is_told_once() -> None:
    """A collector that is down all night must not fill the log of the night."""
    told = []
    exporter = Losing()
    async with traced(exporter, RUN, "acme", lambda *counts: told.append(counts)) as trace:
        for nth in range(1, 600):  # more than one batch
            tell(trace, nth, REFUSED, State.REJECTED)
        trace.ended(ENDING)
    assert exporter.batches > 1
    assert told == [(600, 600)]


async def test_what_nobody_asked_for_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that takes nothing is the administrator's choice."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert await spans_of((REFUSED, State.REJECTED)) == []
