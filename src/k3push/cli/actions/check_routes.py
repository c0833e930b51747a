"""What `check` asks an ERP of the routes: forms, fields, links, rules, and what each user sees.

It asks as a run does, and by reading alone. What a run would find out by a refusal, or would not
find out at all, is said before anything is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial

from k3push.adapters.erp.client import ErpClient
from k3push.cli.console.findings import Findings
from k3push.core.model import BillNumber, Route, RunId
from k3push.core.protocol import bill_rows, wire
from k3push.core.protocol.conversion_rules import Rule, RuleFinding, rule_of
from k3push.core.protocol.links import link_fields, target_entry
from k3push.core.protocol.pairs import known_pair, odd_form
from k3push.ports import ErpUnreachableError, LoginRefusedError, LookFailedError, LookRefusedError
from k3push.runs.forecast import ForecastContext, learn_links
from k3push.runs.lookup.looker import can_ask
from k3push.runs.lookup.newest_lookup import look_at_newest_links
from k3push.runs.outcome import Exit
from k3push.runs.push_limits import PushLimits
from k3push.runs.stop import Stop

# No bill has this number, so the look costs nothing and its fields must be known all the same.
NOBODY = [BillNumber("k3push-check")]

# Documents in which the source's number is looked for.
NEWEST = 100

NEAR_RULES = 3

Look = Callable[[], Awaitable[object]]

# The newest documents may have changed between the looks of two users, but not by more.
SHARED_AT_LEAST = 0.9


class RouteChecks:
    """What the first user of the settings sees of routes, and whether others see the same.

    Attributes:
        findings: Where each thing is said.
        seen: What the newest documents of a route name as their sources, as the first user sees
            them, by the route's name; routes of which that could be read.
        pushed: The newest run that has pushed by a route's rule, by the route's name.
    """

    def __init__(self, findings: Findings) -> None:
        """Say what is found as lines of *findings*."""
        self.findings = findings
        self.say = findings.say
        self.seen: dict[str, list[str]] = {}
        self.pushed: Mapping[str, RunId] = {}

    async def route(self, erp: ErpClient, route: Route) -> None:
        """Look at both forms as a run does."""
        source = self.say("check.source", form=route.source)
        has_source = await self._form(source, lambda: erp.sources_of(route, NOBODY))
        if has_source:
            lacking = erp.lacking(route.source)
            if lacking:
                self.findings.doubtful(
                    self.say("check.lacking", what=source, fields=", ".join(lacking))
                )
            else:
                self.findings.good(source)
        field = route.source_number_field
        if field:
            target = self.say("check.target", form=route.target, field=field)
            look: Look = partial(erp.targets_of, route, NOBODY)
        else:
            target = self.say("check.target_form", form=route.target)
            look = partial(erp.newest_values, route.target, wire.ID, 1)
        has_target = await self._form(target, look)
        if has_target:
            self.findings.good(target)
            if field and has_source:
                await self._ground(erp, route)
                await self._field(erp, route)
        # Without a source no document can be of it, whatever fields and links hold. Where the field
        # is refused there may be links.
        if has_source and (has_target or field):
            await self._links(erp, route)

    async def _links(self, erp: ErpClient, route: Route) -> None:
        """See whether documents that are there are found by their links (P 6.5)."""
        outlook = ForecastContext(route, erp, PushLimits(max_attempts=1), Stop(), self.findings)
        try:
            outlook = await learn_links(outlook)
            proved = not outlook.links.absent and await look_at_newest_links(outlook)
            # A form without documents was told of when its field was looked at.
            told = proved or not self.seen.get(route.name, [""])
            lets = bool(link_fields(outlook.route)) and (
                told or await _lets_ask(erp, outlook.route)
            )
        except LookFailedError as error:
            self.findings.doubtful(self.say("check.links_failed", form=route.target, why=error))
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
                self.findings.good(self.say("check.links", **facts))
            elif not told:
                self.findings.doubtful(self.say("check.links_unproved", **facts))
        elif route.source_number_field:
            self.findings.doubtful(self.say("check.no_links", **facts))
        else:
            self.findings.doubtful(self.say("check.nofield", **facts))

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
                self.findings.good(what)
            else:
                self.findings.doubtful(self.say("check.not_linked", rows=len(values), **facts))
        elif well:
            self.findings.doubtful(self.say("check.no_documents", **facts))

    async def _ground(self, erp: ErpClient, route: Route) -> None:
        """Say what tells the documents of this source form from those of another.

        Asking for targets has found out which of the fields the form has.
        """
        has = bill_rows.target_fields(route, erp.lacking(route.target))
        telling = [field for field in bill_rows.form_fields(route) if field in has]
        facts = {"form": route.target, "source": route.source}
        if not telling:
            self.findings.doubtful(self.say("check.ground_thin", **facts))
        elif odd := await self._odd_form(erp, route, telling[0]):
            told = {"field": telling[0], "value": odd, **facts}
            self.findings.doubtful(self.say("check.ground_odd", **told))
        else:
            self.findings.good(self.say("check.ground", field=telling[0], **facts))

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

    async def rules(self, erp: ErpClient, routes: Sequence[Route]) -> None:
        """See whether the routes' rules are among those that the ERP lists (P 12.1).

        It comes last: a user who may not read that form may get the words of a lost session,
        after which no more is asked for him (P 3.4). What the site does not show is unknown.
        """
        try:
            rules = await erp.rules()
            why = self.say("check.rules_seen", count=len(rules))
        except (LookFailedError, LoginRefusedError, ErpUnreachableError) as error:
            rules, why = [], str(error)
        for route in routes:
            self._rule(route, rules, why)

    def _rule(self, route: Route, rules: Sequence[Rule], why: str) -> None:
        """Say what the site's list tells of the rule that a route relies on."""
        finding, rule = rule_of(route, rules)
        facts = {"rule": route.rule, "source": route.source, "target": route.target}
        named = {"route": route.name, "source": route.source, "target": route.target}
        mine = [each.number for each in rules if each.is_of(route.source, route.target)]
        match finding:
            case RuleFinding.ENABLED:
                self.findings.good(self.say("check.rule_enabled", rule=route.rule))
            case RuleFinding.THERE:
                self.findings.good(self.say("check.rule", rule=route.rule))
            case RuleFinding.DEFAULT:
                number = rule.number if rule else ""
                self.findings.good(self.say("check.default_rule_there", default=number, **named))
            case RuleFinding.DISABLED:
                self.findings.doubtful(self.say("check.rule_disabled", **facts))
            case RuleFinding.OF_OTHERS:
                forms = f"{rule.source} → {rule.target}" if rule else ""
                self.findings.doubtful(self.say("check.rule_of_others", forms=forms, **facts))
            case RuleFinding.ABSENT:
                numbers = mine or [each.number for each in rules]
                near = ", ".join(get_close_matches(route.rule, numbers, NEAR_RULES) or mine)
                absent = self.say("check.rule_absent", count=len(rules), **facts)
                self.findings.doubtful(
                    absent + (self.say("check.rules_near", near=near) if near else "")
                )
            case RuleFinding.NO_DEFAULT:
                known = ", ".join(mine)
                self.findings.doubtful(self.say("check.no_default_rule", known=known, **named))
            case RuleFinding.UNKNOWN if run := self.pushed.get(route.name):
                rule_name = route.rule or self.say("check.the_default_rule")
                self.findings.good(self.say("check.rule_pushed", rule=rule_name, run=run))
            case RuleFinding.UNKNOWN if route.rule:
                self.findings.doubtful(self.say("check.rule_unverified", rule=route.rule, why=why))
            case _:
                self.findings.doubtful(self.say("check.default_rule", why=why, **named))

    async def rights(self, erp: ErpClient, user: str, first: str, route: Route) -> None:
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
                self.findings.good(self.say("check.same_rights", **facts))
            else:
                self.findings.doubtful(self.say("check.other_rights", **facts))

    async def _form(self, what: str, look: Look) -> bool:
        """Look at a form, and say what is wrong if that is refused."""
        try:
            await look()
        except LookRefusedError as error:
            why = self.say("cause.look refused", why=error)
            self.findings.bad(self.say("check.failed", what=what, why=why), Exit.USAGE)
        except LookFailedError as error:
            self.findings.bad(self.say("check.failed", what=what, why=error), Exit.UNREACHABLE)
        else:
            return True
        return False


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
