"""What is typed into values, with the cure where it cannot be read."""

from __future__ import annotations

import gc
import re
import signal
from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta

import typer

from k3push.core.control_words import Key, size_of
from k3push.words.language import Say

GARBAGE_AFTER = 10_000
"""How many new objects a search for garbage waits for; Python's own 700 cost some 3 % of a run."""

LONGEST_H = 7 * 24
"""The longest execution that an option may ask for, in hours: a week."""

LARGEST_COUNT = 1_000_000_000
"""More numbers than any list has; an option that counts numbers takes no more."""

_DAYS_BACK = re.compile(r"today(?:-([0-9]{1,5}))?")
_DURATION = re.compile(r"(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")


def parse_duration(text: str, say: Say) -> timedelta:
    """Read a duration.

    >>> parse_duration("1h30m", Say("en"))
    datetime.timedelta(seconds=5400)
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise typer.BadParameter(say("error.bad_duration", text=text))
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    duration = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < duration <= timedelta(hours=LONGEST_H):
        raise typer.BadParameter(say("error.long_duration", text=text, most=LONGEST_H))
    return duration


def parse_time(text: str, say: Say, option: str) -> time:
    """Read a time of day that an option names.

    >>> parse_time("06:00", Say("en"), "--at")
    datetime.time(6, 0)
    """
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007  # a time alone
    except ValueError as error:
        raise typer.BadParameter(say("error.bad_time", option=option, text=text)) from error


def parse_until(text: str, now: datetime, say: Say) -> datetime:
    """Read a time of day, today or, if that is over, tomorrow, as the clock of this machine shows.

    >>> f"{parse_until('06:00', datetime(2026, 11, 25, 22, 0).astimezone(), Say('en')):%d %H:%M}"
    '26 06:00'
    """
    at = parse_time(text, say, "--until")
    days = (now.date(), now.date() + timedelta(days=1))
    return next(until for day in days for until in _by_the_clock(day, at) if until > now)


def parse_since(text: str, now: datetime, say: Say) -> datetime:
    """Read a day, counted back from today or written out; it begins at midnight.

    >>> now = datetime(2026, 11, 25, 22, 0).astimezone()
    >>> [f"{parse_since(text, now, Say('en')):%d %H:%M}" for text in ("today-1", "2026-11-01")]
    ['24 00:00', '01 00:00']
    """
    match = _DAYS_BACK.fullmatch(text.strip().lower())
    try:
        day = now.date() - timedelta(days=int(match[1] or 0)) if match else date.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(say("audit.bad_since", text=text)) from error
    try:
        return _by_the_clock(day, time.min)[0]
    except (OverflowError, OSError, ValueError) as error:  # years that no system's clock knows
        raise typer.BadParameter(say("audit.bad_since", text=text)) from error


def _by_the_clock(day: date, at: time) -> list[datetime]:
    """Return the moments at which this machine's clock shows a time: two, where it is set back.

    The offset from UTC is that of the day, which differs from today's after a change of the clock.
    A time that the clock passes over (02:30 where 02:00 is followed by 03:00) becomes 03:30.
    """
    shown = datetime.combine(day, at)
    found = dict.fromkeys(shown.replace(fold=fold).astimezone() for fold in (0, 1))
    return [moment for moment in found if moment.replace(tzinfo=None) >= shown]


def parse_size(text: str | None, key: Key, say: Say) -> int | None:
    """Read a quantity as the settings take it; "auto" and None leave it to them.

    >>> parse_size("50", Key.CHUNK_SIZE, Say("en"))
    50
    """
    if text is None:
        return None
    try:
        return size_of(text, key)
    except ValueError as error:
        raise typer.BadParameter(say("error.bad_size", key=key, text=text, why=error)) from error


def awaited(act: Callable[[], Awaitable[int]]) -> int:
    """Run an async command on an event loop of its own."""
    import anyio  # noqa: PLC0415

    async def awaited() -> int:
        return await act()

    # What was imported stays, and no search for garbage among many rows needs to look at it.
    # What comes after it is mostly rows, which are in no cycle.
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    if callable(signal.getsignal(signal.SIGINT)):
        # The loop takes Python's own handler as leave to end by Ctrl-C what is awaited.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return anyio.run(awaited)
