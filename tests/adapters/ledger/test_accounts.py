"""A ledger that two accounts share: neither sees nor moves what is the other's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from k3push.core.control_words import Command, Verb
from k3push.core.model import BillNumber, FolderFile, RunId, State
from k3push.core.pacing.server_model import FittedServer, Learnt
from k3push.ports import Ledger, OtherSpellingError
from tests.adapters.ledger.samples import (
    ANSWER,
    NOON,
    OTHER_ACCOUNT,
    a_run,
    identified,
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
from tests.shares import shared_out

pytestmark = pytest.mark.anyio

A, B, C = numbers("A B C")
THEIRS = RunId("t1")
SCOPE = f"{OTHER_ACCOUNT}|po|in"


async def in_doubt(ledger: Ledger, run: RunId) -> None:
    """Leave a number of a run in doubt, with a note and a command."""
    await pushed(ledger, run, "A", State.UNKNOWN)
    await ledger.conclude(run, outcomes("B", State.REJECTED), at=later(2), note="looked")
    await ledger.command(run, Command(Verb.PAUSE), at=later(3))


async def both(ledger: Ledger, theirs: Ledger) -> RunId:
    """Leave one number of each account in doubt; return our run."""
    ours = await planned(ledger, "A B")
    await in_doubt(ledger, ours)
    await planned(theirs, "A B", THEIRS, SCOPE)
    await in_doubt(theirs, THEIRS)
    return ours


async def test_each_account_sees_its_own(ledger: Ledger, theirs: Ledger) -> None:
    """They are different companies, and their bills have the same numbers."""
    ours = await both(ledger, theirs)
    for mine, run in ((ledger, ours), (theirs, THEIRS)):
        assert [each.id for each in await mine.runs()] == [run]
        assert [each.id for each in await mine.runs_named("")] == [run]
        called = await mine.runs_called("orders", ids=[ours, THEIRS], last=9)
        assert [each.id for each in called] == [run]
        assert [of for of, _ in await mine.rows_of(A)] == [run]
        assert [kept.attempt.intent.run for kept in await mine.attempts_of(A)] == [run]
        assert [note.run for note in await mine.notes_of(B)] == [run]


async def test_runs_of_one_command_are_of_one_account(ledger: Ledger, theirs: Ledger) -> None:
    """Ids of commands are told by clocks, which two companies share."""
    for mine, name, scope in ((ledger, "a", "s|po|in"), (theirs, "b", SCOPE)):
        await mine.open_run(replace(a_run(name, scope), group=RunId("g")))
    assert [run.id for run in await ledger.runs_begun_with("g")] == ["a"]
    assert [run.id for run in await theirs.runs_begun_with("g")] == ["b"]


async def test_a_glance_tells_of_the_accounts_that_are_named(
    ledger: Ledger, theirs: Ledger
) -> None:
    """Also where they are not the ledger's own, and of no others."""
    ours = await both(ledger, theirs)
    for accounts in (["s"], ["t"], ["s", "t", "nobody"], []):
        seen = await ledger.glances(accounts, among=9)
        told = {account: [each.run.id for each in found] for account, found in seen.items()}
        known = {"s": [ours], "t": [THEIRS]}
        assert told == {account: known.get(account, []) for account in accounts}


async def test_the_accounts_that_have_a_number_are_found_among_those_that_are_named(
    ledger: Ledger, theirs: Ledger
) -> None:
    """Also where they are not the ledger's own, and no others."""
    await both(ledger, theirs)
    await planned(theirs, "C", RunId("t2"), SCOPE)
    for asked in (ledger, theirs):
        for accounts in (["s"], ["t"], ["s", "t", "nobody"], []):
            known = {"s", "t"}.intersection(accounts)
            assert set(await asked.accounts_with(A, accounts)) == known
            assert set(await asked.accounts_with(C, accounts)) == known - {"s"}
            assert set(await asked.accounts_with(BillNumber("AB"), accounts)) == set()


