from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k3push.core.model import BillNumber, Outcome, State, Target, Targets
from k3push.core.safety.conclusion import Conclusion
from k3push.core.safety.documents_beside import but_strangers, strangers
from k3push.core.safety.evidence import (
    Look,
    conclude,
    conclude_unread,
    needs_patience,
    nothing_ran,
)
from k3push.core.safety.target_sets import new_targets
from k3push.core.safety.verdict import Said
from tests.core.protocol.answers import numbers, target

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
    concluded = conclude(said(success=True), [B, A], Look(made, proved=True))
    assert concluded == Conclusion(
        (
            Outcome(B, State.PUSHED, (target(11),)),
            Outcome(A, State.PUSHED, (target(9), target(10))),
        )
    )


def test_a_number_with_a_draft_among_its_targets_is_a_draft() -> None:
    """A person must look at it, whatever the others are."""
    made: Targets = {A: (target(1), target(2, draft=True))}
    assert in_words(conclude(said(success=True), [A], Look(made, proved=True))) == "A:draft"


def test_the_read_back_outweighs_a_failure() -> None:
    """A draft can exist although saving failed (P 5.8, form A)."""
    made: Targets = {A: (target(115404, draft=True),)}
    answer = said("非赠品单价不能为0", named=(target(115404, draft=True),))
    assert conclude(answer, [A], Look(made, proved=True)) == Conclusion(
        (Outcome(A, State.DRAFT, made[A], "11", "非赠品单价不能为0"),), hides=True
    )


TOGETHER = f"单据“{A}”与单据“{B}”的供应商不同，不能同时下推！"


@pytest.mark.parametrize("success", [True, False])
def test_what_is_named_together_is_rejected_by_no_message(*, success: bool) -> None:
    """Each of the two is sound without the other, a success beside it or not."""
    look = Look({C: (target(1),)}, proved=True, linked=True)
    concluded = conclude(said(TOGETHER, success=success), [A, B, C], look)
    assert in_words(concluded) == "A:planned B:planned C:pushed"
    apart = concluded.alone if success else tuple(n for part in concluded.parts for n in part)
    assert apart == (A, B)


@pytest.mark.parametrize("success", [True, False])
def test_what_is_said_of_several_is_said_of_those_that_are_missing(*, success: bool) -> None:
    """The one that was made is whole, and no person need look for the rest of it."""
    look = Look({A: (target(1),), C: (target(2),)}, proved=True, linked=True)
    concluded = conclude(said(TOGETHER, success=success), [A, B, C], look, splits=False)
    assert in_words(concluded) == "A:pushed B:planned C:pushed"
    assert {each.code for each in concluded.outcomes if each.number != B} == {""}


def test_words_beside_a_success_that_name_a_bill_with_documents_are_told() -> None:
    """A row of it was left out."""
    why = f"单据“{A}”第2行分录不满足转换条件"
    look = Look({A: (target(1),), B: (target(2),)}, proved=True, linked=True)
    concluded = conclude(said(why, success=True), [A, B], look)
    assert [(each.code, each.reason) for each in concluded.outcomes] == [("partly", why), ("", "")]


@pytest.mark.parametrize("code", ["4", "6", "response_error"])
def test_an_exception_beside_whole_bills_refuses_no_part_of_them(code: str) -> None:
    """It may have come after the saving, and its words are about no bill."""
    look = Look({A: (target(1),)}, proved=True, linked=True)
    concluded = conclude(said("未将对象引用设置到对象的实例。", code=code), [A], look)
    assert [(each.state, each.code) for each in concluded.outcomes] == [(State.PUSHED, "")]


def test_targets_that_were_there_before_are_not_new() -> None:
    """A partial push adds to what an earlier one made."""
    found: Targets = {A: (target(1), target(2)), B: (target(3),), C: (target(4),)}
    assert new_targets(found, {A: ("1",), B: ["3"]}) == {A: (target(2),), C: (target(4),)}


@pytest.mark.parametrize("code", ["13", "14"])
def test_an_edit_lock_or_a_call_limit_is_tried_later(code: str) -> None:
    """Nothing ran, and what was found was made all the same (rule 5)."""
    concluded = conclude(said(LOCK, code=code), [A, B, C], Look(MADE_B, proved=True, linked=True))
    assert in_words(concluded) == "A:planned B:pushed C:planned"
    assert (concluded.try_later, concluded.parts) == (True, ((A, C),))
    assert (concluded.outcomes[0].code, concluded.outcomes[0].reason) == (code, LOCK)


