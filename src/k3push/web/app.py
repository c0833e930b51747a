"""The dashboard put together: addresses, pages, and the door before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from k3push.ports import Clock, LedgerLostError
from k3push.reporting.page import asset
from k3push.web.desk import Desk
from k3push.web.door import Guard, Log, Rules
from k3push.web.entry import Entry
from k3push.web.live import Watchers
from k3push.web.machines import Machines
from k3push.web.numbers import NumberPages
from k3push.web.overview import Overview
from k3push.web.pages import notice
from k3push.web.runs import RunPages
from k3push.web.sessions import Brake, Sessions, Token
from k3push.web.speech import Speech
from k3push.web.tenants import Books, Tenant

_STATIC = {
    "web.css": "text/css",
    "live.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard that is ready.

    Attributes:
        app: What a server serves.
        token: What lets one browser in, where the rules ask for neither password nor proxy.
        close: Ends all live views, so that a server need not wait for them.
    """

    app: ASGIApp
    token: str
    close: Callable[[], None]


@asynccontextmanager
async def dashboard(
    tenants: Sequence[Tenant],
    rules: Rules,
    speeches: Mapping[str, Speech],
    clock: Clock,
    *,
    lang: str,
    log: Log,
    several: bool,
) -> AsyncIterator[Dashboard]:
    """Open a dashboard; its ledgers are closed at the end of the block.

    Args:
        tenants: At least one, each by a name of its own.
        rules: Who may come in.
        speeches: The languages, by `en` and `zh`.
        clock: The time of day.
        lang: The language of who asks for none of them.
        log: Told of commands and settlements, of logins, of looks that failed, and for debugging
            of each request.
        several: Show tenants, even if there is one.
    """
    books = Books(tenants)
    async with books.kept(), anyio.create_task_group() as tasks:
        desk = Desk(
            books=books,
            rules=rules,
            speeches=speeches,
            lang=lang,
            clock=clock,
            log=log,
            several=several,
            sessions=Sessions(anyio.current_time),
            token=Token(),
            brake=Brake(anyio.current_time),
            watchers=Watchers(tasks, log),
        )
        app = Starlette(
            routes=_routes(desk),
            exception_handlers={HTTPException: _not_here(desk), LedgerLostError: _lost(desk)},
        )
        guard = Guard(app, rules, desk.sessions, desk.refuse, log)
        yield Dashboard(guard, desk.token.text, desk.closing.set)
        tasks.cancel_scope.cancel()


def _routes(desk: Desk) -> list[BaseRoute]:
    entry, machines, runs, numbers = Entry(desk), Machines(desk), RunPages(desk), NumberPages(desk)
    pages: list[BaseRoute] = [
        Route("/", runs.runs),
        Route("/events", runs.runs_live),
        Route("/runs/{run}", runs.run),
        Route("/runs/{run}/events", runs.run_live),
        Route("/runs/{run}/pace", runs.pace),
        Route("/runs/{run}/control", runs.control, methods=["POST"]),
        Route("/numbers", numbers.search),
        Route("/numbers/{number:path}", numbers.number),
        Route("/settle", numbers.settle, methods=["POST"]),
    ]
    if desk.several:
        overview = Overview(desk)
        pages = [
            Route("/", overview.tenants),
            Route("/numbers", numbers.search),
            Mount("/t/{tenant}", routes=pages),
        ]
    return [
        Route("/healthz", machines.healthz),
        Route("/metrics", machines.metrics),
        Route("/enter", entry.enter),
        Route("/login", entry.login, methods=["GET", "POST"]),
        Route("/leave", entry.leave, methods=["POST"]),
        Route("/static/{name}", _static),
        *pages,
    ]


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name == "report.css":
        return Response(asset(name), media_type="text/css")
    if name not in _STATIC:
        raise HTTPException(404)
    text = (resources.files("k3push.web") / "static" / name).read_text("utf-8")
    return Response(text, media_type=_STATIC[name])


def _not_here(desk: Desk) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        known = status == HTTPStatus.METHOD_NOT_ALLOWED
        return desk.refuse(request, status, "web.no_method" if known else "web.nothing_here")

    return answer


def _lost(desk: Desk) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        frame = desk.frame(request)
        title = frame.say("web.ledger_lost")
        return desk.page(request, frame, title, notice(str(error)), status=503)

    return answer
