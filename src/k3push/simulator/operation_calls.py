"""Submits, audits and other operations as calls: who does what when, and beside what.

The world knows no time. Here are the plug-ins that are still at work on a document (P 11.8),
the people who process the nodes of flows some time later, and the replica that lags behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from k3push.simulator.answers import operation_answer
from k3push.simulator.books.bills import APPROVED, CREATED, DRAFT, IN_APPROVAL, REOPENED, Bill
from k3push.simulator.books.flows import Instance, Task
from k3push.simulator.books.history import By, Maker
from k3push.simulator.books.operations import Operated
from k3push.simulator.books.orders import SERVICES, Operation, OperationOrder, read_operation
from k3push.simulator.books.replica import Replica
from k3push.simulator.books.world import World
from k3push.simulator.exchange import Reply, json_reply
from k3push.simulator.fault_plans.faults import Fault, Work
from k3push.simulator.fault_plans.script import Does
from k3push.simulator.load import Agenda
from k3push.simulator.requests import Call
from k3push.simulator.sandbox_options import SandboxOptions


class OperationDesk:
    """Does operations on the documents of one world."""

    def __init__(
        self, world: World, agenda: Agenda, replica: Replica, options: SandboxOptions
    ) -> None:
        self._world = world
        self._agenda = agenda
        self._replica = replica
        self._style = options.style
        self._lag_s = options.query_lag_s
        self._pause_s = options.pause_s
        self._ready_s: dict[int, float] = {}

    @staticmethod
    def read(call: Call) -> OperationOrder | None:
        """Read an operation; None where the call asks for something else.

        Raises:
            BadCallError: If its data cannot be read.
        """
        if call.service not in SERVICES:
            return None
        operation = Operation(call.service)
        if operation is Operation.WORKFLOW_AUDIT:
            # Its form stands in the data, which is its only argument (P 10.4).
            return read_operation(operation, "", call.data(0))
        return read_operation(operation, call.text(0, "formid"), call.data(1))

    def sources_in(self, order: OperationOrder) -> tuple[str, ...]:
        """Give the numbers of the sources of the documents that *order* names, each once."""
        found = self._world.operations.find(order)
        return tuple(dict.fromkeys(number for bill in found for number in bill.sources))

    def arrived(self, order: OperationOrder) -> int:
        """Note a call that may have done something; give its place among all calls."""
        bills = self._world.operations.find(order)
        return self._world.documents.history.called(order.operation, bills)

    def work(self, order: OperationOrder, by: By, met: Fault, now_s: float) -> Reply:
        """Do an operation, now or when a late commit is due, and give the true answer."""
        operated = self._world.operations.judge(
            order,
            drop_one=met.work is Work.DROP_ONE,
            busy=lambda bill: now_s < self._ready_s.get(bill.id, now_s),
        )
        due_s = now_s + met.commit_delay_s
        if met.commit_delay_s:
            self._agenda.add(due_s, partial(self._carry_out, operated, by, due_s))
        else:
            self._carry_out(operated, by, due_s)
        return json_reply(operation_answer(self._style, operated, self._world.texts))

    def changed(self, bills: Iterable[Bill], now_s: float) -> None:
        """Note that plug-ins go to work on documents that were just made or submitted."""
        if self._pause_s:
            self._ready_s |= dict.fromkeys((bill.id for bill in bills), now_s + self._pause_s)

    def by_hand(self, does: Does, number: str, now_s: float) -> None:
        """Let a person do something with each document of a source, where its status allows it."""
        for making in self._world.makings_of(number):
            target = making.target
            if target.living and making.maker is Maker.CLIENT and target.status in _ALLOWED[does]:
                self._do(does, target)
                self._await_person(target, now_s)

    def _do(self, does: Does, target: Bill) -> None:
        world = self._world
        match does:
            case Does.SUBMIT:
                world.submit(target)
            case Does.APPROVE:
                world.approve(target)
            case Does.UNAPPROVE:
                world.unapprove(target)
            case Does.TAKE_BACK:
                world.take_back(target)
            case Does.SAVE:
                world.save(target)
            case Does.CHANGE:
                world.save(target, [entry.quantity + 1 for entry in target.entries])
            case Does.CANCEL:
                world.cancel(target)
            case Does.DELETE:
                world.delete(target)

    def _carry_out(self, operated: Operated, by: By, now_s: float) -> None:
        """Keep what was done, and let people and plug-ins go to work on it."""
        if self._lag_s:
            self._let_lag(operated, now_s)
        changes = self._world.carry_out(operated, by)
        bills = [change.bill for change in changes]
        if operated.order.operation is Operation.SUBMIT:
            self.changed(bills, now_s)
        for bill in bills:
            self._await_person(bill, now_s)

    def _let_lag(self, operated: Operated, now_s: float) -> None:
        old = {change.bill.id: change.bill for change in operated.changes}
        for change in operated.changes:
            for entry in change.bill.entries:
                for link in entry.links:
                    source = self._world.store.by_entry(link.entry_id)
                    if source is not None:
                        old[source.id] = source
        new = [change.successor for change in operated.changes if change.successor is not None]
        self._agenda.add(now_s + self._lag_s, self._replica.keep(old.values(), new))

    def _await_person(self, bill: Bill, now_s: float) -> None:
        """Put down when the open task of the flow that *bill* is in will be processed."""
        instance = self._world.documents.flows.running(bill)
        task = instance.open_task if instance is not None else None
        if instance is not None and task is not None and task.node.after_s:
            due_s = now_s + task.node.after_s
            self._agenda.add(due_s, partial(self._process, instance, task, due_s))

    def _process(self, instance: Instance, task: Task, now_s: float) -> None:
        """Process a task, unless somebody else has done so."""
        if instance.open_task is task:
            self._world.process(instance, task.node.decides)
            self._await_person(instance.bill, now_s)


_ALLOWED = {
    Does.SUBMIT: DRAFT + CREATED + REOPENED,
    Does.APPROVE: IN_APPROVAL,
    Does.UNAPPROVE: APPROVED,
    Does.TAKE_BACK: IN_APPROVAL,
    Does.SAVE: DRAFT,
    Does.CHANGE: CREATED + REOPENED,
    Does.CANCEL: DRAFT + CREATED + REOPENED,
    Does.DELETE: DRAFT + CREATED + REOPENED,
}
"""The statuses of the documents with which a person does something."""
