"""What is typed into values, with the cure where it cannot be read."""

from __future__ import annotations

import gc
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import typer

GARBAGE_AFTER = 10_000
"""How many new objects a search for garbage waits for; Python's own 700 cost some 3 % of a run."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_duration(text: str) -> timedelta:
    """Read a duration.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise typer.BadParameter(f"{text!r}: use 90s, 30m, 2h or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def parse_until(text: str, now: datetime) -> datetime:
    """Read a time of day, today or, if that is over, tomorrow.

    >>> parse_until("06:00", datetime(2026, 11, 25, 22, 0))
    datetime.datetime(2026, 11, 26, 6, 0)
    """
    try:
        time = datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007  # a time alone
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: use HH:MM, such as 06:00") from error
    until = datetime.combine(now.date(), time, now.tzinfo)
    return until if until > now else until + timedelta(days=1)


def parse_size(text: str | None) -> int | None:
    """Read a number that is at least 1; "auto" and None leave it to the settings.

    >>> parse_size("50"), parse_size("auto")
    (50, None)
    """
    if text is None or text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise typer.BadParameter(f"{text!r}: use a number of at least 1, or auto")
    return int(text)


def awaited(act: Callable[[], Awaitable[int]]) -> int:
    """Run an async command on an event loop of its own."""
    import anyio  # noqa: PLC0415

    async def awaited() -> int:
        return await act()

    # What was imported stays, and no search for garbage among many rows needs to look at it.
    # What comes after it is mostly rows, which are in no cycle.
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
    return anyio.run(awaited)
