"""Who may do what: each role against each address."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from starlette.routing import Mount, Route

from k3push.core.control_words import Command
from k3push.web.admission.roles import Role
from k3push.web.asgi import PROGRAMS
from tests.reporting.pages import RUN, filled, in_doubt
from tests.web.shop import BY_NAME, ROLES, SECRETS, Shop, send_list, signed_in
from tests.web.visits import PASSWORD, StoppedClock, house, in_time, seal_of, tenant

NOBODY = "nobody"

# Address -> who may ask for it at least; `None` is everybody, before they have come in.
MAY: Mapping[tuple[str, str], Role | None] = {
    ("GET", "/healthz"): None,
    ("GET", "/enter"): None,
    ("GET", "/login"): None,
    ("POST", "/login"): None,
    ("GET", "/login/openid"): None,
    ("GET", "/login/callback"): None,
    ("GET", "/static/web.css"): None,
    ("POST", "/leave"): Role.VIEW,
    ("GET", "/metrics"): Role.VIEW,
    ("GET", "/"): Role.VIEW,
    ("GET", "/runs/{run}"): Role.VIEW,
    ("GET", "/runs/{run}/pace"): Role.VIEW,
    ("GET", "/runs/{run}/files/ledger.csv"): Role.VIEW,
    ("GET", "/numbers"): Role.VIEW,
    ("GET", "/numbers/CGDD0000000"): Role.VIEW,
    ("GET", "/schedules"): Role.VIEW,
    ("POST", "/schedules/nightly/plan"): Role.OPERATE,
    ("POST", "/schedules/nightly/run"): Role.APPROVE,
    ("POST", "/schedules/nightly/pause"): Role.OPERATE,
    ("POST", "/schedules/nightly/continue"): Role.OPERATE,
    ("GET", "/plans/{plan}"): Role.VIEW,
    ("GET", "/plans/{plan}/files/plan.csv"): Role.VIEW,
    ("GET", "/push"): Role.OPERATE,
    ("POST", "/push"): Role.OPERATE,
    ("POST", "/settle"): Role.OPERATE,
    ("POST", "/runs/{run}/control"): Role.OPERATE,
    ("POST", "/runs/{run}/resume"): Role.OPERATE,
    ("POST", "/runs/{run}/retry"): Role.OPERATE,
    ("POST", "/runs/{run}/settle"): Role.OPERATE,
    ("POST", "/runs/{run}/follow"): Role.OPERATE,
    ("POST", "/plans/{plan}/again"): Role.OPERATE,
    ("POST", "/plans/{plan}/withdraw"): Role.OPERATE,
    ("POST", "/plans/{plan}/approve"): Role.APPROVE,
}

PAGES_OF_FORMS = {
    "/leave": "/",
    "/settle": "/",
    "/runs/{run}/": "/runs/{run}",
    "/plans/{plan}/": "/plans/{plan}",
    "/schedules/nightly/": "/schedules",
}
"""Where an address leads to that only takes forms, by how it begins."""

# Live views do not end; that they are asked for as pages are is seen where they are served.
LIVE = {"/events", "/runs/{run}/events", "/plans/{plan}/events"}


def is_refused(answer: httpx.Response) -> bool:
    """Say whether somebody was kept out: told so, or led to where one signs in."""
    away = answer.status_code == 303 and answer.headers["location"].startswith("/login")
    return away or answer.status_code == 403


@pytest.mark.parametrize("who", [NOBODY, *ROLES])
def test_each_role_may_what_the_table_says_and_no_more(tmp_path: Path, who: str) -> None:
    """A person is asked to leave by the same page wherever they try."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with shop.open(BY_NAME) as home:
            async with signed_in(home, "li") as li:
                await send_list(li, "CGDD0000000")
                plan = (await shop.until("planned")).id
            names = {"run": "20260102-120000-abc", "plan": plan}
            for (method, path), least in MAY.items():
                if path == "/leave":
                    continue  # at the end, since it ends the session
                url = path.format(**names)
                async with home.browser() as browser:
                    page = await browser.get("/login")
                    seal = {"seal": seal_of(page)}
                    if who != NOBODY:
                        form = {**seal, "user": who, "password": SECRETS[who]}
                        await browser.post("/login", data=form)
                        seal = {"seal": seal_of(await browser.get("/"))}
                    answer = (
                        await browser.get(url)
                        if method == "GET"
                        else await browser.post(url, data={**seal, "text": " "})
                    )
                    role = ROLES.get(who)
                    may = least is None or (role is not None and role >= least)
                    # A wrong password is refused with the same number.
                    asked_in = path == "/login" and method == "POST"
                    if not asked_in:
                        assert is_refused(answer) != may, (who, method, path, answer.status_code)

    in_time(visit)


