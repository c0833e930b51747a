"""What a run would do, as a terminal shows it, and how far the looking is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import anyio
from rich.console import Console
from rich.markup import escape

from k3push.cli.console.look_progress import LookProgress
from k3push.core.plan import Forecast
from k3push.reporting.phrases import expected_calls, expected_time
from k3push.reporting.summary import count_line, counted_line
from k3push.runs.problem import innermost
from k3push.wiring.preview import Preview
from k3push.words.language import Say

REASONS_SHOWN = 5

_COLOURS = {
    Forecast.READY: "green",
    Forecast.PARTLY: "yellow",
    Forecast.ALREADY: "cyan",
    Forecast.BLOCKED: "red",
}


def preview_lines(preview: Preview, say: Say, url: str, acct_id: str) -> Iterator[str]:
    """Yield the summary, with rich's colours."""
    for name, route in preview.routes.items():
        totals = preview.totals[name]
        forms = {"source": route.source, "target": route.target}
        yield escape(say("plan.route", route=name, **forms))
        yield escape(say("plan.site", url=url, acct=acct_id))
        for fate in Forecast:
            count = totals.fates[fate]
            if count or fate is Forecast.READY:
                yield count_line(say(f"forecast.{fate}"), count, _COLOURS[fate])
        if totals.repeats:
            yield "  " + say("summary.repeats", count=totals.repeats)
        if totals.reasons:
            yield "  " + say("plan.reasons")
        for reason, count in totals.reasons.most_common(REASONS_SHOWN):
            yield escape(counted_line(say.said(reason), count, totals.examples[reason]))
        if name in preview.one_by_one:
            yield "  " + say("plan.blind")
        if totals.to_send:
            expected = preview.expected[name]
            calls = expected_calls(expected.calls, say, is_counted=expected.is_counted)
            time = say("plan.time_unknown")
            if expected.time is not None:
                time = expected_time(expected.time, say)
            yield f"  {calls} · " + say("plan.time", time=time)


@asynccontextmanager
async def shown_reading(
    console: Console, say: Say, total: int, *, quiet: bool
) -> AsyncIterator[LookProgress]:
    """Show how far a look ahead is, until the block ends."""
    reading = LookProgress(
        console, say, lambda done: say("plan.reading", done=done, total=total), quiet=quiet
    )
    with reading:
        try:
            async with anyio.create_task_group() as others:
                others.start_soon(reading.tell_now_and_then)
                yield reading
                others.cancel_scope.cancel()
        except ExceptionGroup as error:
            raise innermost(error) from error
