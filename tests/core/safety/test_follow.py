from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import (
    Document,
    FlowTask,
    Follow,
    RunId,
    Standing,
    Step,
    StepIntent,
    Target,
    Uptime,
)
from k3push.core.safety.document_steps import (
    conclude_step,
    in_doubt,
    is_done,
    next_step,
    of_row,
    settle_step,
    with_others,
)
from k3push.core.safety.verdict import InDoubt, Said
from tests.said import english

BOTH = (Step.SUBMIT, Step.AUDIT)
NEW = Document("100", "RK1")
SENT_IN = replace(NEW, follow=Follow.SUBMITTED)
TASK = FlowTask("主管审批", "张三")
LOST = InDoubt("broken", "reset")
SUCCESS = Said(success=True, code="0", messages=(), named=())
ANSWERS = [
    SUCCESS,
    Said(success=False, code="11", messages=("单据编号为“RK1”的入库单，仓库必录！",), named=()),
    Said(success=False, code="11", messages=("单据编号为“RK2”的入库单，仓库必录！",), named=()),
    Said(success=False, code="11", messages=("请先提交审核!",), named=()),
    Said(success=False, code="13", messages=("网络冲突",), named=()),
    Said(success=False, code="11", messages=("单据已经审核！",), named=()),
    Said(success=False, code="response_error", messages=("x",), named=()),
    Said(success=False, code="", messages=(), named=()),
]
STATUSES = ["Z", "A", "B", "C", "D", "E", ""]

standings = st.one_of(
    st.none(), st.builds(Standing, st.just("RK1"), st.sampled_from(STATUSES), st.booleans())
)
documents = st.builds(lambda follow: replace(NEW, follow=follow), st.sampled_from(Follow))


def standing(status: str) -> Standing:
    """Say what the form says of our document."""
    return Standing("RK1", status)


