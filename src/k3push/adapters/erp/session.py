"""The session that all calls of one user share, and the login that renews a lost one."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import anyio

from k3push.core.protocol.logins import LoginFailedError
from k3push.core.remark import remark
from k3push.ports import ErpUnreachableError, LoginRefusedError


@dataclass(slots=True, eq=False)
class ErpSession:
    """One session with the ERP.

    Attributes:
        number: Its place among the sessions of this process, from 1.
        reopened: It was opened because one before it was lost.
        cookies: What goes into the Cookie header; signed requests learn it from an answer.
        accepted: Some call was answered under it with anything but a lost session.
        in_flight: Calls that travel under it.
        quiet: Set while none does.
    """

    number: int
    reopened: bool = False
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    accepted: bool = False
    in_flight: int = 0
    quiet: anyio.Event = field(default_factory=anyio.Event)

    @contextmanager
    def travelling(self) -> Iterator[None]:
        """Count a call that travels under this session."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            if not self.in_flight:
                self.quiet.set()
                self.quiet = anyio.Event()


class SessionKeeper:
    """Keeps one session, and opens another for all who lost it.

    A login that was refused is not tried again: five wrong ones lock the account (P 2.4).
    Nor is one tried when a session that was just opened after a loss is refused as well,
    since the words for a lost session also stand for a missing right (P 3.4).
    """

    def __init__(self, log_in: Callable[[ErpSession], Awaitable[None]]) -> None:
        """Begin without a session.

        Args:
            log_in: Fills the session in, or raises LoginRefusedError or ErpUnreachableError.
        """
        self._log_in = log_in
        self._lock = anyio.Lock()
        self._session: ErpSession | None = None
        self._lost: ErpSession | None = None
        self.refused: LoginRefusedError | None = None
        self.logins = 0

    @property
    def current(self) -> ErpSession | None:
        """The session as it is, without a login."""
        return self._session

    async def open(self) -> ErpSession:
        """Return the session; log in if there is none.

        Raises:
            LoginRefusedError: Now, or at an earlier call.
            ErpUnreachableError: No login could be made now.
        """
        if self._session is not None:
            return self._session
        async with self._lock:
            return await self._open_alone()

    async def _open_alone(self) -> ErpSession:
        # Whoever waited for the lock may find the work done.
        if self._session is not None:
            return self._session
        if self.refused is not None:
            raise LoginRefusedError(*self.refused.args)
        try:
            await self._check_lost()
            session = ErpSession(self.logins + 1, reopened=self._lost is not None)
            self.logins += 1
            await self._log_in(session)
        except LoginRefusedError as refusal:
            self.refused = refusal
            raise
        self._session = session
        return session

    def lose(self, number: int) -> None:
        """Say that the session of that *number* is lost."""
        if self._session is not None and self._session.number == number:
            self._lost, self._session = self._session, None

    def forget(self) -> None:
        """Drop the session after a logout."""
        self._session = None

    async def _check_lost(self) -> None:
        lost = self._lost
        if lost is None or not lost.reopened:
            return
        # Calls that left before the loss may still prove that the session was good.
        while lost.in_flight and not lost.accepted:
            await lost.quiet.wait()
        if not lost.accepted:
            raise LoginRefusedError(remark("answer.session_useless"))


class LoginGate:
    """Lets sessions of one user be opened one after another, whichever executions they are of.

    Side by side each would try a password that is wrong, and five tries lock the account (P 2.4).
    Who has waited while another's came to nothing is told the same, and waits for no time-out more.
    """

    def __init__(self) -> None:
        self._lock = anyio.Lock()
        self._refusal: LoginFailedError | None = None
        self._failure: ErpUnreachableError | None = None
        self._ended_at_s = -math.inf

    @asynccontextmanager
    async def turn(self, asked_at_s: float) -> AsyncIterator[None]:
        """Log in, in the block, while no other does.

        Args:
            asked_at_s: When the execution began. What was refused since is not tried once more.

        Raises:
            LoginFailedError: It was refused to another since then.
            ErpUnreachableError: Another's was not answered, whose end was waited for.
        """
        came_at_s = anyio.current_time()
        async with self._lock:
            if self._refusal is not None and self._ended_at_s >= asked_at_s:
                raise LoginFailedError(*self._refusal.args)
            if self._failure is not None and self._ended_at_s > came_at_s:
                raise type(self._failure)(*self._failure.args)
            self._refusal = self._failure = None
            try:
                yield
            except LoginFailedError as refusal:
                self._refusal = refusal
                raise
            except ErpUnreachableError as failure:
                self._failure = failure
                raise
            finally:
                self._ended_at_s = anyio.current_time()
