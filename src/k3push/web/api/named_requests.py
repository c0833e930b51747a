"""The request, and its run, that an address names, where it is any business of who asks."""

from __future__ import annotations

import re

from k3push.core.model import Run
from k3push.runs.kept_in_ledger.request_stages import Request, find_request
from k3push.runs.push_requests.program_roles import reaches
from k3push.web.api.callers import Caller
from k3push.web.api.problems import ProblemError
from k3push.web.api.push_status import run_in

_ID = re.compile(r"[0-9a-f]{32}")


async def request_named(caller: Caller, id_: str) -> Request:
    """Return what a program has asked for.

    A plan is seen by whoever may approve it, too, and all of a route by who may only look at it:
    such a program asks for nothing itself. What another tenant of the account was asked is seen
    at that tenant's addresses.

    Raises:
        ProblemError: There is no such request, or it is none of this program's business.
    """
    found = await find_request(caller.ledger, id_) if _ID.fullmatch(id_) else None
    if found and _is_of(caller, found):
        theirs = found.by == caller.program.by or not reaches(caller.program.role, "operate")
        planned = found.seen or found.jobs
        if theirs or (planned and reaches(caller.program.role, "approve")):
            return found
    raise ProblemError("not-found", caller.say("api.not_found"))


def _is_of(caller: Caller, asked: Request) -> bool:
    """Say whether something was asked for by a program of this tenant and route."""
    workshop = caller.tenant.workshop  # None where the server only watches
    is_mine = workshop is None or workshop.is_mine(asked)
    return is_mine and bool(asked.key) and asked.route == caller.program.route


async def run_named(caller: Caller, id_: str) -> tuple[Request, Run]:
    """Return what a program has asked for, with its run.

    Raises:
        ProblemError: There is none, or it is none of this program's business.
    """
    request = await request_named(caller, id_)
    run = await run_in(caller, request)
    if run is None:
        key = "api.no_run_yet" if request.is_open else "api.no_run"
        raise ProblemError("not-now", caller.say(key))
    return request, run
