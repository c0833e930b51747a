"""Several users of one account set: pushes are spread over them, and looks ask who may see.

A user with narrower rights to data sees fewer documents, and no error says so. What one user
does not see must not travel again, so a look says who has looked (`Sighting.users`), and asks:

- the first user of the settings, if that one has shown to see what the others make: ten
  documents of each, and none missed;
- until then, and where absence would let a number travel again (*by_all*), every user.

A look that fails is raised, whoever made it. Only a user who may not read the form, or whose login
is refused, is left out, and then does not count among those who have looked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import anyio

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import (
    Answered,
    BillNumber,
    Exchange,
    FlowTask,
    NoAnswer,
    Route,
    Sighting,
    Source,
    Standing,
    Target,
    Targets,
)
from k3push.core.pacing.user_choice import QueuedCall, UserCalls, choose
from k3push.core.protocol.links import FormEntry, LinkRow
from k3push.core.protocol.msg_codes import ABOUT_NO_BILL, NO_RIGHT
from k3push.core.protocol.selection import SelectedPage, Selection
from k3push.core.protocol.wire import PUSH
from k3push.core.remark import remark
from k3push.core.safety.target_sets import ids_in, new_targets
from k3push.core.safety.user_sight import Views
from k3push.core.safety.verdict import ReadBack, judge
from k3push.ports import (
    ErpUnreachableError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
    Turn,
)

T = TypeVar("T")
K = TypeVar("K")

# The remark of a refusal whose cause is no refused login, but sessions that do not last.
_SESSION_USELESS = "answer.session_useless"


@dataclass(frozen=True, slots=True)
class _User:
    place: int
    name: str
    erp: ErpClient
    lane: UserCalls = field(default_factory=UserCalls)


class Identities:
    """Several users, each with a session of its own. Fulfils `ports.Erp`.

    A user whose login is refused is set aside, and so is one who may not push from pushing;
    the others go on.
    """

    def __init__(
        self,
        users: Mapping[str, ErpClient],
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
        self._views = Views()
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

    @property
    def users(self) -> Collection[str]:
        """Return all users of the settings."""
        return frozenset(user.name for user in self._users)

    @asynccontextmanager
    async def turn(self, user: str = "") -> AsyncIterator[Turn]:
        """Wait until a call may leave, through *user* or whoever is likely to be served first."""
        while able := self._able:
            of_wish = [each for each in able if each.name == user]
            chosen = (of_wish or able)[choose([each.lane for each in of_wish or able])]
            mine = _Turn(chosen, self._learn_from, len(self._users))
            # Counted from now on, so that others who come meanwhile choose another user.
            chosen.lane.leaves(QueuedCall.PUSH)
            try:
                async with chosen.erp.turn() as mine.turn:
                    yield mine
                    return
            except LoginRefusedError as refusal:
                if mine.turn is not None:
                    raise
                self._set_aside(chosen, refusal)
            finally:
                now_s = anyio.current_time()
                chosen.lane.returns(QueuedCall.PUSH, mine.left_s, now_s, measures=mine.measures)
        raise LoginRefusedError(self._refusals)

    def spares(self, user: str) -> bool:
        """Say whether pushes go through others than *user*, who may not push."""
        return user in self._barred and all(each.name != user for each in self._able)

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost; other users keep theirs."""
        number, place = divmod(session, len(self._users))
        self._users[place].erp.lose_session(number)

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills; other users are asked for what the first does not see."""
        found = dict(await self._by_first(lambda erp: erp.sources_of(route, numbers)))
        await self._of_others(
            lambda: [number for number in numbers if not found[number]],
            lambda missing, erp: erp.sources_of(route, missing),
            found.update,
        )
        return found

    async def _of_others(
        self,
        missing: Callable[[], list[K]],
        ask: Callable[[list[K], ErpClient], Awaitable[T]],
        take: Callable[[T], None],
    ) -> None:
        """Ask the other users for what is missing, one after another, until nothing is."""
        for user in self._left[1:]:
            if not (asked := missing()):
                return
            try:
                take(await self._timed(user, partial(ask, asked)))
            except LoginRefusedError as refusal:
                self._set_aside(user, refusal)
            except LookRefusedError as refusal:
                if refusal.code != NO_RIGHT:
                    raise

    async def sources_by_id(self, route: Route, ids: Sequence[str]) -> Mapping[str, Source]:
        """Ask the source form for bills by id; others are asked for what the first does not see."""
        found = dict(await self._by_first(lambda erp: erp.sources_by_id(route, ids)))
        await self._of_others(
            lambda: [id_ for id_ in ids if id_ not in found],
            lambda missing, erp: erp.sources_by_id(route, missing),
            found.update,
        )
        return found

    async def selected(
        self, route: Route, selection: Selection, *, today: date, after: str
    ) -> SelectedPage:
        """Ask the source form for the bills that a selection names, as the first user sees them."""
        return await self._by_first(
            lambda erp: erp.selected(route, selection, today=today, after=after)
        )

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Return the newest documents, and what each line names as its source."""
        return await self._by_first(lambda erp: erp.newest_of(route))

    async def newest_id(self, route: Route) -> str:
        """Return the id of the newest document, as the first user sees it."""
        return await self._by_first(lambda erp: erp.newest_id(route))

    async def made_since(self, route: Route, when: str) -> Sequence[tuple[str, BillNumber]]:
        """Return the documents made since a local time, whoever sees them."""
        seen = await self._look(lambda erp: erp.made_since(route, when), by_all=True)
        return [row for rows in seen.values() for row in rows]

    async def links_of(self, route: Route, ids: Collection[str]) -> Sequence[LinkRow]:
        """Return the links of some documents, whoever sees them."""
        seen = await self._look(lambda erp: erp.links_of(route, ids), by_all=True)
        return [row for rows in seen.values() for row in rows]

    async def entries_of(self, form: str) -> Sequence[FormEntry]:
        """Ask for the tables of a form, through the first user."""
        return await self._by_first(lambda erp: erp.entries_of(form))

    async def newest_links(self, route: Route) -> Sequence[LinkRow]:
        """Return the links of the newest documents, as the first user sees them."""
        return await self._by_first(lambda erp: erp.newest_links(route))

    async def linked_sources(self, route: Route) -> Sequence[BillNumber]:
        """Return the bills that the newest documents' links name."""
        return await self._by_first(lambda erp: erp.linked_sources(route))

    async def standings_of(self, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        """Ask the target form for documents; others are asked for what the first does not see."""
        found: dict[str, Standing] = {}
        refusals: list[LookRefusedError] = []
        asked = 0
        for user in self._left:
            missing = [id_ for id_ in ids if id_ not in found]
            if not missing:
                break
            try:
                found |= await self._timed(user, lambda erp: erp.standings_of(route, missing))  # noqa: B023  # it is called at once
                asked += 1
            except LoginRefusedError as refusal:
                self._set_aside(user, refusal)
            except LookRefusedError as refusal:
                if refusal.code != NO_RIGHT:
                    raise
                refusals.append(refusal)
        if not asked:
            raise refusals[0] if refusals else LoginRefusedError(self._refusals)
        return found

    async def flow_tasks_of(self, route: Route, numbers: Collection[str]) -> Mapping[str, FlowTask]:
        """Ask for open tasks of approval flows, through whoever may read them."""
        refusals: list[LookRefusedError] = []
        for user in self._left:
            try:
                return await self._timed(user, lambda erp: erp.flow_tasks_of(route, numbers))
            except LoginRefusedError as refusal:
                self._set_aside(user, refusal)
            except LookRefusedError as refusal:
                refusals.append(refusal)
        raise refusals[0] if refusals else LoginRefusedError(self._refusals)

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        """Ask the target form for every document linked to *numbers*, drafts included."""
        seen = await self._look(
            lambda erp: erp.targets_of(route, numbers, by_all=by_all, unsent=unsent), by_all=by_all
        )
        self._views.compare({name: _ids(each) for name, each in seen.items()})
        return _united(seen)

    async def linked_targets_of(
        self, route: Route, ids: Mapping[BillNumber, str], *, by_all: bool = False
    ) -> Sighting | None:
        """Ask the links of the target form; a site has them for all users or for none."""
        seen = await self._look(lambda erp: erp.linked_targets_of(route, ids), by_all=by_all)
        shown = {name: each for name, each in seen.items() if each is not None}
        silent = [user for user in self._users if user.name in seen.keys() - shown.keys()]
        if not shown:
            return None
        for user in silent:
            user.erp.believe_links(route)
        if silent:
            names = ", ".join(user.name for user in silent)
            raise LookFailedError(remark("answer.links_of_some", form=route.target, users=names))
        return _united(shown)

    async def ask_each(self, look: Callable[[ErpClient], Awaitable[T]]) -> dict[str, T]:
        """Return what each user finds who may look, since none need see all."""
        return await self._look(look, by_all=True)

    async def _look(
        self, look: Callable[[ErpClient], Awaitable[T]], *, by_all: bool
    ) -> dict[str, T]:
        """Look through those who see different documents, or through everybody."""
        seen: dict[str, T] = {}
        refusals: list[LookRefusedError] = []
        asked: set[str] = set()
        while left := [user for user in self._left if user.name not in asked]:
            first = next(iter(seen), left[0].name)
            users = [u for u in left if by_all or not self._views.sees(first, u.name)]
            if not users:
                break
            asked.update(user.name for user in users)
            await self._look_by(users, look, seen, refusals)
        if not seen:
            raise refusals[0] if refusals else LoginRefusedError(self._refusals)
        return seen

    async def _look_by(
        self,
        users: Sequence[_User],
        look: Callable[[ErpClient], Awaitable[T]],
        seen: dict[str, T],
        refusals: list[LookRefusedError],
    ) -> None:
        """Look through users side by side; if one of these looks fails, the whole look fails."""
        failures: list[Exception] = []

        async def look_by(user: _User) -> None:
            try:
                found = await self._timed(user, look)
            except LoginRefusedError as refusal:
                self._set_aside(user, refusal)
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

    # -- who ----------------------------------------------------------------------------------

    @property
    def _left(self) -> list[_User]:
        return [user for user in self._users if user.name not in self._refused]

    @property
    def _able(self) -> list[_User]:
        """Those who may push; everybody where nobody may, so that the ERP itself says why not."""
        return [user for user in self._left if user.name not in self._barred] or self._left

    def _learn_from(self, user: _User, exchange: Answered) -> None:
        """Note what a user has made; one who may not push is spared while others are left."""
        verdict = judge(exchange)
        if not isinstance(verdict, ReadBack):
            return
        if _is_limit(verdict):
            user.lane.meet_limit()
        else:
            user.lane.get_through()
        self._views.made(user.name, [target.id for target in verdict.said.named])
        able = self._able
        refused = verdict.said.code == NO_RIGHT and not verdict.said.acted
        if refused and user in able and len(able) > 1:
            self._barred.add(user.name)
            self._tell(user.name, "; ".join(verdict.said.messages) or f"MsgCode {NO_RIGHT}")

    @property
    def _refusals(self) -> str:
        said = {user.name: self._refused[user.name] for user in self._users}
        # A wrong password is to be mended, and not tried again, whoever lost a session beside.
        refused = {name: why for name, why in said.items() if _SESSION_USELESS not in why}
        return "; ".join(f"{name}: {why}" for name, why in (refused or said).items())

    def _set_aside(self, user: _User, refusal: LoginRefusedError) -> None:
        if user.name not in self._refused:
            self._refused[user.name] = str(refusal)
            if self._left:
                self._tell(user.name, str(refusal))

    async def _by_first(self, ask: Callable[[ErpClient], Awaitable[T]]) -> T:
        """Ask through the first user who is not refused."""
        while left := self._left:
            try:
                return await self._timed(left[0], ask)
            except LoginRefusedError as refusal:
                self._set_aside(left[0], refusal)
        raise LoginRefusedError(self._refusals)

    async def _timed(self, user: _User, ask: Callable[[ErpClient], Awaitable[T]]) -> T:
        left_s, done = anyio.current_time(), False
        user.lane.leaves(QueuedCall.LOOK)
        try:
            found = await ask(user.erp)
            done = True
        finally:
            user.lane.returns(QueuedCall.LOOK, left_s, anyio.current_time(), measures=done)
        return found


@dataclass(slots=True)
class _Turn:
    """The turn of one of several users. Fulfils `ports.Turn`.

    Attributes:
        mine: The user.
        answered: Is told of each answer.
        users: How many there are.
        turn: The user's own turn, once it has come.
        left_s: When the push left.
        measures: Whether it tells how fast the user is served.
    """

    mine: _User
    answered: Callable[[_User, Answered], None]
    users: int
    turn: Turn | None = None
    left_s: float = 0.0
    measures: bool = False

    @property
    def user(self) -> str:
        """The user that the push travels as."""
        return self.mine.name

    async def perform(
        self, operation: str, form: str, data: bytes, *, held_back: Callable[[], str]
    ) -> Exchange:
        """Make one call that writes, at most once."""
        if self.turn is None:
            raise ValueError("the turn has not come")
        self.left_s = anyio.current_time()
        exchange = await self.turn.perform(operation, form, data, held_back=held_back)
        is_push = operation == PUSH
        self.measures = is_push and _measures(exchange)
        if not isinstance(exchange, Answered):
            return exchange
        if is_push:
            self.answered(self.mine, exchange)
        # The session's number also says which user's it was; `lose_session` separates the two.
        return replace(exchange, session=exchange.session * self.users + self.mine.place)


def _measures(exchange: Exchange) -> bool:
    """Say whether an exchange took the time of a push.

    A user whose sessions are always lost is answered fast, and would draw all pushes; so is one
    whose calls are limited.
    """
    if isinstance(exchange, NoAnswer):
        return exchange.timed_out
    verdict = judge(exchange)
    return isinstance(verdict, ReadBack) and not _is_limit(verdict)


def _is_limit(verdict: ReadBack) -> bool:
    """Say whether a push has met a limit on calls or licences, maybe of its user alone."""
    return verdict.said.code in ABOUT_NO_BILL and not verdict.said.acted


def _ids(seen: Sighting) -> set[str]:
    kinds = (seen.targets, seen.shared, seen.cancelled, seen.denied)
    every = (targets for kind in kinds for targets in kind.values())
    return {target.id for targets in every for target in targets}


def _united(seen: Mapping[str, Sighting]) -> Sighting:
    """Join what several users see."""
    sightings = list(seen.values())
    if len(sightings) == 1:
        return sightings[0]
    targets = _joined([each.targets for each in sightings])
    # One user may see the field of the source's form that another does not.
    certain = frozenset().union(*(_ids(each) - each.thin for each in sightings))
    thin = frozenset().union(*(each.thin for each in sightings))
    shared = _joined([each.shared for each in sightings])
    sources: defaultdict[tuple[BillNumber, str], frozenset[str]] = defaultdict(frozenset)
    for each in sightings:
        for of, named in each.sources.items():
            sources[of] |= named
    return Sighting(
        targets,
        frozenset(seen),
        _joined([each.cancelled for each in sightings]),
        thin=thin - certain,
        linked=frozenset.intersection(*(each.linked for each in sightings)),
        by_link=frozenset().union(*(each.by_link for each in sightings)),
        # One user may see the link that another does not.
        shared=new_targets(shared, ids_in(targets)),
        denied=_joined([each.denied for each in sightings]),
        sources=sources,
    )


def _joined(parts: Sequence[Targets]) -> Targets:
    """Join documents by number; one that several users see is there once."""
    united: dict[BillNumber, dict[str, Target]] = {}
    for part in parts:
        for number, targets in part.items():
            by_id = united.setdefault(number, {})
            for target in targets:
                by_id.setdefault(target.id, target)
    return {number: tuple(by_id.values()) for number, by_id in united.items()}
