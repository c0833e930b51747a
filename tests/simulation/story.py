"""What a trial is about: a world and the events in it, told in words.

The frame is always there; each event can be left out without moving another, so that a story
that fails can be cut down to the events that matter.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from k3push.job import PushPace
from k3push.simulator import AnswerStyle, Channel, Fault, OnRefusal, Policy, Refusal
from k3push.simulator.faults import Ending, Work
from tests.pushing.mortals import Act
from tests.pushing.office import orders

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
    """Somebody has pushed a bill by hand before."""

    number: str
    one_entry: bool

    def __str__(self) -> str:
        """Say so."""
        part = "one entry of " if self.one_entry else ""
        return f"somebody has pushed {part}{self.number} by hand before"


@dataclass(frozen=True, slots=True)
class Joins:
    """A second run over bills of its own and of the first begins."""

    first_bill: int
    count: int
    at_s: float

    def __str__(self) -> str:
        """Say so."""
        numbers = orders(self.count, self.first_bill)
        return f"a second run, over {numbers[0]} to {numbers[-1]}, begins at {self.at_s:g} s"


@dataclass(frozen=True, slots=True)
class Happens:
    """Something happens to a process at a step of it."""

    run: int
    execution: int
    step: int
    act: Act

    def __str__(self) -> str:
        """Say so."""
        return f"execution {self.execution} of run {self.run} {self.act} at step {self.step}"


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
class Retries:
    """When the first run is at its end, its rejected numbers are planned again."""

    def __str__(self) -> str:
        """Say so."""
        return "the rejected numbers of run 1 are planned again at its end"


Event = Meets | Refuses | Drops | Names | WasMade | Joins | Happens | Intrudes | IsDown | Retries


@dataclass(frozen=True, slots=True)
class Frame:
    """What a trial's world is like, whatever happens in it.

    Attributes:
        seed: Of the world's own chances and of the schedule.
        bills: Sound bills in the first list.
        exact: Whether the database tells letter case and width apart.
        linked: Whether the route names a field that holds the source's number.
        drafts: Whether targets that cannot be saved become drafts.
        partial: Whether earlier targets do not stop a push, by the route.
        again: The same, by a person's word.
        sends_blocked: Whether unapproved, closed and cancelled bills are sent.
        takes_blocked: Whether the rule takes them.
    """

    seed: int
    bills: int
    latency_s: float
    session_calls: int
    policy: Policy
    on_refusal: OnRefusal
    style: AnswerStyle
    exact: bool
    linked: bool
    drafts: bool
    partial: bool
    again: bool
    sends_blocked: bool
    takes_blocked: bool
    chunk_size: int
    concurrency: int
    pace: PushPace

    def __str__(self) -> str:
        """Say what is not usual."""
        pace = self.pace
        said = [
            f"{self.bills} bills",
            f"chunks of {self.chunk_size}",
            f"{self.concurrency} at once",
            f"{self.latency_s:g} s a call",
            f"rules {self.policy}",
            f"refusals {self.on_refusal}",
        ]
        said += [] if pace.canary else ["no canary"]
        said += [f"limit {pace.limit}"] if pace.limit else []
        said += [f"halt at {pace.halt.fail_count} refusals"] if pace.halt.fail_count else []
        said += [f"halt at {pace.halt.unknown_count} doubts"] if pace.halt.unknown_count else []
        said += [f"sessions of {self.session_calls} calls"] if self.session_calls else []
        said += ["no source-number field"] if not self.linked else []
        words = ("exact", "drafts", "partial", "again", "sends_blocked")
        said += [word.replace("_", " ") for word in words if getattr(self, word)]
        return f"{', '.join(said)}; {self.style}"


@dataclass(frozen=True, slots=True)
class Story:
    """A frame, and events by their numbers."""

    frame: Frame
    events: tuple[tuple[int, Event], ...]

    @property
    def happenings(self) -> list[Event]:
        """The events without their numbers."""
        return [event for _, event in self.events]

    def only(self, kept: Collection[int]) -> Story:
        """Return the story with these events alone."""
        return replace(self, events=tuple(each for each in self.events if each[0] in kept))

    def without(self, dropped: Collection[int]) -> Story:
        """Return the story without these events."""
        return self.only([nth for nth, _ in self.events if nth not in dropped])

    def __str__(self) -> str:
        """Tell it, a line for each event."""
        lines = [f"{nth:>4}  {event}" for nth, event in self.events]
        return "\n".join([f"      {self.frame}", *lines])


def _takes_time(met: Fault) -> bool:
    return met.work is Work.COMMIT_LATE or met.ending is Ending.DELAY
