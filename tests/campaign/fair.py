"""What an honest server may do, and an unlucky office may meet, in any story."""

from __future__ import annotations

from collections.abc import Sequence

from k3push.core.protocol.links import any_link_fields
from k3push.simulator import FAULT_NAMES, Channel, Fault, Policy, Refusal, fault
from k3push.simulator.fault_plans.faults import Ending, Work
from tests.campaign.conditions import (
    USERS,
    AlsoPushes,
    CopiesMakers,
    HasRival,
    IsUntied,
    LacksLinks,
    Lags,
    MayNotPush,
    MayNotRead,
    SavesApart,
    Sees,
)
from tests.campaign.events import (
    Alters,
    AsksField,
    Bears,
    Event,
    Exchanges,
    HasWindow,
    IsAltered,
    IsGone,
    IsPushed,
    IsRenumbered,
    Joins,
    Lacks,
    MadeAnew,
    Meets,
    SetsClock,
    Stands,
    WasMade,
    Way,
)
from tests.campaign.settings import Sets
from tests.campaign.story import Frame
from tests.campaign.witness import BROKE_ON_THE_SERVER, READABLE, THROWN
from tests.runs.office import ROUTE

# All that a server does for a call ends within the window of its attempt, as rule 6 takes for
# granted: a late login, a slow call and a late commit together stay below it.
SLOW_S = (5.0, 45.0, 400.0)
SLOW_LOGIN_S = 20.0
# A machine that sleeps: too short to matter, and longer than an attempt may wait, and than its
# whole window. Another takes the run over meanwhile.
STILL_S = (50.0, 200.0, 650.0)
# Settings with short times, with long ones, and with a window that ends before a call may.
TIMES = (Sets(20, 20, 60), Sets(500, 145, 800), Sets(500, 145, 300))
# Calls that end within a short window, even those of a slow user.
QUICK_S = 2.0
# Calls that outlive the window of their attempt, against the administrator's promise.
TOO_LONG_S = (700.0, 900.0, 1500.0)
# A call that broke on the server has ended, and may be seen a moment later.
AFTERMATH_S = 5.0
# With so little between them, all targets of one push are saved before its first look.
LEAST_GAP_S = 0.5


# These have draws of their own, or none: the witness has no word for what the last two prove.
_APART = frozenset(
    {Ending.INTERRUPTED, *THROWN, Ending.NO_LICENCE, Ending.NULL_VALUES, Ending.SHORT_ROWS}
)


def is_fair(met: Fault) -> bool:
    """Say whether an honest ERP may do this: it links rightly, and ends after its commit."""
    early = met.work is Work.COMMIT_LATE and met.ending in READABLE
    return not (met.work is Work.MISLINK or early or met.ending in _APART)


_FAIR = [each for each in map(fault, FAULT_NAMES) if is_fair(each)]
PUSH_FAULTS = [each.name for each in _FAIR]
# What may end long after its answer, or without one.
LATE = [
    each.name
    for each in _FAIR
    if each.name == "delay"
    or (
        each.work is Work.COMMIT_LATE
        and each.ending not in BROKE_ON_THE_SERVER | {Ending.LOSE_SESSION}
    )
]
# A read has no work that could be half done, late or left out.
READ_FAULTS = [each.name for each in _FAIR if each.work in {Work.NONE, Work.MAKE}]
LOGIN_FAULTS = [
    each.name
    for each in _FAIR
    if each.work in {Work.NONE, Work.MAKE} and each.ending is not Ending.LOSE_SESSION
]

