from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from trio.testing import MockClock

from k3push.adapters.erp.query_batching import BatchedQueries
from k3push.core.model import (
    Answered,
    BillNumber,
    Exchange,
    FlowTask,
    NeverSent,
    Route,
    Sighting,
    Source,
    Standing,
    Target,
    Targets,
)
from k3push.core.protocol.links import FormEntry, LinkRow
from k3push.core.protocol.selection import SelectedPage, Selection
from k3push.core.safety.question_parts import MOST_NUMBERS
from k3push.ports import LookFailedError, LookRefusedError, Turn
from tests.adapters.erp.sites import ROUTE

pytestmark = pytest.mark.anyio

LOOK_S, PUSH_S = 1.0, 18.0
OTHER = replace(ROUTE, name="other", target="AP_Payable")


@dataclass(slots=True)
class SlowErp:
    """An ERP that takes its time, and finds what is there when a look begins.

    Attributes:
        there: Numbers that have a target.
        asked: What each look asked for.
        fails: Looks that fail, by their place.
        gone: Numbers whose target is cancelled.
        refused: Numbers whose query is refused.
    """

    there: set[str] = field(default_factory=set)
    asked: list[tuple[str, list[str], bool]] = field(default_factory=list)
    fails: set[int] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    lost: list[int] = field(default_factory=list)
    turns: int = 0

    @property
    def users(self) -> Collection[str]:
        """Return the one user."""
        return {"u"}

    @asynccontextmanager
    async def turn(self, user: str = "") -> AsyncIterator[Turn]:
        """Count turns."""
        del user
        self.turns += 1
        yield SlowTurn()

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
        """Name one."""
        del route
        return "1"

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Name one."""
        del route
        return [("1", BillNumber("named"))]

    async def linked_targets_of(
        self, route: Route, ids: Mapping[BillNumber, str], *, by_all: bool = False
    ) -> Sighting | None:
        """Show a document of each id; its own id is the same."""
        del route, by_all
        await anyio.sleep(LOOK_S)
        found = {number: (Target(id_, ""),) for number, id_ in ids.items()}
        return Sighting(found, linked=frozenset(ids))

    async def newest_ids(self, route: Route) -> Mapping[str, Collection[str]]:
        """Show everybody one."""
        del route
        return {user: ["1"] for user in self.users}

    async def made_since(self, route: Route, when: str) -> Sequence[tuple[str, BillNumber]]:
        """Name one."""
        del route
        return [("1", BillNumber(when))]

    async def links_of(self, route: Route, ids: Collection[str]) -> Sequence[LinkRow]:
        """Give each one to another form."""
        return [LinkRow(id_, "1", "T_OTHER", route.rule) for id_ in ids]

    async def partly_linked(self, route: Route, ids: Collection[str]) -> Collection[str]:
        """Find all."""
        del route
        return ids

    async def entries_of(self, form: str) -> Sequence[FormEntry]:
        """Name one."""
        return [FormEntry(form)]

    async def newest_links(self, route: Route) -> Sequence[LinkRow]:
        """Name one."""
        return [LinkRow("1", "2", "t", route.rule)]

    async def linked_sources(self, route: Route) -> Sequence[BillNumber]:
        """Name one."""
        del route
        return [BillNumber("linked")]

    def spares(self, user: str) -> bool:
        """Spare one."""
        return user == "spared"

    def lose_session(self, session: int) -> None:
        """Note it."""
        self.lost.append(session)

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Find nothing."""
        del route
        return dict.fromkeys(numbers, ())

    async def sources_by_id(self, route: Route, ids: Sequence[str]) -> Mapping[str, Source]:
        """Find every bill."""
        del route
        return {id_: Source(BillNumber("A"), id_) for id_ in ids}

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        """Find what was there as the look began."""
        del unsent
        self.asked.append((route.name, list(numbers), by_all))
        nth = len(self.asked)
        found = {n: (Target(f"t{n}", f"T{n}"),) for n in numbers if n in self.there}
        await anyio.sleep(LOOK_S)
        if nth in self.fails:
            raise LookFailedError(f"look {nth} was cut off")
        if refused := self.refused.intersection(numbers):
            raise LookRefusedError(f"refused for {min(refused)}")
        gone = {n: targets for n, targets in found.items() if n in self.gone}
        there = {n: targets for n, targets in found.items() if n not in self.gone}
        return Sighting(there, frozenset({"u"}), gone, thin=frozenset(f"t{n}" for n in found))


