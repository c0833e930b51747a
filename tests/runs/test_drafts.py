from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from k3push.core.model import Outcome, State
from k3push.core.safety.conclusion import Conclusion
from k3push.core.safety.evidence import conclude
from k3push.runs.sending import read_back
from k3push.runs.stop import Cause
from k3push.simulator import AnswerStyle, DraftForm, FaultPlan, Refusal, SandboxOptions
from k3push.simulator.books.conversion import Ids
from k3push.simulator.books.forms import PURCHASE_ORDER
from tests.runs.office import (
    FIRST,
    ROUTE,
    SECOND,
    Office,
    orders,
    push,
    sandbox,
    steered,
    steps,
)
from tests.runs.rough_answers import NO_CANARY

pytestmark = pytest.mark.anyio

BAD = orders(30)[25]
DRAFTS = replace(ROUTE, draft_when_save_fails=True)
UNSAVED = FaultPlan(refusals={BAD: Refusal(11, "仓库必录", saving=True)})

styles = pytest.mark.parametrize(
    "style",
    [
        AnswerStyle(draft_form=form, draft_number=number, old=old)
        for form in DraftForm
        for number, old in [(None, False), ("", False), (" ", False), ("id", False), (None, True)]
    ],
    ids=str,
)


def _sandbox(style: AnswerStyle, plan: FaultPlan = UNSAVED) -> SandboxOptions:
    return sandbox(plan, style=style)


@styles
async def test_a_target_that_cannot_be_saved_becomes_a_draft(style: AnswerStyle) -> None:
    """Answers tell of drafts in two ways and call them by four names; the form knows them."""
    pushed = await push(orders(60), _sandbox(style), route=DRAFTS)
    assert pushed.of(State.DRAFT) == {BAD}
    assert pushed.of(State.PUSHED) == set(orders(60)) - {BAD}
    (draft,) = pushed.world.documents_of(BAD)
    (target,) = pushed.rows[BAD].targets
    assert (target.id, target.number, target.draft) == (str(draft.id), "", True)


@styles
async def test_a_second_run_makes_no_second_draft(style: AnswerStyle) -> None:
    """A draft takes no quantity from its source, so the ERP itself would make another."""
    office = Office(_sandbox(style), DRAFTS)
    await office.open_run(orders(60))
    await office.execute()
    await office.open_run(orders(60), SECOND)
    again = await office.execute(SECOND)
    assert again.of(State.ALREADY) == set(orders(60))
    assert not again.watch.sendings


@pytest.mark.parametrize("form", DraftForm)
async def test_a_draft_as_canary_proves_the_links(form: DraftForm) -> None:
    """A draft is linked to its source as any document is."""
    plan = FaultPlan(refusals={orders(1)[0]: Refusal(11, "仓库必录", saving=True)})
    pushed = await push(orders(60), _sandbox(AnswerStyle(draft_form=form), plan), route=DRAFTS)
    assert pushed.of(State.DRAFT) == set(orders(1))
    assert len(pushed.of(State.PUSHED)) == 59


async def test_a_draft_whose_answer_was_lost_is_found() -> None:
    """It has no number, and its link alone tells whose it is."""
    plan = replace(steps("ok", "make-then-reset", "make-then-reset"), refusals=UNSAVED.refusals)
    pushed = await push(orders(60), _sandbox(AnswerStyle(), plan), route=DRAFTS)
    assert pushed.of(State.DRAFT) == {BAD}
    assert len(pushed.watch.carried) == 60


async def test_without_leave_for_drafts_a_target_that_cannot_be_saved_is_rejected() -> None:
    """A draft is work for a person, so it is made only where it is asked for."""
    pushed = await push(orders(60), _sandbox(AnswerStyle()))
    assert pushed.of(State.REJECTED) == {BAD}
    assert (pushed.rows[BAD].code, pushed.rows[BAD].reason) == ("11", "仓库必录")


@pytest.mark.parametrize("name", ["ok", "make-then-reset"])
async def test_what_was_there_before_is_not_taken_for_what_was_made(name: str) -> None:
    """Who pushes a number again on purpose wants to know the new document."""
    plan = replace(steps("ok", name), refusals=UNSAVED.refusals)
    office = Office(_sandbox(AnswerStyle(), plan), DRAFTS)
    await office.open_run([BAD], FIRST)
    first = await office.execute()
    await office.open_run([BAD], SECOND, again_because="the first draft is thrown away")
    again = await office.execute(SECOND, check=False)
    old, new = office.site.world.documents_of(BAD)
    assert [target.id for target in first.rows[BAD].targets] == [str(old.id)]
    assert [target.id for target in again.rows[BAD].targets] == [str(new.id)]


