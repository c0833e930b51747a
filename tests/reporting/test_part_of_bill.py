"""What `explain` shows of a call that a bill has shared with others."""

from __future__ import annotations

import json

import pytest

from k3push.reporting.part_of_bill import part_of_bill

NAMES = ["CGDD03", "100003", "CGRK03", "200003"]
MADE = [{"Id": 200000 + nth, "Number": f"CGRK{nth:02}", "DIndex": nth} for nth in range(1, 9)]


def part(value: object) -> object:
    """Return what is shown of a value."""
    return json.loads(part_of_bill(json.dumps(value), NAMES, lambda count: f"{count} more"))


def test_of_the_numbers_and_documents_of_a_call_those_of_the_bill_are_shown() -> None:
    """Who asks for one bill reads of two hundred otherwise."""
    numbers = [f"CGDD{nth:02}" for nth in range(1, 9)]
    assert part({"Numbers": numbers, "Ids": ""}) == {"Numbers": ["CGDD03", "7 more"], "Ids": ""}
    assert part({"R": {"S": MADE}}) == {"R": {"S": [MADE[2], "7 more"]}}
    assert part({"Ids": "100001,100002,100003,100004"}) == {"Ids": "100003,3 more"}


def test_a_message_that_names_the_bill_is_shown_and_no_other_bills() -> None:
    """The number stands within its words, and a longer number is another bill."""
    errors = [{"Message": f"单据“{name}”未审核"} for name in ("CGDD1", "CGDD03", "CGDD03-2", "X")]
    assert part(errors) == [errors[1], "3 more"]


@pytest.mark.parametrize(
    "text",
    [
        "response_error: 单据“CGDD03”",
        '["CGDD01", "CGDD03", "CGDD04"]',
        '["A", "B", "C", "D"]',
        '{"a": 1.0, "a": 2}',
        "[" * 100_000,
    ],
)
def test_what_leaves_nothing_out_is_shown_as_it_came(text: str) -> None:
    """Evidence is not put into another form without need."""
    assert part_of_bill(text, NAMES, str) == text
