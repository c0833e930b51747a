from __future__ import annotations

import pytest

from k3push.core.model import BillNumber
from k3push.core.safety.named_bills import messages_by_number, messages_naming


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("CGDD01", "CGDD01"),
        ("单据“CGDD01”未审核", "CGDD01"),
        ('编码值["CGDD01"]不存在', "CGDD01"),
        ("“CGDD01”", "CGDD01"),
        ("(CGDD01)", "CGDD01"),
        ("CGDD01,CGDD02", "CGDD01"),
        ("CGDD01：第1行", "CGDD01"),
        ("“O'Brien's” is closed", "O'Brien's"),
        ("bill “100%_ok” refused", "100%_ok"),
        ("bill CG 01 refused", "CG 01"),
        ("单据“采购2024”未审核", "采购2024"),
        ("单据“采购单”未审核", "采购单"),
        ("CG.*1 is closed", "CG.*1"),
        ("CGDD012 and CGDD01", "CGDD01"),
        ("[CG\\01]", "CG\\01"),
        ("单据“1”未审核", "1"),
        ("单据编号为“1”的采购订单第1行数量不足", "1"),
        ("bill 20180321170012 is closed", "20180321170012"),
    ],
)
def test_a_number_is_named_where_it_stands_as_a_bill(message: str, number: str) -> None:
    """Whatever characters it holds: in quotes, or between what no number continues with."""
    assert messages_naming([message], [BillNumber(number)]) == {number: [message]}


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ("CGDD012", "CGDD01"),
        ("XCGDD01", "CGDD01"),
        ("CGDD01_A", "CGDD01"),
        ("CGDD01-2", "CGDD01"),
        ("CGDD01-", "CGDD01"),
        ("CGDD01.", "CGDD01"),
        ("2024/CGDD01", "CGDD01"),
        ("CGDD01.5", "CGDD01"),
        ("cgdd01", "CGDD01"),
        ("采购单据", "采购单"),
        ("CG0*1", "CG.*1"),
        ("单据CGDD01改未审核", "CGDD01"),
        ("第1行分录", "11"),
        ("第1行分录", "1"),
        ("第 1 行的数量不足", "1"),
        ("第“1”行的数量不足", "1"),
        ("第100001行的数量不足", "100001"),
        ("数量 1 不足", "1"),
        ("可用数量：12，需求：15", "12"),
        ("仓库 A1 必录", "A1"),
    ],
)
def test_what_may_be_anything_else_names_no_bill(message: str, number: str) -> None:
    """Rejecting a bill with another's reason would send a person the wrong way."""
    assert messages_naming([message], [BillNumber(number)]) == {}


def test_a_number_inside_another_is_not_seen_in_the_others_place() -> None:
    """The longest is taken first."""
    short, long = BillNumber("CGDD 1"), BillNumber("CGDD 1 补")
    assert messages_naming(["单据 CGDD 1 补 未审核"], [short, long]) == {
        long: ["单据 CGDD 1 补 未审核"]
    }


def test_the_number_of_a_document_is_taken_as_it_is() -> None:
    """A comma tells the id of a listed bill, and may stand in the number of a document."""
    message = "单据编号为“RK01,2”的入库单，仓库必录！"
    assert messages_by_number([message], ["RK01,2", "RK01", ""]) == {"RK01,2": [message]}
