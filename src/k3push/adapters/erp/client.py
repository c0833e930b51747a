"""One user of the ERP, over HTTP: every look that the use cases ask for, and the turn to send.

A look is told here in the words of the ports: which form, which fields and filter, and what the
rows mean. How rows are read whole is in `form_rows`, what links between documents tell in
`link_queries`, how a call is made under a session in `calls`, how a request travels in `carrier`,
and where to in `endpoint`.
"""

from __future__ import annotations

import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Self, TypeVar

from k3push.adapters.erp.calls import Calls, as_failed
from k3push.adapters.erp.carrier import NewTransport
from k3push.adapters.erp.endpoint import Endpoint
from k3push.adapters.erp.form_rows import FormRows, Rows
from k3push.adapters.erp.link_queries import LinkQueries
from k3push.adapters.erp.rate_limit import RateLimit
from k3push.adapters.erp.target_queries import TargetQueries
from k3push.core.model import (
    BillNumber,
    Exchange,
    FlowTask,
    Route,
    Sighting,
    Source,
    Standing,
    number_in,
)
from k3push.core.pacing.chunking import split
from k3push.core.protocol import bill_rows, paging, wire
from k3push.core.protocol.audit_queries import without
from k3push.core.protocol.conversion_rules import (
    OPTIONAL_FIELDS,
    Rule,
    read_rules,
    rule_fields,
)
from k3push.core.protocol.json_values import name_in
from k3push.core.protocol.links import FormEntry, LinkRow
from k3push.core.protocol.logins import AccountSet
from k3push.core.protocol.selection import (
    SelectedPage,
    Selection,
    fields_to_spare,
    read_selected,
    selection_fields,
    selection_filter,
)
from k3push.core.protocol.sightings import sighting
from k3push.core.remark import remark
from k3push.core.safety.matching import assign, maybe_spelled_otherwise
from k3push.core.safety.question_parts import MOST_NUMBERS, questions
from k3push.ports import (
    LAST_BELIEVED_AFTER_S,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
    Turn,
)

T = TypeVar("T")