async def test_a_second_push_of_which_nothing_came_is_not_covered_up_by_the_first() -> None:
    """The earlier document is there at every look, and says nothing of the second call."""
    office = Office(_sandbox(AnswerStyle(), replace(steps("ok"), refusals={})))
    await office.open_run([BAD], FIRST)
    await office.execute()
    await office.open_run([BAD], SECOND, again_because="in spite of it")
    again = await office.execute(SECOND, check=False)
    assert again.of(State.REJECTED) == {BAD}
    assert Cause.CONTRADICTION not in again.stop.causes


async def test_a_refusal_that_may_hide_a_draft_is_in_doubt_where_no_look_can_tell() -> None:
    """An old server sends no status of the conversion, and that alone may name the draft."""
    style = AnswerStyle(old=True, draft_form=DraftForm.A)
    route = replace(DRAFTS, source_number_field="")
    options = replace(_sandbox(style), link_fields=False)
    pushed = await push(orders(30), options, route=route)
    assert pushed.of(State.UNKNOWN) == {BAD}
    assert pushed.rows[BAD].reason == "仓库必录"


@pytest.mark.parametrize("words", ["仓库必录", f"{BAD} 的仓库必录"])
async def test_a_draft_that_names_no_source_is_found_behind_the_refusal_of_a_lone_bill(
    words: str,
) -> None:
    """No look ties it to the bill, and what a person plans again would make another."""
    plan = FaultPlan(refusals={BAD: Refusal(11, words, saving=True)})
    style = AnswerStyle(old=True, draft_form=DraftForm.A)
    office = Office(replace(_sandbox(style, plan), untied=(BAD,)), DRAFTS)
    await office.open_run([*orders(3), BAD])
    pushed = await office.execute(throttle=steered(concurrency=1, chunk_size=1), check=False)
    assert len(office.site.world.documents_of(BAD)) == 1
    assert pushed.of(State.UNKNOWN) == {BAD}


@pytest.mark.parametrize("tied", [True, False])
async def test_a_draft_that_has_its_bills_id_is_no_source(
    monkeypatch: pytest.MonkeyPatch, *, tied: bool
) -> None:
    """Each form counts its ids for itself, so both may run side by side from the beginning."""
    (bill,) = orders(1)
    plan = FaultPlan(refusals={bill: Refusal(11, "仓库必录", saving=True)})
    style = AnswerStyle(draft_form=DraftForm.A)
    options = replace(_sandbox(style, plan), link_fields=False, untied=() if tied else (bill,))
    office = Office(options, replace(DRAFTS, source_number_field="") if tied else DRAFTS)
    (source,) = office.site.world.store.by_number(PURCHASE_ORDER, bill)
    monkeypatch.setattr(Ids, "next_bill", lambda _: source.id)
    await office.open_run([bill])
    pushed = await office.execute(check=False)
    row = pushed.rows[bill]
    if tied:  # one bill in the call, and one draft in its answer
        assert row.state is State.DRAFT
        assert [target.id for target in row.targets] == [str(source.id)]
    else:
        assert row.state is State.UNKNOWN
        assert set(pushed.stop.causes) == {Cause.CONTRADICTION}


async def test_a_bill_that_is_refused_each_time_is_given_up_where_no_look_can_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An old server may hide a draft behind each refusal, so each one leaves it in doubt."""

    def doubtful(*given: Any, **how: Any) -> Conclusion:
        found = conclude(*given, **how)
        outcomes = [
            Outcome(each.number, State.UNKNOWN, (), "unnamed", each.reason)
            if each.state is State.REJECTED
            else each
            for each in found.outcomes
        ]
        return replace(found, outcomes=tuple(outcomes))

    monkeypatch.setattr(f"{read_back.__name__}.conclude", doubtful)
    bad = orders(1)[0]
    plan = FaultPlan(refusals={bad: Refusal(4, "数据有误")})
    office = Office(sandbox(plan, style=AnswerStyle(old=True)), DRAFTS)
    await office.open_run([bad])
    executions = [
        await office.execute(check=False, limits=NO_CANARY)
        for _ in range(2 * NO_CANARY.max_attempts)
    ]
    row = executions[-1].rows[bad]
    assert sum(len(each.watch.sendings) for each in executions) == NO_CANARY.max_attempts
    assert (row.state, "数据有误" in row.reason) == (State.REJECTED, True)
