"""What may happen in a story: each event says in words what it is, and can be left out alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from k3push.simulator import Channel, Fault, Refusal
from k3push.simulator.fault_plans.faults import Ending, Work
from tests.campaign.conditions import Condition
from tests.campaign.queueing import Queues
from tests.campaign.settings import Sets
from tests.campaign.steps_after import AfterPush
from tests.runs.mortals import Act
from tests.runs.office import orders

# A bill of two organisations, and what makes a bill of its own out of another's number.
TWIN = "CGDD7777777"
LONGER = ("-1", "0", "改")


@dataclass(frozen=True, slots=True)
class Meets:
    """The nth request of a kind meets a fault."""

    channel: Channel
    nth: int
    fault: Fault

    def __str__(self) -> str:
        """Say so."""
        seconds = f" ({self.fault.seconds:g} s)" if _takes_time(self.fault) else ""
        return f"{self.channel} {self.nth} meets {self.fault.name}{seconds}"


@dataclass(frozen=True, slots=True)
class Refuses:
    """The ERP refuses a bill."""

    number: str
    refusal: Refusal

    def __str__(self) -> str:
        """Say so."""
        marks = ("saving", "whole_call", "thrown")
        how = [name.replace("_", " ") for name in marks if getattr(self.refusal, name)]
        text = ", ".join([f"MsgCode {self.refusal.code} {self.refusal.text!r}", *how])
        return f"the ERP refuses {self.number}: {text}"


@dataclass(frozen=True, slots=True)
class Drops:
    """Of each call that holds a bill, the ERP passes over the last one in silence (P 4.6)."""

    number: str

    def __str__(self) -> str:
        """Say so."""
        return f"the ERP passes over the last bill of each call that holds {self.number}"


@dataclass(frozen=True, slots=True)
class Names:
    """The first list names one number more, after the bill of this place."""

    number: str
    place: int

    def __str__(self) -> str:
        """Say so."""
        return f"the first list also names {self.number!r}"


@dataclass(frozen=True, slots=True)
class WasMade:
    """Somebody has pushed a bill by hand before, as one of the users."""

    number: str
    one_entry: bool
    user: str

    def __str__(self) -> str:
        """Say so."""
        part = "one entry of " if self.one_entry else ""
        return f"{self.user} has pushed {part}{self.number} by hand before"


class Way(StrEnum):
    """By which route a second run pushes; all are of the same forms."""

    SAME = "by the same route"
    LOWER = "by form ids in lower case"
    DEFAULT = "by the default rule"
    OTHER = "by another rule"
    UNASKED = "by a route without a number field"


@dataclass(frozen=True, slots=True)
class Waits:
    """The first run begins later, when a second one may have ended."""

    at_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"run 1 begins at {self.at_s:g} s"


@dataclass(frozen=True, slots=True)
class AsksField:
    """The routes ask a field that exists and does not hold the source's number."""

    name: str

    def __str__(self) -> str:
        """Say so."""
        return f"the settings name {self.name} as the field of the source's number"


@dataclass(frozen=True, slots=True)
class MendsField:
    """The field of the source's number is put right, before some execution of a run."""

    execution: int

    def __str__(self) -> str:
        """Say so."""
        return f"from execution {self.execution} on the settings name the right field"


@dataclass(frozen=True, slots=True)
class MadeAnew:
    """The users are made anew in the ERP: what they have made bears makers that are gone."""

    at_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"at {self.at_s:g} s the users are made anew"


@dataclass(frozen=True, slots=True)
class IsNew:
    """The target form holds no document before the story begins."""

    def __str__(self) -> str:
        """Say so."""
        return "the target form holds no document at first"


class Stands(StrEnum):
    """A document that bears a bill's number before the story begins."""

    CANCELLED = "a cancelled one of its own"
    FOREIGN = "one made of another form"
    TYPED = "one in which its number was typed"


@dataclass(frozen=True, slots=True)
class Bears:
    """A document bears a bill's number."""

    number: str
    what: Stands

    def __str__(self) -> str:
        """Say so."""
        return f"a document bears {self.number}: {self.what}"


@dataclass(frozen=True, slots=True)
class IsGone:
    """From an execution of the first run on, a user is in the settings no longer."""

    user: str
    execution: int

    def __str__(self) -> str:
        """Say so."""
        return f"{self.user} is gone from the settings from execution {self.execution} on"


