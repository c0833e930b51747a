"""config.toml and the environment into one frozen object, units in the names.

Secrets are named here and resolved when they are used; none is kept in the object's text.
"""

from __future__ import annotations

import difflib
import importlib
import json
import math
import os
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, parse_qs, urlsplit

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
from pydantic_core import ErrorDetails

from k3push.config.invalid_values import remark_on
from k3push.core.control_words import LIMITS, Key, size_of
from k3push.core.cron import Cron, check_cron, zone_of
from k3push.core.foreign_text import flaw_of
from k3push.core.model import Route, Run, Step
from k3push.core.pacing.halting import HaltRule
from k3push.core.pacing.window import Window
from k3push.core.protocol.pairs import known_pair
from k3push.core.protocol.selection import DEFAULT_MAX_COUNT, Selection, check_where
from k3push.core.protocol.source_forms import source_form
from k3push.core.remark import remark

ENVIRONMENT_PREFIX = "K3PUSH_"

COMMAND_TIMEOUT_S = 30
"""How long the command of a secret may take; one that waits for a person never ends by night."""

MOST_SECONDS = 7 * 24 * 3600
"""The longest wait that a setting may ask for; what is longer was meant in other units."""

DEEPEST = 32
"""How deep a value of the settings may be nested."""

MOST_BYTES = 1 << 20

# A whole number that the ledger and the ERP's JSON can hold.
MOST_WHOLE = (1 << 63) - 1

# Names of a document's own number and id, in any letter case (P 6).
OWN_FIELDS = frozenset({"fbillno", "fid"})

MOST_DAYS = 36_525
MOST_SELECTED = 10_000_000

SELECT = "select"
"""What a schedule's `jobs` says where the route selects its bills itself."""

KEYRING_SERVICE = "k3push"
POSTGRES = ("postgresql://", "postgres://")

LONGEST_URL = 2000
LONGEST_SHOWN = 40

