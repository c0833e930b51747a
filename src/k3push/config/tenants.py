"""Tenants: a folder of configuration files, one for each, which takes its name from its file."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from k3push.config.real_paths import real
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import ErpSettings, Settings
from k3push.config.settings_file import read_settings, variables_in
from k3push.core.remark import remark

SUFFIX = ".toml"

_POSTGRES_PORT = re.compile(r":(5432)?$")

COARSEST_NS = 3_000_000_000
"""How coarse the times of a file may be: those of FAT are, and of some file servers."""

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
    """

    by_name: Mapping[str, Tenant]
    faulty: Mapping[Path, SettingsError]
    doubles: tuple[tuple[str, ...], ...]
    clashes: Mapping[str, tuple[str, ...]]


def tenant_of(config: Path, environment: Mapping[str, str]) -> Tenant:
    """Read the configuration of one tenant.

    Raises:
        SettingsError: It cannot be used, or its name is too long.
    """
    name = config.stem
    if len(name.encode(errors="surrogateescape")) > LONGEST_NAME:
        what = remark("setting.tenant_name", most=LONGEST_NAME)
        raise SettingsError.of(config, "", what)
    return Tenant(name, read_settings(config, environment))


def files_of(folder: Path) -> list[Path]:
    """Return the configurations of a folder; hidden files and copies that editors keep are none.

    Raises:
        OSError: The folder cannot be read.
    """
    with os.scandir(folder) as entries:
        # By its names: to make and compare the paths of thousands takes several times as long.
        names = sorted(
            entry.name
            for entry in entries
            if entry.name.endswith(SUFFIX)
            if not entry.name.startswith((".", "#", "~"))
            if _is_file(entry)
        )
    return [folder / name for name in names]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself, say, which is no reason to see no other
        return False


_Sign = tuple[int, int, int, int]


class TenantFiles:
    """The configurations of a folder: a file is parsed once, and again when it has changed.

    Thousands are looked at every few seconds.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._environment = environment
        self._known: dict[Path, tuple[_Sign, Tenant | SettingsError]] = {}
        self._tenants: Tenants | None = None

    def read(self) -> Tenants:
        """Return the tenants; the same object as before, if nothing has changed.

        Raises:
            OSError: The folder cannot be read.
        """
        known: dict[Path, tuple[_Sign, Tenant | SettingsError]] = {}
        variables = variables_in(self._environment)
        for path in files_of(self.folder):
            try:
                sign = _sign_of(path)
                kept = self._known.get(path)
                fresh = kept is not None and kept[0] == sign and not _just_changed(sign)
                known[path] = kept if fresh and kept else (sign, self._parsed(path, variables))
            except OSError as error:
                why = error.strerror or type(error).__name__
                known[path] = (
                    (0, 0, 0, 0),
                    SettingsError.of(path, "", why),
                )
        if self._tenants is None or not _same(known, self._known):
            self._tenants = _put_together(known)
        self._known = known
        return self._tenants

    def _parsed(self, path: Path, variables: Mapping[str, str]) -> Tenant | SettingsError:
        try:
            tenant = tenant_of(path, variables)
        except SettingsError as error:
            return error
        kept = self._known.get(path)
        # What says the same is the same: nothing has to be looked at anew for its sake.
        return kept[1] if kept is not None and kept[1] == tenant else tenant


def _sign_of(path: Path) -> _Sign:
    stat = path.stat()
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino


def _just_changed(sign: _Sign) -> bool:
    """Say whether a file may be changed once more without its times telling it."""
    return abs(time.time_ns() - sign[0]) < COARSEST_NS


def _same(
    one: Mapping[Path, tuple[_Sign, Tenant | SettingsError]],
    other: Mapping[Path, tuple[_Sign, Tenant | SettingsError]],
) -> bool:
    return one.keys() == other.keys() and all(
        one[path][1] is other[path][1]
        or (isinstance(one[path][1], SettingsError) and str(one[path][1]) == str(other[path][1]))
        for path in one
    )


def _put_together(known: Mapping[Path, tuple[_Sign, Tenant | SettingsError]]) -> Tenants:
    found: dict[str, Tenant] = {}
    faulty: dict[Path, SettingsError] = {}
    for path, (_, each) in known.items():
        if isinstance(each, Tenant):
            found[each.name] = each
        else:
            faulty[path] = each
    accounts = _together(found, lambda erp, _: (_site(erp.url), erp.acct_id.casefold()))
    doubles = tuple(tuple(sorted(names)) for names in accounts if len(names) > 1)
    return Tenants(found, faulty, doubles, clashes_of(found))


def clashes_of(tenants: Mapping[str, Tenant]) -> Mapping[str, tuple[str, ...]]:
    """Return the tenants whose numbers their ledger would take for those of others, and of whom."""
    clashes = {
        name: tuple(sorted(other for other in names if _url(tenants[other]) != _url(tenants[name])))
        for names in _together(tenants, lambda erp, ledger: (ledger, erp.acct_id))
        for name in names
    }
    return {name: others for name, others in clashes.items() if others}


def _together(
    tenants: Mapping[str, Tenant], key: Callable[[ErpSettings, Hashable], Hashable]
) -> Iterable[list[str]]:
    """Put tenants together whose *key* is the same, of the ERP and the ledger's place."""
    groups: dict[Hashable, list[str]] = defaultdict(list)
    for name, tenant in tenants.items():
        groups[key(tenant.settings.erp, _ledger(tenant.settings))].append(name)
    return groups.values()


def _ledger(settings: Settings) -> Hashable:
    path = settings.ledger_path
    return _database(settings.ledger.url) if path is None else str(real(path))


def _database(url: str) -> Hashable:
    """Return what tells one database from another, whoever connects to it and how.

    Tenants may have a role each, and options of their own, and one ledger.

    >>> _database("postgresql://a@DB:5432/k?sslmode=require") == _database("postgresql://b@db/k")
    True
    >>> _database("postgresql:///k?host=/run/pg") == _database("postgresql://a@/k?host=/run/pg")
    True
    """
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    said, port = parts.netloc.rpartition("@")[2], "".join(options.get("port", ()))
    hosts = (said or "".join(options.get("host", ()))).split(",")
    name = parts.path.lstrip("/") or "".join(options.get("dbname", ())) or parts.username
    places = tuple(_POSTGRES_PORT.sub("", f"{host}:{port}" if port else host) for host in hosts)
    return tuple(place.casefold() for place in places), name


def _url(tenant: Tenant) -> Hashable:
    return _site(tenant.settings.erp.url)


def _site(url: str) -> Hashable:
    """Return what tells one server's address from another's, however it is spelled.

    >>> _site("https://ERP.example.com/K3Cloud/") == _site("https://erp.example.com.:443/k3cloud/")
    True
    """
    parts = urlsplit(url.casefold())
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, (parts.hostname or "").removesuffix("."), port, parts.path
