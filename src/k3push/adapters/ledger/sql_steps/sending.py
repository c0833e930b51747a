"""The steps of every SQL ledger around a sending that are the same: what is said of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from k3push.adapters.ledger import codec, records, rules
from k3push.adapters.ledger.sql_steps.step_connection import StepConnection, as_called
from k3push.adapters.ledger.sql_steps.writes import tally
from k3push.core.model import BillNumber, Outcome, RunId, State, key_of


def read_standings(found: Iterable[Sequence[Any]]) -> dict[BillNumber, rules.RowStanding]:
    """Return where rows stand by their bills, and those without one by their lines."""
    standings: dict[BillNumber, rules.RowStanding] = {}
    for place, state, attempt, number, id_, bill, _ in found:
        key = BillNumber(bill) or key_of(number, id_)
        if bill or key not in standings:
            standings[key] = rules.RowStanding(place, records.STATES[state], attempt)
    return standings


async def amend_rows(
    connection: StepConnection,
    key: int,
    before: Mapping[BillNumber, tuple[int, State, list[str]]],
    outcomes: Sequence[Outcome],
    *,
    at: datetime,
    note: str,
) -> None:
    """Add documents to rows of a run, and keep the note beside each.

    Args:
        connection: In the transaction that has found them.
        key: Of the run.
        before: Where the rows of bills stand, and which documents they name.
    """
    amended = rules.check_amending(outcomes, [before.get(each.number) for each in outcomes])
    await connection.do_each(
        "amend",
        (
            {
                "place": place,
                "state": outcome.state,
                "targets": codec.write_targets(outcome.targets),
                "code": codec.write_text(outcome.code),
                "reason": codec.write_text(outcome.reason),
            }
            for place, outcome in amended
        ),
        run=key,
    )
    change = Counter(outcome.state for _, outcome in amended)
    change.subtract(state for _, state, _ in before.values())
    await tally(connection, key, change)
    await take_down(connection, key, outcomes, at, note)


async def put_off(connection: StepConnection, run: RunId, outcomes: Sequence[Outcome]) -> None:
    """Say of rows that wait what for."""
    mine = await connection.lock_run_shared(run)
    await connection.do_each("put_off", map(codec.write_reason, outcomes), run=mine.key)
    planned = {outcome.number for outcome in outcomes if outcome.state is State.PLANNED}
    if not planned:
        return
    claimed = await connection.all("claims_of_run", run=mine.key, scope=mine.scope)
    idle = [bill for bill, state in claimed if bill in planned and state == State.PLANNED]
    if idle:
        await connection.do(
            "delete_claims", scope=mine.scope, run=mine.key, **as_called(connection, idle)
        )


async def take_down(
    connection: StepConnection, run: int, outcomes: Sequence[Outcome], at: datetime, note: str
) -> None:
    """Keep a note beside each number."""
    await connection.do(
        "insert_notes",
        numbers=[outcome.number for outcome in outcomes],
        run=run,
        at=codec.write_time(at),
        text=codec.write_text(note) or "",
    )
