"""What a push would make: sources are found, judged, grouped and turned into targets.

Nothing is kept here. The world keeps a conversion when it commits it, which may be
much later: a slow transaction is seen by nobody before it ends, and meanwhile it hides
nothing from a second push either (P 5.15).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from k3push.simulator.books.bills import APPROVED, CREATED, DRAFT, Bill, Entry, Link, Origin, Store
from k3push.simulator.books.forms import Policy, Route
from k3push.simulator.books.orders import PushOrder
from k3push.simulator.books.refusals import MsgCode, OnRefusal, Problem, Refusal, Texts

# A number that no source bears: what a mislinked target shows as its source.
ELSEWHERE = "ELSEWHERE0000001"


class Share(NamedTuple):
    """A part of a source entry that goes into a target."""

    bill: Bill
    entry: Entry
    quantity: int


class Made(NamedTuple):
    """A target and what it was made of."""

    target: Bill
    shares: tuple[Share, ...]

    @property
    def sources(self) -> tuple[Bill, ...]:
        """The source bills in it, each once."""
        return tuple({share.bill.id: share.bill for share in self.shares}.values())


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of an order, not yet kept.

    Attributes:
        made: Targets, in the database's order of their sources.
        problems: Refusals, in the database's order.
        draft_problems: Why drafts are drafts.
        thrown: Text of the exception that ended the work, or "".
        call: Which push a client asked for, counted from 1; 0 where nobody did by a call.
    """

    made: tuple[Made, ...] = ()
    problems: tuple[Problem, ...] = ()
    draft_problems: tuple[Problem, ...] = ()
    thrown: str = ""
    call: int = 0


@dataclass(slots=True)
class Ids:
    """Where new ids and target numbers come from."""

    bill: int = 100_000
    entry: int = 200_000
    numbers: dict[str, int] = field(default_factory=dict)

    def next_bill(self) -> int:
        """Give the next bill id."""
        self.bill += 1
        return self.bill

    def next_entry(self) -> int:
        """Give the next entry id."""
        self.entry += 1
        return self.entry

    def next_number(self, prefix: str) -> str:
        """Give the next bill number that begins with *prefix*."""
        count = self.numbers.get(prefix, 0) + 1
        self.numbers[prefix] = count
        return f"{prefix}{count:07d}"


