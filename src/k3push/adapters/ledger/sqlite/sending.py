"""The steps of the SQLite ledger around a sending: claim, begin, record, and what is left.

Like those of `runs` they read, ask `rules` and `legal_moves`, and then write, for a
whole chunk at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from k3push.adapters.ledger import codec as text
from k3push.adapters.ledger import records, rules
from k3push.adapters.ledger.sqlite import steps
from k3push.adapters.ledger.sqlite.archiving import check_is_there
from k3push.adapters.ledger.sqlite.connections import Connection
from k3push.adapters.ledger.sqlite.writes import run_key, tally
from k3push.core.model import (
    Attempt,
    BillNumber,
    Exchange,
    Intent,
    Outcome,
    RunId,
    State,
    key_of,
    number_in,
)
from k3push.core.safety import legal_moves
from k3push.ports import Holder


def bury_executor(connection: Connection, run: RunId, *, executes: bool) -> None:
    """Put in order what a dead executor of the run left behind, for the next one.

    Where that one *executes* the run, its ending and its commands go as well.
    """
    mine = run_key(connection, run)
    key = mine.key
    check_is_there(connection, key, run)
    sent = connection.all("sent_rows", run=key)
    for _, state, bill in sent:
        legal_moves.check(bill, records.STATES[state], State.UNKNOWN)
    _kill(connection, key, [place for place, _, _ in sent])
    connection.do("close_attempts", run=key, verdict=rules.KILLED_BECAUSE)
    steps.bury(connection, key)
    idle = [
        number
        for number, state in connection.all("claims_of_run", run=key)
        if state is None or not rules.keeps_claim(records.STATES[state])
    ]
    called = text.from_json(text.called(idle))
    connection.do("delete_claims", scope=mine.scope, run=key, called=called)
    if executes:
        connection.do("set_ending", run=key, ended_at=None, exit=None)
        connection.do("delete_commands", run=key)


def claim_free(connection: Connection, run: RunId, numbers: Sequence[BillNumber]) -> bool:
    """Claim what is free; say whether all of it was."""
    rules.check_claim(numbers)
    bills = text.called(numbers)
    return connection.changed("claim_free", run=run, called=text.from_json(bills)) == len(bills)


def claim(
    connection: Connection,
    run: RunId,
    numbers: Sequence[BillNumber],
    *,
    is_alive: Callable[[RunId], bool],
) -> Mapping[BillNumber, Holder]:
    """Claim what was held by the dead for numbers that nobody sent, and say who holds the rest."""
    key, scope, found = _of_run(connection, "holders", run, numbers)
    claimed: dict[BillNumber, rules.Claimed] = {}
    holders: dict[BillNumber, Holder] = {}
    alive: dict[RunId, bool] = {}
    for bill, holder_key, holder, place, word in orjson.loads(found):
        number = number_in(bill)
        if holder not in alive:
            alive[holder] = is_alive(holder)
        state = records.STATES[word] if word else None
        claimed[number] = rules.Claimed(bill, holder_key == key, alive[holder], state)
        holders[number] = Holder(holder, alive=alive[holder])
        if holder_key != key and not alive[holder] and state is State.SENT:
            legal_moves.check(bill, State.SENT, State.UNKNOWN)
            _kill(connection, holder_key, [place])
    taken, held = rules.share_out(numbers, claimed)
    called = text.from_json(text.called(taken.values()))
    connection.do("set_claims", scope=scope, run=key, called=called)
    return {bill: holders[number_in(bill)] for bill in held}


def begin(connection: Connection, intent: Intent) -> Attempt:
    """Write the intent down and move its rows to `sent`."""
    rules.check_once(intent.numbers)
    key, _, attempt, found = _of_run(connection, "standings", intent.run, intent.numbers)
    standings, claimed = _standings(found)
    for number in intent.numbers:
        rules.check_begin(number, standings.get(number), claimed=number in claimed)
    numbers = text.from_json(intent.numbers)
    connection.do(
        "insert_attempt",
        attempt=attempt,
        run=key,
        chunk=intent.chunk,
        nth=intent.nth,
        began_at=text.from_time(intent.began_at),
        boot=text.from_text(intent.uptime.boot),
        uptime_s=intent.uptime.seconds,
        numbers=numbers,
        before=text.from_before(intent.before),
        request=text.from_bytes(intent.request),
        sender=text.from_text(intent.sender) or "",
    )
    connection.do("count_attempt", run=key)
    places = text.from_json([standing.place for standing in standings.values()])
    connection.do("carry", run=key, places=places)
    connection.do("send_rows", run=key, attempt=attempt, places=places)
    moved = len(intent.numbers)
    tally(connection, key, {State.PLANNED: -moved, State.SENT: moved})
    return Attempt(attempt, intent)


def record(
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
    found = connection.one("recording_of", attempt=attempt.id)
    if found is None:
        raise LookupError(f"the ledger has no attempt {attempt.id}")
    key, scope, numbers, recorded, killed, rows = found
    if recorded:
        return
    rules.check_recording(attempt.id, text.to_numbers(numbers), outcomes, killed=bool(killed))
    standings, _ = _standings(rows)
    moves = rules.check_outcomes(
        outcomes, [standings.get(each.number) for each in outcomes], attempt=attempt.id
    )
    _move(connection, key, scope, moves, standings.values(), at=at, keep_planned=keep_claims)
    connection.do(
        "set_exchange",
        attempt=attempt.id,
        ended_at=text.from_time(at),
        verdict=text.from_text(verdict) or "",
        **text.from_exchange(exchange),
    )


def conclude(
    connection: Connection,
    run: RunId,
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    note: str = "",
) -> None:
    """Move rows apart from an attempt, and keep the note beside each."""
    numbers = list({outcome.number for outcome in outcomes})
    key, scope, _, found = _of_run(connection, "standings", run, numbers)
    standings = {
        key_of(number, id_): rules.RowStanding(place, records.STATES[state], attempt)
        for place, state, attempt, number, id_, bill, _ in connection.listed(
            "rows_by_listed", run=key, listed=text.from_json(text.listed(numbers))
        )
        if not bill
    } | _standings(found)[0]
    moves = rules.check_outcomes(outcomes, [standings.get(each.number) for each in outcomes])
    _move(connection, key, scope, moves, standings.values(), at=at)
    if settled := rules.settled(outcomes, standings):
        connection.do("pass_claims_on", scope=scope, called=text.from_json(text.called(settled)))
    if note:
        _take_down(connection, key, outcomes, at, note)


def amend(
    connection: Connection, run: RunId, outcomes: Sequence[Outcome], *, at: datetime, note: str
) -> None:
    """Add documents to rows that name some already, and keep the note beside each."""
    key = run_key(connection, run).key
    bills = text.from_json(list({outcome.number for outcome in outcomes}))
    before = {
        bill: (place, State(state), [target.id for target in text.to_targets(targets)])
        for bill, place, state, targets in connection.all("documents", run=key, bills=bills)
    }
    amended = rules.check_amending(outcomes, [before.get(each.number) for each in outcomes])
    connection.do_each(
        "amend",
        (
            {
                "place": place,
                "state": outcome.state,
                "targets": text.from_targets(outcome.targets),
                "code": text.from_text(outcome.code),
                "reason": text.from_text(outcome.reason),
            }
            for place, outcome in amended
        ),
        run=key,
    )
    change = Counter(outcome.state for _, outcome in amended)
    change.subtract(state for _, state, _ in before.values())
    tally(connection, key, change)
    _take_down(connection, key, outcomes, at, note)


def put_off(connection: Connection, run: RunId, outcomes: Sequence[Outcome]) -> None:
    """Say of rows that wait what for."""
    mine = run_key(connection, run)
    connection.do_each("put_off", map(text.from_reason, outcomes), run=mine.key)
    planned = {outcome.number for outcome in outcomes if outcome.state is State.PLANNED}
    idle = [
        number
        for number, state in (connection.all("claims_of_run", run=mine.key) if planned else ())
        if number in planned and state is not None and records.STATES[state] is State.PLANNED
    ]
    if idle:
        called = text.from_json(text.called(idle))
        connection.do("delete_claims", scope=mine.scope, run=mine.key, called=called)


def _take_down(
    connection: Connection, run: int, outcomes: Sequence[Outcome], at: datetime, note: str
) -> None:
    """Keep a note beside each number."""
    connection.do(
        "insert_notes",
        numbers=text.from_json([outcome.number for outcome in outcomes]),
        run=run,
        at=text.from_time(at),
        text=text.from_text(note) or "",
    )


def _of_run(
    connection: Connection, query: str, run: RunId, bills: Sequence[BillNumber]
) -> tuple[Any, ...]:
    """Return what a query says of a run, which must be there, and of bills."""
    found = connection.one(query, run=run, called=text.from_json(text.called(bills)))
    if found is None:
        raise LookupError(f"the ledger has no run {run}")
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


def _move(
    connection: Connection,
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
    at_text = text.from_time(at)
    for (state, code, reason), parts in alike.items():
        connection.do(
            "move_rows",
            run=run,
            state=state,
            code=text.from_text(code),
            reason=text.from_text(reason),
            settled_at=rules.settled_at(state, at_text),
            targets=text.from_json({str(p): text.target_items(o.targets) for p, o in parts}),
        )
    if done := rules.claims_that_end(moves, keep_planned=keep_planned):
        called = text.from_json(text.called(done))
        connection.do("delete_claims", scope=scope, run=run, called=called)
    tally(connection, run, rules.tallied(moves, standings))


def _kill(connection: Connection, run: int, places: Sequence[int]) -> None:
    """Make rows `unknown` whose executor died while they were sent."""
    connection.do(
        "move_rows",
        run=run,
        state=State.UNKNOWN,
        code=rules.KILLED,
        reason=rules.KILLED_BECAUSE,
        settled_at=None,
        targets=text.from_json({str(place): None for place in places}),
    )
    tally(connection, run, {State.SENT: -len(places), State.UNKNOWN: len(places)})
