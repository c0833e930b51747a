"""What a search finds: rows of a number, and what holds a part of it, in one tenant or in many."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

import anyio

from k3push.core.model import BillNumber, Row, Run, RunId
from k3push.ports import Ledger, LedgerLostError
from k3push.runs.find import RunFilter
from k3push.runs.kept_in_ledger.request_stages import Request
from k3push.runs.kept_in_ledger.row_pages import FollowedRow, with_follow
from k3push.runs.kept_in_ledger.row_search import rows_holding, rows_under
from k3push.runs.problem import innermost
from k3push.web.pages.page_context import PageContext
from k3push.web.tenant_ledgers import TENANTS_AT_ONCE, ServedTenant
from k3push.wiring.waiting_plans import plans_naming

Found = tuple[Run, FollowedRow]

MOST_RUNS = 20

SEARCH_S = 0.1
"""How long many tenants are searched before a page says how far it has come."""


class Answer(NamedTuple):
    """What a search has found of one tenant.

    Attributes:
        runs: Those whose list, or whoever has done something with them, is called so.
        plans: Those that wait for approval and name it, by whatever.
    """

    tenant: str
    base: str
    found: Sequence[Found]
    runs: Sequence[Run]
    plans: Sequence[Request] = ()


class TenantSearch:
    """A search of many tenants, a page of it: until it has taken long.

    Whose number it is, an index tells of hundreds of tenants at once. For what is a part of a
    number, or of what else is searched, the rows and runs of one after another are gone through.

    Attributes:
        searched: How many of the tenants were searched, with those before the first of this page.
        in_parts: Whether it is parts that are looked for.
    """

    def __init__(
        self, desk: PageContext, tenants: Sequence[ServedTenant], wanted: str, *, in_parts: bool
    ) -> None:
        self._desk = desk
        self._tenants = tenants
        self._wanted = wanted
        self._until_s = anyio.current_time() + SEARCH_S
        self.answers: list[Answer] = []
        self.searched = 0
        self.in_parts = in_parts

    @property
    def rest(self) -> Mapping[str, str]:
        """What the next page is asked for; nothing where there is none."""
        wanted, parts = {"q": self._wanted}, {"parts": "1"}
        if self.searched < len(self._tenants):
            return wanted | (parts if self.in_parts else {}) | {"from": str(self.searched)}
        return {} if self.in_parts else wanted | parts

    async def go_on(self, first: int) -> None:
        """Look for the whole number from a tenant on, and for parts of it where nobody has it."""
        if not self.in_parts:
            await self._look_for_number(first)
            if self.answers or "from" in self.rest:
                return
            self.in_parts, first = True, 0
        await self._look_for_parts(first)

    async def _look_for_number(self, first: int) -> None:
        self.searched = first
        for some in _neighbours(self._tenants[first:]):
            holders = await self._holders(some)
            for tenant in some:
                if tenant.acct_id in holders:
                    # All of them may have it, since each of their ERPs counts from one.
                    if self.answers and self._is_late():
                        return
                    await self._look(tenant)
                self.searched += 1
            if self._is_late():
                return

    async def _look_for_parts(self, first: int) -> None:
        self.searched = first
        for tenant in self._tenants[first:]:
            await self._look(tenant)
            self.searched += 1
            if self._is_late():
                return

    async def _holders(self, some: Sequence[ServedTenant]) -> Collection[str]:
        """Return the accounts of tenants of one ledger that have the number."""
        try:
            ledger = await self._desk.books.of(some[0])
            accounts = [each.acct_id for each in some]
            return await ledger.accounts_with(BillNumber(self._wanted), accounts)
        except LedgerLostError:
            return ()  # the overview says so

    async def _look(self, tenant: ServedTenant) -> None:
        with suppress(LedgerLostError):  # as above
            ledger = await self._desk.books.of(tenant)
            base = self._desk.base(tenant)
            if found := await rows_of(ledger, BillNumber(self._wanted)):
                answer = Answer(tenant.name, base, found, [])
            else:
                answer = await parts_of(tenant, base, ledger, self._wanted)
            if answer.found or answer.runs or answer.plans:
                self.answers.append(answer)

    def _is_late(self) -> bool:
        return anyio.current_time() > self._until_s


def _neighbours(tenants: Sequence[ServedTenant]) -> Iterator[Sequence[ServedTenant]]:
    """Yield tenants of one ledger that follow one another, some at a time."""
    for _, of_one in groupby(tenants, lambda each: each.ledger):
        those = list(of_one)
        for first in range(0, len(those), TENANTS_AT_ONCE):
            yield those[first : first + TENANTS_AT_ONCE]


async def rows_of(ledger: Ledger, number: BillNumber) -> list[Found]:
    """Return the rows of a number in a tenant's runs, the oldest run first."""
    return await _followed(ledger, await rows_under(ledger, number))


async def parts_of(tenant: ServedTenant, base: str, ledger: Ledger, wanted: str) -> Answer:
    """Look for a part of a number, a document or a cause, or for what runs and plans are called."""
    found, named = list[Found](), list[Run]()

    async def find_runs() -> None:
        named.extend(await RunFilter(words=wanted).of(ledger, MOST_RUNS))

    # Each goes through all that the tenant has.
    try:
        async with anyio.create_task_group() as both:
            both.start_soon(find_runs)
            found = await _followed(ledger, await rows_holding(ledger, wanted))
    except ExceptionGroup as error:
        raise innermost(error) from error
    if (called := await ledger.run(RunId(wanted))) is not None:
        named = [called, *named]
    plans: Sequence[Request] = ()
    if (workshop := tenant.workshop) is not None:
        plans = [each for each in await plans_naming(ledger, wanted) if workshop.is_mine(each)]
    return Answer(tenant.name, base, found, named, plans)


async def _followed(ledger: Ledger, rows: Sequence[tuple[RunId, Row]]) -> list[Found]:
    """Return rows with their runs, and what has followed them."""
    runs = {id_: await ledger.run(id_) for id_ in {id_ for id_, _ in rows}}
    found: list[Found] = []
    for id_, row in rows:
        if (run := runs[id_]) is not None:
            (followed,) = await with_follow(ledger, id_, [row])
            found.append((run, followed))
    return found
