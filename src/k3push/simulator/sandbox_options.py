"""From options to a site: the one place where a sandbox is put together."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from k3push.simulator.answers import AnswerStyle
from k3push.simulator.collation import exact, loose, spelt_out
from k3push.simulator.documents import Habits, Successor
from k3push.simulator.fields import Build
from k3push.simulator.forms import (
    IN_STOCK,
    PAYABLE,
    PURCHASE_ORDER,
    ROUTES,
    SALE_ORDER,
    Form,
    Policy,
    Route,
)
from k3push.simulator.load import Load, Queue, SlowSpell
from k3push.simulator.operations import BulkHabits
from k3push.simulator.plan_files import load_plan
from k3push.simulator.presets import PRESETS
from k3push.simulator.queries import Desk, QueryLimits
from k3push.simulator.refusals import OnRefusal, Texts
from k3push.simulator.script import FaultPlan, FaultScript
from k3push.simulator.sign_in import Accounts, Logins
from k3push.simulator.site import Manners, Site
from k3push.simulator.visibility import Rights, Sight
from k3push.simulator.world import World
from k3push.simulator.write_back import WriteBack

_BEIJING = timezone(timedelta(hours=8))

# Approved purchase orders whose numbers are digits only, as many sites have them; spreadsheets
# hold such numbers in cells that are no text.
ALL_DIGITS = 40
FIRST_ALL_DIGITS = 20180321170000

_SUPPLIERS = 7


def beijing_time() -> datetime:
    """Give the time that servers of K/3 Cloud keep (P 9)."""
    return datetime.now(_BEIJING)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What a sandbox is like.

    Attributes:
        orders: Approved purchase orders, and as many sale orders.
        blocked: Orders of each kind that a rule refuses: unapproved, closed, cancelled.
        dated_days: Days back from today over which orders are dated, one after the other; with
            0 all are of today.
        seed: Where suppliers, quantities, session ids and seeded faults come from.
        latency_s: Seconds that a call takes on an idle site.
        per_number_s: Seconds more, for each bill number of a push.
        capacity: Calls at once up to which latency does not grow; 0 for no bound.
        most_at_once: Calls at once above which the rest get MsgCode 14; 0 for no bound.
        most_a_minute: Calls within a minute above which the rest get MsgCode 14, likewise.
        round_trip_s: Seconds more for each call, on the network.
        slow_spell: When the site is busy with something else.
        look_s: Seconds that a call without bill numbers takes, if not *latency_s*.
        degrades: With which power latency grows beyond *capacity*.
        jitter: Sigma of the log-normal factor by which times vary.
        queue: Which calls wait for one another: "user", "site" or None.
        slow_users: How many times as long the calls of a user take.
        policy: How rules group sources: "one-to-one", "merge", "merge-lines" or "split".
        faults: Name of a preset, path of a script file, or a plan.
        on_refusal: What a bad source does to its call: "partial", "silent" or "whole".
        exact_numbers: Whether letter case and width tell numbers apart (P 4.7).
        spells_out: Whether a ligature is its two letters, where they do not tell numbers apart.
        allow_blocked: Whether rules take unapproved, closed and cancelled sources.
        write_back: When targets take quantity: "save", "audit" (only once approved) or "never".
        closes: Whether a source is closed when its quantity is used up (P 13.3).
        unaudit_to: Status of a document after UnAudit: "D" or "B" (P 11.5).
        successors: What the ERP makes when a document of a form is approved (P 11.9); keys are
            forms' ids.
        pause_s: Seconds that plug-ins work on a document after a push and after a submit;
            whoever submits or approves it sooner is refused (P 11.8).
        bulk: How submits and audits of several documents are worked on.
        routes: The conversion rules; two may be for the same forms.
        default_rules: Whether rules can be the default of their pair (P 12.2).
        rules: What BOS_ConvertRule shows: "all" fields; "names" for FNumber and FName alone; or
            "none" for no rules (P 12.1). Who has no right to read it stands in `unreadable`.
        source_form_fields: Whether targets have a field for the form of their source (P 6.6).
        creators: Whether documents tell who made them.
        link_fields: Whether the link tables can be queried (P 6.5).
        hollow_fields: Fields, by their keys, that QueryBusinessInfo lists and queries refuse.
        joins_inwardly: Whether queries with fields of links pass over what has no link.
        sees: Which targets users see: "all", "own", "half" or "none"; all unless named.
        unreadable: Forms, by id, that users have no right to read.
        untied: Numbers of which what is made keeps no link and names no source; a document of
            several bills may keep the links of others.
        misnamed: Numbers whose targets keep no link either and name another source, which.
        twins: Numbers that a second organisation, 200, has as well.
        unseen_orgs: Organisations whose sources nobody sees; pushes find them.
        accounts: Who may log in, and how long sessions last.
        style: How answers look.
        query_lag_s: Seconds after which queries see what was committed.
        copies_in_turn: Whether every second query sees it at once, as behind a balancer.
        save_gap_s: Seconds between the targets of one push, which are saved one by one.
        names_when_saved: A document of one bill bears the number that the bill has as it is saved,
            and not the one that it had as the call began.
        limits: Where queries stop.
        texts: What the ERP says.
    """

    orders: int = 1000
    blocked: int = 30
    dated_days: int = 0
    seed: int = 0
    latency_s: float = 0.0
    per_number_s: float = 0.0
    capacity: int = 0
    most_at_once: int = 0
    most_a_minute: int = 0
    round_trip_s: float = 0.0
    slow_spell: SlowSpell | None = None
    look_s: float | None = None
    degrades: float = 1.0
    jitter: float = 0.0
    queue: str | None = None
    slow_users: Mapping[str, float] = field(default_factory=dict)
    policy: str = Policy.ONE_TO_ONE
    faults: str | Path | FaultPlan = "none"
    on_refusal: str = OnRefusal.PARTIAL
    exact_numbers: bool = False
    spells_out: bool = False
    allow_blocked: bool = False
    write_back: str = WriteBack.SAVE
    closes: bool = True
    unaudit_to: str = "D"
    successors: Mapping[str, Successor] = field(default_factory=dict)
    pause_s: float = 0.0
    bulk: BulkHabits = field(default_factory=BulkHabits)
    routes: Sequence[Route] = ROUTES
    default_rules: bool = True
    rules: str = "all"
    source_form_fields: bool = True
    creators: bool = True
    link_fields: bool = True
    hollow_fields: tuple[str, ...] = ()
    joins_inwardly: bool = False
    sees: Mapping[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, Collection[str]] = field(default_factory=dict)
    untied: tuple[str, ...] = ()
    misnamed: Mapping[str, str] = field(default_factory=dict)
    twins: tuple[str, ...] = ()
    unseen_orgs: tuple[str, ...] = ()
    accounts: Accounts = field(default_factory=Accounts)
    style: AnswerStyle = field(default_factory=AnswerStyle)
    query_lag_s: float = 0.0
    copies_in_turn: bool = False
    save_gap_s: float = 0.0
    names_when_saved: bool = False
    limits: QueryLimits = field(default_factory=QueryLimits)
    texts: Texts = field(default_factory=Texts)


