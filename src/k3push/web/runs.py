"""The pages of runs: all of them, one of them, its pace, and commands to it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

import anyio
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from k3push.controlling import command, hindrance
from k3push.core.commands import Command, CommandError
from k3push.core.model import Run, RunId
from k3push.reporting.evidence import moment
from k3push.reporting.timeline import Say, Timeline
from k3push.web import sections
from k3push.web import standing as show
from k3push.web.desk import Desk, Visit
from k3push.web.live import EventStream, Eye, Feed, Standing
from k3push.web.pages import link, notice, table, whole

RUNS_A_PAGE = 50
# A run obeys within a second or so; the page shows later obedience by itself.
PATIENCE_S = 3.0

# A run of a hundred thousand calls takes a second to draw.
DRAW_EVERY_S = 10.0
MOST_PICTURES = 64

T = TypeVar("T")


class RunPages:
    """Answers what is asked of runs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._drawing = anyio.Lock()
        self._pictures: dict[tuple[str, RunId, str], tuple[float, str]] = {}

    # -- all runs -----------------------------------------------------------------------------

    async def runs(self, request: Request) -> Response:
        """List the runs, the newest first."""
        visit = await self._desk.visit(request)
        say = visit.frame.say
        first = whole(request.query_params.get("from", "0"))
        runs = await self._desk.runs(visit)
        shown = runs[first : first + RUNS_A_PAGE]
        eye = self._eye(visit)
        standings = [await eye.look(run) for run in shown]
        main = notice(say("web.no_runs")) if not runs else ""
        if standings:
            names = ("run", "route", "how", "numbers")
            rows = [_in_list(each, visit.base, say) for each in standings]
            main += table([say(f"web.{name}") for name in names], rows, "runs")
        if first + RUNS_A_PAGE < len(runs):
            url = f"?{urlencode({'from': first + RUNS_A_PAGE})}"
            main += f'<p class="pages">{link(url, say("web.next"))}</p>'
        # Only the newest are watched: older ones stand still.
        live = "" if first else f"{visit.base}/events"
        title = visit.tenant.name if self._desk.several else say("web.runs")
        state = _state(standings)
        return self._desk.page(request, visit.frame, title, main, live=live, state=state)

    async def runs_live(self, request: Request) -> Response:
        """Tell how the newest runs stand, as it changes."""
        visit = await self._desk.visit(request)
        say = visit.frame.say
        eye = self._eye(visit)

        async def look() -> Sequence[Standing]:
            newest = (await self._desk.runs(visit))[:RUNS_A_PAGE]
            # One that has ended is read no more; that it has is a change of the page's state.
            return [
                await eye.look(run) if run.exit is None else Standing(run, {}, alive=False)
                for run in newest
            ]

        def message(seen: Sequence[Standing]) -> Mapping[str, object]:
            moving = [each for each in seen if each.alive]
            parts = {f"numbers-{each.run.id}": show.brief(each, say) for each in moving}
            return {"parts": parts, "state": _state(seen)}

        return self._stream(self._desk.watchers.watching(visit.tenant.name, look), message)

    # -- one run ------------------------------------------------------------------------------

    async def run(self, request: Request) -> Response:
        """Show a run."""
        visit = await self._desk.visit(request)
        return await self._run(request, visit, await self._desk.run(visit, request))

    async def _run(self, request: Request, visit: Visit, run: Run, problem: str = "") -> Response:
        say = visit.frame.say
        standing = await self._eye(visit).look(run)
        url = run_url(visit.base, run)
        main = notice(problem)
        if not standing.alive:
            main += await sections.verdict(standing, say)
        main += (
            f'<section id="standing">{show.progress(standing, say)}</section>'
            '<p id="heard" class="unseen" role="status"></p>'
        )
        if standing.alive:
            main += sections.controls(visit, standing, url)
        main += sections.facts(run, say)
        main += await sections.reasons(visit, standing)
        main += (
            f'<section id="pace" data-load="{escape(url)}/pace"><h2>{escape(say("web.pace"))}</h2>'
            f"<div><p>{link(f'{url}/pace', say('web.pace_show'))}</p></div></section>"
        )
        main += await sections.rows(request, visit, standing, url)
        title = say("report.title", run=run.id)
        if problem:
            return self._desk.page(request, visit.frame, title, main, status=409)
        live, state = f"{url}/events", show.kind(run, alive=standing.alive)
        return self._desk.page(request, visit.frame, title, main, live=live, state=state)

    async def run_live(self, request: Request) -> Response:
        """Tell how a run stands, as it changes."""
        visit = await self._desk.visit(request)
        run_id = (await self._desk.run(visit, request)).id
        say = visit.frame.say
        eye = self._eye(visit)

        async def look() -> Standing:
            run = await visit.ledger.run(run_id)
            if run is None:
                raise LookupError(run_id)
            return await eye.look(run)

        def message(seen: Standing) -> Mapping[str, object]:
            parts = {"standing": show.progress(seen, say), "orders": show.orders(seen, say)}
            state = show.kind(seen.run, alive=seen.alive)
            return {"parts": parts, "state": state, "heard": show.heard(seen, say)}

        watching = self._desk.watchers.watching((visit.tenant.name, run_id), look)
        return self._stream(watching, message)

    async def pace(self, request: Request) -> Response:
        """Draw the pace of a run over time, by the times of its calls alone."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        say = visit.frame.say
        drawn = await self._drawn(visit, run)
        main = f'<div class="charts">{drawn}</div>' if drawn else notice(say("web.no_pace"))
        if request.query_params.get("part"):
            return HTMLResponse(main)
        back = link(run_url(visit.base, run), say("web.back"))
        title = f"{say('web.pace')} · {run.id}"
        return self._desk.page(request, visit.frame, title, f"{main}<p>{back}</p>")

    async def _drawn(self, visit: Visit, run: Run) -> str:
        """Return the pictures of the pace, drawn anew now and then, however many look at them."""
        key = (visit.tenant.name, run.id, visit.frame.speech.lang)
        # One after the other: what the first has drawn is there for the next.
        async with self._drawing:
            now_s = anyio.current_time()
            at_s, drawn = self._pictures.pop(key, (-math.inf, ""))
            if now_s - at_s > DRAW_EVERY_S:
                spans = await visit.ledger.spans(run.id)
                at_s, drawn = now_s, await to_thread.run_sync(_pictures, spans, visit.frame.say)
            self._pictures[key] = at_s, drawn
            if len(self._pictures) > MOST_PICTURES:
                del self._pictures[next(iter(self._pictures))]
            return drawn

    # -- commands -----------------------------------------------------------------------------

    async def control(self, request: Request) -> Response:
        """Give a command to a run, and show what came of it."""
        visit = await self._desk.visit(request)
        run = await self._desk.run(visit, request)
        say = visit.frame.say
        form: Mapping[str, str] = request.state.form
        words = form.get("words", "")
        try:
            wanted = [words] if words else ["set", f"{form.get('key', '')}={form.get('value', '')}"]
            what = Command.parse(wanted)
        except CommandError:
            tried = form.get("value", words)
            return await self._run(request, visit, run, say("web.bad_command", what=tried))
        if why := await hindrance(visit.ledger, run, what):
            sentence = say(why, run=run.id, route=run.route.name)
            return await self._run(request, visit, run, sentence)
        self._desk.log(
            "command.given",
            tenant=visit.tenant.name,
            run=run.id,
            command=str(what),
            user=visit.visitor.user,
        )
        await command(visit.ledger, self._desk.clock, run.id, what, patience_s=PATIENCE_S)
        return RedirectResponse(f"{run_url(visit.base, run)}#control", 303)

    def _eye(self, visit: Visit) -> Eye:
        return Eye(visit.ledger, visit.tenant.window, self._desk.clock)

    def _stream(
        self,
        watching: AbstractAsyncContextManager[Feed[T]],
        message: Callable[[T], Mapping[str, object]],
    ) -> Response:
        return EventStream(watching, message, self._desk.closing)


def _pictures(spans: Sequence[tuple[datetime, datetime]], say: Say) -> str:
    timeline = Timeline()
    for began, ended in spans:
        timeline.add_span(began, ended)
    return "".join(timeline.pace(say))


def run_url(base: str, run: Run) -> str:
    """Return where a run's page is."""
    return f"{base}/runs/{quote(run.id, safe='')}"


def _state(standings: Sequence[Standing]) -> str:
    """Return which runs there are and how they stand: where it changes, the page does."""
    kinds = (f"{each.run.id} {show.kind(each.run, alive=each.alive)}" for each in standings)
    return hashlib.sha256("\n".join(kinds).encode()).hexdigest()


def _in_list(standing: Standing, base: str, say: Say) -> list[str]:
    run = standing.run
    jobs = ", ".join(Path(job).name or job for job in run.jobs)
    name = (
        f"{link(run_url(base, run), run.id)}"
        f'<div class="soft">{escape(moment(run.started_at))} · {escape(jobs)}</div>'
    )
    return [
        name,
        escape(run.route.name),
        show.badge(standing, say),
        f'<div id="numbers-{escape(run.id)}">{show.brief(standing, say)}</div>',
    ]
