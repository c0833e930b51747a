"""What a sandbox is like: the options that each of its parts reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from k3push.simulator.answers import AnswerStyle
from k3push.simulator.books.documents import Successor
from k3push.simulator.books.forms import IN_STOCK, PAYABLE, PURCHASE_ORDER, ROUTES, Policy, Route
from k3push.simulator.books.operations import BulkHabits
from k3push.simulator.books.refusals import OnRefusal, Texts
from k3push.simulator.books.write_back import WriteBack
from k3push.simulator.fault_plans.script import FaultPlan
from k3push.simulator.selecting import Quoted
from k3push.simulator.sign_in import Accounts


class Queue(StrEnum):
    """Which calls wait for one another (P 2.9)."""

    NONE = "none"
    """None do."""

    USER = "user"
    """Those of one user."""

    SITE = "site"
    """All do."""


@dataclass(frozen=True, slots=True)
class SlowSpell:
    """A time in which the site is busy with something else.

    Attributes:
        from_s: When it begins, in seconds from the first request.
        to_s: When it ends.
        slower: How many times longer everything takes.
        capacity: What the options call by this name, during it.
    """

    from_s: float
    to_s: float
    slower: float
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Where the server stops.

    Attributes:
        rows: Rows in one answer: 10,000 now, 2,000 in 2020 (P 6.1). More are cut in silence.
        filter_chars: Length of a filter above which the server throws; 0 for none.
        user_rows: What `rows` is for some users.
        quoted: What becomes of quoted numbers: "false", "fine" or "refused" (P 13.4).
    """

    rows: int = 10_000
    filter_chars: int = 0
    user_rows: Mapping[str, int] = field(default_factory=dict)
    quoted: str = Quoted.FALSE

    def rows_for(self, user: str) -> int:
        """Give the rows in one answer to *user*."""
        return self.user_rows.get(user, self.rows)


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
        query_lag_s: Seconds after which queries see what was committed.
        copies_in_turn: Whether every second query sees it at once, as behind a balancer.
        save_gap_s: Seconds between the targets of one push, which are saved one by one.
        names_when_saved: A document of one bill bears the number that the bill has as it is saved,
            and not the one that it had as the call began.
        limits: Where queries stop.
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
