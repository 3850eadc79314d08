"""Records that stand twice in QuickBooks: told until the one that is not linked is gone there.

Raising them is `doubts`' business. Local: what became of the object is in the inbox.
"""

from __future__ import annotations

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.document_kinds import BY_ENTITY
from qbo_sync_dagster.domain.errors import DomainError
from qbo_sync_dagster.ledger import exceptions, inbox
from qbo_sync_dagster.ledger.exceptions import StoredException
from qbo_sync_dagster.quickbooks.objects import parse_customer, parse_document, parse_payment
from qbo_sync_dagster.sync.context import CycleContext

_KIND = ExceptionKind.STANDS_TWICE


def close_stood_twice(ctx: CycleContext) -> None:
    """Close the exceptions whose second object was voided, deleted or made inactive."""
    with ctx.reading() as connection:
        told = exceptions.open_ones(connection, ctx.realm, _KIND)
    if not told:
        return
    with ctx.ledger() as connection:
        settled = []
        for each in told:
            for entity, object_id in _second(each):
                found = inbox.newest(connection, ctx.realm, entity, [object_id]).get(object_id)
                if found and _is_gone(entity, found):
                    settled.append(each.record)
        exceptions.resolve(
            connection, ctx.realm, [_KIND], settled, "The second object is gone from QuickBooks."
        )


def _second(told: StoredException) -> list[tuple[str, str]]:
    return [
        (record["kind"], record["id"]) for record in told.records if record["side"] == "quickbooks"
    ]


def _is_gone(entity: str, change: inbox.Change) -> bool:
    if change.deleted:
        return True
    try:
        if entity == "Customer":
            return not parse_customer(change.payload).active
        if entity in BY_ENTITY:
            return parse_document(entity, change.payload).is_voided
        payment = parse_payment(change.payload)
    except DomainError:
        return False
    return not payment.total and not payment.lines
