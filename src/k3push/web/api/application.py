"""The application that answers programs, as one tenant's part of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from k3push.ports import LedgerLostError
from k3push.web.api import push_commands, push_lookups, pushes
from k3push.web.api.callers import Rates
from k3push.web.api.problems import ProblemError, ProblemShape, kind_of, meaning_of, problem
from k3push.web.api.reference_page import addresses_of, shapes_of
from k3push.web.pages.page_context import PageContext
from k3push.web.pages.page_frame import rendered
from k3push.words.language import Say

VERSION = "1"
MOST_BYTES = 1 << 20
LEDGER_WAIT_S = 30

# What pydantic calls a body that is none, a list, or text since its header calls it no JSON.
_NO_OBJECT = {"missing", "model_attributes_type"}

_ABOUT = """\
Push bills down (单据下推) in Kingdee K/3 Cloud, each with a key of your own: asked again with the
same key, you are told of the same push, and nothing is pushed twice. Every address but this
document and its page needs `Authorization: Bearer` and a token of `k3push token add`, which is for
one route, has a role (`view`, `operate`, `approve`) and a number of requests a minute.
"""


def api_of(desk: PageContext) -> FastAPI:
    """Make the application of all tenants; the address says whose a request is."""
    api = FastAPI(
        title="k3push",
        version=VERSION,
        description=_ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to an address that no document has
    )
    api.state.desk = desk
    api.state.rates = Rates()
    for each in (pushes, push_lookups, push_commands):
        api.include_router(each.router)
    api.add_api_route("/", _page, include_in_schema=False)
    api.add_api_route("/openapi.json", _document, include_in_schema=False)
    api.add_middleware(_Bounded)
    api.add_exception_handler(HTTPException, _refused)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(LedgerLostError, _lost)
    api.add_exception_handler(Exception, _defect)
    api.openapi = lambda: document_of(api)  # type: ignore[method-assign]  # FastAPI's own way
    return api


def document_of(api: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document."""
    if api.openapi_schema is None:
        made = get_openapi(
            title=api.title,
            version=api.version,
            description=api.description,
            routes=api.routes,
            servers=[{"url": "."}],
        )
        shapes: dict[str, Any] = made["components"]["schemas"]
        found = ProblemShape.model_json_schema(ref_template="#/components/schemas/{model}")
        shapes |= found.pop("$defs", {})
        shapes["Problem"] = found
        for methods in made["paths"].values():
            for operation in methods.values():
                _name_what_succeeds(operation["responses"], shapes)
        api.openapi_schema = made
    return api.openapi_schema


def _name_what_succeeds(answers: Mapping[str, Any], shapes: Mapping[str, Any]) -> None:
    """Describe each answer that FastAPI calls a successful response by what it tells."""
    for answer in answers.values():
        if answer["description"] == "Successful Response":
            (content,) = answer["content"].values()
            shape = content["schema"]["$ref"].rpartition("/")[2]
            answer["description"] = shapes[shape]["description"]


async def _document(request: Request) -> dict[str, Any]:
    return document_of(request.app)


async def _page(request: Request) -> HTMLResponse:
    """Show the addresses to a person."""
    desk: PageContext = request.app.state.desk
    document = document_of(request.app)
    frame = desk.frame(request)
    text = rendered(
        "api.html",
        frame.say,
        frame=frame,
        live="",
        state="",
        base=str(request.url.replace(query="", fragment="")).rstrip("/"),
        addresses=addresses_of(document),
        shapes=shapes_of(document),
    )
    return HTMLResponse(text)


# -- what is wrong --------------------------------------------------------------------------------


class _Bounded:
    """Takes bodies of a bounded size alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and end it where it grows too large."""
        size = 0

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > MOST_BYTES:
                raise ProblemError("too-large")
            return message

        await self._app(scope, bounded, send)


def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, ProblemError):
        headers: Mapping[str, str] | None = error.headers
        detail = error.detail or _meaning(request, error.kind)
        return problem(error.kind, detail, headers=headers, errors=error.errors)
    kind = kind_of(error.status_code if isinstance(error, HTTPException) else 400)
    headers = error.headers if isinstance(error, HTTPException) else None
    return problem(kind, _meaning(request, kind), headers=headers)


def _invalid(request: Request, error: Exception) -> Response:
    desk: PageContext = request.app.state.desk
    say = desk.speaker(request)
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    errors = [(".".join(map(str, each["loc"])), _words_of(each, say)) for each in found]
    body = getattr(error, "body", None)
    if request.scope["endpoint"] in {pushes.push, pushes.plan} and isinstance(body, dict):
        errors += pushes.unfit(body, request.state.caller)
    unread = any(each["type"] == "json_invalid" for each in found)
    kind = "bad-request" if unread else "invalid"
    return problem(kind, meaning_of(kind, say), errors=errors)


def _words_of(fault: Mapping[str, Any], say: Say) -> str:
    """Say what is wrong at one place of a request."""
    if tuple(fault["loc"]) == ("body",) and fault["type"] in _NO_OBJECT:
        return say("api.no_object")
    # Of a check of ours, the message has more than its words.
    return say.said(str(fault.get("ctx", {}).get("error") or fault["msg"]))


def _meaning(request: Request, kind: str) -> str:
    desk: PageContext = request.app.state.desk
    return meaning_of(kind, desk.speaker(request))


def _lost(request: Request, error: Exception) -> Response:
    desk: PageContext = request.app.state.desk
    why = desk.speaker(request).said(str(error))
    return problem("no-ledger", why, headers={"retry-after": str(LEDGER_WAIT_S)})


def _defect(_: Request, error: Exception) -> Response:
    return problem("defect", type(error).__name__)