LONGEST_HOST = 253
"""Characters of the longest name of a host (RFC 1035)."""

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the settings.

    Attributes:
        key: Such as `erp.url`.
        line: Where it stands in the file, or None where it does not.
        what: What is wrong, and the cure: a remark.
    """

    key: str
    line: int | None
    what: str


class SettingsError(Exception):
    """The settings cannot be used; each fault names its key, its place and the cure.

    Attributes:
        file: Where the settings are.
        faults: What is wrong, at least one thing.
    """

    def __init__(self, file: str, faults: Sequence[Fault]) -> None:
        super().__init__(file, *faults)
        self.file = file
        self.faults = tuple(faults)

    def __str__(self) -> str:
        """Return a remark for each fault, a line each."""
        return "\n".join(map(self._line, self.faults))

    def _line(self, fault: Fault) -> str:
        line, key = fault.line, fault.key
        place = remark("setting.place", file=self.file, line=line) if line else self.file
        what = remark("setting.of_key", key=key, what=fault.what) if key else fault.what
        return remark("setting.fault", place=place, what=what)


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

    def resolve(self, key: str, config: Path, patience_s: float = COMMAND_TIMEOUT_S) -> str:
        """Return the secret.

        Args:
            key: The setting's name, for the error.
            config: The configuration file; a relative file starts at its folder.
            patience_s: How long a command may take.

        Raises:
            SettingsError: It is not where it should be.
        """
        try:
            found = self._find(config.resolve().parent, patience_s)
        except subprocess.TimeoutExpired:
            what = remark("secret.slow", seconds=patience_s)
            raise SettingsError(str(config), [Fault(key, None, what)]) from None
        except (OSError, ValueError, subprocess.SubprocessError, ImportError) as error:
            # The error of a command may hold its output; its kind says enough.
            what = remark("secret.none", kind=self.kind, why=type(error).__name__)
            raise SettingsError(str(config), [Fault(key, None, what)]) from None
        if not found:
            where = f" {self._where}" if self.kind in {"env", "file"} else ""
            what = remark("secret.not_set", where=f"{self.kind}{where}")
            raise SettingsError(str(config), [Fault(key, None, what)])
        if flaw := flaw_of(found):
            raise SettingsError(str(config), [Fault(key, None, remark("secret.flaw", why=flaw))])
        return found

    def _find(self, folder: Path, patience_s: float) -> str:
        match self.kind:
            case "env":
                return os.environ.get(str(self._where), "")
            case "file":
                return (folder / str(self._where)).read_text("utf-8").strip()
            case "command":
                ran = subprocess.run(  # noqa: S603  # the administrator's own command
                    self._where,
                    stdin=subprocess.DEVNULL,  # it may be a job, which the command must not eat
                    capture_output=True,
                    check=True,
                    timeout=patience_s,
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
    raise ValueError(remark("secret.form"))


def _check_host(host: str) -> None:
    """Refuse a name that no resolver takes; looking it up would fail in odd ways.

    >>> _check_host("erp.example.com"), _check_host("2001:db8::1")
    (None, None)

    Raises:
        ValueError: It is neither a name nor an address.
    """
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            ip_address(host)
        except ValueError as error:
            raise ValueError(remark("url.bad_host", host=_shortened(host))) from error
        return
    name = host.removesuffix(".")
    if not name.isascii():
        import idna  # noqa: PLC0415  # few hosts need it

        try:
            name = idna.encode(name).decode("ascii")
        except UnicodeError:
            name = ""
    if len(name) > LONGEST_HOST or not all(map(_LABEL.fullmatch, name.split("."))):
        raise ValueError(remark("url.bad_host", host=_shortened(host)))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:  # a bracket that is not closed
        raise ValueError(remark("url.no_address")) from error


def _has_host(parts: SplitResult) -> bool:
    try:
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number
        return False


def _base_url(url: str) -> str:
    """Complete a server's address (P 1.1).

    >>> _base_url("https://erp.example.com")
    'https://erp.example.com/K3Cloud/'
    """
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(remark("url.scheme"))
    if len(url) > LONGEST_URL or not url.isprintable():
        raise ValueError(remark("url.no_address"))
    parts = _split(url)
    if not _has_host(parts):
        raise ValueError(remark("url.no_host"))
    if parts.username is not None or parts.password is not None:
        raise ValueError(remark("url.user"))
    if parts.query or parts.fragment or any(character.isspace() for character in url):
        raise ValueError(remark("url.end"))
    _check_host(str(parts.hostname))
    url = url.rstrip("/")
    return f"{url}/" if url.lower().endswith("/k3cloud") else f"{url}/K3Cloud/"


def _yes_or_no(value: Any) -> Any:
    """Read the words for yes and no, which come as text from the environment."""
    words = {"true": True, "1": True, "false": False, "0": False}
    return words.get(value.strip().lower(), value) if isinstance(value, str) else value


def _auto_or(value: Any, key: Key) -> Any:
    # A bool is an int to Python, and no quantity to anybody.
    size = size_of("" if isinstance(value, bool) else str(value), key)
    return "auto" if size is None else size


def _halt_rule(text: str) -> str:
    HaltRule.parse(text)
    return text


def _collector(url: str) -> str:
    if url:
        parts = _split(url)
        if parts.scheme not in {"http", "https"} or not _has_host(parts):
            raise ValueError(remark("metrics.address"))
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError(remark("metrics.secret"))
        _check_host(str(parts.hostname))
    return url.rstrip("/")


def _name(text: str) -> str:
    if not text.isprintable():
        raise ValueError(remark("setting.unseen"))
    return text


def _header_name(name: str) -> str:
    if name and re.fullmatch(r"[A-Za-z0-9-]+", name) is None:
        raise ValueError(remark("setting.header"))
    return name


def _networks(proxies: tuple[str, ...]) -> tuple[str, ...]:
    for each in proxies:
        try:
            ip_network(each)
        except ValueError as error:
            raise ValueError(remark("setting.network", text=each)) from error
    return proxies


def _source_field(name: str | None) -> str | None:
    if name is not None and name.strip().casefold() in OWN_FIELDS:
        raise ValueError(remark("route.own_field", name=name.strip()))
    return name


def _steps(steps: tuple[str, ...]) -> tuple[str, ...]:
    if steps not in {(), ("submit",), ("submit", "audit")}:
        raise ValueError(remark("route.follow"))
    return steps


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
Name = Annotated[str, AfterValidator(_name)]
Auto = Literal["auto"]
ChunkSize = Annotated[Auto | int, BeforeValidator(partial(_auto_or, key=Key.CHUNK_SIZE))]
Concurrency = Annotated[Auto | int, BeforeValidator(partial(_auto_or, key=Key.CONCURRENCY))]
MOST_ATTEMPTS = 1000
MOST_LCID = (1 << 31) - 1
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
SomeSeconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)]


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

    username: Annotated[Name, Field(min_length=1)]
    password: SecretValue | None = None


class ErpSettings(_Section):
    """`[erp]`: where the ERP is, and who asks."""

    url: Annotated[str, AfterValidator(_base_url)]
    acct_id: Annotated[Name, Field(min_length=1)]
    lcid: Annotated[int, Field(ge=0, le=MOST_LCID)] = 2052
    auth: Literal["password", "app_secret", "sign", "signature"] = "password"
    username: Annotated[Name, Field(min_length=1)]
    password: SecretValue | None = None
    app_id: Name = ""
    app_secret: SecretValue | None = None
    org_num: Name = ""
    connect_timeout_s: SomeSeconds = 10
    answer_timeout_s: SomeSeconds = 300
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
    max_attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)] = 5
    canary: bool = True
    halt: Annotated[str, AfterValidator(_halt_rule)] = "fail=20%,min=50"
    max_calls_per_minute: Annotated[
        int, Field(ge=LIMITS[Key.CALLS_PER_MINUTE][0], le=LIMITS[Key.CALLS_PER_MINUTE][-1])
    ] = 0
    window: Annotated[str, AfterValidator(_window)] = ""


class SettleSettings(_Section):
    """`[settle]`: when to ask for numbers whose answer was lost."""

    first_wait_s: Seconds = 20
    poll_s: SomeSeconds = 20
    window_s: SomeSeconds = 600


class NotifySettings(_Section):
    """`[notify]`: whom to tell; an address holds a token, so it is a secret."""

    urls: tuple[SecretValue, ...] = ()
    on: tuple[Literal["finish", "halt", "unknown", "login", "doubles"], ...] = (
        "finish",
        "halt",
        "unknown",
        "login",
        "doubles",
    )


class MetricsSettings(_Section):
    """`[metrics]`: what machines are told of each execution."""

    textfile: str = ""
    otlp: Annotated[str, AfterValidator(_collector)] = ""


class ServeSettings(_Section):
    """`[serve]`: who may look at the dashboard, from where, and what they may do there."""

    work: bool = False
    lists: Annotated[str, Field(min_length=1)] = "lists"
    four_eyes: bool = False
    roles: dict[str, Literal["view", "operate", "approve"]] = Field(default_factory=dict)
    password: SecretValue | None = None
    passwords: dict[Name, SecretValue] = Field(default_factory=dict)
    user_header: Annotated[str, AfterValidator(_header_name)] = ""
    trusted_proxies: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    hosts: tuple[str, ...] = ()
    metrics_token: SecretValue | None = None

    @property
    def secrets(self) -> dict[str, Secret | None]:
        """Its secrets, by their keys."""
        named = {f"serve.passwords.{name}": secret for name, secret in self.passwords.items()}
        return {
            "serve.password": self.password,
            **named,
            "serve.metrics_token": self.metrics_token,
        }


class ApiSettings(_Section):
    """`[api]`: who is told of programs' pushes; an address may hold a token, so it is a secret."""

    webhooks: tuple[SecretValue, ...] = ()
    webhook_secret: SecretValue | None = None


