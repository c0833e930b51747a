"""What is known of a server: the costs of a call, a look and a number, and how many it serves.

A push of *n* numbers with *c* calls at once is taken to last

    (call_s + number_s × n) × (far + (1 - far) × max(1, c / knee) ** power)

Up to the knee calls do not slow one another down. Beyond it, a server with a fixed number of
workers makes calls wait in proportion (power 1, Little's law), and one that suffers from the crowd
gets less done the more calls there are (power above 1, the retrograde part of Gunther's universal
scalability law). A part of the time (*far*) is spent on the network, and does not grow.

All samples go into one fit, whatever their sizes and calls at once: the costs follow from the
knee by weighted least squares, and the knees that are possible are gone through one by one. Each
keeps a weight by how well it explains what was seen, so that few samples leave many knees possible,
and the calls at once are chosen for all of them together: for the least expected logarithm of the
time, so that a server that takes ten times as long counts no more than its share.

The first evidence of a knee costs nothing: the two looks before a push are made at the same time.
Where they take as long as two that are made one after the other, calls wait for one another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Samples whose calls and sizes differ by less than this are taken together.
STEP = 1.3
MOST_CALLS = 64
_STEPS = math.ceil(math.log(MOST_CALLS) / math.log(STEP))
KNEES = (*(STEP**nth for nth in range(_STEPS)), math.inf)
# Calls at once that are compared.
LEVELS = sorted({min(MOST_CALLS, round(STEP**nth)) for nth in range(_STEPS + 1)})
# Ways in which a crowd may slow a server down: the part of a time that does not grow with it,
# which is the network's; the power with which the rest grows; and how likely that is before
# anything is seen.
SHAPES = ((0.0, 1.0, 0.4), (0.0, 1.5, 0.2), (0.0, 2.0, 0.2), (0.75, 1.0, 0.2))

# Prior weight of "no knee", where each knee has weight 1.
UNMET = 6.0

# Samples of one kind that count at most, so that what is newer outweighs what is older.
MEMORY = 8.0

# The assumed relative spread of samples before it was measured, and how many samples that
# assumption is worth.
VARIES = 0.3
BELIEVED = 4.0

# Servers that explain what was seen with less than this chance are passed over.
UNLIKELY = 1e-4

# The comparison of two simultaneous looks with a single one counts as this many samples. Its misfit
# is capped (in units of the variance), since a look may be slow for other reasons.
PAIR_TELLS = 2.0
PAIR_MISSES = 9.0

# What the model leaves out, as a part of a time.
MISS = 0.05


@dataclass(frozen=True, slots=True)
class FittedServer:
    """A server as one fit has it; times in seconds.

    Attributes:
        call_s: What a push costs besides its numbers.
        number_s: What each of its numbers costs.
        look_s: What the looks before and after a push take.
        knee: Calls at once up to which none slows another down.
        power: How steeply they do beyond.
        far: The part of a time that no crowd makes longer.
    """

    call_s: float
    number_s: float
    look_s: float = 0.0
    knee: float = math.inf
    power: float = 1.0
    far: float = 0.0

    def slowed(self, calls: float) -> float:
        """Say how many times longer all takes with so many calls at once.

        >>> FittedServer(1, 1, knee=4).slowed(8)
        2.0
        """
        return _slowed(calls, self.knee, self.far, self.power)

    def push_s(self, calls: int, numbers: float) -> float:
        """Say how long a push takes."""
        return (self.call_s + self.number_s * numbers) * self.slowed(calls)

    def chunk_s(self, calls: int, numbers: float) -> float:
        """Say how long a chunk takes with its looks."""
        return (self.call_s + self.look_s + self.number_s * numbers) * self.slowed(calls)

    def rest_s(self, numbers: float, calls: int, size: float) -> float:
        """Say how long some numbers take, in chunks of a size: as long as one chunk at least."""
        chunks = max(1.0, numbers / (calls * size))
        return self.chunk_s(calls, max(1.0, numbers / calls) / chunks) * chunks

    @property
    def per_call(self) -> float:
        """How many numbers cost as much as a call and its looks."""
        return (self.call_s + self.look_s) / self.number_s


@dataclass(frozen=True, slots=True)
class Learnt:
    """What an execution has found, for the next one.

    Attributes:
        server: As the last fit had it.
        tried: Most calls at once whose worth is known.
    """

    server: FittedServer
    tried: int


@dataclass(slots=True)
class _Cell:
    """Samples of about the same calls at once and size."""

    weight: float
    calls: float
    numbers: float
    log_s: float
    looks_s: float
    squares: float = 0.0

    def add(
        self, weight: float, calls: float, numbers: float, log_s: float, looks_s: float
    ) -> None:
        self.weight = min(self.weight + weight, MEMORY)
        part = weight / self.weight
        self.calls += part * (calls - self.calls)
        self.numbers += part * (numbers - self.numbers)
        apart = log_s - self.log_s
        self.log_s += part * apart
        self.looks_s += part * (looks_s - self.looks_s)
        self.squares = min(1.0, (MEMORY - weight) / MEMORY) * self.squares + (
            (1 - part) * weight * apart * apart
        )


class ServerModel:
    """Takes samples in, and says what the server is like.

    >>> model = ServerModel()
    >>> for calls, numbers in ((1, 1), (1, 9), (4, 20)):
    ...     model.add(calls, numbers, push_s=0.5 + 0.1 * numbers, looks_s=0.2)
    >>> server = model.fit()
    >>> round(server.call_s, 2), round(server.number_s, 2)
    (0.5, 0.1)
    """

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._cells: dict[tuple[int, int], _Cell] = {}
        self._fresh: set[tuple[int, int]] = set()
        self._fits: list[tuple[float, FittedServer]] = []
        self._slowed: dict[int, float] = {}
        self._pair: float | None = None
        self.missed = 0.0
        self.server = FittedServer(0.0, 1.0)

    def add(
        self, calls: int, numbers: int, push_s: float, looks_s: float, weight: float = 1.0
    ) -> None:
        """Take in a push of *numbers* that travelled with *calls* at once, and its looks."""
        push_s = max(push_s, 1e-6)
        key = (round(math.log(calls, STEP)), round(math.log(numbers, STEP)))
        self._fresh.add(key)
        cell = self._cells.get(key)
        if cell is None:
            self._cells[key] = _Cell(weight, calls, numbers, math.log(push_s), looks_s)
        else:
            cell.add(weight, calls, numbers, math.log(push_s), looks_s)
        self._fits = []

    def compare_looks(self, both_s: float, alone_s: float) -> None:
        """Take in how long two looks took at the same time, and how long one takes alone."""
        if both_s > 0 and alone_s > 0:
            self._pair = math.log(both_s / alone_s)

    def recall(self, server: FittedServer, calls: int, weight: float) -> None:
        """Take for seen what an earlier execution has found, up to so many calls at once."""
        fresh = set(self._fresh)
        knees = (server.knee, 2 * server.knee) if server.knee < math.inf else ()
        for each in {1, calls, *(round(knee) for knee in knees if knee <= calls)}:
            for numbers in (1, 50):
                looks_s = server.look_s * server.slowed(each)
                self.add(each, numbers, server.push_s(each, numbers), looks_s, weight)
        self._fresh = fresh

    def fade(self, left: float) -> None:
        """Leave a part of the weight of all that was seen; what is next to nothing is forgotten."""
        for key, cell in list(self._cells.items()):
            if key in self._fresh:
                continue
            cell.weight *= left
            if cell.weight < 1 / MEMORY:
                del self._cells[key]
        self._fresh.clear()

    def forget_above(self, calls: int) -> None:
        """Forget what was seen with more calls at once, and what the looks told of them."""
        self._pair = None
        kept = {key: cell for key, cell in self._cells.items() if cell.calls <= calls}
        self._cells = kept or self._cells

    def fit(self) -> FittedServer:
        """Return what explains the samples best, and keep how well all others do."""
        cells = list(self._cells.values())
        squares = BELIEVED * VARIES**2 + sum(cell.squares for cell in cells)
        varies = squares / (BELIEVED + sum(max(0.0, cell.weight - 1) for cell in cells))
        trusted = [(cell, 1 / (varies / cell.weight + MISS**2)) for cell in cells]
        found = [
            (miss + self._miss_of_pair(server, varies), likely, server)
            for miss, likely, server in self._candidates(trusted)
        ]
        # Of knees that fit equally well, the highest one counts, since no knee was met.
        least, _, self.server = min(found, key=lambda each: (round(each[0], 6), -each[2].knee))
        fresh = [each for key, each in zip(self._cells, trusted, strict=True) if key in self._fresh]
        self.missed = sum(w * _off(cell, self.server) ** 2 for cell, w in fresh) / max(
            1, len(fresh)
        )
        self._slowed.clear()
        likely = [(each * math.exp((least - miss) / 2), server) for miss, each, server in found]
        total = sum(each for each, _ in likely)
        self._fits = [(each / total, server) for each, server in likely if each > UNLIKELY * total]
        return self.server

    def _miss_of_pair(self, server: FittedServer, varies: float) -> float:
        if self._pair is None:
            return 0.0
        off = self._pair - math.log(server.slowed(2))
        return min(PAIR_MISSES, PAIR_TELLS * off**2 / (varies + MISS**2))

    def slowed(self, calls: int) -> float:
        """Return how many times longer all is expected to take with so many calls at once."""
        if calls not in self._slowed:
            slowed = sum(likely * server.slowed(calls) for likely, server in self._fits)
            self._slowed[calls] = slowed
        return self._slowed[calls]

    def expected(
        self, calls: int, size: float, left: int, other: Sequence[int], then: float
    ) -> float:
        """Return the expected logarithm of the time that the rest of a list takes.

        After one round with *calls* at once, the best setting is known and used for the rest. So a
        try that fails costs one round, and one that succeeds speeds up the whole rest.

        Args:
            calls: At once, in a round.
            size: Numbers in each of them.
            left: Numbers that are still to be sent.
            other: Calls at once that the rest may go with as well.
            then: Numbers in each call of the rest.
        """
        after = left - calls * size
        expected = 0.0
        for likely, server in self._fits:
            took_s = server.chunk_s(calls, size)
            if after > 0:
                took_s += min(server.rest_s(after, each, then) for each in (calls, *other))
            expected += likely * math.log(took_s)
        return expected

    def _candidates(
        self, cells: list[tuple[_Cell, float]]
    ) -> Iterator[tuple[float, float, FittedServer]]:
        """Return for each server that is possible how it misses the samples, and its chance."""
        most = max(cell.calls for cell, _ in cells)
        # All knees beyond the samples fit equally well.
        unmet = _costs(cells, math.inf, 0.0, 1.0)
        for knee in KNEES:
            for far, power, likely in SHAPES:
                costs = unmet if knee >= most else _costs(cells, knee, far, power)
                miss, call_s, number_s, looks_s = costs
                chance = likely * (UNMET if knee == math.inf else 1.0)
                yield miss, chance, FittedServer(call_s, number_s, looks_s, knee, power, far)


def _off(cell: _Cell, server: FittedServer) -> float:
    """Say by how much the mean of some samples is off, as a log."""
    expected_s = (server.call_s + server.number_s * cell.numbers) * server.slowed(cell.calls)
    return cell.log_s - math.log(expected_s)


def _slowed(calls: float, knee: float, far: float, power: float) -> float:
    crowded: float = max(1.0, calls / knee) ** power
    return far + (1 - far) * crowded


def _costs(
    cells: list[tuple[_Cell, float]], knee: float, far: float, power: float
) -> tuple[float, float, float, float]:
    """Return by how much a knee misses the samples at its best, and the costs that go with it.

    These are what a call costs, a number, and the looks of a push.

    The errors are relative, since times vary in proportion.
    """
    uu = uv = vv = u1 = v1 = total = looks_s = weight = 0.0
    for cell, w in cells:
        slowed = _slowed(cell.calls, knee, far, power)
        looks_s += cell.weight * cell.looks_s / slowed
        weight += cell.weight
        u = slowed / math.exp(cell.log_s)
        v = u * cell.numbers
        uu += w * u * u
        uv += w * u * v
        vv += w * v * v
        u1 += w * u
        v1 += w * v
        total += w
    det = uu * vv - uv * uv
    call_s, number_s = 0.0, v1 / vv
    if det > 1e-6 * uu * vv:
        call_s, number_s = (u1 * vv - v1 * uv) / det, (v1 * uu - u1 * uv) / det
        if call_s < 0:
            call_s, number_s = 0.0, v1 / vv
        elif number_s <= 0:
            call_s, number_s = u1 / uu, 0.0
    miss = (
        total
        - 2 * (call_s * u1 + number_s * v1)
        + call_s**2 * uu
        + 2 * call_s * number_s * uv
        + number_s**2 * vv
    )
    # A number is never free.
    return max(0.0, miss), call_s, max(number_s, call_s / 1000, 1e-9), looks_s / weight
