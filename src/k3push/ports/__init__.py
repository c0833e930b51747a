"""What the use cases need from the world outside, as verbs with their duties.

Adapters fulfil these; one contract suite holds every ledger to the same words.
"""

from k3push.ports.audit_reads import Inspection as Inspection
from k3push.ports.erp_calls import BELIEVED_AFTER_S as BELIEVED_AFTER_S
from k3push.ports.erp_calls import LAST_BELIEVED_AFTER_S as LAST_BELIEVED_AFTER_S
from k3push.ports.erp_calls import SHORTEST_WAIT_S as SHORTEST_WAIT_S
from k3push.ports.erp_calls import Erp as Erp
from k3push.ports.erp_calls import ErpBusyError as ErpBusyError
from k3push.ports.erp_calls import ErpUnreachableError as ErpUnreachableError
from k3push.ports.erp_calls import LoginBrokeError as LoginBrokeError
from k3push.ports.erp_calls import LoginRefusedError as LoginRefusedError
from k3push.ports.erp_calls import LookFailedError as LookFailedError
from k3push.ports.erp_calls import LookRefusedError as LookRefusedError
from k3push.ports.erp_calls import Turn as Turn
from k3push.ports.erp_calls import ask_again_in_s as ask_again_in_s
from k3push.ports.erp_calls import note_repeat as note_repeat
from k3push.ports.erp_calls import noting_repeats as noting_repeats
from k3push.ports.erp_calls import tell_of_wait as tell_of_wait
from k3push.ports.erp_calls import telling_of_waits as telling_of_waits
from k3push.ports.host import Clock as Clock
from k3push.ports.host import Once as Once
from k3push.ports.ledger_records import AttemptRecord as AttemptRecord
from k3push.ports.ledger_records import Commanded as Commanded
from k3push.ports.ledger_records import Doubt as Doubt
from k3push.ports.ledger_records import Glance as Glance
from k3push.ports.ledger_records import Holder as Holder
from k3push.ports.ledger_records import Identification as Identification
from k3push.ports.ledger_records import InHand as InHand
from k3push.ports.ledger_records import LatelySent as LatelySent
from k3push.ports.ledger_records import LedgerAwayError as LedgerAwayError
from k3push.ports.ledger_records import LedgerDamagedError as LedgerDamagedError
from k3push.ports.ledger_records import LedgerLostError as LedgerLostError
from k3push.ports.ledger_records import LostCall as LostCall
from k3push.ports.ledger_records import Made as Made
from k3push.ports.ledger_records import Memo as Memo
from k3push.ports.ledger_records import NoAttemptError as NoAttemptError
from k3push.ports.ledger_records import NoLedgerError as NoLedgerError
from k3push.ports.ledger_records import NoRunError as NoRunError
from k3push.ports.ledger_records import Note as Note
from k3push.ports.ledger_records import OtherRunStepsError as OtherRunStepsError
from k3push.ports.ledger_records import OtherSpellingError as OtherSpellingError
from k3push.ports.ledger_records import RunIdTakenError as RunIdTakenError
from k3push.ports.ledger_records import RunIsAliveError as RunIsAliveError
from k3push.ports.ledger_records import RunIsArchivedError as RunIsArchivedError
from k3push.ports.ledger_records import StepRecord as StepRecord
from k3push.ports.ledger_verbs import EVER_AFTER as EVER_AFTER
from k3push.ports.ledger_verbs import EVERY_CALL as EVERY_CALL
from k3push.ports.ledger_verbs import NEWEST_CALLS as NEWEST_CALLS
from k3push.ports.ledger_verbs import Ledger as Ledger
from k3push.ports.watch import Watch as Watch
