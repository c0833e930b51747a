from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.evidence import (
    Conclusion,
    conclude,
    conclude_unread,
    messages_naming,
    new_targets,
)
from k3push.core.model import BillNumber, Outcome, State, Target, Targets
from k3push.core.verdict import Said
from tests.core.answers import numbers, target

A, B, C = numbers("A B C")
LOCK = '"张三"使用业务单据："采购订单"业务操作-"修改"冲突，请稍候再使用。'


def said(
    *messages: str, success: bool = False, code: str = "11", named: tuple[Target, ...] = ()
) -> Said:
    """Say what an answer said; a success has MsgCode 0."""
    return Said(success, "0" if success else code, messages, named)


def in_words(conclusion: Conclusion) -> str:
    """Write what became of each number."""
    return " ".join(f"{each.number}:{each.state}" for each in conclusion.outcomes)


# -- rule 5: the read-back tells ---------------------------------------------------------------


def test_what_the_read_back_found_was_pushed_with_all_its_targets() -> None:
    """One source can become several targets; they are kept in one order."""
    made: Targets = {A: (target(10), target(9)), B: (target(11),)}
    concluded = conclude(said(success=True), [B, A], made)
    assert concluded == Conclusion(
        (
            Outcome(B, State.PUSHED, (target(11),)),
            Outcome(A, State.PUSHED, (target(9), target(10))),
        )
    )


def test_a_number_with_a_draft_among_its_targets_is_a_draft() -> None:
    """A person must look at it, whatever the others are."""
    made: Targets = {A: (target(1), target(2, draft=True))}
    assert in_words(conclude(said(success=True), [A], made)) == "A:draft"


def test_the_read_back_outweighs_a_failure() -> None:
    """A draft can exist although saving failed (P 5.8, form A)."""
    made: Targets = {A: (target(115404, draft=True),)}
    answer = said("非赠品单价不能为0", named=(target(115404, draft=True),))
    assert conclude(answer, [A], made) == Conclusion((Outcome(A, State.DRAFT, made[A]),))


def test_targets_that_were_there_before_are_not_new() -> None:
    """A partial push adds to what an earlier one made."""
    found: Targets = {A: (target(1), target(2)), B: (target(3),), C: (target(4),)}
    assert new_targets(found, {A: ("1",), B: ["3"]}) == {A: (target(2),), C: (target(4),)}


@pytest.mark.parametrize("code", ["13", "14"])
def test_an_edit_lock_or_a_call_limit_is_tried_later(code: str) -> None:
    """Nothing ran, and what was found was made all the same (rule 5)."""
    concluded = conclude(said(LOCK, code=code), [A, B, C], {B: (target(1),)})
    assert in_words(concluded) == "A:planned B:pushed C:planned"
    assert (concluded.try_later, concluded.parts) == (True, ((A, C),))
    assert (concluded.outcomes[0].code, concluded.outcomes[0].reason) == (code, LOCK)


@pytest.mark.parametrize("code", ["13", "14"])
def test_a_number_that_was_put_off_too_often_is_rejected(code: str) -> None:
    """A lock that somebody forgot must not hold a run for ever."""
    concluded = conclude(said(LOCK, code=code), [A], {}, last_try=True)
    assert concluded == Conclusion((Outcome(A, State.REJECTED, (), code, LOCK),))


def test_a_chunk_that_was_put_off_too_often_is_split() -> None:
    """One locked bill must not hold its neighbours."""
    concluded = conclude(said(LOCK, code="13"), [A, B, C], {}, last_try=True)
    assert (concluded.try_later, concluded.parts) == (False, ((A, B), (C,)))


# -- rule 8: split on refusal ------------------------------------------------------------------


def test_a_single_number_is_rejected_with_the_words_of_the_erp() -> None:
    """There is nobody else whom the refusal could mean."""
    concluded = conclude(said("仓库是必填项", "数量大于上限"), [A], {})
    assert concluded == Conclusion(
        (Outcome(A, State.REJECTED, (), "11", "仓库是必填项 数量大于上限"),)
    )


