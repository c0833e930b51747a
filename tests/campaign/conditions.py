"""What a site, its users and its queries are like in a story, beside what is usual.

Each condition is an event: it is told in words, and can be left out without moving another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from k3push.simulator import (
    Aimed,
    Fault,
    QueryLimits,
    Rival,
    SandboxOptions,
    Seeded,
    Sight,
    WriteBack,
)

USERS = ("sandbox", "sandbox2", "sandbox3")


@dataclass(frozen=True, slots=True)
class AlsoPushes:
    """One more user pushes and looks."""

    user: str

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Let the site know the user."""
        accounts = options.accounts
        users = {**accounts.users, self.user: "sandbox"}
        return replace(options, accounts=replace(accounts, users=users))

    def __str__(self) -> str:
        """Say so."""
        return f"{self.user} pushes as well"


@dataclass(frozen=True, slots=True)
class Sees:
    """A user sees less than everything, and no error says so."""

    user: str
    sight: Sight

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Narrow the rights."""
        return replace(options, sees={**options.sees, self.user: self.sight})

    def __str__(self) -> str:
        """Say so."""
        return f"of the targets {self.user} sees: {self.sight}"


@dataclass(frozen=True, slots=True)
class MayNotRead:
    """A user has no right to read the target form."""

    user: str
    form: str

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Take the right away."""
        return replace(options, unreadable={**options.unreadable, self.user: (self.form,)})

    def __str__(self) -> str:
        """Say so."""
        return f"{self.user} may not read {self.form}"


@dataclass(frozen=True, slots=True)
class IsSlow:
    """The calls of a user take longer."""

    user: str
    times: float

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Slow the user down."""
        return replace(options, slow_users={**options.slow_users, self.user: self.times})

    def __str__(self) -> str:
        """Say so."""
        return f"calls of {self.user} take {self.times:g} times as long"


@dataclass(frozen=True, slots=True)
class CutsPages:
    """The site cuts each answer at so many rows, for a user or for all."""

    rows: int
    user: str = ""

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Cut."""
        limits = options.limits
        if self.user:
            by_user: Mapping[str, int] = {**limits.user_rows, self.user: self.rows}
            return replace(options, limits=replace(limits, user_rows=by_user))
        return replace(options, limits=QueryLimits(rows=self.rows, user_rows=limits.user_rows))

    def __str__(self) -> str:
        """Say so."""
        return f"pages are cut at {self.rows} rows{f' for {self.user}' * bool(self.user)}"


@dataclass(frozen=True, slots=True)
class Lags:
    """Queries see what was committed only some seconds later, or every second one of them."""

    seconds: float
    in_turn: bool = False

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Lag."""
        return replace(options, query_lag_s=self.seconds, copies_in_turn=self.in_turn)

    def __str__(self) -> str:
        """Say so."""
        which = "every second query lags" if self.in_turn else "queries lag"
        return f"{which} {self.seconds:g} s behind"


@dataclass(frozen=True, slots=True)
class SavesApart:
    """The targets of one push are saved one after the other."""

    seconds: float

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Save slowly."""
        return replace(options, save_gap_s=self.seconds)

    def __str__(self) -> str:
        """Say so."""
        return f"the targets of one push are saved {self.seconds:g} s apart"


@dataclass(frozen=True, slots=True)
class NamesNoPart:
    """A refusal keeps to itself what was saved all the same."""

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Say nothing of it."""
        return replace(options, style=replace(options.style, names_no_part=True))

    def __str__(self) -> str:
        """Say so."""
        return "a refusal names nothing of what was saved all the same"


@dataclass(frozen=True, slots=True)
class NamesLate:
    """A document bears the number that its bill has as it is saved."""

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Name late."""
        return replace(options, names_when_saved=True)

    def __str__(self) -> str:
        """Say so."""
        return "documents bear the numbers that their bills have as they are saved"


@dataclass(frozen=True, slots=True)
class WritesBack:
    """The rule takes quantity at another time than saving, so that a bill stays open."""

    when: WriteBack

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Set the rule."""
        return replace(options, write_back=self.when)

    def __str__(self) -> str:
        """Say so."""
        return f"targets take quantity at: {self.when}"


@dataclass(frozen=True, slots=True)
class StaysOpen:
    """Sources are not closed when their quantity is used up."""

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Keep them open."""
        return replace(options, closes=False)

    def __str__(self) -> str:
        """Say so."""
        return "sources that are used up stay open"


