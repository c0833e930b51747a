"""The dashboard put together: addresses, the role that each needs, and the door before them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from importlib import resources
from urllib.parse import quote

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from k3push.ports import Clock, LedgerLostError
from k3push.reporting.html_templates import asset
from k3push.web.admission.access import TAKES_FILES, Guard, Log, Rules, Visitor, is_for_programs
from k3push.web.admission.roles import Role, Roles
from k3push.web.admission.sessions import Brake, Sessions, Token
from k3push.web.api.application import api_of
from k3push.web.api.problems import kind_of, meaning_of, problem
from k3push.web.execution.request_work import Workshop
from k3push.web.pages.entry import EntryPages
from k3push.web.pages.further_execution_buttons import FurtherExecutionButtons
from k3push.web.pages.health_and_metrics import Machines
from k3push.web.pages.list_pages import ListPages
from k3push.web.pages.live import Watchers
from k3push.web.pages.number_pages import NumberPages
from k3push.web.pages.overview import Overview
from k3push.web.pages.page_context import PageContext
from k3push.web.pages.plan_pages import PlanPages
from k3push.web.pages.result_files import ResultFiles
from k3push.web.pages.run_pages import RunPages
from k3push.web.pages.schedule_pages import SchedulePages
from k3push.web.tenant_ledgers import ServedTenant, TenantLedgers
from k3push.words.language import Say

PROGRAMS = "/api/v1"

_PAGE_ABOVE = re.compile(
    r"(?s)(.*?/(?:(?:runs|plans)/[^/]+(?=/[^/]+\Z)|schedules(?=/[^/]+/[^/]+\Z)|(?=[^/]*\Z))).*"
)

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
        routes: All its addresses.
        token: What lets one browser in, where the rules ask for neither password nor proxy.
        close: Ends all live views, so that a server need not wait for them, and begins nothing
            any more; what is on its way is recorded. Again: that is not waited for either.
        drained: Waits until nothing is executed.
        take: Shows other tenants from now on, and begins what their workshops do.
    """

    app: ASGIApp
    routes: Sequence[BaseRoute]
    token: str
    close: Callable[[], None]
    drained: Callable[[], Awaitable[None]]
    take: Callable[[Sequence[ServedTenant]], None]


@asynccontextmanager
async def dashboard(
    tenants: Sequence[ServedTenant],
    rules: Rules,
    languages: Mapping[str, Say],
    clock: Clock,
    *,
    lang: str,
    log: Log,
    several: bool,
) -> AsyncIterator[Dashboard]:
    """Open a dashboard; its ledgers are closed at the end of the block.

    Args:
        tenants: At least one, each by a name of its own.
        languages: What says sentences, by `en` and `zh`.
        lang: The language of who asks for none of them.
        log: Told of commands and settlements, of logins, of looks that failed, and for debugging
            of each request.
        several: Show tenants, even if there is one.
    """
    books = TenantLedgers(tenants)
    async with books.kept(), anyio.create_task_group() as tasks:
        desk = PageContext(
            books=books,
            rules=rules,
            languages=languages,
            lang=lang,
            clock=clock,
            log=log,
            several=several,
            roles=Roles(rules.roles, by_name=rules.knows_names),
            sessions=Sessions(anyio.current_time),
            token=Token(),
            brake=Brake(anyio.current_time),
            watchers=Watchers(tasks, log),
            tasks=tasks,
        )
        programs = api_of(desk)
        app = Starlette(
            routes=_routes(desk, programs),
            exception_handlers={HTTPException: _not_here(desk), LedgerLostError: _lost(desk)},
        )

        def refuse(request: Request, status: int, sentence: str) -> Response:
            if is_for_programs(request["path"]):
                return problem(kind_of(status), desk.speaker(request)(sentence))
            return desk.refuse(request, status, sentence)

        guard = Guard(app, rules, desk.roles, desk.sessions, refuse=refuse, log=log)
        workshops: list[Workshop] = []

        def take(those: Sequence[ServedTenant]) -> None:
            books.take(those)
            desk.roles.take({each.name: each.roles for each in those})
            for each in those:
                if each.workshop is not None and each.workshop not in workshops:
                    workshops.append(each.workshop)
                    each.workshop.serve(tasks, partial(books.of, each))

        take(tenants)

        def close() -> None:
            desk.closing.set()
            for workshop in workshops:
                workshop.drain()

        async def drained() -> None:
            for workshop in workshops:
                await workshop.drained()

        yield Dashboard(guard, app.routes, desk.token.text, close, drained, take)
        tasks.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class Address:
    """Where something is answered.

    Attributes:
        path: As the router reads it; a tenant's begins behind `/t/NAME` where there are several.
        needs: Who may ask for it; None where everybody may, before they have come in.
    """

    path: str
    answer: Callable[[Request], Awaitable[Response]]
    needs: Role | None = Role.VIEW
    methods: Sequence[str] = ("GET",)


