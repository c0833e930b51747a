"""What is wrong with a request, as RFC 9457 has it: a kind for programs, words for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

CONTENT_TYPE = "application/problem+json"

# Kind -> its status, and when it is met, for the documents.
KINDS: Mapping[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be read."),
    "no-token": (401, "No token was given, or one that is nobody's or was revoked."),
    "no-right": (403, "The token's role is not enough for this."),
    "four-eyes": (403, "Whoever has planned a push may not approve it."),
    "not-found": (404, "There is nothing here that this program may see."),
    "no-method": (405, "The address takes another method."),
    "key-reused": (409, "The program has asked for something else with that key."),
    "not-now": (409, "It is in a state from which this cannot be done."),
    "too-large": (413, "The body has more bytes than are taken."),
    "wrong-host": (421, "The server does not know this host name."),
    "invalid": (422, "The request does not say what it should; `errors` has the places."),
    "too-many": (429, "The program asks more often than its token allows."),
    "defect": (500, "A defect of k3push."),
    "only-watches": (503, "The server was started without `--work`."),
    "no-disk": (503, "The server's disk takes no list now."),
    "no-ledger": (503, "The ledger cannot be read or written now."),
}


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
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        errors: Sequence[tuple[str, str]] = (),
    ) -> None:
        status, meaning = KINDS[kind]
        super().__init__(status, detail or meaning, headers)
        self.kind = kind
        self.errors = errors


def kind_of(status: int) -> str:
    """Return the kind of problem that a status stands for by itself."""
    return next((kind for kind, (of, _) in KINDS.items() if of == status), "bad-request")


def problem(
    kind: str,
    detail: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[tuple[str, str]] = (),
) -> Response:
    """Return the answer that tells of a problem."""
    status, meaning = KINDS[kind]
    told: dict[str, Any] = {
        "type": f"urn:k3push:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail or meaning,
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
        status, meaning = KINDS[kind]
        said = found.get(status, {}).get("description", "")
        found[status] = {
            "description": f"{said} `{kind}`: {meaning}".strip(),
            "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    return found
