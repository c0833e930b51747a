"""The words of the domain, as frozen types.

A *number* is the bill number of a source bill. A *target* is a document that the
ERP made from it. Numbers travel in *chunks*; one sending of a chunk is an
*attempt*, and what came of it is an *outcome* for each number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, NewType

BillNumber = NewType("BillNumber", str)
RunId = NewType("RunId", str)


class State(StrEnum):
    """Where one number stands (README, "States"). `life.MOVES` has the legal moves."""

    # An enum's own is written in Python, and a state is looked up some ten times for each number.
    __hash__ = str.__hash__

    PLANNED = "planned"
    """Never sent, or certainly not acted upon."""

    SENT = "sent"
    """An attempt is open."""

    PUSHED = "pushed"
    """The ERP made targets from it; all of them are named."""

    DRAFT = "draft"
    """A target exists as a draft (暂存) and needs a person; its id is named."""

    ALREADY = "already"
    """A target was there before; nothing was sent."""

    REJECTED = "rejected"
    """The ERP made nothing and said why, or the pre-check did."""

    UNKNOWN = "unknown"
    """The ERP may have acted; only settling may move it on."""


class Listed(NamedTuple):
    """One number of a job file.

    Attributes:
        line: Line in the file, from 1, the heading counted.
        number: As written, spaces around it trimmed.
        route: Name of the route that the line asks for, or "".
    """

    line: int
    number: BillNumber
    route: str = ""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A line that names a bill which an earlier line of the job has named.

    Attributes:
        line: Where the repeat stands.
        number: As written there; it may be another spelling of the same bill (P 4.7).
        first_line: The line whose row stands for both.
    """

    line: int
    number: BillNumber
    first_line: int


@dataclass(frozen=True, slots=True)
class Route:
    """How one pair of forms is pushed (`[routes.NAME]`).

    Attributes:
        name: The key under `[routes]`.
        source: Form id of the source bills.
        target: Form id of the documents to be made.
        rule: Conversion rule id; "" means the pair's default rule (P 5.2).
        source_number_field: Field of the target form that holds the source's number;
            "" where none is known, and then numbers travel one by one.
        draft_when_save_fails: Ask for a draft where the target cannot be saved (P 5.1).
        send_blocked: Send sources that are not approved, closed or cancelled, and let the
            rule decide; otherwise they are rejected unsent (P 5.11).
        allow_partial: An earlier target does not stop a push.
        target_bill_type_id: Internal id of the target's bill type, or "".
        target_org_id: Organisation of the target, or 0.
        custom_params: Handed to convert plug-ins as it is.
    """

    name: str
    source: str
    target: str
    rule: str = ""
    source_number_field: str = ""
    draft_when_save_fails: bool = False
    send_blocked: bool = False
    allow_partial: bool = False
    target_bill_type_id: str = ""
    target_org_id: int = 0
    custom_params: Mapping[str, Any] = field(default_factory=dict)


class Source(NamedTuple):
    """What the source form says of one bill.

    Attributes:
        number: The ERP's own spelling.
        id: Internal id, as text.
        blocked: Why the ERP would not push it: "unapproved", "closed", "cancelled"; or "".
    """

    number: BillNumber
    id: str
    blocked: str = ""


class Target(NamedTuple):
    """A document that the ERP made.

    Attributes:
        id: Internal id, as text.
        number: Bill number; "" for a draft (P 5.9).
        draft: Whether it is a draft (暂存: FDocumentStatus Z, P 6.7).
    """

    id: str
    number: str
    draft: bool = False


