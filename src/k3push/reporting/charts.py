"""Figures of a run, laid out for SVG, which prints well and needs no library and no network.

All of them share one time axis, in which an idle hour takes no more room than an idle minute:
a run that was resumed the next morning would otherwise be two dots.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import ClassVar, Literal

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 26
BINS = 120
TICKS = 5


@dataclass(frozen=True, slots=True)
class Series:
    """One line or area.

    Attributes:
        name: As the legend calls it.
        colour: Name of its class in the style sheet.
        values: One for each bin; None leaves a gap.
    """

    name: str
    colour: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn of one series: an SVG path, filled or not."""

    kind: Literal["area", "bar", "line"]
    colour: str
    path: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A word on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure, in the units of its SVG.

    Attributes:
        series: For the legend.
        shapes: In the order in which they are drawn.
        levels: Words on the vertical axis.
        ticks: Words on the time axis.
        cuts: Where idle time was cut.
    """

    width: ClassVar = WIDTH
    height: ClassVar = HEIGHT
    left: ClassVar = LEFT
    right: ClassVar = WIDTH - RIGHT
    top: ClassVar = TOP
    bottom: ClassVar = HEIGHT - BOTTOM

    title: str
    series: Sequence[Series]
    shapes: Sequence[Drawing]
    levels: Sequence[Mark]
    ticks: Sequence[Mark]
    cuts: Sequence[float]


class TimeAxis:
    """Moments into places from 0 to 1, with long idle times cut short.

    >>> noon = datetime(2026, 11, 25, 12)
    >>> axis = TimeAxis([noon, noon + timedelta(seconds=60), noon + timedelta(hours=9)])
    >>> [round(axis.place(noon + timedelta(seconds=s)), 2) for s in (0, 60, 9 * 3600)]
    [0.0, 0.5, 1.0]
    >>> axis.moment(0.5) == noon + timedelta(seconds=60)
    True
    """

    def __init__(self, moments: Sequence[datetime], longest_idle_s: float = 60.0) -> None:
        """Lay out *moments*, at least one, in any order."""
        self._moments = sorted(moments)
        self._places = [0.0]
        for before, moment in pairwise(self._moments):
            idle_s = min((moment - before).total_seconds(), longest_idle_s)
            self._places.append(self._places[-1] + idle_s)

    @property
    def seconds(self) -> float:
        """How long it is, idle times cut."""
        return self._places[-1]

    def place(self, moment: datetime) -> float:
        """Return where *moment* stands; one outside stands at the nearer end."""
        at = bisect_right(self._moments, moment)
        if at == 0 or not self.seconds:
            return 0.0
        if at == len(self._moments):
            return 1.0
        before, after = self._moments[at - 1], self._moments[at]
        share = (moment - before) / (after - before)
        place = self._places[at - 1] + share * (self._places[at] - self._places[at - 1])
        return place / self.seconds

    def moment(self, place: float) -> datetime:
        """Return the moment that stands at *place*."""
        wanted = place * self.seconds
        at = min(bisect_right(self._places, wanted), len(self._places) - 1)
        if at == 0:
            return self._moments[0]
        width = self._places[at] - self._places[at - 1]
        share = (wanted - self._places[at - 1]) / width if width else 1.0
        return self._moments[at - 1] + share * (self._moments[at] - self._moments[at - 1])

    def bin(self, moment: datetime) -> int:
        """Return the bin of *moment*, from 0 to `BINS` - 1."""
        return min(int(self.place(moment) * BINS), BINS - 1)

    def cuts(self) -> list[float]:
        """Return the places at which idle time was cut."""
        return [
            place / self.seconds
            for (before, at), (moment, place) in pairwise(
                zip(self._moments, self._places, strict=True)
            )
            if (moment - before) > timedelta(seconds=place - at + 0.001)
        ]


def stacked(axis: TimeAxis, series: Sequence[Series], title: str) -> Chart:
    """Draw counts as areas upon one another."""
    tops: list[list[float]] = []
    below = [0.0] * BINS
    for each in series:
        below = [low + (value or 0) for low, value in zip(below, each.values, strict=True)]
        tops.append(below)
    most = nice(max(1, *below))
    shapes = []
    floor = [0.0] * BINS
    for each, top in zip(series, tops, strict=True):
        there = [_point(index, value, most) for index, value in enumerate(top)]
        back = [_point(index, value, most) for index, value in reversed(list(enumerate(floor)))]
        shapes.append(Drawing("area", each.colour, f"M{'L'.join(there + back)}Z"))
        floor = top
    return _chart(axis, series, title, most, shapes, whole=True)


def bars(axis: TimeAxis, series: Series, title: str) -> Chart:
    """Draw counts, a bar for each bin that has any."""
    most = nice(max(1, *(value or 0 for value in series.values)))
    path = "".join(
        f"M{_x(index / BINS)},{_y(0)}V{_y(value / most)}H{_x((index + 1) / BINS)}V{_y(0)}Z"
        for index, value in enumerate(series.values)
        if value
    )
    return _chart(axis, [series], title, most, [Drawing("bar", series.colour, path)], whole=True)


def lines(axis: TimeAxis, series: Sequence[Series], title: str) -> Chart:
    """Draw quantities as lines; a bin without a value leaves a gap."""
    most = nice(max(value or 0 for each in series for value in each.values))
    shapes = []
    for each in series:
        path = ""
        for index, (before, value) in enumerate(pairwise([None, *each.values])):
            if value is not None:
                # A line of no length is a dot, since its ends are round.
                point = _point(index, value, most)
                path += f"M{point}h0" if before is None else f"L{point}"
        shapes.append(Drawing("line", each.colour, path))
    return _chart(axis, series, title, most, shapes, whole=False)


def nice(value: float) -> float:
    """Return a round number that is at least *value*; 1 for nothing.

    >>> [nice(value) for value in (0, 0.25, 3, 11, 260, 99_000)]
    [1, 0.5, 5, 20, 500, 100000]
    """
    if not value:
        return 1
    unit: float = 10 ** math.floor(math.log10(value))
    return next((step * unit for step in (1, 2, 5) if step * unit >= value), 10 * unit)


def _point(index: int, value: float, most: float) -> str:
    return f"{_x((index + 0.5) / BINS)},{_y(value / most)}"


def _chart(
    axis: TimeAxis,
    series: Sequence[Series],
    title: str,
    most: float,
    shapes: Sequence[Drawing],
    *,
    whole: bool,
) -> Chart:
    """Lay out a figure whose vertical axis ends at *most*; that of counts has *whole* numbers."""
    places = [tick / (TICKS - 1) for tick in range(TICKS)]
    levels = [share for share in (0.0, 0.5, 1.0) if not whole or (most * share).is_integer()]
    return Chart(
        title,
        series,
        shapes,
        levels=[Mark(_y(share), f"{most * share:,.6g}") for share in levels],
        ticks=[Mark(_x(at), _clock(axis.moment(at), axis.seconds)) for at in places],
        cuts=[_x(at) for at in axis.cuts()],
    )


def _clock(moment: datetime, span_s: float) -> str:
    """Return a time of day, so exact that no two ticks of an axis of *span_s* seconds are one."""
    local = moment.astimezone()
    if span_s >= TICKS * 60:
        return f"{local:%H:%M}"
    if span_s >= TICKS:
        return f"{local:%H:%M:%S}"
    return f"{local:%H:%M:%S.%f}"[:-4]


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(share: float) -> float:
    return round(TOP + (1 - share) * (HEIGHT - TOP - BOTTOM), 1)
