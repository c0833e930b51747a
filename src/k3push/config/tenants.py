"""Tenants: a folder of configuration files, one for each, which takes its name from its file."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from k3push.config.setting_errors import Fault, SettingsError
from k3push.config.settings import ErpSettings, Settings
from k3push.config.settings_file import read_settings
from k3push.core.remark import remark

SUFFIX = ".toml"

LONGEST_NAME = 40
"""Bytes of a name: PostgreSQL cuts off channels, which hold it, at 63 bytes."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """Somebody for whom bills are pushed.

    Attributes:
        name: The stem of the file.
        settings: What the file says.
    """

    name: str
    settings: Settings

    @property
    def database(self) -> str:
        """The URL of the database that queues the tenant's runs."""
        return self.settings.fleet.database or self.settings.ledger.url


@dataclass(frozen=True, slots=True)
class Tenants:
    """What is in a folder.

    Attributes:
        by_name: Tenants that can be served.
        faulty: Files that cannot be used, each with why.
        doubles: Names of tenants that are one account of one ERP.
        clashes: Tenants whose numbers their ledger would take for those of others, whom they
            map to: it tells accounts apart by their id, and an ERP's copy for tests has the same.
        digest: Changes when any of the files does.
    """

    by_name: Mapping[str, Tenant]
    faulty: Mapping[Path, SettingsError]
    doubles: tuple[tuple[str, ...], ...]
    clashes: Mapping[str, tuple[str, ...]]
    digest: str


def tenant_of(config: Path, environment: Mapping[str, str]) -> Tenant:
    """Read the configuration of one tenant.

    Raises:
        SettingsError: It cannot be used, or its name is too long.
    """
    name = config.stem
    if len(name.encode()) > LONGEST_NAME:
        what = remark("setting.tenant_name", most=LONGEST_NAME)
        raise SettingsError(str(config), [Fault("", None, what)])
    return Tenant(name, read_settings(config, environment))


def files_of(folder: Path) -> list[Path]:
    """Return the configurations of a folder; hidden files and copies that editors keep are none.

    Raises:
        OSError: The folder cannot be read.
    """
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix == SUFFIX
        if not path.name.startswith((".", "#", "~"))
        if path.is_file()
    )


def read_tenants(folder: Path, environment: Mapping[str, str]) -> Tenants:
    """Read all configurations of a folder.

    Raises:
        OSError: The folder cannot be read.
    """
    found: dict[str, Tenant] = {}
    faulty: dict[Path, SettingsError] = {}
    digest = hashlib.sha256()
    for path in files_of(folder):
        try:
            digest.update(f"{path.name}\0{path.read_bytes()!r}\0".encode())
            tenant = tenant_of(path, environment)
        except SettingsError as error:
            faulty[path] = error
            continue
        except OSError as error:
            why = error.strerror or type(error).__name__
            faulty[path] = SettingsError(str(path), [Fault("", None, why)])
            continue
        found[tenant.name] = tenant
    accounts = _together(found, lambda erp, _: (erp.url.casefold(), erp.acct_id))
    doubles = tuple(tuple(sorted(names)) for names in accounts if len(names) > 1)
    return Tenants(found, faulty, doubles, clashes_of(found), digest.hexdigest())


def clashes_of(tenants: Mapping[str, Tenant]) -> Mapping[str, tuple[str, ...]]:
    """Return the tenants whose numbers their ledger would take for those of others, and of whom."""
    clashes = {
        name: tuple(sorted(other for other in names if _url(tenants[other]) != _url(tenants[name])))
        for names in _together(tenants, lambda erp, ledger: (ledger, erp.acct_id))
        for name in names
    }
    return {name: others for name, others in clashes.items() if others}


def _together(
    tenants: Mapping[str, Tenant], key: Callable[[ErpSettings, str], Hashable]
) -> Iterable[list[str]]:
    """Put tenants together whose *key* is the same, of the ERP and the ledger's place."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for name, tenant in tenants.items():
        groups[key(tenant.settings.erp, _ledger(tenant.settings))].append(name)
    return groups.values()


def _ledger(settings: Settings) -> str:
    path = settings.ledger_path
    return settings.ledger.url if path is None else str(path.resolve())


def _url(tenant: Tenant) -> str:
    return tenant.settings.erp.url.casefold()
