from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.core.control_words import Command, Verb
from k3push.core.model import BillNumber, FolderFile, Listed, NeverSent, RunId, State
from k3push.core.pacing.server_model import FittedServer, Learnt
from k3push.core.safety.legal_moves import IllegalMoveError
from k3push.ports import Glance, Holder, Ledger, RunIsAliveError
from tests.adapters.ledger.samples import (
    ANSWER,
    NOON,
    a_run,
    intent,
    later,
    lines,
    numbers,
    outcomes,
    planned,
    pushed,
    sent,
    states,
)
from tests.said import english, refused

pytestmark = pytest.mark.anyio


async def test_a_run_is_returned_as_it_was_opened(ledger: Ledger, other: Ledger) -> None:
    """The route may have changed in config.toml since; the run keeps its own."""
    run = replace(a_run(), again_because="the first receipt was cancelled")
    await ledger.open_run(run)
    assert await other.run(run.id) == run


async def test_a_list_is_whole_when_it_is_said_to_be(ledger: Ledger, other: Ledger) -> None:
    """A process may be killed between two pages of a list, which must not pass for all of it."""
    await ledger.open_run(a_run())
    await ledger.add(RunId("r1"), lines("A B"))
    assert not (await other.runs())[0].whole
    await ledger.close_list(RunId("r1"))
    assert (await other.runs())[0].whole
    assert await other.run(RunId("r1")) == replace(a_run(), whole=True)


async def test_an_unknown_run_is_none(ledger: Ledger) -> None:
    """`resume` says so in words, so the ledger need not raise."""
    assert await ledger.run(RunId("r9")) is None


async def test_a_run_id_is_given_once(ledger: Ledger, other: Ledger) -> None:
    """Two processes may begin in one second, and must not share rows."""
    await ledger.open_run(a_run())
    with refused(ValueError, "r1"):
        await other.open_run(a_run())


async def test_verbs_on_an_unknown_run_are_refused(ledger: Ledger) -> None:
    """An empty answer would look like an empty run."""
    with pytest.raises(LookupError):
        await ledger.counts(RunId("r9"))
    with pytest.raises(LookupError):
        await ledger.add(RunId("r9"), [])
    with pytest.raises(LookupError):
        async with ledger.own(RunId("r9")):
            pass


async def test_a_file_of_a_folder_is_taken_once(ledger: Ledger, other: Ledger) -> None:
    """Its folder, its name and its content tell it; another of any of them is a new file."""
    run = await planned(ledger, "A")
    file = FolderFile("/inbox", "订单 1.csv", "00ff")
    assert await other.taker_of(file) is None
    for ledger_of_each in (ledger, other):
        await ledger_of_each.take(file, run)
    assert await other.taker_of(file) == run
    for changed in ({"folder": "/x"}, {"name": "订单 2.csv"}, {"digest": "00fe"}):
        assert await ledger.taker_of(replace(file, **changed)) is None


async def test_a_list_that_is_whole_is_taken_with_its_file(ledger: Ledger, other: Ledger) -> None:
    """Both at once, or a death in between would let the file be read a second time."""
    run, file = await planned(ledger, "A"), FolderFile("/inbox", "订单.csv", "00ff")
    with pytest.raises(LookupError):
        await ledger.close_list(RunId("r9"), file=file)
    assert await other.taker_of(file) is None
    (first, *_) = await ledger.rows(run)
    rest = [Listed(2, first.number), Listed(3, BillNumber("Z"))]
    await ledger.close_list(run, rest=rest, file=file)
    found = await other.run(run)
    assert found is not None
    assert found.whole
    assert await other.taker_of(file) == run
    assert [row.number for row in await other.rows(run)] == [first.number, "Z"]
    assert [each.line for each in await other.repeats(run)] == [2]


async def test_a_file_is_taken_by_a_run_that_is_there(ledger: Ledger) -> None:
    """Else its numbers would be in no ledger, and the file would be passed over."""
    file = FolderFile("/inbox", "a.csv", "00ff")
    with pytest.raises(LookupError):
        await ledger.take(file, RunId("r9"))
    assert await ledger.taker_of(file) is None


