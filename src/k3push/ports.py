"""What the use cases need from the world outside, as verbs with their duties.

Adapters fulfil these; one contract suite holds every ledger to the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

from k3push.core.control_words import Command
from k3push.core.model import (
    Attempt,
    BillNumber,
    Document,
    Exchange,
    FlowTask,
    FolderFile,
    Follow,
    Identified,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Route,
    Row,
    Run,
    RunId,
    Sighting,
    Source,
    Standing,
    State,
    StepAttempt,
    StepIntent,
    Target,
    Uptime,
)
from k3push.core.pacing.holds import Hold
from k3push.core.protocol.links import FormEntry, LinkRow
from k3push.core.protocol.selection import SelectedPage, Selection
from k3push.core.safety.verdict import Verdict

if TYPE_CHECKING:
    # Every command imports this module, and one alone inspects.
    from decimal import Decimal

    from k3push.core.protocol.inspection import Inspected, Named


class ErpUnreachableError(Exception):
    """The ERP could not be reached to log in. Nothing was sent; it may be tried again."""


class LoginRefusedError(Exception):
    """The ERP refused the login, or a session just opened. Never tried twice (P 2.4, 3.4)."""


class LookFailedError(Exception):
    """A read gave no whole, certain answer. It proves nothing (rule 7)."""


class ErpBusyError(LookFailedError):
    """The ERP turned a read away since there are too many calls, or it serves none now."""


class LookRefusedError(LookFailedError):
    """The ERP answered a read with an error.

    Attributes:
        code: The ERP's MsgCode, or "".
        definite: Its code says that a form, a field or a right is wrong, so that the same
            question is refused again. An exception or a failed database may pass.
    """

    def __init__(self, message: str, *, code: str = "", definite: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.definite = definite


class LedgerLostError(Exception):
    """The ledger could not write or read; nothing may be sent any more (rule 11)."""


class LedgerDamagedError(LedgerLostError):
    """The ledger holds what k3push never writes: a disk, or a hand, has changed it."""


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


class Turn(Protocol):
    """The right to send one push at once: a session is open, and no limit stands in the way."""

    @property
    def user(self) -> str:
        """The user that the push travels as."""
        ...

    async def perform(
        self, operation: str, form: str, data: bytes, *, held_back: Callable[[], str]
    ) -> Exchange:
        """Make one call that writes, at most once, without waiting, and say what came back.

        Raises nothing for a fault of the network: that is a value. Where the session was lost
        since the turn came, nothing is sent; no other is opened here.

        Args:
            operation: Push, Submit or Audit.
            form: The form that it is about.
            data: The request's `data`.
            held_back: Asked right before the first byte leaves, when the connection stands; a
                reason means that nothing is sent.
        """
        ...


class Erp(Protocol):
    """The ERP of one account set, with a session for each of its users.

    Reads wait for their own turns under the limit of calls a minute.

    Logging in, keeping the session and the shape of requests are the adapter's business.
    Whether to send again is not: a turn sends at most once, whatever happens.
    """

    def turn(self, user: str = "") -> AbstractAsyncContextManager[Turn]:
        """Wait until one call may leave at once: log in if need be, and wait for the limit.

        All that can wait comes here, before the attempt begins (rule 1 counts its age from
        there).

        Args:
            user: Whose turn it had better be, since others may not see the document; whoever is
                able where that user is not.

        Raises:
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    @property
    def users(self) -> Collection[str]:
        """All users of the settings, by name."""
        ...

    async def standings_of(self, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        """Ask the target form for documents by their ids; one that it does not hold is absent.

        Absent means absent for every user of the settings who may read the form.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def flow_tasks_of(self, route: Route, numbers: Collection[str]) -> Mapping[str, FlowTask]:
        """Ask for open tasks of approval flows, by the bill number of the target (P 10.5).

        Raises:
            LookRefusedError: The user may not read them, or the site has none.
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost; the next call opens a new one.

        All who lost the same session share one login. Saying it of an older session than
        the present one changes nothing.
        """
        ...

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Return the newest documents of the target form, and what each line names as its source.

        It is the document's id, and what the source-number field holds; "" for a blank.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills, by the job file's spellings.

        A number that the form does not hold maps to (), one in two organisations to two sources,
        which tell their organisations where the ERP shows them. Two spellings of one bill map to
        equal sources.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def sources_by_id(self, route: Route, ids: Sequence[str]) -> Mapping[str, Source]:
        """Ask the source form for bills, by their ids; one that it does not hold is absent.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def selected(
        self, route: Route, selection: Selection, *, today: date, after: str
    ) -> SelectedPage:
        """Ask the source form for the bills that a selection names with the next higher ids.

        The page is whole: no bill between its own is missing. Where it is empty no more follow.

        Args:
            route: Whose source form is asked.
            selection: Which bills.
            today: The day that the selection's dates are told from.
            after: All ids are higher than this one; "0" at first.

        Raises:
            selection.FilterFlawError: The selection cannot be written as a filter.
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def targets_of(
        self, route: Route, numbers: Collection[BillNumber], *, by_all: bool = False
    ) -> Sighting:
        """Ask the target form for every document linked to *numbers*, drafts included.

        A number without targets is absent from the answer. That is proof of absence only for
        what the users of the sighting may see, and only where the field that is asked was proved
        to find what is there.

        A number with an id (`key_of`) is that of several bills: documents are this one's where
        their links name it, and `Sighting.shared` where nothing tells.

        Args:
            route: Whose target form is asked.
            numbers: The ERP's spellings.
            by_all: Ask through every user that there is, since one with narrower rights sees
                less without an error. Where absence lets a number travel again it must be so.
                A user whose login is refused, or who may not read the form, is left out of
                `Sighting.users`; any other look that fails is raised.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def linked_targets_of(
        self, route: Route, ids: Mapping[BillNumber, str], *, by_all: bool = False
    ) -> Sighting | None:
        """Ask the target form's links for every document that was made from bills (P 6.5).

        The ERP keeps a link by the source's id whatever its number fields hold: a rule may merge
        bills into one line, or a field be too short. None where the site does not let links be
        queried, or the pair's links are not known.

        Args:
            route: Whose target form is asked.
            ids: The ERP's spelling of each bill, and its internal id.
            by_all: As for `targets_of`, whose errors this raises too.
        """
        ...

    async def entries_of(self, form: str) -> Sequence[FormEntry]:
        """Ask for the tables of a form (P 15.1).

        Raises:
            LookRefusedError: The user may not ask, or there is no such form.
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def newest_links(self, route: Route) -> Sequence[LinkRow]:
        """Return the links of the newest documents of the target form, in the route's entry.

        Raises:
            LookRefusedError: That entry has no links, or a right is missing.
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    async def linked_sources(self, route: Route) -> Sequence[BillNumber]:
        """Return bills of the source form that the links of the newest documents name.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...


class Inspection(Protocol):
    """Whole reads of an account set, for an audit; each is made through every user.

    All raise what the looks of `Erp` do.
    """

    async def named_after(
        self, route: Route, after: int, since: str = ""
    ) -> tuple[Sequence[Named], int | None]:
        """Return the sources that the next documents of the target form name, each once.

        Args:
            route: Whose target form is read.
            after: Only documents with a higher id; 0 begins.
            since: Only documents that were made at this local time of the server or later.

        Returns:
            The sources, and the *after* of the next call; None once nothing follows.
        """
        ...

    async def documents(self, route: Route, ids: Sequence[str]) -> Mapping[str, Inspected]:
        """Return documents of the target form by id; one that is not there is absent."""
        ...

    async def ordered(
        self, route: Route, ids: Sequence[str]
    ) -> Mapping[str, Mapping[str, Decimal | None]]:
        """Return what the rows of source bills order, by the id of the row, by that of the bill.

        A bill whose rows are not shown is absent; a quantity that is not shown is None.
        """
        ...

    async def numbers(self, route: Route, ids: Sequence[str]) -> Mapping[str, BillNumber]:
        """Return the numbers of source bills by id; one that is not there is absent."""
        ...


class Once(Protocol):
    """Remembers names, so many that they do not fit into the memory. Its verbs block."""

    def new(self, names: Collection[str]) -> Collection[str]:
        """Return those of *names* that it is given for the first time; threads may call at once."""
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
        sender: The user it travelled as; "" where an earlier version made it.
        alone: Whether it carried no other number.
        id: The id that the bill travels by; "" where it travels by its number.
    """

    run: RunId
    number: BillNumber
    attempt: int
    began_at: datetime
    uptime: Uptime
    before: tuple[str, ...]
    sender: str = ""
    alone: bool = False
    id: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What a ledger knows that the ERP has made of a bill.

    Attributes:
        run: The run that says so.
        number: The ERP's spelling.
        state: `pushed` or `draft`.
        targets: The documents; none where a person's word is all there is.
    """

    run: RunId
    number: BillNumber
    state: State
    targets: tuple[Target, ...] = ()


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
class StepRecord:
    """An attempt at a step as the ledger keeps it, for `explain` and for settling.

    Attributes:
        exchange: What came back; None where nothing was recorded (a kill, a lost ledger).
        verdict: What `judge` made of it, in words; "" while it is open.
        ended_at: When it was recorded.
    """

    attempt: StepAttempt
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


@dataclass(frozen=True, slots=True)
class Memo:
    """What somebody outside of a run has asked for, done or is to be told, as JSON.

    Attributes:
        kind: Such as `request` or `act`; says what *value* holds.
        id: Names it among those of its kind.
        at: When it was written first.
        value: The particulars; keys are text.
        about: A run or the like by which it is found; "" for none.
        open: Whether something is left to be done about it.
        version: Grows with each change, from 1.
    """

    kind: str
    id: str
    at: datetime
    value: Mapping[str, Any]
    about: str = ""
    open: bool = False
    version: int = 1


class Ledger(Protocol):
    """The durable memory of runs, attempts and one row for each number of a run.

    A ledger is opened for one account: of the runs of another it knows nothing, and every verb
    behaves as if they were not there.

    What a verb wrote is on disk, power loss included, when it returns. Every verb raises
    `LedgerLostError` when that cannot be said. A move that `life.MOVES` does not know is
    refused with `life.IllegalMoveError` and changes nothing at all; a run that was never
    opened is refused with `LookupError`, save by `run`.
    """

    def of_account(self, account: str) -> Ledger:
        """Return the same ledger, opened for another account."""
        ...

    # -- runs ---------------------------------------------------------------------------------

    async def open_run(self, run: Run) -> None:
        """Write down a new run, without numbers.

        Raises:
            ValueError: The id is taken, by whichever account, or the run is another account's.
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

    def own(self, run: RunId, *, executes: bool = True) -> AbstractAsyncContextManager[None]:
        """Hold *run* as its one living executor, until the block or the process ends.

        The hold is a lock that the operating system releases at death, so neither a clock
        nor a pause can fake a death.

        On entry, attempts that a dead executor left open become `unknown` and are closed, and
        claims of `planned` numbers are given up. Where the run is to be executed, its ending
        and the commands to earlier executors are cleared; a person's word, say, leaves both.

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
        """Say whether some run of the account has the numbers of that file."""
        ...

    async def keep_calls_at_once(self, scope: str, calls: int) -> None:
        """Keep how many calls at once an execution came to, in the place of what was kept.

        Raises:
            ValueError: The scope is another account's.
        """
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

    # -- memos --------------------------------------------------------------------------------

    async def remember(self, memo: Memo) -> Memo:
        """Write a memo down unless there is one of its kind and id; return the one that is there.

        Of many who do so at once, one is the first, and all are told of that one.
        """
        ...

    async def revise(self, memo: Memo) -> bool:
        """Put a memo in the place of its own *version*, which then grows; its time stays.

        Returns:
            Whether that was done; false where somebody has changed it meanwhile.
        """
        ...

    async def memo(self, kind: str, id_: str) -> Memo | None:
        """Return one memo."""
        ...

    async def memos(
        self, kind: str, *, about: str = "", only_open: bool = False, limit: int = 1000
    ) -> Sequence[Memo]:
        """Return memos of a kind, the newest first.

        Args:
            kind: The kind.
            about: Only those about it, if it is named.
            only_open: Only those about which something is left to be done.
            limit: No more than this.
        """
        ...

    # -- numbers ------------------------------------------------------------------------------

    async def add(self, run: RunId, listed: Sequence[Listed]) -> Sequence[Repeat]:
        """Append rows in state `planned`; a line that the run has already is a repeat.

        Repeats are kept (see `repeats`) and returned; `Listed.route` is not stored.
        """
        ...

    async def close_list(self, run: RunId) -> None:
        """Write down that all lines of the run are there (`Run.whole`)."""
        ...

    async def identify(
        self, run: RunId, bills: Mapping[BillNumber, Identified]
    ) -> Sequence[Repeat]:
        """Write down which bills lines mean, by what the job file calls them (`Listed.key`).

        Where two rows of the run turn out to be one bill, by their ids or by what they are
        called, the earlier line keeps its row; the other's row is taken away and becomes a
        repeat, which is kept and returned. A row that was sent or has an outcome is never taken
        away, so its partner is; two of that kind are refused. A row that was sent keeps what it
        is called, and lines without a row are passed over.
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
        """Return the rows of one number in all runs, by either spelling, the oldest run first.

        A number finds all bills that have it, a number with an id (`key_of`) only that one.
        """
        ...

    async def find_rows(
        self, words: str, *, remarks: Collection[str] = (), limit: int = 100
    ) -> Sequence[tuple[RunId, Row]]:
        """Return rows that hold a text in a spelling, a document or the reason, letter case aside.

        All rows are looked through, so it takes a moment in a ledger of millions.

        Args:
            words: The text.
            remarks: Keys of remarks that say it in some language; a reason of one is found too.
            limit: No more than this, those of the newest run first.
        """
        ...

    async def made_of(
        self, run: RunId, numbers: Collection[BillNumber]
    ) -> Mapping[BillNumber, Made]:
        """Return what other runs of the scope of *run* have made of bills, the latest of each.

        A row of the same number may be this bill unless both are known by different ids.
        Asked after a claim it is the whole truth of this ledger: while *run* holds the claim,
        no other run can make anything of the bill.

        Args:
            run: Whose scope counts; its own rows do not.
            numbers: The ERP's spellings.
        """
        ...

    async def made_in(
        self, scope: str, bills: Mapping[BillNumber, str]
    ) -> Mapping[BillNumber, Made]:
        """Return what the runs of a scope have made of bills, the latest of each.

        A row of the same number may be this bill unless both are known by different ids.

        Args:
            scope: All runs of it count.
            bills: The ERP's spellings, each with its internal id, or "" where that is not known.
        """
        ...

    async def made_of_namesakes(
        self, scope: str, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return ids of documents that runs of a scope have made of other bills of a number.

        Args:
            scope: All runs of it count.
            bills: Numbers with ids; one of whose namesakes nothing was made is absent.
        """
        ...

    async def made_by(
        self, run: RunId, sender: str | None = None, *, limit: int = 20
    ) -> Sequence[Made]:
        """Return the newest rows of the scope of *run* that name documents, its own included.

        Those of the newest run come first, and of these those of its last attempt.
        Rows of a person's word name none.

        Args:
            run: Whose scope counts.
            sender: Only those whose last attempt travelled as this user; None is any.
            limit: How many at most.
        """
        ...

    async def twins(self, run: RunId) -> int:
        """Count the rows of *run* whose code is `model.TWIN`."""
        ...

    async def partly(self, run: RunId) -> int:
        """Count the rows of *run* whose code is `model.PARTLY`."""
        ...

    # -- sending ------------------------------------------------------------------------------

    async def claim(self, run: RunId, numbers: Sequence[BillNumber]) -> Mapping[BillNumber, Holder]:
        """Claim numbers (the ERP's spelling) for *run*, over all runs of its scope.

        Returns those that could not be had, with who holds them; all others are held by *run*
        until an outcome that is not `sent` or `unknown` is recorded without *keep_claims*.
        Claiming a number that *run* holds already changes nothing. A claim of a dead run whose
        row is `planned` is taken over; one whose row is `sent` becomes `unknown` and is held.

        A number is claimed for one bill, since a document may name nothing but the number: of
        several that have it, the next can be had once the one before is neither `sent` nor
        `unknown`, and until then *run* itself may be the holder. Two of one number in one call
        are refused with `life.IllegalMoveError`.
        """
        ...

    async def begin(self, intent: Intent) -> Attempt:
        """Write the intent down and move its rows to `sent`; only then may it be sent.

        Every bill must be claimed by `intent.run` and be `planned`, else all are refused
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

    async def amend(
        self, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str
    ) -> None:
        """Add documents that a later look has found to rows that name some already.

        Documents are never taken away: an outcome's targets hold all that its row has, else
        everything is refused (`life.IllegalMoveError`), as it is for a row that is not `pushed`
        or `draft`. State, targets, code and reason become those of the outcome, which is
        `pushed` or `draft`.
        """
        ...

    async def put_off(self, run: RunId, outcomes: Sequence[Outcome]) -> None:
        """Say of planned rows why they are not sent: code and reason become those of the outcome.

        A row that is not `planned` (any more) stays as it is.
        """
        ...

    async def doubts(self, run: RunId) -> Sequence[Doubt]:
        """Return the numbers of *run* that are `unknown`, in the order of the job file."""
        ...

    async def next_chunk(self, run: RunId) -> int:
        """Return an index above that of every chunk the run has sent, from 1."""
        ...

    # -- what follows a push ------------------------------------------------------------------

    async def enrol(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:
        """Begin to follow documents; one that the run follows already stays as it is."""
        ...

    async def documents(
        self,
        run: RunId,
        *,
        follows: Collection[Follow] = (),
        after: str = "",
        limit: int = 1000,
    ) -> Sequence[Document]:
        """Return documents that a run follows, in the order of their ids as text.

        Args:
            run: The run.
            follows: Only those that have come so far, if any are named.
            after: Only those behind this id.
            limit: No more than this.
        """
        ...

    async def documents_of(self, run: RunId, ids: Collection[str]) -> Mapping[str, Document]:
        """Return documents that a run follows, by id."""
        ...

    async def document_counts(self, run: RunId) -> Mapping[Follow, int]:
        """Count the documents that a run follows by how far they have come."""
        ...

    async def follow(self, run: RunId, documents: Sequence[Document], *, at: datetime) -> None:
        """Write down how far documents have come, apart from an attempt."""
        ...

    async def begin_step(self, intent: StepIntent) -> StepAttempt:
        """Write an attempt at a step down, before it leaves.

        Whoever owns the run after a death finds its documents `unknown`.

        Raises:
            life.IllegalMoveError: The run does not follow one of them, or is in doubt of it.
        """
        ...

    async def record_step(
        self,
        attempt: StepAttempt,
        exchange: Exchange,
        verdict: str,
        documents: Sequence[Document],
        *,
        at: datetime,
    ) -> None:
        """Write down what came of an attempt at a step, once.

        Raises:
            life.IllegalMoveError: Its executor was found dead meanwhile.
        """
        ...

    async def step(self, attempt: int) -> StepRecord | None:
        """Return an attempt at a step by its id."""
        ...

    async def steps_of(self, document: str) -> Sequence[StepRecord]:
        """Return every attempt at a step of a document, by its id, the oldest first."""
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

    def stepped(
        self,
        attempt: StepAttempt,
        documents: Sequence[Document],
        verdict: Verdict,
        seconds: float,
    ) -> None:
        """An attempt at a step of documents is in the ledger, *seconds* after it left."""
        ...

    def waiting(self, why: str, seconds: float) -> None:
        """Some work is put off for *seconds*."""
        ...

    def held(self, hold: Hold | None) -> None:
        """What keeps all chunks from leaving has changed; None: they leave again."""
        ...
