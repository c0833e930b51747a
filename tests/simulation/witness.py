"""What is seen at the ERP's door during a trial, and what must be true of it afterwards.

Nothing here asks `judge`, nor any other rule of k3push: what became of a request is known
from the fault that it met.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import anyio

from k3push.core.model import Answered, NeverSent, NoAnswer
from k3push.ports import AttemptRecord
from k3push.simulator import Channel, Fault, FaultPlan, FaultScript
from k3push.simulator.collation import Collation
from k3push.simulator.faults import NO_FAULT, Ending, Work
from tests.pushing.office import PACE

# Far more than any trial needs; whoever gets there sends for ever.
MOST_REQUESTS = 1000

READABLE = frozenset({Ending.OK, Ending.GZIP, Ending.BASE64_GZIP})
BROKE_ON_THE_SERVER = frozenset({Ending.RESPONSE_ERROR, Ending.RESPONSE_ERROR_TEXT})
_TRY_LATER = frozenset({Ending.EDIT_LOCK, Ending.CALL_LIMIT})
_USABLE = (
    READABLE
    | BROKE_ON_THE_SERVER
    | _TRY_LATER
    | {Ending.NO_PERMISSION, Ending.LOSE_SESSION, Ending.DELAY}
)
_LAST_TRY = PACE.max_attempts


class EndlessError(Exception):
    """Requests come without end."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A push that the ERP saw under a good session.

    Attributes:
        attempt: The attempt that was written down for it.
    """

    numbers: tuple[str, ...]
    fault: Fault
    attempt: int


class Witness(FaultScript):
    """Plays the faults of a trial, and keeps what came.

    Args:
        plan: The faults.

        collation: How numbers are compared.

        attempts: The attempts in the ledger, as they stand.

    Attributes:
        faults: How often each fault was met, by kind of request and name.
        pushes: All pushes.
        findings: What came and must not come.
        trace: A digest of all that came, and when.
    """

    def __init__(
        self,
        plan: FaultPlan,
        collation: Collation,
        attempts: Callable[[], Sequence[AttemptRecord]],
    ) -> None:
        super().__init__(plan, collation)
        self._attempts = attempts
        self._requests = 0
        self.faults: Counter[str] = Counter()
        self.pushes: list[Seen] = []
        self.findings: list[str] = []
        self.trace = hashlib.blake2b(digest_size=16)

    def next(self, channel: Channel, numbers: Iterable[str] = ()) -> Fault:
        """Give what the request at hand meets, and note both."""
        carried = tuple(numbers)
        met = super().next(channel, carried)
        self._requests += 1
        if self._requests > MOST_REQUESTS:
            raise EndlessError(f"more than {MOST_REQUESTS} requests")
        self.trace.update(f"{anyio.current_time()} {channel} {carried} {met}\n".encode())
        if met is not NO_FAULT:
            self.faults[f"{channel}: {met.name}"] += 1
        if channel is Channel.PUSH:
            self._see(carried, met)
        return met

    def _see(self, numbers: tuple[str, ...], met: Fault) -> None:
        """Find the attempt that was written down for this push (rule 1)."""
        used = {seen.attempt for seen in self.pushes}
        for kept in reversed(self._attempts()):
            attempt = kept.attempt
            if attempt.intent.numbers == numbers and not kept.ended_at and attempt.id not in used:
                self.pushes.append(Seen(numbers, met, attempt.id))
                return
        self.findings.append(f"{', '.join(numbers)}: sent without an attempt in the ledger")
        self.pushes.append(Seen(numbers, met, 0))

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
        met = [seen for seen in self.pushes if number in seen.numbers]
        later = [seen for seen in met if seen.fault.ending in _TRY_LATER]
        final = (
            BROKE_ON_THE_SERVER | {Ending.NO_PERMISSION} | (frozenset() if codes else _TRY_LATER)
        )
        alone = [
            seen
            for seen in met
            if len(seen.numbers) == 1
            and (seen.fault.ending in final or seen.fault.work is Work.DROP_ONE)
        ]
        return bool(alone) or len(later) >= _LAST_TRY

    def check_sendings(self, window_s: float) -> Iterator[str]:
        """Find what travelled again too early, or was taken for never sent (rules 4 and 6)."""
        met = {seen.attempt: seen.fault for seen in self.pushes}
        last: dict[str, AttemptRecord] = {}
        for kept in self._attempts():
            fault = met.get(kept.attempt.id)
            if isinstance(kept.exchange, NeverSent) and fault is not None and fault.connects:
                yield f"attempt {kept.attempt.id} reached the ERP, and passes for never sent"
            for number in kept.attempt.intent.numbers:
                before = last.get(number)
                last[number] = kept
                if before is None or not _is_doubtful(before, met.get(before.attempt.id)):
                    continue
                gap = kept.attempt.intent.began_at - before.attempt.intent.began_at
                if gap < timedelta(seconds=window_s):
                    yield f"{number}: sent again {gap} after an attempt in doubt"


def _is_doubtful(kept: AttemptRecord, met: Fault | None) -> bool:
    """Say whether nobody can know what became of an attempt."""
    match kept.exchange:
        case None | NoAnswer():
            return True
        case Answered():
            return met is not None and met.ending not in _USABLE
    return False
