"""AlgaPSA as it would stand: reads are real, writes are noted and never made.

Payments planned later see those noted earlier, so that two payments on one invoice are judged as
they would be if the first had been written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import cast

from qbo_sync_dagster.algapsa.gateway import AlgaPsa, Edition
from qbo_sync_dagster.algapsa.payments_write import PaymentWriter
from qbo_sync_dagster.domain.payment_plan import PaymentPlan, PaymentRow
from qbo_sync_dagster.domain.payment_standing import InvoiceState, StandingRow
from qbo_sync_dagster.domain.payment_wanted import WantedPayment


@dataclass(frozen=True, slots=True)
class NotedRow:
    """A payment row that would be written; `number` and `currency` are its invoice's."""

    wanted: WantedPayment
    row: PaymentRow
    number: str
    currency: str


@dataclass(slots=True)
class Notes:
    """What would have been written to AlgaPSA so far."""

    rows: list[NotedRow] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
    protected: dict[str, str] = field(default_factory=dict)


class RehearsalAlgaPsa(AlgaPsa):
    """One tenant of an AlgaPSA database that is only read; `notes` are the writes."""

    notes: Notes

    def mirror_links(self, realm: str, links: Mapping[str, str]) -> set[str]:
        """Note which invoices AlgaPSA would be told to protect; Community only."""
        if self.edition() is Edition.ENTERPRISE:
            return set()
        self.notes.protected |= links
        return set(links)

    def unmirror(self, realm: str, invoice_ids: Collection[str]) -> set[str]:
        """Take nothing off."""
        return set()

    @contextmanager
    def payment_writer(self) -> Iterator[PaymentWriter]:
        """A writer that notes rows instead of writing them."""
        with super().payment_writer() as writer:
            yield cast("PaymentWriter", _RehearsalWriter(writer, self.notes))


@dataclass(frozen=True, slots=True)
class _RehearsalTransaction:
    """What stands for one payment, with what was noted; `write` notes more."""

    standing: tuple[StandingRow, ...]
    invoices: Mapping[str, InvoiceState]
    notes: Notes

    def write(self, wanted: WantedPayment, plan: PaymentPlan) -> None:
        """Note the plan's rows and statuses."""
        for row in plan.rows:
            invoice = self.invoices[row.invoice_id]
            self.notes.numbers[row.invoice_id] = invoice.number
            self.notes.rows.append(NotedRow(wanted, row, invoice.number, invoice.currency))
        self.notes.statuses |= {each.invoice_id: each.status for each in plan.statuses}


class _RehearsalWriter:
    """Reads under the real locks, one payment at a time, and writes nothing."""

    def __init__(self, writer: PaymentWriter, notes: Notes) -> None:
        self._writer = writer
        self._notes = notes

    @contextmanager
    def transaction(
        self,
        realm: str,
        payment_id: str,
        invoice_ids: Collection[str],
        matched_rows: Collection[str] = (),
    ) -> Iterator[_RehearsalTransaction]:
        """What stands for the payment, as it would after the noted writes."""
        with self._writer.transaction(realm, payment_id, invoice_ids, matched_rows) as real:
            own = [each for each in self._notes.rows if each.wanted.payment_id == payment_id]
            standing = (*real.standing, *(_standing(each) for each in own))
            yield _RehearsalTransaction(standing, self._invoices(real.invoices), self._notes)

    def _invoices(self, real: Mapping[str, InvoiceState]) -> dict[str, InvoiceState]:
        added: defaultdict[str, int] = defaultdict(int)
        for each in self._notes.rows:
            added[each.row.invoice_id] += each.row.minor
        return {
            invoice_id: replace(
                state,
                paid_minor=state.paid_minor + added[invoice_id],
                status=self._notes.statuses.get(invoice_id, state.status),
            )
            for invoice_id, state in real.items()
        }


def _standing(noted: NotedRow) -> StandingRow:
    row = noted.row
    return StandingRow(
        row.row_id,
        row.invoice_id,
        row.minor,
        row.kind,
        row.date,
        row.version,
        row.reverses,
        records_deletion=bool(row.reverses) and noted.wanted.is_deleted,
    )
