"""Several users of one account set: pushes are spread over them, looks are made by one.

A user with narrower rights to data sees fewer documents, and no error says so. What one user
does not see must not travel again, so all looks are made by the first user of the settings,
which must see what the others make; and where absence would let a number travel again, every
user is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self, TypeVar

import anyio

from k3push.adapters.erp_http import ErpHttp
from k3push.core.model import (
    Answered,
    BillNumber,
    Exchange,
    NeverSent,
    NoAnswer,
    Route,
    Source,
    Target,
    Targets,
)
from k3push.core.sharing import Call, Lane, choose
from k3push.core.verdict import ReadBack, judge
from k3push.ports import LoginRefusedError, LookRefusedError

T = TypeVar("T")

# The MsgCode of a missing right (P 4.3).
NO_PERMISSION = "2"


@dataclass(frozen=True, slots=True)
class _User:
    place: int
    name: str
    erp: ErpHttp
    lane: Lane = field(default_factory=Lane)


class ErpPool:
    """Several users, each with a session of its own. Fulfils `ports.Erp`.

    A user whose login is refused is set aside, and so is one who may not push from pushing;
    the others go on.
    """

    def __init__(
        self,
        users: Mapping[str, ErpHttp],
        *,
        refused: dict[str, str],
        set_aside: Callable[[str, str], None],
    ) -> None:
        """Begin without a session.

        Args:
            users: By name, in the order of the settings; they share one line of turns.
            refused: What the ERP said to users whose login it refused. It is added to, and a
                user in it is left alone: five refusals lock the account (P 2.4).
            set_aside: Is told once of each user who is set aside while others are left, with
                the ERP's words; the error tells of the last one.
        """
        self._users = [_User(place, *user) for place, user in enumerate(users.items())]
        self._refused = refused
        self._barred: set[str] = set()
        self._tell = set_aside

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log all users out, side by side, since each may have to wait for a dead server."""
        async with anyio.create_task_group() as tasks:
            for user in self._users:
                tasks.start_soon(user.erp.__aexit__, kind, error, trace)

    @property
    def logins(self) -> int:
        """How often all of them have logged in."""
        return sum(user.erp.logins for user in self._users)

    async def open_session(self) -> None:
        """Log the first user in who is not refused; the others follow with their first push.

        Raises:
            LoginRefusedError: All are refused.
            ErpUnreachableError: Nothing answered.
        """
        await self._by_first(lambda erp: erp.open_session())

    # -- ports.Erp ----------------------------------------------------------------------------

    async def turn(self) -> None:
        """Wait until a push may leave at once, whoever makes it."""
        await self._users[0].erp.turn()

    async def push(self, route: Route, data: bytes) -> Exchange:
        """Send one Push request, once, through the user who is likely to be served first."""
        while able := self._able:
            user = able[choose([each.lane for each in able])]
            exchange = await self._push_by(user, route, data)
            if isinstance(exchange, NeverSent) and user.erp.refused is not None:
                self._set_aside(user, user.erp.refused)
                continue
            if isinstance(exchange, Answered):
                self._bar_who_may_not(user, exchange)
                # The number says whose session it was; `lose_session` takes it apart.
                session = exchange.session * len(self._users) + user.place
                return replace(exchange, session=session)
            return exchange
        return NeverSent(f"no session: {self._refusals}")

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost; other users keep theirs."""
        number, place = divmod(session, len(self._users))
        self._users[place].erp.lose_session(number)

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills, by the job file's spellings."""
        _, found = await self._by_first(lambda erp: erp.sources_of(route, numbers))
        return found

    async def targets_of(
        self, route: Route, numbers: Collection[BillNumber], *, by_all: bool = False
    ) -> Targets:
        """Ask the target form for every document linked to *numbers*, drafts included.

        A user who may not read the form at all has nothing to add to what the first one sees.
        """

        def ask(erp: ErpHttp) -> Awaitable[Targets]:
            return erp.targets_of(route, numbers)

        asked, found = await self._by_first(ask)
        for user in [user for user in self._left if by_all and user is not asked]:
            try:
                found = _united(found, await self._look_by(user, ask))
            except LookRefusedError:
                continue
            except LoginRefusedError as refusal:
                self._set_aside(user, refusal)
        return found

    # -- who ----------------------------------------------------------------------------------

    @property
    def _left(self) -> list[_User]:
        return [user for user in self._users if user.name not in self._refused]

    @property
    def _able(self) -> list[_User]:
        """Those who may push; where nobody may, it is not for us to hide what the ERP says."""
        return [user for user in self._left if user.name not in self._barred] or self._left

    def _bar_who_may_not(self, user: _User, exchange: Answered) -> None:
        """Let a user push no more who lacks the right to, while others are left."""
        verdict = judge(exchange)
        if not isinstance(verdict, ReadBack) or verdict.said.acted:
            return
        able = self._able
        if verdict.said.code == NO_PERMISSION and user in able and len(able) > 1:
            self._barred.add(user.name)
            self._tell(user.name, "; ".join(verdict.said.messages) or f"MsgCode {NO_PERMISSION}")

    @property
    def _refusals(self) -> str:
        return "; ".join(f"{user.name}: {self._refused[user.name]}" for user in self._users)

    def _set_aside(self, user: _User, refusal: LoginRefusedError) -> None:
        if user.name not in self._refused:
            self._refused[user.name] = str(refusal)
            if self._left:
                self._tell(user.name, str(refusal))

    async def _by_first(self, ask: Callable[[ErpHttp], Awaitable[T]]) -> tuple[_User, T]:
        """Ask through the first user who is not refused, and say who that was."""
        while left := self._left:
            try:
                return left[0], await self._look_by(left[0], ask)
            except LoginRefusedError as refusal:
                self._set_aside(left[0], refusal)
        raise LoginRefusedError(self._refusals)

    async def _look_by(self, user: _User, ask: Callable[[ErpHttp], Awaitable[T]]) -> T:
        left_s, done = anyio.current_time(), False
        user.lane.leaves(Call.LOOK)
        try:
            found = await ask(user.erp)
            done = True
        finally:
            user.lane.returns(Call.LOOK, left_s, anyio.current_time(), measures=done)
        return found

    async def _push_by(self, user: _User, route: Route, data: bytes) -> Exchange:
        left_s, done = anyio.current_time(), False
        user.lane.leaves(Call.PUSH)
        try:
            exchange = await user.erp.push(route, data)
            done = _measures(exchange)
        finally:
            user.lane.returns(Call.PUSH, left_s, anyio.current_time(), measures=done)
        return exchange


def _measures(exchange: Exchange) -> bool:
    """Say whether an exchange took the time of a push.

    A user whose sessions are always lost is answered fast, and would draw all pushes.
    """
    if isinstance(exchange, NoAnswer):
        return exchange.timed_out
    return isinstance(judge(exchange), ReadBack)


def _united(one: Targets, other: Targets) -> Targets:
    """Join what two users see; a document that both see is there once."""
    united: dict[BillNumber, tuple[Target, ...]] = dict(one)
    for number, targets in other.items():
        seen = united.get(number, ())
        ids = {target.id for target in seen}
        united[number] = (*seen, *(target for target in targets if target.id not in ids))
    return united
