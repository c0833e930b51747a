"""What every page is made with: tenant, ledger, language, visitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, urlencode

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from k3push.core.model import Run, RunId
from k3push.ports import Clock, Ledger
from k3push.web.door import Log, Rules, Visitor
from k3push.web.live import Watchers
from k3push.web.pages import Frame, document, notice
from k3push.web.sessions import Brake, Sessions, Token
from k3push.web.speech import Speech, language
from k3push.web.tenants import Books, Tenant

LANG_COOKIE = "k3push-lang"
YEAR_S = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Visit:
    """One look of one visitor at one tenant.

    Attributes:
        base: Where the tenant's pages begin.
    """

    tenant: Tenant
    ledger: Ledger
    base: str
    frame: Frame
    visitor: Visitor


@dataclass(frozen=True, slots=True)
class Desk:
    """What lives as long as the dashboard.

    Attributes:
        speeches: By language.
        lang: The language of who asks for none that there is.
        several: Whether tenants are shown; one alone needs no name.
        closing: Set when the dashboard ends.
    """

    books: Books
    rules: Rules
    speeches: Mapping[str, Speech]
    lang: str
    clock: Clock
    log: Log
    several: bool
    sessions: Sessions
    token: Token
    brake: Brake
    watchers: Watchers
    closing: anyio.Event = field(default_factory=anyio.Event)

    def speech(self, request: Request) -> Speech:
        """Return the language of a page: what was chosen, else what the browser asks for."""
        chosen = [request.query_params.get("lang"), request.cookies.get(LANG_COOKIE)]
        accepted = request.headers.get("accept-language", "")
        return self.speeches[language(chosen, accepted, self.lang)]

    def frame(self, request: Request, *, base: str = "") -> Frame:
        """Return what stands around a page."""
        visitor: Visitor = request.state.visitor
        speech = self.speech(request)
        kept = [(key, value) for key, value in request.query_params.items() if key != "lang"]
        other = urlencode([*kept, ("lang", "en" if speech.lang == "zh" else "zh")])
        return Frame(
            speech,
            self.sessions.seal(visitor.owner) if visitor.owner else "",
            base=base,
            user=visitor.user,
            leave=visitor.admitted and self.rules.entry != "proxy",
            other=f"?{other}" if request.method == "GET" else "",
            search=visitor.admitted,
        )

    async def visit(self, request: Request) -> Visit:
        """Return what a tenant's page is made with.

        Raises:
            HTTPException: There is no such tenant.
            LedgerLostError: Its ledger cannot be read.
        """
        tenants = self.books.tenants
        name = request.path_params.get("tenant") or next(iter(tenants))
        if name not in tenants:
            raise HTTPException(404)
        tenant = tenants[name]
        base = self.base(tenant)
        frame = self.frame(request, base=base)
        if self.several:
            frame = replace(frame, crumbs=[(f"{base}/", name)])
        ledger = await self.books.of(tenant)
        return Visit(tenant, ledger, base, frame, request.state.visitor)

    def base(self, tenant: Tenant) -> str:
        """Return where a tenant's pages begin."""
        return f"/t/{quote(tenant.name, safe='')}" if self.several else ""

    async def runs(self, visit: Visit) -> Sequence[Run]:
        """Return the tenant's runs, the newest first."""
        runs = await visit.ledger.runs()
        return [run for run in reversed(runs) if self.books.has(visit.tenant, run)]

    async def run(self, visit: Visit, request: Request) -> Run:
        """Return the run that the address names.

        Raises:
            HTTPException: The tenant has none of that id.
        """
        run = await visit.ledger.run(RunId(request.path_params["run"]))
        if run is None or not self.books.has(visit.tenant, run):
            raise HTTPException(404)
        return run

    def page(
        self,
        request: Request,
        frame: Frame,
        title: str,
        main: str,
        *,
        status: int = 200,
        live: str = "",
        state: str = "",
    ) -> Response:
        """Return a page, and keep the language that was chosen."""
        text = document(frame, title, main, live=live, state=state)
        # The ledger may hold half a surrogate pair, which UTF-8 has no bytes for.
        response = HTMLResponse(text.encode("utf-8", "replace"), status)
        if request.query_params.get("lang") in self.speeches:
            response.set_cookie(
                LANG_COOKIE,
                frame.speech.lang,
                max_age=YEAR_S,
                httponly=True,
                samesite="strict",
                secure=request.state.visitor.secure,
            )
        return response

    def refuse(self, request: Request, status: int, sentence: str) -> Response:
        """Return the page that says why a request was refused."""
        frame = replace(self.frame(request), search=False, leave=False)
        title = frame.say("web.refused")
        return self.page(request, frame, title, notice(frame.say(sentence)), status=status)