VERBS: dict[str, Callable[[Ledger], Awaitable[Any]]] = {
    "runs": lambda ledger: ledger.runs(before=THEIRS),
    "runs_called": lambda ledger: ledger.runs_called("orders", last=9, before=THEIRS),
    "rows": lambda ledger: ledger.rows(THEIRS),
    "counts": lambda ledger: ledger.counts(THEIRS),
    "repeats": lambda ledger: ledger.repeats(THEIRS),
    "target_count": lambda ledger: ledger.target_count(THEIRS),
    "twins": lambda ledger: ledger.twins(THEIRS),
    "made_of": lambda ledger: ledger.made_of(THEIRS, dict.fromkeys([A], "")),
    "made_by": lambda ledger: ledger.made_by(THEIRS),
    "lately_sent": lambda ledger: ledger.lately_sent(THEIRS, dict.fromkeys([A, B], ""), NOON),
    "doubts": lambda ledger: ledger.doubts(THEIRS),
    "next_chunk": lambda ledger: ledger.next_chunk(THEIRS),
    "attempts_in": lambda ledger: ledger.attempts_in(THEIRS),
    "notes_in": lambda ledger: ledger.notes_in(THEIRS),
    "attempt_count": lambda ledger: ledger.attempt_count(THEIRS),
    "spans": lambda ledger: ledger.spans(THEIRS),
    "commands": lambda ledger: ledger.commands(THEIRS),
    "command": lambda ledger: ledger.command(THEIRS, Command(Verb.STOP), at=later(9)),
    "end_run": lambda ledger: ledger.end_run(THEIRS, 0, later(9)),
    "close_list": lambda ledger: ledger.close_list(THEIRS),
    "add": lambda ledger: ledger.add(THEIRS, lines("C")),
    "identify": lambda ledger: ledger.identify(THEIRS, identified({A: B})),
    "take": lambda ledger: ledger.take(FolderFile("/inbox", "a.csv", "00ff"), THEIRS),
    "claim": lambda ledger: ledger.claim(THEIRS, numbers("C")),
    "begin": lambda ledger: ledger.begin(intent(THEIRS, "B")),
    "conclude": lambda ledger: ledger.conclude(
        THEIRS, outcomes("A", State.PUSHED), at=later(9), note="a person"
    ),
    "put_off": lambda ledger: ledger.put_off(THEIRS, outcomes("A", State.PLANNED)),
    "amend": lambda ledger: ledger.amend(
        THEIRS, outcomes("A", State.PUSHED), at=later(9), note="looked"
    ),
    "own": lambda ledger: ledger.own(THEIRS).__aenter__(),
}


async def everything(ledger: Ledger) -> list[object]:
    """Return what the other account sees of its run."""
    return [
        await ledger.run(THEIRS),
        await ledger.rows(THEIRS),
        await ledger.counts(THEIRS),
        await ledger.doubts(THEIRS),
        await ledger.commands(THEIRS),
        await ledger.attempts_in(THEIRS),
        await ledger.notes_in(THEIRS),
        await ledger.taker_of(FolderFile("/inbox", "a.csv", "00ff")),
    ]


@pytest.mark.parametrize("verb", shared_out(VERBS, 2))
async def test_a_run_of_another_account_is_not_there(
    ledger: Ledger, theirs: Ledger, verb: str
) -> None:
    """A word to one account's number never moves the other's row."""
    await both(ledger, theirs)
    before = await everything(theirs)
    with pytest.raises(LookupError):
        await VERBS[verb](ledger)
    assert await everything(theirs) == before


async def test_an_executor_of_another_account_is_not_alive(ledger: Ledger, theirs: Ledger) -> None:
    """Nor does it keep a run of ours from anything."""
    ours = await both(ledger, theirs)
    async with theirs.own(THEIRS), ledger.own(ours):
        assert await ledger.run(THEIRS) is None
        assert not await ledger.is_alive(THEIRS)
        assert await theirs.is_alive(THEIRS)
        assert await ledger.is_alive(ours)


