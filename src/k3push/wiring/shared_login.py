"""One way to the ERP for many short executions: one session, one login, one limit of calls.

Each push of a program is an execution. Had each a login of its own, a wrong password would be
tried once for each, and five tries lock the account (P 2.4); sessions would pile up in the ERP
(P 2.10), and the limit of calls a minute would count for each alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self, cast

import anyio
from anyio.abc import TaskGroup

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.identities import Identities
from k3push.config.settings import ErpSettings
from k3push.runs.stop import is_session_lost
from k3push.wiring.erp import ErpAccess, RefusedUsers

IDLE_S = 60.0

LOST_S = 60.0
"""After so long a login is made again, where each session was lost as soon as it was opened."""

_Erp = ErpClient | Identities


@dataclass(slots=True, eq=False)
class _Kept:
    """An ERP that several executions share.

    Attributes:
        entrance: By which it was made.
        inside: How many are at it.
        used: How often it was entered, by which an idle time is told from another.
        lost_at_s: When an execution ended first since no session lasted; else infinite.
    """

    settings: ErpSettings
    entrance: ErpAccess
    erp: _Erp
    inside: int = 0
    used: int = 0
    lost_at_s: float = math.inf


class KeptAccess:
    """Keeps one session open between executions, and closes it when nobody has come for a while.

    A login that was refused is tried no more, whatever comes, until somebody says that it may be.
    Where another program logs in as the same user, and ends each session so (P 2.8), nobody was
    refused: that is tried again after a while.

    Attributes:
        limit: How many calls may begin in a minute, by the execution that came last.
    """

    def __init__(self, users: RefusedUsers, idle_s: float = IDLE_S) -> None:
        self._users = users
        self._idle_s = idle_s
        self._kept: _Kept | None = None
        self._left: list[_Kept] = []
        self.limit: Callable[[], int] = lambda: 0

    def of(self, entrance: ErpAccess, settings: ErpSettings, tasks: TaskGroup) -> ErpAccess:
        """Return the way in for one execution.

        Args:
            entrance: Makes what is shared, if need be.
            settings: What it was made from; others need another session.
            tasks: In which the session is closed later.
        """
        return _SharedAccess(
            entrance.sites, entrance.refused, entrance.line, self, entrance, settings, tasks
        )

    def calls_per_minute(self) -> int:
        """Return the limit as it is now."""
        return self.limit()

    def try_again(self) -> None:
        """Forget a refusal: somebody has logged in since."""
        if self._kept is not None and self._kept.erp.refused is not None:
            self._leave_behind()

    async def close(self) -> None:
        """Log out; nobody is at it any more."""
        self._leave_behind()
        for kept in self._left:
            await kept.erp.__aexit__(None, None, None)
        self._left.clear()

    def take(self, settings: ErpSettings, entrance: ErpAccess, make: Callable[[], _Erp]) -> _Kept:
        """Return what is shared; make it if there is none, or the settings are others."""
        if self._kept is not None:
            rested_s = anyio.current_time() - self._kept.lost_at_s
            if self._kept.settings != settings or rested_s >= LOST_S:
                self._leave_behind()
        if self._kept is None:
            self._kept = _Kept(settings, entrance, make())
        return self._kept

    async def leave(self, kept: _Kept, tasks: TaskGroup) -> None:
        """Say that an execution is over."""
        kept.inside -= 1
        self._users.learn(kept.entrance, kept.settings)
        refusal = kept.erp.refused
        if refusal and is_session_lost(str(refusal)) and math.isinf(kept.lost_at_s):
            kept.lost_at_s = anyio.current_time()
        if kept.inside:
            return
        if kept is self._kept:
            if refusal is None:
                tasks.start_soon(self._close_later, kept, kept.used)
        elif kept in self._left:
            self._left.remove(kept)
            await kept.erp.__aexit__(None, None, None)

    async def _close_later(self, kept: _Kept, used: int) -> None:
        await anyio.sleep(self._idle_s)
        if kept.inside or kept.used != used:
            return
        if kept is self._kept:
            self._kept = None
        elif kept in self._left:
            self._left.remove(kept)
        else:
            return
        await kept.erp.__aexit__(None, None, None)

    def _leave_behind(self) -> None:
        if self._kept is not None:
            self._left.append(self._kept)
            self._kept = None


@dataclass(frozen=True, slots=True)
class _SharedAccess(ErpAccess):
    """The way of one execution to what is shared."""

    keeper: KeptAccess | None = None
    inner: ErpAccess | None = None
    settings: ErpSettings | None = None
    tasks: TaskGroup | None = None

    def opened(
        self, calls_per_minute: Callable[[], int], set_aside: Callable[[str, str], None]
    ) -> _Erp:
        """Return the shared ERP, as if it were this execution's own."""
        if not (self.keeper and self.inner and self.settings and self.tasks):
            raise RuntimeError("made by KeptAccess alone")
        inner, keeper = self.inner, self.keeper
        # Of the latest: what a person has set for one that is over is nobody's limit.
        keeper.limit = calls_per_minute
        kept = keeper.take(
            self.settings, inner, lambda: inner.opened(keeper.calls_per_minute, set_aside)
        )
        # All but its beginning and its end is the shared one's.
        return cast("_Erp", _Visit(self.keeper, kept, self.tasks))


class _Visit:
    """A shared ERP, entered and left by one execution."""

    def __init__(self, keeper: KeptAccess, kept: _Kept, tasks: TaskGroup) -> None:
        self._keeper = keeper
        self._kept = kept
        self._tasks = tasks
        self._logins = 0

    async def __aenter__(self) -> Self:
        """Come in."""
        self._kept.inside += 1
        self._kept.used += 1
        self._logins = self._kept.erp.logins
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave; others may be at it still."""
        with anyio.CancelScope(shield=True):
            await self._keeper.leave(self._kept, self._tasks)

    @property
    def logins(self) -> int:
        """Logins while this execution was at it."""
        return self._kept.erp.logins - self._logins

    def __getattr__(self, name: str) -> Any:
        """Return a verb of the shared one."""
        return getattr(self._kept.erp, name)
