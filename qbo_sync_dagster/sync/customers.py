"""Stage 2, customers: linked customers that were renamed, or are no longer available."""

from __future__ import annotations

from dataclasses import dataclass

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.domain.exception_record import ExceptionRecord, RecordReference
from qbo_sync_dagster.ledger import exceptions, inbox, links
from qbo_sync_dagster.quickbooks.objects import parse_customer
from qbo_sync_dagster.sync.context import CycleContext
from qbo_sync_dagster.sync.parking import Parking


@dataclass(frozen=True, slots=True)
class CustomersApplied:
    """What became of the customer changes."""

    applied: int
    foreign: int
    parked: int


def apply_customers(ctx: CycleContext) -> CustomersApplied:
    """Apply the inbox's customer changes; all local, in one ledger transaction."""
    with ctx.ledger() as connection:
        changes = inbox.unsettled(connection, ctx.realm, "Customer")
        if not changes:
            return CustomersApplied(0, 0, 0)
        ids = {change.object_id for change in changes}
        linked = links.by_quickbooks_id(connection, ctx.realm, "client", ids)
        parking = Parking(connection, ctx)
        raised, available, applied, foreign = [], [], [], []
        for change in changes:
            link = linked.get(change.object_id)
            if link is None:
                foreign.append(change.change_id)
                continue
            try:
                name, active = _shown(change, link)
            except DomainError as error:
                parking.park(change, str(error))
                continue
            applied.append(change.change_id)
            links.update(connection, link.link_id, shown={"name": name, "active": active})
            if active:
                available.append(f"client:{link.algapsa_id}")
            else:
                raised.append(_unavailable(link, name, change))
        inbox.settle(connection, ctx.realm, applied, "applied")
        inbox.settle(connection, ctx.realm, foreign, "foreign")
        parking.close(applied_records=[f"Customer:{item}" for item in ids])
        exceptions.raise_all(connection, ctx.realm, raised)
        exceptions.resolve(
            connection,
            ctx.realm,
            [ExceptionKind.CUSTOMER_UNAVAILABLE],
            available,
            "The customer is active in QuickBooks.",
        )
    return CustomersApplied(len(applied), len(foreign), parking.parked)


def _shown(change: inbox.Change, link: links.Link) -> tuple[str, bool]:
    if change.deleted:
        return str((link.shown or {}).get("name", change.object_id)), False
    customer = parse_customer(change.payload)
    return customer.display_name, customer.active


def _unavailable(link: links.Link, name: str, change: inbox.Change) -> ExceptionRecord:
    how = "deleted" if change.deleted else "made inactive"
    return ExceptionRecord(
        kind=ExceptionKind.CUSTOMER_UNAVAILABLE,
        record=f"client:{link.algapsa_id}",
        what_happened=(
            f'QuickBooks customer "{name}", linked to an AlgaPSA client, was {how}. Its invoices '
            "cannot be exported until the client is linked to an active customer."
        ),
        references=(
            RecordReference("algapsa", "client", link.algapsa_id, name),
            RecordReference("quickbooks", "Customer", link.quickbooks_id, name),
        ),
        version=f"{link.quickbooks_id}:{change.version}",
    )
