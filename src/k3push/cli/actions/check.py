"""`check`: whether a configuration works, found out by reading alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path

from rich.markup import escape

from k3push.adapters.clock import SystemClock
from k3push.adapters.erp.client import ErpClient
from k3push.cli.console.screen import screen
from k3push.config.settings import Settings
from k3push.config.settings_file import read_settings
from k3push.core.model import BillNumber, Route
from k3push.core.protocol import bill_rows, wire
from k3push.core.protocol.conversion_rules import Rule, RuleFinding, rule_of
from k3push.core.protocol.links import link_fields, target_entry
from k3push.core.protocol.pairs import known_pair, odd_form
from k3push.core.remark import remark
from k3push.ports import (
    ErpUnreachableError,
    LedgerLostError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
    telling_of_waits,
)
from k3push.runs.forecast import ForecastContext, learn_links
from k3push.runs.lookup.looker import can_ask
from k3push.runs.lookup.newest_lookup import look_at_newest_links
from k3push.runs.outcome import Exit
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Cause, Stop, told_as
from k3push.wiring.config_file import find_config
from k3push.wiring.erp import endpoints_of
from k3push.wiring.measuring import check_measuring
from k3push.wiring.open_ledger import is_there, ledger_of
from k3push.words.language import Say

CLOCK_TOLERANCE_S = 120

# No bill has this number, so the look costs nothing and its fields must be known all the same.
NOBODY = [BillNumber("k3push-check")]

# Documents in which the source's number is looked for.
NEWEST = 100

NEAR_RULES = 3

Look = Callable[[], Awaitable[object]]

# The newest documents may have changed between the looks of two users, but not by more.
SHARED_AT_LEAST = 0.9


async def check(config: Path | None, route: str | None, say: Say) -> Exit:
    """Look at everything that a run relies on; say each thing in a line, with the cure."""
    looking = _Check(say)
    with telling_of_waits(looking.waiting):
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


class _Check:
    """One run of `check`: a line for each thing, well (✓), in doubt (!) or wrong (✗).

    Fulfils `retried_reads.Waiter`.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self.console = screen(soft_wrap=True)
        self.exit = Exit.DONE
        self.seen: dict[str, list[str]] = {}
        self.routes: list[Route] = []

    async def run(self, config: Path | None, name: str | None) -> Exit:
        path = find_config(config)
        settings = read_settings(path, os.environ)
        self.routes = [settings.route(each) for each in ([name] if name else settings.routes)]
        sites = endpoints_of(settings)
        check_measuring(settings)
        self._good(self.say("check.config", path=path))
        for key in settings.unsafe_secrets:
            self._doubtful(self.say("check.plain_secret", key=key))
        await self._ledger(settings)
        self._results()
        self._textfile(settings)
        for user, site in sites.items():
            async with ErpClient(site) as erp:
                try:
                    await erp.open_session()
                    self._good(self.say("check.login", url=site.url, user=user))
                    if user == settings.erp.username:
                        self._clock(erp.server_time)
                        for route in self.routes:
                            await self._route(erp, route)
                        await self._rules(erp)
                    else:
                        for route in self.routes:
                            await self._rights(erp, user, settings.erp.username, route)
                except LoginRefusedError as error:
                    why = str(error)
                    if len(sites) > 1:
                        why = remark("note.place", place=user, why=why)
                    kind = told_as(Cause.LOGIN_REFUSED, why)
                    self._bad(self.say(f"cause.{kind}", why=why), Exit.UNREACHABLE)
                except ErpUnreachableError as error:
                    self._bad(self.say("cause.unreachable", why=error), Exit.UNREACHABLE)
                    break
        return self.exit

    # -- this machine -------------------------------------------------------------------------

    async def _ledger(self, settings: Settings) -> None:
        path = settings.ledger_path
        try:
            if await is_there(settings):
                async with ledger_of(settings) as ledger:
                    await ledger.runs(last=1)
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

    def _textfile(self, settings: Settings) -> None:
        folder = settings.textfile_path.parent
        if settings.metrics.textfile and not os.access(folder, os.W_OK | os.X_OK):
            self._doubtful(self.say("check.textfile_unwritable", folder=folder))

    def _clock(self, server_time: str) -> None:
        ahead_s = seconds_ahead(SystemClock().now(), server_time)
        if ahead_s is None:
            self._doubtful(self.say("check.clock_untold"))
        elif abs(ahead_s) <= CLOCK_TOLERANCE_S:
            self._good(self.say("check.clock", seconds=ahead_s))
        else:
            self._doubtful(self.say("check.clock_off", seconds=ahead_s))

    # -- the ERP ------------------------------------------------------------------------------

    async def _route(self, erp: ErpClient, route: Route) -> None:
        """Look at both forms as a run does."""
        source = self.say("check.source", form=route.source)
        if await self._form(source, lambda: erp.sources_of(route, NOBODY)):
            lacking = erp.lacking(route.source)
            if lacking:
                self._doubtful(self.say("check.lacking", what=source, fields=", ".join(lacking)))
            else:
                self._good(source)
        field = route.source_number_field
        if field:
            target = self.say("check.target", form=route.target, field=field)
            look: Look = partial(erp.targets_of, route, NOBODY)
        else:
            target = self.say("check.target_form", form=route.target)
            look = partial(erp.newest_values, route.target, wire.ID, 1)
        if await self._form(target, look):
            self._good(target)
            if field:
                await self._ground(erp, route)
                await self._field(erp, route)
        await self._links(erp, route)

    async def _links(self, erp: ErpClient, route: Route) -> None:
        """See whether documents that are there are found by their links (P 6.5)."""
        outlook = ForecastContext(route, erp, PushLimits(max_attempts=1), Stop(), self)
        try:
            outlook = await learn_links(outlook)
            proved = not outlook.links.absent and await look_at_newest_links(outlook)
            # Where there are no documents that was said of the field already.
            told = proved or not self.seen.get(route.name, [""])
            lets = bool(link_fields(outlook.route)) and (
                told or await _lets_ask(erp, outlook.route)
            )
        except LookFailedError as error:
            self._doubtful(self.say("check.links_failed", form=route.target, why=error))
            return
        facts = {
            "entry": f"{route.target}.{target_entry(outlook.route)}",
            "source": route.source,
            "form": route.target,
            "field": route.source_number_field,
            "route": route.name,
        }
        if can_ask(outlook) and lets and not outlook.links.absent:
            if proved:
                self._good(self.say("check.links", **facts))
            elif not told:
                self._doubtful(self.say("check.links_unproved", **facts))
        elif route.source_number_field:
            self._doubtful(self.say("check.no_links", **facts))
        else:
            self._doubtful(self.say("check.nofield", **facts))

    async def _field(self, erp: ErpClient, route: Route) -> None:
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
        well = await self._form(self.say("check.target", form=route.target, field=field), look)
        if well:
            self.seen[route.name] = values
        if well and values:
            if found:
                what = self.say("check.linked", rows=len(values), found=len(found), **facts)
                self._good(what)
            else:
                self._doubtful(self.say("check.not_linked", rows=len(values), **facts))
        elif well:
            self._doubtful(self.say("check.no_documents", **facts))

    async def _ground(self, erp: ErpClient, route: Route) -> None:
        """Say what tells the documents of this source form from those of another.

        Asking for targets has found out which of the fields the form has.
        """
        has = bill_rows.target_fields(route, erp.lacking(route.target))
        telling = [field for field in bill_rows.form_fields(route) if field in has]
        facts = {"form": route.target, "source": route.source}
        if not telling:
            self._doubtful(self.say("check.ground_thin", **facts))
        elif odd := await self._odd_form(erp, route, telling[0]):
            told = {"field": telling[0], "value": odd, **facts}
            self._doubtful(self.say("check.ground_odd", **told))
        else:
            self._good(self.say("check.ground", field=telling[0], **facts))

    async def _odd_form(self, erp: ErpClient, route: Route, field: str) -> str:
        """Return what the newest documents hold that is no form, where none holds the source's."""
        pair = known_pair(route.source, route.target)
        if pair is None or pair.source_form_field != field:
            return ""
        try:
            values = await erp.newest_values(route.target, field, NEWEST)
        except (LookFailedError, LoginRefusedError, ErpUnreachableError):
            return ""  # the form was read before; whatever ails is told by the next look
        return odd_form(route.source, values)

    async def _rules(self, erp: ErpClient) -> None:
        """See whether the routes' rules are among those that the ERP lists (P 12.1).

        It comes last: a user who may not read that form may get the words of a lost session,
        after which no more is asked for him (P 3.4). What the site does not show is unknown.
        """
        try:
            rules = await erp.rules()
            why = self.say("check.rules_seen", count=len(rules))
        except (LookFailedError, LoginRefusedError, ErpUnreachableError) as error:
            rules, why = [], str(error)
        for route in self.routes:
            self._rule(route, rules, why)

    def _rule(self, route: Route, rules: Sequence[Rule], why: str) -> None:
        """Say what the site's list tells of the rule that a route relies on."""
        finding, rule = rule_of(route, rules)
        facts = {"rule": route.rule, "source": route.source, "target": route.target}
        named = {"route": route.name, "source": route.source, "target": route.target}
        mine = [each.number for each in rules if each.is_of(route.source, route.target)]
        match finding:
            case RuleFinding.ENABLED:
                self._good(self.say("check.rule_enabled", rule=route.rule))
            case RuleFinding.THERE:
                self._good(self.say("check.rule", rule=route.rule))
            case RuleFinding.DEFAULT:
                number = rule.number if rule else ""
                self._good(self.say("check.default_rule_there", default=number, **named))
            case RuleFinding.DISABLED:
                self._doubtful(self.say("check.rule_disabled", **facts))
            case RuleFinding.OF_OTHERS:
                forms = f"{rule.source} → {rule.target}" if rule else ""
                self._doubtful(self.say("check.rule_of_others", forms=forms, **facts))
            case RuleFinding.ABSENT:
                numbers = mine or [each.number for each in rules]
                near = ", ".join(get_close_matches(route.rule, numbers, NEAR_RULES) or mine)
                absent = self.say("check.rule_absent", count=len(rules), **facts)
                self._doubtful(absent + (self.say("check.rules_near", near=near) if near else ""))
            case RuleFinding.NO_DEFAULT:
                known = ", ".join(mine)
                self._doubtful(self.say("check.no_default_rule", known=known, **named))
            case RuleFinding.UNKNOWN if route.rule:
                self._doubtful(self.say("check.rule_unverified", rule=route.rule, why=why))
            case _:
                self._doubtful(self.say("check.default_rule", why=why, **named))

    async def _rights(self, erp: ErpClient, user: str, first: str, route: Route) -> None:
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
            facts = {"user": user, "first": first, "form": form, "shared": shared, "rows": rows}
            if same:
                self._good(self.say("check.same_rights", **facts))
            else:
                self._doubtful(self.say("check.other_rights", **facts))

    async def _form(self, what: str, look: Look) -> bool:
        """Look at a form, and say what is wrong if that is refused."""
        try:
            await look()
        except LookRefusedError as error:
            why = self.say("cause.look refused", why=error)
            self._bad(self.say("check.failed", what=what, why=why), Exit.USAGE)
        except LookFailedError as error:
            self._bad(self.say("check.failed", what=what, why=error), Exit.UNREACHABLE)
        else:
            return True
        return False

    # -- saying -------------------------------------------------------------------------------

    def waiting(self, why: str, seconds: float) -> None:
        """Say what is waited for."""
        self._doubtful(self.say("progress.waiting", why=why, seconds=seconds))

    def _good(self, what: str) -> None:
        self.console.print(f"[green]✓[/] {escape(what)}", highlight=False)

    def _doubtful(self, what: str) -> None:
        self.console.print(f"[yellow]![/] {escape(what)}", highlight=False)

    def _bad(self, what: str, code: Exit) -> None:
        self.exit = max(self.exit, code)
        self.console.print(f"[red]✗[/] {escape(what)}", highlight=False)


async def _lets_ask(erp: ErpClient, route: Route) -> bool:
    """Say whether the site lets the links of a route be asked for, whatever they show.

    Raises:
        LookFailedError: It did not answer.
    """
    try:
        await erp.newest_links(route)
    except LookRefusedError:
        return False
    return True
