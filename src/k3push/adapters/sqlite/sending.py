"""The steps of the SQLite ledger around a sending: claim, begin, record, and what is left.

Like those of `runs` they read, ask `ledger_rules` and `life`, and then write, for a
whole chunk at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from k3push.adapters import ledger_records as records
from k3push.adapters import ledger_rules as rules
from k3push.adapters import ledger_text as text
from k3push.adapters.sqlite.file import Connection
from k3push.adapters.sqlite.runs import RunKey, run_key, tally
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


def claim(
    connection: Connection,
    run: RunId,
    numbers: Sequence[BillNumber],
    *,
    is_alive: Callable[[RunId], bool],
) -> Mapping[BillNumber, Holder]:
    """Claim what is free, or was held by the dead for numbers that nobody sent."""
    mine = run_key(connection, run)
    free = dict.fromkeys(numbers)
    held: dict[BillNumber, Holder] = {}
    alive: dict[RunId, bool] = {}
    for number, key, holder, place, state in connection.all(
        "holders", scope=mine.scope, bills=text.from_json(list(free))
    ):
        if key == mine.key:
            del free[number]
            continue
        if holder not in alive:
            alive[holder] = is_alive(holder)
        if alive[holder] or (state and State(state) in life.OPEN):
            del free[number]
            held[number] = Holder(holder, alive=alive[holder])
        if not alive[holder] and state == State.SENT:
            life.check(number, State.SENT, State.UNKNOWN)
            _kill(connection, key, [place])
    connection.do("set_claims", scope=mine.scope, run=mine.key, bills=text.from_json(list(free)))
    return held


def begin(connection: Connection, intent: Intent) -> Attempt:
    """Write the intent down and move its rows to `sent`."""
    run = run_key(connection, intent.run)
    bills = text.from_json(intent.numbers)
    rules.check_once(intent.numbers)
    standings, claimed = _standings(connection, run, intent.numbers)
    for number in intent.numbers:
        rules.check_begin(number, standings.get(number), claimed=number in claimed)
    attempt = connection.do(
        "insert_attempt",
        run=run.key,
        chunk=intent.chunk,
        nth=intent.nth,
        began_at=text.from_time(intent.began_at),
        boot=text.from_text(intent.uptime.boot),
        uptime_s=intent.uptime.seconds,
        numbers=bills,
        before=text.from_before(intent.before),
        request=text.from_bytes(intent.request),
    )
    connection.do("count_attempt", run=run.key)
    connection.do("insert_carried", attempt=attempt, numbers=bills)
    places = [standing.place for standing in standings.values()]
    connection.do("set_sent", run=run.key, attempt=attempt, places=text.from_json(places))
    moved = len(intent.numbers)
    tally(connection, run.key, {State.PLANNED: -moved, State.SENT: moved})
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
    numbers, recorded, killed = found
    if recorded:
        return
    rules.check_recording(attempt.id, text.to_numbers(numbers), outcomes, killed=bool(killed))
    run = run_key(connection, attempt.intent.run)
    standings, _ = _standings(connection, run, [outcome.number for outcome in outcomes])
    _move(
        connection,
        run,
        rules.check_outcomes(
            outcomes, [standings.get(each.number) for each in outcomes], attempt=attempt.id
        ),
        standings.values(),
        at=at,
        keep_planned=keep_claims,
    )
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
    found = run_key(connection, run)
    numbers = list({outcome.number for outcome in outcomes})
    by_bill, _ = _standings(connection, found, numbers)
    standings = {
        number: rules.Standing(place, State(state), attempt)
        for place, state, attempt, number, bill in connection.all(
            "rows_by_number", run=found.key, numbers=text.from_json(numbers)
        )
        if not bill
    } | by_bill
    moves = rules.check_outcomes(outcomes, [standings.get(each.number) for each in outcomes])
    _move(connection, found, moves, standings.values(), at=at)
    if note:
        connection.do(
            "insert_notes",
            numbers=text.from_json([outcome.number for outcome in outcomes]),
            run=found.key,
            at=text.from_time(at),
            text=text.from_text(note),
        )


def _standings(
    connection: Connection, run: RunKey, bills: Sequence[BillNumber]
) -> tuple[dict[BillNumber, rules.Standing], set[BillNumber]]:
    """Find the rows of bills, and which of them the run has claimed."""
    found = connection.listed(
        "standings", run=run.key, scope=run.scope, bills=text.from_json(bills)
    )
    standings = {
        bill: rules.Standing(place, State(state), attempt)
        for place, state, attempt, bill, _ in found
    }
    return standings, {bill for *_, bill, claimed in found if claimed}


def _move(
    connection: Connection,
    run: RunKey,
    moves: Sequence[tuple[int, Outcome]],
    standings: Iterable[rules.Standing],
    *,
    at: datetime,
    keep_planned: bool = False,
) -> None:
    """Make moves that are known to be legal, and give up the claims that end with them."""
    before = {standing.place: standing.state for standing in standings}
    connection.do_each(
        "set_outcome",
        (
            {"run": run.key, "place": place, **records.from_outcome(outcome, at)}
            for place, outcome in moves
        ),
    )
    done = [
        outcome.number
        for _, outcome in moves
        if not rules.keeps_claim(outcome.state, keep_planned=keep_planned)
    ]
    connection.do("delete_claims", scope=run.scope, run=run.key, bills=text.from_json(done))
    change = Counter(outcome.state for _, outcome in moves)
    change.subtract(before[place] for place, _ in moves)
    tally(connection, run.key, change)


def _kill(connection: Connection, run: int, places: Sequence[int]) -> None:
    """Make rows `unknown` whose executor died while they were sent."""
    connection.do_each(
        "set_outcome",
        (
            {
                "run": run,
                "place": place,
                "state": State.UNKNOWN,
                "targets": None,
                "code": rules.KILLED,
                "reason": rules.KILLED_BECAUSE,
                "settled_at": None,
            }
            for place in places
        ),
    )
    tally(connection, run, {State.SENT: -len(places), State.UNKNOWN: len(places)})
