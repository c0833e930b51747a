from __future__ import annotations

from pathlib import Path

import pytest

from k3push.simulator import (
    FAULT_NAMES,
    PRESETS,
    Aimed,
    Approval,
    Channel,
    Does,
    FaultPlan,
    FaultScript,
    Flow,
    FlowNode,
    Hand,
    Operation,
    Refusal,
    Rival,
    Seeded,
    Step,
    fault,
    load_plan,
    plan_from,
)
from k3push.simulator.sandbox import fault_plan

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

[[step]]
fault = "msgcode-6"
on = "query"
user = "sandbox2"

[[guard]]
number = "CGDD0000007"
fault = "msgcode-4"
once = false

[[refusal]]
number = "CGDD0000006"
code = 11
text = "不行"
whole_call = true

[[rival]]
number = "CGDD0000008"
nth = 2
at_once = true

[[bill]]
number = "CGDD0000005"
on = "audit"
fault = "late-commit:9"

[[refusal]]
number = "CGDD0000009"
on = "submit"
code = 11
text = "第1行分录，仓库是必填项"

[[hand]]
number = "CGDD0000010"
does = "take-back"
on = "audit"
nth = 2
after = true

[[flow]]
form = "STK_InStock"
numbers = ["CGDD0000011"]

[[flow.node]]
name = "一审"
person = "甲"
after_s = 20
decides = "reject"

[seeded]
rate = 0.5
faults = ["reset", "late-commit:20"]
seed = 3

[seeded_follow]
rate = 0.25
faults = ["drop-one"]

[seeded_reads]
rate = 0.125
faults = ["response-error"]
most = 9
user = "sandbox2"
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


def test_reads_have_a_seed_of_their_own() -> None:
    """A night in which one read in eight fails need not lose a push."""
    plan = FaultPlan(seeded_reads=Seeded(0.125, (fault("msgcode-6"),), seed=1))
    script = FaultScript(plan)
    reads = [script.next(Channel.QUERY).name for _ in range(800)]
    assert 60 < reads.count("msgcode-6") < 140
    assert {script.next(Channel.PUSH).name for _ in range(99)} == {"ok"}


def test_a_seed_can_be_for_one_user() -> None:
    """One user of several may be the one whose looks fail all night."""
    reads = Seeded(1.0, (fault("response-error"),), user="sandbox2")
    script = FaultScript(FaultPlan(seeded_reads=reads))
    names = [script.next(Channel.QUERY, user=user).name for user in ("sandbox", "sandbox2")]
    assert names == ["ok", "response-error"]


def test_a_step_can_be_for_one_user() -> None:
    """The look of one user may fail while the others see."""
    script = FaultScript(FaultPlan(steps=(Step(fault("empty"), Channel.QUERY, "sandbox2"),)))
    assert script.next(Channel.QUERY, user="sandbox").name == "ok"
    assert script.next(Channel.QUERY, user="sandbox2").name == "empty"
    assert script.unused() == ()


def test_a_guard_meets_queries_and_no_pushes() -> None:
    """What is aimed at a number in pushes leaves queries alone, and the other way round."""
    plan = FaultPlan(
        aimed={"A": Aimed(fault("reset"), once=False)},
        guards={"B": Aimed(fault("msgcode-4"), once=False)},
    )
    script = FaultScript(plan)
    names = [script.next(on, ["A", "B"]).name for on in (Channel.PUSH, Channel.QUERY) * 2]
    assert names == ["reset", "msgcode-4"] * 2


def test_a_rival_comes_before_the_push_that_the_plan_names() -> None:
    """It counts the pushes of its number alone, and comes once."""
    script = FaultScript(FaultPlan(rivals={"A": Rival(2)}))
    met = [script.rivals(numbers) for numbers in (["A", "B"], ["B"], ["a", "B"], ["A"])]
    assert met == [{}, {}, {"a": Rival(2)}, {}]


def test_faults_end_on_command() -> None:
    """With faults ended, every run must come to rest."""
    plan = FaultPlan(
        steps=(Step(fault("reset")),),
        aimed={"A": Aimed(fault("close"))},
        guards={"A": Aimed(fault("close"), once=False)},
        rivals={"A": Rival()},
        seeded=Seeded(1.0, (fault("empty"),)),
        seeded_reads=Seeded(1.0, (fault("empty"),)),
        hands={"A": (Hand(Does.DELETE),)},
        seeded_follow=Seeded(1.0, (fault("empty"),)),
    )
    script = FaultScript(plan)
    script.end()
    assert script.next(Channel.SUBMIT, ["A"]).name == "ok"
    assert script.hands(Channel.SUBMIT, ["A"]) == []
    assert script.next(Channel.PUSH, ["A"]).name == "ok"
    assert script.next(Channel.QUERY, ["A"]).name == "ok"
    assert script.rivals(["A"]) == {}
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
        Step(fault("msgcode-6"), Channel.QUERY, "sandbox2"),
    )
    assert plan.guards == {"CGDD0000007": Aimed(fault("msgcode-4"), once=False)}
    assert plan.rivals == {"CGDD0000008": Rival(2, at_once=True)}
    assert plan.seeded_reads == Seeded(0.125, (fault("response-error"),), most=9, user="sandbox2")
    assert plan.aimed == {"CGDD0000005": Aimed(fault("make-then-reset"))}
    assert plan.refusals == {"CGDD0000006": Refusal(11, "不行", whole_call=True)}
    assert plan.seeded == Seeded(0.5, (fault("reset"), fault("late-commit:20")), seed=3)
    assert plan.session_calls == 9
    assert plan.aimed_follow == {(Channel.AUDIT, "CGDD0000005"): Aimed(fault("late-commit:9"))}
    assert plan.refused_follow == {
        (Operation.SUBMIT, "CGDD0000009"): Refusal(11, "第1行分录，仓库是必填项")
    }
    assert plan.hands == {"CGDD0000010": [Hand(Does.TAKE_BACK, Channel.AUDIT, nth=2, after=True)]}
    assert plan.seeded_follow == Seeded(0.25, (fault("drop-one"),))
    node = FlowNode("一审", "甲", 20.0, Approval.REJECT)
    assert plan.flows == (Flow("STK_InStock", (node,), ["CGDD0000011"]),)


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
        ("[seeded_reads]\nrate = 1", "needs the key 'faults'"),
        ("[[guard]]\nnumber = 'A'", "needs the key 'fault'"),
        ("[[hand]]\nnumber = 'A'\ndoes = 'shout'", "shout"),
        ("[[flow]]\nform = 'F'", "needs the key 'node'"),
        (
            "[[flow]]\nform = 'F'\n[[flow.node]]\nname = 'A'\nperson = 'B'\ndecides = 'maybe'",
            "a node decides pass or reject or end, not 'maybe'",
        ),
        ("[[rival]]\nnth = 1", "needs the key 'number'"),
        ("[[step]]\nfault = 5", "a step: fault is a text, in quotes"),
        ("[[bill]]\nnumber = 17\nfault = 'reset'", "a bill: number is a text, in quotes"),
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
