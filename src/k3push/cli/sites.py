"""Settings into the ERP adapters; commands that only look at the ledger do without."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from k3push.adapters.erp_http import ErpHttp, Site
from k3push.adapters.erp_pool import ErpPool
from k3push.adapters.erp_turns import Turns
from k3push.core.logins import (
    HeaderSignature,
    LoginCall,
    app_secret_login,
    password_login,
    sign_login,
)
from k3push.settings import ErpSettings, Secret, Settings, User


def sites_of(settings: Settings) -> dict[str, Site]:
    """Return where the ERP is and how to talk to it, by user, the first user first.

    The secrets are resolved now.
    """
    erp = settings.erp
    verify = erp.verify if isinstance(erp.verify, bool) else settings.folder / erp.verify
    return {
        user.username: Site(
            url=erp.url,
            login=_login(erp, user, settings.file),
            form_encoded=erp.encoding == "form",
            verify=verify,
            connect_timeout_s=erp.connect_timeout_s,
            answer_timeout_s=erp.answer_timeout_s,
        )
        for user in erp.users
    }


@dataclass(frozen=True, slots=True)
class Entrance:
    """The way to the ERP that all executions of one command take.

    Attributes:
        sites: How each user talks to it.
        refused: Users who are set aside, for the rest of the command (P 2.4).
    """

    sites: Mapping[str, Site]
    refused: dict[str, str] = field(default_factory=dict)

    def opened(
        self, calls_per_minute: Callable[[], int], set_aside: Callable[[str, str], None]
    ) -> ErpHttp | ErpPool:
        """Return the ERP for one execution.

        Args:
            calls_per_minute: The limit as it is now, for all users together.
            set_aside: Is told of a user who is set aside while others are left, with the ERP's
                words.
        """
        turns = Turns(calls_per_minute)
        users = {name: ErpHttp(site, turns=turns) for name, site in self.sites.items()}
        if len(users) == 1:
            return next(iter(users.values()))
        return ErpPool(users, refused=self.refused, set_aside=set_aside)


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