@dataclass(frozen=True, slots=True)
class LacksLinks:
    """No links of targets tell: their sources' numbers are all that is known.

    Attributes:
        queried: They can be queried, and the rules keep none.
    """

    queried: bool = False

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Hide them."""
        if not self.queried:
            return replace(options, link_fields=False)
        routes = [replace(route, keeps_links=False) for route in options.routes]
        return replace(options, routes=routes)

    def __str__(self) -> str:
        """Say so."""
        return "the rules keep no links" if self.queried else "links cannot be queried"


@dataclass(frozen=True, slots=True)
class ReadsFail:
    """A share of all reads, or of those of one user, fails, until so many have."""

    rate: float
    faults: tuple[Fault, ...]
    most: int
    user: str = ""

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Add the faults."""
        assert not isinstance(options.faults, str)
        seeded = Seeded(self.rate, self.faults, options.seed, self.most, self.user)
        return replace(options, faults=replace(options.faults, seeded_reads=seeded))  # type: ignore[type-var]

    def __str__(self) -> str:
        """Say so."""
        names = ", ".join(each.name for each in self.faults)
        whose = f"reads of {self.user}" if self.user else "all reads"
        return f"of {whose} {self.rate:.0%} fail, {self.most} in all: {names}"


@dataclass(frozen=True, slots=True)
class MayNotPush:
    """Pushes of a user are refused, each of them or some, while others may push."""

    user: str
    fault: Fault
    rate: float

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Add the refusals."""
        assert not isinstance(options.faults, str)
        seeded = Seeded(self.rate, (self.fault,), options.seed, user=self.user)
        return replace(options, faults=replace(options.faults, seeded=seeded))  # type: ignore[type-var]

    def __str__(self) -> str:
        """Say so."""
        return f"of pushes of {self.user} {self.rate:.0%} meet {self.fault.name}"


@dataclass(frozen=True, slots=True)
class IsGuarded:
    """Each query whose filter holds a bill's number is refused."""

    number: str
    fault: Fault

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Add the guard."""
        return _with(options, "guards", self.number, Aimed(self.fault, once=False))

    def __str__(self) -> str:
        """Say so."""
        return f"each query that names {self.number} meets {self.fault.name}"


@dataclass(frozen=True, slots=True)
class IsUntied:
    """What is made of a bill keeps no link and names no source, or another one.

    Attributes:
        bears: That one; "" for none.
    """

    number: str
    bears: str = ""

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Untie it."""
        if self.bears:
            return replace(options, misnamed={**options.misnamed, self.number: self.bears})
        return replace(options, untied=(*options.untied, self.number))

    def __str__(self) -> str:
        """Say so."""
        return f"what is made of {self.number} names {self.bears or 'no source'}"


@dataclass(frozen=True, slots=True)
class Breaks:
    """Each call that holds a bill breaks."""

    number: str
    fault: Fault

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Add the fault."""
        return _with(options, "aimed", self.number, Aimed(self.fault, once=False))

    def __str__(self) -> str:
        """Say so."""
        return f"each push of {self.number} meets {self.fault.name} ({self.fault.seconds:g} s)"


@dataclass(frozen=True, slots=True)
class HasRival:
    """Another program pushes the same bill between a look and a push."""

    number: str
    rival: Rival

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Add the rival."""
        return _with(options, "rivals", self.number, self.rival)

    def __str__(self) -> str:
        """Say so."""
        when = "at the same moment as" if self.rival.at_once else "right before"
        return f"another program pushes {self.number} {when} our push {self.rival.nth} of it"


@dataclass(frozen=True, slots=True)
class TellsNoMakers:
    """No document tells who has made it."""

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Take the field away."""
        return replace(options, creators=False)

    def __str__(self) -> str:
        """Say so."""
        return "documents do not tell who has made them"


@dataclass(frozen=True, slots=True)
class CopiesMakers:
    """A document bears the maker of its first bill, and the bills have several."""

    def on(self, options: SandboxOptions) -> SandboxOptions:
        """Let all rules do so."""
        routes = [replace(route, copies_creators=True) for route in options.routes]
        return replace(options, routes=routes)

    def __str__(self) -> str:
        """Say so."""
        return "documents bear the makers of their bills"


Condition = (
    AlsoPushes
    | Sees
    | MayNotRead
    | IsSlow
    | CutsPages
    | Lags
    | SavesApart
    | NamesLate
    | NamesNoPart
    | WritesBack
    | StaysOpen
    | LacksLinks
    | ReadsFail
    | MayNotPush
    | IsGuarded
    | IsUntied
    | Breaks
    | HasRival
    | TellsNoMakers
    | CopiesMakers
)


def _with(options: SandboxOptions, what: str, number: str, value: object) -> SandboxOptions:
    """Add to one of the plan's tables; what stands there stays."""
    table = {number: value, **getattr(options.faults, what)}
    return replace(options, faults=replace(options.faults, **{what: table}))  # type: ignore[type-var]
