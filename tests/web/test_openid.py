"""Signing in through a provider: whose word counts, and for whom it lets in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
from joserfc.jwk import RSAKey

from k3push.adapters.openid import OpenIdError, OpenIdProvider
from k3push.core.web_addresses import LOOPBACK
from k3push.web.admission.access import Rules
from k3push.web.admission.openid_rules import OpenId
from k3push.web.admission.roles import Role
from k3push.web.pages.openid_entry import COOKIE as OPENID_COOKIE
from tests.cli.terminal import Desk
from tests.web.provider import CLIENT, SECRET, Provider, provider
from tests.web.server import Serve
from tests.web.visits import COOKIE, House, house, seal_of

MANY = {"erp-view": Role.VIEW, "erp-approve": Role.APPROVE}


@pytest.fixture
def told() -> Iterator[Provider]:
    """A provider that signs in one user, called wang."""
    with provider() as one:
        yield one


def rules(told: Provider, roles: Mapping[str, Role] | None = None, **more: Any) -> Rules:
    """Return the rules of a door that believes the provider."""
    asked = OpenIdProvider(told.issuer, CLIENT, SECRET, ("openid", "profile"))
    openid = OpenId(asked, OpenIdError, **more)
    return Rules(hosts=LOOPBACK, cookie=COOKIE, roles=roles or {}, openid=openid)


def visited(those: Rules, visit: Callable[[House, httpx.AsyncClient], Awaitable[None]]) -> None:
    """Let one browser visit a dashboard."""

    async def visiting() -> None:
        async with house(rules=those) as home, home.browser() as browser:
            await visit(home, browser)

    anyio.run(visiting)


async def sent_back(browser: httpx.AsyncClient, told: Provider, page: str = "/") -> str:
    """Go to the provider and sign in; return the address that it sends the browser back to."""
    there = await browser.get("/login/openid", params={"next": page})
    assert there.status_code == 303, there.text
    place = urlsplit(there.headers["location"])
    assert place.path == "/authorize"
    return told.authorize(place.query)


async def signed_in(browser: httpx.AsyncClient, told: Provider, page: str = "/") -> httpx.Response:
    """Sign in, and return what the browser gets for it."""
    return await browser.get(await sent_back(browser, told, page))


def test_somebody_signs_in_sees_pages_and_signs_out(told: Provider) -> None:
    """There, back to the page that was asked for, and out again: here, and by a link there."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        first = await browser.get("/numbers?q=1")
        assert (first.status_code, first.headers["location"]) == (
            303,
            "/login?next=%2Fnumbers%3Fq%3D1",
        )
        assert (
            "/login/openid?next=%2Fnumbers%3Fq%3D1"
            in (await browser.get(first.headers["location"])).text
        )
        welcome = await signed_in(browser, told, "/numbers?q=1")
        assert welcome.status_code == 200, welcome.text
        assert "url=/numbers?q=1" in welcome.text
        page = await browser.get("/")
        assert (page.status_code, "wang" in page.text) == (200, True)
        left = await browser.post("/leave", data={"seal": seal_of(page)})
        assert left.headers["location"] == "/login?left=1"
        assert f"{told.issuer}/logout?client_id=k3push" in (await browser.get("/login?left=1")).text
        assert (await browser.get("/")).status_code == 303

    visited(rules(told, {"wang": Role.VIEW}), visit)


def test_what_is_asked_holds_a_proof_key_a_state_and_a_nonce(told: Provider) -> None:
    """None is asked twice."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        seen = set()
        for _nth in range(2):
            await sent_back(browser, told)
            asked = told.asked
            assert asked["response_type"] == "code"
            assert asked["code_challenge_method"] == "S256"
            assert asked["scope"] == "openid profile"
            assert asked["redirect_uri"] == "http://127.0.0.1:8200/login/callback"
            seen |= {asked["state"], asked["nonce"], asked["code_challenge"]}
        assert len(seen) == 6
        assert all(len(each) >= 40 for each in seen)

    visited(rules(told), visit)


@pytest.mark.parametrize(
    "spoil",
    [
        {"iss": "https://another.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another", "k3push"], "azp": "another"},
        {"aud": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"nonce": "of-another-time"},
        {"nonce": None},
        {"sub": None},
    ],
    ids=str,
)
def test_what_is_not_meant_for_us_now_lets_nobody_in(told: Provider, spoil: dict[str, Any]) -> None:
    """Wrong issuer, audience, time or question, though it is signed."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        told.spoil = spoil
        refused = await signed_in(browser, told)
        assert (refused.status_code, told.tokens) == (403, 1)
        assert COOKIE not in browser.cookies
        assert (await browser.get("/")).status_code == 303

    visited(rules(told, {"wang": Role.APPROVE}), visit)


