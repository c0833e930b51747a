"""The way in by a provider of OpenID Connect: there, back again, and out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import anyio
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from k3push.runs.kept_in_ledger.askers import may_be_user
from k3push.web.admission.openid_rules import OpenId
from k3push.web.admission.sessions import same
from k3push.web.pages.page_context import PageContext

CALLBACK = "/login/callback"
COOKIE = "k3push-asked"
COOKIE_PATH = "/login"
ASKED_FOR_S = 600
"""For how long somebody may take to sign in at the provider."""

MOST_ASKED = 1000
LONGEST_USER = 200


@dataclass(frozen=True, slots=True)
class _Way:
    """Somebody who is on the way: what was asked, for which browser, and where they want to go."""

    asked: Any
    browser: str
    page: str
    began_s: float


class OpenIdEntry:
    """Sends people to the provider, and lets in who comes back with its word."""

    def __init__(self, desk: PageContext, ways: OpenId) -> None:
        """Begin with nobody on the way."""
        self._desk = desk
        self._openid = ways
        self._under_way: dict[str, _Way] = {}

    async def go(self, request: Request, page: str) -> Response:
        """Lead to the provider; each way is for one browser and can be gone once.

        Several tabs of a browser may be under way at once.
        """
        desk = self._desk
        redirect_uri = f"{_here(request)}{CALLBACK}"
        try:
            place, asked = await self._openid.provider.ask(redirect_uri)
        except self._openid.failure as error:
            return self._failed(request, error)
        self._forget()
        given = request.cookies.get(COOKIE, "")
        browser = given if self._is_under_way(given) else desk.sessions.new_id()
        self._under_way[asked.state] = _Way(asked, browser, page, anyio.current_time())
        response = RedirectResponse(place, 303)
        # Lax: the provider's page leads back here, and no strict cookie would come along.
        response.set_cookie(
            COOKIE,
            browser,
            max_age=ASKED_FOR_S,
            path=COOKIE_PATH,
            httponly=True,
            samesite="lax",
            secure=request.state.visitor.secure,
        )
        return response

    async def back(self, request: Request) -> tuple[Response | None, str, str]:
        """Take what the provider has given the browser.

        Returns:
            Why nobody is let in, or None; the user; the page that was asked for.
        """
        self._forget()
        query = request.query_params
        way = self._under_way.pop(query.get("state", ""), None)
        given = request.cookies.get(COOKIE, "")
        if way is None or not given or not same(given, way.browser):
            return self._refused(request, "state"), "", ""
        if "error" in query or not query.get("code"):
            return self._refused(request, "refused"), "", ""
        try:
            claims = await self._openid.provider.told(
                way.asked, query["code"], query.get("iss", "")
            )
        except self._openid.failure as error:
            return self._failed(request, error), "", ""
        user = _name_in(claims.get(self._openid.user_claim))
        if not user:
            return self._refused(request, "no_name"), "", ""
        role = self._openid.role_of(claims)
        self._desk.roles.give(user, role)
        if self._openid.roles_claim and role is None and not self._desk.roles.names(user):
            # Nobody who has lost their role goes on in another browser.
            self._desk.sessions.end_all_of(user)
            return self._refused(request, "no_role", user=user), "", ""
        self._desk.log("login.passed", address=request.state.visitor.address, user=user)
        return None, user, way.page

    def settle(self, request: Request, response: Response) -> None:
        """Let a browser forget that it was on the way, unless another tab of it still is."""
        if not self._is_under_way(request.cookies.get(COOKIE, "")):
            response.delete_cookie(COOKIE, path=COOKIE_PATH)

    async def out(self, request: Request) -> str:
        """Return where one is signed out at the provider as well, or ""."""
        return await self._openid.provider.sign_out(f"{_here(request)}/login?left=1")

    def _is_under_way(self, browser: str) -> bool:
        return bool(browser) and any(same(browser, w.browser) for w in self._under_way.values())

    def _forget(self) -> None:
        """Let go of whoever never came back; the first makes room where there are too many."""
        now_s = anyio.current_time()
        for state, way in tuple(self._under_way.items()):
            if now_s - way.began_s > ASKED_FOR_S or len(self._under_way) >= MOST_ASKED:
                del self._under_way[state]

    def _failed(self, request: Request, error: Exception) -> Response:
        why = str(getattr(error, "why", "away"))
        return self._refused(request, why, 502 if why == "away" else 403, said=str(error))

    def _refused(self, request: Request, why: str, status: int = 403, **facts: str) -> Response:
        desk = self._desk
        address = request.state.visitor.address
        desk.log("login.refused", address=address, why=why, **facts)
        frame = replace(desk.frame(request), search=False, leave=False)
        text = frame.say(f"web.openid.{why}")
        # Whoever is told to sign in again finds where.
        response = desk.page(
            request, frame, "provider.html", problem=text, next="/", out="", status=status
        )
        self.settle(request, response)
        return response


def _name_in(claim: object) -> str:
    """Return a user's name that can stand in the ledger and on a terminal; "" where it cannot."""
    name = claim.strip() if isinstance(claim, str) else ""
    is_fit = len(name) <= LONGEST_USER and name.isprintable() and may_be_user(name)
    return name if is_fit else ""


def _here(request: Request) -> str:
    """Return how the browser reaches us; the door has seen that the host is ours."""
    scheme = "https" if request.state.visitor.secure else "http"
    return f"{scheme}://{request.headers['host']}"
