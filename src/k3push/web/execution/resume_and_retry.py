"""One more execution of a run that is not under way, as people and programs ask for it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from k3push.core.model import Row, Run, State
from k3push.core.remark import remark
from k3push.ports import Clock, Ledger, RunIsAliveError
from k3push.runs.control import left_to_another
from k3push.runs.find import is_unfinished, living_beside, runs_beside
from k3push.runs.kept_in_ledger.request_stages import (
    Act,
    Request,
    RequestKind,
    Stage,
    is_asked_for,
    note_act,
    put_request,
    requests_of,
    spans_of,
)
from k3push.runs.outcome import Exit, anything_to_settle
from k3push.runs.retry import plan_rejected

What = Literal["resume", "retry", "settle", "follow"]

_KINDS: Mapping[What, RequestKind] = {"settle": RequestKind.SETTLE, "follow": RequestKind.FOLLOW}


class HinderedError(Exception):
    """Something stands in the way; the message is a remark."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks one tenant's server for an execution.

    Attributes:
        by: A user's name or a program's; "" where nobody is known by name.
        begin: Has what was asked for done.
        tenant: Who is asked.
    """

    ledger: Ledger
    clock: Clock
    by: str
    begin: Callable[[Request], None]
    tenant: str = ""

    async def resume(self, run: Run) -> Request | None:
        """Go on with a run, and with all that were begun with it; None where that was asked for.

        Raises:
            HinderedError: Nothing is left in it, or it is under way.
        """
        beside = await runs_beside(self.ledger, run)
        left = [each for each in beside if await is_unfinished(self.ledger, each)]
        if not left:
            raise HinderedError(remark("notice.nothing_left", count=1, run=run.id))
        return await self._ask(run, left, "resume")

    async def settle(self, run: Run) -> Request | None:
        """Ask the ERP about the numbers of a run in doubt; None where that was asked for.

        Raises:
            HinderedError: None is in doubt, or it is under way.
        """
        _see_there(run)
        await self._see_free(run)
        if not await anything_to_settle(self.ledger, run.id):
            raise HinderedError(remark("notice.nothing_unknown", count=1, run=run.id))
        return await self._ask(run, [run], "settle")

    async def follow(self, run: Run) -> Request | None:
        """Submit and approve what a run has made, as its route asks; None where it was asked for.

        Raises:
            HinderedError: It is under way.
        """
        return await self._ask(run, [run], "follow")

    async def retry(self, run: Run, takes: Callable[[Row], bool], detail: str = "") -> Request:
        """Push rejected numbers of a run again.

        Args:
            takes: Which of them.
            detail: Which of them, for people.

        Raises:
            HinderedError: There are none, or it is or is about to be under way.
        """
        _see_there(run)
        await self._see_free(run)  # before any number moves
        try:
            # Of two who retry at one moment neither plans what the other's request does not name.
            async with self.ledger.own(run.id, executes=False):
                if await is_asked_for(self.ledger, run):
                    raise HinderedError(remark("desk.asked_already"))
                planned = await plan_rejected(self.ledger, self.clock, run, takes)
                if not planned and not await self._was_cut_off(run):
                    raise HinderedError(remark("notice.nothing_rejected", count=1, run=run.id))
                asked = await self._put([run], "retry", detail, places=planned or None)
        except RunIsAliveError:
            raise HinderedError(await left_to_another(self.ledger, run.id)) from None
        self.begin(asked)
        return asked

    async def _was_cut_off(self, run: Run) -> bool:
        """Say whether a retry was cut off before its request was written: its numbers wait.

        A run that ended with numbers in doubt may have left others unsent, and nobody has asked for
        these.
        """
        counts = await self.ledger.counts(run.id)
        has_ended = run.exit in {Exit.DONE, Exit.SOME_REJECTED}
        return has_ended and bool(counts.get(State.PLANNED))

    async def _ask(self, run: Run, runs: Sequence[Run], what: What) -> Request | None:
        _see_there(run)
        await self._see_free(run)
        if await is_asked_for(self.ledger, runs[0]):
            return None  # somebody else has asked as well
        asked = await self._put(runs, what)
        self.begin(asked)
        return asked

    async def _put(
        self,
        runs: Sequence[Run],
        what: What,
        detail: str = "",
        *,
        places: Collection[int] | None = None,
    ) -> Request:
        kind = _KINDS.get(what, RequestKind.RESUME)
        now = self.clock.now()
        # Of two who ask at one moment both come to the same id, and so to one request.
        nth = len(await requests_of(self.ledger, runs[0].id)) + 1
        asked = await put_request(
            self.ledger,
            Request(
                id=f"{kind}-{runs[0].id}-{nth}",
                kind=kind,
                by=self.by,
                at=now,
                stage=Stage.APPROVED,
                runs=[each.id for each in runs],
                approved_by=self.by,
                approved_at=now.isoformat(),
                places=None if places is None else spans_of(places),
            ),
            self.tenant,
        )
        for each in runs:
            await note_act(self.ledger, Act(now, each.id, self.by, what, detail))
        return asked

    async def _see_free(self, run: Run) -> None:
        """Raise where a run, or one that was begun with it, is under way."""
        if (living := await living_beside(self.ledger, run)) is not None:
            raise HinderedError(await left_to_another(self.ledger, living.id))


def _see_there(run: Run) -> None:
    """Raise where nothing is left to be done with a run, since it is archived."""
    if run.archive is not None:
        raise HinderedError(remark("error.archived", run=run.id, file=run.archive.file))
