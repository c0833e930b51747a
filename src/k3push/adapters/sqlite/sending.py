"""The steps of the SQLite ledger around a sending: claim, begin, record, and what is left.

Like those of `runs` they read, ask `ledger_rules` and `life`, and then write, for a
whole chunk at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from k3push.adapters import ledger_records as records
from k3push.adapters import ledger_rules as rules
from k3push.adapters import ledger_text as text
from k3push.adapters.sqlite.file import Connection
from k3push.adapters.sqlite.runs import run_key
from k3push.core import life
from k3push.core.model import Attempt, BillNumber, Exchange, Intent, Outcome, RunId, State
from k3push.ports import Holder


def bury_executor(connection: Connection, run: RunId) -> None:
    """Put in order what a dead executor of the run left behind, for the next one."""
    mine = run_key(connection, run)
    key = mine.key
    sent = connection.all("sent_rows", run=key)
    for _, state, bill in sent:
        life.check(bill, State(state), State.UNKNOWN)
    _kill(connection, key, [place for place, _, _ in sent])
    connection.do("close_attempts", run=key, verdict=rules.KILLED_BECAUSE)
    idle = [
        number
        for number, state in connection.all("claims_of_run", run=key)
        if state is None or not rules.keeps_claim(State(state))
    ]
    connection.do("delete_claims", scope=mine.scope, run=key, bills=text.from_json(idle))
    connection.do("set_ending", run=key, ended_at=None, exit=None)
    connection.do("delete_commands", run=key)


def claim_free(connection: Connection, run: RunId, numbers: Sequence[BillNumber]) -> bool:
    """Claim what is free; say whether all of it was."""
    bills = list(dict.fromkeys(numbers))
    return connection.changed("claim_free", run=run, bills=text.from_json(bills)) == len(bills)


def claim(
    connection: Connection,
    run: RunId,
    numbers: Sequence[BillNumber],
    *,
    is_alive: Callable[[RunId], bool],
) -> Mapping[BillNumber, Holder]:
    """Claim what was held by the dead for numbers that nobody sent, and say who holds the rest."""
    free = dict.fromkeys(numbers)
    key, scope, holders = _of_run(connection, "holders", run, list(free))
    held: dict[BillNumber, Holder] = {}
    alive: dict[RunId, bool] = {}
    for number, holder_key, holder, place, state in orjson.loads(holders):
        if holder_key == key:
            del free[number]
            continue
        if holder not in alive:
            alive[holder] = is_alive(holder)
        if alive[holder] or (state and State(state) in life.OPEN):
            del free[number]
            held[number] = Holder(holder, alive=alive[holder])
        if not alive[holder] and state == State.SENT:
            life.check(number, State.SENT, State.UNKNOWN)
            _kill(connection, holder_key, [place])
    connection.do("set_claims", scope=scope, run=key, bills=text.from_json(list(free)))
    return held


def begin(connection: Connection, intent: Intent) -> Attempt:
    """Write the intent down and move its rows to `sent`."""
    rules.check_once(intent.numbers)
    key, _, attempt, found = _of_run(connection, "standings", intent.run, intent.numbers)
    standings, claimed = _standings(found)
    for number in intent.numbers:
        rules.check_begin(number, standings.get(number), claimed=number in claimed)
    connection.do(
        "begin_attempt",
        attempt=attempt,
        run=key,
        chunk=intent.chunk,
        nth=intent.nth,
        began_at=text.from_time(intent.began_at),
        boot=text.from_text(intent.uptime.boot),
        uptime_s=intent.uptime.seconds,
        numbers=text.from_json(intent.numbers),
        places=text.from_json([standing.place for standing in standings.values()]),
        before=text.from_before(intent.before),
        request=text.from_bytes(intent.request),
    )
    return Attempt(attempt, intent)


def record(
    connection: Connection,
    attempt: Attempt,
    exchange: Exchange,
    verdict: str,
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    keep_claims: bool,
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
    note: str,
) -> None:
    """Move rows apart from an attempt, and keep the note beside each."""
    numbers = list({outcome.number for outcome in outcomes})
    key, scope, _, found = _of_run(connection, "standings", run, numbers)
    standings = {
        number: rules.Standing(place, State(state), attempt)
        for place, state, attempt, number, bill in connection.listed(
            "rows_by_number", run=key, numbers=text.from_json(numbers)
        )
        if not bill
    } | _standings(found)[0]
    moves = rules.check_outcomes(outcomes, [standings.get(each.number) for each in outcomes])
    _move(connection, key, scope, moves, standings.values(), at=at)
    if note:
        connection.do(
            "insert_notes",
            numbers=text.from_json([outcome.number for outcome in outcomes]),
            run=key,
            at=text.from_time(at),
            text=text.from_text(note),
        )


def _of_run(
    connection: Connection, query: str, run: RunId, bills: Sequence[BillNumber]
) -> tuple[Any, ...]:
    """Return what a query says of a run, which must be there, and of bills."""
    found = connection.one(query, run=run, bills=text.from_json(bills))
    if found is None:
        raise LookupError(f"the ledger has no run {run}")
    return found


def _standings(found: str) -> tuple[dict[BillNumber, rules.Standing], set[BillNumber]]:
    """Read where the rows of bills stand, and which of them the run has claimed."""
    standings: dict[BillNumber, rules.Standing] = {}
    claimed: set[BillNumber] = set()
    for place, state, attempt, bill, mine in orjson.loads(found):
        standings[bill] = rules.Standing(place, records.STATES[state], attempt)
        if mine:
            claimed.add(bill)
    return standings, claimed


def _move(
    connection: Connection,
    run: int,
    scope: str,
    moves: Sequence[tuple[int, Outcome]],
    standings: Iterable[rules.Standing],
    *,
    at: datetime,
    keep_planned: bool = False,
) -> None:
    """Make moves that are known to be legal, and give up the claims that end with them."""
    before = {standing.place: standing.state for standing in standings}
    alike: defaultdict[tuple[State, str, str], list[tuple[int, Outcome]]] = defaultdict(list)
    for place, outcome in moves:
        alike[outcome.state, outcome.code, outcome.reason].append((place, outcome))
    at_text = text.from_time(at)
    for (state, code, reason), parts in alike.items():
        keeps = rules.keeps_claim(state, keep_planned=keep_planned)
        connection.do(
            "move",
            run=run,
            scope=scope,
            state=state,
            code=text.from_text(code),
            reason=text.from_text(reason),
            settled_at=rules.settled_at(state, at_text),
            targets=text.from_json({str(p): text.target_items(o.targets) for p, o in parts}),
            done=text.from_json([] if keeps else [outcome.number for _, outcome in parts]),
            change=_change(state, [before[place] for place, _ in parts]),
        )


def _kill(connection: Connection, run: int, places: Sequence[int]) -> None:
    """Make rows `unknown` whose executor died while they were sent."""
    connection.do(
        "move",
        run=run,
        scope="",
        state=State.UNKNOWN,
        code=rules.KILLED,
        reason=rules.KILLED_BECAUSE,
        settled_at=None,
        targets=text.from_json({str(place): None for place in places}),
        done="[]",
        change=_change(State.UNKNOWN, [State.SENT] * len(places)),
    )


def _change(now: State, before: Sequence[State]) -> str:
    """Write how many rows more each state has."""
    return text.from_json([(now, len(before)), *((old, -n) for old, n in Counter(before).items())])
