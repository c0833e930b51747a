"""How long a read is tried, and what becomes of numbers whose query is refused."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from k3push.core.model import (
    BillNumber,
    FlowTask,
    Outcome,
    Route,
    RunId,
    Sighting,
    Source,
    Standing,
    State,
    Target,
    Targets,
)
from k3push.core.pacing.growing_pauses import pause_s
from k3push.core.protocol.links import FormEntry, LinkRow
from k3push.core.protocol.msg_codes import NO_RIGHT
from k3push.core.protocol.selection import SelectedPage, Selection
from k3push.core.safety.links_found import Links
from k3push.core.safety.target_sets import joined, with_other_numbers
from k3push.ports import (
    ErpBusyError,
    ErpUnreachableError,
    LedgerLostError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
    Made,
    Turn,
)
from k3push.runs.documents.there_already import there_already
from k3push.runs.lookup.looker import HARMLESS
from k3push.runs.lookup.newest_lookup import look_at_newest, look_at_newest_links
from k3push.runs.lookup.question_lengths import QuestionLengths
from k3push.runs.lookup.retried_reads import (
    LEAST_TRIES_OF_A_READ,
    ROUNDS_OF_ONE,
    TRIES_OF_A_PART,
    open_turn,
)
from k3push.runs.lookup.source_check import PRECHECK, query_refused
from k3push.runs.lookup.source_lookup import look_at_sources
from k3push.runs.lookup.target_lookup import look_at_targets, side_by_side
from k3push.runs.stop import Cause, Stop

pytestmark = pytest.mark.anyio

ROUTE = Route("in", "PUR_PurchaseOrder", "STK_InStock", "R", "FSRCBillNo")
A, B, C, D, E, F, G, H = map(BillNumber, "ABCDEFGH")
USERS = frozenset({"u"})


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return a loop on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@dataclass(slots=True)
class Asked:
    """An ERP that answers as it is told, and takes a second.

    Attributes:
        guarded: Numbers whose query is refused, in any company.
        guarded_links: Numbers whose links are refused.
        missing: Numbers that no bill has.
        named: What the newest documents name.
        newest: The links of the newest documents.
        thin: Documents that are known by the field alone; None is all that are there.
        links: Documents by what their links name; None where these cannot be asked.
        code: The MsgCode of that refusal.
        fails: What the next reads meet, the first first.
        always: What every read meets that *fails* leaves.
        there: Documents by source number.
        asked: What each read has asked for.
    """

    guarded: Collection[str] = ()
    guarded_links: Collection[str] = ()
    code: str = "4"
    fails: list[Exception] = field(default_factory=list)
    always: Exception | None = None
    there: Targets = field(default_factory=dict)
    asked: list[list[BillNumber]] = field(default_factory=list)
    users: Collection[str] = frozenset({"u"})
    missing: Collection[str] = ()
    named: list[BillNumber] = field(default_factory=list)
    links: dict[BillNumber, tuple[Target, ...]] | None = None
    thin: Collection[str] | None = None
    newest: Sequence[LinkRow] = ()

    def turn(self, user: str = "") -> AbstractAsyncContextManager[Turn]:
        """Nobody pushes here."""
        raise NotImplementedError

    def spares(self, user: str) -> bool:
        """Nobody pushes here."""
        del user
        return False

    def lose_session(self, session: int) -> None:
        """Nobody loses one here."""

    async def standings_of(self, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        """Find none."""
        del route, ids
        return {}

    async def selected(
        self, route: Route, selection: Selection, *, today: date, after: str
    ) -> SelectedPage:
        """Select nothing."""
        del route, selection, today, after
        return SelectedPage(())

    async def flow_tasks_of(self, route: Route, numbers: Collection[str]) -> Mapping[str, FlowTask]:
        """Find none."""
        del route, numbers
        return {}

    async def newest_id(self, route: Route) -> str:
        """Name none."""
        del route
        return ""

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Name what it is told, each in a document of its own."""
        del route
        await self._ask(())
        return [(f"id {nth}", number) for nth, number in enumerate(self.named)]

    async def linked_targets_of(
        self, route: Route, ids: Mapping[BillNumber, str], *, by_all: bool = False
    ) -> Sighting | None:
        """Find what links name; where there are none, they cannot be asked."""
        del route, by_all
        if self.links is None:
            return None
        await self._ask(list(ids), self.guarded_links)
        there = {number: self.links[number] for number in ids if number in self.links}
        shown = frozenset(target.id for targets in there.values() for target in targets)
        return Sighting(there, frozenset({"u"}), linked=frozenset(ids), by_link=shown)

    async def made_since(self, route: Route, when: str) -> Sequence[tuple[str, BillNumber]]:
        """Name what it is told."""
        del route, when
        return [(f"id {nth}", number) for nth, number in enumerate(self.named)]

    async def links_of(self, route: Route, ids: Collection[str]) -> Sequence[LinkRow]:
        """Give each one to another form."""
        return [LinkRow(id_, "1", "T_OTHER", route.rule) for id_ in ids]

    async def partly_linked(self, route: Route, ids: Collection[str]) -> Collection[str]:
        """Find none."""
        del route, ids
        return ()

    async def entries_of(self, form: str) -> Sequence[FormEntry]:
        """Tell nothing."""
        del form
        return []

    async def newest_links(self, route: Route) -> Sequence[LinkRow]:
        """Show what it is told."""
        del route
        return self.newest

    async def linked_sources(self, route: Route) -> Sequence[BillNumber]:
        """Name the bills of the newest links."""
        del route
        return list(self.links or ())

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Find every bill."""
        del route
        await self._ask(numbers)
        return {
            number: () if number in self.missing else (Source(number, f"s{number}"),)
            for number in numbers
        }

    async def sources_by_id(self, route: Route, ids: Sequence[str]) -> Mapping[str, Source]:
        """Find every bill."""
        del route
        await self._ask([BillNumber(id_) for id_ in ids])
        missing = self.missing
        return {id_: Source(BillNumber(f"n{id_}"), id_) for id_ in ids if id_ not in missing}

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        """Find what is there."""
        del route, by_all, unsent
        await self._ask(numbers)
        found = {number: self.there[number] for number in numbers if number in self.there}
        shown = {target.id for targets in found.values() for target in targets}
        thin = shown if self.thin is None else self.thin
        return Sighting(found, frozenset({"u"}), thin=frozenset(thin))

    async def _ask(self, numbers: Collection[BillNumber], guarded: Collection[str] = ()) -> None:
        self.asked.append(list(numbers))
        await anyio.sleep(1)
        error = self.fails.pop(0) if self.fails else self.always
        if error is not None:
            raise error
        if caught := [n for n in numbers if n in self.guarded or n in guarded]:
            raise refused(f"the filter holds {caught[0]}", code=self.code)


@dataclass(slots=True)
class Job:
    """What a look is made with. Fulfils `lookup.Looker`."""

    erp: Asked
    max_attempts: int = 5
    worked: set[str] = field(default_factory=set)
    lengths: QuestionLengths = field(default_factory=QuestionLengths)
    stop: Stop = field(default_factory=Stop)
    waits: list[tuple[str, float]] = field(default_factory=list)
    spared: list[float] = field(default_factory=list)
    route: Route = ROUTE
    stops_at: int = 0
    source_ids: dict[BillNumber, str] = field(default_factory=dict)
    links: Links = field(init=False)

    def __post_init__(self) -> None:
        self.links = Links(absent=self.erp.links is None)

    @property
    def limits(self) -> Job:
        """Say how often something is tried."""
        return self

    @property
    def watch(self) -> Job:
        """Take down the waits."""
        return self

    def waiting(self, why: str, seconds: float) -> None:
        """Take down a wait."""
        self.waits.append((why, seconds))
        if len(self.waits) == self.stops_at:
            self.stop.ask(Cause.INTERRUPTED, "Ctrl-C")

    def knowing(self, source_ids: Mapping[BillNumber, str]) -> Job:
        """Know ids of bills as well."""
        return replace(self, source_ids={**source_ids, **self.source_ids})

    async def made_of_namesakes(
        self, bills: Collection[BillNumber]
    ) -> Mapping[BillNumber, frozenset[str]]:
        """Know of none."""
        del bills
        return {}

    async def named_for_others(self, found: Targets) -> Mapping[BillNumber, frozenset[str]]:
        """Know of none."""
        del found
        return {}

    async def links_outweigh(self) -> bool:
        """Take numbers at their word."""
        return False

    def spare(self, began_s: float, seconds: float, why: str) -> None:
        """Take down that the ERP asks to be spared."""
        del began_s, why
        self.spared.append(seconds)


def refused(words: str = "no", *, code: str = "4") -> LookRefusedError:
    """Refuse a read with a MsgCode."""
    return LookRefusedError(words, code=code, definite=code in {"2", "3", "9"})


PASSING: list[Callable[[], Exception]] = [
    lambda: LookFailedError("an empty body"),
    lambda: ErpUnreachableError("no answer in time"),
    lambda: refused("an exception", code="response_error"),
    lambda: refused("the database", code="6"),
]
NAMES = ["failed", "unreachable", "exception", "database"]


# -- patience ----------------------------------------------------------------------------------


@pytest.mark.parametrize("made", PASSING, ids=NAMES)
@pytest.mark.parametrize("worked", [False, True])
async def test_one_failed_read_ends_nothing(made: Callable[[], Exception], *, worked: bool) -> None:
    """It is safe to read again."""
    job = Job(Asked(fails=[made()]), worked={ROUTE.target} if worked else set())
    seen = await look_at_targets(job, [A])
    assert seen.users == {"u"}
    assert job.erp.asked == [[A], [A]]
    assert [seconds for _, seconds in job.waits] == [2.0]
    assert job.worked == {ROUTE.target}


@pytest.mark.parametrize("made", PASSING, ids=NAMES)
async def test_a_read_that_worked_before_is_tried_as_long_as_a_person_would_wait(
    made: Callable[[], Exception],
) -> None:
    """With growing pauses, some five minutes; then the run stops with the ERP's words."""
    job = Job(Asked(always=made()), worked={ROUTE.target})
    began_s = anyio.current_time()
    with pytest.raises((LookFailedError, ErpUnreachableError), match=str(made())) as raised:
        await look_at_targets(job, [A, B])
    assert not isinstance(raised.value, LookRefusedError)
    assert [seconds for _, seconds in job.waits] == [
        pause_s(nth) for nth in range(1, LEAST_TRIES_OF_A_READ)
    ]
    assert 300 < anyio.current_time() - began_s < 400


