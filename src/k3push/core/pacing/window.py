"""When chunks may leave, by the time of day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from k3push.core.remark import remark

_SPAN = re.compile(r"(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)")


class WindowError(ValueError):
    """The text of a window cannot be read; a remark says why."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of the day by the local clock; one that ends before it begins goes over midnight.

    Only the time that a clock on the wall shows counts, so a change to or from daylight saving
    makes a night longer or shorter, and moves neither end.

    >>> night = Window.parse("20:00-06:00")
    >>> night.holds(datetime(2026, 11, 25, 23)), night.holds(datetime(2026, 11, 25, 6))
    (True, False)
    """

    begins: time
    ends: time

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read a window, such as `20:00-06:00`; 24:00 is midnight.

        Raises:
            WindowError: If it is none, or ends where it begins.
        """
        match = _SPAN.fullmatch(text.strip())
        if match is None:
            raise WindowError(remark("window.form", text=text))
        try:
            hour, minute, last_hour, last_minute = map(int, match.groups())
            begins = time(hour, minute)
            midnight = (last_hour, last_minute) == (24, 0)
            ends = time(0) if midnight else time(last_hour, last_minute)
        except ValueError as error:
            raise WindowError(remark("window.no_time", text=text)) from error
        if begins == ends:
            raise WindowError(remark("window.empty", text=text))
        return cls(begins, ends)

    def holds(self, now: datetime) -> bool:
        """Say whether *now*, local time, lies in it; its end does not."""
        moment = now.time()
        if self.begins < self.ends:
            return self.begins <= moment < self.ends
        return moment >= self.begins or moment < self.ends

    def next_edge(self, now: datetime) -> datetime:
        """Return when it next begins or, where *now* lies in it, when it ends.

        >>> Window.parse("20:00-06:00").next_edge(datetime(2026, 11, 25, 23))
        datetime.datetime(2026, 11, 26, 6, 0)
        """
        edge = self.ends if self.holds(now) else self.begins
        today = datetime.combine(now.date(), edge, now.tzinfo)
        return today if today > now else today + timedelta(days=1)
