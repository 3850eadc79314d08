"""AlgaPSA as the rest of the engine meets it: one object per connection's tenant and time zone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa

from qbo_sync_dagster.algapsa import (
    documents,
    headers,
    mirror,
    movements,
    preflight,
    reference,
)
from qbo_sync_dagster.algapsa.headers import ExportScope
from qbo_sync_dagster.algapsa.payments_write import ACTIVE_LINKS, PaymentWriter
from qbo_sync_dagster.algapsa.sql import Source, translated_faults
from qbo_sync_dagster.domain.algapsa_payments import CreditApplication, NoteCredit, PaymentRecord
from qbo_sync_dagster.domain.algapsa_records import (
    Client,
    Document,
    DocumentHeader,
    Service,
    TaxRegion,
)

_EXISTING = """
    SELECT invoice_id::text FROM invoices
    WHERE tenant = :tenant AND invoice_id = ANY(CAST(:ids AS uuid[]))
"""
_NUMBERS = """
    SELECT invoice_number FROM invoices
    WHERE tenant = :tenant AND invoice_number = ANY(CAST(:numbers AS text[]))
"""
_IS_ENTERPRISE = "SELECT to_regclass('public.payment_webhook_events') IS NOT NULL"


class Edition(StrEnum):
    """Which AlgaPSA this is; it decides about payment links and mirroring."""

    COMMUNITY = "community"
    ENTERPRISE = "enterprise"


class AlgaPsa:
    """One tenant of an AlgaPSA database. Every method may raise an AlgaPsaError.

    `time_zone` is the IANA name by which an instant that is not midnight UTC becomes a book date.
    """

    def __init__(self, engine: sa.Engine, tenant: str, time_zone: str) -> None:
        self._source = Source(engine, tenant, time_zone)
        self._edition: Edition | None = None

    def edition(self) -> Edition:
        """The edition, asked once."""
        if self._edition is None:
            [[is_enterprise]] = self._source.fetch(_IS_ENTERPRISE)
            self._edition = Edition.ENTERPRISE if is_enterprise else Edition.COMMUNITY
        return self._edition

    def preflight(self, now: datetime) -> tuple[preflight.PreflightProblem, ...]:
        """What stands in the way of a cycle at the instant `now` of the ledger's clock."""
        return preflight.preflight(self._source, now)

    def clients(self) -> list[Client]:
        """Every client of the tenant."""
        return reference.clients(self._source)

    def services(self) -> list[Service]:
        """Every service of the tenant's catalogue."""
        return reference.services(self._source)

    def tax_regions(self) -> list[TaxRegion]:
        """Every tax region of the tenant."""
        return reference.tax_regions(self._source)

    def document_headers(self, ids: Collection[str]) -> list[DocumentHeader]:
        """The documents of `ids` whatever their state, oldest first, without those that are
        gone."""
        with self._source.snapshot() as snapshot:
            return headers.document_headers(snapshot, ids)

    def headers_by_number(
        self, scope: ExportScope, numbers: Collection[str]
    ) -> list[DocumentHeader]:
        """The documents of the scope that carry one of the numbers."""
        with self._source.snapshot() as snapshot:
            found = headers.ids_by_number(snapshot, scope, numbers)
            return headers.document_headers(snapshot, found)

    def ids_in_scope(self, scope: ExportScope, page: int = 1000) -> Iterator[list[str]]:
        """The ids of the scope's documents, by date and number, a page at a time."""
        with self._source.snapshot() as snapshot:
            yield from headers.ids_in_scope(snapshot, scope, page)

    def mapped_ids_in_scope(self, scope: ExportScope, page: int = 1000) -> Iterator[list[str]]:
        """The ids of the scope's documents with a mapping that is not ours, a page at a time."""
        with self._source.snapshot() as snapshot:
            yield from headers.mapped_ids(snapshot, scope, page)

    def documents(self, ids: Collection[str]) -> dict[str, Document]:
        """Documents with their lines by invoice id; without those that are gone."""
        with self._source.snapshot() as snapshot:
            return documents.documents(snapshot, ids)

    def existing(self, ids: Collection[str]) -> set[str]:
        """Those of the invoice ids that AlgaPSA still has, draft or not."""
        with self._source.snapshot() as snapshot:
            return {row[0] for row in snapshot.fetch_by_ids(_EXISTING, ids)}

    def payments(self, invoice_ids: Collection[str]) -> list[PaymentRecord]:
        """Every payment row of the invoices, oldest first."""
        with self._source.snapshot() as snapshot:
            return movements.payments(snapshot, invoice_ids)

    def credit_applications(
        self, invoice_ids: Collection[str] | None = None
    ) -> list[CreditApplication]:
        """What credits gave to the invoices, oldest first, reversed ones included.

        Without ids all of the tenant's: one that is missing there is certainly gone.
        """
        with self._source.snapshot() as snapshot:
            found = movements.credit_applications(snapshot)
        return [each for each in found if invoice_ids is None or each.invoice_id in invoice_ids]

    def note_credits(self) -> list[NoteCredit]:
        """What is left of the credit of each credit note."""
        with self._source.snapshot() as snapshot:
            return movements.note_credits(snapshot)

    def invoices_with_own_payments(self, dated_from: date, created_from: datetime) -> list[str]:
        """Ids of invoices with a payment of AlgaPSA's own, dated or created from then on."""
        with self._source.snapshot() as snapshot:
            return movements.invoices_with_own_payments(snapshot, dated_from, created_from)

    def invoices_of_payments(self, payment_ids: Collection[str]) -> dict[str, str]:
        """The invoice id of each payment row, without rows that are gone."""
        with self._source.snapshot() as snapshot:
            return movements.invoices_of(snapshot, payment_ids)

    def has_payments(self) -> bool:
        """Whether any payment row is there, of whatever invoice."""
        with self._source.snapshot() as snapshot:
            return movements.has_payments(snapshot)

    def standing_payments(
        self, realm: str, payment_ids: Collection[str]
    ) -> dict[str, dict[str, int]]:
        """Per QuickBooks payment its net, in minor units, on each invoice with rows of ours."""
        with self._source.snapshot() as snapshot:
            return movements.standing_nets(snapshot, realm, payment_ids)

    def numbers_in_use(self, numbers: Collection[str]) -> set[str]:
        """Those of the numbers that an invoice of the tenant carries."""
        rows = self._source.fetch(_NUMBERS, numbers=sorted(set(numbers))) if numbers else []
        return {row[0] for row in rows}

    def payable_online(self) -> set[str]:
        """Ids of invoices that their clients can pay by an active link; none on Community."""
        if self.edition() is Edition.COMMUNITY:
            return set()
        return {row[0] for row in self._source.fetch(ACTIVE_LINKS)}

    def mirror_links(self, realm: str, links: Mapping[str, str]) -> set[str]:
        """Have AlgaPSA protect linked invoices (invoice id to QuickBooks id); Community only.

        Returns those that a mapping of ours protects now.
        """
        if not links or self.edition() is Edition.ENTERPRISE:
            return set()
        return mirror.mirror(self._source, realm, links)

    def unmirror(self, realm: str, invoice_ids: Collection[str]) -> set[str]:
        """Take our protection off invoices; returns those that had it."""
        return mirror.unmirror(self._source, realm, invoice_ids) if invoice_ids else set()

    @contextmanager
    def payment_writer(self) -> Iterator[PaymentWriter]:
        """One database connection on which payments are written, each in its own transaction."""
        with translated_faults(), self._source.engine.connect() as connection:
            yield PaymentWriter(connection, self._source)
