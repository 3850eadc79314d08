"""The exception catalogue: every kind with its title, its cure and the actions that settle it.

Titles and cures are the words of the user guide where it has them. Raising one belongs to the
stages; what is in a particular exception belongs to `exception_record`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What staff can do about an exception."""

    RETRY = "retry"
    ACCEPT = "accept"
    RE_EXPORT = "re-export"
    RE_DATE = "re-date"
    VOID = "void"
    ADOPT = "adopt"
    SEND_AGAIN = "send again"
    MATCH = "match"
    BOTH_REAL = "both are real"
    NOT_FROM_ALGAPSA = "not from AlgaPSA"
    RECORD_REFUND = "record refund"
    APPLY = "apply"
    EXPORT = "export"
    PUSH = "push"
    LINK_CLIENT = "link client"
    LINK_INVOICE = "link invoice"
    RECONNECT = "reconnect"
    DISMISS = "dismiss"


class ExceptionKind(StrEnum):
    """What went wrong, one open exception per (realm, kind, record)."""

    CONNECTION_FAILED = "connection_failed"
    CONNECTION_EXPIRES = "connection_expires"
    ALGAPSA_NOT_READY = "algapsa_not_ready"
    NOTIFICATION_FAILED = "notification_failed"
    EXPORT_NOT_READY = "export_not_ready"
    EXPORT_FAILING = "export_failing"
    ALREADY_IN_QUICKBOOKS = "already_in_quickbooks"
    BEFORE_GO_LIVE = "before_go_live"
    PREPAYMENT = "prepayment"
    CLOSED_PERIOD = "closed_period"
    TOTAL_DIFFERENCE = "total_difference"
    ORPHAN = "orphan"
    UNKNOWN_INVOICE = "unknown_invoice"
    ALREADY_SETTLED = "already_settled"
    NON_PAYABLE = "non_payable"
    PAYMENT_CURRENCY = "payment_currency"
    PREPAID_REPLENISHMENT = "prepaid_replenishment"
    INVOICE_LOCKED = "invoice_locked"
    SAME_PAYMENT = "same_payment"
    PAYABLE_ONLINE = "payable_online"
    DRIFT_CHANGED = "drift_changed"
    DRIFT_GONE = "drift_gone"
    PAYMENT_DRIFT = "payment_drift"
    CHANGED_IN_ALGAPSA = "changed_in_algapsa"
    REOPENED_IN_ALGAPSA = "reopened_in_algapsa"
    DELETED_IN_ALGAPSA = "deleted_in_algapsa"
    VOIDED_IN_ALGAPSA = "voided_in_algapsa"
    VOID_FAILING = "void_failing"
    PUSH_INVOICE_NOT_MAPPED = "push_invoice_not_mapped"
    PUSH_CUSTOMER_NOT_MAPPED = "push_customer_not_mapped"
    PUSH_FAILING = "push_failing"
    PUSH_UNAPPLIED = "push_unapplied"
    REFUND_TO_RECORD = "refund_to_record"
    REVERSAL_TO_RECORD = "reversal_to_record"
    CREDIT_FAILING = "credit_failing"
    CREDIT_STILL_OPEN = "credit_still_open"
    CREDIT_USED_ELSEWHERE = "credit_used_elsewhere"
    CREDIT_CONSUMED = "credit_consumed"
    CREDIT_WAITING = "credit_waiting"
    CREDIT_PREPAYMENT = "credit_prepayment"
    CREDIT_DEPOSIT = "credit_deposit"
    CREDIT_NOT_EXPRESSIBLE = "credit_not_expressible"
    HISTORY_PAYMENTS = "history_payments"
    CUSTOMER_UNAVAILABLE = "customer_unavailable"
    UNREADABLE_CHANGE = "unreadable_change"
    STANDS_TWICE = "stands_twice"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """How a kind of exception is told: title, cure, and the actions it allows."""

    title: str
    cure: str
    actions: tuple[Action, ...]


