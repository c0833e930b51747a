"""What the use cases need from the world outside, as verbs with their duties.

Adapters fulfil these; one contract suite holds every ledger to the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from k3push.core.commands import Command
from k3push.core.holds import Hold
from k3push.core.model import (
    Attempt,
    BillNumber,
    Exchange,
    FolderFile,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Route,
    Row,
    Run,
    RunId,
    Source,
    State,
    Targets,
    Uptime,
)
from k3push.core.verdict import Verdict


class ErpUnreachableError(Exception):
    """The ERP could not be reached to log in. Nothing was sent; it may be tried again."""


class LoginRefusedError(Exception):
    """The ERP refused the login, or a session just opened. Never tried twice (P 2.4, 3.4)."""


class LookFailedError(Exception):
    """A read gave no whole, certain answer. It proves nothing (rule 7)."""


class ErpBusyError(LookFailedError):
    """The ERP turned a read away since there are too many calls, or it serves none now."""


class LookRefusedError(LookFailedError):
    """The ERP understood a read and refused it: a form, a field or a right is wrong."""


class LedgerLostError(Exception):
    """The ledger could not write or read; nothing may be sent any more (rule 11)."""


class RunIsAliveError(Exception):
    """Another living process executes this run."""


class Clock(Protocol):
    """Where the time comes from: the time of day, which can be set, and one that cannot."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware."""
        ...

    def uptime(self) -> Uptime:
        """Return how long the machine has been up; never more than that."""
        ...


class Erp(Protocol):
    """The ERP of one account set, with a session for each of its users.

    Reads wait for their own turns under the limit of calls a minute.

    Logging in, keeping the session and the shape of requests are the adapter's business.
    Whether to send again is not: `push` sends at most once, whatever happens.
    """

    async def turn(self) -> None:
        """Wait until one push may leave at once, under the limit of calls a minute.

        An attempt begins after it, and not before: it is aged from its beginning.
        """
        ...

    async def push(self, route: Route, data: bytes) -> Exchange:
        """Send one Push request, once, without waiting, and say what came back.

        Raises nothing for a fault of the network, nor for a login that fails on the way:
        these are values. The next look raises what the login met.
        """
        ...

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost; the next call opens a new one.

        All who lost the same session share one login. Saying it of an older session than
        the present one changes nothing.
        """
        ...

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills, by the job file's spellings.

        A number that the form does not hold maps to (), one in two organisations to two sources.
        Two spellings of one bill map to equal sources.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def targets_of(
        self, route: Route, numbers: Collection[BillNumber], *, by_all: bool = False
    ) -> Targets:
        """Ask the target form for every document linked to *numbers*, drafts included.

        A number without targets is absent from the answer; that is proof of absence only
        because an answer in doubt is raised instead.

        Args:
            route: Whose target form is asked.
            numbers: The ERP's spellings.
            by_all: Ask through every user that there is, since one with narrower rights sees
                less without an error. Where absence lets a number travel again it must be so.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the claim on a number that another run wants.

    Attributes:
        run: The run that holds it.
        alive: Whether a process executes that run now.
    """

    run: RunId
    alive: bool


@dataclass(frozen=True, slots=True)
class Doubt:
    """A number whose answer was lost.

    Attributes:
        run: The run that sent it.
        number: The ERP's spelling.
        attempt: The attempt that is in doubt.
        began_at: When that attempt began.
        uptime: Of the machine that made it, at that time.
        before: Ids of the targets that were there before it.
    """

    run: RunId
    number: BillNumber
    attempt: int
    began_at: datetime
    uptime: Uptime
    before: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """An attempt as the ledger keeps it, for `explain`.

    Attributes:
        exchange: What came back; None where nothing was recorded (a kill, a lost ledger).
        verdict: What `judge` made of it, in words; "" while it is open.
        ended_at: When it was recorded.
    """

    attempt: Attempt
    exchange: Exchange | None
    verdict: str
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened to a number apart from its attempts, for `explain`.

    Attributes:
        id: Grows from note to note of one ledger.
        number: The ERP's spelling, or the job file's where it has none.
        at: When.
        run: In which run.
        text: What, in words: a read-back, a person's word, a take-over.
    """

    id: int
    number: BillNumber
    at: datetime
    run: RunId
    text: str


