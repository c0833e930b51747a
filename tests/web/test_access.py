"""Who is let in, and every way of getting in without leave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import anyio
import httpx
import pytest

from k3push.web.admission.sessions import IDLE_S, Brake, Sessions
from tests.reporting.pages import RUN, filled, in_doubt
from tests.web.shop import fields_of
from tests.web.visits import (
    COOKIE,
    HOST,
    PASSWORD,
    PROXY,
    RULES,
    house,
    in_time,
    led,
    seal_of,
    tenant,
)

FOREIGN_HOSTS = (
    "evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1:8200@evil.example",
    "127.0.0.1/static/?",
    "localhost#",
    "",
)
FOREIGN_ORIGINS: Mapping[str, Mapping[str, str]] = {
    "another site": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "another site, old browser": {"origin": "https://evil.example"},
    "another port": {"origin": "http://127.0.0.1:9999"},
    "another name of this machine": {"origin": "http://localhost:8200"},
    "the same site": {"origin": HOST, "sec-fetch-site": "same-site"},
    "a sandboxed frame": {"origin": "null", "sec-fetch-site": "cross-site"},
    "an origin that hides": {"origin": "null"},
    "no word of where from": {},
}


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_is_refused(host: str) -> None:
    """A site that points its own name at this machine would read our pages (DNS rebinding)."""

    async def visit() -> None:
        async with house() as home, home.signed_in() as browser:
            for path in ("/", "/static/web.css", "/healthz", "/metrics"):
                answer = await browser.get(path, headers={"host": host})
                assert answer.status_code == 421, path

    in_time(visit)


@pytest.mark.parametrize("host", ["127.0.0.1:8200", "localhost:8200", "LOCALHOST", "[::1]:8200"])
def test_the_names_of_this_machine_are_taken(host: str) -> None:
    """A person types localhost as well."""

    async def visit() -> None:
        async with house() as home, home.signed_in() as browser:
            answer = await browser.get("/", headers={"host": host})
            assert answer.status_code == 200

    in_time(visit)


def test_no_host_and_two_hosts_are_refused() -> None:
    """What stands before us may have believed the other one."""

    async def visit() -> None:
        async with house() as home, home.signed_in() as browser:
            for hosts in ([], ["127.0.0.1", "evil.example"], ["evil.example", "127.0.0.1"]):
                request = browser.build_request("GET", "/healthz")
                del request.headers["host"]
                headers = [("host", host) for host in hosts] + request.headers.multi_items()
                request.headers = httpx.Headers(headers)
                assert (await browser.send(request)).status_code == 421, hosts

    in_time(visit)


# -- the token ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/", f"/runs/{RUN.id}", "/numbers?q=A", "/events", "/metrics", "/static/../metrics"]
)
def test_without_the_token_nothing_is_shown(path: str) -> None:
    """Every user of this machine reaches the port."""

    async def visit() -> None:
        async with house(tenant(await filled(1))) as home, home.browser() as browser:
            for cookies in ({}, {COOKIE: "x"}, {COOKIE: ""}):
                browser.cookies = httpx.Cookies(cookies)
                answer = await browser.get(path)
                assert answer.status_code == 403
                assert RUN.id not in answer.text
                assert "k3push serve" in answer.text

    in_time(visit)


def test_the_token_lets_one_browser_in_and_is_spent() -> None:
    """The address stands in a terminal, and in the history of the browser."""

    async def visit() -> None:
        async with house() as home, home.browser() as first, home.browser() as second:
            answer = await first.get("/enter", params={"token": home.ready.token})
            assert answer.status_code == 200
            cookie = answer.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=strict" in cookie
            assert home.ready.token not in cookie
            assert 'http-equiv="refresh" content="0; url=/"' in answer.text
            assert (await first.get("/")).status_code == 200
            refused = await second.get("/enter", params={"token": home.ready.token})
            assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
            # Opened again from the terminal, it leads who is in to the first page.
            again = await first.get("/enter", params={"token": home.ready.token})
            assert (again.status_code, "set-cookie" in again.headers) == (200, False)

    in_time(visit)


def test_what_fetches_ahead_does_not_spend_the_token() -> None:
    """A preview of the address would lock the person out."""

    async def visit() -> None:
        async with house() as home, home.browser() as browser:
            right = {"token": home.ready.token}
            ahead = {"sec-purpose": "prefetch"}
            assert (await browser.get("/enter", params=right, headers=ahead)).status_code == 403
            assert (await browser.head("/enter", params=right)).status_code == 403
            for wrong in ("", "x", home.ready.token[:-1], home.ready.token + "x"):
                assert (await browser.get("/enter", params={"token": wrong})).status_code == 403
            assert (await browser.get("/enter", params=right)).status_code == 200

    in_time(visit)


def test_a_session_ends() -> None:
    """By signing out, or by a night without a look."""

    async def visit() -> None:
        async with house() as home, home.signed_in() as browser:
            page = await browser.get("/")
            kept = browser.cookies[COOKIE]
            left = await browser.post("/leave", data={"seal": seal_of(page)})
            assert (left.status_code, "<h1>Signed out</h1>" in left.text) == (200, True)
            assert COOKIE not in browser.cookies
            browser.cookies.set(COOKIE, kept)
            assert (await browser.get("/")).status_code == 403

    in_time(visit)
    now_s = [0.0]
    sessions = Sessions(lambda: now_s[0])
    id_ = sessions.begin()
    now_s[0] = IDLE_S
    assert sessions.user_of(id_) == ""
    now_s[0] = 2 * IDLE_S + 1
    assert sessions.user_of(id_) is None


def test_no_log_holds_the_token() -> None:
    """Logs are sent on, and kept."""

    async def visit() -> None:
        async with house() as home, home.signed_in() as browser:
            await browser.get("/numbers", params={"q": "SECRET-QUERY"})
            said = str(home.logged)
            assert "/numbers" in said
            assert "/enter" in said
            assert home.ready.token not in said
            assert "SECRET-QUERY" not in said

    in_time(visit)


# -- forms ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FOREIGN_ORIGINS)
def test_a_form_of_another_page_is_refused(name: str) -> None:
    """A page elsewhere can have a browser send a form, cookies and all."""

    async def visit() -> None:
        async with house(tenant(await filled(1))) as home, home.signed_in() as browser:
            seal = seal_of(await browser.get("/"))
            for header in ("origin", "sec-fetch-site"):
                del browser.headers[header]
            data = {"seal": seal, "words": "stop"}
            answer = await browser.post(
                f"/runs/{RUN.id}/control", data=data, headers=FOREIGN_ORIGINS[name]
            )
            assert answer.status_code == 403
            assert "not sent by the dashboard" in answer.text

    in_time(visit)


def test_who_comes_through_a_proxy_that_changes_the_host_is_told_what_mends_it() -> None:
    """It may drop the port alone, and every page is shown; only forms are refused."""

    async def visit() -> None:
        async with house(tenant(await filled(1))) as home, home.signed_in() as browser:
            seal = seal_of(await browser.get("/"))
            answer = await browser.post(
                f"/runs/{RUN.id}/control",
                data={"seal": seal, "words": "stop"},
                headers={"host": "127.0.0.1", "origin": "http://127.0.0.1:9999"},
            )
            assert answer.status_code == 403
            assert "has to keep the Host, with its port" in answer.text

    in_time(visit)


def test_a_forged_form_is_refused() -> None:
    """What the form brings along is bound to the session, and nobody else's will do."""

    async def visit() -> None:
        async with house(tenant(await filled(1))) as home, home.signed_in() as browser:
            seal = seal_of(await browser.get("/"))
            url = f"/runs/{RUN.id}/control"
            for forged in ({}, {"seal": ""}, {"seal": seal[:-1]}, {"seal": "é"}):
                answer = await browser.post(url, data={**forged, "words": "stop"})
                assert (answer.status_code, "not belong to this session" in answer.text) == (
                    403,
                    True,
                )
            async with home.browser() as other:
                other.cookies.set(COOKIE, "another session")
                answer = await other.post(url, data={"seal": seal, "words": "stop"})
                assert answer.status_code == 403
                # Whose session has ended with the server cannot load the page again.
                assert "Open the address" in answer.text
            passed = await browser.post(url, data={"seal": seal, "words": "stop"})
            assert "not under way" in (await led(browser, passed)).text

    in_time(visit)