async def test_what_the_pace_came_to_is_kept_for_each_scope(ledger: Ledger, other: Ledger) -> None:
    """The next night begins where this one ended, on its own forms."""
    assert await ledger.pace("s|po|in") is None
    learnt = Learnt(FittedServer(0.5, 0.01, 0.2), 16)
    crowded = Learnt(FittedServer(0.5, 0.01, 0.2, 10.6, 2.0, 0.75), 24)
    await ledger.keep_pace("s|po|in", learnt, at=NOON)
    assert await other.pace("s|po|in") == (learnt, NOON)
    await other.keep_pace("s|po|in", crowded, at=later(1))
    assert await ledger.pace("s|po|in") == (crowded, later(1))
    assert await ledger.pace("s|po|IN") is None


async def test_runs_come_in_the_order_in_which_they_were_opened(ledger: Ledger) -> None:
    """The last one is what `resume` means, also where the clock was set back before it began."""
    for name, seconds in [("b", 2), ("c", 0), ("a", 1)]:
        await ledger.open_run(a_run(name, at=later(seconds)))
    assert [run.id for run in await ledger.runs()] == ["b", "c", "a"]
    assert [run.id for run in await ledger.runs(last=2)] == ["c", "a"]
    assert await ledger.runs(last=0) == []
    for name, code in (("c", 3), ("b", 0)):
        await ledger.end_run(RunId(name), code, later(9))
    assert [run.id for run in await ledger.runs(undone=True)] == ["c", "a"]
    assert [run.id for run in await ledger.runs(last=1, undone=True)] == ["a"]


async def test_old_runs_are_read_page_by_page(ledger: Ledger) -> None:
    """Whoever needs the newest of a hundred thousand does not read them all."""
    for name in "abcde":
        await ledger.open_run(a_run(name))
    await ledger.end_run(RunId("c"), 0, later(1))

    async def names(before: str, **how: Any) -> str:
        return "".join(run.id for run in await ledger.runs(before=RunId(before), **how))

    assert await names("d", last=2) == "bc"
    assert await names("b", last=2) == "a"
    assert await names("a") == ""
    assert await names("e", undone=True) == "abd"
    with pytest.raises(LookupError):
        await names("z")


async def test_runs_are_found_by_the_beginning_of_their_id(ledger: Ledger) -> None:
    """As a person types it; nothing in it is a pattern."""
    for name in ("20260102-120000-b", "20260101-120000-a", "20260102-120000-a", "2026%", "𝕏"):
        await ledger.open_run(a_run(name))

    async def found(beginning: str) -> list[str]:
        return [run.id for run in await ledger.runs_named(beginning)]

    assert await found("20260102") == ["20260102-120000-b", "20260102-120000-a"]
    assert await found("2026%") == ["2026%"]
    assert await found("2026_") == []
    assert await found("𝕏") == ["𝕏"]
    assert len(await found("")) == 5


async def test_runs_are_found_by_their_lists(ledger: Ledger) -> None:
    """By a part of a path, in any letter case; nothing in it is a pattern, nor JSON."""
    lists = {"a": "in/Night_1.csv", "b": 'say "5%".csv', "c": "夜间/单.csv", "d": "x\\y.csv"}
    for name, job in lists.items():
        await ledger.open_run(replace(a_run(name), jobs=("more.csv", job)))

    async def found(words: str, **how: Any) -> str:
        return "".join(run.id for run in await ledger.runs_called(words, **{"last": 9, **how}))

    assert await found("night_1") == "a"
    assert await found("in/") == "a"
    assert await found("night%1") == ""
    assert await found('"5%"') == "b"
    assert await found('","') == ""
    assert await found("单") == "c"
    assert await found("x\\y") == "d"
    assert await found("more") == "abcd"
    assert await found("more", last=2) == "cd"
    assert await found("more", last=2, before=RunId("c")) == "ab"
    assert await found("night", ids=[RunId("c"), RunId("z")]) == "ac"


