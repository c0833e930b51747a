"""config.toml and the environment into one frozen object, units in the names.

Secrets are named here and resolved when they are used; none is kept in the object's text.
"""

from __future__ import annotations

import difflib
import importlib
import json
import os
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    ValidationError,
)

from k3push.core.commands import LIMITS, Key
from k3push.core.cron import Cron, check_cron, zone_of
from k3push.core.halting import HaltRule
from k3push.core.model import Route
from k3push.core.pairs import known_pair
from k3push.core.window import Window

ENVIRONMENT_PREFIX = "K3PUSH_"
COMMAND_TIMEOUT_S = 60
KEYRING_SERVICE = "k3push"
POSTGRES = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the settings.

    Attributes:
        key: Such as `erp.url`.
        line: Where it stands in the file, or None where it does not.
        what: What is wrong, and the cure.
    """

    key: str
    line: int | None
    what: str


class SettingsError(Exception):
    """The settings cannot be used; each fault names its key, its place and the cure."""

    def __init__(self, file: str, faults: Sequence[Fault]) -> None:
        super().__init__(
            "\n".join(
                f"{file}{f', line {fault.line}' if fault.line else ''}: "
                f"{f'{fault.key}: ' if fault.key else ''}{fault.what}"
                for fault in faults
            )
        )
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is, or the secret itself, which no text of this object shows.

    Attributes:
        kind: `plain`, `env`, `keyring`, `command` or `file`.
    """

    kind: str
    _where: Any

    def __repr__(self) -> str:
        """Show the kind alone."""
        return f"Secret({self.kind})"

    @property
    def entry(self) -> str:
        """The keyring's entry, where the secret is in one."""
        return str(self._where) if self.kind == "keyring" else ""

    def resolve(self, key: str, config: Path) -> str:
        """Return the secret.

        Args:
            key: The setting's name, for the error.
            config: The configuration file; a relative file starts at its folder.

        Raises:
            SettingsError: It is not where it should be.
        """
        try:
            found = self._find(config.resolve().parent)
        except (OSError, subprocess.SubprocessError, UnicodeDecodeError, ImportError) as error:
            # The error of a command may hold its output; its kind says enough.
            what = f"{self.kind} gave no secret ({type(error).__name__})"
            raise SettingsError(str(config), [Fault(key, None, what)]) from None
        if not found:
            where = f" {self._where}" if self.kind in {"env", "file"} else ""
            what = f"{self.kind}{where} is not set, or is empty"
            raise SettingsError(str(config), [Fault(key, None, what)])
        return found

    def _find(self, folder: Path) -> str:
        match self.kind:
            case "env":
                return os.environ.get(str(self._where), "")
            case "file":
                return (folder / str(self._where)).read_text("utf-8").strip()
            case "command":
                ran = subprocess.run(  # noqa: S603  # the administrator's own command
                    self._where, capture_output=True, check=True, timeout=COMMAND_TIMEOUT_S
                )
                return ran.stdout.decode().strip()
            case "keyring":
                return _from_keyring(str(self._where))
            case _:
                return str(self._where)


def _from_keyring(name: str) -> str:
    keyring = importlib.import_module("keyring")
    try:
        return str(keyring.get_password(KEYRING_SERVICE, name) or "")
    except keyring.errors.KeyringError as error:
        # A locked keyring, or a host without one.
        raise OSError(type(error).__name__) from None


def store_in_keyring(name: str, secret: str) -> None:
    """Store a secret where `{ keyring = "NAME" }` finds it.

    Raises:
        ImportError: The package keyring is not installed.
        OSError: The keyring is locked, or there is none.
    """
    keyring = importlib.import_module("keyring")
    try:
        keyring.set_password(KEYRING_SERVICE, name, secret)
    except keyring.errors.KeyringError as error:
        raise OSError(type(error).__name__) from None


