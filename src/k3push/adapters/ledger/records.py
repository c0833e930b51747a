"""How the columns of a database become runs, rows and attempts again, in every SQL ledger.

Every function takes the columns of one query, in the order in which `verbs.sql` names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import orjson

from k3push.adapters.ledger import codec, rules
from k3push.core.control_words import Command
from k3push.core.model import (
    Attempt,
    BillNumber,
    Document,
    Follow,
    Intent,
    Repeat,
    Row,
    Run,
    RunId,
    State,
    Step,
    StepAttempt,
    StepIntent,
    id_in,
    number_in,
)
from k3push.ports import (
    AttemptRecord,
    Commanded,
    Doubt,
    Glance,
    InHand,
    LatelySent,
    LostCall,
    Made,
    Memo,
    Note,
    StepRecord,
)


class _States(dict[str, State]):
    def __missing__(self, word: object) -> State:
        raise codec.damaged("state", ValueError(f"{word!r} is none"))


STATES = _States({state.value: state for state in State})
"""States by the words that columns hold, since an enum's own look-up is slow."""

_NO_BILL = BillNumber("")


@codec.whole
def read_run(found: Sequence[Any]) -> Run:
    """Read a run."""
    id_, scope, route, jobs, folder, started_at, *found = found
    ended_at, exit_code, again_because, whole, begun_with, archive = found
    return Run(
        id=RunId(codec.read_words(id_)),
        scope=codec.read_words(scope),
        route=codec.read_route(route),
        jobs=tuple(orjson.loads(jobs)),
        folder=codec.read_words(folder),
        started_at=codec.read_time(started_at),
        ended_at=codec.read_time_or_none(ended_at),
        exit=None if exit_code is None else codec.read_whole_number(exit_code),
        again_because=again_because or "",
        whole=bool(whole),
        group=begun_with or "",
        archive=codec.read_archive(archive),
    )


def read_glance(run: Sequence[Any], counts: str | None) -> Glance:
    """Read a run, and how many rows each state has as JSON."""
    return Glance(read_run(run), read_counts(orjson.loads(counts).items()) if counts else {})


def write_run(run: Run) -> dict[str, str | int | None]:
    """Write a run."""
    return {
        "id": run.id,
        "account": run.account,
        "scope": run.scope,
        "route": codec.write_route(run.route),
        "jobs": codec.write_json(run.jobs),
        "folder": run.folder,
        "started_at": codec.write_time(run.started_at),
        "ended_at": codec.write_time_or_none(run.ended_at),
        "exit": run.exit,
        "again_because": codec.write_text(run.again_because),
        "whole": int(run.whole),
        "begun_with": run.group or None,
    }


@codec.whole
def read_counts(found: Iterable[Sequence[Any]]) -> dict[State, int]:
    """Read how many rows each state has."""
    return {STATES[state]: codec.read_whole_number(n) for state, n in found}


@codec.whole
def read_repeats(found: Iterable[Sequence[Any]]) -> list[Repeat]:
    """Read lines that name a bill again."""
    return [
        Repeat(
            codec.read_whole_number(line),
            BillNumber(codec.read_words(number)),
            first,
            place,
            first_place,
        )
        for place, line, number, first, first_place in found
    ]


@codec.whole
def read_rows(found: Iterable[Sequence[Any]]) -> list[Row]:
    """Read rows; those of one chunk share their times, which are read once."""
    read_time = cache(codec.read_time_or_none)
    return [
        Row(
            place,
            line,
            number,
            bill or _NO_BILL,
            STATES[state],
            codec.read_targets(targets),
            code or "",
            reason or "",
            attempts,
            chunk or 0,
            read_time(sent_at),
            read_time(settled_at),
            listed_id,
            source_id or "",
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
            listed_id,
            source_id,
        ) in found
    ]


def read_rows_of_runs(found: Iterable[Sequence[Any]]) -> list[tuple[RunId, Row]]:
    """Read rows with the id of the run of each before its columns."""
    found = list(found)
    rows = read_rows(row for _, *row in found)
    return [(RunId(run), row) for (run, *_), row in zip(found, rows, strict=True)]


