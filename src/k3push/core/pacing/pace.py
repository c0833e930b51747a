"""`auto`: how many calls at once and how many numbers in each, also after an overload.

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
from dataclasses import dataclass, replace
from enum import StrEnum

from k3push.core.pacing.server_model import LEVELS, MOST_CALLS, Learnt, ServerModel
from k3push.core.pacing.time_left import TimeLeft, of_canary, of_model
from k3push.core.remark import remark

# Where the ERP serves one call at a time, the calls that it works on come out a little above 1,
# since their network times overlap; below this figure it counts as one.
ONE_BY_ONE = 2

# Few clients of this ERP were seen with more than ten calls at once (P 8.2), and one that
# serves a user's calls one after another is not slowed down by four.
FIRST_CONCURRENCY = 4
MOST_CONCURRENCY = MOST_CALLS

# Factor by which the calls at once may grow in one try. TCP's slow start doubles; here a round
# costs more, so there are fewer and larger steps.
GROWTH = 16
LITTLE_GROWTH = 1.5
# What a try shows holds for up to this many times its calls at once, since a server slows down
# before it reaches its bound.
TELLS_OF = 2

# The first chunk travels alone, so that it is a small part of a list.
FIRST_CHUNK_SIZE = 10
LISTS_A_FIRST_CHUNK = 240
# Where sources are merged into one target, the chunk decides which; people expect few targets.
MERGING_CHUNK_SIZE = 20
MOST_CHUNK_SIZE = 200

# The looks of the canary, one after the other: most are to prove the links. Others make two, but
# the first chunk reads its rows twice after its push, since they are more than any before.
CANARY_LOOKS = 5
LOOKS = 2
READ_BACKS = 2

# When the ERP begins to refuse, few numbers shall be on their way: at most the first figure, or the
# second for each number that was pushed, whichever is more. Lower bounds would hide the gain of
# more calls.
FIRST_ON_THEIR_WAY = 80
ON_THEIR_WAY_FOR_EACH = 3

# What was found in an earlier execution counts as so many samples of each kind, and for nothing
# where the canary or the first chunk takes so many times as long, or as short, as it should.
RECALLED = 1.5
FADES_IN_DAYS = 30.0  # to half of that: servers are moved and grow over months
ANOTHER_NIGHT = 2.5

# Fewer calls at once are preferred if they end the list later by no more than this (as a logarithm
# of time), since they leave the ERP to others.
WORTH = 0.05

# A push that takes so many times as long as it should ends a round.
FAR_SLOWER = 2.0

# Longest wait for a try, as a multiple of the time up to its last answer: a call may hang until its
# time-out.
HANGS = 3.0

# In a round that begins all at once, the first calls meet a server that is not busy yet. If the
# slower half takes longer than the faster one by more than this (as a logarithm), only the slower
# half counts.
APART = 0.6

# If the best fit misses the newest samples by more than this mean square (in units of the variance;
# three standard deviations), the server has changed. Then older samples keep the first weight
# below; after any other round, the second.
ANOTHER_HOUR = 9.0
LEFT_THEN, LEFT = 0.1, 0.97

# Chunks are this many times as large as would be quickest if calls were unlimited. That costs
# hardly any time (the optimum is flat), and most sites limit calls rather than numbers.
LARGER = 2.5

# The rest of the list goes in one round if its chunks are then at most this many times as large as
# planned.
EVENED = 1.3

# An answer is far below the time-out while it takes less than this part of it.
FAR_BELOW = 0.25

# Rounds after an overload before the most calls at once may grow by half.
PATIENCE = 4

# Rounds before more calls are tried again; the number doubles each time. By then, what was measured
# with more calls is out of date and is forgotten. From then on calls grow in small steps, since a
# large one that fails costs more than it can gain.
HOLD = 16
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
class CallSample:
    """What one sending, or one look that was turned away, tells.

    Attributes:
        began_s: When its first look left, on any clock that only goes forward.
        ended_s: When its read-back was there.
        before_s: From the first look to the push.
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
    before_s: float = 0

    @property
    def came_to(self) -> int:
        """How many numbers its time tells of; 0 where it tells of none."""
        return self.numbers if self.ended is Ended.OK else 0

    @property
    def looks_s(self) -> float:
        """How long its looks took."""
        return self.ended_s - self.began_s - self.push_s


@dataclass(frozen=True, slots=True)
class Setting:
    """How many calls at once, and how many numbers in each."""

    concurrency: int
    chunk_size: int


