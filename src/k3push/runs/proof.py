"""What has to be proved before "nothing is there" counts (rules 6 and 7).

Two things can make a document invisible, and neither raises an error: the field that is asked
does not hold the source's number, and the user who asks may not see what another has made, or a
part of what he makes himself. So absence counts only

- where the links of the target form, which name a source by its id (P 6.5), were seen to find
  what is there, and were asked for this bill; or, where links cannot be asked, where the number
  field was seen to do so, on this account and for these forms,
- where no document was made since by that user that neither a link nor a number ties to a bill:
  a rule may keep neither for some bills, and the field may be too short or hold one of several
  sources,
- where the user has looked who sent the number, or one who sees what that user makes, and
- where no look has missed a document that an answer names. As long as there is more to send, and
  so more to be learnt, a number of such documents has to have been shown.

The first two are found out by looking at documents that are known: those that the ledger names,
and the newest of the target form.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from operator import itemgetter

import anyio
import anyio.lowlevel

from k3push.core.model import (
    BillNumber,
    Run,
    RunId,
    Sighting,
    Standing,
    Target,
)
from k3push.ports import (
    ErpUnreachableError,
    Ledger,
    LoginRefusedError,
    LookFailedError,
    Made,
    Memo,
)
from k3push.runs.document_makers import (
    CLOCKS_DIFFER,
    EASTERNMOST,
    LATEST,
    LEAST_SAMPLE,
    MACHINES_DIFFER,
    MOST_KNOWN,
    SAMPLE,
    UNSURE,
    WESTERNMOST,
    Makers,
    MakersBySender,
    created_at,
    creators_of,
    made_alike,
)
from k3push.runs.lookup import (
    Looker,
    Stray,
    can_ask,
    look_at_both,
    look_at_newest,
    look_at_newest_links,
    look_at_standings,
    look_for_strays,
)
from k3push.runs.named_documents import named_by_answers

# Documents that answers have named, of which the newest are remembered.
MOST_MARKS = 256

# Documents of the ledger whose times are compared with the server's.
SAMPLE_OF_TIMES = 3

# By how much the clocks of application servers of one site differ, and times are rounded.
SERVERS_DIFFER = timedelta(minutes=2)

# How many documents that answers have named must have been shown by looks before "nothing is there"
# is believed: a user who sees half of them misses one of ten with a chance of 1023 in 1024.
ENOUGH_SHOWN = 10

LINKED = "links"
"""Kind of the memo that links have found what a rule makes; it is about forms and rule."""

LINKS_KEEP = timedelta(days=62)
"""For how long that counts: somebody may have changed the rule since."""

LINKS_RENEW = timedelta(days=31)
"""After so long it is learnt anew, at the next call whose answer names a document."""

# If a clock has advanced by this much more or less than the loop's, it was set, or the machine has
# slept.
CLOCK_WAS_SET_S = 5.0

# How far two clocks may drift apart in a night; the ERP gives times in whole seconds.
CLOCKS_DRIFT_S = 1.0

# A site that has just refused to tell what was made since is not asked that again for each call,
# and may tell it by the time a doubt is settled.
UNTOLD_FOR_S = 300.0


@dataclass(frozen=True, slots=True)
class ServerClock:
    """What time it is on the server's clock.

    Attributes:
        local: Its local time was no earlier than this one
        at_s: when the loop's clock showed this.
        behind: By how much at most the clock of a sending machine, in UTC, was ahead of it.
        tells_time: Whether documents tell the time of day at which they were made.
        compared: Whether `behind` is known.
    """

    local: datetime
    at_s: float
    behind: timedelta = timedelta(0)
    tells_time: bool = True
    compared: bool = False

    @property
    def tells_after(self) -> bool:
        """Whether it tells what was made after a time by the clock of a machine that sends."""
        return self.compared and self.tells_time

    def no_earlier_than(self, over_at: datetime) -> datetime:
        """Return a local time of the server that had not passed at such a time."""
        if not self.tells_after:
            return LATEST
        over = over_at.astimezone(UTC).replace(tzinfo=None) - self.behind
        return over + timedelta(seconds=CLOCKS_DRIFT_S)


@dataclass(frozen=True, slots=True)
class Began:
    """When a call in doubt left.

    Attributes:
        at: By the clock of the machine that sent it.
        now: What the clock of this machine shows now, which somebody may have set meanwhile.
        on_loop_s: The same by the loop's clock; None where another execution has sent it.
        now_s: What that one shows now.
    """

    at: datetime
    now: datetime
    on_loop_s: float | None = None
    now_s: float = 0.0

    @property
    def is_timed(self) -> bool:
        """Whether this execution has sent it, and no one has set the clock since."""
        if self.on_loop_s is None:
            return False
        since_s = (self.now - self.at).total_seconds()
        return abs(since_s - (self.now_s - self.on_loop_s)) < CLOCK_WAS_SET_S

    def no_later_than(self, clock: ServerClock | None) -> datetime:
        """Return a local time of the server that had passed when the call left."""
        if clock is not None and self.on_loop_s is not None:
            # The loop's clock nobody can set.
            when = clock.local + timedelta(seconds=self.on_loop_s - clock.at_s)
        else:
            # No server's clock shows an earlier time than this one (P 9), where ours is right.
            behind = max(WESTERNMOST, clock.behind if clock else WESTERNMOST)
            when = min(self.at, self.now).astimezone(UTC).replace(tzinfo=None) - behind
        when -= CLOCKS_DIFFER
        # A form may keep the day of the making alone.
        return when if clock and clock.tells_time else datetime.combine(when, time())


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
    """

    bills: Collection[BillNumber]
    sender: str
    began: Began
    before: Collection[str] = ()
    over_at: datetime | None = None
    mark: str = ""


