"""The words of the domain, as frozen types.

A *number* is the bill number of a source bill. A *target* is a document that the
ERP made from it. Numbers travel in *chunks*; one sending of a chunk is an
*attempt*, and what came of it is an *outcome* for each number.

It is one list: the types name each other, and every other module speaks in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, NewType

BillNumber = NewType("BillNumber", str)
"""What a bill is called: its number or, where that alone does not tell it, its `key_of`."""

RunId = NewType("RunId", str)

# No number of a job file holds one, since it is a paste error there.
_BEFORE_ID = ","


def key_of(number: str, id_: str = "") -> BillNumber:
    """Name a bill by its number, or by number and id: organisations may share a number.

    >>> key_of("CGDD01"), key_of("CGDD01", "100017"), key_of("", "100017")
    ('CGDD01', 'CGDD01,100017', ',100017')
    """
    return BillNumber(f"{number}{_BEFORE_ID}{id_}" if id_ else number)


def number_in(key: BillNumber) -> BillNumber:
    """Return the number that a key names.

    >>> number_in(key_of("CGDD01")), number_in(key_of("CGDD01", "100017"))
    ('CGDD01', 'CGDD01')
    """
    return BillNumber(key.rpartition(_BEFORE_ID)[0] if _BEFORE_ID in key else key)


def id_in(key: BillNumber) -> str:
    """Return the id that a key names, or "".

    >>> id_in(key_of("CGDD01")), id_in(key_of("CGDD01", "100017"))
    ('', '100017')
    """
    return key.rpartition(_BEFORE_ID)[2] if _BEFORE_ID in key else ""


def label_of(key: BillNumber) -> str:
    """Return what to call a bill in a sentence, where nothing but its key is at hand.

    The id of a key stands behind the number; `Row.label` has the number alone.

    >>> label_of(key_of("CGDD01")), label_of(key_of("CGDD01", "1")), label_of(key_of("", "1"))
    ('CGDD01', 'CGDD01 (id 1)', 'id 1')
    """
    number, id_ = number_in(key), id_in(key)
    if number and id_:
        return f"{number} (id {id_})"
    return number or f"id {id_}"


class State(StrEnum):
    """Where one number stands (docs/reference/states.md); `legal_moves.MOVES` has the moves."""

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


class Step(StrEnum):
    """What is done with a document after its push (`Route.follow`), by the ERP's own names."""

    SUBMIT = "submit"
    """提交: status A or D becomes B."""

    AUDIT = "audit"
    """审核: status B becomes C."""


class Follow(StrEnum):
    """How far a document has come after its push (`docs/guides/follow.md`)."""

    OPEN = ""
    """Nothing has been done yet, or nothing was asked for."""

    SUBMITTED = "submitted"
    """Its status was read as B."""

    APPROVED = "approved"
    """Its status was read as C."""

    WAITING = "waiting"
    """It is in an approval flow (审批流), and a person has to act in the ERP."""

    REFUSED = "refused"
    """The ERP refused a step, or a person has changed the document in between."""

    UNKNOWN = "unknown"
    """The answer to a step was lost, and its status does not tell yet."""


