"""What the use cases need of the ERP: a turn to send, and looks, with duties; and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from datetime import date
from typing import Protocol

from k3push.core.model import BillNumber, Exchange, FlowTask, Route, Sighting, Source, Standing
from k3push.core.protocol.links import FormEntry, LinkRow
from k3push.core.protocol.selection import SelectedPage, Selection


class ErpUnreachableError(Exception):
    """The ERP could not be reached to log in. Nothing was sent; it may be tried again."""


class LoginBrokeError(ErpUnreachableError):
    """Something is there, and gave no answer to the login that can be used: a proxy, say."""


class LoginRefusedError(Exception):
    """The ERP refused the login, or a session just opened. Never tried twice (P 2.4, 3.4)."""


class LookFailedError(Exception):
    """A read gave no whole, certain answer. It proves nothing (rule 7)."""


class ErpBusyError(LookFailedError):
    """The ERP turned a read away since there are too many calls, or it serves none now."""


class LookRefusedError(LookFailedError):
    """The ERP answered a read with an error.

    Attributes:
        code: The ERP's MsgCode, or "".
        definite: Its code says that a form, a field or a right is wrong, so that the same
            question is refused again. An exception or a failed database may pass.
    """

    def __init__(self, message: str, *, code: str = "", definite: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.definite = definite


# While a site loads its metadata anew, it knows no field for some seconds, and then it does. What
# it says to lack is believed when it is said so much later again.
BELIEVED_AFTER_S = 5.0
LAST_BELIEVED_AFTER_S = 35.0
"""The same where it takes away the status of bills, or the last look: after a recycle the first use
of a form may take half a minute."""


# Times are floating-point numbers: one that is due in a billionth of a second may stay so.
SHORTEST_WAIT_S = 0.01


def ask_again_in_s(since_s: float, believed_after_s: float) -> float:
    """Return how long to wait before what was refused is asked again; 0 where it is believed.

    Args:
        since_s: Seconds since it was refused first.
        believed_after_s: For how many seconds refusals have to last.

    >>> [ask_again_in_s(since_s, 35.0) for since_s in (0.0, 5.0, 10.0, 20.0, 35.0)]
    [5.0, 5.0, 10.0, 15.0, 0.0]
    """
    left_s = believed_after_s - since_s
    return min(left_s, max(BELIEVED_AFTER_S, since_s)) if left_s > SHORTEST_WAIT_S else 0.0


# Whoever reads is told of waits within the read, though executions share the ERP.
_told: ContextVar[Callable[[str, float], None] | None] = ContextVar("told", default=None)
_repeats: ContextVar[list[str] | None] = ContextVar("repeats", default=None)


@contextmanager
def telling_of_waits(waiting: Callable[[str, float], None]) -> Iterator[None]:
    """Let *waiting* be told why, and for how many seconds, reads in this block are put off."""
    before = _told.set(waiting)
    try:
        yield
    finally:
        _told.reset(before)


@contextmanager
def noting_repeats() -> Iterator[list[str]]:
    """Give a list of what reads in this block have to be tried again, which grows as they do."""
    found: list[str] = []
    before = _repeats.set(found)
    try:
        yield found
    finally:
        _repeats.reset(before)


def note_repeat(what: str) -> None:
    """Note that something is read once more."""
    if (found := _repeats.get()) is not None:
        found.append(what)


def tell_of_wait(why: str, since_s: float, seconds: float) -> None:
    """Tell whoever reads that what was refused is asked again later; the first wait is short.

    Args:
        why: What is refused.
        since_s: Seconds since it was refused first.
        seconds: Until it is asked again.
    """
    note_repeat(why)
    waiting = _told.get()
    if waiting is not None and since_s >= BELIEVED_AFTER_S - SHORTEST_WAIT_S:
        waiting(why, seconds)


class Turn(Protocol):
    """The right to send one push at once: a session is open, and no limit stands in the way."""

    @property
    def user(self) -> str:
        """The user that the push travels as."""
        ...

    async def perform(
        self, operation: str, form: str, data: bytes, *, held_back: Callable[[], str]
    ) -> Exchange:
        """Make one call that writes, at most once, without waiting, and say what came back.

        Raises nothing for a fault of the network: that is a value. Where the session was lost
        since the turn came, nothing is sent; no other is opened here.

        Args:
            operation: Push, Submit or Audit.
            form: The form that it is about.
            data: The request's `data`.
            held_back: Asked right before the first byte leaves, when the connection stands; a
                reason means that nothing is sent.
        """
        ...


class Erp(Protocol):
    """The ERP of one account set, with a session for each of its users.

    Reads wait for their own turns under the limit of calls a minute. Each of them raises
    `LookFailedError` where the answer is an error or not whole; where no session can be opened,
    `ErpUnreachableError` since nothing answered, and `LoginRefusedError` since trying again would
    harm. What else one raises stands with it.

    Logging in, keeping the session and the shape of requests are the adapter's business.
    Whether to send again is not: a turn sends at most once, whatever happens.
    """

    def turn(self, user: str = "") -> AbstractAsyncContextManager[Turn]:
        """Wait until one call may leave at once: log in if need be, and wait for the limit.

        All that can wait comes here, before the attempt begins (rule 1 counts its age from
        there).

        Args:
            user: Whose turn it had better be, since others may not see the document; whoever is
                able where that user is not.

        Raises:
            ErpUnreachableError: No session could be opened, since nothing answered.
            LoginRefusedError: No session could be opened, and trying again would harm.
        """
        ...

    @property
    def users(self) -> Collection[str]:
        """All users of the settings, by name."""
        ...

    def spares(self, user: str) -> bool:
        """Say whether pushes go through others than *user* from now on, who may not push.

        What the ERP has refused that one for lack of a right it has not refused the others.
        """
        ...

    async def standings_of(self, route: Route, ids: Collection[str]) -> Mapping[str, Standing]:
        """Ask the target form for documents by their ids; one that it does not hold is absent.

        Absent means absent for every user of the settings who may read the form.
        """
        ...

    async def flow_tasks_of(self, route: Route, numbers: Collection[str]) -> Mapping[str, FlowTask]:
        """Ask for open tasks of approval flows, by the bill number of the target (P 10.5).

        Raises:
            LookRefusedError: The user may not read them, or the site has none.
        """
        ...

    def lose_session(self, session: int) -> None:
        """Say that an answer showed *session* to be lost; the next call opens a new one.

        All who lost the same session share one login. Saying it of an older session than
        the present one changes nothing.
        """
        ...

    async def newest_of(self, route: Route) -> Sequence[tuple[str, BillNumber]]:
        """Return the newest documents of the target form, and what each line names as its source.

        It is the document's id, and what the source-number field holds; "" for a blank.
        """
        ...

    async def newest_id(self, route: Route) -> str:
        """Return the id of the newest document of the target form; "" where there is none."""
        ...

    async def made_since(self, route: Route, when: str) -> Sequence[tuple[str, BillNumber]]:
        """Return the documents made at a local time of the server or later, line by line.

        It is the document's id, and what the source-number field holds; "" for a blank, or where
        the route has none. Everybody's view is asked for.

        Raises:
            LookRefusedError: The form does not tell when its documents were made.
        """
        ...

    async def links_of(self, route: Route, ids: Collection[str]) -> Sequence[LinkRow]:
        """Return the links of some documents to bills of any form.

        There are none where the site does not let links be queried.
        """
        ...

    async def partly_linked(self, route: Route, ids: Collection[str]) -> Collection[str]:
        """Return which of some documents have a line without a link.

        There are none where the site does not let links be queried.
        """
        ...

    async def sources_of(
        self, route: Route, numbers: Sequence[BillNumber]
    ) -> Mapping[BillNumber, tuple[Source, ...]]:
        """Ask the source form for bills, by the job file's spellings.

        A number that the form does not hold maps to (), one in two organisations to two sources,
        which tell their organisations where the ERP shows them. Two spellings of one bill map to
        equal sources.
        """
        ...

    async def sources_by_id(self, route: Route, ids: Sequence[str]) -> Mapping[str, Source]:
        """Ask the source form for bills, by their ids; one that it does not hold is absent."""
        ...

    async def selected(
        self, route: Route, selection: Selection, *, today: date, after: str
    ) -> SelectedPage:
        """Ask the source form for the bills that a selection names with the next higher ids.

        The page is whole: no bill between its own is missing. Where it is empty no more follow.

        Args:
            route: Whose source form is asked.
            selection: Which bills.
            today: The day that the selection's dates are told from.
            after: All ids are higher than this one; "0" at first.

        Raises:
            selection.FilterFlawError: The selection cannot be written as a filter.
        """
        ...

    async def targets_of(
        self,
        route: Route,
        numbers: Collection[BillNumber],
        *,
        by_all: bool = False,
        unsent: bool = False,
    ) -> Sighting:
        """Ask the target form for every document linked to *numbers*, drafts included.

        A number without targets is absent from the answer. That is proof of absence only for
        what the users of the sighting may see, and only where the field that is asked was proved
        to find what is there.

        A number with an id (`key_of`) is that of several bills: documents are this one's where
        their links name it, and `Sighting.shared` where nothing tells.

        Args:
            route: Whose target form is asked.
            numbers: The ERP's spellings.
            by_all: Ask through every user that there is, since one with narrower rights sees
                less without an error. Where absence lets a number travel again it must be so.
                A user whose login is refused, or who may not read the form, is left out of
                `Sighting.users`; any other look that fails is raised. A query for links may pass
                over what has none: that is asked for as well.
            unsent: Most of them will have none.
        """
        ...

    async def linked_targets_of(
        self, route: Route, ids: Mapping[BillNumber, str], *, by_all: bool = False
    ) -> Sighting | None:
        """Ask the target form's links for every document that was made from bills (P 6.5).

        The ERP keeps a link by the source's id whatever its number fields hold: a rule may merge
        bills into one line, or a field be too short. None where the site does not let links be
        queried, or the pair's links are not known.

        Args:
            route: Whose target form is asked.
            ids: The ERP's spelling of each bill, and its internal id.
            by_all: As for `targets_of`.
        """
        ...

    async def entries_of(self, form: str) -> Sequence[FormEntry]:
        """Ask for the tables of a form (P 15.1).

        Raises:
            LookRefusedError: The user may not ask, or there is no such form.
        """
        ...

    async def newest_links(self, route: Route) -> Sequence[LinkRow]:
        """Return the links of the newest documents of the target form, in the route's entry.

        Raises:
            LookRefusedError: That entry has no links, or a right is missing.
        """
        ...

    async def linked_sources(self, route: Route) -> Sequence[BillNumber]:
        """Return bills of the source form that the links of the newest documents name."""
        ...
