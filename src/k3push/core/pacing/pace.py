"""`auto`: how many calls at once and how many numbers in each, also after an overload.

With *c* calls at once that bring *n* numbers in *t* seconds each, the ERP does c × n / t
numbers a second (Little's law), so one round of calls tells the throughput of a setting.

1. The canary and the first chunk tell what a call costs and what a number costs, and so from
   which size on a larger chunk brings next to nothing.
2. Calls are climbed in fours, in short rounds, while four times as many bring nearly four
   times the numbers. Where they do not, the gain itself tells how many work and how many only
   wait, be it for a user's queue (P 2.9) or for a server that is busy; the size follows. Who
   has seen how many worked the last time begins with as many, and asks for no short rounds.
3. Then the setting is held, and a small move of one quantity is tried at growing intervals,
   or at once where the throughput changes by itself, since a slow hour passes. A move stays
   if the throughput after it is better, or no worse with less load.
4. What the ERP says outright is not weighed: an overload halves the calls at once, and a
   time-out the chunk.

Nothing here knows the time: it comes with the samples.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum

from k3push.core.remark import remark

# Few clients of this ERP were seen with more than ten calls at once (P 8.2), and one that
# serves a user's calls one after another is not slowed down by four.
FIRST_CONCURRENCY = 4
MOST_CONCURRENCY = 64

# The first chunk travels alone and tells what a number costs and what a call costs.
FIRST_CHUNK_SIZE = 10
# Where sources are merged into one target, the chunk decides which; people expect few targets.
MERGING_CHUNK_SIZE = 20
MOST_CHUNK_SIZE = 200

# Smaller ones are mostly calls.
LEAST_CHUNK_SIZE = 5

# Refusals that set in are to meet few numbers that are on their way: so many before any has
# come through, then so many for each that has. Fewer would hide what more calls bring.
FIRST_ON_THEIR_WAY = 80
ON_THEIR_WAY_FOR_EACH = 3

# So many calls bring no more than that, even of the smallest chunks.
MOST_CALLS_AT_FIRST = FIRST_ON_THEIR_WAY // LEAST_CHUNK_SIZE

# Costs of a call that are a sixteenth of those of its numbers are not worth a larger chunk,
# which costs more when it is refused or comes last.
NUMBERS_PER_CALL = 16

# So many times the calls are tried where it is known about how many work.
CALLS_STEP = 1.5

# Calls that bring this part of what they could are not waiting for one another.
NEARLY_ALL = 0.8

# The first calls of a climb meet an ERP that is not busy yet, and their looks are joined most, so
# that its short rounds flatter.
FLATTERED = 0.7

# A throughput that is less than this much higher may be so by chance.
NOISE = 1.1
# One that is lower or higher by this much is another hour.
SLOWER, FASTER = 0.6, 1.6

# An answer is far below the time-out while it takes less than this part of it.
FAR_BELOW = 0.25

# Rounds of calls that are to be left for a move to be worth its trial.
WORTH_TRYING = 2

# Windows that a setting is held before another is tried.
PATIENCE = 8
PATIENCE_AFTER_OVERLOAD = 2
MOST_PATIENCE = 128

MOST_STEPS = 500


class Ended(StrEnum):
    """How a sending ended, as far as the pace is concerned."""

    OK = "ok"
    REFUSED = "refused"
    """Nothing was made, and the chunk is cut."""

    TIMED_OUT = "timed out"
    OVERLOADED = "overloaded"
    """MsgCode 14, HTTP 429 or 503; of a look as well."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one sending, or one look that was turned away, tells.

    Attributes:
        began_s: When its first look left, on any clock that only goes forward.
        ended_s: When its read-back was there.
        push_s: From the push to its answer.
        numbers: How many came to something.
        at_once: Chunks on their way with it, itself counted.
        merged: Several of its sources were made into one target (P 5.6).
    """

    began_s: float
    ended_s: float
    push_s: float = 0
    numbers: int = 0
    at_once: int = 1
    ended: Ended = Ended.OK
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """How many calls at once, and how many numbers in each."""

    concurrency: int
    chunk_size: int


@dataclass(frozen=True, slots=True)
class Step:
    """A change of the setting, for the report.

    Attributes:
        at_s: When, on the samples' clock.
        why: A remark.
    """

    at_s: float
    setting: Setting
    why: str


class _Move(StrEnum):
    """A change that is tried."""

    MORE_CALLS = "more calls"
    FEWER_CALLS = "fewer calls"
    LARGER = "larger chunks"
    SMALLER = "smaller chunks"


# The throughput after a move, as a part of that before, from which on the move stays: larger
# chunks have to bring something, and less load may cost next to nothing.
_WORTH = {_Move.FEWER_CALLS: 0.97, _Move.LARGER: 1.02, _Move.SMALLER: 1.0}
_IN_TURN = (_Move.FEWER_CALLS, _Move.MORE_CALLS, _Move.LARGER, _Move.SMALLER)


@dataclass(slots=True)
class _Window:
    """Sendings that began under one setting.

    Attributes:
        since_s: When the setting began.
        seconds: All their times together.
        at_once: All their numbers of calls at once together.
        alone_s: What they would take together if each went alone.
    """

    since_s: float = -math.inf
    sendings: int = 0
    refused: int = 0
    numbers: int = 0
    seconds: float = 0.0
    at_once: int = 0
    push_s: float = 0.0
    alone_s: float = 0.0

    def add(self, sample: Sample, alone_s: float) -> None:
        self.sendings += 1
        self.alone_s += alone_s
        self.refused += sample.ended is Ended.REFUSED
        self.numbers += sample.numbers
        self.seconds += sample.ended_s - sample.began_s
        self.at_once += sample.at_once
        self.push_s = max(self.push_s, sample.push_s)

    @property
    def rate(self) -> float:
        """Numbers a second."""
        return self.at_once / self.sendings * self.numbers / max(self.seconds, 1e-9)

    @property
    def working(self) -> float:
        """How many of the calls at once the ERP works on, whatever numbers each carries."""
        return self.at_once / self.sendings * self.alone_s / max(self.seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A move whose worth is not known yet, and what was there before it."""

    move: _Move
    before: Setting
    rate: float
    working: float


