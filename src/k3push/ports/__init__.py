"""What the use cases need from the world outside, as verbs with their duties.

Adapters fulfil these; one contract suite holds every ledger to the same words.
"""

from k3push.ports.audit_reads import Inspection
from k3push.ports.erp_calls import (
    BELIEVED_AFTER_S,
    LAST_BELIEVED_AFTER_S,
    SHORTEST_WAIT_S,
    Erp,
    ErpBusyError,
    ErpUnreachableError,
    LoginRefusedError,
    LookFailedError,
    LookRefusedError,
    Turn,
    ask_again_in_s,
)
from k3push.ports.host import Clock, Once
from k3push.ports.ledger_records import (
    AttemptRecord,
    Commanded,
    Doubt,
    Glance,
    Holder,
    Identification,
    InHand,
    LatelySent,
    LedgerDamagedError,
    LedgerLostError,
    Made,
    Memo,
    NoLedgerError,
    Note,
    OtherRunStepsError,
    OtherSpellingError,
    RunIdTakenError,
    RunIsAliveError,
    RunIsArchivedError,
    StepRecord,
)
from k3push.ports.ledger_verbs import Ledger
from k3push.ports.watch import Watch

__all__ = [
    "BELIEVED_AFTER_S",
    "LAST_BELIEVED_AFTER_S",
    "SHORTEST_WAIT_S",
    "AttemptRecord",
    "Clock",
    "Commanded",
    "Doubt",
    "Erp",
    "ErpBusyError",
    "ErpUnreachableError",
    "Glance",
    "Holder",
    "Identification",
    "InHand",
    "Inspection",
    "LatelySent",
    "Ledger",
    "LedgerDamagedError",
    "LedgerLostError",
    "LoginRefusedError",
    "LookFailedError",
    "LookRefusedError",
    "Made",
    "Memo",
    "NoLedgerError",
    "Note",
    "Once",
    "OtherRunStepsError",
    "OtherSpellingError",
    "RunIdTakenError",
    "RunIsAliveError",
    "RunIsArchivedError",
    "StepRecord",
    "Turn",
    "Watch",
    "ask_again_in_s",
]
