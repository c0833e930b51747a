"""Which bills have more documents than they should have, whoever made them. Only reads.

Bills come in batches (`audit_feeds`). Of each, the documents that are there are found as before a
push, through every user: by the number field and by the links. Only of those with several, the
lines and quantities are read, and judged (`doubles`). What the ledger names and nobody saw is asked
for by its id. Of a sound bill nothing is kept but that it was looked at.

A bill that documents link to and no user is shown (it was deleted, or belongs to an organisation of
others) is judged by what the links say of its rows.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain

import anyio
import anyio.to_thread

from k3push.core.model import TWIN, BillNumber, Row, RunId, Sighting, Source, key_of
from k3push.core.protocol.audit_queries import Inspected, Named
from k3push.core.safety.doubles import (
    Basis,
    Judgement,
    Rows,
)
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.core.safety.target_sets import by_age
from k3push.core.safety.verdict import ReadBack
from k3push.ports import Inspection, Ledger, Once
from k3push.runs.audit.audit_feeds import Batches
from k3push.runs.audit.audit_judgement import judge_bills
from k3push.runs.forecast import ForecastContext
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under, verdict_of
from k3push.runs.lookup.document_lookup import look_at_standings
from k3push.runs.lookup.retried_reads import read_with_retries
from k3push.runs.lookup.source_lookup import look_at_sources
from k3push.runs.lookup.target_lookup import look_at_targets
from k3push.runs.other_calls.earlier_calls import did_nothing
from k3push.runs.stop import Stop, stopping


@dataclass(frozen=True, slots=True)
class Held:
    """A document of a bill that has too many.

    Attributes:
        run: The run of this ledger that made it; "" where somebody else did.
    """

    document: Inspected
    run: str = ""


@dataclass(frozen=True, slots=True)
class Double:
    """A bill with more documents than it should have.

    Attributes:
        route: Name of the route.
        number: The ERP's spelling; of a bill that is not shown, what a document says, or "".
        id: Internal id of the bill; several of one number are separated by ";".
        expected: How many documents it should have.
        by: What it was judged by.
        held: All that it has, the oldest first.
    """

    route: str
    number: BillNumber
    id: str
    expected: int
    by: Basis
    held: tuple[Held, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A document that the ledger names and the ERP does not have: deleted, or never there.

    Attributes:
        route: Name of the route.
        number: The source's number.
        run: The run that says that it made it.
        target_id: Internal id of the document.
    """

    route: str
    number: BillNumber
    run: str
    target_id: str


@dataclass(slots=True)
class Audited:
    """What some bills came to.

    Attributes:
        sources: How many bills were looked at.
        doubles: Those with too many documents.
        missing: Documents that are not there.
        unread: Numbers whose query the ERP refuses, with its words: nothing is known of them.
        strange: Numbers and ids that are no bill which the source form shows, and to which no
            document links.
    """

    sources: int = 0
    doubles: list[Double] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    unread: dict[BillNumber, str] = field(default_factory=dict)
    strange: int = 0


@dataclass(frozen=True, slots=True)
class Books:
    """What an audit of one route works with.

    Attributes:
        look: What the forms are looked at with.
        inspection: Reads whole documents.
        once: Remembers what was looked at, outside of the memory.
        ledger: Says what was made, if there is one.
        scope: Whose runs of it count.
        excess: Which part of an ordered quantity may be taken beyond it.
    """

    look: ForecastContext
    inspection: Inspection
    once: Once
    ledger: Ledger | None = None
    scope: str = ""
    excess: Decimal = Decimal()


async def audit(
    books: Books, batches: Batches, stop: Stop, *, at_once: int
) -> AsyncGenerator[Audited, None]:
    """Yield what bills come to, some at a time.

    What ends a run ends this as well: the stop is asked with its cause, and what was found by
    then has been yielded.

    Args:
        books: What to look with.
        batches: Bills, at most as many in one as a question can hold.
        stop: That of the books.
        at_once: Batches that are looked at side by side.
    """
    async with aclosing(batches):
        taken: Sequence[Sequence[Named]] = [()]
        while taken and not stop.asked:
            taken = ()
            with stopping(stop):
                taken = await _next(batches, at_once)
            found: dict[int, Audited] = {}
            async with anyio.create_task_group() as tasks:
                for nth, batch in enumerate(taken):
                    tasks.start_soon(_look_at, books, stop, nth, batch, found)
            for nth in sorted(found):
                yield found[nth]


async def _next(batches: Batches, most: int) -> list[Sequence[Named]]:
    taken: list[Sequence[Named]] = []
    while len(taken) < most and (batch := await anext(batches, None)) is not None:
        taken.append(batch)
    return taken


async def _look_at(
    books: Books, stop: Stop, nth: int, batch: Sequence[Named], found: dict[int, Audited]
) -> None:
    with stopping(stop):
        found[nth] = await _Batch(books).audit(batch)


