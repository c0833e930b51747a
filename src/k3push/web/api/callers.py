"""Who asks: a program, by its token, as often as that allows."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated

import anyio
from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request

from k3push.ports import Ledger
from k3push.runs.push_requests.program_roles import ProgramRole, reaches
from k3push.runs.push_requests.program_tokens import Program, program_of
from k3push.web.api.problems import ProblemError
from k3push.web.execution.request_work import Workshop
from k3push.web.pages.page_context import PageContext
from k3push.web.tenant_ledgers import ServedTenant
from k3push.words.language import Say

MINUTE_S = 60.0
MOST_NAMES = 10_000

_BEARER = HTTPBearer(auto_error=False, description="A token of `k3push token add`.")


@dataclass(slots=True)
class Rates:
    """How often each program has asked of late; a program may save up one minute's worth."""

    _left: MutableMapping[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def wait_s(self, tenant: str, program: Program) -> float:
        """Count a request; return 0, or for how long no other is answered."""
        now_s, key = anyio.current_time(), (tenant, program.name)
        left, at_s = self._left.pop(key, (float(program.rate), now_s))
        left = min(program.rate, left + (now_s - at_s) * program.rate / MINUTE_S)
        allowed = left >= 1
        if len(self._left) >= MOST_NAMES:
            del self._left[next(iter(self._left))]
        self._left[key] = (left - allowed, now_s)
        return 0.0 if allowed else (1 - left) * MINUTE_S / program.rate


@dataclass(frozen=True, slots=True)
class Caller:
    """One request of one program."""

    program: Program
    tenant: ServedTenant
    ledger: Ledger
    desk: PageContext
    say: Say

    @property
    def workshop(self) -> Workshop:
        """What does what is asked for; raises `ProblemError` where the server only watches."""
        if self.tenant.workshop is None:
            raise ProblemError("only-watches", self.say("api.only_watches"))
        return self.tenant.workshop

    def log(self, event: str, **facts: object) -> None:
        """Log what the program has done."""
        self.desk.log(event, tenant=self.tenant.name, program=self.program.name, **facts)


def needs(role: ProgramRole) -> Callable[..., Awaitable[Caller]]:
    """Return what finds out who asks, and whether they may do what needs *role*."""

    async def caller(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    ) -> Caller:
        desk: PageContext = request.app.state.desk
        say = desk.speaker(request)
        tenants = desk.books.tenants
        name = request.path_params.get("tenant") or next(iter(tenants))
        refused = {"www-authenticate": "Bearer"}
        nobody = ProblemError("no-token", say("api.no_token"), headers=refused)
        if given is None or name not in tenants:  # who has no token is not told which there are
            raise nobody
        ledger = await desk.books.of(tenants[name])
        program = await program_of(ledger, given.credentials)
        if program is None:
            raise nobody
        rates: Rates = request.app.state.rates
        if wait_s := rates.wait_s(name, program):
            later = {"retry-after": str(math.ceil(wait_s))}
            raise ProblemError("too-many", say("api.too_many", rate=program.rate), headers=later)
        see_role(program, role, say)
        if twice := _key_twice(await request.body()):
            wrong = say("api.key_twice", key=twice)
            raise ProblemError("invalid", errors=[(f"body.{twice}", wrong)])
        request.state.caller = known = Caller(program, tenants[name], ledger, desk, say)
        return known

    return caller


def see_role(program: Program, role: ProgramRole, say: Say) -> None:
    """Raise `ProblemError` unless a program may do what needs *role*."""
    if not reaches(program.role, role):
        raise ProblemError("no-right", say("api.no_right", role=program.role, needed=role))


def _key_twice(body: bytes) -> str:
    """Return a key that an object of a body holds twice, or "": the last one alone would count.

    >>> _key_twice(b'{"numbers": ["A"], "numbers": ["B"]}'), _key_twice(b'{"numbers": ["A"]}')
    ('numbers', '')
    """
    twice: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> None:
        twice.extend(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)

    with suppress(RecursionError, ValueError):  # what cannot be read is refused as such
        json.loads(body, object_pairs_hook=note)
    return twice[0] if twice else ""


Viewer = Annotated[Caller, Depends(needs("view"))]
Operator = Annotated[Caller, Depends(needs("operate"))]
Approver = Annotated[Caller, Depends(needs("approve"))]
