"""Where the queue of a tenant is, and what it needs; without what only pushes need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k3push.config.settings import Settings
from k3push.config.tenants import Tenant
from k3push.core.remark import remark
from k3push.runs.problem import Problem

if TYPE_CHECKING:
    from k3push.adapters.ledger.postgres.database import Server


def needs_fleet() -> None:
    """See that what the fleet needs is installed.

    Raises:
        Problem: It is not, with the command that installs it.
    """
    try:
        import procrastinate  # noqa: F401, PLC0415
        import psycopg_pool  # noqa: F401, PLC0415
    except ImportError as error:
        raise Problem(remark("fleet.missing", why=error)) from error


def needs_shared_ledger(settings: Settings) -> None:
    """See that machines can share the ledger.

    Raises:
        Problem: They cannot.
    """
    if not settings.ledger.in_postgres:
        raise Problem(remark("fleet.sqlite", file=settings.file))


def queue_of(tenant: Tenant) -> Server:
    """Return the database that queues a tenant's runs.

    Raises:
        SettingsError: Its password is not where it should be.
    """
    from k3push.adapters.ledger.postgres.database import Server  # noqa: PLC0415

    settings = tenant.settings
    secret, key = settings.fleet.password, "fleet.password"
    if secret is None and not settings.fleet.database:
        secret, key = settings.ledger.password, "ledger.password"
    password = secret.resolve(key, settings.file) if secret else ""
    return Server.of(tenant.database, password)
