"""Onboarding: carry out what staff confirmed of the proposals that the assets show."""

# Dagster reads the type of `context` itself, so annotations here are not put off.

import dagster as dg
from pydantic import Field

from qbo_sync_dagster.jobs.speaking import COMPANY, asked_by, spoken
from qbo_sync_dagster.resources import SyncEngineResource


class LinkClients(dg.Config):
    """Which clients become which customers."""

    company: str = Field(description=COMPANY, min_length=1, max_length=200)
    exact_matches: bool = Field(
        default=True, description="Link every client that client_matches shows as exact."
    )
    link: dict[str, str] = Field(
        default={},
        description="Client to customer, each by id or name; corrects a wrong link, too.",
    )
    create: list[str] = Field(
        default=[], description="Clients, by id or name, for whom a customer is created now."
    )
    skip: list[str] = Field(
        default=[], description="Clients, by id or name, that are left out from now on."
    )


class LinkBookedInvoices(dg.Config):
    """Which company's history."""

    company: str = Field(description=COMPANY, min_length=1, max_length=200)


@dg.op
def link_clients_op(
    context: dg.OpExecutionContext, config: LinkClients, sync_engine: SyncEngineResource
) -> None:
    """Link, create and skip; a second run changes nothing."""
    from qbo_sync_dagster.onboarding.clients import (  # noqa: PLC0415 - heavy
        ClientChoices,
        decide_clients,
    )

    choices = ClientChoices(
        asked_by(context), config.exact_matches, config.link, config.create, config.skip
    )
    with sync_engine.engine() as engine, spoken():
        done = decide_clients(engine, config.company.strip(), choices)
    context.log.info(
        "%s linked, %s created, %s skipped, %s stood already.",
        *(done.linked, done.created, done.skipped, done.unchanged),
    )
    if done.not_created:
        told = " ".join(f"{name}: {why}" for name, why in done.not_created.items())
        raise dg.Failure(f"Not created yet. {told}", allow_retries=False)


@dg.op
def link_booked_invoices_op(
    context: dg.OpExecutionContext, config: LinkBookedInvoices, sync_engine: SyncEngineResource
) -> None:
    """Link what is surely in QuickBooks; the next cycle pairs the payments."""
    from qbo_sync_dagster.onboarding.history import link_history  # noqa: PLC0415 - heavy

    with sync_engine.engine() as engine, spoken():
        done = link_history(engine, config.company.strip())
    context.log.info(
        "%s linked, %s to look at, %s not in QuickBooks.",
        *(done.linked, done.review, done.not_in_quickbooks),
    )


_CLIENTS_TO_FILL_IN = dg.RunConfig(
    ops={"link_clients_op": LinkClients(company="company-to-onboard")}
)
_HISTORY_TO_FILL_IN = dg.RunConfig(
    ops={"link_booked_invoices_op": LinkBookedInvoices(company="company-to-onboard")}
)
# A company's history may take longer than a cycle.
_LONG = {"dagster/max_runtime": "7200"}


@dg.job(
    config=_CLIENTS_TO_FILL_IN,
    tags=_LONG,
    description="Onboarding, step 1: link clients to customers, create customers, skip clients. "
    "client_matches shows the proposals. Safe to run again.",
)
def link_clients() -> None:
    """One step: carry out the choices."""
    link_clients_op()


@dg.job(
    config=_HISTORY_TO_FILL_IN,
    tags=_LONG,
    description="Onboarding, step 3: link invoices that QuickBooks has already, without exporting "
    "anything. booked_invoices shows them. Safe to run again.",
)
def link_booked_invoices() -> None:
    """One step: link what is sure."""
    link_booked_invoices_op()