class ErpClient:
    """One user of one account set, over HTTP. Fulfils `ports.Erp`."""

    def __init__(
        self,
        site: Endpoint,
        *,
        turns: RateLimit | None = None,
        now_s: Callable[[], float] = time.time,
        transport: NewTransport | None = None,
    ) -> None:
        """Begin without a connection.

        Args:
            turns: The line in which calls wait, which users of one site share; None is no limit.
            now_s: The time of day in seconds, for signatures.
            transport: Makes what carries a client's requests, instead of sockets.
        """
        self._user = site.user
        self._calls = Calls(site, turns or RateLimit(lambda: 0), now_s, transport)
        self._forms = FormRows(self._calls)
        self._links = LinkQueries(self._forms)
        self._targets = TargetQueries(self._forms, self._links)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Log out and close the lines."""
        await self._calls.aclose()

    @property
    def logins(self) -> int:
        """How often it has logged in."""
        return self._calls.keeper.logins

    @property
    def refused(self) -> LoginRefusedError | None:
        """The refusal after which it logs in no more."""
        return self._calls.keeper.refused

    @property
    def server_time(self) -> str:
        """The `Date` of the last answer."""
        return self._calls.server_time

    async def open_session(self) -> None:
        """Log in if there is no session.

        Raises:
            LoginRefusedError: Now, or at an earlier call.
            ErpUnreachableError: Nothing answered.
        """
        await self._calls.keeper.open()

    async def account_sets(self) -> list[AccountSet]:
        """Return the account sets of the site, which it tells without a login (P 1.2).

        Raises:
            LookFailedError: It does not.
        """
        return await self._calls.account_sets()

    # -- ports.Erp ----------------------------------------------------------------------------

    @property
    def users(self) -> Collection[str]:
        """Return the one user."""
        return frozenset({self._user})

    @asynccontextmanager
    async def turn(
        self,
        user: str = "",  # noqa: ARG002  # one user is all there are
    ) -> AsyncIterator[Turn]:
        """Log in if need be, and wait until a call may leave at once."""
        await self._calls.turn()
        yield _Turn(self._user, self._calls.perform)

    def spares(self, user: str) -> bool:
        """Say that there is nobody else who could push."""
        del user
        return False

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost."""
        self._calls.keeper.lose(session)

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills, by the job file's spellings."""
        found = await _by_number(numbers, lambda asked: self._ask_sources(route, asked))
        several = [source for sources in found.values() if len(sources) > 1 for source in sources]
        belongs = await self._organisations(route, [source.id for source in several])
        return {
            number: tuple(
                source._replace(organisation=belongs.get(source.id, ""))
                for source in found.get(number, ())
            )
            for number in numbers
        }

    async def sources_by_id(self, route: Route, ids: Sequence[str]) -> Mapping[str, Source]:
        """Ask the source form for bills, by their ids."""
        found: dict[str, Source] = {}
        for part in split(ids, MOST_NUMBERS):
            fields, rows = await self._source_rows(route, wire.whole_numbers_in(wire.ID, part))
            with as_failed(route.source):
                bill_rows.check_asked(rows, part, place=1, document=1)
                sources = bill_rows.read_sources(rows, fields, by_id=True)
            found |= {source.id: source for source in sources}
        return found

    async def selected(
        self, route: Route, selection: Selection, *, today: date, after: str
    ) -> SelectedPage:
        """Ask the source form for the bills that a selection names with the next higher ids.

        A page may be cut at any row: the next one begins behind the last bill that it shows, so
        that nothing but an empty page ends a list.
        """
        form = route.source
        lacking = self._forms.lacking(form)
        spare = fields_to_spare(route, selection)
        while True:
            fields = selection_fields(route, lacking)
            wanted = selection_filter(route, selection, today=today, after=after, lacking=lacking)
            try:
                rows = await self._forms.page(
                    form, fields, wanted, start=0, limit=paging.PAGE_ROWS, order=wire.BY_ID
                )
            except LookRefusedError as refusal:
                left = [field for field in spare if field not in lacking]
                named = bill_rows.field_named_in(str(refusal), left)
                if named is None:
                    raise
                if self._forms.has(form, [named]):
                    raise LookFailedError(str(refusal)) from refusal  # it passes
                why, long_s = str(refusal), LAST_BELIEVED_AFTER_S
                if await self._forms.lacks_surely(form, named, long_s, why, beside=left):
                    lacking.add(named)
            else:
                with as_failed(form):
                    bills = read_selected(rows, fields, after)
                return SelectedPage(bills, sorted(lacking.intersection(spare)))

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        """Ask the target form for every document linked to *numbers*, drafts included."""
        ask = partial(self._targets.of_numbers, route, by_all=by_all, unsent=unsent)
        found = await _by_number(dict.fromkeys(map(number_in, numbers)), ask)
        each = {bill: bill_rows.each_once(found.get(number_in(bill), ())) for bill in numbers}
        return sighting(each, self._user)

    async def linked_targets_of(
        self,
        route: Route,
        ids: Mapping[BillNumber, str],
        *,
        by_all: bool = False,  # noqa: ARG002  # one user is all there are
    ) -> Sighting | None:
        """Ask the target form's links for documents of bills by their ids."""
        found = await self._links.of_bills(route, ids)
        if found is None:
            return None
        seen = sighting(found, self._user, by_link=True)
        ours = (*seen.targets.values(), *seen.cancelled.values())
        shown = frozenset(target.id for targets in ours for target in targets)
        return replace(seen, linked=frozenset(ids), by_link=shown)

    def believe_links(self, route: Route) -> None:
        """Take for known that a route's links can be queried: another user has done it."""
        self._links.believe(route)

    async def entries_of(self, form: str) -> Sequence[FormEntry]:
        """Ask for the tables of a form."""
        return await self._calls.ask(
            "QueryBusinessInfo", form, wire.form_data(form), wire.read_entries
        )

    async def newest_links(self, route: Route) -> Sequence[LinkRow]:
        """Return the links of the newest documents, in the route's entry."""
        return await self._links.newest(route)

    async def linked_sources(self, route: Route) -> Sequence[BillNumber]:
        """Return the bills of the source form that the newest documents' links name."""
        ids = await self._links.newest_sources(route)
        if not ids:
            return []
        fields = [wire.BILL_NO, wire.ID]
        rows = await self._forms.whole(route.source, fields, wire.whole_numbers_in(wire.ID, ids))
        with as_failed(route.source):
            bill_rows.check_asked(rows, ids, place=1, document=1)
            return [each.number for each in bill_rows.read_sources(rows, fields)]

    async def links_of(self, route: Route, ids: Collection[str]) -> Sequence[LinkRow]:
        """Return the links of some documents to bills of any form."""
        return await self._links.of_documents(route, ids)

    async def partly_linked(self, route: Route, ids: Collection[str]) -> Collection[str]:
        """Return which of some documents have a line without a link."""
        return await self._links.partly_linked(route, ids)

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Return the newest documents, and what each line names as its source."""
        fields = [wire.ID, route.source_number_field]
        page = await self._forms.page(
            route.target, fields, "", start=0, limit=wire.NEWEST, order=wire.NEWEST_FIRST
        )
        return [(str(row[0]), BillNumber(str(row[1] or "").strip())) for row in page]

    async def newest_id(self, route: Route) -> str:
        """Return the id of the newest document; "" where there is none."""
        page = await self._forms.page(
            route.target, [wire.ID], "", start=0, limit=1, order=wire.NEWEST_FIRST
        )
        return str(page[0][0]) if page else ""

    async def made_since(self, route: Route, when: str) -> Sequence[tuple[str, BillNumber]]:
        """Return the documents made since a local time, and what its lines name as their source."""
        number = [route.source_number_field] if route.source_number_field else []
        rows = await self._forms.whole(route.target, [wire.ID, *number], bill_rows.made_since(when))
        with as_failed(route.target):
            told = ((name_in(row[0]), BillNumber("".join(map(name_in, row[1:])))) for row in rows)
            return list(dict.fromkeys(told))

    async def standings_of(self, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        """Ask the target form for documents by their ids."""
        found: dict[str, Standing] = {}
        for asked in split(list(ids), MOST_NUMBERS):
            fields, rows = await self._forms.without_lacking(
                route.target,
                bill_rows.standing_fields,
                bill_rows.OPTIONAL_STANDING_FIELDS,
                wire.whole_numbers_in(wire.ID, asked),
            )
            with as_failed(route.target):
                bill_rows.check_asked(rows, asked)
                found |= bill_rows.read_standings(rows, fields)
        return found

    async def flow_tasks_of(self, route: Route, numbers: Collection[str]) -> Mapping[str, FlowTask]:
        """Ask for open tasks of approval flows."""
        found: dict[str, FlowTask] = {}
        for asked in questions(map(BillNumber, numbers)):
            rows = await self._forms.whole(
                wire.FLOW_TASKS, bill_rows.FLOW_FIELDS, bill_rows.open_tasks(route.target, asked)
            )
            with as_failed(wire.FLOW_TASKS):
                for number, task in bill_rows.read_flow_tasks(rows):
                    found.setdefault(number, task)
        return found

    # -- looks, which raise what those of `ports.Erp` do ----------------------------------------

    async def newest_values(self, form: str, field: str, limit: int) -> list[str]:
        """Return what the newest rows of a form hold in a field, "" for a blank; for `check`.

        Raises:
            LookRefusedError: The form or the field does not exist, or a right is missing.
        """
        page = await self._forms.page(
            form, [field], "", start=0, limit=limit, order=wire.NEWEST_FIRST
        )
        return [str(row[0] or "").strip() for row in page]

    async def rules(self) -> list[Rule]:
        """Return the conversion rules of the site, by number.

        Raises:
            LookRefusedError: The user may not read them, or the site has no such form.
        """
        fields, rows = await self._forms.without_lacking(
            wire.RULES, rule_fields, OPTIONAL_FIELDS, ""
        )
        with as_failed(wire.RULES):
            return sorted(read_rules(rows, fields), key=lambda rule: rule.number)

    def lacking(self, form: str) -> list[str]:
        """Return the status fields that a form was found to lack when it was looked at."""
        return sorted(self._forms.lacking(form))

    async def ask_each(self, look: Callable[[ErpClient], Awaitable[T]]) -> dict[str, T]:
        """Return what each user finds who may look: here the one there is."""
        return {self._user: await look(self)}

    async def rows_of(
        self, form: str, fields: Sequence[str], optional: Sequence[str], filter_string: str
    ) -> tuple[list[str], Rows]:
        """Return all rows that pass a filter, with the fields that the form has.

        Args:
            optional: Those of them that it may lack.
        """
        return await self._forms.without_lacking(
            form, lambda lacking: without(fields, lacking), optional, filter_string
        )

    async def page_of(self, form: str, fields: Sequence[str], filter_string: str) -> Rows:
        """Return the first rows that pass a filter, by the id alone; the site may cut them."""
        return await self._forms.page(
            form, fields, filter_string, start=0, limit=paging.PAGE_ROWS, order=wire.BY_ID
        )

    async def _ask_sources(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> list[tuple[BillNumber, Source]]:
        fields, rows = await self._source_rows(route, wire.one_of(wire.BILL_NO, numbers))
        with as_failed(route.source):
            return [(source.number, source) for source in bill_rows.read_sources(rows, fields)]

    async def _source_rows(self, route: Route, filter_string: str) -> tuple[list[str], Rows]:
        return await self._forms.without_lacking(
            route.source,
            bill_rows.source_fields,
            bill_rows.OPTIONAL_SOURCE_FIELDS,
            filter_string,
            by_name=True,
            believed_after_s=LAST_BELIEVED_AFTER_S,
        )

    async def _organisations(self, route: Route, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the organisations of bills, for people to choose by, as far as they are shown."""
        fields = bill_rows.organisation_fields(route.source)
        belongs: dict[str, str] = {}
        if not fields:
            return belongs
        try:
            for part in split(ids, MOST_NUMBERS):
                rows = await self._forms.whole(
                    route.source, fields, wire.whole_numbers_in(wire.ID, part)
                )
                with as_failed(route.source):
                    belongs |= bill_rows.read_organisations(rows)
        except LookFailedError:
            pass
        return belongs


