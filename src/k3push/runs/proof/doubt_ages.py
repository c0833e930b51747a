"""How old doubts are, and from which age absence counts (rule 6).

Also how far apart the ERP ends calls that wait for each other, as answers and late documents tell.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Container
from dataclasses import dataclass
from datetime import datetime

import anyio

from k3push.core.model import BillNumber
from k3push.core.safety.ages import least_age_s
from k3push.core.safety.verdict import SOON_S
from k3push.ports import AttemptRecord, Clock, Doubt

LONGER_THAN_GAP = 1.5
"""The next late document is waited for this many times as long as the slowest one has taken."""

# The part of a window in which calls that wait for each other are to end: each may leave late
# (`SettleTimes.held_up_s`), and take somewhat longer than those before it.
IN_TIME = 0.8


@dataclass(frozen=True, slots=True)
class SettleTimes:
    """When to ask what became of a number whose answer was lost (rule 6), in seconds.

    Attributes:
        first_wait_s: From the end of a lost call to the first look.
        poll_s: Between looks.
        window_s: How long the ERP may be at work on a call, counted from when it left (P 5.15).
    """

    first_wait_s: float = 20
    poll_s: float = 20
    window_s: float = 600

    @property
    def shown_by_s(self) -> float:
        """How long after a call left looks surely show what it has made; absence counts then.

        The copies of a database that answer looks may lag behind it.
        """
        return self.window_s + self.first_wait_s

    @property
    def held_up_s(self) -> float:
        """How old an attempt may be when it leaves.

        Another process may have taken the run over meanwhile, and counts the window from the
        attempt's beginning. So a late call must leave the ERP enough of the window.
        """
        return self.window_s / 10


class DoubtAges:
    """How long ago attempts in doubt have surely left, for one process.

    An attempt of this process is timed by the monotonic clock from the end of its exchange:
    a machine may have been suspended after the attempt was written down and before it left.
    One of an earlier process counts what has surely passed until it is first seen. So no
    change of the time of day cuts a window short.

    Attributes:
        since: When this process began to know of them.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with no attempts known."""
        self._clock = clock
        self.since = clock.now()
        self._seen: dict[int, tuple[float, float]] = {}
        self._left_s: dict[int, float] = {}
        self._ended_at: dict[int, datetime] = {}
        self._found: dict[tuple[int, BillNumber], tuple[set[str], float]] = {}
        self._missed: set[tuple[int, BillNumber]] = set()
        self._shown: set[tuple[int, BillNumber]] = set()
        self._late_at_s = -math.inf
        self._heard_s: dict[str, float] = {}
        self._behind_s: dict[int, float] = {}
        self._longest_s: dict[str, float] = {}
        self._gap_s = 0.0
        self._gaps_s: dict[str, float] = {}

    def ended(self, attempt: int, left_s: float = -math.inf) -> None:
        """Note that the exchange of *attempt* ends now, in this process.

        Args:
            attempt: The attempt.
            left_s: When it left, by `Context.awake_s`; minus infinity if nobody asks for that.
        """
        self._seen[attempt] = (anyio.current_time(), 0.0)
        self._left_s[attempt] = left_s
        self._ended_at[attempt] = self._clock.now()

    def left_s(self, attempts: Collection[int]) -> float | None:
        """Return when the first of some attempts left, by `Context.awake_s`; None if not here."""
        known = [self._left_s.get(attempt, -math.inf) for attempt in attempts]
        earliest = min(known, default=-math.inf)
        return earliest if earliest > -math.inf else None

    def over_at(self, kept: AttemptRecord) -> datetime:
        """Return when an attempt was answered, or by when at the latest."""
        return self._ended_at.get(kept.attempt.id) or kept.ended_at or self._clock.now()

    def age_s(self, doubt: Doubt) -> float:
        """Return the seconds since the attempt left."""
        if doubt.attempt not in self._seen:
            now, uptime = self._clock.now(), self._clock.uptime()
            age = least_age_s(doubt.began_at, doubt.uptime, now, uptime)
            self._seen[doubt.attempt] = (anyio.current_time(), age)
        first_seen, age_then = self._seen[doubt.attempt]
        return age_then + anyio.current_time() - first_seen

    def _out_s(self, doubt: Doubt) -> float:
        """Return the seconds since the attempt left, its exchange included."""
        left_s = self.left_s({doubt.attempt})
        return self.age_s(doubt) if left_s is None else self._clock.uptime().seconds - left_s

    def watched_s(self, doubt: Doubt) -> float:
        """Return the seconds since this process has first seen the doubt."""
        self.age_s(doubt)
        return anyio.current_time() - self._seen[doubt.attempt][0]

    @property
    def has_heard(self) -> bool:
        """Whether this process knows of some call how long it took the ERP."""
        return bool(self._heard_s)

    def note_taken(self, seconds: float, sender: str) -> None:
        """Note that a call was answered so long after it left, whatever was said."""
        self._longest_s[sender] = max(self._longest_s.get(sender, 0.0), seconds)

    def longest_s(self, times: SettleTimes, sender: str, waited_s: float = 0.0) -> float:
        """Return for how long a user's call may keep the ERP, as far as this execution knows.

        Args:
            times: The window.
            sender: The user.
            waited_s: For how long the answer of a call was waited for in vain, at most. If that is
                longer than it takes until a line breaks, the ERP may have become slower since.
        """
        longest_s = max(self._longest_s.get(sender, 0.0), self._gap_of(sender))
        is_known = sender in self._heard_s or sender in self._longest_s
        is_known = is_known and waited_s <= SOON_S
        return min(times.window_s, LONGER_THAN_GAP * longest_s) if is_known else times.window_s

    def note_answer(self, seconds: float, sender: str) -> None:
        """Note that a call was answered so long after it left.

        Each call of that user that it waited for was over within that time. The calls of another
        user may have a queue of their own (P 2.9).
        """
        self._gaps_s[sender] = min(self._gap_of(sender), seconds)
        self._heard_s[sender] = anyio.current_time()

    def _gap_of(self, sender: str) -> float:
        """Return how long documents of a user's calls may be apart, as late ones have shown."""
        return self._gaps_s.get(sender, self._gap_s)

    def note_looks(self, looked_for: Collection[Doubt], made: Container[BillNumber]) -> None:
        """Note documents that have come, and such of which an earlier look showed nothing.

        Each tells how long its call has taken at most.

        Args:
            looked_for: What a look was about.
            made: Numbers of which a look has shown documents.
        """
        now_s = anyio.current_time()
        keys = {(doubt.attempt, doubt.number) for doubt in looked_for}
        shown = {key for key in keys if key[1] in made}
        come = {attempt for attempt, _ in shown - self._shown}
        late = {attempt for attempt, _ in shown & self._missed}
        for sender in {doubt.sender for doubt in looked_for if doubt.attempt in come}:
            of_user = {d.attempt: d for d in looked_for if d.attempt in come and d.sender == sender}
            if of_user.keys() & late:
                of_user = {attempt: of_user[attempt] for attempt in of_user.keys() & late}
                self._late_at_s = now_s
            left_s = [now_s - self._out_s(each) for each in of_user.values()]
            # Calls may wait for each other, so each counts from the end of the one before.
            since_s = max(self._heard_s.get(sender, -math.inf), *left_s)
            gap_s = (now_s - since_s) / len(of_user)
            self._gap_s = max(self._gap_s, gap_s)
            self._gaps_s = {user: max(each_s, gap_s) for user, each_s in self._gaps_s.items()}
        self._heard_s |= {d.sender: now_s for d in looked_for if (d.attempt, d.number) in shown}
        self._shown = (self._shown - keys) | shown
        self._missed = (self._missed | keys) - shown

    def note_behind(self, attempt: int, seconds: float) -> None:
        """Note how much later a call may be carried out for lost calls and steps in front of it."""
        self._behind_s[attempt] = seconds

    def behind_s(self, doubt: Doubt) -> float:
        """Return how much later the call of a doubt may be carried out for those before it."""
        return self._behind_s.get(doubt.attempt, 0.0)

    def shown_by_s(
        self, times: SettleTimes, doubt: Doubt | None = None, more_s: float = 0.0
    ) -> float:
        """Return from which age on absence counts; infinite while documents still come late.

        Behind a document that came late, calls may wait in the ERP that come as much later.

        Args:
            times: The window.
            doubt: Of which call; None is any.
            more_s: Added to the time for which absence does not count after a late document.
        """
        gap_s = self._gap_of(doubt.sender) if doubt else self._gap_s
        for_s = max(times.window_s / 2, LONGER_THAN_GAP * min(gap_s, times.window_s))
        still = anyio.current_time() - self._late_at_s < for_s + more_s
        return math.inf if still else times.shown_by_s + (self.behind_s(doubt) if doubt else 0.0)

    def most_in_time(self, times: SettleTimes, given_up: int) -> float:
        """Return how many calls may be at work if the last one is to end within its window.

        They may be worked on one after the other, each as long as late documents were apart. Until
        an answer or a document tells how long the ERP takes, it is one call; a refusal, which may
        come sooner, tells that only as long as no call was given up.

        Args:
            times: The window.
            given_up: How many of those at work were given up.
        """
        if not (self.has_heard or (self._longest_s and not given_up)):
            return 1
        gap_s = min(self._gaps_s.values(), default=self._gap_s)
        return max(1, times.window_s * IN_TIME // gap_s) if gap_s else math.inf

    def agree(self, doubt: Doubt, ids: set[str], apart_s: float) -> bool:
        """Say whether a look has found what an earlier one did, *apart_s* seconds before.

        The first look, and one that finds other documents, are kept to be compared with.
        """
        key, now_s = (doubt.attempt, doubt.number), anyio.current_time()
        found, found_s = self._found.get(key, (set(), now_s))
        if ids != found:
            self._found[key] = (ids, now_s)
            return False
        # Times are floating-point numbers: a wait may end a billionth of a second early.
        return now_s - found_s >= apart_s * 0.99
