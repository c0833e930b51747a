"""Several users of one account set: pushes are spread over them, and looks ask who may see.

Which users can be asked is for `user_pool` to say. Here each question is given to users: where
nothing depends on who sees it, to the first one, and to others for what that one does not see;
where a document must not be missed, to all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Self, TypeVar

import anyio

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.user_pool import UserPool
from k3push.adapters.erp.user_turn import UserTurn
from k3push.core.model import BillNumber, FlowTask, Route, Sighting, Source, Standing
from k3push.core.pacing.user_choice import QueuedCall, choose
from k3push.core.protocol.links import FormEntry, LinkRow
from k3push.core.protocol.msg_codes import NO_RIGHT
from k3push.core.protocol.selection import SelectedPage, Selection
from k3push.core.remark import remark
from k3push.core.safety.user_sight import ids_seen, seen_together
from k3push.ports import LoginRefusedError, LookFailedError, LookRefusedError, Turn

T = TypeVar("T")


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
        self._pool = UserPool(users, refused, set_aside)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Log all users out, side by side, since each may have to wait for a dead server."""
        async with anyio.create_task_group() as tasks:
            for user in self._pool.users:
                tasks.start_soon(user.erp.__aexit__, *error)

    @property
    def logins(self) -> int:
        """How often all of them have logged in."""
        return sum(user.erp.logins for user in self._pool.users)

    @property
    def refused(self) -> LoginRefusedError | None:
        """The refusals after which nobody logs in any more."""
        return None if self._pool.left else LoginRefusedError(self._pool.refusals)

    async def open_session(self) -> None:
        """Log the first user in who is not refused; the others follow with their first push.

        Raises:
            LoginRefusedError: All are refused.
            ErpUnreachableError: Nothing answered.
        """
        await self._pool.by_first(lambda erp: erp.open_session())

    # -- ports.Erp ----------------------------------------------------------------------------

    @property
    def users(self) -> Collection[str]:
        """Return all users of the settings."""
        return frozenset(user.name for user in self._pool.users)

    @asynccontextmanager
    async def turn(self, user: str = "") -> AsyncIterator[Turn]:
        """Wait until a call may leave, through *user* or whoever is likely to be served first."""
        while able := self._pool.able:
            # A user who may not push may still submit the documents that he has made.
            of_wish = [each for each in self._pool.left if each.name == user]
            chosen = (of_wish or able)[choose([each.calls for each in of_wish or able])]
            mine = UserTurn(chosen, self._pool.learn_from, len(self._pool.users))
            # Counted from now on, so that others who come meanwhile choose another user.
            chosen.calls.leaves(QueuedCall.PUSH)
            try:
                async with chosen.erp.turn() as mine.turn:
                    yield mine
                    return
            except LoginRefusedError as refusal:
                if mine.turn is not None:
                    raise
                self._pool.set_aside(chosen, refusal)
            finally:
                now_s = anyio.current_time()
                told = {"measures": mine.measures, "given_up": mine.given_up}
                chosen.calls.returns(QueuedCall.PUSH, mine.left_s, now_s, **told)
        raise LoginRefusedError(self._pool.refusals)

    def spares(self, user: str) -> bool:
        """Say whether pushes go through others than *user*, who may not push."""
        return self._pool.spares(user)

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost; other users keep theirs."""
        number, place = divmod(session, len(self._pool.users))
        self._pool.users[place].erp.lose_session(number)

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills; other users are asked for what the first does not see."""
        found = dict(await self._pool.by_first(lambda erp: erp.sources_of(route, numbers)))
        await self._pool.by_others(
            lambda: [number for number in numbers if not found[number]],
            lambda missing, erp: erp.sources_of(route, missing),
            found.update,
        )
        return found

    async def sources_by_id(self, route: Route, ids: Sequence[str]) -> Mapping[str, Source]:
        """Ask the source form for bills by id; others are asked for what the first does not see."""
        found = dict(await self._pool.by_first(lambda erp: erp.sources_by_id(route, ids)))
        await self._pool.by_others(
            lambda: [id_ for id_ in ids if id_ not in found],
            lambda missing, erp: erp.sources_by_id(route, missing),
            found.update,
        )
        return found

    async def selected(
        self, route: Route, selection: Selection, *, today: date, after: str
    ) -> SelectedPage:
        """Ask the source form for the bills that a selection names, as the first user sees them."""
        return await self._pool.by_first(
            lambda erp: erp.selected(route, selection, today=today, after=after)
        )

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Return the newest documents, and what each line names as its source."""
        return await self._pool.by_first(lambda erp: erp.newest_of(route))

    async def newest_id(self, route: Route) -> str:
        """Return the id of the newest document, as the first user sees it."""
        return await self._pool.by_first(lambda erp: erp.newest_id(route))

    async def made_since(self, route: Route, when: str) -> Sequence[tuple[str, BillNumber]]:
        """Return the documents made since a local time, whoever sees them."""
        seen = await self._pool.look(lambda erp: erp.made_since(route, when), by_all=True)
        return [row for rows in seen.values() for row in rows]

    async def links_of(self, route: Route, ids: Collection[str]) -> Sequence[LinkRow]:
        """Return the links of some documents, whoever sees them."""
        seen = await self._pool.look(lambda erp: erp.links_of(route, ids), by_all=True)
        return [row for rows in seen.values() for row in rows]

    async def partly_linked(self, route: Route, ids: Collection[str]) -> Collection[str]:
        """Return which of some documents have a line without a link, whoever sees them."""
        seen = await self._pool.look(lambda erp: erp.partly_linked(route, ids), by_all=True)
        return {id_ for of_user in seen.values() for id_ in of_user}

    async def entries_of(self, form: str) -> Sequence[FormEntry]:
        """Ask for the tables of a form, through the first user."""
        return await self._pool.by_first(lambda erp: erp.entries_of(form))

    async def newest_links(self, route: Route) -> Sequence[LinkRow]:
        """Return the links of the newest documents, as the first user sees them."""
        return await self._pool.by_first(lambda erp: erp.newest_links(route))

    async def linked_sources(self, route: Route) -> Sequence[BillNumber]:
        """Return the bills that the newest documents' links name."""
        return await self._pool.by_first(lambda erp: erp.linked_sources(route))

    async def standings_of(self, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        """Ask the target form for documents; others are asked for what the first does not see."""
        found: dict[str, Standing] = {}
        refusals: list[LookRefusedError] = []
        asked = 0
        for user in self._pool.left:
            missing = [id_ for id_ in ids if id_ not in found]
            if not missing:
                break
            try:
                found |= await self._pool.timed(user, lambda erp: erp.standings_of(route, missing))  # noqa: B023  # it is called at once
                asked += 1
            except LoginRefusedError as refusal:
                self._pool.set_aside(user, refusal)
            except LookRefusedError as refusal:
                if refusal.code != NO_RIGHT:
                    raise
                refusals.append(refusal)
        if not asked:
            raise refusals[0] if refusals else LoginRefusedError(self._pool.refusals)
        return found

    async def flow_tasks_of(self, route: Route, numbers: Collection[str]) -> Mapping[str, FlowTask]:
        """Ask for open tasks of approval flows, through whoever may read them."""
        refusals: list[LookRefusedError] = []
        for user in self._pool.left:
            try:
                return await self._pool.timed(user, lambda erp: erp.flow_tasks_of(route, numbers))
            except LoginRefusedError as refusal:
                self._pool.set_aside(user, refusal)
            except LookRefusedError as refusal:
                refusals.append(refusal)
        raise refusals[0] if refusals else LoginRefusedError(self._pool.refusals)

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        """Ask the target form for every document linked to *numbers*, drafts included."""
        seen = await self._pool.look(
            lambda erp: erp.targets_of(route, numbers, by_all=by_all, unsent=unsent), by_all=by_all
        )
        self._pool.views.compare({name: ids_seen(each) for name, each in seen.items()})
        return seen_together(seen)

    async def linked_targets_of(
        self, route: Route, ids: Mapping[BillNumber, str], *, by_all: bool = False
    ) -> Sighting | None:
        """Ask the links of the target form; a site has them for all users or for none."""
        seen = await self._pool.look(lambda erp: erp.linked_targets_of(route, ids), by_all=by_all)
        shown = {name: each for name, each in seen.items() if each is not None}
        silent = [user for user in self._pool.users if user.name in seen.keys() - shown.keys()]
        if not shown:
            return None
        for user in silent:
            user.erp.believe_links(route)
        if silent:
            names = ", ".join(user.name for user in silent)
            raise LookFailedError(remark("answer.links_of_some", form=route.target, users=names))
        return seen_together(shown)

    async def ask_each(self, look: Callable[[ErpClient], Awaitable[T]]) -> dict[str, T]:
        """Return what each user finds who may look, since none need see all."""
        return await self._pool.look(look, by_all=True)
