"""`serve`: the dashboard on a socket, for the tenants of configuration files."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import sys
import tempfile
import traceback
import webbrowser
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import platformdirs
import uvicorn
from anyio import to_thread
from rich.console import Console

from k3push.adapters.clock import SystemClock
from k3push.adapters.private_files import opened_for_owner
from k3push.cli.console.logs import LogOptions, open_loggers
from k3push.cli.console.screen import screen
from k3push.cli.console.signals import on_interrupt
from k3push.config.real_paths import real
from k3push.config.secret_values import Secret
from k3push.config.setting_errors import SettingsError
from k3push.config.settings import OpenIdSettings, ServeSettings, Settings
from k3push.config.tenants import Tenant as ConfigTenant
from k3push.config.tenants import clashes_of, files_of, tenant_of
from k3push.core.remark import kind_and_words, remark
from k3push.core.web_addresses import LOOPBACK
from k3push.fleet.queue_place import needs_fleet, needs_shared_ledger, queue_of
from k3push.ports import Ledger, LedgerLostError
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.web.access import Log, Rules
from k3push.web.asgi import Dashboard, dashboard
from k3push.web.connection_limits import Limits, SeldomTold, room
from k3push.web.openid_rules import OpenId
from k3push.web.request_work import HandOver, Workshop
from k3push.web.roles import Role
from k3push.web.tenant_ledgers import Tenant
from k3push.web.webhook_delivery import Messenger
from k3push.wiring.config_file import find_config, load_settings
from k3push.wiring.open_ledger import ledger_of
from k3push.wiring.outputs import check_output
from k3push.wiring.webhook_receivers import Receivers, receivers_of
from k3push.words.language import LANGUAGES, Say, harmless, speaker

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from k3push.fleet.queue import Queue

SHORTEST_PASSWORD = 8
# Answers are short, and live views end by themselves when the dashboard closes.
GRACE_S = 5

# A program that pushes now and then keeps its connection, and should not find it closed at the
# moment at which it asks again; HTTP libraries keep one for 5 to 60 s.
KEEP_ALIVE_S = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command's options say.

    Attributes:
        configs: Configuration files; none for the usual one.
        tenants: A folder of configuration files, one a tenant.
        browser: Open a browser.
        work: What is started in it is executed.
        enqueue: What is started in it is executed by the fleet's workers.
    """

    host: str
    port: int
    configs: Sequence[Path]
    tenants: Path | None
    browser: bool
    work: bool
    enqueue: bool
    log: LogOptions


async def serve(options: ServeOptions, say: Say) -> Exit:
    """Serve until interrupted."""
    errors = screen(stderr=True, soft_wrap=True)
    settings, left = await to_thread.run_sync(_usable, options, say)
    door = _door_of(settings)  # also where its tenant is left out
    enqueues = options.enqueue or door.serve.enqueue
    works = options.work or door.serve.work or enqueues
    told, lacking = await to_thread.run_sync(partial(_told, options, settings, say, works=works))
    settings, left = [each for each, _ in told], [*left, *lacking.values()]
    for line in left:
        errors.print(line, highlight=False, markup=False)
    rules = await to_thread.run_sync(_rules, options, door)
    if options.log.file is not None:
        check_output(options.log.file, settings=settings, option="--log-file")
    try:
        options.log.check()
        listener = _listener(options.host, options.port)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(remark("error.port_taken", port=options.port, why=why)) from error

    def lost(error: OSError) -> None:
        why = error.strerror or type(error).__name__
        errors.print(say("warning.log_lost", path=options.log.file, why=why), markup=False)

    async with AsyncExitStack() as stack:
        stack.enter_context(listener)
        loggers = stack.enter_context(open_loggers(options.log, errors, lost))
        fleet = _Fleet(stack) if enqueues else None
        port: int = listener.getsockname()[1]
        log = _logger(loggers)
        folder = _Folder(options, say, log, works=works, fleet=fleet, told=frozenset(left))
        folder.lacking = set(lacking)
        tenants = await folder.begin(told, errors)
        async with dashboard(
            tenants,
            # Cookies know no ports, and two dashboards of one machine must not share one.
            replace(rules, cookie=f"k3push-{port}"),
            {each: speaker(each) for each in LANGUAGES},
            SystemClock(),
            lang=say.lang,
            log=log,
            several=options.tenants is not None or len(settings) > 1,
        ) as ready:
            address = f"http://{_named(options.host)}:{port}/"
            if rules.entry == "token":
                address += f"enter?token={ready.token}"
            seldom = SeldomTold(lambda why: errors.print(harmless(why), markup=False))
            asyncio.get_running_loop().set_exception_handler(seldom)
            limits = Limits(rules.trusts, room())
            with (
                _until_interrupted(ready, limits) as server,
                _browser(address, wanted=options.browser),
            ):
                sys.stdout.write(f"{address}\n")
                sys.stdout.flush()
                errors.print(say(f"serve.entry.{rules.entry}"), highlight=False, markup=False)
                for line in _of_work(tenants, say, works=works, enqueues=enqueues):
                    errors.print(line, highlight=False, markup=False)
                if rules.entry == "password" and not _is_loopback(options.host):
                    errors.print(say("serve.plain"), highlight=False, markup=False)
                async with anyio.create_task_group() as others:
                    if options.tenants is not None:
                        others.start_soon(folder.keep_reading, ready, errors)
                    await server.serve(sockets=[listener])
                    await ready.drained()
                    others.cancel_scope.cancel()
    return Exit.DONE