async def test_an_attempt_of_another_account_is_not_recorded(
    ledger: Ledger, theirs: Ledger
) -> None:
    """Its rows would move."""
    await planned(theirs, "A", THEIRS, SCOPE)
    attempt = await sent(theirs, THEIRS, "A")
    with pytest.raises(LookupError):
        await ledger.record(attempt, ANSWER, "", outcomes("A", State.PUSHED), at=later(1))
    assert await states(theirs, THEIRS) == {"A": State.SENT}


async def test_a_command_to_another_account_is_not_obeyed(ledger: Ledger, theirs: Ledger) -> None:
    """Whoever gave it waits for his own executor."""
    await planned(theirs, "A", THEIRS, SCOPE)
    command = await theirs.command(THEIRS, Command(Verb.STOP), at=later(1))
    await ledger.obeyed(command, at=later(2), on_their_way=0)
    (kept,) = await theirs.commands(THEIRS)
    assert kept.obeyed_at is None


async def test_a_run_is_opened_for_the_account_of_the_ledger(
    ledger: Ledger, theirs: Ledger
) -> None:
    """Else it would vanish as soon as it is there; and an id is given once for all accounts."""
    with pytest.raises(ValueError, match=OTHER_ACCOUNT):
        await ledger.open_run(a_run("r2", SCOPE))
    await ledger.open_run(a_run())
    with pytest.raises(ValueError, match="r1"):
        await theirs.open_run(a_run(scope=SCOPE))
    assert await theirs.runs() == []


async def test_an_account_in_other_letter_case_is_refused(ledger: Ledger) -> None:
    """Else the ledger would not know what it has pushed on that account."""
    await ledger.open_run(a_run())
    spelt = ledger.of_account("S")
    with pytest.raises(OtherSpellingError) as refusal:
        await spelt.open_run(a_run("r2", "S|po|in"))
    assert refusal.value.known == "s"
    assert not await spelt.runs()


async def test_a_folder_may_be_watched_for_two_accounts(ledger: Ledger, theirs: Ledger) -> None:
    """What one has taken is new to the other."""
    file = FolderFile("/inbox", "a.csv", "00ff")
    ours = await planned(ledger, "A")
    await planned(theirs, "A", THEIRS, SCOPE)
    await ledger.take(file, ours)
    assert await theirs.taker_of(file) is None
    await theirs.take(file, THEIRS)
    assert await theirs.taker_of(replace(file)) == THEIRS
    assert await ledger.taker_of(file) == ours


async def test_a_pace_is_its_accounts_own(ledger: Ledger, theirs: Ledger) -> None:
    """What one server bears says nothing of another."""
    learnt = Learnt(FittedServer(0.5, 0.01), 16)
    await theirs.keep_pace(SCOPE, learnt, at=NOON)
    assert await theirs.pace(SCOPE) == (learnt, NOON)
    assert await ledger.pace(SCOPE) is None
    with pytest.raises(ValueError, match=OTHER_ACCOUNT):
        await ledger.keep_pace(SCOPE, learnt, at=NOON)


async def test_one_handle_serves_two_accounts(ledger: Ledger) -> None:
    """A worker of a fleet has one set of connections for all its tenants."""
    theirs = ledger.of_account(OTHER_ACCOUNT)
    ours = await planned(ledger, "A")
    await planned(theirs, "A", THEIRS, SCOPE)
    async with ledger.own(ours), theirs.own(THEIRS):
        await pushed(ledger, ours, "A")
        await pushed(theirs, THEIRS, "A", State.REJECTED)
    assert await states(ledger, ours) == {"A": State.PUSHED}
    assert await states(theirs, THEIRS) == {"A": State.REJECTED}
    assert await ledger.made_of(ours, dict.fromkeys([BillNumber("A")], "")) == {}
