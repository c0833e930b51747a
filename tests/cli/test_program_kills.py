"""A server that is killed while programs push: each key is one push, and each bill one document."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.cli.conftest import Start
from tests.cli.terminal import Desk, Sandbox, orders, until

PUSHES = 6


@contextmanager
def served(desk: Desk) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """Serve, and kill the server at the end without a warning."""
    process = desk.begin("serve", "--work", "--port", "0")
    assert process.stdout is not None
    base = "/".join(process.stdout.readline().split("/")[:3])
    try:
        with httpx.Client(base_url=f"{base}/api/v1", trust_env=False, timeout=30) as client:
            yield client, process
    finally:
        process.kill()
        process.communicate()


def ask(client: httpx.Client, token: str) -> dict[str, dict[str, object]]:
    """Push bills by keys, one bill each; return how each push stands."""
    client.headers["authorization"] = f"Bearer {token}"
    told = {}
    for nth, number in enumerate(orders(PUSHES)):
        answer = client.post("/pushes", json={"key": f"e-{nth}", "numbers": [number]})
        assert answer.status_code in {200, 202}, answer.text
        told[f"e-{nth}"] = answer.json()
    return told


def documents(sandbox: Sandbox) -> list[int]:
    """Count the documents of each bill."""
    made = sandbox.truth()["sources"]
    return [len(made.get(number, [])) for number in orders(PUSHES)]


def some_made(sandbox: Sandbox) -> Callable[[], bool]:
    """Return what says whether the first documents are there."""
    return lambda: any(documents(sandbox))


@pytest.mark.timeout(300)
def test_a_server_that_is_killed_loses_and_doubles_nothing(desk: Desk, start: Start) -> None:
    """Killed once right after it accepted, and once while it executed; the repeat is told."""
    sandbox = start("--latency", "0.15")
    desk.configure(sandbox.url)
    token = desk.k3push("token", "add", "wms", "--role", "approve").out.strip()
    with served(desk) as (client, _):
        first = ask(client, token)
    with served(desk) as (client, _):
        second = ask(client, token)
        until(some_made(sandbox))
    with served(desk) as (client, _):
        third = ask(client, token)

        def over() -> bool:
            states = [client.get(f"/pushes/{each['id']}").json() for each in third.values()]
            return all(each["state"] == "ended" for each in states)

        until(over, patience_s=200)
        last = ask(client, token)
    for told in (second, third, last):
        assert {key: each["id"] for key, each in told.items()} == {
            key: each["id"] for key, each in first.items()
        }
    assert [each["counts"] for each in last.values()] == [{"pushed": 1}] * PUSHES
    assert documents(sandbox) == [1] * PUSHES
