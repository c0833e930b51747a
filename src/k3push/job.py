"""What one execution of a run works with, and how it is told to stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum

import anyio

from k3push.core.ages import least_age_s
from k3push.core.commands import Key
from k3push.core.halting import Breach, HaltRule, Tally
from k3push.core.model import Outcome, Route, Run, State
from k3push.core.pace import Ended, Pace, Sample
from k3push.ports import (
    Clock,
    Doubt,
    Erp,
    ErpUnreachableError,
    Ledger,
    LedgerLostError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
    Watch,
)
from k3push.steering import Steering


class Cause(StrEnum):
    """Why an execution stops before its end."""

    INTERRUPTED = "interrupted"
    HALTED = "halted"
    DEADLINE = "deadline"
    CONTROL = "control"
    LIMIT = "limit"
    CONTRADICTION = "contradiction"
    BARRED = "barred"
    LOOK_REFUSED = "look refused"
    UNREACHABLE = "unreachable"
    LOGIN_REFUSED = "login refused"
    LEDGER_LOST = "ledger lost"


class Stop:
    """Whether the execution is asked to stop: no new chunk leaves, open ones are waited for.

    Attributes:
        causes: Why, the first cause first, each with its words.
        event: Set when it is asked.
        scope: Holds all that the execution does; cancelling it stops at once, and leaves what
            is on its way to the next execution, which settles it.
    """

    def __init__(self) -> None:
        """Begin unasked."""
        self.causes: dict[Cause, str] = {}
        self.event = anyio.Event()
        self.scope = anyio.CancelScope()

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return bool(self.causes)

    def ask(self, cause: Cause, why: str) -> None:
        """Ask to stop; a cause that is known already keeps its first words."""
        self.causes.setdefault(cause, why)
        self.event.set()

    async def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until a stop is asked."""
        with anyio.move_on_after(seconds):
            await self.event.wait()


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """Turn what the ERP or the ledger ends an execution with into its stop, with the cause.

    A defect of ours stays an exception.
    """
    try:
        yield
    except LedgerLostError as error:
        stop.ask(Cause.LEDGER_LOST, str(error))
    except LoginRefusedError as error:
        stop.ask(Cause.LOGIN_REFUSED, str(error))
    except LookRefusedError as error:
        stop.ask(Cause.LOOK_REFUSED, str(error))
    except (ErpUnreachableError, LookFailedError) as error:
        stop.ask(Cause.UNREACHABLE, str(error))


@dataclass(frozen=True, slots=True)
class PushPace:
    """What bounds an execution from its beginning to its end; `steering` has the rest.

    Attributes:
        max_attempts: Sendings of a chunk that are proved to have done nothing.
        canary: Prove the route with one number, then with one chunk.
        halt: When refusals or doubts stop the run.
        limit: Numbers that this execution takes up at most, or None.
    """

    max_attempts: int = 5
    canary: bool = True
    halt: HaltRule = field(default_factory=HaltRule)
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class SettlePace:
    """When to ask what became of a number whose answer was lost (rule 6), in seconds.

    Attributes:
        first_wait_s: From the beginning of the attempt to the first look.
        poll_s: Between looks.
        window_s: Absence counts only when this long has surely passed since the attempt left; the
            ERP may finish a call long after the connection broke (P 5.15).
    """

    first_wait_s: float = 20
    poll_s: float = 20
    window_s: float = 600

    @property
    def held_up_s(self) -> float:
        """How old an attempt may be when it leaves.

        Another process may have taken the run over meanwhile, which counts the window from the
        attempt's beginning; what leaves so late must come to its end well within it.
        """
        return self.window_s / 10


