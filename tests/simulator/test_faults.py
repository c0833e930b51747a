from __future__ import annotations

from pathlib import Path

import pytest

from k3push.simulator import (
    FAULT_NAMES,
    PRESETS,
    Aimed,
    Channel,
    FaultPlan,
    FaultScript,
    Refusal,
    Seeded,
    Step,
    fault,
    load_plan,
    plan_from,
)
from k3push.simulator.options import fault_plan

SCRIPT = """
session_calls = 9

[[step]]
fault = "make-then-delay:400"
times = 2

[[step]]
fault = "html-503"
on = "query"

[[bill]]
number = "CGDD0000005"
fault = "make-then-reset"

[[refusal]]
number = "CGDD0000006"
code = 11
text = "不行"
whole_call = true

[seeded]
rate = 0.5
faults = ["reset", "late-commit:20"]
seed = 3
"""


@pytest.mark.parametrize("name", FAULT_NAMES)
def test_a_fault_has_one_name(name: str) -> None:
    """What a script says is what reports and `unused` say back."""
    assert fault(name).name == name


def test_long_names_of_short_faults_are_known_too() -> None:
    """The grammar has no holes where a short name exists."""
    assert fault("commit-late-then-reset") == fault("late-commit")
    assert fault("make-then-ok") == fault("ok")


@pytest.mark.parametrize(
    "name", ["make-then-rest", "make-then-edit-lock", "", "reset:soon", "reset:-1"]
)
def test_an_unknown_fault_is_named(name: str) -> None:
    """Mistyped scripts must not run as if nothing were to go wrong."""
    with pytest.raises(ValueError, match=repr(name)):
        fault(name)


def test_steps_are_used_up_in_order_by_requests_of_their_kind() -> None:
    """A query in between must not shift what the pushes meet."""
    script = FaultScript()
    script.add("reset", "close")
    script.add("html-503", on=Channel.QUERY)
    script.add("empty", on=Channel.ANY)
    assert script.next(Channel.PUSH).name == "reset"
    assert script.next(Channel.LOGIN).name == "empty"
    assert script.next(Channel.QUERY).name == "html-503"
    assert script.unused() == ("push: close",)
    assert script.next(Channel.PUSH).name == "close"
    assert script.next(Channel.PUSH).name == "ok"
    assert script.unused() == ()


def test_a_fault_can_be_aimed_at_a_number_once_or_always() -> None:
    """A demo can say which order loses its answer, however chunks fall."""
    plan = FaultPlan(
        aimed={"CGDD05": Aimed(fault("reset")), "CGDD06": Aimed(fault("close"), once=False)}
    )
    script = FaultScript(plan)
    assert script.unused() == ("cgdd05: reset",)
    assert script.next(Channel.PUSH, ["CGDD01", "cgdd05 "]).name == "reset"
    assert script.next(Channel.PUSH, ["CGDD05"]).name == "ok"
    assert [script.next(Channel.PUSH, ["CGDD06"]).name for _ in "ab"] == ["close", "close"]
    assert script.unused() == ()


def test_a_seed_chooses_the_same_faults_every_time() -> None:
    """A failing seed must replay exactly."""

    def names(seed: int) -> list[str]:
        seeded = Seeded(0.5, (fault("reset"), fault("close")), seed, most=10)
        script = FaultScript(FaultPlan(seeded=seeded))
        return [script.next(Channel.PUSH).name for _ in range(60)]

    assert names(1) == names(1) != names(2)
    assert len([name for name in names(1) if name != "ok"]) == 10


def test_faults_end_on_command() -> None:
    """With faults ended, every run must come to rest."""
    plan = FaultPlan(
        steps=(Step(fault("reset")),),
        aimed={"A": Aimed(fault("close"))},
        seeded=Seeded(1.0, (fault("empty"),)),
    )
    script = FaultScript(plan)
    script.end()
    assert script.next(Channel.PUSH, ["A"]).name == "ok"
    assert script.unused() == ()


def test_a_script_file_says_all_that_a_plan_can(tmp_path: Path) -> None:
    """The command line takes a preset's name or such a file."""
    path = tmp_path / "night.toml"
    path.write_text(SCRIPT, encoding="utf-8")
    plan = fault_plan(str(path))
    assert plan.steps == (
        Step(fault("make-then-delay:400")),
        Step(fault("make-then-delay:400")),
        Step(fault("html-503"), Channel.QUERY),
    )
    assert plan.aimed == {"CGDD0000005": Aimed(fault("make-then-reset"))}
    assert plan.refusals == {"CGDD0000006": Refusal(11, "不行", whole_call=True)}
    assert plan.seeded == Seeded(0.5, (fault("reset"), fault("late-commit:20")), seed=3)
    assert plan.session_calls == 9


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("steps = []", "no key 'steps'"),
        ("[[step]]\nfaults = 'reset'", "needs the key 'fault'"),
        ("[[step]]\nfault = 'reset'\nwhen = 'push'", "no key 'when'"),
        ("[[step]]\nfault = 'reset'\non = 'pull'", "pull"),
        ("[[bill]]\nnumber = 'A'", "needs the key 'fault'"),
        ("[[refusal]]\nnumber = 'A'\ncode = 1", "needs the key 'text'"),
        ("[seeded]\nrate = 1", "needs the key 'faults'"),
        ("not toml", "script.toml"),
    ],
)
def test_a_mistake_in_a_script_is_named_with_its_file(
    tmp_path: Path, script: str, complaint: str
) -> None:
    """A script that is read differently than meant proves nothing."""
    path = tmp_path / "script.toml"
    path.write_text(script, encoding="utf-8")
    with pytest.raises(ValueError, match=complaint) as caught:
        load_plan(path)
    assert str(path) in str(caught.value)


def test_neither_preset_nor_file_is_a_mistake() -> None:
    """The message lists the presets, since that is what was probably meant."""
    with pytest.raises(ValueError, match="lost-answer"):
        fault_plan("lost-anser")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_can_be_played_on_a_socket_and_say_what_they_do(name: str) -> None:
    """They are for the command line, whose help shows their sentences."""
    assert not FaultScript(fault_plan(name)).needs_memory()
    assert PRESETS[name].__doc__


def test_an_empty_script_plans_nothing() -> None:
    """Every table may be left out."""
    assert plan_from({}) == FaultPlan()
