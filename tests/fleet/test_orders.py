"""What a worker orders of an execution, done by the code of `resume`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from k3push.cli.actions.push_runs import CommandOptions, Runner
from k3push.core.pacing.window import Window
from k3push.runs.outcome import Exit
from k3push.wiring.job_lists import JobOptions
from k3push.words.language import speaker
from tests.cli.terminal import Desk, Sandbox, orders

pytestmark = pytest.mark.anyio


async def test_outside_its_window_nothing_leaves_and_the_execution_ends_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The window goes by the clock of the schedule's zone, whatever the settings say."""
    now = datetime.now(UTC)
    begins, ends = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (2, 3))
    with Sandbox(tmp_path) as sandbox:
        desk = Desk(tmp_path).configure(sandbox.url)
        job = str(tmp_path / desk.job(orders(5)))
        options = CommandOptions(
            config=tmp_path / "config.toml",
            window=Window.parse(f"{begins}-{ends}"),
            zone=UTC,
            closes_in_s=1.0,
            quiet=True,
            json=True,
        )
        runner = Runner(options, speaker("en"))
        assert await runner.run([job], JobOptions()) is Exit.STOPPED
        assert sandbox.made() == 0
    assert "the time set by window is over" in capsys.readouterr().err
