"""The way in and out: the printed address, the password, a provider, and signing out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from k3push.web.admission.access import Visitor
from k3push.web.admission.sessions import same
from k3push.web.pages.openid_entry import OpenIdEntry
from k3push.web.pages.page_context import PageContext

_LONGEST = 2000

COOKIE_S = 30 * 86_400
"""For so long a browser keeps a cookie; the server ends sessions long before that."""
_OURS = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def page_asked_for(address: str) -> str:
    r"""Return where somebody wanted to go before they were asked who they are.

    The address is one of ours or the first page: a link that somebody else has made must not
    lead through our sign-in to their own page.

    >>> page_asked_for("/runs/20261127-200000-abc?state=rejected")
    '/runs/20261127-200000-abc?state=rejected'
    >>> {page_asked_for(each) for each in ("", "//evil.example", "https://evil.example", "/\\e")}
    {'/'}
    """
    ours = len(address) <= _LONGEST and _OURS.fullmatch(address)
    return address if ours else "/"


class EntryPages:
    """Lets people in, by token, by password or by a provider's word."""

    def __init__(self, desk: PageContext) -> None:
        self._desk = desk
        self._openid = OpenIdEntry(desk, desk.rules.openid) if desk.rules.openid else None

    async def enter(self, request: Request) -> Response:
        """Take the printed address, once."""
        visitor: Visitor = request.state.visitor
        if self._desk.rules.entry != "token":
            return RedirectResponse("/", 303)
        if visitor.admitted:
            return self._welcome(request)
        # A browser that fetches ahead, or asks for the head alone, is no person who comes in.
        fetches_ahead = "sec-purpose" in request.headers or request.method != "GET"
        if fetches_ahead or not self._desk.token.spend(request.query_params.get("token", "")):
            return self._desk.refuse(request, 403, "web.no_session")
        response = self._welcome(request)
        self._admit(request, response)
        return response

    def _welcome(self, request: Request, page: str = "/") -> Response:
        """Lead on by a page of ours, and not by a redirection.

        Where the address was clicked in another site's page, a browser would not send the new
        cookie along with one (SameSite=Strict).
        """
        frame = replace(self._desk.frame(request), search=False, leave=False, other="")
        return self._desk.page(request, frame, "welcome.html", page=page)

    async def login(self, request: Request) -> Response:
        """Ask for the password, or take it."""
        desk, visitor = self._desk, request.state.visitor
        if desk.rules.entry == "openid" and not visitor.admitted and request.method != "POST":
            return await self._offer(request)
        if visitor.admitted or desk.rules.entry != "password":
            return RedirectResponse(page_asked_for(request.query_params.get("next", "")), 303)
        if request.method != "POST":
            return self._ask(request)
        say = desk.speaker(request)
        wait_s = desk.brake.wait_s(visitor.address)
        if wait_s:
            seconds = math.ceil(wait_s)
            response = self._ask(request, say("web.wait", seconds=seconds), 429)
            response.headers["retry-after"] = str(seconds)
            return response
        form: Mapping[str, str] = request.state.form
        user = form.get("user", "").strip() if desk.rules.passwords else ""
        # Somebody of that name or not, a comparison is made, so that time tells nothing.
        wanted = desk.rules.passwords.get(user, "") if desk.rules.passwords else desk.rules.password
        if not same(form.get("password", ""), wanted) or not wanted:
            desk.brake.failed(visitor.address)
            desk.log("login.refused", address=visitor.address)
            return self._ask(request, say("web.wrong_password"), 403)
        desk.brake.passed(visitor.address)
        desk.log("login.passed", address=visitor.address, user=user)
        response = RedirectResponse(page_asked_for(form.get("next", "")), 303)
        self._admit(request, response, user)
        return response

    async def _offer(self, request: Request) -> Response:
        """Show where one signs in, and after signing out where one does that as well."""
        query, out = request.query_params, ""
        if self._openid is not None and "left" in query:
            out = await self._openid.out(request)
        frame = replace(self._desk.frame(request), search=False)
        page, ended = page_asked_for(query.get("next", "")), self._ended(request)
        return self._desk.page(request, frame, "provider.html", next=page, out=out, problem=ended)

    async def go_to_provider(self, request: Request) -> Response:
        """Lead to the provider."""
        page = page_asked_for(request.query_params.get("next", ""))
        if self._openid is None or request.state.visitor.admitted:
            return RedirectResponse(page, 303)
        return await self._openid.go(request, page)

    async def come_back(self, request: Request) -> Response:
        """Let in whom the provider has signed in."""
        if self._openid is None:
            return RedirectResponse("/", 303)
        refused, user, page = await self._openid.back(request)
        if refused is not None:
            return refused
        response = self._welcome(request, page)
        self._openid.settle(request, response)
        self._admit(request, response, user)
        return response

    def _ended(self, request: Request) -> str:
        """Say that a session had ended before a form came, or ""."""
        asked = "ended" in request.query_params
        return self._desk.speaker(request)("web.session_ended") if asked else ""

    def _ask(self, request: Request, problem: str = "", status: int = 200) -> Response:
        """Show the form, bound to an id that is no session yet."""
        desk, visitor = self._desk, request.state.visitor
        owner = visitor.owner or desk.sessions.new_id()
        form: Mapping[str, str] = request.state.form
        wanted = form.get("next", "") or request.query_params.get("next", "")
        frame = replace(desk.frame(request), search=False, seal=desk.sessions.seal(owner))
        response = desk.page(
            request,
            frame,
            "login.html",
            problem=problem or self._ended(request),
            by_name=bool(desk.rules.passwords),
            next=page_asked_for(wanted),
            status=status,
        )
        if not visitor.owner:
            self._set_cookie(request, response, owner)
        return response

    async def leave(self, request: Request) -> Response:
        """End the session."""
        self._desk.sessions.end(request.state.visitor.owner)
        frame = replace(self._desk.frame(request), search=False, leave=False)
        text = frame.say("web.left_session")
        response = self._desk.notice(request, frame, "web.signed_out", text, 200)
        if self._desk.rules.entry == "password":
            response = RedirectResponse("/login", 303)
        elif self._desk.rules.entry == "openid":
            response = RedirectResponse("/login?left=1", 303)
        response.delete_cookie(self._desk.rules.cookie)
        return response

    def _admit(self, request: Request, response: Response, user: str = "") -> None:
        """Begin a session, always under an id that nobody has seen before."""
        self._set_cookie(request, response, self._desk.sessions.begin(user))

    def _set_cookie(self, request: Request, response: Response, id_: str) -> None:
        response.set_cookie(
            self._desk.rules.cookie,
            id_,
            # The printed address lets in once: whoever closes the browser could not come back.
            max_age=COOKIE_S if self._desk.rules.entry == "token" else None,
            httponly=True,
            samesite="strict",
            secure=request.state.visitor.secure,
        )