def test_a_number_that_was_put_off_too_often_is_rejected() -> None:
    """A lock that somebody forgot must not hold a run for ever."""
    concluded = conclude(said(LOCK, code="13"), [A], Look({}, proved=True), last_try=True)
    assert concluded == Conclusion((Outcome(A, State.REJECTED, (), "13", LOCK),))


@pytest.mark.parametrize("code", ["13", "14", "7"])
def test_a_success_asks_for_no_other_try_whatever_its_code(code: str) -> None:
    """It has made something, which its sender may not be shown."""
    answer = Said(success=True, code=code, messages=(), named=())
    look = Look({}, proved=True, trusted=False)
    assert in_words(conclude(answer, [A], look)) == "A:unknown"
    assert not nothing_ran(answer, [A])


@pytest.mark.parametrize("code", ["14", "7"])
def test_no_answer_rejects_a_number_for_a_limit(code: str) -> None:
    """It may be about no bill; only other calls show whether it is."""
    answer = said(LOCK, code=code)
    looked = conclude(answer, [A], Look({}, proved=True), last_try=True)
    alone = conclude_unread(answer, A, last_try=True)
    assert in_words(looked) == "A:planned"
    assert in_words(alone) == ("A:planned" if code == "14" else "A:unknown")


@pytest.mark.parametrize(("code", "limited"), [("13", False), ("14", True), ("7", True)])
def test_a_limit_is_told_apart_from_a_lock(code: str, *, limited: bool) -> None:
    """It is about no number, so that all wait, and it uses up no try where nothing gets through."""
    concluded = conclude(said(LOCK, code=code), [A], Look({}, proved=True))
    alone = conclude_unread(said(LOCK, code=code), A)
    assert (concluded.try_later, concluded.limited, alone.limited) == (True, limited, limited)


@pytest.mark.parametrize("look", [Look({}), Look({}, proved=True, covered=False), None])
def test_a_licence_that_is_missing_halfway_leaves_in_doubt_what_no_look_can_show(
    look: Look | None,
) -> None:
    """Another module may want one after the document was saved."""
    answer = said("许可不足", code="7")
    concluded = conclude(answer, [A], look) if look else conclude_unread(answer, A)
    assert (in_words(concluded), concluded.parts, concluded.limited) == ("A:unknown", (), True)


def test_a_chunk_that_was_put_off_too_often_is_split() -> None:
    """One locked bill must not hold its neighbours."""
    concluded = conclude(said(LOCK, code="13"), [A, B, C], Look({}, proved=True), last_try=True)
    assert (concluded.try_later, concluded.parts) == (False, ((A,), (B,), (C,)))


def test_what_a_user_may_not_push_goes_on_through_another() -> None:
    """The refusal is about the user, so that not even a lone number is rejected for it."""
    words = said("没有下推权限", code="2")
    for chunk, look in (([A], UNPROVED), ([A], PROVED), ([A, B], PROVED)):
        concluded = conclude(words, chunk, look, elsewhere=True)
        assert in_words(concluded) == " ".join(f"{number}:planned" for number in chunk)
        assert (concluded.parts, concluded.try_later) == ((tuple(chunk),), False)
    assert in_words(conclude(words, [A], Look({}, proved=True))) == "A:rejected"


def test_what_is_no_lack_of_a_right_is_not_sent_through_another() -> None:
    """What the ERP has against a bill it tells every user."""
    assert in_words(conclude(said("未审核"), [A], Look({}), elsewhere=True)) == "A:rejected"


# -- rule 8: split on refusal ------------------------------------------------------------------


def test_a_single_number_is_rejected_with_the_words_of_the_erp() -> None:
    """There is nobody else whom the refusal could mean."""
    concluded = conclude(said("仓库是必填项", "数量大于上限"), [A], Look({}, proved=True))
    assert concluded == Conclusion(
        (Outcome(A, State.REJECTED, (), "11", "仓库是必填项 数量大于上限"),), hides=True
    )


def test_named_numbers_are_rejected_and_the_rest_goes_on_whole() -> None:
    """A refusal that names some numbers is lifted by leaving these out."""
    concluded = conclude(
        said("单据“B”未审核", "单据B已关闭", "[B]", "仓库"), [A, B, C], Look({}, proved=True)
    )
    assert in_words(concluded) == "A:planned B:rejected C:planned"
    assert concluded.parts == ((A, C),)
    assert concluded.outcomes[1].reason == "单据“B”未审核 [B]"


