"""Programs that ask a server for pushes: their tokens, and what each of them may do.

A token is shown once, when it is made; the ledger keeps its digest, from which it cannot be had
again. It holds 256 random bits, so that neither a slow digest nor a salt would add anything.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from k3push.core.remark import remark
from k3push.ports import Clock, Ledger, Memo
from k3push.runs.kept_in_ledger.askers import by_program
from k3push.runs.problem import Problem
from k3push.runs.push_requests.program_roles import ProgramRole

TOKEN = "token"  # noqa: S105  # the kind of memo

MOST_PROGRAMS = 1000

PREFIX = "k3push_"
"""How a token begins, so that whoever finds one in a file or a log knows what it is."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Program:
    """A program that may ask for pushes.

    Attributes:
        name: Under which its keys and what it has asked for are known.
        route: The one route that it pushes by.
        rate: Requests a minute that are answered.
        digest: Of its token.
        revoked_at: Since when the token is refused, in ISO 8601; "" while it is not.
    """

    name: str
    route: str
    role: ProgramRole
    rate: int
    made_at: datetime
    digest: str
    revoked_at: str = ""
    version: int = 1

    @property
    def by(self) -> str:
        """What stands in the ledger for it; no user's name looks so.

        >>> Program("wms", "r", "view", 1, datetime(2026, 1, 1), "").by
        'api/wms'
        """
        return by_program(self.name)


async def add_program(
    ledger: Ledger, clock: Clock, name: str, *, route: str, role: ProgramRole, rate: int
) -> tuple[Program, str]:
    """Let a program in; return it with its token, which is nowhere else.

    A name whose token was revoked gets a new one, and keeps its keys.

    Raises:
        Problem: The name is none, or has a token that is not revoked.
    """
    if not _NAME.fullmatch(name):
        raise Problem(remark("token.bad_name", name=name))
    token = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    program = Program(name, route, role, rate, clock.now(), _digest(token))
    kept = _program(await ledger.remember(_memo(program)))
    if kept.digest != program.digest:
        renewed = replace(program, version=kept.version)
        if not kept.revoked_at or not await ledger.revise(_memo(renewed)):
            raise Problem(remark("token.there", name=name))
    return program, token


async def revoke_program(ledger: Ledger, clock: Clock, name: str) -> Program:
    """Refuse a program's token from now on; doing it again changes nothing.

    Raises:
        Problem: There is no such program.
    """
    while (memo := await ledger.memo(TOKEN, name)) is not None:
        program = _program(memo)
        revoked = replace(program, revoked_at=clock.now().isoformat(timespec="seconds"))
        if program.revoked_at or await ledger.revise(_memo(revoked)):
            return program if program.revoked_at else revoked
    raise Problem(remark("token.none", name=name))


async def programs(ledger: Ledger) -> Sequence[Program]:
    """Return all programs, by name."""
    memos = await ledger.memos(TOKEN, limit=MOST_PROGRAMS)
    return sorted(map(_program, memos), key=lambda each: each.name)


async def program_of(ledger: Ledger, token: str) -> Program | None:
    """Return the program whose token it is; None where it is nobody's, or was revoked."""
    if not token.startswith(PREFIX):
        return None
    # Found by its digest: how long that takes tells nothing of a token.
    digest = _digest(token)
    found = [_program(memo) for memo in await ledger.memos(TOKEN, about=digest, only_open=True)]
    return next((each for each in found if each.digest == digest and not each.revoked_at), None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _memo(program: Program) -> Memo:
    value = asdict(program) | {"made_at": program.made_at.isoformat()}
    del value["name"], value["version"]
    return Memo(
        TOKEN,
        program.name,
        program.made_at,
        value,
        about=program.digest,
        open=not program.revoked_at,
        version=program.version,
    )


def _program(memo: Memo) -> Program:
    value = dict(memo.value)
    made_at = datetime.fromisoformat(value.pop("made_at"))
    return Program(name=memo.id, made_at=made_at, version=memo.version, **value)
