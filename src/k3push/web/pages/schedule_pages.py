"""The page of a tenant's schedules: when each is due, and what a person does with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response

from k3push.adapters.job_files import JobFileError
from k3push.config.settings import ScheduleSettings
from k3push.core.remark import remark
from k3push.runs.push_requests.schedule_entries import ScheduleEntry, entries, note
from k3push.web.execution.resume_and_retry import HinderedError
from k3push.web.execution.served_schedules import BY_HAND, Timetable
from k3push.web.pages.page_context import ID_OF_PAGE, PageContext, Visit


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the page.

    Attributes:
        due: When it is due next; None while it is paused.
    """

    name: str
    settings: ScheduleSettings
    entry: ScheduleEntry
    due: datetime | None


class SchedulePages:
    """Answers what is asked of schedules."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk

    async def schedules(self, request: HttpRequest) -> Response:
        """List the schedules of the settings."""
        visit = await self._desk.visit(request)
        timetable = visit.working().timetable
        known = await entries(visit.ledger, timetable.tenant)
        now = self._desk.clock.now()
        lines = []
        for name, settings in timetable.schedules.items():
            entry = known.get(name, ScheduleEntry(name))
            due = settings.due.next_after(now) if settings.due and not entry.paused else None
            lines.append(_Line(name, settings, entry, due))
        return self._desk.page(
            request,
            visit.frame,
            "schedules.html",
            lines=lines,
            kept_here=timetable.is_kept_here,
            when=self._desk.new_id(),
            runs_now=visit.visitor.may("approve") and not self._desk.rules.four_eyes,
            problem=self._desk.problem(request),
        )

    async def plan_now(self, request: HttpRequest) -> Response:
        """Plan what a schedule would push, which is then approved like any push."""
        return await self._ask(request, approved=False)

    async def run_now(self, request: HttpRequest) -> Response:
        """Push what a schedule would push; who asks for it may approve it."""
        if self._desk.rules.four_eyes:
            visit = await self._desk.visit(request)
            return self._desk.back(visit, f"{visit.base}/schedules", remark("desk.plan_instead"))
        return await self._ask(request, approved=True)

    async def _ask(self, request: HttpRequest, *, approved: bool) -> Response:
        visit, timetable, name = await self._meant(request)
        user, url = visit.visitor.user, f"{visit.base}/schedules"
        # One page's button is one push, however often it is pressed.
        when = request.state.form.get("when", "")
        when = when if ID_OF_PAGE.fullmatch(when) else self._desk.new_id()
        try:
            when = f"{when}{BY_HAND}" if approved else when
            asked = await timetable.ask(visit.ledger, name, when, by=user, approved=approved)
        except (JobFileError, HinderedError) as error:
            return self._desk.back(visit, url, str(error))
        if not asked:
            return self._desk.back(visit, url, remark("desk.nothing_new"))
        facts = {"tenant": visit.tenant.name, "schedule": name, "user": user}
        self._desk.log("schedule.now", **facts, approved=approved)
        if len(asked) > 1:
            # None of them is there yet, and the page of all runs shows no plan that sends nothing.
            lists = len(asked)
            if approved:
                return self._desk.back(visit, url, remark("desk.lists_begun", lists=lists))
            return self._desk.back(visit, url, remark("desk.lists_planned", lists=lists))
        if to := await self._desk.url_of_push(visit, asked[0]):
            return RedirectResponse(to, 303)
        return self._desk.back(visit, url, remark("note.still_under_way"))

    async def pause(self, request: HttpRequest) -> Response:
        """Let a schedule begin nothing until somebody lets it go on."""
        return await self._pause(request, paused=True)

    async def go_on(self, request: HttpRequest) -> Response:
        """Let a schedule that was paused begin what is due from now on."""
        return await self._pause(request, paused=False)

    async def _pause(self, request: HttpRequest, *, paused: bool) -> Response:
        visit, timetable, name = await self._meant(request)
        if not timetable.is_kept_here:
            raise HTTPException(404)
        now, user = self._desk.clock.now(), visit.visitor.user
        await note(visit.ledger, timetable.tenant, name, now, paused=paused, by=user, since=now)
        event = "schedule.paused" if paused else "schedule.continued"
        self._desk.log(event, tenant=visit.tenant.name, schedule=name, user=user)
        return RedirectResponse(f"{visit.base}/schedules", 303)

    async def _meant(self, request: HttpRequest) -> tuple[Visit, Timetable, str]:
        visit = await self._desk.visit(request)
        timetable = visit.working().timetable
        name = request.path_params["name"]
        if name not in timetable.schedules:
            raise HTTPException(404)
        return visit, timetable, name
