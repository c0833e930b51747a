"""What people and programs ask a server for: a push with its plan, or one more execution of runs.

A request is in the ledger before anything is done about it, and every step of it is a change of
one memo, which one of many who try makes. So a server that dies finds again what was left, and
whoever asks twice, or at the same time as somebody else, is told the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from k3push.core.model import Run, RunId, Step
from k3push.ports import Ledger, Memo

SELECTED = "--select"
"""Stands for a job file where the route selects its bills itself."""

PASTED = "pasted"
"""The file that holds what was pasted; it has no extension, so what is in it is found out."""

REQUEST = "request"
ACT = "act"

EVERY = 1 << 31
"""More than are ever open at once."""

MOST_ACTS = 2000
"""Acts that a search by user looks through."""


class Stage(StrEnum):
    """How far a request has come."""

    PLANNING = "planning"
    """The server looks ahead; nothing can have been sent."""

    PLANNED = "planned"
    """It waits for a person's approval."""

    APPROVED = "approved"
    """The server executes it, or does so as soon as it can."""

    ENDED = "ended"
    """The server has nothing left to do about it; its runs tell the rest."""

    WITHDRAWN = "withdrawn"
    """A person does not want it."""

    FAILED = "failed"
    """It could not be planned or begun; *why* says what is to be mended. Nothing was sent.

    A push without a plan can be begun once more."""


OPEN = frozenset({Stage.PLANNING, Stage.PLANNED, Stage.APPROVED})

MOVES: Mapping[Stage, frozenset[Stage]] = {
    Stage.PLANNING: frozenset({Stage.PLANNED, Stage.WITHDRAWN, Stage.FAILED}),
    Stage.PLANNED: frozenset({Stage.APPROVED, Stage.WITHDRAWN}),
    Stage.APPROVED: frozenset({Stage.ENDED, Stage.FAILED}),
    Stage.ENDED: frozenset(),
    Stage.WITHDRAWN: frozenset(),
    Stage.FAILED: frozenset({Stage.APPROVED}),
}


class RequestKind(StrEnum):
    """What is asked for."""

    PUSH = "push"
    """The numbers of a list are looked at, and pushed once the plan is approved."""

    RESUME = "resume"
    """Runs go on where they stopped."""

    SETTLE = "settle"
    """The ERP is asked about the numbers of runs that are in doubt; nothing is sent."""

    FOLLOW = "follow"
    """The documents of runs take the steps of their route; nothing is pushed."""


_TENANT = "tenant"


class OvertakenError(Exception):
    """A request is no longer in the stage that a change needs.

    Attributes:
        request: As it is now.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(f"request {request.id} is {request.stage}")
        self.request = request


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody has asked for.

    Attributes:
        id: Such as a run's; of no run.
        by: The user or the program; "" where nobody is known by name.
        jobs: The lists, each with its whole path.
        how: How they are read: route, column, sheet, skip_bad_lines; and where they come from.
        runs: Its runs; those of a push are known when it is planned, and are in the ledger once
            they are taken up.
        plan: Where the plan is; "" without one.
        sha256: What binds the plan.
        seen: What the plan comes to, for people.
        why: What is wrong, as a remark; "" if nothing is.
        key: By which a program knows it; "" for a person's.
        digest: Of what the program has asked with that key.
        route: Name of the route that a program's push goes by.
        bills: Number and id of each bill that a program has named without a list; none once the
            run is over, whose rows have them.
        steps: Which steps of the route's `follow` its documents take; None for all.
        places: Of what may be pushed, such as what a retry has planned: first and last place of
            each unbroken stretch. None for all that is planned, and once that is over.
    """

    id: str
    kind: RequestKind
    by: str
    at: datetime
    stage: Stage
    jobs: Sequence[str] = ()
    how: Mapping[str, Any] = field(default_factory=dict)
    runs: Sequence[RunId] = ()
    plan: str = ""
    sha256: str = ""
    seen: Mapping[str, Any] = field(default_factory=dict)
    approved_by: str = ""
    approved_at: str = ""
    why: str = ""
    key: str = ""
    digest: str = ""
    route: str = ""
    bills: Sequence[tuple[str, str]] = ()
    steps: Sequence[Step] | None = None
    places: Sequence[tuple[int, int]] | None = None
    version: int = 1

    @property
    def is_open(self) -> bool:
        """Whether something is left to be done about it."""
        return self.stage in OPEN

    @property
    def chosen(self) -> Collection[int] | None:
        """The places of the rows that may be pushed; None for all."""
        if self.places is None:
            return None
        return {place for first, last in self.places for place in range(first, last + 1)}

    @property
    def waits_for_approval(self) -> bool:
        """Whether a person has something to approve: a plan by which something would be pushed."""
        to_send = (route["to_send"] for route in self.seen.get("routes", ()))
        return self.stage is Stage.PLANNED and any(to_send)


