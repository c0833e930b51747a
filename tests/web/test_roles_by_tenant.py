"""Who sees which tenant, and what they may do there: each user against each tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

import anyio
import pytest

from k3push.core.web_addresses import LOOPBACK
from k3push.web.admission.access import Rules
from k3push.web.admission.roles import Role
from k3push.web.pages.live import SESSION_LOOK_S
from k3push.web.tenant_ledgers import ServedTenant
from tests.memory_ledger.ledger import MemoryLedger
from tests.reporting.pages import RUN, filled, number
from tests.web.shop import SECRETS, signed_in
from tests.web.test_live import Viewer
from tests.web.visits import COOKIE, RULES, house, in_time, seal_of, tenant

USERS = ("guest", "li", "wang")
EVERYWHERE = {"guest": Role.APPROVE}
BY_TENANT: Mapping[str, Mapping[str, Role]] = {
    "a": {"wang": Role.OPERATE, "guest": Role.VIEW},
    "b": {"li": Role.VIEW},
    "c": {},
}

# User -> what they may do in a, b and c.
MAY: Mapping[str, Mapping[str, Role]] = {
    "guest": {"a": Role.VIEW, "b": Role.APPROVE, "c": Role.APPROVE},
    "wang": {"a": Role.OPERATE, "b": Role.NONE, "c": Role.NONE},
    "li": {"a": Role.NONE, "b": Role.VIEW, "c": Role.NONE},
}

# What needs which role, beside how it is asked for.
NEEDS: Mapping[tuple[str, str], Role] = {
    ("GET", "/"): Role.VIEW,
    ("GET", f"/runs/{RUN.id}"): Role.VIEW,
    ("GET", f"/runs/{RUN.id}/files/ledger.csv"): Role.VIEW,
    ("GET", f"/numbers/{number(0)}"): Role.VIEW,
    ("GET", "/push"): Role.OPERATE,
    ("POST", f"/runs/{RUN.id}/control"): Role.OPERATE,
    ("POST", "/settle"): Role.OPERATE,
    ("POST", "/plans/20260102-120000-abcdef01/approve"): Role.APPROVE,
}


def rules(roles: Mapping[str, Role] = EVERYWHERE) -> Rules:
    """Return a door that knows users by name."""
    return Rules(hosts=LOOPBACK, cookie=COOKIE, passwords=SECRETS, roles=roles)


def tenants(
    ledger: MemoryLedger, by_tenant: Mapping[str, Mapping[str, Role]]
) -> list[ServedTenant]:
    """Return tenants of one ledger."""
    return [replace(tenant(ledger, name), roles=roles) for name, roles in by_tenant.items()]


@pytest.mark.parametrize("user", USERS)
def test_each_user_may_in_each_tenant_what_the_table_says(user: str) -> None:
    """Of a tenant that somebody sees nothing of, not even its name is told."""

    async def visit() -> None:
        ledger = await filled(2)
        async with (
            house(*tenants(ledger, BY_TENANT), rules=rules(), several=True) as home,
            signed_in(home, user) as browser,
        ):
            seal = seal_of(await browser.get("/"))
            nowhere = (await browser.get("/t/nowhere/")).text
            for name, role in MAY[user].items():
                for (method, path), least in NEEDS.items():
                    url = f"/t/{name}{path}"
                    answer = await browser.request(
                        method, url, data={"seal": seal} if method == "POST" else None
                    )
                    case = (name, method, path, answer.status_code)
                    if role is Role.NONE:
                        assert answer.status_code == HTTPStatus.NOT_FOUND, case
                        assert method == "POST" or answer.text.replace(name, "x") == (
                            nowhere.replace("nowhere", "x").replace(name, "x")
                        )
                    else:
                        refused = answer.status_code == HTTPStatus.FORBIDDEN
                        assert refused == (role < least), case

    in_time(visit)


@pytest.mark.parametrize("user", USERS)
def test_pages_of_all_tenants_show_those_that_somebody_sees(user: str) -> None:
    """The overview, the search and the figures for collectors."""

    async def visit() -> None:
        ledger = await filled(2)
        seen = {name for name, role in MAY[user].items() if role >= Role.VIEW}
        async with (
            house(*tenants(ledger, BY_TENANT), rules=rules(), several=True) as home,
            signed_in(home, user) as browser,
        ):
            for page in ("/", f"/numbers?q={number(0)}", f"/numbers?q={RUN.id}"):
                text = (await browser.get(page)).text
                assert {name for name in BY_TENANT if f"/t/{name}/" in text} == seen, page
            expected = HTTPStatus.OK if user in EVERYWHERE else HTTPStatus.FORBIDDEN
            assert (await browser.get("/metrics")).status_code == expected

    in_time(visit)


def test_tenants_stay_apart_when_the_file_that_says_so_is_gone() -> None:
    """A fault in one file must not open the others to everybody."""

    async def visit() -> None:
        ledger = await filled(1)
        some = {"a": {"wang": Role.VIEW}, "b": {}}
        async with (
            house(*tenants(ledger, some), rules=rules({}), several=True) as home,
            signed_in(home, "wang") as browser,
        ):
            assert (await browser.get("/t/a/")).status_code == HTTPStatus.OK
            assert (await browser.get("/t/b/")).status_code == HTTPStatus.NOT_FOUND
            home.ready.take(tenants(ledger, {"b": {}}))
            assert (await browser.get("/t/b/")).status_code == HTTPStatus.NOT_FOUND
            assert "/t/b/" not in (await browser.get("/")).text

    in_time(visit)


def test_a_live_view_ends_with_the_role_that_let_it_in() -> None:
    """Else a page that stays open would tell for months how a tenant's runs go."""

    async def visit() -> None:
        ledger, viewer = await filled(1), Viewer()
        async with (
            house(
                *tenants(ledger, {"a": {"wang": Role.VIEW}}), rules=rules(), several=True
            ) as home,
            signed_in(home, "wang") as browser,
            anyio.create_task_group() as tasks,
        ):
            cookie = f"{COOKIE}={browser.cookies[COOKIE]}"
            tasks.start_soon(viewer.view, home, cookie, "/t/a/events")
            await anyio.sleep(2 * SESSION_LOOK_S)
            assert not viewer.ended
            home.ready.take(tenants(ledger, {"a": {"li": Role.VIEW}}))
            await anyio.sleep(2 * SESSION_LOOK_S)
            assert viewer.ended

    in_time(visit)


def test_the_printed_address_knows_no_names_and_shows_all() -> None:
    """Roles that come into a file meanwhile lock nobody out of their own machine."""

    async def visit() -> None:
        ledger = await filled(1)
        async with (
            house(*tenants(ledger, BY_TENANT), rules=RULES, several=True) as home,
            home.signed_in() as browser,
        ):
            assert all([(await browser.get(f"/t/{name}/")).is_success for name in BY_TENANT])

    in_time(visit)
