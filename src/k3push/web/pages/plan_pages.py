"""The pages of a plan: what it comes to, who approves or withdraws it, and its files."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import RedirectResponse, Response

from k3push.adapters.job_files.folders import PLAN_ENDING
from k3push.adapters.plan_file import PlanFileError, sha256_of
from k3push.core.advice.diagnosis import advise
from k3push.core.pacing.time_left import TimeLeft
from k3push.core.plan import Forecast, Foreseen
from k3push.core.remark import remark
from k3push.reporting.phrases import expected_calls, expected_time
from k3push.reporting.plan_table import write_plan_table
from k3push.runs.kept_in_ledger.request_stages import (
    OvertakenError,
    Request,
    RequestKind,
    Stage,
    find_request,
    move,
    put_request,
)
from k3push.web.admission.roles import is_one_person
from k3push.web.execution.request_origin import file_of, origin_of_file, to_be_approved
from k3push.web.execution.request_plan import ReadingSoFar, planned_lines
from k3push.web.pages.list_words import without_folders
from k3push.web.pages.live import EventStream
from k3push.web.pages.page_context import PageContext, Visit
from k3push.web.pages.page_frame import plan_url, rendered, run_url, whole
from k3push.web.pages.passing_file import passing_file
from k3push.wiring.inbox import digest_now
from k3push.words.language import Say

LINES_A_PAGE = 100

_TO_RUN = "to=run"
"""In the address of a plan: whoever has approved it wants to see its run."""


class PlanPages:
    """Answers what is asked of plans."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk

    async def plan(self, request: HttpRequest) -> Response:
        """Show how a request stands, and what its plan comes to."""
        visit, asked = await self._found(request)
        if not visit.working().is_mine(asked):
            if not (to := await self._desk.url_of_push(visit, asked)):
                raise HTTPException(404)
            return RedirectResponse(to, 303)
        problem = self._desk.problem(request)
        say = visit.frame.say
        fate = request.query_params.get("fate", "")
        if fate and fate not in set(Forecast):
            raise HTTPException(400)
        after = whole(request.query_params.get("after", "0"))
        lines: list[tuple[int, Foreseen]] = []
        flaw = ""
        if asked.plan and asked.stage in {Stage.PLANNED, Stage.APPROVED, Stage.ENDED}:
            try:
                fates = {Forecast(fate)} if fate else ()
                look = partial(planned_lines, asked, fates, after=after, limit=LINES_A_PAGE + 1)
                lines = await to_thread.run_sync(look)
            except PlanFileError as error:
                name = Path(asked.plan).name
                flaw = say(f"plan.refused.{error.why}", path=name, why=error)
        runs = [run for each in asked.runs if (run := await visit.ledger.run(each)) is not None]
        if len(runs) == len(asked.runs) == 1 and request.url.query == _TO_RUN:
            return RedirectResponse(run_url(visit.base, runs[0]), 303)
        settings = visit.working().settings
        folder = visit.working().lists / Path(asked.jobs[0]).parent.name
        skipped = [say.said(each) for each in asked.seen.get("skipped", ())]
        url = plan_url(visit.base, asked.id)
        return self._desk.page(
            request,
            visit.frame,
            "plan.html",
            problem=problem,
            flaw=flaw,
            asked=asked,
            url=url,
            look=visit.working().reading(asked),
            routes=[_with_words(each, say) for each in asked.seen.get("routes", ())],
            notes=[say.said(each) for each in asked.seen.get("notes", ())],
            skipped=[without_folders(each, say, folder) for each in skipped],
            lines=[one for _, one in lines[:LINES_A_PAGE]],
            next_after=lines[LINES_A_PAGE - 1][0] if len(lines) > LINES_A_PAGE else 0,
            after=after,
            fate_shown=fate,
            runs=runs,
            why=without_folders(say.said(asked.why), say, folder, settings.folder),
            hindrance=self._hindrance(visit, asked),
            site={"url": settings.erp.url, "acct": settings.erp.acct_id},
            # The server may be at work on it, or another person.
            live="" if problem or not asked.is_open else f"{url}/events",
            state=_state(visit, asked.stage, there=bool(runs)),
        )

    def _hindrance(self, visit: Visit, asked: Request) -> str:
        """Say why the visitor may not approve a request; "" if they may."""
        say = visit.frame.say
        if not visit.visitor.may("approve"):
            return say("desk.approve_role")
        if self._desk.rules.four_eyes and is_one_person(asked.by, visit.visitor.user):
            return say("desk.approve_other", by=asked.by)
        return ""

    async def plan_live(self, request: HttpRequest) -> Response:
        """Tell how a request stands, as it changes."""
        visit, asked = await self._asked(request)
        say, id_ = visit.frame.say, asked.id

        async def look() -> tuple[Stage, bool, ReadingSoFar | None]:
            now = await find_request(visit.ledger, id_) or asked
            there = bool(now.runs) and await visit.ledger.run(now.runs[0]) is not None
            reading = visit.working().reading(now)
            # It goes on while the browsers are told.
            return now.stage, there, replace(reading) if reading else None

        # The look is shared by all who watch, whose pages differ by their roles.
        def message(seen: tuple[Stage, bool, ReadingSoFar | None]) -> Mapping[str, object]:
            stage, there, reading = seen
            parts = {"look": rendered("look.html", say, look=reading)}
            return {"parts": parts, "state": _state(visit, stage, there=there)}

        watching = self._desk.watchers.watching((visit.tenant.name, "plan", id_), look)
        admitted = partial(self._desk.is_admitted, visit)
        return EventStream(watching, message, self._desk.closing, admitted)

    # -- what is done about it ----------------------------------------------------------------

    async def approve(self, request: HttpRequest) -> Response:
        """Approve a plan; of two who do so at once, one has approved it."""
        visit, asked = await self._asked(request)
        if why := self._hindrance(visit, asked):
            return self._desk.notice(request, visit.frame, "web.refused", why, 403)
        try:
            asked = await move(
                visit.ledger,
                asked,
                Stage.APPROVED,
                (Stage.PLANNED,),
                approved_by=visit.visitor.user,
                approved_at=self._desk.clock.now().isoformat(),
            )
        except OvertakenError as overtaken:
            return self._overtaken(visit, overtaken.request)
        self._desk.log_request("request.approved", visit, asked)
        visit.working().begin(asked)
        return RedirectResponse(f"{plan_url(visit.base, asked.id)}?{_TO_RUN}", 303)

    async def withdraw(self, request: HttpRequest) -> Response:
        """Withdraw a request that nobody has approved."""
        visit, asked = await self._asked(request)
        try:
            asked = await move(visit.ledger, asked, Stage.WITHDRAWN)
        except OvertakenError as overtaken:
            return self._overtaken(visit, overtaken.request)
        self._desk.log_request("request.withdrawn", visit, asked)
        visit.working().give_up(asked)
        return RedirectResponse(plan_url(visit.base, asked.id), 303)

    async def again(self, request: HttpRequest) -> Response:
        """Look ahead once more for the list of a request that came to nothing."""
        visit, asked = await self._asked(request)
        if asked.is_open or asked.kind is not RequestKind.PUSH or not asked.jobs:
            return self._overtaken(visit, asked)
        how = to_be_approved(asked)
        if file := file_of(asked):
            # Somebody has mended it, and looks at it as it is now.
            home = visit.working().settings.folder
            digest = await to_thread.run_sync(digest_now, asked.jobs[0], home)
            how |= origin_of_file(replace(file, digest=digest))
        new = replace(
            asked,
            id=self._desk.new_id(),
            by=visit.visitor.user,
            at=self._desk.clock.now(),
            stage=Stage.PLANNING,
            how=how,
            runs=(),
            plan="",
            sha256="",
            seen={},
            approved_by="",
            approved_at="",
            why="",
            key="",
            digest="",
            version=1,
        )
        new = await put_request(visit.ledger, new, visit.working().tenant)
        self._desk.log_request("request.made", visit, new)
        visit.working().begin(new)
        return RedirectResponse(plan_url(visit.base, new.id), 303)

    def _overtaken(self, visit: Visit, asked: Request) -> Response:
        stage = remark(f"desk.stage.{asked.stage}")
        why = remark("desk.overtaken", stage=stage)
        return self._desk.back(visit, plan_url(visit.base, asked.id), why)

    # -- to be taken away ---------------------------------------------------------------------

    async def download(self, request: HttpRequest) -> Response:
        """Return a plan: its file, a table of it, or the list of what is blocked."""
        visit, asked = await self._asked(request)
        name = request.path_params["name"]
        path = Path(asked.plan)
        if not asked.plan or name not in {"plan.jsonl", "plan.csv", "blocked.csv"}:
            raise HTTPException(404)
        if not await to_thread.run_sync(path.is_file):
            raise HTTPException(404)
        stem = path.name.removesuffix(PLAN_ENDING)
        fates = {Forecast.BLOCKED} if name == "blocked.csv" else set(Forecast)

        def write(part: Path) -> None:
            if name == "plan.jsonl":
                shutil.copyfile(path, part)
            else:
                write_plan_table(path, part, fates)
            if sha256_of(path) != asked.sha256:  # after it was read
                raise PlanFileError("edited")

        async def written(part: Path) -> None:
            await to_thread.run_sync(write, part)

        try:
            return await passing_file(
                name,
                written,
                saved_as=path.name if name == "plan.jsonl" else f"{stem}.{name}",
                media="application/x-ndjson" if name == "plan.jsonl" else "text/csv; charset=utf-8",
            )
        except PlanFileError:
            text = visit.frame.say("plan.refused.edited", path=path.name)
            return self._desk.notice(request, visit.frame, "web.refused", text, 410)

    # -- parts --------------------------------------------------------------------------------

    async def _found(self, request: HttpRequest) -> tuple[Visit, Request]:
        visit = await self._desk.visit(request)
        visit.working()
        asked = await find_request(visit.ledger, request.path_params["id"])
        if asked is None or asked.kind is not RequestKind.PUSH or not asked.jobs:
            raise HTTPException(404)
        return visit, asked

    async def _asked(self, request: HttpRequest) -> tuple[Visit, Request]:
        visit, asked = await self._found(request)
        if not visit.working().is_mine(asked):
            raise HTTPException(404)
        return visit, asked


def _state(visit: Visit, stage: Stage, *, there: bool) -> str:
    """Return a text that changes whenever the page of a plan is to be loaded anew."""
    return f"{stage} {visit.visitor.role} {there}"


def _with_words(route: Mapping[str, Any], say: Say) -> dict[str, object]:
    """Return what a plan comes to for one route, with words for reasons and times."""
    told = route.get("time")  # an older release has written down none
    time = expected_time(TimeLeft(*told), say) if told else say("plan.time_unknown")
    counted = bool(route.get("counted"))
    calls = expected_calls(int(route["chunks"]), say, is_counted=counted)
    reasons = []
    for each in route["reasons"]:
        advice = advise("", str(each["reason"]))
        reasons.append(
            {
                "count": each["count"],
                "reason": say.said(str(each["reason"])),
                "cause": say(advice.cause) if advice else "",
                # Nothing is rejected yet, so there is nothing to retry.
                "cure": say(advice.cure).replace("`k3push retry`", "`k3push plan`")
                if advice
                else "",
            }
        )
    return {**route, "time": time, "calls": calls, "reasons": reasons}
