"""A stand-in K/3 Cloud server: to try k3push on, and to torment it with.

It was written from the protocol and shares no code with the rest of k3push, so that one
misreading cannot hide on both sides. From the inside out:

- `world` keeps the books: how sources become targets (`bills`, `forms`, `conversion`,
  `write_back`, `refusals`, `collation`), and what becomes of targets (`documents`, `operations`,
  `flows`, `history`);
- `requests`, `orders`, `filters`, `selecting`, `fields`, `tables`, `queries`, `sign_in`, `answers`
  speak the ERP's language, and `visibility` and `replica` say what a user gets to see;
- `faults`, `script`, `plan_files`, `presets`, `endings` say what goes wrong, `load` how long it
  takes;
- `site` and its `operation_desk` put them together; `http_server` carries it over sockets. Tests
  carry it in memory.

`sandbox.build` makes a site of `sandbox_options`; `row_check` and `step_check` compare a ledger
with what really happened.
"""

from k3push.simulator.answers import AnswerStyle, DraftForm, FailedQuery
from k3push.simulator.documents import Successor
from k3push.simulator.faults import FAULT_NAMES, Fault, fault
from k3push.simulator.flows import Flow, FlowNode
from k3push.simulator.forms import Policy
from k3push.simulator.history import Maker
from k3push.simulator.http_server import serve
from k3push.simulator.operations import BulkHabits
from k3push.simulator.orders import Approval, Operation, OperationOrder, PushOrder
from k3push.simulator.plan_files import load_plan, plan_from
from k3push.simulator.presets import PRESETS
from k3push.simulator.refusals import MsgCode, OnRefusal, Refusal, Texts
from k3push.simulator.row_check import check_ledger
from k3push.simulator.sandbox import build
from k3push.simulator.sandbox_options import (
    PAYABLES,
    QueryLimits,
    Queue,
    SandboxOptions,
    first_orders,
)
from k3push.simulator.script import (
    Aimed,
    Channel,
    Does,
    FaultPlan,
    FaultScript,
    Hand,
    Rival,
    Seeded,
    Step,
)
from k3push.simulator.sign_in import Accounts
from k3push.simulator.site import Site
from k3push.simulator.visibility import Sight
from k3push.simulator.world import World
from k3push.simulator.write_back import WriteBack

__all__ = [
    "FAULT_NAMES",
    "PAYABLES",
    "PRESETS",
    "Accounts",
    "Aimed",
    "AnswerStyle",
    "Approval",
    "BulkHabits",
    "Channel",
    "Does",
    "DraftForm",
    "FailedQuery",
    "Fault",
    "FaultPlan",
    "FaultScript",
    "Flow",
    "FlowNode",
    "Hand",
    "Maker",
    "MsgCode",
    "OnRefusal",
    "Operation",
    "OperationOrder",
    "Policy",
    "PushOrder",
    "QueryLimits",
    "Queue",
    "Refusal",
    "Rival",
    "SandboxOptions",
    "Seeded",
    "Sight",
    "Site",
    "Step",
    "Successor",
    "Texts",
    "World",
    "WriteBack",
    "build",
    "check_ledger",
    "fault",
    "first_orders",
    "load_plan",
    "plan_from",
    "serve",
]
