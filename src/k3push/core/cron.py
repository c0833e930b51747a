"""When a schedule is due: a cron expression, read in a time zone.

Where daylight saving begins and skips a time, a job of that time is due right after the gap;
where it ends and a time comes twice, a job of a fixed hour is due once, at the first of the two.
That is what Debian's cron does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from k3push.core.remark import remark

FIELDS = 5

# As cronsim calls them.
_FIELDS = {"minute", "hour", "day-of-month", "month", "day-of-week"}

_BEGIN = datetime(2026, 1, 1)  # noqa: DTZ001  # any moment does, to read an expression


class CronError(ValueError):
    """The text is no cron expression, or names no time zone; a remark says why."""


@lru_cache(maxsize=256)  # thousands of tenants have a few
def check_cron(expression: str) -> None:
    """Read an expression.

    Raises:
        CronError: It is none, or never due.
    """
    if len(expression.split()) != FIELDS:
        raise CronError(remark("cron.form", text=expression))
    try:
        next(CronSim(expression, _BEGIN))
    except CronSimError as error:
        why = str(error).lower()
        if (field := why.removeprefix("bad ")) in _FIELDS:
            why = remark(f"cron.field.{field}")
        raise CronError(remark("cron.bad", text=expression, why=why)) from error
    except StopIteration:
        raise CronError(remark("cron.never", text=expression)) from None


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        CronError: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if not _knows_zones():
            raise CronError(remark("cron.no_zones", name=name)) from None
        raise CronError(remark("cron.zone", name=name)) from None


def _knows_zones() -> bool:
    """Say whether this machine has a list of time zones; Windows and small images have none."""
    try:
        ZoneInfo.no_cache("UTC")
    except (ZoneInfoNotFoundError, OSError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule.

    Attributes:
        expression: Minute, hour, day, month, weekday; `check_cron` has passed it.
        zone: Whose clock it is read by.
    """

    expression: str
    zone: ZoneInfo

    def next_after(self, moment: datetime) -> datetime:
        """Return when it is due next.

        >>> night = Cron("30 2 * * *", ZoneInfo("Europe/Berlin"))
        >>> night.next_after(datetime.fromisoformat("2026-03-29T00:00+01:00")).isoformat()
        '2026-03-29T03:00:00+02:00'
        """
        # Within the second pass of an hour that comes twice, cronsim begins with the first pass.
        after = moment.astimezone(UTC)
        found = CronSim(self.expression, moment.astimezone(self.zone))
        return next(due for due in found if due.astimezone(UTC) > after)
