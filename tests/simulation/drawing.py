"""Stories drawn from seeds: what an honest server and an unlucky office may do."""

from __future__ import annotations

import random
from dataclasses import replace

from k3push.core.halting import HaltRule
from k3push.job import PushPace
from k3push.simulator import (
    FAULT_NAMES,
    AnswerStyle,
    Channel,
    DraftForm,
    Fault,
    OnRefusal,
    Policy,
    Refusal,
    fault,
)
from k3push.simulator.faults import Ending, Work
from tests.pushing.mortals import Act
from tests.pushing.office import orders
from tests.simulation.story import (
    LONGER,
    TWIN,
    Drops,
    Event,
    Frame,
    Happens,
    Intrudes,
    IsDown,
    Joins,
    Meets,
    Names,
    Refuses,
    Retries,
    Story,
    WasMade,
)
from tests.simulation.witness import BROKE_ON_THE_SERVER, READABLE

# All that a server does for a call ends within the window of its attempt, as rule 6 takes for
# granted: a late login, a slow call and a late commit together stay below it.
SLOW_S = (5.0, 45.0, 400.0)
SLOW_LOGIN_S = 20.0
# A call that broke on the server has ended, and may be seen a moment later.
AFTERMATH_S = 5.0


def is_fair(met: Fault) -> bool:
    """Say whether an honest ERP may do this: it links rightly, and ends after its commit."""
    early = met.work is Work.COMMIT_LATE and met.ending in READABLE
    return met.work is not Work.MISLINK and not early


_FAIR = [each for each in map(fault, FAULT_NAMES) if is_fair(each)]
PUSH_FAULTS = [each.name for each in _FAIR]
# A read has no work that could be half done, late or left out.
READ_FAULTS = [each.name for each in _FAIR if each.work in {Work.NONE, Work.MAKE}]
LOGIN_FAULTS = [
    each.name
    for each in _FAIR
    if each.work in {Work.NONE, Work.MAKE} and each.ending is not Ending.LOSE_SESSION
]

REFUSALS = (
    Refusal(8, "仓库 {number} 必录"),
    # Another bill's number that begins with one of ours, and the words of a lost session.
    Refusal(11, "{number} 的上游单据 CGDD00000019 未审核"),
    Refusal(4, "会话信息已丢失，请重新登录后再下推 {number}"),
    Refusal(4, "数据有误"),
    Refusal(11, "仓库必录", saving=True),
    Refusal(4, "数据有误", whole_call=True),
    Refusal(4, "未将对象引用设置到对象的实例。", thrown=True),
)


def story_of(seed: int) -> Story:
    """Draw a story.

    >>> story_of(7) == story_of(7) != story_of(8)
    True
    """
    chance = random.Random(seed)  # noqa: S311  # the same trials every time
    frame = _frame(seed, chance)
    events: list[Event] = []
    if frame.linked and not (frame.partial or frame.again) and chance.random() < 0.35:
        first_bill = chance.randrange(frame.bills)
        count = chance.randint(2, frame.bills)
        events.append(Joins(first_bill, count, chance.choice([0.0, 1.0, 7.0, 60.0, 900.0])))
    events += _bills(frame, chance)
    events += _faults(chance)
    events += _fates(chance, runs=2 if events and isinstance(events[0], Joins) else 1)
    if chance.random() < 0.2:
        events.append(Intrudes(chance.choice([0.0, 0.5, 5.0, 30.0, 400.0])))
    if chance.random() < 0.15:
        events.append(IsDown(chance.uniform(0.0, 60.0), chance.choice([1.0, 30.0, 700.0])))
    if chance.random() < 0.15:
        events.append(Retries())
    return Story(frame, tuple(enumerate(events, start=1)))


def _frame(seed: int, chance: random.Random) -> Frame:
    bills = chance.randint(6, 14)
    linked = chance.random() < 0.9
    repeats = chance.random() if linked else 1.0
    halt = HaltRule()
    if chance.random() < 0.2:
        halt = chance.choice([HaltRule(fail_count=2), HaltRule(unknown_count=2)])
    return Frame(
        seed=seed,
        bills=bills,
        latency_s=chance.choice([0.0, 0.5, 2.0, 30.0]),
        session_calls=chance.choice([0, 0, 0, 9, 30]),
        policy=chance.choice([Policy.ONE_TO_ONE, *Policy]),
        on_refusal=chance.choice([OnRefusal.PARTIAL, *OnRefusal]),
        style=AnswerStyle(
            old=chance.random() < 0.3,
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
        chunk_size=chance.choice([1, 3, 5, 12]),
        concurrency=chance.choice([1, 2, 4]),
        pace=PushPace(
            canary=chance.random() < 0.6,
            halt=halt,
            limit=chance.choice([None] * 6 + [4, 9]),
        ),
    )


def _bills(frame: Frame, chance: random.Random) -> list[Event]:
    """Draw what is the matter with some numbers."""
    numbers = orders(frame.bills)
    bad = chance.sample(numbers, chance.choice([0, 0, 1, 2, 4]))
    events: list[Event] = [Refuses(number, chance.choice(REFUSALS)) for number in bad]
    if frame.linked:
        made = chance.sample(numbers, chance.choice([0, 0, 1, 2]))
        events += [WasMade(number, frame.partial and chance.random() < 0.7) for number in made]
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


def _faults(chance: random.Random) -> list[Event]:
    """Draw what requests meet."""
    events: list[Event] = []
    for nth in sorted(chance.sample(range(1, 17), chance.choice([0, 1, 3, 6]))):
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


def _fates(chance: random.Random, *, runs: int) -> list[Event]:
    """Draw what happens to processes, to several of one run in a row at times."""
    events: list[Event] = []
    for run in range(1, runs + 1):
        for execution in range(1, 1 + chance.choice([0, 1, 1, 2, 4])):
            act = chance.choice([Act.KILL, Act.KILL, *Act])
            step = int(chance.triangular(1, 120, 20))
            events.append(Happens(run, execution, step, act))
            if act is Act.STOP and chance.random() < 0.5:
                later = step + chance.randint(1, 12)
                events.append(Happens(run, execution, later, Act.STOP_AT_ONCE))
    return events
