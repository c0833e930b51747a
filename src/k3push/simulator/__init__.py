"""A stand-in K/3 Cloud server: to try k3push on, and to torment it with.

It was written from the protocol and shares no code with the rest of k3push, so that one
misreading cannot hide on both sides. From the inside out:

- `world` keeps the books (`bills`, `forms`, `conversion`, `refusals`, `collation`);
- `requests`, `orders`, `filters`, `queries`, `logins`, `answers` speak the ERP's language;
- `faults`, `script`, `presets`, `endings` say what goes wrong, `load` how long it takes;
- `site` puts them together; `server` and `transport` carry it, over sockets and in memory.

`options.build` makes a site; `audit` compares a ledger with what really happened. The
in-memory transport needs httpx and is therefore not imported here:
``from k3push.simulator.transport import SandboxTransport``.
"""

from k3push.simulator.answers import AnswerStyle, DraftForm, FailedQuery
from k3push.simulator.audit import audit
from k3push.simulator.faults import FAULT_NAMES, Fault, fault
from k3push.simulator.forms import Policy
from k3push.simulator.load import Queue
from k3push.simulator.logins import Accounts
from k3push.simulator.options import SandboxOptions, build
from k3push.simulator.orders import PushOrder
from k3push.simulator.presets import PRESETS
from k3push.simulator.queries import QueryLimits
from k3push.simulator.refusals import MsgCode, OnRefusal, Refusal, Texts
from k3push.simulator.script import (
    Aimed,
    Channel,
    FaultPlan,
    FaultScript,
    Seeded,
    Step,
    load_plan,
    plan_from,
)
from k3push.simulator.server import serve
from k3push.simulator.site import Site
from k3push.simulator.world import World

__all__ = [
    "FAULT_NAMES",
    "PRESETS",
    "Accounts",
    "Aimed",
    "AnswerStyle",
    "Channel",
    "DraftForm",
    "FailedQuery",
    "Fault",
    "FaultPlan",
    "FaultScript",
    "MsgCode",
    "OnRefusal",
    "Policy",
    "PushOrder",
    "QueryLimits",
    "Queue",
    "Refusal",
    "SandboxOptions",
    "Seeded",
    "Site",
    "Step",
    "Texts",
    "World",
    "audit",
    "build",
    "fault",
    "load_plan",
    "plan_from",
    "serve",
]
