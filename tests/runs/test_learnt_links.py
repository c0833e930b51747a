"""What an execution learns of links from its own calls, and what it does where they tell nothing.

A site's other rules keep links; the route's own rule keeps them, keeps none, or may not be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio
import pytest

from k3push.adapters.erp.client import ErpClient
from k3push.core.model import TWIN, RunId, Sighting, State
from k3push.core.pacing.halting import HaltRule
from k3push.ports import LookFailedError
from k3push.runs.context import Context
from k3push.runs.proof import absence_proof
from k3push.runs.push_limits import PushLimits
from k3push.simulator import FaultPlan, OnRefusal, Policy, fault
from k3push.simulator.answers import AnswerStyle
from k3push.simulator.books.forms import IN_STOCK, ROUTES
from k3push.simulator.fault_plans.script import Aimed
from tests.runs.office import ROUTE, SECOND, Office, Pushed, orders, sandbox, steered
from tests.runs.rough_answers import REFUSED, drop_each_second_link, name_no_document
from tests.runs.test_loose_documents import LOST, OTHER, REST, go_on, say
from tests.runs.test_loose_documents import office_of as loose_office_of
from tests.shares import shared_out
from tests.simulator.second_rule import with_second_rule

pytestmark = [pytest.mark.anyio, pytest.mark.halved]

KEEPS_NONE = (replace(ROUTES[0], keeps_links=False), *ROUTES[1:])


def office_of(meets: Mapping[str, str] | None = None, **options: Any) -> Office:
    """Return an office whose calls of some bills meet faults; each document bears its number."""
    return loose_office_of(meets, **{"misnamed": {}, **options})


def change_rule(office: Office, *, keeps_links: bool) -> None:
    """Let the route's rule keep links, or none, from now on."""
    world = office.site.world
    routes = [replace(ROUTES[0], keeps_links=keeps_links), *ROUTES[1:]]
    vars(world)["_converter"] = replace(vars(world)["_converter"], routes=routes)


def take_links_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody query links any more."""

    async def refused(*_: Any, **__: Any) -> None:
        return None

    monkeypatch.setattr(ErpClient, "linked_targets_of", refused)


@pytest.mark.parametrize("size", [1, 4])
async def test_a_success_that_names_nothing_is_done_where_the_rule_keeps_no_links(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Another rule of the forms keeps them."""
    first, second = (
        each
        for each in with_second_rule()
        if each.target is IN_STOCK and each.source is ROUTES[0].source
    )
    office = office_of(
        style=AnswerStyle(old=True), routes=(replace(first, keeps_links=False), second, *ROUTES[1:])
    )
    name_no_document(monkeypatch)
    await office.open_run(REST[:12])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=size))
    assert pushed.of(State.PUSHED) == set(REST[:12])


@pytest.mark.parametrize("style", [AnswerStyle(), AnswerStyle(old=True, short=True)])
async def test_successes_are_done_on_a_night_on_which_links_cannot_be_queried_any_more(
    monkeypatch: pytest.MonkeyPatch, style: AnswerStyle
) -> None:
    """They have found what this rule makes on the night before."""
    office = office_of(style=style)
    await office.open_run(REST[:5])
    await go_on(office)
    take_links_away(monkeypatch)
    await office.open_run(REST[5:], SECOND)
    pushed = await go_on(office, SECOND, throttle=steered(concurrency=1, chunk_size=4))
    assert pushed.of(State.PUSHED) == set(REST[5:])


async def test_a_document_of_a_call_of_two_says_nothing_of_links_by_its_number_alone() -> None:
    """The one is refused by name, and its number is on the other's document."""
    office = office_of(misnamed={LOST: OTHER})
    office.site.world.refuse(OTHER, REFUSED)
    for bill in REST[:5]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await office.open_run([LOST, OTHER, *REST[5:12]])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=2))
    assert not pushed.rows[OTHER].targets


