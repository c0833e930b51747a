"""Bulk push-down (单据下推) for Kingdee K/3 Cloud (金蝶云星空), never twice.

A *number* is the bill number of a source bill; a *target* is a document that the ERP made
from it. The numbers of a *job file* travel in *chunks*; one sending of a chunk is an
*attempt*, which is in the *ledger* before it leaves. What an answer leaves open is *settled*
by asking the ERP.

Where to look:

- `core`: the rules, pure. `core.safety.verdict.judge` says whether a chunk may travel twice,
  `core.safety.evidence.conclude` what became of each number, `core.safety.legal_moves` which moves
  are legal; `core.protocol` speaks the ERP's language, `core.pacing` says how much is sent when.
- `ports`: what the rules need from outside. `adapters`: HTTP, ledgers, job files.
- `runs`: the use cases. `runs.execute` executes a run; `runs.engine` holds the tasks that go on
  side by side; `runs.sending.attempt` is the one door to the ERP.
- `config`, `words`, `wiring`: settings, sentences, and settings made into objects.
- `reporting`, `web`, `fleet`, `cli`: results, the dashboard, many machines, commands.
- `scripting`: pushing from Python, whose names stand here: `k3push.push(["CGDD0000017"])`.
- `simulator`: a stand-in K/3 Cloud server, which shares no code with the rest.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from k3push.scripting import *

__all__ = [
    "AsyncSession",
    "Bill",
    "Exit",
    "Forecast",
    "K3pushError",
    "Plan",
    "PlannedBill",
    "Result",
    "Row",
    "Session",
    "State",
    "Target",
    "open",
    "open_async",
    "push",
    "push_async",
]


def __getattr__(name: str) -> Any:
    # Imported when it is asked for: a command that only prints its help needs none of it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from k3push import scripting  # noqa: PLC0415

    return getattr(scripting, name)


def __dir__() -> list[str]:
    # What a person who asks in a notebook is offered.
    return __all__
