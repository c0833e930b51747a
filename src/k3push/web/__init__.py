"""The dashboard: runs, numbers and their evidence in a browser, and what people begin there.

It looks through `ports.Ledger` alone, whatever database is behind it. What is begun in it is
executed by `wiring.executor`, as on the command line. `asgi.dashboard` puts it together; `access`
decides who may come in.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from k3push.web.admission.access import Log as Log
    from k3push.web.admission.access import Rules as Rules
    from k3push.web.admission.connection_limits import Limits as Limits
    from k3push.web.admission.connection_limits import SeldomTold as SeldomTold
    from k3push.web.admission.connection_limits import room as room
    from k3push.web.admission.openid_rules import OpenId as OpenId
    from k3push.web.admission.roles import Role as Role
    from k3push.web.asgi import Dashboard as Dashboard
    from k3push.web.asgi import dashboard as dashboard
    from k3push.web.execution.lanes import Crowd as Crowd
    from k3push.web.execution.request_fulfilment import HandOver as HandOver
    from k3push.web.execution.request_work import Workshop as Workshop
    from k3push.web.execution.webhook_delivery import Messenger as Messenger
    from k3push.web.tenant_ledgers import ServedTenant as ServedTenant

# What the command line begins and asks, each with its module.
_MODULES = {
    "Crowd": "execution.lanes",
    "Dashboard": "asgi",
    "HandOver": "execution.request_fulfilment",
    "Limits": "admission.connection_limits",
    "Log": "admission.access",
    "Messenger": "execution.webhook_delivery",
    "OpenId": "admission.openid_rules",
    "Role": "admission.roles",
    "Rules": "admission.access",
    "SeldomTold": "admission.connection_limits",
    "ServedTenant": "tenant_ledgers",
    "Workshop": "execution.request_work",
    "dashboard": "asgi",
    "room": "admission.connection_limits",
}


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: a command that asks little loads little.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
