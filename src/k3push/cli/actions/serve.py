"""`serve`: the dashboard on a socket, for the tenants of configuration files."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import platformdirs
import uvicorn
from anyio import to_thread

from k3push.adapters.clock import SystemClock
from k3push.adapters.job_files.reader_pool import ReadersApart
from k3push.adapters.private_files import opened_for_owner
from k3push.cli.actions.dashboard_access import door_of, is_any, is_loopback, rules_of
from k3push.cli.actions.served_tenants import ConfigFiles, Queues, ServedTenants
from k3push.cli.commands.dashboard import ServeOptions
from k3push.cli.console.logs import open_loggers
from k3push.cli.console.screen import screen
from k3push.cli.console.signals import on_interrupt
from k3push.core.remark import read_remark, remark
from k3push.runs.outcome import Exit
from k3push.runs.problem import Problem
from k3push.web import Dashboard, Limits, Log, SeldomTold, ServedTenant, dashboard, room
from k3push.wiring.open_ledger import staying
from k3push.wiring.process_memory import spare_memory
from k3push.wiring.protected_files import check_output
from k3push.words.language import LANGUAGES, Say, harmless, speaker

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger


# Answers are short, and live views end by themselves when the dashboard closes.
GRACE_S = 5

# A program that pushes now and then keeps its connection, and should not find it closed at the
# moment at which it asks again; HTTP libraries keep one for 5 to 60 s.
KEEP_ALIVE_S = 75


async def serve(options: ServeOptions, say: Say) -> Exit:
    """Serve until interrupted."""
    with staying():
        return await _serve(options, say)


async def _serve(options: ServeOptions, say: Say) -> Exit:
    spare_memory()
    errors = screen(stderr=True, soft_wrap=True)
    files = ConfigFiles(options.config or (), options.tenants)
    # Before they are read: what changes meanwhile is read again.
    seen = await to_thread.run_sync(files.state)
    settings, left = await to_thread.run_sync(files.usable, say)
    for line in left:
        errors.print(line, highlight=False, markup=False)
    door = door_of(settings)  # also where its tenant is left out
    enqueues = options.enqueue or door.serve.enqueue
    works = options.work or door.serve.work or enqueues
    rules = await to_thread.run_sync(rules_of, options.host, door)
    log_options = options.log()
    if options.log_file is not None:
        check_output(options.log_file, settings=settings, option="--log-file")
    try:
        log_options.check()
        listener = _listener(options.host, options.port)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem(remark("error.port_taken", port=options.port, why=why)) from error

    def lost(error: OSError) -> None:
        why = error.strerror or type(error).__name__
        errors.print(say("warning.log_lost", path=options.log_file, why=why), markup=False)

    async with AsyncExitStack() as stack:
        stack.enter_context(listener)
        loggers = stack.enter_context(open_loggers(log_options, errors, lost))
        queues = Queues(stack) if enqueues else None
        port: int = listener.getsockname()[1]
        log = _logger(loggers)
        readers = stack.enter_context(closing(ReadersApart()))
        served = ServedTenants(
            files,
            say,
            log,
            works=works,
            queues=queues,
            reader=readers.read_job,
            told=frozenset(left),
            seen=seen,
        )
        tenants = await served.begin(settings, errors)
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
            with (
                _until_interrupted(ready, Limits(rules.trusts, room())) as server,
                _browser(address, wanted=options.browser),
            ):
                sys.stdout.write(f"{address}\n")
                sys.stdout.flush()
                errors.print(say(f"serve.entry.{rules.entry}"), highlight=False, markup=False)
                for line in _of_work(tenants, say, works=works, enqueues=enqueues):
                    errors.print(line, highlight=False, markup=False)
                if rules.entry == "password" and not is_loopback(options.host):
                    errors.print(say("serve.plain"), highlight=False, markup=False)
                async with anyio.create_task_group() as others:
                    if options.tenants is not None:
                        others.start_soon(served.keep_reading, ready, errors)
                    await server.serve(sockets=[listener])
                    await ready.drained()
                    others.cancel_scope.cancel()
    return Exit.DONE


def _of_work(
    tenants: Sequence[ServedTenant], say: Say, *, works: bool, enqueues: bool
) -> list[str]:
    """Say what the server executes, and which schedules it keeps."""
    lines = [say("serve.enqueues" if enqueues else "serve.works")] if works else []
    if names := _schedules_of(tenants):
        lines.append(say("serve.schedules", names=", ".join(names)))
    return lines


def _schedules_of(tenants: Sequence[ServedTenant]) -> list[str]:
    """Return the schedules that the server begins."""
    tables = [each.workshop.timetable for each in tenants if each.workshop is not None]
    kept = [table.schedules for table in tables if table.is_kept_here]
    return [name for schedules in kept for name, each in schedules.items() if each.cron]


def _named(host: str) -> str:
    """Return a host as it stands in an address."""
    if is_any(host):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


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
    """Return what writes into logs, which are in English, as files for programs are."""
    say = speaker("en")

    def in_words(fact: object) -> object:
        is_remark = isinstance(fact, str) and read_remark(fact) is not None
        return say.said(str(fact)) if is_remark else fact

    def log(event: str, *, debug: bool = False, **facts: object) -> None:
        known = {name: in_words(fact) for name, fact in facts.items() if fact != ""}
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
