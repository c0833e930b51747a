"""Settings into the ERP adapter; commands that only look at the ledger do without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from k3push.adapters.erp_http import Site
from k3push.core.logins import (
    HeaderSignature,
    LoginCall,
    app_secret_login,
    password_login,
    sign_login,
)
from k3push.settings import ErpSettings, Secret, Settings


def site_of(settings: Settings) -> Site:
    """Return where the ERP is and how to talk to it; the secrets are resolved now."""
    erp = settings.erp
    verify = erp.verify if isinstance(erp.verify, bool) else settings.folder / erp.verify
    return Site(
        url=erp.url,
        login=_login(erp, settings.file),
        form_encoded=erp.encoding == "form",
        verify=verify,
        connect_timeout_s=erp.connect_timeout_s,
        answer_timeout_s=erp.answer_timeout_s,
    )


def _login(erp: ErpSettings, config: Path) -> Callable[[int], LoginCall] | HeaderSignature:
    if erp.auth == "password":
        password = _resolved(erp.password, "erp.password", config)
        call = password_login(erp.acct_id, erp.username, password, erp.lcid)
        return lambda _: call
    secret = _resolved(erp.app_secret, "erp.app_secret", config)
    if erp.auth == "app_secret":
        call = app_secret_login(erp.acct_id, erp.username, erp.app_id, secret, erp.lcid)
        return lambda _: call
    if erp.auth == "sign":
        return lambda timestamp_s: sign_login(
            erp.acct_id, erp.username, erp.app_id, secret, erp.lcid, timestamp_s=timestamp_s
        )
    return HeaderSignature(erp.acct_id, erp.username, erp.app_id, secret, erp.lcid, erp.org_num)


def _resolved(secret: Secret | None, key: str, config: Path) -> str:
    if secret is None:
        raise ValueError(f"{key} was checked when the settings were read")
    return secret.resolve(key, config)