# -- tenants --------------------------------------------------------------------------------------


def _usable(options: ServeOptions, say: Say) -> tuple[list[Settings], list[str]]:
    """Return the settings of the tenants, and lines about those that are passed over.

    A file that was named for itself has to be usable; of a folder, the others go on.

    Raises:
        Problem: There is none, or two have one name.
        SettingsError: None is usable, or one that was named is not.
    """
    found: dict[str, ConfigTenant] = {}
    left: list[str] = []
    faults: list[SettingsError] = []
    for path in _configs(options):
        try:
            found[path.stem] = ConfigTenant(path.stem, load_settings(path))
        except SettingsError as error:
            if path in options.configs or options.tenants is None:
                raise
            faults.append(error)
            left.append(say("worker.faulty", why=error))
    if not found and faults:
        raise faults[0]
    clashes = clashes_of(found)
    left += [
        say("fleet.clash", tenant=name, others=", ".join(others))
        for name, others in clashes.items()
    ]
    if found and len(clashes) == len(found):
        raise Problem(remark("serve.all_clash", names=", ".join(found)))
    return [each.settings for name, each in found.items() if name not in clashes], left


def _told(
    options: ServeOptions, settings: Sequence[Settings], say: Say, *, works: bool
) -> tuple[list[tuple[Settings, Receivers]], dict[Path, str]]:
    """Return tenants with those who are told of their pushes; and lines about the others.

    As in `_usable`, one of a folder that lacks something holds up no other.

    Raises:
        SettingsError: All lack something, or one that was named for itself does.
    """
    found: list[tuple[Settings, Receivers]] = []
    lacking: dict[Path, str] = {}
    faults: list[SettingsError] = []
    for each in settings:
        try:
            found.append((each, receivers_of(each)))
        except SettingsError as error:
            if each.file in options.configs or options.tenants is None:
                raise
            if not works:
                found.append((each, Receivers({}, "")))  # nothing happens that they are told of
                continue
            faults.append(error)
            lacking[each.file] = say("worker.faulty", why=error)
    if not found and faults:
        raise faults[0]
    return found, lacking


# How often the folder of tenants is looked at.
FOLDER_LOOK_S = 5.0
# What a tenant lacks may come without a change of any file, and thousands of files are read then.
LACKING_LOOK_S = 60.0