def test_a_form_cannot_fill_the_memory() -> None:
    """Nobody has signed in yet when a form is read."""

    async def visit() -> None:
        async with house() as home, home.browser() as browser:
            answer = await browser.post("/login", content=b"a" * 70_000)
            assert answer.status_code == 413
            many = await browser.post("/login", content=b"&".join([b"a=1"] * 1000))
            assert many.status_code == 403
            assert (await browser.put("/login")).status_code == 405

    anyio.run(visit)  # httpx leaves a form half read, which trio would complain of


# -- what every answer forbids --------------------------------------------------------------------


def test_every_answer_forbids_what_no_page_needs() -> None:
    """A text that became markup after all would find nothing that it may do."""

    async def visit() -> None:
        async with house(tenant(await filled(1))) as home, home.signed_in() as browser:
            answers = [
                await browser.get(path)
                for path in ("/", f"/runs/{RUN.id}", "/static/live.js", "/healthz", "/gone")
            ]
            answers.append(await browser.get("/", headers={"host": "evil.example"}))
            for answer in answers:
                policy = dict(
                    each.strip().split(" ", 1)
                    for each in answer.headers["content-security-policy"].split(";")
                )
                assert policy["default-src"] == "'none'"
                assert policy["frame-ancestors"] == "'none'"
                assert policy["form-action"] == policy["script-src"] == "'self'"
                assert "unsafe" not in str(policy)
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["cache-control"] == "no-store"
                assert answer.headers["referrer-policy"] == "same-origin"
            for page in answers[:2]:
                assert (
                    re.findall(r"<script(?! src=\"/static/)|<style|\son\w+=|style=", page.text)
                    == []
                )
                assert re.findall(r"(?:https?:)?//[\w.]+", page.text) == []

    in_time(visit)