def test_named_numbers_are_rejected_and_the_rest_goes_on_whole() -> None:
    """A refusal that names some numbers is lifted by leaving these out."""
    concluded = conclude(said("单据“B”未审核", "单据B已关闭", "仓库"), [A, B, C], {})
    assert in_words(concluded) == "A:planned B:rejected C:planned"
    assert concluded.parts == ((A, C),)
    assert concluded.outcomes[1].reason == "单据“B”未审核 单据B已关闭"


def test_a_refusal_that_names_nobody_halves_the_chunk() -> None:
    """One bad number among n costs about 2 log2(n) calls."""
    concluded = conclude(said("仓库是必填项"), numbers("A B C D E"), {})
    assert concluded.parts == (numbers("A B C"), numbers("D E"))
    assert {each.state for each in concluded.outcomes} == {State.PLANNED}


def test_what_a_partly_saved_chunk_did_not_make_goes_on_whole() -> None:
    """The refusal spared some, so it is not about the whole chunk."""
    concluded = conclude(said("仓库是必填项"), [A, B, C], {A: (target(1),)})
    assert (in_words(concluded), concluded.parts) == ("A:pushed B:planned C:planned", ((B, C),))


def test_a_found_number_that_a_message_names_is_not_rejected() -> None:
    """The message may be a warning; the document is there."""
    concluded = conclude(said("单据A：库存不足"), [A, B], {A: (target(1),)})
    assert in_words(concluded) == "A:pushed B:planned"


def test_a_found_number_does_not_pass_for_a_shorter_one_in_it() -> None:
    """A blank ends a word, but not the number of another bill."""
    short, long = BillNumber("CG 1"), BillNumber("CG 1 补")
    concluded = conclude(said("单据“CG 1 补”有警告"), [short, long], {long: (target(1),)})
    assert in_words(concluded) == "CG 1:planned CG 1 补:pushed"


def test_a_success_without_a_number_sends_it_alone_once_more() -> None:
    """The ERP drops numbers in silence when others resolve (P 4.6)."""
    concluded = conclude(said(success=True), [A, B, C], {B: (target(1),)})
    assert in_words(concluded) == "A:planned B:pushed C:planned"
    assert (concluded.alone, concluded.parts) == ((A, C), ())
    assert {each.code for each in concluded.outcomes} == {"dropped", ""}


def test_a_second_silence_is_a_rejection() -> None:
    """It will not be different the third time."""
    concluded = conclude(said(success=True), [A], {}, alone=True, links_proved=True)
    assert concluded == Conclusion((Outcome(A, State.REJECTED, (), "dropped", ""),))


def test_a_success_that_names_a_number_rejects_it() -> None:
    """Errors may stand in the conversion's status alone (P 5.3)."""
    concluded = conclude(said("单据B未审核", success=True), [A, B], {A: (target(1),)})
    assert (in_words(concluded), concluded.alone) == ("A:pushed B:rejected", ())


# -- rule 9: a contradiction stops the run -----------------------------------------------------


@pytest.mark.parametrize("links_proved", [False, True])
@pytest.mark.parametrize("success", [False, True])
def test_a_named_target_that_no_look_links_is_a_contradiction(
    success: bool,  # noqa: FBT001
    links_proved: bool,  # noqa: FBT001
) -> None:
    """The source-number field is wrong, and every look at it would say 'absent'."""
    answer = said(success=success, named=(target(8, "CGRK8"),))
    concluded = conclude(answer, [A, B], {A: (target(1),)}, links_proved=links_proved)
    assert in_words(concluded) == "A:pushed B:unknown"
    assert "CGRK8" in concluded.contradiction
    assert (concluded.parts, concluded.alone, concluded.try_later) == ((), (), False)
    assert concluded.outcomes[1].code == "contradiction"


