"""QuickBooks' payments that were applied in AlgaPSA and whose rows it has lost since.

The nightly sweep looks for all of them. Before a payment of AlgaPSA's own is pushed, those on its
invoice are looked for at once: it may be one of them, entered again. Local, no calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

import sqlalchemy as sa

from qbo_sync_dagster.domain.algapsa_payments import PaymentRecord
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.payment_exceptions import payment_record
from qbo_sync_dagster.ledger import audit, inbox, links
from qbo_sync_dagster.ledger.links import Link
from qbo_sync_dagster.ledger.payment_links import PaymentLink
from qbo_sync_dagster.sync.payment_intake import inbound_payment

_LOST = "applied payment lost in AlgaPSA"
# What was said to be lost was planned anew since: whatever came of that, it is not said again.
_EFFECTS = ("apply payment", "reverse payment", _LOST)


def lost_applied(
    connection: sa.Connection,
    realm: str,
    linked: Iterable[Link],
    rows: Mapping[str, Collection[PaymentRecord]],
    answered: Collection[PaymentLink],
) -> frozenset[str]:
    """The payments on these invoices of which AlgaPSA shows less than was last applied.

    `rows` are AlgaPSA's rows by invoice, `answered` the live payment links on the invoices.
    """
    pairs = {(link.quickbooks_id, link.invoice_id) for link in answered}
    credit = set(links.ids(connection, realm, "credit_application").values())
    found = [
        (payment_id, link)
        for link in linked
        for payment_id in link.payment_ids
        if payment_id not in credit and (payment_id, link.algapsa_id) not in pairs
    ]
    asked = _asked(connection, realm, {payment_id for payment_id, _ in found})
    nets = {invoice_id: _nets(realm, each) for invoice_id, each in rows.items()}
    short = [
        (payment_id, link.algapsa_id)
        for payment_id, link in found
        if asked.get((payment_id, link.quickbooks_id), 0)
        > nets.get(link.algapsa_id, {}).get(payment_id, 0)
    ]
    if not short:
        return frozenset()
    records = {payment_record(payment_id) for payment_id, _ in short}
    last = audit.last_of_each(connection, realm, _EFFECTS, records)
    return frozenset(
        payment_id
        for payment_id, invoice_id in short
        if _applied(last.get(payment_record(payment_id)), invoice_id)
        > nets.get(invoice_id, {}).get(payment_id, 0)
    )


def plan_lost(connection: sa.Connection, realm: str, lost: Collection[str]) -> None:
    """Have the next cycle plan these payments anew."""
    if not lost:
        return
    latest = inbox.newest(connection, realm, "Payment", lost).values()
    again = [each.change_id for each in latest if each.state not in inbox.UNSETTLED]
    # Received: what comes of it is logged in any case, and what is lost later is found again.
    inbox.settle(connection, realm, again, "received")
    effects = [audit.Effect("ledger", _LOST, payment_record(each)) for each in sorted(lost)]
    audit.append(connection, realm, effects)


def _asked(
    connection: sa.Connection, realm: str, payment_ids: Collection[str]
) -> dict[tuple[str, str], int]:
    """What the settled payments pay of each invoice, by the ids of both in QuickBooks."""
    asked: defaultdict[tuple[str, str], int] = defaultdict(int)
    if not payment_ids:
        return asked
    for payment_id, change in inbox.newest(connection, realm, "Payment", payment_ids).items():
        if change.state not in ("applied", "known"):
            continue
        try:
            payment = inbound_payment(change, date.min)
        except DomainError:
            continue  # what cannot be read was never applied
        for invoice, minor in () if payment.gone else payment.invoice_lines:
            asked[payment_id, invoice] += minor
    return asked


def _nets(realm: str, rows: Collection[PaymentRecord]) -> dict[str, int]:
    nets: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        if row.key is not None and row.key.realm == realm:
            nets[row.key.payment_id] += row.minor
    return nets


def _applied(after: Mapping[str, Mapping[str, int]] | None, invoice_id: str) -> int:
    return int((after or {}).get("per_invoice", {}).get(invoice_id, 0))
