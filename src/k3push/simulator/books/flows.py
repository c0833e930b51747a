"""Approval flows: which documents enter one when they are submitted, and where they stand (P 10).

A flow is a row of nodes. At each, one person has a task; when the last has passed it, the
document is approved. The tasks and the instances of flows are what `tables` lets be queried.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from k3push.simulator.books.bills import Bill
from k3push.simulator.books.collation import Collation
from k3push.simulator.books.orders import Approval


@dataclass(frozen=True, slots=True)
class FlowNode:
    """A node of a flow.

    Attributes:
        person: Who has to process it.
        after_s: How long that takes; 0 where nobody ever does.
        decides: What comes of it.
    """

    name: str
    person: str
    after_s: float = 0.0
    decides: Approval = Approval.PASS


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow and its start condition.

    Attributes:
        form: Key of the form whose documents enter it.
        nodes: Its nodes, one at least.
        numbers: The sources whose documents enter it; every one where it is empty.
        spares: Users whose documents do not enter it (P 10.1).
    """

    form: str
    nodes: Sequence[FlowNode]
    numbers: Collection[str] = ()
    spares: Collection[str] = ()
    name: str = "审批流程"


@dataclass(slots=True)
class Task:
    """What one person has to do at one node.

    Attributes:
        id: FAssignId.
        created: When the node was reached.
        completed: When it was processed; "" before.
        opinion: What was said.
    """

    id: int
    node: FlowNode
    created: str
    completed: str = ""
    result: Approval | None = None
    opinion: str = ""


@dataclass(slots=True)
class Instance:
    """One document on its way through a flow.

    Attributes:
        number: FNumber: the bill's number and the time (P 10.5).
        originator: Who submitted it.
        tasks: Those of the nodes that were reached; the last may be open.
        running: Whether it has not ended.
    """

    flow: Flow
    bill: Bill
    number: str
    originator: str
    created: str
    tasks: list[Task] = field(default_factory=list)
    running: bool = True

    @property
    def open_task(self) -> Task | None:
        """The task that waits for somebody."""
        return self.tasks[-1] if self.running else None


class Flows:
    """The flows of one site, and the documents in them.

    Args:
        flows: The flows; a document enters the first whose start condition it meets.
        collation: How numbers are compared.
    """

    def __init__(self, flows: Sequence[Flow], collation: Collation) -> None:
        self.instances: list[Instance] = []
        self._collation = collation
        self._flows = [
            (flow, frozenset(collation(number) for number in flow.numbers)) for flow in flows
        ]
        self._last: dict[int, Instance] = {}

    def enter(self, bill: Bill, user: str, now: str) -> Instance | None:
        """Let *bill*, just submitted by *user*, enter a flow; None where it meets no condition."""
        for flow, numbers in self._flows:
            if flow.form.lower() != bill.form.id.lower() or bill.creator in flow.spares:
                continue
            if numbers and not any(self._collation(each) in numbers for each in bill.sources):
                continue
            digits = "".join(char for char in now if char.isdecimal())
            instance = Instance(flow, bill, f"{bill.number}_{digits}", user, now)
            self._open(instance, now)
            self.instances.append(instance)
            self._last[bill.id] = instance
            return instance
        return None

    def running(self, bill: Bill) -> Instance | None:
        """Give the flow that *bill* is in."""
        instance = self._last.get(bill.id)
        return instance if instance is not None and instance.running else None

    def was_in(self, bill: Bill) -> bool:
        """Tell whether *bill* was ever in a flow."""
        return bill.id in self._last

    def process(self, instance: Instance, decided: Approval, opinion: str, now: str) -> bool:
        """Process the open task; tell whether the flow has ended with it."""
        task = instance.tasks[-1]
        task.completed, task.result, task.opinion = now, decided, opinion
        if decided is Approval.PASS and len(instance.tasks) < len(instance.flow.nodes):
            self._open(instance, now)
            return False
        instance.running = False
        return True

    def end(self, bill: Bill) -> None:
        """End the flow that *bill* is in, if it is in one."""
        instance = self.running(bill)
        if instance is not None:
            instance.running = False

    def _open(self, instance: Instance, now: str) -> None:
        place = len(instance.tasks)
        task_id = len(self.instances) * 100 + place + 1
        instance.tasks.append(Task(task_id, instance.flow.nodes[place], now))
