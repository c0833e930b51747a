"""What a ledger tells: who holds what, doubts, documents, attempts, notes; and how it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from k3push.core.control_words import Command
from k3push.core.model import (
    Attempt,
    BillNumber,
    Exchange,
    Repeat,
    Run,
    RunId,
    State,
    StepAttempt,
    Target,
    Uptime,
)
from k3push.core.remark import remark


class LedgerLostError(Exception):
    """The ledger could not write or read; nothing may be sent any more (rule 11)."""


class NoLedgerError(LedgerLostError):
    """What the settings name is no ledger that this version can use, and cannot become one.

    It is said when a ledger is opened, so that nothing was begun that could be resumed.
    """


class LedgerAwayError(LedgerLostError):
    """The ledger cannot be reached as a command begins: nothing was begun, nor could be resumed."""


class LedgerDamagedError(LedgerLostError):
    """The ledger holds what k3push never writes: a disk, or a hand, has changed it."""


class OtherSpellingError(LedgerLostError):
    """The ledger knows the account in other letter case, so that it would not know its own rows.

    Attributes:
        known: The account as the ledger has it.
    """

    def __init__(self, account: str, known: str) -> None:
        """Say so of *account*."""
        super().__init__(f"the ledger knows account {account} as {known}")
        self.known = known


class NoRunError(LedgerLostError, LookupError):
    """The ledger has no such run: it was never opened, or the ledger was put back since."""

    def __init__(self, run: RunId) -> None:
        super().__init__(remark("ledger.no_run", run=run))


class NoAttemptError(LedgerLostError, LookupError):
    """The ledger has no call that it wrote down: an older one was copied over it since."""

    def __init__(self, run: RunId) -> None:
        super().__init__(remark("ledger.no_attempt", run=run))


class RunIsAliveError(Exception):
    """Another living process executes this run."""


class OtherRunStepsError(Exception):
    """Another run has begun a step of a document meanwhile, or is at one."""


class RunIsArchivedError(Exception):
    """The run is in an archive, and is executed no more."""


class RunIdTakenError(ValueError):
    """A run of that id is there, of whichever account."""

    def __init__(self, run: RunId) -> None:
        """Say so of *run*."""
        super().__init__(f"run {run} is there already")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the claim on a number that another run wants.

    Attributes:
        run: The run that holds it.
        alive: Whether a process executes that run now.
    """

    run: RunId
    alive: bool


class InHand(NamedTuple):
    """Which run has a bill on its way or in doubt, and by which number it knows it."""

    run: RunId
    bill: BillNumber


class Identification(NamedTuple):
    """What came of lines whose bills were written down.

    Attributes:
        repeats: Rows that turned out to be bills of other rows, and became repeats.
        apart: What bills go by whose number another bill of the run goes by, by their lines.
        led_away: Lines that were sent, and whose number has gone to a bill of another row.
    """

    repeats: Sequence[Repeat]
    apart: Mapping[BillNumber, BillNumber]
    led_away: frozenset[BillNumber] = frozenset()


class LatelySent(NamedTuple):
    """An attempt of another run, and the bills that it has carried.

    Attributes:
        kept: The attempt.
        bills: Those that were asked for, each with what the attempt called it.
    """

    kept: AttemptRecord
    bills: Mapping[BillNumber, BillNumber]


class LostCall(NamedTuple):
    """An attempt of which nobody has heard how it ended.

    Attributes:
        kept: The attempt.
        is_open: It is on its way, or some number that it has sent last is `unknown`.
    """

    kept: AttemptRecord
    is_open: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """How a run stands, seen from afar.

    Attributes:
        counts: Its rows of each state; a state without rows is absent.
    """

    run: Run
    counts: Mapping[State, int] = field(default_factory=dict)


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
        source_id: The id that the bill had when it was looked up; "" where that is not known.
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
    source_id: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """What a ledger knows that the ERP has made of a bill.

    Attributes:
        run: The run that says so.
        number: The ERP's spelling.
        state: `pushed` or `draft`; `already`, where that was asked for.
        targets: The documents; none where a person's word is all there is.
        code: `Row.code` of the row that says so.
        ids: Documents of all runs that have made something of the bill, each with the first run
            that says so, where that was asked for.
    """

    run: RunId
    number: BillNumber
    state: State
    targets: tuple[Target, ...] = ()
    code: str = field(default="", compare=False)
    ids: Mapping[str, RunId] = field(default_factory=dict, compare=False)


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
    """What is asked, done or to be told outside of a run, or known of it as a whole; as JSON.

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
