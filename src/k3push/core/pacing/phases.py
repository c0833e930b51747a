"""The phases of `auto`: one call alone, then rounds of calls; and how far a try of more may go."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from k3push.core.pacing.bounds import MOST_CHUNK_SIZE
from k3push.core.pacing.samples import CallSample
from k3push.core.pacing.server_model import Learnt

# Where the ERP serves one call at a time, the calls that it works on come out a little above 1,
# since their network times overlap; below this figure it counts as one.
ONE_BY_ONE = 2

# Few clients of this ERP were seen with more than ten calls at once (P 8.2), and one that
# serves a user's calls one after another is not slowed down by four.
FIRST_CONCURRENCY = 4

# Factor by which the calls at once may grow in one try. TCP's slow start doubles; here a round
# costs more, so there are fewer and larger steps.
GROWTH = 16
LITTLE_GROWTH = 1.5

# The first chunk travels alone, so that it is a small part of a list: it has at least the first of
# these, or as many as make one part in so many of the list, whichever is less.
FIRST_CHUNK_SIZE = 10
FIRST_CHUNKS_IN_LIST = 240

# The looks of the canary, one after the other: most are to prove the links. Others make two.
CANARY_LOOKS = 5
LOOKS = 2

# When the ERP begins to refuse, few numbers shall be on their way: at most this many at first.
FIRST_ON_THEIR_WAY = 80

# What was found in an earlier execution counts as this many samples of each kind.
RECALLED = 1.5

# That weight halves in this time: servers are moved and grow over months.
HALVES_IN_DAYS = 30.0

# What is remembered is dropped if the canary or the first chunk takes more than this many times
# the time that it predicts, or less than that time divided by this.
RECALL_TOLERANCE = 2.5

# Rounds before more calls are tried again; the number doubles each time. By then, what was measured
# with more calls is out of date and is forgotten. From then on calls grow in small steps, since a
# large one that fails costs more than it can gain.
FIRST_PATIENCE = 16
MOST_PATIENCE = 128


@dataclass(slots=True)
class Alone:
    """The first phase: the canary travels alone, and after it the first chunk.

    Attributes:
        since_s: When the present setting began.
        recalled: What an earlier execution has found, as long as this night is like that one.
        weight: How many samples of each kind that counts for.
    """

    since_s: float = -math.inf
    canary: CallSample | None = None
    recalled: Learnt | None = None
    weight: float = RECALLED

    @classmethod
    def recalling(cls, learnt: Learnt, age_days: float) -> Alone:
        """Begin with what an earlier execution has found."""
        weight = RECALLED * 0.5 ** (max(0.0, age_days) / HALVES_IN_DAYS)
        return cls(recalled=learnt, weight=weight)

    def doubt(self, sample: CallSample) -> None:
        """Let go of what an earlier execution has found, where this night is another one."""
        if self.recalled is not None and sample.at_once == 1:
            expected_s = self.recalled.server.push_s(1, sample.numbers)
            if not 1 / RECALL_TOLERANCE < sample.push_s / expected_s < RECALL_TOLERANCE:
                self.recalled = None

    def size(self, left: int) -> int:
        """Say how many numbers may travel alone.

        Where nothing is recalled, as many as take about the time of the canary. A push costs at
        least as much as a look, so a single number costs at most the rest of that time.
        """
        if self.canary is None:
            return FIRST_CHUNK_SIZE
        if self.recalled is not None:
            return _recalled_size(self.recalled, left)
        look_s = self.canary.looks_s / CANARY_LOOKS
        most_number_s = max(self.canary.push_s - look_s, 1e-6)
        size = min(
            (LOOKS * look_s + self.canary.push_s) / most_number_s,
            FIRST_ON_THEIR_WAY / FIRST_CONCURRENCY,
        )
        part = min(FIRST_CHUNK_SIZE, left // FIRST_CHUNKS_IN_LIST)
        return max(2, part, math.ceil(size))


def _recalled_size(recalled: Learnt, left: int) -> int:
    """Return the size of the first chunk where an earlier execution has told the costs.

    While it travels alone, a server that works on several calls has too little to do, so its
    numbers cost half of what a call does. One that works on one call at a time loses nothing, and
    the square-root rule of `pace` gives the size.
    """
    server = recalled.server
    working = max(calls / server.slowed(calls) for calls in range(1, recalled.tried + 1))
    one_by_one = working <= ONE_BY_ONE
    size = math.sqrt(2 * left * server.per_call) if one_by_one else server.per_call / 2
    return max(1, math.ceil(min(size, FIRST_ON_THEIR_WAY)))


@dataclass(slots=True)
class Rounds:
    """The second phase: calls travel side by side, round after round.

    Attributes:
        since_s: When the present setting began.
        samples: Of sendings of the present round; all began under the present setting.
        is_first: The round is the first one of its setting.
        first_size: Largest chunk in that first round, where it tries more calls than before.
        has_ended_one: A round is over.
        rounds_ended: Rounds of the setting that are over, since it began or patience last ran out.
    """

    since_s: float
    samples: list[CallSample] = field(default_factory=list)
    is_first: bool = True
    first_size: int = MOST_CHUNK_SIZE
    has_ended_one: bool = False
    rounds_ended: int = 0

    def begin(self, at_s: float) -> None:
        """Begin with another setting."""
        self.since_s = at_s
        self.samples = []
        self.is_first = True
        self.rounds_ended = 0

    def end(self) -> None:
        """End a round."""
        self.samples = []
        self.is_first = False
        self.rounds_ended += 1


@dataclass(slots=True)
class Reach:
    """How many calls at once have been tried, and how far the next try may go."""

    most: int = 1
    growth: float = GROWTH
    patience: int = FIRST_PATIENCE

    def forget_above(self, calls: int) -> None:
        """Take more calls for untried, and go there in small steps from now on."""
        self.most = min(self.most, calls)
        self.growth = LITTLE_GROWTH
        self.patience = min(2 * self.patience, MOST_PATIENCE)

    def begin_anew(self, calls: int) -> None:
        """Take all but the present calls for untried: the server has changed."""
        self.most, self.growth, self.patience = calls, GROWTH, FIRST_PATIENCE
