"""Stories drawn from seeds: what an honest server and an unlucky office may do."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from k3push.core.pacing.halting import HaltRule
from k3push.runs.push_limits import PushLimits
from k3push.simulator import (
    AnswerStyle,
    Channel,
    DraftForm,
    OnRefusal,
    Policy,
    Rival,
    Sight,
    WriteBack,
    fault,
)
from k3push.simulator.books.forms import IN_STOCK, PURCHASE_ORDER
from k3push.simulator.fault_plans.faults import Ending
from tests.campaign import steps_after
from tests.campaign.conditions import (
    USERS,
    AlsoPushes,
    Breaks,
    CopiesMakers,
    CutsPages,
    HasRival,
    IsGuarded,
    IsSlow,
    IsUntied,
    LacksLinks,
    Lags,
    MayNotPush,
    MayNotRead,
    NamesLate,
    NamesNoPart,
    ReadsFail,
    SavesApart,
    Sees,
    StaysOpen,
    TellsNoMakers,
    WritesBack,
)
from tests.campaign.events import (
    LONGER,
    TWIN,
    Alters,
    AsksField,
    Bears,
    Drops,
    Ends,
    Event,
    Exchanges,
    Happens,
    HasWindow,
    Intrudes,
    IsAllowed,
    IsAltered,
    IsBarred,
    IsClosed,
    IsDown,
    IsElsewhere,
    IsGone,
    IsLockedOut,
    IsNew,
    IsPushed,
    IsRenumbered,
    Joins,
    Lacks,
    ListsIds,
    MadeAnew,
    Meets,
    MendsField,
    Names,
    OnlySettles,
    Plans,
    Refuses,
    Reloads,
    Retries,
    Says,
    SetsClock,
    SharesLedger,
    Stands,
    Waits,
    WasMade,
    Way,
)
from tests.campaign.fair import (
    AFTERMATH_S,
    ANSWERED,
    BREAKING,
    GUARDS,
    LACKED,
    LATE,
    LICENCES,
    LOGIN_FAULTS,
    PUSH_FAULTS,
    QUICK_S,
    READ_FAULTS,
    REFUSALS,
    RELOADED,
    SLOW_LOGIN_S,
    SLOW_S,
    STILL_S,
    TIMES,
    TOO_LONG_S,
    WORDS,
    fair_together,
)
from tests.campaign.queueing import PROBES, QUEUE_ENDS_S, Queues
from tests.campaign.settings import Sets
from tests.campaign.steps_after import some_of
from tests.campaign.story import Frame, Story
from tests.campaign.witness import BROKE_ON_THE_SERVER
from tests.runs.mortals import Act
from tests.runs.office import orders

# What goes on in another account has a story of its own.
OTHER_SEEDS = 2**32

# Of the stories, so many follow what they make.
FOLLOWING = 0.25

DENSE = 10**10
"""Stories of seeds from here on have few bills, and several odd things happen to them at once."""

QUEUED = 2 * DENSE
"""In stories of seeds from here on pushes wait for each other in the ERP."""

CROWDED = 3 * DENSE
"""In stories of seeds from here on pushes of two runs do so, of minutes each."""

UNEVEN = 4 * DENSE
"""In stories of seeds from here on some of these take seconds and some minutes, steps as well."""

# So long may a copy of the database lag behind in a dense story.
LONG_LAG_S = 70.0

GIVES_UP = (Ending.RESET, Ending.RESET, Ending.SILENCE)

ODD = (
    "allowed",
    "altered",
    "answered",
    "barred",
    "clock",
    "copies",
    "each sees his own",
    "exchanged",
    "fields and hours",
    "follow",
    "ids",
    "ledger",
    "licences",
    "links",
    "makers",
    "metadata",
    "plan",
    "pushes of a user",
    "reads of a user",
    "renumbered",
    "rivals",
    "times",
    "untied",
    "window",
)
"""What odd things have chances of their own."""


def _is_dense(seed: int) -> bool:
    return DENSE <= seed < QUEUED


def story_of(seed: int) -> Story:
    """Draw a story.

    >>> story_of(7) == story_of(7) != story_of(8)
    True
    """
    chance = random.Random(seed)  # noqa: S311  # the same trials every time
    frame = _frame(seed, chance)
    events: list[Event] = []
    once = frame.linked and not (frame.partial or frame.again)
    if once and (chance.random() < 0.35 or CROWDED <= seed < UNEVEN):
        first_bill = chance.randrange(frame.bills)
        count = chance.randint(2, frame.bills)
        at_s = chance.choice([0.0, 1.0, 7.0, 60.0, 900.0])
        events.append(Joins(first_bill, count, at_s, chance.choice([Way.SAME, *Way])))
        if chance.random() < 0.2:
            events.append(Waits(1800.0))
    if frame.partial or frame.again:
        events += _joins(frame, _of(seed, "joins"))
    events += _bills(frame, chance, _of(seed, "hands"))
    events += _faults(seed, chance)
    runs = 2 if events and isinstance(events[0], Joins) else 1
    events += _fates(chance, _of(seed, "still"), runs=runs)
    events += _conditions(frame, chance)
    events += _people(chance)
    if chance.random() < 0.2:
        events.append(Intrudes(chance.choice([0.0, 0.5, 5.0, 30.0, 400.0])))
    if chance.random() < 0.15:
        events.append(IsDown(chance.uniform(0.0, 60.0), chance.choice([1.0, 30.0, 700.0])))
    if chance.random() < 0.15:
        events.append(Retries())
    events += _later_thoughts(seed, frame, events)
    follow = _follow(frame, events, _of(seed, "follow"))
    # Behind a copy that lags for so long nobody can tell a document that was taken back.
    events += [] if any(isinstance(e, Lags) and e.seconds == LONG_LAG_S for e in events) else follow
    chance = _of(seed, "ledger")
    if chance.random() < 0.05:
        events.append(SharesLedger(chance.randrange(OTHER_SEEDS)))
    return Story(frame, tuple(enumerate(fair_together(frame, events), start=1)))


def _joins(frame: Frame, chance: random.Random) -> list[Event]:
    """Draw a second run that may push bills of the first one again."""
    if chance.random() < 0.5:
        return []
    first_bill, count = chance.randrange(frame.bills), chance.randint(1, frame.bills)
    at_s = chance.choice([0.0, 1.0, 7.0, 60.0, 900.0, 2000.0])
    ways = [way for way in Way if way is not Way.UNASKED]
    return [
        Joins(first_bill, count, at_s, chance.choice(ways)),
        *chance.choice([[], [StaysOpen()]]),
    ]


def _later_thoughts(seed: int, frame: Frame, events: Sequence[Event]) -> list[Event]:
    """Draw what stories did not hold at first; each by chances of its own."""
    later: list[Event] = []
    chance = _of(seed, "window")
    if chance.random() < 0.06:
        closes = chance.choice([0, 1, 3, 10])
        later.append(HasWindow(closes, closes + chance.choice([2, 20, 45])))
    if (drawn := _of(seed, "links").random()) < 0.42:
        later.append(LacksLinks(queried=drawn >= 0.35))
    chance = _of(seed, "times")
    if chance.random() < 0.06:
        quick = frame.latency_s <= QUICK_S
        later.append(chance.choice(TIMES if quick else TIMES[1:]))
    chance = _of(seed, "late")
    if chance.random() < 0.06:
        for nth in chance.sample(range(1, 7), chance.choice([1, 2])):
            met = replace(fault(chance.choice(LATE)), seconds=chance.choice(TOO_LONG_S))
            later.append(Meets(Channel.PUSH, nth, met))
    later += _answered(_of(seed, "answered"))
    later += _untied(frame, _of(seed, "untied"))
    chance = _of(seed, "plan")
    if chance.random() < 0.07:
        later += _plan(frame, chance)
    chance = _of(seed, "rivals")
    if chance.random() < 0.04:
        rival = Rival(1, chance.random() < 0.5)
        numbers = some_of(orders(frame.bills), chance.choice([3, 5]), chance)
        later += [HasRival(number, rival) for number in numbers]
    chance = _of(seed, "reads of a user")
    users = [event.user for event in events if isinstance(event, AlsoPushes)]
    alone = not any(isinstance(event, ReadsFail) for event in events)
    if users and alone and chance.random() < 0.3:
        user = chance.choice([USERS[0], *users])
        later.append(replace(_reads_fail(chance), rate=chance.choice([0.5, 1.0]), user=user))
    later += _ids(_of(seed, "ids"))
    later += _oddities(seed, users)
    chance = _of(seed, "allowed")
    refused = [event.number for event in events if isinstance(event, Refuses)]
    allowed = [number for number in refused if chance.random() < 0.2]
    later += [IsAllowed(number, chance.choice([5.0, 40.0, 300.0, 900.0])) for number in allowed]
    later += _renumbered(frame, events, _of(seed, "renumbered"))
    later += _exchanges(frame, _of(seed, "exchanged"))
    later += _named_late(later, _of(seed, "named late"))
    later += _altered(frame, _of(seed, "altered")) + _barred(_of(seed, "barred"))
    later += _copies(seed, events, _of(seed, "copies"))
    later += _mended(events, _of(seed, "mended")) + _anew(_of(seed, "anew"))
    later += _queue(seed, frame, events, later)
    later += [NamesNoPart()] if _of(seed, "unnamed part").random() < 0.12 else []
    chance = _of(seed, "each sees his own")
    if chance.random() < 0.05:
        later += _apart(frame, users, chance)
    return _but_unseen(events, later)


def _queue(seed: int, frame: Frame, events: Sequence[Event], later: Sequence[Event]) -> list[Event]:
    """Draw a queue of pushes that is empty within each window, if nobody makes it longer."""
    if seed < QUEUED or any(isinstance(event, Sets) for event in later):
        return []
    chance = _of(seed, "queue")
    if seed >= UNEVEN:
        then_s = tuple(chance.choice([2.0, 5.0, 40.0, 200.0, 380.0, 540.0]) for _ in range(6))
        steps_s = chance.choice([0.0, 1.0, 40.0, 350.0, 540.0])
        first_s, patience_s = chance.choice([2.0, 5.0, 380.0]), chance.choice([30.0, 60.0])
        patience_s = 250.0 if _of(seed, "patience").random() < 0.25 else patience_s
        queue = Queues(first_s, patience_s, chance.choice(GIVES_UP), fits=False)
        return [replace(queue, then_s=then_s, steps_s=steps_s)]
    if seed >= CROWDED:
        work_s = chance.choice([90.0, 200.0, 380.0, 540.0])
        return [Queues(work_s, chance.choice([30.0, 60.0]), chance.choice(GIVES_UP), fits=False)]
    runs = 2 if any(isinstance(event, Joins) for event in events) else 1
    most_s = QUEUE_ENDS_S / (runs * (frame.concurrency + PROBES))
    work_s = most_s * chance.choice([0.3, 1.0, 1.0])
    return [Queues(work_s, chance.choice([30.0, 30.0, 60.0]), chance.choice(GIVES_UP))]


def _but_unseen(events: Sequence[Event], later: Sequence[Event]) -> list[Event]:
    """Leave nobody out of sight of his own: who is made anew and sees these alone loses them."""
    own = any(isinstance(event, Sees) for event in [*events, *later])
    return [event for event in later if not (own and isinstance(event, MadeAnew))]


def _oddities(seed: int, more: Sequence[str]) -> list[Event]:
    """Draw what adversaries came with who had read the rules."""
    events = _makers_and_clocks(_of(seed, "makers"), _of(seed, "clock"))
    events += _licences(_of(seed, "licences")) + _reloads(_of(seed, "metadata"))
    chance = _of(seed, "fields and hours")
    if chance.random() < 0.05:
        events.append(Lacks(chance.choice(LACKED)))
    if chance.random() < 0.1:
        events.append(IsElsewhere(chance.choice([-11.0, -5.0, 5.5, 8.0, 13.0])))
    if more:
        events += _refused_users([USERS[0], *more], _of(seed, "pushes of a user"))
    return events


def _makers_and_clocks(makers: random.Random, clock: random.Random) -> list[Event]:
    """Draw what tells of makers, and a clock that is set by no more than an hour."""
    events: list[Event] = []
    if makers.random() < 0.1:
        told: list[Event] = [TellsNoMakers(), CopiesMakers()]
        events.append(makers.choice(told))
    if clock.random() < 0.1:
        by_s = clock.choice([-3600.0, -1200.0, -30.0, 30.0, 1200.0, 3600.0])
        events.append(SetsClock(clock.choice([1.0, 10.0, 60.0, 300.0, 700.0]), by_s))
    return events


def _answered(chance: random.Random) -> list[Event]:
    """Draw exceptions that come as answers."""
    if chance.random() > 0.08:
        return []
    return [
        Meets(Channel.PUSH, nth, replace(fault(chance.choice(ANSWERED)), seconds=5.0))
        for nth in chance.sample(range(1, 9), chance.choice([1, 2, 3]))
    ]


def _licences(chance: random.Random) -> list[Event]:
    """Draw limits on licences."""
    if chance.random() > 0.06:
        return []
    return [
        Meets(Channel.PUSH, nth, fault(chance.choice(LICENCES)))
        for nth in chance.sample(range(1, 9), chance.choice([1, 2, 4]))
    ]


def _refused_users(users: Sequence[str], chance: random.Random) -> list[Event]:
    """Draw a user whose pushes are refused, all or some of them."""
    if chance.random() > 0.15:
        return []
    met = fault(chance.choice(["no-licence", "no-permission", "call-limit"]))
    return [MayNotPush(chance.choice(users), met, chance.choice([0.5, 1.0]))]


def _reloads(chance: random.Random) -> list[Event]:
    """Draw a site that loads its metadata anew."""
    if chance.random() > 0.06:
        return []
    fields = chance.choice(RELOADED)
    return [
        Reloads(chance.choice([0.0, 3.0, 20.0, 90.0]), chance.choice([2.0, 12.0, 25.0]), fields)
    ]


def _untied(frame: Frame, chance: random.Random) -> list[Event]:
    """Draw a bill whose documents name no source, or that of another bill."""
    drawn = chance.random()
    if drawn < 0.04:
        return [IsUntied(chance.choice(orders(frame.bills)))]
    if drawn < 0.08 and frame.bills > 1:
        return [IsUntied(*chance.sample(orders(frame.bills), 2))]
    return []


def _follow(frame: Frame, events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Draw that the routes follow what they make, and what may happen to that."""
    if chance.random() >= (0.6 if frame.seed >= UNEVEN else FOLLOWING):
        return []
    joined = any(isinstance(event, Joins) for event in events)
    met = steps_after.draw_faults(chance, PUSH_FAULTS, SLOW_S)
    return [
        *steps_after.draw(chance, orders(frame.bills), joined=joined),
        *(Meets(channel, nth, fault) for channel, nth, fault in met),
    ]


