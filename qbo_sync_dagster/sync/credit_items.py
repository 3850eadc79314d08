"""Credit applications about to be sent: both documents linked, and as QuickBooks shows them now.

What belongs here: what the queue and the levels share about them. What does not: judging them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta

from qbo_sync_dagster.domain.algapsa_payments import CreditApplication
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.ledger import links, operations
from qbo_sync_dagster.quickbooks.objects import (
    CreditMemo,
    Invoice,
    parse_credit_memo,
    parse_invoice,
)
from qbo_sync_dagster.sync.context import CycleContext

CLOSED = "closed period"
DISPUTED = "credit used differently"
SHORT = "credit or invoice too small"
# What frees the credit need not move the memo, so it is looked at again now and then.
LOOK_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CreditItem:
    """An application whose two documents are linked, with their QuickBooks ids."""

    operation: operations.Operation
    application: CreditApplication
    memo: links.Link
    invoice: links.Link

    @property
    def day(self) -> date:
        """The date that it goes with: AlgaPSA's, or the one that staff gave it."""
        given = self.operation.detail.get("date")
        return date.fromisoformat(str(given)) if given else self.application.date

    @property
    def fingerprint(self) -> str:
        """What it was last refused for: another version of either document may take it."""
        return tokens(self.memo, self.invoice)


def tokens(memo: links.Link, invoice: links.Link) -> str:
    """The versions of the two documents that an application links."""
    return f"{memo.quickbooks_id}.{memo.sync_token} {invoice.quickbooks_id}.{invoice.sync_token}"


@dataclass(frozen=True, slots=True)
class CreditDocuments:
    """The documents as QuickBooks shows them right before sending, by id."""

    memos: Mapping[str, CreditMemo]
    invoices: Mapping[str, Invoice]


def read_documents(ctx: CycleContext, items: Iterable[CreditItem]) -> CreditDocuments:
    """Both documents of each item, in one query per sort. Raises the gateway's errors."""
    items = list(items)
    memo_ids = sorted({item.memo.quickbooks_id for item in items})
    invoice_ids = sorted({item.invoice.quickbooks_id for item in items})
    memos: dict[str, CreditMemo] = {}
    invoices: dict[str, Invoice] = {}
    for raw in ctx.quickbooks.query_in("CreditMemo", "Id", memo_ids):
        with suppress(DomainError):
            memos[raw.id] = parse_credit_memo(raw.payload)
    for raw in ctx.quickbooks.query_in("Invoice", "Id", invoice_ids):
        with suppress(DomainError):
            invoices[raw.id] = parse_invoice(raw.payload)
    return CreditDocuments(memos, invoices)
