"""When something happened, by the clock of the server and by those of machines that send.

Documents bear the server's local time, and calls are written down by the clock of the machine that
sent them. A document that is taken for older than the call that made it is overlooked. So of all
times that the clocks allow, the earliest counts as a call's beginning and the latest as its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from k3push.core.model import RunId, Standing
from k3push.ports import Ledger, Made
from k3push.runs.lookup.document_lookup import look_at_standings
from k3push.runs.lookup.looker import Looker
from k3push.runs.proof.document_makers import (
    CLOCKS_DIFFER,
    EASTERNMOST,
    LATEST,
    LEAST_SAMPLE,
    SAMPLE,
    WESTERNMOST,
    created_at,
    in_utc,
    named_in_answers,
)

# Documents of the ledger whose times are compared with the server's.
SAMPLE_OF_TIMES = 3

# If the time of day has advanced by this much more or less than the other clock, it was set.
CLOCK_WAS_SET_S = 5.0

# How far two clocks may drift apart in a night; the ERP gives times in whole seconds.
CLOCKS_DRIFT_S = 1.0


@dataclass(frozen=True, slots=True)
class ServerClock:
    """What time it is on the server's clock.

    Attributes:
        local: A lower bound of its local time at *at_s*: the newest time of making that was read.
        at_s: When *local* was read, by `Context.awake_s`.
        utc_lead: By how much at most the clock of a sending machine, in UTC, was ahead of it.
        tells_time: Whether documents tell the time of day at which they were made.
        compared: Whether *utc_lead* is known.
    """

    local: datetime
    at_s: float
    utc_lead: timedelta = timedelta(0)
    tells_time: bool = True
    compared: bool = False

    @property
    def tells_after(self) -> bool:
        """Whether it can tell that a document was made after a time noted by a sending machine."""
        return self.compared and self.tells_time

    def no_earlier_than(self, over_at: datetime) -> datetime:
        """Return a local time of the server that was still to come at *over_at*.

        *over_at* is a time noted by a sending machine.
        """
        if not self.tells_after:
            return LATEST
        over = over_at.astimezone(UTC).replace(tzinfo=None) - self.utc_lead
        return over + timedelta(seconds=CLOCKS_DRIFT_S)


@dataclass(frozen=True, slots=True)
class Began:
    """When a call in doubt left.

    Attributes:
        at: By the clock of the machine that sent it.
        now: What the clock of this machine shows now, which somebody may have set meanwhile.
        left_s: When it left by `Context.awake_s`, which nobody can set, and which goes on while the
            machine sleeps; None where another execution has sent it.
        now_s: What that clock shows now.
    """

    at: datetime
    now: datetime
    left_s: float | None = None
    now_s: float = 0.0

    @property
    def is_timed(self) -> bool:
        """Whether this execution has sent it, and no one has set the clock since."""
        if self.left_s is None:
            return False
        since_s = (self.now - self.at).total_seconds()
        return abs(since_s - (self.now_s - self.left_s)) < CLOCK_WAS_SET_S

    def no_later_than(self, clock: ServerClock | None) -> datetime:
        """Return a local time of the server that had passed when the call left."""
        if clock is not None and self.left_s is not None:
            when = clock.local + timedelta(seconds=self.left_s - clock.at_s)
        else:
            # If our clock is right, no server's local time is earlier than this (P 9).
            utc_lead = max(WESTERNMOST, clock.utc_lead if clock else WESTERNMOST)
            when = min(self.at, self.now).astimezone(UTC).replace(tzinfo=None) - utc_lead
        when -= CLOCKS_DIFFER
        # A form may keep the day of the making alone.
        return when if clock and clock.tells_time else datetime.combine(when, time())


async def read_clock(
    looker: Looker, ledger: Ledger, run: RunId, now_s: float
) -> ServerClock | None:
    """Learn from the newest documents of the ledger how late it is at the server.

    Args:
        looker: What to look with.
        ledger: Knows the documents.
        run: Whose scope counts.
        now_s: By `Context.awake_s`.

    Returns:
        None where the ledger knows no document whose time is told.
    """
    known = await ledger.made_by(run, limit=SAMPLE)
    standings = await _standings_of(looker, known)
    times = [at for each in standings.values() if (at := created_at(each))]
    if not times:
        return None
    # Some documents that the ledger knows may be deleted: people clean up after a trial.
    there = [each for each in known if any(target.id in standings for target in each.targets)]
    told = any(at.time() != time() for at in times)
    leads = await _leads(ledger, there, standings)
    return ServerClock(max(times), now_s, leads or timedelta(0), told, leads is not None)


async def _leads(
    ledger: Ledger, known: Sequence[Made], standings: Mapping[str, Standing]
) -> timedelta | None:
    """Return by how much sending machines were ahead of the server; None where nothing tells.

    A document that an answer names is made after its call has left, so the largest difference is
    the best. A document that only a look has found may be older than its row's call, so that its
    difference is too large. If there are no others, the smallest difference is taken: then too many
    documents count as made by a call, rather than too few.
    """
    sure: list[timedelta] = []
    others: list[timedelta] = []
    for each in known:
        if len(sure) >= SAMPLE_OF_TIMES:
            break
        named = await named_in_answers(ledger, [each], by_success=True)
        for of, row in await ledger.rows_of(each.number):
            for target in row.targets if of == each.run else ():
                created = created_at(standings.get(target.id))
                if created and target.id in named:
                    sure.append(in_utc(named[target.id].began_at) - created)
                elif created and row.sent_at:
                    others.append(in_utc(row.sent_at) - created)
    if sure:
        return max(sure)
    return min(others) if len(others) >= LEAST_SAMPLE else None


def over_by(over_at: datetime | None, clock: ServerClock | None) -> datetime:
    """Return a local time of the server by which a call was over, as far as is known.

    Args:
        over_at: When it was over by the clock of a machine; None where it may be at work still.
        clock: The server's, where it was read.
    """
    if over_at is None:
        return LATEST
    latest = over_at.astimezone(UTC).replace(tzinfo=None) + EASTERNMOST + CLOCKS_DIFFER
    return min(latest, clock.no_earlier_than(over_at)) if clock else latest


async def _standings_of(looker: Looker, known: Sequence[Made]) -> Mapping[str, Standing]:
    """Read how some documents of the ledger stand."""
    ids = [target.id for each in known for target in each.targets][:SAMPLE]
    return await look_at_standings(looker, ids) if ids else {}