class DoubtAges:
    """How long ago attempts in doubt have surely left, for one process.

    An attempt of this process is timed by the monotonic clock from the end of its exchange:
    a machine may have been suspended after the attempt was written down and before it left.
    One of an earlier process counts what has surely passed until it is first seen. So no
    change of the time of day cuts a window short.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin with no attempts known."""
        self._clock = clock
        self._seen: dict[int, tuple[float, float]] = {}

    def ended(self, attempt: int) -> None:
        """Note that the exchange of *attempt* ends now, in this process."""
        self._seen[attempt] = (anyio.current_time(), 0.0)

    def age_s(self, doubt: Doubt) -> float:
        """Return the seconds since the attempt left."""
        if doubt.attempt not in self._seen:
            now, uptime = self._clock.now(), self._clock.uptime()
            age = least_age_s(doubt.began_at, doubt.uptime, now, uptime)
            self._seen[doubt.attempt] = (anyio.current_time(), age)
        first_seen, age_then = self._seen[doubt.attempt]
        return age_then + anyio.current_time() - first_seen


@dataclass(slots=True)
class Job:
    """One execution of one run.

    Attributes:
        steering: How it is driven; may change while it goes.
        auto: Advises the steering, from samples.
        tally: What this execution's sendings have come to, for the halt rule.
        breach: The limit of the halt rule that was reached first.
        on_their_way: Chunks whose attempt has begun and is not recorded.
    """

    run: Run
    erp: Erp
    ledger: Ledger
    clock: Clock
    watch: Watch
    stop: Stop
    pace: PushPace
    steering: Steering
    settle: SettlePace
    ages: DoubtAges
    auto: Pace = field(default_factory=Pace)
    tally: Tally = field(default_factory=Tally)
    breach: Breach | None = None
    on_their_way: int = 0

    @property
    def route(self) -> Route:
        """The route of the run."""
        return self.run.route

    @property
    def reads_back(self) -> bool:
        """Whether the target form can be asked for targets by source number."""
        return bool(self.route.source_number_field)

    @property
    def repeats_pushes(self) -> bool:
        """Whether a target that was there before does not stop a push."""
        return self.route.allow_partial or bool(self.run.again_because)

    def chunk_size(self, left: int, ready: int, open_chunks: int) -> int:
        """Return how many numbers the next chunk takes.

        Args:
            left: Numbers that are still to be sent.
            ready: Those of them that could leave now.
            open_chunks: Chunks on their way.
        """
        free = max(1, self.steering[Key.CONCURRENCY] - open_chunks)
        made = self.tally.sent - self.tally.failed - self.tally.unknown
        steered = self.auto.size(left, ready, free, made)
        if not self.reads_back:
            return 1
        return steered if self.steering.is_auto(Key.CHUNK_SIZE) else self.steering[Key.CHUNK_SIZE]

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Let nothing new leave for some seconds: the ERP turned a look away."""
        self.learn(Sample(began_s, anyio.current_time(), ended=Ended.OVERLOADED))
        self.steering.back_off(seconds, why)

    def learn(self, sample: Sample) -> None:
        """Take in what a sending has shown of the ERP, and steer by it."""
        steering = self.steering
        fixed = {key: None if steering.is_auto(key) else steering[key] for key in Key}
        if not self.reads_back:
            fixed[Key.CHUNK_SIZE] = 1
        self.auto.add(sample, concurrency=fixed[Key.CONCURRENCY], chunk_size=fixed[Key.CHUNK_SIZE])
        steering.advise(Key.CONCURRENCY, self.auto.setting.concurrency)
        steering.advise(Key.CHUNK_SIZE, self.auto.setting.chunk_size)

    def count(self, outcomes: Sequence[Outcome]) -> None:
        """Add what a sending came to, and stop if that breaks the halt rule."""
        states = [outcome.state for outcome in outcomes if outcome.state is not State.PLANNED]
        self.tally = replace(
            self.tally,
            sent=self.tally.sent + len(states),
            failed=self.tally.failed + states.count(State.REJECTED),
            unknown=self.tally.unknown + states.count(State.UNKNOWN),
        )
        breach = self.pace.halt.check(self.tally)
        if breach is not None and self.breach is None:
            self.breach = breach
            self.stop.ask(Cause.HALTED, str(breach))
            if self.pace.halt.now:
                self.stop.scope.cancel()
