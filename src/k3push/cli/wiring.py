"""Settings into adapters."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path

import platformdirs

from k3push.adapters.erp_http import Site
from k3push.adapters.ledger_sqlite import SqliteLedger, open_sqlite
from k3push.cli.problem import Problem
from k3push.cli.words import Say
from k3push.core.logins import (
    HeaderSignature,
    LoginCall,
    app_secret_login,
    password_login,
    sign_login,
)
from k3push.settings import ErpSettings, Secret, Settings, read_settings


class SystemClock:
    """The computer's time of day."""

    def now(self) -> datetime:
        """Return the time, aware."""
        return datetime.now().astimezone()


def find_config(named: Path | None, say: Say) -> Path:
    """Return the configuration file: the named one, the folder's own, or the user's."""
    if named is not None:
        return named
    folder = platformdirs.user_config_path("k3push")
    for path in (Path("config.toml"), folder / "config.toml"):
        if path.is_file():
            return path
    raise Problem(say("no_config", folder=folder))


def load_settings(named: Path | None, say: Say) -> Settings:
    """Read the settings, the environment's included."""
    return read_settings(find_config(named, say), os.environ)


def site_of(settings: Settings) -> Site:
    """Return where the ERP is and how to talk to it; the secrets are resolved now."""
    erp = settings.erp
    verify = erp.verify if isinstance(erp.verify, bool) else settings.folder / erp.verify
    return Site(
        url=erp.url,
        login=_login(erp, settings.folder),
        form_encoded=erp.encoding == "form",
        verify=verify,
        connect_timeout_s=erp.connect_timeout_s,
        answer_timeout_s=erp.answer_timeout_s,
    )


def ledger_of(
    settings: Settings, say: Say, *, create: bool = False
) -> AbstractAsyncContextManager[SqliteLedger]:
    """Open the ledger; a command that only reads does not make one."""
    path = settings.ledger_path
    if not create and not path.exists():
        raise Problem(say("no_ledger", path=path))
    return open_sqlite(path, create=create)


def _login(erp: ErpSettings, folder: Path) -> Callable[[int], LoginCall] | HeaderSignature:
    if erp.auth == "password":
        password = _resolved(erp.password, "erp.password", folder)
        call = password_login(erp.acct_id, erp.username, password, erp.lcid)
        return lambda _: call
    secret = _resolved(erp.app_secret, "erp.app_secret", folder)
    if erp.auth == "app_secret":
        call = app_secret_login(erp.acct_id, erp.username, erp.app_id, secret, erp.lcid)
        return lambda _: call
    if erp.auth == "sign":
        return lambda timestamp_s: sign_login(
            erp.acct_id, erp.username, erp.app_id, secret, erp.lcid, timestamp_s=timestamp_s
        )
    return HeaderSignature(erp.acct_id, erp.username, erp.app_id, secret, erp.lcid, erp.org_num)


def _resolved(secret: Secret | None, key: str, folder: Path) -> str:
    if secret is None:
        raise ValueError(f"{key} was checked when the settings were read")
    return secret.resolve(key, folder)