@pytest.mark.parametrize("made", PASSING, ids=NAMES)
@pytest.mark.parametrize("max_attempts", [1, 3])
async def test_a_form_that_was_never_read_has_less_patience(
    made: Callable[[], Exception], max_attempts: int
) -> None:
    """The settings may be wrong, and a person waits for the answer."""
    job = Job(Asked(always=made()), max_attempts)
    with pytest.raises((LookFailedError, ErpUnreachableError)):
        await look_at_targets(job, [A])
    assert len(job.waits) == max(max_attempts, TRIES_OF_A_PART) - 1
    assert job.worked == set()


@pytest.mark.parametrize("code", ["2", "3", "9"])
@pytest.mark.parametrize("asked", [[A], [A, B]])
async def test_a_missing_right_is_said_at_once_of_a_form_that_was_never_read(
    code: str, asked: list[BillNumber]
) -> None:
    """No waiting mends a form, a field or a right."""
    job = Job(Asked(always=refused("no right", code=code)))
    with pytest.raises(LookRefusedError, match="no right") as raised:
        await look_at_targets(job, asked)
    assert (raised.value.code, job.waits) == (code, [])


async def test_a_right_that_is_taken_away_meanwhile_may_be_given_back() -> None:
    """The run waits for it as for any other failure."""
    job = Job(Asked(fails=[refused("no right", code=NO_RIGHT)] * 3), worked={ROUTE.target})
    assert (await look_at_targets(job, [A])).users == {"u"}
    assert len(job.waits) == 3