def test_a_refusal_that_names_nobody_quarters_the_chunk() -> None:
    """One bad number among n costs about 4 log4(n) calls."""
    concluded = conclude(said("仓库是必填项"), numbers("A B C D E"), Look({}, proved=True))
    assert concluded.parts == (numbers("A B"), numbers("C"), numbers("D"), numbers("E"))
    assert {each.state for each in concluded.outcomes} == {State.PLANNED}


def test_what_a_partly_saved_chunk_did_not_make_goes_on_whole() -> None:
    """The refusal spared some, so it is not about the whole chunk."""
    look = Look({A: (target(1),)}, proved=True, linked=True)
    concluded = conclude(said("仓库是必填项"), [A, B, C], look)
    assert (in_words(concluded), concluded.parts) == ("A:pushed B:planned C:planned", ((B, C),))


def test_a_found_number_that_a_message_names_is_not_rejected() -> None:
    """The message may be a warning; the document is there."""
    look = Look({A: (target(1),)}, proved=True, linked=True)
    concluded = conclude(said("单据“A”：库存不足"), [A, B], look)
    assert in_words(concluded) == "A:pushed B:planned"


def test_a_found_number_does_not_pass_for_a_shorter_one_in_it() -> None:
    """A blank ends a word, but not the number of another bill."""
    short, long = BillNumber("CG 1"), BillNumber("CG 1 补")
    look = Look({long: (target(1),)}, proved=True, linked=True)
    concluded = conclude(said("单据“CG 1 补”有警告"), [short, long], look)
    assert in_words(concluded) == "CG 1:planned CG 1 补:pushed"


def test_a_success_without_a_number_sends_it_alone_once_more() -> None:
    """The ERP drops numbers in silence when others resolve (P 4.6)."""
    concluded = conclude(
        said(success=True), [A, B, C], Look({B: (target(1),)}, proved=True, linked=True)
    )
    assert in_words(concluded) == "A:planned B:pushed C:planned"
    assert (concluded.alone, concluded.parts) == ((A, C), ())
    assert {each.code for each in concluded.outcomes} == {"dropped", ""}


def test_a_second_silence_is_a_rejection() -> None:
    """It will not be different the third time."""
    concluded = conclude(said(success=True), [A], Look({}, proved=True), alone=True)
    assert concluded == Conclusion((Outcome(A, State.REJECTED, (), "dropped", ""),))


def test_a_success_that_names_a_number_rejects_it() -> None:
    """Errors may stand in the conversion's status alone (P 5.3)."""
    concluded = conclude(
        said("单据“B”未审核", success=True), [A, B], Look({A: (target(1),)}, proved=True)
    )
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
    concluded = conclude(answer, [A, B], Look({A: (target(1),)}, proved=links_proved))
    assert in_words(concluded) == "A:unknown B:unknown"  # it may be a second one of either
    assert "CGRK8" in concluded.contradiction
    assert (concluded.parts, concluded.alone, concluded.try_later) == ((), (), False)
    assert {outcome.code for outcome in concluded.outcomes} == {"contradiction"}


def test_a_draft_without_a_number_is_named_by_its_id() -> None:
    """Somebody has to find it."""
    concluded = conclude(
        said(success=True, named=(target(8, draft=True),)), [A], Look({}, proved=True)
    )
    assert "id 8" in concluded.contradiction


def test_a_success_that_made_nothing_is_a_contradiction_until_links_were_seen() -> None:
    """Old servers name no target; a wrong field looks the same as nothing made.

    Where the field was proved, the documents may still come to be shown.
    """
    concluded = conclude(said(success=True), [A], Look({}))
    assert (in_words(concluded), bool(concluded.contradiction)) == ("A:unknown", True)
    proved = conclude(said(success=True), [A], Look({}, proved=True))
    assert (in_words(proved), proved.contradiction, proved.alone) == ("A:unknown", "", ())
    assert proved.outcomes[0].code == "unnamed"


def test_an_answer_that_names_the_sources_contradicts_nothing() -> None:
    """Nobody knows what the conversion's status names on success."""
    answer = said(success=True, named=(Target("77", "A"), target(1)))
    assert in_words(conclude(answer, [A], Look({A: (target(1),)}, proved=True))) == "A:pushed"