class SelectSettings(_Section):
    """`[routes.NAME.select]`: which bills a route selects by itself."""

    where: Annotated[str, AfterValidator(check_where)] = ""
    days: Annotated[int, Field(ge=0, le=MOST_DAYS)] = 0
    organisation: Name = ""
    max_count: Annotated[int, Field(ge=1, le=MOST_SELECTED)] = DEFAULT_MAX_COUNT


class RouteSettings(_Section):
    """`[routes.NAME]`: a pair of forms and how it is pushed."""

    source: Annotated[str, Field(min_length=1)]
    target: Annotated[str, Field(min_length=1)]
    rule: str = ""
    default_rule: bool = False
    source_number_field: Annotated[str | None, AfterValidator(_source_field)] = None
    draft_when_save_fails: bool = False
    blocked: Literal["skip", "send"] = "skip"
    allow_partial: bool = False
    target_bill_type_id: str = ""
    target_org_id: int = 0
    custom_params: dict[str, Any] = Field(default_factory=dict)
    follow: Annotated[tuple[Literal["submit", "audit"], ...], AfterValidator(_steps)] = ()
    follow_already: bool = False
    follow_wait_s: Seconds = 0
    verify_flow: bool = True
    target_entry: Name = ""
    select: SelectSettings = SelectSettings()


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
    def selects(self) -> bool:
        """Whether it pushes what the route selects, instead of job files."""
        return self.jobs == (SELECT,)

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
    api: ApiSettings = ApiSettings()
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
        secrets["api.webhook_secret"] = self.api.webhook_secret
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
        secrets += [*self.api.webhooks, self.api.webhook_secret]
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
            what = remark("route.which", known=known)
            raise SettingsError(str(self.file), [Fault("--route", None, what)])
        if name is None:
            name = next(iter(self.routes))
        if name not in self.routes:
            what = _no_route(name, self.routes)
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
            follow=tuple(map(Step, route.follow)),
            follow_already=route.follow_already,
            follow_wait_s=route.follow_wait_s,
            verify_flow=route.verify_flow,
            target_entry=route.target_entry,
        )

    def selection(self, route: Route) -> Selection:
        """Return which bills a route selects."""
        select = self.routes[route.name].select
        return Selection(select.where, select.days, select.organisation, select.max_count)

    def steps_of(self, run: Run) -> tuple[Step, ...]:
        """Return the steps after the push that the route of a run asks for now."""
        name = run.route.name
        return self.route(name).follow if name in self.routes else run.route.follow


