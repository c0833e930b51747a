"""The pages of runs: all of them, one of them, its pace, and commands to it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import date, datetime
from functools import partial
from typing import TypeVar

import anyio
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from k3push.core.control_words import LIMITS, Command, CommandError
from k3push.core.model import Run
from k3push.core.remark import remark
from k3push.reporting.charts import Chart
from k3push.reporting.timeline import Timeline
from k3push.runs.control import command_in_time
from k3push.runs.find import RunFilter, living_beside
from k3push.runs.kept_in_ledger.request_stages import Act, acts_about, note_act, requests
from k3push.runs.kept_in_ledger.request_stages import Request as Asked
from k3push.web.pages import run_sections
from k3push.web.pages import run_status as show
from k3push.web.pages.further_execution_buttons import offer_of
from k3push.web.pages.live import EventStream, Eye, Feed, RunView
from k3push.web.pages.page_context import PageContext, Visit
from k3push.web.pages.page_frame import rendered, run_url, whole
from k3push.words.language import Say

RUNS_A_PAGE = 50
RUNS_OF_ROUTES = 500
"""So many of the newest runs say which routes the list can be narrowed to."""

MOST_NEEDING = 10
LONGEST_TRIED = 40
# A run obeys within a second or so; the page shows later obedience by itself.
PATIENCE_S = 3.0

# A run of a hundred thousand calls takes a second to draw: a part of the time goes into it at most.
DRAWING = 0.1
MOST_DRAWN = 64

# What the newest are sorted by; of those that are alike, the newest stays the first.
ORDERS: Mapping[str, Callable[[Sequence[Run]], Sequence[Run]]] = {
    "newest": lambda runs: runs,
    "oldest": lambda runs: runs[::-1],
    "route": lambda runs: sorted(runs, key=lambda run: run.route.name),
    "exit": lambda runs: sorted(
        runs, key=lambda run: math.inf if run.exit is None else run.exit, reverse=True
    ),
}

T = TypeVar("T")


class RunPages:
    """Answers what is asked of runs."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk
        self._drawing = anyio.Lock()
        self._charts: dict[Hashable, tuple[float, list[Chart]]] = {}

    # -- all runs -----------------------------------------------------------------------------

    async def runs(self, request: Request) -> Response:
        """List the runs, the newest first, below those that need a person."""
        visit = await self._desk.visit(request)
        say = visit.frame.say
        first = whole(request.query_params.get("from", "0"))
        asked = _filter_of(request.query_params)
        order = request.query_params.get("sort", "") or "newest"
        if order not in ORDERS:
            raise HTTPException(400)
        # Programs make hundreds of thousands of runs; a page needs the newest of them.
        seen = first + RUNS_A_PAGE + 1 if order == "newest" else None
        runs = ORDERS[order](await asked.of(visit.ledger, seen))
        eye = self._eye(visit)
        views = [await eye.look(run) for run in runs[first : first + RUNS_A_PAGE]]
        after = first + RUNS_A_PAGE
        plain = not (first or asked) and order == "newest"
        return self._desk.page(
            request,
            visit.frame,
            "runs.html",
            title=visit.tenant.name if self._desk.several else say("web.runs"),
            views=views,
            next_page=after if after < len(runs) else 0,
            waiting=await self._waiting(visit) if plain else [],
            needing=await self._needing(visit, eye) if plain else [],
            orders=list(ORDERS),
            order=order,
            asked=dict(request.query_params),
            is_filtered=bool(asked) or order != "newest",
            schedules=visit.tenant.workshop and visit.tenant.workshop.settings.schedules,
            routes=await _routes(visit, asked.route),
            # Only the newest are watched: older ones stand still.
            live=f"{visit.base}/events" if plain else "",
            state=_state(views),
        )

    async def _waiting(self, visit: Visit) -> Sequence[Asked]:
        """Return the plans that wait for somebody."""
        if (workshop := visit.tenant.workshop) is None:
            return []
        open_ones = await requests(visit.ledger, only_open=True)
        return [each for each in open_ones if each.waits_for_approval and workshop.is_mine(each)]

    async def _needing(self, visit: Visit, eye: Eye) -> list[RunView]:
        """Return the newest runs that need a person, however many others are newer."""
        found: list[RunView] = []
        async with aclosing(RunFilter(needs=True).each(visit.ledger)) as runs:
            async for run in runs:
                view = await eye.look(run)
                if not (view.alive or view.waits or view.asked):
                    found.append(view)
                if len(found) == MOST_NEEDING:
                    break
        return found

    async def runs_live(self, request: Request) -> Response:
        """Tell how the newest runs stand, as it changes."""
        visit = await self._desk.visit(request)
        say = visit.frame.say
        eye = self._eye(visit)

        async def look() -> Sequence[RunView]:
            newest = list(reversed(await visit.ledger.runs(last=RUNS_A_PAGE)))
            # One that has ended is read no more; that it has is a change of the page's state.
            return [await eye.look(run) if run.exit is None else _ended(run) for run in newest]

        def message(seen: Sequence[RunView]) -> Mapping[str, object]:
            moving = [each for each in seen if each.alive]
            parts = {
                f"numbers-{each.run.id}": rendered("brief.html", say, view=each) for each in moving
            }
            return {"parts": parts, "state": _state(seen)}

        watching = self._desk.watchers.watching(visit.tenant.name, look)
        return self._stream(visit, watching, message)

    # -- one run ------------------------------------------------------------------------------

    async def run(self, request: Request) -> Response:
        """Show a run."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        problem = self._desk.problem(request)
        view = await self._eye(visit).look(run)
        acts = await acts_about(visit.ledger, run.id)
        return self._desk.page(
            request,
            visit.frame,
            "run.html",
            problem=problem,
            view=view,
            said=await run_sections.verdict(
                visit.ledger, view, visit.frame.say, visit.tenant.workshop
            ),
            dials={
                key: (limits, show.in_force(view, key, visit.tenant.pace))
                for key, limits in LIMITS.items()
            },
            offer=await offer_of(visit, view),
            acts=acts,
            lines=await run_sections.lines(visit.ledger, run, acts),
            **await run_sections.reasons(visit.ledger, view),
            **await run_sections.rows(request, visit.ledger, view),
            # A page that says what went wrong stays until it was read.
            live="" if problem else f"{run_url(visit.base, run)}/events",
            state="" if problem else show.kind(view),
        )

    async def run_live(self, request: Request) -> Response:
        """Tell how a run stands, as it changes."""
        visit = await self._desk.visit(request)
        run_id = (await self._desk.run(visit, request)).id
        say = visit.frame.say
        eye = self._eye(visit)

        async def look() -> RunView:
            run = await visit.ledger.run(run_id)
            if run is None:
                raise LookupError(run_id)
            return await eye.look(run)

        def message(seen: RunView) -> Mapping[str, object]:
            parts = {
                each: rendered(f"{each}.html", say, view=seen, frame=visit.frame)
                for each in ("standing", "run_commands", "orders")
            }
            state = show.kind(seen)
            return {"parts": parts, "state": state, "heard": show.heard(seen, say)}

        watching = self._desk.watchers.watching((visit.tenant.name, run_id), look)
        return self._stream(visit, watching, message)

    async def pace(self, request: Request) -> Response:
        """Draw the pace of a run over time, by the times of its calls alone."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        charts = await self._drawn(visit, run)
        if request.query_params.get("part"):
            return HTMLResponse(rendered("charts.html", visit.frame.say, charts=charts))
        return self._desk.page(request, visit.frame, "pace.html", run=run, charts=charts)

    async def _drawn(self, visit: Visit, run: Run) -> list[Chart]:
        """Return the figures of the pace, drawn anew now and then, however many look at them."""
        # What is drawn of a run that goes on is not what it has ended with.
        key = (visit.tenant.name, run.id, visit.frame.say.lang, run.ended_at)
        # One after the other: what the first has drawn is there for the next.
        async with self._drawing:
            began_s = anyio.current_time()
            until_s, drawn = self._charts.pop(key, (-math.inf, []))
            if began_s > until_s:
                spans = await visit.ledger.spans(run.id)
                drawn = await to_thread.run_sync(_charts, spans, visit.frame.say)
                now_s = anyio.current_time()
                until_s = now_s + (now_s - began_s) / DRAWING
            self._charts[key] = until_s, drawn
            if len(self._charts) > MOST_DRAWN:
                del self._charts[next(iter(self._charts))]
            return drawn

    # -- commands -----------------------------------------------------------------------------

    async def control(self, request: Request) -> Response:
        """Give a command to a run, and show what came of it."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        url = run_url(visit.base, run)
        form: Mapping[str, str] = request.state.form
        words = form.get("words", "")
        try:
            wanted = [words] if words else ["set", f"{form.get('key', '')}={form.get('value', '')}"]
            what = Command.parse(wanted)
        except CommandError:
            tried = form.get("value", words)[:LONGEST_TRIED]
            return self._desk.back(visit, url, remark("web.bad_command", what=tried))
        meant = await living_beside(visit.ledger, run) or run
        act = Act(self._desk.clock.now(), meant.id, visit.visitor.user, "control", str(what))
        if why := await command_in_time(
            visit.ledger, self._desk.clock, meant.id, what, patience_s=PATIENCE_S
        ):
            return self._desk.back(visit, url, why)
        self._desk.log(
            "command.given",
            tenant=visit.tenant.name,
            run=meant.id,
            command=str(what),
            user=visit.visitor.user,
        )
        await note_act(visit.ledger, act)
        return RedirectResponse(f"{url}#control", 303)

    def _eye(self, visit: Visit) -> Eye:
        return Eye(visit.ledger, self._desk.clock)

    def _stream(
        self,
        visit: Visit,
        watching: AbstractAsyncContextManager[Feed[T]],
        message: Callable[[T], Mapping[str, object]],
    ) -> Response:
        admitted = partial(self._desk.is_admitted, visit)
        return EventStream(watching, message, self._desk.closing, admitted)


async def _routes(visit: Visit, asked: str) -> list[str]:
    """Return the routes that runs can be narrowed to, whatever they are narrowed to already."""
    workshop = visit.tenant.workshop
    known = set(workshop.settings.routes) if workshop else set()
    newest = await visit.ledger.runs(last=RUNS_OF_ROUTES)
    return sorted((known | {run.route.name for run in newest} | {asked}) - {""})


def _filter_of(asked: Mapping[str, str]) -> RunFilter:
    """Read which runs an address asks for; raises `HTTPException` where there cannot be such."""
    try:
        code = asked.get("exit", "")
        since, until = (asked.get(key, "") for key in ("since", "until"))
        return RunFilter(
            route=asked.get("route", ""),
            exit=int(code) if code else None,
            since=date.fromisoformat(since) if since else None,
            until=date.fromisoformat(until) if until else None,
            words=asked.get("words", "").strip(),
            alive=asked.get("how") == "alive",
            needs=asked.get("how") == "needs",
        )
    except ValueError as error:
        raise HTTPException(400) from error


def _charts(spans: Sequence[tuple[datetime, datetime]], say: Say) -> list[Chart]:
    timeline = Timeline()
    for began, ended in spans:
        timeline.add_span(began, ended)
    return timeline.pace(say)


def _state(views: Sequence[RunView]) -> str:
    """Return which runs there are and how they stand: where it changes, the page does.

    That one which has ended is to go on is a change once it does.
    """
    seen = (each if each.run.exit is None else _ended(each.run) for each in views)
    kinds = (f"{each.run.id} {show.kind(each)}" for each in seen)
    return hashlib.sha256("\n".join(kinds).encode()).hexdigest()


def _ended(run: Run) -> RunView:
    return RunView(run, {}, alive=False)