async def _by_number(
    numbers: Iterable[BillNumber],
    ask: Callable[[Sequence[BillNumber]], Awaitable[list[tuple[BillNumber, T]]]],
) -> dict[BillNumber, tuple[T, ...]]:
    """Ask in as few questions as may be, and give each number the rows that answer it."""
    found: dict[BillNumber, tuple[T, ...]] = {}
    for question in questions(numbers):
        matched, left = assign(question, await ask(question))
        if left:
            # The database compares in a way that `fold` does not know: ask one by one.
            for number in question:
                alone, left = assign([number], await ask([number]))
                if left and not alone:  # the rows are of others, so its own may be missing
                    raise LookFailedError(remark("answer.not_asked"))
                matched |= alone
        elif silent := maybe_spelled_otherwise(question, matched):
            matched |= {n: list(rows) for n, rows in (await _by_number(silent, ask)).items()}
        found |= {number: tuple(rows) for number, rows in matched.items()}
    return found


@dataclass(frozen=True, slots=True)
class _Turn:
    """The turn of one user. Fulfils `ports.Turn`."""

    user: str
    send: Callable[[str, str, bytes, Callable[[], str]], Awaitable[Exchange]]

    async def perform(
        self, operation: str, form: str, data: bytes, *, held_back: Callable[[], str]
    ) -> Exchange:
        """Make one call that writes, at most once, and say what came back."""
        return await self.send(operation, form, data, held_back)
