from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k3push.adapters.ledger.postgres import open_postgres
from k3push.adapters.ledger.sqlite import open_sqlite
from k3push.core.control_words import Command, Key, Verb
from k3push.core.model import (
    TWIN,
    Attempt,
    BillNumber,
    Identified,
    Listed,
    NeverSent,
    Outcome,
    RunId,
    State,
    Target,
    id_in,
    number_in,
)
from k3push.core.safety.legal_moves import SENT_BEFORE, IllegalMoveError
from k3push.ports import Ledger, RunIsAliveError
from tests.adapters.ledger.samples import ACCOUNT, NOON, a_run, identified, intent, later
from tests.memory_ledger.ledger import MemoryLedger

NUMBERS = [BillNumber(name) for name in ("A", "a", "B", "b", "C", "A,1", ",2", "A,2")]
# Two bills have the number A; whether that is known differs from look to look.
BILLS = [
    *(Identified(BillNumber(key), key[-1]) for key in ("A,1", "A,2")),
    *(Identified(BillNumber("A"), id_) for id_ in ("1", "2")),
    *(Identified(BillNumber("B"), id_) for id_ in ("3", "1")),
    Identified(BillNumber("C"), "4"),
]
KEYS = [BillNumber(name) for name in ("A", "B", "C", "A,1", "A,2")]
LATELY = {BillNumber("A"): "1", BillNumber("B"): "2", BillNumber("C"): "3"}
RUNS = [RunId("r1"), RunId("r2")]
SCOPE = a_run().scope
FIRST = NUMBERS[:5]
SPELLED = identified({number: BillNumber(number.upper()) for number in FIRST})


