"""Who may come in to the dashboard, as `[serve]` of the settings says."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from k3push.config.secret_values import Secret
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import OpenIdSettings, ServeSettings, Settings
from k3push.core.remark import remark
from k3push.core.web_addresses import LOOPBACK
from k3push.runs.problem import Problem
from k3push.web import OpenId, Role, Rules

SHORTEST_PASSWORD = 8


def door_of(settings: Sequence[Settings]) -> Settings:
    """Return the settings whose `[serve]` counts: of several files, one may have it.

    Raises:
        Problem: Two files have it, and differ; or there are roles, and nobody is known by name.
    """
    saying = [each for each in settings if not says_roles_alone(each.serve)] or settings[:1]
    door = saying[0]
    for each in saying[1:]:
        if each.serve != door.serve:
            raise Problem(remark("serve.two_doors", one=door.file, other=each.file))
    if not door.serve.knows_names:
        for each in settings:
            if each.serve.roles:
                raise Problem(remark("serve.nobody_named", file=each.file))
    return door


def says_roles_alone(serve: ServeSettings) -> bool:
    """Say whether a file says nothing of the door; its roles, if any, are for its tenant."""
    return serve.model_copy(update={"roles": {}}) == ServeSettings()


def rules_of(host: str, settings: Settings) -> Rules:
    """Say who may come in.

    Raises:
        Problem: Other machines could come in, and nothing would hold them up.
        SettingsError: A secret is not where it should be, or a password is short.
    """
    serve = settings.serve

    def secret(key: str, kept: Secret | None) -> str:
        return kept.resolve(f"serve.{key}", settings.file) if kept else ""

    password = secret("password", serve.password)
    passwords = {name: secret(f"passwords.{name}", each) for name, each in serve.passwords.items()}
    if not (is_loopback(host) or password or serve.knows_names):
        raise Problem(remark("serve.open_door", host=host))
    named = {f"passwords.{name}": each for name, each in passwords.items()}
    for key, each in {"password": password, **named}.items():
        if each and len(each) < SHORTEST_PASSWORD:
            what = remark("serve.short_password", least=SHORTEST_PASSWORD)
            raise SettingsError.of(settings.file, f"serve.{key}", what)
    own = {host.lower()} if not is_any(host) else set()
    return Rules(
        hosts=LOOPBACK | own | {each.lower() for each in serve.hosts},
        cookie="k3push",
        password=password,
        passwords=passwords,
        roles=roles_of(serve),
        four_eyes=serve.four_eyes,
        user_header=serve.user_header,
        proxies=[ipaddress.ip_network(each) for each in serve.trusted_proxies],
        metrics_token=secret("metrics_token", serve.metrics_token),
        openid=_openid_of(serve.openid, secret("openid.client_secret", serve.openid.client_secret)),
    )


def _openid_of(openid: OpenIdSettings, client_secret: str) -> OpenId | None:
    """Return how users come in by a provider; None where none is named."""
    if not openid.issuer:
        return None
    from k3push.adapters.openid import OpenIdError, OpenIdProvider  # noqa: PLC0415  # Authlib takes a moment

    provider = OpenIdProvider(openid.issuer, openid.client_id, client_secret, openid.scopes)
    roles = {value: Role[role.upper()] for value, role in openid.roles.items()}
    return OpenId(provider, OpenIdError, openid.user_claim, openid.roles_claim, roles)


def roles_of(serve: ServeSettings) -> dict[str, Role]:
    """Return the roles of users, by their names."""
    return {name: Role[role.upper()] for name, role in serve.roles.items()}


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches a host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_any(host: str) -> bool:
    """Say whether a host is every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