async def test_forms_are_known_one_by_one() -> None:
    """Sources that can be read say nothing of the target form."""
    job = Job(Asked())
    await look_at_sources(job, [A])
    assert job.worked == {ROUTE.source}
    job.erp.always = refused("no right", code=NO_RIGHT)
    with pytest.raises(LookRefusedError):
        await look_at_targets(job, [A])


async def test_a_refused_login_is_not_tried_again() -> None:
    """Five of them lock the account (P 2.4)."""
    job = Job(Asked(always=LoginRefusedError("wrong password")), worked={ROUTE.target})
    with pytest.raises(LoginRefusedError):
        await look_at_targets(job, [A])
    assert len(job.erp.asked) == 1


async def test_an_erp_that_asks_to_be_spared_is() -> None:
    """All others wait as long as this read."""
    job = Job(Asked(fails=[ErpBusyError("429"), LookFailedError("empty")]))
    await look_at_targets(job, [A])
    assert job.spared == [2.0]


async def test_a_stop_ends_the_trying() -> None:
    """Nobody waits out a minute for it."""
    job = Job(Asked(always=LookFailedError("empty")), worked={ROUTE.target}, stops_at=4)
    began_s = anyio.current_time()
    with pytest.raises(LookFailedError):
        await look_at_targets(job, [A])
    assert len(job.waits) == 4
    assert anyio.current_time() - began_s < sum(pause_s(nth) for nth in range(1, 4)) + 6


