"""All settings in one frozen object: the sections of config.toml, with units in the names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from k3push.config.checked_values import (
    ChunkSize,
    CollectorUrl,
    Concurrency,
    CronText,
    Days,
    ErpUrl,
    FormName,
    Halt,
    HeaderName,
    Issuer,
    LedgerUrl,
    Name,
    Networks,
    OneOrMore,
    Seconds,
    ServedName,
    SomeSeconds,
    SourceField,
    Steps,
    TimesOfDay,
    TimeZone,
    Where,
    Whole,
    WholeNumber,
    YesNoOrFile,
    password_in,
    without_password,
)
from k3push.config.real_paths import real
from k3push.config.secret_values import Secret, SecretValue
from k3push.config.setting_errors import SettingsError, no_route
from k3push.core.control_words import LIMITS, Key
from k3push.core.cron import Cron, zone_of
from k3push.core.model import Archive, Route, Run, Step
from k3push.core.protocol.pairs import known_pair
from k3push.core.protocol.selection import DEFAULT_MAX_COUNT, Selection
from k3push.core.remark import remark

MOST_DAYS = 36_525

MOST_SELECTED = 10_000_000

SELECT = "select"
"""What a schedule's `jobs` says where the route selects its bills itself."""

POSTGRES = ("postgresql://", "postgres://")

SANDBOX = "sandbox"
"""The account set of `k3push sandbox`."""

MOST_ATTEMPTS = 1000
MOST_SPREAD_S = 3600

MOST_LCID = (1 << 31) - 1


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

    url: ErpUrl
    acct_id: FormName
    lcid: Annotated[Whole, Field(ge=0, le=MOST_LCID)] = 2052
    auth: Literal["password", "app_secret", "sign", "signature"] = "password"
    username: Annotated[Name, Field(min_length=1)]
    password: SecretValue | None = None
    app_id: Name = ""
    app_secret: SecretValue | None = None
    org_num: Name = ""
    connect_timeout_s: SomeSeconds = 10
    answer_timeout_s: SomeSeconds = 300
    encoding: Literal["json", "form"] = "json"
    verify: YesNoOrFile = True
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
    keep: Days = ""
    archive: Annotated[Name, Field(min_length=1)] = "archive"
    password: SecretValue | None = None

    @property
    def in_postgres(self) -> bool:
        """Whether it is in PostgreSQL, else in a file of SQLite."""
        return self.url.startswith(POSTGRES)

    @property
    def kept_for(self) -> timedelta | None:
        """How long runs stay whole; None for ever."""
        return timedelta(days=int(self.keep.removesuffix("d"))) if self.keep else None

    @property
    def shown(self) -> str:
        """The URL without its password, for people."""
        return without_password(self.url)


class RunSettings(_Section):
    """`[run]`: how fast, and when to stop."""

    chunk_size: ChunkSize = "auto"
    concurrency: Concurrency = "auto"
    max_attempts: Annotated[Whole, Field(ge=1, le=MOST_ATTEMPTS)] = 5
    canary: bool = True
    halt: Halt = "fail=20%,min=50"
    max_calls_per_minute: Annotated[
        Whole, Field(ge=LIMITS[Key.CALLS_PER_MINUTE][0], le=LIMITS[Key.CALLS_PER_MINUTE][-1])
    ] = 0
    window: TimesOfDay = ""


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
    otlp: CollectorUrl = ""


class OpenIdSettings(_Section):
    """`[serve.openid]`: the provider that signs users in, and what its word gives them."""

    issuer: Issuer = ""
    client_id: Name = ""
    client_secret: SecretValue | None = None
    scopes: tuple[Name, ...] = ("openid", "profile")
    user_claim: Annotated[Name, Field(min_length=1)] = "preferred_username"
    roles_claim: Name = ""
    roles: dict[str, Literal["view", "operate", "approve"]] = Field(default_factory=dict)


