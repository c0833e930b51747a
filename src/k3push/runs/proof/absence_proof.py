"""What has to be proved before "nothing is there" counts (rules 6 and 7).

Two things can make a document invisible, and neither raises an error: the field that is asked
does not hold the source's number, and the user who asks may not see what another has made, or a
part of what he makes himself. So absence counts only

- where the links of the target form, which name a source by its id (P 6.5), were seen to find
  what is there, and were asked for this bill; or, where links cannot be asked, where the number
  field was seen to do so, on this account and for these forms,
- where no document was made since by that user that neither a link nor a number ties to a bill:
  a rule may keep neither for some bills, and the field may be too short or hold one of several
  sources (`stray_calls`),
- where the user has looked who sent the number, or one who sees what that user makes, and
- where no look has missed a document that an answer names. As long as there is more to send, and
  so more to be learnt, a number of such documents has to have been shown.

The first and the third are found out by looking at documents that are known: those that the ledger
names, and the newest of the target form.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import anyio

from k3push.core.model import RunId, Sighting
from k3push.ports import ErpUnreachableError, Ledger, LoginRefusedError, LookFailedError, Made, Memo
from k3push.runs.kept_in_ledger.kept_attempts import rows_under
from k3push.runs.lookup.looker import Looker, can_ask
from k3push.runs.lookup.newest_lookup import look_at_newest, look_at_newest_links
from k3push.runs.lookup.target_lookup import look_at_both
from k3push.runs.proof.document_makers import (
    LEAST_SAMPLE,
    SAMPLE,
    UNSURE,
    MakersBySender,
    made_alike,
    named_in_answers,
)
from k3push.runs.proof.named_documents import named_by_answers

# How many documents that answers have named must have been shown by looks before "nothing is there"
# is believed: a user who sees half of them misses one of ten with a chance of 1023 in 1024.
ENOUGH_SHOWN = 10

LINKED = "links"
"""Kind of the memo that links have found what a rule makes; it is about forms and rule."""

LINKS_KEEP = timedelta(days=62)
"""For how long that counts: somebody may have changed the rule since."""

LINKS_RENEW = timedelta(days=31)
"""After so long it is learnt anew, at the next call whose answer names a document."""

# A site that has just refused to tell what was made since is not asked that again for each call,
# and may tell it by the time a doubt is settled.
UNTOLD_FOR_S = 300.0


@dataclass(slots=True)
class Proofs:
    """What one execution has found out.

    Attributes:
        field_finds: The field that is asked has found a document of a known bill.
        missed: A look through everybody has missed a document that an answer names.
        shown: Documents that the answers to a user have named, and looks have shown.
        makers: As whom users make documents.
    """

    field_finds: bool = False
    missed: bool = False
    shown: Counter[str] = field(default_factory=Counter)
    # What was done once in this execution.
    _looked_for_proof: bool = False
    _read_newest_links: bool = False
    _learnt_links: bool = False
    _wrote_links: bool = False
    _read_link_memos: bool = False
    _asking_links: anyio.Lock = field(default_factory=anyio.Lock)
    _links_untold_s: float = -math.inf
    _links_are_old: bool = False
    _calls_since_missed: int = 0
    _asking_known: anyio.Lock = field(default_factory=anyio.Lock)
    _sees: dict[tuple[str, frozenset[str]], bool] = field(default_factory=dict)
    makers: MakersBySender = field(default_factory=MakersBySender)

    async def absence_proved(
        self, looker: Looker, ledger: Ledger, run: RunId, *, now: datetime
    ) -> bool:
        """Say whether a bill of which nothing is shown has nothing; ask for known documents once.

        Where links tell, that is so for bills that they were asked for. If a look fails for good,
        its error is raised: it proves nothing, and disproves nothing either.
        """
        links = looker.links
        if can_ask(looker) and not (links.tell or self.field_finds or self._looked_for_proof):
            await self._look_at_known(looker, ledger, run, now)
            await self._ask_newest(looker)
            self._looked_for_proof = True
        return links.tell or self.field_finds

    async def links_outweigh(
        self, looker: Looker, ledger: Ledger, run: RunId, *, now: datetime
    ) -> bool:
        """Say whether a number alone ties no document, since links find what is there.

        It is learnt once. Where that fails, a number is not believed.
        """
        links = looker.links
        async with self._asking_known:
            if not (links.are_kept or links.missed_own or self._learnt_links):
                try:
                    if not (await self.recall_links(looker, ledger, now=now) or links.absent):
                        await self._look_at_known(looker, ledger, run, now)
                        await self.ask_newest_links(looker)
                except (LookFailedError, ErpUnreachableError, LoginRefusedError):
                    return links.may_outweigh
                self._learnt_links = True
        return links.outweigh

    async def recall_links(self, looker: Looker, ledger: Ledger, *, now: datetime) -> bool:
        """Say whether links have found what the rule makes, in some execution of late."""
        if not self._read_link_memos:
            memos = await ledger.memos(LINKED, about=_of_links(looker), limit=1)
            looker.links.recalled = any(now - memo.at < LINKS_KEEP for memo in memos)
            self._links_are_old = not any(now - memo.at < LINKS_RENEW for memo in memos)
            self._read_link_memos = True
        return looker.links.are_kept

    async def asks_for_links(self, looker: Looker, ledger: Ledger, *, now: datetime) -> bool:
        """Say whether links are asked for, to learn whether they find what the rule makes."""
        if looker.links.missed_own:
            # A plug-in may have dropped that link, so it is asked again, but ever more seldom: at
            # calls 1, 2, 4, 8 ...
            self._calls_since_missed += 1
            return self._calls_since_missed.bit_count() == 1
        return not await self.recall_links(looker, ledger, now=now) or self._links_are_old

    async def note_links(self, looker: Looker, ledger: Ledger, *, now: datetime) -> None:
        """Write down that links find what the rule makes, once in a month."""
        if looker.links.find_own and not self._wrote_links:
            form = _of_links(looker)
            await ledger.remember(Memo(LINKED, f"{form} {now:%Y-%m}", now, {}, about=form))
            self._wrote_links = True

    async def _look_at_known(
        self, looker: Looker, ledger: Ledger, run: RunId, now: datetime
    ) -> None:
        """Look for documents that the ledger names, by the field and by links."""
        known = await _made_alike(looker, ledger, run)
        seen = await _look_for(looker, ledger, known)
        by_field, links = seen.by_the_field(), looker.links
        self.field_finds = self.field_finds or any(_ids(each) & by_field for each in known)
        for each in known:
            # Of several documents of a bill one may be another's that bears its number.
            if each.number in seen.linked and each.code not in UNSURE:
                links.compare(_ids(each), seen)
        alike = await made_alike(looker, ledger, known, since=now - LINKS_RENEW)
        named = {each.number: await _named_of_row(looker, ledger, each) for each in alike}
        if not any(named.values()):
            # Answers of old servers name no documents. Then ENOUGH_SHOWN successes without a link
            # show that the rule keeps none.
            named = {each.number: _ids(each) for each in alike if each.code not in UNSURE}
            named = named if len(named) >= ENOUGH_SHOWN else {}
        for number, ids in named.items():
            links.compare_own(ids, number, seen)

    async def _ask_newest(self, looker: Looker) -> None:
        """Look for a proof in the newest documents, where known ones have given none."""
        await self.ask_newest_links(looker)
        if not (looker.links.tell or self.field_finds) and looker.route.source_number_field:
            self.field_finds = (await look_at_newest(looker)).proves

    async def ask_newest_links(self, looker: Looker) -> None:
        """Ask once whether the newest documents show that links are kept."""
        links = looker.links
        # Who comes meanwhile waits for the answer, and what has failed is asked for anew.
        async with self._asking_links:
            knows = links.find or links.missed_own or links.absent or self._read_newest_links
            if knows or anyio.current_time() - self._links_untold_s < UNTOLD_FOR_S:
                return
            try:
                links.find = await look_at_newest_links(looker)
            except LookFailedError:
                # Links may still find documents: until that is known, a number does not outweigh
                # them.
                self._links_untold_s = anyio.current_time()
            else:
                self._read_newest_links = True
            links.untold = not self._read_newest_links

    def compare(self, sender: str, named: Collection[str], seen: Collection[str]) -> None:
        """Take in which of the documents that an answer names a look through everybody shows."""
        self.shown[sender] += len(set(named).intersection(seen))
        self.missed = self.missed or not set(named) <= set(seen)

    def enough_shown(self, sender: str) -> bool:
        """Say whether enough of a user's documents were shown to believe that one is not there."""
        return self.shown[sender] >= ENOUGH_SHOWN

    async def covers(
        self, looker: Looker, ledger: Ledger, run: RunId, *, users: Collection[str], sender: str
    ) -> bool:
        """Say whether *users*, who have looked, see what *sender* makes.

        An attempt of an earlier version names no sender: then all users of the settings count.
        If a look fails for good, its error is raised.
        """
        if sender in users or (not sender and set(looker.erp.users) <= set(users)):
            return True
        if not sender:
            return False
        # Who sees what a sender makes may be set aside later, and the others may not see it.
        asked = (sender, frozenset(users))
        if asked not in self._sees:
            made = await ledger.made_by(run, sender, limit=SAMPLE)
            # What the others alone have found proves nothing of what they do not see.
            named = (await named_in_answers(ledger, made, sender, by_success=True)).keys()
            known = [each for each in made if _ids(each) & named]
            if len(known) < LEAST_SAMPLE:
                return False  # the sender may make more of them yet
            seen = await _look_for(looker, ledger, known)
            if not seen.users <= asked[1]:
                return False  # one of them may have seen it who has not looked before
            self._sees[asked] = all(_ids(each) & named <= _ids_of(seen, each) for each in known)
        return self._sees[asked]


