"""Reads of the ERP that are tried again, or in halves: reading is safe, and one failure not final.

A read that fails for good raises; it never turns into "nothing is there" (rule 7). Four kinds of
failure are told apart:

- Nothing usable came back, or an error that may pass (an exception, a full database): tried again
  with growing pauses, as long as a person would wait. Where the same form was never read before,
  the settings may be wrong, and less patience is had.
- The form, a field or a right is wrong, as the ERP says by its MsgCode: raised at once, unless the
  same form was read before.
- The ERP refuses the query of certain numbers and answers others, as a guard against odd filters
  does. The question is halved until these numbers are found, and the others are answered.
- Nothing usable comes to a question of many numbers, again and again, and a question of one is
  answered in between: it is too long for the site, and halved as well.

Every read of a run comes through `read_with_retries`, most of them from a look of `lookup`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import anyio
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from k3push.core.model import Route
from k3push.core.pacing.chunking import halve, split
from k3push.core.pacing.growing_pauses import (
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    WAIT_GROWTH,
    pause_s,
)
from k3push.core.protocol.msg_codes import NO_RIGHT
from k3push.ports import (
    BELIEVED_AFTER_S,
    Erp,
    ErpBusyError,
    ErpUnreachableError,
    LookFailedError,
    LookRefusedError,
    ask_again_in_s,
    note_repeat,
    tell_of_wait,
    telling_of_waits,
)
from k3push.runs.lookup.question_lengths import QuestionLengths
from k3push.runs.stop import Stop

T = TypeVar("T")
Name = TypeVar("Name", bound=str)

wait_for_erp = wait_exponential(multiplier=FIRST_WAIT_S, exp_base=WAIT_GROWTH, max=LONGEST_WAIT_S)

# A read that has worked before is tried at least so often (some five minutes of waits), even if
# `max_attempts` is less.
LEAST_TRIES_OF_A_READ = 9

# Rounds in which the query of a single number has to be refused, each time with a harmless query
# answered right after it, before the refusal is believed. Where one read in eight fails by chance,
# four numbers in a million are refused in all rounds.
ROUNDS_OF_ONE = 3

# How many refusals it takes before a question with several numbers is halved, and before a refusal
# is believed to be final.
TRIES_OF_A_PART = 2

# How often a question of several numbers is left without an answer before one of a single number
# is asked beside it. The time after that it is halved: an outage may have ended in between.
UNANSWERED_BEFORE_A_PART = 2

# For how long looks behind an answer are tried again once a stop is asked; the next execution can
# make them as well, and a service manager waits no longer than a minute and a half.
AFTER_A_STOP_S = 45.0


READ_IS_TRIED_S = sum(map(pause_s, range(1, LEAST_TRIES_OF_A_READ)))
"""For how long a read is tried again, beside what it takes itself."""


class Waiter(Protocol):
    """Who is told that a look is put off; a `ports.Watch` is one."""

    def waiting(self, why: str, seconds: float) -> None:
        """Some work is put off for *seconds*."""
        ...


class Tries(Protocol):
    """How often something is tried; `push_limits.PushLimits` says so."""

    @property
    def max_attempts(self) -> int:
        """Tries, the first among them."""
        ...


class ReadContext(Protocol):
    """What a form is read with."""

    @property
    def route(self) -> Route:
        """Whose forms are looked at."""
        ...

    @property
    def erp(self) -> Erp:
        """Who is asked."""
        ...

    @property
    def limits(self) -> Tries:
        """How often a look is tried."""
        ...

    @property
    def stop(self) -> Stop:
        """Whether to go on trying."""
        ...

    @property
    def worked(self) -> set[str]:
        """Forms of which a read has succeeded."""
        ...

    @property
    def lengths(self) -> QuestionLengths:
        """How many numbers questions may name."""
        ...

    @property
    def watch(self) -> Waiter:
        """Who is told of waits."""
        ...

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Take in that a look that began at *began_s* was turned away, and ease off."""
        ...