@dataclass(slots=True)
class _MakersOfCalls:
    """As whom the senders of calls make documents; each question is asked once for all of them."""

    known: MakersBySender
    looker: Looker
    ledger: Ledger
    run: RunId
    calls: Sequence[OpenCall]
    _by_sender: dict[str, Makers] = field(default_factory=dict)
    _creators: Mapping[BillNumber, str] | None = None

    async def may_have_made(self, call: OpenCall, strays: Sequence[Stray]) -> bool:
        """Say whether the sender of a call may be the maker of one of some documents."""
        if call.sender not in self._by_sender:
            found = await self.known.of(self.looker, self.ledger, self.run, call.sender)
            self._by_sender[call.sender] = found
        makers, of_bills = self._by_sender[call.sender], set[str]()
        if makers.copied:
            if self._creators is None:
                bills = dict.fromkeys(bill for each in self.calls for bill in each.bills)
                self._creators = await creators_of(self.looker, bills)
            of_bills = {self._creators.get(bill, "") for bill in call.bills}
        return any(makers.may_be(stray.standing.creator, of_bills) for stray in strays)


@dataclass(slots=True)
class Proofs:
    """What one execution has found out.

    Attributes:
        field_finds: The field that is asked has found a document of a known bill.
        missed: A look through everybody has missed a document that an answer names.
        shown: Documents that the answers to a user have named, and looks have shown.
        makers: As whom users make documents.
    """

    field_finds: bool = False
    missed: bool = False
    shown: Counter[str] = field(default_factory=Counter)
    _asked: bool = False
    _asked_links: bool = False
    _asking_links: anyio.Lock = field(default_factory=anyio.Lock)
    _links_untold_s: float = -math.inf
    _knows_links: bool = False
    _noted_links: bool = False
    _recalled_links: bool = False
    _links_are_old: bool = False
    _calls_since_missed: int = 0
    _asking_known: anyio.Lock = field(default_factory=anyio.Lock)
    _untold_s: float = -math.inf
    _clock: ServerClock | None = None
    _marks: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MOST_MARKS))
    _sees: dict[tuple[str, frozenset[str]], bool] = field(default_factory=dict)
    makers: MakersBySender = field(default_factory=MakersBySender)

    async def absence_proved(
        self, looker: Looker, ledger: Ledger, run: RunId, *, now: datetime
    ) -> bool:
        """Say whether a bill of which nothing is shown has nothing; ask for known documents once.

        Where links tell, that is so for bills that they were asked for. A look that fails for good
        is raised: it proves nothing, and disproves nothing either.
        """
        links = looker.links
        if can_ask(looker) and not (links.tell or self.field_finds or self._asked):
            await self._look_at_known(looker, ledger, run, now)
            await self._ask_newest(looker)
            self._asked = True
        return links.tell or self.field_finds

    async def links_outweigh(
        self, looker: Looker, ledger: Ledger, run: RunId, *, now: datetime
    ) -> bool:
        """Say whether a number alone ties no document, since links find what is there.

        It is learnt once. Where that fails, a number is not believed.
        """
        links = looker.links
        async with self._asking_known:
            if not (links.are_kept or links.missed_own or self._knows_links):
                try:
                    if not (await self.recall_links(looker, ledger, now=now) or links.absent):
                        await self._look_at_known(looker, ledger, run, now)
                        await self._ask_newest_links(looker)
                except (LookFailedError, ErpUnreachableError, LoginRefusedError):
                    return links.may_outweigh
                self._knows_links = True
        return links.outweigh

    async def recall_links(self, looker: Looker, ledger: Ledger, *, now: datetime) -> bool:
        """Say whether links have found what the rule makes, in some execution of late."""
        if not self._recalled_links:
            memos = await ledger.memos(LINKED, about=_of_links(looker), limit=1)
            looker.links.recalled = any(now - memo.at < LINKS_KEEP for memo in memos)
            self._links_are_old = not any(now - memo.at < LINKS_RENEW for memo in memos)
            self._recalled_links = True
        return looker.links.are_kept

    async def asks_for_links(self, looker: Looker, ledger: Ledger, *, now: datetime) -> bool:
        """Say whether links are asked for, to learn whether they find what the rule makes."""
        if looker.links.missed_own:
            # A plug-in may have dropped that link, so it is asked again, but ever more seldom: at
            # calls 1, 2, 4, 8 ...
            self._calls_since_missed += 1
            return self._calls_since_missed.bit_count() == 1
        return not await self.recall_links(looker, ledger, now=now) or self._links_are_old

    async def note_links(self, looker: Looker, ledger: Ledger, *, now: datetime) -> None:
        """Write down that links find what the rule makes, once in a month."""
        if looker.links.find_own and not self._noted_links:
            form = _of_links(looker)
            await ledger.remember(Memo(LINKED, f"{form} {now:%Y-%m}", now, {}, about=form))
            self._noted_links = True

    async def _look_at_known(
        self, looker: Looker, ledger: Ledger, run: RunId, now: datetime
    ) -> None:
        """Look for documents that the ledger names, by the field and by links."""
        known = await _made_alike(looker, ledger, run)
        seen = await _look_for(looker, known)
        by_field, links = seen.by_the_field(), looker.links
        self.field_finds = self.field_finds or any(_ids(each) & by_field for each in known)
        for each in known:
            # Of several documents of a bill one may be another's that bears its number.
            if each.number in seen.linked and each.code not in UNSURE:
                links.compare(_ids(each), seen)
        alike = await made_alike(looker, ledger, known, since=now - LINKS_RENEW)
        named = {each.number: await _named_of_row(looker, ledger, each) for each in alike}
        if not any(named.values()):
            # Answers of old servers name no documents. Then ENOUGH_SHOWN successes without a link
            # show that the rule keeps none.
            named = {each.number: _ids(each) for each in alike if each.code not in UNSURE}
            named = named if len(named) >= ENOUGH_SHOWN else {}
        for number, ids in named.items():
            links.compare_own(ids, number, seen)

    async def _ask_newest(self, looker: Looker) -> None:
        """Look for a proof in the newest documents, where known ones have given none."""
        await self._ask_newest_links(looker)
        if not (looker.links.tell or self.field_finds) and looker.route.source_number_field:
            self.field_finds = (await look_at_newest(looker)).proves

    async def _ask_newest_links(self, looker: Looker) -> None:
        """Ask once whether the newest documents show that links are kept."""
        links = looker.links
        # Who comes meanwhile waits for the answer, and what has failed is asked for anew.
        async with self._asking_links:
            knows = links.find or links.missed_own or links.absent or self._asked_links
            if knows or anyio.current_time() - self._links_untold_s < UNTOLD_FOR_S:
                return
            try:
                links.find = await look_at_newest_links(looker)
            except LookFailedError:
                # Links may still find documents: until that is known, a number does not outweigh
                # them.
                self._links_untold_s = anyio.current_time()
            else:
                self._asked_links = True
            links.untold = not self._asked_links

    async def calls_with_strays(
        self,
        looker: Looker,
        ledger: Ledger,
        run: Run,
        calls: Sequence[OpenCall],
        *,
        names_tell: bool = True,
    ) -> list[OpenCall]:
        """Say which calls may have made a document that ties itself to no bill.

        What the ledger made is known. Who made the others is compared with who is named as the
        maker of what the ledger made through a user; where that is not known, it may be his. Each
        call is judged by its own times, and the ERP is asked once for all of them.

        Args:
            looker: What to look with.
            ledger: What was made.
            run: Whose scope counts.
            calls: The calls, one at least.
            names_tell: As in `look_for_strays`.
        """
        if anyio.current_time() - self._untold_s < UNTOLD_FOR_S:
            return list(calls)
        await self._ask_newest_links(looker)
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
            return list(calls)
        beside = []
        made_by: dict[str, set[str]] = {}
        makers = _MakersOfCalls(self.makers, looker, ledger, run.id, calls)
        made = [(created_at(stray.standing), stray) for stray in found.strays]
        timed = sorted(((at, stray) for at, stray in made if at is not None), key=itemgetter(0))
        times = [at for at, _ in timed]
        untimed = [stray for at, stray in made if at is None]
        for call in calls:
            # There may be thousands of each.
            await anyio.lowlevel.checkpoint()
            first_at = bisect_left(times, call.began.no_later_than(self._clock))
            last_at = bisect_right(times, self._over_by(call))
            strays = [*untimed, *(stray for _, stray in timed[first_at:last_at])]
            before = self._marks_before(call)
            strays = [s for s in strays if not _was_before(call, s, before, found.beside)]
            if strays:
                if call.sender not in made_by:
                    made_by[call.sender] = await _surely_made_by(looker, ledger, run, call.sender)
                strays = [stray for stray in strays if stray.id not in made_by[call.sender]]
                names = {name for stray in strays for name in stray.names}
                earlier = await found_rows.before(call.began, names)
                strays = [stray for stray in strays if stray.id not in earlier]
            if strays and await makers.may_have_made(call, strays):
                beside.append(call)
        return beside

    def note_answer(self, named: Sequence[Target]) -> None:
        """Note documents that an answer has named just now: later calls make others."""
        ids = [target.id for target in named if target.id.isdecimal()]
        if ids:
            self._marks.append((anyio.current_time(), max(ids, key=int)))

    def _marks_before(self, call: OpenCall) -> tuple[str, str]:
        """Return documents that were there before a call left, as late as such are known.

        Returns:
            What an answer to this execution has named, and what a look has shown; "" for none.
        """
        left_s = -math.inf if call.began.on_loop_s is None else call.began.on_loop_s
        named = next((id_ for at_s, id_ in reversed(self._marks) if at_s < left_s), "")
        return named, call.mark

    def _over_by(self, call: OpenCall) -> datetime:
        """Return a local time of the server by which a call was over, as far as is known."""
        if call.over_at is None:
            return LATEST
        latest = call.over_at.astimezone(UTC).replace(tzinfo=None) + EASTERNMOST + CLOCKS_DIFFER
        return min(latest, self._clock.no_earlier_than(call.over_at)) if self._clock else latest

    @property
    def tells_after(self) -> bool:
        """Whether what was made after a call is told from what it has made (`read_clock`)."""
        return self._clock is not None and self._clock.tells_after

    @property
    def mixes_after(self) -> bool:
        """Whether what was made long after a call passes for what it has made (`read_clock`).

        Where the ledger knows no document, few can have come.
        """
        return self._clock is not None and not self._clock.tells_time

    async def read_clock(self, looker: Looker, ledger: Ledger, run: RunId) -> None:
        """Learn from the newest documents of the ledger how late it is at the server, once."""
        if self._clock is not None:
            return
        known, now_s = await ledger.made_by(run, limit=SAMPLE), anyio.current_time()
        standings = await _standings_of(looker, known)
        times = [at for each in standings.values() if (at := created_at(each))]
        # People delete what they have tried out.
        there = [each for each in known if _ids(each) & standings.keys()]
        # A document that is older than the call of its row would set the clock wrong.
        sure = [each for each in there if each.code not in UNSURE]
        behind = [
            row.sent_at.astimezone(UTC).replace(tzinfo=None) - created
            for each in sure[:SAMPLE_OF_TIMES]
            for of, row in await ledger.rows_of(each.number)
            if of == each.run and row.attempts == 1
            for target in row.targets
            if row.sent_at and (created := created_at(standings.get(target.id)))
        ]
        if times:
            told = any(at.time() != time() for at in times)
            none = timedelta(0)
            latest = max(behind, default=none)
            self._clock = ServerClock(max(times), now_s, latest, told, bool(behind))

    def compare(self, sender: str, named: Collection[str], seen: Collection[str]) -> None:
        """Take in which of the documents that an answer names a look through everybody shows."""
        self.shown[sender] += len(set(named).intersection(seen))
        self.missed = self.missed or not set(named) <= set(seen)

    def enough_shown(self, sender: str) -> bool:
        """Say whether enough of a user's documents were shown to believe that one is not there."""
        return self.shown[sender] >= ENOUGH_SHOWN

    async def covers(
        self, looker: Looker, ledger: Ledger, run: RunId, *, users: Collection[str], sender: str
    ) -> bool:
        """Say whether *users*, who have looked, see what *sender* makes.

        An attempt of an earlier version names no sender: then all users of the settings count.
        A look that fails for good is raised.
        """
        if sender in users or (not sender and set(looker.erp.users) <= set(users)):
            return True
        if not sender:
            return False
        # Who sees what a sender makes may be set aside later, and the others may not see it.
        asked = (sender, frozenset(users))
        if asked not in self._sees:
            known = await ledger.made_by(run, sender, limit=SAMPLE)
            if len(known) < LEAST_SAMPLE:
                return False  # the sender may make more of them yet
            seen = await _look_for(looker, known)
            if not seen.users <= asked[1]:
                return False  # one of them may have seen it who has not looked before
            self._sees[asked] = all(_ids(each) <= _ids_of(seen, each) for each in known)
        return self._sees[asked]


