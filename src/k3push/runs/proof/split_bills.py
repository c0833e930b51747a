"""Whether the route's rule splits bills, as the documents of bills that are known have shown.

What was made by another rule tells nothing, and what was made long ago nothing of today's rule. A
bill with several documents that are not all surely its own (`twin`) shows no split, and one of
which a part was refused (`partly`) does not show that its rule makes one document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from k3push.core.model import PARTLY, TWIN, Outcome, RunId
from k3push.core.safety.legal_moves import SENT_BEFORE
from k3push.ports import Ledger, Made
from k3push.runs.lookup.looker import Looker
from k3push.runs.proof.document_makers import MOST_KNOWN, made_alike

# After so many bills with one document each, the rule counts as one that splits none; with fewer,
# it may split some.
ENOUGH_KNOWN = 20

# For how long they show it: somebody may have changed the rule since.
RULE_KEEPS = timedelta(days=62)


@dataclass(slots=True)
class SplitBills:
    """What is known of it in one execution.

    Attributes:
        seen: Some bill has several documents, which the ERP saves one after another.
        known: Bills whose documents have shown whether bills are split; None before the ledger is
            asked.
    """

    seen: bool = False
    known: int | None = None

    @property
    def is_known_well(self) -> bool:
        """Whether enough bills are known to trust what they show."""
        return (self.known or 0) >= ENOUGH_KNOWN

    async def look(self, looker: Looker, ledger: Ledger, run: RunId, now: datetime) -> None:
        """Learn from what the ledger has made, once."""
        if self.known is None:
            made = await ledger.made_by(run, limit=MOST_KNOWN)
            known = await made_alike(looker, ledger, made)
            several = [each for each in known if len(each.targets) > 1]
            self.seen = self.seen or any(each.code != TWIN for each in several)
            since = now - RULE_KEEPS
            self.known = _whole_among(await made_alike(looker, ledger, known, since=since))

    def note_made(self, outcomes: Sequence[Outcome]) -> None:
        """Note whether bills of which calls of ours have made documents have several."""
        made = [each for each in outcomes if each.state in SENT_BEFORE and each.targets]
        several = [outcome for outcome in made if len(outcome.targets) > 1]
        self.seen = self.seen or any(outcome.code != TWIN for outcome in several)
        if self.known is not None:
            self.known += _whole_among(made)


def _whole_among(made: Sequence[Made | Outcome]) -> int:
    """Count the bills that show into how many documents a rule makes them: no part is missing."""
    return sum(each.code != PARTLY for each in made)
