"""What a person is shown before anything is sent, and whether they agree to it."""

from __future__ import annotations

import math
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import anyio.to_thread
from rich.console import Console
from rich.markup import escape

from k3push.adapters.plan_file import sha256_of
from k3push.cli.console.look_progress import LookProgress
from k3push.cli.console.preview_lines import preview_lines, shown_reading
from k3push.cli.console.signals import ctrl_c_ends, cut_short_by_signal
from k3push.cli.console.terminal import Terminal
from k3push.config.settings import ErpSettings
from k3push.core.model import Route
from k3push.core.remark import remark
from k3push.reporting.phrases import cause_words
from k3push.runs.create import JobSource
from k3push.runs.problem import Problem
from k3push.runs.stop import Stop
from k3push.wiring.job_lists import STDIN
from k3push.wiring.preview import Preview
from k3push.words.language import Say

_YES = frozenset({"y", "yes", "是"})
_NO = frozenset({"", "n", "no", "否"})


class Agreement:
    """Shows what a run would do, and asks whether it is to be done."""

    def __init__(
        self, erp: ErpSettings, terminal: Terminal, say: Say, *, yes: bool, limit: int | None
    ) -> None:
        """Say what there is to agree to.

        Args:
            erp: Where documents would be made.
            yes: Nobody is asked.
            limit: Numbers that are sent at most, or None.
        """
        self._erp, self._terminal, self._say = erp, terminal, say
        self._yes, self._limit = yes, limit

    def asks(self, names: Sequence[str]) -> bool:
        """Whether a person sits there who can be asked before anything is sent."""
        return not self._yes and STDIN not in names and sys.stdin.isatty() and sys.stderr.isatty()

    def agreed(self, routes: Mapping[str, Route], to_send: Mapping[str, int]) -> bool:
        """Ask for each route that has numbers to send."""
        left = math.inf if self._limit is None else self._limit
        for name, route in routes.items():
            count = int(min(to_send[name], left))
            left -= count
            question = self._say(
                "notice.ask_run",
                count=count,
                route=name,
                source=route.source,
                target=route.target,
                url=self._erp.url,
                acct=self._erp.acct_id,
            )
            if count and not self._says_yes(f"{question} [y/N] "):
                return False
        return True

    def _says_yes(self, question: str) -> bool:
        """Ask until the answer is yes or no; an empty one is no."""
        while (word := _plain(self._answer(question))) not in _YES | _NO:
            question = self._say("notice.ask_again", word=word) + " [y/N] "
        return word in _YES

    def _answer(self, question: str) -> str:
        """Ask a person; who ends the question has not agreed."""
        try:
            with ctrl_c_ends():
                return self._terminal.errors.input(escape(question))
        except (KeyboardInterrupt, EOFError):
            self._terminal.errors.print()
            return ""

    def reading(self, count: int) -> AbstractAsyncContextManager[LookProgress]:
        """Show how far a look ahead at so many lines is."""
        return shown_reading(self._terminal.errors, self._say, count, quiet=self._terminal.quiet)

    @contextmanager
    def interruptible(self) -> Iterator[Stop]:
        """Let a signal end a look ahead at once."""
        stop = Stop()
        with cut_short_by_signal(stop, stop.scope):
            yield stop

    def show(self, preview: Preview, console: Console) -> None:
        """Print what a run would do."""
        for line in preview_lines(preview, self._say, self._erp.url, self._erp.acct_id):
            console.print(line, highlight=False)

    def tell_causes(self, stop: Stop) -> None:
        """Say why a look ahead ended before its end."""
        for cause, why in stop.causes.items():
            self._terminal.errors.print(
                cause_words(cause, why, self._say), highlight=False, markup=False
            )


def _plain(answer: str) -> str:
    """Return an answer without what an input method makes of its letters (ｙ, Ｙ)."""
    return unicodedata.normalize("NFKC", answer).strip().casefold()


async def digests_of(jobs: Sequence[JobSource]) -> list[str]:
    """Return what tells the lists that are shown from others of their names; "" of one is gone."""

    def digest(path: Path) -> str:
        try:
            return sha256_of(path)
        except OSError:
            return ""

    places = [job.original or job.path for job in jobs]
    return await anyio.to_thread.run_sync(lambda: [digest(place) for place in places])


async def see_unchanged(jobs: Sequence[JobSource], shown: Sequence[str]) -> None:
    """See that what a person has agreed to is what will be read.

    Raises:
        Problem: A list has changed while the question stood there.
    """
    now = await digests_of(jobs)
    if changed := [
        job.name for job, one, other in zip(jobs, shown, now, strict=True) if one != other
    ]:
        raise Problem(remark("error.list_changed", jobs=", ".join(changed)))
