"""AlgaPSA's own payments as actions meet them: read when staff decide, out of the queue if need be.

What belongs here: what several actions on payments have in common. What does not: any decision.
"""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.actions.errors import ActionRefusedError
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.money import to_minor
from qbo_sync_dagster.domain.operation_kinds import PUSH_PAYMENT
from qbo_sync_dagster.domain.own_money import Receipt, own_money
from qbo_sync_dagster.ledger import (
    connections,
    credit_links,
    decisions,
    inbox,
    links,
    operations,
    payment_links,
    postings,
)
from qbo_sync_dagster.ledger.payment_links import NewPaymentLink
from qbo_sync_dagster.quickbooks.objects import parse_payment
from qbo_sync_dagster.sync.doubt_payments import sent_payment
from qbo_sync_dagster.sync.engine import SyncEngine


def receipt_of(engine: SyncEngine, connection: sa.Connection, realm: str, row_id: str) -> Receipt:
    """The payment that AlgaPSA received in this row. Raises ActionRefusedError, AlgaPsaError."""
    algapsa = engine.open_algapsa(connections.get(connection, realm))
    invoices = algapsa.invoices_of_payments([row_id])
    if row_id not in invoices:
        raise ActionRefusedError(f"AlgaPSA has no payment {row_id} any more.")
    recorded = {
        each.record.removeprefix("payment:")
        for each in decisions.of_kind(connection, realm, "refund_recorded")
    }
    money = own_money(algapsa.payments([invoices[row_id]]), recorded)
    for receipt in money.receipts:
        if receipt.row_id == row_id:
            return receipt
    raise ActionRefusedError(f"AlgaPSA's payment {row_id} was not received by AlgaPSA itself.")


def is_row(record_id: str) -> bool:
    """Whether the id is that of a payment row of AlgaPSA and not of a QuickBooks payment."""
    return "-" in record_id


def withdraw_push(connection: sa.Connection, realm: str, row_id: str) -> None:
    """Take the row's push out of the queue. Raises ActionRefusedError while it is being sent."""
    filed = operations.of_records(connection, realm, {PUSH_PAYMENT: row_id}, lock=True)
    if any(operation.state == "posting" for operation in filed):
        raise ActionRefusedError(
            "AlgaPSA's payment is being sent to QuickBooks at this moment. Look again after the "
            "next cycle."
        )
    ids = [operation.operation_id for operation in filed]
    operations.change(connection, ids, "cancelled", reason="Staff matched it.")


def adopt_payment(
    connection: sa.Connection, realm: str, operation: operations.Operation, payment_id: str
) -> None:
    """Link a QuickBooks payment to the receipt that was sent; polls then show what it is.

    Raises DoubleLinkError, and ActionRefusedError where nothing was sent.
    """
    sent = postings.last_identity(connection, operation.operation_id)
    if sent is None:
        raise ActionRefusedError(f"{operation.label} was never sent.")
    new = NewPaymentLink(
        operation.record_id,
        payment_id,
        str(sent["invoice_id"]),
        "adopted",
        sent_payment(sent).as_json(),
        generation=operation.generation,
    )
    payment_links.add(connection, realm, [new])
    inbox.reopen(connection, realm, "Payment", [payment_id])


def shown_by_algapsa(
    engine: SyncEngine, connection: sa.Connection, realm: str, invoice_id: str, payment_id: str
) -> int:
    """What AlgaPSA shows of a QuickBooks payment on an invoice already, in minor units.

    Rows that came with it, and credit that was matched with it. Raises AlgaPsaError.
    """
    algapsa = engine.open_algapsa(connections.get(connection, realm))
    rows = algapsa.standing_payments(realm, [payment_id]).get(payment_id, {})
    matched = credit_links.of_payments(connection, realm, [payment_id])
    parts = (each.in_quickbooks for each in matched if each.state == "live" and each.in_quickbooks)
    credit = sum(each.minor for each in parts if each.invoice_id == invoice_id)
    return rows.get(invoice_id, 0) + credit


def held_by_quickbooks(
    connection: sa.Connection, realm: str, invoice_id: str, payment_id: str
) -> int:
    """What a QuickBooks payment gives to an AlgaPSA invoice, as polls brought it, in minor units.

    Raises ActionRefusedError where that cannot be said.
    """
    found = inbox.newest(connection, realm, "Payment", [payment_id]).get(payment_id)
    linked = links.by_algapsa_id(connection, realm, "invoice", [invoice_id])
    if found is None or found.deleted or invoice_id not in linked:
        raise ActionRefusedError(
            f"QuickBooks payment {payment_id} is not known on that invoice, or was deleted."
        )
    quickbooks_id = linked[invoice_id].quickbooks_id
    try:
        payment = parse_payment(found.payload)
        return sum(
            to_minor(amount)
            for invoice, amount in payment.invoice_lines
            if invoice == quickbooks_id
        )
    except DomainError as error:
        raise ActionRefusedError(str(error)) from error
