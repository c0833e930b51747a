"""`check`: whether a configuration works, found out by reading alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from k3push.adapters.clock import SystemClock
from k3push.adapters.erp.client import ErpClient
from k3push.cli.actions.check_routes import RouteChecks
from k3push.cli.console.findings import Findings
from k3push.config.settings import Settings
from k3push.config.settings_file import read_settings
from k3push.core.model import Route, RunId, State
from k3push.core.remark import remark
from k3push.ports import (
    ErpUnreachableError,
    Ledger,
    LedgerLostError,
    LoginRefusedError,
    telling_of_waits,
)
from k3push.runs.outcome import Exit
from k3push.runs.stop import Cause, told_as
from k3push.wiring.config_file import find_config
from k3push.wiring.erp import endpoints_of
from k3push.wiring.executor import see_told
from k3push.wiring.open_ledger import is_there, ledger_of
from k3push.words.language import Say

CLOCK_TOLERANCE_S = 120

# A rule that none of so many runs has pushed by is not one that is in use.
RUNS_READ = 50

# Rights of a file for its group and for everybody else.
_OF_OTHERS = 0o077


async def check(config: Path | None, route: str | None, say: Say) -> Exit:
    """Look at everything that a run relies on; say each thing in a line, with the cure."""
    looking = _Check(say)
    with telling_of_waits(looking.findings.waiting):
        return await looking.run(config, route)


def seconds_ahead(now: datetime, server_time: str) -> float | None:
    """Return how far this machine's clock is ahead of a server's, in seconds.

    Args:
        now: This machine's time, with its zone.
        server_time: The server's `Date`, as it came; proxies write what they like.

    Returns:
        None where it tells no time.
    """
    try:
        there = parsedate_to_datetime(server_time)
    except ValueError:
        return None
    if there.tzinfo is None:  # "-0000": the zone is not known, and HTTP has no other than GMT
        there = there.replace(tzinfo=UTC)
    return (now - there).total_seconds()


async def _pushed(ledger: Ledger, routes: Sequence[Route]) -> dict[str, RunId]:
    """Return the newest run that has pushed by the rule of a route, by the route's name."""
    found: dict[str, RunId] = {}
    for run in await ledger.runs(last=RUNS_READ):
        for route in routes:
            if _by_one_rule(run.route, route) and (await ledger.counts(run.id)).get(State.PUSHED):
                found[route.name] = run.id
    return found


def _by_one_rule(one: Route, other: Route) -> bool:
    return (one.source, one.target, one.rule) == (other.source, other.target, other.rule)


class _Check:
    """One run of `check`: this machine, then each user's way to the ERP."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.findings = Findings(say)
        self.erp = RouteChecks(self.findings)

    async def run(self, config: Path | None, name: str | None) -> Exit:
        path = find_config(config)
        settings = read_settings(path, os.environ)
        routes = [settings.route(each) for each in ([name] if name else settings.routes)]
        sites = endpoints_of(settings)
        see_told(settings)
        self.findings.good(self.say("check.config", path=path))
        self._valid_but_odd(settings)
        await self._ledger(settings, routes)
        self._results()
        self._textfile(settings)
        for user, site in sites.items():
            async with ErpClient(site) as erp:
                try:
                    await erp.open_session()
                    self.findings.good(self.say("check.login", url=site.url, user=user))
                    if user == settings.erp.username:
                        self._clock(erp.server_time)
                        for route in routes:
                            await self.erp.route(erp, route)
                        await self.erp.rules(erp, routes)
                    else:
                        for route in routes:
                            await self.erp.rights(erp, user, settings.erp.username, route)
                except LoginRefusedError as error:
                    why = str(error)
                    if len(sites) > 1:
                        why = remark("note.place", place=user, why=why)
                    kind = told_as(Cause.LOGIN_REFUSED, why)
                    self.findings.bad(self.say(f"cause.{kind}", why=why), Exit.UNREACHABLE)
                except ErpUnreachableError as error:
                    kind = told_as(Cause.UNREACHABLE, str(error))
                    self.findings.bad(self.say(f"cause.{kind}", why=error), Exit.UNREACHABLE)
                    break
        return self.findings.exit

    def _valid_but_odd(self, settings: Settings) -> None:
        for key in settings.unsafe_secrets:
            self.findings.doubtful(self.say("check.plain_secret", key=key))
        for schedule, each in settings.schedules.items():
            if not each.cron:
                self.findings.doubtful(self.say("check.no_cron", schedule=schedule))

    async def _ledger(self, settings: Settings, routes: Sequence[Route]) -> None:
        path = settings.ledger_path
        try:
            if await is_there(settings):
                async with ledger_of(settings) as ledger:
                    self.erp.pushed = await _pushed(ledger, routes)
            elif path and not os.access(path.parent, os.W_OK | os.X_OK):
                self.findings.bad(self.say("check.ledger_folder", folder=path.parent), Exit.USAGE)
                return
        except LedgerLostError as error:
            self.findings.bad(self.say("check.ledger_lost", why=error), Exit.USAGE)
            return
        self.findings.good(self.say("check.ledger", path=settings.ledger_place))
        if path and os.name == "posix" and path.exists() and path.stat().st_mode & _OF_OTHERS:
            self.findings.doubtful(self.say("check.ledger_shared", path=path))

    def _results(self) -> None:
        folder = Path.cwd()
        if os.access(folder, os.W_OK | os.X_OK):
            self.findings.good(self.say("check.results"))
        else:
            self.findings.doubtful(self.say("check.results_unwritable", folder=folder))

    def _textfile(self, settings: Settings) -> None:
        folder = settings.textfile_path.parent
        if settings.metrics.textfile and not os.access(folder, os.W_OK | os.X_OK):
            self.findings.doubtful(self.say("check.textfile_unwritable", folder=folder))

    def _clock(self, server_time: str) -> None:
        ahead_s = seconds_ahead(SystemClock().now(), server_time)
        if ahead_s is None:
            self.findings.doubtful(self.say("check.clock_untold"))
        elif abs(ahead_s) <= CLOCK_TOLERANCE_S:
            self.findings.good(self.say("check.clock", seconds=ahead_s))
        else:
            self.findings.doubtful(self.say("check.clock_off", seconds=ahead_s))
