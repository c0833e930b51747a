"""Which calls may have made a document that nothing ties to a bill.

What was made since a call left, and has neither a link nor a number that names a bill, may be what
the call has made. The ERP is asked for such documents once for many calls; then each call is judged
by its own times, by what was there before it, and by the names under which its sender makes
documents.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter

import anyio
import anyio.lowlevel

from k3push.core.model import BillNumber, Run, RunId, Standing, Target
from k3push.core.remark import remark
from k3push.ports import Ledger, Made
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.stray_lookup import Stray, look_for_strays
from k3push.runs.proof.absence_proof import UNTOLD_FOR_S, Proofs
from k3push.runs.proof.document_makers import (
    MACHINES_DIFFER,
    MOST_KNOWN,
    UNSURE,
    Makers,
    MakersBySender,
    created_at,
    creators_of,
)
from k3push.runs.proof.joint_looks import JointLooks
from k3push.runs.proof.server_clock import Began, ServerClock, over_by, read_clock

# How many of the documents that answers have named are remembered: the newest.
MOST_MARKS = 256

# By how much the clocks of application servers of one site differ, and times are rounded.
SERVERS_DIFFER = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, eq=False)
class OpenCall:
    """A call that may have made a document that ties itself to no bill.

    Attributes:
        bills: Those of its bills of which no look shows a document.
        sender: Who sent it, "" where that is not known.
        began: When it left.
        before: Documents of these bills that were there before it left.
        over_at: When it was over; None where it may be at work still.
        mark: A document that was there before it left, by its id; "" where none is known.
        rule: By which rule it went: stray documents are compared with the makers of this rule's
            documents. None is the route's.
    """

    bills: Collection[BillNumber]
    sender: str
    began: Began
    before: Collection[str] = ()
    over_at: datetime | None = None
    mark: str = ""
    rule: str | None = None


@dataclass(slots=True)
class StrayCalls:
    """What one execution has found out about times and about documents that nothing ties.

    Attributes:
        looks: Those of all who ask at once, by whether names tell (`look_for_strays`).
    """

    _untold_s: float = -math.inf
    _clock: ServerClock | None = None
    _marks: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MOST_MARKS))
    looks: Mapping[bool, JointLooks[OpenCall]] = field(
        default_factory=lambda: {tell: JointLooks() for tell in (True, False)}
    )

    @property
    def tells_after(self) -> bool:
        """Whether documents made after a call can be told apart from its own (`read_clock`)."""
        return self._clock is not None and self._clock.tells_after

    @property
    def mixes_after(self) -> bool:
        """Whether a document made long after a call cannot be told from its own (`read_clock`).

        That is so if documents tell only the day. If the ledger knows no document with a time, the
        answer is no: few can have come.
        """
        return self._clock is not None and not self._clock.tells_time

    @property
    def why(self) -> str:
        """Why a call that `among` has returned last may have made such a document."""
        return remark("note.stray_untold" if self._untold else "note.stray")

    @property
    def _untold(self) -> bool:
        """Whether the ERP does not tell what was made since."""
        return anyio.current_time() - self._untold_s < UNTOLD_FOR_S

    async def read_clock(self, looker: Looker, ledger: Ledger, run: RunId, now_s: float) -> None:
        """Learn how late it is at the server, once (`server_clock`)."""
        if self._clock is None:
            self._clock = await read_clock(looker, ledger, run, now_s) or self._clock

    def note_answer(self, named: Sequence[Target], now_s: float) -> None:
        """Note documents that an answer has just named: they were there before every later call."""
        ids = [target.id for target in named if target.id.isdecimal()]
        if ids:
            self._marks.append((now_s, max(ids, key=int)))

    async def among(
        self,
        looker: Looker,
        ledger: Ledger,
        run: Run,
        calls: Sequence[OpenCall],
        *,
        proofs: Proofs,
        names_tell: bool,
    ) -> Sequence[OpenCall]:
        """Say which calls may have made a document that ties itself to no bill.

        Documents that this ledger has made are left out. Of the others, the maker is compared with
        the one whom the ERP shows for what the call's sender makes. If that one is not known, the
        document may be the sender's. Each call is judged by its own times, and the ERP is asked
        once for all of them.

        Args:
            looker: What to look with.
            ledger: What was made.
            run: Whose scope counts.
            calls: The calls, one at least.
            proofs: What is known of links, and as whom users make documents.
            names_tell: As in `look_for_strays`.
        """
        if self._untold:
            return calls
        await proofs.ask_newest_links(looker)
        marks = {id_ for call in calls for id_ in self._marks_before(call) if id_}
        first = min((call.began for call in calls), key=lambda began: began.at)
        found_rows = _FoundRows(looker, ledger, run)
        found = await look_for_strays(
            looker,
            f"{min(call.began.no_later_than(self._clock) for call in calls):%Y-%m-%d %H:%M:%S}",
            [number for call in calls for number in call.bills],
            known=lambda numbers: _made_of(looker, ledger, run, numbers),
            earlier=lambda names: found_rows.before(first, names),
            names_tell=names_tell,
            beside=sorted(marks),
        )
        if found is None:
            self._untold_s = anyio.current_time()
            return calls
        strays = _StraysByTime(found.strays)
        made = _MadeBySender(looker, ledger, run)
        makers = _MakersOfCalls(proofs.makers, looker, ledger, run.id, calls)
        beside = []
        for call in calls:
            # There may be thousands of each.
            await anyio.lowlevel.checkpoint()
            before = self._marks_before(call)
            of_call = [
                stray
                for stray in strays.made_while(call, self._clock)
                if not stray.is_of_others(call.bills)
                and not _was_before(call, stray, before, found.beside)
            ]
            if of_call:
                of_call = await _not_known(of_call, call, made, found_rows)
            if of_call and await makers.may_have_made(call, of_call):
                beside.append(call)
        return beside

    def _marks_before(self, call: OpenCall) -> tuple[str, str]:
        """Return the newest known documents that were there before a call left.

        Returns:
            What an answer to this execution has named, and what a look has shown; "" for none.
        """
        left_s = -math.inf if call.began.left_s is None else call.began.left_s
        named = next((id_ for at_s, id_ in reversed(self._marks) if at_s < left_s), "")
        return named, call.mark


class _StraysByTime:
    """Stray documents in the order of their times, beside those whose time is not told."""

    def __init__(self, strays: Sequence[Stray]) -> None:
        made = [(created_at(stray.standing), stray) for stray in strays]
        timed = sorted(((at, stray) for at, stray in made if at is not None), key=itemgetter(0))
        self._times = [at for at, _ in timed]
        self._timed = [stray for _, stray in timed]
        self._untimed = [stray for at, stray in made if at is None]

    def made_while(self, call: OpenCall, clock: ServerClock | None) -> list[Stray]:
        """Return those that may have been made while a call was at work."""
        first_at = bisect_left(self._times, call.began.no_later_than(clock))
        last_at = bisect_right(self._times, over_by(call.over_at, clock))
        return [*self._untimed, *self._timed[first_at:last_at]]


@dataclass(slots=True)
class _MakersOfCalls:
    """As whom the senders of calls make documents; each question is asked once for all of them."""

    known: MakersBySender
    looker: Looker
    ledger: Ledger
    run: RunId
    calls: Sequence[OpenCall]
    _of_calls: dict[tuple[str, str | None], Makers] = field(default_factory=dict)
    _creators: Mapping[BillNumber, str] | None = None

    async def may_have_made(self, call: OpenCall, strays: Sequence[Stray]) -> bool:
        """Say whether the sender of a call may be the maker of one of some documents."""
        kind = (call.sender, call.rule)
        if kind not in self._of_calls:
            alike = [each for each in self.calls if (each.sender, each.rule) == kind]
            last = max(each.began.at for each in alike)
            self._of_calls[kind] = await self.known.of(
                self.looker, self.ledger, self.run, call.sender, at=last, rule=call.rule
            )
        makers, of_bills = self._of_calls[kind], set[str]()
        if makers.copied:
            if self._creators is None:
                bills = dict.fromkeys(bill for each in self.calls for bill in each.bills)
                self._creators = await creators_of(self.looker, bills)
            of_bills = {self._creators.get(bill, "") for bill in call.bills}
        for maker in {stray.standing.creator for stray in strays}:
            if await self.known.may_be(self.looker, makers, maker, of_bills, call.began.at):
                return True
        return False


class _MadeBySender:
    """What the ledger has made through users; each user is asked about once."""

    def __init__(self, looker: Looker, ledger: Ledger, run: Run) -> None:
        self._looker = looker
        self._ledger = ledger
        self._run = run
        self._by_sender: dict[str, set[str]] = {}

    async def of(self, sender: str) -> set[str]:
        """Return documents that the ledger has made through a user, as far as it is sure."""
        if sender not in self._by_sender:
            known = await self._ledger.made_by(self._run.id, sender or None, limit=MOST_KNOWN)
            believed = not self._looker.links.outweigh
            sure = [each for each in known if believed or each.code not in UNSURE]
            self._by_sender[sender] = {target.id for each in sure for target in each.targets}
        return self._by_sender[sender]


class _FoundRows:
    """Rows of the numbers that stray documents bear, with the documents that they name.

    Each number is read once.
    """

    def __init__(self, looker: Looker, ledger: Ledger, run: Run) -> None:
        self._looker = looker
        self._ledger = ledger
        self._run = run
        self._rows: dict[BillNumber, Sequence[tuple[RunId, datetime, set[str]]]] = {}
        self._are_alike: dict[RunId, bool] = {run.id: True}

    async def before(self, began: Began, names: Collection[BillNumber]) -> set[str]:
        """Return documents that were found for some numbers before a call left."""
        for name in names:
            if name not in self._rows:
                self._rows[name] = await self._read(name)
        # The clock of another machine may be wrong. No margin for that is needed where a number
        # alone ties a document to its bill.
        by_others = began.at - MACHINES_DIFFER if self._looker.links.outweigh else began.at
        by_us = began.at if began.is_timed else by_others
        found: set[str] = set()
        for name in names:
            for of, settled_at, ids in self._rows[name]:
                if settled_at < (by_us if of == self._run.id else by_others):
                    found |= ids
        return found

    async def _read(self, name: BillNumber) -> Sequence[tuple[RunId, datetime, set[str]]]:
        return [
            (of, row.settled_at, {target.id for target in row.targets})
            for of, row in await self._ledger.rows_of(name)
            if row.targets and row.settled_at and await self._is_alike(of)
        ]

    async def _is_alike(self, of: RunId) -> bool:
        """Say whether a run makes documents of the same form as ours, whose ids can be compared."""
        if of not in self._are_alike:
            found = await self._ledger.run(of)
            self._are_alike[of] = found is not None and _is_of_form(found, self._run)
        return self._are_alike[of]


async def _not_known(
    strays: Sequence[Stray], call: OpenCall, made: _MadeBySender, found_rows: _FoundRows
) -> list[Stray]:
    """Leave out what the ledger has made as a call's sender, or had found before the call left."""
    made_as_sender = await made.of(call.sender)
    unknown = [stray for stray in strays if stray.id not in made_as_sender]
    names = {name for stray in unknown for name in stray.names}
    earlier = await found_rows.before(call.began, names)
    return [stray for stray in unknown if stray.id not in earlier]