def _of_links(looker: Looker) -> str:
    """Name the forms and the rule whose links are meant; each pair has a default rule."""
    route = looker.route
    return f"{route.source.lower()} {route.target.lower()} {route.rule}"


def _is_of_form(one: Run, other: Run) -> bool:
    """Say whether documents of two runs have ids of one form."""
    forms = {each.route.target.lower() for each in (one, other)}
    return one.account == other.account and len(forms) == 1


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


async def _surely_made_by(looker: Looker, ledger: Ledger, run: Run, sender: str) -> set[str]:
    """Return documents that the ledger has made through a user, as far as it is sure."""
    known = await ledger.made_by(run.id, sender or None, limit=MOST_KNOWN)
    sure = (each for each in known if each.code not in UNSURE or not looker.links.outweigh)
    return {id_ for each in sure for id_ in _ids(each)}


class _FoundRows:
    """Rows that name documents, of numbers that stray documents bear; each number is read once."""

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
        # Where numbers tell, they do so of what the clock of another machine calls older.
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
        """Say whether a run makes documents whose ids are of one form with ours."""
        if of not in self._are_alike:
            found = await self._ledger.run(of)
            self._are_alike[of] = found is not None and _is_of_form(found, self._run)
        return self._are_alike[of]


def _was_before(
    call: OpenCall, stray: Stray, marks: Sequence[str], beside: Mapping[str, Standing]
) -> bool:
    """Say whether a document was there before a call left, by what is known to have been."""
    return stray.id in call.before or any(
        stray.id == mark or _was_there(stray, mark, beside.get(mark)) for mark in marks
    )