@dataclass(frozen=True, slots=True)
class Commanded:
    """A person's command to a run, as the ledger keeps it.

    Attributes:
        id: Later commands have greater ones.
        given_at: When it was given.
        obeyed_at: When the executor obeyed it; None while it has not.
        on_their_way: How many chunks were on their way then.
    """

    id: int
    command: Command
    given_at: datetime
    obeyed_at: datetime | None = None
    on_their_way: int = 0


class Ledger(Protocol):
    """The durable memory of runs, attempts and one row for each number of a run.

    What a verb wrote is on disk, power loss included, when it returns. Every verb raises
    `LedgerLostError` when that cannot be said. A move that `life.MOVES` does not know is
    refused with `life.IllegalMoveError` and changes nothing at all; a run that was never
    opened is refused with `LookupError`, save by `run`.
    """

    # -- runs ---------------------------------------------------------------------------------

    async def open_run(self, run: Run) -> None:
        """Write down a new run, without numbers.

        Raises:
            ValueError: The id is taken.
        """
        ...

    async def end_run(self, run: RunId, exit_code: int, at: datetime) -> None:
        """Write down how an execution of *run* ended; a later one may overwrite it."""
        ...

    async def run(self, run: RunId) -> Run | None:
        """Return the run of that id."""
        ...

    async def runs(self) -> Sequence[Run]:
        """Return all runs, the oldest first."""
        ...

    def own(self, run: RunId) -> AbstractAsyncContextManager[None]:
        """Hold *run* as its one living executor, until the block or the process ends.

        The hold is a lock that the operating system releases at death, so neither a clock
        nor a pause can fake a death.

        On entry, attempts that a dead executor left open become `unknown` and are closed,
        claims of `planned` numbers are given up, and the run's ending and the commands to
        earlier executors are cleared.

        Raises:
            RunIsAliveError: Another process holds it.
        """
        ...

    async def is_alive(self, run: RunId) -> bool:
        """Say whether some process owns *run* now."""
        ...

    async def take(self, file: FolderFile, run: RunId) -> None:
        """Write down that *run* has all numbers of a file; doing it again changes nothing."""
        ...

    async def has_taken(self, file: FolderFile) -> bool:
        """Say whether some run has the numbers of that file."""
        ...

    async def keep_calls_at_once(self, scope: str, calls: int) -> None:
        """Keep how many calls at once an execution came to, in the place of what was kept."""
        ...

    async def calls_at_once(self, scope: str) -> int | None:
        """Return what the last execution in *scope* (`Run.scope`) that came to some has kept."""
        ...

    # -- commands -----------------------------------------------------------------------------

    async def command(self, run: RunId, command: Command, *, at: datetime) -> int:
        """Leave a command for the executor of *run*, and return the command's id.

        It is for the execution that is under way: the next one that owns the run clears it.
        """
        ...

    async def commands(self, run: RunId) -> Sequence[Commanded]:
        """Return the commands for the present execution of *run*, the oldest first."""
        ...

    async def obeyed(self, command: int, *, at: datetime, on_their_way: int) -> None:
        """Write down that the executor has obeyed, with so many chunks on their way.

        A command that was cleared meanwhile, or is obeyed already, is left as it is.
        """
        ...

    # -- numbers ------------------------------------------------------------------------------

    async def add(self, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
        """Append rows in state `planned`; a number that the run has already is a repeat.

        Repeats are kept (see `repeats`) and returned; `Listed.route` is not stored.
        """
        ...

    async def close_list(self, run: RunId) -> None:
        """Write down that all lines of the run are there (`Run.whole`)."""
        ...

    async def identify(
        self, run: RunId, bills: Mapping[BillNumber, BillNumber]
    ) -> Sequence[Repeat]:
        """Write down the ERP's spelling of numbers: job file's spelling -> ERP's spelling.

        Where two rows of the run turn out to be one bill, the earlier line keeps its row; the
        other's row is taken away and becomes a repeat, which is kept and returned. A row that
        was sent or has an outcome is never taken away, so its partner is; two of that kind are
        refused. A row that was sent keeps its spelling, and numbers without a row are passed
        over.
        """
        ...

    async def repeats(self, run: RunId) -> Sequence[Repeat]:
        """Return all repeats of a run in the order of their lines."""
        ...

    async def rows(
        self,
        run: RunId,
        *,
        states: Collection[State] = (),
        after: int = 0,
        limit: int = 1000,
    ) -> Sequence[Row]:
        """Return a page of rows in the order of the job files, in any of *states* (all if empty).

        The next page begins *after* the last row's `place`.
        """
        ...

    async def counts(self, run: RunId) -> Mapping[State, int]:
        """Count the rows of each state; a state without rows is absent."""
        ...

    async def target_count(self, run: RunId) -> int:
        """Count the documents that the rows of a run name, each once; merged sources share one."""
        ...

    async def rows_of(self, number: BillNumber) -> Sequence[tuple[RunId, Row]]:
        """Return the rows of one number in all runs, by either spelling, the oldest run first."""
        ...

    # -- sending ------------------------------------------------------------------------------

    async def claim(self, run: RunId, numbers: Sequence[BillNumber]) -> Mapping[BillNumber, Holder]:
        """Claim numbers (the ERP's spelling) for *run*, over all runs of its scope.

        Returns those that could not be had, with who holds them; all others are held by *run*
        until an outcome that is not `sent` or `unknown` is recorded without *keep_claims*.
        Claiming a number that *run* holds already changes nothing. A claim of a dead run whose
        row is `planned` is taken over; one whose row is `sent` becomes `unknown` and is held.
        """
        ...

    async def begin(self, intent: Intent) -> Attempt:
        """Write the intent down and move its rows to `sent`; only then may it be sent.

        Every number must be claimed by `intent.run` and be `planned`, else all are refused
        with `life.IllegalMoveError`. Targets, code and reason of the rows are cleared.
        """
        ...

    async def record(
        self,
        attempt: Attempt,
        exchange: Exchange,
        verdict: str,
        outcomes: Sequence[Outcome],
        *,
        at: datetime,
        keep_claims: bool = False,
    ) -> None:
        """Write down, durably, what came of *attempt*, and move its rows.

        Repeating it changes nothing. *outcomes* tell of every number of the attempt, once;
        an attempt that `own` closed, or whose numbers have travelled again, is refused
        (`life.IllegalMoveError`). *keep_claims* keeps the claims of rows that went back to
        `planned` for the same run's next sending.
        """
        ...

    async def conclude(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str = ""
    ) -> None:
        """Move rows apart from an attempt: a look found a target, the pre-check or a person spoke.

        `Outcome.number` is the ERP's spelling or, for a number without one, the job file's.
        Claims of rows that leave `unknown` or stay unsent are given up. *note* is kept for
        `explain` beside each number.
        """
        ...

    async def doubts(self, run: RunId) -> Sequence[Doubt]:
        """Return the numbers of *run* that are `unknown`, in the order of the job file."""
        ...

    async def next_chunk(self, run: RunId) -> int:
        """Return an index above that of every chunk the run has sent, from 1."""
        ...

    # -- looking back -------------------------------------------------------------------------

    async def attempts_of(self, number: BillNumber) -> Sequence[AttemptRecord]:
        """Return every attempt that carried a number (the ERP's spelling), the oldest first."""
        ...

    async def notes_of(self, number: BillNumber) -> Sequence[Note]:
        """Return the notes on a number (the ERP's spelling), the oldest first."""
        ...

    async def attempts_in(
        self, run: RunId, *, after: int = 0, limit: int = 100
    ) -> Sequence[AttemptRecord]:
        """Return a page of the attempts of a run, the oldest first.

        The next page begins *after* the last one's id.
        """
        ...

    async def notes_in(self, run: RunId, *, after: int = 0, limit: int = 1000) -> Sequence[Note]:
        """Return a page of the notes that a run has made, the oldest first.

        The next page begins *after* the last one's id.
        """
        ...

    async def attempt_count(self, run: RunId) -> int:
        """Count the attempts of a run."""
        ...

    async def spans(self, run: RunId) -> Sequence[tuple[datetime, datetime]]:
        """Return when each attempt of a run that was recorded began and ended, oldest first."""
        ...


class Watch(Protocol):
    """Who is told what happens, as it happens: the progress bar, the log."""

    def concluded(self, outcomes: Sequence[Outcome]) -> None:
        """Numbers have moved apart from a sending."""
        ...

    def recorded(
        self, attempt: Attempt, outcomes: Sequence[Outcome], verdict: Verdict, seconds: float
    ) -> None:
        """An attempt is in the ledger, *seconds* after it left."""
        ...

    def waiting(self, why: str, seconds: float) -> None:
        """Some work is put off for *seconds*."""
        ...

    def held(self, hold: Hold | None) -> None:
        """What keeps all chunks from leaving has changed; None: they leave again."""
        ...
