"""From options to a site: the one place where a sandbox is put together."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from k3push.simulator.answers import AnswerStyle
from k3push.simulator.collation import exact, loose
from k3push.simulator.forms import PURCHASE_ORDER, ROUTES, SALE_ORDER, Form, Policy
from k3push.simulator.load import Load, Queue, SlowSpell
from k3push.simulator.logins import Accounts, Logins
from k3push.simulator.presets import PRESETS
from k3push.simulator.queries import Desk, QueryLimits
from k3push.simulator.refusals import OnRefusal, Texts
from k3push.simulator.script import FaultPlan, FaultScript, load_plan
from k3push.simulator.site import Manners, Site
from k3push.simulator.world import World

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
        seed: Where suppliers, quantities, session ids and seeded faults come from.
        latency_s: Seconds that a call takes on an idle site.
        per_number_s: Seconds more, for each bill number of a push.
        capacity: Calls at once up to which latency does not grow; 0 for no bound.
        most_at_once: Calls at once above which the rest get MsgCode 14; 0 for no bound.
        most_a_minute: Calls within a minute above which the rest get MsgCode 14, likewise.
        round_trip_s: Seconds more for each call, on the network.
        slow_spell: When the site is busy with something else.
        queue: Which calls wait for one another: "user", "site" or None.
        slow_users: How many times as long the calls of a user take.
        policy: How rules group sources: "one-to-one", "merge" or "split".
        faults: Name of a preset, path of a script file, or a plan.
        on_refusal: What a bad source does to its call: "partial", "silent" or "whole".
        exact_numbers: Whether letter case and width tell numbers apart (P 4.7).
        allow_blocked: Whether rules take unapproved, closed and cancelled sources.
        twins: Numbers that a second organisation has as well.
        accounts: Who may log in, and how long sessions last.
        style: How answers look.
        limits: Where queries stop.
        texts: What the ERP says.
    """

    orders: int = 1000
    blocked: int = 30
    seed: int = 0
    latency_s: float = 0.0
    per_number_s: float = 0.0
    capacity: int = 0
    most_at_once: int = 0
    most_a_minute: int = 0
    round_trip_s: float = 0.0
    slow_spell: SlowSpell | None = None
    queue: str | None = None
    slow_users: Mapping[str, float] = field(default_factory=dict)
    policy: str = Policy.ONE_TO_ONE
    faults: str | Path | FaultPlan = "none"
    on_refusal: str = OnRefusal.PARTIAL
    exact_numbers: bool = False
    allow_blocked: bool = False
    twins: tuple[str, ...] = ()
    accounts: Accounts = field(default_factory=Accounts)
    style: AnswerStyle = field(default_factory=AnswerStyle)
    limits: QueryLimits = field(default_factory=QueryLimits)
    texts: Texts = field(default_factory=Texts)


def build(options: SandboxOptions, clock: Callable[[], datetime] = beijing_time) -> Site:
    """Put a site together.

    Args:
        options: What it is like.

        clock: Local time of the server, for the dates of bills.

    Raises:
        ValueError: If an option or a script file is not as it should be.
    """
    plan = fault_plan(options.faults, options.seed)
    collation = exact if options.exact_numbers else loose
    on_refusal = OnRefusal(options.on_refusal)
    world = World(
        clock,
        routes=[replace(route, allow_blocked=options.allow_blocked) for route in ROUTES],
        policy=Policy(options.policy),
        on_refusal=on_refusal,
        texts=options.texts,
        collation=collation,
    )
    _stock(world, options)
    for number, refusal in plan.refusals.items():
        world.refuse(number, refusal)
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
        ),
        desk=Desk(world, options.limits, " " if shown_number is None else shown_number),
        manners=Manners(options.style, on_refusal, options.most_at_once, options.most_a_minute),
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


def _stock(world: World, options: SandboxOptions) -> None:
    """Fill the books with orders: good ones, and some that a rule refuses."""
    chance = random.Random(options.seed)  # noqa: S311 - the same orders every time
    for form in (PURCHASE_ORDER, SALE_ORDER):
        prefix = form.prefix
        for index in range(options.orders):
            _order(world, form, f"{prefix}{index:07d}", chance)
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
    )
