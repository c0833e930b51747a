"""What a trial is about: a world and the events in it, told in words.

The frame is always there; each event can be left out without moving another, so that a story
that fails can be cut down to the events that matter.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from k3push.runs.push_limits import PushLimits
from k3push.simulator import AnswerStyle, OnRefusal, Policy, Sight
from tests.campaign.conditions import (
    USERS,
    AlsoPushes,
    CutsPages,
    IsSlow,
    IsUntied,
    LacksLinks,
    Lags,
    MayNotRead,
    ReadsFail,
    Sees,
)
from tests.campaign.events import (
    Alters,
    AsksField,
    Bears,
    Event,
    Exchanges,
    IsAltered,
    IsClosed,
    IsElsewhere,
    IsGone,
    IsLockedOut,
    IsNew,
    IsPushed,
    IsRenumbered,
    Joins,
    Lacks,
    MadeAnew,
    Stands,
    WasMade,
    Way,
)
from tests.runs.office import SETTLE

E = TypeVar("E")


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
    limits: PushLimits

    def __str__(self) -> str:
        """Say what is not usual."""
        limits = self.limits
        said = [
            f"{self.bills} bills",
            f"chunks of {self.chunk_size}",
            f"{self.concurrency} at once",
            f"{self.latency_s:g} s a call",
            f"rules {self.policy}",
            f"refusals {self.on_refusal}",
        ]
        said += [] if limits.canary else ["no canary"]
        said += [f"limit {limits.limit}"] if limits.limit else []
        said += [f"halt at {limits.halt.fail_count} refusals"] if limits.halt.fail_count else []
        said += [f"halt at {limits.halt.unknown_count} doubts"] if limits.halt.unknown_count else []
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

    def all_of(self, kind: type[E]) -> list[E]:
        """Return the events of a kind."""
        return [event for event in self.happenings if isinstance(event, kind)]

    def has(self, *kinds: type) -> bool:
        """Say whether an event of one of these kinds is in it."""
        return any(isinstance(event, kinds) for event in self.happenings)

    @property
    def touched(self) -> set[str]:
        """Bills with which somebody does something by hand while runs go on."""
        by_hand = {
            e.number for e in self.happenings if isinstance(e, IsPushed | IsClosed | IsAltered)
        }
        return by_hand | self.renumbered | self.exchanged

    @property
    def deleted(self) -> set[str]:
        """Bills that somebody deletes while runs go on."""
        return {e.number for e in self.all_of(IsAltered) if e.what is Alters.DELETES}

    @property
    def renumbered(self) -> set[str]:
        """Both numbers of each bill that gets another one."""
        return {number for e in self.all_of(IsRenumbered) for number in (e.number, e.to)}

    @property
    def exchanged(self) -> set[str]:
        """The numbers that bills get of one another."""
        return {number for e in self.all_of(Exchanges) for number in (e.one, e.other)}

    @property
    def users(self) -> list[str]:
        """The users of the settings at the beginning, the first one first."""
        return [USERS[0], *(event.user for event in self.all_of(AlsoPushes))]

    def hides(self, creator: str, but: Collection[str] = ()) -> bool:
        """Say whether a document may stay hidden from all who look.

        Args:
            creator: Who has made it.
            but: Users who do not look at times.
        """
        sees = {event.user: event.sight for event in self.all_of(Sees)}
        leave = self.all_of(IsGone) + self.all_of(IsLockedOut) + self.all_of(MayNotRead)
        stay = set(self.users) - {event.user for event in leave} - set(but)
        seen = any(
            sees.get(user, Sight.ALL) is Sight.ALL or (sees[user] is Sight.OWN and user == creator)
            for user in stay
        )
        return self.is_blind or not seen

    @property
    def is_blind(self) -> bool:
        """Whether nobody who looks can see what is there."""
        return not self.frame.linked or (self.has(AsksField) and self.has(LacksLinks))

    @property
    def is_unasked(self) -> bool:
        """Whether some run cannot ask for what it has made."""
        unasked = any(event.way is Way.UNASKED for event in self.all_of(Joins))
        return self.is_blind or (unasked and self.has(LacksLinks))

    @property
    def keeps_none(self) -> bool:
        """Whether the rules keep no links where other documents have some: numbers tell less."""
        return any(event.queried for event in self.all_of(LacksLinks))

    @property
    def is_dim(self) -> bool:
        """Whether nobody may be able to prove that a document is not there."""
        hidden = self.has(IsNew, Sees, MayNotRead, IsGone, IsLockedOut, IsUntied, MadeAnew)
        untold = any(event.field == "FCreateDate" for event in self.all_of(Lacks))
        # It has no link, and may be what a lost call has made of another bill.
        typed = any(event.what is Stands.TYPED for event in self.all_of(Bears))
        # So may what a person has pushed, where nobody is told its link.
        typed = typed or (self.has(LacksLinks, ReadsFail) and self.has(WasMade, IsPushed))
        return self.is_blind or hidden or self.lags or untold or typed or self.keeps_none

    @property
    def usual_call_s(self) -> float:
        """How long a call takes at most that meets nothing; dates are cut off to seconds."""
        slowest = max((event.times for event in self.all_of(IsSlow)), default=1.0)
        return self.frame.latency_s * slowest + 1

    @property
    def lags(self) -> bool:
        """Whether queries lag longer than a read-back waits."""
        return any(
            event.seconds >= SETTLE.first_wait_s
            for event in self.happenings
            if isinstance(event, Lags)
        )

    @property
    def away(self) -> timedelta:
        """How far the server's local time is ahead."""
        return timedelta(hours=sum(event.hours for event in self.all_of(IsElsewhere)))

    @property
    def cuts_pages(self) -> bool:
        """Whether reads take more requests than usual."""
        return self.has(CutsPages)

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
