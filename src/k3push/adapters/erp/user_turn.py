"""A call that writes, as one of several users, and what its time tells of how they are served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import Answered, Exchange
from k3push.core.pacing.user_choice import UserCalls
from k3push.core.protocol.msg_codes import ABOUT_NO_BILL
from k3push.core.protocol.wire import PUSH
from k3push.core.safety.verdict import InDoubt, ReadBack, Verdict, judge, was_given_up
from k3push.ports import Turn


@dataclass(frozen=True, slots=True)
class User:
    """One user of the account set.

    Attributes:
        place: In the order of the settings.
        name: What the ERP calls it.
        calls: Those on their way, and how fast they came back.
    """

    place: int
    name: str
    erp: ErpClient
    calls: UserCalls = field(default_factory=UserCalls)


@dataclass(slots=True)
class UserTurn:
    """The turn of one of several users. Fulfils `ports.Turn`.

    Attributes:
        answered: Is told of each answer.
        turn: The user's own turn, once it has come.
        left_s: When the push left.
        measures: Whether it tells how fast the user is served.
        given_up: Whether it may be at work still, as it was waited for no longer.
    """

    mine: User
    answered: Callable[[User, Answered], None]
    users: int
    turn: Turn | None = None
    left_s: float = 0.0
    measures: bool = False
    given_up: bool = False

    @property
    def user(self) -> str:
        """The user that the push travels as."""
        return self.mine.name

    async def perform(
        self, operation: str, form: str, data: bytes, *, held_back: Callable[[], str]
    ) -> Exchange:
        """Make one call that writes, at most once."""
        if self.turn is None:
            raise ValueError("the turn has not come")
        self.left_s = anyio.current_time()
        exchange = await self.turn.perform(operation, form, data, held_back=held_back)
        is_push = operation == PUSH
        verdict, took_s = judge(exchange), anyio.current_time() - self.left_s
        # Or a user whose calls are given up would draw all pushes, as one who was not tried.
        self.given_up = isinstance(verdict, InDoubt) and was_given_up(verdict, took_s)
        self.measures = is_push and (self.given_up or _measures(verdict))
        if not isinstance(exchange, Answered):
            return exchange
        if is_push:
            self.answered(self.mine, exchange)
        # The session's number also says which user's it was; `lose_session` separates the two.
        return replace(exchange, session=exchange.session * self.users + self.mine.place)


def _measures(verdict: Verdict) -> bool:
    """Say whether an exchange took the time of a push.

    A user whose sessions are always lost is answered fast, and would draw all pushes; so is one
    whose calls are limited.
    """
    return isinstance(verdict, ReadBack) and not is_limit(verdict)


def is_limit(verdict: ReadBack) -> bool:
    """Say whether a push has met a limit on calls or licences, maybe of its user alone."""
    return verdict.said.code in ABOUT_NO_BILL and not verdict.said.acted
