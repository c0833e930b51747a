"""Was each document submitted and approved as a ledger tells, once, and nobody else's?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from k3push.simulator.books.bills import APPROVED, IN_APPROVAL, Bill
from k3push.simulator.books.documents import Documents
from k3push.simulator.books.history import Deed, Maker
from k3push.simulator.books.orders import Operation

_FOLLOWED = frozenset({Operation.SUBMIT, Operation.AUDIT})


def check_follow(
    told: str, number: str, bills: Sequence[Bill], documents: Documents
) -> Iterator[str]:
    """Compare what a row tells of following with what was done with the documents it names.

    A person may have gone on since, so that a status need only have been reached.

    Args:
        told: Empty, `submitted`, `approved`, `waiting`, `refused` or `unknown`.
        bills: The documents that it names.
    """
    if told in {"", "unknown"}:
        return
    if not bills:
        yield f"{number}: follow is `{told}`, and no document is named"
        return
    approved = [bill for bill in bills if _reached(bill, APPROVED, documents)]
    match told:
        case "approved" if len(approved) < len(bills):
            yield f"{number}: follow is `approved`, yet {_listed(bills)} was not"
        case "submitted" if not all(
            _reached(bill, IN_APPROVAL, documents) or bill in approved for bill in bills
        ):
            yield f"{number}: follow is `submitted`, yet {_listed(bills)} was not"
        case "submitted" | "refused" if all(_stays_approved(bill, documents) for bill in bills):
            yield f"{number}: follow is `{told}`, yet {_listed(bills)} was approved"
        case "waiting" if not any(documents.flows.was_in(bill) for bill in bills):
            yield f"{number}: follow is `waiting`, yet {_listed(bills)} was in no flow"
        case "submitted" | "approved" | "waiting" | "refused":
            pass
        case _:
            yield f"{number}: follow is `{told}`, which is no state"


def check_documents(
    documents: Documents, own: Mapping[int, Bill], told: Collection[str] | None
) -> Iterator[str]:
    """Find calls and approvals that must not have been.

    Args:
        own: The documents that the client may submit and approve, by id.
        told: The ids of the documents that rows say were followed; None where rows tell nothing.
    """
    for bill_id in documents.history.named:
        bill = own.get(bill_id)
        if bill is None:
            yield f"document {bill_id}: named in a call, and it is not the client's"
            continue
        name = f"document {bill.number or bill.id}"
        for deeds in (_approvals(bill, documents), _submits(bill, documents)):
            if len(deeds) > 1:
                yield f"{name}: {deeds[0].operation} done {len(deeds)} times"
        if _approvals(bill, documents) and documents.flows.running(bill) is not None:
            yield f"{name}: approved past its flow"
        if _submits(bill, documents) and told is not None and str(bill_id) not in told:
            yield f"{name}: submitted, and no row tells of it"
        for before, call in pairwise(documents.history.calls_of(bill)):
            if {before.operation, call.operation} <= _FOLLOWED and not call.looked:
                yield f"{name}: {call.operation} after {before.operation}, without a look between"


def _approvals(bill: Bill, documents: Documents) -> list[Deed]:
    return _own_deeds(bill, Operation.AUDIT, documents)


def _stays_approved(bill: Bill, documents: Documents) -> bool:
    """Say whether the client has approved a document, and nobody has taken that back."""
    return bill.status == APPROVED and bool(_approvals(bill, documents))


def _submits(bill: Bill, documents: Documents) -> list[Deed]:
    return _own_deeds(bill, Operation.SUBMIT, documents)


def _own_deeds(bill: Bill, operation: Operation, documents: Documents) -> list[Deed]:
    return [
        deed
        for deed in documents.history.deeds_of(bill)
        if deed.operation is operation and deed.by.maker is Maker.CLIENT
    ]


def _reached(bill: Bill, status: str, documents: Documents) -> bool:
    return bill.status == status or any(
        deed.after == status for deed in documents.history.deeds_of(bill)
    )


def _listed(bills: Sequence[Bill]) -> str:
    return ", ".join(bill.number or str(bill.id) for bill in bills)
