"""`auto`: how many calls at once and how many numbers in each end the list soonest.

`server_model` says from all samples what a call costs, what a number costs, and how many calls the
server works on side by side. Here it is decided what follows from that.

1. The canary travels alone, then a chunk that takes about as long. Two sizes tell a call's cost
   from a number's, and the two looks before each, which are made at the same time, tell whether
   calls wait for one another.
2. After each round the model is fitted anew, and the setting jumps to what ends the list soonest.
   More calls than were ever tried are tried in a short round, if the expected gain for the rest of
   the list is worth the risk. No chunk leaves until such a round is over, since its result improves
   the next decision.
3. The size of a chunk balances the cost of a call against idle calls at the end of the list (the
   square-root rule of Kruskal and Weiss); at the end, chunks get smaller.
4. What the ERP says outright needs no model: an overload halves the calls at once, a time-out
   halves the chunk.

Nothing here knows the time: it comes with the samples.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

from k3push.core.pacing.bounds import MOST_CHUNK_SIZE, Bounds
from k3push.core.pacing.phases import (
    CANARY_LOOKS,
    FIRST_CHUNK_SIZE,
    FIRST_CONCURRENCY,
    FIRST_ON_THEIR_WAY,
    LOOKS,
    Alone,
    Reach,
    Rounds,
)
from k3push.core.pacing.samples import CallSample, Ended, PaceStep, Setting
from k3push.core.pacing.server_model import LEVELS, Learnt, ServerModel
from k3push.core.pacing.time_left import TimeLeft, of_canary, of_model
from k3push.core.remark import remark

# What a try shows holds for up to this many times its calls at once, since a server slows down
# before it reaches its bound.
TRY_REACH = 2

# Where sources are merged into one target, the chunk decides which; people expect few targets.
MERGING_CHUNK_SIZE = 20

# The first chunk is the first with many numbers, so its rows are read twice after its push.
READ_BACKS = 2

# Once numbers have come through, this many may be on their way for each of them. A lower bound
# would hide the gain of more calls.
ON_THEIR_WAY_FOR_EACH = 3

# Fewer calls at once are preferred if they end the list later by no more than this (as a logarithm
# of time), since they leave the ERP to others.
FEWER_CALLS_MARGIN = 0.05

# A push that takes so many times as long as it should ends a round.
FAR_SLOWER = 2.0

# Longest wait for a try, as a multiple of the time up to its last answer: a call may hang until its
# time-out.
LONGEST_WAIT_FACTOR = 3.0

# In a round that begins all at once, the first calls meet a server that is not busy yet. If the
# slower half takes longer than the faster one by more than this (as a logarithm), only the slower
# half counts.
WARM_UP_GAP = 0.6

# If the best fit misses the newest samples by more than this mean square (in units of the variance;
# three standard deviations), the server has changed. Then older samples keep a small part of their
# weight, and after any other round nearly all of it.
CHANGED_MISFIT = 9.0
KEPT_AFTER_CHANGE, KEPT_AFTER_ROUND = 0.1, 0.97

# Chunks are this many times as large as would be quickest if calls were unlimited. That costs
# hardly any time (the optimum is flat), and most sites limit calls rather than numbers.
CHUNK_OVERSIZE = 2.5

# The rest of the list goes in one round if its chunks are then at most this many times as large as
# planned.
LAST_ROUND_OVERSIZE = 1.3

# An answer is far below the time-out while it takes less than this part of it. Once a call was
# given up sooner, by a proxy say, that time is the limit. It is known, so more of it may be taken.
FAR_BELOW = 0.25
BELOW_GIVEN_UP = 0.5

MOST_STEPS = 500


class Pace:
    """Steers one execution, from its samples.

    >>> pace = Pace(answer_timeout_s=300)
    >>> pace.add(CallSample(0, 1.1, push_s=0.5, numbers=1))
    >>> pace.size(1000, 100, 4, made=1)
    4
    >>> pace.add(CallSample(1.1, 3.1, push_s=1.5, numbers=4))
    >>> pace.setting.concurrency
    16
    """

    def __init__(self, *, answer_timeout_s: float = 300) -> None:
        """Begin with what is careful.

        Args:
            answer_timeout_s: How long an answer is waited for.
        """
        self.setting = Setting(FIRST_CONCURRENCY, FIRST_CHUNK_SIZE)
        self.steps: deque[PaceStep] = deque(maxlen=MOST_STEPS)
        self.waits_until_s = -math.inf
        self._answer_timeout_s = answer_timeout_s
        self._fixes_concurrency = self._fixes_size = self._merges = False
        self._left = self._made = 0
        self._model = ServerModel()
        self._phase: Alone | Rounds = Alone()
        self._bounds = Bounds()
        self._reach = Reach()

    def recall(self, learnt: Learnt, age_days: float = 0) -> None:
        """Begin with what an earlier execution has found; call it before the first sample."""
        self._phase = Alone.recalling(learnt, age_days)

    def learnt(self) -> Learnt | None:
        """Take in the samples of the present round, and return what the next execution knows.

        None before the first chunk is through, where a person has fixed the calls, and where one
        call at a time was tried and each call took no longer than its numbers explain.
        """
        if isinstance(self._phase, Alone) or self._fixes_concurrency:
            return None
        for sample in self._phase.samples:
            if sample.came_to:
                self._take(sample)
                self._reach.most = max(self._reach.most, sample.at_once)
        self._phase.samples = []
        server = self._model.fit()
        return Learnt(server, self._reach.most) if server.call_s or self._reach.most > 1 else None

    def time_left(self, left: int) -> TimeLeft | None:
        """Say how long *left* numbers take at this pace, or None before the canary is through."""
        if isinstance(self._phase, Rounds):
            calls = max(1, min(self.setting.concurrency, left))
            seconds = self._model.server.rest_s(left, calls, self.setting.chunk_size)
            part = left / max(1, left + self._made)
            return of_model(seconds, part=part, has_seen_round=self._phase.has_ended_one)
        canary = self._phase.canary
        return None if canary is None else of_canary(canary.ended_s - canary.began_s, left)

    # -- the next chunk -----------------------------------------------------------------------

    def size(self, left: int, ready: int, free: int, made: int, *, now_s: float = -math.inf) -> int:
        """Return the size of the next chunk.

        Where few are ready they are shared out, and at the end of a list chunks get smaller,
        so that all calls end at about one time. How many travel at once is bounded by how many
        have come through, so that refusals that set in cannot outrun the halt rule.
        0 says that what is on its way is waited for, until `waits_until_s` at the latest.

        Args:
            left: Numbers that are still to be sent.
            ready: Those of them that could leave now.
            free: How many more calls could.
            made: Numbers of this execution that the ERP has made targets from.
            now_s: On the samples' clock.
        """
        self._left, self._made = left, made
        self.waits_until_s = -math.inf
        if self._merges or self._fixes_size:
            return self.setting.chunk_size
        if isinstance(self._phase, Alone):
            return self._first_size(self._phase)
        now, calls = self._phase, self.setting.concurrency
        if len(now.samples) >= free < calls and self._is_tried(now):
            lasted_s = now.samples[-1].ended_s - now.since_s
            until_s = now.since_s + LONGEST_WAIT_FACTOR * lasted_s
            if now_s < until_s:
                self.waits_until_s = until_s
                return 0
        size = self._best_size(left, calls)
        if now.is_first:
            size = min(size, now.first_size)
        working = self._working(calls)
        # At the end of a list, chunks of fewer numbers than cost as much as one call gain nothing.
        share = max(left / working, min(left / free, self._model.server.per_call))
        ready_share = ready * calls / max(calls, free * working)
        share = min(share, max(ready_share, size / 4))
        size = max(1, min(size, math.ceil(share)))
        if left <= LAST_ROUND_OVERSIZE * size * free:
            size = math.ceil(left / free)
        size = max(1, min(size, self._most_on_their_way // calls, MOST_CHUNK_SIZE))
        self._left -= min(size, ready)
        return size

    def _first_size(self, now: Alone) -> int:
        return min(now.size(self._left), self._bounds.most_size)

    def _is_tried(self, now: Rounds) -> bool:
        """Say whether the next chunks had better wait for the end of this round.

        It tries more calls than ever, or the bound on numbers on their way keeps its chunks small.
        """
        calls, size = self.setting.concurrency, self.setting.chunk_size
        bounded = calls > self._reach.most or calls * size > self._most_on_their_way
        return now.is_first and not self._fixes_concurrency and bounded

    @property
    def _most_on_their_way(self) -> int:
        return max(FIRST_ON_THEIR_WAY, ON_THEIR_WAY_FOR_EACH * self._made)

    def _working(self, calls: int) -> float:
        """Say how many of the calls at once the ERP works on, while the others wait."""
        return max(1.0, calls / self._model.slowed(calls))

    def _best_size(self, left: int, calls: int) -> int:
        """Say how many numbers cost least in a call: fewer cost calls, more an uneven end."""
        if self._fixes_size:
            return self.setting.chunk_size
        server = self._model.server
        # One call at a time has no uneven end.
        others = max(1e-9, self._working(calls) - 1)
        size = CHUNK_OVERSIZE * math.sqrt(2 * max(left, 1) * server.per_call / others)
        given_up_s = BELOW_GIVEN_UP * self._bounds.given_up_s
        within_s = min(FAR_BELOW * self._answer_timeout_s, given_up_s) / server.slowed(calls)
        in_time = (within_s - server.call_s) / server.number_s
        size = min(max(size, self._bounds.least_size), self._bounds.most_size, in_time)
        return max(1, math.ceil(min(size, MOST_CHUNK_SIZE)))

    # -- samples ------------------------------------------------------------------------------

    def add(
        self, sample: CallSample, *, concurrency: int | None = None, chunk_size: int | None = None
    ) -> None:
        """Take in a sample, in the order in which they end.

        Args:
            sample: What a sending has shown.
            concurrency: What a person has fixed; it is left alone.
            chunk_size: Likewise.
        """
        self._obey(sample.ended_s, concurrency, chunk_size)
        self._made += sample.came_to
        if sample.merged and not self._merges:
            self._merge(sample.ended_s)
        if sample.ended in {Ended.OVERLOADED, Ended.TIMED_OUT}:
            self._back_off(sample)
        elif isinstance(self._phase, Alone):
            self._begin(self._phase, sample)
        elif sample.began_s >= self._phase.since_s:
            self._bounds.is_untested = False
            self._phase.samples.append(sample)
            enough = self.setting.concurrency
            if sample.came_to and self._slower(sample) > math.log(FAR_SLOWER):
                enough = min(2, enough)
            if len(self._phase.samples) >= enough:
                self._judge(self._phase, sample.ended_s)
        elif sample.came_to:
            # It left under another setting.
            self._take(sample)
            self._model.fit()

    def _obey(self, at_s: float, concurrency: int | None, chunk_size: int | None) -> None:
        """Take what a person has fixed for the setting."""
        self._fixes_concurrency = concurrency is not None
        self._fixes_size = self._merges or chunk_size is not None
        now = self.setting
        setting = Setting(concurrency or now.concurrency, chunk_size or now.chunk_size)
        if setting != now:
            self._set(at_s, setting, remark("pace.fixed"))

    def _merge(self, at_s: float) -> None:
        """Keep the size from now on, since it decides which sources share a target."""
        self._merges = True
        if not self._fixes_size:
            self._fixes_size = True
            size = max(self.setting.chunk_size, MERGING_CHUNK_SIZE)
            self._set(at_s, replace(self.setting, chunk_size=size), remark("pace.merged"))

    def _back_off(self, sample: CallSample) -> None:
        """Take what the ERP says outright, once for each setting."""
        if sample.began_s < self._phase.since_s or self._bounds.is_untested:
            return
        if sample.ended is Ended.OVERLOADED:
            setting, why = self._bounds.overloaded(self.setting), remark("pace.overloaded")
        else:
            now = self.setting
            if isinstance(self._phase, Alone) and not self._fixes_size:
                now = replace(now, chunk_size=self._first_size(self._phase))
            setting = self._bounds.late(now, sample.push_s, fixes_size=self._fixes_size)
            why = remark("pace.late")
        self._set(sample.ended_s, self._but_fixed(setting), why)

    def _but_fixed(self, setting: Setting) -> Setting:
        now = self.setting
        return Setting(
            now.concurrency if self._fixes_concurrency else setting.concurrency,
            now.chunk_size if self._fixes_size else setting.chunk_size,
        )

    def _begin(self, now: Alone, sample: CallSample) -> None:
        """Take the canary and the first chunk, which tell a call's cost from a number's."""
        if not sample.came_to:
            return
        self._bounds.is_untested = False
        is_canary = now.canary is None and not (self._fixes_size and sample.numbers > 1)
        if is_canary:
            now.canary = sample
            looks_s = sample.looks_s * LOOKS / CANARY_LOOKS
            self._model.add(sample.at_once, sample.numbers, sample.push_s, looks_s)
        else:
            self._take(sample)
            if sample.at_once == 1:
                alone_s = (sample.looks_s - sample.before_s) / READ_BACKS
                self._model.compare_looks(sample.before_s, alone_s)
        now.doubt(sample)
        if is_canary and not (self._fixes_size and self.setting.chunk_size == 1):
            return
        if now.recalled is not None:
            self._model.recall(now.recalled.server, now.recalled.tried, now.weight)
            self._reach.most = now.recalled.tried
        self._phase = Rounds(now.since_s)
        self._model.fit()
        self._forget_if_changed()
        self._set(sample.ended_s, self._soonest(self._phase), remark("pace.begun"))

    def _take(self, sample: CallSample) -> None:
        self._model.add(sample.at_once, sample.numbers, sample.push_s, sample.looks_s)

    def _slower(self, sample: CallSample) -> float:
        """Return the logarithm of the time that a push took over the expected time."""
        alone_s = self._model.server.push_s(1, sample.numbers)
        expected_s = max(alone_s, 1e-6) * self._model.slowed(sample.at_once)
        return math.log(max(sample.push_s, 1e-6) / expected_s)

    # -- deciding -----------------------------------------------------------------------------

    def _judge(self, now: Rounds, at_s: float) -> None:
        """Learn from a round, and decide what the next is like."""
        told = [sample for sample in now.samples if sample.came_to]
        if 2 * len(told) < len(now.samples):
            self._bounds.refused(self.setting)
        else:
            self._bounds.end_round()
        if told:
            for sample in self._telling(told) if now.is_first else told:
                self._take(sample)
            self._reach.most = max(self._reach.most, self.setting.concurrency)
            self._model.fit()
            self._forget_if_changed()
            now.has_ended_one = True
        now.end()
        if now.rounds_ended >= self._reach.patience:
            # What was seen of more calls grows old.
            now.rounds_ended = 0
            self._reach.forget_above(self.setting.concurrency)
            self._model.forget_above(self.setting.concurrency)
            self._model.fit()
        # The last calls of a list tell nothing that could be used.
        if self._left >= self.setting.concurrency:
            self._decide(now, at_s)

    def _telling(self, told: list[CallSample]) -> list[CallSample]:
        """Leave out the first calls of a round that met a server which was not busy yet."""
        if len(told) == 1:
            return told
        slower = sorted((self._slower(sample), nth) for nth, sample in enumerate(told))
        half = len(slower) // 2
        early = sum(each for each, _ in slower[:half]) / half
        late = sum(each for each, _ in slower[half:]) / (len(slower) - half)
        return [told[nth] for _, nth in (slower[half:] if late - early > WARM_UP_GAP else slower)]

    def _forget_if_changed(self) -> None:
        """Let go of what was seen before, where nothing explains it together with what is new."""
        if self._model.missed > CHANGED_MISFIT:
            self._model.fade(KEPT_AFTER_CHANGE)
            self._model.fit()
            self._reach.begin_anew(self.setting.concurrency)
        else:
            self._model.fade(KEPT_AFTER_ROUND)

    def _decide(self, now: Rounds, at_s: float) -> None:
        """Jump to what ends the list soonest."""
        setting = self._soonest(now)
        if setting.concurrency != self.setting.concurrency:
            self._set(at_s, setting, remark("pace.fitted"))
        else:
            # The size follows the rest of the list, which is no change of the pace.
            self.setting = setting

    def _soonest(self, now: Rounds) -> Setting:
        """Return what ends the list soonest, and note the largest chunk of its first round."""
        calls, now.first_size = self._best_calls()
        return self._but_fixed(Setting(calls, self._best_size(self._left, calls)))

    def _best_calls(self) -> tuple[int, int]:
        """Return the calls at once, and the numbers in each call of their first round."""
        left, tried = max(self._left, 1), self._reach.most
        most = min(self._bounds.most_calls, math.ceil(self._reach.growth * tried))
        levels = sorted({min(most, each) for each in LEVELS})
        if self._fixes_concurrency:
            levels = [self.setting.concurrency]
        # After a try that was slow the run goes back to calls at once that it knows. A try also
        # tells how up to TRY_REACH times as many calls would do.
        known = [min(each, self._bounds.most_calls) for each in (self.setting.concurrency, tried)]
        best: dict[int, tuple[float, int]] = {}
        for calls in levels:
            then = self._best_size(left, calls)
            size = max(1, min(then, math.ceil(left / calls), self._most_on_their_way // calls))
            sizes, others = {size}, list[int]()
            if calls > tried:
                others = [*known, *(each for each in LEVELS if calls < each <= TRY_REACH * calls)]
                if not self._fixes_size:
                    sizes |= {min(size, math.ceil(self._model.server.per_call))}
            best[calls] = min(
                (self._model.expected(calls, each, left, others, then), each) for each in sizes
            )
        soonest = min(best.values())[0]
        calls = next(each for each in levels if best[each][0] <= soonest + FEWER_CALLS_MARGIN)
        return calls, best[calls][1] if calls > tried else MOST_CHUNK_SIZE

    def _set(self, at_s: float, setting: Setting, why: str) -> None:
        if isinstance(self._phase, Rounds):
            self._phase.begin(at_s)
        else:
            self._phase.since_s = at_s
        if setting != self.setting:
            self.setting = setting
            self.steps.append(PaceStep(at_s, setting, why))