@dataclass(slots=True)
class _Folder:
    """The folder of tenants while the dashboard is served.

    Attributes:
        fleet: Whom runs are given to; None executes them here.
        known: The tenants that are shown, by their files.
        told: What was said of files that are passed over.
        lacking: Tenants that cannot be shown as their files say, since something else is missing.
    """

    options: ServeOptions
    say: Say
    log: Log
    works: bool
    fleet: _Fleet | None
    told: frozenset[str]
    known: dict[Path, Tenant] = field(default_factory=dict)
    lacking: set[Path] = field(default_factory=set)
    _seen: Mapping[Path, tuple[int, int, int]] = field(default_factory=dict)
    _resting: set[Path] = field(default_factory=set)

    async def begin(
        self, tenants: Sequence[tuple[Settings, Receivers]], errors: Console
    ) -> list[Tenant]:
        """Show tenants for the first time; one of a folder that lacks something comes later.

        Raises:
            LedgerLostError: The queue of all of them, or of one that was named for itself, is away.
            Problem: Likewise, no worker can share the ledger.
        """
        begun: list[Tenant] = []
        faults: list[Problem | LedgerLostError] = []
        for settings, receivers in tenants:
            try:
                workshop = await self._workshop(settings, receivers) if self.works else None
            except (Problem, LedgerLostError) as error:
                if settings.file in self.options.configs or self.options.tenants is None:
                    raise
                faults.append(error)
                self.lacking.add(settings.file)
                line = self.say("worker.faulty", why=error)
                self.told |= {line}
                errors.print(line, highlight=False, markup=False)
                continue
            self.known[settings.file] = _tenant(settings, workshop)
            begun.append(self.known[settings.file])
        if not begun and faults:
            raise faults[0]
        return begun

    async def _workshop(self, settings: Settings, receivers: Receivers) -> Workshop:
        hand_over = await self.fleet.hand_over(settings) if self.fleet else None
        return _workshop(settings, receivers, hand_over, self.say, self.log)

    async def keep_reading(self, ready: Dashboard, errors: Console) -> None:
        """Show tenants as their files come, change and go, until cancelled."""
        self._seen, read_s = await to_thread.run_sync(self._look), anyio.current_time()
        while True:
            await anyio.sleep(FOLDER_LOOK_S)
            seen = await to_thread.run_sync(self._look)
            self.lacking &= seen.keys()
            is_due = self.lacking and anyio.current_time() - read_s > LACKING_LOOK_S
            if seen == self._seen and not is_due:
                continue
            read_s = anyio.current_time()
            changed = {path for path in seen if seen[path] != self._seen.get(path)}
            changed |= self.lacking | self._resting
            self._seen = seen
            tenants: list[Tenant] = []
            try:
                settings, left = await to_thread.run_sync(_usable, self.options, self.say)
            except (Problem, SettingsError) as error:
                settings, left = [], [self.say("worker.faulty", why=error)]
            for each in settings:
                try:
                    tenants.append(await self._tenant(each, changed))
                    self.lacking.discard(each.file)
                except (Problem, SettingsError, LedgerLostError) as error:
                    self.lacking.add(each.file)
                    left.append(self.say("worker.faulty", why=error))
                except Exception as error:  # noqa: BLE001  # a defect must not end it for others
                    self.lacking.add(each.file)
                    what = kind_and_words(error)
                    left.append(self.say("serve.defect", file=each.file, what=what))
                    self.log("tenant.failed", tenant=each.file.stem, why=traceback.format_exc())
            for line in left:
                if line not in self.told:
                    errors.print(line, highlight=False, markup=False)
            self.told = frozenset(left)
            self._let_rest({each.file for each in settings})
            if tenants:
                ready.take(tenants)

    def _let_rest(self, served: Collection[Path]) -> None:
        """Begin nothing for tenants whose files are gone, or have a fault, until they are back."""
        self._resting = self.known.keys() - served
        for path in self._resting:
            if (workshop := self.known[path].workshop) is not None:
                workshop.rest()

    async def _tenant(self, settings: Settings, changed: Collection[Path]) -> Tenant:
        before = self.known.get(settings.file)
        if before is None or settings.file in changed:
            workshop = None if before is None else before.workshop
            made = _tenant(settings, workshop)
            same = before is not None and before.ledger == made.ledger
            if self.works and not (same and before and before.acct_id == made.acct_id):
                receivers = await to_thread.run_sync(receivers_of, settings)
                made = replace(made, workshop=await self._workshop(settings, receivers))
                if workshop is not None:
                    workshop.rest()
            elif workshop is not None:
                workshop.take(settings)
            self.known[settings.file] = made
        return self.known[settings.file]

    def _look(self) -> Mapping[Path, tuple[int, int, int]]:
        found = {}
        for path in _files_of(self.options.tenants or Path()):
            with suppress(OSError):
                stat = path.stat()
                found[path] = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return found