async def test_runs_of_one_command_are_found_by_it(ledger: Ledger) -> None:
    """Those that were begun alone are in no group, and none is named ""."""
    for name, group in (("b", "b"), ("x", ""), ("a", "b"), ("y", "y")):
        await ledger.open_run(replace(a_run(name), group=RunId(group)))
    assert [run.id for run in await ledger.runs_begun_with("b")] == ["b", "a"]
    assert await ledger.runs_begun_with("") == []


async def test_a_glance_shows_the_last_run_of_each_route_and_what_is_not_settled(
    ledger: Ledger,
) -> None:
    """What pages and figures of many tenants need, and no more of a long history."""
    other = replace(a_run().route, name="other")
    exits = [("a", 4), ("b", 0), ("c", 3), ("d", 5), ("e", 3), ("f", 0), ("g", None)]
    for name, code in exits:
        run = a_run(name)
        await ledger.open_run(replace(run, route=other) if name == "f" else run)
        await ledger.add(run.id, lines("A B"))
        if code is not None:
            await ledger.end_run(run.id, code, later(1))

    async def seen(among: int) -> str:
        (found,) = (await ledger.glances(["s"], among=among)).values()
        for each in found:
            assert each.run == await ledger.run(each.run.id)
            assert each.counts == await ledger.counts(each.run.id) == {State.PLANNED: 2}
        return "".join(each.run.id for each in found)

    assert await seen(100) == "adfg"
    assert await seen(5) == "dfg"
    assert await seen(2) == "fg"
    await ledger.end_run(RunId("g"), 0, later(1))
    assert await seen(1) == "g"
    assert await seen(0) == ""


async def test_a_run_without_rows_is_seen_in_a_glance(ledger: Ledger) -> None:
    """Its list may not be read yet."""
    await ledger.open_run(a_run())
    assert await ledger.glances(["s"], among=9) == {"s": [Glance(a_run(), {})]}


async def test_a_later_ending_overwrites_an_earlier_one(ledger: Ledger) -> None:
    """A run that was resumed ended when its last execution did."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.end_run(run.id, 5, later(1))
    await ledger.end_run(run.id, 0, later(9))
    assert await ledger.run(run.id) == replace(run, exit=0, ended_at=later(9))


async def test_a_run_under_way_has_no_ending(ledger: Ledger) -> None:
    """A killed execution must not look as if it had ended like the one before it."""
    run = a_run()
    await ledger.open_run(run)
    await ledger.end_run(run.id, 5, later(1))
    async with ledger.own(run.id):
        assert await ledger.run(run.id) == run


async def test_a_word_to_a_run_keeps_its_ending_and_its_commands(
    ledger: Ledger, other: Ledger
) -> None:
    """A person's word executes nothing, so the run that ended must not look killed after it."""
    run = await planned(ledger, "A B")
    async with ledger.own(run):
        await pushed(ledger, run, "A", State.UNKNOWN)
        await sent(ledger, run, "B")
    await ledger.end_run(run, 4, later(3))
    given = await ledger.command(run, Command(Verb.PAUSE), at=later(4))
    async with other.own(run, executes=False):
        assert await ledger.is_alive(run)
        with pytest.raises(RunIsAliveError):
            async with ledger.own(run, executes=False):
                pass
        # What the dead left behind is put in order all the same.
        assert await other.counts(run) == {State.UNKNOWN: 2}
    kept = await ledger.run(run)
    assert kept is not None
    assert (kept.exit, kept.ended_at) == (4, later(3))
    assert [each.id for each in await ledger.commands(run)] == [given]


async def test_a_run_has_one_executor(ledger: Ledger, other: Ledger) -> None:
    """Two would claim, for one run, the same numbers."""
    run = await planned(ledger, "A")
    async with ledger.own(run):
        for process in (other, ledger):
            with refused(RunIsAliveError, "r1"):
                async with process.own(run):
                    pass


