"""Ask the ERP what is there. Reading is safe, so a read that fails is tried again.

A read that fails for good raises; it never turns into "nothing is there" (rule 7).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

import anyio
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from k3push.core.evidence import made_outcome
from k3push.core.model import BillNumber, Outcome, Route, Source, State, Target, Targets
from k3push.job import PushPace, Stop
from k3push.ports import (
    Erp,
    ErpBusyError,
    ErpUnreachableError,
    LookFailedError,
    LookRefusedError,
)

T = TypeVar("T")

# 2, 6, 18, 54, 60 ... seconds: an application pool that recycles is back within them, and a
# wrong address is not held up long.
FIRST_WAIT_S = 2.0
WAIT_GROWTH = 3.0
LONGEST_WAIT_S = 60.0
wait_for_erp = wait_exponential(multiplier=FIRST_WAIT_S, exp_base=WAIT_GROWTH, max=LONGEST_WAIT_S)


def pause_s(nth: int) -> float:
    """Return the *nth* of these waits, from 1.

    >>> [pause_s(nth) for nth in range(1, 7)]
    [2.0, 6.0, 18.0, 54.0, 60.0, 60.0]
    """
    return min(FIRST_WAIT_S * WAIT_GROWTH ** (nth - 1), LONGEST_WAIT_S)


class Waiter(Protocol):
    """Who is told that a look is put off; a `ports.Watch` is one."""

    def waiting(self, why: str, seconds: float) -> None:
        """Some work is put off for *seconds*."""
        ...


class Looker(Protocol):
    """What a look is made with; a `Job` is one."""

    @property
    def route(self) -> Route:
        """Whose forms are looked at."""
        ...

    @property
    def erp(self) -> Erp:
        """Who is asked."""
        ...

    @property
    def pace(self) -> PushPace:
        """How often a look is tried."""
        ...

    @property
    def stop(self) -> Stop:
        """Whether to go on trying."""
        ...

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Take in that a look that began at *began_s* was turned away, and ease off."""
        ...

    @property
    def watch(self) -> Waiter:
        """Who is told of waits."""
        ...


_BLOCKED_WORDS = {
    "unapproved": "源单未审核 (the source bill is not approved)",
    "closed": "源单已关闭 (the source bill is closed)",
    "cancelled": "源单已作废 (the source bill is cancelled)",
}


async def look_at_sources(
    job: Looker, numbers: Sequence[BillNumber]
) -> Mapping[BillNumber, tuple[Source, ...]]:
    """Read the bills that *numbers* spell from the source form."""
    return await _read(job, lambda: job.erp.sources_of(job.route, numbers))


async def look_at_targets(
    job: Looker, numbers: Collection[BillNumber], *, stop_or_not: bool = False
) -> Targets:
    """Read every target that is linked to *numbers*.

    Args:
        job: What to look with.
        numbers: The ERP's spellings.
        stop_or_not: Go on trying though a stop is asked: an open chunk is waited for.
    """
    return await _read(job, lambda: job.erp.targets_of(job.route, numbers), stop_or_not=stop_or_not)


def refusal(number: BillNumber, sources: Sequence[Source], route: Route) -> Outcome | None:
    """Say why a number is rejected unsent (rule 3), or None if it may be sent."""
    if not sources:
        why = "源单不存在 (the source form holds no such bill)"
        return Outcome(number, State.REJECTED, code="precheck", reason=why)
    if len(sources) > 1:
        ids = ", ".join(source.id for source in sources)
        why = f"单据编号不唯一 (more than one bill has this number: ids {ids})"
        return Outcome(number, State.REJECTED, code="ambiguous", reason=why)
    blocked = sources[0].blocked
    if not blocked or route.send_blocked:
        return None
    return Outcome(number, State.REJECTED, code="precheck", reason=_BLOCKED_WORDS[blocked])


def already(number: BillNumber, targets: tuple[Target, ...]) -> Outcome:
    """Say what becomes of a number that has targets and is not sent for that (rule 3)."""
    there = made_outcome(number, targets)
    draft = there.state is State.DRAFT
    reason = "已有暂存单 (a draft was there before)" if draft else ""
    return Outcome(number, State.ALREADY, there.targets, reason=reason)


async def _read(job: Looker, read: Callable[[], Awaitable[T]], *, stop_or_not: bool = False) -> T:
    began_s = anyio.current_time()
    # Nearly every look succeeds at once, so the trying is set up where one did not.
    try:
        return await read()
    except (LookFailedError, ErpUnreachableError) as error:
        met = [error]

    async def once() -> T:
        if met:
            raise met.pop()
        return await read()

    retrying = AsyncRetrying(
        retry=retry_if_exception(
            lambda error: _may_pass(error) and (stop_or_not or not job.stop.asked)
        ),
        stop=stop_after_attempt(job.pace.max_attempts),
        wait=wait_for_erp,
        sleep=anyio.sleep if stop_or_not else job.stop.sleep,
        before_sleep=lambda state: _put_off(job, began_s, state),
        reraise=True,
    )
    return await retrying(once)


def _put_off(job: Looker, began_s: float, state: RetryCallState) -> None:
    """Tell that a read is tried again later; all wait where the ERP asks to be spared."""
    error = state.outcome.exception() if state.outcome else None
    job.watch.waiting(str(error), state.upcoming_sleep)
    if isinstance(error, ErpBusyError):
        job.spare(began_s, state.upcoming_sleep, str(error))


def _may_pass(error: BaseException) -> bool:
    passing = isinstance(error, LookFailedError | ErpUnreachableError)
    return passing and not isinstance(error, LookRefusedError)