async def _made_of(
    looker: Looker, ledger: Ledger, run: Run, numbers: Sequence[BillNumber]
) -> Mapping[BillNumber, Collection[str]]:
    """Return documents of bills that the ledger is sure of, by number."""
    made = await ledger.made_in(run.scope, dict.fromkeys(numbers, ""))

    async def sure_ids(made: Made) -> Collection[str]:
        """Leave out documents that may be another bill's, whose number they bear."""
        is_plain = len(made.ids) == 1 and made.code not in UNSURE
        if is_plain or not looker.links.outweigh:
            return made.ids.keys()
        rows = [row for _, row in await ledger.rows_of(made.number) if row.code not in UNSURE]
        return {target.id for row in rows for target in row.targets if target.id in made.ids}

    return {number: await sure_ids(each) for number, each in made.items()}


def _is_of_form(one: Run, other: Run) -> bool:
    """Say whether documents of two runs have ids of one form."""
    forms = {each.route.target.lower() for each in (one, other)}
    return one.account == other.account and len(forms) == 1


def _was_before(
    call: OpenCall, stray: Stray, marks: Sequence[str], beside: Mapping[str, Standing]
) -> bool:
    """Say whether a document was there before a call left, judged by ones that surely were."""
    return stray.id in call.before or any(
        stray.id == mark or _was_there(stray, mark, beside.get(mark)) for mark in marks
    )


def _was_there(stray: Stray, mark: str, known: Standing | None) -> bool:
    """Say whether a document is older than one that is known, by its id and by its time.

    Several servers may give out ids in blocks, so that a document may have a higher id than one
    made after it. So ids tell nothing of two documents made within a few minutes, or on one day
    where the form tells only the day.
    """
    created, then = created_at(stray.standing), created_at(known)
    if created is None or then is None or not stray.id.isdecimal():
        return False
    return created < then - SERVERS_DIFFER and int(stray.id) < int(mark)