class SlowTurn:
    """Pushes after a while."""

    user = "u"

    async def perform(
        self, operation: str, form: str, data: bytes, *, held_back: Callable[[], str]
    ) -> Exchange:
        """Answer, unless the push is held back."""
        del operation, form
        await anyio.sleep(PUSH_S)
        return NeverSent(why) if (why := held_back()) else Answered(200, data)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Return a loop on virtual time."""
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
def erp() -> SlowErp:
    """Return an ERP."""
    return SlowErp()


async def busy(erp: SlowErp, at_once: int = 4) -> BatchedQueries:
    """Return what knows that a push takes far longer than a look: one look at a time will do."""
    looks = BatchedQueries(erp, lambda: at_once)
    await looks.targets_of(ROUTE, numbers("warm", 1))
    await push(looks)
    erp.asked.clear()
    return looks


async def push(looks: BatchedQueries, why: str = "") -> Exchange:
    """Push in a turn, which something may hold back."""
    async with looks.turn() as turn:
        return await turn.perform("Push", ROUTE.source, b"data", held_back=lambda: why)


def numbers(name: str, count: int) -> list[BillNumber]:
    """Return some numbers."""
    return [BillNumber(f"{name}{nth}") for nth in range(count)]


async def ask(looks: BatchedQueries, *asked: list[BillNumber]) -> list[Targets | str]:
    """Ask for several lists at once, and return what each was told."""
    told: dict[int, Targets | str] = {}

    async def one(nth: int) -> None:
        try:
            told[nth] = (await looks.targets_of(ROUTE, asked[nth])).targets
        except LookFailedError as error:
            told[nth] = str(error)

    async with anyio.create_task_group() as tasks:
        for nth in range(len(asked)):
            tasks.start_soon(one, nth)
            await anyio.sleep(LOOK_S / 100)
    return [told[nth] for nth in range(len(asked))]


async def test_looks_that_wait_are_made_together_and_each_is_told_its_own(erp: SlowErp) -> None:
    """One query serves several chunks, and none sees another's documents."""
    looks = await busy(erp)
    erp.there |= {"a0", "b1", "c2"}
    a, b, c, d = (numbers(name, 3) for name in "abcd")
    told = await ask(looks, a, b, c, d)
    assert [len(asked) for _, asked, _ in erp.asked] == [3, 9]
    assert [list(each) for each in told] == [["a0"], ["b1"], ["c2"], []]


async def test_each_is_told_who_looked_and_what_is_cancelled_or_thin_of_its_own(
    erp: SlowErp,
) -> None:
    """What is left out of a shared answer would let a number travel again (rule 7)."""
    looks = await busy(erp)
    erp.there |= {"a0", "a1", "b0"}
    erp.gone |= {"a1", "b0"}
    seen: dict[str, Sighting] = {}

    async def look(name: str) -> None:
        seen[name] = await looks.targets_of(ROUTE, numbers(name, 2))

    async with anyio.create_task_group() as tasks:
        for name in "xab":
            tasks.start_soon(look, name)
            await anyio.sleep(LOOK_S / 100)
    a0, a1, b0 = (BillNumber(each) for each in ("a0", "a1", "b0"))
    document = {n: (Target(f"t{n}", f"T{n}"),) for n in (a0, a1, b0)}
    users, thin = frozenset({"u"}), frozenset({"ta0", "ta1", "tb0"})
    assert len(erp.asked) == 2
    assert seen["x"] == Sighting({}, users)
    assert seen["a"] == Sighting({a0: document[a0]}, users, {a1: document[a1]}, thin=thin)
    assert seen["b"] == Sighting({}, users, {b0: document[b0]}, thin=thin)


async def test_a_look_sees_what_was_made_before_it(erp: SlowErp) -> None:
    """A read-back that shared a query older than its push would miss the document (rule 5)."""
    looks = await busy(erp)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(looks.targets_of, ROUTE, numbers("a", 1))
        await anyio.sleep(LOOK_S / 2)
        erp.there.add("a0")
        assert list((await looks.targets_of(ROUTE, numbers("a", 1))).targets) == ["a0"]


async def test_a_look_that_fails_fails_for_all_who_shared_it(erp: SlowErp) -> None:
    """An error is never "nothing is there" (rule 7), and the next look is made all the same."""
    looks = await busy(erp)
    erp.fails.add(2)
    told = await ask(looks, *(numbers(name, 60) for name in "abc"))
    assert told == [{}, "look 2 was cut off", {}]
    erp.fails = {5}
    told = await ask(looks, *(numbers(name, 3) for name in "abc"))
    assert told == [{}, "look 5 was cut off", "look 5 was cut off"]


async def test_no_look_is_refused_for_the_numbers_of_another(erp: SlowErp) -> None:
    """What shared a refused query is asked again, each by itself."""
    looks = await busy(erp)
    erp.there, erp.refused = {"a0", "c0"}, {"b1"}
    a, b, c = (numbers(name, 2) for name in "abc")
    told = await ask(looks, numbers("x", 1), a, b, c)
    assert [len(asked) for _, asked, _ in erp.asked] == [1, 6, 2, 2, 2]
    assert [each if isinstance(each, str) else list(each) for each in told] == [
        [],
        ["a0"],
        "refused for b1",
        ["c0"],
    ]


