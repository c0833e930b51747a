"""Draws what two processes may ask of ledgers, and compares what these tell.

    python -m tests.adapters.ledger.drawn --first 1 --seeds 2000
    python -m tests.adapters.ledger.drawn --first 1 --seeds 200 --postgres

A seed draws one sequence: runs of two scopes and two accounts, numbers that begin alike, bills that
share numbers and ids, takings-over, archives, documents and their steps. Where a verb is to be
taken up, what it is about is chosen from what the ledger says, which is the same in each of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import anyio

from k3push.core.control_words import Command, Verb
from k3push.core.model import (
    PARTLY,
    TWIN,
    Answered,
    Archive,
    Attempt,
    BillNumber,
    Document,
    Exchange,
    FolderFile,
    Follow,
    Identified,
    Intent,
    Listed,
    NeverSent,
    NoAnswer,
    Outcome,
    Row,
    Run,
    RunId,
    State,
    Step,
    StepAttempt,
    StepIntent,
    StepsSoFar,
    Target,
    id_in,
    key_of,
)
from k3push.core.safety.legal_moves import MOVES, SENT_BEFORE, IllegalMoveError
from k3push.ports import (
    Ledger,
    Memo,
    Note,
    OtherRunStepsError,
    RunIdTakenError,
    RunIsAliveError,
    RunIsArchivedError,
)
from tests.adapters.ledger.players import open_ledger
from tests.adapters.ledger.samples import ROUTE, UPTIME, later
from tests.memory_ledger.ledger import MemoryLedger
from tests.postgres import PostgresServer, database_with_ledger

SCOPES = {"r1": "s|po|in", "r2": "s|po|in", "r3": "s|so|in", "r4": "t|po|in"}
RUNS = [RunId(run) for run in SCOPES]
NAMES = ["A", "a", "B", "A!", "A B", "A-1", "甲"]
LINES = [*(key_of(name) for name in NAMES), key_of("A", "1"), key_of("", "2")]
BILLS = [key_of(name, id_) for name in NAMES for id_ in ("", "1", "2", "3")]
NAMED = {State.PUSHED, State.DRAFT, State.ALREADY}
CODES = [*[""] * 12, TWIN, PARTLY, "4"]
OF_RUN = (
    "run",
    "rows",
    "repeats",
    "counts",
    "doubts",
    "commands",
    "is_alive",
    "attempt_count",
    "target_count",
    "spans",
    "twins",
    "partly",
    "next_chunk",
    "documents",
    "document_counts",
    "attempts_in",
    "notes_in",
    "made_by",
)
"""Verbs that are given a run alone, and read."""

REFUSALS = (
    IllegalMoveError,
    LookupError,
    OtherRunStepsError,
    RunIdTakenError,
    RunIsAliveError,
    RunIsArchivedError,
)

Played = Callable[["Player"], Awaitable[object]]
"""What is taken on one ledger; it draws anew from its own seed, so that all draw the same."""


@dataclass
class Player:
    """Takes drawn steps on one ledger.

    Attributes:
        processes: What each of two processes sees.
    """

    processes: Sequence[Ledger]
    owned: dict[RunId, AbstractAsyncContextManager[None]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    steps: list[StepAttempt] = field(default_factory=list)
    so_far: StepsSoFar | None = None

    def of(self, run: RunId, rng: Random) -> Ledger:
        """Return the ledger as one of the processes sees it, for the account of a run."""
        return rng.choice(self.processes).of_account(SCOPES[run].partition("|")[0])

    async def take(self, step: Played) -> object:
        """Take a step; return its value, or that it was refused."""
        try:
            return await step(self)
        except REFUSALS:
            return "refused"


def _random(*of: object) -> Random:
    """Return what draws the same each time."""
    return Random(" ".join(map(str, of)))  # noqa: S311


def _outcome(rng: Random, bill: BillNumber, state: State) -> Outcome:
    ids = rng.sample(range(1, 6), rng.randint(0, 3)) if state in NAMED else ()
    targets = tuple(Target(str(i), f"CGRK{i}", rng.random() < 0.2) for i in ids)
    return Outcome(bill, state, targets, rng.choice(CODES), rng.choice(["", "不满足", "a_b"]))


async def _some(player: Player, run: RunId, rng: Random, states: Sequence[State]) -> list[Row]:
    rows = [row for row in await player.of(run, rng).rows(run) if row.state in states]
    return rng.sample(rows, min(len(rows), rng.randint(1, 3)))


async def _open(player: Player, run: RunId, rng: Random) -> None:
    route, whole = replace(ROUTE, name=rng.choice("xy")), rng.random() < 0.3
    at, jobs = later(rng.randint(0, 3)), (rng.choice(["orders.csv", 'A%"b.csv']),)
    new = Run(run, SCOPES[run], route, jobs, "", at, whole=whole, group=rng.choice(["", "r1"]))
    await player.of(run, rng).open_run(new)


async def _add(player: Player, run: RunId, rng: Random) -> object:
    drawn = rng.sample(LINES, rng.randint(1, len(LINES)))
    lines = [
        Listed(nth, BillNumber(line.partition(",")[0]), id=id_in(line))
        for nth, line in enumerate(drawn, start=1)
    ]
    if rng.random() < 0.7:
        return await player.of(run, rng).add(run, lines)
    file = FolderFile("/in", rng.choice("ab"), "00")
    await player.of(run, rng).close_list(run, rest=lines, file=file)
    return None


async def _identify(player: Player, run: RunId, rng: Random) -> object:
    bills = {}
    for line in rng.sample(LINES, rng.randint(1, len(LINES))):
        id_ = id_in(line) or rng.choice(["1", "2", "3", "4", ""])
        number = line.partition(",")[0] or rng.choice(NAMES)
        if rng.random() < 0.3:
            number = rng.choice(NAMES)
        apart = rng.random() < 0.2
        bills[line] = Identified(key_of(number, id_ if apart else ""), id_)
    return await player.of(run, rng).identify(run, bills)


async def _own(player: Player, run: RunId, rng: Random) -> None:
    if run in player.owned:
        await player.owned.pop(run).__aexit__(None, None, None)
    else:
        block = player.of(run, rng).own(run, executes=rng.random() < 0.6)
        await block.__aenter__()
        player.owned[run] = block


async def _claim(player: Player, run: RunId, rng: Random) -> object:
    return await player.of(run, rng).claim(run, rng.sample(BILLS, rng.randint(1, 4)))


async def _push(player: Player, run: RunId, rng: Random) -> object:
    ledger = player.of(run, rng)
    rows = await _some(player, run, rng, [State.PLANNED])
    bills = [row.bill for row in rows if row.bill]
    held = await ledger.claim(run, bills) if rng.random() < 0.9 else {}
    numbers = tuple(bill for bill in bills if bill not in held)
    if numbers:
        before = {bill: (rng.choice("12"),) for bill in numbers if rng.random() < 0.4}
        chunk, at = await ledger.next_chunk(run), later(rng.randint(0, 30))
        sender = rng.choice(["push", "甲"])
        intent = Intent(run, chunk, 1, numbers, before, b"{}", at, UPTIME, sender)
        player.attempts.append(await ledger.begin(intent))
    return held, player.attempts[-1:]


async def _record(player: Player, _: RunId, rng: Random) -> None:
    if player.attempts:
        attempt = rng.choice(player.attempts[-3:])
        numbers = attempt.intent.numbers[int(rng.random() < 0.1) :]
        told = [_outcome(rng, each, rng.choice(sorted(MOVES[State.SENT]))) for each in numbers]
        said: Exchange = NoAnswer("y", timed_out=rng.random() < 0.5)
        if rng.random() < 0.5:
            said = Answered(200, b"{}") if rng.random() < 0.5 else NeverSent("x")
        at, keep = later(rng.randint(30, 60)), rng.random() < 0.4
        ledger = player.of(attempt.intent.run, rng)
        await ledger.record(attempt, said, "v", told, at=at, keep_claims=keep)


async def _conclude(player: Player, run: RunId, rng: Random) -> None:
    rows = await _some(player, run, rng, list(State))
    told = [
        _outcome(rng, row.key, rng.choice(sorted(MOVES[row.state] - {State.SENT}) or list(State)))
        for row in rows
    ]
    at = later(rng.randint(0, 60))
    await player.of(run, rng).conclude(run, told, at=at, note=rng.choice(["", "looked"]))


async def _amend(player: Player, run: RunId, rng: Random) -> None:
    told = []
    for row in await _some(player, run, rng, sorted(NAMED)):
        more = _outcome(rng, row.key, rng.choice(sorted(SENT_BEFORE)))
        kept = row.targets if rng.random() < 0.8 else ()
        targets = {target.id: target for target in (*more.targets, *kept)}
        told.append(more._replace(targets=tuple(targets.values())))
    await player.of(run, rng).amend(run, told, at=later(61), note="looked again")


async def _put_off(player: Player, run: RunId, rng: Random) -> None:
    rows = await _some(player, run, rng, list(State))
    told = [Outcome(row.key, rng.choice([row.state, State.PLANNED]), (), "held") for row in rows]
    await player.of(run, rng).put_off(run, told)


async def _end(player: Player, run: RunId, rng: Random) -> None:
    ledger = player.of(run, rng)
    for row in await ledger.rows(run):
        if row.state in {State.PLANNED, State.UNKNOWN}:
            ends = State.PUSHED if row.state is State.UNKNOWN else State.ALREADY
            ends = rng.choice([ends, State.REJECTED]) if row.state is State.PLANNED else ends
            told = _outcome(rng, row.key, ends)._replace(code="")
            await ledger.conclude(run, [told], at=later(62))
    done = [replace(each, follow=Follow.APPROVED) for each in await ledger.documents(run)]
    await ledger.follow(run, done, at=later(63))
    await ledger.close_list(run)
    await ledger.end_run(run, rng.choice([0, 3, 4]), later(rng.randint(64, 90)))
    await ledger.archive(run, Archive("x.gz", "00ff", later(91)))


async def _prune(player: Player, run: RunId, rng: Random) -> None:
    after: tuple[int, int] | None = (0, 0)
    while after is not None:
        after = await player.of(run, rng).prune(run, after=after, limit=rng.choice([1, 2, 500]))


async def _follow(player: Player, run: RunId, rng: Random) -> None:
    ids = rng.sample(range(1, 5), 2)
    documents = [Document(str(i), "N", rng.choice(list(Follow)), "why", 0, "p") for i in ids]
    ledger = player.of(run, rng)
    if rng.random() < 0.6:
        await ledger.enrol(run, documents, at=later(1))
    else:
        await ledger.follow(run, [replace(each, sender="") for each in documents], at=later(2))


async def _step(player: Player, run: RunId, rng: Random) -> object:
    ledger = player.of(run, rng)
    if rng.random() < 0.3:
        player.so_far = await ledger.steps_so_far()
    documents = await ledger.documents(run)
    ids = tuple(each.id for each in rng.sample(documents, min(2, len(documents))))
    intent = StepIntent(run, Step.SUBMIT, ids or ("9",), "A", b"{}", later(3), UPTIME, "push")
    player.steps.append(await ledger.begin_step(intent, after=player.so_far))
    return player.steps[-1]


async def _record_step(player: Player, _: RunId, rng: Random) -> None:
    if player.steps:
        attempt = rng.choice(player.steps[-2:])
        follow = rng.choice(list(Follow))
        told = [Document(id_, "N2", follow, "r") for id_ in attempt.intent.ids]
        ledger = player.of(attempt.intent.run, rng)
        await ledger.record_step(attempt, Answered(200, b"x"), "v", told, at=later(4))


async def _beside(player: Player, run: RunId, rng: Random) -> object:
    ledger = player.of(run, rng)
    memo = Memo(
        "k", rng.choice("xy"), later(rng.randint(0, 9)), {"v": "二"}, run, rng.random() < 0.5
    )
    match rng.randint(0, 3):
        case 0:
            return await ledger.remember(memo)
        case 1:
            return await ledger.revise(replace(memo, version=rng.randint(1, 2)))
        case 2:
            return await ledger.command(run, Command(Verb.PAUSE), at=later(5))
        case _:
            await ledger.obeyed(rng.randint(1, 3), at=later(6), on_their_way=1)
            return None


VERBS: Mapping[Callable[[Player, RunId, Random], Awaitable[object]], int] = {
    _open: 2,
    _add: 4,
    _identify: 7,
    _own: 5,
    _claim: 3,
    _push: 16,
    _record: 11,
    _conclude: 9,
    _amend: 4,
    _put_off: 3,
    _end: 3,
    _prune: 4,
    _follow: 4,
    _step: 4,
    _record_step: 3,
    _beside: 3,
}
"""What may be asked, and how often."""

BEGINNING = [(verb, run) for run in RUNS for verb in (_open, _add, _identify)]


def drawn(seed: int, length: int) -> list[tuple[str, Played]]:
    """Draw a sequence of steps, each with what it is called in a message."""
    rng = _random(seed)
    verbs = rng.choices(list(VERBS), list(VERBS.values()), k=length)
    runs = rng.choices(RUNS, (4, 4, 1, 1), k=length)
    asked = [*BEGINNING, *zip(verbs, runs, strict=True)]

    def played(nth: int) -> Played:
        verb, run = asked[nth]
        return lambda player: verb(player, run, _random(seed, nth))

    return [
        (f"{nth} {asked[nth][0].__name__} {asked[nth][1]}", played(nth))
        for nth in range(len(asked))
    ]


class _Seen(dict[str, object]):
    """What was asked, and what was told."""

    async def ask(self, what: str, asked: Awaitable[object]) -> None:
        """Ask, and keep the answer in a form that can be compared."""
        try:
            value = await asked
        except REFUSALS:
            value = "refused"
        if isinstance(value, set | frozenset):
            value = sorted(value)
        if isinstance(value, list):
            # Ids of notes that are gone are given out again, or not.
            value = [replace(each, id=0) if isinstance(each, Note) else each for each in value]
        self[what] = value


async def everything(player: Player, rng: Random) -> dict[str, object]:
    """Return what is to be seen of a ledger."""
    seen = _Seen()
    for run in (RUNS[0], RUNS[3]):
        await _see_account(seen, player.of(run, rng), rng, SCOPES[run].partition("|")[0])
    for run in RUNS:
        await _see_run(seen, player.of(run, rng), rng, run)
    return seen


async def _see_account(seen: _Seen, ledger: Ledger, rng: Random, account: str) -> None:
    await seen.ask(f"{account} runs", ledger.runs())
    await seen.ask(f"{account} undone", ledger.runs(undone=True, last=2))
    await seen.ask(f"{account} called", ledger.runs_called('%"', ids=[RUNS[2]], last=2))
    await seen.ask(f"{account} begun", ledger.runs_begun_with("r1"))
    await seen.ask(f"{account} glances", ledger.glances(["s", "t", "u"], among=2))
    await seen.ask(f"{account} due", ledger.due_for_archive(later(80)))
    await seen.ask(f"{account} steps", ledger.steps_so_far())
    await seen.ask(f"{account} memos", ledger.memos("k", about="r1", only_open=True))
    for scope in sorted(set(SCOPES.values())):
        known = {bill: rng.choice(["", "1", "2"]) for bill in BILLS}
        await seen.ask(f"{account} made_in {scope}", ledger.made_in(scope, known, or_found=True))
        await seen.ask(f"{account} namesakes {scope}", ledger.made_of_namesakes(scope, BILLS))
    for bill in rng.sample(BILLS, 8):
        await seen.ask(f"{account} attempts_of {bill}", ledger.attempts_of(bill))
        await seen.ask(f"{account} notes_of {bill}", ledger.notes_of(bill))
        await seen.ask(f"{account} rows_of {bill}", ledger.rows_of(bill))
        await seen.ask(f"{account} with {bill}", ledger.accounts_with(bill, ["s", "t", "u"]))
    for words in ("CGRK3", "a_b", "不", "A!"):
        await seen.ask(f"{account} find {words}", ledger.find_rows(words, limit=5))
    for id_ in ("1", "2", "3"):
        await seen.ask(f"{account} steps_of {id_}", ledger.steps_of(id_))
    await seen.ask(f"{account} long_steps", ledger.long_steps(later(0), longer_s=2.0))


async def _see_run(seen: _Seen, ledger: Ledger, rng: Random, run: RunId) -> None:
    for name in OF_RUN:
        await seen.ask(f"{run} {name}", getattr(ledger, name)(run))
    states = rng.sample(list(State), 3)
    await seen.ask(f"{run} page {states}", ledger.rows(run, states=states, after=1, limit=2))
    known = {bill: rng.choice(["", "1", "2"]) for bill in BILLS}
    await seen.ask(f"{run} made_of", ledger.made_of(run, known))
    await seen.ask(f"{run} lately_sent", ledger.lately_sent(run, known, later(10)))
    await seen.ask(f"{run} lost_calls", ledger.lost_calls(later(2), after=1))
    await seen.ask(f"{run} lost_before", ledger.lost_calls(later(2), after=0, before=9))
    await seen.ask(f"{run} last_successes", ledger.last_successes(after=0))
    await seen.ask(f"{run} successes_by", ledger.last_successes(after=0, until=later(9)))
    await seen.ask(f"{run} last_answered", ledger.last_answered(9, until=later(3), among=9))
    await seen.ask(f"{run} in_hand", ledger.in_hand(run, ["1", "2", "3", "4"]))
    await seen.ask(f"{run} fruitful", ledger.fruitful(run, range(1, 9)))
    await seen.ask(f"{run} waiting", ledger.documents(run, follows=[Follow.OPEN], after="1"))


async def differences(seed: int, places: Sequence[str], *, length: int = 60) -> list[str]:
    """Play a sequence on a ledger in memory and on those at *places*; say what they tell apart."""
    memory = MemoryLedger(account="s")
    async with AsyncExitStack() as opened:
        players = {"memory": Player([memory, memory.another_process()])}
        for place in places:
            ledgers = [
                await opened.enter_async_context(open_ledger(place, account="s")) for _ in range(2)
            ]
            players[place] = Player(ledgers)
        try:
            return await _played(seed, players, length)
        finally:
            for player in players.values():
                for block in player.owned.values():
                    await block.__aexit__(None, None, None)


async def _played(seed: int, players: Mapping[str, Player], length: int) -> list[str]:
    steps = drawn(seed, length)
    for nth, (name, step) in enumerate(steps, start=1):
        told = [await player.take(step) for player in players.values()]
        if wrong := [f"{name}: {each!r}, and not {told[0]!r}" for each in told if each != told[0]]:
            return wrong
        if nth % (length // 2) and nth < len(steps):
            continue
        first, *others = [
            await everything(player, _random(seed, nth)) for player in players.values()
        ]
        for other in others:
            wrong = [
                f"after {name}, {what}: {other[what]!r}, and not {first[what]!r}"
                for what in first
                if other[what] != first[what]
            ]
            if wrong:
                return wrong
    return []


def main() -> int:
    """Play many seeds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--postgres", action="store_true")
    asked = parser.parse_args()
    server = PostgresServer() if asked.postgres else None
    failed = 0
    for seed in range(asked.first, asked.first + asked.seeds):
        with tempfile.TemporaryDirectory() as folder:
            places = [str(Path(folder) / "ledger.db")]
            if server is None:
                wrong = anyio.run(differences, seed, places)
            else:
                with database_with_ledger(server.url) as url:
                    wrong = anyio.run(differences, seed, [*places, url])
        failed += bool(wrong)
        sys.stdout.writelines(f"seed {seed}: {each}\n" for each in wrong[:3])
    if server is not None:
        server.close()
    sys.stdout.write(f"{asked.seeds} seeds, {failed} failed\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