async def test_a_look_after_a_push_goes_on_through_a_stop() -> None:
    """An open chunk is waited for, and its numbers would be left in doubt."""
    job = Job(Asked(fails=[LookFailedError("empty")] * 3), worked={ROUTE.target})
    job.stop.ask(Cause.INTERRUPTED, "Ctrl-C")
    seen = await look_at_targets(job, [A], stop_or_not=True)
    assert seen.users == {"u"}
    assert len(job.waits) == 3


async def test_a_turn_is_waited_for_as_a_read_is() -> None:
    """A login that nobody answers is no reason to end a night."""
    fails = [ErpUnreachableError("no answer"), ErpUnreachableError("no answer")]

    async def turn() -> str:
        if fails:
            raise fails.pop()
        return "a turn"

    job = Job(Asked())
    assert await open_turn(job, turn) == "a turn"
    assert [seconds for _, seconds in job.waits] == [2.0, 6.0]


# -- numbers whose query is refused ------------------------------------------------------------


@pytest.mark.parametrize("worked", [False, True])
@pytest.mark.parametrize("code", ["4", "9", "response_error"])
@pytest.mark.parametrize("max_attempts", [1, 5])
@pytest.mark.parametrize("guarded", [[A], [H], [D], [A, H], [D, E], [A, B, C, D, E, F, G, H], []])
async def test_a_refused_query_is_halved_until_its_numbers_are_found(
    guarded: list[BillNumber], code: str, max_attempts: int, *, worked: bool
) -> None:
    """They are told with the ERP's words, and the others are answered."""
    every = [A, B, C, D, E, F, G, H]
    there = {number: (Target(f"t{number}", f"T{number}"),) for number in every}
    job = Job(Asked(guarded=guarded, code=code, there=there), max_attempts)
    if worked:
        job.worked |= {ROUTE.source, ROUTE.target}
    seen = await look_at_targets(job, every)
    assert seen.refused == {number: f"the filter holds {number}" for number in guarded}
    assert list(seen.targets) == [number for number in every if number not in guarded]
    assert {target.id for found in seen.targets.values() for target in found} <= seen.thin
    found, refusals = await look_at_sources(job, every)
    assert refusals == seen.refused
    assert list(found) == list(seen.targets)


@pytest.mark.parametrize("by_field", [False, True])
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("guarded", [[A], [H], [A, H], [D, E], [A, B, C, D, E, F, G, H], []])
async def test_links_that_are_refused_for_a_bill_are_asked_for_in_halves(
    guarded: list[BillNumber], *, together: bool, by_field: bool
) -> None:
    """One bill whose links the ERP cannot show kept its whole list from being pushed."""
    every = [A, B, C, D, E, F, G, H]
    links: dict[BillNumber, tuple[Target, ...]]
    links = {number: (Target(f"t{number}", f"T{number}"),) for number in every}
    ids = {number: f"s{number}" for number in every}
    route = ROUTE if by_field else replace(ROUTE, source_number_field="")
    job = Job(Asked(guarded_links=guarded, links=links), source_ids=ids, route=route)
    seen = await look_at_targets(job, every, before_sending=together)
    assert seen.refused == {number: f"the filter holds {number}" for number in guarded}
    assert sorted(seen.targets) == sorted(seen.linked) == [n for n in every if n not in guarded]