async def test_everybody_sees_whether_a_run_is_alive(ledger: Ledger, other: Ledger) -> None:
    """Its own process included, and asking changes nothing."""
    run = await planned(ledger, "A")
    assert not await other.is_alive(run)
    async with ledger.own(run):
        assert await ledger.is_alive(run)
        assert await other.is_alive(run)
        assert await other.is_alive(run)
    assert not await ledger.is_alive(run)
    assert not await other.is_alive(run)


async def test_a_run_is_free_after_its_executor_failed(ledger: Ledger, other: Ledger) -> None:
    """However the block is left, another process may go on at once."""
    run = await planned(ledger, "A")
    with suppress(ZeroDivisionError):
        async with ledger.own(run):
            raise ZeroDivisionError
    with anyio.CancelScope() as scope:
        async with ledger.own(run):
            scope.cancel()
            await anyio.sleep_forever()
    async with other.own(run):
        assert await ledger.is_alive(run)


async def test_what_a_dead_executor_had_sent_becomes_unknown(ledger: Ledger, other: Ledger) -> None:
    """The ERP may have acted, so only settling may touch these numbers."""
    run = await planned(ledger, "A B C")
    async with ledger.own(run):
        await sent(ledger, run, "A B")
    assert await states(other, run) == {"A": State.SENT, "B": State.SENT, "C": State.PLANNED}
    async with other.own(run):
        assert await other.counts(run) == {State.UNKNOWN: 2, State.PLANNED: 1}
        row = (await other.rows(run))[0]
        assert (row.state, row.code, row.attempts) == (State.UNKNOWN, "killed", 1)
        assert "ended before" in english(row.reason)
        (kept,) = await other.attempts_of(row.bill)
        assert (kept.exchange, kept.ended_at) == (None, None)
        assert "ended before" in english(kept.verdict)


async def test_the_attempt_of_a_dead_executor_is_closed(ledger: Ledger, other: Ledger) -> None:
    """Its numbers may be travelling again, and an old answer says nothing about that."""
    run = await planned(ledger, "A")
    attempt = await sent(ledger, run, "A")
    async with other.own(run):
        with pytest.raises(IllegalMoveError):
            await ledger.record(attempt, ANSWER, "", outcomes("A", State.PUSHED), at=later(1))
        assert await states(ledger, run) == {"A": State.UNKNOWN}


async def test_what_a_dead_executor_had_recorded_stays(ledger: Ledger, other: Ledger) -> None:
    """Only open attempts are in doubt."""
    run = await planned(ledger, "A")
    await pushed(ledger, run, "A")
    before = await ledger.attempts_of(numbers("A")[0])
    async with other.own(run):
        assert await states(other, run) == {"A": State.PUSHED}
        assert await other.attempts_of(numbers("A")[0]) == before


async def test_a_new_executor_gives_up_claims_of_numbers_never_sent(
    ledger: Ledger, other: Ledger
) -> None:
    """Another run may have them; those in doubt stay claimed."""
    run = await planned(ledger, "A B")
    second = await planned(ledger, "A B", "r2")
    async with ledger.own(run):
        await ledger.claim(run, numbers("A B"))
        await ledger.begin(intent(run, "B"))
    async with ledger.own(run), other.own(second):
        held = await other.claim(second, numbers("A B"))
        assert held == {numbers("B")[0]: Holder(run, alive=True)}


async def test_spans_are_those_of_recorded_calls_that_have_left(
    ledger: Ledger, other: Ledger
) -> None:
    """A plan takes its pace from them; an attempt that is open has no length yet."""
    run = await planned(ledger, "A B C")
    first = await sent(ledger, run, "A", chunk=1)
    await sent(ledger, run, "B", chunk=2)
    unsent = await sent(ledger, run, "C", chunk=3)
    await ledger.record(first, ANSWER, "finished", outcomes("A", State.PUSHED), at=later(3))
    never = NeverSent("connection refused")
    await ledger.record(unsent, never, "never sent", outcomes("C", State.PLANNED), at=later(3))
    assert await other.spans(run) == [(first.intent.began_at, later(3))]
    with pytest.raises(LookupError):
        await ledger.spans(RunId("r9"))
