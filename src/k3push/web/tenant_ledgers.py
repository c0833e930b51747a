"""The tenants, and their ledgers: each is opened once, when somebody first looks at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from k3push.core.control_words import Key
from k3push.core.model import RunId
from k3push.ports import Glance, Ledger, LedgerLostError
from k3push.web.admission.roles import Role
from k3push.web.execution.request_work import Workshop

TENANTS_AT_ONCE = 500
"""Tenants that are asked for in one query, so that whoever else asks need not wait for long."""

ANSWER_S = 10.0
"""Whoever asks whether all is well is told within this time."""

SIDE_BY_SIDE = 2
"""Such queries of one ledger at a time."""

Take = Callable[[Mapping[str, Sequence[Glance] | LedgerLostError]], Awaitable[None]]
"""Takes how runs of some tenants stand, by their names, or why that is not known."""


@dataclass(frozen=True, slots=True)
class ServedTenant:
    """One configuration.

    Attributes:
        name: The stem of its file.
        acct_id: Its account set.
        ledger: What tells its ledger from others; equal for two tenants of one ledger.
        pace: What they say of each quantity that a command sets.
        roles: What users may do with it, besides those of the door.
        opened: Opens the ledger; raises `LedgerLostError` where there is none yet.
        workshop: Does what is asked for; None where the server only watches.
        unverified: The certificate of its ERP is not checked.
    """

    name: str
    acct_id: str
    ledger: str
    opened: Callable[[], AbstractAsyncContextManager[Ledger]]
    workshop: Workshop | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    pace: Mapping[Key, int | str] = field(default_factory=dict)
    unverified: bool = False


@dataclass(slots=True)
class _Wish:
    """A ledger that is to be opened."""

    tenant: ServedTenant
    done: anyio.Event = field(default_factory=anyio.Event)
    opening: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    error: LedgerLostError | None = None


@dataclass(slots=True)
class _Look:
    """A look whether ledgers can be read.

    Attributes:
        is_well: Whether all could.
    """

    done: anyio.Event = field(default_factory=anyio.Event)
    is_well: bool = False


class TenantLedgers:
    """The ledgers of all tenants.

    Each has a task of its own, which opens and closes it: what a task has opened it must close as
    well, and one that does not answer holds up no other.
    """

    def __init__(self, tenants: Sequence[ServedTenant]) -> None:
        self.tenants: Mapping[str, ServedTenant] = {}
        # Also of tenants that are gone: what they have begun goes on.
        self._workshops: dict[Workshop, str] = {}
        self.take(tenants)
        self._open: dict[str, Ledger] = {}
        self._wishes: dict[str, _Wish] = {}
        self._look: _Look | None = None
        self._tasks: TaskGroup | None = None
        self._closing = anyio.Event()

    def take(self, tenants: Sequence[ServedTenant]) -> None:
        """Have other tenants from now on; ledgers that are open stay so."""
        self.tenants = {tenant.name: tenant for tenant in tenants}
        self._workshops |= {each.workshop: each.ledger for each in tenants if each.workshop}

    async def of(self, tenant: ServedTenant) -> Ledger:
        """Return the ledger of a tenant.

        Raises:
            LedgerLostError: It cannot be opened, or is not there yet; it may be tried again.
        """
        if tenant.ledger not in self._open:
            wish = self._wishes.get(tenant.ledger) or self._wish(tenant)
            await wish.done.wait()
            if tenant.ledger not in self._open:  # it is lost, or the server ends
                raise wish.error or LedgerLostError(tenant.name)
        return self._open[tenant.ledger].of_account(tenant.acct_id)

    async def glances(
        self, tenants: Iterable[ServedTenant], among: int
    ) -> dict[str, Sequence[Glance] | LedgerLostError]:
        """Return how runs of tenants stand by their names (`Ledger.glances`), or why not.

        Args:
            tenants: Some of them.
            among: How many of the newest runs of each are looked at.
        """
        found: dict[str, Sequence[Glance] | LedgerLostError] = {}

        async def take(some: Mapping[str, Sequence[Glance] | LedgerLostError]) -> None:
            found.update(some)

        await self.each_glance(tenants, among, take)
        return found

    async def each_glance(self, tenants: Iterable[ServedTenant], among: int, take: Take) -> None:
        """Give *take* how runs of tenants stand, as soon as that is known of some of them.

        Tenants of one ledger are asked for together; one that is lost is asked once, however
        many share it, since it may have been waited for. What was given of its tenants by then
        holds no more: all of them are given again, with the error.
        """
        by_ledger: dict[str, list[ServedTenant]] = {}
        for tenant in tenants:
            by_ledger.setdefault(tenant.ledger, []).append(tenant)
        for those in by_ledger.values():
            try:
                await self._glances_of_one(those, among, take)
            except LedgerLostError as error:
                await take({each.name: error for each in those})

    async def _glances_of_one(
        self, tenants: Sequence[ServedTenant], among: int, take: Take
    ) -> None:
        """Ask one ledger, some tenants at a time; its server answers while we read."""
        ledger = await self.of(tenants[0])
        lost: list[LedgerLostError] = []
        firsts = iter(range(0, len(tenants), TENANTS_AT_ONCE))

        async def ask() -> None:
            for first in firsts:
                some = tenants[first : first + TENANTS_AT_ONCE]
                try:
                    seen = await ledger.glances([each.acct_id for each in some], among=among)
                except LedgerLostError as error:
                    lost.append(error)
                    return
                await take({each.name: seen[each.acct_id] for each in some})

        async with anyio.create_task_group() as tasks:
            for _ in range(min(SIDE_BY_SIDE, -(-len(tenants) // TENANTS_AT_ONCE))):
                tasks.start_soon(ask)
        if lost:
            raise lost[0]

    async def answer(self) -> bool:
        """Say whether all ledgers that are open can be read in time; none is opened for it.

        A read cannot be broken off, and a database whose disk hangs answers none. So whoever asks
        waits for a look beside it, which all share: such a database gets one.
        """
        if self._tasks is None:
            raise RuntimeError("no ledgers are kept yet")
        look = self._look
        if look is None:
            look = self._look = _Look()
            self._tasks.start_soon(self._look_at_all, look)
        with anyio.move_on_after(ANSWER_S):
            await look.done.wait()
        return look.is_well

    async def _look_at_all(self, look: _Look) -> None:
        """Read something of each; one whose tenants are gone may be gone with them."""
        shown = {tenant.ledger for tenant in self.tenants.values()}
        try:
            for ledger in [self._open[place] for place in shown & self._open.keys()]:
                await ledger.run(RunId(""))
            look.is_well = True
        except Exception:  # noqa: BLE001, S110  # whatever it is, all is not well
            pass
        finally:
            self._look = None
            look.done.set()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Open ledgers as they are wished for, and close them at the end of the block."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._closing.set()
                for wish in self._wishes.values():
                    wish.opening.cancel()

    def _wish(self, tenant: ServedTenant) -> _Wish:
        if self._tasks is None:
            raise RuntimeError("no ledgers are kept yet")
        wish = self._wishes[tenant.ledger] = _Wish(tenant)
        self._tasks.start_soon(self._keep, wish)
        return wish

    async def _keep(self, wish: _Wish) -> None:
        """Open a ledger and, as often as another is in its place, that one; to the server's end."""
        place = wish.tenant.ledger
        async with AsyncExitStack() as opened:
            try:
                with wish.opening:
                    self._open[place] = await opened.enter_async_context(wish.tenant.opened())
            except LedgerLostError as error:
                wish.error = error
                return
            finally:
                del self._wishes[place]
                wish.done.set()
            ledger = self._open.get(place)
            if ledger is None:  # the server ends as it is opened
                return
            await self._until_replaced(ledger)
        # Not before the old one is closed: two would share what SQLite knows of their files.
        del self._open[place]
        if not self._closing.is_set():
            for workshop in [each for each, of in self._workshops.items() if of == place]:
                workshop.take_another_ledger()

    async def _until_replaced(self, ledger: Ledger) -> None:
        """Wait until the server ends, or another ledger is in its place: a backup, most often."""
        async with anyio.create_task_group() as looks:

            async def until_closing() -> None:
                await self._closing.wait()
                looks.cancel_scope.cancel()

            looks.start_soon(until_closing)
            await ledger.until_replaced()
            looks.cancel_scope.cancel()