def call(step: Step = Step.SUBMIT, status: str = "A", *others: str) -> StepIntent:
    """Return a call that carries our document, and others."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    return StepIntent(RunId("r"), step, ("100", *others), status, b"{}", at, Uptime("", 0))


# -- the status decides --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "status", "task", "step", "follow"),
    [
        (NEW, "A", None, Step.SUBMIT, Follow.OPEN),
        (NEW, "D", None, Step.SUBMIT, Follow.OPEN),
        (NEW, "B", None, Step.AUDIT, Follow.SUBMITTED),
        (NEW, "C", None, None, Follow.APPROVED),
        (NEW, "Z", None, None, Follow.REFUSED),
        (NEW, "B", TASK, None, Follow.WAITING),
        (SENT_IN, "D", None, None, Follow.REFUSED),
        (SENT_IN, "A", None, None, Follow.REFUSED),
        (replace(NEW, follow=Follow.WAITING), "C", None, None, Follow.APPROVED),
        (replace(NEW, follow=Follow.WAITING), "D", None, None, Follow.REFUSED),
        (replace(NEW, follow=Follow.WAITING), "B", None, Step.AUDIT, Follow.SUBMITTED),
        (replace(NEW, follow=Follow.REFUSED), "A", None, Step.SUBMIT, Follow.OPEN),
        (NEW, "X", None, None, Follow.REFUSED),
    ],
)
def test_the_status_says_which_step_is_next(
    document: Document, status: str, task: FlowTask | None, step: Step | None, follow: Follow
) -> None:
    """No word of an answer does: two of them differ by one character and mean the opposite."""
    move = next_step(document, standing(status), BOTH, task)
    assert (move.step, move.document.follow) == (step, follow)


@pytest.mark.parametrize("gone", [None, Standing("RK1", "B", cancelled=True)])
def test_a_document_that_is_gone_is_said_and_never_written_to(gone: Standing | None) -> None:
    """Somebody has deleted or cancelled it in between."""
    move = next_step(NEW, gone, BOTH)
    assert (move.step, move.document.follow) == (None, Follow.REFUSED)
    assert move.document.reason


@pytest.mark.parametrize("status", "ABCD")
def test_an_id_that_means_another_document_now_is_left_to_a_person(status: str) -> None:
    """A database that was restored gives ids out again, and a copy has documents of its own."""
    known = Document("7", "RK2", Follow.SUBMITTED if status == "C" else Follow.OPEN)
    move = next_step(known, Standing("RK3", status), [Step.SUBMIT, Step.AUDIT])
    assert (move.step, move.document.follow) == (None, Follow.REFUSED)
    assert move.document.number == "RK2"
    assert "RK3" in english(move.document.reason)


def test_a_waiting_document_names_the_node_and_the_person() -> None:
    """So that somebody knows whom to ask."""
    assert "主管审批: 张三" in english(next_step(NEW, standing("B"), BOTH, TASK).document.reason)


def test_where_only_submitting_is_asked_for_nothing_is_approved() -> None:
    """And what is submitted is done."""
    move = next_step(NEW, standing("B"), (Step.SUBMIT,))
    assert move.step is None
    assert is_done(move.document, (Step.SUBMIT,))
    assert not is_done(move.document, BOTH)


@given(documents, standings, st.sets(st.sampled_from(Step)))
def test_a_step_is_taken_from_its_own_status_alone(
    document: Document, seen: Standing | None, steps: set[Step]
) -> None:
    """A and D are submitted, B is approved, and nothing else is written to."""
    step = next_step(document, seen, steps).step
    if step is not None:
        assert seen is not None
        assert step in steps
        assert not seen.cancelled
        assert seen.status in ({"A", "D"} if step is Step.SUBMIT else {"B"})


@given(follow=st.sampled_from(Follow), last=st.sampled_from("ABD"))
def test_a_document_that_was_sent_back_is_submitted_by_nobody_but_a_person(
    follow: Follow, last: str
) -> None:
    """It stands at D after a call of ours, whatever the ledger makes of that call."""
    step = Step.AUDIT if last == "B" else Step.SUBMIT
    move = next_step(replace(NEW, follow=follow), standing("D"), BOTH, last=call(step, last))
    assert (move.step, move.document.follow) == (None, Follow.REFUSED)


def test_what_was_refused_at_its_first_status_may_be_submitted_again() -> None:
    """A person has filled in the warehouse and asked to look again."""
    refused = replace(NEW, follow=Follow.REFUSED, reason="仓库必录")
    assert next_step(refused, standing("A"), BOTH, last=call()).step is Step.SUBMIT


@given(document=documents, status=st.sampled_from("ABD"))
def test_what_takes_a_step_is_refused_no_more(document: Document, status: str) -> None:
    """Its call may be put off, and an earlier refusal says nothing of that."""
    move = next_step(document, standing(status), BOTH)
    if move.step is not None:
        assert move.document.follow is not Follow.REFUSED


# -- after a call --------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ANSWERS)
@pytest.mark.parametrize(
    ("made", "document", "status", "follow"),
    [
        (call(), NEW, "B", Follow.SUBMITTED),
        (call(), NEW, "C", Follow.APPROVED),
        (call(Step.AUDIT, "B"), SENT_IN, "C", Follow.APPROVED),
        (call(), NEW, "D", Follow.REFUSED),
    ],
)
def test_a_step_is_done_when_the_status_shows_it_whatever_was_answered(
    said: Said, made: StepIntent, document: Document, status: str, follow: Follow
) -> None:
    """A refusal may be about another document, and the exception that of a message."""
    move = conclude_step(made, said, document, standing(status))
    assert (move.step, move.document.follow) == (None, follow)


@given(
    said=st.sampled_from(ANSWERS),
    document=documents,
    seen=standings,
    others=st.lists(st.just("101"), max_size=1),
    last_try=st.booleans(),
)
def test_no_answer_alone_makes_a_document_done(
    said: Said, document: Document, seen: Standing | None, others: list[str], *, last_try: bool
) -> None:
    """An answer for many passes over some in silence (P 11.11)."""
    made = call(Step.AUDIT, "B", *others)
    move = conclude_step(made, said, document, seen, last_try=last_try)
    if move.document.follow is Follow.APPROVED and document.follow is not Follow.APPROVED:
        assert seen is not None
        assert seen.status == "C"


@pytest.mark.parametrize(
    ("said", "others", "again", "follow"),
    [
        (SUCCESS, ["101"], True, Follow.OPEN),
        (SUCCESS, [], True, Follow.OPEN),
        (ANSWERS[1], ["101"], False, Follow.REFUSED),
        (ANSWERS[2], ["101"], True, Follow.OPEN),
        (ANSWERS[3], ["101"], True, Follow.OPEN),
        (ANSWERS[3], [], False, Follow.REFUSED),
        (ANSWERS[4], [], True, Follow.OPEN),
        (ANSWERS[6], [], True, Follow.OPEN),
    ],
)
def test_what_has_not_moved_is_refused_by_name_or_alone(
    said: Said, others: list[str], follow: Follow, *, again: bool
) -> None:
    """Nobody knows whether the good ones stay done beside a bad one."""
    move = conclude_step(call(Step.SUBMIT, "A", *others), said, NEW, standing("A"))
    assert (move.step is Step.SUBMIT, move.document.follow) == (again, follow)


@pytest.mark.parametrize("code", ["4", "6"])
def test_an_exception_that_names_no_document_may_pass_whatever_tells_of_it(code: str) -> None:
    """A database that is full for a moment is told so, and no document is to be mended."""
    thrown = Said(success=False, code=code, messages=("数据库操作失败",), named=())
    move = conclude_step(call(), thrown, NEW, standing("A"))
    assert (move.step, move.document.follow) == (Step.SUBMIT, Follow.OPEN)
    named = replace(thrown, messages=ANSWERS[1].messages)
    move = conclude_step(call(), named, NEW, standing("A"))
    assert (move.step, move.document.follow) == (None, Follow.REFUSED)


@pytest.mark.parametrize(
    "message",
    [
        "单据编号为“RK1-2”的入库单，仓库必录！",
        "单据编号为“RK10”的入库单，仓库必录！",
        "单据编号为“RK1 补”的入库单，仓库必录！",
        "第RK1行，仓库必录！",
    ],
)
def test_a_refusal_of_a_number_that_holds_ours_is_not_of_our_document(message: str) -> None:
    """It goes once more alone, and bears no words about another."""
    said = replace(ANSWERS[1], messages=(message,))
    others = ["RK1-2", "RK10", "RK1 补"]
    made = call(Step.SUBMIT, "A", "101", "102", "103")
    move = conclude_step(made, said, NEW, standing("A"), beside=others)
    assert (move.step, move.document.follow) == (Step.SUBMIT, Follow.OPEN)


@pytest.mark.parametrize("said", ANSWERS)
def test_the_last_try_ends_with_a_reason(said: Said) -> None:
    """No list may run for ever."""
    move = conclude_step(call(), said, NEW, standing("A"), last_try=True)
    assert (move.step, move.document.follow) == (None, Follow.REFUSED)
    assert move.document.reason


@pytest.mark.parametrize("said", [SUCCESS, ANSWERS[3], ANSWERS[6]])
def test_what_stands_at_d_goes_once_and_no_more(said: Said) -> None:
    """D after D may mean that it was submitted and that a person has taken it back."""
    move = conclude_step(call(Step.SUBMIT, "D"), said, NEW, standing("D"))
    assert (move.step, move.document.follow) == (None, Follow.REFUSED)


def test_a_flow_that_an_approval_meets_is_waited_for() -> None:
    """Its task may have come after the look that went before the call."""
    move = conclude_step(call(Step.AUDIT, "B"), ANSWERS[3], SENT_IN, standing("B"), TASK)
    assert (move.step, move.document.follow) == (None, Follow.WAITING)


def test_what_an_approval_makes_besides_is_named() -> None:
    """A payable, say; a message about the document itself is none."""
    told = ("单据编号为“RK1”的入库单，审核成功！", "单据编号为“AP7”的应付单，审核成功！")
    approved = replace(NEW, follow=Follow.APPROVED)
    (named,) = with_others([approved], replace(SUCCESS, told=told))
    assert "AP7" in english(named.reason)
    assert "RK1" not in english(named.reason)
    assert with_others([NEW], replace(SUCCESS, told=told)) == [NEW]


@pytest.mark.parametrize("number", ["RK10", "RK1-2", "AP-RK1"])
def test_what_an_approval_makes_besides_is_named_though_its_number_holds_ours(number: str) -> None:
    """Nobody else tells a person of it."""
    told = (f"单据编号为“{number}”的应付单，审核成功！",)
    approved = replace(NEW, follow=Follow.APPROVED)
    (named,) = with_others([approved], replace(SUCCESS, told=told))
    assert number in english(named.reason)


def test_a_row_has_come_as_far_as_the_last_of_its_documents() -> None:
    """One of two that was refused needs a person."""
    known = {
        "1": Document("1", follow=Follow.APPROVED),
        "2": Document("2", follow=Follow.REFUSED, reason="no"),
    }
    assert of_row([Target("1", "a"), Target("2", "b")], known) == (Follow.REFUSED, "no")
    assert of_row([], known) == (Follow.OPEN, "")


# -- a lost answer -------------------------------------------------------------------------------


def test_a_lost_answer_is_settled_by_the_status_and_a_repeat_waits_for_the_window() -> None:
    """The ERP may finish a call long after the connection broke (P 5.15)."""
    lost = in_doubt(NEW, LOST)
    assert lost.follow is Follow.UNKNOWN
    assert settle_step(call(), lost, standing("A"), over=False) is None
    settled = settle_step(call(), lost, standing("A"), over=True)
    assert settled is not None
    assert next_step(settled, standing("A"), BOTH, last=call()).step is Step.SUBMIT
    submitted = settle_step(call(), lost, standing("B"), over=False)
    assert submitted is not None
    assert submitted.follow is Follow.SUBMITTED


@pytest.mark.parametrize("made", [call(), call(Step.AUDIT, "B")])
def test_a_document_that_somebody_takes_back_behind_a_lost_answer_is_left_alone(
    made: StepIntent,
) -> None:
    """Its status says D, which is nobody's wish to have it approved again."""
    settled = settle_step(made, in_doubt(NEW, LOST), standing("D"), over=True)
    assert settled is not None
    assert settled.follow is Follow.REFUSED


@pytest.mark.parametrize("shown", [standing("D"), replace(standing("B"), cancelled=True)])
def test_what_a_person_does_with_a_document_tells_nothing_of_the_call_behind_it(
    shown: Standing,
) -> None:
    """The call may be in the ERP's queue yet, with pushes behind it (P 2.9)."""
    assert settle_step(call(), in_doubt(NEW, LOST), shown, over=False) is None


def test_what_stood_at_d_is_not_submitted_again_behind_a_lost_answer() -> None:
    """Nothing tells whether the call has worked and a person has taken it back."""
    made, lost = call(Step.SUBMIT, "D"), in_doubt(NEW, LOST)
    assert settle_step(made, lost, standing("D"), over=False) is None
    settled = settle_step(made, lost, standing("D"), over=True)
    assert settled is not None
    assert settled.follow is Follow.REFUSED


def test_a_document_that_a_look_does_not_show_stays_in_doubt_for_the_window() -> None:
    """A query may lag behind, and a deletion can wait."""
    lost = in_doubt(NEW, LOST)
    assert settle_step(call(), lost, None, over=False) is None
    settled = settle_step(call(), lost, None, over=True)
    assert settled is not None
    assert settled.follow is Follow.REFUSED