PAYABLES: Mapping[str, Successor] = {IN_STOCK.id: Successor(PAYABLE)}
"""An approved in-stock makes a payable, as where both modules are in use (P 11.9)."""


def first_orders(count: int) -> tuple[str, ...]:
    """Give the numbers of the first purchase orders.

    >>> first_orders(2)
    ('CGDD0000000', 'CGDD0000001')
    """
    return tuple(f"{PURCHASE_ORDER.prefix}{index:07d}" for index in range(count))


def build(options: SandboxOptions, clock: Callable[[], datetime] = beijing_time) -> Site:
    """Put a site together.

    Args:
        clock: Local time of the server, for the dates of bills.

    Raises:
        ValueError: If an option or a script file is not as it should be.
    """
    plan = fault_plan(options.faults, options.seed)
    collation = spelt_out if options.spells_out else loose
    collation = exact if options.exact_numbers else collation
    on_refusal = OnRefusal(options.on_refusal)
    world = World(
        clock,
        routes=[
            replace(
                route,
                allow_blocked=options.allow_blocked,
                default=route.default and options.default_rules,
            )
            for route in options.routes
        ],
        policy=Policy(options.policy),
        on_refusal=on_refusal,
        texts=options.texts,
        collation=collation,
        habits=Habits(
            WriteBack(options.write_back),
            options.closes,
            options.unaudit_to,
            options.successors,
        ),
        bulk=options.bulk,
        flows=plan.flows,
    )
    _stock(world, options, clock().date())
    for number, refusal in plan.refusals.items():
        world.refuse(number, refusal)
    for number in options.untied:
        world.untie(number)
    for number, other in options.misnamed.items():
        world.untie(number, other)
    for (operation, number), refusal in plan.refused_follow.items():
        world.refuse(number, refusal, operation)
    accounts = options.accounts
    if plan.session_calls:
        accounts = replace(accounts, session_calls=plan.session_calls)
    shown_number = options.style.draft_number
    return Site(
        world,
        logins=Logins(accounts, options.seed),
        faults=FaultScript(plan, collation),
        load=Load(
            options.latency_s,
            options.per_number_s,
            options.capacity,
            Queue(options.queue or "none"),
            slow=options.slow_users,
            round_trip_s=options.round_trip_s,
            slow_spell=options.slow_spell,
            look_s=options.look_s,
            degrades=options.degrades,
            jitter=options.jitter,
            seed=options.seed,
        ),
        desk=Desk(
            world,
            options.limits,
            " " if shown_number is None else shown_number,
            build=Build(
                options.source_form_fields,
                options.link_fields,
                options.rules,
                options.creators,
                options.hollow_fields,
                options.joins_inwardly,
            ),
            rights=Rights(
                {user: Sight(sees) for user, sees in options.sees.items()},
                {user: frozenset(forms) for user, forms in options.unreadable.items()},
                frozenset(options.unseen_orgs),
            ),
            copies_in_turn=options.copies_in_turn,
        ),
        manners=Manners(
            options.style,
            on_refusal,
            options.most_at_once,
            options.most_a_minute,
            options.query_lag_s,
            options.save_gap_s,
            options.pause_s,
            options.names_when_saved,
        ),
    )