async def test_a_bill_that_the_field_shows_is_refused_for_no_links() -> None:
    """It has a document, whatever else the ERP cannot tell."""
    there = {A: (Target("tA", "TA"),)}
    job = Job(Asked(guarded_links=[A, B], links={}, there=there), source_ids={A: "sA", B: "sB"})
    seen = await look_at_targets(job, [A, B], before_sending=True)
    assert (list(seen.targets), list(seen.refused)) == ([A], [B])


async def test_what_a_half_has_shown_is_kept_though_the_site_refuses_links_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A document that nothing else shows was lost, and its bill had none."""
    ask = Asked.linked_targets_of

    async def until_halved(self: Asked, route: Route, ids: Any, **how: bool) -> Sighting | None:
        return None if [*ids] == [B] else await ask(self, route, ids, **how)

    monkeypatch.setattr(Asked, "linked_targets_of", until_halved)
    links: dict[BillNumber, tuple[Target, ...]] = {A: (Target("tA", "TA"),)}
    job = Job(Asked(guarded_links=[B], links=links), source_ids={A: "sA", B: "sB"})
    seen = await look_at_targets(job, [A, B], before_sending=True)
    assert seen.targets == links
    assert (sorted(seen.linked), job.links.absent) == ([A], True)


async def test_a_question_is_halved_soon_and_a_lone_number_tried_for_longer() -> None:
    """It is rejected for it, and an exception may pass."""
    job = Job(Asked(guarded=[A]), max_attempts=4)
    seen = await look_at_targets(job, [A, B])
    assert seen.refused == {A: "the filter holds A"}
    assert job.erp.asked.count([A, B]) == TRIES_OF_A_PART
    assert job.erp.asked.count([A]) == TRIES_OF_A_PART * ROUNDS_OF_ONE
    assert job.erp.asked.count([HARMLESS]) == 1 + ROUNDS_OF_ONE


async def test_what_is_refused_of_a_harmless_number_too_is_no_fault_of_the_numbers() -> None:
    """Else a broken database would reject a whole list, number by number."""
    job = Job(Asked(always=refused("the database", code="6")), max_attempts=3)
    with pytest.raises(LookFailedError, match="the database"):
        await look_at_targets(job, [A, B, C])
    assert all(asked in ([A, B, C], [HARMLESS]) for asked in job.erp.asked)


async def test_a_lone_number_that_is_answered_in_the_end_is_not_rejected() -> None:
    """The failure was passing."""
    job = Job(Asked(fails=[refused("an exception")] * 3), max_attempts=4)
    seen = await look_at_targets(job, [A])
    assert seen.users == {"u"}
    assert not seen.refused


@given(st.sets(st.integers(0, 39), max_size=6), st.integers(1, 40))
def test_whatever_is_guarded_is_found_and_nothing_else(guarded: set[int], count: int) -> None:
    """Each number is answered or refused, once."""
    every = [BillNumber(f"N{nth}") for nth in range(count)]
    bad = {f"N{nth}" for nth in guarded}

    async def look() -> tuple[Mapping[BillNumber, Any], Mapping[BillNumber, str]]:
        return await look_at_sources(Job(Asked(guarded=bad), max_attempts=1), every)

    found, refusals = anyio.run(
        look, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)}
    )
    assert sorted([*found, *refusals]) == sorted(every)
    assert set(refusals) == bad & set(every)


def test_a_number_that_the_erp_refuses_to_be_asked_for_is_rejected_with_its_words() -> None:
    """Unsent, and in both languages."""
    outcome = query_refused(A, "the filter holds A")
    assert (outcome.state, outcome.code) == (State.REJECTED, PRECHECK)
    assert "the filter holds A" in outcome.reason


# -- the newest documents ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "missing", "bills", "proves"),
    [
        ([A, B], "", [A, B], True),
        ([A, B], "B", [A], True),
        ([A, B, C], "BC", [A], False),
        ([A, "", ""], "", [A], False),
        ([A], "A", [], False),
        ([], "", [], False),
    ],
)
async def test_a_field_is_proved_where_half_of_the_newest_documents_name_bills(
    named: list[BillNumber], missing: str, bills: list[BillNumber], *, proves: bool
) -> None:
    """A field of suppliers names none, and among blanks somebody may have written one down."""
    newest = await look_at_newest(Job(Asked(named=named, missing=missing)))
    assert (list(newest.named), newest.proves) == (bills, proves)
    assert newest.strange == len(named) - len(bills)


async def test_a_bill_whose_query_is_refused_does_not_hide_the_others_that_are_named() -> None:
    """A guard of one bill is no reason to doubt all the others of a list, and proves nothing."""
    newest = await look_at_newest(Job(Asked(named=[A, B], guarded=[A])))
    assert (newest.named, newest.strange, newest.proves) == ((B,), 1, True)


# -- links --------------------------------------------------------------------------------------

ONE, TWO = Target("1", "RK1"), Target("2", "RK2")


async def test_a_document_that_the_field_does_not_name_is_found_by_its_link() -> None:
    """A rule merges bills into one line, and the line has room for one of their numbers."""
    job = Job(Asked(there={A: (ONE,)}, links={A: (ONE,), B: (ONE,)}))
    seen = await look_at_targets(job, [A, B, C])
    assert seen.targets == {A: (ONE,), B: (ONE,)}
    assert set(seen.linked) == {A, B, C}


async def test_all_documents_of_a_bill_are_found_where_the_field_holds_one_of_several() -> None:
    """Each document of merged bills bears the number of its first one, which has others as well."""
    job = Job(Asked(there={A: (ONE,)}, links={A: (ONE, TWO), B: (ONE,), C: (TWO,)}))
    job.links.find = True
    seen = await look_at_targets(job, [A, B])
    assert seen.targets == {A: (ONE, TWO), B: (ONE,)}
    job.erp.there = {A: (ONE,), C: (TWO,)}
    seen = await look_at_targets(job, [A])
    assert seen.targets == {A: (ONE, TWO)}


async def test_links_are_asked_for_all_once_a_line_bears_the_number_of_another_bill(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The field holds one of two merged bills; the other has a document of its own besides."""

    async def first_of_two(*_: object, **__: object) -> Sighting:
        both = frozenset({"id of A", "id of B"})
        return Sighting({A: (ONE,), B: (TWO,)}, USERS, sources={(A, ONE.id): both})

    monkeypatch.setattr(Asked, "targets_of", first_of_two)
    job = Job(Asked(links={A: (ONE,), B: (ONE, TWO)}))
    job.links.find = True
    job.source_ids.update({A: "id of A", B: "id of B"})
    seen = await look_at_targets(job, [A, B])
    assert set(seen.targets[B]) == {ONE, TWO}


