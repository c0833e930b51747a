"""The steps of the PostgreSQL ledger around a sending: claim, begin, record, and what is left.

Like `writes` they lock, ask `rules` and `legal_moves`, and then write, for a whole chunk at once.
Whatever moves a claimed number locks its claim first, so that nothing that a step has read of the
number changes while the step holds that lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncCursor

from k3push.adapters.ledger import claims, codec, records, rules
from k3push.adapters.ledger.postgres.database import Connection
from k3push.adapters.ledger.sql_steps import followed_documents as steps
from k3push.adapters.ledger.sql_steps.archiving import check_is_there
from k3push.adapters.ledger.sql_steps.sending import amend_rows, read_standings, take_down
from k3push.adapters.ledger.sql_steps.step_connection import RunKey, as_called, as_listed
from k3push.adapters.ledger.sql_steps.writes import tally
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
from k3push.ports import Holder, NoAttemptError


async def bury_executor(connection: Connection, run: RunId, *, executes: bool) -> tuple[int, str]:
    """Put in order what a dead executor of the run left behind, for the next one.

    Where that one *executes* the run, its ending and its commands go as well.

    Returns:
        The run's key, and the epoch of the next executor.
    """
    mine = await connection.lock_run(run)
    await check_is_there(connection, mine.key, run)
    ((epoch,),) = await connection.all("new_epoch", run=mine.key)
    if mine.listed:  # a run without numbers has left nothing
        await _bury(connection, mine)
    if executes:
        await connection.do("set_ending", run=mine.key, ended_at=None, exit=None)
        await connection.do("delete_commands", run=mine.key)
    return mine.key, epoch


async def _bury(connection: Connection, mine: RunKey) -> None:
    held = await connection.all("claims_of_run", run=mine.key, scope=mine.scope)
    sent = await connection.all("sent_rows", run=mine.key)
    for _, state, bill in sent:
        legal_moves.check(bill, State(state), State.UNKNOWN)
    await _kill(connection, mine.key, [place for place, _, _ in sent])
    await connection.do("close_attempts", run=mine.key, verdict=rules.KILLED_BECAUSE)
    await steps.bury(connection, mine.key)
    idle = [bill for bill, state in held if state is None or not claims.keeps_claim(State(state))]
    if idle:
        await connection.do(
            "delete_claims", scope=mine.scope, run=mine.key, **as_called(connection, idle)
        )


async def claim(
    connection: Connection, run: RunId, numbers: Sequence[BillNumber]
) -> Mapping[BillNumber, Holder]:
    """Claim what is free, or was held by the dead for numbers that nobody sent."""
    claims.check_claim(numbers)
    mine, found = await _claim_free(connection, run, numbers)
    claimed: dict[BillNumber, claims.Claimed] = {}
    holders: dict[BillNumber, Holder] = {}
    alive: dict[int, bool] = {}
    for bill, key, holder, place, word in found:
        number = number_in(bill)
        if key not in alive:
            ((alive[key],),) = await connection.all("is_alive", run=key)
        state = State(word) if word else None
        claimed[number] = claims.Claimed(bill, key == mine.key, alive[key], state)
        holders[number] = Holder(RunId(holder), alive=alive[key])
        if key != mine.key and not alive[key] and state is State.SENT:
            legal_moves.check(bill, State.SENT, State.UNKNOWN)
            await _kill(connection, key, [place])
    taken, held = claims.share_out(numbers, claimed)
    over = [bill for number, bill in taken.items() if number in claimed]
    if over:
        await connection.do(
            "move_claims", scope=mine.scope, run=mine.key, **as_called(connection, over)
        )
    return {bill: holders[number_in(bill)] for bill in held}


async def _claim_free(
    connection: Connection, run: RunId, bills: Sequence[BillNumber]
) -> tuple[RunKey, list[tuple[Any, ...]]]:
    """Claim what nobody holds, lock the claims of all numbers, and return the others' holders."""
    called, claimed = as_called(connection, bills), _claimed(bills)
    asked = await connection.ask("lock_run_shared", run=run)
    mine: RunKey | None = None
    while True:
        await connection.do("claim_free", run=run, **called)
        locked = await connection.ask("lock_claims", run=run, numbers=claimed)
        found = await connection.ask("holders", run=run, **called)
        mine = mine or await connection.checked(asked, run)
        if len(await locked.fetchall()) == len(claimed):
            return mine, await found.fetchall()
        # Who held one as it was asked for has given it up since: it is free.


def _claimed(bills: Iterable[BillNumber]) -> list[str]:
    """Return the numbers by which bills are claimed."""
    return list(dict.fromkeys(map(number_in, bills)))


async def begin(connection: Connection, intent: Intent) -> Attempt:
    """Write the intent down and move its rows to `sent`."""
    rules.check_once(intent.numbers)
    asked = await _ask(connection, intent.run, intent.numbers)
    run, standings, claimed = await _standings(connection, asked, intent.run)
    for number in intent.numbers:
        rules.check_begin(number, standings.get(number), claimed=number in claimed)
    places = [standing.place for standing in standings.values()]
    written = records.write_intent(intent)
    made = await connection.ask("insert_attempt", run=run.key, places=places, **written)
    moved = len(intent.numbers)
    await tally(connection, run.key, {State.PLANNED: -moved, State.SENT: moved})
    ((attempt,),) = await made.fetchall()
    return Attempt(attempt, intent)


