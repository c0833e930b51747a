"""Which of several users is asked, and which of them may push.

A user with narrower rights to data sees fewer documents, and no error says so. That one user sees
nothing is therefore no proof. A look says who has looked (`Sighting.users`), and it asks:

- the first user of the settings, if that one has shown to see what the others make: ten
  documents of each, and none missed (`core.safety.user_sight`);
- until then, and where absence would let a number travel again (*by_all*), every user.

A look that fails is raised, whoever made it. Only a user who may not read the form, or whose login
is refused, is left out, and then does not count among those who have looked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import anyio

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.user_turn import User, is_limit
from k3push.core.model import Answered
from k3push.core.pacing.user_choice import QueuedCall
from k3push.core.protocol.msg_codes import NO_RIGHT
from k3push.core.safety.user_sight import Views
from k3push.core.safety.verdict import ReadBack, judge
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError, LookRefusedError

T = TypeVar("T")
K = TypeVar("K")

# The remark of a refusal whose cause is no refused login, but sessions that do not last.
_SESSION_USELESS = "answer.session_useless"


class UserPool:
    """Several users, each with a session of its own; learns what each of them may do and see.

    Attributes:
        users: In the order of the settings.
        views: Which of them sees what another makes.
    """

    def __init__(
        self,
        users: Mapping[str, ErpClient],
        refused: dict[str, str],
        set_aside: Callable[[str, str], None],
    ) -> None:
        """Begin with nothing known; the arguments are those of `Identities`."""
        self.users = [User(place, *user) for place, user in enumerate(users.items())]
        self.views = Views()
        self._refused = refused
        self._barred: set[str] = set()
        self._tell = set_aside

    @property
    def left(self) -> list[User]:
        """Those whose login is not refused."""
        return [user for user in self.users if user.name not in self._refused]

    @property
    def able(self) -> list[User]:
        """Those who may push; everybody where nobody may, so that the ERP itself says why not."""
        return [user for user in self.left if user.name not in self._barred] or self.left

    def spares(self, user: str) -> bool:
        """Say whether pushes go through others than *user*, who may not push."""
        return user in self._barred and all(each.name != user for each in self.able)

    def learn_from(self, user: User, exchange: Answered) -> None:
        """Note what a user has made; one who may not push is spared while others are left."""
        verdict = judge(exchange)
        if not isinstance(verdict, ReadBack):
            return
        if is_limit(verdict):
            user.calls.meet_limit()
        else:
            user.calls.get_through()
        self.views.made(user.name, [target.id for target in verdict.said.named])
        able = self.able
        refused = verdict.said.code == NO_RIGHT and not verdict.said.acted
        if refused and user in able and len(able) > 1:
            self._barred.add(user.name)
            self._tell(user.name, "; ".join(verdict.said.messages) or f"MsgCode {NO_RIGHT}")

    @property
    def refusals(self) -> str:
        """Why nobody is left: what the ERP said to each."""
        said = {user.name: self._refused[user.name] for user in self.users}
        # A wrong password is to be mended, and not tried again, whoever lost a session beside.
        refused = {name: why for name, why in said.items() if _SESSION_USELESS not in why}
        return "; ".join(f"{name}: {why}" for name, why in (refused or said).items())

    def set_aside(self, user: User, refusal: LoginRefusedError) -> None:
        """Leave a user alone from now on, whose login is refused; that is told once."""
        if user.name not in self._refused:
            self._refused[user.name] = str(refusal)
            if self.left:
                self._tell(user.name, str(refusal))

    async def by_first(self, ask: Callable[[ErpClient], Awaitable[T]]) -> T:
        """Ask through the first user who is not refused and may read the form."""
        refusals: list[LookRefusedError] = []
        asked: set[str] = set()
        while left := [user for user in self.left if user.name not in asked]:
            asked.add(left[0].name)
            try:
                return await self.timed(left[0], ask)
            except LoginRefusedError as refusal:
                self.set_aside(left[0], refusal)
            except LookRefusedError as refusal:
                if refusal.code != NO_RIGHT:
                    raise
                refusals.append(refusal)
        raise refusals[0] if refusals else LoginRefusedError(self.refusals)

    async def timed(self, user: User, ask: Callable[[ErpClient], Awaitable[T]]) -> T:
        """Ask through a user, and note how long that took."""
        left_s, done = anyio.current_time(), False
        user.calls.leaves(QueuedCall.LOOK)
        try:
            found = await ask(user.erp)
            done = True
        finally:
            user.calls.returns(QueuedCall.LOOK, left_s, anyio.current_time(), measures=done)
        return found

    async def by_others(
        self,
        missing: Callable[[], list[K]],
        ask: Callable[[list[K], ErpClient], Awaitable[T]],
        take: Callable[[T], None],
    ) -> None:
        """Ask the other users for what is missing, one after another, until nothing is."""
        for user in self.left[1:]:
            if not (asked := missing()):
                return
            try:
                take(await self.timed(user, partial(ask, asked)))
            except LoginRefusedError as refusal:
                self.set_aside(user, refusal)
            except LookRefusedError as refusal:
                if refusal.code != NO_RIGHT:
                    raise

    async def look(
        self, look: Callable[[ErpClient], Awaitable[T]], *, by_all: bool
    ) -> dict[str, T]:
        """Look through those who see different documents, or through everybody."""
        seen: dict[str, T] = {}
        refusals: list[LookRefusedError] = []
        asked: set[str] = set()
        while left := [user for user in self.left if user.name not in asked]:
            first = next(iter(seen), left[0].name)
            users = [u for u in left if by_all or not self.views.sees(first, u.name)]
            if not users:
                break
            asked.update(user.name for user in users)
            await self._look_by(users, look, seen, refusals)
        if not seen:
            raise refusals[0] if refusals else LoginRefusedError(self.refusals)
        return seen

    async def _look_by(
        self,
        users: Sequence[User],
        look: Callable[[ErpClient], Awaitable[T]],
        seen: dict[str, T],
        refusals: list[LookRefusedError],
    ) -> None:
        """Look through users side by side; if one of these looks fails, the whole look fails."""
        failures: list[Exception] = []

        async def look_by(user: User) -> None:
            try:
                found = await self.timed(user, look)
            except LoginRefusedError as refusal:
                self.set_aside(user, refusal)
            except LookRefusedError as refusal:
                (refusals if refusal.code == NO_RIGHT else failures).append(refusal)
            except (LookFailedError, ErpUnreachableError) as error:
                failures.append(error)
            else:
                seen[user.name] = found

        async with anyio.create_task_group() as looks:
            for user in users:
                looks.start_soon(look_by, user)
        if failures:
            raise failures[0]
