"""What a person is told in a terminal of the executions of one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio
from rich.console import Console
from rich.markup import escape

from k3push.cli.console.logs import LogOptions, RunLog, open_log, warning_as_json
from k3push.cli.console.progress import RunProgress
from k3push.cli.console.screen import screen
from k3push.core.advice.clusters import Clusters
from k3push.core.model import Run, State
from k3push.reporting.summary import (
    cause_lines,
    follow_line,
    next_step,
    odd_lines,
    reason_lines,
    repeat_words,
    results_line,
    state_table,
)
from k3push.runs.outcome import Ending
from k3push.runs.throttle import Throttle
from k3push.runs.watches import Watches
from k3push.words.language import Say

REPEATS_SHOWN = 10


@dataclass(slots=True)
class Terminal:
    """Standard output and standard error. Fulfils `wiring.executor.Observer`.

    Attributes:
        json: Standard output belongs to an object for programs, so summaries are left out.
    """

    say: Say
    log: LogOptions = field(default_factory=LogOptions)
    quiet: bool = False
    json: bool = False
    errors: Console = field(default_factory=lambda: screen(stderr=True, soft_wrap=True))
    output: Console = field(default_factory=lambda: screen(soft_wrap=True))

    # -- wiring.executor.Observer -------------------------------------------------------------

    def warn(self, sentence: str, /, **facts: object) -> None:
        """Print a sentence to standard error, which may be a log."""
        text = self.say(sentence, **facts)
        line = warning_as_json(text) if self.log.json else text
        self.errors.print(line, highlight=False, markup=False)

    @asynccontextmanager
    async def watching(
        self, run: Run, counts: Mapping[State, int], throttle: Throttle, *, most: int | None
    ) -> AsyncIterator[_TerminalWitness]:
        """Show progress and write the log, as long as an execution goes."""
        quiet = self.quiet or self.log.json
        with (
            open_log(self.log, self.errors, self._log_lost) as log,
            RunProgress(
                self.errors, self.say, counts, throttle, most=most, quiet=quiet
            ) as progress,
        ):
            log.began(run, sum(counts.values()))
            async with anyio.create_task_group() as others:
                others.start_soon(progress.tell_now_and_then)
                yield _TerminalWitness(self, progress, log)
                others.cancel_scope.cancel()

    def summarize(self, ending: Ending, reasons: Clusters) -> None:
        """Print the summary of an execution."""
        if self.json:
            # The object has no room for words, and the folder may be on the disk that is full.
            self._tell_why(self.errors, ending)
        else:
            self._summarize(ending, reasons)

    # -- telling ------------------------------------------------------------------------------

    def set_aside(self, log: RunLog | None, user: str, why: str) -> None:
        """Tell of a user who is set aside; a log of JSON has an event of its own."""
        if log is not None:
            log.set_aside(user, why)
        if log is None or not self.log.json:
            self.warn("warning.identity_aside", user=user, why=why)

    def _log_lost(self, error: OSError) -> None:
        why = error.strerror or type(error).__name__
        self.warn("warning.log_lost", path=self.log.file, why=why)

    def _summarize(self, ending: Ending, reasons: Clusters) -> None:
        say, out = self.say, partial(self.output.print, highlight=False)
        run = ending.run
        out(escape(say("summary.run", run=run.id, route=run.route.name, seconds=ending.seconds)))
        out(state_table(ending.counts, say))
        if line := follow_line(ending.followed, say):
            out("  " + line)
        out(
            "  "
            + say(
                "summary.calls",
                pushes=ending.pushes,
                logins=ending.logins,
                targets=ending.targets,
            )
        )
        if ending.pace:
            last = ending.pace[-1].setting
            words = say("summary.pace", calls=last.concurrency, numbers=last.chunk_size)
            out("  " + words)
        if ending.doubted:
            left = ending.counts.get(State.UNKNOWN, 0)
            out("  " + say("summary.doubted", doubted=ending.doubted, left=left))
        for line in odd_lines(say, twins=ending.twins, partly=ending.partly):
            out(f"  [red]{escape(line)}[/]")
        for line in _repeat_lines(ending, say):
            out("  " + escape(line))
        for line in reason_lines(reasons, say, causes=ending.causes):
            out(escape(line))
        self._tell_why(self.output, ending)
        unverified = escape(say("warning.unverified")) if ending.unverified else ""
        for line in filter(None, (unverified, escape(results_line(run, say)))):
            out(f"[yellow]{line}[/]" if line == unverified else line)
        what = next_step(ending.counts, ending.exit, say, ending.followed)
        out(say("summary.exit", code=int(ending.exit), what=what))

    def _tell_why(self, console: Console, ending: Ending) -> None:
        """Say what stopped an execution, if anything did."""
        for line in cause_lines(ending.causes, self.say):
            console.print("[yellow]" + escape(line) + "[/]", highlight=False)


class _TerminalWitness(Watches):
    """The progress and the log of one execution. Fulfils `wiring.executor.Witness`."""

    def __init__(self, terminal: Terminal, progress: RunProgress, log: RunLog) -> None:
        super().__init__(progress, log)
        self._terminal = terminal
        self._log = log

    def settling(self, unknown: int, window_s: float) -> None:
        """Say that numbers are asked for until their window has passed."""
        self._terminal.warn("progress.settling", unknown=unknown, window=window_s)

    def set_aside(self, user: str, why: str) -> None:
        """Say that the others go on without a user."""
        self._terminal.set_aside(self._log, user, why)

    def ended(self, ending: Ending) -> None:
        """Log how the execution ended."""
        self._log.ended(ending)


def _repeat_lines(ending: Ending, say: Say) -> list[str]:
    """Say of the first lines that name a number again which they are, and how many more."""
    if not ending.repeats:
        return []
    count = len(ending.repeats)
    shown = [repeat_words(ending, repeat, say) for repeat in ending.repeats[:REPEATS_SHOWN]]
    if more := count - len(shown):
        shown.append(say("notice.repeated_more", count=more))
    return [say("summary.repeats", count=count), *(f"  {line}" for line in shown)]
