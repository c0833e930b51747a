"""From options to a site: the one place where a sandbox is put together."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from k3push.simulator.books.collation import exact, loose, spelt_out
from k3push.simulator.books.documents import Habits
from k3push.simulator.books.forms import PURCHASE_ORDER, SALE_ORDER, Form, Policy
from k3push.simulator.books.refusals import OnRefusal
from k3push.simulator.books.visibility import Rights, Sight
from k3push.simulator.books.world import World
from k3push.simulator.books.write_back import WriteBack
from k3push.simulator.fault_plans.plan_files import load_plan
from k3push.simulator.fault_plans.presets import PRESETS
from k3push.simulator.fault_plans.script import FaultPlan, FaultScript
from k3push.simulator.load import Load
from k3push.simulator.query_answers.queries import Desk
from k3push.simulator.sandbox_options import SandboxOptions
from k3push.simulator.sign_in import Logins
from k3push.simulator.site import Site

_BEIJING = timezone(timedelta(hours=8))

# Approved purchase orders whose numbers are digits only, as many sites have them; spreadsheets
# hold such numbers in cells that are no text.
ALL_DIGITS = 40
FIRST_ALL_DIGITS = 20180321170000

_SUPPLIERS = 7


def beijing_time() -> datetime:
    """Give the time that servers of K/3 Cloud keep (P 9)."""
    return datetime.now(_BEIJING)


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
        on_refusal=OnRefusal(options.on_refusal),
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
        load=Load(options),
        desk=Desk(
            world,
            options,
            " " if shown_number is None else shown_number,
            rights=Rights(
                {user: Sight(sees) for user, sees in options.sees.items()},
                {user: frozenset(forms) for user, forms in options.unreadable.items()},
                frozenset(options.unseen_orgs),
            ),
        ),
        options=options,
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