class _Batch:
    """The audit of one batch."""

    def __init__(self, books: Books) -> None:
        self._books = books
        # Ids of a million bills are not kept.
        self._look = replace(books.look, source_ids={})
        self._found = Audited()
        self._made: dict[str, tuple[BillNumber, RunId]] = {}
        self._strange: set[str] = set()
        self._unseen: set[str] = set()

    async def audit(self, batch: Sequence[Named]) -> Audited:
        """Look at the bills of a batch that nobody has looked at."""
        new = await self._new("number", {named.number for named in batch if named.number})
        linked = await self._new("link", {named.id for named in batch if named.id})
        bills = await self._bills(sorted(new))
        known = {bill.id for each in bills.values() for bill in each}
        bills |= await self._bills_of_ids(linked - known)
        seen = await self._judge(bills)
        await self._judge_unseen({named.id: named.number for named in batch if named.id})
        await self._see_missing(seen)
        self._found.strange = len(self._strange) + len(self._unseen)
        return self._found

    async def _new(self, kind: str, names: Collection[str]) -> set[str]:
        """Return the names of a kind that are met for the first time."""
        prefix = f"{self._look.route.name}|{kind}|"
        keys = [prefix + name for name in names]
        new = await anyio.to_thread.run_sync(self._books.once.new, keys) if keys else ()
        return {key.removeprefix(prefix) for key in new}

    async def _bills(self, names: Sequence[str]) -> dict[BillNumber, tuple[Source, ...]]:
        """Read the bills of numbers, by the ERP's spelling."""
        if not names:
            return {}
        numbers = [BillNumber(name) for name in names]
        found, refused = await look_at_sources(self._look, numbers)
        self._found.unread.update(refused)
        self._strange.update(n for n in numbers if not found.get(n) and n not in refused)
        for number in dict.fromkeys(found[n][0].number if found.get(n) else n for n in numbers):
            made = await self._made_of(number)
            self._made |= {id_: (number, run) for id_, run in made.items()}
        return {bills[0].number: bills for bills in found.values() if bills}

    async def _bills_of_ids(self, ids: Collection[str]) -> dict[BillNumber, tuple[Source, ...]]:
        """Read bills that documents name by a link, and not by their number."""
        if not ids:
            return {}
        route, asked = self._look.route, sorted(ids)
        numbers = await read_with_retries(
            self._look, route.source, lambda: self._books.inspection.numbers(route, asked)
        )
        self._unseen.update(id_ for id_ in asked if id_ not in numbers)
        return await self._bills(sorted(await self._new("number", set(numbers.values()))))

    # -- documents ----------------------------------------------------------------------------

    async def _judge(self, bills: Mapping[BillNumber, tuple[Source, ...]]) -> set[str]:
        """Judge the documents of bills that nobody has judged, under another spelling say.

        Returns:
            The ids of all documents that were seen.
        """
        new = await self._new("bill", {bill.id for each in bills.values() for bill in each})
        bills = {number: each for number, each in bills.items() if each[0].id in new}
        self._found.sources += sum(map(len, bills.values()))
        if not bills:
            return set()
        self._look.source_ids.update({n: each[0].id for n, each in bills.items() if not each[1:]})
        seen = await look_at_targets(self._look, list(bills), by_all=True, before_sending=True)
        self._found.unread.update(seen.refused)
        known = await self._by_ledger(bills, seen)
        several = {number: known[number] for number in bills if len(known[number]) > 1}
        if several:
            await self._judge_several(several, bills)
        kinds = (seen.targets, seen.namesakes, seen.cancelled)
        every = (targets for kind in kinds for targets in kind.values())
        return {target.id for targets in every for target in targets}

    async def _judge_several(
        self,
        several: Mapping[BillNumber, Sequence[str]],
        bills: Mapping[BillNumber, tuple[Source, ...]],
    ) -> None:
        """Judge bills by the lines of their documents."""
        every = dict.fromkeys(id_ for ids in several.values() for id_ in ids)
        documents = await self._inspect(list(every))
        ordered = await self._ordered([bill.id for number in several for bill in bills[number]])
        for number, ids in several.items():
            there = [documents[id_] for id_ in ids if id_ in documents]
            await self._tell_doubles(number, bills[number], there, ordered)

    async def _judge_unseen(self, numbers: Mapping[str, BillNumber]) -> None:
        """Judge bills that are not shown by the documents that link to them.

        What such a bill orders is not known, so that a row of it may be taken once.

        Args:
            numbers: What documents or lists say of the numbers of bills, by their ids.
        """
        route, erp = self._look.route, self._look.erp
        asked = {key_of("", id_): id_ for id_ in sorted(self._unseen)}
        if not asked:
            return
        seen = await read_with_retries(
            self._look,
            f"the links of {route.target}",
            lambda: erp.linked_targets_of(route, asked, by_all=True),
        )
        linked = {asked[bill]: targets for bill, targets in (seen.targets if seen else {}).items()}
        self._unseen.difference_update(linked)
        self._strange.difference_update(numbers.get(id_, "") for id_ in linked)
        self._found.sources += len(linked)
        several = {id_: [target.id for target in ts] for id_, ts in linked.items() if ts[1:]}
        documents = await self._inspect(list(dict.fromkeys(chain(*several.values()))))
        for id_, ids in several.items():
            number = numbers.get(id_, BillNumber(""))
            there = [documents[id_] for id_ in ids if id_ in documents]
            await self._tell_doubles(number, [Source(number, id_)], there, {})

    async def _inspect(self, ids: Sequence[str]) -> Mapping[str, Inspected]:
        route = self._look.route
        return await read_with_retries(
            self._look,
            f"the lines of {route.target}",
            lambda: self._books.inspection.documents(route, ids),
        )

    async def _ordered(self, ids: Sequence[str]) -> Mapping[str, Rows]:
        route = self._look.route
        return await read_with_retries(
            self._look,
            f"the lines of {route.source}",
            lambda: self._books.inspection.ordered(route, ids),
        )

    async def _tell_doubles(
        self,
        number: BillNumber,
        bills: Sequence[Source],
        documents: Sequence[Inspected],
        ordered: Mapping[str, Rows],
    ) -> None:
        """Judge the documents of the bills of one number, and keep those that are too many.

        Since they were seen, one may have been cancelled.
        """
        there = [each for each in documents if not each.cancelled]
        for bill, judgement, held in judge_bills(bills, there, ordered, self._books.excess):
            await self._tell(number, bill, judgement, held)

    async def _tell(
        self, number: BillNumber, bill: str, judgement: Judgement, held: Sequence[Inspected]
    ) -> None:
        made = await self._made_of(number or key_of("", bill), bill=bill, exactly=True)
        told = tuple(Held(document, made.get(document.id, "")) for document in held)
        name = self._look.route.name
        self._found.doubles.append(
            Double(name, number, bill, judgement.expected, judgement.by, told)
        )

    # -- the ledger ---------------------------------------------------------------------------

    async def _by_ledger(
        self, bills: Mapping[BillNumber, tuple[Source, ...]], seen: Sighting
    ) -> dict[BillNumber, list[str]]:
        """Return the documents that bills may have, by number, as the ledger knows bills by ids.

        A bill may have had another number as one was made of it, and another bill this one: where
        no link tells, the ledger does.
        """
        ledger, scope = self._books.ledger, self._books.scope
        ids = {number: _ids_of(seen, number) for number in bills}
        alone = {number: each[0].id for number, each in bills.items() if len(each) == 1}
        if ledger is not None and alone:
            made = await ledger.made_in(scope, alone)
            keys = {key_of(number, id_): number for number, id_ in alone.items()}
            others = await ledger.made_of_namesakes(scope, list(keys))
            theirs = {keys[key]: found - seen.by_link for key, found in others.items()}
            for number in alone:
                ours = made[number].ids if number in made else ()
                found = {*ids[number], *ours} - theirs.get(number, frozenset())
                ids[number] = sorted(found, key=by_age)
        return ids

    async def _see_missing(self, seen: Collection[str]) -> None:
        """Ask for the documents that the ledger names and nobody has seen."""
        unseen = [id_ for id_ in self._made if id_ not in seen]
        there = await look_at_standings(self._look, unseen) if unseen else {}
        name = self._look.route.name
        self._found.missing += [
            Missing(name, *self._made[id_], id_) for id_ in unseen if id_ not in there
        ]

    async def _made_of(
        self, number: BillNumber, *, bill: str = "", exactly: bool = False
    ) -> dict[str, RunId]:
        """Return which documents of a number the ledger says that its runs have made.

        Args:
            number: The ERP's spelling.
            bill: Its id, since it may have had another number then; "" asks for none.
            exactly: Leave out documents that another has made and that stand in a row as well.
        """
        ledger = self._books.ledger
        if ledger is None:
            return {}
        made: dict[str, RunId] = {}
        named: set[str] = set()
        for run_id, row in await ledger.rows_of(number):
            named.update(target.id for target in row.targets)
            if row.state not in SENT_BEFORE or not row.targets:
                continue
            run = await ledger.run(run_id)
            if run is None or run.scope != self._books.scope:
                continue
            ids: Sequence[str] = [target.id for target in row.targets]
            if exactly and row.code == TWIN:
                ids = await _answered(ledger, run_id, row, ids)
            made |= dict.fromkeys(ids, run_id)
        by_id = await ledger.made_in(self._books.scope, {number: bill}) if bill else {}
        for earlier in by_id.values():
            made |= {id_: run_id for id_, run_id in earlier.ids.items() if id_ not in named}
        return made


async def _answered(ledger: Ledger, run: RunId, row: Row, ids: Sequence[str]) -> Sequence[str]:
    """Return those of a row's documents that answers to a run's sendings name.

    All of them where the answer to some sending, which may have made one, names none.
    """
    named: set[str] = set()
    for record in await attempts_under(ledger, run, row.bill):
        if did_nothing(record):
            continue
        verdict = verdict_of(record)
        if not isinstance(verdict, ReadBack) or not verdict.said.named:
            return ids
        named.update(target.id for target in verdict.said.named)
    return [id_ for id_ in ids if id_ in named] or ids


def _ids_of(seen: Sighting, number: BillNumber) -> list[str]:
    kinds = (seen.targets, seen.namesakes)
    return sorted({t.id for kind in kinds for t in kind.get(number, ())}, key=by_age)
