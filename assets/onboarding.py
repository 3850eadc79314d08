"""Onboarding as assets, one per step: read live, per company.

They show; the jobs beside them do. What belongs here: Dagster's words. What does not: any match.
"""

# Dagster reads the type of `context` itself, so annotations here are not put off.

import dagster as dg

from assets.cycle import OWNER
from assets.metadata import to_metadata
from qbo_sync_dagster.partitions import connection_of, realm_partitions
from qbo_sync_dagster.resources import SyncEngineResource

GROUP = "onboarding"


@dg.asset(
    group_name=GROUP,
    owners=[OWNER],
    kinds={"quickbooks", "postgres"},
    partitions_def=realm_partitions,
    description="Step 1: each client with its QuickBooks customer: linked, exact, suggested with a "
    "score, none, or skipped. The job `link_clients` carries out what you confirm.",
)
def client_matches(
    context: dg.AssetExecutionContext, sync_engine: SyncEngineResource
) -> dg.MaterializeResult[None]:
    """Compare clients and customers now."""
    from qbo_sync_dagster.onboarding.clients import propose_clients  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.panels.onboarding import clients_panel  # noqa: PLC0415 - heavy

    with sync_engine.engine() as engine:
        with engine.ledger.connect() as ledger:
            company = connection_of(ledger, context.partition_key)
        found = propose_clients(engine, company.realm)
    return dg.MaterializeResult(metadata=to_metadata(clients_panel(company.company_name, found)))


@dg.asset(
    group_name=GROUP,
    deps=[client_matches],
    owners=[OWNER],
    kinds={"quickbooks", "postgres"},
    partitions_def=realm_partitions,
    description="Step 2: services, tax regions and payment terms with what they are mapped to, or "
    "may be. `qbo-sync mappings` sets them, also by a spreadsheet.",
)
def product_mappings(
    context: dg.AssetExecutionContext, sync_engine: SyncEngineResource
) -> dg.MaterializeResult[None]:
    """Compare the catalogue and the company's lists now."""
    from qbo_sync_dagster.actions.mapping import list_mappings  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.panels.onboarding import products_panel  # noqa: PLC0415 - heavy

    with sync_engine.engine() as engine:
        with engine.ledger.connect() as ledger:
            company = connection_of(ledger, context.partition_key)
        found = list_mappings(engine, company.realm)
    return dg.MaterializeResult(metadata=to_metadata(products_panel(company.company_name, found)))


@dg.asset(
    group_name=GROUP,
    deps=[client_matches],
    owners=[OWNER],
    kinds={"quickbooks", "postgres"},
    partitions_def=realm_partitions,
    description="Step 3: invoices that QuickBooks has already, by number, total and customer, and "
    "those to look at with the reason. The job `link_booked_invoices` links the sure ones.",
)
def booked_invoices(
    context: dg.AssetExecutionContext, sync_engine: SyncEngineResource
) -> dg.MaterializeResult[None]:
    """Look for booked invoices now."""
    from qbo_sync_dagster.onboarding.history import propose_history  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.panels.onboarding import history_panel  # noqa: PLC0415 - heavy

    with sync_engine.engine() as engine:
        with engine.ledger.connect() as ledger:
            company = connection_of(ledger, context.partition_key)
        found = propose_history(engine, company.realm)
    return dg.MaterializeResult(metadata=to_metadata(history_panel(company.company_name, found)))
