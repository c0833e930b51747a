"""What programs ask for, each by a key of its own: asked twice, it is one push.

The request is in the ledger with its key, its bills and the id of its run, in one step, before
anybody is told that it was accepted. So a program that got no answer asks again with the same
key, and is told of what became of the first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from k3push.core.model import BillNumber, Listed, Route, Run, Step
from k3push.ports import Clock, Ledger
from k3push.runs.create import new_run_id, scope_of
from k3push.runs.kept_in_ledger.request_stages import (
    Act,
    Request,
    RequestKind,
    Stage,
    find_request,
    note_act,
    put_request,
)
from k3push.runs.push_requests.program_tokens import Program

# Of a second's runs so many letters tell one from another: two in a hundred million are the same.
_LETTERS_OF_RUN = 6


class KeyReusedError(Exception):
    """The program has asked for something else with that key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a program asks for.

    Attributes:
        key: The program's own name for it.
        route: The program's.
        bills: Number and id of each bill; one of both may be "".
        steps: Which steps of the route's `follow` documents take; None for all.
        plan: Whether somebody is to approve what would be done, before anything is.
    """

    key: str
    route: str
    bills: Sequence[tuple[str, str]]
    steps: Sequence[Step] | None = None
    plan: bool = False

    @property
    def digest(self) -> str:
        """What tells it from another wish."""
        told = [self.route, list(map(list, self.bills)), self.steps, self.plan]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def request_id(program: str, key: str) -> str:
    """Return the id of what a program asks for with a key; no two programs share one.

    >>> request_id("wms", "1") == request_id("wms", "1")
    True
    >>> request_id("wms", "1") == request_id("oms", "1")
    False
    """
    return hashlib.sha256(f"{program}\0{key}".encode()).hexdigest()[:32]


def list_name(by: str, key: str) -> str:
    """Return what stands for the job file of what a program asks for, so that its key is found."""
    return f"{by}: {key}"


async def asked_before(ledger: Ledger, program: Program, wish: Wish) -> Request | None:
    """Return what the program has asked for with the key of a wish.

    Raises:
        KeyReusedError: It was something else.
    """
    found = await find_request(ledger, request_id(program.name, wish.key))
    if found is not None and found.digest != wish.digest:
        raise KeyReusedError
    return found


async def accept(
    ledger: Ledger, clock: Clock, program: Program, wish: Wish, *, job: str = "", tenant: str = ""
) -> Request:
    """Write down what a program asks for, once, and return it as it is there.

    Args:
        ledger: Where to.
        clock: The time of day.
        program: Who asks.
        wish: What for.
        job: The list of its bills, where there is to be a plan.
        tenant: Who is asked.

    Raises:
        KeyReusedError: It has asked for something else with that key.
    """
    now = clock.now()
    stage = Stage.PLANNING if wish.plan else Stage.APPROVED
    new = Request(
        id=request_id(program.name, wish.key),
        kind=RequestKind.PUSH,
        by=program.by,
        at=now,
        stage=stage,
        jobs=[job] if job else (),
        how={"route": wish.route, "called": list_name(program.by, wish.key)} if job else {},
        runs=() if wish.plan else [new_run_id(now, _LETTERS_OF_RUN)],
        approved_by="" if wish.plan else program.by,
        approved_at="" if wish.plan else now.isoformat(),
        key=wish.key,
        digest=wish.digest,
        route=wish.route,
        bills=() if wish.plan else wish.bills,
        steps=wish.steps,
    )
    kept = await put_request(ledger, new, tenant)
    if kept.digest != wish.digest:
        raise KeyReusedError
    return kept


def run_of(request: Request, acct_id: str, route: Route) -> Run:
    """Return the run of a push without a plan, as it is before it is in the ledger."""
    (run,) = request.runs
    return Run(
        id=run,
        scope=scope_of(acct_id, route),
        route=route,
        jobs=(list_name(request.by, request.key),),
        folder="",
        started_at=request.at,
    )


def listed_in(request: Request) -> list[Listed]:
    """Return the bills of a push without a plan, in the program's order."""
    return [
        Listed(line, BillNumber(number), id=id_)
        for line, (number, id_) in enumerate(request.bills, start=1)
    ]


async def note_accepted(ledger: Ledger, request: Request) -> None:
    """Write down, once, who has asked for the run of a push without a plan."""
    for run in request.runs:
        act = Act(request.at, run, request.by, "pushed", request.key)
        await note_act(ledger, act, f"{run} 0")
