"""Requests made from the OpenAPI document, sound and unsound: no answer that it does not name."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from k3push.web.api import shapes
from k3push.web.api.problems import CONTENT_TYPE, ProblemShape
from tests.runs.office import orders
from tests.web.programs import played, until_over
from tests.web.shop import Shop
from tests.web.visits import House

ROUNDS = 12

TEXTS = [
    "",
    "a",
    "CGDD0000000",
    "CGDD9999999",
    "A,B",
    "采购",
    "\u0000",
    "\ud800",
    "\n",
    "../..",
    "%",
    "'; --",
    "x" * 5000,
    "\u202e",
    "0",
    "9" * 19,
]
OTHERS = [None, True, 0, -1, 2**64, 1.5, 1e308, [], {}, ["a"], {"a": 1}]
BODIES = [b"", b"{", b"null", b"[]", b'"a"', b"\xff", b"[" * 9000, b"1e999", b"NaN"]

UNREAD = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Maker:
    """Makes values that a schema allows, most of the time."""

    def __init__(self, document: Mapping[str, Any], seed: int) -> None:
        self._shapes: Mapping[str, Any] = document["components"]["schemas"]
        self._random = random.Random(seed)  # noqa: S311  # the same every time

    def value(self, schema: Mapping[str, Any]) -> Any:
        """Make a value; one in eight is of another kind."""
        if self._random.random() < 1 / 8:
            return self._random.choice([*OTHERS, *TEXTS])
        if "$ref" in schema:
            return self.value(self._shapes[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return self.value(self._random.choice(schema["anyOf"]))
        if schema.get("type") == "object":
            return self._object(schema)
        return self._random.choice(schema["enum"]) if "enum" in schema else self._simple(schema)

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        named = schema.get("properties", {})
        needed = set(schema.get("required", ()))
        kept = [key for key in named if key in needed or self._random.random() < 1 / 2]
        return {key: self.value(named[key]) for key in kept}

    def _simple(self, schema: Mapping[str, Any]) -> Any:
        match schema.get("type"):
            case "array":
                return [self.value(schema["items"]) for _ in range(self._random.randrange(4))]
            case "integer":
                return self._random.choice([0, 1, 2, 1000, schema.get("maximum", 7)])
            case "null":
                return None
            case _:
                return self._random.choice(TEXTS)

    def text(self, schema: Mapping[str, Any]) -> str:
        """Make a value as it stands in an address."""
        made = str(self.value(schema))
        return quote(made.encode("utf-8", "surrogatepass"), safe="")

    def body(self, schema: Mapping[str, Any]) -> bytes:
        """Make a body, which is no JSON now and then."""
        if self._random.random() < 1 / 8:
            return self._random.choice(BODIES)
        return json.dumps(self.value(schema)).encode()

    def one_of(self, *choices: str) -> str:
        """Choose."""
        return self._random.choice(choices)


def requests_of(
    document: Mapping[str, Any], maker: Maker, known: str
) -> Iterator[tuple[str, str, bytes | None, Mapping[str, Any]]]:
    """Yield method, address, body and documented answers of some requests to each operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for _ in range(ROUNDS):
                url, query = path, []
                for each in operation.get("parameters", ()):
                    schema = each["schema"]
                    if each["in"] == "path":
                        made = maker.one_of(known, maker.text({"type": "string"}))
                        url = url.replace(f"{{{each['name']}}}", made)
                    elif maker.one_of("yes", "no") == "yes":
                        query.append(f"{each['name']}={maker.text(schema)}")
                body = operation.get("requestBody", {}).get("content", {})
                content = maker.body(body["application/json"]["schema"]) if body else None
                yield method, "?".join([url, "&".join(query)]), content, operation["responses"]


@UNREAD
@pytest.mark.parametrize("seed", [1, 2])
def test_no_request_gets_an_answer_that_is_not_documented(tmp_path: Path, seed: int) -> None:
    """Nor a 500; what is told has the shape that the document says."""

    async def fuzz(_: Shop, __: House, wms: httpx.AsyncClient) -> None:
        made = await wms.post("/pushes", json={"key": "known", "numbers": [*orders(2), "CGDD9"]})
        known = made.json()["id"]
        await until_over(wms, known)
        document = (await wms.get("/openapi.json")).json()
        seen = set()
        for method, url, content, documented in requests_of(document, Maker(document, seed), known):
            headers = {"content-type": "application/json"}
            answer = await wms.request(method, url, content=content, headers=headers)
            told = (method, url[:200], content and content[:200], answer.text[:500])
            status = str(answer.status_code)
            seen.add(status)
            assert status in documented, told
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind in documented[status]["content"], told
            if kind == CONTENT_TYPE:
                assert ProblemShape.model_validate_json(answer.content).status == int(status)
            else:
                name = documented[status]["content"][kind]["schema"]["$ref"].rpartition("/")[2]
                getattr(shapes, name).model_validate_json(answer.content)
        assert seen >= {"200", "202", "404", "422"}
        # The document and its page are for everybody, however they are asked for.
        for hidden in ("/", "/openapi.json"):
            for query in ("", "?lang=zh", f"?lang={quote(TEXTS[5])}", "?x=" + "9" * 3000):
                assert (await wms.get(hidden + query)).status_code == 200

    played(fuzz, tmp_path)
