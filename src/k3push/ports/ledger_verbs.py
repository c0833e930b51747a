"""What the use cases need of a ledger: one verb for each thing that is written down or asked.

It is one long list, since a ledger fulfils all of it: what is written for one verb is read by
another, and one contract suite tries them together. The parts of the list have headings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Protocol

from k3push.core.control_words import Command
from k3push.core.model import (
    Archive,
    Attempt,
    BillNumber,
    Document,
    Exchange,
    FolderFile,
    Follow,
    Identified,
    Intent,
    Listed,
    Outcome,
    Repeat,
    Row,
    Run,
    RunId,
    State,
    StepAttempt,
    StepIntent,
    StepsSoFar,
)
from k3push.core.pacing.server_model import Learnt
from k3push.ports.ledger_records import (
    AttemptRecord,
    Commanded,
    Doubt,
    Glance,
    Holder,
    Identification,
    InHand,
    LatelySent,
    LostCall,
    Made,
    Memo,
    Note,
    StepRecord,
)

NEWEST_CALLS = 5000
"""So many attempts at least are gone through for those whose end nobody has heard."""

EVERY_CALL = (1 << 63) - 1
"""An attempt that none is behind."""

EVER_AFTER = datetime(9999, 12, 31, tzinfo=UTC)
"""A time that nothing is later than."""


class Ledger(Protocol):
    """The durable memory of runs, attempts and one row for each number of a run.

    A ledger is opened for one account: of the runs of another it knows nothing, and every verb
    behaves as if they were not there.

    What a verb wrote is on disk, power loss included, when it returns. Every verb raises
    `LedgerLostError` when that cannot be said. A move that `legal_moves.MOVES` does not know is
    refused with `legal_moves.IllegalMoveError` and changes nothing at all; a run that was never
    opened is refused with `NoRunError`, save by `run`.
    """

    def of_account(self, account: str) -> Ledger:
        """Return the same ledger, opened for another account."""
        ...

    async def until_replaced(self) -> None:
        """Wait until another ledger was put in the place of this one, and is left as it is.

        Whoever keeps a ledger open opens it anew then: every verb is lost, as it is where nothing
        is in its place. Nothing is made there: it may be about to be put back.
        """
        ...

    async def unknown_sending(self) -> datetime | None:
        """Return when a call left of which this ledger knows nothing, as far as that can be told.

        It was put back from a backup since then, and the executor of that call was killed, or has
        left numbers of it in doubt. In PostgreSQL nothing tells of it.
        """
        ...

    async def moved_at(self, now: datetime) -> datetime | None:
        """Return when this ledger was first seen elsewhere than before, or None.

        In another file, or another database, cluster or timeline of PostgreSQL: it is a copy, or
        was put back from a backup, and knows nothing of calls that left since.

        Args:
            now: When that is, where it is seen now.
        """
        ...

    # -- runs ---------------------------------------------------------------------------------

    async def open_run(self, run: Run) -> None:
        """Write down a new run, without numbers.

        Raises:
            RunIdTakenError: By whichever account: its own runs alone do not tell which are free.
            ValueError: The run is another account's.
        """
        ...

    async def end_run(self, run: RunId, exit_code: int, at: datetime) -> None:
        """Write down how an execution of *run* ended; a later one may overwrite it."""
        ...

    async def run(self, run: RunId) -> Run | None:
        """Return the run of that id."""
        ...

    async def runs(
        self, *, last: int | None = None, undone: bool = False, before: RunId | None = None
    ) -> Sequence[Run]:
        """Return runs in the order in which they were opened, whatever the clock said.

        Args:
            last: Only the newest so many; None for all, of which there may be very many.
            undone: Only those that have no ending, or another than exit code 0.
            before: Only those that were opened before this one.
        """
        ...

    async def runs_named(self, beginning: str) -> Sequence[Run]:
        """Return the runs whose id begins so, in the order in which they were opened."""
        ...

    async def runs_called(
        self,
        words: str,
        *,
        ids: Collection[RunId] = (),
        last: int,
        before: RunId | None = None,
    ) -> Sequence[Run]:
        """Return the newest runs of whose job files one holds a text in its path, or in *ids*.

        In the order in which they were opened; letter case of ASCII aside.

        Args:
            words: The text.
            ids: Runs that are wanted whatever their job files are called.
            last: No more than so many.
            before: Only those that were opened before this one.
        """
        ...

    async def runs_begun_with(self, group: str) -> Sequence[Run]:
        """Return the runs that one command has begun, in the order in which they were opened."""
        ...

    async def glances(
        self, accounts: Collection[str], *, among: int
    ) -> Mapping[str, Sequence[Glance]]:
        """Return how the last run of each route stands, and each that is not settled.

        This and `accounts_with` look at other accounts: at all that are named and at none besides.
        They are for whoever has the ledgers of all of them and shows or counts thousands.

        Args:
            accounts: Each is there in the answer, with its runs in the order in which they
                were opened.
            among: How many of the newest runs of each are looked at.
        """
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
            RunIsArchivedError: It is archived, and nothing is left to be done with it.
        """
        ...

    async def is_alive(self, run: RunId) -> bool:
        """Say whether some process owns *run* now."""
        ...

    async def take(self, file: FolderFile, run: RunId) -> None:
        """Write down that *run* has all numbers of a file; doing it again changes nothing."""
        ...

    async def taker_of(self, file: FolderFile) -> RunId | None:
        """Return the run of the account that has the numbers of that file; None if none has."""
        ...

    async def keep_pace(self, scope: str, learnt: Learnt, *, at: datetime) -> None:
        """Keep what an execution has found of the server, in the place of what was kept.

        Raises:
            ValueError: The scope is another account's.
        """
        ...

    async def pace(self, scope: str) -> tuple[Learnt, datetime] | None:
        """Return what the last execution in *scope* (`Run.scope`) has kept, and when."""
        ...

    # -- archives -----------------------------------------------------------------------------

    async def due_for_archive(self, before: datetime, *, limit: int = 100) -> Sequence[Run]:
        """Return runs that are over and done with, the one that ended first first.

        Those whose archive is written and which are not pruned to the end are among them. A run
        with a number that is planned or in doubt, with a document on its way, or with a twin is
        never due.

        Args:
            before: Only runs that ended before this time.
            limit: No more than so many.
        """
        ...

    async def archive(self, run: RunId, archive: Archive) -> None:
        """Write down that an archive holds all of *run*, which its caller owns.

        Nobody owns the run from then on: what it has left is pruned.

        Raises:
            legal_moves.IllegalMoveError: The run is none that `due_for_archive` tells of, whatever
                the time, or is archived already.
        """
        ...

    async def prune(
        self, run: RunId, *, after: tuple[int, int] = (0, 0), limit: int = 500
    ) -> tuple[int, int] | None:
        """Remove a part of an archived run; doing so again removes nothing more.

        What stays is what pushing and audits rest on: the run, its files, each row that has made
        documents, the last `already` of a bill of which no other row of the scope names a
        document, when and as whom the calls for these were made, and all that followed a push.

        Args:
            run: The run.
            after: What the call before has returned.
            limit: Rows, or numbers of attempts, that are looked at.

        Returns:
            How far that came, for the next call; None when the run is pruned.

        Raises:
            legal_moves.IllegalMoveError: The run is not archived.
        """
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

    async def close_list(
        self, run: RunId, *, rest: Sequence[Listed] = (), file: FolderFile | None = None
    ) -> None:
        """Append what is left, and write down that all lines of the run are there (`Run.whole`).

        Those of a *file* are, too: all at once, so that no death in between lets the file be read
        again (see `take`).
        """
        ...

    async def identify(self, run: RunId, bills: Mapping[BillNumber, Identified]) -> Identification:
        """Write down which bills lines mean, by what the job file calls them (`Listed.key`).

        Where two rows of the run turn out to be one bill, by their ids or by what they are
        called, the earlier line keeps its row; the other's row is taken away and becomes a
        repeat, which is kept and returned. A row that is not among *bills* may wait to be sent,
        and keeps its row before all others. A row that was sent or has an outcome is never taken
        away, so its partner is; two of that kind are refused. A row that was sent keeps what it
        is called; where it is planned again, and its number is another bill's by now, it gets that
        one's id, unless another row has it. A bill whose number another bill of the run goes by,
        or went by as it was looked at, is called by number and id. What no row is called any more
        is claimed no more. Lines without a row are passed over.
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

    async def accounts_with(self, number: BillNumber, accounts: Collection[str]) -> Collection[str]:
        """Return which of several accounts have rows of a number (`rows_of`)."""
        ...

    async def find_rows(
        self, words: str, *, remarks: Collection[str] = (), limit: int = 100
    ) -> Sequence[tuple[RunId, Row]]:
        """Return rows that hold a text in a spelling, a document, code or reason.

        Letter case is no matter. An id of a bill is found as a whole. All rows are looked through,
        so it takes a moment in a ledger of millions.

        Args:
            words: The text.
            remarks: Keys of remarks that say it in some language; a reason of one is found too.
            limit: No more than this, those of the newest run first.
        """
        ...

    async def runs_holding(self, words: str, *, remarks: Collection[str] = ()) -> set[RunId]:
        """Return the runs of all rows that `find_rows` would find."""
        ...

    async def made_of(
        self, run: RunId, bills: Mapping[BillNumber, str]
    ) -> Mapping[BillNumber, Made]:
        """Return what other runs of the scope of *run* have made of bills, the latest of each.

        A row of the same number may be this bill unless both are known by different ids. A row of
        the same id is this bill, whatever number it had then; so is another row of *run* itself.
        Asked after a claim it is the whole truth of a number: while *run* holds the claim, no
        other run can make anything of it. Of the same bill under another number one can.

        Args:
            run: Whose scope counts; its own rows of these numbers do not.
            bills: The ERP's spellings, each with the id that the last look has told, or "" where
                that is what its row says.
        """
        ...

    async def made_in(
        self, scope: str, bills: Mapping[BillNumber, str], *, or_found: bool = False
    ) -> Mapping[BillNumber, Made]:
        """Return what the runs of a scope have made of bills, the latest of each.

        A row of the same number may be this bill unless both are known by different ids. A row of
        the same id is this bill, whatever number it had then.

        Args:
            scope: All runs of it count.
            bills: The ERP's spellings, each with its internal id, or "" where that is not known.
            or_found: What runs have found made (`already`) counts as well.
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

    async def fruitful(self, run: RunId, attempts: Collection[int]) -> frozenset[int]:
        """Return which of a run's *attempts* have made a document of some number, as rows say."""
        ...

    async def lately_sent(
        self, run: RunId, bills: Mapping[BillNumber, str], since: datetime
    ) -> Sequence[LatelySent]:
        """Return attempts of other runs of a scope that carried bills, the oldest first.

        They carried the number, or the id under a number that the bill had then. One that was
        killed is never recorded, and may be at work still.

        Args:
            run: Whose scope counts; its own attempts do not.
            bills: The ERP's spellings, each with its id, or "" where that is not known.
            since: Only attempts that began then or later.
        """
        ...

    async def lost_calls(
        self, since: datetime, *, after: int, before: int = EVERY_CALL
    ) -> Sequence[LostCall]:
        """Return attempts of the account of which nobody has heard how they ended.

        They are open, their executor was found dead, or their answer was lost, whatever looks have
        shown since. The oldest first. Those of runs that have ended before *since*, whose newest
        attempt began before, or that are archived, are left out; others may be if they are not
        among the newest `NEWEST_CALLS` of those that are asked for.

        Args:
            since: Only attempts that began then or later.
            after: And that are behind this one,
            before: and in front of this one.
        """
        ...

    async def last_successes(
        self, *, after: int, until: datetime = EVER_AFTER
    ) -> Sequence[AttemptRecord]:
        """Return the newest attempt of each user whose answer tells of documents.

        They are of any run of the account. A success that names nothing may have come before the
        ERP was at work on it, unless a document is known of a bill that it has sent for the first
        time.

        Args:
            after: Only attempts that are behind this one.
            until: And that were answered by then.
        """
        ...

    async def last_answered(
        self, attempt: int, *, until: datetime, among: int
    ) -> AttemptRecord | None:
        """Return the attempt that may have come before another and whose answer came last.

        Whatever it says, the ERP was at work on that call until then. Of one whose answer was lost
        nobody knows that.

        Args:
            attempt: The other. What was written down before it may have come before it,
            until: and what was written down after it, but by then.
            among: So many attempts before and after it are looked at.
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
        are refused with `legal_moves.IllegalMoveError`.
        """
        ...

    async def in_hand(self, run: RunId, ids: Collection[str]) -> Mapping[str, Sequence[InHand]]:
        """Return which bills runs of a scope have on their way or in doubt, by id.

        A claim is of a number, and a bill may have got another one since (`Row.source_id` tells),
        by which another run calls it, or another row of the same. The oldest run comes first.

        Args:
            run: Whose scope counts.
            ids: As the ERP told them.
        """
        ...

    async def begin(self, intent: Intent) -> Attempt:
        """Write the intent down and move its rows to `sent`; only then may it be sent.

        Every bill must be claimed by `intent.run` and be `planned`, else all are refused
        with `legal_moves.IllegalMoveError`. Targets, code and reason of the rows are cleared.
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
        (`legal_moves.IllegalMoveError`). *keep_claims* keeps the claims of rows that went back to
        `planned` for the same run's next sending.

        Raises:
            NoAttemptError: The ledger does not know the attempt any more.
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
        everything is refused (`legal_moves.IllegalMoveError`), as it is for a row that is not in
        one of `legal_moves.AMENDABLE`. State, targets, code and reason become those of the
        outcome, which is `pushed` or `draft`.
        """
        ...

    async def put_off(self, run: RunId, outcomes: Sequence[Outcome]) -> None:
        """Say of rows that wait what for: code and reason become those of the outcome.

        A row that is not (any more) in the outcome's state, one of `legal_moves.WAITING`, stays as
        it is. The claim of one that is `planned` is given back: this run does not send it.
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

    async def steps_so_far(self) -> StepsSoFar:
        """Return which attempts at steps have begun, whoever began them.

        Whoever reads documents now sees what those have done that are over.
        """
        ...

    async def begin_step(
        self, intent: StepIntent, *, after: StepsSoFar | None = None
    ) -> StepAttempt:
        """Write an attempt at a step down, before it leaves.

        Whoever owns the run after a death finds its documents `unknown`.

        Args:
            intent: What is about to leave.
            after: What had begun as the documents were read. Nothing is written down where another
                run has begun a step of one of them since, is at one, or was at one then; None asks
                for none of these. The ids of another form are of other documents.

        Raises:
            OtherRunStepsError: Another run was in the way.
            legal_moves.IllegalMoveError: The run does not follow one of them, or is in doubt of it.
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
            legal_moves.IllegalMoveError: Its executor was found dead meanwhile.
            NoAttemptError: The ledger does not know the attempt any more.
        """
        ...

    async def step(self, attempt: int) -> StepRecord | None:
        """Return an attempt at a step by its id."""
        ...

    async def steps_of(self, document: str) -> Sequence[StepRecord]:
        """Return every attempt at a step of documents with an id, whatever their form.

        The oldest comes first.
        """
        ...

    async def long_steps(self, since: datetime, *, longer_s: float) -> Sequence[StepRecord]:
        """Return attempts at steps of the account that may have kept calls waiting in the ERP.

        They have no end, their answer was lost, or it was waited for long. The oldest first; those
        that are not among the newest `NEWEST_CALLS` (of their run, at least) are left out.

        Args:
            since: Only attempts that began then or later.
            longer_s: Seconds that an answer was waited for, and more.
        """
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
        """Return when each call of a run that has left, and was recorded, began and ended.

        The oldest comes first.
        """
        ...