def read_settings(path: Path, environment: Mapping[str, str]) -> Settings:
    """Read a configuration file; `K3PUSH_<SECTION>__<KEY>` in *environment* wins over it.

    Raises:
        SettingsError: With every fault that was found.
    """
    text = _text_of(path)
    try:
        values = tomllib.loads(text)
    except ValueError as error:  # a number of thousands of digits among them
        what = remark("setting.no_toml", why=str(error))
        raise SettingsError(str(path), [Fault("", None, what)]) from error
    except RecursionError as error:
        what = remark("setting.too_deep", most=DEEPEST)
        raise SettingsError(str(path), [Fault("", None, what)]) from error
    variables = _overlay(values, environment)
    if unfit := [_fault(text, variables, keys, what) for keys, what in _unfit(values)]:
        raise SettingsError(str(path), unfit)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        found = [_what_is_wrong(each) for each in error.errors()]
        faults = [_fault(text, variables, keys, what) for keys, what in found]
        raise SettingsError(str(path), faults) from None
    faults = [_fault(text, variables, key.split("."), what) for key, what in _unusable(settings)]
    if faults:
        raise SettingsError(str(path), faults)
    settings._file = path  # noqa: SLF001  # its own module sets it
    return settings


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            what = remark("setting.too_large", most=MOST_BYTES)
            raise SettingsError(str(path), [Fault("", None, what)])
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        what = remark("setting.not_utf8")
        raise SettingsError(str(path), [Fault("", None, what)]) from error
    except OSError as error:
        raise SettingsError(str(path), [Fault("", None, error.strerror or str(error))]) from error
    except ValueError as error:  # a name that no file can have
        raise SettingsError(repr(str(path)), [Fault("", None, str(error))]) from error