class ServeSettings(_Section):
    """`[serve]`: who may look at the dashboard, from where, and what they may do there."""

    work: bool = False
    enqueue: bool = False
    lists: Annotated[str, Field(min_length=1)] = "lists"
    four_eyes: bool = False
    roles: dict[str, Literal["view", "operate", "approve"]] = Field(default_factory=dict)
    password: SecretValue | None = None
    passwords: dict[Name, SecretValue] = Field(default_factory=dict)
    user_header: HeaderName = ""
    trusted_proxies: Networks = ()
    hosts: tuple[ServedName, ...] = ()
    metrics_token: SecretValue | None = None
    openid: OpenIdSettings = OpenIdSettings()

    @property
    def knows_names(self) -> bool:
        """Whether users are told from one another."""
        return bool(self.passwords or self.user_header or self.openid.issuer)

    @property
    def secrets(self) -> dict[str, Secret | None]:
        """Its secrets, by their keys."""
        named = {f"serve.passwords.{name}": secret for name, secret in self.passwords.items()}
        return {
            "serve.password": self.password,
            **named,
            "serve.metrics_token": self.metrics_token,
            "serve.openid.client_secret": self.openid.client_secret,
        }


class ApiSettings(_Section):
    """`[api]`: who is told of programs' pushes; an address may hold a token, so it is a secret."""

    webhooks: tuple[SecretValue, ...] = ()
    webhook_secret: SecretValue | None = None


class SelectSettings(_Section):
    """`[routes.NAME.select]`: which bills a route selects by itself."""

    where: Where = ""
    days: Annotated[Whole, Field(ge=0, le=MOST_DAYS)] = 0
    organisation: Name = ""
    max_count: Annotated[Whole, Field(ge=1, le=MOST_SELECTED)] = DEFAULT_MAX_COUNT


class RouteSettings(_Section):
    """`[routes.NAME]`: a pair of forms and how it is pushed."""

    source: FormName
    target: FormName
    rule: str = ""
    default_rule: bool = False
    source_number_field: SourceField = None
    draft_when_save_fails: bool = False
    blocked: Literal["skip", "send"] = "skip"
    allow_partial: bool = False
    target_bill_type_id: str = ""
    target_org_id: WholeNumber = 0
    custom_params: dict[str, Any] = Field(default_factory=dict)
    follow: Steps = ()
    follow_already: bool = False
    follow_wait_s: Seconds = 0
    verify_flow: bool = True
    target_entry: Name = ""
    select: SelectSettings = SelectSettings()


class FleetSettings(_Section):
    """`[fleet]`: where the queue of the fleet is, and how its nights begin."""

    database: LedgerUrl = ""
    password: SecretValue | None = None
    spread_s: Annotated[Whole, Field(ge=0, le=MOST_SPREAD_S)] = 0


class ScheduleSettings(_Section):
    """`[schedules.NAME]`: when the fleet, or else the dashboard's server, looks for new lists."""

    cron: CronText = ""
    # Where the machine knows no time zones, the default is none either.
    time_zone: Annotated[TimeZone, Field(validate_default=True)] = "Asia/Shanghai"
    jobs: OneOrMore
    route: str | None = None
    window: TimesOfDay = ""

    @property
    def selects(self) -> bool:
        """Whether it pushes what the route selects, instead of job files."""
        return self.jobs == (SELECT,)

    @property
    def due(self) -> Cron | None:
        """When it is due; None if only a person begins it."""
        return Cron(self.cron, zone_of(self.time_zone)) if self.cron else None


class Origin(NamedTuple):
    """Where settings come from.

    Attributes:
        file: The configuration file, as it was named.
        variables: Keys that environment variables have given, such as `erp.password`.
    """

    file: Path = Path("config.toml")
    variables: frozenset[str] = frozenset()

    def is_variable(self, key: str) -> bool:
        """Say whether a variable has given a key, or the table or list that it is in."""
        return any(key == of or key.startswith((f"{of}.", f"{of}[")) for of in self.variables)


