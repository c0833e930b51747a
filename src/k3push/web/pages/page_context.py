"""What every page is made with: tenant, ledger, language, visitor."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote, unquote, urlencode, urlsplit

import anyio
from anyio.abc import TaskGroup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from k3push.core.model import Run, RunId
from k3push.ports import Clock, Ledger
from k3push.runs.kept_in_ledger.request_stages import Request as Asked
from k3push.runs.kept_in_ledger.request_stages import tenant_of
from k3push.web.admission.access import Log, Rules, Visitor
from k3push.web.admission.roles import Roles
from k3push.web.admission.sessions import Brake, Sessions, Token
from k3push.web.execution.request_work import Workshop
from k3push.web.pages.live import Watchers
from k3push.web.pages.page_frame import Frame, plan_url, rendered, run_url
from k3push.web.tenant_ledgers import ServedTenant, TenantLedgers
from k3push.words.language import Say, browser_language

LANG_COOKIE = "k3push-lang"
YEAR_S = 365 * 24 * 3600
MOST_TOLD = 1000
TOLD_FOR = timedelta(minutes=5)

ID_OF_PAGE = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
"""What `PageContext.new_id` makes, and a form brings back."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One look of one visitor at one tenant.

    Attributes:
        base: Where the tenant's pages begin.
    """

    tenant: ServedTenant
    ledger: Ledger
    base: str
    frame: Frame
    visitor: Visitor

    def working(self) -> Workshop:
        """Return what does what is asked; raises `HTTPException` where the server only watches."""
        if self.tenant.workshop is None:
            raise HTTPException(404)
        return self.tenant.workshop


@dataclass(frozen=True, slots=True)
class _Told:
    """What stood in the way of a form.

    Attributes:
        what: A remark.
        owner: Whom the form was bound to.
        path: Of the page that says so.
        until: When it is past.
    """

    what: str
    owner: str
    path: str
    until: datetime


@dataclass(frozen=True, slots=True)
class PageContext:
    """What lives as long as the dashboard.

    Attributes:
        languages: What says sentences, by language.
        lang: The language of who asks for none that there is.
        several: Whether tenants are shown; one alone needs no name.
        tasks: What goes on beside the answers.
        closing: Set when the dashboard ends.
        told: What stood in the way of forms, by a name for the address.
    """

    books: TenantLedgers
    rules: Rules
    languages: Mapping[str, Say]
    lang: str
    clock: Clock
    log: Log
    several: bool
    roles: Roles
    sessions: Sessions
    token: Token
    brake: Brake
    watchers: Watchers
    tasks: TaskGroup
    closing: anyio.Event = field(default_factory=anyio.Event)
    told: dict[str, _Told] = field(default_factory=dict)

    def speaker(self, request: Request) -> Say:
        """Return the language of a page: what was chosen, else what the browser asks for."""
        chosen = [request.query_params.get("lang"), request.cookies.get(LANG_COOKIE)]
        accepted = request.headers.get("accept-language", "")
        return self.languages[browser_language(chosen, accepted, self.lang)]

    def frame(self, request: Request, *, base: str = "") -> Frame:
        """Return what stands around a page."""
        visitor: Visitor = request.state.visitor
        say = self.speaker(request)
        kept = [(key, value) for key, value in request.query_params.items() if key != "lang"]
        other = urlencode([*kept, ("lang", "en" if say.lang == "zh" else "zh")])
        return Frame(
            say,
            self.sessions.seal(visitor.owner) if visitor.owner else "",
            base=base,
            user=visitor.user,
            leave=visitor.admitted and self.rules.entry != "proxy",
            other=f"?{other}",
            search=visitor.admitted,
            role=visitor.role if visitor.admitted else None,
        )

    async def visit(self, request: Request) -> Visit:
        """Return what a tenant's page is made with.

        Raises:
            HTTPException: There is no such tenant, or the visitor sees nothing of it.
            LedgerLostError: Its ledger cannot be read.
        """
        tenants = self.books.tenants
        name = request.path_params.get("tenant") or next(iter(tenants))
        visitor: Visitor = request.state.visitor
        if name not in tenants or not self.roles.sees(visitor.user, name):
            raise HTTPException(404)
        tenant = tenants[name]
        base = self.base(tenant)
        works = tenant.workshop is not None
        frame = replace(self.frame(request, base=base), works=works)
        if self.several:
            frame = replace(frame, crumbs=[(f"{base}/", name)])
        ledger = await self.books.of(tenant)
        return Visit(tenant, ledger, base, frame, visitor)

    def is_admitted(self, visit: Visit) -> bool:
        """Say whether who visits a tenant may still see it; a proxy says so with each request."""
        visitor = visit.visitor
        goes_on = self.rules.entry == "proxy" or self.sessions.goes_on(visitor.owner)
        return goes_on and self.roles.sees(visitor.user, visit.tenant.name)

    def tenants_of(self, visitor: Visitor) -> list[ServedTenant]:
        """Return the tenants that a visitor may look at, in the order of their names."""
        tenants = self.books.tenants.values()
        return [each for each in tenants if self.roles.sees(visitor.user, each.name)]

    def base(self, tenant: ServedTenant) -> str:
        """Return where a tenant's pages begin."""
        return f"/t/{quote(tenant.name, safe='')}" if self.several else ""

    async def run(self, visit: Visit, request: Request) -> Run:
        """Return the run that the address names; raises `HTTPException` where there is none."""
        run = await visit.ledger.run(RunId(request.path_params["run"]))
        if run is None:
            raise HTTPException(404)
        return run

    async def url_of_push(self, visit: Visit, asked: Asked) -> str:
        """Return where the page of a push is; "" if the visitor may see none.

        Another tenant of the account may have been asked for it, of which the visitor sees nothing
        but the runs in the ledger that both share.
        """
        if visit.working().is_mine(asked):
            return plan_url(visit.base, asked.id)
        tenant = self.books.tenants.get(tenant_of(asked))
        if tenant is not None and self.roles.sees(visit.visitor.user, tenant.name):
            return plan_url(self.base(tenant), asked.id)
        for each in asked.runs:
            if (run := await visit.ledger.run(each)) is not None:
                return run_url(visit.base, run)
        return ""

    def new_id(self) -> str:
        """Return what tells a request, or what one page's button asks for, from all others.

        A form bears it, so that what is sent from it twice is one thing.
        """
        return f"{self.clock.now():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"

    def log_request(self, event: str, visit: Visit, asked: Asked) -> None:
        """Log what a visitor has done about a request."""
        self.log(event, tenant=visit.tenant.name, request=asked.id, user=visit.visitor.user)

    def back(self, visit: Visit, url: str, problem: str) -> Response:
        """Lead to the page that says what stood in the way of a form, as a remark.

        An answer to the form itself could be neither loaded again nor gone back to.
        """
        name = secrets.token_urlsafe(8)
        path = unquote(urlsplit(url).path)
        self.told[name] = _Told(problem, visit.visitor.owner, path, self.clock.now() + TOLD_FOR)
        if len(self.told) > MOST_TOLD:
            del self.told[next(iter(self.told))]
        return RedirectResponse(f"{url}{'&' if '?' in url else '?'}told={name}", 303)

    def problem(self, request: Request) -> str:
        """Say what stood in the way of the form that has led to a page; "" for nothing.

        Only whoever has sent the form is told, for some minutes, and on that page.
        """
        told = self.told.get(request.query_params.get("told", ""))
        visitor: Visitor = request.state.visitor
        if told is None or (told.owner, told.path) != (visitor.owner, request["path"]):
            return ""
        return self.speaker(request).said(told.what) if self.clock.now() < told.until else ""

    def page(
        self,
        request: Request,
        frame: Frame,
        template: str,
        *,
        status: int = 200,
        live: str = "",
        state: str = "",
        **values: object,
    ) -> Response:
        """Return a page, and keep the language that was chosen.

        Args:
            frame: What stands around it.
            live: Where its changes are told; "" if it has none.
            state: What a change of, told there, asks for another page.
            values: What its template shows.
        """
        text = rendered(template, frame.say, frame=frame, live=live, state=state, **values)
        response = HTMLResponse(text, status)
        if request.query_params.get("lang") in self.languages:
            response.set_cookie(
                LANG_COOKIE,
                frame.say.lang,
                max_age=YEAR_S,
                httponly=True,
                samesite="strict",
                secure=request.state.visitor.secure,
            )
        return response

    def refuse(self, request: Request, status: int, sentence: str) -> Response:
        """Return the page that says why a request was refused."""
        frame = replace(self.frame(request), search=False, leave=False)
        title = "web.not_here" if status == HTTPStatus.NOT_FOUND else "web.refused"
        return self.notice(request, frame, title, frame.say(sentence), status)

    def notice(
        self, request: Request, frame: Frame, title: str, text: str, status: int
    ) -> Response:
        """Return a page that says one thing, under a title that is given by its key."""
        say = frame.say
        return self.page(request, frame, "notice.html", title=say(title), text=text, status=status)
