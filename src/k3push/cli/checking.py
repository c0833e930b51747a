"""`check`: whether a configuration works, found out by reading alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from k3push.adapters.erp_http import ErpHttp
from k3push.cli.sites import sites_of
from k3push.cli.wiring import SystemClock, find_config, is_there, ledger_of
from k3push.cli.words import Say
from k3push.core.model import BillNumber, Route
from k3push.ports import (
    ErpUnreachableError,
    LedgerLostError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
)
from k3push.reporting.ending import Exit
from k3push.settings import Settings, read_settings

CLOCK_TOLERANCE_S = 120

# No bill has this number, so the look costs nothing and its fields must be known all the same.
NOBODY = [BillNumber("k3push-check")]

# Documents in which the source's number is looked for.
NEWEST = 100

# The newest documents may have changed between the looks of two users, but not by more.
SHARED_AT_LEAST = 0.9


async def check(config: Path | None, route: str | None, say: Say) -> Exit:
    """Look at everything that a run relies on; say each thing in a line, with the cure."""
    return await _Check(say).run(config, route)


class _Check:
    """One run of `check`: a line for each thing, well (✓), in doubt (!) or wrong (✗)."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.console = Console(soft_wrap=True)
        self.exit = Exit.DONE
        self.seen: dict[str, list[str]] = {}

    async def run(self, config: Path | None, name: str | None) -> Exit:
        path = find_config(config, self.say)
        settings = read_settings(path, os.environ)
        routes = [settings.route(name)] if name else [settings.route(n) for n in settings.routes]
        sites = sites_of(settings)
        self._good(self.say("check.config", path=path))
        await self._ledger(settings)
        self._results()
        for user, site in sites.items():
            async with ErpHttp(site) as erp:
                try:
                    await erp.open_session()
                    self._good(self.say("check.login", url=site.url, user=user))
                    if user == settings.erp.username:
                        self._clock(erp.server_time)
                        for route in routes:
                            await self._route(erp, route)
                    else:
                        for route in routes:
                            await self._rights(erp, user, settings.erp.username, route)
                except LoginRefusedError as error:
                    why = error if len(sites) == 1 else f"{user}: {error}"
                    self._bad(self.say("cause.login refused", why=why), Exit.UNREACHABLE)
                except ErpUnreachableError as error:
                    self._bad(self.say("cause.unreachable", why=error), Exit.UNREACHABLE)
                    break
        return self.exit

    # -- this machine -------------------------------------------------------------------------

    async def _ledger(self, settings: Settings) -> None:
        path = settings.ledger_path
        try:
            if await is_there(settings, self.say):
                async with ledger_of(settings, self.say) as ledger:
                    await ledger.runs()
            elif path and not os.access(path.parent, os.W_OK | os.X_OK):
                self._bad(self.say("check.ledger_folder", folder=path.parent), Exit.USAGE)
                return
        except LedgerLostError as error:
            self._bad(self.say("check.ledger_lost", why=error), Exit.USAGE)
            return
        self._good(self.say("check.ledger", path=settings.ledger_place))

    def _results(self) -> None:
        folder = Path.cwd()
        if os.access(folder, os.W_OK | os.X_OK):
            self._good(self.say("check.results"))
        else:
            self._doubtful(self.say("check.results_unwritable", folder=folder))

    def _clock(self, server_time: str) -> None:
        if not server_time:
            return
        ahead_s = (SystemClock().now() - parsedate_to_datetime(server_time)).total_seconds()
        if abs(ahead_s) <= CLOCK_TOLERANCE_S:
            self._good(self.say("check.clock", seconds=ahead_s))
        else:
            self._doubtful(self.say("check.clock_off", seconds=ahead_s))

    # -- the ERP ------------------------------------------------------------------------------

    async def _route(self, erp: ErpHttp, route: Route) -> None:
        """Look at both forms as a run does."""
        source = self.say("check.source", form=route.source)
        if await self._form(source, lambda: erp.sources_of(route, NOBODY)):
            lacking = erp.lacking(route.source)
            if lacking:
                self._doubtful(self.say("check.lacking", what=source, fields=", ".join(lacking)))
            else:
                self._good(source)
        field = route.source_number_field
        if not field:
            self._doubtful(self.say("check.nofield", route=route.name))
            return
        target = self.say("check.target", form=route.target, field=field)
        if await self._form(target, lambda: erp.targets_of(route, NOBODY)):
            self._good(target)
            await self._field(erp, route)

    async def _field(self, erp: ErpHttp, route: Route) -> None:
        """See whether documents that are there name bills of the source form in that field."""
        field = route.source_number_field
        values: list[str] = []
        found: list[BillNumber] = []

        async def look() -> None:
            values.extend(await erp.newest_values(route.target, field, NEWEST))
            numbers = [BillNumber(value) for value in dict.fromkeys(values) if value]
            sources = await erp.sources_of(route, numbers)
            found.extend(number for number in numbers if sources[number])

        facts = {"form": route.target, "field": field, "source": route.source}
        well = await self._form(self.say("check.target", **facts), look)
        if well:
            self.seen[route.name] = values
        if well and values:
            tell = self._good if found else self._doubtful
            sentence = "check.linked" if found else "check.not_linked"
            tell(self.say(sentence, rows=len(values), found=len(found), **facts))

    async def _rights(self, erp: ErpHttp, user: str, first: str, route: Route) -> None:
        """See whether another user sees the documents that the first one sees.

        A user with narrower rights sees fewer of them, and no error says so.
        """
        if route.name not in self.seen:
            return
        theirs, form = self.seen[route.name], route.target
        mine: list[str] = []

        async def look() -> None:
            mine.extend(await erp.newest_values(form, route.source_number_field, NEWEST))

        if await self._form(
            self.say("check.target", form=form, field=route.source_number_field), look
        ):
            shared, rows = (Counter(mine) & Counter(theirs)).total(), max(len(mine), len(theirs))
            same = shared >= rows * SHARED_AT_LEAST
            sentence = "check.same_rights" if same else "check.other_rights"
            tell = self._good if same else self._doubtful
            tell(self.say(sentence, user=user, first=first, form=form, shared=shared, rows=rows))

    async def _form(self, what: str, look: Callable[[], Awaitable[object]]) -> bool:
        """Look at a form, and say what is wrong if that is refused."""
        try:
            await look()
        except LookRefusedError as error:
            self._bad(f"{what}: {self.say('cause.look refused', why=error)}", Exit.USAGE)
        except LookFailedError as error:
            self._bad(f"{what}: {error}", Exit.UNREACHABLE)
        else:
            return True
        return False

    # -- saying -------------------------------------------------------------------------------

    def _good(self, what: str) -> None:
        self.console.print(f"[green]✓[/] {escape(what)}", highlight=False)

    def _doubtful(self, what: str) -> None:
        self.console.print(f"[yellow]![/] {escape(what)}", highlight=False)

    def _bad(self, what: str, code: Exit) -> None:
        self.exit = max(self.exit, code)
        self.console.print(f"[red]✗[/] {escape(what)}", highlight=False)