class Settings(_Section):
    """All settings."""

    erp: ErpSettings
    ledger: LedgerSettings = LedgerSettings()
    run: RunSettings = RunSettings()
    settle: SettleSettings = SettleSettings()
    notify: NotifySettings = NotifySettings()
    metrics: MetricsSettings = MetricsSettings()
    serve: ServeSettings = Field(default_factory=ServeSettings)
    api: ApiSettings = ApiSettings()
    routes: Annotated[dict[str, RouteSettings], Field(min_length=1)]
    fleet: FleetSettings = FleetSettings()
    schedules: dict[str, ScheduleSettings] = Field(default_factory=dict)
    _origin: Origin = PrivateAttr(default=Origin())

    def model_post_init(self, context: Any) -> None:
        """Remember where the values come from."""
        if context is not None:
            self._origin = context

    @property
    def file(self) -> Path:
        """The configuration file, as it was named."""
        return self._origin.file

    @property
    def folder(self) -> Path:
        """The configuration file's own folder; relative paths start there."""
        return real(self.file).parent

    @property
    def ledger_path(self) -> Path | None:
        """Where the SQLite ledger is; None where the ledger is in PostgreSQL."""
        if self.ledger.in_postgres:
            return None
        return self.folder / self.ledger.url.removeprefix("sqlite:///")

    @property
    def archive_folder(self) -> Path:
        """Where archives of old runs are."""
        return self.folder / self.ledger.archive

    def archive_path(self, archive: Archive) -> Path:
        """Where the archive of a run is, on the machine that has written it."""
        return self.archive_folder / archive.file

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
        urls = {"ledger.url": self.ledger.url, "fleet.database": self.fleet.database}
        plain += [key for key, url in urls.items() if password_in(url)]
        return [key for key in plain if not self._origin.is_variable(key)]

    @property
    def unsafe_secrets(self) -> list[str]:
        """Keys of secrets that stand in plain text, the sandbox's own passwords left out."""
        known = "erp." if self.erp.acct_id == SANDBOX else "\0"
        return [key for key in self.plain_secrets if not key.startswith(known)]

    @property
    def keyring_entries(self) -> list[str]:
        """Names of the keyring's entries that secrets are taken from, each once."""
        names = [secret.entry for secret in self._secrets if secret.entry]
        return list(dict.fromkeys(names))

    @property
    def secret_variables(self) -> list[str]:
        """Environment variables that secrets are taken from, each once."""
        names = [secret.variable for secret in self._secrets if secret.variable]
        return list(dict.fromkeys(names))

    @property
    def _secrets(self) -> list[Secret]:
        secrets = [self.erp.app_secret, self.ledger.password, self.fleet.password]
        secrets += self.notify.urls
        secrets += self.serve.secrets.values()
        secrets += [*self.api.webhooks, self.api.webhook_secret]
        secrets += [user.password for user in self.erp.users]
        return [secret for secret in secrets if secret is not None]

    def route(self, name: str | None) -> Route:
        """Return a route by its name, or the only one.

        Raises:
            SettingsError: There is no such route, or a name must be given.
        """
        known = ", ".join(self.routes)
        if name is None and len(self.routes) > 1:
            what = remark("route.which", known=known)
            raise SettingsError.of(self.file, "--route", what)
        if name is None:
            name = next(iter(self.routes))
        if name not in self.routes:
            what = no_route(name, self.routes)
            raise SettingsError.of(self.file, "routes", what)
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

    def lists_of(self, schedule: ScheduleSettings) -> list[str]:
        """Return the lists and folders that a schedule names; none where its route selects."""
        return [] if schedule.selects else [str(self.folder / job) for job in schedule.jobs]

    def steps_of(self, run: Run) -> tuple[Step, ...]:
        """Return the steps after the push that the route of a run asks for now."""
        name = run.route.name
        return self.route(name).follow if name in self.routes else run.route.follow