def _secret(value: Any) -> Any:
    if isinstance(value, str):
        return Secret("plain", value)
    if isinstance(value, dict) and len(value) == 1:
        kind, where = next(iter(value.items()))
        words = isinstance(where, list) and all(isinstance(word, str) for word in where)
        if kind == "command" and words and where:
            return Secret(kind, tuple(where))
        if kind in {"env", "keyring", "file"} and isinstance(where, str):
            return Secret(kind, where)
    if isinstance(value, Secret):
        return value
    raise ValueError(
        'use { env = "NAME" }, { keyring = "…" }, { command = ["…"] } or { file = "…" }'
    )


def _base_url(url: str) -> str:
    """Complete a server's address (P 1.1).

    >>> _base_url("https://erp.example.com")
    'https://erp.example.com/K3Cloud/'
    """
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    parts = urlsplit(url)
    # Reading the port raises for one that is no number.
    if not parts.hostname or parts.port == 0:
        raise ValueError("it names no host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("put the user and the password under their own keys, not here")
    if parts.query or parts.fragment or any(character.isspace() for character in url):
        raise ValueError("it must end with the host, or with /K3Cloud/")
    url = url.rstrip("/")
    return f"{url}/" if url.lower().endswith("/k3cloud") else f"{url}/K3Cloud/"


def _yes_or_no(value: Any) -> Any:
    """Read the words for yes and no, which come as text from the environment."""
    words = {"true": True, "1": True, "false": False, "0": False}
    return words.get(value.strip().lower(), value) if isinstance(value, str) else value


def _auto_or(value: Any, key: Key) -> Any:
    text = str(value).strip()
    if text == "auto":
        return text
    if isinstance(value, bool) or not text.isdecimal() or int(text) not in LIMITS[key]:
        raise ValueError(f'use a number from 1 to {LIMITS[key][-1]}, or "auto"')
    return int(text)


def _halt_rule(text: str) -> str:
    HaltRule.parse(text)
    return text


def _collector(url: str) -> str:
    if url:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError('use an address such as "http://127.0.0.1:4318"')
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("it holds no secret; OTEL_EXPORTER_OTLP_HEADERS takes one")
    return url.rstrip("/")


def _header_name(name: str) -> str:
    if name and re.fullmatch(r"[A-Za-z0-9-]+", name) is None:
        raise ValueError('name a header, such as "X-Remote-User"')
    return name


def _networks(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for each in proxies:
        try:
            ip_network(each)
        except ValueError as error:
            raise ValueError(f"{error}; use addresses such as 10.0.0.5 or 10.0.0.0/24") from error
    return proxies


def _window(text: str) -> str:
    if text:
        Window.parse(text)
    return text


def _cron(text: str) -> str:
    check_cron(text)
    return text


def _zone(text: str) -> str:
    zone_of(text)
    return text


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _without_password(url: str) -> str:
    """Return a URL as it may be shown.

    >>> _without_password("postgresql://k3push:secret@db:5432/k3push?password=secret")
    'postgresql://k3push@db:5432/k3push'
    >>> _without_password("postgresql:///k3push?host=/run/postgresql")
    'postgresql:///run/postgresql/k3push'
    >>> _without_password("sqlite:///ledger.db")
    'sqlite:///ledger.db'
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        return url
    user = f"{parts.username}@" if parts.username else ""
    # A socket's folder stands in the query, and so may a password.
    host = parts.netloc.rpartition("@")[2] or "".join(parse_qs(parts.query).get("host", []))
    return f"postgresql://{user}{host}{parts.path}"


SecretValue = Annotated[Secret, BeforeValidator(_secret), PlainSerializer(repr)]
LedgerUrl = Annotated[str, Field(repr=False), PlainSerializer(_without_password)]
Auto = Literal["auto"]
ChunkSize = Annotated[Auto | int, BeforeValidator(partial(_auto_or, key=Key.CHUNK_SIZE))]
Concurrency = Annotated[Auto | int, BeforeValidator(partial(_auto_or, key=Key.CONCURRENCY))]
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )


@dataclass(frozen=True, slots=True)
class User:
    """One who logs in.

    Attributes:
        section: Where the settings name the user.
        password: None where the application's secret is used.
    """

    section: str
    username: str
    password: Secret | None

    @property
    def password_key(self) -> str:
        """The key of the password."""
        return f"{self.section}.password"


class Identity(_Section):
    """`[[erp.identities]]`: one more user, who logs in as the first one does."""

    username: Annotated[str, Field(min_length=1)]
    password: SecretValue | None = None


class ErpSettings(_Section):
    """`[erp]`: where the ERP is, and who asks."""

    url: Annotated[str, AfterValidator(_base_url)]
    acct_id: Annotated[str, Field(min_length=1)]
    lcid: int = 2052
    auth: Literal["password", "app_secret", "sign", "signature"] = "password"
    username: Annotated[str, Field(min_length=1)]
    password: SecretValue | None = None
    app_id: str = ""
    app_secret: SecretValue | None = None
    org_num: str = ""
    connect_timeout_s: Annotated[float, Field(gt=0)] = 10
    answer_timeout_s: Annotated[float, Field(gt=0)] = 300
    encoding: Literal["json", "form"] = "json"
    verify: Annotated[bool | str, BeforeValidator(_yes_or_no)] = True
    identities: tuple[Identity, ...] = ()

    @property
    def users(self) -> list[User]:
        """All users, the first one of `[erp]` first."""
        first = User("erp", self.username, self.password)
        others = enumerate(self.identities)
        return [
            first,
            *(User(f"erp.identities.{n}", each.username, each.password) for n, each in others),
        ]


class LedgerSettings(_Section):
    """`[ledger]`: where the ledger is."""

    url: LedgerUrl = "sqlite:///ledger.db"
    password: SecretValue | None = None

    @property
    def in_postgres(self) -> bool:
        """Whether it is in PostgreSQL, else in a file of SQLite."""
        return self.url.startswith(POSTGRES)

    @property
    def shown(self) -> str:
        """The URL without its password, for people."""
        return _without_password(self.url)

    @property
    def has_password(self) -> bool:
        """Whether the URL itself holds a password."""
        parts = urlsplit(self.url)
        return bool(parts.password) or "password" in parse_qs(parts.query)


class RunSettings(_Section):
    """`[run]`: how fast, and when to stop."""

    chunk_size: ChunkSize = "auto"
    concurrency: Concurrency = "auto"
    max_attempts: Positive = 5
    canary: bool = True
    halt: Annotated[str, AfterValidator(_halt_rule)] = "fail=20%,min=50"
    max_calls_per_minute: Annotated[int, Field(ge=0)] = 0
    window: Annotated[str, AfterValidator(_window)] = ""


class SettleSettings(_Section):
    """`[settle]`: when to ask for numbers whose answer was lost."""

    first_wait_s: Seconds = 20
    poll_s: Annotated[float, Field(gt=0)] = 20
    window_s: Seconds = 600


class NotifySettings(_Section):
    """`[notify]`: whom to tell; an address holds a token, so it is a secret."""

    urls: tuple[SecretValue, ...] = ()
    on: tuple[Literal["finish", "halt", "unknown", "login"], ...] = (
        "finish",
        "halt",
        "unknown",
        "login",
    )


class MetricsSettings(_Section):
    """`[metrics]`: what machines are told of each execution."""

    textfile: str = ""
    otlp: Annotated[str, AfterValidator(_collector)] = ""


class ServeSettings(_Section):
    """`[serve]`: who may look at the dashboard, and from where."""

    password: SecretValue | None = None
    user_header: Annotated[str, AfterValidator(_header_name)] = ""
    trusted_proxies: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    hosts: tuple[str, ...] = ()
    metrics_token: SecretValue | None = None

    @property
    def secrets(self) -> dict[str, Secret | None]:
        """Its secrets, by their keys."""
        return {"serve.password": self.password, "serve.metrics_token": self.metrics_token}


class RouteSettings(_Section):
    """`[routes.NAME]`: a pair of forms and how it is pushed."""

    source: Annotated[str, Field(min_length=1)]
    target: Annotated[str, Field(min_length=1)]
    rule: str = ""
    default_rule: bool = False
    source_number_field: str | None = None
    draft_when_save_fails: bool = False
    blocked: Literal["skip", "send"] = "skip"
    allow_partial: bool = False
    target_bill_type_id: str = ""
    target_org_id: int = 0
    custom_params: dict[str, Any] = Field(default_factory=dict)
    follow: tuple[str, ...] = ()


class FleetSettings(_Section):
    """`[fleet]`: where the queue of the fleet is."""

    database: LedgerUrl = ""
    password: SecretValue | None = None


class ScheduleSettings(_Section):
    """`[schedules.NAME]`: when the fleet looks for new job files."""

    cron: Annotated[str, AfterValidator(_cron)]
    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    jobs: Annotated[tuple[str, ...], BeforeValidator(_one_or_more), Field(min_length=1)]
    route: str | None = None
    window: Annotated[str, AfterValidator(_window)] = ""

    @property
    def due(self) -> Cron:
        """When it is due."""
        return Cron(self.cron, zone_of(self.time_zone))


class Settings(_Section):
    """All settings."""

    erp: ErpSettings
    ledger: LedgerSettings = LedgerSettings()
    run: RunSettings = RunSettings()
    settle: SettleSettings = SettleSettings()
    notify: NotifySettings = NotifySettings()
    metrics: MetricsSettings = MetricsSettings()
    serve: ServeSettings = ServeSettings()
    routes: Annotated[dict[str, RouteSettings], Field(min_length=1)]
    fleet: FleetSettings = FleetSettings()
    schedules: dict[str, ScheduleSettings] = Field(default_factory=dict)
    _file: Path = PrivateAttr(default=Path("config.toml"))

    @property
    def file(self) -> Path:
        """The configuration file, as it was named."""
        return self._file

    @property
    def folder(self) -> Path:
        """The configuration file's own folder; relative paths start there."""
        return self._file.resolve().parent

    @property
    def ledger_path(self) -> Path | None:
        """Where the SQLite ledger is; None where the ledger is in PostgreSQL."""
        if self.ledger.in_postgres:
            return None
        return self.folder / self.ledger.url.removeprefix("sqlite:///")

    @property
    def textfile_path(self) -> Path:
        """Where the file of metrics is, if there is to be one."""
        return self.folder / self.metrics.textfile

    @property
    def ledger_place(self) -> str:
        """Where the ledger is, for people: a path, or a URL without its password."""
        path = self.ledger_path
        return self.ledger.shown if path is None else str(path)

    @property
    def plain_secrets(self) -> list[str]:
        """Keys whose secret stands in the file itself."""
        secrets = {"erp.app_secret": self.erp.app_secret}
        secrets |= {each.password_key: each.password for each in self.erp.users}
        secrets |= self.serve.secrets
        secrets["ledger.password"] = self.ledger.password
        secrets["fleet.password"] = self.fleet.password
        plain = [key for key, secret in secrets.items() if secret and secret.kind == "plain"]
        return [*plain, "ledger.url"] if self.ledger.has_password else plain

    @property
    def keyring_entries(self) -> list[str]:
        """Names of the keyring's entries that secrets are taken from, each once."""
        secrets = [self.erp.app_secret, self.ledger.password, self.fleet.password]
        secrets += self.notify.urls
        secrets += self.serve.secrets.values()
        secrets += [user.password for user in self.erp.users]
        names = [s.entry for s in secrets if s is not None and s.kind == "keyring"]
        return list(dict.fromkeys(names))

    def route(self, name: str | None) -> Route:
        """Return a route by its name, or the only one.

        Raises:
            SettingsError: There is no such route, or a name must be given.
        """
        known = ", ".join(self.routes)
        if name is None and len(self.routes) > 1:
            what = f"name one of: {known}"
            raise SettingsError(str(self.file), [Fault("--route", None, what)])
        if name is None:
            name = next(iter(self.routes))
        if name not in self.routes:
            what = f"no route {name!r}{_nearest(name, self.routes)}; there are: {known}"
            raise SettingsError(str(self.file), [Fault("routes", None, what)])
        route = self.routes[name]
        pair = known_pair(route.source, route.target)
        field = route.source_number_field
        return Route(
            name=name,
            source=route.source,
            target=route.target,
            rule=route.rule,
            source_number_field=(
                field if field is not None else pair.source_number_field if pair else ""
            ),
            draft_when_save_fails=route.draft_when_save_fails,
            send_blocked=route.blocked == "send",
            allow_partial=route.allow_partial,
            target_bill_type_id=route.target_bill_type_id,
            target_org_id=route.target_org_id,
            custom_params=route.custom_params,
        )


def read_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read a configuration file; `K3PUSH_<SECTION>__<KEY>` in *environment* wins over it.

    Raises:
        SettingsError: With every fault that was found.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        words = (
            error.strerror if isinstance(error, OSError) else "it is not UTF-8; save it as UTF-8"
        )
        raise SettingsError(str(path), [Fault("", None, words or str(error))]) from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(path), [Fault("", None, f"no valid TOML: {error}")]) from error
    variables = _overlay(values, environment)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = [_what_is_wrong(each["loc"], each["type"], each["msg"]) for each in error.errors()]
        faults = [_fault(text, variables, keys, what) for keys, what in found]
        raise SettingsError(str(path), faults) from None
    faults = [_fault(text, variables, key.split("."), what) for key, what in _unusable(settings)]
    if faults:
        raise SettingsError(str(path), faults)
    settings._file = path  # noqa: SLF001  # its own module sets it
    return settings


def _overlay(values: dict[str, Any], environment: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Lay the environment over *values*; return which variable each key came from."""
    variables: dict[tuple[str, ...], str] = {}
    for name, value in environment.items():
        if not name.upper().startswith(ENVIRONMENT_PREFIX) or "__" not in name:
            continue
        *path, last = name[len(ENVIRONMENT_PREFIX) :].lower().split("__")
        place: Any = values
        keys = []
        for part in path:
            keys.append(_same_key(part, place))
            place = place.setdefault(keys[-1], {})
            if not isinstance(place, dict):
                raise SettingsError("environment", [Fault(name, None, "names no setting")])
        keys.append(_same_key(last, place))
        place[keys[-1]] = _from_environment(value)
        variables[tuple(keys)] = name
    return variables


def _same_key(part: str, place: Mapping[str, Any]) -> str:
    # A shell takes no hyphen in a name, so po-instock is also PO_INSTOCK.
    return next(
        (key for key in place if part in {key.lower(), key.lower().replace("-", "_")}), part
    )


def _from_environment(value: str) -> Any:
    if value[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _unusable(settings: Settings) -> Iterator[tuple[str, str]]:
    """Find what is well-formed and cannot be run."""
    erp = settings.erp
    by_password: dict[str, object] = {user.password_key: user.password for user in erp.users}
    by_application: dict[str, object] = {"erp.app_id": erp.app_id, "erp.app_secret": erp.app_secret}
    for key, value in (by_password if erp.auth == "password" else by_application).items():
        if not value:
            yield key, f'is needed for auth = "{erp.auth}"'
    yield from faults_of_ledger(settings.ledger)
    for name, route in settings.routes.items():
        if bool(route.rule) == route.default_rule:
            yield f"routes.{name}.rule", "give either rule or default_rule = true"
        if route.follow:
            yield f"routes.{name}.follow", "comes with a later version; leave it empty"
    yield from _unusable_door(settings.serve)
    yield from _unusable_fleet(settings)
    seen: set[str] = set()
    for user in erp.users:
        if user.username.strip().casefold() in seen:
            # Two sessions of one user share one queue, and its wrong logins add up (P 2.4).
            yield f"{user.section}.username", f"{user.username} is there already"
        seen.add(user.username.strip().casefold())


def _unusable_door(serve: ServeSettings) -> Iterator[tuple[str, str]]:
    if serve.user_header and serve.password:
        yield "serve.password", "give either a password or the header of a reverse proxy"
    if serve.user_header and not serve.trusted_proxies:
        yield "serve.trusted_proxies", "is needed for user_header: whose word is taken for it"


def _unusable_fleet(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.fleet.database and not settings.fleet.database.startswith(POSTGRES):
        yield "fleet.database", "use postgresql://USER@HOST:PORT/DATABASE"
    for name, schedule in settings.schedules.items():
        if schedule.route is not None and schedule.route not in settings.routes:
            near = _nearest(schedule.route, settings.routes)
            yield f"schedules.{name}.route", f"no route {schedule.route!r}{near}"


def faults_of_ledger(ledger: LedgerSettings) -> Iterator[tuple[str, str]]:
    """Find what is wrong with where the ledger is said to be: key, and the cure."""
    if ledger.in_postgres:
        if not urlsplit(ledger.url).path.strip("/"):
            yield "ledger.url", "name the database: postgresql://USER@HOST:PORT/DATABASE"
        if ledger.password and ledger.has_password:
            yield "ledger.password", "the password stands in ledger.url as well; leave one"
        return
    scheme, _, file = ledger.url.partition(":///")
    if scheme != "sqlite" or not file:
        yield "ledger.url", "use sqlite:///FILE or postgresql://USER@HOST:PORT/DATABASE"
    if ledger.password:
        yield "ledger.password", "is for a ledger in PostgreSQL"


def _fault(
    text: str, variables: Mapping[tuple[str, ...], str], keys: Sequence[str], what: str
) -> Fault:
    key = ".".join(keys)
    for depth in range(len(keys), 0, -1):
        if variable := variables.get(tuple(keys[:depth])):
            return Fault(key, None, f"{what} (from {variable})")
    return Fault(key, _line_of(text, keys), what)


def _what_is_wrong(loc: Sequence[int | str], kind: str, message: str) -> tuple[Sequence[str], str]:
    """Put an error of pydantic into our words: the key, and what is wrong with it."""
    # A union adds the name of its branch to the place, and a list the place in it.
    while isinstance(loc[-1], int) or loc[-1].startswith(("literal[", "constrained-")):
        loc = loc[:-1]
    if loc[-1] in {"bool", "str"} and loc[0] == "erp":
        loc = loc[:-1]
    path = [str(part) for part in loc]
    what = message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        what = f"unknown key{_nearest(path[-1], _known_keys(path[:-1]))}"
    elif kind == "missing":
        what = "is missing"
    return path, what


def _nearest(word: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def _known_keys(path: Sequence[str]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "erp": ErpSettings,
        "ledger": LedgerSettings,
        "run": RunSettings,
        "settle": SettleSettings,
        "notify": NotifySettings,
        "metrics": MetricsSettings,
        "serve": ServeSettings,
        "routes": RouteSettings,
        "fleet": FleetSettings,
        "schedules": ScheduleSettings,
    }
    if not path:
        return list(Settings.model_fields)
    if path[:2] == ["erp", "identities"]:
        return list(Identity.model_fields)
    return list(sections[path[0]].model_fields)


def _line_of(text: str, path: Sequence[str]) -> int | None:
    """Find the line of a key, or of the table that it is missing from."""
    section: list[str] = []
    tables: Counter[str] = Counter()
    found = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            section = [part.strip(" \"'") for part in stripped.split("]")[0].strip("[").split(".")]
            if stripped.startswith("[["):
                name = ".".join(section)
                section.append(str(tables[name]))
                tables[name] += 1
            if section == list(path[: len(section)]):
                found = number
        elif "=" in stripped and not stripped.startswith("#"):
            key = [part.strip(" \"'") for part in stripped.split("=")[0].split(".")]
            if [*section, *key] == list(path):
                return number
    return found
