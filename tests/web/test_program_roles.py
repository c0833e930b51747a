"""Which program may do what: each role against each address of programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Route

from k3push.runs.push_requests.program_roles import ProgramRole
from k3push.runs.push_requests.program_tokens import revoke_program
from k3push.web.asgi import PROGRAMS
from tests.runs.office import VirtualClock, orders
from tests.web.programs import program, until_over
from tests.web.shop import Shop
from tests.web.visits import in_time

# Address -> the least role; `None` is everybody, without a token.
MAY: Mapping[tuple[str, str], ProgramRole | None] = {
    ("GET", "/"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/pushes/{id}"): "view",
    ("GET", "/pushes/{id}/rows"): "view",
    ("GET", "/pushes/{id}/evidence"): "view",
    ("GET", "/plans/{id}"): "view",
    ("GET", "/plans/{id}/rows"): "view",
    ("POST", "/plans"): "operate",
    ("POST", "/plans/{id}/withdraw"): "operate",
    ("POST", "/pushes/{id}/commands"): "operate",
    ("POST", "/pushes"): "approve",
    ("POST", "/plans/{id}/approve"): "approve",
}

WHO: tuple[ProgramRole | None, ...] = (None, "view", "operate", "approve")


@pytest.mark.parametrize("who", [*WHO, "revoked"])
def test_each_role_may_what_the_table_says_and_no_more(tmp_path: Path, who: str | None) -> None:
    """Without a right nothing is asked, and 401 and 403 say which right is lacking."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        role: ProgramRole | None = next((each for each in WHO if each == who), None)
        known = role is not None or who == "revoked"
        token = await shop.token("some", role or "approve") if known else ""
        if who == "revoked":
            await revoke_program(shop.ledger, VirtualClock(), "some")
        async with shop.open() as home, program(home, await shop.token()) as wms:
            made = await wms.post("/plans", json={"key": "p", "numbers": orders(1)})
            await until_over(wms, made.json()["id"])
            async with program(home, token) as client:
                for nth, ((method, path), least) in enumerate(MAY.items()):
                    url = path.format(id=made.json()["id"])
                    body = {"key": f"k{nth}", "numbers": orders(1)}
                    if path.endswith("/commands"):
                        body = {"command": "settle"}
                    answer = (
                        await client.get(url)
                        if method == "GET"
                        else await client.post(url, json=body)
                    )
                    right = least is None or WHO.index(role) >= WHO.index(least)
                    assert answer.status_code < 500, (method, path, answer.text)
                    lacks = answer.status_code in {401, 403}
                    assert lacks != right, (who, method, path, answer.text)
                    if lacks:
                        assert answer.status_code == (401 if role is None else 403)

    in_time(visit)


def test_the_table_knows_every_address(tmp_path: Path) -> None:
    """An address that nobody has thought of would be open to whoever finds it."""

    async def visit() -> None:
        async with Shop(tmp_path).open() as home:
            (mount,) = (r for r in home.routes if isinstance(r, Mount) and r.path == PROGRAMS)
            api = mount.app
            assert isinstance(api, FastAPI)
            told = api.openapi()["paths"]
            found = {(method.upper(), path) for path, methods in told.items() for method in methods}
            hidden = [route for route in api.routes if isinstance(route, Route)]
            found |= {("GET", route.path) for route in hidden if not route.include_in_schema}
            assert found == set(MAY)

    in_time(visit)