@pytest.mark.parametrize("how", ["delete", "lags"])
async def test_one_look_does_not_say_that_links_miss_what_the_rule_makes(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A document goes between its two questions, or a copy that lags behind answers the second."""
    canary, *rest = REST
    office = office_of({LOST: "make-then-reset", OTHER: "reset"}, misnamed={LOST: OTHER})
    world, asked, met = office.site.world, ErpClient.linked_targets_of, list[int]()

    async def linked_targets_of(
        self: ErpClient, route: Any, bills: Any, **more: Any
    ) -> Sighting | None:
        if canary in bills and (documents := world.documents_of(canary)) and not met:
            met.append(1)
            if how == "lags":
                seen = await asked(self, route, bills, **more)
                return replace(seen, targets={}, by_link=frozenset()) if seen else None
            world.store.remove(documents[0])
        return await asked(self, route, bills, **more)

    monkeypatch.setattr(ErpClient, "linked_targets_of", linked_targets_of)
    for bill in rest[8:]:
        world.add_target(IN_STOCK, bill, creator="clerk")
    await office.open_run([canary, OTHER, LOST, *rest[:8]])
    pushed = await go_on(office)
    assert met
    assert len(world.documents_of(LOST)) == 1
    assert not pushed.rows[OTHER].targets


async def test_a_first_document_without_a_link_does_not_outweigh_the_night_before() -> None:
    """Links have found twenty documents that this rule has made."""
    bare, *rest = REST
    meets = {LOST: "make-then-reset", OTHER: "reset"}
    office = office_of(meets, misnamed={LOST: OTHER, bare: bare})
    await office.open_run(rest[:15])
    await go_on(office)
    await office.open_run([bare, OTHER, LOST, *rest[15:]], SECOND)
    pushed = await go_on(office, SECOND)
    assert len(office.site.world.documents_of(LOST)) == 1
    assert pushed.rows[OTHER].state is State.UNKNOWN


@pytest.mark.parametrize("again", ["", "wanted"])
async def test_a_bill_that_was_rejected_for_what_may_be_its_own_is_told_of_it_later(
    monkeypatch: pytest.MonkeyPatch, again: str
) -> None:
    """Later answers show that links miss what the rule makes."""
    plan = FaultPlan(aimed={LOST: Aimed(fault("make-then-lose-session"))})
    office = Office(sandbox(plan, routes=KEEPS_NONE))

    async def fail(_: object) -> bool:
        raise LookFailedError("out of time")

    monkeypatch.setattr(absence_proof, "look_at_newest_links", fail)
    await office.open_run([LOST, *REST[:3]], again_because=again)
    row = (await go_on(office)).rows[LOST]
    (document,) = office.site.world.documents_of(LOST)
    assert [target.number for target in row.targets] == [document.number]
    assert (row.state, row.code) == (State.PUSHED, ""), row


@pytest.mark.parametrize("size", [1, 20])
async def test_a_typed_document_is_seen_where_queries_for_links_pass_over_it(size: int) -> None:
    """Some joins give no row of what has no link."""
    typed, *rest = orders(4)
    office = office_of(joins_inwardly=True)
    office.site.world.add_target(IN_STOCK, typed, creator="clerk", typed=True)
    await office.open_run([typed, *rest])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=size))
    assert pushed.rows[typed].state is State.ALREADY
    assert pushed.of(State.PUSHED) == set(rest)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("apart_days", shared_out([20, 50, 70], 3, normal=0, of_more=1))
async def test_what_was_learnt_of_links_ends_with_the_rule(
    monkeypatch: pytest.MonkeyPatch, apart_days: int, *, old: bool
) -> None:
    """What an earlier night has learnt founds nothing that outlives it."""
    bills = orders(400)
    lost = [bills[10 + 30 * night] for night in range(4)]
    meets = dict.fromkeys(lost, "make-then-reset")
    office = office_of(meets, orders=len(bills), style=AnswerStyle(old=old))
    if old:
        name_no_document(monkeypatch)
    await office.open_run(bills[:9])
    pushed = await go_on(office)
    for bill in bills[-20:]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    change_rule(office, keeps_links=False)
    for night, bill in enumerate(lost):
        await anyio.sleep(apart_days * 86_400)
        run, first = RunId(f"n{night}"), bills.index(bill)
        await office.open_run(bills[first : first + 30], run)
        pushed = await go_on(office, run)
        for doubt in pushed.of(State.UNKNOWN) if night < len(lost) - 1 else ():
            await say(office, doubt, State.PUSHED, run)
    assert not pushed.of(State.UNKNOWN)


@pytest.mark.parametrize("position", [0, 4, 12])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("how", ["make-then-reset", "make-then-lose-session"])
async def test_a_lost_answer_of_an_old_server_is_settled_where_the_rule_keeps_no_links(
    monkeypatch: pytest.MonkeyPatch, how: str, size: int, position: int
) -> None:
    """Answers name nothing; that their documents have no link shows it all the same."""
    office = office_of({LOST: how}, style=AnswerStyle(old=True))
    name_no_document(monkeypatch)
    for bill in REST[14:]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    change_rule(office, keeps_links=False)
    await office.open_run([*REST[:position], LOST, *REST[position:12]])
    pushed = await go_on(office, times=2, throttle=steered(concurrency=1, chunk_size=size))
    assert pushed.of(State.PUSHED) == {LOST, *REST[:12]}


@pytest.mark.parametrize("drops", [True, False])
async def test_a_bill_that_drops_out_of_a_call_leaves_the_others_their_documents(
    *, drops: bool
) -> None:
    """The answer names these, and the rule keeps no links."""
    office = office_of({LOST: "drop-one-then-ok"} if drops else {})
    if not drops:
        office.site.world.refuse(LOST, replace(REFUSED, text="仓库必录"))
    for bill in REST[12:]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    change_rule(office, keeps_links=False)
    await office.open_run([*REST[:5], LOST, *REST[5:9]])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=10))
    assert len(pushed.of(State.PUSHED)) == 9


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("others", [[], [OTHER]])
@pytest.mark.parametrize("opening", ["refused", "response-error"])
async def test_a_first_document_without_a_link_does_not_outweigh_those_that_have_one(
    monkeypatch: pytest.MonkeyPatch, opening: str, others: list[str], *, old: bool
) -> None:
    """What opens the run has the newest documents of other rules asked for links."""
    first, bare, *rest = REST[:14]
    meets = dict.fromkeys([LOST], "make-then-reset") | dict.fromkeys(others, "reset")
    meets |= {} if opening == "refused" else {first: opening}
    office = office_of(meets, misnamed={LOST: OTHER, bare: bare}, style=AnswerStyle(old=old))
    if old:
        name_no_document(monkeypatch)
    if opening == "refused":
        office.site.world.refuse(first, REFUSED)
    for bill in REST[16:]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await office.open_run([first, bare, *rest, *others, LOST])
    pushed = await go_on(office, times=3)
    assert len(office.site.world.documents_of(LOST)) == 1
    assert OTHER not in pushed.of(State.PUSHED)


@pytest.mark.parametrize("how", ["ok", "make-then-reset"])
@pytest.mark.parametrize("old", [False, True])
async def test_what_has_no_link_is_found_after_a_call_where_queries_for_links_pass_over_it(
    monkeypatch: pytest.MonkeyPatch, how: str, *, old: bool
) -> None:
    """The rule keeps none: each success would contradict its answer, and each doubt stay."""
    meets = {} if how == "ok" else {LOST: how}
    office = office_of(meets, joins_inwardly=True, style=AnswerStyle(old=old))
    if old:
        name_no_document(monkeypatch)
    change_rule(office, keeps_links=False)
    await office.open_run([*REST[:12], LOST])
    pushed = await go_on(office, times=2)
    assert pushed.of(State.PUSHED) == {LOST, *REST[:12]}


async def test_default_rules_of_two_source_forms_are_two_rules() -> None:
    """What the links of one have found says nothing of the other's."""
    office = office_of(route=replace(ROUTE, rule=""))
    office.site.world.add_target(IN_STOCK, REST[20], creator="clerk")
    await office.open_run(REST[:5])
    await go_on(office)
    (known,) = await office.store.memos("links")
    assert known.about.split()[:2] == ["pur_purchaseorder", "stk_instock"]


@pytest.mark.parametrize("days", [1, 40])
@pytest.mark.parametrize("style", [AnswerStyle(), AnswerStyle(old=True, short=True), None])
async def test_ten_documents_without_a_link_do_not_outweigh_the_nights_before(
    monkeypatch: pytest.MonkeyPatch, style: AnswerStyle | None, days: int
) -> None:
    """A plug-in drops the links of one kind of bills, and a list may begin with them."""
    refused, *bare = REST[10:21]
    meets = {LOST: "make-then-reset", OTHER: "reset"}
    misnamed = {LOST: OTHER, **{bill: bill for bill in bare}}
    office = office_of(meets, misnamed=misnamed, style=style or AnswerStyle(old=True))
    if style is None:
        name_no_document(monkeypatch)
    office.site.world.add_target(IN_STOCK, REST[21], creator="clerk")
    await office.open_run(REST[:10])
    await go_on(office)
    await anyio.sleep(days * 86_400)
    office.site.world.refuse(refused, REFUSED)
    await office.open_run([refused, *bare, OTHER, LOST], SECOND)
    pushed = await go_on(office, SECOND, times=3)
    assert len(office.site.world.documents_of(LOST)) == 1
    assert OTHER not in pushed.of(State.PUSHED)


async def test_three_documents_without_a_link_tell_little_of_an_old_servers_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its answers name none, and all three may be of one kind."""
    bare = REST[:3]
    meets = {LOST: "make-then-reset", OTHER: "reset"}
    misnamed = {LOST: OTHER, **{bill: bill for bill in bare}}
    office = office_of(meets, misnamed=misnamed, style=AnswerStyle(old=True))
    name_no_document(monkeypatch)
    for bill in REST[16:]:
        office.site.world.add_target(IN_STOCK, bill, creator="clerk")
    await office.open_run([*bare, OTHER, LOST])
    pushed = await go_on(office, times=3)
    assert len(office.site.world.documents_of(LOST)) == 1
    assert OTHER not in pushed.of(State.PUSHED)


def untold(office: Office, pushed: Pushed) -> set[str]:
    """Return the documents of our calls that no row names, nor tells of in its reason."""
    rows = pushed.rows.values()
    named = {target.label for row in rows for target in row.targets}
    told = " ".join(row.reason for row in rows)
    world = office.site.world
    made = {
        each.target.number for bill in pushed.rows for each in world.makings_of(bill) if each.push
    }
    return {number for number in made - named if number not in told}


@pytest.mark.parametrize("joins", [False, True])
async def test_a_part_of_a_split_whose_link_a_plug_in_drops_is_told(*, joins: bool) -> None:
    """A short answer names the first part alone; links tie the parts of all bills before it."""
    style = AnswerStyle(old=True, short=True)
    office = office_of(
        policy=Policy.SPLIT, style=style, misnamed={OTHER: OTHER}, joins_inwardly=joins
    )
    await office.open_run([*REST[:8], OTHER])
    pushed = await go_on(office)
    assert pushed.rows[OTHER].state is State.PUSHED
    assert untold(office, pushed) == set()


async def test_what_an_answer_names_without_a_link_is_told_beside_what_a_link_ties(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rule splits bills and keeps each second link; the ERP passes one bill over in silence."""
    drop_each_second_link(monkeypatch)
    office = office_of(policy=Policy.SPLIT, on_refusal=OnRefusal.SILENT)
    office.site.world.refuse(REST[5], REFUSED)
    await office.open_run(REST[:6])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=6))
    world = office.site.world
    for row in pushed.rows.values():
        ids = {str(each.target.id) for each in world.makings_of(row.bill)}
        named = {target.id for target in row.targets}
        assert row.state is not State.PUSHED or row.code == TWIN or named == ids, row


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("size", [1, 2, 6])
async def test_what_no_link_ties_is_told_beside_what_a_person_made_meanwhile(
    monkeypatch: pytest.MonkeyPatch, size: int, *, drops: bool
) -> None:
    """Neither the answer nor the time tells which of the two documents the call has made."""
    name_no_document(monkeypatch)
    more: dict[str, Any] = {"misnamed": {OTHER: OTHER}} if drops else {"routes": KEEPS_NONE}
    office = office_of(style=AnswerStyle(old=True), **more | {"latency_s": 5.0})
    bills = [*REST[:16], OTHER] if drops else [REST[0], OTHER, *REST[1:5]]

    async def push_by_hand(_: Context) -> None:
        while not (await office.rows())[OTHER].attempts:  # noqa: ASYNC110  # virtual time
            await anyio.sleep(0.2)
        await anyio.sleep(1.0)
        office.site.world.add_target(IN_STOCK, OTHER, creator="clerk")

    await office.open_run(bills)
    throttle = steered(concurrency=1, chunk_size=size)
    pushed = await go_on(office, throttle=throttle, beside=push_by_hand)
    assert untold(office, pushed) == set()