def _was_there(stray: Stray, mark: str, known: Standing | None) -> bool:
    """Say whether a document is older than one that is known, by its id and by its time.

    Several servers may give out ids in blocks, so that what another program has made may have a
    later id than what comes after. So an id tells nothing of what was made within a few minutes,
    or on one day where forms tell days.
    """
    created, then = created_at(stray.standing), created_at(known)
    if created is None or then is None or not stray.id.isdecimal():
        return False
    return created < then - SERVERS_DIFFER and int(stray.id) < int(mark)


async def _standings_of(looker: Looker, known: Sequence[Made]) -> Mapping[str, Standing]:
    """Read how some documents of the ledger stand."""
    ids = [target.id for each in known for target in each.targets][:SAMPLE]
    return await look_at_standings(looker, ids) if ids else {}


async def _made_alike(looker: Looker, ledger: Ledger, run: RunId) -> Sequence[Made]:
    """Return what the ledger names that shows whether documents of this route are found.

    Where nothing but links can be asked, another rule may keep them while the route's own does
    not.
    """
    known = await ledger.made_by(run, limit=SAMPLE)
    by_field = bool(looker.route.source_number_field)
    return known if by_field else await made_alike(looker, ledger, known)


async def _look_for(looker: Looker, known: Collection[Made]) -> Sighting:
    numbers = list(dict.fromkeys(each.number for each in known))
    if not numbers:
        return Sighting()
    return await look_at_both(looker, numbers, by_all=True, together=False, stop_or_not=False)


async def _named_of_row(looker: Looker, ledger: Ledger, made: Made) -> set[str]:
    """Return the documents of a row that answers have named, if its bill has the number still."""
    for of, row in await ledger.rows_of(made.number):
        if of == made.run and row.bill == made.number:
            asked = looker.source_ids.get(row.bill, row.source_id)
            if row.source_id and row.source_id == asked:
                return _ids(made) & await named_by_answers(ledger, of, row.bill)
    return set()


def _ids(made: Made) -> set[str]:
    return {target.id for target in made.targets}


def _ids_of(seen: Sighting, made: Made) -> set[str]:
    """Return the documents that a look has found of a number, cancelled ones among them."""
    kinds = (seen.targets, seen.shared, seen.cancelled, seen.denied, seen.namesakes, seen.loose)
    return {target.id for kind in kinds for target in kind.get(made.number, ())}
