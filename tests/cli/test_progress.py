"""What the operator sees while a run goes on."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from rich.console import Console
from trio.testing import MockClock

from k3push.cli.progress import LINE_EVERY_S, RunProgress
from k3push.cli.words import speaker
from k3push.core.model import Attempt, BillNumber, Intent, Outcome, RunId, State, Target
from k3push.core.verdict import InDoubt

NUMBERS = tuple(BillNumber(f"CGDD{index:07d}") for index in range(4))
ATTEMPT = Attempt(
    1, Intent(RunId("r1"), 1, 1, NUMBERS, {}, b"{}", datetime(2026, 11, 25, tzinfo=UTC))
)
LOST = [Outcome(number, State.UNKNOWN, code="broken") for number in NUMBERS]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return a loop on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


def screen(*, terminal: bool) -> Console:
    """Return a console of 80 columns that keeps what is written."""
    return Console(file=io.StringIO(), width=80, force_terminal=terminal, color_system=None)


def written(console: Console) -> str:
    """Return what a console was given."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.anyio
async def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    """A log file of a night shows that the run went on, and holds no bar."""
    console = screen(terminal=False)
    with RunProgress(console, speaker("en"), {State.PLANNED: 4}) as progress:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(progress.tell_now_and_then)
            await anyio.sleep(LINE_EVERY_S + 1)
            progress.recorded(ATTEMPT, LOST, InDoubt("broken", "reset"), 1.0)
            await anyio.sleep(LINE_EVERY_S)
            tasks.cancel_scope.cancel()
    assert written(console).splitlines() == ["0/4", "0/4 · unknown 4"]


def test_a_number_counts_once_whatever_becomes_of_it() -> None:
    """Doubt that is settled must not be counted as done twice."""
    progress = RunProgress(screen(terminal=False), speaker("en"), {State.PLANNED: 5})
    rejected = Outcome(BillNumber("CGDD9"), State.REJECTED, code="precheck")
    progress.concluded([rejected])
    progress.recorded(ATTEMPT, LOST, InDoubt("broken", "reset"), 1.0)
    assert progress.done == 1
    made = [Outcome(number, State.PUSHED, (Target("1", "CGRK1"),)) for number in NUMBERS]
    progress.concluded(made)
    assert progress.done == 5
    assert +progress.counts == {State.PUSHED: 4, State.REJECTED: 1}


def test_on_a_terminal_the_bar_fits_into_80_columns() -> None:
    """A bar that wraps fills the screen with its remains."""
    console = screen(terminal=True)
    counts = {State.PLANNED: 400_000, State.PUSHED: 350_000, State.REJECTED: 9_999}
    with RunProgress(console, speaker("zh"), counts) as progress:
        progress.recorded(ATTEMPT, LOST, InDoubt("broken", "reset"), 1.0)
        bar = progress._bar
        assert bar is not None
        lines = console.render_lines(bar.get_renderable(), pad=False)
    assert len(lines) == 1
    text = "".join(segment.text for segment in lines[0])
    assert "359999/759999" in text
    assert "unknown 4" in text


def test_quiet_means_quiet() -> None:
    """What was asked for with --quiet is a summary and nothing before it."""
    console = screen(terminal=True)
    with RunProgress(console, speaker("en"), {State.PLANNED: 4}, quiet=True) as progress:
        progress.waiting("HTTP 503", 2.0)
        progress.recorded(ATTEMPT, LOST, InDoubt("broken", "reset"), 1.0)
    assert written(console) == ""
