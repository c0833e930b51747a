"""What was looked at, a line for each thing: well (✓), in doubt (!) or wrong (✗).

Where standard output cannot write ✓ and ✗, `screen.tick` gives √ and ×, or + and x.
"""

from __future__ import annotations

from rich.markup import escape

from k3push.cli.console.screen import screen, tick
from k3push.runs.outcome import Exit
from k3push.words.language import Say


class Findings:
    """Prints findings, and keeps the exit code of the worst.

    Fulfils `retried_reads.Waiter`.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self.exit = Exit.DONE
        self._console = screen(soft_wrap=True)

    def good(self, what: str) -> None:
        """Say what is well."""
        self._console.print(f"[green]{tick(good=True)}[/] {escape(what)}", highlight=False)

    def doubtful(self, what: str) -> None:
        """Say what a person should look at, though a run can begin."""
        self._console.print(f"[yellow]![/] {escape(what)}", highlight=False)

    def bad(self, what: str, code: Exit) -> None:
        """Say what keeps a run from beginning, and how the command ends for it."""
        self.exit = max(self.exit, code)
        self._console.print(f"[red]{tick(good=False)}[/] {escape(what)}", highlight=False)

    def waiting(self, why: str, seconds: float) -> None:
        """Say what is waited for."""
        self.doubtful(self.say("progress.waiting", why=why, seconds=seconds))
