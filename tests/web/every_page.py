"""Every page that the dashboard has, as it is answered: for tests of how pages look.

Scenes are played in memory by browsers without a window; a real one then shows what they got.
`not_seen` says which pages no scene has come to, so that a new one cannot be left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page
from starlette.routing import BaseRoute, Mount, Route

from k3push.core.control_words import Command
from k3push.core.remark import remark
from k3push.core.web_addresses import LOOPBACK
from k3push.web.admission.access import Rules
from k3push.web.admission.openid_rules import OpenId
from k3push.web.api import application
from k3push.web.asgi import PROGRAMS, addresses_of_all, addresses_of_tenants
from k3push.web.pages import page_context
from k3push.web.pages.page_frame import rendered
from k3push.words.language import Lang
from tests.reporting.pages import RUN, filled, in_doubt, lost, number
from tests.runs.office import orders
from tests.web.shop import BY_NAME, Shop, fields_of, press, send_list, signed_in
from tests.web.visits import (
    ACCT,
    COOKIE,
    HOST,
    House,
    StoppedClock,
    house,
    in_time,
    led,
    seal_of,
    tenant,
)

SCHEDULED = """
[routes.po-instock.select]
max_count = 3

[schedules.nightly]
cron = "30 2 1 1 *"
jobs = "select"

