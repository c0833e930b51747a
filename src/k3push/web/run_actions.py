"""What a person has done with a run that is not under way: resume, retry, settle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response

from k3push.core.advice.diagnosis import code_of, shape_of
from k3push.core.model import Row, Run, State
from k3push.ports import RunIsAliveError
from k3push.runs.control import living_beside, runs_beside
from k3push.runs.create import plan_rejected
from k3push.runs.find import is_unfinished
from k3push.runs.request_stages import (
    Act,
    Kind,
    Request,
    Stage,
    is_asked_for,
    note_act,
    put_request,
    requests_of,
)
from k3push.web.live import RunView
from k3push.web.page_context import PageContext, Visit
from k3push.web.pages import cause_id, run_url

MOST_CHOSEN = 100
LONGEST = 16

ShowRun = Callable[[HttpRequest, Visit, Run, str], Awaitable[Response]]
"""Shows a run with what stood in the way."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be done with a run now.

    Attributes:
        resume: It goes on where it stopped.
        retry: Rejected numbers are pushed again.
        settle: The ERP is asked about numbers in doubt.
    """

    resume: bool = False
    retry: bool = False
    settle: bool = False


def offer_of(visit: Visit, view: RunView) -> Offer:
    """Return what a visitor can do with a run now; nothing where the server only watches."""
    busy = view.alive or view.waits or view.asked
    if visit.tenant.workshop is None or busy or not visit.visitor.may("operate"):
        return Offer()
    if not view.run.whole:
        return Offer()
    unfinished = any(view.counts.get(s) for s in (State.PLANNED, State.SENT, State.UNKNOWN))
    return Offer(
        resume=unfinished or view.run.exit is None,
        retry=bool(view.counts.get(State.REJECTED)),
        settle=bool(view.counts.get(State.UNKNOWN)),
    )


def of_cause(cause: str) -> Callable[[Row], bool]:
    """Return what takes the rows of a cause."""

    def takes(row: Row) -> bool:
        return cause == cause_id(code_of(row), shape_of(row.reason, row.label_in_erp))

    return takes


class RunActions:
    """Takes what is asked for about runs."""

    def __init__(self, desk: PageContext, show: ShowRun) -> None:
        """Answer with the page of the run, by *show*, where something stands in the way."""
        self._desk = desk
        self._show = show

    async def resume(self, request: HttpRequest) -> Response:
        """Go on with a run, and with all that were begun with it."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        beside = await runs_beside(visit.ledger, run)
        left = [each for each in beside if await is_unfinished(visit.ledger, each)]
        return await self._ask(request, visit, run, runs=left, what="resume")

    async def settle(self, request: HttpRequest) -> Response:
        """Ask the ERP about the numbers of a run that are in doubt."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        return await self._ask(request, visit, run, runs=[run], what="settle", kind=Kind.SETTLE)

    async def retry(self, request: HttpRequest) -> Response:
        """Push rejected numbers of a run again: all, those of a cause, or those that are chosen."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        form: Mapping[str, str] = request.state.form
        places = form.get("place", "").split("\n")[:MOST_CHOSEN]
        chosen = {int(place) for place in places if place.isdecimal() and len(place) < LONGEST}
        detail = ""
        takes: Callable[[Row], bool] = lambda _: True  # noqa: E731  # one of three
        if cause := form.get("cause", ""):
            takes, detail = of_cause(cause), form.get("shown", "")[:200]
        elif chosen:
            takes, detail = lambda row: row.place in chosen, str(len(chosen))
        elif form.get("all") != "yes":
            return await self._show(request, visit, run, visit.frame.say("desk.none_chosen"))
        if await is_asked_for(visit.ledger, run.id):
            return await self._show(request, visit, run, visit.frame.say("desk.asked_already"))
        try:
            async with visit.ledger.own(run.id, executes=False):
                planned = await plan_rejected(visit.ledger, self._desk.clock, run, takes)
        except RunIsAliveError:
            return await self._under_way(request, visit, run)
        if not planned:
            problem = visit.frame.say("notice.nothing_rejected", run=run.id)
            return await self._show(request, visit, run, problem)
        return await self._ask(request, visit, run, runs=[run], what="retry", detail=detail)

    async def _ask(
        self,
        request: HttpRequest,
        visit: Visit,
        run: Run,
        *,
        runs: Sequence[Run],
        what: str,
        detail: str = "",
        kind: Kind = Kind.RESUME,
    ) -> Response:
        workshop = visit.working()
        url = run_url(visit.base, run)
        if not runs:
            problem = visit.frame.say("notice.nothing_left", run=run.id)
            return await self._show(request, visit, run, problem)
        if await is_asked_for(visit.ledger, runs[0].id):
            return RedirectResponse(url, 303)  # somebody else has pressed as well
        if (living := await living_beside(visit.ledger, run)) is not None:
            return await self._under_way(request, visit, living)
        now = self._desk.clock.now()
        # Of two who ask at one moment both come to the same id, and so to one request.
        nth = len(await requests_of(visit.ledger, runs[0].id)) + 1
        asked = await put_request(
            visit.ledger,
            Request(
                id=f"{kind}-{runs[0].id}-{nth}",
                kind=kind,
                by=visit.visitor.user,
                at=now,
                stage=Stage.APPROVED,
                runs=[each.id for each in runs],
                approved_by=visit.visitor.user,
                approved_at=now.isoformat(),
            ),
        )
        for each in runs:
            await note_act(visit.ledger, Act(now, each.id, visit.visitor.user, what, detail))
        self._desk.log(
            "run.asked", tenant=visit.tenant.name, run=run.id, what=what, user=visit.visitor.user
        )
        workshop.begin(asked)
        return RedirectResponse(url, 303)

    async def _under_way(self, request: HttpRequest, visit: Visit, run: Run) -> Response:
        problem = visit.frame.say("error.run_alive", run=run.id)
        return await self._show(request, visit, run, problem)