# -- how far silence counts ------------------------------------------------------------------

REFUSED = said("仓库是必填项")
NAMED = said("单据“A”未审核")
EXCEPTION = said("no rule", code="response_error")
LOCKED = said(LOCK, code="13")
LIMITED = said("调用过于频繁", code="14")
SUCCESS = said(success=True)
MADE_B: Targets = {B: (target(1),)}
NAMES_B = said(success=True, named=(target(1),))
NAMES_ANOTHER = said(success=True, named=(target(9),))
PROVED = Look({}, proved=True)
UNPROVED = Look({})
UNCOVERED = Look({}, proved=True, covered=False)
UNCOVERED_B = Look(MADE_B, proved=True, covered=False)


@pytest.mark.parametrize(
    ("look", "counts"),
    [
        (PROVED, True),
        (UNPROVED, False),
        (UNCOVERED, False),
        (Look({}, proved=False, covered=False), False),
    ],
)
def test_absence_counts_where_field_and_user_were_proved_to_show_what_is_there(
    look: Look, *, counts: bool
) -> None:
    """Neither a wrong field nor a narrow right raises an error (rule 7)."""
    assert look.absence_counts is counts


@pytest.mark.parametrize(
    ("answer", "sent", "look", "became", "code"),
    [
        # names a document that no look links
        (NAMES_ANOTHER, [A], PROVED, "A:unknown!", "contradiction"),
        (NAMES_ANOTHER, [A], UNPROVED, "A:unknown!", "contradiction"),
        (NAMES_ANOTHER, [A], UNCOVERED, "A:unknown", "unseen"),
        (said("x", named=(target(9),)), [A], PROVED, "A:unknown!", "contradiction"),
        # success, and the field was never proved
        (SUCCESS, [A], UNPROVED, "A:unknown!", "contradiction"),
        (SUCCESS, [A], Look({}, covered=False), "A:unknown", "unseen"),
        (NAMES_B, [A, B], Look(MADE_B, linked=True), "A:planned B:pushed", "dropped"),
        # several were refused, and no look would show what was saved
        (LOCKED, [A, B], UNPROVED, "A:unknown B:unknown", "unproved"),
        (REFUSED, [A, B], UNPROVED, "A:unknown B:unknown", "unproved"),
        (NAMED, [A, B], UNCOVERED, "A:unknown B:unknown", "unproved"),
        (
            REFUSED,
            [A, B],
            Look(MADE_B, covered=False, linked=True),
            "A:unknown B:pushed",
            "unproved",
        ),
        (REFUSED, [A, B], Look(MADE_B, covered=False), "A:unknown B:pushed", "unproved"),
        # asks to try later
        (LOCKED, [A, B], PROVED, "A:planned B:planned later", "13"),
        (LOCKED, [A], UNPROVED, "A:planned later", "13"),
        (LIMITED, [A], UNCOVERED, "A:planned later", "14"),
        # anything, and absence does not count
        (EXCEPTION, [A], UNPROVED, "A:unknown", "unproved"),
        (EXCEPTION, [A, B], UNCOVERED, "A:unknown B:unknown", "unproved"),
        (
            NAMES_B,
            [A, B],
            Look(MADE_B, proved=True, covered=False, linked=True),
            "A:planned B:pushed",
            "dropped",
        ),
        (REFUSED, [A], UNPROVED, "A:rejected", "11"),
        (REFUSED, [A, B], Look({}, proved=True, trusted=False), "A:planned B:planned", "11"),
        # refused, and a message names it
        (NAMED, [A, B], PROVED, "A:rejected B:planned", "11"),
        # success, and nothing accounts for it
        (SUCCESS, [A], PROVED, "A:unknown", "unnamed"),
        (SUCCESS, [A, B], PROVED, "A:unknown B:unknown", "unnamed"),
        # success, and no link was asked
        (NAMES_B, [A, B], Look(MADE_B, proved=True), "A:unknown B:pushed", "unnamed"),
        (NAMES_B, [A, B], Look(MADE_B), "A:unknown B:pushed", "unnamed"),
        # success
        (NAMES_B, [A, B], Look(MADE_B, proved=True, linked=True), "A:planned B:pushed", "dropped"),
        # anything, others have documents, and no link was asked
        (REFUSED, [A, B], Look(MADE_B, proved=True), "A:unknown B:pushed", "11"),
        (LOCKED, [A, B], Look(MADE_B, proved=True), "A:unknown B:pushed", "13"),
        (LIMITED, [A, B], Look(MADE_B, proved=True), "A:unknown B:pushed", "14"),
        (EXCEPTION, [A, B], Look(MADE_B, proved=True), "A:unknown B:pushed", "response_error"),
        (NAMED, [A, B], Look(MADE_B, proved=True), "A:rejected B:pushed", "11"),
        # an exception, and it travelled alone
        (EXCEPTION, [A], PROVED, "A:planned later", "response_error"),
        (said("单据“A”未审核", code="response_error"), [A], PROVED, "A:rejected", "response_error"),
        # refused
        (EXCEPTION, [A, B], PROVED, "A:planned B:planned", "response_error"),
        (REFUSED, [A], PROVED, "A:rejected", "11"),
        (REFUSED, [A, B], PROVED, "A:planned B:planned", "11"),
    ],
)
def test_what_becomes_of_a_number_that_no_look_shows(
    answer: Said, sent: list[BillNumber], look: Look, became: str, code: str
) -> None:
    """Only what is proved to be absent travels again or is rejected (rules 5 to 9)."""
    concluded = conclude(answer, sent, look)
    ended = "!" if concluded.contradiction else " later" if concluded.try_later else ""
    assert in_words(concluded) + ended == became
    assert concluded.outcomes[0].code == code


