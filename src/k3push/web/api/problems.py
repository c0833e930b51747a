"""What is wrong with a request, as RFC 9457 has it: a kind for programs, words for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from k3push.words.language import Say, speaker

CONTENT_TYPE = "application/problem+json"

KINDS: Mapping[str, int] = {
    "bad-request": 400,
    "no-token": 401,
    "no-right": 403,
    "four-eyes": 403,
    "not-found": 404,
    "no-method": 405,
    "key-reused": 409,
    "not-now": 409,
    "archived": 410,
    "too-large": 413,
    "wrong-host": 421,
    "invalid": 422,
    "too-many": 429,
    "defect": 500,
    "only-watches": 503,
    "no-disk": 503,
    "no-ledger": 503,
}
"""The status of each kind of problem."""


def meaning_of(kind: str, say: Say) -> str:
    """Say when a kind of problem is met."""
    return say(f"api.problem.{kind}")


class Fault(BaseModel):
    """One thing that is wrong."""

    place: str = Field(description="Where in the request, such as `body.numbers.0`.")
    what: str


class ProblemShape(BaseModel):
    """A problem, as RFC 9457 has it."""

    type: str = Field(description="`urn:k3push:problem:` and the kind.")
    title: str
    status: int
    detail: str = Field(description="For people, in the language of `Accept-Language`.")
    errors: list[Fault] = Field(default_factory=list)


class ProblemError(HTTPException):
    """A request is not answered as it wished.

    Attributes:
        kind: One of `KINDS`.
        detail: What is wrong; "" where the kind says enough.
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(KINDS[kind], detail, headers)
        self.kind = kind
        self.errors = errors


def kind_of(status: int) -> str:
    """Return the kind of problem that a status stands for by itself."""
    return next((kind for kind, of in KINDS.items() if of == status), "bad-request")


def problem(
    kind: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[tuple[str, str]] = (),
) -> Response:
    """Return the answer that tells of a problem."""
    status = KINDS[kind]
    told: dict[str, Any] = {
        "type": f"urn:k3push:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [{"place": place, "what": what} for place, what in errors],
    }
    # In ASCII: a key of the request that is no text may stand in a place.
    return Response(json.dumps(told), status, headers=headers, media_type=CONTENT_TYPE)


def documented(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Return the answers of an address that tell of problems, for the OpenAPI document."""
    always = (
        "bad-request",
        "no-token",
        "no-right",
        "wrong-host",
        "invalid",
        "too-many",
        "no-ledger",
    )
    found: dict[int | str, dict[str, Any]] = {}
    for kind in (*always, *kinds):
        status, meaning = KINDS[kind], meaning_of(kind, speaker("en"))
        said = found.get(status, {}).get("description", "")
        found[status] = {
            "description": f"{said} `{kind}`: {meaning}".strip(),
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return found
