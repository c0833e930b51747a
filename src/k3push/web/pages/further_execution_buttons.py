"""The buttons of a run that is not under way: resume, retry, settle, follow.

Each asks for one more execution (`resume_and_retry`). The buttons of a run that is under way
are commands to it: `templates/run_commands.html`, and `RunPages.control`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response

from k3push.core.advice.clusters import TOLD
from k3push.core.advice.diagnosis import code_of, code_of_step, shape_of
from k3push.core.model import Row, Run, State
from k3push.core.remark import remark
from k3push.core.safety.document_steps import FOR_PERSON
from k3push.runs.kept_in_ledger.request_stages import Request, steps_asked_for
from k3push.runs.kept_in_ledger.row_pages import FollowedRow
from k3push.runs.outcome import numbers_in_doubt
from k3push.web.execution.resume_and_retry import Asker, HinderedError, What
from k3push.web.pages.live import RunView
from k3push.web.pages.page_context import PageContext, Visit
from k3push.web.pages.page_frame import cause_id, run_url

MOST_CHOSEN = 100
LONGEST = 16
LONGEST_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be done with a run now.

    Attributes:
        resume: It goes on where it stopped.
        retry: Rejected numbers are pushed again.
        settle: The ERP is asked about numbers in doubt.
        follow: Its documents are submitted and approved, as its route asks.
    """

    resume: bool = False
    retry: bool = False
    settle: bool = False
    follow: bool = False


async def offer_of(visit: Visit, view: RunView) -> Offer:
    """Return what a visitor can do with a run now; nothing where the server only watches."""
    busy = view.alive or view.waits or view.asked
    if visit.tenant.workshop is None or busy or not visit.visitor.may("operate"):
        return Offer()
    if not view.run.whole or view.run.archive is not None:
        return Offer()
    in_doubt = numbers_in_doubt(view.counts) > 0
    unfinished = in_doubt or bool(view.counts.get(State.PLANNED))
    route_steps = visit.tenant.workshop.settings.steps_of(view.run)
    follows = _follows(view) and await steps_asked_for(visit.ledger, view.run.id, route_steps)
    return Offer(
        resume=unfinished or view.run.exit is None,
        retry=bool(view.counts.get(State.REJECTED)),
        settle=in_doubt or view.followed.unknown > 0,
        follow=bool(follows),
    )


def _follows(view: RunView) -> bool:
    """Say whether documents of a run may take steps that are asked for now."""
    made = view.counts.get(State.PUSHED) or view.counts.get(State.ALREADY)
    followed = view.followed
    left = followed.left or followed.for_person or followed.unknown or not followed.counts
    return bool(made and left)


def of_cause(cause: str) -> Callable[[Row], bool]:
    """Return what takes the rows of a cause."""

    def takes(row: Row) -> bool:
        return cause == cause_id(code_of(row), shape_of(row.reason, row.label_in_erp))

    return takes


def of_followed_cause(cause: str) -> Callable[[FollowedRow], bool]:
    """Return what takes the rows of a cause, and those whose documents stand still by it."""
    by_row = of_cause(cause)

    def takes(each: FollowedRow) -> bool:
        row, follow, why = each
        if row.state in TOLD:
            return by_row(row)
        names = ["", *(target.number or target.id for target in row.targets)]
        return follow in FOR_PERSON and any(
            cause == cause_id(code_of_step(follow), shape_of(why, name)) for name in names
        )

    return takes


class FurtherExecutionButtons:
    """Takes the presses of these buttons."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk

    async def resume(self, request: HttpRequest) -> Response:
        """Go on with a run, and with all that were begun with it."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        return await self._answer(visit, run, "resume", self._asker(visit).resume(run))

    async def settle(self, request: HttpRequest) -> Response:
        """Ask the ERP about the numbers of a run that are in doubt."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        return await self._answer(visit, run, "settle", self._asker(visit).settle(run))

    async def follow(self, request: HttpRequest) -> Response:
        """Submit and approve what a run has made, and look again at what waits."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        return await self._answer(visit, run, "follow", self._asker(visit).follow(run))

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
            shape = form.get("shape", "").replace("\r\n", "\n")  # as browsers send a line's end
            # What is written down as the cause is words of the ledger, and not of a form.
            is_that = cause == cause_id(form.get("code", ""), shape)
            takes, detail = of_cause(cause), shape[:LONGEST_SHOWN] if is_that else ""
        elif chosen:
            takes, detail = (
                lambda row: row.place in chosen,
                remark("desk.chosen", count=len(chosen)),
            )
        elif form.get("all") != "yes":
            url = f"{run_url(visit.base, run)}?state={State.REJECTED}"
            return self._desk.back(visit, url, remark("desk.none_chosen"))
        asking = self._asker(visit).retry(run, takes, detail)
        return await self._answer(visit, run, "retry", asking)

    def _asker(self, visit: Visit) -> Asker:
        asked = visit.working()
        user = visit.visitor.user
        return Asker(visit.ledger, self._desk.clock, user, asked.begin, asked.tenant)

    async def _answer(
        self,
        visit: Visit,
        run: Run,
        what: What,
        asking: Awaitable[Request | None],
    ) -> Response:
        url = run_url(visit.base, run)
        try:
            asked = await asking
        except HinderedError as hindered:
            return self._desk.back(visit, url, str(hindered))
        if asked is not None:
            user = visit.visitor.user
            self._desk.log("run.asked", tenant=visit.tenant.name, run=run.id, what=what, user=user)
        return RedirectResponse(url, 303)