@dataclass(frozen=True, slots=True)
class IsLockedOut:
    """The login of a user is refused for a while."""

    user: str
    at_s: float
    for_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"the login of {self.user} is refused from {self.at_s:g} s on for {self.for_s:g} s"


@dataclass(frozen=True, slots=True)
class HasWindow:
    """The settings let chunks leave at some time of the day only; all runs begin at noon.

    Attributes:
        closes: When it closes, in minutes after noon; 0 has it closed at the beginning.
        opens: When it opens again, likewise.
    """

    closes: int
    opens: int

    @property
    def text(self) -> str:
        """As the settings have it."""
        return f"12:{self.opens:02}-12:{self.closes:02}"

    def is_open(self, at_s: float) -> bool:
        """Say whether chunks may leave so many seconds after noon; all is over before midnight."""
        return not self.closes * 60 <= at_s < self.opens * 60

    def __str__(self) -> str:
        """Say so."""
        return f"chunks may leave at {self.text}"


@dataclass(frozen=True, slots=True)
class Says:
    """A person gives the first run a command, and takes a pause back."""

    at_s: float
    text: str

    def __str__(self) -> str:
        """Say so."""
        return f"a person says {self.text!r} to run 1 at {self.at_s:g} s"


@dataclass(frozen=True, slots=True)
class Ends:
    """An execution of the first run has a deadline."""

    execution: int
    seconds: float

    def __str__(self) -> str:
        """Say so."""
        return f"execution {self.execution} of run 1 ends after {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class OnlySettles:
    """An execution of the first run only settles."""

    execution: int

    def __str__(self) -> str:
        """Say so."""
        return f"execution {self.execution} of run 1 only settles"


@dataclass(frozen=True, slots=True)
class Joins:
    """A second run over bills of its own and of the first begins."""

    first_bill: int
    count: int
    at_s: float
    way: Way

    def __str__(self) -> str:
        """Say so."""
        numbers = orders(self.count, self.first_bill)
        return f"a second run, {self.way}, over {numbers[0]} to {numbers[-1]}, at {self.at_s:g} s"


@dataclass(frozen=True, slots=True)
class Plans:
    """The first run is a plan.

    Attributes:
        later_s: How long after it was made it is applied.
        again_s: How long after that somebody else applies it as well, or None.
    """

    later_s: float
    again_s: float | None

    def __str__(self) -> str:
        """Say so."""
        again = f", and by another {self.again_s:g} s after" if self.again_s is not None else ""
        return f"run 1 is a plan that is applied {self.later_s:g} s later{again}"


@dataclass(frozen=True, slots=True)
class IsPushed:
    """Somebody pushes a bill by hand meanwhile."""

    number: str
    at_s: float
    user: str

    def __str__(self) -> str:
        """Say so."""
        return f"{self.user} pushes {self.number} by hand at {self.at_s:g} s"


@dataclass(frozen=True, slots=True)
class IsClosed:
    """Somebody closes a bill by hand meanwhile."""

    number: str
    at_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"somebody closes {self.number} by hand at {self.at_s:g} s"


class Alters(StrEnum):
    """What people of the office do with source bills while they are pushed."""

    SHARES = "enters another bill of the number in organisation 200"
    DELETES = "deletes the bill"
    UNAPPROVES = "unapproves the bill for a minute"


@dataclass(frozen=True, slots=True)
class IsAltered:
    """Somebody alters a source bill meanwhile."""

    number: str
    at_s: float
    what: Alters

    def __str__(self) -> str:
        """Say so."""
        return f"somebody {self.what}: {self.number}, at {self.at_s:g} s"


@dataclass(frozen=True, slots=True)
class IsBarred:
    """Nobody has the right to read a form for a while."""

    form: str
    at_s: float
    for_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"nobody may read {self.form} from {self.at_s:g} s on for {self.for_s:g} s"


@dataclass(frozen=True, slots=True)
class IsRenumbered:
    """Somebody gives a bill another number meanwhile, as clerks do who mend a mistake.

    Attributes:
        listed: The second list names the new number.
    """

    number: str
    to: str
    at_s: float
    listed: bool

    def __str__(self) -> str:
        """Say so."""
        listed = ", as the second list calls it" if self.listed else ""
        return f"somebody renumbers {self.number} as {self.to} at {self.at_s:g} s{listed}"


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Somebody gives two bills of the first list each other's numbers meanwhile."""

    one: str
    other: str
    at_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"somebody exchanges the numbers of {self.one} and {self.other} at {self.at_s:g} s"