def _plan(frame: Frame, chance: random.Random) -> list[Event]:
    """Draw a plan, and what becomes of its bills before it is applied or after."""
    later_s = chance.choice([1.0, 60.0, 900.0])
    events: list[Event] = [Plans(later_s, chance.choice([None, None, 0.0, 0.5, 30.0, 900.0]))]
    for number in some_of(orders(frame.bills), chance.choice([0, 1, 2]), chance):
        at_s = chance.uniform(0.0, 2 * later_s)
        closes = chance.random() < 0.3
        by_hand = IsPushed(number, at_s, chance.choice(USERS))
        events.append(IsClosed(number, at_s) if closes else by_hand)
    return events


def _altered(frame: Frame, chance: random.Random) -> list[Event]:
    """Draw what is done with source bills that are being pushed."""
    if chance.random() > 0.05:
        return []
    return [
        IsAltered(number, chance.choice([1.0, 3.0, 8.0, 20.0, 60.0]), chance.choice(list(Alters)))
        for number in some_of(orders(frame.bills), chance.choice([1, 2, 3]), chance)
    ]


def _barred(chance: random.Random) -> list[Event]:
    """Draw a right that is taken from everybody for a while."""
    if chance.random() > 0.03:
        return []
    form = chance.choice([IN_STOCK.id, PURCHASE_ORDER.id])
    return [IsBarred(form, chance.choice([0.0, 2.0, 8.0, 30.0]), chance.choice([3.0, 40.0, 400.0]))]


