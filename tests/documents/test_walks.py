"""The walks of the architecture page are true of the code."""

from __future__ import annotations

import pytest

from k3push.words.language import Lang
from tests.documents.pages import LANGUAGES, page
from tests.documents.walks import Step, definition, reaches, walks

NAMES = {
    "en": ("Seven walks", "The life of one number"),
    "zh": ("七条路径", "一张单据的状态变化"),
}
MOST_LINES = 10
WALKS = walks(page("explanation/architecture.md"), *NAMES["en"])
STEPS = [(name, step) for name, steps in WALKS.items() for step in steps]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_there_are_seven_walks_of_ten_lines_at_most(lang: Lang) -> None:
    """What is longer is not read while somebody looks for a file."""
    told = walks(page("explanation/architecture.md", lang), *NAMES[lang])
    assert len(told) == 7
    assert all(0 < len(steps) <= MOST_LINES for steps in told.values())
    assert list(told.values()) == list(WALKS.values())


@pytest.mark.parametrize(("walk", "step"), STEPS, ids=lambda each: getattr(each, "callee", each))
def test_a_step_of_a_walk_is_a_call_in_the_code(walk: str, step: Step) -> None:
    """A walk through rooms that have moved leads a newcomer astray."""
    definition(step.caller)
    definition(step.callee)
    assert reaches(step), f"{walk}: {step.caller} does not go to {step.callee}"


def test_what_the_code_does_not_call_is_no_step() -> None:
    """The test itself is tested: a step that was made up is found."""
    assert not reaches(
        Step("runs.sending.attempt.send_once", "runs.doubts.settle_doubts.settle_once")
    )
    assert not reaches(Step("core.safety.verdict.judge", "ports.Ledger.record"))
    with pytest.raises(LookupError):
        definition("runs.sending.attempt.send_twice")
