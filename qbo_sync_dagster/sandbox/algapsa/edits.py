"""Changes to finalized invoices that AlgaPSA's UI forbids and a hand on the database makes.

Also the odd rows beside an invoice: prepaid replenishment, payment links, mappings, exports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import uuid4

from sqlalchemy import Connection

from qbo_sync_dagster.sandbox.algapsa.charges import Charge
from qbo_sync_dagster.sandbox.algapsa.invoices import add_charges
from qbo_sync_dagster.sandbox.algapsa.rows import fetch, insert_rows, midnight, run

_RETOTAL = """
    UPDATE invoices i SET subtotal = s.net, tax = s.tax, total_amount = s.net + s.tax
    FROM (SELECT COALESCE(sum(net_amount), 0) AS net, COALESCE(sum(tax_amount), 0) AS tax
        FROM invoice_charges WHERE tenant = :tenant AND invoice_id = :invoice) s
    WHERE i.tenant = :tenant AND i.invoice_id = :invoice
"""
_REPRICE = """
    UPDATE invoice_charges SET unit_price = :price, net_amount = round(quantity * :price),
        tax_amount = round(round(quantity * :price) * tax_rate / 100),
        total_price = round(quantity * :price)
            + round(round(quantity * :price) * tax_rate / 100)
    WHERE tenant = :tenant AND item_id = :item
"""
_EXPORT_LINES = """
    INSERT INTO accounting_export_lines (batch_id, tenant, document_id, client_id, amount_cents,
        currency_code, status)
    SELECT CAST(:batch AS uuid), tenant, invoice_id, client_id, total_amount, currency_code,
        'posted'
    FROM invoices WHERE tenant = :tenant AND invoice_id = ANY(CAST(:invoices AS uuid[]))
"""


def charge_ids(connection: Connection, tenant: str, invoice_id: str) -> list[str]:
    """The invoice's charges, dearest first."""
    statement = (
        "SELECT item_id::text FROM invoice_charges"
        " WHERE tenant = :tenant AND invoice_id = :invoice ORDER BY net_amount DESC, item_id"
    )
    rows = fetch(connection, statement, tenant=tenant, invoice=invoice_id)
    return [row.item_id for row in rows]


def reprice_charge(
    connection: Connection, tenant: str, invoice_id: str, item_id: str, unit_price: int
) -> None:
    """Give a charge another unit price in cents and carry it through tax and totals."""
    run(connection, _REPRICE, tenant=tenant, item=item_id, price=unit_price)
    retotal(connection, tenant, invoice_id)


def add_charge(connection: Connection, tenant: str, invoice_id: str, charge: Charge) -> None:
    """Add a charge to an invoice and total it anew."""
    add_charges(connection, tenant, invoice_id, [charge])
    retotal(connection, tenant, invoice_id)


def remove_charge(connection: Connection, tenant: str, invoice_id: str, item_id: str) -> None:
    """Remove a charge from an invoice and total it anew."""
    statement = "DELETE FROM invoice_charges WHERE tenant = :tenant AND item_id = :item"
    run(connection, statement, tenant=tenant, item=item_id)
    retotal(connection, tenant, invoice_id)


def set_charge(
    connection: Connection, tenant: str, item_id: str, values: Mapping[str, object]
) -> None:
    """Overwrite columns of a charge as they are; nothing follows from it."""
    names = ", ".join(f"{name} = :{name}" for name in values)
    statement = f"UPDATE invoice_charges SET {names} WHERE tenant = :tenant AND item_id = :item"
    run(connection, statement, tenant=tenant, item=item_id, **values)


def retotal(connection: Connection, tenant: str, invoice_id: str) -> None:
    """Compute the invoice's totals from its charges; `updated_at` stays, as nobody touches it."""
    run(connection, _RETOTAL, tenant=tenant, invoice=invoice_id)


