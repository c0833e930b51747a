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

from k3push.simulator.answers import AnswerStyle as AnswerStyle
from k3push.simulator.answers import DraftForm as DraftForm
from k3push.simulator.answers import FailedQuery as FailedQuery
from k3push.simulator.documents import Successor as Successor
from k3push.simulator.faults import FAULT_NAMES as FAULT_NAMES
from k3push.simulator.faults import Fault as Fault
from k3push.simulator.faults import fault as fault
from k3push.simulator.flows import Flow as Flow
from k3push.simulator.flows import FlowNode as FlowNode
from k3push.simulator.forms import Policy as Policy
from k3push.simulator.history import Maker as Maker
from k3push.simulator.http_server import serve as serve
from k3push.simulator.operations import BulkHabits as BulkHabits
from k3push.simulator.orders import Approval as Approval
from k3push.simulator.orders import Operation as Operation
from k3push.simulator.orders import OperationOrder as OperationOrder
from k3push.simulator.orders import PushOrder as PushOrder
from k3push.simulator.plan_files import load_plan as load_plan
from k3push.simulator.plan_files import plan_from as plan_from
from k3push.simulator.presets import PRESETS as PRESETS
from k3push.simulator.refusals import MsgCode as MsgCode
from k3push.simulator.refusals import OnRefusal as OnRefusal
from k3push.simulator.refusals import Refusal as Refusal
from k3push.simulator.refusals import Texts as Texts
from k3push.simulator.row_check import check_ledger as check_ledger
from k3push.simulator.sandbox import build as build
from k3push.simulator.sandbox_options import PAYABLES as PAYABLES
from k3push.simulator.sandbox_options import QueryLimits as QueryLimits
from k3push.simulator.sandbox_options import Queue as Queue
from k3push.simulator.sandbox_options import SandboxOptions as SandboxOptions
from k3push.simulator.sandbox_options import first_orders as first_orders
from k3push.simulator.script import Aimed as Aimed
from k3push.simulator.script import Channel as Channel
from k3push.simulator.script import Does as Does
from k3push.simulator.script import FaultPlan as FaultPlan
from k3push.simulator.script import FaultScript as FaultScript
from k3push.simulator.script import Hand as Hand
from k3push.simulator.script import Rival as Rival
from k3push.simulator.script import Seeded as Seeded
from k3push.simulator.script import Step as Step
from k3push.simulator.sign_in import Accounts as Accounts
from k3push.simulator.site import Site as Site
from k3push.simulator.visibility import Sight as Sight
from k3push.simulator.world import World as World
from k3push.simulator.write_back import WriteBack as WriteBack
