"""What Dagster loads: one build function, the only way to wire, and the one object it makes.

What belongs here: the list of assets, jobs, schedules, sensors and resources. What does not: any
of their insides. Importing it connects to nothing and reads no setting.
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from assets.companies import companies
from assets.cycle import sync_cycle_assets
from assets.invoices import invoice_sync_status
from assets.nightly_sweep import nightly_sweep
from assets.onboarding import booked_invoices, client_matches, product_mappings
from qbo_sync_dagster.jobs.configure_company import configure_company
from qbo_sync_dagster.jobs.edit_mappings import edit_mappings
from qbo_sync_dagster.jobs.invoices import (
    export_batch,
    export_batch_csv,
    preview_cycle,
    sync_invoice,
)
from qbo_sync_dagster.jobs.move_document import move_document
from qbo_sync_dagster.jobs.nightly_sweep import nightly_sweep_schedule, sweep_job
from qbo_sync_dagster.jobs.onboarding import link_booked_invoices, link_clients
from qbo_sync_dagster.jobs.prune_history import prune_history, prune_history_schedule
from qbo_sync_dagster.jobs.resolve_exception import resolve_exception
from qbo_sync_dagster.jobs.sync_cycle import sync_cycle
from qbo_sync_dagster.jobs.sync_now import sync_now
from qbo_sync_dagster.quickbooks.redact import install_redaction
from qbo_sync_dagster.resources import SyncEngineResource
from sensors.company_watch_sensor import company_watch_sensor
from sensors.invoice_status_sensor import invoice_status_sensor
from sensors.sync_cycle_schedule import sync_cycle_schedule
from sensors.sync_now_sensor import sync_now_sensor


def build_definitions(*, resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """The definitions, with other resources where tests need them.

    Runs execute in one process: a cycle is one step, and a process per step would cost eight
    times as much. `Definitions(executor=...)` holds for launches from an asset page, too.
    """
    install_redaction()
    return dg.Definitions(
        assets=[
            *(sync_cycle_assets, companies, invoice_sync_status, nightly_sweep),
            *(client_matches, product_mappings, booked_invoices),
        ],
        jobs=[
            *(sync_cycle, sync_now, resolve_exception, prune_history, sweep_job),
            *(configure_company, edit_mappings, move_document),
            *(sync_invoice, preview_cycle, export_batch, export_batch_csv),
            *(link_clients, link_booked_invoices),
        ],
        schedules=[sync_cycle_schedule, prune_history_schedule, nightly_sweep_schedule],
        sensors=[sync_now_sensor, company_watch_sensor, invoice_status_sensor],
        resources={"sync_engine": SyncEngineResource()} | dict(resources or {}),
        executor=dg.in_process_executor,
    )


defs = build_definitions()
