"""Logs: events with keys, one for each attempt; for a person, or as JSON for a machine.

Bill numbers and reasons appear at debug alone. Secrets and sessions are in no event, since
nothing that holds one is ever given to a log.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from k3push.core.model import Attempt, Document, Outcome, Repeat, Run, State, StepAttempt
from k3push.core.pacing.holds import Hold
from k3push.core.safety.verdict import Verdict
from k3push.runs.outcome import Ending
from k3push.words.language import harmless, harmless_json, speaker

if TYPE_CHECKING:
    from rich.console import Console
    from structlog.typing import FilteringBoundLogger, Processor

# Programs read logs.
_ENGLISH = speaker("en")

# A month of nights, and never so much that the log fills the ledger's disk.
MOST_BYTES = 10_000_000
OLD_FILES = 5


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What is logged, and where.

    Attributes:
        verbosity: 0 for nothing on the terminal, 1 for an event an attempt, 2 for one a number.
        json: Lines of JSON on standard error.
        file: Lines of JSON in this file too; from verbosity 2 at debug, else at info.
    """

    verbosity: int = 0
    json: bool = False
    file: Path | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything is logged."""
        return bool(self.verbosity or self.json or self.file)

    @property
    def level(self) -> int:
        """The least level that is logged."""
        return logging.DEBUG if self.verbosity > 1 else logging.INFO

    def check(self) -> None:
        """Raise `OSError` unless the file can be written, before anything is sent."""
        if self.file is not None:
            with open(self.file, "a", encoding="utf-8", opener=_for_owner):
                pass


class RunLog:
    """One event for whatever happens in a run. Fulfils `ports.Watch`."""

    def __init__(self, logs: Sequence[FilteringBoundLogger]) -> None:
        """Log to each of *logs*."""
        self._logs = logs

    def began(self, run: Run, numbers: int) -> None:
        """Log the beginning of an execution; later events bear its run."""
        self._logs = [log.bind(run=run.id) for log in self._logs]
        self._info("run.began", route=run.route.name, numbers=numbers)

    def ended(self, ending: Ending) -> None:
        """Log how an execution ended."""
        for cause, why in ending.causes.items():
            self._info("run.stopped", cause=cause.value, why=_ENGLISH.said(why))
        self._info("run.ended", **{k: v for k, v in ending.as_json().items() if k != "run"})

    def set_aside(self, user: str, why: str) -> None:
        """Log that the others go on without a user."""
        self._info("identity.set_aside", user=user, why=_ENGLISH.said(why))

    def concluded(
        self,
        outcomes: Sequence[Outcome],
        *,
        left: State,  # noqa: ARG002  # what they came to is what counts
    ) -> None:
        """Log numbers that have moved apart from a sending."""
        self._info("numbers.concluded", **_counted(outcomes))
        self._numbers(outcomes)

    def repeated(self, repeats: Sequence[Repeat]) -> None:
        """Log lines that list the bill of another line."""
        for log in self._logs:
            for repeat in repeats:
                log.debug("repeat", number=repeat.number, line=repeat.line, of=repeat.first_line)

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """Log an attempt."""
        self._info(
            "attempt.recorded",
            attempt=attempt.id,
            chunk=attempt.intent.chunk,
            nth=attempt.intent.nth,
            verdict=type(verdict).__name__,
            **_counted(outcomes),
            seconds=round(seconds, 2),
        )
        self._numbers(outcomes)

    def stepped(
        self,
        attempt: StepAttempt,
        documents: Sequence[Document],
        verdict: Verdict,
        seconds: float,
    ) -> None:
        """Log an attempt at a step."""
        came_to = Counter(document.follow.value or "open" for document in documents)
        self._info(
            "step.recorded",
            attempt=attempt.id,
            step=attempt.intent.step.value,
            verdict=type(verdict).__name__,
            **came_to,
            seconds=round(seconds, 2),
        )
        for log in self._logs:
            for document in documents:
                log.debug(
                    "document",
                    document=document.number or document.id,
                    follow=document.follow.value,
                    reason=_ENGLISH.said(document.reason),
                )

    def waiting(self, why: str, seconds: float) -> None:
        """Log a wait."""
        self._info("waiting", why=_ENGLISH.said(why), seconds=round(seconds, 1))

    def held(self, hold: Hold | None) -> None:
        """Log that nothing may leave, or may leave again."""
        if hold is None:
            self._info("sending.goes_on")
        else:
            self._info("sending.held", cause=hold.cause.value, why=_ENGLISH.said(hold.why))

    def _info(self, event: str, **facts: Any) -> None:
        for log in self._logs:
            log.info(event, **facts)

    def _numbers(self, outcomes: Sequence[Outcome]) -> None:
        for log in self._logs:
            for outcome in outcomes:
                log.debug(
                    "number",
                    number=outcome.number,
                    state=outcome.state.value,
                    targets=[target.number or target.id for target in outcome.targets],
                    code=outcome.code,
                    reason=_ENGLISH.said(outcome.reason),
                )


@contextmanager
def open_log(options: LogOptions, console: Console, lost: Lost) -> Iterator[RunLog]:
    """Open what a run is logged to, which may be nothing.

    Args:
        console: Standard error, which may be showing a bar.
        lost: Is told if the file can no longer be written.

    Raises:
        OSError: The file cannot be written.
    """
    if not options.wanted:
        yield RunLog([])
        return
    with open_loggers(options, console, lost) as logs:
        yield RunLog(logs)


@contextmanager
def open_loggers(
    options: LogOptions, console: Console, lost: Lost
) -> Iterator[Sequence[FilteringBoundLogger]]:
    """Open the terminal's and the file's log, as far as they are wanted."""
    import structlog  # noqa: PLC0415  # a sixth of a second that only a log pays

    filtering = structlog.make_filtering_bound_logger(options.level)
    time: list[Processor] = [
        structlog.processors.add_log_level,
        _stamped,
    ]
    as_json: list[Processor] = [*time, structlog.processors.JSONRenderer(_json)]
    for_people: list[Processor] = [
        *time,
        _to_the_second,
        _harmless_facts,
        structlog.dev.ConsoleRenderer(
            pad_event_to=0,
            pad_level=False,
            colors=console.is_terminal and not console.no_color,
        ),
    ]
    logs = []
    if options.json or options.verbosity:
        shape = as_json if options.json else for_people
        logs.append(structlog.wrap_logger(_ToConsole(console), shape, filtering))
    file = _file_log(options.file, lost) if options.file else None
    if file is not None:
        logs.append(structlog.wrap_logger(file, as_json, filtering))
    try:
        yield logs
    finally:
        for handler in file.handlers if file is not None else ():
            handler.close()


class _ToConsole:
    """Prints lines above the bar, where there is one."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def info(self, line: str) -> None:
        from rich.text import Text  # noqa: PLC0415

        self._console.print(Text.from_ansi(line), soft_wrap=True)

    debug = info