async def test_no_query_grows_beyond_one_question(erp: SlowErp) -> None:
    """A filter that is too long is cut anyway, and would be two calls in one's place."""
    looks = await busy(erp)
    await ask(looks, *(numbers(name, 40) for name in "abcdef"))
    assert [len(asked) for _, asked, _ in erp.asked] == [40, 80, 80, 40]
    assert all(len(asked) <= MOST_NUMBERS for _, asked, _ in erp.asked)


async def test_no_query_grows_beyond_what_the_site_answers(erp: SlowErp) -> None:
    """Each of the two would be answered, and both together would not."""
    looks = BatchedQueries(erp, lambda: 1, lambda: 30)
    async with anyio.create_task_group() as chunks:
        for name in "abc":
            chunks.start_soon(looks.targets_of, ROUTE, numbers(name, 20))
    assert [len(asked) for _, asked, _ in erp.asked] == [20, 20, 20]


async def test_looks_of_two_routes_are_not_joined(erp: SlowErp) -> None:
    """They ask other forms."""
    looks = await busy(erp)
    async with anyio.create_task_group() as tasks:
        for route in (ROUTE, OTHER, ROUTE, OTHER):
            tasks.start_soon(looks.targets_of, route, numbers(route.name, 2))
            await anyio.sleep(LOOK_S / 100)
    assert [route for route, _, _ in erp.asked] == [ROUTE.name, OTHER.name, ROUTE.name]


async def test_two_bills_of_one_number_are_not_asked_for_as_one(erp: SlowErp) -> None:
    """They have exchanged their numbers between the looks at the source form."""
    looks, number = BatchedQueries(erp, lambda: 4), BillNumber("a")
    shown = {}

    async def ask_for(id_: str) -> None:
        seen = await looks.linked_targets_of(ROUTE, {number: id_})
        shown[id_] = [target.id for target in (seen or Sighting()).targets[number]]

    async with anyio.create_task_group() as tasks:
        for id_ in ("1", "2"):
            tasks.start_soon(ask_for, id_)
    assert shown == {"1": ["1"], "2": ["2"]}


async def test_whoever_goes_leaves_the_others_their_look(erp: SlowErp) -> None:
    """A look that is cancelled with the one who made it is made again by those who shared it."""
    looks = await busy(erp)
    erp.there.add("b0")
    async with anyio.create_task_group() as tasks:
        gone = anyio.CancelScope()

        async def cancelled() -> None:
            with gone:
                await looks.targets_of(ROUTE, numbers("a", 1))

        tasks.start_soon(looks.targets_of, ROUTE, numbers("x", 1))
        await anyio.sleep(LOOK_S / 10)
        tasks.start_soon(cancelled)
        await anyio.sleep(LOOK_S / 10)

        async def stays() -> None:
            assert list((await looks.targets_of(ROUTE, numbers("b", 1))).targets) == ["b0"]

        tasks.start_soon(stays)
        await anyio.sleep(LOOK_S)
        gone.cancel()
    assert [asked for _, asked, _ in erp.asked] == [["x0"], ["a0", "b0"], ["b0"]]


async def test_a_look_through_all_users_is_made_at_once_and_alone(erp: SlowErp) -> None:
    """Absence that lets a number travel again is asked of every user."""
    looks = await busy(erp)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(looks.targets_of, ROUTE, numbers("a", 1))
        await anyio.lowlevel.checkpoint()
        await looks.targets_of(ROUTE, numbers("b", 1), by_all=True)
    assert sorted(by_all for _, _, by_all in erp.asked) == [False, True]


async def test_as_many_looks_go_at_once_as_chunks_need(erp: SlowErp) -> None:
    """Where looks take most of a chunk's time, nobody waits for another's."""
    looks = BatchedQueries(erp, lambda: 3)
    began_s = anyio.current_time()
    await ask(looks, *(numbers(name, 1) for name in "abc"))
    assert len(erp.asked) == 3
    assert anyio.current_time() - began_s < 1.5 * LOOK_S


async def test_all_else_goes_straight_through(erp: SlowErp) -> None:
    """It joins looks and does nothing more."""
    looks = BatchedQueries(erp, lambda: 1)
    looks.lose_session(7)
    assert await push(looks) == Answered(200, b"data")
    assert await push(looks, "held") == NeverSent("held")
    assert (erp.turns, erp.lost) == (2, [7])
    assert (looks.users, await looks.newest_of(ROUTE)) == ({"u"}, [("1", "named")])
    assert await looks.linked_sources(ROUTE) == ["linked"]
    assert await looks.entries_of("A_B") == [FormEntry("A_B")]
    assert await looks.newest_links(ROUTE) == [LinkRow("1", "2", "t", ROUTE.rule)]
    linked = await looks.linked_targets_of(ROUTE, {BillNumber("a"): "1"}, by_all=True)
    assert linked is not None
    assert linked.linked == {BillNumber("a")}
    async with looks.turn() as turn:
        assert turn.user == "u"
    assert await looks.sources_of(ROUTE, numbers("a", 1)) == {BillNumber("a0"): ()}
    assert await looks.sources_by_id(ROUTE, ["7"]) == {"7": Source(BillNumber("A"), "7")}