@pytest.mark.parametrize("answer", [LOCKED, EXCEPTION])
def test_a_lone_number_that_was_tried_often_enough_is_rejected(answer: Said) -> None:
    """No list may run for ever, and these calls have made nothing."""
    concluded = conclude(answer, [A], PROVED, last_try=True)
    assert in_words(concluded) == "A:rejected"
    assert concluded.parts == ()


@pytest.mark.parametrize(
    ("converted", "code", "state"),
    [
        (False, "11", State.UNKNOWN),
        (True, "11", State.REJECTED),
        (False, "13", State.REJECTED),
    ],
)
def test_a_refusal_may_keep_a_draft_to_itself_where_drafts_were_asked_for(
    state: State, code: str, *, converted: bool
) -> None:
    """Old servers tell of drafts nowhere (P 5.3, 5.8), and then no look would show it."""
    answer = Said(success=False, code=code, messages=("价格",), named=(), converted=converted)
    concluded = conclude(answer, [A], UNPROVED, drafts=True, last_try=True)
    assert [each.state for each in concluded.outcomes] == [state]
    assert in_words(conclude(answer, [A], PROVED, drafts=True, last_try=True)) == "A:rejected"


@pytest.mark.parametrize(
    ("answer", "made", "patience"),
    [
        (REFUSED, {}, False),
        (EXCEPTION, {}, False),
        (SUCCESS, {}, True),
        (NAMES_B, {}, True),
        (NAMES_B, MADE_B, False),
        (NAMES_ANOTHER, MADE_B, True),
        (SUCCESS, MADE_B, False),
        (SUCCESS, {A: (target(2),), **MADE_B}, False),
        (said("价格", named=(target(1, draft=True),)), {}, True),
    ],
)
def test_a_success_is_waited_for_until_its_documents_are_shown(
    answer: Said, made: Targets, *, patience: bool
) -> None:
    """Queries may lag behind; documents of one call come into being together."""
    assert needs_patience(answer, [A, B], made) is patience


@pytest.mark.parametrize(
    ("answer", "made", "patience"),
    [
        (REFUSED, {}, True),
        (REFUSED, MADE_B, True),
        (REFUSED, {A: (target(2),), **MADE_B}, False),
        (replace(REFUSED, converted=True), {}, False),
        (replace(REFUSED, code="14"), {}, False),
        (EXCEPTION, {}, False),
    ],
)
def test_a_refusal_that_may_hide_a_draft_is_waited_for(
    answer: Said, made: Targets, *, patience: bool
) -> None:
    """Old servers tell of drafts nowhere, and a copy of the database shows them late."""
    assert needs_patience(answer, [A, B], made, drafts=True) is patience


# -- somebody else's documents ---------------------------------------------------------------