# -- the password ---------------------------------------------------------------------------------


async def _try(browser: httpx.AsyncClient, password: str) -> httpx.Response:
    seal = seal_of(await browser.get("/login"))
    return await browser.post("/login", data={"seal": seal, "password": password})


def test_a_password_lets_in_under_a_new_id() -> None:
    """An id that somebody else has put into the browser must not become a session."""

    async def visit() -> None:
        async with house(rules=PASSWORD) as home, home.browser() as browser:
            asked = await browser.get("/")
            assert (asked.status_code, asked.headers["location"]) == (303, "/login")
            page = await browser.get("/login")
            before = browser.cookies[COOKIE]
            data = {"seal": seal_of(page), "password": "correct horse"}
            passed = await browser.post("/login", data=data)
            assert (passed.status_code, passed.headers["location"]) == (303, "/")
            assert browser.cookies[COOKIE] != before
            assert (await browser.get("/")).status_code == 200
            spent = await browser.get("/enter", params={"token": home.ready.token})
            assert spent.headers["location"] == "/"
            async with home.browser(cookie=f"{COOKIE}={before}") as thief:
                assert (await thief.get("/")).headers["location"] == "/login"

    in_time(visit)


def test_who_signs_in_comes_to_the_page_that_was_asked_for() -> None:
    """Whoever was sent a link to a run need not look for it; a wrong password changes nothing."""
    wanted = "/?sort=newest&lang=en"

    async def visit() -> None:
        async with house(rules=PASSWORD) as home, home.browser() as browser:
            asked = await browser.get(wanted)
            assert asked.headers["location"].startswith("/login?next=")
            page = await browser.get(asked.headers["location"])
            for password, status in (("wrong", 403), ("correct horse", 429)):
                data = {**fields_of(page), "password": password}
                page = await browser.post("/login", data=data)
                assert page.status_code == status
            await anyio.sleep(1)
            data = {**fields_of(page), "password": "correct horse"}
            passed = await browser.post("/login", data=data)
            assert (passed.status_code, passed.headers["location"]) == (303, wanted)
            assert (await browser.get(wanted)).status_code == 200

    in_time(visit)


@pytest.mark.parametrize(
    "foreign", ["//evil.example", "/\\evil.example", "https://evil.example/", "/\t/evil", "x", "/ "]
)
def test_a_link_leads_through_the_sign_in_to_no_other_site(foreign: str) -> None:
    """What looks like our page would be somebody else's."""

    async def visit() -> None:
        async with house(rules=PASSWORD) as home, home.browser() as browser:
            seal = seal_of(await browser.get("/login", params={"next": foreign}))
            data = {"seal": seal, "password": "correct horse", "next": foreign}
            passed = await browser.post("/login", data=data)
            assert (passed.status_code, passed.headers["location"]) == (303, "/")
            again = await browser.get("/login", params={"next": foreign})
            assert (again.status_code, again.headers["location"]) == (303, "/")

    in_time(visit)


def test_the_token_is_no_way_round_the_password() -> None:
    """It is printed nowhere then, and counts for nothing."""

    async def visit() -> None:
        async with house(rules=PASSWORD) as home, home.browser() as browser:
            answer = await browser.get("/enter", params={"token": home.ready.token})
            assert "set-cookie" not in answer.headers
            assert (await browser.get("/")).headers["location"] == "/login"

    in_time(visit)


def test_who_guesses_passwords_is_slowed_down() -> None:
    """Even the right one has to wait, and others at other addresses do not."""

    async def visit() -> None:
        async with house(rules=PASSWORD) as home, home.browser() as browser:
            wrong = await _try(browser, "wrong")
            assert (wrong.status_code, "wrong" in wrong.text) == (403, True)
            waits = await _try(browser, "correct horse")
            assert (waits.status_code, waits.headers["retry-after"]) == (429, "1")
            async with home.browser("192.0.2.7") as other:
                other.headers["x-forwarded-for"] = "127.0.0.1"
                assert (await _try(other, "correct horse")).status_code == 303
            assert [name for name, _ in home.logged if name != "request"] == [
                "login.refused",
                "login.passed",
            ]
            assert "correct horse" not in str(home.logged)

    in_time(visit)