def addresses_of_tenants(desk: PageContext) -> list[Address]:
    """Return the addresses of one tenant."""
    runs, numbers, schedules = RunPages(desk), NumberPages(desk), SchedulePages(desk)
    lists, plans = ListPages(desk), PlanPages(desk)
    actions, results = FurtherExecutionButtons(desk), ResultFiles(desk)
    post = ["POST"]
    return [
        Address("/", runs.runs),
        Address("/events", runs.runs_live),
        Address("/runs/{run}", runs.run),
        Address("/runs/{run}/events", runs.run_live),
        Address("/runs/{run}/pace", runs.pace),
        Address("/runs/{run}/control", runs.control, Role.OPERATE, post),
        Address("/runs/{run}/resume", actions.resume, Role.OPERATE, post),
        Address("/runs/{run}/retry", actions.retry, Role.OPERATE, post),
        Address("/runs/{run}/settle", actions.settle, Role.OPERATE, post),
        Address("/runs/{run}/follow", actions.follow, Role.OPERATE, post),
        Address("/runs/{run}/files/{name}", results.file),
        Address("/numbers", numbers.search),
        Address("/numbers/{number:path}", numbers.number),
        Address("/settle", numbers.settle, Role.OPERATE, post),
        Address(TAKES_FILES, lists.form, Role.OPERATE),
        Address(TAKES_FILES, lists.send, Role.OPERATE, post),
        Address("/schedules", schedules.schedules),
        Address("/schedules/{name}/plan", schedules.plan_now, Role.OPERATE, post),
        Address("/schedules/{name}/run", schedules.run_now, Role.APPROVE, post),
        Address("/schedules/{name}/pause", schedules.pause, Role.OPERATE, post),
        Address("/schedules/{name}/continue", schedules.go_on, Role.OPERATE, post),
        Address("/plans/{id}", plans.plan),
        Address("/plans/{id}/events", plans.plan_live),
        Address("/plans/{id}/files/{name}", plans.download),
        Address("/plans/{id}/approve", plans.approve, Role.APPROVE, post),
        Address("/plans/{id}/withdraw", plans.withdraw, Role.OPERATE, post),
        Address("/plans/{id}/again", plans.again, Role.OPERATE, post),
    ]


def addresses_of_all(desk: PageContext) -> list[Address]:
    """Return the addresses that are no tenant's."""
    entry, machines = EntryPages(desk), Machines(desk)
    own = [
        Address("/healthz", machines.healthz, None),
        Address("/metrics", machines.metrics, None),
        Address("/enter", entry.enter, None),
        Address("/login", entry.login, None, ["GET", "POST"]),
        Address("/login/openid", entry.go_to_provider, None),
        Address("/login/callback", entry.come_back, None),
        Address("/leave", entry.leave, None, ["POST"]),
        Address("/static/{name}", _static, None),
    ]
    if desk.several:
        own += [
            Address("/", Overview(desk).tenants),
            Address("/numbers", NumberPages(desk).search),
        ]
    return own


def _routes(desk: PageContext, programs: ASGIApp) -> list[BaseRoute]:
    of_tenants: list[BaseRoute] = [_route(desk, each) for each in addresses_of_tenants(desk)]
    of_tenants.append(Mount(PROGRAMS, app=programs))
    of_all = [_route(desk, each) for each in addresses_of_all(desk)]
    return [*of_all, *([Mount("/t/{tenant}", routes=of_tenants)] if desk.several else of_tenants)]


def _route(desk: PageContext, address: Address) -> Route:
    async def answer(request: Request) -> Response:
        visitor: Visitor = request.state.visitor
        if visitor.admitted and visitor.role is Role.NONE:
            raise HTTPException(404)  # nor is it told which tenants there are
        if address.needs is not None and visitor.admitted and visitor.role < address.needs:
            return desk.refuse(request, HTTPStatus.FORBIDDEN, "web.no_right")
        return await address.answer(request)

    return Route(address.path, answer, methods=list(address.methods))


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name == "report.css":
        return Response(asset(name), media_type="text/css")
    if name not in _STATIC:
        raise HTTPException(404)
    text = (resources.files("k3push.web") / "static" / name).read_text("utf-8")
    return Response(text, media_type=_STATIC[name])


def _not_here(desk: PageContext) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        if is_for_programs(request["path"]):  # a line break leads to nothing that is mounted
            kind = kind_of(status)
            return problem(kind, meaning_of(kind, desk.speaker(request)))
        known = status == HTTPStatus.METHOD_NOT_ALLOWED
        if known and request.method in {"GET", "HEAD"}:
            # An answer to a form, which is gone back to, or has a link to the other language.
            query = request.url.query
            return RedirectResponse(page_above(request["path"]) + (query and f"?{query}"), 303)
        return desk.refuse(request, status, "web.no_method" if known else "web.nothing_here")

    return answer


def page_above(path: str) -> str:
    """Return where the form stands that is sent to an address.

    >>> page_above("/t/a/runs/任/stop"), page_above("/schedules/night/run"), page_above("/settle")
    ('/t/a/runs/%E4%BB%BB', '/schedules', '/')
    """
    return quote(_PAGE_ABOVE.sub(r"\1", path))


def _lost(desk: PageContext) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        return desk.notice(
            request,
            desk.frame(request),
            "web.ledger_lost",
            desk.speaker(request).said(str(error)),
            503,
        )

    return answer
