"""The folder of the tenants' files, and the one queue that all of them share."""

from __future__ import annotations

import os
from pathlib import Path

from k3push.config.setting_errors import SettingsError
from k3push.config.tenants import Tenant, TenantFiles, Tenants, files_of, tenant_of
from k3push.core.foreign_text import flaw_of
from k3push.core.remark import remark
from k3push.runs.problem import Problem


def read_folder(folder: Path) -> Tenants:
    """Read the tenants; see `read_files`."""
    return read_files(TenantFiles(folder, os.environ))


def read_files(files: TenantFiles) -> Tenants:
    """Read the tenants, whose files may be read again.

    Raises:
        Problem: There are none.
    """
    try:
        found = files.read()
    except OSError as error:
        why = error.strerror
        raise Problem(remark("fleet.no_folder", folder=files.folder, why=why)) from error
    if not found.by_name:
        fault = next(iter(found.faulty.values()), "*.toml")
        raise Problem(remark("fleet.no_tenants", folder=files.folder, why=fault))
    return found


def names_and_queue(folder: Path) -> tuple[list[str], Tenant]:
    """Return the names of all tenants, and one of them, who names the queue.

    Files are parsed until one can be used: of thousands, the names alone are wanted.

    Raises:
        Problem: There is none that can be used.
    """
    try:
        files = files_of(folder)
    except OSError as error:
        raise Problem(remark("fleet.no_folder", folder=folder, why=error.strerror)) from error
    why: object = "*.toml"
    for path in files:
        try:
            tenant = tenant_of(path, os.environ)
        except SettingsError as error:
            why = error if why == "*.toml" else why
            continue
        if tenant.settings.fleet.database or tenant.settings.ledger.in_postgres:
            return [each.stem for each in files if not flaw_of(each.name)], tenant
        why = remark("fleet.sqlite", file=tenant.settings.file)
    raise Problem(remark("fleet.no_tenants", folder=folder, why=why))


def one_queue_of(tenants: Tenants) -> Tenant:
    """Return a tenant who names the one database that queues the runs of all.

    Raises:
        Problem: They name several, or none that machines can share.
    """
    shared = {
        tenant.database: tenant
        for tenant in tenants.by_name.values()
        if tenant.settings.fleet.database or tenant.settings.ledger.in_postgres
    }
    if len(shared) > 1:
        raise Problem(remark("fleet.databases", names=", ".join(t.name for t in shared.values())))
    if not shared:
        raise Problem(
            remark("fleet.sqlite", file=next(iter(tenants.by_name.values())).settings.file)
        )
    return next(iter(shared.values()))