def _copies(seed: int, events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Draw copies of the database that answer queries in turn."""
    if chance.random() > 0.04 or any(isinstance(event, Lags) for event in events):
        return []
    lags = [1.5, 8.0, 15.0, LONG_LAG_S] if _is_dense(seed) else [1.5, 8.0, 15.0]
    return [Lags(chance.choice(lags), in_turn=True)]


def _mended(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Draw that a wrong field is put right between two executions."""
    is_wrong = any(isinstance(event, AsksField) for event in events)
    return [MendsField(chance.choice([2, 2, 3]))] if is_wrong and chance.random() < 0.5 else []


def _ids(chance: random.Random) -> list[Event]:
    """Draw which lists name bills by their internal ids."""
    runs = [run for run in (1, 2) if chance.random() < 0.2]
    return [ListsIds(run, chance.choice([1, 2, 3])) for run in runs]


def _anew(chance: random.Random) -> list[Event]:
    """Draw users who are made anew."""
    at_s = [3.0, 30.0, 300.0, 650.0, 1500.0, 5000.0]
    return [MadeAnew(chance.choice(at_s))] if chance.random() < 0.05 else []


def _renumbered(frame: Frame, events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Draw bills that get other numbers while they are pushed, one of them in a second list."""
    if chance.random() > 0.05:
        return []
    at_s = [1.0, 3.0, 8.0, 20.0, 60.0, 400.0]
    numbers = some_of(orders(frame.bills), chance.choice([1, 2]), chance)
    for event in events:
        if isinstance(event, Joins):
            numbers = [chance.choice(orders(event.count, event.first_bill))]
    return [
        IsRenumbered(number, f"R{number}", chance.choice(at_s), chance.random() < 0.7)
        for number in numbers
    ]


def _named_late(later: Sequence[Event], chance: random.Random) -> list[Event]:
    """Draw that documents bear new numbers of their bills, where no two bills exchange theirs."""
    moved = any(isinstance(event, IsRenumbered) for event in later)
    crossed = any(isinstance(event, Exchanges) for event in later)
    return [NamesLate()] if moved and not crossed and chance.random() < 0.4 else []


def _exchanges(frame: Frame, chance: random.Random) -> list[Event]:
    """Draw bills of the first list that get each other's numbers while they are pushed."""
    if chance.random() > 0.04:
        return []
    one, other = chance.sample(orders(frame.bills), 2)
    return [Exchanges(one, other, chance.choice([1.0, 8.0, 60.0, 400.0, 700.0, 1500.0]))]


def _apart(frame: Frame, more: Sequence[str], chance: random.Random) -> list[Event]:
    """Draw users who each see their own, calls that break, and one who cannot look meanwhile."""
    events: list[Event] = [] if more else [AlsoPushes(USERS[1])]
    users = [USERS[0], *(more or USERS[1:2])]
    events += [Sees(user, Sight.OWN) for user in users]
    if frame.style.old or chance.random() < 0.5:
        at_s = chance.uniform(2.0, 12.0) * max(frame.latency_s, 0.5)
        events.append(IsLockedOut(chance.choice(users), at_s, 400.0))
    else:
        events.append(MayNotRead(chance.choice(users[1:]), "STK_InStock"))
    for nth in chance.sample(range(2, 8), 4):
        name = chance.choice(["make-then-response-error", "make-then-response-error-text"])
        events.append(Meets(Channel.PUSH, nth, replace(fault(name), seconds=AFTERMATH_S)))
    return events


class _Surely(random.Random):
    """Chances of something that happens: the first that it asks for is sure."""

    _asked = False

    def random(self) -> float:
        """Return 0 at first."""
        if self._asked:
            return super().random()
        self._asked = True
        return 0.0


def _of(seed: int, what: str) -> random.Random:
    """Return the chances of something that was thought of later, and moves nothing else."""
    sure = _is_dense(seed) and what in random.Random(f"odd {seed}").sample(ODD, 4)  # noqa: S311
    return (_Surely if sure else random.Random)(f"{what} {seed}")  # the same trials every time


def _policy(chance: random.Random, later: random.Random) -> Policy:
    policy = chance.choice([Policy.ONE_TO_ONE, Policy.ONE_TO_ONE, Policy.MERGE, Policy.SPLIT])
    return Policy.MERGE_LINES if policy is Policy.MERGE and later.random() < 0.5 else policy


def _frame(seed: int, chance: random.Random) -> Frame:
    few, many, sizes, at_once, rests = 6, 14, [1, 3, 5, 12], [1, 2, 4], [0, 0, 0, 9, 30]
    if _is_dense(seed):
        few, many, sizes = 2, 4, [1, 2, 4]
    elif seed >= UNEVEN:
        few, many, sizes, at_once = 2, 8, [1, 1, 2], [1, 2, 4, 8]
    elif seed >= CROWDED:
        few, many, sizes, at_once = 2, 4, [1], [1, 1, 2, 4]
    elif seed >= QUEUED:
        # More calls than a queue holds that is empty within the window.
        few, many, sizes, at_once, rests = 16, 24, [1, 1, 2], [2, 4, 8, 8], [0, 0, 0, 30]
    bills = chance.randint(few, many)
    linked = chance.random() < 0.9
    repeats = chance.random() if linked else 1.0
    halt = HaltRule()
    if chance.random() < 0.2:
        halt = chance.choice([HaltRule(fail_count=2), HaltRule(unknown_count=2)])
    return Frame(
        seed=seed,
        bills=bills,
        latency_s=chance.choice([0.0, 0.5, 2.0, 30.0]),
        session_calls=chance.choice(rests),
        policy=_policy(chance, _of(seed, "lines")),
        on_refusal=chance.choice([OnRefusal.PARTIAL, *OnRefusal]),
        style=AnswerStyle(
            old=chance.random() < 0.3,
            short=_of(seed, "short").random() < 0.5,
            text_values=chance.random() < 0.3,
            draft_form=chance.choice(list(DraftForm)),
            draft_number=chance.choice([None, "", " ", "id"]),
        ),
        exact=chance.random() < 0.3,
        linked=linked,
        drafts=chance.random() < 0.5,
        partial=repeats < 0.08,
        again=0.08 <= repeats < 0.13,
        sends_blocked=chance.random() < 0.15,
        takes_blocked=chance.random() < 0.5,
        chunk_size=chance.choice(sizes),
        concurrency=chance.choice(at_once),
        limits=PushLimits(
            canary=chance.random() < 0.6 or CROWDED <= seed < UNEVEN,
            halt=halt,
            limit=chance.choice([None] * 6 + [4, 9]),
        ),
    )


def _bills(frame: Frame, chance: random.Random, hands: random.Random) -> list[Event]:
    """Draw what is the matter with some numbers."""
    numbers = orders(frame.bills)
    bad = some_of(numbers, chance.choice([0, 0, 1, 2, 4]), chance)
    events: list[Event] = [Refuses(number, chance.choice(REFUSALS)) for number in bad]
    if frame.linked:
        made = some_of(numbers, chance.choice([0, 0, 1, 2]), chance)
        events += [
            WasMade(number, frame.partial and chance.random() < 0.7, hands.choice(USERS))
            for number in made
        ]
    if chance.random() < 0.06:
        events.append(Drops(chance.choice(numbers)))
    sound = chance.choice(numbers)
    odd = [
        "CGDDU000001",  # not approved
        "CGDDC000001",  # closed
        "CGDDX000001",  # cancelled
        "CGDD9999999",  # not there
        "it's",  # not there, and quoted in a filter
        TWIN,
        sound,  # named twice
        sound.lower(),
        sound.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
        *(f"{chance.choice(bad or numbers)}{tail}" for tail in LONGER),
    ]
    for number in chance.sample(odd, chance.choice([0, 0, 1, 2, 4])):
        events.append(Names(number, chance.randrange(frame.bills + 1)))
    return events


def _conditions(frame: Frame, chance: random.Random) -> list[Event]:
    """Draw what the site is like beside what is usual."""
    numbers = orders(frame.bills)
    # Where the first look is the last, what is saved later than that makes a difference.
    gaps_s = [0.5, 3.0, 45.0 if _is_dense(frame.seed) else 20.0]
    draws: list[tuple[float, Callable[[], Event]]] = [
        (0.05, lambda: AsksField(chance.choice(["FSupplierId.FNumber", "FNote"]))),
        (0.1, IsNew),
        (0.2, lambda: WritesBack(chance.choice([WriteBack.AUDIT, WriteBack.NEVER]))),
        (0.1, StaysOpen),
        (0.15, lambda: CutsPages(_rows(frame, chance.choice([1, 2, 3, 7, 20, 50])))),
        (0.08, lambda: Lags(chance.choice([0.3, 1.5, 8.0]))),
        (0.1, lambda: SavesApart(chance.choice(gaps_s))),
        (0.12, lambda: _reads_fail(chance)),
        (0.05, lambda: IsGuarded(chance.choice(numbers), fault(chance.choice(GUARDS)))),
        (0.1, lambda: _breaks(chance.choice(numbers), chance)),
        (0.06, lambda: _rival(chance.choice(numbers), chance)),
        (0.1, lambda: Bears(chance.choice(numbers), chance.choice(list(Stands)))),
    ]
    events = [draw() for likely, draw in draws if chance.random() < likely]
    if chance.random() < 0.25:
        events += _users(chance, frame)
    return events


def _rows(frame: Frame, rows: int) -> int:
    """Let no page be short where a call takes long: a look would take days."""
    return rows if frame.latency_s <= QUICK_S else max(rows, 20)


def _users(chance: random.Random, frame: Frame) -> list[Event]:
    """Draw more users, and what is the matter with some of them.

    An old server has no word by which a missing right is told from a query that failed.
    """
    more = USERS[1 : chance.choice([1, 2, 2, 3])]
    events: list[Event] = [AlsoPushes(user) for user in more]
    users = [USERS[0], *more]
    if chance.random() < 0.4:
        events += [Sees(user, Sight.OWN) for user in users if chance.random() < 0.6]
    if chance.random() < 0.2:
        user, times = chance.choice(users), chance.choice([3.0, 8.0])
        # A look that takes longer than a session may rest leaves each push without one.
        events.append(IsSlow(user, times if frame.latency_s <= QUICK_S else 1.5))
    if chance.random() < 0.2:
        rows = _rows(frame, chance.choice([1, 3, 7]))
        events.append(CutsPages(rows, chance.choice(users)))
    if chance.random() < 0.2:
        at_s = chance.choice([0.0, 5.0, 60.0])
        events.append(IsLockedOut(chance.choice(users), at_s, chance.choice([60.0, 400.0])))
    if more and chance.random() < 0.3:
        events.append(
            IsGone(chance.choice(users), chance.choice([2, 2, 3]))
            if frame.style.old or chance.random() < 0.6
            else MayNotRead(chance.choice(more), "STK_InStock")
        )
    return events


def _reads_fail(chance: random.Random) -> ReadsFail:
    names = chance.sample(READ_FAULTS + GUARDS, 3)
    met = tuple(replace(fault(name), seconds=chance.choice(SLOW_S)) for name in names)
    return ReadsFail(chance.choice([0.1, 0.3]), met, chance.choice([5, 20]))


def _breaks(number: str, chance: random.Random) -> Breaks:
    met = replace(fault(chance.choice(BREAKING)), seconds=chance.choice(SLOW_S))
    return Breaks(number, met)


def _rival(number: str, chance: random.Random) -> HasRival:
    return HasRival(number, Rival(chance.choice([1, 1, 2]), chance.random() < 0.5))


def _people(chance: random.Random) -> list[Event]:
    """Draw what people want of the first run."""
    events: list[Event] = []
    if chance.random() < 0.08:
        events.append(Says(chance.uniform(0.0, 60.0), chance.choice(WORDS)))
    if chance.random() < 0.08:
        events.append(Ends(chance.choice([1, 1, 2]), chance.choice([3.0, 30.0, 300.0])))
    if chance.random() < 0.1:
        events.append(OnlySettles(chance.choice([1, 2, 2, 3])))
    return events


def _faults(seed: int, chance: random.Random) -> list[Event]:
    """Draw what requests meet."""
    events: list[Event] = []
    pushes, count = (range(1, 5), [1, 2]) if _is_dense(seed) else (range(1, 17), [0, 1, 3, 6])
    for nth in sorted(chance.sample(pushes, chance.choice(count))):
        met = replace(fault(chance.choice(PUSH_FAULTS)), seconds=chance.choice(SLOW_S))
        if met.ending in BROKE_ON_THE_SERVER:
            met = replace(met, seconds=AFTERMATH_S)
        events.append(Meets(Channel.PUSH, nth, met))
    for nth in sorted(chance.sample(range(1, 25), chance.choice([0, 0, 1, 4]))):
        # A look is tried five times; only a longer row of faults makes it fail.
        name, row = chance.choice(READ_FAULTS), chance.choice([1, 1, 1, 6])
        met = replace(fault(name), seconds=chance.choice(SLOW_S))
        events += [Meets(Channel.QUERY, nth + more, met) for more in range(row)]
    for nth in sorted(chance.sample(range(1, 5), chance.choice([0, 0, 0, 1, 2]))):
        met = replace(fault(chance.choice(LOGIN_FAULTS)), seconds=SLOW_LOGIN_S)
        events.append(Meets(Channel.LOGIN, nth, met))
    return events


def _fates(chance: random.Random, still: random.Random, *, runs: int) -> list[Event]:
    """Draw what happens to processes, to several of one run in a row at times."""
    events: list[Event] = []
    for run in range(1, runs + 1):
        for execution in range(1, 1 + chance.choice([0, 1, 1, 2, 4])):
            act = chance.choice([Act.KILL, Act.KILL, *Act])
            step = int(chance.triangular(1, 120, 20))
            still_s = still.choice(STILL_S) if act is Act.STAND_STILL else 0.0
            events.append(Happens(run, execution, step, act, still_s))
            if act is Act.STOP and chance.random() < 0.5:
                later = step + chance.randint(1, 12)
                events.append(Happens(run, execution, later, Act.STOP_AT_ONCE))
    return events