class Listed(NamedTuple):
    """One bill of a job file, by its number, its id or both.

    Attributes:
        line: Line in the file, from 1, the heading counted.
        number: As written, spaces around it trimmed; or "".
        route: Name of the route that the line asks for, or "".
        id: Internal id of the source bill (源单内码), in digits; or "".
    """

    line: int
    number: BillNumber
    route: str = ""
    id: str = ""

    @property
    def key(self) -> BillNumber:
        """What it is called until the source form was asked."""
        return key_of(self.number, self.id)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A line that names a bill which an earlier line of the job has named.

    Attributes:
        line: Where the repeat stands.
        number: As written there, with the id where one is (`Listed.key`); it may be another
            spelling of the same bill (P 4.7).
        first_line: The line whose row stands for both.
        place: Where the repeat stands among all lines of the job, from 1; 0 where that was not
            asked. Lines are counted anew in each file.
        first_place: The same of the row.
    """

    line: int
    number: BillNumber
    first_line: int
    place: int = field(default=0, compare=False)
    first_place: int = field(default=0, compare=False)


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
        follow: Steps that each document takes after its push, in their order.
        follow_already: Documents that were there before take them too.
        follow_wait_s: Seconds between the push and the first step, and between two steps.
        verify_flow: The ERP refuses to approve a document that is in a running flow (P 10.1).
        target_entry: Key of the target's entry that carries the links to the source; "" where it
            is the known pair's, or is to be found out.
        source_tables: The source's tables as links name them, where these were found out from the
            site; () where they are the known pair's. No settings or ledger have them.
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
    follow: tuple[Step, ...] = ()
    follow_already: bool = False
    follow_wait_s: float = 0.0
    verify_flow: bool = True
    target_entry: str = ""
    source_tables: tuple[str, ...] = ()


class Source(NamedTuple):
    """What the source form says of one bill.

    Attributes:
        number: The ERP's own spelling; "" for a draft (P 5.9).
        id: Internal id, as text.
        blocked: Why the ERP would not push it: "unapproved", "closed", "cancelled"; or "".
        organisation: Number and name of the organisation that it belongs to; "" where nobody
            asked, since one bill has the number.
    """

    number: BillNumber
    id: str
    blocked: str = ""
    organisation: str = ""


class Identified(NamedTuple):
    """Which bill a line of a job file means, as the ERP tells bills apart.

    Attributes:
        bill: The ERP's spelling of its number; with the id where another bill has it too.
        id: Internal id, as text.
    """

    bill: BillNumber
    id: str


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

    @property
    def label(self) -> str:
        """What to call it in a sentence: a draft has no number.

        >>> Target("100001", "CGRK0000001").label, Target("100002", "", draft=True).label
        ('CGRK0000001', 'id 100002')
        """
        return self.number or f"id {self.id}"


Targets = Mapping[BillNumber, tuple[Target, ...]]
"""Targets by the source number that they are linked to; a number without targets is absent."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a look at the target form has seen.

    Attributes:
        targets: Documents by source number, drafts included, cancelled ones left out.
        users: The users whose looks were whole. What none of them may see is not shown.
        cancelled: Cancelled (作废) documents by source number; these count as no target.
        refused: Numbers whose query the ERP refuses, though it answers others, with its words.
        thin: Ids of documents that are known by the source number alone: neither a field of the
            source's form nor a link says which form that number belongs to.
        linked: Numbers whose links were asked for as well, by the id of the source (P 6.5).
        by_link: Ids of documents that the links have found.
        by_field: Ids of documents that the number field has found, where links were asked as well.
        shared: Documents by source number that may as well be of another bill which has it, and
            whose links do not tell; `targets` has none of these.
        denied: Documents by source number of which a field says that they were made from another
            form, and no link tells. They are nobody's, and prove no absence. Where such a
            document is `thin` too, the field holds no form that is known.
        namesakes: Documents by source number whose links name other bills of it alone.
        sources: Ids of the bills that links name of a document's lines of a number, by both; "" for
            a line that does not tell. Where none of them tells, it is left out.
        loose: Documents by source number that bear it, and that no link ties to the bill, though
            links find others: another call may have made them. `targets` has none of these.
    """

    targets: Targets = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    cancelled: Targets = field(default_factory=dict)
    refused: Mapping[BillNumber, str] = field(default_factory=dict)
    thin: frozenset[str] = frozenset()
    linked: frozenset[BillNumber] = frozenset()
    by_link: frozenset[str] = frozenset()
    by_field: frozenset[str] = frozenset()
    shared: Targets = field(default_factory=dict)
    denied: Targets = field(default_factory=dict)
    namesakes: Targets = field(default_factory=dict)
    sources: Mapping[tuple[BillNumber, str], frozenset[str]] = field(default_factory=dict)
    loose: Targets = field(default_factory=dict)

    def bearing(self, number: BillNumber) -> tuple[Target, ...]:
        """Return the documents of a number, those among them that bear it alone."""
        return (*self.targets.get(number, ()), *self.loose.get(number, ()))

    def ids_beside(self, numbers: Iterable[BillNumber]) -> set[str]:
        """Return the ids of documents of numbers that are known to be nobody else's.

        They are the bills' own, whoever has made them; somebody has cancelled them; or they are of
        another form's bill, or another bill's that has the number as well.
        """
        kinds = (self.targets, self.cancelled, self.denied, self.namesakes)
        return {t.id for number in numbers for kind in kinds for t in kind.get(number, ())}

    def by_the_field(self) -> frozenset[str]:
        """Return the ids of documents that the number field has found, cancelled ones included."""
        if self.linked:
            return self.by_field
        every = (*self.targets.values(), *self.shared.values(), *self.cancelled.values())
        return frozenset(target.id for targets in every for target in targets)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the target form says of one document.

    Attributes:
        number: Its bill number.
        status: FDocumentStatus: Z (暂存), A (创建), B (审核中), C (已审核), D (重新审核).
        cancelled: Whether somebody has cancelled it (作废).
        creator: Name of the user who made it; "" where the form does not tell.
        created: When, in the server's local time; "" where the form does not tell.
    """

    number: str
    status: str
    cancelled: bool = False
    creator: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class FlowTask:
    """An open task of an approval flow (P 10.5).

    Attributes:
        node: Name of the node.
        person: Who has to act, or "".
    """

    node: str
    person: str = ""

    def __str__(self) -> str:
        """Say where it waits, and for whom."""
        return ": ".join(part for part in (self.node, self.person) if part)


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a run follows, as the ledger has it.

    Attributes:
        id: Internal id, as text.
        number: Its bill number, or "".
        follow: How far it has come.
        reason: Why it stands there: the ERP's words, or who has to act.
        step: Id of the last attempt at a step of it, or 0.
        sender: Whose push has made it, as its answer names it; "" where a look alone has found it.
    """

    id: str
    number: str = ""
    follow: Follow = Follow.OPEN
    reason: str = ""
    step: int = 0
    sender: str = ""


@dataclass(frozen=True, slots=True)
class StepIntent:
    """An attempt at a step, for several documents, that is about to be made.

    Attributes:
        run: The run that makes it.
        step: Which step.
        ids: Internal ids of the documents.
        status: FDocumentStatus that each of them was read to have.
        request: The request's `data`, as it will leave.
        began_at: Wall-clock time, aware.
        uptime: Of the machine that makes it, at that time.
        sender: The ERP user it travels as.
    """

    run: RunId
    step: Step
    ids: tuple[str, ...]
    status: str
    request: bytes
    began_at: datetime
    uptime: Uptime
    sender: str = ""


@dataclass(frozen=True, slots=True)
class StepAttempt:
    """One call for one step. Only `Ledger.begin_step` makes one, after it is on disk."""

    id: int
    intent: StepIntent


class StepsSoFar(NamedTuple):
    """Which attempts at steps had begun at a moment, whoever began them.

    Attributes:
        last: Number of the last one; 0 for none.
        under_way: Numbers of those that were not over.
    """

    last: int = 0
    under_way: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bills that travel together, all by number or all by id; no two of one number.

    Attributes:
        index: Its place in the run, from 1; a part of a split chunk has an index of its own.
        numbers: The ERP's spellings, no two the same.
        alone: The numbers were dropped in silence once and get their one more try (rule 8).
        tries: How often the ERP has asked to try these later (rule 5), but for limits on calls.
        by_itself: Nothing else may be on its way with it, since our own calls may be what it met.
        limits: How often a limit on calls has put these off, others having got through meanwhile.
        seen: How many calls had got through by the first of these times, or the last that counts.
        between: How often others got through between two tries of a lone bill, the later of which
            came after a long pause in which nothing else was sent.
    """

    index: int
    numbers: tuple[BillNumber, ...]
    alone: bool = False
    tries: int = 0
    by_itself: bool = False
    limits: int = 0
    seen: int = 0
    between: int = 0


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
        sender: The ERP user it travels as; "" in attempts of earlier versions.
    """

    run: RunId
    chunk: int
    nth: int
    numbers: tuple[BillNumber, ...]
    before: Mapping[BillNumber, tuple[str, ...]]
    request: bytes
    began_at: datetime
    uptime: Uptime
    sender: str = ""


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


TWIN = "twin"
"""`Outcome.code` of a number that has more documents than its push made: another program or
person pushed the same bill, or a call was carried out long after its connection broke."""


ABSENT = "absent"
"""`Row.code` of a planned number whose sending was in doubt and has made nothing."""

HELD = "held"
"""`Outcome.code` of a number that waits for a run which has it on its way or in doubt."""

PARTLY = "partly"
"""`Outcome.code` of a number that has documents, and a part of which the ERP has refused."""


BY_LEDGER = "ledger"
"""`Outcome.code` of a number that this ledger has pushed, where the ERP cannot be asked."""

UNSHOWN = "unshown"
"""`Outcome.code` of a number that this ledger has pushed, and of which the ERP shows no document
now: it is `already`, and for a person to look at."""


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
        number: As the job file spells it; "" where it has an id alone.
        bill: As the ERP spells it (`Identified.bill`); "" until the source form was read.
        attempts: How often it was sent.
        chunk: The chunk that it last travelled in, or 0.
        sent_at: When it was last sent.
        settled_at: When its state became final.
        listed_id: The id that the job file has, or "". A bill that has one travels by id.
        source_id: The id as the ERP told it; "" until the source form was read.
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
    listed_id: str = ""
    source_id: str = ""

    @property
    def listed(self) -> BillNumber:
        """What the job file calls the bill (`Listed.key`)."""
        return key_of(self.number, self.listed_id)

    @property
    def key(self) -> BillNumber:
        """What the ledger knows the bill by."""
        return self.bill or self.listed

    @property
    def shown_number(self) -> BillNumber:
        """The number, for people and lists: the job file's or, where that has none, the ERP's."""
        return self.number or number_in(self.bill)

    @property
    def label(self) -> str:
        """What to call it in a sentence about its row: the number, or the id where it has none.

        Where two bills may share the number and the sentence has only a key, see `label_of`.
        """
        return self.shown_number or f"id {self.shown_id}"

    @property
    def label_in_erp(self) -> str:
        """What the ERP calls it in a sentence, as far as it is known there."""
        return number_in(self.bill) or self.label

    @property
    def shown_id(self) -> str:
        """The id, for people and lists: the ERP's or, where it told none, the job file's."""
        return self.source_id or self.listed_id


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
class Archive:
    """Where all that a ledger knew of a run is kept.

    Attributes:
        file: Name of the file, which is in the folder of archives.
        sha256: Digest of what it holds, in hexadecimal, as its last line has it.
        at: When it was written.
    """

    file: str
    sha256: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Run:
    """One execution over one job.

    Attributes:
        id: Sorts by time and can be typed.
        scope: Which numbers are the same bill: account, source form and target form, with the
            forms in lower case (`planning.scope_of`).
        route: The route as it was when the run began.
        jobs: Names of the job files.
        folder: Where the results go; "" where none are written, and the ledger alone tells.
        started_at: Wall-clock time, aware.
        ended_at: When its last execution ended; None while one is under way or was killed.
        exit: Exit code of the last execution, or None.
        again_because: Why targets that are there already do not stop it; "" if they do.
        whole: Whether its list was written down to the end; half of one is no job.
        group: Id of the first run that the same command began; a list of several routes makes
            several runs, and `resume` goes on with all of them. "" in runs of earlier versions.
        archive: Where the whole of it is, once it is archived; it is not executed any more.
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
    group: str = ""
    archive: Archive | None = None

    @property
    def account(self) -> str:
        """The account set, with which the scope begins."""
        return self.scope.partition("|")[0]

    @property
    def is_settled(self) -> bool:
        """Whether its last execution left no number in doubt, as its exit code says."""
        return self.exit in {0, 3}