def _of_links(looker: Looker) -> str:
    """Name the forms and the rule whose links are meant; each pair has a default rule."""
    route = looker.route
    return f"{route.source.lower()} {route.target.lower()} {route.rule}"


async def _made_alike(looker: Looker, ledger: Ledger, run: RunId) -> Sequence[Made]:
    """Return what the ledger names that shows whether documents of this route are found.

    Where nothing but links can be asked, another rule may keep them while the route's own does
    not.
    """
    known = await ledger.made_by(run, limit=SAMPLE)
    by_field = bool(looker.route.source_number_field)
    return known if by_field else await made_alike(looker, ledger, known)


async def _look_for(looker: Looker, ledger: Ledger, known: Collection[Made]) -> Sighting:
    """Look for documents by their bills, which may have other numbers by now."""
    numbers = list(dict.fromkeys(each.number for each in known))
    if not numbers:
        return Sighting()
    then = {
        each.number: row.source_id
        for each in known
        for row in await rows_under(ledger, each.run, each.number)
        if row.source_id
    }
    # These ids are for this look alone: a bill of this run may have got the number.
    looker = looker.knowing(then)
    return await look_at_both(looker, numbers, by_all=True, together=False, stop_or_not=False)


async def _named_of_row(looker: Looker, ledger: Ledger, made: Made) -> set[str]:
    """Return the documents of a row that answers have named, if its bill has the number still."""
    for of, row in await ledger.rows_of(made.number):
        if of == made.run and row.bill == made.number:
            asked = looker.source_ids.get(row.bill, row.source_id)
            if row.source_id and row.source_id == asked:
                return _ids(made) & await named_by_answers(ledger, of, row.bill)
    return set()


def _ids(made: Made) -> set[str]:
    return {target.id for target in made.targets}


def _ids_of(seen: Sighting, made: Made) -> set[str]:
    """Return the documents that a look has found of a number, cancelled ones among them."""
    kinds = (seen.targets, seen.shared, seen.cancelled, seen.denied, seen.namesakes, seen.loose)
    return {target.id for kind in kinds for target in kind.get(made.number, ())}