Lost = Callable[[OSError], None]
"""Is told, once, that a log can no longer be written."""


class _OwnersFile(RotatingFileHandler):
    """A log file that is turned over when it is full, readable by its owner only.

    A disk that is full ends no run: it is told once, and the rest is not logged.
    """

    def __init__(self, path: Path, lost: Lost) -> None:
        self._lost: Lost | None = lost
        super().__init__(path, maxBytes=MOST_BYTES, backupCount=OLD_FILES, encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the base's name
        """Tell of a disk that refused; anything else is as the base has it."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._tell(error)
        else:
            super().handleError(record)

    def close(self) -> None:
        """Close the file; what it could not take is lost."""
        try:
            super().close()
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if self._lost is not None:
            self._lost(error)
        self._lost = None

    def _open(self) -> IO[Any]:  # type: ignore[override]  # the base says TextIOWrapper
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_for_owner)


def _for_owner(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def warning_as_json(text: str) -> str:
    """Return a warning as a line of a JSON log."""
    return _json({"event": text, "level": "warning", "timestamp": _now()})


def _stamped(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Say when it was; structlog's own stamps of local time do not say of which zone they are."""
    event["timestamp"] = _now()
    return event


def _to_the_second(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Say when it was to the second: a terminal has few columns."""
    event["timestamp"] = datetime.fromisoformat(event["timestamp"]).isoformat(" ", "seconds")
    return event


def _now() -> str:
    return datetime.now().astimezone().isoformat()


def _json(event: object, **how: Any) -> str:
    return harmless_json(json.dumps(event, **how, ensure_ascii=False))


def _harmless_facts(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Take what a terminal would obey out of an event; its structure is the renderer's."""
    return {key: _shown(fact) for key, fact in event.items()}


def _shown(fact: object) -> object:
    match fact:
        case str():
            return harmless(fact)
        case list():
            return [_shown(each) for each in fact]
        case _:
            return fact


def _file_log(path: Path, lost: Lost) -> logging.Logger:
    # Not one of logging's global loggers, which other packages reach and which never go.
    log = logging.Logger("k3push")  # noqa: LOG001
    handler = _OwnersFile(path, lost)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.addHandler(handler)
    return log


def _counted(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {state.value: n for state, n in Counter(o.state for o in outcomes).items()}