async def test_what_links_have_found_stays_found_where_they_cannot_be_asked_for_the_rest() -> None:
    """The number that the field shows has gone meanwhile, and with it the id to ask by."""
    job = Job(Asked(missing=[A], there={A: (ONE,)}, links={A: (ONE,), B: (TWO,)}))
    job.links.find, job.source_ids[B] = True, "id of B"
    seen = await look_at_targets(job, [A, B])
    assert seen.targets == {A: (ONE,), B: (TWO,)}


async def test_links_miss_no_document_that_is_cancelled_between_two_questions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They show it, as what it is by then."""

    async def cancelled(*_: object, **__: object) -> Sighting:
        return Sighting({}, USERS, {A: (ONE,)}, linked=frozenset({A}), by_link=frozenset({ONE.id}))

    monkeypatch.setattr(Asked, "linked_targets_of", cancelled)
    job = Job(Asked(there={A: (ONE,)}, thin=(), links={}))
    await look_at_targets(job, [A])
    assert job.links.tell


async def test_a_document_that_the_field_denies_is_none_that_it_has_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is asked twice for that in all later looks."""

    async def denied(*_: object, **__: object) -> Sighting:
        return Sighting({}, USERS, denied={A: (ONE,)})

    monkeypatch.setattr(Asked, "targets_of", denied)
    job = Job(Asked(links={A: (ONE,)}))
    seen = await look_at_targets(job, [A])
    assert (seen.targets, job.links.tell_more) == ({A: (ONE,)}, False)


@pytest.mark.parametrize("kind", ["targets", "cancelled", "shared", "denied", "namesakes"])
def test_what_several_numbers_of_one_bill_show_is_joined(kind: str) -> None:
    """It has had both for a while, and each document names the one of its moment."""
    shown: dict[str, Any] = {kind: {B: (ONE,), C: (TWO,)}}
    other = Sighting(**shown)
    seen = with_other_numbers(Sighting(), other, {B: A, C: A})
    assert getattr(seen, kind) == {A: (ONE, TWO)}


