"""The ERP over HTTP: logins, sessions, pushes and looks.

This and `connection` are what knows httpx.

httpx slows down when many calls share one pool (3.7 ms of CPU a call at 256 at once, against
0.6 ms with a pool for each), so a call takes a line of its own from a stack of idle ones. A
line is a transport without httpx's client: redirects, cookies and logins are not the library's
to decide here, and the client's share is a sixth of what a call costs. Where a proxy stands
between, it is httpx's own transport, which knows proxies.
"""

from __future__ import annotations

import ssl
import time
from collections import Counter
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, cast
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
import certifi
import httpx

from k3push.adapters.erp.connection import HELD_BACK, Body, HeldBackError, Line, why_held_back
from k3push.adapters.erp.rate_limit import RateLimit
from k3push.adapters.erp.session import Session, SessionKeeper
from k3push.core.model import (
    Answered,
    BillNumber,
    Exchange,
    FlowTask,
    NeverSent,
    NoAnswer,
    Route,
    Sighting,
    Source,
    Standing,
    id_in,
    number_in,
)
from k3push.core.pacing.chunking import split
from k3push.core.protocol import paging, wire
from k3push.core.protocol.audit_queries import without
from k3push.core.protocol.conversion_rules import (
    OPTIONAL_FIELDS,
    RULES_FORM,
    Rule,
    read_rules,
    rule_fields,
)
from k3push.core.protocol.cookies import take_up
from k3push.core.protocol.links import FormEntry, LinkRow, any_link_fields, link_fields
from k3push.core.protocol.logins import (
    AccountSet,
    HeaderSignature,
    LoginCall,
    LoginFailedError,
    read_account_sets,
    read_login,
)
from k3push.core.protocol.pairs import Ground
from k3push.core.protocol.selection import (
    SelectedPage,
    Selection,
    fields_to_spare,
    read_selected,
    selection_fields,
    selection_filter,
)
from k3push.core.remark import remark
from k3push.core.safety.evidence import CALL_LIMIT, NO_RIGHT
from k3push.core.safety.matching import MOST_NUMBERS, assign, questions
from k3push.core.safety.verdict import BUSY_STATUSES
from k3push.ports import (
    ErpBusyError,
    ErpUnreachableError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
    Turn,
)

T = TypeVar("T")

# httpx raises ReadError both when the server read nothing and when it read everything
# (measured on sockets), so only these three prove that nothing was sent.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

AUTH_SERVICE = "Kingdee.BOS.WebApi.ServicesStub.AuthService"
FORM_SERVICE = "Kingdee.BOS.WebApi.ServicesStub.DynamicFormService"
ACCOUNT_SETS = "Kingdee.BOS.ServiceFacade.ServicesStub.Account.AccountService.GetDataCenterList"
SESSION_KEY = "kdservice-sessionid"

# A form that always answers with a lost session lacks a right (P 3.4), however well other
# calls fare; eight workers that lose each other's sessions need fewer.
MOST_SESSIONS_A_LOOK = 10

LOGOUT_TIMEOUT_S = 5

# MsgCodes that say that the question is wrong (P 4.3): a right, an operation, a form, a parameter,
# a field, the administrator. An exception (4) or a failed database (6) may pass.
DEFINITE_CODES = frozenset({"2", "3", "5", "8", "9", "12", "15"})

# An exception that says of a form or a field that it does not exist (P 4.4) does not pass either.
EXCEPTION_CODE = "4"
NO_SUCH = "不存在"

# Refusals in a row after which the fields that a form may lack are tried one by one.
REFUSALS_OF_A_FIELD = 2

# The sources of a document whose lines tell none.
UNTOLD = frozenset({""})

# Documents in which bills of the source form are looked for.
NEWEST = 100