def overwrite_total(connection: Connection, tenant: str, invoice_id: str, total: int) -> None:
    """Write another total, in cents, that the charges do not add up to."""
    _set(connection, tenant, invoice_id, "total_amount", total)


def renumber_invoice(connection: Connection, tenant: str, invoice_id: str, number: str) -> None:
    """Give an invoice another number."""
    _set(connection, tenant, invoice_id, "invoice_number", number)


def redate_invoice(
    connection: Connection, tenant: str, invoice_id: str, invoice_date: date
) -> None:
    """Give an invoice another date; its due date stays."""
    _set(connection, tenant, invoice_id, "invoice_date", midnight(invoice_date))


def move_to_client(connection: Connection, tenant: str, invoice_id: str, client_id: str) -> None:
    """Give an invoice another client."""
    _set(connection, tenant, invoice_id, "client_id", client_id)


def change_currency(connection: Connection, tenant: str, invoice_id: str, currency: str) -> None:
    """Give an invoice another currency; its figures stay."""
    _set(connection, tenant, invoice_id, "currency_code", currency)


def await_replenishment(
    connection: Connection, tenant: str, client_id: str, invoice_id: str
) -> None:
    """Make an invoice the one whose payment mints a client's prepaid credit."""
    row = {
        "tenant": tenant,
        "alert_id": str(uuid4()),
        "client_id": client_id,
        "alert_type": "credit",
        "dedupe_key": f"credit:{invoice_id}",
        "replenishment_status": "issued",
        "replenishment_invoice_id": invoice_id,
    }
    insert_rows(connection, "prepaid_balance_alerts", [row])


def offer_card_payment(connection: Connection, tenant: str, invoice_id: str, amount: int) -> str:
    """An active Stripe Checkout link for an invoice (Enterprise only); returns its id."""
    link = str(uuid4())
    row = {
        "tenant": tenant,
        "link_id": link,
        "invoice_id": invoice_id,
        "provider_type": "stripe",
        "external_link_id": f"cs_{link}",
        "url": "https://pay.example.com/",
        "amount": amount,
    }
    insert_rows(connection, "invoice_payment_links", [row])
    return link


def map_entity(
    connection: Connection,
    tenant: str,
    entity_type: str,
    entity_id: str,
    external_id: str,
    *,
    realm: str | None,
    integration_type: str = "quickbooks_online",
    sync_status: str = "synced",
    metadata: Mapping[str, object] | None = None,
) -> str:
    """A mapping that AlgaPSA or one of its users made; returns its id."""
    mapping = str(uuid4())
    row = {
        "id": mapping,
        "tenant": tenant,
        "integration_type": integration_type,
        "alga_entity_type": entity_type,
        "alga_entity_id": entity_id,
        "external_entity_id": external_id,
        "external_realm_id": realm,
        "sync_status": sync_status,
        "metadata": dict(metadata) if metadata else None,
    }
    insert_rows(connection, "tenant_external_entity_mappings", [row])
    return mapping


def record_export(
    connection: Connection,
    tenant: str,
    invoice_ids: Sequence[str],
    *,
    adapter_type: str = "quickbooks_csv",
    realm: str | None = None,
) -> str:
    """An accounting export batch of AlgaPSA's own that holds these invoices; returns its id."""
    batch = str(uuid4())
    row = {
        "batch_id": batch,
        "tenant": tenant,
        "adapter_type": adapter_type,
        "target_realm": realm,
        "status": "posted",
    }
    insert_rows(connection, "accounting_export_batches", [row])
    run(connection, _EXPORT_LINES, tenant=tenant, batch=batch, invoices=list(invoice_ids))
    return batch


def _set(connection: Connection, tenant: str, invoice_id: str, column: str, value: object) -> None:
    statement = (
        f"UPDATE invoices SET {column} = :value WHERE tenant = :tenant AND invoice_id = :invoice"
    )
    run(connection, statement, tenant=tenant, invoice=invoice_id, value=value)
