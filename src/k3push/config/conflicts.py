"""Settings that are well-formed, each for itself, and cannot be used together."""

from __future__ import annotations

from collections.abc import Iterator

from k3push.config.checked_values import parts_of_database, password_in
from k3push.config.setting_errors import no_route
from k3push.config.settings import (
    POSTGRES,
    SELECT,
    LedgerSettings,
    OpenIdSettings,
    ServeSettings,
    Settings,
)
from k3push.core.protocol.source_forms import source_form
from k3push.core.remark import remark


def conflicts(settings: Settings) -> Iterator[tuple[str, str]]:
    """Find what cannot be used together: a key, and the cure."""
    erp = settings.erp
    by_password: dict[str, object] = {user.password_key: user.password for user in erp.users}
    by_application: dict[str, object] = {"erp.app_id": erp.app_id, "erp.app_secret": erp.app_secret}
    for key, value in (by_password if erp.auth == "password" else by_application).items():
        if not value:
            yield key, remark("erp.needed", auth=erp.auth)
    yield from faults_of_ledger(settings.ledger)
    yield from _conflicts_of_window(settings)
    for name, route in settings.routes.items():
        if not name.strip():  # a line that names no route would ask for it
            yield "routes", remark("setting.no_route_name")
        if bool(route.rule) == route.default_rule:
            yield f"routes.{name}.rule", remark("route.rule")
        if route.select.organisation and not source_form(route.source).organisation:
            key = f"routes.{name}.select.organisation"
            yield key, remark("select.no_organisation_field", form=route.source)
    yield from _conflicts_of_door(settings.serve)
    if settings.api.webhooks and settings.api.webhook_secret is None:
        yield "api.webhook_secret", remark("setting.webhook_secret")
    yield from _conflicts_of_fleet(settings)
    seen: set[str] = set()
    for user in erp.users:
        if user.username.strip().casefold() in seen:
            # Two sessions of one user share one queue, and its wrong logins add up (P 2.4).
            yield f"{user.section}.username", remark("erp.user_twice", user=user.username)
        seen.add(user.username.strip().casefold())


def _conflicts_of_window(settings: Settings) -> Iterator[tuple[str, str]]:
    erp, settle = settings.erp, settings.settle
    longest_s = erp.connect_timeout_s + erp.answer_timeout_s
    if settle.window_s <= longest_s:
        # A call that is still at work when "not there" is believed makes a second document.
        timeouts = {"connect": "erp.connect_timeout_s", "answer": "erp.answer_timeout_s"}
        yield "settle.window_s", remark("settle.short_window", least=longest_s, **timeouts)
    for key, seconds in (("first_wait_s", settle.first_wait_s), ("poll_s", settle.poll_s)):
        if seconds > settle.window_s:
            window = {"window": "settle.window_s", "most": settle.window_s}
            yield f"settle.{key}", remark("settle.late", **window)


def _conflicts_of_door(serve: ServeSettings) -> Iterator[tuple[str, str]]:
    if serve.user_header and serve.password:
        yield "serve.password", remark("setting.password_or_header")
    if serve.passwords and (serve.user_header or serve.password):
        yield "serve.passwords", remark("setting.passwords_alone")
    yield from _conflicts_of_openid(serve)
    if not serve.knows_names:
        if serve.four_eyes:
            yield "serve.four_eyes", remark("setting.nobody_named")
        if serve.roles and serve.password:  # without it, another file may name the users
            yield "serve.roles", remark("setting.nobody_named")
    if serve.passwords:
        for name in serve.roles:
            if name not in serve.passwords:
                yield f"serve.roles.{name}", remark("setting.no_password_of", name=name)
    if serve.user_header and not serve.trusted_proxies:
        yield "serve.trusted_proxies", remark("setting.whose_header")


def _conflicts_of_openid(serve: ServeSettings) -> Iterator[tuple[str, str]]:
    openid = serve.openid
    if not openid.issuer:
        if openid != OpenIdSettings():
            yield "serve.openid.issuer", remark("setting.openid_needs", key="issuer")
        return
    if serve.password or serve.passwords or serve.user_header:
        yield "serve.openid", remark("setting.openid_alone")
    for key in ("client_id", "client_secret"):
        if not getattr(openid, key):
            yield f"serve.openid.{key}", remark("setting.openid_needs", key=key)
    if "openid" not in openid.scopes:
        yield "serve.openid.scopes", remark("setting.openid_scope")
    if bool(openid.roles) != bool(openid.roles_claim):
        yield "serve.openid.roles", remark("setting.openid_roles")
    if not (openid.roles or serve.roles):
        # Whoever the provider knows could approve.
        yield "serve.roles", remark("setting.openid_everybody")


def _conflicts_of_fleet(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.fleet.database and not settings.fleet.database.startswith(POSTGRES):
        yield "fleet.database", remark("setting.fleet_database")
    elif settings.fleet.database and parts_of_database(settings.fleet.database) is None:
        yield "fleet.database", remark("setting.postgres_url")
    for name, schedule in settings.schedules.items():
        if SELECT in schedule.jobs and not schedule.selects:
            yield f"schedules.{name}.jobs", remark("setting.select_alone")
        if schedule.route is not None and schedule.route not in settings.routes:
            yield f"schedules.{name}.route", no_route(schedule.route, settings.routes)
        elif schedule.selects and schedule.route is None and len(settings.routes) > 1:
            known = ", ".join(settings.routes)
            yield f"schedules.{name}.route", remark("route.which", known=known)


def faults_of_ledger(ledger: LedgerSettings) -> Iterator[tuple[str, str]]:
    """Find what is wrong with where the ledger is said to be: key, and the cure."""
    if ledger.in_postgres:
        parts = parts_of_database(ledger.url)
        if parts is None:
            yield "ledger.url", remark("setting.postgres_url")
        elif not parts.path.strip("/"):
            yield "ledger.url", remark("setting.no_database")
        if ledger.password and password_in(ledger.url):
            yield "ledger.password", remark("setting.two_passwords")
        return
    scheme, _, file = ledger.url.partition(":///")
    if scheme != "sqlite" or not file:
        yield "ledger.url", remark("setting.ledger_url")
    elif "?" in file or file == ":memory:":
        # By other tools' rules it is another place than this name, and a second ledger is one.
        yield "ledger.url", remark("setting.ledger_file")
    if ledger.password:
        yield "ledger.password", remark("setting.sqlite_password")
