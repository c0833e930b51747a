"""Every address of people, asked for with what no page of ours would ask: no answer is a 500."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.routing import BaseRoute, Mount, Route

from k3push.web.asgi import PROGRAMS
from tests.runs.office import orders
from tests.shares import shared_out
from tests.web.shop import BY_NAME, Shop, press, send_list, signed_in
from tests.web.test_program_fuzz import TEXTS
from tests.web.visits import in_time, seal_of

ROUNDS = 12

NAMES = (
    *("after", "cause", "exit", "fate", "from", "how", "lang", "next", "number", "part", "q"),
    *("route", "since", "sort", "state", "until", "words", "token"),
)
FIELDS = (
    *("all", "because", "cause", "column", "id", "key", "next", "number", "password", "place"),
    *("route", "select", "sheet", "shown", "skip", "sure", "text", "user", "value", "word"),
    "words",
)
VALUES = (
    *TEXTS,
    *("1", "-1", "3", "yes", "zh", "rejected", "ready", "needs", "oldest", "2026-02-30"),
    *("2026-11-27", "set", "pause", "concurrency", "absent", "/runs", "²", "٣"),
)

# They end the session, or never end.
LEFT_OUT = re.compile(r"/(leave|.*events)")


def routes_of(routes: Sequence[BaseRoute]) -> Iterator[tuple[str, str]]:
    """Yield method and path of each address of people."""
    for route in routes:
        if isinstance(route, Route) and not LEFT_OUT.fullmatch(route.path):
            for method in sorted(set(route.methods or ()) - {"HEAD"}):
                yield method, route.path
        elif isinstance(route, Mount) and route.path != PROGRAMS:
            yield from routes_of(route.routes)


@pytest.mark.parametrize("seed", shared_out([1, 2], 2))
def test_no_address_of_people_answers_with_a_defect(tmp_path: Path, seed: int) -> None:
    """Whatever stands in its path, in its query and in its form."""
    drawn = random.Random(seed)  # noqa: S311  # the same every time

    def some(names: Sequence[str]) -> dict[str, str]:
        chosen = drawn.sample(names, drawn.randrange(5))
        return {name: drawn.choice(VALUES).replace("\ud800", "?") for name in chosen}

    def path_of(path: str, known: Mapping[str, str]) -> str:
        def part(found: re.Match[str]) -> str:
            name = found[1].partition(":")[0]
            if drawn.random() < 2 / 3 and name in known:
                return known[name]
            return quote(drawn.choice(VALUES).encode("utf-8", "surrogatepass"), safe="")

        return re.sub(r"\{([^}]+)\}", part, path)

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with shop.open(BY_NAME) as home, signed_in(home, "li") as li:
            await send_list(li, "\n".join([*orders(3), "CGDD9999999"]))
            plan = await shop.until("planned")
            await press(li, f"/plans/{plan.id}", f"/plans/{plan.id}/approve")
            (run,) = (await shop.until("ended")).runs
            known = {"run": run, "id": plan.id, "number": orders(1)[0], "name": "ledger.csv"}
            seal = seal_of(await li.get("/"))
            seen = set()
            for method, path in routes_of(home.routes):
                for _ in range(ROUNDS):
                    url, query = path_of(path, known), some(NAMES)
                    form = {"seal": seal, **some(FIELDS)} if method == "POST" else None
                    answer = await li.request(method, url, params=query, data=form)
                    seen.add(answer.status_code)
                    assert answer.status_code < 500, (method, url, query, form, answer.text[-300:])
            assert seen >= {200, 303, 400, 404}

    in_time(visit)
