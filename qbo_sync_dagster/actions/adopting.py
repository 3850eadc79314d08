"""Whether the object that staff name can be what was sent, and the link that it then gets.

Judged by what polls brought: they reach back to every send, so what arrived has been seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.actions.payments import adopt_payment
from qbo_sync_dagster.domain.credit_identity import CreditIdentity
from qbo_sync_dagster.domain.credits import CreditParts
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.operation_kinds import (
    APPLY_CREDIT,
    CREATE_CUSTOMER,
    EXPORT_CREDIT_MEMO,
    EXPORT_INVOICE,
    LINKED_AS,
    PUSH_PAYMENT,
)
from qbo_sync_dagster.ledger import connections, credit_links, inbox, links, payment_links, postings
from qbo_sync_dagster.ledger.credit_links import NewCreditLink
from qbo_sync_dagster.ledger.operations import Operation
from qbo_sync_dagster.quickbooks.objects import parse_customer, parse_document, parse_payment
from qbo_sync_dagster.sync.engine import SyncEngine

_ENTITIES: Mapping[str, str] = {
    CREATE_CUSTOMER: "Customer",
    EXPORT_INVOICE: "Invoice",
    EXPORT_CREDIT_MEMO: "CreditMemo",
    APPLY_CREDIT: "Payment",
    PUSH_PAYMENT: "Payment",
}


def refuse_stranger(
    connection: sa.Connection, realm: str, operation: Operation, object_id: str
) -> None:
    """Raises ActionRefusedError, with why, unless the object can be what was sent."""
    entity = _ENTITIES[operation.kind]
    change = inbox.newest(connection, realm, entity, [object_id]).get(object_id)
    if change is None:
        raise _refusal(operation, f"QuickBooks has shown no {entity} with the id {object_id}")
    if change.deleted:
        raise _refusal(operation, f"{entity} {object_id} was deleted in QuickBooks")
    if entity == "Payment" and _is_taken(connection, realm, object_id):
        raise _refusal(operation, f"{entity} {object_id} is linked already")
    sent = postings.last_identity(connection, operation.operation_id)
    try:
        problem = _problem(operation.kind, change.payload, sent or {})
    except DomainError as error:
        raise ActionRefusedError(str(error)) from error
    if problem:
        raise _refusal(operation, f"{entity} {object_id} {problem}")


def refuse_entered(
    engine: SyncEngine,
    connection: sa.Connection,
    realm: str,
    operation: Operation,
    object_id: str,
) -> None:
    """Raises ActionRefusedError if AlgaPSA has entered the payment beside its own, AlgaPsaError.

    Adopted it would stand there twice, and nothing would ever take the second one back.
    """
    if operation.kind != PUSH_PAYMENT:
        return
    algapsa = engine.open_algapsa(connections.get(connection, realm))
    if any(algapsa.standing_payments(realm, [object_id]).get(object_id, {}).values()):
        raise _refusal(operation, f"Payment {object_id} is entered in AlgaPSA as another payment")


def _is_taken(connection: sa.Connection, realm: str, payment_id: str) -> bool:
    """Whether the payment is another record's; the database lets one answer several."""
    return bool(
        credit_links.of_payments(connection, realm, [payment_id])
        or payment_links.of_payments(connection, realm, [payment_id])
    )


def link_adopted(
    connection: sa.Connection, realm: str, operation: Operation, object_id: str
) -> None:
    """Link the object. Raises DoubleLinkError, and ActionRefusedError where nothing was sent."""
    if operation.kind == PUSH_PAYMENT:
        adopt_payment(connection, realm, operation, object_id)
    elif operation.kind == APPLY_CREDIT:
        _link_credit(connection, realm, operation, object_id)
    else:
        kind, generation = LINKED_AS[operation.kind], operation.generation
        new = links.NewLink(kind, operation.record_id, object_id, "adopted", generation=generation)
        links.add(connection, realm, [new])


def _link_credit(
    connection: sa.Connection, realm: str, operation: Operation, payment_id: str
) -> None:
    sent = postings.last_identity(connection, operation.operation_id)
    if sent is None:
        raise ActionRefusedError(f"{operation.label} was never sent.")
    identity = CreditIdentity.from_json(sent)
    memo, invoice = identity.memo_id, identity.invoice_id
    notes = links.by_quickbooks_id(connection, realm, "credit_memo", [memo])
    invoices = links.by_quickbooks_id(connection, realm, "invoice", [invoice])
    if memo not in notes or invoice not in invoices:
        raise _refusal(operation, "Its credit note or its invoice is no longer linked")
    parts = CreditParts(notes[memo].algapsa_id, invoices[invoice].algapsa_id, identity.minor)
    new = NewCreditLink(
        operation.record_id, payment_id, "adopted", parts, parts, operation.generation
    )
    credit_links.add(connection, realm, [new])
    inbox.reopen(connection, realm, "Payment", [payment_id])


def _problem(kind: str, payload: Mapping[str, Any], sent: Mapping[str, Any]) -> str | None:
    """What speaks against the object, as the end of a sentence about it."""
    if kind == CREATE_CUSTOMER:
        return None if parse_customer(payload).active else "is inactive: make it active first"
    if kind == APPLY_CREDIT:
        payment = parse_payment(payload)
        memos, invoices = dict(payment.credit_lines), dict(payment.invoice_lines)
        if sent and (sent["memo_id"] not in memos or sent["invoice_id"] not in invoices):
            return "does not bring that credit memo to that invoice"
        return None
    if kind == PUSH_PAYMENT:
        customer = parse_payment(payload).customer_id
    else:
        customer = parse_document(_ENTITIES[kind], payload).customer_id
    return "belongs to another customer" if sent and customer != sent["customer_id"] else None


def _refusal(operation: Operation, problem: str) -> ActionRefusedError:
    return ActionRefusedError(
        f"{problem}, so {operation.label} was not linked and nothing was changed. Look for the "
        "record in QuickBooks: its id is the number at the end of the page's address."
    )