@dataclass(frozen=True, slots=True)
class PaceStep:
    """A change of the setting, for the report.

    Attributes:
        at_s: When, on the samples' clock.
        why: A remark.
    """

    at_s: float
    setting: Setting
    why: str


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
        self._model = ServerModel()
        self._knows_costs = self._has_seen_round = False
        self._recalled: Learnt | None = None
        self._recalled_weight = RECALLED
        self._canary: CallSample | None = None
        self._left = self._made = 0
        # The round: sendings that began under the present setting.
        self._since_s = -math.inf
        self._round: list[CallSample] = []
        self._is_first_round = True
        self._short = MOST_CHUNK_SIZE  # in the first round of a try
        # What has been tried, and what the ERP has said outright.
        self._tried = 1
        self._most_calls = MOST_CONCURRENCY
        self._least_size, self._most_size = 1, MOST_CHUNK_SIZE
        self._calm = 0
        self._held, self._patience = 0, HOLD
        self._growth: float = GROWTH
        self._has_begun = False
        self._untested = False  # nothing has come through since the ERP was eased off

    def recall(self, learnt: Learnt, age_days: float = 0) -> None:
        """Begin with what an earlier execution has found; to be said before the first sample."""
        self._recalled = learnt
        self._recalled_weight = RECALLED * 0.5 ** (max(0.0, age_days) / FADES_IN_DAYS)

    def learnt(self) -> Learnt | None:
        """Return what the next execution is to begin with.

        None before the first chunk is through, where a person has fixed the calls, and where all
        chunks were of one size, so that a call's cost was never told from a number's.
        """
        if not self._knows_costs or self._fixes_concurrency:
            return None
        for sample in self._round:
            if sample.came_to:
                self._take(sample)
                self._tried = max(self._tried, sample.at_once)
        self._round = []
        server = self._model.fit()
        return Learnt(server, self._tried) if server.call_s or self._tried > 1 else None

    def time_left(self, left: int) -> TimeLeft | None:
        """Say how long *left* numbers take at this pace, or None before the canary is through."""
        if self._knows_costs:
            calls = max(1, min(self.setting.concurrency, left))
            seconds = self._model.server.rest_s(left, calls, self.setting.chunk_size)
            part = left / max(1, left + self._made)
            return of_model(seconds, part=part, has_seen_round=self._has_seen_round)
        if self._canary is None:
            return None
        return of_canary(self._canary.ended_s - self._canary.began_s, left)

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
        if not self._knows_costs:
            return self._first_size(left)
        calls = self.setting.concurrency
        if len(self._round) >= free < calls and self._tries:
            lasted_s = self._round[-1].ended_s - self._since_s
            until_s = self._since_s + HANGS * lasted_s
            if now_s < until_s:
                self.waits_until_s = until_s
                return 0
        size = self._best_size(left, calls)
        if self._is_first_round:
            size = min(size, self._short)
        working = self._working(calls)
        # At the end of a list, chunks smaller than this (numbers that cost as much as one call)
        # gain nothing.
        share = max(left / working, min(left / free, self._model.server.per_call))
        ready_share = ready * calls / max(calls, free * working)
        share = min(share, max(ready_share, size / 4))
        size = max(1, min(size, math.ceil(share)))
        if left <= EVENED * size * free:
            size = math.ceil(left / free)
        size = max(1, min(size, self._most_on_their_way // calls, MOST_CHUNK_SIZE))
        self._left -= min(size, ready)
        return size

    def _first_size(self, left: int) -> int:
        """Say how many numbers may travel alone, for about the time of the canary.

        A push costs at least as much as a look, so that a number costs at most the difference.
        """
        if self._canary is None:
            return FIRST_CHUNK_SIZE
        if self._recalled is not None:
            server, tried = self._recalled.server, self._recalled.tried
            working = max(calls / server.slowed(calls) for calls in range(1, tried + 1))
            # A server that works on one call at a time loses nothing while the first chunk travels
            # alone.
            size = (
                server.per_call / 2
                if working > ONE_BY_ONE
                else math.sqrt(2 * left * server.per_call)
            )
            return max(1, math.ceil(min(size, FIRST_ON_THEIR_WAY)))
        look_s = self._canary.looks_s / CANARY_LOOKS
        most_number_s = max(self._canary.push_s - look_s, 1e-6)
        size = min(
            (LOOKS * look_s + self._canary.push_s) / most_number_s,
            FIRST_ON_THEIR_WAY / FIRST_CONCURRENCY,
        )
        part = min(FIRST_CHUNK_SIZE, left // LISTS_A_FIRST_CHUNK)
        return max(2, part, math.ceil(size))

    @property
    def _tries(self) -> bool:
        """Say whether the next chunks had better wait for the end of this round.

        It tries more calls than ever, or the bound on numbers on their way keeps its chunks small.
        """
        calls, size = self.setting.concurrency, self.setting.chunk_size
        bounded = calls > self._tried or calls * size > self._most_on_their_way
        return self._is_first_round and not self._fixes_concurrency and bounded

    @property
    def _most_on_their_way(self) -> int:
        return max(FIRST_ON_THEIR_WAY, ON_THEIR_WAY_FOR_EACH * self._made)

    def _working(self, calls: int) -> float:
        """Say how many of the calls at once the ERP works on, while the others wait."""
        return max(1.0, calls / self._model.slowed(calls))

    def _best_size(self, left: int, calls: int) -> int:
        """Say how many numbers cost least in a call: fewer cost calls, more an uneven end."""
        if not self._knows_costs or self._fixes_size:
            return self.setting.chunk_size
        server = self._model.server
        # One call at a time has no uneven end.
        others = max(1e-9, self._working(calls) - 1)
        size = LARGER * math.sqrt(2 * max(left, 1) * server.per_call / others)
        within_s = FAR_BELOW * self._answer_timeout_s / server.slowed(calls)
        in_time = (within_s - server.call_s) / server.number_s
        size = max(self._least_size, min(size, self._most_size, in_time))
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
        elif not self._knows_costs:
            self._begin(sample)
        elif sample.began_s >= self._since_s:
            self._untested = False
            self._round.append(sample)
            enough = self.setting.concurrency
            if sample.came_to and self._slower(sample) > math.log(FAR_SLOWER):
                enough = min(2, enough)
            if len(self._round) >= enough:
                self._judge(sample.ended_s)
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
        if sample.began_s < self._since_s or self._untested:
            return
        self._untested = True
        self._calm = 0
        now = self.setting
        fewer = max(1, now.concurrency // 2)
        if sample.ended is Ended.OVERLOADED:
            # It is calls that are restricted, so that each is to bring more.
            self._most_calls = fewer
            self._least_size = min(2 * now.chunk_size, self._most_size)
            setting, why = Setting(fewer, self._least_size), remark("pace.overloaded")
        else:
            self._most_size = max(1, now.chunk_size // 2)
            self._least_size = min(self._least_size, self._most_size)
            setting, why = replace(now, chunk_size=self._most_size), remark("pace.late")
            if self._fixes_size:
                self._most_calls = fewer
                setting = replace(now, concurrency=fewer)
        self._set(sample.ended_s, self._but_fixed(setting), why)

    def _but_fixed(self, setting: Setting) -> Setting:
        now = self.setting
        return Setting(
            now.concurrency if self._fixes_concurrency else setting.concurrency,
            now.chunk_size if self._fixes_size else setting.chunk_size,
        )

    def _begin(self, sample: CallSample) -> None:
        """Take the canary and the first chunk, which tell a call's cost from a number's."""
        if not sample.came_to:
            return
        if self._canary is None and not (self._fixes_size and sample.numbers > 1):
            self._canary = sample
            looks_s = sample.looks_s * LOOKS / CANARY_LOOKS
            self._model.add(sample.at_once, sample.numbers, sample.push_s, looks_s)
            self._doubt_recalled(sample)
            if not (self._fixes_size and self.setting.chunk_size == 1):
                return
        else:
            self._take(sample)
            if sample.at_once == 1:
                alone_s = (sample.looks_s - sample.before_s) / READ_BACKS
                self._model.compare_looks(sample.before_s, alone_s)
            self._doubt_recalled(sample)
        if self._recalled is not None:
            self._model.recall(self._recalled.server, self._recalled.tried, self._recalled_weight)
            self._tried = self._recalled.tried
        self._knows_costs = True
        self._model.fit()
        self._forget_another_hour()
        self._decide(sample.ended_s, remark("pace.begun"))

    def _doubt_recalled(self, sample: CallSample) -> None:
        """Let go of what an earlier execution has found, where this night is another one."""
        if self._recalled is not None and sample.at_once == 1:
            expected_s = self._recalled.server.push_s(1, sample.numbers)
            if not 1 / ANOTHER_NIGHT < sample.push_s / expected_s < ANOTHER_NIGHT:
                self._recalled = None

    def _take(self, sample: CallSample) -> None:
        self._model.add(sample.at_once, sample.numbers, sample.push_s, sample.looks_s)

    def _slower(self, sample: CallSample) -> float:
        """Return the logarithm of the time that a push took over the expected time."""
        alone_s = self._model.server.push_s(1, sample.numbers)
        expected_s = max(alone_s, 1e-6) * self._model.slowed(sample.at_once)
        return math.log(max(sample.push_s, 1e-6) / expected_s)

    # -- deciding -----------------------------------------------------------------------------

    def _judge(self, at_s: float) -> None:
        """Learn from a round, and decide what the next is like."""
        told = [sample for sample in self._round if sample.came_to]
        if 2 * len(told) < len(self._round):
            # Each bad bill costs its whole chunk.
            self._most_size = max(1, self.setting.chunk_size // 2)
            self._least_size = 1
        if told:
            for sample in self._telling(told):
                self._take(sample)
            self._tried = max(self._tried, self.setting.concurrency)
            self._model.fit()
            self._forget_another_hour()
            self._has_seen_round = True
        self._calm += 1
        if self._calm >= PATIENCE and self._most_calls < MOST_CONCURRENCY:
            self._calm = 0
            self._most_calls = min(math.ceil(1.5 * self._most_calls), MOST_CONCURRENCY)
        self._round, self._is_first_round = [], False
        self._held += 1
        if self._held >= self._patience:
            # What was seen of more calls grows old.
            self._held, self._patience = 0, min(2 * self._patience, MOST_PATIENCE)
            self._model.forget_above(self.setting.concurrency)
            self._model.fit()
            self._tried = min(self._tried, self.setting.concurrency)
            self._growth = LITTLE_GROWTH
        # The last calls of a list tell nothing that could be used.
        if self._left >= self.setting.concurrency:
            self._decide(at_s, remark("pace.fitted"))

    def _telling(self, told: list[CallSample]) -> list[CallSample]:
        """Leave out the first calls of a round that met a server which was not busy yet."""
        if not self._is_first_round or len(told) == 1:
            return told
        slower = sorted((self._slower(sample), nth) for nth, sample in enumerate(told))
        half = len(slower) // 2
        early = sum(each for each, _ in slower[:half]) / half
        late = sum(each for each, _ in slower[half:]) / (len(slower) - half)
        return [told[nth] for _, nth in (slower[half:] if late - early > APART else slower)]

    def _forget_another_hour(self) -> None:
        """Let go of what was seen before, where nothing explains it together with what is new."""
        if self._model.missed > ANOTHER_HOUR:
            self._model.fade(LEFT_THEN)
            self._model.fit()
            self._tried = self.setting.concurrency
            self._patience, self._growth = HOLD, GROWTH
        else:
            self._model.fade(LEFT)

    def _decide(self, at_s: float, why: str) -> None:
        """Jump to what ends the list soonest."""
        calls, self._short = self._best_calls()
        setting = self._but_fixed(Setting(calls, self._best_size(self._left, calls)))
        if setting.concurrency != self.setting.concurrency or not self._has_begun:
            self._has_begun = True
            self._set(at_s, setting, why)
        else:
            # The size follows the rest of the list, which is no change of the pace.
            self.setting = setting

    def _best_calls(self) -> tuple[int, int]:
        """Return the calls at once, and the numbers in each call of their first round."""
        left, tried = max(self._left, 1), self._tried
        most = min(self._most_calls, math.ceil(self._growth * tried))
        levels = sorted({min(most, each) for each in LEVELS})
        if self._fixes_concurrency:
            levels = [self.setting.concurrency]
        # If a try disappoints, calls at once that are known follow; and it also tells of up to
        # TELLS_OF times as many calls.
        known = [min(each, self._most_calls) for each in (self.setting.concurrency, tried)]
        best: dict[int, tuple[float, int]] = {}
        for calls in levels:
            then = self._best_size(left, calls)
            size = max(1, min(then, math.ceil(left / calls), self._most_on_their_way // calls))
            sizes, others = {size}, list[int]()
            if calls > tried:
                others = [*known, *(each for each in LEVELS if calls < each <= TELLS_OF * calls)]
                if not self._fixes_size:
                    sizes |= {min(size, math.ceil(self._model.server.per_call))}
            best[calls] = min(
                (self._model.expected(calls, each, left, others, then), each) for each in sizes
            )
        soonest = min(best.values())[0]
        calls = next(each for each in levels if best[each][0] <= soonest + WORTH)
        return calls, best[calls][1] if calls > tried else MOST_CHUNK_SIZE

    def _set(self, at_s: float, setting: Setting, why: str) -> None:
        self._since_s = at_s
        self._held = 0
        self._round, self._is_first_round = [], True
        if setting != self.setting:
            self.setting = setting
            self.steps.append(PaceStep(at_s, setting, why))
