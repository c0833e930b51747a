"""A stand-in K/3 Cloud server: to try k3push on, and to torment it with.

It was written from the protocol and shares no code with the rest of k3push, so that one
misreading cannot hide on both sides. From the inside out:

- `books`: how sources become targets, what becomes of targets, and what a user gets to see;
  `world` keeps them;
- `requests`, `sign_in`, `filters`, `selecting`, `answers` and `query_answers` speak the ERP's
  language;
- `fault_plans` and `endings` say what goes wrong, `load` how long it takes;
- `site` and its `operation_calls` put them together; `http_server` carries it over sockets. Tests
  carry it in memory.

`sandbox.build` makes a site of `sandbox_options`; `ledger_check` compares a ledger with what really
happened.
"""

from k3push.simulator.answers import AnswerStyle as AnswerStyle
from k3push.simulator.answers import DraftForm as DraftForm
from k3push.simulator.answers import FailedQuery as FailedQuery
from k3push.simulator.books.documents import Successor as Successor
from k3push.simulator.books.flows import Flow as Flow
from k3push.simulator.books.flows import FlowNode as FlowNode
from k3push.simulator.books.forms import Policy as Policy
from k3push.simulator.books.history import Maker as Maker
from k3push.simulator.books.operations import BulkHabits as BulkHabits
from k3push.simulator.books.orders import Approval as Approval
from k3push.simulator.books.orders import Operation as Operation
from k3push.simulator.books.orders import OperationOrder as OperationOrder
from k3push.simulator.books.orders import PushOrder as PushOrder
from k3push.simulator.books.refusals import MsgCode as MsgCode
from k3push.simulator.books.refusals import OnRefusal as OnRefusal
from k3push.simulator.books.refusals import Refusal as Refusal
from k3push.simulator.books.refusals import Texts as Texts
from k3push.simulator.books.visibility import Sight as Sight
from k3push.simulator.books.world import World as World
from k3push.simulator.books.write_back import WriteBack as WriteBack
from k3push.simulator.fault_plans.faults import FAULT_NAMES as FAULT_NAMES
from k3push.simulator.fault_plans.faults import Fault as Fault
from k3push.simulator.fault_plans.faults import fault as fault
from k3push.simulator.fault_plans.plan_files import load_plan as load_plan
from k3push.simulator.fault_plans.plan_files import plan_from as plan_from
from k3push.simulator.fault_plans.presets import PRESETS as PRESETS
from k3push.simulator.fault_plans.script import Aimed as Aimed
from k3push.simulator.fault_plans.script import Channel as Channel
from k3push.simulator.fault_plans.script import Does as Does
from k3push.simulator.fault_plans.script import FaultPlan as FaultPlan
from k3push.simulator.fault_plans.script import FaultScript as FaultScript
from k3push.simulator.fault_plans.script import Hand as Hand
from k3push.simulator.fault_plans.script import Rival as Rival
from k3push.simulator.fault_plans.script import Seeded as Seeded
from k3push.simulator.fault_plans.script import Step as Step
from k3push.simulator.http_server import serve as serve
from k3push.simulator.ledger_check.row_check import check_ledger as check_ledger
from k3push.simulator.sandbox import build as build
from k3push.simulator.sandbox_options import PAYABLES as PAYABLES
from k3push.simulator.sandbox_options import QueryLimits as QueryLimits
from k3push.simulator.sandbox_options import Queue as Queue
from k3push.simulator.sandbox_options import SandboxOptions as SandboxOptions
from k3push.simulator.sandbox_options import first_orders as first_orders
from k3push.simulator.sign_in import Accounts as Accounts
from k3push.simulator.site import Site as Site