class Pace:
    """Steers one execution, from its samples.

    The canary and the first chunk, which travel alone, are its first samples.

    >>> pace = Pace(answer_timeout_s=300)
    >>> pace.add(Sample(0, 1.1, push_s=0.5, numbers=1))
    >>> pace.add(Sample(1.1, 4.0, push_s=2.3, numbers=10))
    >>> pace.setting
    Setting(concurrency=4, chunk_size=5)

    Attributes:
        last_time: How many calls at once an earlier execution came to, or None; to be set before
            the first sample.
    """

    def __init__(self, *, answer_timeout_s: float = 300) -> None:
        """Begin with what is careful.

        Args:
            answer_timeout_s: How long an answer is waited for.
        """
        self.last_time: int | None = None
        self._answer_timeout_s = answer_timeout_s
        self._fixes_concurrency = False
        self._fixes_size = False
        self.setting = Setting(FIRST_CONCURRENCY, FIRST_CHUNK_SIZE)
        self.steps: deque[Step] = deque(maxlen=MOST_STEPS)
        # The beginning.
        self._canary: Sample | None = None
        self._started = False
        self._wanted_size = 0
        self._per_call_s = self._per_number_s = 0.0
        # What is measured now, and what was before.
        self._window = _Window()
        self._trial: _Trial | None = None
        self._rate = self._working = 0.0
        self._push_s = 0.0
        self._held = 0
        self._patience = PATIENCE
        self._turn = 0
        self._left = 0
        self._promised = 0
        self._merges = False
        self._climbed = False
        self._untested = False  # nothing has come through since the ERP was eased off

    def size(self, left: int, ready: int, free: int, made: int) -> int:
        """Return the size of the next chunk.

        Where few are ready they are shared out, and at the end of a list chunks get smaller,
        so that all calls end at about one time. How many travel at once is bounded by how many
        have come through, so that refusals that set in cannot outrun the halt rule.

        Args:
            left: Numbers that are still to be sent.
            ready: Those of them that could leave now.
            free: How many more calls could.
            made: Numbers of this execution that the ERP has made targets from.
        """
        self._left = left
        size = self.setting.chunk_size
        if self._merges:
            return size
        if not self._started:
            return min(size, max(left // 25, 2))
        proven = max(FIRST_ON_THEIR_WAY, ON_THEIR_WAY_FOR_EACH * made) // self.setting.concurrency
        size = min(size, max(proven, LEAST_CHUNK_SIZE))
        share = math.ceil(min(left / self.setting.concurrency, ready / free))
        return min(size, max(share, math.ceil(size / 4)))

    def add(
        self, sample: Sample, *, concurrency: int | None = None, chunk_size: int | None = None
    ) -> None:
        """Take in a sample, in the order in which they end.

        Args:
            sample: What a sending has shown.
            concurrency: What a person has fixed; it is left alone.
            chunk_size: Likewise.
        """
        self._obey(sample.ended_s, concurrency, chunk_size)
        if sample.merged and not self._merges:
            self._merge(sample.ended_s)
        if sample.ended is Ended.OVERLOADED:
            self._back_off(sample, self._spared(), remark("pace.overloaded"))
        elif sample.ended is Ended.TIMED_OUT:
            self._back_off(sample, self._sized(0.5) or self._calls(0.5), remark("pace.late"))
        elif not self._started:
            self._start(sample)
        elif sample.began_s >= self._window.since_s:
            self._untested = False
            self._window.add(sample, self._per_call_s + self._per_number_s * sample.numbers)
            if self._window.sendings >= self._enough():
                self._judge(sample.ended_s)

    def _obey(self, at_s: float, concurrency: int | None, chunk_size: int | None) -> None:
        """Take what a person has fixed for the setting."""
        self._fixes_concurrency = concurrency is not None
        self._fixes_size = self._merges or chunk_size is not None
        now = self.setting
        setting = Setting(concurrency or now.concurrency, chunk_size or now.chunk_size)
        if setting != now:
            self._trial = None
            self._set(at_s, setting, remark("pace.fixed"))

    def _merge(self, at_s: float) -> None:
        """Keep the size from now on, since it decides which sources share a target."""
        self._merges = True
        if not self._fixes_size:
            self._fixes_size = True
            self._trial = None
            size = max(self.setting.chunk_size, MERGING_CHUNK_SIZE)
            self._set(at_s, replace(self.setting, chunk_size=size), remark("pace.merged"))

    # -- the beginning ------------------------------------------------------------------------

    def _start(self, sample: Sample) -> None:
        """Guess from the canary and the first chunk what a call costs, and what a number."""
        if sample.numbers < min(2, self.setting.chunk_size) or not sample.numbers:
            self._canary = sample
            return
        self._started = True
        per_call_s, per_number_s = _costs(self._canary, sample)
        self._per_call_s, self._per_number_s = per_call_s, per_number_s
        size = self.setting.chunk_size
        if not self._fixes_size and per_call_s:
            push_s = sample.push_s / sample.numbers
            self._wanted_size = self._bounded(NUMBERS_PER_CALL * per_call_s / per_number_s, push_s)
            # While the calls are found, rounds are to be short, and few numbers on their way.
            short = min(per_call_s / per_number_s, FIRST_ON_THEIR_WAY / self.setting.concurrency)
            short = max(short, LEAST_CHUNK_SIZE)
            size = min(self._wanted_size, self._bounded(short, push_s))
            if self._fixes_concurrency or self._is_known:
                size = self._wanted_size
        concurrency = self.setting.concurrency
        if not self._fixes_concurrency:
            concurrency = self._first_calls(size)
            rate = size / (per_call_s + per_number_s * size)
            self._trial = _Trial(_Move.MORE_CALLS, Setting(1, size), rate, working=1.0)
        self._set(sample.ended_s, Setting(concurrency, size), remark("pace.begun"))

    @property
    def _is_known(self) -> bool:
        """Whether the last time has told how many calls work, and all may be made at once."""
        return self.last_time is not None and self.last_time <= MOST_CALLS_AT_FIRST

    def _first_calls(self, size: int) -> int:
        """Say how many calls follow the first chunk: what worked the last time, within bounds."""
        if self.last_time is None or self._climbed:
            return self.setting.concurrency
        least = size if self._fixes_size else LEAST_CHUNK_SIZE
        most = min(FIRST_ON_THEIR_WAY // least, MOST_CALLS_AT_FIRST)
        return min(self.last_time, max(FIRST_CONCURRENCY, most))

    @property
    def came_to(self) -> int | None:
        """How many calls at once the next execution is to begin with.

        None before the first chunk is through, and where a person has fixed it.
        """
        if not self._started or self._fixes_concurrency:
            return None
        return max(self.setting.concurrency, self._promised)

    def _bounded(self, wanted: float, push_s_per_number: float) -> int:
        """Bound a chunk by the time-out and by what anybody would send."""
        in_time = FAR_BELOW * self._answer_timeout_s / max(push_s_per_number, 1e-9)
        return max(1, math.ceil(min(wanted, in_time, MOST_CHUNK_SIZE)))

    # -- climbing -----------------------------------------------------------------------------

    def _back_off(self, sample: Sample, setting: Setting | None, why: str) -> None:
        """Take what the ERP says outright, once for each setting."""
        if sample.began_s >= self._window.since_s and not self._untested:
            self._trial, self._rate = None, 0.0
            self._held, self._patience = 0, PATIENCE_AFTER_OVERLOAD
            self._turn = _IN_TURN.index(_Move.MORE_CALLS)
            self._climbed = self._untested = True
            self._set(sample.ended_s, setting or self.setting, why)

    def _enough(self) -> int:
        """Say how many sendings tell of a setting: a round, or as many as began with a move."""
        now, before = self.setting.concurrency, 0
        if self._trial is not None and self._trial.move is _Move.MORE_CALLS:
            before = self._trial.before.concurrency
        return max(2, now - before)

    def _judge(self, at_s: float) -> None:
        """Keep a move or take it back, and decide what is tried next."""
        self._push_s = self._window.push_s
        rate, trial = self._window.rate, self._trial
        self._working = self._window.working
        if trial is None:
            self._hold(at_s, rate)
            return
        self._trial, self._held = None, 0
        gain = rate / max(trial.rate, 1e-9)
        if trial.move is _Move.MORE_CALLS:
            self._rate = rate
            self._judge_calls(at_s, trial, self._working / max(trial.working, 1e-9))
        elif gain < _WORTH[trial.move]:
            self._rate = trial.rate
            self._set(at_s, trial.before, remark("pace.no_help", move=_named(trial.move)))
        else:
            self._rate = rate
            self._patience = PATIENCE
            self._window = _Window(self._window.since_s)
            if trial.move is not _Move.LARGER:
                self._try(at_s, trial.move)

    def _judge_calls(self, at_s: float, trial: _Trial, gain: float) -> None:
        """Go on while more calls bring more in proportion, else keep those that do.

        Calls beyond are only waiting: where four times as many bring 1.5 times the numbers,
        1.5 times as many would have.
        """
        before = trial.before.concurrency
        self._window = _Window(self._window.since_s)
        if gain / (self.setting.concurrency / before) >= NEARLY_ALL:
            self._patience = PATIENCE
            if self._try(at_s, _Move.MORE_CALLS):
                return
            # Had the list been longer, more would have been tried.
            more = self._moved(_Move.MORE_CALLS)
            self._promised = more.concurrency if more else 0
        else:
            working = math.ceil(before * gain) if gain > NOISE else before
            self._climbed = True
            setting = replace(self.setting, concurrency=min(working, self.setting.concurrency))
            self._set(at_s, setting, remark("pace.waiting"))
        self._rate *= FLATTERED
        self._try(at_s, _Move.LARGER)

    def _hold(self, at_s: float, rate: float) -> None:
        """Keep the setting until it is time to try another, or the throughput has changed."""
        before = self._rate or rate
        another_hour = not SLOWER < rate / max(before, 1e-9) < FASTER
        self._rate = rate if another_hour else before + (rate - before) / 2
        self._held += 1
        refused, self._window = self._window.refused, _Window(self._window.since_s)
        if refused * 2 > self._enough():
            self._try(at_s, _Move.SMALLER)
        elif another_hour:
            self._patience = PATIENCE
            self._try(at_s, _Move.FEWER_CALLS if rate < before else _Move.MORE_CALLS)
        elif self._held >= self._patience:
            self._patience = min(self._patience * 2, MOST_PATIENCE)
            for _ in _IN_TURN:
                move = _IN_TURN[self._turn % len(_IN_TURN)]
                self._turn += 1
                if self._try(at_s, move):
                    break

    def _try(self, at_s: float, move: _Move) -> bool:
        """Make a move whose worth the next window will tell."""
        setting = self._moved(move)
        rounds_left = self._left / (self.setting.concurrency * self.setting.chunk_size)
        if setting is None or rounds_left < (1 if move is _Move.MORE_CALLS else WORTH_TRYING):
            return False
        self._trial = _Trial(move, self.setting, self._rate, self._working)
        self._held = 0
        self._set(at_s, setting, remark("pace.trying", move=_named(move)))
        return True

    def _moved(self, move: _Move) -> Setting | None:
        match move:
            case _Move.MORE_CALLS:
                known = self._climbed or self._is_known
                return self._calls(CALLS_STEP if known else FIRST_CONCURRENCY)
            case _Move.FEWER_CALLS:
                return self._calls(0.7)
            case _Move.LARGER:
                return self._sized(max(2.0, self._wanted_size / self.setting.chunk_size))
            case _Move.SMALLER:
                return self._sized(0.5)

    def _spared(self) -> Setting:
        """Halve the calls, and double what each brings: it is calls that are restricted."""
        fewer, larger = self._calls(0.5) or self.setting, self._sized(2.0) or self.setting
        return Setting(fewer.concurrency, larger.chunk_size)

    def _calls(self, times: float) -> Setting | None:
        now = self.setting.concurrency
        wanted = math.floor(now * times) if times < 1 else math.ceil(now * times)
        concurrency = min(max(1, wanted), MOST_CONCURRENCY)
        if self._fixes_concurrency or concurrency == now:
            return None
        return replace(self.setting, concurrency=concurrency)

    def _sized(self, times: float) -> Setting | None:
        now = self.setting.chunk_size
        wanted = math.floor(now * times) if times < 1 else now * times
        size = self._bounded(wanted, self._push_s / now)
        if self._fixes_size or size == now or (times > 1) != (size > now):
            return None
        return replace(self.setting, chunk_size=size)

    def _set(self, at_s: float, setting: Setting, why: str) -> None:
        self._window = _Window(at_s)
        if setting != self.setting:
            self.setting, self._promised = setting, 0
            self.steps.append(Step(at_s, setting, why))


def _named(move: _Move) -> str:
    return remark(f"pace.move.{move.name.lower()}")


def _costs(canary: Sample | None, first: Sample) -> tuple[float, float]:
    """Say what a call costs and what a number costs, in seconds.

    Without a canary all is put down to the numbers.
    """
    seconds = first.ended_s - first.began_s
    least = seconds / first.numbers / 100
    if canary is None or canary.numbers >= first.numbers:
        return 0.0, max(seconds / first.numbers, 1e-9)
    more = first.numbers - canary.numbers
    canary_s = canary.ended_s - canary.began_s
    per_number_s = max((seconds - canary_s) / more, least, 1e-9)
    return max(0.0, seconds - per_number_s * first.numbers), per_number_s
