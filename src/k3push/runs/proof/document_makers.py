"""Whether somebody else made a document, judged by its maker and its time.

The ERP tells who has made a document, and when. The name under which a user of the settings makes
documents is learnt from documents that answers to him have named; a rule may copy the maker of the
bill instead. If neither is known, a document that has come since our call counts as ours, unless
its time is later than any time zone explains.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from k3push.core.model import PARTLY, TWIN, BillNumber, RunId, Standing, Targets
from k3push.core.safety.verdict import ReadBack
from k3push.ports import AttemptRecord, Ledger, Made
from k3push.runs.kept_in_ledger.kept_attempts import attempts_under, verdict_of
from k3push.runs.lookup.document_lookup import look_at_standings
from k3push.runs.lookup.looker import Looker
from k3push.runs.lookup.newest_lookup import newest_standings

# How many documents of the ledger are looked at, and how many are needed for a conclusion.
SAMPLE = 20
LEAST_SAMPLE = 3

# The most documents that the ledger is asked for, to recognise our own among strays, for instance,
# or to see whether any bill has several.
MOST_KNOWN = 1000

# Rows with these codes may name another bill's document, which was found by its number alone.
UNSURE = frozenset({TWIN, PARTLY})

# No time zone is further ahead of UTC than this.
EASTERNMOST = timedelta(hours=14)
# And none is further behind it.
WESTERNMOST = timedelta(hours=12)
# A time outside these bounds is a placeholder, not the time at which a document was made.
EARLIEST, LATEST = datetime(1990, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001  # local times
# A server's clock may be wrong, and daylight saving sets it forward by an hour.
CLOCKS_DIFFER = timedelta(minutes=75)

# An answer tells under which name a user makes documents. For a document that nothing ties to a
# bill, this counts only if its call began within that time of one whose answer told: earlier or
# later the ERP's user, or the rule, may have been another.
MAKERS_KEEP = timedelta(hours=1)

# By how much the clocks of two sending machines may differ, or one clock before and after it is
# set.
MACHINES_DIFFER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Makers:
    """Under which names a user makes documents, as the ERP shows their maker.

    Attributes:
        constant: Who made all that are known; "" where several did, or nothing is known.
        copied: Every known document bears its bill's maker, as far as that is known: a rule may
            copy the maker.
        looks_copied: The same, even if very few documents are known; but at least one bill's maker
            is known.
        ahead: The most by which the server's local time was ahead of a sending machine's UTC clock
            when a document was made; at least `EASTERNMOST`.
        behind: The most by which it was behind that clock; None if no answer has told it.
        known_at: When the calls began whose answers tell, by the clock of the machine.
        made_at: When the documents were made that they name, by the server's clock.
    """

    constant: str = ""
    copied: bool = False
    looks_copied: bool = False
    ahead: timedelta = EASTERNMOST
    behind: timedelta | None = None
    known_at: tuple[datetime, ...] = ()
    made_at: tuple[datetime, ...] = ()

    def tell_of(self, began_at: datetime) -> bool:
        """Say whether what is known of the makers is from about the time of a call."""
        return any(abs(began_at - at) <= MAKERS_KEEP for at in self.known_at)

    def may_be(self, creator: str, of_bills: Collection[str]) -> bool:
        """Say whether a document may be this user's.

        Args:
            creator: Who made it; "" where the form does not tell.
            of_bills: Who made the bills that it may be of; "" for one that is not told.

        >>> Makers("API").may_be("clerk", []), Makers("API", copied=True).may_be("clerk", ["clerk"])
        (False, True)
        >>> Makers().may_be("clerk", [])
        True
        """
        if not creator or not (self.constant or self.copied):
            return True
        by_copy = self.copied and (creator in of_bills or "" in of_bills)
        return creator == self.constant or by_copy


@dataclass(frozen=True, slots=True)
class SentCalls:
    """What a run has sent of a bill.

    Attributes:
        senders: As whom.
        over_at: By when all of it was surely over, by the clock of the machine.
        began_at: When the first of it left, by that clock.
        was_blind: Perhaps nobody could look, before the first call, at what was there.
        of_any_bill: The documents may be of any bill, not only of this one.
    """

    senders: frozenset[str]
    over_at: datetime
    began_at: datetime
    was_blind: bool = False
    of_any_bill: bool = False


@dataclass(slots=True)
class MakersBySender:
    """As whom users make documents, as far as one execution has found out."""

    _known: dict[str, Makers] = field(default_factory=dict)
    _creators: frozenset[str] | None = None
    _newest: Mapping[str, Standing] | None = None

    async def others_among(
        self,
        looker: Looker,
        ledger: Ledger,
        run: RunId,
        *,
        found: Targets,
        calls: Mapping[BillNumber, SentCalls],
        now: datetime,
        by_age_alone: bool = False,
    ) -> frozenset[str]:
        """Return which documents somebody else has made, as far as their form tells.

        A document that no look had shown before our calls is somebody else's if its maker is none
        of ours, or if it was made long before or long after the calls.

        Args:
            looker: What to look with.
            ledger: What was made.
            run: Whose scope counts.
            found: Documents that are new since the calls, by source number.
            calls: The calls for each.
            now: By the clock of the machine.
            by_age_alone: Only what was made long before the calls counts.
        """
        ids = [target.id for targets in found.values() for target in targets]
        standings = await look_at_standings(looker, ids) if ids else {}
        if not standings:
            return frozenset()
        senders = {sender for number in found for sender in calls[number].senders}
        makers = {each: await self.of(looker, ledger, run, each) for each in senders}
        copied = any(each.copied for each in makers.values())
        creators = await creators_of(looker, found) if copied else {}
        # A document that is there was made before now: if its time is later, the server's clock is
        # ahead.
        shown = [at - in_utc(now) for each in standings.values() if (at := created_at(each))]
        ours = set()
        for number, targets in found.items():
            for id_ in {target.id for target in targets} & standings.keys():
                maker, sent = standings[id_].creator, calls[number]
                theirs = [makers[sender] for sender in sent.senders]
                was_there = _was_there(standings[id_], sent, theirs)
                if by_age_alone and not was_there:
                    ours.add(id_)
                creator = "" if sent.of_any_bill else creators.get(number, "")
                may_be = any(each.may_be(maker, {creator}) for each in theirs)
                if sent.of_any_bill and not may_be:
                    # Some user that the settings do not name may have sent other bills.
                    may_be = maker in await self._all_creators(looker, ledger, run)
                over_at = sent.over_at + max([*shown, *(each.ahead for each in theirs)])
                in_time = not _is_later(standings[id_], over_at)
                if may_be and in_time and not was_there:
                    # A merged document bears the maker of one of its bills.
                    ours.add(id_)
        return frozenset(standings.keys() - ours)

    async def may_be(
        self,
        looker: Looker,
        makers: Makers,
        creator: str,
        of_bills: Collection[str],
        began_at: datetime,
    ) -> bool:
        """Say whether a document that nothing ties to a bill may be of a user's call.

        Args:
            looker: What to look with.
            makers: As whom he makes documents.
            creator: Who made it; "" where the form does not tell.
            of_bills: Who made the bills that it may be of; "" for one that is not told.
            began_at: When the call began.
        """
        if makers.may_be(creator, of_bills):
            return True
        if makers.tell_of(began_at):
            return False
        return creator not in await self._others_than(looker, makers, began_at)

    async def _others_than(self, looker: Looker, makers: Makers, began_at: datetime) -> set[str]:
        """Return who made documents of the form while a user was known to make his as another.

        Whoever did so before that is not the user under a new name, and whoever did so after it is
        not the user under an old one.
        """
        if not makers.constant or not makers.made_at:
            return set()
        if self._newest is None:
            self._newest = await newest_standings(looker)
        since, until = min(makers.made_at), max(makers.made_at)
        is_old = began_at < min(makers.known_at)
        others = {
            each.creator
            for each in self._newest.values()
            if (at := created_at(each)) and (at > since if is_old else at < until)
        }
        return others - {"", makers.constant}

    async def _all_creators(self, looker: Looker, ledger: Ledger, run: RunId) -> frozenset[str]:
        """Return who has made documents that the ledger knows, whoever sent them."""
        if self._creators is None:
            known = await ledger.made_by(run, limit=MOST_KNOWN)
            spread = known[:: math.ceil(len(known) / SAMPLE) or 1]
            by_users = [await ledger.made_by(run, each, limit=SAMPLE) for each in looker.erp.users]
            made = [each for some in (spread, *by_users) for each in some]
            ids = {t.id for each in made if each.code not in UNSURE for t in each.targets}
            standings = await look_at_standings(looker, ids) if ids else {}
            self._creators = frozenset(each.creator for each in standings.values())
        return self._creators

    async def of(
        self,
        looker: Looker,
        ledger: Ledger,
        run: RunId,
        sender: str,
        *,
        at: datetime | None = None,
        rule: str | None = None,
    ) -> Makers:
        """Return under which names a user makes documents.

        Only documents that answers to him have named tell: what a look has found may be another's.

        Args:
            looker: What to look with.
            ledger: What was made.
            run: Whose scope counts.
            sender: The user.
            at: When a call of his began. Then what is known by now is read again.
            rule: By which rule; None is the route's.
        """
        if sender not in self._known or at is not None:
            known = await ledger.made_by(run, sender, limit=SAMPLE) if sender else ()
            alike = await made_alike(looker, ledger, known, rule=rule)
            named = await named_in_answers(ledger, alike, sender)
            makers = await _makers_of(looker, named)
            if len(named) < LEAST_SAMPLE:
                # A rule may give documents other persons. More may be known soon.
                return replace(makers, constant="", copied=False)
            if rule not in {None, looker.route.rule}:
                return makers
            self._known[sender] = makers
        return self._known[sender]


async def made_alike(
    looker: Looker,
    ledger: Ledger,
    known: Sequence[Made],
    *,
    since: datetime | None = None,
    rule: str | None = None,
) -> list[Made]:
    """Return what was made by the rule of a route: documents of another rule may differ.

    Args:
        looker: The route.
        ledger: Knows the rules of runs.
        known: What runs have made.
        since: Leave out what runs have made that were begun before; None leaves out none.
        rule: Another rule than the route's.
    """
    rule = looker.route.rule if rule is None else rule
    runs = {run: await ledger.run(run) for run in dict.fromkeys(each.run for each in known)}
    alike = {
        id_
        for id_, run in runs.items()
        if run and run.route.rule == rule
        if since is None or run.started_at >= since
    }
    return [each for each in known if each.run in alike]


def created_at(standing: Standing | None) -> datetime | None:
    """Return when a document was made, in the server's local time; None where nobody tells.

    Where no time is known, software often writes the earliest or the latest time that it can.
    """
    try:
        at = datetime.fromisoformat(standing.created).replace(tzinfo=None) if standing else None
    except ValueError:
        return None
    return at if at is not None and EARLIEST <= at < LATEST else None


def _is_later(standing: Standing, over_at: datetime) -> bool:
    """Say whether a document was surely made after a local time of the server."""
    created = created_at(standing)
    return created is not None and created > in_utc(over_at) + CLOCKS_DIFFER


def _was_there(standing: Standing, sent: SentCalls, senders: Sequence[Makers]) -> bool:
    """Say whether a document was surely made before calls, though no look had shown it.

    The ERP may have refused a look then, or a user may have got the right to see it since. Where no
    answer has told the server's time, that is believed only if nobody could look.
    """
    created = created_at(standing)
    told = [each.behind for each in senders if each.behind is not None]
    may_tell = sent.was_blind or (bool(told) and not sent.of_any_bill)
    if created is None or not may_tell:
        return False
    # A form may keep the day of the making alone.
    by = created + timedelta(days=1) if created.time() == time() else created
    return by < in_utc(sent.began_at) - max([WESTERNMOST, *told]) - CLOCKS_DIFFER


def in_utc(at: datetime) -> datetime:
    """Return a time of a machine as one without a zone, in UTC."""
    return at.astimezone(UTC).replace(tzinfo=None)


class Named(NamedTuple):
    """A document that an answer has named.

    Attributes:
        sources: The ids of its bills; "" for one that is not known.
        began_at: When its call began.
    """

    sources: frozenset[str]
    began_at: datetime


async def named_in_answers(
    ledger: Ledger, known: Sequence[Made], sender: str | None = None, *, by_success: bool = False
) -> dict[str, Named]:
    """Return the documents of rows that answers have named.

    Args:
        ledger: Keeps the answers.
        known: What runs have made.
        sender: Answers to this user alone; None for those to all.
        by_success: Also documents that were found after a success that names none, as of old
            servers.
    """
    named: dict[str, Named] = {}
    for each in known:
        rows = await ledger.rows_of(each.number)
        source = next((row.source_id for run, row in rows if run == each.run), "")
        # Another run may have made a document of another form that has the same id.
        kept = await attempts_under(ledger, each.run, each.number)
        for attempt in kept:
            intent = attempt.attempt.intent
            if sender not in {None, intent.sender}:
                continue
            found = {target.id for target in each.targets}
            told = _named_by(attempt)
            if by_success and told == set() and len(kept) == 1 and each.code not in UNSURE:
                told = found
            for id_ in found & (told or set()):
                # A rule may merge bills.
                before = named[id_].sources if id_ in named else frozenset()
                named[id_] = Named(before | {source}, intent.began_at)
    return named


def _named_by(kept: AttemptRecord) -> set[str] | None:
    """Return the documents that an answer names; none where it is a success that names none.

    None where no answer could be read, or a refusal names none.
    """
    verdict = verdict_of(kept)
    if not isinstance(verdict, ReadBack):
        return None
    named = {target.id for target in verdict.said.named}
    return named if named or verdict.said.success else None


async def _makers_of(looker: Looker, named: Mapping[str, Named]) -> Makers:
    """Compare who has made documents with who has made their bills."""
    standings = await look_at_standings(looker, list(named)) if named else {}
    pairs = {(named[id_].sources, each.creator) for id_, each in standings.items() if each.creator}
    ids = sorted({bill for of, _ in pairs for bill in of} - {""})
    bills = await look_at_standings(looker, ids, of_source=True) if pairs and ids else {}
    # A merged document bears the maker of one of its bills.
    creators = [
        ({bills[bill].creator if bill in bills else "" for bill in of}, maker)
        for of, maker in pairs
    ]
    makers = {maker for _, maker in pairs}
    copied = all(not each.isdisjoint({maker, ""}) for each, maker in creators)
    ahead = [
        created - in_utc(named[id_].began_at)
        for id_, each in standings.items()
        if (created := created_at(each))
    ]
    behind = -min(ahead) if ahead else None
    return Makers(
        next(iter(makers)) if len(makers) == 1 else "",
        copied=bool(pairs) and copied,
        looks_copied=copied and any(each - {""} for each, _ in creators),
        ahead=max([EASTERNMOST, *ahead]),
        behind=behind,
        known_at=tuple(named[id_].began_at for id_ in standings),
        made_at=tuple(filter(None, map(created_at, standings.values()))),
    )


async def creators_of(looker: Looker, bills: Iterable[BillNumber]) -> dict[BillNumber, str]:
    """Return who has made bills; "" for one of which that is not told."""
    ids = {bill: looker.source_ids.get(bill, "") for bill in bills}
    known = sorted({*ids.values()} - {""})
    standings = await look_at_standings(looker, known, of_source=True) if known else {}
    return {bill: standings[id_].creator if id_ in standings else "" for bill, id_ in ids.items()}