def _unfit(
    value: Any, keys: tuple[str, ...] = (), depth: int = 0
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Find values that TOML or the environment can hold, and no ledger and no call: key, why."""
    if depth > DEEPEST:
        yield keys, remark("setting.too_deep", most=DEEPEST)
    elif isinstance(value, dict):
        for key, each in value.items():
            if flaw := flaw_of(key):
                yield keys, remark("setting.bad_key", key=key, why=flaw)
            else:
                yield from _unfit(each, (*keys, key), depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _unfit(each, keys, depth + 1)
    elif flaw := _flaw_of_value(value):
        yield keys, flaw


def _flaw_of_value(value: Any) -> str:
    match value:
        case str():
            return flaw_of(value)
        case float():
            return "" if math.isfinite(value) else remark("setting.finite")
        case int():
            return "" if abs(value) <= MOST_WHOLE else remark("setting.bits")
        case _:
            return remark("setting.date")


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
                fault = Fault(name, None, remark("setting.no_setting"))
                raise SettingsError(remark("setting.environment"), [fault])
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
        except (ValueError, RecursionError):
            return value
    return value


def _unusable(settings: Settings) -> Iterator[tuple[str, str]]:
    """Find what is well-formed and cannot be run."""
    erp = settings.erp
    by_password: dict[str, object] = {user.password_key: user.password for user in erp.users}
    by_application: dict[str, object] = {"erp.app_id": erp.app_id, "erp.app_secret": erp.app_secret}
    for key, value in (by_password if erp.auth == "password" else by_application).items():
        if not value:
            yield key, remark("erp.needed", auth=erp.auth)
    yield from faults_of_ledger(settings.ledger)
    yield from _unusable_window(settings)
    for name, route in settings.routes.items():
        if bool(route.rule) == route.default_rule:
            yield f"routes.{name}.rule", remark("route.rule")
        if route.select.organisation and not source_form(route.source).organisation:
            key = f"routes.{name}.select.organisation"
            yield key, remark("select.no_organisation_field", form=route.source)
    yield from _unusable_door(settings.serve)
    if settings.api.webhooks and settings.api.webhook_secret is None:
        yield "api.webhook_secret", remark("setting.webhook_secret")
    yield from _unusable_fleet(settings)
    seen: set[str] = set()
    for user in erp.users:
        if user.username.strip().casefold() in seen:
            # Two sessions of one user share one queue, and its wrong logins add up (P 2.4).
            yield f"{user.section}.username", remark("erp.user_twice", user=user.username)
        seen.add(user.username.strip().casefold())


def _unusable_window(settings: Settings) -> Iterator[tuple[str, str]]:
    erp, settle = settings.erp, settings.settle
    longest_s = erp.connect_timeout_s + erp.answer_timeout_s
    if settle.window_s <= longest_s:
        # A call that is still at work when "not there" is believed makes a second document.
        timeouts = {"connect": "erp.connect_timeout_s", "answer": "erp.answer_timeout_s"}
        yield "settle.window_s", remark("settle.short_window", least=longest_s, **timeouts)
    for key, seconds in (("first_wait_s", settle.first_wait_s), ("poll_s", settle.poll_s)):
        if seconds > settle.window_s:
            window = {"window": "settle.window_s", "most": settle.window_s}
            yield f"settle.{key}", remark("settle.late", **window)


def _unusable_door(serve: ServeSettings) -> Iterator[tuple[str, str]]:
    if serve.user_header and serve.password:
        yield "serve.password", remark("setting.password_or_header")
    if serve.passwords and (serve.user_header or serve.password):
        yield "serve.passwords", remark("setting.passwords_alone")
    if not (serve.user_header or serve.passwords):
        for key, asked in (("roles", bool(serve.roles)), ("four_eyes", serve.four_eyes)):
            if asked:
                yield f"serve.{key}", remark("setting.nobody_named")
    if serve.passwords:
        for name in serve.roles:
            if name not in serve.passwords:
                yield f"serve.roles.{name}", remark("setting.no_password_of", name=name)
    if serve.user_header and not serve.trusted_proxies:
        yield "serve.trusted_proxies", remark("setting.whose_header")


def _unusable_fleet(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.fleet.database and not settings.fleet.database.startswith(POSTGRES):
        yield "fleet.database", remark("setting.fleet_database")
    for name, schedule in settings.schedules.items():
        if schedule.route is not None and schedule.route not in settings.routes:
            yield f"schedules.{name}.route", _no_route(schedule.route, settings.routes)
        elif schedule.selects and schedule.route is None and len(settings.routes) > 1:
            known = ", ".join(settings.routes)
            yield f"schedules.{name}.route", remark("route.which", known=known)


def faults_of_ledger(ledger: LedgerSettings) -> Iterator[tuple[str, str]]:
    """Find what is wrong with where the ledger is said to be: key, and the cure."""
    if ledger.in_postgres:
        if not urlsplit(ledger.url).path.strip("/"):
            yield "ledger.url", remark("setting.no_database")
        if ledger.password and ledger.has_password:
            yield "ledger.password", remark("setting.two_passwords")
        return
    scheme, _, file = ledger.url.partition(":///")
    if scheme != "sqlite" or not file:
        yield "ledger.url", remark("setting.ledger_url")
    if ledger.password:
        yield "ledger.password", remark("setting.sqlite_password")


def _fault(
    text: str, variables: Mapping[tuple[str, ...], str], keys: Sequence[str], what: str
) -> Fault:
    key = ".".join(keys)
    for depth in range(len(keys), 0, -1):
        if variable := variables.get(tuple(keys[:depth])):
            return Fault(key, None, remark("setting.from_variable", what=what, variable=variable))
    # Another key that is part of the reason may come from a variable.
    named = [name for path, name in variables.items() if ".".join(path) in what]
    if named:
        what = remark("setting.with_variables", what=what, variables=", ".join(named))
    return Fault(key, _line_of(text, keys), what)


def _what_is_wrong(error: ErrorDetails) -> tuple[Sequence[str], str]:
    """Put an error of pydantic into our words: the key, and what is wrong with it."""
    loc = error["loc"]
    # A union adds the name of its branch to the place, and a list the place in it.
    while isinstance(loc[-1], int) or loc[-1].startswith(("literal[", "constrained-")):
        loc = loc[:-1]
    if loc[-1] in {"bool", "str"} and loc[0] == "erp":
        loc = loc[:-1]
    path = [str(part) for part in loc]
    if error["type"] == "extra_forbidden":
        near = _nearest(path[-1], _known_keys(path[:-1]))
        return path, remark("setting.unknown_key_near" if near else "setting.unknown_key", **near)
    return path, remark_on(error)


def _no_route(name: str, routes: Mapping[str, Any]) -> str:
    near = _nearest(name, routes)
    known = ", ".join(routes)
    return remark("route.none_near" if near else "route.none", name=name, known=known, **near)


def _nearest(word: str, known: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """Return the fact of what may have been meant, or none."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return {"near": near[0]} if near else {}


def _known_keys(path: Sequence[str]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "erp": ErpSettings,
        "ledger": LedgerSettings,
        "run": RunSettings,
        "settle": SettleSettings,
        "notify": NotifySettings,
        "metrics": MetricsSettings,
        "serve": ServeSettings,
        "api": ApiSettings,
        "routes": RouteSettings,
        "fleet": FleetSettings,
        "schedules": ScheduleSettings,
    }
    if not path:
        return list(Settings.model_fields)
    if path[:2] == ["erp", "identities"]:
        return list(Identity.model_fields)
    if path[0] == "routes" and path[2:] == ["select"]:
        return list(SelectSettings.model_fields)
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