@dataclass(frozen=True, slots=True)
class ListsIds:
    """A list names bills by their ids as well, so that these travel by them.

    Attributes:
        run: Which list, from 1.
        every: Of so many lines each time the last one.
    """

    run: int
    every: int

    def __str__(self) -> str:
        """Say so."""
        which = "each line" if self.every == 1 else f"each {self.every}th line"
        return f"{which} of list {self.run} has the bill's id"


@dataclass(frozen=True, slots=True)
class SharesLedger:
    """Another account set has its runs in the same ledger, over bills of the same numbers.

    Attributes:
        seed: Of what happens there.
    """

    seed: int

    def __str__(self) -> str:
        """Say so."""
        return f"another account shares the ledger, with the story of seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Happens:
    """Something happens to a process at a step of it.

    Attributes:
        still_s: How long it stands still, where that is what happens.
    """

    run: int
    execution: int
    step: int
    act: Act
    still_s: float = 0.0

    def __str__(self) -> str:
        """Say so."""
        still = f" for {self.still_s:g} s" if self.act is Act.STAND_STILL else ""
        return f"execution {self.execution} of run {self.run} {self.act}{still} at step {self.step}"


@dataclass(frozen=True, slots=True)
class Intrudes:
    """A second person resumes the first run while it may be alive."""

    at_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"a second person resumes run 1 at {self.at_s:g} s"


@dataclass(frozen=True, slots=True)
class IsDown:
    """The server takes no connections for a while."""

    at_s: float
    for_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"the server is down from {self.at_s:g} s on for {self.for_s:g} s"


@dataclass(frozen=True, slots=True)
class IsAllowed:
    """What the ERP has against a bill is put right meanwhile."""

    number: str
    at_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"{self.number} is refused no longer from {self.at_s:g} s on"


@dataclass(frozen=True, slots=True)
class Reloads:
    """The site loads its metadata anew, and knows some fields of no form for a while."""

    at_s: float
    for_s: float
    fields: tuple[str, ...]

    def __str__(self) -> str:
        """Say so."""
        return (
            f"from {self.at_s:g} s on, for {self.for_s:g} s, no form has {', '.join(self.fields)}"
        )


@dataclass(frozen=True, slots=True)
class Lacks:
    """No form of the site has a field."""

    field: str

    def __str__(self) -> str:
        """Say so."""
        return f"no form has {self.field}"


@dataclass(frozen=True, slots=True)
class IsElsewhere:
    """The server's local time is another than that of the machine."""

    hours: float

    def __str__(self) -> str:
        """Say so."""
        return f"the server is {self.hours:+g} hours from here"


@dataclass(frozen=True, slots=True)
class SetsClock:
    """Somebody sets the clock of the machine, while the ERP's stays right."""

    at_s: float
    by_s: float

    def __str__(self) -> str:
        """Say so."""
        return f"at {self.at_s:.0f} s the machine's clock is set by {self.by_s:+.0f} s"


@dataclass(frozen=True, slots=True)
class Retries:
    """When the first run is at its end, its rejected numbers are planned again."""

    def __str__(self) -> str:
        """Say so."""
        return "the rejected numbers of run 1 are planned again at its end"


Event = (
    Meets
    | Refuses
    | Drops
    | Names
    | WasMade
    | Joins
    | Waits
    | AsksField
    | MendsField
    | MadeAnew
    | IsNew
    | Bears
    | IsGone
    | IsLockedOut
    | HasWindow
    | Sets
    | Says
    | Ends
    | OnlySettles
    | Plans
    | IsPushed
    | IsClosed
    | IsRenumbered
    | Exchanges
    | IsAltered
    | IsBarred
    | ListsIds
    | SharesLedger
    | Happens
    | Intrudes
    | IsDown
    | Retries
    | Queues
    | SetsClock
    | IsAllowed
    | Reloads
    | Lacks
    | IsElsewhere
    | Condition
    | AfterPush
)


def _takes_time(met: Fault) -> bool:
    return met.work is Work.COMMIT_LATE or met.ending is Ending.DELAY