Targets = Mapping[BillNumber, tuple[Target, ...]]
"""Targets by the source number that they are linked to; a number without targets is absent."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Numbers that travel together in one `Numbers` array.

    Attributes:
        index: Its place in the run, from 1; a part of a split chunk has an index of its own.
        numbers: The ERP's spellings, no two the same.
        alone: The numbers were dropped in silence once and get their one more try (rule 8).
        tries: How often the ERP has asked to try these later (rule 5).
    """

    index: int
    numbers: tuple[BillNumber, ...]
    alone: bool = False
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long a machine has been up, which nobody can set.

    Attributes:
        boot: What the system calls its present boot, and after "@" what tells the machine from
            others; each is "" where there is no name for it.
        seconds: Since then.
    """

    boot: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Intent:
    """An attempt that is about to be made.

    Attributes:
        run: The run that makes it.
        chunk: The chunk's index.
        nth: Which sending of the chunk this is, from 1.
        numbers: The ERP's spellings.
        before: Ids of the targets that each number had before the sending.
        request: The request's `data`, as it will leave.
        began_at: Wall-clock time, aware.
        uptime: Of the machine that makes it, at that time.
    """

    run: RunId
    chunk: int
    nth: int
    numbers: tuple[BillNumber, ...]
    before: Mapping[BillNumber, tuple[str, ...]]
    request: bytes
    began_at: datetime
    uptime: Uptime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of one chunk. Only `Ledger.begin` makes one, after it is on disk."""

    id: int
    intent: Intent


@dataclass(frozen=True, slots=True)
class Answered:
    """The server answered.

    Attributes:
        status: HTTP status.
        body: The body, decompressed by its Content-Encoding.
        session: Which of this process's sessions it travelled under, from 1; not kept.
    """

    status: int
    body: bytes
    session: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class NeverSent:
    """No byte of the request left; the connection was never made."""

    because: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request may have arrived, and no whole answer came back.

    Attributes:
        because: What the network layer said.
        timed_out: Whether the answer was waited for in vain.
    """

    because: str
    timed_out: bool = False


Exchange = Answered | NeverSent | NoAnswer


class Outcome(NamedTuple):
    """What became of one number.

    Attributes:
        number: The ERP's spelling, or the job file's where the ERP knows none.
        state: Where it stands now.
        targets: Documents, in one order.
        code: The ERP's MsgCode, or a word of ours (`precheck`, `timeout`, ...), or "".
        reason: The ERP's words, whole.
    """

    number: BillNumber
    state: State
    targets: tuple[Target, ...] = ()
    code: str = ""
    reason: str = ""


class Row(NamedTuple):
    """One number of one run, as the ledger has it.

    Attributes:
        place: Place among all lines of the run's job files, from 1; repeats leave gaps.
        line: Line in the job file, from 1.
        number: As the job file spells it.
        bill: As the ERP spells it; "" until the source form was read.
        attempts: How often it was sent.
        chunk: The chunk that it last travelled in, or 0.
        sent_at: When it was last sent.
        settled_at: When its state became final.
    """

    place: int
    line: int
    number: BillNumber
    bill: BillNumber
    state: State
    targets: tuple[Target, ...] = ()
    code: str = ""
    reason: str = ""
    attempts: int = 0
    chunk: int = 0
    sent_at: datetime | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A job file that was found in a folder. Another name or another content is another file.

    Attributes:
        folder: The folder, whole.
        name: Name in it.
        digest: SHA-256 of its content, in hexadecimal digits.
    """

    folder: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Run:
    """One execution over one job.

    Attributes:
        id: Sorts by time and can be typed.
        scope: Which numbers are the same bill: account, source form, rule or target form.
        route: The route as it was when the run began.
        jobs: Names of the job files.
        folder: Where the results go.
        started_at: Wall-clock time, aware.
        ended_at: When its last execution ended; None while one is under way or was killed.
        exit: Exit code of the last execution, or None.
        again_because: Why targets that are there already do not stop it; "" if they do.
        whole: Whether its list was written down to the end; half of one is no job.
    """

    id: RunId
    scope: str
    route: Route
    jobs: tuple[str, ...]
    folder: str
    started_at: datetime
    ended_at: datetime | None = None
    exit: int | None = None
    again_because: str = ""
    whole: bool = False

    @property
    def account(self) -> str:
        """The account set, with which the scope begins."""
        return self.scope.partition("|")[0]

    @property
    def is_settled(self) -> bool:
        """Whether its last execution left no number in doubt, as its exit code says."""
        return self.exit in {0, 3}
