"""Processes to which something happens at a step: a kill, a full disk, Ctrl-C."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

import anyio
import httpx
from trio.testing import MockClock

from k3push.core.model import Attempt, Intent, StepAttempt, StepIntent, StepsSoFar
from k3push.ports import AttemptRecord
from k3push.runs.stop import Cause, Stop
from k3push.simulator import Site
from k3push.simulator.books.forms import IN_STOCK
from k3push.simulator.fault_plans.script import Channel
from tests.memory_ledger.ledger import MemoryLedger
from tests.memory_ledger.rows import Store
from tests.schedules import seed_schedule
from tests.simulator.transport import SandboxTransport

F = TypeVar("F", bound="Fate")


class Act(StrEnum):
    """What happens to a process."""

    KILL = "is killed"
    """Its memory is gone, and nothing of it reaches the ledger or the network any more."""

    FULL_DISK = "finds the disk full"
    """It lives on without its ledger."""

    STOP = "is told to stop by Ctrl-C"
    """It sends no new chunk, and waits for what is open."""

    STAND_STILL = "stands still once its next attempt is written down"
    """Its run is free meanwhile, as that of a machine that sleeps; then it goes on."""

    STOP_AT_ONCE = "is told to stop by a second Ctrl-C"
    """All its tasks are cancelled where they stand; it writes down nothing more of them."""


@dataclass(slots=True)
class Fate:
    """What happens to one process, and when.

    Attributes:
        acts: By the step at which they happen, from 1. Steps are the beginnings of the
            ledger's verbs, and the requests, before they leave and when they come back.
        steps: Steps so far.
        happened: Acts so far.
        scope: The process.
        stop: Its stop.
        ledger: What it sees of the ledger.
        still_s: How long it stands still, where it does.
        stands_still: Set when it does.
    """

    acts: Mapping[int, Act] = field(default_factory=dict)
    steps: int = 0
    happened: list[Act] = field(default_factory=list)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    stop: Stop = field(default_factory=Stop)
    ledger: MemoryLedger | None = None
    still_s: float = 0.0
    stands_still: anyio.Event = field(default_factory=anyio.Event)

    def step(self) -> None:
        """Take a step."""
        self.steps += 1
        act = self.acts.get(self.steps)
        if act is not None:
            self.happened.append(act)
        if act in {Act.STOP, Act.STOP_AT_ONCE}:
            self.stop.ask(Cause.INTERRUPTED, "Ctrl-C")
        if act in {Act.KILL, Act.FULL_DISK} and self.ledger is not None:
            self.ledger.die()
        if act is Act.KILL:
            self.scope.cancel()
        if act is Act.STOP_AT_ONCE:
            self.stop.scope.cancel()

    @property
    def dead(self) -> bool:
        """Whether it has been killed."""
        return Act.KILL in self.happened


@dataclass(slots=True)
class Lived(Fate):
    """The fate of a process to which nothing happens, and when it could have left something else.

    The dead leave what is written down, what the ERP has done, and the time of day. Most steps
    only read: who dies at one of them leaves what the step before would have left.

    Attributes:
        left: Returns what a death would leave now.
        moments: The steps before which something was done that a death leaves.
    """

    left: Callable[[], object] = object
    moments: list[int] = field(default_factory=list)
    _seen: object = None

    def step(self) -> None:
        """Take a step."""
        Fate.step(self)
        seen = self.left()
        if seen != self._seen:
            self._seen = seen
            self.moments.append(self.steps)


def left_by_death(ledger: MortalLedger, site: Site) -> Callable[[], object]:
    """Return what tells what a death would leave, the time of day by minutes."""

    def left() -> object:
        calls = [site.calls[kind] for kind in (Channel.PUSH, Channel.SUBMIT, Channel.AUDIT)]
        made = [*site.world.store.of_form(IN_STOCK)]
        return repr((ledger.written, calls, made, anyio.current_time() // 60))

    return left


def played(story: Callable[[F], Awaitable[None]], fate: Callable[[], F], *, schedule: int) -> F:
    """Play a story from noon on, so that its steps are the same each time until something happens.

    Args:
        story: It makes all that it needs.
        fate: What happens in it.
        schedule: Draws the order of what is ready at the same moment.
    """

    async def play() -> F:
        fated = fate()
        await story(fated)
        return fated

    seed_schedule(schedule)
    clock = MockClock(autojump_threshold=0)
    return anyio.run(play, backend="trio", backend_options={"clock": clock})


class MortalLedger(MemoryLedger):
    """What a process sees of a ledger, a step at each verb."""

    def __init__(self, fate: Fate, store: Store | None = None, *, account: str = "sandbox") -> None:
        """Bind *fate* to this process."""
        super().__init__(store, account=account)
        self._fate = fate
        fate.ledger = self

    def process(self, fate: Fate) -> MortalLedger:
        """Return what another process sees of the same ledger."""
        return MortalLedger(fate, self._store, account=self._account)

    def beside(self, account: str) -> MortalLedger:
        """Return what a process of another account sees of the same ledger."""
        return MortalLedger(Fate(), self._store, account=account)

    @property
    def attempts(self) -> Sequence[AttemptRecord]:
        """All attempts of all processes, the oldest first, whoever is dead."""
        return self._store.attempts

    @property
    def written(self) -> Store:
        """All that is written down, whoever is dead."""
        return self._store

    async def begin(self, intent: Intent) -> Attempt:
        """Write an attempt down; the process may stand still right after that."""
        attempt = await super().begin(intent)
        await self._stand_still()
        return attempt

    async def begin_step(
        self, intent: StepIntent, *, after: StepsSoFar | None = None
    ) -> StepAttempt:
        """Write an attempt at a step down; the process may stand still right after that."""
        attempt = await super().begin_step(intent, after=after)
        await self._stand_still()
        return attempt

    async def _stand_still(self) -> None:
        fate = self._fate
        if Act.STAND_STILL in fate.happened and not fate.stands_still.is_set():
            self.die()
            fate.stands_still.set()
            await anyio.sleep(fate.still_s)

    async def _turn(self) -> Store:
        self._fate.step()
        return await super()._turn()


class MortalTransport(SandboxTransport):
    """Carries the requests of a process, a step before and one after each."""

    def __init__(self, site: Site, fate: Fate) -> None:
        """Bind to *fate*."""
        super().__init__(site)
        self._fate = fate

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request; nothing leaves the dead."""
        self._fate.step()
        if self._fate.dead:
            raise httpx.ConnectError("this process is dead", request=request)
        response = await super().handle_async_request(request)
        self._fate.step()
        return response


def carried_by(fate: Fate) -> Callable[[Site], MortalTransport]:
    """Return what makes the transports of a process."""
    return lambda site: MortalTransport(site, fate)
