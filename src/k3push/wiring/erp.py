"""Settings into the ERP adapters; commands that only look at the ledger do without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio

from k3push.adapters.erp.client import ErpClient
from k3push.adapters.erp.endpoint import Endpoint, UnusableEndpointError, check_endpoint
from k3push.adapters.erp.identities import Identities
from k3push.adapters.erp.rate_limit import CallLine, RateLimit
from k3push.adapters.erp.session import LoginGate
from k3push.config.secret_values import Secret
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import ErpSettings, Settings, User
from k3push.core.protocol.logins import (
    HeaderSignature,
    LoginCall,
    app_secret_login,
    password_login,
    sign_login,
)
from k3push.core.remark import remark
from k3push.runs.stop import is_session_lost

LEFT_ALONE_S = 24 * 3600.0
"""For so long a user whose login was refused is not tried again, where others are let in."""


def endpoints_of(settings: Settings) -> dict[str, Endpoint]:
    """Return where the ERP is and how to talk to it, by user, the first user first.

    The secrets are resolved now.

    Raises:
        SettingsError: A secret is not where it should be, or no call can be made.
    """
    erp = settings.erp
    verify = erp.verify if isinstance(erp.verify, bool) else settings.folder / erp.verify
    sites = {
        user.username: Endpoint(
            url=erp.url,
            login=_login(erp, user, settings.file),
            form_encoded=erp.encoding == "form",
            verify=verify,
            connect_timeout_s=erp.connect_timeout_s,
            answer_timeout_s=erp.answer_timeout_s,
            user=user.username,
        )
        for user in erp.users
    }
    try:
        check_endpoint(next(iter(sites.values())))
    except UnusableEndpointError as error:
        ours = error.key.startswith("erp.")
        place = str(settings.file) if ours else remark("setting.environment")
        raise SettingsError.of(place, error.key, str(error)) from error
    return sites


@dataclass(frozen=True, slots=True)
class ErpAccess:
    """The way to the ERP that all executions of one command take.

    Attributes:
        sites: How each user talks to it.
        refused: Users who are set aside, for the rest of the command (P 2.4).
        line: In which all their calls wait for their turns.
    """

    sites: Mapping[str, Endpoint]
    refused: dict[str, str] = field(default_factory=dict)
    line: CallLine = field(default_factory=CallLine)

    def opened(
        self, calls_per_minute: Callable[[], int], set_aside: Callable[[str, str], None]
    ) -> ErpClient | Identities:
        """Return the ERP for one execution.

        Args:
            calls_per_minute: The limit as it is now, for all users together, and all executions.
            set_aside: Is told of a user who is set aside while others are left, with the ERP's
                words.
        """
        turns = RateLimit(calls_per_minute, self.line)
        users = {name: ErpClient(site, turns=turns) for name, site in self.sites.items()}
        if len(users) == 1:
            return next(iter(users.values()))
        return Identities(users, refused=self.refused, set_aside=set_aside)


@dataclass(slots=True)
class RefusedUsers:
    """Users of a tenant who were refused while others were let in, over many executions.

    Each execution would try them once more, and five wrong logins lock the account (P 2.4). Where
    nobody is let in, nothing is kept: that holds up the tenant, until a person has mended it. Nor
    do executions that go on side by side try a user's login each for itself. Their calls are
    counted together.
    """

    _settings: ErpSettings | None = None
    # Since when, and why, by user.
    _known: dict[str, tuple[float, str]] = field(default_factory=dict)
    _gates: dict[str, LoginGate] = field(default_factory=dict)
    _line: CallLine = field(default_factory=CallLine)

    def spare(self, entrance: ErpAccess, settings: ErpSettings) -> ErpAccess:
        """Return the way in without them, for one execution."""
        if settings != self._settings:
            self._settings, self._known, self._gates = settings, {}, {}
        now_s = anyio.current_time()
        oldest_s = now_s - LEFT_ALONE_S
        self._known = {user: each for user, each in self._known.items() if each[0] > oldest_s}
        sites = {
            user: replace(
                site,
                login_turn=partial(self._gates.setdefault(user, LoginGate()).turn, now_s),
            )
            for user, site in entrance.sites.items()
        }
        refused = {user: why for user, (_, why) in self._known.items()}
        return replace(entrance, sites=sites, refused=refused, line=self._line)

    def learn(self, entrance: ErpAccess, settings: ErpSettings) -> None:
        """Note who was refused in an execution."""
        if settings != self._settings:
            return  # they have been mended since
        for user, why in entrance.refused.items():
            if not is_session_lost(why):
                self._known.setdefault(user, (anyio.current_time(), why))
        if len(self._known) == len(entrance.sites):
            self._known = {}


def _login(
    erp: ErpSettings, user: User, config: Path
) -> Callable[[int], LoginCall] | HeaderSignature:
    name = user.username
    if erp.auth == "password":
        password = _resolved(user.password, user.password_key, config)
        call = password_login(erp.acct_id, name, password, erp.lcid)
        return lambda _: call
    secret = _resolved(erp.app_secret, "erp.app_secret", config)
    if erp.auth == "app_secret":
        call = app_secret_login(erp.acct_id, name, erp.app_id, secret, erp.lcid)
        return lambda _: call
    if erp.auth == "sign":
        return lambda timestamp_s: sign_login(
            erp.acct_id, name, erp.app_id, secret, erp.lcid, timestamp_s=timestamp_s
        )
    return HeaderSignature(erp.acct_id, name, erp.app_id, secret, erp.lcid, erp.org_num)


def _resolved(secret: Secret | None, key: str, config: Path) -> str:
    if secret is None:
        raise ValueError(f"{key} was checked when the settings were read")
    return secret.resolve(key, config)
