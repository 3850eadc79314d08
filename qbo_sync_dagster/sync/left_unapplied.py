"""QuickBooks payments that staff left unapplied: they wait, and nobody is told of them any more."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.domain.catalogue import ExceptionKind
from qbo_sync_dagster.domain.payment_exceptions import PAYMENT_KINDS, payment_record
from qbo_sync_dagster.domain.same_money import LocalKind
from qbo_sync_dagster.ledger import exceptions, inbox

_OF_TWINS = (ExceptionKind.SAME_PAYMENT, ExceptionKind.ALREADY_SETTLED)


def left_unapplied(connection: sa.Connection, realm: str) -> frozenset[str]:
    """Ids of payments that wait in a version whose exception was dismissed."""
    return frozenset(_waiting(connection, realm))


def credit_left_beside(connection: sa.Connection, realm: str) -> frozenset[str]:
    """AlgaPSA's credit applications, by transaction id, that such a payment may be the same as.

    Staff were asked which it is and left both alone: sent now, it could be recorded twice.
    """
    waiting = _waiting(connection, realm)
    if not waiting:
        return frozenset()
    records = [payment_record(payment) for payment in waiting]
    judged = exceptions.dismissed(connection, realm, _OF_TWINS, records)
    return frozenset(
        str(record["id"])
        for each in judged
        if each.version == str(waiting[each.record.partition(":")[2]])
        for record in each.records
        if record["kind"] == LocalKind.CREDIT_APPLICATION
    )


def _waiting(connection: sa.Connection, realm: str) -> dict[str, int]:
    """Versions by payment id."""
    dismissed = exceptions.dismissed_versions(connection, realm, PAYMENT_KINDS)
    judged = {(record, version) for _, record, version in dismissed}
    if not judged:
        return {}
    waiting = inbox.unsettled_versions(connection, realm, "Payment")
    return {
        payment: version
        for payment, version in waiting.items()
        if (payment_record(payment), str(version)) in judged
    }