async def record(
    connection: Connection,
    attempt: Attempt,
    exchange: Exchange,
    verdict: str,
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    keep_claims: bool = False,
) -> None:
    """Write down what came of *attempt*, once."""
    asked = await _ask(connection, attempt.intent.run, [outcome.number for outcome in outcomes])
    recording = await connection.ask("recording_of", attempt=attempt.id)
    run, standings, _ = await _standings(connection, asked, attempt.intent.run)
    found = await recording.fetchone()
    if found is None:
        raise NoAttemptError(attempt.intent.run)
    carried, recorded, killed = found
    if recorded:
        return
    rules.check_recording(attempt.id, codec.read_numbers(carried), outcomes, killed=killed)
    moves = rules.check_outcomes(
        outcomes, [standings.get(each.number) for each in outcomes], attempt=attempt.id
    )
    await _move(connection, run, moves, standings.values(), at=at, keep_planned=keep_claims)
    await connection.do(
        "set_exchange",
        attempt=attempt.id,
        ended_at=codec.write_time(at),
        verdict=codec.write_text(verdict) or "",
        **codec.write_exchange(exchange),
    )


async def conclude(
    connection: Connection,
    run: RunId,
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    note: str = "",
) -> None:
    """Move rows apart from an attempt, and keep the note beside each."""
    numbers = list(dict.fromkeys(outcome.number for outcome in outcomes))
    asked = await _ask(connection, run, numbers, by_number=True)
    found, standings, _ = await _standings(connection, asked, run)
    moves = rules.check_outcomes(outcomes, [standings.get(each.number) for each in outcomes])
    await _move(connection, found, moves, standings.values(), at=at)
    if settled := rules.settled(outcomes, standings):
        await connection.do("pass_claims_on", scope=found.scope, **as_called(connection, settled))
    if note:
        await take_down(connection, found.key, outcomes, at, note)


async def amend(
    connection: Connection,
    run: RunId,
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    note: str,
) -> None:
    """Add documents to rows that name some already, and keep the note beside each."""
    bills: list[str] = list({outcome.number for outcome in outcomes})
    asked = await connection.ask("lock_run_shared", run=run)
    rows = await connection.ask("lock_documents", run=run, bills=bills)
    key = (await connection.checked(asked, run)).key
    before = {
        bill: (place, State(state), [target.id for target in codec.read_targets(targets)])
        for bill, place, state, targets in await rows.fetchall()
    }
    await amend_rows(connection, key, before, outcomes, at=at, note=note)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked of a run and of numbers, which are locked; answers may be on the way."""

    run: AsyncCursor[Any]
    claims: AsyncCursor[Any]
    rows: AsyncCursor[Any]


async def _ask(
    connection: Connection,
    run: RunId,
    numbers: Sequence[BillNumber],
    *,
    by_number: bool = False,
) -> _Asked:
    """Lock a run, and the claims and the rows of numbers (the ERP's spelling).

    *by_number* finds rows without the ERP's spelling by the job file's as well.
    """
    bills: list[str] = list(numbers)
    return _Asked(
        await connection.ask("lock_run_shared", run=run),
        await connection.ask("lock_claims", run=run, numbers=_claimed(numbers)),
        await connection.ask(
            "rows_of_lines", run=run, bills=bills, of=[], **as_listed(connection, numbers)
        )
        if by_number
        else await connection.ask("lock_rows", run=run, bills=bills),
    )


async def _standings(
    connection: Connection, asked: _Asked, run: RunId
) -> tuple[RunKey, dict[BillNumber, rules.RowStanding], set[BillNumber]]:
    """Return the run, where its rows stand, and which numbers it has claimed."""
    found = await connection.checked(asked.run, run)
    standings = read_standings(await asked.rows.fetchall())
    claimed = {bill for bill, key in await asked.claims.fetchall() if key == found.key}
    return found, standings, claimed


async def _move(
    connection: Connection,
    run: RunKey,
    moves: Sequence[tuple[int, Outcome]],
    standings: Iterable[rules.RowStanding],
    *,
    at: datetime,
    keep_planned: bool = False,
) -> None:
    """Make moves that are known to be legal, and give up the claims that end with them."""
    at_text = codec.write_time(at)
    await connection.do_each(
        "set_outcome",
        (
            {
                "place": place,
                "state": outcome.state,
                "targets": codec.write_targets(outcome.targets),
                "code": codec.write_text(outcome.code),
                "reason": codec.write_text(outcome.reason),
                "settled_at": rules.settled_at(outcome.state, at_text),
            }
            for place, outcome in moves
        ),
        run=run.key,
    )
    if done := claims.claims_that_end(moves, keep_planned=keep_planned):
        await connection.do(
            "delete_claims", scope=run.scope, run=run.key, **as_called(connection, done)
        )
    await tally(connection, run.key, rules.tallied(moves, standings))


async def _kill(connection: Connection, run: int, places: Sequence[int]) -> None:
    """Make rows `unknown` whose executor died while they were sent."""
    if not places:
        return
    killed = await connection.all(
        "kill", run=run, places=list(places), code=rules.KILLED, reason=rules.KILLED_BECAUSE
    )
    await tally(connection, run, {State.SENT: -len(killed), State.UNKNOWN: len(killed)})