async def test_links_that_find_what_the_field_finds_tell_that_nothing_is_there() -> None:
    """They are the ERP's own, whatever its fields hold."""
    job = Job(Asked(there={A: (ONE,)}, links={A: (ONE,)}))
    job.erp.thin = ()
    await look_at_targets(job, [A, B])
    assert job.links.tell


@pytest.mark.parametrize("missed", [ONE, TWO])
async def test_links_that_miss_a_document_of_a_bill_tell_nothing(missed: Target) -> None:
    """The site may keep them in another way, also of a document that they find for another bill."""
    job = Job(Asked(there={A: (ONE,), B: (missed,)}, links={A: (ONE,)}))
    job.erp.thin = ()
    await look_at_targets(job, [A, B])
    assert (job.links.find, job.links.tell) == (True, False)


async def test_where_links_cannot_be_asked_they_are_asked_once() -> None:
    """The site refuses it, and goes on refusing it."""
    job = Job(Asked(there={A: (ONE,)}))
    job.links = Links()
    await look_at_targets(job, [A, B])
    assert job.links.absent
    asked = len(job.erp.asked)
    await look_at_targets(job, [A, B])
    assert len(job.erp.asked) == asked + 1


# -- looks joined, and what is there before a refusal ------------------------------------------


def test_of_joined_looks_those_users_count_who_made_all_of_them() -> None:
    """What one of them was not asked for may be there."""
    first = Sighting({A: (Target("1", "T1"),)}, frozenset("uv"), thin=frozenset("1"))
    second = Sighting({}, frozenset("v"), {B: (Target("2", "T2"),)}, thin=frozenset("2"))
    assert joined([first, second]) == Sighting(
        first.targets, frozenset("v"), second.cancelled, thin=frozenset("12")
    )
    assert joined([]) == Sighting()


async def test_what_has_a_target_is_already_and_not_refused() -> None:
    """The ERP closes a source whose quantity its targets have used up (P 13.3)."""
    closed = [Outcome(number, State.REJECTED, (), PRECHECK, "closed") for number in (A, B, C)]
    other = Outcome(D, State.REJECTED, (), "ambiguous", "two bills")
    target = Target("1", "T1")
    known = {
        B: Made(RunId("other"), B, State.PUSHED, (Target("2", "T2"),)),
        A: Made(RunId("x"), A, State.PUSHED, ()),
    }
    job = Job(Asked(there={A: (target,), D: (target,)}))
    outcomes = await there_already(job, [*closed, other], known, contradictory=())
    assert [(each.state, each.targets) for each in outcomes] == [
        (State.ALREADY, (target,)),
        (State.ALREADY, (Target("2", "T2"),)),
        (State.REJECTED, ()),
        (State.REJECTED, ()),
    ]
    assert job.erp.asked == [[A, B, C]]


async def test_nothing_is_asked_where_nothing_is_refused() -> None:
    """A look costs a call."""
    job = Job(Asked())
    assert await there_already(job, [], {}, contradictory=()) == []
    assert job.erp.asked == []


@pytest.mark.parametrize(("rule", "proves"), [("R", True), ("ZMER_other", False)])
async def test_links_of_an_unknown_pair_are_proved_by_its_own_rule(
    rule: str, *, proves: bool
) -> None:
    """Another rule between the same forms may keep links where this one keeps none."""
    route = replace(ROUTE, source_number_field="", target_entry="FInStockEntry")
    newest = [LinkRow("1", "2", "T_PUR_POOrderEntry", rule)]
    assert await look_at_newest_links(Job(Asked(newest=newest), route=route)) is proves


async def test_a_ledger_that_is_lost_in_one_of_two_looks_ends_both_by_its_own_name() -> None:
    """A look asks the ledger whose documents it has found; a group of errors is a defect."""

    async def lost() -> int:
        raise LedgerLostError("ledger.lost{}")

    async def found() -> int:
        await anyio.sleep(1)
        return 1

    for looks in ((lost, found), (found, lost)):
        with pytest.raises(LedgerLostError):
            await side_by_side(*looks)
