"""What may change while a run goes: calls at once, numbers in each, and whether anything leaves.

Two may steer: the automatic pace, which advises, and a person, whose word stands until they
say `auto`. Neither touches a chunk that is on its way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import anyio

from k3push.core.control_words import Key
from k3push.core.pacing.bounds import MOST_CHUNK_SIZE
from k3push.core.pacing.holds import Hold, HoldCause, outside
from k3push.core.pacing.phases import FIRST_CHUNK_SIZE, FIRST_CONCURRENCY
from k3push.core.pacing.time_left import CALLS_A_CHUNK, TimeLeft
from k3push.core.pacing.window import Window
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.ports import Clock

# The time of day may be set, and daylight saving begins and ends, while an edge of the window
# is waited for.
CLOCK_LOOK_S = 30.0

# One in this many of the calls at once may be a look of one kind.
CALLS_A_LOOK = 4


@dataclass(slots=True)
class _Dial:
    """One quantity: what a person fixed, else what is advised."""

    advised: int
    fixed: int | None

    @property
    def value(self) -> int:
        return self.advised if self.fixed is None else self.fixed


class Throttle:
    """How one execution is driven, by whoever holds it; every change is seen at once."""

    def __init__(
        self,
        clock: Clock,
        *,
        concurrency: int | None = None,
        chunk_size: int | None = None,
        calls_per_minute: int = 0,
        window: Window | None = None,
    ) -> None:
        """Begin as the settings say.

        Args:
            clock: For the window and the times of a hold.
            concurrency: Chunks on their way at once, or None for auto.
            chunk_size: Numbers in each, or None for auto.
            calls_per_minute: Calls to the ERP that may begin in a minute; 0 is no limit. A person
                who sets `auto` returns to this number.
            window: When chunks may leave; None is always.
        """
        self._clock = clock
        self._window = window
        self._dials: Mapping[Key, _Dial] = {
            Key.CONCURRENCY: _Dial(FIRST_CONCURRENCY, concurrency),
            Key.CHUNK_SIZE: _Dial(FIRST_CHUNK_SIZE, chunk_size),
            Key.CALLS_PER_MINUTE: _Dial(calls_per_minute, None),
        }
        self._paused: Hold | None = None
        self._spared: Hold | None = None
        self._spared_until_s = -math.inf
        self._changed = anyio.Event()
        self._foresees: Callable[[int], TimeLeft | None] = lambda _: None

    # -- what holds now -----------------------------------------------------------------------

    def __getitem__(self, key: Key) -> int:
        """Return the present value."""
        return self._dials[key].value

    def fixed(self, key: Key) -> int | None:
        """Return what a person has fixed; None is `auto`."""
        return self._dials[key].fixed

    @property
    def looks_at_once(self) -> int:
        """How many of the calls at once may be looks of one kind: the pushes are to go on."""
        return max(1, self[Key.CONCURRENCY] // CALLS_A_LOOK)

    @property
    def questions_at_once(self) -> int:
        """How many questions the chunks on their way make of one look each."""
        return self[Key.CONCURRENCY] * math.ceil(self[Key.CHUNK_SIZE] / MOST_NUMBERS)

    @property
    def hold(self) -> Hold | None:
        """What keeps chunks from leaving, or None."""
        if self._paused is not None:
            return self._paused
        if self._window is not None and (hold := outside(self._window, self._clock.now())):
            return hold
        return self._spared if anyio.current_time() < self._spared_until_s else None

    def time_left(self, left: int, by_rate: TimeLeft | None) -> TimeLeft | None:
        """Say how long *left* numbers take at the present pace; None where nothing has told yet.

        The model of the server tells it, or else the rate. Under a limit on calls in a minute
        neither knows how long calls will wait for their turns: the range is then from the lower of
        the two to the higher, and no less than what the fewest possible calls take.

        Args:
            left: Numbers that are still to be sent.
            by_rate: How long they take at the rate of late, where that is known.
        """
        foreseen, limit = self._foresees(left), self[Key.CALLS_PER_MINUTE]
        known = [each for each in (foreseen, by_rate) if each is not None]
        if not (limit and known):
            return foreseen or by_rate
        size = self.fixed(Key.CHUNK_SIZE) or MOST_CHUNK_SIZE
        fewest_s = CALLS_A_CHUNK * left / size * 60 / limit
        least_s = max(fewest_s, min(each.least_s for each in known))
        return TimeLeft(least_s, max(least_s, *(each.most_s for each in known)))

    async def changed(self) -> None:
        """Wait until something is steered, or a hold may have begun or ended by itself."""
        event = self._changed
        now_s = anyio.current_time()
        ends_s = self._spared_until_s if self._spared_until_s > now_s else math.inf
        if self._window is not None:
            now = self._clock.now()
            left_s = (self._window.next_edge(now) - now).total_seconds()
            ends_s = min(ends_s, now_s + min(left_s, CLOCK_LOOK_S))
        with anyio.CancelScope(deadline=ends_s):
            await event.wait()

    # -- who steers ---------------------------------------------------------------------------

    def advise(self, key: Key, value: int) -> None:
        """Take the automatic pace's word; it counts while no person has fixed the value."""
        self._dials[key].advised = value
        self._change()

    def foresee(self, foresees: Callable[[int], TimeLeft | None]) -> None:
        """Take the automatic pace's word on how long numbers take."""
        self._foresees = foresees

    def fix(self, key: Key, value: int | None) -> None:
        """Take a person's word, which counts until they give it back (None: auto)."""
        self._dials[key].fixed = value
        self._change()

    def pause(self) -> None:
        """Let nothing new leave until `go_on`, by a person's word; twice is as good as once."""
        self._paused = self._paused or Hold(HoldCause.CONTROL, since=self._clock.now())
        self._change()

    def go_on(self) -> None:
        """End what `pause` began."""
        self._paused = None
        self._change()

    def back_off(self, seconds: float, why: str) -> None:
        """Let nothing new leave for some seconds, since the ERP asked to be spared.

        A hold of this kind that ends later stays as it is.
        """
        until_s = anyio.current_time() + seconds
        if until_s <= self._spared_until_s:
            return
        self._spared_until_s = until_s
        self._spared = Hold(HoldCause.ERP, why)
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