@dataclass(frozen=True, slots=True)
class Converter:
    """The rules of one world.

    Attributes:
        on_refusal: What one bad source does to the others.
        refusals: Refusals by order of the trial; keys are collated numbers.
        untied: Collated numbers whose targets keep no link, each with the source that they name
            instead, or "".
        now: Local time of the server, ISO 8601 without offset.
    """

    store: Store
    routes: Sequence[Route]
    policy: Policy
    on_refusal: OnRefusal
    texts: Texts
    refusals: Mapping[str, Refusal]
    untied: Mapping[str, str]
    ids: Ids
    now: Callable[[], str]

    def convert(
        self, order: PushOrder, user: str, *, drop_one: bool = False, mislink: bool = False
    ) -> Conversion:
        """Work *order* out.

        Args:
            user: Who becomes the targets' creator, unless the rule copies that.
            drop_one: Pass over the last source without a word (P 4.6).
            mislink: Let the targets' links name a source that is not theirs.
        """
        route = self._route_of(order)
        if route is None or not route.enabled:
            text = self.texts.no_rule if order.rule_id else self.texts.no_default_rule
            if route is not None:
                text = self.texts.rule_disabled
            text = text.replace("{value}", order.rule_id)
            return Conversion(problems=(Problem(MsgCode.EXCEPTION, text),))
        picked, unknown = self._pick(order, route)
        if not picked:
            nothing = (Problem(MsgCode.BAD_PARAMETER, self.texts.nothing_named),)
            return Conversion(problems=unknown or nothing)
        if drop_one:
            picked = picked[:-1]
        good: list[tuple[Bill, list[Entry]]] = []
        problems: list[Problem] = []
        for bill, entries in picked:
            refusal = self._refusal_of(bill, entries, route)
            if refusal is None or refusal.saving:
                good.append((bill, entries))
                continue
            problem = Problem(refusal.code, self._say(refusal.text, bill), refusal.field)
            if refusal.thrown:
                return Conversion(thrown=problem.text)
            if refusal.whole_call or self.on_refusal is OnRefusal.WHOLE:
                return Conversion(problems=(problem,))
            problems.append(problem)
        return self._save(order, user, route, good, problems, mislink=mislink)

    def _route_of(self, order: PushOrder) -> Route | None:
        for route in self.routes:
            if route.source.id.lower() != order.form.lower():
                continue
            if order.rule_id:
                asked_for = route.rule_id.lower() == order.rule_id.lower()
            else:
                same_target = route.target.id.lower() == order.target_form.lower()
                asked_for = order.default_rule and route.default and same_target
            if asked_for:
                return route
        return None

    def _pick(
        self, order: PushOrder, route: Route
    ) -> tuple[list[tuple[Bill, list[Entry]]], tuple[Problem, ...]]:
        """Find the sources, in the database's order, and what to say where none is found."""
        found: dict[int, Bill] = {}
        unknown: list[Problem] = []
        for number in order.numbers:
            bills = self.store.by_number(route.source, number)
            found.update((bill.id, bill) for bill in bills)
            if not bills:
                text = self.texts.no_such_number.replace("{number}", number)
                unknown.append(Problem(MsgCode.NO_SUCH_VALUE, text))
        for wanted in order.ids:
            bill = self.store.by_id(route.source, wanted)
            if bill is None:
                text = self.texts.no_such_id.replace("{number}", str(wanted))
                unknown.append(Problem(MsgCode.NO_SUCH_VALUE, text))
            else:
                found[bill.id] = bill
        if found or unknown:
            return [(found[key], found[key].entries) for key in sorted(found)], tuple(unknown)
        wanted_entries = set(order.entry_ids)
        for entry_id in sorted(wanted_entries):
            bill = self.store.by_entry(entry_id)
            if bill is not None and bill.form is route.source:
                found[bill.id] = bill
        picked = [
            (found[key], [entry for entry in found[key].entries if entry.id in wanted_entries])
            for key in sorted(found)
        ]
        return picked, ()

    def _refusal_of(self, bill: Bill, entries: Sequence[Entry], route: Route) -> Refusal | None:
        ordered = self.refusals.get(self.store.collation(bill.number))
        if ordered is not None and not ordered.saving:
            return ordered
        if not route.allow_blocked:
            if bill.cancelled:
                return Refusal(MsgCode.INVALID, self.texts.cancelled)
            if bill.closed:
                return Refusal(MsgCode.INVALID, self.texts.closed)
            if bill.status != APPROVED:
                return Refusal(MsgCode.INVALID, self.texts.not_approved)
        if not any(entry.left > 0 for entry in entries):
            return Refusal(MsgCode.INVALID, self.texts.fully_pushed)
        return ordered

    def _say(self, text: str, bill: Bill) -> str:
        return text.replace("{number}", bill.number).replace("{form}", bill.form.name)

    def _save(
        self,
        order: PushOrder,
        user: str,
        route: Route,
        good: Sequence[tuple[Bill, list[Entry]]],
        problems: list[Problem],
        *,
        mislink: bool,
    ) -> Conversion:
        """Group the good sources and save a target for each group."""
        made: list[Made] = []
        draft_problems: list[Problem] = []
        created = self.now()
        for shares in self._group(good):
            refused = self._save_refusal(shares)
            if refused is not None:
                refusal, problem = refused
                if order.draft_when_save_fails:
                    draft_problems.append(problem)
                elif refusal.whole_call or self.on_refusal is OnRefusal.WHOLE:
                    return Conversion(problems=(problem,))
                else:
                    problems.append(problem)
                    continue
            status = CREATED if refused is None else DRAFT
            made.append(
                Made(self._target(route, shares, status, user, created, mislink=mislink), shares)
            )
        return Conversion(tuple(made), tuple(problems), tuple(draft_problems))

    def _save_refusal(self, shares: Sequence[Share]) -> tuple[Refusal, Problem] | None:
        for share in shares:
            refusal = self.refusals.get(self.store.collation(share.bill.number))
            if refusal is not None and refusal.saving:
                text = self._say(refusal.text, share.bill)
                return refusal, Problem(refusal.code, text, refusal.field)
        return None

    def _group(self, good: Sequence[tuple[Bill, list[Entry]]]) -> Iterable[tuple[Share, ...]]:
        """Share entries and quantities out to the targets to be."""
        groups: dict[object, list[Share]] = {}
        for bill, entries in good:
            for entry in entries:
                if entry.left <= 0:
                    continue
                key: object = (bill.id, "first")
                if self.policy in {Policy.MERGE, Policy.MERGE_LINES}:
                    # Lines that name another source are in documents of their own.
                    key = (bill.party, bill.org, self._other_source(bill))
                second = entry.left // 2 if self.policy is Policy.SPLIT else 0
                first = Share(bill, entry, entry.left - second)
                groups.setdefault(key, []).append(first)
                if second:
                    share = Share(bill, entry, second)
                    groups.setdefault((bill.id, "second"), []).append(share)
        return (tuple(shares) for shares in groups.values())

    def _other_source(self, bill: Bill) -> str:
        return self.untied.get(self.store.collation(bill.number), "")

    def _is_untied(self, bill: Bill) -> bool:
        return self.store.collation(bill.number) in self.untied

    def _target(
        self,
        route: Route,
        shares: Sequence[Share],
        status: str,
        user: str,
        created: str,
        *,
        mislink: bool,
    ) -> Bill:
        lines: dict[object, list[Share]] = {}
        for share in shares:
            merged = self.policy is Policy.MERGE_LINES
            by_material = (share.entry.material, self._is_untied(share.bill))
            lines.setdefault(by_material if merged else share.entry.id, []).append(share)
        entries = []
        for seq, line in enumerate(lines.values(), start=1):
            quantity = sum(share.quantity for share in line)
            links = tuple(
                Link(
                    route.rule_id,
                    route.source.entry_table,
                    0 if mislink else share.bill.id,
                    0 if mislink else share.entry.id,
                    share.quantity,
                )
                for share in line
                if route.keeps_links and not self._is_untied(share.bill)
            )
            origin = Origin(route.source.id, ELSEWHERE if mislink else line[0].bill.number)
            if self._is_untied(line[0].bill):
                other = self._other_source(line[0].bill)
                origin = Origin(route.source.id, other) if other else Origin(" ", " ")
            entries.append(
                Entry(
                    id=self.ids.next_entry(),
                    seq=seq,
                    material=line[0].entry.material,
                    quantity=quantity,
                    left=quantity,
                    links=links,
                    origin=origin,
                )
            )
        first = shares[0].bill
        return Bill(
            form=route.target,
            id=self.ids.next_bill(),
            number="" if status == DRAFT else self.ids.next_number(route.target.prefix),
            org=first.org,
            party=first.party,
            status=status,
            created=created,
            creator=first.creator if route.copies_creators else user,
            entries=entries,
        )