# What can be unpacked here; the others say who calls.
HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "k3push"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the ERP is and how to talk to it.

    Attributes:
        user: Who logs in, as attempts keep it.
        url: Ends in `/K3Cloud/` or the like.
        login: Makes the login request from the time in seconds; or signs every request.
        form_encoded: Send forms instead of JSON (P 1.5).
        verify: True, a file of CA certificates, or False.
        connect_timeout_s: For connecting.
        answer_timeout_s: For a whole answer.
    """

    url: str
    login: Callable[[int], LoginCall] | HeaderSignature
    form_encoded: bool = False
    verify: bool | Path = True
    connect_timeout_s: float = 10
    answer_timeout_s: float = 300
    user: str = ""


class ErpClient:
    """One user of one account set, over HTTP. Fulfils `ports.Erp`."""

    def __init__(
        self,
        site: Endpoint,
        *,
        turns: RateLimit | None = None,
        now_s: Callable[[], float] = time.time,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        """Begin without a connection.

        Args:
            site: Where and how.
            turns: The line in which calls wait, which users of one site share; None is no limit.
            now_s: The time of day in seconds, for signatures.
            transport: Makes what carries a client's requests, instead of sockets.
        """
        self._site = site
        self._now_s = now_s
        self._transport = transport
        self._turns = turns or RateLimit(lambda: 0)
        self._tls: ssl.SSLContext | None = None
        self._idle: list[httpx.AsyncBaseTransport] = []
        self._urls: dict[str, httpx.URL] = {}
        self._timeouts = httpx.Timeout(
            site.answer_timeout_s, connect=site.connect_timeout_s, pool=site.connect_timeout_s
        ).as_dict()
        self._keeper = SessionKeeper(self._log_in)
        self._lacking: dict[str, set[str]] = {}
        self._refusals: Counter[str] = Counter()
        self._links_answered: set[str] = set()
        self._without_links: set[str] = set()
        self._proofs: dict[tuple[str, ...], paging.Proof] = {}
        self.server_time: str = ""

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log out, since contexts that are left behind pile up in the server (P 2.10)."""
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(LOGOUT_TIMEOUT_S):
                await self._log_out()
            for line in self._idle:
                await line.aclose()

    @property
    def logins(self) -> int:
        """How often it has logged in."""
        return self._keeper.logins

    @property
    def refused(self) -> LoginRefusedError | None:
        """The refusal after which it logs in no more."""
        return self._keeper.refused

    async def open_session(self) -> None:
        """Log in if there is no session.

        Raises:
            LoginRefusedError: Now, or at an earlier call.
            ErpUnreachableError: Nothing answered.
        """
        await self._keeper.open()

    async def account_sets(self) -> list[AccountSet]:
        """Return the account sets of the site, which it tells without a login (P 1.2).

        Raises:
            LookFailedError: It does not.
        """
        exchange = await self._post(ACCOUNT_SETS, self._body("", b"{}"), {}, None)
        if not isinstance(exchange, Answered):
            raise LookFailedError(exchange.because)
        with _as_failed(ACCOUNT_SETS):
            return read_account_sets(exchange.body)

    # -- ports.Erp ----------------------------------------------------------------------------

    @property
    def users(self) -> Collection[str]:
        """Return the one user."""
        return frozenset({self._site.user})

    @asynccontextmanager
    async def turn(
        self,
        user: str = "",  # noqa: ARG002  # one user is all there are
    ) -> AsyncIterator[Turn]:
        """Log in if need be, and wait until a call may leave at once."""
        await self._keeper.open()
        await self._turns.take(first=True)
        # Others may have lost the session while this one waited.
        await self._keeper.open()
        yield _Turn(self._site.user, self._perform)

    async def _perform(
        self, operation: str, form: str, data: bytes, held_back: Callable[[], str]
    ) -> Exchange:
        session = self._keeper.current
        if session is None:
            return NeverSent(remark("note.session_gone", operation=operation))
        exchange = await self._call(
            f"{FORM_SERVICE}.{operation}", session, form, data, held_back=held_back
        )
        if isinstance(exchange, Answered) and not session.accepted:
            session.accepted = _is_accepted(exchange)
        return exchange

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost."""
        self._keeper.lose(session)

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
            with _as_failed(route.source):
                sources = wire.read_sources(rows, fields, by_id=True)
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
        lacking = self._lacking.setdefault(form, set())
        spare = fields_to_spare(route, selection)
        while True:
            fields = selection_fields(route, lacking)
            wanted = selection_filter(route, selection, today=today, after=after, lacking=lacking)
            try:
                rows = await self._page(
                    form, fields, wanted, start=0, limit=paging.PAGE_ROWS, order=wire.BY_ID
                )
            except LookRefusedError as refusal:
                left = [field for field in spare if field not in lacking]
                named = wire.field_named_in(str(refusal), left)
                if named is None:
                    raise
                lacking.add(named)
            else:
                with _as_failed(form):
                    bills = read_selected(rows, fields, after)
                return SelectedPage(bills, sorted(lacking.intersection(spare)))

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,  # noqa: ARG002  # one user is all there are
    ) -> Sighting:
        """Ask the target form for every document linked to *numbers*, drafts included."""
        found = await _by_number(
            dict.fromkeys(map(number_in, numbers)), lambda asked: self._ask_targets(route, asked)
        )
        return _sighting(
            {bill: found.get(number_in(bill), ()) for bill in numbers}, self._site.user
        )

    async def linked_targets_of(
        self,
        route: Route,
        ids: Mapping[BillNumber, str],
        *,
        by_all: bool = False,  # noqa: ARG002  # one user is all there are
    ) -> Sighting | None:
        """Ask the target form's links for documents of bills by their ids."""
        if not link_fields(route) or route.target in self._without_links:
            return None
        by_id = {id_: number for number, id_ in ids.items()}
        found: dict[BillNumber, list[wire.LinkedTarget]] = {}
        for asked in split(list(by_id), MOST_NUMBERS):
            try:
                links = await self._ask_links(route, asked)
            except LookRefusedError as refusal:
                if refusal.code == NO_RIGHT or route.target in self._links_answered:
                    raise
                fields = link_fields(route)
                named = wire.field_named_in(str(refusal), fields)
                if not named and not await self._lacks(route.target, fields[0]):
                    raise
                self._without_links.add(route.target)
                return None
            self._links_answered.add(route.target)
            for source_id, linked in links:
                if source_id in by_id:
                    found.setdefault(by_id[source_id], []).append(linked)
        seen = _sighting(found, self._site.user, by_link=True)
        ours = (*seen.targets.values(), *seen.cancelled.values())
        shown = frozenset(target.id for targets in ours for target in targets)
        return replace(seen, linked=frozenset(ids), by_link=shown)

    def believe_links(self, form: str) -> None:
        """Take for known that the links of a form can be queried: another user has done it."""
        self._without_links.discard(form)
        self._links_answered.add(form)

    async def _ask_links(
        self, route: Route, ids: Sequence[str]
    ) -> list[tuple[str, wire.LinkedTarget]]:
        lacking = self._lacking.setdefault(route.target, set())
        cancel = [] if wire.CANCEL_STATUS in lacking else [wire.CANCEL_STATUS]
        fields = [*wire.TARGET_FIELDS, *cancel, *link_fields(route)]
        rows = await self._rows(
            route.target, fields, wire.whole_numbers_in(link_fields(route)[0], ids)
        )
        with _as_failed(route.target):
            return wire.read_links(rows, fields, route)

    async def entries_of(self, form: str) -> Sequence[FormEntry]:
        """Ask for the tables of a form."""
        return await self._ask("QueryBusinessInfo", form, wire.form_data(form), wire.read_entries)

    async def newest_links(self, route: Route) -> Sequence[LinkRow]:
        """Return the links of the newest documents, in the route's entry."""
        fields = [wire.ID, *any_link_fields(route)]
        try:
            page = await self._page(
                route.target, fields, "", start=0, limit=NEWEST, order=wire.NEWEST_FIRST
            )
        except LookRefusedError as refusal:
            # An exception may pass; that a form lacks links is said of them alone, each time.
            if refusal.definite or refusal.code == NO_RIGHT:
                raise
            named = wire.field_named_in(str(refusal), fields)
            if named or await self._lacks(route.target, fields[1]):
                raise LookRefusedError(str(refusal), code=refusal.code) from refusal
            raise LookFailedError(_of(route.target, refusal)) from refusal
        with _as_failed(route.target):
            return wire.read_link_rows(page)

    async def linked_sources(self, route: Route) -> Sequence[BillNumber]:
        """Return the bills of the source form that the newest documents' links name."""
        fields = link_fields(route)
        if not fields or route.target in self._without_links:
            return []
        asked = [*wire.TARGET_FIELDS, *fields]
        page = await self._page(
            route.target, asked, "", start=0, limit=NEWEST, order=wire.NEWEST_FIRST
        )
        with _as_failed(route.target):
            ids = {source_id for source_id, _ in wire.read_links(page, asked, route)} - {"", "0"}
            if not ids:
                return []
            rows = await self._rows(
                route.source, [wire.BILL_NO, wire.ID], wire.whole_numbers_in(wire.ID, sorted(ids))
            )
            return [each.number for each in wire.read_sources(rows, [wire.BILL_NO, wire.ID])]

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Return the newest documents, and what each line names as its source."""
        fields = [wire.ID, route.source_number_field]
        page = await self._page(
            route.target, fields, "", start=0, limit=NEWEST, order=wire.NEWEST_FIRST
        )
        return [(str(row[0]), BillNumber(str(row[1] or "").strip())) for row in page]

    async def standings_of(self, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        """Ask the target form for documents by their ids."""
        found: dict[str, Standing] = {}
        for asked in split(list(ids), MOST_NUMBERS):
            fields, rows = await self._rows_without(
                route.target,
                wire.standing_fields,
                wire.OPTIONAL_STANDING_FIELDS,
                wire.whole_numbers_in(wire.ID, asked),
            )
            with _as_failed(route.target):
                found |= wire.read_standings(rows, fields)
        return found

    async def flow_tasks_of(self, route: Route, numbers: Collection[str]) -> Mapping[str, FlowTask]:
        """Ask for open tasks of approval flows."""
        found: dict[str, FlowTask] = {}
        for asked in split(list(numbers), MOST_NUMBERS):
            rows = await self._rows(
                wire.FLOW_TASKS, wire.FLOW_FIELDS, wire.open_tasks(route.target, asked)
            )
            for number, task in wire.read_flow_tasks(rows):
                found.setdefault(number, task)
        return found

    # -- looks --------------------------------------------------------------------------------

    async def newest_values(self, form: str, field: str, limit: int) -> list[str]:
        """Return what the newest rows of a form hold in a field, "" for a blank; for `check`.

        Raises:
            LookRefusedError: The form or the field does not exist, or a right is missing.
            LookFailedError: The answer was not whole.
            ErpUnreachableError: Nothing answered.
            LoginRefusedError: No session could be opened.
        """
        page = await self._page(form, [field], "", start=0, limit=limit, order=wire.NEWEST_FIRST)
        return [str(row[0] or "").strip() for row in page]

    async def rules(self) -> list[Rule]:
        """Return the conversion rules of the site, by number.

        Raises:
            LookRefusedError: The user may not read them, or the site has no such form.
            LookFailedError: The answer was not whole.
            ErpUnreachableError: Nothing answered.
            LoginRefusedError: No session could be opened.
        """
        fields, rows = await self._rows_without(RULES_FORM, rule_fields, OPTIONAL_FIELDS, "")
        with _as_failed(RULES_FORM):
            return sorted(read_rules(rows, fields), key=lambda rule: rule.number)

    def lacking(self, form: str) -> list[str]:
        """Return the status fields that a form was found to lack when it was looked at."""
        return sorted(self._lacking.get(form, ()))

    async def ask_each(self, look: Callable[[ErpClient], Awaitable[T]]) -> dict[str, T]:
        """Return what each user finds who may look: here the one there is."""
        return {self._site.user: await look(self)}

    async def rows_of(
        self, form: str, fields: Sequence[str], optional: Sequence[str], filter_string: str
    ) -> tuple[list[str], list[list[object]]]:
        """Return all rows that pass a filter, with the fields that the form has.

        Args:
            form: Its id.
            fields: What is asked for.
            optional: Those of them that it may lack.
            filter_string: Which rows.

        Raises:
            LookFailedError: The answer was an error, or not whole.
            ErpUnreachableError: Nothing answered.
            LoginRefusedError: No session could be opened.
        """
        return await self._rows_without(
            form, lambda lacking: without(fields, lacking), optional, filter_string
        )

    async def page_of(
        self, form: str, fields: Sequence[str], filter_string: str
    ) -> list[list[object]]:
        """Return the first rows that pass a filter, by the id alone; the site may cut them.

        It raises what `rows_of` does.
        """
        return await self._page(
            form, fields, filter_string, start=0, limit=paging.PAGE_ROWS, order=wire.BY_ID
        )

    async def _ask_sources(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> list[tuple[BillNumber, Source]]:
        fields, rows = await self._source_rows(route, wire.one_of(wire.BILL_NO, numbers))
        with _as_failed(route.source):
            return [(source.number, source) for source in wire.read_sources(rows, fields)]

    async def _source_rows(
        self, route: Route, filter_string: str
    ) -> tuple[list[str], list[list[object]]]:
        return await self._rows_without(
            route.source,
            wire.source_fields,
            wire.OPTIONAL_SOURCE_FIELDS,
            filter_string,
            by_name=True,
        )

    async def _organisations(self, route: Route, ids: Sequence[str]) -> Mapping[str, str]:
        """Return the organisations of bills, for people to choose by, as far as they are shown."""
        fields = wire.organisation_fields(route.source)
        belongs: dict[str, str] = {}
        if not fields:
            return belongs
        try:
            for part in split(ids, MOST_NUMBERS):
                rows = await self._rows(route.source, fields, wire.whole_numbers_in(wire.ID, part))
                with _as_failed(route.source):
                    belongs |= wire.read_organisations(rows)
        except LookFailedError:
            pass
        return belongs

    async def _ask_targets(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> list[tuple[BillNumber, wire.LinkedTarget]]:
        links = link_fields(route) if route.target in self._without_links else []
        fields, rows = await self._rows_without(
            route.target,
            lambda lacking: wire.target_fields(route, [*lacking, *links]),
            [wire.CANCEL_STATUS, *wire.form_fields(route), *wire.source_id_fields(route)],
            wire.one_of(route.source_number_field, numbers),
        )
        with _as_failed(route.target):
            return wire.read_targets(rows, fields, route)

    async def _rows_without(
        self,
        form: str,
        fields_but: Callable[[Iterable[str]], list[str]],
        optional: Sequence[str],
        filter_string: str,
        *,
        by_name: bool = False,
    ) -> tuple[list[str], list[list[object]]]:
        """Read rows of the fields that a form has, leaving out the optional ones that it lacks.

        A refusal may name the field. Where a query of the target form is refused twice and names
        none, each optional field is tried by itself, twice; should it be taken for lacking by
        mistake, less is known of a document, and none is lost. Without its status fields a source
        that is not to be pushed would travel, so that these are left out by name alone.
        """
        lacking = self._lacking.setdefault(form, set())
        while True:
            fields = fields_but(lacking)
            left = [field for field in optional if field in fields]
            try:
                rows = await self._rows(form, fields, filter_string)
            except LookRefusedError as refusal:
                named = wire.field_named_in(str(refusal), left)
                if named is not None:
                    lacking.add(named)
                    continue
                self._refusals[form] += 1
                few = self._refusals[form] < REFUSALS_OF_A_FIELD
                if not left or few or by_name or refusal.code == NO_RIGHT:
                    raise
                missing = [field for field in left if await self._lacks(form, field)]
                if not missing:
                    raise
                lacking.update(missing)
            else:
                self._refusals[form] = 0
                return fields, rows

    async def _lacks(self, form: str, field: str) -> bool:
        """Say whether a field is refused each time, though its form is answered without it."""
        for _ in range(REFUSALS_OF_A_FIELD):
            if await self._answers(form, field) or not await self._answers(form, wire.ID):
                return False
        return True

    async def _answers(self, form: str, field: str) -> bool:
        """Say whether a query of one row of a field is answered."""
        try:
            await self._page(form, [wire.ID, field], "", start=0, limit=1)
        except LookRefusedError:
            return False
        return True

    async def _rows(
        self, form: str, fields: Sequence[str], filter_string: str
    ) -> list[list[object]]:
        """Read all pages, up to one that proves to be the last."""
        proof = self._proofs.setdefault((form, *fields), paging.Proof())
        reading = paging.whole(proof)
        try:
            ask = next(reading)
            while True:
                if ask.probes:
                    page = await self._probe(form, fields)
                else:
                    page = await self._page(
                        form, fields, filter_string, start=ask.start, limit=ask.limit
                    )
                ask = reading.send(page)
        except StopIteration as end:
            rows: list[list[object]] = end.value
            return rows
        except paging.PagesError as error:
            raise LookFailedError(_of(form, error)) from error

    async def _probe(self, form: str, fields: Sequence[str]) -> list[list[object]] | None:
        try:
            return await self._page(
                form, fields, "", start=0, limit=paging.PAGE_ROWS, order=wire.NEWEST_FIRST
            )
        except LookFailedError:
            return None

    async def _page(
        self,
        form: str,
        fields: Sequence[str],
        filter_string: str,
        *,
        start: int,
        limit: int,
        order: str = "",
    ) -> list[list[object]]:
        data = wire.query_data(form, fields, filter_string, start=start, limit=limit, order=order)
        return await self._ask(
            "ExecuteBillQuery", form, data, lambda body: wire.read_rows(body, len(fields))
        )

    async def _ask(self, operation: str, form: str, data: bytes, read: Callable[[bytes], T]) -> T:
        """Ask once about *form*, and read the answer.

        Raises:
            LookRefusedError: The ERP answered with an error.
            LookFailedError: Nothing usable came back.
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        for _ in range(MOST_SESSIONS_A_LOOK):
            # A lost session leads to a new one until the keeper refuses; a read may be repeated.
            await self._turns.take()
            session = await self._keeper.open()
            exchange = await self._call(f"{FORM_SERVICE}.{operation}", session, "", data)
            if not isinstance(exchange, Answered):
                raise LookFailedError(exchange.because)
            if exchange.status not in wire.ANSWER_STATUSES:
                words = _page_words(exchange)
                raise (ErpBusyError if exchange.status in BUSY_STATUSES else LookFailedError)(words)
            try:
                told = read(exchange.body)
            except wire.SessionLostError:
                self._keeper.lose(session.number)
            except wire.QueryRefusedError as error:
                session.accepted = True
                if error.code == CALL_LIMIT:
                    raise ErpBusyError(_of(form, error)) from error
                gone = error.code == EXCEPTION_CODE and NO_SUCH in str(error)
                definite = error.code in DEFINITE_CODES or gone
                raise LookRefusedError(
                    _of(form, error), code=error.code, definite=definite
                ) from error
            except wire.UnreadableError as error:
                raise LookFailedError(_of(form, error)) from error
            else:
                session.accepted = True
                return told
        lost = remark("answer.sessions", times=MOST_SESSIONS_A_LOOK)
        raise LookFailedError(_of(form, lost))

    # -- sessions -----------------------------------------------------------------------------

    async def _log_in(self, session: Session) -> None:
        if isinstance(self._site.login, HeaderSignature):
            try:
                self._site.login.headers("/", timestamp_s=0)
            except LoginFailedError as error:
                raise LoginRefusedError(str(error)) from error
            return
        # It may be needed while an attempt is open, whose age counts from its beginning (rule
        # 6), so it does not wait; the calls after it do.
        self._turns.count()
        login = self._site.login(int(self._now_s()))
        body = urlencode(login.arguments).encode() if self._site.form_encoded else login.as_json()
        cookies: dict[str, str] = {}
        exchange = await self._post(f"{AUTH_SERVICE}.{login.method}", body, {}, cookies)
        if not isinstance(exchange, Answered):
            raise ErpUnreachableError(_of(self._site.url, exchange.because))
        if exchange.status not in wire.ANSWER_STATUSES:
            raise ErpUnreachableError(_of(self._site.url, _page_words(exchange)))
        try:
            session_id = read_login(exchange.body)
        except LoginFailedError as error:
            raise LoginRefusedError(str(error)) from error
        except wire.UnreadableError as error:
            raise ErpUnreachableError(_of(self._site.url, error)) from error
        session.cookies = cookies | {SESSION_KEY: session_id}
        session.headers = _session_headers(session.cookies)

    async def _log_out(self) -> None:
        session = self._keeper.current
        if session is not None and session.headers:
            await self._call(f"{AUTH_SERVICE}.Logout", session, "", b"{}")
            self._keeper.forget()

    # -- the wire -----------------------------------------------------------------------------

    async def _call(
        self,
        service: str,
        session: Session,
        form: str,
        data: bytes,
        *,
        held_back: Callable[[], str] | None = None,
    ) -> Exchange:
        """Make one call under a session; the answer bears the session's number."""
        headers = session.headers
        if isinstance(self._site.login, HeaderSignature):
            path = urlsplit(str(self._url(service))).path
            headers = self._site.login.headers(path, timestamp_s=int(self._now_s())) | headers
        # Without it the server would open a session for every signed call, and it puts
        # another in the place of one that has ended (P 2.7).
        signed = isinstance(self._site.login, HeaderSignature)
        cookies: dict[str, str] | None = {} if signed else None
        with session.travelling():
            body = self._body(form, data)
            exchange = await self._post(service, body, headers, cookies, held_back=held_back)
        if cookies and cookies.get(SESSION_KEY):
            session.cookies = cookies
            session.headers = _session_headers(cookies)
        if isinstance(exchange, Answered):
            return Answered(exchange.status, exchange.body, session.number)
        return exchange

    async def _post(
        self,
        service: str,
        body: bytes,
        headers: Mapping[str, str],
        cookies: dict[str, str] | None,
        *,
        held_back: Callable[[], str] | None = None,
    ) -> Exchange:
        """Post once; *cookies*, if there, takes up those that the answer sets.

        Whatever a server does after the request has left is an answer or `NoAnswer`.
        """
        kind = (
            "application/x-www-form-urlencoded" if self._site.form_encoded else "application/json"
        )
        request = httpx.Request(
            "POST",
            self._url(service),
            content=body,
            headers={**HEADERS, "Content-Type": f"{kind}; charset=utf-8", **headers},
            extensions={"timeout": self._timeouts, HELD_BACK: held_back},
        )
        try:
            line = self._idle.pop() if self._idle else self._new_line()
        except (ValueError, ImportError, httpx.InvalidURL, UnusableEndpointError) as error:
            return NeverSent(remark("note.bad_proxy", why=str(error)))
        try:
            response = await line.handle_async_request(request)
        except NEVER_SENT as error:
            return NeverSent(_words(error))
        except (httpx.TimeoutException, TimeoutError) as error:
            return NoAnswer(_words(error), timed_out=True)
        except httpx.RequestError as error:
            return NoAnswer(_words(error))
        finally:
            self._idle.append(line)
        if cookies is not None:
            lines = [value for name, value in response.headers.raw if name.lower() == b"set-cookie"]
            take_up(cookies, lines, datetime.fromtimestamp(self._now_s(), UTC))
        self.server_time = response.headers.get("Date", "")
        return Answered(response.status_code, response.content)

    def _url(self, service: str) -> httpx.URL:
        if service not in self._urls:
            self._urls[service] = httpx.URL(f"{self._site.url}{service}.common.kdsvc")
        return self._urls[service]

    def _body(self, form: str, data: bytes) -> bytes:
        if self._site.form_encoded:
            fields = {"formid": form} if form else {}
            return urlencode(fields | {"data": data.decode()}).encode()
        return wire.call_body(form, data)

    def _new_line(self) -> httpx.AsyncBaseTransport:
        if self._transport:
            return _Whole(self._transport())
        if self._tls is None:
            # To read all certificates takes longer than a call, and plain http needs none.
            plain = urlsplit(self._site.url).scheme == "http"
            trusting_none = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self._tls = trusting_none if plain else _tls_context(self._site.verify)
            self._tls.set_alpn_protocols(["http/1.1"])
        if proxy := _proxy_to(self._site.url):
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
            return _Whole(httpx.AsyncHTTPTransport(verify=self._tls, limits=limits, proxy=proxy))
        return Line(self._tls)


