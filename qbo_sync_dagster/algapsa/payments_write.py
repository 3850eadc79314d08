"""Writing one QuickBooks payment into AlgaPSA, under locks, the way AlgaPSA itself writes one.

Belongs here: the locks, what is read under them, the rows. Does not: deciding which rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from qbo_sync_dagster.algapsa.errors import PaymentRowTakenError
from qbo_sync_dagster.algapsa.payment_statements import PaymentStatements
from qbo_sync_dagster.algapsa.sql import METADATA_KEY, Source, translated_faults, uuids
from qbo_sync_dagster.domain.payment_ids import lock_key
from qbo_sync_dagster.domain.payment_plan import PaymentPlan, PaymentRow
from qbo_sync_dagster.domain.payment_standing import InvoiceState, RowKind, StandingRow
from qbo_sync_dagster.domain.payment_wanted import WantedPayment
from qbo_sync_dagster.domain.same_money import LocalKind, LocalMoney

_MAX_REFERENCE = 255
_UNIQUE_VIOLATION = "23505"

ACTIVE_LINKS = """
    SELECT DISTINCT invoice_id::text FROM invoice_payment_links
    WHERE tenant = :tenant AND status = 'active' AND COALESCE(expires_at > now(), true)
"""
_HAS_LINKS = "SELECT to_regclass('public.invoice_payment_links') IS NOT NULL"


@dataclass(frozen=True, slots=True)
class PaymentTransaction:
    """An open AlgaPSA transaction that holds one payment's locks.

    `standing` are the rows that stand for the payment and `invoices` the invoices that AlgaPSA
    has, both as they are under the locks.
    """

    standing: tuple[StandingRow, ...]
    invoices: Mapping[str, InvoiceState]
    _clients: Mapping[str, str] = field(repr=False)
    _statements: PaymentStatements = field(repr=False)
    _tenant: str = field(repr=False)

    def write(self, wanted: WantedPayment, plan: PaymentPlan) -> None:
        """Append the plan's rows and set its statuses; they are there once the context ends.

        Raises PaymentRowTakenError if a row with a computed id exists already: it was not among
        the standing rows, so writing on could double the payment.
        """
        if plan.is_empty:
            return
        values = {
            "tenant": self._tenant,
            "payments": json.dumps([self._payment(wanted, row) for row in plan.rows]),
            "transactions": json.dumps([self._transaction(wanted, row) for row in plan.rows]),
            "paid_ids": [each.invoice_id for each in plan.statuses],
            "statuses": [each.status for each in plan.statuses],
        }
        with translated_faults(), _row_ids_are_free(wanted):
            self._statements.write(values)

    def _payment(self, wanted: WantedPayment, row: PaymentRow) -> dict[str, object]:
        return {
            "tenant": self._tenant,
            "payment_id": row.row_id,
            "invoice_id": row.invoice_id,
            "amount": row.minor,
            "payment_method": "quickbooks",
            # A reversal happens now; which day it belongs to stands in its metadata.
            "payment_date": None if row.reverses else f"{row.date.isoformat()}T00:00:00Z",
            "reference_number": _reference(wanted, row),
            "notes": f"QuickBooks {_label(wanted)} {wanted.payment_id} {_event(wanted, row)}",
            "status": "reversed" if row.reverses else "completed",
            "metadata": {METADATA_KEY: _key(wanted, row)},
        }

    def _transaction(self, wanted: WantedPayment, row: PaymentRow) -> dict[str, object]:
        currency = self.invoices[row.invoice_id].currency
        return {
            "tenant": self._tenant,
            "transaction_id": row.transaction_id,
            "invoice_id": row.invoice_id,
            "client_id": self._clients[row.invoice_id],
            "type": "payment_reversal" if row.reverses else "payment",
            "amount": row.minor,
            "status": "completed",
            "currency_code": currency,
            "description": f"QuickBooks {_label(wanted)} {_event(wanted, row)}",
            "reference_number": _reference(wanted, row),
            "related_transaction_id": row.reverses_transaction,
            "metadata": _context(wanted, row, currency),
        }


class PaymentWriter:
    """Writes payments one after the other, each in its own transaction on one connection."""

    def __init__(self, connection: sa.Connection, source: Source) -> None:
        self._connection = connection
        self._source = source
        self._statements = PaymentStatements(connection)
        self._payable_online = self._active_payment_links()

    @contextmanager
    def transaction(
        self,
        realm: str,
        payment_id: str,
        invoice_ids: Collection[str],
        matched_rows: Collection[str] = (),
    ) -> Iterator[PaymentTransaction]:
        """Lock the payment, then its invoices in id order, and show what stands.

        `invoice_ids` are all invoices that the payment pays or ever paid. It commits when
        the context ends well and writes nothing otherwise. Raises AlgaPsaBusyError when others
        hold the invoices for more than 5 seconds.
        """
        values = {"lock": lock_key(realm, payment_id), "ids": uuids(invoice_ids)}
        with translated_faults(), self._opened(values) as found:
            owner = _Owner(realm, payment_id, frozenset(matched_rows))
            states = {row.invoice_id: self._state(row, owner) for row in found}
            standing = tuple(each for row in found for each in _standing(row, owner))
            clients = {row.invoice_id: row.client_id for row in found}
            yield PaymentTransaction(
                standing, states, clients, self._statements, self._source.tenant
            )

    @contextmanager
    def _opened(self, values: Mapping[str, object]) -> Iterator[Sequence[sa.Row[Any]]]:
        begun, found = self._begun(self._source.bind(values))
        with begun:
            yield found

    def _begun(
        self, values: Mapping[str, object]
    ) -> tuple[sa.RootTransaction, Sequence[sa.Row[Any]]]:
        begun = self._connection.begin()
        try:
            return begun, self._statements.open(values)
        except BaseException as error:
            begun.rollback()
            if not (isinstance(error, DBAPIError) and self._statements.forgotten(error)):
                raise
        # Nothing was read or written yet, and this time it is sent in full.
        return self._begun(values)

    def _state(self, row: sa.Row[Any], owner: _Owner) -> InvoiceState:
        payments = row.payments or []
        return InvoiceState(
            row.invoice_id,
            row.invoice_number,
            row.status,
            row.currency_code,
            row.total_amount,
            row.credit_applied,
            paid_minor=sum(payment[1] for payment in payments),
            has_prepaid_replenishment=row.replenishes,
            has_active_payment_link=row.invoice_id in self._payable_online,
            local_money=tuple(_local_money(payments, row.credits or [], owner)),
        )

    def _active_payment_links(self) -> frozenset[str]:
        # Read once: a link only makes an alert, and its table has no index on the invoice.
        with self._connection.begin():
            if not self._connection.execute(sa.text(_HAS_LINKS)).scalar_one():
                return frozenset()
            rows = self._connection.execute(sa.text(ACTIVE_LINKS), self._source.bind({}))
            return frozenset(rows.scalars())


@dataclass(frozen=True, slots=True)
class _Owner:
    """The payment whose rows are sought."""

    realm: str
    payment_id: str
    matched_rows: frozenset[str]

    def owns(self, key: object) -> bool:
        return isinstance(key, dict) and (key.get("realm"), key.get("payment")) == (
            self.realm,
            self.payment_id,
        )


def _standing(row: sa.Row[Any], owner: _Owner) -> Iterator[StandingRow]:
    own = _own_rows(row.payments or []) - owner.matched_rows
    for row_id, minor, key, paid_on in row.payments or []:
        if owner.owns(key):
            yield StandingRow(
                row_id,
                row.invoice_id,
                minor,
                RowKind(key["kind"]),
                date.fromisoformat(key["date"]),
                key["version"],
                key.get("reverses"),
                bool(key.get("deleted")),
                key.get("reverses") in own,
            )
        elif row_id in owner.matched_rows:
            paid = date.fromisoformat(paid_on)
            yield StandingRow(row_id, row.invoice_id, minor, RowKind.MATCHED, paid, -1)


def _own_rows(payments: Collection[list[Any]]) -> set[str]:
    return {row_id for row_id, _, key, _ in payments if key is None}


def _local_money(
    payments: Collection[list[Any]], credits_: Collection[list[Any]], owner: _Owner
) -> Iterator[LocalMoney]:
    # Rows of ours took these back for a payment of QuickBooks that staff had them follow.
    followed = {key.get("reverses") for _, _, key, _ in payments if isinstance(key, dict)}
    live = _own_rows(payments) - owner.matched_rows - followed
    for row_id, minor, _, _ in payments:
        if row_id in live:
            yield LocalMoney(row_id, LocalKind.PAYMENT, minor)
    reversed_ids = {reversal_of for _, _, _, reversal_of in credits_}
    for transaction, kind, minor, _ in credits_:
        if kind == "credit_application" and transaction not in reversed_ids:
            yield LocalMoney(transaction, LocalKind.CREDIT_APPLICATION, abs(minor))


@contextmanager
def _row_ids_are_free(wanted: WantedPayment) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if getattr(error.orig, "pgcode", None) != _UNIQUE_VIOLATION:
            raise
        raise PaymentRowTakenError(
            f"AlgaPSA already has rows with the ids computed for QuickBooks payment "
            f"{wanted.payment_id}, but they do not name that payment. Nothing was written: find "
            "out who changed their metadata."
        ) from error


def _label(wanted: WantedPayment) -> str:
    return "credit" if wanted.is_credit else "payment"


def _event(wanted: WantedPayment, row: PaymentRow) -> str:
    if not row.reverses:
        return "applied"
    return f"{wanted.gone.value} there" if wanted.gone else "changed there"


def _reference(wanted: WantedPayment, row: PaymentRow) -> str:
    return _text(f"reversal:{wanted.payment_id}" if row.reverses else wanted.reference)


def _key(wanted: WantedPayment, row: PaymentRow) -> dict[str, object]:
    key: dict[str, object] = {
        "realm": wanted.realm,
        "payment": wanted.payment_id,
        "version": row.version,
        "kind": row.kind.value,
        "allocation": row.minor,
        "date": row.date.isoformat(),
    }
    if row.reverses:
        key["reverses"] = row.reverses
    if wanted.is_deleted:
        key["deleted"] = True
    return key


def _context(wanted: WantedPayment, row: PaymentRow, currency: str) -> dict[str, object]:
    context: dict[str, object] = {
        "payment_provider": "quickbooks",
        "external_payment_id": wanted.payment_id,
        "realm": wanted.realm,
        "reference_number": _text(wanted.reference),
        "currency": currency,
        "payment_date": row.date.isoformat(),
        "kind": "credit_application" if wanted.is_credit else "payment",
        "payment_id": row.row_id,
    }
    if row.reverses:
        context["reversed_payment_id"] = row.reverses
    return context


def _text(text: str) -> str:
    # PostgreSQL stores no NUL, and AlgaPSA's column holds 255 characters.
    return text.replace("\0", "")[:_MAX_REFERENCE]