def spans_of(places: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each row of places that follow one another.

    >>> spans_of({1, 2, 3, 7})
    [(1, 3), (7, 7)]
    """
    spans: list[tuple[int, int]] = []
    for place in sorted(places):
        first = spans.pop()[0] if spans and spans[-1][1] == place - 1 else place
        spans.append((first, place))
    return spans


def _memo(request: Request) -> Memo:
    value = asdict(request)
    del value["id"], value["at"], value["version"]
    return Memo(
        REQUEST,
        request.id,
        request.at,
        value,
        about=request.runs[0] if request.runs else "",
        open=request.is_open,
        version=request.version,
    )


def _request(memo: Memo) -> Request:
    value = dict(memo.value)
    kind, stage = RequestKind(value.pop("kind")), Stage(value.pop("stage"))
    runs = [RunId(run) for run in value.pop("runs")]
    bills = [(str(number), str(id_)) for number, id_ in value.pop("bills", ())]
    steps = value.pop("steps", None)
    places = value.pop("places", None)
    return Request(
        id=memo.id,
        at=memo.at,
        version=memo.version,
        kind=kind,
        stage=stage,
        runs=runs,
        bills=bills,
        steps=None if steps is None else [Step(step) for step in steps],
        places=None if places is None else [(first, last) for first, last in places],
        **value,
    )


async def put_request(ledger: Ledger, request: Request, tenant: str = "") -> Request:
    """Write a request down, unless one of its id is there; return the one that is.

    Args:
        ledger: Where to.
        request: The request.
        tenant: Who was asked. Others of the account share the ledger, and not the settings.
    """
    asked = replace(request, how={**request.how, _TENANT: tenant}) if tenant else request
    return _request(await ledger.remember(_memo(asked)))


def tenant_of(request: Request) -> str:
    """Return the tenant that was asked; "" where an older version has not said."""
    return str(request.how.get(_TENANT, ""))


async def find_request(ledger: Ledger, id_: str) -> Request | None:
    """Return a request."""
    memo = await ledger.memo(REQUEST, id_)
    return _request(memo) if memo else None


async def requests(
    ledger: Ledger, *, only_open: bool = False, limit: int = 1000
) -> Sequence[Request]:
    """Return requests, the newest first: so many at most, or all that are open."""
    # One that was passed over would never be begun.
    most = EVERY if only_open else limit
    return [_request(m) for m in await ledger.memos(REQUEST, only_open=only_open, limit=most)]


async def requests_of(ledger: Ledger, run: RunId) -> Sequence[Request]:
    """Return the requests whose first run a run is, the newest first."""
    # The oldest of them says what was asked for at all.
    return [_request(memo) for memo in await ledger.memos(REQUEST, about=run, limit=EVERY)]


async def push_of(ledger: Ledger, run: RunId) -> Request | None:
    """Return the request that has begun a run, or None."""
    found = [each for each in await requests_of(ledger, run) if each.kind is RequestKind.PUSH]
    return found[-1] if found else None


async def steps_asked_for(ledger: Ledger, run: RunId, steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return those of a route's steps that documents of a run take.

    A program may have asked for fewer than its route has. That stands in the ledger, so that
    whoever executes the run keeps to it: this server, a worker, or a person at a terminal.
    """
    push = await push_of(ledger, run)
    if push is None or push.steps is None:
        return tuple(steps)
    return tuple(step for step in steps if step in push.steps)


async def places_asked_for(ledger: Ledger, asked_by: str, run: RunId) -> Collection[int] | None:
    """Return the places of a run's rows that a request wants pushed; None for all."""
    request = await find_request(ledger, asked_by) if asked_by else None
    return request.chosen if request is not None and run in request.runs else None


async def is_asked_for(ledger: Ledger, run: Run) -> bool:
    """Say whether a server has something left to do about a run."""
    return await open_request_of(ledger, run) is not None


async def open_request_of(ledger: Ledger, run: Run) -> Request | None:
    """Return what a server has left to do about a run, or None.

    A request is kept by the first of its runs, which one command has begun; thousands of others
    may be open.
    """
    beside = await ledger.runs_begun_with(run.group) if run.group else [run]
    for each in beside:
        found = await ledger.memos(REQUEST, about=each.id, only_open=True, limit=EVERY)
        for request in map(_request, found):
            if run.id in request.runs:
                return request
    return None


async def move(
    ledger: Ledger,
    request: Request,
    stage: Stage,
    only_from: Collection[Stage] = tuple(Stage),
    /,
    **changes: Any,
) -> Request:
    """Bring a request to another stage, once, and return it as it is then.

    Args:
        ledger: Where it is.
        request: As it was read.
        stage: Where to.
        only_from: From these stages alone, though `MOVES` has others.
        changes: What else becomes of it.

    Raises:
        OvertakenError: It has come to a stage from where it does not go there; somebody else
            may have been faster. Or the ledger, which was put back, has it no more.
    """
    while request.stage in only_from and stage in MOVES[request.stage]:
        moved = replace(request, stage=stage, **changes)
        if await ledger.revise(_memo(moved)):
            return replace(moved, version=moved.version + 1)
        found = await find_request(ledger, request.id)
        if found is None:
            break
        request = found
    raise OvertakenError(request)


@dataclass(frozen=True, slots=True)
class Act:
    """What a person or a program has done.

    Attributes:
        about: The run, or the request.
        by: Who; "" where nobody is known by name.
        what: Such as `planned`, `approved` or `control`; `desk.act.WHAT` says it.
        detail: Particulars, such as a command.
    """

    at: datetime
    about: str
    by: str
    what: str
    detail: str = ""


async def note_act(ledger: Ledger, act: Act, id_: str = "") -> None:
    """Write an act down; with an id, once."""
    id_ = id_ or f"{act.at.timestamp():.3f}-{secrets.token_hex(4)}"
    value = {"by": act.by, "what": act.what, "detail": act.detail}
    await ledger.remember(Memo(ACT, id_, act.at, value, about=act.about))


_WHOSE_TURN = {"queued", "requeued", "cancelled", "resume"}
"""Acts that put a run into the fleet's hands, or take it out of them."""


def last_turn(acts: Sequence[Act]) -> str:
    """Return the last act that put a run into the fleet's hands, or took it out; "" for none.

    Args:
        acts: What people and programs have done with it, the oldest first.
    """
    return next((act.what for act in reversed(acts) if act.what in _WHOSE_TURN), "")


async def acts_about(ledger: Ledger, about: str) -> Sequence[Act]:
    """Return the acts about a run or a request, the oldest first."""
    return [_act(memo) for memo in reversed(await ledger.memos(ACT, about=about))]


async def latest_acts(ledger: Ledger) -> Sequence[Act]:
    """Return the latest acts about anything, the newest first."""
    return [_act(memo) for memo in await ledger.memos(ACT, limit=MOST_ACTS)]


def _act(memo: Memo) -> Act:
    return Act(
        memo.at, memo.about, *(str(memo.value.get(key, "")) for key in ("by", "what", "detail"))
    )
