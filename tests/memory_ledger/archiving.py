"""How a ledger in memory lets go of what is archived."""

from __future__ import annotations

from dataclasses import replace

from k3push.core.model import TWIN, Answered, Follow, Row, State
from k3push.core.safety import legal_moves
from tests.memory_ledger.rows import RunRows, Store, clear_commands, of_scope


def is_over(store: Store, rows: RunRows) -> bool:
    """Say whether nothing is left to be done in a run, or to be seen by a person."""
    on_their_way = {Follow.OPEN, Follow.WAITING, Follow.UNKNOWN}
    return (
        rows.run.is_settled
        and rows.run.whole
        and not any(
            row.state not in legal_moves.FINAL or row.code == TWIN for row in rows.rows.values()
        )
        and not any(
            document.follow in on_their_way
            for document in store.documents.get(rows.run.id, {}).values()
        )
    )


def prune(store: Store, rows: RunRows) -> None:
    """Remove what is archived of a run, and nothing rests on."""
    run = rows.run.id
    rows.repeats.clear()
    for place, row in tuple(rows.rows.items()):
        if row.state is State.REJECTED or (
            row.state is State.ALREADY and _is_told_elsewhere(store, rows, row)
        ):
            rows.displace(place)
            del rows.rows[place], rows.places[row.listed]
            rows.bills.pop(row.bill, None)
    kept = {(rows.attempts.get(place, 0), row.bill) for place, row in rows.rows.items()}
    for index, record in enumerate(store.attempts):
        attempt = record.attempt
        if attempt.intent.run == run:
            left = tuple(n for n in attempt.intent.numbers if (attempt.id, n) in kept)
            intent = replace(attempt.intent, numbers=left, before={}, request=b"")
            exchange = record.exchange
            if isinstance(exchange, Answered):
                exchange = replace(exchange, body=b"")
            store.attempts[index] = replace(
                record, attempt=replace(attempt, intent=intent), exchange=exchange
            )
    store.notes = [note for note in store.notes if note.run != run]
    clear_commands(store, rows)
    store.pruned.add(run)


def _is_told_elsewhere(store: Store, rows: RunRows, row: Row) -> bool:
    """Say whether another row of the scope names documents of a bill, or has found some later."""
    opened = list(store.runs)
    later = set(opened[opened.index(rows.run.id) + 1 :])
    found = (
        (other.run.id, other.rows[place])
        for other in of_scope(store, rows.run.scope)
        if other is not rows and (place := other.bills.get(row.bill)) is not None
    )
    return any(
        each.state in legal_moves.SENT_BEFORE or (each.state is State.ALREADY and run in later)
        for run, each in found
        # Another bill may have got the number.
        if not row.source_id or each.source_id in {"", row.source_id}
    )