def fault_plan(faults: str | Path | FaultPlan, seed: int = 0) -> FaultPlan:
    """Give the plan that *faults* stands for.

    Args:
        faults: A plan, the name of a preset, or the path of a script file.
        seed: For presets that choose.

    Raises:
        ValueError: If there is neither such a preset nor such a file.
    """
    if isinstance(faults, FaultPlan):
        return faults
    if str(faults) in PRESETS:
        return PRESETS[str(faults)](seed)
    path = Path(faults)
    if not path.is_file():
        raise ValueError(
            f"{faults}: neither a preset ({', '.join(PRESETS)}) nor a script file that is there"
        )
    return load_plan(path)


def _stock(world: World, options: SandboxOptions, today: date) -> None:
    """Fill the books with orders: good ones, and some that a rule refuses."""
    chance = random.Random(options.seed)  # noqa: S311 - the same orders every time
    for form in (PURCHASE_ORDER, SALE_ORDER):
        prefix = form.prefix
        for index in range(options.orders):
            days = index % options.dated_days if options.dated_days else 0
            dated = str(today - timedelta(days)) if days else ""
            _order(world, form, f"{prefix}{index:07d}", chance, dated=dated)
        for index in range(options.blocked):
            _order(world, form, f"{prefix}U{index:06d}", chance, status="ABD"[index % 3])
            _order(world, form, f"{prefix}C{index:06d}", chance, closed=True)
            _order(world, form, f"{prefix}X{index:06d}", chance, cancelled=True)
        for number in options.twins:
            if number.startswith(prefix):
                _order(world, form, number, chance, org="200")
    for index in range(ALL_DIGITS):
        _order(world, PURCHASE_ORDER, f"{FIRST_ALL_DIGITS + index}", chance)


def _order(
    world: World,
    form: Form,
    number: str,
    chance: random.Random,
    *,
    org: str = "100",
    status: str = "C",
    closed: bool = False,
    cancelled: bool = False,
    dated: str = "",
) -> None:
    world.add_source(
        form,
        number,
        quantities=[chance.randint(2, 100) for _ in range(chance.randint(1, 3))],
        party=f"P{chance.randint(1, _SUPPLIERS):03d}",
        org=org,
        status=status,
        closed=closed,
        cancelled=cancelled,
        dated=dated,
    )
