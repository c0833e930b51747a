"""A call that writes, as one of several users, and what its time tells of how they are served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import Answered, Exchange, NoAnswer
from k3push.core.pacing.user_choice import UserCalls
from k3push.core.protocol.msg_codes import ABOUT_NO_BILL
from k3push.core.protocol.wire import PUSH
from k3push.core.safety.verdict import ReadBack, judge
from k3push.ports import Turn


@dataclass(frozen=True, slots=True)
class User:
    """One user of the account set.

    Attributes:
        place: In the order of the settings.
        name: What the ERP calls it.
        lane: Its calls on their way, and how fast they came back.
    """

    place: int
    name: str
    erp: ErpClient
    lane: UserCalls = field(default_factory=UserCalls)


@dataclass(slots=True)
class UserTurn:
    """The turn of one of several users. Fulfils `ports.Turn`.

    Attributes:
        answered: Is told of each answer.
        turn: The user's own turn, once it has come.
        left_s: When the push left.
        measures: Whether it tells how fast the user is served.
    """

    mine: User
    answered: Callable[[User, Answered], None]
    users: int
    turn: Turn | None = None
    left_s: float = 0.0
    measures: bool = False

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
        self.measures = is_push and _measures(exchange)
        if not isinstance(exchange, Answered):
            return exchange
        if is_push:
            self.answered(self.mine, exchange)
        # The session's number also says which user's it was; `lose_session` separates the two.
        return replace(exchange, session=exchange.session * self.users + self.mine.place)


def _measures(exchange: Exchange) -> bool:
    """Say whether an exchange took the time of a push.

    A user whose sessions are always lost is answered fast, and would draw all pushes; so is one
    whose calls are limited.
    """
    if isinstance(exchange, NoAnswer):
        return exchange.timed_out
    verdict = judge(exchange)
    return isinstance(verdict, ReadBack) and not is_limit(verdict)


def is_limit(verdict: ReadBack) -> bool:
    """Say whether a push has met a limit on calls or licences, maybe of its user alone."""
    return verdict.said.code in ABOUT_NO_BILL and not verdict.said.acted
