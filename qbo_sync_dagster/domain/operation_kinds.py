"""The kinds of outbound operations: what each links once it is done, and whose record it concerns.

What belongs here: facts that hold for every operation of a kind. What does not: how one is
prepared, sent and settled (sync), and which one is due (the rules beside this file).
"""

from __future__ import annotations

from collections.abc import Mapping

CREATE_CUSTOMER = "create_customer"
EXPORT_INVOICE = "export_invoice"
EXPORT_CREDIT_MEMO = "export_credit_memo"
UPDATE_DOCUMENT = "update_document"
VOID_DOCUMENT = "void_document"
APPLY_CREDIT = "apply_credit"
REMOVE_CREDIT = "remove_credit"
PUSH_PAYMENT = "push_payment"
CHANGE_PAYMENT = "change_payment"

# Creates only: a record that has a live link of that kind is never created again.
LINKED_AS: Mapping[str, str] = {
    CREATE_CUSTOMER: "client",
    EXPORT_INVOICE: "invoice",
    EXPORT_CREDIT_MEMO: "credit_memo",
    APPLY_CREDIT: "credit_application",
    PUSH_PAYMENT: "payment",
}
# The word before the colon in an exception's record. To AlgaPSA a credit note is an invoice.
RECORD_KINDS: Mapping[str, str] = {
    CREATE_CUSTOMER: "client",
    EXPORT_INVOICE: "invoice",
    EXPORT_CREDIT_MEMO: "invoice",
    UPDATE_DOCUMENT: "invoice",
    VOID_DOCUMENT: "invoice",
    APPLY_CREDIT: "credit_application",
    REMOVE_CREDIT: "credit_application",
    PUSH_PAYMENT: "payment",
    CHANGE_PAYMENT: "payment",
}


def exception_record(kind: str, record_id: str) -> str:
    """The key that exceptions about this operation's record bear."""
    return f"{RECORD_KINDS[kind]}:{record_id}"
