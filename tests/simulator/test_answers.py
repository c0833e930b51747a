from __future__ import annotations

from k3push.simulator import AnswerStyle, DraftForm, FailedQuery, OnRefusal, PushOrder, Refusal
from k3push.simulator.answers import failure, push_answer, session_lost
from tests.simulator.clients import site_of

GOOD, UNPRICED, REFUSED = "CGDD0000001", "CGDD0000002", "CGDD0000003"


def answer_to(
    *numbers: str, style: AnswerStyle, on_refusal: OnRefusal = OnRefusal.PARTIAL
) -> dict[str, dict[str, object]]:
    """Push to a world in which one order has no price and another is refused."""
    world = site_of().world
    world.refuse(UNPRICED, Refusal(11, "单价不能为0", saving=True))
    world.refuse(REFUSED, Refusal(11, "不满足条件"))
    order = PushOrder(
        "PUR_PurchaseOrder",
        numbers,
        rule_id="PUR_PurchaseOrder-STK_InStock",
        draft_when_save_fails=True,
    )
    result: dict[str, dict[str, object]] = push_answer(style, world.push(order), on_refusal)[
        "Result"
    ]
    return result


def entity(number: str | None, bill_id: object, entry_ids: list[int]) -> dict[str, object]:
    """Give the only entity of an answer in the newer style."""
    return {
        "Id": bill_id,
        "Number": number,
        "DIndex": 0,
        "EntryIds": {"FInStockEntry": entry_ids},
    }


def test_a_success_names_the_target_and_no_source() -> None:
    """The newer style carries EntryIds and a ConvertResponseStatus (P 5.3, 5.4)."""
    result = answer_to(GOOD, style=AnswerStyle())
    (target,) = _entities(result["ResponseStatus"])
    assert result["ResponseStatus"] == {
        "IsSuccess": True,
        "Errors": [],
        "SuccessEntitys": [entity("CGRK0000001", target["Id"], _entry_ids(target))],
        "SuccessMessages": [],
        "MsgCode": 0,
    }
    assert result["ConvertResponseStatus"]["IsSuccess"] is True
    assert result["ConvertResponseStatus"]["SuccessEntitys"] == []
    assert GOOD not in str(result)


def test_the_old_style_has_no_codes_no_places_and_no_entries() -> None:
    """Old servers leave the keys out, and a client must not need them (P 4.1)."""
    result = answer_to(REFUSED, GOOD, style=AnswerStyle(old=True))
    assert set(result) == {"ResponseStatus"}
    status = result["ResponseStatus"]
    assert "MsgCode" not in status
    assert status["Errors"] == [{"FieldName": None, "Message": "不满足条件"}]
    assert [set(each) for each in _entities(status)] == [{"Id", "Number"}]


def test_a_short_answer_names_the_first_target_beside_its_status() -> None:
    """Some old servers say no more of a success (P 4.1)."""
    result = answer_to(GOOD, style=AnswerStyle(old=True, short=True))
    assert result == {
        "ResponseStatus": {"IsSuccess": True},
        "Id": result["Id"],
        "Number": "CGRK0000001",
    }


def test_values_can_be_text() -> None:
    """Templates and some servers write booleans, codes and ids as text (P 4.1, 4.2)."""
    status = answer_to(GOOD, style=AnswerStyle(text_values=True))["ResponseStatus"]
    assert (status["IsSuccess"], status["MsgCode"]) == ("true", "0")
    assert isinstance(_entities(status)[0]["Id"], str)


def test_draft_form_a_fails_and_hides_the_draft_in_the_conversion() -> None:
    """The draft's id is text and stands only in ConvertResponseStatus (P 5.8)."""
    result = answer_to(UNPRICED, style=AnswerStyle(draft_form=DraftForm.A))
    saving, converting = result["ResponseStatus"], result["ConvertResponseStatus"]
    assert (saving["IsSuccess"], saving["MsgCode"], saving["SuccessEntitys"]) == (False, 11, [])
    assert converting["IsSuccess"] is True
    (draft,) = _entities(converting)
    assert isinstance(draft["Id"], str)
    assert draft["Number"] is None


def test_draft_form_b_succeeds_and_names_the_draft() -> None:
    """Nothing but the missing number and status Z tells it from a saved target (P 5.8)."""
    status = answer_to(UNPRICED, style=AnswerStyle(draft_form=DraftForm.B))["ResponseStatus"]
    assert (status["IsSuccess"], status["Errors"]) == (True, [])
    assert [each["Number"] for each in _entities(status)] == [None]


def test_a_draft_may_show_its_id_as_its_number() -> None:
    """All of null, nothing, a blank and the id were seen (P 5.9)."""
    status = answer_to(UNPRICED, style=AnswerStyle(draft_number="id"))["ResponseStatus"]
    (draft,) = _entities(status)
    assert draft["Number"] == str(draft["Id"])


def test_a_partial_answer_fails_and_names_what_was_made() -> None:
    """A client that reads only IsSuccess loses documents here."""
    status = answer_to(GOOD, REFUSED, style=AnswerStyle())["ResponseStatus"]
    assert (status["IsSuccess"], status["MsgCode"], status["ErrorCode"]) == (False, 11, 500)
    assert len(_entities(status)) == 1


def test_a_silent_answer_does_not_mention_what_was_refused() -> None:
    """A client that reads only IsSuccess takes a refused order for pushed here."""
    result = answer_to(GOOD, REFUSED, style=AnswerStyle(), on_refusal=OnRefusal.SILENT)
    assert result["ResponseStatus"]["IsSuccess"] is True
    assert result["ConvertResponseStatus"]["Errors"] == []


def test_a_lost_session_is_bare_or_nested_as_the_service_has_it() -> None:
    """ExecuteBillQuery wraps its errors in two lists; BillQuery does not (P 3.2)."""
    style = AnswerStyle()
    bare = failure(style, 1, "会话信息已丢失，请重新登录")
    assert session_lost(style, "会话信息已丢失，请重新登录", rows=True, objects=False) == [[bare]]
    assert session_lost(style, "会话信息已丢失，请重新登录", rows=True, objects=True) == bare


def test_a_failed_query_is_told_in_each_form_that_was_seen() -> None:
    """Nulls may fill the row, and some servers give nothing but the lines of Errors (P 3.2)."""
    wrapped, padded, errors = (
        session_lost(AnswerStyle(failed_query=form), "会话已过期", rows=True, objects=False)
        for form in FailedQuery
    )
    assert padded == [[*wrapped[0], None, None]]
    assert errors == [{"FieldName": None, "Message": "会话已过期", "DIndex": 0}]


def test_a_refusal_names_its_field_where_it_has_one() -> None:
    """Old saving errors stand under the field AbstractInteractionResult (P 3.5)."""
    world = site_of().world
    field, text = "AbstractInteractionResult", "InteractionContext is null"
    world.refuse(GOOD, Refusal(11, text, saving=True, field=field))
    order = PushOrder("PUR_PurchaseOrder", (GOOD,), rule_id="PUR_PurchaseOrder-STK_InStock")
    answer = push_answer(AnswerStyle(old=True), world.push(order), OnRefusal.PARTIAL)
    errors = answer["Result"]["ResponseStatus"]["Errors"]
    assert errors == [{"FieldName": field, "Message": text}]


def _entities(status: dict[str, object]) -> list[dict[str, object]]:
    entities = status["SuccessEntitys"]
    assert isinstance(entities, list)
    return entities


def _entry_ids(target: dict[str, object]) -> list[int]:
    entry_ids = target["EntryIds"]
    assert isinstance(entry_ids, dict)
    return list(entry_ids["FInStockEntry"])