def test_a_document_beside_those_that_a_success_names_is_somebody_elses() -> None:
    """The answer names all that it made."""
    made: Targets = {A: (target(1), target(2)), B: (target(3),)}
    answer = said(success=True, named=(target(1), target(3)))
    assert strangers(answer, [A, B], made) == {A: (target(2),)}
    assert but_strangers(answer, [A, B], made) == made


@pytest.mark.parametrize(
    "answer",
    [
        Said(success=True, code="", messages=(), named=(target(1),), partial=True),
        said(success=True),
        said("x", named=(target(1),)),
    ],
    ids=["an old server names one of several", "names nothing", "a refusal"],
)
def test_an_answer_that_may_not_name_all_proves_no_stranger(answer: Said) -> None:
    """A split makes several, and an old server names one beside its status (P 4.1)."""
    made: Targets = {A: (target(1), target(2)), B: (target(3),)}
    assert strangers(answer, [A, B], made) == {}
    assert but_strangers(answer, [A, B], made) == made


def test_a_second_document_beside_one_each_that_a_refusal_names_is_somebody_elses() -> None:
    """The call has made one document of each bill; what is a draft it may not name (P 5.8)."""
    answer = said("x", named=(target(1), target(2)))
    made: Targets = {A: (target(1), target(3)), B: (target(2),), C: (target(4), target(5))}
    assert strangers(answer, [A, B, C], made) == {A: (target(3),)}
    assert but_strangers(answer, [A, B, C], made) == made
    draft: Targets = {A: (target(1), target(3)._replace(draft=True)), B: (target(2),)}
    assert strangers(answer, [A, B], draft) == {}


@pytest.mark.parametrize(
    "made",
    [
        {A: (target(1), target(2)), B: (target(3), target(4)), C: (target(5),)},
        {A: (target(1), target(2), target(3)), B: (target(4),)},
        {A: (target(1), target(4)), B: (target(1),)},
    ],
    ids=["two of one bill", "documents of one bill", "a document of several bills"],
)
def test_a_refusal_that_names_not_one_of_each_bill_proves_no_stranger(made: Targets) -> None:
    """The rule may split bills, and a part may be saved that no answer names (P 5.7)."""
    answer = said("x", named=(target(1), target(2), target(3)))
    assert strangers(answer, [A, B, C], made) == {}


def test_a_number_of_which_nothing_is_named_has_none_of_our_documents() -> None:
    """Somebody else has pushed it meanwhile; but a draft may be told of nowhere (P 5.8)."""
    answer = said(success=True, named=(target(1),))
    made: Targets = {A: (target(1),), B: (target(2), target(3))}
    assert but_strangers(answer, [A, B], made) == {A: (target(1),)}
    made = {A: (target(1),), B: (target(2)._replace(draft=True),)}
    assert but_strangers(answer, [A, B], made) == made


def test_what_the_saving_names_is_a_target_whatever_its_number() -> None:
    """A rule may give the target its source's number; the conversion may name the sources."""
    both = (Target("1", "A"), Target("2", "B"))
    answer = Said(success=True, code="0", messages=(), named=both, saved=frozenset({"1"}))
    assert answer.targets([A, B]) == both[:1]


# -- routes whose targets cannot be asked for --------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        (said(success=True, named=(target(1),)), State.PUSHED, ""),
        (said(success=True, named=(target(1, draft=True),)), State.DRAFT, ""),
        (said("价格", named=(target(1, draft=True),)), State.DRAFT, "11"),
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


def test_without_a_look_too_another_user_is_tried() -> None:
    """A lone number is all that such a route ever sends."""
    concluded = conclude_unread(said("没有下推权限", code="2"), A, elsewhere=True)
    assert (in_words(concluded), concluded.parts) == ("A:planned", ((A,),))
    assert in_words(conclude_unread(said("没有下推权限", code="2"), A)) == "A:rejected"


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
            Look(made, proved=draw(st.booleans()), covered=draw(st.booleans())),
            alone=len(sent) == 1 and draw(st.booleans()),
            last_try=draw(st.booleans()),
            drafts=draw(st.booleans()),
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
    """Whatever the answer said, its documents are there, if perhaps not all of them yet."""
    _, made, concluded = attempt
    for outcome in concluded.outcomes:
        if outcome.number in made and outcome.code != "contradiction":
            assert outcome.state in {State.PUSHED, State.DRAFT}
            assert outcome.targets == made[outcome.number]