@pytest.mark.parametrize("who", ["guest", "wang"])
def test_a_page_offers_what_its_reader_may_do(who: str) -> None:
    """Whoever may only look is shown no button that would refuse them."""

    async def visit() -> None:
        ledger = await filled(2)
        doubt = await in_doubt(ledger, "CGDD-LOST")
        async with (
            house(tenant(ledger), rules=BY_NAME) as home,
            signed_in(home, who) as browser,
        ):
            shown = [await browser.get(f"/numbers/{doubt}")]
            async with ledger.another_process().own(RUN.id):
                await ledger.command(RUN.id, Command.parse(["pause"]), at=StoppedClock().now())
                shown.append(await browser.get(f"/runs/{RUN.id}"))
            assert "not obeyed yet" in shown[1].text
            for page, action in zip(shown, ("/settle", f"/runs/{RUN.id}/control"), strict=True):
                assert (f'action="{action}"' in page.text) == (who == "wang")

    in_time(visit)


def test_the_table_knows_every_address(tmp_path: Path) -> None:
    """An address that nobody has thought of would be open to whoever finds it."""

    async def visit() -> None:
        async with Shop(tmp_path).open(BY_NAME) as home:
            known = {path for _, path in MAY} | LIVE
            found = set()
            routes = list(home.routes)
            while routes:
                route = routes.pop()
                if isinstance(route, Mount):
                    # Programs have a table of their own (`test_program_roles`).
                    routes += [] if route.path == PROGRAMS else route.routes
                elif isinstance(route, Route):
                    found.add((frozenset(route.methods or ()) - {"HEAD"}, route.path))
            shapes = {
                path.replace("/runs/{run}/files/ledger.csv", "/runs/{run}/files/{name}")
                .replace("/plans/{plan}/files/plan.csv", "/plans/{plan}/files/{name}")
                .replace("{plan}", "{id}")
                .replace("/schedules/nightly", "/schedules/{name}")
                .replace("/numbers/CGDD0000000", "/numbers/{number:path}")
                .replace("/static/web.css", "/static/{name}")
                for path in known
            }
            assert {path for _, path in found} == shapes

    in_time(visit)


def test_an_address_that_only_takes_forms_leads_to_their_page() -> None:
    """Somebody goes back to what answered a form, shares it, or asks for the other language."""

    async def visit() -> None:
        async with house(tenant(await filled(2))) as home, home.signed_in() as browser:
            names = {"run": RUN.id, "plan": "20260102-120000-abcdef01"}
            for method, path in MAY:
                if method != "POST" or ("GET", path) in MAY:
                    continue
                (page,) = {to for begin, to in PAGES_OF_FORMS.items() if path.startswith(begin)}
                answer = await browser.get(f"{path.format(**names)}?lang=zh")
                led_to = answer.headers["location"]
                assert (answer.status_code, led_to) == (303, f"{page.format(**names)}?lang=zh")
            refused = await browser.post("/runs/r/control", data={"words": "stop"})
            assert 'href="?lang=zh"' in refused.text

    in_time(visit)


def test_one_password_for_all_and_the_printed_address_may_do_all(tmp_path: Path) -> None:
    """Where nobody is known by name there are no roles."""

    async def visit() -> None:
        shop = Shop(tmp_path)
        async with shop.open(PASSWORD) as home, home.browser() as browser:
            page = await browser.get("/login")
            await browser.post("/login", data={"seal": seal_of(page), "password": "correct horse"})
            url = (await send_list(browser, "CGDD0000000")).headers["location"]
            await shop.until("planned")
            assert f"{url}/approve" in (await browser.get(url)).text

    in_time(visit)


def test_a_password_lets_in_its_own_user_only(tmp_path: Path) -> None:
    """Neither another's password nor none at all does."""

    async def visit() -> None:
        async with Shop(tmp_path).open(BY_NAME) as home:
            for nth, (user, password) in enumerate(
                (("wang", SECRETS["li"]), ("li", ""), ("", ""), ("nobody", SECRETS["li"]))
            ):
                async with home.browser(address=f"10.0.0.{nth}") as browser:
                    page = await browser.get("/login")
                    form = {"seal": seal_of(page), "user": user, "password": password}
                    assert (await browser.post("/login", data=form)).status_code == 403
                    assert (await browser.get("/")).headers["location"] == "/login"

    in_time(visit)


def test_nobody_is_led_to_a_button_that_they_have_not(tmp_path: Path) -> None:
    """Who may only look finds none; what is to be done is named as the command that does it."""

    async def visit() -> None:
        async with Shop(tmp_path).open(BY_NAME) as home:
            for name, button in (("li", True), ("guest", False)):
                async with signed_in(home, name) as person:
                    page = (await person.get("/")).text
                    assert ('href="/push"' in page, "New push" in page) == (button, button), name

    in_time(visit)