def test_a_draft_without_a_number_is_named_by_its_id() -> None:
    """Somebody has to find it."""
    concluded = conclude(said(success=True, named=(target(8, draft=True),)), [A], {})
    assert "id 8" in concluded.contradiction


def test_a_success_that_made_nothing_is_a_contradiction_until_links_were_seen() -> None:
    """Old servers name no target; a wrong field looks the same as nothing made."""
    concluded = conclude(said(success=True), [A], {})
    assert (in_words(concluded), bool(concluded.contradiction)) == ("A:unknown", True)
    proved = conclude(said(success=True), [A], {}, links_proved=True)
    assert (in_words(proved), proved.contradiction, proved.alone) == ("A:planned", "", (A,))


def test_an_answer_that_names_the_sources_contradicts_nothing() -> None:
    """Nobody knows what the conversion's status names on success."""
    answer = said(success=True, named=(Target("77", "A"), target(1)))
    assert in_words(conclude(answer, [A], {A: (target(1),)})) == "A:pushed"


# -- routes whose targets cannot be asked for --------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        (said(success=True, named=(target(1),)), State.PUSHED, ""),
        (said(success=True, named=(target(1, draft=True),)), State.DRAFT, ""),
        (said("价格", named=(target(1, draft=True),)), State.DRAFT, ""),
        (said(success=True), State.UNKNOWN, "unnamed"),
        (said(success=True, named=(Target("7", "A"),)), State.UNKNOWN, "unnamed"),
        (said("warning", success=True), State.UNKNOWN, "0"),
        (said("deadlock", code="response_error"), State.UNKNOWN, "response_error"),
        (said("仓库是必填项"), State.REJECTED, "11"),
    ],
)
def test_without_a_look_the_answer_speaks_for_its_one_number(
    answer: Said, state: State, code: str
) -> None:
    """It travelled alone, and nothing that is not said is taken for granted."""
    (outcome,) = conclude_unread(answer, A).outcomes
    assert (outcome.state, outcome.code) == (state, code)


def test_without_a_look_a_lock_is_tried_later_until_the_last_try() -> None:
    """Nothing ran (rule 5)."""
    concluded = conclude_unread(said(LOCK, code="13"), A)
    assert (in_words(concluded), concluded.parts, concluded.try_later) == (
        "A:planned",
        ((A,),),
        True,
    )
    assert in_words(conclude_unread(said(LOCK, code="13"), A, last_try=True)) == "A:rejected"


# -- whole tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("CGDD01", "CGDD01"),
        ("单据CGDD01未审核", "CGDD01"),
        ('编码值["CGDD01"]不存在', "CGDD01"),
        ("“CGDD01”", "CGDD01"),
        ("CGDD01.", "CGDD01"),
        ("CGDD01-", "CGDD01"),
        ("(CGDD01)", "CGDD01"),
        ("CGDD01,CGDD02", "CGDD01"),
        ("CGDD01：第1行", "CGDD01"),
        ("O'Brien's is closed", "O'Brien's"),
        ("bill 100%_ok refused", "100%_ok"),
        ("bill CG 01 refused", "CG 01"),
        ("单据“采购2024”未审核", "采购2024"),
        ("单据“采购单”未审核", "采购单"),
        ("CG.*1 is closed", "CG.*1"),
        ("CGDD012 and CGDD01", "CGDD01"),
        ("[CG\\01]", "CG\\01"),
    ],
)
def test_a_number_is_seen_as_a_whole_token(message: str, number: str) -> None:
    """Whatever characters it holds, and whatever stands around it."""
    assert messages_naming([message], [BillNumber(number)]) == {number: [message]}


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("CGDD012", "CGDD01"),
        ("XCGDD01", "CGDD01"),
        ("CGDD01_A", "CGDD01"),
        ("CGDD01-2", "CGDD01"),
        ("2024/CGDD01", "CGDD01"),
        ("CGDD01.5", "CGDD01"),
        ("cgdd01", "CGDD01"),
        ("第1行分录", "11"),
        ("采购单据", "采购单"),
        ("CG0*1", "CG.*1"),
    ],
)
def test_a_part_of_a_longer_word_is_another_bill(message: str, number: str) -> None:
    """Rejecting a bill with another's reason would send a person the wrong way."""
    assert messages_naming([message], [BillNumber(number)]) == {}