def _configs(options: ServeOptions) -> list[Path]:
    """Return the configuration files, each of which is a tenant by its stem.

    Raises:
        Problem: There is none, or two have one name.
    """
    found = list(options.configs)
    if options.tenants is not None:
        found += _files_of(options.tenants)
        if not found:
            raise Problem(remark("serve.no_tenants", folder=options.tenants))
    found = found or [find_config(None)]
    stems = [path.stem for path in found]
    for path in found:
        if stems.count(path.stem) > 1:
            raise Problem(remark("serve.same_name", name=path.stem, path=path))
    return found


def _files_of(folder: Path) -> list[Path]:
    try:
        return files_of(folder)
    except OSError:
        return []


def _tenant(settings: Settings, workshop: Workshop | None) -> Tenant:
    path = settings.ledger_path
    return Tenant(
        name=settings.file.stem,
        acct_id=settings.erp.acct_id,
        ledger=settings.ledger.url if path is None else str(real(path)),
        window=settings.run.window,
        opened=partial(_opened, settings, create=workshop is not None),
        workshop=workshop,
        roles=_roles_of(settings.serve) if _says_roles_alone(settings.serve) else {},
    )


def _workshop(
    settings: Settings,
    receivers: Receivers,
    hand_over: HandOver | None,
    say: Say,
    log: Log,
) -> Workshop:
    clock = SystemClock()
    return Workshop(
        settings,
        clock,
        say,
        log,
        hand_over=hand_over,
        messenger=Messenger(receivers, clock, log),
    )


@dataclass(slots=True)
class _Fleet:
    """The queues of tenants, each opened when the first of its tenants is shown.

    Attributes:
        stack: Closes them.
    """

    stack: AsyncExitStack
    _queues: dict[str, Queue] = field(default_factory=dict)

    async def hand_over(self, settings: Settings) -> HandOver:
        """Return what gives a tenant's runs to its workers.

        Raises:
            LedgerLostError: The queue cannot be reached.
            Problem: The ledger cannot be shared with workers, or a package is missing.
        """
        needs_fleet()
        from k3push.fleet.hand_over import FleetHandOver  # noqa: PLC0415
        from k3push.fleet.queue import open_queue  # noqa: PLC0415

        tenant = tenant_of(settings.file, os.environ)
        needs_shared_ledger(tenant.settings)
        if tenant.database not in self._queues:
            opening = open_queue(await to_thread.run_sync(queue_of, tenant), create=True)
            self._queues[tenant.database] = await self.stack.enter_async_context(opening)
        return FleetHandOver(tenant.name, self._queues[tenant.database])


def _of_work(tenants: Sequence[Tenant], say: Say, *, works: bool, enqueues: bool) -> list[str]:
    """Say what the server executes, and which schedules it keeps."""
    lines = [say("serve.enqueues" if enqueues else "serve.works")] if works else []
    if names := _schedules_of(tenants):
        lines.append(say("serve.schedules", names=", ".join(names)))
    return lines


def _schedules_of(tenants: Sequence[Tenant]) -> list[str]:
    """Return the schedules that the server keeps."""
    tables = [each.workshop.timetable for each in tenants if each.workshop is not None]
    return [name for table in tables if table.is_kept_here for name in table.schedules]


@asynccontextmanager
async def _opened(settings: Settings, *, create: bool) -> AsyncIterator[Ledger]:
    """Open a tenant's ledger; what it lacks, such as a secret, is that tenant's trouble alone."""
    try:
        # A secret may come from a command, which takes its time.
        opening = await to_thread.run_sync(partial(ledger_of, settings, create=create))
    except (Problem, SettingsError) as lacking:
        raise LedgerLostError(str(lacking)) from None
    async with opening as ledger:
        yield ledger


# -- the door -------------------------------------------------------------------------------------


def _door_of(settings: Sequence[Settings]) -> Settings:
    """Return the settings whose `[serve]` counts: of several files, one may have it.

    Raises:
        Problem: Two files have it, and differ; or there are roles, and nobody is known by name.
    """
    saying = [each for each in settings if not _says_roles_alone(each.serve)] or settings[:1]
    door = saying[0]
    for each in saying[1:]:
        if each.serve != door.serve:
            raise Problem(remark("serve.two_doors", one=door.file, other=each.file))
    if not door.serve.knows_names:
        for each in settings:
            if each.serve.roles:
                raise Problem(remark("serve.nobody_named", file=each.file))
    return door


