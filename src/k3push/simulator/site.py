"""One K/3 Cloud site: a request goes in, a reply or a broken connection comes out.

The order is that of a real server: the session is checked first, and a lost one
executes nothing (P 3.6); then the request meets its fault; then its work is put on the
agenda for the time when it is due, and done then even if the client has left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio

from k3push.simulator.answers import push_answer, query_failure, session_lost, status
from k3push.simulator.books.conversion import Conversion, Made
from k3push.simulator.books.history import By, Maker
from k3push.simulator.books.orders import OperationOrder, PushOrder, read_order
from k3push.simulator.books.world import World
from k3push.simulator.endings import refuse, shown, thrown
from k3push.simulator.exchange import (
    Break,
    Fate,
    Reply,
    Request,
    html_reply,
    json_reply,
    text_reply,
)
from k3push.simulator.fault_plans.faults import Ending, Fault, Work
from k3push.simulator.fault_plans.script import Channel, Does, FaultScript
from k3push.simulator.filters import texts_in
from k3push.simulator.load import Agenda, Load
from k3push.simulator.operation_calls import OperationDesk
from k3push.simulator.query_answers.queries import Desk
from k3push.simulator.requests import BadCallError, Call, read_call, service_of
from k3push.simulator.sandbox_options import SandboxOptions
from k3push.simulator.selecting import FilterTooLongError, QueryError
from k3push.simulator.sign_in import ForeignAccountError, Logins, Session

_LOGINS = frozenset(
    name + kick
    for name in ("validateuser", "loginbyappsecret", "loginbysign")
    for kick in ("", "2")
)
_QUERIES = frozenset({"executebillquery", "billquery", "querybusinessinfo"})
_NEED_NO_SESSION = _LOGINS | {"getdatacenterlist", "logout"}

RIVAL = "rival"
"""Whom another program logs in as."""

_WELCOME = "k3push sandbox: a stand-in K/3 Cloud server. What really happened: /sandbox/truth"


@dataclass(slots=True)
class _Visit:
    """A request on its way through the site."""

    call: Call
    channel: Channel
    fault: Fault
    user: str
    headers: Mapping[str, str]
    session: Session | None = None
    operation: OperationOrder | None = None
    """What it asks to do with documents."""
    nth: int = 0
    """Its place among the pushes, or among the calls that named documents."""
    hands: tuple[tuple[str, Does], ...] = ()
    """What people do with documents of sources once its work is due."""
    looked: tuple[int, ...] = ()
    """The documents whose status it tells."""
    beside: tuple[str, ...] = ()
    """Numbers that another program pushes at the same time."""
    saving_s: float = 0.0
    """How long the work goes on after the first target was saved."""
    cookies: tuple[tuple[str, str], ...] = ()
    reply: Reply = field(default_factory=lambda: Reply(200, b""))


class Site:
    """A server without a socket.

    It may be used from trio and from asyncio; its clock is anyio's.
    """

    def __init__(
        self,
        world: World,
        *,
        logins: Logins,
        faults: FaultScript,
        load: Load,
        desk: Desk,
        options: SandboxOptions,
    ) -> None:
        self.world = world
        self.logins = logins
        self.faults = faults
        self.accepting = True
        """Whether it takes connections, in memory; a server on a socket is cancelled instead."""
        self.calls: Counter[Channel] = Counter()
        """Requests so far, by kind."""
        self._pushes = 0
        self._load = load
        self.desk = desk
        self._manners = options
        self._agenda = Agenda()
        self._operations = OperationDesk(world, self._agenda, desk.replica, options)

    async def handle(self, request: Request) -> Fate:
        """Answer *request*, when its time has come."""
        if not self.accepting:
            return Break.REFUSED
        now_s = anyio.current_time()
        self._agenda.run_until(now_s)
        if request.target.startswith("/sandbox"):
            return self._page(request.target)
        try:
            return await self._call(request, now_s)
        except BadCallError as error:
            return thrown(str(error), as_json=True)
        except ForeignAccountError:
            return Reply(500, b"Fail to verify thirty passport")

    async def _call(self, request: Request, now_s: float) -> Fate:
        """Check the session, find out what goes wrong, and serve."""
        service = service_of(request.target)
        if service is None or request.method != "POST":
            return html_reply(404, "404 Not Found")
        call = read_call(service, request)
        channel = _channel(call)
        operation = self._operations.read(call)
        numbers = self._numbers_in(call, channel, operation)
        self.calls[channel] += 1
        session = None
        if service not in _NEED_NO_SESSION:
            session = self.logins.find(request.headers, request.target, now_s)
            if session is None:
                return await self._turn_away(call, request, now_s)
        user = session.user if session is not None else call.text(1, "username")
        self._pushes += channel is Channel.PUSH
        met = self.faults.next(channel, numbers, user)
        if not met.connects:
            return shown(met.ending, Reply(200, b""), self.world.texts)
        if met.ending is Ending.LOSE_SESSION and not met.works:
            if session is not None:
                self.logins.lose(session)
            return await self._turn_away(call, request, now_s)
        visit = _Visit(call, channel, met, user, request.headers, session, operation)
        if session is not None:
            visit.cookies = self.logins.use(session, request.headers, now_s)
        named = 0
        if channel is Channel.PUSH:
            visit.nth = self._pushes
            self._let_rivals_push(visit, numbers, now_s)
            named = len(numbers)
        elif operation is not None:
            self._let_people_act(visit, numbers, now_s)
            named = len(operation.ids or operation.numbers)
        return await self._serve(visit, now_s, named)

    def truth(self) -> dict[str, Any]:
        """Tell what really happened: the world's truth, logins, lost sessions, calls."""
        return {
            **self.world.truth(),
            "logins": self.logins.successes,
            "failed_logins": self.logins.failures,
            "sessions_lost": self.logins.sessions_lost,
            "calls": {str(channel): count for channel, count in self.calls.items()},
            "faults_left": list(self.faults.unused()),
            "work_to_come": len(self._agenda),
        }

    def finish(self) -> None:
        """Do at once all work that is still to come, late commits included."""
        self._agenda.run_until(float("inf"))

    def _numbers_in(
        self, call: Call, channel: Channel, operation: OperationOrder | None
    ) -> tuple[str, ...]:
        """Give what faults may be aimed at in a call."""
        if operation is not None:
            return self._operations.sources_in(operation)
        if channel is Channel.PUSH:
            return self._sources_in(read_order(call.text(0, "formid"), call.data(1)))
        if channel is Channel.QUERY and self.faults.reads_filters:
            return tuple(texts_in(call.data(0).get("filterstring")))
        return ()

    def _sources_in(self, order: PushOrder) -> tuple[str, ...]:
        """Give the numbers of the bills that a push names, be it by their ids."""
        form = self.world.forms.get(order.form.lower())
        if form is None or not order.ids:
            return order.numbers
        bills = (self.world.store.by_id(form, each) for each in order.ids)
        return (*order.numbers, *(bill.number for bill in bills if bill is not None))

    def _let_rivals_push(self, visit: _Visit, numbers: tuple[str, ...], now_s: float) -> None:
        """Let another program push bills of this push, now or while it is worked on."""
        for number, rival in self.faults.rivals(numbers).items():
            if rival.at_once and visit.fault.works:
                visit.beside += (number,)
            else:
                self._push_as_rival(self._order(visit), number, now_s)

    def _let_people_act(self, visit: _Visit, numbers: tuple[str, ...], now_s: float) -> None:
        """Let people do something with documents of this call, now or right after its work."""
        for number, hand in self.faults.hands(visit.channel, numbers):
            if hand.after:
                visit.hands += ((number, hand.does),)
            else:
                self._operations.by_hand(hand.does, number, now_s)

    def _push_as_rival(self, order: PushOrder, number: str, now_s: float) -> None:
        rivals = replace(
            order, numbers=(number,), ids=(), entry_ids=(), draft_when_save_fails=False
        )
        self._commit(self.world.convert(rivals, RIVAL), now_s, Maker.OTHER)

    def _order(self, visit: _Visit) -> PushOrder:
        return read_order(visit.call.text(0, "formid"), visit.call.data(1))

    async def _serve(self, visit: _Visit, now_s: float, numbers: int) -> Fate:
        """Have the work done when it is due, and give what the client sees of it."""
        if self._too_many(now_s):
            visit.fault = Fault(Work.NONE, Ending.CALL_LIMIT)
            numbers = 0
        met = visit.fault
        if visit.operation is not None and not met.denies:
            visit.nth = self._operations.arrived(visit.operation)
        due_s = self._load.book(now_s, visit.user, numbers) + met.delay_before_work_s
        self._agenda.add(due_s, partial(self._work, visit, due_s))
        await anyio.sleep(due_s - now_s)
        # A timer may fire a little early; the work of this request is due in any case.
        self._agenda.run_until(max(due_s, anyio.current_time()))
        more_s = met.delay_after_work_s + (visit.saving_s if met.tells else 0.0)
        if more_s:
            await anyio.sleep(more_s)
            self._agenda.run_until(max(due_s + visit.saving_s, anyio.current_time()))
        if visit.looked and met.is_whole:
            self.world.documents.history.looked(visit.looked)
        return shown(met.ending, visit.reply.with_headers(*visit.cookies), self.world.texts)

    def _too_many(self, now_s: float) -> bool:
        at_once, a_minute = self._manners.most_at_once, self._manners.most_a_minute
        return bool(
            (at_once and self._load.at_once(now_s) >= at_once)
            or (a_minute and self._load.within_a_minute(now_s) >= a_minute)
        )

    async def _turn_away(self, call: Call, request: Request, now_s: float) -> Reply:
        """Answer a call whose session is lost; nothing of it is executed."""
        await anyio.sleep(self._load.book(now_s, "") - now_s)
        text = self.world.texts.session_lost
        rows, objects = _rows(call.service)
        reply = json_reply(session_lost(self._manners.style, text, rows=rows, objects=objects))
        if "x-kd-signature" in request.headers:
            return reply.with_headers(*self.logins.cookies(self.logins.hollow_id()))
        return reply

    def _work(self, visit: _Visit, now_s: float) -> None:
        """Do the work of *visit* and note its true answer."""
        style, texts = self._manners.style, self.world.texts
        if visit.channel is Channel.LOGIN and visit.fault.ending is Ending.NO_PERMISSION:
            visit.reply = json_reply(self.logins.turn_down(texts.login_refused))
            return
        rows, objects = _rows(visit.call.service)
        refusal = refuse(visit.fault.ending, style, texts, rows=rows, objects=objects)
        if visit.fault.works:
            try:
                visit.reply = self._answer(visit, now_s)
            except BadCallError as error:
                visit.reply = thrown(str(error), as_json=True)
        if refusal is not None:
            visit.reply = refusal
        for number, does in visit.hands:
            self._operations.by_hand(does, number, now_s)
        if visit.fault.ending is Ending.LOSE_SESSION:
            text = texts.context_is_null
            visit.reply = json_reply(session_lost(style, text, rows=rows, objects=objects))
            if visit.session is not None:
                self.logins.lose(visit.session)

    def _answer(self, visit: _Visit, now_s: float) -> Reply:
        call = visit.call
        if visit.operation is not None:
            by = By(Maker.CLIENT, visit.user, visit.nth)
            return self._operations.work(visit.operation, by, visit.fault, now_s)
        if call.service == "push":
            return self._push(visit, now_s)
        if call.service in _QUERIES:
            return self._query(visit)
        return self._door(call, visit.headers, now_s)

    def _door(self, call: Call, headers: Mapping[str, str], now_s: float) -> Reply:
        """Answer what needs no session."""
        if call.service in _LOGINS:
            answer, session = self.logins.log_in(call, now_s)
            reply = json_reply(answer)
            return reply.with_headers(*self.logins.cookies(session.id)) if session else reply
        if call.service == "logout":
            return json_reply(self.logins.log_out(headers))
        if call.service == "getdatacenterlist":
            acct_id = self.logins.accounts.acct_id
            return json_reply([{"Id": acct_id, "Number": acct_id, "Name": "sandbox"}])
        return thrown(f"未找到服务：{call.service}", as_json=True)

    def _push(self, visit: _Visit, now_s: float) -> Reply:
        order = self._order(visit)
        conversion = self.world.convert(
            order,
            visit.user,
            drop_one=visit.fault.work is Work.DROP_ONE,
            mislink=visit.fault.work is Work.MISLINK,
        )
        conversion = replace(conversion, call=visit.nth)
        for number in visit.beside:
            self._push_as_rival(order, number, now_s)
        due_s = now_s + visit.fault.commit_delay_s
        visit.saving_s = self._manners.save_gap_s * max(0, len(conversion.made) - 1)
        if visit.fault.commit_delay_s:
            self._agenda.add(due_s, partial(self._save, conversion, due_s))
        else:
            self._save(conversion, due_s)
        if conversion.thrown:
            return thrown(conversion.thrown, as_json=True)
        return json_reply(push_answer(self._manners.style, conversion, self._manners.on_refusal))

    def _save(self, conversion: Conversion, now_s: float) -> None:
        """Keep the targets of a push, all at once or one after the other."""
        gap_s = self._manners.save_gap_s
        if not gap_s:
            self._commit(conversion, now_s)
            return
        first, rest = conversion.made[:1], conversion.made[1:]
        push = self._commit(replace(conversion, made=first), now_s)
        for nth, made in enumerate(rest, start=1):
            part, due_s = replace(conversion, made=(made,)), now_s + nth * gap_s
            self._agenda.add(due_s, partial(self._commit, part, due_s, push=push))

    def _commit(
        self,
        conversion: Conversion,
        now_s: float,
        maker: Maker = Maker.CLIENT,
        *,
        push: int = 0,
    ) -> int:
        """Keep what was made, and have queries see it when it has reached what they read."""
        if self._manners.names_when_saved:
            for made in conversion.made:
                _name_anew(made)
        if self._manners.query_lag_s:
            sources = {bill.id: bill for made in conversion.made for bill in made.sources}
            targets = [made.target for made in conversion.made]
            arrive = self.desk.replica.keep(sources.values(), targets)
            self._agenda.add(now_s + self._manners.query_lag_s, arrive)
        self._operations.changed((made.target for made in conversion.made), now_s)
        return self.world.commit(conversion, maker, push=push)

    def _query(self, visit: _Visit) -> Reply:
        call, style = visit.call, self._manners.style
        rows, objects = _rows(call.service)
        try:
            data = call.data(0)
            if not rows:
                info = self.desk.business_info(data, visit.user)
                answer = {"ResponseStatus": status(style, success=True), "NeedReturnData": info}
                return json_reply({"Result": answer})
            keys, found, visit.looked = self.desk.rows(data, visit.user)
        except QueryError as error:
            bare = objects or not rows
            return json_reply(query_failure(style, error.code, error.text, objects=bare))
        except FilterTooLongError:
            return thrown(self.world.texts.filter_too_long, as_json=True)
        if objects:
            return json_reply([dict(zip(keys, row, strict=True)) for row in found])
        return json_reply(found)

    def _page(self, target: str) -> Reply:
        if target.rstrip("/") == "/sandbox/truth":
            return json_reply(self.truth())
        if target.rstrip("/") == "/sandbox":
            return text_reply(_WELCOME)
        return html_reply(404, "404 Not Found")


def _channel(call: Call) -> Channel:
    if call.service == "push":
        return Channel.PUSH
    if call.service in {Channel.SUBMIT, Channel.AUDIT}:
        return Channel(call.service)
    if call.service in _QUERIES:
        return Channel.PAGE if _goes_on(call) else Channel.QUERY
    return Channel.LOGIN if call.service in _LOGINS else Channel.OTHER


def _goes_on(query: Call) -> bool:
    try:
        return bool(query.data(0).get("startrow"))
    except BadCallError:
        return False


def _rows(service: str) -> tuple[bool, bool]:
    """Tell whether a service answers with rows, and whether they are objects."""
    return service in {"executebillquery", "billquery"}, service == "billquery"


def _name_anew(made: Made) -> None:
    """Have a document of one bill bear the number that the bill has by now."""
    if len(made.sources) == 1:
        for entry in made.target.entries:
            if entry.origin is not None and entry.origin.number.strip():
                entry.origin = entry.origin._replace(number=made.sources[0].number)
