"""The session for programs without an event loop: the asynchronous one, in a thread of its own."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from k3push.core.model import State
from k3push.scripting.async_session import AsyncSession, open_async
from k3push.scripting.values import Bills, Plan, Result, Row

T = TypeVar("T")


class Session(AbstractContextManager["Session"]):
    """One configuration, with its ledger open. Made by `open`; for programs without a loop.

    Each method does what that of `AsyncSession` does.
    """

    def __init__(self, config: Path | str | None = None) -> None:
        self._config = config
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._session: AsyncSession | None = None
        self._process = 0

    def __enter__(self) -> Self:
        """Open the ledger."""
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            opened = self._portal.wrap_async_context_manager(open_async(self._config))
            self._session = stack.enter_context(opened)
            self._stack = stack.pop_all()
        self._process = os.getpid()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the ledger."""
        self._portal = self._session = None
        if self._process == os.getpid():  # else its thread stayed there, and cannot be waited for
            self._stack.__exit__(kind, error, trace)

    @property
    def routes(self) -> tuple[str, ...]:
        """Names of the routes."""
        return self._opened.routes

    def plan(self, bills: Bills, *, route: str | None = None) -> Plan:
        """Look ahead and send nothing."""
        return self._call(partial(self._opened.plan, bills, route=route))

    def run(
        self,
        bills: Bills,
        *,
        route: str | None = None,
        again_because: str = "",
        limit: int | None = None,
    ) -> Result:
        """Push bills, and return how that ended."""
        pushing = self._opened.run
        return self._call(
            partial(pushing, bills, route=route, again_because=again_because, limit=limit)
        )

    def resume(self, run: str) -> Result:
        """Go on where a run stopped."""
        return self._call(partial(self._opened.resume, run))

    def retry(self, run: str, *, reason: str = "") -> Result:
        """Push rejected bills of a run again."""
        return self._call(partial(self._opened.retry, run, reason=reason))

    def settle(self, run: str) -> Result:
        """Ask the ERP what became of the unknown bills of a run."""
        return self._call(partial(self._opened.settle, run))

    def follow(self, run: str) -> Result:
        """Submit and approve what a run has made."""
        return self._call(partial(self._opened.follow, run))

    def rows(self, run: str, states: Collection[State | str] = ()) -> list[Row]:
        """Return what became of each bill of a run."""
        return self._call(partial(self._opened.rows, run, states))

    @property
    def _opened(self) -> AsyncSession:
        if self._session is None:
            raise RuntimeError("use it in a with statement: with k3push.open() as session")
        return self._session

    def _call(self, act: Callable[[], Awaitable[T]]) -> T:
        if self._portal is None:
            raise RuntimeError("the session is closed")
        if self._process != os.getpid():  # where nobody would do it
            raise RuntimeError("another process has opened the session: open one in each process")
        return self._portal.call(act)


def open(config: Path | str | None = None) -> Session:  # noqa: A001  # as k3push.open
    """Open a configuration, for programs without an event loop.

    Args:
        config: The configuration file; the usual one without it.
    """
    return Session(config)


def push(bills: Bills, *, route: str | None = None, config: Path | str | None = None) -> Result:
    """Push bills, and return how that ended.

    Args:
        bills: Numbers, bills, or a job file whose lines ask for one route.
        route: Name of the route; it may be left out where there is one.
        config: The configuration file; the usual one without it.

    Raises:
        K3pushError: Nothing could be begun.
    """
    with open(config) as session:
        return session.run(bills, route=route)
