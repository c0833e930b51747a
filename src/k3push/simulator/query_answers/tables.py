"""Forms that hold no bills and can be queried all the same: rules, tasks, flow instances."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from k3push.simulator.books.flows import Flows, Instance, Task
from k3push.simulator.books.forms import Route
from k3push.simulator.books.orders import Approval
from k3push.simulator.books.world import World
from k3push.simulator.sandbox_options import SandboxOptions
from k3push.simulator.selecting import Field, Kind, Value
from k3push.simulator.sign_in import user_id

R = TypeVar("R")

RULES = "BOS_ConvertRule"
OPEN_TASKS = "WF_AssignmentBill_ProcManage"
DONE_TASKS = "WF_AssignmentHisBill_ProcManage"
INSTANCES = "WF_ProcInstBill"

# FStatus of an instance, and FInstStatus of its tasks (P 10.5); the other value is a guess.
RUNNING, ENDED = "2", "3"
_RESULTS = {None: " ", Approval.PASS: "审批通过", Approval.REJECT: "打回", Approval.END: "终止"}


@dataclass(frozen=True, slots=True)
class Table(Generic[R]):
    """A form without bills.

    Attributes:
        fields: Its fields, by their keys in lower case.
        rows: Gives its rows, in the database's order.
    """

    fields: Mapping[str, Field[R]]
    rows: Callable[[], Iterable[R]]


_TaskRow = tuple[Instance, Task]


def rules_of(world: World, site: SandboxOptions) -> Table[Route]:
    """Give the table of conversion rules (P 12.1).

    Only FNumber and FName were seen on a real site; the others are guessed from the columns of
    the database.
    """
    fields: list[Field[Route]] = [
        Field("FNumber", "编码", lambda rule: rule.rule_id),
        Field("FName", "名称", lambda rule: f"{rule.source.name}至{rule.target.name}"),
    ]
    if site.rules != "names":
        fields += [
            Field("FID", "内码", lambda rule: rule.rule_id),
            Field("FSourceFormId", "源单", lambda rule: rule.source.id),
            Field("FTargetFormId", "目标单", lambda rule: rule.target.id),
            Field("FStatus", "状态", lambda rule: "1" if rule.enabled else "0"),
            Field("FIsDefault", "默认", lambda rule: "1" if rule.default else "0"),
        ]
    rules = [] if site.rules == "none" else sorted(world.rules, key=lambda rule: rule.rule_id)
    return Table(_by_key(fields), lambda: rules)


def tasks_of(flows: Flows, *, done: bool) -> Table[_TaskRow]:
    """Give the table of tasks: the open ones, or those of the past (P 10.5)."""
    fields: list[Field[_TaskRow]] = [
        _task("FAssignId", lambda _, task: task.id, Kind.NUMBER),
        _task("FReceiverItem_FRECEIVERITEMID", lambda _, task: task.id, Kind.NUMBER),
        _task("FInstCode", lambda instance, _: instance.number),
        _task("FBILLNUMBER", lambda instance, _: instance.bill.number),
        _task("FObjectTypeId", lambda instance, _: instance.bill.form.id.upper()),
        _task("FASSIGNNAME", lambda _, task: task.node.name),
        _task("FActivityStatus", lambda _, task: "1" if task.completed else "0"),
        _task("FInstStatus", lambda instance, _: RUNNING if instance.running else ENDED),
        _task("FReceiverId", lambda _, task: user_id(task.node.person), Kind.NUMBER),
        _task("FReceiverId.FName", lambda _, task: task.node.person, Kind.BASE),
        _task("FStatus", lambda _, task: "1" if task.completed else "0"),
        _task("FDisposition", lambda _, task: task.opinion or " "),
        _task("FResultName", lambda _, task: _RESULTS[task.result]),
        _task("FCompletedTime", lambda _, task: task.completed or None, Kind.DATE),
        _task("FCreateTime", lambda _, task: task.created, Kind.DATE),
    ]

    def rows() -> Iterable[_TaskRow]:
        for instance in flows.instances:
            for task in instance.tasks:
                if done is not (instance.open_task is task):
                    yield instance, task

    return Table(_by_key(fields), rows)


def instances_of(flows: Flows) -> Table[Instance]:
    """Give the table of flow instances (P 10.5)."""

    def of_task(of: Callable[[Task], Value]) -> Callable[[Instance], Value]:
        return lambda instance: of(instance.open_task) if instance.open_task else " "

    fields: list[Field[Instance]] = [
        Field("FNumber", "编码", lambda instance: instance.number),
        Field("FCreateTime", "创建时间", lambda instance: instance.created, Kind.DATE),
        Field("FProcDefName", "流程", lambda instance: instance.flow.name),
        Field("FStatus", "状态", lambda instance: RUNNING if instance.running else ENDED),
        Field("FAssignCreateTime", "到达时间", lambda i: i.tasks[-1].created, Kind.DATE),
        Field("FRECEIVERNAMES", "处理人", of_task(lambda task: task.node.person)),
        Field("FACTIVITYNAME", "节点", of_task(lambda task: task.node.name)),
        Field("FOriginatorId.FUserAccount", "发起人", lambda i: i.originator, Kind.BASE),
    ]
    return Table(_by_key(fields), lambda: flows.instances)


def _task(
    key: str, of: Callable[[Instance, Task], Value], kind: Kind = Kind.TEXT
) -> Field[_TaskRow]:
    return Field(key, key, lambda row: of(*row), kind)


def _by_key(fields: Iterable[Field[R]]) -> Mapping[str, Field[R]]:
    return {field.key.lower(): field for field in fields}