def test_each_failure_makes_the_wait_longer_up_to_a_minute() -> None:
    """A thousand guesses take most of a day."""
    now_s = [0.0]
    brake = Brake(lambda: now_s[0])
    waits = []
    for _ in range(8):
        brake.failed("2001:db8::1")
        waits.append(brake.wait_s("2001:db8::ffff"))
        now_s[0] += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert brake.wait_s("2001:db8:0:1::1") == 0
    brake.failed("2001:db8::1")
    brake.passed("2001:db8::1")
    assert brake.wait_s("2001:db8::1") == 0


# -- a reverse proxy ------------------------------------------------------------------------------


def test_only_the_proxy_is_believed_when_it_names_a_user() -> None:
    """Anybody can write a header."""

    async def visit() -> None:
        async with house(rules=PROXY) as home:
            cases = [
                ("10.0.0.9", {"x-remote-user": "wang"}, 200),
                ("10.0.0.9", {}, 401),
                ("10.0.0.9", {"x-remote-user": " "}, 401),
                # Nobody passes for a program or for a schedule.
                ("10.0.0.9", {"x-remote-user": "api/wms"}, 401),
                ("10.0.0.9", {"x-remote-user": "schedule/nightly"}, 401),
                ("192.0.2.7", {"x-remote-user": "wang"}, 403),
                ("192.0.2.7", {"x-remote-user": "wang", "x-forwarded-for": "10.0.0.9"}, 403),
            ]
            for address, headers, status in cases:
                async with home.browser(address, **headers) as browser:
                    answer = await browser.get("/")
                    assert answer.status_code == status, (address, headers)
                    assert ("wang" in answer.text) == (status == 200)
            async with home.browser("10.0.0.9") as browser:
                twice = [("x-remote-user", "wang"), ("x-remote-user", "li")]
                assert (await browser.get("/", headers=twice)).status_code == 401

    in_time(visit)


def test_the_form_of_one_user_is_not_anothers() -> None:
    """Where there are no sessions, forms are bound to the user."""

    async def visit() -> None:
        ledger = await filled(1)
        number = await in_doubt(ledger, "CGDD-LOST")
        async with (
            house(tenant(ledger), rules=PROXY) as home,
            home.browser("10.0.0.9", **{"x-remote-user": "wang"}) as wang,
            home.browser("10.0.0.9", **{"x-remote-user": "li"}) as li,
        ):
            seal = seal_of(await wang.get(f"/numbers/{number}"))
            form = {"seal": seal, "number": number, "word": "absent", "because": "seen"}
            assert (await li.post("/settle", data=form)).status_code == 403
            assert (await wang.post("/settle", data=form)).status_code == 200

    in_time(visit)


def test_behind_https_the_cookie_is_secure() -> None:
    """The proxy says so, and nobody else is asked."""
    rules = replace(PASSWORD, proxies=PROXY.proxies)

    async def visit() -> None:
        async with house(rules=rules) as home:
            for address, secure in (("10.0.0.9", True), ("192.0.2.7", False)):
                async with home.browser(address, **{"x-forwarded-proto": "https"}) as browser:
                    page = await browser.get("/login")
                    assert ("Secure" in page.headers["set-cookie"]) == secure

    in_time(visit)


# -- machines -------------------------------------------------------------------------------------


def test_metrics_need_a_session_or_the_collectors_token() -> None:
    """They tell how business goes."""
    rules = replace(RULES, metrics_token="collect-me")

    async def visit() -> None:
        async with house(tenant(await filled(2)), rules=rules) as home, home.browser() as browser:
            for given in ("", "Bearer ", "Bearer wrong", "collect-me", "bearer collect-me"):
                answer = await browser.get("/metrics", headers={"authorization": given})
                assert answer.status_code == 401, given
            right = {"authorization": "Bearer collect-me"}
            answer = await browser.get("/metrics", headers=right)
            assert 'k3push_numbers{route="po-instock",state="pushed"' in answer.text
            assert (await browser.get("/", headers=right)).status_code == 403
        async with house(tenant(await filled(2))) as home, home.browser() as browser:
            nothing = {"authorization": "Bearer "}
            assert (await browser.get("/metrics", headers=nothing)).status_code == 403
            async with home.signed_in() as person:
                assert (await person.get("/metrics")).status_code == 200

    in_time(visit)