def test_a_number_inside_another_is_not_seen_in_the_others_place() -> None:
    """The longest is taken first."""
    short, long = BillNumber("CG 1"), BillNumber("CG 1 补")
    assert messages_naming(["单据“CG 1 补”"], [short, long]) == {long: ["单据“CG 1 补”"]}


# -- properties --------------------------------------------------------------------------------

NUMBERS = st.lists(
    st.sampled_from(["A", "A1", "A-1", "A 1", "O'B", "100%", "采购1", "采购", "B", "CGDD01"]).map(
        BillNumber
    ),
    min_size=1,
    max_size=8,
    unique=True,
)


@st.composite
def concluded_attempts(draw: st.DrawFn) -> tuple[list[BillNumber], Targets, Conclusion]:
    """Conclude an attempt of some numbers, of which some were made and some are named."""
    sent = draw(NUMBERS)
    made = {
        number: (target(i + 1, draft=draw(st.booleans())),)
        for i, number in enumerate(sent)
        if draw(st.booleans())
    }
    words = st.sampled_from(["仓库是必填项", *(f"单据“{number}”未审核" for number in sent)])
    named = [each for targets in made.values() for each in targets if draw(st.booleans())]
    if draw(st.integers(0, 9)) == 0:
        named.append(target(99))
    answer = Said(
        draw(st.booleans()),
        draw(st.sampled_from(["", "0", "4", "11", "13", "14", "response_error"])),
        tuple(draw(st.lists(words, max_size=3))),
        tuple(named),
    )
    if len(sent) == 1 and draw(st.booleans()) and not made:
        return sent, made, conclude_unread(answer, sent[0], last_try=draw(st.booleans()))
    return (
        sent,
        made,
        conclude(
            answer,
            sent,
            made,
            alone=len(sent) == 1 and draw(st.booleans()),
            last_try=draw(st.booleans()),
            links_proved=draw(st.booleans()),
        ),
    )


@given(concluded_attempts())
def test_every_number_has_one_outcome_in_the_order_of_the_attempt(
    attempt: tuple[list[BillNumber], Targets, Conclusion],
) -> None:
    """None is forgotten, and none is counted twice."""
    sent, _, concluded = attempt
    assert [each.number for each in concluded.outcomes] == sent


@given(concluded_attempts())
def test_what_goes_on_is_what_is_planned_each_once(
    attempt: tuple[list[BillNumber], Targets, Conclusion],
) -> None:
    """A planned number that goes nowhere would wait for ever; one in two parts is sent twice."""
    _, _, concluded = attempt
    going = Counter(concluded.alone)
    going.update(number for part in concluded.parts for number in part)
    planned = [each.number for each in concluded.outcomes if each.state is State.PLANNED]
    assert going == Counter(planned)
    assert all(concluded.parts)


@given(concluded_attempts())
def test_a_found_number_is_done(
    attempt: tuple[list[BillNumber], Targets, Conclusion],
) -> None:
    """Whatever the answer said, its documents are there."""
    _, made, concluded = attempt
    for outcome in concluded.outcomes:
        if outcome.number in made:
            assert outcome.state in {State.PUSHED, State.DRAFT}
            assert outcome.targets == made[outcome.number]


@given(concluded_attempts())
def test_a_refused_chunk_shrinks(
    attempt: tuple[list[BillNumber], Targets, Conclusion],
) -> None:
    """Or it would be refused for ever; a pause alone sends the same chunk again."""
    sent, _, concluded = attempt
    if not concluded.try_later:
        assert all(len(part) < len(sent) for part in concluded.parts)
