"""What one execution of a run works with: its settings, and what it has found out so far.

All tasks of an execution share one of these, so it is one thing: look up the field that you meet.
What has rules of its own is an object of another module (`Proofs`, `SplitBills`, `OwnSight`,
`StrayCalls`, `DoubtAges`, `Throttle`, `Pace`); the verbs here ask these for this execution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import anyio

from k3push.core.control_words import Key
from k3push.core.model import (
    BillNumber,
    Outcome,
    Route,
    Row,
    Run,
    RunId,
    State,
    Targets,
    id_in,
)
from k3push.core.pacing.halting import Tally
from k3push.core.pacing.pace import Pace
from k3push.core.pacing.samples import CallSample, Ended
from k3push.core.protocol import wire
from k3push.core.remark import remark
from k3push.core.safety.links_found import Links
from k3push.core.safety.verdict import Said
from k3push.ports import AttemptRecord, Clock, Doubt, Erp, Ledger, Watch
from k3push.runs.lookup.link_discovery import find_links
from k3push.runs.lookup.looker import can_ask
from k3push.runs.lookup.question_lengths import QuestionLengths
from k3push.runs.proof.absence_proof import Proofs
from k3push.runs.proof.calls_at_work import CallsAtWork
from k3push.runs.proof.doubt_ages import DoubtAges, SettleTimes
from k3push.runs.proof.missed_looks import DueLook
from k3push.runs.proof.named_documents import is_among, named_for_others
from k3push.runs.proof.own_sight import OwnSight, out_of_sight
from k3push.runs.proof.server_clock import Began
from k3push.runs.proof.split_bills import SplitBills
from k3push.runs.proof.steps_at_work import StepsAtWork
from k3push.runs.proof.stray_calls import OpenCall, StrayCalls
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause, Stop
from k3push.runs.throttle import Throttle

# For how long a look at a bill's source counts. It is made ahead of the sending, and most bills
# leave within minutes.
SOURCE_KEEPS_S = 600.0


@dataclass(slots=True)
class Context:
    """One execution of one run.

    Attributes:
        throttle: How it is driven; may change while it goes.
        auto: Advises the throttle, from samples.
        tally: What this execution's sendings have come to, for the halt rule.
        on_their_way: Chunks whose attempt has begun and is not recorded.
        proofs: What is proved of the field that is asked, and of who sees whose documents.
        own_sight: Whether users are shown what they have made themselves.
        stray_calls: Which calls may have made a document that nothing ties to a bill.
        looked_s: When the source form last showed each bill, by `awake_s`.
        worked: Forms of which a read has succeeded.
        lengths: How many numbers questions may name.
        source_ids: Internal ids of bills that were read from the source form.
        links: What is known of the target form's links.
        sent_before: Numbers that may travel again, with the ids of the documents that were there
            before their first sending: what a look finds beside these is our own.
        sent_earlier: Numbers that earlier executions of this run have sent, whatever came of it.
        absent: Numbers of which looks have proved that nothing was made. A new call for one takes
            it out.
        ids: Of bills that travel by their ids.
        renumbered: The numbers that looks have seen such bills to have since they were sent, by
            their ids; None before the ledger is asked.
        suspects: Numbers that were in doubt and were settled or sent again, with what was there
            before; they are looked at once more at the end.
        refused: Numbers that the ERP has refused, with what was there before and, on the loop's
            clock, when; they are looked at once more.
        refused_s: When the ERP last refused a number of which a look may still show a document, on
            the loop's clock; minus infinity if never.
        unlooked: Refused numbers of which no look has told yet, with what was there before: the ERP
            refused the query too, or could not be asked whether links are kept. They are asked for
            again at the end, and by the next execution.
        not_looked_at: What earlier executions were refused, and have not looked at once more; None
            where there is nothing.
        look_due_since: Since when a look at what was refused is due, as the ledger says; None where
            none is.
        noting_look: A lock, held while that is written down.
        doubted_elsewhere: Numbers that wait, or have waited, for another run; its call may be
            carried out after ours.
        waits_in_front: How much later lost calls may have been carried out for those in front, by
            attempt, whatever was answered since; and when that was asked, on the loop's clock.
        settled_elsewhere: Runs that nobody executes, of whose doubts looks have settled some.
        ages_elsewhere: How old doubts of living runs are that are waited for, and which of them
            were open at the last look at their rows.
        twins: Numbers that were found to have more documents than their push made.
        twins_in_a_row: Those among the last bills of calls whose answers name no documents.
        split_bills: Whether the rule splits bills, as far as is known.
        named: Documents that answers name whose calls are read back now, with the bills of each
            and their ids.
        learnt: The run's route with what the site has told of its links; None before it is asked.
        more_to_send: Whether numbers wait that have not travelled yet.
        left: How many bills may be taken up yet, and documents of earlier executions; infinite
            without a limit.
        cut: The limit has left some out.
        counted: Places of the rows that the limit has counted.
        counted_documents: Ids of documents that it has counted, or whose bills.
        uncounted: Bills in doubt at the beginning that it has not counted.
        chosen: Places of the rows that may be pushed, which a person has named; None for all.
        mark: A document that was there before this execution has sent anything, by its id; "" where
            none is known.
        marked: Set once that is known, or has taken too long; the first call waits for it.
        has_begun: Whether a call of this execution was written down.
        marks: Such documents of other executions, each with the index of its first chunk; those of
            a run are read once.
    """

    run: Run
    erp: Erp
    ledger: Ledger
    clock: Clock
    watch: Watch
    stop: Stop
    limits: PushLimits
    throttle: Throttle
    settle: SettleTimes
    ages: DoubtAges
    auto: Pace = field(default_factory=Pace)
    tally: Tally = field(default_factory=Tally)
    on_their_way: int = 0
    proofs: Proofs = field(default_factory=Proofs)
    own_sight: OwnSight = field(default_factory=OwnSight)
    stray_calls: StrayCalls = field(default_factory=StrayCalls)
    looked_s: dict[BillNumber, float] = field(default_factory=dict)
    worked: set[str] = field(default_factory=set)
    lengths: QuestionLengths = field(default_factory=QuestionLengths)
    source_ids: dict[BillNumber, str] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    sent_before: dict[BillNumber, frozenset[str]] = field(default_factory=dict)
    sent_earlier: set[BillNumber] = field(default_factory=set)
    absent: set[BillNumber] = field(default_factory=set)
    ids: dict[BillNumber, str] = field(default_factory=dict)
    renumbered: dict[str, set[BillNumber]] | None = None
    suspects: dict[BillNumber, frozenset[str]] = field(default_factory=dict)
    refused: dict[BillNumber, tuple[frozenset[str], float]] = field(default_factory=dict)
    refused_s: float = -math.inf
    unlooked: dict[BillNumber, frozenset[str]] = field(default_factory=dict)
    not_looked_at: DueLook | None = None
    look_due_since: datetime | None = None
    noting_look: anyio.Lock = field(default_factory=anyio.Lock)
    doubted_elsewhere: dict[BillNumber, None] = field(default_factory=dict)
    waits_in_front: dict[int, tuple[float, float]] = field(default_factory=dict)
    settled_elsewhere: set[RunId] = field(default_factory=set)
    ages_elsewhere: dict[RunId, tuple[DoubtAges, Sequence[Doubt]]] = field(default_factory=dict)
    twins: int = 0
    twins_in_a_row: int = 0
    named: dict[str, dict[BillNumber, str]] = field(default_factory=dict)
    at_work: CallsAtWork = field(default_factory=CallsAtWork)
    steps_at_work: StepsAtWork = field(default_factory=StepsAtWork)
    split_bills: SplitBills = field(default_factory=SplitBills)
    learnt: Route | None = None
    more_to_send: Callable[[], bool] = bool
    left: float = field(init=False)
    cut: bool = False
    counted: set[int] = field(default_factory=set)
    counted_documents: set[str] = field(default_factory=set)
    uncounted: set[BillNumber] = field(default_factory=set)
    chosen: Collection[int] | None = None
    mark: str = ""
    marked: anyio.Event = field(default_factory=anyio.Event)
    has_begun: bool = False
    marks: dict[RunId, Sequence[tuple[int, str]]] = field(default_factory=dict)

    @property
    def route(self) -> Route:
        """The route of the run."""
        return self.learnt or self.run.route

    def __post_init__(self) -> None:
        """Begin with the whole limit."""
        limit = self.limits.limit
        self.left = math.inf if limit is None else limit

    @property
    def awake_s(self) -> float:
        """Seconds by a clock that nobody can set, and that goes on while the machine sleeps."""
        return self.clock.uptime().seconds

    @property
    def taken(self) -> int:
        """How much of its limit is taken up; 0 without one."""
        return 0 if self.limits.limit is None else self.limits.limit - int(self.left)

    def tell_of_limit(self) -> None:
        """End with what the limit has left out, unless something else ends the execution."""
        if self.cut and not self.stop.asked:
            self.stop.ask(Cause.LIMIT, remark("why.limit", limit=self.limits.limit))

    @property
    def reads_back(self) -> bool:
        """Whether what an attempt has made can be asked for: by source number, or by links.

        Links that have missed a document are asked still for what others have made.
        """
        return can_ask(self) and (bool(self.route.source_number_field) or self.links.are_of_use)

    @property
    def tells_of_several(self) -> bool:
        """Whether it can be asked so that a call may carry more than one number.

        Without a source number links have to be proved for that: an answer names no sources.
        """
        return bool(self.route.source_number_field) or (self.reads_back and self.links.tell)

    async def learn_links(self) -> None:
        """Ask the site for the links of the route, where they are not built in.

        What earlier executions know of them stands before this one learns anything itself.
        """
        await self._recall_forms()
        found = await find_links(self)
        self.learnt = found.route
        self.links.find = self.links.find or found.proved
        self.links.absent = self.links.absent or found.absent
        await self.proofs.recall_links(self, self.ledger, now=self.clock.now())

    async def _recall_forms(self) -> None:
        """Take in that these forms were read before: what refuses them now may pass.

        An earlier run has read them, or an earlier execution of this one: it looks before it sends,
        and at what is there already.
        """
        route, run = self.route, self.run.id
        runs = {made.run for made in await self.ledger.made_by(run, limit=1)}
        counts, has_sent = await self.ledger.counts(run), await self.ledger.next_chunk(run) > 1
        if has_sent or counts.get(State.ALREADY):
            runs.add(run)
        for each in sorted(runs):
            earlier = await self.ledger.run(each)
            asked = earlier.route.source_number_field if earlier else None
            if asked == route.source_number_field:
                self.worked |= {route.source, route.target}

    def is_by_rule(self, kept: Iterable[AttemptRecord]) -> bool:
        """Say whether calls went by this route's rule: what is learnt of bills is learnt of a rule.

        How another rule splits bills, and as whom it makes documents, is not known here. Somebody
        may have changed the route's rule since a run began.
        """
        return all(wire.rule_in(each.attempt.intent.request) == self.route.rule for each in kept)

    @property
    def repeats_pushes(self) -> bool:
        """Whether bills are pushed though they have a target already."""
        return self.route.allow_partial or bool(self.run.again_because)

    def chunk_size(self, left: int, ready: int, open_chunks: int) -> int:
        """Return how many numbers the next chunk takes.

        Args:
            left: Numbers that are still to be sent.
            ready: Those of them that could leave now.
            open_chunks: Chunks on their way.
        """
        free = max(1, self.throttle[Key.CONCURRENCY] - open_chunks)
        made = self.tally.sent - self.tally.failed - self.tally.unknown
        steered = self.auto.size(left, ready, free, made, now_s=anyio.current_time())
        if not self.tells_of_several:
            return 1
        return self.throttle.fixed(Key.CHUNK_SIZE) or steered

    def id_of(self, bill: BillNumber) -> str:
        """Return the id that a bill travels by; "" where it travels by its number."""
        return id_in(bill) or self.ids.get(bill, "")

    def known_id(self, bill: BillNumber) -> str:
        """Return the id of a bill, however it travels; "" where no look has told it."""
        return self.id_of(bill) or self.source_ids.get(bill, "")

    def knowing(self, source_ids: Mapping[BillNumber, str]) -> Context:
        """Return what looks the same, and knows ids of bills beside those that this one knows."""
        return replace(self, source_ids={**source_ids, **self.source_ids})

    def with_ids(self, bills: Iterable[BillNumber]) -> dict[BillNumber, str]:
        """Return bills with their ids, as `known_id` tells them."""
        return {bill: self.known_id(bill) for bill in bills}

    def recall(self, row: Row) -> None:
        """Know the id of a row's bill again, and whether it travels by that."""
        if row.source_id:
            self.source_ids[row.bill] = row.source_id
            if row.listed_id:
                self.ids[row.bill] = row.source_id

    async def recall_sources(self, bills: Iterable[BillNumber], run: RunId | None = None) -> None:
        """Know the ids again of bills that came to an end: their numbers may be others' by now.

        Args:
            bills: As a run calls them.
            run: Which one; None is this one.
        """
        run = run or self.run.id
        for bill in bills:
            rows = await self.ledger.rows_of(bill) if bill not in self.source_ids else ()
            for of, row in rows:
                if of == run and row.bill == bill:
                    self.recall(row)

    def unseen_for_long(self, bills: Collection[BillNumber]) -> list[BillNumber]:
        """Return the bills whose sources were looked at too long ago, or never."""
        since_s = self.awake_s - SOURCE_KEEPS_S
        return [bill for bill in bills if self.looked_s.get(bill, -math.inf) < since_s]

    def look_anew_at(self, bills: Iterable[BillNumber]) -> None:
        """Have sources looked at once more before bills leave: a number may be another's by now."""
        for bill in bills:
            self.looked_s.pop(bill, None)

    def forget(self, outcomes: Sequence[Outcome]) -> None:
        """Forget what was kept of numbers that will not travel again."""
        for outcome in outcomes:
            if outcome.state not in {State.PLANNED, State.UNKNOWN}:
                self.sent_before.pop(outcome.number, None)
                self.looked_s.pop(outcome.number, None)
                self.source_ids.pop(outcome.number, None)
                self.ids.pop(outcome.number, None)

    async def made_of_namesakes(
        self, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return what the ledger has made of other bills of the same numbers."""
        return await self.ledger.made_of_namesakes(self.run.scope, bills)

    async def named_for_others(self, found: Targets) -> Mapping[BillNumber, frozenset[str]]:
        """Return, by bill, documents that an answer has named for a call without that bill."""
        others = await named_for_others(self.ledger, self.route, found, self.source_ids)
        for number, targets in found.items():
            named, id_ = self.named, self.known_id(number)
            told = [target.id for target in targets if target.id in named]
            if theirs := {each for each in told if not is_among(named[each], number, id_)}:
                others[number] = others.get(number, frozenset()) | theirs
        return others

    async def links_outweigh(self) -> bool:
        """Say whether a number alone proves nothing of a document; find out if not known yet."""
        now = self.clock.now()
        return await self.proofs.links_outweigh(self, self.ledger, self.run.id, now=now)

    async def absence_proved(self) -> bool:
        """Say whether absence counts at all on this route (`absence_proof`)."""
        now = self.clock.now()
        return await self.proofs.absence_proved(self, self.ledger, self.run.id, now=now)

    async def may_split(self) -> bool:
        """Say whether a bill may have more documents than a first look shows."""
        if not self.split_bills.seen:
            await self._look_at_known()
        return self.split_bills.seen

    async def may_have_several(self) -> bool:
        """Say whether a call may have made a part of what it makes of one bill.

        It is taken to make one document of each bill if many pushes of this ledger did; with fewer,
        the rule may split some bills.
        """
        return not await self.makes_one(surely=True)

    async def may_be_parted(self) -> bool:
        """Say whether a document of a refused bill may be a part of what is due."""
        return not await self.makes_one()

    async def makes_one(self, *, surely: bool = False) -> bool:
        """Say whether a call makes one document of each bill, as some have shown, or many."""
        await self._look_at_known()
        bills = self.split_bills
        return not bills.seen and (bills.is_known_well if surely else bool(bills.known))

    async def _look_at_known(self) -> None:
        await self.split_bills.look(self, self.ledger, self.run.id, self.clock.now())

    async def ids_of_others(
        self, bills: Collection[BillNumber], run: RunId | None = None
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Return the documents that other runs of this ledger than *run* have made of bills."""
        is_own = run is None or run == self.run.id
        told = self.with_ids(bills) if is_own else dict.fromkeys(bills, "")
        made = await self.ledger.made_of(run or self.run.id, told)
        return {bill: frozenset(each.ids) for bill, each in made.items()}

    def asks_otherwise(self, run: Run) -> bool:
        """Say whether a run began with another source-number field than is asked now.

        What was there before its calls may be shown for the first time then.
        """
        fields = {each.route.source_number_field.casefold() for each in (run, self)}
        return len(fields) > 1

    def said_of_targets(self, said: Said, numbers: Collection[BillNumber]) -> Said:
        """Leave out of an answer what it names of the sources of its call."""
        return said.but_sources({self.source_ids.get(number, "") for number in numbers})

    async def covers(self, users: Collection[str], sender: str) -> bool:
        """Say whether *users* see what *sender* makes (`absence_proof`)."""
        return await self.proofs.covers(self, self.ledger, self.run.id, users=users, sender=sender)

    async def missed_of(self, sender: str) -> Sequence[str]:
        """Return documents that answers to a user have named of late, and that no look shows."""
        until = self.clock.now() - timedelta(seconds=self.settle.first_wait_s)
        return await self.own_sight.missed(self, self.ledger, self.run, sender, until)

    async def hides_own(self, doubt: Doubt) -> str:
        """Say why the sender of a call may not be shown what he makes, as a remark; "" if he is."""
        if missed := await self.missed_of(doubt.sender):
            return out_of_sight(missed)
        if self.began(doubt.attempt, doubt.began_at).left_s is not None:
            return ""  # his documents of this execution are compared with what answers name
        sees = await self.own_sight.sees_earlier(
            self, self.ledger, self.run, doubt, self.ages.since
        )
        return "" if sees else out_of_sight(())

    def began(self, attempt: int, at: datetime) -> Began:
        """Say when an attempt left, by each clock that knows it."""
        left_s = self.ages.left_s({attempt})
        return Began(at, self.clock.now(), left_s, self.awake_s)

    async def calls_with_strays(
        self, calls: Sequence[OpenCall], *, names_tell: bool = True
    ) -> Sequence[OpenCall]:
        """Say which calls may have made a document that ties itself to no bill (`stray_calls`)."""
        if not calls:
            return []
        strays = self.stray_calls
        await strays.read_clock(self, self.ledger, self.run.id, self.awake_s)
        look = partial(
            strays.among,
            self,
            self.ledger,
            self.run,
            proofs=self.proofs,
            names_tell=names_tell,
        )
        return await strays.looks[names_tell].ask(calls, look)

    def knows_enough_of(self, sender: str) -> bool:
        """Say whether enough of a user's documents were shown; at the end, they are."""
        return self.proofs.enough_shown(sender) or not self.more_to_send()

    def end_at_call_limit(self, why: str, nth: int) -> None:
        """End the execution where the ERP has limited calls for as long as a person would wait."""
        if nth >= self.limits.last_call_limit:
            self.stop.ask(Cause.UNREACHABLE, remark("why.limited", why=why, times=nth))

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Let nothing new leave for some seconds: the ERP turned a look away."""
        self.learn(CallSample(began_s, anyio.current_time(), ended=Ended.OVERLOADED))
        self.throttle.back_off(seconds, why)

    def learn(self, sample: CallSample) -> None:
        """Take in what a sending has shown of the ERP, and steer by it."""
        throttle = self.throttle
        fixed = {key: throttle.fixed(key) for key in Key}
        if not self.tells_of_several:
            fixed[Key.CHUNK_SIZE] = 1
        self.auto.add(sample, concurrency=fixed[Key.CONCURRENCY], chunk_size=fixed[Key.CHUNK_SIZE])
        throttle.advise(Key.CONCURRENCY, self.auto.setting.concurrency)
        throttle.advise(Key.CHUNK_SIZE, self.auto.setting.chunk_size)

    def count(self, outcomes: Sequence[Outcome]) -> None:
        """Add what a sending came to, and stop if that breaks the halt rule."""
        states = [outcome.state for outcome in outcomes if outcome.state is not State.PLANNED]
        self.split_bills.note_made(outcomes)
        self.tally = replace(
            self.tally,
            sent=self.tally.sent + len(states),
            failed=self.tally.failed + states.count(State.REJECTED),
            unknown=self.tally.unknown + states.count(State.UNKNOWN),
        )
        breach = self.limits.halt.check(self.tally)
        if breach is not None and Cause.HALTED not in self.stop.causes:
            self.stop.ask(Cause.HALTED, breach.why)
            if self.limits.halt.now:
                self.stop.scope.cancel()
