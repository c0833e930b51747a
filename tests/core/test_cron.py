from __future__ import annotations

import re
import sys
import zoneinfo
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import pytest

from k3push.core.cron import Cron, CronError, check_cron, zone_of
from k3push.words.language import speaker
from tests.said import english, refused


def dues(expression: str, zone: str, after: str, count: int) -> list[str]:
    """Return when a schedule is due, by the clock on the wall, with its offset."""
    cron = Cron(expression, zone_of(zone))

    def each() -> Iterator[str]:
        moment = datetime.fromisoformat(after)
        while True:
            moment = cron.next_after(moment)
            yield f"{moment:%m-%d %H:%M%z}"

    return list(islice(each(), count))


def test_a_time_that_daylight_saving_skips_is_due_right_after_the_gap() -> None:
    """A night without its run is found out in the morning, by people who wait for goods."""
    found = dues("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00+01:00", 2)
    assert found == ["03-29 03:00+0200", "03-30 02:30+0200"]


def test_a_time_that_comes_twice_is_due_once() -> None:
    """One night is one run, however long it is."""
    found = dues("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00+02:00", 2)
    assert found == ["10-25 02:30+0200", "10-26 02:30+0100"]


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("30 2 * * *", "10-26 02:30+0100"),
        ("30 1-4 * * *", "10-25 03:30+0100"),
        ("*/30 * * * *", "10-25 02:30+0100"),
    ],
)
def test_no_time_is_due_before_the_moment_that_is_asked_for(expression: str, due: str) -> None:
    """A look in the second pass of an hour began once more what was due in the first."""
    assert dues(expression, "Europe/Berlin", "2026-10-25T02:10+01:00", 1) == [due]


def test_each_half_hour_of_a_longer_night_is_due() -> None:
    """What goes by the interval and not by the clock loses and doubles nothing."""
    found = dues("*/30 * * * *", "Europe/Berlin", "2026-10-25T01:45+02:00", 5)
    assert found == [
        "10-25 02:00+0200",
        "10-25 02:30+0200",
        "10-25 02:00+0100",
        "10-25 02:30+0100",
        "10-25 03:00+0100",
    ]


def test_the_expression_goes_by_the_clock_of_its_zone() -> None:
    """Workers may run anywhere; eight in the evening is the tenant's."""
    found = dues("0 20 * * 1-5", "Asia/Shanghai", "2026-11-27T13:00+00:00", 1)
    assert found == ["11-30 20:00+0800"]


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("0 25 * * *", "bad hour"),
        ("0 20 * *", "five fields"),
        ("0 0 20 * * *", "five fields"),
        ("@daily", "five fields"),
        ("0 0 31 2 *", "bad day of the month"),
        ("0 0 1 13 *", "bad month"),
        ("0 0 * * 8", "bad weekday"),
        ("at eight in the evening", "bad minute"),
    ],
)
def test_what_is_no_cron_expression_is_told_with_the_cure(expression: str, what: str) -> None:
    """The one who wrote it has to mend it."""
    with refused(CronError, what) as raised:
        check_cron(expression)
    assert "minute hour day month weekday" in english(raised.value)
    said = speaker("zh").said(str(raised.value)).replace(expression, "")
    assert not re.search("[a-z]{2}", said)


@pytest.mark.parametrize("name", ["Asia/Peking", "", "../etc/passwd", "Beijing time"])
def test_an_unknown_time_zone_is_told_with_the_cure(name: str) -> None:
    """Shanghai is the zone of Beijing, which few know."""
    with refused(CronError, "Asia/Shanghai"):
        zone_of(name)


def test_where_the_machine_knows_no_time_zones_no_name_is_blamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On Windows, and in small images: whoever wrote Asia/Shanghai cannot mend that."""
    for module in [name for name in sys.modules if name.partition(".")[0] == "tzdata"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "tzdata", None)
    paths = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        with refused(CronError, "pip install tzdata"):
            zone_of("Asia/Shanghai")
    finally:
        zoneinfo.reset_tzpath(paths)
