"""How the columns of a database become runs, rows and attempts again, in every SQL ledger.

Every function takes the columns of one query, in the order in which `verbs.sql` names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import orjson

from k3push.adapters import ledger_text as text
from k3push.core.commands import Command
from k3push.core.model import Attempt, BillNumber, Intent, Row, Run, RunId, State, Uptime
from k3push.ports import AttemptRecord, Commanded, Doubt, Note

STATES = {state.value: state for state in State}
"""States by the words that columns hold, since an enum's own look-up is slow."""

_NO_BILL = BillNumber("")


def to_run(found: Sequence[Any]) -> Run:
    """Read a run."""
    id_, scope, route, jobs, folder, started_at, ended_at, exit_code, again_because, whole = found
    return Run(
        id=RunId(id_),
        scope=scope,
        route=text.to_route(route),
        jobs=tuple(orjson.loads(jobs)),
        folder=folder,
        started_at=text.to_time(started_at),
        ended_at=text.to_time_or_none(ended_at),
        exit=exit_code,
        again_because=again_because or "",
        whole=bool(whole),
    )


def from_run(run: Run) -> dict[str, str | int | None]:
    """Write a run."""
    return {
        "id": run.id,
        "scope": run.scope,
        "route": text.from_route(run.route),
        "jobs": text.from_json(run.jobs),
        "folder": run.folder,
        "started_at": text.from_time(run.started_at),
        "ended_at": text.from_time_or_none(run.ended_at),
        "exit": run.exit,
        "again_because": text.from_text(run.again_because),
        "whole": run.whole,
    }


def to_rows(found: Iterable[Sequence[Any]]) -> list[Row]:
    """Read rows; those of one chunk share their times, which are read once."""
    to_time = cache(text.to_time_or_none)
    return [
        Row(
            place,
            line,
            number,
            bill or _NO_BILL,
            STATES[state],
            text.to_targets(targets),
            code or "",
            reason or "",
            attempts,
            chunk or 0,
            to_time(sent_at),
            to_time(settled_at),
        )
        for (
            place,
            line,
            number,
            bill,
            state,
            targets,
            code,
            reason,
            attempts,
            chunk,
            sent_at,
            settled_at,
        ) in found
    ]


def to_attempt(found: Sequence[Any]) -> AttemptRecord:
    """Read an attempt with what came of it."""
    id_, run_id, chunk, nth, began_at, boot, uptime_s, *found = found
    numbers, before, request, ended_at, verdict, *exchange = found
    intent = Intent(
        run=RunId(run_id),
        chunk=chunk,
        nth=nth,
        numbers=text.to_numbers(numbers),
        before=text.to_before(before),
        request=text.to_bytes(request),
        began_at=text.to_time(began_at),
        uptime=Uptime(boot or "", uptime_s),
    )
    return AttemptRecord(
        attempt=Attempt(id_, intent),
        exchange=text.to_exchange(*exchange),
        verdict=verdict or "",
        ended_at=text.to_time_or_none(ended_at),
    )


def to_note(found: Sequence[Any]) -> Note:
    """Read a note."""
    id_, number, at, run_id, words = found
    return Note(id_, BillNumber(number), text.to_time(at), RunId(run_id), words)


def to_commanded(found: Sequence[Any]) -> Commanded:
    """Read a command."""
    number, words, given_at, obeyed_at, on_their_way = found
    return Commanded(
        id=number,
        command=Command.parse(words.split(" ")),
        given_at=text.to_time(given_at),
        obeyed_at=text.to_time_or_none(obeyed_at),
        on_their_way=on_their_way,
    )


def to_doubts(run: RunId, found: Iterable[Sequence[Any]]) -> list[Doubt]:
    """Read doubts; the mapping that a chunk's numbers share is read once."""
    to_before = cache(text.to_before)
    return [
        Doubt(
            run,
            bill,
            attempt,
            text.to_time(began_at),
            Uptime(boot or "", uptime_s),
            to_before(before).get(bill, ()),
        )
        for bill, attempt, began_at, boot, uptime_s, before in found
    ]
