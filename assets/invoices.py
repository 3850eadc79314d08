"""The state of every invoice, per company: refreshed after each cycle, and live on demand.

What belongs here: Dagster's words for it. What does not: which state an invoice is in (`sync`,
`domain`), what stands in the table (`panels`), or when it is refreshed (`sensors`).
"""

# Dagster reads the type of `context` itself, so annotations here are not put off.

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from assets.cycle import OWNER
from assets.metadata import to_metadata
from qbo_sync_dagster.ledger.connections import Connection
from qbo_sync_dagster.panels.deep_links import quickbooks_app
from qbo_sync_dagster.panels.values import Panel
from qbo_sync_dagster.partitions import connection_of, realm_partitions
from qbo_sync_dagster.resources import SyncEngineResource

if TYPE_CHECKING:
    from qbo_sync_dagster.sync.engine import SyncEngine

INVOICE_SYNC_STATUS = "invoice_sync_status"


@dataclass(frozen=True, slots=True)
class StatusSeen:
    """The state of all invoices of a company; equal digests mean that nothing changed."""

    company: str
    panel: Panel
    digest: str

    def event(self) -> dg.AssetMaterialization:
        """It as an event that needs no run: a run of its own costs seconds, this does not."""
        return dg.AssetMaterialization(
            INVOICE_SYNC_STATUS, partition=self.company, metadata=to_metadata(self.panel)
        )


def status_seen(engine: "SyncEngine", company: Connection) -> StatusSeen:
    """Read the state of a company's invoices now. Raises AlgaPsaError."""
    from qbo_sync_dagster.panels.invoices import invoices_panel  # noqa: PLC0415 - heavy
    from qbo_sync_dagster.sync.invoice_status import invoice_statuses  # noqa: PLC0415 - heavy

    rows = invoice_statuses(engine, company.realm)
    app = quickbooks_app(engine.config.quickbooks.api_base_url)
    digest = hashlib.sha256(repr(rows).encode()).hexdigest()
    return StatusSeen(company.company, invoices_panel(company.company_name, rows, app), digest[:16])


@dg.asset(
    name=INVOICE_SYNC_STATUS,
    group_name="to_quickbooks",
    owners=[OWNER],
    kinds={"postgres"},
    partitions_def=realm_partitions,
    description="Every finalized invoice with its state (not synced, queued, synced, drift, error, "
    "voided), its number and link in QuickBooks, and when the sync last saw it. Refreshed after "
    "each cycle that changed it; materialize it to see it as it is now. The job `sync_invoice` "
    "exports one now.",
)
def invoice_sync_status(
    context: dg.AssetExecutionContext, sync_engine: SyncEngineResource
) -> dg.MaterializeResult[None]:
    """Read the state of all invoices now."""
    with sync_engine.engine() as engine:
        with engine.ledger.connect() as ledger:
            company = connection_of(ledger, context.partition_key)
        seen = status_seen(engine, company)
    return dg.MaterializeResult(metadata=to_metadata(seen.panel))