@codec.whole
def read_attempt(found: Sequence[Any]) -> AttemptRecord:
    """Read an attempt with what came of it."""
    id_, run_id, chunk, nth, began_at, boot, uptime_s, *found = found
    numbers, before, request, sender, ended_at, verdict, *exchange = found
    intent = Intent(
        run=RunId(run_id),
        chunk=chunk,
        nth=nth,
        numbers=codec.read_numbers(numbers),
        before=codec.read_before(before),
        request=codec.read_bytes(request),
        began_at=codec.read_time(began_at),
        uptime=codec.read_uptime(boot, uptime_s),
        sender=sender,
    )
    return AttemptRecord(
        attempt=Attempt(id_, intent),
        exchange=codec.read_exchange(*exchange),
        verdict=codec.read_words(verdict or ""),
        ended_at=codec.read_time_or_none(ended_at),
    )


def write_intent(intent: Intent) -> dict[str, str | float | bytes | None]:
    """Write an attempt that is about to be made."""
    return {
        "chunk": intent.chunk,
        "nth": intent.nth,
        "numbers": codec.write_json(intent.numbers),
        "before": codec.write_before(intent.before),
        "began_at": codec.write_time(intent.began_at),
        "boot": codec.write_text(intent.uptime.boot),
        "uptime_s": float(intent.uptime.seconds),
        "sender": codec.write_text(intent.sender) or "",
        "request": codec.write_bytes(intent.request),
    }


@codec.whole
def read_lately_sent(found: Sequence[Any]) -> LatelySent:
    """Read an attempt with the bills that were asked for."""
    pairs, *attempt = found
    called = rules.called_then((BillNumber(a), BillNumber(b)) for a, b in orjson.loads(pairs))
    return LatelySent(read_attempt(attempt), called)


@codec.whole
def read_lost_call(found: Sequence[Any]) -> LostCall:
    """Read an attempt of which nobody has heard how it ended."""
    is_open, *attempt = found
    return LostCall(read_attempt(attempt), bool(is_open))


@codec.whole
def read_in_hand(found: Iterable[Sequence[Any]]) -> dict[str, list[InHand]]:
    """Read which runs have bills on their way or in doubt, by the ids of these."""
    held: dict[str, list[InHand]] = {}
    for id_, run_id, bill in found:
        held.setdefault(id_, []).append(InHand(RunId(run_id), BillNumber(bill)))
    return held


@codec.whole
def read_made(found: Sequence[Any]) -> Made:
    """Read what a run has made of a bill."""
    run_id, bill, state, targets, *code = found
    made = codec.read_targets(targets)
    return Made(RunId(run_id), BillNumber(bill), STATES[state], made, "".join(filter(None, code)))


@codec.whole
def read_made_of(found: Iterable[Sequence[Any]]) -> dict[BillNumber, Made]:
    """Read what runs have made of what may be the bills that were asked for; the last counts."""
    made: dict[BillNumber, Made] = {}
    for asked, asked_id, bill, id_, run_id, *what in found:
        if rules.may_be_bill(asked, asked_id, bill, id_ or ""):
            made[asked] = rules.later_of(made.get(asked), read_made((run_id, asked, *what)))
    return made


@codec.whole
def read_made_of_namesakes(found: Iterable[Sequence[Any]]) -> dict[BillNumber, frozenset[str]]:
    """Read what was made of other bills of the numbers that were asked for."""
    made: dict[BillNumber, frozenset[str]] = {}
    for asked, bill, id_, targets in found:
        same_number = number_in(bill) == number_in(asked)
        if same_number and not rules.may_be_one(id_in(asked), id_ or ""):
            ids = frozenset(target.id for target in codec.read_targets(targets))
            made[asked] = made.get(asked, frozenset()) | ids
    return {asked: ids for asked, ids in made.items() if ids}


