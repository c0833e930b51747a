"""`serve`: the dashboard on a socket, for the tenants of configuration files."""

from __future__ import annotations

import ipaddress
import socket
import sys
import tempfile
import webbrowser
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import uvicorn
from anyio import to_thread
from rich.console import Console

from k3push.cli.kept import kept
from k3push.cli.logs import LogOptions, open_loggers
from k3push.cli.problem import Problem
from k3push.cli.signals import on_interrupt
from k3push.cli.wiring import SystemClock, find_config, ledger_of, load_settings
from k3push.cli.words import Lang, Say, speaker
from k3push.ports import Ledger, LedgerLostError
from k3push.reporting.ending import Exit
from k3push.reporting.tables import opened_for_owner
from k3push.settings import Secret, ServeSettings, Settings, SettingsError
from k3push.tenants import files_of
from k3push.web.app import Dashboard, dashboard
from k3push.web.door import LOOPBACK, Log, Rules
from k3push.web.speech import Speech
from k3push.web.tenants import Tenant

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

SHORTEST_PASSWORD = 8
# Answers are short, and live views end by themselves when the dashboard closes.
GRACE_S = 5
LANGUAGES: Sequence[Lang] = ("en", "zh")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the command's options say.

    Attributes:
        configs: Configuration files; none for the usual one.
        tenants: A folder of configuration files, one a tenant.
        browser: Open a browser.
    """

    host: str
    port: int
    configs: Sequence[Path]
    tenants: Path | None
    browser: bool
    log: LogOptions


async def serve(options: ServeOptions, say: Say, lang: Lang) -> Exit:
    """Serve until interrupted."""
    settings = [load_settings(path, say) for path in _configs(options, say)]
    rules = await to_thread.run_sync(_rules, options, _door_of(settings, say), say)
    errors = Console(stderr=True, soft_wrap=True)
    try:
        options.log.check()
        listener = _listener(options.host, options.port)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(say("port_taken", port=options.port, why=why)) from error
    with listener, open_loggers(options.log, errors) as loggers:
        port: int = listener.getsockname()[1]
        async with dashboard(
            [_tenant(each, say) for each in settings],
            # Cookies know no ports, and two dashboards of one machine must not share one.
            replace(rules, cookie=f"k3push-{port}"),
            {each: _speech(each) for each in LANGUAGES},
            SystemClock(),
            lang=lang,
            log=_logger(loggers),
            several=options.tenants is not None or len(settings) > 1,
        ) as ready:
            address = f"http://{_named(options.host)}:{port}/"
            if rules.entry == "token":
                address += f"enter?token={ready.token}"
            with _until_interrupted(ready) as server, _browser(address, wanted=options.browser):
                sys.stdout.write(f"{address}\n")
                sys.stdout.flush()
                errors.print(say(f"serve.{rules.entry}"), highlight=False, markup=False)
                if rules.entry == "password" and not _is_loopback(options.host):
                    errors.print(say("serve.plain"), highlight=False, markup=False)
                await server.serve(sockets=[listener])
    return Exit.DONE


def _speech(lang: Lang) -> Speech:
    say = speaker(lang)
    return Speech(lang, say, partial(kept, say=say))


# -- tenants --------------------------------------------------------------------------------------


def _configs(options: ServeOptions, say: Say) -> list[Path]:
    """Return the configuration files, each of which is a tenant by its stem.

    Raises:
        Problem: There is none, or two have one name.
    """
    found = list(options.configs)
    if options.tenants is not None:
        found += _files_of(options.tenants)
        if not found:
            raise Problem(say("serve.no_tenants", folder=options.tenants))
    found = found or [find_config(None, say)]
    stems = [path.stem for path in found]
    for path in found:
        if stems.count(path.stem) > 1:
            raise Problem(say("serve.same_name", name=path.stem, path=path))
    return found


def _files_of(folder: Path) -> list[Path]:
    try:
        return files_of(folder)
    except OSError:
        return []


def _tenant(settings: Settings, say: Say) -> Tenant:
    path = settings.ledger_path
    return Tenant(
        name=settings.file.stem,
        acct_id=settings.erp.acct_id,
        ledger=settings.ledger.url if path is None else str(path.resolve()),
        window=settings.run.window,
        opened=partial(_opened, settings, say),
        shared=path is None,
    )


@asynccontextmanager
async def _opened(settings: Settings, say: Say) -> AsyncIterator[Ledger]:
    """Open a tenant's ledger; what it lacks, such as a secret, is that tenant's trouble alone."""
    try:
        opening = ledger_of(settings, say)
    except (Problem, SettingsError) as lacking:
        raise LedgerLostError(str(lacking)) from None
    async with opening as ledger:
        yield ledger


# -- the door -------------------------------------------------------------------------------------


def _door_of(settings: Sequence[Settings], say: Say) -> Settings:
    """Return the settings whose `[serve]` counts: of several files, one may have it.

    Raises:
        Problem: Two files have it, and differ.
    """
    saying = [each for each in settings if each.serve != ServeSettings()] or settings[:1]
    for each in saying[1:]:
        if each.serve != saying[0].serve:
            raise Problem(say("serve.two_doors", one=saying[0].file, other=each.file))
    return saying[0]


def _rules(options: ServeOptions, settings: Settings, say: Say) -> Rules:
    """Say who may come in.

    Raises:
        Problem: Other machines could come in, and nothing would hold them up.
        SettingsError: A secret is not where it should be.
    """
    serve = settings.serve

    def secret(key: str, kept: Secret | None) -> str:
        return kept.resolve(f"serve.{key}", settings.file) if kept else ""

    password = secret("password", serve.password)
    if not (_is_loopback(options.host) or password or serve.user_header):
        raise Problem(say("serve.open_door", host=options.host))
    if password and len(password) < SHORTEST_PASSWORD:
        raise Problem(say("serve.short_password", least=SHORTEST_PASSWORD))
    own = {options.host.lower()} if not _is_any(options.host) else set()
    return Rules(
        hosts=LOOPBACK | own | {host.lower() for host in serve.hosts},
        cookie="k3push",
        password=password,
        user_header=serve.user_header,
        proxies=[ipaddress.ip_network(each) for each in serve.trusted_proxies],
        metrics_token=secret("metrics_token", serve.metrics_token),
    )


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
def _until_interrupted(ready: Dashboard) -> Iterator[uvicorn.Server]:
    """Make a server that a signal ends; a second one waits for no answer."""
    server = _Server(
        uvicorn.Config(
            ready.app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
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