async def read_in_parts(
    context: ReadContext,
    form: str,
    numbers: Sequence[Name],
    read: Callable[[Sequence[Name]], Awaitable[None]],
    *,
    harmless: Callable[[], Awaitable[object]],
    refused: dict[Name, str],
    stop_or_not: bool = False,
) -> None:
    """Read a question, in halves where the ERP refuses it for some of its numbers, or ids.

    It is read in halves as well where it names more numbers than the site can answer for.

    Args:
        context: What to look with.
        form: Whose rows are read.
        numbers: The numbers, or ids.
        read: Asks once for some of them.
        harmless: Asks the same for a number that no bill has: where that is refused as well, the
            numbers are not to blame.
        refused: Takes the ERP's words for those whose query it refuses.
        stop_or_not: Go on trying though a stop is asked.
    """
    several = len(numbers) > 1
    parts: Sequence[Sequence[Name]] = ()
    if 0 < (most := context.lengths.most(form)) < len(numbers):
        parts = split(numbers, most)
    # A refused single number is rejected, so its query has to be refused in several rounds.
    for rounds_left in reversed(range(1 if several else ROUNDS_OF_ONE) if not parts else ()):
        try:
            await read_with_retries(
                context,
                form,
                lambda: read(numbers),
                stop_or_not=stop_or_not,
                harmless=harmless,
                several=several,
            )
        except _TooLongError:
            parts = split(numbers, context.lengths.shorten(form, len(numbers)))
        except _OfNumbersError as error:
            parts = halve(numbers) if several else ()
            if not rounds_left and not several:
                refused[numbers[0]] = str(error)
        else:
            return
    for part in parts:
        await read_in_parts(
            context,
            form,
            part,
            read,
            harmless=harmless,
            refused=refused,
            stop_or_not=stop_or_not,
        )


async def read_unless_refused(
    context: ReadContext,
    asked: str,
    look: Callable[[], Awaitable[T]],
    *,
    stop_or_not: bool = False,
    with_any_error: bool = False,
    believed_after_s: float = BELIEVED_AFTER_S,
) -> T | None:
    """Read what a site may refuse to tell; None if it refuses, and still does some seconds later.

    While it loads its metadata anew, it refuses what it tells at other times.

    Args:
        context: What to look with.
        asked: What is read, in words.
        look: Asks once.
        stop_or_not: Go on trying though a stop is asked.
        with_any_error: Any error with which the site answers each time counts as a refusal.
        believed_after_s: For how long it is asked again.
    """
    refused_s: float | None = None
    while True:
        try:
            return await read_with_retries(context, asked, look, stop_or_not=stop_or_not)
        except LookRefusedError as error:
            refused_s = anyio.current_time() if refused_s is None else refused_s
            since_s = anyio.current_time() - refused_s
            wait_s = ask_again_in_s(since_s, believed_after_s)
            if not wait_s:
                return None
            with telling_of_waits(context.watch.waiting):
                tell_of_wait(str(error), since_s, wait_s)
            await anyio.sleep(wait_s)
        except _RefusedForLongError:
            if not with_any_error or asked in context.worked:
                raise
            return None


@dataclass(slots=True)
class _Patience:
    """For how long a read is tried again after a stop.

    Attributes:
        stop: What is asked of the execution.
        stop_or_not: An open chunk is waited for, but not for long.
        stopped_s: When the stop was noticed.
    """

    stop: Stop
    stop_or_not: bool
    stopped_s: float | None = None

    def goes_on(self) -> bool:
        """Say whether the read may be tried once more."""
        if not self.stop.asked:
            return True
        since_s = anyio.current_time() - self.stopped_s if self.stopped_s is not None else 0.0
        return self.stop_or_not and since_s < AFTER_A_STOP_S

    async def rest(self, seconds: float) -> None:
        """Wait for the next try: a stop ends the wait.

        After a stop, tries go on for `AFTER_A_STOP_S` at most.
        """
        if not self.stop.asked:
            await self.stop.sleep(seconds)
        elif self.stopped_s is not None:
            left_s = self.stopped_s + AFTER_A_STOP_S - anyio.current_time()
            await anyio.sleep(min(seconds, max(left_s, 0.0)))
        if self.stop.asked and self.stopped_s is None:
            self.stopped_s = anyio.current_time()


async def open_turn(context: ReadContext, turn: Callable[[], Awaitable[T]]) -> T:
    """Log in if need be and wait for a turn, trying again as a read is."""
    return await read_with_retries(context, "", turn)


class _RefusedForLongError(LookFailedError):
    """A query was refused, with an error that might have passed, for as long as one waits."""


class _OfNumbersError(Exception):
    """A query was refused for its numbers: the same query of a harmless one is answered."""


class _TooLongError(Exception):
    """Nothing answers a query of several numbers; the same query of one is answered."""