@codec.whole
def read_note(found: Sequence[Any]) -> Note:
    """Read a note."""
    id_, number, at, run_id, words = found
    return Note(
        id_, BillNumber(number), codec.read_time(at), RunId(run_id), codec.read_words(words)
    )


@codec.whole
def read_memo(found: Sequence[Any]) -> Memo:
    """Read a memo."""
    kind, id_, at, value, about, is_open, version = found
    return Memo(
        kind=codec.read_words(kind),
        id=codec.read_words(id_),
        at=codec.read_time(at),
        value=dict(orjson.loads(value)),
        about=codec.read_words(about),
        open=bool(is_open),
        version=codec.read_whole_number(version),
    )


def write_memo(memo: Memo) -> dict[str, str | int]:
    """Write a memo, but for its time and its version."""
    return {
        "kind": memo.kind,
        "id": memo.id,
        "value": codec.write_text(codec.write_json(memo.value)) or "",
        "about": memo.about,
        "open": int(memo.open),
    }


@codec.whole
def read_commanded(found: Sequence[Any]) -> Commanded:
    """Read a command."""
    number, words, given_at, obeyed_at, on_their_way = found
    return Commanded(
        id=number,
        command=Command.parse(words.split(" ")),
        given_at=codec.read_time(given_at),
        obeyed_at=codec.read_time_or_none(obeyed_at),
        on_their_way=on_their_way,
    )


@codec.whole
def read_doubts(run: RunId, found: Iterable[Sequence[Any]]) -> list[Doubt]:
    """Read doubts; the mapping that a chunk's numbers share is read once."""
    to_before = cache(codec.read_before)
    return [
        Doubt(
            run,
            bill,
            attempt,
            codec.read_time(began_at),
            codec.read_uptime(boot, uptime_s),
            to_before(before).get(bill, ()),
            sender=sender,
            alone=carried == 1,
            id=(id_ if listed else "") or "",
            source_id=id_ or "",
        )
        for bill, attempt, began_at, boot, uptime_s, before, sender, carried, listed, id_ in found
    ]


@codec.whole
def read_document(found: Sequence[Any]) -> Document:
    """Read a document that a run follows."""
    id_, number, sender, follow, reason, step = found
    return Document(
        id=codec.read_words(id_),
        number=codec.read_words(number),
        follow=Follow(follow or ""),
        reason=reason or "",
        step=step or 0,
        sender=codec.read_words(sender),
    )


def write_document(document: Document) -> dict[str, str | None]:
    """Write a document that a run follows."""
    return {
        "id": document.id,
        "number": codec.write_text(document.number) or "",
        "sender": codec.write_text(document.sender) or "",
        "follow": document.follow.value or None,
        "reason": codec.write_text(document.reason),
    }


@codec.whole
def read_step(found: Sequence[Any]) -> StepRecord:
    """Read an attempt at a step with what came of it."""
    id_, run_id, kind, ids, stood, began_at, boot, uptime_s, request, *found = found
    sender, ended_at, verdict, *exchange = found
    intent = StepIntent(
        run=RunId(run_id),
        step=Step(kind),
        ids=tuple(orjson.loads(ids)),
        status=codec.read_words(stood),
        request=codec.read_bytes(request),
        began_at=codec.read_time(began_at),
        uptime=codec.read_uptime(boot, uptime_s),
        sender=sender,
    )
    return StepRecord(
        attempt=StepAttempt(id_, intent),
        exchange=codec.read_exchange(*exchange),
        verdict=codec.read_words(verdict or ""),
        ended_at=codec.read_time_or_none(ended_at),
    )


def write_step(intent: StepIntent) -> dict[str, str | float | bytes | None]:
    """Write an attempt at a step that is about to be made."""
    return {
        "kind": intent.step.value,
        "ids": codec.write_json(intent.ids),
        "stood": codec.write_text(intent.status) or "",
        "began_at": codec.write_time(intent.began_at),
        "boot": codec.write_text(intent.uptime.boot),
        "uptime_s": float(intent.uptime.seconds),
        "sender": codec.write_text(intent.sender) or "",
        "request": codec.write_bytes(intent.request),
    }
