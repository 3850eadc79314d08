"""The company's objects that documents refer to, loaded from the links in bulk."""

from __future__ import annotations

from qbo_sync_dagster.domain.export import References
from qbo_sync_dagster.ledger import links
from qbo_sync_dagster.sync.context import CycleContext


def load_references(ctx: CycleContext) -> References:
    """Customers, items, tax codes and terms by what AlgaPSA calls them, with the defaults."""
    company = ctx.connection
    with ctx.reading() as connection:
        return References(
            customers=links.ids(connection, ctx.realm, "client"),
            items=links.ids(connection, ctx.realm, "service"),
            tax_codes=links.ids(connection, ctx.realm, "tax_region"),
            terms=links.ids(connection, ctx.realm, "payment_term"),
            default_item=company.default_item,
            default_class=company.default_class,
            default_department=company.default_department,
            default_tax_code=company.default_tax_code,
            default_term=company.default_term,
            unavailable=links.clients_without_customer(connection, ctx.realm),
        )