def _says_roles_alone(serve: ServeSettings) -> bool:
    """Say whether a file says nothing of the door; its roles, if any, are for its tenant."""
    return serve.model_copy(update={"roles": {}}) == ServeSettings()


def _rules(options: ServeOptions, settings: Settings) -> Rules:
    """Say who may come in.

    Raises:
        Problem: Other machines could come in, and nothing would hold them up.
        SettingsError: A secret is not where it should be.
    """
    serve = settings.serve

    def secret(key: str, kept: Secret | None) -> str:
        return kept.resolve(f"serve.{key}", settings.file) if kept else ""

    password = secret("password", serve.password)
    passwords = {name: secret(f"passwords.{name}", each) for name, each in serve.passwords.items()}
    if not (_is_loopback(options.host) or password or serve.knows_names):
        raise Problem(remark("serve.open_door", host=options.host))
    for each in (password, *passwords.values()):
        if each and len(each) < SHORTEST_PASSWORD:
            raise Problem(remark("serve.short_password", least=SHORTEST_PASSWORD))
    own = {options.host.lower()} if not _is_any(options.host) else set()
    return Rules(
        hosts=LOOPBACK | own | {host.lower() for host in serve.hosts},
        cookie="k3push",
        password=password,
        passwords=passwords,
        roles=_roles_of(serve),
        four_eyes=serve.four_eyes,
        user_header=serve.user_header,
        proxies=[ipaddress.ip_network(each) for each in serve.trusted_proxies],
        metrics_token=secret("metrics_token", serve.metrics_token),
        openid=_openid_of(serve.openid, secret("openid.client_secret", serve.openid.client_secret)),
    )


def _openid_of(openid: OpenIdSettings, client_secret: str) -> OpenId | None:
    """Return how users come in by a provider; None where none is named."""
    if not openid.issuer:
        return None
    from k3push.adapters.openid import OpenIdError, OpenIdProvider  # noqa: PLC0415  # Authlib takes a moment

    provider = OpenIdProvider(openid.issuer, openid.client_id, client_secret, openid.scopes)
    roles = {value: Role[role.upper()] for value, role in openid.roles.items()}
    return OpenId(provider, OpenIdError, openid.user_claim, openid.roles_claim, roles)


def _roles_of(serve: ServeSettings) -> dict[str, Role]:
    return {name: Role[role.upper()] for name, role in serve.roles.items()}


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _named(host: str) -> str:
    """Return a host as it stands in an address."""
    if _is_any(host):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


# -- the server -----------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    """A server that leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@contextmanager
def _until_interrupted(ready: Dashboard, limits: Limits) -> Iterator[uvicorn.Server]:
    """Make a server that a signal ends; a second one waits for no answer."""
    server = _Server(
        uvicorn.Config(
            ready.app,
            http=limits.protocol(),
            ws="none",
            lifespan="off",
            log_config=None,
            # Whoever sends what is no HTTP would have a line written each time.
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
    )

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True
        ready.close()

    with on_interrupt(stop):
        yield server


def _listener(host: str, port: int) -> socket.socket:
    """Listen.

    Raises:
        OSError: The port is taken, or the host is none of this machine.
    """
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, proto)
    try:
        if sys.platform != "win32":  # where it would let two listen on one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _logger(loggers: Sequence[FilteringBoundLogger]) -> Log:
    def log(event: str, *, debug: bool = False, **facts: object) -> None:
        known = {name: fact for name, fact in facts.items() if fact != ""}
        for logger in loggers:
            (logger.debug if debug else logger.info)(event, **known)

    return log


@contextmanager
def _browser(address: str, *, wanted: bool) -> Iterator[None]:
    """Open a browser, by a file for its owner: all may see the arguments of a program."""
    if not wanted:
        yield
        return
    folder = platformdirs.user_cache_path("k3push", ensure_exists=True)
    with tempfile.TemporaryDirectory(dir=folder) as private:
        page = Path(private) / "open.html"
        with opened_for_owner(page) as file:
            file.write(f'<meta http-equiv="refresh" content="0; url={escape(address)}">')
        webbrowser.open(page.as_uri())
        yield
