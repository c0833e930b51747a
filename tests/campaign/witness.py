"""What is seen at the ERP's door during a trial, and what must be true of it afterwards.

Nothing here asks `judge`, nor any other rule of k3push: what became of a request is known
from the fault that it met.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import anyio

from k3push.core.model import Answered, BillNumber, NeverSent, NoAnswer, number_in
from k3push.ports import AttemptRecord
from k3push.simulator import Channel, Fault, FaultPlan, FaultScript
from k3push.simulator.books.collation import Collation
from k3push.simulator.books.history import Making
from k3push.simulator.fault_plans.faults import NO_FAULT, Ending, Work
from tests.campaign.queueing import PushQueue
from tests.runs.office import LIMITS

# Far more than any trial needs; whoever gets there sends for ever.
MOST_REQUESTS = 4000
# So often may a number travel, over all executions and their tries, unless a person has it retried.
MOST_SENDINGS = 25
# Where few bills have many troubles each, which end an execution time and again.
MOST_OF_DENSE = 40

READABLE = frozenset({Ending.OK, Ending.GZIP, Ending.BASE64_GZIP})
BROKE_ON_THE_SERVER = frozenset({Ending.RESPONSE_ERROR, Ending.RESPONSE_ERROR_TEXT})
# The same as an answer; it is final for a number that travels alone.
THROWN = frozenset({Ending.MSGCODE_4, Ending.MSGCODE_6})
# These make a client log a user in no more.
_TURNS_AWAY = frozenset(
    {
        Ending.NO_PERMISSION,
        Ending.RESPONSE_ERROR_TIMEOUT,
        Ending.RESPONSE_ERROR_DEADLOCK,
        *BROKE_ON_THE_SERVER,
    }
)
_TRY_LATER = frozenset({Ending.EDIT_LOCK, Ending.CALL_LIMIT, Ending.NO_LICENCE})
_USABLE = (
    READABLE
    | BROKE_ON_THE_SERVER
    | THROWN
    | _TRY_LATER
    | {Ending.NO_PERMISSION, Ending.LOSE_SESSION, Ending.DELAY}
)
_LAST_TRY = LIMITS.max_attempts


class EndlessError(Exception):
    """Requests come without end."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A push that the ERP saw under a good session.

    Attributes:
        attempt: The attempt that was written down for it.
        at_s: When it came, in virtual time.
    """

    numbers: tuple[str, ...]
    fault: Fault
    attempt: int
    at_s: float

    @property
    def takes_s(self) -> float:
        """How much longer than usual it is until what it makes is kept."""
        return self.fault.delay_before_work_s + self.fault.commit_delay_s


class Witness(FaultScript):
    """Plays the faults of a trial, and keeps what came.

    Args:
        plan: The faults.

        collation: How numbers are compared.

        attempts: The attempts in the ledger, as they stand.

        renumbered: First numbers of bills, by those that they get later; two that exchange theirs
            count as one.

        deleted: Bills that somebody deletes; the ERP knows no number of their ids then.

    Attributes:
        queue: Where pushes wait for each other.
        most_requests: Whoever makes more asks for ever.
        most_sendings: How often a number may travel, over all executions and their tries.
        retried: How often people have had a bill retried, by its first number.
        met: When each fault was met, the oldest first.
        faults: How often each fault was met, by kind of request and name.
        pushes: All pushes, each bill by its first number.
        turned_away: Users who were logged in no more.
        findings: What came and must not come.
        trace: A digest of all that came, and when.
    """

    def __init__(
        self,
        plan: FaultPlan,
        collation: Collation,
        attempts: Callable[[], Sequence[AttemptRecord]],
        renumbered: Mapping[str, str],
        deleted: Collection[str],
    ) -> None:
        super().__init__(plan, collation)
        self._renumbered = renumbered
        self._deleted = deleted
        self._attempts = attempts
        self._requests = 0
        self.queue: PushQueue | None = None
        self.most_requests = MOST_REQUESTS
        self.most_sendings = MOST_SENDINGS
        self.retried: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.met: list[tuple[float, Fault]] = []
        self.pushes: list[Seen] = []
        self.turned_away: set[str] = set()
        self._lost: Counter[str] = Counter()
        self.findings: list[str] = []
        self.trace = hashlib.blake2b(digest_size=16)

    def next(self, channel: Channel, numbers: Iterable[str] = (), user: str = "") -> Fault:
        """Give what the request at hand meets, and note both."""
        carried = tuple(numbers)
        met = super().next(channel, carried, user)
        if channel is Channel.PUSH and self.queue is not None:
            met = self.queue.join(met, carried, anyio.current_time())
        if channel in {Channel.SUBMIT, Channel.AUDIT} and self.queue is not None:
            met = self.queue.join_step(met, channel.value, carried, anyio.current_time())
        self._requests += 1
        if self._requests > self.most_requests:
            raise EndlessError(f"more than {self.most_requests} requests")
        self.trace.update(f"{anyio.current_time()} {channel} {carried} {met}\n".encode())
        if met is not NO_FAULT:
            self.faults[f"{channel}: {met.name}"] += 1
            self.met.append((anyio.current_time(), met))
        self._turn_away(channel, met, user)
        if channel is Channel.PUSH:
            self._see(carried, met)
        return met

    def _turn_away(self, channel: Channel, met: Fault, user: str) -> None:
        """Note a user who is logged in no more: refused, or without a session time and again."""
        self._lost[user] += met.ending is Ending.LOSE_SESSION
        refused = channel is Channel.LOGIN and met.ending in _TURNS_AWAY
        if refused or self._lost[user] > 1:
            self.turned_away.add(user)

    def _see(self, numbers: tuple[str, ...], met: Fault) -> None:
        """Find the attempt that was written down for this push (rule 1)."""
        used, now_s = {seen.attempt for seen in self.pushes}, anyio.current_time()
        numbers = tuple(map(self._first, numbers))
        for kept in reversed(self._attempts()):
            attempt = kept.attempt
            named = tuple(map(self._first, attempt.intent.numbers))
            known = tuple(n for n in named if n in numbers or n not in self._deleted)
            is_this = known == tuple(filter(None, numbers))
            if is_this and not kept.ended_at and attempt.id not in used:
                self.pushes.append(Seen(named, met, attempt.id, now_s))
                return
        self.findings.append(f"{', '.join(numbers)}: sent without an attempt in the ledger")
        self.pushes.append(Seen(numbers, met, 0, now_s))

    def _first(self, number: str) -> str:
        """Return the first number of a bill that a key names."""
        number = number_in(BillNumber(number))
        return self._renumbered.get(number, number)

    def note_retry(self, bill: BillNumber) -> None:
        """Note that a person has a bill retried, which gives it its tries anew."""
        self.retried[self._first(bill)] += 1

    def _met(self, number: str) -> list[Seen]:
        """Return the pushes of a bill, whatever it was called."""
        first = self._first(number)
        return [seen for seen in self.pushes if first in seen.numbers]

    def met_since(self, since_s: float) -> list[Fault]:
        """Return the faults that were met from a time on."""
        return [met for at_s, met in self.met if at_s >= since_s]

    @property
    def dropped(self) -> bool:
        """Whether some number was passed over in silence."""
        return any(seen.fault.work is Work.DROP_ONE for seen in self.pushes)

    def may_be_rejected(self, number: str, *, codes: bool) -> bool:
        """Say whether a sound number met what rejects it: alone, or time and again.

        Args:
            number: The ERP's spelling.
            codes: Whether answers bear the MsgCode that asks to try later.
        """
        met = self._met(number)
        later = [seen for seen in met if seen.fault.ending in _TRY_LATER]
        final = (
            BROKE_ON_THE_SERVER
            | THROWN
            | {Ending.NO_PERMISSION}
            | (frozenset() if codes else _TRY_LATER)
        )
        alone = [
            seen
            for seen in met
            if len(seen.numbers) == 1
            and (seen.fault.ending in final or seen.fault.work is Work.DROP_ONE)
        ]
        broke = [seen for seen in alone if seen.fault.ending in BROKE_ON_THE_SERVER]
        return len(broke) < len(alone) or len(broke) + len(later) >= _LAST_TRY

    def denies_work(self, number: str) -> bool:
        """Say whether a push of a number did its work, and its answer told of a lost session."""
        met = [seen.fault for seen in self._met(number)]
        return any(fault.works and fault.ending is Ending.LOSE_SESSION for fault in met)

    def tells_apart(self, number: str, other: str) -> bool:
        """Say whether answers alone tell what was made of a number from what another has."""
        met = {seen.attempt: seen for seen in self._met(number)}
        told = {kept.attempt.id for kept in self._attempts() if isinstance(kept.exchange, Answered)}
        return all(
            seen.fault is NO_FAULT and attempt in told and self._first(other) not in seen.numbers
            for attempt, seen in met.items()
        )

    def answers(self, number: str) -> bool:
        """Say whether the ERP's answer to the last push of a number could be read."""
        met = [seen.fault for seen in self._met(number)]
        return bool(met) and met[-1].ending in _USABLE

    def plainly_answered(self, number: str, nth: int) -> tuple[str, ...]:
        """Return what the *nth* push of a number carried, if it met nothing and was the last."""
        met = self._met(number)
        return met[-1].numbers if len(met) == nth and met[-1].fault is NO_FAULT else ()

    def sent_by(self, number: str) -> set[str]:
        """Return the runs that have pushed a number, in whatever letters the ERP takes as it."""
        runs = {kept.attempt.id: kept.attempt.intent.run for kept in self._attempts()}
        as_one, first = self._collation, self._first(number)
        return {
            runs.get(seen.attempt, "")
            for seen in self.pushes
            if as_one(first) in map(as_one, seen.numbers)
        }

    def takes_s(self, number: str) -> float:
        """Return how much longer than usual the longest push of a number took."""
        return max((seen.takes_s for seen in self._met(number)), default=0.0)

    def push_of(self, making: Making) -> Seen | None:
        """Return the push that made something; None where nobody asked for it by a call."""
        return self.pushes[making.call - 1] if making.call else None

    def check_sendings(self, window_s: float) -> Iterator[str]:
        """Find what travelled again too early, or was taken for never sent (rules 4 and 6)."""
        met = {seen.attempt: seen.fault for seen in self.pushes}
        last: dict[str, AttemptRecord] = {}
        times = Counter(number for seen in self.pushes for number in {*seen.numbers})
        for number, count in times.items():
            if count > self.most_sendings + _LAST_TRY * self.retried[number]:
                yield f"{number}: sent {count} times"
        for kept in self._attempts():
            fault = met.get(kept.attempt.id)
            if isinstance(kept.exchange, NeverSent) and fault is not None and fault.connects:
                yield f"attempt {kept.attempt.id} reached the ERP, and passes for never sent"
            for number in kept.attempt.intent.numbers:
                before = last.get(number)
                last[number] = kept
                if before is None or not _is_doubtful(before, met.get(before.attempt.id)):
                    continue
                began_s = before.attempt.intent.uptime.seconds
                gap_s = kept.attempt.intent.uptime.seconds - began_s
                if gap_s < window_s:
                    yield f"{number}: sent again {gap_s:g} s after an attempt in doubt"


def _is_doubtful(kept: AttemptRecord, met: Fault | None) -> bool:
    """Say whether nobody can know what became of an attempt."""
    match kept.exchange:
        case None | NoAnswer():
            return True
        case Answered():
            return met is not None and met.ending not in _USABLE
    return False
