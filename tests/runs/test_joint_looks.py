"""Who asks while a look is under way shares the next one, and never one that began before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import State
from k3push.ports import LedgerLostError, LookFailedError, LookRefusedError
from k3push.runs.context import Context
from k3push.runs.proof.joint_looks import JointLooks
from k3push.simulator.fault_plans.faults import fault
from k3push.simulator.fault_plans.script import Aimed, FaultPlan
from tests.runs.office import Office, orders, sandbox, steered
from tests.runs.rough_answers import NO_HALT, OPEN

pytestmark = pytest.mark.anyio

LOOK_S = 10.0


@dataclass(slots=True)
class Books:
    """Finds what is there when a look begins; a look takes its time.

    Attributes:
        refuses: Things that no look may ask for.
        breaks: How a look ends.
        looks: What each look asked for.
    """

    there: set[str] = field(default_factory=set)
    refuses: Collection[str] = ()
    breaks: Exception | None = None
    looks: list[str] = field(default_factory=list)
    at_once: int = 0
    joint: JointLooks[str] = field(default_factory=JointLooks)

    async def look(self, things: Sequence[str]) -> Sequence[str]:
        """Return those that are there."""
        self.looks.append("".join(things))
        self.at_once += 1
        assert self.at_once == 1
        found = [thing for thing in things if thing in self.there]
        try:
            await anyio.sleep(LOOK_S)
        finally:
            self.at_once -= 1
        if refused := {*things} & {*self.refuses}:
            raise LookRefusedError("".join(sorted(refused)))
        if self.breaks is not None:
            raise self.breaks
        return found


async def ask(books: Books, *asked: str, every_s: float = 1.0) -> list[str]:
    """Let one after the other ask, and return what each is told."""
    told = dict.fromkeys(range(len(asked)), "")

    async def one(place: int) -> None:
        await anyio.sleep(place * every_s)
        try:
            told[place] = "".join(await books.joint.ask([*asked[place]], books.look))
        except (LookFailedError, LedgerLostError) as error:
            told[place] = f"{type(error).__name__} {error}".strip()

    async with anyio.create_task_group() as tasks:
        for place in told:
            tasks.start_soon(one, place)
    return [*told.values()]


async def test_who_asks_meanwhile_shares_the_next_look_and_is_told_its_own() -> None:
    """The first one looks at once; the three who come meanwhile look together."""
    books = Books({"a", "d", "e"})
    assert await ask(books, "ab", "cd", "e", "f") == ["a", "d", "e", ""]
    assert books.looks == ["ab", "cdef"]


async def test_nobody_shares_a_look_that_began_before_he_asked() -> None:
    """What it is to see may have been made since."""
    books = Books()

    async def make() -> None:
        await anyio.sleep(0.5)
        books.there |= {"a", "b"}

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(make)
        assert await ask(books, "a", "b", "b") == ["", "b", "b"]
    assert books.looks == ["a", "bb"]


async def test_what_one_asked_for_by_the_same_name_is_told_to_him_alone() -> None:
    """Two calls of the same bills are two things."""
    joint = JointLooks[list[str]]()
    calls = [["a"], ["b"], ["b"]]
    found: list[Sequence[list[str]]] = [(), (), ()]

    async def look(things: Sequence[list[str]]) -> Sequence[list[str]]:
        await anyio.sleep(LOOK_S)
        return [thing for thing in things if thing is calls[2]]

    async def one(place: int) -> None:
        await anyio.sleep(place)
        found[place] = await joint.ask([calls[place]], look)

    async with anyio.create_task_group() as tasks:
        for place in range(len(calls)):
            tasks.start_soon(one, place)
    assert [len(each) for each in found] == [0, 0, 1]


async def test_a_look_that_fails_fails_for_all_who_shared_it() -> None:
    """They do not wait for one after the other while the ERP is away."""
    for breaks in (LookFailedError("away"), LedgerLostError("full")):
        books = Books({"a", "b", "c"}, breaks=breaks)
        told = f"{type(breaks).__name__} {breaks}"
        assert await ask(books, "a", "b", "c") == [told] * 3
        assert books.looks == ["a", "bc"]


async def test_no_look_is_refused_for_what_another_asked_for() -> None:
    """Each that shared a look that was refused asks once more, by itself."""
    books = Books({"a", "b", "c", "d"}, refuses="c")
    assert await ask(books, "a", "b", "c", "d") == ["a", "b", "LookRefusedError c", "d"]
    assert books.looks[:2] == ["a", "bcd"]
    assert sorted(books.looks[2:]) == ["b", "c", "d"]


async def test_whoever_is_cancelled_leaves_the_others_their_look() -> None:
    """One is cancelled while he looks, another while he waits."""
    books = Books({"a", "b", "c"})
    told: list[str] = []

    async def others() -> None:
        await anyio.sleep(2)
        told.extend(await ask(books, "b", "c"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        with anyio.move_on_after(5):
            await ask(books, "a")
        with anyio.move_on_after(1):  # while it waits for others
            await ask(books, "x")
    assert told == ["b", "c"]
    assert books.looks == ["a", "bc"]


async def test_who_asks_in_turn_looks_in_turn() -> None:
    """Nobody waits where nobody looks."""
    books = Books({"a", "b"})
    assert await ask(books, "a", "b", every_s=2 * LOOK_S) == ["a", "b"]
    assert books.looks == ["a", "b"]


async def test_chunks_that_are_refused_at_once_ask_together_what_was_made_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each answer is an error that names no bill, and the bills are sent again one by one."""
    bills = orders(16)
    faults = FaultPlan(aimed={bill: Aimed(fault("response-error")) for bill in bills})
    office = Office(sandbox(faults, look_s=2, latency_s=0.5, **OPEN))
    asked, looks, under_way = [0], [0], [0]
    made_since, calls_with_strays = ErpClient.made_since, Context.calls_with_strays

    async def look(*args: Any) -> Any:
        looks[0] += 1
        under_way[0] += 1
        assert under_way[0] == 1
        found = await made_since(*args)
        under_way[0] -= 1
        return found

    async def ask(*args: Any, **options: Any) -> Any:
        asked[0] += 1
        return await calls_with_strays(*args, **options)

    monkeypatch.setattr(ErpClient, "made_since", look)
    monkeypatch.setattr(Context, "calls_with_strays", ask)
    await office.open_run(bills)
    throttle = steered(concurrency=8, chunk_size=2)
    pushed = await office.execute(limits=NO_HALT, throttle=throttle, check=False)
    assert {row.state for row in pushed.rows.values()} == {State.PUSHED}
    assert asked[0] >= len(bills)
    assert looks[0] <= asked[0] / 2