# Exceptions that come as answers.
ANSWERED = [
    "interrupted",
    "make-then-interrupted",
    "commit-late-then-interrupted",
    "make-then-msgcode-4",
    "msgcode-6",
    "make-then-msgcode-6",
]
# A limit on licences that is met before the work, after it, or in the midst of it.
LICENCES = ["no-licence", "make-then-no-licence", "drop-one-then-no-licence"]
# Fields that are not known while metadata are loaded: whom a document is of, and what tells of it.
LINKED = tuple(any_link_fields(ROUTE))
RELOADED = [
    LINKED,
    (*LINKED, "FSRCBillNo", "FCreateDate", "FCreatorId.FName", "FDocumentStatus", "FCancelStatus"),
    ("FSRCBillNo",),
    ("FCreateDate",),
    ("FCreatorId.FName",),
    ("FDocumentStatus",),
    ("FCancelStatus",),
    ("FCloseStatus",),
    ("FSRCBillNo", "FCreateDate", "FCreatorId.FName", "FDocumentStatus"),
]
LACKED = ["FCreateDate", "FCreatorId.FName", "FSRCBILLTYPEID"]
GUARDS = ["msgcode-4", "msgcode-6", "response-error"]
# What a bill may do to each call that holds it: nothing is ever made of it then, or all is.
BREAKING = [
    "reset",
    "html-502",
    "silence",
    "make-then-reset",
    "make-then-silence",
    "late-commit",
    "response-error-timeout",
    "make-then-response-error-timeout",
    "commit-late-then-response-error-timeout",
    "response-error-deadlock",
]
WORDS = ["pause, continue", "stop", "set chunk-size=2, set chunk-size=auto", "set concurrency=1"]

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


def fair_together(frame: Frame, events: Sequence[Event]) -> list[Event]:
    """Leave out what no client could stand together with the rest.

    A session that is denied after the work can be told from a lost one by a look alone, which
    must show at once what was made. What a call that broke on the server makes is there a moment
    later, unless it is saved slowly. Without a MsgCode, an exception after the work is a refusal.
    What somebody else made of a bill and tied to nothing, nobody can know of. Somebody may push at
    any time, and who sees no more than his own documents is their maker. A document of another form
    that bears a bill's number can be told from the bill's own.
    """
    ways = [event.way for event in events if isinstance(event, Joins)]
    asks = frame.linked and Way.UNASKED not in ways
    asks = asks and not any(isinstance(e, AsksField | Lags | MayNotRead) for e in events)
    gaps = [event.seconds for event in events if isinstance(event, SavesApart)]
    slow = any(seconds > LEAST_GAP_S for seconds in gaps)

    merges = frame.policy is Policy.MERGE_LINES
    # A merged line bears one bill's number, and no link tells of the others.
    untold = merges and any(isinstance(event, LacksLinks) for event in events)

    gone = {event.number for event in events if isinstance(event, IsRenumbered)}
    gone |= {e.number for e in events if isinstance(e, IsAltered) and e.what is Alters.DELETES}

    def fair(event: Event) -> bool:
        if _is_barred(event, events):
            return False
        if isinstance(event, Exchanges):  # of numbers that bills still have
            return gone.isdisjoint({event.one, event.other})
        if not isinstance(event, Meets) or event.channel is not Channel.PUSH:
            return True
        met = event.fault
        denied = met.ending is Ending.LOSE_SESSION and met.works
        thrown = met.ending in THROWN | {Ending.NO_LICENCE} and met.works
        broke = thrown or (met.ending in BROKE_ON_THE_SERVER and met.works)
        nameless = thrown and frame.style.old
        unseen = denied and (bool(gaps) or not asks or untold)
        return not unseen and not (broke and slow) and not nameless

    may_read = {USERS[0], *(e.user for e in events if isinstance(e, AlsoPushes))}
    may_read -= {event.user for event in events if isinstance(event, MayNotRead)}
    return [e for e in events if fair(e) and not (isinstance(e, IsGone) and {e.user} == may_read)]


def _is_barred(  # noqa: PLR0911  # a table
    event: Event, events: Sequence[Event]
) -> bool:
    """Say whether an event may not stand beside one of another kind."""

    def there(*kinds: type) -> bool:
        return any(isinstance(each, kinds) for each in events)

    match event:
        case IsUntied():
            others = {e.number for e in events if isinstance(e, WasMade | IsPushed | HasRival)}
            return bool({event.number, event.bears} & others)
        case MadeAnew():
            return there(IsUntied)  # the maker alone would tell whose such a document is
        case SetsClock():
            return there(HasWindow)  # when it is open is told by the clock that somebody sets
        case CopiesMakers():
            return there(Sees)
        case MayNotPush():
            return there(IsGone)
        case Lacks(field="FSRCBILLTYPEID"):
            return any(isinstance(e, Bears) and e.what is Stands.FOREIGN for e in events)
        case _:
            return False