def test_what_another_has_signed_lets_nobody_in(told: Provider) -> None:
    """By a key of the same name, by one of another, by the client's secret, or not at all."""
    from joserfc.jwk import OctKey  # noqa: PLC0415

    lies: list[tuple[Any, str]] = [
        (RSAKey.generate_key(2048, {"kid": "1"}), "RS256"),
        (RSAKey.generate_key(2048, {"kid": "2"}), "RS256"),
        (OctKey.import_key(SECRET * 3, {"kid": "1"}), "HS256"),
    ]

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        for key, algorithm in lies:
            told.signs_with, told.algorithm = key, algorithm
            refused = await signed_in(browser, told)
            assert refused.status_code == 403, algorithm
        assert told.tokens == len(lies)
        assert COOKIE not in browser.cookies

    visited(rules(told, {"wang": Role.APPROVE}), visit)


def test_a_key_that_is_new_is_asked_for(told: Provider) -> None:
    """Providers change their keys, and the old ones are known for an hour."""

    async def visit(home: House, browser: httpx.AsyncClient) -> None:
        assert (await signed_in(browser, told)).status_code == 200
        told.key = RSAKey.generate_key(2048, {"kid": "another"})
        async with home.browser() as other:
            assert (await signed_in(other, told)).status_code == 200

    visited(rules(told, {"wang": Role.VIEW}), visit)


def test_an_answer_counts_once_and_in_the_browser_that_has_asked(told: Provider) -> None:
    """Whoever reads an address, or sends one to somebody else, comes in by none."""

    async def visit(home: House, browser: httpx.AsyncClient) -> None:
        back = await sent_back(browser, told)
        async with home.browser() as thief:
            assert (await thief.get(back)).status_code == 403
        assert told.tokens == 0
        # The theft has used it up.
        assert (await browser.get(back)).status_code == 403
        back = await sent_back(browser, told)
        assert (await browser.get(back)).status_code == 200
        assert (await browser.get(back)).status_code == 403
        assert told.tokens == 1
        for wrong in ("/login/callback", "/login/callback?state=x&code=y"):
            assert (await browser.get(wrong)).status_code == 403

    visited(rules(told, {"wang": Role.VIEW}), visit)