class _Whole(httpx.AsyncBaseTransport):
    """A transport whose answers are read whole and in time, as those of a `Line` are."""

    def __init__(self, carrier: httpx.AsyncBaseTransport) -> None:
        self._carrier = carrier

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and read the whole answer."""
        limits = request.extensions["timeout"]
        if why := why_held_back(request):
            raise HeldBackError(why)
        with anyio.fail_after(limits["connect"] + limits["read"]):
            response = await self._carrier.handle_async_request(request)
            body = Body()
            try:
                async for part in cast("AsyncIterable[bytes]", response.stream):
                    body.add(part)
            finally:
                # Else the line would stay taken by an answer that broke off.
                await response.aclose()
        return body.answer(request, response.status_code, response.headers.raw)

    async def aclose(self) -> None:
        """Close what carries."""
        await self._carrier.aclose()


def check_endpoint(site: Endpoint) -> None:
    """See that calls to a site can be made at all, before any is.

    Raises:
        UnusableEndpointError: Its address, its certificates or the proxy to it cannot be used.
    """
    try:
        httpx.URL(site.url)
    except httpx.InvalidURL as error:
        raise UnusableEndpointError("erp.url", str(error)) from error
    if isinstance(site.verify, Path):
        try:
            _tls_context(site.verify)
        except OSError as error:
            why = remark("erp.certificates", path=site.verify, why=error.strerror or str(error))
            raise UnusableEndpointError("erp.verify", why) from error
    _proxy_to(site.url)


class UnusableEndpointError(Exception):
    """No call to a site can be made.

    Attributes:
        key: The setting, or the variable, that says so.
    """

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


def _proxy_to(url: str) -> str | None:
    """Return the proxy that the environment names for *url* (HTTPS_PROXY, NO_PROXY, ...).

    Raises:
        UnusableEndpointError: It is none that k3push can go through.
    """
    parts, named = urlsplit(url), getproxies()
    variable = parts.scheme if named.get(parts.scheme) else "all"
    proxy = named.get(variable)
    if not proxy or proxy_bypass(parts.netloc):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        # httpx would fail at the first call, with words about its own packages.
        usable = httpx.URL(proxy).scheme in {"http", "https"} and urlsplit(proxy).hostname
    except (httpx.InvalidURL, ValueError):
        usable = None
    if not usable:
        # It may hold a password, so it is not shown.
        raise UnusableEndpointError(f"{variable.upper()}_PROXY", remark("erp.proxy"))
    return proxy


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
                matched |= assign([number], await ask([number]))[0]
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


@contextmanager
def _as_failed(form: str) -> Iterator[None]:
    """Say of rows that cannot be read that the look at their form has failed."""
    try:
        yield
    except wire.UnreadableError as error:
        raise LookFailedError(_of(form, error)) from error


def _sighting(
    found: Mapping[BillNumber, Sequence[wire.LinkedTarget]], user: str, *, by_link: bool = False
) -> Sighting:
    """Sort what a look has found; documents of another source form are none of ours.

    Nor are those that a link shows to be of another bill than the one which was asked for by its
    id. Where nothing but links was asked, all are of their bills.
    """
    targets, cancelled, shared, denied, thin = {}, {}, {}, {}, set()
    sources: dict[str, frozenset[str]] = {}
    for bill, linked in found.items():
        id_ = "" if by_link else id_in(bill)
        alike = [each for each in linked if each.ground > Ground.DENIED]
        ours = [each for each in alike if not id_ or each.may_be_of(id_)]
        there = [each for each in ours if not each.cancelled]
        if mine := tuple(each.target for each in there if not id_ or each.is_of(id_)):
            targets[bill] = mine
        if unclear := tuple(each.target for each in there if id_ and not each.is_of(id_)):
            shared[bill] = unclear
        rest = [each for each in linked if each.ground is Ground.DENIED and not each.cancelled]
        if rest:
            denied[bill] = tuple(each.target for each in rest)
        for each in ours:
            if each.sources != UNTOLD:
                sources[each.target.id] = sources.get(each.target.id, frozenset()) | each.sources
        if gone := tuple(each.target for each in ours if each.cancelled):
            cancelled[bill] = gone
        if ours and all(each.ground is Ground.NUMBER for each in ours):
            thin.add(bill)
    return Sighting(
        targets,
        frozenset({user}),
        cancelled,
        thin=frozenset(thin),
        shared=shared,
        denied=denied,
        sources=sources,
    )


def _is_accepted(exchange: Answered) -> bool:
    try:
        answer = wire.read_push(exchange.body)
    except wire.UnreadableError:
        return False
    return not wire.is_lost_session(answer.saved, answer.converted)


def _session_headers(cookies: Mapping[str, str]) -> dict[str, str]:
    pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {SESSION_KEY: cookies[SESSION_KEY], "Cookie": pairs}


def _tls_context(verify: bool | Path) -> ssl.SSLContext:  # noqa: FBT001  # httpx's own word
    if isinstance(verify, Path):
        return ssl.create_default_context(cafile=str(verify))
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _of(place: str, why: object) -> str:
    """Say where something went wrong, as a remark."""
    return remark("note.place", place=place, why=str(why))


def _page_words(exchange: Answered) -> str:
    return _of(f"HTTP {exchange.status}", wire.describe(exchange.body))


def _words(error: Exception) -> str:
    """Say what the network layer said, or a remark of ours where it said nothing."""
    name = type(error).__name__
    if str(error):
        return f"{name}: {error}"
    late = isinstance(error, (httpx.TimeoutException, TimeoutError))
    return remark("note.no_answer" if late else "note.broke", name=name)
