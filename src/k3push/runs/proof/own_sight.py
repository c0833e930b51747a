"""Whether a user of the ERP is shown what he has made himself.

Users have rights to data: some see their own documents alone, or those of some organisations. A
user may be made anew under the same login, and his rights may be changed; then what he has made
before is not shown to him, and its absence proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from k3push.core.model import Run
from k3push.ports import Ledger, Made
from k3push.runs.lookup.document_lookup import look_at_standings, look_at_standings_if_allowed
from k3push.runs.lookup.looker import Looker
from k3push.runs.proof.document_makers import LEAST_SAMPLE, MOST_KNOWN, SAMPLE
from k3push.runs.proof.named_documents import named_and_untied

# For how long a document counts that an answer has named and that no look shows: a person may have
# deleted it.
UNSHOWN_KEEPS = timedelta(days=31)


@dataclass(slots=True)
class OwnSight:
    """What one execution has found out of it, by sender."""

    _sees_earlier: dict[str, bool] = field(default_factory=dict)
    _misses: frozenset[str] | None = None

    async def sees_earlier(
        self, looker: Looker, ledger: Ledger, run: Run, sender: str, before: datetime
    ) -> bool:
        """Say whether documents that a sender has made before a call are shown still.

        A few may be deleted. Where the ledger knows hardly any, nothing speaks against it.

        Args:
            looker: What to look with.
            ledger: What was made.
            run: Whose scope counts.
            sender: Who has sent the call.
            before: When the call began.
        """
        if sender not in self._sees_earlier:
            known = await _made_before(ledger, run, sender, before)
            ids = {each.number: {target.id for target in each.targets} for each in known}
            shown = await look_at_standings(looker, set().union(*ids.values())) if ids else {}
            there = sum(bool(each & shown.keys()) for each in ids.values())
            self._sees_earlier[sender] = len(ids) < LEAST_SAMPLE or 2 * there >= len(ids)
        return self._sees_earlier[sender]

    async def misses(
        self, looker: Looker, ledger: Ledger, run: Run, sender: str, until: datetime
    ) -> bool:
        """Say whether an answer to a sender has named a document that no look shows.

        Args:
            looker: What to look with.
            ledger: Keeps what answers have named.
            run: Whose scope counts.
            sender: The user.
            until: What was named later may not be shown yet.
        """
        if self._misses is None:
            untied = await named_and_untied(
                ledger, looker.route, run.scope, since=until - UNSHOWN_KEEPS, until=until
            )
            shown = await look_at_standings_if_allowed(looker, untied.keys()) if untied else {}
            gone = untied.keys() - (shown if shown is not None else untied).keys()
            self._misses = frozenset(untied[id_] for id_ in gone)
        return sender in self._misses


async def _made_before(ledger: Ledger, run: Run, sender: str, before: datetime) -> list[Made]:
    """Return the last documents that the ledger knows of a sender from before a time."""
    found: list[Made] = []
    for each in await ledger.made_by(run.id, sender or None, limit=MOST_KNOWN):
        rows = [row for of, row in await ledger.rows_of(each.number) if of == each.run]
        if any(row.sent_at and row.sent_at <= before for row in rows):
            found.append(each)
        if len(found) >= SAMPLE:
            break
    return found