[schedules.inbox]
cron = "0 * * * *"
jobs = "inbox"
"""

NO_PAGES = {
    *("/healthz", "/metrics", "/static/{name}"),  # no person reads them
    *("/events", "/runs/{run}/events", "/plans/{id}/events"),  # parts of pages
    *("/runs/{run}/files/{name}", "/plans/{id}/files/{name}"),  # downloads
    "/login/openid",  # it leads elsewhere
}
"""Addresses that are asked for, and answer with no page of the dashboard."""

REFUSED = {
    3: ("11", "单据编号为“CGDD0000003”的采购订单未审核"),
    5: ("4", "很长的原因" * 30),
    6: ("precheck", remark("note.blocked.unapproved")),
}


@dataclass(frozen=True)
class Seen:
    """A page as it was answered.

    Attributes:
        address: Where the router finds it.
        template: From which it was made.
    """

    url: str
    address: str
    template: str
    answer: httpx.Response

    @property
    def name(self) -> str:
        """Call it so that a failure says which it is."""
        return f"{self.url} ({self.template})"


@dataclass
class Scenes:
    """What browsers of one language have come to see.

    Attributes:
        made: Templates of the pages that were made, the last one last.
        rest: What pages load, by its address.
    """

    lang: Lang
    made: list[str]
    seen: list[Seen] = field(default_factory=list)
    rest: dict[str, httpx.Response] = field(default_factory=dict)

    def keep(self, home: House, answer: httpx.Response) -> httpx.Response:
        """Keep a page."""
        assert answer.headers["content-type"].startswith("text/html"), answer.url
        url = str(answer.request.url).removeprefix(HOST)
        address = address_of(home.routes, urlsplit(url).path)
        self.seen.append(Seen(url, address, self.made[-1], answer))
        return answer

    def speak(self, browser: httpx.AsyncClient) -> None:
        """Have a browser ask for pages in the language."""
        browser.headers["accept-language"] = {"en": "en-US", "zh": "zh-CN"}[self.lang]

    # -- scenes -------------------------------------------------------------------------------

    async def play(self, folder: Path) -> None:
        """Play all."""
        for each in (self.push, self.runs, self.doubt, self.tenants, self.entry):
            await each(folder)

    async def push(self, folder: Path) -> None:
        """A list is begun, planned, approved and pushed; schedules; who may not."""
        shop = Shop(folder, more=SCHEDULED)
        async with shop.open(BY_NAME) as home:

            async def see(browser: httpx.AsyncClient, url: str) -> httpx.Response:
                return self.keep(home, await browser.get(url))

            async with home.browser("10.0.0.1") as nobody:
                self.speak(nobody)
                login = await see(nobody, "/login")
                form = {"seal": seal_of(login), "user": "li", "password": "wrong"}
                self.keep(home, await nobody.post("/login", data=form))
                for name in ("web.css", "report.css", "live.js", "icon.svg"):
                    self.rest[f"/static/{name}"] = await nobody.get(f"/static/{name}")
            async with signed_in(home, "li") as li, signed_in(home, "guest") as guest:
                self.speak(li)
                self.speak(guest)
                await see(li, "/")
                await see(li, "/push")
                bad = "单据编号\nA,B\n\nCGDD0000001,CGDD0000002"
                self.keep(home, await led(li, await send_list(li, bad)))
                bills = [*orders(3), "CGDDU000003", "CGDD9999999", orders(1)[0]]
                await send_list(li, "\n".join(bills))
                plan = f"/plans/{(await shop.until('planned')).id}"
                await see(li, plan)
                await see(guest, plan)
                await see(guest, "/push")  # refused
                await press(li, plan, f"{plan}/approve")
                (run,) = (await shop.until("ended")).runs
                await see(li, plan)
                await send_list(li, "\n".join(orders(2, 10)))
                waiting = await shop.until("planned")
                for url in ("/", "/?route=po-instock&sort=oldest", "/?exit=5", f"/runs/{run}"):
                    await see(li, url)
                await see(li, f"/runs/{run}?state=rejected")
                form = {"place": "", "cause": ""}
                retried = await press(li, f"/runs/{run}", f"/runs/{run}/retry", **form)
                self.keep(home, await led(li, retried))  # nothing was chosen
                await see(li, f"/runs/{run}/pace")
                await press(li, f"/plans/{waiting.id}", f"/plans/{waiting.id}/withdraw")
                await see(li, f"/plans/{waiting.id}")
                await press(li, "/schedules", "/schedules/inbox/pause")
                for url in ("/schedules", "/numbers/CGDDU000003", "/numbers", "/numbers?q=0000"):
                    await see(li, url)
                for url in ("/numbers?q=nobody", "/nothing", "/api/v1/"):
                    await see(li, url)

    async def runs(self, folder: Path) -> None:  # noqa: ARG002  # as all scenes
        """A run goes on, is paused and re-paced; another has ended, with steps after the push."""
        ledger = await filled(24, REFUSED, {8: "X" * 80, 9: '"><img src=x>'})
        await lost(ledger, "CGDD-LOST")
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            self.speak(browser)
            executor = ledger.another_process()
            async with executor.own(RUN.id):
                for words in (["set", "concurrency=8"], ["pause"]):
                    await ledger.command(RUN.id, Command.parse(words), at=StoppedClock().now())
                for url in ("/", f"/runs/{RUN.id}"):
                    self.keep(home, await browser.get(url))
            await ledger.end_run(RUN.id, 3, StoppedClock().now())
            for url in (f"/runs/{RUN.id}", f"/runs/{RUN.id}/pace", f"/numbers/{number(5)}"):
                self.keep(home, await browser.get(url))
            part = f"/runs/{RUN.id}/pace?part=1"
            self.rest[part] = await browser.get(part)

    async def doubt(self, folder: Path) -> None:  # noqa: ARG002
        """Somebody gives their word about a bill in doubt, and is asked whether they are sure."""
        ledger = await filled(2)
        name = await in_doubt(ledger, "CGDD-LOST")
        await ledger.end_run(RUN.id, 4, StoppedClock().now())
        async with house(tenant(ledger)) as home, home.signed_in() as browser:
            self.speak(browser)
            page = self.keep(home, await browser.get(f"/numbers/{name}"))
            form = {**fields_of(page), "number": name, "word": "absent"}
            self.keep(
                home, await led(browser, await browser.post("/settle", data=form))
            )  # without a reason
            form["because"] = "looked it up in the ERP"
            self.keep(home, await browser.post("/settle", data=form))

    async def tenants(self, folder: Path) -> None:  # noqa: ARG002
        """Many tenants are on the first page, and a search finds a bill in several."""
        ledger = await filled(3, {1: REFUSED[3]})
        many = [tenant(ledger, f"tenant-{nth}", ACCT if nth < 3 else f"{nth}") for nth in range(60)]
        async with house(*many, several=True) as home, home.signed_in() as browser:
            self.speak(browser)
            for url in ("/", "/?from=50", "/numbers?q=DD00", "/t/tenant-1/"):
                self.keep(home, await browser.get(url))

    async def entry(self, folder: Path) -> None:  # noqa: ARG002
        """The printed address is opened, once; or a provider signs people in."""
        async with house() as home, home.browser() as browser:
            self.speak(browser)
            for token in ("wrong", home.ready.token):
                self.keep(home, await browser.get("/enter", params={"token": token}))
            form = {"seal": seal_of(await browser.get("/"))}
            self.keep(home, await browser.post("/leave", data=form))
        rules = Rules(hosts=LOOPBACK, cookie=COOKIE, openid=OpenId(NobodysProvider(), ValueError))
        async with house(rules=rules) as home, home.browser() as browser:
            self.speak(browser)
            for url in ("/login?left=1", "/login/callback?error=access_denied"):
                self.keep(home, await browser.get(url))


class NobodysProvider:
    """Signs nobody in. Fulfils `web.admission.openid_rules.Provider`."""

    async def ask(self, redirect_uri: str) -> tuple[str, Any]:
        """Send nobody anywhere."""
        raise NotImplementedError

    async def told(self, asked: Any, code: str, issuer: str = "") -> Mapping[str, Any]:
        """Prove nothing."""
        raise NotImplementedError

    async def sign_out(self, back: str) -> str:  # noqa: ARG002  # as a provider is asked
        """Return where one signs out."""
        return "https://id.example.com/sign-out"


# -- all of them ----------------------------------------------------------------------------------


def routes_of(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    """Yield the addresses of people; those of a tenant as if there were one alone."""
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif isinstance(route, Mount) and route.path != PROGRAMS:
            yield from routes_of(route.routes)


def address_of(routes: Sequence[BaseRoute], path: str) -> str:
    """Return the address that answers at a path; "" for none."""
    _, _, of_tenant = path.removeprefix("/t/").partition("/")
    asked = f"/{of_tenant}" if path.startswith("/t/") else path
    return next((each.path for each in routes_of(routes) if each.path_regex.match(asked)), "")


def play_all(lang: Lang, folder: Path) -> Scenes:
    """Play all scenes in a language."""
    made: list[str] = []

    def noting(template: str, *given: Any, **values: Any) -> str:
        made.append(template)
        return rendered(template, *given, **values)

    scenes = Scenes(lang, made)
    with pytest.MonkeyPatch.context() as patch:
        for module in (page_context, application):
            patch.setattr(module, rendered.__name__, noting)
        in_time(lambda: scenes.play(folder))
    return scenes


def not_seen(scenes: Scenes) -> set[str]:
    """Return addresses and templates of pages that no scene has come to."""
    asked: list[Any] = []
    for of in (addresses_of_all, addresses_of_tenants):
        asked += of(SimpleNamespace(several=True, rules=SimpleNamespace(openid=None)))  # type: ignore[arg-type]  # only its addresses count
    addresses = {each.path for each in asked if "GET" in each.methods} - NO_PAGES
    folder = resources.files("k3push.web") / "templates"
    whole = {
        each.name
        for each in folder.iterdir()
        if '{% extends "layout.html" %}' in each.read_text("utf-8")
    }
    seen = scenes.seen
    return (addresses - {each.address for each in seen}) | (whole - {e.template for e in seen})


@contextmanager
def window(browser: Browser, scenes: Scenes, width: int, **options: Any) -> Iterator[Page]:
    """Open a window that gets, for whatever it asks, what was answered then.

    `show` has it show a page, which may have been answered to a form.
    """
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    context.route("**", lambda asked: asked.fulfill(status=204))
    for path, answer in scenes.rest.items():
        context.route(f"{HOST}{path}", _told(answer))
    yield page
    context.close()


def show(page: Page, seen: Seen) -> None:
    """Have a window show a page."""
    url = f"{HOST}{seen.url}"
    page.route(url, _told(seen.answer), times=1)
    page.goto(url)


def _told(answer: httpx.Response) -> Any:
    kept = {
        key: value
        for key, value in answer.headers.items()
        if key in {"content-type", "content-security-policy"}
    }
    status, body = answer.status_code, answer.content
    return lambda asked: asked.fulfill(status=status, headers=kept, body=body)
