"""Invoices and credit notes: what each is called in the ledger, in QuickBooks and by people.

To AlgaPSA a credit note is an invoice over a negative amount. To QuickBooks it is a CreditMemo
over the positive one, an object of its own sort.
"""

from __future__ import annotations

from dataclasses import dataclass

from qbo_sync_dagster.domain.algapsa_records import DocumentHeader
from qbo_sync_dagster.domain.operation_kinds import EXPORT_CREDIT_MEMO, EXPORT_INVOICE


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A sort of document: its link's kind, its entity, the operation that creates it."""

    link_kind: str
    entity: str
    export: str
    noun: str


INVOICE = DocumentKind("invoice", "Invoice", EXPORT_INVOICE, "Invoice")
CREDIT_MEMO = DocumentKind("credit_memo", "CreditMemo", EXPORT_CREDIT_MEMO, "Credit note")
DOCUMENT_KINDS = (INVOICE, CREDIT_MEMO)
EXPORTS = tuple(kind.export for kind in DOCUMENT_KINDS)
BY_LINK_KIND = {kind.link_kind: kind for kind in DOCUMENT_KINDS}
BY_ENTITY = {kind.entity: kind for kind in DOCUMENT_KINDS}


def kind_of(header: DocumentHeader) -> DocumentKind:
    """What a document of AlgaPSA is in QuickBooks."""
    return CREDIT_MEMO if header.is_credit_note else INVOICE