CATALOGUE: dict[ExceptionKind, CatalogueEntry] = {
    ExceptionKind.CONNECTION_FAILED: CatalogueEntry(
        "Accounting connection failed authentication",
        "Reconnect the company: `qbo-sync connections reconnect REALM`.",
        (Action.RECONNECT,),
    ),
    ExceptionKind.CONNECTION_EXPIRES: CatalogueEntry(
        "Accounting connection expires in {days} days",
        "Reconnect ahead of the deadline to avoid a paused sync.",
        (Action.RECONNECT, Action.DISMISS),
    ),
    ExceptionKind.ALGAPSA_NOT_READY: CatalogueEntry(
        "AlgaPSA is not ready for the sync",
        "Do what the message says; `qbo-sync doctor` checks again at once. The next cycle goes on "
        "where this one stopped.",
        (Action.RETRY,),
    ),
    ExceptionKind.NOTIFICATION_FAILED: CatalogueEntry(
        "Notifications don't arrive",
        "Check the target's address; `qbo-sync notifications test REALM` sends a message. What was "
        "refused is sent with the next cycle, and this closes by itself once it arrives.",
        (Action.DISMISS,),
    ),
    ExceptionKind.EXPORT_NOT_READY: CatalogueEntry(
        "Scheduled accounting export failed validation",
        "Open the linked invoice and fix each cause listed. It is usually a missing customer, "
        "service, tax or term link. The next cycle exports it once they are fixed.",
        (Action.RETRY, Action.LINK_CLIENT, Action.DISMISS),
    ),
    ExceptionKind.EXPORT_FAILING: CatalogueEntry(
        "Scheduled accounting export keeps failing",
        "Open the linked invoice and fix the cause. It is usually a missing service, tax, or term "
        "mapping.",
        (Action.RETRY, Action.LINK_CLIENT, Action.LINK_INVOICE, Action.DISMISS),
    ),
    ExceptionKind.ALREADY_IN_QUICKBOOKS: CatalogueEntry(
        "Already in QuickBooks",
        "If it is the same invoice, link the two (`qbo-sync links import`). If it is another one, "
        "change one of the two numbers; the next cycle exports the invoice.",
        (Action.LINK_INVOICE, Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.BEFORE_GO_LIVE: CatalogueEntry(
        "Dated before go-live",
        "If it is in QuickBooks already, link the two. If it should go there with its own date, "
        "export it. If it belongs to the old books, dismiss this.",
        (Action.LINK_INVOICE, Action.EXPORT, Action.DISMISS),
    ),
    ExceptionKind.PREPAYMENT: CatalogueEntry(
        "Prepayment to record in QuickBooks",
        "A prepayment is not income yet, so it is not exported as an invoice. Record it in "
        "QuickBooks as your accountant books prepayments, with the amount shown, then link the "
        "invoice or dismiss this.",
        (Action.LINK_INVOICE, Action.DISMISS),
    ),
    ExceptionKind.CLOSED_PERIOD: CatalogueEntry(
        "Dated in a closed QuickBooks period",
        "Reopen the period in QuickBooks. What is new there may be re-dated to the day after the "
        "closing date instead; of what is to be voided or taken back, accept that QuickBooks "
        "keeps it. Until then it waits and nothing is sent.",
        (Action.RE_DATE, Action.ACCEPT, Action.RETRY, Action.DISMISS),
    ),
    # Its payments wait under it, so it cannot be put aside undecided.
    ExceptionKind.TOTAL_DIFFERENCE: CatalogueEntry(
        "Invoice total differs in QuickBooks",
        "QuickBooks computed another total than AlgaPSA, usually by its own sales tax or by "
        "rounding. Correct the invoice in QuickBooks, or accept the difference; the setting "
        "`accepted-cents` accepts a few cents by itself.",
        (Action.ACCEPT,),
    ),
    ExceptionKind.ORPHAN: CatalogueEntry(
        "Sent to QuickBooks, but its arrival can't be confirmed",
        "Look for the record in QuickBooks. If it is there, adopt it. If it is not, send it again. "
        "It is never sent a second time by itself.",
        (Action.ADOPT, Action.SEND_AGAIN, Action.DISMISS),
    ),
    ExceptionKind.UNKNOWN_INVOICE: CatalogueEntry(
        "QuickBooks payment references an unknown invoice",
        "Confirm the invoice was exported from AlgaPSA, or link it (`qbo-sync links import`). The "
        "payment applies itself at the next cycle after that.",
        (Action.LINK_INVOICE, Action.NOT_FROM_ALGAPSA, Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.ALREADY_SETTLED: CatalogueEntry(
        "QuickBooks payment targets an already-settled invoice",
        "Review the payment in QuickBooks. AlgaPSA leaves the duplicate or overpayment unapplied.",
        (Action.MATCH, Action.BOTH_REAL, Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.NON_PAYABLE: CatalogueEntry(
        "QuickBooks payment targets a non-payable invoice",
        "The invoice is a draft or was cancelled in AlgaPSA. Move the payment to the right invoice "
        "in QuickBooks, or finalize the invoice in AlgaPSA.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.PAYMENT_CURRENCY: CatalogueEntry(
        "QuickBooks payment is in another currency than its invoice",
        "Correct the payment's or the invoice's currency in QuickBooks. The payment applies itself "
        "once the currencies agree.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.PREPAID_REPLENISHMENT: CatalogueEntry(
        "QuickBooks payment is for a prepaid replenishment invoice",
        "Record this payment in AlgaPSA itself, which then grants the prepaid hours or credit; "
        "then match the two or dismiss this.",
        (Action.MATCH, Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.INVOICE_LOCKED: CatalogueEntry(
        "QuickBooks payment waits for a locked invoice",
        "Something in AlgaPSA has held the invoice for long: look for a job that hangs, or a "
        "database session that somebody left open. The payment applies itself at the next cycle "
        "after that.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.SAME_PAYMENT: CatalogueEntry(
        "Same payment on both sides?",
        "AlgaPSA and QuickBooks each hold a payment of the same amount on this invoice. If it is "
        "the same money, match the two; if both are real, say so. Until then nothing moves.",
        (Action.MATCH, Action.BOTH_REAL, Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.PAYABLE_ONLINE: CatalogueEntry(
        "Paid in QuickBooks, but still payable online",
        "Cancel the invoice's online payment link in AlgaPSA, so that the client cannot pay it a "
        "second time. This closes by itself once the link is gone.",
        (Action.DISMISS,),
    ),
    ExceptionKind.DRIFT_CHANGED: CatalogueEntry(
        "Exported invoice was changed in QuickBooks",
        "Accept the QuickBooks version if the change was intentional, or re-export from AlgaPSA if "
        "the AlgaPSA version is correct. Changing it back in QuickBooks also settles this.",
        (Action.ACCEPT, Action.RE_EXPORT, Action.DISMISS),
    ),
    ExceptionKind.DRIFT_GONE: CatalogueEntry(
        "Exported invoice was voided or deleted in QuickBooks",
        "Accept the QuickBooks version if the change was intentional, or re-export from AlgaPSA if "
        "the AlgaPSA version is correct.",
        (Action.ACCEPT, Action.RE_EXPORT, Action.DISMISS),
    ),
    ExceptionKind.PAYMENT_DRIFT: CatalogueEntry(
        "Applied payment was changed outside the sync",
        "A payment that AlgaPSA and QuickBooks shared was changed on one side. Accept the change, "
        "re-export AlgaPSA's payment, apply QuickBooks' version of a matched one in AlgaPSA, or "
        "correct the wrong one.",
        (Action.ACCEPT, Action.RE_EXPORT, Action.APPLY, Action.MATCH, Action.DISMISS),
    ),
    ExceptionKind.CHANGED_IN_ALGAPSA: CatalogueEntry(
        "Exported invoice was changed in AlgaPSA",
        "Re-export it if AlgaPSA is right, accept that QuickBooks keeps the exported version, or "
        "change it back in AlgaPSA. Nothing is sent until then; its payments keep flowing.",
        (Action.RE_EXPORT, Action.ACCEPT, Action.VOID, Action.DISMISS),
    ),
    ExceptionKind.REOPENED_IN_ALGAPSA: CatalogueEntry(
        "Exported invoice was reopened in AlgaPSA",
        "Finalize it again in AlgaPSA, or void it in QuickBooks. Its payments wait meanwhile.",
        (Action.VOID, Action.DISMISS),
    ),
    ExceptionKind.DELETED_IN_ALGAPSA: CatalogueEntry(
        "Exported invoice was deleted in AlgaPSA",
        "Void the invoice in QuickBooks if the sale did not happen, or accept that only QuickBooks "
        "has it.",
        (Action.VOID, Action.ACCEPT, Action.DISMISS),
    ),
    ExceptionKind.VOIDED_IN_ALGAPSA: CatalogueEntry(
        "Exported invoice was voided in AlgaPSA",
        "Void the invoice in QuickBooks too (if it has payments there, move or refund them first), "
        "or accept that QuickBooks keeps it.",
        (Action.VOID, Action.ACCEPT, Action.DISMISS),
    ),
    ExceptionKind.VOID_FAILING: CatalogueEntry(
        "Invoice void keeps failing in accounting",
        "Check whether the QuickBooks document still exists or has a payment applied, then retry.",
        (Action.RETRY, Action.ACCEPT, Action.DISMISS),
    ),
    ExceptionKind.PUSH_INVOICE_NOT_MAPPED: CatalogueEntry(
        "Payment push keeps failing — invoice not mapped in QBO",
        "Export the invoice first, then let the payment retry.",
        (Action.RETRY, Action.LINK_INVOICE, Action.DISMISS),
    ),
    ExceptionKind.PUSH_CUSTOMER_NOT_MAPPED: CatalogueEntry(
        "Payment push keeps failing — customer not mapped in QBO",
        "Link the client in the reconciliation wizard, then retry.",
        (Action.LINK_CLIENT, Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.PUSH_FAILING: CatalogueEntry(
        "Payment push keeps failing in accounting",
        "Open the invoice in QuickBooks, fix the cause that is told, then retry.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.PUSH_UNAPPLIED: CatalogueEntry(
        "Pushed payment was not applied to its invoice in QuickBooks",
        "Open the payment in QuickBooks and apply the rest of it to the invoice. This closes by "
        "itself once it is applied.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.REFUND_TO_RECORD: CatalogueEntry(
        "Refund to record in QuickBooks",
        "Record the refund in QuickBooks with the amount and date shown, then name the object that "
        "records it. The receipt itself is never edited.",
        (Action.RECORD_REFUND, Action.DISMISS),
    ),
    ExceptionKind.REVERSAL_TO_RECORD: CatalogueEntry(
        "Payment reversal to record in QuickBooks",
        "Take the payment out of its deposit, or reopen the period, then retry; or record the "
        "reversal in QuickBooks in another way and name the object that records it.",
        (Action.RETRY, Action.RECORD_REFUND, Action.DISMISS),
    ),
    ExceptionKind.CREDIT_FAILING: CatalogueEntry(
        "Credit application keeps failing in accounting",
        "Confirm both the credit note and the target invoice are exported, then retry.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.CREDIT_STILL_OPEN: CatalogueEntry(
        "QuickBooks applied a credit note that AlgaPSA still shows open",
        "Apply the same credit note to the same invoice in AlgaPSA, or remove the application in "
        "QuickBooks. Nothing is written meanwhile.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.CREDIT_USED_ELSEWHERE: CatalogueEntry(
        "Credit note is applied differently in QuickBooks",
        "Remove the application in QuickBooks, then AlgaPSA's is sent; or accept that the two "
        "systems used the credit note on different invoices.",
        (Action.ACCEPT, Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.CREDIT_CONSUMED: CatalogueEntry(
        "Credit was already applied in QuickBooks — Alga application not synced",
        "Open the credit memo in QuickBooks and take it off what it was applied to, so that the "
        "credit is free again; AlgaPSA's application is sent by itself then. If QuickBooks is "
        "right, dismiss this.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.CREDIT_WAITING: CatalogueEntry(
        "Credit application has been waiting on an invoice export for over a week",
        "Export the credit note and the invoice, or link them; the application follows by itself.",
        (Action.LINK_INVOICE, Action.DISMISS),
    ),
    ExceptionKind.CREDIT_PREPAYMENT: CatalogueEntry(
        "Prepayment credit applied to a synced invoice — QuickBooks not updated",
        "A prepayment has no credit memo in QuickBooks. Record its use there as your accountant "
        "books prepayments, with the amount shown, then dismiss this.",
        (Action.DISMISS,),
    ),
    ExceptionKind.CREDIT_DEPOSIT: CatalogueEntry(
        "Project deposit credit applied to a synced invoice — QuickBooks not updated",
        "A project deposit has no credit memo in QuickBooks. Record its use there as your "
        "accountant books deposits, with the amount shown, then dismiss this.",
        (Action.DISMISS,),
    ),
    ExceptionKind.CREDIT_NOT_EXPRESSIBLE: CatalogueEntry(
        "Credit that QuickBooks cannot express was applied to a synced invoice",
        "A prepayment, deposit, granted, transferred or expired credit has no credit memo in "
        "QuickBooks. Record it there as your accountant books it, then dismiss this.",
        (Action.DISMISS,),
    ),
    ExceptionKind.HISTORY_PAYMENTS: CatalogueEntry(
        "Payments from before the sync don't pair",
        "Say for each payment named what it is: match it with one of the other side, apply "
        "QuickBooks' payment in AlgaPSA, or push AlgaPSA's payment to QuickBooks. Nothing moves "
        "until then. If both sides are right as they stand, dismiss this.",
        (Action.MATCH, Action.APPLY, Action.PUSH, Action.DISMISS),
    ),
    ExceptionKind.CUSTOMER_UNAVAILABLE: CatalogueEntry(
        "Linked QuickBooks customer is no longer available",
        "Re-link the client to an active QuickBooks customer, or make this one active again.",
        (Action.LINK_CLIENT, Action.DISMISS),
    ),
    ExceptionKind.UNREADABLE_CHANGE: CatalogueEntry(
        "QuickBooks sent a record that can't be read",
        "Open the record in QuickBooks and save it again. If this stays, send the reference shown "
        "to support. All other records went on.",
        (Action.RETRY, Action.DISMISS),
    ),
    ExceptionKind.STANDS_TWICE: CatalogueEntry(
        "Record stands twice in QuickBooks",
        "It is linked to one QuickBooks object, and another one was created for it. Void, delete "
        "or make inactive the one named here, and this closes by itself; if both are right, "
        "dismiss this.",
        (Action.DISMISS,),
    ),
}