def test_an_answer_of_another_provider_is_not_taken_on(told: Provider) -> None:
    """Nor one that says that somebody was refused."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        back = (await sent_back(browser, told)).replace("iss=http", "iss=https")
        assert (await browser.get(back)).status_code == 403
        back = await sent_back(browser, told)
        state = parse_qs(urlsplit(back).query)["state"][0]
        denied = await browser.get(f"/login/callback?state={state}&error=access_denied")
        assert (denied.status_code, "nobody in" in denied.text) == (403, True)
        assert 'href="/login/openid?' in denied.text, "where one signs in again"
        assert told.tokens == 0

    visited(rules(told, {"wang": Role.VIEW}), visit)


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://another.example"},
        {"token_endpoint": "http://another.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
    ],
    ids=str,
)
def test_a_provider_that_is_away_or_leads_astray_is_said(
    told: Provider, discovery: dict[str, Any]
) -> None:
    """Nobody is let in, and who operates the service reads why."""

    async def visit(home: House, browser: httpx.AsyncClient) -> None:
        told.discovery = discovery
        answer = await browser.get("/login/openid")
        if answer.status_code == 303:
            answer = await browser.get(told.authorize(urlsplit(answer.headers["location"]).query))
        assert answer.status_code == 502
        assert home.logged[-1][0] != "login.passed"
        assert any(
            event == "login.refused" and facts["why"] == "away" for event, facts in home.logged
        )

    visited(rules(told), visit)


def test_a_provider_that_is_down_is_said(told: Provider) -> None:
    """It is asked again the next time."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        told.down = True
        assert (await browser.get("/login/openid")).status_code == 502
        told.down = False
        assert (await signed_in(browser, told)).status_code == 200

    visited(rules(told, {"wang": Role.VIEW}), visit)


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["erp-view", "x", "erp-approve"], Role.APPROVE),
        ("erp-view", Role.VIEW),
        (["x"], None),
        (None, None),
        ({"erp-approve": 1}, None),
    ],
)
def test_a_claim_gives_roles(told: Provider, groups: object, role: Role | None) -> None:
    """The highest counts; who has none is not let in."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        told.claims["groups"] = groups
        answer = await signed_in(browser, told)
        assert answer.status_code == (403 if role is None else 200)
        if role is None:
            assert "no role" in answer.text
            return
        assert (await browser.get("/")).status_code == 200
        may_push = await browser.get("/push")
        assert (may_push.status_code == 403) is (role < Role.OPERATE)

    visited(rules_by_claim(told), visit)


def rules_by_claim(told: Provider, roles: Mapping[str, Role] | None = None) -> Rules:
    """Return rules by which a claim gives roles."""
    asked = OpenIdProvider(told.issuer, CLIENT, SECRET, ("openid",))
    openid = OpenId(asked, OpenIdError, roles_claim="groups", roles=MANY)
    return Rules(hosts=LOOPBACK, cookie=COOKIE, roles=roles or {}, openid=openid)


def test_a_role_by_name_goes_before_that_of_a_claim(told: Provider) -> None:
    """And one that was taken away at the provider is gone with the next sign-in."""

    async def visit(home: House, browser: httpx.AsyncClient) -> None:
        told.claims["groups"] = ["erp-approve"]
        assert (await signed_in(browser, told)).status_code == 200
        assert (await browser.get("/push")).status_code == 403
        told.claims = {"preferred_username": "li", "groups": ["erp-approve"]}
        async with home.browser() as other:
            assert (await signed_in(other, told)).status_code == 200
            assert (await other.get("/push")).status_code != 403
            told.claims["groups"] = []
            async with home.browser() as again:
                assert (await signed_in(again, told)).status_code == 403
            assert (await other.get("/push")).status_code == 303

    visited(rules_by_claim(told, {"wang": Role.VIEW}), visit)


def test_whose_role_is_taken_away_has_no_session_left(told: Provider) -> None:
    """Also where nobody else has a role, which is no reason why all may do all."""

    async def visit(home: House, browser: httpx.AsyncClient) -> None:
        told.claims["groups"] = ["erp-view"]
        assert (await signed_in(browser, told)).status_code == 200
        assert (await browser.get("/push")).status_code == 403
        async with home.browser() as again:
            told.claims["groups"] = []
            assert (await signed_in(again, told)).status_code == 403
        for page in ("/push", "/"):
            left = await browser.get(page)
            assert (left.status_code, left.headers["location"][:6]) == (303, "/login")

    visited(rules_by_claim(told), visit)


def test_somebody_may_sign_in_in_several_tabs_at_once(told: Provider) -> None:
    """A browser opens all tabs of the day before, and each is led to the provider."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        tabs = [await sent_back(browser, told, f"/numbers?q={nth}") for nth in range(3)]
        assert (await browser.get("/login/callback?state=x&code=y")).status_code == 403
        for nth in (1, 0, 2):
            welcome = await browser.get(tabs[nth])
            assert welcome.status_code == 200, welcome.text
            assert f"url=/numbers?q={nth}" in welcome.text
        assert not any(each.name == OPENID_COOKIE for each in browser.cookies.jar)

    visited(rules(told, {"wang": Role.VIEW}), visit)


@pytest.mark.parametrize("name", [None, "", " ", 7, "wa\u202eng", "x" * 300, "api/wms"])
def test_whoever_has_no_name_is_not_let_in(told: Provider, name: object) -> None:
    """Who gave a command stands in the ledger."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        told.claims = {"preferred_username": name}
        assert (await signed_in(browser, told)).status_code == 403

    visited(rules(told), visit)


def test_no_link_leads_through_the_sign_in_to_a_foreign_page(told: Provider) -> None:
    """Somebody else's page would look like ours."""

    async def visit(_: House, browser: httpx.AsyncClient) -> None:
        welcome = await signed_in(browser, told, "//evil.example")
        assert 'url=/"' in welcome.text
        assert "evil" not in welcome.text

    visited(rules(told, {"wang": Role.VIEW}), visit)


def test_serve_takes_the_provider_of_its_settings(desk: Desk, serve: Serve, told: Provider) -> None:
    """With the secret that the settings name; without Authlib's extra nothing else changes."""
    desk.configure(
        "http://127.0.0.1:9/K3Cloud/",
        more=f"""[serve]
roles = {{ wang = "view" }}
[serve.openid]
issuer = "{told.issuer}"
client_id = "{CLIENT}"
client_secret = {{ env = "OUR_SECRET" }}
""",
    )
    desk.environment["OUR_SECRET"] = SECRET
    base = serve().base
    with httpx.Client(base_url=base, trust_env=False) as browser:
        asked = browser.get("/login/openid").headers["location"]
        back = urlsplit(told.authorize(urlsplit(asked).query))
        assert browser.get(f"{back.path}?{back.query}").status_code == 200
        assert "wang" in browser.get("/", follow_redirects=True).text
