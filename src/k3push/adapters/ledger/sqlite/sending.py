"""The steps of the SQLite ledger around a sending: claim, begin, record, and what is left.

Like `writes` they read, ask `rules` and `legal_moves`, and then write, for a
whole chunk at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from k3push.adapters.ledger import claims, codec, records, rules
from k3push.adapters.ledger.sql_steps import followed_documents as steps
from k3push.adapters.ledger.sql_steps.archiving import check_is_there
from k3push.adapters.ledger.sql_steps.sending import amend_rows, read_standings, take_down
from k3push.adapters.ledger.sql_steps.step_connection import as_called, as_listed, run_key
from k3push.adapters.ledger.sql_steps.writes import tally
from k3push.adapters.ledger.sqlite.account_connection import AccountConnection
from k3push.core.model import (
    Attempt,
    BillNumber,
    Exchange,
    Intent,
    Outcome,
    RunId,
    State,
    number_in,
)
from k3push.core.safety import legal_moves
from k3push.ports import Holder, NoAttemptError, NoRunError


async def bury_executor(connection: AccountConnection, run: RunId, *, executes: bool) -> None:
    """Put in order what a dead executor of the run left behind, for the next one.

    Where that one *executes* the run, its ending and its commands go as well.
    """
    mine = await connection.lock_run(run)
    key = mine.key
    await check_is_there(connection, key, run)
    sent = await connection.all("sent_rows", run=key)
    for _, state, bill in sent:
        legal_moves.check(bill, records.STATES[state], State.UNKNOWN)
    await _kill(connection, key, [place for place, _, _ in sent])
    await connection.do("close_attempts", run=key, verdict=rules.KILLED_BECAUSE)
    await steps.bury(connection, key)
    idle = [
        number
        for number, state in await connection.all("claims_of_run", run=key)
        if state is None or not claims.keeps_claim(records.STATES[state])
    ]
    called = as_called(connection, idle)
    await connection.do("delete_claims", scope=mine.scope, run=key, **called)
    if executes:
        await connection.do("set_ending", run=key, ended_at=None, exit=None)
        await connection.do("delete_commands", run=key)


async def claim_free(
    connection: AccountConnection, run: RunId, numbers: Sequence[BillNumber]
) -> bool:
    """Claim what is free; say whether all of it was."""
    claims.check_claim(numbers)
    called = as_called(connection, numbers)
    return await connection.changed("claim_free", run=run, **called) == len(set(numbers))


async def claim(
    connection: AccountConnection,
    run: RunId,
    numbers: Sequence[BillNumber],
    *,
    is_alive: Callable[[RunId], bool],
) -> Mapping[BillNumber, Holder]:
    """Claim what was held by the dead for numbers that nobody sent, and say who holds the rest."""
    key, scope, found = await _of_run(connection, "holders", run, numbers)
    claimed: dict[BillNumber, claims.Claimed] = {}
    holders: dict[BillNumber, Holder] = {}
    alive: dict[RunId, bool] = {}
    for bill, holder_key, holder, place, word in orjson.loads(found):
        number = number_in(bill)
        if holder not in alive:
            alive[holder] = is_alive(holder)
        state = records.STATES[word] if word else None
        claimed[number] = claims.Claimed(bill, holder_key == key, alive[holder], state)
        holders[number] = Holder(holder, alive=alive[holder])
        if holder_key != key and not alive[holder] and state is State.SENT:
            legal_moves.check(bill, State.SENT, State.UNKNOWN)
            await _kill(connection, holder_key, [place])
    taken, held = claims.share_out(numbers, claimed)
    called = as_called(connection, taken.values())
    await connection.do("set_claims", scope=scope, run=key, **called)
    return {bill: holders[number_in(bill)] for bill in held}


async def begin(connection: AccountConnection, intent: Intent) -> Attempt:
    """Write the intent down and move its rows to `sent`."""
    rules.check_once(intent.numbers)
    key, _, attempt, found = await _of_run(connection, "standings", intent.run, intent.numbers)
    standings, claimed = _standings(found)
    for number in intent.numbers:
        rules.check_begin(number, standings.get(number), claimed=number in claimed)
    written = records.write_intent(intent)
    await connection.do("insert_attempt", attempt=attempt, run=key, **written)
    await connection.do("count_attempt", run=key)
    places = [standing.place for standing in standings.values()]
    await connection.do("carry", run=key, places=places)
    await connection.do("send_rows", run=key, attempt=attempt, places=places)
    moved = len(intent.numbers)
    await tally(connection, key, {State.PLANNED: -moved, State.SENT: moved})
    return Attempt(attempt, intent)


async def record(
    connection: AccountConnection,
    attempt: Attempt,
    exchange: Exchange,
    verdict: str,
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    keep_claims: bool = False,
) -> None:
    """Write down what came of *attempt*, once."""
    found = await connection.one("recording_of", attempt=attempt.id)
    if found is None:
        raise NoAttemptError(attempt.intent.run)
    key, scope, numbers, recorded, killed, rows = found
    if recorded:
        return
    rules.check_recording(attempt.id, codec.read_numbers(numbers), outcomes, killed=bool(killed))
    standings, _ = _standings(rows)
    moves = rules.check_outcomes(
        outcomes, [standings.get(each.number) for each in outcomes], attempt=attempt.id
    )
    await _move(connection, key, scope, moves, standings.values(), at=at, keep_planned=keep_claims)
    await connection.do(
        "set_exchange",
        attempt=attempt.id,
        ended_at=codec.write_time(at),
        verdict=codec.write_text(verdict) or "",
        **codec.write_exchange(exchange),
    )


async def conclude(
    connection: AccountConnection,
    run: RunId,
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    note: str = "",
) -> None:
    """Move rows apart from an attempt, and keep the note beside each."""
    mine = await connection.lock_run(run)
    numbers = list(dict.fromkeys(outcome.number for outcome in outcomes))
    listed = as_listed(connection, numbers)
    found = await connection.all_at_once("rows_of_lines", run=run, bills=numbers, of=[], **listed)
    standings = read_standings(found)
    moves = rules.check_outcomes(outcomes, [standings.get(each.number) for each in outcomes])
    await _move(connection, mine.key, mine.scope, moves, standings.values(), at=at)
    if settled := rules.settled(outcomes, standings):
        await connection.do("pass_claims_on", scope=mine.scope, **as_called(connection, settled))
    if note:
        await take_down(connection, mine.key, outcomes, at, note)


async def amend(
    connection: AccountConnection,
    run: RunId,
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    note: str,
) -> None:
    """Add documents to rows that name some already, and keep the note beside each."""
    key = await run_key(connection, run)
    bills = list({outcome.number for outcome in outcomes})
    before = {
        bill: (place, State(state), [target.id for target in codec.read_targets(targets)])
        for bill, place, state, targets in await connection.all("documents", run=key, bills=bills)
    }
    await amend_rows(connection, key, before, outcomes, at=at, note=note)


async def _of_run(
    connection: AccountConnection, query: str, run: RunId, bills: Sequence[BillNumber]
) -> tuple[Any, ...]:
    """Return what a query says of a run, which must be there, and of bills."""
    found = await connection.one(query, run=run, **as_called(connection, bills))
    if found is None:
        raise NoRunError(run)
    return found


def _standings(found: str) -> tuple[dict[BillNumber, rules.RowStanding], set[BillNumber]]:
    """Read where the rows of bills stand, and which of them the run has claimed."""
    standings: dict[BillNumber, rules.RowStanding] = {}
    claimed: set[BillNumber] = set()
    for place, state, attempt, bill, mine in orjson.loads(found):
        standings[bill] = rules.RowStanding(place, records.STATES[state], attempt)
        if mine:
            claimed.add(bill)
    return standings, claimed


async def _move(
    connection: AccountConnection,
    run: int,
    scope: str,
    moves: Sequence[tuple[int, Outcome]],
    standings: Iterable[rules.RowStanding],
    *,
    at: datetime,
    keep_planned: bool = False,
) -> None:
    """Make moves that are known to be legal, and give up the claims that end with them."""
    alike: defaultdict[tuple[State, str, str], list[tuple[int, Outcome]]] = defaultdict(list)
    for place, outcome in moves:
        alike[outcome.state, outcome.code, outcome.reason].append((place, outcome))
    at_text = codec.write_time(at)
    for (state, code, reason), parts in alike.items():
        await connection.do(
            "move_rows",
            run=run,
            state=state,
            code=codec.write_text(code),
            reason=codec.write_text(reason),
            settled_at=rules.settled_at(state, at_text),
            targets=codec.write_json({str(p): codec.target_items(o.targets) for p, o in parts}),
        )
    if done := claims.claims_that_end(moves, keep_planned=keep_planned):
        called = as_called(connection, done)
        await connection.do("delete_claims", scope=scope, run=run, **called)
    await tally(connection, run, rules.tallied(moves, standings))


async def _kill(connection: AccountConnection, run: int, places: Sequence[int]) -> None:
    """Make rows `unknown` whose executor died while they were sent."""
    await connection.do(
        "move_rows",
        run=run,
        state=State.UNKNOWN,
        code=rules.KILLED,
        reason=rules.KILLED_BECAUSE,
        settled_at=None,
        targets=codec.write_json({str(place): None for place in places}),
    )
    await tally(connection, run, {State.SENT: -len(places), State.UNKNOWN: len(places)})