@dataclass
class Player:
    """Takes steps on one ledger, and tells what each came to."""

    ledger: Ledger
    owned: dict[RunId, AbstractAsyncContextManager[None]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

    async def take(self, step: Step) -> object:
        """Take a step; return its value, or the kind of its refusal."""
        try:
            return await step(self)
        except (IllegalMoveError, RunIsAliveError) as refused:
            return type(refused)

    async def own(self, run: RunId, *, executes: bool = True) -> None:
        """Begin to own a run, or end it."""
        if run in self.owned:
            await self.owned.pop(run).__aexit__(None, None, None)
        else:
            block = self.ledger.own(run, executes=executes)
            await block.__aenter__()
            self.owned[run] = block

    async def send(self, run: RunId, names: Sequence[BillNumber], sender: str) -> Attempt:
        """Begin an attempt, whether the run may or not."""
        chunk = await self.ledger.next_chunk(run)
        meant = intent(run, " ".join(names), chunk=chunk, sender=sender)
        attempt = await self.ledger.begin(meant)
        self.attempts.append(attempt)
        return attempt

    async def record(self, back: int, state: State, *, keep: bool) -> None:
        """Record one of the last attempts, perhaps again."""
        if len(self.attempts) < back:
            return
        attempt = self.attempts[-back]
        outcomes = [outcome(number, state) for number in attempt.intent.numbers]
        await self.ledger.record(
            attempt, NeverSent("refused"), "x", outcomes, at=later(1), keep_claims=keep
        )

    async def everything(self) -> object:
        """Return all that can be seen of the ledger."""
        seen: list[object] = [await self.ledger.runs()]
        for run in RUNS:
            rows = await self.ledger.rows(run)
            halves = [await self.ledger.rows(run, states=[state]) for state in State]
            assert sorted(row.place for half in halves for row in half) == [r.place for r in rows]
            counts = await self.ledger.counts(run)
            assert counts == {row.state: sum(r.state == row.state for r in rows) for row in rows}
            seen += [rows, counts, await self.ledger.repeats(run), await self.ledger.doubts(run)]
            seen += [await self.ledger.commands(run)]
            seen += [await self.ledger.is_alive(run), await self.ledger.attempt_count(run)]
            seen += [await self.ledger.target_count(run)]
            seen.append(await self.ledger.spans(run))
            seen.append(await self.ledger.twins(run))
            seen.append(await self.ledger.made_of(run, dict.fromkeys(NUMBERS, "")))
            seen.append(await self.ledger.in_hand(run, ["1", "2", "3", "4"]))
            seen.append(await self.ledger.lately_sent(run, LATELY, NOON))
            seen.append(await self.ledger.made_in(SCOPE, dict.fromkeys(NUMBERS, "")))
            seen.append(await self.ledger.made_in(SCOPE, {key: id_in(key) for key in KEYS}))
            seen.append(await self.ledger.made_of_namesakes(SCOPE, KEYS))
            seen += [await self.ledger.made_by(run, sender) for sender in (None, "push", "甲")]
            seen.append(await self.ledger.made_by(run, limit=1))
        for number in NUMBERS:
            seen.append(await self.ledger.attempts_of(number))
            seen.append(await self.ledger.notes_of(number))
            seen.append(await self.ledger.rows_of(number))
            seen.append(sorted(await self.ledger.accounts_with(number, ["s", "nobody"])))
        return seen


Step = Callable[[Player], Awaitable[object]]


def add(run: RunId, names: Sequence[BillNumber]) -> Step:
    """List numbers."""
    listed = [
        Listed(line, number_in(name), id=id_in(name)) for line, name in enumerate(names, start=1)
    ]
    return lambda player: player.ledger.add(run, listed)


def identify(run: RunId, bills: Mapping[BillNumber, Identified]) -> Step:
    """Spell numbers."""
    return lambda player: player.ledger.identify(run, bills)


def documents(number: BillNumber, state: State, count: int = 1) -> tuple[Target, ...]:
    """Return what was made of a number."""
    made = range(count if state in SENT_BEFORE else 0)
    return tuple(Target(f"{number}-{nth}", f"CGRK-{number}{nth}") for nth in made)


def outcome(number: BillNumber, state: State) -> Outcome:
    """Return what became of a number."""
    return Outcome(number, state, documents(number, state))


def own(run: RunId, *, executes: bool = True) -> Step:
    """Begin or end to own a run."""
    return lambda player: player.own(run, executes=executes)


def claim(run: RunId, names: Sequence[BillNumber]) -> Step:
    """Claim numbers."""
    return lambda player: player.ledger.claim(run, names)


def send(run: RunId, names: Sequence[BillNumber], sender: str) -> Step:
    """Send numbers."""
    return lambda player: player.send(run, names, sender)


def record(back: int, state: State, *, keep: bool) -> Step:
    """Record an attempt."""
    return lambda player: player.record(back, state, keep=keep)


def command(run: RunId, value: int) -> Step:
    """Leave a command."""
    what = Command(Verb.SET, Key.CONCURRENCY, value)
    return lambda player: player.ledger.command(run, what, at=later(3))


def obeyed(number: int) -> Step:
    """Say that a command was obeyed, whether there is one or not."""
    return lambda player: player.ledger.obeyed(number, at=later(4), on_their_way=number)


def conclude(run: RunId, outcomes: Sequence[Outcome]) -> Step:
    """Move rows apart from an attempt."""
    return lambda player: player.ledger.conclude(run, outcomes, at=later(2), note="looked")


def put_off(run: RunId, numbers: Sequence[BillNumber]) -> Step:
    """Say of rows that wait what for."""
    told = [
        Outcome(number, state, code="held", reason="why")
        for number in numbers
        for state in (State.PLANNED, State.UNKNOWN, State.PUSHED)
    ]
    return lambda player: player.ledger.put_off(run, told)


def amend(run: RunId, number: BillNumber, state: State, count: int) -> Step:
    """Add documents to a row, or take some away."""
    told = [Outcome(number, state, documents(number, state, count), TWIN)]
    return lambda player: player.ledger.amend(run, told, at=later(5), note="looked again")


run_ids = st.sampled_from(RUNS)
numbers = st.sampled_from(NUMBERS)
bills = st.sampled_from(KEYS)
outcomes = st.lists(st.builds(outcome, numbers, st.sampled_from(State)), min_size=1, max_size=2)
some_bills = st.lists(bills, min_size=1, max_size=2)
steps = st.one_of(
    st.builds(add, run_ids, st.lists(numbers, min_size=1, max_size=4)),
    st.builds(identify, run_ids, st.dictionaries(numbers, st.sampled_from(BILLS), min_size=1)),
    st.builds(own, run_ids, executes=st.booleans()),
    st.builds(claim, run_ids, some_bills),
    st.builds(send, run_ids, some_bills, st.sampled_from(["push", "甲"])),
    st.builds(amend, run_ids, bills, st.sampled_from(sorted(SENT_BEFORE)), st.integers(0, 2)),
    st.builds(record, st.integers(1, 2), st.sampled_from(State), keep=st.booleans()),
    st.builds(conclude, run_ids, outcomes),
    st.builds(put_off, run_ids, st.lists(bills, max_size=3)),
    st.builds(command, run_ids, st.integers(1, 256)),
    st.builds(obeyed, st.integers(1, 3)),
)
BEGINNING = [
    *(add(run, FIRST) for run in RUNS),
    *(identify(run, SPELLED) for run in RUNS),
    own(RUNS[0]),
    claim(RUNS[0], FIRST[::2]),
]


async def compare(ledgers: Sequence[Ledger], taken: Sequence[Step], *, always: bool) -> None:
    """Take the same steps on ledgers, and compare what each tells; *always* or at the end."""
    players = [Player(ledger) for ledger in ledgers]
    for player in players:
        for run in RUNS:
            await player.ledger.open_run(a_run(run))
    for step in taken:
        one, other = [await player.take(step) for player in players]
        assert one == other
        if always:
            one, other = [await player.everything() for player in players]
            assert one == other
    one, other = [await player.everything() for player in players]
    assert one == other
    for player in players:
        for run in tuple(player.owned):
            await player.own(run)


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.booleans(), st.lists(steps, max_size=25))
def test_ledgers_agree_on_whatever_is_asked_of_them(begun: bool, taken: list[Step]) -> None:  # noqa: FBT001
    """Simulations run on memory, people on SQLite: what is proved of one must hold for both."""

    async def compare_both() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with open_sqlite(Path(folder) / "ledger.db", account=ACCOUNT) as sqlite:
                all_steps = [*(BEGINNING if begun else []), *taken]
                await compare([MemoryLedger(account=ACCOUNT), sqlite], all_steps, always=True)

    anyio.run(compare_both, backend="trio")


# Each example begins with a new schema in the same database.
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(taken=st.lists(steps, max_size=25))
def test_postgres_agrees_as_well(postgres_url: str, taken: list[Step]) -> None:
    """What is proved of one ledger must hold for the one that many machines share."""

    async def compare_both() -> None:
        async with open_postgres(postgres_url, account=ACCOUNT) as postgres:
            await compare(
                [MemoryLedger(account=ACCOUNT), postgres], [*BEGINNING, *taken], always=False
            )

    with psycopg.connect(postgres_url) as connection:
        connection.execute("DROP SCHEMA IF EXISTS k3push CASCADE")
    anyio.run(compare_both)
