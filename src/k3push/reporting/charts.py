"""Pictures of a run as SVG, which prints well and needs no library and no network.

All of them share one time axis, in which an idle hour takes no more room than an idle minute:
a run that was resumed the next morning would otherwise be two dots.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 26
BINS = 120
TICKS = 6


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
        for before, moment in zip(self._moments, self._moments[1:], strict=False):
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
            for before, moment, at, place in zip(
                self._moments, self._moments[1:], self._places, self._places[1:], strict=False
            )
            if (moment - before) > timedelta(seconds=place - at + 0.001)
        ]


def stacked(axis: TimeAxis, series: Sequence[Series], title: str) -> str:
    """Draw areas upon one another."""
    tops: list[list[float]] = []
    below = [0.0] * BINS
    for each in series:
        below = [low + (value or 0) for low, value in zip(below, each.values, strict=True)]
        tops.append(below)
    most = nice(max(below, default=0))
    shapes = []
    floor = [0.0] * BINS
    for each, top in zip(series, tops, strict=True):
        there = [_point(index, value, most) for index, value in enumerate(top)]
        back = [_point(index, value, most) for index, value in reversed(list(enumerate(floor)))]
        shapes.append(f'<polygon class="area {each.colour}" points="{" ".join(there + back)}"/>')
        floor = top
    return _figure(axis, series, title, most, "".join(shapes))


def lines(axis: TimeAxis, series: Sequence[Series], title: str) -> str:
    """Draw lines; a bin without a value leaves a gap."""
    most = nice(max((value or 0 for each in series for value in each.values), default=0))
    shapes = []
    for each in series:
        known = [(index, value) for index, value in enumerate(each.values) if value is not None]
        for part in _unbroken(known):
            points = " ".join(_point(index, value, most) for index, value in part)
            shapes.append(f'<polyline class="line {each.colour}" points="{points}"/>')
            if len(part) == 1:
                x, y = points.split(",")
                shapes.append(f'<circle class="dot {each.colour}" cx="{x}" cy="{y}" r="2.5"/>')
    return _figure(axis, series, title, most, "".join(shapes))


def nice(value: float) -> float:
    """Return a round number that is at least *value*, and at least 1.

    >>> [nice(value) for value in (0, 3, 11, 260, 99_000)]
    [1, 5, 20, 500, 100000]
    """
    if value <= 1:
        return 1
    unit: float = 10 ** math.floor(math.log10(value))
    return next(step * unit for step in (1, 2, 5, 10) if step * unit >= value)


def _point(index: int, value: float, most: float) -> str:
    x = LEFT + (index + 0.5) / BINS * (WIDTH - LEFT - RIGHT)
    y = TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM)
    return f"{x:.1f},{y:.1f}"


def _unbroken(points: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    parts: list[list[tuple[int, float]]] = []
    for point in points:
        if parts and point[0] == parts[-1][-1][0] + 1:
            parts[-1].append(point)
        else:
            parts.append([point])
    return parts


def _figure(axis: TimeAxis, series: Sequence[Series], title: str, most: float, shapes: str) -> str:
    legend = "".join(
        f'<span class="key"><i class="swatch {each.colour}"></i>{escape(each.name)}</span>'
        for each in series
        if each.name != title
    )
    return (
        f"<figure><figcaption>{escape(title)} {legend}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{_grid(axis, most)}{shapes}</svg></figure>"
    )


def _grid(axis: TimeAxis, most: float) -> str:
    parts = []
    for share in (0, 0.5, 1):
        y = TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text class="y" x="{LEFT - 6}" y="{y + 4}">{most * share:,.6g}</text>')
    form = "%H:%M:%S" if axis.seconds < TICKS * 60 else "%H:%M"
    for tick in range(TICKS):
        place = tick / (TICKS - 1)
        x = LEFT + place * (WIDTH - LEFT - RIGHT)
        anchor = "start" if tick == 0 else "end" if tick == TICKS - 1 else "middle"
        words = axis.moment(place).astimezone().strftime(form)
        parts.append(
            f'<text class="x" x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{words}</text>'
        )
    for place in axis.cuts():
        x = LEFT + place * (WIDTH - LEFT - RIGHT)
        parts.append(
            f'<line class="cut" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        )
    return "".join(parts)