@pytest.mark.parametrize("style", [AnswerStyle(), AnswerStyle(old=True, short=True), None])
async def test_what_the_nights_before_know_of_links_stands_where_a_run_begins_by_settling(
    monkeypatch: pytest.MonkeyPatch, style: AnswerStyle | None
) -> None:
    """The other bill is on no list, so that nothing else brings the question up."""
    *bare, last = orders(26, first=30)
    misnamed = {LOST: OTHER, **{bill: bill for bill in bare}}
    meets = {LOST: "make-then-reset"}
    office = office_of(meets, misnamed=misnamed, style=style or AnswerStyle(old=True))
    if style is None:
        name_no_document(monkeypatch)
    office.site.world.add_target(IN_STOCK, last, creator="clerk")
    await office.open_run(REST[:12])
    await go_on(office)
    await office.open_run([*bare, LOST], SECOND)
    await go_on(office, SECOND, limits=PushLimits(canary=False, halt=HaltRule(unknown_count=1)))
    await go_on(office, SECOND, times=2)
    assert len(office.site.world.documents_of(LOST)) == 1


@pytest.mark.parametrize("known", [0, 12])
@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("style", [AnswerStyle(), AnswerStyle(old=True, short=True), None])
async def test_a_bill_takes_nothing_in_silence_that_its_own_call_has_made_of_another(
    monkeypatch: pytest.MonkeyPatch, style: AnswerStyle | None, size: int, known: int
) -> None:
    """The rule keeps no links, and one document of the call bears the other's number."""
    office = office_of(
        misnamed={LOST: OTHER}, routes=KEEPS_NONE, style=style or AnswerStyle(old=True)
    )
    if style is None:
        name_no_document(monkeypatch)
    await office.open_run([*REST[:known], LOST, OTHER, *REST[known:][: size - 2]])
    throttle = steered(concurrency=1, chunk_size=size)
    pushed = await go_on(office, times=3, throttle=throttle)
    world = office.site.world
    for bill, row in pushed.rows.items():
        own = {str(document.id) for document in world.documents_of(bill)}
        assert row.code == TWIN or {target.id for target in row.targets} <= own
        assert len(own) == 1


@pytest.mark.parametrize("style", [AnswerStyle(), AnswerStyle(old=True, short=True), None])
@pytest.mark.parametrize("known", [0, 10])
async def test_a_rule_that_splits_makes_no_bill_doubtful_where_a_call_leaves_one_out(
    monkeypatch: pytest.MonkeyPatch, known: int, style: AnswerStyle | None
) -> None:
    """Each of its neighbours has two documents, as it should."""
    office = office_of(
        {REST[known + 3]: "drop-one-then-ok"},
        policy=Policy.SPLIT,
        routes=KEEPS_NONE,
        style=style or AnswerStyle(old=True),
    )
    if style is None:
        name_no_document(monkeypatch)
    await office.open_run(REST[:20])
    pushed = await go_on(office, throttle=steered(concurrency=1, chunk_size=10))
    assert pushed.of(State.PLANNED) == set()
    assert not any(row.code == TWIN for row in pushed.rows.values())