@given(
    NUMBERS,
    st.booleans(),
    st.sampled_from(["", "0", "4", "11", "response_error"]),
    st.booleans(),
    st.booleans(),
)
def test_where_absence_does_not_count_only_a_refusal_of_one_lets_it_go(
    sent: list[BillNumber],
    success: bool,  # noqa: FBT001
    code: str,
    covered: bool,  # noqa: FBT001
    alone: bool,  # noqa: FBT001
) -> None:
    """A number that travels again or is rejected, and has a document, is the promise broken."""
    answer = said(success=success, code=code)
    concluded = conclude(
        answer, sent, Look({}, covered=covered), alone=alone and len(sent) == 1, last_try=True
    )
    states = {each.state for each in concluded.outcomes}
    may_be_saved = len(sent) > 1 and code != "14"
    if success or code in {"response_error", "4", "6"} or may_be_saved:
        assert states == {State.UNKNOWN}
    else:
        assert states <= {State.PLANNED, State.REJECTED}


@given(concluded_attempts())
def test_a_refused_chunk_shrinks(
    attempt: tuple[list[BillNumber], Targets, Conclusion],
) -> None:
    """Or it would be refused for ever; a pause alone sends the same chunk again."""
    sent, _, concluded = attempt
    if not concluded.try_later:
        assert all(len(part) < len(sent) for part in concluded.parts)


# -- what says nothing of the others ---------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        Said(success=True, code="0", messages=(), named=(target(1),), partial=True),
        said(success=True),
    ],
    ids=["names one of several", "names nothing"],
)
def test_a_success_that_may_not_name_all_sends_nothing_again_by_its_word(answer: Said) -> None:
    """Where absence does not count, only an answer that names all tells of the others."""
    look = Look({A: (target(1),)}, proved=True, linked=True, trusted=False)
    concluded = conclude(answer, [A, B], look)
    assert (in_words(concluded), concluded.alone) == ("A:pushed B:unknown", ())


def test_a_loose_document_that_a_success_names_may_be_the_silent_bill_s() -> None:
    """It bears the number of a neighbour; so the bill without one is not sent again."""
    answer = said(success=True, named=(target(1), target(2)))
    look = Look({A: (target(1),)}, proved=True, linked=True, loose=frozenset({"2"}))
    concluded = conclude(answer, [A, B], look)
    assert (in_words(concluded), concluded.alone) == ("A:pushed B:unknown", ())


def test_beside_a_stray_document_a_success_rejects_nothing_by_name() -> None:
    """Words beside a success may be a warning of a bill that was pushed."""
    look = Look({}, proved=True, stray="a document came", loose=frozenset({"1"}))
    answer = said(f"单据“{A}”的数量已调整", success=True, named=(target(1),))
    assert in_words(conclude(answer, [A, B], look)) == "A:unknown B:unknown"


def test_a_refusal_that_leaves_some_entries_unread_proves_no_stranger() -> None:
    """One that could not be read may be the second document."""
    answer = replace(said("x", named=(target(1), target(2))), partial=True)
    made: Targets = {A: (target(1), target(3)), B: (target(2),)}
    assert strangers(answer, [A, B], made) == {}


def test_a_call_at_a_limit_hides_nothing() -> None:
    """The limit was met before the call: what it has kept waits for no look."""
    assert not conclude(said("x", code="14"), [A, B], Look({}, proved=True)).hides


def test_a_success_names_together_what_is_sent_alone_once() -> None:
    """The message accounts for both, though no look shows a document of the call."""
    concluded = conclude(said(TOGETHER, success=True), [A, B], Look({}, proved=True))
    assert (in_words(concluded), concluded.alone) == ("A:planned B:planned", (A, B))


@pytest.mark.parametrize(
    ("code", "elsewhere", "told"),
    [
        ("11", True, "A:rejected B:unknown"),
        ("2", False, "A:rejected B:unknown"),
        ("2", True, "A:unknown B:unknown"),
        ("7", False, "A:unknown B:unknown"),
        ("14", False, "A:unknown B:unknown"),
    ],
)
def test_beside_a_stray_document_words_about_a_user_or_a_limit_reject_no_bill(
    code: str, told: str, *, elsewhere: bool
) -> None:
    """They name the bill at which the call came to its end, and others push it later."""
    look = Look({}, proved=True, stray="a document came")
    refusal = said("单据“A”下推失败", code=code)
    assert in_words(conclude(refusal, [A, B], look, elsewhere=elsewhere)) == told
