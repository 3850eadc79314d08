"""QuickBooks payments that staff left unapplied: they wait, and nobody is told of them any more."""

from __future__ import annotations

import sqlalchemy as sa

from qbo_sync_dagster.domain.payment_exceptions import PAYMENT_KINDS, payment_record
from qbo_sync_dagster.ledger import exceptions, inbox


def left_unapplied(connection: sa.Connection, realm: str) -> frozenset[str]:
    """Ids of payments that wait in a version whose exception was dismissed."""
    dismissed = exceptions.dismissed_versions(connection, realm, PAYMENT_KINDS)
    judged = {(record, version) for _, record, version in dismissed}
    if not judged:
        return frozenset()
    waiting = inbox.unsettled_versions(connection, realm, "Payment")
    return frozenset(
        payment
        for payment, version in waiting.items()
        if (payment_record(payment), str(version)) in judged
    )