async def read_with_retries(
    context: ReadContext,
    form: str,
    look: Callable[[], Awaitable[T]],
    *,
    stop_or_not: bool = False,
    harmless: Callable[[], Awaitable[object]] | None = None,
    several: bool = False,
) -> T:
    """Read, and try again while that may help.

    Args:
        context: What to look with.
        form: The name under which success is remembered: the form, or another name for other fields
            of it; "" for what is no form.
        look: Asks once.
        stop_or_not: Go on trying though a stop is asked.
        harmless: The same question for a number that no bill has. It is asked after some refusals,
            to see whether the numbers cause them (`read_in_parts`); None if the question has no
            numbers.
        several: It names several numbers, and may be asked in parts.

    Raises:
        LookFailedError: It was tried for long, or cannot pass.
    """
    with telling_of_waits(context.watch.waiting):
        return await _read(
            context, form, look, stop_or_not=stop_or_not, harmless=harmless, several=several
        )


async def _read(
    context: ReadContext,
    form: str,
    look: Callable[[], Awaitable[T]],
    *,
    stop_or_not: bool,
    harmless: Callable[[], Awaitable[object]] | None,
    several: bool,
) -> T:
    began_s = anyio.current_time()
    # Nearly every look succeeds at once, so retrying is set up only after a failure.
    try:
        found = await look()
    except (LookFailedError, ErpUnreachableError) as error:
        met = [error]
        note_repeat(form)
    else:
        context.worked.add(form)
        return found
    patience = _Patience(context.stop, stop_or_not)
    question = _Question(harmless, several=several)

    async def once() -> T:
        try:
            if met:
                raise met.pop()
            return await look()
        except LookFailedError as error:
            blamed = await question.blamed_for(error)
            if blamed is None or (isinstance(blamed, _TooLongError) and context.stop.asked):
                raise
            # The form can be read, so that no refusal of a part ends the whole look.
            context.worked.add(form)
            raise blamed from error

    worked = form in context.worked
    tries = max(
        context.limits.max_attempts,
        TRIES_OF_A_PART if harmless is not None else 0,
        LEAST_TRIES_OF_A_READ if worked else 0,
    )
    retrying = AsyncRetrying(
        retry=retry_if_exception(
            lambda error: _may_pass(error, worked=worked) and patience.goes_on()
        ),
        stop=stop_after_attempt(tries),
        wait=wait_for_erp,
        sleep=patience.rest,
        before_sleep=lambda state: _put_off(context, began_s, state),
        reraise=True,
    )
    try:
        found = await retrying(once)
    except LookRefusedError as error:
        if error.definite and not worked:
            raise
        # The error may still pass, and whoever resumes the run later may not meet it.
        raise _RefusedForLongError(str(error)) from error
    context.worked.add(form)
    return found


@dataclass(slots=True)
class _Question:
    """What the failures of one question tell of its numbers.

    Attributes:
        harmless: The same question for a number that no bill has; None if it has no numbers.
        several: It names several numbers.
        refusals: How often the ERP has refused it.
        unanswered: How often nothing usable came back.
        short_is_answered: The harmless one was answered since.
    """

    harmless: Callable[[], Awaitable[object]] | None
    several: bool
    refusals: int = 0
    unanswered: int = 0
    short_is_answered: bool = False

    async def blamed_for(self, error: LookFailedError) -> _OfNumbersError | _TooLongError | None:
        """Return what is wrong with the numbers; None where they are not to blame, or not yet."""
        if self.harmless is None or isinstance(error, ErpBusyError):
            return None
        if isinstance(error, LookRefusedError):
            self.refusals += 1
            suspect = self.refusals >= TRIES_OF_A_PART or error.definite
            refused = error.code != NO_RIGHT and suspect and await _is_answered(self.harmless)
            return _OfNumbersError(str(error)) if refused else None
        self.unanswered += 1
        if self.short_is_answered:
            return _TooLongError(str(error))
        if self.several and self.unanswered >= UNANSWERED_BEFORE_A_PART:
            self.short_is_answered = await _is_answered(self.harmless)
        return None


async def _is_answered(look: Callable[[], Awaitable[object]]) -> bool:
    """Say whether the ERP answers a question."""
    try:
        await look()
    except (LookFailedError, ErpUnreachableError):
        return False
    return True


def _put_off(context: ReadContext, began_s: float, state: RetryCallState) -> None:
    """Tell that a read is tried again later; all wait where the ERP asks to be spared."""
    error = state.outcome.exception() if state.outcome else None
    context.watch.waiting(str(error), state.upcoming_sleep)
    if isinstance(error, ErpBusyError):
        context.spare(began_s, state.upcoming_sleep, str(error))


def _may_pass(error: BaseException, *, worked: bool) -> bool:
    """Say whether a read may succeed if it is tried again: a right may be given back, say."""
    if isinstance(error, LookRefusedError):
        return worked or not error.definite
    return isinstance(error, LookFailedError | ErpUnreachableError)
