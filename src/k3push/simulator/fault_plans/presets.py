"""Plans by name, for `k3push sandbox --faults NAME`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from k3push.simulator.books.flows import Flow, FlowNode
from k3push.simulator.books.orders import Approval, Operation
from k3push.simulator.books.refusals import MsgCode, Refusal
from k3push.simulator.fault_plans.faults import fault
from k3push.simulator.fault_plans.script import Channel, Does, FaultPlan, Hand, Seeded, Step


def _steps(*names: str) -> tuple[Step, ...]:
    return tuple(Step(fault(name)) for name in names)


def _none(_: int) -> FaultPlan:
    """Nothing goes wrong."""
    return FaultPlan()


def _lost_session(_: int) -> FaultPlan:
    """Each session is lost after seven calls."""
    return FaultPlan(session_calls=7)


def _lost_answer(_: int) -> FaultPlan:
    """Documents are made and the answer is lost, three times."""
    return FaultPlan(
        steps=_steps("ok", "make-then-reset", "ok", "make-then-close", "ok", "make-then-html-502")
    )


def _late_commit(_: int) -> FaultPlan:
    """Answers are lost, and what was made shows up only half a minute later."""
    return FaultPlan(steps=_steps("ok", "late-commit:30", "ok", "late-commit:45"))


def _refusals(_: int) -> FaultPlan:
    """The ERP refuses some purchase orders, and cannot save the targets of others."""
    price = Refusal(MsgCode.INVALID, "第1行分录，非赠品单价不能为0", saving=True)
    stock = Refusal(MsgCode.INVALID, "单据编号为“{number}”的{form}不满足转换规则的条件！")
    return FaultPlan(
        refusals={
            **{f"CGDD{index:07d}": stock for index in range(3, 1000, 40)},
            **{f"CGDD{index:07d}": price for index in range(11, 1000, 80)},
        }
    )


def _flaky(seed: int) -> FaultPlan:
    """One push in five breaks off or is refused, and has done nothing; forty in all."""
    names = ("reset", "close", "empty", "html-502", "html-503", "edit-lock", "call-limit")
    return FaultPlan(seeded=Seeded(0.2, tuple(map(fault, names)), seed, most=40))


def _night(seed: int) -> FaultPlan:
    """A bad night: everything at once, refusals included, sixty faults in all."""
    names = (
        "reset",
        "make-then-reset",
        "make-then-close",
        "make-then-html-502",
        "html-503",
        "make-then-cut-off",
        "make-then-empty",
        "response-error",
        "make-then-response-error-text",
        "late-commit:20",
        "edit-lock",
        "call-limit",
        "lose-session",
        "drop-one",
        "gzip",
    )
    return FaultPlan(
        refusals=_refusals(seed).refusals,
        seeded=Seeded(0.25, tuple(map(fault, names)), seed, most=60),
        session_calls=150,
    )


def _follow(seed: int) -> FaultPlan:
    """Submits and audits: one in five fails, some are refused, people come in between."""
    names = (
        "reset",
        "make-then-reset",
        "make-then-close",
        "make-then-html-502",
        "html-503",
        "make-then-garbage",
        "response-error",
        "make-then-response-error-text",
        "late-commit:20",
        "edit-lock",
        "call-limit",
        "lose-session",
        "drop-one",
    )
    warehouse = Refusal(MsgCode.INVALID, "第1行分录，仓库是必填项")
    stock = Refusal(
        MsgCode.INVALID,
        "单据编号为“{number}”的{form}，更新库存出现异常情况，更新库存不成功！",
    )
    return FaultPlan(
        refused_follow={
            **{(Operation.SUBMIT, f"CGDD{n:07d}"): warehouse for n in range(5, 1000, 40)},
            **{(Operation.AUDIT, f"CGDD{n:07d}"): stock for n in range(17, 1000, 40)},
        },
        hands={
            **{f"CGDD{n:07d}": (Hand(Does.DELETE),) for n in range(21, 1000, 200)},
            **{
                f"CGDD{n:07d}": (Hand(Does.TAKE_BACK, Channel.AUDIT),) for n in range(27, 1000, 200)
            },
            **{f"CGDD{n:07d}": (Hand(Does.CHANGE),) for n in range(33, 1000, 200)},
        },
        seeded_follow=Seeded(0.2, tuple(map(fault, names)), seed, most=40),
    )


def _flows(_: int) -> FaultPlan:
    """One document in five enters a flow: it waits there, is approved later, or rejected."""
    nodes = {
        2: (FlowNode("仓库主管审批", "王经理"),),
        9: (
            FlowNode("仓库主管审批", "王经理", after_s=20),
            FlowNode("财务审批", "李会计", after_s=20),
        ),
        14: (FlowNode("仓库主管审批", "王经理", after_s=20, decides=Approval.REJECT),),
    }
    return FaultPlan(
        flows=tuple(
            Flow("STK_InStock", row, [f"CGDD{n:07d}" for n in range(first, 1000, 15)])
            for first, row in nodes.items()
        )
    )


PRESETS: Mapping[str, Callable[[int], FaultPlan]] = {
    "none": _none,
    "lost-session": _lost_session,
    "lost-answer": _lost_answer,
    "late-commit": _late_commit,
    "refusals": _refusals,
    "flaky": _flaky,
    "night": _night,
    "follow": _follow,
    "flows": _flows,
}
"""Makers of plans by name; each takes a seed, and its docstring says what goes wrong."""
